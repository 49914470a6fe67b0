"""What if tickets, handling, people or target were other: every combination played, its cost beside its waiting."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from staffcast.contracts import Shrinkage, Target, bad_value, parse_change, parse_share
from staffcast.crews import require_crews
from staffcast.forecast import Demand
from staffcast.patience import with_measured_patience
from staffcast.playing import judged, outcomes_of, require_judgeable
from staffcast.scenario import Scenario, WhatIf
from staffcast.settings import agents_on_grid, require_playable, settings_of
from staffcast.simulation import frontier
from staffcast.staffing import apply_what_if, staff
from staffcast.utilization import QueueFacts

__all__ = ["CIRCUMSTANCES", "FIGURES", "VARIED", "read_vary", "sweep_plan"]

# What happens to a desk; only plans under the same circumstances are rivals.
CIRCUMSTANCES = ("volume", "aht")
VARIED = (*CIRCUMSTANCES, "deflection", "shrinkage", "frt", "agents")
# What plans are weighed by against their cost; the simulation knows the interval of each.
FIGURES = ("frt_mean_s", "frt_p95_s", "service_level")
_KEPT = (
    "offered", "answered", "abandoned", "service_level", "service_level_low", "service_level_high", "frt_mean_s",
    "frt_mean_s_low", "frt_mean_s_high", "frt_p95_s", "frt_p95_s_low", "frt_p95_s_high", "utilization", "load",
    "overtime_s", "backlog_end",
)  # fmt: skip
_MOST = 1000


def read_vary(texts: Sequence[str]) -> dict[str, list[str]]:
    """Read ``volume=-10%,+0%,+20%``; each name once, with one value or more.

    Raises
    ------
    InputError
        An unknown name, one given twice, no values, a value twice, a value that the name does not know.

    Examples
    --------
    >>> read_vary(["agents=0,1", "frt=80% in 60s, 80% in 5m"])
    {'agents': ['0', '1'], 'frt': ['80% in 60s', '80% in 5m']}
    """
    vary: dict[str, list[str]] = {}
    for text in texts:
        name, _, given = text.partition("=")
        name, values = name.strip(), [part.strip() for part in given.split(",") if part.strip()]
        if name not in VARIED:
            raise bad_value("vary", text, f"NAME=VALUES with one of {', '.join(VARIED)}", "--vary volume=-10%,+0%,+20%")
        if not values or name in vary:
            fix = "write all its values behind one --vary" if name in vary else f"write --vary {name}=…,…"
            raise bad_value("vary", text, "each name once, with one value or more", fix)
        known: list[Any] = []
        for value in values:
            if (read := _read(name, value)) in known:
                raise bad_value(
                    "vary", text, f"different values; {value!r} says what one before it says", "once will do"
                )
            known.append(read)
        vary[name] = values
    combinations = int(np.prod([len(values) for values in vary.values()]))
    if not vary or combinations > _MOST:
        raise bad_value("vary", f"{combinations if vary else 'no'} combinations", f"from 1 to {_MOST} of them")
    return vary


def _read(name: str, value: str) -> Any:
    if name in CIRCUMSTANCES:
        factor = parse_change(value, parameter=f"vary {name}")
        if not factor > 0:
            raise bad_value(f"vary {name}", value, 'above "-100%"')
        return factor
    if name == "agents":
        try:
            return int(value)
        except ValueError:
            raise bad_value("vary agents", value, "a whole number of people more or fewer: -1, 0, 2") from None
    if name == "frt":
        return Target.parse(value)
    return parse_share(value, parameter=f"vary {name}", below_one=True)


def sweep_plan(
    demand: Demand,
    scenario: Scenario,
    *,
    vary: Mapping[str, Sequence[str]],
    requirement: pd.DataFrame | None = None,
    figure: str = "frt_mean_s",
    facts: Mapping[str, QueueFacts] | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Play every combination of some changes against the same random numbers.

    Parameters
    ----------
    demand : Demand
        With handle times.
    scenario : Scenario
    vary : mapping of name to values
        As :func:`read_vary` has them: ``volume`` and ``aht`` (changes), ``deflection`` (share that a bot closes of what
        reaches people), ``shrinkage``, ``frt`` (target), ``agents`` (people more or fewer wherever anybody works).
    requirement : DataFrame, optional
        A plan that stays: its people are paid for whatever comes, and ``shrinkage`` changes how many of them answer.
        None: every combination is staffed anew for its tickets, target and shrinkage.
    figure : str
        One of :data:`FIGURES`, by which plans are weighed.
    facts : mapping of queue to QueueFacts, optional
        As measured in a log.
    processes : int
        Worker processes; the result does not depend on it.
    progress : callable, optional
        Called with (done, total) combinations.

    Returns
    -------
    DataFrame
        One row per queue and combination: ``unique_id``, the names of ``vary`` as written, ``agent_hours`` (answering)
        and ``paid_hours`` (shrinkage added) over the span, ``target``, figures of :class:`Summary` with their 95 %
        intervals, ``verdict``, and ``dominated``: another combination of the queue under the same circumstances
        (volume, handle time) costs no more and has a better ``figure``, or costs less with one as good.

    Raises
    ------
    InputError
        As :func:`read_vary`, and what staffing and playing refuse.
    """
    if figure not in FIGURES:
        raise bad_value("figure", figure, f"one of {', '.join(FIGURES)}")
    scenario = with_measured_patience(scenario, demand)
    require_crews(scenario, demand.queues, own_plan=True)
    require_playable(scenario, demand.queues, facts)
    if requirement is not None:
        agents = agents_on_grid(requirement, demand)
        for value in vary.get("agents", ()):
            _require_somebody(agents, _read("agents", value))
    combinations = list(itertools.product(*vary.values()))
    rows: list[dict[str, Any]] = []
    for done, chosen in enumerate(combinations, start=1):
        named = dict(zip(vary, chosen, strict=True))
        rows += [{"unique_id": queue, **named, **row} for queue, row in _one(
            demand, scenario, {name: _read(name, value) for name, value in named.items()}, requirement, facts, processes
        ).items()]  # fmt: skip
        if progress is not None:
            progress(done, len(combinations))
    table = pd.DataFrame(rows)
    table["unique_id"] = pd.Categorical(table["unique_id"], categories=list(demand.queues))
    table = table.sort_values("unique_id", kind="stable").astype({"unique_id": str}).reset_index(drop=True)
    rivals = ["unique_id", *(name for name in CIRCUMSTANCES if name in vary)]
    table["dominated"] = True
    for _, group in table.groupby(rivals, sort=False):
        best = frontier(group.assign(row=group.index), cost="paid_hours", figure=figure)["row"]
        table.loc[best.to_numpy(), "dominated"] = False
    return table


