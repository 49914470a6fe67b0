import heapq
import itertools
import math
import tracemalloc

import mpmath
import numpy as np
import pytest
from erlang_by_hand import batch_mean, erlang_b, erlang_c, relative_error
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, linalg

from staffcast.erlang.models import formulas
from staffcast.erlang.models.finite import FiniteQueue

# Agents, load per agent, patience and time waited in handle times (inf: nobody gives up; 0: nobody waits), places.
SMALL = [
    (1, 0.6, math.inf, 0.5, 1),
    (1, 1.0, math.inf, 1.0, 6),
    (2, 3.0, 0.3, 0.2, 5),
    (3, 0.9, 1.0, 0.7, 9),
    (5, 1.4, 20.0, 1.5, 30),
    (8, 1.0, 2.0, 0.05, 12),
    (12, 0.5, 0.01, 0.02, 4),
    (20, 2.5, math.inf, 1.1, 40),
    (20, 0.8, 500.0, 0.3, 25),
    (4, 1.1, 0.2, 3.0, 15),
]
AHT = 300.0

AGENTS = st.integers(1, 60)
PER_AGENT = st.floats(0.05, 4)
THETA = st.one_of(st.just(0.0), st.floats(1e-12, 1e4))
PLACES = st.integers(0, 80)
TIMES = st.floats(0, 30)


def queue_of(agents, load, theta, places, aht=1.0):
    """The queue of agents behind an Erlang head; every argument a number or an array."""
    agents, load, theta, places = np.broadcast_arrays(
        *(np.atleast_1d(np.float64(x)) for x in (agents, load, theta, places))
    )
    lost = np.array([float(erlang_b(a, n)) if a > 0 else 0.0 for a, n in zip(load, agents, strict=True)])
    free = np.array([1 - float(erlang_b(a, n)) if n > 0 else 0.0 for a, n in zip(load, agents, strict=True)])
    gate = np.divide(lost, free, out=np.full_like(lost, np.inf), where=free > 0)
    return FiniteQueue(gate, load / aht, agents / aht, theta / aht, places)


def queue_at(gate, rate, drain, theta, places):
    """One queue with this gate."""
    return FiniteQueue(*(np.array([float(x)]) for x in (gate, rate, drain, theta, places)))


def at(t):
    return np.array([float(t)])


def rate_of(patience):
    return 0.0 if patience == math.inf else 1 / patience


def stationary(agents, load, theta, places):
    """Probabilities of 0..agents + places in the system, from the balance equations as a matrix."""
    states = agents + places + 1
    flow = np.zeros((states, states))
    for n in range(states - 1):
        flow[n, n + 1] = load
        flow[n + 1, n] = min(n + 1, agents) + max(n + 1 - agents, 0) * theta
    flow -= np.diag(flow.sum(axis=1))
    flow[:, 0] = 1.0  # one equation says nothing new: the sum instead
    return np.linalg.solve(flow.T, np.eye(states)[0])


def tagged(agents, theta, places, own):
    """Flow of one customer over how many are ahead of it, then answered, then gave up at its ``own`` rate."""
    flow = np.zeros((places + 2, places + 2))
    for ahead in range(places):
        leaves = agents + ahead * theta
        flow[ahead, ahead - 1 if ahead else places] += leaves
        flow[ahead, places + 1] += own
        flow[ahead, ahead] = -leaves - own
    return flow


@pytest.mark.parametrize(("agents", "per_agent", "patience", "t", "places"), SMALL)
def test_shares_are_those_of_the_solved_balance_equations(agents, per_agent, patience, t, places):
    """Busy, turned away, let in to wait, giving up and waiting follow from the whole chain's generator matrix."""
    load, theta = agents * per_agent, rate_of(patience)
    states = stationary(agents, load, theta, places)
    waiting = np.arange(places + 1)
    queue = queue_of(agents, load, theta, places)
    assert queue.all_busy == pytest.approx(states[agents:].sum(), rel=1e-11)
    assert queue.block == pytest.approx(states[-1], rel=1e-11)
    assert queue.wait_prob == pytest.approx(states[agents:-1].sum(), rel=1e-11)
    assert queue.mean_queue() == pytest.approx(waiting @ states[agents:], rel=1e-11)
    assert queue.abandon == pytest.approx(theta * (waiting @ states[agents:]) / load, rel=1e-11)


