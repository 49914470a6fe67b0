"""Erlang C and Erlang A interval by interval, from the stationary birth–death chain: what SIPP and MOL staff by."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from staffcast.contracts import Target
from staffcast.erlang._checks import FloatArray
from staffcast.erlang.models.formulas import blocking
from staffcast.erlang.overtime.wait import Phase, Tagged

__all__ = ["TIE", "Rest", "gap_of", "smallest"]

_LONGEST = 200_000  # waiting tickets looked at
TIE = 1e-12
"""What is met but for so much is met."""


class Rest:
    """Stationary queues with one target; loads are those of the nodes of an uncertain rate, weighted over tickets."""

    def __init__(self, target: Target, within_s: float, theta: float, weight: FloatArray) -> None:
        self._target, self._within, self._theta, self._weight = target, within_s, theta, weight
        self._tagged = Tagged(theta)

    def fewest(self, loads: FloatArray, aht_s: float, guess: int) -> int:
        """Fewest agents with which the target is met; 0 without load."""
        if not loads.any():
            return 0
        return smallest(lambda agents: self.gap(loads, agents, aht_s) >= -TIE, guess)

    def gap(self, loads: FloatArray, agents: int, aht_s: float) -> float:
        """How far the target's figure lies above what it must reach."""
        parts = np.array([self._node(load, agents, aht_s) for load in loads.tolist()])
        on_time, answered, wait = self._weight @ parts
        return gap_of(self._target, self._within, on_time, answered, wait)

    def _node(self, load: float, agents: int, aht_s: float) -> tuple[float, float, float]:
        """P(answered in time), P(answered), E[wait; answered] of one arrival."""
        if load == 0:
            return 1.0, 1.0, 0.0
        if agents == 0 or (self._theta == 0 and load >= agents):
            return 0.0, 0.0 if agents == 0 else 1.0, math.inf
        lost = float(blocking(np.array([load]), np.array([float(agents)]))[0])
        # Probabilities of 0, 1, … waiting, over that of nobody waiting and nobody free.
        rate, drain = load / aht_s, agents / aht_s
        falls = 40 / max(math.log(agents / load), 1e-9) if load < agents else math.inf
        bump = max(rate - drain, 0.0) / self._theta + 10 * math.sqrt(rate / self._theta) if self._theta else math.inf
        waiting = np.arange(1 + int(min(falls, bump + 50, _LONGEST)))
        log = np.cumsum(np.log(rate / (drain + waiting[1:] * self._theta)))
        top = max(float(log.max(initial=0.0)), 0.0)
        queue = np.exp(np.concatenate([[0.0], log]) - top)
        if self._theta == 0:  # what lies beyond is a geometric series
            queue[-1] /= 1 - load / agents
        free = (1 - lost) / lost * math.exp(-top) if lost > 0 else math.inf
        share = queue / (queue.sum() + free) if free < math.inf else np.zeros(len(queue))
        phase = Phase(agents, 1 / aht_s, math.inf)
        size = agents + len(waiting)
        on_time = self._tagged.answered_within(self._within, (phase,), (math.inf,), size)[0, agents:]
        fate = self._tagged.fate(phase, (0.0,), None, size)
        idle = 1 - float(share.sum())
        return (
            idle + float(share @ on_time), idle + float(share @ fate.answered[0, agents:]),
            float(share @ fate.wait[0, agents:]),
        )  # fmt: skip


def smallest(meets: Callable[[int], bool], guess: int) -> int:
    """Smallest number above 0 that meets, where all larger ones do; walks from the guess in doubling steps."""
    low, high, step, trial = 0, -1, 1, max(guess, 1)
    while True:
        low, high = (low, trial) if meets(trial) else (trial, high)
        if high - low == 1:
            return high
        trial = low + step if high < 0 else max(high - step, (low + high) // 2)
        step *= 2


def gap_of(target: Target, within_s: float, on_time: float, answered: float, wait: float) -> float:
    """How far a target's figure lies above what it must reach, from sums over tickets that add up to one offered.

    A share counts over all offered; a percentile and a mean over the answered.
    """
    if target.kind == "share":
        return on_time - target.level
    if answered <= 0:
        return -1.0
    if target.kind == "percentile":
        return on_time / answered - target.level
    return 1 - wait / answered / within_s if wait < math.inf else -1e9
