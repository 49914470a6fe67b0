"""Files made into relations that DuckDB reads: straight where that is safe, else carefully and by way of Parquet."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from staffcast.contracts import InputError
from staffcast.tickets.exports.cells import Layout, layout_of, records_of
from staffcast.tickets.exports.clock import survey_sql
from staffcast.tickets.exports.formats import Binding
from staffcast.tickets.exports.jsonfile import flat, json_records
from staffcast.tickets.exports.report import Findings
from staffcast.tickets.exports.text import TextFacts, lines_of, scan

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

__all__ = [
    "Source",
    "Staged",
    "batches_of",
    "chunks_of",
    "connect",
    "csv_sql",
    "expand",
    "is_straight",
    "open_sources",
    "quoted",
    "stage",
    "text_sql",
]

CHUNK_ROWS = 122_880  # a row group of DuckDB
_STAGED_ROWS = 50_000
_MOST_COLUMNS = 5_000
_MEMORY = "1GB"
# What exports write where they mean nothing.
_EMPTY = pa.array(("", "-", "–", "—", "n/a", "na", "null", "none", "nan", "nat", "undefined", "(none)", "#n/a"))
_SPACES = " \t\n\v\f\r\u00a0\ufeff"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One table of one file.

    Attributes
    ----------
    path : Path
    kind : str
        ``csv``, ``json`` or ``parquet``.
    columns : tuple of str
        The header's cells; of JSON, the keys joined by ``_``.
    key : str
        Of JSON, the key of the list.
    shown : str
        Name shown to people; without one the path.
    """

    path: Path
    kind: str
    columns: tuple[str, ...]
    key: str = ""
    facts: TextFacts | None = None
    layout: Layout | None = None
    shown: str = ""

    @property
    def name(self) -> str:
        """As shown to people."""
        return self.shown or str(self.path)


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A source as a relation with columns ``c0`` …; ``row`` where ``has_row``, else rows count from ``first``."""

    relation: str
    rows: int
    has_row: bool
    first: int
    days: Mapping[int, Sequence[tuple[str, int]]] = field(default_factory=dict)


def connect(folder: Path, *, memory: str = _MEMORY) -> duckdb.DuckDBPyConnection:
    """A DuckDB of our own: little memory, spilling into ``folder``, nothing from the net, no clock of the machine's."""
    import duckdb

    con = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    con.execute(f"SET memory_limit='{memory}'; SET threads=2; SET preserve_insertion_order=true")
    con.execute(f"SET temp_directory={text_sql(folder / 'spill')}; SET TimeZone='UTC'")
    con.execute("SET enable_progress_bar=false")
    return con


def text_sql(text: object) -> str:
    """Text as SQL writes it."""
    return "'" + str(text).replace("'", "''") + "'"


def expand(files: Sequence[str | Path]) -> list[Path]:
    """Files that names and patterns (``logs/*.csv``) stand for, in order, each once.

    Raises
    ------
    InputError
        A pattern that finds nothing, a folder, no file at all.
    """
    out: list[Path] = []
    for name in files:
        path = Path(name)
        if path.is_file():
            out.append(path)
        elif path.is_dir():
            raise InputError(f'is a directory; name its files, e.g. "{path}/*.csv"', file=path)
        else:
            found = sorted(Path(p) for p in glob.glob(str(name), recursive=True) if Path(p).is_file())  # noqa: PTH207  # patterns may be absolute
            if not found:
                raise InputError("there is no such file", file=path)
            out.extend(found)
    if not out:
        raise InputError("`files` must be one file or more, got none")
    return list(dict.fromkeys(out))


def open_sources(path: Path, con: duckdb.DuckDBPyConnection) -> list[Source]:
    """The tables of a file with their columns.

    Raises
    ------
    InputError
        Unreadable, empty, not a table.
    """
    ending = path.name.lower()
    if ending.endswith((".parquet", ".pq")):
        return [_parquet(path, con)]
    facts = scan(path)
    head = facts.head.lstrip(b"\xef\xbb\xbf \t\r\n")
    is_json = ".json" in ending or ".ndjson" in ending or head[:1] == b"{" or head[:2] in (b"[{", b"[\n", b"[ ")
    if is_json:
        return _json_sources(path, facts)
    layout = layout_of(lines_of(path, facts), path)
    if len(layout.header) < 2:
        raise InputError("has one column only; is it a table? Export CSV, JSON or Parquet", file=path)
    return [Source(path=path, kind="csv", columns=layout.header, facts=facts, layout=layout)]


