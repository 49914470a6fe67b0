import datetime as dt
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffcast.contracts import Calendar, InputError, check_zone, fold_closed, interval_grid

UTC = dt.UTC
ZONES_WITH_DAYS = [
    ("Europe/Berlin", "2025-03-30", 23), ("Europe/Berlin", "2025-10-26", 25), ("Europe/Berlin", "2025-06-01", 24),
    ("America/New_York", "2026-03-08", 23), ("America/New_York", "2026-11-01", 25),
    ("America/Sao_Paulo", "2018-11-04", 23), ("America/Sao_Paulo", "2018-02-17", 25),
    ("Asia/Kolkata", "2026-03-29", 24), ("America/Havana", "2025-11-02", 25), ("Asia/Kathmandu", "2026-01-01", 24),
]  # fmt: skip


def instants_of_day(day, zone, minutes):
    """Every instant on the minutes' grid whose wall clock in the zone shows that day, by stepping through UTC."""
    tz = zoneinfo.ZoneInfo(zone)
    date = dt.date.fromisoformat(day)
    at = dt.datetime(date.year, date.month, date.day, tzinfo=UTC) - dt.timedelta(hours=30)
    quarters = [at + dt.timedelta(minutes=15 * i) for i in range(4 * 90)]
    inside = [q for q in quarters if q.astimezone(tz).date() == date]
    return inside[:: minutes // 15]


@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize(("zone", "day", "hours"), ZONES_WITH_DAYS)
def test_a_day_has_as_many_intervals_as_hours(zone, day, hours, minutes):
    """The grid of one day is every instant that the zone's wall clock calls that day: 23, 24 or 25 hours."""
    noon = pd.Timestamp(f"{day}T12:00", tz=zone)
    grid = interval_grid(noon, noon, minutes, zone)
    slow = instants_of_day(day, zone, minutes)
    assert [t.to_pydatetime().astimezone(UTC) for t in grid] == slow
    assert len(grid) == hours * 60 // minutes
    assert grid.name == "ds"


def test_a_grid_covers_its_ends():
    """From inside one day to midnight after another, the grid runs from midnight to that midnight."""
    zone = "America/Sao_Paulo"
    grid = interval_grid(pd.Timestamp("2018-11-03T23:59", tz=zone), pd.Timestamp("2018-11-05", tz=zone), 60, zone)
    assert grid[0] == pd.Timestamp("2018-11-03T00:00-03:00")
    assert grid[-1] == pd.Timestamp("2018-11-04T23:00-02:00")
    assert len(grid) == 24 + 23
    assert str(grid[24]) == "2018-11-04 01:00:00-02:00"


def test_a_grid_takes_instants_of_another_zone():
    """Instants in UTC are laid on the days of the zone asked for."""
    grid = interval_grid(pd.Timestamp("2026-01-01T20:00Z"), pd.Timestamp("2026-01-01T20:01Z"), 30, "Asia/Kolkata")
    assert grid[0] == pd.Timestamp("2026-01-01T18:30Z")
    assert len(grid) == 48


@pytest.mark.parametrize("minutes", [0, 1, 5, 20, 45, 120])
def test_only_three_lengths(minutes):
    """An interval of other than 15, 30 or 60 minutes is refused."""
    now = pd.Timestamp("2026-01-01T20:00Z")
    with pytest.raises(InputError, match=f"got '{minutes} min'"):
        interval_grid(now, now, minutes, "UTC")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "UTC+02:00", "UTC-03:30", "UTC+14:00"])
def test_zones(zone):
    """A zone that passes can be used."""
    assert check_zone(zone) == zone
    assert pd.Timestamp("2026-01-01", tz=zone).tzinfo is not None


@pytest.mark.parametrize(
    "zone",
    ["", "Berlin", "Europe", "../etc/passwd", "CET+1", "UTC+2", "UTC+25:00", "UTC+02:75", None, 1, "Europe/Berlin\n"],
)  # fmt: skip
def test_unknown_zones(zone):
    """A zone that does not exist is refused by name, with one that does."""
    with pytest.raises(InputError, match=r"`zone` must be an IANA zone such as .Europe/Berlin"):
        check_zone(zone)
    with pytest.raises(InputError):
        Calendar(zone=zone)


HOURS = {"mon-thu": "08:00-12:00, 13:00-18:00", "fri": "22:00-02:00", "sun": "20:00-24:00"}


