import dataclasses
import math

import numpy as np
import pytest
from erlang_by_hand import batch_mean, erlang_c, relative_error, simulate_waits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from staffcast.contracts import InputError
from staffcast.erlang import erlang_c as fast_c
from staffcast.erlang import performance, wait_tail

RESULTS = ("load_erl", "p_wait", "service_level", "miss_prob", "asa_s", "frt_mean_s", "occupancy", "mean_queue")
CVS = st.sampled_from([0.0, 1e-4, 0.05, 0.2, 0.7, 2.0])


def figures(**given):
    found = performance(**given)
    return {name: getattr(found, name) for name in RESULTS} | {"p90": found.frt_quantile_s(0.9)}


def test_figures_of_a_known_queue_are_those_of_50_digits():
    """With a known rate each figure is its textbook formula on the 50-digit Erlang C."""
    found = performance(arrivals_per_hour=90, aht_s=360, agents=11, target_s=60, first_reply_s=20)
    c = erlang_c(9.0, 11)
    assert relative_error(found.p_wait, c) < 1e-13
    assert relative_error(found.miss_prob, c * math.exp(-2 * 40 / 360)) < 1e-13
    assert relative_error(found.asa_s, c * 360 / 2) < 1e-13
    assert found.frt_mean_s == found.asa_s + 20
    assert found.occupancy == pytest.approx(9 / 11, rel=1e-15)
    assert found.mean_queue == pytest.approx(90 / 3600 * float(found.asa_s), rel=1e-14)
    assert found.wait_quantile_s(0.9) == pytest.approx(float(180 * math.log(c / 0.1)), rel=1e-12)
    assert found.frt_quantile_s([0.1, 0.9]).tolist() == [20, 20 + float(found.wait_quantile_s(0.9))]


def test_miss_keeps_its_precision_where_the_service_level_is_one():
    """A miss of 1e-30 is still exact to 1e-11 although the service level rounds to 1."""
    found = performance(arrivals_per_hour=360, aht_s=100, agents=40, target_s=60)
    true = erlang_c(10.0, 40) * math.e ** (-30 * 0.6)
    assert found.miss_prob < 1e-18
    assert relative_error(found.miss_prob, true) < 1e-11
    assert found.service_level == 1.0


def test_overload():
    """At load ≥ agents everybody waits for ever and agents are never idle; also with no agents at all."""
    found = performance(arrivals_per_hour=60, aht_s=180, agents=[3, 2, 0])
    for name, value in {
        "p_wait": 1,
        "service_level": 0,
        "miss_prob": 1,
        "asa_s": math.inf,
        "frt_mean_s": math.inf,
    }.items():
        assert (getattr(found, name) == value).all()
    assert (found.occupancy == 1).all()
    assert (found.mean_queue == math.inf).all()
    assert (found.wait_quantile_s(0.5) == math.inf).all()


@pytest.mark.parametrize("cv", [0.0, 0.3])
def test_no_demand(cv):
    """Without demand nobody waits and nobody is busy, with agents or without."""
    found = performance(arrivals_per_hour=0, aht_s=180, agents=[0, 5], first_reply_s=7, rate_cv=cv)
    assert (found.p_wait == 0).all()
    assert (found.service_level == 1).all()
    assert (found.asa_s == 0).all()
    assert (found.frt_mean_s == 7).all()
    assert (found.occupancy == 0).all()
    assert (found.mean_queue == 0).all()
    assert (found.frt_quantile_s(0.99) == 7).all()


def test_a_reply_longer_than_the_target_always_misses():
    """FRT is wait + first reply: a reply as long as the target serves those who need not wait, a longer one nobody."""
    found = performance(arrivals_per_hour=90, aht_s=360, agents=12, target_s=60, first_reply_s=[60, 60.1])
    assert found.miss_prob[0] == found.p_wait[0]
    assert found.miss_prob[1] == 1


