"""What must hold ticket by ticket: a dumb simulator's answer, common random numbers, conservation, equal bytes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation_exact import by_the_second, play_by_hand

from staffcast.contracts import Target
from staffcast.simulation import Arrivals, Patience, Service, Staffing, simulate

EDGES = [0.0, 900.0, 1800.0, 2700.0, 3600.0]
RATES = [60.0, 90.0, 30.0, 60.0]


def run(agents=(3, 6, 2, 4), **options):
    options = {"replications": 12, "seed": 11, "target": "80% in 60s"} | options
    return simulate(
        Arrivals.piecewise(EDGES, RATES), Staffing.steps(EDGES, agents), Service.lognormal(240.0, 1.0), **options
    )


@st.composite
def whole_second_tickets(draw, *, classes=3):
    count = draw(st.integers(0, 25))

    def of(values):
        return draw(st.lists(values, min_size=count, max_size=count))

    come = sorted(zip(of(st.integers(-20, 79)), of(st.integers(0, classes - 1)), strict=True))
    service = of(st.integers(1, 30))
    patience = of(st.one_of(st.just(10_000), st.integers(0, 40)))
    leave = [max(a, 0) + p for (a, _), p in zip(come, patience, strict=True)]
    return [a for a, _ in come], service, leave, [c for _, c in come]


@settings(max_examples=200, deadline=None)
@given(whole_second_tickets(), st.lists(st.integers(0, 5), min_size=8, max_size=8))
def test_by_count_as_the_dumb_simulator(tickets, agents):
    """finish_count with classes, patience and ties begins each ticket when a look at every second says."""
    edges = list(range(0, 90, 10))
    begin, since, until = play_by_hand(*tickets, edges, agents, "finish_count")
    expected, over = by_the_second(*tickets, edges, agents, "finish_count")
    np.testing.assert_array_equal(begin, expected)
    assert sum(min(t, 80) for t in until) - sum(since) == over


@settings(max_examples=200, deadline=None)
@given(whole_second_tickets(), st.integers(1, 5), st.lists(st.booleans(), min_size=8, max_size=8))
def test_finish_as_the_dumb_simulator(tickets, crew, present):
    """With a crew that is there or not, finish begins each ticket when a look at every second says."""
    edges = list(range(0, 90, 10))
    agents = [crew * there for there in present]
    begin, since, until = play_by_hand(*tickets, edges, agents, "finish")
    expected, over = by_the_second(*tickets, edges, agents, "finish")
    np.testing.assert_array_equal(begin, expected)
    assert sum(min(t, 80) for t in until) - sum(since) == over


@settings(max_examples=300, deadline=None)
@given(whole_second_tickets(classes=1), st.lists(st.integers(0, 4), min_size=8, max_size=8))
def test_one_more_agent_never_hurts(tickets, agents):
    """First come first served without patience: with one more agent all day no ticket begins later."""
    arrival, service, _, priority = tickets
    edges = list(range(0, 90, 10))
    for rule, plan in (("finish_count", agents), ("finish", sorted(agents))):
        fewer, more = (
            play_by_hand(arrival, service, None, priority, edges, [a + k for a in plan], rule)[0] for k in (0, 1)
        )
        assert (np.nan_to_num(more, nan=1e9) <= np.nan_to_num(fewer, nan=1e9)).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=4, max_size=4),
    st.sampled_from(["finish", "finish_count"]),
    st.sampled_from([None, 200.0]),
    st.sampled_from([None, [0.3, 0.7]]),
    st.integers(0, 30),
)
def test_no_ticket_is_lost(agents, rule, patience, priorities, backlog):
    """Offered = answered + abandoned + unanswered; the frames and the tickets count the same."""
    outcome = run(
        agents, on_staff_drop=rule, patience=patience and Patience.exponential(patience), priorities=priorities,
        backlog=backlog, replications=3,
    )  # fmt: skip
    summary, frame = outcome.summary, outcome.by_interval
    tickets = pd.concat([outcome.tickets(r) for r in range(3)])
    counts = tickets["outcome"].value_counts().sort_index() / 3  # in the order of the categories
    assert summary.offered == pytest.approx(summary.answered + summary.abandoned + summary.unanswered)
    assert summary.offered == pytest.approx(len(tickets) / 3)
    assert summary.offered == pytest.approx(frame["arrivals"].sum() + backlog)
    assert [summary.answered, summary.abandoned, summary.unanswered] == pytest.approx(counts.tolist())
    assert summary.backlog_end == pytest.approx(summary.unanswered)
    assert summary.mean_wait_s == pytest.approx(tickets["wait_s"].mean())
    in_queue = tickets["wait_s"].sum() / 3
    assert (frame["queue_mean"] * 900).sum() == pytest.approx(in_queue)
    hands = np.minimum(tickets["start_s"] + tickets["service_s"], 3600.0) - tickets["start_s"]
    assert summary.handled_s == pytest.approx(hands.sum() / 3)
    assert (outcome.by_class["offered"].sum(), outcome.by_class["answered"].sum()) == pytest.approx(
        (summary.offered, summary.answered)
    )
    assert (frame["utilization"].dropna() <= 1 + 1e-9).all()
    assert frame["utilization"].isna().tolist() == [staff == 0 for staff in agents]


@pytest.mark.parametrize("options", [{}, {"patience": Patience.exponential(300.0)}, {"priorities": [0.2, 0.8]}])
def test_a_changed_plan_meets_the_same_tickets(options):
    """Common random numbers: other staff or another rule change no ticket's arrival, class or handle time."""
    one, other = run(**options), run((9, 1, 0, 2), on_staff_drop="finish_count", **options)
    for r in range(12):
        columns = ["arrival_s", "class", "service_s"]
        pd.testing.assert_frame_equal(one.tickets(r)[columns], other.tickets(r)[columns])
    assert not one.tickets(0)["wait_s"].equals(other.tickets(0)["wait_s"])
    assert not one.tickets(0)["arrival_s"].equals(one.tickets(1)["arrival_s"])


