"""One self-contained HTML file for a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from staffcast.channels import chats_at_once
from staffcast.contracts import format_duration, format_share
from staffcast.plan import Plan
from staffcast.playing import not_played, not_staffed
from staffcast.report.summary import (
    FTE_HOURS,
    figure,
    gives_up,
    headline,
    levers,
    model_errors,
    model_notes,
    pit_of,
    pit_words,
    span_text,
    summarise,
)

__all__ = ["render"]

_PATHS = 200
Cell = Callable[[Any], str]


def _number(value: Any) -> str:
    return "–" if pd.isna(value) else f"{value:,.0f}"


def _decimal(value: Any) -> str:
    return "–" if pd.isna(value) else f"{value:,.1f}"


def _share(value: Any) -> str:
    return "–" if pd.isna(value) else format_share(float(value), 1)


def _time(value: Any) -> str:
    return "–" if pd.isna(value) else format_duration(float(value))


def _text(value: Any) -> str:
    return "–" if pd.isna(value) else str(value)


def _verdict(value: Any) -> str:
    return Markup('<span class="{0}">{0}</span>').format(value)


def table(frame: pd.DataFrame, columns: Sequence[tuple[str, str, Cell]]) -> Markup:
    """Render columns of a frame as an HTML table: (column, heading, how to show it); everything is escaped."""
    kinds = [' class="text"' if show is _text else "" for _, _, show in columns]
    head = "".join(f"<th{kind}>{Markup.escape(title)}</th>" for (_, title, _), kind in zip(columns, kinds, strict=True))
    rows = []
    for record in frame.to_dict("records"):
        cells = (Markup.escape(show(record[name])) for name, _, show in columns)
        rows.append("<tr>" + "".join(f"<td{k}>{c}</td>" for c, k in zip(cells, kinds, strict=True)) + "</tr>")
    return Markup(
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def render(plan: Plan, *, source: str) -> str:
    """Make the report.

    Parameters
    ----------
    plan : Plan
    source : str
        Name of the log, for the head of the page.

    Returns
    -------
    str
        A whole HTML page; it loads nothing from anywhere.
    """
    summary = summarise(plan)
    top = headline(plan, summary)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("staffcast.report", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )  # fmt: skip
    verdict = "targets met"
    if top["undecided"]:
        verdict += f", {top['undecided']} too close to call"
    if top["missed"]:
        verdict += f", missed: {', '.join(top['missed'])}"
    counts = plan.demand.sample(_PATHS)
    impatient = gives_up(plan.scenario, plan.demand.queues)
    return environment.get_template("page.html.j2").render(
        span=span_text(top),
        source=source,
        interval=plan.demand.minutes,
        zone=plan.intake.log.zone,
        replications=plan.scenario.replications,
        fte_hours=f"{FTE_HOURS:g}",
        cards=[
            (_number(top["tickets_per_week"]), "tickets a week for people"),
            (_number(top["agent_hours_per_week"]), "agent hours a week"),
            (_decimal(top["fte"]), "FTE rostered"),
            (f"{top['met']} of {len(summary)}", verdict),
        ],
        people=table(summary, [c for c in _PEOPLE if c[0] != "gap_hours_per_week" or summary[c[0]].any()]),
        holds=table(_with_figures(plan, summary), [c for c in _HOLDS if c[0] != "p_abandon" or impatient]),
        not_played=not_played(plan.demand, plan.scenario),
        not_staffed=not_staffed(plan.demand, plan.scenario),
        levers=levers(plan, summary),
        models=model_notes(plan.demand, plan.requirement, plan.scenario),
        queues=[_queue(plan, queue, counts[:, k, :]) for k, queue in enumerate(plan.demand.queues)],
        kpi=None if plan.kpi is None else table(plan.kpi, _KPI),
        team=None if plan.utilization is None else table(plan.utilization.iloc[-1:], _utilization_columns(plan)),
        agents=None if plan.utilization is None else table(plan.utilization.iloc[:-1], _utilization_columns(plan)),
        notes=plan.intake.notes,
    )


def _queue(plan: Plan, queue: str, paths: Any) -> dict[str, Any]:
    # Not at the top: the plotting library takes longer to load than most commands take.
    from staffcast.report import plots

    rules = plan.scenario.for_queue(queue)
    reasons = plan.demand.why.get(queue, {})
    outcome = plan.played.outcome
    first = plots.first_week(plan.requirement[plan.requirement["unique_id"] == queue])
    first = first[first["agents"] > 0].assign(time=lambda f: f["ds"].dt.strftime("%a %d %b %H:%M"))
    errors = model_errors(plan.demand.backtest, queue)
    shares = pit_of(plan.demand.backtest, queue, str(reasons.get("model")))
    by_priority = plan.played.by_priority
    mine = by_priority[by_priority["unique_id"] == queue] if len(by_priority) else by_priority
    opens = plan.played.openings
    opens = opens[opens["unique_id"] == queue]
    opens = (plots.first_week(opens) if len(opens) else opens).assign(
        time=lambda f: f["ds"].dt.strftime("%a %d %b %H:%M")
    )
    judged = "target" in mine and bool((mine["target"].fillna("") != "").any())
    return {
        "name": queue,
        "intro": f"Target {rules.frt}; band {rules.band or 'none'}; shrinkage {format_share(rules.shrinkage.share)}.",
        "heat": Markup(plots.heat_map(plan.requirement, queue)),
        "agents": Markup(plots.agents_plot(plan.requirement, queue)),
        "occupancy": Markup(plots.occupancy_plot(plan.requirement, outcome, queue, rules.band)),
        "several": chats_at_once(rules) > 1,
        "demand": Markup(plots.demand_plot(plan.demand, paths, _offered(plan, queue), queue)),
        "interval": Markup(plots.interval_plot(plan.demand, queue)),
        "frt": Markup(plots.frt_plot(outcome, queue, rules.frt)),
        "backlog": Markup(plots.backlog_plot(outcome, queue)),
        "openings": table(opens, _OPENINGS) if opens["waiting_mean"].gt(0).any() else None,
        "priorities": table(mine, _PRIORITY + (_JUDGED if judged else ())) if len(mine) else None,
        "models": table(errors, _MODELS) if len(errors) else None,
        "pit": None if shares is None else Markup(plots.pit_plot(shares, queue)),
        "pit_words": "" if shares is None else pit_words(shares),
        "choice": f"Taken: {_mixture(reasons)}. " + " ".join(f"{note}." for note in reasons.get("notes", [])),
        "reasons": table(first, _REASONS),
    }


def _mixture(reasons: Mapping[str, Any]) -> str:
    """Models with their weights; together they are *auto* in the table."""
    weights = reasons.get("weights", {})
    if len(weights) < 2:
        return str(reasons.get("model", "–"))
    return ", ".join(f"{format_share(weight)} {name}" for name, weight in weights.items()) + " (together: auto)"


def _with_figures(plan: Plan, summary: pd.DataFrame) -> pd.DataFrame:
    """The figures that each queue's target is about, as text: a share in one row may be a time in the next."""
    targets = [plan.scenario.for_queue(queue).frt for queue in summary["unique_id"]]
    return summary.assign(
        simulated_text=[figure(t, v) for t, v in zip(targets, summary["target_value"], strict=True)],
        so_far_text=[figure(t, v) for t, v in zip(targets, summary["so_far_value"], strict=True)],
    )


