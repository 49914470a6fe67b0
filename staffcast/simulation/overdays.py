"""Days as the unit: figures day by day, their quantiles over days, and intervals for one long course of events.

Two quantiles must not be mixed up. The *pooled* one is over tickets: 95 % of all tickets wait no longer. The one *over
days* is of a figure that each day has: on 90 % of the days the day's own figure is no more than that. A ticket belongs
to the day on which it arrives; days are as ``Staffing.shift`` has them: local ones in a plan, else 24 hours.

Where there are few replications but many days, as of a log replayed, days take the place of replications: batch means,
a day a batch [1]_. Days hang together, as what is left of one waits on the next. So the variance of the mean is that
of independent days times (1 + r) ÷ (1 − r), with r their correlation from one day to the next, 0 at least, and as many
fewer degrees of freedom [2]_; of a single course r is estimated too small, which is mended first [3]_.

- Several replications of sampled demand: days are compared with the same day of the others, so that a Monday that is
  always busy counts as no doubt.
- One, or a trace: days are compared with each other, or with those of the same weekday (``cycle=7``). Without it what
  weekdays differ by counts as doubt, and intervals are rather too wide.

References
----------
.. [1] A. M. Law, "Simulation Modeling and Analysis", 5th ed., 2015, section 9.5.3; batch means.
.. [2] J. R. Bence, "Analysis of short time series: correcting for autocorrelation", Ecology 76(2), 1995, pp. 628–639,
   doi:10.2307/1941218.
.. [3] F. H. C. Marriott, J. A. Pope, "Bias in the estimation of autocorrelations", Biometrika 41(3/4), 1954,
   pp. 390–402, doi:10.1093/biomet/41.3-4.390.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from staffcast.contracts import bad_value
from staffcast.simulation.checks import FloatArray, IntArray, numbers
from staffcast.simulation.intervals import leaning
from staffcast.simulation.openings import days_of
from staffcast.simulation.replication import play_replication
from staffcast.simulation.sampling import Case
from staffcast.simulation.tally import TICKET_STATS, TIME_STATS

__all__ = ["BatchInterval", "batch_interval", "day_frame", "over_days_frame"]

_LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
_QUANTILES = {"frt_p50_s": 0.5, "frt_p90_s": 0.9, "frt_p95_s": 0.95}
_FEWEST = 3  # degrees of freedom below which nothing is said
_CLOSEST = 0.9  # beyond it days tell too little of each other to say how much


@dataclass(frozen=True, kw_only=True)
class BatchInterval:
    """A ratio of sums over days with its interval.

    Attributes
    ----------
    value, se, low, high : float
        ``se`` and the interval are NaN with too few days.
    correlation : float
        Of one day with the next, as allowed for: 0 to 0.9.
    """

    value: float
    se: float
    low: float
    high: float
    correlation: float


def batch_interval(
    over: FloatArray, under: FloatArray, *, same: bool = False, cycle: int = 1, confidence: float = 0.95
) -> BatchInterval:
    """Interval of Σ over ÷ Σ under with the day as its unit; see the module's text.

    Parameters
    ----------
    over, under : array (replications, days)
    same : bool
        Whether all replications have the same tickets (a trace): together they are then one course of days.
    cycle : int
        Of one course: compare each day with those so many days apart, ≥ 1.
    confidence : float
        In (0, 1).
    """
    middle, per_day = _divided(float(over.sum()), float(under.sum())), float(under.mean())
    left = over - middle * under
    if same:
        left = left.mean(axis=0, keepdims=True)
    runs, days = left.shape
    if runs > 1:
        left, freedom = left - left.mean(axis=0), days * (runs - 1)
    else:
        phase = np.arange(days) % cycle
        means = np.bincount(phase, left[0]) / np.bincount(phase)
        left, freedom = left - means[phase], days - len(means)
    if freedom < _FEWEST or not per_day > 0:
        return BatchInterval(value=middle, se=math.nan, low=math.nan, high=math.nan, correlation=math.nan)
    squares = float((left**2).sum())
    close = _correlation(left, squares, mend=runs == 1 and cycle == 1)
    wider = (1 + close) / (1 - close)
    error = math.sqrt(squares / freedom * wider / left.size) / per_day
    free = max(freedom / wider, 1.0)
    spread = (left**2).mean() ** 1.5
    skewness = float((left**3).mean() / spread / math.sqrt(left.size / wider)) if spread else 0.0
    reach = float(stdtrit(free, 0.5 + confidence / 2))
    (low,), (high,) = leaning(np.array([middle]), np.array([error]), np.array([skewness]), reach)
    return BatchInterval(value=middle, se=error, low=float(low), high=float(high), correlation=close)


def _correlation(left: FloatArray, squares: float, *, mend: bool) -> float:
    """Of one day with the next; ``mend`` where one mean was taken off a single course."""
    days = left.shape[1]
    if days < 2 or squares == 0:
        return 0.0
    found = float((left[:, 1:] * left[:, :-1]).sum()) / squares * days / (days - 1)
    if mend and days > 3:
        found = (days * found + 1) / (days - 3)
    return float(np.clip(found, 0.0, _CLOSEST))


def day_frame(case: Case, sums: FloatArray, days: npt.ArrayLike | None, quantiles: bool) -> pd.DataFrame:
    """One row per replication and day; columns as :meth:`staffcast.simulation.Outcome.by_day` has them."""
    day = _days(case, days)
    count, runs = int(day.max()) + 1, len(sums)
    first = np.unique(day, return_index=True)[1]
    frame = pd.DataFrame(
        {
            "replication": np.repeat(np.arange(runs), count), "day": np.tile(np.arange(count), runs),
            "start_s": np.tile(case.staffing.edges_s[first], runs),
        }
    )  # fmt: skip
    by_day = _by_day(sums, day)
    frame["offered"] = by_day["offered"].ravel()
    for name, (over, under) in _ratios(case, by_day).items():
        with np.errstate(divide="ignore", invalid="ignore"):
            frame[name] = (over / under).ravel()
    if quantiles:
        waits = _waits(case, runs, day)
        for name, level in _QUANTILES.items():
            frame[name] = [_quantile(each, level) for row in waits for each in row]
    last = [int(np.flatnonzero(day == each)[-1]) for each in range(count)]
    frame["queue_end"] = sums[:, len(TICKET_STATS) + TIME_STATS.index("queue_end"), last].ravel()
    return frame


def over_days_frame(
    case: Case, sums: FloatArray, days: npt.ArrayLike | None, cycle: int, quantiles: bool
) -> pd.DataFrame:
    """One row per measure; columns as :meth:`staffcast.simulation.Outcome.over_days` has them."""
    if isinstance(cycle, bool) or not isinstance(cycle, (int, np.integer)) or cycle < 1:
        raise bad_value("cycle", cycle, "a whole number of days ≥ 1", "7 compares each day with its own weekday")
    day, runs = _days(case, days), len(sums)
    same, count = case.arrivals.rates_per_hour is None, int(day.max()) + 1
    by_day = _by_day(sums, day)
    pairs: dict[str, tuple[float | None, FloatArray, FloatArray]] = {
        name: (None, over, under) for name, (over, under) in _ratios(case, by_day).items()
    }
    own: dict[str, FloatArray] = {}
    pooled = np.empty(0)
    if quantiles:
        waits = _waits(case, runs, day)
        pooled = np.sort(np.concatenate([each for row in waits for each in row]))
        found = np.array([[len(each) for each in row] for row in waits], dtype=np.float64)
        for name, level in _QUANTILES.items():
            value = _quantile(pooled, level)
            upto = np.array([[np.count_nonzero(each <= value) for each in row] for row in waits], dtype=np.float64)
            pairs[name] = (level, upto, found)
            own[name] = np.array([[_quantile(each, level) for each in row] for row in waits])
    rows = []
    for name, (wanted, over, under) in pairs.items():
        whole = batch_interval(over, under, same=same, cycle=int(cycle))
        with np.errstate(divide="ignore", invalid="ignore"):
            each = own.get(name, over / under)
        value, low, high = whole.value, whole.low, whole.high
        if wanted is not None:
            # Woodruff, as in intervals.quantile_interval: shares that the quantile's own may be, read as quantiles.
            value, low, high = (
                _quantile(pooled, wanted + (share - whole.value)) for share in (whole.value, whole.low, whole.high)
            )
        known = ~np.isnan(each)
        mean = batch_interval(np.where(known, each, 0.0), known.astype(np.float64), same=same, cycle=int(cycle))
        spread = np.full(len(_LEVELS), np.nan)
        if known.any():
            spread = np.quantile(each[known], _LEVELS, method="inverted_cdf")
        rows.append(
            {
                "measure": name, "pooled": value, "pooled_low": low, "pooled_high": high, "days_mean": mean.value,
                "days_mean_low": mean.low, "days_mean_high": mean.high,
                **{f"days_p{round(100 * q):02d}": v for q, v in zip(_LEVELS, spread, strict=True)},
                "days": count if same else count * runs, "correlation": whole.correlation,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _ratios(case: Case, by_day: dict[str, FloatArray]) -> dict[str, tuple[FloatArray, FloatArray]]:
    offered = by_day["offered"]
    decided = by_day["decided"] if case.target is not None else np.zeros_like(offered)
    return {
        "mean_wait_s": (by_day["wait_s"], offered),
        "frt_mean_s": (by_day["frt_s"], offered - by_day["abandoned"]),
        "service_level": (by_day["hits"], decided),
        "p_wait": (by_day["waited"], offered),
        "p_abandon": (by_day["abandoned"], offered),
    }


def _by_day(sums: FloatArray, day: IntArray) -> dict[str, FloatArray]:
    """Ticket sums by replication and day."""
    count = int(day.max()) + 1
    out = np.zeros((len(sums), len(TICKET_STATS), count))
    for each in range(count):
        out[:, :, each] = sums[:, : len(TICKET_STATS), day == each].sum(axis=2)
    return dict(zip(TICKET_STATS, np.moveaxis(out, 1, 0), strict=True))


def _waits(case: Case, runs: int, day: IntArray) -> list[list[FloatArray]]:
    """First response times by replication and day, sorted; found by playing each replication again."""
    edges, count = case.staffing.edges_s, int(day.max()) + 1
    out = []
    for replication in range(runs):
        played = play_replication(case, replication)
        there = ~played.abandoned & (np.arange(len(played.arrival_s)) >= played.backlog)
        came = played.arrival_s[there]
        frt = played.left_queue_s[there] - came + case.first_reply_s
        on = day[np.clip(np.searchsorted(edges, came, side="right") - 1, 0, len(day) - 1)]
        out.append([np.sort(frt[on == each]) for each in range(count)])
    return out


def _quantile(ascending: FloatArray, level: float) -> float:
    """The smallest value that at least this share does not exceed; NaN of nothing."""
    if not len(ascending) or math.isnan(level):
        return math.nan
    place = math.ceil(level * len(ascending) - 1e-9 * len(ascending)) - 1
    return float(ascending[min(max(place, 0), len(ascending) - 1)])


def _days(case: Case, days: npt.ArrayLike | None) -> IntArray:
    if days is None:
        return days_of(case)
    n = len(case.staffing.agents)
    labels = numbers("days", days)
    if labels.shape != (n,):
        raise bad_value("days", f"shape {labels.shape}", f"one label per interval, shape ({n},)")
    if (np.diff(labels) < 0).any():
        raise bad_value("days", "labels that fall", "labels that never fall from one interval to the next")
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _divided(over: float, under: float) -> float:
    return over / under if under else math.nan
