"""The rest of a day, revised by what its morning brought."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from staffcast.contracts import Calendar, InputError
from staffcast.forecast.intraday import Intraday, learn_intraday
from staffcast.forecast.judging.rolling import as_series, calendars_for
from staffcast.forecast.models.house import House
from staffcast.forecast.past.days import Dates, Days, Floats, Grid
from staffcast.forecast.past.features import day_kinds
from staffcast.forecast.past.lessons import learn_events

__all__ = ["revise_today"]

_WEEKS, _WEEK = 12, 7
_MINUTE = pd.Timedelta(minutes=1)


def revise_today(
    series: pd.DataFrame, *, calendar: Calendar | Mapping[str, Calendar] | None = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Revise the forecast of the day on which the series ends.

    The house model forecasts today from the days before; how much of a morning's surprise stays in the afternoon is
    learnt from twelve weeks in which it had forecast each day at most a week ahead.

    Parameters
    ----------
    series : DataFrame
        The series table; it ends with the last interval that is over.
    calendar : Calendar, mapping of queue to Calendar, or None
        As for :func:`staffcast.forecast.forecast`.

    Returns
    -------
    frame : DataFrame
        ``unique_id, ds, open, forecast, came, revised, rate_cv`` of today's intervals: tickets where they arrive, what
        came so far (empty from now on), and what is expected with that; ``rate_cv`` is the relative standard
        deviation of the revised rate.
    why : dict of queue to str
        What the morning says.

    Raises
    ------
    InputError
        The series breaks its contract, or has fewer than three weeks before today.
    """
    frame = as_series(series)
    calendars = calendars_for(frame, calendar)
    parts, why = [], {}
    for queue, rows in frame.groupby("unique_id", sort=False):
        part, why[str(queue)] = _revise(str(queue), rows, calendars[str(queue)])
        parts.append(part)
    return pd.concat(parts, ignore_index=True), why


def _revise(queue: str, rows: pd.DataFrame, calendar: Calendar) -> tuple[pd.DataFrame, str]:
    ds, y = pd.DatetimeIndex(rows["ds"]), rows["y"].to_numpy(dtype=float)
    minutes = int((ds[1] - ds[0]) / _MINUTE)
    days = Days.of(Grid.of(ds, calendar, minutes), y)
    today = days.span - 1
    past = days.before(today).once_begun()
    if past.span - past.began < 3 * _WEEK:
        known = past.span - past.began
        raise InputError(f"queue {queue!r} has {known} days before today; at least {3 * _WEEK} are needed")
    whole = _rest_of_day(ds, calendar, minutes)
    grid = Grid.of(whole, calendar, minutes)
    came = np.full(len(whole), np.nan)
    came[: len(ds)] = y
    so_far = grid.table(came)[today]
    now = int(np.max(np.flatnonzero(~np.isnan(so_far)), initial=-1)) + 1
    if now >= grid.slots:
        raise InputError(
            f"queue {queue!r} is known to the end of {days.dates[today]}: nothing is left of that day to revise; "
            "give a log that ends during the day, or cut it with --until"
        )
    expected = _expected(past, days.dates[today:])[0]
    revision = _learn(past).revise(expected, so_far, now_slot=now)
    first, last = grid.between(today, today + 1)
    slot = grid.slot[first:last]
    table = pd.DataFrame({
        "unique_id": queue, "ds": whole[first:last], "open": grid.opened[first:last],
        "forecast": expected[slot], "came": came[first:last],
        "revised": np.where(np.isnan(came[first:last]), revision.mean[slot], np.nan), "rate_cv": revision.cv[slot],
    })  # fmt: skip
    return table, revision.why


def _expected(past: Days, dates: Dates) -> Floats:
    lessons = learn_events(past)
    return House().learn(lessons.past).expect_days(dates) * lessons.uplift(dates)[:, None]


def _learn(past: Days) -> Intraday:
    """What mornings told of afternoons in the last weeks, from forecasts made before each."""
    begin = past.began
    weeks = min(_WEEKS, (past.span - begin - 2 * _WEEK) // _WEEK)
    starts = [past.span - (k + 1) * _WEEK for k in reversed(range(weeks))]
    actual = np.concatenate([past.rates[start : start + _WEEK] for start in starts])
    expected = np.concatenate([_expected(past.before(start), past.dates[start : start + _WEEK]) for start in starts])
    usual = day_kinds(past.dates[starts[0] :], past.calendar).usual
    return learn_intraday(actual, expected, open=np.broadcast_to(usual[:, None], actual.shape))


def _rest_of_day(ds: pd.DatetimeIndex, calendar: Calendar, minutes: int) -> pd.DatetimeIndex:
    """The series' instants, and those to the end of its last local day."""
    local = calendar.local(ds[-1:])[0].normalize() + pd.Timedelta(days=1)
    end = local.tz_localize(calendar.zone, ambiguous=True, nonexistent="shift_forward").tz_convert(ds.tz)
    return pd.date_range(ds[0], end, freq=f"{minutes}min", inclusive="left")
