"""What became of tickets, counted per interval: by a slow loop, at closing time, and where a log does not tell."""

import numpy as np
import pandas as pd
import pytest

from staffcast.contracts import Calendar, InputError
from staffcast.contracts.files import write_table
from staffcast.tickets import count, read_log

ZONE = "Europe/Berlin"
HOURS = Calendar.parse(ZONE, {"mon-fri": "08:00-18:00"})
ALWAYS = Calendar(zone=ZONE)


def ticket(number, created, **more):
    return {"ticket_id": f"T{number:04d}", "created_at": f"2026-03-{created}", "queue": "q", **more}


def counted(rows, calendar=HOURS, minutes=60, **how):
    return count(read_log(pd.DataFrame(rows), zone=ZONE, **how), {"q": calendar}, minutes=minutes)


def random_rows(n=1500, seed=4):
    """Two working weeks of tickets with every outcome, some of them while closed."""
    rng = np.random.default_rng(seed)
    created = pd.Timestamp("2026-03-02", tz=ZONE) + pd.to_timedelta(np.sort(rng.integers(0, 14 * 86_400, n)), unit="s")
    outcome = rng.choice(["answered", "abandoned", "bot_closed", "spam"], n, p=[0.5, 0.2, 0.2, 0.1])
    seeks = np.isin(outcome, ["answered", "abandoned"])
    offered = created + pd.to_timedelta(rng.integers(0, 120, n), unit="s")
    wait = pd.to_timedelta(rng.integers(0, 4 * 3600, n), unit="s")
    return pd.DataFrame({
        "ticket_id": [f"T{i:04d}" for i in range(n)], "created_at": created, "queue": "q", "outcome": outcome,
        "offered_at": offered.where(seeks), "first_response_at": (offered + wait).where(outcome == "answered"),
        "resolved_at": (offered + wait).where(seeks, created + pd.Timedelta("1min")),
        "reopens": np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 3, n).astype(float)),
    })  # fmt: skip


def slow(frame):
    """Ticket by ticket, with the closing time of its own day."""
    found = {}
    for row in frame.itertuples():
        at = (row.created_at if row.outcome == "bot_closed" else row.offered_at).floor("h")
        if row.outcome == "spam":
            continue
        one = found.setdefault(at, {"abandoned": 0, "waited_s": 0.0, "bot_closed": 0, "told": 0, "again": 0, "n": 0})
        if row.outcome == "bot_closed":
            one["bot_closed"] += 1
            continue
        one["n"] += 1
        one["told"] += not np.isnan(row.reopens)
        one["again"] += row.reopens > 0
        day, close = row.offered_at.normalize(), row.offered_at.normalize() + pd.Timedelta("18h")
        if day.weekday() < 5 and day + pd.Timedelta("8h") <= row.offered_at < close:
            end = row.resolved_at
            one["waited_s"] += (min(end, close) - row.offered_at).total_seconds()
            one["abandoned"] += row.outcome == "abandoned" and end <= close
    return found


def test_counts_are_those_of_a_slow_loop():
    """Abandoned, waiting, bot-closed and reopened agree interval by interval with a loop over the tickets."""
    frame = random_rows()
    series = counted(frame).set_index("ds")
    found = slow(frame)
    assert len(found) > 200
    for ds, one in found.items():
        row = series.loc[ds]
        assert (row["abandoned"], row["bot_closed"], row["y"]) == (one["abandoned"], one["bot_closed"], one["n"])
        assert row["waited_s"] == pytest.approx(one["waited_s"])
        if one["told"]:
            assert row["reopened"] == pytest.approx(one["again"] * one["n"] / one["told"])
        else:
            assert np.isnan(row["reopened"]) == (one["n"] > 0)
    rest = series.drop(list(found))
    assert not rest[["abandoned", "waited_s", "bot_closed", "reopened"]].to_numpy().any()


