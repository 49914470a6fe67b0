"""Careful reading of CSV, line by line, for files that are not quite CSV: no row lost without a word."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from staffcast.contracts import InputError

__all__ = ["Layout", "Record", "layout_of", "records_of"]

_LONGEST_RECORD = 2_000  # lines of one cell
_LONGEST_LINE = 4 << 20
csv.field_size_limit(1 << 24)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a CSV's header is and what parts its cells.

    Attributes
    ----------
    delimiter : str
    skip : int
        Lines before the header: Excel's ``sep=;``.
    header : tuple of str
        Cells of the first line.
    """

    delimiter: str
    skip: int
    header: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One record; ``why`` says what is wrong with one that cannot be used."""

    row: int
    cells: list[str]
    why: str = ""


def layout_of(lines: Iterator[str], file: Path) -> Layout:
    """Find delimiter and header from a file's first lines.

    Raises
    ------
    InputError
        No header line.
    """
    skip, forced = 0, ""
    for line in lines:
        if not line.strip():
            skip += 1
            continue
        low = line.strip().strip('"').lower()
        if not forced and low.startswith("sep=") and len(low) <= 5:
            forced, skip = line.strip().strip('"')[4:] or "\t", skip + 1
            continue
        if len(line) > _LONGEST_LINE:
            break
        delimiter = forced or _delimiter(line)
        cells = _cells(line, delimiter)
        if cells is None:
            raise InputError("the header has a quote that does not close; export it again", file=file, row=skip + 1)
        return Layout(delimiter=delimiter, skip=skip, header=tuple(cell.strip() for cell in cells))
    raise InputError("has no header line; export it again", file=file)


def _delimiter(header: str) -> str:
    outside = "".join(header.split('"')[::2]) or header
    counts = {mark: outside.count(mark) for mark in ",;\t|"}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else ","


def _cells(text: str, delimiter: str) -> list[str] | None:
    """Cells of one record; None where a quote does not close."""
    try:
        # A line feed is put behind: an open quote swallows it.
        (cells,) = csv.reader([text + "\n"], delimiter=delimiter)
    except (csv.Error, ValueError):
        return None
    return None if cells and cells[-1].endswith("\n") and _open(text, delimiter) else cells


def _open(text: str, delimiter: str) -> bool:
    try:
        rows = list(csv.reader([text + "\n", f"{delimiter}\n"], delimiter=delimiter))
    except csv.Error:
        return True
    return len(rows) == 1


def records_of(lines: Iterator[str], layout: Layout, *, headerless: bool = False) -> Iterator[Record]:
    """Every record after the header, also those that cannot be used.

    Rows are counted as a spreadsheet does: the header is 1, a cell with line breaks is one row. A quote that does not
    close would swallow the rows behind it: a line that is a whole row by itself ends the search, and only the broken
    record is lost.
    """
    width = len(layout.header)
    row = layout.skip + (0 if headerless else 1)
    for _ in range(layout.skip + (0 if headerless else 1)):
        next(lines, None)
    held: str | None = None
    while True:
        line = held if held is not None else next(lines, None)
        held = None
        if line is None:
            return
        if not line.strip():
            continue
        row += 1
        if len(line) > _LONGEST_LINE:
            yield Record(row, [], "is too long to be a row")
            continue
        cells = _cells(line, layout.delimiter)
        if cells is None:
            cells, held, swallowed = _continued(line, lines, layout.delimiter, width)
            if cells is None:
                yield Record(row, [], "has a quote that does not close")
                for _ in range(swallowed):
                    row += 1
                    yield Record(row, [], "lies behind a quote that does not close")
                continue
        if len(cells) == width:
            yield Record(row, cells)
        elif len(cells) > width and not any(cells[width:]):  # spreadsheets end rows with empty cells
            yield Record(row, cells[:width])
        elif len(cells) < width:
            yield Record(row, [], "has fewer cells than the header")
        else:
            yield Record(row, [], "has more cells than the header")


def _continued(
    first: str, lines: Iterator[str], delimiter: str, width: int
) -> tuple[list[str] | None, str | None, int]:
    """Cells of a record over several lines; or none, the line that is a row of its own, and how many lie between."""
    parts = [first]
    for line in lines:
        could = width > 1 and line.count(delimiter) >= width - 1 and line.count('"') % 2 == 0
        alone = _cells(line, delimiter) if could else None
        if alone is not None and len(alone) == width:
            return None, line, sum(bool(part.strip()) for part in parts[1:])
        parts.append(line)
        if '"' in line:
            cells = _cells("\n".join(parts), delimiter)
            if cells is not None:
                return cells, None, 0
        if len(parts) > _LONGEST_RECORD:
            break
    return None, None, sum(bool(part.strip()) for part in parts[1:])
