"""What revising at noon does to the afternoon's error, and what it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from parts.common import Options, figure, prose, table, time_in_turn
from parts.forecast_data import Series
from parts.forecast_peers import cpu_of
from parts.goals import Goal
from staffcast.forecast import forecast, learn_intraday, revise_today
from staffcast.forecast.past.days import Floats

__all__ = ["intraday"]

_NOON = 12
_DAYS, _QUICK_DAYS = 56, 10
# Days of history before each revised day: at least, at most. The last days are taken, every other one.
_LEAST, _MOST, _APART = 35, 365, 2
_FITS = ("`house`, midnight", "`house`, noon", "`auto`, midnight", "`auto`, noon")
_ONE, _TODAY, _PLAN = "one revision", "`today`: learning from twelve weeks, and the revision", "`forecast`, 28 days"
_LIMIT_MS = 5.0


@dataclass(frozen=True, kw_only=True)
class _Afternoons:
    """What came after noon, and Σ|y−f| of each forecast of it, a value per day, all queues together."""

    y: Floats
    error: dict[str, Floats]

    def wape(self, name: str) -> float:
        """Σ|y−f| ÷ Σy."""
        return float(self.error[name].sum() / self.y.sum())

    def change(self, model: str) -> tuple[float, float]:
        """What noon changes in WAPE, and its standard error over days."""
        each = self.error[f"`{model}`, noon"] - self.error[f"`{model}`, midnight"]
        return float(each.sum() / self.y.sum()), float(each.std(ddof=1) * math.sqrt(len(each)) / self.y.sum())


def intraday(sets: Sequence[Series], options: Options) -> tuple[str, list[Goal]]:
    """Afternoons as forecast at midnight and at noon, over the last days of each series."""
    rows, goals = [], []
    for series in sets:
        found = _afternoons(series, _QUICK_DAYS if options.quick else _DAYS)
        change = {model: "{:+.4f} ± {:.4f}".format(*found.change(model)) for model in ("house", "auto")}
        rows.append((series.name, len(found.y), *(f"{found.wape(name):.3f}" for name in _FITS), *change.values()))
        goals += [
            Goal(
                what=f"afternoon of {series.name}: `{model}` at noon ÷ at midnight", high=1.0,
                values=[found.wape(f"`{model}`, noon") / found.wape(f"`{model}`, midnight")],
            )
            for model in change
        ]  # fmt: skip
    text = prose(
        f"""WAPE of the hours from {_NOON}:00 to midnight, of the last days of each series, every other one where there
        are enough, with up to a year of history before each: as forecast at the midnight before, and with the morning
        known. `house` at noon is what `staffcast today` says; `auto` at noon is the first day of `plan` and `forecast`.
        The last two columns are what noon changes in WAPE, with its standard error over days."""
    )
    head = ["series", "afternoons", *_FITS, "change, `house`", "change, `auto`"]
    took = _speed(sets[0], options)
    goals.append(Goal(what="revising a day by its morning [ms]", high=_LIMIT_MS, values=[took[_ONE]]))
    speed = table(["one queue, hours", "CPU ms"], [(name, figure(ms)) for name, ms in took.items()])
    return f"{text}\n\n{table(head, rows)}\n\n{speed}", goals


def _afternoons(series: Series, number: int) -> _Afternoons:
    last = len(series.grid.dates) - 1
    days = np.unique(np.linspace(max(_LEAST, last - _APART * number), last, number).round().astype(int))
    came, off = [], []
    for day in days.tolist():
        known, midnight, noon, end = _until(series, day)
        rest = series.frame[(series.frame["ds"] >= noon) & (series.frame["ds"] < end)]
        y = rest.set_index(["unique_id", "ds"])["y"]
        before = forecast(known[known["ds"] < midnight], "1d", calendar=series.calendar).frame
        after = forecast(known, "1d", calendar=series.calendar).frame
        today, _ = revise_today(known, calendar=series.calendar)
        said = (today.rename(columns={"forecast": "mean"}), today.rename(columns={"revised": "mean"}), before, after)
        errors = [(y - each.set_index(["unique_id", "ds"])["mean"].loc[y.index]).abs().sum() for each in said]
        came.append(y.sum())
        off.append(errors)
    return _Afternoons(y=np.array(came), error=dict(zip(_FITS, np.array(off).T, strict=True)))


def _until(series: Series, day: int) -> tuple[pd.DataFrame, pd.Timestamp, pd.Timestamp, pd.Timestamp]:
    """What is known at a day's noon; its midnight, noon and end."""
    first, _ = series.grid.between(max(day - _MOST, 0), day)
    begin, stop = series.grid.between(day, day + 1)
    of_day = series.grid.ds[begin:stop]
    noon = of_day[of_day.tz_convert(series.calendar.zone).hour == _NOON][0]
    known = series.frame[(series.frame["ds"] >= series.grid.ds[first]) & (series.frame["ds"] < noon)]
    return known[["unique_id", "ds", "y"]], of_day[0], noon, of_day[-1] + pd.Timedelta(hours=1)


def _speed(series: Series, options: Options) -> dict[str, float]:
    """CPU milliseconds of one queue's revision, alone and with all that it takes."""
    known, midnight, _, _ = _until(series, len(series.grid.dates) - 1)
    known = known[known["unique_id"] == series.queues[0]]
    rng, expected = np.random.default_rng(44), np.full((84, 24), 25.0)
    learnt = learn_intraday(
        rng.poisson(expected * rng.gamma(50, 1 / 50, (84, 1))), expected, open=np.ones((84, 24), dtype=bool)
    )
    so_far = np.where(np.arange(24) < _NOON, 30.0, np.nan)

    def often(run: Callable[[], object], times: int) -> float:
        return cpu_of(lambda: [run() for _ in range(times)]) / times

    took = time_in_turn(
        {
            _ONE: partial(often, lambda: learnt.revise(expected[0], so_far, now_slot=_NOON), 100),
            _TODAY: partial(often, lambda: revise_today(known, calendar=series.calendar), 3),
            f"{_PLAN}, from midnight": partial(
                cpu_of, lambda: forecast(known[known["ds"] < midnight], "28d", calendar=series.calendar)
            ),
            f"{_PLAN}, from noon": partial(cpu_of, lambda: forecast(known, "28d", calendar=series.calendar)),
        },
        3 if options.quick else 7,
    )
    return {name: 1e3 * seconds for name, seconds in took.items()}
