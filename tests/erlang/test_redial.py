import math

import mpmath
import numpy as np
import pytest
from erlang_by_hand import erlang_b
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import InputError
from staffcast.erlang.models.redial import attempts

AGENTS = st.integers(1, 40)
PER_AGENT = st.floats(0.05, 3)
REDIAL = st.floats(0, 0.99)
PATIENCE = st.floats(0.01, 20)


def gives_up_slow(rate, agents, patience):
    """P(gives up) in Erlang A by adding up its states one by one from the most likely down; handle times are 1."""
    drain = agents
    weights, total_queue = [1.0], 0.0
    for n in range(1, agents + 1):
        weights.append(weights[-1] * rate / n)
        if weights[-1] > 1e200:
            weights = [w / 1e200 for w in weights]
    norm, term, waiting = sum(weights) / weights[-1], 1.0, 0
    while term > 1e-18 * norm or drain + waiting / patience < rate:
        waiting += 1
        term *= rate / (drain + waiting / patience)
        norm += term
        total_queue += waiting * term
        if norm > 1e200:
            norm, term, total_queue = norm / 1e200, term / 1e200, total_queue / 1e200
    return total_queue / patience / rate / norm


def erlang_a(agents, patience):
    """The slow loop over arrays."""
    return lambda rates: np.array([gives_up_slow(r, agents, patience) if r > 0 else 0.0 for r in rates])


def gives_up_precise(rate, agents, patience):
    """P(gives up) in Erlang A at the working precision, from the balance equations."""
    head = [mpmath.mpf(1)]
    for n in range(1, agents + 1):
        head.append(head[-1] * rate / n)
    term, norm, queue, waiting = head[-1], mpmath.fsum(head), mpmath.mpf(0), 0
    while term > norm * mpmath.mpf(10) ** -60 or waiting < 10:
        waiting += 1
        term *= rate / (agents + waiting / mpmath.mpf(patience))
        norm += term
        queue += waiting * term
    return queue / patience / rate / norm


@pytest.mark.parametrize(
    ("agents", "fresh", "patience", "redial"),
    [
        (1, 0.5, 1.0, 0.5),
        (5, 6.0, 0.5, 0.9),
        (10, 4.0, 2.0, 0.3),
        (10, 9.9, 2.0, 1.0),
        (20, 60.0, 0.1, 0.7),
        (3, 2.9, 30.0, 0.99),
    ],
)
def test_attempts_solve_the_equation_at_fifty_digits(agents, fresh, patience, redial):
    """The attempts are the root of L = fresh + redial·L·P(L), by bisection at 50 digits with states summed exactly."""
    with mpmath.workdps(50):
        r, f = mpmath.mpf(redial), mpmath.mpf(fresh)
        low, high = f, f / (1 - r) if redial < 1 else 100 * f
        for _ in range(75):
            middle = (low + high) / 2
            short = middle * (1 - r * gives_up_precise(middle, agents, patience)) < f
            low, high = (middle, high) if short else (low, middle)
        true = float(low)
    found = attempts(np.array([fresh]), np.array([redial]), erlang_a(agents, patience), np.array([float(agents)]))
    assert found[0] == pytest.approx(true, rel=2e-13)


@settings(max_examples=60, deadline=None)
@given(AGENTS, PER_AGENT, PATIENCE, REDIAL)
def test_customers_are_served_or_lost(agents, per_agent, patience, redial):
    """Fresh = answered + given up for good, with L·(1 − P) answered and L·P·(1 − redial) given up."""
    fresh, gives_up = agents * per_agent, erlang_a(agents, patience)
    rate = attempts([fresh], [redial], gives_up, [agents])
    share = gives_up(rate)
    assert rate * (1 - share) + rate * share * (1 - redial) == pytest.approx(fresh, rel=1e-12)
    assert fresh <= rate[0] * (1 + 1e-15)
    assert rate[0] <= fresh / (1 - redial) * (1 + 1e-15)


@settings(max_examples=60, deadline=None)
@given(AGENTS, PER_AGENT, PATIENCE)
def test_without_redials_attempts_are_the_fresh(agents, per_agent, patience):
    """Where nobody tries again there is one attempt for each customer, exactly."""
    fresh = agents * per_agent
    assert attempts([fresh], [0.0], erlang_a(agents, patience), [agents]) == fresh


@settings(max_examples=60, deadline=None)
@given(AGENTS, PER_AGENT, PATIENCE, REDIAL, st.floats(1, 3), st.floats(0, 1))
def test_attempts_rise_with_customers_and_redials(agents, per_agent, patience, redial, factor, toward):
    """More customers, or more of them trying again, make more attempts; a longer patience fewer."""
    fresh, gives_up = agents * per_agent, erlang_a(agents, patience)
    base, more, again = attempts(
        [fresh, fresh * factor, fresh], [redial, redial, redial + (0.99 - redial) * toward], gives_up, [agents] * 3
    )
    assert base <= more * (1 + 1e-12)
    assert base <= again * (1 + 1e-12)
    assert attempts([fresh], [redial], erlang_a(agents, patience * factor), [agents])[0] <= base * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(0, 0.999))
def test_a_quadratic_is_solved(fresh, redial):
    """With one agent and no patience P = L/(1 + L), and L solves (1 − redial)·L² + (1 − fresh)·L − fresh = 0."""
    with mpmath.workdps(60):
        keep, f = 1 - mpmath.mpf(redial), mpmath.mpf(fresh)
        root = ((f - 1) + mpmath.sqrt((1 - f) ** 2 + 4 * keep * f)) / (2 * keep)
    found = attempts(fresh, redial, lambda rate: rate / (1 + rate), 1.0)
    assert found.shape == ()
    # One rounding in P moves L by this much.
    roundings = max(1.0, 0.5 * redial / (1 - redial)) if fresh > 0.5 else 1.0
    assert float(found) == pytest.approx(float(root), rel=1e-14 * (1 + roundings))


