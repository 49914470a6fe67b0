"""What tickets meet in M/M/c when the arrival rate is itself uncertain; a ``cv`` of 0 is the plain queue.

The rate is gamma distributed with the given mean and relative standard deviation ``cv`` [1]_, constant within the
interval. Shares and waits are over *tickets*: a busy hour has more of them, so each rate counts by its tickets. A
gamma variable with shape k, weighted by itself, is a gamma variable with shape k + 1 and the same scale; rates at or
above what the agents can handle have a closed probability, and the stable rest is integrated by Gauss–Legendre in the
cube root of the rate, in which a gamma variable is nearly normal [2]_. Shares are within 1e-4 of brute force
for ``cv`` 0.02 to 2, 0.3 to 9,000 erlang and targets of 0 to 12 handle times (the worst found was 2e-5).

Everything here takes checked float arrays of one length and returns an array of that length.

References
----------
.. [1] G. Jongbloed, G. Koole, "Managing uncertainty in call centres using Poisson mixtures", Applied Stochastic Models
   in Business and Industry 17(4), 2001, pp. 307–318, doi:10.1002/asmb.444.
.. [2] E. B. Wilson, M. M. Hilferty, "The distribution of chi-square", Proceedings of the National Academy of Sciences
   17(12), 1931, pp. 684–688, doi:10.1073/pnas.17.12.684.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import special

from staffcast.erlang import formulas
from staffcast.erlang._checks import FloatArray

__all__ = ["MEAN_COVERS", "Queue", "occupied"]

MEAN_COVERS = 0.999
"""Share of the tickets that a mean wait under an uncertain rate is taken over, those of the highest rates left out.

