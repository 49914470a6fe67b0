"""The house model: how many tickets a day will bring × how they are spread over it, both in closed form."""

from __future__ import annotations

import numpy as np

from staffcast.forecast.models.base import Model
from staffcast.forecast.models.drift import drift_of_totals
from staffcast.forecast.models.profile import by_weekday, day_shares, weekday_profile
from staffcast.forecast.models.shrink import believed
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
        self._age = np.arange(past.span - 1, -1, -1, dtype=float)
        day_of_week = weekday(past.dates)
        kinds = day_kinds(past.dates, past.calendar)
        fresh = 0.5 ** (self._age / self._profile_half_life) * ~kinds.holiday
        if not fresh.any():
            fresh = 0.5 ** (self._age / self._profile_half_life)
        self._profile = weekday_profile(past.rates, day_of_week, fresh, past.others)
        total, share = day_shares(past.rates, self._profile, day_of_week)
        self._fit_level(total, share)

    def _fit_level(self, total: Floats, share: Floats) -> None:
        past = self._days
        fresh = 0.5 ** (self._age / self._half_life) * share * (share > _SEEN)
        root = np.sqrt(total + _ANSCOMBE)
        unit = float(np.average(root, weights=fresh)) if fresh.any() else 1.0
        root = root / unit
        usual = fresh * ~day_kinds(past.dates, past.calendar).holiday
        of_week = weekday(past.dates)
        self._weekdays: Floats = by_weekday(root, usual, of_week)
        # Weekday means over old and new days alike: a trend in them would pass for a difference of weekdays.
        seen = share * (share > _SEEN) * self._kinds(past.dates).usual
        self._drift = drift_of_totals(root, past.dates, self._weekdays, seen)
        now = by_weekday(self._drift.at(past.dates), usual, of_week)
        self._weekdays = np.asarray(self._weekdays / (1 + now))
        self._specials = learn_specials(
            root, self._usual(past.dates), past.dates, share * (share > _SEEN),
            Specials(calendar=past.calendar, weekdays=self._weekdays),
        )  # fmt: skip
        base, design, penalty = self._design(past.dates)
        rest = root - base
        weights, left, normal = fresh, rest, np.eye(len(penalty))
        beta: Floats = np.zeros(design.shape[1])
        scatter = max(float(np.average(rest**2, weights=usual)), _LEAST) ** 0.5 if usual.any() else _SCATTER
        for _ in range(3):
            strength = (scatter / _SCATTER) ** 2
            normal = (design.T * weights) @ design
            normal[np.diag_indices_from(normal)] += penalty * strength + _LEAST
            beta = np.asarray(np.linalg.solve(normal, (design.T * weights) @ rest))
            left = rest - design @ beta
            scatter = max(1.4826 * float(np.median(np.abs(left[fresh > 0]))) if fresh.any() else 0.0, _LEAST)
            # Chance alone moves the root of a count by a half: live days of a rare queue are not far off.
            weights = fresh / np.maximum(np.abs(left) / (_FAR * max(scatter, _CHANCE / unit)), 1.0) ** 2
        self._unit = unit
        # How far each day was believed; the model that smooths this one's days asks for it.
        self.trust = np.divide(weights, fresh, out=np.zeros_like(fresh), where=fresh > 0)
        month = slice(len(beta) - 2 * _MONTH_WAVES, len(beta))
        drawn = np.clip(left, -_FAR * scatter, _FAR * scatter) * (fresh > 0)
        beta[month] *= believed(beta[month], np.asarray(np.linalg.inv(normal)[month, month]), drawn, fresh)
        self._beta = beta
        left = rest - design @ beta
        recent = np.exp(-self._age / _CARRY_DAYS) * usual
        surprise = np.clip(left, -_FAR * scatter, _FAR * scatter)
        self._carried = _CARRIED * float((recent * surprise).sum() / max(recent.sum(), _LEAST))
        # Squaring an expected root loses its variance; the discounted total of usual days gives it back.
        fitted = np.maximum(((base + design @ beta) * unit) ** 2 - _ANSCOMBE, 0.0)
        trusted = weights * (weights > 0.5 * fresh)
        self._ratio = float((trusted * total).sum() / max((trusted * fitted).sum(), _LEAST)) if trusted.any() else 1.0

    def _expect(self, dates: Dates) -> Floats:
        base, design, _ = self._design(dates)
        root = base + design @ self._beta
        ahead = (dates - self._days.dates[-1]).astype(float)
        root = root + np.where(ahead > 0, self._carried * np.exp(-np.maximum(ahead - 1, 0) / _FADE_DAYS), 0.0)
        total = np.maximum((np.maximum(root, 0.0) * self._unit) ** 2 - _ANSCOMBE, 0.0) * self._ratio
        kinds = self._kinds(dates)
        like = np.where(kinds.holiday, int(np.argmin(self._weekdays)), weekday(dates))
        return np.asarray(total[:, None] * self._profile[like])

    def _usual(self, dates: Dates) -> Floats:
        """Root of a day's tickets by its weekday and the drift."""
        return np.asarray(self._weekdays[weekday(dates)] * np.maximum(1 + self._drift.at(dates), 0.0))

    def _kinds(self, dates: Dates) -> DayKinds:
        return day_kinds(dates, self._days.calendar, level=self._weekdays)

    def _design(self, dates: Dates) -> tuple[Floats, Floats, Floats]:
        """What a day is expected to be before anything is learnt, columns, and the penalty of each."""
        kinds, of_week = self._kinds(dates), weekday(dates)
        usual = ~kinds.holiday
        base = self._usual(dates) * self._specials.factor(dates)
        columns = [np.ones((len(dates), 1)), (of_week[:, None] == np.arange(7)) * usual[:, None]]
        penalty = [0.0] + [_WEEKDAY] * 7
        special = [kinds.holiday, kinds.before, kinds.after, kinds.bridge]
        columns.append(np.column_stack(special))
        penalty += [_SPECIAL] * len(special)
        columns.append(month_waves(dates, _MONTH_WAVES) * (base * usual)[:, None])
        penalty += [_MONTH * np.sqrt(k + 1) for k in range(_MONTH_WAVES)] * 2
        return base, np.concatenate(columns, axis=1, dtype=float), np.asarray(penalty)
