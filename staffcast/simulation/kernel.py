"""The event loop over the tickets of one replication: a plain function over arrays, compiled where numba is installed.

Semantics
---------
1. The play runs from the first edge to the last. A ticket that has not begun by then stays unanswered (censored); one
   that has begun counts as answered although its handling may end later.
2. A free agent takes at once the waiting ticket of the most urgent class, and within the class the one that came
   first. A ticket in hand is never interrupted for a more urgent one (non-preemptive). With *ageing*, a ticket counts
   one class more urgent for every ``ageing_s`` that it has waited, and fractions count too. A class is taken only while
   its queue is open.
3. At one instant things happen in this order: tickets in hand end, the staff changes, tickets arrive, free agents take
   tickets. An agent whose ticket ends exactly at the end of the shift takes no other.
4. A customer whose patience ends while waiting leaves; one whose turn comes at that very instant is served. Patience
   runs through closed hours. Nobody leaves once their ticket has begun.
5. Staff rise: leavers still at a ticket (6) are asked to stay first, then others come. The plan counts heads, not
   names: otherwise a plan that flutters 5, 4, 5 would have 5 agents and, for a while, a sixth.
6. Staff drop from a to b: idle agents leave first. If more than b are busy, the rule says what the excess do:

   - ``finish``: *leavers* are those whose shift ends, drawn at random since a shift's end knows nothing of tickets.
     They finish their ticket and go. The b who stay go on taking tickets while the leavers finish theirs, so up to a
     tickets are in hand until the leavers are done.
   - ``finish_count``: the leavers are whoever finishes first. Nothing begins while as many or more tickets are in hand
     as the staff counts, so the number in hand falls to b as fast as it can.
   - ``preempt``: drawn at random they go at once. Their tickets return to the head of their class, the one begun first
     in front, and the next free agent does what is left of them. Their customers have had their first reply and stay.
   - ``handover``: as ``preempt``, and who takes the ticket over needs ``handover_s`` to read it first.

   After a drop to 0, or when nobody waits or comes before the leavers are done, the first two are the same. Otherwise
   ``finish_count`` has the longer waits and the less overtime.
7. The time that leavers spend on their ticket after the drop is overtime. It is no staffed time, and is kept apart
   from utilization.
8. The queue is carried through hours with 0 agents as through any other.
9. *Redial*: of those who give up, a share calls again after an exponential delay, with the same matter (class and
   handle time) and new patience. *Reopening*: of tickets handled, a share comes back after an exponential delay as a
   new ticket of the class with a handle time of its own. *Repeats*: of customers who still wait after a certain time a
   share sends another message, a ticket of its own; once per ticket, and a backlog ticket that is older at the start
   has done so before. All may do so again. Each decision and time
   belongs to the ticket (:mod:`staffcast.simulation.chance`), so another plan changes nobody else's.
"""

from __future__ import annotations

import math
from typing import Any

from staffcast.simulation import heap
from staffcast.simulation.compiled import kept, uncounted
from staffcast.simulation.lines import (
    ALL,
    GIVES_UP,
    LATE,
    PREEMPT,
    QUEUED,
    REDIALLED,
    REOPENED,
    REPEATED,
    SOON,
    again,
    await_turn,
    begin_one,
    calls_again_at,
    drop,
    expect,
    join,
    leavers_done,
    rise,
    take,
)

__all__ = ["DROP_RULES", "play"]

