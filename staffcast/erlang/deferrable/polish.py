"""Agents added, taken off and moved one by one, each plan judged anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from staffcast.erlang._checks import FloatArray
from staffcast.erlang.deferrable.lp import Task, crew_steps
from staffcast.erlang.deferrable.margin import Course, Lattice
from staffcast.erlang.deferrable.worth import worth

__all__ = ["Judge", "Look", "fewer", "mend", "prune", "smooth", "unevenness"]

BoolArray = npt.NDArray[np.bool_]

_CLOSE = 1e-6  # of a day's tickets: met
_TINY = 8  # intervals up to which all moves are tried


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """A plan's course, and what one agent-interval more or fewer is worth to every day (days + 1 × n)."""

    course: Course
    gain: FloatArray
    loss: FloatArray


class Judge:
    """Plans of one task: how far they fall short, and what agents are worth.

    Parameters
    ----------
    task : Task
    lattice : Lattice
    level : array (days + 1,)
        Share that each day, and last the start, must have in time; not used for a mean.
    """

    def __init__(self, task: Task, lattice: Lattice, level: FloatArray) -> None:
        self.task, self.lattice = task, lattice
        weight = task.day_weight
        # Seconds waited count with a minus: more is better for both kinds.
        self.need = level * weight if task.kind == "share" else -task.within_s * weight
        self.unit = np.maximum(weight, 1e-9) * (1.0 if task.kind == "share" else task.within_s)
        self.real = weight > 0
        if task.day_top is not None:  # after the days and the start, the agent-seconds of each day that stay idle
            days = lattice.days
            self.need = np.append(self.need, np.zeros(days))
            self.unit = np.append(self.unit, np.full(days, 10 * task.per_agent_s))
            self.real = np.append(self.real, np.bincount(task.day, task.upper > 0, days) > 0)

    def by_day(self, short: FloatArray) -> tuple[BoolArray, bool]:
        """Which days miss something, and whether the start does."""
        days = self.lattice.days
        missed = short[:days] > 0
        if len(short) > days + 1:
            missed = missed | (short[days + 1 :] > 0)
        return missed, bool(short[days] > 0)

    def course(self, agents: FloatArray) -> Course:
        """How the plan goes."""
        return self.lattice.run(agents)

    def look(self, agents: FloatArray, step: FloatArray) -> Look:
        """How it goes, and what changes of the crew by ``step`` are worth per agent."""
        course = self.lattice.run(agents, step=step)
        gain, loss = worth(self.lattice, course, step)
        top = self.task.day_top
        if top is not None:
            days = self.lattice.days
            idle = top * self.task.per_agent_s * (self.task.day == np.arange(days)[:, None])
            gain, loss = np.vstack([gain, idle]), np.vstack([loss, idle])
        return Look(course=course, gain=np.maximum(gain, 0.0), loss=np.maximum(loss, 0.0))

    def short(self, course: Course) -> FloatArray:
        """By how much each day misses; 0 where it is met."""
        gap = self.need - course.score
        return np.where(gap > _CLOSE * self.unit, gap, 0.0)

    def slack(self, course: Course) -> FloatArray:
        """What each day may lose."""
        return np.asarray(course.score - self.need + _CLOSE * self.unit)

    def miss(self, course: Course) -> float:
        """Shortage of all days in one number: shares of their tickets, or of the time allowed."""
        return float((self.short(course) / self.unit).sum())


def scale_of(margins: FloatArray) -> FloatArray:
    """The most that one agent is worth to each day (days × 1)."""
    return np.asarray(np.maximum(margins.max(axis=1, initial=0.0), 1e-9)[:, None])


