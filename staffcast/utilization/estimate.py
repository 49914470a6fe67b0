"""Intervals for shares, means and quantiles, with the day as the unit where tickets of a day go together.

Every estimate here is a sum of contributions of single tickets (its influence). Where a sample has five days or more,
the contributions are added up by day and the days are the sample: tickets of a bad day are bad together, and a formula
that takes them for independent promises too much. An interval is never narrower than that of independent tickets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["FEWEST_DAYS", "Estimate", "Spread", "mean", "nps", "quantile", "ranks", "share", "spread", "wilson"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST_DAYS = 5
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure with its interval.

    Attributes
    ----------
    value, low, high : float
        ``low`` and ``high`` are the 95 % interval; NaN where there is none.
    n : int
        Tickets behind it.
    how : str
        How the interval was made and what its unit is.
    plain : float
        The same figure of the answered (closed) alone, where ``value`` allows for those who still wait; else NaN.
    note : str
    """

    value: float
    low: float = np.nan
    high: float = np.nan
    n: int = 0
    how: str = ""
    plain: float = np.nan
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Standard error of an estimate, and by what it was found.

    Attributes
    ----------
    se : float
    critical : float
        How many standard errors make the interval.
    effect : float
        Variance ÷ that of independent tickets, ≥ 1 (the design effect).
    unit : {"day", "ticket"}
    """

    se: float
    critical: float
    effect: float
    unit: str


@lru_cache(maxsize=4096)
def _critical(freedom: int, level: float = LEVEL) -> float:
    return float(stats.t.ppf(0.5 + level / 2, freedom)) if freedom > 0 else np.inf


_NORMAL = float(stats.norm.ppf(0.5 + LEVEL / 2))


def spread(influence: Floats, units: Ints | None) -> Spread:
    """Standard error from the contributions of single tickets.

    Parameters
    ----------
    influence : ndarray, shape (n,)
        What each ticket moves the estimate by; they sum to zero.
    units : ndarray of int, shape (n,), or None
        Number of the day (or customer) of each ticket, as numbers without wide gaps. Fewer than five of them are not
        enough to judge by.

    References
    ----------
    .. [1] W. G. Cochran, "Sampling Techniques", 3rd ed. 1977, ch. 9 (cluster sampling).
    .. [2] K.-Y. Liang, S. L. Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73 (1986)
       13–22. doi:10.1093/biomet/73.1.13.
    """
    n = len(influence)
    if n < 2:
        return Spread(se=np.nan, critical=np.nan, effect=1.0, unit="ticket")
    alone = float(np.sum(influence**2)) * n / (n - 1)
    if units is not None:
        codes = units - units.min()
        groups = int(np.count_nonzero(np.bincount(codes)))
        if FEWEST_DAYS <= groups < n:
            together = float(np.sum(np.bincount(codes, weights=influence) ** 2)) * groups / (groups - 1)
            effect = max(together / alone, 1.0) if alone > 0 else 1.0
            return Spread(se=math.sqrt(alone * effect), critical=_critical(groups - 1), effect=effect, unit="day")
    return Spread(se=math.sqrt(alone), critical=_critical(n - 1), effect=1.0, unit="ticket")


def wilson(successes: float, n: float, z: float = _NORMAL) -> tuple[float, float]:
    """Score interval of a share.

    Parameters
    ----------
    successes, n : float
        Need not be whole: an effective sample is not.
    z : float
        Normal quantile.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", J. Amer. Statist.
       Assoc. 22 (1927) 209–212. doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> [round(x, 4) for x in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if n <= 0:
        return np.nan, np.nan
    if not math.isfinite(z):
        return 0.0, 1.0
    p, zz = successes / n, z * z
    middle = (p + zz / (2 * n)) / (1 + zz / n)
    half = z / (1 + zz / n) * math.sqrt(p * (1 - p) / n + zz / (4 * n * n))
    return max(float(middle - half), 0.0), min(float(middle + half), 1.0)


def share(flags: Floats, days: Ints | None = None) -> Estimate:
    """Share of ones with its Wilson interval, of the effective number of tickets where days differ."""
    n = len(flags)
    if n == 0:
        return Estimate(value=np.nan)
    p = float(flags.mean())
    found = spread((flags - p) / n, days)
    z = found.critical if found.unit == "day" else _NORMAL
    low, high = wilson(p * n / found.effect, n / found.effect, z)
    return Estimate(value=p, low=low, high=high, n=n, how=f"Wilson, by {found.unit}")


def mean(values: Floats, days: Ints | None = None, weights: Floats | None = None) -> Estimate:
    """Mean, weighted where weights are given, with Student's interval."""
    n = len(values)
    if n == 0 or (weights is not None and weights.sum() <= 0):
        return Estimate(value=np.nan)
    w = np.full(n, 1 / n) if weights is None else weights / weights.sum()
    centre = float(np.sum(w * values))
    found = spread(w * (values - centre), days)
    half = found.critical * found.se
    return Estimate(value=centre, low=centre - half, high=centre + half, n=n, how=f"Student's t, by {found.unit}")


def nps(scores: Floats, days: Ints | None = None) -> Estimate:
    """Net promoter score: % of 9 and 10 − % of 0 to 6, in points.

    Zero is a detractor, whatever some documents say of scales from 1.

    References
    ----------
    .. [1] D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based
       on paired data", J. Educ. Behav. Stat. 37 (2012) 479–488. doi:10.3102/1076998611411915.

    Examples
    --------
    >>> nps(np.array([10.0, 9, 8, 0])).value
    25.0
    """
    n = len(scores)
    if n == 0:
        return Estimate(value=np.nan)
    sign = (scores >= 9).astype(float) - (scores <= 6)
    value = float(sign.mean())
    found = spread((sign - value) / n, days)
    size = n / found.effect
    up = (float((sign > 0).mean()) * size + 1) / (size + 2)
    down = (float((sign < 0).mean()) * size + 1) / (size + 2)
    z = found.critical if found.unit == "day" else _NORMAL
    half = z * np.sqrt((up + down - (up - down) ** 2) / (size + 2))
    low, high = max(up - down - half, -1.0), min(up - down + half, 1.0)
    return Estimate(
        value=100 * value, low=100 * low, high=100 * high, n=n, how=f"adjusted Wald, by {found.unit}"
    )  # fmt: skip


def ranks(n: float, q: float, z: float = _NORMAL) -> tuple[int, int]:
    """Ranks, from 1, of the order statistics between which a quantile lies.

    Returns
    -------
    lower, upper : int
        0 and n + 1 stand for no bound: so few values do not tell.

    References
    ----------
    .. [1] W. J. Conover, "Practical Nonparametric Statistics", 3rd ed. 1999, sec. 3.2.

    Examples
    --------
    >>> ranks(100, 0.5)
    (40, 61)
    """
    return _ranks(max(round(n), 1), q, round(z, 6))


@lru_cache(maxsize=65_536)
def _ranks(whole: int, q: float, z: float) -> tuple[int, int]:
    alpha = 2 * float(stats.norm.sf(z))
    return int(stats.binom.ppf(alpha / 2, whole, q)), int(stats.binom.ppf(1 - alpha / 2, whole, q)) + 1


def quantile(ordered: Floats, q: float, days: Ints | None = None) -> Estimate:
    """Quantile (inverse of the distribution of the sample) with exact bounds from order statistics.

    Parameters
    ----------
    ordered : ndarray, shape (n,)
        Ascending.
    q : float
        In (0, 1).
    days : ndarray of int, shape (n,), optional
        In the order of ``ordered``. With days the ranks are those of the effective number of tickets.

    Returns
    -------
    Estimate
        ``low`` is 0 and ``high`` infinite where so few values give no bound.

    References
    ----------
    .. [1] R. S. Woodruff, "Confidence intervals for medians and other position measures", J. Amer. Statist. Assoc. 47
       (1952) 635–646. doi:10.1080/01621459.1952.10483443.
    """
    n = len(ordered)
    if n == 0:
        return Estimate(value=np.nan)
    value = float(ordered[max(int(np.ceil(q * n - 1e-9)) - 1, 0)])
    below = (ordered <= value).astype(float)
    found = spread((below - below.mean()) / n, days)
    size = n / found.effect
    lower, upper = ranks(size, q, found.critical if found.unit == "day" else _NORMAL)
    low_rank = int(np.floor(lower * n / max(round(size), 1)))
    high_rank = int(np.ceil(upper * n / max(round(size), 1)))
    return Estimate(
        value=value,
        low=float(ordered[low_rank - 1]) if low_rank >= 1 else 0.0,
        high=float(ordered[high_rank - 1]) if upper <= round(size) and high_rank <= n else np.inf,
        n=n,
        how=f"order statistics, by {found.unit}",
    )