@pytest.mark.parametrize(("agents", "per_agent", "patience", "t", "places"), SMALL)
def test_waits_are_those_of_a_tagged_customer(agents, per_agent, patience, t, places):
    """Late, given up and virtually late are what the matrix exponential of one customer's own chain says."""
    load, theta = agents * per_agent, rate_of(patience)
    found = stationary(agents, load, theta, places)[agents:-1]
    after = linalg.expm(tagged(agents, theta, places, theta) * t)[:places]
    ever = linalg.expm(tagged(agents, theta, places, theta) * 1e4)[:places]
    endless = linalg.expm(tagged(agents, theta, places, 0.0) * t)[:places]
    queue = queue_of(agents, load, theta, places, AHT)
    time = at(t * AHT)
    late, gave_up = found @ (ever[:, -2] - after[:, -2]), found @ after[:, -1]
    assert queue.answered_late(time) == pytest.approx(late, rel=1e-10, abs=1e-14)
    assert queue.gave_up_before(time) == pytest.approx(gave_up, rel=1e-10, abs=1e-14)
    assert queue.virtual_tail(time) == pytest.approx(found @ endless[:, :-2].sum(axis=1), rel=1e-10)
    turned_away = stationary(agents, load, theta, places)[-1]
    assert queue.missed(time) == pytest.approx(turned_away + found @ ever[:, -1] + late, rel=1e-10)


@pytest.mark.parametrize(("agents", "per_agent", "patience", "t", "places"), SMALL)
def test_mean_waits_are_those_of_a_tagged_customer(agents, per_agent, patience, t, places):
    """Mean waits of the answered and of all let in are moments of one customer's own chain, by linear equations."""
    load, theta = agents * per_agent, rate_of(patience)
    states = stationary(agents, load, theta, places)
    found, flow = states[agents:-1], tagged(agents, theta, places, theta)
    stay = -flow[:places, :places]
    spent = np.linalg.solve(stay, np.ones(places))
    answered = np.linalg.solve(stay, flow[:places, -2])
    waited = np.linalg.solve(stay, answered)
    queue = queue_of(agents, load, theta, places, AHT)
    assert queue.mean_wait() == pytest.approx(AHT * (found @ spent) / states[:-1].sum(), rel=1e-10)
    asa = AHT * (found @ waited) / (states[:agents].sum() + found @ answered)
    assert queue.asa() == pytest.approx(asa, rel=1e-10)


def precise(gate, rate, drain, theta, places, t):
    """Missed, answered late, virtually late and given up within t, by partial fractions or incomplete gamma functions.

    The sum of exponential times with rates r has the tail Σ_l e^(−r_l·t) Π_{m≠l} r_m/(r_m − r_l), which cancels nearly
    all of 400 digits.
    """
    with mpmath.workdps(400):
        gate, rate, drain, theta, t = (mpmath.mpf(float(x)) for x in (gate, rate, drain, theta, t))
        weights = [mpmath.mpf(1)]
        for waiting in range(1, places + 1):
            weights.append(weights[-1] * rate / (drain + waiting * theta))
        whole = 1 / gate + mpmath.fsum(weights)
        late, virtual, before, quits = (mpmath.mpf(0) for _ in range(4))
        for ahead in range(places):
            found = weights[ahead] / whole
            if theta == 0:
                tail = mpmath.gammainc(ahead + 1, drain * t, regularized=True)
                late, virtual = late + found * tail, virtual + found * tail
                continue
            rates = [drain + k * theta for k in range(ahead + 1)]
            for one in rates:
                share = mpmath.fprod(other / (other - one) for other in rates if other != one)
                late += found * share * one / (one + theta) * mpmath.exp(-(one + theta) * t)
                virtual += found * share * mpmath.exp(-one * t)
                # Gives up at u ≤ t before V: θ e^(−θu) P(V > u), integrated.
                before += found * share * theta / (one + theta) * -mpmath.expm1(-(one + theta) * t)
                quits += found * share * theta / (one + theta)
        return weights[-1] / whole + quits + late, late, virtual, before


