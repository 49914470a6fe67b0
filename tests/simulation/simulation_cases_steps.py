"""Cases with an exact answer: days with steps, by chains and linear equations. A case gives its scores."""

import itertools
import math

import numpy as np
from scipy import integrate, stats
from simulation_cases import DONE, case, of_chain, scored
from simulation_chains import forward
from simulation_exact import MEAN_S

from staffcast.simulation import Arrivals, Bot, Patience, Redial, Reopening, Repeats, Service, Staffing, simulate


def one_line(staffs, rates, *, done=DONE, give_up=0.0, start=0, size=90, width=900.0):
    """M(t)/M/s(t)+M where nobody is late: (in the system, interrupted in the queue); see ``preempt``."""
    edges = np.arange(len(staffs) + 1) * width
    deep = max(staffs) + 1 if give_up else 1
    states = [(n, j) for n in range(size) for j in range(min(n + 1, deep))]

    def moves(i, state):
        n, j = state
        s = staffs[i]
        queue = max(n - s, 0)
        yield (n + 1, j), rates[i]
        if n:
            # Who is free takes the interrupted first.
            yield (n - 1, max(j - 1, 0) if queue else j), min(n, s) * done
        if queue > j:
            yield (n - 1, j), (queue - j) * give_up

    def at_edge(i, state):
        n, j = state
        before, s = (staffs[i - 1] if i else 0), staffs[i]
        j = min(max(j + min(n, before) - min(n, s), 0), max(n - s, 0))
        return (n, j if give_up else 0)

    return edges, forward(
        edges, states, (start, 0), moves,
        {
            "queue_mean": lambda i, state: max(state[0] - staffs[i], 0),
            "busy_mean": lambda i, state: min(state[0], staffs[i]),
            "p_wait": lambda i, state: state[0] >= staffs[i],
        },
        at_edge=at_edge,
    )  # fmt: skip


@case((None, "preempt"), (400.0, "preempt"), (None, "handover"))
def staff_that_goes_at_once(patience, rule):
    """Steps where who leaves gives the ticket back: those in hand are as many as are there or the tickets."""
    staffs, rates = [4, 8, 3, 0, 6, 5, 6, 2], np.array([40, 100, 70, 20, 50, 60, 60, 20.0])
    edges, exact = one_line(staffs, rates / 3600, give_up=1 / patience if patience else 0.0, size=90)
    outcome = simulate(
        Arrivals.piecewise(edges, rates), Staffing.steps(edges, staffs), Service.exponential(MEAN_S),
        patience=patience and Patience.exponential(patience), on_staff_drop=rule, replications=1200, seed=5,
    )  # fmt: skip
    assert outcome.summary.overtime_s == 0
    return of_chain(outcome, exact, "queue_mean", "queue_end", "busy_mean", "p_wait")


@case()
def an_hour_of_overload_within_a_calm_day():
    """Load 0.6, then 1.6, then 0.6 of what the staff can do."""
    staffs, rates = [5] * 6, np.array([36, 36, 96, 36, 36, 36.0])
    edges, exact = one_line(staffs, rates / 3600, width=1800.0)
    outcome = simulate(
        Arrivals.piecewise(edges, rates), Staffing.steps(edges, staffs), Service.exponential(MEAN_S),
        replications=1000, seed=2,
    )  # fmt: skip
    return of_chain(outcome, exact, "queue_mean", "queue_end", "busy_mean", "p_wait")


@case((None,), (1200.0,))
def a_backlog_of_fifty_with_new_ones_coming(patience):
    """50 wait at the start, more come, and some may leave."""
    staffs, rates = [6] * 5, np.array([40, 30, 30, 20, 20.0])
    edges, exact = one_line(staffs, rates / 3600, give_up=1 / patience if patience else 0.0, start=50)
    outcome = simulate(
        Arrivals.piecewise(edges, rates), Staffing.steps(edges, staffs), Service.exponential(MEAN_S), backlog=50,
        patience=patience and Patience.exponential(patience), replications=1000, seed=4,
    )  # fmt: skip
    return of_chain(outcome, exact, "queue_mean", "queue_end", "busy_mean", "p_wait")


@case()
def a_bot_in_front():
    """The bot's share is gone, the rest come a step later and take longer."""
    staffs, rates = [3] * 5, np.array([60, 100, 80, 60, 40.0])
    edges, exact = one_line(staffs, 0.6 * np.append(0.0, rates[:-1]) / 3600, done=DONE / 1.3)
    outcome = simulate(
        Arrivals.piecewise(edges, rates), Staffing.steps(edges, staffs), Service.exponential(MEAN_S),
        bot=Bot(share=0.4, handover_s=900.0, harder=1.3), replications=1000, seed=6,
    )  # fmt: skip
    scores = of_chain(outcome, exact, "queue_mean", "queue_end", "busy_mean")
    closed = 0.4 * rates.sum() / 4
    scores.add("closed", outcome.summary.bot_closed, math.sqrt(closed / 1000), closed)
    return scores


