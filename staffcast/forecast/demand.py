"""What a forecast hands on: expected demand, its quantiles, and sample paths with the right correlation."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from staffcast.contracts import DEMAND, InputError, bad_value, quantile_column
from staffcast.forecast.paths import Paths
from staffcast.forecast.uncertainty import Spread

__all__ = ["QUANTILES", "Demand", "DemandPart", "count_cdf", "count_quantiles", "demand_rows"]

QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
_TINY_CV = 1e-6
_TIE = 1e-13
# Up to this mean, and so many terms, a distribution is added up; beyond, quantiles are searched for one by one.
_MOST_ADDED, _WIDEST, _GROUP = 300.0, 1000.0, 200

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
    sd = np.sqrt(m[busy] + (cv[busy] * m[busy]) ** 2)
    rest = busy
    # How far the terms have to be added up: first as far as a normal count's quantiles go, then further.
    for wide in (False, True):
        if not len(rest):
            break
        if wide:
            reach = m[busy] + 9 * sd + 40 * cv[busy] ** 2 * m[busy] + 12
        else:
            reach = m[busy] + (float(special.ndtri(q.max())) + 1) * sd + 4
        reach = reach[np.searchsorted(busy, rest)]
        # Groups of like length, so that none does another's work.
        order = np.argsort(reach)
        few, widths = rest[order], reach[order]
        added = (m[few] < _MOST_ADDED) & (widths < _WIDEST)
        few, widths = few[added], widths[added]
        for part in np.array_split(np.arange(len(few)), max(len(few) // _GROUP, 1)) if len(few) else ():
            at = few[part]
            out[at] = _by_adding(m[at], cv[at], q, int(widths[part[-1]]))
        rest = np.setdiff1d(rest, few[~np.isnan(out[few]).any(axis=1)])
    uncertain = rest[cv[rest] > _TINY_CV]
    sure = rest[cv[rest] <= _TINY_CV]
    if len(rest):
        # Not at the top: scipy.stats takes longer to load than most commands take.
        from scipy import stats

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
    np.multiply((square * m / spread)[:, None], (k - 1) / k, out=terms[:, 1:])
    terms[:, 1:] += (m / spread)[:, None] * (1 / k)
    upto = np.cumsum(np.cumprod(terms, axis=1, out=terms), axis=1, out=terms)
    # How many of the sums, which rise, lie below each level: halving the stretch where the last of these may be.
    flat, level = upto.ravel(), q * (1 - _TIE)
    start = np.arange(len(m))[:, None] * (width + 1)
    found = np.broadcast_to(start, (len(m), len(q))).copy()
    step = 1 << width.bit_length()
    last = start + width
    while step:
        at = found + (step - 1)
        found += step * ((at <= last) & (flat.take(at, mode="clip") < level))
        step >>= 1
    found -= start
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
        The demand table: ``unique_id, ds, open, mean, carried, aht_s, q05 … q95, rate_cv, share_level, share_day``, and
        where known ``aht_cv, patience_s, patience_cv, bot_share, bot_share_sd, reopen_share, reopen_share_sd``,
        sorted by queue and instant, the same instants for every queue. ``mean`` is what is offered to people: 0 while
        closed; ``carried`` is the part of it that waits at opening. ``rate_cv`` is the relative standard
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
        return list(self._places)

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
        return self.frame.iloc[self._places.get(queue, slice(0))].reset_index(drop=True)

    @cached_property
    def _places(self) -> dict[str, slice | npt.NDArray[np.intp]]:
        """Rows of each queue, which as a rule follow each other."""
        codes, names = pd.factorize(self.frame["unique_id"])
        if (np.diff(codes) >= 0).all():
            edges = np.searchsorted(codes, np.arange(len(names) + 1)).tolist()
            return {str(name): slice(*edge) for name, edge in zip(names, pairwise(edges), strict=True)}
        return {str(name): np.flatnonzero(codes == code) for code, name in enumerate(names)}

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
        day = np.unique(self.ds.tz_localize(None).to_numpy().astype("datetime64[D]"), return_inverse=True)[1]
        out = np.empty((n, len(queues), len(day)))
        for place, queue in enumerate(queues):
            draw = Paths(self.of(queue), self.common, day)
            for block, first in enumerate(range(0, n, draw.size)):
                # Named after the queue, so that it has the same futures alone and among others.
                key = (block, zlib.crc32(queue.encode()))
                rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
                shared = None
                if self.common > 0:
                    shared = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block,)))
                draw.block(out[first : first + draw.size, place], rng, shared, counts=of == "counts")
        return out


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


@dataclass(frozen=True, kw_only=True, eq=False)
class DemandPart:
    """What the demand table says of one queue; arrays of shape (intervals,)."""

    queue: str
    ds: pd.DatetimeIndex
    opened: npt.NDArray[np.bool_]
    mean: Floats
    carried: Floats
    beside: Mapping[str, Floats]
    rate_cv: Floats
    share_level: Floats
    share_day: Floats

    @classmethod
    def of(
        cls,
        queue: str,
        ds: pd.DatetimeIndex,
        *,
        opened: npt.NDArray[np.bool_],
        mean: Floats,
        carried: Floats,
        spread: Spread,
        beside: Mapping[str, Floats] | None = None,
        special: npt.NDArray[np.bool_] | None = None,
        ahead: Floats | None = None,
    ) -> DemandPart:
        """With the uncertainty that ``spread`` gives to its means; ``special`` and ``ahead`` as for :meth:`Spread.at`.

        ``beside`` are ``aht_s`` and further columns.
        """
        rate_cv, share_level, share_day = spread.at(mean, special=special, ahead=ahead)
        return cls(
            queue=queue, ds=ds, opened=opened, mean=mean, carried=carried,
            beside={"aht_s": np.full(len(ds), np.nan)} | dict(beside or {}), rate_cv=rate_cv,
            share_level=share_level, share_day=share_day,
        )  # fmt: skip


def demand_rows(parts: Sequence[DemandPart], quantiles: Sequence[float]) -> pd.DataFrame:
    """Lay out the demand table, queue by queue; what only some queues know is empty for the others."""
    sizes = [len(part.ds) for part in parts]
    mean, rate_cv = (np.concatenate([getattr(part, name) for part in parts]) for name in ("mean", "rate_cv"))
    # A queue at a time: terms of one stay in the processor's cache.
    edges = np.cumsum([0, *sizes])
    table = np.concatenate([
        count_quantiles(mean[a:b], rate_cv[a:b], quantiles) for a, b in pairwise(edges)
    ])  # fmt: skip

    def beside(name: str) -> Floats:
        return np.concatenate([part.beside.get(name, np.full(len(part.ds), np.nan)) for part in parts])

    further = dict.fromkeys(name for part in parts for name in part.beside if name != "aht_s")
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.array([part.queue for part in parts], dtype=object), sizes),
            "ds": parts[0].ds.append([part.ds for part in parts[1:]]),
            "open": np.concatenate([part.opened for part in parts]),
            "mean": mean,
            "carried": np.concatenate([part.carried for part in parts]),
            "aht_s": beside("aht_s"),
            **{quantile_column(q): table[:, i] for i, q in enumerate(quantiles)},
            "rate_cv": rate_cv,
            "share_level": np.concatenate([part.share_level for part in parts]),
            "share_day": np.concatenate([part.share_day for part in parts]),
            **{name: beside(name) for name in further},
        }
    )
