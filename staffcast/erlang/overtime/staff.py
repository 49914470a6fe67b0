"""Agents per interval when demand changes within the handle time, by the approximations and by what holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Band, Target, bad_value
from staffcast.erlang._checks import FloatArray, at_least_zero, flags, number, whole
from staffcast.erlang.overtime.chain import QUICK, at_rest
from staffcast.erlang.overtime.checks import per_interval
from staffcast.erlang.overtime.offeredload import carry_over, load_over_time
from staffcast.erlang.overtime.quantile import quantiles_of
from staffcast.erlang.overtime.rest import TIE, Rest, gap_of, smallest
from staffcast.erlang.overtime.score import Course, Setting, Stretch, figures, follow
from staffcast.erlang.overtime.search import Gap, Search
from staffcast.erlang.overtime.transient import setting_of
from staffcast.erlang.solve import required_agents

__all__ = ["OverTime", "staff_over_time"]

Method = Literal["transient", "sipp", "sipp_max", "lagged", "mol", "mol_max", "carryover"]
IntArray = npt.NDArray[np.int64]
Tried = Callable[[int], tuple[FloatArray, FloatArray]]
_MET = 1e-7  # figures this close below the target count as met


@dataclass(frozen=True, kw_only=True, eq=False)
class OverTime:
    """What :func:`staff_over_time` found; arrays have one value per interval.

    Attributes
    ----------
    agents : array of int64
        The plan.
    binding : array of str
        The rule that set it: ``frt``, ``occupancy``, ``minimum``, or ``none`` where nobody is needed.
    frt_agents, occupancy_agents : array of int64
        What the target alone and the band's top alone ask for, the other intervals as planned.
    load_erl : array
        The load: mean modified offered load, or with another method the load that it staffs to. [erlang]
    service_level, abandoned, asa_s, frt_mean_s, occupancy : array
        What the plan gives, whatever the method: the exact figures of
        :func:`staffcast.erlang.transient_performance`.
    met : array of bool
        Whether these figures meet the target and the band's top; always so for ``transient``.
    agent_hours : float
        Sum of the agents times the length of an interval.
    method : str
        The argument.
    """

    agents: IntArray
    binding: npt.NDArray[np.str_]
    frt_agents: IntArray
    occupancy_agents: IntArray
    load_erl: FloatArray
    service_level: FloatArray
    abandoned: FloatArray
    asa_s: FloatArray
    frt_mean_s: FloatArray
    occupancy: FloatArray
    met: npt.NDArray[np.bool_]
    agent_hours: float
    method: str
    followed: InitVar[tuple[Setting, list[Stretch]]]

    def __post_init__(self, followed: tuple[Setting, list[Stretch]]) -> None:
        # Not a figure, so not a field: what the quantiles need, which are found when they are asked for.
        object.__setattr__(self, "_followed", followed)

    def wait_quantiles_s(self, q: Sequence[float]) -> FloatArray:
        """As :func:`staffcast.erlang.transient_quantiles`, of this plan: array of shape (len(q), intervals)."""
        setting, stretches = vars(self)["_followed"]
        return quantiles_of(q, setting, stretches)


def staff_over_time(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    interval_s: float,
    target: Target,
    band: Band | None = None,
    patience_s: float | None = None,
    first_reply_s: float = 0.0,
    minimum: npt.ArrayLike = 0,
    rate_cv: float = 0.0,
    day: npt.ArrayLike | None = None,
    opened: npt.ArrayLike | None = None,
    method: Method = "transient",
    start: float = 0.0,
) -> OverTime:
    """Agents for every interval of a stretch of time in which the queue carries over from one to the next.

    Parameters
    ----------
    arrivals_per_hour : array of shape (intervals,) or (intervals, pieces)
        Tickets offered per hour, ≥ 0, constant over an interval or over each of its equal pieces.
    aht_s : float or array of shape (intervals,)
        Mean handle time, > 0. [s]
    interval_s : float
        Length of an interval, > 0; agents come and go between intervals. [s]
    target : Target
        What the tickets that arrive in an interval must meet. A share counts over all offered, who gives up has missed
        it; a mean and a percentile count over the answered.
    band : Band, optional
        Occupancy may not exceed its top in any interval.
    patience_s : float, optional
        Mean patience, > 0; without it nobody gives up. [s]
    first_reply_s : float
        What the agent needs for the first reply once the ticket is opened, ≥ 0. [s]
    minimum : int or array of shape (intervals,)
        Fewest agents while open, ≥ 0.
    rate_cv : float
        Relative standard deviation of the day's gamma factor of all rates, ≥ 0, as in
        :func:`staffcast.erlang.transient_performance`.
    day : array of int of shape (intervals,), optional
        Which day an interval belongs to. By default one day.
    opened : array of bool of shape (intervals,), optional
        Where the desk is open. Closed intervals have no agents, and nothing may arrive in them; a queue left at closing
        is carried to the next opening, or gives up in the meantime if there is patience. A ticket not answered before
        closing therefore counts with its wait to the morning.
    method : {"transient", "sipp", "sipp_max", "lagged", "mol", "mol_max", "carryover"}
        ``transient`` holds in every interval. The others give a stationary formula a load of
        :func:`staffcast.erlang.load_over_time`, or that of the stationary backlog-carryover approach, and need not
        hold: see ``met``.
    start : float
        Offered load before the first interval, ≥ 0. [erlang]

    Returns
    -------
    OverTime
        Arrays of shape (intervals,).

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    Notes
    -----
    ``transient`` ends where no single agent can be taken away and no agent more lets two go in the intervals that
    follow. Its search is not exhaustive: a plan with fewer agent-hours is not excluded. It works with a coarser grade
    of the equations than :func:`staffcast.erlang.transient_performance`, on the safe side of a share target by 1e-5;
    the figures returned are of that grade, shares within 1e-5 and mean waits within 0.5 %.

    References
    ----------
    .. [1] L. V. Green, P. J. Kolesar, W. Whitt, "Coping with time-varying demand when setting staffing requirements for
       a service system", Production and Operations Management 16(1), 2007, pp. 13–39,
       doi:10.1111/j.1937-5956.2007.tb00164.x.

    Examples
    --------
    >>> day = {"arrivals_per_hour": [5, 20, 60, 40, 20], "aht_s": 2700, "interval_s": 3600, "start": 4}
    >>> goal = Target.parse("80% in 10m")
    >>> for method in ("sipp", "mol", "transient"):
    ...     found = staff_over_time(**day, target=goal, method=method)
    ...     print(found.agents, found.service_level.round(2))
    [ 6 18 49 34 18] [0.9  1.   1.   0.76 0.12]
    [ 6 12 31 38 28] [0.9  0.93 0.89 0.85 0.79]
    [ 6 10 29 38 29] [0.9  0.82 0.81 0.81 0.8 ]
    """
    target = Target.parse(target)
    band = None if band is None else Band.parse(band)
    if method not in get_args(Method):
        raise bad_value("method", method, f"one of {', '.join(get_args(Method))}")
    if number("first_reply_s", at_least_zero("first_reply_s", first_reply_s, " s")) >= target.seconds:
        raise bad_value(
            "first_reply_s", first_reply_s, f"below the target's {target.seconds:g} s",
            f"the reply alone uses that up and nobody may wait: allow more time than in {str(target)!r}",
        )  # fmt: skip
    setting = setting_of(
        arrivals_per_hour=arrivals_per_hour, aht_s=aht_s, interval_s=interval_s, target_s=target.seconds,
        patience_s=patience_s, first_reply_s=first_reply_s, rate_cv=rate_cv, day=day,
    )  # fmt: skip
    count = len(setting.rates)
    least = per_interval("minimum", whole("minimum", minimum), count).astype(np.int64)
    closed = ~_opened(opened, setting)
    load = number("start", at_least_zero("start", start, " erlang"))
    rest = Rest(target, setting.within, setting.theta, setting.weight * setting.factors)
    top = None if band is None else band.top

    loads = _loads("mol" if method in ("transient", "carryover") else method, setting, load)
    frt = np.where(closed, 0, _stationary(loads, setting, target, rest, first_reply_s, rate_cv))
    if method == "carryover":
        loads, frt = _carried(setting, rest, closed, frt)
    by_top = np.zeros(count, dtype=np.int64) if top is None else np.ceil(loads / top * (1 - TIE)).astype(np.int64)
    by_top[closed] = 0
    agents = np.maximum(np.maximum(frt, by_top), np.where(closed, 0, least))
    binding = _binding(agents, frt, by_top)
    start_state = at_rest(load, len(setting.weight))
    if method == "transient":
        course = Course(setting, QUICK, whole=_to_the_end(target, setting))
        reach = _reach(target, setting, closed)
        frt_gap, full_gap = _gaps(course, target, top, reach)
        search = Search(
            course, full_gap, reach=reach, guess=agents.tolist(), least=least.tolist(), closed=closed.tolist(),
            start=start_state,
        )  # fmt: skip
        agents = np.array(search.run(), dtype=np.int64)
    course = Course(setting, QUICK, whole=True)
    if method == "transient":  # already followed, but with the moments of arrival that its own gap needs
        stretches = [replace(each, late=None) for each in search.stretches]
    else:
        stretches = follow(course, agents.tolist(), start_state)
    found = figures(course, agents.tolist(), stretches)
    met = _met(found, target, top, first_reply_s)
    for _ in range(20 if method == "transient" else 0):  # waits beyond the reach of the search
        if met.all():
            break
        agents = agents + (~met & ~closed)
        stretches = follow(course, agents.tolist(), start_state)
        found = figures(course, agents.tolist(), stretches)
        met = _met(found, target, top, first_reply_s)
    if method == "transient":
        if agents.tolist() != search.staff:
            search.replan(agents.tolist())
        frt, by_top, binding = _why(search, frt_gap, agents, found["occupancy"], top, closed)
    return OverTime(
        agents=agents, binding=binding, frt_agents=frt.astype(np.int64), occupancy_agents=by_top, load_erl=loads,
        service_level=found["service_level"], abandoned=found["abandoned"], asa_s=found["asa_s"],
        frt_mean_s=found["asa_s"] + first_reply_s, occupancy=found["occupancy"], met=met,
        agent_hours=float(agents.sum() * setting.interval_s / 3600), method=method,
        followed=(setting, stretches),
    )  # fmt: skip


def _opened(opened: npt.ArrayLike | None, setting: Setting) -> npt.NDArray[np.bool_]:
    count = len(setting.rates)
    if opened is None:
        return np.ones(count, dtype=np.bool_)
    given = flags("opened", opened, count)
    wrong = ~given & setting.rates.any(axis=1)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise bad_value(
            "arrivals_per_hour", float(setting.rates[at].max() * 3600), f"0 in interval {at}, closed by `opened`",
            "count these tickets where the desk opens",
        )  # fmt: skip
    return given


def _loads(method: str, setting: Setting, start: float) -> FloatArray:
    return load_over_time(
        arrivals_per_hour=setting.rates * 3600, aht_s=1 / setting.finish, interval_s=setting.interval_s,
        method=method, start=start if start > 0 else None,  # type: ignore[arg-type]
    )  # fmt: skip


def _stationary(
    loads: FloatArray, setting: Setting, target: Target, rest: Rest, first_reply_s: float, rate_cv: float
) -> IntArray:
    """Fewest agents by Erlang C or Erlang A for each load."""
    aht = 1 / setting.finish
    if setting.theta == 0:
        steady = required_agents(
            arrivals_per_hour=loads / aht * 3600, aht_s=aht, target=target, first_reply_s=first_reply_s, rate_cv=rate_cv
        )
        return steady.frt_agents.astype(np.int64)
    found, beta = np.zeros(len(loads), dtype=np.int64), 0.0
    for i, load in enumerate(loads.tolist()):
        # Square-root staffing as the interval before had it; + 1, as a load next to nothing tells nothing of the next.
        guess = math.ceil(load + beta * math.sqrt(load + 1))
        found[i] = rest.fewest(load * setting.factors, float(aht[i]), guess)
        beta = (float(found[i]) - load) / math.sqrt(load + 1) if load > 0 else beta
    return found


def _carried(
    setting: Setting, rest: Rest, closed: npt.NDArray[np.bool_], guess: IntArray
) -> tuple[FloatArray, IntArray]:
    """Loads and agents by the stationary backlog-carryover approach, from the first interval to the last."""
    aht = 1 / setting.finish
    periods = max(round(setting.interval_s / float(aht.mean())), 1)
    loads, agents = np.zeros(len(aht)), np.zeros(len(aht), dtype=np.int64)
    left = np.zeros(len(setting.weight))
    for i, rate in enumerate(setting.rates.mean(axis=1).tolist()):
        if setting.new_day[i]:
            left = np.full_like(left, setting.weight @ left)

        def tried(
            people: int, rate: float = rate, handle: float = float(aht[i]), left: FloatArray = left
        ) -> tuple[FloatArray, FloatArray]:
            nodes = [
                carry_over(rate * factor, handle, people, setting.interval_s, periods, waiting)
                for factor, waiting in zip(setting.factors.tolist(), left.tolist(), strict=True)
            ]
            return np.array([each for each, _ in nodes]), np.array([each[-1] for _, each in nodes])

        def meets(people: int, handle: float = float(aht[i]), tried: Tried = tried) -> bool:
            load, _ = tried(people)
            return bool(np.mean([rest.gap(load[:, k], people, handle) for k in range(periods)]) >= -TIE)

        people = 0 if closed[i] or rate == 0 else smallest(meets, int(guess[i]))
        load, after = tried(people)
        agents[i], loads[i], left = people, float((setting.weight @ load).mean()), after
    return loads, agents


def _to_the_end(target: Target, setting: Setting) -> bool:
    """Whether the figure depends on what becomes of the tickets after the target's time."""
    return target.kind == "mean" or (target.kind == "percentile" and setting.theta > 0)


