"""Runs of intervals with far too few or too many tickets, of any length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from staffcast.forecast.past.usual import overdispersion, surprise

__all__ = ["Runs"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

# Chance that usual noise gives such a run, with hourly slots; shorter ones hold more runs to be wrong about.
_CHANCE = 1e-5
# Found ÷ expected: what a run has at most or at least to be one.
_LOW, _HIGH = 0.5, 1.75
# The rates that the search has in mind, ÷ the usual one, and the log odds at which it looks closer:
# ten tickets too many at least, or as many missing.
_SEARCH_LOW, _SEARCH_HIGH, _CANDIDATE = 0.3, 2.0, 7.0
_BREAK = -1e3
_ROUNDS = 4
_LASTING_DAYS = 10
_EDGE = 0.2
_REST_LIMITS = (0.5, 1.5)
# A surge is looked for at one place only, after an outage, where it is likely: little proof is needed.
_REBOUND_CHANCE, _REBOUND, _REBOUND_SEARCH, _REBOUND_HOURS = 0.05, 1.25, 1.4, 4


class Runs:
    """Search of a series, all days in one row.

    Parameters
    ----------
    counts, expected, weeks : ndarray, shape (days, slots)
        Tickets, the usual ones, and how many weeks these rest on.
    judged : ndarray of bool, shape (days, slots)
        Intervals to look at.
    """

    def __init__(self, counts: Floats, expected: Floats, weeks: Floats, judged: Flags) -> None:
        self.slots = counts.shape[1]
        self.chance = _CHANCE * 24 / self.slots
        self.found = np.where(judged, counts, 0.0).ravel()
        self.expected = np.where(judged, expected, 0.0).ravel()
        self.weeks = float(weeks.max(initial=1.0))
        self._found_to, self._expected_to = _running(self.found), _running(self.expected)
        self.day_found, self.day_expected = self.per_day(self.found), self.per_day(self.expected)
        self.phi_day = overdispersion(self.day_found, self.day_expected)
        self.phi_slot = self._slot_scatter()

    def per_day(self, values: Floats) -> Floats:
        """Sum of each day."""
        return np.asarray(values.reshape(-1, self.slots).sum(axis=1))

    def search(self, free: Flags, *, upper: bool) -> Flags:
        """Flag the intervals of runs with too many (``upper``) or too few tickets, among the ``free`` ones.

        Later rounds look again, with the level of each day as the rounds before have left it.
        """
        hit = np.zeros(len(free), dtype=np.bool_)
        for i in range(_ROUNDS):
            left = free & ~hit if i else free
            day = self.day_sums(left)
            start, stop = self._candidates(left, self._level(*day), upper=upper)
            keep = self._far(start, stop, day, upper=upper)
            start, stop = start[keep], stop[keep]
            keep = ~self.lasting(start, stop, upper=upper)
            if not keep.any():
                break
            for a, b in zip(start[keep], stop[keep], strict=True):
                hit[slice(*self._trim(a, b))] = True
        return hit

    def level(self, free: Flags) -> Floats:
        """Level of each day as its ``free`` intervals tell, shape (days,); 1 where they are less than half of it."""
        return self._level(*self.day_sums(free))

    def day_sums(self, free: Flags) -> tuple[Floats, Floats]:
        """Found and expected tickets of each day in its ``free`` intervals."""
        return self.per_day(self.found * free), self.per_day(self.expected * free)

    def _level(self, found: Floats, usual: Floats) -> Floats:
        prior = 1 / self.phi_day
        level = np.clip((prior + found) / (prior + usual), *_REST_LIMITS)
        return np.where(2 * usual >= self.day_expected, level, 1.0)

    def _candidates(self, free: Flags, factor: Floats, *, upper: bool) -> tuple[Ints, Ints]:
        """Each stretch over which the cumulated log odds rise from their lowest to their highest, if by enough."""
        rate = _SEARCH_HIGH if upper else _SEARCH_LOW
        odds = self.found * np.log(rate)
        odds.reshape(-1, self.slots)[:] -= self.expected.reshape(-1, self.slots) * ((rate - 1) * factor)[:, None]
        odds[~free] = _BREAK
        total = _running(odds)
        rise = np.subtract(total[1:], np.minimum.accumulate(total[:-1]), out=odds)
        up = np.zeros(len(rise) + 2, dtype=np.bool_)
        np.greater(rise, 0, out=up[1:-1])
        edges = np.flatnonzero(up[1:] != up[:-1])
        begin, end = edges[::2], edges[1::2]
        if not len(begin):
            return begin, end
        high = np.maximum.reduceat(rise, begin) >= _CANDIDATE
        begin, end = begin[high], end[high]
        top = [a + int(np.argmax(rise[a:b])) + 1 for a, b in zip(begin, end, strict=True)]
        return begin, np.array(top, dtype=np.int64)

    def _far(self, start: Ints, stop: Ints, day: tuple[Floats, Floats], *, upper: bool) -> Flags:
        """Whether each run is too far from usual for chance, given what the rest of its days tells of their level."""
        found, usual, phi = self._against_rest(start, stop, day)
        off = found >= _HIGH * usual if upper else found <= _LOW * usual
        off[off] = surprise(found[off], usual[off], phi[off], upper=upper) <= self.chance
        return off

    def _against_rest(self, start: Ints, stop: Ints, day: tuple[Floats, Floats]) -> tuple[Floats, Floats, Floats]:
        """Found and expected count of each run, and the relative variance of the expected one.

        A day's level is gamma with mean 1 before its other intervals are known; they shift and sharpen it. ``day``
        has each day's found and expected sum, of the runs and of what else is to tell.
        """
        found, usual = _between(self._found_to, start, stop), _between(self._expected_to, start, stop)
        first, last = start // self.slots, (stop - 1) // self.slots + 1
        other, other_usual = (_between(_running(x), first, last) for x in day)
        other, other_usual = np.maximum(other - found, 0), np.maximum(other_usual - usual, 0)
        told = other_usual >= usual
        prior = 1 / self.phi_day
        level = np.clip((prior + other) / (prior + other_usual), *_REST_LIMITS)
        variance = np.where(told, 1 / (prior + other), self.phi_day)
        usual = usual * np.where(told, level, 1.0)
        return found, usual, variance + self.phi_slot + self.doubt(usual)

    def doubt(self, usual: Floats) -> Floats:
        """Relative variance of an expected count, as a mean of the other weeks that it rests on."""
        return np.asarray((1 / np.maximum(usual, 1e-9) + self.phi_day + self.phi_slot) / max(self.weeks - 1, 1))

    def lasting(self, start: Ints, stop: Ints, *, upper: bool) -> Flags:
        """Whether the same time of day deviates alike around: on half the days near, or in the weeks next to it."""
        if not len(start):
            return np.zeros(0, dtype=np.bool_)
        shift = np.array([k for k in range(-2 * 7, 2 * 7 + 1) if k and (abs(k) <= _LASTING_DAYS or k % 7 == 0)])
        a, b = (edge[:, None] + shift * self.slots for edge in (start, stop))
        inside = (a >= 0) & (b <= len(self.found))
        a, b = np.where(inside, a, 0), np.where(inside, b, 0)
        found, usual = _between(self._found_to, a, b), _between(self._expected_to, a, b)
        own = _between(self._found_to, start, stop) / np.maximum(_between(self._expected_to, start, stop), 1e-9)
        middle = (1 + own[:, None]) / 2
        alike = (usual > 0) & (found >= middle * usual if upper else found <= middle * usual)
        near = np.abs(shift) <= _LASTING_DAYS
        share = (alike * usual)[:, near].sum(axis=1) / np.maximum(usual[:, near].sum(axis=1), 1e-9)
        week = {k: alike[:, int(np.flatnonzero(shift == 7 * k)[0])] for k in (-2, -1, 1, 2)}
        weekly = (week[-2] & week[-1]) | (week[-1] & week[1]) | (week[1] & week[2])
        return np.asarray((share >= 0.5) | weekly | (stop - start > _LASTING_DAYS * self.slots))

    def rebounds(self, low: Flags, free: Flags) -> Flags:
        """Flag the intervals of the surge that begins within an hour after each run of ``low``."""
        hit = np.zeros(len(low), dtype=np.bool_)
        if not low.any():
            return hit
        per_hour = self.slots // 24
        ends = np.flatnonzero(low[:-1] & ~low[1:]) + 1
        free = free & ~low
        day = self.day_sums(free)
        for end in ends.tolist():
            stop = min(end + _REBOUND_HOURS * per_hour, len(low))
            blocked = np.flatnonzero(~free[end:stop]).tolist()
            stop = end + blocked[0] if len(blocked) else stop
            a, b = self._steepest(end, stop, latest=end + per_hour)
            if b <= a:
                continue
            found, usual, phi = self._against_rest(np.array([a]), np.array([b]), day)
            surge = found >= _REBOUND * usual
            if (surge & (surprise(found, usual, phi, upper=True) <= _REBOUND_CHANCE))[0]:
                hit[a:b] = True
        return hit

    def _steepest(self, start: int, stop: int, *, latest: int) -> tuple[int, int]:
        odds = self.found[start:stop] * np.log(_REBOUND_SEARCH) - (_REBOUND_SEARCH - 1) * self.expected[start:stop]
        to = _running(odds)
        gains = [(float(np.max(to[i:]) - to[i]), start + i, start + i + int(np.argmax(to[i:])))
                 for i in range(min(latest + 1, stop) - start)]  # fmt: skip
        return max(gains, default=(0.0, start, start))[1:]

    def _trim(self, start: int, stop: int) -> tuple[int, int]:
        """Leave out the quiet intervals at either end: they say little about when it began."""
        usual = self.expected[start:stop]
        busy = np.flatnonzero(usual >= _EDGE * usual.max())
        return start + int(busy[0]), start + int(busy[-1]) + 1

    def _slot_scatter(self) -> float:
        """Relative variance within a day, from blocks of at least an hour long enough for a few tickets."""
        prior = 1 / self.phi_day
        level = (prior + self.day_found) / (prior + self.day_expected)
        for hours in (1, 2, 4):
            blocks = (len(level), -1, hours * self.slots // 24)
            usual = self.expected.reshape(blocks).sum(axis=2) * level[:, None]
            busy = usual >= usual.sum() / usual.size
            if usual[busy].sum() >= 4 * busy.sum():
                break
        return overdispersion(self.found.reshape(blocks).sum(axis=2)[busy], usual[busy])


def _running(values: Floats) -> Floats:
    out = np.zeros(len(values) + 1)
    np.cumsum(values, out=out[1:])
    return out


def _between(running: Floats, start: Ints, stop: Ints) -> Floats:
    return np.asarray(running[stop] - running[start])
