import datetime as dt

import numpy as np
import pandas as pd
import pytest

from staffcast.calendars import CHECK, calendars_for_log, country_holidays
from staffcast.contracts import Calendar, InputError, interval_grid
from staffcast.scenario import Scenario
from staffcast.tickets import learn_calendar, learn_holiday_closures, read_log

PATTERNS = [
    {"mon-fri": "08:00-18:00", "sat": "10:00-14:00"},
    {"sun-thu": "07:00-24:00", "fri": "07:00-14:00", "sat": "20:00-24:00"},
    {"mon-sun": "09:30-21:30"},
    {"mon-sun": "00:00-24:00"},
]


def activity(calendar, start, days, per_slot, seed=0):
    """Instants spread evenly over the open half hours, with a few strays outside."""
    rng = np.random.default_rng(seed)
    first = pd.Timestamp(start, tz=calendar.zone)
    grid = interval_grid(first, first + pd.Timedelta(days=days), 30, calendar.zone)
    opened = grid[calendar.is_open(grid)].repeat(per_slot)
    times = opened + pd.to_timedelta(rng.uniform(0, 1799, len(opened)), unit="s")
    strays = grid[:: 7 * 48 * 4 + 1]
    return times.append(strays).sort_values()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata"])
@pytest.mark.parametrize("hours", PATTERNS, ids=str)
def test_hours_are_recovered(hours, zone):
    """From twelve weeks that include a DST change, the hours behind the activity are learnt exactly."""
    true = Calendar.parse(zone, hours)
    times = activity(true, "2018-09-20", 84, per_slot=3)
    learnt = learn_calendar(times, np.ones(len(times)), zone=zone, minutes=30)
    assert learnt == true


def test_the_order_of_rows_does_not_matter():
    """Shuffled activity teaches the same hours, and a weight of three is three tickets."""
    true = Calendar.parse("Europe/Berlin", PATTERNS[0])
    times = activity(true, "2026-01-05", 70, per_slot=3)
    mixed = times[np.random.default_rng(1).permutation(len(times))]
    assert learn_calendar(mixed, np.ones(len(times)), zone="Europe/Berlin", minutes=30) == true
    single = activity(true, "2026-01-05", 70, per_slot=1)
    assert learn_calendar(single, np.full(len(single), 3.0), zone="Europe/Berlin", minutes=30) == true


def test_only_the_last_eight_weeks_count():
    """A desk that moved its hours ten weeks ago is known by its new ones."""
    old = Calendar.parse("Europe/Berlin", {"mon-fri": "06:00-12:00"})
    new = Calendar.parse("Europe/Berlin", {"mon-fri": "12:00-20:00"})
    times = activity(old, "2026-01-05", 70, per_slot=3).append(activity(new, "2026-03-16", 70, per_slot=3))
    assert learn_calendar(times, np.ones(len(times)), zone="Europe/Berlin", minutes=30) == new


def test_too_little_to_learn_from():
    """With no tickets, three tickets or one a day, nothing is claimed."""
    for times in (
        pd.DatetimeIndex([], tz="UTC"),
        pd.DatetimeIndex(["2026-03-02T08:00Z", "2026-03-02T09:00Z", "2026-03-03T08:00Z"]),
        pd.date_range("2026-01-05", periods=60, freq="25h", tz="UTC"),
    ):
        assert learn_calendar(times, np.ones(len(times)), zone="UTC", minutes=30) is None


def test_a_single_busy_night_is_no_opening():
    """Forty tickets on one Sunday night do not open Sundays."""
    true = Calendar.parse("UTC", PATTERNS[0])
    night = pd.date_range("2026-03-01T03:00Z", periods=40, freq="30s")
    times = activity(true, "2026-01-05", 70, per_slot=3).append(night)
    assert learn_calendar(times, np.ones(len(times)), zone="UTC", minutes=30) == true


HOLIDAYS = {
    dt.date(2026, 1, 1): "New Year", dt.date(2026, 4, 3): "Good Friday", dt.date(2026, 4, 5): "Easter Sunday",
    dt.date(2026, 4, 6): "Easter Monday", dt.date(2026, 5, 1): "Labour Day", dt.date(2026, 12, 25): "Christmas",
}  # fmt: skip


@pytest.mark.parametrize(
    ("shut", "rule"),
    [
        ([dt.date(2026, 4, 3), dt.date(2026, 4, 6), dt.date(2026, 5, 1)], True),
        ([dt.date(2026, 4, 3), dt.date(2026, 4, 6)], True),
        ([dt.date(2026, 5, 1)], False),
        ([], False),
    ],
)
def test_closed_holidays_are_found(shut, rule):
    """Of the log's holidays on open weekdays, those without activity are closed; if most are, that is the rule."""
    week = Calendar.parse("Europe/Berlin", {"mon-fri": "08:00-18:00"})
    times = activity(week.closed(shut), "2026-02-02", 120, per_slot=2)
    closed, closed_as_a_rule = learn_holiday_closures(times, week, HOLIDAYS)
    assert closed == frozenset(shut)
    assert closed_as_a_rule is rule


def test_no_activity_teaches_no_closures():
    """Without a ticket no holiday is claimed to be closed."""
    assert learn_holiday_closures(pd.DatetimeIndex([], tz="UTC"), Calendar(), HOLIDAYS) == (frozenset(), False)


