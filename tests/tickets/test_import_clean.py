"""Cleaning that is visible: what is mended, dropped or odd is counted with its first rows; no row vanishes."""

from __future__ import annotations

import pandas as pd
import pytest
from export_files import KEY, NOW, as_csv, desk, freshdesk_csv, hubspot_csv, stamp, zendesk_csv
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import InputError
from staffcast.tickets.exports import import_log
from staffcast.tickets.exports.cells import layout_of, records_of
from staffcast.tickets.exports.clock import Survey, TimeRule, read_times, rule_of, shared_rule

ZONE = "Europe/Berlin"


def imported(tmp_path, content, name="log.csv", **more):
    (tmp_path / name).write_bytes(content)
    report = import_log([tmp_path / name], tmp_path / "out.parquet", key=KEY, now=NOW, **more)
    return pd.read_parquet(tmp_path / "out.parquet"), report


def own(ids, created, **more):
    """A log with staffcast's own columns."""
    return as_csv({"ticket_id": ids, "created_at": created, **more})


def spreadsheet(times):
    """What a spreadsheet that expects months first makes of day-first dates: 1–12 swapped, the rest as it was."""
    return [t.strftime("%Y-%d-%m %H:%M:%S" if t.day <= 12 else "%d-%m-%Y %H:%M:%S") for t in times]


def test_a_spreadsheets_swaps_are_exchanged_back(tmp_path):
    """Days 1–12 that stand as year-day-month beside days 13–31 as text come back as they were, and are counted."""
    times = pd.date_range("2026-01-05", "2026-03-29", freq="5h17min")
    frame, report = imported(tmp_path, own(range(len(times)), spreadsheet(times)), zone="UTC")
    assert list(frame["created_at"].dt.tz_localize(None)) == list(times)
    swapped = sum(t.day <= 12 and t.day != t.month for t in times)
    (mended,) = report.findings.of("mended")
    assert (mended["reason"], mended["rows"]) == ("created_at: day and month exchanged back", swapped)
    assert mended["examples"][0] == "log.csv:2"


def test_swaps_that_a_program_made_are_seen_too(tmp_path):
    """All year first, days 1–12 in months that no later day names: exchanged back; a whole year is left alone."""
    times = pd.date_range("2026-02-01", "2026-02-27", freq="3h")
    wrong = [t.strftime("%Y-%d-%m %H:%M:%S" if t.day <= 12 else "%Y-%m-%d %H:%M:%S") for t in times]
    frame, _ = imported(tmp_path, own(range(len(times)), wrong), zone="UTC")
    assert list(frame["created_at"].dt.tz_localize(None)) == list(times)
    year = pd.date_range("2025-01-01", "2025-12-31", freq="11h")
    frame, report = imported(tmp_path, own(range(len(year)), [str(t) for t in year]), zone="UTC")
    assert list(frame["created_at"].dt.tz_localize(None)) == list(year)
    assert report.findings.of("mended") == []


def test_a_column_that_cannot_decide_follows_its_neighbours(tmp_path):
    """A second column with few dates, all of days 1–12, is swapped as the first is."""
    times = pd.date_range("2026-02-01", "2026-02-27", freq="3h")
    closed = [t + pd.Timedelta(hours=1) if 3 <= t.day <= 5 else None for t in times]
    texts = ["" if c is None else spreadsheet([c])[0] for c in closed]
    frame, _ = imported(tmp_path, own(range(len(times)), spreadsheet(times), resolved_at=texts), zone="UTC")
    lasted = (frame["resolved_at"] - frame["created_at"]).dropna()
    assert len(lasted) == sum(c is not None for c in closed)
    assert lasted.eq(pd.Timedelta(hours=1)).all()


@pytest.mark.parametrize(
    ("form", "order"), [("%d/%m/%Y %H:%M", "dmy"), ("%m/%d/%Y %I:%M %p", "mdy"), ("%d.%m.%y %H:%M", "dmy")]
)
def test_the_order_of_day_and_month_is_found_out(tmp_path, form, order):
    """One date past the twelfth decides it for the file; without one it must be said, except where dots part them."""
    times = pd.date_range("2026-03-01", "2026-03-28", freq="6h")
    frame, _ = imported(tmp_path, own(range(len(times)), times.strftime(form)), zone="UTC")
    assert list(frame["created_at"].dt.tz_localize(None)) == list(times)
    early = times[times.day <= 12]
    content = own(range(len(early)), early.strftime(form))
    if "." not in form:
        with pytest.raises(
            InputError, match=r"log\.csv, column created_at: does not tell days from months.*--dates dmy"
        ):
            imported(tmp_path, content, zone="UTC")
    frame, _ = imported(tmp_path, content, zone="UTC", dates=order)
    assert list(frame["created_at"].dt.tz_localize(None)) == list(early)


