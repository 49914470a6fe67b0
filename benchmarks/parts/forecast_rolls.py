"""Every model, yardstick and peer forecasts every series from the same days; errors and coverage of each forecast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from parts.forecast_data import LAST, ORIGINS, Series
from parts.forecast_peers import PEERS, cpu_now, plain_mean, plain_naive
from staffcast.contracts import InputError
from staffcast.forecast import Demand, forecast
from staffcast.forecast.demand import count_cdf
from staffcast.forecast.judging.scores import pit_shares
from staffcast.forecast.models.lineup import MODELS, SLOW, make
from staffcast.forecast.past.days import Floats
from staffcast.forecast.past.lessons import learn_events

__all__ = ["AUTO", "MEAN", "NAIVE", "TRUTH", "Rolls", "roll"]

NAIVE, MEAN, AUTO, TRUTH = "naive, plain", "last 4 weeks, plain", "auto", "the true rate"
SLOW_FITS = 10
PATHS = 500
# Tickets an hour from which an hour counts as busy.
BUSY = 1.0
# A quick look fits what is slow once, and only where the history is short.
QUICK_ORIGINS, QUICK_DAYS = 2, 400


@dataclass(frozen=True, kw_only=True)
class Rolls:
    """What came of all forecasts.

    Attributes
    ----------
    errors : DataFrame
        ``series, kind, model, queue, origin, day`` (1 … 28), ``holiday``, Σ|y−f| ``error``, Σy ``y``, and ``floor``:
        the expected Σ|y−f| if f were the true rate and y Poisson.
    fits : DataFrame
        ``series, model, queue, origin, cpu_s``.
    bands : DataFrame
        ``series, what, covered``: parts of the values that lay in bands of ``auto``, a row per queue and origin.
    weights : DataFrame
        ``series, queue, origin, model, weight``: what ``auto`` was made of.
    """

    errors: pd.DataFrame
    fits: pd.DataFrame
    bands: pd.DataFrame
    weights: pd.DataFrame

    def ratio(self, series: str, model: str, other: str, horizon: int) -> float:
        """WAPE of a model ÷ that of another, over the first days of the forecasts that both made; NaN without any."""
        of = self.errors[(self.errors["series"] == series) & (self.errors["day"] <= horizon)]
        mine, theirs = (
            of[of["model"] == name].groupby(["queue", "origin"])[["error", "y"]].sum() for name in (model, other)
        )
        both = mine.index.intersection(theirs.index)
        below = float(theirs.loc[both, "error"].sum())
        return float(mine.loc[both, "error"].sum()) / below if below > 0 else float("nan")

    def wape(self, series: str, model: str, horizon: int, column: str = "error") -> float:
        """Σ|y−f| ÷ Σy over the first days, or another column ÷ Σy."""
        of = self.errors
        of = of[(of["series"] == series) & (of["model"] == model) & (of["day"] <= horizon)]
        return float(of[column].sum() / of["y"].sum())


class _Book:
    """Rows as they come."""

    def __init__(self) -> None:
        self.errors: list[pd.DataFrame] = []
        self.fits: list[dict[str, Any]] = []
        self.bands: list[dict[str, Any]] = []
        self.weights: list[dict[str, Any]] = []

    def forecast(self, series: Series, queue: str, origin: int, model: str, table: Floats) -> None:
        """Score 28 days × 24 hours against what came."""
        y = series.days[queue].rates[origin : origin + LAST]
        known = ~np.isnan(y)
        dates = series.grid.dates[origin : origin + LAST]
        whole = np.floor(table)
        self.errors.append(pd.DataFrame({
            "series": series.name, "kind": series.kind, "model": model, "queue": queue, "origin": origin,
            "day": np.arange(1, LAST + 1), "holiday": series.holiday(dates),
            "error": np.where(known, np.abs(y - table), 0.0).sum(axis=1), "y": np.where(known, y, 0.0).sum(axis=1),
            # Crow 1958, doi:10.1093/biomet/45.3-4.556.
            "floor": np.where(known, 2 * table * stats.poisson.pmf(whole, table), 0.0).sum(axis=1),
        }))  # fmt: skip


def roll(sets: Iterable[Series], *, quick: bool) -> Rolls:
    """Forecast all sets with everything."""
    book = _Book()
    for series in sets:
        origins = series.origins(QUICK_ORIGINS if quick else ORIGINS)
        pairs = [(origin, queue) for origin in origins for queue in series.queues]
        _yardsticks(book, series, pairs)
        for name in MODELS:
            _single(book, series, name, _thinned(pairs, series, SLOW_FITS, quick) if name in SLOW else pairs)
        for origin in origins:
            _together(book, series, origin, 200 if quick else PATHS)
        for name, peer in PEERS.items():
            for origin, queue in _thinned(pairs, series, peer.fits, quick):
                past, dates = series.days[queue].before(origin), series.grid.dates[origin : origin + LAST]
                start = cpu_now()
                table = peer.fit(past, dates)
                _took(book, series, queue, origin, name, cpu_now() - start)
                book.forecast(series, queue, origin, name, table)
    return Rolls(
        errors=pd.concat(book.errors, ignore_index=True), fits=pd.DataFrame(book.fits), bands=pd.DataFrame(book.bands),
        weights=pd.DataFrame(book.weights),
    )  # fmt: skip


def _thinned(pairs: Sequence[tuple[int, str]], series: Series, fits: int, quick: bool) -> list[tuple[int, str]]:
    """As many of the forecasts as there is time for, evenly spread."""
    if quick:
        fits = 1 if len(series.grid.dates) <= QUICK_DAYS else 0
    return [pairs[k] for k in np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), fits)).round().astype(int))]


def _yardsticks(book: _Book, series: Series, pairs: Sequence[tuple[int, str]]) -> None:
    """Both plain ones, and the true rate where it is known."""
    for origin, queue in pairs:
        past, dates = series.days[queue].before(origin), series.grid.dates[origin : origin + LAST]
        book.forecast(series, queue, origin, NAIVE, plain_naive(past, dates))
        book.forecast(series, queue, origin, MEAN, plain_mean(past, dates))
        if series.kind == "made":
            rate = series.grid.table(series.values(queue, "rate"))[origin : origin + LAST]
            book.forecast(series, queue, origin, TRUTH, np.nan_to_num(rate))


def _took(book: _Book, series: Series, queue: str, origin: int, model: str, cpu_s: float) -> None:
    book.fits.append({"series": series.name, "model": model, "queue": queue, "origin": origin, "cpu_s": cpu_s})


def _single(book: _Book, series: Series, name: str, pairs: Sequence[tuple[int, str]]) -> None:
    """One model of the package, as its backtest fits it; where it says that it cannot (no siblings), it has no row."""
    for origin, queue in pairs:
        past, dates = series.days[queue].before(origin), series.grid.dates[origin : origin + LAST]
        start = cpu_now()
        lessons = learn_events(past)
        try:
            table = make(name).learn(lessons.past).expect_days(dates) * lessons.uplift(dates)[:, None]
        except InputError:
            continue
        _took(book, series, queue, origin, name, cpu_now() - start)
        book.forecast(series, queue, origin, name, table)


def _together(book: _Book, series: Series, origin: int, paths: int) -> None:
    """The package's default, backtest and all inside the past of the origin; with its bands."""
    before = series.before(origin)
    start = cpu_now()
    demand = forecast(before, f"{LAST}d", calendar=series.calendar)
    cpu_s = (cpu_now() - start) / len(series.queues)
    first, last = series.grid.between(origin, origin + LAST)
    counts = demand.sample(paths)
    rates = demand.sample(paths, of="rates") if series.kind == "made" else None
    for place, queue in enumerate(demand.queues):
        rows = demand.of(queue)
        if not (pd.DatetimeIndex(rows["ds"]) == series.grid.ds[first:last]).all():
            raise AssertionError(f"{series.name}: the forecast does not cover the 28 days after day {origin}")
        mean = np.full(len(series.grid.ds), np.nan)
        mean[first:last] = rows["mean"]
        _took(book, series, queue, origin, AUTO, cpu_s)
        book.forecast(series, queue, origin, AUTO, np.nan_to_num(series.grid.table(mean)[origin : origin + LAST]))
        weights = demand.why[queue].get("weights", {})
        book.weights += [
            {"series": series.name, "queue": queue, "origin": origin, "model": name, "weight": weight}
            for name, weight in weights.items()
        ]
        actual = series.frame[series.frame["unique_id"] == queue].iloc[first:last]
        found = _count_bands(demand, queue, actual["y"].to_numpy(dtype=float), counts[:, place])
        if rates is not None:
            for column, told in (("rate", "expected rate"), ("drawn", "rate")):
                found |= _rate_bands(demand, actual[column].to_numpy(dtype=float), rates[:, place], told)
        book.bands += [{"series": series.name, "what": what, "covered": part} for what, part in found.items()]


