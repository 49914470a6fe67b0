"""A plan in one row per queue: what comes, who is needed, how it would hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.channels import impossible_pace, model_of, without_part
from staffcast.contracts import Target, format_duration, format_share
from staffcast.forecast import Demand, pit
from staffcast.levers import QueueLevers
from staffcast.plan import Plan
from staffcast.requirement import occupancy_over
from staffcast.scenario import Scenario
from staffcast.staffing import pooling_gain, usual_handle_time

__all__ = [
    "FTE_HOURS",
    "figure",
    "headline",
    "levers",
    "model_errors",
    "model_notes",
    "pit_of",
    "pit_words",
    "span_text",
    "summarise",
    "week_grid",
]

# Paid hours of a full-time week; only the FTE column depends on it.
FTE_HOURS = 40.0
_MANY_WAIT = 0.05
# Both ends of the PIT histogram together, ÷ what they should hold, and the excess of one half, that are worth a word.
_NARROW, _WIDE, _LEANING = 1.3, 0.7, 0.1


def summarise(plan: Plan) -> pd.DataFrame:
    """One row per queue.

    Returns
    -------
    DataFrame
        ``unique_id, model, wape`` (backtest error per interval), ``wape_day`` (per day), ``wape_naive``,
        ``tickets_per_week, aht_s, peak_agents, agent_hours_per_week`` (of the queue's own agents),
        ``gap_hours_per_week`` (of its work that is done in the gaps of another queue), ``rostered_hours_per_week,
        fte`` (of 40 h), ``occupancy`` (that of the requirement's rows over all agents),
        ``by_frt, by_occupancy, by_minimum, below_band`` (shares of the staffed intervals), ``queueing`` (the queueing
        model), ``erlang_c_hours_per_week`` (what plain Erlang C with a known rate would say; NaN where it does not
        apply), ``target, service_level, frt_mean_s, frt_p50_s, frt_p90_s,
        frt_p95_s, p_abandon, utilization, target_value`` (the simulated figure that the target is about), ``verdict``,
        ``so_far`` (share within the target's time in the log) and ``so_far_value`` (the log's figure that the target
        is about).
    """
    demand, requirement = plan.demand, plan.requirement
    hours = demand.minutes / 60
    weeks = _weeks(demand)
    rows = []
    for queue in demand.queues:
        table = requirement[requirement["unique_id"] == queue]
        staffed = table[table["agents"] > 0]
        reasons = plan.demand.why.get(queue, {})
        played = plan.played.summary.set_index("unique_id").loc[queue]
        errors = model_errors(demand.backtest, queue)
        used = list(reasons.get("weights", {}))
        taken = errors[errors["model"] == (used[0] if len(used) == 1 else "auto")] if len(errors) else errors
        weight = table["mean"].sum()
        rows.append(
            {
                "unique_id": queue,
                "model": f"{used[0]} +{len(used) - 1}" if len(used) > 1 else reasons.get("model", "–"),
                "wape": reasons.get("wape"),
                "wape_day": float(taken["wape_day"].iloc[0]) if len(taken) else None,
                "wape_naive": reasons.get("candidates", {}).get("seasonal_naive"),
                "tickets_per_week": float(table["mean"].sum() / weeks),
                "aht_s": float((table["mean"] * table["aht_s"]).sum() / weight) if weight else float("nan"),
                "peak_agents": int(table["agents"].max()),
                "agent_hours_per_week": float(table["agents"].sum() * hours / weeks),
                "gap_hours_per_week": float(table["in_gaps"].sum() * hours / weeks),
                "rostered_hours_per_week": float(table["rostered"].sum() * hours / weeks),
                "fte": float(table["rostered"].sum() * hours / weeks / FTE_HOURS),
                "occupancy": occupancy_over(table),
                "by_frt": float((staffed["binding"] == "frt").mean()),
                "by_occupancy": float((staffed["binding"] == "occupancy").mean()),
                "by_minimum": float((staffed["binding"] == "minimum").mean()),
                "below_band": float((staffed["band_gap"] > 0).mean()),
                "queueing": str(table["model"].iloc[0]),
                "erlang_c_hours_per_week": float(table["erlang_c_agents"].sum(min_count=1) * hours / weeks),
                "target": played["target"],
                "service_level": played["service_level"],
                "frt_mean_s": played["frt_mean_s"],
                "frt_p50_s": played["frt_p50_s"],
                "frt_p90_s": played["frt_p90_s"],
                "frt_p95_s": played["frt_p95_s"],
                "p_abandon": played["p_abandon"],
                "utilization": played["utilization"],
                "target_value": played["target_value"],
                "verdict": played["verdict"],
                "so_far": _so_far(plan.kpi, queue, "frt_within"),
                "so_far_value": _so_far(plan.kpi, queue, _column(plan.scenario.for_queue(queue).frt)),
            }
        )
    return pd.DataFrame(rows)


def _weeks(demand: Demand) -> float:
    """Length of the span in weeks by the wall clock: seven days are a week, also when one of them has 25 hours."""
    end = (demand.ds[-1] + pd.Timedelta(minutes=demand.minutes)).tz_localize(None)
    return float((end - demand.ds[0].tz_localize(None)) / pd.Timedelta(weeks=1))


def gives_up(scenario: Scenario, queues: Iterable[str]) -> bool:
    """Whether customers of any of these queues give up, so that a plan has a price in them."""
    return any(scenario.for_queue(queue).patience_s is not None for queue in queues)


def _so_far(kpi: pd.DataFrame | None, queue: str, column: str) -> float:
    """A first response figure of the log itself; NaN where the log cannot tell."""
    rows = kpi[kpi["queue"] == queue] if kpi is not None else pd.DataFrame()
    return float(rows[column].iloc[0]) if len(rows) and rows["answered"].iloc[0] > 0 else float("nan")


def _column(target: Target) -> str:
    """Where the KPIs have the figure that a target is about."""
    if target.kind == "share":
        return "frt_within"
    return "frt_mean_s" if target.kind == "mean" else f"frt_p{100 * target.level:g}_s"


def figure(target: Target, value: float) -> str:
    """The figure that a target is about, as people read it: a share, or a time for a mean or a percentile."""
    return format_share(float(value), 1) if target.kind == "share" else format_duration(float(value))


def headline(plan: Plan, summary: pd.DataFrame) -> dict[str, Any]:
    """Figures over all queues: tickets, hours and FTE per week, span, verdict."""
    return {
        "start": plan.demand.ds[0],
        "end": plan.demand.ds[-1] + pd.Timedelta(minutes=plan.demand.minutes),
        "tickets_per_week": float(summary["tickets_per_week"].sum()),
        "agent_hours_per_week": float(summary["agent_hours_per_week"].sum()),
        "rostered_hours_per_week": float(summary["rostered_hours_per_week"].sum()),
        "fte": float(summary["fte"].sum()),
        "met": int((summary["verdict"] == "met").sum()),
        "undecided": int((summary["verdict"] == "undecided").sum()),
        "missed": [str(q) for q in summary.loc[summary["verdict"] == "missed", "unique_id"]],
    }


def week_grid(requirement: pd.DataFrame, queue: str) -> pd.DataFrame:
    """First seven local days of one queue: time of day down, days across; empty where closed.

    Returns
    -------
    DataFrame
        Index ``HH:MM`` (open times only), columns dates.
    """
    table = requirement[requirement["unique_id"] == queue]
    local = table["ds"].dt.tz_localize(None)
    days = sorted(local.dt.normalize().unique())[:7]
    table = table.assign(day=local.dt.normalize(), time=local.dt.strftime("%H:%M"))
    table = table[table["day"].isin(days) & (table["open"] | (table["agents"] > 0))]
    return table.pivot_table(index="time", columns="day", values="agents", aggfunc="max", observed=False).reindex(
        columns=days
    )


def levers(plan: Plan, summary: pd.DataFrame) -> list[str]:
    """What to look at: doubtful inputs, why a target is not kept, where FRT and band pull apart; a sentence each."""
    out = list(plan.intake.checks)
    rows = summary.to_dict("records")
    for row in rows:
        table = plan.demand.of(row["unique_id"])
        waits = float(table["carried"].sum() / max(table["mean"].sum(), 1e-9))
        rules = plan.scenario.for_queue(row["unique_id"])
        # Work by a deadline takes them with the rest, and who is worked off within the target's time is not late.
        late = not row["queueing"].startswith("deferrable") and rules.clear_within_s > rules.frt.seconds
        if late and row["verdict"] != "met" and waits > _MANY_WAIT:
            out.append(
                f"{row['unique_id']}: {format_share(waits)} of its tickets wait at opening and are worked off within "
                f"{format_duration(rules.clear_within_s)}, most of them later than "
                f"{format_duration(rules.frt.seconds)}. A shorter --clear-within calls more people in at opening and "
                "fewer later."
            )
    out += [
        f"{queue} is staffed to {target}, as {plan.scenario.for_queue(queue).frt} fell short when played."
        for queue, target in plan.raised.items()
    ]
    if all(plan.scenario.for_queue(queue).first_reply_s == 0 for queue in plan.demand.queues):
        out.append("First reply times are counted as 0 s, so FRT is the wait alone; say --first-reply 25s or the like.")
    out += [_below_band(plan, row) for row in rows if row["below_band"] > 0]
    out += [_in_gaps(plan, row, rows) for row in rows if row["gap_hours_per_week"] > 0]
    out += [text for row in rows if (text := _chats_above(plan, row))]
    # What is in a crew's gaps already is no longer to be found for them; no two queues share the gaps of one.
    filled = {plan.scenario.for_queue(row["unique_id"]).in_gaps_of: row["gap_hours_per_week"] for row in rows}
    out += [_lever(each, plan, filled.get(each.queue, 0.0)) for each in plan.levers]
    gain = pooling_gain(plan.demand, plan.requirement, plan.scenario)
    if gain is not None and gain["pooled_agent_hours"] < gain["agent_hours"]:
        saved = 1 - gain["pooled_agent_hours"] / gain["agent_hours"]
        out.append(
            f"One pooled crew for all queues would need {format_share(saved)} fewer agent hours, at "
            f"{format_share(gain['pooled_occupancy'])} occupancy instead of {format_share(gain['occupancy'])}."
        )
    return out


def model_notes(demand: Demand, requirement: pd.DataFrame, scenario: Scenario) -> list[str]:
    """Which queueing model staffed each queue and why, and what plain Erlang C makes of it; a sentence each."""
    hours = demand.minutes / 60 / _weeks(demand)
    out = []
    for queue in demand.queues:
        table = requirement[requirement["unique_id"] == queue]
        rules = scenario.for_queue(queue)
        aht_s = usual_handle_time(demand.of(queue))
        model = model_of(rules, minutes=demand.minutes, aht_s=aht_s)
        names = {"deferrable": "a plan by deadline", "chat": "the chat model"}
        name = names.get(model.name, f"Erlang {model.name[-1].upper()}" + (" over time" if model.over_time else ""))
        if model.erlang_c:
            plain = f"Plain Erlang C does not apply: {model.erlang_c}."
        else:
            plain = (
                f"Plain Erlang C at the forecast's mean would say {table['erlang_c_agents'].sum() * hours:,.0f} hours "
                f"a week instead of {table['agents'].sum() * hours:,.0f}."
            )
        more = [without_part(rules, model), impossible_pace(rules, aht_s) if model.name == "chat" else ""]
        told = "".join(f" {text[0].upper()}{text[1:]}." for text in more if text)
        out.append(f"{queue} is staffed by {name}: {model.why}. {plain}{told}")
    return out


def _in_gaps(plan: Plan, row: dict[Any, Any], rows: list[dict[Any, Any]]) -> str:
    """How much of a queue's work the people of another do, and how busy that makes them."""
    host = plan.scenario.for_queue(row["unique_id"]).in_gaps_of
    crew = next(each for each in rows if each["unique_id"] == host)
    busy = crew["occupancy"] + row["gap_hours_per_week"] / max(crew["agent_hours_per_week"], 1e-9)
    return (
        f"{row['unique_id']}: of its work {row['gap_hours_per_week']:,.0f} h a week are done in the gaps of {host}, "
        f"whose people are then busy {format_share(busy)} of their time, not {format_share(crew['occupancy'])}, beside "
        f"{row['agent_hours_per_week']:,.0f} agent hours of its own; hours, FTE and occupancy of each are without that."
    )


def _lever(each: QueueLevers, plan: Plan, filled: float) -> str:
    """One queue's levers in a sentence; ``filled`` hours a week of its gaps are used by another queue."""
    parts = []
    if (hours := each.deferrable_hours - filled) >= 0.5:
        more = " more" if filled > 0 else ""
        parts.append(f"{hours:,.0f} h a week{more} of work that can be put aside at once")
    if each.pool_hours >= 0.5:
        parts.append(f"one crew with {each.pool_with} ({each.pool_hours:,.0f} h fewer)")
    if each.concurrency_hours >= 0.5:
        parts.append(
            f"a second conversation per agent (at most {each.concurrency_hours:,.0f} h fewer, if handle times include "
            "the customers' pauses; none if they are active time)"
        )
    if each.deflection > 0:
        parts.append(f"a bot that closes {format_share(each.deflection)} (one agent fewer at a time)")
    band = plan.scenario.for_queue(each.queue).band
    return f"{each.queue}: ways towards the band {band}, each taken alone: " + ", ".join(parts) + "."


def _below_band(plan: Plan, row: dict[Any, Any]) -> str:
    queue = row["unique_id"]
    table = plan.requirement[plan.requirement["unique_id"] == queue]
    rules = table.loc[(table["band_gap"] > 0) & (table["agents"] > 0), "binding"].value_counts(normalize=True)
    names = {"frt": "FRT", "occupancy": "the next whole agent", "minimum": "the minimum"}
    keeps = " and ".join(f"{names[str(rule)]} ({format_share(share)})" for rule, share in rules.items())
    return (
        f"{queue}: {format_share(row['below_band'])} of the staffed intervals lie below the band "
        f"{plan.scenario.for_queue(queue).band}, kept there by {keeps}; occupancy is {format_share(row['occupancy'])}."
    )


def _chats_above(plan: Plan, row: dict[Any, Any]) -> str:
    """Where agents with several conversations have less rest than the band leaves; empty where they do not."""
    queue, band = row["unique_id"], plan.scenario.for_queue(row["unique_id"]).band
    if row["queueing"] != "chat" or band is None:
        return ""
    table = plan.requirement[(plan.requirement["unique_id"] == queue) & (plan.requirement["agents"] > 0)]
    above = float((table["occupancy"] > band.top).mean()) if len(table) else 0.0
    if above == 0:
        return ""
    return (
        f"{queue}: in {format_share(above)} of the staffed intervals its agents have a conversation in hand for more "
        f"than {format_share(band.top)} of the time ({format_share(row['occupancy'])} over all), the customers' pauses "
        "included. The band's top is kept for the conversations held of those possible, not for this: fewer at once, "
        "or a minimum, leave more rest."
    )


def span_text(top: dict[str, Any]) -> str:
    """First to last day of the plan."""
    last = top["end"] - pd.Timedelta(minutes=1)
    return f"{top['start']:%a %d %b %Y} – {last:%a %d %b %Y}"


def pit_of(backtest: pd.DataFrame | None, queue: str, model: str) -> npt.NDArray[np.float64] | None:
    """Shares of :func:`~staffcast.forecast.pit` of the combination, or of the one model there is; None without any."""
    if backtest is None or "pit_1" not in backtest:
        return None
    mine = backtest[backtest["unique_id"] == queue]
    mine = mine[mine["model"] == ("auto" if (mine["model"] == "auto").any() else model)]
    shares = pit(mine)["share"].to_numpy(dtype=float)
    return shares if len(shares) and np.isfinite(shares).all() else None


def pit_words(shares: npt.NDArray[np.float64]) -> str:
    """What a planner reads from the histogram."""
    ends = float(shares[0] + shares[-1])
    even = 2 / len(shares)
    if ends > _NARROW * even:
        width = "both ends stand out: the bands are narrower than they should be"
    elif ends < _WIDE * even:
        width = "the ends are low: the bands are wider than they need be"
    else:
        width = "the ends are about level: they are"
    half = len(shares) // 2
    upper = float(shares[-half:].sum()) - float(shares[:half].sum())
    lean = ""
    if abs(upper) > _LEANING:
        more, fewer = ("above", "below") if upper > 0 else ("below", "above")
        lean = f"; more came {more} the forecast's median than {fewer} it"
    return f"Flat = bands as wide as promised. Here {width}{lean}."


def model_errors(backtest: pd.DataFrame | None, queue: str) -> pd.DataFrame:
    """Mean backtest figures of each model on one queue, the best first; empty without a backtest."""
    if backtest is None:
        return pd.DataFrame()
    rows = backtest[backtest["unique_id"] == queue]
    columns = ["wape", "wape_floor", "wape_day", "bias", "coverage_80", "coverage_95"]
    means = rows.groupby("model")[columns].mean()
    return means.assign(origins=rows.groupby("model").size()).sort_values("wape").reset_index()