def mend(judge: Judge, guide: Judge, agents: FloatArray, *, size: float) -> FloatArray:
    """Add agents, each where the guide has it help most, until the judge sees every day met or none may be added."""
    task, plan = judge.task, agents.copy()
    for turn in range(100):
        short = judge.short(judge.course(plan))
        if not short.any():
            return plan
        gain = guide.look(plan, np.full(task.n, max(size, 0.5))).gain * size
        scale = scale_of(gain)
        start = plan.copy()
        short = short * 1.02
        # What waits adds up to is far from a straight line in the agents: only a few at a time, then look again.
        most = np.inf if task.kind == "share" else (2 + task.n / 100) * 1.2**turn
        while (short > 0).any() and (plan - start).sum() < most * size:
            free = plan + size <= task.upper + 1e-9
            value = (np.minimum(gain, short[:, None]) / scale).sum(axis=0) * free
            j = int(np.argmax(value))
            if value[j] <= 1e-6 or plan.sum() > start.sum() * 1.5 + 20:
                break
            plan[j] += size
            short = np.maximum(short - gain[:, j], 0.0)
            gain[:, j] *= 0.8
        if np.array_equal(plan, start):
            return plan
    return plan


def _touched(margins: FloatArray, j: int) -> BoolArray:
    return np.asarray(margins[:, j] > 0.02 * np.maximum(margins.max(axis=1), 1e-9))


