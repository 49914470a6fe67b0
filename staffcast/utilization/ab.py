"""Two bot scripts, two survey forms: the difference of any KPI with an honest interval, and the sample it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from staffcast.contracts import Calendar, InputError, Target, bad_value
from staffcast.tickets import TicketLog
from staffcast.utilization.catalogue import Facts, Measure, Sample, find_kpi
from staffcast.utilization.estimate import FEWEST_DAYS, wilson
from staffcast.utilization.kpi import thresholds
from staffcast.utilization.survival import kaplan_meier

__all__ = ["compare_variants"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Unit = Literal["auto", "ticket", "customer", "day"]

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_FEWEST = 10
_RESAMPLES = 1000
_Z = float(stats.norm.ppf(0.975))
# From so many tickets a customer on, the customers are the sample.
_REPEATS = 1.02


@dataclass(frozen=True, kw_only=True)
class _Arm:
    """One variant: value, each ticket's influence on it, and the units."""

    value: float
    influence: Floats
    units: Ints

    @property
    def variance(self) -> float:
        number = len(np.unique(self.units))
        sums = np.bincount(np.unique(self.units, return_inverse=True)[1], weights=self.influence)
        return float(np.sum(sums**2)) * number / max(number - 1, 1)

    @property
    def freedom(self) -> int:
        return len(np.unique(self.units)) - 1


def compare_variants(
    log: TicketLog,
    calendars: Mapping[str, Calendar],
    *,
    column: str,
    kpi: str,
    unit: Unit = "auto",
    clock: str = "business",
    target: Target | Mapping[str, Target] | None = None,
    difference: float | None = None,
    power: float = 0.8,
    repeat_days: float = 7.0,
    seed: int = 1,
) -> pd.DataFrame:
    """Compare a KPI between the variants that a column names, each with the first in order.

    Parameters
    ----------
    log : TicketLog
    calendars : mapping
        Calendar of each queue.
    column : str
        Any column of the log; tickets without a value are left out.
    kpi : str
        A name of :func:`kpi_names` that is no count.
    unit : {"auto", "ticket", "customer", "day"}
        What is independent. ``auto``: the day where each day has one variant only; the customer where customers come
        back; else the ticket.
    clock : str
        A name of ``CLOCKS``.
    target : Target or mapping, optional
        Threshold of ``frt_human_within``.
    difference : float, optional
        In the KPI's unit: how many tickets a variant needs to show it is worked out.
    power : float
        Probability with which it should be shown, in (0.5, 1).
    repeat_days : float
        As in :func:`kpi_long`.
    seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        One row per further variant: ``kpi, a, b, value_a, value_b, plain_a, plain_b`` (durations: of the ended alone),
        ``n_a, n_b, difference`` (b − a), ``low, high`` (95 %), ``verdict`` (``higher``, ``lower``: b against a;
        ``undecided``), ``unit, method, detectable`` (the smallest difference that so many tickets show with the power)
        and ``needed`` (tickets per variant for ``difference``).

    Raises
    ------
    InputError
        Unknown column, KPI or unit; fewer than two variants; fewer than ten tickets or, by day, five days in one.

    Notes
    -----
    Means: Welch's t of the units' sums (B. L. Welch, Biometrika 34 (1947) 28–35, doi:10.1093/biomet/34.1-2.28). Shares:
    R. G. Newcombe's hybrid score interval (Statistics in Medicine 17 (1998) 873–890), of the effective sample where
    units hold several tickets. Quantiles: bootstrap of the units, percentile interval (B. Efron, R. Tibshirani, "An
    Introduction to the Bootstrap", 1993, ch. 13), of the Kaplan–Meier curve where some still wait.
    """
    measure, statistic = find_kpi(kpi)
    if measure.kind == "count":
        raise bad_value("kpi", kpi, "a mean, share or quantile", "a count depends on how much traffic a variant got")
    if column not in log.frame:
        found = ", ".join(log.frame.columns)
        raise bad_value("column", column, "a column that the log has", f"its columns are {found}")
    if unit not in ("auto", "ticket", "customer", "day"):
        raise bad_value("unit", unit, "auto, ticket, customer or day")
    if not 0.5 < power < 1:
        raise bad_value("power", power, "in (0.5, 1)")
    if difference is not None and not (math.isfinite(difference) and difference != 0):
        raise bad_value("difference", difference, "a number other than 0")
    missing = [c for c in measure.needs if c not in log.frame]
    if missing:
        raise bad_value("kpi", kpi, "a KPI that the log can tell", f"it lacks {', '.join(missing)}")
    limits = thresholds(log.frame["queue"], target).to_numpy(dtype=float)
    facts = Facts(log=log, calendars=calendars, clock=clock, within_s=limits, repeat_days=repeat_days)
    sample = measure.make(facts)
    use = ~np.isnan(sample.values) & log.frame[column].notna().to_numpy() & log.frame[measure.time].notna().to_numpy()
    variant = log.frame[column].astype("string").where(use)
    names = sorted(str(v) for v in variant.dropna().unique())
    if len(names) < 2:
        raise InputError(f"`{column}` has {len(names)} variants with {kpi}; a comparison takes two")
    units, what = _units(log.frame, measure.time, variant, use, unit)
    rows = []
    for other in names[1:]:
        own = [np.flatnonzero((variant == name).fillna(value=False).to_numpy(dtype=bool)) for name in (names[0], other)]
        for name, index in zip((names[0], other), own, strict=True):
            _enough(name, len(index), len(np.unique(units[index])), what)
        made = _compared(measure, statistic, sample, own, units, seed)
        made |= {name: _plain(sample, statistic, rows) for name, rows in zip(("plain_a", "plain_b"), own, strict=True)}
        rows.append({"kpi": kpi, "a": names[0], "b": other, "unit": what, **made})
    table = pd.DataFrame(rows)
    return _with_needs(table, difference, power)


