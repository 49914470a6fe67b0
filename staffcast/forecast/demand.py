"""What a forecast hands on: expected demand, its quantiles, and sample paths with the right correlation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from staffcast.contracts import DEMAND, InputError, bad_value, quantile_column

__all__ = ["QUANTILES", "Demand", "count_cdf", "count_quantiles", "demand_rows"]

QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
_TINY_CV = 1e-6

Floats = npt.NDArray[np.float64]


def count_quantiles(mean: npt.ArrayLike, rate_cv: npt.ArrayLike, quantiles: Sequence[float]) -> Floats:
    """Quantiles of the number of tickets when the rate itself is uncertain.

    Parameters
    ----------
    mean : array_like, shape (n,)
        Expected tickets, ≥ 0.
    rate_cv : array_like, shape (n,)
        Standard deviation of the rate ÷ its mean. The count is then Poisson with a gamma rate: negative binomial
        with variance ``mean + (rate_cv · mean)²``; Poisson for 0.
    quantiles : sequence of float
        Each in (0, 1).

    Returns
    -------
    ndarray, shape (n, len(quantiles))

    Examples
    --------
    >>> count_quantiles([100.0], [0.0], [0.5]).tolist(), count_quantiles([100.0], [0.2], [0.95]).tolist()
    ([[100.0]], [[139.0]])
    """
    m, cv = np.broadcast_arrays(np.asarray(mean, dtype=float), np.asarray(rate_cv, dtype=float))
    out = np.zeros((len(m), len(quantiles)))
    q = np.asarray(quantiles, dtype=float)
    uncertain = (m > 0) & (cv > _TINY_CV)
    sure = (m > 0) & ~uncertain
    out[sure] = stats.poisson.ppf(q, m[sure, None])
    shape = 1 / cv[uncertain, None] ** 2
    out[uncertain] = stats.nbinom.ppf(q, shape, shape / (shape + m[uncertain, None]))
    return out


def count_cdf(number: npt.ArrayLike, mean: npt.ArrayLike, rate_cv: float) -> Floats:
    """Probability of at most so many tickets; the distribution is that of :func:`count_quantiles`.

    Parameters
    ----------
    number, mean : array_like, shape (n,)
    rate_cv : float

    Examples
    --------
    >>> count_cdf([-1, 0], [0.5, 0.5], 0.0).round(4).tolist()
    [0.0, 0.6065]
    """
    k, m = np.floor(np.asarray(number, dtype=float)), np.asarray(mean, dtype=float)
    if rate_cv <= _TINY_CV:
        return np.asarray(stats.poisson.cdf(k, m), dtype=float)
    shape = 1 / rate_cv**2
    return np.asarray(stats.nbinom.cdf(k, shape, shape / (shape + m)), dtype=float)


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Demand of the coming intervals with its uncertainty.

    Attributes
    ----------
    frame : DataFrame
        The demand table: ``unique_id, ds, open, mean, carried, aht_s, q05 … q95, rate_cv, share_level, share_day``,
        sorted by queue and instant, the same instants for every queue. ``mean`` is what is offered to people: 0
        while closed; ``carried`` is the part of it that waits at opening. ``rate_cv`` is the relative standard
        deviation of the *rate* (Poisson noise comes on top); ``share_level`` and ``share_day`` are the parts of its
        variance common to the whole horizon and to one day, the rest is the interval's own.
    why : mapping of queue to mapping
        Per queue: model, its backtest error beside the others', and notes.
    seed : int
        Start of the random numbers of :meth:`sample`.
    backtest : DataFrame or None
        The rolling-origin errors that the choice of model rests on.
    """

    frame: pd.DataFrame
    why: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0
    backtest: pd.DataFrame | None = None

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, seed: int = 0) -> Demand:
        """Demand from a table, for example one a planner has edited.

        Missing ``carried`` is 0, missing ``open`` is ``mean > 0``, missing uncertainty is none.

        Raises
        ------
        InputError
            The table breaks its contract, or its queues do not share one grid of intervals.
        """
        checked = DEMAND.check(frame)
        defaults = {"carried": 0.0, "rate_cv": 0.0, "share_level": 0.0, "share_day": 0.0, "aht_s": np.nan}
        checked = checked.assign(**{k: v for k, v in defaults.items() if k not in checked})
        if "open" not in checked:
            checked["open"] = checked["mean"] > 0
        over = checked["carried"] > checked["mean"] + 1e-9
        if over.any():
            row = int(np.flatnonzero(over)[0])
            raise InputError(
                f"is {checked['carried'][row]:g}, above mean ({checked['mean'][row]:g}): it is the part of it that "
                "waits at opening; lower it too",
                row=row + 2, column="carried",
            )  # fmt: skip
        shut = ~checked["open"] & (checked["mean"] > 0)
        if shut.any():
            row = int(np.flatnonzero(shut)[0])
            raise InputError(
                f"is {checked['mean'][row]:g} where open is false ({int(shut.sum())} such rows); set open to true, or "
                "mean to 0",
                row=row + 2, column="mean",
            )  # fmt: skip
        checked = checked.sort_values(["unique_id", "ds"], kind="stable").reset_index(drop=True)
        _one_grid(checked)
        return cls(frame=checked, seed=seed)

    @property
    def queues(self) -> list[str]:
        """Names of the queues, in the order of the frame."""
        return list(dict.fromkeys(self.frame["unique_id"]))

    @property
    def ds(self) -> pd.DatetimeIndex:
        """The instants of one queue; every queue has the same."""
        return pd.DatetimeIndex(self.of(self.queues[0])["ds"])

    @property
    def minutes(self) -> int:
        """Length of an interval in minutes."""
        steps = self.ds[1:] - self.ds[:-1]
        return int(steps.min() / pd.Timedelta(minutes=1)) if len(steps) else 60

    def of(self, queue: str) -> pd.DataFrame:
        """Rows of one queue."""
        return self.frame[self.frame["unique_id"] == queue].reset_index(drop=True)

    def sample(self, n: int, *, of: Literal["counts", "rates"] = "counts") -> Floats:
        """Draw possible futures.

        Parameters
        ----------
        n : int
            Number of paths, ≥ 1.
        of : {"counts", "rates"}
            Whole tickets, or the expected tickets per interval before Poisson noise.

        Returns
        -------
        ndarray, shape (n, queues, intervals)
            Equal for equal ``seed``, and path i does not depend on ``n``.
        """
        if n < 1:
            raise bad_value("n", n, "at least 1")
        if of not in ("counts", "rates"):
            raise bad_value("of", of, '"counts" or "rates"')
        queues = self.queues
        out = np.empty((n, len(queues), len(self.ds)))
        for k, queue in enumerate(queues):
            rows = self.of(queue)
            days = np.unique(pd.DatetimeIndex(rows["ds"]).tz_localize(None).normalize(), return_inverse=True)[1]
            for i in range(n):
                rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(i, k)))
                factor = _rate_factors(rows, days, rng)
                rate = rows["mean"].to_numpy() * factor
                out[i, k] = rate if of == "rates" else rng.poisson(rate)
        return out


