"""The event loop over the tickets of one replication.

Semantics
---------
1. The play runs from the first edge to the last. A ticket that has not begun by then stays unanswered (censored); one
   that has begun counts as answered although its handling may end later.
2. A free agent takes at once the waiting ticket of the most urgent class, and within the class the one that came
   first. A ticket in hand is never interrupted for a more urgent one (non-preemptive).
3. At one instant things happen in this order: tickets in hand end, the staff changes, tickets arrive, free agents take
   tickets. An agent whose ticket ends exactly at the end of the shift takes no other.
4. A customer whose patience ends while waiting leaves; one whose turn comes at that very instant is served. Patience
   runs through closed hours. Nobody leaves once their ticket has begun.
5. Staff rise: leavers still at a ticket (6) are asked to stay first, then others come. The plan counts heads, not
   names: otherwise a plan that flutters 5, 4, 5 would have 5 agents and, for a while, a sixth.
6. Staff drop from a to b: idle agents leave first. If more than b are busy, the excess are *leavers*, who finish their
   ticket and go. Which of the busy ones they are is what the rule decides:

   - ``finish``: those whose shift ends, drawn at random since a shift's end knows nothing of tickets. The b who stay
     go on taking tickets while the leavers finish theirs, so up to a tickets are in hand until the leavers are done.
   - ``finish_count``: whoever finishes first. Nothing begins while as many or more tickets are in hand as the staff
     counts, so the number in hand falls to b as fast as it can.

   After a drop to 0, or when nobody waits or comes before the leavers are done, the two are the same. Otherwise
   ``finish_count`` has the longer waits and the less overtime.
7. The time that leavers spend on their ticket after the drop is overtime. It is no staffed time, and is kept apart
   from utilization.
8. The queue is carried through hours with 0 agents as through any other.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush, heapreplace

__all__ = ["DROP_RULES", "play"]

DROP_RULES = ("finish", "finish_count")


def play(
    arrival_s: Sequence[float],
    service_s: Sequence[float],
    leave_s: Sequence[float] | None,
    priority: Sequence[int],
    edges_s: Sequence[float],
    agents: Sequence[int],
    on_staff_drop: str,
    pick: Callable[[int, int], Sequence[int]],
) -> tuple[list[float], list[float], list[float]]:
    """Play one replication.

    Parameters
    ----------
    arrival_s, service_s : sequence (tickets,)
        Seconds, in the order of arrival; at one instant the more urgent first.
    leave_s : sequence (tickets,) or None
        When a ticket still waiting gives up.
    priority : sequence (tickets,)
        Class, 0 the most urgent.
    edges_s : sequence (n + 1,)
        Interval edges in seconds.
    agents : sequence (n,)
        Staff per interval.
    on_staff_drop : {"finish", "finish_count"}
        Semantics 6.
    pick : callable
        ``pick(n, k)`` gives k different numbers below n, all such sets equally likely; who leaves and who stays on.

    Returns
    -------
    begin_s : list (tickets,)
        When each ticket was taken; NaN if never.
    overtime_from_s, overtime_to_s : list
        When a leaver's overtime begins and ends; unpaired, of equal length.

    Notes
    -----
    Lists of Python floats, not arrays: reading an element of an array costs three times as much.
    """
    count = len(arrival_s)
    begin = [math.nan] * count
    arrival = [*arrival_s, math.inf]
    leave = [math.inf] * count if leave_s is None else leave_s
    queues: list[deque[int]] = [deque() for _ in range(max(priority, default=0) + 1)]
    single = queues[0] if len(queues) == 1 else None
    first_done_leaves = on_staff_drop == "finish_count"
    ends: list[float] = []  # heap: when those who stay finish the ticket in hand
    leavers: list[float] = []  # when the leavers finish theirs
    overtime_from: list[float] = []
    overtime_to: list[float] = []
    i = 0  # the next ticket to arrive
    for step, staff in enumerate(agents):
        edge, close = edges_s[step], edges_s[step + 1]
        while ends and ends[0] <= edge:
            heappop(ends)
        if leavers:
            overtime_to += [end for end in leavers if end <= edge]
            leavers = [end for end in leavers if end > edge]
        if len(ends) > staff:
            gone = _take(ends, len(ends) - staff, first_done_leaves, pick)
            leavers += gone
            overtime_from += [edge] * len(gone)
        elif leavers and staff > agents[step - 1]:
            leavers.sort(reverse=True)
            back = min(len(leavers), staff - agents[step - 1])
            # By count, those who would be done last stay on, as the excess is made of the first to finish.
            staying = set(range(back) if first_done_leaves else pick(len(leavers), back))
            for place in staying:
                heappush(ends, leavers[place])
            overtime_to += [edge] * back
            leavers = [end for place, end in enumerate(leavers) if place not in staying]
        while arrival[i] <= edge:
            queues[priority[i]].append(i)
            i += 1
        free = staff - len(ends)
        while free:
            ticket = _next(queues, leave, edge)
            if ticket < 0:
                break
            begin[ticket] = edge
            heappush(ends, edge + service_s[ticket])
            free -= 1
        coming = arrival[i]
        end = ends[0] if ends else math.inf
        while True:
            if coming <= end:
                if coming >= close:
                    break
                if free:
                    free -= 1
                    begin[i] = coming
                    heappush(ends, coming + service_s[i])
                    end = ends[0]
                elif single is not None:
                    single.append(i)
                else:
                    queues[priority[i]].append(i)
                i += 1
                coming = arrival[i]
                continue
            if end >= close:
                break
            ticket = -1
            for queue in queues:
                while queue:
                    ticket = queue.popleft()
                    if leave[ticket] >= end:
                        break
                    ticket = -1  # gave up before its turn
                if ticket >= 0:
                    break
            if ticket >= 0:
                begin[ticket] = end
                heapreplace(ends, end + service_s[ticket])
            else:
                heappop(ends)
                free += 1
            end = ends[0] if ends else math.inf
    overtime_to += leavers
    return begin, overtime_from, overtime_to


def _next(queues: Sequence[deque[int]], leave: Sequence[float], now: float) -> int:
    for queue in queues:
        while queue:
            ticket = queue.popleft()
            if leave[ticket] >= now:
                return ticket
    return -1


def _take(
    ends: list[float], excess: int, first_done_leaves: bool, pick: Callable[[int, int], Sequence[int]]
) -> list[float]:
    # Takes busy agents out of the heap; a uniform choice of places is one of agents, whatever the heap's order.
    if first_done_leaves:
        return [heappop(ends) for _ in range(excess)]
    places = set(pick(len(ends), excess))
    gone = [end for place, end in enumerate(ends) if place in places]
    ends[:] = [end for place, end in enumerate(ends) if place not in places]
    heapify(ends)
    return gone
