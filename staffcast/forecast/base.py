"""The one interface of all models."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, InputError
from staffcast.forecast.demand import QUANTILES, Demand, demand_rows
from staffcast.forecast.horizon import horizon_grid, parse_days, waiting_since_close
from staffcast.forecast.uncertainty import Spread, learn_spread

__all__ = ["Floats", "Model", "slot_table"]

Floats = npt.NDArray[np.float64]

_OWN_ERROR_DAYS = 56


class Model(abc.ABC):
    """A forecast of one queue: ``fit`` on its past, ``predict`` the demand of later intervals.

    A model itself only says what it expects to arrive in an interval, also while closed; moving that to the next
    opening, quantiles and sample paths are the same for all of them.

    Examples
    --------
    >>> from staffcast.forecast import models
    >>> ds = pd.date_range("2026-03-02", periods=4 * 168, freq="h", tz="UTC")
    >>> series = pd.DataFrame({"ds": ds, "y": np.where((ds.hour >= 8) & (ds.hour < 18), 12.0, 2.0)})
    >>> demand = models.make("mean_4").fit(series, Calendar()).predict("7d")
    >>> demand.frame.loc[[3, 10], ["mean", "q05", "q95"]].to_numpy().tolist(), demand.sample(5).shape
    ([[2.0, 0.0, 5.0], [12.0, 7.0, 18.0]], (5, 1, 168))
    """

    name: str
    about: str
    min_days: int = 7

    _calendar: Calendar
    _minutes: int
    _past: pd.DataFrame
    _queue: str

    def fit(self, series: pd.DataFrame, calendar: Calendar) -> Self:
        """Learn from one queue.

        Parameters
        ----------
        series : DataFrame
            ``ds`` (aware, evenly spaced, ascending) and ``y`` (arrivals; empty = not known); ``unique_id`` names the
            queue, ``all`` without it.
        calendar : Calendar
            Zone, hours and holidays of the queue.

        Raises
        ------
        InputError
            Fewer than ``min_days`` days.
        """
        ds = pd.DatetimeIndex(series["ds"])
        y = series["y"].to_numpy(dtype=float)
        days = (ds[-1] - ds[0]) / pd.Timedelta(days=1) if len(ds) else 0.0
        if days < self.min_days - 1:
            raise InputError(f"model {self.name} needs {self.min_days} days of history, the series has {days:.0f}")
        self._calendar = calendar
        self._past = series[["ds", "y"]].reset_index(drop=True)
        self._queue = str(series["unique_id"].iloc[0]) if "unique_id" in series else "all"
        self._minutes = int((ds[1] - ds[0]) / pd.Timedelta(minutes=1))
        self._learn(ds, y)
        return self

    def expect(self, ds: pd.DatetimeIndex) -> Floats:
        """Expected arrivals in each interval, where they arrive.

        Parameters
        ----------
        ds : DatetimeIndex, shape (n,)
            Starts of intervals of the history's length.

        Returns
        -------
        ndarray, shape (n,)
            ≥ 0.
        """
        return np.maximum(self._expect(ds), 0.0)

    def predict(
        self,
        horizon: str = "28d",
        *,
        spread: Spread | None = None,
        quantiles: Sequence[float] = QUANTILES,
        seed: int = 0,
    ) -> Demand:
        """What will be offered to people after the history, with quantiles and sample paths.

        Parameters
        ----------
        horizon : str
            How far: ``"28d"``; local days.
        spread : Spread, optional
            Uncertainty of the rate. Without it that of the fit's own errors over the last eight weeks, which flatters
            the model; :func:`staffcast.forecast.forecast` takes the errors of a backtest.
        quantiles : sequence of float
            Columns of the result, each in (0, 1).
        seed : int
            Start of the sample paths' random numbers.

        Returns
        -------
        Demand
        """
        last = pd.DatetimeIndex(self._past["ds"])[-1]
        start = last + pd.Timedelta(minutes=self._minutes)
        days = parse_days(horizon, parameter="horizon")
        ds = horizon_grid(start, days, self._minutes, self._calendar).tz_convert(last.tz)
        waiting = waiting_since_close(self._past, self._calendar)
        mean, carried = self._calendar.fold(self.expect(ds), ds, waiting=waiting)
        known = spread if spread is not None else self._own_spread()
        frame = demand_rows(
            self._queue, ds, opened=self._calendar.is_open(ds), mean=mean, carried=carried, aht_s=float("nan"),
            uncertainty=(known.rate_cv, known.share_level, known.share_day), quantiles=quantiles,
        )  # fmt: skip
        return Demand(frame=frame, why={self._queue: {"model": self.name}}, seed=seed)

    def _own_spread(self) -> Spread:
        ds = pd.DatetimeIndex(self._past["ds"])
        recent = ds > ds[-1] - pd.Timedelta(days=_OWN_ERROR_DAYS)
        ds, y = ds[recent], self._past["y"].to_numpy(dtype=float)[recent]
        offered, _ = self._calendar.fold(y, ds)
        fitted, _ = self._calendar.fold(self.expect(ds), ds)
        opened = self._calendar.is_open(ds)
        day = self._calendar.day(ds)[opened].astype(np.int64)
        return learn_spread(offered[opened], fitted[opened], day, np.zeros(len(day), dtype=np.int64))

    @abc.abstractmethod
    def _learn(self, ds: pd.DatetimeIndex, y: Floats) -> None: ...

    @abc.abstractmethod
    def _expect(self, ds: pd.DatetimeIndex) -> Floats: ...


def slot_table(slots: npt.NDArray[np.int64], y: Floats, number: int) -> Floats:
    """Arrange the known values by slot of the week, the latest first.

    Returns
    -------
    ndarray, shape (occurrences, number)
        NaN where a slot has fewer.
    """
    known = ~np.isnan(y)
    slots, y = slots[known][::-1], y[known][::-1]
    order = np.argsort(slots, kind="stable")
    sorted_slots = slots[order]
    starts = np.searchsorted(sorted_slots, np.arange(number))
    rank = np.arange(len(order)) - starts[sorted_slots]
    table = np.full((int(rank.max()) + 1 if len(rank) else 1, number), np.nan)
    table[rank, sorted_slots] = y[order]
    return table
