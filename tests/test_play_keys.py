"""What a scenario says of drop rules, bot, what comes back, classes and groups is what is played."""

import io

import numpy as np
import pandas as pd
import pytest
from test_staffing import demand, scenario

from staffcast.comparing import compare_plans
from staffcast.contracts import InputError
from staffcast.crews import require_crews, shared_crews, sharing
from staffcast.playing import not_staffed, outcomes_of, play
from staffcast.report import print_played
from staffcast.scenario import load_scenario
from staffcast.settings import settings_of
from staffcast.utilization import QueueFacts

RATES = {"a": [20.0] * 8, "b": [20.0] * 8}
FACTS = {name: QueueFacts(priorities=("high", "low"), priority_shares=(0.4, 0.6)) for name in RATES}


def plan_of(table, agents):
    return pd.concat(
        [pd.DataFrame({"unique_id": q, "ds": table.ds, "agents": n}) for q, n in agents.items()], ignore_index=True
    )


def summaries(agents=(6, 6), facts=None, **rules):
    wanted = demand(RATES)
    asked = scenario(replications=30, **rules)
    played = play(wanted, plan_of(wanted, dict(zip(RATES, agents, strict=True))), asked, facts=facts)
    return played, played.summary.set_index("unique_id")


def test_each_key_reaches_the_simulation():
    """One queue has the key and the other does not: its figure moves as the key says, the other's does not."""
    _, plain = summaries(agents=(3, 3))
    moved = {
        # Three heads on one day, thirty times: four standard errors.
        "absent": ({"absent": "30%"}, "staffed_s", lambda new, old: abs(new / old - 0.7) < 4 * (0.21 / 90) ** 0.5),
        "bot": ({"bot": {"closes": "25%"}}, "bot_closed", lambda new, _: 30 < new < 50),
        "harder": ({"bot": {"closes": "0%", "harder": "+50%"}}, "load", lambda new, old: abs(new / old - 1.5) < 1e-9),
        "reopening": ({"reopening": {"share": "30%", "after": "1m"}}, "reopened", lambda new, _: new > 20),
        "repeats": ({"repeats": {"share": "50%", "after": "1m", "work": "20%"}}, "repeated", lambda new, _: new > 5),
        "window": ({"window": "2m"}, "expired", lambda new, _: new > 5),
        "first_reply_share": ({"first_reply_share": "50%"}, "frt_mean_s", lambda new, old: new > old + 60),
        "on_staff_drop": ({"on_staff_drop": "preempt"}, "overtime_s", lambda new, _: new == 0),
    }
    for name, (keys, figure, right) in moved.items():
        _, changed = summaries(agents=(3, 3), queues={"a": keys})
        assert right(changed[figure]["a"], plain[figure]["a"]), name
        pd.testing.assert_series_equal(changed.loc["b"], plain.loc["b"])


def test_ageing_brings_the_less_urgent_forward():
    """Of two classes the lower waits less where waiting makes it more urgent."""
    waits = []
    for keys in ({}, {"ageing": "1m"}):
        played, _ = summaries(agents=(3, 3), facts=FACTS, **keys)
        by = played.by_priority.set_index(["unique_id", "priority"])["mean_wait_s"]
        waits.append(by["a", "low"])
    assert waits[1] < waits[0]


def test_a_bot_closes_by_class_and_classes_are_judged_apart():
    """Only the class named loses tickets to the bot; a class that misses its own target makes the plan miss."""
    plain, _ = summaries(facts=FACTS)
    keys = {"bot": {"closes": {"low": "50%"}}, "priority_targets": {"high": "99% in 1s", "low": "mean 10h"}}
    played, _ = summaries(agents=(4, 4), facts=FACTS, queues={"a": keys})
    offered = played.by_priority.set_index(["unique_id", "priority"])["offered"]
    before = plain.by_priority.set_index(["unique_id", "priority"])["offered"]
    assert offered["a", "high"] == before["a", "high"]
    assert offered["a", "low"] == pytest.approx(before["a", "low"] / 2, rel=0.1)
    verdicts = played.by_priority.set_index(["unique_id", "priority"])["verdict"]
    assert (verdicts["a", "high"], verdicts["a", "low"]) == ("missed", "met")
    assert not played.met
    assert any(
        "bot" in text and "targets of priority classes" in text
        for text in not_staffed(demand(RATES), scenario(queues={"a": keys}))
    )


