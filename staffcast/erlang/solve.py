"""How many agents an interval needs: the smallest whole number that meets every rule, and which rule set it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from staffcast.contracts import Band, Target, bad_value
from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero, together, whole
from staffcast.erlang.measures import Queue, occupied

__all__ = ["Staffing", "required_agents"]

# Ties count as met: 9 erlang at 90 % is 10 agents, and 0.1 * 3 erlang is no more than 0.3.
_TIE = 1e-12

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Staffing:
    """What :func:`required_agents` found; every field is an array of the broadcast shape of its arguments.

    Attributes
    ----------
    agents : array of int64
        The smallest number that meets every rule.
    binding : array of str
        The rule that set it: ``frt``, ``occupancy``, ``minimum``, or ``none`` where nothing comes and nobody is
        needed. When several ask for the same number it is the first of them.
    frt_agents, occupancy_agents : array of int64
        What the target alone and the band's top alone would ask for (0 without demand or without a band).
    load_erl : array
        Mean offered load. [erlang]
    occupancy : array
        Handling ÷ (handling + idle) with ``agents``.
    band_gap : array
        How far ``occupancy`` lies below the band's bottom, as a share; 0 inside, without a band or without agents.
    service_level : array
        Share of the offered tickets whose first response time (FRT) is within the target's seconds.
    frt_mean_s, frt_p50_s, frt_p90_s, frt_p95_s, frt_p99_s : array
        Mean and percentiles of FRT. [s]
    one_fewer : array
        The figure that decided, with one agent fewer. Bound by ``frt``: the service level (share target), the mean
        FRT in seconds (mean target) or that percentile of FRT in seconds (percentile target). Bound by
        ``occupancy``: the occupancy. NaN for ``minimum`` and ``none``.
    """

    agents: IntArray
    binding: npt.NDArray[np.str_]
    frt_agents: IntArray
    occupancy_agents: IntArray
    load_erl: FloatArray
    occupancy: FloatArray
    band_gap: FloatArray
    service_level: FloatArray
    frt_mean_s: FloatArray
    frt_p50_s: FloatArray
    frt_p90_s: FloatArray
    frt_p95_s: FloatArray
    frt_p99_s: FloatArray
    one_fewer: FloatArray


def required_agents(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    target: Target,
    band: Band | None = None,
    first_reply_s: npt.ArrayLike = 0.0,
    minimum: npt.ArrayLike = 0,
    rate_cv: npt.ArrayLike = 0.0,
) -> Staffing:
    """Smallest number of agents that meets the FRT target, the band's top and the minimum.

    Parameters
    ----------
    arrivals_per_hour : float or array
        Mean tickets offered per hour, ≥ 0.
    aht_s : float or array
        Mean handle time, > 0. [s]
    target : Target
        What first response time must reach; counted over all offered tickets.
    band : Band, optional
        Occupancy may not exceed its top. Its bottom asks for nobody: it only gives ``band_gap``.
    first_reply_s : float or array
        What the agent needs for the first reply once the ticket is opened, ≥ 0. [s]
    minimum : int or array
        Fewest agents, ≥ 0, also where nothing comes; give 0 where the queue is closed.
    rate_cv : float or array
        Relative standard deviation of the rate itself, ≥ 0, as in :func:`staffcast.erlang.performance`; a mean
        target is then met over the 99.9 % of the tickets with the lower rates, so it asks for stability at all of
        those and for many more agents than a share or a percentile.

    Returns
    -------
    Staffing
        Arrays of the broadcast shape; shape () for numbers. The agents are not yet grossed up for shrinkage.

    Raises
    ------
    InputError
        An argument outside its range, shapes that do not fit, or a ``first_reply_s`` that leaves no time to wait.

    Notes
    -----
    A rule that is met exactly is met, to a relative tolerance of 1e-12. Without demand the target and the band ask
    for nobody.

    References
    ----------
    .. [1] S. Halfin, W. Whitt, "Heavy-traffic limits for queues with many exponential servers", Operations Research
       29(3), 1981, pp. 567–588, doi:10.1287/opre.29.3.567, equation (2.3); only where the search begins.

    Examples
    --------
    >>> found = required_agents(
    ...     arrivals_per_hour=[0, 30, 90, 900], aht_s=360, target=Target.parse("80% in 60s"), band=Band.parse("85%-90%")
    ... )
    >>> found.agents, found.binding
    (array([  0,   5,  12, 100]), array(['none', 'frt', 'frt', 'occupancy'], dtype='<U9'))
    >>> found.one_fewer.round(2), found.band_gap.round(2)
    (array([ nan, 0.57, 0.69, 0.91]), array([0.  , 0.25, 0.1 , 0.  ]))
    """
    target = Target.parse(target)
    band = None if band is None else Band.parse(band)
    rate, aht, reply, least, cv = together(
        arrivals_per_hour=at_least_zero(
            "arrivals_per_hour", arrivals_per_hour, " per hour", "give 0 where nothing comes"
        ),
        aht_s=above_zero("aht_s", aht_s, " s"),
        first_reply_s=at_least_zero("first_reply_s", first_reply_s, " s"),
        minimum=whole("minimum", minimum),
        rate_cv=at_least_zero("rate_cv", rate_cv),
    )
    if np.any(reply >= target.seconds):
        raise bad_value(
            "first_reply_s", float(reply[reply >= target.seconds][0]), f"below the target's {target.seconds:g} s",
            f"the reply alone uses that up and nobody may wait: allow more time than in {str(target)!r}",
        )  # fmt: skip
    shape = rate.shape
    load, aht, reply, cv = (each.ravel() for each in (rate * aht / 3600, aht, reply, cv))
    lowest = least.ravel().astype(np.int64)
    frt = _frt_agents(load, aht, reply, cv, target)
    occupancy = np.zeros_like(frt) if band is None else _occupancy_agents(load, cv, band.top)
    agents = np.maximum(np.maximum(frt, occupancy), lowest)
    binding = np.select(
        [agents == 0, (agents == frt) & (load > 0), (agents == occupancy) & (load > 0)],
        ["none", "frt", "occupancy"], "minimum",
    )  # fmt: skip

    people, fewer = agents.astype(np.float64), np.maximum(agents - 1, 0).astype(np.float64)
    there, busy = Queue(load, people, aht, cv), occupied(load, people, cv)
    one_fewer = np.full(len(load), np.nan)
    by_frt, by_occupancy = binding == "frt", binding == "occupancy"
    one_fewer[by_frt] = _figure(target, *(each[by_frt] for each in (load, fewer, aht, reply, cv)))
    one_fewer[by_occupancy] = occupied(*(each[by_occupancy] for each in (load, fewer, cv)))
    gap = np.zeros(len(load)) if band is None else np.maximum(band.bottom - busy, 0.0)
    gap[(gap < _TIE) | (agents == 0)] = 0.0
    p50, p90, p95, p99 = (there.wait_quantile(np.full_like(load, q)) + reply for q in (0.50, 0.90, 0.95, 0.99))
    return Staffing(
        agents=agents.reshape(shape), binding=binding.reshape(shape),
        frt_agents=frt.reshape(shape), occupancy_agents=occupancy.reshape(shape),
        load_erl=load.reshape(shape), occupancy=busy.reshape(shape), band_gap=gap.reshape(shape),
        service_level=(1 - there.miss_probability(target.seconds - reply)).reshape(shape),
        frt_mean_s=(there.average_wait() + reply).reshape(shape),
        frt_p50_s=p50.reshape(shape), frt_p90_s=p90.reshape(shape), frt_p95_s=p95.reshape(shape),
        frt_p99_s=p99.reshape(shape), one_fewer=one_fewer.reshape(shape),
    )  # fmt: skip


def _figure(
    target: Target, load: FloatArray, agents: FloatArray, aht: FloatArray, reply: FloatArray, cv: FloatArray
) -> FloatArray:
    """The figure that the target is about: a share, or seconds."""
    queue = Queue(load, agents, aht, cv)
    if target.kind == "share":
        return 1 - queue.miss_probability(target.seconds - reply)
    if target.kind == "mean":
        return queue.average_wait() + reply
    return queue.wait_quantile(np.full_like(load, target.level)) + reply


def _frt_agents(load: FloatArray, aht: FloatArray, reply: FloatArray, cv: FloatArray, target: Target) -> IntArray:
    within = target.seconds - reply
    missed = 1 - target.level

    def meets(agents: FloatArray, at: IntArray) -> BoolArray:
        queue = Queue(load[at], agents, aht[at], cv[at])
        if target.kind == "mean":
            return queue.average_wait() + reply[at] <= target.seconds * (1 + _TIE)
        # The level quantile is at most T exactly when at least that share is within T: one search for both kinds.
        return queue.miss_probability(within[at]) <= missed * (1 + _TIE)

    # A known rate needs more agents than erlangs. An uncertain one can do with fewer: most of its time is quieter.
    too_few = np.where(cv > 0, 0.0, np.floor(load)).astype(np.int64)
    return _smallest(meets, load > 0, too_few, _likely(load, aht, within, cv, target))


def _occupancy_agents(load: FloatArray, cv: FloatArray, top: float) -> IntArray:
    # Enough for every cv, as averaging over rates only makes agents idler; exact for a known rate.
    ratio = load / top
    known = np.ceil(ratio * (1 - _TIE)).astype(np.int64)

    def meets(agents: FloatArray, at: IntArray) -> BoolArray:
        return occupied(load[at], agents, cv[at]) <= top * (1 + _TIE)

    uncertain = (load > 0) & (cv > 0)
    found = _smallest(meets, uncertain, np.zeros_like(known), known)
    return np.where(uncertain, found, known)


def _smallest(
    meets: Callable[[FloatArray, IntArray], BoolArray], wanted: BoolArray, too_few: IntArray, start: IntArray
) -> IntArray:
    """Smallest agents per element for which ``meets`` holds; 0 where not ``wanted``.

    ``meets(agents, at)`` tells it for the elements ``at``; true for all numbers above one for which it is true.
    ``too_few`` never meets. From ``start`` the search walks up or down in doubling steps until the answer lies
    between two numbers, then halves; it ends only with a number that meets and its predecessor that does not.
    """
    below, above = too_few.copy(), np.full_like(too_few, -1)
    guess = np.maximum(start, too_few + 1)
    stride = np.ones_like(guess)
    at = np.flatnonzero(wanted).astype(np.int64)
    while at.size:
        enough = meets(guess[at].astype(np.float64), at)
        above[at[enough]] = guess[at[enough]]
        below[at[~enough]] = guess[at[~enough]]
        at = at[above[at] - below[at] != 1]
        low, high = below[at], above[at]
        walking_up = high < 0
        step = np.where(walking_up, low + stride[at], np.maximum(high - stride[at], low + (high - low) // 2))
        guess[at] = np.maximum(step, low + 1)
        stride[at] *= 2
    return np.where(wanted, above, 0)


def _likely(load: FloatArray, aht: FloatArray, within: FloatArray, cv: FloatArray, target: Target) -> IntArray:
    """Where to begin: Halfin and Whitt's square-root staffing [1], widened for an uncertain rate."""
    root = np.sqrt(np.maximum(load, 1e-9))
    beta = np.ones_like(load)
    for _ in range(4):  # Newton for ln(measure) = ln(limit); the search mends what is left
        mills = np.exp(special.log_ndtr(beta) + 0.5 * beta * beta) * np.sqrt(2 * np.pi)
        waits = 1 + beta * mills
        slope = -(mills / waits + beta)
        if target.kind == "mean":
            value = -np.log(waits) + np.log(aht / (beta * root * within))
            slope -= 1 / beta
        else:
            value = -np.log(waits) - beta * root * within / aht - np.log(1 - target.level)
            slope -= root * within / aht
        beta = np.clip(beta - value / slope, 1e-3, 8.0)
    sds = 3.1 if target.kind == "mean" else max(float(special.ndtri(target.level)), 0.0)
    return np.ceil(load + np.hypot(beta * root, sds * cv * load)).astype(np.int64)
