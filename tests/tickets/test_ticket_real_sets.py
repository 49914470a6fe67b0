"""The real data sets are read as their description says."""

from __future__ import annotations

import csv
import gzip
from collections import Counter

import pandas as pd
import pytest

from staffcast.calendars import calendars_for_log
from staffcast.contracts import Calendar, InputError
from staffcast.scenario import Scenario
from staffcast.tickets import IntervalLog, TicketLog, count, read_log


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


@pytest.fixture(scope="module")
def bank(shared_data):
    folder = shared_data / "anonymous_bank_1999"
    zone = "Asia/Jerusalem"
    calls = read_log(folder / "calls_1999-01_1999-02.csv.gz", zone=zone)
    intervals = read_log(folder / "intervals30_1999-01_1999-02.csv.gz", zone=zone)
    return folder, calls, intervals


def test_bank_calls_are_all_there(bank):
    """64,941 calls, of them 54,222 answered, 7,064 abandoned and 3,655 that never sought an agent."""
    _, calls, _ = bank
    assert isinstance(calls, TicketLog)
    assert calls.frame["outcome"].value_counts().to_dict() == {
        "answered": 54_222, "abandoned": 7_064, "ivr_hangup": 3_137, "phantom": 518,
    }  # fmt: skip
    assert calls.frame["offered_at"].notna().sum() == 54_222 + 7_064
    answered = calls.frame[calls.frame["outcome"] == "answered"]
    assert answered["handle_s"].mean() == pytest.approx(181, abs=1)


def test_bank_calls_and_intervals_agree(bank):
    """Counting the calls per half hour and queue gives the bank's interval file, but for one call.

    Of the 58 calls whose offer stands before their entry, it is the one with a half hour between: 11:59:46, 12:00:36.
    """
    folder, calls, intervals = bank
    assert isinstance(intervals, IntervalLog)
    assert intervals.minutes == 30
    assert calls.queues == intervals.queues
    always = dict.fromkeys(calls.queues, Calendar(zone=calls.zone))
    counted = count(calls, always, minutes=30).set_index(["unique_id", "ds"])["y"]
    written = {(r["queue"], pd.Timestamp(r["timestamp"])): float(r["count"]) for r in rows(
        folder / "intervals30_1999-01_1999-02.csv.gz"
    )}  # fmt: skip
    assert counted.sum() == sum(written.values()) == 61_286
    assert len(counted) == len(written) == 16_992
    noon = pd.Timestamp("1999-02-23T12:00+02:00")
    moved = {("regular", noon - pd.Timedelta(minutes=30)): -1, ("regular", noon): 1}
    assert counted.to_dict() == {key: y + moved.get(key, 0) for key, y in written.items()}
    assert calls.notes == ("58 tickets sought an agent before their creation; taken as at creation",)
    read = count(intervals, always, minutes=30).set_index(["unique_id", "ds"])["y"]
    assert read.to_dict() == written


def test_bank_hours_are_learnt(bank):
    """The hours learnt for `regular` are the bank's: Sunday to Thursday 7–24, Friday 7–14, Saturday from about 20.

    Agents who answer some minutes before seven may open one day's half hour more.
    """
    _, calls, _ = bank
    calendars, notes = calendars_for_log(calls, Scenario(zone=calls.zone))
    week = calendars["regular"].week
    opening = sorted(week[day][0][0] for day in (6, 0, 1, 2, 3))
    assert opening[1:] == [7 * 60] * 4
    assert opening[0] >= 6.5 * 60
    assert all(len(week[day]) == 1 and week[day][0][1] == 24 * 60 for day in (6, 0, 1, 2, 3))
    (friday,), (saturday,) = week[4], week[5]
    assert friday[0] == 7 * 60
    assert 14 * 60 <= friday[1] <= 15 * 60
    assert 17 * 60 <= saturday[0] <= 20 * 60
    assert saturday[1] == 24 * 60
    assert "learnt" in notes["regular"][0]


def test_bank_year(bank):
    """The year is 445,414 calls in 17,518 half hours; the autumn hour is written once, its second pass unknown."""
    folder, _, _ = bank
    log = read_log(folder / "halfhour_1999.csv.gz", zone="Asia/Jerusalem")
    assert len(log.frame) == 17_518
    series = count(log, {"all": Calendar(zone=log.zone)}, minutes=30)
    assert series["y"].sum() == pytest.approx(445_414, abs=1)
    days = series.groupby(series["ds"].dt.date).size()
    assert {str(d): n for d, n in days.items() if n != 48} == {"1999-04-02": 46, "1999-09-03": 50}
    unknown = series.loc[series["y"].isna(), "ds"].tolist()
    assert unknown == [pd.Timestamp("1999-09-03T01:00+02:00"), pd.Timestamp("1999-09-03T01:30+02:00")]


