"""Daily Poisson regression (statsmodels) × an intraday profile per weekday."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.forecast.base import Floats, Model

__all__ = ["DailyGLM"]

_HALF_LIFE_DAYS = 70.0
_PROFILE_HALF_LIFE_DAYS = 70.0
# Weight of the pooled day shape in a weekday's own, in tickets: a queue with few tickets leans on the pool.
_PROFILE_PRIOR_TICKETS = 60.0
_TREND_DAMPING_DAYS = 60.0
_TREND_MIN_DAYS = 180
_YEARLY_MIN_DAYS = 700
_OUTLIER = 5.0


class DailyGLM(Model):
    """Poisson GLM of the daily total times the weekday's profile over the day.

    The daily part has weekday, holidays with the day before and after, a damped trend once half a year is known,
    and the yearly course once two years are. Old days count less (half-life ten weeks); days far off (an outage)
    count little. Separating level and shape is what Ibrahim and L'Ecuyer, "Forecasting call center arrivals:
    fixed-effects, mixed-effects, and bivariate models", MSOM 15(1), 2013, doi:10.1287/msom.1120.0405, find best.
    """

    name = "glm"
    about = "statsmodels Poisson GLM of the day × weekday profile"
    min_days = 14

    def __init__(self) -> None:
        self._params: Floats = np.zeros(0)
        self._profile: Floats = np.zeros((7, 0))
        self._known_holiday = False
        self._span = 0.0
        self._last: np.datetime64 = np.datetime64("NaT", "D")

    def _learn(self, ds: pd.DatetimeIndex, y: Floats) -> None:
        day, slot = self._days_and_slots(ds)
        known = ~np.isnan(y)
        self._last = day[-1]
        self._span = float((day[-1] - day[0]).astype(int))
        age = (self._last - day).astype(float)
        dates, index = _runs(day)
        weekday = _weekday(dates)
        usual = known & ~np.asarray(self._special(dates).any(axis=1))[index]
        self._profile = self._shape(day[usual], slot[usual], y[usual], age[usual])
        total = np.bincount(index, weights=np.where(known, y, 0.0), minlength=len(dates))
        # What share of the day was seen: gaps and the 23- and 25-hour days come in here.
        share = np.bincount(
            index, weights=np.where(known, self._profile[weekday[index], slot], 0.0), minlength=len(dates)
        )
        fit = share > 0.05
        self._known_holiday = bool(self._special(dates[fit])[:, 0].sum() >= 2)
        self._params = self._regress(dates[fit], total[fit].astype(float), share[fit].astype(float))

    def _regress(self, dates: npt.NDArray[Any], total: Floats, share: Floats) -> Floats:
        # Not statsmodels.api: that imports all of statsmodels, which takes half a second.
        from statsmodels.genmod import families
        from statsmodels.genmod.generalized_linear_model import GLM
        from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

        design = self._design(dates)
        if not total.any():  # the likelihood has no maximum: the best level is none at all
            return np.array([-np.inf, *np.zeros(design.shape[1] - 1)])
        weights = 0.5 ** ((self._last - dates).astype(float) / _HALF_LIFE_DAYS)
        for _ in range(2):
            model = GLM(total, design, family=families.Poisson(), offset=np.log(share), var_weights=weights)
            with warnings.catch_warnings():
                # A perfect fit (of a series that repeats itself exactly) is no fault here.
                warnings.simplefilter("ignore", PerfectSeparationWarning)
                result = model.fit(maxiter=50)
            deviation = np.abs(result.resid_pearson / np.sqrt(weights))
            # Chance alone gives counts a deviation of 1; without that floor a queue that is dead on most days of the
            # week, and so fits them to the last digit, would count its live days as outliers.
            scale = max(1.4826 * float(np.median(deviation)), 1.0)
            far = np.maximum(deviation / (_OUTLIER * scale), 1.0)
            if far.max() <= 1.0:
                break
            weights = weights / far**2
        return np.asarray(result.params, dtype=float)

    def _expect(self, ds: pd.DatetimeIndex) -> Floats:
        day, slot = self._days_and_slots(ds)
        dates, index = _runs(day)
        # A level more than e^3 away from anything seen is a fault of extrapolation, not a forecast.
        daily = np.exp(np.minimum(self._design(dates) @ self._params, 25.0))
        return np.asarray(daily[index] * self._profile[_weekday(dates)[index], slot], dtype=float)

    def _days_and_slots(self, ds: pd.DatetimeIndex) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        return self._calendar.day(ds), (self._calendar.slot(ds) % (24 * 60)) // self._minutes

    def _special(self, dates: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Holiday, day before, day after: three columns."""
        days: set[dt.date] = {*self._calendar.holidays, *self._calendar.closed_on}
        listed = np.array(sorted(days), dtype="datetime64[D]")
        on = np.isin(dates, listed)
        before = np.isin(dates + 1, listed) & ~on
        after = np.isin(dates - 1, listed) & ~on
        return np.column_stack([on, before, after])

    def _design(self, dates: npt.NDArray[Any]) -> Floats:
        columns = [np.ones(len(dates)), *(1.0 * (_weekday(dates) == d) for d in range(1, 7))]
        if self._known_holiday:
            columns += list(self._special(dates).T.astype(float))
        ahead = (dates - self._last).astype(float)
        if self._span >= _TREND_MIN_DAYS:
            # Linear through the past, levelling off beyond it.
            damped = _TREND_DAMPING_DAYS * (1 - np.exp(-np.maximum(ahead, 0) / _TREND_DAMPING_DAYS))
            columns.append(np.where(ahead > 0, damped, ahead) / 365.25)
        if self._span >= _YEARLY_MIN_DAYS:
            angle = 2 * np.pi * (dates - dates.astype("datetime64[Y]")).astype(float) / 365.25
            columns += [f(k * angle) for k in (1, 2, 3) for f in (np.sin, np.cos)]
        return np.column_stack(columns)

    def _shape(self, day: npt.NDArray[Any], slot: npt.NDArray[np.int64], y: Floats, age: Floats) -> Floats:
        """Share of the day per weekday and slot, shape (7, slots), rows sum to 1."""
        slots = 24 * 60 // self._minutes
        weight = 0.5 ** (age / _PROFILE_HALF_LIFE_DAYS)
        weekday = _weekday(day)
        cell = weekday * slots + slot
        tickets = np.bincount(cell, weights=y * weight, minlength=7 * slots).reshape(7, slots)
        seen = np.bincount(cell, weights=weight, minlength=7 * slots).reshape(7, slots)
        rate = np.divide(tickets, seen, out=np.zeros_like(tickets), where=seen > 0)
        own = rate / np.maximum(rate.sum(axis=1, keepdims=True), 1e-12)
        workdays, weekend = own[:5].mean(axis=0), own
        pool = np.vstack([np.tile(workdays, (5, 1)), weekend[5:]])
        strength = tickets.sum(axis=1, keepdims=True)
        mixed = (strength * own + _PROFILE_PRIOR_TICKETS * pool) / (strength + _PROFILE_PRIOR_TICKETS)
        totals = mixed.sum(axis=1, keepdims=True)
        flat = np.full((1, slots), 1 / slots)
        return np.asarray(np.where(totals > 0, mixed / np.maximum(totals, 1e-12), flat), dtype=float)


def _runs(day: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Distinct days and, for each interval, the place of its day among them; intervals ascend, so days do."""
    first = np.concatenate([[True], day[1:] != day[:-1]])
    return day[first], np.cumsum(first) - 1


def _weekday(dates: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    # 1970-01-01 was a Thursday; Monday is 0.
    return np.asarray((dates.astype(np.int64) + 3) % 7, dtype=np.int64)