PRECISE = [
    # gate, rate, drain, theta, places, t
    (1e-9, 18.0, 30.0, 0.0, 12, 5.0),
    (1e-9, 18.0, 30.0, 1e-9, 12, 5.0),
    (1e-18, 10.0, 40.0, 1e-6, 20, 0.5),
    (1e-3, 30.0, 30.0, 1e-9, 25, 1.0),
    (1e-3, 30.0, 30.0, 0.5, 30, 2.0),
    (2.0, 90.0, 30.0, 1.0, 35, 0.4),
    (2.0, 90.0, 30.0, 1.0, 35, 6.0),
    (0.5, 8.0, 5.0, 40.0, 30, 0.3),
    (0.1, 8.0, 10.0, 10.0, 30, 1.7),
    (0.1, 8.0, 0.2, 3.0, 30, 40.0),
    (0.4, 500.0, 400.0, 2.0, 30, 1e-5),
    (1e-30, 1.0, 60.0, 0.01, 3, 0.1),
    (1e-6, 3.0, 5.0, 1e-12, 20, 9.0),
]


@pytest.mark.parametrize("case", PRECISE)
def test_tails_have_full_relative_precision(case):
    """Shares far below 1e-19 agree with partial fractions at 400 digits as closely as shares near 1."""
    *model, places, t = case
    queue = queue_at(*model, places)
    found = (queue.missed(at(t)), queue.answered_late(at(t)), queue.virtual_tail(at(t)), queue.gave_up_before(at(t)))
    for value, true in zip(found, precise(*model, places, t), strict=True):
        if true < 1e-300:
            assert value == 0
            continue
        assert relative_error(value[0], true) < 1e-12


def test_nothing_is_lost_in_a_missed_share_of_1e_19():
    """With little load and many places the share missed is 1e-19 and below, and exact: 1 − service level would be 0."""
    queue = queue_of(40, 8.0, 0.0, 50)
    with mpmath.workdps(50):
        true = erlang_c(8.0, 40) * mpmath.exp(-mpmath.mpf(32) * mpmath.mpf("0.5"))
    found = queue.missed(at(0.5))[0]
    assert found < 1e-19
    assert relative_error(found, true) < 1e-12


@pytest.mark.parametrize(("places", "time"), [(50, 40.0), (5000, 5100.0), (100_000, 99_000.0), (100_000, 7000.0)])
def test_a_hundred_thousand_places_at_a_load_of_one_each(places, time):
    """At rate = drain all numbers waiting are alike, and the tail is an incomplete gamma function."""
    queue = queue_at(math.inf, 1.0, 1.0, 0.0, places)
    with mpmath.workdps(40):
        x = mpmath.mpf(time)
        # Σ_{i<K} P(Poisson(x) ≤ i) = K·P(≤ K − 1) − x·P(≤ K − 2)
        q = [mpmath.gammainc(k, x, regularized=True) for k in (places, places - 1)]
        late = (places * q[0] - x * q[1]) / (places + 1)
    assert relative_error(queue.virtual_tail(at(time))[0], late) < 1e-12
    assert relative_error(queue.missed(at(time))[0], late + mpmath.mpf(1) / (places + 1)) < 1e-12
    assert queue.mean_queue() == pytest.approx(places / 2, rel=1e-12)
    # Who finds i ahead waits for i + 1 completions; with one alike as the other that is the mean of 1..K.
    assert queue.asa() == pytest.approx((places + 1) / 2, rel=1e-12)


