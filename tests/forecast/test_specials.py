"""Holidays, what is believed of a regression, and drift: by hand, by slow loops and by simulation."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, expect, frame, grid, weekly_rate
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import Calendar
from staffcast.forecast import forecast
from staffcast.forecast.demand import count_cdf
from staffcast.forecast.models.drift import drift_of_totals, learn_drift
from staffcast.forecast.models.shrink import believed, inflation
from staffcast.forecast.models.specials import Specials, learn_specials
from staffcast.forecast.past.days import weekday
from staffcast.forecast.past.features import year_waves

WEEK = np.array([1.2, 1.1, 1.0, 0.9, 0.9, 0.5, 0.4])


def span(start, days):
    return np.datetime64(start) + np.arange(days)


def with_holidays(named):
    return Calendar(zone=BERLIN, holidays=named)


# Holidays


def test_days_around_an_unknown_holiday_by_hand():
    """A Thursday off: like Sunday; the Friday after, 70 % of the way there, the Wednesday before, 15 %."""
    specials = Specials(calendar=with_holidays({dt.date(2026, 5, 14): "Ascension"}), weekdays=WEEK)
    factor = specials.factor(span("2026-05-11", 7))
    like_sunday = [1, 1, 1 - 0.15 * (1 - 0.4 / 1.0), 0.4 / 0.9, 1 - 0.7 * (1 - 0.4 / 0.9), 1, 1]
    np.testing.assert_allclose(factor, like_sunday)


@pytest.mark.parametrize("on", range(7))
def test_a_holiday_never_seen_is_like_the_quietest_weekday(on):
    """The house model gives it the total and the course of a Sunday, whatever its weekday."""
    ds = grid(84)
    off = dt.date(2025, 8, 25) + dt.timedelta(days=on + 7)
    mean, ahead = expect("house", frame(ds, weekly_rate(ds)), with_holidays({off: "New"}), days=21)
    local = Calendar(zone=BERLIN).day(ahead)
    found = mean[local == np.datetime64(off)]
    sunday = mean[local == np.datetime64("2025-09-14")]
    assert found.sum() == pytest.approx(sunday.sum(), rel=0.02)
    np.testing.assert_allclose(found / found.sum(), sunday / sunday.sum(), rtol=1e-6)


def scattered_holidays(days=760, every=18, names=("Feast",)):
    """Holidays all over two years and four months, on all weekdays alike."""
    first = dt.date(2024, 1, 1)
    return {first + dt.timedelta(days=9 + every * k): names[k % len(names)] for k in range((days + 126) // every)}


def house_on_holidays(week, seed=None):
    """Forecast ÷ truth after two years with + 30 % on every holiday: of each of seven to come, and of usual days."""
    listed = scattered_holidays()
    local = Calendar(zone=BERLIN)
    off = np.array(list(listed), dtype="datetime64[D]")

    def rate(ds):
        hour = np.asarray(ds.tz_localize(None).hour)
        day = local.day(ds)
        return 40 * (1 + np.sin(np.pi * hour / 24)) * week[weekday(day)] * np.where(np.isin(day, off), 1.3, 1.0)

    ds = grid(760, start="2024-01-01")
    y = rate(ds) if seed is None else np.random.default_rng(seed).poisson(rate(ds))
    found, ahead = expect("house", frame(ds, y), with_holidays(listed), days=126)
    on = np.isin(local.day(ahead), off)
    near = np.isin(local.day(ahead), np.concatenate([off - 1, off, off + 1]))
    truth = rate(ahead)
    each = found[on].reshape(-1, 24).sum(axis=1) / truth[on].reshape(-1, 24).sum(axis=1)
    assert len(each) == 7
    return each, found[~near].sum() / truth[~near].sum()


def test_many_holidays_of_30_percent_more_are_learnt():
    """With a holiday of + 30 % every 18 days for two years the coming ones are forecast to within 1 %, without bias."""
    exact, usual = house_on_holidays(np.ones(7))
    assert exact == pytest.approx(1, abs=0.005)
    assert usual == pytest.approx(1, abs=0.005)
    noisy = np.array([house_on_holidays(np.ones(7), seed)[0] for seed in range(6)])
    assert noisy.mean() == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(noisy, 1, atol=0.04)


def test_holidays_of_30_percent_more_are_learnt_on_every_weekday():
    """The same where weekends are quiet: a Sunday feast is 1.3 Sundays a Monday's 1.3 Mondays."""
    each, _ = house_on_holidays(np.where(np.arange(7) < 5, 1.0, 0.35))
    np.testing.assert_allclose(each, 1, atol=0.1)


