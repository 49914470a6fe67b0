"""Work that may wait as a fluid: when it comes, when it is due, and the fewest agent-intervals that get it done."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy

from staffcast.contracts import InputError
from staffcast.erlang._checks import FloatArray

__all__ = ["Task", "crew_steps", "fluid_plan", "refuse_hopeless"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_TIE = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """What :func:`staffcast.erlang.deferrable.staff.staff_deferrable` was asked, checked, one entry per interval.

    Times are seconds from the start of the first interval. ``within_s`` is what the target leaves for waiting,
    ``rate_cv`` the day's uncertainty and ``own_cv`` that of each interval besides; ``there`` are those of the arrivals
    who wait already when their interval begins. With ``day_top`` at most that share of a day's agent-time is handling.
    """

    step_s: float
    aht_s: float
    handle_scv: float
    arrivals: FloatArray
    spare_s: FloatArray
    opened: BoolArray
    lower: FloatArray
    upper: FloatArray
    per_agent_s: float
    kind: Literal["share", "mean"]
    level: float
    within_s: float
    open_clock: bool
    day: IntArray
    waiting: FloatArray
    ages_s: FloatArray
    rate_cv: float
    own_cv: float
    there: FloatArray
    day_top: float | None

    @property
    def n(self) -> int:
        """Number of intervals."""
        return len(self.arrivals)

    @property
    def end_s(self) -> float:
        """End of the last interval."""
        return self.n * self.step_s

    @cached_property
    def edges_s(self) -> FloatArray:
        """Bounds of the intervals, n + 1."""
        return np.asarray(self.step_s * np.arange(self.n + 1), dtype=np.float64)

    @cached_property
    def clock_s(self) -> FloatArray:
        """What the clock that FRT is counted by shows at the edges."""
        return _summed(np.where(self.opened, self.step_s, 0.0)) if self.open_clock else self.edges_s

    @cached_property
    def arrived(self) -> FloatArray:
        """Tickets that have come by each edge, those of the start included."""
        return np.asarray(_summed(self.arrivals) + self.waiting.sum())

    def on_clock(self, at_s: FloatArray) -> FloatArray:
        """What the clock shows at these times."""
        return np.interp(at_s, self.edges_s, self.clock_s)

    def due_at(self, clock_s: FloatArray) -> FloatArray:
        """First moment at which the clock shows this; inf past the horizon."""
        # The first edge that reaches it closes the piece it lies in; a closed stretch before it is then behind us.
        j = np.searchsorted(self.clock_s, clock_s - _TIE * self.step_s, side="left")
        at = np.full(np.shape(clock_s), np.inf)
        inside = (j > 0) & (j <= self.n)
        last = np.minimum(j, self.n)[inside]
        at[inside] = self.edges_s[last] - np.maximum(self.clock_s[last] - clock_s[inside], 0.0)
        at[j == 0] = 0.0
        return at

    def due(self, at_s: FloatArray) -> FloatArray:
        """Deadline of a ticket that comes at these times; inf where it lies past the horizon."""
        return self.due_at(self.on_clock(at_s) + self.within_s)

    @cached_property
    def waiting_due_s(self) -> FloatArray:
        """Deadlines of the tickets of the start; negative where they were missed before it."""
        left = self.within_s - self.ages_s
        return np.where(left > 0, self.due_at(np.maximum(left, 0.0)), -1.0)

    @cached_property
    def slots(self) -> int:
        """Pieces that an interval is cut into where time within it matters."""
        return int(np.clip(480 // self.n, 1, 6))

    @cached_property
    def judged(self) -> FloatArray:
        """Share of each interval's tickets that is due within the horizon."""
        at = self.step_s * (np.arange(self.n * self.slots) + 0.5) / self.slots
        even = np.isfinite(self.due(at)).reshape(self.n, -1).mean(axis=1)
        first = np.divide(self.there, self.arrivals, out=np.zeros(self.n), where=self.arrivals > 0)
        return np.asarray((1 - first) * even + first * np.isfinite(self.due(self.edges_s[:-1])))

    @cached_property
    def weight(self) -> FloatArray:
        """Tickets that the target counts, per interval."""
        return self.arrivals * self.judged if self.kind == "share" else self.arrivals

    @cached_property
    def day_weight(self) -> FloatArray:
        """Tickets that the target counts, per day, and last those of the start that can still be in time."""
        days = np.bincount(self.day, self.weight, int(self.day[-1]) + 1)
        alive = (self.waiting_due_s >= 0) & np.isfinite(self.waiting_due_s) & (self.kind == "share")
        return np.append(days, self.waiting[alive].sum())


