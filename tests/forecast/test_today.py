"""The rest of today by its morning: what is known stays, what is planted carries on, clock changes fit."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, frame, grid, weekly_rate

from staffcast.contracts import Calendar, Event, InputError
from staffcast.forecast import revise_today

DAYS = 110


def until_noon(
    *, hour=12, today=1.0, spread=0.0, seed=1, level=60.0, start="2025-06-02", days=DAYS, queue="q", minutes=60
):
    """Days whose rates have a factor of their own, and today up to an hour of the clock, with a factor planted."""
    rng = np.random.default_rng(seed)
    ds = grid(days + 1, start=start, minutes=minutes)
    local = ds.tz_localize(None)
    day = np.asarray((local.normalize() - local[0].normalize()).days)
    factor = rng.gamma(1 / spread**2, spread**2, days + 1) if spread else np.ones(days + 1)
    factor[-1] = today
    rate = weekly_rate(ds, level=level) * factor[day] * minutes / 60
    keep = (day < days) | (np.asarray(local.hour) < hour)
    return frame(ds, rng.poisson(rate), queue)[keep].reset_index(drop=True)


def parts(found):
    """Forecast and revised tickets from now on, and of the morning what had been forecast and came."""
    rest = found["revised"].notna()
    return (
        found.loc[rest, "forecast"],
        found.loc[rest, "revised"],
        found.loc[~rest, "forecast"],
        found.loc[~rest, "came"],
    )


def test_a_series_that_ends_at_noon():
    """A row for each interval of today: what came until noon, what is revised from then on."""
    series = until_noon()
    found, why = revise_today(series)
    columns = ["unique_id", "ds", "open", "forecast", "came", "revised", "offered", "carried", "rate_cv"]
    assert list(found.columns) == columns
    assert found["ds"].tolist() == list(grid(1, start="2025-09-20"))
    np.testing.assert_array_equal(found["came"][:12], series["y"][-12:])
    assert found["came"][12:].isna().all()
    assert found["revised"][:12].isna().all()
    assert (found["revised"][12:] > 0).all()
    assert found["open"].all()
    assert (found["rate_cv"] >= 0).all()
    assert why["q"].startswith(f"by 12:00 {found['came'].sum():,.0f} came where {found['forecast'][:12].sum():,.0f} ")


def test_without_a_surprise_the_forecast_stands():
    """Today as ever, in days that hardly differ: the afternoon changes by under 3 %, and is near its truth."""
    for seed in range(4):
        found, _ = revise_today(until_noon(seed=seed))
        forecast, revised, _, _ = parts(found)
        assert revised.sum() == pytest.approx(forecast.sum(), rel=0.03)
        truth = weekly_rate(pd.DatetimeIndex(found["ds"]), level=60)[12:].sum()
        assert revised.sum() == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("today", [1.4, 0.65])
def test_a_planted_day_factor_moves_the_afternoon_towards_it(today):
    """Where days differ by 20 % a morning of + 40 % (− 35 %) moves the afternoon most of the way."""
    for seed in range(3):
        found, why = revise_today(until_noon(today=today, spread=0.2, seed=seed))
        forecast, revised, expected, came = parts(found)
        surprise = came.sum() / expected.sum()
        factor = revised.sum() / forecast.sum()
        assert abs(surprise - 1) > 0.15
        assert 0.5 < (factor - 1) / (surprise - 1) < 1.05
        truth = today * weekly_rate(pd.DatetimeIndex(found["ds"]), level=60)[12:]
        assert np.abs(revised - truth).sum() < 0.7 * np.abs(forecast - truth).sum()
        assert ("higher" if today > 1 else "lower") in why["q"]
        percent = abs(round(100 * (factor - 1)))
        assert f"is taken {percent} % " in why["q"]


def test_the_same_morning_says_less_where_days_are_alike():
    """A morning of + 15 %: believed where days differ by 20 %, hardly where they never did."""
    moved = {}
    for spread in (0.2, 0.0):
        ratios = []
        for seed in range(3):
            forecast, revised, _, _ = parts(revise_today(until_noon(today=1.15, spread=spread, seed=seed))[0])
            ratios.append(revised.sum() / forecast.sum() - 1)
        moved[spread] = np.mean(ratios)
    assert moved[0.0] < moved[0.2] / 2


def test_nothing_of_today_changes_todays_forecast():
    """The forecast is made from the days before: tenfold tickets this morning leave it as it was."""
    series = until_noon()
    wild = series.assign(y=np.where(np.arange(len(series)) >= len(series) - 12, 10 * series["y"], series["y"]))
    before, after = revise_today(series)[0], revise_today(wild)[0]
    pd.testing.assert_series_equal(before["forecast"], after["forecast"])
    assert (after["revised"][12:] >= before["revised"][12:]).all()


def test_the_first_hour_and_the_last():
    """After one interval all others are revised, before midnight only the last one."""
    for hour in (1, 23):
        found, why = revise_today(until_noon(hour=hour))
        assert found["revised"].notna().sum() == 24 - hour
        assert why["q"].startswith(f"by {hour:02d}:00 ")


def test_quarters_of_an_hour():
    """96 intervals a day, revised from the 48th on; the day's forecast is that of hours."""
    found, _ = revise_today(until_noon(minutes=15, days=40))
    assert len(found) == 96
    assert found["revised"].notna().to_numpy().nonzero()[0].tolist() == list(range(48, 96))
    hourly, _ = revise_today(until_noon(days=40))
    assert found["forecast"].sum() == pytest.approx(hourly["forecast"].sum(), rel=0.05)


