"""Agents followed one by one: the first event loop's own answer, examples worked by hand, and bad input."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import InputError
from staffcast.simulation import (
    Arrivals,
    Group,
    Patience,
    Redial,
    Reopening,
    Repeats,
    Service,
    Staffing,
    simulate,
)

EDGES = [0.0, 900.0, 1800.0, 2700.0, 3600.0]
RATES = [60.0, 90.0, 30.0, 60.0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=4, max_size=4),
    st.sampled_from(["finish", "finish_count", "preempt", "handover"]),
    st.sampled_from([None, [0.3, 0.7], [0.2, 0.5, 0.3]]),
    st.fixed_dictionaries(
        {
            "patience": st.sampled_from([None, Patience.exponential(200.0)]),
            "reopening": st.sampled_from([None, Reopening(share=0.3, delay_s=300.0)]),
            "ageing_s": st.sampled_from([None, 100.0]),
            "seed": st.integers(0, 1000),
        }
    ),
    st.sampled_from([{}, {"backlog": 12}, {"repeats": Repeats(share=0.4, after_s=150.0)}]),
    st.booleans(),
    st.booleans(),
)
def test_one_group_is_played_as_by_the_first_loop(agents, rule, priorities, options, more, absent, closed):
    """One group that serves all, one conversation each: every ticket begins and ends as in the first event loop."""
    plan = Staffing.steps(EDGES, agents, absent=0.3 if absent else 0.0)
    options = options | more | {"priorities": priorities, "on_staff_drop": rule, "handover_s": 40.0}
    if options["patience"]:
        options["redial"] = Redial(share=0.5, delay_s=200.0)
    if closed:
        options["opened"] = np.arange(4) % 2 == np.arange(len(priorities or [1]))[:, None] % 2
    arrivals, service = Arrivals.piecewise(EDGES, RATES), Service.lognormal(240.0, 1.0)
    one = simulate(arrivals, plan, service, replications=2, target="80% in 60s", **options)
    other = simulate(
        arrivals, [Group(name="all", staffing=plan)], service, replications=2, target="80% in 60s", **options
    )
    for run in range(2):
        pd.testing.assert_frame_equal(one.tickets(run), other.tickets(run), check_exact=True)
    for table in ("by_interval", "by_class", "by_group"):
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table), atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=4, max_size=4),
    st.lists(st.integers(0, 3), min_size=4, max_size=4),
    st.sampled_from(["finish", "preempt", "handover"]),
    st.sampled_from(["longest_idle", "priority"]),
    st.sampled_from([(1, None), (2, (200.0, 300.0)), (3, None)]),
    st.integers(0, 1000),
)
def test_groups_and_tickets_tell_the_same(first, second, rule, routing, chat, seed):
    """What groups are said to have done is what happened to the tickets, and nobody holds more than there is room."""
    concurrency, ahts = chat
    groups = [
        Group(name="a", staffing=Staffing.steps(EDGES, first), serves=(0,)),
        Group(name="b", staffing=Staffing.steps(EDGES, second), serves=(1, 0), on_staff_drop=rule),
    ]
    outcome = simulate(
        Arrivals.piecewise(EDGES, RATES), groups, Service.gamma(240.0, 0.8), priorities=[0.4, 0.6], seed=seed,
        routing=routing, concurrency=concurrency, aht_by_concurrency_s=ahts, backlog=5, replications=2,
        handover_s=20.0, reopening=Reopening(share=0.2, delay_s=300.0),
    )  # fmt: skip
    table, frame, summary = outcome.by_group, outcome.by_interval, outcome.summary
    assert (table["in_hand_mean"].sum()) == pytest.approx(frame["busy_mean"].mean())
    assert table["overtime_s"].sum() == pytest.approx(summary.overtime_s)
    assert table["handled_s"].sum() == pytest.approx(summary.handled_s)
    assert table["staffed_s"].sum() == pytest.approx(summary.staffed_s)
    assert table["taken"].sum() >= summary.answered - 1e-9
    assert (table["utilization"].dropna() <= 1 + 1e-9).all()
    assert (table["in_hand_mean"] * 3600 <= concurrency * table["handled_s"] + 1e-6).all()
    assert summary.offered == pytest.approx(summary.answered + summary.unanswered)
    if rule == "finish":
        assert table["taken"].sum() == pytest.approx(summary.answered)
    if not sum(first) + sum(second):
        assert summary.answered == 0


def play(times, work, groups, **options):
    """When given tickets begin and end."""
    frame = simulate(Arrivals.trace(times, work), groups, None, replications=1, **options).tickets(0)
    return frame["start_s"].tolist(), frame["end_s"].tolist()


def test_a_chat_beside_another_is_slower_by_hand():
    """Two at once at 1.5 times the time: what is left is stretched when one joins and shortened when one ends."""
    plan = Staffing.steps([0, 4000], [1])
    options = {"concurrency": 2, "aht_by_concurrency_s": (600, 900)}
    # Alone until 200, the first has 400 left, 600 beside the second, which then has had 400 and ends alone.
    assert play([0, 200], [600, 600], plan, **options) == ([0, 200], [800, 1000])
    # A third takes the place that gets free at 800: the second stays slow until 1100, and the third has 400 left.
    assert play([0, 200, 300], [600, 600, 600], plan, **options) == ([0, 200, 800], [800, 1100, 1500])
    # Without times nobody is slower beside others.
    assert play([0, 200], [600, 600], plan, concurrency=2) == ([0, 200], [600, 800])


def test_a_new_chat_goes_to_who_has_fewest_by_hand():
    """The third of three chats with two agents makes the one slow who has had one for longest, not the other."""
    plan = Staffing.steps([0, 4000], [2])
    options = {"concurrency": 2, "aht_by_concurrency_s": (600, 1200)}
    # The first is alone until 100 and has 500 left: 1000 beside the third. The second is alone throughout.
    begin, end = play([0, 50, 100], [600, 600, 700], plan, **options)
    assert begin == [0, 50, 100]
    assert end == [1100, 650, 1300]


@pytest.mark.parametrize(
    ("routing", "begins"), [("longest_idle", [0, 100, 300, 400]), ("priority", [0, 100, 300, 350])]
)
def test_routing_by_hand(routing, begins):
    """A ticket both could take goes to the longest idle, or to the group that prefers it and the other stays free."""
    day = Staffing.steps([0, 2000], [1])
    groups = [Group(name="first", staffing=day, serves=(0,)), Group(name="second", staffing=day, serves=(1, 0))]
    # Class 1 comes at 0 and 350; class 0 at 100 and 300. From 200 the first is idle, from 50 the second.
    times, work, kinds = [0, 100, 300, 350], [50, 100, 100, 100], [1, 0, 0, 1]
    opened = simulate(
        Arrivals.trace(times, work), groups, None, priorities=[0.5, 0.5], replications=400, routing=routing,
    )  # fmt: skip
    drawn = [opened.tickets(run) for run in range(400)]
    found = next(each for each in drawn if each["class"].tolist() == kinds)
    assert found["start_s"].tolist() == begins


def test_an_agent_takes_what_the_group_prefers():
    """Of two that wait, each agent takes the class that stands first in the group's list, not the more urgent."""
    edges = [0.0, 100.0, 1000.0]
    for serves in ((0, 1), (1, 0)):
        group = Group(name="all", staffing=Staffing.steps(edges, [0, 1]), serves=serves)
        outcome = simulate(
            Arrivals.trace([10, 20], [100, 100]), [group], None, priorities=[0.5, 0.5], replications=40, seed=2
        )
        drawn = [outcome.tickets(run) for run in range(40)]
        other = [each for each in drawn if each["class"].nunique() == 2]
        assert other
        for each in other:
            assert each.set_index("class")["start_s"][serves[0]] == 100
            assert each.set_index("class")["start_s"][serves[1]] == 200