def test_what_customers_do_that_no_model_staffs_for_is_named():
    """A live queue is staffed for redials, a chat is not, and work by a deadline not even for those who give up."""
    crowd = {"patience": "3m", "redial": "40%"}
    keys = {
        "a": crowd,
        "b": crowd | {"concurrency": 2, "aht_by_concurrency": ["5m", "8m"]},
        "c": crowd | {"frt": "80% in 4h"},
    }
    found = not_staffed(demand({name: [20.0] * 8 for name in keys}), scenario(queues=keys))
    assert found == [
        "b: 40 % of those who give up try again",
        "c: customers who give up, 40 % of those who give up try again",
    ]
    # A plan for those who give up knows no redials; one for nobody who does knows neither.
    for model, said in (("erlang_a", []), ("erlang_c, over time", ["customers who give up"])):
        plan = plan_of(demand(RATES), {"a": 3}).assign(model=model)
        told = not_staffed(demand({"a": [20.0] * 8}), scenario(queues={"a": crowd}), plan)
        assert told == ["a: " + ", ".join([*said, "40 % of those who give up try again"])]


def test_the_summary_shows_what_patience_costs():
    """Who gives up stands in the summary where somebody may, and there is no such column where nobody does."""
    wanted, told = demand(RATES), {}
    for name, keys in (("waits", {}), ("leaves", {"queues": {"a": {"patience": "1m"}}})):
        asked = scenario(replications=10, **keys)
        played = play(wanted, plan_of(wanted, {"a": 3, "b": 3}), asked)
        text = io.StringIO()
        print_played(played, wanted, asked, stream=text)
        told[name] = text.getvalue().split("What waits")[0], played.summary.set_index("unique_id")
    assert "gave up" not in told["waits"][0]
    text, summary = told["leaves"]
    assert "gave up" in text
    share = summary.loc["a", "abandoned"] / summary.loc["a", "offered"]
    assert share > 0.05
    assert f"{100 * share:.1f} %" in text


def test_agents_in_groups_are_told_in_grammar():
    """One queue has agents in groups; two share them."""
    wanted = demand(RATES)
    assert not_staffed(wanted, scenario(groups={"g": {"queues": ["a"], "share": "50%"}})) == [
        "a has agents in groups; it is staffed as if they were its own"
    ]
    assert not_staffed(wanted, scenario(groups=GROUP)) == [
        "a and b share agents in groups; each is staffed as if its agents were its own"
    ]


GROUP = {"both": {"queues": ["a", "b"], "share": "50%"}}


def test_shared_agents_bring_nobody_and_lose_nobody():
    """Whatever the shares, groups and the queues' own agents are together the plan's agents."""
    wanted = demand(RATES)
    agents = {"a": np.arange(8), "b": np.array([7, 1, 2, 3, 9, 4, 0, 1])}
    for shares in ((0.5, 0.5), (0.3, 0.45), (1.0, 0.0), (0.1, 0.2)):
        groups = {f"g{k}": {"queues": ["b", "a"], "share": s} for k, s in enumerate(shares) if s}
        asked = scenario(groups=groups, replications=2)
        crews = shared_crews(plan_of(wanted, agents), wanted, asked, settings_of(wanted, asked), ["a", "b"])
        total = sum(each.group.staffing.agents for each in crews)
        assert total.tolist() == (agents["a"] + agents["b"]).tolist()
        assert all((each.group.staffing.agents >= 0).all() for each in crews)