def test_a_named_holiday_differs_from_the_others():
    """Feasts of half as much again and fasts of half: each is forecast nearer to its own than to their mean."""
    listed = scattered_holidays(names=("Feast", "Fast"))
    dates, usual = span("2024-01-01", 760), np.full(760, 20.0)
    ratio = np.array([{"Feast": 1.5**0.5, "Fast": 0.5**0.5, None: 1.0}[listed.get(d.item())] for d in dates])
    start = Specials(calendar=with_holidays(listed), weekdays=np.ones(7))
    found = learn_specials(usual * ratio, usual, dates, np.ones(760), start)
    coming = span("2026-02-01", 40)
    factor = found.factor(coming)
    seen = {listed[d.item()]: factor[k] for k, d in enumerate(coming) if d.item() in listed}
    assert seen["Feast"] ** 2 == pytest.approx(1.5, abs=0.12)
    assert seen["Fast"] ** 2 == pytest.approx(0.5, abs=0.12)
    unnamed = found.factor(np.array(["2027-01-01"], dtype="datetime64[D]"))
    assert unnamed == pytest.approx(1)


def test_learning_by_a_slow_loop():
    """Kinds and names: weighted means of what past days were like, believed against three (two) days of doubt."""
    rng = np.random.default_rng(8)
    dates = span("2025-01-01", 420)
    listed = {dates[k].item(): "AB"[k % 2] for k in range(5, 420, 23)}
    calendar = with_holidays(listed)
    usual, weight = rng.uniform(5, 9, 420), rng.uniform(0, 1, 420) * (rng.random(420) < 0.9)
    root = usual * rng.uniform(0.4, 1.6, 420)
    start = Specials(calendar=calendar, weekdays=WEEK)
    found = learn_specials(root, usual, dates, weight, start)
    kinds = start.kinds(dates)
    ratio = root / usual
    fresh = {k: weight[k] * 2 ** (-(419 - k) / 730) for k in range(420)}
    part, gap = {"before": 0.15, "after": 0.0, "bridge": 0.7}, 1 - WEEK.min() / WEEK[weekday(dates)]
    on = np.flatnonzero(kinds.holiday)
    seen, quiet = sum(fresh[k] * (1 - ratio[k]) for k in on), sum(fresh[k] * gap[k] for k in on)
    belief = sum(fresh[k] for k in on) / (sum(fresh[k] for k in on) + 3)
    assert found.rest == pytest.approx(1 - belief * (1 - min(max(seen / quiet, 0), 1)))
    assert 0 < found.rest < 1
    for kind in ("holiday", "before", "after", "bridge"):
        at = np.flatnonzero(getattr(kinds, kind))
        weights = sum(fresh[k] for k in at)
        mean = sum(fresh[k] * ratio[k] for k in at) / weights
        assert found.learnt[kind] == pytest.approx((weights / (weights + 3), mean))
        factors = found.factor(dates)
        if kind in ("before", "after", "bridge"):
            for k in at:
                usually = 1 - part[kind] * found.rest * gap[k]
                mixed = usually + weights / (weights + 3) * (mean - usually)
                assert factors[k] == pytest.approx(mixed)
    for name in "AB":
        at = [k for k in range(420) if listed.get(dates[k].item()) == name]
        weights = sum(fresh[k] for k in at)
        mean = sum(fresh[k] * ratio[k] for k in at) / weights
        assert found.by_name[name] == pytest.approx((weights / (weights + 2), mean))