def open_by_hand(local):
    """The hours above, asked of one wall-clock time."""
    minute, day = local.hour * 60 + local.minute, local.weekday()
    if day <= 3:
        return 480 <= minute < 720 or 780 <= minute < 1080
    if day == 4:
        return minute >= 1320
    if day == 5:
        return minute < 120
    return minute >= 1200


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo"])
@pytest.mark.parametrize("minutes", [15, 60])
def test_open_as_a_slow_loop_says(zone, minutes):
    """Two years of intervals are open exactly where the zone's wall clock is in a window, DST changes included."""
    calendar = Calendar.parse(zone, HOURS)
    grid = interval_grid(pd.Timestamp("2017-06-01", tz=zone), pd.Timestamp("2019-06-01", tz=zone), minutes, zone)
    tz = zoneinfo.ZoneInfo(zone)
    slow = [open_by_hand(dt.datetime.fromtimestamp(t, tz)) for t in grid.as_unit("s").asi8.tolist()]
    assert calendar.is_open(grid).tolist() == slow


def test_instants_of_another_zone():
    """08:00 in Berlin is open whichever zone the instants are written in."""
    calendar = Calendar.parse("Europe/Berlin", {"mon": "08:00-09:00"})
    ds = pd.DatetimeIndex(["2026-03-02T06:59Z", "2026-03-02T07:00Z", "2026-03-02T07:59Z", "2026-03-02T08:00Z"])
    assert calendar.is_open(ds).tolist() == [False, True, True, False]
    assert calendar.is_open(ds.tz_convert("Asia/Tokyo")).tolist() == [False, True, True, False]


def test_closed_days():
    """A closed day is closed on the zone's own date, and closing adds to what was closed before."""
    zone = "America/Sao_Paulo"
    calendar = Calendar(zone=zone).closed([dt.date(2026, 4, 3)]).closed([dt.date(2026, 4, 21)])
    grid = interval_grid(pd.Timestamp("2026-04-02", tz=zone), pd.Timestamp("2026-04-23", tz=zone), 60, zone)
    shut = sorted({t.date().isoformat() for t in grid[~calendar.is_open(grid)]})
    assert shut == ["2026-04-03", "2026-04-21"]
    assert (~calendar.is_open(grid)).sum() == 48
    assert not calendar.always_open
    assert Calendar(zone=zone).always_open


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        ({"mon-fri": "08:00-18:00", "sat": "10:00-14:00"}, "Mon–Fri 08:00–18:00, Sat 10:00–14:00 (UTC)"),
        ({"sat-mon": "9:00-10:00"}, "Mon 09:00–10:00, Sat–Sun 09:00–10:00 (UTC)"),
        ({"Monday, Wednesday": "08:00–09:00"}, "Mon 08:00–09:00, Wed 08:00–09:00 (UTC)"),
        ({"fri": "22:00-02:00"}, "Fri 22:00–24:00, Sat 00:00–02:00 (UTC)"),
        ({"sun": "22:00-00:00"}, "Sun 22:00–24:00 (UTC)"),
        ({"mon-sun": "00:00-24:00"}, "always open (UTC)"),
        ({"mon": "closed"}, "never open (UTC)"),
        ({}, "never open (UTC)"),
    ],
)
def test_hours_as_planners_write_them(hours, text):
    """Days, ranges over the week's end and windows past midnight are read as meant."""
    assert Calendar.parse("UTC", hours).describe() == text


@pytest.mark.parametrize(
    ("hours", "named"),
    [
        ({"mon": "8-18"}, "hours.mon"), ({"mon": "08:00-08:00"}, "hours.mon"), ({"mon": "08:00-25:00"}, "hours.mon"),
        ({"mon": "08:70-09:00"}, "hours.mon"), ({"mon": "08:00-24:30"}, "hours.mon"), ({"mon": 8}, "hours.mon"),
        ({"mon": "08:00-12:00, 11:00-14:00"}, "hours.mon"),
        ({"mon-fri": "08:00-12:00", "tue": "10:00-14:00"}, "hours.tue"),
        ({"mon": "22:00-09:00", "tue": "08:00-12:00"}, "hours.tue"),
        ({"montag": "08:00-9:00", "xyz": "08:00-9:00"}, "hours"),
        ({"mon-wed-fri": "08:00-9:00"}, "hours"),
    ],
)  # fmt: skip
def test_hours_that_cannot_be(hours, named):
    """An unknown day, an unreadable window and windows that overlap are refused, with the day named."""
    with pytest.raises(InputError, match=f"`{named}` must be"):
        Calendar.parse("Europe/Berlin", hours)


