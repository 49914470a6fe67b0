"""The one interface of all models."""

from __future__ import annotations

import abc
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, InputError

__all__ = ["Floats", "Model", "slot_table"]

Floats = npt.NDArray[np.float64]


class Model(abc.ABC):
    """A forecast of one queue: ``fit`` on its past, ``predict`` the arrivals of later intervals.

    Models see arrivals where they happen, also while closed; moving these to the next opening is the caller's
    (:meth:`Calendar.fold`), as are uncertainty and the choice between models.
    """

    name: str
    about: str
    min_days: int = 7

    _calendar: Calendar
    _minutes: int

    def fit(self, series: pd.DataFrame, calendar: Calendar) -> Self:
        """Learn from one queue.

        Parameters
        ----------
        series : DataFrame
            ``ds`` (aware, evenly spaced, ascending) and ``y`` (arrivals; empty = not known).
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
        self._minutes = int((ds[1] - ds[0]) / pd.Timedelta(minutes=1))
        self._learn(ds, y)
        return self

    def predict(self, ds: pd.DatetimeIndex) -> Floats:
        """Expected arrivals in each interval.

        Parameters
        ----------
        ds : DatetimeIndex, shape (n,)
            Starts of intervals after the history, of the same length.

        Returns
        -------
        ndarray, shape (n,)
            ≥ 0.
        """
        return np.maximum(self._expect(ds), 0.0)

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
