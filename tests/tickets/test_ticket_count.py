import datetime as dt
import zoneinfo
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from staffcast.calendars import calendars_for_log
from staffcast.contracts import SERIES, Calendar, InputError
from staffcast.contracts.files import write_table
from staffcast.scenario import Scenario
from staffcast.tickets import count, read_log, waiting_at_end

ZONES = ["Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "UTC"]


def random_log(zone, start="2018-10-20", days=24, n=3000, seed=0):
    rng = np.random.default_rng(seed)
    first = pd.Timestamp(start, tz=zone)
    last = pd.Timestamp(start).normalize() + pd.Timedelta(days=days)
    span = (last.tz_localize(zone) - first).total_seconds()
    created = first + pd.to_timedelta(np.sort(rng.integers(0, int(span), n)), unit="s")
    frame = pd.DataFrame(
        {
            "ticket_id": [f"T{i:05d}" for i in range(n)],
            "created_at": created,
            "queue": rng.choice(["a", "b"], n),
            "handle_s": np.where(rng.random(n) < 0.2, np.nan, rng.integers(30, 900, n).astype(float)),
        }
    )
    return frame, last.tz_localize(zone)


def slow_count(frame, zone, minutes):
    """Floor each ticket's wall clock with datetime and zoneinfo; the offset keeps the two autumn hours apart."""
    tz = zoneinfo.ZoneInfo(zone)
    number, seconds = Counter(), {}
    for queue, created, handle in zip(frame["queue"], frame["created_at"], frame["handle_s"], strict=True):
        local = dt.datetime.fromtimestamp(created.timestamp(), tz)
        start = local.replace(minute=local.minute - local.minute % minutes, second=0, microsecond=0)
        key = queue, start.isoformat()
        number[key] += 1
        if not np.isnan(handle):
            seconds.setdefault(key, []).append(handle)
    return number, {key: sum(s) / len(s) for key, s in seconds.items()}


@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize("zone", ZONES)
def test_counts_are_those_of_a_slow_loop(zone, minutes):
    """Every interval has the tickets and the mean handle time that a loop over the wall clock finds, DST included."""
    frame, until = random_log(zone)
    series = count(read_log(frame, zone=zone, until=until), dict.fromkeys("ab", Calendar(zone=zone)), minutes=minutes)
    number, handle = slow_count(frame, zone, minutes)
    made = {(q, t.isoformat()): y for q, t, y in zip(series["unique_id"], series["ds"], series["y"], strict=True)}
    assert {key: y for key, y in made.items() if y} == number
    assert series["y"].sum() == len(frame)
    aht = {
        (q, t.isoformat()): s
        for q, t, s in zip(series["unique_id"], series["ds"], series["aht_s"], strict=True)
        if not np.isnan(s)
    }
    assert aht == pytest.approx(handle)
    SERIES.check(series)


@pytest.mark.parametrize(
    ("zone", "start", "days", "hours"),
    [
        ("Europe/Berlin", "2018-10-28", 1, 25), ("Europe/Berlin", "2019-03-31", 1, 23),
        ("America/Sao_Paulo", "2018-11-04", 1, 23), ("America/New_York", "2018-11-04", 1, 25),
        ("Asia/Kolkata", "2018-11-04", 1, 24), ("Europe/Berlin", "2018-10-20", 24, 577),
    ],
)  # fmt: skip
@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_days_have_their_hours(zone, start, days, hours, minutes):
    """The series has as many intervals as the days have hours, without a hole and without one twice."""
    stop = pd.Timestamp(start) + pd.Timedelta(days=days)
    frame = pd.DataFrame(
        {
            "ticket_id": [1, 2],
            "created_at": [pd.Timestamp(f"{start}T03:10", tz=zone), stop.tz_localize(zone) - pd.Timedelta("1min")],
        }
    )
    series = count(read_log(frame, allow_gaps=True, zone=zone), {"all": Calendar(zone=zone)}, minutes=minutes)
    assert len(series) == hours * 60 // minutes
    assert series["ds"].diff().dropna().eq(pd.Timedelta(minutes=minutes)).all()


def test_the_order_of_rows_does_not_matter():
    """Shuffled rows give the same series."""
    frame, until = random_log("Europe/Berlin")
    calendars = dict.fromkeys("ab", Calendar(zone="Europe/Berlin"))
    mixed = frame.sample(frac=1, random_state=1)
    one, other = (count(read_log(f, zone="Europe/Berlin", until=until), calendars, minutes=30) for f in (frame, mixed))
    pd.testing.assert_frame_equal(one, other)


def test_closed_hours_keep_their_tickets():
    """A ticket of the night is counted where it came, and folding moves it to the opening without losing one."""
    frame, until = random_log("Europe/Berlin")
    calendar = Calendar.parse("Europe/Berlin", {"mon-sun": "08:00-20:00"})
    series = count(read_log(frame, zone="Europe/Berlin", until=until), {"a": calendar}, minutes=30)
    ds = pd.DatetimeIndex(series["ds"])
    y = series["y"].to_numpy()
    assert y[~calendar.is_open(ds)].sum() > 0
    offered, _ = calendar.fold(y, ds)
    after = frame[(frame["queue"] == "a") & (frame["created_at"] >= until.normalize() - pd.Timedelta(hours=4))]
    assert offered[~calendar.is_open(ds)].sum() == 0
    assert offered.sum() == (frame["queue"] == "a").sum() - len(after)


def cut_log(last="2026-03-03T15:10"):
    """Two tickets an hour, the last one in the middle of an open afternoon."""
    created = pd.date_range("2026-03-02T00:05", last, freq="30min", tz="UTC").append(pd.DatetimeIndex([last], tz="UTC"))
    return pd.DataFrame({"ticket_id": range(len(created)), "created_at": created})


def test_a_half_seen_interval_is_not_counted():
    """Where a log stops within an interval, that interval and its tickets are left out, not piled on the one before."""
    series = count(read_log(cut_log()), {"all": Calendar()}, minutes=60)
    assert series["ds"].max() == pd.Timestamp("2026-03-03T14:00Z")
    assert set(series["y"]) == {2.0}


@pytest.mark.parametrize(("last", "end"), [("2026-03-03T23:10", "23:45"), ("2026-03-03T20:10", "23:45")])
def test_the_last_day_is_seen_to_its_end(last, end):
    """A log that stops in the last hour of a day, or after the last closing, saw the quiet rest of the day."""
    calendar = Calendar.parse("UTC", {"mon-sun": "08:00-20:00"})
    series = count(read_log(cut_log(last)), {"all": calendar}, minutes=15)
    assert series["ds"].max() == pd.Timestamp(f"2026-03-03T{end}Z")
    assert series["y"].sum() == len(cut_log(last))


def test_what_never_sought_an_agent_is_not_counted():
    """Tickets count by when they seek an agent; those that never do not count."""
    created = pd.date_range("2026-03-02T08:00Z", periods=4, freq="1h")
    frame = pd.DataFrame(
        {"ticket_id": range(4), "created_at": created, "offered_at": [created[1], None, created[2], created[3]]}
    )
    series = count(read_log(frame, until=pd.Timestamp("2026-03-03T00:00Z")), {"all": Calendar()}, minutes=60)
    assert {t.hour: y for t, y in zip(series["ds"], series["y"], strict=True) if y} == {9: 1, 10: 1, 11: 1}


@pytest.mark.parametrize("minutes", [10, 45, 0, 1440])
def test_other_intervals_are_refused(minutes):
    """Counting per ten minutes or per day is refused."""
    with pytest.raises(InputError, match=f"got '{minutes} min'"):
        count(read_log(cut_log()), {"all": Calendar()}, minutes=minutes)


def test_calendars_that_do_not_fit():
    """A queue that the log does not have, and hours off the grid, are refused."""
    with pytest.raises(InputError, match="a queue of the log: all, got 'billing'"):
        count(read_log(cut_log()), {"billing": Calendar()}, minutes=30)
    with pytest.raises(InputError, match=r"hours\.mon.*08:15"):
        count(read_log(cut_log()), {"all": Calendar.parse("UTC", {"mon": "08:15-18:00"})}, minutes=30)


def half_hours(drop=()):
    ds = pd.date_range("2026-03-02", periods=96, freq="30min", tz="UTC")
    rows = pd.DataFrame({"timestamp": ds, "count": np.arange(96.0), "aht_s": np.where(np.arange(96) % 2, 100.0, 400.0)})
    return rows[~rows["timestamp"].dt.strftime("%dT%H:%M").isin(drop)]


def test_missing_intervals_are_not_zero():
    """An open interval without a row is not known; a closed one without a row had no tickets."""
    calendar = Calendar.parse("UTC", {"mon-sun": "08:00-20:00"})
    log = read_log(half_hours(drop=("02T10:00", "02T22:00")))
    series = count(log, {"all": calendar}, minutes=30).set_index("ds")["y"]
    assert np.isnan(series[pd.Timestamp("2026-03-02T10:00Z")])
    assert series[pd.Timestamp("2026-03-02T22:00Z")] == 0
    assert series.isna().sum() == 1
    assert len(series) == 96


def test_half_hours_make_hours():
    """Two half hours are an hour: counts add up, handle times are weighed by tickets, a half-known hour is unknown."""
    log = read_log(half_hours(drop=("02T10:30",)))
    series = count(log, {"all": Calendar()}, minutes=60)
    assert len(series) == 48
    assert np.isnan(series["y"][10])
    assert series["y"].drop(10).tolist() == [4.0 * h + 1 for h in range(48) if h != 10]
    assert series["aht_s"][1] == pytest.approx((2 * 400 + 3 * 100) / 5)
    with pytest.raises(InputError, match="the file counts per 30 min"):
        count(log, {"all": Calendar()}, minutes=15)


def test_who_waits_at_the_end():
    """Tickets without answer at the end wait, with their age; those after the last closing are marked, others gone."""
    end = pd.Timestamp("2026-03-03T00:00Z")
    at = {"open": "10:00", "night": "21:00", "answered": "11:00", "gone": "12:00", "solved": "13:00", "bot": "14:00"}
    created = pd.Series([pd.Timestamp(f"2026-03-02T{t}Z") for t in at.values()])
    frame = pd.DataFrame({"ticket_id": list(at), "created_at": created, "outcome": "open"})
    frame.loc[frame["ticket_id"] == "gone", "outcome"] = "abandoned"
    frame.loc[frame["ticket_id"] == "bot", "outcome"] = "bot_closed"
    frame["first_response_at"] = created.where(frame["ticket_id"] == "answered")
    frame["resolved_at"] = created.where(frame["ticket_id"] == "solved")
    calendar = Calendar.parse("UTC", {"mon-fri": "08:00-20:00"})
    waiting = waiting_at_end(read_log(frame), {"all": calendar}, end)
    assert waiting["unique_id"].tolist() == ["all", "all"]
    assert waiting["age_s"].tolist() == [14 * 3600, 3 * 3600]
    assert waiting["since_close"].tolist() == [False, True]
    assert not waiting_at_end(read_log(frame), {"all": Calendar()}, end)["since_close"].any()


def test_who_waits_is_not_always_known():
    """An interval file and a log without first responses know of nobody waiting."""
    end = pd.Timestamp("2026-03-04T00:00Z")
    for source in (half_hours(), cut_log()):
        waiting = waiting_at_end(read_log(source), {"all": Calendar()}, end)
        assert len(waiting) == 0
        assert list(waiting.columns) == ["unique_id", "age_s", "since_close"]


def test_a_log_that_ends_just_before_closing_keeps_its_last_hour():
    """A log that ends minutes before closing counts that interval; one that stops early in it does not."""
    hours = Calendar.parse("Europe/Berlin", {"mon-sun": "09:00-14:00"})
    for last, counted in (("13:56", "23:00"), ("13:05", "12:00")):
        times = pd.to_datetime(["2025-03-07 09:10", "2025-03-08 10:00", f"2025-03-08 {last}"])
        log = read_log(pd.DataFrame({"ticket_id": ["1", "2", "3"], "created_at": times}), zone="Europe/Berlin")
        series = count(log, {"all": hours}, minutes=60)
        assert f"{series['ds'].iloc[-1]:%H:%M}" == counted
        assert series["y"].sum() == (3 if last == "13:56" else 2)


def test_counted_hours_are_known_to_the_next_step(tmp_path):
    """A series that was counted says when its queue was open, and reading it back gives the same hours."""
    hours = Calendar.parse("Europe/Berlin", {"mon-fri": "08:00-18:00"})
    days = pd.date_range("2025-03-03 03:00", "2025-05-30", freq="h", tz="Europe/Berlin")
    log = read_log(
        pd.DataFrame({"ticket_id": np.arange(len(days)).astype(str), "created_at": days}), zone="Europe/Berlin"
    )
    series = count(log, {"all": hours}, minutes=60)
    write_table(series, tmp_path / "series.csv")
    again = read_log(tmp_path / "series.csv", zone="Europe/Berlin")
    calendars, _ = calendars_for_log(again, Scenario(zone="Europe/Berlin", interval_minutes=60))
    assert calendars["all"].week == hours.week
