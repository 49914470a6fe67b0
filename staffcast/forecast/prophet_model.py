"""prophet, set as it works best on contact counts."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from staffcast.contracts import InputError
from staffcast.forecast.base import Floats, Model

__all__ = ["ProphetModel"]

_HISTORY_DAYS = 26 * 7
_HOUR = 60


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
        self._active: np.ndarray = np.zeros(0, dtype=bool)
        self._within: Floats = np.zeros(0)
        self._lost = 0.0

    def _learn(self, ds: pd.DatetimeIndex, y: Floats) -> None:
        _quiet()
        try:
            from prophet import Prophet
        except ImportError as error:
            raise InputError(f"model prophet needs the package prophet ({error}): pip install prophet") from error
        recent = ds >= ds[-1] - pd.Timedelta(days=_HISTORY_DAYS)
        ds, y = ds[recent], y[recent]
        slots = self._calendar.slot(ds)
        known = ~np.isnan(y)
        parts = _HOUR // self._minutes
        number = 7 * 24 * parts
        fine = np.bincount(slots[known] // self._minutes, weights=y[known], minlength=number)
        hourly = fine.reshape(-1, parts).sum(axis=1)
        self._active = hourly > 0
        share = np.divide(fine.reshape(-1, parts), hourly[:, None], out=np.full((7 * 24, parts), 1 / parts),
                          where=hourly[:, None] > 0)  # fmt: skip
        self._within = share.ravel()

        local = self._calendar.local(ds)
        frame = pd.DataFrame({"ds": local.floor("h"), "y": y}).groupby("ds")["y"].agg(["sum", "count"])
        frame = frame[frame["count"] >= parts]
        stamps = pd.DatetimeIndex(frame.index)
        active = self._active[stamps.day_of_week * 24 + stamps.hour]
        table = pd.DataFrame({"ds": stamps, "y": np.sqrt(frame["sum"].to_numpy())})[active]
        if len(table) < 2:
            self._active[:] = False
            return
        special = sorted({*self._calendar.holidays, *self._calendar.closed_on})
        inside = [d for d in special if stamps[0].date() <= d <= stamps[-1].date()]
        holidays = None
        if inside:
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

    def _expect(self, ds: pd.DatetimeIndex) -> Floats:
        local = self._calendar.local(ds)
        if not self._active.any():
            return np.zeros(len(ds))
        hours = pd.DatetimeIndex(local.floor("h").unique())
        root = np.maximum(self._model.predict(pd.DataFrame({"ds": hours}))["yhat"].to_numpy(dtype=float), 0.0)
        hourly = pd.Series(
            np.where(self._active[hours.day_of_week * 24 + hours.hour], root**2 + self._lost, 0.0), index=hours
        )
        per_hour = hourly.reindex(local.floor("h")).to_numpy()
        return np.asarray(per_hour * self._within[self._calendar.slot(ds) // self._minutes], dtype=float)
