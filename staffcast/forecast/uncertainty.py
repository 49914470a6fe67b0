"""How far the rate itself may be off, learnt from the errors of past forecasts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

__all__ = ["Spread", "learn_spread"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_FEW_TICKETS = 30
_UNKNOWN_CV = 0.25
_HIGHEST_CV = 1.5
# Errors count as at most so many standard deviations: a strike must not widen the bands of every week.
_FAR, _FAR_DAY = 4.5, 5.0
_ROUNDS = 6
# Special days are thought to be off by so much beyond usual ones, which counts like so many of them; half of what
# they have more is common to the day.
_SPECIAL_CV, _SPECIAL_DAYS, _SPECIAL_OF_DAY = 0.15, 4.0, 0.5
# A variance learnt from n days of tests is too small by (this ÷ n)², at most by half: weights were chosen there too,
# and so few days have not seen a level wander.
_FEW_DAYS = 17.0
# Levels wander by so much in four weeks beyond the horizon that was tested.
_WANDER, _FOUR_WEEKS = 0.06, 28.0


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
    special_cv, special_bursts : float
        The same two on holidays, beside them and on bridge days, where the rate is never surer than on usual days.
    reach : float
        Days ahead that the errors were seen over. Beyond, the level may wander: 6 % in four weeks, as √days.
    """

    rate_cv: float
    share_level: float
    share_day: float
    bursts: float = 0.0
    special_cv: float = 0.0
    special_bursts: float = 0.0
    reach: float = math.inf

    def cv_at(self, mean: Floats, *, special: Flags | None = None, ahead: Floats | None = None) -> Floats:
        """Relative standard deviation of the rate of intervals with so many expected tickets, shape as ``mean``.

        Parameters
        ----------
        mean : ndarray, shape (n,)
        special : ndarray of bool, shape (n,), optional
            Which lie on special days; none without it.
        ahead : ndarray, shape (n,), optional
            Day of the forecast that each lies in, from 1; within ``reach`` without it.
        """
        return self.at(mean, special=special, ahead=ahead)[0]

    def at(
        self, mean: Floats, *, special: Flags | None = None, ahead: Floats | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """Relative standard deviation of the rate, and the shares of its variance common to the horizon and to a day.

        Parameters are those of :meth:`cv_at`; all three have the shape of ``mean``.
        """
        usual = _relative(self.bursts, self.rate_cv, mean)
        more, wander = np.zeros_like(usual), np.zeros_like(usual)
        if special is not None:
            there = np.maximum(_relative(self.special_bursts, self.special_cv, mean) - usual, 0.0)
            more = np.where(special, there, 0.0)
        if ahead is not None:
            wander = _WANDER**2 * np.maximum(np.asarray(ahead, dtype=float) - self.reach, 0.0) / _FOUR_WEEKS
        whole = usual + more + wander
        level, day = self.share_level * usual + wander, self.share_day * usual + _SPECIAL_OF_DAY * more
        some = whole > 0
        shares = [
            np.divide(part, whole, out=np.full_like(whole, share), where=some)
            for part, share in ((level, self.share_level), (day, self.share_day))
        ]
        return np.asarray(np.sqrt(whole)), shares[0], shares[1]

    def doubted(self, days: int, reach: float) -> Spread:
        """The same for forecasts: wider by what ``days`` of tests leave open, and beyond the tests' ``reach``."""
        wider = 1 + (_FEW_DAYS / max(days, _FEW_DAYS)) ** 2
        return replace(
            self, bursts=self.bursts * wider, rate_cv=self.rate_cv * wider**0.5, reach=reach,
            special_bursts=self.special_bursts * wider, special_cv=self.special_cv * wider**0.5,
        )  # fmt: skip


def _relative(bursts: float, cv: float, mean: Floats) -> Floats:
    variance = np.divide(bursts, mean, out=np.zeros_like(mean), where=mean > 0) + cv**2
    return np.asarray(np.minimum(variance, max(_HIGHEST_CV, cv) ** 2))


def learn_spread(
    y: npt.NDArray[np.float64],
    mean: npt.NDArray[np.float64],
    day: npt.NDArray[np.int64],
    origin: npt.NDArray[np.int64],
    special: Flags | None = None,
) -> Spread:
    """Split past forecast errors into Poisson noise, bursts, interval, day and level.

    With e = y − f and y Poisson around a rate of mean f and variance V = a·f + b·f², E[e²] = f + V: a and b by
    least squares on f and f², reweighted, both ≥ 0, errors beyond 4.5 standard deviations drawn in. Of V, a part is
    common to the day and to the horizon: for intervals i ≠ j of one day E[eᵢeⱼ] = (share_level + share_day)·√(VᵢVⱼ), of
    different days of one origin share_level·√(VᵢVⱼ). Each sum gives its share by the method of moments.

    Special days have an a and a b of their own, mixed with those of usual days and a relative deviation of 15 % more
    as if that had been seen on four days: errors there are far larger in many logs, and must not widen all others.

    Parameters
    ----------
    y, mean : ndarray, shape (n,)
        What came and what had been forecast, open intervals of all origins. NaN in ``y`` is passed over.
    day, origin : ndarray of int, shape (n,)
        Local day and origin of each.
    special : ndarray of bool, shape (n,), optional
        Which lie on holidays, beside them or on bridge days; none without it.

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
    if special is not None:
        usual = learn_spread(y[~special], mean[~special], day[~special], origin[~special])
        at = known & special
        return _with_special(usual, y[at], mean[at], day[at])
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


def _with_special(usual: Spread, y: Floats, f: Floats, day: npt.NDArray[np.int64]) -> Spread:
    number = len(np.unique(day))
    bursts, square = _variance((y - f) ** 2, f) if number else (0.0, 0.0)
    weight = number / (number + _SPECIAL_DAYS)
    bursts = weight * bursts + (1 - weight) * usual.bursts
    square = weight * min(square, _HIGHEST_CV**2) + (1 - weight) * (usual.rate_cv**2 + _SPECIAL_CV**2)
    return replace(usual, special_bursts=bursts, special_cv=float(np.sqrt(square)))


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
