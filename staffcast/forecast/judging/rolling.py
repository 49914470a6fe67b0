"""Rolling-origin backtest: every model forecasts the recent past from what was known before it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import INTERVAL_MINUTES, SERIES, Calendar, InputError, bad_value, fold_closed
from staffcast.executor import map_chunks
from staffcast.forecast.horizon import parse_days, since_close
from staffcast.forecast.models.house import House
from staffcast.forecast.models.lineup import SLOW, for_history, make
from staffcast.forecast.past.days import Days, Floats, Grid
from staffcast.forecast.past.features import special_days
from staffcast.forecast.past.lessons import learn_events
from staffcast.forecast.past.queues import Queue, cut

__all__ = [
    "LEAST_HISTORY_DAYS",
    "Calendars",
    "Progress",
    "Rolled",
    "as_series",
    "calendars_for",
    "roll",
]

LEAST_HISTORY_DAYS = 14
_FALLBACK_DAYS = (28, 14, 7, 3, 1)
_MINUTE = pd.Timedelta(minutes=1)

Progress = Callable[[int, int], None]
Calendars = Calendar | Mapping[str, Calendar] | None


@dataclass(frozen=True, kw_only=True)
class Rolled:
    """One model's forecast of one queue from one origin, beside what came."""

    unique_id: str
    model: str
    origin: pd.Timestamp
    days: float
    y: Floats
    mean: Floats
    day: npt.NDArray[np.int64]
    special: npt.NDArray[np.bool_]
    naive_scale: float
    cpu_s: float


def as_series(series: pd.DataFrame) -> pd.DataFrame:
    """Check the series table and lay each queue on an even grid: an interval without a row is not known.

    A frame without queue names is one queue called ``all``.

    Raises
    ------
    InputError
        The table breaks its contract, or a queue's intervals are not 15, 30 or 60 minutes apart.
    """
    frame = series if "unique_id" in series else series.assign(unique_id="all")
    frame = SERIES.check(frame)
    if not _sorted(frame):
        frame = frame.sort_values(["unique_id", "ds"], kind="stable").reset_index(drop=True)
    queues = cut(frame)
    parts = [_even(queue.name, queue.rows, queue.ds) for queue in queues]
    if all(part is queue.rows for part, queue in zip(parts, queues, strict=True)):
        return frame
    return pd.concat(parts, ignore_index=True)


def _sorted(frame: pd.DataFrame) -> bool:
    """Whether rows are in order by queue and instant, as most tables are; far quicker to see than to sort."""
    codes, names = pd.factorize(frame["unique_id"])
    step, later = np.diff(codes), np.diff(pd.DatetimeIndex(frame["ds"]).asi8) > 0
    return bool((step >= 0).all() and later[step == 0].all()) and list(names) == sorted(names)


