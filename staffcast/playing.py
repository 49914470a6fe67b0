"""Play a plan: translate demand and requirement tables into a simulation, and its outcome back into tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.channels import chat_times, model_of, require_models
from staffcast.contracts import REQUIREMENT, InputError, Target
from staffcast.erlang import spare_seconds
from staffcast.forecast import Demand
from staffcast.scenario import Scenario
from staffcast.simulation import Arrivals, Patience, Service, Staffing, simulate
from staffcast.staffing import usual_handle_time, worked_tickets
from staffcast.utilization import QueueFacts

__all__ = ["Played", "agents_on_grid", "not_played", "play", "require_judgeable", "require_same_models"]

Progress = Callable[[int, int], None]

_PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, kw_only=True)
class Played:
    """How the plan would hold.

    Attributes
    ----------
    outcome : DataFrame
        The outcome table: ``unique_id, ds`` and per interval the means over replications with standard errors:
        tickets, waiting, FRT percentiles, backlog with its 5–95 % band, utilization
        (see :class:`staffcast.simulation.Outcome`).
    summary : DataFrame
        One row per queue: the whole span in one record, ``target``, ``target_value`` (the figure that the target is
        about) and ``verdict``: ``met`` or ``missed`` over all tickets, ``undecided`` where the target lies within the
        95 % interval of the simulated figure or no ticket came.
    by_priority : DataFrame
        The same by queue and priority, most urgent first, where a queue has several.
    """

    outcome: pd.DataFrame
    summary: pd.DataFrame
    by_priority: pd.DataFrame

    @property
    def met(self) -> bool:
        """Whether no queue misses its target."""
        return not bool((self.summary["verdict"] == "missed").any())


def play(
    demand: Demand,
    requirement: pd.DataFrame,
    scenario: Scenario,
    *,
    facts: Mapping[str, QueueFacts] | None = None,
    processes: int = 1,
    progress: Progress | None = None,
    only: Collection[str] | None = None,
    before: Played | None = None,
) -> Played:
    """Simulate every queue of a plan on sample paths of the demand.

    Parameters
    ----------
    demand : Demand
        With handle times.
    requirement : DataFrame
        The requirement table; only ``unique_id, ds, agents`` are read, so an edited plan will do.
    scenario : Scenario
        Targets, patience, replications, seed.
    facts : mapping of queue to QueueFacts, optional
        Handle-time spread, priorities and opening backlog, as measured in a log.
    processes : int
        Worker processes; the result does not depend on it.
    progress : callable, optional
        Called with (done, total) replications over all queues.
    only : collection of str, optional
        Queues whose plan has changed since ``before`` was played; the others are taken from there. The result is that
        of playing all.
    before : Played, optional
        Of the same demand and scenario; needed with ``only``.

    Raises
    ------
    InputError
        The plan does not cover the demand's queues and intervals, or has another grid; a target is about a percentile
        that the simulation does not report.
    """
    require_judgeable(scenario, demand.queues)
    require_models(scenario, demand.queues)
    agents = _lines(agents_on_grid(requirement, demand), demand, scenario)
    rates = demand.sample(scenario.replications, of="rates")
    ds, minutes = demand.ds, demand.minutes
    edges = np.arange(len(ds) + 1, dtype=np.float64) * (minutes * 60)
    parts, rows, classes = [], [], []
    again = [queue for queue in demand.queues if only is None or before is None or queue in only]
    total = scenario.replications * len(again)
    for k, queue in enumerate(demand.queues):
        if queue not in again:
            continue
        rules, known = scenario.for_queue(queue), (facts or {}).get(queue, QueueFacts())
        table = demand.of(queue)
        arrivals = _arrivals(edges, rates[:, k, :], table, minutes)
        chats = chat_times(rules, usual_handle_time(table))
        outcome = simulate(
            arrivals,
            Staffing.steps(edges, agents[queue]),
            _service(table, known, chats),
            patience=None if rules.patience_s is None else Patience.exponential(rules.patience_s),
            priorities=known.priority_shares or None,
            backlog=np.array(known.backlog_age_s),
            first_reply_s=rules.first_reply_s,
            concurrency=1 if chats is None else len(chats),
            aht_by_concurrency_s=chats,
            replications=scenario.replications,
            # Queues are busy and slow independently of each other: each has random numbers of its own.
            seed=int(np.random.SeedSequence([scenario.seed, *queue.encode()]).generate_state(1, np.uint64)[0]),
            target=rules.frt,
            processes=processes,
            progress=None if progress is None else _offset(progress, again.index(queue) * scenario.replications, total),
        )
        by_interval = outcome.by_interval.drop(columns="start_s")
        by_interval.insert(0, "ds", ds)
        by_interval.insert(0, "unique_id", queue)
        parts.append(by_interval)
        summary = asdict(outcome.summary)
        value, verdict = _judge(rules.frt, summary)
        rows.append(
            {"unique_id": queue, **summary, "target": str(rules.frt), "target_value": value, "verdict": verdict}
        )
        if len(known.priorities) > 1:
            by_class = outcome.by_class.assign(priority=known.priorities).drop(columns="class")
            by_class.insert(0, "unique_id", queue)
            classes.append(by_class)
    found = Played(
        outcome=pd.concat(parts, ignore_index=True),
        summary=pd.DataFrame(rows),
        by_priority=pd.concat(classes, ignore_index=True) if classes else pd.DataFrame(),
    )
    return found if only is None or before is None else _merged(before, found, demand.queues, again)


def _merged(before: Played, newer: Played, queues: Sequence[str], again: Collection[str]) -> Played:
    """What was played before, with some queues played again."""

    def table(name: str) -> pd.DataFrame:
        tables = [getattr(newer if queue in again else before, name) for queue in queues]
        parts = [t[t["unique_id"] == q] for q, t in zip(queues, tables, strict=True) if len(t)]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    return Played(outcome=table("outcome"), summary=table("summary"), by_priority=table("by_priority"))


def require_judgeable(scenario: Scenario, queues: Iterable[str]) -> None:
    """Check that the simulation reports the figure that each queue's target is about.

    Raises
    ------
    InputError
        A target for another percentile.
    """
    for queue in queues:
        target = scenario.for_queue(queue).frt
        if target.kind == "percentile" and _percentile(target) not in map(str, _PERCENTILES):
            known = ", ".join(f"p{p}" for p in _PERCENTILES[:-1])
            raise InputError(
                f"queue {queue!r} has the target {target}, but the simulation reports {known} and "
                f"p{_PERCENTILES[-1]}, not p{_percentile(target)}; choose one of them, or write it as a share: "
                f'"{_percentile(target)}% in {target.seconds:g}s"'
            )


def not_played(demand: Demand, scenario: Scenario) -> list[str]:
    """What the simulation leaves out or plays more simply than it was staffed, a sentence each: read verdicts with it.

    Parameters
    ----------
    demand : Demand
        With handle times.
    scenario : Scenario
    """
    out = []
    for queue in demand.queues:
        rules = scenario.for_queue(queue)
        if rules.redial > 0:
            out.append(
                f"{queue}: redials are not played ({100 * rules.redial:g} % of those who give up); who gives up is "
                "gone there, so it has fewer tickets than would come"
            )
        if rules.in_gaps_of is not None:
            out.append(
                f"{queue}: the gaps of {rules.in_gaps_of} are played as the whole agents that fit into them, not as "
                "pieces of time between tickets"
            )
    return out


def require_same_models(
    requirement: pd.DataFrame, demand: Demand, scenario: Scenario, *, file: str | Path | None = None
) -> list[str]:
    """Check that a plan read from a file is played as it was staffed.

    Parameters
    ----------
    requirement : DataFrame
        The requirement table; without a column ``model`` there is nothing to check.
    demand : Demand
        With handle times.
    scenario : Scenario
    file : path, optional
        Where the plan was read from; named in errors.

    Returns
    -------
    list of str
        A sentence for each queue that the table says was staffed in another way than the scenario has it.

    Raises
    ------
    InputError
        A queue was staffed for several conversations per agent, and the scenario does not say how many.
    """
    if "model" not in requirement:
        return []
    notes = []
    for queue in demand.queues:
        named = requirement.loc[requirement["unique_id"] == queue, "model"].dropna()
        was = str(named.iloc[0]).partition(",")[0] if len(named) else ""
        rules = scenario.for_queue(queue)
        now = model_of(rules, minutes=demand.minutes, aht_s=usual_handle_time(demand.of(queue))).name
        if was == "chat" and now != "chat":
            raise InputError(
                f"queue {queue!r} was staffed for several conversations per agent (model chat), but the scenario has "
                "one at a time; give the --scenario it was staffed with, or --aht-by-concurrency 10m,13m,17m (with 1, "
                "2, 3 in hand); or leave the column model out of the plan",
                file=file, column="model",
            )  # fmt: skip
        if was not in ("", now):
            notes.append(
                f"{queue} was staffed as {was} and is played as {now}: the plan was made with another scenario"
            )
    return notes


def _percentile(target: Target) -> str:
    return f"{100 * target.level:g}"


def _arrivals(edges: npt.NDArray[np.float64], paths: npt.NDArray[Any], table: pd.DataFrame, minutes: int) -> Arrivals:
    mean, carried = table["mean"].to_numpy(), table["carried"].to_numpy()
    # What waits at opening comes at once, the rest through the interval; both share the sampled busyness.
    share = np.divide(carried, mean, out=np.zeros(len(mean)), where=mean > 0)
    return Arrivals.piecewise(edges, paths * (1 - share) * 60 / minutes, lumps=paths * share)


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


def _judge(target: Target, summary: Mapping[str, float]) -> tuple[float, str]:
    """The simulated figure that the target is about, and whether it is met beyond the simulation's own doubt."""
    if not summary["offered"] > 0:
        return math.nan, "undecided"
    if target.kind == "share":
        value, low, high = (summary[f"service_level{end}"] for end in ("", "_low", "_high"))
        doubt = low < target.level <= high
        return value, "undecided" if doubt else ("met" if value >= target.level else "missed")
    if target.kind == "mean":
        value, margin = summary["frt_mean_s"], 1.96 * summary["frt_mean_s_se"]
        doubt = abs(value - target.seconds) < margin
        return value, "undecided" if doubt else ("met" if value <= target.seconds else "missed")
    name = f"frt_p{_percentile(target)}_s"
    return summary[name], "met" if summary[name] <= target.seconds else "missed"


def _offset(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _: progress(before + done, total)