DROP_RULES = ("finish", "finish_count", "preempt", "handover")


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
    rule: int,
    handover_s: float,
    ageing_s: float,
    leaver_bits: Any,
    returns: Any,
    service_law: Any,
    patience_law: Any,
    sample: Any,
    begin: Any,
    end: Any,
    origin: Any,
    after: Any,
    heads: Any,
    tails: Any,
    spells: Any,
    marks: Any,
) -> bool:
    """Play one replication.

    Parameters
    ----------
    known : int
        Tickets that come from outside; the arrays have room behind them for those that these bring about.
    arrival, service, leave : (tickets,)
        Seconds, in the order of arrival; ``leave`` is when a ticket still waiting gives up, infinity for never. It is
        changed: minus infinity where somebody left who may call again.
    rest : (tickets,)
        What is left of the handling, at first ``service``; the same array where nothing is ever interrupted.
    kind : (tickets,) of int
        Class, 0 the most urgent; at one instant the more urgent stands first.
    bits : (tickets,) of uint64
        Random bits of each ticket; read only where ``returns`` has a share above 0.
    edges, agents : (n + 1,), (n,)
        Interval edges in seconds, staff per interval.
    opened : (classes, n) of bool
        Whether a class is taken in an interval.
    rule : int
        Place in ``DROP_RULES``.
    handover_s, ageing_s : float
        Semantics 6, 0 for none; semantics 2, infinity for none.
    leaver_bits : uint64
        Decides who leaves.
    returns : (8,)
        Redial share and mean delay; reopening share, mean delay, handle time ÷ usual; repeat share, after how long,
        handle time ÷ usual.
    service_law, patience_law
        Of tickets brought about: kinds (−1 for nobody leaves), means (n or 1), shapes, firsts, counts of each class,
        as :func:`staffcast.simulation.chance.draw` has them.
    sample : (values,)
        What empirical laws draw from.
    begin, end : (tickets,)
        NaN; filled in: when each ticket was taken, and handled or, where somebody may call again, given up.
    origin, after : (tickets,) of int
        Filled in: what each ticket came of; room for the lines.
    heads, tails : (classes,) of int
        −1; room for both ends of the lines.
    spells : (4, drops)
        Filled in: from and to of overtime, from and to of breaks in the handling.
    marks : (8,) of int
        0; filled in: see :mod:`staffcast.simulation.lines`.

    Returns
    -------
    bool
        Whether the room was large enough; else nothing counts.

    Notes
    -----
    Arrays where it is compiled, lists where it is not: reading an element of an array costs Python three times as much.
    """
    arrival, service, rest, leave = uncounted(arrival), uncounted(service), uncounted(rest), uncounted(leave)
    kind, bits, opened, returns = uncounted(kind), uncounted(bits), uncounted(opened), uncounted(returns)
    begin, end, after, heads = uncounted(begin), uncounted(end), uncounted(after), uncounted(heads)
    tails, spells, marks = uncounted(tails), uncounted(spells), uncounted(marks)
    room = len(arrival)
    marks[ALL] = known
    most = 1
    for staff in agents:
        most = max(most, staff)
    eager = returns[0] > 0 or returns[2] > 0 or returns[5] > 0
    plain = not eager and rule < PREEMPT
    # One place per agent, with when its ticket ends; of an idle agent that is past. So an end at which nobody waits is
    # no event, and each ticket costs one change of the heap.
    hands_s, hands = heap.new(2 * most + 1)
    late_s, late = heap.new(len(spells[0]) + 1)
    soon_s, soon = heap.new(4 * room + len(spells[0]) + 1 if eager else 1)
    i, before = 0, 0
    coming = arrival[0] if known else math.inf
    for step in range(len(agents)):
        staff, edge, close = agents[step], edges[step], edges[step + 1]
        leavers_done(edge, late_s, late, spells, marks)
        if staff != before:
            held = before
            while heap.top(hands_s, held) <= edge:
                heap.pop(hands_s, hands, held)
                held -= 1
            if held > staff:
                drop(
                    rule, staff, step, edge, hands_s, hands, held, late_s, late, heads, tails, after, kind, rest, begin,
                    end, leave, leaver_bits, handover_s, spells, marks,
                )  # fmt: skip
                held = staff
            elif staff > before and marks[LATE] > 0:
                held = rise(
                    staff - before, rule, edge, step, leaver_bits, hands_s, hands, held, late_s, late, spells, marks
                )
            while held < staff:
                heap.push(hands_s, hands, held, -math.inf, -1)
                held += 1
            before = staff
        while coming <= edge:
            join(i, kind[i], heads, tails, after, marks)
            if eager:
                await_turn(i, arrival[i], edge, leave, bits, returns, soon_s, soon, marks)
            i += 1
            coming = arrival[i] if i < known else math.inf
        done = heap.top(hands_s, staff)
        while done <= edge and marks[QUEUED] > 0:
            ticket = take(heads, after, leave, arrival, opened, step, edge, ageing_s, marks)
            if ticket < 0:
                break
            until = begin_one(ticket, edge, rest, begin, end, leave, bits, returns, soon_s, soon, spells, marks)
            heap.replace(hands_s, hands, staff, until, ticket)
            done = heap.top(hands_s, staff)
        # ``done`` is the next end of a ticket at which somebody may be taken; infinity while nobody waits who may be.
        if done <= edge or marks[QUEUED] == 0:
            done = math.inf
        event = heap.top(soon_s, marks[SOON])
        while True:
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
                heap.pop_in_order(soon_s, soon, marks[SOON])
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
                if what == REOPENED and leave[parent] != now:
                    continue  # it was interrupted, and ended later than it had been expected to
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
                ticket = take(heads, after, leave, arrival, opened, step, done, ageing_s, marks)
                if ticket < 0:
                    done = math.inf
                    continue
                if plain:
                    begin[ticket] = done
                    until = done + service[ticket]
                    end[ticket] = until
                else:
                    until = begin_one(ticket, done, rest, begin, end, leave, bits, returns, soon_s, soon, spells, marks)
                    event = heap.top(soon_s, marks[SOON])
                heap.replace(hands_s, hands, staff, until, ticket)
                done = heap.top(hands_s, staff) if marks[QUEUED] > 0 else math.inf
                continue
            if not opened[kind[ticket]][step]:
                join(ticket, kind[ticket], heads, tails, after, marks)
            elif done == math.inf and heap.top(hands_s, staff) <= now:
                if plain:
                    begin[ticket] = now
                    until = now + service[ticket]
                    end[ticket] = until
                else:
                    until = begin_one(ticket, now, rest, begin, end, leave, bits, returns, soon_s, soon, spells, marks)
                    event = heap.top(soon_s, marks[SOON])
                heap.replace(hands_s, hands, staff, until, ticket)
                continue
            else:
                join(ticket, kind[ticket], heads, tails, after, marks)
                done = heap.top(hands_s, staff)
            if eager:
                await_turn(ticket, now, now, leave, bits, returns, soon_s, soon, marks)
                event = heap.top(soon_s, marks[SOON])
    leavers_done(math.inf, late_s, late, spells, marks)
    return True
