"""Which logs are large, and how DuckDB reads their files: Parquet as it stands, CSV by way of typed Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from staffcast.contracts import TICKETS, InputError, check_zone
from staffcast.contracts.files import chunks_of_csv
from staffcast.tickets.exports.cells import layout_of
from staffcast.tickets.exports.stage import Source, csv_sql, expand, is_straight, quoted, text_sql
from staffcast.tickets.exports.text import TextFacts, lines_of, scan
from staffcast.tickets.read import ticket_columns
from staffcast.tickets.times import parse_times

if TYPE_CHECKING:
    import duckdb

__all__ = ["LARGE_ROWS", "TableFile", "find_large", "quoted", "text_sql", "typed_file"]

LARGE_ROWS = 1_000_000
# A row of a log is longer than this; what is smaller need not be looked at to know that it is not large.
_SHORTEST_ROW = 20
_SQUEEZED = 20
_USED = ("ticket_id", "created_at", "offered_at", "first_response_at", "resolved_at", "queue", "handle_s", "wait_s",
         "reopens", "csat", "outcome", "agent", "team", "priority", "channel", "topic", "bot_option", "reopened_at",
         )  # fmt: skip
# A date, then a clock, then an offset: the cast, which is lenient otherwise, then reads what ISO 8601 means.
_ISO = (
    "(substring({0}, 5, 1) = '-' AND substring({0}, 11, 1) IN ('T', ' ') AND "
    "(right({0}, 1) = 'Z' OR substring({0}, -6, 1) IN ('+', '-')))"
)
_CHUNK = 250_000
_AWARE = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
_NUMBERS = (
    "DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
)  # fmt: skip

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """Files that together are one large ticket log.

    Attributes
    ----------
    paths : tuple of Path
    columns : tuple of str
        Of the first.
    shown : str
        The name that was given, for errors.
    facts : mapping of path to TextFacts
        What is known already of their bytes.
    """

    paths: tuple[Path, ...]
    columns: tuple[str, ...]
    shown: str
    facts: Mapping[Path, TextFacts] = field(default_factory=dict)

    @property
    def parquet(self) -> bool:
        """Whether they are Parquet files."""
        return _is_parquet(self.paths[0])


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def find_large(source: object, columns: Mapping[str, str] | None = None, *, rows: int = LARGE_ROWS) -> TableFile | None:
    """The files of a ticket log that is too large to be read into memory; None for all others.

    Parameters
    ----------
    source : path or DataFrame
        Of a pattern (``logs/*.parquet``) all files are one log, large or not.
    columns : mapping, optional
        Canonical name to the file's.
    rows : int
        From how many rows on a log is large.

    Raises
    ------
    InputError
        A pattern that finds nothing, or CSV and Parquet together.
    """
    if not isinstance(source, (str, Path)):
        return None
    pattern = bool(set(str(source)) & set("*?[")) and not Path(source).exists()
    if not pattern and not Path(source).is_file():
        return None
    paths = tuple(expand([source]))
    if any(set(str(path)) & set("*?[]{}") for path in paths):
        return None  # DuckDB would take such a name for a pattern
    if len({_is_parquet(path) for path in paths}) > 1:
        raise InputError("finds Parquet and other files; name those of one kind", file=source)
    facts: dict[Path, TextFacts] = {}
    if not pattern and not _reaches(paths[0], rows, facts):
        return None
    names = _header(paths[0])
    renamed = ticket_columns(names, columns or {}, paths[0])
    if not {"ticket_id", "created_at"} <= set(renamed):
        if pattern:
            TICKETS.require_columns(pd.DataFrame(columns=list(renamed)), file=source)
        return None
    return TableFile(paths=paths, columns=names, shown=str(source), facts=facts)


def _reaches(path: Path, rows: int, facts: dict[Path, TextFacts]) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if _is_parquet(path):
        try:
            return int(pq.ParquetFile(path).metadata.num_rows) >= rows
        except (pa.ArrowException, OSError):
            return False  # the other road says what is wrong with it
    squeezed = path.suffix.lower() in (".gz", ".bz2", ".xz")
    if path.stat().st_size < rows * _SHORTEST_ROW / (_SQUEEZED if squeezed else 1):
        return False
    try:
        facts[path] = scan(path)
    except InputError:
        return False
    return facts[path].lines > rows


def _header(path: Path) -> tuple[str, ...]:
    import pyarrow.parquet as pq

    if _is_parquet(path):
        return tuple(pq.ParquetFile(path).schema_arrow.names)
    return tuple(map(str, next(chunks_of_csv(path, 1)).columns))


def typed_file(
    file: TableFile,
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    zone: str | None,
    columns: Mapping[str, str],
    progress: Progress | None,
) -> tuple[str, str, list[str]]:
    """SQL of a relation with canonical columns in their kinds; the zone; notes.

    Parquet with aware instants and numbers is read as it stands. CSV with offsets in ISO 8601 is cast by DuckDB; all
    else is read in chunks as :func:`staffcast.tickets.read_log` reads it. Both become Parquet in ``folder``.

    Raises
    ------
    InputError
        As ``read_log``.
    """
    if zone is not None:
        check_zone(zone)
    taken = {
        ours: theirs for ours, theirs in ticket_columns(file.columns, columns, file.paths[0]).items() if ours in _USED
    }
    if file.parquet:
        straight = _straight_parquet(file, con, zone, taken)
        if straight is not None:
            return straight
    elif zone is not None and (made := _cast_csv(file, con, folder, taken, progress)) is not None:
        return made, zone, []
    return _by_chunks(file, con, folder, zone, taken, progress)


def _scan_parquet(file: TableFile) -> str:
    return f"read_parquet([{', '.join(text_sql(path) for path in file.paths)}], union_by_name=true)"


def _straight_parquet(
    file: TableFile, con: duckdb.DuckDBPyConnection, zone: str | None, taken: Mapping[str, str]
) -> tuple[str, str, list[str]] | None:
    import duckdb
    import pyarrow.parquet as pq

    relation = _scan_parquet(file)
    try:
        kinds = {str(r[0]): str(r[1]) for r in con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
    except duckdb.Error as error:
        raise InputError(f"cannot be read as Parquet ({str(error).splitlines()[0]})", file=file.shown) from None
    parts = []
    for ours, theirs in taken.items():
        wanted, kind = TICKETS.columns[ours].kind, kinds.get(theirs, "")
        if wanted == "time":
            if kind not in _AWARE:
                return None
            parts.append(f"{quoted(theirs)}::TIMESTAMPTZ AS {ours}")
        elif wanted == "text":
            parts.append(f"{quoted(theirs)}::VARCHAR AS {ours}")
        elif kind in _NUMBERS:
            parts.append(f"CASE WHEN NOT isnan({quoted(theirs)}::DOUBLE) THEN {quoted(theirs)}::DOUBLE END AS {ours}")
        else:
            return None
    stored = pq.ParquetFile(file.paths[0]).schema_arrow.field(taken["created_at"]).type.tz
    return f"(SELECT {', '.join(parts)} FROM {relation})", zone or str(stored), []


def _cast_csv(
    file: TableFile, con: duckdb.DuckDBPyConnection, folder: Path, taken: Mapping[str, str], progress: Progress | None
) -> str | None:
    """Parquet that DuckDB made of plain CSV; None where a cell needs a closer look."""
    import duckdb

    made = []
    for number, path in enumerate(file.paths):
        facts = file.facts.get(path) or scan(path)
        layout = layout_of(lines_of(path, facts), path)
        source = Source(path=path, kind="csv", columns=layout.header, facts=facts, layout=layout)
        if not is_straight(source) or set(source.columns) != set(file.columns):
            return None
        at = {name: f"c{k}" for k, name in enumerate(source.columns)}
        parts = []
        for ours, theirs in taken.items():
            cell, kind = f"nullif({at[theirs]}, '')", TICKETS.columns[ours].kind
            if kind == "text":
                parts.append(f"{cell} AS {ours}")
                continue
            cast = f"TRY_CAST({cell} AS {'TIMESTAMPTZ' if kind == 'time' else 'DOUBLE'})"
            sound = _ISO.format(cell) if kind == "time" else f"NOT contains({cell}, '_') AND isfinite({cast})"
            parts.append(
                f"CASE WHEN {cell} IS NULL THEN NULL WHEN {sound} AND {cast} IS NOT NULL THEN {cast} "
                f"ELSE error('{ours}') END AS {ours}"
            )
        to = folder / f"typed-{number}.parquet"
        query = f"SELECT {', '.join(parts)} FROM {csv_sql(source, header=True)}"
        try:
            con.execute(f"COPY ({query}) TO {text_sql(to)} (FORMAT parquet)")
        except duckdb.Error:
            return None
        if progress is not None:
            progress("reading", number + 1, len(file.paths))
        if con.execute(f"SELECT count(*) FROM read_parquet([{text_sql(to)}])").fetchall()[0][0] != facts.lines - 1:
            return None
        made.append(to)
    return f"read_parquet([{', '.join(text_sql(path) for path in made)}])"


def _by_chunks(
    file: TableFile,
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    zone: str | None,
    taken: Mapping[str, str],
    progress: Progress | None,
) -> tuple[str, str, list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"time": pa.timestamp("us", tz="UTC"), "number": pa.float64(), "whole": pa.float64(), "text": pa.string()}
    schema = pa.schema([(ours, kinds[TICKETS.columns[ours].kind]) for ours in taken])
    to, found, notes = folder / "typed.parquet", zone, dict[str, None]()
    with pq.ParquetWriter(to, schema, compression="zstd") as writer:
        for k, path in enumerate(file.paths):
            at = 0
            for chunk in _frames(path, con):
                absent = [theirs for theirs in taken.values() if theirs not in chunk]
                if absent:
                    raise InputError(f"lacks columns that the first file has: {', '.join(absent)}", file=path)
                frame = chunk[list(taken.values())].set_axis(list(taken), axis=1)
                frame.index = pd.RangeIndex(at, at + len(frame))
                frame, found, more = _typed(frame, zone, found, path)
                notes.update(dict.fromkeys(more))
                at += len(frame)
                arrays = [pa.Array.from_pandas(frame[ours]) for ours in taken]
                arrays = [a.combine_chunks() if isinstance(a, pa.ChunkedArray) else a for a in arrays]
                cast = [a.cast(stored.type, safe=False) for a, stored in zip(arrays, schema, strict=True)]
                writer.write_table(pa.Table.from_arrays(cast, schema=schema))
            if progress is not None:
                progress("reading", k + 1, len(file.paths))
    return f"read_parquet([{text_sql(to)}])", found or "UTC", list(notes)


def _frames(path: Path, con: duckdb.DuckDBPyConnection) -> Iterator[pd.DataFrame]:
    if not _is_parquet(path):
        yield from chunks_of_csv(path, _CHUNK)
        return
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_CHUNK):
            yield batch.to_pandas()


def _typed(
    frame: pd.DataFrame, asked: str | None, found: str | None, path: Path
) -> tuple[pd.DataFrame, str | None, list[str]]:
    """A chunk in its kinds; the zone; what was decided."""
    first, notes = int(frame.index[0]), []
    for column in [str(c) for c in frame if TICKETS.columns[str(c)].kind == "time"]:
        if frame[column].isna().all():
            frame[column] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us, UTC]")
            continue
        parsed = parse_times(frame[column], zone=asked or (found if column != "created_at" else None), column=column,
                             file=path)  # fmt: skip
        if column == "created_at":
            if found is not None and parsed.zone != found:
                raise InputError(
                    f"times carry the offsets {found} and {parsed.zone}: say in which zone the help desk's days run, "
                    'e.g. --zone Europe/Berlin or zone = "Europe/Berlin" in the scenario',
                    file=path, column=column,
                )  # fmt: skip
            found = parsed.zone
        frame[column] = parsed.times.dt.as_unit("us").dt.tz_convert("UTC")
        # "created_at: 3 times fall into …": the number is of this chunk alone.
        notes += [f"{note.split(':')[0]}: times {note.partition(' times ')[2]}" for note in parsed.notes]
    try:
        return replace(TICKETS, key=()).check(frame, file=path), found, notes
    except InputError as error:
        raise error.below(first) from None
