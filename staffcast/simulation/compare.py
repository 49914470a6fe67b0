"""Which of several plans is better, and is that more than luck: the same tickets under each, compared pair by pair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from staffcast.contracts import bad_value
from staffcast.simulation.checks import FloatArray, IntArray
from staffcast.simulation.engine import simulate
from staffcast.simulation.inputs import Arrivals, Staffing
from staffcast.simulation.intervals import centred, regressed
from staffcast.simulation.laws import Service
from staffcast.simulation.outcome import Outcome
from staffcast.simulation.sampling import strata_of

__all__ = ["MEASURES", "Comparison", "compare", "compare_outcomes", "controlled", "luck_of"]

# What plans are compared by, and whether more of it is better.
MEASURES: dict[str, bool | None] = {
    "service_level": True, "frt_mean_s": False, "frt_p95_s": False, "mean_wait_s": False, "p_abandon": False,
    "backlog_end": False, "utilization": None, "overtime_s": False,
}  # fmt: skip
_FEWEST = 20  # replications from which on controls are used
_SHARES = ("service_level", "p_abandon", "p_wait", "utilization")
_SAME_HOURS = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Plans side by side.

    Attributes
    ----------
    plans : DataFrame
        One row per plan: ``plan``, ``agent_hours``, and each measure with ``_low`` and ``_high``, its 95 % interval
        over replications.
    differences : DataFrame
        One row per plan after the first and measure: ``plan``, ``measure``, ``difference`` (plan − first plan),
        ``low``, ``high`` (95 % interval of the paired difference), ``decided`` (the interval does not hold 0),
        ``fewer``: how many times more replications unpaired runs would need for an interval as narrow.
    verdict : str
        One sentence per plan, for people.
    outcomes : mapping of plan to Outcome
    """

    plans: pd.DataFrame
    differences: pd.DataFrame
    verdict: str
    outcomes: Mapping[str, Outcome]


def compare(
    arrivals: Arrivals,
    plans: Mapping[str, Staffing],
    service: Service | Sequence[Service] | None,
    *,
    measures: Sequence[str] | None = None,
    **options: Any,
) -> Comparison:
    """Play several plans against the very same tickets.

    Arrival, handle time, patience and whatever else a customer does belong to the ticket: what differs between two
    plans is then the plan. The unit of every interval is the replication.

    Parameters
    ----------
    arrivals : Arrivals
    plans : mapping of name to Staffing
        Two or more; the others are compared with the first.
    service : Service or sequence of Service
    measures : sequence of str, optional
        Which of the columns of ``Outcome.by_replication``; without it those a planner asks for, the service level only
        with a target.
    **options
        As for :func:`simulate`: replications (at least 2), seed, target, patience …

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        Fewer than two plans, a measure that is not there, and what :func:`simulate` refuses.

    Examples
    --------
    >>> edges = [0, 3600, 7200]
    >>> plans = {"five": Staffing.steps(edges, [5, 5]), "six": Staffing.steps(edges, [5, 6])}
    >>> found = compare(Arrivals.piecewise(edges, [55, 55]), plans, Service.exponential(300), replications=50,
    ...                 target="80% in 60s")
    >>> row = found.differences.set_index("measure").loc["service_level"]
    >>> bool(row["decided"]), bool(row["difference"] > 0), bool(row["fewer"] > 3)
    (True, True, True)
    """
    if not isinstance(plans, Mapping) or len(plans) < 2:
        raise bad_value(
            "plans", plans if isinstance(plans, Mapping) else type(plans).__name__, "two plans or more by name"
        )
    runs = options.get("replications", 100)
    if not isinstance(runs, bool) and isinstance(runs, int) and runs < 2:
        raise bad_value("replications", runs, "at least 2", "one course of events says nothing about another")
    outcomes = {name: simulate(arrivals, plan, service, **options) for name, plan in plans.items()}
    return compare_outcomes(outcomes, measures=measures)


def compare_outcomes(outcomes: Mapping[str, Outcome], *, measures: Sequence[str] | None = None) -> Comparison:
    """Compare plans that were played against the very same tickets, with as many replications each.

    Parameters
    ----------
    outcomes : mapping of plan to Outcome
        The others are compared with the first.
    measures : sequence of str, optional
        As for :func:`compare`.

    Raises
    ------
    InputError
        A measure that is not there.
    """
    first_name, first = next(iter(outcomes.items()))
    usual = [m for m in MEASURES if m != "service_level" or first.case.target is not None]
    asked = list(usual if measures is None else measures)
    for measure in asked:
        if measure not in first.by_replication:
            raise bad_value("measures", measure, f"among {', '.join(first.by_replication.columns)}")
    rows = []
    for name, outcome in outcomes.items():
        hours = outcome.summary.staffed_s / 3600
        row: dict[str, Any] = {"plan": name, "agent_hours": hours}
        for measure in asked:
            row[measure], row[f"{measure}_low"], row[f"{measure}_high"] = _interval(
                _values(outcome, measure), _strata(outcome)
            )
        rows.append(row)
    strata = _strata(first)
    pairs = [
        {"plan": name, "measure": measure, **_paired(_values(outcome, measure), _values(first, measure), strata)}
        for name, outcome in outcomes.items() if name != first_name
        for measure in asked
    ]  # fmt: skip
    differences = pd.DataFrame(pairs)
    table = pd.DataFrame(rows)
    return Comparison(
        plans=table, differences=differences, verdict=_verdict(table, differences, asked), outcomes=outcomes
    )


