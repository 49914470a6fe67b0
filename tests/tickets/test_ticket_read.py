import gzip

import numpy as np
import pandas as pd
import pytest

from staffcast.contracts import Calendar, InputError
from staffcast.tickets import IntervalLog, TicketLog, count, read_log

ZONE = "Europe/Berlin"


def tickets(n=60, start="2026-03-01T09:00:00+01:00", step_h=7.0):
    created = pd.Timestamp(start) + pd.to_timedelta(np.arange(n) * step_h, unit="h")
    frame = pd.DataFrame(
        {
            "ticket_id": [f"T{i:03d}" for i in range(n)],
            "created_at": created,
            "queue": ["Rückfragen" if i % 3 else "billing" for i in range(n)],
            "first_response_at": created + pd.Timedelta(minutes=5),
            "resolved_at": created + pd.Timedelta(hours=10),
            "handle_s": np.arange(n) * 10.5,
            "reopens": np.arange(n) % 2,
        }
    )
    for column in ("first_response_at", "resolved_at"):
        frame.loc[frame.index[-3:], column] = pd.NaT
    return frame


def as_text(frame):
    out = frame.copy()
    for column in frame.columns[frame.dtypes.map(lambda d: isinstance(d, pd.DatetimeTZDtype))]:
        out[column] = [t.isoformat() if pd.notna(t) else "" for t in frame[column]]
    return out


def csv(frame, **more):
    return as_text(frame).to_csv(index=False, **more)


