"""A day's course interval by interval: where the queue stands, and what the tickets of each interval meet.

The tickets of an interval arrive at random moments, so what they find is the distribution of the number in system
averaged over the interval with the arrival rate. With constant staff the wait depends on that average alone. Near the
end of an interval it also depends on the staff to come; the difference that makes is added by Gauss–Legendre nodes over
the moments of arrival from which the next interval can be reached.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np

from staffcast.erlang._checks import FloatArray
from staffcast.erlang.overtime.chain import QUICK, Flow, Grade, State, advance, mixed
from staffcast.erlang.overtime.wait import Fate, Phase, Tagged

__all__ = ["Course", "Setting", "Stretch", "figures", "follow"]

_NODES = (2, 16)  # fewest and most moments of arrival per stretch of one rate
_SHORT = 0.1  # handle times in which what the tickets find hardly changes
_CROWDED = 24  # most moments of what becomes of them
_GRANULE = 32  # sizes of the vectors over those ahead, so that few different ones are remembered


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """What the plan cannot choose.

    ``rates`` per second over (intervals, pieces of an interval), ``finish`` = 1 ÷ aht per interval, ``within`` the
    longest wait in time, ``factors`` and ``weight`` the nodes of the day's rate, ``new_day`` where another one begins.
    """

    rates: FloatArray
    finish: FloatArray
    interval_s: float
    theta: float
    within: float
    factors: FloatArray
    weight: FloatArray
    new_day: Sequence[bool]


class Panel(NamedTuple):
    """Tickets that arrive in a part of an interval, by moment: how they are spread over what they find changes slowly.

    What becomes of them depends on the moment much more sharply where the staff is about to change. So the tickets are
    known at few moments, and ``grid`` gives each of many moments (seconds ``left`` of the interval) its share of each.
    """

    left: tuple[float, ...]
    grid: FloatArray
    tickets: list[tuple[int, FloatArray]]


@dataclass(kw_only=True, eq=False)
class Stretch:
    """One interval, followed with one number of slots.

    ``tickets`` and ``time`` are over states from ``low``: expected tickets that find so many, expected seconds there.
    """

    slots: int
    offered: float
    low: int
    tickets: FloatArray
    time: FloatArray
    end: State
    begins: list[State] = field(repr=False)
    late: list[Panel] | None = None

    @property
    def size(self) -> int:
        """Enough for the vectors over those ahead."""
        return -(-(self.low + len(self.tickets) + 1) // _GRANULE) * _GRANULE

    @property
    def mean(self) -> float:
        """Mean number in system over the interval."""
        return self.low + float(self.time @ np.arange(len(self.time)) / self.time.sum())

    @property
    def occupancy(self) -> float:
        """Handling ÷ (handling + idle); 0 without agents."""
        if self.slots == 0:
            return 0.0
        busy = np.minimum(np.arange(self.low, self.low + len(self.time)), self.slots)
        return min(float(self.time @ busy / self.time.sum()) / self.slots, 1.0)


class Course:
    """Follows the queue through the intervals and tells what their tickets meet."""

    def __init__(self, setting: Setting, grade: Grade, *, whole: bool) -> None:
        """With ``whole`` the moments of arrival cover every interval, for what :meth:`fates` tells."""
        self.setting = setting
        self.tagged = Tagged(setting.theta)
        self._whole, self._grade = whole, grade

    @property
    def intervals(self) -> int:
        """How many there are."""
        return len(self.setting.rates)

    def phases(self, i: int, staff: Sequence[int], reach_s: float) -> tuple[Phase, ...]:
        """The staff from interval ``i`` on, as far as ``reach_s`` after its end."""
        at = self.setting
        last = min(self.intervals, i + 1 + int(np.ceil(reach_s / at.interval_s)))
        return tuple(Phase(int(staff[k]), float(at.finish[k]), at.interval_s) for k in range(i, last))

    def enter(self, i: int, state: State) -> State:
        """The distribution with which interval ``i`` begins, given that with which the one before it ended."""
        return mixed(state, self.setting.weight) if self.setting.new_day[i] else state

    def move(self, i: int, state: State, slots: int) -> Stretch:
        """Follow interval ``i`` from ``state`` with so many slots."""
        at = self.setting
        length = at.interval_s / at.rates.shape[1]
        begins, parts = [], []
        for rate in at.rates[i]:
            begins.append(state)
            path = advance(state, self._flow(i, rate, slots), [length])
            parts += [(rate, each) for each in path.spent]
            state = path.at[-1]
        low = min(int(each.low.min()) for _, each in parts)
        width = max(int(each.low.max()) + each.mass.shape[1] for _, each in parts) - low
        tickets, time = np.zeros(width), np.zeros(width)
        for rate, each in parts:
            for total, weight in ((time, at.weight), (tickets, at.weight * at.factors * rate)):
                first, values = each.summed(weight)
                total[first - low : first - low + len(values)] += values
        offered = float(at.rates[i].sum() * length * (at.weight @ at.factors))
        if offered > 0:
            tickets *= offered / tickets.sum()
        return Stretch(
            slots=slots, offered=offered, low=low, tickets=tickets, time=time * (at.interval_s / time.sum()),
            end=state, begins=begins,
        )  # fmt: skip

    def on_time(self, i: int, stretch: Stretch, staff: Sequence[int]) -> float:
        """Expected tickets of interval ``i`` that are answered in time."""
        at, size = self.setting, stretch.size
        if at.within < 0 or stretch.offered == 0:
            return 0.0
        phases = self.phases(i, staff, at.within)
        steady = self.tagged.answered_within(at.within, phases[:1], (at.interval_s,), size)[0]
        found = _over(stretch.low, stretch.tickets, steady)
        if all(each[:2] == phases[0][:2] for each in phases):
            return found
        for panel in self._panels(i, stretch):
            if panel.left[0] < at.within:
                changed = self.tagged.answered_within(at.within, phases, panel.left, size)
                found += _over_panel(panel, changed - steady)
        return found

    def fate(self, i: int, stretch: Stretch, later: Fate | None) -> tuple[float, float]:
        """Expected tickets of interval ``i`` answered in the end, and the sum of their waits in seconds."""
        phase = Phase(stretch.slots, float(self.setting.finish[i]), self.setting.interval_s)
        size = stretch.size
        forever = self.tagged.fate(phase, (0.0,), None, size)
        answered, wait = (_over(stretch.low, stretch.tickets, each[0]) for each in forever)
        if later is not None:
            for panel in self._panels(i, stretch):
                changed = self.tagged.fate(phase, panel.left, later, size)
                answered += _over_panel(panel, changed.answered - forever.answered)
                wait += _over_panel(panel, changed.wait - forever.wait)
        return min(max(answered, 0.0), stretch.offered), max(wait, 0.0)

    def later(self, i: int, staff: Sequence[int], reach: int, size: int) -> Fate | None:
        """What becomes of those who meet interval ``i + 1`` at its beginning; ``reach`` further on the staff stays."""
        phases = _joined(self.phases(i, staff, reach * self.setting.interval_s)[1:])
        found: Fate | None = None
        for first in range(len(phases) - 1, -1, -1):
            found = self.tagged.fate_of(phases[first:], found, size)
        return found

    def before(self, i: int, slots: int, later: Fate | None, size: int) -> Fate:
        """What becomes of those who meet interval ``i`` at its beginning."""
        at = self.setting
        found = self.tagged.fate(Phase(slots, float(at.finish[i]), at.interval_s), (at.interval_s,), later, size)
        return Fate(found.answered[0], found.wait[0])

    def _flow(self, i: int, rate: float, slots: int) -> Flow:
        at = self.setting
        return Flow(rate * at.factors, slots, float(at.finish[i]), at.theta, at.weight, self._grade)

    def _panels(self, i: int, stretch: Stretch) -> list[Panel]:
        """Tickets by the moment of arrival, for those to whom the next interval's staff can matter."""
        if stretch.late is not None:
            return stretch.late
        at, end = self.setting, self.setting.interval_s
        length = end / at.rates.shape[1]
        # Before the cut the next interval is beyond the target's time, after it is not: no panel straddles it.
        cut = max(end - at.within, 0.0)
        fine = self._grade is not QUICK
        stretch.late = []
        for piece, (rate, begin) in enumerate(zip(at.rates[i].tolist(), stretch.begins, strict=True)):
            first, last = piece * length, end if piece + 1 == len(stretch.begins) else (piece + 1) * length
            for start, stop in ((first, min(cut, last)), (max(cut, first), last)):
                if rate == 0 or stop <= start or (stop <= cut and not self._whole):
                    continue
                far = stop <= cut and self._grade is QUICK
                width = (stop - start) * float(at.finish[i])
                some = min(max(math.ceil(2 + width if far else 1.5 + 2.5 * width), _NODES[0]), _NODES[1])
                some += fine and width > _SHORT
                many = 0
                if stop == end:  # a layer as thin as the time between two answers: nodes crowd towards the end
                    many = min(math.ceil(4 + math.sqrt(width * max(stretch.slots, 1)) / 2), _CROWDED) * (1 + fine)
                times, moments, grid = _rule(some, many)
                path = advance(
                    begin, self._flow(i, rate, stretch.slots), (start - first + times * (stop - start)).tolist()
                )
                weight = at.weight * at.factors * (rate * (stop - start))
                left = tuple((end - start - moments * (stop - start)).tolist())
                stretch.late.append(Panel(left, grid, [state.summed(weight) for state in path.at]))
        return stretch.late


