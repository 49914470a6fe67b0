"""Play a plan: translate demand and requirement tables into a simulation, and its outcome back into tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from staffcast.channels import model_of, require_models
from staffcast.contracts import InputError, Target, bad_value, format_share
from staffcast.crews import require_crews, shared_crews, sharing, together_lines
from staffcast.forecast import Demand
from staffcast.patience import with_measured_patience
from staffcast.scenario import Scenario
from staffcast.settings import Setting, settings_of, staffing_of
from staffcast.simulation import Outcome, self_check, simulate, simulate_together, verdict_on
from staffcast.staffing import usual_handle_time
from staffcast.utilization import QueueFacts

__all__ = [
    "Played",
    "judged",
    "not_played",
    "not_staffed",
    "outcomes_of",
    "play",
    "require_judgeable",
    "require_same_models",
]

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
        The same by queue and priority, most urgent first, where a queue has several; with ``target``,
        ``target_value`` and ``verdict`` where classes have targets of their own.
    openings : DataFrame
        ``unique_id, ds`` and per opening what waits then and how long it takes to clear
        (:meth:`staffcast.simulation.Outcome.openings`).
    checks : tuple of str
        Where asked for: how far the simulator is from exact answers, or why that is not known, a sentence per queue.
    by_group : DataFrame
        Of agents who serve several queues, and of those beside them: ``group``, ``queues`` and what
        :attr:`staffcast.simulation.Outcome.by_group` has; empty where no queues share agents.
    taken_over : mapping of queue to int
        Replications that were not played again, as they lay in the folder ``resume``.
    """

    outcome: pd.DataFrame
    summary: pd.DataFrame
    by_priority: pd.DataFrame
    openings: pd.DataFrame
    checks: tuple[str, ...] = ()
    by_group: pd.DataFrame = field(default_factory=pd.DataFrame)
    taken_over: Mapping[str, int] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether no queue, and no priority class with a target of its own, misses it."""
        verdicts = [self.summary["verdict"], self.by_priority.get("verdict", pd.Series(dtype=object))]
        return not any(bool((each == "missed").any()) for each in verdicts)


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
    check: bool = False,
    above: float | None = None,
    resume: str | Path | None = None,
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
    check : bool
        Set the simulator beside exact answers, queue by queue (:func:`staffcast.simulation.self_check`).
    above : float, optional
        How likely is it that more than so many tickets wait at an opening; None: more than there are people.
    resume : path, optional
        Folder that keeps the replications that are done; an interrupted run goes on from there.

    Raises
    ------
    InputError
        The plan does not cover the demand's queues and intervals, or has another grid; a target is about a percentile
        that the simulation does not report; ``above`` is below 0.
    """
    if above is not None and not above >= 0:
        raise bad_value("above", above, "a number of tickets ≥ 0")
    scenario = with_measured_patience(scenario, demand)
    require_judgeable(scenario, demand.queues)
    require_models(scenario, demand.queues)
    require_crews(scenario, demand.queues)
    ds = demand.ds
    parts, rows, classes, openings, checks = [], [], [], [], []
    again = [queue for queue in demand.queues if only is None or before is None or queue in only]
    clusters = sharing(scenario, demand.queues)
    # Who shares agents with a queue that is played again feels it.
    touched = {queue for cluster in clusters if set(cluster) & set(again) for queue in cluster}
    again = [queue for queue in demand.queues if queue in touched or queue in again]
    settings = settings_of(demand, scenario, facts)
    outcomes = outcomes_of(
        demand, requirement, scenario, settings, only=again, processes=processes, progress=progress, resume=resume
    )
    for queue in again:
        rules, known, outcome = scenario.for_queue(queue), (facts or {}).get(queue, QueueFacts()), outcomes[queue]
        if check:
            shares = any(queue in cluster for cluster in clusters)
            checks.append(f"{queue}: {_checked(outcome, settings[queue], processes, shares=shares)}")
        by_interval = outcome.by_interval.drop(columns="start_s")
        by_interval.insert(0, "ds", demand.ds)
        by_interval.insert(0, "unique_id", queue)
        parts.append(by_interval)
        opens = outcome.openings(above=above)
        place = (opens.pop("start_s").to_numpy() / (60 * demand.minutes)).round().astype(np.int64)
        opens.insert(0, "ds", ds[place])
        opens.insert(0, "unique_id", queue)
        openings.append(opens)
        summary = asdict(outcome.summary)
        value, verdict = judged(rules.frt, summary)
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
        openings=pd.concat([each for each in openings if len(each)] or openings[:1], ignore_index=True),
        checks=tuple(checks),
        by_group=_groups(outcomes, touched),
        taken_over={queue: outcome.taken_over for queue, outcome in outcomes.items()},
    )
    return found if only is None or before is None else _merged(before, found, demand.queues, again)


