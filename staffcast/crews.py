"""Agents who serve several queues: who shares with whom, and how many people of the plan stand where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import REQUIREMENT, InputError, bad_value
from staffcast.forecast import Demand
from staffcast.play_values import GroupRules
from staffcast.scenario import Scenario
from staffcast.settings import Setting, agents_on_grid
from staffcast.simulation import Group, Line, Shared, Staffing

__all__ = ["require_crews", "shared_crews", "sharing", "together_lines"]

_APART = ("concurrency", "aht_by_concurrency_s", "replications", "on_staff_drop")


def sharing(scenario: Scenario, queues: Iterable[str]) -> list[tuple[str, ...]]:
    """Queues that share agents, directly or round a corner; queues with agents of their own alone are left out.

    Examples
    --------
    >>> scenario = Scenario().with_options({"groups": {"g": {"queues": ["a", "b"]}, "h": {"queues": ["b", "c"]}}})
    >>> sharing(scenario, ["a", "b", "c", "d"])
    [('a', 'b', 'c')]
    """
    queues = list(queues)
    sets: list[set[str]] = []
    for rules in scenario.groups.values():
        own = {queue for queue in rules.queues if queue in queues}
        apart = [each for each in sets if not each & own]
        sets = [*apart, own.union(*(each for each in sets if each & own))] if own else sets
    return [tuple(queue for queue in queues if queue in each) for each in sets]


def require_crews(scenario: Scenario, queues: Iterable[str], *, own_plan: bool = False) -> None:
    """Check that groups serve queues that are planned, and such as can share agents.

    Parameters
    ----------
    scenario : Scenario
    queues : names of the queues that are planned
    own_plan : bool
        The plan is made here, or changed, and not read from a file: groups then need a share of it.

    Raises
    ------
    InputError
        An unknown queue, a group called like a queue, shares of a queue's agents above 100 % in all, or queues whose
        rules cannot be played with shared agents.
    """
    queues = list(queues)
    for name, rules in scenario.groups.items():
        where = f"groups.{name}"
        if own_plan and rules.share is None:
            fix = "columns and rows of groups are for `simulate` and `compare`, which read a plan: write share instead"
            raise bad_value(f"{where}.share", None, "given where the plan is made and not read", fix)
        if name in queues:
            raise bad_value("groups", name, "a name that no queue has", "its queue's own agents are called like it")
        for queue in rules.queues:
            if queue not in queues and scenario.plans(queue):
                close = difflib.get_close_matches(queue, queues, n=1)
                fix = f"did you mean {close[0]!r}?" if close else "add its tickets to the log, or leave it out"
                raise bad_value(f"{where}.queues", queue, f"among the queues {', '.join(queues)}", fix)
    for cluster in sharing(scenario, queues):
        _require_together(scenario, cluster, queues)


def _require_together(scenario: Scenario, cluster: Sequence[str], queues: Sequence[str]) -> None:
    hosts = {scenario.for_queue(queue).in_gaps_of for queue in queues}
    for queue in cluster:
        rules = scenario.for_queue(queue)
        if rules.in_gaps_of is not None or queue in hosts:
            raise InputError(
                f"queue {queue!r} is in a group, and `in_gaps_of` has to do with it: a group plays the same, ticket by "
                "ticket; leave in_gaps_of out, and let the queue that can wait be the group's second"
            )
        taken = sum(each.share or 0.0 for each in scenario.groups.values() if queue in each.queues)
        if taken > 1 + 1e-9:
            raise bad_value("groups.*.share", f"{taken:.0%} of the agents of {queue!r} in all", "at most 100 %")
    for one, other in pairwise(cluster):
        if scenario.for_queue(one).on_staff_drop != scenario.for_queue(other).on_staff_drop:
            raise InputError(
                f"queues {one!r} and {other!r} share agents and must have the same `on_staff_drop`; give both the "
                "same, and groups that differ their own"
            )


def shared_crews(
    requirement: pd.DataFrame,
    demand: Demand,
    scenario: Scenario,
    settings: Mapping[str, Setting],
    cluster: Sequence[str],
    *,
    file: str | Path | None = None,
) -> list[Shared]:
    """The groups of some queues that share agents, and what each queue has left of its own.

    Parameters
    ----------
    requirement : DataFrame
        The plan: ``agents`` of each queue; columns or rows of groups where the scenario says so.
    demand, scenario
        Measured patience filled in.
    settings : mapping of queue to Setting
    cluster : sequence of str
        Of :func:`sharing`.
    file : path, optional
        Where the plan was read from; named in errors.

    Raises
    ------
    InputError
        The plan lacks a group's column or rows, or they are no whole numbers; a group's queues hold different numbers
        of conversations at once.
    """
    plan = REQUIREMENT.check(requirement, file=file)
    agents = agents_on_grid(plan, demand, file=file)
    left, found = {queue: agents[queue].copy() for queue in cluster}, []
    for queue in cluster:
        shares = [each.share or 0.0 for each in scenario.groups.values() if queue in each.queues]
        left[queue] -= _part(agents[queue], 0.0, sum(shares))
    for name, rules in scenario.groups.items():
        served = [queue for queue in rules.queues if queue in cluster]
        if not served:
            continue
        if rules.share is not None:
            people = sum((_of_queue(scenario, name, queue, agents[queue]) for queue in served), np.zeros(1, np.int64))
        else:
            people = _stated(plan, demand, name, rules, served, file)
        found.append(Shared(group=_group(name, people, rules, served, demand, scenario, settings), queues=served))
    for queue, own in left.items():
        if own.any() or not any(queue in each.queues for each in found):
            alone = GroupRules(queues=(queue,))
            found.append(Shared(group=_group(queue, own, alone, [queue], demand, scenario, settings), queues=[queue]))
    return found


def together_lines(settings: Mapping[str, Setting], demand: Demand, cluster: Sequence[str]) -> dict[str, Line]:
    """What is played of queues that share agents: their tickets are taken in their own opening hours alone."""
    lines = {}
    for queue in cluster:
        setting = settings[queue]
        options = {name: value for name, value in setting.options.items() if name not in _APART}
        options["opened"] = demand.of(queue)["open"].to_numpy(dtype=bool)
        lines[queue] = Line(arrivals=setting.arrivals, service=setting.service, options=options)
    return lines


def _part(agents: npt.NDArray[np.int64], first: float, last: float) -> npt.NDArray[np.int64]:
    """Whole people between two shares of the agents, so that adjoining parts add up."""
    upto = [np.floor(agents * share + 0.5 - 1e-9 * (share < 1)).astype(np.int64) for share in (first, last)]
    return np.asarray(upto[1] - upto[0])


def _of_queue(scenario: Scenario, group: str, queue: str, agents: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    first = 0.0
    for name, rules in scenario.groups.items():
        share = rules.share if rules.share is not None and queue in rules.queues else 0.0
        if name == group:
            return _part(agents, first, first + share)
        first += share
    return np.zeros_like(agents)


def _stated(
    plan: pd.DataFrame, demand: Demand, name: str, rules: GroupRules, served: Sequence[str], file: str | Path | None
) -> npt.NDArray[np.int64]:
    """A group's agents where the plan has them in a column, or in rows of their own."""
    if rules.column is None:
        rows, column = plan[plan["unique_id"] == name], "agents"
        if rows.empty:
            raise InputError(
                f"group {name!r} has neither `share` nor `column`, and the plan has no rows with unique_id {name!r}; "
                'say share = "50%" of its queues\' agents, or write the rows', file=file,
            )  # fmt: skip
    else:
        rows, column = plan[plan["unique_id"].isin(served)], rules.column
        if column not in plan:
            known = ", ".join(map(str, plan.columns))
            raise InputError(
                f"there is no such column for group {name!r}; the plan has {known}", file=file, column=column
            )
    stated = rows[column].replace("", np.nan)
    numbers = pd.to_numeric(stated, errors="coerce")
    wrong = stated.notna() & ~(numbers.ge(0) & (numbers % 1 == 0))
    if wrong.any():
        raise InputError(
            f"agents of group {name!r} must be whole numbers ≥ 0, got {rows.loc[wrong, column].iloc[0]!r} at "
            f"{rows.loc[wrong, 'ds'].iloc[0].isoformat()}", file=file, column=column,
        )  # fmt: skip
    summed = numbers.groupby(rows["ds"]).sum().reindex(demand.ds)
    if summed.isna().any():
        raise InputError(
            f"the agents of group {name!r} do not cover the demand: {int(summed.isna().sum())} intervals are missing; "
            "give every interval a number, with 0 where nobody is there", file=file,
        )  # fmt: skip
    return summed.to_numpy().astype(np.int64)


