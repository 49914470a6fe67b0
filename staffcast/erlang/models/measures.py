"""What tickets meet in M/M/c when the arrival rate is itself uncertain; a ``cv`` of 0 is the plain queue.

The rate is gamma distributed with the given mean and relative standard deviation ``cv`` [1]_, constant within the
interval. Shares and waits are over *tickets*: a busy hour has more of them, so each rate counts by its tickets. A
gamma variable with shape k, weighted by itself, is a gamma variable with shape k + 1 and the same scale; rates at or
above what the agents can handle have a closed probability, and the stable rest is integrated by Gauss–Legendre in the
cube root of the rate (:mod:`staffcast.erlang.models.gamma`). Shares are within 1e-4 of brute force
for ``cv`` 0.02 to 2, 0.3 to 9,000 erlang and targets of 0 to 12 handle times (the worst found was 2e-5).

Everything here takes checked float arrays of one length and returns an array of that length.

References
----------
.. [1] G. Jongbloed, G. Koole, "Managing uncertainty in call centres using Poisson mixtures", Applied Stochastic Models
   in Business and Industry 17(4), 2001, pp. 307–318, doi:10.1002/asmb.444.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import special

from staffcast.erlang._checks import FloatArray
from staffcast.erlang.models import formulas
from staffcast.erlang.models.gamma import over_rates, overload_at

__all__ = ["MEAN_COVERS", "ErlangCQueue", "occupied"]

MEAN_COVERS = 0.999
"""Share of the tickets that a mean wait under an uncertain rate is taken over, those of the highest rates left out.

A gamma rate has no upper end, so the mean over all of it is infinite whatever the agents.
"""

# The measures change by the order of cv²; below this the plain queue is as exact as the mixture could be.
_PLAIN_BELOW = 1e-6


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
        shape, most = 1 / cv[mixed] ** 2, overload_at(load[mixed], agents[mixed])
        busy = special.gammainc(shape + 1, shape * most) / most + special.gammaincc(shape, shape * most)
        result[mixed] = np.minimum(busy, 1.0)
    return result


class ErlangCQueue:
    """M/M/c queues side by side, each with a known (``cv`` 0) or an uncertain rate.

    One of the ``queues.Queue`` family. The waiting probabilities, which cost most, are computed
    once and serve every measure. Nobody gives up and nobody is turned away.
    """

    def __init__(self, load: FloatArray, agents: FloatArray, aht_s: FloatArray, cv: FloatArray) -> None:
        self._load, self._agents, self._aht_s, self._cv = load, agents, aht_s, cv
        self._mixed = (cv >= _PLAIN_BELOW) & (load > 0)
        self._any_mixed = bool(self._mixed.any())

    @cached_property
    def all_busy(self) -> FloatArray:
        """Share of the tickets that find everybody busy."""
        return self.missed(np.zeros_like(self._load))

    @property
    def wait_prob(self) -> FloatArray:
        """Share of the tickets that wait at all."""
        return self.all_busy

    @property
    def block(self) -> FloatArray:
        """Share turned away: nobody."""
        return np.zeros_like(self._load)

    @property
    def abandon(self) -> FloatArray:
        """Share that gives up: nobody."""
        return np.zeros_like(self._load)

    def virtual_tail(self, t: FloatArray) -> FloatArray:
        """Share whose virtual wait exceeds ``t`` seconds: everybody waits it out, so as :meth:`missed`."""
        return self.missed(t)

    def answered_late(self, t: FloatArray) -> FloatArray:
        """Share answered after ``t`` seconds, as :meth:`missed`."""
        return self.missed(t)

    def gave_up_before(self, t: FloatArray) -> FloatArray:
        """Share that gives up within ``t`` seconds: nobody."""
        return np.zeros_like(t)

    def missed(self, within_s: FloatArray) -> FloatArray:
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

    def asa(self) -> FloatArray:
        """Mean wait of the answered: of all."""
        return self.mean_wait()

    def mean_queue(self) -> FloatArray:
        """Mean number of tickets waiting, by Little's law."""
        return np.asarray(self._load / self._aht_s * self.mean_wait())

    def mean_wait(self) -> FloatArray:
        """Mean wait of the tickets in seconds; with an uncertain rate of the :data:`MEAN_COVERS` share of them."""
        result = formulas.mean_from(self._p_wait, self._load, self._agents, self._aht_s)
        if self._any_mixed:
            load, agents, aht, cv = self._of_mixed()
            different, where = np.unique(cv, return_inverse=True)  # mostly one cv for all
            shape = 1 / different**2
            highest = (special.gammaincinv(shape + 1, MEAN_COVERS) / shape)[where]
            stable = agents > load * highest
            averages = np.full_like(load, np.inf)
            rates = over_rates(load[stable], agents[stable], cv[stable], agents[stable], highest[stable])
            people, handle = (np.broadcast_to(each[stable], rates.rate.shape) for each in (agents, aht))
            waits = formulas.mean(rates.rate, people, handle)
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
        rates = over_rates(load, agents, cv, agents)
        part = rates.weight * formulas.waiting(rates.rate, np.broadcast_to(agents, rates.rate.shape))
        return _Waits(part, np.maximum(agents - rates.rate, 0.0) / aht, rates.never)

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
