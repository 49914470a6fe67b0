"""How far the rate itself may be off, learnt from the errors of past forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Spread", "learn_spread"]

_FEW_TICKETS = 30
_UNKNOWN_CV = 0.25


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Uncertainty of a rate around its forecast.

    Attributes
    ----------
    rate_cv : float
        Relative standard deviation in one interval; Poisson noise comes on top.
    share_level, share_day : float
        Parts of that variance common to the whole horizon and to one day.
    """

    rate_cv: float
    share_level: float
    share_day: float


def learn_spread(
    y: npt.NDArray[np.float64],
    mean: npt.NDArray[np.float64],
    day: npt.NDArray[np.int64],
    origin: npt.NDArray[np.int64],
) -> Spread:
    """Split past forecast errors into Poisson noise, interval, day and level.

    With e = y − f and y Poisson around a rate f·(1 + L + D + I), for intervals i ≠ j of one day
    E[eᵢeⱼ] = (σL² + σD²) fᵢfⱼ, of different days of one origin σL² fᵢfⱼ, and E[eᵢ²] = fᵢ + (σL² + σD² + σI²) fᵢ².
    Each sum gives its variance by the method of moments.

    Parameters
    ----------
    y, mean : ndarray, shape (n,)
        What came and what had been forecast, open intervals of all origins. NaN in ``y`` is passed over.
    day, origin : ndarray of int, shape (n,)
        Local day and origin of each.

    Returns
    -------
    Spread
        With under 30 tickets in all: 25 %, half of it common to a day.
    """
    known = ~np.isnan(y) & (mean > 0)
    y, f, day, origin = y[known], mean[known], day[known], origin[known]
    if f.sum() < _FEW_TICKETS:
        return Spread(rate_cv=_UNKNOWN_CV, share_level=0.2, share_day=0.3)
    e = y - f
    _, at_day = np.unique(np.column_stack([origin, day]), axis=0, return_inverse=True)
    at_day = at_day.ravel()
    _, at_origin = np.unique(origin, return_inverse=True)

    def squares(values: npt.NDArray[np.float64], groups: npt.NDArray[np.int64]) -> float:
        return float((np.bincount(groups, weights=values) ** 2).sum())

    own_e, own_f = float((e**2).sum()), float((f**2).sum())
    day_e, day_f = squares(e, at_day), squares(f, at_day)
    all_e, all_f = squares(e, at_origin), squares(f, at_origin)
    total = max((own_e - float(f.sum())) / own_f, 0.0)
    within_day = _ratio(day_e - own_e, day_f - own_f)
    level = _ratio(all_e - day_e, all_f - day_f)
    # Errors of the moments must not break the order level ≤ day ≤ all.
    within_day = min(within_day, total)
    level = min(level, within_day)
    if total <= 0:
        return Spread(rate_cv=0.0, share_level=0.0, share_day=0.0)
    return Spread(
        rate_cv=float(np.sqrt(total)), share_level=level / total, share_day=(within_day - level) / total
    )  # fmt: skip


def _ratio(above: float, below: float) -> float:
    return max(above / below, 0.0) if below > 0 else 0.0