def _parquet(path: Path, con: duckdb.DuckDBPyConnection) -> Source:
    import duckdb

    try:
        described = con.execute(f"DESCRIBE SELECT * FROM read_parquet([{text_sql(path)}])").fetchall()
    except duckdb.Error:
        raise InputError("cannot be read as Parquet; export it again", file=path) from None
    return Source(path=path, kind="parquet", columns=tuple(str(row[0]) for row in described))


def _json_sources(path: Path, facts: TextFacts) -> list[Source]:
    columns: dict[str, dict[str, None]] = {}
    for key, row, record in json_records(path, facts):
        if record is None:
            continue
        known = columns.setdefault(key, {})
        known.update(dict.fromkeys(flat(record)))
        if len(known) > _MOST_COLUMNS:
            raise InputError(
                f"has more than {_MOST_COLUMNS} different keys; is it a list of tickets?", file=path, row=row
            )
    if not columns:
        raise InputError("has no records; export it again", file=path)
    return [
        Source(path=path, kind="json", columns=tuple(known), key=key, facts=facts) for key, known in columns.items()
    ]


def stage(
    source: Source,
    binding: Binding,
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    found: Findings,
    times: Sequence[int],
) -> tuple[Staged, int]:
    """Make a source readable, and survey its dates.

    Parameters
    ----------
    times : sequence of int
        Positions of its time columns.

    Returns
    -------
    Staged, int
        And how many rows of the file are not in it because they cannot be used; ``found`` names them.
    """
    if source.kind == "parquet":
        names = ", ".join(f"CAST({quoted(source.columns[p])} AS VARCHAR) AS c{p}" for p in binding.positions)
        relation = f"(SELECT {names} FROM read_parquet([{text_sql(source.path)}]))"
        days, rows = _survey(con, relation, times)
        return Staged(relation=relation, rows=rows, has_row=False, first=1, days=days), 0
    if source.kind == "csv" and (straight := _straight(source, binding, con, times)) is not None:
        return straight, 0
    path = folder / f"staged-{len(list(folder.iterdir()))}.parquet"
    records = _csv_records(source, binding) if source.kind == "csv" else _json_rows(source)
    rows, lost = _write_staged(records, binding.positions, path, source, found)
    relation = f"read_parquet([{text_sql(path)}])"
    days, _ = _survey(con, relation, times)
    return Staged(relation=relation, rows=rows, has_row=True, first=1, days=days), lost


def quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _survey(
    con: duckdb.DuckDBPyConnection, relation: str, times: Sequence[int]
) -> tuple[dict[int, list[tuple[str, int]]], int]:
    if not times:
        return {}, int(con.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])
    days: dict[int, list[tuple[str, int]]] = {p: [] for p in times}
    rows = 0
    for k, day, n in con.execute(survey_sql(relation, [f"c{p}" for p in times])).fetchall():
        if k == 0:
            rows += n
        if day:
            days[times[k]].append((day, n))
    return days, rows


def _straight(source: Source, binding: Binding, con: duckdb.DuckDBPyConnection, times: Sequence[int]) -> Staged | None:
    """DuckDB reads the file itself, if its rows are the file's lines, one for one; None otherwise."""
    import duckdb

    facts = source.facts
    if facts is None or not is_straight(source):
        return None
    headerless = bool(binding.format.header) and binding.positions != () and _is_headerless(source, binding)
    relation = csv_sql(source, header=not headerless)
    try:
        days, rows = _survey(con, relation, times)
    except duckdb.Error:
        return None
    if rows != facts.lines - (not headerless):
        return None
    return Staged(relation=relation, rows=rows, has_row=False, first=1 if headerless else 2, days=days)


def is_straight(source: Source) -> bool:
    """Whether DuckDB may read a CSV itself: nothing in it that two readers could take differently."""
    if source.facts is None or source.layout is None or not source.facts.plain or source.layout.skip:
        return False
    return not (set(str(source.path)) & set("*?[]{}") or source.path.suffix.lower() in (".bz2", ".xz"))


