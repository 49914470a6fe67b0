"""The steps of the event loop: joining a line, being taken, staff that goes and comes, tickets that come back.

``marks`` counts for all of them: how many wait (those who left included until their turn), tickets in all, filled
columns of each row of ``spells``, leavers at work, future events.
"""

from __future__ import annotations

import math
from typing import Any

from staffcast.simulation import heap
from staffcast.simulation.chance import EXPONENTIAL, child, draw, uniform
from staffcast.simulation.compiled import compiled, inlined

__all__ = [
    "ALL",
    "FINISH",
    "FINISH_COUNT",
    "FIRST",
    "GIVES_UP",
    "LATE",
    "PREEMPT",
    "QUEUED",
    "REDIALLED",
    "REOPENED",
    "REPEATED",
    "SOON",
    "SPELLS",
    "again",
    "await_turn",
    "begin_one",
    "calls_again_at",
    "drop",
    "expect",
    "join",
    "leavers_done",
    "reopens_at",
    "rise",
    "take",
]

FINISH, FINISH_COUNT, PREEMPT = 0, 1, 2
FIRST, REDIALLED, REOPENED, REPEATED = range(4)
# Future events are ticket × 4 + what: it gives up; a ticket comes of it again as REDIALLED, REOPENED or REPEATED.
GIVES_UP = 0
QUEUED, ALL, SPELLS, LATE, SOON = 0, 1, 2, 6, 7
# What a ticket's random bits are used for; each of the three causes has its own.
_WILL, _DELAY, _WORK, _PATIENCE, _BITS, _CAUSES = 0, 1, 1_000, 2_000, 3_000, 10_000


@inlined
def take(
    heads: Any, after: Any, leave: Any, arrival: Any, opened: Any, step: int, now: float, ageing_s: float, marks: Any
) -> int:
    """The waiting ticket whose turn it is, out of its line; −1 if nobody may be taken."""
    best, urgency = -1, math.inf
    for kind in range(len(heads)):
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
        score = kind - (now - arrival[ticket]) / ageing_s
        if score < urgency:
            best, urgency = kind, score
    if best < 0:
        return -1
    ticket = heads[best]
    heads[best] = after[ticket]
    marks[QUEUED] -= 1
    return ticket  # type: ignore[no-any-return]


@inlined
def join(ticket: int, kind: int, heads: Any, tails: Any, after: Any, marks: Any) -> None:
    """To the end of its line."""
    if heads[kind] < 0:
        heads[kind] = ticket
    else:
        after[tails[kind]] = ticket
    tails[kind] = ticket
    after[ticket] = -1
    marks[QUEUED] += 1


@inlined
def expect(time: float, event: int, soon_s: Any, soon: Any, marks: Any) -> None:
    """Note a future event."""
    heap.push(soon_s, soon, marks[SOON], time, event)
    marks[SOON] += 1


@inlined
def await_turn(
    ticket: int, came: float, now: float, leave: Any, bits: Any, returns: Any, soon_s: Any, soon: Any, marks: Any
) -> None:
    """What may happen to one that waits; who came long before the start has asked again already.

    Who would do what is known already, so only what will happen, if the ticket still waits then, is noted.
    """
    redials = returns[0]
    if redials > 0 and leave[ticket] < math.inf and uniform(bits[ticket], REDIALLED * _CAUSES + _WILL) < redials:
        expect(leave[ticket], 4 * ticket + GIVES_UP, soon_s, soon, marks)
    if returns[5] > 0:
        asks = came + returns[6]
        if asks >= now and leave[ticket] >= asks and uniform(bits[ticket], REPEATED * _CAUSES + _WILL) < returns[5]:
            expect(asks, 4 * ticket + REPEATED, soon_s, soon, marks)


@inlined
def begin_one(
    ticket: int,
    now: float,
    rest: Any,
    begin: Any,
    end: Any,
    leave: Any,
    bits: Any,
    returns: Any,
    soon_s: Any,
    soon: Any,
    spells: Any,
    marks: Any,
) -> float:
    """Begin or resume a ticket; when it will be handled."""
    if begin[ticket] != begin[ticket]:
        begin[ticket] = now
    else:
        spells[3][marks[SPELLS + 3]] = now
        marks[SPELLS + 3] += 1
    done = now + rest[ticket]
    end[ticket] = done
    if returns[2] > 0:
        due = reopens_at(ticket, done, bits, returns, rest)
        if due < math.inf:
            # Nobody who was served leaves: the place serves to know this event from one before a break.
            leave[ticket] = due
            expect(due, 4 * ticket + REOPENED, soon_s, soon, marks)
    return done  # type: ignore[no-any-return]


@inlined
def reopens_at(ticket: int, done: float, bits: Any, returns: Any, sample: Any) -> float:
    """When one that is done comes back; infinity for never."""
    if uniform(bits[ticket], REOPENED * _CAUSES + _WILL) >= returns[2]:
        return math.inf
    return done + draw(EXPONENTIAL, returns[3], 0.0, sample, 0, 0, bits[ticket], REOPENED * _CAUSES + _DELAY)


@inlined
def calls_again_at(ticket: int, now: float, bits: Any, returns: Any, sample: Any) -> float:
    """When one who gave up and will call again does so."""
    return now + draw(EXPONENTIAL, returns[1], 0.0, sample, 0, 0, bits[ticket], REDIALLED * _CAUSES + _DELAY)


