"""What the files given to an import are: their tables, whose they are, and whether they make one log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from staffcast.contracts import TICKETS, InputError
from staffcast.tickets.exports.clock import TimeRule
from staffcast.tickets.exports.formats import Binding, Field, Format, bind, column_of
from staffcast.tickets.exports.recognise import is_header, recognise
from staffcast.tickets.exports.report import masked
from staffcast.tickets.exports.stage import Source, Staged, open_sources

if TYPE_CHECKING:
    import duckdb

__all__ = ["SourceTable", "gather", "require_one_log"]

# Our own columns, as they stand: a log that needs no vendor.
_OWN = Format(
    name="staffcast", title="a log with staffcast's own columns", kind="tickets",
    fields={**{name: Field(names=(name,)) for name in TICKETS.columns}, "_updated": Field(names=("updated_at",))},
)  # fmt: skip


@dataclass(kw_only=True)
class SourceTable:
    """One source on its way: what it is, where it is staged, how its times are written."""

    source: Source
    binding: Binding
    index: int
    staged: Staged | None = None
    rules: dict[str, TimeRule] = field(default_factory=dict)

    @property
    def form(self) -> Format:
        """Its format."""
        return self.binding.format

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the file's columns, also where it has no header."""
        header = self.form.header
        return header if header and len(header) == len(self.source.columns) else self.source.columns

    @property
    def time_columns(self) -> dict[str, tuple[int, ...]]:
        """Our times and the positions behind them."""
        at = self.binding.at
        return {n: at[n] for n in at if column_of(n).kind == "time" and not self.form.fields[n].after}


def gather(
    paths: Sequence[Path], con: duckdb.DuckDBPyConnection, form: str | None, mapping: Format | None
) -> list[SourceTable]:
    """Open the files and find out what each of their tables is.

    Raises
    ------
    InputError
        Unreadable, unknown, or lacking what the mapping names.
    """
    tables: list[SourceTable] = []
    short = len({path.name for path in paths}) == len(paths)
    for path in paths:
        sources = [replace(s, shown=path.name if short else str(path)) for s in open_sources(path, con)]
        unknown: list[InputError] = []
        for source in sources:
            try:
                binding = _binding(source, form, mapping)
            except InputError as error:
                # A page of an API holds lists of users and groups beside the tickets.
                unknown.append(error)
                continue
            tables.append(SourceTable(source=source, binding=binding, index=len(tables)))
        if len(unknown) == len(sources):
            raise unknown[0]
    return tables


def _binding(source: Source, form: str | None, mapping: Format | None) -> Binding:
    if mapping is not None:
        binding = bind(mapping, source.columns)
        absent = [f"{n} = {' or '.join(f.names)}" for n, f in mapping.fields.items() if n not in binding.at]
        if absent:
            shown = ", ".join(masked(c) for c in source.columns[:60]) if is_header(source.columns) else "no header line"
            raise InputError(f"has no column for {', '.join(absent)}; it has: {shown}", file=source.path)
        return binding
    try:
        return recognise(source.columns, file=source.name, asked=form)
    except InputError:
        own = bind(_OWN, source.columns)
        if form is None and all(name in own.at for name in _OWN.needs):
            return own
        raise


def require_one_log(tables: list[SourceTable]) -> None:
    """Refuse files that do not make one log.

    Raises
    ------
    InputError
        Intervals or events beside others, or metrics and comments without their tickets.
    """
    kinds = {t.form.kind for t in tables}
    for alone in ("events", "intervals"):
        if alone in kinds and len(kinds) > 1:
            other = next(t for t in tables if t.form.kind != alone)
            first = next(t for t in tables if t.form.kind == alone)
            raise InputError(
                f"{first.form.title} and {other.form.title} ({other.source.name}) do not make one log; "
                "import them apart",
                file=first.source.path,
            )
    if kinds & {"metrics", "comments"} and "tickets" not in kinds:
        raise InputError(
            f"holds {tables[0].form.title} only: give the file of the tickets too, which says when each was created",
            file=tables[0].source.path,
        )
