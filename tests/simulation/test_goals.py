"""The first reply inside the handling, and targets of single classes: by hand, by closed form, by a slow loop."""

import math

import numpy as np
import pytest

from staffcast.contracts import InputError, Target
from staffcast.simulation import (
    Arrivals,
    Group,
    Patience,
    Service,
    Staffing,
    replies,
    self_check,
    simulate,
    verdict_on,
)


def test_the_first_reply_comes_inside_the_handling():
    """One agent, three tickets: FRT is the wait and a quarter of the ticket's own handle time, by hand."""
    log = Arrivals.trace([0.0, 10.0, 20.0], [100.0, 40.0, 80.0])
    outcome = simulate(
        log, Staffing.steps([0, 3600], [1]), None, first_reply_s=5.0, first_reply_share=0.25, replications=1,
        target="60% in 106s",
    )  # fmt: skip
    expected = [0 + 25 + 5, 90 + 10 + 5, 120 + 20 + 5]
    assert outcome.tickets(0)["frt_s"].tolist() == expected
    assert outcome.summary.frt_mean_s == pytest.approx(np.mean(expected))
    assert outcome.summary.service_level == pytest.approx(2 / 3)
    assert outcome.summary.met_share == 1
    assert outcome.summary.mean_wait_s == pytest.approx(70)
    assert outcome.summary.frt_p99_s == pytest.approx(145, rel=0.01)


def test_the_replies_of_a_conversation_are_spread_over_its_handling():
    """Four turns alike of 100 and 40 s after waits of 0 and 90 s: a reply at the end of each quarter, by hand."""
    log = Arrivals.trace([0.0, 10.0], [100.0, 40.0])
    outcome = simulate(log, Staffing.steps([0, 3600], [1]), None, first_reply_share=0.25, replications=1)
    found = replies(outcome, 0, turns=4)
    assert found["at_s"].tolist() == [25.0, 50.0, 75.0, 100.0, 110.0, 120.0, 130.0, 140.0]
    assert found["gap_s"].tolist() == [25.0, 25.0, 25.0, 25.0, 100.0, 10.0, 10.0, 10.0]
    assert found["turn"].tolist() == [1, 2, 3, 4] * 2
    with pytest.raises(InputError, match="`turns` must be a whole number ≥ 2"):
        replies(outcome, 0, turns=1)


def test_the_first_reply_of_a_slowed_chat_is_slowed_with_it():
    """Two conversations that slow each other down: the share is one of the time that they last."""
    chat = Group(name="chat", staffing=Staffing.steps([0, 3600], [1]), concurrency=2, aht_by_concurrency_s=(600, 900))
    outcome = simulate(Arrivals.trace([0, 200], [600, 600]), [chat], None, replications=1, first_reply_share=0.5)
    assert outcome.tickets(0)["frt_s"].tolist() == [400.0, 400.0]


def test_with_enough_agents_the_share_in_time_is_that_of_the_handle_times():
    """P(share × S ≤ T) = 1 − exp(−T ÷ (share × mean)) where nobody waits, within four standard errors."""
    edges = np.arange(11) * 3600.0
    outcome = simulate(
        Arrivals.piecewise(edges, [200] * 10), Staffing.steps(edges, [200] * 10), Service.exponential(300),
        first_reply_share=0.3, target="50% in 60s", replications=60,
    )  # fmt: skip
    error = outcome.by_replication["service_level"].std() / math.sqrt(60)
    assert abs(outcome.summary.service_level - (1 - math.exp(-60 / 90))) < 4 * error
    assert abs(outcome.summary.frt_mean_s - 90) < 4 * outcome.summary.frt_mean_s_se
    assert outcome.summary.frt_p90_s == pytest.approx(90 * math.log(10), rel=0.03)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_classes_are_judged_as_a_slow_loop_judges_them(share):
    """Share, percentile and mean of each class, over all tickets of all replications one by one."""
    targets = ["70% in 2m", "p80 5m", "mean 4m"]
    edges = [0, 3600, 7200]
    outcome = simulate(
        Arrivals.piecewise(edges, [60, 60]), Staffing.steps(edges, [6, 5]), Service.exponential(300),
        patience=Patience.exponential(600), priorities=[0.2, 0.3, 0.5], class_targets=targets, first_reply_share=share,
        replications=12,
    )  # fmt: skip
    tickets = [outcome.tickets(r) for r in range(12)]
    for line, text in enumerate(targets):
        target, over, under = Target.parse(text), 0.0, 0
        for played in tickets:
            for row in played[played["class"] == line].to_dict("records"):
                late = row["frt_s"] > target.seconds
                if target.kind == "share":
                    over += row["outcome"] == "answered" and not late
                    under += row["outcome"] != "unanswered" or late
                elif row["outcome"] != "abandoned":
                    over += row["frt_s"] if target.kind == "mean" else not late
                    under += 1
        row = outcome.by_class.loc[line]
        assert row["target_value"] == pytest.approx(over / under)
        assert row["target_value_low"] < row["target_value"] < row["target_value_high"]
        assert row["verdict"] == verdict_on(target, *row[["target_value", "target_value_low", "target_value_high"]])
        assert row["target"] == str(target)


def test_a_verdict_allows_for_its_doubt():
    """Within the interval nothing is decided; beyond it, and without an interval, the figure decides."""
    share, mean = Target.parse("80% in 60s"), Target.parse("mean 60s")
    assert [verdict_on(share, v, v - 0.02, v + 0.02) for v in (0.9, 0.81, 0.7)] == ["met", "undecided", "missed"]
    assert [verdict_on(mean, v, v - 2, v + 2) for v in (50, 61, 70)] == ["met", "undecided", "missed"]
    assert [verdict_on(share, v, math.nan, math.nan) for v in (0.8, 0.7, math.nan)] == ["met", "missed", "undecided"]


def test_classes_without_a_target_have_no_verdict():
    """Only what was asked is judged."""
    edges = [0, 3600]
    outcome = simulate(
        Arrivals.piecewise(edges, [60]), Staffing.steps(edges, [6]), Service.exponential(300), priorities=[0.5, 0.5],
        class_targets=["70% in 2m", None], replications=3,
    )  # fmt: skip
    assert outcome.by_class["verdict"].tolist()[1] == ""
    assert math.isnan(outcome.by_class["target_value"][1])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"first_reply_share": 30}, r"`first_reply_share` must be a share in \[0, 1\], got 30; write 30 % as 0.3"),
        ({"class_targets": ["80% in 60s", None]}, "`class_targets` must be 1 of them"),
        ({"class_targets": "80% in 60s"}, "`class_targets` must be 1 of them"),
    ],
)
def test_bad_values_are_named(options, said):
    """What is out of range is refused with what is legal."""
    with pytest.raises(InputError, match=said):
        simulate(Arrivals.trace([0.0], [1.0]), Staffing.steps([0, 60], [1]), None, replications=1, **options)


def test_groups_are_not_checked_in_silence():
    """The equations know one group with one ticket per agent; of several they say that nothing was checked."""
    edges = [0, 3600]
    groups = [Group(name=name, staffing=Staffing.steps(edges, [3])) for name in "ab"]
    outcome = simulate(Arrivals.piecewise(edges, [30]), groups, Service.exponential(300), replications=2)
    with pytest.raises(InputError, match="not checked: the exact equations know one group"):
        self_check(outcome)