@pytest.mark.parametrize(("holiday", "low", "high"), [(1.3, 0.0, 0.35), (1.0, 0.0, 0.35), (0.4, 0.99, 1.0)])
def test_a_desk_that_works_on_holidays_works_beside_them(holiday, low, high):
    """Ten holidays as busy as other days leave little of the bridge day's rest; ten quiet ones leave it whole."""
    dates = span("2025-01-01", 365)
    listed = {dates[k].item(): f"day {k}" for k in range(7, 360, 35)}  # Wednesdays: no bridge day is ever seen
    coming = span("2026-01-05", 7)
    calendar = with_holidays({**listed, coming[3].item(): "new"})
    start = Specials(calendar=calendar, weekdays=WEEK)
    usual = WEEK[weekday(dates)]
    root = usual * np.where(start.kinds(dates).holiday, holiday, 1.0)
    found = learn_specials(root, usual, dates, np.ones(365), start)
    assert low <= found.rest <= high
    friday = found.factor(coming)[4]
    assert friday == pytest.approx(1 - 0.7 * found.rest * (1 - 0.4 / 0.9))


def test_without_special_days_nothing_is_learnt():
    """No holiday in the past, or none known: what is expected stays."""
    dates, ones = span("2026-03-02", 60), np.ones(60)
    for calendar, weight in ((Calendar(), ones), (with_holidays({dt.date(2026, 3, 18): "x"}), np.zeros(60))):
        start = Specials(calendar=calendar, weekdays=WEEK)
        assert learn_specials(ones, ones, dates, weight, start) is start


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_factors_are_never_negative_nor_threefold(seed):
    """Whatever came on special days, a day's root is multiplied by something from 0 to 3."""
    rng = np.random.default_rng(seed)
    dates = span("2026-01-01", 90)
    calendar = with_holidays({d.item(): f"h{k % 3}" for k, d in enumerate(rng.choice(dates, 12, replace=False))})
    start = Specials(calendar=calendar, weekdays=rng.uniform(0, 2, 7))
    found = learn_specials(rng.gamma(0.3, 50, 90), rng.gamma(1, 5, 90), dates, np.ones(90), start)
    factor = found.factor(span("2026-01-01", 120))
    assert ((factor >= 0) & (factor <= 3)).all()


# How much is believed


def regression(rng, beta, *, days=300, noise=1.0):
    x = rng.standard_normal((days, len(beta)))
    y = x @ beta + noise * rng.standard_normal(days)
    normal = x.T @ x
    found = np.linalg.solve(normal, x.T @ y)
    return found, np.linalg.inv(normal), y - x @ found, np.ones(days)


def test_noise_is_not_believed():
    """Eight coefficients of nothing: on average no more is kept than of a χ² of 8, E(1 − 8/χ²)₊ = 0.13, and often 0."""
    rng = np.random.default_rng(1)
    kept = np.array([believed(*regression(rng, np.zeros(8))) for _ in range(300)])
    chi = rng.chisquare(8, 200_000)
    theory = np.maximum(1 - 8 / chi, 0).mean()
    assert kept.mean() < theory + 4 * kept.std() / np.sqrt(300)
    assert np.median(kept) < 0.1
    assert ((kept >= 0) & (kept < 1)).all()


def test_a_strong_effect_is_believed():
    """Coefficients of ten standard errors and more are kept nearly whole, exact ones entirely."""
    rng = np.random.default_rng(2)
    kept = [believed(*regression(rng, np.full(8, 1.0))) for _ in range(50)]
    # In balanced noise 1 − 8 ÷ (8 + 300 · 8); the inflation of a white series of 300 days is at most a few.
    assert min(kept) > 0.98
    assert believed(np.ones(3), np.eye(3), np.zeros(20), np.ones(20)) == 1.0


def test_what_is_kept_helps():
    """James and Stein: over many regressions the kept coefficients are nearer to the truth than those found."""
    rng = np.random.default_rng(3)
    before = after = 0.0
    for _ in range(200):
        beta = rng.normal(0, 0.05, 8)
        found, inverse, left, weight = regression(rng, beta)
        before += ((found - beta) ** 2).sum()
        after += ((believed(found, inverse, left, weight) * found - beta) ** 2).sum()
    assert after < 0.85 * before


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3), st.floats(0, 3))
def test_belief_is_a_share_and_has_no_unit(seed, unit, strength):
    """In [0, 1]; tickets or thousands of tickets; nothing found is nothing kept; more strength is not less belief."""
    found, inverse, left, weight = regression(np.random.default_rng(seed), np.full(4, strength / 10), days=60)
    kept = believed(found, inverse, left, weight)
    assert 0 <= kept <= 1
    assert believed(unit * found, inverse, unit * left, weight) == pytest.approx(kept, abs=1e-9)
    assert believed(0 * found, inverse, left, weight) == 0
    assert believed(2 * found, inverse, left, weight) >= kept


