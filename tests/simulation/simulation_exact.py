"""Exact answers by routes of their own: sums in high precision, chains solved as matrices, forward equations."""

import math
from dataclasses import dataclass, field

import mpmath
import numpy as np
from scipy.integrate import solve_ivp
from scipy.sparse import lil_matrix

from staffcast.simulation import Arrivals, Patience, Redial, Reopening, Repeats, Service, Staffing, simulate
from staffcast.simulation.replication import play_sample
from staffcast.simulation.sampling import Case, Sample

MEAN_S = 300.0


def steady(load, agents, service, *, relax, tickets=20_000, runs=30, seed=1, **options):
    """Play a constant queue: row 1 is past the start, and row 2 lets its last tickets be answered."""
    rate = load / MEAN_S
    edges = np.cumsum([0, relax * MEAN_S, tickets / rate, relax * MEAN_S])
    return simulate(
        Arrivals.piecewise(edges, np.full(3, rate * 3600)), Staffing.steps(edges, [agents] * 3), service,
        replications=runs, seed=seed, **options,
    )  # fmt: skip


def play_by_hand(arrival, service, leave, kind, edges, agents, rule):
    """Given tickets played: when each begins, and from and to of the overtime."""
    plan = Staffing.steps(edges, agents)
    classes = max(kind, default=0) + 1
    case = Case(
        arrivals=Arrivals.trace([]), staffing=plan, services=(), patiences=(), shares=(1 / classes,) * classes,
        backlog_s=np.empty(0), on_staff_drop=rule, first_reply_s=0.0, seed=0, target=None,
        opened=np.ones((classes, len(agents)), dtype=bool),
    )  # fmt: skip
    numbers = {"arrival_s": arrival, "service_s": service} | ({} if leave is None else {"leave_s": leave})
    sample = {name: np.array(values, dtype=float) for name, values in numbers.items()}
    played = play_sample(
        case,
        Sample(kind=np.array(kind, dtype=np.int64), bits=None, backlog=0, bot_closed=0, **{"leave_s": None} | sample),
        plan.agents, np.uint64(5),
    )  # fmt: skip
    return played.begin_s, played.overtime_from_s, played.overtime_to_s


def play_tickets(tickets, edges, agents, options, leaver_bits=5):
    """Play tickets (arrival, service, leave, kind, bits) by the loop, with options as ``play_dumbly`` has them."""
    classes = 3
    redial, reopen, repeat = (options.get(name, (0.0, 1.0, 1.0)) for name in ("redial", "reopen", "repeat"))
    plan = Staffing.steps(edges, agents)
    opened = options.get("opened") or [[True] * len(agents)] * classes
    patience = options.get("mean_patience", math.inf)
    case = Case(
        arrivals=Arrivals.trace([]), staffing=plan,
        services=(Service.exponential(options.get("mean_service", 100.0)),) * classes,
        patiences=() if patience == math.inf else (Patience.exponential(patience),) * classes,
        shares=(1 / classes,) * classes, backlog_s=np.empty(0), on_staff_drop=options.get("rule", "finish"),
        first_reply_s=0.0, seed=0, target=None, opened=np.array(opened),
        redial=Redial(share=redial[0], delay_s=redial[1]),
        reopening=Reopening(share=reopen[0], delay_s=reopen[1], work=reopen[2]),
        repeats=Repeats(share=repeat[0], after_s=repeat[1], work=repeat[2]),
        handover_s=options.get("handover", 0.0), ageing_s=options.get("ageing", math.inf),
    )  # fmt: skip
    arrival, service, leave, kind, bits = (list(each) for each in zip(*tickets, strict=True)) if tickets else [[]] * 5
    sample = Sample(
        arrival_s=np.array(arrival, dtype=float), service_s=np.array(service, dtype=float),
        leave_s=np.array(leave, dtype=float), kind=np.array(kind, dtype=np.int64), bits=np.array(bits, dtype=np.uint64),
        backlog=sum(each < edges[0] for each in arrival), bot_closed=0,
    )  # fmt: skip
    return play_sample(case, sample, plan.agents, np.uint64(leaver_bits))


@dataclass
class Scores:
    """Standard scores against exact values; each must be within 4."""

    z: dict[str, float] = field(default_factory=dict)

    def add(self, name, simulated, error, exact):
        """Score one value or a row of them; where nothing varied, the exact value must be as good as sure."""
        for i, (value, se, truth) in enumerate(zip(*map(np.atleast_1d, (simulated, error, exact)), strict=True)):
            if se <= 1e-12 * abs(value):
                assert abs(value - truth) < 2e-4, (name, i, value, truth)
                continue
            self.z[f"{name}[{i}]"] = float((value - truth) / se)

    def check(self):
        """Fail where a score is 4 or more."""
        worst = {name: round(z, 2) for name, z in self.z.items() if not abs(z) < 4}
        print("z", {name: round(z, 2) for name, z in self.z.items()})  # noqa: T201 - pytest shows it on failure
        assert not worst, worst
        assert self.z


