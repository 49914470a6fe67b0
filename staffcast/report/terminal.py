"""Tables on a terminal, CSV or JSON for other programs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TextIO

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from staffcast.contracts import format_duration, format_share
from staffcast.forecast import Demand
from staffcast.plan import Plan
from staffcast.playing import Played, not_played, not_staffed
from staffcast.report.summary import figure, gives_up, headline, levers, model_notes, span_text, summarise, week_grid
from staffcast.scenario import Scenario

__all__ = ["SCHEMA_VERSION", "as_json", "print_frame", "print_plan", "print_played"]

# Raised when a key of the JSON output changes its meaning or goes; new keys do not raise it.
SCHEMA_VERSION = 1
_MOST_ROWS = 40
# Into a file or a pipe tables are as wide as what they hold.
_NO_EDGE = 10_000
_VERDICT_STYLE = {"met": "green", "missed": "bold red", "undecided": "yellow"}


def as_json(kind: str, body: Mapping[str, Any]) -> str:
    """JSON text with ``schema_version`` and ``kind``; frames become lists of rows, NaN and infinity null."""
    return json.dumps({"schema_version": SCHEMA_VERSION, "kind": kind, **_plain(body)}, ensure_ascii=False, indent=1)


def _plain(value: Any) -> Any:
    if isinstance(value, pd.DataFrame):
        return [_plain(row) for row in value.to_dict("records")]
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, Sequence | np.ndarray):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else str(value)


def _console(stream: TextIO) -> Console:
    # With NO_COLOR rich still writes bold and italic; without a colour system it writes plain text.
    console = Console(file=stream, color_system=None if os.environ.get("NO_COLOR") else "auto")
    if not console.is_terminal:
        console.width = _NO_EDGE
    return console


# What fits a terminal; everything is in the file.
_KEY_COLUMNS = {
    "series": ("unique_id", "ds", "y", "aht_s", "open"),
    "demand": ("unique_id", "ds", "mean", "carried", "q05", "q50", "q95", "aht_s"),
    "requirement": (
        "unique_id", "ds", "worked", "agents", "erlang_c_agents", "model", "binding", "occupancy", "service_level",
    ),
    "outcome": ("unique_id", "ds", "agents", "arrivals", "service_level", "frt_p50_s", "frt_p90_s", "queue_end"),
    "backtest": ("unique_id", "model", "origin", "horizon", "wape", "wape_day", "bias", "coverage_80"),
    "kpi": (
        "queue", "agent", "priority", "channel", "hour", "weekday", "day", "week", "month", "offered", "abandoned",
        "frt_p50_s", "frt_p90_s", "frt_within", "aht_s", "csat", "unique_id", "ds", "waiting", "open", "oldest_s",
        "paid_h", "available_h", "handling_h", "shrinkage", "utilization", "occupancy",
    ),
}  # fmt: skip
_HEADINGS = {
    "unique_id": "queue",
    "ds": "from",
    "y": "tickets",
    "frt_within": "in time",
    "queue_end": "waiting",
    "p_abandon": "gave up",
    "erlang_c_agents": "Erlang C",
}


def print_frame(
    frame: pd.DataFrame, *, title: str, stream: TextIO, kind: str = "", right: Collection[str] = ()
) -> None:
    """Print a frame: its main columns, and the first rows where it is long; texts of columns in ``right`` set right."""
    hidden = len(frame.columns)
    frame = frame[[c for c in frame.columns if c in _KEY_COLUMNS.get(kind, frame.columns)]]
    hidden -= len(frame.columns)
    console = _console(stream)
    console.print(Text(title, style="bold"))
    table = _table()
    for name in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
        heading = _HEADINGS.get(str(name), str(name).removesuffix("_s").replace("_", " "))
        table.add_column(Text(heading), justify="right" if numeric or name in right else "left", overflow="fold")
    for row in frame.head(_MOST_ROWS).itertuples(index=False):
        table.add_row(*(_cell(value, str(name)) for name, value in zip(frame.columns, row, strict=True)))
    console.print(table)
    if len(frame) > _MOST_ROWS:
        console.print(f"… and {len(frame) - _MOST_ROWS:,} rows more", style="dim")
    if hidden or len(frame) > _MOST_ROWS:
        console.print(f"-o FILE writes all rows{f' and {hidden} more columns' if hidden else ''}", style="dim")


_SHARES = (
    "p_above",
    "p_abandon",
    "share",
    "wape",
    "bias",
    "coverage",
    "occupancy",
    "utilization",
    "service_level",
    "within",
    "csat",
    "shrinkage",
)


def _cell(value: Any, name: str) -> Text:
    if isinstance(value, pd.Timestamp):
        return Text(f"{value:%a %d %b %H:%M}")
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return Text("–")
    if isinstance(value, float):
        if name.endswith("_s"):
            return Text(format_duration(value))
        if name.startswith(_SHARES) or name.endswith(_SHARES):
            return Text(format_share(value, 1))
        return Text(f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:,.2f}")
    return Text(str(value))


def print_plan(plan: Plan, *, stream: TextIO) -> None:
    """Print the plan for a planner: what comes, who is needed, how it would hold, and the first week hour by hour."""
    console = _console(stream)
    summary = summarise(plan)
    top = headline(plan, summary)
    console.print(
        f"\n[bold]Plan for {span_text(top)}[/bold]: "
        f"{top['tickets_per_week']:,.0f} tickets a week for people, {top['agent_hours_per_week']:,.0f} agent hours, "
        f"{top['rostered_hours_per_week']:,.0f} rostered hours = [bold]{top['fte']:.1f} FTE[/bold] a week\n",
        highlight=False,
        soft_wrap=True,
    )
    people: list[tuple[str, Callable[[dict[Any, Any]], str | Text]]] = [
        ("tickets", lambda r: f"{r['tickets_per_week']:,.0f}"),
        ("AHT", lambda r: format_duration(r["aht_s"])),
        ("model", lambda r: str(r["model"])),
        ("err/day", lambda r: "–" if r["wape_day"] is None else format_share(r["wape_day"], 1)),
        ("peak", lambda r: str(r["peak_agents"])),
        ("hours", lambda r: f"{r['agent_hours_per_week']:,.0f}"),
        ("Erlang C", lambda r: "–" if math.isnan(h := r["erlang_c_hours_per_week"]) else f"{h:,.0f}"),
        ("FTE", lambda r: f"{r['fte']:.1f}"),
        ("occup.", lambda r: format_share(r["occupancy"])),
    ]
    if (summary["gap_hours_per_week"] > 0).any():
        people.insert(6, ("in gaps", lambda r: f"{h:,.0f}" if (h := r["gap_hours_per_week"]) > 0 else "–"))
    targets = {queue: plan.scenario.for_queue(queue).frt for queue in plan.demand.queues}
    holds: list[tuple[str, Callable[[dict[Any, Any]], str | Text]]] = [
        ("target", lambda r: str(r["target"])),
        ("so far", lambda r: figure(targets[r["unique_id"]], r["so_far_value"])),
        ("simulated", lambda r: figure(targets[r["unique_id"]], r["target_value"])),
        ("FRT p50", lambda r: format_duration(r["frt_p50_s"])),
        ("p90", lambda r: format_duration(r["frt_p90_s"])),
        ("p95", lambda r: format_duration(r["frt_p95_s"])),
        ("verdict", lambda r: Text(str(r["verdict"]), style=_VERDICT_STYLE[str(r["verdict"])])),
    ]
    if gives_up(plan.scenario, plan.demand.queues):
        holds.insert(6, ("gave up", lambda r: format_share(r["p_abandon"], 1)))
    for title, columns in (("Who is needed, per week", people), ("How it would hold (simulated)", holds)):
        console.print(f"[bold]{title}[/bold]")
        table = _table()
        table.add_column("queue")
        for name, _ in columns:
            table.add_column(name, justify="right")
        for row in summary.to_dict("records"):
            table.add_row(Text(str(row["unique_id"])), *(show(row) for _, show in columns))
        console.print(table)
        console.print()
    _print_groups(plan.played.by_group, stream)
    if "target" in plan.played.by_priority:
        _print_priorities(plan.played.by_priority, stream)
    _print_not_played(console, plan.demand, plan.scenario)
    for lever in (*levers(plan, summary), *model_notes(plan.demand, plan.requirement, plan.scenario)):
        console.print(f"• {escape(lever)}", highlight=False, soft_wrap=True)
    console.print()
    for queue in plan.demand.queues:
        _print_week(console, plan, queue)


def print_played(
    played: Played, demand: Demand, scenario: Scenario, *, stream: TextIO, requirement: pd.DataFrame | None = None
) -> None:
    """Print how a plan holds, a row per queue, and what the simulation leaves out."""
    summary = played.summary
    simulated = [
        figure(scenario.for_queue(queue).frt, value)
        for queue, value in zip(summary["unique_id"], summary["target_value"], strict=True)
    ]
    columns = ["unique_id", "target", "frt_p50_s", "frt_p90_s", "utilization", "backlog_end", "opening_p95", "verdict"]
    shown = summary[columns].copy()
    shown.insert(2, "simulated", simulated)
    if gives_up(scenario, summary["unique_id"]):
        shown.insert(5, "p_abandon", summary["p_abandon"])
    print_frame(shown, title="How the plan holds", stream=stream)
    opens = played.openings[["unique_id", "ds", "waiting_mean", "waiting_p95", "above", "p_above", "clear_mean_s"]]
    if opens["waiting_mean"].gt(0).any():
        first = opens.groupby("unique_id", sort=False).head(max(_MOST_ROWS // len(summary), 1)).head(_MOST_ROWS)
        print_frame(first, title="What waits when a queue opens, the first times", stream=stream)
    _print_groups(played.by_group, stream)
    if "target" in played.by_priority:
        _print_priorities(played.by_priority, stream)
    _print_not_played(_console(stream), demand, scenario, requirement)


def _print_groups(by_group: pd.DataFrame, stream: TextIO) -> None:
    """Agents whom several queues share, and those beside them."""
    if len(by_group):
        shown = by_group[["group", "queues"]].copy()
        shown["agent hours"] = by_group["staffed_s"] / 3600
        shown["overtime hours"] = by_group["overtime_s"] / 3600
        shown["utilization"] = by_group["utilization"]
        print_frame(shown, title="Groups of agents", stream=stream)


def _print_priorities(by_priority: pd.DataFrame, stream: TextIO) -> None:
    """Priority classes with targets of their own, judged apart."""
    rows = by_priority[by_priority["target"].fillna("") != ""]
    shown = rows[["unique_id", "priority", "offered", "target", "target_value", "verdict"]].copy()
    in_seconds = shown["target"].str.startswith("mean")
    shown["target_value"] = [
        format_duration(value) if seconds else format_share(value, 1)
        for value, seconds in zip(shown["target_value"], in_seconds, strict=True)
    ]
    print_frame(shown.rename(columns={"target_value": "simulated"}), title="Priority classes", stream=stream)


def _print_not_played(
    console: Console, demand: Demand, scenario: Scenario, requirement: pd.DataFrame | None = None
) -> None:
    for title, sentences in (
        ("Not played as it would be; read the verdicts with it:", not_played(demand, scenario)),
        ("Played, but not staffed for:", not_staffed(demand, scenario, requirement)),
    ):
        if sentences:
            console.print(title)
            for sentence in sentences:
                console.print(f"• {escape(sentence)}", highlight=False, soft_wrap=True)
            console.print()


def _table() -> Table:
    return Table(header_style="dim", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))


def _print_week(console: Console, plan: Plan, queue: str) -> None:
    grid = week_grid(plan.requirement, queue)
    if grid.empty:
        return
    hourly = grid.groupby(grid.index.str[:2] + ":00").max()
    console.print(f"[bold]{escape(queue)}[/bold]: agents needed in the first week (peak within the hour)")
    table = _table()
    table.add_column("from")
    for day in hourly.columns:
        table.add_column(f"{pd.Timestamp(day):%a %d}", justify="right")
    for time, row in hourly.iterrows():
        table.add_row(str(time), *("·" if math.isnan(v) else f"{v:.0f}" for v in row))
    console.print(table)
    console.print()
