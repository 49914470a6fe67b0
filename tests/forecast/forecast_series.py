"""Series whose truth is known, for the tests of forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from staffcast.forecast.horizon import horizon_grid
from staffcast.forecast.models.lineup import make

BERLIN = "Europe/Berlin"
BASELINES = ("seasonal_naive", "mean_4", "mean_8", "median_4", "median_8")
FAST = (*BASELINES, "glm", "low_rank", "house")


def grid(days, *, start="2025-06-02", zone=BERLIN, minutes=60):
    first = pd.Timestamp(start, tz=zone)
    last = (pd.Timestamp(start) + pd.Timedelta(days=days)).tz_localize(zone)
    return pd.date_range(first, last, freq=f"{minutes}min", inclusive="left")


def frame(ds, y, queue="orders"):
    return pd.DataFrame({"unique_id": queue, "ds": ds, "y": np.asarray(y, dtype=float)})


def weekly_rate(ds, *, level=20.0):
    """A rate that depends on the local weekday and hour only: two humps a day, weekends at a third."""
    local = ds.tz_localize(None)
    hour = np.asarray(local.hour + local.minute / 60, dtype=float)
    day = 1 + np.exp(-(((hour - 10) / 2.5) ** 2)) * 4 + np.exp(-(((hour - 15) / 3) ** 2)) * 3
    week = np.array([1.3, 1.1, 1.0, 0.95, 0.9, 0.4, 0.3])[np.asarray(local.day_of_week)]
    return level * day * week / 3


def poisson(days, *, seed=1, level=20.0, queue="orders", **where):
    ds = grid(days, **where)
    return frame(ds, np.random.default_rng(seed).poisson(weekly_rate(ds, level=level)), queue)


def expect(name, series, calendar, *, days=28):
    """One model's expected arrivals after the series, and their instants."""
    minutes = int((series["ds"].iloc[1] - series["ds"].iloc[0]) / pd.Timedelta(minutes=1))
    start = series["ds"].iloc[-1] + pd.Timedelta(minutes=minutes)
    ds = horizon_grid(start, days, minutes, calendar)
    return make(name).fit(series[["ds", "y"]], calendar).expect(ds), ds
