"""When a queue is open, in its own zone; days there have 23, 24 or 25 hours."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts.errors import InputError, bad_value

__all__ = [
    "INTERVAL_MINUTES",
    "OFFSET_PATTERN",
    "WEEKDAYS",
    "Calendar",
    "Event",
    "check_zone",
    "fold_closed",
    "interval_grid",
]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
INTERVAL_MINUTES = (15, 30, 60)
# The offset at the end of a time's text. A date alone ends like one ("-05-31"), so the time of day must come first.
OFFSET_PATTERN = r"[Tt ]\s*\d\d.*?([Zz]|[+-]\d\d(?::?\d\d)?)$"
_DAY = 24 * 60
_ALL_DAY = ((0, _DAY),)

Windows = tuple[tuple[int, int], ...]


def check_zone(zone: object, *, parameter: str = "zone") -> str:
    """Return ``zone`` if it is an IANA zone or a fixed offset like ``UTC+02:00``.

    Raises
    ------
    InputError
        Unknown zone.
    """
    legal = 'an IANA zone such as "Europe/Berlin" or "America/Sao_Paulo"'
    if not isinstance(zone, str) or not zone:
        raise bad_value(parameter, zone, legal)
    if re.fullmatch(r"UTC([+-](0\d|1[0-4]):[0-5]\d)?", zone):
        return zone
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise bad_value(parameter, zone, legal) from None
    return zone


def interval_grid(start: pd.Timestamp, end: pd.Timestamp, minutes: int, zone: str) -> pd.DatetimeIndex:
    """Starts of the intervals from the local midnight before ``start`` to the one at or after ``end``.

    Parameters
    ----------
    start, end : Timestamp
        Aware instants; the grid covers both.
    minutes : {15, 30, 60}
        Length of an interval.
    zone : str
        Zone of the days; a day of 23 or 25 hours has as many intervals.

    Returns
    -------
    DatetimeIndex
        Aware, in ``zone``, named ``ds``.
    """
    if minutes not in INTERVAL_MINUTES:
        raise bad_value("interval", f"{minutes} min", "15, 30 or 60 minutes")
    first = _midnight(start.tz_convert(zone))
    last = end.tz_convert(zone)
    stop = _midnight(last)
    if stop < last:
        stop = _midnight(stop + pd.Timedelta(days=1, hours=6))
    return pd.date_range(first, stop, freq=f"{minutes}min", inclusive="left", name="ds")


def fold_closed(
    values: npt.NDArray[np.float64], opened: npt.NDArray[np.bool_], *, waiting: float = 0.0, lost: bool = False
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Move what arrives while closed to the next opening.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Arrivals per interval, where they arrived.
    opened : ndarray of bool, shape (n,)
        Whether each interval is open.
    waiting : float
        What already waits for the first opening.
    lost : bool
        Closed arrivals are gone instead.

    Returns
    -------
    offered, carried : ndarrays, shape (n,)
        ``offered`` is 0 while closed; ``carried`` is the part of it that came while closed. What has no opening
        after it on the grid is in neither.

    Examples
    --------
    >>> offered, carried = fold_closed(np.array([1.0, 2, 3, 4]), np.array([False, True, False, True]))
    >>> offered.tolist(), carried.tolist()
    ([0.0, 3.0, 0.0, 7.0], [0.0, 1.0, 0.0, 3.0])
    """
    if lost:
        return np.where(opened, values, 0.0), np.zeros(len(values))
    n = len(values)
    if opened.all():
        carried = np.zeros(n)
        carried[:1] = waiting
        return values + carried, carried
    index = np.where(opened, np.arange(n), n)
    following = np.minimum.accumulate(index[::-1])[::-1]
    late = ~opened & (following < n)
    carried = np.bincount(following[late], weights=np.nan_to_num(values[late]), minlength=n).astype(float)
    if waiting and n and following[0] < n:
        carried[following[0]] += waiting
    return np.where(opened, values + carried, 0.0), np.where(opened, carried, 0.0)


