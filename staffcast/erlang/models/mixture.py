"""What tickets meet when the rate is uncertain, for any model: averages over the rates, each counted by its tickets."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from staffcast.erlang._checks import FloatArray
from staffcast.erlang.models.gamma import Rates
from staffcast.erlang.models.queues import Queue

__all__ = ["MixedQueue"]


class MixedQueue:
    """Queues side by side of which those ``at`` have an uncertain rate; one of the :class:`Queue` family.

    Parameters
    ----------
    plain : Queue
        All of them at their mean rate; answers for those not in ``at``.
    at : array of int
        Where the rate is uncertain.
    inner : Queue
        One queue per node and element of ``at``, nodes outermost.
    rates : Rates
        The nodes, their weights by fresh tickets, and the share that meets a queue without an end.
    attempts : array
        Attempts per second at each node, redials included, in the order of ``inner``.
    mean : array
        Mean rate of each element of ``at``. [1/s]
    capped : callable
        Gives what the means are taken over, as they leave out the highest rates where those would overload a queue:
        queue, rates, and whether a mean exists. None: over all rates.
    """

    def __init__(
        self,
        plain: Queue,
        at: npt.NDArray[np.intp],
        inner: Queue,
        rates: Rates,
        attempts: FloatArray,
        mean: FloatArray,
        capped: Callable[[], tuple[Queue, Rates, npt.NDArray[np.bool_]]] | None,
    ) -> None:
        self._plain, self._at, self._inner, self._rates, self._mean = plain, at, inner, rates, mean
        self._capped = capped
        nodes = rates.rate.shape
        # Attempts without end at the brink of overload: those tickets are never answered.
        endless = ~np.isfinite(attempts.reshape(nodes))
        tried = np.where(endless, 1.0, attempts.reshape(nodes))
        self._tried = np.divide(tried, rates.rate, out=np.ones(nodes), where=(rates.rate > 0) & ~endless)
        weight = np.where(endless, 0.0, rates.weight * self._tried)
        never = rates.never + np.sum(rates.weight, axis=0, where=endless)
        whole = weight.sum(axis=0) + never
        self._weight, self._never = weight / whole, never / whole

    def _shares(self, plain: FloatArray, inner: FloatArray, overloaded: float) -> FloatArray:
        result = plain.copy()
        averages = np.sum(self._weight * inner.reshape(self._weight.shape), axis=0) + overloaded * self._never
        result[self._at] = np.minimum(averages, 1.0)
        return result

    def over_tickets(self, plain: FloatArray, inner: FloatArray, *, overloaded: float) -> FloatArray:
        """Average over fresh tickets of a figure known per node."""
        result = plain.copy()
        nodes = inner.reshape(self._weight.shape)
        result[self._at] = np.sum(self._rates.weight * nodes, axis=0) + overloaded * self._rates.never
        return result

    def over_time(
        self, plain: FloatArray, inner: FloatArray, *, overloaded: float, overloaded_time: FloatArray
    ) -> FloatArray:
        """Average over time of a figure known per node, which has the ``overloaded`` value for the given time."""
        result = plain.copy()
        tail = np.zeros_like(overloaded_time)
        np.multiply(overloaded, overloaded_time, out=tail, where=overloaded_time > 0)
        result[self._at] = self._by_time(inner.reshape(self._weight.shape), self._rates) + tail
        return result

    def _by_time(self, nodes: FloatArray, rates: Rates) -> FloatArray:
        # A rate's share of the time is its share of the tickets ÷ the rate; nothing happens where nothing comes.
        part = np.zeros_like(nodes)
        some = (nodes > 0) & (rates.weight > 0)
        part[some] = rates.weight[some] * nodes[some] / rates.rate[some]
        return np.asarray(self._mean * part.sum(axis=0))

    @cached_property
    def all_busy(self) -> FloatArray:
        """As :attr:`Queue.all_busy`."""
        return self._shares(self._plain.all_busy, self._inner.all_busy, 1.0)

    @cached_property
    def wait_prob(self) -> FloatArray:
        """As :attr:`Queue.wait_prob`."""
        return self._shares(self._plain.wait_prob, self._inner.wait_prob, 1.0)

    @cached_property
    def block(self) -> FloatArray:
        """As :attr:`Queue.block`."""
        return self._shares(self._plain.block, self._inner.block, 0.0)

    @cached_property
    def abandon(self) -> FloatArray:
        """As :attr:`Queue.abandon`."""
        return self._shares(self._plain.abandon, self._inner.abandon, 0.0)

    def missed(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.missed`."""
        return self._shares(self._plain.missed(t), self._inner.missed(self._repeated(t)), 1.0)

    def virtual_tail(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.virtual_tail`."""
        return self._shares(self._plain.virtual_tail(t), self._inner.virtual_tail(self._repeated(t)), 1.0)

    def answered_late(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.answered_late`."""
        return self._shares(self._plain.answered_late(t), self._inner.answered_late(self._repeated(t)), 1.0)

    def gave_up_before(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.gave_up_before`."""
        return self._shares(self._plain.gave_up_before(t), self._inner.gave_up_before(self._repeated(t)), 0.0)

    def mean_wait(self) -> FloatArray:
        """As :meth:`Queue.mean_wait`."""
        return self._average(self._plain.mean_wait(), lambda queue: (queue.mean_wait(), 1 - queue.block))

    def asa(self) -> FloatArray:
        """As :meth:`Queue.asa`."""
        return self._average(self._plain.asa(), lambda queue: (queue.asa(), 1 - queue.block - queue.abandon))

    def mean_queue(self) -> FloatArray:
        """As :meth:`Queue.mean_queue`."""
        result = self._plain.mean_queue().copy()
        queue, rates, _, bounded = self._over()
        waiting = self._by_time(queue.mean_queue().reshape(rates.rate.shape), rates)
        result[self._at] = np.where(bounded, waiting, np.inf)
        return result

    def wait_quantile(self, q: FloatArray) -> FloatArray:
        """As :meth:`Queue.wait_quantile`."""
        result = self._plain.wait_quantile(q).copy()
        nodes = self._weight.shape
        left = 1 - q[self._at]
        answered = 1 - np.sum(
            self._weight * np.minimum(self._inner.block + self._inner.abandon, 1.0).reshape(nodes), axis=0
        )

        def late(t: FloatArray) -> FloatArray:
            over = self._inner.answered_late(np.tile(t, nodes[0])).reshape(nodes)
            return np.asarray(np.sum(self._weight * over, axis=0) + self._never)

        # The longest of the nodes' own quantiles is too long for all of them together.
        longest = self._inner.wait_quantile(np.tile(q[self._at], nodes[0])).reshape(nodes)
        counted = np.where(self._weight > 1e-14, longest, 0.0)
        never = self._never > left * answered
        low, high = np.zeros(nodes[1]), np.where(never, 0.0, counted.max(axis=0))
        high[late(low) <= left * answered] = 0.0
        for _ in range(60):
            if np.all(high - low <= 1e-12 * high):
                break
            middle = (low + high) / 2
            over = late(middle) > left * answered
            low, high = np.where(over, middle, low), np.where(over, high, middle)
        result[self._at] = np.where(never, np.inf, high)
        return result

    def _repeated(self, t: FloatArray) -> FloatArray:
        return np.tile(t[self._at], len(self._weight))

    def _average(self, plain: FloatArray, figure: Callable[[Queue], tuple[FloatArray, FloatArray]]) -> FloatArray:
        """Mean over tickets of a wait, each node counted by its tickets times the share that the wait is about."""
        result = plain.copy()
        queue, rates, tried, bounded = self._over()
        wait, share = (each.reshape(rates.rate.shape) for each in figure(queue))
        counted = rates.weight * tried * np.maximum(share, 0.0)
        total = counted.sum(axis=0)
        seconds = np.zeros_like(counted)
        np.multiply(counted, wait, out=seconds, where=counted > 0)
        mean = np.divide(seconds.sum(axis=0), total, out=np.full_like(total, np.inf), where=total > 0)
        result[self._at] = np.where(bounded, mean, np.inf)
        return result

    def _over(self) -> tuple[Queue, Rates, FloatArray, npt.NDArray[np.bool_]]:
        """What means are taken over: queue, rates, attempts per fresh ticket, and whether a mean exists."""
        if self._capped is None:
            return self._inner, self._rates, self._tried, self._rates.never <= 0
        queue, rates, bounded = self._capped()
        return queue, rates, np.ones_like(rates.rate), bounded
