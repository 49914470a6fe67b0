"""The fewest agent-hours with which every interval's exact figure holds, the backlog carried from one to the next.

More agents anywhere make no ticket wait longer where patience is no shorter than handling (else those who did not give
up may be in the way of later ones), so what holds can be lowered one by one until no single agent can go. Three moves,
each checked with the forward equations:

1. forward: every interval gets the fewest agents that hold it in the state it inherits, later ones as guessed;
2. lower: one agent less where that interval and all it touches still hold, from the first to the last;
3. shift: one agent more, where the relief lets at least two go from the intervals that follow.

2 and 3 repeat until nothing changes. A change is followed only until the distribution is again the one it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from staffcast.erlang.overtime.chain import State
from staffcast.erlang.overtime.score import Course, Stretch

__all__ = ["Gap", "Search"]

Gap = Callable[[int, Stretch, Sequence[int]], float]
"""How far an interval's figure lies above what it must reach; it depends on the staff of the next few as well."""

_HOLDS = 1e-5  # on the safe side of what the search's own accuracy leaves open
_SAME = 1e-8  # two distributions this close (L1) have the same future
_HOPE = 2.0  # relief where one agent fewer is there: hardly ever this many times what it is with all of them
_BACK = 4  # intervals before a change from which another shift is tried
_FADE = 0.3  # relief fades at no less than this share of the rate at which agents finish
_ROUNDS = 20