def test_every_form_gives_the_same_log(tmp_path):
    """CSV in any delimiter and encoding, CSV.gz, Parquet and a frame are read as the same tickets."""
    frame = tickets()
    forms = {
        "plain.csv": csv(frame).encode(),
        "semicolon.csv": csv(frame, sep=";").encode("cp1252"),
        "tab.csv": csv(frame, sep="\t").encode("utf-16"),
        "bar.csv": csv(frame, sep="|").encode("utf-8-sig"),
        "packed.csv.gz": gzip.compress(csv(frame).encode()),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
    frame.to_parquet(tmp_path / "log.parquet", index=False)
    sources = [frame, as_text(frame).replace("", None), *(tmp_path / n for n in (*forms, "log.parquet"))]
    logs = [read_log(source, zone=ZONE) for source in sources]
    for log in logs:
        assert isinstance(log, TicketLog)
        pd.testing.assert_frame_equal(log.frame, logs[0].frame, check_dtype=False)
        assert log.queues == ["Rückfragen", "billing"]
        assert log.zone == ZONE
    assert logs[0].frame["created_at"].tolist() == frame["created_at"].tolist()
    assert logs[0].frame["handle_s"].tolist() == frame["handle_s"].tolist()
    assert logs[0].frame["first_response_at"].isna().sum() == 3


def test_reading_leaves_the_frame_alone():
    """A frame that is read stays as it was, and its index does not matter."""
    frame = tickets().set_index(pd.Index(range(100, 160)))
    before = frame.copy()
    log = read_log(frame, zone=ZONE)
    pd.testing.assert_frame_equal(frame, before)
    assert log.frame.index.tolist() == list(range(60))


def test_renamed_columns():
    """Columns named by the help desk's export are read by their canonical names."""
    names = {"ticket_id": "Ticket ID", "created_at": "Created time", "queue": "Group"}
    log = read_log(tickets().rename(columns=names), zone=ZONE, columns=names)
    pd.testing.assert_frame_equal(log.frame, read_log(tickets(), zone=ZONE).frame)


def test_a_renamed_column_wins_over_one_of_that_name():
    """Where the file has a column of the canonical name too, the one named is taken."""
    frame = tickets().assign(team="all of us")
    assert read_log(frame, zone=ZONE, columns={"queue": "team"}).queues == ["all of us"]


def test_columns_can_trade_names():
    """Two columns whose names are the wrong way round are swapped, not lost."""
    names = {"created_at": "resolved_at", "resolved_at": "created_at"}
    log = read_log(tickets().rename(columns=names), zone=ZONE, columns=names)
    assert log.frame["created_at"].tolist() == tickets()["created_at"].tolist()


def test_a_renamed_column_that_is_not_there():
    """A column named but absent is refused with what the file has."""
    with pytest.raises(InputError, match=r"has no such column: created_at = 'Created'; it has: ticket_id, created_at"):
        read_log(tickets(), zone=ZONE, columns={"created_at": "Created"})


def test_missing_columns_come_before_questions_of_zone(tmp_path):
    """A log without created_at is told so by file and columns, not asked for a zone."""
    path = tmp_path / "log.csv"
    path.write_text("ticket_id,Created,resolved_at\n1,2026-03-01 10:00,2026-03-01 11:00\n")
    with pytest.raises(InputError, match=r"log\.csv: the tickets table lacks created_at; it has: ticket_id, Created, "):
        read_log(path)


def test_neither_tickets_nor_intervals():
    """A table of another kind is refused with what a log must have."""
    with pytest.raises(InputError, match="lacks ticket_id, created_at; it has: date, count"):
        read_log(pd.DataFrame({"date": ["2026-03-01"], "count": [3]}))


def test_duplicate_ids():
    """An id that stands twice is refused with its row; --bad-rows drop keeps the first and says how many went."""
    frame = pd.concat([tickets(), tickets().iloc[[4, 9]].assign(queue="billing")], ignore_index=True)
    with pytest.raises(InputError, match=r"row 62: ticket_id=T004 stands twice \(2 such rows\)"):
        read_log(frame, zone=ZONE)
    log = read_log(frame, zone=ZONE, bad_rows="drop")
    pd.testing.assert_frame_equal(log.frame, read_log(tickets(), zone=ZONE).frame)
    assert log.notes == ("2 tickets with an id that stands twice were left out",)


def test_rows_keep_their_numbers_when_others_are_dropped():
    """An error after a dropped row names the row of the file."""
    frame = as_text(tickets())
    frame.loc[1, "ticket_id"] = "T000"
    for column, value in (("created_at", "soon"), ("handle_s", -5.0)):
        bad = frame.astype({"handle_s": object}).replace("", None)
        bad.loc[20, column] = value
        with pytest.raises(InputError, match="row 22"):
            read_log(bad, zone=ZONE, bad_rows="drop")


def test_resolved_before_created():
    """Such tickets are refused with row and both times; drop leaves them out and says so."""
    frame = tickets()
    frame.loc[[5, 6], "resolved_at"] = frame.loc[[5, 6], "created_at"] - pd.Timedelta(minutes=1)
    with pytest.raises(InputError) as caught:
        read_log(frame, zone=ZONE)
    assert "column resolved_at: tickets resolved before they were created: row 7: " in str(caught.value)
    assert "2026-03-02 19:59:00+01:00 before 2026-03-02 20:00:00+01:00" in str(caught.value)
    assert "--bad-rows drop" in str(caught.value)
    log = read_log(frame, zone=ZONE, bad_rows="drop")
    assert len(log.frame) == 58
    assert log.notes == ("2 tickets resolved before they were created were left out",)


def test_an_unknown_way_with_bad_rows():
    """Only "error" and "drop" are known."""
    with pytest.raises(InputError, match="`bad_rows` must be"):
        read_log(tickets(), bad_rows="ignore")


def test_answered_or_offered_before_created():
    """A first response before creation is unknown, an offer before creation is one at creation; notes say so."""
    frame = tickets()
    frame["offered_at"] = frame["created_at"] + pd.Timedelta(minutes=1)
    frame.loc[3, "first_response_at"] = frame.loc[3, "created_at"] - pd.Timedelta(minutes=1)
    frame.loc[0, "offered_at"] = frame.loc[0, "created_at"] - pd.Timedelta(days=2)
    log = read_log(frame, zone=ZONE)
    assert log.frame["first_response_at"].isna().sum() == 4
    assert log.frame["offered_at"][0] == log.frame["created_at"][0]
    assert log.frame["offered_at"][1] == frame["offered_at"][1]
    assert len(log.notes) == 2


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("handle_s", -1.0, r"row 12, column handle_s: is -1"),
        ("queue", None, r"row 12, column queue: is empty"),
        ("created_at", None, r"row 12, column created_at: is empty"),
        ("reopens", 0.5, r"row 12, column reopens: is 0.5, not a whole number"),
    ],
)
def test_bad_values_are_named(column, value, says):
    """A negative handle time, an empty queue or time and half a reopening are refused by row and column."""
    frame = tickets().astype({"queue": object, "reopens": float})
    frame.loc[10, column] = value
    with pytest.raises(InputError, match=says):
        read_log(frame, zone=ZONE)


