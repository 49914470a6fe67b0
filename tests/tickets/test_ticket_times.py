import pandas as pd
import pytest

from staffcast.contracts import InputError
from staffcast.tickets import parse_times

NOW = pd.Timestamp("2026-06-01T12:00Z")


def parse(*values, zone=None, **more):
    return parse_times(pd.Series(list(values)), zone=zone, column="created_at", file="log.csv", now=NOW, **more)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T09:30:00+01:00", "2026-03-02 09:30:00+01:00", "2026-03-02T09:30+0100", "2026-03-02 09:30:00+01",
        "2026-03-02T08:30Z", "2026-03-02T08:30:00.000Z", "20260302T083000Z", "2026-03-02T09:30:00 +01:00",
        "2026-03-02T03:30:00-05:00", "2026-03-02 03:30:00-05", "2026-03-02T14:00:00+05:30", " 2026-03-02T08:30Z ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Sao_Paulo"])
def test_an_offset_is_kept_however_it_is_written(text, zone):
    """A time with an offset is the same instant in every spelling, and is shown in the zone asked for."""
    made = parse(text, zone=zone)
    assert made.times[0] == pd.Timestamp("2026-03-02T08:30Z")
    assert str(made.times.dt.tz) == made.zone == zone
    assert made.notes == ()


@pytest.mark.parametrize(
    "text", ["2026-03-02 09:30", "2026-03-02T09:30:00", "2026-03-02 09:30:00.000", "20260302T0930"]
)
def test_wall_clock_is_taken_in_the_zone(text):
    """A time without offset is the zone's wall clock."""
    assert parse(text, zone="Europe/Berlin").times[0] == pd.Timestamp("2026-03-02T08:30Z")


def test_a_date_alone_is_midnight_in_the_zone():
    """The day of a date is no offset."""
    assert parse("2026-03-02", zone="Europe/Berlin").times[0] == pd.Timestamp("2026-03-01T23:00Z")


@pytest.mark.parametrize(
    ("texts", "zone"),
    [
        (["2026-03-02T09:30+02:00", "2026-03-03T09:30+0200"], "UTC+02:00"),
        (["2026-03-02T09:30-03", "2026-03-03T09:30-03:00"], "UTC-03:00"),
        (["2026-03-02T09:30Z", "2026-03-02T09:30+00:00", "2026-03-02T09:30-00:00"], "UTC"),
    ],
)
def test_one_offset_throughout_is_the_zone(texts, zone):
    """Without a zone, the single offset of the file is taken, in whichever spellings it comes."""
    made = parse(*texts)
    assert made.zone == zone
    assert [t.hour for t in made.times] == [9] * len(texts)


def test_two_offsets_need_a_zone():
    """A file over a DST change carries two offsets; its days need a named zone, and then run in it."""
    texts = ["2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"]
    with pytest.raises(InputError, match=r"log\.csv, column created_at: .*\+0100, \+0200.*--zone Europe/Berlin"):
        parse(*texts)
    made = parse(*texts, zone="Europe/Berlin")
    assert (made.times[1] - made.times[0]).total_seconds() == 3600


def test_with_and_without_offset():
    """A column that mixes both kinds is refused with the rows that lack the offset."""
    with pytest.raises(InputError, match=r"some have none: row 3: '2026-03-02 10:00'; write all alike"):
        parse("2026-03-02T09:30+01:00", "2026-03-02 10:00", zone="Europe/Berlin")


@pytest.mark.parametrize(
    "naive", [["2026-03-02 10:00"], [None, "2026-03-02 10:00"], [pd.Timestamp("2026-03-02 10:00")]]
)
def test_wall_clock_without_a_zone(naive):
    """Wall clock without a zone is refused, with the first such row and how to name the zone."""
    with pytest.raises(InputError, match=rf"wall clock.*row {len(naive) + 1}: 2026-03-02 10:00.*--zone Europe/Berlin"):
        parse(*naive)


def test_the_repeated_hour_is_the_first_of_the_two():
    """02:30 on the autumn night is summer time, and is counted in a note."""
    made = parse("2025-10-26 01:30", "2025-10-26 02:30", "2025-10-26 03:30", None, zone="Europe/Berlin")
    assert made.times[1] == pd.Timestamp("2025-10-26T00:30Z")
    assert made.times[2] == pd.Timestamp("2025-10-26T02:30Z")
    assert pd.isna(made.times[3])
    assert len(made.notes) == 1
    assert "created_at: 1 times fall into the hour that autumn repeats" in made.notes[0]


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29T01:00Z"),
        ("2018-11-04 00:30", "America/Sao_Paulo", "2018-11-04T03:00Z"),
        ("2026-03-08 02:59", "America/New_York", "2026-03-08T07:00Z"),
    ],
)
def test_the_skipped_hour_moves_to_its_end(text, zone, instant):
    """A time that the clock never showed becomes the next that it did, and is counted in a note."""
    made = parse(text, zone=zone)
    assert made.times[0] == pd.Timestamp(instant)
    assert "1 times fall into the hour that spring skips" in made.notes[0]


