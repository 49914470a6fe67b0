"""The spread of a rate: bursts and busy noise planted in counts come back, whatever the order and one absurd day."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.forecast.uncertainty import Spread, learn_spread

SHAPE = (400, 7, 24)  # origins, days, hours


def planted(rng, *, bursts=0.0, interval=0.0, day=0.0, level=0.0, shape=SHAPE, low=0.5, high=60.0):
    """Counts around forecasts f: gamma rates of variance bursts·f + interval·f², under factors of day and horizon."""
    f = np.broadcast_to(np.geomspace(low, high, shape[2]), shape)

    def factor(variance, size):
        return rng.gamma(1 / variance, variance, size) if variance else np.ones(size)

    common = factor(level, (shape[0], 1, 1)) * factor(day, (*shape[:2], 1))
    variance = (bursts * f + interval * f**2) / f**2
    own = rng.gamma(1 / variance, variance) if bursts or interval else 1.0
    y = rng.poisson(f * common * own).astype(float)
    at = np.indices(shape)
    return y.ravel(), f.ravel().copy(), at[1].ravel(), at[0].ravel()


def variance_at(spread, f):
    return spread.bursts * f + (spread.rate_cv * f) ** 2


@pytest.mark.parametrize(
    ("bursts", "interval", "drawn_in"),
    [(0.0, 0.04, 0.06), (0.5, 0.0, 0.06), (0.5, 0.04, 0.06), (0.1, 0.1, 0.06), (2.0, 0.01, 0.20)],
)
def test_bursts_and_busy_noise_come_back(bursts, interval, drawn_in):
    """Of a·f + b·f² planted in negative binomial counts, both are found within four standard errors.

    The standard errors are those of the estimate over forty independent parts of the sample. That errors beyond four
    deviations are drawn in costs a little of what has long tails: measured, 18 % of bursts of 2.
    """
    parts = [learn_spread(*planted(np.random.default_rng(k), bursts=bursts, interval=interval, shape=(40, 7, 24)))
             for k in range(40)]  # fmt: skip
    a, b = (np.array([[s.bursts, s.rate_cv**2] for s in parts])).T
    for found, truth in ((a, bursts), (b, interval)):
        error = found.std(ddof=1) / np.sqrt(len(found))
        # Both are cut at 0 too, which lifts what is 0 in truth.
        assert abs(found.mean() - truth) < 4 * error + 0.01 + drawn_in * truth


@pytest.mark.parametrize(
    ("bursts", "interval", "day", "level"),
    [(0.0, 0.01, 0.02, 0.01), (0.4, 0.0, 0.02, 0.0), (0.4, 0.01, 0.0, 0.02), (0.0, 0.0, 0.0, 0.03)],
)
def test_day_and_horizon_come_back(bursts, interval, day, level):
    """In busy hours the variance is that of all factors together, and its shares are those of day and horizon."""
    spread = learn_spread(*planted(
        np.random.default_rng(5), bursts=bursts, interval=interval, day=day, level=level, shape=(1500, 7, 8), low=60.0,
        high=240.0,
    ))  # fmt: skip
    common = (1 + day) * (1 + level) - 1
    total = np.array([bursts * f + ((1 + common) * (1 + interval) - 1) * f**2 for f in (60.0, 120.0, 240.0)])
    found = variance_at(spread, np.array([60.0, 120.0, 240.0]))
    np.testing.assert_allclose(found, total, rtol=0.08)
    # Shares of the variance in the hours that weigh most.
    f = np.geomspace(60, 240, 8)
    usual = (bursts * f + ((1 + common) * (1 + interval) - 1) * f**2).sum()
    assert spread.share_level == pytest.approx(level * (f**2).sum() / usual, abs=0.08)
    assert spread.share_day == pytest.approx((common - level) * (f**2).sum() / usual, abs=0.08)


def test_poisson_noise_alone_is_no_spread():
    """Counts from the very forecast: at 30 expected tickets the rate's deviation is under 3 %."""
    spread = learn_spread(*planted(np.random.default_rng(6)))
    assert spread.cv_at(np.array([30.0]))[0] < 0.03


