"""One replication turned into sums, counts and histograms, so that memory does not grow with the tickets.

What is counted, for tickets by interval of arrival, by class and in all:

- *wait*: from arrival until an agent takes the ticket, the customer leaves, or the play ends. A ticket of the opening
  backlog arrived before the start, so its wait counts from then; it stands in the totals, not in an interval.
- *FRT*: wait + ``first_reply_s`` of tickets answered, and of tickets unanswered at the end their time so far (a lower
  bound; ``unanswered`` says how many). The abandoned never get a first response and have no FRT.
- *service level*: tickets answered within the target's time ÷ tickets decided. An abandoned ticket is a miss however
  soon it left. One unanswered at the end is a miss if its time so far is over the limit; else it is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Target
from staffcast.simulation.inputs import FloatArray, IntArray
from staffcast.simulation.kernel import play
from staffcast.simulation.sampling import Case, Purpose, Sample, draw, stream

__all__ = ["TICKET_STATS", "TIME_STATS", "Chunk", "Played", "measure_chunk", "play_replication", "wait_quantiles"]

TICKET_STATS = ("offered", "wait_s", "waited", "answered", "abandoned", "unanswered", "hits", "decided", "frt_s")
TIME_STATS = ("queue_s", "queue_end", "busy_s", "overtime_s")

# Waits are counted in bins of constant ratio: a quantile read from them is off by at most one bin, 0.1 % of the wait
# for all tickets and 2 % within an interval. Bin 0 is "did not wait"; the grid ends after 3 years.
_LOWEST_S = 0.01
_LOG_FINE = 0.001
_FINE_PER_COARSE = 20
_FINE = math.ceil(math.log(1e8 / _LOWEST_S) / _LOG_FINE / _FINE_PER_COARSE) * _FINE_PER_COARSE
_COARSE = _FINE // _FINE_PER_COARSE


@dataclass(frozen=True, kw_only=True, eq=False)
class Played:
    """Tickets of one replication with what became of them; arrays (tickets,) in seconds, the backlog first."""

    sample: Sample
    begin_s: FloatArray  # NaN: never taken
    left_queue_s: FloatArray  # taken, gave up, or the end
    answered: npt.NDArray[np.bool_]
    abandoned: npt.NDArray[np.bool_]
    overtime_from_s: FloatArray
    overtime_to_s: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """Some replications, summed within each.

    Attributes
    ----------
    by_interval : array (replications, ticket stats + time stats, n)
    by_class : array (replications, ticket stats, classes)
    work_s : array (replications,)
        Handle time that all tickets bring, the backlog included.
    met : array (replications,)
        1 if the target was met over all tickets, 0 if not, NaN if there was nothing to judge.
    waits : array (fine bins,)
        Tickets with an FRT by their wait, all together.
    waits_by_interval : array (n, coarse bins)
        The same by interval of arrival.
    """

    by_interval: FloatArray
    by_class: FloatArray
    work_s: FloatArray
    met: FloatArray
    waits: IntArray
    waits_by_interval: npt.NDArray[np.int32]


def play_replication(case: Case, replication: int) -> Played:
    """Draw the tickets of one replication and play them."""
    sample = draw(case, replication)
    edges = case.staffing.edges_s
    leavers: list[np.random.Generator] = []

    def pick(n: int, k: int) -> list[int]:
        if not leavers:  # most replications need none
            leavers.append(stream(case, replication, Purpose.LEAVERS))
        chosen: list[int] = leavers[0].permutation(n)[:k].tolist()
        return chosen

    begin, overtime_from, overtime_to = play(
        sample.arrival_s.tolist(),
        sample.service_s.tolist(),
        None if sample.leave_s is None else sample.leave_s.tolist(),
        sample.priority.tolist(),
        edges.tolist(),
        case.staffing.agents.tolist(),
        case.on_staff_drop,
        pick,
    )
    begin_s = np.array(begin, dtype=np.float64)
    answered = ~np.isnan(begin_s)
    left = np.where(answered, begin_s, edges[-1])
    abandoned = np.zeros(len(begin_s), dtype=np.bool_)
    if sample.leave_s is not None:
        abandoned = ~answered & (sample.leave_s < edges[-1])
        left = np.where(abandoned, sample.leave_s, left)
    return Played(
        sample=sample,
        begin_s=begin_s,
        left_queue_s=left,
        answered=answered,
        abandoned=abandoned,
        overtime_from_s=np.array(overtime_from, dtype=np.float64),
        overtime_to_s=np.array(overtime_to, dtype=np.float64),
    )


def measure_chunk(case: Case, replications: range) -> Chunk:
    """Play and measure some replications."""
    edges, classes = case.staffing.edges_s, len(case.shares)
    n, runs = len(edges) - 1, len(replications)
    by_interval = np.zeros((runs, len(TICKET_STATS) + len(TIME_STATS), n))
    by_class = np.zeros((runs, len(TICKET_STATS), classes))
    work, met = np.zeros(runs), np.full(runs, np.nan)
    waits = np.zeros(_FINE + 1, dtype=np.int64)
    waits_by_interval = np.zeros(n * (_COARSE + 1), dtype=np.int32)
    for run, replication in enumerate(replications):
        played = play_replication(case, replication)
        sample = played.sample
        wait = played.left_queue_s - sample.arrival_s
        stats = _ticket_stats(case, played, wait)
        # The tickets are in the order of arrival, so those of an interval stand side by side.
        bounds = np.searchsorted(sample.arrival_s[sample.backlog :], edges)
        interval = np.repeat(np.arange(n), np.diff(bounds))
        for k, values in enumerate(stats):
            by_interval[run, k] = np.bincount(interval, values[sample.backlog :], minlength=n)
            by_class[run, k] = np.bincount(sample.priority, values, minlength=classes)
        by_interval[run, len(TICKET_STATS) :] = _time_stats(played, wait, edges)
        work[run] = sample.service_s.sum()
        replied = ~played.abandoned
        if case.target is not None:
            met[run] = _met(case.target, wait[replied] + case.first_reply_s, by_class[run].sum(axis=1))
        bins = _bins(wait)
        np.add.at(waits, bins[replied], 1)
        coarse = (bins + _FINE_PER_COARSE - 1) // _FINE_PER_COARSE
        cells = interval * (_COARSE + 1) + coarse[sample.backlog :]
        np.add.at(waits_by_interval, cells[replied[sample.backlog :]], 1)
    return Chunk(
        by_interval=by_interval,
        by_class=by_class,
        work_s=work,
        met=met,
        waits=waits,
        waits_by_interval=waits_by_interval.reshape(n, _COARSE + 1),
    )


def wait_quantiles(counts: npt.NDArray[np.integer], quantiles: FloatArray) -> FloatArray:
    """Quantiles of binned waits in seconds; NaN where nothing was counted.

    Parameters
    ----------
    counts : array (..., bins)
        Fine or coarse.
    quantiles : array (q,)
        In (0, 1].

    Returns
    -------
    array (..., q)
        The smallest wait that at least this share of the tickets does not exceed, to one bin.
    """
    ratio = _LOG_FINE * (1 if counts.shape[-1] == _FINE + 1 else _FINE_PER_COARSE)
    flat = counts.reshape(-1, counts.shape[-1])
    out = np.full((len(flat), len(quantiles)), np.nan)
    for row, count in enumerate(flat):
        total = count.cumsum(dtype=np.int64)
        if total[-1] == 0:
            continue
        rank = quantiles * total[-1]
        place = np.searchsorted(total, rank - 1e-9 * total[-1])
        inside = (rank - (total - count)[place]) / count[place]
        out[row] = np.where(place == 0, 0.0, _LOWEST_S * np.exp((place - 1 + inside) * ratio))
    return out.reshape(*counts.shape[:-1], len(quantiles))


def _bins(wait: FloatArray) -> IntArray:
    with np.errstate(divide="ignore"):
        place = np.floor(np.log(wait / _LOWEST_S) / _LOG_FINE)
    inside = np.clip(place, 0, _FINE - 1).astype(np.int64) + 1
    return np.where(wait > 0, inside, 0)


def _ticket_stats(case: Case, played: Played, wait: FloatArray) -> list[FloatArray]:
    limit = math.nan if case.target is None else case.target.seconds - case.first_reply_s
    unanswered = ~played.answered & ~played.abandoned
    over = wait > limit
    replied = (~played.abandoned).astype(np.float64)
    flags = {
        "offered": np.ones(len(wait)),
        "wait_s": wait,
        "waited": wait > 0,
        "answered": played.answered,
        "abandoned": played.abandoned,
        "unanswered": unanswered,
        "hits": played.answered & (wait <= limit),
        "decided": ~unanswered | over,
        "frt_s": replied * (wait + case.first_reply_s),
    }
    return [np.asarray(flags[name], dtype=np.float64) for name in TICKET_STATS]


def _time_stats(played: Played, wait: FloatArray, edges: FloatArray) -> FloatArray:
    begin = played.begin_s[played.answered]
    end = begin + played.sample.service_s[played.answered]
    # Only those who wait: an empty queue is then exactly 0, not a difference of two large sums.
    come, gone = played.sample.arrival_s[wait > 0], np.sort(played.left_queue_s[wait > 0])
    # The queue just before each edge; a ticket taken at the edge itself still stood in it.
    queue_end = np.searchsorted(come, edges[1:]) - np.searchsorted(gone, edges[1:])
    return np.stack(
        (
            np.maximum(_area(come, edges) - _area(gone, edges), 0.0),
            queue_end.astype(np.float64),
            np.maximum(_area(begin, edges) - _area(end, edges), 0.0),
            np.maximum(_area(played.overtime_from_s, edges) - _area(played.overtime_to_s, edges), 0.0),
        )
    )


def _area(times: FloatArray, edges: FloatArray) -> FloatArray:
    """Integral over each interval of the number of ``times`` that have passed."""
    n = len(edges) - 1
    place = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, n)
    inside = place < n
    place, times = place[inside], np.maximum(times[inside], edges[0])
    count = np.bincount(place, minlength=n)
    part = np.bincount(place, edges[place + 1] - times, minlength=n)
    return part + (np.cumsum(count) - count) * np.diff(edges)


def _met(target: Target, frt: FloatArray, sums: FloatArray) -> float:
    hits, decided = sums[TICKET_STATS.index("hits")], sums[TICKET_STATS.index("decided")]
    if target.kind == "share":
        return float(hits >= target.level * decided - 1e-9) if decided else math.nan
    if len(frt) == 0:
        return math.nan
    if target.kind == "mean":
        return float(frt.mean() <= target.seconds)
    return float(np.count_nonzero(frt <= target.seconds) >= target.level * len(frt) - 1e-9)
