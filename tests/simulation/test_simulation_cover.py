"""Intervals hold what they say: about 95 % of those of mean, share and quantile hold the truth."""

import numpy as np
import pytest
from scipy import stats
from simulation_exact import MEAN_S

from staffcast.simulation import Arrivals, Service, Staffing, simulate
from staffcast.simulation.collect import collect
from staffcast.simulation.intervals import quantile_interval
from staffcast.simulation.measure import measure_chunk
from staffcast.simulation.tally import COARSE, FINE, FINE_PER_COARSE, bin_edges

EXPERIMENTS, RUNS = 250, 40


@pytest.fixture(scope="module")
def experiments():
    """Summaries of experiments on one skewed hour, and of all of them together."""
    edges = np.arange(5) * 900.0
    case = simulate(
        Arrivals.piecewise(edges, [40, 60, 60, 30]), Staffing.steps(edges, [5] * 4), Service.exponential(MEAN_S),
        target="80% in 1m", replications=1, seed=1,
    ).case  # fmt: skip
    chunks = [measure_chunk(case, range(RUNS * k, RUNS * (k + 1))) for k in range(EXPERIMENTS)]
    return [collect(case, [chunk]).summary for chunk in chunks], collect(case, chunks).summary


@pytest.mark.parametrize("name", ["mean_wait_s", "frt_mean_s", "service_level", "frt_p95_s"])
def test_intervals_hold_the_truth_as_often_as_they_say(experiments, name):
    """The truth is that of all experiments together, 16 times as narrow; misses are on both sides."""
    each, whole = experiments
    truth = getattr(whole, name)
    low, high = (np.array([getattr(one, f"{name}_{side}") for one in each]) for side in ("low", "high"))
    value = np.array([getattr(one, name) for one in each])
    assert ((low < value) & (value < high)).all()
    below, above = int((truth < low).sum()), int((truth > high).sum())
    # From 93 to 97 % as is wanted, and what 250 experiments may be off by chance.
    assert stats.binomtest(below + above, EXPERIMENTS, 0.03, alternative="less").pvalue > 1e-3
    assert stats.binomtest(below + above, EXPERIMENTS, 0.07, alternative="greater").pvalue > 1e-3
    assert max(below, above) < 0.06 * EXPERIMENTS


def of_waits(rows):
    """Histograms of waits of some replications, whole and by replication."""
    fine = np.zeros(FINE + 1, dtype=np.int64)
    coarse = np.zeros((len(rows), COARSE + 1), dtype=np.int32)
    for row, waits in enumerate(rows):
        for wait in waits:
            place = 0 if wait == 0 else int(np.searchsorted(bin_edges(True), wait, side="right"))
            fine[place] += 1
            coarse[row, -(-place // FINE_PER_COARSE)] += 1
    return fine, coarse


def test_an_interval_of_a_quantile_is_about_that_of_order_statistics():
    """With one ticket per replication it is the interval of single draws: from binomial ranks, without any model."""
    waits = np.sort(np.random.Generator(np.random.Philox(3)).exponential(100.0, 2000))
    low, high = quantile_interval(*of_waits(waits[:, None]), 0.95)
    ranks = stats.binom(2000, 0.95).ppf([0.025, 0.975]).astype(int)
    assert (low, high) == pytest.approx(waits[ranks], rel=0.03)


def test_an_interval_of_a_quantile_at_its_ends():
    """Equal replications leave no doubt; all at once means 0; one replication or no ticket gives no interval."""
    same = [[0.0, 10.0, 20.0, 400.0]] * 5
    low, high = quantile_interval(*of_waits(same), 0.5)
    assert (low, high) == (pytest.approx(10.0, rel=0.03), pytest.approx(10.0, rel=0.03))
    assert quantile_interval(*of_waits([[0.0] * 9, [0.0] * 9]), 0.9) == (0.0, 0.0)
    assert np.isnan(quantile_interval(*of_waits([[5.0, 6.0]]), 0.9)).all()
    assert np.isnan(quantile_interval(*of_waits([[], []]), 0.9)).all()