@given(day=st.dates(pd.Timestamp("1995-01-01").date(), pd.Timestamp("2026-05-01").date()), second=st.integers(0, 86399))
@settings(max_examples=100, deadline=None)
def test_every_way_of_writing_a_time_is_the_same_instant(day, second):
    """Year, day or month first, half-day clock, Unix seconds and milliseconds, offset or zone: one instant."""
    instant = pd.Timestamp(day, tz="UTC") + pd.Timedelta(seconds=second)
    local = instant.tz_convert("America/Sao_Paulo")
    ways = [
        (instant.strftime("%Y-%m-%dT%H:%M:%SZ"), TimeRule()), (instant.strftime("%Y-%m-%d %H:%M:%S UTC"), TimeRule()),
        (local.isoformat(), TimeRule()), (str(int(instant.timestamp())) if second and day.year > 2001 else "",
        TimeRule()),
        (str(int(instant.timestamp() * 1000)) if day.year > 2001 else "", TimeRule()),
        (instant.strftime("%d/%m/%Y %H:%M:%S") + "Z", TimeRule(order="dmy")),
        (instant.strftime("%m-%d-%Y, %I:%M:%S %p") + "Z", TimeRule(order="mdy")),
        (instant.strftime("%Y/%m/%d %H:%M:%S") + "+00:00", TimeRule()),
        (instant.strftime("%Y-%d-%m %H:%M:%S") + "+0000" if day.day <= 12 else "", TimeRule(swapped=True)),
        (instant.strftime("%b %d %Y %H:%M:%S +0000"), TimeRule(format="%b %d %Y %H:%M:%S %z")),
    ]  # fmt: skip
    for text, rule in ways:
        if text:
            read = read_times(pd.Series([text, None]), rule, None)
            assert read.times.iloc[0] == instant, text
            assert pd.isna(read.times.iloc[1])
            assert not read.naive.any()


def test_two_orders_in_one_column_decide_nothing():
    """A column with a thirteenth month on either side is not guessed."""
    rule = rule_of(Survey.of([("13/02/2026", 5), ("02/13/2026", 5)]))
    assert rule.order == "mixed"
    assert shared_rule(rule, rule, "").order == "mixed"
    with pytest.raises(InputError, match="`dates` must be"):
        shared_rule(rule, rule, "ymd")


