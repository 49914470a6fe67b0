import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from staffcast.contracts import InputError
from staffcast.erlang.models.formulas import erlang_c, mean_wait, wait_quantile, wait_tail
from staffcast.erlang.models.general import cv2_of, general_wait, wait_factor

LOADS = st.floats(0.01, 60)
MORE = st.floats(0.05, 30)
CV2 = st.floats(0, 9)


def exponential(mean=1.0):
    return np.array([1.0]), np.array([[-1 / mean]])


def erlang2(mean=1.0):
    return np.array([1.0, 0.0]), np.array([[-2 / mean, 2 / mean], [0, -2 / mean]])


def hyper2(cv2, mean=1.0):
    """Hyperexponential of two phases with balanced means."""
    p = 0.5 * (1 + math.sqrt((cv2 - 1) / (cv2 + 1)))
    return np.array([p, 1 - p]), np.array([[-2 * p / mean, 0], [0, -2 * (1 - p) / mean]])


def queue_by_chain(arrivals, handling, agents, longest=400):
    """P(wait) and mean wait of PH/PH/m from its generator, cut off at ``longest`` in the system, level by level."""
    (a, T), (b, S) = arrivals, handling
    t, s, phases = -T.sum(1), -S.sum(1), len(b)

    def states(n):
        busy = min(n, agents)
        counts = [(busy,)] if phases == 1 else [(i, busy - i) for i in range(busy + 1)]
        return {state: i for i, state in enumerate(product(range(len(a)), counts))}

    def moved(counts, source, goal):
        new = list(counts)
        for phase, by in ((source, -1), (goal, 1)):
            if phase is not None:
                new[phase] += by
        return tuple(new)

    def blocks(n):
        here, above, below = states(n), states(n + 1), states(max(n - 1, 0))
        up, local, down = (np.zeros((len(here), len(x))) for x in (above, here, below))
        for (p, counts), i in here.items():
            for q in range(len(a)):
                if q != p:
                    local[i, here[q, counts]] += T[p, q]
                for k in range(phases) if n < agents else [None]:
                    up[i, above[q, moved(counts, None, k)]] += t[p] * a[q] * (1 if k is None else b[k])
            for k in range(phases):
                for j in range(phases):
                    if j != k and counts[k]:
                        local[i, here[p, moved(counts, k, j)]] += counts[k] * S[k, j]
                for j in (range(phases) if n > agents else [None]) if counts[k] else []:
                    down[i, below[p, moved(counts, k, j)]] += counts[k] * s[k] * (1 if j is None else b[j])
            local[i, i] = -(up[i].sum() + local[i].sum() + down[i].sum())
        return up, local, down

    kept = {n: blocks(n) for n in range(agents + 2)}

    def at(n):
        return kept[min(n, agents + 1)]

    rates = [np.zeros(0)] * longest
    up, local, _ = at(longest)
    local = local + np.diag(up.sum(1))  # what would come on top is lost
    rates[longest - 1] = at(longest - 1)[0] @ np.linalg.inv(-local)
    for n in range(longest - 2, -1, -1):
        rates[n] = at(n)[0] @ np.linalg.inv(-(at(n + 1)[1] + rates[n + 1] @ at(n + 2)[2]))
    values, vectors = np.linalg.eig((at(0)[1] + rates[0] @ at(1)[2]).T)
    levels = [np.real(vectors[:, np.argmin(abs(values))])]
    for n in range(longest):
        levels.append(levels[-1] @ rates[n])
    total = sum(level.sum() for level in levels)
    came = [sum(level[i] * t[p] for (p, _), i in states(n).items()) / total for n, level in enumerate(levels)]
    waiting = sum((n - agents) * level.sum() for n, level in enumerate(levels) if n > agents) / total
    return sum(came[agents:]) / sum(came), waiting / sum(came)


def crommelin(load, agents):
    """Mean wait in M/D/m in units of the handle time: Crommelin's series of Poisson tails."""
    i = np.arange(1, 20_000)
    tails = stats.poisson.sf(i * agents - 1, i * load) - stats.poisson.sf(i * agents, i * load) * agents / load
    return tails.sum()


