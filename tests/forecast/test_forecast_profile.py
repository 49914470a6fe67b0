"""The course of a day per weekday: a slow loop, exact weeks, and weekdays that lean on those like them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.forecast.models.profile import day_shares, weekday_profile

WEEK = np.arange(70) % 7


def humps(*, shift=0.0, slots=24, weight=4.0):
    hour = np.arange(slots) * 24 / slots
    day = 1 + weight * np.exp(-(((hour - 10 - shift) / 2.5) ** 2)) + 3 * np.exp(-(((hour - 15 - shift) / 3) ** 2))
    return day / day.sum()


def by_slow_loops(rates, weekday, weight):
    """Redo the profile from its description, number by number, for days that are all known."""
    days, slots = rates.shape
    mean = [[0.0] * slots for _ in range(7)]
    for w in range(7):
        for s in range(slots):
            mean[w][s] = sum(weight[d] * rates[d][s] for d in range(days) if weekday[d] == w) / sum(
                weight[d] for d in range(days) if weekday[d] == w
            )
    own = [[x / sum(row) for x in row] for row in mean]
    # Noise: squares around the weekday's course at the day's own level, over what is left of the degrees of freedom.
    above = below = 0.0
    for d in range(days):
        level = sum(rates[d]) / sum(mean[weekday[d]])
        for s in range(slots):
            expected = level * mean[weekday[d]][s]
            above += weight[d] * (rates[d][s] - expected) ** 2 / expected
            below += weight[d] * max(1 - 1 / sum(1 for v in weekday if v == weekday[d]) - 1 / slots, 0.05)
    noise = above / below
    size = [sum(weight[d] for d in range(days) if weekday[d] == w) * sum(mean[w]) / noise for w in range(7)]
    result = []
    for w in range(7):
        like = []
        for v in range(7):
            away = 1 - sum((a * b) ** 0.5 for a, b in zip(own[w], own[v], strict=True))
            chance = (slots - 1) / 8 * (1 / size[w] + 1 / size[v])
            like.append(0.0 if v == w else size[v] * 2.718281828459045 ** (-max(away - chance, 0) / 0.01))
        pool = [sum(like[v] * own[v][s] for v in range(7)) / sum(like) for s in range(slots)]
        lean = min(sum(like), 2000.0)
        result.append([(size[w] * a + lean * b) / (size[w] + lean) for a, b in zip(own[w], pool, strict=True)])
    return np.array(result)


@pytest.mark.parametrize("level", [3.0, 80.0])
def test_the_profile_is_that_of_slow_loops(level):
    """With every slot known, loops over days and slots give the same shares."""
    rng = np.random.default_rng(3)
    shape = np.where(np.isin(WEEK, (5, 6))[:, None], humps(shift=2.0), humps())
    rates = rng.poisson(level * shape * 24).astype(float)
    weight = 0.5 ** (np.arange(69, -1, -1) / 30)
    np.testing.assert_allclose(weekday_profile(rates, WEEK, weight), by_slow_loops(rates, WEEK, weight), rtol=1e-10)


def test_weeks_that_repeat_exactly_stay_exactly_as_they_are():
    """Seven unlike weekdays, the same every week at any level, keep each its own shares."""
    own = np.array([humps(shift=k - 3, weight=k + 1) for k in range(7)])
    for factor, rtol in ((1e-3, 1e-6), (1.0, 1e-9), (1e4, 1e-12)):
        rates = factor * (own * np.arange(1, 8)[:, None])[WEEK]
        np.testing.assert_allclose(weekday_profile(rates, WEEK, np.ones(70)), own, rtol=rtol)


def test_the_level_of_a_day_does_not_matter_to_its_shape():
    """Days of the same course, each at a level of its own, are no noise: the shares are exact."""
    level = np.random.default_rng(1).uniform(0.2, 3, 70)
    own = np.array([humps(shift=k - 3) for k in range(7)])
    np.testing.assert_allclose(weekday_profile(own[WEEK] * level[:, None], WEEK, np.ones(70)), own, rtol=1e-9)


def mean_error(rates, truth):
    profile = weekday_profile(rates, WEEK[: len(rates)], np.ones(len(rates)))
    alone = np.array([rates[WEEK[: len(rates)] == w].sum(axis=0) for w in range(7)])
    alone = alone / alone.sum(axis=1, keepdims=True)
    return np.abs(profile - truth).sum(axis=1), np.abs(alone - truth).sum(axis=1)


def test_few_tickets_lean_on_weekdays_alike():
    """Seven equal weekdays of 20 tickets a day: together they err by less than half of what each alone does."""
    truth = np.tile(humps(), (7, 1))
    rng = np.random.default_rng(7)
    leaning, alone = np.mean(
        [mean_error(rng.poisson(20 * truth[WEEK]).astype(float), truth) for _ in range(20)], axis=0
    )
    assert leaning.mean() < 0.5 * alone.mean()
    assert leaning.mean() > 0.3 * alone.mean()  # chance alone leaves 1 ÷ √7 of it


def test_many_tickets_of_another_shape_do_not_lean():
    """A weekend of its own keeps its shape, to 5 %, beside five busy days of another, once it has tickets enough."""
    weekend, working = humps(shift=5.0), humps()
    truth = np.array([working] * 5 + [weekend] * 2)
    rng = np.random.default_rng(8)
    rates = rng.poisson(truth[WEEK] * np.where(np.isin(WEEK, (5, 6)), 400, 4000)[:, None]).astype(float)
    profile = weekday_profile(rates, WEEK, np.ones(70))
    assert np.abs(profile - truth)[5:].sum(axis=1).max() < 0.05
    assert np.abs(working - weekend).sum() > 0.3


def test_a_weekday_never_seen_has_the_mean_course():
    """Five days a week in the log: Saturday and Sunday take the mean course of the other days."""
    own = np.array([humps(shift=k) for k in range(5)])
    working = WEEK < 5
    profile = weekday_profile(100 * own[WEEK[working]], WEEK[working], np.ones(working.sum()))
    np.testing.assert_allclose(profile[:5], own, rtol=1e-9)
    assert profile[5].tolist() == profile[6].tolist()
    assert np.abs(profile[5] - own.mean(axis=0)).sum() < 0.05


def test_an_hour_never_known_has_the_mean_of_its_hour():
    """Monday mornings were never counted: their shares are what other weekdays have, at the mean level."""
    rates = np.tile(humps() * 100, (70, 1))
    rates[WEEK == 0, :9] = np.nan
    np.testing.assert_allclose(weekday_profile(rates, WEEK, np.ones(70)), np.tile(humps(), (7, 1)), rtol=1e-9)


def test_days_of_no_weight_do_not_count():
    """What days of weight 0 hold changes nothing."""
    rates = np.random.default_rng(2).poisson(30 * humps(), (70, 24)).astype(float)
    weight = (np.arange(70) % 5 > 0).astype(float)
    other = np.where(weight[:, None] > 0, rates, 7777.0)
    np.testing.assert_allclose(weekday_profile(rates, WEEK, weight), weekday_profile(other, WEEK, weight), rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    days=st.integers(1, 40), slots=st.sampled_from([24, 48]), level=st.floats(0, 50), gap=st.floats(0, 1),
    first=st.integers(0, 6), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_rows_are_shares(days, slots, level, gap, first, seed):
    """Any counts, all zero or all unknown too, give seven rows ≥ 0 that sum to 1."""
    rng = np.random.default_rng(seed)
    rates = rng.poisson(level * rng.random((days, slots))).astype(float)
    rates[rng.random(rates.shape) < gap] = np.nan
    profile = weekday_profile(rates, (np.arange(days) + first) % 7, rng.random(days) * (rng.random(days) < 0.9))
    assert profile.shape == (7, slots)
    assert (profile >= 0).all()
    np.testing.assert_allclose(profile.sum(axis=1), 1, rtol=1e-9)


def test_a_day_seen_in_part_is_scaled_up():
    """Half a day's usual tickets seen make twice as many of the whole; of a day not seen nothing is known."""
    profile = np.tile(humps(), (7, 1))
    rates = np.tile(100 * humps(), (3, 1))
    rates[1, :12] = np.nan
    rates[2] = np.nan
    total, share = day_shares(rates, profile, np.array([0, 1, 2]))
    np.testing.assert_allclose(total, [100, 100, 0])
    np.testing.assert_allclose(share, [1, humps()[12:].sum(), 0])
