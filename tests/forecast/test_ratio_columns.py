"""Ratios by time of day: a planted course is found, a flat one stays flat, a small queue leans on others."""

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, frame, grid

from staffcast.contracts import Calendar, InputError
from staffcast.forecast import Demand, forecast
from staffcast.forecast.past.days import Grid
from staffcast.forecast.ratios import QueueRatios, learn_ratios

EVENING = np.where(np.arange(24) >= 17, 1.2, 1.0)


def rows(days, *, level=20.0, seconds=600.0, course=None, seed=1, start="2025-06-02", cv=0.8):
    """Tickets, and handle times whose mean follows the course of the day."""
    rng = np.random.default_rng(seed)
    ds = grid(days, start=start)
    y = rng.poisson(level, len(ds)).astype(float)
    hour = np.asarray(ds.tz_localize(None).hour)
    mean = seconds * (np.ones(24) if course is None else course)[hour]
    shape = np.maximum(y, 1) / cv**2
    return frame(ds, y).assign(aht_s=np.where(y > 0, mean * rng.gamma(shape) / shape, np.nan))


def placed(series, calendar=None):
    return series, Grid.of(pd.DatetimeIndex(series["ds"]), calendar or Calendar(zone=BERLIN), 60)


def week(start="2025-10-06", days=7):
    ds = grid(days, start=start)
    return Grid.of(ds, Calendar(zone=BERLIN), 60)


def by_hour(handling):
    return handling.at(week())["aht_s"].reshape(7, 24).mean(axis=0)


def test_a_planted_course_of_the_day_is_found():
    """Evenings of + 20 %: each hour within four standard errors of its truth, and far nearer than the mean is."""
    handling = learn_ratios({"q": placed(rows(120, course=EVENING))})["q"]
    found, truth = by_hour(handling), 600 * EVENING
    error = truth * 0.8 / np.sqrt(20 * 120)
    assert (np.abs(found - truth) < 4 * error + 0.02 * truth).all()
    assert np.abs(found - truth).mean() < 0.25 * np.abs(truth.mean() - truth).mean()
    assert handling.notes[0].startswith("handle times: the day has a shape")
    columns = handling.at(week())
    assert columns["aht_s"].shape == columns["aht_cv"].shape == (168,)
    assert (columns["aht_cv"] > 0).all()
    assert columns["aht_cv"].max() < 0.1


def test_a_flat_day_stays_flat():
    """Where nothing was planted no hour is 2 % off the day's mean, in ten histories."""
    for seed in range(10):
        handling = learn_ratios({"q": placed(rows(90, seed=seed))})["q"]
        found = by_hour(handling)
        assert np.abs(found / found.mean() - 1).max() < 0.02
        assert found.mean() == pytest.approx(600, rel=0.03)
        assert "flat" in handling.notes[0]


@pytest.mark.parametrize("kind", ["no column", "empty", "no tickets"])
def test_without_handle_times_there_are_none(kind):
    """NaN for every interval, no uncertainty, no note."""
    series = rows(30)
    series = {
        "no column": series.drop(columns="aht_s"), "empty": series.assign(aht_s=np.nan),
        "no tickets": series.assign(y=0.0),
    }[kind]  # fmt: skip
    handling = learn_ratios({"q": placed(series)})["q"]
    columns = handling.at(week())
    assert list(columns) == ["aht_s"]
    assert np.isnan(columns["aht_s"]).all()
    assert columns["aht_s"].shape == (168,)
    assert (handling.notes, handling.models) == ([], {})


def test_a_queue_without_handle_times_beside_one_with():
    """It gets none from its neighbour, whose own are as if it were alone."""
    with_times = placed(rows(60, course=EVENING))
    both = learn_ratios({"a": with_times, "b": placed(rows(60).drop(columns="aht_s"))})
    alone = learn_ratios({"a": with_times})["a"]
    assert both["b"].models == {}
    np.testing.assert_array_equal(both["a"].at(week())["aht_s"], alone.at(week())["aht_s"])
    assert isinstance(both["a"], QueueRatios)
    assert learn_ratios({}) == {}


