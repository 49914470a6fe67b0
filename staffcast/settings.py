"""Demand, plan and scenario as the simulation wants them, queue by queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.channels import chat_times, chats_at_once
from staffcast.contracts import REQUIREMENT, InputError, Target, bad_value, format_duration
from staffcast.erlang import spare_seconds
from staffcast.forecast import Demand
from staffcast.scenario import QueueRules, Scenario
from staffcast.simulation import Arrivals, Bot, Patience, Redial, Reopening, Repeats, Service, Staffing
from staffcast.staffing import usual_handle_time, worked_tickets
from staffcast.utilization import QueueFacts

__all__ = ["Setting", "agents_on_grid", "classes_of", "require_playable", "settings_of", "staffing_of"]

_NO_CLASSES = "there are none"


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

    Raises
    ------
    InputError
        What is to be played does not go together, or names a priority class that is not there.
    """
    require_playable(scenario, demand.queues, facts)
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
                "redial": _redial(rules) if impatient else None,
                "priorities": known.priority_shares or None,
                "backlog": np.array(known.backlog_age_s),
                "first_reply_s": rules.first_reply_s,
                **_customers(rules, queue, known),
                **_agents_do(rules),
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
    return {
        queue: Staffing.steps(edges, agents, shift=shift, absent=scenario.for_queue(queue).absent)
        for queue, agents in lines.items()
    }


def classes_of(queue: str, known: QueueFacts) -> tuple[str, ...]:
    """Priority classes of a queue, the most urgent first; one, called like the queue, where all are alike."""
    return known.priorities if len(known.priority_shares) > 1 else (queue,)


def require_playable(scenario: Scenario, queues: Iterable[str], facts: Mapping[str, QueueFacts] | None = None) -> None:
    """Check that what is to be played of each queue goes together.

    Parameters
    ----------
    scenario : Scenario
    queues : names of the queues
    facts : mapping of queue to QueueFacts, optional
        Says which priority classes there are.

    Raises
    ------
    InputError
        A hand-over time without that rule, a rule that several conversations at once do not allow, a target that the
        first reply uses up, or a priority class that is not there.
    """
    strange: dict[str, list[str]] = {}
    for queue in queues:
        rules, known = scenario.for_queue(queue), (facts or {}).get(queue, QueueFacts())
        crews = [each for each in scenario.groups.values() if queue in each.queues]
        try:
            _require(rules, {each.on_staff_drop or rules.on_staff_drop for each in crews} | {rules.on_staff_drop})
        except InputError as error:
            raise InputError(f"queue {queue!r}: {error}") from None
        closes = rules.bot.closes if rules.bot is not None and isinstance(rules.bot.closes, Mapping) else {}
        named = {"priority_targets": rules.priority_targets, "bot.closes": closes}
        for each in (_unknown(key, own, known) for key, own in named.items()):
            if each:
                strange.setdefault(each, []).append(repr(queue))
    if strange:
        said = [f"queue{'s' if len(own) > 1 else ''} {', '.join(own)}: {each}" for each, own in strange.items()]
        alike = any(_NO_CLASSES in each for each in strange)
        fix = "; give --log with a column `priority`: without it all tickets are alike" if alike else ""
        raise InputError("; ".join(said) + fix)


def _require(rules: QueueRules, drops: set[str]) -> None:
    if rules.handover_s > 0 and "handover" not in drops:
        raise bad_value(
            "handover", format_duration(rules.handover_s), f'left out with on_staff_drop = "{rules.on_staff_drop}"',
            'nobody hands over then: say on_staff_drop = "handover" too',
        )  # fmt: skip
    if "finish_count" in drops and chats_at_once(rules) > 1:
        raise bad_value(
            "on_staff_drop", "finish_count", '"finish", "preempt" or "handover" with several conversations per agent',
            "by counting heads nobody knows whose free places are still open",
        )  # fmt: skip


def _unknown(key: str, named: Mapping[str, Any], known: QueueFacts) -> str:
    """What names classes that a queue does not have; empty where all are there."""
    missing = [each for each in named if each not in known.priorities]
    there = ", ".join(known.priorities) or _NO_CLASSES
    listed = ", ".join(map(repr, missing))
    return f"`{key}` must be about the queue's priority classes: {there}, got {listed}" if missing else ""


def _redial(rules: QueueRules) -> Redial | None:
    return Redial(share=rules.redial, delay_s=rules.redial_after_s) if rules.redial else None


def _customers(rules: QueueRules, queue: str, known: QueueFacts) -> dict[str, Any]:
    """What customers and a bot do besides waiting, and what classes must reach."""
    classes, bot = classes_of(queue, known), rules.bot
    closes: float | Sequence[float] = 0.0
    if bot is not None:
        closes = [bot.closes.get(c, 0.0) for c in classes] if isinstance(bot.closes, Mapping) else bot.closes
    targets: list[Target | None] | None = [rules.priority_targets.get(c) for c in classes]
    back, again = rules.reopening, rules.repeats
    return {
        "bot": None if bot is None else Bot(share=closes, handover_s=bot.handover_s, harder=bot.harder),
        "reopening": Reopening(share=back.share, delay_s=back.after_s, work=back.work) if back else None,
        "repeats": Repeats(share=again.share, after_s=again.after_s, work=again.work) if again else None,
        "window_s": rules.window_s,
        "class_targets": targets if rules.priority_targets else None,
    }


def _agents_do(rules: QueueRules) -> dict[str, Any]:
    """How agents work."""
    return {
        "on_staff_drop": rules.on_staff_drop, "handover_s": rules.handover_s, "ageing_s": rules.ageing_s,
        "first_reply_share": rules.first_reply_share,
    }  # fmt: skip


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