def test_unreadable_times_show_the_first_five():
    """Of seven unreadable times the first five rows are shown, with how many more there are."""
    bad = [f"2026-02-3{i}" for i in range(7)]
    with pytest.raises(InputError) as caught:
        parse("2026-03-02T09:30Z", *bad[:3], "2026-03-02T09:31Z", *bad[3:])
    message = str(caught.value)
    assert message.startswith("log.csv, column created_at: cannot read ")
    rows = {3: 0, 4: 1, 5: 2, 7: 3, 8: 4}
    assert all(f"row {row}: '2026-02-3{i}'" in message for row, i in rows.items())
    assert "2026-02-35" not in message
    assert "and 2 more" in message
    assert "2026-03-01T09:30:00+01:00" in message


@pytest.mark.parametrize(
    "text", ["Ada Lovelace", "call me: +49 170 1234567", "0170-123-4567 please", "ada@example.org"]
)
def test_an_error_never_repeats_what_somebody_wrote(text):
    """Where a column slipped and a customer's words stand among the times, the error shows their shape alone."""
    with pytest.raises(InputError) as caught:
        parse("2026-03-02T09:30Z", text)
    assert "row 3: " in str(caught.value)
    assert not any(word in str(caught.value) for word in ("Ada", "ada", "170", "4567", "please"))


@pytest.mark.parametrize(
    "text",
    ["31.02.2026 09:30", "03/02/2026 09:30", "03/02/2026", "1772440200", "2026-13-01", "2026-02-30 10:00", "now?"],
)
def test_not_iso(text):
    """A time in another order, a number of seconds and a day that is not are refused."""
    with pytest.raises(InputError, match="cannot read row 2"):
        parse(text, zone="UTC")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1970-01-01T00:00Z", "before 1990"), ("1989-12-31T23:59Z", "before 1990"), ("0202-03-02T09:30Z", "1990|read"),
        ("2026-06-02T12:01Z", "in the future"), ("2062-03-02T09:30Z", "in the future"),
    ],
)  # fmt: skip
def test_years_that_cannot_be(text, says):
    """A time before 1990 or more than a day ahead of the clock is refused with its row."""
    with pytest.raises(InputError, match=says) as caught:
        parse("2026-03-02T09:30Z", text)
    assert "row 3" in str(caught.value)


def test_years_that_can_be():
    """The first instant of 1990 and one a day ahead of the clock pass."""
    assert len(parse("1990-01-01T00:00Z", "2026-06-02T12:00Z").times) == 2


def test_the_clock_is_the_default_for_the_future():
    """Without a given present, a time of the year after next is refused."""
    late = (pd.Timestamp.now(tz="UTC") + pd.Timedelta(days=700)).isoformat()
    with pytest.raises(InputError, match="in the future"):
        parse_times(pd.Series([late]), zone=None, column="c")


def test_datetimes_pass_as_they_are():
    """Datetimes with a zone keep their instants, those without are wall clock, and empty stays empty."""
    aware = pd.Series(pd.to_datetime(["2026-03-02T08:30Z", None]))
    made = parse_times(aware, zone="Europe/Berlin", column="c", now=NOW)
    assert str(made.times[0]) == "2026-03-02 09:30:00+01:00"
    assert pd.isna(made.times[1])
    naive = pd.Series(pd.to_datetime(["2026-03-02T09:30", None]))
    again = parse_times(naive, zone="Europe/Berlin", column="c", now=NOW)
    assert again.times[0] == made.times[0]
    assert parse_times(aware, zone=None, column="c", now=NOW).zone == "UTC"


def test_dates_with_dots_are_day_first():
    """A spreadsheet's 03.04.2025 is the third of April, with or without seconds."""
    times = parse("03.04.2025 09:30", "13.04.2025 9:05:07", zone="Europe/Berlin").times
    assert [t.isoformat() for t in times] == ["2025-04-03T09:30:00+02:00", "2025-04-13T09:05:07+02:00"]
