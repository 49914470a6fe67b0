"""Urgent tickets first: waits per class in M/M/c with non-preemptive priorities, and the agents each class needs.

Classes come most urgent first on the last axis. A freed agent takes the longest waiting ticket of the most urgent class
that waits; nobody is interrupted and nobody gives up.

References
----------
.. [1] A. Cobham, "Priority assignment in waiting line problems", Operations Research 2(1), 1954, pp. 70–76,
   doi:10.1287/opre.2.1.70; means for M/M/c with one handle time and for M/G/1.
.. [2] O. Kella, U. Yechiali, "Waiting times in the non-preemptive priority M/M/c queue", Stochastic Models 1(2), 1985,
   pp. 257–262, doi:10.1080/15326348508807014; the transform that is inverted here in closed form.
.. [3] A. B. Bondi, J. P. Buzen, "The response times of priority classes under preemptive resume in M/G/m queues",
   ACM SIGMETRICS 1984, pp. 195–201, doi:10.1145/800264.809332; the idea of scaling the single server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Target, bad_value
from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero, share, together
from staffcast.erlang.classes._priority_tail import late, late_quantile
from staffcast.erlang.models.formulas import waiting
from staffcast.erlang.models.general import factor

__all__ = [
    "PriorityMeans",
    "PriorityStaffing",
    "PriorityWaits",
    "priority_means",
    "priority_waits",
    "required_agents_by_class",
]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
_TIE = 1e-12  # a target met exactly is met, as in required_agents


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorityWaits:
    """What :func:`priority_waits` found; arrays of shape (..., classes), totals of shape (...).

    Attributes
    ----------
    p_wait : array
        Share of the class's tickets that wait at all: Erlang C of the whole load, the same for every class.
    asa_s : array
        Mean wait over all tickets of the class. [s]
    service_level : array
        Share of the class's tickets whose first response time (wait + first reply) is at most ``target_s``.
    miss_prob : array
        1 − service_level, to full relative precision.
    stable : array of bool
        Whether this class and the more urgent ones together are below the agents.
    total_asa_s, total_service_level : array
        Over all tickets.
    occupancy : array
        Handling ÷ (handling + idle).
    """

    p_wait: FloatArray
    asa_s: FloatArray
    service_level: FloatArray
    miss_prob: FloatArray
    stable: BoolArray
    total_asa_s: FloatArray
    total_service_level: FloatArray
    occupancy: FloatArray
    _aht_s: FloatArray
    _agents: FloatArray
    _above: FloatArray
    _upto: FloatArray

    def wait_quantile_s(self, q: npt.ArrayLike) -> FloatArray:
        """Shortest time within which a share ``q`` of each class's tickets gets an agent.

        Parameters
        ----------
        q : float or array that broadcasts with the fields of shape (..., classes)
            Share in [0, 1), 0.95 for p95.

        Returns
        -------
        array
            Seconds: 0 where enough tickets need not wait, inf for classes that are not stable.

        Raises
        ------
        InputError
            ``q`` outside [0, 1).

        Examples
        --------
        >>> waits = priority_waits(arrivals_per_hour=[30.0, 60.0], aht_s=360, agents=10)
        >>> waits.wait_quantile_s(0.95).round(0)
        array([ 133., 1370.])
        """
        level, p_wait, aht, people, above, upto = together(
            q=share("q", q),
            p_wait=self.p_wait,
            aht=self._aht_s,
            people=self._agents,
            above=self._above,
            upto=self._upto,
        )
        beyond = (1 - level) / np.maximum(p_wait, 1e-300)
        found = np.where((p_wait > 0) & (upto >= people), np.inf, 0.0)
        at = (beyond < 1) & (p_wait > 0) & (upto < people)
        if at.any():
            found[at] = late_quantile(beyond[at], people[at], above[at], upto[at]) * aht[at]
        return found


def priority_waits(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    agents: npt.ArrayLike,
    target_s: npt.ArrayLike = 60.0,
    first_reply_s: npt.ArrayLike = 0.0,
) -> PriorityWaits:
    """Exact waits per class in M/M/c with non-preemptive priorities and one mean handle time for all classes.

    Parameters
    ----------
    arrivals_per_hour : array of shape (..., classes)
        Mean tickets offered per hour, most urgent class first, ≥ 0.
    aht_s : float or array of shape (...)
        Mean handle time of all classes, > 0. [s]
    agents : float or array of shape (...)
        Agents answering, shrinkage already taken off, ≥ 0; real numbers allowed.
    target_s : float or array that broadcasts to (..., classes)
        First response time that ``service_level`` counts against, ≥ 0. [s]
    first_reply_s : float or array that broadcasts to (..., classes)
        What the agent needs for the first reply once the ticket is opened, ≥ 0. [s]

    Returns
    -------
    PriorityWaits
        A class without arrivals has nobody waiting: ``p_wait`` 0, ``service_level`` 1, waits 0. A class that, with
        the more urgent ones, reaches the agents is not stable: ``p_wait`` 1, ``service_level`` 0, waits inf, while
        the classes above it stay finite.

    Raises
    ------
    InputError
        An argument outside its range, no class axis, or shapes that do not fit.

    Notes
    -----
    With v = agents ÷ aht_s, Λ the rate of the more urgent classes and L = Λ + the own rate, a ticket that waits does so
    for an exponential amount of work of rate v − L, stretched by the urgent tickets that come meanwhile [2]_. The
    transform has a square root, whose cut gives a mixture of exponentials of rates v + Λ − 2√(vΛ)·cos θ, and for
    L² > vΛ one more exponential of rate (v − L)(L − Λ) ÷ L. All parts are positive, so tails keep their relative
    precision: within 1e-13 of inversion at 30 digits wherever Λ is below 99 % of v, and within 3e-7 up to 99.9999 %.

    Examples
    --------
    >>> waits = priority_waits(arrivals_per_hour=[30.0, 60.0], aht_s=360, agents=10, target_s=60)
    >>> waits.asa_s.round(0), waits.service_level.round(3)
    (array([ 34., 344.]), array([0.792, 0.42 ]))
    """
    rate, aht, people, target, reply = _by_class(arrivals_per_hour, aht_s, agents, target_s, first_reply_s)
    own = rate / 3600 * aht
    upto = np.cumsum(own, axis=-1)
    above = np.concatenate([np.zeros_like(upto[..., :1]), upto[..., :-1]], axis=-1)
    load, crew = upto[..., -1], people[..., 0]
    busy = waiting(load.ravel(), crew.ravel()).reshape(load.shape)[..., None]
    stable = upto < people
    comes = own > 0
    p_wait = np.where(comes, np.where(stable, busy, 1.0), 0.0)
    asa = np.where(comes, np.inf, 0.0)
    calm = comes & stable
    slow = np.broadcast_to(busy, rate.shape) * people * aht
    asa[calm] = slow[calm] / ((people - above)[calm] * (people - upto)[calm])
    within = target - reply
    miss = np.where(comes, 1.0, 0.0)
    some = calm & (within >= 0)
    if some.any():
        miss[some] = p_wait[some] * late((within / aht)[some], people[some], above[some], upto[some])
    everything = np.maximum(own.sum(axis=-1), 1e-300)
    weight = own / everything[..., None]
    with np.errstate(invalid="ignore"):
        total = np.where(comes, weight * asa, 0.0).sum(axis=-1)
    occupancy = np.divide(load, crew, out=np.zeros_like(load), where=crew > 0)
    return PriorityWaits(
        p_wait=p_wait, asa_s=asa, service_level=1 - miss, miss_prob=miss, stable=stable | ~comes,
        total_asa_s=total, total_service_level=1 - (weight * miss).sum(axis=-1),
        occupancy=np.minimum(occupancy, 1.0), _aht_s=aht, _agents=people, _above=above, _upto=upto,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorityMeans:
    """What :func:`priority_means` found.

    Attributes
    ----------
    asa_s : array of shape (..., classes)
        Mean wait over all tickets of the class; inf where it is not stable. [s]
    exact : array of bool of shape (...)
        True for one agent, and where all handle times are exponential with one mean; else an approximation.
    """

    asa_s: FloatArray
    exact: BoolArray


def priority_means(
    *, arrivals_per_hour: npt.ArrayLike, aht_s: npt.ArrayLike, agents: npt.ArrayLike, handle_cv2: npt.ArrayLike = 1.0
) -> PriorityMeans:
    """Mean waits per class when the classes differ in their handle times.

    Parameters
    ----------
    arrivals_per_hour, aht_s, handle_cv2 : array that broadcasts to (..., classes)
        Mean tickets per hour, ≥ 0; mean handle time, > 0 s; its CV² (variance ÷ mean²), ≥ 0. Most urgent first.
    agents : float or array of shape (...)
        Agents answering, ≥ 0.

    Returns
    -------
    PriorityMeans
        A class without arrivals waits 0.

    Raises
    ------
    InputError
        An argument outside its range, no class axis, or shapes that do not fit.

    Notes
    -----
    One agent: Cobham's exact M/G/1 [1]_. Several: the waits of one agent who works ``agents`` times as fast, times
    the ratio of the two mean waits first come first served, in the manner of [3]_ (which has pre-emptive classes), with
    M/G/c by :func:`~staffcast.erlang.wait_factor`. Against solved chains of two classes, 2 and 5 agents, loads
    of 70 % and 85 %: the less urgent class is within 4 %, the urgent one within 12 % where its tickets take a third of
    the others' time and up to 35 % too long where they take three times as much. In overload the urgent classes meet
    agents who are always busy, the rest of their time with the first class that is not stable.

    Examples
    --------
    >>> found = priority_means(arrivals_per_hour=[4.0, 8.0], aht_s=[120, 240], agents=1)
    >>> found.asa_s.round(1), found.exact
    (array([166.2, 498.5]), array(True))
    """
    rate, aht, cv2 = together(
        arrivals_per_hour=_rates(arrivals_per_hour), aht_s=above_zero("aht_s", aht_s, " s"),
        handle_cv2=at_least_zero("handle_cv2", handle_cv2),
    )  # fmt: skip
    rate, aht, cv2, people = together(
        arrivals_per_hour=rate, aht_s=aht, handle_cv2=cv2, agents=at_least_zero("agents", agents)[..., None]
    )
    load = rate / 3600 * aht
    upto = np.cumsum(load, axis=-1)
    above = np.concatenate([np.zeros_like(upto[..., :1]), upto[..., :-1]], axis=-1)
    handled = np.minimum(load, np.maximum(people - above, 0.0))
    busy = handled.sum(axis=-1)
    crew = people[..., 0]
    # Of the tickets handled: rate, mean square of the handle time, and with these the CV² of the mixture.
    flow = np.maximum((handled / aht).sum(axis=-1), 1e-300)
    square = (handled * aht * (1 + cv2)).sum(axis=-1)
    mixed = np.maximum(square * flow / np.maximum(busy, 1e-300) ** 2 - 1, 0.0)
    times = factor(busy.ravel(), crew.ravel(), np.ones(busy.size), mixed.ravel(), "kimura").reshape(busy.shape)
    p_wait = waiting(np.minimum(busy, crew).ravel(), crew.ravel()).reshape(busy.shape)
    several = times / ((1 + mixed) / 2) * p_wait * crew / np.maximum(busy, 1e-300)
    calm = (load > 0) & (upto < people)
    asa = np.where(load > 0, np.inf, 0.0)
    rest = np.broadcast_to((square / 2 * several)[..., None], load.shape)
    asa[calm] = rest[calm] / ((people - above)[calm] * (people - upto)[calm])
    alike = np.all((aht == aht[..., :1]) & (cv2 == 1), axis=-1)
    return PriorityMeans(asa_s=asa, exact=np.asarray((crew == 1) | alike))


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorityStaffing:
    """What :func:`required_agents_by_class` found.

    Attributes
    ----------
    agents : array of int64, shape (...)
        The smallest number with which every class meets its own target.
    binding : array of int64, shape (...)
        The most urgent class that would miss its target with one agent fewer, counted from 0; -1 without tickets.
    waits : PriorityWaits
        What the classes meet with ``agents``; ``service_level`` counts against each target's seconds.
    """

    agents: IntArray
    binding: IntArray
    waits: PriorityWaits


def required_agents_by_class(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    targets: Sequence[Target | str],
    first_reply_s: npt.ArrayLike = 0.0,
) -> PriorityStaffing:
    """Smallest number of agents with which every priority class meets its own target.

    Parameters
    ----------
    arrivals_per_hour, aht_s, first_reply_s
        As in :func:`priority_waits`.
    targets : sequence of Target
        One per class, most urgent first.

    Returns
    -------
    PriorityStaffing

    Raises
    ------
    InputError
        An argument outside its range, another number of targets than classes, or a first reply that alone takes as
        long as the target allows.

    Examples
    --------
    >>> found = required_agents_by_class(
    ...     arrivals_per_hour=[30.0, 60.0], aht_s=360, targets=["90% in 30s", "80% in 10m"]
    ... )
    >>> int(found.agents), int(found.binding), found.waits.service_level.round(3)
    (13, 0, array([0.932, 0.999]))
    """
    rate = _rates(arrivals_per_hour)
    goals = [Target.parse(each) for each in targets]
    if len(goals) != rate.shape[-1]:
        raise bad_value("targets", len(goals), f"one per class, here {rate.shape[-1]}", "most urgent first")
    seconds = np.array([goal.seconds for goal in goals])
    rate, aht, _, target, reply = _by_class(rate, aht_s, 0.0, seconds, first_reply_s)
    if np.any(reply >= target):
        first = float(reply[reply >= target][0])
        raise bad_value("first_reply_s", first, "below its target's seconds", "allow more time")
    share_of = np.array([0.0 if goal.kind == "mean" else 1 - goal.level for goal in goals])
    by_mean = np.array([goal.kind == "mean" for goal in goals])

    def at(agents: IntArray) -> PriorityWaits:
        return priority_waits(
            arrivals_per_hour=rate, aht_s=aht[..., 0], agents=agents, target_s=target, first_reply_s=reply
        )

    def missed(agents: IntArray) -> BoolArray:
        waits = at(agents)
        slow = waits.asa_s + reply > target * (1 + _TIE)
        many = waits.miss_prob > share_of * (1 + _TIE)
        found: BoolArray = np.where(by_mean, slow, many) & (rate > 0)
        return found

    load = (rate * aht).sum(axis=-1) / 3600
    agents = _smallest(
        lambda number: np.asarray(~missed(number).any(axis=-1)), np.floor(load).astype(np.int64), load > 0
    )
    fewer = missed(np.maximum(agents - 1, 0))
    return PriorityStaffing(agents=agents, binding=np.where(load > 0, np.argmax(fewer, axis=-1), -1), waits=at(agents))


def _smallest(
    meets: Callable[[IntArray], BoolArray],
    too_few: IntArray,
    wanted: BoolArray,
) -> IntArray:
    """Smallest agents above ``too_few`` that meet, everywhere at once: doubling, then halving; 0 where not wanted."""
    low, stride = np.where(wanted, too_few, -1), np.ones_like(too_few)
    high = low + 1
    while not (enough := meets(high) | ~wanted).all():
        low, stride = np.where(enough, low, high), np.where(enough, stride, 2 * stride)
        high = np.where(enough, high, high + stride)
    while (high - low > 1).any():
        middle = (low + high) // 2
        enough = meets(np.maximum(middle, 0)) | ~wanted
        low, high = np.where(enough, low, np.maximum(middle, low)), np.where(enough & (middle > low), middle, high)
    return np.where(wanted, high, 0)


def _rates(arrivals_per_hour: npt.ArrayLike) -> FloatArray:
    rate = at_least_zero("arrivals_per_hour", arrivals_per_hour, " per hour", "give 0 where nothing comes")
    if rate.ndim == 0 or rate.shape[-1] == 0:
        raise bad_value("arrivals_per_hour", rate.shape, "an array with the classes on its last axis")
    return rate


def _by_class(
    arrivals_per_hour: npt.ArrayLike, aht_s: npt.ArrayLike, agents: npt.ArrayLike, target_s: npt.ArrayLike,
    first_reply_s: npt.ArrayLike,
) -> list[FloatArray]:  # fmt: skip
    """The arguments, checked, all of the shape (..., classes)."""
    return together(
        arrivals_per_hour=_rates(arrivals_per_hour),
        aht_s=above_zero("aht_s", aht_s, " s")[..., None],
        agents=at_least_zero("agents", agents)[..., None],
        target_s=at_least_zero("target_s", target_s, " s"),
        first_reply_s=at_least_zero("first_reply_s", first_reply_s, " s"),
    )
