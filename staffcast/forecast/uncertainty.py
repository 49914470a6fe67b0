"""How far the rate itself may be off, learnt from the errors of past forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Spread", "learn_spread"]

Floats = npt.NDArray[np.float64]

_FEW_TICKETS = 30
_UNKNOWN_CV = 0.25
_HIGHEST_CV = 1.5
# Errors count as at most so many standard deviations: a strike must not widen the bands of every week.
_FAR, _FAR_DAY = 4.5, 5.0
_ROUNDS = 6


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Uncertainty of a rate around its forecast f: variance ``bursts · f + (rate_cv · f)²`` beside Poisson noise.

    Attributes
    ----------
    rate_cv : float
        Relative standard deviation of the rate where intervals are busy.
    share_level, share_day : float
        Parts of the variance common to the whole horizon and to one day.
    bursts : float
        Variance beyond Poisson in proportion to the count, as tickets that come in groups make it; it matters where
        intervals are quiet.
    """

    rate_cv: float
    share_level: float
    share_day: float
    bursts: float = 0.0

    def cv_at(self, mean: Floats) -> Floats:
        """Relative standard deviation of the rate of intervals with so many expected tickets, shape as ``mean``."""
        variance = np.divide(self.bursts, mean, out=np.zeros_like(mean), where=mean > 0) + self.rate_cv**2
        return np.asarray(np.minimum(np.sqrt(variance), max(_HIGHEST_CV, self.rate_cv)))


def learn_spread(
    y: npt.NDArray[np.float64],
    mean: npt.NDArray[np.float64],
    day: npt.NDArray[np.int64],
    origin: npt.NDArray[np.int64],
) -> Spread:
    """Split past forecast errors into Poisson noise, bursts, interval, day and level.

    With e = y − f and y Poisson around a rate of mean f and variance V = a·f + b·f², E[e²] = f + V: a and b by
    least squares on f and f², reweighted, both ≥ 0, errors beyond 4.5 standard deviations drawn in. Of V, a part is
    common to the day and to the horizon: for intervals i ≠ j of one day E[eᵢeⱼ] = (share_level + share_day)·√(VᵢVⱼ), of
    different days of one origin share_level·√(VᵢVⱼ). Each sum gives its share by the method of moments.

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

    References
    ----------
    .. [1] B. N. Oreshkin, N. Régnard, P. L'Ecuyer, "Rate-based daily arrival process models with application to call
       centers", Operations Research 64(2), 2016, pp. 510–527, doi:10.1287/opre.2016.1484.
    """
    known = ~np.isnan(y) & (mean > 0)
    y, f, day, origin = y[known], mean[known], day[known], origin[known]
    if f.sum() < _FEW_TICKETS:
        return Spread(rate_cv=_UNKNOWN_CV, share_level=0.2, share_day=0.3)
    e = y - f
    bursts, square = _variance(e**2, f)
    variance = bursts * f + square * f**2
    if not variance.any():
        return Spread(rate_cv=0.0, share_level=0.0, share_day=0.0)
    g = np.sqrt(variance)
    e = np.clip(e, -_FAR_DAY * np.sqrt(variance + f), _FAR_DAY * np.sqrt(variance + f))
    at_origin = np.unique(origin, return_inverse=True)[1]
    at_day = np.unique(at_origin * (int(day.max() - day.min()) + 1) + (day - day.min()), return_inverse=True)[1]
    e = _drawn_in(e, f, at_day)

    def squares(values: Floats, groups: npt.NDArray[np.intp]) -> float:
        return float((np.bincount(groups, weights=values) ** 2).sum())

    own_e, own_g = float((e**2).sum()), float((g**2).sum())
    day_e, day_g = squares(e, at_day), squares(g, at_day)
    all_e, all_g = squares(e, at_origin), squares(g, at_origin)
    within_day = min(_ratio(day_e - own_e, day_g - own_g), 1.0)
    level = min(_ratio(all_e - day_e, all_g - day_g), within_day)
    return Spread(
        rate_cv=float(np.sqrt(square)), share_level=level, share_day=within_day - level, bursts=bursts
    )  # fmt: skip


def _drawn_in(e: Floats, f: Floats, at_day: npt.NDArray[np.intp]) -> Floats:
    """Errors with those of days far off made smaller together: one dead day must not stand for all."""
    came, usual = np.bincount(at_day, e), np.sqrt(np.bincount(at_day, f))
    far = np.divide(np.abs(came), usual, out=np.zeros_like(came), where=usual > 0)
    limit = _FAR_DAY * max(1.4826 * float(np.median(far)), 1.0)
    return np.asarray(e * (limit / np.maximum(far, limit))[at_day])


def _variance(squared: Floats, f: Floats) -> tuple[float, float]:
    """A and b of Var = f + a·f + b·f²."""
    a, b = 0.0, 0.02
    for _ in range(_ROUNDS):
        expected = f + a * f + b * f * f
        weight = 1 / expected**2
        rest = np.minimum(squared, _FAR**2 * expected) - f
        ff, fq, qq = (float((weight * f**k).sum()) for k in (2, 3, 4))
        fe, qe = float((weight * f * rest).sum()), float((weight * f * f * rest).sum())
        # Least squares in two numbers that are not negative: inside, on one edge, or at the corner.
        det = ff * qq - fq * fq
        if det > 1e-12 * ff * qq:
            a, b = (fe * qq - qe * fq) / det, (qe * ff - fe * fq) / det
        else:
            a, b = 0.0, qe / qq
        if a < 0:
            a, b = 0.0, max(qe / qq, 0.0)
        elif b < 0:
            a, b = max(fe / ff, 0.0), 0.0
    return a, b


def _ratio(above: float, below: float) -> float:
    return max(above / below, 0.0) if below > 0 else 0.0
