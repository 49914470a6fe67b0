"""The queue part of a stationary model: what those who find no free slot meet, in one form for every model.

Every stationary model is one birth–death chain cut in two. The *head* are the states with a free slot; one number sums
it up, the gate ψ = P(all slots busy, nobody waits) ÷ P(a slot is free). In the *queue* the slots finish at a constant
total rate, the drain, and everybody who waits may give up. The classes behind :func:`queue_of` hold checked float
arrays of one length and answer with arrays of that length.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from staffcast.erlang._checks import FloatArray
from staffcast.erlang.models.finite import FiniteQueue
from staffcast.erlang.models.patience import PatientQueue

__all__ = ["OpenQueue", "Patchwork", "Queue", "queue_of"]

BoolArray = npt.NDArray[np.bool_]


class Queue(Protocol):
    """What every queue part tells; shares are over all offered tickets.

    V is the wait of a customer who would never give up, W the real one. A ``t`` below 0 says that the first reply alone
    takes longer than the target: everybody offered is missed.
    """

    @property
    def all_busy(self) -> FloatArray:
        """Share that finds every slot busy, those turned away included."""

    @property
    def wait_prob(self) -> FloatArray:
        """Share that is let in and has to wait."""

    @property
    def block(self) -> FloatArray:
        """Share turned away."""

    @property
    def abandon(self) -> FloatArray:
        """Share that gives up."""

    def missed(self, t: FloatArray) -> FloatArray:
        """Share turned away, giving up at any time, or answered after ``t`` seconds."""

    def virtual_tail(self, t: FloatArray) -> FloatArray:
        """Share let in with V above ``t`` seconds."""

    def answered_late(self, t: FloatArray) -> FloatArray:
        """Share answered after more than ``t`` seconds."""

    def gave_up_before(self, t: FloatArray) -> FloatArray:
        """Share that gives up within ``t`` seconds."""

    def mean_wait(self) -> FloatArray:
        """Mean of W in seconds over those let in, those who give up included."""

    def asa(self) -> FloatArray:
        """Mean of W in seconds over the answered."""

    def mean_queue(self) -> FloatArray:
        """Mean number waiting."""

    def wait_quantile(self, q: FloatArray) -> FloatArray:
        """Shortest time in seconds within which a share ``q`` of the answered has been answered."""


class OpenQueue:
    """Nobody gives up and nobody is turned away: the wait of those who wait is exponential.

    Overload (``rate`` ≥ ``drain``): everybody waits for ever.

    References
    ----------
    .. [1] D. Gross, J. F. Shortle, J. M. Thompson, C. M. Harris, "Fundamentals of Queueing Theory", 4th ed., 2008,
       section 2.3, doi:10.1002/9781118625651.
    """

    def __init__(self, gate: FloatArray, rate: FloatArray, drain: FloatArray) -> None:
        self._rate = rate
        self._spare = np.maximum(drain - rate, 0.0)
        stable = (self._spare > 0) & (gate < np.inf)
        behind = np.zeros_like(rate)
        np.divide(drain, self._spare, out=behind, where=stable)
        # ψ·(1 + ρ + ρ² + …) against the head's 1.
        odds = np.where(stable, gate, 0.0) * behind
        self.all_busy = np.where(rate > 0, np.where(stable, odds / (1 + odds), 1.0), 0.0)
        self.wait_prob = self.all_busy
        self.block = np.zeros_like(rate)
        self.abandon = np.zeros_like(rate)

    def missed(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.missed`."""
        late = self.all_busy * np.exp(-self._spare * np.maximum(t, 0.0))
        return np.where((t < 0) & (self._rate > 0), 1.0, late)

    def virtual_tail(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.virtual_tail`."""
        return self.missed(t)

    def answered_late(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.answered_late`; in overload everybody is, after an infinite wait."""
        return self.missed(t)

    def gave_up_before(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.gave_up_before`."""
        return np.zeros_like(t)

    def mean_wait(self) -> FloatArray:
        """As :meth:`Queue.mean_wait`."""
        wait = np.where(self._rate > 0, np.inf, 0.0)
        with np.errstate(over="ignore"):  # a hair from overload the wait is longer than doubles reach: inf is right
            np.divide(self.all_busy, self._spare, out=wait, where=(self._spare > 0) & (self._rate > 0))
        return wait

    def asa(self) -> FloatArray:
        """As :meth:`Queue.asa`."""
        return self.mean_wait()

    def mean_queue(self) -> FloatArray:
        """As :meth:`Queue.mean_queue`, by Little's law."""
        return np.asarray(self._rate * self.mean_wait())

    def wait_quantile(self, q: FloatArray) -> FloatArray:
        """As :meth:`Queue.wait_quantile`."""
        wait = np.where(self._rate > 0, np.inf, 0.0)
        over = np.log(np.maximum(self.all_busy / (1 - q), 1.0))
        with np.errstate(over="ignore"):
            np.divide(over, self._spare, out=wait, where=(self._spare > 0) & (self._rate > 0))
        return wait


class Patchwork:
    """Queues of different kinds side by side: each kind answers for its own elements."""

    def __init__(self, length: int, parts: list[tuple[BoolArray, Queue]]) -> None:
        self._length, self._parts = length, parts

    def _gather(self, figure: Callable[[Queue, BoolArray], FloatArray]) -> FloatArray:
        result = np.empty(self._length)
        for where, queue in self._parts:
            result[where] = figure(queue, where)
        return result

    @cached_property
    def all_busy(self) -> FloatArray:
        """As :attr:`Queue.all_busy`."""
        return self._gather(lambda queue, _: queue.all_busy)

    @cached_property
    def wait_prob(self) -> FloatArray:
        """As :attr:`Queue.wait_prob`."""
        return self._gather(lambda queue, _: queue.wait_prob)

    @cached_property
    def block(self) -> FloatArray:
        """As :attr:`Queue.block`."""
        return self._gather(lambda queue, _: queue.block)

    @cached_property
    def abandon(self) -> FloatArray:
        """As :attr:`Queue.abandon`."""
        return self._gather(lambda queue, _: queue.abandon)

    def missed(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.missed`."""
        return self._gather(lambda queue, where: queue.missed(t[where]))

    def virtual_tail(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.virtual_tail`."""
        return self._gather(lambda queue, where: queue.virtual_tail(t[where]))

    def answered_late(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.answered_late`."""
        return self._gather(lambda queue, where: queue.answered_late(t[where]))

    def gave_up_before(self, t: FloatArray) -> FloatArray:
        """As :meth:`Queue.gave_up_before`."""
        return self._gather(lambda queue, where: queue.gave_up_before(t[where]))

    def mean_wait(self) -> FloatArray:
        """As :meth:`Queue.mean_wait`."""
        return self._gather(lambda queue, _: queue.mean_wait())

    def asa(self) -> FloatArray:
        """As :meth:`Queue.asa`."""
        return self._gather(lambda queue, _: queue.asa())

    def mean_queue(self) -> FloatArray:
        """As :meth:`Queue.mean_queue`."""
        return self._gather(lambda queue, _: queue.mean_queue())

    def wait_quantile(self, q: FloatArray) -> FloatArray:
        """As :meth:`Queue.wait_quantile`."""
        return self._gather(lambda queue, where: queue.wait_quantile(q[where]))


def queue_of(
    gate: FloatArray, rate: FloatArray, drain: FloatArray, theta: FloatArray, places: FloatArray | None
) -> Queue:
    """Give each element the queue it needs.

    Parameters
    ----------
    gate : array, shape (n,)
        P(all slots busy, nobody waits) ÷ P(a slot is free); inf without slots.
    rate, drain, theta : array, shape (n,)
        Arrivals, completions with all slots busy, and giving up of each who waits (0: nobody gives up). [1/s]
    places : array, shape (n,), or None
        Most who can wait; None: no limit.
    """
    if places is not None:
        return FiniteQueue(gate, rate, drain, theta, places)
    patient = theta > 0
    if patient.all():
        return PatientQueue(gate, rate, drain, theta)
    if not patient.any():
        return OpenQueue(gate, rate, drain)
    stays = ~patient
    return Patchwork(
        len(rate),
        [
            (patient, PatientQueue(gate[patient], rate[patient], drain[patient], theta[patient])),
            (stays, OpenQueue(gate[stays], rate[stays], drain[stays])),
        ],
    )
