"""The whole forecast: closed hours, clock changes, choice of model, and what it says of bad input."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from forecast_series import BASELINES, BERLIN, FAST, frame, grid, poisson, weekly_rate
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import DEMAND, Calendar, InputError
from staffcast.forecast import forecast, models
from staffcast.forecast.horizon import horizon_grid
from staffcast.forecast.judging.rolling import Rolled
from staffcast.forecast.main import _choose
from staffcast.forecast.models.lineup import DEFAULT

HOURS = Calendar.parse(BERLIN, {"mon-fri": "08:00-18:00", "sat": "10:00-14:00"})
OPEN = Calendar(zone=BERLIN)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("closed_arrivals", ["wait", "lost"])
def test_closed_hours_are_exactly_zero(name, closed_arrivals):
    """While closed nobody is offered a ticket: mean, carried, every quantile and every sample path are 0."""
    shut = dt.date(2025, 8, 27)
    calendar = Calendar(zone=BERLIN, week=HOURS.week, closed_on=frozenset([shut]), closed_arrivals=closed_arrivals)
    made = forecast(poisson(84), calendar=calendar, model=name)
    rows = made.frame
    by_hand = []
    for t in rows["ds"]:
        window = {5: (10, 14), 6: (0, 0)}.get(t.weekday(), (8, 18))
        by_hand.append(t.date() != shut and window[0] <= t.hour < window[1])
    assert rows["open"].tolist() == by_hand
    closed = rows[~np.array(by_hand)]
    assert len(closed) > 300
    assert (closed.filter(regex="mean|carried|^q").to_numpy() == 0).all()
    assert (made.sample(20)[:, 0, closed.index] == 0).all()
    assert (rows.loc[by_hand, "mean"] > 0).all()


@pytest.mark.parametrize("name", FAST)
def test_closed_arrivals_that_wait_are_moved_and_not_lost(name):
    """Open hours get their own arrivals and those since they last closed; what waits already comes with the first."""
    series = poisson(84)  # ends at midnight before a Monday, Sunday's tickets waiting
    raw = models.make(name).fit(series, HOURS)
    made = forecast(series, calendar=HOURS, model=name).frame
    arrivals = raw.expect(pd.DatetimeIndex(made["ds"]))
    last_open = series.index[HOURS.is_open(pd.DatetimeIndex(series["ds"]))][-1]
    waiting, expected, carried = float(series["y"][last_open + 1 :].sum()), [], []
    assert waiting > 50
    for is_open, n in zip(made["open"], arrivals, strict=True):
        expected.append(waiting + n if is_open else 0.0)
        carried.append(waiting if is_open else 0.0)
        waiting = 0.0 if is_open else waiting + n
    np.testing.assert_allclose(made["mean"], expected, atol=1e-9)
    np.testing.assert_allclose(made["carried"], carried, atol=1e-9)


@pytest.mark.parametrize("name", FAST)
def test_closed_arrivals_that_are_lost_are_left_out(name):
    """A phone line expects in its open hours what it would without closing, and carries nothing."""
    phone = Calendar(zone=BERLIN, week=HOURS.week, closed_arrivals="lost")
    series = poisson(84)
    made = forecast(series, calendar=phone, model=name).frame
    arrivals = models.make(name).fit(series, phone).expect(pd.DatetimeIndex(made["ds"]))
    assert (made["carried"] == 0).all()
    np.testing.assert_allclose(made["mean"], arrivals * made["open"])


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**31), level=st.floats(0.2, 30), name=st.sampled_from(FAST), days=st.integers(20, 50))
def test_the_demand_table_keeps_its_contract(seed, level, name, days):
    """Any counts give a table that keeps the demand contract, with 0 ≤ carried ≤ mean and rising quantiles."""
    made = forecast(poisson(days, seed=seed, level=level), "7d", calendar=HOURS, model=name).frame
    DEMAND.check(made)
    assert (made["carried"] <= made["mean"] + 1e-9).all()
    assert (np.diff(made.filter(regex="^q").to_numpy(), axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("start", "change", "hours"),
    [("2024-12-16", "2025-03-30", -1), ("2025-07-07", "2025-10-26", 1), ("2025-02-03", None, 0)],
)
@pytest.mark.parametrize("zone", [BERLIN, "UTC"])
def test_four_weeks_are_28_local_days_over_a_clock_change(start, change, hours, zone):
    """In spring and autumn, with the counts in local time or UTC, the horizon is 28 whole local days, none twice."""
    ds = grid(91, start=start)
    series = frame(ds, weekly_rate(ds)).assign(ds=ds.tz_convert(zone))
    made = forecast(series, calendar=OPEN, model=BASELINES).frame
    local = pd.DatetimeIndex(made["ds"]).tz_convert(BERLIN)
    assert local.is_unique
    assert len(local) == 28 * 24 + hours
    assert local[0] == ds[-1] + pd.Timedelta(hours=1)
    per_day = pd.Series(1, index=local).groupby(local.date).sum()
    assert len(per_day) == 28
    odd = {str(day): n for day, n in per_day.items() if n != 24}
    assert odd == ({change: 24 + hours} if change else {})
    np.testing.assert_allclose(made["mean"], weekly_rate(local), rtol=1e-9)


def test_a_day_that_ends_in_the_skipped_hour_ends_after_it():
    """From 02:00 on the eve of the spring change one day is 24 hours on the clock, 23 in time plus none twice."""
    ds = horizon_grid(pd.Timestamp("2025-03-29 02:00", tz=BERLIN), 1, 60, OPEN)
    assert ds[-1] == pd.Timestamp("2025-03-30 01:00", tz=BERLIN)
    assert len(ds) == 24


def test_several_queues_have_one_grid_and_their_own_models():
    """Two queues come on the same instants, sorted by queue, each with hours and models of its own."""
    both = pd.concat([poisson(84, queue="b", seed=2), poisson(84, level=3, queue="a")])
    made = forecast(both, calendar={"a": HOURS, "b": OPEN})
    assert made.queues == ["a", "b"]
    assert (made.of("a")["ds"] == made.of("b")["ds"]).all()
    assert (made.of("a")["open"] == HOURS.is_open(pd.DatetimeIndex(made.of("a")["ds"]))).all()
    assert made.of("b")["open"].all()
    assert made.why["b"]["candidates"].keys() == set(DEFAULT)
    # The others also lend each other the course of the day.
    beside, alone = (
        forecast(table, calendar={"a": HOURS, "b": OPEN}, model=BASELINES)
        for table in (both, both[both["unique_id"] == "b"])
    )
    pd.testing.assert_frame_equal(beside.of("b"), alone.frame)


def test_the_number_of_processes_changes_nothing():
    """One process or two: the same table, the same reasons."""
    both = pd.concat([poisson(60, queue="a"), poisson(60, queue="b", seed=2)])
    one, two = (forecast(both, calendar=HOURS, processes=n) for n in (1, 2))
    pd.testing.assert_frame_equal(one.frame, two.frame)
    pd.testing.assert_frame_equal(one.backtest.drop(columns="cpu_s"), two.backtest.drop(columns="cpu_s"))
    assert one.why == two.why


def rolled(name, miss, *, origin=0, n=100):
    """A forecast of 100 a time that is off by ``miss`` tickets in each of ``n`` intervals."""
    return Rolled(
        unique_id="q", model=name, origin=pd.Timestamp("2025-06-02", tz="UTC") + pd.Timedelta(days=origin), days=1.0,
        y=np.full(n, 100.0), mean=np.full(n, 100.0 + miss), day=np.arange(n) // 24, special=np.zeros(n, dtype=bool),
        naive_scale=1.0, cpu_s=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("misses", "chosen"),
    [
        ({"seasonal_naive": 12, "mean_4": 9, "mean_8": 10, "glm": 7}, ["glm"]),
        ({"seasonal_naive": 12, "mean_4": 6, "mean_8": 10, "glm": 7}, ["mean_4"]),
        ({"seasonal_naive": 12, "mean_4": 10.1, "mean_8": 11, "glm": 10}, ["glm", "mean_4"]),
        ({"seasonal_naive": 12, "mean_4": 10.4, "mean_8": 11, "glm": 10}, ["glm"]),
        ({"seasonal_naive": 10, "mean_4": 10, "mean_8": 10}, ["mean_4", "mean_8", "seasonal_naive"]),
        ({"mean_8": 10.02, "glm": 10, "mean_4": 13}, ["glm", "mean_8"]),
    ],
)
def test_the_least_error_wins_and_five_percent_are_shared(misses, chosen):
    """The model of least deviance is taken, with those whose deviance is within 5 % of it."""
    weights, reasons = _choose(tuple(misses), [rolled(n, m) for n, m in misses.items()], 60)
    assert sorted(weights) == chosen
    assert sum(weights.values()) == pytest.approx(1)
    assert reasons["weights"] == weights
    assert reasons["model"].split(" + ") == sorted(weights, key=lambda name: -weights[name])
    assert reasons["candidates"] == pytest.approx({n: m / 100 for n, m in misses.items()})
    assert reasons["wape"] == pytest.approx(sum(w * misses[n] / 100 for n, w in weights.items()))


def test_models_are_compared_on_the_same_origins():
    """A model too young for a hard early origin is not preferred for having missed it."""
    runs = [
        rolled("mean_4", 30, origin=0), rolled("mean_4", 5, origin=14), rolled("mean_4", 5, origin=28),
        rolled("prophet", 9, origin=14), rolled("prophet", 9, origin=28),
    ]  # fmt: skip
    assert _choose(("mean_4", "prophet"), runs, 60)[0] == {"mean_4": 1.0}


def test_auto_takes_the_regressions_where_the_planners_mean_must_lose():
    """With noisy counts over a year those that use it all have the least error, and together no more than the best."""
    made = forecast(poisson(300, level=4), model="auto")
    why = made.why["orders"]
    assert set(why["weights"]) <= {"glm", "low_rank", "house"}
    assert why["model"] == " + ".join(why["weights"])
    assert why["wape"] <= 1.005 * min(why["candidates"].values())
    assert why["candidates"]["seasonal_naive"] > 1.2 * why["wape"]
    assert (why["origins"], why["horizon"]) == (6, "28d")


def test_the_forecast_is_the_weighted_mean_of_its_models():
    """What ``auto`` expects is the sum of its models' own forecasts times the weights that it names."""
    series = poisson(120, level=3)
    made = forecast(series, "14d", calendar=HOURS, model=["mean_8", "glm", "house"])
    weights = made.why["orders"]["weights"]
    assert len(weights) > 1
    alone = {name: models.make(name).fit(series, HOURS).predict("14d").frame["mean"] for name in weights}
    np.testing.assert_allclose(made.frame["mean"], sum(w * alone[name] for name, w in weights.items()), rtol=1e-9)