def fluid_plan(task: Task) -> FloatArray:
    """Fewest agents per interval (real numbers) when tickets come, and are handled, evenly at their mean rates.

    Every condition is necessary for first come first served, so no such plan needs fewer; those who are there when
    an interval begins are taken to come during it, which asks for no more. Among equal totals the crew changes least
    from interval to interval, and comes earlier rather than later.

    Returns
    -------
    array (n,)

    Raises
    ------
    InputError
        No plan within ``upper`` meets the target.
    """
    n, h = task.n, task.aht_s / task.per_agent_s  # work in agent-intervals: all variables of one size
    # Variables: agents x, work done by each interval's end Y, work late by then L, changes of the crew u.
    x, y, late, change = (np.arange(n) + n * k for k in range(4))
    eye, before = scipy.sparse.eye_array(n), scipy.sparse.eye_array(n, k=-1)
    none = scipy.sparse.csr_array((n, n))
    rows = [
        scipy.sparse.hstack([-eye, eye - before, none, none]),  # work done fits the capacity
        scipy.sparse.hstack([none, before - eye, none, none]),  # and is not undone
        scipy.sparse.hstack([none, none, eye - before, none]),  # late are at most those that come
        scipy.sparse.hstack([none, none, before - eye, none]),
    ]
    limits = [task.spare_s / task.per_agent_s, np.zeros(n), h * task.weight, np.zeros(n)]
    lowest, highest = np.zeros(n), h * task.arrived[1:]
    if task.kind == "share":
        allowed = (1 - task.level) * task.day_weight
        due, whole, part = _due(task, allowed)
        # Of an interval that is due in part the late ones may be the first: all of them, or all that is due.
        for late_by, surely in (whole, part):
            rows.append(scipy.sparse.hstack([none, -eye, -late_by, none]))
            limits.append(-h * (due - surely))
        ends = np.flatnonzero(np.append(task.day[1:] != task.day[:-1], True))
        days = scipy.sparse.csr_array((np.ones(len(ends)), (np.arange(len(ends)), ends)), shape=(len(ends), n))
        before_days = scipy.sparse.csr_array(
            (np.ones(len(ends) - 1), (np.arange(1, len(ends)), ends[:-1])), shape=(len(ends), n)
        )
        nothing = scipy.sparse.csr_array((len(ends), n))
        rows.append(scipy.sparse.hstack([nothing, nothing, days - before_days, nothing]))
        limits.append(h * allowed[task.day[ends]])
        lowest = np.clip(h * (due - _overdue_limit(task, allowed)), 0.0, highest)
    else:
        # Seconds waited in all are the area between what has come and what is done (J. D. C. Little, 1961); tickets
        # of the start count for nothing, as if they were served last.
        seconds = np.diff(task.clock_s)
        area = (task.arrived[1:] + task.arrived[:-1]) / 2 @ seconds - task.waiting.sum() * seconds.sum()
        halves = (seconds + np.append(seconds[1:], 0.0)) / 2
        rows.append(scipy.sparse.csr_array(np.concatenate([np.zeros(n), -halves, np.zeros(2 * n)])[None, :]))
        limits.append(np.array([h * (task.within_s * task.arrivals.sum() - area)]))
    if task.day_top is not None:
        member = scipy.sparse.csr_array((np.ones(n), (task.day, np.arange(n))))
        nought = scipy.sparse.csr_array(member.shape)
        rows.append(scipy.sparse.hstack([-task.day_top * member, member @ (eye - before), nought, nought]))
        limits.append(member @ (task.spare_s / task.per_agent_s))
    steps = crew_steps(task)
    wide, pad = scipy.sparse.csr_array((n - 1, 2 * n)), scipy.sparse.eye_array(n - 1, n, k=1)
    rows += [scipy.sparse.hstack([steps, wide, -pad]), scipy.sparse.hstack([-steps, wide, -pad])]
    limits += [np.zeros(n - 1), np.zeros(n - 1)]
    bounds = np.zeros((4 * n, 2))
    bounds[x, 0], bounds[x, 1] = task.lower, task.upper
    bounds[y, 0], bounds[y, 1] = lowest, highest
    bounds[late, 1] = np.inf
    bounds[change, 1] = np.inf
    cost = np.zeros(4 * n)
    # The second wishes weigh so little that they cannot buy an agent-interval that the first could spare.
    cost[x] = 1 + 1e-5 * np.arange(n) / n
    cost[change] = 1e-3
    found = scipy.optimize.linprog(
        cost, A_ub=scipy.sparse.vstack(rows).tocsr(), b_ub=np.concatenate(limits), bounds=bounds, method="highs"
    )
    if found.status != 0:
        refuse_hopeless(task)
        raise InputError("no plan meets the target: allow more time, a lower share, more agents or longer opening")
    return np.maximum(np.asarray(found.x[:n], dtype=np.float64), task.lower)