def test_occupancy_and_queue_are_those_of_a_simulated_queue():
    """Mean queue by Little's law and the service level lie within four standard errors of an event-by-event queue."""
    waits = simulate_waits(18.0, 20, 400_000, seed=3)
    found = performance(arrivals_per_hour=18 * 12, aht_s=300, agents=20, target_s=45, first_reply_s=15)
    for truth, sample in ((found.service_level, waits <= 0.1), (found.mean_queue, waits * 18)):
        mean, error = batch_mean(np.asarray(sample, float))
        assert abs(mean - float(truth)) < 4 * error


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 300), st.integers(0, 400), st.floats(0, 600), CVS)
def test_one_more_agent_never_hurts(load, agents, target, cv):
    """Waiting, missing, mean wait, p90 and occupancy do not rise when an agent is added, whatever the rate's spread."""
    few, more = (
        figures(arrivals_per_hour=12 * load, aht_s=300, agents=n, target_s=target, rate_cv=cv)
        for n in (agents, agents + 1)
    )
    for name in ("p_wait", "miss_prob", "asa_s", "p90", "occupancy"):
        assert more[name] <= few[name] * (1 + 1e-6) + (2e-4 if cv else 0), name


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 300), st.floats(0, 10), st.integers(0, 400), CVS)
def test_more_load_never_helps(load, extra, agents, cv):
    """Waiting, missing, mean wait and occupancy do not fall with the load, whatever the rate's spread."""
    less, more = (figures(arrivals_per_hour=12 * a, aht_s=300, agents=agents, rate_cv=cv) for a in (load, load + extra))
    for name in ("p_wait", "miss_prob", "asa_s", "occupancy"):
        assert more[name] >= less[name] * (1 - 1e-6) - (2e-4 if cv else 0), name


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 300), st.integers(0, 400), st.floats(0, 60), CVS)
def test_minutes_or_seconds_is_the_same(load, agents, reply, cv):
    """All times × 60 and rates ÷ 60 leave the shares as they are and multiply the waits by 60."""
    plain = figures(arrivals_per_hour=720 * load, aht_s=5, agents=agents, target_s=60, first_reply_s=reply, rate_cv=cv)
    slow = figures(
        arrivals_per_hour=12 * load, aht_s=300, agents=agents, target_s=3600, first_reply_s=60 * reply, rate_cv=cv
    )
    for name in ("p_wait", "miss_prob", "service_level", "occupancy"):
        assert slow[name] == pytest.approx(plain[name], rel=1e-7), name
    for name in ("asa_s", "frt_mean_s", "p90"):
        assert slow[name] == pytest.approx(60 * plain[name], rel=1e-6), name


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0, 1e5), st.floats(1e-2, 1e5), st.floats(0, 2e4), st.floats(0, 1e5), st.floats(0, 1e3),
    st.one_of(st.just(0.0), st.floats(0, 10)),
)  # fmt: skip
def test_shares_stay_in_zero_to_one_and_nothing_is_nan(rate, aht, agents, target, reply, cv):
    """Whatever comes, shares lie in [0, 1], times are not negative, and nothing is NaN."""
    found = figures(arrivals_per_hour=rate, aht_s=aht, agents=agents, target_s=target, first_reply_s=reply, rate_cv=cv)
    assert not any(np.isnan(value) for value in found.values())
    assert all(0 <= found[name] <= 1 for name in ("p_wait", "service_level", "miss_prob", "occupancy"))
    assert all(found[name] >= 0 for name in found)


def test_arrays_are_loops():
    """A table of known and uncertain rates in one call gives what each row gives alone."""
    rows = {
        "arrivals_per_hour": np.array([[0.0], [10.0], [90.0], [1200.0]]),
        "aht_s": 360.0,
        "agents": np.array([0, 1, 11, 130.5]),
        "first_reply_s": np.array([[0.0], [10.0], [20.0], [30.0]]),
        "rate_cv": np.array([0.0, 0.1, 0.0, 0.4]),
    }
    together = performance(**rows)
    table = np.broadcast_arrays(*rows.values())
    for at in np.ndindex(4, 4):
        alone = performance(**{name: float(column[at]) for name, column in zip(rows, table, strict=True)})
        for field in dataclasses.fields(together):
            assert getattr(together, field.name)[at] == pytest.approx(getattr(alone, field.name), rel=1e-12)
        assert together.frt_quantile_s(0.9)[at] == pytest.approx(float(alone.frt_quantile_s(0.9)), rel=1e-9)
    assert together.wait_quantile_s(np.array([0.5, 0.9])[:, None, None]).shape == (2, 4, 4)


def test_a_certain_rate_is_the_limit_of_an_uncertain_one():
    """As the rate's spread goes to 0 every figure goes to that of the known rate."""
    plain = figures(arrivals_per_hour=1200, aht_s=300, agents=108, target_s=20)
    for cv, within in ((1e-9, 0), (2e-6, 2e-8), (1e-4, 1e-5), (1e-3, 1e-3)):
        spread = figures(arrivals_per_hour=1200, aht_s=300, agents=108, target_s=20, rate_cv=cv)
        for name in RESULTS:
            # A mean leaves out the highest rates, which moves it by a part of the spread itself.
            slack = max(within, cv) if name in ("asa_s", "frt_mean_s", "mean_queue") else within
            assert spread[name] == pytest.approx(plain[name], rel=slack), (name, cv)