def csv_sql(source: Source, *, header: bool) -> str:
    """SQL of a CSV as a relation with text columns, ``c0`` first."""
    assert source.facts is not None  # CSV sources have both
    assert source.layout is not None
    columns = ", ".join(f"'c{p}': 'VARCHAR'" for p in range(len(source.columns)))
    return (
        f"read_csv({text_sql(source.path)}, auto_detect=false, columns={{{columns}}}, "
        f"header={str(header).lower()}, delim={text_sql(source.layout.delimiter)}, quote='\"', escape='\"', "
        "strict_mode=true, new_line=" + ("'\\r\\n'" if b"\r\n" in source.facts.head else "'\\n'") + ")"
    )  # fmt: skip


def _is_headerless(source: Source, binding: Binding) -> bool:
    return tuple(source.columns) != tuple(binding.format.header) and len(source.columns) == len(binding.format.header)


def _csv_records(source: Source, binding: Binding) -> Iterator[tuple[int, Sequence[str | None] | None, str]]:
    assert source.layout is not None  # CSV sources have both
    assert source.facts is not None
    headerless = bool(binding.format.header) and _is_headerless(source, binding)
    for record in records_of(lines_of(source.path, source.facts), source.layout, headerless=headerless):
        if record.why:
            yield record.row, None, record.why
        else:
            yield record.row, [record.cells[p] for p in binding.positions], ""


def _json_rows(source: Source) -> Iterator[tuple[int, dict[str, str] | None, str]]:
    assert source.facts is not None
    for key, row, record in json_records(source.path, source.facts):
        if record is None and key == source.key:
            yield row, None, "is not an object"
        elif record is not None and key == source.key:
            yield row, flat(record), ""


def _write_staged(
    records: Iterator[tuple[int, Any, str]], positions: Sequence[int], path: Path, source: Source, found: Findings
) -> tuple[int, int]:
    schema = pa.schema([("row", pa.int64()), *((f"c{p}", pa.string()) for p in positions)])
    rows = lost = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batched(records, _STAGED_ROWS):
            good = [(row, cells) for row, cells, why in batch if not why]
            for row, _, why in batch:
                if why:
                    found.add("dropped", why, source.name, [row])
                    lost += 1
            rows += len(good)
            data: dict[str, Any] = {"row": [row for row, _ in good]}
            for k, p in enumerate(positions):
                name = source.columns[p]
                data[f"c{p}"] = [_text(c.get(name) if isinstance(c, dict) else c[k]) for _, c in good]
            writer.write_table(pa.table(data, schema=schema))
    return rows, lost


def _batched(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(itertools.islice(items, size)):
        yield batch


def _text(value: str | None) -> str | None:
    # Half of a surrogate pair, as broken JSON has it, is no text that can be stored.
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")


def _cleaned(cells: pa.Array) -> pa.Array:
    """Cells without spaces around them, missing where they say nothing."""
    # As an expression of SQL this took longer to plan than a small file takes to read.
    bare = pc.utf8_trim(cells.cast(pa.string()), characters=_SPACES)
    return pc.if_else(pc.is_in(pc.utf8_lower(bare), value_set=_EMPTY), None, bare)


def batches_of(con: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.RecordBatch]:
    """Rows of a query as they come, never all of them in memory."""
    relation = con.sql(query)
    # The name changed between versions.
    read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    yield from read(CHUNK_ROWS)


def chunks_of(
    staged: Staged, positions: Sequence[int], con: duckdb.DuckDBPyConnection
) -> Iterator[tuple[pd.DataFrame, npt.NDArray[np.int64]]]:
    """The relation's rows in order, in chunks, with their numbers in the file; cells stripped, empty ones missing."""
    cells = [f"c{p}" for p in positions]
    names = ", ".join([*cells, *(["row"] if staged.has_row else [])])
    at = staged.first
    for batch in batches_of(con, f"SELECT {names} FROM {staged.relation}"):
        frame = pa.table({name: _cleaned(batch.column(name)) for name in cells}).to_pandas()
        if staged.has_row:
            rows = np.asarray(batch.column("row"), dtype=np.int64)
        else:
            rows = np.arange(at, at + len(frame), dtype=np.int64)
            at += len(frame)
        if len(frame):
            yield frame, rows
