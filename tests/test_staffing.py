import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import REQUIREMENT, Band, InputError
from staffcast.erlang import required_agents
from staffcast.forecast import Demand
from staffcast.scenario import Scenario
from staffcast.staffing import apply_what_if, pooled_demand, pooling_gain, spread_carried, staff, with_handle_times

START = pd.Timestamp("2026-03-02T08:00", tz="Europe/Berlin")


def demand(means, carried=None, opened=None, aht=300.0, **more):
    """Half hours of one queue per entry of `means`; at least two, as their distance gives the length."""
    parts = []
    for queue, mean in means.items():
        mean = np.asarray(mean, dtype=float)
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": queue, "mean": mean,
                    "ds": pd.date_range(START, periods=len(mean), freq="30min"),
                    "carried": np.zeros(len(mean)) if carried is None else carried,
                    "open": np.ones(len(mean), dtype=bool) if opened is None else opened, "aht_s": aht, **more,
                }
            )
        )  # fmt: skip
    return Demand.from_frame(pd.concat(parts, ignore_index=True))


def scenario(queues=None, **options):
    """Rules for all, with what the queues have of their own on top, as in a file."""
    return Scenario().with_options(options).with_options({"queues": queues})


@given(
    rows=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()), min_size=1, max_size=40),
    intervals=st.integers(1, 12),
)
def test_spreading_keeps_every_ticket_of_a_day(rows, intervals):
    """What waited at an opening is worked off within that opening: nothing lost, made, moved before or past closing."""
    opened = np.array([o for *_, o in rows])
    first = opened & ~np.concatenate([[False], opened[:-1]])
    carried = np.where(first, [c for _, c, _ in rows], 0.0)
    mean = np.where(opened, [m for m, *_ in rows], 0.0) + carried
    worked = spread_carried(mean, carried, opened, intervals)
    assert worked.sum() == pytest.approx(mean.sum())
    assert (worked >= -1e-12).all()
    assert (worked[~opened] == 0).all()
    stretch = np.cumsum(first)
    for number in range(1, stretch.max() + 1):
        inside = opened & (stretch == number)
        assert worked[inside].sum() == pytest.approx(mean[inside].sum())
        assert (np.cumsum(worked[inside]) <= np.cumsum(mean[inside]) + 1e-9).all()
        later = np.flatnonzero(inside)[intervals:]
        assert worked[later].tolist() == pytest.approx(mean[later].tolist())


def test_spreading_by_hand():
    """Six that waited are two more in each of three intervals, and three more in each of two before closing."""
    mean, carried = np.array([0, 10.0, 4, 4, 4, 0]), np.array([0, 6.0, 0, 0, 0, 0])
    opened = np.array([False, True, True, True, True, False])
    assert spread_carried(mean, carried, opened, 3).tolist() == [0, 6, 6, 6, 4, 0]
    opened[3:] = False
    mean[3:] = 0
    assert spread_carried(mean, carried, opened, 3).tolist() == [0, 7, 7, 0, 0, 0]


def test_each_interval_is_staffed_on_its_own():
    """The plan of a morning is what the solver says of each interval alone: agents, rule and figures."""
    means = np.array([0, 0, 25, 12, 12, 3, 90, 0])
    carried = np.array([0, 0, 9, 0, 0, 0, 0, 0.0])
    opened = np.array([False, False, True, True, True, True, True, True])
    worked = [0, 0, 19, 15, 15, 3, 90, 0]
    rules = scenario(frt="80% in 60s", band="85%-90%", shrinkage="30%", clear_within="90m", first_reply="10s")
    plan = staff(demand({"a": means}, carried=carried, opened=opened, aht=360.0), rules)
    REQUIREMENT.check(plan)
    assert plan["worked"].tolist() == pytest.approx(worked)
    for i, tickets in enumerate(worked):
        alone = required_agents(
            arrivals_per_hour=2 * tickets, aht_s=360.0, target=rules.rules.frt, band=Band(), first_reply_s=10.0
        )
        assert plan["agents"][i] == int(alone.agents)
        assert plan["binding"][i] == str(alone.binding)
        assert plan["service_level"][i] == pytest.approx(float(alone.service_level), nan_ok=True)
        assert plan["frt_mean_s"][i] == pytest.approx(float(alone.frt_mean_s), nan_ok=True)
        assert plan["load_erl"][i] == pytest.approx(2 * tickets * 360 / 3600)
    assert (plan["rostered"] * 0.7 >= plan["agents"] - 1e-9).all()
    assert ((plan["rostered"] - 1) * 0.7 < plan["agents"])[plan["agents"] > 0].all()


