"""Sample paths of one queue: uncertain rates that go together, and counts around them, many at a time."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

__all__ = ["Paths", "poisson_counts"]

# Paths are drawn so many at a time, so that the first ones do not depend on how many are wanted: as many as stay in
# the processor's cache.
_MOST_PATHS, _CACHED = 125, 49_152
_TINY_CV = 1e-6
_WILD_CV = 0.6
# Below this rate the expansion of the Poisson quantile is off by more than can be measured.
_FEW = 4.0
# Beyond this one a float of 32 bits cannot tell neighbouring counts apart.
_MANY = 1e5
# Normal variables come from 16 random bits each, those among the outermost so many of 65,536 from 32 more.
_ATOMS, _TAIL = 1 << 16, 64
# Terms of the distribution of a rate below 4: added up for all, and for those far out, where 1e-16 is left.
_TERMS, _MOST_TERMS = 11, 40

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Paths:
    """Draws the paths of one queue, a block at a time.

    Parameters
    ----------
    rows : DataFrame
        The queue's part of the demand table.
    common : float
        Correlation between queues of what is common to a day or the horizon.
    day : ndarray of int, shape (intervals,)
        Number of each interval's local day, from 0 on.

    Attributes
    ----------
    size : int
        Paths in a block.
    """

    def __init__(self, rows: pd.DataFrame, common: float, day: Ints) -> None:
        self._common = common
        self.size = min(max(_CACHED // max(len(rows), 1), 1), _MOST_PATHS)
        self._mean = rows["mean"].to_numpy(dtype=float)
        self._some = np.flatnonzero(self._mean > 0)
        mean, cv, of_level, of_day = (
            rows[c].to_numpy(dtype=float)[self._some] for c in ("mean", "rate_cv", "share_level", "share_day")
        )
        self._open = mean
        self._sure, self._wild = np.flatnonzero(cv <= _TINY_CV), np.flatnonzero(cv > _WILD_CV)
        cv = np.where(cv > _TINY_CV, cv, 0.0)
        self._wild_sd = np.sqrt(np.log1p(cv[self._wild] ** 2))
        shares = np.sqrt([np.maximum(1 - of_level - of_day, 0.0), of_level, np.minimum(of_day, 1 - of_level)])
        if len(mean) and (shares == shares[:, :1]).all():
            shares = shares[:, :1]  # as they are in a forecast: what is common is then added up a day at a time
        # A float of 32 bits tells neighbouring counts apart up to some 1e7.
        self._kind: type[np.floating] = np.float32 if mean.max(initial=0.0) < _MANY else np.float64
        self._own, self._level, self._of_day = shares.astype(self._kind)
        # The rate is (slope · z + middle)³ of a normal z, which is the sum of three independent ones.
        self._slope = (np.cbrt(mean) * cv / 3).astype(self._kind)
        self._middle = (np.cbrt(mean) * (1 - cv**2 / 9)).astype(self._kind)
        self._days = int(day.max(initial=-1)) + 1
        self._day = day[self._some]
        lengths = np.bincount(self._day, minlength=self._days)
        self._each = int(lengths[0]) if len(lengths) and (lengths == lengths[0]).all() else 0

    def block(self, out: Floats, rng: np.random.Generator, shared: np.random.Generator | None, *, counts: bool) -> None:
        """Fill ``out``, shape (paths, intervals), with the first rates, or counts, of a block of paths.

        ``shared`` draws what all queues have in common; None if that is nothing.
        """
        z = _normals(rng, (self.size, len(self._some))).astype(self._kind, copy=False)
        z *= self._own
        # Days and the level from what all queues share, and from the queue's own.
        both = rng.standard_normal((self.size, self._days + 1))
        if shared is not None:
            both *= np.sqrt(1 - self._common)
            both += np.sqrt(self._common) * shared.standard_normal(both.shape)
        both = both.astype(self._kind)
        days, level = both[:, 1:], both[:, :1]
        if len(self._level) == 1:
            together = self._of_each(days * self._of_day + level * self._level)
        else:
            together = self._of_each(days)
            together *= self._of_day
            together += level * self._level
        z += together
        wild = z[:, self._wild].astype(float)
        z *= self._slope
        z += self._middle
        np.maximum(z, 0.0, out=z)
        rates = np.multiply(z, z, out=together)
        rates *= z
        if wild.size:
            rates[:, self._wild] = self._open[self._wild] * np.exp(wild * self._wild_sd - self._wild_sd**2 / 2)
        drawn = poisson_counts(rates, rng) if counts else rates
        if len(self._some) == len(self._mean):
            out[:] = drawn[: len(out)]
        else:
            out[:] = 0.0  # what is closed stays 0
            out[:, self._some] = drawn[: len(out)]
        if not counts:
            out[:, self._some[self._sure]] = self._open[self._sure]

    def _of_each(self, days: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Of each interval what its day has, shape (paths, intervals)."""
        return np.repeat(days, self._each, axis=1) if self._each else np.take(days, self._day, axis=1)


