"""The Markov twin as a control: its luck has mean 0, figures stay unbiased, errors are what they say and smaller."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from staffcast.contracts import InputError
from staffcast.erlang import transient_performance
from staffcast.simulation import Arrivals, Bot, Patience, Service, Staffing, simulate, twin_controlled
from staffcast.simulation.collect import collect
from staffcast.simulation.measure import measure_chunk
from staffcast.simulation.twin import markov_twin, twin_luck

EDGES = np.arange(13) * 900.0
RATES = np.array([20.0, 40, 60, 80, 90, 80, 60, 60, 50, 40, 30, 20])
AGENTS = [3, 5, 7, 8, 9, 8, 7, 7, 6, 5, 4, 3]
UNEVEN = [20.0, 60.0, 60.0, 240.0, 400.0, 1000.0]


def paths(count):
    """Rates that are uncertain by a tenth for the day and as much for the hour."""
    random = np.random.Generator(np.random.Philox(6))
    return RATES * random.gamma(100, 0.01, (count, 1)) * random.gamma(100, 0.01, (count, len(RATES)))


def played(service, replications=400, *, rates=RATES, expected=None, agents=AGENTS, seed=1, **options):
    return simulate(
        Arrivals.piecewise(EDGES, rates, expected=expected), Staffing.steps(EDGES, agents), service, seed=seed,
        replications=replications, **{"target": "80% in 1m"} | options,
    )  # fmt: skip


CASES = {
    "lognormal": (Service.lognormal(300.0, 1.4), {}),
    "gamma by the hour": (Service.gamma(np.linspace(250, 350, 12), 0.6), {}),
    "measured": (Service.empirical(UNEVEN), {}),
    "fixed": (Service.deterministic(300.0), {}),
    "paths": (Service.exponential(300.0), {"rates": paths(3000)}),
    "paths, their mean known": (Service.exponential(300.0), {"rates": paths(3000), "expected": 0.25 * RATES.sum()}),
    "paths, stratified": (Service.exponential(300.0), {"rates": paths(3000), "stratified": True}),
    "impatient": (Service.lognormal(300.0, 1.0), {"patience": Patience.weibull(200.0, 0.7), "agents": [5] * 12}),
    "measured patience": (
        Service.exponential(300.0),
        {"patience": Patience.empirical([10.0, 10.0, 90.0, 500.0]), "agents": [5] * 12, "rates": paths(3000)},
    ),
    "classes, backlog, releases": (
        [Service.lognormal(200.0, 1.0), Service.exponential(400.0)],
        {
            "priorities": [0.5, 0.5], "backlog": 6,
            "patience": [Patience.exponential(100.0), Patience.exponential(500.0)],
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_luck_of_the_twin_has_mean_zero(name):
    """Hours waited and handled, tickets that waited and that were in time: within four errors of exact values."""
    service, options = CASES[name]
    runs = 1200
    case = played(service, 40, **options).case
    luck = twin_luck(case, markov_twin(case), runs)
    z = luck.mean(axis=0) / (luck.std(axis=0, ddof=1) / np.sqrt(runs))
    assert luck.shape == (runs, 4)
    assert np.abs(z).max() < 4, z


def test_a_plan_that_is_its_own_twin_leaves_no_doubt():
    """Exponential and handing back: the controlled waiting time is that of the equations almost without an error."""
    outcome = played(Service.exponential(300.0), 200, on_staff_drop="preempt")
    exact = transient_performance(
        arrivals_per_hour=RATES, aht_s=300.0, agents=AGENTS, interval_s=900.0, target_s=60.0
    )  # fmt: skip
    row = twin_controlled(outcome, ["queue_mean"]).iloc[0]
    assert row["mean"] == pytest.approx(exact.mean_queue.mean(), rel=1e-6)
    assert row["factor"] > 1e6


@pytest.mark.parametrize("name", ["lognormal", "paths", "paths, their mean known", "impatient"])
def test_controlled_figures_are_unbiased_and_their_errors_right(name):
    """Estimates lie around that of a long plain run, scatter as their errors say, and less than plain ones."""
    service, options = CASES[name]
    size, experiments = 100, 25
    options = dict(options)
    rates = options.pop("rates", RATES)
    rates = rates if rates.ndim == 1 else paths(6000)
    rows = []
    for k in range(experiments):
        own = rates if rates.ndim == 1 else rates[size * k : size * (k + 1)]
        frame = twin_controlled(played(service, size, rates=own, seed=k, **options), ["service_level", "mean_wait_s"])
        rows.append(frame.set_index("measure").unstack())
    found = pd.DataFrame(rows)
    case = played(service, 1, rates=rates, seed=77, **options).case
    truth = collect(case, [measure_chunk(case, range(4000))]).by_replication
    for measure in ("service_level", "mean_wait_s"):
        mean, se, plain = (found[(column, measure)] for column in ("mean", "se", "plain_mean"))
        error = np.hypot(mean.std() / np.sqrt(experiments), truth[measure].std() / np.sqrt(len(truth)))
        assert abs(mean.mean() - truth[measure].mean()) < 4 * error
        assert mean.std() == pytest.approx(np.sqrt((se**2).mean()), rel=0.45)
        assert plain.std() > 1.15 * mean.std() or name == "paths"
        held = (found[("low", measure)] < truth[measure].mean()) & (truth[measure].mean() < found[("high", measure)])
        assert stats.binomtest(int(held.sum()), experiments, 0.9, alternative="less").pvalue > 1e-3


def test_the_number_of_processes_changes_nothing():
    """One process or two give the same to the last bit."""
    outcome = played(Service.lognormal(300.0, 1.0), 60)
    one, two = (twin_controlled(outcome, processes=count) for count in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert {"service_level", "mean_wait_s", "frt_p95_s"} <= set(one["measure"])


@pytest.mark.parametrize(
    ("options", "measures", "named"),
    [
        ({"replications": 30}, None, "replications"),
        ({"bot": Bot(share=0.2)}, None, "bot"),
        ({}, ["happiness"], "measures"),
        ({"target": None}, ["service_level"], "service_level"),
    ],
)
def test_what_the_twin_cannot_do_is_refused(options, measures, named):
    """The error names what is in the way."""
    outcome = played(Service.exponential(300.0), **({"replications": 60} | options))
    with pytest.raises(InputError, match=named):
        twin_controlled(outcome, measures)


def test_a_trace_has_no_twin():
    """Without rates there is nothing to solve."""
    outcome = simulate(Arrivals.trace([1.0], [5.0]), Staffing.steps(EDGES, AGENTS), None, replications=60)
    with pytest.raises(InputError, match="trace"):
        twin_controlled(outcome, ["mean_wait_s"])
