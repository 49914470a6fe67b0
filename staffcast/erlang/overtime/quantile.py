"""Percentiles of the wait, interval by interval, of a queue that is followed through time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

from staffcast.erlang._checks import FloatArray, whole
from staffcast.erlang._checks import share as _share
from staffcast.erlang.overtime.chain import QUICK, at_rest
from staffcast.erlang.overtime.checks import per_interval
from staffcast.erlang.overtime.score import Course, Setting, Stretch, follow
from staffcast.erlang.overtime.transient import setting_of

__all__ = ["quantiles_of", "transient_quantiles"]

_HALVINGS, _PRECISION = 50, 1e-6


def transient_quantiles(
    q: Sequence[float],
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    agents: npt.ArrayLike,
    interval_s: float,
    patience_s: float | None = None,
    rate_cv: float = 0.0,
    day: npt.ArrayLike | None = None,
) -> FloatArray:
    """Time within which a share ``q`` of the answered tickets of each interval has got its agent.

    What the tickets find is exact, as in :func:`staffcast.erlang.transient_performance`; from there the wait goes on
    as if the interval's staff stayed, so that the figure says what this interval's crew makes of it.

    Parameters
    ----------
    q : float or sequence of float, shape (m,)
        Shares in [0, 1).
    arrivals_per_hour, aht_s, agents, interval_s, patience_s, rate_cv, day
        As in :func:`staffcast.erlang.transient_performance`.

    Returns
    -------
    array, shape (m, intervals)
        Seconds; 0 where nothing comes, inf where nobody is there.

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    Notes
    -----
    Found by halving to one part in a million. Who finds i others waiting is answered after more than t with
    probability Q(i + 1, D·t), D all agents' pace; with patience, given that he is answered at all, with the
    regularised incomplete beta function I(e^(−θt); D/θ + 1, i + 1): a sum of i + 1 exponential times with rates D + θ,
    D + 2θ, …

    Examples
    --------
    >>> transient_quantiles([0.5, 0.9], arrivals_per_hour=[60, 60], aht_s=600, agents=[12, 11], interval_s=3600).round()
    array([[  0.,  45.],
           [163., 585.]])
    """
    setting = setting_of(
        arrivals_per_hour=arrivals_per_hour, aht_s=aht_s, interval_s=interval_s, target_s=0.0, patience_s=patience_s,
        first_reply_s=0.0, rate_cv=rate_cv, day=day,
    )  # fmt: skip
    people = per_interval("agents", whole("agents", agents), len(setting.rates)).astype(np.int64).tolist()
    course = Course(setting, QUICK, whole=True)
    return quantiles_of(q, setting, follow(course, people, at_rest(0.0, len(setting.weight))))


def quantiles_of(q: Sequence[float], setting: Setting, stretches: Sequence[Stretch]) -> FloatArray:
    """As :func:`transient_quantiles`, where the queue has been followed already."""
    wanted = _share("q", np.atleast_1d(np.asarray(q)))
    found = [
        _quantiles(wanted, each, float(finish), setting.theta)
        for each, finish in zip(stretches, setting.finish, strict=True)
    ]
    return np.stack(found, axis=1)


def _quantiles(q: FloatArray, stretch: Stretch, finish: float, theta: float) -> FloatArray:
    if stretch.offered <= 0:
        return np.zeros(len(q))
    if stretch.slots == 0:
        return np.full(len(q), np.inf)
    ahead = stretch.low + np.arange(len(stretch.tickets)) - stretch.slots
    weight = np.maximum(stretch.tickets, 0.0)
    behind = ahead >= 0
    drain = stretch.slots * finish
    steps = ahead[behind] + 1.0
    served = weight[behind] * drain / (drain + steps * theta)
    limit = (1 - q) * (weight[~behind].sum() + served.sum())

    def late(t: FloatArray) -> FloatArray:
        if theta > 0:
            tails = special.betainc(drain / theta + 1, steps, np.exp(-theta * t)[:, None])
        else:
            tails = special.gammaincc(steps, drain * t[:, None])
        return np.asarray(tails @ served)

    low, high = np.zeros(len(q)), np.full(len(q), 1 / drain)
    waits = served.sum() > limit
    while np.any(grows := waits & (late(high) > limit)):
        high[grows] *= 2
    for _ in range(_HALVINGS):
        if np.all(high - low <= _PRECISION * high):
            break
        middle = (low + high) / 2
        over = late(middle) > limit
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return np.where(waits, high, 0.0)