def test_iowa_without_offsets(shared_data):
    """41,640 wall-clock hours become as many real ones: five skipped, five split; no patient is lost."""
    path = shared_data / "iowa_ed_hourly" / "hourly.csv.gz"
    with pytest.raises(InputError, match=r"hourly\.csv\.gz, column ds: .*wall clock.*--zone"):
        read_log(path)
    log = read_log(path, zone="America/Chicago")
    assert isinstance(log, IntervalLog)
    assert log.minutes == 60
    assert log.queues == ["ed"]
    written = list(rows(path))
    assert len(log.frame) == len(written) == 41_640
    assert log.frame["ds"].diff().dropna().eq(pd.Timedelta(hours=1)).all()
    assert log.frame["y"].sum() == sum(float(r["count"]) for r in written)
    assert any("5 intervals lie in the hour that spring skips; left out (0 tickets" in note for note in log.notes)
    assert any("5 intervals hold both hours" in note for note in log.notes)
    series = count(log, {"ed": Calendar(zone=log.zone)}, minutes=60)
    assert series["y"].isna().sum() == 0
    assert series["y"].mean() == pytest.approx(6.6, abs=0.1)


def test_servicenow_tickets(shared_data):
    """24,918 tickets, 1,556 of them never resolved, 2 answered before they were opened; hours agree with its counts."""
    folder = shared_data / "servicenow_incidents_2016"
    log = read_log(folder / "tickets.csv.gz", zone="UTC", allow_gaps=True)
    assert isinstance(log, TicketLog)
    assert len(log.frame) == 24_918
    assert log.frame["resolved_at"].isna().sum() == 1_556
    assert any(note.startswith("2 first responses lie before") for note in log.notes)
    assert (log.frame["reopens"] > 0).sum() == 275
    wait = (log.frame["first_response_at"] - log.frame["created_at"]).dt.total_seconds()
    assert wait.median() == pytest.approx(21 * 60, abs=60)
    spring = read_log(folder / "tickets.csv.gz", zone="UTC", until=pd.Timestamp("2016-06-01"))
    counted = count(spring, {"all": Calendar()}, minutes=60)
    written = Counter({pd.Timestamp(r["timestamp"], tz="UTC"): float(r["count"]) for r in rows(
        folder / "arrivals_hourly.csv.gz"
    )})  # fmt: skip
    assert dict(zip(counted["ds"], counted["y"], strict=True)) == written


def test_chats(shared_data):
    """10,000 chats, 3,722 of them with an agent, whose median first response comes seconds after assignment."""
    path = shared_data / "chat_support_2021-02" / "chats.csv.gz"
    log = read_log(path, zone="Asia/Kolkata", columns={"offered_at": "agent_assigned_at"})
    assert isinstance(log, TicketLog)
    assert len(log.frame) == 10_000
    assert log.frame["offered_at"].notna().sum() == 3_722
    series = count(log, {"all": Calendar(zone=log.zone)}, minutes=30)
    assert 3_700 <= series["y"].sum() <= 3_722
    waited = (log.frame["offered_at"] - log.frame["created_at"]).dt.total_seconds()
    assert waited.median() == pytest.approx(67, abs=1)


def test_chats_as_exported(shared_data):
    """The raw export, its dates in two orders, is refused with file, column and the first rows."""
    path = shared_data / "chat_support_2021-02" / "chats_as_exported.csv.gz"
    names = {"ticket_id": "RoomCode", "created_at": "ChatStartTime"}
    with pytest.raises(
        InputError, match=r"chats_as_exported\.csv\.gz, column created_at: cannot read row 3: '26-02-2021"
    ):
        read_log(path, zone="Asia/Kolkata", columns=names)


def test_daily_counts_are_refused(shared_data):
    """A file of days is not a log, and the error says what it has."""
    with pytest.raises(
        InputError, match=r"daily\.csv\.gz: the tickets table lacks ticket_id, created_at; it has: date"
    ):
        read_log(shared_data / "vancouver_311_daily" / "daily.csv.gz", zone="America/Vancouver")
