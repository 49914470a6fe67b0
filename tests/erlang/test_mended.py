"""What planners stumbled over: loads next to nothing, numbers instead of arrays, plans that jump or spend too much."""

import time
import warnings
from functools import cache

import numpy as np
import pytest
from deferrable_by_hand import simulated_waits
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import Band, InputError, Target
from staffcast.erlang import (
    advise,
    chance_met,
    general_wait,
    performance,
    required_agents,
    staff_deferrable,
    staff_over_time,
    transient_performance,
    transient_quantiles,
)

HOUR = 3600.0
SHARE = Target.parse("80% in 60s")
BAND = Band.parse("85%-90%")

# --- queues followed over time: loads next to nothing

TINY = st.sampled_from([0.0, 5e-324, 1e-300, 1e-30, 1e-9, 1e-3, 0.5, 20.0])


def sane(found):
    """Figures that can be: shares within [0, 1], no NaN, as few agents as a small desk has."""
    with np.errstate(invalid="raise"):
        assert ((found.service_level >= 0) & (found.service_level <= 1)).all()
    assert not np.isnan(found.asa_s).any()
    assert ((found.occupancy >= 0) & (found.occupancy <= 1)).all()
    assert (found.agents <= 30).all()


@pytest.mark.parametrize(
    "rates", [[20] * 4 + [0] * 28 + [20] * 4, [1e-9] * 4 + [20] * 4, [20, 1e-300, 0, 20], [5e-324] * 3]
)
@pytest.mark.parametrize("patience", [None, 300.0])
def test_a_gap_does_not_crash_the_search(rates, patience):
    """What is left of the load after a long gap, or a rate next to nothing, is staffed like a small one."""
    found = staff_over_time(
        arrivals_per_hour=rates, aht_s=859, interval_s=1800, target=SHARE, patience_s=patience, rate_cv=0.1
    )
    assert found.met.all()
    sane(found)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(TINY, min_size=1, max_size=6), st.sampled_from([1e-9, 1.0, 300.0, 1e9, 1e300, np.inf]),
    st.sampled_from(["80% in 60s", "mean 60s", "p90 90s"]),
    st.sampled_from(["transient", "sipp", "mol", "mol_max", "lagged"]),
)  # fmt: skip
def test_any_rate_and_any_patience_can_be_staffed(rates, patience, target, method):
    """Rates down to the smallest number and patience from none to for ever give a plan with figures that can be."""
    found = staff_over_time(
        arrivals_per_hour=rates, aht_s=600, interval_s=1800, target=target, patience_s=patience, method=method
    )
    sane(found)
    if method == "transient":
        assert found.met.all()


def test_endless_patience_is_no_patience():
    """Infinite and astronomically long patience give the figures of customers who never give up."""
    day = {"arrivals_per_hour": [20, 25, 15], "aht_s": 900, "agents": [6, 7, 6], "interval_s": 1800}
    never = transient_performance(**day)
    for patience in (np.inf, 1e17, 1e300):
        assert transient_performance(**day, patience_s=patience).asa_s.tolist() == never.asa_s.tolist()


# --- queues followed over time: a mean target


