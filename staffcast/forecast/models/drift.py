"""The slow part of a level: a trend as far as it is sure, and the course of the year once it has been seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from staffcast.forecast.models.shrink import inflation, middle
from staffcast.forecast.past.days import Dates, Floats, weekday
from staffcast.forecast.past.features import year_waves

__all__ = ["Drift", "drift_of_totals", "learn_drift"]

_HALF_LIFE_DAYS = 365.0
_TREND_FROM, _YEAR_FROM, _YEAR_SURE = 90, 400, 700
_YEAR_WAVES = 2
# Penalties in days: what is known of a year from little more than one is mostly chance.
_YEAR_PENALTY, _ONE_YEAR_PENALTY = 10.0, 120.0
_FAR = 3.0
_LEAST = 1e-12
# Weekdays below this share of the busiest one say nothing of the desk's drift.
_IDLE = 0.05
# Of the level on the last day: a past may have risen by at most the first of it, and fallen by the second.
_MOST_RISE, _MOST_FALL = 0.8, 4.0


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Trend and year, in the unit of the level.

    Attributes
    ----------
    slope : float
        Change per year at the end of the past.
    damping : float
        Days ahead in which the trend has lost all but 1/e of its pace.
    year : ndarray, shape (2 · waves,)
        Coefficients of :func:`~staffcast.forecast.past.features.year_waves`; all 0 where not known.
    last : datetime64[D]
        The last day of the past.
    """

    slope: float
    damping: float
    year: Floats
    last: np.datetime64

    def at(self, dates: Dates) -> Floats:
        """What the drift adds on these days to the level of the last day, shape (days,)."""
        ahead = (dates - self.last).astype(float)
        if ahead[-1] > 0:
            slow = self.damping * -np.expm1(-np.maximum(ahead, 0.0) / self.damping)
            ahead = np.where(ahead > 0, slow, ahead)
        drift = ahead * (self.slope / 365.25)
        if self.year.any():
            drift = drift + year_waves(dates, len(self.year) // 2) @ self.year
        return np.asarray(drift)


def learn_drift(level: Floats, dates: Dates, weight: Floats) -> Drift:
    """Find trend and year in a level that has no weekly course any more.

    Parameters
    ----------
    level : ndarray, shape (days,)
        Level of each day, its weekday and holidays taken out.
    dates : ndarray of datetime64[D], shape (days,)
    weight : ndarray, shape (days,)
        0 for days that say nothing.

    Returns
    -------
    Drift
        Without 90 days there is none.

    Notes
    -----
    Ridge regression over up to two years. The slope is shrunk by how sure it is, b·max(0, 1 − var(b)/b²), the positive
    part of James and Stein's rule; its variance allows for levels that resemble those of the days before.
    """
    span = len(dates)
    last = dates[-1]
    waves = _YEAR_WAVES if span >= _YEAR_FROM else 0
    none = Drift(slope=0.0, damping=float(max(span, 60)), year=np.zeros(2 * waves), last=last)
    known = weight > 0
    if span < _TREND_FROM or known.sum() < _TREND_FROM / 2:
        return none
    design, penalty, discount = _slow_design(int(dates[0].astype(np.int64)), span, waves)
    fresh = weight * discount
    weights, left, beta, normal = fresh, level, penalty, np.eye(len(penalty))
    for _ in range(2):
        weighted = design * weights
        normal = weighted @ design.T
        normal.flat[:: len(penalty) + 1] += penalty
        beta = np.asarray(np.linalg.solve(normal, weighted @ level))
        left = level - beta @ design
        far = np.abs(left)
        scatter = max(1.4826 * middle(far[known]), _LEAST)
        weights = fresh / np.maximum(far / (_FAR * scatter), 1.0) ** 2
    slopes = np.linalg.inv(normal)[1]
    reach = _FAR * scatter
    drawn = np.minimum(np.maximum(left, -reach), reach)
    meat = (design * weights**2) @ design.T
    variance = float(slopes @ meat @ slopes) * float(fresh @ (drawn * drawn)) / float(fresh.sum())
    variance *= inflation(drawn * known)
    slope = float(beta[1])
    kept = max(0.0, 1 - variance / slope**2) if slope else 0.0
    return Drift(slope=slope * kept, damping=float(max(span, 60)), year=beta[2:], last=last)


@lru_cache(maxsize=64)
def _slow_design(first: int, span: int, waves: int) -> tuple[Floats, Floats, Floats]:
    """Rows of the regression, shape (2 + 2 · waves, days), the penalty of each, and how much each day counts."""
    ahead = np.arange(1.0 - span, 1.0)
    rows, penalty = [np.ones(span), ahead / 365.25], [0.0, 0.0]
    if waves:
        rows += list(year_waves(np.arange(first, first + span).astype("datetime64[D]"), waves).T)
        strength = _YEAR_PENALTY if span >= _YEAR_SURE else _ONE_YEAR_PENALTY
        penalty += [strength * (k + 1) ** 2 for k in range(waves)] * 2
    return np.array(rows), np.asarray(penalty) + _LEAST, 0.5 ** (-ahead / _HALF_LIFE_DAYS)


def drift_of_totals(root: Floats, dates: Dates, weekdays: Floats, seen: Floats) -> Drift:
    """Find the drift of daily totals relative to their weekday.

    Parameters
    ----------
    root : ndarray, shape (days,)
        Square roots of the totals.
    dates : ndarray of datetime64[D], shape (days,)
    weekdays : ndarray, shape (7,)
        Usual root of each weekday.
    seen : ndarray, shape (days,)
        Share of the day that is known; 0 for days that are not like their weekday.
    """
    of_week = weekday(dates)
    part = weekdays / max(float(weekdays.max()), _LEAST)
    # Roots scatter alike on all weekdays, so relative to a quiet one they scatter more.
    weight = seen * np.where(part > _IDLE, part, 0.0)[of_week] ** 2
    drift = learn_drift(root / np.maximum(weekdays, _LEAST)[of_week] - 1, dates, weight)
    # No level was ever next to nothing when the past began: a few wild days behind a long gap can look like that.
    years = max(len(dates), 1) / 365.25
    return replace(drift, slope=min(max(drift.slope, -_MOST_FALL / years), _MOST_RISE / years))
