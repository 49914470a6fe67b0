"""Forecast every queue with the models that have forecast its past best."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from staffcast.contracts import Calendar, InputError, fold_closed
from staffcast.forecast.demand import QUANTILES, Demand, DemandPart, demand_rows
from staffcast.forecast.horizon import horizon_grid, parse_days, since_close
from staffcast.forecast.judging.combine import combined, comparable, weigh
from staffcast.forecast.judging.rolling import (
    Calendars,
    Progress,
    Rolled,
    as_series,
    calendars_for,
    roll,
)
from staffcast.forecast.judging.scores import score, spread_of
from staffcast.forecast.models.house import House
from staffcast.forecast.models.lineup import for_history, make, resolve
from staffcast.forecast.past.days import Days, Grid
from staffcast.forecast.past.features import special_days
from staffcast.forecast.past.lessons import draw_lessons
from staffcast.forecast.past.queues import Queue, cut
from staffcast.forecast.ratios.columns import QueueRatios, learn_ratios
from staffcast.forecast.sums import common_share
from staffcast.forecast.today import narrowed, revise_first_day
from staffcast.forecast.uncertainty import learn_spread

__all__ = ["forecast"]

_MINUTE = pd.Timedelta(minutes=1)


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

    Where it ends during a day, the rest of that day is revised by its morning (:mod:`staffcast.forecast.today`).

    Parameters
    ----------
    series : DataFrame
        The series table (``unique_id, ds, y``; ``aht_s, abandoned, waited_s, bot_closed, reopened`` if known), or one
        queue's ``ds`` and ``y``; ``ds`` aware, 15, 30 or 60 minutes apart.
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
    days = parse_days(horizon, parameter="horizon")
    for q in quantiles:
        if not 0 < q < 1:
            raise InputError(f"`quantiles` must lie in (0, 1), got {q!r}; write 5 % as 0.05")
    queues = cut(frame)
    _alike(queues)
    rolled = roll(
        queues, calendars, models=names, horizon=horizon, origins=origins, step=step, processes=processes,
        progress=progress,
    )  # fmt: skip
    by_queue: dict[str, list[Rolled]] = {}
    for one in rolled:
        by_queue.setdefault(one.unique_id, []).append(one)
    ahead = _Ahead(queues[0].ds, days)
    ratios = learn_ratios({one.name: (one.rows, ahead.past(one, calendars[one.name])) for one in queues})
    parts, why, runs = [], {}, {}
    for queue in queues:
        tried = by_queue.get(queue.name, [])
        part, why[queue.name] = _forecast_queue(
            queue, calendars[queue.name], names, ahead, tried, ratios[queue.name]
        )  # fmt: skip
        parts.append(part)
        runs[queue.name] = combined(tried, why[queue.name]["weights"])
    return Demand(
        frame=demand_rows(parts, quantiles),
        why=why,
        seed=seed,
        common=common_share(runs),
        scores=partial(score, rolled) if rolled else None,
    )


def _alike(queues: Sequence[Queue]) -> None:
    ends = {one.name: (one.ds[-1], one.ds[-1] - one.ds[-2]) for one in queues}
    first, (end, step) = next(iter(ends.items()))
    for queue, (other_end, other_step) in ends.items():
        if (other_end, other_step) != (end, step):
            raise InputError(
                f"queues {first!r} and {queue!r} are not counted alike: {step / _MINUTE:g}-minute intervals to {end} "
                f"and {other_step / _MINUTE:g}-minute intervals to {other_end}; count all in the same intervals to the "
                "same end, with y empty where it is not known"
            )


def _forecast_queue(
    queue: Queue,
    calendar: Calendar,
    names: Sequence[str],
    ahead: _Ahead,
    rolled: Sequence[Rolled],
    ratios: QueueRatios,
) -> tuple[DemandPart, dict[str, Any]]:
    y = queue.y
    if not np.nansum(y) > 0:
        raise InputError(f"queue {queue.name!r} has no tickets to learn from; leave it out")
    grid = ahead.past(queue, calendar)
    past = Days.of(grid, y, queue.others).once_begun()
    span = past.span - past.began
    tried = for_history(names, span, beside=queue.others is not None and past.span >= House.min_days)
    weights, reasons = _choose(tried or ("house", "mean_4"), rolled, span)
    if not tried:
        reasons["notes"].append("no older queues beside it, which siblings needs")
    runs = combined(rolled, weights)
    if runs:
        spread = spread_of(runs)
    else:
        spread = learn_spread(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        reasons["notes"].append("too short for a backtest: the uncertainty is a rule of thumb (25 %)")
    reasons |= {
        "rate_cv": spread.rate_cv, "share_level": spread.share_level, "share_day": spread.share_day,
        "bursts": spread.bursts, "special_cv": spread.special_cv,
    }  # fmt: skip
    future = ahead.grid(calendar)
    lessons = draw_lessons(past, grid.hours)
    expected = sum(w * make(name).learn(lessons.past).expect_days(future.dates) for name, w in weights.items())
    expected = np.asarray(expected) * lessons.uplift(future.dates)[:, None]
    reasons["notes"] += lessons.describe()
    morning = revise_first_day(past, lessons, weights, future)
    if morning is not None:
        expected[0] = morning.mean
        reasons["notes"].append(f"today: {morning.why}")
    waiting = since_close(y, grid.opened, calendar)
    mean, carried = fold_closed(
        future.spread(expected), future.opened, waiting=waiting, lost=calendar.closed_arrivals == "lost"
    )
    reasons["notes"] += ratios.notes
    part = DemandPart.of(
        queue.name, future.ds, opened=future.opened, mean=mean, carried=carried, spread=spread,
        beside=ratios.at(future), special=special_days(future.dates, past)[future.day],
        ahead=np.asarray(future.day + 1.0),
    )  # fmt: skip
    return part if morning is None else narrowed(part, morning, future), reasons


class _Ahead:
    """The intervals that all queues share; laid out once for each calendar."""

    def __init__(self, ds: pd.DatetimeIndex, days: float) -> None:
        self._ds, self._days = ds, days
        self._minutes = int((ds[1] - ds[0]) / _MINUTE)
        self._future: dict[int, Grid] = {}

    def past(self, queue: Queue, calendar: Calendar) -> Grid:
        """Where a queue's own history lies."""
        return Grid.of(queue.ds, calendar, self._minutes)

    def grid(self, calendar: Calendar) -> Grid:
        """Where the horizon lies."""
        if id(calendar) not in self._future:
            start = self._ds[-1] + pd.Timedelta(minutes=self._minutes)
            ds = horizon_grid(start, self._days, self._minutes, calendar).tz_convert(self._ds.tz)
            self._future[id(calendar)] = Grid.of(ds, calendar, self._minutes)
        return self._future[id(calendar)]