@case()
def people_who_do_not_come():
    """With each of 6 absent at 15 %, the mixture over how many are there."""
    rates = np.array([40.0, 40.0, 40.0])
    chances = stats.binom(6, 0.85).pmf(np.arange(7))
    mixed = {"queue_mean": 0.0, "queue_mean_end": 0.0, "busy_mean": 0.0, "p_wait": 0.0}
    for there, chance in enumerate(chances):
        edges, exact = one_line([there] * 3, rates / 3600, size=70)
        mixed = {name: value + chance * exact[name] for name, value in mixed.items()}
    outcome = simulate(
        Arrivals.piecewise(edges, rates), Staffing.steps(edges, [6] * 3, absent=0.15), Service.exponential(MEAN_S),
        replications=2000, seed=7,
    )  # fmt: skip
    scores = of_chain(outcome, mixed, "queue_mean", "queue_end", "busy_mean", "p_wait")
    frame = outcome.by_interval
    scores.add("utilization", frame["utilization"], frame["utilization_se"], mixed["busy_mean"] / (6 * 0.85))
    return scores


def two_classes(staffs, rates, opened, give_up):
    """(in hand, waiting urgent, waiting other) where each class has its hours and its patience."""
    size = 34
    states = list(itertools.product(range(max(staffs) + 1), range(size), range(size)))

    def moves(i, state):
        b, *q = state
        s = staffs[i]
        for k in range(2):
            longer = list(q)
            longer[k] += 1
            yield ((b + 1, *q) if b < s and opened[k][i] else (b, *longer)), rates[k][i]
            if q[k]:
                shorter = list(q)
                shorter[k] -= 1
                yield (b, *shorter), q[k] * give_up[k]
        if b:
            turn = next((k for k in range(2) if q[k] and opened[k][i]), None)
            if turn is None:
                yield (b - 1, *q), b * DONE
            else:
                q[turn] -= 1
                yield (b, *q), b * DONE

    def at_edge(i, state):
        b, *q = state
        for k in range(2):
            taken = min(staffs[i] - b, q[k]) if opened[k][i] else 0
            b, q[k] = b + taken, q[k] - taken
        return (b, *q)

    edges = np.arange(len(staffs) + 1) * 900.0
    watch = {
        "queue_mean": lambda i, state: state[1] + state[2],
        "busy_mean": lambda i, state: state[0],
        "urgent": lambda i, state: state[1],
        "other": lambda i, state: state[2],
    }
    return edges, forward(edges, states, (0, 0, 0), moves, watch, at_edge=at_edge)


@case(
    ("hours", ((True,) * 4, (True, False, False, True)), (0.0, 0.0)),
    ("both", ((True, True, False, True), (False, True, True, True)), (1 / 300, 1 / 1000)),
)
def classes_with_hours_and_patience_of_their_own(_, opened, give_up):
    """Each class is taken while its queue is open."""
    rates = np.array([[12.0] * 4, [18.0] * 4])
    staffs = (3, 3, 3, 3)
    edges, exact = two_classes(staffs, rates / 3600, opened, give_up)
    outcome = simulate(
        Arrivals.piecewise(edges, rates.sum(axis=0)), Staffing.steps(edges, staffs), Service.exponential(MEAN_S),
        priorities=[0.4, 0.6], opened=opened, replications=1200, seed=8,
        patience=[Patience.exponential(1 / each) for each in give_up] if any(give_up) else None,
    )  # fmt: skip
    scores = of_chain(outcome, exact, "queue_mean", "queue_end", "busy_mean")
    waited = 900 * np.array([exact["urgent"].sum(), exact["other"].sum()])
    offered = rates.sum(axis=1) / 4
    of_class = outcome.by_class
    scores.add("wait", of_class["mean_wait_s"], of_class["mean_wait_s_se"], waited / offered)
    scores.add("lost", of_class["p_abandon"], of_class["p_abandon_se"], np.array(give_up) * waited / offered)
    return scores


