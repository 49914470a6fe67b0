"""What agents have in hand: who is asked next, a conversation taken up, one laid down, the pace of those that are left.

Everything lies in a few flat arrays, so that little is handed on from function to function. An agent has in ``who`` a
state, how many are in hand, a group, the neighbours in the line (−1 for none), and then the tickets; in ``times`` since
when as many are in hand, and when each of these would end if nothing changed. ``width`` is the most that anybody holds.

Agents with a free place stand in lines, one per group and number in hand, and ``ends`` has both ends of each: whoever
has held so many for longest stands in front, and to join or to leave a line costs the same however long it is.
"""

from __future__ import annotations

import math
from typing import Any

from staffcast.simulation import tournament
from staffcast.simulation.compiled import inlined
from staffcast.simulation.lines import QUEUED

__all__ = [
    "AREAS",
    "AWAY",
    "BUSY",
    "FIELDS",
    "GOES",
    "GROUP",
    "HELD",
    "IN_HAND",
    "OVERTIME",
    "STATE",
    "STAYS",
    "TAKEN",
    "ask",
    "first_done",
    "lay_down",
    "stand",
    "step_out",
    "swap",
    "take_served",
    "take_up",
]

AWAY, STAYS, GOES = 0, 1, 2
STATE, HELD, GROUP, _AHEAD, _BEHIND = range(5)
FIELDS = 5
# Seconds of agents with anything in hand, of conversations in hand, of leavers after their shift; tickets taken.
BUSY, IN_HAND, OVERTIME, TAKEN = range(4)
AREAS = 4


@inlined
def stand(agent: int, level: int, now: float, width: int, who: Any, times: Any, ends: Any) -> None:
    """To the end of a line."""
    at, tail = agent * (FIELDS + width), ends[2 * level + 1]
    who[at + _AHEAD] = tail
    who[at + _BEHIND] = -1
    if tail < 0:
        ends[2 * level] = agent
    else:
        who[tail * (FIELDS + width) + _BEHIND] = agent
    ends[2 * level + 1] = agent
    times[agent * (1 + width)] = now


@inlined
def step_out(agent: int, level: int, width: int, who: Any, ends: Any) -> None:
    """Out of a line, wherever in it."""
    at = agent * (FIELDS + width)
    ahead, behind = who[at + _AHEAD], who[at + _BEHIND]
    if ahead < 0:
        ends[2 * level] = behind
    else:
        who[ahead * (FIELDS + width) + _BEHIND] = behind
    if behind < 0:
        ends[2 * level + 1] = ahead
    else:
        who[behind * (FIELDS + width) + _AHEAD] = ahead


@inlined
def ask(kind: int, by_priority: bool, groups: int, askable: Any, width: int, times: Any, ends: Any) -> int:
    """The agent to whom a ticket of a class goes; −1 if nobody who serves it has a place."""
    for load in range(width):
        best, since = -1, math.inf
        for rank in range(groups):
            group = askable[kind * groups + rank]
            if group < 0:
                break
            agent = ends[2 * (group * width + load)]
            if agent < 0:
                continue
            if by_priority:
                return agent  # type: ignore[no-any-return]
            if times[agent * (1 + width)] < since:
                best, since = agent, times[agent * (1 + width)]
        if best >= 0:
            return best
    return -1


@inlined
def take_served(
    group: int,
    serves: Any,
    heads: Any,
    after: Any,
    leave: Any,
    arrival: Any,
    opened: Any,
    step: int,
    now: float,
    ageing_s: float,
    marks: Any,
) -> int:
    """The waiting ticket that an agent of a group takes, out of its line; −1 if there is none."""
    best, urgency, classes = -1, math.inf, len(heads)
    for rank in range(classes):
        kind = serves[group * classes + rank]
        if kind < 0:
            break
        ticket = heads[kind]
        while ticket >= 0 and leave[ticket] < now:
            ticket = after[ticket]
            marks[QUEUED] -= 1
        heads[kind] = ticket
        if ticket < 0 or not opened[kind][step]:
            continue
        if ageing_s == math.inf:
            best = kind
            break
        score = rank - (now - arrival[ticket]) / ageing_s
        if score < urgency:
            best, urgency = kind, score
    if best < 0:
        return -1
    ticket = heads[best]
    heads[best] = after[ticket]
    marks[QUEUED] -= 1
    return ticket  # type: ignore[no-any-return]


