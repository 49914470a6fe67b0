import math
from collections import deque

import numpy as np
import pytest
from chain_by_hand import carried
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from staffcast.contracts import InputError, Target
from staffcast.erlang import erlang_c, performance, staff_over_time
from staffcast.erlang.overtime.chain import FINE, QUICK, Flow, advance, at_rest
from staffcast.erlang.overtime.transient import transient_performance


def generator(rate, slots, finish, theta, states):
    """Birth–death chain on 0 … states − 1: rates down, up and out of every state."""
    n = np.arange(states)
    down = np.minimum(n, slots) * finish + np.maximum(n - slots, 0) * theta
    up = np.where(n < states - 1, rate, 0.0)
    return down, up, down + up


ENDLESS = 4e4  # seconds after which nobody waits any more, but for a chance below 1e-7


def by_matrices(rates, ahts, staff, interval, target, theta, states, steps=60):
    """Service level, share never answered, mean queue and P(nobody free), from matrix exponentials at midpoints."""
    n, finish = np.arange(states), 1 / np.asarray(ahts)
    middles = (np.arange(steps) + 0.5) * interval / steps

    def fate(i, left, within):
        """P(answered within the time) over the number ahead, by chaining the phases: one row per moment."""
        # Who is answered stays so; of those ahead of a waiting ticket one leaves, or it gives up itself.
        good = np.tile(n < staff[i], (len(left), 1)).astype(float)
        goes_on = (within > left) & (i + 1 < len(staff))
        if goes_on.any():
            rest = (within - left)[goes_on]
            rest = rest[:1] if np.isinf(rest[0]) else rest  # then all are alike
            later = fate(i + 1, np.full(len(rest), interval), rest)
            good[goes_on] = np.maximum(good[goes_on], later)
        waits = n >= staff[i]
        leaves = np.where(waits, staff[i] * finish[i] + (n - staff[i]) * theta, 0.0)
        time = np.where(goes_on, left, np.minimum(within, ENDLESS))
        return carried(leaves, np.zeros(states), leaves + theta * waits, good, time)

    p, found = (n == 0).astype(float), []
    for i, rate in enumerate(rates):
        down, up, out = generator(rate, staff[i], finish[i], theta, states)
        forward = carried(np.roll(up, 1), np.roll(down, -1), out, p, [*middles, interval])
        middle, p, left = forward[:-1], forward[-1], interval - middles
        level, ever = ((middle * fate(i, left, np.full(steps, within))).sum() / steps for within in (target, np.inf))
        there = middle.mean(axis=0)
        found.append([level, 1 - ever, (there * np.maximum(n - staff[i], 0)).sum(), there[staff[i] :].sum()])
    return np.array(found).T


DAY = {
    "patient": ([12, 40, 30, 5], [900, 900, 900, 900], [4, 9, 6, 5], 0.0, 110),
    "impatient": ([12, 40, 30, 5], [900, 900, 900, 900], [4, 9, 3, 5], 1 / 600, 60),
    "slower": ([20, 20, 20, 0], [600, 1200, 1200, 600], [5, 5, 8, 2], 1 / 2400, 60),
}


@pytest.mark.parametrize("name", DAY)
@pytest.mark.parametrize("target", [120.0, 2500.0])
def test_day_is_that_of_the_generator_matrices(name, target):
    """Service level, share lost, queue and P(all busy) are those of matrix exponentials, across changes of staff."""
    rates, ahts, staff, theta, states = DAY[name]
    found = transient_performance(
        arrivals_per_hour=rates, aht_s=ahts, agents=staff, interval_s=1800, target_s=target,
        patience_s=1 / theta if theta else None,
    )  # fmt: skip
    level, lost, queue, busy = by_matrices(np.array(rates) / 3600, ahts, staff, 1800.0, target, theta, states)
    come = np.array(rates) > 0
    # Midpoints of 30 s: their own error is the tolerance.
    assert found.service_level[come] == pytest.approx(level[come], abs=3e-4)
    assert found.abandoned[come] == pytest.approx(lost[come], abs=3e-4)
    assert found.mean_queue == pytest.approx(queue, abs=3e-3)
    assert found.all_busy == pytest.approx(busy, abs=1e-3)


