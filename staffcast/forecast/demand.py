"""What a forecast hands on: expected demand, its quantiles, and sample paths with the right correlation."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from staffcast.contracts import DEMAND, InputError, bad_value, quantile_column
from staffcast.forecast.uncertainty import Spread

__all__ = ["QUANTILES", "Demand", "count_cdf", "count_quantiles", "demand_rows"]

QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
_TINY_CV = 1e-6
_TIE = 1e-13
_WILD_CV = 0.6
# Paths are drawn so many at a time, so that the first ones do not depend on how many are wanted.
_BLOCK = 64
# Up to this mean, and so many terms, a distribution is added up; beyond, quantiles are searched for one by one.
_MOST_ADDED, _WIDEST, _GROUP = 300.0, 1000.0, 64

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
    m, cv = (np.asarray(each, dtype=float) for each in np.broadcast_arrays(mean, rate_cv))
    q = np.asarray(quantiles, dtype=float)
    out = np.zeros((len(m), len(q)))
    busy = np.flatnonzero(m > 0) if len(q) else np.zeros(0, dtype=np.int64)
    # How far the terms have to be added up; groups of like length, so that none does another's work.
    reach = m[busy] + 9 * np.sqrt(m[busy] + (cv[busy] * m[busy]) ** 2) + 40 * cv[busy] ** 2 * m[busy] + 12
    order = np.argsort(reach)
    busy, reach = busy[order], reach[order]
    added = (m[busy] < _MOST_ADDED) & (reach < _WIDEST)
    few, widths = busy[added], reach[added]
    for part in np.array_split(np.arange(len(few)), max(len(few) // _GROUP, 1)) if len(few) else ():
        at = few[part]
        out[at] = _by_adding(m[at], cv[at], q, int(widths[part[-1]]))
    rest = np.setdiff1d(busy, few[~np.isnan(out[few]).any(axis=1)])
    uncertain = rest[cv[rest] > _TINY_CV]
    sure = rest[cv[rest] <= _TINY_CV]
    out[sure] = stats.poisson.ppf(q, m[sure, None])
    shape = 1 / cv[uncertain, None] ** 2
    out[uncertain] = stats.nbinom.ppf(q, shape, shape / (shape + m[uncertain, None]))
    return out


def _by_adding(m: Floats, cv: Floats, q: Floats, width: int) -> Floats:
    """Quantiles from the terms 0 … width added up, NaN where they do not reach; each term from the one before."""
    k = np.arange(1, width + 1)
    square = np.where(cv > _TINY_CV, cv, 0.0) ** 2
    spread = 1 + square * m
    # Poisson or negative binomial: p(k) ÷ p(k − 1) = m·(1 + (k − 1)·cv²) ÷ (k·(1 + cv²·m)).
    terms = np.empty((len(m), width + 1))
    terms[:, 0] = np.exp(-np.divide(np.log1p(square * m), square, out=m.copy(), where=square > 0))
    terms[:, 1:] = (m / spread)[:, None] * (1 + square[:, None] * (k - 1)) / k
    upto = np.cumsum(np.cumprod(terms, axis=1), axis=1)
    found = np.stack([np.count_nonzero(upto < level * (1 - _TIE), axis=1) for level in q], axis=1)
    return np.where(found <= width, found, np.nan)


def count_cdf(number: npt.ArrayLike, mean: npt.ArrayLike, rate_cv: npt.ArrayLike) -> Floats:
    """Probability of at most so many tickets; the distribution is that of :func:`count_quantiles`.

    Parameters
    ----------
    number, mean : array_like, shape (n,)
    rate_cv : float or array_like, shape (n,)

    Examples
    --------
    >>> count_cdf([-1, 0], [0.5, 0.5], 0.0).round(4).tolist()
    [0.0, 0.6065]
    """
    k, m, cv = np.broadcast_arrays(np.floor(np.asarray(number, dtype=float)), mean, rate_cv)
    there = k >= 0
    k, m = np.maximum(k, 0.0), np.asarray(m, dtype=float)
    shape = 1 / np.maximum(np.asarray(cv, dtype=float), _TINY_CV) ** 2
    mixed = special.betainc(shape, k + 1, shape / (shape + m))
    return np.asarray(np.where(there, np.where(cv > _TINY_CV, mixed, special.pdtr(k, m)), 0.0))


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
    common : float
        Correlation between queues of what is common to a day or the horizon.
    scores : callable, optional
        Makes :attr:`backtest`.
    """

    frame: pd.DataFrame
    why: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0
    common: float = 0.0
    scores: Callable[[], pd.DataFrame] | None = None

    @cached_property
    def backtest(self) -> pd.DataFrame | None:
        """The rolling-origin errors that the choice of models rests on; made when asked for."""
        return None if self.scores is None else self.scores()

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
        for place, queue in enumerate(queues):
            draw = _Paths(self.of(queue), self.common)
            for block, first in enumerate(range(0, n, _BLOCK)):
                # Named after the queue, so that it has the same futures alone and among others.
                key = (block, zlib.crc32(queue.encode()))
                rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
                shared = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block,)))
                rates, counts = draw.block(rng, shared, counts=of == "counts")
                out[first : first + _BLOCK, place] = (rates if counts is None else counts)[: n - first]
        return out


