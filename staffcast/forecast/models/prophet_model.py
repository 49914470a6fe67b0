"""prophet, set as it works best on contact counts."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import InputError
from staffcast.forecast.models.base import Model
from staffcast.forecast.past.days import Dates, Days, Floats, weekday

__all__ = ["ProphetModel"]

_HISTORY_DAYS = 26 * 7
_HOURS = 24


def _quiet() -> None:
    """Keep prophet's and its sampler's progress off the planner's screen; errors are still raised."""
    for name, level in (("prophet", logging.ERROR), ("prophet.plot", logging.CRITICAL), ("cmdstanpy", logging.ERROR)):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        logger.propagate = False
        logger.setLevel(level)


class ProphetModel(Model):
    """prophet on the square root of hourly counts, in the hours of the week that ever see a ticket.

    One weekly Fourier series of order 40 replaces its daily and weekly terms, the trend is flat, the last half year
    is used; within the hour the counts follow the weekday's own shares. Its default settings lose to repeating last
    week on contact centres.
    """

    name = "prophet"
    about = "prophet: √ scale, weekly Fourier of order 40, holidays, flat trend"
    min_days = 28

    def __init__(self) -> None:
        self._model: Any = None
        self._active = np.zeros((7, _HOURS), dtype=bool)
        self._within: Floats = np.zeros((7, _HOURS, 1))
        self._lost = 0.0

    def _learn(self, past: Days) -> None:
        _quiet()
        try:
            from prophet import Prophet
        except ImportError as error:
            raise InputError(f"model prophet needs the package prophet ({error}): pip install prophet") from error
        past = past.last(_HISTORY_DAYS)
        of_week = weekday(past.dates)
        parts = past.slots // _HOURS
        by_hour = past.rates.reshape(past.span, _HOURS, parts)
        fine = np.array([np.nansum(by_hour[of_week == day], axis=0) for day in range(7)])
        hourly = fine.sum(axis=2)
        self._active = hourly > 0
        self._within = np.divide(
            fine, hourly[:, :, None], out=np.full(fine.shape, 1 / parts), where=hourly[:, :, None] > 0
        )
        counts = by_hour.sum(axis=2)  # NaN where a part of the hour is not known
        day, hour = np.nonzero(~np.isnan(counts) & self._active[of_week])
        if len(day) < 2:
            self._active[:] = False
            return
        table = pd.DataFrame({"ds": _stamps(past.dates[day], hour), "y": np.sqrt(counts[day, hour])})
        special = sorted({*past.calendar.holidays, *past.calendar.closed_on})
        inside = np.isin(past.dates, np.array(special, dtype="datetime64[D]"))
        holidays = None
        if inside.any():
            holidays = pd.DataFrame(
                {"holiday": "public", "ds": pd.to_datetime(special), "lower_window": -1, "upper_window": 1}
            )
        self._model = Prophet(
            growth="flat", daily_seasonality=False, weekly_seasonality=False, yearly_seasonality=False,
            changepoint_prior_scale=0.01, uncertainty_samples=0, holidays=holidays,
        )  # fmt: skip
        self._model.add_seasonality("week", period=7, fourier_order=40)
        self._model.fit(table)
        # Squaring a forecast of √y loses the variance of √y (about ¼ for Poisson counts): give it back.
        root = np.maximum(self._model.predict(table[["ds"]])["yhat"].to_numpy(dtype=float), 0.0)
        self._lost = max(float(np.mean(table["y"].to_numpy() ** 2 - root**2)), 0.0)

    def _expect(self, dates: Dates) -> Floats:
        of_week = weekday(dates)
        hourly = np.zeros((len(dates), _HOURS))
        day, hour = np.nonzero(self._active[of_week])
        if len(day):
            stamps = pd.DataFrame({"ds": _stamps(dates[day], hour)})
            root = np.maximum(self._model.predict(stamps)["yhat"].to_numpy(dtype=float), 0.0)
            hourly[day, hour] = root**2 + self._lost
        return np.asarray((hourly[:, :, None] * self._within[of_week]).reshape(len(dates), -1), dtype=float)


def _stamps(dates: Dates, hour: npt.NDArray[np.intp]) -> npt.NDArray[np.datetime64]:
    return np.asarray(dates.astype("datetime64[h]") + hour.astype("timedelta64[h]")).astype("datetime64[ns]")
