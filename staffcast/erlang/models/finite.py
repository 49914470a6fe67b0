"""The queue part when only so many can wait: M/M/c/K with or without patience, and Erlang B.

Its states are solved in ``finite_states``, which has the mathematics; here they are figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from staffcast.erlang._checks import FloatArray
from staffcast.erlang.models.finite_states import IntArray, Rows, Sums, time_until

__all__ = ["FiniteQueue"]

# Elements × places worked on at once (half a megabyte per array), and how many of them are remembered between figures.
_CELLS = 2**16
_KEPT_CELLS = 2**21


class FiniteQueue:
    """M/M/c/K queue parts side by side, with patience or without; the module has the mathematics.

    Parameters
    ----------
    gate : array, shape (n,)
        P(all slots busy, nobody waits) ÷ P(a slot is free), in [0, inf]; inf without slots.
    rate : array, shape (n,)
        Arrivals, ≥ 0. [1/s]
    drain : array, shape (n,)
        Completions with all slots busy, ≥ 0. [1/s]
    theta : array, shape (n,)
        Giving up of each who waits, in [0, inf]: 0 nobody does, inf whoever would have to wait leaves at once. [1/s]
    places : array, shape (n,)
        Most who can wait, whole, ≥ 0; 0 is Erlang B.

    Notes
    -----
    Overload is a load like any other. Without arrivals every share and every wait is 0. Without slots (``drain`` 0)
    nobody is answered and ``asa`` is inf. A ``t`` below 0 says that the first reply alone takes longer than the target:
    everybody is missed.

    Relative error below 1e-13, measured against 50 digits over 1 to 10,000 agents, 0.3 to 3 erlang per agent, up to
    100,000 places, patience of 0.001 to 1e9 handle times and waits of 0 to 20 handle times, times the larger of 1 and
    the relative change of the figure per relative change of its rate or time; shares below 1e-290 may come out as 0.
    Work grows with the places, by some 30 ns for each and element. Memory stays below 200 MB up to a million places.

    Examples
    --------
    Two slots of 4 minutes, 36 arrivals an hour and two places; who waits gives up after 4 minutes on average.

    >>> load, slots, one = 2.4, 2, np.ones(1)
    >>> lost = load**2 / 2 / (1 + load + load**2 / 2)
    >>> queue = FiniteQueue(one * lost / (1 - lost), one * 0.01, one * slots / 240, one / 240, one * 2)
    >>> queue.block.round(3), queue.abandon.round(3), queue.missed(one * 60).round(3)
    (array([0.139]), array([0.212]), array([0.532]))
    """

    def __init__(
        self, gate: FloatArray, rate: FloatArray, drain: FloatArray, theta: FloatArray, places: FloatArray
    ) -> None:
        self._gate, self._drain = gate, drain
        self._any = rate > 0
        self._rate = np.where(self._any, rate, 1.0)  # where nothing comes the figures are set at the end
        # Who leaves at once is never seen waiting: the states are those without places.
        hasty = np.isinf(theta)
        self._theta = np.where(hasty, 0.0, np.minimum(theta, 1e300))
        self._last = np.where(hasty | ~self._any, 0.0, places)
        self._hasty = hasty & (places > 0)
        with np.errstate(over="ignore"):
            self._drain_per_rate = np.minimum(drain / self._rate, 1e300)
        self._parts = _parts(self._last)
        kept = float(np.sum(self._last + 1)) <= _KEPT_CELLS
        self._kept = list(self._rows()) if kept else None

    @property
    def all_busy(self) -> FloatArray:
        """Share of the arrivals that find every slot busy, those turned away included."""
        return self._share(self._sums.busy)

    @property
    def block(self) -> FloatArray:
        """Share turned away."""
        return self._share(np.where(self._hasty, 0.0, self._sums.full))

    @property
    def wait_prob(self) -> FloatArray:
        """Share that is let in and has to wait."""
        return self._share(np.where(self._hasty, self._sums.busy, self._sums.waits))

    @property
    def abandon(self) -> FloatArray:
        """Share that gives up."""
        with np.errstate(over="ignore"):
            per_arrival = np.minimum(self._theta / self._rate, 1e300)
        # By Little's law, but where the number waiting is next to nothing and everybody who waits gives up.
        left = np.where(per_arrival < 1e250, self._sums.queue * per_arrival, self._sums.waits)
        return self._share(np.where(self._hasty, self._sums.busy, left))

    def missed(self, t: FloatArray) -> FloatArray:
        """Share turned away, giving up at any time, or answered after ``t`` seconds; to full relative precision."""
        return self._share(np.where(t < 0, 1.0, self.block + self.abandon + self._late(t)))

    def virtual_tail(self, t: FloatArray) -> FloatArray:
        """Share let in that would wait more than ``t`` seconds if it never gave up."""
        after = _held(t)
        late = self._gather(after, lambda rows, of: rows.virtually_late(of))
        late = np.where(self._hasty, self._sums.busy * np.exp(-self._drain * after), late)
        return self._share(np.where(t < 0, self._admitted, late))

    def answered_late(self, t: FloatArray) -> FloatArray:
        """Share answered after more than ``t`` seconds."""
        return self._share(np.where(t < 0, self._answered, self._late(t)))

    def gave_up_before(self, t: FloatArray) -> FloatArray:
        """Share that gives up within ``t`` seconds."""
        gone = self._gather(_held(t), lambda rows, of: rows.gave_up(of))
        return self._share(np.where(t < 0, 0.0, np.where(self._hasty, self._sums.busy, np.minimum(gone, self.abandon))))

    def mean_wait(self) -> FloatArray:
        """Mean seconds spent waiting by those let in, those who give up included, by Little's law."""
        queue, admitted = self._sums.queue, self._admitted * self._rate
        # Always full, and whoever is let in never leaves.
        wait = np.where(queue > 0, np.inf, 0.0)
        np.divide(queue, admitted, out=wait, where=admitted > 0)
        return np.where(self._any, wait, 0.0)

    def asa(self) -> FloatArray:
        """Mean wait of the answered in seconds."""
        waited = self._over_rows(lambda rows: rows.answered_wait()) * self._drain_per_rate
        wait = np.divide(waited, self._answered, out=np.zeros_like(waited), where=waited > 0)
        return np.where(self._any, np.where(self._drain > 0, wait, np.inf), 0.0)

    def mean_queue(self) -> FloatArray:
        """Mean number waiting."""
        return np.where(self._any, self._sums.queue, 0.0)

    def wait_quantile(self, q: FloatArray) -> FloatArray:
        """Shortest time in seconds within which a share ``q`` of the answered has been answered."""
        limit = np.full_like(self._drain, np.inf)
        with np.errstate(over="ignore"):
            np.divide((1 - q) * self._answered, self._drain_per_rate, out=limit, where=self._drain_per_rate > 0)
        time = self._gather(limit, time_until)
        return np.where(self._any, np.where(self._drain > 0, time, np.inf), 0.0)

    @cached_property
    def _sums(self) -> Sums:
        parts = [rows.sums() for rows in self._kept or self._rows()]
        order = np.concatenate([np.empty(0, np.intp), *self._parts])
        result = [np.empty_like(self._drain) for _ in Sums._fields]
        for each, pieces in zip(result, zip(*parts, strict=True), strict=False):
            each[order] = np.concatenate(pieces)
        return Sums(*result)

    @property
    def _admitted(self) -> FloatArray:
        return np.where(self._hasty, 1.0, self._sums.free + self._sums.waits)

    @property
    def _answered(self) -> FloatArray:
        """Share answered: at once, or on the way down from S + i to S + i − 1."""
        return np.where(self._drain > 0, self._sums.free, 0.0) + self._sums.some_waiting * self._drain_per_rate

    def _late(self, t: FloatArray) -> FloatArray:
        return self._gather(_held(t), lambda rows, of: rows.late(of)) * self._drain_per_rate

    def _share(self, values: FloatArray) -> FloatArray:
        return np.where(self._any, np.minimum(values, 1.0), 0.0)

    def _rows(self) -> Iterator[Rows]:
        for at in self._parts:
            yield Rows.of(*(each[at] for each in (self._gate, self._rate, self._drain, self._theta, self._last)))

    def _over_rows(self, figure: Callable[[Rows], FloatArray]) -> FloatArray:
        return self._gather(self._drain, lambda rows, _: figure(rows))

    def _gather(self, argument: FloatArray, figure: Callable[[Rows, FloatArray], FloatArray]) -> FloatArray:
        result = np.empty_like(self._drain)
        with np.errstate(over="ignore"):  # times and rates beyond all bounds: their exponentials are 0
            for at, rows in zip(self._parts, self._kept or self._rows(), strict=True):
                result[at] = figure(rows, argument[at])
        return result


def _parts(last: FloatArray) -> list[IntArray]:
    """The elements in groups of like many places, as large as :data:`_CELLS` allows and at least of one."""
    order = np.argsort(last, kind="stable")
    ends, start = [], 0
    width = last[order] + 1
    while start < len(order):
        # The last of a group has the most places, and all get its width.
        ahead = width[start : start + _CELLS]
        cells = ahead * np.arange(1, len(ahead) + 1)
        start += max(int(np.searchsorted(cells, _CELLS, side="right")), 1)
        ends.append(start)
    return np.split(order, ends[:-1]) if ends else []


def _held(t: FloatArray) -> FloatArray:
    return np.clip(t, 0.0, 1e200)
