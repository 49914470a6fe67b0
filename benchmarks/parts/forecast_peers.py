"""What the package's forecasts are measured against: the plainest yardsticks, prophet, and what statsmodels offers.

Each takes the past as days × hours and gives the expected counts of later days. They are set as their users would set
them; the package's own `prophet` model is the carefully set one.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.forecast.past.days import Dates, Days, Floats, weekday

__all__ = ["PEERS", "Peer", "cpu_now", "cpu_of", "plain_mean", "plain_naive"]

_WEEK = 168
_ANSCOMBE = 0.375
_HALF_LIFE_DAYS = 70.0
_YEAR_FROM, _WAVES = 700, 2
_LEAST = 1e-9

Fit = Callable[[Days, Dates], Floats]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A yardstick: how it forecasts, how many fits per set of series its time allows, and what it is."""

    fit: Fit
    fits: int
    about: str


def cpu_now() -> float:
    """CPU time so far in seconds, ended child processes included: prophet fits in one."""
    of = os.times()
    return time.process_time() + of.children_user + of.children_system


def cpu_of(run: Callable[[], object]) -> float:
    """CPU time of one call, its child processes included."""
    start = cpu_now()
    run()
    return cpu_now() - start


def plain_naive(past: Days, dates: Dates) -> Floats:
    """The last week again, holidays and all; an hour not known is that of a week earlier."""
    return plain_mean(past, dates, weeks=1)


def plain_mean(past: Days, dates: Dates, *, weeks: int = 4) -> Floats:
    """Mean of the last ``weeks`` values at the same weekday and hour, holidays and all."""
    of_week, profile = weekday(past.dates), np.zeros((7, past.slots))
    for day in range(7):
        rates = past.rates[of_week == day]
        known = ~np.isnan(rates)
        use = known & (known[::-1].cumsum(axis=0)[::-1] <= weeks)
        profile[day] = np.where(use, rates, 0.0).sum(axis=0) / np.maximum(use.sum(axis=0), 1)
    return profile[weekday(dates)]


# --- prophet --------------------------------------------------------------------------------------------------------


