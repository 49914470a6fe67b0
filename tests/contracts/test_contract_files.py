import bz2
import gzip
import hashlib
import io
import lzma
import random
import stat
import zipfile

import numpy as np
import pandas as pd
import pytest

from staffcast.contracts import DEMAND, InputError, OutputError
from staffcast.contracts.files import atomic_folder, atomic_path, read_frame, read_table, write_table

ROWS = [["id", "queue", "note"], ["1", "Zürich", "a"], ["2", "São Paulo", ""], ["3", "Ägypten", "x y"]]


def cells(frame):
    return [list(map(str, frame.columns))] + [["" if pd.isna(v) else str(v) for v in row] for row in frame.to_numpy()]


def text(delimiter=",", newline="\n"):
    return newline.join(delimiter.join(row) for row in ROWS) + newline


@pytest.fixture
def put(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_delimiter_and_encoding_are_found_out(put, delimiter, encoding, newline):
    """The same table is read from each delimiter, encoding and line ending."""
    path = put("log.csv", text(delimiter, newline).encode(encoding))
    assert cells(read_frame(path)) == ROWS


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_packed_files(put, ending, pack):
    """A packed file is read like the plain one."""
    assert cells(read_frame(put("log.csv" + ending, pack(text().encode())))) == ROWS


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_the_first_umlaut_comes_late(put, encoding):
    """A letter beyond the first 64 kB is read right, be it Windows-1252 or UTF-8."""
    body = "a,b\n" + "1,2\n" * 40_000 + "Müller €,3\n"
    frame = read_frame(put("log.csv", body.encode(encoding)))
    assert len(frame) == 40_001
    assert frame.iloc[-1].tolist() == ["Müller €", "3"]


def test_a_letter_across_the_first_64_kb(put):
    """A UTF-8 letter that the 64 kB mark cuts in two does not make the file Windows-1252."""
    for shift in range(3):
        body = "a,b\n" + "x" * ((1 << 16) - 5 - shift) + "€,3\n"
        assert read_frame(put("log.csv", body))["a"][0].endswith("x€")


def test_cells_stay_text(put):
    """Leading zeros, NA and long numbers are kept as written; only an empty cell is missing."""
    frame = read_frame(put("log.csv", "id,name,x\n007,NA,12345678901234567890\n008,,1e5\n"))
    assert cells(frame) == [["id", "name", "x"], ["007", "NA", "12345678901234567890"], ["008", "", "1e5"]]


def test_quoted_cells(put):
    """A delimiter, a line break and a doubled quote inside quotes belong to the cell."""
    frame = read_frame(put("log.csv", 'id;note\n1;"a;b\nc ""d"""\n'))
    assert cells(frame) == [["id", "note"], ["1", 'a;b\nc "d"']]


def test_a_delimiter_at_every_line_end(put):
    """Exports that end each row in a delimiter are read without an extra column shifting the rest."""
    assert cells(read_frame(put("log.csv", "a,b\n1,2,\n3,4,\n"))) == [["a", "b"], ["1", "2"], ["3", "4"]]


@pytest.mark.parametrize(
    ("body", "line"), [("a,b\n1,2\n3,4,5\n", 3), ("a,b\n1,2,3\n4,5\n", 2), ("a,b\n1,2,3\n4,5,6\n", 2)]
)
def test_a_row_with_too_many_cells(put, body, line):
    """A row longer than the header is refused with its line, wherever it stands; nothing is cut off silently."""
    path = put("log.csv", body)
    with pytest.raises(InputError, match=rf"log\.csv.*(line|row) {line}\b.*check quotes and delimiters"):
        read_frame(path)


BAD = {
    "empty.csv": (b"", "the file is empty"),
    "lines.csv": (b"\n\n \n", "the file is empty"),
    "mark.csv": (b"\xef\xbb\xbf", "the file is empty"),
    "empty.csv.gz": (gzip.compress(b""), "the file is empty"),
    "open.csv": (b'a,b\n"1,2\n3,4\n', "not a table"),
    "short.csv.gz": (gzip.compress(text().encode() * 500)[:-30], "cannot be read"),
    "short.csv.bz2": (bz2.compress(text().encode() * 500)[:-30], "cannot be read"),
    "short.csv.xz": (lzma.compress(text().encode() * 500)[:-30], "cannot be read"),
    "plain.csv.gz": (text().encode(), "cannot be read"),
    "nomark.csv": (text().encode("utf-16-le"), "not a text table"),
    "random.csv": (random.Random(1).randbytes(5000), "not text"),
    "png.csv": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 20, "not text"),
    "junk.parquet": (b"PAR1 junk", "cannot be read as Parquet"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_no_table(put, name):
    """An empty, cut or binary file is refused by name, with what is wrong with it."""
    content, says = BAD[name]
    path = put(name, content)
    with pytest.raises(InputError) as caught:
        read_frame(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


def test_a_spreadsheet_called_csv(put):
    """A workbook with the ending .csv is refused."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", random.Random(2).randbytes(3000))
    with pytest.raises(InputError, match=r"log\.csv"):
        read_frame(put("log.csv", packed.getvalue()))


@pytest.mark.parametrize("at", [20, 200, 1000])
def test_a_damaged_gz(put, at):
    """A .gz with bytes overwritten inside is refused by name, not with the unpacker's own error."""
    rng = random.Random(3)
    body = "a,b\n" + "".join(f"{rng.random()},{i}\n" for i in range(3000))
    packed = bytearray(gzip.compress(body.encode(), mtime=0))
    packed[at : at + 40] = rng.randbytes(40)
    with pytest.raises(InputError, match=r"log\.csv\.gz: cannot be read"):
        read_frame(put("log.csv.gz", bytes(packed)))


def test_a_directory_and_a_missing_file(tmp_path):
    """A directory and a path where nothing is are refused by name."""
    with pytest.raises(InputError, match="is a directory; name one file in it"):
        read_frame(tmp_path)
    with pytest.raises(InputError, match=r"nowhere\.csv: there is no such file"):
        read_frame(tmp_path / "nowhere.csv")


def table():
    ds = pd.date_range("2025-10-26", periods=25, freq="h", tz="Europe/Berlin")
    ds = ds.append(pd.date_range("2026-03-29", periods=23, freq="h", tz="Europe/Berlin"))
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "unique_id": "Zürich; \"nord\", süd", "ds": ds, "mean": rng.random(48) * 10.0 ** rng.integers(-8, 8, 48),
            "carried": 0.0, "aht_s": np.where(np.arange(48) % 7 == 0, np.nan, 360.0), "open": np.arange(48) % 2 == 0,
            "extra": np.arange(48),
        }
    )  # fmt: skip


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_what_is_written_reads_back(tmp_path, name):
    """Instants over both DST changes, numbers to ten digits, gaps and flags come back from each format."""
    written = table()
    path = write_table(written, tmp_path / name)
    again = read_table(path, DEMAND, zone="Europe/Berlin")
    assert again["ds"].tolist() == written["ds"].tolist()
    assert str(again["ds"].dt.tz) == "Europe/Berlin"
    assert again["unique_id"].tolist() == written["unique_id"].tolist()
    np.testing.assert_allclose(again["mean"], written["mean"], rtol=1e-9)
    assert again["aht_s"].isna().tolist() == written["aht_s"].isna().tolist()
    assert again["open"].tolist() == written["open"].tolist()
    assert again["extra"].tolist() == list(range(48))


def test_instants_are_written_with_their_offset(tmp_path):
    """The two 02:00 of an autumn night differ in the file."""
    path = write_table(table(), tmp_path / "t.csv")
    body = path.read_text(encoding="utf-8")
    assert "2025-10-26T02:00:00+02:00" in body
    assert "2025-10-26T02:00:00+01:00" in body


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_the_same_table_is_the_same_bytes(tmp_path, name, monkeypatch):
    """A file written a year later under another folder is the same to the byte."""
    sums = []
    for folder, now in (("a", 1.7e9), ("b", 1.7e9 + 3e7)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        path = write_table(table(), tmp_path / folder / name)
        sums.append(hashlib.sha256(path.read_bytes()).hexdigest())
    assert sums[0] == sums[1]


def test_an_unknown_ending(tmp_path):
    """A format that cannot be told is refused, and nothing is written."""
    with pytest.raises(InputError, match=r"end it in \.csv, \.csv\.gz or \.parquet"):
        write_table(table(), tmp_path / "t.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_bad_table_is_named_when_read(put):
    """A value that a planner broke in a file is named with file, row and column."""
    path = put("demand.csv", "unique_id,ds,mean\na,2026-03-02T08:00:00+01:00,3\na,2026-03-02T09:00:00+01:00,-3\n")
    with pytest.raises(InputError, match=r"demand\.csv, row 3, column mean: is -3"):
        read_table(path, DEMAND)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, InputError])
@pytest.mark.parametrize("old", [None, "old"])
def test_a_block_that_fails_leaves_no_file(tmp_path, error, old):
    """After an error or Ctrl-C in the middle, the folder is as it was: no half file, the old one kept."""
    path = tmp_path / "t.csv"
    if old:
        path.write_text(old)

    def half():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            assert list(tmp_path.glob(".writing*")) == [temporary]
            raise error("stop")

    with pytest.raises(error):
        half()
    assert [p.name for p in tmp_path.iterdir()] == (["t.csv"] if old else [])
    assert not old or path.read_text() == old


def test_a_block_that_ends_well_replaces_the_file(tmp_path):
    """The new text stands under the name, readable by others as any new file is, and nothing else is left."""
    path, other = tmp_path / "new" / "t.csv", tmp_path / "other"
    other.touch()
    for content in ("one", "two"):
        with atomic_path(path) as temporary:
            assert temporary.suffix == ".csv"
            temporary.write_text(content)
            assert not path.exists() or path.read_text() == "one"
        assert path.read_text() == content
    assert [p.name for p in path.parent.iterdir()] == ["t.csv"]
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_folder_that_fails_stays_as_it_was(tmp_path, error):
    """After an error or Ctrl-C, the files of the last run are there and none of this one."""
    plan = tmp_path / "plan"
    with atomic_folder(plan) as temporary:
        (temporary / "a.csv").write_text("old")

    def half():
        with atomic_folder(plan) as temporary:
            (temporary / "a.csv").write_text("new")
            (temporary / "b.csv").write_text("new")
            raise error("stop")

    with pytest.raises(error):
        half()
    assert [p.name for p in tmp_path.iterdir()] == ["plan"]
    assert [p.name for p in plan.iterdir()] == ["a.csv"]
    assert (plan / "a.csv").read_text() == "old"


def test_a_folder_is_filled_and_filled_again(tmp_path):
    """A second run replaces its files, also in folders within, and leaves other files alone."""
    plan = tmp_path / "plan"
    for content in ("one", "two"):
        with atomic_folder(plan) as temporary:
            (temporary / "tables").mkdir()
            (temporary / "tables" / "a.csv").write_text(content)
            (temporary / "report.html").write_text(content)
        (plan / "mine.txt").write_text("kept")
        made = {p.relative_to(plan).as_posix(): p.read_text() for p in plan.rglob("*") if p.is_file()}
        assert made == {"tables/a.csv": content, "report.html": content, "mine.txt": "kept"}
    assert [p.name for p in tmp_path.iterdir()] == ["plan"]


def test_places_that_cannot_be_written(tmp_path):
    """Below a file, over a folder or over a file where a folder is to be: an OutputError that names the place."""
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file" / "t.csv", tmp_path / "file" / "deep" / "t.parquet"):
        with pytest.raises(OutputError, match=r"t\.(csv|parquet): cannot be written \("):
            write_table(table(), path)
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(OutputError, match=r"t\.csv: is a directory; name a file"):
        write_table(table(), tmp_path / "t.csv")
    with pytest.raises(OutputError, match="file: is a file; name a folder"), atomic_folder(tmp_path / "file"):
        pass
    with pytest.raises(OutputError, match="plan: cannot be written"), atomic_folder(tmp_path / "file" / "plan"):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "t.csv"]
    assert (tmp_path / "file").read_text() == "kept"


def test_a_full_disk_is_an_output_error(tmp_path):
    """An error of the system while writing names the place and leaves nothing."""

    def full():
        with atomic_path(tmp_path / "t.csv") as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"t\.csv: cannot be written \(No space left on device\)"):
        full()
    assert list(tmp_path.iterdir()) == []
