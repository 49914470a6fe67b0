"""What the calendar says about a day: holiday, its neighbours, bridge days, place in the month, in the year."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Calendar
from staffcast.forecast.past.days import Dates, Days, Floats, weekday

__all__ = ["DayKinds", "Flags", "day_kinds", "holidays_among", "month_waves", "special_days", "year_waves"]

Flags = npt.NDArray[np.bool_]

# A weekday with less than this share of the busiest one is a day of rest.
_REST = 0.6
# One with less than this is no whole working day, which people take off between others.
_WORKING = 0.75
_WEEKEND, _WORKDAYS = (False,) * 5 + (True,) * 2, (True,) * 5 + (False,) * 2


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

    @cached_property
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
    rest, working = _WEEKEND, _WORKDAYS
    if level is not None:
        levels = level.tolist()
        most = max(levels)
        rest = tuple(each < _REST * most for each in levels)
        working = tuple(each >= _WORKING * most for each in levels)
    return _kinds(int(dates[0].astype(np.int64)), len(dates), calendar.special_days, rest, working)


@lru_cache(maxsize=512)
def _kinds(
    first: int, days: int, listed: frozenset[dt.date], rest: tuple[bool, ...], working: tuple[bool, ...]
) -> DayKinds:
    """Models, queues and origins ask for the same days again and again."""
    holiday = np.zeros(days + 2, dtype=bool)
    place = np.array(sorted(listed), dtype="datetime64[D]").astype(np.int64) - (first - 1)
    holiday[place[(place >= 0) & (place < days + 2)]] = True
    of_week = (np.arange(first - 1, first + days + 1) + 3) % 7  # 1970-01-01 was a Thursday
    quiet = holiday | np.array(rest)[of_week]
    on = holiday[1:-1]
    bridge = np.array(working)[of_week[1:-1]] & ~on & quiet[:-2] & quiet[2:] & (holiday[:-2] | holiday[2:])
    kinds = (on, holiday[2:] & ~on & ~bridge, holiday[:-2] & ~on & ~bridge, bridge)
    for each in kinds:
        each.flags.writeable = False  # whoever asks next gets the same arrays
    return DayKinds(holiday=kinds[0], before=kinds[1], after=kinds[2], bridge=kinds[3])


def holidays_among(dates: Dates, calendar: Calendar) -> tuple[tuple[int, str], ...]:
    """Place and name of each of the calendar's holidays that lies among consecutive days."""
    return _holidays(int(dates[0].astype(np.int64)), len(dates), tuple(calendar.holidays.items()))


@lru_cache(maxsize=512)
def _holidays(first: int, days: int, listed: tuple[tuple[dt.date, str], ...]) -> tuple[tuple[int, str], ...]:
    epoch = dt.date(1970, 1, 1).toordinal() + first
    return tuple((day.toordinal() - epoch, name) for day, name in listed if 0 <= day.toordinal() - epoch < days)


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
    """Fourier terms of the place in the month, shape (days, 2 · waves): billing runs and paydays come monthly.

    ``dates`` are consecutive days.
    """
    return _month_waves(int(dates[0].astype(np.int64)), len(dates), waves)


def year_waves(dates: Dates, waves: int) -> Floats:
    """Fourier terms of the place in the year, shape (days, 2 · waves), of consecutive days."""
    return _year_waves(int(dates[0].astype(np.int64)), len(dates), waves)


@lru_cache(maxsize=128)
def _month_waves(first: int, days: int, waves: int) -> Floats:
    dates = np.arange(first, first + days).astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    start = month.astype("datetime64[D]")
    length = ((month + 1).astype("datetime64[D]") - start).astype(float)
    return _waves(((dates - start).astype(float) + 0.5) / length, waves)


@lru_cache(maxsize=128)
def _year_waves(first: int, days: int, waves: int) -> Floats:
    dates = np.arange(first, first + days).astype("datetime64[D]")
    return _waves((dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(float) / 365.25, waves)


def _waves(turns: Floats, waves: int) -> Floats:
    angle = 2 * np.pi * turns[:, None] * np.arange(1, waves + 1)
    waved = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    waved.flags.writeable = False
    return waved
