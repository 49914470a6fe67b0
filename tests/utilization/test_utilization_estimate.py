"""Intervals and Kaplan–Meier against slow loops, an older package, and how often they hold."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.proportion import proportion_confint

from staffcast.utilization.estimate import mean, nps, quantile, ranks, share, wilson
from staffcast.utilization.survival import kaplan_meier


def censored(seed, n=200, scale=60.0):
    """Whole seconds, so that ends coincide with each other and with censoring."""
    rng = np.random.default_rng(seed)
    wait, patience = np.ceil(rng.exponential(scale, n)), np.ceil(rng.exponential(1.5 * scale, n))
    return np.minimum(wait, patience), wait <= patience


@pytest.mark.parametrize("seed", range(3))
def test_kaplan_meier_is_what_a_loop_counts(seed):
    """The curve is the product over all times of who went on ÷ who was there, counted ticket by ticket."""
    durations, ended = censored(seed, 80)
    curve = kaplan_meier(durations, ended)
    left = 1.0
    for k, t in enumerate(sorted({d for d, e in zip(durations, ended, strict=True) if e})):
        there = sum(d >= t for d in durations)
        ends = sum(d == t and e for d, e in zip(durations, ended, strict=True))
        left *= (there - ends) / there
        assert curve.times[k] == t
        assert curve.survival[k] == pytest.approx(left)
    assert curve.at(curve.times[3]) == curve.survival[3]
    assert curve.at(0.0) == 1.0


@pytest.mark.filterwarnings("ignore::RuntimeWarning:statsmodels")
@pytest.mark.parametrize("seed", range(3))
def test_kaplan_meier_agrees_with_statsmodels(seed):
    """Curve, Greenwood's error and the quantiles' intervals are those of statsmodels."""
    durations, ended = censored(seed)
    curve, other = kaplan_meier(durations, ended), SurvfuncRight(durations, ended.astype(int))
    np.testing.assert_allclose(curve.survival, other.surv_prob, atol=1e-12)
    np.testing.assert_allclose(np.sqrt(curve.log_variance[:-1]) * curve.survival[:-1], other.surv_prob_se[:-1])
    for q in (0.25, 0.5, 0.9):
        found = curve.quantile_estimate(q)
        assert found.value == other.quantile(q)
        assert found.low == pytest.approx(other.quantile_ci(q, method="cloglog")[0], abs=1.01)
        high = other.quantile_ci(q, method="cloglog")[1]
        assert found.high == high or abs(found.high - high) <= 3


def test_without_censoring_the_curve_is_the_sample():
    """Its mean, the mean's error and its quantiles are those of the sample."""
    durations = np.ceil(np.random.default_rng(3).exponential(60, 301))
    curve = kaplan_meier(durations, np.ones(301, dtype=bool))
    plain, found = mean(durations), curve.mean_estimate()
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high))
    for q in (0.5, 0.9, 0.99):
        assert curve.quantile(q) == np.quantile(durations, q, method="inverted_cdf")


def test_influences_add_up_to_greenwood():
    """What single tickets move log survival by sums to zero, and its squares to Greenwood's variance."""
    durations, ended = censored(5)
    curve = kaplan_meier(durations, ended)
    for k in (0, 10, 40):
        influence = curve._log_influence(k)
        assert influence.sum() == pytest.approx(0, abs=1e-12)
        assert (influence**2).sum() == pytest.approx(curve.log_variance[k])


def test_who_still_waits_is_not_dropped():
    """Of ten tickets nine were answered in 10 s and one waits since 1,000 s: p95 is unknown, not 10 s."""
    durations, ended = np.array([10.0] * 9 + [1000.0]), np.array([True] * 9 + [False])
    curve = kaplan_meier(durations, ended)
    assert (curve.quantile(0.5), curve.quantile(0.9), curve.quantile(0.95)) == (10.0, 10.0, math.inf)
    assert curve.mean_estimate().value == pytest.approx(9 + 0.1 * 1000)
    assert "no waiting beyond" in curve.mean_estimate().note


