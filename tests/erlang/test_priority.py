import heapq
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, linalg, sparse
from scipy.sparse.linalg import spsolve

from staffcast.contracts import InputError, Target
from staffcast.erlang.classes.priority import priority_means, priority_waits, required_agents_by_class
from staffcast.erlang.models.formulas import erlang_c, mean_wait, wait_quantile, wait_tail

RATES = st.lists(st.floats(0.1, 60), min_size=1, max_size=4)


def two_classes_by_chain(rates, agents, ends, longest=(50, 150)):
    """Stationary probabilities of M/M/c with two classes from its generator, both queues cut off."""
    n1, n2 = longest
    states = [(n, 0, 0) for n in range(agents)] + [(agents, i, j) for i in range(n1) for j in range(n2)]
    index = {state: k for k, state in enumerate(states)}
    rows, columns, values = [], [], []

    def add(source, goal, rate):
        if goal in index:
            rows.extend([index[goal], index[source]])
            columns.extend([index[source]] * 2)
            values.extend([rate, -rate])

    for n, i, j in states:
        here = (n, i, j)
        if n < agents:
            add(here, (n + 1, 0, 0), sum(rates))
            add(here, (n - 1, 0, 0), n * ends)
            continue
        add(here, (n, i + 1, j), rates[0])
        add(here, (n, i, j + 1), rates[1])
        add(here, (n, i - 1, j) if i else (n, i, j - 1) if j else (n - 1, 0, 0), agents * ends)
    balance = sparse.csr_matrix((values, (rows, columns)), shape=(len(states), len(states))).tolil()
    balance[0] = 1.0
    right = np.zeros(len(states))
    right[0] = 1.0
    return dict(zip(states, spsolve(balance.tocsc(), right), strict=True))


def ahead_is_served(ahead, urgent, drain, after):
    """P(more than ``after`` until ``ahead`` tickets are gone), while urgent ones keep joining, by a generator."""
    size = len(ahead)
    moves = np.zeros((size, size))
    for n in range(size):
        if n + 1 < size:
            moves[n, n + 1] = urgent
        if n:
            moves[n, n - 1] = drain
        moves[n, n] = -(urgent * (n + 1 < size) + drain)
    return (ahead @ linalg.expm(moves * after)).sum()


@pytest.mark.parametrize(
    ("rates", "agents"), [((0.5, 0.3), 1), ((0.6, 1.0), 2), ((2.5, 1.5), 5), ((0.3, 3.7), 5)], ids=str
)
def test_means_and_distribution_are_those_of_the_solved_chain(rates, agents):
    """Means by Little's law and tails by first passage agree with a two-class generator to its cut-off."""
    chain = two_classes_by_chain(rates, agents, 1.0)
    found = priority_waits(arrivals_per_hour=np.array(rates) * 3600, aht_s=1.0, agents=agents, target_s=0.0)
    for k in (0, 1):
        queue = sum(p * state[1 + k] for state, p in chain.items())
        assert found.asa_s[k] == pytest.approx(queue / rates[k], rel=2e-6)
    first, second = np.zeros(120), np.zeros(230)
    for (n, i, j), p in chain.items():
        if n == agents:
            first[i] += p
            second[i + j] += p
    for after in (0.1, 1.0, 4.0):
        level = priority_waits(arrivals_per_hour=np.array(rates) * 3600, aht_s=1.0, agents=agents, target_s=after)
        assert level.miss_prob[0] == pytest.approx(ahead_is_served(first, 0.0, agents, after), rel=1e-6)
        assert level.miss_prob[1] == pytest.approx(ahead_is_served(second, rates[0], agents, after), rel=1e-5)


