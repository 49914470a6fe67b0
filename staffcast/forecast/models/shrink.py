"""How much of what a regression found is to be believed."""

from __future__ import annotations

import numpy as np

from staffcast.forecast.past.days import Floats

__all__ = ["believed", "inflation", "middle"]

_LEAST = 1e-18
_LAGS = 14


def believed(found: Floats, inverse: Floats, left: Floats, weight: Floats) -> float:
    """Share of a group of coefficients that is kept, in [0, 1]: all of them together are shrunk to 0 by their doubt.

    Parameters
    ----------
    found : ndarray, shape (k,)
        The coefficients.
    inverse : ndarray, shape (k, k)
        Their part of the inverse of the normal matrix.
    left : ndarray, shape (days,)
        What the regression left unexplained, in the order of days.
    weight : ndarray, shape (days,)

    Notes
    -----
    1 − k ÷ b'V⁻¹b, not below 0, the positive part of the rule of W. James and C. Stein ("Estimation with quadratic
    loss", Proceedings of the Fourth Berkeley Symposium 1, 1961, pp. 361–379); V allows for days that resemble those
    before.
    """
    whole = float(weight.sum())
    variance = float(weight @ (left * left)) / whole * inflation(left) if whole > 0 else 0.0
    if variance <= _LEAST:
        return 1.0
    sure = float(found @ np.linalg.solve(inverse, found)) / variance
    return max(0.0, 1 - len(found) / sure) if sure > 0 else 0.0


def middle(values: Floats) -> float:
    """Median of values that are all known, at least one; numpy's own takes five times as long on a year of days."""
    half = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, half)[half])
    ordered = np.partition(values, (half - 1, half))
    return float(ordered[half - 1] + ordered[half]) / 2


def inflation(left: Floats) -> float:
    """How much more the mean of such a series varies than that of independent days: Σ autocorrelations of two weeks."""
    own = float(left @ left)
    if own <= 0:
        return 1.0
    lags = np.array([left[lag:] @ left[:-lag] for lag in range(1, _LAGS + 1)]) / own
    fade = 1 - np.arange(1, _LAGS + 1) / 15
    return float(max(1 + 2 * (fade * lags).sum(), 1.0))