def test_leavers_finish_all_they_have_and_take_no_more():
    """At the end of a shift a leaver ends two conversations, the next takes over at once, or they wait for nobody."""
    edges = [0.0, 300.0, 1000.0]
    plan = Staffing.steps(edges, [1, 0])
    outcome = simulate(
        Arrivals.trace([0, 0, 100], [400, 500, 100]), plan, None, concurrency=2, replications=1,
    )  # fmt: skip
    tickets = outcome.tickets(0)
    assert tickets["end_s"].tolist()[:2] == [400, 500]
    assert tickets["outcome"].tolist() == ["answered", "answered", "unanswered"]
    assert outcome.summary.overtime_s == 200
    # At 300 the one goes, the other comes, and reads for 10 s what is left: 100, 200 alone, then the third.
    crew = [
        Group(name="early", staffing=plan, on_staff_drop="handover", concurrency=2),
        Group(name="late", staffing=Staffing.steps(edges, [0, 1]), concurrency=2),
    ]
    tickets = simulate(
        Arrivals.trace([0, 0, 100], [400, 500, 100]), crew, None, handover_s=10.0, replications=1
    ).tickets(0)
    assert tickets["start_s"].tolist() == [0, 0, 410]
    assert tickets["end_s"].tolist() == [410, 510, 510]