@pytest.mark.parametrize(("k", "n"), [(0, 12), (1, 12), (8, 10), (70, 100), (100, 100)])
def test_wilson_agrees_with_statsmodels(k, n):
    """The score interval of a share is that of statsmodels."""
    assert wilson(k, n) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-12)
    flags = np.array([1.0] * k + [0.0] * (n - k))
    found = share(flags)
    assert (found.low, found.high) == pytest.approx(wilson(k, n), rel=0.02 if 0 < k < n else 1e-9)


@pytest.mark.parametrize("n", [20, 75, 400])
@pytest.mark.parametrize("q", [0.5, 0.9, 0.95])
def test_ranks_hold_a_quantile_as_often_as_they_say(n, q):
    """Between the two order statistics the quantile lies with at least 95 %, by the binomial distribution itself."""
    low, high = ranks(n, q)
    below = stats.binom(n, q)
    assert below.cdf(high - 1) - below.cdf(low - 1) >= 0.95
    assert below.cdf(high - 2) - below.cdf(low) < 0.95


def days_that_differ(seed, days=25, per_day=20, spread=0.5):
    """Waits whose mean is another each day: tickets of a day go together."""
    rng = np.random.default_rng(seed)
    level = rng.lognormal(-(spread**2) / 2, spread, days)
    day = np.repeat(np.arange(days), per_day)
    return rng.exponential(60 * level[day]), day


def test_intervals_by_day_hold_where_days_differ():
    """With a sd of 50 % between days the interval by day holds the mean in nine of ten samples, by ticket in six."""
    by_day, by_ticket = [], []
    for seed in range(300):
        values, day = days_that_differ(seed)
        one, other = mean(values, day), mean(values)
        by_day.append(one.low <= 60 <= one.high)
        by_ticket.append(other.low <= 60 <= other.high)
    assert np.mean(by_day) > 0.90
    assert np.mean(by_ticket) < 0.75


def test_shares_and_quantiles_by_day_hold_too():
    """The share within 60 s and the median of such waits are held about as often as promised."""
    many = np.concatenate([days_that_differ(1000 + s, days=400)[0] for s in range(20)])
    within, median = (many <= 60).mean(), np.median(many)
    ok = {"share": [], "quantile": [], "curve": []}
    for seed in range(200):
        values, day = days_that_differ(seed)
        found = share((values <= 60).astype(float), day)
        ok["share"].append(found.low <= within <= found.high)
        order = np.argsort(values)
        found = quantile(values[order], 0.5, day[order])
        ok["quantile"].append(found.low <= median <= found.high)
        patience = np.random.default_rng(seed + 9999).exponential(120, len(values))
        curve = kaplan_meier(np.minimum(values, patience), values <= patience)
        found = curve.quantile_estimate(0.5, day)
        ok["curve"].append(found.low <= median <= found.high)
    # Four standard errors of 200 samples below 95 % is 89 %.
    assert {name: float(np.mean(times)) for name, times in ok.items() if np.mean(times) < 0.89} == {}


def test_zero_is_a_detractor():
    """Of ten answers two of 9 and 10, three of 7 and 8, five of 0 to 6: −30 points, and a zero counts like a six."""
    scores = np.array([9, 10, 7, 8, 8, 0, 1, 4, 6, 6], dtype=float)
    assert nps(scores).value == pytest.approx(-30)
    assert nps(np.where(scores == 0, 6, scores)).value == pytest.approx(-30)
    assert -100 <= nps(np.zeros(12)).low <= nps(np.zeros(12)).high < 0


def test_few_values_have_no_bound():
    """From ten waits nothing bounds p95 from above; from none nothing is said."""
    found = quantile(np.arange(1.0, 11.0), 0.95)
    assert found.high == math.inf
    assert math.isnan(quantile(np.zeros(0), 0.5).value)
    assert math.isnan(mean(np.zeros(0)).value)
    assert math.isnan(share(np.zeros(0)).value)