def crew_steps(task: Task) -> scipy.sparse.csr_array:
    """Change of the crew from each interval to the next, where both are open (n − 1 × n)."""
    n = task.n
    both = (task.opened[1:] & task.opened[:-1]).astype(np.float64)
    return scipy.sparse.csr_array(scipy.sparse.diags_array([-both, both], offsets=[0, 1], shape=(n - 1, n)))


def refuse_hopeless(task: Task) -> None:
    """Raise where not even everybody allowed, at work in every open interval, meets the target.

    Raises
    ------
    InputError
        Names the interval, how much work is too late there, and what would help.
    """
    h, n, days = task.aht_s, task.n, int(task.day[-1]) + 1
    capacity = np.where(np.isfinite(task.upper), task.upper, 1e12) * task.per_agent_s + task.spare_s
    done, before = np.zeros(n), 0.0
    for j in range(n):
        done[j] = before = min(before + capacity[j], h * task.arrived[j + 1])
    if task.kind == "mean":
        _refuse_mean(task, done)
        return
    # A ticket is late where, at its deadline, the work done has not come to it.
    fine = task.step_s * (np.arange(n * 8) + 0.5) / 8
    at = task.due(fine)
    reached = np.interp(np.minimum(at, task.end_s), task.edges_s, np.append(0.0, done))
    missed = np.isfinite(at) & (reached < h * np.interp(fine, task.edges_s, task.arrived) * (1 - _TIE) - _TIE)
    lost = task.arrivals * missed.reshape(n, 8).mean(axis=1)
    per_day = np.bincount(task.day, lost, days)
    over = per_day > (1 - task.level) * task.day_weight[:-1] + 1e-6
    if not over.any():
        return
    day = int(np.argmax(over))
    where = int(np.flatnonzero((task.day == day) & (lost > 0))[0])
    deadline = int(min(np.ceil(at[where * 8 + int(np.argmax(missed[where * 8 : where * 8 + 8]))] / task.step_s), n)) - 1
    says = (
        f"{lost[where]:.4g} of the {task.arrivals[where]:.4g} tickets of interval {where} are due in interval "
        f"{deadline} and cannot be answered by then, so day {day} gets {1 - per_day[day] / task.day_weight[day]:.1%} "
        f"of its tickets answered in time and not {task.level:.4g}"
    )
    if not capacity[where : deadline + 1].any():
        raise InputError(
            f"`opened`: {says}: nobody may work in intervals {where} to {deadline}; open there, allow more time in "
            '`target`, or count open time only with clock="open"'
        )
    short = (h * np.interp(fine[where * 8 + 7], task.edges_s, task.arrived) - done[deadline]) / task.per_agent_s
    raise InputError(
        f"`maximum`: {says}: {short:.3g} agent-intervals are missing by the end of interval {deadline}; raise "
        "`maximum` there or before, open longer, or allow more time in `target`"
    )


def _refuse_mean(task: Task, done: FloatArray) -> None:
    """Raise where a day's tickets wait too long even so; those not done by the horizon's end are left out."""
    fine = task.step_s * (np.arange(task.n * 8) + 0.5) / 8
    place = task.aht_s * np.interp(fine, task.edges_s, task.arrived)
    total = np.append(0.0, done)
    rising = np.append(True, np.diff(total) > 0)
    at = np.interp(place, total[rising], task.edges_s[rising])
    # Who comes while nobody works is answered when the next one begins.
    works = np.diff(total) > 0
    j = np.minimum((at / task.step_s + 1e-9).astype(np.int64), task.n - 1)
    following = np.append(np.flatnonzero(works), task.n)
    at = np.maximum(np.maximum(at, fine), task.edges_s[following[np.searchsorted(following, j)]] * ~works[j])
    waits = (task.on_clock(at) - task.on_clock(fine)) * (place <= total[-1])
    weight = np.repeat(task.arrivals / 8, 8)
    day = np.repeat(task.day, 8)
    total_wait = np.bincount(day, weight * waits)
    over = total_wait > task.within_s * np.bincount(day, weight) + 1e-6
    if over.any():
        first = int(np.argmax(over))
        raise InputError(
            f"`target`: the tickets of day {first} wait {total_wait[first] / task.day_weight[first]:.4g} s on average "
            f"with everybody allowed at work, and may wait {task.within_s:.4g} s; allow more time, open longer, raise "
            '`maximum`, or count open time only with clock="open"'
        )