def outcomes_of(
    demand: Demand,
    requirement: pd.DataFrame,
    scenario: Scenario,
    settings: Mapping[str, Setting],
    *,
    only: Sequence[str] | None = None,
    processes: int = 1,
    progress: Progress | None = None,
    resume: str | Path | None = None,
) -> dict[str, Outcome]:
    """Play the queues of a plan.

    Parameters
    ----------
    demand, requirement, scenario, processes, progress, resume
        As for :func:`play`; measured patience filled in.
    settings : mapping of queue to Setting
        Of :func:`staffcast.settings.settings_of`, for that demand and scenario.
    only : sequence of str, optional
        The queues to be played; None: all.

    Returns
    -------
    dict of queue to Outcome
    """
    queues = list(demand.queues) if only is None else list(only)
    clusters = sharing(scenario, demand.queues)
    if resume is not None and clusters:
        raise bad_value("resume", str(resume), "left out where queues share agents (groups)", "they are played at once")
    staffing = staffing_of(requirement, demand, scenario)
    total, done = scenario.replications * len(queues), 0
    found: dict[str, Outcome] = {}
    for cluster in clusters:
        if set(cluster) & set(queues):
            found |= simulate_together(
                together_lines(settings, demand, cluster),
                shared_crews(requirement, demand, scenario, settings, cluster),
                routing=scenario.routing, replications=scenario.replications, seed=scenario.seed, processes=processes,
                progress=None if progress is None else _share(progress, done, len(cluster), total),
            ).queues  # fmt: skip
            done += scenario.replications * len(cluster)
    for queue in (each for each in queues if each not in found):
        found[queue] = simulate(
            settings[queue].arrivals, staffing[queue], settings[queue].service, **settings[queue].options,
            resume=None if resume is None else Path(resume) / "simulation", processes=processes,
            progress=None if progress is None else _offset(progress, done, total),
        )  # fmt: skip
        done += scenario.replications
    return found


def _checked(outcome: Outcome, setting: Setting, processes: int, *, shares: bool) -> str:
    """How far the simulator is from exact answers, or why there are none."""
    if shares:
        return (
            "NOT CHECKED: it shares agents in groups, and the exact equations know one queue with one group of agents"
        )
    if not setting.live:
        return "NOT CHECKED: the exact equations know live queues, with one ticket per agent"
    return self_check(outcome, processes=processes).describe()


def _merged(before: Played, newer: Played, queues: Sequence[str], again: Collection[str]) -> Played:
    """What was played before, with some queues played again."""

    def table(name: str) -> pd.DataFrame:
        tables = [getattr(newer if queue in again else before, name) for queue in queues]
        parts = [t[t["unique_id"] == q] for q, t in zip(queues, tables, strict=True) if len(t)]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    return Played(
        outcome=table("outcome"), summary=table("summary"), by_priority=table("by_priority"),
        openings=table("openings"), checks=(*before.checks, *newer.checks),
        by_group=_newer_groups(before.by_group, newer.by_group),
    )  # fmt: skip


def _newer_groups(before: pd.DataFrame, newer: pd.DataFrame) -> pd.DataFrame:
    if not len(newer) or not len(before):
        return newer if len(newer) else before
    return pd.concat([newer, before[~before["group"].isin(newer["group"])]], ignore_index=True)


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
        if rules.in_gaps_of is not None:
            out.append(
                f"{queue}: the gaps of {rules.in_gaps_of} are played as the whole agents that fit into them, not as "
                "pieces of time between tickets"
            )
    return out