@pytest.mark.parametrize("days", [1, 5, 10])
def test_a_few_days_fall_back_and_say_why(days):
    """Ten days are too few to compare models: a baseline is taken, uncertainty is a rule of thumb, both are said."""
    why = forecast(poisson(days)).why["orders"]
    assert why["model"] in BASELINES
    assert why["wape"] is None
    assert any("history too short to compare models" in note for note in why["notes"])
    assert any("too short for a backtest" in note for note in why["notes"])
    assert why["rate_cv"] == 0.25


def test_a_model_that_needs_more_days_gives_way_and_says_so():
    """Prophet asked for on three weeks gives way to a baseline with a note, not to an error."""
    why = forecast(poisson(21), "7d", model="prophet").why["orders"]
    assert why["model"] == "mean_4"
    assert "mean_4 taken" in why["notes"][0]


def test_a_silent_queue_says_that_there_was_nothing_to_compare_on():
    """No ticket in the tested weeks is not called a short history."""
    ds = grid(200, start="2025-01-06")
    notes = forecast(frame(ds, np.where(np.arange(len(ds)) < 24 * 40, 5.0, 0.0))).why["orders"]["notes"]
    assert "no tickets" in notes[0]


def test_a_row_that_is_missing_is_not_known():
    """Rows left out of the table count as unknown, not as zeros, and not as the hours before or after."""
    series = poisson(84)
    out = (series.index > 900) & (series.index < 960)
    without = forecast(series[~out], model="glm")
    empty = forecast(series.assign(y=series["y"].mask(out)), model="glm")
    pd.testing.assert_frame_equal(without.frame, empty.frame)
    pd.testing.assert_frame_equal(without.backtest.drop(columns="cpu_s"), empty.backtest.drop(columns="cpu_s"))