def controlled(outcome: Outcome, measure: str = "service_level") -> dict[str, float]:
    """A figure with the luck of the draw taken out, as far as it is known to be luck.

    Three things about a replication have known means: how many tickets came beyond those expected on its path, how much
    busier its path is than the mean of all (where ``Arrivals`` says it), and how much longer its handle times are. What
    the figure owes to them is found by least squares and subtracted.

    Parameters
    ----------
    outcome : Outcome
        Of at least 20 replications.
    measure : str
        A column of ``outcome.by_replication``.

    Returns
    -------
    dict
        ``mean``, ``se`` with the luck out; ``plain_mean``, ``plain_se`` without; ``factor``: how many times more
        replications the plain mean needs for the same error.

    References
    ----------
    .. [1] S. S. Lavenberg, P. D. Welch, "A perspective on the use of control variables to increase the efficiency of
       Monte Carlo simulations", Management Science 27(3), 1981, pp. 322–335, doi:10.1287/mnsc.27.3.322.
    """
    table = outcome.by_replication
    if measure not in table:
        raise bad_value("measure", measure, f"among {', '.join(table.columns)}")
    values = table[measure].to_numpy(dtype=float)
    known = ~np.isnan(values)
    if known.sum() < _FEWEST:
        raise bad_value("replications", int(known.sum()), f"at least {_FEWEST} with a {measure}")
    values = values[known]
    controls = luck_of(outcome)[known]
    found = regressed(values, controls, _strata(outcome) if known.all() else None)
    return {
        "mean": found.mean, "se": found.se, "plain_mean": found.plain_mean, "plain_se": found.plain_se,
        "factor": found.factor,
    }  # fmt: skip


def luck_of(outcome: Outcome) -> FloatArray:
    """What is known to be luck of each replication, with mean 0; (replications, controls)."""
    names = ["came_extra", "work_extra_s"]
    if outcome.case.arrivals.expected is not None:
        # Beside the mean of the paths played it is 0 on average whatever these are: that hides their own luck.
        names.append("busier")
    return outcome.by_replication[names].to_numpy(dtype=np.float64)


def _values(outcome: Outcome, measure: str) -> FloatArray:
    return outcome.by_replication[measure].to_numpy(dtype=float)


def _strata(outcome: Outcome) -> IntArray | None:
    return strata_of(outcome.case, outcome.summary.replications)


def _interval(values: FloatArray, strata: IntArray | None) -> tuple[float, float, float]:
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return (float(known.mean()) if len(known) else math.nan), math.nan, math.nan
    mean = float(known.mean())
    left, freedom = centred(known, strata if len(known) == len(values) else None)
    margin = float(stdtrit(freedom, 0.975)) * math.sqrt(float((left**2).sum()) / (len(known) * freedom))
    return mean, mean - margin, mean + margin


def _paired(values: FloatArray, first: FloatArray, strata: IntArray | None) -> dict[str, Any]:
    both = ~(np.isnan(values) | np.isnan(first))
    difference, low, high = _interval(values - first, strata)
    paired = float((values[both] - first[both]).var(ddof=1)) if both.sum() > 1 else math.nan
    apart = float(values[both].var(ddof=1) + first[both].var(ddof=1)) if both.sum() > 1 else math.nan
    return {
        "difference": difference, "low": low, "high": high, "decided": bool(low > 0 or high < 0),
        "fewer": apart / paired if paired > 0 else math.nan,
    }  # fmt: skip


def _verdict(plans: pd.DataFrame, differences: pd.DataFrame, asked: Sequence[str]) -> str:
    """The first measure asked for, in words, plan by plan."""
    measure = asked[0]
    first = plans.iloc[0]
    better = MEASURES.get(measure)
    lines = []
    scale, unit = 1.0, " s" if measure.endswith("_s") else ""
    if measure in _SHARES:
        scale, unit = 100.0, " points"
    hours = dict(zip(plans["plan"], plans["agent_hours"].astype(float), strict=True))
    rows = differences[differences["measure"] == measure]
    for name, *values in zip(
        *(rows[c].tolist() for c in ("plan", "difference", "low", "high", "decided")), strict=True
    ):
        difference, low, high = (scale * value for value in values[:3])
        more = hours[name] - float(first["agent_hours"])
        cost = f"{abs(more):.1f} agent hours {'more' if more > 0 else 'fewer'}"
        if abs(more) < _SAME_HOURS:
            cost = "as many agent hours"
        word = "higher" if difference > 0 else "lower"
        if not values[3]:
            word = "no difference beyond chance"
        elif better is not None:
            word = "better" if (difference > 0) == better else "worse"
        size = f"{difference:+.2f}{unit} ({low:+.2f} to {high:+.2f})"
        lines.append(f"{name} against {first['plan']}: {measure} {size}, {word}, with {cost}.")
    return "\n".join(lines)