def autoregression(rng, rho, days):
    shocks = rng.standard_normal(days)
    series = np.empty(days)
    series[0] = shocks[0] / np.sqrt(1 - rho**2)
    for k in range(1, days):
        series[k] = rho * series[k - 1] + shocks[k]
    return series


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.5, 0.7])
def test_inflation_of_an_autoregression(rho):
    """Near (1 + ρ) ÷ (1 − ρ), less what two fading weeks of lags leave out."""
    rng = np.random.default_rng(4)
    found = np.array([inflation(autoregression(rng, rho, 3000)) for _ in range(12)])
    theory, lags = (1 + rho) / (1 - rho), np.arange(1, 15)
    faded = 1 + 2 * float(((1 - lags / 15) * rho**lags).sum())
    assert faded <= theory
    # Of a white series half the estimates are below 1 and are taken as 1.
    assert abs(found.mean() - faded) < 4 * found.std() / np.sqrt(12) + (0.05 if rho == 0 else 0.0)
    assert found.mean() == pytest.approx(theory, rel=0.08 if rho < 0.4 else 0.25)


def test_inflation_is_that_of_the_mean():
    """The variance of means of 60 days of an autoregression, simulated, is so many times that of independent days."""
    rho, series = 0.5, autoregression(np.random.default_rng(5), 0.5, 60_000)
    means = series.reshape(-1, 60).mean(axis=1)
    simulated = means.var() * 60 / series.var()
    error = simulated * np.sqrt(2 / len(means))
    assert abs(inflation(series) - simulated) < 4 * error + 2 * 2 * rho / (15 * (1 - rho) ** 2)


def test_days_that_swing_back_are_not_called_surer():
    """A negative autocorrelation leaves 1, as does a series of zeros."""
    assert inflation(np.tile([1.0, -1.0], 50)) == 1.0
    assert inflation(np.zeros(50)) == 1.0


# Drift


@pytest.mark.parametrize("slope", [0.3, -0.2])
@pytest.mark.parametrize("days", [120, 380])
def test_exact_linear_growth_is_found(slope, days):
    """The slope per year to nine digits; before the end the line itself, after it the line with its pace fading."""
    dates = span("2024-02-01", days)
    years = (dates - dates[-1]).astype(float) / 365.25
    drift = learn_drift(1 + slope * years, dates, np.ones(days))
    assert drift.slope == pytest.approx(slope, rel=1e-9)
    np.testing.assert_allclose(drift.at(dates), slope * years, atol=1e-9)
    # Each day ahead adds e^(−day/damping) of a day's growth: the integral, by a slow sum.
    fine = np.arange(0, 100, 0.01) + 0.005
    grown = slope / 365.25 * np.exp(-fine / days).sum() * 0.01
    assert drift.at(dates[-1:] + 100)[0] == pytest.approx(grown, rel=1e-4)


def test_noise_has_no_drift():
    """Of 60 flat noisy histories most have a slope of 0, and on average a third of what a plain regression finds."""
    rng = np.random.default_rng(6)
    dates, weight = span("2024-02-01", 200), np.ones(200)
    years = (dates - dates[-1]).astype(float) / 365.25
    kept, plain = [], []
    for _ in range(60):
        level = 1 + 0.1 * rng.standard_normal(200)
        kept.append(abs(learn_drift(level, dates, weight).slope))
        plain.append(abs(np.polyfit(years, level, 1)[0]))
    assert np.mean(np.array(kept) == 0) > 0.5
    assert np.mean(kept) < 0.5 * np.mean(plain)


def test_growth_in_noise_is_found_where_it_is_sure():
    """+30 % a year under 10 % daily noise over a year: on average at least 90 % of it, and not more than all."""
    rng = np.random.default_rng(7)
    dates = span("2024-02-01", 365)
    years = (dates - dates[-1]).astype(float) / 365.25
    found = np.array([
        learn_drift(1 + 0.3 * years + 0.1 * rng.standard_normal(365), dates, np.ones(365)).slope for _ in range(40)
    ])  # fmt: skip
    assert 0.27 < found.mean() < 0.3 + 4 * found.std() / np.sqrt(40)


