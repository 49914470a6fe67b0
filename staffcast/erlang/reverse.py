"""The other way round: what a given crew can carry, and which target it meets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Band, Target
from staffcast.erlang._checks import FloatArray
from staffcast.erlang.models.system import System
from staffcast.erlang.search import IntArray, crossing
from staffcast.erlang.solve import check_reply, occupancy_gap, target_gap

__all__ = ["Reached", "capacity_per_hour", "reached_target"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reached:
    """What a crew reaches; arrays of the broadcast shape of the arguments.

    Attributes
    ----------
    share : array
        Share of the offered tickets with a first response within the target's seconds.
    seconds : array
        Time within which the target's share of the offered (share target) or of the answered (percentile target) has
        its first response, or the mean first response time of the answered (mean target); inf where it never has. [s]
    met : array of bool
        Whether that is the target.
    """

    share: FloatArray
    seconds: FloatArray
    met: npt.NDArray[np.bool_]


def capacity_per_hour(
    *,
    agents: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    target: Target,
    band: Band | None = None,
    patience_s: npt.ArrayLike | None = None,
    redial: npt.ArrayLike = 0.0,
    concurrency: int = 1,
    aht_by_concurrency_s: npt.ArrayLike | None = None,
    capacity: npt.ArrayLike | None = None,
    model: str | None = None,
    first_reply_s: npt.ArrayLike = 0.0,
    rate_cv: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Most tickets per hour with which ``agents`` keep the FRT target and the band's top.

    Parameters
    ----------
    agents : float or array
        Agents answering, ≥ 0; whole with a capacity or chats.
    aht_s, target, band, patience_s, redial, concurrency, aht_by_concurrency_s, capacity, model, first_reply_s, rate_cv
        As in :func:`staffcast.erlang.required_agents`.

    Returns
    -------
    array
        Tickets per hour, of the broadcast shape; 0 without agents; inf where the target holds whatever comes, as when
        customers give up sooner than a mean or a percentile over the answered could be missed.

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    Notes
    -----
    The inverse of :func:`staffcast.erlang.required_agents`: it asks for no more than ``agents`` at this rate and for
    more at any higher one. Found by bisection and secants to 1e-12 of the rate.

    Examples
    --------
    >>> most = capacity_per_hour(agents=[5, 12], aht_s=360, target=Target.parse("80% in 60s"))
    >>> most.round(1)
    array([31.4, 93. ])
    """
    target = Target.parse(target)
    band = None if band is None else Band.parse(band)
    system, (crew,) = System.of(
        arrivals_per_hour=1.0, aht_s=aht_s, patience_s=patience_s, redial=redial, concurrency=concurrency,
        aht_by_concurrency_s=aht_by_concurrency_s, capacity=capacity, model=model, first_reply_s=first_reply_s,
        rate_cv=rate_cv, agents=agents,
    )  # fmt: skip
    check_reply(system, target)

    def gap(rate: FloatArray, at: IntArray) -> FloatArray:
        part = system.take(at, rate=rate)
        station = part.station(crew[at])
        over = target_gap(part, station.queue, target)
        return over if band is None else np.maximum(over, occupancy_gap(station.occupancy, band.top))

    drain = crew * system.most_per_agent
    there = np.flatnonzero(crew > 0).astype(np.int64)
    high = drain.copy()
    unbounded = np.zeros(len(crew), dtype=bool)
    at = there
    for _ in range(40):  # doubles until the target breaks: with patience it may be far above what can be handled
        at = at[gap(high[at], at) <= 0]
        if not at.size:
            break
        high[at] *= 2
    unbounded[at] = True
    result = np.where(unbounded, np.inf, 0.0)
    todo = there[~unbounded[there]]
    if todo.size:
        result[todo] = crossing(lambda rate, sub: gap(rate, todo[sub]), np.zeros(todo.size), high[todo], rising=True)
    return (3600 * result).reshape(system.shape)


def reached_target(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    agents: npt.ArrayLike,
    target: Target,
    patience_s: npt.ArrayLike | None = None,
    redial: npt.ArrayLike = 0.0,
    concurrency: int = 1,
    aht_by_concurrency_s: npt.ArrayLike | None = None,
    capacity: npt.ArrayLike | None = None,
    model: str | None = None,
    first_reply_s: npt.ArrayLike = 0.0,
    rate_cv: npt.ArrayLike = 0.0,
) -> Reached:
    """Which target of the same kind a given crew meets.

    Parameters
    ----------
    target : Target
        The one asked about.
    arrivals_per_hour, aht_s, agents, patience_s, redial, concurrency, aht_by_concurrency_s, capacity, model,
    first_reply_s, rate_cv
        As in :func:`staffcast.erlang.performance`.

    Returns
    -------
    Reached
        The share within the target's seconds, and the seconds within which its share is reached.

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    Examples
    --------
    >>> found = reached_target(arrivals_per_hour=90, aht_s=360, agents=[11, 12], target=Target.parse("80% in 60s"))
    >>> found.share.round(2), found.seconds.round(), found.met
    (array([0.69, 0.84]), array([138.,  34.]), array([False,  True]))
    """
    target = Target.parse(target)
    system, (crew,) = System.of(
        arrivals_per_hour=arrivals_per_hour, aht_s=aht_s, patience_s=patience_s, redial=redial, concurrency=concurrency,
        aht_by_concurrency_s=aht_by_concurrency_s, capacity=capacity, model=model, first_reply_s=first_reply_s,
        rate_cv=rate_cv, agents=agents,
    )  # fmt: skip
    queue = system.station(crew).queue
    share = 1 - queue.missed(target.seconds - system.reply)
    if target.kind == "mean":
        seconds = queue.asa() + system.reply
    elif target.kind == "percentile":
        seconds = queue.wait_quantile(np.full(len(crew), target.level)) + system.reply
    else:
        # Over the offered: the answered share that makes up the wanted share of all.
        answered = np.clip(1 - queue.block - queue.abandon, 0.0, 1.0)
        part = np.divide(target.level, answered, out=np.full(len(crew), 2.0), where=answered > 0)
        within = queue.wait_quantile(np.clip(part, 0.0, 1 - 1e-15))
        seconds = np.where(part < 1, within + system.reply, np.where(system.rate > 0, np.inf, 0.0))
    met = target_gap(system, queue, target) <= 0
    return Reached(
        share=share.reshape(system.shape), seconds=seconds.reshape(system.shape), met=met.reshape(system.shape)
    )