class Search:
    """A plan that is improved move by move; ``staff`` is the plan, ``stretches`` how it goes."""

    def __init__(
        self, course: Course, gap: Gap, *, reach: Sequence[int], guess: Sequence[int], least: Sequence[int],
        closed: Sequence[bool], start: State,
    ) -> None:  # fmt: skip
        """``reach``: how many later intervals' staff the figure of each depends on."""
        self._course, self._gap = course, gap
        # The first interval whose figure depends on the staff of each: how far they reach never falls.
        furthest = np.arange(len(reach)) + np.array(reach, dtype=np.int64)
        self._first: list[int] = np.searchsorted(furthest, np.arange(len(reach))).tolist()
        self._closed, self._start = list(closed), start
        self._fades = math.exp(-_FADE * course.setting.interval_s * float(course.setting.finish.min()))
        self._least = [0 if shut else low for low, shut in zip(least, closed, strict=True)]
        self.staff = [0 if shut else max(low, want) for low, want, shut in zip(least, guess, closed, strict=True)]
        self.stretches: list[Stretch] = []
        count = len(self.staff)
        self._gaps = [np.inf] * count
        self._short: list[Stretch | None] = [None] * count  # with one agent fewer, from the same state
        self._fewer = [np.inf] * count  # at least the gap with one agent fewer; inf: not known
        self._tried = [False] * count

    def run(self) -> list[int]:
        """The plan in the end."""
        self._forward()
        self._lower()
        for _ in range(_ROUNDS):
            if not self._shift():
                break
            self._lower()
        return self.staff

    def fewest_alone(self, i: int, gap: Gap) -> int:
        """Fewest agents in interval ``i`` with which that gap is kept there and before, the others as planned.

        All of them where one fewer breaks it further on.
        """
        planned = self.staff[i]

        def keeps(slots: int) -> bool:
            self.staff[i] = slots
            stretch = self._one_fewer_than(i, slots + 1, planned)
            kept = gap(i, stretch, self.staff) >= _HOLDS
            kept = kept and all(gap(k, self.stretches[k], self.staff) >= _HOLDS for k in self._before(i))
            self.staff[i] = planned
            return kept

        if planned == 0 or not keeps(planned - 1):
            return planned
        if planned > self._least[i] and self._gap_kept_alone(i):
            return planned
        low, high = -1, planned - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if keeps(middle) else (middle, high)
        return high

    def occupancy_without(self, i: int) -> float:
        """Occupancy of interval ``i`` with one agent fewer there."""
        return self._one_fewer_than(i, self.staff[i], self.staff[i]).occupancy

    def replan(self, staff: Sequence[int]) -> None:
        """Take this plan as it is."""
        self.staff = list(staff)
        self._short = [None] * len(self.staff)
        for i, slots in enumerate(self.staff):
            self.stretches[i] = self._course.move(i, self._state(i), slots)

    def _state(self, i: int) -> State:
        return self._course.enter(i, self.stretches[i - 1].end if i else self._start)

    def _before(self, i: int) -> range:
        return range(self._first[i], i)

    def _forward(self) -> None:
        shift = 0
        for i, guess in enumerate(list(self.staff)):
            moves: dict[int, Stretch] = {}
            best = 0
            if not self._closed[i]:
                best = self._fewest(i, max(guess + shift, self._least[i]), moves)
                shift = best - guess
            self.staff[i] = best
            self.stretches.append(moves[best] if best in moves else self._course.move(i, self._state(i), best))
            self._short[i] = moves.get(best - 1)
        self._gaps = [self._gap(i, each, self.staff) for i, each in enumerate(self.stretches)]

    def _fewest(self, i: int, guess: int, moves: dict[int, Stretch]) -> int:
        """Fewest agents with which interval ``i`` holds, and those before it that it reaches back to."""
        low, high, trial = self._least[i] - 1, -1, guess
        while True:
            self.staff[i] = trial
            moves[trial] = self._course.move(i, self._state(i), trial)
            worst = self._gap(i, moves[trial], self.staff)
            for k in self._before(i):
                worst = min(worst, self._gap(k, self.stretches[k], self.staff))
            low, high = (low, trial) if worst >= _HOLDS else (trial, high)
            if high - low == 1:
                return high
            # One agent in a queue of n changes a share by about 0.4 ÷ √n.
            step = max(int(2 * min(abs(worst), 0.6) * np.sqrt(1 + moves[trial].mean)), 1)
            if high < 0:
                trial = low + step
            else:
                trial = max(high - step, low + 1) if worst >= _HOLDS else min(low + step, high - 1)

    def _one_fewer(self, i: int) -> Stretch:
        return self._one_fewer_than(i, self.staff[i], self.staff[i])

    def _one_fewer_than(self, i: int, slots: int, planned: int) -> Stretch:
        short = self._short[i]
        if short is not None and short.slots == slots - 1:
            return short
        stretch = self._course.move(i, self._state(i), slots - 1)
        if slots == planned:
            self._short[i] = stretch
        return stretch

    def _gap_kept_alone(self, i: int) -> bool:
        """Whether one agent fewer breaks nothing in interval ``i`` itself, so that it is kept for what follows."""
        short = self._one_fewer(i)
        self.staff[i] -= 1
        kept = self._gap(i, short, self.staff) >= _HOLDS
        self.staff[i] += 1
        return kept

    def _lower(self) -> None:
        for i in range(self._course.intervals):
            while self.staff[i] > self._least[i] and self._went(i):
                pass

    def _went(self, i: int) -> bool:
        """Take one agent from interval ``i`` if everything holds without."""
        short = self._one_fewer(i)
        self.staff[i] -= 1
        gap = self._gap(i, short, self.staff)
        for k in self._before(i):
            gap = min(gap, self._gap(k, self.stretches[k], self.staff))
        found = self._followed(i, short) if gap >= _HOLDS else None
        if found is None:
            self.staff[i] += 1
            self._fewer[i] = gap if gap < _HOLDS else np.inf
            return False
        self._accept(found)
        return True

    def _followed(self, i: int, stretch: Stretch) -> dict[int, Stretch] | None:
        """The stretches from ``i`` on that are no longer what they were; nothing if one of them does not hold."""
        found = {i: stretch}
        for j in range(i + 1, self._course.intervals):
            state = self._course.enter(j, found[j - 1].end)
            if _apart(state, self._state(j)) < _SAME:
                break
            found[j] = self._course.move(j, state, self.staff[j])
            if self._gap(j, found[j], self.staff) < _HOLDS:
                return None
        return found

    def _accept(self, found: dict[int, Stretch]) -> None:
        first, last = min(found), max(found)
        for i, each in found.items():
            self.stretches[i] = each
            self._short[i], self._fewer[i] = None, np.inf
        for i in range(self._first[first], last + 1):
            self._gaps[i] = self._gap(i, self.stretches[i], self.staff)
        for i in range(max(first - _BACK, 0), last + 1):
            self._tried[i] = False

    def _shift(self) -> bool:
        changed = False
        for i in range(self._course.intervals - 1):
            if not (self._closed[i] or self._tried[i]):
                self._tried[i] = True
                changed |= self._shifted(i)
        return changed

    def _shifted(self, i: int) -> bool:
        """One agent more in interval ``i``, if two or more can go after it."""
        seed = self._gaps[i] - self._fewer[i]  # about what one agent more is worth here
        if seed >= 0 and self._could_go(i + 1, 0, seed, self._fades) < 2:
            return False
        kept = list(self.staff)
        self.staff[i] += 1
        found = {i: self._course.move(i, self._state(i), self.staff[i])}
        gone, relief = 0, self._gap(i, found[i], self.staff) - self._gaps[i]
        for j in range(i + 1, self._course.intervals):
            state = self._course.enter(j, found[j - 1].end)
            if _apart(state, self._state(j)) < _SAME:
                break
            found[j] = self._course.move(j, state, self.staff[j])
            gap = self._gap(j, found[j], self.staff)
            fades = min(max((gap - self._gaps[j]) / relief, 0.0), 1.0) if relief > 0 else 1.0
            relief = gap - self._gaps[j]
            if gone + self._could_go(j, gone, relief, fades) < 2:
                break
            while self.staff[j] > self._least[j] and (gone > 0 or self._fewer[j] + _HOPE * relief >= _HOLDS):
                self.staff[j] -= 1
                trial = self._course.move(j, state, self.staff[j])
                if self._gap(j, trial, self.staff) < _HOLDS or any(
                    self._gap(k, found.get(k, self.stretches[k]), self.staff) < _HOLDS for k in self._before(j)
                ):
                    self.staff[j] += 1
                    break
                found[j], gone = trial, gone + 1
            if self._gap(j, found[j], self.staff) < _HOLDS:
                gone = 0
                break
        if gone < 2:
            self.staff = kept
            return False
        self._accept(found)
        return True

    def _could_go(self, j: int, gone: int, relief: float, fades: float) -> int:
        """How many agents, up to two, might go from interval ``j`` on, where the relief fades at that pace."""
        # The first one to go uses up most of the relief, so the second must be nearly free.
        first = False
        for k in range(j, self._course.intervals):
            hoped = _HOPE * relief * fades ** (k - j)
            if hoped < _SAME:
                break
            if self.staff[k] > self._least[k]:
                if self._fewer[k] + hoped / 4 >= _HOLDS and (first or gone):
                    return 2
                first |= self._fewer[k] + hoped >= _HOLDS
        return int(first)


def _apart(one: State, other: State) -> float:
    """Largest distance over the nodes, as the sum of the absolute differences."""
    if one is other:
        return 0.0
    low, nodes = min(int(one.low.min()), int(other.low.min())), np.arange(len(one.mass))
    width = max(int(each.low.max()) + each.mass.shape[1] for each in (one, other)) - low
    difference = np.zeros(len(nodes) * width)
    for each, sign in ((one, 1), (other, -1)):
        where = (nodes * width + each.low - low)[:, None] + np.arange(each.mass.shape[1])
        difference[where] += sign * each.mass
    return float(np.abs(difference).reshape(len(nodes), width).sum(axis=1).max())