@pytest.mark.parametrize("per_agent", [0.5, 0.9, 0.99])
def test_many_places_are_a_queue_without_limit(per_agent):
    """Where the queue is stable many places make it M/M/c: waits, shares and quantiles are those of formulas."""
    agents = np.array([1.0, 7.0, 60.0])
    load, aht, t = agents * per_agent, np.full(3, AHT), np.full(3, 100.0)
    queue = queue_of(agents, load, 0.0, 6000, AHT)
    assert queue.all_busy == pytest.approx(formulas.waiting(load, agents), rel=1e-11)
    for found in (queue.missed(t), queue.virtual_tail(t), queue.answered_late(t)):
        assert found == pytest.approx(formulas.tail(load, agents, aht, t), rel=1e-11)
    assert queue.asa() == pytest.approx(formulas.mean(load, agents, aht), rel=1e-11)
    assert queue.mean_wait() == pytest.approx(formulas.mean(load, agents, aht), rel=1e-11)
    for q in (0.5, 0.9, 0.999):
        quantile = formulas.quantile(np.full(3, q), load, agents, aht)
        assert queue.wait_quantile(np.full(3, q)) == pytest.approx(quantile, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(AGENTS, PER_AGENT, TIMES)
def test_without_places_it_is_erlang_b(agents, per_agent, t):
    """Nobody waits: who is not answered at once is turned away, at any time and with any patience."""
    lost = float(erlang_b(agents * per_agent, agents))
    for theta in (0.0, 0.3, math.inf):
        queue = queue_of(agents, agents * per_agent, theta, 0)
        assert queue.block == pytest.approx(lost, rel=1e-12)
        assert queue.all_busy == queue.block
        assert queue.missed(at(t)) == queue.block
        others = queue.wait_prob, queue.abandon, queue.virtual_tail(at(t)), queue.answered_late(at(t))
        means = queue.mean_wait(), queue.asa(), queue.mean_queue(), queue.wait_quantile(at(0.9))
        assert not np.any(others)
        assert not np.any(means)


@settings(max_examples=60, deadline=None)
@given(AGENTS, PER_AGENT, TIMES, st.integers(1, 50))
def test_without_patience_it_is_erlang_b(agents, per_agent, t, places):
    """Whoever does not find a free agent leaves at once, whether or not there is a place to wait in."""
    lost = float(erlang_b(agents * per_agent, agents))
    queue = queue_of(agents, agents * per_agent, math.inf, places)
    for share in (queue.all_busy, queue.abandon, queue.missed(at(t)), queue.wait_prob, queue.gave_up_before(at(t))):
        assert share == pytest.approx(lost, rel=1e-12)
    assert queue.block == 0
    assert queue.virtual_tail(at(t)) == pytest.approx(lost * math.exp(-agents * t), rel=1e-12)
    for nothing in (queue.answered_late(at(t)), queue.mean_wait(), queue.asa(), queue.wait_quantile(at(0.9))):
        assert nothing == 0


def test_next_to_no_patience_is_no_patience():
    """A patience of 1e-12 handle times gives what leaving at once gives."""
    hasty, quick = (queue_of(6, 7.0, theta, 10) for theta in (math.inf, 1e12))
    for name in ("all_busy", "wait_prob", "abandon"):
        assert getattr(quick, name) == pytest.approx(getattr(hasty, name), rel=1e-10)
    assert quick.block < 1e-100
    for t in (1e-6, 0.1):
        assert quick.missed(at(t)) == pytest.approx(hasty.missed(at(t)), rel=1e-10)
        assert quick.virtual_tail(at(t)) == pytest.approx(hasty.virtual_tail(at(t)), rel=1e-9)
        assert quick.gave_up_before(at(t)) == pytest.approx(hasty.gave_up_before(at(t)), rel=1e-10)


@settings(max_examples=150, deadline=None)
@given(AGENTS, PER_AGENT, THETA, PLACES, TIMES)
def test_everybody_ends_somewhere(agents, per_agent, theta, places, t):
    """Turned away, giving up and answered sum to 1, also when the answered are split at t; shares are shares."""
    queue = queue_of(agents, agents * per_agent, theta, places)
    answered, late = queue.answered_late(at(-1)), queue.answered_late(at(t))
    assert queue.block + queue.abandon + answered == pytest.approx(1, rel=1e-13)
    assert queue.missed(at(t)) + (answered - late) == pytest.approx(1, rel=1e-13)
    assert queue.virtual_tail(at(-1)) + queue.block == pytest.approx(1, rel=1e-13)
    assert queue.gave_up_before(at(1e30)) == pytest.approx(queue.abandon if theta else 0, rel=1e-12)
    assert 0 <= queue.answered_late(at(t)) <= queue.missed(at(t)) <= 1
    assert 0 <= queue.gave_up_before(at(t)) <= queue.abandon
    assert queue.virtual_tail(at(t)) <= queue.wait_prob * (1 + 1e-14)


@pytest.mark.parametrize(("agents", "per_agent", "patience", "t", "places"), SMALL)
def test_means_are_areas_under_the_tails(agents, per_agent, patience, t, places):
    """Mean waits are integrals of tails, and giving up is patience ending within the virtual wait: quadrature."""
    theta = rate_of(patience)
    queue = queue_of(agents, agents * per_agent, theta, places)

    def area(tail, to):
        cuts = np.concatenate([[0], np.geomspace(1e-4, 1, 12) * to])
        return sum(integrate.quad(tail, a, b, epsabs=0, epsrel=1e-11)[0] for a, b in itertools.pairwise(cuts))

    waited = area(lambda u: queue.virtual_tail(at(u))[0] * math.exp(-theta * u), 60.0)
    assert queue.mean_wait() * (1 - queue.block) == pytest.approx(waited, rel=1e-9)
    answered = area(lambda u: queue.answered_late(at(u))[0], 60.0)
    assert queue.asa() * queue.answered_late(at(-1)) == pytest.approx(answered, rel=1e-9)
    gone = area(lambda u: theta * math.exp(-theta * u) * queue.virtual_tail(at(u))[0], t)
    assert queue.gave_up_before(at(t)) == pytest.approx(gone, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(AGENTS, PER_AGENT, THETA, PLACES, TIMES, st.integers(1, 30))
def test_more_places_let_more_in_to_wait(agents, per_agent, theta, places, t, more):
    """With the places rise the busy, those giving up, the late, the queue and the waits; fewer are turned away."""
    few, many = (queue_of(agents, agents * per_agent, theta, k) for k in (places, places + more))
    slack = 1 + 1e-12
    assert many.block <= few.block * slack
    for rises in (
        lambda q: q.all_busy, lambda q: q.wait_prob, lambda q: q.abandon, lambda q: q.asa(), lambda q: q.mean_wait(),
        lambda q: q.mean_queue(), lambda q: q.answered_late(at(t)), lambda q: q.virtual_tail(at(t)),
        lambda q: q.wait_quantile(at(0.9)),
    ):  # fmt: skip
        assert rises(few) <= rises(many) * slack + 1e-290


@settings(max_examples=100, deadline=None)
@given(AGENTS, PER_AGENT, THETA, PLACES, TIMES, st.floats(1, 3))
def test_more_load_and_slower_agents_never_help(agents, per_agent, theta, places, t, factor):
    """More arrivals, or a smaller drain behind the same head, turn away, queue and miss no less."""
    rate, gate, slack = agents * per_agent, 0.3, 1 + 1e-12
    base = queue_at(gate, rate, agents, theta, places)
    worse = queue_at(gate, rate * factor, agents, theta, places), queue_at(gate, rate, agents / factor, theta, places)
    for queue in worse:
        assert base.block <= queue.block * slack + 1e-290
        assert base.mean_queue() <= queue.mean_queue() * slack
        assert base.missed(at(t)) <= queue.missed(at(t)) * slack


@settings(max_examples=100, deadline=None)
@given(AGENTS, PER_AGENT, THETA, PLACES, TIMES, st.floats(0, 5))
def test_longer_to_wait_is_longer_late(agents, per_agent, theta, places, t, more):
    """Tails fall and giving up rises with time."""
    queue = queue_of(agents, agents * per_agent, theta, places)
    slack = 1 + 1e-12
    for tail in (queue.missed, queue.virtual_tail, queue.answered_late):
        assert tail(at(t + more)) <= tail(at(t)) * slack
    assert queue.gave_up_before(at(t)) <= queue.gave_up_before(at(t + more)) * slack


@settings(max_examples=150, deadline=None)
@given(AGENTS, PER_AGENT, THETA, PLACES, st.floats(0, 0.9999))
def test_quantile_inverts_the_tail_of_the_answered(agents, per_agent, theta, places, q):
    """At the quantile a share 1 − q of the answered is late, or enough need not wait at all."""
    queue = queue_of(agents, agents * per_agent, theta, places)
    time, answered = queue.wait_quantile(at(q)), queue.answered_late(at(-1))
    if time == 0:
        assert queue.answered_late(at(0)) <= (1 - q) * answered * (1 + 1e-12)
    else:
        assert queue.answered_late(time) == pytest.approx((1 - q) * answered, rel=1e-9)


@settings(max_examples=80, deadline=None)
@given(AGENTS, PER_AGENT, THETA, PLACES, TIMES)
def test_seconds_or_minutes_are_the_same_queue(agents, per_agent, theta, places, t):
    """Shares do not depend on the unit of time and waits scale with it."""
    load = agents * per_agent
    one, sixty = queue_of(agents, load, theta, places), queue_of(agents, load, theta, places, 60.0)
    for name in ("missed", "virtual_tail", "answered_late", "gave_up_before"):
        found = getattr(one, name)(at(t)), getattr(sixty, name)(at(60 * t))
        assert found[0] == pytest.approx(found[1], rel=1e-10, abs=1e-290)
    for wait in (lambda q: q.asa(), lambda q: q.mean_wait(), lambda q: q.wait_quantile(at(0.8))):
        assert 60 * wait(one) == pytest.approx(wait(sixty), rel=1e-9)


def test_arrays_are_loops():
    """Queues of all kinds side by side answer as each does alone, in their order."""
    rng = np.random.default_rng(3)
    size = 400
    model = [
        rng.choice([0.0, 1e-9, 0.2, 4.0], size), rng.choice([0.0, 0.5, 3.0, 40.0], size),
        rng.choice([0.3, 3.0, 30.0], size), rng.choice([0.0, 1e-9, 0.4, 50.0, np.inf], size),
        rng.choice([0, 1, 2, 7, 30, 300, 3000], size).astype(float),
    ]  # fmt: skip
    t, q = rng.choice([-1.0, 0.0, 0.01, 1.0, 20.0], size), rng.uniform(0, 1, size)

    def figures(queue, some):
        at_t = (queue.missed, queue.virtual_tail, queue.answered_late, queue.gave_up_before)
        means = queue.asa(), queue.mean_wait(), queue.mean_queue(), queue.wait_quantile(q[some])
        shares = queue.all_busy, queue.block, queue.wait_prob, queue.abandon
        return np.array([*shares, *means, *(figure(t[some]) for figure in at_t)])

    together = figures(FiniteQueue(*model), slice(None))
    for i in range(0, size, 4):
        alone = figures(FiniteQueue(*(each[i : i + 1] for each in model)), slice(i, i + 1))[:, 0]
        assert together[:, i] == pytest.approx(alone, rel=1e-11, abs=1e-290)


def test_no_step_where_load_meets_drain_or_patience_ends():
    """At rate = drain, and on the way to nobody giving up, figures move by as little as their causes."""
    calm, exact, over = (queue_at(0.2, 20.0 * x, 20.0, 0.0, 300) for x in (1 - 1e-13, 1.0, 1 + 1e-13))
    patient, endless = (queue_at(0.2, 24.0, 20.0, theta, 300) for theta in (1e-14, 0.0))
    for figure in (
        lambda q: q.block, lambda q: q.asa(), lambda q: q.mean_queue(), lambda q: q.missed(at(3.0)),
        lambda q: q.virtual_tail(at(14.0)), lambda q: q.answered_late(at(0.1)), lambda q: q.wait_quantile(at(0.7)),
    ):  # fmt: skip
        assert figure(calm) == pytest.approx(figure(exact), rel=1e-9)
        assert figure(over) == pytest.approx(figure(exact), rel=1e-9)
        assert figure(patient) == pytest.approx(figure(endless), rel=1e-9)


def test_giving_up_is_in_proportion_to_a_small_theta():
    """With next to endless patience the share giving up is θ times the time spent waiting, not noise."""
    queue = queue_at(0.2, 24.0, 20.0, 1e-15, 30)
    endless = queue_at(0.2, 24.0, 20.0, 0.0, 30)
    spent, _ = integrate.quad(lambda u: endless.virtual_tail(at(u))[0], 0, 0.01, epsabs=0)
    assert queue.gave_up_before(at(0.01)) == pytest.approx(1e-15 * spent, rel=1e-9)
    assert queue.abandon == pytest.approx(1e-15 * endless.mean_queue() / 24.0, rel=1e-11)


def test_overload_fills_any_number_of_places():
    """With three times the load the queue is full but for a few places however long it is, and what is over is lost."""
    queue = queue_at(2.0, 30.0, 10.0, 0.0, 20_000)
    assert queue.block == pytest.approx(2 / 3, rel=1e-12)
    assert queue.mean_queue() == pytest.approx(20_000 - 1 / 2, rel=1e-12)
    assert queue.all_busy == 1
    assert queue.answered_late(at(1000.0)) == pytest.approx(1 / 3, rel=1e-12)
    assert queue.answered_late(at(3000.0)) < 1e-100


def test_where_nobody_comes_nobody_waits():
    """Without arrivals all shares and waits are 0, with slots or without."""
    queue = FiniteQueue(*(np.array(x) for x in ([0.0, np.inf], [0.0, 0.0], [3.0, 0.0], [0.5, 0.0], [4.0, 4.0])))
    t = np.array([60.0, -1.0])
    shares = queue.all_busy, queue.block, queue.wait_prob, queue.abandon, queue.missed(t), queue.virtual_tail(t)
    waits = queue.answered_late(t), queue.gave_up_before(t), queue.asa(), queue.mean_wait(), queue.mean_queue()
    assert not np.any(shares)
    assert not np.any(waits)
    assert not np.any(queue.wait_quantile(t * 0 + 0.9))


def test_without_slots_nobody_is_answered():
    """With a patience all let in give up after it; without one the queue is full for ever; all are missed."""
    ones = np.ones(3)
    queue = FiniteQueue(ones * np.inf, ones * 2, ones * 0, np.array([0.5, 0.0, np.inf]), ones * 3)
    assert queue.missed(ones).tolist() == [1, 1, 1]
    assert queue.all_busy.tolist() == [1, 1, 1]
    # M/M/∞ with 3 places and load 4: Erlang B of 4 erlang at 3.
    lost = float(erlang_b(4.0, 3))
    assert queue.block == pytest.approx([lost, 1, 0], rel=1e-12)
    assert queue.abandon == pytest.approx([1 - lost, 0, 1], rel=1e-12)
    assert queue.mean_wait() == pytest.approx([2, np.inf, 0], rel=1e-12)
    assert queue.mean_queue() == pytest.approx([4 * (1 - lost), 3, 0], rel=1e-12)
    assert queue.virtual_tail(ones) == pytest.approx([1 - lost, 0, 1], rel=1e-12)
    assert queue.gave_up_before(ones)[0] == pytest.approx((1 - lost) * -math.expm1(-0.5), rel=1e-12)
    assert queue.answered_late(-ones).tolist() == [0, 0, 0]
    assert queue.asa().tolist() == [np.inf] * 3
    assert queue.wait_quantile(ones * 0.5).tolist() == [np.inf] * 3


def test_a_first_reply_slower_than_the_target_misses_everybody():
    """A negative time left to wait misses all, and tells all answered, all let in and nobody given up yet."""
    queue, before = queue_of(5, 6.0, 0.5, 7), at(-0.1)
    assert queue.missed(before) == 1
    assert queue.answered_late(before) > queue.answered_late(at(0)) > 0
    assert queue.virtual_tail(before) == pytest.approx(1 - queue.block, rel=1e-14)
    assert queue.gave_up_before(before) == 0


def test_memory_stays_bounded_for_many_elements_and_many_places():
    """Ten million states are worked through in pieces: less than 100 MB at any time."""
    size = 20_000
    ones = np.ones(size)
    tracemalloc.start()
    try:
        found = FiniteQueue(0.1 * ones, 9 * ones, 10 * ones, 0.1 * ones, 500 * ones).missed(ones)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 100e6
    assert found == pytest.approx(queue_at(0.1, 9, 10, 0.1, 500).missed(at(1))[0], rel=1e-13)


def simulate(agents, load, theta, places, tickets, seed):
    """Fate and wait of each ticket, event by event: -1 turned away, 0 gave up, 1 answered; handle times have mean 1."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / load, tickets))
    handles, patience = rng.exponential(1.0, tickets), rng.exponential(1 / theta, tickets)
    busy, fate, waits = [], np.zeros(tickets), np.zeros(tickets)
    starts = []  # when those now waiting will be off the queue: answered or gone
    for i, came in enumerate(arrivals):
        while busy and busy[0] <= came:
            heapq.heappop(busy)
        starts = [start for start in starts if start > came]
        if len(starts) >= places and len(busy) >= agents:
            fate[i] = -1
            continue
        # First come first served: with all earlier tickets placed, this one gets the agent who is free first.
        start = came if len(busy) < agents else heapq.nsmallest(len(busy) - agents + 1, busy)[-1]
        if start - came > patience[i]:
            fate[i], waits[i] = 0, patience[i]
            starts.append(came + patience[i])
            continue
        fate[i], waits[i] = 1, start - came
        heapq.heappush(busy, start + handles[i])
        if start > came:
            starts.append(start)
    return fate[tickets // 20 :], waits[tickets // 20 :]


def test_shares_and_waits_are_those_of_a_simulated_queue():
    """An event-by-event queue with limited room and patience agrees within four standard errors."""
    agents, load, theta, places, t = 4, 5.0, 0.5, 6, 0.4
    fate, waits = simulate(agents, load, theta, places, 200_000, seed=5)
    queue = queue_of(agents, load, theta, places)
    for truth, sample in (
        (queue.block, fate == -1),
        (queue.abandon, fate == 0),
        (queue.missed(at(t)), (fate != 1) | (waits > t)),
        (queue.answered_late(at(t)), (fate == 1) & (waits > t)),
        (queue.gave_up_before(at(t)), (fate == 0) & (waits <= t)),
        (queue.mean_wait() * (1 - queue.block), waits),
    ):
        mean, error = batch_mean(np.asarray(sample, float))
        assert abs(mean - truth[0]) < 4 * error
        assert error < 0.03 * truth[0]