def _plain(sample: Sample, statistic: str, rows: Ints) -> float:
    """A duration's figure of those that ended alone, as the short table of KPIs has it; NaN for other KPIs."""
    if sample.ended is None or not sample.ended[rows].any():
        return math.nan
    ended = sample.values[rows][sample.ended[rows]]
    return float(np.quantile(ended, _QUANTILES[statistic]) if statistic in _QUANTILES else ended.mean())


def _units(
    frame: pd.DataFrame, time: str, variant: pd.Series, use: npt.NDArray[np.bool_], unit: Unit
) -> tuple[Ints, str]:
    days = frame[time].dt.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
    customers = np.arange(len(frame))
    known = frame["customer_id"].notna().to_numpy() if "customer_id" in frame else np.zeros(len(frame), dtype=bool)
    if known.any():
        codes, _ = pd.factorize(frame["customer_id"])
        customers = np.where(known, codes, len(frame) + np.arange(len(frame)))
    if unit == "auto":
        by_day = pd.DataFrame({"day": days[use], "variant": variant[use].to_numpy()})
        most = by_day.groupby("day")["variant"].nunique()
        repeats = int((use & known).sum()) / max(len(np.unique(customers[use & known])), 1)
        unit = "customer" if repeats > _REPEATS else "ticket"
        if most.max() == 1 and len(most) > 1:
            unit = "day"
    if unit == "customer" and not known.any():
        raise bad_value("unit", unit, "day or ticket", "the log lacks customer_id")
    return {"day": days, "customer": customers, "ticket": np.arange(len(frame))}[unit], unit


def _enough(name: str, tickets: int, units: int, what: str) -> None:
    if tickets < _FEWEST:
        raise InputError(f"variant {name!r} has {tickets} tickets with this KPI; at least {_FEWEST} are needed")
    if units < FEWEST_DAYS:
        raise InputError(
            f"variant {name!r} has {units} {what}s; where the {what} is the unit at least {FEWEST_DAYS} are needed"
        )


def _compared(
    measure: Measure, statistic: str, sample: Sample, own: list[Ints], units: Ints, seed: int
) -> dict[str, object]:
    if statistic in _QUANTILES:
        return _bootstrapped(sample, _QUANTILES[statistic], own, units, seed)
    a, b = (_arm(measure, sample, rows, units[rows]) for rows in own)
    joint = np.bincount(
        np.unique(np.concatenate([a.units, b.units]), return_inverse=True)[1],
        weights=np.concatenate([-a.influence, b.influence]),
    )
    apart = a.variance + b.variance
    # A customer who met both variants counts in both: their parts of the difference are not independent.
    shared = len(joint) < len(np.unique(a.units)) + len(np.unique(b.units))
    variance = float(np.sum(joint**2)) * len(joint) / (len(joint) - 1) if shared else apart
    change = b.value - a.value
    out: dict[str, object] = {
        "value_a": a.value, "value_b": b.value, "n_a": len(own[0]), "n_b": len(own[1]), "difference": change,
    }  # fmt: skip
    freedom = apart**2 / (a.variance**2 / a.freedom + b.variance**2 / b.freedom) if apart > 0 else math.inf
    critical = float(stats.t.ppf(0.975, freedom)) if math.isfinite(freedom) else _Z
    if measure.kind == "share":
        joint_part = variance / apart if apart > 0 else 1.0
        low, high = _newcombe(a, b, joint_part, critical, units_are_tickets=_single(units, own))
        method = "Newcombe"
    else:
        low, high = change - critical * math.sqrt(variance), change + critical * math.sqrt(variance)
        method = "Welch"
    return out | {
        "low": low, "high": high, "method": method, "se": math.sqrt(variance),
        "spread": a.variance * len(own[0]) + b.variance * len(own[1]),
    }  # fmt: skip


def _single(units: Ints, own: list[Ints]) -> bool:
    rows = np.concatenate(own)
    return len(np.unique(units[rows])) == len(rows)


