"""Tables on disk: any delimiter and common encodings in, CSV or Parquet out, never half a file."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import csv
import gzip
import io
import lzma
import os
import shutil
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pandas as pd

from staffcast.contracts.calendar import check_zone
from staffcast.contracts.errors import InputError, OutputError
from staffcast.contracts.tables import Table

__all__ = [
    "atomic_folder",
    "atomic_path",
    "chunks_of_csv",
    "csv_text",
    "read_frame",
    "read_table",
    "stated_zone",
    "write_table",
]

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_SNIFF_BYTES = 1 << 16


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a CSV (plain, .gz, .bz2, .xz) or Parquet file as it stands.

    Parameters
    ----------
    path : path
        The file. Delimiter (comma, semicolon, tab, bar) and encoding (UTF-8, UTF-16, Windows-1252) are found out.

    Returns
    -------
    DataFrame
        From CSV every value is text and empty cells are missing; from Parquet the stored kinds.

    Raises
    ------
    InputError
        No such file, a directory, an empty file, one that is not a table, a row with too many cells.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError("is a directory; name one file in it", file=path)
        if path.stat().st_size == 0:
            raise InputError("the file is empty; export it again", file=path)
    except FileNotFoundError:
        raise InputError("there is no such file", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", file=path) from error
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be read as Parquet ({_first_line(error)})", file=path) from error
    return _read_csv(path)


def _read_csv(path: Path) -> pd.DataFrame:
    opener = _OPENERS.get(path.suffix.lower(), open)
    try:
        with opener(path, "rb") as stream:
            head = stream.read(_SNIFF_BYTES)
            if not head.strip():
                raise InputError("the file is empty; export it again", file=path)
            encoding = _encoding(head)
            if b"\0" in head and encoding != "utf-16":
                raise InputError("is not a text table (not text: it has NUL bytes); export CSV or Parquet", file=path)
            try:
                return _parse(io.BytesIO(head + stream.read()), encoding, path)
            except UnicodeDecodeError:
                # Pure ASCII as far as we looked, then a letter that is not UTF-8: an older Windows export.
                stream.seek(0)
                return _parse(io.BytesIO(stream.read()), "cp1252", path)
    except UnicodeDecodeError as error:
        raise InputError("is not text in UTF-8, UTF-16 or Windows-1252; save it as CSV UTF-8", file=path) from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise InputError(f"cannot be read ({_first_line(error)})", file=path) from error


def _parse(stream: IO[bytes], encoding: str, path: Path) -> pd.DataFrame:
    try:
        head = stream.read(_SNIFF_BYTES)
        stream.seek(0)
        delimiter = _delimiter(head.decode(encoding, errors="ignore"))
        with warnings.catch_warnings():
            # pandas refuses a row longer than those before it, but only warns of the first, and cuts it.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                stream, sep=delimiter, encoding=encoding, dtype=str, keep_default_na=False, na_values=[""],
                index_col=False,
            )  # fmt: skip
    except pd.errors.ParserWarning as error:
        raise InputError("has more cells than the header; check quotes and delimiters", file=path, row=2) from error
    except pd.errors.EmptyDataError as error:
        raise InputError("the file is empty; export it again", file=path) from error
    except (pd.errors.ParserError, csv.Error) as error:
        raise InputError(f"is not a table: {_first_line(error)}; check quotes and delimiters", file=path) from error
    return frame.rename(columns=lambda name: str(name).strip())


def chunks_of_csv(path: str | Path, rows: int) -> Iterator[pd.DataFrame]:
    """Read a CSV as :func:`read_frame` does, so many rows at a time.

    Raises
    ------
    InputError
        As ``read_frame``.
    """
    path = Path(path)
    try:
        with _OPENERS.get(path.suffix.lower(), open)(path, "rb") as stream:
            head = stream.read(_SNIFF_BYTES)
            encoding = _encoding(head)
            delimiter = _delimiter(head.decode(encoding, errors="ignore"))
            stream.seek(0)
            with pd.read_csv(
                stream, sep=delimiter, encoding=encoding, dtype=str, keep_default_na=False, na_values=[""],
                index_col=False, chunksize=rows,
            ) as chunks:  # fmt: skip
                for chunk in chunks:
                    yield chunk.rename(columns=lambda name: str(name).strip())
    except UnicodeDecodeError as error:
        raise InputError("is not text in UTF-8, UTF-16 or Windows-1252; save it as CSV UTF-8", file=path) from error
    except pd.errors.EmptyDataError as error:
        raise InputError("the file is empty; export it again", file=path) from error
    except (pd.errors.ParserError, csv.Error) as error:
        raise InputError(f"is not a table: {_first_line(error)}; check quotes and delimiters", file=path) from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise InputError(f"cannot be read ({_first_line(error)})", file=path) from error


def _encoding(head: bytes) -> str:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _delimiter(text: str) -> str:
    header = text.splitlines()[0] if text else ""
    counts = {mark: header.count(mark) for mark in ",;\t|"}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else ","


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def read_table(path: str | Path, table: Table, *, zone: str | None = None) -> pd.DataFrame:
    """Read a table that another step wrote (or a planner edited) and check it.

    Parameters
    ----------
    path : path
        CSV or Parquet.
    table : Table
        The contract it must keep.
    zone : str, optional
        Zone for its instants; without one that of the file's column ``zone``, as :func:`write_table` makes it; without
        that too they stay in UTC.

    Raises
    ------
    InputError
        As :func:`read_frame` and :meth:`Table.check`.
    """
    frame = read_frame(path)
    zone = zone or stated_zone(frame, file=path)
    frame = table.check(frame.drop(columns="zone", errors="ignore"), file=path)
    for name in frame.columns[frame.columns.isin(list(table.columns))]:
        if table.columns[name].kind == "time" and zone is not None:
            frame[name] = frame[name].dt.tz_convert(zone)
    for name in frame.columns.difference(list(table.columns)):
        with contextlib.suppress(ValueError, TypeError):  # further columns: numbers where they read as such, else text
            frame[name] = pd.to_numeric(frame[name])
    return frame


def stated_zone(frame: pd.DataFrame, *, file: str | Path | None = None) -> str | None:
    """Zone that a table's column ``zone`` states; None without the column.

    Raises
    ------
    InputError
        Several zones, or an unknown one.
    """
    if "zone" not in frame:
        return None
    zones = frame["zone"].dropna().unique()
    if len(zones) > 1:
        raise InputError(f"has several zones: {', '.join(map(str, zones))}; a table has one", file=file, column="zone")
    return check_zone(zones[0]) if len(zones) else None


def write_table(frame: pd.DataFrame, path: str | Path) -> Path:
    """Write a frame as CSV (``.csv``, ``.csv.gz``) or Parquet (``.parquet``), whole or not at all.

    Instants are written as ISO 8601 with offset, numbers with ten significant digits.

    Raises
    ------
    OutputError
        The place cannot be written.
    InputError
        Unknown ending.
    """
    path = Path(path)
    name = path.name.lower()
    if not name.endswith((".csv", ".csv.gz", ".parquet", ".pq")):
        raise InputError(f"cannot tell the format of {path.name!r}; end it in .csv, .csv.gz or .parquet", file=path)
    with atomic_path(path) as temporary:
        if name.endswith((".parquet", ".pq")):
            frame.to_parquet(temporary, index=False)
            return path
        data = csv_text(frame).encode()
        if name.endswith(".gz"):
            data = gzip.compress(data, mtime=0)
        temporary.write_bytes(data)
    return path


def csv_text(frame: pd.DataFrame) -> str:
    """Frame as CSV: instants as ISO 8601 with offset, numbers with ten significant digits.

    An offset does not tell the zone, and days need it: it goes into a last column, ``zone``.
    """
    text = frame.copy()
    for column in frame.columns:
        if isinstance(frame[column].dtype, pd.DatetimeTZDtype):
            text[column] = _iso(frame[column])
            if "zone" not in text and column == "ds":
                text["zone"] = getattr(frame[column].dt.tz, "key", None) or str(frame[column].dt.tz)
    return str(text.to_csv(index=False, float_format="%.10g", lineterminator="\n"))


def _iso(times: pd.Series) -> pd.Series:
    # A grid repeats each instant once per queue: format the distinct ones.
    codes, unique = pd.factorize(times)
    text = pd.array([t.isoformat() for t in unique], dtype=object)
    out = pd.Series(pd.NA, index=times.index, dtype=object)
    out[codes >= 0] = text[codes[codes >= 0]]
    return out


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` that becomes ``path`` when the block ends well, and vanishes otherwise."""
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path}: is a directory; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The ending stays last: writers choose their format by it.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=f"-{path.name}")
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(folder: str | Path) -> Iterator[Path]:
    """Give a temporary folder whose files move into ``folder`` together when the block ends well."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder for the plan")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".writing-{folder.name}-"))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        yield temporary
        folder.mkdir(exist_ok=True)
        for made in sorted(p for p in temporary.rglob("*") if p.is_file()):
            target = folder / made.relative_to(temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            made.replace(target)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
