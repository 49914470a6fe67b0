"""Opening time between two instants against a walk minute by minute."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import Calendar
from staffcast.utilization import open_seconds

CALENDARS = {
    "office": Calendar.parse("Europe/Berlin", {"mon-fri": "08:00-18:00", "sat": "10:00-14:15"}),
    "night": Calendar.parse("Europe/Berlin", {"mon-sun": "22:00-04:00"}),
    "lunch": Calendar.parse("America/Sao_Paulo", {"mon-fri": "09:00-12:00, 13:30-17:45"}),
    "shut": Calendar.parse("Europe/Berlin", {"mon-sun": "00:00-24:00"}).closed([dt.date(2025, 3, 30)]),
    "always": Calendar(zone="Asia/Kathmandu"),
    "never": Calendar.parse("UTC", {"mon": "09:00-10:00"}).closed([dt.date(2025, 3, 31), dt.date(2025, 4, 7)]),
}


def series(*instants):
    return pd.Series(pd.to_datetime(list(instants), utc=True))


def walk(start, end, calendar):
    """Seconds of the minutes whose local wall clock lies in a window of an open day."""
    total, now = 0, start
    while now < end:
        local = now.tz_convert(calendar.zone)
        minute = local.hour * 60 + local.minute
        windows = calendar.week[local.weekday()]
        if local.date() not in calendar.closed_on and any(a <= minute < b for a, b in windows):
            total += 60
        now += pd.Timedelta(minutes=1)
    return total


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(CALENDARS)), month=st.sampled_from(["2025-03-28", "2025-10-24", "2025-06-13"]),
    start=st.integers(0, 4 * 1440), length=st.integers(0, 3 * 1440),
)  # fmt: skip
def test_open_seconds_are_what_a_walk_by_minutes_counts(name, month, start, length):
    """In any zone, over nights, lunch, closed days and clock changes, the time is that of a walk minute by minute."""
    begin = pd.Timestamp(month, tz="UTC") + pd.Timedelta(minutes=start)
    end = begin + pd.Timedelta(minutes=length)
    calendar = CALENDARS[name]
    assert open_seconds(series(begin), series(end), calendar)[0] == pytest.approx(walk(begin, end, calendar))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 20 * 86400), min_size=3, max_size=3), st.sampled_from(sorted(CALENDARS)))
def test_open_time_is_additive(seconds, name):
    """From a to b and on to c takes as much opening time as from a to c, to the second."""
    a, b, c = (pd.Timestamp("2025-03-20", tz="UTC") + pd.Timedelta(seconds=s) for s in sorted(seconds))
    calendar = CALENDARS[name]
    whole, first, second = (open_seconds(series(x), series(y), calendar)[0] for x, y in ((a, c), (a, b), (b, c)))
    assert first + second == pytest.approx(whole, abs=1e-6)
    assert 0 <= whole <= (c - a).total_seconds() + 1e-6


def test_a_pair_does_not_depend_on_the_others():
    """Each pair of a column has the time it has alone; an empty end gives none."""
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2025-01-06", tz="UTC") + pd.to_timedelta(rng.integers(0, 200 * 86400, 20), unit="s")
    end = pd.Series(start + pd.to_timedelta(rng.integers(0, 30 * 86400, 20), unit="s"))
    end[3] = pd.NaT
    together = open_seconds(pd.Series(start), end, CALENDARS["office"])
    assert np.isnan(together[3])
    for i in (0, 1, 2, 4, 19):
        alone = open_seconds(series(start[i]), series(end[i]), CALENDARS["office"])
        assert together[i] == pytest.approx(alone[0])


@pytest.mark.parametrize("name", sorted(CALENDARS))
def test_no_time_passes_from_midnight_to_the_same_midnight(name):
    """A ticket answered in the very second it came takes 0 s, at midnight too, when it is the only one."""
    midnight = pd.Timestamp("2025-06-11", tz=CALENDARS[name].zone)
    assert open_seconds(series(midnight), series(midnight), CALENDARS[name]).tolist() == [0.0]


def test_nothing_known_gives_nothing():
    """A column of empty ends gives empty times."""
    start = series("2025-06-11 09:00", "2025-06-11 10:00")
    empty = pd.Series([pd.NaT, pd.NaT], dtype=start.dtype)
    assert np.isnan(open_seconds(start, empty, CALENDARS["office"])).all()
