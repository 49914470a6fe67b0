"""What if: volume, handle time, patience, absence, deflection or staff were other; and what each hour of staff buys."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from staffcast.contracts import InputError, Target, bad_value
from staffcast.simulation.customers import Bot
from staffcast.simulation.engine import simulate
from staffcast.simulation.inputs import Arrivals, Staffing
from staffcast.simulation.laws import Patience, Service

__all__ = ["frontier", "sweep"]

_KEPT = (
    "offered", "answered", "abandoned", "service_level", "service_level_low", "service_level_high", "frt_mean_s",
    "frt_p95_s", "utilization", "load", "backlog_end", "expired",
)  # fmt: skip


def sweep(
    arrivals: Arrivals,
    staffing: Staffing,
    service: Service | Sequence[Service] | None,
    *,
    vary: Mapping[str, Sequence[Any]],
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Play every combination of some changes, each against the same random numbers.

    Parameters
    ----------
    arrivals, staffing, service
        As for :func:`simulate`: what is changed.
    vary : mapping of name to values
        ``volume`` (factor on the rates), ``aht`` (factor on the handle times), ``patience`` (factor on the mean
        patience), ``agents`` (whole number added where anybody works), ``staff`` (factor on the agents, rounded up),
        ``absent`` (share), ``deflection`` (share that a bot in front closes), ``target`` (other targets).
    progress : callable, optional
        Called as ``progress(done, total)`` with numbers of combinations.
    **options
        As for :func:`simulate`.

    Returns
    -------
    DataFrame
        One row per combination, the last name varying fastest: the names of ``vary``, ``agent_hours`` of the plan, and
        ``offered``, ``answered``, ``abandoned``, ``service_level`` with its 95 % interval, ``frt_mean_s``,
        ``frt_p95_s``, ``utilization``, ``load``, ``backlog_end``, ``expired`` as in :class:`Summary`.

    Raises
    ------
    InputError
        A name that is not known, no values, a value out of range, volume of a trace.

    Examples
    --------
    >>> edges = [0, 3600, 7200]
    >>> table = sweep(Arrivals.piecewise(edges, [55, 55]), Staffing.steps(edges, [5, 5]), Service.exponential(300),
    ...               vary={"agents": [0, 1], "volume": [1.0, 1.2]}, replications=20, target="80% in 60s")
    >>> table[["agents", "volume", "agent_hours"]].to_numpy().tolist()
    [[0.0, 1.0, 10.0], [0.0, 1.2, 10.0], [1.0, 1.0, 12.0], [1.0, 1.2, 12.0]]
    >>> bool(table["service_level"][2] > table["service_level"][0] > table["service_level"][1])
    True
    """
    known = ("volume", "aht", "patience", "agents", "staff", "absent", "deflection", "target")
    for name, values in vary.items():
        if name not in known:
            raise bad_value("vary", name, f"of {', '.join(known)}")
        if isinstance(values, (str, bytes)) or not len(values):
            raise bad_value(f"vary {name}", values, "a list of at least one value")
    combinations = list(itertools.product(*vary.values()))
    rows = []
    for done, chosen in enumerate(combinations, start=1):
        change = dict(zip(vary, chosen, strict=True))
        rows.append(
            {
                **{k: str(v) if isinstance(v, Target) else v for k, v in change.items()},
                **_one(arrivals, staffing, service, change, options),
            }
        )
        if progress is not None:
            progress(done, len(combinations))
    return pd.DataFrame(rows)


def frontier(table: pd.DataFrame, *, cost: str = "agent_hours", figure: str = "service_level") -> pd.DataFrame:
    """The rows that nothing beats: no other costs as little and does as well.

    Parameters
    ----------
    table : DataFrame
        Of :func:`sweep`, or any with the two columns.
    cost : str
        Less is better.
    figure : str
        More is better for a service level or utilization, less for seconds, tickets left over, or shares that abandon.

    Returns
    -------
    DataFrame
        Some of the rows, by rising cost.

    Examples
    --------
    >>> table = pd.DataFrame({"agent_hours": [10, 12, 12, 14], "service_level": [0.7, 0.8, 0.75, 0.79]})
    >>> frontier(table)["agent_hours"].tolist()
    [10, 12]
    """
    for column in (cost, figure):
        if column not in table:
            raise InputError(f"the table has no column {column!r}; it has {', '.join(map(str, table.columns))}")
    sign = 1.0 if figure in ("service_level", "utilization", "answered") else -1.0
    value = sign * table[figure].to_numpy(dtype=float)
    order = np.lexsort((-value, table[cost].to_numpy(dtype=float)))
    best, kept = -np.inf, []
    for row in order:
        if value[row] > best:
            best = value[row]
            kept.append(row)
    return table.iloc[kept].reset_index(drop=True)


def _one(
    arrivals: Arrivals,
    staffing: Staffing,
    service: Service | Sequence[Service] | None,
    change: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, float]:
    used = dict(options)
    plan = staffing
    if "volume" in change:
        arrivals = _more(arrivals, _factor("volume", change["volume"]))
    if "aht" in change and service is not None:
        factor = _factor("aht", change["aht"])
        service = _longer(service, factor) if isinstance(service, Service) else [_longer(s, factor) for s in service]
    if "patience" in change and used.get("patience") is not None:
        factor, law = _factor("patience", change["patience"]), used["patience"]
        used["patience"] = (
            _patience(law, factor) if isinstance(law, Patience) else [_patience(each, factor) for each in law]
        )
    agents = plan.agents.astype(float)
    if "staff" in change:
        agents = np.ceil(agents * _factor("staff", change["staff"]) - 1e-9)
    if "agents" in change:
        agents = np.where(plan.agents > 0, np.maximum(agents + change["agents"], 0), 0)
    plan = Staffing.steps(plan.edges_s, agents, absent=change.get("absent", plan.absent), shift=plan.shift)
    if "deflection" in change:
        before = used.get("bot")
        used["bot"] = replace(before, share=change["deflection"]) if before else Bot(share=change["deflection"])
    if "target" in change:
        used["target"] = change["target"]
    summary = simulate(arrivals, plan, service, **used).summary
    hours = float((plan.agents * np.diff(plan.edges_s)).sum()) / 3600
    return {"agent_hours": hours, **{name: getattr(summary, name) for name in _KEPT}}


def _factor(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
        raise bad_value(f"vary {name}", value, "a factor > 0", "20 % more is 1.2")
    return float(value)


def _more(arrivals: Arrivals, factor: float) -> Arrivals:
    if arrivals.rates_per_hour is None:
        raise InputError("`vary` volume: a trace has the tickets that it has; give Arrivals.piecewise")
    return replace(
        arrivals, rates_per_hour=arrivals.rates_per_hour * factor,
        lumps=None if arrivals.lumps is None else arrivals.lumps * factor,
        expected=None if arrivals.expected is None else arrivals.expected * factor,
    )  # fmt: skip


def _longer(service: Service, factor: float) -> Service:
    sample = None if service.sample_s is None else service.sample_s * factor
    return replace(service, mean_s=service.mean_s * factor, sample_s=sample)


def _patience(law: Patience, factor: float) -> Patience:
    sample = None if law.sample_s is None else law.sample_s * factor
    return replace(law, mean_s=law.mean_s * factor, sample_s=sample)
