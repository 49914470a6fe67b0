"""What came out of a simulation, with its uncertainty: the replication is the unit, never the ticket."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from staffcast.contracts import bad_value
from staffcast.simulation.checks import FloatArray, IntArray
from staffcast.simulation.floorplay import GROUP_STATS
from staffcast.simulation.groups import paces
from staffcast.simulation.measure import Chunk, wait_quantiles
from staffcast.simulation.replication import play_replication
from staffcast.simulation.sampling import Case
from staffcast.simulation.tally import TICKET_STATS, TIME_STATS

__all__ = ["Outcome", "Summary", "collect", "quantile_interval"]

_BROUGHT = ("redialled", "reopened", "repeated")
_QUANTILES = np.array([0.5, 0.9, 0.95, 0.99])


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A whole simulation in one record. Numbers of tickets and seconds are means per replication.

    Attributes
    ----------
    replications : int
        Replications played.
    offered, answered, abandoned, unanswered : float
        Tickets, the opening backlog included; ``offered = answered + abandoned + unanswered``.
    mean_wait_s, mean_wait_s_se : float
        Mean time in the queue of every ticket offered, however it ended.
    p_wait, p_abandon : float
        Shares of the tickets offered that waited at all, and that gave up.
    frt_mean_s, frt_mean_s_se : float
        Mean first response time; the unanswered count with their time so far, the abandoned not.
    frt_p50_s, frt_p90_s, frt_p95_s, frt_p99_s : float
        Quantiles of first response time pooled over all tickets, to 0.1 % of the wait; the same tickets as the mean.
    frt_p95_s_low, frt_p95_s_high : float
        95 % interval of the pooled 95th percentile; its unit is the replication.
    service_level, service_level_low, service_level_high : float
        Share of the decided tickets answered within the target's time, with its 95 % interval, whose unit is the
        replication. NaN without a target, the interval NaN with one replication.
    utilization, utilization_se : float
        Handling within staffed time ÷ staffed time; of agents with several conversations the time with any in hand.
    load : float
        Handle time that all offered tickets bring ÷ what the staff can handle with hands full; above 1 the plan cannot
        keep up.
    staffed_s, handled_s, overtime_s : float
        Agent seconds staffed; spent on tickets within the play, overtime included; spent by leavers after their shift.
    queue_mean : float
        Time average of tickets waiting.
    backlog_start : int
        Tickets of the opening backlog.
    backlog_end, backlog_end_p05, backlog_end_p95 : float
        Tickets waiting at the end, mean and quantiles over replications.
    met_share : float
        Share of the replications in which the target was met over all tickets; NaN without a target.
    expired : float
        Tickets whose wait outlasted the window; 0 without one.
    bot_closed : float
        Conversations closed by the bot, not among the tickets offered.
    redialled, reopened, repeated : float
        Tickets offered that others brought about.
    """

    replications: int
    offered: float
    answered: float
    abandoned: float
    unanswered: float
    mean_wait_s: float
    mean_wait_s_se: float
    p_wait: float
    p_abandon: float
    frt_mean_s: float
    frt_mean_s_se: float
    frt_p50_s: float
    frt_p90_s: float
    frt_p95_s: float
    frt_p95_s_low: float
    frt_p95_s_high: float
    frt_p99_s: float
    service_level: float
    service_level_low: float
    service_level_high: float
    utilization: float
    utilization_se: float
    load: float
    staffed_s: float
    handled_s: float
    overtime_s: float
    queue_mean: float
    backlog_start: int
    backlog_end: float
    backlog_end_p05: float
    backlog_end_p95: float
    met_share: float
    expired: float
    bot_closed: float
    redialled: float
    reopened: float
    repeated: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What came out. A column that ends in ``_se`` is the standard error over replications of the one before it.

    Attributes
    ----------
    by_interval : DataFrame
        One row per interval: ``start_s``; ``agents``; ``arrivals`` (tickets arriving, mean); of these tickets
        ``mean_wait_s``, ``p_wait``, ``p_abandon``, ``service_level``, ``frt_mean_s``, ``frt_p50_s``, ``frt_p90_s``,
        ``frt_p95_s`` (to 2 % of the wait), ``unanswered`` (mean number); of the interval's time ``queue_mean`` (time
        average waiting), ``queue_end`` (waiting just before its end) with quantiles over replications
        ``queue_end_p05``, ``queue_end_p50``, ``queue_end_p95``, ``busy_mean`` (tickets in hand, leavers' included),
        ``utilization`` (NaN with 0 agents), ``overtime_s``. ``_se`` follows each mean and share. NaN where no ticket
        came in any replication. The opening backlog is in the interval's time, not among its tickets.
    by_class : DataFrame
        One row per class, 0 the most urgent, the backlog included: ``class``, ``offered``, ``answered``,
        ``abandoned``, ``unanswered``, ``mean_wait_s``, ``p_wait``, ``p_abandon``, ``service_level``, ``frt_mean_s``,
        the last five with ``_se``.
    by_group : DataFrame
        One row per group of agents, one in all where none was named: ``group``, ``staffed_s``; agent seconds with a
        conversation in hand or more ``handled_s``, of these after the end of a shift ``overtime_s``; ``utilization``;
        ``in_hand_mean`` (conversations in hand, time average), ``taken`` (tickets, each as often as somebody took it).
        ``_se`` follows ``utilization`` and ``in_hand_mean``.
    summary : Summary
        All in one record.
    service_level_by_replication : array (replications,)
        NaN where nothing was decided or no target was given.
    """

    by_interval: pd.DataFrame
    by_class: pd.DataFrame
    by_group: pd.DataFrame
    summary: Summary
    service_level_by_replication: FloatArray
    case: Case

    def tickets(self, replication: int) -> pd.DataFrame:
        """Every ticket of one replication, by playing it again.

        Parameters
        ----------
        replication : int
            0 … replications − 1.

        Returns
        -------
        DataFrame
            The backlog first, then in the order of arrival, last what these brought about: ``arrival_s`` (before the
            first edge for the backlog),
            ``class``, ``wait_s`` (until taken, given up, or the end), ``start_s`` (NaN unless answered),
            ``service_s`` (what its handling takes or would have taken), ``end_s`` (handled or given up; NaN while
            unanswered; may lie after the last edge), ``outcome`` (answered, abandoned, unanswered), ``origin`` (first,
            redialled, reopened, repeated).

        Raises
        ------
        InputError
            No such replication.
        """
        last = self.summary.replications - 1
        if (
            isinstance(replication, bool)
            or not isinstance(replication, (int, np.integer))
            or not 0 <= replication <= last
        ):
            raise bad_value("replication", replication, f"a whole number from 0 to {last}")
        played = play_replication(self.case, int(replication))
        end = np.where(played.answered & np.isfinite(played.end_s), played.end_s, np.nan)
        end = np.where(played.abandoned, played.left_queue_s, end)
        outcome = np.where(played.answered, "answered", np.where(played.abandoned, "abandoned", "unanswered"))
        return pd.DataFrame(
            {
                "arrival_s": played.arrival_s,
                "class": played.kind,
                "wait_s": played.left_queue_s - played.arrival_s,
                "start_s": played.begin_s,
                "service_s": played.service_s,
                "end_s": end,
                "outcome": pd.Categorical(outcome, categories=["answered", "abandoned", "unanswered"]),
                "origin": pd.Categorical(
                    np.array(("first", *_BROUGHT))[played.origin], categories=["first", *_BROUGHT]
                ),
            }
        )


def collect(case: Case, chunks: Sequence[Chunk]) -> Outcome:
    """Put the chunks together, in the order of their replications."""
    intervals = np.concatenate([chunk.sums.by_interval for chunk in chunks])
    classes = np.concatenate([chunk.sums.by_class for chunk in chunks])
    coarse = np.concatenate([chunk.sums.coarse for chunk in chunks])
    waits_by_interval, waits = chunks[0].sums.waits_by_interval.astype(np.int64), chunks[0].sums.waits.copy()
    for chunk in chunks[1:]:
        waits_by_interval += chunk.sums.waits_by_interval
        waits += chunk.sums.waits
    met, work, staffed, brought, groups = (
        np.concatenate([getattr(chunk, name) for chunk in chunks])
        for name in ("met", "work_s", "staffed_s", "brought", "by_group")
    )
    split = len(TICKET_STATS)
    tickets = dict(zip(TICKET_STATS, np.moveaxis(intervals[:, :split], 1, 0), strict=True))
    times = dict(zip(TIME_STATS, np.moveaxis(intervals[:, split:], 1, 0), strict=True))
    # From here on arrays are (replications, intervals), (replications, classes) or (replications, 1).
    totals = {name: classes[:, k].sum(axis=1, keepdims=True) for k, name in enumerate(TICKET_STATS)}
    with np.errstate(divide="ignore", invalid="ignore"):
        level = (totals["hits"] / totals["decided"])[:, 0]
    if case.target is None:
        level = np.full(len(intervals), np.nan)
    return Outcome(
        by_interval=_by_interval(case, tickets, times, waits_by_interval, staffed),
        by_class=_by_class(case, classes),
        by_group=_by_group(case, groups),
        summary=_summary(case, totals, times, (waits, coarse), met, work, staffed, brought, _could(case, groups)),
        service_level_by_replication=level,
        case=case,
    )


Sums = dict[str, FloatArray]
Columns = dict[str, FloatArray | IntArray]


def _by_interval(case: Case, tickets: Sums, times: Sums, waits: IntArray, staffed: FloatArray) -> pd.DataFrame:
    width = np.diff(case.staffing.edges_s)
    columns: Columns = {"start_s": case.staffing.edges_s[:-1], "agents": case.staffing.agents}
    _put(columns, "arrivals", *_mean(tickets["offered"]))
    _put_shares(columns, case, tickets)
    quantiles = wait_quantiles(waits, np.array([0.5, 0.9, 0.95])) + case.first_reply_s
    columns |= dict(zip(("frt_p50_s", "frt_p90_s", "frt_p95_s"), quantiles.T, strict=True))
    columns["unanswered"] = tickets["unanswered"].mean(axis=0)
    _put(columns, "queue_mean", *_mean(times["queue_s"] / width))
    _put(columns, "queue_end", *_mean(times["queue_end"]))
    bands = np.quantile(times["queue_end"], [0.05, 0.5, 0.95], axis=0)
    columns |= dict(zip(("queue_end_p05", "queue_end_p50", "queue_end_p95"), bands, strict=True))
    _put(columns, "busy_mean", *_mean(times["busy_s"] / width))
    # Without staff all handling is overtime; the rest of the difference is rounding, and would give inf, not NaN.
    useful = np.where(staffed > 0, times["agents_busy_s"] - times["overtime_s"], 0.0)
    _put(columns, "utilization", *_ratio(useful, staffed))
    columns["overtime_s"] = times["overtime_s"].mean(axis=0)
    return pd.DataFrame(columns)


def _by_class(case: Case, classes: FloatArray) -> pd.DataFrame:
    sums = dict(zip(TICKET_STATS, np.moveaxis(classes, 1, 0), strict=True))
    columns: Columns = {"class": np.arange(len(case.shares))}
    for name in ("offered", "answered", "abandoned", "unanswered"):
        columns[name] = sums[name].mean(axis=0)
    _put_shares(columns, case, sums)
    return pd.DataFrame(columns)


def _by_group(case: Case, groups: FloatArray) -> pd.DataFrame:
    sums = dict(zip(GROUP_STATS, np.moveaxis(groups, 1, 0), strict=True))
    frame = pd.DataFrame({"group": [each.name for each in case.groups] or ["all"]})
    for name in ("staffed_s", "handled_s", "overtime_s"):
        frame[name] = sums[name].mean(axis=0)
    columns: Columns = {}
    useful = np.where(sums["staffed_s"] > 0, sums["handled_s"] - sums["overtime_s"], 0.0)
    _put(columns, "utilization", *_ratio(useful, sums["staffed_s"]))
    span = case.staffing.edges_s[-1] - case.staffing.edges_s[0]
    _put(columns, "in_hand_mean", *_mean(sums["in_hand_s"] / span))
    return frame.assign(**columns, taken=sums["taken"].mean(axis=0))


def _could(case: Case, groups: FloatArray) -> float:
    """Seconds of handling, as it would last alone, that the staff can do in one replication."""
    staffed = groups[:, GROUP_STATS.index("staffed_s")].mean(axis=0)
    return float(staffed @ (paces(case.groups) if case.groups else np.ones(1)))


def _summary(
    case: Case, totals: Sums, times: Sums, waits: tuple[IntArray, IntArray], met: FloatArray, work: FloatArray,
    staffed_s: FloatArray, brought: FloatArray, could_s: float,
) -> Summary:  # fmt: skip
    count = len(met)
    staffed = float(staffed_s.sum() / count)
    columns: Columns = {}
    _put_shares(columns, case, totals)
    one = {name: float(values[0]) for name, values in columns.items()}
    level, margin = one["service_level"], math.nan
    if count > 1:
        margin = float(stdtrit(count - 1, 0.975)) * one["service_level_se"]
    busy, overtime = times["agents_busy_s"].sum(axis=1), times["overtime_s"].sum(axis=1)
    useful, useful_se = _ratio((busy - overtime)[:, None], staffed_s.sum(axis=1, keepdims=True))
    p50, p90, p95, p99 = wait_quantiles(waits[0], _QUANTILES) + case.first_reply_s
    low, high = quantile_interval(*waits, 0.95)
    end = times["queue_end"][:, -1]
    known = met[~np.isnan(met)]
    return Summary(
        replications=count,
        **{name: float(totals[name].mean()) for name in ("offered", "answered", "abandoned", "unanswered")},
        mean_wait_s=one["mean_wait_s"],
        mean_wait_s_se=one["mean_wait_s_se"],
        p_wait=one["p_wait"],
        p_abandon=one["p_abandon"],
        frt_mean_s=one["frt_mean_s"],
        frt_mean_s_se=one["frt_mean_s_se"],
        frt_p50_s=float(p50),
        frt_p90_s=float(p90),
        frt_p95_s=float(p95),
        frt_p95_s_low=low + case.first_reply_s,
        frt_p95_s_high=high + case.first_reply_s,
        frt_p99_s=float(p99),
        service_level=level,
        service_level_low=max(0.0, level - margin) if margin == margin else math.nan,
        service_level_high=min(1.0, level + margin) if margin == margin else math.nan,
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
        expired=float(totals["expired"].mean()),
        bot_closed=float(brought[:, 0].mean()),
        **{name: float(brought[:, 2 + k].mean()) for k, name in enumerate(_BROUGHT)},
    )


def quantile_interval(
    waits: IntArray, by_replication: npt.NDArray[np.integer], quantile: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of a quantile of the waits pooled over all tickets; the replication is its unit.

    The share of tickets below the quantile is a ratio of sums over replications, with the error of such (Cochran 1977,
    equation 2.46); the waits at that share ∓ its error bound the quantile (R. S. Woodruff, "Confidence intervals for
    medians and other position measures", JASA 47(260), 1952, pp. 635–646, doi:10.1080/01621459.1952.10483443).

    Parameters
    ----------
    waits : array (fine bins,)
        All tickets.
    by_replication : array (replications, coarse bins)
        The same tickets.
    quantile, confidence : float
        In (0, 1).

    Returns
    -------
    low, high : float
        Seconds; NaN with one replication or no ticket.
    """
    count, total = len(by_replication), by_replication.sum(axis=1)
    if count < 2 or not total.any():
        return math.nan, math.nan
    upto = by_replication.cumsum(axis=1)
    # The coarse bins on either side of the quantile, and how far into the second it lies.
    pooled = upto.sum(axis=0)
    place = int(np.searchsorted(pooled, quantile * pooled[-1] * (1 - 1e-12)))
    before = upto[:, place - 1] if place else np.zeros(count)
    inside = (quantile * pooled[-1] - before.sum()) / max(pooled[place] - before.sum(), 1)
    below = before + np.clip(inside, 0.0, 1.0) * (upto[:, place] - before)
    _, error = (float(each[0]) for each in _ratio(below[:, None], total[:, None].astype(float)))
    reach = float(stdtrit(count - 1, 0.5 + confidence / 2)) * error
    ends = np.clip([quantile - reach, quantile + reach], 1e-12, 1.0)
    low, high = wait_quantiles(waits, ends)
    return float(low), float(high)


def _put(columns: Columns, name: str, value: FloatArray, error: FloatArray) -> None:
    columns[name] = value
    columns[f"{name}_se"] = error


def _put_shares(columns: Columns, case: Case, sums: Sums) -> None:
    """Add what is a ratio of two sums over tickets."""
    _put(columns, "mean_wait_s", *_ratio(sums["wait_s"], sums["offered"]))
    _put(columns, "p_wait", *_ratio(sums["waited"], sums["offered"]))
    _put(columns, "p_abandon", *_ratio(sums["abandoned"], sums["offered"]))
    decided = sums["decided"] if case.target is not None else np.zeros_like(sums["decided"])
    _put(columns, "service_level", *_ratio(sums["hits"], decided))
    _put(columns, "frt_mean_s", *_ratio(sums["frt_s"], sums["offered"] - sums["abandoned"]))


def _mean(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean over replications (axis 0) and its standard error; NaN with one replication."""
    count = len(values)
    error = values.std(axis=0, ddof=1) / math.sqrt(count) if count > 1 else np.full(values.shape[1:], np.nan)
    return values.mean(axis=0), error


def _ratio(over: FloatArray, under: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ratio of two sums, replications along axis 0, and its standard error by the delta method; NaN for 0 ÷ 0.

    References
    ----------
    .. [1] W. G. Cochran, "Sampling Techniques", 3rd ed., 1977, section 2.11, equation 2.46.
    """
    count = len(over)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = over.sum(axis=0) / under.sum(axis=0)
        rest = ((over - ratio * under) ** 2).sum(axis=0)
        error = np.sqrt(rest / (count * max(count - 1, 1))) / under.mean(axis=0)
    return ratio, error if count > 1 else np.full_like(ratio, np.nan)