@pytest.mark.parametrize("grade", [FINE, QUICK])
@pytest.mark.parametrize(("slots", "theta"), [(12, 0.0), (12, 1e-3), (5, 5e-4), (0, 1e-3)])
def test_distribution_is_that_of_solve_ivp(grade, slots, theta):
    """After a quarter of an hour the distribution is what a Runge–Kutta solution of the forward equations gives."""
    start, states = at_rest(10.0, 1), 120
    flow = Flow(np.array([0.03]), slots, 1 / 300, theta, np.ones(1), grade)
    found = advance(start, flow, [900.0]).at[-1]
    down, up, out = generator(0.03, slots, 1 / 300, theta, states)
    matrix = np.diag(-out) + np.diag(up[:-1], 1) + np.diag(down[1:], -1)
    p = np.zeros(states)
    p[: start.mass.shape[1]] = start.mass[0]
    true = integrate.solve_ivp(lambda _, y: y @ matrix, (0, 900), p, method="DOP853", rtol=1e-11, atol=1e-14).y[:, -1]
    mine = np.zeros(states)
    mine[found.low[0] : found.low[0] + found.mass.shape[1]] = found.mass[0]
    assert np.abs(mine - true).sum() < (1e-7 if grade is FINE else 5e-6)


@pytest.mark.parametrize("slots", [900, 1100])
def test_a_thousand_erlang_filling_up_from_nothing(slots):
    """With nobody there at first the free system is Poisson with the mean 1000·(1 − e^−t); short of slots it is not."""
    flow = Flow(np.array([1000 / 300.0]), slots, 1 / 300, 0.0, np.ones(1), FINE)
    found = advance(at_rest(0.0, 1), flow, [300.0]).at[-1]
    n = found.low[0] + np.arange(found.mass.shape[1])
    assert np.abs(found.mass[0] - stats.poisson.pmf(n, 1000 * (1 - math.exp(-1)))).sum() < 1e-6


def test_mean_in_system_without_waiting_is_the_known_integral():
    """With agents enough for all the mean number in system is that of M(t)/M/∞: ∫ λ(t − u)·e^(−u/aht) du."""
    rates, aht, interval = [10.0, 50.0, 0.0, 30.0], 2400.0, 1800.0
    found = transient_performance(arrivals_per_hour=rates, aht_s=aht, agents=200, interval_s=interval, start=7.0)

    def mean(t):
        inflow = sum(
            rate / 3600 * aht * (math.exp(-max(t - (i + 1) * interval, 0) / aht) - math.exp(-(t - i * interval) / aht))
            for i, rate in enumerate(rates)
            if t > i * interval
        )
        return inflow + 7.0 * math.exp(-t / aht)

    for i, value in enumerate(found.in_system):
        assert value == pytest.approx(integrate.quad(mean, i * interval, (i + 1) * interval)[0] / interval, rel=1e-8)


@pytest.mark.parametrize(("load", "agents"), [(0.5, 2), (8.0, 10), (60.0, 64), (280.0, 290)])
def test_long_steady_interval_is_erlang_c(load, agents):
    """In the last of four long intervals of steady demand nothing is left of the beginning: the figures of M/M/c."""
    found = transient_performance(
        arrivals_per_hour=[load * 12] * 4, aht_s=300, agents=agents, interval_s=40_000, target_s=30, first_reply_s=10,
        start=load,
    )  # fmt: skip
    steady = performance(arrivals_per_hour=load * 12, aht_s=300, agents=agents, target_s=30, first_reply_s=10)
    assert found.service_level[-1] == pytest.approx(float(steady.service_level), abs=1e-6)
    assert found.p_wait[-1] == pytest.approx(erlang_c(load, agents), abs=1e-6)
    assert found.asa_s[-1] == pytest.approx(float(steady.asa_s), rel=1e-5)
    assert found.frt_mean_s[-1] == pytest.approx(float(steady.frt_mean_s), rel=1e-5)
    assert found.occupancy[-1] == pytest.approx(load / agents, rel=1e-6)