def test_a_gap_of_a_month():
    """A month without a ticket is refused with both its ends and what to do; --allow-gaps accepts it."""
    frame = tickets()
    frame.loc[30:, ["created_at", "first_response_at", "resolved_at"]] += pd.Timedelta(days=31)
    with pytest.raises(InputError) as caught:
        read_log(frame, zone=ZONE)
    assert "between 2026-03-09 20:00 and 2026-04-10 04:00 (31 days)" in str(caught.value)
    assert "--since 2026-04-10" in str(caught.value)
    assert len(read_log(frame, zone=ZONE, allow_gaps=True).frame) == 60
    assert len(read_log(frame, zone=ZONE, since=pd.Timestamp("2026-04-10")).frame) == 30


def test_since_and_until():
    """The span is from the first instant on, up to but without the last; naive ones are wall clock."""
    frame = tickets(n=48, start="2026-03-01T00:00:00+01:00", step_h=1.0)
    log = read_log(frame, zone=ZONE, since=pd.Timestamp("2026-03-01T05:00"), until=pd.Timestamp("2026-03-02T00:00"))
    assert log.frame["ticket_id"].tolist() == [f"T{i:03d}" for i in range(5, 24)]
    assert log.end == pd.Timestamp("2026-03-02T00:00", tz=ZONE)
    with pytest.raises(InputError, match=r"nothing lies between --since 2027.*the log has 2026-03-01"):
        read_log(frame, zone=ZONE, since=pd.Timestamp("2027-01-01"))


def test_the_log_as_it_stood():
    """What happened at or after `until` is not known: no answer, no closing, no handle time, no rating, no outcome."""
    created = pd.Timestamp("2026-03-02T08:00Z")
    frame = pd.DataFrame(
        {
            "ticket_id": ["done", "answered", "waits", "later"],
            "created_at": [created] * 3 + [created + pd.Timedelta(hours=5)],
            "first_response_at": created + pd.to_timedelta([1, 1, 4, 6], unit="h"),
            "resolved_at": created + pd.to_timedelta([2, 4, 5, 7], unit="h"),
            "handle_s": 100.0, "csat": 5, "outcome": "answered",
        }
    )  # fmt: skip
    log = read_log(frame, zone="UTC", until=created + pd.Timedelta(hours=4)).frame.set_index("ticket_id")
    assert log.index.tolist() == ["answered", "done", "waits"]
    known = log[["first_response_at", "resolved_at", "handle_s", "csat", "outcome"]].notna().astype(int)
    assert known.loc["done"].tolist() == [1, 1, 1, 1, 1]
    assert known.loc["answered"].tolist() == [1, 0, 0, 0, 0]
    assert known.loc["waits"].tolist() == [0, 0, 0, 0, 0]


def test_who_never_sought_an_agent():
    """Tickets that the bot closed, or that hung up before a queue, have no offer; without offers there is no queue."""
    frame = tickets(n=4).assign(outcome=["answered", "bot_closed", "ivr_hangup", "abandoned"])
    assert read_log(frame, zone=ZONE).frame["offered_at"].notna().tolist() == [True, False, False, True]
    with pytest.raises(InputError, match="no ticket ever reached a queue for people"):
        read_log(frame.assign(outcome="bot_closed"), zone=ZONE)


def test_a_log_without_queues():
    """Without a queue column everything is one queue; aliases of an export's names are known."""
    frame = pd.DataFrame({"id": [1], "opened_at": ["2026-03-02T08:00Z"], "reopened": [2]})
    log = read_log(frame)
    assert log.queues == ["all"]
    assert log.frame["reopens"].tolist() == [2]
    assert log.zone == "UTC"


def hours(start="2025-10-25 00:00", n=72, **more):
    wall = pd.date_range(start, periods=n, freq="h").strftime("%Y-%m-%d %H:%M:%S")
    return pd.DataFrame({"timestamp": wall, "count": np.arange(n) + 1.0, **more})


def test_an_interval_file():
    """Counts per interval are known by their columns; instants, counts and minutes are read."""
    rows = pd.DataFrame(
        {"timestamp": ["2026-03-02T08:30Z", "2026-03-02T08:00Z"], "queue": "a", "count": ["5", ""], "aht_s": [300, ""]}
    ).replace("", None)
    log = read_log(rows)
    assert isinstance(log, IntervalLog)
    assert (log.minutes, log.queues, log.zone) == (30, ["a"], "UTC")
    assert log.frame["y"].isna().tolist() == [True, False]
    assert log.frame["aht_s"].tolist()[1] == 300