def test_the_two_hours_of_summer_time(tmp_path):
    """Spring's missing hour moves to its end; autumn's is the first, but for what would then lie before creation."""
    rows = [
        ("2026-03-29 02:30:00", "2026-03-29 03:30:00"), ("2025-10-26 02:50:00", "2025-10-26 02:10:00"),
        ("2025-10-26 02:10:00", "2025-10-26 02:50:00"),
    ]  # fmt: skip
    frame, report = imported(
        tmp_path, own([1, 2, 3], [a for a, _ in rows], resolved_at=[b for _, b in rows]), zone=ZONE
    )
    assert frame["created_at"].iloc[0] == pd.Timestamp("2026-03-29T03:00:00+02:00")
    lasted = (frame["resolved_at"] - frame["created_at"]).dt.total_seconds() / 60
    assert list(lasted) == [30.0, 20.0, 40.0]
    said = {item["reason"]: item["rows"] for item in report.findings.of("mended")}
    assert said == {
        "created_at: in the hour that spring skips, moved to its end": 1,
        "created_at: in the hour that autumn repeats, taken as the first": 2,
        "resolved_at: in the hour that autumn repeats, taken as the first": 1,
        "resolved_at: in the hour that autumn repeats, taken as the second, as it follows creation": 1,
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
def test_encodings_and_delimiters(tmp_path, encoding, sep):
    """UTF-8 with and without a mark, UTF-16 and Windows-1252, each delimiter: the same tickets."""
    truth = desk(12)
    if encoding == "utf-16-be":
        content = b"\xfe\xff" + zendesk_csv(truth, sep=sep, encoding=encoding)
    else:
        content = zendesk_csv(truth, sep=sep, encoding=encoding)
    frame, _ = imported(tmp_path, content)
    assert list(frame["queue"]) == list(truth["queue"])
    assert list(frame["created_at"]) == list(truth["created_at"])


def test_excels_first_line_mixed_encodings_and_odd_line_ends(tmp_path):
    """`sep=;`, some lines in UTF-8 and some in Windows-1252, empty lines, lone carriage returns: all rows are there."""
    truth = desk(12)
    lines = zendesk_csv(truth, sep=";").decode().splitlines()
    content = b"sep=;\r\n" + b"\r\n".join(
        line.encode("cp1252" if k % 2 else "utf-8") + (b"\r\n" if k == 4 else b"") for k, line in enumerate(lines)
    )
    frame, report = imported(tmp_path, content)
    assert list(frame["queue"]) == list(truth["queue"])
    assert report.rows_in == 12
    frame, _ = imported(tmp_path, "\r".join(lines).encode())
    assert list(frame["queue"]) == list(truth["queue"])


def test_duplicates_keep_what_changed_last(tmp_path):
    """Of a ticket that stands twice the row changed last stays, else the one further down; the others are named."""
    created = ["2026-03-02T08:00:00Z"] * 5
    rows = {
        "ticket_id": ["1", "2", "1", "2", "3"], "created_at": created, "status": ["new", "new", "old", "late", "x"],
        "updated_at": ["2026-03-05T00:00:00Z", "", "2026-03-04T00:00:00Z", "", ""],
    }  # fmt: skip
    frame, report = imported(tmp_path, as_csv(rows))
    assert frame.set_index("ticket_id")["status"].to_dict() == {"1": "new", "2": "late", "3": "x"}
    (dropped,) = report.findings.of("dropped")
    assert (dropped["rows"], dropped["examples"]) == (2, ["log.csv:3", "log.csv:4"])
    assert "updated_at" not in frame


def test_broken_rows_are_named_and_no_other_is_lost(tmp_path):
    """Too many cells, too few, a quote that does not close, an unreadable time, no id: each reported with its row."""
    good = [f"{k},2026-03-02T{k:02d}:00:00Z,q" for k in range(10)]
    lines = ["ticket_id,created_at,queue", *good]
    lines[3] += ",more,cells"
    lines[5] = "5"
    lines[7] = '7,"2026-03-02T07:00:00Z,q'
    lines[8] = "8,soon,q"
    lines[9] = ",2026-03-02T09:00:00Z,q"
    frame, report = imported(tmp_path, "\n".join(lines).encode())
    assert list(frame["ticket_id"]) == ["0", "1", "3", "5", "9"]
    assert {i["reason"]: i["examples"] for i in report.findings.of("dropped")} == {
        "has more cells than the header": ["log.csv:4"], "has fewer cells than the header": ["log.csv:6"],
        "has a quote that does not close": ["log.csv:8"], "created_at cannot be read": ["log.csv:9"],
        "ticket_id is empty": ["log.csv:10"],
    }  # fmt: skip
    assert report.rows_in == 10


def test_a_file_without_a_usable_row_is_refused(tmp_path):
    """Nothing is written, and the error says why each row was left out."""
    with pytest.raises(
        InputError, match=r"no row can be used: 2 × created_at cannot be read \(first: log\.csv:2, log\.csv:3\)"
    ):
        imported(tmp_path, own([1, 2], ["soon", "later"]))
    assert not (tmp_path / "out.parquet").exists()


@given(
    rows=st.lists(st.lists(st.text(alphabet='a";,\nü 1', max_size=6), min_size=3, max_size=3), min_size=1, max_size=8)
)
@settings(max_examples=200, deadline=None)
def test_careful_reading_is_reading_where_the_file_is_sound(rows):
    """What the csv module writes is read back cell by cell, if no cell looks like a row."""
    rows = [[r[0] or "x", *r[1:]] for r in rows]

    def told_apart(row):
        """No line behind a record's first has as many commas as a row: it may be taken for one."""
        written = as_csv({k: [cell] for k, cell in enumerate(row)}, header=False).decode()
        return all(line.count(",") < 2 for line in written.splitlines()[1:])

    rows = [row for row in rows if told_apart(row)]
    text = as_csv({k: [r[k] for r in rows] for k in range(3)}).decode()
    lines = text.split("\n")[:-1]
    layout = layout_of(iter(lines), file="f")
    records = list(records_of(iter(lines), layout))
    assert [r.cells for r in records if not r.why] == rows
    assert [r.row for r in records] == list(range(2, len(rows) + 2))


def test_texts_with_line_breaks_are_one_row(tmp_path):
    """A description over several lines is one cell; the rows' numbers are those of a spreadsheet."""
    truth = desk(6).assign(text='Dear team,\n\n"please" answer; 1,2\nThanks')
    frame, report = imported(tmp_path, freshdesk_csv(truth), zone="UTC")
    assert len(frame) == report.rows_in == 6


def test_oddities_are_flagged_and_kept(tmp_path):
    """Responses and ends before creation, ends years later, negative durations stay, and are counted."""
    truth = desk(40)
    truth.loc[3, "resolved_at"] = truth.loc[3, "created_at"] - pd.Timedelta(days=1)
    truth.loc[4, "first_response_at"] = truth.loc[4, "created_at"] - pd.Timedelta(hours=1)
    truth.loc[5, "created_at"] = pd.Timestamp("2020-01-01T00:00:00Z")
    frame, report = imported(tmp_path, hubspot_csv(truth))
    assert len(frame) == 40
    said = {item["reason"]: item["examples"] for item in report.findings.of("suspicious")}
    assert said == {
        "resolved_at before created_at": ["log.csv:5"], "first_response_at before created_at": ["log.csv:6"],
        "resolved more than two years after creation": ["log.csv:7"], "stated_frt_s is negative": ["log.csv:6"],
        "stated_resolution_s is negative": ["log.csv:5"],
    }  # fmt: skip


def test_a_ticket_that_is_open_again_is_not_closed(tmp_path):
    """Intercom and Zendesk keep the last closing of a conversation that was reopened: taken as open, and counted."""
    truth = desk(6)
    lines = zendesk_csv(truth).decode().splitlines()
    lines[2] = lines[2].replace(",solved,", ",Open,")
    frame, report = imported(tmp_path, "\n".join(lines).encode())
    assert list(frame["resolved_at"].isna()) == [False, True, False, False, True, True]
    (mended,) = report.findings.of("mended")
    assert (mended["reason"], mended["examples"]) == ("closed once and open again: not closed", ["log.csv:3"])


def test_values_out_of_range_become_unknown(tmp_path):
    """A rating of 0 or 11, a negative handle time, a time in the future: the ticket stays, the value goes."""
    created = ["2026-03-02T08:00:00Z"] * 4
    frame, report = imported(tmp_path, own([1, 2, 3, 4], created, csat=["0", "5", "11", "x"], handle_s=["-5", "4,5",
        "00:01:00", "7"],
                                           resolved_at=["2199-01-01T00:00:00Z", "-", "N/A", ""]))  # fmt: skip
    assert frame["csat"].tolist()[1] == 5
    assert frame["csat"].notna().sum() == 1
    assert frame["handle_s"].tolist()[1:] == [4.5, 60, 7]
    assert frame["resolved_at"].isna().all()
    assert sum(i["rows"] for i in report.findings.of("mended")) == 5


def test_outages_are_seen(tmp_path):
    """Two days without a ticket on a busy desk are named with their hours; quiet nights and weekends are not."""
    hours = pd.date_range("2026-03-02T00:00:00Z", "2026-04-26T23:00:00Z", freq="h")
    busy = hours[(hours.hour >= 8) & (hours.hour < 18) & (hours.day_of_week < 5)]
    busy = busy[(busy < "2026-03-18T10:00Z") | (busy >= "2026-03-20T09:00Z")].repeat(4)
    _, report = imported(tmp_path, own(range(len(busy)), stamp(pd.Series(busy))))
    seen = [note for note in report.notes if "outage" in note]
    assert len(seen) == 1
    assert "from 2026-03-18 10:00 to 2026-03-20 09:00, where about 76 would be usual" in seen[0]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "the file is empty"), ("a.csv", b"\n\n", "the file is empty"), ("a.csv", b"ticket_id\n1\n",
        "one column only"),
        ("a.csv", b"ticket_id,created_at\n1,\0\n", r"row 2: is not text: it has a NUL byte"),
        ("a.csv.gz", b"\x1f\x8b\x08\0broken", "cannot be read"), ("a.parquet", b"PAR1", "cannot be read as Parquet"),
        ("a.json", b'{"tickets": [{"id": 1}', "ends inside a list"), ("a.json", b'[{"id": 1},\n{"id": }]',
        "row 2: is not JSON"),
        ("a.json", b"[]", "has no records"), ("a.csv", b'"ticket_id,created_at\n', "quote that does not close"),
    ],
)  # fmt: skip
def test_files_that_are_no_tables(tmp_path, name, content, said):
    """Each is refused by name, with the row where there is one."""
    with pytest.raises(InputError, match=said) as error:
        imported(tmp_path, content, name)
    assert name in str(error.value)


def test_missing_files(tmp_path):
    """No such file, a folder, a pattern without a match."""
    for files, said in (
        ([tmp_path / "no.csv"], "there is no such file"), ([tmp_path], "is a directory"), ([str(tmp_path / "*.csv")],
        "no such"),
        ([], "one file or more"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            import_log(files, tmp_path / "o.parquet", key=KEY)
