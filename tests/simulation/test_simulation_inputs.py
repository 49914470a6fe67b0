"""Wrong input is refused with its name, its value, what is legal and what to do."""

import numpy as np
import pytest

from staffcast.contracts import InputError
from staffcast.simulation import (
    Arrivals,
    Bot,
    Patience,
    Redial,
    Reopening,
    Repeats,
    Service,
    Staffing,
    simulate,
)

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
        (lambda: Patience.weibull(0, 1), r"`patience mean_s` must be a number of seconds > 0, got 0.0"),
        (lambda: Patience.weibull([60, 90], 1), r"`patience mean_s` must be a number of seconds > 0, got 'shape"),
        (lambda: Patience.weibull(60, 0.05), r"`shape` must be a number from 0.1 to 10, got 0.05; 1 is exponential"),
        (lambda: Patience.weibull(60, True), r"`shape` must be a number from 0.1 to 10, got True"),
        (lambda: Patience.weibull(60, "2"), r"`shape` must be a number from 0.1 to 10, got '2'"),
        (lambda: Patience.empirical([]), r"`sample_s` must be at least one measured patience above 0 s"),
        (lambda: Patience.empirical([0, 0]), r"`sample_s` must be at least one measured patience above 0 s"),
        (
            lambda: Patience.empirical([5, -1]),
            r"`sample_s` must be numbers of seconds ≥ 0, got -1.0; mend the value at 1",
        ),
        (lambda: Patience.empirical([5, np.nan]), r"`sample_s` must be numbers of seconds ≥ 0, got nan"),
        (lambda: Patience.empirical([5, -np.inf]), r"`sample_s` must be numbers of seconds ≥ 0, got -inf"),
        (lambda: Patience.empirical("long"), r"`sample_s` must be numbers of seconds ≥ 0, got 'long'"),
        (lambda: Patience.empirical([[5, 6]]), r"`sample_s` must be at least one measured patience"),
        (lambda: Service.empirical([5, np.inf]), r"`sample_s` must be numbers of seconds ≥ 0, got inf"),
        (lambda: Service.gamma(300, 0.001), r"`cv` must be a number from 0.01 to 10, got 0.001; it is standard"),
        (lambda: Service.gamma(300, 11), r"`cv` must be a number from 0.01 to 10, got 11"),
        (lambda: Service.gamma(300, np.nan), r"`cv` must be a number from 0.01 to 10, got nan"),
        (lambda: Service.gamma(-1, 1), r"`mean_s` must be a number of seconds > 0"),
        (
            lambda: Staffing.steps(EDGES, [2, 2], absent=1),
            r"`absent` must be a share in \[0, 1\), got 1; write 5 % as 0.05",
        ),
        (lambda: Staffing.steps(EDGES, [2, 2], absent=-0.1), r"`absent` must be a share in \[0, 1\), got -0.1"),
        (lambda: Staffing.steps(EDGES, [2, 2], absent=np.nan), r"`absent` must be a share in \[0, 1\), got nan"),
        (lambda: Staffing.steps(EDGES, [2, 2], absent=True), r"`absent` must be a share in \[0, 1\), got True"),
        (lambda: Staffing.steps(EDGES, [2, 2], shift=[1]), r"`shift` must be one label per interval, shape \(2,\)"),
        (lambda: Staffing.steps(EDGES, [2, 2], shift=[0, 0.5]), r"`shift` must be whole numbers, got 0.5; number the"),
        (lambda: Staffing.steps(EDGES, [2, 2], shift=["a", "b"]), r"`shift` must be finite numbers"),
        (lambda: Redial(share=1, delay_s=60), r"`redial share` must be a share in \[0, 1\), got 1; write 30 % as 0.3"),
        (lambda: Redial(share=30, delay_s=60), r"`redial share` must be a share in \[0, 1\), got 30"),
        (lambda: Redial(share=0.3, delay_s=0), r"`redial delay_s` must be a number of seconds > 0, got 0"),
        (lambda: Redial(share="0.3", delay_s=60), r"`redial share` must be .* got '0.3'"),
        (lambda: Reopening(share=-0.1, delay_s=60), r"`reopening share` must be a share in \[0, 1\), got -0.1"),
        (lambda: Reopening(share=0.1, delay_s=np.inf), r"`reopening delay_s` must be a number of seconds > 0, got inf"),
        (lambda: Reopening(share=0.1, delay_s=60, work=0), r"`reopening work` must be a factor > 0, got 0"),
        (lambda: Repeats(share=np.nan, after_s=60), r"`repeats share` must be a share in \[0, 1\), got nan"),
        (lambda: Repeats(share=0.1, after_s=-1), r"`repeats after_s` must be a number of seconds > 0, got -1"),
        (lambda: Repeats(share=0.1, after_s=60, work=-2), r"`repeats work` must be a factor > 0, got -2"),
        (lambda: Bot(share=1.2), r"`bot share` must be a share in \[0, 1\], got 1.2; write 30 % as 0.3"),
        (lambda: Bot(share=[0.2, -1]), r"`bot share` must be a share in \[0, 1\], got -1"),
        (lambda: Bot(share=True), r"`bot share` must be a share in \[0, 1\], got True"),
        (lambda: Bot(share="half"), r"`bot share` must be a share in \[0, 1\]"),
        (lambda: Bot(share=None), r"`bot share` must be a share in \[0, 1\]"),
        (lambda: Bot(share=0.2, handover_s=-5), r"`bot handover_s` must be a number of seconds ≥ 0, got -5"),
        (lambda: Bot(share=0.2, harder=0), r"`bot harder` must be a factor > 0, got 0"),
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
        ({"handover_s": -1, "on_staff_drop": "handover"}, r"`handover_s` must be a number of seconds ≥ 0, got -1"),
        ({"handover_s": -1}, r"`handover_s` must be a number of seconds ≥ 0, got -1"),
        ({"ageing_s": 0}, r"`ageing_s` must be a number of seconds > 0, got 0"),
        ({"ageing_s": np.nan}, r"`ageing_s` must be a number of seconds > 0, got nan"),
        ({"window_s": -5}, r"`window_s` must be a number of seconds > 0, got -5"),
        ({"window_s": "24h"}, r"`window_s` must be a number of seconds > 0, got '24h'"),
        ({"opened": [1, 0]}, r"`opened` must be true or false, of shape \(1, 2\), got 'int64 of shape \(2,\)'"),
        (
            {"opened": [[True, True]] * 2},
            r"`opened` must be true or false, of shape \(1, 2\), got 'bool of shape \(2, 2\)'",
        ),
        ({"opened": [True]}, r"`opened` must be true or false"),
        ({"opened": [[True], [True, False]]}, r"`opened` must be true or false"),
        ({"redial": Redial(share=0.2, delay_s=60)}, r"`redial` needs `patience`: nobody gives up without"),
        ({"redial": 0.2}, r"`redial` must be a Redial, got 0.2"),
        ({"reopening": 0.2}, r"`reopening` must be a Reopening, got 0.2"),
        ({"repeats": (0.2, 60)}, r"`repeats` must be a Repeats, got \(0.2, 60\)"),
        ({"bot": 0.3}, r"`bot` must be a Bot, got 0.3"),
        ({"bot": Bot(share=[0.1, 0.2])}, r"`bot share` must be one, or 1, one per class, got '2 shares'"),
        ({"patience": [Patience.exponential(60)] * 2}, r"`patience` must be one, or 1, one per class"),
        (
            {
                "arrivals": Arrivals.trace([5.0], [6.0]),
                "service": None,
                "reopening": Reopening(share=0.2, delay_s=60),
            },
            r"`service` is needed for what comes back",
        ),
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