def _reach(target: Target, setting: Setting, closed: npt.NDArray[np.bool_]) -> list[int]:
    """On how many later intervals' staff the figure of each depends."""
    count, step = len(closed), setting.interval_s
    within = math.ceil(setting.within / step)
    if not _to_the_end(target, setting):
        return [within] * count
    # Who waits longer than this while the desk is open is of no account; nobody is answered while it is closed.
    ahead = max(within, math.ceil(4 / float(setting.finish.min()) / step))
    open_at = np.flatnonzero(~closed)
    later = np.searchsorted(open_at, np.arange(count), side="right") + ahead - 1
    last = np.append(open_at, count - 1)[np.minimum(later, len(open_at))]  # or to the end
    reach = np.maximum(last - np.arange(count), np.minimum(within, count - 1 - np.arange(count)))
    return [int(each) for each in reach]


def _gaps(course: Course, target: Target, top: float | None, reach: Sequence[int]) -> tuple[Gap, Gap]:
    """The gap of the target, and that of the target and the band's top together."""
    to_the_end = _to_the_end(target, course.setting)

    def frt(i: int, stretch: Stretch, staff: Sequence[int]) -> float:
        if stretch.offered == 0:
            return 1.0
        on_time, answered, wait = course.on_time(i, stretch, staff), stretch.offered, 0.0
        if to_the_end:
            answered, wait = course.fate(i, stretch, course.later(i, staff, reach[i], stretch.size))
        shares = (each / stretch.offered for each in (on_time, answered, wait))
        return gap_of(target, course.setting.within, *shares)

    def both(i: int, stretch: Stretch, staff: Sequence[int]) -> float:
        gap = frt(i, stretch, staff)
        return gap if top is None else min(gap, top - stretch.occupancy)

    return frt, both


