"""What a backtest says: errors of each model's rolled forecasts, and of all together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from staffcast.contracts import InputError
from staffcast.forecast.demand import QUANTILES, count_cdf, count_quantiles
from staffcast.forecast.judging.combine import COMBINED, weigh_fairly
from staffcast.forecast.judging.rolling import (
    LEAST_HISTORY_DAYS,
    Calendars,
    Progress,
    Rolled,
    as_series,
    calendars_for,
    roll,
)
from staffcast.forecast.models.lineup import DEFAULT, resolve
from staffcast.forecast.past.days import Floats
from staffcast.forecast.past.queues import cut
from staffcast.forecast.uncertainty import Spread, learn_spread

__all__ = ["PIT_BINS", "backtest", "pit", "pit_shares", "score", "spread_of"]

PIT_BINS = 10
_EVENLY = tuple((np.arange(40) + 0.5) / 40)


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
        ``unique_id, model, origin, horizon, wape, wape_day, wape_floor, mase, bias, pinball, crps, coverage_50,
        coverage_80, coverage_95, pit_1 … pit_10, cpu_s``, a row per queue, model and origin, over open intervals.
        ``wape`` = Σ|y−f| ÷ Σy; ``wape_day`` the same for daily totals; ``wape_floor`` what chance alone would leave if
        the forecast were the true rate; ``bias`` = Σ(f−y) ÷ Σy; ``mase`` = mean |y−f| ÷ that of repeating last week
        inside the history; bands take their width from the *other* origins; ``pit_1 … pit_10`` are for :func:`pit`.
        Where several models were tried, ``auto`` is what they give together, each origin with the weights that the
        others give.

    Raises
    ------
    InputError
        Bad arguments, or no queue long enough to test anything.
    """
    checked = as_series(series)
    rolled = roll(
        cut(checked), calendars_for(checked, calendar), models=resolve(models), horizon=horizon, origins=origins,
        step=step, processes=processes, progress=progress,
    )  # fmt: skip
    if not rolled:
        raise InputError(f"no queue has the {LEAST_HISTORY_DAYS + 1} days of history that a backtest needs")
    return score(rolled)


def pit(scores: pd.DataFrame) -> pd.DataFrame:
    """Where what came fell in its forecast's distribution, in ten equal parts of probability.

    Bands as wide as promised have a tenth of the counts in each part. More at both ends: bands too narrow; more in the
    middle: too wide; more at the upper end: forecasts too low.

    Parameters
    ----------
    scores : DataFrame
        What :func:`backtest` gave.

    Returns
    -------
    DataFrame
        ``unique_id, model, low, high, share``: ten rows per queue and model, the mean over its origins; ``share`` sums
        to 1.

    Raises
    ------
    InputError
        A column of the backtest is missing.

    References
    ----------
    .. [1] C. Czado, T. Gneiting, L. Held, "Predictive model assessment for count data", Biometrics 65(4), 2009,
       pp. 1254–1261, doi:10.1111/j.1541-0420.2009.01191.x; the histogram of the non-randomised probability integral
       transform.
    """
    columns = [f"pit_{k + 1}" for k in range(PIT_BINS)]
    missing = [name for name in ("unique_id", "model", *columns) if name not in scores]
    if missing:
        raise InputError(f"`scores` has no column {missing[0]!r}; give what backtest(…) returned")
    mean = scores.groupby(["unique_id", "model"], sort=False)[columns].mean()
    edges = np.arange(PIT_BINS + 1) / PIT_BINS
    return pd.DataFrame({
        "unique_id": np.repeat(mean.index.get_level_values(0), PIT_BINS),
        "model": np.repeat(mean.index.get_level_values(1), PIT_BINS),
        "low": np.tile(edges[:-1], len(mean)), "high": np.tile(edges[1:], len(mean)),
        "share": mean.to_numpy(dtype=float).ravel(),
    })  # fmt: skip


def pit_shares(below: Floats, upto: Floats) -> Floats:
    """Share of counts in each tenth of probability, from P(N < y) and P(N ≤ y) of each; NaN of none.

    A count stands evenly for all the probability that its forecast gives it (equation 2 of Czado, Gneiting and Held).

    Examples
    --------
    >>> pit_shares(np.array([0.0]), np.array([0.5])).round(2).tolist()
    [0.2, 0.2, 0.2, 0.2, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    if not len(below):
        return np.full(PIT_BINS, np.nan)
    edges = np.arange(PIT_BINS + 1) / PIT_BINS
    width = np.maximum(upto - below, 1e-12)[:, None]
    reached = np.clip((edges - below[:, None]) / width, 0.0, 1.0).mean(axis=0)
    reached[-1] = 1.0  # a count that its forecast all but rules out lies at the very end
    return np.asarray(np.diff(reached))


def spread_of(rolled: Sequence[Rolled]) -> Spread:
    """Spread of the rate that these forecasts' errors show, for forecasts as long and longer."""
    origin = np.repeat(np.arange(len(rolled)), [len(r.y) for r in rolled])
    y, mean, day, special = (
        np.concatenate([getattr(r, name) for r in rolled]) for name in ("y", "mean", "day", "special")
    )
    tested = len(np.unique(day[~np.isnan(y)]))
    return learn_spread(y, mean, day, origin, special).doubted(tested, max(r.days for r in rolled))


def score(rolled: Sequence[Rolled]) -> pd.DataFrame:
    """Turn rolled forecasts into the backtest table."""
    groups: dict[tuple[str, str], list[Rolled]] = {}
    for one in rolled:
        groups.setdefault((one.unique_id, one.model), []).append(one)
    rows = []
    for queue in dict.fromkeys(queue for queue, _ in groups):
        runs = [r for r in rolled if r.unique_id == queue]
        if len({r.model for r in runs}) > 1:
            groups[queue, COMBINED] = weigh_fairly(runs)
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
    return float((2 * np.exp(special.xlogy(whole, f) - f - special.gammaln(whole + 1)) * f).sum())


def _pinball(y: Floats, f: Floats, cv: Floats, levels: Sequence[float]) -> float:
    """Mean pinball loss over quantiles; twice that over many even ones is the continuous ranked probability score."""
    if not len(y):
        return float("nan")
    over = y[:, None] - count_quantiles(f, cv, levels)
    return float(np.maximum(over * levels, over * (np.asarray(levels) - 1)).mean())


def _score_one(one: Rolled, spread: Spread) -> dict[str, object]:
    known = ~np.isnan(one.y)
    y, f = one.y[known], one.mean[known]
    total = float(y.sum())
    error = np.abs(y - f)
    cv = spread.cv_at(f, special=one.special[known])

    below, upto = count_cdf(y - 1, f, cv), count_cdf(y, f, cv)

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
        "pinball": _pinball(y, f, cv, QUANTILES),
        "crps": 2 * _pinball(y, f, cv, _EVENLY),
        "coverage_50": covered(0.25, 0.75),
        "coverage_80": covered(0.10, 0.90),
        "coverage_95": covered(0.025, 0.975),
        **{f"pit_{k + 1}": float(share) for k, share in enumerate(pit_shares(below, upto))},
        "cpu_s": one.cpu_s,
    }
