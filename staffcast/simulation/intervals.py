"""Errors and intervals of figures over replications, which are the unit, never the ticket."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from staffcast.simulation.checks import FloatArray, IntArray
from staffcast.simulation.measure import wait_quantiles

__all__ = [
    "Regressed",
    "bounds",
    "centred",
    "gain_frame",
    "leaning",
    "mean_error",
    "quantile_interval",
    "ratio",
    "regressed",
]


def quantile_interval(
    waits: npt.NDArray[np.integer], by_replication: npt.NDArray[np.integer], quantile: float, confidence: float = 0.95,
    strata: IntArray | None = None,
) -> tuple[float, float]:  # fmt: skip
    """Interval of a quantile of the waits pooled over all tickets; the replication is its unit.

    The share of tickets that wait no longer than some time is a ratio of sums over replications. The quantile may be
    any time at which the interval of that share holds the quantile's own (R. S. Woodruff, "Confidence intervals for
    medians and other position measures", JASA 47(260), 1952, pp. 635–646, doi:10.1080/01621459.1952.10483443).

    Parameters
    ----------
    waits : array (fine bins,)
        All tickets.
    by_replication : array (replications, coarse bins)
        The same tickets.
    quantile, confidence : float
        In (0, 1).
    strata : array (replications,), optional
        Stratum of each replication, as many in each.

    Returns
    -------
    low, high : float
        Seconds; NaN with one replication or no ticket.
    """
    count, total = len(by_replication), by_replication.sum(axis=1)
    if count < 2 or not total.any():
        return math.nan, math.nan
    # Only up to the bin of the longest wait: behind it the share is 1.
    last = int(np.flatnonzero(by_replication.any(axis=0))[-1])
    upto = by_replication[:, : last + 1].cumsum(axis=1).astype(np.float64)
    share = upto.sum(axis=0) / total.sum()
    ends = []
    for bound in bounds(upto, total[:, None].astype(np.float64), confidence, strata)[::-1]:
        place = int(np.argmax(bound >= quantile))
        if place == 0:
            ends.append(float(share[0]))
            continue
        inside = (quantile - bound[place - 1]) / (bound[place] - bound[place - 1])
        ends.append(float(share[place - 1] + inside * (share[place] - share[place - 1])))
    low, high = wait_quantiles(waits, np.clip(ends, 1e-12, 1.0))
    return float(low), float(high)


def centred(values: FloatArray, strata: IntArray | None) -> tuple[FloatArray, int]:
    """What values lie off the mean of their stratum (axis 0), and the degrees of freedom; without strata off the mean.

    Strata of which there are equally many replications each: the mean over all is then that over strata, and the sum of
    these squares ÷ (replications × degrees of freedom) its variance (W. G. Cochran, "Sampling Techniques", 3rd ed.,
    1977, section 5.4, equation 5.11).
    """
    if strata is None:
        return values - values.mean(axis=0), len(values) - 1
    order = np.argsort(strata, kind="stable")
    count = int(strata.max()) + 1
    means = values[order].reshape(count, -1, *values.shape[1:]).mean(axis=1)
    return values - means[strata], len(values) - count


def mean_error(values: FloatArray, strata: IntArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Mean over replications (axis 0) and its standard error; NaN with one replication."""
    left, freedom = centred(values, strata)
    if freedom < 1:
        return values.mean(axis=0), np.full(values.shape[1:], np.nan)
    return values.mean(axis=0), np.sqrt((left**2).sum(axis=0) / (len(values) * freedom))


