import math
import warnings

import mpmath
import numpy as np
import pytest
from erlang_by_hand import batch_mean, erlang_b, erlang_b_sum, erlang_c, erlang_c_slow, relative_error, simulate_waits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import staffcast.erlang as er
from staffcast.contracts import InputError
from staffcast.erlang.models.formulas import _log_poisson

LOADS = st.floats(1e-3, 500)
AGENTS = st.integers(1, 600)

WHOLE = [
    (load, agents)
    for agents in (1, 2, 3, 5, 10, 15, 16, 17, 30, 100, 300, 1000, 3000, 10_000)
    for load in sorted({1.0, *(agents * ratio for ratio in (0.1, 0.5, 0.8, 0.95, 0.999, 1.0, 1.001, 1.05, 1.3, 3.0))})
]


def test_b_is_exact_on_a_grid_to_ten_thousand_agents():
    """Erlang B agrees with the incomplete gamma function at 50 digits to 1e-12, in overload and in the tails."""
    worst = 0.0
    for load, agents in WHOLE:
        true = erlang_b(load, agents)
        if true > 1e-300:
            worst = max(worst, relative_error(er.erlang_b(load, agents), true))
    assert worst < 1e-12


@pytest.mark.parametrize(
    ("load", "agents"), [(1.0, 150), (1e-3, 60), (20.0, 25), (300.0, 280), (9000.0, 10_000), (12_000.0, 10_000)]
)
def test_b_is_the_defining_sum(load, agents):
    """Erlang B is the Poisson sum of Erlang's 1917 paper, added up at 50 digits."""
    assert relative_error(er.erlang_b(load, agents), erlang_b_sum(load, agents)) < 1e-12


def test_b_between_whole_agents_is_exact():
    """For a real number of agents Erlang B is Jagerman's continuation, to 1e-12 against 50 digits."""
    rng = np.random.default_rng(7)
    agents = np.exp(rng.uniform(np.log(0.01), np.log(10_000), 80))
    load = agents * np.exp(rng.uniform(-1, 1, 80))
    found = er.erlang_b(load, agents)
    pairs = zip(found, load, agents, strict=True)
    errors = [relative_error(b, true) for b, a, n in pairs if (true := erlang_b(a, n)) > 1e-300]
    assert max(errors) < 1e-12


@pytest.mark.parametrize(("load", "agents"), [(2.0, 2.5), (0.7, 0.2), (40.0, 33.3)])
def test_b_is_jagermans_integral(load, agents):
    """1/B is the integral of load·e^(−load·t)·(1+t)^agents over t, by quadrature."""
    inverse, _ = integrate.quad(lambda t: load * math.exp(-load * t) * (1 + t) ** agents, 0, np.inf, epsabs=0)
    assert er.erlang_b(load, agents) == pytest.approx(1 / inverse, rel=1e-7)


def test_b_of_a_tiny_tail_is_tiny_but_not_nothing():
    """A load of 1 at 165 agents loses 1e-296 of its tickets: B stays exact until doubles end, then is 0."""
    assert relative_error(er.erlang_b(1.0, 165), erlang_b(1.0, 165)) < 1e-12
    assert er.erlang_b(1.0, 170) > 0
    assert er.erlang_b(1.0, 200) == 0.0


def test_c_is_exact_on_a_grid_to_ten_thousand_agents():
    """Erlang C agrees with 50 digits to 1e-12 wherever the queue is stable, also next to overload."""
    pairs = [(load, agents) for load, agents in WHOLE if load < agents] + [(9999.999, 10_000), (299.5, 299.6)]
    checked = [(er.erlang_c(a, n), true) for a, n in pairs if (true := erlang_c(a, n)) > 1e-300]
    assert max(relative_error(found, true) for found, true in checked) < 1e-12
    assert relative_error(er.erlang_c(9000.0, 10_000), erlang_c(9000.0, 10_000)) < 1e-12


@settings(max_examples=60, deadline=None)
@given(LOADS, st.integers(1, 300))
def test_c_is_the_recursion(load, agents):
    """Erlang C is what the recursion over agents gives, one by one."""
    assert er.erlang_c(load, agents) == pytest.approx(erlang_c_slow(load, agents), rel=1e-11, abs=1e-290)


def test_c_of_an_overloaded_queue_is_exactly_one():
    """With load at or above the agents everybody waits, whatever the size."""
    load = np.array([1.0, 3.0, 3.0000001, 1e4, 5.0])
    assert (er.erlang_c(load, [1, 3, 3, 9999, 0]) == 1.0).all()


def test_edges_of_b_and_c():
    """Without load nobody is lost or waits, with or without agents; with load and no agents everybody does."""
    assert er.erlang_b([0, 0, 2], [0, 5, 0]).tolist() == [0, 0, 1]
    assert er.erlang_c([0, 0, 2], [0, 5, 0]).tolist() == [0, 0, 1]