def test_a_small_queue_leans_on_the_course_of_the_others():
    """With 4 tickets a day its evenings are found beside two busy queues, not alone; its own length is kept."""
    busy = {
        name: placed(rows(120, course=EVENING, seed=k, seconds=s))
        for k, (name, s) in enumerate([("a", 300), ("b", 900)])
    }
    off_beside, off_alone = [], []
    for seed in range(6):
        small = placed(rows(120, level=4 / 24, course=EVENING, seed=50 + seed, seconds=1200))
        beside = by_hour(learn_ratios({**busy, "small": small})["small"])
        alone = by_hour(learn_ratios({"small": small})["small"])
        for found, off in ((beside, off_beside), (alone, off_alone)):
            shape = found / found.mean()
            off.append(np.abs(shape - EVENING / EVENING.mean()).mean())
        assert beside.mean() == pytest.approx(1200 * EVENING.mean(), rel=4 * 0.8 / np.sqrt(480))
    assert np.mean(off_beside) < 0.5 * np.mean(off_alone)


def test_a_busy_queue_keeps_its_own_course():
    """Beside two queues with busy evenings one with short evenings keeps them."""
    others = {name: placed(rows(120, course=EVENING, seed=k)) for k, name in enumerate("ab")}
    found = by_hour(learn_ratios({**others, "c": placed(rows(120, course=2 - EVENING, seed=9))})["c"])
    assert found[18:].mean() / found[:16].mean() == pytest.approx(0.8, abs=0.03)


def test_only_the_last_half_year_counts():
    """What handling took more than 182 days ago changes nothing."""
    series = rows(250, course=EVENING)
    old = np.arange(len(series)) < (250 - 182) * 24
    changed = series.assign(aht_s=np.where(old, 9 * series["aht_s"], series["aht_s"]))
    found, same = (learn_ratios({"q": placed(s)})["q"].at(week())["aht_s"] for s in (series, changed))
    np.testing.assert_array_equal(found, same)


def test_old_handle_times_are_better_than_none():
    """A log whose handle times ended more than half a year ago is read to its beginning."""
    series = rows(260)
    late = np.arange(len(series)) >= 40 * 24
    handling = learn_ratios({"q": placed(series.assign(aht_s=np.where(late, np.nan, series["aht_s"])))})["q"]
    assert by_hour(handling).mean() == pytest.approx(600, rel=0.05)


def test_tickets_without_a_handle_time_do_not_count():
    """Every second interval's handle times removed: the mean stays; they are not taken as zero."""
    series = rows(120)
    half = np.arange(len(series)) % 2 == 0
    handling = learn_ratios({"q": placed(series.assign(aht_s=np.where(half, np.nan, series["aht_s"])))})["q"]
    np.testing.assert_allclose(by_hour(handling), 600, rtol=0.03)


def test_days_of_23_and_25_hours_have_as_many_handle_times():
    """Every interval of a day with a clock change gets the handle time of its local hour."""
    handling = learn_ratios({"q": placed(rows(120, course=EVENING))})["q"]
    for start, hours in (("2026-03-29", 23), ("2025-10-26", 25)):
        there = week(start, 1)
        mean = handling.at(there)["aht_s"]
        assert len(mean) == hours
        assert np.isfinite(mean).all()
        plain = handling.at(week("2025-10-05", 1))["aht_s"]
        np.testing.assert_array_equal(mean, plain[there.slot])


def test_the_forecast_hands_them_on():
    """forecast() writes them beside the demand and says what it found."""
    demand = forecast(rows(60, course=EVENING).assign(unique_id="q"), "7d", model="mean_4")
    assert demand.frame["aht_s"].max() / demand.frame["aht_s"].min() > 1.1
    assert any(note.startswith("handle times: the day has a shape") for note in demand.why["q"]["notes"])
    assert demand.frame["aht_cv"].between(0.001, 0.25).all()