def test_sharing_agents_shortens_the_waits_and_is_said():
    """Half of both crews shared: both queues wait less; groups are listed, and the check says that it did not check."""
    _, alone = summaries(agents=(4, 4))
    wanted = demand(RATES)
    played = play(wanted, plan_of(wanted, {"a": 4, "b": 4}), scenario(replications=30, groups=GROUP), check=True)
    shared = played.summary.set_index("unique_id")
    assert (shared["frt_mean_s"] < alone["frt_mean_s"]).all()
    assert played.by_group["group"].tolist() == ["both", "a", "b"]
    assert played.by_group["staffed_s"].sum() == pytest.approx(alone["staffed_s"].sum())
    assert all("NOT CHECKED: it shares agents" in sentence for sentence in played.checks)
    assert len(played.checks) == 2


def test_groups_from_a_column_and_from_rows_are_the_same_people():
    """Agents of a group in a column of the plan, or in rows of its own name: the same play."""
    wanted = demand(RATES)
    plan = plan_of(wanted, {"a": 2, "b": 2})
    by_column = plan.assign(seniors=["2"] * 8 + [""] * 8)
    by_rows = pd.concat([plan, pd.DataFrame({"unique_id": "seniors", "ds": wanted.ds, "agents": 2})], ignore_index=True)
    group = {"queues": ["a", "b"]}
    one, other = (
        play(wanted, table, scenario(replications=5, groups={"seniors": rules}))
        for table, rules in ((by_column, group | {"column": "seniors"}), (by_rows, group))
    )
    pd.testing.assert_frame_equal(one.outcome, other.outcome)
    assert one.by_group.set_index("group")["staffed_s"]["seniors"] == 2 * 8 * 1800


def test_plans_with_groups_are_compared_on_the_same_tickets():
    """One agent more in a queue that shares helps the other queue too, and the paired interval sees it."""
    wanted = demand(RATES)
    plans = {name: plan_of(wanted, {"a": n, "b": 4}) for name, n in (("four", 4), ("six", 6))}
    asked = scenario(replications=40, groups={"all": {"queues": ["b", "a"], "share": "100%"}})
    found = compare_plans(wanted, plans, asked).differences.set_index(["unique_id", "measure"])
    assert found.loc[("b", "frt_mean_s"), "difference"] < 0
    assert bool(found.loc[("b", "frt_mean_s"), "decided"])


