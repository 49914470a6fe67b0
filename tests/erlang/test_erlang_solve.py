import dataclasses
import math
import time

import numpy as np
import pytest
from erlang_by_hand import erlang_c_slow
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import Band, InputError, Target
from staffcast.erlang import performance, required_agents

TARGETS = [
    Target.share(0.80, within_s=20), Target.share(0.99, within_s=60), Target.share(0.05, within_s=3600),
    Target.mean(60), Target.mean(0.5), Target.mean(5000), Target.percentile(0.95, 540), Target.percentile(0.5, 30),
]  # fmt: skip
LOADS = [0.001, 0.2, 0.9999, 1.0, 1.7, 2.0, 4.5, 9.0, 10.0, 27.3, 63.0, 90.0, 150.5, 300.0]


def meets(target, load, agents, aht, reply):
    """Whether the target is met, by the recursion and the textbook formulas."""
    if load >= agents:
        return False
    c, spare = erlang_c_slow(load, agents), (agents - load) / aht
    if target.kind == "mean":
        return c / spare + reply <= target.seconds
    return 1 - c * math.exp(-spare * (target.seconds - reply)) >= target.level


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_the_smallest_number_on_a_grid(target):
    """The answer is what counting up from one finds first, for each target, load, handle time and first reply."""
    for aht in (30.0, 300.0, 5400.0):
        for reply in (0.0, target.seconds / 3):
            found = required_agents(
                arrivals_per_hour=np.array(LOADS) * 3600 / aht, aht_s=aht, target=target, first_reply_s=reply
            )
            for load, agents in zip(LOADS, found.agents, strict=True):
                brute = next(n for n in range(1, 1000) if meets(target, load, n, aht, reply))
                assert agents == brute, (load, aht, reply)
    assert found.agents.dtype == np.int64


def test_the_smallest_number_of_ten_thousand():
    """At 9,900 erlang the answer meets the target and one fewer does not, by the recursion."""
    target = Target.share(0.80, within_s=20)
    agents = int(required_agents(arrivals_per_hour=9900 * 12, aht_s=300, target=target).agents)
    assert meets(target, 9900.0, agents, 300, 0)
    assert not meets(target, 9900.0, agents - 1, 300, 0)


def test_ties_count_as_met():
    """9 erlang at most 90 % busy is 10 agents; 0.3 at 10 % is 3; a tie but for float noise is a tie."""
    roomy = Target.share(0.01, within_s=36_000)
    for load, top, agents in (
        (9.0, 0.90, 10), (0.3, 0.1, 3), (0.1 * 3, 0.1, 3), (0.7 * 10, 0.7, 10), (63.0, 0.9, 70), (8.5, 0.85, 10),
        (9.000001, 0.9, 11),
    ):  # fmt: skip
        found = required_agents(arrivals_per_hour=load * 60, aht_s=60, target=roomy, band=Band(bottom=0.05, top=top))
        assert found.occupancy_agents == agents, (load, top)
        assert found.agents == max(agents, int(found.frt_agents))


@pytest.mark.parametrize("load", [2.0, 9.0, 63.0])
@pytest.mark.parametrize("kind", ["share", "mean", "percentile"])
def test_a_target_that_is_met_exactly_is_met(load, kind):
    """A target set to just what some agents reach asks for those agents, and a hair stricter for one more."""
    agents = int(load) + 2
    there = performance(arrivals_per_hour=load * 12, aht_s=300, agents=agents, target_s=33)
    level, seconds = float(there.service_level), float(there.asa_s)
    exact, stricter = {
        "share": (Target.share(level, within_s=33), Target.share(level + 1e-9, within_s=33)),
        "mean": (Target.mean(seconds), Target.mean(seconds * (1 - 1e-9))),
        "percentile": (Target.percentile(level, 33), Target.percentile(level, 33 - 1e-6)),
    }[kind]
    assert required_agents(arrivals_per_hour=load * 12, aht_s=300, target=exact).agents == agents
    assert required_agents(arrivals_per_hour=load * 12, aht_s=300, target=stricter).agents == agents + 1


def test_which_rule_binds():
    """A small queue is set by FRT, a large one by the band, a quiet one by the minimum, an empty one by nothing."""
    found = required_agents(
        arrivals_per_hour=[0, 0, 1, 20, 90, 900], aht_s=360, target=Target.parse("80% in 60s"), band=Band(),
        minimum=[0, 2, 3, 0, 0, 0],
    )  # fmt: skip
    assert found.binding.tolist() == ["none", "minimum", "minimum", "frt", "frt", "occupancy"]
    assert found.agents.tolist()[:3] == [0, 2, 3]
    assert (found.agents == np.maximum(np.maximum(found.frt_agents, found.occupancy_agents), [0, 2, 3, 0, 0, 0])).all()
    assert found.frt_agents[5] < found.occupancy_agents[5] == 100