def _midnight(instant: pd.Timestamp) -> pd.Timestamp:
    # Some zones skip midnight itself on the spring day: the day then begins at 01:00.
    day = instant.tz_localize(None).normalize()
    return day.tz_localize(instant.tzinfo, ambiguous=True, nonexistent="shift_forward")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Days that differ for a reason of the desk's own: a campaign, a release, a billing run, a strike.

    Attributes
    ----------
    name : str
    days : frozenset of date
        Past and coming ones.
    factor : float or None
        What it multiplies arrivals by; None: learnt from its past days.
    once : bool
        It will not come again as it was: its past days are not learnt from, and it changes nothing to come.
    """

    name: str
    days: frozenset[dt.date]
    factor: float | None = None
    once: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise bad_value("events.name", self.name, "a name, so that days of the same kind are found again")
        if not self.days:
            raise bad_value("events.days", "nothing", "at least one day", f"give the days of {self.name!r}")
        if self.factor is not None and not 0 < self.factor <= 100:
            raise bad_value("events.factor", self.factor, "above 0 and at most 100", "1.3 is 30 % more")
        if self.once and self.factor is not None:
            raise bad_value("events.factor", self.factor, "left out where `once` is set", "it changes nothing to come")


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Opening hours of a queue.

    Attributes
    ----------
    zone : str
        IANA zone of the queue.
    week : 7 tuples of (start, end)
        Minutes after local midnight, Monday first; empty = closed that day.
    closed_on : frozenset of date
        Days on which the queue stays closed.
    holidays : mapping of date to name
        Days that differ from their weekday although they may be open; used by forecasts.
    closed_arrivals : {"wait", "lost"}
        What becomes of what arrives while closed: it waits for the next opening, or it is gone (a phone line).
    events : tuple of Event
        Campaigns, releases, strikes; used by forecasts.

    Examples
    --------
    >>> calendar = Calendar.parse("Europe/Berlin", {"mon-fri": "08:00-18:00", "sat": "10:00-14:00"})
    >>> calendar.describe()
    'Mon–Fri 08:00–18:00, Sat 10:00–14:00 (Europe/Berlin)'
    """

    zone: str = "UTC"
    week: tuple[Windows, ...] = (_ALL_DAY,) * 7
    closed_on: frozenset[dt.date] = frozenset()
    holidays: Mapping[dt.date, str] = field(default_factory=dict)
    closed_arrivals: Literal["wait", "lost"] = "wait"
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        if self.closed_arrivals not in ("wait", "lost"):
            raise bad_value("closed_arrivals", self.closed_arrivals, '"wait" or "lost"')
        check_zone(self.zone)
        if len(self.week) != 7:
            raise bad_value("week", len(self.week), "seven days")
        for day, windows in zip(WEEKDAYS, self.week, strict=True):
            previous = 0
            for start, end in windows:
                if not previous <= start < end <= _DAY:
                    raise bad_value(f"hours.{day}", windows, "windows in order, each within 00:00–24:00")
                previous = end

    @classmethod
    def parse(cls, zone: str, hours: Mapping[str, str], *, parameter: str = "hours") -> Calendar:
        """Read hours as planners write them.

        Parameters
        ----------
        zone : str
            IANA zone.
        hours : mapping
            Day or range of days to windows: ``{"mon-fri": "08:00-12:00, 13:00-18:00", "sat": "22:00-02:00"}``.
            Days not named are closed; a window past midnight goes on into the next day.

        Raises
        ------
        InputError
            Unknown day, unreadable or overlapping window.
        """
        minutes: list[list[tuple[int, int]]] = [[] for _ in range(7)]
        for days, windows in hours.items():
            for day in _days(days, parameter):
                for start, end in _windows(windows, f"{parameter}.{days}"):
                    if start < end:
                        minutes[day].append((start, end))
                    else:
                        minutes[day].append((start, _DAY))
                        if end:
                            minutes[(day + 1) % 7].append((0, end))
        return cls(zone=zone, week=tuple(tuple(sorted(day)) for day in minutes))

    @property
    def always_open(self) -> bool:
        """Whether it never closes."""
        return not self.closed_on and all(day == _ALL_DAY for day in self.week)

    def closed(self, days: Iterable[dt.date]) -> Calendar:
        """Return the same hours, closed on ``days`` too."""
        return replace(self, closed_on=self.closed_on | frozenset(days))

    def local(self, ds: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Wall clock of the queue, without zone."""
        return ds.tz_convert(self.zone).tz_localize(None)

    def slot(self, ds: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
        """Minute of the local week, 0 at Monday 00:00."""
        local = self.local(ds)
        return np.asarray(local.day_of_week * _DAY + local.hour * 60 + local.minute, dtype=np.int64)

    def day(self, ds: pd.DatetimeIndex) -> npt.NDArray[np.datetime64]:
        """Local date of each interval as ``datetime64[D]``."""
        return self.local(ds).to_numpy().astype("datetime64[D]")

    def is_open(self, ds: pd.DatetimeIndex) -> npt.NDArray[np.bool_]:
        """Whether the queue is open at each interval's start."""
        opened = self._open_minutes[self.slot(ds)]
        if self.closed_on:
            shut = np.array(sorted(self.closed_on), dtype="datetime64[D]")
            opened = opened & ~np.isin(self.day(ds), shut)
        return np.asarray(opened, dtype=np.bool_)

    def require_grid(self, minutes: int) -> None:
        """Check that every opening and closing lies on the grid of intervals.

        Raises
        ------
        InputError
            A window begins or ends inside an interval.
        """
        for day, windows in zip(WEEKDAYS, self.week, strict=True):
            for minute in (edge for window in windows for edge in window):
                if minute % minutes:
                    raise InputError(
                        f"`hours.{day}` has {_clock(minute)}, which is not on the grid of {minutes}-minute intervals; "
                        f"move it or plan in {'15' if minute % 15 == 0 else 'shorter'}-minute intervals"
                    )

    def fold(
        self, values: npt.NDArray[np.float64], ds: pd.DatetimeIndex, *, waiting: float = 0.0
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Turn arrivals into what is offered to people: see :func:`fold_closed`."""
        return fold_closed(values, self.is_open(ds), waiting=waiting, lost=self.closed_arrivals == "lost")

    def describe(self) -> str:
        """One line for people: the hours by runs of equal days."""
        if all(day == _ALL_DAY for day in self.week):
            return f"always open ({self.zone})"
        runs: list[list[int]] = []
        for day in range(7):
            if runs and self.week[runs[-1][-1]] == self.week[day]:
                runs[-1].append(day)
            else:
                runs.append([day])
        parts = []
        for run in runs:
            windows = self.week[run[0]]
            if windows:
                names = WEEKDAYS[run[0]].title() + (f"–{WEEKDAYS[run[-1]].title()}" if len(run) > 1 else "")
                parts.append(f"{names} " + " ".join(f"{_clock(a)}–{_clock(b)}" for a, b in windows))
        return f"{', '.join(parts) or 'never open'} ({self.zone})"

    @cached_property
    def special_days(self) -> frozenset[dt.date]:
        """Holidays, and days given as closed."""
        return frozenset({*self.holidays, *self.closed_on})

    @cached_property
    def _open_minutes(self) -> npt.NDArray[np.bool_]:
        mask = np.zeros(7 * _DAY, dtype=np.bool_)
        for day, windows in enumerate(self.week):
            for start, end in windows:
                mask[day * _DAY + start : day * _DAY + end] = True
        return mask


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _days(text: str, parameter: str) -> list[int]:
    names = {name: i for i, name in enumerate(WEEKDAYS)}
    days: list[int] = []
    for part in str(text).lower().split(","):
        ends = [name.strip()[:3] for name in part.replace("–", "-").split("-")]
        if len(ends) > 2 or any(end not in names for end in ends):
            raise bad_value(parameter, text, 'days like "mon", "mon-fri" or "sat,sun"')
        first, last = names[ends[0]], names[ends[-1]]
        days += [(first + i) % 7 for i in range((last - first) % 7 + 1)]
    return days


def _windows(text: object, parameter: str) -> list[tuple[int, int]]:
    legal = 'windows like "08:00-18:00" or "08:00-12:00, 13:00-17:00"'
    if not isinstance(text, str):
        raise bad_value(parameter, text, legal)
    if text.strip().lower() in ("closed", ""):
        return []
    windows = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)\s*", part)
        if match is None:
            raise bad_value(parameter, text, legal)
        start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if start >= _DAY or end > _DAY or int(match[2]) > 59 or int(match[4]) > 59 or start == end:
            raise bad_value(parameter, text, legal)
        windows.append((start, end))
    return windows