def test_another_backlog_leaves_the_coming_tickets_as_they_were():
    """The draws of the opening backlog are its own."""
    columns = ["arrival_s", "class", "service_s"]
    without = run(priorities=[0.5, 0.5]).tickets(3)[columns]
    with_backlog = run(priorities=[0.5, 0.5], backlog=7).tickets(3)[columns]
    pd.testing.assert_frame_equal(without, with_backlog.iloc[7:].reset_index(drop=True))


def test_same_seed_same_bytes_for_any_number_of_processes():
    """One process or two, the frames are equal bit by bit; another seed gives others."""
    options = {"patience": Patience.exponential(500.0), "priorities": [0.4, 0.6], "replications": 37}
    one, two = run(**options), run(processes=2, **options)
    pd.testing.assert_frame_equal(one.by_interval, two.by_interval, check_exact=True)
    pd.testing.assert_frame_equal(one.by_class, two.by_class, check_exact=True)
    assert one.summary == two.summary
    assert one.by_replication.equals(two.by_replication)
    assert run(seed=12, **options).summary != one.summary


def test_more_replications_begin_with_the_same_ones():
    """A replication does not depend on how many others are played."""
    few, many = run(replications=5), run(replications=40)
    np.testing.assert_array_equal(few.by_replication["service_level"], many.by_replication["service_level"][:5])


def test_quantiles_are_those_of_the_tickets():
    """Quantiles from the histograms are within one bin of those of all waits: 0.1 % in all, 2 % by interval."""
    outcome = run((3, 4, 3, 3), first_reply_s=20.0, replications=60)
    tickets = pd.concat([outcome.tickets(r) for r in range(60)])
    for q in (50, 90, 95, 99):
        wait = float(np.quantile(tickets["wait_s"], q / 100, method="inverted_cdf"))
        assert getattr(outcome.summary, f"frt_p{q}_s") - 20.0 == pytest.approx(wait, rel=0.001)
    for i, row in outcome.by_interval.iterrows():
        waits = tickets.loc[tickets["arrival_s"].between(EDGES[i], EDGES[i + 1], inclusive="left"), "wait_s"]
        for q in (50, 90, 95):
            wait = float(np.quantile(waits, q / 100, method="inverted_cdf"))
            assert row[f"frt_p{q}_s"] - 20.0 == pytest.approx(wait, rel=0.02)


def test_the_interval_of_the_service_level_has_the_replication_as_unit():
    """The 95 % interval is as wide as replications differ, several times wider than tickets alone would say."""
    edges = [0.0, 86_400.0]
    outcome = simulate(
        Arrivals.piecewise(edges, [54.0]), Staffing.steps(edges, [5]), Service.exponential(300.0), target="80% in 5m",
        replications=40,
    )  # fmt: skip
    summary = outcome.summary
    levels = outcome.by_replication["service_level"].to_numpy()
    width = (summary.service_level_high - summary.service_level_low) / 2
    assert width == pytest.approx(2.023 * levels.std(ddof=1) / np.sqrt(40), rel=0.1)
    by_ticket = 1.96 * np.sqrt(summary.service_level * (1 - summary.service_level) / (summary.offered * 40))
    assert width > 3 * by_ticket


