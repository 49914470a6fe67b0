"""Days × slots and what the calendar says of a day: clock changes, bridge days, waves."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, grid
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import Calendar
from staffcast.forecast.past.days import Days, Grid, weekday
from staffcast.forecast.past.features import day_kinds, month_waves, year_waves

OPEN = Calendar(zone=BERLIN)


def dates(first, last):
    return np.arange(first, last, dtype="datetime64[D]")


def holidays(*days):
    return Calendar(zone=BERLIN, holidays=dict.fromkeys([dt.date.fromisoformat(day) for day in days], "a holiday"))


@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize(("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-06-04", 24)])
def test_every_interval_lies_in_its_local_day_and_slot(minutes, day, hours):
    """Days of 23, 24 and 25 hours: day and slot are those that the clock on the wall shows, also for UTC stamps."""
    first = pd.Timestamp(day) - pd.Timedelta(days=2)
    ds = grid(5, start=str(first.date()), minutes=minutes)
    for stamps in (ds, ds.tz_convert("UTC")):
        laid = Grid.of(stamps, OPEN, minutes)
        assert [str(d) for d in laid.dates] == [str((first + pd.Timedelta(days=k)).date()) for k in range(5)]
        for t, d, slot in zip(ds, laid.day, laid.slot, strict=True):
            assert str(laid.dates[d]) == str(t.date())
            assert slot == (t.hour * 60 + t.minute) // minutes
        assert laid.hours.sum(axis=1).tolist() == [n * 60 / minutes for n in (24, 24, hours, 24, 24)]
        assert laid.hours.shape == (5, laid.slots)


def test_the_skipped_hour_is_not_known_and_the_repeated_one_is_the_mean():
    """On the day of 23 hours 02:00 has no rate; on that of 25 it has the mean of the two."""
    spring = grid(1, start="2025-03-30")
    laid = Grid.of(spring, OPEN, 60).table(np.arange(23.0))
    np.testing.assert_array_equal(laid[0, [0, 1, 3, 23]], [0, 1, 2, 22])
    assert np.flatnonzero(np.isnan(laid[0])).tolist() == [2]
    autumn = Grid.of(grid(1, start="2025-10-26"), OPEN, 60)
    np.testing.assert_array_equal(autumn.table(np.arange(25.0))[0, [1, 2, 3, 23]], [1, 2.5, 4, 24])
    assert autumn.hours[0, [1, 2, 3]].tolist() == [1, 2, 1]


def test_a_slot_known_once_of_twice_is_what_is_known():
    """Of the two hours from 02:00 one is not known: the other stands for both."""
    y = np.arange(25.0)
    y[2] = np.nan
    assert Grid.of(grid(1, start="2025-10-26"), OPEN, 60).table(y)[0, 2] == 3.0


@settings(max_examples=30, deadline=None)
@given(
    start=st.dates(dt.date(2024, 1, 1), dt.date(2026, 12, 1)), days=st.integers(1, 20),
    minutes=st.sampled_from([15, 30, 60]), cut=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    seed=st.integers(0, 2**31),
)  # fmt: skip
def test_a_table_survives_the_way_to_intervals_and_back(start, days, minutes, cut, seed):
    """Spread out and laid out again, a table is the same wherever its slot took place, and NaN where it did not."""
    ds = grid(days, start=str(start), minutes=minutes)
    ds = ds[cut[0] : len(ds) - cut[1]] if len(ds) > sum(cut) else ds
    laid = Grid.of(ds, OPEN, minutes)
    table = np.random.default_rng(seed).random((len(laid.dates), laid.slots))
    values = laid.spread(table)
    assert values.shape == (len(ds),)
    np.testing.assert_allclose(laid.table(values), np.where(laid.hours > 0, table, np.nan), rtol=1e-15)
    # A later stretch of days is the same part of the whole.
    first = len(table) // 2
    begin, end = laid.between(first, len(table))
    np.testing.assert_array_equal(laid.spread(table[first:], first), values[begin:end])


def test_a_part_of_a_day_leaves_the_rest_unknown():
    """A log that begins at 13:00 says nothing of that morning."""
    ds = pd.date_range("2025-06-02 13:00", periods=24, freq="h", tz=BERLIN)
    past = Days.of(Grid.of(ds, OPEN, 60), np.ones(24))
    assert past.rates.shape == (2, 24)
    assert np.isnan(past.rates).sum(axis=1).tolist() == [13, 11]
    assert (past.span, past.slots) == (2, 24)


def test_before_and_last_cut_dates_and_rates_alike():
    """The first three and the last two of seven days, as a slice of a list gives them."""
    past = Days.of(Grid.of(grid(7), OPEN, 60), np.arange(168.0))
    early, late = past.before(3), past.last(2)
    assert [str(d) for d in early.dates] == ["2025-06-02", "2025-06-03", "2025-06-04"]
    assert early.rates.ravel().tolist() == list(range(72))
    assert [str(d) for d in late.dates] == ["2025-06-07", "2025-06-08"]
    assert late.rates.ravel().tolist() == list(range(120, 168))


def test_weekdays_are_those_of_the_standard_library():
    """Over sixty years, before 1970 too."""
    days = dates("1965-01-01", "2026-01-01")
    assert weekday(days).tolist() == [d.weekday() for d in days.astype(object)]


def test_kinds_of_days_by_a_slow_rule():
    """Holiday, bridge, before, after for every day of a German year, told day by day."""
    named = [
        "2025-01-01", "2025-04-18", "2025-04-21", "2025-05-01", "2025-05-29", "2025-06-09", "2025-06-19", "2025-10-03",
        "2025-12-25", "2025-12-26",
    ]  # fmt: skip
    days = dates("2025-01-01", "2026-01-01")
    kinds = day_kinds(days, holidays(*named))
    on = set(named)
    told = {"holiday": [], "before": [], "after": [], "bridge": []}
    for day in days.astype(object):
        near = [str(day + dt.timedelta(days=k)) for k in (-1, 1)]
        rest = [(day + dt.timedelta(days=k)).weekday() >= 5 for k in (-1, 1)]
        if str(day) in on:
            told["holiday"].append(str(day))
        elif (
            day.weekday() < 5
            and any(n in on for n in near)
            and all(n in on or r for n, r in zip(near, rest, strict=True))
        ):
            told["bridge"].append(str(day))
        else:
            told["after"] += [str(day)] if near[0] in on else []
            told["before"] += [str(day)] if near[1] in on else []
    for kind, listed in told.items():
        assert [str(d) for d in days[getattr(kinds, kind)]] == listed
    assert told["bridge"] == ["2025-05-02", "2025-05-30", "2025-06-20"]
    assert not (kinds.usual & (kinds.holiday | kinds.before | kinds.after | kinds.bridge)).any()
    assert kinds.usual.sum() == 365 - len(named) - 3 - len({*told["before"], *told["after"]})


def test_a_day_between_two_holidays_is_a_bridge_and_not_their_neighbour():
    """Holidays on Tuesday and Thursday make Monday, Wednesday and Friday bridge days, and none before or after."""
    kinds = day_kinds(dates("2025-06-02", "2025-06-09"), holidays("2025-06-03", "2025-06-05"))
    assert np.flatnonzero(kinds.bridge).tolist() == [0, 2, 4]
    assert not (kinds.before | kinds.after).any()


def test_days_of_rest_are_told_by_the_level():
    """A desk that rests on Friday: a Thursday after a holiday is a bridge there, and nowhere else."""
    friday = np.array([1.0, 1, 1, 1, 0.2, 1, 1])
    days = dates("2025-06-02", "2025-06-09")
    assert np.flatnonzero(day_kinds(days, holidays("2025-06-04"), level=friday).bridge).tolist() == [3]
    assert not day_kinds(days, holidays("2025-06-04")).bridge.any()


def test_neighbours_outside_the_days_asked_for_count():
    """The first day is the one after a holiday that lies before it; the last is the one before the next."""
    kinds = day_kinds(dates("2025-06-03", "2025-06-06"), holidays("2025-06-02", "2025-06-06"))
    assert kinds.after.tolist() == [True, False, False]
    assert kinds.before.tolist() == [False, False, True]


def test_closed_days_are_like_holidays():
    """A day given as closed is a holiday to the forecast."""
    closed = Calendar(zone=BERLIN).closed([dt.date(2025, 6, 4)])
    assert day_kinds(dates("2025-06-02", "2025-06-09"), closed).holiday.tolist() == [False, False, True] + [False] * 4


@pytest.mark.parametrize(("wave", "number"), [(month_waves, 4), (year_waves, 3)])
def test_waves_lie_between_minus_one_and_one(wave, number):
    """Two columns per wave, each sin² + cos² = 1."""
    table = wave(dates("2024-01-01", "2028-01-01"), number)
    assert table.shape == (1461, 2 * number)
    np.testing.assert_allclose(table[:, :number] ** 2 + table[:, number:] ** 2, 1)
    assert np.abs(table).max() <= 1


def test_month_waves_begin_anew_every_month():
    """Months of like length have the same waves; in each, a wave sums to nothing and is orthogonal to the others."""
    waves = month_waves(dates("2024-01-01", "2026-01-01"), 4)
    months = np.split(waves, np.cumsum([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 28, 31]))
    np.testing.assert_allclose(months[0], months[2], atol=1e-12)
    np.testing.assert_allclose(months[3], months[5], atol=1e-12)
    for month in months[:15]:
        np.testing.assert_allclose(month.sum(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(month.T @ month, len(month) / 2 * np.eye(8), atol=1e-9)


def test_year_waves_come_back_after_a_year():
    """Years of 365 days have the same waves, and at New Year they go on a day and a quarter further, not more."""
    days = dates("2023-01-01", "2024-01-01")
    later = dates("2025-01-01", "2026-01-01")
    np.testing.assert_allclose(year_waves(days, 3), year_waves(later, 3), atol=1e-12)
    step = np.abs(np.diff(year_waves(dates("2023-12-25", "2024-01-06"), 1), axis=0)).max()
    assert step <= 1.25 * 2 * np.pi / 365.25