@pytest.mark.parametrize("cv", [0.05, 0.1, 0.3, 1.0])
@pytest.mark.parametrize(
    ("load", "agents", "target"), [(4.0, 6, 60), (100.0, 108, 20), (100.0, 130, 20), (1000.0, 1030, 60)]
)
def test_an_uncertain_rate_is_the_mixture_over_sampled_rates(load, agents, target, cv):
    """Shares over tickets, occupancy over time: within four standard errors of 40,000 sampled gamma rates."""
    rate = np.random.default_rng(5).gamma(1 / cv**2, cv**2, 40_000)
    found = performance(arrivals_per_hour=12 * load, aht_s=300, agents=agents, target_s=target, rate_cv=cv)
    waits, busy = fast_c(load * rate, agents), np.minimum(load * rate, agents) / agents
    late = wait_tail(load * rate, agents, 300, target)
    p90 = float(found.wait_quantile_s(0.9))
    past = wait_tail(load * rate, agents, 300, p90) if np.isfinite(p90) else None
    for truth, sample in ((found.p_wait, waits), (found.miss_prob, late), (0.1, past if p90 > 0 else None)):
        if sample is not None:
            error = np.std(rate * (sample - np.average(sample, weights=rate))) / np.sqrt(len(rate))
            assert abs(np.average(sample, weights=rate) - truth) < 4 * error + 1e-4
    assert abs(busy.mean() - found.occupancy) < 4 * busy.std() / np.sqrt(len(rate))


@pytest.mark.parametrize("cv", [0.02, 0.1, 0.5, 2.0])
@pytest.mark.parametrize(
    ("load", "agents"), [(0.3, 1), (3.0, 4), (30.0, 33), (300.0, 310), (1000.0, 1000), (9000.0, 9400)]
)
@pytest.mark.parametrize("target", [0, 60, 3600])
def test_an_uncertain_rate_is_brute_force(load, agents, target, cv):
    """The service level is within 2e-4 of the average over 20,000 rates of equal probability, weighted by tickets."""
    rate = special.gammaincinv(1 / cv**2, (np.arange(20_000) + 0.5) / 20_000) * cv**2
    brute = np.average(wait_tail(load * rate, agents, 300, target), weights=rate)
    found = performance(arrivals_per_hour=12 * load, aht_s=300, agents=agents, target_s=target, rate_cv=cv)
    assert abs(float(found.miss_prob) - brute) < 2e-4


def test_an_uncertain_rate_breaks_the_plain_plan():
    """A spread of 10 % at 100 erlang turns the 80.7 % of 108 agents into 59.6 %."""
    found = performance(arrivals_per_hour=1200, aht_s=300, agents=108, target_s=20, rate_cv=[0.0, 0.1])
    assert found.service_level.round(3).tolist() == [0.807, 0.596]


def test_mean_wait_of_an_uncertain_rate():
    """Leaving out the 0.1 % of tickets at the highest rates it is brute force to 0.5 %; inf if those overload it."""
    cv, k = 0.1, 100.0
    rate = special.gammaincinv(k + 1, (np.arange(40_000) + 0.5) / 40_000 * 0.999) / k
    for agents in (136, 140, 150):
        found = performance(arrivals_per_hour=1200, aht_s=300, agents=agents, rate_cv=cv)
        brute = np.mean(fast_c(100 * rate, agents) * 300 / (agents - 100 * rate))
        assert float(found.asa_s) == pytest.approx(brute, rel=5e-3)
    assert performance(arrivals_per_hour=1200, aht_s=300, agents=130, rate_cv=cv).asa_s == math.inf


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"arrivals_per_hour": -1}, "`arrivals_per_hour` must be finite and at least 0 per hour, got -1.0; give 0"),
        ({"arrivals_per_hour": [1, math.nan]}, "`arrivals_per_hour` .* got nan"),
        ({"arrivals_per_hour": math.inf}, "`arrivals_per_hour` .* got inf"),
        ({"aht_s": 0}, "`aht_s` must be finite and above 0 s, got 0.0"),
        ({"aht_s": None}, "`aht_s` .* got nan"),
        ({"agents": -1}, "`agents` .* got -1.0"),
        ({"target_s": -1}, "`target_s` .* got -1.0"),
        ({"first_reply_s": math.nan}, "`first_reply_s` .* got nan"),
        ({"rate_cv": [0.1, -0.1]}, "`rate_cv` must be finite and at least 0, got -0.1"),
        ({"agents": [1, 2], "aht_s": [1, 2, 3]}, r"`aht_s` \(3,\), `agents` \(2,\)"),
    ],
)
def test_bad_input_is_named(wrong, says):
    """The error names the parameter, the first bad value and the range."""
    with pytest.raises(InputError, match=says):
        performance(**{"arrivals_per_hour": 90, "aht_s": 360, "agents": 11} | wrong)


def test_a_percentile_written_as_percent_is_refused():
    """A quantile of 95 is answered with 0.95."""
    with pytest.raises(InputError, match=r"`q` must be .* got 95.0; write 95 % as 0.95"):
        performance(arrivals_per_hour=90, aht_s=360, agents=11).frt_quantile_s(95)