def test_a_mean_over_nights_is_quick_and_holds():
    """Three days with nights between them take seconds, not minutes, and every interval's exact mean is kept."""
    hour = np.arange(144) % 48 / 2
    opened = (hour >= 9) & (hour < 18)
    rates = np.where(opened, 12 + 8 * np.sin((hour - 9) / 9 * np.pi), 0)
    plan = {"arrivals_per_hour": rates, "aht_s": 900, "interval_s": 1800, "day": np.arange(144) // 48}
    begin = time.process_time()
    found = staff_over_time(**plan, target=Target.parse("mean 60s"), opened=opened)
    assert time.process_time() - begin < 15
    exact = transient_performance(**plan, agents=found.agents)
    assert (exact.frt_mean_s[opened] <= 60 * (1 + 1e-4)).all()
    fewer = found.agents.copy()
    at = int(np.flatnonzero(opened)[5])
    fewer[at] -= 1
    assert transient_performance(**plan, agents=fewer).frt_mean_s.max() > 60


# --- numbers instead of arrays, zeros and ones instead of flags


@pytest.mark.parametrize("shape", [lambda x: x, np.float64, np.array, lambda x: [x]])
def test_a_number_will_do(shape):
    """Numbers, numpy's numbers, arrays of shape () and of one give the same figures."""
    found = advise(
        arrivals_per_hour=shape(90.0), aht_s=shape(360.0), target=SHARE, others={"b": (shape(30.0), shape(360.0))},
        patience_s=shape(900.0), minimum=shape(1), rate_cv=shape(0.1),
    )  # fmt: skip
    (known,) = advise(
        arrivals_per_hour=[90], aht_s=[360], target=SHARE, others={"b": (30, 360)}, patience_s=900, minimum=1,
        rate_cv=0.1,
    ).sentences()  # fmt: skip
    assert found.sentences().item() == known
    assert "pool with b" in known
    need = required_agents(arrivals_per_hour=shape(90.0), aht_s=shape(360.0), target=SHARE, band=BAND)
    assert need.band_gap.item() == pytest.approx(0.10, abs=0.01)
    assert need.one_fewer.item() == pytest.approx(0.69, abs=0.01)
    chance = chance_met(
        arrivals_per_hour=shape(90.0), aht_s=shape(360.0), agents=shape(12), target=SHARE, rate_cv=shape(0.1),
        day=shape(0),
    )  # fmt: skip
    assert chance.day.item() == pytest.approx(chance.interval.item(), abs=0.1)
    assert general_wait(load_erl=shape(9.0), agents=shape(12), aht_s=shape(360.0)).asa_s.item() > 0
    waits = transient_quantiles(shape(0.9), arrivals_per_hour=[60, 60], aht_s=shape(600.0), agents=12, interval_s=3600)
    assert waits.shape == (1, 2)
    plan = staff_deferrable(
        arrivals=[10, 10, 0, 0], aht_s=shape(600.0), interval_s=shape(HOUR), target="80% in 2h", minimum=shape(1),
        maximum=shape(9), spare_s=shape(10.0), rate_cv=shape(0.1), opened=shape(1), day=shape(0),
    )  # fmt: skip
    assert plan.agents.min() >= 1


def test_levers_have_the_shape_of_all_arguments():
    """Three minima, or three rates of the partner, for one queue are three intervals."""
    found = advise(arrivals_per_hour=90, aht_s=360, target=SHARE, minimum=[1, 2, 30])
    assert found.deferrable_minutes_per_hour.shape == found.deflection.shape == (3,)
    assert found.deferrable_minutes_per_hour[2] > found.deferrable_minutes_per_hour[0]
    found = advise(arrivals_per_hour=30, aht_s=360, target=SHARE, others={"b": ([0, 30, 60], 360)})
    assert found.pool_saves.shape == (3,)
    assert found.pool_saves[0] == 0 < found.pool_saves[1]


def test_zeros_and_ones_say_open_and_closed():
    """Both ways of staffing over intervals take 1 and 0, and refuse 2 and text."""
    rates, opened = [0, 20, 20, 20, 20], [0, 1, 1, 1, 1]
    plan = {"arrivals_per_hour": rates, "aht_s": 600, "interval_s": 1800, "target": SHARE}
    assert staff_over_time(**plan, opened=opened).agents.tolist() == staff_over_time(
        **plan, opened=np.array(opened, dtype=bool)
    ).agents.tolist()  # fmt: skip
    assert staff_over_time(**plan, opened=opened).agents[0] == 0
    for wrong in ([0, 1, 2, 1, 1], ["no", "yes", "yes", "yes", "yes"], [True, False]):
        with pytest.raises(InputError, match="`opened`"):
            staff_over_time(**plan, opened=wrong)
        with pytest.raises(InputError, match="`opened`"):
            staff_deferrable(arrivals=rates, aht_s=600, interval_s=1800, target="80% in 1h", opened=wrong)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: advise(arrivals_per_hour=9, aht_s=9, target=SHARE, others={"b": 30}), r"others\['b'\].*\(30, 360\)"),
        (lambda: performance(arrivals_per_hour="90", aht_s=360, agents=12), "`arrivals_per_hour`.*instead of text"),
        (lambda: performance(arrivals_per_hour=[90, "90"], aht_s=360, agents=12), "`arrivals_per_hour`.*instead of"),
        (lambda: deferred(aht_s=[600, 600]), "`aht_s` must be one number"),
        (lambda: deferred(backlog=5), "`backlog` must be pairs"),
        (lambda: deferred(backlog="5"), "`backlog` must be finite"),
        (lambda: deferred(rate_common=2), "`rate_common` must be a share"),
        (lambda: deferred(there=[9, 0, 0, 0]), "`there` must be at most the 4 arrivals of interval 0"),
        (lambda: deferred(band_over="week"), "`band_over` must be interval or day"),
    ],
)
def test_wrong_arguments_are_named(ask, says):
    """Each gives an error that names the parameter and what to write."""
    with pytest.raises(InputError, match=says):
        ask()


