"""Rolling-origin backtest: every model forecasts the recent past from what was known before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from staffcast.contracts import INTERVAL_MINUTES, SERIES, Calendar, InputError, bad_value
from staffcast.executor import map_chunks
from staffcast.forecast.base import Floats
from staffcast.forecast.demand import QUANTILES, count_cdf, count_quantiles
from staffcast.forecast.horizon import horizon_grid, parse_days, waiting_since_close
from staffcast.forecast.models import DEFAULT, make, resolve
from staffcast.forecast.uncertainty import Spread, learn_spread

__all__ = ["Rolled", "backtest", "calendars_for", "roll", "score", "spread_of"]

_LEAST_HISTORY_DAYS = 14
_FALLBACK_DAYS = (28, 14, 7, 3, 1)
_WEEK = pd.Timedelta(days=7)

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
    naive_scale: float
    cpu_s: float


def backtest(
    series: pd.DataFrame,
    *,
    horizon: str = "28d",
    origins: int = 6,
    step: str = "14d",
    models: str | Sequence[str] = DEFAULT,
    calendar: Calendars = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Errors of each model on each queue, forecasting from several instants of the past.

    Parameters
    ----------
    series : DataFrame
        The series table, or one queue's ``ds`` and ``y``.
    horizon, step : str
        How far each forecast looks and how far apart the origins lie: ``"28d"``, ``"14d"``. A history that is too
        short for them is tested on fewer origins, then over shorter horizons; column ``horizon`` says which.
    origins : int
        Most origins, ≥ 1; the last one lies ``horizon`` before the end.
    models : str or sequence
        Names; ``"auto"`` and ``"all"`` too.
    calendar : Calendar, mapping of queue to Calendar, or None
        Opening hours; None: always open, in the zone of ``ds``.
    processes : int
        Worker processes; the result does not depend on it.
    progress : callable, optional
        Called with (done, total).

    Returns
    -------
    DataFrame
        ``unique_id, model, origin, horizon, wape, wape_day, wape_floor, mase, bias, pinball, coverage_80,
        coverage_95, cpu_s``, a row per queue, model and origin, over open intervals. ``wape`` = Σ|y−f| ÷ Σy;
        ``wape_day`` the same for daily totals; ``wape_floor`` what chance alone would leave if the forecast were the
        true rate; ``bias`` = Σ(f−y) ÷ Σy; ``mase`` = mean |y−f| ÷ that of repeating last week inside the history;
        bands take their width from the *other* origins.

    Raises
    ------
    InputError
        Bad arguments, or no queue long enough to test anything.
    """
    checked = as_series(series)
    rolled = roll(
        checked, calendars_for(checked, calendar), models=resolve(models), horizon=horizon, origins=origins, step=step,
        processes=processes, progress=progress,
    )  # fmt: skip
    if not rolled:
        raise InputError(f"no queue has the {_LEAST_HISTORY_DAYS + 1} days of history that a backtest needs")
    return score(rolled)


def as_series(series: pd.DataFrame) -> pd.DataFrame:
    """Check the series table and lay each queue on an even grid: an interval without a row is not known.

    A frame without queue names is one queue called ``all``.

    Raises
    ------
    InputError
        The table breaks its contract, or a queue's intervals are not 15, 30 or 60 minutes apart.
    """
    frame = series if "unique_id" in series else series.assign(unique_id="all")
    frame = SERIES.check(frame).sort_values(["unique_id", "ds"], kind="stable").reset_index(drop=True)
    parts = [_even(str(queue), rows) for queue, rows in frame.groupby("unique_id", sort=False)]
    return pd.concat(parts, ignore_index=True)


def _even(queue: str, rows: pd.DataFrame) -> pd.DataFrame:
    ds = pd.DatetimeIndex(rows["ds"])
    if len(ds) < 2:
        raise InputError(f"queue {queue!r} has a single interval: nothing can be learnt from that")
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
    if (steps == step).all():
        return rows
    full = pd.date_range(ds[0], ds[-1], freq=step, name="ds")
    return rows.set_index("ds").reindex(full).reset_index().assign(unique_id=queue)[list(rows.columns)]


def calendars_for(series: pd.DataFrame, calendar: Calendars) -> dict[str, Calendar]:
    """One calendar per queue."""
    queues = list(dict.fromkeys(series["unique_id"]))
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
    series: pd.DataFrame,
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
    tasks = []
    for queue, rows in series.groupby("unique_id", sort=False):
        calendar = calendars[str(queue)]
        part = rows[["ds", "y"]].reset_index(drop=True)
        test_days, starts = _origins(pd.DatetimeIndex(part["ds"]), calendar, days, origins, step_days)
        tasks += [(str(queue), name, part, calendar, test_days, start) for start in starts for name in models]
    done = map_chunks(_roll_one, tasks, processes=processes, progress=progress)
    return [one for one in done if one is not None]