# D. Gross et al., "Fundamentals of Queueing Theory", 4th ed., 2008, section 2.3: the eye clinic, M/M/3 with load 2, has
# Lq = 8/9 and W = 28.9 min. T. Mitan, "The Erlang-C formula": 360 calls in half an hour of 4 min, 55 agents, 15 s gives
# 0.239, 8.2 s and 0.846. The loads for a loss of 1 % are those of the usual Erlang B tables.
def test_published_eye_clinic():
    """Three doctors, six patients an hour of 20 minutes: C = 4/9, Lq = 8/9, 28.9 minutes in the clinic."""
    assert er.erlang_c(2.0, 3) == pytest.approx(4 / 9, rel=1e-14)
    wait = er.mean_wait(2.0, 3, 1200.0)
    assert wait * 6 / 3600 == pytest.approx(8 / 9, rel=1e-14)
    assert round((wait + 1200) / 60, 1) == 28.9


def test_published_call_centre():
    """Load 48 at 55 agents of 4 minutes: 23.9 % wait, 8.2 s on average, 84.6 % within 15 s."""
    assert round(er.erlang_c(48.0, 55), 3) == 0.239
    assert round(er.mean_wait(48.0, 55, 240.0), 1) == 8.2
    assert round(1 - er.wait_tail(48.0, 55, 240.0, 15.0), 3) == 0.846


@pytest.mark.parametrize(("agents", "load"), [(5, 1.361), (10, 4.461), (20, 12.03), (50, 37.90), (100, 84.06)])
def test_published_loss_table(agents, load):
    """The tabulated loads lose 1 % within the last digit printed, by this route and by the defining sum."""
    assert er.erlang_b(load, agents) == pytest.approx(0.01, rel=1e-3)
    assert float(erlang_b_sum(load, agents)) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(("load", "agents", "after"), [(2.0, 3, 0.5), (8.0, 10, 0.2), (27.0, 30, 0.1)])
def test_waits_are_those_of_a_simulated_queue(load, agents, after):
    """Share waiting, share past a limit, mean and p90 lie within four standard errors of an event-by-event queue."""
    waits = simulate_waits(load, agents, 600_000, seed=11)
    for truth, sample in (
        (er.erlang_c(load, agents), waits > 0),
        (er.wait_tail(load, agents, 1.0, after), waits > after),
        (er.mean_wait(load, agents, 1.0), waits),
        (0.1, waits > er.wait_quantile(0.9, load, agents, 1.0)),
    ):
        mean, error = batch_mean(np.asarray(sample, float))
        assert abs(mean - truth) < 4 * error
        assert error < 0.08 * truth


@settings(max_examples=100, deadline=None)
@given(LOADS, AGENTS, st.floats(1, 3600), st.floats(0, 0.999))
def test_quantile_inverts_the_tail(load, agents, aht, q):
    """At the q quantile of the wait the tail is 1 − q, or nobody needs to wait that long."""
    at = er.wait_quantile(q, load, agents, aht)
    if load >= agents:
        assert at == math.inf
    elif at == 0:
        assert er.erlang_c(load, agents) <= (1 - q) * (1 + 1e-12)
    else:
        assert er.wait_tail(load, agents, aht, at) == pytest.approx(1 - q, rel=1e-9)


def test_mean_wait_is_the_area_under_the_tail():
    """The mean wait is the integral of the tail, by quadrature."""
    area, _ = integrate.quad(lambda t: er.wait_tail(7.5, 9, 300.0, t), 0, np.inf)
    assert er.mean_wait(7.5, 9, 300.0) == pytest.approx(area, rel=1e-8)


@settings(max_examples=100, deadline=None)
@given(LOADS, st.floats(0, 600), st.floats(0, 5))
def test_more_agents_never_hurt(load, agents, more):
    """B, C and the mean wait do not rise with the agents, whole or not."""
    for figure in (er.erlang_b, er.erlang_c, lambda a, n: er.mean_wait(a, n, 60.0)):
        assert figure(load, agents + more) <= figure(load, agents) * (1 + 1e-11)


@settings(max_examples=100, deadline=None)
@given(LOADS, st.floats(0, 600), st.floats(0, 5))
def test_more_load_never_helps(load, agents, more):
    """B, C and the mean wait do not fall with the load."""
    for figure in (er.erlang_b, er.erlang_c, lambda a, n: er.mean_wait(a, n, 60.0)):
        assert figure(load + more, agents) >= figure(load, agents) * (1 - 1e-11)


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_b_and_c_are_probabilities(load, agents):
    """B and C lie in [0, 1], are never NaN, and C is never below B."""
    b, c = er.erlang_b(load, agents), er.erlang_c(load, agents)
    assert 0 <= b <= c * (1 + 1e-12)
    assert c <= 1