def test_recent_handle_time_is_weighted_by_tickets():
    """The handle times handed on are those of the last half year's tickets, by time of day."""
    series = poisson(300)
    recent = series.index >= len(series) - 1 - 180 * 24
    aht = np.where(recent, np.where(series["ds"].dt.hour < 12, 300.0, 600.0), np.nan)
    aht *= np.random.default_rng(2).gamma(20, 1 / 20, len(aht))
    aht[5] = np.nan
    made = forecast(series.assign(aht_s=aht), model="mean_4").frame
    expected = np.where(made["ds"].dt.hour < 12, 300.0, 600.0)
    np.testing.assert_allclose(made["aht_s"], expected, rtol=0.15)


def test_unordered_rows_are_put_in_order():
    """The order of the rows does not matter."""
    series = poisson(60)
    shuffled = series.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(forecast(series).frame, forecast(shuffled).frame)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (None, {"model": "arima"}, "`model` must be one of .*glm.*, got 'arima'"),
        (None, {"model": []}, "`model` must be at least one"),
        (None, {"horizon": "0d"}, "`horizon` must be above 0"),
        (None, {"horizon": "1826d"}, "`horizon` must be .*at most 366 days"),
        (None, {"horizon": "28"}, "say which unit"),
        (None, {"quantiles": (0.1, 5)}, "`quantiles` must lie in .0, 1., got 5; write 5 % as 0.05"),
        (None, {"quantiles": (0.0,)}, "`quantiles`"),
        (None, {"quantiles": (1.0,)}, "`quantiles`"),
        (None, {"quantiles": (float("nan"),)}, "`quantiles`"),
        (None, {"origins": 0}, "`origins` must be at least 1"),
        (None, {"step": "0d"}, "`step` must be above 0"),
        (None, {"calendar": {"other": OPEN}}, "`calendar` must be a calendar for every queue; 'orders' has none"),
        (lambda t: t.assign(y=0.0), {}, "'orders' has no tickets"),
        (lambda t: t.assign(y=np.nan), {}, "'orders' has no tickets"),
        (lambda t: t.assign(y=t["y"].mask(t.index == 3, -1.0)), {}, "row 5, column y: is -1.*outside"),
        (lambda t: pd.concat([t, t.iloc[7:9]]), {}, "stands twice .2 such rows."),
        (lambda t: t.iloc[:1], {}, "single interval"),
        (lambda t: t.iloc[:0], {}, "no rows"),
        (lambda t: t.drop(columns="y"), {}, "lacks y"),
        (lambda t: t.iloc[::2], {}, "`interval` must be 15, 30 or 60 minutes .*120 min"),
        (lambda t: t.assign(ds=t["ds"].mask(t.index == 50, t["ds"] + pd.Timedelta("30min"))), {}, "off the grid of 60"),
        (lambda t: pd.concat([t, poisson(60, minutes=30, queue="b")]), {}, "'b' and 'orders' are not counted alike"),
        (lambda t: pd.concat([t, poisson(59, queue="b")]), {}, "'b' and 'orders' are not counted alike"),
    ],
)  # fmt: skip
def test_bad_input_is_named(change, options, says):
    """Each bad argument or table gives one clear error that names it."""
    series = poisson(60)
    with pytest.raises(InputError, match=says):
        forecast(series if change is None else change(series), **options)


def test_a_forecast_at_the_median_does_not_beat_one_at_the_mean():
    """Of two forecasts of small counts the one at the true mean is taken, though one at the median errs less."""
    y = np.random.default_rng(5).poisson(0.6, 4000).astype(float)
    low, right = np.full(len(y), 0.05), np.full(len(y), 0.6)
    assert np.abs(y - low).sum() < np.abs(y - right).sum()
    runs = [
        replace(rolled("mean_4", 0), y=y, mean=low, day=np.arange(len(y))),
        replace(rolled("glm", 0), y=y, mean=right, day=np.arange(len(y))),
    ]
    assert _choose(("mean_4", "glm"), runs, 300)[0] == {"glm": 1.0}
