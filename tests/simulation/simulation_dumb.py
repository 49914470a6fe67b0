"""A dumb simulator of everything the event loop can do: at each event it looks at every ticket, in plain Python."""

import math
from dataclasses import dataclass, field

MASK = 2**64 - 1
INF = math.inf


def mixed(key, purpose):
    """SplitMix64's next number of a key, in whole numbers of Python."""
    x = (key + 0x9E3779B97F4A7C15 * (purpose + 1)) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def unit(key, purpose):
    """A number in (0, 1) of it: its first 52 bits and a half."""
    return ((mixed(key, purpose) >> 12) + 0.5) / 2.0**52


def waits_of(mean, key, purpose):
    """An exponential time of it."""
    return -mean * math.log(unit(key, purpose))


@dataclass
class Ticket:
    """One ticket and what became of it."""

    arrival: float
    service: float
    leave: float
    kind: int
    bits: int
    origin: int = 0
    parent: int = -1
    known: float = 0.0  # when it came into the play: a backlog ticket came with the first edge
    begin: float = math.nan
    end: float = math.nan
    rest: float = 0.0
    state: str = "coming"  # waiting, hands, late, interrupted, done, gone
    handled: float = 0.0
    interrupted: list = field(default_factory=list)  # when, for the order in front of the line
    asked: bool = False
    reopens: float = INF
    redials: float = INF


def play_dumbly(
    tickets, edges, agents, *, rule="finish", handover=0.0, ageing=INF, opened=None, leaver_key=0, redial=(0, 1),
    reopen=(0, 1, 1), repeat=(0, 1, 1), mean_service=100.0, mean_patience=INF, limit=100_000,
):  # fmt: skip
    """Play tickets (arrival, service, leave, kind, bits); all of them then, children included, and the overtime.

    What is brought about has an exponential handle time and patience of these means.
    """
    all_of = [Ticket(*one) for one in tickets]
    for one in all_of:
        one.rest, one.known = one.service, max(one.arrival, edges[0])
    over = 0.0
    staff, step = 0, -1
    now = edges[0]

    def open_now(kind):
        return opened is None or opened[kind][step]

    def of(state):
        return [i for i, one in enumerate(all_of) if one.state == state]

    def place(i):
        """The lesser the earlier, within one class."""
        one = all_of[i]
        if one.state == "interrupted":
            # The last to be interrupted stand first, of one moment the one that was begun first.
            return (0, -one.interrupted[-1], one.begin, i)
        return (1, one.known, 0.0, i)

    def begin_all():
        while True:
            busy = len(of("hands")) + (len(of("late")) if rule == "finish_count" else 0)
            if busy >= staff:
                return
            heads = {}
            for i in of("interrupted") + of("waiting"):
                one = all_of[i]
                if one.state == "waiting" and one.leave < now:
                    continue
                if open_now(one.kind) and (one.kind not in heads or place(i) < place(heads[one.kind])):
                    heads[one.kind] = i
            if not heads:
                return

            def score(kind, heads=heads):
                waited = 0.0 if ageing == INF else (now - all_of[heads[kind]].arrival) / ageing
                return (kind - waited, kind)

            start(heads[min(heads, key=score)])

    def start(i):
        one = all_of[i]
        one.state = "hands"
        if math.isnan(one.begin):
            one.begin = now
        one.end = now + one.rest
        if reopen[0] and unit(one.bits, 20_000) < reopen[0]:
            one.reopens = one.end + waits_of(reopen[1], one.bits, 20_001)

    def child(i, cause):
        """It comes now; as many as one per cause and ticket."""
        one, base = all_of[i], cause * 10_000
        work = one.service
        if cause > 1:
            work = waits_of(mean_service, one.bits, base + 1_000) * (reopen[2] if cause == 2 else repeat[2])
        leave = INF if mean_patience == INF else now + waits_of(mean_patience, one.bits, base + 2_000)
        all_of.append(
            Ticket(now, work, leave, one.kind, mixed(one.bits, base + 3_000), cause, i, now, rest=work, state="waiting")
        )
        assert len(all_of) < limit

    def next_event():
        """Time, rank at one instant, what, ticket; the rank says what the loop does first."""
        found = [(edges[step + 1], 0, "edge", -1)] if step + 1 < len(edges) else []
        for i, one in enumerate(all_of):
            if one.state in ("hands", "late"):
                found.append((one.end, -1, "ends", i))
            if one.state == "coming":
                found.append((one.known, 1, "arrives", i))
            if one.state == "waiting":
                if redial[0] and one.leave < INF:
                    found.append((one.leave, 3, "leaves", i))
                due = one.arrival + repeat[1]
                if repeat[0] and not one.asked and due >= one.known:
                    found.append((due, 3, "asks", i))
            if one.redials < INF:
                found.append((one.redials, 3, "redials", i))
            if one.reopens < INF and one.state == "done":
                found.append((one.reopens, 3, "reopens", i))
        what = {"leaves": 0, "redials": 1, "reopens": 2, "asks": 3}
        return min(found, key=lambda event: (event[0], event[1], 4 * event[3] + what.get(event[2], 0)), default=None)

    while True:
        event = next_event()
        if event is None or event[0] >= edges[-1]:
            break
        time, _, what, i = event
        over += len(of("late")) * (time - now)
        now = time
        if what == "edge":
            step += 1
            new = agents[step]
            hands = of("hands")
            if len(hands) > new:
                gone = len(hands) - new
                own = mixed(leaver_key, step)
                key = (lambda k: (all_of[k].end, k)) if rule == "finish_count" else (lambda k, own=own: unit(own, k))
                for k in sorted(hands, key=key)[:gone]:
                    one = all_of[k]
                    if rule in ("finish", "finish_count"):
                        one.state = "late"
                        continue
                    one.rest, one.end, one.leave, one.reopens = one.end - now + handover, math.nan, INF, INF
                    one.state = "interrupted"
                    one.interrupted.append(now)
            elif new > staff:
                late = of("late")
                own = mixed(leaver_key, step)
                key = (lambda k: all_of[k].end) if rule == "finish_count" else (lambda k, own=own: unit(own, k))
                for k in sorted(late, key=key, reverse=True)[: new - staff]:
                    all_of[k].state = "hands"
            staff = new
            for k in of("coming"):
                if all_of[k].known <= now:
                    all_of[k].state = "waiting"
        elif what == "arrives":
            all_of[i].state = "waiting"
        elif what == "ends":
            all_of[i].state = "done"
        elif what == "leaves":
            one = all_of[i]
            one.state, one.end = "gone", now
            if unit(one.bits, 10_000) < redial[0]:
                one.redials = now + waits_of(redial[1], one.bits, 10_001)
        elif what == "redials":
            all_of[i].redials = INF
            child(i, 1)
        elif what == "reopens":
            all_of[i].reopens = INF
            child(i, 2)
        elif what == "asks":
            one = all_of[i]
            one.asked = True
            if one.leave >= now and unit(one.bits, 30_000) < repeat[0]:
                child(i, 3)
        after = next_event()
        # At one instant tickets end, the staff changes, tickets arrive, and only then are any taken.
        if after is None or after[0] > now or after[1] > 1:
            begin_all()
    over += len(of("late")) * (edges[-1] - now)
    return all_of, over
