"""Queues that share agents: how many of each skill group, when one agent is one agent whatever he can answer.

Routing: a freed agent takes the longest waiting ticket among the queues he answers; a ticket that finds several agents
free goes to the one with the fewest skills. Tickets come at random, handle times are exponential with the mean of their
queue, nobody gives up.

A part of the network with one queue, or where every group answers every queue and all handle times are alike, is an
M/M/c and its figures are exact. Any other part is simulated with a fixed seed, and its figures carry standard errors.

References
----------
.. [1] O. Z. Akşin, F. Karaesmen, E. L. Örmeci, "A review of workforce cross-training in call centers from an operations
   management perspective", in "Workforce Cross Training Handbook", 2007, pp. 211–239.
.. [2] R. B. Wallace, W. Whitt, "A staffing algorithm for call centers with skill-based routing", Manufacturing &
   Service Operations Management 7(4), 2005, pp. 276–294, doi:10.1287/msom.1050.0086; start, then add by simulation.
.. [3] J. Kiefer, J. Wolfowitz, "On the theory of queues with many servers", Transactions of the American Mathematical
   Society 78(1), 1955, pp. 1–18, doi:10.1090/S0002-9947-1955-0066587-3; the recursion, here with skills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from staffcast.contracts import bad_value
from staffcast.erlang._checks import above_zero, whole
from staffcast.erlang.classes._skill_network import QueueLoad, SkillService, crew_for, parts_of

__all__ = ["PoolStaffing", "QueueLoad", "SkillService", "pool_over_intervals", "pool_staffing", "skill_performance"]

_MOST_QUEUES = 10  # all subsets of the queues become conditions


@dataclass(frozen=True, kw_only=True)
class PoolStaffing:
    """What :func:`pool_staffing` found.

    Attributes
    ----------
    agents : dict of str to int
        Agents per group.
    total : int
        All of them.
    separate_agents : dict of str to int
        What each queue would need with a crew of its own.
    separate_total, pooled_total : int
        The sum of those, and what one crew who answers every queue would need.
    gain : int
        ``separate_total − total``: the agents that these skills save.
    cost : float
        Sum of agents times their cost.
    queues : dict of str to SkillService
        What each queue meets with ``agents``.
    """

    agents: dict[str, int]
    total: int
    separate_agents: dict[str, int]
    separate_total: int
    pooled_total: int
    gain: int
    cost: float
    queues: dict[str, SkillService]


def skill_performance(
    *,
    queues: Mapping[str, QueueLoad],
    groups: Mapping[str, Sequence[str]],
    agents: Mapping[str, int],
    tickets: int = 400_000,
    seed: int = 1,
) -> dict[str, SkillService]:
    """What each queue meets with given agents per skill group.

    Parameters
    ----------
    queues : mapping of name to QueueLoad
        At most 10 queues.
    groups : mapping of name to queue names
        Which queues the agents of a group answer; every queue with tickets is answered by some group.
    agents : mapping of group to int
        Agents answering, shrinkage already taken off, ≥ 0; a group that is left out has none.
    tickets : int
        Tickets to simulate in each part of the network that has no formula, ≥ 10,000.
    seed : int
        Of the simulation, ≥ 0; the same seed gives the same figures.

    Returns
    -------
    dict of queue to SkillService

    Raises
    ------
    InputError
        An unknown name, an argument outside its range, or a queue that nobody answers.

    Examples
    --------
    >>> load = QueueLoad(arrivals_per_hour=100, aht_s=360, target="80% in 60s")
    >>> found = skill_performance(queues={"sales": load}, groups={"any": ["sales"]}, agents={"any": 13})
    >>> round(found["sales"].service_level, 3), found["sales"].met
    (0.827, True)
    """
    _check(queues, groups, tickets, seed)
    for name, number in agents.items():
        if name not in groups:
            raise bad_value("agents", name, f"of the groups {', '.join(groups)}")
        whole(f"agents[{name}]", number)
    found: dict[str, SkillService] = {}
    for part in parts_of(queues, groups):
        found |= part.evaluate(
            np.array([int(agents.get(name, 0)) for name in part.groups], dtype=np.int64), tickets, seed
        )
    return {name: found[name] for name in queues}


def pool_staffing(
    *,
    queues: Mapping[str, QueueLoad],
    groups: Mapping[str, Sequence[str]],
    costs: Mapping[str, float] | None = None,
    tickets: int = 200_000,
    seed: int = 1,
) -> PoolStaffing:
    """Agents per skill group with which every queue meets its target, each agent counted once.

    Parameters
    ----------
    queues, groups, seed
        As in :func:`skill_performance`.
    costs : mapping of group to float, optional
        Cost of one agent of the group, > 0; 1 where left out. Of equal costs fewer skills are preferred.
    tickets : int
        Tickets per simulated trial, ≥ 10,000; the figures given back come from four times as many.

    Returns
    -------
    PoolStaffing
        No single agent can be taken away without missing a target in the trials, or without falling below what one crew
        would need. It is not proven to be the cheapest such staffing (only a total of ``pooled_total`` is, where costs,
        handle times and targets are alike).
        The agents are not yet grossed up for shrinkage.

    Raises
    ------
    InputError
        As in :func:`skill_performance`, or a cost that is not above 0.

    Notes
    -----
    Whatever the routing, all agents who answer any queue of a set need to be at least as many as a single crew would
    need for the set's joint load at the mildest of its targets. The cheapest whole numbers that satisfy this for every
    set (an integer programme) are where the search begins; agents are then added where the trials miss a target, each
    time where they help most for their cost, and taken away where the targets are met without them [2]_. All trials of
    a part share their tickets, so that differences between staffings are hardly noise. Measured: the standard error of
    the service levels given back is about 0.2 to 0.3 points at 20 erlang and 80 %; it takes one second for two queues
    of 10 erlang and four for a chain of six queues of 60 erlang.

    Examples
    --------
    >>> load = QueueLoad(arrivals_per_hour=100, aht_s=360, target="80% in 60s")
    >>> found = pool_staffing(queues={"a": load, "b": load}, groups={"both": ["a", "b"]})
    >>> found.agents, found.separate_total, found.pooled_total, found.gain
    ({'both': 24}, 26, 24, 2)
    """
    _check(queues, groups, tickets, seed)
    price = dict.fromkeys(groups, 1.0)
    for name, cost in (costs or {}).items():
        if name not in groups:
            raise bad_value("costs", name, f"of the groups {', '.join(groups)}")
        price[name] = float(above_zero(f"costs[{name}]", cost))
    agents: dict[str, int] = dict.fromkeys(groups, 0)
    service: dict[str, SkillService] = {}
    for part in parts_of(queues, groups):
        number = part.staff([price[name] for name in part.groups], tickets, seed)
        agents |= dict(zip(part.groups, number.tolist(), strict=True))
        service |= part.evaluate(number, 4 * tickets, seed)
    separate = {name: crew_for([load]) for name, load in queues.items()}
    (crew,) = parts_of(queues, {"all": list(queues)})
    pooled = int(crew.staff([1.0], tickets, seed).sum())
    total, apart = sum(agents.values()), sum(separate.values())
    return PoolStaffing(
        agents=agents, total=total, separate_agents=separate, separate_total=apart, pooled_total=pooled,
        gain=apart - total, cost=sum(price[name] * number for name, number in agents.items()),
        queues={name: service[name] for name in queues},
    )  # fmt: skip


def pool_over_intervals(
    *,
    queues: Sequence[Mapping[str, QueueLoad]],
    groups: Mapping[str, Sequence[str]],
    costs: Mapping[str, float] | None = None,
    tickets: int = 200_000,
    seed: int = 1,
) -> list[PoolStaffing]:
    """:func:`pool_staffing` for each interval, equal intervals computed once.

    Parameters
    ----------
    queues : sequence of mappings of name to QueueLoad
        The queues of each interval.
    groups, costs, tickets, seed
        As in :func:`pool_staffing`.

    Returns
    -------
    list of PoolStaffing
        In the order of ``queues``.

    Raises
    ------
    InputError
        As in :func:`pool_staffing`.
    """
    known: dict[tuple[tuple[str, str], ...], PoolStaffing] = {}
    found = []
    for interval in queues:
        key = tuple((name, repr(load)) for name, load in interval.items())
        if key not in known:
            known[key] = pool_staffing(queues=interval, groups=groups, costs=costs, tickets=tickets, seed=seed)
        found.append(known[key])
    return found


def _check(queues: Mapping[str, QueueLoad], groups: Mapping[str, Sequence[str]], tickets: int, seed: int) -> None:
    if not 1 <= len(queues) <= _MOST_QUEUES:
        raise bad_value("queues", len(queues), f"1 to {_MOST_QUEUES} queues", "plan the others on their own")
    if whole("tickets", tickets) < 10_000:
        raise bad_value("tickets", tickets, "at least 10000", "fewer say nothing about rare waits")
    whole("seed", seed)
    for name, skills in groups.items():
        if isinstance(skills, str):
            raise bad_value(f"groups[{name}]", skills, "a list of queue names", f'write ["{skills}"]')
        if not skills or len(set(skills)) < len(skills):
            raise bad_value(f"groups[{name}]", list(skills), "at least one queue, each named once")
        for skill in skills:
            if skill not in queues:
                raise bad_value(f"groups[{name}]", skill, f"of the queues {', '.join(queues)}")
    answered = {skill for skills in groups.values() for skill in skills}
    for name, load in queues.items():
        if name not in answered and load.load_erl > 0:
            raise bad_value("groups", list(groups), f"such that one answers {name!r}", "add it to a group's queues")
