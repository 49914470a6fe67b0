"""A queue's past laid out as local days × slots of the day, which is how all models look at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar

__all__ = ["Dates", "Days", "Floats", "Grid", "Ints", "weekday"]

Floats = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]
Ints = npt.NDArray[np.int64]

_MINUTES_OF_DAY = 24 * 60
# Tickets that should have come before the first one did, if the queue had been there.
_BY_CHANCE = 10.0


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where each interval lies: its local day, its slot in that day, and whether the queue is open.

    Attributes
    ----------
    ds : DatetimeIndex, shape (n,)
        Starts of the intervals.
    minutes : int
        Their length.
    dates : ndarray of datetime64[D], shape (days,)
        Local days, without gaps.
    day, slot : ndarrays of int, shape (n,)
        Place of each interval among ``dates`` and in the day.
    opened : ndarray of bool, shape (n,)
    calendar : Calendar
    """

    ds: pd.DatetimeIndex
    minutes: int
    dates: Dates
    day: Ints
    slot: Ints
    opened: npt.NDArray[np.bool_]
    calendar: Calendar

    @classmethod
    def of(cls, ds: pd.DatetimeIndex, calendar: Calendar, minutes: int) -> Grid:
        """Lay out evenly spaced intervals; queues of one calendar share what was laid out for the first of them."""
        if not len(ds):
            return cls._laid_out(ds, calendar, minutes)
        place = (ds[0], ds[-1], len(ds), str(ds.dtype), minutes, calendar.zone, calendar.week, calendar.closed_on)
        found = _GRIDS.get(place)
        if found is None:
            if len(_GRIDS) >= _MOST_GRIDS:
                _GRIDS.clear()
            found = _GRIDS[place] = cls._laid_out(ds, calendar, minutes)
        return found if found.calendar is calendar else replace(found, calendar=calendar)

    @classmethod
    def _laid_out(cls, ds: pd.DatetimeIndex, calendar: Calendar, minutes: int) -> Grid:
        day, slot = calendar.day(ds).astype(np.int64), calendar.slot(ds)
        dates = np.arange(day[0], day[-1] + 1).astype("datetime64[D]") if len(day) else day.astype("datetime64[D]")
        return cls(
            ds=ds, minutes=minutes, dates=dates, day=day - (day[0] if len(day) else 0),
            slot=slot % _MINUTES_OF_DAY // minutes, opened=calendar.is_open(ds), calendar=calendar,
        )  # fmt: skip

    @property
    def slots(self) -> int:
        """Slots of a day."""
        return _MINUTES_OF_DAY // self.minutes

    @cached_property
    def hours(self) -> Floats:
        """How often each slot occurs on each day, shape (days, slots): 1; 0 or 2 where the clock changes."""
        return np.bincount(self._cell, minlength=len(self.dates) * self.slots).reshape(-1, self.slots).astype(float)

    def table(self, values: Floats) -> Floats:
        """Lay values per interval out as days × slots; NaN where none is known, the mean where the slot comes twice."""
        known = ~np.isnan(values)
        size = len(self.dates) * self.slots
        if known.all():
            total, seen = np.bincount(self._cell, values, size), self.hours.ravel()
        else:
            cell = self._cell[known]
            total, seen = np.bincount(cell, values[known], size), np.bincount(cell, minlength=size).astype(float)
        mean = np.divide(total, seen, out=np.full(size, np.nan), where=seen > 0)
        return np.asarray(mean.reshape(-1, self.slots))

    def spread(self, table: Floats, first: int = 0) -> Floats:
        """Take days × slots, from day ``first`` on, back to the intervals of those days."""
        start, stop = self.between(first, first + len(table))
        return np.asarray(table[self.day[start:stop] - first, self.slot[start:stop]])

    def between(self, first: int, last: int) -> tuple[int, int]:
        """Intervals of the days first ≤ day < last, as start and stop."""
        start, stop = np.searchsorted(self.day, [first, last])
        return int(start), int(stop)

    @cached_property
    def _cell(self) -> Ints:
        return self.day * self.slots + self.slot


# Those laid out last, by what they depend on.
_GRIDS: dict[tuple[object, ...], Grid] = {}
_MOST_GRIDS = 8


@dataclass(frozen=True, kw_only=True)
class Days:
    """The past that a model learns from.

    Attributes
    ----------
    dates : ndarray of datetime64[D], shape (days,)
        Without gaps.
    rates : ndarray, shape (days, slots)
        Arrivals per interval; NaN where not known.
    calendar : Calendar
    minutes : int
        Length of an interval.
    others : ndarray, shape (days, slots), or None
        Arrivals of the queues beside it, added up.
    """

    dates: Dates
    rates: Floats
    calendar: Calendar
    minutes: int
    others: Floats | None = None

    @classmethod
    def of(cls, grid: Grid, y: Floats, others: Floats | None = None) -> Days:
        """Lay out counts per interval."""
        return cls(
            dates=grid.dates, rates=grid.table(y), calendar=grid.calendar, minutes=grid.minutes,
            others=None if others is None else grid.table(others),
        )  # fmt: skip

    @property
    def slots(self) -> int:
        """Slots of a day."""
        return int(self.rates.shape[1])

    @property
    def span(self) -> int:
        """Days from the first to the last."""
        return len(self.dates)

    def before(self, day: int) -> Days:
        """Only what was known before the ``day``-th day."""
        others = None if self.others is None else self.others[:day]
        return replace(self, dates=self.dates[:day], rates=self.rates[:day], others=others)

    def once_begun(self) -> Days:
        """The same, not knowing the zeros before a queue's first ticket, where chance would not leave so many."""
        if (self.rates[:1] > 0).any():
            return self
        some = np.flatnonzero((self.rates > 0).any(axis=1))
        if not len(some) or some[0] == 0:
            return self
        first = int(some[0])
        per_day = float(np.nansum(self.rates)) / (self.span - first)
        if first * per_day < _BY_CHANCE:
            return self
        rates = self.rates.copy()
        rates[:first] = np.nan
        return replace(self, rates=rates)

    @cached_property
    def began(self) -> int:
        """First day of which anything is known."""
        if not np.isnan(self.rates[:1]).all():
            return 0
        return int(np.argmax(~np.isnan(self.rates).all(axis=1)))

    def last(self, days: int) -> Days:
        """Only the last so many days."""
        others = None if self.others is None else self.others[-days:]
        return replace(self, dates=self.dates[-days:], rates=self.rates[-days:], others=others)


def weekday(dates: Dates) -> Ints:
    """Day of the week, 0 on Monday.

    Examples
    --------
    >>> weekday(np.array(["2026-03-02", "2026-03-08"], dtype="datetime64[D]")).tolist()
    [0, 6]
    """
    return np.asarray((dates.astype("datetime64[D]").astype(np.int64) + 3) % 7)  # 1970-01-01 was a Thursday