def test_queues_are_staffed_by_their_own_rules():
    """Two queues with equal demand and unequal targets are staffed as each alone would be."""
    both = demand({"a": [30, 40], "b": [30, 40]})
    rules = scenario(frt="80% in 5m", band="none", queues={"b": {"frt": "99% in 5s"}})
    plan = staff(both, rules)
    for queue, frt in (("a", "80% in 5m"), ("b", "99% in 5s")):
        alone = staff(demand({queue: [30, 40]}), scenario(frt=frt, band="none"))
        pd.testing.assert_frame_equal(plan[plan["unique_id"] == queue].reset_index(drop=True), alone)
    assert plan["agents"].tolist()[2] > plan["agents"].tolist()[0]


def test_closed_intervals_need_nobody():
    """Closed, nobody works, even where a minimum is set; open without demand, the minimum does."""
    opened = np.array([False, True, True, False])
    plan = staff(demand({"a": [0, 0, 40, 0]}, opened=opened), scenario(minimum=3))
    assert plan["agents"].tolist()[:2] == [0, 3]
    assert plan["agents"].tolist()[3] == 0
    assert plan["rostered"].tolist()[3] == 0
    assert plan["occupancy"].isna().tolist() == [True, False, False, True]
    assert plan["reason"].tolist()[0] == plan["reason"].tolist()[3] == "closed"
    assert plan["reason"][1] == "minimum of 3; demand alone asks for 0"
    assert staff(demand({"a": [0, 5]}), scenario())["reason"][0] == "no demand"


def test_the_reason_names_the_numbers():
    """Each reason has the agents, one fewer, and the figures of the rule that decided, as the tables have them."""
    plan = staff(demand({"a": [15, 450]}, aht=360.0), scenario(frt="80% in 60s", band="85%-90%"))
    # 3 erlang: 5 agents by the FRT. 90 erlang: 100 agents by the band, as 99 would be 90.9 % busy.
    assert plan["agents"].tolist() == [5, 100]
    assert plan["binding"].tolist() == ["frt", "occupancy"]
    assert plan["reason"][0].startswith("80 % in 60 s: 83.1 % with 5, 56.9 % with 4")
    assert "25.0 points below the band 85–90 %" in plan["reason"][0]
    assert plan["reason"][1].startswith("99 would be 90.9 % occupied, above 90 %; FRT alone asks for 9")
    for frt, unit in (("mean 60s", "mean ≤ 60 s: "), ("p95 9m", "p95 ≤ 9 min: ")):
        reason = staff(demand({"a": [15, 15]}, aht=360.0), scenario(frt=frt, band="none"))["reason"][0]
        assert reason.startswith(unit)
        assert reason.count(" with ") == 2


def test_the_first_figure_of_the_reason_by_hand():
    """3 erlang on 5 agents: 83.1 % within 60 s by Erlang's formula worked out by hand."""
    waits = 3**5 / 120 * 5 / 2 / (1 + 3 + 4.5 + 4.5 + 3.375 + 3**5 / 120 * 5 / 2)
    share = 100 * (1 - waits * np.exp(-2 * 60 / 360))
    reason = staff(demand({"a": [15, 15]}, aht=360.0), scenario(frt="80% in 60s"))["reason"][0]
    assert f": {share:.1f} % with 5" in reason


def test_doubt_about_the_rate_costs_agents():
    """A rate that may be a fifth off needs more people, unless the scenario says to ignore it."""
    sure, unsure = demand({"a": [300, 300]}), demand({"a": [300, 300]}, rate_cv=0.2)
    assert staff(unsure, scenario())["agents"][0] > staff(sure, scenario())["agents"][0]
    assert staff(unsure, scenario(uncertain_rate=False))["agents"][0] == staff(sure, scenario())["agents"][0]