def test_all_trying_for_ever_are_served_up_to_the_drain():
    """With redial 1 all are answered in the end, L·(1 − P) is fresh; from the drain on there is no rate at all."""
    agents = 6
    gives_up = erlang_a(agents, 0.4)
    fresh = np.array([0.0, 0.1, 3.0, 5.9, 5.9999, 6.0, 6.1, 600.0])
    found = attempts(fresh, 1.0, gives_up, float(agents))
    assert found[0] == 0
    assert np.isinf(found[5:]).all()
    assert found[1:5] * (1 - gives_up(found[1:5])) == pytest.approx(fresh[1:5], rel=1e-12)


def test_a_single_agent_who_is_called_for_ever():
    """With no patience, one agent and redial 1, L = fresh ÷ (1 − fresh): 999 attempts for 0.999 of the drain."""
    fresh = np.array([0.5, 0.9, 0.999])
    found = attempts(fresh, 1.0, lambda rate: rate / (1 + rate), 1.0)
    assert found == pytest.approx(fresh / (1 - fresh), rel=1e-9)


def test_without_a_drain_those_beyond_it_may_be_lost_otherwise():
    """Where at most one waits and others are turned away for good, even redial 1 beyond the drain has a solution."""
    # Those who give up number theta·P(one waits) a second at most, so L = fresh + that.
    found = attempts([50.0], [1.0], lambda rate: 0.5 / rate, math.inf)
    assert found[0] == pytest.approx(50.5, rel=1e-14)
    assert attempts([50.0], [1.0], lambda rate: 0.5 / rate, 1.0)[0] == math.inf


def test_no_solution_is_found_to_be_none():
    """Where all give up and all come back there is no rate at all, also when no drain says so beforehand."""
    assert attempts([2.0], [1.0], np.ones_like).tolist() == [math.inf]
    assert attempts([2.0], [0.5], np.ones_like) == pytest.approx(4.0, rel=1e-15)
    assert attempts([2.0], [1.0], np.zeros_like).tolist() == [2.0]


def test_erlang_b_with_redials_is_its_own_fixed_point():
    """Repeated calls of a loss system (Erlang B, all lost calls of a share come back) are where iteration ends, too."""
    agents, fresh, redial = 10, 9.0, 0.6
    rate = fresh
    for _ in range(400):
        rate = fresh + redial * rate * float(erlang_b(rate, agents))
    found = attempts([fresh], [redial], lambda rates: np.array([float(erlang_b(r, agents)) for r in rates]), [agents])
    assert found[0] == pytest.approx(rate, rel=1e-12)


def test_arrays_are_loops_and_each_element_has_its_own_queue():
    """The callable is asked for all elements at once, in order, and each gets what it gets alone."""
    agents = np.array([1, 3, 10, 3])
    fresh = np.array([[0.5], [2.5]]) * np.array([1.0, 1.0, 3.0, 0.0])
    redial = np.array([0.2, 0.9, 0.5, 0.9])
    asked = []

    def gives_up(rates):
        asked.append(rates.shape)
        return np.array(
            [gives_up_slow(r, n, 0.7) if r > 0 else 0.0 for r, n in zip(rates, [*agents, *agents], strict=True)]
        )

    found = attempts(fresh, redial, gives_up, agents)
    assert found.shape == (2, 4)
    assert set(asked) == {(8,)}
    for i in range(2):
        for j in range(4):
            alone = attempts(fresh[i, j], redial[j], erlang_a(int(agents[j]), 0.7), agents[j])
            assert found[i, j] == pytest.approx(float(alone), rel=1e-13)


def test_few_calls_are_enough():
    """A plain case asks for the probability at most 20 times, one without redials never."""
    calls = []

    def counted(rates):
        calls.append(1)
        return erlang_a(10, 1.0)(rates)

    attempts(np.linspace(1, 30, 60), 0.5, counted, 10.0)
    assert len(calls) <= 20
    calls.clear()
    attempts(np.linspace(1, 30, 60), 0.0, counted, 10.0)
    assert not calls


def test_nothing_at_all():
    """No elements give no elements, and no customers no attempts."""
    assert attempts(np.empty(0), np.empty(0), np.zeros_like, np.empty(0)).shape == (0,)
    assert attempts(0.0, 1.0, np.ones_like, 0.0) == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: attempts(-1.0, 0.5, np.zeros_like), "`fresh` must be finite and at least 0 per s, got -1.0"),
        (lambda: attempts(1.0, 1.5, np.zeros_like), r"`redial` must be a share in \[0, 1\], got 1.5"),
        (lambda: attempts(1.0, math.nan, np.zeros_like), "`redial` .* got nan"),
        (lambda: attempts(1.0, 0.5, np.zeros_like, -3.0), "`drain` .* got -3.0"),
        (lambda: attempts(1.0, 0.5, np.zeros_like, math.nan), "`drain` .* got nan"),
        (lambda: attempts(1.0, 0.5, lambda rate: rate + 1), r"`abandon_of` .*probabilities in \[0, 1\], got 2.0"),
        (lambda: attempts(1.0, 0.5, lambda rate: rate * math.nan), "`abandon_of` .* got nan"),
        (lambda: attempts([1.0, 2.0], [0.1, 0.2, 0.3], np.zeros_like), r"`fresh` \(2,\), `redial` \(3,\)"),
    ],
)
def test_bad_input_is_named(call, says):
    """The error names the parameter, the first bad value and the range."""
    with pytest.raises(InputError, match=says):
        call()