@settings(max_examples=100, deadline=None)
@given(LOADS, MORE, st.floats(1, 3600), st.floats(0, 600), st.floats(0, 0.999))
def test_random_arrivals_and_exponential_handling_are_erlang_c(load, more, aht, target, q):
    """With both CV² at 1 every figure is the one of M/M/m."""
    agents = load + more
    found = general_wait(load_erl=load, agents=agents, aht_s=aht, target_s=target)
    assert found.factor == pytest.approx(1, rel=1e-14)
    assert found.p_wait == pytest.approx(erlang_c(load, agents), rel=1e-12)
    assert found.asa_s == pytest.approx(mean_wait(load, agents, aht), rel=1e-12, abs=1e-300)
    assert 1 - found.service_level == pytest.approx(wait_tail(load, agents, aht, target), rel=1e-9, abs=1e-15)
    assert found.wait_quantile_s(q) == pytest.approx(wait_quantile(q, load, agents, aht), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("cv2", [0.0, 0.3, 1.0, 2.5, 16.0])
@pytest.mark.parametrize("load", [0.1, 0.6, 0.95])
def test_one_agent_is_pollaczek_and_khinchine(cv2, load):
    """One agent and random arrivals wait λ·E[S²] ÷ 2(1 − ρ), with E[S²] of a gamma distribution by quadrature."""
    if cv2:
        shape = 1 / cv2
        density = stats.gamma(shape, scale=300 / shape)
        second = density.moment(2)
    else:
        second = 300.0**2
    true = load / 300 * second / (2 * (1 - load))
    for method in ("combined", "kimura", "allen_cunneen"):
        found = general_wait(load_erl=load, agents=1, aht_s=300, handle_cv2=cv2, method=method)
        assert found.asa_s == pytest.approx(true, rel=1e-12)


@pytest.mark.parametrize(("agents", "load"), [(2, 1.4), (5, 4.0), (10, 9.0), (25, 22.5), (50, 45.0), (50, 47.5)])
def test_constant_handle_times_are_close_to_crommelin(agents, load):
    """M/D/m is within 1.5 % of Crommelin's exact mean wait where load is 70 % of the agents or more."""
    true = crommelin(load, agents) / mean_wait(load, agents, 1.0)
    assert wait_factor(load_erl=load, agents=agents, handle_cv2=0) == pytest.approx(true, rel=0.015)


@pytest.mark.parametrize(
    ("cv2", "handling", "off"), [(0.5, erlang2(), 0.016), (2.0, hyper2(2.0), 0.046), (4.0, hyper2(4.0), 0.045)]
)
@pytest.mark.parametrize(("agents", "load"), [(2, 1.6), (5, 4.0), (10, 5.0), (10, 8.5)])
def test_random_arrivals_are_close_to_the_solved_chain(cv2, handling, off, agents, load):
    """For random arrivals the mean wait is within the error that the docstring states, P(wait) within 0.022."""
    p_wait, wait = queue_by_chain(exponential(1 / load), handling, agents)
    found = general_wait(load_erl=load, agents=agents, aht_s=1.0, handle_cv2=cv2)
    assert found.asa_s == pytest.approx(wait, rel=off)
    assert abs(found.p_wait - p_wait) < 0.022


@pytest.mark.parametrize(("cv2", "arrivals"), [(0.5, erlang2), (2.0, lambda mean: hyper2(2.0, mean))])
@pytest.mark.parametrize(("agents", "load"), [(2, 1.8), (5, 4.5), (10, 9.0)])
def test_other_arrivals_are_roughly_the_solved_chain(cv2, arrivals, agents, load):
    """At 90 % load regular and irregular arrivals wait as in the solved chain within 10 %, P(wait) within 0.035."""
    p_wait, wait = queue_by_chain(arrivals(1 / load), exponential(), agents)
    found = general_wait(load_erl=load, agents=agents, aht_s=1.0, arrival_cv2=cv2)
    assert found.asa_s == pytest.approx(wait, rel=0.10)
    assert abs(found.p_wait - p_wait) < 0.035


def test_the_chain_used_here_knows_the_published_clinic():
    """The chain itself gives M/M/3 with load 2 its P(wait) of 4/9, and E2/M/1 the root of its transform."""
    assert queue_by_chain(exponential(1 / 2), exponential(), 3) == pytest.approx((4 / 9, 4 / 9), rel=1e-9)
    sigma = optimize.brentq(lambda x: (1.6 / (1.6 + 1 - x)) ** 2 - x, 0, 1 - 1e-6)
    assert queue_by_chain(erlang2(1 / 0.8), exponential(), 1) == pytest.approx((sigma, sigma / (1 - sigma)), rel=1e-6)


def test_published_kimura_table():
    """Mean queues of M/G/5 in Kimura (1994), table 1, to the digits printed there: CV² 4, 1.5, 0.5 at 90, 70, 50 %."""
    load, cv2 = np.array([4.5, 3.5, 2.5]), np.array([[4.0], [1.5], [0.5]])
    factor = wait_factor(load_erl=load, agents=5, handle_cv2=cv2, method="kimura")
    printed = np.array([[16.26, 1.82, 0.23], [8.50, 1.06, 0.15], [5.19, 0.68, 0.10]])
    assert factor * mean_wait(load, 5, 1.0) * load == pytest.approx(printed, abs=0.06)


@pytest.mark.parametrize(
    ("ca2", "cs2", "agents", "load", "printed"),
    [(0, 1, 4, 3.6, 0.65), (2.25, 1, 4, 3.6, 0.85), (0.25, 1, 4, 3.6, 0.70), (0.5, 2, 4, 3.6, 0.76),
     (0, 2, 4, 3.6, 0.71), (9, 9, 4, 3.6, 0.86), (0.1, 0.5, 4, 3.6, 0.60), (0, 1, 20, 18.0, 0.31)],
)  # fmt: skip
def test_published_probabilities_of_waiting(ca2, cs2, agents, load, printed):
    """P(wait) is what Whitt (1993) prints for his approximation, within a digit of the last place."""
    found = general_wait(load_erl=load, agents=agents, aht_s=1.0, arrival_cv2=ca2, handle_cv2=cs2)
    assert abs(found.p_wait - printed) < 0.01


@settings(max_examples=150, deadline=None)
@given(LOADS, st.floats(-5, 30), CV2, CV2, st.floats(0, 900), st.sampled_from(["combined", "whitt", "allen_cunneen"]))
def test_figures_are_figures(load, more, ca2, cs2, target, method):
    """Shares lie in [0, 1], waits are not negative, nothing is NaN, overload is 1, 0 and inf."""
    agents = max(load + more, 0.0)
    found = general_wait(
        load_erl=load, agents=agents, aht_s=300, target_s=target, arrival_cv2=ca2, handle_cv2=cs2, method=method
    )
    assert 0 <= found.p_wait <= 1
    assert 0 <= found.service_level <= 1
    assert found.asa_s >= 0
    assert found.delay_cv2 >= 0
    if agents <= load:
        assert (found.p_wait, found.service_level, found.asa_s) == (1, 0, math.inf)
        assert found.wait_quantile_s(0.0) == math.inf


@settings(max_examples=100, deadline=None)
@given(LOADS, MORE, CV2, st.floats(0, 3), st.sampled_from(["combined", "whitt", "allen_cunneen"]))
def test_more_variable_arrivals_wait_longer(load, more, ca2, extra, method):
    """At exponential handle times the mean wait does not fall when arrivals get more irregular."""
    less, rest = wait_factor(load_erl=load, agents=load + more, arrival_cv2=[ca2, ca2 + extra], method=method)
    assert rest >= less * (1 - 1e-12)


@settings(max_examples=60, deadline=None)
@given(LOADS, MORE, st.floats(0, 6), st.floats(0, 6), st.floats(0, 0.99))
def test_quantile_inverts_the_service_level(load, more, ca2, cs2, q):
    """At the q quantile the service level is q, or more than that need not wait."""
    case = {"load_erl": load, "agents": load + more, "aht_s": 300, "arrival_cv2": ca2, "handle_cv2": cs2}
    at = general_wait(**case).wait_quantile_s(q)
    level = general_wait(**case, target_s=at).service_level
    assert level >= q - 1e-9
    assert at == 0 or level == pytest.approx(q, abs=1e-9)


@pytest.mark.parametrize("cs2", [0.0, 0.4, 3.0])
def test_mean_is_the_area_under_the_tail(cs2):
    """The mean wait is the integral of 1 − service level, by quadrature."""

    def late(t):
        return 1 - general_wait(load_erl=7.5, agents=9, aht_s=1.0, target_s=t, handle_cv2=cs2).service_level

    area, _ = integrate.quad(late, 0, 40, limit=200)
    assert general_wait(load_erl=7.5, agents=9, aht_s=1.0, handle_cv2=cs2).asa_s == pytest.approx(area, rel=1e-6)


def test_a_metronome_with_constant_handle_times_never_waits():
    """D/D/m below full load: nobody waits."""
    found = general_wait(load_erl=[0.0, 9.0], agents=10, aht_s=300, arrival_cv2=0, handle_cv2=0)
    assert found.asa_s.tolist() == [0, 0]
    assert found.service_level.tolist() == [1, 1]


def test_arrays_are_loops():
    """A grid of CV² gives what each pair gives alone."""
    ca2, cs2 = np.array([[0.0], [1.0], [3.0]]), np.array([0.0, 1.0, 2.0, 3.0])
    grid = general_wait(load_erl=8.0, agents=10, aht_s=60, arrival_cv2=ca2, handle_cv2=cs2)
    for i, j in product(range(3), range(4)):
        alone = general_wait(load_erl=8.0, agents=10, aht_s=60, arrival_cv2=ca2[i, 0], handle_cv2=cs2[j])
        assert grid.service_level[i, j] == pytest.approx(alone.service_level, rel=1e-13)
        assert grid.wait_quantile_s(0.9)[i, j] == pytest.approx(alone.wait_quantile_s(0.9), rel=1e-12)


def test_measured_cv2_is_within_its_standard_error():
    """Over 300 logs of gamma handle times the CV² is right on average and its stated error is its spread."""
    rng = np.random.default_rng(5)
    found = [cv2_of(rng.gamma(2.0, 150.0, 2000)) for _ in range(300)]
    values = np.array([each.cv2 for each in found])
    spread = values.std(ddof=1)
    assert abs(values.mean() - 0.5) < 4 * spread / math.sqrt(300) + 0.5 * 6 / 2000  # the bias is of order 1/n
    assert np.mean([each.standard_error for each in found]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: wait_factor(load_erl=1, agents=2, handle_cv2=-1), "`handle_cv2` must be finite and at least 0"),
        (lambda: wait_factor(load_erl=1, agents=2, arrival_cv2=math.nan), "`arrival_cv2` .* got nan"),
        (lambda: wait_factor(load_erl=1, agents=2, arrival_cv2=2, method="kimura"), "`arrival_cv2` must be 1 for"),
        (lambda: wait_factor(load_erl=1, agents=2, method="best"), "`method` must be one of combined"),
        (lambda: general_wait(load_erl=1, agents=2, aht_s=0), "`aht_s` must be finite and above 0 s"),
        (lambda: cv2_of([1.0, 2.0]), "`seconds` must be at least 30 times, got '2 of them'"),
        (lambda: cv2_of(np.zeros(50)), "`seconds` must be not all 0"),
        (lambda: cv2_of([-1.0] * 50), "`seconds` must be finite and at least 0 s, got -1.0"),
    ],
)
def test_bad_input_is_named(call, says):
    """The error names the parameter, the value and the range."""
    with pytest.raises(InputError, match=says):
        call()