def _choose(names: Sequence[str], rolled: Sequence[Rolled], span: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Weights of the models, and for people why."""
    runs = comparable(rolled)
    notes: list[str] = []
    if not runs:
        simple = [n for n in names if make(n).min_days <= span] or ["mean_4"]
        chosen = next((n for n in ("siblings", "house", "mean_4") if n in simple), simple[-1])
        reason = (
            "no tickets in the weeks that models are compared on" if rolled else "history too short to compare models"
        )
        notes.append(f"{reason}; {chosen} taken")
        return {chosen: 1.0}, {
            "model": chosen, "weights": {chosen: 1.0}, "wape": None, "candidates": {}, "origins": 0, "horizon": None,
            "notes": notes,
        }  # fmt: skip
    weights = weigh(runs)
    errors = {name: _wape([r for r in runs if r.model == name]) for name in names}
    together = combined(runs, weights)
    return weights, {
        "model": " + ".join(weights),
        "weights": weights,
        "wape": _wape(together),
        "candidates": {name: error for name, error in errors.items() if error is not None},
        "origins": len(together),
        "horizon": f"{runs[0].days:g}d",
        "notes": notes,
    }


def _wape(runs: Sequence[Rolled]) -> float | None:
    total = sum(float(np.nansum(r.y)) for r in runs)
    return sum(float(np.nansum(np.abs(r.y - r.mean))) for r in runs) / total if total > 0 else None