def ratio(over: FloatArray, under: FloatArray, strata: IntArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Ratio of two sums, replications along axis 0, and its standard error by the delta method; NaN for 0 ÷ 0.

    References
    ----------
    .. [1] W. G. Cochran, "Sampling Techniques", 3rd ed., 1977, section 2.11, equation 2.46; of strata 6.11, 6.48.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = over.sum(axis=0) / under.sum(axis=0)
        left, freedom = centred(over - middle * under, strata)
        error = np.sqrt((left**2).sum(axis=0) / (len(over) * max(freedom, 1))) / under.mean(axis=0)
    return middle, error if freedom > 0 else np.full_like(middle, np.nan)


def bounds(over: FloatArray, under: FloatArray, confidence: float = 0.95, strata: IntArray | None = None) -> FloatArray:
    """Interval of ratios of two sums, low and high along axis 0; NaN with one replication or 0 ÷ 0.

    A day's waits are skewed: most are short, a few days are bad. An interval that reaches as far up as down then lies
    too low and holds 87 to 93 % instead of 95; this one is as long on each side as the skewness asks for.

    Parameters
    ----------
    over, under : array (replications, ratios)
        ``under`` may have one column for all.
    confidence : float
        In (0, 1).
    strata : array (replications,), optional
        Stratum of each replication, as many in each.

    References
    ----------
    .. [1] P. Hall, "On the removal of skewness by transformation", Journal of the Royal Statistical Society B 54(1),
       1992, pp. 221–228, doi:10.1111/j.2517-6161.1992.tb01876.x; the monotone cubic.
    """
    count = len(over)
    middle, error = ratio(over, under, strata)
    rest, freedom = centred(over - middle * under, strata)
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = (rest**3).mean(axis=0) / (rest**2).mean(axis=0) ** 1.5 / math.sqrt(count)
    reach = float(stdtrit(freedom, 0.5 + confidence / 2))
    return leaning(middle, error, skewness, reach)


def leaning(middle: FloatArray, error: FloatArray, skewness: FloatArray, reach: float) -> FloatArray:
    """Interval about ``middle``, low and high along axis 0, moved as the skewness of its own distribution asks for.

    Parameters
    ----------
    middle, error, skewness : array (figures,)
    reach : float
        Errors on each side where there is no skewness.
    """
    # Where nothing varies there is none; and below this the transformation is the identity.
    skewness = np.where(np.abs(skewness) > 1e-6, skewness, 1e-6)
    ends = reach * np.array([[1.0], [-1.0]])
    moved = 3 / skewness * (np.cbrt(1 + skewness * (ends - skewness / 6)) - 1)
    return np.asarray(middle - error * moved)


def gain_frame(by_replication: pd.DataFrame, strata: IntArray) -> pd.DataFrame:
    """What the strata gained, measure by measure.

    Returns
    -------
    DataFrame
        ``measure``, ``mean``, ``se`` with the strata, ``plain_se`` without; ``factor``: how many times more independent
        replications the same error takes. Measures with missing values or without variation are left out.
    """
    rows = []
    count = len(strata)
    for name in by_replication:
        values = by_replication[name].to_numpy(dtype=np.float64)
        if np.isnan(values).any() or not np.ptp(values) > 0:
            continue
        left, freedom = centred(values[:, None], strata)
        within = float((left**2).sum()) / freedom
        plain = float(values.var(ddof=1))
        rows.append(
            {
                "measure": name, "mean": float(values.mean()), "se": math.sqrt(within / count),
                "plain_se": math.sqrt(plain / count), "factor": plain / within if within > 0 else math.inf,
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["measure", "mean", "se", "plain_se", "factor"])


@dataclass(frozen=True, kw_only=True)
class Regressed:
    """A mean with and without what it owes to controls."""

    mean: float
    se: float
    plain_mean: float
    plain_se: float
    freedom: int

    @property
    def factor(self) -> float:
        """How many times more replications the plain mean needs for the same error."""
        return (self.plain_se / self.se) ** 2 if self.se > 0 else math.inf


def regressed(values: FloatArray, controls: FloatArray, strata: IntArray | None = None) -> Regressed:
    """Mean of ``values`` with what they owe to controls of mean 0 taken out by least squares.

    Parameters
    ----------
    values : array (replications,)
    controls : array (replications, k)
        Those that do not vary are left out.
    strata : array (replications,), optional

    References
    ----------
    .. [1] S. S. Lavenberg, P. D. Welch, "A perspective on the use of control variables to increase the efficiency of
       Monte Carlo simulations", Management Science 27(3), 1981, pp. 322–335, doi:10.1287/mnsc.27.3.322.
    """
    controls = controls[:, controls.std(axis=0) > 1e-9 * np.maximum(np.abs(controls).max(axis=0), 1e-300)]
    controls = controls / np.maximum(controls.std(axis=0), 1e-300)
    count = len(values)
    apart, freedom = centred(values, strata)
    spread, _ = centred(controls, strata)
    slopes, _, rank, _ = np.linalg.lstsq(spread, apart, rcond=1e-9)
    left, away = apart - spread @ slopes, controls.mean(axis=0)
    plain_se = math.sqrt(float((apart**2).sum()) / (count * max(freedom, 1)))
    rest = max(freedom - int(rank), 1)
    # The slopes' own error counts too: the controls' known means are 0, their sample means are not quite.
    own = 1 / count + float(((away @ np.linalg.pinv(spread, rcond=1e-9)) ** 2).sum())
    return Regressed(
        mean=float(values.mean() - away @ slopes), se=math.sqrt(float((left**2).sum()) / rest * own),
        plain_mean=float(values.mean()), plain_se=plain_se, freedom=rest,
    )  # fmt: skip