def _joined(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """The same with every stretch without staff as one phase: a night is no more work to follow than half an hour."""
    found: list[Phase] = []
    for each in phases:
        if each.slots == 0 and found and found[-1].slots == 0:
            found[-1] = found[-1]._replace(lasts=found[-1].lasts + each.lasts)
        else:
            found.append(each)
    return tuple(found)


@cache
def _rule(some: int, many: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """On [0, 1]: moments of the tickets, moments of what becomes of them, and weights of each pair in the integral.

    The first are Gauss–Legendre nodes, between which the tickets are interpolated. With ``many`` the second crowd
    towards 1 by the square; else they are the first.
    """
    known, weight = _legendre(some)
    if many == 0:
        return known, known, np.diag(weight)
    root, width = _legendre(max(many, some))
    moments = 1 - root[::-1] ** 2
    basis = np.ones((len(moments), some))
    for k in range(some):
        for other in range(some):
            if other != k:
                basis[:, k] *= (moments - known[other]) / (known[k] - known[other])
    return known, moments, basis * (2 * root * width)[::-1, None]


@cache
def _legendre(count: int) -> tuple[FloatArray, FloatArray]:
    at, weight = np.polynomial.legendre.leggauss(count)
    return (at + 1) / 2, weight / 2


def _over(low: int, tickets: FloatArray, values: FloatArray) -> float:
    there = values[low : low + len(tickets)]
    beyond = float(tickets[len(there) :].sum() * values[-1])  # hardly anybody: sizes go by the bulk of the interval
    return float(tickets[: len(there)] @ there) + beyond


def _over_panel(panel: Panel, values: FloatArray) -> float:
    """The sum over the tickets of a panel; ``values`` over its moments and those ahead."""
    return sum(
        _over(low, tickets, each) for (low, tickets), each in zip(panel.tickets, panel.grid.T @ values, strict=True)
    )


def follow(course: Course, staff: Sequence[int], start: State) -> list[Stretch]:
    """Every interval in its turn, with this staff."""
    stretches: list[Stretch] = []
    state = start
    for i in range(course.intervals):
        stretches.append(course.move(i, course.enter(i, state), int(staff[i])))
        state = stretches[-1].end
    return stretches


def figures(course: Course, staff: Sequence[int], stretches: Sequence[Stretch]) -> dict[str, FloatArray]:
    """What the tickets of every interval meet with this staff, by name."""
    count, at = course.intervals, course.setting
    found = {
        name: np.zeros(count)
        for name in (
            "service_level", "p_wait", "abandoned", "asa_s", "wait_s", "mean_queue", "occupancy", "all_busy",
            "in_system",
        )
    }  # fmt: skip
    later: Fate | None = None
    for i in range(count - 1, -1, -1):
        each = stretches[i]
        states = np.arange(each.low, each.low + len(each.time))
        share = each.time / at.interval_s
        waiting = np.maximum(states - each.slots, 0)
        found["mean_queue"][i] = share @ waiting
        found["in_system"][i] = share @ states
        found["all_busy"][i] = min(float(share[states >= each.slots].sum()), 1.0)
        found["occupancy"][i] = each.occupancy
        if each.offered > 0:
            answered, wait = course.fate(i, each, later)
            found["service_level"][i] = min(max(course.on_time(i, each, staff) / each.offered, 0.0), 1.0)
            found["p_wait"][i] = min(float(each.tickets[states >= each.slots].sum()) / each.offered, 1.0)
            never = 1 - answered / each.offered
            found["abandoned"][i] = never
            found["asa_s"][i] = wait / answered if answered > 0 else np.inf
            # Patience is exponential, so the share that gives up is theta times the mean wait of all.
            lost = at.theta == 0 and never > 1e-9
            found["wait_s"][i] = never / at.theta if at.theta > 0 else np.inf if lost else wait / each.offered
        else:
            found["service_level"][i] = 1.0
        later = course.before(i, each.slots, later, each.size)
    return found
