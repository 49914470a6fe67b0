"""The wait of one tagged ticket when the staff changes while it waits.

First come, first served: what arrives behind the tagged ticket does not touch it. Of those ahead of it (in service or
waiting) nobody joins, so their number only falls: at slots ÷ aht plus theta for each of the ``q`` that wait ahead. The
tagged ticket gives up at theta itself, and is answered as soon as fewer than ``slots`` are ahead. With
D = slots ÷ aht and z = exp(−theta·t), the number ahead passes from q to j ≥ 0 within t with probability
Π_{k=j+1..q}(D/theta + k) ÷ (q − j)! · (1 − z)^(q − j) · z^(D/theta + j), a pure death process with linear rates [1]_;
without giving up that is the Poisson distribution of q − j. Up to a scale on either side this is a convolution.

References
----------
.. [1] D. R. Cox, H. D. Miller, "The Theory of Stochastic Processes", 1965, section 4.3 (birth and death processes with
   linear rates).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from staffcast.erlang._checks import FloatArray

__all__ = ["Fate", "Phase", "Tagged"]

_MOST_LOG = 600.0  # beyond it the scales of the convolution leave the range of doubles
_MOST_KEPT = 4_000_000  # numbers remembered before the memory is emptied
_MOST_KERNELS = 1000
_NEGLIGIBLE = -45.0  # logarithm of a chance

Moments = tuple[float, ...]


class Phase(NamedTuple):
    """A stretch with one staff: slots, 1 ÷ aht, and how long it lasts in seconds (the last lasts forever)."""

    slots: int
    finish: float
    lasts: float


class Fate(NamedTuple):
    """What becomes of a ticket in the end: P(answered) and E[wait; answered], over those ahead (last axis)."""

    answered: FloatArray
    wait: FloatArray


class _Kernel(NamedTuple):
    """P(from q to j ahead, and the tagged ticket stays) = exp(scale[q]) · steps[q − j] · exp(stay[j] − scale[j])."""

    scale: FloatArray
    stay: FloatArray
    steps: FloatArray


class Tagged:
    """What becomes of a ticket that arrives with 0 … size − 1 ahead, ``left`` seconds before its first phase ends.

    The arrays, over (moments ``left``, number ahead), are remembered: they depend on the staff alone.
    """

    def __init__(self, theta: float) -> None:
        self._theta = theta
        self._seen: dict[tuple[object, ...], FloatArray] = {}
        self._kernels: dict[tuple[object, ...], _Kernel] = {}
        self._kept = 0

    def answered_within(self, within: float, phases: tuple[Phase, ...], left: Moments, size: int) -> FloatArray:
        """Probability of an answer within so many seconds; only the phases that these reach are looked at."""
        count, covered = 1, min(left)
        while covered < within and count < len(phases):
            covered += phases[count].lasts
            count += 1
        phases = phases[:count]
        key = ("answered", within, phases, left if count > 1 else len(left), size)
        if (known := self._seen.get(key)) is not None:
            return known
        first, found = phases[0], np.ones((len(left), size))
        if first.slots < size:
            if count == 1:
                found[:, first.slots :] = self._answered_here(first, (within,) * len(left), size - first.slots)
            elif any(each >= within for each in left):
                rows = [self.answered_within(within, phases[: 1 if each >= within else count], (each,), size)[0]
                        for each in left]  # fmt: skip
                found = np.array(rows)
            else:
                later = self._later(tuple(within - each for each in left), phases[1:], size)
                found[:, first.slots :] = self._answered_here(first, left, size - first.slots)
                found[:, first.slots :] += self._pass(later[:, first.slots :], first, left)
                np.minimum(found, 1.0, out=found)
        return self._remember(key, found)

    def fate(self, phase: Phase, left: Moments, later: Fate | None, size: int) -> Fate:
        """What becomes of it in the end, given what becomes of those who meet the next phase at its beginning.

        ``later`` is over those ahead alone; without it the phase lasts forever.
        """
        share, wait = np.ones((len(left), size)), np.zeros((len(left), size))
        if phase.slots >= size:
            return Fate(share, wait)
        waiting = slice(phase.slots, size)
        drain, ahead = phase.slots * phase.finish, np.arange(size - phase.slots)
        if drain > 0:
            leave = drain + (ahead + 1) * self._theta
            ever = drain / leave
            mean = ever * np.cumsum(1 / leave)
        else:
            ever = mean = np.zeros(size - phase.slots)
        share[:, waiting], wait[:, waiting] = ever, mean
        if later is not None:
            next_share, next_wait = (_stretched(each, size)[waiting] for each in later)
            other = np.tile(next_share - ever, (len(left), 1))
            slower = next_wait - mean + np.array(left)[:, None] * other
            if other.any():
                share[:, waiting] = np.clip(ever + self._pass(other, phase, left), 0.0, 1.0)
            wait[:, waiting] = np.maximum(mean + self._pass(slower, phase, left), 0.0)
        return Fate(share, wait)

    def fate_of(self, phases: tuple[Phase, ...], later: Fate | None, size: int) -> Fate:
        """:meth:`fate` from the beginning of the first phase, remembered; ``later`` is that of the other phases."""
        names = ("ever", phases, size), ("wait", phases, size)
        known = [self._seen.get(name) for name in names]
        if known[0] is None or known[1] is None:
            found = self.fate(phases[0], (phases[0].lasts,), later, size)
            return Fate(*(self._remember(name, each[0]) for name, each in zip(names, found, strict=True)))
        return Fate(known[0], known[1])

    def _later(self, within: Moments, phases: tuple[Phase, ...], size: int) -> FloatArray:
        """Probability of an answer within each of the times, from the beginning of the first phase."""
        first = phases[0]
        if len(phases) > 1 and max(within) > first.lasts:
            return np.array([self.answered_within(each, phases, (first.lasts,), size)[0] for each in within])
        found = np.ones((len(within), size))
        if first.slots < size:
            found[:, first.slots :] = self._answered_here(first, within, size - first.slots)
        return found

    def _answered_here(self, phase: Phase, within: Moments, size: int) -> FloatArray:
        """Probability of an answer within each of the times by the staff of this phase, over those who wait ahead."""
        key = ("here", phase.slots, phase.finish, within, size)
        if (known := self._seen.get(key)) is not None:
            return known
        ahead, drain, time = np.arange(size, dtype=np.float64), phase.slots * phase.finish, np.array(within)[:, None]
        if drain == 0:
            found = np.zeros((len(within), size))
        elif self._theta == 0:
            # Nobody gets past more than the drain answers in the time, but for a chance below 1e-20.
            most = drain * max(*within, 0.0)
            some = ahead[: int(most + 10 * np.sqrt(most) + 40)] if most < np.inf else ahead
            found = np.zeros((len(within), size))
            found[:, : len(some)] = special.gammainc(some + 1, drain * np.maximum(time, 0.0))
        else:
            at_all = drain / (drain + (ahead + 1) * self._theta)
            gone = -np.expm1(-self._theta * np.maximum(time, 0.0))
            found = at_all * special.betainc(ahead + 1, drain / self._theta + 1, gone)
        return self._remember(key, found)

    def _pass(self, later: FloatArray, phase: Phase, left: Moments) -> FloatArray:
        """Σ_j P(from q to j ahead within the time, and the tagged ticket stays) · later[j], over (moments, q)."""
        drain = phase.slots * phase.finish
        if drain == 0 and self._theta == 0:
            return later
        kernel = self._kernel(phase, left, later.shape[1])
        if kernel.scale[-1] > _MOST_LOG:
            return self._pass_far(later, kernel)
        values, found = later * np.exp(kernel.stay - kernel.scale), np.empty_like(later)
        for row, steps, each in zip(found, kernel.steps, values, strict=True):
            row[:] = np.convolve(each, steps)[: len(row)]
        return np.asarray(found * np.exp(kernel.scale))

    def _pass_far(self, later: FloatArray, kernel: _Kernel) -> FloatArray:
        """The same where the scales leave the range of doubles: term by term from the logarithms."""
        size = later.shape[1]
        gap = np.arange(size)[:, None] - np.arange(size)[None, :]
        found = np.empty_like(later)
        for row, steps, stay, each in zip(found, kernel.steps, kernel.stay, later, strict=True):
            with np.errstate(divide="ignore"):
                far = np.log(np.concatenate([steps, np.zeros(size - len(steps))]))
            log = np.where(gap >= 0, far[np.maximum(gap, 0)], -np.inf)
            row[:] = np.exp(log + kernel.scale[:, None] - kernel.scale[None, :] + stay[None, :]) @ each
        return found

    def _kernel(self, phase: Phase, left: Moments, size: int) -> _Kernel:
        key = (phase.slots, phase.finish, left, size)
        if (known := self._kernels.get(key)) is not None:
            return known
        if len(self._kernels) >= _MOST_KERNELS:
            self._kernels.clear()
        time, theta = np.array(left)[:, None], self._theta
        base = phase.slots * phase.finish + theta
        ahead = np.arange(size, dtype=np.float64)
        mean = base * (-np.expm1(-theta * time) / theta if theta > 0 else time)
        # scale[q] = Π_{k ≤ q} (D + k·theta) ÷ (D + theta)
        scale = np.concatenate([[0.0], np.cumsum(np.log1p(theta / base * (ahead[1:] - 1)))])
        log = special.xlogy(ahead, mean) - mean - special.gammaln(ahead + 1)
        # What is too far to go in the time, also at the highest pace, need not be added up.
        counts = (log + (scale[-1] - scale[::-1]) > _NEGLIGIBLE).any(axis=0)
        steps = np.exp(log[:, : size - int(np.argmax(counts[::-1]))])
        found = _Kernel(scale, mean - base * time - theta * time * ahead, steps)
        self._kernels[key] = found
        return found

    def _remember(self, key: tuple[object, ...], values: FloatArray) -> FloatArray:
        self._kept += values.size
        if self._kept > _MOST_KEPT:
            self._seen.clear()
            self._kept = values.size
        values.setflags(write=False)
        self._seen[key] = values
        return values


def _stretched(values: FloatArray, size: int) -> FloatArray:
    """The values over ``size`` ahead; further out than they reach nobody comes, and the last of them will do."""
    if len(values) >= size:
        return values[:size]
    return np.concatenate([values, np.full(size - len(values), values[-1])])