def _even(queue: str, rows: pd.DataFrame, ds: pd.DatetimeIndex) -> pd.DataFrame:
    if len(ds) < 2:
        raise InputError(f"queue {queue!r} has a single interval: nothing can be learnt from that")
    apart = np.diff(ds.asi8)
    if apart[0] > 0 and (apart == apart[0]).all() and (ds[1] - ds[0]) / _MINUTE in INTERVAL_MINUTES:
        return rows
    steps = ds[1:] - ds[:-1]
    step = steps.sort_values()[len(steps) // 2]  # the usual one: rows may be missing, and one may be off
    minutes = step / pd.Timedelta(minutes=1)
    if minutes not in INTERVAL_MINUTES:
        raise bad_value("interval", f"{minutes:g} min", f"15, 30 or 60 minutes (queue {queue!r})")
    odd = np.flatnonzero(steps % step != pd.Timedelta(0))
    if len(odd):
        raise InputError(
            f"queue {queue!r}: after {ds[odd[0]]} comes {ds[odd[0] + 1]}, which is off the grid of {minutes:g}-minute "
            "intervals; count all in the same intervals"
        )
    full = pd.date_range(ds[0], ds[-1], freq=step, name="ds")
    return rows.set_index("ds").reindex(full).reset_index().assign(unique_id=queue)[list(rows.columns)]


def calendars_for(series: pd.DataFrame, calendar: Calendars) -> dict[str, Calendar]:
    """One calendar per queue."""
    queues = list(series["unique_id"].unique())
    if calendar is None:
        zone = series["ds"].dt.tz
        calendar = Calendar(zone=getattr(zone, "key", None) or str(zone))
    if isinstance(calendar, Calendar):
        return dict.fromkeys(queues, calendar)
    missing = [q for q in queues if q not in calendar]
    if missing:
        raise bad_value("calendar", sorted(calendar), f"a calendar for every queue; {missing[0]!r} has none")
    return {q: calendar[q] for q in queues}


def roll(
    queues: Sequence[Queue],
    calendars: Mapping[str, Calendar],
    *,
    models: Sequence[str],
    horizon: str,
    origins: int,
    step: str,
    processes: int = 1,
    progress: Progress | None = None,
) -> list[Rolled]:
    """Forecast the past; queues too short for any test are left out."""
    if origins < 1:
        raise bad_value("origins", origins, "at least 1")
    days, step_days = parse_days(horizon, parameter="horizon"), parse_days(step, parameter="step")
    # A slow model is a task of its own, so that the fast ones of other queues need not wait for it.
    shares = [tuple(n for n in models if n not in SLOW), *((n,) for n in models if n in SLOW)]
    tasks = [
        _Task(one.name, names, one.ds, one.y, one.others, calendars[one.name], days, origins, step_days)
        for one in queues for names in shares if names
    ]  # fmt: skip
    done = map_chunks(_roll_queue, tasks, processes=processes, progress=progress)
    rolled = [one for some in done for one in some]
    order = {name: place for place, name in enumerate(models)}
    places = {one.name: place for place, one in enumerate(queues)}
    return sorted(rolled, key=lambda r: (places[r.unique_id], r.origin, order.get(r.model, len(order))))


class _Task(NamedTuple):
    """One queue's backtest with some of the models."""

    queue: str
    names: tuple[str, ...]
    ds: pd.DatetimeIndex
    y: Floats
    others: Floats | None
    calendar: Calendar
    days: float
    origins: int
    step_days: float


def _origins(whole: int, days: float, origins: int, step_days: float) -> tuple[int, list[int]]:
    """Length of the tests, and the days before which they begin, among ``whole`` days that are all known."""
    for test in (max(round(days), 1), *(d for d in _FALLBACK_DAYS if d < days)):
        # Before an origin there should lie four weeks, as the planner's mean needs them, or at least two.
        least = max(LEAST_HISTORY_DAYS, min(28, whole / 2))
        # Shorter tests lie closer together, so that a short history still gives several.
        step = max(round(step_days if test == round(days) else min(step_days, test)), 1)
        number = min(origins, int((whole - least - test) // step) + 1)
        if number >= min(2, origins) or (test <= 1 and number >= 1):
            return test, [whole - test - k * step for k in reversed(range(number))]
    return round(days), []


def _roll_queue(task: _Task) -> list[Rolled]:
    minutes = int((task.ds[1] - task.ds[0]) / _MINUTE) if len(task.ds) > 1 else 60
    grid = Grid.of(task.ds, task.calendar, minutes)
    days = Days.of(grid, task.y, task.others)
    began = days.once_begun().began
    # A day is tested only if the log goes on to its end.
    whole = len(grid.dates) - (grid.slot[-1] < grid.slots - 1)
    test, starts = _origins(whole - began, task.days, task.origins, task.step_days)
    lost = task.calendar.closed_arrivals == "lost"
    scales = _NaiveScales(fold_closed(task.y, grid.opened, lost=lost)[0], grid.opened, 7 * 24 * 60 // minutes)
    result = []
    names = for_history(task.names, days.span - began, beside=task.others is not None and days.span >= House.min_days)
    for start in (began + each for each in starts):
        first, last = grid.between(start, start + test)
        past = days.before(start).once_begun()
        if not np.any(~np.isnan(past.rates)):
            continue
        lessons = learn_events(past)
        dates = grid.dates[start : start + test]
        uplift = lessons.uplift(dates)[:, None]
        waiting = since_close(task.y[:first], grid.opened[:first], task.calendar)
        opened = grid.opened[first:last]
        y, _ = fold_closed(task.y[first:last], opened, waiting=waiting, lost=lost)
        day = (int(grid.dates[0].astype(np.int64)) + grid.day[first:last])[opened]
        special = special_days(dates, past)[grid.day[first:last] - start][opened]
        scale = scales.before(first)
        for name in names:
            begin = _cpu_s()
            model = make(name)
            known = past.span - past.began if model.alone else past.span
            if known < (model.min_days if model.alone else House.min_days):
                continue
            expected = model.learn(lessons.past).expect_days(dates) * uplift
            mean, _ = fold_closed(grid.spread(expected, start), opened, waiting=waiting, lost=lost)
            result.append(Rolled(
                unique_id=task.queue, model=name, origin=task.ds[first], days=test, y=y[opened], mean=mean[opened],
                day=day, special=special, naive_scale=scale, cpu_s=_cpu_s() - begin,
            ))  # fmt: skip
    return result


def _cpu_s() -> float:
    """CPU seconds of this process and of the children that it waited for: prophet fits in one."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class _NaiveScales:
    """Mean error of repeating last week, over the open intervals before any place in a history."""

    def __init__(self, offered: Floats, opened: npt.NDArray[np.bool_], week: int) -> None:
        self._week = week
        error = np.abs(offered[week:] - offered[:-week])
        known = opened[week:] & ~np.isnan(error)
        self._number = np.cumsum(known)
        self._total = np.cumsum(np.where(known, error, 0.0))

    def before(self, stop: int) -> float:
        """NaN where nothing is known, or last week came again to the last ticket."""
        last = stop - self._week - 1
        return float(self._total[last] / self._number[last]) if last >= 0 and self._total[last] > 0 else np.nan