def erlang_c(load, agents):
    """Probability of waiting in M/M/c from its sums, in 50 digits."""
    with mpmath.workdps(50):
        a = mpmath.mpf(load)
        top = a**agents / mpmath.factorial(agents) * agents / (agents - a)
        return float(top / (mpmath.fsum(a**k / mpmath.factorial(k) for k in range(agents)) + top))


def birth_death(arrive, agents, done, give_up, size=400):
    """Stationary distribution of M/M/c+M, by its null space, not by its product form."""
    q = np.zeros((size, size))
    for n in range(size):
        up = arrive if n + 1 < size else 0.0
        down = min(n, agents) * done + max(n - agents, 0) * give_up
        if n + 1 < size:
            q[n, n + 1] = up
        if n:
            q[n, n - 1] = down
        q[n, n] = -(up + down)
    a = np.vstack([q.T, np.ones(size)])
    return np.linalg.lstsq(a, np.append(np.zeros(size), 1.0), rcond=None)[0]


def forward_equations(edges, rates, agents, done, give_up=0.0, rule="finish", start=0, size=120, spare=8):
    """M(t)/M/s(t)+M with steps: time averages by interval from the Kolmogorov forward equations.

    The state is (n, l): n waiting or with an agent who stays, l with a leaver. Rates per second, ``agents`` whole.
    Returns queue_mean, queue_end, busy_mean, late_mean (leavers), p_wait, each (intervals,).
    """
    n = np.repeat(np.arange(size), spare)
    left = np.tile(np.arange(spare), size)
    p = np.zeros(size * spare)
    p[start * spare] = 1.0
    before = 0
    out = []
    for i, staff in enumerate(agents):
        moved = np.zeros_like(p)
        for k in np.flatnonzero(p):
            a, b = int(n[k]), int(left[k])
            if staff < before:
                gone = max(min(a, before) - staff, 0)
                a, b = a - gone, b + gone
            else:
                back = min(b, staff - before)
                a, b = a + back, b - back
            if a < size and b < spare:
                moved[a * spare + b] += p[k]
        p, before = moved, staff
        q = lil_matrix((len(p), len(p)))
        for k in range(len(p)):
            a, b = int(n[k]), int(left[k])
            queue = max(a - staff, 0)
            moves = []
            if a + 1 < size:
                moves.append((k + spare, rates[i]))
            if rule == "finish_count" and b:
                # As many in hand as staff or more: the next to finish, whoever it is, starts nothing.
                moves.append((k - 1, (min(a, staff) + b) * done))
                moves += [(k - spare, queue * give_up)] if queue else []
            else:
                moves += [(k - 1, b * done)] if b else []
                moves += [(k - spare, min(a, staff) * done + queue * give_up)] if a else []
            for to, rate in moves:
                q[k, to] += rate
                q[k, k] -= rate
        flow = q.T.tocsr()
        queue = np.maximum(n - staff, 0)
        sums = np.stack([queue, np.minimum(n, staff) + left, left, n >= staff]).astype(float)

        def slope(_, y, flow=flow, sums=sums):
            return np.concatenate((flow @ y[:-4], sums @ y[:-4]))

        width = edges[i + 1] - edges[i]
        y = solve_ivp(slope, (0, width), np.append(p, np.zeros(4)), rtol=1e-8, atol=1e-11).y[:, -1]
        p = np.maximum(y[:-4], 0)
        assert p.sum() > 1 - 1e-6, "enlarge size or spare"
        out.append((*(y[-4:] / width), queue @ p))
    queue_mean, busy, late, p_wait, queue_end = np.array(out).T
    return {
        "queue_mean": queue_mean, "busy_mean": busy, "late_mean": late, "p_wait": p_wait, "queue_end": queue_end
    }  # fmt: skip


def by_the_second(arrival, service, leave, priority, edges, agents, rule):
    """A dumb simulator that looks at every ticket in every second; times whole.

    Where leavers are chosen at random (``finish``) it may only be used when all the busy leave or none.
    """
    hands = {}  # ticket: [end, leaver?]
    begin = [float("nan")] * len(arrival)
    over = 0
    staff = 0
    for now in range(edges[-1]):
        hands = {ticket: hand for ticket, hand in hands.items() if hand[0] > now}
        if now in edges[:-1]:
            new = agents[edges.index(now)]
            staying = [hand for hand in hands.values() if not hand[1]]
            leaving = [hand for hand in hands.values() if hand[1]]
            if new < len(staying):
                assert rule == "finish_count" or new == 0
                for hand in staying:
                    hand[1] = True
            elif new > staff:
                assert rule == "finish_count" or new - staff >= len(leaving)
                for hand in leaving:
                    hand[1] = False
            staff = new
        waiting = sorted(
            (priority[k], arrival[k], k)
            for k in range(len(arrival))
            if arrival[k] <= now and begin[k] != begin[k] and leave[k] >= now
        )
        for _, _, k in waiting:
            count = len(hands) if rule == "finish_count" else sum(not leaver for _, leaver in hands.values())
            if count < staff:
                begin[k] = now
                hands[k] = [now + service[k], False]
        over += max(len(hands) - staff, 0) if rule == "finish_count" else sum(leaver for _, leaver in hands.values())
    return begin, over
