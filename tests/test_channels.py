"""Which queueing model staffs a queue, and what the requirement table makes of each."""

import numpy as np
import pandas as pd
import pytest
from test_staffing import demand, scenario

from staffcast.channels import model_of
from staffcast.contracts import REQUIREMENT, InputError
from staffcast.erlang import performance, required_agents, spare_seconds, transient_performance
from staffcast.levers import queue_levers
from staffcast.playing import play
from staffcast.report import model_notes
from staffcast.staffing import staff


@pytest.mark.parametrize(
    ("rules", "aht", "label"),
    [
        ({}, 300, "erlang_c"),
        ({"patience": "3m"}, 300, "erlang_a"),
        ({"patience": "3m", "redial": 0.4}, 300, "erlang_x"),
        ({"concurrency": 3, "turns": 6, "turn_gap": "90s"}, 300, "chat"),
        ({"aht_by_concurrency": ["5m", "7m"]}, 300, "chat"),
        ({"frt": "80% in 8h"}, 300, "deferrable, over time"),
        ({"frt": "80% in 8h", "channel": "live"}, 300, "erlang_c"),
        ({"channel": "deferrable", "frt": "80% in 30m"}, 300, "deferrable, over time"),
        ({}, 1200, "erlang_c, over time"),
        ({"patience": "3m"}, 1200, "erlang_a, over time"),
        ({"method": "steady"}, 1200, "erlang_c"),
        ({"method": "over_time"}, 300, "erlang_c, over time"),
    ],
)
def test_the_model_follows_from_the_rules(rules, aht, label):
    """Channel, concurrency, patience, target and handle time decide, and the plan says so in words."""
    model = model_of(scenario(**rules).rules, minutes=30, aht_s=aht)
    assert model.label == label
    assert model.why
    assert bool(model.erlang_c) == (model.name in ("chat", "deferrable"))


@pytest.mark.parametrize(
    ("queues", "says"),
    [
        ({"a": {"aht_by_concurrency": ["5m", "7m"], "channel": "live"}}, r"queue 'a'.*channel.*chat"),
        ({"a": {"redial": 0.4}}, r"queue 'a'.*redial.*patience"),
        ({"a": {"concurrency": 3, "aht_by_concurrency": ["5m", "7m"]}}, r"queue 'a'.*aht_by_concurrency.*3"),
        ({"a": {"aht_by_concurrency": ["5m", "7m"], "method": "over_time"}}, r"queue 'a'.*method.*steady"),
        ({"a": {"in_gaps_of": "c"}}, r"queue 'a'.*in_gaps_of.*other queues: b"),
        ({"a": {"in_gaps_of": "b"}, "b": {"channel": "deferrable"}}, r"queue 'a'.*in_gaps_of.*live queue"),
        ({"a": {"in_gaps_of": "b"}}, r"in_gaps_of.*cannot wait.*deferrable"),
    ],
)
def test_rules_that_do_not_go_together_are_refused(queues, says):
    """The error names the queue, the rule, and what to change."""
    with pytest.raises(InputError, match=f"(?s){says}"):
        staff(demand({"a": [30, 40], "b": [30, 40]}), scenario(queues=queues))


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("aht_by_concurrency", ["7m", "5m"], "non-decreasing"),
        ("aht_by_concurrency", [], "handle times"),
        ("concurrency", 0, "from 1"),
        ("channel", "fax", "live"),
        ("redial", 40, "0.4"),
        ("method", "quick", "steady"),
        ("in_gaps_of", "", "name of a queue"),
    ],
)
def test_a_wrong_value_is_named(key, value, says):
    """Each key is read and checked on its own too."""
    with pytest.raises(InputError, match=f"(?s){key}.*{says}"):
        scenario(**{key: value})


def test_patience_staffs_by_erlang_a():
    """With impatient customers fewer agents do, each row is what the door says, and Erlang C stands beside it."""
    rules = scenario(patience="2m", band="none", frt="80% in 20s")
    plan = staff(demand({"a": [200, 60]}), rules)
    asked = {"arrivals_per_hour": [400, 120], "aht_s": 300, "target": rules.rules.frt}
    assert plan["agents"].tolist() == required_agents(**asked, patience_s=120).agents.tolist()
    assert plan["erlang_c_agents"].tolist() == required_agents(**asked).agents.tolist()
    assert (plan["agents"] < plan["erlang_c_agents"]).all()
    assert set(plan["model"]) == {"erlang_a"}


def test_chats_are_staffed_by_the_chat_model():
    """Agents with three conversations are fewer, and the service level is that of the chain of chats."""
    rules = scenario(aht_by_concurrency=["5m", "6m20s", "8m"], frt="80% in 60s", band="none")
    plan = staff(demand({"a": [100, 20]}), rules)
    found = performance(
        arrivals_per_hour=[200, 40], aht_s=300, agents=plan["agents"].to_numpy(), target_s=60,
        aht_by_concurrency_s=[300, 380, 480],
    )  # fmt: skip
    assert plan["agents"][0] == 10
    assert plan["service_level"].tolist() == pytest.approx(found.service_level.tolist())
    assert plan["erlang_c_agents"].isna().all()


