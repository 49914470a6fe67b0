"""Several queues together: sums that agree with their parts, and how far their surprises go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import bad_value, quantile_column
from staffcast.forecast.demand import Demand, count_quantiles
from staffcast.forecast.judging.rolling import Rolled
from staffcast.forecast.past.days import Floats

__all__ = ["common_share", "sum_queues"]

_FEWEST_DAYS = 28


def common_share(rolled: Mapping[str, Sequence[Rolled]]) -> float:
    """Correlation between queues of their rates' daily surprises, in [0, 1], from the rolled forecasts of each.

    With e = came − forecast of a whole day and f the forecast, Σ e·e' over the days that two queues share ÷ the root of
    Σ(e² − f)·Σ(e'² − f'), Poisson noise taken out, numerators and denominators added up over all pairs. 0 for one
    queue, or fewer than 28 days together.
    """
    daily = [_daily(runs) for runs in rolled.values() if runs]
    if len(daily) < 2:
        return 0.0
    keys = daily[0][0]
    alike = all(np.array_equal(each, keys) for each, _, _ in daily[1:])
    if not alike:
        keys = np.unique(np.concatenate([each for each, _, _ in daily]), axis=0)
    e, f = np.full((len(keys), len(daily)), np.nan), np.zeros((len(keys), len(daily)))
    place = {tuple(key): row for row, key in enumerate(keys.tolist())}
    for column, (days, came, expected) in enumerate(daily):
        rows = slice(None) if alike else [place[tuple(day)] for day in days.tolist()]
        e[rows, column], f[rows, column] = came - expected, expected
    there = ~np.isnan(e)
    e, spare = np.where(there, e, 0.0), np.where(there, e**2 - f, 0.0)
    days = there.astype(float).T @ there
    own = np.maximum(spare.T @ there, 0.0)  # of queue i over the days that it shares with j
    upper = np.triu_indices(len(days), 1)
    use = days[upper] >= _FEWEST_DAYS
    below = float(np.sqrt(own * own.T)[upper][use].sum())
    return float(np.clip((e.T @ e)[upper][use].sum() / below, 0.0, 1.0)) if below > 0 else 0.0


def _daily(runs: Sequence[Rolled]) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """Origin and day, shape (days, 2), and what came and what was forecast on each, where known."""
    known = [~np.isnan(one.y) for one in runs]
    origin = np.repeat([one.origin.value for one in runs], [np.count_nonzero(k) for k in known])
    day, y, f = (
        np.concatenate([getattr(one, name)[k] for one, k in zip(runs, known, strict=True)])
        for name in ("day", "y", "mean")
    )
    first = np.flatnonzero(np.diff(day, prepend=-1) | np.diff(origin, prepend=-1)) if len(day) else np.zeros(0, int)
    keys = np.column_stack([origin[first], day[first]])
    if not len(first):
        return keys, y, f
    return keys, np.add.reduceat(y, first), np.add.reduceat(f, first)


def sum_queues(demand: Demand, groups: Mapping[str, Sequence[str]] | None = None) -> Demand:
    """Demand of several queues added up, for a total, a channel or a team.

    Parameters
    ----------
    demand : Demand
    groups : mapping of name to queues, optional
        What is added up; without it all queues, as ``total``.

    Returns
    -------
    Demand
        A row per group and interval. Means are the sums of the parts' means, to the last ticket. The variance of the
        rate is the sum of the parts', with the correlation ``demand.common`` between what is common to a day or the
        horizon in each; handle times are averages over tickets, each part's unsure by itself. Its sample paths are
        drawn anew, with this mean and variance: they are not the sums of the parts' paths.

    Raises
    ------
    InputError
        A group without queues, or with one that is not there.

    Examples
    --------
    >>> ds = pd.date_range("2026-03-02 09:00", periods=2, freq="h", tz="UTC")
    >>> part = pd.DataFrame({"ds": ds, "mean": [9.0, 16.0], "rate_cv": 0.1, "share_day": 1.0, "open": True})
    >>> two = pd.concat([part.assign(unique_id="a"), part.assign(unique_id="b")])
    >>> alone = sum_queues(Demand.from_frame(two)).frame
    >>> alone["mean"].tolist(), alone["rate_cv"].round(4).tolist()
    ([18.0, 32.0], [0.0707, 0.0707])
    """
    groups = {"total": demand.queues} if groups is None else groups
    missing = [q for queues in groups.values() for q in queues if q not in demand.queues]
    if missing:
        raise bad_value("groups", missing[0], f"queues of the demand: {', '.join(demand.queues)}")
    quantiles = [float(c[1:]) / 100 for c in demand.frame.columns if c.startswith("q") and c[1:2].isdigit()]
    parts = []
    for name, queues in groups.items():
        if not queues:
            raise bad_value("groups", name, "a group with at least one queue")
        parts.append(_one_sum(name, [demand.of(q) for q in queues], demand.common, quantiles))
    return replace(demand, frame=pd.concat(parts, ignore_index=True), why={}, scores=None)


def _one_sum(name: str, rows: Sequence[pd.DataFrame], common: float, quantiles: Sequence[float]) -> pd.DataFrame:
    def columns(column: str) -> Floats:
        return np.stack([r[column].to_numpy(dtype=float) for r in rows])

    mean, cv = columns("mean"), columns("rate_cv")
    sd = mean * cv
    level, day = columns("share_level"), columns("share_day")
    of_level, of_day = (_together(sd * np.sqrt(share), common) for share in (level, day))
    own = (sd**2 * np.maximum(1 - level - day, 0.0)).sum(axis=0)
    variance = own + of_level + of_day
    total = mean.sum(axis=0)
    busy = total > 0
    handling = np.nan_to_num(columns("aht_s")) * mean
    known = np.where(np.isnan(columns("aht_s")), 0.0, mean).sum(axis=0)
    rate_cv = np.divide(np.sqrt(variance), total, out=np.zeros_like(total), where=busy)
    frame = rows[0][["ds"]].assign(
        unique_id=name, open=np.any([r["open"] for r in rows], axis=0), mean=total,
        carried=columns("carried").sum(axis=0),
        aht_s=np.divide(handling.sum(axis=0), known, out=np.full_like(total, np.nan), where=known > 0),
    )  # fmt: skip
    table = count_quantiles(total, rate_cv, quantiles)
    frame = frame.assign(**{quantile_column(q): table[:, i] for i, q in enumerate(quantiles)})
    shares = [np.divide(part, variance, out=np.zeros_like(total), where=variance > 0) for part in (of_level, of_day)]
    frame = frame.assign(rate_cv=rate_cv, share_level=shares[0], share_day=shares[1])
    if not any("aht_cv" in r for r in rows):
        return frame
    own_cv = np.stack([r["aht_cv"].fillna(0.0).to_numpy() if "aht_cv" in r else np.zeros(len(r)) for r in rows])
    work, spread = handling.sum(axis=0), np.sqrt(((handling * own_cv) ** 2).sum(axis=0))
    return frame.assign(aht_cv=np.divide(spread, work, out=np.zeros_like(work), where=work > 0))


def _together(sd: Floats, common: float) -> Floats:
    """Variance of a sum of which every two parts have the correlation ``common``."""
    return np.asarray((1 - common) * (sd**2).sum(axis=0) + common * sd.sum(axis=0) ** 2)
