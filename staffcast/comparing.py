"""Plans beside each other: the same sampled demand under each, queue by queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from staffcast.channels import require_models
from staffcast.contracts import InputError, bad_value
from staffcast.crews import require_crews
from staffcast.forecast import Demand
from staffcast.patience import with_measured_patience
from staffcast.playing import outcomes_of, require_judgeable
from staffcast.scenario import Scenario
from staffcast.settings import settings_of
from staffcast.simulation import compare_outcomes
from staffcast.utilization import QueueFacts

__all__ = ["Compared", "compare_plans"]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Plans beside each other.

    Attributes
    ----------
    plans : DataFrame
        One row per queue and plan: ``unique_id``, and what :class:`staffcast.simulation.Comparison` has in ``plans``.
    differences : DataFrame
        One row per queue, plan after the first and measure: ``unique_id``, and its ``differences``.
    verdicts : tuple of str
        One sentence per queue and plan after the first.
    """

    plans: pd.DataFrame
    differences: pd.DataFrame
    verdicts: tuple[str, ...]


def compare_plans(
    demand: Demand,
    requirements: Mapping[str, pd.DataFrame],
    scenario: Scenario,
    *,
    facts: Mapping[str, QueueFacts] | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Compared:
    """Play several plans against the very same tickets.

    Parameters
    ----------
    demand : Demand
        With handle times.
    requirements : mapping of name to DataFrame
        Requirement tables, two or more; the others are compared with the first.
    scenario : Scenario
    facts : mapping of queue to QueueFacts, optional
        As measured in a log.
    processes : int
        Worker processes; the result does not depend on it.
    progress : callable, optional
        Called with (done, total) queues, each once per plan.

    Raises
    ------
    InputError
        Fewer than two plans, or one that does not cover the demand.
    """
    if len(requirements) < 2:
        raise InputError(f"two plans or more are compared, got {len(requirements)}")
    scenario = with_measured_patience(scenario, demand)
    require_judgeable(scenario, demand.queues)
    require_models(scenario, demand.queues)
    require_crews(scenario, demand.queues)
    if scenario.replications < 2:
        raise bad_value("replications", scenario.replications, "at least 2", "one course says nothing about another")
    settings = settings_of(demand, scenario, facts)
    total = len(requirements) * len(demand.queues)
    played = {}
    for done, (name, table) in enumerate(requirements.items()):
        before = done * len(demand.queues)
        told = None if progress is None else partial(_told, progress, before, scenario.replications, total)
        played[name] = outcomes_of(demand, table, scenario, settings, processes=processes, progress=told)
    plans: list[pd.DataFrame] = []
    differences: list[pd.DataFrame] = []
    verdicts: list[str] = []
    for queue in demand.queues:
        found = compare_outcomes({name: outcomes[queue] for name, outcomes in played.items()})
        for frame, into in ((found.plans, plans), (found.differences, differences)):
            frame.insert(0, "unique_id", queue)
            into.append(frame)
        verdicts += [f"{queue}: {line}" for line in found.verdict.splitlines()]
    return Compared(
        plans=pd.concat(plans, ignore_index=True), differences=pd.concat(differences, ignore_index=True),
        verdicts=tuple(verdicts),
    )  # fmt: skip


def _told(progress: Callable[[int, int], None], before: int, replications: int, total: int, done: int, _: int) -> None:
    progress(before + done // replications, total)