TRUTH = {
    "patience_s": 300 * np.where(np.arange(24) >= 17, 0.6, 1.0),
    "bot_share": 0.3 + np.where(np.arange(24) >= 17, 0.15, 0.0),
    "reopen_share": 0.1 + np.where(np.arange(24) >= 17, 0.1, 0.0),
}


def with_fates(days, *, level=20.0, seed=1, minutes=60):
    """Tickets of which some gave up, some were reopened, and conversations beside them that the bot closed."""
    rng = np.random.default_rng(seed)
    ds = grid(days, minutes=minutes)
    hour = np.asarray(ds.tz_localize(None).hour)
    y = rng.poisson(level * minutes / 60, len(ds)).astype(float)
    share = TRUTH["bot_share"][hour]
    return frame(ds, y).assign(
        waited_s=40.0 * y,
        abandoned=rng.poisson(40.0 * y / TRUTH["patience_s"][hour]).astype(float),
        bot_closed=rng.poisson(level * minutes / 60 * share / (1 - share)).astype(float),
        reopened=rng.binomial(y.astype(int), TRUTH["reopen_share"][hour]).astype(float),
    )


@pytest.mark.parametrize("name", list(TRUTH))
@pytest.mark.parametrize("minutes", [15, 60])
def test_patience_and_shares_follow_the_hour(name, minutes):
    """What was planted in patience, bot and reopening is found within four of the stated standard deviations."""
    series = with_fates(100, minutes=minutes)
    ratios = learn_ratios({"q": (series, Grid.of(pd.DatetimeIndex(series["ds"]), Calendar(zone=BERLIN), minutes))})["q"]
    ds = grid(7, start="2025-10-06", minutes=minutes)
    ahead = Grid.of(ds, Calendar(zone=BERLIN), minutes)
    columns = ratios.at(ahead)
    truth = TRUTH[name][np.asarray(ds.tz_localize(None).hour)]
    spread = columns["patience_cv"] * columns["patience_s"] if name == "patience_s" else columns[f"{name}_sd"]
    assert (np.abs(columns[name] - truth) < 4 * spread).all()
    assert np.abs(columns[name] - truth).mean() < 0.25 * np.abs(truth - truth.mean()).mean()


def test_what_is_not_known_is_not_forecast():
    """Columns that the series lacks, or that are empty, give none; one queue's give none to its neighbour."""
    series = with_fates(40)
    some = learn_ratios({"a": placed(series.assign(abandoned=np.nan)), "b": placed(series.drop(columns="reopened"))})
    assert list(some["a"].models) == ["bot_share", "reopen_share"]
    assert list(some["b"].models) == ["patience_s", "bot_share"]
    plain = forecast(rows(40).assign(unique_id="q"), "7d", model="mean_4").frame
    assert not {"patience_s", "bot_share", "reopen_share"} & set(plain)


def test_nobody_gives_up_so_far():
    """Where no customer ever gave up, patience is not known rather than endless."""
    ratios = learn_ratios({"q": placed(with_fates(40).assign(abandoned=0.0))})["q"]
    assert "patience_s" not in ratios.models


def test_more_reopened_than_came_is_refused():
    """The error names queue, column, instant and what to do."""
    series = with_fates(40)
    series.loc[700, ["y", "reopened"]] = 2.0, 3.0
    with pytest.raises(
        InputError, match=r"'q'.*`reopened` is 3 at 2025-.*above the tickets .*\(2; 1 such rows\).*leave"
    ):
        learn_ratios({"q": placed(series)})


def test_forecast_tables_keep_their_contract():
    """What forecast() adds to the demand passes the demand table's own check, patience by the hour among it."""
    series = with_fates(60)
    other = rows(60, seed=3)
    both = pd.concat([series.assign(unique_id="a"), other.assign(unique_id="b")], ignore_index=True)
    demand = forecast(both, "7d", model="mean_4")
    again = Demand.from_frame(demand.frame).frame
    assert again.loc[again["unique_id"] == "b", "patience_s"].isna().all()
    assert again.loc[again["unique_id"] == "a", "bot_share"].between(0.2, 0.55).all()
    assert any(note.startswith("patience:") for note in demand.why["a"]["notes"])