def test_the_wall_clock_hour_of_autumn_is_two():
    """One row for the repeated hour holds both: it is split evenly, a note says so, and no ticket is lost."""
    log = read_log(hours(), zone=ZONE)
    both = log.frame[log.frame["ds"].dt.strftime("%m-%d %H") == "10-26 02"]
    assert both["y"].tolist() == [13.5, 13.5]
    assert [t.isoformat()[-6:] for t in both["ds"]] == ["+02:00", "+01:00"]
    assert log.frame["y"].sum() == sum(range(1, 73))
    assert len(log.frame) == 73
    assert log.frame["ds"].diff().dropna().eq(pd.Timedelta(hours=1)).all()
    assert "1 intervals hold both hours" in log.notes[0]


def test_the_wall_clock_hour_of_autumn_written_twice():
    """Two rows for the repeated hour are its first and its second half, in the order of the file."""
    rows = hours(n=48)
    twice = pd.concat([rows.iloc[:27], rows.iloc[[26]].assign(count=99.0), rows.iloc[27:]], ignore_index=True)
    log = read_log(twice, zone=ZONE)
    both = log.frame[log.frame["ds"].dt.strftime("%m-%d %H") == "10-26 02"]
    assert both["y"].tolist() == [27, 99]
    assert len(log.frame) == 49


def test_the_wall_clock_hour_of_spring_is_none():
    """The row for the skipped hour is left out, and a note says what was in it."""
    log = read_log(hours(start="2026-03-28 00:00"), zone=ZONE)
    assert len(log.frame) == 71
    assert log.frame["ds"].diff().dropna().eq(pd.Timedelta(hours=1)).all()
    assert "27 tickets in them" in log.notes[0]


def test_both_changes_and_two_queues():
    """A year of wall-clock hours of two queues has as many hours as the year has."""
    one = hours(start="2025-01-01 00:00", n=8760)
    log = read_log(pd.concat([one.assign(queue="a"), one.assign(queue="b")], ignore_index=True), zone=ZONE)
    for _, part in log.frame.groupby("unique_id"):
        assert len(part) == 8760
        assert part["ds"].diff().dropna().eq(pd.Timedelta(hours=1)).all()


@pytest.mark.parametrize(
    ("row", "column", "value", "says"),
    [
        (26, "count", "many", "row 28, column y: cannot read 'many'"),
        (40, "count", "-3", "row 42, column y: is -3"),
        (40, "timestamp", "noon", "row 42: 'xxxx'"),
    ],
)
def test_bad_intervals_are_named_by_their_row(row, column, value, says):
    """A bad count or time is named by its row of the file, also after the DST change."""
    rows = hours().astype({"count": object})
    rows.loc[row, column] = value
    with pytest.raises(InputError, match=says):
        read_log(rows, zone=ZONE)


def test_two_names_for_the_count():
    """Of `count` and `offered`, both known names, `count` is taken and the other passes through."""
    rows = hours(offered=-1.0)
    assert read_log(rows, zone="UTC").frame["y"].sum() == rows["count"].sum()


@pytest.mark.parametrize(("step", "says"), [("10min", "10 minutes apart"), ("1D", "1440 minutes apart")])
def test_intervals_of_another_length(step, says):
    """Counts per ten minutes or per day are refused with the length found."""
    ds = pd.date_range("2026-03-02", periods=10, freq=step, tz="UTC")
    with pytest.raises(InputError, match=says):
        read_log(pd.DataFrame({"timestamp": ds, "count": 1}))


def test_intervals_off_the_grid():
    """Half hours that begin at ten past are refused with their rows."""
    ds = pd.date_range("2026-03-02T00:10Z", periods=10, freq="30min")
    with pytest.raises(InputError, match=r"not on the grid of 30-minute intervals: row 2: '2026-03-02 00:10"):
        read_log(pd.DataFrame({"timestamp": ds, "count": 1}))


def test_an_interval_that_stands_twice():
    """Two rows for one queue and interval are refused."""
    rows = hours(start="2026-03-02", n=10)
    with pytest.raises(InputError, match="stands twice"):
        read_log(pd.concat([rows, rows.iloc[[3]]], ignore_index=True), zone=ZONE)


def test_a_log_shorter_than_one_interval():
    """Half an hour of counts cannot be planned by the hour, and the error says so."""
    ds = ["2026-03-02T08:15Z", "2026-03-02T08:30Z"]
    log = read_log(pd.DataFrame({"timestamp": ds, "count": 1}))
    with pytest.raises(InputError, match="less than one interval of 60 min"):
        count(log, {"all": Calendar()}, minutes=60)
