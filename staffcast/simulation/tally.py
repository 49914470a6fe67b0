"""The sums, counts and histograms of one replication in one pass: compiled."""

from __future__ import annotations

import math
from typing import Any

from staffcast.simulation.compiled import compiled, uncounted

__all__ = ["AGES_S", "COARSE", "FINE", "FINE_PER_COARSE", "LOG_FINE", "LOWEST_S", "TICKET_STATS", "TIME_STATS", "tally"]

TICKET_STATS = (
    "offered", "wait_s", "waited", "answered", "abandoned", "unanswered", "hits", "decided", "frt_s", "expired"
)  # fmt: skip
TIME_STATS = (
    "queue_s", "queue_end", "busy_s", "overtime_s", "agents_busy_s", "oldest_s", "over_1h", "over_4h", "over_24h"
)  # fmt: skip
# Ages above which those who wait are counted apart.
AGES_S = (3_600.0, 14_400.0, 86_400.0)

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
    into[where, 0] += 1
    into[where, 1] += wait
    into[where, 2] += wait > 0
    into[where, 3] += answered
    into[where, 4] += abandoned
    into[where, 5] += not (answered or abandoned)
    into[where, 6] += answered and wait <= limit
    into[where, 7] += answered or abandoned or wait > limit
    into[where, 8] += frt
    into[where, 9] += expired


@compiled
def _at_once(into: Any, where: int, found: int, limit: float, first_reply_s: float) -> None:
    """Add so many tickets that did not wait."""
    into[where, 0] += found
    into[where, 3] += found
    if limit >= 0:
        into[where, 6] += found
    into[where, 7] += found
    into[where, 8] += found * first_reply_s


@compiled
def tally(
    backlog: int,
    arrival: Any,
    begin: Any,
    end: Any,
    leave: Any,
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
    ages: Any,
    waits: Any,
    waits_by_interval: Any,
    coarse: Any,
    whole: Any,
    at_once: Any,
) -> None:
    """Add one replication up.

    Parameters
    ----------
    backlog : int
        The first so many tickets stand in no interval.
    arrival, begin, end, leave, kind : (tickets,)
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
    ages : (1 + ages, n)
        0; filled in: the oldest of them, and how many are older than each of ``AGES_S``.
    waits : (fine bins + 1,), waits_by_interval : (n, coarse bins + 1), coarse : (coarse bins + 1,)
    whole : (3, n + 1), at_once : (classes, n)
        0; room.
    """
    arrival, begin, end, leave = uncounted(arrival), uncounted(begin), uncounted(end), uncounted(leave)
    kind, edges, by_interval, by_class = uncounted(kind), uncounted(edges), uncounted(by_interval), uncounted(by_class)
    seconds, standing, ages, whole = uncounted(seconds), uncounted(standing), uncounted(ages), uncounted(whole)
    waits, waits_by_interval = uncounted(waits), uncounted(waits_by_interval)
    coarse, at_once = uncounted(coarse), uncounted(at_once)
    n = len(edges) - 1
    close, place = edges[n], 0
    for i in range(len(arrival)):
        came, line, taken = arrival[i], kind[i], begin[i]
        place = place_of(came, edges, place)
        if taken == came and i >= backlog:
            # Most tickets find an agent free: of those only the number matters, and it is added up below.
            at_once[line, place] += 1
            last, gone, served, lost = place, came, True, False
        else:
            served = taken == taken
            lost = not served and leave[i] < close
            gone = taken if served else close
            if lost:
                gone = end[i] if leave[i] == -math.inf else leave[i]
            wait = gone - came
            frt = 0.0 if lost else wait + first_reply_s
            expired = wait > window_s and not lost
            _count(by_class, line, wait, served, lost, limit, frt, expired)
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
                    for k in range(max(place, 0), last):
                        age = edges[k + 1] - came
                        ages[0, k] = max(ages[0, k], age)
                        for band in range(len(AGES_S)):
                            ages[band + 1, k] += age > AGES_S[band]
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
    for line in range(len(at_once)):
        for k in range(n):
            found = at_once[line, k]
            _at_once(by_class, line, found, limit, first_reply_s)
            _at_once(by_interval, k, found, limit, first_reply_s)
            waits[0] += found
            coarse[0] += found
            waits_by_interval[k, 0] += found
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
