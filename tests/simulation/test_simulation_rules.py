"""Who is taken when: interruption, handing over, ageing, hours by class; by hand and as what must always hold."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation_exact import play_tickets

from staffcast.simulation import Arrivals, Bot, Patience, Redial, Reopening, Repeats, Service, Staffing, simulate
from staffcast.simulation.replication import play_replication

EDGES = [0.0, 900.0, 1800.0, 2700.0, 3600.0]


def log(times, services, edges, agents, **options):
    """A recorded log played once."""
    return simulate(Arrivals.trace(times, services), Staffing.steps(edges, agents), None, replications=1, **options)


def a_day(agents=(3, 6, 2, 4), **options):
    options = {"replications": 6, "seed": 11, "priorities": [0.3, 0.5, 0.2]} | options
    return simulate(
        Arrivals.piecewise(EDGES, [60.0, 90.0, 30.0, 60.0]), Staffing.steps(EDGES, agents), Service.gamma(240.0, 1.3),
        **options,
    )  # fmt: skip


def test_who_takes_a_ticket_over_reads_it_first():
    """100 s of work, interrupted at 60 s and at 110 s; who goes on needs 15 s to read, each time."""
    # A rises at 0; nobody from 60 to 80; one from 80 to 110; nobody to 200; then one. A second ticket waits meanwhile.
    edges, agents = [0.0, 60.0, 80.0, 110.0, 200.0, 400.0], [1, 0, 1, 0, 1]
    outcome = log([0.0, 10.0], [100.0, 50.0], edges, agents, on_staff_drop="handover", handover_s=15.0)
    tickets, frame = outcome.tickets(0), outcome.by_interval
    # After 80 there are 40 + 15 s to do, 30 s of them until 110; then 25 + 15 s from 200 on.
    assert tickets["start_s"].tolist() == [0.0, 240.0]
    assert tickets["end_s"].tolist() == [240.0, 290.0]
    assert tickets["wait_s"].tolist() == [0.0, 230.0]
    assert (frame["busy_mean"] * np.diff(edges)).tolist() == pytest.approx([60, 0, 30, 0, 90])
    # Waiting: the second ticket from 10 to 240, the first while interrupted.
    assert (frame["queue_mean"] * np.diff(edges)).tolist() == pytest.approx([50, 40, 30, 180, 40])
    assert frame["queue_end"].tolist() == [1, 2, 1, 2, 0]
    assert outcome.summary.handled_s == pytest.approx(100 + 2 * 15 + 50)
    # To resume without reading saves twice 15 s.
    without = log([0.0, 10.0], [100.0, 50.0], edges, agents, on_staff_drop="preempt").tickets(0)
    assert without["end_s"].tolist() == [210.0, 260.0]


def test_of_tickets_interrupted_together_the_one_begun_first_goes_on_first():
    """Three are interrupted at once, one of them begun earlier: one agent resumes them in order, then takes others."""
    edges, agents = [0.0, 20.0, 30.0, 500.0], [3, 0, 1]
    times, services = [0.0, 5.0, 5.0, 8.0], [100.0, 100.0, 100.0, 10.0]
    tickets = log(times, services, edges, agents, on_staff_drop="preempt").tickets(0)
    assert tickets["end_s"].tolist() == [30 + 80, 110 + 85, 195 + 85, 290]


def test_handing_over_without_reading_is_to_preempt():
    """With 0 s to read both rules play the same, ticket by ticket."""
    returns = {"reopening": Reopening(share=0.3, delay_s=300.0), "backlog": 10}
    one, other = a_day(on_staff_drop="preempt", **returns), a_day(on_staff_drop="handover", handover_s=0.0, **returns)
    pd.testing.assert_frame_equal(one.by_interval, other.by_interval, check_exact=True)
    for r in range(6):
        pd.testing.assert_frame_equal(one.tickets(r), other.tickets(r), check_exact=True)
    assert a_day(on_staff_drop="handover", handover_s=60.0, **returns).summary.answered < one.summary.answered


@pytest.mark.parametrize(("ageing", "same"), [(1e9, {}), (1e-7, {"priorities": None})])
def test_ageing_lies_between_fixed_priorities_and_first_come_first_served(ageing, same):
    """So slow that nobody ages it is the one, so fast that only age counts the other, ticket by ticket."""
    aged, limit = a_day(ageing_s=ageing), a_day(**same)
    for r in range(6):
        np.testing.assert_array_equal(aged.tickets(r)["start_s"], limit.tickets(r)["start_s"])
    assert not a_day(ageing_s=300.0).tickets(0)["start_s"].equals(limit.tickets(0)["start_s"])


@pytest.mark.parametrize(("ageing", "first"), [(45.0, 0), (41.0, 0), (39.0, 1), (35.0, 1), (math.inf, 0)])
def test_an_old_ticket_overtakes_an_urgent_one_by_hand(ageing, first):
    """At 100 s class 1 has waited for 90 s and class 0 for 50 s: 1 − 90 ÷ a is less than −50 ÷ a where a < 40 s."""
    tickets = [(10.0, 30.0, math.inf, 1, 1), (50.0, 30.0, math.inf, 0, 2)]
    played = play_tickets(tickets, [0.0, 100.0, 500.0], [0, 1], {"ageing": ageing})
    assert played.begin_s.tolist() == ([130.0, 100.0] if first == 0 else [100.0, 130.0])


def test_a_closed_class_waits_beside_an_idle_agent_by_hand():
    """Class 1 is closed from 100 to 200 s: it waits although somebody is free, and class 0 is taken."""
    edges = [0.0, 100.0, 200.0, 300.0]
    arrivals = Arrivals.piecewise(edges, [0.0] * 3, lumps=[0.0, 12.0, 0.0])
    tickets = simulate(
        arrivals, Staffing.steps(edges, [20, 20, 20]), Service.deterministic(5.0), priorities=[0.5, 0.5],
        opened=[[True] * 3, [True, False, True]], replications=1,
    ).tickets(0)  # fmt: skip
    assert set(tickets["class"]) == {0, 1}
    assert tickets["start_s"].tolist() == [100.0 if kind == 0 else 200.0 for kind in tickets["class"]]


share = st.sampled_from([0.0, 0.5])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 7), min_size=4, max_size=4),
    st.sampled_from(["finish", "finish_count", "preempt", "handover"]),
    st.tuples(share, share, share),
    st.sampled_from([None, 200.0]),
    st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=3, max_size=3),
    st.integers(0, 20),
    st.sampled_from([0.0, 0.2]),
)
def test_what_holds_of_every_play(agents, rule, shares, ageing, opened, backlog, absent):
    """Nobody is lost or waits beside a free agent, no more in hand than staff and leavers, all work is done once."""
    outcome = simulate(
        Arrivals.piecewise(EDGES, [60.0, 90.0, 30.0, 60.0]), Staffing.steps(EDGES, agents, absent=absent),
        Service.lognormal(240.0, 1.0), patience=Patience.weibull(300.0, 0.8), priorities=[0.3, 0.5, 0.2],
        backlog=backlog, on_staff_drop=rule, handover_s=20.0, ageing_s=ageing, opened=opened,
        redial=Redial(share=shares[0], delay_s=100.0), reopening=Reopening(share=shares[1], delay_s=300.0),
        repeats=Repeats(share=shares[2], after_s=200.0, work=0.1), bot=Bot(share=[0.2, 0.0, 0.5], handover_s=30.0),
        replications=2, seed=5,
    )  # fmt: skip
    summary = outcome.summary
    assert summary.offered == pytest.approx(summary.answered + summary.abandoned + summary.unanswered)
    brought = summary.redialled + summary.reopened + summary.repeated
    tickets = pd.concat([outcome.tickets(r) for r in range(2)])
    assert brought == pytest.approx((tickets["origin"] != "first").sum() / 2)
    assert summary.redialled <= summary.abandoned
    assert summary.reopened <= summary.answered
    for r in range(2):
        played, frame = play_replication(outcome.case, r), outcome.tickets(r)
        assert (frame["wait_s"] >= 0).all()
        answered = played.answered
        # Work: what lies between begin and end, less the breaks, is the handle time and 20 s for each break.
        whole = np.isfinite(played.end_s) & answered
        if whole.sum() == answered.sum():
            inside = (played.end_s - played.begin_s)[whole].sum()
            breaks = played.break_to_s.sum() - played.break_from_s.sum()
            read = 20.0 * len(played.break_to_s) * (rule == "handover")
            assert inside - breaks == pytest.approx(played.service_s[whole].sum() + read, abs=1e-6)
        if rule in ("finish", "finish_count"):
            np.testing.assert_allclose((played.end_s - played.begin_s)[answered], played.service_s[answered])
            assert len(played.break_from_s) == 0
        # In hand at any moment, by counting: begun and not ended, less interrupted and less leavers, never above staff.
        moments = np.unique(
            np.concatenate((played.begin_s[answered], played.break_to_s, played.arrival_s[backlog:], EDGES[:-1]))
        )

        def passed(times, moments=moments):
            return np.searchsorted(np.sort(times), moments, side="right")

        hands = passed(played.begin_s[answered]) - passed(played.end_s[answered])
        hands -= passed(played.break_from_s) - passed(played.break_to_s)
        late = passed(played.overtime_from_s) - passed(played.overtime_to_s)
        staff = played.agents[np.searchsorted(EDGES, moments, side="right") - 1]
        assert (hands - late <= staff).all()
        # First come first served within a class, of those who were never interrupted and of one queue.
        for kind in range(3):
            of = (played.kind == kind) & answered
            came, begun = played.arrival_s[of], played.begin_s[of]
            assert (np.diff(begun[np.argsort(came, kind="stable")]) >= 0).all()
            # Nobody waits of an open class while somebody is free.
            waits = passed(played.arrival_s[played.kind == kind]) - passed(played.left_queue_s[played.kind == kind])
            free = hands - late < staff if rule != "finish_count" else hands < staff
            now_open = np.array(opened[kind])[np.searchsorted(EDGES, moments, side="right") - 1]
            assert (waits[free & now_open] == 0).all()