def test_uncompiled_is_the_same_to_the_last_bit():
    """Where numba is missing the tickets are the same."""
    code = (
        "from test_floor import a_bit_of_all; import sys; sys.stdout.write(a_bit_of_all().to_csv(float_format='%.17g'))"
    )
    here = str(Path(__file__).parent)
    path = os.pathsep.join([here, *sys.path])
    said = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"STAFFCAST_COMPILE": "0", "PYTHONPATH": path},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout == a_bit_of_all().to_csv(float_format="%.17g")


def a_bit_of_all():
    """Tickets of two groups, with chats, redials, reopening and a shift's end."""
    groups = [
        Group(name="a", staffing=Staffing.steps(EDGES, [2, 3, 1, 2]), serves=(0,), concurrency=1),
        Group(name="b", staffing=Staffing.steps(EDGES, [1, 3, 0, 2], absent=0.1), serves=(1, 0)),
    ]
    return simulate(
        Arrivals.piecewise(EDGES, RATES), groups, Service.lognormal(240.0, 1.0), priorities=[0.4, 0.6],
        patience=Patience.exponential(300.0), redial=Redial(share=0.5, delay_s=200.0), replications=1, seed=9,
        reopening=Reopening(share=0.2, delay_s=300.0), concurrency=3, aht_by_concurrency_s=(200.0, 260.0, 330.0),
        on_staff_drop="handover", handover_s=15.0,
    ).tickets(0)  # fmt: skip


DAY, HALVES = Staffing.steps([0, 900], [2]), Staffing.steps([0, 450, 900], [1, 1])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"concurrency": 0}, "`concurrency` must be a whole number ≥ 1, got 0"),
        ({"concurrency": 2, "aht_by_concurrency_s": [300.0]}, "one for each of 1 … 2 conversations"),
        ({"concurrency": 2, "aht_by_concurrency_s": [300.0, 200.0]}, "not falling"),
        ({"concurrency": 2, "on_staff_drop": "finish_count"}, "by counting alone nobody knows"),
        ({"routing": "nearest"}, "one of longest_idle, priority"),
        ({"staffing": []}, "at least one"),
        ({"staffing": "two"}, "a Staffing or a list of Groups"),
        ({"staffing": [Group(name="a", staffing=DAY, serves=(2,))]}, "a class from 0 to 1"),
        ({"staffing": [Group(name="a", staffing=DAY, serves=(0,))]}, "no group serves class 1"),
        ({"staffing": [Group(name="a", staffing=DAY), Group(name="a", staffing=DAY)]}, "different names"),
        (
            {"staffing": [Group(name="a", staffing=DAY), Group(name="b", staffing=HALVES)]},
            "must have the same grid",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_told(given, says):
    """Each mistake is refused with the parameter, the value and what is legal."""
    options = {"staffing": DAY, "priorities": [0.5, 0.5], "replications": 1} | given
    with pytest.raises(InputError, match=says.replace("(", r"\(")):
        simulate(Arrivals.piecewise([0, 900], [30]), options.pop("staffing"), Service.exponential(60.0), **options)


@pytest.mark.parametrize(
    "given", [{"name": ""}, {"serves": ()}, {"serves": (0, 0)}, {"serves": (-1,)}, {"on_staff_drop": "flee"}]
)
def test_a_wrong_group_cannot_be_made(given):
    """A group without a name, a class twice, none, or an unknown rule."""
    with pytest.raises(InputError):
        Group(**({"name": "a", "staffing": DAY} | given))
