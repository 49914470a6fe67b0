"""Every model through the door, against the Markov chain it is, and the ties between the models."""

import dataclasses

import numpy as np
import pytest
from chain_by_hand import chain
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from staffcast.contracts import InputError
from staffcast.erlang import Band, Target, capacity_per_hour, erlang_b, performance, reached_target, required_agents

AHT = 240.0
SHARES = [
    "p_wait", "p_all_busy", "p_block", "service_level", "miss_prob", "service_level_answered", "service_level_virtual",
    "service_level_excl_short_ab", "abandon_prob", "lost_prob", "occupancy", "agent_busy",
]  # fmt: skip


def even(agents, levels):
    """Total finishing rate with ``m`` chats spread evenly."""

    def finishing(m):
        full, some = divmod(m, agents)
        rate = 0.0
        for held, people in ((full + 1, some), (full, agents - some)):
            if held and people:
                rate += people * held / levels[held - 1]
        return rate

    return finishing


CASES = {
    "erlang_b": ({"model": "erlang_b"}, {}),
    "erlang_c": ({}, {}),
    "erlang_a": ({"patience_s": 150}, {"theta": 1 / 150}),
    "mmck": ({"capacity": 14}, {"limit": 14}),
    "mmck, patience": ({"capacity": 14, "patience_s": 150}, {"theta": 1 / 150, "limit": 14}),
    "chat": ({"aht_by_concurrency_s": [240, 300, 420]}, {}),
    "chat, patience": ({"aht_by_concurrency_s": [240, 300, 420], "patience_s": 90}, {"theta": 1 / 90}),
    "chat, capacity": ({"aht_by_concurrency_s": [240, 300, 420], "capacity": 27}, {"limit": 27}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("load", [2.0, 5.4, 7.7])
def test_every_model_is_its_chain(name, load):
    """Every figure is what the balance equations and the customer's own race against his patience give."""
    given_, known = CASES[name]
    agents, target = 6, 45.0
    theta = known.get("theta", 0.0)
    if name == "erlang_c" and load > agents:
        load = 5.5
    rate = load / AHT
    slots, finishing = agents, (lambda m: m / AHT)
    if "aht_by_concurrency_s" in given_:
        slots, finishing = 3 * agents, even(agents, given_["aht_by_concurrency_s"])
    limit = agents if name == "erlang_b" else known.get("limit", slots + (60 if theta else 900))
    found = performance(arrivals_per_hour=3600 * rate, aht_s=AHT, agents=agents, target_s=target, **given_)
    true = chain(rate=rate, finishing=finishing, theta=theta, slots=slots, limit=limit)

    assert found.model == name.split(",")[0]
    assert found.p_all_busy == pytest.approx(true["all_busy"], rel=1e-9)
    assert found.p_block == pytest.approx(true["block"], rel=1e-9, abs=1e-12)
    assert found.p_wait == pytest.approx(true["all_busy"] - true["block"], rel=1e-9, abs=1e-12)
    assert found.mean_queue == pytest.approx(true["mean_queue"], rel=1e-7)
    let_in = 1 - true["block"]
    assert found.abandon_prob == pytest.approx(true["abandon"] / let_in, rel=1e-9)
    assert found.lost_prob == pytest.approx(true["abandon"] + true["block"], rel=1e-9, abs=1e-12)
    assert found.mean_wait_s == pytest.approx(true["mean_queue"] / rate / let_in, rel=1e-7)
    assert found.occupancy == pytest.approx(true["mean_in_hand"] / slots, rel=1e-9)
    if limit < 100:  # a matrix exponential of its size
        answered = let_in - true["abandon"]
        late = true["served_after"](target)
        in_time = answered - late
        assert found.service_level == pytest.approx(in_time, rel=1e-8)
        assert found.service_level_answered == pytest.approx(in_time / answered, rel=1e-8)
        virtual = let_in - true["served_after"](target, patient=True)
        assert found.service_level_virtual == pytest.approx(virtual, rel=1e-8)
        # Gave up after T: still waiting at T, and lost the race from there.
        still = true["served_after"](target, patient=True) * np.exp(-theta * target)
        gone_before = true["abandon"] - (still - late if theta else 0.0)
        assert found.service_level_excl_short_ab == pytest.approx(in_time / (1 - gone_before), rel=1e-7)
        assert found.asa_s == pytest.approx(true["answered_wait"] / answered, rel=1e-8)
        p90 = float(found.wait_quantile_s(0.9))
        if p90 > 0:
            assert true["served_after"](p90) == pytest.approx(0.1 * answered, rel=1e-6)
        else:
            assert true["served_after"](0.0) <= 0.1 * answered


def test_redials_feed_themselves():
    """Attempts are fresh arrivals plus the share of those who gave up that try again; what is lost is lost for good."""
    found = performance(arrivals_per_hour=120, aht_s=AHT, agents=9, patience_s=120, redial=[0, 0.3, 0.7, 1.0])
    attempts = found.effective_arrivals_per_hour
    once = performance(arrivals_per_hour=attempts, aht_s=AHT, agents=9, patience_s=120)
    assert found.model == "erlang_x"
    assert attempts == pytest.approx(120 + np.array([0, 0.3, 0.7, 1.0]) * attempts * once.abandon_prob, rel=1e-12)
    assert found.service_level == pytest.approx(once.service_level, rel=1e-12)
    assert found.abandon_prob == pytest.approx(once.abandon_prob, rel=1e-12)
    served = attempts * (1 - once.abandon_prob)
    assert found.lost_prob == pytest.approx(1 - served / 120, abs=1e-12)
    assert found.lost_prob[-1] == pytest.approx(0, abs=1e-12)


def test_everybody_trying_for_ever_at_a_crew_too_small_is_overload():
    """With redial 1 and more customers than can be served, attempts grow without end and nobody is in time."""
    found = performance(arrivals_per_hour=200, aht_s=AHT, agents=9, patience_s=120, redial=1.0)
    assert found.effective_arrivals_per_hour == np.inf
    assert (found.service_level, found.p_wait, found.occupancy, found.abandon_prob) == (0, 1, 1, 1)
    assert found.lost_prob == pytest.approx(1 - 9 * 15 / 200)
    assert required_agents(
        arrivals_per_hour=200, aht_s=AHT, target=Target.parse("80% in 60s"), patience_s=120, redial=1.0
    ).agents > 13  # fmt: skip


@pytest.mark.parametrize("model", ["erlang_c", "erlang_a", "erlang_x"])
def test_patience_without_end_is_erlang_c(model):
    """Erlang A with patience without end and Erlang X without redials are Erlang C, and A, also in overload."""
    plain = performance(arrivals_per_hour=[60, 170, 300], aht_s=AHT, agents=12, target_s=20)
    endless = performance(
        arrivals_per_hour=[60, 170, 300], aht_s=AHT, agents=12, target_s=20,
        patience_s=None if model == "erlang_c" else np.inf, model=model,
    )  # fmt: skip
    for name in [*SHARES, "asa_s", "mean_wait_s", "mean_queue"]:
        assert getattr(endless, name) == pytest.approx(getattr(plain, name), rel=1e-12), name


@pytest.mark.parametrize("load", [10.0, 48.0, 54.9])
def test_long_patience_comes_close_to_erlang_c(load):
    """Erlang A converges to Erlang C as patience grows."""
    plain = performance(arrivals_per_hour=15 * load, aht_s=AHT, agents=55, target_s=20)
    patient = performance(arrivals_per_hour=15 * load, aht_s=AHT, agents=55, target_s=20, patience_s=1e12)
    for name in ("p_wait", "miss_prob", "asa_s", "mean_queue"):
        assert getattr(patient, name) == pytest.approx(getattr(plain, name), rel=1e-5), name


def test_no_patience_is_erlang_b():
    """Who leaves unless answered at once makes a loss system: an answer, not an error."""
    found = performance(arrivals_per_hour=[0, 60, 300], aht_s=AHT, agents=12, patience_s=0)
    assert found.abandon_prob == pytest.approx(erlang_b([0, 4, 20], 12), rel=1e-12)
    assert np.all(found.asa_s == 0)
    assert found.service_level == pytest.approx(1 - erlang_b([0, 4, 20], 12), rel=1e-12)


def test_one_chat_at_a_time_is_erlang_c():
    """Chat with concurrency 1 is the phone."""
    for model in ("chat", "chat_lls"):
        one = performance(arrivals_per_hour=[100, 170], aht_s=AHT, agents=12, model=model)
        plain = performance(arrivals_per_hour=[100, 170], aht_s=AHT, agents=12)
        for name in [*SHARES, "asa_s", "mean_queue"]:
            assert getattr(one, name) == pytest.approx(getattr(plain, name), rel=1e-10), (model, name)


def test_erlang_c_divided_by_concurrency_misleads():
    """Neither the crew for one conversation at a time nor a third of it is what three conversations at once need."""
    target = Target.parse("80% in 30s")
    levels = [300, 420, 620]
    rate = 110.0
    chats = required_agents(arrivals_per_hour=rate, aht_s=300, target=target, aht_by_concurrency_s=levels)
    alone = required_agents(arrivals_per_hour=rate, aht_s=300, target=target)
    slow = required_agents(arrivals_per_hour=rate, aht_s=620, target=target)
    assert np.ceil(alone.agents / 3) < chats.agents < alone.agents
    few = np.ceil(alone.agents / 3)
    third = performance(arrivals_per_hour=rate, aht_s=300, agents=few, aht_by_concurrency_s=levels)
    assert third.service_level == 0  # overloaded
    assert np.ceil(slow.agents / 3) >= chats.agents


everything = st.fixed_dictionaries(
    {
        "arrivals_per_hour": st.one_of(st.just(0.0), st.floats(1e-3, 3000)),
        "aht_s": st.floats(20, 3000),
        "agents": st.integers(0, 150),
        "target_s": st.floats(0, 1000),
        "patience_s": st.one_of(st.none(), st.just(0.0), st.floats(1, 1e5)),
        "redial": st.sampled_from([0.0, 0.4, 1.0]),
        "concurrency": st.sampled_from([1, 1, 2, 4]),
        "capacity": st.one_of(st.none(), st.integers(0, 700)),
        "first_reply_s": st.sampled_from([0.0, 30.0]),
        "rate_cv": st.sampled_from([0.0, 0.0, 0.2]),
    }
)


@settings(max_examples=150, deadline=None)
@given(everything)
def test_every_share_is_one_and_nothing_is_nan(case):
    """Whatever is given: shares in [0, 1], times and counts at least 0, never a NaN, and the parts add up."""
    if case["patience_s"] is None:
        case["redial"] = 0.0
    if case["concurrency"] > 1 and case["capacity"] is not None:
        case["capacity"] += case["agents"] * case["concurrency"]
    found = performance(**case)
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        assert not np.isnan(value), field.name
        assert value >= 0, field.name
        if field.name in SHARES:
            assert value <= 1, field.name
    assert found.service_level + found.miss_prob == pytest.approx(1)
    assert found.service_level <= found.service_level_virtual + 1e-12
    assert found.service_level <= found.service_level_excl_short_ab + 1e-12
    assert found.service_level <= found.service_level_answered + 1e-12
    quantiles = found.wait_quantile_s([0.0, 0.5, 0.9, 0.999])
    assert not np.isnan(quantiles).any()
    assert np.all(quantiles[1:] >= quantiles[:-1])


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(5, 1500),
    agents=st.integers(1, 120),
    patience=st.floats(5, 5000),
    more=st.floats(1.001, 1.5),
)
def test_more_agents_fewer_tickets_less_patience(rate, agents, patience, more):
    """With patience: agents help, load hurts, and patience makes for longer waits and fewer losses."""
    base = {"arrivals_per_hour": rate, "aht_s": AHT, "agents": agents, "patience_s": patience}
    now = performance(**base)
    helped = performance(**{**base, "agents": agents + 1})
    busier = performance(**{**base, "arrivals_per_hour": rate * more})
    calmer = performance(**{**base, "patience_s": patience * more})
    tiny = 1e-11
    for other in (busier,):
        assert other.miss_prob >= now.miss_prob * (1 - tiny)
        assert other.asa_s >= now.asa_s * (1 - tiny)
        assert other.abandon_prob >= now.abandon_prob * (1 - tiny)
    assert helped.miss_prob <= now.miss_prob * (1 + tiny)
    assert helped.asa_s <= now.asa_s * (1 + tiny)
    assert calmer.abandon_prob <= now.abandon_prob * (1 + tiny)
    assert calmer.mean_wait_s >= now.mean_wait_s * (1 - tiny)
    assert calmer.p_wait >= now.p_wait * (1 - tiny)


@pytest.mark.parametrize("kind", [{"patience_s": 150}, {"capacity": 40}, {"aht_by_concurrency_s": [240, 300, 420]}])
def test_minutes_for_seconds(kind):
    """Everything 60 times as slow gives the same shares and 60 times the times."""
    fast = performance(arrivals_per_hour=120, aht_s=AHT, agents=7, target_s=30, **kind)
    slow_kind = {k: v if k == "capacity" else np.asarray(v) * 60 for k, v in kind.items()}
    slow = performance(arrivals_per_hour=2, aht_s=60 * AHT, agents=7, target_s=1800, **slow_kind)
    for name in [*SHARES, "mean_queue"]:
        assert getattr(slow, name) == pytest.approx(getattr(fast, name), rel=1e-10), name
    for name in ("asa_s", "mean_wait_s"):
        assert getattr(slow, name) == pytest.approx(60 * getattr(fast, name), rel=1e-9), name


KINDS = [
    {"patience_s": 150},
    {"patience_s": 30, "redial": 0.5},
    {"capacity": 60},
    {"capacity": 60, "patience_s": 200},
    {"aht_by_concurrency_s": [240, 300, 420]},
    {"aht_by_concurrency_s": [240, 300, 420], "patience_s": 100},
    {"concurrency": 3, "model": "chat_lls"},
    {"model": "erlang_b"},
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: ", ".join(k))
@pytest.mark.parametrize("text", ["80% in 20s", "mean 15s", "p90 40s"])
def test_smallest_crew_of_every_model(kind, text):
    """The crew found meets its target, one fewer does not, and the figure with one fewer is the reported one."""
    target = Target.parse(text)
    rates = np.array([0.5, 20, 90, 160])
    if kind.get("model") == "chat_lls":
        rates = rates[:2]
    found = required_agents(arrivals_per_hour=rates, aht_s=AHT, target=target, band=Band(bottom=0.85, top=0.9), **kind)
    for crew, meets in ((found.frt_agents, True), (found.frt_agents - 1, False)):
        crowd = {"arrivals_per_hour": rates, "aht_s": AHT, "agents": np.maximum(crew, 0), **kind}
        there = performance(**crowd, target_s=target.seconds)
        figure = {
            "share": there.miss_prob <= (1 - target.level) * (1 + 1e-9),
            "mean": there.asa_s <= target.seconds * (1 + 1e-9),
            "percentile": there.wait_quantile_s(0.9) <= target.seconds * (1 + 1e-9),
        }[target.kind]
        assert np.all(figure == meets), (crew, figure)
    for crew, meets in ((found.occupancy_agents, True), (found.occupancy_agents - 1, False)):
        some = crew > 0
        busy = performance(arrivals_per_hour=rates, aht_s=AHT, agents=np.maximum(crew, 0), **kind).occupancy
        assert np.all((busy <= 0.9 * (1 + 1e-9))[some] == meets)
    assert np.all(found.agents == np.maximum(found.frt_agents, found.occupancy_agents))
    bound = found.binding == "frt"
    if bound.any() and target.kind == "share":
        assert np.all(found.one_fewer[bound] < target.level)


@pytest.mark.parametrize("kind", KINDS[:6], ids=lambda k: ", ".join(k))
def test_the_real_requirement_lies_just_below_the_whole_one(kind):
    """``fractional`` gives a number in (whole − 1, whole], exactly met where real crews have meaning."""
    target, rates = Target.parse("80% in 20s"), np.array([20.0, 90, 160, 333])
    if "capacity" in kind:
        rates = rates[:3]
    whole = required_agents(arrivals_per_hour=rates, aht_s=AHT, target=target, **kind)
    real = required_agents(arrivals_per_hour=rates, aht_s=AHT, target=target, fractional=True, **kind)
    assert whole.agents.dtype == np.int64
    assert np.all((real.agents <= whole.agents) & (real.agents > whole.agents - 1))
    if not {"capacity", "aht_by_concurrency_s"} & set(kind):
        there = performance(arrivals_per_hour=rates, aht_s=AHT, agents=real.agents, target_s=20, **kind)
        assert there.service_level == pytest.approx(0.8, abs=1e-9)


def test_real_requirements_add_up_where_whole_ones_stack():
    """Ten small queues need fewer agents in real numbers than rounded up one by one."""
    rates, target = np.full(10, 7.0), Target.parse("80% in 60s")
    whole = required_agents(arrivals_per_hour=rates, aht_s=AHT, target=target).agents.sum()
    real = required_agents(arrivals_per_hour=rates, aht_s=AHT, target=target, fractional=True).agents.sum()
    assert real < whole - 1


@pytest.mark.parametrize("kind", [{}, *KINDS[:6]], ids=lambda k: ", ".join(k) or "erlang_c")
def test_what_a_crew_carries_is_the_inverse_of_what_is_needed(kind):
    """At the capacity the crew is enough, a hair above it is not."""
    target, crew = Target.parse("80% in 20s"), np.array([1, 5, 14])
    most = capacity_per_hour(agents=crew, aht_s=AHT, target=target, **kind)
    assert np.all(most > 0)
    at = required_agents(arrivals_per_hour=most * (1 - 1e-9), aht_s=AHT, target=target, **kind)
    over = required_agents(arrivals_per_hour=most * (1 + 1e-6), aht_s=AHT, target=target, **kind)
    assert np.array_equal(at.agents, crew)
    assert np.array_equal(over.agents, crew + 1)
    assert capacity_per_hour(agents=0, aht_s=AHT, target=target, **kind) == 0


def test_a_crew_whose_customers_leave_in_time_carries_anything():
    """A mean over the answered cannot be missed by customers who give up sooner: no end to what is carried."""
    assert capacity_per_hour(agents=3, aht_s=AHT, target=Target.parse("mean 60s"), patience_s=0) == np.inf


def test_the_band_bounds_what_is_carried():
    """With a band the crew carries no more than its top."""
    most = capacity_per_hour(agents=200, aht_s=AHT, target=Target.parse("80% in 60s"), band=Band())
    assert most * AHT / 3600 / 200 == pytest.approx(0.9, rel=1e-9)


@pytest.mark.parametrize("kind", [{}, {"patience_s": 150}, {"aht_by_concurrency_s": [240, 300, 420]}])
@pytest.mark.parametrize("text", ["80% in 20s", "mean 15s", "p90 40s"])
def test_what_a_crew_reaches(kind, text):
    """The target of the same kind that is just reached is met by the crew, and by no smaller one when sharpened."""
    target = Target.parse(text)
    found = reached_target(arrivals_per_hour=90, aht_s=AHT, agents=4, target=target, **kind)
    if not np.isfinite(found.seconds):
        assert not found.met
        return
    just = dataclasses.replace(target, seconds=float(found.seconds) * (1 + 1e-9) + 1e-9)
    again = reached_target(arrivals_per_hour=90, aht_s=AHT, agents=4, target=just, **kind)
    assert again.met
    assert bool(found.met) == (found.seconds <= target.seconds)


@pytest.mark.parametrize("kind", [{"patience_s": 300}, {"capacity": 150}, {"patience_s": 300, "redial": 0.4}])
def test_an_uncertain_rate_is_an_average_over_rates(kind):
    """Shares are ticket-weighted and counts time-weighted averages over the gamma rate, by quadrature."""
    cv, mean, agents = 0.15, 1200.0, 104
    found = performance(arrivals_per_hour=mean, aht_s=300, agents=agents, target_s=20, rate_cv=cv, **kind)
    shape = 1 / cv**2
    node, weight = np.polynomial.legendre.leggauss(400)
    u = 0.5 + 0.5 * node * (1 - 2e-13)
    factor = special.gammaincinv(shape, u) / shape
    weight = weight / weight.sum()
    known = performance(arrivals_per_hour=mean * factor, aht_s=300, agents=agents, target_s=20, **kind)
    tickets = weight * known.effective_arrivals_per_hour
    tickets /= tickets.sum()
    for name in ("service_level", "p_wait", "p_all_busy", "p_block", "service_level_virtual"):
        assert getattr(found, name) == pytest.approx(np.sum(tickets * getattr(known, name)), abs=1e-4), name
    for name in ("occupancy", "mean_queue"):
        assert getattr(found, name) == pytest.approx(np.sum(weight * getattr(known, name)), rel=2e-4), name
    answered = tickets * (1 - known.p_block) * (1 - known.abandon_prob)
    assert found.asa_s == pytest.approx(np.sum(answered * known.asa_s) / answered.sum(), rel=2e-3)
    late = float(found.wait_quantile_s(0.9))
    over = performance(arrivals_per_hour=mean * factor, aht_s=300, agents=agents, target_s=late, **kind)
    in_time = np.sum(tickets * over.service_level)
    assert in_time / answered.sum() == pytest.approx(0.9, abs=2e-4)


BAD = [
    ({"patience_s": -1}, r"patience_s.*at least 0.*-1"),
    ({"redial": 40, "patience_s": 60}, r"redial.*40.*0\.4"),
    ({"redial": 0.4}, r"redial.*patience_s"),
    ({"concurrency": 0}, r"concurrency.*at least 1.*0"),
    ({"concurrency": 2.5}, r"concurrency.*2\.5"),
    ({"aht_by_concurrency_s": [300, 250]}, r"aht_by_concurrency_s.*non-decreasing.*250"),
    ({"aht_by_concurrency_s": [300, 350], "concurrency": 3}, r"aht_by_concurrency_s.*3 conversations"),
    ({"capacity": 2.5}, r"capacity.*whole.*2\.5"),
    ({"model": "erlang_q"}, r"model.*erlang_c.*erlang_q"),
    ({"model": "erlang_a"}, r"model.*erlang_a.*patience_s"),
    ({"model": "erlang_c", "patience_s": 60}, r"model.*erlang_c.*patience_s"),
    ({"aht_s": 0}, r"aht_s.*above 0.*0"),
    ({"arrivals_per_hour": -5}, r"arrivals_per_hour.*-5"),
    ({"arrivals_per_hour": np.nan}, r"arrivals_per_hour.*nan"),
    ({"concurrency": 2, "agents": 3, "capacity": 5}, r"capacity.*6 conversations.*5"),
    ({"concurrency": 2, "agents": 2.5}, r"agents.*whole.*2\.5"),
]


@pytest.mark.parametrize(("wrong", "says"), BAD, ids=lambda v: str(v)[:40])
def test_a_wrong_argument_is_named(wrong, says):
    """The error names the argument, the value, the range and what to do."""
    with pytest.raises(InputError, match=f"(?s){says}") as error:
        performance(**{"arrivals_per_hour": 100, "aht_s": AHT, "agents": 8, **wrong})
    assert isinstance(error.value, ValueError)


def test_a_capacity_that_can_never_meet_the_target_is_an_error():
    """If even an agent for every place turns too many away, no number is given."""
    with pytest.raises(InputError, match=r"capacity.*20.*turns away"):
        required_agents(arrivals_per_hour=900, aht_s=AHT, target=Target.parse("80% in 20s"), capacity=20)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_arrays_of_models_are_loops(seed):
    """A table in one call gives what each row gives alone, for patience, redials, capacity and chats."""
    rng = np.random.default_rng(seed)
    rows = {
        "arrivals_per_hour": rng.uniform(0, 400, 4),
        "aht_s": rng.uniform(60, 900, 4),
        "agents": rng.integers(0, 40, 4),
        "target_s": rng.uniform(0, 100, 4),
        "patience_s": np.array([np.inf, 0, *rng.uniform(10, 900, 2)]),
    }
    for extra in ({}, {"redial": 0.5}, {"capacity": 200}, {"concurrency": 3}):
        together = performance(**rows, **extra)
        for i in range(4):
            alone = performance(**{name: column[i] for name, column in rows.items()}, **extra)
            for name in [*SHARES, "asa_s", "mean_wait_s", "mean_queue"]:
                assert getattr(together, name)[i] == pytest.approx(getattr(alone, name), rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("kind", [{"model": "chat"}, {"model": "chat_lls"}, {"concurrency": 2}, {"capacity": 9}])
def test_half_an_agent_is_refused_where_it_has_no_meaning(kind):
    """Models of whole agents say so at every door; with a real number of them Erlang C goes on."""
    target = Target.parse("80% in 60s")
    calls = {
        performance: {"arrivals_per_hour": 30},
        reached_target: {"arrivals_per_hour": 30, "target": target},
        capacity_per_hour: {"target": target},
    }
    for call, more in calls.items():
        with pytest.raises(InputError, match=r"`agents` must be a whole number.*2\.5"):
            call(aht_s=AHT, agents=2.5, **more, **kind)
        call(aht_s=AHT, agents=2.5, **more)