def simulate(rates, agents, aht, tickets, seed):
    """Waits per class, event by event: the longest waiting ticket of the most urgent class goes first."""
    rng = np.random.default_rng(seed)
    came = np.cumsum(rng.exponential(1 / sum(rates), tickets))
    kind = rng.choice(len(rates), tickets, p=np.array(rates) / sum(rates))
    takes = rng.exponential(aht, tickets)
    queue, free, waits, i = [], [0.0] * agents, np.zeros(tickets), 0
    while i < tickets or queue:
        at = max(free[0], queue[0][2] if queue else came[i])
        while i < tickets and came[i] <= at:
            heapq.heappush(queue, (kind[i], i, came[i]))
            i += 1
        if not queue:
            continue
        at = max(free[0], min(arrived for *_, arrived in queue[:1]))
        _, ticket, arrived = heapq.heappop(queue)
        waits[ticket] = at - arrived
        heapq.heapreplace(free, at + takes[ticket])
    return [waits[tickets // 20 :][kind[tickets // 20 :] == k] for k in range(len(rates))]


def test_three_classes_wait_as_in_a_simulated_queue():
    """Share late, mean and p90 of each of three classes lie within four standard errors of an event simulation."""
    rates, agents = (1.0, 1.5, 1.0), 4
    waits = simulate(rates, agents, 1.0, 250_000, seed=3)
    found = priority_waits(arrivals_per_hour=np.array(rates) * 3600, aht_s=1.0, agents=agents, target_s=1.0)
    p90 = found.wait_quantile_s(0.9)
    for k, sample in enumerate(waits):
        for truth, figure in (
            (found.asa_s[k], sample),
            (found.miss_prob[k], sample > 1.0),
            (found.p_wait[k], sample > 0),
            (0.1, sample > p90[k]),
        ):
            means = np.asarray(figure[: len(figure) // 40 * 40], float).reshape(40, -1).mean(axis=1)
            error = means.std(ddof=1) / math.sqrt(40)
            assert abs(means.mean() - truth) < 4 * error
            assert error < 0.1 * truth


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 50), st.floats(0.05, 20), st.floats(0, 900), st.floats(0, 0.999))
def test_one_class_is_erlang_c(load, more, target, q):
    """A single class waits exactly as in M/M/c, tail and quantile included."""
    agents = load + more
    found = priority_waits(arrivals_per_hour=[load * 12], aht_s=300, agents=agents, target_s=target)
    load = load * 12 / 3600 * 300
    assert found.p_wait[0] == pytest.approx(erlang_c(load, agents), rel=1e-11)
    assert found.asa_s[0] == pytest.approx(mean_wait(load, agents, 300.0), rel=1e-10)
    assert found.miss_prob[0] == pytest.approx(wait_tail(load, agents, 300.0, target), rel=1e-9)
    assert found.wait_quantile_s(q)[0] == pytest.approx(wait_quantile(q, load, agents, 300.0), rel=1e-8, abs=1e-8)


@settings(max_examples=80, deadline=None)
@given(RATES, st.floats(0.05, 10))
def test_priorities_only_hand_waits_around(rates, more):
    """Kleinrock's law: with one mean handle time the mean over all tickets is that of first come first served."""
    load = sum(rates) / 12
    found = priority_waits(arrivals_per_hour=rates, aht_s=300, agents=load + more)
    assert found.total_asa_s == pytest.approx(mean_wait(load, load + more, 300.0), rel=1e-9)


@pytest.mark.parametrize(("above", "own"), [(0.3, 0.5), (0.5, 0.1), (0.95, 0.04), (0.25, 0.2500001), (0.01, 0.4)])
@pytest.mark.parametrize("after", [0.05, 1.0, 30.0, 150.0])
def test_tail_inverts_kella_and_yechiali(above, own, after):
    """Given a wait, its tail is the inverse of the transform (v−L)/(v−L+s+Λ(1−β(s))) at 30 digits, by Talbot's path."""
    with mpmath.workdps(30):
        v, up, upto = mpmath.mpf(1), mpmath.mpf(above), mpmath.mpf(above) + mpmath.mpf(own)

        def transform(s):
            root = mpmath.sqrt(v + up + s - 2 * mpmath.sqrt(v * up)) * mpmath.sqrt(v + up + s + 2 * mpmath.sqrt(v * up))
            busy = (v + up + s - root) / (2 * up)
            z = s + up * (1 - busy)
            return (1 - (v - upto) / (v - upto + z)) / s

        true = float(mpmath.invertlaplace(transform, after, method="talbot", degree=50))
    found = priority_waits(arrivals_per_hour=[above * 3600, own * 3600], aht_s=1.0, agents=1, target_s=after)
    assert found.miss_prob[1] / found.p_wait[1] == pytest.approx(true, rel=1e-10)


def test_mean_is_the_area_under_the_tail():
    """The mean wait of the lower class is the integral of its tail, by quadrature."""
    case = {"arrivals_per_hour": [30.0, 50.0], "aht_s": 300, "agents": 8}

    def late(t):
        return priority_waits(**case, target_s=t).miss_prob[1]

    area, _ = integrate.quad(late, 0, 20_000, limit=200)
    assert priority_waits(**case).asa_s[1] == pytest.approx(area, rel=1e-7)


@settings(max_examples=80, deadline=None)
@given(RATES, st.floats(-3, 6), st.floats(0, 600), st.floats(0, 3))
def test_urgent_is_never_slower_and_more_agents_never_hurt(rates, more, target, extra):
    """A more urgent class waits no longer and misses no more; agents only help; shares are shares."""
    agents = max(sum(rates) / 12 + more, 0.0)
    found = priority_waits(arrivals_per_hour=rates, aht_s=300, agents=[agents, agents + extra], target_s=target)
    assert ((found.service_level >= 0) & (found.service_level <= 1)).all()
    assert (found.asa_s[:, :-1] <= found.asa_s[:, 1:] * (1 + 1e-12)).all()
    assert (found.miss_prob[:, :-1] <= found.miss_prob[:, 1:] * (1 + 1e-10)).all()
    assert (found.miss_prob[1] <= found.miss_prob[0] * (1 + 1e-10)).all()
    assert (found.asa_s[1] <= found.asa_s[0] * (1 + 1e-10)).all()


def test_overloaded_lower_classes_leave_upper_ones_finite():
    """Where agents are always busy the first class is M/M/1 at c times the speed; the last one never ends."""
    found = priority_waits(arrivals_per_hour=[40.0, 80.0], aht_s=360, agents=10, target_s=60)
    assert found.stable.tolist() == [True, False]
    assert found.p_wait.tolist() == [1.0, 1.0]
    assert found.asa_s[0] == pytest.approx(36 / (1 - 0.4))
    assert found.miss_prob[0] == pytest.approx(math.exp(-60 * (10 / 360 - 40 / 3600)), rel=1e-12)
    assert (found.asa_s[1], found.service_level[1]) == (math.inf, 0)
    assert found.wait_quantile_s(0.5)[1] == math.inf
    assert found.total_asa_s == math.inf


def test_a_class_without_tickets_changes_nothing():
    """An empty class in between waits 0 and leaves the others as they are; nobody at all waits nowhere."""
    with_gap = priority_waits(arrivals_per_hour=[30.0, 0.0, 60.0], aht_s=300, agents=9)
    without = priority_waits(arrivals_per_hour=[30.0, 60.0], aht_s=300, agents=9)
    assert with_gap.asa_s[[0, 2]] == pytest.approx(without.asa_s, rel=1e-13)
    assert (with_gap.asa_s[1], with_gap.service_level[1], with_gap.p_wait[1]) == (0, 1, 0)
    empty = priority_waits(arrivals_per_hour=[0.0, 0.0], aht_s=300, agents=[0, 3])
    assert (empty.service_level == 1).all()
    assert (empty.total_asa_s == 0).all()


def test_the_first_reply_is_part_of_the_response():
    """A first reply of 20 s moves the limit from 60 to 40 s; one beyond the limit misses always."""
    case = {"arrivals_per_hour": [30.0, 60.0], "aht_s": 300, "agents": 9}
    with_reply = priority_waits(**case, target_s=60, first_reply_s=[20, 70]).miss_prob
    assert with_reply[0] == pytest.approx(priority_waits(**case, target_s=40).miss_prob[0], rel=1e-13)
    assert with_reply[1] == 1.0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.just(0.0) | st.floats(1e-9, 60), min_size=2, max_size=2), st.floats(60, 900))
