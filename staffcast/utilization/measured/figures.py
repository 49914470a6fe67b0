"""A measured figure with its interval, or what it would take to measure it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.utilization.estimate import Estimate, spread

__all__ = ["ENOUGH", "Figure", "as_table", "day_codes", "of_estimate", "of_ratio", "spread_squared"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# With fewer observations a figure says less than a sound default.
ENOUGH = 50
_COLUMNS = ("queue", "measure", "at", "value", "low", "high", "unit", "n", "few", "since", "until", "note")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure.

    Attributes
    ----------
    measure : str
        What: ``aht``, ``patience``, …
    at : str
        Where it holds: an hour, a weekday, a class; empty: everywhere.
    queue : str
        Empty: of all queues.
    value, low, high : float
        The figure and its 95 % interval; NaN where it could not be measured.
    unit : str
        ``s``, ``share``, ``ratio`` or ``tickets``.
    n : int
        Observations: those that tell about this figure (of patience, who gave up).
    since, until : Timestamp or None
        The span measured.
    note : str
        For people; where nothing could be measured, what the log lacks.
    least : int
        Observations from which on the figure is used.
    """

    measure: str
    at: str = ""
    queue: str = ""
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    unit: str = ""
    n: int = 0
    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    note: str = ""
    least: int = ENOUGH

    @property
    def few(self) -> bool:
        """Whether there are too few observations to plan with."""
        return self.n < self.least

    @property
    def usable(self) -> bool:
        """Whether a plan may rest on it."""
        return not self.few and bool(np.isfinite(self.value))


def as_table(figures: Sequence[Figure]) -> pd.DataFrame:
    """The figures as a table: ``queue, measure, at, value, low, high, unit, n, few, since, until, note``."""
    rows = [[getattr(figure, name) for name in _COLUMNS] for figure in figures]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def of_estimate(measure: str, found: Estimate, unit: str, **rest: object) -> Figure:
    """Figure from an estimate."""
    figure = Figure(measure=measure, value=found.value, low=found.low, high=found.high, n=found.n, unit=unit)
    return replace(figure, **rest)  # type: ignore[arg-type]  # names of Figure's own fields


def day_codes(times: pd.Series) -> Ints:
    """Number of each instant's local day, without wide gaps where there are none in the log."""
    days = times.dt.tz_localize(None).dt.floor("D")
    return np.asarray((days - days.min()).dt.days.to_numpy(), dtype=np.int64)


def of_ratio(total: Floats, weight: Floats, units: Ints | None) -> Estimate:
    """Ratio of sums with an interval that is even on the scale of logarithms.

    Parameters
    ----------
    total, weight : ndarray, shape (n,)
        Of each observation, ≥ 0.
    units : ndarray of int, shape (n,), or None
        Which observations go together (days, agents): see :func:`staffcast.utilization.estimate.spread`.

    Returns
    -------
    Estimate
        NaN where one of the sums is 0. ``n`` counts the observations with weight.

    References
    ----------
    .. [1] W. G. Cochran, "Sampling Techniques", 3rd ed. 1977, ch. 6 (ratio estimators, linearised).

    Examples
    --------
    >>> round(of_ratio(np.array([100.0, 300.0]), np.array([1.0, 1.0]), None).value)
    200
    """
    whole, n = float(weight.sum()), int(np.count_nonzero(weight))
    if whole <= 0 or not total.sum() > 0:
        return Estimate(value=np.nan, n=n)
    value = float(total.sum()) / whole
    found = spread((total - value * weight) / whole, units)
    far = found.critical * found.se / value
    return Estimate(value=value, low=value * np.exp(-far), high=value * np.exp(far), n=n, how=f"by {found.unit}")


def spread_squared(seconds: Floats, units: Ints | None) -> Estimate:
    """Squared coefficient of variation (variance ÷ mean²) with an interval even on the scale of logarithms.

    Parameters
    ----------
    seconds : ndarray, shape (n,)
        Above 0.
    units : ndarray of int, shape (n,), or None
        Which go together.

    Notes
    -----
    The standard error is that of the linearised ratio m₂ ÷ m₁² − 1. Where few tickets are very long it is too small, as
    the longest have not been seen yet. Of 2,000 samples the interval held the true value for 92 % of those of 300
    exponential times and 95 % of 2,000; of lognormal times with CV² = 0.8, for 82 % and 89 %.

    Examples
    --------
    >>> round(spread_squared(np.array([60.0, 120.0, 180.0]), None).value, 3)
    0.167
    """
    n = len(seconds)
    if n < 2 or seconds.min() == seconds.max():
        return Estimate(value=0.0 if n else np.nan, n=n)
    first, second = float(seconds.mean()), float((seconds**2).mean())
    value = second / first**2 - 1
    pull = ((seconds**2 - second) / first**2 - 2 * second * (seconds - first) / first**3) / n
    found = spread(pull, units)
    far = found.critical * found.se / value
    return Estimate(value=value, low=value * np.exp(-far), high=value * np.exp(far), n=n, how=f"by {found.unit}")