def _fallen_due(task: Task) -> tuple[IntArray, FloatArray]:
    """By each interval's end due are the tickets of so many whole intervals and of a part of the next."""
    n = task.n
    # Due are those that came while the clock showed no more than it shows now, less the time allowed.
    since = task.clock_s[1:] - task.within_s
    k = np.searchsorted(task.clock_s, since + _TIE * task.step_s, side="right") - 1
    whole = np.clip(k, 0, n).astype(np.int64)
    at = np.minimum(whole, n - 1)
    length = np.diff(task.clock_s)[at]
    part = np.zeros(n)
    np.divide(since - task.clock_s[at], length, out=part, where=(k >= 0) & (k < n) & (length > 0))
    return whole, np.where(part < 1e-6, 0.0, np.minimum(part, 1.0))


_Late: TypeAlias = "tuple[scipy.sparse.csr_array, FloatArray]"


def _due(task: Task, allowed: FloatArray) -> tuple[FloatArray, _Late, _Late]:
    """Tickets due by each interval's end, and twice how many of them are late at most.

    That is a matrix that picks from the late by interval, and an amount on top of it.
    """
    n = task.n
    whole, part = _fallen_due(task)
    row = np.arange(n)
    some = whole > 0
    by_whole = scipy.sparse.csr_array((np.ones(some.sum()), (row[some], whole[some] - 1)), shape=(n, n))
    reach = np.where(part > 0, whole, whole - 1)
    some = reach >= 0
    by_part = scipy.sparse.csr_array((np.ones(some.sum()), (row[some], reach[some])), shape=(n, n))
    begun = part * task.arrivals[np.minimum(whole, n - 1)]
    by_day = _due_by_day(task)
    start = ((task.waiting_due_s >= 0) & (task.waiting_due_s <= task.edges_s[1:, None] * (1 + _TIE))) @ task.waiting
    start_late = np.minimum(start, allowed[-1])
    due = by_day.sum(axis=1) + start - start_late
    # First come first served: the first in time of those that come needs all of the start done, the first in time of
    # the start those of it that are late already.
    of_days = by_day.sum(axis=1) > np.minimum(by_day, allowed[:-1]).sum(axis=1) + _TIE
    of_start = start > start_late + _TIE
    lost = task.waiting[task.waiting_due_s < 0].sum()
    due += np.where(of_days, start_late, 0.0) + np.where(of_days | of_start, lost, 0.0)
    return due, (by_whole, begun), (by_part, np.zeros(n))


def _due_by_day(task: Task) -> FloatArray:
    """Tickets due by each interval's end, of each day (n × days)."""
    whole, part = _fallen_due(task)
    members = np.zeros((task.n + 1, int(task.day[-1]) + 1))
    members[np.arange(task.n), task.day] = task.arrivals
    come = np.vstack([np.zeros_like(members[:1]), np.cumsum(members[:-1], axis=0)])
    return np.asarray(come[whole] + part[:, None] * members[whole])


def _overdue_limit(task: Task, allowed: FloatArray) -> FloatArray:
    """Most tickets that may be past their deadline at each interval's end.

    First come first served, those overdue are the last that fell due. Once a day has more due than it may miss, any
    more overdue than that, and than what later days have due, would be its own.
    """
    by_day = _due_by_day(task)
    limit = np.full(task.n, task.arrived[-1])
    later = np.zeros(task.n)
    for day in range(len(allowed) - 2, -1, -1):
        enough = by_day[:, day] > allowed[day] + _TIE
        limit = np.where(enough, np.minimum(limit, allowed[day] + later), limit)
        later += by_day[:, day]
    return limit


def _summed(values: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(values)])