def test_errors_speak_to_planners():
    """What cannot be planned by deadlines is called a live queue; no function of the code is named as the cure."""
    with pytest.raises(InputError, match="live queue") as caught:
        deferred(target="80% in 10m")
    assert "_" not in str(caught.value).replace("`first_reply_s`", "")


def test_a_performance_shows_its_model():
    """What is printed says by which model the figures were found."""
    assert "model='erlang_a'" in repr(performance(arrivals_per_hour=90, aht_s=360, agents=12, patience_s=60))


# --- work by a deadline


def deferred(**more):
    arguments = {"arrivals": [4, 4, 0, 0], "aht_s": 600, "interval_s": HOUR, "target": "80% in 2h"} | more
    return staff_deferrable(**arguments)


HALF_HOURS = np.arange(3 * 48) % 48 / 2
OPENED = (HALF_HOURS >= 9) & (HALF_HOURS < 17)
COMES = np.where(OPENED, 4 + 1.5 * np.sin((HALF_HOURS - 9) / 8 * np.pi), 0.0)
COMES[HALF_HOURS == 9] += 8  # they came while closed
THERE = np.where(HALF_HOURS == 9, 8.0, 0.0)


@cache
def three_days(target, *, batch=False, **more):
    return staff_deferrable(
        arrivals=COMES, aht_s=1100, interval_s=1800, target=target, opened=OPENED, band=BAND,
        there=THERE if batch else 0.0, **more,
    )  # fmt: skip


@pytest.mark.parametrize("cv", [0.0, 0.15])
def test_a_mean_target_gives_an_even_crew(cv):
    """No crew of none or of many amid small ones: as many hours as the work and its band ask for, and a fifth."""
    found = three_days("mean 2h", rate_cv=cv)
    steps = np.diff(found.agents)[OPENED[1:] & OPENED[:-1]]
    assert np.abs(steps).max() <= 3
    assert found.agents.max() <= 9
    assert (found.day_frt_mean_s <= 7200 * (1 + 1e-5)).all()
    assert found.agents.sum() <= 1.2 * COMES.sum() * 1100 / (1800 * 0.9)


def test_nobody_answers_nothing():
    """Where there is neither an agent nor spare time, exactly nothing is worked off, and nothing less than 0."""
    for found in (three_days("mean 2h", rate_cv=0.0), three_days("90% in 4h", band_over="interval")):
        assert (found.answered[found.agents == 0] == 0).all()
        assert (found.answered >= 0).all()


def test_what_is_in_hand_does_not_wait():
    """Unopened are fewer than unfinished, by no more than the crew, and as many as in simulated days."""
    arrivals = [12, 10, 8, 6, 4, 0, 0]
    found = staff_deferrable(arrivals=arrivals, aht_s=600, interval_s=HOUR, target="85% in 2h")
    in_hand = found.backlog - found.waiting
    assert (in_hand >= -1e-9).all()
    assert (in_hand <= found.agents + 1e-9).all()
    rng, ends = np.random.default_rng(3), np.arange(1, 8) * HOUR
    fewest, most = np.zeros((500, 7)), np.zeros((500, 7))
    for k in range(500):
        interval, wait = simulated_waits(found.agents, arrivals, 600.0, HOUR, rng)
        come = interval[None, :] * HOUR < ends[:, None]
        # When in its interval a ticket came is not kept: at its beginning, or at its end.
        fewest[k] = (come & (interval * HOUR + wait > ends[:, None])).sum(axis=1)
        most[k] = (come & ((interval + 1) * HOUR + wait > ends[:, None])).sum(axis=1)
    error = 4 * most.std(axis=0) / np.sqrt(500)
    assert (found.waiting >= fewest.mean(axis=0) - error - 0.5).all()
    assert (found.waiting <= most.mean(axis=0) + error + 0.5).all()