def _rate_factors(rows: pd.DataFrame, days: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Factor on the rate of each interval: gamma, mean 1, correlated through a Gaussian copula."""
    level = rows["share_level"].to_numpy()
    day = np.minimum(rows["share_day"].to_numpy(), 1 - level)
    z = np.sqrt(level) * rng.standard_normal()
    z = z + np.sqrt(day) * rng.standard_normal(days.max() + 1)[days]
    z = z + np.sqrt(np.maximum(1 - level - day, 0)) * rng.standard_normal(len(rows))
    cv = rows["rate_cv"].to_numpy()
    active = (cv > _TINY_CV) & (rows["mean"].to_numpy() > 0)
    factor = np.ones(len(rows))
    shape = 1 / cv[active] ** 2
    factor[active] = special.gammaincinv(shape, special.ndtr(np.clip(z[active], -7, 7))) / shape
    return factor


def _one_grid(frame: pd.DataFrame) -> None:
    grids = {queue: rows["ds"].to_numpy() for queue, rows in frame.groupby("unique_id", sort=False)}
    first, grid = next(iter(grids.items()))
    for queue, other in grids.items():
        if not np.array_equal(grid, other):
            raise InputError(
                f"queues {first!r} and {queue!r} do not cover the same intervals; give every queue a row for each, "
                "with mean 0 while it is closed"
            )
    steps = np.unique(np.diff(grid))
    if len(steps) > 1:
        gap = int(np.flatnonzero(np.diff(grid) != steps[0])[0])
        raise InputError(f"queue {first!r}: intervals are missing or uneven after {frame['ds'].iloc[gap]}")


def demand_rows(
    queue: str,
    ds: pd.DatetimeIndex,
    *,
    opened: npt.NDArray[np.bool_],
    mean: Floats,
    carried: Floats,
    aht_s: float,
    uncertainty: tuple[float, float, float],
    quantiles: Sequence[float],
) -> pd.DataFrame:
    """Lay out the demand table of one queue."""
    rate_cv, share_level, share_day = uncertainty
    table = count_quantiles(mean, np.full(len(ds), rate_cv), quantiles)
    return pd.DataFrame(
        {
            "unique_id": queue, "ds": ds, "open": opened, "mean": mean, "carried": carried, "aht_s": aht_s,
            **{quantile_column(q): table[:, i] for i, q in enumerate(quantiles)},
            "rate_cv": rate_cv, "share_level": share_level, "share_day": share_day,
        }
    )  # fmt: skip