def b_by_whole_numbers(load, agents):
    """Erlang B at 60 digits: sums of positive terms in whole numbers of 320 binary digits after the point."""
    one = 1 << 320
    with mpmath.workprec(400):
        a, n = mpmath.mpf(load), mpmath.mpf(agents)
        offered, left = int(mpmath.floor(a * one)), int(mpmath.floor(n * one))
        term = total = one
        if load <= agents or (load - agents) ** 2 < 120 * agents + 400:
            # 1/B = 1/p − load/(n + 1) − load²/((n + 1)(n + 2)) − …, p the Poisson probability of n.
            while term > total >> 230 or left < offered:
                left += one
                term = term * offered // left
                total += term
            poisson = mpmath.exp(n * mpmath.log(a) - a - mpmath.loggamma(n + 1))
            return 1 / (1 / poisson - mpmath.mpf(total - one) / one)
        while left >= one and term > total >> 230:  # 1/B = 1 + n/load + n(n − 1)/load² + … down to below one agent
            term = term * left // offered
            total += term
            left -= one
        if left < one:
            rest = mpmath.mpf(left) / one
            total += term * (mpmath.exp(a) * a ** (-rest) * mpmath.gammainc(rest + 1, a) - 1)
        return one / mpmath.mpf(total)


def c_and_conditions(load, agents, b):
    """Erlang C from a precise Erlang B, and |d ln f / d ln load| of both."""
    with mpmath.workprec(200):
        a, n = mpmath.mpf(load), mpmath.mpf(agents)
        free = n - a + a * b
        of_b = abs(free)
        of_c = abs(free - (a * b - a + a * b * free) / free) if load < agents else mpmath.mpf(0)
        return (n * b / free if load < agents else mpmath.mpf(1)), float(of_b), float(of_c)


def test_b_and_c_lose_nothing_up_to_a_million_agents():
    """B and C are within 3e-15 of 60 digits, or what that error in the load would do: any size, any load per agent."""
    rng = np.random.default_rng(3)
    wide = np.exp(rng.uniform(math.log(1e-3), math.log(1e6), 250))
    near = np.exp(rng.uniform(math.log(1e-2), math.log(1e6), 250))
    edges = np.array([1e-3, 0.5, 1, 2, 2.999, 3, 7, 11.999, 12, 15.999, 16, 40, 170, 171, 999.5, 1e4, 1e6])
    ratio = np.array([1e-3, 0.1, 0.5, 0.99, 1 - 1e-12, 1, np.nextafter(1, 2), 1.01, 1.2, 1.5999, 1.6, 1.6001, 3, 1e3])
    agents = np.concatenate([wide, near, np.repeat(edges, len(ratio)), edges])
    load = np.concatenate([
        wide * np.exp(rng.uniform(math.log(1e-3), math.log(1e3), 250)),
        np.abs(near + rng.uniform(-7, 7, 250) * np.sqrt(near)), np.outer(edges, ratio).ravel(), edges + 1,
    ])  # fmt: skip
    worst_b = worst_c = 0.0
    found = zip(load.tolist(), agents.tolist(), er.erlang_b(load, agents), er.erlang_c(load, agents), strict=True)
    for a, n, b, c in found:
        true_b = b_by_whole_numbers(a, n)
        true_c, of_b, of_c = c_and_conditions(a, n, true_b)
        if true_b < 1e-300:
            assert 0 <= b <= c < 1e-290
            continue
        worst_b = max(worst_b, relative_error(b, true_b) / max(1, of_b))
        worst_c = max(worst_c, relative_error(c, true_c) / max(1, of_c))
    assert worst_b < 3e-15
    assert worst_c < 3e-15


@pytest.mark.parametrize(("load", "agents"), [(20.0, 25), (0.5, 0.2), (5.0, 7.3), (60.0, 40), (9.0, 9)])
def test_whole_number_reference_is_right(load, agents):
    """The fast reference of the test above agrees with the incomplete gamma function of mpmath to 45 digits."""
    with mpmath.workdps(50):
        assert abs(b_by_whole_numbers(load, agents) / erlang_b(load, agents) - 1) < mpmath.mpf(10) ** -45


def test_b_and_c_have_no_step_where_the_method_changes():
    """Across the borders between the ways of computing, B and C move as little as their derivatives say."""
    for agents in (0.3, 2.0, 4.0, 11.999, 12.0, 15.999, 16.0, 120.0, 9000.0):
        for border in (agents + 1, agents, 1.6 * agents, agents + 2 * math.sqrt(agents) + 2):
            low, high = er.erlang_b([border * (1 - 1e-13), border * (1 + 1e-13)], agents)
            assert low == pytest.approx(high, rel=1e-11)
    for people, load in ((3, 2.4), (12, 10.0), (16, 12.0)):
        for figure in (er.erlang_b, er.erlang_c):
            assert figure(load, people - 1e-13) == pytest.approx(figure(load, float(people)), rel=1e-11)


