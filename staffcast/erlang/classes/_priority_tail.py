"""The wait of a ticket that waits, in M/M/c with non-preemptive priorities, from the transform of Kella and Yechiali.

Flat arrays of stable classes with arrivals. Time counts in mean handle times, so that the agents are the speed v, and
the loads above and up to the class the rates Λ < L < v.
"""

from __future__ import annotations

import numpy as np

from staffcast.erlang._checks import FloatArray

__all__ = ["late", "late_quantile"]

# The branch cut of the transform is integrated over an angle in (0, π), on pieces that halve towards 0: there lie the
# nearby singularities of a heavily loaded queue, at every scale. Twelve nodes per piece give 1e-13.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_EDGES = np.concatenate([[0.0], np.pi * 0.5 ** np.arange(30, -1, -1)])
_ANGLE = (0.5 * (_EDGES[:-1] + _EDGES[1:])[:, None] + 0.5 * np.diff(_EDGES)[:, None] * _NODES).ravel()
_PART = (0.5 * np.diff(_EDGES)[:, None] * _WEIGHTS).ravel()


def late(after: FloatArray, agents: FloatArray, above: FloatArray, upto: FloatArray) -> FloatArray:
    """P(wait > after) of a ticket that waits."""
    found = np.empty_like(after)
    for part in _parts(len(after)):
        found[part] = _Stretched(agents[part], above[part], upto[part]).tail(after[part])[0]
    return np.minimum(found, 1.0)


def late_quantile(beyond: FloatArray, agents: FloatArray, above: FloatArray, upto: FloatArray) -> FloatArray:
    """The wait that a share ``beyond`` of the tickets that wait exceeds."""
    found = np.zeros_like(beyond)
    for part in _parts(len(beyond)):
        wait = _Stretched(agents[part], above[part], upto[part])
        at, goal = found[part], np.log(beyond[part])
        # The log of a mixture of exponentials is convex and falls: Newton from the left never passes the root.
        for _ in range(300):
            tail, density = wait.tail(at)
            step = np.maximum((np.log(tail) - goal) * tail / density, 0.0)
            at = at + step
            if np.all(step <= 1e-12 * at):
                break
        found[part] = at
    return found


def _parts(length: int) -> list[slice]:
    return [slice(start, start + 2048) for start in range(0, length, 2048)]


class _Stretched:
    """The wait of a ticket that waits, as a mixture of exponentials (see :func:`priority_waits`)."""

    def __init__(self, agents: FloatArray, above: FloatArray, upto: FloatArray) -> None:
        urgent, spare = (above / agents)[:, None], ((agents - upto) / agents)[:, None]
        own = np.maximum((upto - above) / agents, 1e-150)[:, None]  # its square must not vanish
        all_ = urgent + own
        root = np.sqrt(urgent)
        bend = 4 * root * np.sin(_ANGLE / 2) ** 2
        # 1 − √(Λ/v) without the loss where Λ is close to v.
        self._rates = ((spare + own) / (1 + root)) ** 2 + bend
        around = (all_ - root) ** 2 + bend * all_
        self._shares = (2 / np.pi) * urgent * spare * np.sin(_ANGLE) ** 2 / (self._rates * around) * _PART
        self._pole = np.maximum(all_ * all_ - urgent, 0.0) / (all_ * own)
        self._pole_rate = spare * own / all_
        self._agents = agents

    def tail(self, after: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Probability of a longer wait, and the density there."""
        t = (after * self._agents)[:, None]
        parts = self._shares * np.exp(-self._rates * t)
        pole = self._pole * np.exp(-self._pole_rate * t)
        tail = parts.sum(axis=1) + pole[:, 0]
        density = ((parts * self._rates).sum(axis=1) + (pole * self._pole_rate)[:, 0]) * self._agents
        return tail, density
