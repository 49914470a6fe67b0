"""The sums, counts and histograms of one replication in one pass: compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from staffcast.simulation.compiled import compiled, inlined, kept, uncounted

__all__ = ["AGES_S", "COARSE", "FINE", "FINE_PER_COARSE", "TICKET_STATS", "TIME_STATS", "bin_edges", "bins_of", "tally"]

TICKET_STATS = (
    "offered", "wait_s", "waited", "answered", "abandoned", "unanswered", "hits", "decided", "frt_s", "expired"
)  # fmt: skip
TIME_STATS = (
    "queue_s", "queue_end", "busy_s", "overtime_s", "agents_busy_s", "oldest_s", "over_1h", "over_4h", "over_24h"
)  # fmt: skip
# Ages above which those who wait are counted apart.
AGES_S = (3_600.0, 14_400.0, 86_400.0)

# Waits are counted in bins that a float's own bits give: each octave is cut in 1,024 equal parts, for intervals in 64.
# A quantile read from them is off by at most one bin, 0.1 % of the wait for all tickets and 1.6 % within an interval.
# Bin 0 is "did not wait", the first one above holds all below 1/64 s, and the grid ends after 4 years.
_OCTAVES_FROM, _OCTAVES = -7, 34
_FINE_BITS, _COARSE_BITS, _MANTISSA, _BIAS = 10, 6, 52, 1023
FINE = _OCTAVES << _FINE_BITS
COARSE = _OCTAVES << _COARSE_BITS
FINE_PER_COARSE = 1 << (_FINE_BITS - _COARSE_BITS)
_SHIFT = _MANTISSA - _FINE_BITS
_LOWEST = (_OCTAVES_FROM + _BIAS) << _FINE_BITS


def bin_edges(fine: bool) -> npt.NDArray[np.float64]:
    """Seconds at which each bin above 0 begins, and at which the last one ends; the first begins at 0."""
    step = 1 if fine else FINE_PER_COARSE
    edges = ((np.arange(0, FINE + 1, step) + _LOWEST) << _SHIFT).view(np.float64)
    edges[0] = 0.0
    return edges


def bins_of(wait: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The fine bins of waits in seconds."""
    place = (np.maximum(wait, 0.0).view(np.int64) >> _SHIFT) - _LOWEST
    return np.where(wait > 0.0, np.clip(place, 0, FINE - 1) + 1, 0)


@inlined
def _bin_of(wait: float) -> int:
    """The fine bin of a wait in seconds."""
    if wait <= 0.0:
        return 0
    place = int(np.float64(wait).view(np.int64) >> _SHIFT) - _LOWEST
    return min(max(place, 0), FINE - 1) + 1


_NEAR = 3  # so many intervals are walked; further ones are jumped to


@inlined
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


@inlined
def _span(begin: float, place: int, end: float, edges: Any, seconds: Any, whole: Any, row: int) -> int:
    """Add the time from begin, which lies in an interval, to end; the intervals covered are counted in ``whole``.

    Returns the interval in which the end lies.
    """
    n = len(edges) - 1
    if 0 <= place < n and end < edges[place + 1]:
        seconds[row, place] += end - begin
        return place
    last = place_of(end, edges, place + 1)
    if place < 0:
        place, begin = 0, edges[0]
    if last < 0 or place >= n:
        return last
    if place == last:
        seconds[row, place] += end - begin
        return last
    seconds[row, place] += edges[place + 1] - begin
    if last < n:
        seconds[row, last] += end - edges[last]
    whole[row, place + 1] += 1
    whole[row, last] -= 1
    return last


@kept
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
    cells: Any,
    seconds: Any,
    standing: Any,
    ages: Any,
    waits: Any,
    waits_by_interval: Any,
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
    cells : (classes, n + 1, ticket stats)
        0; filled in, the backlog in the last row of each class.
    seconds : (3, n)
        Of waiting, of handling, of overtime.
    standing : (n,)
        0; filled in: who waits just before the end of each interval.
    ages : (1 + ages, n)
        0; filled in: the oldest of them, and how many are older than each of ``AGES_S``.
    waits : (fine bins + 1,), waits_by_interval : (n, coarse bins + 1)
        Added to.
    whole : (3, n + 1), at_once : (classes, n)
        0; room.
    """
    arrival, begin, end, leave = uncounted(arrival), uncounted(begin), uncounted(end), uncounted(leave)
    kind, edges, cells = uncounted(kind), uncounted(edges), uncounted(cells)
    seconds, standing, ages, whole = uncounted(seconds), uncounted(standing), uncounted(ages), uncounted(whole)
    waits, waits_by_interval, at_once = uncounted(waits), uncounted(waits_by_interval), uncounted(at_once)
    n = len(edges) - 1
    close, place = edges[n], 0
    first, until = close, close  # of the interval at hand
    for i in range(len(arrival)):
        came, line, taken = arrival[i], kind[i], begin[i]
        if not first <= came < until:
            place = place_of(came, edges, place)
            inside = 0 <= place < n
            first, until = (edges[place], edges[place + 1]) if inside else (close, close)
        if taken == came and i >= backlog:
            # Most tickets find an agent free: of those only the number matters, and it is added up below.
            at_once[line, place] += 1
            _span(came, place, end[i], edges, seconds, whole, 1)
            continue
        served = taken == taken
        lost = not served and leave[i] < close
        gone = taken if served else close
        if lost:
            gone = end[i] if leave[i] == -math.inf else leave[i]
        wait = gone - came
        row = place if i >= backlog else n
        cells[line, row, 1] += wait
        cells[line, row, 2] += wait > 0
        if not lost:
            fine = _bin_of(wait)
            waits[fine] += 1
            if i >= backlog:
                waits_by_interval[place, (fine + FINE_PER_COARSE - 1) // FINE_PER_COARSE] += 1
            cells[line, row, 8] += wait
            if wait > window_s:
                cells[line, row, 9] += 1
        last = place
        if wait > 0:
            last = _span(came, place, gone, edges, seconds, whole, 0)
            if last > max(place, 0):
                standing[max(place, 0)] += 1
                if last < n:
                    standing[last] -= 1
                for k in range(max(place, 0), last):
                    age = edges[k + 1] - came
                    ages[0, k] = max(ages[0, k], age)
                    for band in range(len(AGES_S)):
                        ages[band + 1, k] += age > AGES_S[band]
        if served:
            cells[line, row, 3] += 1
            cells[line, row, 6] += wait <= limit
            _span(gone, last, end[i], edges, seconds, whole, 1)
        elif lost:
            cells[line, row, 4] += 1
        else:
            cells[line, row, 5] += 1
            cells[line, row, 7] += wait > limit
    for line in range(len(cells)):
        for k in range(n + 1):
            found = at_once[line, k] if k < n else 0
            cell = cells[line, k]
            cell[3] += found
            if limit >= 0:
                cell[6] += found
            cell[0] = cell[3] + cell[4] + cell[5]
            cell[7] += cell[3] + cell[4]
            cell[8] += first_reply_s * (cell[3] + cell[5])
            waits[0] += found
            if k < n:
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