def test_a_wild_day_moves_no_trend():
    """One day of a hundredfold, and days that do not count, leave exact growth as it is."""
    dates = span("2024-02-01", 200)
    level = 1 + 0.4 * (dates - dates[-1]).astype(float) / 365.25
    wild, weight = level.copy(), np.ones(200)
    wild[190], wild[50:60] = 100, -7
    weight[50:60] = 0
    assert learn_drift(wild, dates, weight).slope == pytest.approx(0.4, rel=0.02)


@pytest.mark.parametrize(("days", "known"), [(89, 89), (120, 40)])
def test_a_short_past_has_no_drift(days, known):
    """Under 90 days, or half of that known, growth is not told from chance."""
    dates, weight = span("2024-02-01", days), (np.arange(days) < known).astype(float)
    drift = learn_drift(np.linspace(1, 2, days), dates, weight)
    assert drift.slope == 0
    assert not drift.at(span("2024-02-01", days + 60)).any()


def test_the_course_of_the_year_is_known_after_two():
    """A wave over the year of ± 20 % is known to 2 points after two years, not after one and a bit."""
    wave = np.array([0.2, 0.0, 0.0, 0.0])
    for days, close in ((800, True), (410, False)):
        dates = span("2023-01-01", days)
        drift = learn_drift(1 + year_waves(dates, 2) @ wave, dates, np.ones(days))
        off = np.hypot(*(drift.year - wave)[[0, 2]])
        assert (off < 0.02) == close, off


def test_drift_of_totals_is_relative_to_the_weekday():
    """Roots that grow alike on busy and quiet weekdays have one slope; an idle weekday says nothing."""
    dates = span("2024-02-01", 210)
    weekdays = np.array([1.2, 1.1, 1.0, 0.9, 0.9, 0.5, 0.01])
    growth = 1 + 0.3 * (dates - dates[-1]).astype(float) / 365.25
    root = weekdays[weekday(dates)] * growth
    root[weekday(dates) == 6] = np.random.default_rng(1).uniform(0, 5, (weekday(dates) == 6).sum())
    assert drift_of_totals(root, dates, weekdays, np.ones(210)).slope == pytest.approx(0.3, rel=1e-6)


def test_the_regression_expects_a_kind_of_day_that_it_never_saw():
    """Without any holiday in the past, one to come and the bridge day after it are as quiet as the house model says."""
    ds = grid(84)
    off = dt.date(2025, 9, 4)  # a Thursday: the Friday after is a bridge day
    totals = {}
    for name in ("glm", "house"):
        mean, ahead = expect(name, frame(ds, weekly_rate(ds)), with_holidays({off: "New"}), days=28)
        local = Calendar(zone=BERLIN).day(ahead)
        totals[name] = np.array([mean[local == np.datetime64(off) + k].sum() for k in (-1, 0, 1, 2)])
    np.testing.assert_allclose(totals["glm"], totals["house"], rtol=0.05)
    assert totals["glm"][1] < 0.7 * totals["glm"][0]


def test_bands_and_paths_are_wider_on_a_holiday():
    """A holiday that was never seen has a larger ``rate_cv``, and its paths keep to its quantiles."""
    ds = grid(140)
    y = np.random.default_rng(12).poisson(10 * weekly_rate(ds)).astype(float)
    history = frame(ds, y)
    off = (ds[-1] + pd.Timedelta(days=9)).date()
    demand = forecast(history, "14d", calendar=with_holidays({off: "New"}), model="house")
    rows = demand.frame
    on = (rows["ds"].dt.tz_convert(BERLIN).dt.date == off).to_numpy()
    busy = (rows["mean"] > 5).to_numpy()
    assert rows.loc[on & busy, "rate_cv"].min() > rows.loc[~on & busy, "rate_cv"].median() + 0.03
    paths = demand.sample(2000)[:, 0, :]
    inside = ((paths >= rows["q05"].to_numpy()) & (paths <= rows["q95"].to_numpy())).mean(axis=0)
    expected = count_cdf(rows["q95"], rows["mean"], rows["rate_cv"]) - count_cdf(
        rows["q05"] - 1, rows["mean"], rows["rate_cv"]
    )
    assert np.abs(inside - expected)[on & busy].max() < 5 * np.sqrt(0.09 / 2000)