def test_an_hour_that_is_not_known_is_empty():
    """A gap in the morning has no tickets that came and is no zero: the afternoon moves as the other hours say."""
    series = until_noon(today=1.4, spread=0.2)
    holes = series.assign(
        y=np.where(np.isin(np.arange(len(series)), [len(series) - 4, len(series) - 3]), np.nan, series["y"])
    )
    found, whole = revise_today(holes)[0], revise_today(series)[0]
    assert found["came"].isna().to_numpy().nonzero()[0].tolist() == [8, 9, *range(12, 24)]
    assert found["revised"][12:].sum() == pytest.approx(whole["revised"][12:].sum(), rel=0.08)
    assert found["revised"][12:].sum() > 1.1 * found["forecast"][12:].sum()


@pytest.mark.parametrize("hour", [12])
def test_a_day_of_23_hours(hour):
    """In spring noon comes after 11 hours: 23 rows, the skipped hour is none of them, 12 are revised."""
    days = (dt.date(2026, 3, 29) - dt.date(2025, 12, 1)).days
    found, why = revise_today(until_noon(start="2025-12-01", days=days, hour=hour))
    local = pd.DatetimeIndex(found["ds"]).tz_localize(None)
    assert local.hour.tolist() == [0, 1, *range(3, 24)]
    assert found["came"].notna().tolist() == [True] * 11 + [False] * 12
    assert found["revised"].notna().tolist() == [False] * 11 + [True] * 12
    rate = weekly_rate(pd.DatetimeIndex(found["ds"]), level=60)
    np.testing.assert_allclose(found["forecast"], rate, rtol=0.25)
    assert why["q"].startswith("by 12:00 ")


def test_a_day_of_25_hours():
    """In autumn noon comes after 13 hours: 25 rows, both twos are known, each has an hour's forecast."""
    days = (dt.date(2025, 10, 26) - dt.date(2025, 7, 7)).days
    found, _ = revise_today(until_noon(start="2025-07-07", days=days))
    assert len(found) == 25
    assert found["came"].notna().sum() == 13
    np.testing.assert_allclose(found["forecast"], weekly_rate(pd.DatetimeIndex(found["ds"]), level=60), rtol=0.25)


def test_today_is_that_of_the_queues_zone():
    """A series in UTC of a desk in São Paulo: today begins at 03:00 UTC."""
    ds = pd.date_range("2025-06-01 03:00", "2025-08-20 15:00", freq="h", inclusive="left", tz="UTC", name="ds")
    series = frame(ds, np.random.default_rng(1).poisson(20.0, len(ds)))
    found, why = revise_today(series, calendar=Calendar(zone="America/Sao_Paulo"))
    assert str(found["ds"].iloc[0]) == "2025-08-20 03:00:00+00:00"
    assert (len(found), found["came"].notna().sum()) == (24, 12)
    assert why["orders"].startswith("by 12:00 ")


def test_each_queue_has_its_own_morning():
    """Two queues, two sentences; each is what it is alone."""
    one, other = until_noon(queue="a"), until_noon(queue="b", today=1.4, spread=0.2, seed=2)
    both, why = revise_today(pd.concat([one, other]))
    assert set(why) == {"a", "b"}
    for queue, series in (("a", one), ("b", other)):
        alone, said = revise_today(series)
        pd.testing.assert_frame_equal(both[both["unique_id"] == queue].reset_index(drop=True), alone)
        assert why[queue] == said[queue]


