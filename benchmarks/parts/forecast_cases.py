"""Forecasts in made cases: growth, holidays and events eight weeks ahead, two weeks of history; and their speed."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from parts.common import Options, figure, prose, table, time_in_turn
from parts.forecast_data import GROWTH, LAST, PEAK, made_series, small_queues
from parts.forecast_peers import PEERS, cpu_of, plain_mean, plain_naive
from parts.forecast_rolls import MEAN, NAIVE, PATHS
from parts.goals import Goal
from staffcast.contracts import Calendar, Event
from staffcast.forecast import forecast
from staffcast.forecast.models.lineup import DEFAULT, MODELS, SLOW, make
from staffcast.forecast.past.days import Dates, Days, Floats, Grid

__all__ = ["growth", "history", "speed"]

_AHEAD_DAYS, _ORIGIN = 56, "2025-10-27"
_HISTORIES = {"one year": "2024-10-28", "two and a half years": "2023-05-01"}
_SHORT_DAYS = 14
WHOLE = "`auto` with its backtest and bands"


def _plain(frame: pd.DataFrame, calendar: Calendar, origin: str, days: int) -> dict[str, Floats]:
    """Both plain yardsticks for the ``days`` from ``origin``, shape (queues, hours)."""
    found: dict[str, list[Floats]] = {NAIVE: [], MEAN: []}
    for _, rows in frame.groupby("unique_id", sort=False):
        grid = Grid.of(pd.DatetimeIndex(rows["ds"]), calendar, 60)
        start = int(np.searchsorted(grid.dates, np.datetime64(origin)))
        past, dates = Days.of(grid, rows["y"].to_numpy(dtype=float)).before(start), grid.dates[start : start + days]
        for name, fit in ((NAIVE, plain_naive), (MEAN, plain_mean)):
            found[name].append(grid.spread(fit(past, dates), start))
    return {name: np.stack(each) for name, each in found.items()}


def _alone(past: pd.DataFrame, days: int, calendar: Calendar, model: str) -> Floats:
    """Forecast each queue as if it were the only one, shape (queues, hours)."""
    return np.stack([
        forecast(rows[["ds", "y"]], f"{days}d", calendar=calendar, model=model).frame["mean"].to_numpy(dtype=float)
        for _, rows in past.groupby("unique_id", sort=False)
    ])  # fmt: skip


def _ahead(frame: pd.DataFrame, start: pd.Timestamp, column: str) -> Floats:
    rows = frame[frame["ds"] >= start]
    return np.stack([each[column].to_numpy(dtype=float) for _, each in rows.groupby("unique_id", sort=False)])


def _days(first: str, number: int = 5) -> frozenset[dt.date]:
    return frozenset(dt.date.fromisoformat(first) + dt.timedelta(days=k) for k in range(number))


def growth(options: Options) -> tuple[str, list[Goal]]:
    """Bias eight weeks ahead of queues that grow, on usual days, on holidays and on days of events."""
    seeds = range(3 if options.quick else 24)
    events = (
        Event(name="campaign", days=_days("2025-04-07") | _days("2025-07-14") | _days("2025-11-17")),
        Event(name="release", days=_days("2025-12-01"), factor=PEAK),
    )
    rows, goals = [], []
    for told, first in _HISTORIES.items():
        frame, calendar = made_series(seeds, first, "2025-12-22", events=events)
        start = pd.Timestamp(_ORIGIN, tz=calendar.zone)
        past, rate = frame[frame["ds"] < start], _ahead(frame, start, "rate")
        found = _plain(frame, calendar, _ORIGIN, _AHEAD_DAYS)
        for model in ("mean_4", "glm", "low_rank", "house", "auto"):
            found[model] = _alone(past, _AHEAD_DAYS, calendar, model)
        date = frame.loc[frame["ds"] >= start, "ds"].iloc[: rate.shape[1]].dt.date.to_numpy()
        holiday = np.isin(date, list(calendar.holidays))
        beside = np.isin(date, [day + dt.timedelta(days=k) for day in calendar.holidays for k in (-1, 1)]) & ~holiday
        spans = {
            "week 8": date >= dt.date(2025, 12, 15), "holidays": holiday, "beside": beside,
            "campaign": np.isin(date, list(events[0].days)), "release": np.isin(date, list(events[1].days)),
        }  # fmt: skip
        for model, mean in found.items():
            bias = {
                name: (mean[:, at] - rate[:, at]).sum(axis=1) / rate[:, at].sum(axis=1) for name, at in spans.items()
            }
            rows.append((told, _strong(model), *(_percent(each) for each in bias.values())))
            if model == "auto":
                week, days = (abs(float(bias[name].mean())) for name in ("week 8", "holidays"))
                goals += [
                    Goal(what=f"+20 % a year: bias in week 8, {told}", high=0.01, values=[week]),
                    Goal(what=f"+30 % on holidays: bias there, {told}", high=0.02, values=[days]),
                ]
    yearly, peak = (f"{100 * (each - 1):.0f} %" for each in (GROWTH, PEAK))
    text = prose(
        f"""{len(seeds)} made queues of about 40 contacts an hour that grow by {yearly} a year and have {peak} more on
        public holidays, forecast eight weeks ahead from 27 October. *Week 8* has no holiday in or near it; the days
        before and after a holiday are as any other, which models cannot know beforehand. The *campaign* was there twice
        in the past, and its effect is learnt; the *release* never was, and its {peak} are stated. Bias is
        Σ(forecast − rate) ÷ Σ rate, where the rate is the true one; ± is the standard error over queues, each of which
        is forecast alone."""
    )
    head = ["history", "model", "week 8", "2 holidays", "days beside them", "campaign (learnt)", "release (stated)"]
    return f"{text}\n\n{table(head, rows)}", goals


def _percent(each: Floats) -> str:
    return f"{100 * each.mean():+.1f} ± {100 * each.std(ddof=1) / math.sqrt(len(each)):.1f} %"


def _strong(model: str) -> str:
    return f"**{model}**" if model == "auto" else model


def history(options: Options) -> tuple[str, list[Goal]]:
    """Errors after two weeks of small queues, against the mean of these two weeks."""
    number = 8 if options.quick else 40
    frame = small_queues(number, _SHORT_DAYS + LAST)
    start = frame["ds"].iloc[0] + pd.Timedelta(days=_SHORT_DAYS)
    past, calendar = frame[frame["ds"] < start], Calendar()
    y, rate = _ahead(frame, start, "y"), _ahead(frame, start, "rate")
    found = _plain(frame, calendar, f"{start:%Y-%m-%d}", LAST)
    for model in ("mean_4", "glm", "house", "auto"):
        found[model] = _alone(past, LAST, calendar, model)
    found["the true rate"] = rate
    error = {name: np.abs(y - mean).sum(axis=1) for name, mean in found.items()}
    off = {name: float(np.abs(rate - mean).sum() / rate.sum()) for name, mean in found.items()}
    rows = [
        (_strong(name), f"{each.sum() / error[MEAN].sum():.3f}", f"{(each > 1.02 * error[MEAN]).sum()} of {number}",
         f"{off[name]:.3f}")
        for name, each in error.items()
    ]  # fmt: skip
    text = prose(
        f"""{number} queues of 1 to 5 contacts an hour, each forecast alone from two weeks of history, four weeks
        ahead. *Off the rate* is Σ|forecast − true rate| ÷ Σ rate."""
    )
    head = ["model", "WAPE ÷ the plain mean's", "queues more than 2 % worse", "off the rate"]
    share = {name: float(each.sum() / error[MEAN].sum()) for name, each in error.items()}
    goals = [
        Goal(what=f"two weeks of a small queue, `{name}` ÷ plain mean", high=1.0, values=[share[name]])
        for name in ("house", "auto")
    ]
    return f"{text}\n\n{table(head, rows)}", goals


def _often(run: Callable[[], object], least_s: float) -> Callable[[], float]:
    """CPU time of one run, from as many as take ``least_s``."""
    calls = max(1, math.ceil(least_s / max(cpu_of(run), 1e-5)))

    def timed() -> float:
        return cpu_of(lambda: [run() for _ in range(calls)]) / calls

    return timed


def speed(options: Options) -> tuple[str, list[Goal]]:
    """CPU time of a fit and four weeks of forecast on a year of hours, of paths, of many queues."""
    frame, calendar = made_series(range(1), "2024-12-28", "2025-12-28")
    past = Days.of(Grid.of(pd.DatetimeIndex(frame["ds"]), calendar, 60), frame["y"].to_numpy(dtype=float))
    dates = np.arange(past.dates[-1] + 1, past.dates[-1] + 1 + LAST)
    series = frame[["unique_id", "ds", "y"]]
    demand = forecast(series, f"{LAST}d", calendar=calendar)

    def ours(name: str) -> Floats:
        return make(name).learn(past).expect_days(dates)

    def peer(name: str, days: Dates) -> Floats:
        return PEERS[name].fit(past, days)

    least = 0.03 if options.quick else 0.15
    quick = {
        f"`{name}`": _often(partial(ours, name), least) for name in MODELS if name not in SLOW and make(name).alone
    }
    slow = {f"`{name}`": partial(cpu_of, partial(ours, name)) for name in SLOW}
    slow |= {name: partial(cpu_of, partial(peer, name, dates)) for name in PEERS}
    whole = {
        WHOLE: partial(
            cpu_of, lambda: forecast(series, f"{LAST}d", calendar=calendar)
        ),
        f"{PATHS} paths of it": partial(cpu_of, lambda: demand.sample(PATHS)),
    }  # fmt: skip
    took = time_in_turn(quick | slow | whole, 3 if options.quick else 7)
    prophet = took["prophet_default"]
    rows = [(_about(name), _ms(s), figure(prophet / s)) for name, s in took.items()]
    number = 20 if options.quick else 100
    rng = np.random.default_rng(43)
    many = pd.concat(
        [series.assign(unique_id=f"q{k:03d}", y=1.0 * rng.poisson(frame["drawn"])) for k in range(number)],
        ignore_index=True,
    )  # fmt: skip
    of_many = {
        f"{number} queues, `house`, calibrated bands": cpu_of(
            lambda: forecast(many, f"{LAST}d", calendar=calendar, model="house")
        ),
        "10 queues, `auto`": cpu_of(
            lambda: forecast(many[many["unique_id"] < "q010"], f"{LAST}d", calendar=calendar)
        ),
    }  # fmt: skip
    crowd, begin = 20 if options.quick else 1000, time.perf_counter()
    shuffled = pd.concat(
        [series.assign(unique_id=f"q{k:04d}", y=1.0 * rng.poisson(frame["drawn"])) for k in range(crowd)],
        ignore_index=True,
    )  # fmt: skip
    forecast(shuffled, f"{LAST}d", calendar=calendar, processes=2)
    minutes = (time.perf_counter() - begin) / 60 * 1000 / crowd
    per_100 = of_many[f"{number} queues, `house`, calibrated bands"] * 100 / number
    text = prose(
        f"""A fit on one queue's year of hours and its four weeks of forecast, CPU time with child processes. *Line-up*
        of `auto`: {", ".join(f"`{name}`" for name in DEFAULT)}."""
    )
    goals = [
        Goal(what="fit + 28 days of a queue-year, `house` [ms]", high=5.0, values=[1e3 * took["`house`"]]),
        Goal(what="prophet's default ÷ `house`, CPU time", low=300.0, values=[prophet / took["`house`"]]),
        Goal(what=f"{PATHS} paths [ms]", high=5.0, values=[1e3 * took[f"{PATHS} paths of it"]]),
        Goal(what="100 queues with calibrated bands, `house` [s]", high=1.0, values=[per_100]),
        Goal(what="1,000 queues, `auto`, two processes, by the clock [min]", high=5.0, values=[minutes]),
        Goal(what="`auto` with its backtest, per queue [s]", high=1.0, values=[took[WHOLE]]),
    ]  # fmt: skip
    lines = table(["", "ms", "times faster than prophet's default"], rows)
    more = table(["in one call, a year of hours each", "CPU s"], [(name, f"{s:.2f}") for name, s in of_many.items()])
    return f"{text}\n\n{lines}\n\n{more}", goals


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:,.2f}" if seconds < 0.1 else f"{1e3 * seconds:,.0f}"


def _about(name: str) -> str:
    return f"{name}: {PEERS[name].about}" if name in PEERS else name