def test_uncertainty_of_single_intervals_evens_out_over_the_day():
    """What is each interval's own asks for less than what is common to a day, and for more than nothing."""
    totals = [
        three_days("90% in 4h", rate_cv=0.3, rate_common=common, integer=False).agents.sum() for common in (1.0, 0.2)
    ]
    known = three_days("90% in 4h", integer=False).agents.sum()
    assert totals[0] > totals[1] > known


def test_those_who_wait_at_opening_are_worked_on_from_the_first_minute():
    """Eight there at nine keep four agents busy for their half hour; spread over it they leave minutes idle."""
    crew = {"minimum": 4, "maximum": 4}
    spread, there = (three_days("80% in 8h", batch=those, **crew) for those in (False, True))
    at = int(np.flatnonzero(HALF_HOURS == 9)[0])
    full = 4 * 1800 * 0.9 / 1100
    assert there.answered[at] == pytest.approx(full, rel=0.04)
    assert spread.answered[at] < 0.8 * full
    for each in (spread, there):
        assert each.answered.sum() + each.backlog[-1] == pytest.approx(COMES.sum(), rel=1e-6)


def test_shares_with_everything_in_play_are_those_of_simulated_days():
    """Uncertain days and intervals and a batch at opening, event by event: the shares that the plan says."""
    arrivals, there = np.array([14.0, 8, 8, 6, 4, 0, 0]), np.array([8.0, 0, 0, 0, 0, 0, 0])
    found = staff_deferrable(
        arrivals=arrivals, aht_s=600, interval_s=HOUR, target="85% in 2h", rate_cv=0.3, rate_common=0.4, there=there
    )
    rng, hits = np.random.default_rng(4), []
    common, own = 0.09 * 0.4, 0.09 * 0.6
    for _ in range(900):
        factor = rng.gamma(1 / common, common) * rng.gamma(1 / own, own, len(arrivals))
        first = rng.poisson(8 * factor[0])
        _, wait = simulated_waits(found.agents, (arrivals - there) * factor, 600.0, HOUR, rng, waiting=first)
        hits.append((np.sum(wait <= 7200), len(wait)))
    part, whole = np.array(hits, dtype=float).T
    share = part.sum() / whole.sum()
    error = np.std(part - share * whole) / whole.mean() / np.sqrt(len(whole))
    assert abs(share - found.service_level) < 4 * error + 0.015


def test_a_band_over_the_day_needs_fewer_and_is_kept():
    """At full pace while tickets wait, the day's agents are busy up to the top on average, and the share is kept."""
    each, day = (three_days("90% in 4h", band_over=over) for over in ("interval", "day"))
    assert day.agents.sum() < each.agents.sum()
    assert (day.day_service_level >= 0.9 - 1e-5).all()
    for k in range(3):
        here = day.day == k
        assert day.answered[here].sum() * 1100 <= 0.9 * day.agents[here].sum() * 1800 * (1 + 1e-4)
    assert day.fluid_agent_intervals <= day.agents.sum()
    tight = three_days("80% in 8h", band_over="day")
    assert set(tight.binding[tight.agents > 0]) == {"occupancy"}


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(0, 15), min_size=4, max_size=6), st.sampled_from(["interval", "day"]))
def test_a_band_never_saves_agents(arrivals, over):
    """With a band it takes at least as many in all as without one, and the fluid bound stays below the plan."""
    plan = {"arrivals": [*arrivals, 0, 0], "aht_s": 600, "interval_s": HOUR, "target": "80% in 2h", "integer": False}
    free, held = staff_deferrable(**plan), staff_deferrable(**plan, band=BAND, band_over=over)
    assert held.agents.sum() >= free.agents.sum() * (1 - 0.02) - 0.05
    assert held.fluid_agent_intervals >= free.fluid_agent_intervals - 1e-6


def test_no_warnings():
    """None of it divides by nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        three_days("mean 2h", rate_cv=0.1, rate_common=0.5, batch=True, band_over="day")
        staff_over_time(arrivals_per_hour=[0, 1e-300, 5], aht_s=859, interval_s=1800, target=SHARE, patience_s=300)
