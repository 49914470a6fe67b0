"""Replications spread over how many tickets come: the same law, less chance, intervals that hold."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from staffcast.contracts import InputError
from staffcast.erlang import transient_performance
from staffcast.simulation import Arrivals, Service, Staffing, compare, controlled, simulate
from staffcast.simulation.intervals import bounds, centred, mean_error, ratio
from staffcast.simulation.sampling import draw, released, strata_of
from staffcast.simulation.stratified import STRATA, poisson_quantile

EDGES = np.arange(9) * 900.0
RATES, AGENTS = np.array([20.0, 40, 60, 80, 80, 60, 40, 20]), [3, 5, 7, 8, 8, 7, 5, 3]


def played(replications, *, seed=0, rates=RATES, lumps=None, **options):
    return simulate(
        Arrivals.piecewise(EDGES, rates, lumps=lumps), Staffing.steps(EDGES, AGENTS), Service.exponential(300.0),
        replications=replications, seed=seed, target="80% in 1m", **{"stratified": True} | options,
    )  # fmt: skip


@pytest.mark.parametrize("mean", [0.01, 0.7, 2.0, 30.0, 4000.0, 2e6])
def test_a_quantile_of_a_poisson_number_is_the_smallest_that_does(mean):
    """As scipy.stats has it, from the far ends to the middle."""
    for level in (0.0, 1e-9, 0.05, 0.37, 0.5, 0.95, 1 - 1e-9):
        expected = 0 if level == 0 else stats.poisson(mean).ppf(level)
        assert poisson_quantile(level, mean) == expected


def test_each_block_has_one_number_from_each_twentieth():
    """The numbers of 20 replications, ranked, lie each in its own twentieth of the Poisson distribution."""
    case = played(40, lumps=[3, 0, 0, 5, 0, 0, 0, 0]).case
    law = stats.poisson((RATES * 0.25).sum() + 8)
    for block in (0, 1):
        totals = np.sort([len(draw(case, STRATA * block + k).arrival_s) for k in range(STRATA)])
        for place, total in enumerate(totals):
            assert law.cdf(total) >= place / STRATA - 1e-12
            assert law.cdf(total - 1) <= (place + 1) / STRATA + 1e-12
    order = strata_of(case, 40)
    assert sorted(order[:20]) == sorted(order[20:]) == list(range(20))
    assert order[:20].tolist() != order[20:].tolist()


def test_numbers_of_each_interval_stay_independent_poisson():
    """Means, variances and covariances of arrivals by interval, and of what is released, are as of Poisson numbers."""
    runs = 6000
    case = played(40, lumps=[3, 0, 0, 5, 0, 0, 0, 0]).case
    counts = np.empty((runs, 9))
    for run in range(runs):
        times, at_once = draw(case, run).arrival_s, released(case, run)
        assert (times == EDGES[3]).sum() == at_once[3]
        counts[run, :8] = np.histogram(times, EDGES)[0] - at_once
        counts[run, 8] = at_once[3]
    mean = np.append(RATES * 0.25, 5.0)
    assert np.abs((counts.mean(axis=0) - mean) / np.sqrt(mean / runs)).max() < 4
    covariance = np.cov(counts.T)
    error = np.sqrt((np.outer(mean, mean) + np.diag(mean + mean**2)) / runs)
    assert np.abs((covariance - np.diag(mean)) / error).max() < 4.5


def test_figures_are_those_of_the_forward_equations():
    """Hours waited and tickets in time, with strata, are within four of their own errors of the exact values."""
    runs = 4000
    outcome = played(runs, on_staff_drop="preempt")
    exact = transient_performance(
        arrivals_per_hour=RATES, aht_s=300.0, agents=AGENTS, interval_s=900.0, target_s=60.0
    )  # fmt: skip
    table = outcome.by_interval
    assert (np.abs(table["queue_mean"] - exact.mean_queue) < 4 * table["queue_mean_se"]).all()
    assert (np.abs(table["p_wait"] - exact.p_wait) < 4 * table["p_wait_se"]).all()
    gained = outcome.stratification().set_index("measure")
    waiting = (exact.mean_queue * 900).sum() / 7200
    assert abs(gained["mean"]["queue_mean"] - waiting) < 4 * gained["se"]["queue_mean"]
    assert gained["factor"]["offered"] > 20
    assert gained["factor"]["utilization"] > 1.3
    # Beside replications drawn without strata: the error said to be saved is saved.
    plain = played(runs, stratified=False, seed=5).by_replication
    assert gained["plain_se"]["service_level"] == pytest.approx(plain["service_level"].std() / np.sqrt(runs), rel=0.15)


def test_intervals_of_stratified_replications_hold_the_truth():
    """Of experiments with 40 replications about 95 % of the intervals hold it, and they are not too wide either."""
    experiments = [played(40, seed=seed).summary for seed in range(150)]
    whole = played(4000, seed=999).summary
    for name in ("service_level", "mean_wait_s", "frt_p95_s"):
        truth = getattr(whole, name)
        held = sum(getattr(s, f"{name}_low") < truth < getattr(s, f"{name}_high") for s in experiments)
        assert stats.binomtest(held, 150, 0.92, alternative="less").pvalue > 1e-3, (name, held)
        assert stats.binomtest(held, 150, 0.975, alternative="greater").pvalue > 1e-3, (name, held)


def test_errors_of_strata_by_a_slow_loop():
    """Variances within each stratum, added up as in the textbook."""
    random = np.random.Generator(np.random.Philox(2))
    strata = np.concatenate([random.permutation(4) for _ in range(6)])
    under = random.random((24, 2)) + 1
    over = strata[:, None] + random.random((24, 2))
    within = sum(over[strata == h].var(axis=0, ddof=1) / 6 for h in range(4)) / 16
    assert mean_error(over, strata)[1] == pytest.approx(np.sqrt(within))
    middle, error = ratio(over, under, strata)
    left = over - middle * under
    within = sum(left[strata == h].var(axis=0, ddof=1) / 6 for h in range(4)) / 16
    assert error == pytest.approx(np.sqrt(within) / under.mean(axis=0))
    low, high = bounds(over, under, strata=strata)
    assert (low < middle).all()
    assert (middle < high).all()
    assert centred(over, strata)[1] == 20


def test_plans_compared_and_controls_use_the_strata():
    """Paired differences and controlled means keep their values and lose the luck between strata."""
    plans = {"as is": Staffing.steps(EDGES, AGENTS), "more": Staffing.steps(EDGES, [a + 1 for a in AGENTS])}
    found = compare(
        Arrivals.piecewise(EDGES, RATES), plans, Service.exponential(300.0), replications=400, stratified=True,
        target="80% in 1m",
    )  # fmt: skip
    row = found.plans.iloc[0]
    gain = found.outcomes["as is"].stratification().set_index("measure").loc["utilization"]
    assert (row["utilization_high"] - row["utilization_low"]) / 2 == pytest.approx(1.966 * gain["se"], rel=0.01)
    taken = controlled(found.outcomes["as is"], "utilization")
    assert taken["plain_se"] == pytest.approx(gain["se"])
    assert taken["se"] < gain["se"]
    assert abs(taken["mean"] - taken["plain_mean"]) < 4 * gain["se"]


def test_the_number_of_processes_and_later_replications_change_nothing():
    """One process or two, and played on in whole blocks until precise enough: the first replications stay the same."""
    one, two = played(60), played(60, processes=2)
    pd.testing.assert_frame_equal(one.by_replication, two.by_replication, check_exact=True)
    longer = played(60, half_width=0.012, most=1010)
    assert longer.summary.replications % STRATA == 0
    assert 60 < longer.summary.replications <= 1000
    pd.testing.assert_frame_equal(longer.by_replication.iloc[:60], one.by_replication)


def test_nothing_expected_is_nothing_drawn():
    """A span without demand stays without tickets."""
    assert played(40, rates=np.zeros(8)).summary.offered == 0


@pytest.mark.parametrize("replications", [20, 50, 1])
def test_strata_need_whole_blocks(replications):
    """Fewer than two blocks of replications, or a part of one, are refused, and the error says how many will do."""
    with pytest.raises(InputError, match=r"replications.*(40|60) will do"):
        played(replications)


def test_strata_of_a_trace_are_refused():
    """A log replayed has always as many tickets; and without strata there is no gain to report."""
    trace, plan = Arrivals.trace([1.0], [5.0]), Staffing.steps(EDGES, AGENTS)
    with pytest.raises(InputError, match="stratified"):
        simulate(trace, plan, None, replications=40, stratified=True)
    with pytest.raises(InputError, match="stratified=True"):
        simulate(trace, plan, None, replications=40).stratification()
