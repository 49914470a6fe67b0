"""Forecast every queue with the model that has forecast its past best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from staffcast.contracts import Calendar, InputError
from staffcast.forecast.base import Floats
from staffcast.forecast.demand import QUANTILES, Demand
from staffcast.forecast.horizon import parse_days
from staffcast.forecast.models import MODELS, make, resolve
from staffcast.forecast.rolling import (
    Calendars,
    Progress,
    Rolled,
    as_series,
    calendars_for,
    roll,
    score,
    spread_of,
)
from staffcast.forecast.uncertainty import learn_spread

__all__ = ["forecast"]

_AHT_DAYS = 56
_LEAST_MEAN = 0.02
_MINUTE = pd.Timedelta(minutes=1)
# A richer model must be better by this much, relative, before it replaces a simpler one.
_WORTH_IT = 0.005


def forecast(
    series: pd.DataFrame,
    horizon: str = "28d",
    *,
    calendar: Calendars = None,
    model: str | Sequence[str] = "auto",
    quantiles: Sequence[float] = QUANTILES,
    seed: int = 0,
    origins: int = 6,
    step: str = "14d",
    processes: int = 1,
    progress: Progress | None = None,
) -> Demand:
    """Forecast what will be offered in each interval after the series' end.

    Parameters
    ----------
    series : DataFrame
        The series table (``unique_id, ds, y``, ``aht_s`` if known), or one queue's ``ds`` and ``y``; ``ds`` aware,
        15, 30 or 60 minutes apart.
    horizon : str
        How far: ``"28d"``; local days, so that it ends at the same time of day across a DST change.
    calendar : Calendar, mapping of queue to Calendar, or None
        Opening hours and holidays; None: always open, in the zone of ``ds``.
    model : str or sequence of str
        ``"auto"`` (the fast ones), ``"all"`` (prophet too), one name, or the names to choose from.
    quantiles : sequence of float
        Columns of the result.
    seed : int
        Start of the sample paths' random numbers.
    origins, step
        As for :func:`backtest`, which picks the model per queue and gives the uncertainty.
    processes, progress
        As for :func:`backtest`.

    Returns
    -------
    Demand

    Raises
    ------
    InputError
        The series breaks its contract, is too short, or an argument is out of range.
    """
    frame = as_series(series)
    calendars = calendars_for(frame, calendar)
    names = resolve(model)
    parse_days(horizon, parameter="horizon")
    for q in quantiles:
        if not 0 < q < 1:
            raise InputError(f"`quantiles` must lie in (0, 1), got {q!r}; write 5 % as 0.05")
    _alike(frame)
    rolled = roll(
        frame, calendars, models=names, horizon=horizon, origins=origins, step=step, processes=processes,
        progress=progress,
    )  # fmt: skip
    parts, why = [], {}
    for queue, rows in frame.groupby("unique_id", sort=False):
        part, reasons = _forecast_queue(
            str(queue), rows.reset_index(drop=True), calendars[str(queue)], names, horizon, quantiles,
            [r for r in rolled if r.unique_id == queue],
        )  # fmt: skip
        parts.append(part)
        why[str(queue)] = reasons
    return Demand(
        frame=pd.concat(parts, ignore_index=True), why=why, seed=seed, backtest=score(rolled) if rolled else None
    )


def _alike(frame: pd.DataFrame) -> None:
    ends = {queue: (rows["ds"].iloc[-1], rows["ds"].iloc[-1] - rows["ds"].iloc[-2])
            for queue, rows in frame.groupby("unique_id", sort=False)}  # fmt: skip
    first, (end, step) = next(iter(ends.items()))
    for queue, (other_end, other_step) in ends.items():
        if (other_end, other_step) != (end, step):
            raise InputError(
                f"queues {first!r} and {queue!r} are not counted alike: {step / _MINUTE:g}-minute intervals to {end} "
                f"and {other_step / _MINUTE:g}-minute intervals to {other_end}; count all in the same intervals to the "
                "same end, with y empty where it is not known"
            )


def _forecast_queue(
    queue: str,
    rows: pd.DataFrame,
    calendar: Calendar,
    names: Sequence[str],
    horizon: str,
    quantiles: Sequence[float],
    rolled: Sequence[Rolled],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    if not np.nansum(rows["y"]) > 0:
        raise InputError(f"queue {queue!r} has no tickets to learn from; leave it out")
    chosen, reasons = _choose(queue, names, rolled)
    runs = [r for r in rolled if r.model == chosen]
    if runs:
        spread = spread_of(runs)
    else:
        spread = learn_spread(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        reasons["notes"].append("too short for a backtest: the uncertainty is a rule of thumb (25 %)")
    reasons |= {"rate_cv": spread.rate_cv, "share_level": spread.share_level, "share_day": spread.share_day}
    demand = make(chosen).fit(rows, calendar).predict(horizon, spread=spread, quantiles=quantiles)
    return demand.frame.assign(aht_s=_recent_aht(rows)), reasons


def _choose(queue: str, names: Sequence[str], rolled: Sequence[Rolled]) -> tuple[str, dict[str, Any]]:
    """Pick the least Poisson deviance; the simpler one where the gain is under half a percent.

    Least absolute error would favour a forecast that is too low wherever counts are small, as a Poisson count's median
    lies below its mean; deviance is least at the mean (Gneiting, "Making and evaluating point forecasts", JASA 106,
    2011, doi:10.1198/jasa.2011.r10138), and staffing needs the mean.
    """
    errors, deviances = {}, {}
    # Early origins are too early for some models: only where all were tried are their errors alike.
    tried = [{r.origin for r in rolled if r.model == name} for name in names]
    common = set.intersection(*(t for t in tried if t)) if any(tried) else set()
    for name in names:
        runs = [r for r in rolled if r.model == name and r.origin in common]
        total = sum(float(np.nansum(r.y)) for r in runs)
        if total > 0:
            errors[name] = sum(float(np.nansum(np.abs(r.y - r.mean))) for r in runs) / total
            deviances[name] = sum(_deviance(r.y, r.mean) for r in runs)
    notes: list[str] = []
    if not errors:
        simple = [n for n in names if make(n).min_days <= 7] or ["mean_4"]
        chosen = simple[-1]
        reason = (
            "no tickets in the weeks that models are compared on" if rolled else "history too short to compare models"
        )
        notes.append(f"{reason}; {chosen} taken")
        return chosen, {"model": chosen, "wape": None, "candidates": {}, "origins": 0, "horizon": None, "notes": notes}
    chosen = min(deviances, key=lambda n: deviances[n])
    for name in MODELS:
        if name in deviances and deviances[name] <= deviances[chosen] * (1 + _WORTH_IT):
            chosen = name
            break
    runs = [r for r in rolled if r.model == chosen]
    return chosen, {
        "model": chosen,
        "wape": errors[chosen],
        "candidates": errors,
        "origins": len(runs),
        "horizon": f"{runs[0].days:g}d",
        "notes": notes,
    }


def _deviance(y: Floats, mean: Floats) -> float:
    """Poisson deviance of counts around a forecast; a forecast of nothing counts as a little, not as impossible."""
    known = ~np.isnan(y)
    y, f = y[known], np.maximum(mean[known], _LEAST_MEAN)
    return float(2 * (special.xlogy(y, y / f) - y + f).sum())


def _recent_aht(rows: pd.DataFrame) -> float:
    """Mean handle time over the tickets of the last eight weeks that have one; NaN where none has."""
    if "aht_s" not in rows:
        return float("nan")
    known = rows[rows["aht_s"].notna() & (rows["y"] > 0)]
    recent = known[known["ds"] >= rows["ds"].iloc[-1] - pd.Timedelta(days=_AHT_DAYS)]
    use = recent if len(recent) else known
    return float(np.average(use["aht_s"], weights=use["y"])) if len(use) else float("nan")