def test_queues_share_round_a_corner():
    """Who shares with a queue that shares with a third is played with it; others are not."""
    asked = scenario(groups={"g": {"queues": ["a", "b"], "share": 0.5}, "h": {"queues": ["b", "c"], "share": 0.5}})
    assert sharing(asked, ["d", "c", "b", "a"]) == [("c", "b", "a")]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"queues": {"a": {"handover": "2m"}}}, "queue 'a': `handover` must be left out with on_staff_drop"),
        (
            {"queues": {"a": {"on_staff_drop": "finish_count", "aht_by_concurrency": ["5m", "7m"]}}},
            "queue 'a': `on_staff_drop`",
        ),
        ({"priority_targets": {"urgent": "80% in 1m"}}, "priority classes: high, low, got 'urgent'"),
        ({"bot": {"closes": {"faq": "80%"}}}, "priority classes: high, low, got 'faq'"),
        (
            {
                "priority_targets": {"urgent": "80% in 1m", "vip": "mean 1h"},
                "queues": {"b": {"bot": {"closes": {"faq": "80%"}}}},
            },
            "high, low, got 'urgent', 'vip'; queue 'b': `bot.closes` must be about the queue's priority classes",
        ),
        (
            {"groups": {"g": {"queues": ["a", "bb"], "share": 0.5}}},
            r"among the queues a, b, got 'bb'; did you mean 'b'",
        ),
        ({"groups": {"a": {"queues": ["a", "b"], "share": 0.5}}}, "a name that no queue has"),
        (
            {"groups": {"g": {"queues": ["a", "b"], "share": 0.7}, "h": {"queues": ["a"], "share": 0.5}}},
            "120% of the agents of 'a'",
        ),
        ({"groups": {"g": {"queues": ["a", "b"]}}}, "has neither `share` nor `column`"),
        (
            {"groups": {"g": {"queues": ["a", "b"], "column": "nobody"}}},
            "column nobody: there is no such column for group 'g'",
        ),
        ({"groups": GROUP, "queues": {"a": {"ageing": "5m"}}}, "must have the same `ageing`"),
        ({"groups": GROUP, "queues": {"a": {"on_staff_drop": "preempt"}}}, "must have the same `on_staff_drop`"),
        ({"groups": GROUP, "queues": {"a": {"aht_by_concurrency": ["5m", "7m"]}}}, "differ in how many conversations"),
        ({"groups": GROUP, "queues": {"a": {"frt": "80% in 8h", "in_gaps_of": "b"}}}, "`in_gaps_of` has to do with it"),
    ],
)
def test_what_does_not_go_together_is_refused(keys, said):
    """The error names the queue or group, the key, what is legal, and what to change."""
    wanted = demand(RATES)
    with pytest.raises(InputError) as error:
        play(wanted, plan_of(wanted, {"a": 3, "b": 3}), scenario(replications=2, **keys), facts=FACTS)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('bot = "30%"', "`bot` must be a table of closes, handover, harder"),
        ('bot = { close = "30%" }', "did you mean `closes`?"),
        ('bot = { closes = "130%" }', "`bot.closes` must be a share in [0, 1]"),
        ('absent = "100%"', "`absent` must be a share in [0, 1)"),
        ('reopening = { share = "10%" }', "`reopening.after` must be given"),
        ('repeats = { share = "10%", after = "1h", work = "0%" }', "`repeats.work` must be above 0"),
        ("ageing = 30", "`ageing` must be a duration with its unit"),
        ('window = "0h"', "`window` must be a duration above 0 s"),
        ('on_staff_drop = "leave"', '`on_staff_drop` must be "finish" or'),
        ('first_reply_share = "120%"', "`first_reply_share` must be a share in [0, 1]"),
        ('priority_targets = { high = "soon" }', "`priority_targets.high`"),
        ('routing = "fair"', '`routing` must be "longest_idle" or "priority"'),
        ('[groups.g]\nqueues = ["a", "a"]', "`groups.g.queues` must be different queues"),
        ('[groups.g]\nqueues = ["a", "b"]\nshare = "0%"', "`groups.g.share` must be a share above 0"),
        ('[groups.g]\nqueue = ["a", "b"]', "did you mean `queues`?"),
    ],
)
def test_bad_values_are_named_with_the_file(tmp_path, line, said):
    """A value out of range is refused with key, file, legal range and fix."""
    (tmp_path / "mine.toml").write_text(line, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_scenario(tmp_path / "mine.toml")
    assert said in str(error.value)
    assert "mine.toml" in str(error.value)


def test_a_plan_that_is_made_needs_shares():
    """Columns and rows of groups belong to plans that are read: where the plan is made they are refused at once."""
    asked = scenario(groups={"g": {"queues": ["a", "b"], "column": "x"}})
    with pytest.raises(InputError, match="columns and rows of groups are for `simulate` and `compare`"):
        require_crews(asked, ["a", "b"], own_plan=True)


def test_groups_cannot_be_resumed(tmp_path):
    """What is played at once cannot go on queue by queue, and that is said."""
    wanted, asked = demand(RATES), scenario(replications=2, groups=GROUP)
    require_crews(asked, wanted.queues)
    with pytest.raises(InputError, match="`resume` must be left out where queues share agents"):
        outcomes_of(wanted, plan_of(wanted, {"a": 3, "b": 3}), asked, settings_of(wanted, asked), resume=tmp_path)