def test_what_if_changes_the_demand():
    """+20 % volume with 30 % deflection is 0.84 of the tickets; −10 % AHT 0.9 of the time; uncertainty stays."""
    base = demand({"a": [100, 50]}, carried=[10, 0], q05=[90.0, 40.0], q95=[110.0, 60.0], rate_cv=0.1)
    before = base.frame.copy()
    made = apply_what_if(base, scenario(what_if={"volume": "+20%", "aht": "-10%", "deflection": "30%"})).frame
    assert made["mean"].tolist() == pytest.approx([84, 42])
    assert made["carried"].tolist() == pytest.approx([8.4, 0])
    assert made["q05"].tolist() == pytest.approx([75.6, 33.6])
    assert made["q95"].tolist() == pytest.approx([92.4, 50.4])
    assert made["aht_s"].tolist() == pytest.approx([270, 270])
    assert made["rate_cv"].tolist() == [0.1, 0.1]
    pd.testing.assert_frame_equal(base.frame, before)
    pd.testing.assert_frame_equal(apply_what_if(base, scenario()).frame, before)


def test_a_bot_that_answers_all_leaves_no_work():
    """With everything deflected, nobody is needed."""
    none = apply_what_if(demand({"a": [100, 50]}), scenario(what_if={"deflection": "100%"}))
    assert staff(none, scenario())["agents"].tolist() == [0, 0]


def test_handle_times_of_the_scenario():
    """The scenario's handle time replaces the measured one, per queue where it says so."""
    both = demand({"a": [10, 10], "b": [10, 10]}, aht=300.0)
    made = with_handle_times(both, scenario(queues={"b": {"aht": "10m"}})).frame
    assert made["aht_s"].tolist() == [300, 300, 600, 600]
    assert set(both.frame["aht_s"]) == {300}


def test_pooled_demand_is_the_same_work():
    """One crew gets the same tickets and the same work, and is open when any queue is."""
    both = demand({"a": [10, 0, 30], "b": [20, 0, 0]}, aht=300.0, rate_cv=0.2)
    both.frame.loc[both.frame["unique_id"] == "b", "aht_s"] = 600.0
    both.frame.loc[3:, "open"] = [True, False, False]
    pooled = pooled_demand(both).frame
    assert pooled["mean"].tolist() == [30, 0, 30]
    assert (pooled["mean"] * pooled["aht_s"]).tolist() == pytest.approx([10 * 300 + 20 * 600, 0, 30 * 300])
    assert pooled["open"].tolist() == [True, True, True]
    assert pooled["rate_cv"].tolist() == pytest.approx([np.hypot(2, 4) / 30, 0, 0.2])


@settings(deadline=None, max_examples=30)
@given(
    means=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=2, max_size=6),
    frt=st.sampled_from(["80% in 20s", "80% in 60s", "95% in 5m", "mean 30s", "p95 9m"]),
    band=st.sampled_from(["none", "85%-90%", "50%-70%"]),
    aht=st.sampled_from([60.0, 300.0, 1800.0]),
)
def test_pooling_never_needs_more(means, frt, band, aht):
    """Equal targets and handle times given, one crew for two queues needs no more agent hours than two crews."""
    both = demand(dict(zip("ab", np.array(means, dtype=float).T, strict=True)), aht=aht)
    rules = scenario(frt=frt, band=band, method="steady")  # in which the two are compared
    plan = staff(both, rules)
    gain = pooling_gain(both, plan, rules)
    assert gain is not None
    assert gain["agent_hours"] == plan["agents"].sum() / 2
    assert gain["pooled_agent_hours"] <= gain["agent_hours"]
    assert gain["pooled_occupancy"] >= gain["occupancy"] - 1e-12


def test_one_queue_has_nothing_to_pool():
    """A single queue has no gain from pooling."""
    one = demand({"a": [10, 20]})
    assert pooling_gain(one, staff(one, scenario()), scenario()) is None


def test_a_queue_without_handle_time():
    """Staffing without a handle time is refused."""
    with pytest.raises(InputError, match="aht"):
        staff(demand({"a": [10, 20]}, aht=np.nan), scenario())