def poisson_counts(rates: npt.NDArray[np.floating], rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Poisson variables around these rates, shape and kind of float as ``rates``.

    From 4 on the whole part of the Poisson quantile's expansion in 1 ÷ √rate at a normal variable (the Cornish–Fisher
    expansion Q_N of M. B. Giles, "Algorithm 955: approximation of the inverse Poisson cumulative distribution
    function", ACM Transactions on Mathematical Software 42(1), 2016, doi:10.1145/2699466, with one term more): off by
    at most 3e-4 in total variation at 4, 4e-5 at 10. Smaller ones exactly.
    """
    counts = _expanded(rates, _normals(rng, rates.shape).astype(rates.dtype, copy=False))
    few = np.flatnonzero(rates < _FEW)
    counts.ravel()[few] = _few_counts(rates.ravel()[few], rng)
    return counts


def _few_counts(rates: npt.NDArray[np.floating], rng: np.random.Generator) -> Ints:
    """Poisson variables of rates below 4 by inversion: how many of the cumulated terms lie below a uniform variable."""
    level = rng.random(len(rates))
    low, rate = level.astype(np.float32), rates.astype(np.float32)
    term = np.exp(-rate)
    upto = term.copy()
    counts = np.zeros(len(rates), dtype=np.int8)
    for k in range(1, _TERMS + 1):
        counts += low > upto
        term *= rate
        term *= np.float32(1 / k)
        upto += term
    result = counts.astype(np.int64)
    # In the tail, where 32 bits are too few.
    far = np.flatnonzero(upto < low + np.float32(1e-6))
    if far.size:
        exact = special.pdtr(np.arange(_MOST_TERMS), rates[far].astype(float)[:, None])
        result[far] = (exact < level[far, None]).sum(axis=1)
    return result


def _expanded(rates: npt.NDArray[np.floating], w: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Whole part of λ + √λ·w + (2 + w²)/6 + b(w)/√λ + c(w)/λ + d(w)/√λ³, by Horner's rule and in place."""
    root = np.maximum(rates, _FEW)
    np.sqrt(root, out=root)
    over, square = 1 / root, w * w
    inner = square * (-23 / 17280)  # d, the odd polynomials without their w
    inner -= 137 / 38880
    inner *= square
    inner += 671 / 38880
    inner *= over
    inner *= w
    even = square * (1 / 270)  # c
    even += 7 / 810
    even *= square
    even -= 8 / 405
    inner += even
    inner *= over
    np.multiply(square, -1 / 72, out=even)  # b
    even -= 1 / 36
    even *= w
    inner += even
    inner *= over
    square += 2
    square *= 1 / 6
    inner += square
    root *= w
    inner += root
    inner += rates
    np.floor(inner, out=inner)
    return np.maximum(inner, 0.0, out=inner)


@cache
def _quantiles() -> npt.NDArray[np.float32]:
    """Normal quantiles of the middles of equal parts of probability."""
    return np.asarray(special.ndtri((np.arange(_ATOMS) + 0.5) / _ATOMS), dtype=np.float32)


def _normals(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Standard normal variables: inside as one of 65,536 quantiles, in the tails of 0.1 % by exact inversion."""
    number = int(np.prod(shape))
    bits = rng.bit_generator.random_raw(-(-number // 4)).view(np.uint16)[:number]
    z = _quantiles().take(bits)
    far = np.flatnonzero(bits + np.uint16(_TAIL) < 2 * _TAIL)
    exact = (bits[far] + rng.random(far.size)) / _ATOMS
    z[far] = special.ndtri(np.clip(exact, 2.0**-70, 1 - 2.0**-53))
    return z.reshape(shape)
