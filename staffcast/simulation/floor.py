"""The second event loop, for agents who are followed one by one: groups with skills, several conversations in hand.

Semantics
---------
What :mod:`staffcast.simulation.kernel` says holds here too: the order of things at one instant, patience, ageing,
opened hours, redials, reopening and repeats. One group of agents with one conversation at a time is played as there,
ticket by ticket. Besides:

1. Each group has its staff by interval and the classes that it serves, in its order of preference. An agent who gets
   free takes the waiting ticket of the class that the group prefers most, and within a class the one that came first.
   Ageing counts in places of that order.
2. A ticket goes at once to an agent with a free place who serves its class: to one who has the fewest conversations in
   hand. Where several have as few, ``longest_idle`` takes who has had that many for longest, in whichever group (of
   those without any: the longest idle), and ``priority`` who has so in the group that prefers the class most; of equal
   groups the one listed first. Where agents come to waiting tickets, when a queue opens or staff begins, those with the
   fewest in hand take first, by the same rule, but for ``priority`` in the order in which the groups are listed.
3. An agent has room for as many conversations as the group's ``concurrency`` says, of whichever classes. With j in
   hand, each of them advances at aht_1 ÷ aht_j of the pace that it would have alone, and what is left of it is
   stretched or shortened at each change. A conversation stays with the agent who began it.
4. Staff drop: idle agents leave first, the longest idle before the others. Of the busy, leavers are drawn by the rule
   of the group; a leaver takes no more conversations and goes with the last one. With ``preempt`` and ``handover`` all
   that a leaver has in hand goes back to the lines, each with what is left of it. ``finish_count`` is a rule for one
   conversation at a time: by counting alone nobody knows who of those with a place is to take no more.
5. An agent is busy with one conversation in hand or more. Utilization and occupancy are shares of that time, and the
   number of conversations in hand is told beside them.
6. What is in hand when the play ends is taken to end as it would if its agent got no other and lost none.
"""

from __future__ import annotations

import math
from typing import Any

from staffcast.simulation import heap, tournament
from staffcast.simulation.compiled import inlined, kept, uncounted
from staffcast.simulation.crew import call_in, free_agent, mark, send_home, under_way
from staffcast.simulation.hands import (
    AREAS,
    FIELDS,
    GOES,
    GROUP,
    HELD,
    STATE,
    STAYS,
    ask,
    first_done,
    lay_down,
    swap,
    take_served,
    take_up,
)
from staffcast.simulation.lines import (
    ALL,
    GIVES_UP,
    LATE,
    QUEUED,
    REDIALLED,
    REOPENED,
    REPEATED,
    SOON,
    again,
    await_turn,
    calls_again_at,
    expect,
    join,
    reopens_at,
)

__all__ = ["ROUTINGS", "play"]

ROUTINGS = ("longest_idle", "priority")


@inlined
def _begun(ticket: int, now: float, begin: Any, spells: Any, marks: Any) -> None:
    if begin[ticket] != begin[ticket]:
        begin[ticket] = now
    else:
        mark(3, now, spells, marks)


