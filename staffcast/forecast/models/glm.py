"""Daily Poisson regression (statsmodels) × an intraday profile per weekday."""

from __future__ import annotations

import warnings

import numpy as np

from staffcast.forecast.models.base import Model
from staffcast.forecast.models.profile import by_weekday, day_shares, weekday_profile
from staffcast.forecast.models.specials import KINDS, Specials, learn_specials
from staffcast.forecast.past.days import Dates, Days, Floats, weekday
from staffcast.forecast.past.features import Flags, day_kinds, month_waves, year_waves

__all__ = ["DailyGLM"]

_HALF_LIFE_DAYS = 70.0
_PROFILE_HALF_LIFE_DAYS = 70.0
_TREND_DAMPING_DAYS = 60.0
_TREND_MIN_DAYS = 180
_YEARLY_MIN_DAYS = 700
_OUTLIER = 5.0
_SEEN_OFTEN = 4


class DailyGLM(Model):
    """Poisson GLM of the daily total times the weekday's profile over the day.

    The daily part has weekday, holidays and the days around them (as the house model has them until four of a kind
    were seen), a damped trend once half a year is known, and the yearly course once two years are. Old days count less
    (half-life ten weeks); days far off (an outage) count little. Separating level and shape is what Ibrahim and
    L'Ecuyer, "Forecasting call center arrivals: fixed-effects, mixed-effects, and bivariate models", MSOM 15(1), 2013,
    doi:10.1287/msom.1120.0405, find best.
    """

    name = "glm"
    about = "statsmodels Poisson GLM of the day × weekday profile"
    min_days = 14

    def __init__(self) -> None:
        self._params: Floats = np.zeros(0)
        self._profile: Floats = np.zeros((7, 0))
        self._used = np.zeros(0, dtype=bool)

    def _learn(self, past: Days) -> None:
        self._last, self._span = past.dates[-1], past.span
        age = (past.dates[-1] - past.dates).astype(float)
        of_week = weekday(past.dates)
        kinds = day_kinds(past.dates, past.calendar)
        weight = 0.5 ** (age / _PROFILE_HALF_LIFE_DAYS)
        usual = weight * kinds.usual
        self._profile = weekday_profile(past.rates, of_week, usual if usual.any() else weight, past.others)
        total, share = day_shares(past.rates, self._profile, of_week)
        fit = share > 0.05
        # Of a kind of day that it hardly saw a regression knows too little: it is as the house model has it.
        weekdays = np.sqrt(by_weekday(total, share * kinds.usual, of_week))
        specials = Specials(calendar=past.calendar, weekdays=weekdays)
        self._specials = specials
        self._kinds: tuple[str, ...] = ()
        kinds = specials.kinds(past.dates)
        self._kinds = tuple(kind for kind in KINDS if (getattr(kinds, kind) & fit).sum() >= _SEEN_OFTEN)
        plain = fit & self._regular(past.dates)
        self._params = self._regress(past.dates, plain if plain.any() else fit, total * share, share)
        root = np.sqrt(self._daily(past.dates))
        self._specials = learn_specials(np.sqrt(total), root, past.dates, share * fit, specials)

    def _regular(self, dates: Dates) -> Flags:
        """Days of which the regression knows the kind."""
        kinds = self._specials.kinds(dates)
        return np.asarray(np.logical_or.reduce([kinds.usual, *(getattr(kinds, kind) for kind in self._kinds)]))

    def _regress(self, dates: Dates, fit: Flags, total: Floats, share: Floats) -> Floats:
        # Not statsmodels.api: that imports all of statsmodels, which takes half a second.
        from statsmodels.genmod import families
        from statsmodels.genmod.generalized_linear_model import GLM
        from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

        design = self._design(dates)[fit]
        dates, total, share = dates[fit], total[fit], share[fit]
        # A kind of day that the past does not have says nothing, and would leave the equations without one solution.
        self._used = (design != 0).any(axis=0)
        design = design[:, self._used]
        if not total.any():  # the likelihood has no maximum: the best level is none at all
            return np.array([-np.inf, *np.zeros(design.shape[1] - 1)])
        weights = 0.5 ** ((self._last - dates).astype(float) / _HALF_LIFE_DAYS)
        for _ in range(2):
            model = GLM(total, design, family=families.Poisson(), offset=np.log(share), var_weights=weights)
            with warnings.catch_warnings():
                # A perfect fit (of a series that repeats itself exactly) is no fault here, nor is a kind of day that
                # was never seen alone: the pseudoinverse then takes the smallest effects.
                warnings.simplefilter("ignore", PerfectSeparationWarning)
                warnings.filterwarnings("ignore", message="The design matrix is rank-deficient")
                warnings.filterwarnings("ignore", message="overflow encountered", category=RuntimeWarning)
                try:
                    result = model.fit(maxiter=50)
                except ValueError:
                    # Newton's steps ran away: of days seen only in scraps, no more than their level is known.
                    level = np.log((weights @ total) / (weights @ share))
                    return np.array([level, *np.zeros(design.shape[1] - 1)])
            # Where next to nothing is expected, a residual has no meaning.
            deviation = np.nan_to_num(np.abs(result.resid_pearson / np.sqrt(weights)), nan=0.0, posinf=0.0)
            # Chance alone gives counts a deviation of 1; without that floor a queue that is dead on most days of the
            # week, and so fits them to the last digit, would count its live days as outliers.
            scale = max(1.4826 * float(np.median(deviation)), 1.0)
            far = np.maximum(deviation / (_OUTLIER * scale), 1.0)
            if far.max() <= 1.0:
                break
            weights = weights / far**2
        return np.asarray(result.params, dtype=float)

    def _expect(self, dates: Dates) -> Floats:
        daily = self._daily(dates)
        daily = np.where(self._regular(dates), daily, daily * self._specials.factor(dates) ** 2)
        return np.asarray(daily[:, None] * self._profile[weekday(dates)], dtype=float)

    def _daily(self, dates: Dates) -> Floats:
        # A level more than e^25 is a fault of extrapolation, not a forecast.
        return np.asarray(np.exp(np.minimum(self._design(dates)[:, self._used] @ self._params, 25.0)))

    def _design(self, dates: Dates) -> Floats:
        of_week = weekday(dates)
        columns = [np.ones((len(dates), 1)), 1.0 * (of_week[:, None] == np.arange(1, 7))]
        kinds = self._specials.kinds(dates)
        columns += [1.0 * getattr(kinds, kind)[:, None] for kind in self._kinds]
        ahead = (dates - self._last).astype(float)
        if self._span >= _TREND_MIN_DAYS:
            # Linear through the past, levelling off beyond it.
            damped = _TREND_DAMPING_DAYS * (1 - np.exp(-np.maximum(ahead, 0) / _TREND_DAMPING_DAYS))
            columns.append((np.where(ahead > 0, damped, ahead) / 365.25)[:, None])
            columns.append(month_waves(dates, 2))
        if self._span >= _YEARLY_MIN_DAYS:
            columns.append(year_waves(dates, 3))
        return np.concatenate(columns, axis=1)