def not_staffed(demand: Demand, scenario: Scenario, requirement: pd.DataFrame | None = None) -> list[str]:
    """What is played and was not staffed for, a sentence each: staffing knows tickets that come once, and agents there.

    Parameters
    ----------
    demand : Demand
        With handle times.
    scenario : Scenario
    requirement : DataFrame, optional
        The plan; its column ``model`` says how it was staffed. Without it the scenario does.
    """
    out = [
        f"{' and '.join(cluster)} share agents in groups; each is staffed as if its agents were its own"
        if len(cluster) > 1
        else f"{cluster[0]} has agents in groups; it is staffed as if they were its own"
        for cluster in sharing(scenario, demand.queues)
    ]
    for queue in demand.queues:
        rules = scenario.for_queue(queue)
        inside = rules.first_reply_share
        model = (
            _staffed_as(requirement, queue)
            or model_of(rules, minutes=demand.minutes, aht_s=usual_handle_time(demand.of(queue))).name
        )
        redialled = rules.redial > 0 and model != "erlang_x"
        parts = [
            "customers who give up" if model in ("deferrable", "erlang_c") and rules.patience_s is not None else "",
            f"{format_share(rules.redial)} of those who give up try again" if redialled else "",
            f"a bot that closes {_closes(rules.bot.closes)} (what_if.deflection staffs for one)" if rules.bot else "",
            f"{format_share(rules.reopening.share)} of the tickets reopened" if rules.reopening else "",
            f"{format_share(rules.repeats.share)} who ask again" if rules.repeats else "",
            f"{format_share(rules.absent)} of the agents absent" if rules.absent else "",
            f"a first reply after {format_share(inside)} of the handling" if inside else "",
            "targets of priority classes" if rules.priority_targets else "",
        ]  # fmt: skip
        named = [each for each in parts if each]
        if named:
            out.append(f"{queue}: {', '.join(named)}")
    return out


def _closes(share: float | Mapping[str, float]) -> str:
    if isinstance(share, Mapping):
        return " and ".join(f"{format_share(each)} of {name}" for name, each in share.items())
    return format_share(share)


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
        was = _staffed_as(requirement, queue)
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


def _staffed_as(requirement: pd.DataFrame | None, queue: str) -> str:
    """The model by which a plan says that a queue was staffed; empty where it does not."""
    if requirement is None or "model" not in requirement:
        return ""
    named = requirement.loc[requirement["unique_id"] == queue, "model"].dropna()
    return str(named.iloc[0]).partition(",")[0] if len(named) else ""


def _percentile(target: Target) -> str:
    return f"{100 * target.level:g}"


def judged(target: Target, summary: Mapping[str, float]) -> tuple[float, str]:
    """The simulated figure that the target is about, and whether it is met beyond the simulation's own doubt."""
    if not summary["offered"] > 0:
        return math.nan, "undecided"
    if target.kind in ("share", "mean"):
        name = "service_level" if target.kind == "share" else "frt_mean_s"
        value, low, high = (summary[f"{name}{end}"] for end in ("", "_low", "_high"))
        return value, verdict_on(target, value, low, high)
    name = f"frt_p{_percentile(target)}_s"
    return summary[name], "met" if summary[name] <= target.seconds else "missed"


def _groups(outcomes: Mapping[str, Outcome], sharing_queues: Collection[str]) -> pd.DataFrame:
    """The groups of all queues that share agents, each once."""
    tables = [each.by_group.assign(queues=queue) for queue, each in outcomes.items() if queue in sharing_queues]
    if not tables:
        return pd.DataFrame()
    rows = pd.concat(tables, ignore_index=True)
    served = rows.groupby("group", sort=False)["queues"].agg(", ".join)
    first = rows.drop_duplicates("group").drop(columns="queues")
    first.insert(1, "queues", first["group"].map(served))
    return first.reset_index(drop=True)


def _share(progress: Progress, before: int, queues: int, total: int) -> Progress:
    return lambda done, _: progress(before + done * queues, total)


def _offset(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _: progress(before + done, total)