@case()
def reopened_tickets_that_find_somebody_free():
    """With agents for all, first and reopened tickets in hand follow three linear equations."""
    edges, rate, share, delay, work = np.arange(6) * 600.0, 90 / 3600, 0.4, 700.0, 0.5

    def slope(_, y):
        first, coming, back = y[:3]
        returns = coming / delay
        done = first * DONE, back * DONE / work
        return [rate - done[0], share * sum(done) - returns, returns - done[1], first + back, returns]

    y = integrate.solve_ivp(slope, (0, 3000), [0.0] * 5, t_eval=edges, rtol=1e-9, atol=1e-12).y
    outcome = simulate(
        Arrivals.piecewise(edges, [90.0] * 5), Staffing.steps(edges, [60] * 5), Service.exponential(MEAN_S),
        reopening=Reopening(share=share, delay_s=delay, work=work), replications=1000, seed=9,
    )  # fmt: skip
    assert outcome.summary.p_wait == 0
    return scored(outcome.by_interval, busy_mean=np.diff(y[3]) / 600, arrivals=rate * 600 + np.diff(y[4]))


@case((0.5, 6), (0.9, 3))
def callers_who_redial(share, agents):
    """(in the system, about to call again): a retrial queue."""
    edges, rates, give_up, back = np.arange(5) * 900.0, np.array([40, 110, 40, 40.0]) / 3600, 1 / 200, 1 / 600
    states = list(itertools.product(range(55), range(48)))

    def moves(i, state):
        n, o = state
        queue = max(n - agents, 0)
        yield (n + 1, o), rates[i]
        if o:
            yield (n + 1, o - 1), o * back
        if n:
            yield (n - 1, o), min(n, agents) * DONE + queue * give_up * (1 - share)
        if queue:
            yield (n - 1, o + 1), queue * give_up * share

    watch = {
        "queue_mean": lambda i, state: max(state[0] - agents, 0),
        "busy_mean": lambda i, state: min(state[0], agents),
        "back": lambda i, state: state[1] * back,
    }
    exact = forward(edges, states, (0, 0), moves, watch)
    outcome = simulate(
        Arrivals.piecewise(edges, rates * 3600), Staffing.steps(edges, [agents] * 4), Service.exponential(MEAN_S),
        patience=Patience.exponential(1 / give_up), redial=Redial(share=share, delay_s=1 / back), replications=1200,
        seed=10,
    )  # fmt: skip
    scores = of_chain(outcome, exact, "queue_mean", "queue_end", "busy_mean")
    frame = outcome.by_interval
    scores.add("arrivals", frame["arrivals"], frame["arrivals_se"], 900 * (rates + exact["back"]))
    return scores


@case((None,), (900.0,))
def customers_who_ask_again(patience):
    """Nobody answers: of those who wait so long a share writes again, and of these again, as a geometric series."""
    edges, rate, share, after = np.arange(7) * 600.0, 60 / 3600, 0.6, 750.0
    outcome = simulate(
        Arrivals.piecewise(edges, [60.0] * 6), Staffing.steps(edges, [0] * 6), Service.exponential(MEAN_S),
        repeats=Repeats(share=share, after_s=after), patience=patience and Patience.exponential(patience),
        replications=1000, seed=11,
    )  # fmt: skip
    kept = share * (math.exp(-after / patience) if patience else 1.0)
    exact = sum(
        rate * kept**k * (np.maximum(edges[1:] - k * after, 0) - np.maximum(edges[:-1] - k * after, 0))
        for k in range(10)
    )
    return scored(outcome.by_interval, arrivals=exact)


@case(("lognormal",), ("gamma",), ("empirical",))
def agents_for_all(law):
    """M/G/∞: in hand are those whose handle time is longer than since they came."""
    service, survives = {
        "lognormal": (
            Service.lognormal(300.0, 1.2), stats.lognorm(math.sqrt(math.log(2.44)), scale=300 / math.sqrt(2.44)).sf
        ),
        "gamma": (Service.gamma(300.0, 1.4), stats.gamma(1.4**-2, scale=300 * 1.4**2).sf),
        "empirical": (Service.empirical([50.0, 250.0, 600.0]), lambda x: np.mean([x < 50, x < 250, x < 600])),
    }[law]  # fmt: skip
    edges, rate = np.arange(7) * 150.0, 200 / 3600
    outcome = simulate(
        Arrivals.piecewise(edges, [200.0] * 6), Staffing.steps(edges, [80] * 6), service, replications=1000, seed=12
    )
    # The mean over the interval from a to b of λ ∫₀ᵗ S: what came u before t counts for b − a, less before a.
    exact = [
        rate
        * integrate.quad(
            lambda u, a=a, b=b: survives(u) * (b - max(a, u)), 0, b, points=[a, *(k for k in (50, 250, 600) if k < b)],
            limit=200,
        )[0]
        / (b - a)
        for a, b in itertools.pairwise(edges)
    ]  # fmt: skip
    return scored(outcome.by_interval, busy_mean=exact)
