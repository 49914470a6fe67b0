"""The rest of a day, revised by what its morning brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, InputError, fold_closed
from staffcast.forecast.demand import DemandPart
from staffcast.forecast.horizon import since_close
from staffcast.forecast.intraday import Intraday, Revision, learn_intraday
from staffcast.forecast.judging.rolling import as_series, calendars_for
from staffcast.forecast.models.house import House
from staffcast.forecast.models.lineup import make
from staffcast.forecast.past.days import Dates, Days, Floats, Grid
from staffcast.forecast.past.features import day_kinds
from staffcast.forecast.past.lessons import Lessons, learn_events

__all__ = ["narrowed", "revise_first_day", "revise_today"]

_WEEKS, _WEEK = 12, 7
_SAID, _TINY = 0.5, 1e-9
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
        ``unique_id, ds, open, forecast, came, revised, offered, carried, rate_cv`` of today's intervals: tickets where
        they arrive, what came so far (empty from now on), and what is expected with that. ``offered`` is what the
        people have to do with from now on, 0 while closed; ``carried`` the part of it that came while closed and
        waits for the opening. ``rate_cv`` is the relative standard deviation of the revised rate.
    why : dict of queue to str
        What the morning says, and how much comes after closing.

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
    revised = np.where(np.isnan(came[first:last]), revision.mean[slot], np.nan)
    opened, lost = grid.opened[first:last], calendar.closed_arrivals == "lost"
    ahead, offered, carried = len(ds) - first, np.full(last - first, np.nan), np.full(last - first, np.nan)
    waiting = since_close(y, grid.opened[: len(ds)], calendar)
    offered[ahead:], carried[ahead:] = fold_closed(revised[ahead:], opened[ahead:], waiting=waiting, lost=lost)
    table = pd.DataFrame({
        "unique_id": queue, "ds": whole[first:last], "open": opened, "forecast": expected[slot],
        "came": came[first:last], "revised": revised, "offered": offered, "carried": carried,
        "rate_cv": revision.cv[slot],
    })  # fmt: skip
    return table, revision.why + _after_closing(revised[ahead:], opened[ahead:], waiting, lost=lost)


def _after_closing(revised: Floats, opened: npt.NDArray[np.bool_], waiting: float, *, lost: bool) -> str:
    """What of the rest of the day finds nobody there, for people."""
    last = int(np.max(np.flatnonzero(opened), initial=-1)) + 1
    late = float(np.nansum(revised[last:]))
    if lost:
        closed = float(np.nansum(revised[~opened]))
        return f"; {closed:,.0f} come while closed and are lost" if closed >= _SAID else ""
    if last:
        return f"; {late:,.0f} come after closing and wait for the next opening" if late >= _SAID else ""
    return f"; closed for the rest of the day: {late + waiting:,.0f} wait for the next opening"


def revise_first_day(past: Days, lessons: Lessons, weights: Mapping[str, float], ahead: Grid) -> Revision | None:
    """Revise the first day of a horizon that begins while that day is under way.

    What is revised is the forecast by the models of the days before: models that learn from half a day take it for
    a whole one, as far as they see it at all.

    Parameters
    ----------
    past : Days
        Known up to now; its last day is the one that is under way.
    lessons : Lessons
        What is learnt from of it.
    weights : mapping of model to weight
    ahead : Grid
        The horizon.

    Returns
    -------
    Revision or None
        Per slot of the day; None where the horizon begins with a day, or the days before are too few.
    """
    today, now = past.span - 1, int(ahead.slot[0])
    known = today - past.began
    if past.dates[-1] != ahead.dates[0] or now == 0 or known < max(3 * _WEEK, *(make(n).min_days for n in weights)):
        return None
    before, dates = lessons.past.before(today), ahead.dates[:1]
    models = [weight * make(name).learn(before).expect_days(dates)[0] for name, weight in weights.items()]
    so_far = np.where(np.arange(past.slots) < now, past.rates[-1], np.nan)  # autumn's second hour may be to come
    expected = np.maximum(np.sum(models, axis=0) * lessons.uplift(dates)[0], 0.0)
    return _learn(past.before(today).once_begun()).revise(expected, so_far, now_slot=now)


def narrowed(part: DemandPart, revision: Revision, ahead: Grid) -> DemandPart:
    """Demand of a queue whose first day is as uncertain as it is after the morning.

    The rate's spread is learnt from whole days; what the morning takes from it, in proportion, is what hours of one
    day have in common. An interval's own part stays.

    Parameters
    ----------
    part : DemandPart
        Its means already revised.
    revision : Revision
    ahead : Grid
        The horizon, an interval for each of its rows.
    """
    first = slice(*ahead.between(0, 1))
    slot = ahead.slot[first]
    cv, level, day = part.rate_cv.copy(), part.share_level.copy(), part.share_day.copy()
    kept = (revision.cv[slot] / max(revision.cv[0], _TINY)) ** 2
    # The hours' own part of the variance is no less than it was, so no more goes than what they share.
    together = level[first] + day[first]
    kept = np.maximum(kept, 1 - together)
    shared = np.divide(kept - (1 - together), kept * together, out=np.ones_like(kept), where=together > 0)
    cv[first] *= np.sqrt(kept)
    level[first] *= shared
    day[first] *= shared
    return replace(part, rate_cv=cv, share_level=level, share_day=day)


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
