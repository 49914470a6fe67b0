"""The fewest agent-intervals that get work done in time when it varies: from the fluid plan to the real one.

Every step judges a plan by its whole distribution of work (``deferrable_margin``), asks what one agent more or fewer
is worth in every interval, and moves where a linear program says so; then agents are added, taken off and moved one
by one. There are no random numbers in it and no clock: the same task gives the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy

from staffcast.contracts import InputError
from staffcast.erlang._checks import FloatArray
from staffcast.erlang.deferrable.lp import Task, crew_steps, fluid_plan
from staffcast.erlang.deferrable.margin import Course, Lattice
from staffcast.erlang.deferrable.polish import Judge, Look, fewer, mend, prune, scale_of, smooth, unevenness

__all__ = ["Found", "best_plan"]

_SMALL = 60  # intervals up to which every plan nearby is tried
_HALVINGS = 10
_CHANGE = 1e-3  # agents that one step of the crew is worth
_SMOOTHING = 8  # rounds


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What :func:`best_plan` found: the plan, how it goes, and what it is measured against.

    ``spare_shares`` says per day by how much it is better than it must be, and ``spare_agents`` how many
    agent-intervals the band's top over the day leaves; inf without one.
    """

    agents: FloatArray
    spare_shares: FloatArray
    spare_agents: FloatArray
    course: Course
    lattice: Lattice
    fluid: FloatArray
    fractional: float


def best_plan(task: Task, *, level: FloatArray, integer: bool, begin: FloatArray | None = None) -> Found:
    """Fewest agent-intervals so that every day meets its level.

    Parameters
    ----------
    task : Task
    level : array (days + 1,)
        Share that each day, and last the start, must have in time; not used for a mean.
    integer : bool
        Whole agents.
    begin : array (n,), optional
        A plan to start from instead of the fluid one.

    Raises
    ------
    InputError
        Nobody may be added where it would help.
    """
    fluid = fluid_plan(task)
    small = task.n <= _SMALL
    fine = Judge(task, Lattice(task, fluid), level)
    # Long horizons are searched on a coarse lattice; the last word is the fine one's.
    quick = fine if small else Judge(task, Lattice(task, fluid, bins=120, factors=3), level)
    starts = [begin] if begin is not None else _starts(task, fluid, quick)
    plans = [_descend(quick, start, rounds=12 if small else 6) for start in starts]
    fractional = min(float(plan.sum()) for plan in plans)
    if integer:
        plans = [_integer(quick, plan) for plan in plans]
    # Fewest first; of as many, the one whose crew changes least.
    plan = min(plans, key=lambda each: (_misses(quick, each), float(each.sum()), unevenness(task, each)))
    if integer:
        plan = smooth(quick, plan, rounds=_SMOOTHING)
    plan = mend(fine, quick, plan, size=1.0 if integer else 0.05)
    course = fine.lattice.run(plan, details=True)
    if fine.short(course).any():
        _refuse(task, fine, course)
    days, over = fine.lattice.days, fine.slack(course)
    idle = over[days + 1 :] / task.per_agent_s / task.day_top if task.day_top is not None else np.full(days, np.inf)
    return Found(
        agents=plan, spare_shares=(over / fine.unit)[:days], spare_agents=idle, course=course,
        lattice=fine.lattice, fluid=fluid, fractional=fractional,
    )  # fmt: skip


