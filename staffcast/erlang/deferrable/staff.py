"""Staffing for work that may wait: email and tickets whose first response has minutes to days, nights and backlog.

No steady state is looked for: work comes, lies over night, and is to be opened before its deadline. Where the target is
shorter than an interval, waiting is a matter of moments: use :func:`staffcast.erlang.required_agents` there.

References
----------
.. [1] L. V. Green, P. J. Kolesar, W. Whitt, "Coping with time-varying demand when setting staffing requirements for a
   service system", Production and Operations Management 16(1), 2007, pp. 13–39,
   doi:10.1111/j.1937-5956.2007.tb00164.x; why such work cannot be staffed interval by interval.
.. [2] G. F. Newell, "Applications of Queueing Theory", 2nd ed., 1982, chapter 2, doi:10.1007/978-94-009-5970-5; the
   cumulative curves of the fluid model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Band, InputError, Target, bad_value, format_duration
from staffcast.erlang._checks import (
    FloatArray,
    above_zero,
    at_least_zero,
    flags,
    number,
    share,
    share_of_all,
    together,
    whole,
)
from staffcast.erlang.deferrable.lp import Task, refuse_hopeless
from staffcast.erlang.deferrable.paths import day_shares
from staffcast.erlang.deferrable.search import Found, best_plan

__all__ = ["Deferrable", "PlanStatus", "spare_seconds", "staff_deferrable"]

IntArray = npt.NDArray[np.int64]

_DAY_S = 86_400.0


class PlanStatus(Enum):
    """How good a plan is known to be.

    ``OPTIMAL``: at most 1 %, or what whole people cost, above the best plan with fractions of agents that was found.
    ``FEASIBLE``: it meets the target, and may be further above. A target out of reach is an error, not a status.
    """

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"


@dataclass(frozen=True, kw_only=True, eq=False)
class Deferrable:
    """What :func:`staff_deferrable` found; arrays have one entry per interval, those named ``day_`` one per day.

    Attributes
    ----------
    agents : array
        Agents at deferrable work: int64, or float when fractions were asked for.
    binding : array of str
        Why they are there: ``frt`` (a deadline), ``occupancy`` (without the band's top one fewer would do),
        ``minimum``, or ``none`` where nobody is.
    answered : array
        Mean number of tickets worked off; what is left of tickets in hand is not yet.
    backlog : array
        Mean number of tickets not worked off at the interval's end. ``answered`` and ``backlog`` add up to what came.
    waiting : array
        Mean number of them that nobody has opened yet: those in hand apart.
    oldest_age_s : array
        Mean age of the oldest of them, 0 where there is none. [s]
    frt_share : array
        Share of the interval's tickets whose first response comes in time; 1 where none is due within the horizon.
    frt_mean_s : array
        Mean first response time on the clock asked for. Tickets left at the end go on at the pace at which work came
        on average. [s]
    due_share : array
        Share of the interval's tickets that is due within the horizon; a share target judges no others.
    day : array
        The day of each interval, counted from 0.
    day_service_level, day_frt_mean_s : array
        Share in time and mean FRT of the tickets of a day.
    day_confidence : array
        Share of 1,000 simulated horizons in which the day's own share reaches the target's level (mean target: 0.5).
    service_level : float
        Share in time of all tickets due within the horizon, of the opening backlog too; missed ones count as missed.
    frt_mean_s_all : float
        Mean FRT of all that arrive.
    backlog_service_level : float
        Share in time of the opening backlog; 1 without one.
    fluid_agent_intervals : float
        What would do if everything came and went evenly: the linear program's bound.
    margin_agent_intervals : float
        What chance, and people being whole, add to that. A hair below 0 is possible where few tickets come: a response
        needs a ticket opened, not worked off.
    used_spare_s : array
        Mean spare time used. [s]
    status : PlanStatus
    """

    agents: npt.NDArray[np.int64] | FloatArray
    binding: npt.NDArray[np.str_]
    answered: FloatArray
    backlog: FloatArray
    waiting: FloatArray
    oldest_age_s: FloatArray
    frt_share: FloatArray
    frt_mean_s: FloatArray
    due_share: FloatArray
    day: IntArray
    day_service_level: FloatArray
    day_frt_mean_s: FloatArray
    day_confidence: FloatArray
    service_level: float
    frt_mean_s_all: float
    backlog_service_level: float
    fluid_agent_intervals: float
    margin_agent_intervals: float
    used_spare_s: FloatArray
    status: PlanStatus


def spare_seconds(
    *, agents: npt.ArrayLike, load_erl: npt.ArrayLike, interval_s: npt.ArrayLike, band: Band | None = None
) -> FloatArray:
    """Idle agent-seconds that live queues leave for work that can be put aside at once.

    Parameters
    ----------
    agents : float or array
        Live crew, ≥ 0.
    load_erl : float or array
        Its mean offered load, ≥ 0. [erlang]
    interval_s : float or array
        Length of an interval, > 0. [s]
    band : Band, optional
        The crew is filled up to the band's top; without one to 100 %.

    Returns
    -------
    array of the broadcast shape
        Seconds per interval, 0 where the crew is as busy as it may be.

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    Notes
    -----
    This is time, not people: it comes in pieces between live tickets. It fits work that is put aside when a live
    ticket comes, so that live waits stay as they are.

    Examples
    --------
    >>> spare_seconds(agents=[10, 10], load_erl=[6.5, 9.5], interval_s=1800, band=Band.parse("80%-90%"))
    array([4500.,    0.])
    """
    top = 1.0 if band is None else Band.parse(band).top
    people, load, length = together(
        agents=at_least_zero("agents", agents), load_erl=at_least_zero("load_erl", load_erl, " erlang"),
        interval_s=above_zero("interval_s", interval_s, " s"),
    )  # fmt: skip
    return np.asarray(np.maximum(people * top - load, 0.0) * length)


def staff_deferrable(
    *,
    arrivals: npt.ArrayLike,
    aht_s: float,
    interval_s: float,
    target: Target,
    opened: npt.ArrayLike | None = None,
    backlog: Sequence[tuple[float, float]] = (),
    spare_s: npt.ArrayLike = 0.0,
    band: Band | None = None,
    band_over: Literal["interval", "day"] = "interval",
    first_reply_s: float = 0.0,
    minimum: npt.ArrayLike = 0,
    maximum: npt.ArrayLike | None = None,
    rate_cv: float = 0.0,
    rate_common: float = 1.0,
    there: npt.ArrayLike = 0.0,
    handle_cv: float = 1.0,
    day: npt.ArrayLike | None = None,
    confidence: float | None = None,
    clock: Literal["calendar", "open"] = "calendar",
    integer: bool = True,
) -> Deferrable:
    """Fewest agents per interval so that the tickets of every day get their first response in time.

    Parameters
    ----------
    arrivals : array (n,), n ≥ 2
        Mean tickets per interval, ≥ 0, also in closed intervals: they wait for the opening.
    aht_s : float
        Mean handle time, > 0. [s]
    interval_s : float
        Length of an interval, > 0. [s]
    target : Target
        Met by every day's tickets: the mean share in time, or the mean FRT. What it leaves for waiting must be at
        least an interval. Give the horizon as much more as a ticket may wait: tickets due after its end are not
        judged by a share or percentile.
    opened : array of bool (n,), optional
        Where agents may work. All open without it.
    backlog : sequence of (tickets, age_s)
        Unanswered tickets of the start, and how long ago they came (on ``clock``). They come first; those past their
        deadline cannot be helped, count as missed, and are in the others' way. The rest must meet the level too.
    spare_s : float or array (n,)
        Agent-seconds per interval that cost nothing, as of :func:`spare_seconds`; used before agents. [s]
    band : Band, optional
        What of the agents' time may be handling, at most its top; without it all of it.
    band_over : {"interval", "day"}
        ``interval``: nobody gives more than the top of any interval to handling, also while tickets wait. ``day``:
        people work off a pile at full pace and are idle when it is gone; over the day's agent-time the mean is at most
        the top. That is how an agent works who simply takes the next ticket, and needs fewer.
    first_reply_s : float
        What the agent needs for the first reply once the ticket is opened, ≥ 0. [s]
    minimum, maximum : int or array (n,)
        Fewest and most agents in open intervals; no most without ``maximum``.
    rate_cv : float
        Relative standard deviation of the rate of an interval, ≥ 0: gamma factors of mean 1.
    rate_common : float
        Share, in [0, 1], of that variance that is common to all arrivals of a day; the rest is each interval's own and
        evens out over the day. All of it by default, which asks for the most.
    there : array (n,)
        How many of ``arrivals`` wait already when their interval begins, as what came while closed; the others come
        evenly over it. None by default.
    handle_cv : float
        Standard deviation ÷ mean of handle times, ≥ 0; 1 is exponential.
    day : array of int (n,), optional
        Day of each interval, not falling. Without it every 86,400 s.
    confidence : float, optional
        In (0, 1): each day's own share must reach the level with this probability, not only on average. Days are
        simulated for it, always with the same random numbers. Not for a mean target.
    clock : {"calendar", "open"}
        Whether FRT runs through closed intervals.
    integer : bool
        Whole agents.

    Returns
    -------
    Deferrable

    Raises
    ------
    InputError
        An argument outside its range; or a target out of reach, with the interval, the shortage and what would help.

    Notes
    -----
    First come first served; an agent going home leaves the ticket in hand to the next. The fluid plan (a linear
    program over cumulative arrivals, deadlines and work done) meets a target about half the time. Plans are therefore
    judged by the distribution of the unfinished work, with Poisson arrivals and varying handle times, and agents are
    moved by what they are worth to each day until every day is met. Among equal totals the one whose crew changes
    least is looked for, in squares of the steps. The same arguments give the same plan.

    A crew is taken to work off tickets one after another, those in hand apart. Measured against exact chains and
    simulated days, with crews of one to five: shares are mostly within 0.02 and up to 0.05 off, where handle times are
    long against an interval or a crew goes home within the deadline; mean FRTs are up to 0.16 handle times too long.
    Whole agents cost up to 2 % over fractions where crews are of one or two, and a mean target over weeks up to 5 %;
    ``status`` then says ``FEASIBLE``.

    Examples
    --------
    Ten tickets of ten minutes an hour on a working day 08–16, two hours to answer 90 % of them, and nobody at lunch:

    >>> found = staff_deferrable(
    ...     arrivals=[10] * 8 + [0] * 2, aht_s=600, interval_s=3600, target=Target.parse("90% in 2h"),
    ...     opened=[1, 1, 1, 1, 0, 1, 1, 1, 1, 1],
    ... )
    >>> bool(found.agents[4] == 0), found.service_level >= 0.9, round(found.fluid_agent_intervals, 2)
    (True, True, 12.0)
    """
    target = Target.parse(target)
    task = _task(
        arrivals=arrivals, aht_s=aht_s, interval_s=interval_s, target=target, opened=opened, backlog=backlog,
        spare_s=spare_s, band=band, band_over=band_over, first_reply_s=first_reply_s, minimum=minimum, maximum=maximum,
        rate_cv=rate_cv,
        rate_common=rate_common, there=there, handle_cv=handle_cv, day=day, clock=clock,
    )  # fmt: skip
    refuse_hopeless(task)
    level = np.full(int(task.day[-1]) + 2, target.level)
    if confidence is None:
        found = best_plan(task, level=level, integer=integer)
    else:
        found = _confident(task, level, number("confidence", share("confidence", confidence)), integer)
    return _record(
        task, found, target, target.seconds - task.within_s, 1.0 if band is None else Band.parse(band).top, integer
    )


def _task(
    *, arrivals: npt.ArrayLike, aht_s: float, interval_s: float, target: Target, opened: npt.ArrayLike | None,
    backlog: Sequence[tuple[float, float]], spare_s: npt.ArrayLike, band: Band | None, band_over: str,
    first_reply_s: float,
    minimum: npt.ArrayLike, maximum: npt.ArrayLike | None, rate_cv: float, rate_common: float, there: npt.ArrayLike,
    handle_cv: float, day: npt.ArrayLike | None, clock: str,
) -> Task:  # fmt: skip
    come = at_least_zero("arrivals", arrivals, " tickets", "give 0 where nothing comes")
    if come.ndim != 1 or len(come) < 2:
        raise bad_value("arrivals", come.shape, "one row of at least two intervals")
    n, step = len(come), number("interval_s", above_zero("interval_s", interval_s, " s"))
    reply = number("first_reply_s", at_least_zero("first_reply_s", first_reply_s, " s"))
    within = target.seconds - reply
    if within <= 0:
        raise bad_value(
            "first_reply_s", reply, f"below the target's {target.seconds:g} s",
            f"the reply alone uses that up and nobody may wait: allow more time than in {str(target)!r}",
        )  # fmt: skip
    if within < step * (1 - 1e-9):
        raise bad_value(
            "target", str(target), f"a wait of at least one interval ({format_duration(step)}) to plan by deadlines",
            "customers who wait less are a live queue: plan it as one, allow more time, or take shorter intervals",
        )  # fmt: skip
    if clock not in ("calendar", "open"):
        raise bad_value("clock", clock, "calendar or open")
    if band_over not in ("interval", "day"):
        raise bad_value("band_over", band_over, "interval or day")
    top = 1.0 if band is None else Band.parse(band).top
    by_day = band_over == "day" and top < 1
    working = np.ones(n, np.bool_) if opened is None else flags("opened", opened, n)
    lower = _per_interval("minimum", whole("minimum", minimum), n) * working
    upper = np.full(n, np.inf) if maximum is None else _per_interval("maximum", whole("maximum", maximum), n)
    if (over := lower > upper).any():
        first = int(np.argmax(over))
        raise bad_value("minimum", lower[first], f"at most the maximum of {upper[first]:g} (interval {first})")
    legal = "pairs of tickets and their age in seconds"
    pairs = at_least_zero("backlog", backlog)
    if pairs.shape != (0,) and (pairs.ndim != 2 or pairs.shape[1] != 2):
        raise bad_value("backlog", backlog, legal, "write [(5, 600)] for five of ten minutes")
    pairs = pairs.reshape(-1, 2)
    pairs = pairs[np.argsort(-pairs[:, 1], kind="stable")]
    pairs = pairs[pairs[:, 0] > 0]
    if not working.any() and (come.any() or len(pairs)):
        raise bad_value("opened", "no interval", "open somewhere", "give the hours in which agents may work")
    cv = number("rate_cv", at_least_zero("rate_cv", rate_cv))
    common = number("rate_common", share_of_all("rate_common", rate_common))
    already = _per_interval("there", at_least_zero("there", there, " tickets"), n)
    if (more := already > come * (1 + 1e-9) + 1e-9).any():
        place = int(np.argmax(more))
        raise bad_value(
            "there", already[place], f"at most the {come[place]:g} arrivals of interval {place}", "they are among them"
        )
    return Task(
        step_s=step, aht_s=number("aht_s", above_zero("aht_s", aht_s, " s")),
        handle_scv=number("handle_cv", at_least_zero("handle_cv", handle_cv)) ** 2, arrivals=come,
        spare_s=_per_interval("spare_s", at_least_zero("spare_s", spare_s, " s"), n) * working, opened=working,
        lower=lower, upper=np.where(working, upper, 0.0),
        per_agent_s=step if by_day else step * top, day_top=top if by_day else None,
        kind="mean" if target.kind == "mean" else "share", level=target.level, within_s=within,
        open_clock=clock == "open", day=_days(day, n, step), waiting=pairs[:, 0], ages_s=pairs[:, 1],
        rate_cv=cv * common**0.5, own_cv=cv * (1 - common) ** 0.5, there=np.minimum(already, come),
    )  # fmt: skip


def _per_interval(parameter: str, values: npt.ArrayLike, n: int) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in ((), (1,), (n,)):
        raise bad_value(parameter, array.shape, f"one value or one for each of the {n} intervals")
    return np.array(np.broadcast_to(array, (n,)))


def _days(day: npt.ArrayLike | None, n: int, step: float) -> IntArray:
    if day is None:
        labels = np.floor(np.arange(n) * step / _DAY_S + 1e-9)
    else:
        labels = _per_interval("day", at_least_zero("day", day), n)
        if (np.diff(labels) < 0).any():
            raise bad_value("day", "a day that comes back", "numbers that do not fall", "sort the intervals by time")
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _confident(task: Task, level: FloatArray, confidence: float, integer: bool) -> Found:
    """Raise the mean share asked of the days until each reaches the level often enough."""
    if task.kind == "mean":
        raise bad_value("confidence", confidence, "left out for a mean target", 'write the target as "80% in 4h"')
    asked, begin = level.copy(), None
    for _ in range(12):
        found = best_plan(task, level=asked, integer=integer, begin=begin)
        often = (day_shares(found.lattice, found.agents) >= level[:-1] - 1e-12).mean(axis=0)
        low = (often < confidence) & (task.day_weight[:-1] > 0)
        if not low.any():
            return found
        # Half way to never: misses of a day are few large ones, so the mean share has to rise a lot.
        asked[:-1] = np.where(low, 1 - 0.6 * (1 - asked[:-1]), asked[:-1])
        begin = found.agents
    day = int(np.argmax(low))
    raise InputError(
        f"`confidence`: day {day} reaches its share in {often[day]:.1%} of all cases, not {confidence:.4g}; ask for "
        "less confidence or a lower share, or allow more time in `target`"
    )


def _record(task: Task, found: Found, target: Target, reply: float, top: float, integer: bool) -> Deferrable:
    course = found.course
    backlog = np.maximum(course.work_s / task.aht_s, 0.0)
    before = np.append(task.waiting.sum(), backlog[:-1])
    works = (found.agents > 0) | (task.spare_s > 0)
    # Without the band's top the same work takes so many:
    bare = np.ceil(found.agents * top - 1e-9)
    if task.day_top is not None:  # where the band leaves no agent to spare, and the target something
        bound = (found.spare_agents < 1) & (found.spare_shares > 0.01)
        bare = found.agents - bound[task.day]
    binding = np.select(
        [found.agents <= 0, found.agents <= task.lower, bare < found.agents], ["none", "minimum", "occupancy"], "frt"
    )
    days = int(task.day[-1]) + 1
    due = task.arrivals * task.judged
    in_time, of_day, come, waited = (
        np.bincount(task.day, each, days).astype(np.float64)
        for each in (due * course.in_time, due, task.arrivals, task.arrivals * (course.wait_s + reply))
    )
    lost = float(task.waiting[task.waiting_due_s < 0].sum())
    alive = float(task.waiting[(task.waiting_due_s >= 0) & np.isfinite(task.waiting_due_s)].sum())
    helped = found.lattice.start_in_time(found.agents)
    all_due = due.sum() + lost + alive
    total = float(found.agents.sum())
    good = total <= max(np.ceil(found.fractional - 1e-6), 1.01 * found.fractional) if integer else True
    judged_level = 0.5 if target.kind == "mean" else target.level
    return Deferrable(
        agents=np.round(found.agents).astype(np.int64) if integer else found.agents, binding=binding,
        answered=np.where(works, np.maximum(before + task.arrivals - backlog, 0.0), 0.0), backlog=backlog,
        waiting=course.waiting,
        oldest_age_s=np.maximum(course.age_s, 0.0), frt_share=course.in_time, frt_mean_s=course.wait_s + reply,
        due_share=task.judged, day=task.day, day_service_level=_ratio(in_time, of_day, 1.0),
        day_frt_mean_s=_ratio(waited, come, 0.0),
        day_confidence=(day_shares(found.lattice, found.agents) >= judged_level - 1e-12).mean(axis=0),
        service_level=float((in_time.sum() + helped) / all_due) if all_due > 0 else 1.0,
        frt_mean_s_all=float(waited.sum() / come.sum()) if come.sum() > 0 else 0.0,
        backlog_service_level=helped / (lost + alive) if lost + alive > 0 else 1.0,
        fluid_agent_intervals=float(found.fluid.sum()), margin_agent_intervals=total - float(found.fluid.sum()),
        used_spare_s=course.spare_s, status=PlanStatus.OPTIMAL if good else PlanStatus.FEASIBLE,
    )  # fmt: skip


def _ratio(part: FloatArray, whole_of: FloatArray, empty: float) -> FloatArray:
    out = np.full(len(part), empty)
    np.divide(part, whole_of, out=out, where=whole_of > 0)
    return out