def _offered(plan: Plan, queue: str) -> pd.DataFrame:
    """The past as people met it: what came while closed counts at the next opening, as in the forecast."""
    rows = plan.intake.series[plan.intake.series["unique_id"] == queue]
    if rows.empty:  # a new queue has no past
        return rows
    offered, _ = plan.intake.calendars[queue].fold(rows["y"].to_numpy(dtype=float), pd.DatetimeIndex(rows["ds"]))
    return rows.assign(y=offered)


_PEOPLE = (
    ("unique_id", "queue", _text), ("tickets_per_week", "tickets", _number), ("aht_s", "AHT", _time),
    ("model", "model", str), ("wape_day", "error/day", _share), ("peak_agents", "peak", _number),
    ("agent_hours_per_week", "agent h", _number), ("gap_hours_per_week", "h in gaps", _number),
    ("erlang_c_hours_per_week", "Erlang C h", _number), ("rostered_hours_per_week", "rostered h", _number),
    ("fte", "FTE", _decimal), ("occupancy", "occupancy", _share), ("by_frt", "by FRT", _share),
    ("by_occupancy", "by band", _share),
)  # fmt: skip
_HOLDS = (
    ("unique_id", "queue", _text), ("target", "target", str), ("simulated_text", "simulated", str),
    ("so_far_text", "in the log so far", str), ("frt_mean_s", "FRT mean", _time), ("frt_p50_s", "p50", _time),
    ("frt_p90_s", "p90", _time), ("frt_p95_s", "p95", _time),
    ("p_abandon", "gave up", _share), ("utilization", "utilization", _share), ("verdict", "verdict", _verdict),
)  # fmt: skip
_KPI = (
    ("queue", "queue", _text), ("volume", "all", _number), ("bot_share", "by the bot", _share),
    ("offered", "to people", _number), ("abandoned", "abandoned", _number), ("unanswered", "waiting", _number),
    ("frt_p50_s", "FRT p50", _time), ("frt_p90_s", "p90", _time), ("frt_within", "in time", _share),
    ("art_mean_s", "ART", _time), ("aht_s", "AHT", _time), ("reopened_share", "reopened", _share),
    ("csat", "CSAT", _share),
)  # fmt: skip
_OPENINGS = (
    ("time", "opening", _text), ("agents", "agents", _number), ("waiting_mean", "waiting", _decimal),
    ("waiting_p50", "p50", _number), ("waiting_p95", "p95", _number), ("p_above", "more than agents", _share),
    ("clear_mean_s", "cleared after", _time), ("clear_p90_s", "p90", _time), ("p_never", "never cleared", _share),
)  # fmt: skip
_PRIORITY = (
    ("priority", "priority", _text), ("offered", "tickets", _number), ("service_level", "within the time", _share),
    ("frt_mean_s", "mean FRT", _time), ("p_wait", "had to wait", _share),
)  # fmt: skip
_JUDGED = (("target", "its own target", _text), ("verdict", "verdict", _text))
_MODELS = (
    ("model", "model", _text), ("wape", "error/interval", _share), ("wape_floor", "floor", _share),
    ("wape_day", "error/day", _share), ("bias", "bias", _share), ("coverage_80", "in 80 % band", _share),
    ("coverage_95", "in 95 % band", _share), ("origins", "backtests", _number),
)  # fmt: skip
_REASONS = (
    ("time", "from", _text), ("worked", "tickets", _decimal), ("load_erl", "load", _decimal),
    ("agents", "agents", _number), ("rostered", "rostered", _number), ("binding", "set by", str),
    ("occupancy", "occupancy", _share), ("service_level", "in time", _share), ("reason", "reason", _text),
)  # fmt: skip


def _utilization_columns(plan: Plan) -> list[tuple[str, str, Cell]]:
    columns: list[tuple[str, str, Cell]] = [
        ("agent", "agent", _text), ("paid_h", "paid hours", _number), ("logged_in_h", "logged in", _number),
        ("available_h", "available", _number), ("shrinkage", "shrinkage", _share), ("handling_h", "handling", _number),
        ("tickets", "tickets", _number), ("utilization", "utilization", _share), ("occupancy", "occupancy", _share),
    ]  # fmt: skip
    return [c for c in columns if plan.utilization is not None and c[0] in plan.utilization]