def test_required_agents_are_the_smallest(rates, aht):
    """With the agents found every class meets its target, with one fewer the binding class does not."""
    targets = [Target.parse("90% in 30s"), Target.parse("mean 3m")]
    found = required_agents_by_class(arrivals_per_hour=rates, aht_s=aht, targets=targets)

    def meets(agents):
        waits = priority_waits(arrivals_per_hour=rates, aht_s=aht, agents=agents, target_s=[30, 180])
        return [waits.service_level[0] >= 0.9 - 1e-12, waits.asa_s[1] <= 180 * (1 + 1e-12)]

    assert all(meets(found.agents))
    if found.agents == 0:
        assert sum(rates) == 0
        assert found.binding == -1
    else:
        assert not meets(found.agents - 1)[found.binding]


def test_required_agents_over_intervals_are_those_of_each():
    """A day of intervals gives what each interval gives alone."""
    rates = np.array([[0.0, 0.0], [5.0, 0.0], [30.0, 60.0], [0.0, 200.0]])
    targets = ["90% in 30s", "80% in 10m"]
    day = required_agents_by_class(arrivals_per_hour=rates, aht_s=360, targets=targets)
    alone = [int(required_agents_by_class(arrivals_per_hour=r, aht_s=360, targets=targets).agents) for r in rates]
    assert day.agents.tolist() == alone
    assert day.waits.service_level.shape == (4, 2)


