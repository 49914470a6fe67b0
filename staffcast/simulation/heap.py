"""A heap of (time, ticket), each above four others: arrays where it is compiled, the standard library's where not.

It lies in two sequences, and who uses it keeps the count: a heap as one object would cost more than the work on it. The
earliest time is on top. Which of equal times comes first is not said, but where :func:`pop_in_order` takes them out:
there the ticket with the lesser number does, so that both ways play the same.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

from staffcast.simulation.compiled import COMPILED, compiled, inlined

__all__ = ["keep", "new", "pop", "pop_in_order", "push", "replace", "ticket_at", "time_at", "top", "top_ticket"]

if COMPILED:

    @compiled
    def new(capacity: int) -> Any:
        """Two sequences for at most so many."""
        return np.empty(capacity), np.empty(capacity, np.int64)

    @inlined
    def top(times: Any, count: int) -> float:
        """The earliest time; infinity if it is empty."""
        return times[0] if count > 0 else np.inf

    @compiled
    def top_ticket(times: Any, tickets: Any) -> int:
        """Whose the earliest time is."""
        return tickets[0]  # type: ignore[no-any-return]

    @compiled
    def time_at(times: Any, tickets: Any, place: int) -> float:
        """The time at a place 0 … count − 1, in no order."""
        return times[place]  # type: ignore[no-any-return]

    @compiled
    def ticket_at(times: Any, tickets: Any, place: int) -> int:
        """The ticket there."""
        return tickets[place]  # type: ignore[no-any-return]

    @inlined
    def push(times: Any, tickets: Any, count: int, time: float, ticket: int) -> None:
        """Put one in; ``count`` are there before."""
        place = count
        while place > 0:
            above = (place - 1) >> 2
            if times[above] < time or (times[above] == time and tickets[above] < ticket):
                break
            times[place], tickets[place] = times[above], tickets[above]
            place = above
        times[place], tickets[place] = time, ticket

    @inlined
    def replace(times: Any, tickets: Any, count: int, time: float, ticket: int) -> None:
        """Take the earliest out and put one in; ``count`` are there before and after."""
        place, below = 0, 1
        # Down to a leaf along the earliest children, then up: what comes in mostly belongs near the leaves, and choices
        # without a branch do not stall.
        while below + 3 < count:
            one, other, third, fourth = times[below], times[below + 1], times[below + 2], times[below + 3]
            left, right = below + (other < one), below + 2 + (fourth < third)
            early, late = min(one, other), min(third, fourth)
            least = right if late < early else left
            times[place], tickets[place] = min(early, late), tickets[least]
            place, below = least, 4 * least + 1
        if below < count:
            least = below
            for each in range(below + 1, count):
                if times[each] < times[least]:
                    least = each
            times[place], tickets[place] = times[least], tickets[least]
            place = least
        push(times, tickets, place, time, ticket)

    @inlined
    def pop(times: Any, tickets: Any, count: int) -> None:
        """Take the earliest out; ``count`` are there before."""
        if count > 1:
            replace(times, tickets, count - 1, times[count - 1], tickets[count - 1])

    @inlined
    def pop_in_order(times: Any, tickets: Any, count: int) -> None:
        """Take the earliest out, and of equal times the lesser ticket, if nothing else ever takes any out."""
        last, place, below = count - 1, 0, 1
        while below < last:
            least = below
            for each in range(below + 1, min(below + 4, last)):
                one, other = times[least], times[each]
                if other < one or (other == one and tickets[each] < tickets[least]):
                    least = each
            times[place], tickets[place] = times[least], tickets[least]
            place, below = least, 4 * least + 1
        push(times, tickets, place, times[last], tickets[last])

    @compiled
    def keep(times: Any, tickets: Any, kept: Any) -> int:
        """Keep those at the places where ``kept`` is true; how many they are."""
        count = 0
        for place in range(len(kept)):
            if kept[place]:
                push(times, tickets, count, times[place], tickets[place])
                count += 1
        return count

else:

    def new(capacity: int) -> Any:
        """Two sequences; here the first one holds all."""
        return [], []

    def top(times: Any, count: int) -> float:
        """The earliest time; infinity if it is empty."""
        return times[0][0] if count else np.inf

    def top_ticket(times: Any, tickets: Any) -> int:
        """Whose the earliest time is."""
        return times[0][1]  # type: ignore[no-any-return]

    def time_at(times: Any, tickets: Any, place: int) -> float:
        """The time at a place 0 … count − 1, in no order."""
        return times[place][0]  # type: ignore[no-any-return]

    def ticket_at(times: Any, tickets: Any, place: int) -> int:
        """The ticket there."""
        return times[place][1]  # type: ignore[no-any-return]

    def push(times: Any, tickets: Any, count: int, time: float, ticket: int) -> None:
        """Put one in."""
        heapq.heappush(times, (time, ticket))

    def replace(times: Any, tickets: Any, count: int, time: float, ticket: int) -> None:
        """Take the earliest out and put one in."""
        heapq.heapreplace(times, (time, ticket))

    def pop(times: Any, tickets: Any, count: int) -> None:
        """Take the earliest out."""
        heapq.heappop(times)

    def pop_in_order(times: Any, tickets: Any, count: int) -> None:
        """Take the earliest out, and of equal times the lesser ticket."""
        heapq.heappop(times)

    def keep(times: Any, tickets: Any, kept: Any) -> int:
        """Keep those at the places where ``kept`` is true; how many they are."""
        times[:] = [entry for place, entry in enumerate(times) if kept[place]]
        heapq.heapify(times)
        return len(times)