def _group(
    name: str, people: npt.NDArray[np.int64], rules: GroupRules, served: Sequence[str], demand: Demand,
    scenario: Scenario, settings: Mapping[str, Setting],
) -> Group:  # fmt: skip
    first = scenario.for_queue(served[0])
    edges = np.arange(len(demand.ds) + 1, dtype=np.float64) * (demand.minutes * 60)
    absent = first.absent if rules.absent is None else rules.absent
    return Group(
        name=name,
        staffing=Staffing.steps(
            edges, np.broadcast_to(people, demand.ds.shape), absent=absent, shift=pd.factorize(demand.ds.date)[0]
        ),
        on_staff_drop=rules.on_staff_drop or first.on_staff_drop,
        **_at_once(name, served, settings),
    )


def _at_once(name: str, served: Sequence[str], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Conversations at once, which must be the same, and as slow, in all queues of a group."""
    paces = {}
    for queue in served:
        times = settings[queue].options["aht_by_concurrency_s"] or (1.0,)
        paces[queue] = tuple(each / times[0] for each in times)
    for one, other in pairwise(served):
        if len(paces[one]) != len(paces[other]) or not np.allclose(paces[one], paces[other], rtol=1e-6):
            raise InputError(
                f"group {name!r} serves {one!r} and {other!r}, which differ in how many conversations an agent holds "
                "at once or how much slower each then is; give both the same aht_by_concurrency, or take one out"
            )
    return {"concurrency": len(paces[served[0]]), "aht_by_concurrency_s": paces[served[0]]}