def test_a_wait_ends_at_closing():
    """Who came at 17:50 and gave up at 18:20 waited ten minutes and had not given up; at 17:55, he had."""
    rows = [
        ticket(1, "02T09:00", outcome="answered", first_response_at="2026-03-02T09:01"),
        ticket(2, "02T17:50", outcome="abandoned", resolved_at="2026-03-02T18:20"),
        ticket(3, "03T17:50", outcome="abandoned", resolved_at="2026-03-03T17:55"),
        ticket(4, "04T20:00", outcome="abandoned", resolved_at="2026-03-05T09:00"),
        ticket(5, "05T09:00", outcome="answered", first_response_at="2026-03-05T09:00"),
    ]
    series = counted(rows).set_index("ds")
    last = series[series.index.hour == 17]
    assert last["abandoned"].tolist()[:2] == [0, 1]
    assert last["waited_s"].tolist()[:2] == [600, 300]
    assert series["abandoned"].sum() == 1
    assert series["waited_s"].sum() == 60 + 600 + 300


def test_a_phone_logs_own_wait_counts():
    """``wait_s`` says how long those waited who gave up, where nothing else does; and wins over the instants."""
    rows = [
        ticket(1, "02T09:00", outcome="abandoned", wait_s=45),
        ticket(2, "02T09:10", outcome="answered", first_response_at="2026-03-02T09:12", wait_s=100),
        ticket(3, "02T11:00", outcome="abandoned", wait_s=None),
    ]
    series = counted(rows).set_index("ds")
    assert series.loc["2026-03-02T09:00+01:00", ["abandoned", "waited_s"]].tolist() == [1, 145]
    assert series["abandoned"].sum() == 1


def test_what_a_log_does_not_tell_has_no_column():
    """No outcome, or none that says so, and no reopening: the series is as it was."""
    plain = [ticket(1, "02T09:00"), ticket(2, "02T11:00")]
    answered = [{**row, "outcome": "answered", "reopens": 0} for row in plain]
    for rows in (plain, answered):
        assert list(counted(rows)) == ["unique_id", "ds", "y", "aht_s", "open"]


def test_chats_that_never_reached_an_agent_were_closed_by_the_bot():
    """Without outcomes, what was resolved and never offered to people is the bot's; what is still open is not."""
    rows = [
        ticket(1, "02T09:00", offered_at="2026-03-02T09:01", resolved_at="2026-03-02T09:30"),
        ticket(2, "02T09:05", offered_at=None, resolved_at="2026-03-02T09:06"),
        ticket(3, "02T09:06", offered_at=None, resolved_at=None),
        ticket(4, "02T11:00", offered_at="2026-03-02T11:00", resolved_at="2026-03-02T11:10"),
    ]
    assert counted(rows).set_index("ds").loc["2026-03-02T09:00+01:00", "bot_closed"] == 1


def test_what_happened_later_is_not_known_yet():
    """As of noon nobody has been reopened or has given up who did so later."""
    rows = [
        ticket(1, "02T09:00", outcome="answered", resolved_at="2026-03-02T09:30", reopens=1),
        ticket(2, "02T11:50", outcome="answered", resolved_at="2026-03-02T13:00", reopens=2),
        ticket(3, "02T11:55", outcome="abandoned", wait_s=900),
        ticket(4, "02T10:00", outcome="abandoned", wait_s=30),
    ]
    series = counted(rows, until=pd.Timestamp("2026-03-02T12:00", tz=ZONE)).iloc[9:]
    assert series["abandoned"].tolist() == [0, 1, 0]
    np.testing.assert_array_equal(series["reopened"], [1, np.nan, np.nan])


def test_counted_fates_come_back_from_their_file(tmp_path):
    """A series written and read again, also by half hours to hours, has the same sums; a part unknown is unknown."""
    halves = counted(random_rows(), minutes=30)
    write_table(halves, tmp_path / "series.csv")
    log = read_log(tmp_path / "series.csv")
    again = count(log, {"q": HOURS}, minutes=60)
    whole = counted(random_rows())
    for name in ("abandoned", "waited_s", "bot_closed"):
        np.testing.assert_allclose(again[name], whole[name], atol=0.1)
    gone = halves.assign(abandoned=halves["abandoned"].where(halves.index != 20))
    there = count(read_log(gone), {"q": HOURS}, minutes=60)
    assert np.flatnonzero(there["abandoned"].isna()).tolist() == [10]


def test_negative_counts_are_refused():
    """An interval file with −1 abandoned is told so."""
    rows = pd.DataFrame({"timestamp": ["2026-03-02T09:00", "2026-03-02T10:00"], "count": [3, 4], "abandoned": [1, -1]})
    with pytest.raises(InputError, match=r"abandoned.*-1"):
        read_log(rows, zone=ZONE)
