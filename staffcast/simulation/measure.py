"""Replications turned into sums, counts and histograms, so that memory does not grow with the tickets.

What is counted, for tickets by interval of arrival, by class and in all:

- *wait*: from arrival until an agent takes the ticket, the customer leaves, or the play ends. A ticket of the opening
  backlog arrived before the start, so its wait counts from then; it stands in the totals, not in an interval.
- *FRT*: wait + ``first_reply_s`` + ``first_reply_share`` of the handling of tickets answered, and of tickets unanswered
  at the end their time so far (a lower bound; ``unanswered`` says how many). The abandoned never get a first response
  and have no FRT.
- *service level*: tickets answered within the target's time ÷ tickets decided. An abandoned ticket is a miss however
  soon it left. One unanswered at the end is a miss if its time so far is over the limit; else it is left out.
- *expired*: tickets whose wait outlasted the window within which a business may reply freely, the abandoned left out.
- *queue*: who waits for an agent, and tickets that were interrupted and wait to be taken up again.

Where numba is missing the same is done by whole arrays; both ways give the same to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Target
from staffcast.simulation.checks import FloatArray, IntArray
from staffcast.simulation.compiled import COMPILED
from staffcast.simulation.floorplay import GROUP_STATS
from staffcast.simulation.goals import GOAL_STATS, goal_sums, reply_s
from staffcast.simulation.replication import Played, play_replication
from staffcast.simulation.sampling import Case
from staffcast.simulation.tally import (
    AGES_S,
    COARSE,
    FINE,
    FINE_PER_COARSE,
    TICKET_STATS,
    TIME_STATS,
    bin_edges,
    bins_of,
    tally,
)

__all__ = ["Chunk", "Sums", "Whole", "measure_chunk", "sum_by_arrays", "sum_in_one_pass", "wait_quantiles"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """What replications are added up into.

    Attributes
    ----------
    by_interval : array (replications, ticket stats + time stats, n)
    by_class : array (replications, ticket stats, classes)
    waits : array (fine bins,)
        Tickets with an FRT by their wait, all together.
    waits_by_interval : array (n, coarse bins)
        The same by interval of arrival.
    coarse : array (replications, coarse bins)
        The same by replication.
    """

    by_interval: FloatArray
    by_class: FloatArray
    waits: IntArray
    waits_by_interval: IntArray | npt.NDArray[np.int32]
    coarse: npt.NDArray[np.int32]

    @classmethod
    def empty(cls, runs: int, n: int, classes: int) -> Sums:
        """Nothing yet."""
        return cls(
            by_interval=np.zeros((runs, len(TICKET_STATS) + len(TIME_STATS), n)),
            by_class=np.zeros((runs, len(TICKET_STATS), classes)),
            waits=np.zeros(FINE + 1, dtype=np.int64),
            waits_by_interval=np.zeros((n, COARSE + 1), dtype=np.int32),
            coarse=np.zeros((runs, COARSE + 1), dtype=np.int32),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """Some replications.

    Attributes
    ----------
    sums : Sums
    work_s : array (replications,)
        Handle time that all tickets bring, the backlog included.
    staffed_s : array (replications, n)
        Agent seconds there, after absence.
    met : array (replications,)
        1 if the target was met over all tickets, 0 if not, NaN if there was nothing to judge.
    by_group : array (replications, group stats, groups)
        Sums over the span, of :data:`staffcast.simulation.floorplay.GROUP_STATS`.
    brought : array (replications, 5)
        Conversations closed by the bot; tickets from outside, called again, reopened, repeated.
    goals : array (replications, goal stats, classes)
        Of classes with a target of their own, :data:`staffcast.simulation.goals.GOAL_STATS`; NaN else.
    """

    sums: Sums
    work_s: FloatArray
    staffed_s: FloatArray
    met: FloatArray
    brought: FloatArray
    by_group: FloatArray
    goals: FloatArray


class Whole:
    """Room for the chunks of all replications; each is put in once it is there, and need not be kept itself."""

    def __init__(self) -> None:
        self._chunk: Chunk | None = None

    @property
    def chunk(self) -> Chunk:
        """All of them as one."""
        assert self._chunk is not None  # asked for only after something was put in
        return self._chunk

    def grow(self, runs: int, like: Chunk) -> None:
        """Make room for so many replications in all."""
        before = self._chunk

        def longer(values: npt.NDArray[Any], old: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
            out = np.zeros((runs, *values.shape[1:]), values.dtype)
            if old is not None:
                out[: len(old)] = old
            return out

        def all_of(new: Any, old: Any, names: tuple[str, ...]) -> dict[str, Any]:
            return {name: longer(getattr(new, name), None if old is None else getattr(old, name)) for name in names}

        sums = None if before is None else before.sums
        added = {name: np.zeros_like(getattr(like.sums, name), np.int64) for name in _ADDED} if sums is None else {
            name: getattr(sums, name) for name in _ADDED
        }  # fmt: skip
        self._chunk = Chunk(
            sums=Sums(**all_of(like.sums, sums, _BY_RUN_SUMS), **added), **all_of(like, before, _BY_RUN)
        )

    def put(self, runs: int, at: range, chunk: Chunk) -> None:
        """Put one in where its replications belong, of so many in all."""
        if self._chunk is None or len(self._chunk.met) < runs:
            self.grow(runs, chunk)
        place = slice(at.start, at.stop)
        for name in _BY_RUN:
            getattr(self.chunk, name)[place] = getattr(chunk, name)
        for name in _BY_RUN_SUMS:
            getattr(self.chunk.sums, name)[place] = getattr(chunk.sums, name)
        for name in _ADDED:
            total = getattr(self.chunk.sums, name)
            total += getattr(chunk.sums, name)


_BY_RUN = ("work_s", "staffed_s", "met", "brought", "by_group", "goals")
_BY_RUN_SUMS = ("by_interval", "by_class", "coarse")
_ADDED = ("waits", "waits_by_interval")


def measure_chunk(case: Case, replications: range, play: Callable[[Case, int], Played] = play_replication) -> Chunk:
    """Play and measure some replications."""
    edges, runs = case.staffing.edges_s, len(replications)
    n = len(edges) - 1
    sums = Sums.empty(runs, n, len(case.shares))
    work, met, brought = np.zeros(runs), np.full(runs, np.nan), np.zeros((runs, 5))
    staffed, by_group = np.zeros((runs, n)), np.zeros((runs, len(GROUP_STATS), max(len(case.groups), 1)))
    goals = np.full((runs, len(GOAL_STATS), len(case.shares)), np.nan)
    # The loop knows one time to the first reply for all.
    add = sum_in_one_pass if COMPILED and not case.first_reply_share else sum_by_arrays
    for run, replication in enumerate(replications):
        played = play(case, replication)
        add(case, played, sums, run)
        work[run] = played.service_s.sum()
        staffed[run] = played.agents * np.diff(edges)
        by_group[run] = _group_sums(played, sums.by_interval[run], staffed[run])
        brought[run] = played.bot_closed, *np.bincount(played.origin, minlength=4)
        if case.target is not None:
            met[run] = _met(case.target, case, played, sums.by_class[run].sum(axis=1))
        if case.class_targets:
            goals[run] = goal_sums(case, played)
    return Chunk(sums=sums, work_s=work, staffed_s=staffed, met=met, brought=brought, by_group=by_group, goals=goals)


def sum_in_one_pass(case: Case, played: Played, sums: Sums, run: int) -> None:
    """Add a replication to ``sums``; one loop over the tickets, to be compiled."""
    edges = case.staffing.edges_s.copy()  # as in replication: one type, whether it came from another process or not
    n, stats = len(edges) - 1, len(TICKET_STATS)
    # One row per interval while counting: what a ticket adds then lies side by side.
    cells, seconds, waits = np.zeros((len(case.shares), n + 1, stats)), np.zeros((3, n)), np.zeros(FINE + 1, np.int64)
    standing, ages = np.zeros(n), np.zeros((1 + len(AGES_S), n))
    tally(
        played.backlog, played.arrival_s, played.begin_s, played.end_s, played.leave_s, played.kind, edges,
        _limit(case), case.window_s, case.first_reply_s, (played.break_from_s, played.break_to_s),
        (played.overtime_from_s, played.overtime_to_s), cells, seconds, standing, ages, waits,
        sums.waits_by_interval, np.zeros((3, n + 1)), np.zeros((len(cells), n), np.int64),
    )  # fmt: skip
    sums.waits[:] += waits
    sums.coarse[run, 0] += waits[0]
    sums.coarse[run, 1:] += waits[1:].reshape(COARSE, FINE_PER_COARSE).sum(axis=1, dtype=np.int32)
    sums.by_interval[run] += np.concatenate(
        (
            cells[:, :n].sum(axis=0).T, seconds[:1], standing[None], seconds[1:],
            _agents_busy(played, seconds[1])[None], ages,
        )
    )  # fmt: skip
    sums.by_class[run] += cells.sum(axis=1).T


def sum_by_arrays(case: Case, played: Played, sums: Sums, run: int) -> None:
    """Add a replication to ``sums``; by whole arrays."""
    edges = case.staffing.edges_s
    n, classes, stats = len(edges) - 1, len(case.shares), len(TICKET_STATS)
    wait = played.left_queue_s - played.arrival_s
    inside = slice(played.backlog, None)
    interval = np.searchsorted(edges, played.arrival_s[inside], side="right") - 1
    reply = reply_s(case, played) - case.first_reply_s
    for k, values in enumerate(_ticket_stats(case, played, wait, reply)):
        sums.by_interval[run, k] += np.bincount(interval, values[inside], minlength=n)
        sums.by_class[run, k] += np.bincount(played.kind, values, minlength=classes)
    sums.by_interval[run, stats:] += np.concatenate((_time_stats(played, wait, edges), _ages(played, edges)))
    bins, replied = bins_of(wait + reply), ~played.abandoned
    coarse = (bins + FINE_PER_COARSE - 1) // FINE_PER_COARSE
    sums.waits[:] += np.bincount(bins[replied], minlength=FINE + 1)
    sums.coarse[run] += np.bincount(coarse[replied], minlength=COARSE + 1).astype(np.int32)
    np.add.at(sums.waits_by_interval, (interval[replied[inside]], coarse[inside][replied[inside]]), 1)


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
    edges = bin_edges(counts.shape[-1] == FINE + 1)
    flat = counts.reshape(-1, counts.shape[-1])
    out = np.full((len(flat), len(quantiles)), np.nan)
    for row, count in enumerate(flat):
        total = count.cumsum(dtype=np.int64)
        if total[-1] == 0:
            continue
        rank = quantiles * total[-1]
        place = np.searchsorted(total, rank - 1e-9 * total[-1])
        inside = (rank - (total - count)[place]) / count[place]
        low = edges[place - 1]
        out[row] = np.where(place == 0, 0.0, low + inside * (edges[place] - low))
    return out.reshape(*counts.shape[:-1], len(quantiles))


def _limit(case: Case) -> float:
    return math.nan if case.target is None else case.target.seconds - case.first_reply_s


def _ticket_stats(case: Case, played: Played, wait: FloatArray, reply: FloatArray) -> list[FloatArray]:
    limit = _limit(case)
    unanswered = ~played.answered & ~played.abandoned
    replied = (~played.abandoned).astype(np.float64)
    flags = {
        "offered": np.ones(len(wait)),
        "wait_s": wait,
        "waited": wait > 0,
        "answered": played.answered,
        "abandoned": played.abandoned,
        "unanswered": unanswered,
        "hits": played.answered & (wait + reply <= limit),
        "decided": ~unanswered | (wait > limit),
        "frt_s": replied * (wait + reply + case.first_reply_s),
        "expired": (wait > case.window_s) & ~played.abandoned,
    }
    return [np.asarray(flags[name], dtype=np.float64) for name in TICKET_STATS]


def _time_stats(played: Played, wait: FloatArray, edges: FloatArray) -> FloatArray:
    begin, end = played.begin_s[played.answered], played.end_s[played.answered]
    # Only those who wait: an empty queue is then exactly 0, not a difference of two large sums.
    come = np.sort(np.concatenate((played.arrival_s[wait > 0], played.break_from_s)))
    gone = np.sort(np.concatenate((played.left_queue_s[wait > 0], played.break_to_s)))
    # The queue just before each edge; a ticket taken at the edge itself still stood in it.
    queue_end = np.searchsorted(come, edges[1:]) - np.searchsorted(gone, edges[1:])
    breaks = _area(played.break_from_s, edges) - _area(played.break_to_s, edges)
    busy = np.maximum(_area(begin, edges) - _area(end, edges) - breaks, 0.0)
    return np.stack(
        (
            np.maximum(_area(come, edges) - _area(gone, edges), 0.0),
            queue_end.astype(np.float64),
            busy,
            np.maximum(_area(played.overtime_from_s, edges) - _area(played.overtime_to_s, edges), 0.0),
            _agents_busy(played, busy),
        )
    )


def _ages(played: Played, edges: FloatArray) -> FloatArray:
    """Age of the oldest who waits just before each edge, and how many are older than each age."""
    n = len(edges) - 1
    first = np.searchsorted(edges[1:], played.arrival_s, side="right")
    last = np.searchsorted(edges[1:], played.left_queue_s, side="right")
    crosses = last > first
    come, first, last = played.arrival_s[crosses], first[crosses], last[crosses]
    length = last - first
    edge = np.repeat(first, length) + np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    out = np.zeros((1 + len(AGES_S), n))
    np.maximum.at(out[0], edge, edges[edge + 1] - np.repeat(come, length))
    for band, age in enumerate(AGES_S, start=1):
        since = np.searchsorted(edges[1:], come + age, side="right")
        there = last > since
        steps = np.bincount(since[there], minlength=n + 1) - np.bincount(last[there], minlength=n + 1)
        out[band] = np.cumsum(steps)[:n]
    return out


def _agents_busy(played: Played, busy: FloatArray) -> FloatArray:
    """Seconds of agents with anything in hand, where ``busy`` are those of conversations."""
    if played.by_group is None:
        return busy
    return np.asarray(played.by_group[GROUP_STATS.index("handled_s")].sum(axis=0))


def _group_sums(played: Played, sums: FloatArray, staffed: FloatArray) -> FloatArray:
    """(group stats, groups): of one pool of agents with one ticket each as of one group."""
    if played.by_group is not None:
        return np.asarray(played.by_group.sum(axis=2))
    names, total = (*TICKET_STATS, *TIME_STATS), sums.sum(axis=1)
    busy, overtime = (total[names.index(name)] for name in ("busy_s", "overtime_s"))
    taken = np.count_nonzero(played.answered) + len(played.break_to_s)
    return np.array([[staffed.sum()], [busy], [busy], [overtime], [taken]])


def _area(times: FloatArray, edges: FloatArray) -> FloatArray:
    """Integral over each interval of the number of ``times`` that have passed."""
    n = len(edges) - 1
    place = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, n)
    inside = place < n
    place, times = place[inside], np.maximum(times[inside], edges[0])
    count = np.bincount(place, minlength=n)
    part = np.bincount(place, edges[place + 1] - times, minlength=n)
    return part + (np.cumsum(count) - count) * np.diff(edges)


def _met(target: Target, case: Case, played: Played, sums: FloatArray) -> float:
    hits, decided = sums[TICKET_STATS.index("hits")], sums[TICKET_STATS.index("decided")]
    if target.kind == "share":
        return float(hits >= target.level * decided - 1e-9) if decided else math.nan
    replied = sums[TICKET_STATS.index("offered")] - sums[TICKET_STATS.index("abandoned")]
    if not replied:
        return math.nan
    if target.kind == "mean":
        return float(sums[TICKET_STATS.index("frt_s")] <= target.seconds * replied)
    frt = (played.left_queue_s - played.arrival_s + reply_s(case, played))[~played.abandoned]
    return float(np.count_nonzero(frt <= target.seconds) >= target.level * len(frt) - 1e-9)
