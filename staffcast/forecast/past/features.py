"""What the calendar says about a day: holiday, its neighbours, bridge days, place in the month, in the year."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Calendar
from staffcast.forecast.past.days import Dates, Days, Floats, Ints, weekday

__all__ = ["DayKinds", "Flags", "day_kinds", "month_waves", "special_days", "year_waves"]

Flags = npt.NDArray[np.bool_]

# A weekday with less than this share of the busiest one is a day of rest.
_REST = 0.6
# One with less than this is no whole working day, which people take off between others.
_WORKING = 0.75


@dataclass(frozen=True, kw_only=True)
class DayKinds:
    """Kinds of days; arrays of shape (days,).

    Attributes
    ----------
    holiday : bool
        A public holiday, or a day given as closed.
    before, after : bool
        The day before and the day after one, unless a holiday itself.
    bridge : bool
        A working day between a holiday and a day of rest.
    """

    holiday: Flags
    before: Flags
    after: Flags
    bridge: Flags

    @property
    def usual(self) -> Flags:
        """None of these."""
        return ~(self.holiday | self.before | self.after | self.bridge)


def day_kinds(dates: Dates, calendar: Calendar, *, level: Floats | None = None) -> DayKinds:
    """Sort days by the holidays around them.

    Parameters
    ----------
    dates : ndarray of datetime64[D], shape (days,)
        Consecutive days.
    calendar : Calendar
    level : ndarray, shape (7,), optional
        Usual level of each weekday, to tell the days of rest; without it Saturday and Sunday are.

    Examples
    --------
    Corpus Christi, a Thursday, makes the Friday after it a bridge day.

    >>> import datetime as dt
    >>> dates = np.arange("2016-05-24", "2016-05-31", dtype="datetime64[D]")
    >>> kinds = day_kinds(dates, Calendar(holidays={dt.date(2016, 5, 26): "Corpus Christi"}))
    >>> [str(day) for day in dates[kinds.bridge]], [str(day) for day in dates[kinds.before]]
    (['2016-05-27'], ['2016-05-25'])
    """
    first = int(dates[0].astype(np.int64)) - 1
    holiday, of_week = _around(first, len(dates) + 2, (*calendar.holidays, *calendar.closed_on))
    rest = np.arange(7) >= 5 if level is None else level < _REST * np.max(level)
    quiet = holiday | rest[of_week]
    on = holiday[1:-1]
    working = np.arange(7) < 5 if level is None else level >= _WORKING * np.max(level)
    bridge = working[of_week[1:-1]] & ~on & quiet[:-2] & quiet[2:] & (holiday[:-2] | holiday[2:])
    return DayKinds(
        holiday=on, before=holiday[2:] & ~on & ~bridge, after=holiday[:-2] & ~on & ~bridge, bridge=bridge
    )  # fmt: skip


@lru_cache(maxsize=64)
def _around(first: int, days: int, listed: tuple[dt.date, ...]) -> tuple[Flags, Ints]:
    """Holidays among consecutive days, and their weekdays; models ask for the same days again and again."""
    holiday = np.zeros(days, dtype=bool)
    place = np.array(listed, dtype="datetime64[D]").astype(np.int64) - first
    holiday[place[(place >= 0) & (place < days)]] = True
    return holiday, (np.arange(first, first + days) + 3) % 7


def special_days(dates: Dates, past: Days) -> Flags:
    """Which days are holidays, beside one, or bridge days, with the days of rest that the past shows.

    Parameters
    ----------
    dates : ndarray of datetime64[D], shape (days,)
        Consecutive days.
    past : Days
    """
    known = ~np.isnan(past.rates)
    of_week = weekday(past.dates)
    seen = np.bincount(of_week, known.sum(axis=1), 7)
    came = np.bincount(of_week, np.where(known, past.rates, 0.0).sum(axis=1), 7)
    level = np.divide(came, seen, out=np.full(7, came.sum() / max(seen.sum(), 1)), where=seen > 0)
    return ~day_kinds(dates, past.calendar, level=level).usual


def month_waves(dates: Dates, waves: int) -> Floats:
    """Fourier terms of the place in the month, shape (days, 2 · waves): billing runs and paydays come monthly."""
    month = dates.astype("datetime64[M]")
    start = month.astype("datetime64[D]")
    length = ((month + 1).astype("datetime64[D]") - start).astype(float)
    return _waves(((dates - start).astype(float) + 0.5) / length, waves)


def year_waves(dates: Dates, waves: int) -> Floats:
    """Fourier terms of the place in the year, shape (days, 2 · waves)."""
    return _waves((dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(float) / 365.25, waves)


def _waves(turns: Floats, waves: int) -> Floats:
    angle = 2 * np.pi * turns[:, None] * np.arange(1, waves + 1)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