@pytest.mark.parametrize(
    "wrong",
    [
        {"week": (((0, 1440),),) * 6}, {"week": (((600, 500),),) * 7}, {"week": (((0, 1441),),) * 7},
        {"closed_arrivals": "vanish"},
    ],
)  # fmt: skip
def test_a_wrong_calendar_cannot_be_built(wrong):
    """Six days, a window that ends before it starts or after midnight, or an unknown fate of arrivals is refused."""
    with pytest.raises(InputError):
        Calendar(**wrong)


def test_openings_lie_on_the_grid():
    """08:15 fits 15-minute intervals only; 08:10 fits none, and the error names the day and the time."""
    quarter = Calendar.parse("UTC", {"tue": "08:15-18:00"})
    quarter.require_grid(15)
    with pytest.raises(InputError, match=r"`hours\.tue` has 08:15.*30-minute.*plan in 15-minute"):
        quarter.require_grid(30)
    with pytest.raises(InputError, match=r"`hours\.tue` has 08:10.*shorter"):
        Calendar.parse("UTC", {"tue": "08:10-18:00"}).require_grid(15)


def fold_slow(values, opened, waiting, lost):
    """Walk through the intervals with a heap of what waits."""
    offered, carried, heap = [], [], 0 if lost else waiting
    for value, is_open in zip(values, opened, strict=True):
        if not is_open:
            heap += 0 if lost else value
        offered.append(value + heap if is_open else 0)
        carried.append(heap if is_open else 0)
        heap = 0 if is_open else heap
    return offered, carried, heap


@given(
    rows=st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=60),
    waiting=st.integers(0, 20),
    lost=st.booleans(),
)
def test_fold_moves_every_ticket_to_the_next_opening(rows, waiting, lost):
    """Folding is a walk with a heap: nothing while closed, no ticket made or lost but those after the last opening."""
    values, opened = np.array([v for v, _ in rows], dtype=float), np.array([o for _, o in rows], dtype=bool)
    offered, carried = fold_closed(values, opened, waiting=waiting, lost=lost)
    slow_offered, slow_carried, left = fold_slow(values.tolist(), opened.tolist(), waiting, lost)
    assert offered.tolist() == slow_offered
    assert carried.tolist() == slow_carried
    assert (offered[~opened] == 0).all()
    assert (carried <= offered).all()
    if not lost:
        assert offered.sum() + left == values.sum() + waiting


def test_fold_keeps_what_is_not_known():
    """An open interval with an unknown count stays unknown; a closed one adds nothing to the opening."""
    values = np.array([np.nan, 2.0, np.nan, 4.0])
    offered, carried = fold_closed(values, np.array([False, False, True, True]))
    assert np.isnan(offered).tolist() == [False, False, True, False]
    assert carried.tolist() == [0, 0, 2, 0]


def test_a_calendar_folds_by_its_own_rule():
    """A help desk carries the night to the morning; a phone line loses it."""
    hours = {"mon-sun": "08:00-20:00"}
    ds = interval_grid(pd.Timestamp("2026-03-02T12:00Z"), pd.Timestamp("2026-03-02T12:00Z"), 60, "UTC")
    desk = Calendar.parse("UTC", hours)
    phone = Calendar(zone="UTC", week=desk.week, closed_arrivals="lost")
    offered, carried = desk.fold(np.ones(24), ds, waiting=5)
    assert (offered[8], carried[8], offered[9], offered[20:].sum()) == (14, 13, 1, 0)
    offered, carried = phone.fold(np.ones(24), ds)
    assert (offered.sum(), carried.sum()) == (12, 0)


def test_slots_and_days():
    """Monday 00:00 is slot 0 and Sunday's last minute 10,079, on the local date."""
    calendar = Calendar(zone="America/New_York")
    ds = pd.DatetimeIndex(["2026-03-02T05:00Z", "2026-03-09T03:59Z"])
    assert calendar.slot(ds).tolist() == [0, 10_079]
    assert calendar.day(ds).astype(str).tolist() == ["2026-03-02", "2026-03-08"]