@compiled
def drop(
    rule: int,
    staff: int,
    step: int,
    edge: float,
    hands_s: Any,
    hands: Any,
    held: int,
    late_s: Any,
    late: Any,
    heads: Any,
    tails: Any,
    after: Any,
    kind: Any,
    rest: Any,
    begin: Any,
    end: Any,
    leave: Any,
    leaver_bits: Any,
    handover_s: float,
    spells: Any,
    marks: Any,
) -> None:
    """More tickets are in hand than staff stays: ``held`` − ``staff`` of them leave the hands."""
    excess = held - staff
    if rule == FINISH_COUNT:
        for k in range(excess):
            heap.push(late_s, late, marks[LATE], heap.top(hands_s, held - k), heap.top_ticket(hands_s, hands))
            marks[LATE] += 1
            heap.pop(hands_s, hands, held - k)
            spells[0][marks[SPELLS]] = edge
            marks[SPELLS] += 1
        return
    # Each has a number of its own in this drop, and the smallest leave: the order in the heap does not matter.
    own = child(leaver_bits, step)
    numbers = [uniform(own, heap.ticket_at(hands_s, hands, place)) for place in range(held)]
    limit = sorted(numbers)[excess - 1]
    kept = [number > limit for number in numbers]
    for _ in range(excess):
        # In front of a line the one begun first is to stand, so it is put there last; leavers are in no order.
        last = -1
        for place in range(held):
            if not kept[place] and numbers[place] <= limit:
                ticket = heap.ticket_at(hands_s, hands, place)
                front = heap.ticket_at(hands_s, hands, max(last, 0))
                if last < 0 or begin[ticket] > begin[front] or (begin[ticket] == begin[front] and ticket > front):
                    last = place
        numbers[last] = math.inf
        ticket = heap.ticket_at(hands_s, hands, last)
        if rule == FINISH:
            heap.push(late_s, late, marks[LATE], end[ticket], ticket)
            marks[LATE] += 1
            spells[0][marks[SPELLS]] = edge
            marks[SPELLS] += 1
            continue
        rest[ticket] = end[ticket] - edge + handover_s
        end[ticket] = math.inf
        leave[ticket] = math.inf
        spells[2][marks[SPELLS + 2]] = edge
        marks[SPELLS + 2] += 1
        line = kind[ticket]
        if heads[line] < 0:
            tails[line] = ticket
        after[ticket] = heads[line]
        heads[line] = ticket
        marks[QUEUED] += 1
    heap.keep(hands_s, hands, kept)


@compiled
def leavers_done(upto: float, late_s: Any, late: Any, spells: Any, marks: Any) -> None:
    """Leavers who finish go."""
    while marks[LATE] > 0 and heap.top(late_s, marks[LATE]) <= upto:
        spells[1][marks[SPELLS + 1]] = heap.top(late_s, marks[LATE])
        marks[SPELLS + 1] += 1
        heap.pop(late_s, late, marks[LATE])
        marks[LATE] -= 1


@compiled
def rise(
    more: int,
    rule: int,
    edge: float,
    step: int,
    leaver_bits: Any,
    hands_s: Any,
    hands: Any,
    held: int,
    late_s: Any,
    late: Any,
    spells: Any,
    marks: Any,
) -> int:
    """Leavers who are asked to stay, at random, or by count those who would be done last; tickets in hand then."""
    count = marks[LATE]
    own = child(leaver_bits, step)
    numbers = [
        heap.time_at(late_s, late, place) if rule == FINISH_COUNT else uniform(own, heap.ticket_at(late_s, late, place))
        for place in range(count)
    ]
    kept = [True] * count
    for _ in range(min(more, count)):
        chosen = -1
        for place in range(count):
            if kept[place] and (chosen < 0 or numbers[place] > numbers[chosen]):
                chosen = place
        kept[chosen] = False
        heap.push(hands_s, hands, held, heap.time_at(late_s, late, chosen), heap.ticket_at(late_s, late, chosen))
        held += 1
        spells[1][marks[SPELLS + 1]] = edge
        marks[SPELLS + 1] += 1
    marks[LATE] = heap.keep(late_s, late, kept)
    return held


@compiled
def again(
    parent: int,
    cause: int,
    now: float,
    step: int,
    arrival: Any,
    service: Any,
    rest: Any,
    leave: Any,
    kind: Any,
    bits: Any,
    returns: Any,
    service_law: Any,
    patience_law: Any,
    sample: Any,
    origin: Any,
    marks: Any,
) -> int:
    """The ticket that another brings about, at the moment when it comes."""
    ticket = marks[ALL]
    marks[ALL] += 1
    key, purpose, line = bits[parent], cause * _CAUSES, kind[parent]
    arrival[ticket], kind[ticket], origin[ticket] = now, line, cause
    bits[ticket] = child(key, purpose + _BITS)
    work = service[parent]
    if cause != REDIALLED:
        kinds, means, shapes, firsts, counts = service_law
        mean = means[line][min(step, len(means[line]) - 1)]
        work = draw(kinds[line], mean, shapes[line], sample, firsts[line], counts[line], key, purpose + _WORK)
        work *= returns[4] if cause == REOPENED else returns[7]
    service[ticket] = work
    rest[ticket] = work
    kinds, means, shapes, firsts, counts = patience_law
    leave[ticket] = math.inf
    if kinds[line] >= 0:
        leave[ticket] = now + draw(
            kinds[line], means[line][0], shapes[line], sample, firsts[line], counts[line], key, purpose + _PATIENCE
        )
    return ticket  # type: ignore[no-any-return]