def test_long_steady_interval_with_patience_balances():
    """In the long run who arrives is answered or gives up: handled ÷ aht plus theta times the queue is the rate."""
    found = transient_performance(
        arrivals_per_hour=[120] * 3, aht_s=600, agents=16, interval_s=30_000, patience_s=400, start=16
    )
    answered = found.occupancy[-1] * 16 / 600 * 3600
    lost = found.mean_queue[-1] / 400 * 3600
    assert answered + lost == pytest.approx(120, rel=1e-6)
    assert found.abandoned[-1] == pytest.approx(lost / 120, rel=1e-5)
    assert found.wait_s[-1] == pytest.approx(found.mean_queue[-1] / 120 * 3600, rel=1e-5)


def simulate(rates, ahts, staff, interval, patience, factors, rng):
    """Tickets of one run per factor: (interval of arrival, wait, answered), event by event."""
    tickets = []
    for factor in factors:
        t, queue, serving, i, end = 0.0, deque(), 0, 0, len(rates) * interval
        returned = 0  # tickets answered before that wait again; they are at the head
        while t < end + 40 * interval:
            k = min(int(t // interval), len(rates) - 1) if t < end else len(rates) - 1
            rate = rates[k] * factor if t < end else 0.0
            if t >= end and not queue:
                break
            leave = (len(queue) + returned) / patience if patience else 0.0
            speed = rate + serving / ahts[k] + leave
            boundary = (i + 1) * interval
            step = rng.exponential(1 / speed) if speed > 0 else np.inf
            if t + step >= boundary:
                t, i = boundary, i + 1
                k = min(i, len(rates) - 1)
                if serving > staff[k]:
                    returned, serving = returned + serving - staff[k], staff[k]
            else:
                t += step
                what = rng.random() * speed
                if what < rate:
                    queue.append((t, k))
                elif what < rate + serving / ahts[k]:
                    serving -= 1
                else:
                    pick = rng.integers(len(queue) + returned)
                    if pick < returned:
                        returned -= 1
                    else:
                        came, where = queue[pick - returned]
                        del queue[pick - returned]
                        tickets.append((where, t - came, False))
            while serving < staff[k] and (returned or queue):
                serving += 1
                if returned:
                    returned -= 1
                else:
                    came, where = queue.popleft()
                    tickets.append((where, t - came, True))
    return np.array(tickets)


def ratio(top, bottom):
    """Σ top ÷ Σ bottom over the runs, and its standard error."""
    value = top.sum() / bottom.sum()
    return value, np.std(top - value * bottom, ddof=1) / bottom.mean() / math.sqrt(len(top))


@pytest.mark.parametrize(
    ("patience", "staff", "cv"),
    [
        (None, (8, 14, 5, 11), 0.0),
        (700.0, (8, 12, 4, 9), 0.0),
        (900.0, (8, 0, 12, 9), 0.0),
        (None, (8, 14, 12, 9), 0.3),
    ],
)
def test_waits_are_those_of_simulated_tickets(patience, staff, cv):
    """Service level, share lost and mean wait per interval lie within 4.5 standard errors of single tickets' waits."""
    rng = np.random.default_rng(11)
    rates, ahts, runs = (np.array([24, 30, 40, 12]) / 3600, [1100.0] * 4, 1500)
    factors = rng.gamma(cv**-2, cv**2, runs) if cv else np.ones(runs)
    found = transient_performance(
        arrivals_per_hour=rates * 3600, aht_s=ahts, agents=staff, interval_s=1500, target_s=400, patience_s=patience,
        rate_cv=cv,
    )  # fmt: skip
    each = [simulate(rates, ahts, staff, 1500.0, patience, [factor], rng) for factor in factors]
    for i in range(4):
        here = [run[run[:, 0] == i] if len(run) else np.zeros((0, 3)) for run in each]
        count = np.array([len(run) for run in here], dtype=float)
        checks = [
            (found.service_level, [((run[:, 1] <= 400) & (run[:, 2] == 1)).sum() for run in here], count),
            (found.abandoned, [(run[:, 2] == 0).sum() for run in here], count),
            (found.wait_s, [run[:, 1].sum() for run in here], count),
            (found.asa_s, [run[run[:, 2] == 1, 1].sum() for run in here], [run[:, 2].sum() for run in here]),
        ]
        for mine, top, bottom in checks:
            value, error = ratio(np.array(top, dtype=float), np.array(bottom, dtype=float))
            assert abs(mine[i] - value) <= 4.5 * error + 1e-9


def test_uncertain_rate_is_the_mixture_over_days_weighted_by_tickets():
    """With rate_cv the figures are those of many single factors, averaged over the tickets each brings."""
    plan = {"aht_s": 1200, "agents": [6, 9, 7], "interval_s": 1800, "target_s": 300}
    found = transient_performance(arrivals_per_hour=[12, 20, 12], rate_cv=0.2, **plan)
    factors = np.linspace(0.1, 2.5, 61)
    chance = stats.gamma.pdf(factors, 25, scale=1 / 25)
    single = [transient_performance(arrivals_per_hour=np.array([12, 20, 12]) * x, **plan) for x in factors]
    for name in ("service_level", "p_wait", "asa_s"):
        mixed = np.average([getattr(each, name) for each in single], axis=0, weights=factors * chance)
        assert getattr(found, name) == pytest.approx(mixed, rel=5e-3)
    mixed = np.average([each.mean_queue for each in single], axis=0, weights=chance)
    assert found.mean_queue == pytest.approx(mixed, rel=2e-2)


def test_a_new_day_has_a_factor_of_its_own():
    """After a night in which the queue empties the second day is the first; as one long day it need not be named."""
    rates = [0, 20, 30] + [0] * 8 + [20, 30]
    plan = {"aht_s": 900, "agents": 9, "interval_s": 3600, "rate_cv": 0.2}
    found = transient_performance(arrivals_per_hour=rates, day=[0] * 8 + [1] * 5, **plan)
    assert found.service_level[[1, 2]] == pytest.approx(found.service_level[[11, 12]], abs=1e-6)
    busy = transient_performance(arrivals_per_hour=[20, 30, 30, 30], day=[0, 0, 1, 1], **plan)
    same = transient_performance(arrivals_per_hour=[20, 30, 30, 30], **plan)
    assert busy.service_level[-1] > same.service_level[-1]  # a bad day does not go on


rates_strategy = st.lists(st.floats(0, 60), min_size=2, max_size=5)


@settings(max_examples=25, deadline=None)
@given(
    rates_strategy,
    st.integers(0, 25),
    st.integers(0, 4),
    st.floats(60, 4000),
    st.one_of(st.none(), st.floats(60, 9000)),
)
def test_one_more_agent_helps_everybody(rates, agents, where, aht, patience):
    """With patience no shorter than handling one agent more lowers no service level; shares are shares."""
    patience = patience and max(patience, aht)  # else who did not give up is in the way of those to come
    staff = np.full(len(rates), agents)
    plan = {"arrivals_per_hour": rates, "aht_s": aht, "interval_s": 1200, "target_s": 200, "patience_s": patience}
    few = transient_performance(agents=staff, **plan)
    staff[where % len(rates)] += 1
    more = transient_performance(agents=staff, **plan)
    assert (more.service_level >= few.service_level - 1e-6).all()
    for found in (few, more):
        for share in (found.service_level, found.p_wait, found.abandoned, found.all_busy, found.occupancy):
            assert ((share >= 0) & (share <= 1)).all()
        for number in (found.mean_queue, found.in_system, found.wait_s, found.asa_s):
            assert (number >= 0).all()


@settings(max_examples=15, deadline=None)
@given(rates_strategy, st.integers(1, 20), st.floats(0.1, 50))
def test_the_unit_of_time_does_not_matter(rates, agents, scale):
    """All times longer and all rates lower by one factor: the same shares, and waits longer by that factor."""
    one = transient_performance(
        arrivals_per_hour=rates, aht_s=800, agents=agents, interval_s=900, target_s=100, patience_s=2000
    )
    other = transient_performance(
        arrivals_per_hour=np.array(rates) / scale, aht_s=800 * scale, agents=agents, interval_s=900 * scale,
        target_s=100 * scale, patience_s=2000 * scale,
    )  # fmt: skip
    assert other.service_level == pytest.approx(one.service_level, abs=1e-6)
    assert other.asa_s == pytest.approx(one.asa_s * scale, rel=1e-4, abs=1e-6 * scale)


def test_pieces_of_an_interval_are_intervals_of_their_own():
    """Two pieces with the same rate change nothing, and their tickets are those of two half intervals together."""
    plan = {"aht_s": 1500, "target_s": 240, "patience_s": 3000}
    whole = transient_performance(arrivals_per_hour=[20, 40], agents=[9, 14], interval_s=3600, **plan)
    cut = transient_performance(arrivals_per_hour=[[20, 20], [40, 40]], agents=[9, 14], interval_s=3600, **plan)
    assert cut.service_level == pytest.approx(whole.service_level, abs=1e-7)
    assert cut.asa_s == pytest.approx(whole.asa_s, rel=1e-4)
    mixed = transient_performance(arrivals_per_hour=[[10, 30], [50, 20]], agents=[9, 14], interval_s=3600, **plan)
    halves = transient_performance(arrivals_per_hour=[10, 30, 50, 20], agents=[9, 9, 14, 14], interval_s=1800, **plan)
    pairs = (halves.service_level * halves.offered).reshape(2, 2).sum(axis=1) / halves.offered.reshape(2, 2).sum(axis=1)
    assert mixed.service_level == pytest.approx(pairs, abs=1e-7)


def test_almost_endless_patience_is_none():
    """With a patience of a thousand days the figures are those without one."""
    plan = {"arrivals_per_hour": [20, 40, 20], "aht_s": 1500, "agents": [9, 14, 11], "interval_s": 3600}
    without = transient_performance(**plan)
    patient = transient_performance(patience_s=86_400_000, **plan)
    assert patient.service_level == pytest.approx(without.service_level, abs=1e-5)
    assert patient.asa_s == pytest.approx(without.asa_s, rel=1e-4)


def test_edges():
    """Nothing comes: all on time, no wait. Nobody works: nobody on time, and at the end nobody ever answered."""
    none = transient_performance(arrivals_per_hour=[0, 0], aht_s=300, agents=[0, 3], interval_s=900)
    assert none.service_level.tolist() == [1, 1]
    assert none.occupancy.tolist() == [0, 0]
    closed = transient_performance(arrivals_per_hour=[10, 10], aht_s=300, agents=0, interval_s=900)
    assert closed.service_level.tolist() == [0, 0]
    assert closed.abandoned.tolist() == [1, 1]
    assert np.isinf(closed.asa_s).all()
    late = transient_performance(
        arrivals_per_hour=[10], aht_s=300, agents=5, interval_s=900, target_s=60, first_reply_s=90
    )
    assert late.service_level.tolist() == [0]


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"agents": [1.5, 2]}, "agents"), ({"agents": [1, 2, 3]}, "agents"), ({"aht_s": 0}, "aht_s"),
        ({"arrivals_per_hour": [-1, 2]}, "arrivals_per_hour"), ({"arrivals_per_hour": 3}, "arrivals_per_hour"),
        ({"interval_s": 0}, "interval_s"), ({"patience_s": 0}, "patience_s"), ({"rate_cv": -0.1}, "rate_cv"),
        ({"start": math.nan}, "start"), ({"day": [0, 1, 2]}, "day"), ({"interval_s": [900, 900]}, "interval_s"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(wrong, names):
    """An argument outside its range, or of the wrong shape, is refused by its name."""
    right = {"arrivals_per_hour": [10, 20], "aht_s": 300, "agents": [3, 4], "interval_s": 900}
    with pytest.raises(InputError, match=names):
        transient_performance(**{**right, **wrong})


@pytest.mark.parametrize(("cv", "load"), [(0.17, 11.0), (0.05, 300.0), (0.45, 6.0), (0.3, 40.0)])
def test_nodes_that_weigh_next_to_nothing_do_no_harm(cv, load):
    """Whatever the doubt and the load, every figure is a number, and staffing keeps its target."""
    rates = load * 12 * np.array([1.0, 0.2])
    plan = staff_over_time(
        arrivals_per_hour=rates, aht_s=300, interval_s=1800, target=Target.parse("80% in 60s"), rate_cv=cv
    )
    found = transient_performance(
        arrivals_per_hour=rates, aht_s=300, agents=plan.agents, interval_s=1800, rate_cv=cv
    )  # fmt: skip
    assert np.isfinite(found.service_level).all()
    assert (found.service_level > 0.8 - 1e-4).all()
