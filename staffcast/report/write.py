"""Write a plan: its tables as CSV and the report, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from staffcast.contracts.files import atomic_folder, write_table
from staffcast.plan import Plan
from staffcast.playing import not_played, not_staffed
from staffcast.report.html import render
from staffcast.report.summary import headline, levers, model_notes, summarise

__all__ = ["plan_body", "write_plan"]

REPORT = "report.html"


def write_plan(plan: Plan, folder: str | Path, *, source: str) -> Path:
    """Write the tables of every step, the summary and the report.

    Parameters
    ----------
    plan : Plan
    folder : path
        Made if it is not there; files of the same names are replaced, all together, and a table that an earlier plan
        left there and this one does not have is removed.
    source : str
        Name of the log, for the report.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    OutputError
        The folder cannot be written; nothing was changed then.
    """
    folder = Path(folder)
    tables = {
        "series": plan.intake.series,
        # What each model cost is no figure of the plan, and differs from run to run.
        "backtest": None if plan.demand.backtest is None else plan.demand.backtest.drop(columns="cpu_s"),
        "demand": plan.demand.frame,
        "requirement": plan.requirement,
        "outcome": plan.played.outcome,
        "outcome-summary": plan.played.summary,
        "openings": plan.played.openings,
        "summary": summarise(plan),
        "kpi": plan.kpi,
        "utilization": plan.utilization,
    }
    with atomic_folder(folder) as temporary:
        for name, frame in tables.items():
            if frame is not None:
                write_table(frame, temporary / f"{name}.csv")
        (temporary / REPORT).write_text(render(plan, source=source), encoding="utf-8")
    for name in (name for name, frame in tables.items() if frame is None):
        (folder / f"{name}.csv").unlink(missing_ok=True)
    return folder / REPORT


def plan_body(plan: Plan, report: Path) -> Mapping[str, Any]:
    """Figures of a plan for JSON.

    Headline, a record per queue, levers, what staffed the queues, what is not played, notes, choice of models, files.
    """
    summary = summarise(plan)
    return {
        **headline(plan, summary),
        "queues": summary,
        "levers": levers(plan, summary),
        "queueing": model_notes(plan.demand, plan.requirement, plan.scenario),
        "not_played": not_played(plan.demand, plan.scenario),
        "not_staffed": not_staffed(plan.demand, plan.scenario),
        "models": plan.demand.why,
        "notes": plan.intake.notes,
        "report": str(report),
        "folder": str(report.parent),
    }