@kept
def play(
    known: int,
    arrival: Any,
    service: Any,
    rest: Any,
    leave: Any,
    kind: Any,
    bits: Any,
    edges: Any,
    agents: Any,
    opened: Any,
    rules: Any,
    handover_s: float,
    ageing_s: float,
    leaver_bits: Any,
    returns: Any,
    service_law: Any,
    patience_law: Any,
    sample: Any,
    by_priority: bool,
    serves: Any,
    askable: Any,
    places: Any,
    slow: Any,
    first_of: Any,
    begin: Any,
    end: Any,
    origin: Any,
    after: Any,
    heads: Any,
    tails: Any,
    spells: Any,
    marks: Any,
    who: Any,
    times: Any,
    ends: Any,
    keys: Any,
    area: Any,
    in_vain: Any,
    found: Any,
) -> bool:
    """Play one replication.

    Parameters
    ----------
    known, arrival, service, leave, kind, bits, edges, opened, handover_s, ageing_s, leaver_bits, returns
        As in :func:`staffcast.simulation.kernel.play`; so are ``service_law``, ``patience_law``, ``sample``, ``begin``,
        ``end``, ``origin``, ``after``, ``heads``, ``tails``, ``spells`` and ``marks``.
    rest : (tickets,)
        What is left of the handling, as it would last alone; at first ``service``.
    agents : (groups × n,)
        Staff of each group by interval.
    rules : (groups,) of int
        Places in ``DROP_RULES``.
    by_priority : bool
        Semantics 2.
    serves : (groups × classes,) of int
        Classes of each group in its order of preference, then −1.
    askable : (classes × groups,) of int
        Groups of each class, who prefers it most first, then −1.
    places : (groups,) of int
        Conversations at once, ≥ 1.
    slow : (groups × width,)
        aht_j ÷ aht_1 for j = 1 … ``width``, the most places of any group.
    first_of : (groups + 1,) of int
        The first agent of each group, and how many they are in all.
    who, times : (agents × (5 + width),) of int, (agents × (1 + width),)
        0, the group set; see :mod:`staffcast.simulation.hands`.
    ends : (2 × groups × width,) of int
        −1.
    keys : (room for the agents,)
        Infinity; see :mod:`staffcast.simulation.tournament`.
    area, in_vain : (4 × groups,), (groups,) of bool
        Room.
    found : (4 × groups × n,)
        Filled in, by what, group and interval: seconds of agents with anything in hand, of conversations in hand, of
        leavers after their shift; tickets taken.

    Returns
    -------
    bool
        Whether the room was large enough; else nothing counts.
    """
    arrival, service, rest, leave = uncounted(arrival), uncounted(service), uncounted(rest), uncounted(leave)
    kind, opened, begin, end = uncounted(kind), uncounted(opened), uncounted(begin), uncounted(end)
    after, heads, tails, marks = uncounted(after), uncounted(heads), uncounted(tails), uncounted(marks)
    serves, askable, places, slow = uncounted(serves), uncounted(askable), uncounted(places), uncounted(slow)
    who, times, ends, keys, area = uncounted(who), uncounted(times), uncounted(ends), uncounted(keys), uncounted(area)
    spells = uncounted(spells)
    room, steps, groups = len(arrival), len(edges) - 1, len(places)
    width, crew = len(slow) // groups, first_of[groups]
    marks[ALL] = known
    eager = returns[0] > 0 or returns[2] > 0 or returns[5] > 0
    soon_s, soon = heap.new(4 * room + 1 if eager else 1)
    i = 0
    coming = arrival[0] if known else math.inf
    for step in range(steps):
        edge, close = edges[step], edges[step + 1]
        while keys[1] <= edge:
            agent = tournament.earliest(keys)
            slot = first_done(agent, width, who, times)
            done, ticket = keys[1], who[agent * (FIELDS + width) + FIELDS + slot]
            end[ticket] = done
            if lay_down(agent, slot, done, close, width, places, slow, who, times, ends, keys, area):
                mark(1, done, spells, marks)
                marks[LATE] -= 1
            if returns[2] > 0:
                back = reopens_at(ticket, done, bits, returns, sample)
                if back < math.inf:
                    expect(back, 4 * ticket + REOPENED, soon_s, soon, marks)
        for group in range(groups):
            staff, before = agents[group * steps + step], agents[group * steps + step - 1] if step else 0
            low, high = first_of[group], first_of[group + 1]
            if staff < before:
                send_home(
                    group, rules[group], before - staff, low, high, step, edge, handover_s, leaver_bits, width, places,
                    slow, who, times, ends, keys, heads, tails, after, kind, rest, begin, end, leave, spells, marks,
                )  # fmt: skip
            elif staff > before:
                call_in(
                    group, rules[group], staff - before, low, high, step, edge, leaver_bits, width, places, who, times,
                    ends, spells, marks,
                )  # fmt: skip
            in_vain[group] = False
        under_way(close - edge, crew, width, groups, who, area)
        while coming <= edge:
            join(i, kind[i], heads, tails, after, marks)
            if eager:
                await_turn(i, arrival[i], edge, leave, bits, returns, soon_s, soon, marks)
            i += 1
            coming = arrival[i] if i < known else math.inf
        while marks[QUEUED] > 0:
            agent = free_agent(by_priority, groups, in_vain, width, times, ends)
            if agent < 0:
                break
            group = who[agent * (FIELDS + width) + GROUP]
            ticket = take_served(
                group, serves, heads, after, leave, arrival, opened, step, edge, ageing_s, marks
            )  # fmt: skip
            if ticket < 0:
                in_vain[group] = True
                continue
            _begun(ticket, edge, begin, spells, marks)
            take_up(agent, rest[ticket], ticket, edge, close, width, places, slow, who, times, ends, keys, area)
        event = heap.top(soon_s, marks[SOON])
        while True:
            done = keys[1]
            if coming <= done and coming <= event:
                if coming >= close:
                    break
                now, ticket = coming, i
                i += 1
                coming = arrival[i] if i < known else math.inf
            elif event < done:
                if event >= close:
                    break
                now, which = event, heap.top_ticket(soon_s, soon)
                parent, what = which >> 2, which & 3
                heap.pop(soon_s, soon, marks[SOON])
                marks[SOON] -= 1
                event = heap.top(soon_s, marks[SOON])
                waits = begin[parent] != begin[parent]
                if what == GIVES_UP:
                    if waits:
                        end[parent] = now
                        leave[parent] = -math.inf
                        expect(
                            calls_again_at(parent, now, bits, returns, sample),
                            4 * parent + REDIALLED,
                            soon_s,
                            soon,
                            marks,
                        )
                        event = heap.top(soon_s, marks[SOON])
                    continue
                if what == REPEATED and not waits:
                    continue
                if marks[ALL] >= room:
                    return False
                ticket = again(
                    parent, what, now, step, arrival, service, rest, leave, kind, bits, returns, service_law,
                    patience_law, sample, origin, marks,
                )  # fmt: skip
            else:
                if done >= close:
                    break
                agent = tournament.earliest(keys)
                at = agent * (FIELDS + width)
                group, slot = who[at + GROUP], first_done(agent, width, who, times)
                ready, ticket = who[at + FIELDS + slot], -1
                end[ready] = done
                # Who had a place before had nothing to take then, and has nothing now.
                if marks[QUEUED] > 0 and who[at + HELD] == places[group] and who[at + STATE] == STAYS:
                    ticket = take_served(
                        group, serves, heads, after, leave, arrival, opened, step, done, ageing_s, marks
                    )  # fmt: skip
                if ticket >= 0:
                    _begun(ticket, done, begin, spells, marks)
                    swap(agent, slot, rest[ticket], ticket, done, width, groups, slow, who, times, keys, area)
                elif lay_down(agent, slot, done, close, width, places, slow, who, times, ends, keys, area):
                    mark(1, done, spells, marks)
                    marks[LATE] -= 1
                if returns[2] > 0:
                    back = reopens_at(ready, done, bits, returns, sample)
                    if back < math.inf:
                        expect(back, 4 * ready + REOPENED, soon_s, soon, marks)
                        event = heap.top(soon_s, marks[SOON])
                continue
            line, agent = kind[ticket], -1
            if opened[line][step]:
                agent = ask(line, by_priority, groups, askable, width, times, ends)
            if agent >= 0:
                _begun(ticket, now, begin, spells, marks)
                take_up(agent, rest[ticket], ticket, now, close, width, places, slow, who, times, ends, keys, area)
            else:
                join(ticket, line, heads, tails, after, marks)
                if eager:
                    await_turn(ticket, now, now, leave, bits, returns, soon_s, soon, marks)
                    event = heap.top(soon_s, marks[SOON])
        for row in range(AREAS * groups):
            found[row * steps + step] = max(area[row], 0.0)
    for agent in range(crew):
        at, last = agent * (FIELDS + width), -math.inf
        for place in range(who[at + HELD]):
            done = times[agent * (1 + width) + 1 + place]
            end[who[at + FIELDS + place]] = done
            last = max(last, done)
        if who[at + STATE] == GOES:
            mark(1, last, spells, marks)
    return True