def _arm(measure: Measure, sample: Sample, rows: Ints, units: Ints) -> _Arm:
    values = sample.values[rows]
    n = len(values)
    if measure.kind == "duration":
        ended = sample.ended[rows] if sample.ended is not None else np.ones(n, dtype=bool)
        if not ended.all():
            curve = kaplan_meier(values, ended)
            return _Arm(value=curve.mean_estimate().value, influence=curve.mean_influence(), units=units)
    if measure.kind == "nps":
        values = 100 * ((values >= 9).astype(float) - (values <= 6))
    weights = np.full(n, 1 / n) if sample.weights is None else sample.weights[rows] / sample.weights[rows].sum()
    centre = float(np.sum(weights * values))
    return _Arm(value=centre, influence=weights * (values - centre), units=units)


def _newcombe(a: _Arm, b: _Arm, joint: float, critical: float, *, units_are_tickets: bool) -> tuple[float, float]:
    """Hybrid score interval; each share has the sample that its own variance amounts to."""
    bounds = []
    for arm in (a, b):
        n = float(len(arm.influence))
        binomial = arm.value * (1 - arm.value) / n
        effect = 1.0 if units_are_tickets or binomial == 0 else max(arm.variance / binomial, 1.0)
        z = _Z if units_are_tickets else critical
        bounds.append(wilson(arm.value * n / effect, n / effect, z))
    (low_a, high_a), (low_b, high_b) = bounds
    change, scale = b.value - a.value, math.sqrt(joint)
    low = change - scale * math.hypot(b.value - low_b, high_a - a.value)
    return low, change + scale * math.hypot(high_b - b.value, a.value - low_a)


def _bootstrapped(sample: Sample, q: float, own: list[Ints], units: Ints, seed: int) -> dict[str, object]:
    draw = np.random.default_rng(seed)
    arms = []
    for rows in own:
        values = sample.values[rows]
        ended = sample.ended[rows] if sample.ended is not None else np.ones(len(rows), dtype=bool)
        order = np.lexsort((~ended, values))  # at one time the ended go before those who still wait
        arms.append((values[order], ended[order], units[rows][order]))
    everyone, codes = np.unique(np.concatenate([arm[2] for arm in arms]), return_inverse=True)
    split = len(arms[0][0])
    parts = [codes[:split], codes[split:]]
    present = [np.unique(part) for part in parts]
    shared = len(np.intersect1d(present[0], present[1])) > 0
    drawn = np.empty((_RESAMPLES, 2))
    for k in range(_RESAMPLES):
        joint = np.bincount(draw.integers(0, len(everyone), len(everyone)), minlength=len(everyone)) if shared else None
        for arm in (0, 1):
            times = joint
            if times is None:
                picked = present[arm][draw.integers(0, len(present[arm]), len(present[arm]))]
                times = np.bincount(picked, minlength=len(everyone))
            drawn[k, arm] = _weighted_quantile(arms[arm][0], arms[arm][1], times[parts[arm]].astype(float), q)
    value = [_weighted_quantile(v, e, np.ones(len(v)), q) for v, e, _ in arms]
    with np.errstate(invalid="ignore"):
        change = drawn[:, 1] - drawn[:, 0]
    change = change[~np.isnan(change)]
    low, high = np.quantile(change, [0.025, 0.975], method="inverted_cdf") if len(change) else (-np.inf, np.inf)
    own_variance = [float(np.var(drawn[:, k])) if np.isfinite(drawn[:, k]).all() else math.inf for k in (0, 1)]
    return {
        "value_a": value[0], "value_b": value[1], "n_a": len(own[0]), "n_b": len(own[1]),
        "difference": value[1] - value[0] if np.isfinite(value).any() else math.nan,
        "low": float(low), "high": float(high), "method": "bootstrap",
        "se": float(change.std()) if np.isfinite(change).all() and len(change) else math.inf,
        "spread": own_variance[0] * len(own[0]) + own_variance[1] * len(own[1]),
    }  # fmt: skip


def _weighted_quantile(values: Floats, ended: npt.NDArray[np.bool_], weights: Floats, q: float) -> float:
    at_risk = np.cumsum(weights[::-1])[::-1]
    step = np.divide(weights * ended, at_risk, out=np.zeros(len(values)), where=at_risk > 0)
    reached = np.flatnonzero(np.cumprod(1 - step) <= 1 - q + 1e-9)
    return float(values[reached[0]]) if len(reached) else math.inf


def _with_needs(table: pd.DataFrame, difference: float | None, power: float) -> pd.DataFrame:
    reach = _Z + float(stats.norm.ppf(power))
    detectable = reach * table["se"]
    needed = np.nan if difference is None else np.ceil(table["spread"] * (reach / difference) ** 2)
    verdict = np.where(table["low"] > 0, "higher", np.where(table["high"] < 0, "lower", "undecided"))
    out = table.assign(verdict=verdict, detectable=detectable, needed=needed)
    return out[
        ["kpi", "a", "b", "value_a", "value_b", "plain_a", "plain_b", "n_a", "n_b", "difference", "low", "high",
         "verdict", "unit", "method",
         "detectable", "needed"]
    ]  # fmt: skip