def _integer(judge: Judge, plan: FloatArray) -> FloatArray:
    """The plan in whole agents, every day met if that can be, and none left that can go."""
    task = judge.task
    whole = mend(judge, judge, _whole(task, plan), size=1.0)
    whole = prune(judge, whole, rounds=int(np.clip(4000 // task.n, 3, 30)))
    return fewer(judge, whole) if task.n <= _SMALL else whole


def _misses(judge: Judge, plan: FloatArray) -> bool:
    """Plans that miss come last."""
    return bool(judge.short(judge.course(plan)).any())


def _starts(task: Task, fluid: FloatArray, judge: Judge) -> list[FloatArray]:
    """Plans to start from."""
    begin = _begin(task, fluid)
    if task.kind == "share":
        return [begin]
    # Waits add up without bound where a crew is too small: for a mean the fluid plan is far from any that holds, and
    # what is worth how much there says little. Crews that go with the work, large enough, are near to one.
    even = _even(task, judge)
    return [even, begin] if task.n <= _SMALL else [even]


def _even(task: Task, judge: Judge) -> FloatArray:
    """Crews in the shape of the work that comes, smoothed over the open day, as large as each day needs them."""
    days = int(task.day[-1]) + 1
    shape = np.zeros(task.n)
    for day in range(days):
        here = np.flatnonzero((task.day == day) & (task.upper > 0))
        work = task.aht_s / task.per_agent_s * task.arrivals[task.day == day].sum()
        if here.size and work > 0:
            come = np.minimum(task.arrivals[here], np.median(task.arrivals[here]) * 2 + 1e-9)
            level = np.convolve(np.pad(come, 2, mode="edge"), np.full(5, 0.2), "valid")
            shape[here] = work * (0.5 / here.size + 0.5 * level / max(level.sum(), 1e-9))
    spare = task.spare_s / task.per_agent_s

    def plan(size: FloatArray) -> FloatArray:
        return np.clip(shape * size[task.day] - spare, task.lower, task.upper)

    low, high = np.full(days, 0.5), np.full(days, 2.5)
    for _ in range(_HALVINGS):
        size = (low + high) / 2
        short, _ = judge.by_day(judge.short(judge.course(plan(size))))
        low, high = np.where(short, size, low), np.where(short, high, size)
    return plan(high)


def _begin(task: Task, fluid: FloatArray) -> FloatArray:
    """A plan to start from: the fluid one for so much more work as heavy traffic asks for.

    There the work waiting is exponential with mean variance ÷ (2·spare capacity), both per second (J. F. C. Kingman,
    1962); it is to stay within what is done in the time a ticket is given, with the probability asked for.
    """
    rate = task.arrivals.sum() / task.clock_s[-1]
    tail = np.log(1 / (1 - task.level)) if task.kind == "share" else 1.0
    noise = (1 + task.handle_scv + task.own_cv**2 * task.arrivals.mean()) / (rate * task.within_s) if rate > 0 else 0.0
    common = task.rate_cv**2 * task.end_s / (int(task.day[-1]) + 1) / task.within_s
    more = min((noise + common) * tail / 2, 0.2)
    try:
        return fluid_plan(replace(task, arrivals=(1 + more) * task.arrivals))
    except InputError:
        return fluid


def _descend(judge: Judge, agents: FloatArray, rounds: int) -> FloatArray:
    """Fractional plan by successive linear programs within a region that shrinks when they promise too much."""
    region, best, look = 0.5, agents, judge.look(agents, _span(agents))
    for _ in range(rounds):
        while True:
            trial, price = _linear_step(judge, best, look, region)
            after = judge.course(trial)
            gained = float(best.sum() - trial.sum() + 1.5 * price @ (judge.short(look.course) - judge.short(after)))
            if gained > 1e-3 or region < 0.05:
                break
            region *= 0.4
        if gained <= 1e-3:
            break
        best = trial
        if gained < 2e-4 * best.sum():
            break
        region = min(region * 1.2, 1.0)
        look = judge.look(best, _span(best))
    return best


def _span(agents: FloatArray) -> FloatArray:
    """Change of the crew by which margins are measured."""
    return np.maximum(0.5, 0.1 * agents)


def _linear_step(judge: Judge, agents: FloatArray, look: Look, region: float) -> tuple[FloatArray, FloatArray]:
    """Best plan nearby as the margins have it, and what a unit of each day's score costs in agents."""
    task, n, days = judge.task, judge.task.n, len(judge.need)
    size = region * np.maximum(1.0, 0.5 * agents)
    loss = np.maximum(look.loss, look.gain)
    scale = scale_of(loss)
    gain, loss = look.gain / scale, loss / scale
    gain[gain < 1e-4], loss[loss < 1e-4] = 0.0, 0.0
    gap = (judge.need - look.course.score) / scale[:, 0]
    real, calendar = judge.real, judge.lattice.days
    # Variables: agents up, agents down, score that stays short, change of the crew from one interval to the next.
    as_sparse = scipy.sparse.csr_array
    cover = scipy.sparse.hstack(
        [as_sparse(-gain), as_sparse(loss), -scipy.sparse.eye_array(days), as_sparse((days, n - 1))]
    )
    step, change = crew_steps(task), scipy.sparse.eye_array(n - 1)
    none = scipy.sparse.csr_array((n - 1, days))
    # What a day with time to spare loses grows with what is taken off it: not much of that at a time.
    members = scipy.sparse.csr_array((np.ones(n), (task.day, np.arange(n))), shape=(calendar, n))
    spare = scipy.sparse.hstack([-members, members, scipy.sparse.csr_array((calendar, days + n - 1))])
    rows = [
        scipy.sparse.csr_array(cover)[real], scipy.sparse.hstack([step, -step, none, -change]),
        scipy.sparse.hstack([-step, step, none, -change]), spare,
    ]  # fmt: skip
    limits = [-gap[real], -(step @ agents), step @ agents, region * np.maximum(1.0, 0.06 * (members @ agents))]
    # A day that would miss pays more than the dearest agent is worth.
    early = 1e-5 * np.arange(n) / n
    cost = np.concatenate([1 + early, -1 - early + 1e-4, np.full(days, 30.0), np.full(n - 1, _CHANGE)])
    bounds = np.zeros((len(cost), 2))
    bounds[:n, 1] = np.clip(task.upper - agents, 0.0, size)
    bounds[n : 2 * n, 1] = np.clip(agents - task.lower, 0.0, size)
    bounds[2 * n :, 1] = np.inf
    found = scipy.optimize.linprog(
        cost, A_ub=scipy.sparse.vstack(rows).tocsr(), b_ub=np.concatenate(limits), bounds=bounds, method="highs"
    )
    price = np.zeros(days)
    if found.status != 0:  # cannot be: shortage is allowed
        return agents, price
    price[real] = -np.asarray(found.ineqlin.marginals)[: int(real.sum())] / scale[real, 0]
    moved = agents + found.x[:n] - found.x[n : 2 * n]
    return np.clip(moved, task.lower, task.upper), np.maximum(price, 0.3 / scale[:, 0] * real)


def _whole(task: Task, agents: FloatArray) -> FloatArray:
    """Whole agents with nearly the same total up to every moment; among equals the earlier gets the odd one."""
    plan, carry = np.floor(agents + 1e-9), 0.0
    rest = agents - plan
    # Nobody comes for so long only as a ticket may wait: odd ones are spread at least that finely.
    even = np.append(True, (np.abs(np.diff(agents)) > 0.25) | (task.opened[1:] != task.opened[:-1]))
    even[:: max(int(task.within_s / task.step_s / 2), 1)] = True
    bounds = np.append(np.flatnonzero(even), task.n)
    for a, b in pairwise(bounds):
        carry += rest[a:b].sum()
        odd = int(np.clip(np.floor(carry + 0.5), 0, b - a))
        plan[a : a + odd] += 1
        carry -= odd
    return np.clip(plan, np.ceil(task.lower), np.floor(task.upper))


def _refuse(task: Task, judge: Judge, course: Course) -> None:
    short = judge.short(course)
    day = int(np.argmax(short > 0))
    if day > judge.lattice.days:
        raise InputError(
            f"`maximum`: the band cannot be kept on day {day - judge.lattice.days - 1}: everybody allowed is busier; "
            "raise `maximum`, open longer, or take a wider band"
        )
    where = "the tickets of the start" if day == judge.lattice.days else f"day {day}"
    weight = task.day_weight[day]
    figure = course.score[day] / weight
    says = f"{figure:.1%} in time" if task.kind == "share" else f"{-figure:.4g} s waited on average"
    raise InputError(
        f"`maximum`: {where} gets to {says} with {course.agents.sum():.6g} agent-intervals, and more agents where they "
        "are allowed hardly help, as arrivals and handle times vary; raise `maximum`, open longer, or allow more time "
        "or a lower share in `target`"
    )