@pytest.mark.parametrize(("rates", "takes"), [((3.0, 5.0), (120, 240)), ((5.0, 3.0), (400, 100))])
def test_different_handle_times_at_one_agent_are_cobhams(rates, takes):
    """One agent, exponential handle times of two means: the solved chain over who is served and both queues agrees."""
    lam, mu = np.array(rates) / 3600, 1 / np.array(takes, float)
    # States: idle, or (class in service, queue 1, queue 2).
    n1, n2 = 40, 130
    index = {(k, i, j): 1 + (k * n1 + i) * n2 + j for k in (0, 1) for i in range(n1) for j in range(n2)}
    rows, columns, values = [], [], []

    def add(source, goal, rate):
        rows.extend([goal, source])
        columns.extend([source, source])
        values.extend([rate, -rate])

    for k in (0, 1):
        add(0, index[k, 0, 0], lam[k])
    for (k, i, j), here in index.items():
        if i + 1 < n1:
            add(here, index[k, i + 1, j], lam[0])
        if j + 1 < n2:
            add(here, index[k, i, j + 1], lam[1])
        add(here, index[0, i - 1, j] if i else index[1, 0, j - 1] if j else 0, mu[k])
    size = len(index) + 1
    balance = sparse.csr_matrix((values, (rows, columns)), shape=(size, size)).tolil()
    balance[0] = 1.0
    right = np.zeros(size)
    right[0] = 1.0
    chain = spsolve(balance.tocsc(), right)
    queues = [sum(chain[at] * state[1 + k] for state, at in index.items()) for k in (0, 1)]
    found = priority_means(arrivals_per_hour=rates, aht_s=takes, agents=1)
    assert found.exact
    assert found.asa_s == pytest.approx(np.array(queues) / lam, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(RATES, st.floats(-3, 6))
def test_equal_handle_times_are_exact_for_any_crew(rates, more):
    """With one exponential handle time the general means are those of the exact model, in overload too."""
    agents = max(sum(rates) / 12 + more, 0.5)
    found = priority_means(arrivals_per_hour=rates, aht_s=300, agents=agents)
    assert found.exact
    exact = priority_waits(arrivals_per_hour=rates, aht_s=300, agents=agents).asa_s
    assert found.asa_s == pytest.approx(exact, rel=1e-9)


def test_different_handle_times_of_several_agents_are_marked_as_approximate():
    """Several agents and two handle times: not exact, and both classes within the stated error of a simulation."""
    found = priority_means(arrivals_per_hour=[720.0, 720.0], aht_s=[5.0, 15.0], agents=5)
    assert not found.exact
    rng = np.random.default_rng(8)
    tickets = 200_000
    came, kind = np.cumsum(rng.exponential(2.5, tickets)), rng.integers(0, 2, tickets)
    takes = rng.exponential(1.0, tickets) * np.array([5.0, 15.0])[kind]
    queue, free, waits, i = [], [0.0] * 5, np.zeros(tickets), 0
    while i < tickets or queue:
        at = max(free[0], came[queue[0][1]] if queue else came[i])
        while i < tickets and came[i] <= at:
            heapq.heappush(queue, (kind[i], i))
            i += 1
        _, ticket = heapq.heappop(queue)
        start = max(free[0], came[ticket])
        waits[ticket] = start - came[ticket]
        heapq.heapreplace(free, start + takes[ticket])
    assert found.asa_s[0] == pytest.approx(waits[kind == 0].mean(), rel=0.14)
    assert found.asa_s[1] == pytest.approx(waits[kind == 1].mean(), rel=0.07)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: priority_waits(arrivals_per_hour=3.0, aht_s=300, agents=2), "`arrivals_per_hour` .* last axis"),
        (lambda: priority_waits(arrivals_per_hour=[3.0, -1], aht_s=300, agents=2), "`arrivals_per_hour` .* got -1.0"),
        (lambda: priority_waits(arrivals_per_hour=[3.0], aht_s=0, agents=2), "`aht_s` .* got 0.0"),
        (lambda: priority_waits(arrivals_per_hour=[3.0], aht_s=9, agents=math.nan), "`agents` .* got nan"),
        (lambda: priority_waits(arrivals_per_hour=[3.0], aht_s=9, agents=1).wait_quantile_s(95), "`q` must be a share"),
        (
            lambda: required_agents_by_class(arrivals_per_hour=[3.0, 1], aht_s=9, targets=["mean 60s"]),
            "`targets` must be one per class, here 2, got 1",
        ),
        (
            lambda: required_agents_by_class(
                arrivals_per_hour=[3.0], aht_s=9, targets=["80% in 20s"], first_reply_s=30
            ),
            "`first_reply_s` must be below",
        ),
    ],
)
def test_bad_input_is_named(call, says):
    """The error names the parameter, the value and the range."""
    with pytest.raises(InputError, match=says):
        call()
