"""Queues that share agents: as alone where they share nothing, as Cobham has it where they share all."""

import math

import numpy as np
import pandas as pd
import pytest

from staffcast.contracts import InputError
from staffcast.erlang import erlang_c
from staffcast.simulation import (
    Arrivals,
    Bot,
    Group,
    Line,
    Patience,
    Redial,
    Reopening,
    Service,
    Shared,
    Staffing,
    simulate,
    simulate_together,
)

EDGES = np.arange(9) * 1800.0


def crew(name, agents, queues, **more):
    return Shared(group=Group(name=name, staffing=Staffing.steps(EDGES, [agents] * 8, **more)), queues=queues)


def line(seed, rates, **options):
    return Line(
        arrivals=Arrivals.piecewise(EDGES, rates),
        service=Service.lognormal(300, 1.2),
        options={"seed": seed, **options},
    )


def test_queues_that_share_nobody_are_played_as_alone():
    """With a group each, every queue has the tickets and the waiting that it has when it is simulated alone."""
    queues = {
        "a": line(
            1,
            [30, 40, 90, 60, 30, 20, 10, 10],
            target="80% in 60s",
            priorities=[0.3, 0.7],
            backlog=[100.0, 50.0],
            class_targets=["90% in 1m", None],
            window_s=600.0,
        ),
        "b": line(
            2,
            [20] * 8,
            target="mean 60s",
            patience=Patience.exponential(300),
            first_reply_share=0.2,
            bot=Bot(share=0.2, handover_s=30.0),
        ),
    }
    crews = [crew("ga", 5, ["a"]), crew("gb", 3, ["b"])]
    found = simulate_together(queues, crews, replications=10)
    for (name, each), agents in zip(queues.items(), (5, 3), strict=True):
        alone = simulate(
            each.arrivals, Staffing.steps(EDGES, [agents] * 8), each.service, replications=10, **each.options
        )
        ours = found.queues[name]
        nobodys = ["utilization", "utilization_se", "overtime_s"]
        pd.testing.assert_frame_equal(ours.by_interval.drop(columns=nobodys), alone.by_interval.drop(columns=nobodys))
        pd.testing.assert_frame_equal(ours.by_class, alone.by_class)
        pd.testing.assert_frame_equal(ours.tickets(3), alone.tickets(3))
        assert ours.summary.frt_p95_s == alone.summary.frt_p95_s
        assert ours.summary.utilization == pytest.approx(alone.summary.utilization)
        assert (ours.summary.bot_closed, ours.summary.expired) == (alone.summary.bot_closed, alone.summary.expired)


def test_two_queues_with_one_crew_wait_as_cobham_has_it():
    """M/M/c with the second queue behind the first: mean waits within four standard errors of the closed form."""
    edges, agents, aht = np.arange(0, 301) * 3600.0, 4, 300.0
    rates = {"first": 20.0, "second": 21.0}
    queues = {
        name: Line(arrivals=Arrivals.piecewise(edges, np.full(300, rate)), service=Service.exponential(aht),
                   options={"seed": k})
        for k, (name, rate) in enumerate(rates.items())
    }  # fmt: skip
    both = Shared(group=Group(name="g", staffing=Staffing.steps(edges, [agents] * 300)), queues=list(rates))
    found = simulate_together(queues, [both], replications=16)
    load = sum(rates.values()) * aht / 3600
    p_wait = erlang_c(load, agents)
    shares = np.cumsum([0.0, *(rate * aht / 3600 / agents for rate in rates.values())])
    for k, name in enumerate(rates):
        exact = p_wait * aht / agents / ((1 - shares[k]) * (1 - shares[k + 1]))
        summary = found.queues[name].summary
        assert abs(summary.mean_wait_s - exact) < 4 * summary.mean_wait_s_se


def test_a_plan_changes_nobodys_tickets():
    """With other agents the very same tickets come, with the same handle times."""
    back = Reopening(share=0.3, delay_s=60.0)
    queues = {"a": line(1, [30] * 8, reopening=back), "b": line(2, [30] * 8, reopening=back)}
    few, many = (
        simulate_together(queues, [crew("g", agents, ["a", "b"])], replications=5).queues["b"].tickets(2)
        for agents in (4, 40)
    )
    first = [each[each["origin"] == "first"][["arrival_s", "service_s"]] for each in (few, many)]
    pd.testing.assert_frame_equal(*first)
    assert (many["origin"] == "reopened").sum() > 10


def test_closed_hours_of_one_queue_leave_its_tickets_waiting():
    """Shared agents take a queue's tickets in its own hours alone."""
    opened = np.array([False] * 4 + [True] * 4)
    queues = {"a": line(1, [10] * 8, opened=opened), "b": line(2, [10] * 8)}
    found = simulate_together(queues, [crew("g", 20, ["a", "b"])], replications=3).queues
    tickets = found["a"].tickets(0)
    assert (tickets["start_s"].dropna() >= EDGES[4]).all()
    assert found["b"].summary.mean_wait_s == pytest.approx(0, abs=5)


def test_the_number_of_processes_changes_nothing():
    """Two processes give the numbers of one."""
    queues = {"a": line(1, [30] * 8), "b": line(2, [30] * 8)}
    one, two = (
        simulate_together(queues, [crew("g", 6, ["a", "b"], absent=0.1)], replications=9, processes=n) for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one.queues["a"].by_interval, two.queues["a"].by_interval)
    pd.testing.assert_frame_equal(one.by_group, two.by_group)


@pytest.mark.parametrize(
    ("crews", "more", "said"),
    [
        (
            [crew("g", 3, ["a", "c"]), crew("h", 3, ["b"])],
            {},
            r"`queues` must be of a, b, got 'c'; group 'g' serves it",
        ),
        ([crew("g", 3, ["a"])], {}, "no group serves queue 'b'"),
        ([crew("g", 3, ["a", "b"])], {"ageing_s": 60.0}, "must have the same `ageing`"),
        (
            [crew("g", 3, ["a", "b"])],
            {"redial": Redial(share=0.5, delay_s=60.0), "patience": Patience.exponential(60)},
            "must have the same `redial`",
        ),
    ],
)
def test_what_cannot_be_played_is_refused(crews, more, said):
    """An unknown queue, one without agents, and rules that the loop has once for all are named."""
    with pytest.raises(InputError, match=said):
        simulate_together({"a": line(1, [30] * 8), "b": line(2, [30] * 8, **more)}, crews, replications=2)


def test_nothing_comes_out_of_an_empty_night():
    """Without tickets there are no figures, and no error."""
    quiet = Line(arrivals=Arrivals.piecewise(EDGES, [0.0] * 8), service=Service.exponential(60), options={})
    found = simulate_together({"a": quiet, "b": line(1, [5] * 8)}, [crew("g", 2, ["a", "b"])], replications=2)
    assert found.queues["a"].summary.offered == 0
    assert math.isnan(found.queues["a"].summary.mean_wait_s)
