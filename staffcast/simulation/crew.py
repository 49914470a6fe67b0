"""Agents who come and go at the edge of an interval, and what those who are there then take."""

from __future__ import annotations

import math
from typing import Any

from staffcast.simulation import tournament
from staffcast.simulation.chance import child, uniform
from staffcast.simulation.compiled import compiled, inlined
from staffcast.simulation.hands import (
    AREAS,
    AWAY,
    BUSY,
    FIELDS,
    GOES,
    GROUP,
    HELD,
    IN_HAND,
    OVERTIME,
    STATE,
    STAYS,
    stand,
    step_out,
)
from staffcast.simulation.lines import FINISH_COUNT, LATE, PREEMPT, QUEUED, SPELLS

__all__ = ["call_in", "free_agent", "mark", "send_home", "under_way"]


@compiled
def mark(side: int, time: float, spells: Any, marks: Any) -> None:
    """Write down when overtime (0, 1) or a break in the handling (2, 3) begins or ends."""
    spells[side][marks[SPELLS + side]] = time
    marks[SPELLS + side] += 1


@compiled
def _lot(agent: int, rule: int, own: Any, width: int, who: Any, times: Any) -> float:
    """By what it is decided who of the busy goes, the smallest first."""
    at = agent * (FIELDS + width)
    if rule == FINISH_COUNT:
        return float(times[agent * (1 + width) + 1])
    ticket = who[at + FIELDS]
    for place in range(1, who[at + HELD]):
        ticket = min(ticket, who[at + FIELDS + place])
    return uniform(own, ticket)


@compiled
def send_home(
    group: int,
    rule: int,
    fewer: int,
    low: int,
    high: int,
    step: int,
    edge: float,
    handover_s: float,
    leaver_bits: Any,
    width: int,
    places: Any,
    slow: Any,
    who: Any,
    times: Any,
    ends: Any,
    keys: Any,
    heads: Any,
    tails: Any,
    after: Any,
    kind: Any,
    rest: Any,
    begin: Any,
    end: Any,
    leave: Any,
    spells: Any,
    marks: Any,
) -> None:
    """So many of a group's agents, numbers ``low`` to ``high``, leave."""
    while fewer > 0 and ends[2 * group * width] >= 0:
        agent = ends[2 * group * width]
        step_out(agent, group * width, width, who, ends)
        who[agent * (FIELDS + width) + STATE] = AWAY
        fewer -= 1
    if fewer == 0:
        return
    own = child(leaver_bits, step)
    lots = [
        _lot(agent, rule, own, width, who, times) if who[agent * (FIELDS + width) + STATE] == STAYS else math.inf
        for agent in range(low, high)
    ]
    limit = sorted(lots)[fewer - 1]
    back = [-1] * (fewer * width)
    returned = 0
    for agent in range(low, high):
        if lots[agent - low] > limit or fewer == 0:
            continue
        fewer -= 1
        at = agent * (FIELDS + width)
        load = who[at + HELD]
        if load < places[group]:
            step_out(agent, group * width + load, width, who, ends)
        if rule < PREEMPT:
            who[at + STATE] = GOES
            marks[LATE] += 1
            mark(0, edge, spells, marks)
            continue
        for place in range(load):
            ticket = who[at + FIELDS + place]
            left = times[agent * (1 + width) + 1 + place] - edge
            rest[ticket] = left / slow[group * width + load - 1] + (handover_s if rule > PREEMPT else 0.0)
            end[ticket] = math.inf
            leave[ticket] = math.inf
            mark(2, edge, spells, marks)
            back[returned] = ticket
            returned += 1
        who[at + HELD], who[at + STATE] = 0, AWAY
        tournament.put(keys, agent, math.inf)
    # In front of a line the one begun first is to stand, so it is put there last.
    for _ in range(returned):
        last = -1
        for place in range(returned):
            if back[place] >= 0 and (last < 0 or begin[back[place]] > begin[back[last]]):
                last = place
        ticket = back[last]
        back[last] = -1
        line = kind[ticket]
        if heads[line] < 0:
            tails[line] = ticket
        after[ticket] = heads[line]
        heads[line] = ticket
        marks[QUEUED] += 1


@compiled
def call_in(
    group: int,
    rule: int,
    more: int,
    low: int,
    high: int,
    step: int,
    edge: float,
    leaver_bits: Any,
    width: int,
    places: Any,
    who: Any,
    times: Any,
    ends: Any,
    spells: Any,
    marks: Any,
) -> None:
    """So many more of a group's agents: leavers still at work are asked to stay first, then others come."""
    if marks[LATE] > 0:
        own = child(leaver_bits, step)
        lots = [
            -_lot(agent, rule, own, width, who, times) if who[agent * (FIELDS + width) + STATE] == GOES else math.inf
            for agent in range(low, high)
        ]
        limit = sorted(lots)[min(more, high - low) - 1]
        for agent in range(low, high):
            at = agent * (FIELDS + width)
            if who[at + STATE] == GOES and lots[agent - low] <= limit and more > 0:
                more -= 1
                who[at + STATE] = STAYS
                marks[LATE] -= 1
                mark(1, edge, spells, marks)
                if who[at + HELD] < places[group]:
                    stand(agent, group * width + who[at + HELD], edge, width, who, times, ends)
    for agent in range(low, high):
        if more > 0 and who[agent * (FIELDS + width) + STATE] == AWAY:
            more -= 1
            who[agent * (FIELDS + width) + STATE] = STAYS
            stand(agent, group * width, edge, width, who, times, ends)


@compiled
def under_way(seconds: float, agents: int, width: int, groups: int, who: Any, area: Any) -> None:
    """What an interval of so many seconds would bring if nothing happened in it."""
    for place in range(AREAS * groups):
        area[place] = 0.0
    for agent in range(agents):
        at = agent * (FIELDS + width)
        load = who[at + HELD]
        if load > 0:
            area[BUSY * groups + who[at + GROUP]] += seconds
            area[IN_HAND * groups + who[at + GROUP]] += seconds * load
            if who[at + STATE] == GOES:
                area[OVERTIME * groups + who[at + GROUP]] += seconds


@inlined
def free_agent(by_priority: bool, groups: int, in_vain: Any, width: int, times: Any, ends: Any) -> int:
    """Whose turn it is to take a waiting ticket, of the groups that were not asked in vain; −1 for nobody."""
    for load in range(width):
        best, since = -1, math.inf
        for group in range(groups):
            agent = ends[2 * (group * width + load)]
            if agent < 0 or in_vain[group]:
                continue
            if times[agent * (1 + width)] < since:
                best, since = agent, times[agent * (1 + width)]
                if by_priority:
                    break
        if best >= 0:
            return best
    return -1
