"""Demand, plan and scenario as the simulation wants them, queue by queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.channels import chat_times
from staffcast.contracts import REQUIREMENT, InputError
from staffcast.erlang import spare_seconds
from staffcast.forecast import Demand
from staffcast.scenario import Scenario
from staffcast.simulation import Arrivals, Patience, Redial, Service, Staffing
from staffcast.staffing import usual_handle_time, worked_tickets
from staffcast.utilization import QueueFacts

__all__ = ["Setting", "agents_on_grid", "settings_of", "staffing_of"]

# Who gives up and calls again does so after a minute on average: the formulas have it at once, which nobody can.
_REDIAL_AFTER_S = 60.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """One queue but for its staff.

    Attributes
    ----------
    arrivals : Arrivals
    service : Service
    options : mapping
        Further arguments of :func:`staffcast.simulation.simulate`.
    live : bool
        Whether its customers wait for an agent each, so that exact equations know its twin.
    """

    arrivals: Arrivals
    service: Service
    options: Mapping[str, Any]
    live: bool


def settings_of(
    demand: Demand, scenario: Scenario, facts: Mapping[str, QueueFacts] | None = None
) -> dict[str, Setting]:
    """What is played of each queue, on sample paths of the demand.

    Parameters
    ----------
    demand : Demand
        With handle times.
    scenario : Scenario
        Targets, patience, replications, seed; measured patience filled in.
    facts : mapping of queue to QueueFacts, optional
        Handle-time spread, priorities and opening backlog, as measured in a log.
    """
    rates = demand.sample(scenario.replications, of="rates")
    edges = np.arange(len(demand.ds) + 1, dtype=np.float64) * (demand.minutes * 60)
    found = {}
    for k, queue in enumerate(demand.queues):
        rules, known = scenario.for_queue(queue), (facts or {}).get(queue, QueueFacts())
        table = demand.of(queue)
        impatient = rules.patience_s is not None
        chats = chat_times(rules, usual_handle_time(table))
        found[queue] = Setting(
            arrivals=_arrivals(edges, rates[:, k, :], table, demand.minutes),
            service=_service(table, known, chats),
            options={
                "concurrency": 1 if chats is None else len(chats),
                "aht_by_concurrency_s": chats,
                "patience": Patience.exponential(rules.patience_s) if rules.patience_s is not None else None,
                "redial": Redial(share=rules.redial, delay_s=_REDIAL_AFTER_S) if impatient and rules.redial else None,
                "priorities": known.priority_shares or None,
                "backlog": np.array(known.backlog_age_s),
                "first_reply_s": rules.first_reply_s,
                "replications": scenario.replications,
                # Queues are busy and slow independently of each other: each has random numbers of its own.
                "seed": int(np.random.SeedSequence([scenario.seed, *queue.encode()]).generate_state(1, np.uint64)[0]),
                "target": rules.frt,
            },
            live=chats is None and rules.in_gaps_of is None and rules.frt.seconds < 60 * demand.minutes,
        )  # fmt: skip
    return found


def staffing_of(requirement: pd.DataFrame, demand: Demand, scenario: Scenario) -> dict[str, Staffing]:
    """The plan of each queue.

    Raises
    ------
    InputError
        The plan does not cover the demand's queues and intervals, or has another grid.
    """
    edges = np.arange(len(demand.ds) + 1, dtype=np.float64) * (demand.minutes * 60)
    lines = _lines(agents_on_grid(requirement, demand), demand, scenario)
    # Days as people live them: 23 or 25 hours long where the clock changes.
    shift = pd.factorize(demand.ds.date)[0]
    return {queue: Staffing.steps(edges, agents, shift=shift) for queue, agents in lines.items()}


def _arrivals(edges: npt.NDArray[np.float64], paths: npt.NDArray[Any], table: pd.DataFrame, minutes: int) -> Arrivals:
    mean, carried = table["mean"].to_numpy(), table["carried"].to_numpy()
    # What waits at opening comes at once, the rest through the interval; both share the sampled busyness.
    share = np.divide(carried, mean, out=np.zeros(len(mean)), where=mean > 0)
    return Arrivals.piecewise(
        edges, paths * (1 - share) * 60 / minutes, lumps=paths * share, expected=float(mean.sum())
    )


def agents_on_grid(
    requirement: pd.DataFrame, demand: Demand, *, file: str | Path | None = None
) -> dict[str, npt.NDArray[np.int64]]:
    """Agents of a plan in each interval of the demand.

    Parameters
    ----------
    requirement : DataFrame
        The requirement table, edited or not.
    demand : Demand
        What it is to be played against.
    file : path, optional
        Where the plan was read from; named in errors.

    Returns
    -------
    dict of queue to ndarray

    Raises
    ------
    InputError
        The plan breaks its contract, does not cover the demand's queues and intervals, or has another grid.
    """
    plan = REQUIREMENT.check(requirement, file=file)
    return {queue: _agents(plan, queue, demand.ds, demand.minutes, file) for queue in demand.queues}


def _agents(
    plan: pd.DataFrame, queue: str, ds: pd.DatetimeIndex, minutes: int, file: str | Path | None
) -> npt.NDArray[np.int64]:
    own = plan[plan["unique_id"] == queue]
    if own.empty:
        found = ", ".join(sorted(set(plan["unique_id"])))
        raise InputError(f"the plan has no rows for queue {queue!r}; its queues are {found}", file=file)
    # Rows between the demand's instants would be passed over in silence; rows outside its span are not asked for.
    within = own["ds"].between(ds[0], ds[-1] + pd.Timedelta(minutes=minutes), inclusive="left")
    between = own.loc[within & ~own["ds"].isin(ds), "ds"]
    if len(between):
        raise InputError(
            f"the plan for queue {queue!r} is on another grid than the demand, which has {minutes}-minute intervals: "
            f"{len(between)} rows lie between them, the first at {between.iloc[0].isoformat()}; staff this demand "
            "again, or count and forecast with the plan's interval", file=file,
        )  # fmt: skip
    agents = own.set_index("ds")["agents"].reindex(ds)
    if agents.isna().any():
        first = ds[int(np.flatnonzero(agents.isna())[0])]
        raise InputError(
            f"the plan for queue {queue!r} does not cover the demand: {int(agents.isna().sum())} intervals are "
            f"missing, the first at {first.isoformat()}; give every interval a row, with 0 agents while closed",
            file=file,
        )
    return agents.to_numpy().astype(np.int64)


def _lines(
    agents: Mapping[str, npt.NDArray[np.int64]], demand: Demand, scenario: Scenario
) -> dict[str, npt.NDArray[np.int64]]:
    """Who answers: the queue's agents, and whole agents in the gaps of another queue."""
    lines = {}
    for queue, own in agents.items():
        rules = scenario.for_queue(queue)
        lines[queue] = own
        if rules.in_gaps_of is None:
            continue
        host, table = scenario.for_queue(rules.in_gaps_of), demand.of(rules.in_gaps_of)
        seconds = 60.0 * demand.minutes
        load = worked_tickets(table, host, demand.minutes) * table["aht_s"].to_numpy() / seconds
        spare = spare_seconds(agents=agents[rules.in_gaps_of], load_erl=load, interval_s=seconds, band=host.band)
        opened = demand.of(queue)["open"].to_numpy()
        lines[queue] = lines[queue] + np.where(opened, np.floor(spare / seconds), 0).astype(np.int64)
    return lines


def _service(table: pd.DataFrame, known: QueueFacts, chats: tuple[float, ...] | None) -> Service:
    """How long a ticket takes; a chat, how long it would take alone."""
    mean = table["aht_s"].to_numpy(dtype=float)
    if chats is not None:
        mean = np.full_like(mean, chats[0])
    return Service.exponential(mean) if known.handle_cv == 1.0 else Service.lognormal(mean, known.handle_cv)