def _part(below: Floats, upto: Floats, low: float, high: float) -> float:
    """Share of values in a band; a count stands for the stretch of probability [P(N < y), P(N ≤ y)].

    Of that stretch the part in the band counts, as in the randomized PIT (Czado, Gneiting, Held, Biometrics 65, 2009,
    doi:10.1111/j.1541-0420.2009.01191.x); a value outside all sampled ones has no stretch and is in or out.
    """
    inside = np.clip(np.minimum(upto, high) - np.maximum(below, low), 0, None)
    point = ((below >= low) & (below <= high)).astype(float)
    return float(np.divide(inside, upto - below, out=point, where=upto > below).mean())


def _count_bands(demand: Demand, queue: str, y: Floats, paths: Floats) -> dict[str, float]:
    rows, known = demand.of(queue), ~np.isnan(y)
    mean, cv = rows["mean"].to_numpy()[known], rows["rate_cv"].to_numpy()[known]
    below, upto = count_cdf(y[known] - 1, mean, cv), count_cdf(y[known], mean, cv)
    of_day, total = _by_day(demand.ds, np.where(known, paths, 0.0)), _by_day(demand.ds, np.where(known, y, 0.0))
    days = _part((of_day < total).mean(axis=0), (of_day <= total).mean(axis=0), 0.1, 0.9)
    return {"hours, 80 %": _part(below, upto, 0.1, 0.9), "hours, 95 %": _part(below, upto, 0.025, 0.975),
            "daily totals, 80 %": days,
            **{f"pit {k + 1}": float(share) for k, share in enumerate(pit_shares(below, upto))}}  # fmt: skip


def _rate_bands(demand: Demand, rate: Floats, paths: Floats, told: str) -> dict[str, float]:
    hour = (paths < rate).mean(axis=0)
    day = (_by_day(demand.ds, paths) < _by_day(demand.ds, rate)).mean(axis=0)
    busy = hour[rate >= BUSY]
    parts = {"hours": hour, "busy hours": busy, "days": day}
    return {f"{told}, {of}, 80 %": _part(each, each, 0.1, 0.9) for of, each in parts.items()}


def _by_day(ds: pd.DatetimeIndex, values: npt.NDArray[np.float64]) -> Floats:
    """Totals per local day, along the last axis; the instants are in the queue's zone."""
    starts = np.flatnonzero(np.diff(ds.tz_localize(None).to_numpy().astype("datetime64[D]").astype(int), prepend=-1))
    return np.add.reduceat(values, starts, axis=-1)