def prophet_default(past: Days, dates: Dates) -> Floats:
    """Run prophet without a single argument, on hourly counts in wall-clock time."""
    for name in ("prophet", "prophet.plot", "cmdstanpy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from prophet import Prophet

    model = Prophet()
    model.fit(pd.DataFrame({"ds": _stamps(past.dates, past.slots), "y": past.rates.ravel()}).dropna())
    found = model.predict(pd.DataFrame({"ds": _stamps(dates, past.slots)}))["yhat"].to_numpy(dtype=float)
    return np.maximum(found, 0.0).reshape(len(dates), -1)


def _stamps(dates: Dates, slots: int) -> npt.NDArray[np.datetime64]:
    step = np.timedelta64(24 * 60 // slots, "m")
    return (dates.astype("datetime64[m]")[:, None] + np.arange(slots) * step).ravel().astype("datetime64[ns]")


# --- Regressions on every hour of the week --------------------------------------------------------------------------


class HourOfWeek:
    """Columns of both regressions: hours of the week that ever see a contact, holidays, the year from two years on."""

    def __init__(self, past: Days, most_days: int) -> None:
        self._yearly = past.span >= _YEAR_FROM
        self._past = past.last(most_days)
        of_week = weekday(self._past.dates)
        seen = np.array([np.nansum(self._past.rates[of_week == day], axis=0) for day in range(7)])
        self._alive, self._at = seen > 0, np.cumsum(seen.ravel() > 0).reshape(seen.shape) - 1
        known = ~np.isnan(self._past.rates) & self._alive[of_week]
        self._holidays = bool(self._special(self._past.dates)[0].any())
        self.day, self.hour = np.nonzero(known)
        self.y = self._past.rates[known]
        self.weight = 0.5 ** ((self._past.dates[-1] - self._past.dates[self.day]).astype(float) / _HALF_LIFE_DAYS)
        self.design = self._columns(self._past.dates, self.day, self.hour)

    def _special(self, dates: Dates) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        listed = np.array(sorted(self._past.calendar.holidays), dtype="datetime64[D]")
        on = np.isin(dates, listed)
        return on, np.isin(dates + np.timedelta64(1, "D"), listed) & ~on

    def _columns(self, dates: Dates, day: npt.NDArray[np.intp], hour: npt.NDArray[np.intp]) -> Floats:
        place = self._at[weekday(dates)[day], hour]
        columns = [np.eye(int(self._alive.sum()))[place]]
        if self._holidays:
            columns += [flag[day, None].astype(float) for flag in self._special(dates)]
        if self._yearly:
            turn = 2 * np.pi * (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(float) / 365.25
            waves = turn[:, None] * np.arange(1, _WAVES + 1)
            columns += [np.sin(waves)[day], np.cos(waves)[day]]
        return np.concatenate(columns, axis=1)

    def table(self, dates: Dates, values: Callable[[Floats], Floats]) -> Floats:
        """What a function of the columns gives for later days; 0 at hours of the week that never see a contact."""
        out = np.zeros((len(dates), self._past.slots))
        day, hour = np.nonzero(self._alive[weekday(dates)])
        out[day, hour] = values(self._columns(dates, day, hour))
        return out


def poisson_glm(past: Days, dates: Dates) -> Floats:
    """Poisson GLM of statsmodels, discounted weights."""
    from statsmodels.genmod import families
    from statsmodels.genmod.generalized_linear_model import GLM

    basis = HourOfWeek(past, 730 if past.span >= _YEAR_FROM else 365)
    model = GLM(basis.y, basis.design, family=families.Poisson(), var_weights=basis.weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of hours with hardly a contact it says that they are fitted perfectly
        params = model.fit(maxiter=25, tol=1e-6).params
    return basis.table(dates, lambda design: np.exp(np.clip(design @ params, -25, 25)))


def root_ridge(past: Days, dates: Dates) -> Floats:
    """Ridge regression of √(count + 3/8), closed form, discounted weights."""
    basis = HourOfWeek(past, 730 if past.span >= _YEAR_FROM else 365)
    normal = (basis.design.T * basis.weight) @ basis.design
    normal[np.diag_indices_from(normal)] += 0.1
    middle = float(np.average(np.sqrt(basis.y + _ANSCOMBE), weights=basis.weight))
    rest = np.sqrt(basis.y + _ANSCOMBE) - middle
    beta = np.linalg.solve(normal, (basis.design.T * basis.weight) @ rest)

    def back(design: Floats) -> Floats:
        return np.asarray(np.maximum(np.maximum(middle + design @ beta, 0.0) ** 2 - _ANSCOMBE, 0.0))

    # Squaring an expected root loses its variance; the discounted total gives it back.
    ratio = (basis.weight @ basis.y) / max(float(basis.weight @ back(basis.design)), _LEAST)
    return basis.table(dates, lambda design: back(design) * ratio)


# --- Smoothing ------------------------------------------------------------------------------------------------------


def _filled(past: Days, days: int) -> Floats:
    """The last hours, an hour not known as a week before."""
    y = past.last(days).rates.ravel().copy()
    for at in np.flatnonzero(np.isnan(y)):
        y[at] = y[at - _WEEK] if at >= _WEEK and not np.isnan(y[at - _WEEK]) else np.nanmean(y)
    return y


def holt_winters(past: Days, dates: Dates) -> Floats:
    """Holt-Winters of statsmodels with a season of 168 hours, additive, no trend, on the last twelve weeks."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says when its search has not come to an end
        model = ExponentialSmoothing(
            _filled(past, 84), seasonal="add", seasonal_periods=_WEEK, initialization_method="heuristic"
        )
        found = model.fit().forecast(len(dates) * past.slots)
    return np.maximum(found, 0.0).reshape(len(dates), -1)


def stl_ets(past: Days, dates: Dates) -> Floats:
    """STL of statsmodels with a season of 168 hours, exponential smoothing of what it leaves, on the last half year."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel
    from statsmodels.tsa.forecasting.stl import STLForecast

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = STLForecast(_filled(past, 182), ETSModel, model_kwargs={"error": "add"}, period=_WEEK)
        found = model.fit(fit_kwargs={"disp": False}).forecast(len(dates) * past.slots)
    return np.maximum(np.asarray(found), 0.0).reshape(len(dates), -1)


PEERS: dict[str, Peer] = {
    "prophet_default": Peer(fit=prophet_default, fits=6, about="prophet as it comes"),
    "hourly_glm": Peer(fit=poisson_glm, fits=10, about="statsmodels Poisson GLM, hour of the week, holidays, year"),
    "hourly_ridge": Peer(fit=root_ridge, fits=30, about="ridge on the √ scale, the same columns, closed form"),
    "holt_winters": Peer(fit=holt_winters, fits=30, about="statsmodels Holt-Winters, season of 168 h"),
    "stl_ets": Peer(fit=stl_ets, fits=10, about="statsmodels STL + exponential smoothing, season of 168 h"),
}