@inlined
def _repace(agent: int, load: int, factor: float, now: float, width: int, times: Any) -> float:
    """Stretch what is left of the first so many conversations; when the first of them will be done."""
    soonest, base = math.inf, agent * (1 + width) + 1
    for place in range(base, base + load):
        done = times[place]
        if factor != 1.0:
            done = now + (done - now) * factor
            times[place] = done
        if done < soonest:
            soonest = done
    return soonest


@inlined
def take_up(
    agent: int,
    work: float,
    ticket: int,
    now: float,
    close: float,
    width: int,
    places: Any,
    slow: Any,
    who: Any,
    times: Any,
    ends: Any,
    keys: Any,
    area: Any,
) -> None:
    """One more in the hands of an agent who has a place; ``work`` is how long it would last alone."""
    at = agent * (FIELDS + width)
    load, group, groups = who[at + HELD], who[at + GROUP], len(places)
    level = group * width + load
    step_out(agent, level, width, who, ends)
    pace, soonest = slow[level], math.inf
    if load > 0:
        soonest = _repace(agent, load, pace / slow[level - 1], now, width, times)
    else:
        area[BUSY * groups + group] += close - now
    area[IN_HAND * groups + group] += close - now
    area[TAKEN * groups + group] += 1
    done = now + work * pace
    who[at + FIELDS + load] = ticket
    times[agent * (1 + width) + 1 + load] = done
    who[at + HELD] = load + 1
    if load + 1 < places[group]:
        stand(agent, level + 1, now, width, who, times, ends)
    tournament.put(keys, agent, min(done, soonest))


@inlined
def first_done(agent: int, width: int, who: Any, times: Any) -> int:
    """Which of an agent's conversations, 0 …, is done first."""
    base = agent * (1 + width) + 1
    slot = 0
    for place in range(1, who[agent * (FIELDS + width) + HELD]):
        if times[base + place] < times[base + slot]:
            slot = place
    return slot


@inlined
def swap(
    agent: int, slot: int, work: float, ticket: int, now: float, width: int, groups: int, slow: Any, who: Any,
    times: Any, keys: Any, area: Any,
) -> None:  # fmt: skip
    """Another in place of one that is done: nobody's pace changes."""
    at, base = agent * (FIELDS + width), agent * (1 + width) + 1
    load, group = who[at + HELD], who[at + GROUP]
    who[at + FIELDS + slot] = ticket
    times[base + slot] = now + work * slow[group * width + load - 1]
    area[TAKEN * groups + group] += 1
    tournament.put(keys, agent, _repace(agent, load, 1.0, now, width, times))


@inlined
def lay_down(
    agent: int,
    slot: int,
    now: float,
    close: float,
    width: int,
    places: Any,
    slow: Any,
    who: Any,
    times: Any,
    ends: Any,
    keys: Any,
    area: Any,
) -> bool:
    """One less in an agent's hands; whether this was the last of one who leaves."""
    at, base = agent * (FIELDS + width), agent * (1 + width) + 1
    load, group, groups = who[at + HELD] - 1, who[at + GROUP], len(places)
    level = group * width + load
    who[at + HELD] = load
    who[at + FIELDS + slot] = who[at + FIELDS + load]
    times[base + slot] = times[base + load]
    area[IN_HAND * groups + group] -= close - now
    if load == 0:
        area[BUSY * groups + group] -= close - now
        tournament.put(keys, agent, math.inf)
    else:
        tournament.put(keys, agent, _repace(agent, load, slow[level - 1] / slow[level], now, width, times))
    if who[at + STATE] == STAYS:
        if load + 1 < places[group]:
            step_out(agent, level + 1, width, who, ends)
        stand(agent, level, now, width, who, times, ends)
    elif load == 0:
        who[at + STATE] = AWAY
        area[OVERTIME * groups + group] -= close - now
        return True
    return False
