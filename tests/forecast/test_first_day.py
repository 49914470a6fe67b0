"""A horizon that begins during a day: the rest of that day is revised by its morning, the other days are not."""

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, frame, grid, weekly_rate

from staffcast.contracts import Calendar
from staffcast.forecast import count_quantiles, forecast

DAYS, REST, LEVEL = 110, 12, 60.0
WHERE = {"model": "house", "origins": 3}


def cut(*, hour=12, today=1.0, spread=0.2, seed=1, days=DAYS, own=0.0):
    """Days of like course with a factor each, up to an hour of the clock of the last one, whose factor is planted.

    Returns the series, and how many come in the rest of that day.
    """
    rng = np.random.default_rng(seed)
    ds = grid(days + 1)
    local = ds.tz_localize(None)
    day = np.asarray((local.normalize() - local[0].normalize()).days)
    factor = rng.gamma(1 / spread**2, spread**2, days + 1) if spread else np.ones(days + 1)
    factor[-1] = today if today is not None else factor[-1]
    rate = weekly_rate(ds, level=LEVEL) * factor[day] * (rng.gamma(1 / own**2, own**2, len(ds)) if own else 1.0)
    keep = (day < days) | (np.asarray(local.hour) < hour)
    y = rng.poisson(rate)
    return frame(ds, y)[keep].reset_index(drop=True), float(y[~keep].sum())


def before(series, days=DAYS):
    """The same to the last midnight."""
    return series[series["ds"] < grid(days + 1)[-1].normalize()].reset_index(drop=True)


def test_with_too_little_learnt_the_forecast_of_the_night_before_stands():
    """After 21 days mornings have taught nothing: the afternoon is what was forecast at midnight, to the digit."""
    series, _ = cut(days=21, today=1.6)
    found, stood = forecast(series, "2d", **WHERE), forecast(before(series, 21), "2d", **WHERE)
    np.testing.assert_allclose(found.frame["mean"][:REST], stood.frame["mean"][12:24])
    np.testing.assert_allclose(found.frame["rate_cv"][:REST], found.frame["rate_cv"][REST : 2 * REST], rtol=0.2)
    assert "the forecast stands" in found.why["orders"]["notes"][-1]


@pytest.mark.parametrize("today", [1.5, 0.6])
def test_a_planted_morning_moves_the_rest_of_its_day_only(today):
    """The rest of a day begun busier or quieter is, over four draws, under half as far off as at midnight."""
    off = []
    for seed in range(1, 5):
        series, _ = cut(today=today, seed=seed)
        made, stood = forecast(series, "8d", **WHERE), forecast(before(series), "9d", **WHERE)
        found, night = made.frame, stood.frame["mean"].to_numpy()[12 : 12 + len(made.frame)]
        truth = today * weekly_rate(pd.DatetimeIndex(found["ds"][:REST]), level=LEVEL).sum()
        off.append([abs(found["mean"][:REST].sum() / truth - 1), abs(night[:REST].sum() / truth - 1)])
        np.testing.assert_allclose(found["mean"][-24:], night[-24:], rtol=0.15)
        note = next(n for n in made.why["orders"]["notes"] if n.startswith("today: by 12:00 "))
        assert ("higher" if today > 1 else "lower") in note
    revised, stood = np.mean(off, axis=0)
    assert revised < 0.15
    assert revised < stood / 2


def test_the_rest_of_the_day_is_surer_and_its_row_agrees_with_itself():
    """Less of the variance is left, less of it is common to the day, and the quantiles are those of mean and cv."""
    series, _ = cut(own=0.1)
    found = forecast(series, "3d", **WHERE).frame
    first, later = found.iloc[:REST], found.iloc[24 : 24 + REST]
    assert (first["rate_cv"].to_numpy() < 0.7 * later["rate_cv"].to_numpy()).all()
    common = found["share_level"] + found["share_day"]
    assert (common[:REST].to_numpy() < common[24 : 24 + REST].to_numpy()).all()
    assert common.between(0, 1 + 1e-12).all()
    own = found["rate_cv"] ** 2 * (1 - common)
    assert (own[:REST].to_numpy() > 0.99 * own[24 : 24 + REST].to_numpy()).all()
    table = count_quantiles(first["mean"], first["rate_cv"], (0.05, 0.5, 0.95))
    np.testing.assert_array_equal(first[["q05", "q50", "q95"]], table)


def test_bands_of_the_rest_of_the_day_hold():
    """Of 24 afternoons' totals about 80 % lie between the 10 % and 90 % points of the paths (3 standard errors)."""
    inside = 0
    for seed in range(24):
        series, came = cut(seed=seed, today=None, days=70)
        total = forecast(series, "1d", model="house", origins=2).sample(200)[:, 0, :REST].sum(axis=1)
        low, high = np.quantile(total, (0.1, 0.9))
        inside += low <= came <= high
    assert abs(inside / 24 - 0.8) < 3 * np.sqrt(0.8 * 0.2 / 24)


def test_a_morning_before_opening_waits_for_it():
    """Cut at 06:00, the opening at 08:00 carries what came since closing, which is known, and two revised hours."""
    series, _ = cut(hour=6)
    calendar = Calendar.parse(BERLIN, {"mon-sun": "08:00-18:00"})
    found = forecast(series, "1d", calendar=calendar, **WHERE).frame
    round_the_clock = forecast(series, "1d", **WHERE).frame
    since = series["y"][series["ds"] >= pd.Timestamp("2025-09-19 18:00", tz=BERLIN)].sum()
    assert found["mean"][:2].sum() == 0
    assert found["carried"][2] == pytest.approx(since + round_the_clock["mean"][:2].sum())


def test_whole_days_are_not_revised():
    """A series that ends at midnight has no morning: no note says so, all days are alike uncertain."""
    series, _ = cut()
    found = forecast(before(series), "2d", **WHERE)
    assert not any(note.startswith("today") for note in found.why["orders"]["notes"])
    assert found.frame["share_day"].nunique() == 1