def _met(found: dict[str, FloatArray], target: Target, top: float | None, reply: float) -> npt.NDArray[np.bool_]:
    if target.kind == "share":
        met = found["service_level"] >= target.level - _MET
    elif target.kind == "percentile":
        met = found["service_level"] >= (target.level - _MET) * (1 - found["abandoned"])
    else:
        met = found["asa_s"] + reply <= target.seconds * (1 + _MET)
    return np.asarray(met if top is None else met & (found["occupancy"] <= top + _MET))


def _binding(agents: IntArray, frt: IntArray, by_top: IntArray) -> npt.NDArray[np.str_]:
    return np.select(
        [agents == 0, agents == frt, agents == by_top], ["none", "frt", "occupancy"], "minimum"
    )  # fmt: skip


def _why(
    search: Search, frt_gap: Gap, agents: IntArray, occupancy: FloatArray, top: float | None,
    closed: npt.NDArray[np.bool_],
) -> tuple[IntArray, IntArray, npt.NDArray[np.str_]]:  # fmt: skip
    """Which rule holds each interval where it is, and what each rule alone asks for."""
    frt, by_top = np.zeros_like(agents), np.zeros_like(agents)
    if top is not None:
        by_top = np.minimum(np.ceil(occupancy * agents / top * (1 - TIE)).astype(np.int64), agents)
    for i in np.flatnonzero((agents > 0) & ~closed).tolist():
        frt[i] = search.fewest_alone(i, frt_gap)
        if frt[i] < agents[i] and top is not None and search.occupancy_without(i) > top:
            by_top[i] = agents[i]
    return frt, by_top, _binding(agents, frt, by_top)
