"""How likely a crew is to meet its target when the rate is uncertain: per interval, and over the whole day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from staffcast.contracts import Target, bad_value
from staffcast.erlang._checks import FloatArray
from staffcast.erlang.models.system import System
from staffcast.erlang.reverse import capacity_per_hour
from staffcast.erlang.search import IntArray, crossing
from staffcast.erlang.solve import check_reply

__all__ = ["Chance", "chance_met"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Chance:
    """What :func:`chance_met` found.

    Attributes
    ----------
    interval : array, shape (n,)
        Probability that the interval's rate is one with which its crew meets the target; 1 where nothing comes.
    day : array, shape (days,)
        Probability that the target is met over all tickets of the day, in the order of the days' first intervals.
    """

    interval: FloatArray
    day: FloatArray


def chance_met(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    agents: npt.ArrayLike,
    target: Target,
    rate_cv: npt.ArrayLike,
    day: npt.ArrayLike | None = None,
    patience_s: npt.ArrayLike | None = None,
    concurrency: int = 1,
    aht_by_concurrency_s: npt.ArrayLike | None = None,
    first_reply_s: npt.ArrayLike = 0.0,
) -> Chance:
    """Probability that the target is met, over the rates that are possible.

    A crew that keeps 80 % on average over the rates keeps it on most days and breaks it on the busy ones; this says how
    often. In an interval the rate is gamma distributed; over a day one common gamma factor makes all its intervals
    busy or quiet together.

    Parameters
    ----------
    arrivals_per_hour, aht_s, agents : float or array, shape (n,)
        As in :func:`staffcast.erlang.performance`; one row of intervals.
    target : Target
        A share is over all offered tickets of the interval or day, a percentile and a mean over the answered.
    rate_cv : float or array, shape (n,)
        Relative standard deviation of the rate; over a day its mean, each interval counted by its tickets.
    day : array of int, shape (n,), optional
        Which day an interval belongs to; left out, all are one day.
    patience_s, concurrency, aht_by_concurrency_s, first_reply_s
        As in :func:`staffcast.erlang.performance`.

    Returns
    -------
    Chance

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    Examples
    --------
    >>> found = chance_met(
    ...     arrivals_per_hour=[1200, 1200], aht_s=300, agents=[108, 115], target=Target.parse("80% in 20s"), rate_cv=0.1
    ... )
    >>> found.interval.round(2)
    array([0.52, 0.76])
    """
    target = Target.parse(target)
    system, (crew,) = System.of(
        arrivals_per_hour=np.atleast_1d(arrivals_per_hour), aht_s=aht_s, patience_s=patience_s, concurrency=concurrency,
        aht_by_concurrency_s=aht_by_concurrency_s, first_reply_s=first_reply_s, rate_cv=rate_cv,
        agents=agents,
    )  # fmt: skip
    check_reply(system, target)
    most = capacity_per_hour(
        agents=crew, aht_s=system.aht, target=target, patience_s=None if patience_s is None else 1 / system.theta,
        concurrency=concurrency, aht_by_concurrency_s=aht_by_concurrency_s, first_reply_s=system.reply,
    )  # fmt: skip
    interval = _at_most(most / 3600, system.rate, system.cv)

    if day is None:
        which, count = np.zeros(len(crew), dtype=np.int64), 1
    else:
        labels = np.atleast_1d(day)
        if labels.shape != crew.shape:
            raise bad_value("day", f"shape {labels.shape}", f"one per interval, shape {crew.shape}")
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        order = np.argsort(np.argsort(first))
        which, count = order[inverse].astype(np.int64), len(first)
    known = system.take(np.arange(len(crew)), cv=np.zeros(len(crew)))
    tickets = np.bincount(which, system.rate, count)

    def gap(factor: FloatArray, at: IntArray) -> FloatArray:
        """The figure over each day ÷ its limit, less 1, when its rates are ``factor`` times as high."""
        every = np.zeros(count)
        every[at] = factor
        rate = known.rate * every[which]
        queue = known.take(np.arange(len(crew)), rate=rate).station(crew).queue
        missed = queue.missed(target.seconds - known.reply)
        if target.kind == "mean":
            answered = rate * (1 - np.minimum(queue.block + queue.abandon, 1.0))
            wait = np.zeros_like(rate)
            np.multiply(answered, queue.asa() + known.reply, out=wait, where=answered > 0)
            figure, limit = _per_day(wait, answered, which, count), target.seconds
        elif target.kind == "share":
            figure, limit = _per_day(rate * missed, rate, which, count), 1 - target.level
        else:
            late = queue.answered_late(target.seconds - known.reply)
            figure, limit = _per_day(rate * late, rate * (late + 1 - missed), which, count), 1 - target.level
        return np.asarray(figure[at] / limit - 1 - 1e-12)

    # The factor at which the day just meets its target: no day is 50 times its mean.
    low, high = np.zeros(count), np.full(count, 50.0)
    edge = crossing(gap, low, high, rising=True)
    spread = np.divide(
        np.bincount(which, system.rate * system.cv, count), tickets, out=np.zeros(count), where=tickets > 0
    )
    return Chance(interval=interval, day=_at_most(edge * (tickets > 0), (tickets > 0).astype(float), spread))


def _per_day(total: FloatArray, count: FloatArray, which: IntArray, days: int) -> FloatArray:
    parts, all_of_it = np.bincount(which, total, days), np.bincount(which, count, days)
    return np.divide(parts, all_of_it, out=np.zeros(days), where=all_of_it > 0)


def _at_most(limit: FloatArray, mean: FloatArray, cv: FloatArray) -> FloatArray:
    """P(rate ≤ limit) of a gamma rate; of a known one 0 or 1; 1 where nothing comes."""
    result = np.where(limit >= mean * (1 - 1e-12), 1.0, 0.0)
    random = (cv > 0) & (mean > 0)
    shape = 1 / cv[random] ** 2
    with np.errstate(over="ignore"):
        reach = np.minimum(limit[random] / mean[random] * shape, 1e300)
    result[random] = special.gammainc(shape, reach)
    return result