A gamma rate has no upper end, so the mean over all of it is infinite whatever the agents.
"""

# The measures change by the order of cv²; below this the plain queue is as exact as the mixture could be.
_PLAIN_BELOW = 1e-6
_REACH_SD = 6.5
_AT, _WEIGHT = (each / 2 for each in np.polynomial.legendre.leggauss(16))
_AT = _AT + 0.5  # on [0, 1]


class _Rates(NamedTuple):
    """Loads on axis 0 with their share of the tickets, and the share that meets an overloaded queue."""

    load: FloatArray
    weight: FloatArray
    unstable: FloatArray


class _Waits(NamedTuple):
    """P(wait > t) = never + Σ over axis 0 of part·exp(−speed·t)."""

    part: FloatArray
    speed: FloatArray
    never: FloatArray


def occupied(load: FloatArray, agents: FloatArray, cv: FloatArray) -> FloatArray:
    """Handling ÷ (handling + idle) over time: E[min(load, agents)] ÷ agents."""
    result = np.where(load > 0, 1.0, 0.0)
    np.divide(load, agents, out=result, where=load < agents)
    mixed = (cv >= _PLAIN_BELOW) & (load > 0) & (agents > 0)
    if mixed.any():
        shape, most = 1 / cv[mixed] ** 2, _overload_at(load[mixed], agents[mixed])
        busy = special.gammainc(shape + 1, shape * most) / most + special.gammaincc(shape, shape * most)
        result[mixed] = np.minimum(busy, 1.0)
    return result


class Queue:
    """M/M/c queues side by side, each with a known (``cv`` 0) or an uncertain rate.

    The waiting probabilities, which cost most, are computed once and serve every measure.
    """

    def __init__(self, load: FloatArray, agents: FloatArray, aht_s: FloatArray, cv: FloatArray) -> None:
        self._load, self._agents, self._aht_s, self._cv = load, agents, aht_s, cv
        self._mixed = (cv >= _PLAIN_BELOW) & (load > 0)
        self._any_mixed = bool(self._mixed.any())

    def wait_probability(self) -> FloatArray:
        """Share of the tickets that wait at all."""
        return self.miss_probability(np.zeros_like(self._load))

    def miss_probability(self, within_s: FloatArray) -> FloatArray:
        """Share of the tickets whose wait exceeds ``within_s``; all of them where that is negative."""
        after = np.maximum(within_s, 0.0)
        spare = np.maximum(self._agents - self._load, 0.0)
        result: FloatArray = self._p_wait * np.exp(-(spare * after) / self._aht_s)
        if self._any_mixed:
            waits = self._waits
            late = waits.never + np.sum(waits.part * np.exp(-waits.speed * after[self._mixed]), axis=0)
            result[self._mixed] = np.minimum(late, 1.0)
        result[(within_s < 0) & (self._load > 0)] = 1.0
        return result

    def average_wait(self) -> FloatArray:
        """Mean wait of the tickets in seconds; with an uncertain rate of the :data:`MEAN_COVERS` share of them."""
        result = formulas.mean_from(self._p_wait, self._load, self._agents, self._aht_s)
        if self._any_mixed:
            load, agents, aht, cv = self._of_mixed()
            different, where = np.unique(cv, return_inverse=True)  # mostly one cv for all
            shape = 1 / different**2
            highest = (special.gammaincinv(shape + 1, MEAN_COVERS) / shape)[where]
            stable = agents > load * highest
            averages = np.full_like(load, np.inf)
            rates = _rates(load[stable], agents[stable], cv[stable], highest[stable])
            people, handle = (np.broadcast_to(each[stable], rates.load.shape) for each in (agents, aht))
            waits = formulas.mean(rates.load, people, handle)
            averages[stable] = np.sum(rates.weight * waits, axis=0) / np.sum(rates.weight, axis=0)
            result[self._mixed] = averages
        return result

    def wait_quantile(self, q: FloatArray) -> FloatArray:
        """Shortest time in seconds within which a share ``q`` of the tickets is answered."""
        result = formulas.quantile_from(q, self._p_wait, self._load, self._agents, self._aht_s)
        if self._any_mixed:
            result[self._mixed] = _time_until(1 - q[self._mixed], self._waits)
        return result

    @cached_property
    def _p_wait(self) -> FloatArray:
        return formulas.waiting(self._load, self._agents)

    @cached_property
    def _waits(self) -> _Waits:
        load, agents, aht, cv = self._of_mixed()
        rates = _rates(load, agents, cv)
        part = rates.weight * formulas.waiting(rates.load, np.broadcast_to(agents, rates.load.shape))
        return _Waits(part, np.maximum(agents - rates.load, 0.0) / aht, rates.unstable)

    def _of_mixed(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        mixed = self._mixed
        return self._load[mixed], self._agents[mixed], self._aht_s[mixed], self._cv[mixed]


def _time_until(limit: FloatArray, waits: _Waits) -> FloatArray:
    """Solve P(wait > t) = limit for t ≥ 0; inf where those who never get an agent already reach the limit."""
    time = np.where(waits.never >= limit, np.inf, 0.0)
    todo = np.flatnonzero((waits.never < limit) & (waits.never + waits.part.sum(axis=0) > limit))
    # The logarithm of such a sum is convex in t, so Newton climbs to the root from 0 and never passes it.
    for _ in range(200):
        if not todo.size:
            break
        left = waits.part[:, todo] * np.exp(-waits.speed[:, todo] * time[todo])
        total = waits.never[todo] + left.sum(axis=0)
        falls = np.sum(left * waits.speed[:, todo], axis=0) / total
        step = np.log(total / limit[todo]) / np.maximum(falls, 1e-300)
        time[todo] += np.maximum(step, 0.0)
        todo = todo[step > 1e-12 * time[todo]]
    return time


def _rates(load: FloatArray, agents: FloatArray, cv: FloatArray, highest: FloatArray | None = None) -> _Rates:
    """Nodes over the rates at which the queue is stable and, if given, not above ``highest`` times the mean."""
    shape = 1 / cv**2
    centre, sd = 1 - 1 / (9 * (shape + 1)), 1 / (3 * np.sqrt(shape + 1))
    scale = np.cbrt((shape + 1) / shape)
    bottom = np.maximum(centre - _REACH_SD * sd, 0.0) * scale
    most = _overload_at(load, agents)
    top = np.clip(
        np.cbrt(most if highest is None else np.minimum(most, highest)), bottom, (centre + _REACH_SD * sd) * scale
    )
    # Within about three standard deviations of overload the wait changes quickly, and within an agent of it most of
    # all: a panel of its own, its nodes crowded towards the end by the square.
    calm = most * np.maximum(1 - 3 / np.sqrt(np.maximum(agents, 1.0)), 0.0)
    middle = (bottom + top) / 2
    bend = np.where(np.cbrt(calm) < top, np.maximum(np.cbrt(calm), middle), middle)
    roots = np.concatenate([bottom + np.outer(_AT, bend - bottom), top - np.outer(_AT**2, top - bend)])
    width = np.concatenate([np.outer(_WEIGHT, bend - bottom), np.outer(_WEIGHT * 2 * _AT, top - bend)])
    ratio = np.maximum(roots**3, 1e-300)
    log_density = shape * (np.log(ratio) - (ratio - 1)) + (2 / 3) * np.log(ratio)
    weight = width * np.exp(log_density - log_density.max(axis=0))
    total = weight.sum(axis=0)
    # Scaled to the exact probability of stability, which also keeps every result within [0, 1].
    stable = special.gammainc(shape + 1, shape * most)
    np.divide(weight * stable, total, out=weight, where=total > 0)
    weight[:, total <= 0] = (stable / len(weight))[total <= 0]
    return _Rates(ratio * load, weight, special.gammaincc(shape + 1, shape * most))


def _overload_at(load: FloatArray, agents: FloatArray) -> FloatArray:
    """The multiple of the mean rate from which the queue is overloaded."""
    # Held off 0 and infinity, so that next to nothing of load or agents divides by neither.
    return np.maximum(agents / np.maximum(load, 1e-200), 1e-300)