def test_the_target_comes_first_when_two_rules_ask_the_same():
    """Where FRT, band and minimum ask for the same number, FRT is named."""
    found = required_agents(
        arrivals_per_hour=90, aht_s=360, target=Target.share(0.01, within_s=36_000), band=Band(), minimum=10
    )
    assert (int(found.agents), int(found.frt_agents), int(found.occupancy_agents), str(found.binding)) == (
        10,
        10,
        10,
        "frt",
    )


@pytest.mark.parametrize(
    "target", [Target.share(0.8, within_s=60), Target.mean(60), Target.percentile(0.95, 540)], ids=str
)
def test_one_fewer_is_the_figure_that_decided(target):
    """With one agent fewer the deciding figure is what performance gives there, and it breaks the rule."""
    rate = np.array([5.0, 90.0, 900.0, 0.0])
    found = required_agents(arrivals_per_hour=rate, aht_s=360, target=target, band=Band(), first_reply_s=10)
    fewer = performance(
        arrivals_per_hour=rate,
        aht_s=360,
        agents=np.maximum(found.agents - 1, 0),
        target_s=target.seconds,
        first_reply_s=10,
    )
    figure = {
        "share": fewer.service_level, "mean": fewer.frt_mean_s, "percentile": fewer.frt_quantile_s(0.95)
    }[target.kind]  # fmt: skip
    frt = found.binding == "frt"
    assert found.one_fewer[frt] == pytest.approx(figure[frt], rel=1e-12)
    broken = found.one_fewer < 0.8 if target.kind == "share" else found.one_fewer > target.seconds
    assert broken[frt].all()
    assert found.binding[2] == "occupancy"
    assert found.one_fewer[2] == pytest.approx(90 / 99, rel=1e-12)
    assert np.isnan(found.one_fewer[3])


def test_the_record_is_the_performance_there():
    """Service level, FRT and occupancy in the answer are what performance gives for those agents."""
    given_ = {
        "arrivals_per_hour": np.array([0.0, 5, 90, 900]),
        "aht_s": 360.0,
        "first_reply_s": 12.0,
        "rate_cv": np.array([0, 0, 0.2, 0.1]),
    }
    found = required_agents(target=Target.parse("80% in 60s"), band=Band(), minimum=1, **given_)
    there = performance(agents=found.agents, target_s=60, **given_)
    for name in ("load_erl", "service_level", "occupancy", "frt_mean_s"):
        assert getattr(found, name) == pytest.approx(getattr(there, name), rel=1e-12)
    for name, q in (("frt_p50_s", 0.5), ("frt_p90_s", 0.9), ("frt_p95_s", 0.95), ("frt_p99_s", 0.99)):
        assert getattr(found, name) == pytest.approx(there.frt_quantile_s(q), rel=1e-12)
    assert found.band_gap == pytest.approx(np.maximum(0.85 - there.occupancy, 0), abs=1e-15)


def test_the_band_gap_needs_a_band_and_agents():
    """The gap to the band's bottom is 0 without a band, inside it and where nobody is needed."""
    target = Target.share(0.8, within_s=3600)
    assert required_agents(arrivals_per_hour=5, aht_s=360, target=target).band_gap == 0
    assert required_agents(arrivals_per_hour=[0, 900], aht_s=360, target=target, band=Band()).band_gap.tolist() == [
        0,
        0,
    ]


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 300), st.sampled_from(TARGETS), st.sampled_from([0.0, 0.1, 0.5]), st.sampled_from([None, Band()]))
def test_one_fewer_would_break_a_rule(load, target, cv, band):
    """The answer meets target and band, and one agent fewer meets them not, with a known and an uncertain rate."""
    found = required_agents(arrivals_per_hour=12 * load, aht_s=300, target=target, band=band, rate_cv=cv)

    def good(agents):
        there = performance(arrivals_per_hour=12 * load, aht_s=300, agents=agents, target_s=target.seconds, rate_cv=cv)
        if band is not None and there.occupancy > band.top * (1 + 1e-12):
            return False
        if target.kind == "mean":
            return there.asa_s <= target.seconds * (1 + 1e-12)
        return there.miss_prob <= (1 - target.level) * (1 + 1e-12)

    agents = int(found.agents)
    assert good(agents)
    assert agents == 0 or not good(agents - 1)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 300), st.sampled_from(TARGETS), st.sampled_from([0.0, 0.2]))