def _origins(
    ds: pd.DatetimeIndex, calendar: Calendar, days: float, origins: int, step_days: float
) -> tuple[float, list[pd.Timestamp]]:
    minutes = (ds[1] - ds[0]) if len(ds) > 1 else pd.Timedelta(hours=1)
    local = calendar.local(pd.DatetimeIndex([ds[0], ds[-1] + minutes]))
    history = (local[1] - local[0]) / pd.Timedelta(days=1)
    for test in (days, *(d for d in _FALLBACK_DAYS if d < days)):
        # Before an origin there should lie four weeks, as the planner's mean needs them, or at least two.
        least = max(_LEAST_HISTORY_DAYS, min(28, history / 2))
        # Shorter tests lie closer together, so that a short history still gives several.
        step = step_days if test == days else min(step_days, test)
        number = min(origins, int((history - least - test) // step) + 1)
        if number >= min(2, origins) or (test <= 1 and number >= 1):
            naive = [local[1] - pd.Timedelta(days=test + k * step) for k in reversed(range(number))]
            return test, [t.tz_localize(calendar.zone, ambiguous=True, nonexistent="shift_forward") for t in naive]
    return days, []


def _roll_one(task: tuple[str, str, pd.DataFrame, Calendar, float, pd.Timestamp]) -> Rolled | None:
    queue, name, part, calendar, days, origin = task
    begin = time.process_time()
    past = part[(part["ds"] < origin).to_numpy()]
    model = make(name)
    if not past["y"].notna().any() or past["ds"].iloc[-1] - past["ds"].iloc[0] < pd.Timedelta(days=model.min_days - 1):
        return None
    model.fit(past, calendar)
    minutes = int((part["ds"].iloc[1] - part["ds"].iloc[0]) / pd.Timedelta(minutes=1))
    ds = horizon_grid(origin.tz_convert(part["ds"].dt.tz), days, minutes, calendar)
    after = part.set_index("ds")["y"].reindex(ds).to_numpy(dtype=float)
    waiting = waiting_since_close(past, calendar)
    mean, _ = calendar.fold(model.expect(ds), ds, waiting=waiting)
    cpu_s = time.process_time() - begin
    y, _ = calendar.fold(after, ds, waiting=waiting)
    opened = calendar.is_open(ds)
    return Rolled(
        unique_id=queue, model=name, origin=origin, days=days, y=y[opened], mean=mean[opened],
        day=calendar.day(ds)[opened].astype(np.int64), naive_scale=_naive_scale(past, calendar, minutes), cpu_s=cpu_s,
    )  # fmt: skip


def _naive_scale(past: pd.DataFrame, calendar: Calendar, minutes: int) -> float:
    ds = pd.DatetimeIndex(past["ds"])
    offered, _ = calendar.fold(past["y"].to_numpy(dtype=float), ds)
    lag = int(_WEEK / pd.Timedelta(minutes=minutes))
    error = np.abs(offered[lag:] - offered[:-lag])[calendar.is_open(ds)[lag:]]
    error = error[~np.isnan(error)]
    return float(error.mean()) if len(error) and error.any() else np.nan


def spread_of(rolled: Sequence[Rolled]) -> Spread:
    """Spread of the rate that these forecasts' errors show."""
    origin = np.repeat(np.arange(len(rolled)), [len(r.y) for r in rolled])
    return learn_spread(
        np.concatenate([r.y for r in rolled]),
        np.concatenate([r.mean for r in rolled]),
        np.concatenate([r.day for r in rolled]),
        origin,
    )


def score(rolled: Sequence[Rolled]) -> pd.DataFrame:
    """Turn rolled forecasts into the backtest table."""
    groups: dict[tuple[str, str], list[Rolled]] = {}
    for one in rolled:
        groups.setdefault((one.unique_id, one.model), []).append(one)
    rows = []
    for (queue, name), runs in groups.items():
        for one in runs:
            others = [r for r in runs if r is not one] or runs
            rows.append({"unique_id": queue, "model": name, **_score_one(one, spread_of(others))})
    return pd.DataFrame(rows)


def _daily_error(y: Floats, f: Floats, day: npt.NDArray[np.int64]) -> float:
    _, at = np.unique(day, return_inverse=True)
    return float(np.abs(np.bincount(at, weights=y) - np.bincount(at, weights=f)).sum()) if len(y) else 0.0


def _poisson_error(f: Floats) -> float:
    """Sum of E|N − f| for Poisson N: 2 f^(⌊f⌋+1) e^(−f) ÷ ⌊f⌋! (Crow 1958, doi:10.1093/biomet/45.3-4.556)."""
    whole = np.floor(f)
    return float((2 * stats.poisson.pmf(whole, f) * f).sum())


def _score_one(one: Rolled, spread: Spread) -> dict[str, object]:
    known = ~np.isnan(one.y)
    y, f = one.y[known], one.mean[known]
    total = float(y.sum())
    error = np.abs(y - f)
    levels = (0.025, *QUANTILES, 0.975)
    table = count_quantiles(f, np.full(len(f), spread.rate_cv), levels)
    at = {q: table[:, i] for i, q in enumerate(levels)}
    loss = [np.maximum(q * (y - at[q]), (q - 1) * (y - at[q])).mean() for q in QUANTILES] if len(y) else [np.nan]

    below, upto = count_cdf(y - 1, f, spread.rate_cv), count_cdf(y, f, spread.rate_cv)

    def covered(low: float, high: float) -> float:
        # A count stands for the whole stretch of probability [P(N < y), P(N ≤ y)]; what part of it lies in the band?
        # (The randomized PIT of Czado, Gneiting, Held, Biometrics 65, 2009, doi:10.1111/j.1541-0420.2009.01191.x.)
        part = np.clip(np.minimum(upto, high) - np.maximum(below, low), 0, None) / np.maximum(upto - below, 1e-300)
        return float(part.mean()) if len(y) else np.nan

    return {
        "origin": one.origin,
        "horizon": f"{one.days:g}d",
        "wape": float(error.sum()) / total if total > 0 else np.nan,
        "wape_day": _daily_error(y, f, one.day[known]) / total if total > 0 else np.nan,
        "wape_floor": _poisson_error(f) / total if total > 0 else np.nan,
        "mase": float(error.mean()) / one.naive_scale if len(y) else np.nan,
        "bias": float((f - y).sum()) / total if total > 0 else np.nan,
        "pinball": float(np.mean(loss)),
        "coverage_80": covered(0.10, 0.90),
        "coverage_95": covered(0.025, 0.975),
        "cpu_s": one.cpu_s,
    }
