"""Find out from a log when its queues are open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd

from staffcast.contracts import Calendar

__all__ = ["learn_calendar", "learn_holiday_closures"]

_WEEKS = 8
_DAY = 24 * 60
# A slot with under 5 % of the usual activity is somebody finishing late, not an opening hour.
_QUIET = 0.05
# Below this many tickets in a usual slot over the eight weeks, gaps are chance and say nothing of opening hours.
_ENOUGH_PER_SLOT = 8.0


def learn_calendar(times: pd.DatetimeIndex, weights: np.ndarray, *, zone: str, minutes: int) -> Calendar | None:
    """Opening hours that the last eight weeks of activity show.

    Parameters
    ----------
    times : DatetimeIndex
        Instants of first responses (or, lacking these, arrivals). Aware.
    weights : ndarray, shape (n,)
        Tickets at each instant.
    zone : str
        IANA zone of the queue.
    minutes : int
        Grid on which opening and closing lie.

    Returns
    -------
    Calendar or None
        One window per weekday, from the first to the last busy slot; always open when hardly any slot is quiet;
        None when there is too little to learn from.
    """
    if not len(times):
        return None
    calendar = Calendar(zone=zone)
    recent = (times > times.max() - pd.Timedelta(weeks=_WEEKS)) & (weights > 0)
    slots = calendar.slot(times[recent]) // minutes
    week = ((times.max() - times[recent]).days // 7).to_numpy()
    number = 7 * _DAY // minutes
    activity = np.bincount(slots, weights=weights[recent], minlength=number).reshape(7, -1)
    # A busy slot, not the middling one: most of a week's slots are quiet where an office answers by day and a few
    # people by night.
    usual = float(np.quantile(activity[activity > 0], 0.75)) if activity.any() else 0.0
    if usual < _ENOUGH_PER_SLOT:
        return None
    weeks_active = np.bincount(np.unique(week * number + slots) % number, minlength=number).reshape(7, -1)
    busy = (activity > _QUIET * usual) & (weeks_active >= 2)
    if busy.mean() > 0.95:
        return calendar
    windows = []
    for day in busy:
        open_slots = np.flatnonzero(day)
        windows.append(((int(open_slots[0]) * minutes, int(open_slots[-1] + 1) * minutes),) if len(open_slots) else ())
    return Calendar(zone=zone, week=tuple(windows))


def learn_holiday_closures(
    times: pd.DatetimeIndex, calendar: Calendar, holidays: Mapping[dt.date, str], weights: np.ndarray | None = None
) -> tuple[frozenset[dt.date], bool]:
    """Which of the holidays were closed days, and whether holidays are closed days here as a rule.

    Parameters
    ----------
    times : DatetimeIndex
        Instants of first responses or arrivals.
    calendar : Calendar
        The weekly hours.
    holidays : mapping of date to name
        Public holidays of past and future.
    weights : ndarray, shape (n,), optional
        Tickets at each instant; one without it.

    Returns
    -------
    closed : frozenset of date
        Past holidays on open weekdays with less than a twentieth of the usual activity.
    rule : bool
        Whether more than half of the past ones were closed.
    """
    if not len(times):
        return frozenset(), False
    dates, at = np.unique(calendar.day(times), return_inverse=True)
    number = np.bincount(at, weights=weights)
    index = pd.DatetimeIndex(dates)
    days = pd.Series(number, index=index)
    usual = days.groupby(index.day_of_week).median()
    first, last = index[0].date(), index[-1].date()
    past = [d for d in holidays if first <= d <= last and calendar.week[d.weekday()]]
    closed = frozenset(
        d for d in past if days.get(pd.Timestamp(d), 0) < _QUIET * usual.get(d.weekday(), 0.0)
    )  # fmt: skip
    return closed, bool(past) and len(closed) > len(past) / 2
