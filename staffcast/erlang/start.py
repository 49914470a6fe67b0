"""Where the search for the smallest crew begins: heavy-traffic approximations; the search mends what is left.

References
----------
.. [1] S. Halfin, W. Whitt, "Heavy-traffic limits for queues with many exponential servers", Operations Research 29(3),
   1981, pp. 567–588, doi:10.1287/opre.29.3.567, equation (2.3).
.. [2] O. Garnett, A. Mandelbaum, M. Reiman, "Designing a call center with impatient customers", Manufacturing & Service
   Operations Management 4(3), 2002, pp. 208–227, doi:10.1287/msom.4.3.208.7753.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from staffcast.contracts import Target
from staffcast.erlang._checks import FloatArray
from staffcast.erlang.models.system import System

__all__ = ["likely_agents"]


def likely_agents(system: System, target: Target) -> npt.NDArray[np.int64]:
    """Agents that will about do: square-root staffing [1]_, [2]_, widened for an uncertain rate."""
    load = system.rate / system.most_per_agent
    root = np.sqrt(np.maximum(load, 1e-9))
    within = np.maximum(target.seconds - system.reply, 1e-9) * system.most_per_agent
    patient = system.theta > 0
    if patient.all():
        beta = _with_patience(root, within, system.theta / system.most_per_agent, target)
    else:
        beta = _waiting_for_ever(root, within, target)
        if patient.any():
            some = _with_patience(
                root[patient], within[patient], (system.theta / system.most_per_agent)[patient], target
            )
            beta[patient] = some
    sds = 3.1 if target.kind == "mean" else max(float(special.ndtri(target.level)), 0.0)
    spread = np.where(system.cv > 0, np.hypot(beta * root, sds * system.cv * load), beta * root)
    return np.maximum(np.ceil(load + spread), 1).astype(np.int64)


def _waiting_for_ever(root: FloatArray, within: FloatArray, target: Target) -> FloatArray:
    """Agents above the load in its square roots, where nobody gives up: Newton for ln(measure) = ln(limit)."""
    beta = np.ones_like(root)
    for _ in range(4):
        mills = np.exp(special.log_ndtr(beta) + 0.5 * beta * beta) * np.sqrt(2 * np.pi)
        waits = 1 + beta * mills
        slope = -(mills / waits + beta)
        if target.kind == "mean":
            value = -np.log(waits) - np.log(beta * root * within)
            slope -= 1 / beta
        else:
            value = -np.log(waits) - beta * root * within - np.log(1 - target.level)
            slope -= root * within
        beta = np.clip(beta - value / slope, 1e-3, 8.0)
    return beta


def _with_patience(root: FloatArray, within: FloatArray, eager: FloatArray, target: Target) -> FloatArray:
    """The same where customers give up: secants. ``eager`` is AHT ÷ patience, ``within`` in handle times."""
    eager = np.minimum(eager, 1e12)
    slow = np.sqrt(eager)

    def value(beta: FloatArray) -> FloatArray:
        # Given a wait, the virtual wait is a normal variable cut off at 0.
        reduced = np.clip(beta / slow, -30, 30)
        none_waits = slow * _hazard(reduced) / _hazard(-beta)
        log_first = special.log_ndtr(-reduced)
        upto = reduced + root * slow * within
        after = np.exp(special.log_ndtr(-upto) - log_first)
        whole, rest = _excess(reduced, log_first), _excess(upto, log_first)
        if target.kind == "mean":
            figure, limit = whole / (root * slow), within
        elif target.kind == "share":
            figure, limit = after + slow / root * np.maximum(whole - rest, 0), np.asarray(1 - target.level)
        else:
            figure, limit = after, np.asarray(1 - target.level)
        return np.asarray(np.log(np.maximum(figure, 1e-300)) - np.log1p(none_waits) - np.log(limit))

    low, high = np.zeros_like(root), np.ones_like(root)
    at_low, at_high = value(low), value(high)
    for _ in range(3):
        fall = np.minimum((at_high - at_low) / np.where(high == low, 1.0, high - low), -0.05)
        trial = np.clip(high - at_high / fall, -0.9 * root, 8.0)
        low, at_low, high = high, at_high, trial
        at_high = value(trial)
    return np.where(np.isfinite(high), high, 0.0)


def _hazard(x: FloatArray) -> FloatArray:
    """Normal density ÷ upper tail."""
    return np.asarray(np.exp(-0.5 * x * x - special.log_ndtr(-x)) / np.sqrt(2 * np.pi))


def _excess(x: FloatArray, log_tail: FloatArray) -> FloatArray:
    """E[(Z − x)⁺] of a normal Z, ÷ the tail given by its logarithm."""
    density = np.exp(-0.5 * x * x - log_tail) / np.sqrt(2 * np.pi)
    return np.asarray(np.maximum(density - x * np.exp(special.log_ndtr(-x) - log_tail), 0.0))