def test_service_level_of_tickets_decided_by_hand():
    """In time, late, given up, over the limit at the end, undecided at the end: 1 hit of 3 or 4 decided."""
    # One agent takes the first ticket at once and the second after 100 s; the third had waited 60 s, the fourth 20 s.
    log = Arrivals.trace([0.0, 0.0, 140.0, 180.0], [100.0, 500.0, 10.0, 10.0])
    staffing = Staffing.steps([0.0, 200.0], [1])
    outcome = simulate(log, staffing, None, target=Target.share(0.3, within_s=50), replications=1)
    assert outcome.tickets(0)["wait_s"].tolist() == [0.0, 100.0, 60.0, 20.0]
    assert outcome.summary.service_level == pytest.approx(1 / 3)
    assert (outcome.summary.met_share, outcome.summary.unanswered) == (1.0, 2.0)
    # A first reply that takes 40 s makes the undecided one late too.
    slow = simulate(log, staffing, None, target=Target.share(0.3, within_s=50), replications=1, first_reply_s=40.0)
    assert slow.summary.service_level == pytest.approx(1 / 4)
    assert slow.summary.frt_mean_s == pytest.approx(45 + 40)
    assert slow.summary.met_share == 0.0


@pytest.mark.parametrize(
    ("target", "met"), [("mean 45s", 1.0), ("mean 44s", 0.0), ("p75 60s", 1.0), ("p75 59s", 0.0), ("p76 60s", 0.0)]
)
def test_targets_on_mean_and_percentile(target, met):
    """Waits 0, 100, 60 and 20 s: their mean is 45 s and three of four are at most 60 s."""
    log = Arrivals.trace([0.0, 0.0, 140.0, 180.0], [100.0, 500.0, 10.0, 10.0])
    outcome = simulate(log, Staffing.steps([0.0, 200.0], [1]), None, target=target, replications=2)
    assert outcome.summary.met_share == met


def test_an_abandoned_ticket_is_a_miss():
    """Nobody answers: those who left count against the service level, and have no first response time."""
    outcome = run((0, 0, 0, 0), patience=Patience.exponential(10.0))
    assert outcome.summary.service_level == pytest.approx(0.0)
    assert outcome.summary.p_abandon > 0.97
    assert outcome.summary.answered == 0


def test_the_backlog_waits_from_its_own_arrival():
    """Ages count: the oldest goes first, its wait began before the start, and it is in no interval's tickets."""
    outcome = simulate(
        Arrivals.piecewise([100.0, 1000.0], [0.0]), Staffing.steps([100.0, 1000.0], [1]), Service.deterministic(60.0),
        backlog=[30.0, 500.0, 0.0], replications=1,
    )  # fmt: skip
    tickets = outcome.tickets(0)
    assert tickets["arrival_s"].tolist() == [-400.0, 70.0, 100.0]
    assert tickets["wait_s"].tolist() == [500.0, 90.0, 120.0]
    row = outcome.by_interval.iloc[0]
    assert (row["arrivals"], row["queue_mean"], row["busy_mean"]) == pytest.approx((0, 180 / 900, 180 / 900))
    assert (row["queue_end_p05"], row["queue_end_p95"]) == (0, 0)
    assert np.isnan(row["mean_wait_s"])


def test_urgent_tickets_of_one_instant_go_first():
    """Of tickets released together at opening, the urgent ones are taken first."""
    edges = [0.0, 60.0, 36_000.0]
    tickets = simulate(
        Arrivals.piecewise(edges, [0.0, 0.0], lumps=[0.0, 40.0]), Staffing.steps(edges, [0, 1]),
        Service.deterministic(60.0), priorities=[0.5, 0.5], replications=1,
    ).tickets(0)  # fmt: skip
    last_urgent = tickets.loc[tickets["class"] == 0, "start_s"].max()
    assert tickets["class"].nunique() == 2
    assert last_urgent < tickets.loc[tickets["class"] == 1, "start_s"].min()


def test_one_replication_has_no_standard_error():
    """With one replication errors are NaN, not 0, and nothing warns."""
    outcome = run(replications=1)
    assert outcome.by_interval.filter(like="_se").isna().all().all()
    assert np.isnan(outcome.summary.service_level_low)


def test_no_demand_is_no_trouble():
    """Zero rates give zero tickets, no utilization, and shares that are not known."""
    outcome = simulate(
        Arrivals.piecewise(EDGES, [0.0] * 4), Staffing.steps(EDGES, [2, 0, 2, 2]), Service.exponential(60.0),
        target="80% in 60s", replications=3,
    )  # fmt: skip
    assert outcome.summary.offered == 0
    assert outcome.summary.utilization == 0
    assert np.isnan(outcome.summary.service_level)
    assert np.isnan(outcome.summary.met_share)
    assert len(outcome.tickets(0)) == 0


def test_progress_counts_replications():
    """Progress ends at the number of replications and never falls."""
    seen = []
    run(replications=23, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (23, 23)
    assert seen == sorted(seen)