def test_followed_over_time_each_interval_keeps_the_target():
    """What is staffed over time keeps its target in every interval by the forward equations; percentiles rise."""
    means = [8, 8, 20, 30, 30, 12, 6, 6]
    rules = scenario(frt="80% in 2m", band="none", first_reply="20s")
    plan = staff(demand({"a": means}, aht=1500.0), rules)
    REQUIREMENT.check(plan)
    assert set(plan["model"]) == {"erlang_c, over time"}
    there = transient_performance(
        arrivals_per_hour=np.array(means) * 2, aht_s=1500, agents=plan["agents"].to_numpy(), interval_s=1800,
        target_s=120, first_reply_s=20,
    )  # fmt: skip
    assert (there.service_level >= 0.8 - 1e-4).all()
    assert plan["service_level"].tolist() == pytest.approx(there.service_level.tolist(), abs=1e-4)
    quantiles = plan[["frt_p50_s", "frt_p90_s", "frt_p95_s", "frt_p99_s"]].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    steady = staff(
        demand({"a": means}, aht=1500.0), scenario(frt="80% in 2m", band="none", first_reply="20s", method="steady")
    )
    assert plan["agents"].tolist() != steady["agents"].tolist()


def test_work_that_may_wait_takes_fewer_people_than_erlang_c():
    """Email by tomorrow needs little more than its load, and the plan keeps its promise when it is played."""
    day = np.concatenate([np.zeros(16), np.array([30] * 4 + [12] * 12), np.zeros(16)])
    opened = np.tile(np.concatenate([np.zeros(16), np.ones(16), np.zeros(16)]).astype(bool), 4)
    tickets = demand({"mail": np.tile(day, 4)}, opened=opened, aht=900.0)
    rules = scenario(frt="90% in 3h", band="85%-95%", replications=60)
    plan = staff(tickets, rules)
    assert set(plan["model"]) == {"deferrable, over time"}
    assert (plan["agents"][~opened] == 0).all()
    live = staff(tickets, scenario(frt="90% in 3h", band="85%-95%", channel="live"))
    assert plan["agents"].sum() < live["agents"].sum()
    assert plan["agents"].sum() < 1.3 * plan["load_erl"].sum()
    played = play(tickets, plan, rules)
    assert played.summary["verdict"].tolist() == ["met"]


def test_work_in_the_gaps_needs_fewer_of_its_own():
    """Idle time of the live queue is used first, never above the top of its band, and never by two."""
    half_hours = demand({"live": [20] * 24, "mail": [6] * 24}, aht=600.0)
    alone = staff(half_hours, scenario(queues={"mail": {"frt": "80% in 4h"}}))
    helped = staff(half_hours, scenario(queues={"mail": {"frt": "80% in 4h", "in_gaps_of": "live"}}))
    own = {
        name: plan.loc[plan["unique_id"] == "mail", "agents"].sum()
        for name, plan in (("alone", alone), ("helped", helped))
    }
    live = helped[helped["unique_id"] == "live"]
    spare = spare_seconds(agents=live["agents"], load_erl=live["load_erl"], interval_s=1800).sum() / 1800
    assert own["alone"] > 0
    assert own["helped"] <= own["alone"] - min(0.5 * spare, own["alone"])
    pd.testing.assert_frame_equal(alone[alone["unique_id"] == "live"], live)
    more = demand({"live": [20] * 24, "mail": [6] * 24, "web": [6] * 24}, aht=600.0)
    waiting = {"frt": "80% in 4h", "in_gaps_of": "live"}
    with pytest.raises(InputError, match="does not use already"):
        staff(more, scenario(queues={"mail": waiting, "web": waiting}))


def test_an_open_backlog_calls_people_in():
    """Tickets open at the start are staffed for where work has a deadline."""
    tickets = demand({"mail": [6] * 24}, aht=600.0)
    rules = scenario(frt="80% in 4h", band="none")
    free, full = staff(tickets, rules), staff(tickets, rules, backlog={"mail": [60.0] * 60})
    assert full["agents"].sum() >= free["agents"].sum() + 15
    assert full["agents"][:10].sum() > free["agents"][:10].sum()


def test_the_chance_of_a_good_day():
    """An uncertain rate makes some intervals and days miss; without doubt they are all met."""
    sure, unsure = (
        staff(demand({"a": [100, 120]}), scenario()),
        staff(demand({"a": [100, 120]}, rate_cv=0.2), scenario()),
    )
    assert sure["p_met"].tolist() == [1, 1]
    assert ((unsure["p_met"] > 0.5) & (unsure["p_met"] < 1)).all()
    assert unsure["p_met_day"].nunique() == 1


def test_as_many_processes_as_you_like():
    """The plan does not depend on the number of processes."""
    tickets = demand({"a": [30, 40, 20], "b": [5, 8, 9]}, aht=1500.0)
    pd.testing.assert_frame_equal(staff(tickets, scenario()), staff(tickets, scenario(), processes=2))


def test_the_plan_says_which_model_and_why():
    """A sentence per queue names the model, the reason, and plain Erlang C beside it or why it does not apply."""
    tickets = demand({"a": [30] * 4, "b": [30] * 4, "c": [30] * 4}, aht=600.0)
    rules = scenario(queues={"b": {"frt": "80% in 2h"}, "c": {"aht_by_concurrency": ["10m", "14m"]}})
    plan = staff(tickets, rules)
    first, second, third = model_notes(tickets, plan, rules)
    assert first.startswith("a is staffed by Erlang C over time: ")
    assert "Plain Erlang C at the forecast's mean would say" in first
    assert "deadline" in second
    assert "does not apply" in second
    assert "2 conversations at once" in third
    assert "does not apply" in third


def test_levers_have_sizes():
    """For a small queue below its band each lever brings something, and the pooling partner is a real one."""
    found = {each.queue: each for each in queue_levers(demand({"a": [10] * 4, "b": [12] * 4}), scenario())}
    assert found["a"].pool_with == "b"
    for each in found.values():
        assert each.deferrable_hours > 0
        assert each.pool_hours > 0
        assert each.concurrency_hours > 0
        assert 0 < each.deflection < 1
