"""Nodes over a gamma distributed arrival rate, weighted by tickets: a busy hour has more of them.

A gamma variable with shape k, weighted by itself, is a gamma variable with shape k + 1 and the same scale. Rates from
which a queue without an end is overloaded have a closed probability; the rest is integrated by Gauss–Legendre in the
cube root of the rate, in which a gamma variable is nearly normal [1]_.

References
----------
.. [1] E. B. Wilson, M. M. Hilferty, "The distribution of chi-square", Proceedings of the National Academy of Sciences
   17(12), 1931, pp. 684–688, doi:10.1073/pnas.17.12.684.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import special

from staffcast.erlang._checks import FloatArray

__all__ = ["Rates", "over_rates", "overload_at"]

_REACH_SD = 6.5
_AT, _WEIGHT = (each / 2 for each in np.polynomial.legendre.leggauss(16))
_AT = _AT + 0.5  # on [0, 1]


class Rates(NamedTuple):
    """Rates on axis 0 with their share of the tickets, and the share that meets an overloaded queue."""

    rate: FloatArray
    weight: FloatArray
    never: FloatArray


def over_rates(
    mean: FloatArray,
    limit: FloatArray,
    cv: FloatArray,
    crew: FloatArray,
    highest: FloatArray | None = None,
    knee: FloatArray | None = None,
) -> Rates:
    """Nodes over the rates at which the queue is stable.

    Parameters
    ----------
    mean, cv : array, shape (n,)
        Mean rate and its relative standard deviation, > 0.
    limit : array, shape (n,)
        Rate from which the queue is overloaded, in the unit of ``mean``; inf where it never is.
    crew : array, shape (n,)
        Agents: the more, the more sudden the change near the limit.
    highest : array, shape (n,), optional
        Multiple of the mean to stop at.
    knee : array, shape (n,), optional
        Where there is no limit: the rate at which everybody is busy, around which the waits change quickly.

    Returns
    -------
    Rates
        Fields of shape (nodes, n), (nodes, n) and (n,); weights and ``never`` sum to 1.
    """
    shape = 1 / cv**2
    centre, sd = 1 - 1 / (9 * (shape + 1)), 1 / (3 * np.sqrt(shape + 1))
    scale = np.cbrt((shape + 1) / shape)
    bottom = np.maximum(centre - _REACH_SD * sd, 0.0) * scale
    most = overload_at(mean, limit)
    top = np.clip(
        np.cbrt(most if highest is None else np.minimum(most, highest)), bottom, (centre + _REACH_SD * sd) * scale
    )
    # Within about three standard deviations of overload the wait changes quickly, and within an agent of it most of
    # all: a panel of its own, its nodes crowded towards the end by the square.
    near = 3 / np.sqrt(np.maximum(crew, 1.0))
    middle = (bottom + top) / 2
    if knee is None:
        calm = np.minimum(most, 1e300) * np.maximum(1 - near, 0.0)
        bend = np.where(np.cbrt(calm) < top, np.maximum(np.cbrt(calm), middle), middle)
        roots = np.concatenate([bottom + np.outer(_AT, bend - bottom), top - np.outer(_AT**2, top - bend)])
        width = np.concatenate([np.outer(_WEIGHT, bend - bottom), np.outer(_WEIGHT * 2 * _AT, top - bend)])
    else:
        full = overload_at(mean, knee)
        edges = [
            bottom,
            *(np.clip(np.cbrt(full * side), bottom, top) for side in (np.maximum(1 - near, 0), 1 + near)),
            top,
        ]
        roots = np.concatenate([a + np.outer(_AT, b - a) for a, b in pairwise(edges)])
        width = np.concatenate([np.outer(_WEIGHT, b - a) for a, b in pairwise(edges)])
    ratio = np.maximum(roots**3, 1e-300)
    log_density = shape * (np.log(ratio) - (ratio - 1)) + (2 / 3) * np.log(ratio)
    weight = width * np.exp(log_density - log_density.max(axis=0))
    total = weight.sum(axis=0)
    # Scaled to the exact probability of stability, which also keeps every result within [0, 1].
    stable = special.gammainc(shape + 1, shape * most)
    np.divide(weight * stable, total, out=weight, where=total > 0)
    weight[:, total <= 0] = (stable / len(weight))[total <= 0]
    return Rates(ratio * mean, weight, special.gammaincc(shape + 1, shape * most))


def overload_at(mean: FloatArray, limit: FloatArray) -> FloatArray:
    """The multiple of the mean rate from which the queue is overloaded."""
    # Held off 0 and infinity, so that next to nothing of either divides by neither.
    return np.maximum(limit / np.maximum(mean, 1e-200), 1e-300)
