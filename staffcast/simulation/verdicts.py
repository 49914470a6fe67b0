"""Targets of single classes, judged apart."""

from __future__ import annotations

import math

import numpy as np

from staffcast.contracts import Target
from staffcast.simulation.checks import FloatArray
from staffcast.simulation.intervals import bounds
from staffcast.simulation.sampling import Case

__all__ = ["goal_columns", "verdict_on"]


def goal_columns(case: Case, goals: FloatArray) -> dict[str, list[str] | FloatArray]:
    """Columns of ``Outcome.by_class``: ``target``, ``target_value`` with its 95 % interval, ``verdict``.

    Parameters
    ----------
    case : Case
    goals : array (replications, goal stats, classes)
    """
    reached, judged = np.moveaxis(goals, 1, 0)
    total = judged.sum(axis=0)
    value = np.divide(reached.sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)
    low, high = bounds(reached, judged)
    shares = np.array([each is not None and each.kind != "mean" for each in case.class_targets])
    # The bounds may lie outside of what a share can be.
    low, high = (np.where(shares, np.clip(each, 0.0, 1.0), each) for each in (low, high))
    verdicts = [
        "" if target is None else verdict_on(target, *(float(each[line]) for each in (value, low, high)))
        for line, target in enumerate(case.class_targets)
    ]
    return {
        "target": ["" if each is None else str(each) for each in case.class_targets], "target_value": value,
        "target_value_low": low, "target_value_high": high, "verdict": verdicts,
    }  # fmt: skip


def verdict_on(target: Target, value: float, low: float, high: float) -> str:
    """``met``, ``missed``, or ``undecided`` where the target lies within the interval or nothing came.

    Parameters
    ----------
    target : Target
    value, low, high : float
        Of a mean seconds; else the share that is to reach ``target.level``. NaN bounds decide nothing.
    """
    if math.isnan(value):
        return "undecided"
    if target.kind == "mean":
        return "undecided" if low <= target.seconds < high else "met" if value <= target.seconds else "missed"
    return "undecided" if low < target.level <= high else "met" if value >= target.level else "missed"
