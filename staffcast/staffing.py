"""From demand to the agents needed: the queueing engine and the rules, interval by interval, with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import DEMAND, InputError, Target, format_duration, format_share
from staffcast.contracts.files import read_table
from staffcast.erlang import Staffing, required_agents
from staffcast.forecast import Demand
from staffcast.scenario import QueueRules, Scenario

__all__ = [
    "apply_what_if",
    "pooling_gain",
    "read_demand",
    "require_handle_times",
    "spread_carried",
    "staff",
    "with_handle_times",
]


def apply_what_if(demand: Demand, scenario: Scenario) -> Demand:
    """Change the demand as the scenario's ``[what_if]`` says.

    Volume and deflection scale tickets and their quantiles; the relative uncertainty stays. A handle time that the
    scenario itself gives is changed by ``aht`` too.
    """
    change = scenario.what_if
    factor = change.volume * (1 - change.deflection)
    if factor == 1 and change.aht == 1:
        return demand
    frame = demand.frame.copy()
    counts = [c for c in frame.columns if c in ("mean", "carried") or (c.startswith("q") and c[1:2].isdigit())]
    frame[counts] *= factor
    frame["aht_s"] *= change.aht
    return replace(demand, frame=frame)


def read_demand(path: str | Path, scenario: Scenario) -> Demand:
    """Read a demand table that ``staffcast forecast`` wrote or a planner edited, ready to be staffed.

    What the table says stands: the scenario's handle time only fills rows that have none, and its what-if changes are
    in the table already.

    Raises
    ------
    InputError
        The table breaks its contract, or a queue has no handle time.
    """
    frame = read_table(path, DEMAND, zone=scenario.zone)
    try:
        demand = Demand.from_frame(frame, seed=scenario.seed)
    except InputError as error:
        raise error if error.file is not None else InputError(str(error), file=path) from None
    filled = demand.frame.copy()
    for queue in demand.queues:
        empty = (filled["unique_id"] == queue) & filled["aht_s"].isna()
        filled.loc[empty, "aht_s"] = scenario.for_queue(queue).aht_s
    require_handle_times(filled, scenario)
    return replace(demand, frame=filled)


def require_handle_times(frame: pd.DataFrame, scenario: Scenario) -> None:
    """Check that every queue has a handle time, measured (``aht_s``) or from the scenario.

    Raises
    ------
    InputError
        A queue has neither.
    """
    for queue, rows in frame.groupby("unique_id", sort=False):
        measured = "aht_s" in rows and rows["aht_s"].notna().any()
        if not measured and scenario.for_queue(str(queue)).aht_s is None:
            raise InputError(
                f"queue {str(queue)!r} has no handle time: nothing in handle_s or aht_s; say it with --aht 6m, or in "
                f'the scenario as aht = "6m" or under [queues.{queue}]'
            )


def with_handle_times(demand: Demand, scenario: Scenario) -> Demand:
    """Put the scenario's handle times in place of the measured ones."""
    frame = demand.frame.copy()
    for queue in demand.queues:
        seconds = scenario.for_queue(queue).aht_s
        if seconds is not None:
            frame.loc[frame["unique_id"] == queue, "aht_s"] = seconds
    return replace(demand, frame=frame)