def test_the_order_of_intervals_does_not_matter():
    """Shuffled intervals, and origins and days by other numbers, show the same spread."""
    y, f, day, origin = planted(
        np.random.default_rng(7), bursts=0.3, interval=0.02, day=0.02, level=0.01, shape=(6, 7, 24)
    )
    spread = learn_spread(y, f, day, origin)
    place = np.random.default_rng(8).permutation(len(y))
    for d, o in ((day, origin), (day * 3 + 20_000, 5 - origin)):
        other = learn_spread(y[place], f[place], d[place], o[place])
        for name in ("rate_cv", "share_level", "share_day", "bursts"):
            assert getattr(other, name) == pytest.approx(getattr(spread, name), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("times", [0.0, 20.0, 1000.0])
def test_one_absurd_day_does_not_blow_it_up(times):
    """Of six weeks, one day without tickets, twentyfold or thousandfold widens no band by half.

    Neither the standard deviation of an interval's count, nor that of a day's total.
    """
    y, f, day, origin = planted(
        np.random.default_rng(9), interval=0.02, day=0.02, shape=(1, 42, 24), low=5.0, high=60.0
    )
    usual = learn_spread(y, f, day, origin)
    wild = learn_spread(np.where(day == 17, times * np.maximum(y, 1), y), f, day, origin)
    hours = np.geomspace(5, 60, 24)

    def deviations(spread):
        variance = variance_at(spread, hours)
        common = (spread.share_level + spread.share_day) * (np.sqrt(variance).sum() ** 2 - variance.sum())
        return np.sqrt(hours + variance), np.sqrt((hours + variance).sum() + common)

    (interval, day_total), (usual_interval, usual_day) = deviations(wild), deviations(usual)
    assert (interval < 1.5 * usual_interval).all()
    assert (interval > 0.8 * usual_interval).all()
    assert day_total < 1.5 * usual_day


def test_the_spread_of_an_interval_is_its_variance():
    """cv² = bursts ÷ f + rate_cv², by hand: √(0.5 ÷ 2 + 0.04) and √(0.5 ÷ 50 + 0.04); at most 1.5 or rate_cv."""
    spread = Spread(rate_cv=0.2, share_level=0.1, share_day=0.2, bursts=0.5)
    np.testing.assert_allclose(spread.cv_at(np.array([2.0, 50.0])), [0.29**0.5, 0.05**0.5])
    assert spread.cv_at(np.array([0.0])).tolist() == [0.2]
    assert spread.cv_at(np.array([1e-9])).tolist() == [1.5]
    assert Spread(rate_cv=2.0, share_level=0.0, share_day=0.0, bursts=1.0).cv_at(np.array([1e-9])).tolist() == [2.0]


@settings(max_examples=50, deadline=None)
@given(
    bursts=st.floats(0.01, 3), interval=st.sampled_from([0.0, 0.01, 0.5]), factor=st.floats(0.01, 100),
    origins=st.integers(1, 4), days=st.integers(1, 5), seed=st.integers(0, 2**31), lost=st.floats(0, 1),
)  # fmt: skip
def test_any_errors_give_a_spread(bursts, interval, factor, origins, days, seed, lost):
    """Any counts give finite numbers: bursts and rate_cv ≥ 0, shares ≥ 0 that sum to at most 1."""
    rng = np.random.default_rng(seed)
    y, f, day, origin = planted(rng, bursts=bursts, interval=interval, shape=(origins, days, 24))
    y[rng.random(len(y)) < lost] = np.nan
    spread = learn_spread(y * rng.integers(0, 3), f * factor, day, origin)
    assert np.isfinite([spread.rate_cv, spread.bursts, spread.share_level, spread.share_day]).all()
    assert min(spread.rate_cv, spread.bursts, spread.share_level, spread.share_day) >= 0
    assert spread.share_level + spread.share_day <= 1 + 1e-12


def test_special_days_have_a_spread_of_their_own():
    """Wild special days leave the bands of usual days as they are, and have the planted spread themselves."""
    rng = np.random.default_rng(9)
    y, f, day, origin = planted(rng, interval=0.01, shape=(20, 28, 24))
    day += 28 * origin
    special = day % 7 == 3
    plain = learn_spread(y[~special], f[~special], day[~special], origin[~special])
    wild = np.where(special, rng.poisson(f * rng.gamma(1 / 0.3, 0.3, len(f))), y)
    found = learn_spread(wild, f, day, origin, special)
    for name in ("rate_cv", "bursts", "share_level", "share_day"):
        assert getattr(found, name) == getattr(plain, name)
    cv = found.cv_at(np.array([40.0, 40.0]), special=np.array([False, True]))
    assert cv[0] == plain.cv_at(np.array([40.0]))[0]
    assert cv[1] == pytest.approx(0.3**0.5, rel=0.1)


@pytest.mark.parametrize("days", [0, 4])
def test_unseen_special_days_are_less_sure(days):
    """Before any was seen, a rate is 15 % less sure there; four calm ones halve that in variance, and never below."""
    y, f, day, origin = planted(np.random.default_rng(10), shape=(1, 28, 24))
    special = day < days
    y = np.where(special, np.round(f), y)  # calm
    found = learn_spread(y, f, day, origin, special)
    more = found.special_cv**2 - (found.rate_cv**2 if days == 0 else found.rate_cv**2 / 2)
    assert more == pytest.approx(0.15**2 if days == 0 else 0.15**2 / 2, abs=1e-9)


def test_spread_beyond_the_tests():
    """By hand: within the reach nothing changes; 14 days beyond, (6 %)² · 14 ÷ 28 more, all of it the horizon's."""
    spread = Spread(rate_cv=0.1, share_level=0.2, share_day=0.5, special_cv=0.3, reach=14.0)
    ahead, special = np.array([14.0, 28.0, 1.0]), np.array([False, False, True])
    cv, level, day = spread.at(np.full(3, 50.0), special=special, ahead=ahead)
    np.testing.assert_allclose(cv**2, [0.01, 0.0118, 0.09])
    np.testing.assert_allclose(level, [0.2, (0.002 + 0.0018) / 0.0118, 0.002 / 0.09])
    np.testing.assert_allclose(day, [0.5, 0.005 / 0.0118, (0.005 + 0.5 * 0.08) / 0.09])


@pytest.mark.parametrize(("days", "wider"), [(3, 2.0), (17, 2.0), (34, 1.25), (170, 1.01)])
def test_few_days_of_tests_widen(days, wider):
    """1 + (17 ÷ days)² of the variance, at most twice it."""
    spread = Spread(rate_cv=0.1, share_level=0.2, share_day=0.5, bursts=0.4, special_cv=0.2, special_bursts=1.0)
    found, f = spread.doubted(days, 7.0), np.array([3.0, 30.0])
    assert found.reach == 7
    for special in (np.array([False, False]), np.array([True, True])):
        np.testing.assert_allclose(found.cv_at(f, special=special) ** 2, wider * spread.cv_at(f, special=special) ** 2)