class _Paths:
    """Draws the paths of one queue, a block at a time."""

    def __init__(self, rows: pd.DataFrame, common: float) -> None:
        self._common = common
        self._mean = rows["mean"].to_numpy(dtype=float)
        self._some = np.flatnonzero(self._mean > 0)
        cv, level, day = (rows[c].to_numpy(dtype=float)[self._some] for c in ("rate_cv", "share_level", "share_day"))
        self._cv, self._level = cv, np.sqrt(level)
        self._of_day, self._own = np.sqrt(np.minimum(day, 1 - level)), np.sqrt(np.maximum(1 - level - day, 0.0))
        local = pd.DatetimeIndex(rows["ds"]).tz_localize(None).to_numpy().astype("datetime64[D]")
        number = np.unique(local, return_inverse=True)[1]
        self._days = int(number.max()) + 1 if len(number) else 0
        self._day = number[self._some]

    def block(
        self, rng: np.random.Generator, shared: np.random.Generator, *, counts: bool
    ) -> tuple[Floats, Floats | None]:
        """Rates, and counts if wanted, of a whole block of paths, shape (paths, intervals)."""
        rates = np.zeros((_BLOCK, len(self._mean)))
        number = np.zeros_like(rates) if counts else None
        if len(self._some):
            z = rng.standard_normal((_BLOCK, len(self._some)), dtype=np.float32).astype(float)
            z *= self._own
            # Days and the level first from what all queues share; one queue has as many days as another.
            size = (_BLOCK, self._days + 1)
            both = np.sqrt(self._common) * shared.standard_normal(size)
            both += np.sqrt(1 - self._common) * rng.standard_normal(size)
            days, level = both[:, 1:], both[:, :1]
            z += np.take(days, self._day, axis=1) * self._of_day
            z += level * self._level
            drawn = self._mean[self._some] * _gamma_factor(z, self._cv)
            rates[:, self._some] = drawn  # what is closed stays 0
            if number is not None:
                number[:, self._some] = rng.poisson(drawn)
        return rates, number


def _gamma_factor(z: Floats, cv: Floats) -> Floats:
    """Variables of mean 1 and standard deviation ``cv`` from normal ones of the same rank, shape (paths, n).

    Gamma by the cube of a normal (E. B. Wilson, M. M. Hilferty, "The distribution of chi-square", PNAS 17(12), 1931,
    pp. 684–688, doi:10.1073/pnas.17.12.684): mean right to cv⁶/729, quantiles of cv ≤ 0.5 to a percent between 5 and
    99.9 %. Beyond a cv of 0.6, which only intervals with next to no tickets have, lognormal.
    """
    square = np.maximum(cv, _TINY_CV) ** 2
    root = z * (np.sqrt(square) / 3)
    root += 1 - square / 9
    np.maximum(root, 0.0, out=root)
    factor: Floats = root * root * root
    factor[:, cv <= _TINY_CV] = 1.0
    wild = np.flatnonzero(cv > _WILD_CV)
    if wild.size:
        log_square = np.log1p(square[wild])
        factor[:, wild] = np.exp(z[:, wild] * np.sqrt(log_square) - log_square / 2)
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
    aht_s: float | Floats,
    spread: Spread,
    quantiles: Sequence[float],
    special: npt.NDArray[np.bool_] | None = None,
    ahead: Floats | None = None,
) -> pd.DataFrame:
    """Lay out the demand table of one queue; ``special`` and ``ahead`` as for :meth:`Spread.at`."""
    rate_cv, share_level, share_day = spread.at(mean, special=special, ahead=ahead)
    table = count_quantiles(mean, rate_cv, quantiles)
    return pd.DataFrame(
        {
            "unique_id": queue, "ds": ds, "open": opened, "mean": mean, "carried": carried, "aht_s": aht_s,
            **{quantile_column(q): table[:, i] for i, q in enumerate(quantiles)},
            "rate_cv": rate_cv, "share_level": share_level, "share_day": share_day,
        }
    )  # fmt: skip
