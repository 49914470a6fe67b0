"""The house model: how many tickets a day will bring × how they are spread over it, both in closed form."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from staffcast.forecast.models.base import Model
from staffcast.forecast.models.drift import drift_of_totals
from staffcast.forecast.models.profile import by_weekday, day_shares, weekday_profile
from staffcast.forecast.models.shrink import believed, middle
from staffcast.forecast.models.specials import Specials, learn_specials
from staffcast.forecast.past.days import Dates, Days, Floats, weekday
from staffcast.forecast.past.features import DayKinds, day_kinds, month_waves

__all__ = ["House"]

_ANSCOMBE = 0.375
# Penalties are for a series whose days scatter by so much (relative, on the √ scale); others in proportion.
_SCATTER = 0.10
_WEEKDAY, _SPECIAL, _MONTH = 0.02, 10.0, 10.0
_MONTH_WAVES = 4
_FAR, _CHANCE = 3.0, 0.5
_CARRIED, _CARRY_DAYS, _FADE_DAYS = 0.4, 3.0, 20.0
_LEAST = 1e-9
# Of the regression's rows: level, weekdays, holiday and its neighbours, place in the month.
_PENALTY = np.array(
    [0.0, *[_WEEKDAY] * 7, *[_SPECIAL] * 4, *[_MONTH * (k + 1) ** 0.5 for k in range(_MONTH_WAVES)] * 2]
)
_WEEK = np.arange(7)[:, None]
_SEEN = 0.05  # share of a day below which it is passed over


class House(Model):
    """Daily level by ridge regression on the square root × weekday profile.

    The day's total, on the variance-stabilising √ scale, has weekday, holiday and its neighbours, bridge days, place in
    the month, a damped trend, and place in the year once that is known. All are shrunk, the more the noisier the days
    are; old days count less and days far off little. A holiday that was never seen is expected to be like the quietest
    day of the week. The surprise of the last days is carried on and fades.

    Parameters
    ----------
    half_life : float
        Age at which a day counts half for the level. [days]
    profile_half_life : float
        The same for the course of the day. [days]

    References
    ----------
    .. [1] L. Brown et al., "Statistical analysis of a telephone call center", JASA 100(469), 2005, pp. 36–50,
       doi:10.1198/016214504000001808; the √ scale.
    .. [2] H. Shen, J. Z. Huang, "Interday forecasting and intraday updating of call center arrivals", MSOM 10(3),
       2008, pp. 391–410, doi:10.1287/msom.1070.0179; level × course of the day.
    .. [3] E. S. Gardner, E. McKenzie, "Forecasting trends in time series", Management Science 31(10), 1985,
       pp. 1237–1246, doi:10.1287/mnsc.31.10.1237; the damped trend.
    """

    name = "house"
    about = "level of the day (weekday, holidays, month, trend, year) × course of the day"
    min_days = 14

    def __init__(self, half_life: float = 80.0, profile_half_life: float = 100.0) -> None:
        self._half_life = half_life
        self._profile_half_life = profile_half_life

    def _learn(self, past: Days) -> None:
        self._days = past
        day_of_week = weekday(past.dates)
        age = _fading(past.span, self._profile_half_life)
        usual = ~day_kinds(past.dates, past.calendar).holiday
        fresh = age * usual
        if not fresh.any():
            fresh = age
        self._profile = weekday_profile(past.rates, day_of_week, fresh, past.others)
        total, share = day_shares(past.rates, self._profile, day_of_week)
        self._fit_level(total, share, usual)

    def _fit_level(self, total: Floats, share: Floats, open_days: npt.NDArray[np.bool_]) -> None:
        past, dates = self._days, self._days.dates
        known = share * (share > _SEEN)
        fresh = _fading(past.span, self._half_life) * known
        there = fresh > 0
        root = np.sqrt(total + _ANSCOMBE)
        some = bool(there.any())
        unit = float(fresh @ root) / float(fresh.sum()) if some else 1.0
        root = root / unit
        usual = fresh * open_days
        of_week = weekday(dates)
        self._weekdays: Floats = by_weekday(root, usual, of_week)
        # Weekday means over old and new days alike: a trend in them would pass for a difference of weekdays.
        self._drift = drift_of_totals(root, dates, self._weekdays, known * self._kinds(dates).usual)
        drift = self._drift.at(dates)
        self._weekdays = np.asarray(self._weekdays / (1 + by_weekday(drift, usual, of_week)))
        plain = self._weekdays[of_week] * np.maximum(1 + drift, 0.0)
        self._specials = learn_specials(
            root, plain, dates, known, Specials(calendar=past.calendar, weekdays=self._weekdays)
        )  # fmt: skip
        base, design = self._design(dates, plain)
        rest = root - base
        weights, left, far = fresh, rest, np.abs(rest)
        normal = np.eye(len(design))
        beta: Floats = np.zeros(len(design))
        whole = float(usual.sum())
        scatter = max(float(usual @ (rest * rest)) / whole, _LEAST) ** 0.5 if whole > 0 else _SCATTER
        for _ in range(3):
            weighted = design * weights
            normal = weighted @ design.T
            normal.flat[:: len(design) + 1] += _PENALTY * (scatter / _SCATTER) ** 2 + _LEAST
            beta = np.asarray(np.linalg.solve(normal, weighted @ rest))
            left = rest - beta @ design
            far = np.abs(left)
            scatter = max(1.4826 * middle(far[there]) if some else 0.0, _LEAST)
            # Chance alone moves the root of a count by a half: live days of a rare queue are not far off.
            weights = fresh / np.maximum(far / (_FAR * max(scatter, _CHANCE / unit)), 1.0) ** 2
        self._unit = unit
        # How far each day was believed; the model that smooths this one's days asks for it.
        self.trust = np.divide(weights, fresh, out=np.zeros_like(fresh), where=there)
        month, reach = slice(len(beta) - 2 * _MONTH_WAVES, len(beta)), _FAR * scatter
        drawn = np.minimum(np.maximum(left, -reach), reach) * there
        beta[month] *= believed(beta[month], np.asarray(np.linalg.inv(normal)[month, month]), drawn, fresh)
        self._beta = beta
        found = beta @ design
        recent = _fading(past.span, _CARRY_DAYS * float(np.log(2))) * usual
        surprise = np.minimum(np.maximum(rest - found, -reach), reach)
        self._carried = _CARRIED * float(recent @ surprise) / max(float(recent.sum()), _LEAST)
        # Squaring an expected root loses its variance; the discounted total of usual days gives it back.
        fitted = np.maximum(((base + found) * unit) ** 2 - _ANSCOMBE, 0.0)
        trusted = weights * (weights > 0.5 * fresh)
        self._ratio = float(trusted @ total) / max(float(trusted @ fitted), _LEAST) if trusted.any() else 1.0

    def _expect(self, dates: Dates) -> Floats:
        plain = self._weekdays[weekday(dates)] * np.maximum(1 + self._drift.at(dates), 0.0)
        base, design = self._design(dates, plain)
        root = base + self._beta @ design
        ahead = (dates - self._days.dates[-1]).astype(float)
        root = root + np.where(ahead > 0, self._carried * np.exp(-np.maximum(ahead - 1, 0) / _FADE_DAYS), 0.0)
        total = np.maximum((np.maximum(root, 0.0) * self._unit) ** 2 - _ANSCOMBE, 0.0) * self._ratio
        kinds = self._kinds(dates)
        like = np.where(kinds.holiday, int(np.argmin(self._weekdays)), weekday(dates))
        return np.asarray(total[:, None] * self._profile[like])

    def _kinds(self, dates: Dates) -> DayKinds:
        return day_kinds(dates, self._days.calendar, level=self._weekdays)

    def _design(self, dates: Dates, plain: Floats) -> tuple[Floats, Floats]:
        """What days are expected to be before anything is learnt, shape (days,), and the rows of the regression.

        ``plain`` is the root of a day's tickets by its weekday and the drift.
        """
        kinds = self._kinds(dates)
        usual = ~kinds.holiday
        base = plain * self._specials.factor(dates)
        design = np.empty((len(_PENALTY), len(dates)))
        design[0] = 1.0
        np.multiply(weekday(dates) == _WEEK, usual, out=design[1:8])
        design[8:12] = kinds.holiday, kinds.before, kinds.after, kinds.bridge
        np.multiply(month_waves(dates, _MONTH_WAVES).T, base * usual, out=design[12:])
        return base, design


@lru_cache(maxsize=256)
def _fading(days: int, half_life: float) -> Floats:
    """How much each of so many days counts, the last one 1."""
    fading = 0.5 ** (np.arange(days - 1, -1, -1, dtype=float) / half_life)
    fading.flags.writeable = False
    return np.asarray(fading)