def staff(demand: Demand, scenario: Scenario) -> pd.DataFrame:
    """Fewest agents per queue and interval that meet the FRT target and the band.

    Parameters
    ----------
    demand : Demand
        With handle times (:func:`with_handle_times`).
    scenario : Scenario
        Target, band, shrinkage and minimum of each queue.

    Returns
    -------
    DataFrame
        The requirement table: ``unique_id, ds, open, mean, worked`` (see :func:`spread_carried`), ``aht_s, load_erl,
        agents, rostered, binding, occupancy, band_gap`` (how far below the band's bottom, as a share),
        ``service_level`` (share within the target's seconds), ``frt_mean_s, frt_p50_s, frt_p90_s, frt_p95_s,
        frt_p99_s, frt_agents, occupancy_agents, one_fewer, reason``. Closed intervals need nobody; ``occupancy`` is
        empty where nobody works.
    """
    hours = demand.minutes / 60
    parts = []
    for queue in demand.queues:
        rows = demand.of(queue)
        rules = scenario.for_queue(queue)
        opened = rows["open"].to_numpy()
        worked = spread_carried(
            rows["mean"].to_numpy(),
            rows["carried"].to_numpy(),
            opened,
            max(round(rules.clear_within_s / 3600 / hours), 1),
        )
        found = required_agents(
            arrivals_per_hour=worked / hours,
            aht_s=rows["aht_s"].to_numpy(),
            target=rules.frt,
            band=rules.band,
            first_reply_s=rules.first_reply_s,
            minimum=np.where(opened, rules.minimum, 0),
            rate_cv=rows["rate_cv"].to_numpy() if scenario.uncertain_rate else 0.0,
        )
        parts.append(_table(rows, worked, found, rules))
    return pd.concat(parts, ignore_index=True)


def spread_carried(
    mean: npt.NDArray[np.float64], carried: npt.NDArray[np.float64], opened: npt.NDArray[np.bool_], intervals: int
) -> npt.NDArray[np.float64]:
    """Tickets to be worked on per interval when those that waited for opening are taken up bit by bit.

    Staffing the first interval so that all of a weekend's tickets are answered at once would call in a crowd for half
    an hour; a planner lets a normal crew work them off.

    Parameters
    ----------
    mean, carried, opened : ndarray, shape (n,)
        As in the demand table.
    intervals : int
        Open intervals from opening over which ``carried`` is spread evenly; fewer where the queue closes sooner.

    Returns
    -------
    ndarray, shape (n,)
        With the same sum as ``mean``.

    Examples
    --------
    >>> spread_carried(np.array([0.0, 10, 4, 4]), np.array([0.0, 6, 0, 0]), np.array([False, True, True, True]), 2)
    array([0., 7., 7., 4.])
    """
    worked = mean - carried
    for start in np.flatnonzero(carried > 0).tolist():
        closing = np.flatnonzero(~opened[start : start + intervals])
        stop = start + (int(closing[0]) if len(closing) else min(intervals, len(mean) - start))
        worked[start:stop] += carried[start] / (stop - start)
    return np.asarray(worked, dtype=float)


def pooled_demand(demand: Demand) -> Demand:
    """The same tickets as one queue that everybody answers, open whenever any of them is."""
    blocks = [demand.of(queue) for queue in demand.queues]
    mean = np.sum([b["mean"].to_numpy() for b in blocks], axis=0)
    carried = np.sum([b["carried"].to_numpy() for b in blocks], axis=0)
    work = np.sum([(b["mean"] * b["aht_s"]).to_numpy() for b in blocks], axis=0)
    spread = np.sqrt(np.sum([(b["mean"] * b["rate_cv"]).to_numpy() ** 2 for b in blocks], axis=0))
    usual = float(np.mean([b["aht_s"].mean() for b in blocks]))
    frame = pd.DataFrame(
        {
            "unique_id": "pooled",
            "ds": blocks[0]["ds"],
            "open": np.logical_or.reduce([b["open"].to_numpy() for b in blocks]),
            "mean": mean,
            "carried": carried,
            "aht_s": np.divide(work, mean, out=np.full(len(mean), usual), where=mean > 0),
            "rate_cv": np.divide(spread, mean, out=np.zeros(len(mean)), where=mean > 0),
        }
    )
    return Demand.from_frame(frame, seed=demand.seed)