def test_extremes_stay_probabilities():
    """From the smallest to the largest doubles B and C lie in [0, 1], B not above C, and nothing warns."""
    edge = np.array([
        0, 5e-324, 1e-310, 1e-300, 1e-100, 1e-16, 1e-3, 1 - 1e-16, 1, 1 + 2e-16, 3, 11.999, 12, 19.2, 170, 171, 1e3,
        1e8, 1e15, 1e17, 1e100, 1e155, 1e300, 1.79e308,
    ])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        b, c = er.erlang_b(edge[:, None], edge), er.erlang_c(edge[:, None], edge)
    assert ((b >= 0) & (b <= c * (1 + 1e-14)) & (c <= 1)).all()
    assert (b[1:, 0] == 1).all()
    assert (b[0] == 0).all()
    assert (np.diff(b, axis=0) >= -1e-15).all()
    assert (np.diff(c, axis=1) <= 1e-15).all()


def test_log_poisson_is_exact():
    """The logarithm of a Poisson probability is within 1e-14 of 50 digits, or of what that error in the load does."""
    rng = np.random.default_rng(4)
    agents = np.concatenate([np.exp(rng.uniform(math.log(1e-3), math.log(1e6), 300)), [1.0, 8.0, 15.999, 16.0, 1e6]])
    for load in (agents * np.exp(rng.uniform(-7, 7, len(agents))), agents * (1 + 1e-9), agents + np.sqrt(agents)):
        with mpmath.workdps(50):
            for a, n, found in zip(load.tolist(), agents.tolist(), _log_poisson(load, agents), strict=True):
                true = n * mpmath.log(mpmath.mpf(a)) - a - mpmath.loggamma(mpmath.mpf(n) + 1)
                assert abs(mpmath.mpf(float(found)) - true) < 1e-14 * max(1, abs(n - a))


def test_arrays_are_loops():
    """A grid of loads and agents gives what each pair gives alone; numbers give floats."""
    load, agents = np.array([[0.0], [0.5], [20.0], [400.0]]), np.array([0, 1, 15.5, 21, 390, 500])
    for figure in (er.erlang_b, er.erlang_c):
        grid = figure(load, agents)
        assert grid.shape == (4, 6)
        alone = [[figure(float(a), float(n)) for n in agents] for a in load[:, 0]]
        assert grid == pytest.approx(np.array(alone), rel=1e-13)
    assert er.erlang_c(np.linspace(900, 990, 3000), 1000)[::500] == pytest.approx(
        np.array([er.erlang_c(each, 1000.0) for each in np.linspace(900, 990, 3000)[::500]]), rel=1e-13
    )
    assert type(er.erlang_c(2, 3)) is float
    assert type(er.wait_quantile(0.9, 2, 3, 60)) is float


def test_b_of_poisson_is_its_conditional_probability():
    """B is the Poisson probability of the agents given at most that many, by scipy's distribution."""
    agents = np.arange(1, 40)
    assert er.erlang_b(17.0, agents) == pytest.approx(
        stats.poisson.pmf(agents, 17) / stats.poisson.cdf(agents, 17), rel=1e-11
    )


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: er.erlang_b(-1.0, 3), "`load_erl` must be finite and at least 0 erlang, got -1.0"),
        (lambda: er.erlang_c([1.0, math.nan], 3), "`load_erl` .* got nan"),
        (lambda: er.erlang_c(math.inf, 3), "`load_erl` .* got inf"),
        (lambda: er.erlang_c(1.0, [3, -2, -5]), "`agents` .* got -2.0"),
        (lambda: er.wait_tail(1.0, 3, 0.0, 60), "`aht_s` must be finite and above 0 s, got 0.0"),
        (lambda: er.wait_tail(1.0, 3, 60, -1), "`after_s` .* got -1.0"),
        (lambda: er.mean_wait(1.0, 3, math.nan), "`aht_s` .* got nan"),
        (lambda: er.wait_quantile(80, 1.0, 3, 60), "`q` must be a share .*write 80 % as 0.8"),
        (lambda: er.wait_quantile(1.0, 1.0, 3, 60), "`q` must be a share in"),
        (lambda: er.erlang_c("many", 3), "`load_erl` .* got 'many'"),
        (lambda: er.erlang_c([1, 2], [1, 2, 3]), r"`load_erl` \(2,\), `agents` \(3,\)"),
    ],
)
def test_bad_input_is_named(call, says):
    """The error names the parameter, the first bad value and the range."""
    with pytest.raises(InputError, match=says):
        call()