def _one(
    demand: Demand,
    scenario: Scenario,
    change: Mapping[str, Any],
    requirement: pd.DataFrame | None,
    facts: Mapping[str, QueueFacts] | None,
    processes: int,
) -> dict[str, dict[str, Any]]:
    """One combination, by queue."""
    what_if = WhatIf(
        volume=change.get("volume", 1.0), aht=change.get("aht", 1.0), deflection=change.get("deflection", 0.0)
    )
    changed = apply_what_if(demand, replace(scenario, what_if=what_if))
    # What the scenario changes itself is in the demand already, but for the times of conversations side by side.
    own = replace(scenario.what_if, aht=scenario.what_if.aht * what_if.aht)
    scenario = replace(scenario, what_if=own).with_options({"frt": change["frt"]} if "frt" in change else {})
    planned = {queue: scenario.for_queue(queue).shrinkage for queue in demand.queues}
    now = {q: Shrinkage(share=change["shrinkage"]) if "shrinkage" in change else each for q, each in planned.items()}
    require_judgeable(scenario, demand.queues)
    if requirement is None:
        waiting = {queue: known.backlog_age_s for queue, known in (facts or {}).items()}
        table = staff(changed, scenario, backlog=waiting, processes=processes)
        paid_for, factor = now, dict.fromkeys(demand.queues, 1.0)
    else:
        table = requirement
        paid_for = planned
        factor = {queue: (1 - now[queue].share) / (1 - planned[queue].share) for queue in demand.queues}
    agents = agents_on_grid(table, changed)
    _require_somebody(agents, change.get("agents", 0))
    hours = demand.minutes / 60
    people = {q: _added(own, change.get("agents", 0)) for q, own in agents.items()}
    there = {q: _there(own, factor[q]) for q, own in people.items()}
    plan = pd.concat(
        [pd.DataFrame({"unique_id": q, "ds": demand.ds, "agents": own}) for q, own in there.items()], ignore_index=True
    )
    outcomes = outcomes_of(changed, plan, scenario, settings_of(changed, scenario, facts), processes=processes)
    found = {}
    for queue in demand.queues:
        summary = outcomes[queue].summary
        values = {name: getattr(summary, name) for name in _KEPT}
        target = scenario.for_queue(queue).frt
        verdict = judged(target, vars(summary))[1]
        paid = float(sum(map(paid_for[queue].rostered, people[queue].tolist())))
        found[queue] = {
            "agent_hours": float(there[queue].sum()) * hours, "paid_hours": paid * hours, "target": str(target),
            **values, "verdict": verdict,
        }  # fmt: skip
    return found


def _require_somebody(agents: Mapping[str, np.ndarray[Any, Any]], more: int) -> None:
    """Refuse a change that leaves nobody of a queue's people."""
    for queue, own in agents.items():
        most = int(own.max(initial=0))
        if most and most + more <= 0:
            raise bad_value(
                "vary agents", more, f"above −{most}: queue {queue!r} has at most {most} at a time",
                "with so many fewer nobody would answer",
            )  # fmt: skip


def _added(agents: np.ndarray[Any, Any], more: int) -> np.ndarray[Any, Any]:
    return np.where(agents > 0, np.maximum(agents + more, 0), 0)


def _there(people: np.ndarray[Any, Any], factor: float) -> np.ndarray[Any, Any]:
    """Whole people of these, so that their hours add up: what is rounded off in an interval is made up in the next."""
    if factor == 1:
        return people
    upto = np.floor(np.cumsum(people * factor) + 0.5).astype(np.int64)
    return np.diff(upto, prepend=0)
