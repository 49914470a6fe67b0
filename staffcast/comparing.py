"""Plans beside each other: the same sampled demand under each, queue by queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from staffcast.channels import require_models
from staffcast.contracts import InputError
from staffcast.forecast import Demand
from staffcast.patience import with_measured_patience
from staffcast.playing import require_judgeable
from staffcast.scenario import Scenario
from staffcast.settings import settings_of, staffing_of
from staffcast.simulation import compare
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
        Called with (done, total) queues.

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
    staffing = {name: staffing_of(table, demand, scenario) for name, table in requirements.items()}
    settings = settings_of(demand, scenario, facts)
    plans: list[pd.DataFrame] = []
    differences: list[pd.DataFrame] = []
    verdicts: list[str] = []
    for done, queue in enumerate(demand.queues, start=1):
        setting = settings[queue]
        found = compare(
            setting.arrivals, {name: own[queue] for name, own in staffing.items()}, setting.service,
            **setting.options, processes=processes,
        )  # fmt: skip
        for table, into in ((found.plans, plans), (found.differences, differences)):
            table.insert(0, "unique_id", queue)
            into.append(table)
        verdicts += [f"{queue}: {line}" for line in found.verdict.splitlines()]
        if progress is not None:
            progress(done, len(demand.queues))
    return Compared(
        plans=pd.concat(plans, ignore_index=True), differences=pd.concat(differences, ignore_index=True),
        verdicts=tuple(verdicts),
    )  # fmt: skip
