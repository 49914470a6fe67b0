"""The one interface of all models."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd

from staffcast.contracts import Calendar, InputError
from staffcast.forecast.demand import QUANTILES, Demand, DemandPart, demand_rows
from staffcast.forecast.horizon import horizon_grid, parse_days, waiting_since_close
from staffcast.forecast.past.days import Dates, Days, Floats, Grid
from staffcast.forecast.past.lessons import Lessons, learn_events
from staffcast.forecast.uncertainty import Spread, learn_spread

__all__ = ["Floats", "Model"]

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
    alone: bool = True

    _calendar: Calendar
    _minutes: int
    _past: pd.DataFrame
    _queue: str
    _lessons: Lessons

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
        if len(ds) < 2:
            raise InputError(f"model {self.name} needs {self.min_days} days of history, the series has {len(ds)} rows")
        self._calendar = calendar
        self._past = series[["ds", "y"]].reset_index(drop=True)
        self._queue = str(series["unique_id"].iloc[0]) if "unique_id" in series else "all"
        self._minutes = int((ds[1] - ds[0]) / pd.Timedelta(minutes=1))
        grid = Grid.of(ds, calendar, self._minutes)
        self._lessons = learn_events(Days.of(grid, series["y"].to_numpy(dtype=float)))
        return self.learn(self._lessons.past)

    def learn(self, past: Days) -> Self:
        """Learn from a past that is laid out already; what :meth:`fit` does after its checks.

        Raises
        ------
        InputError
            Fewer than ``min_days`` days.
        """
        if self.alone:
            past = past.last(past.span - past.began)
        if past.span < self.min_days:
            raise InputError(f"model {self.name} needs {self.min_days} days of history, the series has {past.span}")
        self._learn(past)
        return self

    def expect_days(self, dates: Dates) -> Floats:
        """Expected arrivals in each slot of local days, where they arrive.

        Parameters
        ----------
        dates : ndarray of datetime64[D], shape (days,)
            Consecutive days.

        Returns
        -------
        ndarray, shape (days, slots)
            ≥ 0.
        """
        return np.maximum(self._expect(dates), 0.0)

    def expect(self, ds: pd.DatetimeIndex) -> Floats:
        """Expected arrivals in each interval, where they arrive.

        Parameters
        ----------
        ds : DatetimeIndex, shape (n,)
            Starts of intervals of the history's length, in order.

        Returns
        -------
        ndarray, shape (n,)
            ≥ 0.
        """
        grid = Grid.of(ds, self._calendar, self._minutes)
        return grid.spread(self.expect_days(grid.dates) * self._lessons.uplift(grid.dates)[:, None])

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
        part = DemandPart.of(
            self._queue, ds, opened=self._calendar.is_open(ds), mean=mean, carried=carried,
            spread=spread if spread is not None else self._own_spread(),
        )  # fmt: skip
        return Demand(frame=demand_rows([part], quantiles), why={self._queue: {"model": self.name}}, seed=seed)

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
    def _learn(self, past: Days) -> None: ...

    @abc.abstractmethod
    def _expect(self, dates: Dates) -> Floats: ...
