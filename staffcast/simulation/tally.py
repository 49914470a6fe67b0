"""The sums, counts and histograms of one replication in one pass: compiled."""

from __future__ import annotations

import math
from typing import Any

from staffcast.simulation.compiled import compiled

__all__ = ["COARSE", "FINE", "FINE_PER_COARSE", "LOG_FINE", "LOWEST_S", "TICKET_STATS", "TIME_STATS", "tally"]

TICKET_STATS = (
    "offered", "wait_s", "waited", "answered", "abandoned", "unanswered", "hits", "decided", "frt_s", "expired"
)  # fmt: skip
TIME_STATS = ("queue_s", "queue_end", "busy_s", "overtime_s", "agents_busy_s")

# Waits are counted in bins of constant ratio: a quantile read from them is off by at most one bin, 0.1 % of the wait
# for all tickets and 2 % within an interval. Bin 0 is "did not wait"; the grid ends after 3 years.
LOWEST_S = 0.01
LOG_FINE = 0.001
FINE_PER_COARSE = 20
FINE = math.ceil(math.log(1e8 / LOWEST_S) / LOG_FINE / FINE_PER_COARSE) * FINE_PER_COARSE
COARSE = FINE // FINE_PER_COARSE


_NEAR = 3  # so many intervals are walked; further ones are jumped to


@compiled
def place_of(time: float, edges: Any, near: int) -> int:
    """The interval in which an instant lies, looked for near one; −1 before the first, n from the last edge on."""
    n = len(edges) - 1
    if time < edges[0]:
        return -1
    if time >= edges[n]:
        return n
    place = min(max(near, 0), n - 1)
    if not edges[max(place - _NEAR, 0)] <= time < edges[min(place + _NEAR, n)]:
        # Where it would be if all were of one length, mended step by step.
        place = min(int((time - edges[0]) / (edges[n] - edges[0]) * n), n - 1)
    while edges[place] > time:
        place -= 1
    while edges[place + 1] <= time:
        place += 1
    return place


@compiled
def _span(begin: float, first: int, end: float, last: int, edges: Any, seconds: Any, whole: Any, row: int) -> None:
    """Add the time from begin to end to the intervals that it touches; those it covers are counted in ``whole``."""
    n = len(edges) - 1
    if first < 0:
        first, begin = 0, edges[0]
    if last < 0 or first >= n:
        return
    if first == last:
        seconds[row, first] += end - begin
        return
    seconds[row, first] += edges[first + 1] - begin
    if last < n:
        seconds[row, last] += end - edges[last]
    whole[row, first + 1] += 1
    whole[row, last] -= 1


@compiled
def _count(
    into: Any, where: int, wait: float, answered: bool, abandoned: bool, limit: float, frt: float, expired: bool
) -> None:
    row = into[where]
    row[0] += 1
    row[1] += wait
    row[2] += wait > 0
    row[3] += answered
    row[4] += abandoned
    row[5] += not (answered or abandoned)
    row[6] += answered and wait <= limit
    row[7] += answered or abandoned or wait > limit
    row[8] += frt
    row[9] += expired


@compiled
def tally(
    backlog: int,
    arrival: Any,
    left: Any,
    end: Any,
    answered: Any,
    abandoned: Any,
    kind: Any,
    edges: Any,
    limit: float,
    window_s: float,
    first_reply_s: float,
    breaks: Any,
    overtime: Any,
    by_interval: Any,
    by_class: Any,
    seconds: Any,
    standing: Any,
    waits: Any,
    waits_by_interval: Any,
    coarse: Any,
    whole: Any,
) -> None:
    """Add one replication up.

    Parameters
    ----------
    backlog : int
        The first so many tickets stand in no interval.
    arrival, left, end, answered, abandoned, kind : (tickets,)
        As :class:`staffcast.simulation.replication.Played` has them.
    edges : (n + 1,)
    limit, window_s, first_reply_s : float
        Longest wait that is in time (NaN without a target), longest before a window expires. [s]
    breaks, overtime : pairs of (spells,)
        From and to.
    by_interval : (n, ticket stats), by_class : (classes, ticket stats)
    seconds : (3, n)
        Of waiting, of handling, of overtime.
    standing : (n,)
        0; filled in: who waits just before the end of each interval.
    waits : (fine bins + 1,), waits_by_interval : (n, coarse bins + 1), coarse : (coarse bins + 1,)
    whole : (3, n + 1)
        0; room.
    """
    n = len(edges) - 1
    close, place = edges[n], 0
    for i in range(len(arrival)):
        came, gone, served, lost = arrival[i], left[i], answered[i], abandoned[i]
        wait = gone - came
        frt = 0.0 if lost else wait + first_reply_s
        expired = wait > window_s and not lost
        _count(by_class, kind[i], wait, served, lost, limit, frt, expired)
        place = place_of(came, edges, place)
        if i >= backlog:
            _count(by_interval, place, wait, served, lost, limit, frt, expired)
        fine, last = 0, place
        if wait > 0:
            last = place_of(gone, edges, place)
            _span(came, place, gone, last, edges, seconds, whole, 0)
            if last > max(place, 0):
                standing[max(place, 0)] += 1
                if last < n:
                    standing[last] -= 1
            fine = min(max(math.floor(math.log(wait / LOWEST_S) / LOG_FINE), 0), FINE - 1) + 1
        if not lost:
            waits[fine] += 1
            rough = (fine + FINE_PER_COARSE - 1) // FINE_PER_COARSE
            coarse[rough] += 1
            if i >= backlog:
                waits_by_interval[place, rough] += 1
        if served:
            done = min(end[i], close)
            _span(gone, last, done, place_of(done, edges, last), edges, seconds, whole, 1)
    _apart(breaks, edges, seconds, whole, 1, -1.0)
    _apart(breaks, edges, seconds, whole, 0, 1.0)
    _apart(overtime, edges, seconds, whole, 2, 1.0)
    for side in range(2):
        for k in range(len(breaks[side])):
            at = place_of(breaks[side][k], edges, 0)
            if at < n:
                standing[max(at, 0)] += 1 if side == 0 else -1
    queue = 0.0
    for row in range(3):
        full = 0.0
        for k in range(n):
            full += whole[row, k]
            seconds[row, k] = max(seconds[row, k] + full * (edges[k + 1] - edges[k]), 0.0)
    for k in range(n):
        queue += standing[k]
        standing[k] = queue


@compiled
def _apart(spells: Any, edges: Any, seconds: Any, whole: Any, row: int, sign: float) -> None:
    """Spells whose ends do not stand beside their beginnings."""
    n, place = len(edges) - 1, 0
    for side in range(2):
        turn = sign if side == 0 else -sign
        for k in range(len(spells[side])):
            time = spells[side][k]
            place = place_of(time, edges, place)
            if place >= n:
                continue
            if place < 0:
                place, time = 0, edges[0]
            seconds[row, place] += turn * (edges[place + 1] - time)
            whole[row, place + 1] += turn
