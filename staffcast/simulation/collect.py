"""The figures of an outcome, out of what the chunks of its replications have added up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.simulation.checks import FloatArray, IntArray
from staffcast.simulation.floorplay import GROUP_STATS
from staffcast.simulation.groups import paces
from staffcast.simulation.intervals import bounds, mean_error, quantile_interval, ratio
from staffcast.simulation.measure import Chunk, Whole, wait_quantiles
from staffcast.simulation.openings import opening_summary
from staffcast.simulation.outcome import BROUGHT, Outcome
from staffcast.simulation.sampling import Case, strata_of
from staffcast.simulation.summary import Summary
from staffcast.simulation.tally import TICKET_STATS, TIME_STATS
from staffcast.simulation.verdicts import goal_columns

_QUANTILES = np.array([0.5, 0.9, 0.95, 0.99])

__all__ = ["collect"]


def collect(case: Case, chunks: Sequence[Chunk]) -> Outcome:
    """Put the chunks together, in the order of their replications."""
    whole = Whole()
    if len(chunks) > 1:
        runs, first = sum(len(chunk.met) for chunk in chunks), 0
        for chunk in chunks:
            whole.put(runs, range(first, first + len(chunk.met)), chunk)
            first += len(chunk.met)
    chunk = whole.chunk if len(chunks) > 1 else chunks[0]
    intervals, classes, coarse = chunk.sums.by_interval, chunk.sums.by_class, chunk.sums.coarse
    waits, waits_by_interval = chunk.sums.waits, chunk.sums.waits_by_interval
    met, work, staffed, brought = chunk.met, chunk.work_s, chunk.staffed_s, chunk.brought
    groups, goals = chunk.by_group, chunk.goals
    split = len(TICKET_STATS)
    tickets = dict(zip(TICKET_STATS, np.moveaxis(intervals[:, :split], 1, 0), strict=True))
    times = dict(zip(TIME_STATS, np.moveaxis(intervals[:, split:], 1, 0), strict=True))
    # From here on arrays are (replications, intervals), (replications, classes) or (replications, 1).
    totals = {name: classes[:, k].sum(axis=1, keepdims=True) for k, name in enumerate(TICKET_STATS)}
    return Outcome(
        by_interval=_by_interval(case, tickets, times, waits_by_interval, staffed),
        by_class=_by_class(case, classes, goals),
        by_group=_by_group(case, groups),
        summary=_summary(case, totals, times, (waits, coarse), met, work, staffed, brought, _could(case, groups)),
        by_replication=_by_replication(case, (totals, tickets["offered"]), times, coarse, work, staffed, brought),
        queue_end=times["queue_end"],
        sums=intervals,
        case=case,
    )


def _by_replication(
    case: Case, counted: tuple[Sums, FloatArray], times: Sums, coarse: Counts, work: FloatArray, staffed: FloatArray,
    brought: FloatArray,
) -> pd.DataFrame:  # fmt: skip
    totals, offered = counted
    one = {name: values[:, 0] for name, values in totals.items()}
    span = float(case.staffing.edges_s[-1] - case.staffing.edges_s[0])
    useful = times["busy_s"].sum(axis=1) - times["overtime_s"].sum(axis=1)
    p90, p95 = (wait_quantiles(coarse, np.array([0.9, 0.95])) + case.first_reply_s).T
    there = staffed.sum(axis=1)
    expected, mean = _expected(case, len(there))
    outside = brought[:, 0] + brought[:, 1] - len(case.backlog_s)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            **{name: one[name] for name in ("offered", "answered", "abandoned", "unanswered", "expired")},
            "mean_wait_s": one["wait_s"] / one["offered"],
            "frt_mean_s": one["frt_s"] / (one["offered"] - one["abandoned"]),
            "frt_p90_s": p90, "frt_p95_s": p95,
            "p_wait": one["waited"] / one["offered"], "p_abandon": one["abandoned"] / one["offered"],
            "service_level": one["hits"] / one["decided"] if case.target is not None else np.full(len(there), np.nan),
            "utilization": np.where(there > 0, useful / there, np.nan),
            "overtime_s": times["overtime_s"].sum(axis=1), "queue_mean": times["queue_s"].sum(axis=1) / span,
            "backlog_end": times["queue_end"][:, -1], "staffed_s": there,
            "came_extra": outside - expected, "busier": expected - mean,
            "work_extra_s": work - _work_expected(case, offered, work),
        }  # fmt: skip
    return pd.DataFrame(columns)


def _work_expected(case: Case, offered: FloatArray, work: FloatArray) -> FloatArray:
    """Handle time expected of the tickets that came, interval by interval; what was brought where that is not known."""
    if case.comes_back or len({id(each) for each in case.services}) != 1:
        return work
    mean = np.broadcast_to(case.services[0].mean_s, (offered.shape[1],))
    harder = 1.0 if case.bot is None else case.bot.harder
    return np.asarray(harder * (offered @ mean) + len(case.backlog_s) * mean[0])


def _expected(case: Case, runs: int) -> tuple[FloatArray, float]:
    """Tickets expected from outside on the path of each replication, and on the mean path."""
    arrivals = case.arrivals
    if arrivals.rates_per_hour is None:
        count = 0.0 if arrivals.times_s is None else float(len(arrivals.times_s))
        return np.full(runs, count), count
    hours = np.diff(case.staffing.edges_s) / 3600.0
    path = arrivals.rates_per_hour @ hours
    if arrivals.lumps is not None:
        path = path + arrivals.lumps.sum(axis=1)
    mean = float(path.mean()) if arrivals.expected is None else arrivals.expected
    return path[np.arange(runs) % len(path)], mean


Sums = dict[str, FloatArray]
Columns = dict[str, FloatArray | IntArray]
Counts = npt.NDArray[np.int64] | npt.NDArray[np.int32]


def _by_interval(case: Case, tickets: Sums, times: Sums, waits: Counts, staffed: FloatArray) -> pd.DataFrame:
    width = np.diff(case.staffing.edges_s)
    strata = strata_of(case, len(staffed))
    columns: Columns = {"start_s": case.staffing.edges_s[:-1], "agents": case.staffing.agents}
    _put(columns, "arrivals", *mean_error(tickets["offered"], strata))
    _put_shares(columns, case, tickets, strata)
    quantiles = wait_quantiles(waits, np.array([0.5, 0.9, 0.95])) + case.first_reply_s
    columns |= dict(zip(("frt_p50_s", "frt_p90_s", "frt_p95_s"), quantiles.T, strict=True))
    columns["unanswered"] = tickets["unanswered"].mean(axis=0)
    _put(columns, "queue_mean", *mean_error(times["queue_s"] / width, strata))
    _put(columns, "queue_end", *mean_error(times["queue_end"], strata))
    bands = np.quantile(times["queue_end"], [0.05, 0.5, 0.95], axis=0)
    columns |= dict(zip(("queue_end_p05", "queue_end_p50", "queue_end_p95"), bands, strict=True))
    _put(columns, "busy_mean", *mean_error(times["busy_s"] / width, strata))
    # Without staff all handling is overtime; the rest of the difference is rounding, and would give inf, not NaN.
    useful = np.where(staffed > 0, times["agents_busy_s"] - times["overtime_s"], 0.0)
    _put(columns, "utilization", *ratio(useful, staffed, strata))
    columns["overtime_s"] = times["overtime_s"].mean(axis=0)
    for name in ("oldest_s", "over_1h", "over_4h", "over_24h"):
        columns[name] = times[name].mean(axis=0)
    columns["expired"] = tickets["expired"].mean(axis=0)
    return pd.DataFrame(columns)


def _by_class(case: Case, classes: FloatArray, goals: FloatArray) -> pd.DataFrame:
    sums = dict(zip(TICKET_STATS, np.moveaxis(classes, 1, 0), strict=True))
    columns: Columns = {"class": np.arange(len(case.shares))}
    for name in ("offered", "answered", "abandoned", "unanswered"):
        columns[name] = sums[name].mean(axis=0)
    _put_shares(columns, case, sums, strata_of(case, len(classes)))
    return pd.DataFrame({**columns, **(goal_columns(case, goals) if case.class_targets else {})})


def _by_group(case: Case, groups: FloatArray) -> pd.DataFrame:
    sums = dict(zip(GROUP_STATS, np.moveaxis(groups, 1, 0), strict=True))
    frame = pd.DataFrame({"group": [each.name for each in case.groups] or ["all"]})
    for name in ("staffed_s", "handled_s", "overtime_s"):
        frame[name] = sums[name].mean(axis=0)
    columns: Columns = {}
    strata = strata_of(case, len(groups))
    useful = np.where(sums["staffed_s"] > 0, sums["handled_s"] - sums["overtime_s"], 0.0)
    _put(columns, "utilization", *ratio(useful, sums["staffed_s"], strata))
    span = case.staffing.edges_s[-1] - case.staffing.edges_s[0]
    _put(columns, "in_hand_mean", *mean_error(sums["in_hand_s"] / span, strata))
    return frame.assign(**columns, taken=sums["taken"].mean(axis=0))


def _could(case: Case, groups: FloatArray) -> float:
    """Seconds of handling, as it would last alone, that the staff can do in one replication."""
    staffed = groups[:, GROUP_STATS.index("staffed_s")].mean(axis=0)
    return float(staffed @ (paces(case.groups) if case.groups else np.ones(1)))


def _summary(
    case: Case, totals: Sums, times: Sums, waits: tuple[Counts, Counts], met: FloatArray, work: FloatArray,
    staffed_s: FloatArray, brought: FloatArray, could_s: float,
) -> Summary:  # fmt: skip
    count = len(met)
    staffed = float(staffed_s.sum() / count)
    columns: Columns = {}
    strata = strata_of(case, count)
    _put_shares(columns, case, totals, strata)
    one = {name: float(values[0]) for name, values in columns.items()}
    wait_bounds = bounds(totals["wait_s"], totals["offered"], strata=strata)[:, 0]
    frt_bounds = bounds(totals["frt_s"], totals["offered"] - totals["abandoned"], strata=strata)[:, 0]
    # The bounds may lie outside of what a share can be.
    level_bounds = np.clip(bounds(totals["hits"], totals["decided"], strata=strata)[:, 0], 0.0, 1.0)
    if case.target is None:
        level_bounds = np.array([math.nan, math.nan])
    busy, overtime = times["agents_busy_s"].sum(axis=1), times["overtime_s"].sum(axis=1)
    useful, useful_se = ratio((busy - overtime)[:, None], staffed_s.sum(axis=1, keepdims=True), strata)
    p50, p90, p95, p99 = wait_quantiles(waits[0], _QUANTILES) + case.first_reply_s
    low, high = quantile_interval(*waits, 0.95, strata=strata)
    end = times["queue_end"][:, -1]
    known = met[~np.isnan(met)]
    return Summary(
        replications=count,
        **{name: float(totals[name].mean()) for name in ("offered", "answered", "abandoned", "unanswered")},
        mean_wait_s=one["mean_wait_s"],
        mean_wait_s_se=one["mean_wait_s_se"],
        mean_wait_s_low=float(wait_bounds[0]),
        mean_wait_s_high=float(wait_bounds[1]),
        p_wait=one["p_wait"],
        p_abandon=one["p_abandon"],
        frt_mean_s=one["frt_mean_s"],
        frt_mean_s_se=one["frt_mean_s_se"],
        frt_mean_s_low=float(frt_bounds[0]),
        frt_mean_s_high=float(frt_bounds[1]),
        frt_p50_s=float(p50),
        frt_p90_s=float(p90),
        frt_p95_s=float(p95),
        frt_p95_s_low=low + case.first_reply_s,
        frt_p95_s_high=high + case.first_reply_s,
        frt_p99_s=float(p99),
        service_level=one["service_level"],
        service_level_low=float(level_bounds[0]),
        service_level_high=float(level_bounds[1]),
        utilization=float(useful[0]),
        utilization_se=float(useful_se[0]),
        load=float(work.mean()) / could_s if could_s else math.nan,
        staffed_s=staffed,
        handled_s=float(busy.mean()),
        overtime_s=float(overtime.mean()),
        queue_mean=float(times["queue_s"].sum(axis=1).mean() / (case.staffing.edges_s[-1] - case.staffing.edges_s[0])),
        backlog_start=len(case.backlog_s),
        backlog_end=float(end.mean()),
        backlog_end_p05=float(np.quantile(end, 0.05)),
        backlog_end_p95=float(np.quantile(end, 0.95)),
        met_share=float(known.mean()) if len(known) else math.nan,
        **opening_summary(case, times["queue_end"]),
        expired=float(totals["expired"].mean()),
        bot_closed=float(brought[:, 0].mean()),
        **{name: float(brought[:, 2 + k].mean()) for k, name in enumerate(BROUGHT)},
    )


def _put(columns: Columns, name: str, value: FloatArray, error: FloatArray) -> None:
    columns[name] = value
    columns[f"{name}_se"] = error


def _put_shares(columns: Columns, case: Case, sums: Sums, strata: IntArray | None) -> None:
    """Add what is a ratio of two sums over tickets."""
    _put(columns, "mean_wait_s", *ratio(sums["wait_s"], sums["offered"], strata))
    _put(columns, "p_wait", *ratio(sums["waited"], sums["offered"], strata))
    _put(columns, "p_abandon", *ratio(sums["abandoned"], sums["offered"], strata))
    decided = sums["decided"] if case.target is not None else np.zeros_like(sums["decided"])
    _put(columns, "service_level", *ratio(sums["hits"], decided, strata))
    _put(columns, "frt_mean_s", *ratio(sums["frt_s"], sums["offered"] - sums["abandoned"], strata))