def test_minutes_or_seconds_is_the_same(load, target, cv):
    """All times × 60 and rates ÷ 60 ask for the same agents."""
    slow = dataclasses.replace(target, seconds=60 * target.seconds)
    plain = required_agents(arrivals_per_hour=720 * load, aht_s=5, target=target, band=Band(), rate_cv=cv)
    minutes = required_agents(arrivals_per_hour=12 * load, aht_s=300, target=slow, band=Band(), rate_cv=cv)
    assert plain.agents == minutes.agents


def test_more_demand_never_asks_for_fewer():
    """Agents do not fall with the demand, nor with the handle time, nor with a later first reply."""
    target = Target.share(0.8, within_s=60)
    rate = np.linspace(0, 600, 400)
    assert (np.diff(required_agents(arrivals_per_hour=rate, aht_s=300, target=target).agents) >= 0).all()
    assert (np.diff(required_agents(arrivals_per_hour=60, aht_s=rate + 1, target=target).agents) >= 0).all()
    replies = np.linspace(0, 59, 60)
    assert (
        np.diff(required_agents(arrivals_per_hour=60, aht_s=300, target=target, first_reply_s=replies).agents) >= 0
    ).all()


def test_arrays_are_loops():
    """Intervals with their own rate, handle time, minimum, reply and spread get what each gets alone."""
    rng = np.random.default_rng(2)
    columns = {
        "arrivals_per_hour": rng.uniform(0, 900, 30) * (rng.random(30) > 0.2), "aht_s": rng.uniform(30, 900, 30),
        "minimum": rng.integers(0, 4, 30), "first_reply_s": rng.uniform(0, 40, 30),
        "rate_cv": rng.choice([0, 0.1, 0.3], 30),
    }  # fmt: skip
    target = Target.parse("p90 2m")
    together = required_agents(target=target, band=Band(), **columns)
    for i in range(30):
        alone = required_agents(target=target, band=Band(), **{name: column[i] for name, column in columns.items()})
        for field in dataclasses.fields(alone):
            one, many = getattr(alone, field.name), getattr(together, field.name)[i]
            same = one == many if one.dtype.kind in "iU" else one == pytest.approx(many, rel=1e-9, nan_ok=True)
            assert same, field.name


def test_an_uncertain_rate_asks_for_more():
    """100 erlang at 80/20 need 108 agents when the rate is known and 115 when it spreads by 10 %."""
    found = required_agents(
        arrivals_per_hour=1200, aht_s=300, target=Target.share(0.8, within_s=20), rate_cv=[0, 1e-9, 0.1]
    )
    assert found.agents.tolist() == [108, 108, 115]


def test_a_week_takes_milliseconds():
    """A thousand intervals of 1 to 300 erlang are solved in well under 100 ms of CPU time."""
    load = np.random.default_rng(1).uniform(1, 300, 1000)
    target = Target.share(0.8, within_s=20)
    took = []
    for _ in range(5):
        start = time.process_time()
        required_agents(arrivals_per_hour=12 * load, aht_s=300, target=target, band=Band())
        took.append(time.process_time() - start)
    assert min(took) < 0.05


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"arrivals_per_hour": [3, -1]}, "`arrivals_per_hour` .* got -1.0"),
        ({"aht_s": 0}, "`aht_s` .* above 0 s, got 0.0"),
        ({"minimum": 1.5}, "`minimum` must be a whole number of at least 0, got 1.5"),
        ({"minimum": -1}, "`minimum` .* got -1.0"),
        ({"rate_cv": -0.1}, "`rate_cv` .* got -0.1"),
        ({"first_reply_s": -1}, "`first_reply_s` .* got -1.0"),
        ({"first_reply_s": [5, 60]}, "`first_reply_s` must be below the target's 60 s, got 60.0; "),
        ({"target": 0.8}, "must be like"),
        ({"band": (0.85, 0.9)}, "`band` must be two shares"),
    ],
)
def test_bad_input_is_named(wrong, says):
    """The error names the parameter, the first bad value and the range."""
    good = {"arrivals_per_hour": 90, "aht_s": 360, "target": Target.share(0.8, within_s=60)}
    with pytest.raises(InputError, match=says):
        required_agents(**good | wrong)


def test_a_share_written_as_percent_is_refused():
    """A target share of 80 is answered with 0.8."""
    with pytest.raises(InputError, match=r"write 80 % as 0.8"):
        required_agents(arrivals_per_hour=90, aht_s=360, target=Target.share(80, within_s=60))