def pooling_gain(demand: Demand, requirement: pd.DataFrame, scenario: Scenario) -> dict[str, float] | None:
    """What one pooled crew would need, held to the strictest of the queues' targets.

    Returns
    -------
    dict or None
        ``agent_hours`` and ``occupancy`` with separate crews, ``pooled_agent_hours`` and ``pooled_occupancy`` with
        one; None for a single queue. Queues are taken to be busy independently of each other, and everybody to be
        as quick at every queue's tickets.
    """
    if len(demand.queues) < 2:
        return None
    hours = demand.minutes / 60
    strictest = min((scenario.for_queue(q).frt for q in demand.queues), key=lambda t: (t.seconds, -t.level))
    rules = replace(scenario.rules, frt=strictest)
    pooled = staff(pooled_demand(demand), replace(scenario, rules=rules, queues={}))
    figures = {}
    for name, table in (("", requirement), ("pooled_", pooled)):
        figures[f"{name}agent_hours"] = float(table["agents"].sum()) * hours
        figures[f"{name}occupancy"] = float(table["load_erl"].sum() / max(table["agents"].sum(), 1))
    return figures


def _table(rows: pd.DataFrame, worked: npt.NDArray[np.float64], found: Staffing, rules: QueueRules) -> pd.DataFrame:
    working = found.agents > 0
    return pd.DataFrame(
        {
            "unique_id": rows["unique_id"],
            "ds": rows["ds"],
            "open": rows["open"],
            "mean": rows["mean"],
            "worked": worked,
            "aht_s": rows["aht_s"],
            "load_erl": found.load_erl,
            "agents": found.agents,
            "rostered": [rules.shrinkage.rostered(int(n)) for n in found.agents],
            "binding": found.binding,
            "occupancy": np.where(working, found.occupancy, np.nan),
            "band_gap": found.band_gap,
            "service_level": found.service_level,
            **{
                # Where a rate overloads the crew the wait has no bound; an empty cell says so better than "inf".
                name: np.where(np.isfinite(getattr(found, name)), getattr(found, name), np.nan)
                for name in ("frt_mean_s", "frt_p50_s", "frt_p90_s", "frt_p95_s", "frt_p99_s")
            },
            "frt_agents": found.frt_agents,
            "occupancy_agents": found.occupancy_agents,
            "one_fewer": found.one_fewer,
            "reason": _reasons(found, rules, rows["open"].to_numpy()),
        }
    )


def _reasons(found: Staffing, rules: QueueRules, opened: npt.NDArray[np.bool_]) -> list[str]:
    """Why this number, in a sentence a planner can check."""
    out = []
    for i, agents in enumerate(found.agents):
        binding = str(found.binding[i])
        if binding == "none":
            out.append("no demand" if opened[i] else "closed")
        elif binding == "minimum":
            out.append(
                f"minimum of {agents}; demand alone asks for {max(found.frt_agents[i], found.occupancy_agents[i])}"
            )
        elif binding == "occupancy":
            top = rules.band.top if rules.band is not None else 1.0
            out.append(
                f"{agents - 1} would be {format_share(found.one_fewer[i], 1)} occupied, above {format_share(top)}; "
                f"FRT alone asks for {found.frt_agents[i]}"
            )
        else:
            now, fewer = _figure(rules.frt, found, i), _fewer(rules.frt, found.one_fewer[i])
            text = f"{rules.frt}: {now} with {agents}, {fewer} with {agents - 1}"
            if found.band_gap[i] > 0 and rules.band is not None:
                text += f"; {100 * found.band_gap[i]:.1f} points below the band {rules.band}"
            out.append(text)
    return out


def _figure(target: Target, found: Staffing, i: int) -> str:
    if target.kind == "share":
        return format_share(found.service_level[i], 1)
    if target.kind == "mean":
        return format_duration(float(found.frt_mean_s[i]))
    # The percentile asked for is in the table only if it is one of the usual ones.
    at = {0.5: found.frt_p50_s, 0.9: found.frt_p90_s, 0.95: found.frt_p95_s, 0.99: found.frt_p99_s}.get(target.level)
    return format_duration(float(at[i])) if at is not None else "met"


def _fewer(target: Target, figure: float) -> str:
    return format_share(figure, 1) if target.kind == "share" else format_duration(float(figure))
