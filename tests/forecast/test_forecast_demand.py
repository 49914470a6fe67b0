"""Quantiles and sample paths against Monte Carlo and theory; the spread learnt from errors against a known one."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, frame, grid, poisson
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import InputError
from staffcast.forecast import Demand, count_quantiles, forecast, learn_spread

LEVELS = (0.05, 0.25, 0.5, 0.9, 0.95)


def demand(mean, *, days=3, cv=0.2, level=0.0, day=0.0, seed=1, queues=("orders",), **where):
    ds = grid(days, **where)
    parts = [
        frame(ds, 0.0, q).drop(columns="y").assign(mean=mean, rate_cv=cv, share_level=level, share_day=day)
        for q in queues
    ]
    return Demand.from_frame(pd.concat(parts, ignore_index=True), seed=seed)


@pytest.mark.parametrize(("mean", "cv"), [(0.3, 0.0), (0.3, 0.5), (4.0, 0.3), (60.0, 0.0), (60.0, 0.15), (900.0, 0.2)])
def test_count_quantiles_are_those_of_poisson_draws_with_a_gamma_rate(mean, cv):
    """Each quantile is the least count that at least that share of simulated counts does not exceed."""
    rng = np.random.default_rng(11)
    n = 400_000
    rate = rng.gamma(1 / cv**2, mean * cv**2, n) if cv else np.full(n, mean)
    draws = rng.poisson(rate)
    table = count_quantiles([mean], [cv], LEVELS)[0]
    for q, x in zip(LEVELS, table, strict=True):
        slack = 4 * np.sqrt(q * (1 - q) / n)
        assert (draws <= x).mean() >= q - slack
        assert (draws <= x - 1).mean() < q + slack


def test_a_quantile_in_exact_fractions():
    """With mean 100 and rate_cv 0.2 the 95 % quantile is where the exact negative binomial sum first passes 0.95."""
    pmf = total = Fraction(1, 5) ** 25
    count = 0
    while total < Fraction(95, 100):
        count += 1
        pmf *= Fraction(24 + count, count) * Fraction(4, 5)
        total += pmf
    assert count_quantiles([100.0], [0.2], [0.95]).item() == count


@settings(max_examples=50, deadline=None)
@given(mean=st.floats(0, 5000), cv=st.floats(0, 2), more=st.floats(0.01, 100))
def test_count_quantiles_are_ordered(mean, cv, more):
    """Quantiles are whole, rise with the level and with the mean, and are 0 for no demand."""
    low, high = count_quantiles([mean, mean + more], [cv, cv], LEVELS)
    assert (low == np.round(low)).all()
    assert (np.diff(low) >= 0).all()
    assert (high >= low).all()
    assert (count_quantiles([0.0], [cv], LEVELS) == 0).all()


def test_sample_paths_have_the_stated_mean_and_variance():
    """Counts have mean m and variance m + (cv·m)², rates mean m and sd cv·m, to four standard errors."""
    made = demand(30.0, days=20, cv=0.2)
    n = 300
    for of, variance in (("counts", 30 + 36), ("rates", 36)):
        draws = made.sample(n, of=of)
        size = draws.size
        assert abs(draws.mean() - 30) < 4 * np.sqrt(variance / size)
        spread = (draws - 30) ** 2
        assert abs(spread.mean() - variance) < 4 * spread.std() / np.sqrt(size)
    assert (made.sample(3) % 1 == 0).all()


@pytest.mark.parametrize(("level", "day"), [(0.0, 0.0), (0.3, 0.5), (0.0, 1.0), (1.0, 0.0), (0.6, 0.2)])
def test_sample_paths_are_correlated_as_stated(level, day):
    """Rates correlate by share_level + share_day inside a day, by share_level across days, and not across queues."""
    rates = demand(50.0, days=3, cv=0.15, level=level, day=day, queues=("a", "b")).sample(2000, of="rates")
    r = np.corrcoef(rates[:, 0].T)
    inside = np.array([r[i, j] for i in (0, 30, 60) for j in (i + 1, i + 5, i + 11)])
    across = np.array([r[i, j] for i in (0, 5) for j in (24, 40, 60)])
    queues = np.array([np.corrcoef(rates[:, 0, i], rates[:, 1, j])[0, 1] for i in (0, 40) for j in (0, 40, 70)])
    np.testing.assert_allclose(inside, level + day, atol=0.07)
    np.testing.assert_allclose(across, level, atol=0.07)
    np.testing.assert_allclose(queues, 0, atol=0.07)


def test_days_of_sample_paths_are_local_days():
    """Over the autumn change the 25 hours of the day share one factor, and the next day has another."""
    made = demand(50.0, days=2, cv=0.2, day=1.0, start="2025-10-26", zone=BERLIN)
    rates = made.sample(5, of="rates")[:, 0]
    assert rates.shape == (5, 49)
    assert np.ptp(rates[:, :25], axis=1).max() < 1e-9
    assert (np.abs(rates[:, 25] - rates[:, 24]) > 1e-6).all()


def test_daily_totals_vary_more_than_independent_hours():
    """With a day's factor in common, the variance of a daily total is Poisson's plus cv²·share of the squared total."""
    made = demand(40.0, days=30, cv=0.2, day=0.8)
    totals = made.sample(400)[:, 0].reshape(400, 30, 24).sum(axis=2)
    truth = 24 * 40 + (0.2 * 40) ** 2 * (24 + 0.8 * 24 * 23)
    assert totals.var() == pytest.approx(truth, rel=0.06)
    assert totals.var() > 5 * 24 * (40 + 64)


def test_a_path_depends_on_its_number_and_the_seed_only():
    """Path i is the same in 3 and in 50 draws, twice in a row, and another with another seed."""
    made = demand(30.0, level=0.2, day=0.3, seed=5, queues=("a", "b"))
    assert made.sample(3).tobytes() == made.sample(50)[:3].tobytes()
    assert made.sample(4).tobytes() == made.sample(4).tobytes()
    assert made.sample(4).tobytes() != demand(30.0, level=0.2, day=0.3, seed=6, queues=("a", "b")).sample(4).tobytes()
    assert not np.array_equal(made.sample(2)[0], made.sample(2)[1])


def test_certain_demand_has_poisson_noise_only():
    """With rate_cv 0 the rates are the mean itself, and no demand gives no ticket."""
    made = demand(np.where(np.arange(72) % 24 < 8, 0.0, 12.0), cv=0.0)
    assert (made.sample(4, of="rates") == made.frame["mean"].to_numpy()).all()
    assert made.sample(4)[:, 0, np.arange(72) % 24 < 8].sum() == 0


@pytest.mark.parametrize(("n", "of", "name"), [(0, "counts", "n"), (2, "tickets", "of")])
def test_bad_arguments_of_sample_are_named(n, of, name):
    """No path, or paths of something unknown, are refused by name."""
    with pytest.raises(InputError, match=f"`{name}` must be"):
        demand(1.0).sample(n, of=of)


def test_an_edited_table_is_completed():
    """Without uncertainty columns a table has none, and is open where tickets are expected."""
    made = Demand.from_frame(frame(grid(1), 0.0).drop(columns="y").assign(mean=np.where(np.arange(24) < 8, 0.0, 2.5)))
    assert made.frame["open"].tolist() == [False] * 8 + [True] * 16
    assert made.frame[["carried", "rate_cv", "share_level", "share_day"]].to_numpy().max() == 0
    assert made.frame["aht_s"].isna().all()
    assert made.minutes == 60


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.assign(carried=t["mean"] + 1), "row 2, column carried.*part of it"),
        (lambda t: t.drop(index=5), "missing or uneven"),
        (lambda t: pd.concat([t, t.iloc[:3]]), "stands twice"),
        (lambda t: pd.concat([t, t.iloc[1:].assign(unique_id="b")]), "do not cover the same intervals"),
        (lambda t: t.assign(mean=-1.0), "column mean.*outside"),
        (lambda t: t.drop(columns="mean"), "lacks mean"),
    ],
)
def test_a_broken_demand_table_is_refused(change, says):
    """What an edited demand table gets wrong is named, with its place where it has one."""
    table = frame(grid(1), 0.0).drop(columns="y").assign(mean=2.0)
    with pytest.raises(InputError, match=says):
        Demand.from_frame(change(table))


def errors(rng, *, level, day, interval, origins=1500, days=5, hours=6, mean=200.0):
    """Counts around a forecast whose rate is off by normal factors of known variances."""
    shape = (origins, days, hours)
    factor = (
        1
        + np.sqrt(level) * rng.standard_normal((origins, 1, 1))
        + np.sqrt(day) * rng.standard_normal((origins, days, 1))
        + np.sqrt(interval) * rng.standard_normal(shape)
    )
    f = np.broadcast_to(mean * rng.uniform(0.3, 1.7, hours), shape)
    at = np.indices(shape)
    return rng.poisson(f * np.maximum(factor, 0)).astype(float).ravel(), f.ravel(), at[1].ravel(), at[0].ravel()


@pytest.mark.parametrize(
    ("level", "day", "interval"),
    [(0.01, 0.01, 0.01), (0.0, 0.02, 0.005), (0.03, 0.0, 0.0), (0.0, 0.0, 0.02), (0.004, 0.016, 0.0)],
)
def test_learn_spread_recovers_known_variances(level, day, interval):
    """Level, day and interval variances planted in synthetic errors come back, Poisson noise taken off."""
    spread = learn_spread(*errors(np.random.default_rng(21), level=level, day=day, interval=interval))
    total = level + day + interval
    assert spread.rate_cv == pytest.approx(np.sqrt(total), rel=0.06)
    assert spread.share_level == pytest.approx(level / total, abs=0.08)
    assert spread.share_day == pytest.approx(day / total, abs=0.08)


def test_learn_spread_finds_nothing_in_poisson_noise():
    """Counts drawn from the very forecast leave a spread of at most 2 %."""
    spread = learn_spread(*errors(np.random.default_rng(22), level=0, day=0, interval=0))
    assert spread.rate_cv < 0.02


def test_learn_spread_passes_over_what_is_not_known():
    """Unknown intervals change nothing: it is as if they had not been forecast."""
    y, f, day, origin = errors(np.random.default_rng(23), level=0.01, day=0.01, interval=0.01, origins=20)
    lost = np.random.default_rng(1).random(len(y)) < 0.3
    assert learn_spread(np.where(lost, np.nan, y), f, day, origin) == learn_spread(
        y[~lost], f[~lost], day[~lost], origin[~lost]
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), mean=st.floats(0.01, 50), origins=st.integers(1, 4), days=st.integers(1, 6))
def test_learn_spread_is_always_a_spread(seed, mean, origins, days):
    """Any errors give rate_cv ≥ 0 and shares ≥ 0 that sum to at most 1."""
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0, 0.5, 3)
    y, f, day, origin = errors(
        rng, level=noise[0], day=noise[1], interval=noise[2], origins=origins, days=days, mean=mean
    )
    spread = learn_spread(y, f, day, origin)
    assert spread.rate_cv >= 0
    assert min(spread.share_level, spread.share_day) >= 0
    assert spread.share_level + spread.share_day <= 1 + 1e-12


def test_few_tickets_teach_no_spread():
    """Under 30 expected tickets the rule of thumb stands: 25 %."""
    few = (np.zeros(100), np.full(100, 0.2), np.arange(100) // 24, np.zeros(100, dtype=int))
    assert learn_spread(*few).rate_cv == 0.25


def test_the_quantile_columns_fit_the_sample_paths():
    """Of a forecast's own sample paths, 80 % lie between q10 and q90 (half of each end counting)."""
    made = forecast(poisson(84, level=30), model="mean_4", seed=3)
    paths = made.sample(200)[:, 0]
    low, high = made.frame["q10"].to_numpy(), made.frame["q90"].to_numpy()
    inside = ((paths > low) & (paths < high)) + 0.5 * ((paths == low) | (paths == high))
    assert inside.mean() == pytest.approx(0.8, abs=0.01)