def log_of(hours, queues, closed=(), zone="Europe/Berlin"):
    parts = []
    for queue, per_slot in queues.items():
        calendar = Calendar.parse(zone, hours).closed(closed)
        times = activity(calendar, "2026-02-02", 84, per_slot=max(per_slot, 1))
        times = times if per_slot else times[::2000]
        parts.append(pd.DataFrame({"created_at": times, "queue": queue}))
    frame = pd.concat(parts, ignore_index=True)
    return read_log(frame.assign(ticket_id=np.arange(len(frame))), zone=zone)


def test_each_queue_gets_its_calendar():
    """Given hours win, a busy queue's are learnt, and one with few tickets takes those of all together."""
    log = log_of(PATTERNS[0], {"busy": 3, "few": 0, "given": 3})
    scenario = Scenario().with_options(
        {"queues": {"given": {"hours": {"mon": "07:00-08:00"}, "closed_arrivals": "lost"}}}
    )
    calendars, notes = calendars_for_log(log, scenario)
    true = Calendar.parse("Europe/Berlin", PATTERNS[0])
    assert calendars["busy"].week == calendars["few"].week == true.week
    assert calendars["given"].describe() == "Mon 07:00–08:00 (Europe/Berlin)"
    assert calendars["given"].closed_arrivals == "lost"
    assert notes["busy"][0].startswith("hours guessed from when tickets arrive: Mon–Fri 08:00–18:00")
    assert CHECK in notes["busy"][-1]
    assert "all queues together" in notes["few"][0]
    assert notes["given"][0].startswith("hours given")


def test_holidays_follow_the_log():
    """A desk that closed on the log's holidays closes on the coming ones; open or closed can be ordered."""
    shut = [dt.date(2026, 4, 3), dt.date(2026, 4, 6)]
    log = log_of({"mon-fri": "08:00-18:00"}, {"busy": 3}, closed=shut)
    base = {"holidays": "DE"}
    learnt = calendars_for_log(log, Scenario().with_options(base))[0]["busy"]
    assert set(shut) <= learnt.closed_on
    assert dt.date(2026, 12, 25) in learnt.closed_on
    assert dt.date(2026, 12, 25) in learnt.holidays
    ordered = calendars_for_log(log, Scenario().with_options(base | {"closed_on_holidays": False}))[0]["busy"]
    assert ordered.closed_on == frozenset()
    always = log_of({"mon-fri": "08:00-18:00"}, {"busy": 3})
    assert dt.date(2026, 12, 25) not in calendars_for_log(always, Scenario().with_options(base))[0]["busy"].closed_on
    closed = calendars_for_log(always, Scenario().with_options(base | {"closed_on_holidays": True}))[0]["busy"]
    assert dt.date(2026, 12, 25) in closed.closed_on


@pytest.mark.parametrize("key", ["queues_only", "skip_queues", "queues"])
def test_a_queue_that_the_log_does_not_have(key):
    """A queue named in the scenario but not in the log is refused with those there are."""
    value = {"bilLing": {"minimum": 1}} if key == "queues" else "bilLing"
    with pytest.raises(InputError, match=f"`{key}.* must be a queue of the log: busy, got 'bilLing'"):
        calendars_for_log(log_of(PATTERNS[0], {"busy": 1}), Scenario().with_options({key: value}))


def test_every_queue_left_out():
    """A scenario that skips all queues is refused."""
    with pytest.raises(InputError, match="no queue is left to plan; the log has busy"):
        calendars_for_log(log_of(PATTERNS[0], {"busy": 1}), Scenario().with_options({"skip_queues": ["busy"]}))


def test_countries_and_regions():
    """Epiphany is a holiday in Bavaria and not in all of Germany; unknown places are refused."""
    epiphany = dt.date(2026, 1, 6)
    assert epiphany in country_holidays("DE-BY", range(2026, 2027))
    assert epiphany not in country_holidays("de", range(2026, 2027))
    for code in ("XX", "DE-XX", "Germany"):
        with pytest.raises(InputError, match="`holidays` must be a country"):
            country_holidays(code, range(2026, 2027))


def test_a_few_answers_by_night_do_not_open_it():
    """An office with a little activity round the clock is learnt by its busy hours, not as always open."""
    office = Calendar.parse("Europe/Berlin", {"mon-fri": "08:00-18:00"})
    grid = interval_grid(
        pd.Timestamp("2025-03-03", tz=office.zone), pd.Timestamp("2025-05-05", tz=office.zone), 60, office.zone
    )
    weights = np.where(office.is_open(grid), 40.0, 0.0) + np.random.default_rng(2).poisson(0.7, len(grid))
    learnt = learn_calendar(grid, weights, zone=office.zone, minutes=60)
    assert learnt is not None
    assert learnt.week == office.week


def test_closed_days_of_the_scenario_are_closed():
    """Days that the planner closes are closed for every queue."""
    day = dt.date(2025, 12, 24)
    log = log_of({"mon-fri": "08:00-18:00"}, {"a": 3, "b": 3})
    calendars, _ = calendars_for_log(log, Scenario(zone="Europe/Berlin", closed_days=(day,)))
    noon = pd.DatetimeIndex([pd.Timestamp("2025-12-24 12:00", tz="Europe/Berlin")])
    assert [bool(c.is_open(noon)[0]) for c in calendars.values()] == [False, False]
    assert bool(calendars["a"].is_open(noon - pd.Timedelta(days=1))[0])