def prune(judge: Judge, agents: FloatArray, *, rounds: int) -> FloatArray:
    """Take agents off where every day stays met."""
    task, plan = judge.task, agents.copy()
    stays = plan - 1 < task.lower - 1e-9
    for _ in range(rounds):
        look = judge.look(plan, np.ones(task.n))
        if judge.short(look.course).any():
            break
        slack, loss, scale = judge.slack(look.course), look.loss, scale_of(look.loss)
        off: list[tuple[int, BoolArray]] = []
        while len(off) < max(1, task.n // 12):
            # A promise that is a little too gloomy is still worth the try: it is judged anew.
            fits = (loss <= (1.0 if off else 1.3) * slack[:, None]).all(axis=0) & ~stays & (plan - 1 >= task.lower)
            if not fits.any():
                break
            j = int(np.argmin(np.where(fits, (loss / scale).sum(axis=0), np.inf)))
            off.append((j, _touched(loss, j)))
            plan[j] -= 1
            slack = slack - 1.1 * loss[:, j]
            loss[:, j] *= 1.3
        if not off:
            break
        short = judge.short(judge.course(plan))
        while short.any() and off:
            hurt = [bool((days & (short > 0)).any()) for _, days in off]
            hurt = hurt if any(hurt) else [True] * len(off)
            for (j, _), back in zip(off, hurt, strict=True):
                plan[j] += back
                stays[j] |= back
            off = [each for each, back in zip(off, hurt, strict=True) if not back]
            short = judge.short(judge.course(plan))
    return plan


def fewer(judge: Judge, agents: FloatArray) -> FloatArray:
    """One agent-interval fewer as long as moving agents about makes up for it."""
    best = agents
    while True:
        found = _one_fewer(judge, best)
        if found is None:
            return best
        best = found


def _one_fewer(judge: Judge, agents: FloatArray) -> FloatArray | None:
    task = judge.task
    starts = []
    for j in np.flatnonzero(agents - 1 >= task.lower):
        plan = agents.copy()
        plan[j] -= 1
        starts.append((judge.miss(judge.course(plan)), int(j), plan))
    starts.sort(key=lambda each: each[:2])
    seen: set[bytes] = set()
    for miss, _j, plan in starts[:6]:
        now = miss
        for _ in range(8):
            if now == 0:
                return plan
            if plan.tobytes() in seen:
                break
            seen.add(plan.tobytes())
            better = _best_move(judge, plan, judge.look(plan, np.ones(task.n)), now)
            if better is None:
                break
            now, plan = better
        if now == 0:
            return plan
    return None


def _best_move(judge: Judge, plan: FloatArray, look: Look, now: float) -> tuple[float, FloatArray] | None:
    """Of the moves of one agent that promise most, the one that really helps most; of two where none does."""
    task = judge.task
    gap = (judge.need - look.course.score)[:, None, None]
    for size in (1, 2) if task.n <= _TINY else (1,):
        left = np.maximum(gap + size * (look.loss[:, None, :] - look.gain[:, :, None]), 0.0)
        promise = (left / scale_of(look.loss)[:, :, None])[judge.real].sum(axis=0)
        promise[plan + size > task.upper, :] = np.inf
        promise[:, plan - size < task.lower] = np.inf
        np.fill_diagonal(promise, np.inf)
        best: tuple[float, FloatArray] | None = None
        for at in np.argsort(promise, axis=None, kind="stable")[: 60 if task.n <= _TINY else 10]:
            to, fro = divmod(int(at), task.n)
            if not np.isfinite(promise[to, fro]):
                break
            trial = plan.copy()
            trial[to] += size
            trial[fro] -= size
            miss = judge.miss(judge.course(trial))
            if miss < (now if best is None else best[0]) - 1e-9:
                best = (miss, trial)
                if miss == 0:
                    break
        if best is not None:
            return best
    return None


def unevenness(task: Task, agents: FloatArray) -> float:
    """Sum of the squared steps of the crew from each interval to the next where both are open."""
    return float(np.square(crew_steps(task) @ agents).sum())


def smooth(judge: Judge, agents: FloatArray, *, rounds: int) -> FloatArray:
    """Move agents within a day where that evens out the crew and every day stays met."""
    task, plan = judge.task, agents.copy()
    steps = crew_steps(task)
    pull = (steps.T @ steps).toarray()  # half the second derivative of the unevenness
    members = [np.flatnonzero((task.day == day) & (task.upper > 0)) for day in range(int(task.day[-1]) + 1)]
    refused = np.zeros((task.n, task.n), np.bool_)
    for _ in range(rounds):
        look = judge.look(plan, np.ones(task.n))
        slack = judge.slack(look.course)
        trial, moves = plan.copy(), []
        for day, here in enumerate(members):
            touched = np.zeros(task.n, np.bool_)
            for _ in range(max(here.size // 5, 1)):
                move = _smoother(task, pull, trial, look, slack, here[~touched[here]], refused)
                if move is None:
                    break
                to, fro = move
                slack = slack + np.minimum(look.gain[:, to] - look.loss[:, fro], 0.0)
                trial[to] += 1
                trial[fro] -= 1
                moves.append((day, to, fro))
                for j in move:  # what their neighbours are worth is no longer what it was
                    touched[max(j - 1, 0) : j + 2] = True
        if not moves:
            break
        short = judge.short(judge.course(trial))
        while short.any() and moves:
            missed, start = judge.by_day(short)
            wrong = np.flatnonzero(missed)
            near = [each for each in moves if start or np.abs(each[0] - wrong).min() <= 1] or moves
            # The last of a day were the least worth while: a half of them goes back at a time.
            back = near[len(near) // 2 :]
            for _day, to, fro in back:
                trial[to] -= 1
                trial[fro] += 1
                refused[to, fro] = True
            moves = [each for each in moves if each not in back]
            short = judge.short(judge.course(trial))
        if not short.any():
            plan = trial
    return plan


def _smoother(
    task: Task, pull: FloatArray, plan: FloatArray, look: Look, slack: FloatArray, here: npt.NDArray[np.int64],
    refused: BoolArray,
) -> tuple[int, int] | None:  # fmt: skip
    """The move of one agent that evens the crew out most, as far as the margins allow it; None if none does."""
    if here.size < 2:
        return None
    slope = 2 * (pull[here] @ plan)
    own = pull[here, here]
    change = (slope + own)[:, None] - (slope - own)[None, :] - 2 * pull[np.ix_(here, here)]
    worse = (look.loss[:, None, here] - look.gain[:, here, None] > np.maximum(slack, 0.0)[:, None, None]).any(axis=0)
    barred = worse | (plan[here] + 1 > task.upper[here])[:, None] | (plan[here] - 1 < task.lower[here])[None, :]
    change[barred | refused[np.ix_(here, here)] | np.eye(len(here), dtype=bool)] = 0.0
    at = int(np.argmin(change))
    i, k = divmod(at, len(here))
    return (int(here[i]), int(here[k])) if change[i, k] < -1e-9 else None
