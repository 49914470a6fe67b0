"""Quantiles and probabilities of counts against scipy, whatever else is asked for with them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from staffcast.forecast import count_quantiles
from staffcast.forecast.demand import count_cdf

LEVELS = (0.001, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.999)
MEANS = np.concatenate([np.geomspace(0.001, 5000, 120), [0.5, 1, 2, 10, 299.999, 300, 300.001, 700, 710, 740, 1000]])


def ppf(levels, mean, cv):
    """Quantiles by scipy: Poisson for a certain rate, negative binomial for a gamma one."""
    mean, cv = np.broadcast_arrays(np.asarray(mean, dtype=float)[:, None], np.asarray(cv, dtype=float)[..., None])
    shape = 1 / np.where(cv > 0, cv, 1.0) ** 2
    return np.where(cv > 0, stats.nbinom.ppf(levels, shape, shape / (shape + mean)), stats.poisson.ppf(levels, mean))


def cdf(count, mean, cv):
    """Probability by scipy of at most so many."""
    shape = 1 / np.where(cv > 0, cv, 1.0) ** 2
    return np.where(cv > 0, stats.nbinom.cdf(count, shape, shape / (shape + mean)), stats.poisson.cdf(count, mean))


def assert_as_scipy(means, cv, levels=LEVELS):
    """Exactly scipy's quantile; where the probability of a count is within 1e-12 of the level, that or the next one."""
    means = np.asarray(means, dtype=float)
    found, expected = count_quantiles(means, cv, levels), ppf(levels, means, cv)
    cvs = np.broadcast_to(cv, means.shape)
    for i, j in np.argwhere(found != expected):
        low, high = sorted((found[i, j], expected[i, j]))
        off = abs(cdf(low, means[i], cvs[i]) - levels[j])
        assert (high - low, off < 1e-12) == (1, True), (means[i], cvs[i], levels[j], found[i, j], expected[i, j])


@pytest.mark.parametrize("cv", [0.0, 0.01, 0.1, 0.25, 0.5, 1.0, 1.5, 3.0])
def test_quantiles_are_scipys(cv):
    """Means from a thousandth of a ticket to 5000, all asked for at once."""
    assert_as_scipy(MEANS, cv)


def test_quantiles_of_many_spreads_at_once_are_scipys():
    """Means and spreads in one call, each with its own: none takes another's."""
    rng = np.random.default_rng(1)
    means, cvs = np.exp(rng.uniform(-7, 8.5, 600)), np.where(rng.random(600) < 0.2, 0.0, rng.uniform(0, 3, 600))
    assert_as_scipy(means, cvs)


@pytest.mark.parametrize("mean", [710.0, 730.0, 740.0])
def test_a_quantile_does_not_depend_on_its_neighbours(mean):
    """A busy certain interval beside a quieter uncertain one has the quantiles that it has alone."""
    alone = count_quantiles([mean], 0.0, LEVELS)[0]
    for cv in np.linspace(0.19, 0.23, 41):
        np.testing.assert_array_equal(count_quantiles([mean, 200.0], [0.0, cv], LEVELS)[0], alone)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 3)), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_intervals_does_not_matter(rows, order):
    """Shuffled intervals get their own quantiles, rising with the level; 0 where nothing is expected."""
    shuffled = list(range(len(rows)))
    order.shuffle(shuffled)
    means, cvs = np.array(rows).T
    found = count_quantiles(means, cvs, LEVELS)
    np.testing.assert_array_equal(count_quantiles(means[shuffled], cvs[shuffled], LEVELS), found[shuffled])
    assert (np.diff(found, axis=1) >= 0).all()
    assert (found[means == 0] == 0).all()


@pytest.mark.parametrize("mean", [0.3, 4.0, 60.0, 250.0, 299.0, 900.0])
@pytest.mark.parametrize("cv", [0.0, 0.2])
def test_levels_beside_a_step_of_probability(mean, cv):
    """A level 1e-11 below P(N ≤ k) has the quantile k, one as much above it k + 1."""
    spread = np.sqrt(mean + (cv * mean) ** 2)
    for k in np.floor(mean + spread * np.array([-1.0, 0.0, 0.5, 1.5])):
        step = float(cdf(max(k, 0.0), mean, cv))
        found = count_quantiles([mean], cv, [step - 1e-11, step + 1e-11])[0]
        assert found.tolist() == [max(k, 0.0), max(k, 0.0) + 1]


def test_a_step_of_probability_belongs_to_the_count_below():
    """Where P(N ≤ k) is the level itself to the last digit, the quantile is k."""
    for mean in (0.2, 1.0, 7.0):
        level = float(stats.poisson.cdf(3, mean))
        assert count_quantiles([mean], [0.0], [level])[0, 0] == 3


def test_probabilities_are_scipys():
    """``count_cdf`` over the same means and spreads, below zero too."""
    rng = np.random.default_rng(2)
    means, cvs = np.exp(rng.uniform(-7, 8, 300)), np.where(rng.random(300) < 0.3, 0.0, rng.uniform(0.01, 3, 300))
    counts = np.floor(means * rng.uniform(-0.2, 2, 300))
    np.testing.assert_allclose(count_cdf(counts, means, cvs), cdf(counts, means, cvs), rtol=1e-9, atol=1e-14)