def test_closed_hours_are_told_where_tickets_arrive():
    """While closed tickets still arrive: the column tells when people are there, arrivals are not moved."""
    calendar = Calendar.parse(BERLIN, {"mon-sun": "08:00-18:00"})
    found, _ = revise_today(until_noon(), calendar=calendar)
    assert found["open"].tolist() == [8 <= hour < 18 for hour in range(24)]
    pd.testing.assert_series_equal(found["forecast"], revise_today(until_noon())[0]["forecast"])


def test_what_comes_while_closed_waits_for_the_opening():
    """From 06:00 the opening at 08:00 has what came since closing too; what comes after 18:00 is told, not offered."""
    calendar = Calendar.parse(BERLIN, {"mon-sun": "08:00-18:00"})
    series = until_noon(hour=6)
    found, why = revise_today(series, calendar=calendar)
    since = series["y"].iloc[-12:].sum()  # from 18:00 of the day before
    assert found["offered"].isna().tolist() == found["came"].notna().tolist()
    assert found["carried"][8] == pytest.approx(since + found["revised"][6:8].sum())
    assert found["offered"][8] == pytest.approx(found["carried"][8] + found["revised"][8])
    np.testing.assert_allclose(found["offered"][9:18], found["revised"][9:18])
    assert (found["offered"][18:] == 0).all()
    assert f"; {found['revised'][18:].sum():,.0f} come after closing and wait for the next opening" in why["q"]


@pytest.mark.parametrize(
    ("hours", "closed_arrivals", "said"),
    [("08:00-10:00", "wait", "closed for the rest of the day: {} wait for the next opening"),
     ("08:00-18:00", "lost", "{} come while closed and are lost"), ("00:00-24:00", "wait", None)],
)  # fmt: skip
def test_what_closing_does_is_said(hours, closed_arrivals, said):
    """Closed since ten: all wait, with what came since; a phone line loses them; a desk never closed says nothing."""
    calendar = replace(Calendar.parse(BERLIN, {"mon-sun": hours}), closed_arrivals=closed_arrivals)
    found, why = revise_today(until_noon(), calendar=calendar)
    number = found["came"][10:].sum() + found["revised"].sum()
    if closed_arrivals == "lost":
        number = found["revised"][18:].sum()
    assert why["q"].endswith(f"; {said.format(format(number, ',.0f'))}") if said else "clos" not in why["q"]


def test_an_event_today_is_in_the_forecast():
    """A stated doubling of today doubles the forecast; the morning is held against that."""
    event = Event(name="sale", days=frozenset({dt.date(2025, 9, 20)}), factor=2.0)
    series = until_noon(today=2.0)
    plain, _ = revise_today(series)
    found, _ = revise_today(series, calendar=Calendar(zone=BERLIN, events=(event,)))
    np.testing.assert_allclose(found["forecast"], 2 * plain["forecast"])
    assert found["revised"][12:].sum() == pytest.approx(found["forecast"][12:].sum(), rel=0.05)


def test_a_day_that_is_over_cannot_be_revised():
    """A series to midnight is refused, with what to do."""
    with pytest.raises(
        InputError, match="known to the end of 2025-09-20: nothing is left of that day to revise"
    ) as caught:
        revise_today(until_noon(hour=24))
    assert "--until" in str(caught.value)
    assert "'q'" in str(caught.value)


@pytest.mark.parametrize("days", [1, 20])
def test_three_weeks_are_needed(days):
    """20 days before today are refused with their number, 21 are enough."""
    with pytest.raises(InputError, match=f"queue 'q' has {days} days before today; at least 21 are needed"):
        revise_today(until_noon(days=days))
    found, why = revise_today(until_noon(days=21))
    np.testing.assert_allclose(found["revised"][12:], found["forecast"][12:])
    assert "the forecast stands" in why["q"]


def test_a_queue_that_began_late_is_as_old_as_its_tickets():
    """Zeros before its first ticket are not days of it."""
    series = until_noon()
    began = len(series) - 12 - 20 * 24
    with pytest.raises(InputError, match="has 20 days before today"):
        revise_today(series.assign(y=np.where(np.arange(len(series)) < began, 0, series["y"])))
