"""Wrong input is refused with its name, its value, what is legal and what to do."""

import numpy as np
import pytest

from staffcast.contracts import InputError
from staffcast.simulation import Arrivals, Patience, Service, Staffing, simulate

EDGES = [0.0, 900.0, 1800.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Staffing.steps(EDGES, [2, 2.5]), r"`agents` must be whole numbers ≥ 0, got 2.5; interval 1: round up"),
        (lambda: Staffing.steps(EDGES, [2, -1]), r"`agents` must be whole numbers ≥ 0, got -1.0; mend the value at 1"),
        (lambda: Staffing.steps(EDGES, [2, np.nan]), r"`agents` must be whole numbers ≥ 0, got nan"),
        (lambda: Staffing.steps(EDGES, [2]), r"`agents` must be one number per interval, shape \(2,\)"),
        (lambda: Staffing.steps([0, 900, 900], [1, 1]), r"`edges_s` must be increasing, got \(900.0, 900.0\)"),
        (lambda: Staffing.steps([0], []), r"`edges_s` must be at least two edges"),
        (lambda: Arrivals.piecewise(EDGES, [1, -2]), r"`rates_per_hour` must be numbers ≥ 0, got -2.0"),
        (lambda: Arrivals.piecewise(EDGES, [1, np.nan]), r"`rates_per_hour` must be numbers ≥ 0, got nan"),
        (lambda: Arrivals.piecewise(EDGES, [[1, 2, 3]]), r"`rates_per_hour` must be of shape \(2,\) or \(paths, 2\)"),
        (lambda: Arrivals.piecewise(EDGES, "many"), r"`rates_per_hour` must be numbers ≥ 0, got 'many'"),
        (lambda: Arrivals.piecewise(EDGES, [1, 1], lumps=[1]), r"`lumps` must be of shape"),
        (lambda: Arrivals.piecewise(EDGES, np.ones((3, 2)), lumps=np.ones((2, 2))), r"`lumps` .* one path or 3"),
        (lambda: Arrivals.trace([1, np.nan]), r"`times_s` must be finite numbers, got nan"),
        (lambda: Arrivals.trace([1, 2], [3]), r"`service_s` must be of shape \(2,\)"),
        (lambda: Arrivals.trace([1, 2], [3, -1]), r"`service_s` must be numbers of seconds ≥ 0, got -1.0"),
        (lambda: Service.exponential(0), r"`mean_s` must be a number of seconds > 0"),
        (lambda: Service.lognormal(300, -1), r"`cv` must be a number ≥ 0, got -1"),
        (lambda: Service.empirical([]), r"`sample_s` must be at least one measured handle time"),
        (lambda: Patience.exponential(-5), r"`patience mean_s` must be a number of seconds > 0, got -5.0"),
    ],
)
def test_a_wrong_input_cannot_be_constructed(make, message):
    """Each constructor names the parameter, the value and what is legal."""
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"staffing": Staffing.steps([0, 900], [1])},
            r"does not cover the demand: `staffing` has 1 intervals from 0 s",
        ),
        ({"staffing": Staffing.steps([0, 600, 1800], [1, 1])}, r"same grid: `staffing` has .* `arrivals` has"),
        ({"arrivals": Arrivals.trace([5.0, 1800.0])}, r"the plan covers 0 s to 1800 s, but the trace has tickets"),
        ({"arrivals": Arrivals.trace([-5.0, 10.0])}, r"the plan covers 0 s to 1800 s, but the trace has tickets"),
        ({"arrivals": [1, 2]}, r"`arrivals` must be Arrivals, got \[1, 2\]; build them with"),
        ({"staffing": 3}, r"`staffing` must be a Staffing or a list of Groups, got 3"),
        ({"service": 300}, r"`service` must be a Service, or one per class, got 300"),
        ({"service": None}, r"`service` is needed"),
        ({"service": Service.exponential([1, 2, 3])}, r"`service mean_s` must be one number or 2, one per interval"),
        ({"patience": 60}, r"`patience` must be a Patience, or one per class, got 60"),
        ({"priorities": [0.5, 0.6]}, r"`priorities` must be shares by class.*they sum to 1.1; divide each by it"),
        ({"priorities": []}, r"`priorities` must be shares by class"),
        ({"priorities": [1.5, -0.5]}, r"`priorities` must be shares by class"),
        ({"backlog": [10, -1]}, r"`backlog` must be .* got -1.0; an age is how long"),
        ({"backlog": -1}, r"`backlog` must be a whole number of tickets ≥ 0"),
        ({"backlog": 2.5}, r"`backlog` must be a whole number of tickets ≥ 0"),
        (
            {"on_staff_drop": "vanish"},
            r"`on_staff_drop` must be one of finish, finish_count, preempt, handover, got 'vanish'",
        ),
        ({"first_reply_s": -1}, r"`first_reply_s` must be a number of seconds ≥ 0"),
        ({"replications": 0}, r"`replications` must be a whole number ≥ 1, got 0"),
        ({"replications": 1.5}, r"`replications` must be a whole number ≥ 1"),
        ({"seed": -1}, r"`seed` must be a whole number ≥ 0"),
        ({"target": "fast"}, r"`frt` must be like"),
        ({"processes": 0}, r"`processes` must be a whole number ≥ 1"),
    ],
)
def test_a_wrong_argument_is_refused(change, message):
    """The door names the parameter, the value and what is legal before it plays anything."""
    options = {
        "arrivals": Arrivals.piecewise(EDGES, [4, 4]),
        "staffing": Staffing.steps(EDGES, [1, 1]),
        "service": Service.exponential(60.0),
        "replications": 2,
    } | change
    with pytest.raises(InputError, match=message):
        simulate(options.pop("arrivals"), options.pop("staffing"), options.pop("service"), **options)


def test_there_are_tickets_of_played_replications_only():
    """Asking for a replication that was not played says which there are."""
    outcome = simulate(Arrivals.trace([1.0], [2.0]), Staffing.steps(EDGES, [1, 1]), None, replications=2)
    with pytest.raises(InputError, match="`replication` must be a whole number from 0 to 1, got 2"):
        outcome.tickets(2)


def test_an_unstable_plan_runs_and_says_so():
    """Twice the load that the staff can carry: load is 2, the queue grows, and nothing fails."""
    edges = np.arange(9) * 3600.0
    outcome = simulate(
        Arrivals.piecewise(edges, [120.0] * 8),
        Staffing.steps(edges, [5] * 8),
        Service.exponential(300.0),
        replications=20,
    )
    assert outcome.summary.load == pytest.approx(2.0, rel=0.05)
    assert (np.diff(outcome.by_interval["queue_end"]) > 40).all()


def test_inputs_cannot_be_changed_afterwards():
    """What was checked stays as it was, whatever becomes of the caller's array."""
    agents = np.array([1, 2])
    staffing = Staffing.steps(EDGES, agents)
    agents[0] = -5
    assert staffing.agents.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        staffing.agents[0] = -5
