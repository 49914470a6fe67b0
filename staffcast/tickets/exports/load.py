"""The way of an import: recognise, survey, normalise in chunks, join, drop what stands twice, write."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from staffcast.contracts import SERIES, TICKETS, InputError, OutputError, StaffcastError, check_zone
from staffcast.contracts.files import atomic_path, write_table
from staffcast.tickets.exports.clock import (
    Survey,
    TimeRule,
    doubted_order,
    order_in_words,
    require_order,
    rule_of,
    shared_rule,
)
from staffcast.tickets.exports.counts import series_of
from staffcast.tickets.exports.doubts import Doubts
from staffcast.tickets.exports.formats import LABELS, Binding, Format, bind, column_of
from staffcast.tickets.exports.gather import SourceTable, gather, require_one_log
from staffcast.tickets.exports.join import (
    EVENT_COLUMNS,
    frames_of_query,
    rows_of,
    ticket_events,
    with_comments,
    with_metrics,
)
from staffcast.tickets.exports.mapping import column_shape, mapping_text
from staffcast.tickets.exports.normalise import IMPOSSIBLE, Reading, normalise
from staffcast.tickets.exports.parts import Part, duplicates, frames_of
from staffcast.tickets.exports.privacy import Pseudonyms
from staffcast.tickets.exports.recognise import guess, is_header, recognise
from staffcast.tickets.exports.report import Findings, ImportReport, masked
from staffcast.tickets.exports.stage import chunks_of, connect, expand, open_sources, stage

if TYPE_CHECKING:
    import duckdb

__all__ = ["import_log", "suggest_mapping"]

Progress = Callable[[str, int, int], None]
_MOST_IMPOSSIBLE = 0.05
_MOST_TOPICS, _FEWEST_TOPICS, _MOST_NAMES = 1_000, 20, 1_000


def import_log(
    files: Sequence[str | Path],
    output: str | Path,
    *,
    key: bytes,
    form: str | None = None,
    mapping: Format | None = None,
    zone: str | None = None,
    dates: str = "",
    keep_agents: bool = False,
    now: pd.Timestamp | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Read exports of a help desk and write one table of tickets, or of counts per interval.

    Parameters
    ----------
    files : sequence of path
        CSV (plain, .gz, .bz2, .xz), JSON, JSON lines, Parquet; patterns such as ``logs/*.csv`` too.
    output : path
        ``.parquet`` for tickets; ``.csv``, ``.csv.gz`` or ``.parquet`` for counts.
    key : bytes
        Of the pseudonyms: :func:`staffcast.tickets.exports.load_key`.
    form : str, optional
        Vendor, if it is not to be recognised.
    mapping : Format, optional
        From :func:`staffcast.tickets.exports.load_mapping`, in place of a vendor.
    zone : str, optional
        IANA zone of times without an offset, and of the instants written. Default: the mapping's, else UTC.
    dates : {"", "dmy", "mdy"}
        Order of day and month where no date decides it.
    keep_agents : bool
        Leave agents their names.
    now : Timestamp, optional
        What lies more than a day later cannot be. Default: the clock.
    progress : callable, optional
        Told ``("importing", rows done, rows)``.

    Returns
    -------
    ImportReport
        Its rows add up: rows in = rows out + rows dropped + rows that were added to another row.

    Raises
    ------
    InputError
        Names file, row and column. No message repeats what a cell says.
    OutputError
        The output cannot be written; nothing half-written is left.
    """
    if zone is not None:
        check_zone(zone)
    paths, output = expand(files), Path(output)
    if output.resolve() in {p.resolve() for p in paths}:
        raise OutputError(f"{output}: is one of the files to read; name another")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=output.parent, prefix=".importing-", ignore_cleanup_errors=True)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror or error})") from error
    with folder as name:
        con = connect(Path(name))
        try:
            run = _Run(
                con=con, folder=Path(name), output=output, people=Pseudonyms(key), zone=zone, dates=dates,
                keep_agents=keep_agents, now=now if now is not None else pd.Timestamp.now(tz="UTC"), progress=progress,
            )  # fmt: skip
            return run.all(gather(paths, con, form, mapping))
        finally:
            con.close()


def suggest_mapping(file: str | Path, *, form: str | None = None, zone: str | None = None) -> str:
    """Text of a mapping for a file: of the vendor it is of, else the best guess; to be edited.

    Raises
    ------
    InputError
        The file cannot be read, or has no header.
    """
    path = expand([file])[0]
    with tempfile.TemporaryDirectory() as folder:
        con = connect(Path(folder))
        try:
            source = open_sources(path, con)[0]
            every = Format(name="mapping", title="", kind="tickets", fields={})
            whole = Binding(format=every, at={f"c{p}": (p,) for p in range(len(source.columns))})
            staged, _ = stage(source, whole, con, Path(folder), Findings(), [])
            first, _ = next(chunks_of(staged, whole.positions, con), (pd.DataFrame(), None))
            shapes = {p: column_shape(first[f"c{p}"].astype("string")) for p in whole.positions if len(first)}
        finally:
            con.close()
    try:
        binding = recognise(source.columns, file=source.name, asked=form)
        columns = binding.format.header or source.columns
    except InputError:
        if not is_header(source.columns):
            raise
        binding, columns = bind(guess(source.columns), source.columns), source.columns
    return mapping_text(binding, columns, zone=zone, shapes=shapes)


@dataclass(kw_only=True)
class _Run:
    """One import."""

    con: duckdb.DuckDBPyConnection
    folder: Path
    output: Path
    people: Pseudonyms
    zone: str | None
    dates: str
    keep_agents: bool
    now: pd.Timestamp
    progress: Progress | None
    found: Findings = field(default_factory=Findings)
    notes: list[str] = field(default_factory=list)
    rows_in: int = 0
    done: int = 0
    without: frozenset[str] = frozenset()

    def all(self, tables: list[SourceTable]) -> ImportReport:
        """Go the whole way."""
        require_one_log(tables)
        for table in tables:
            positions = sorted({p for places in table.time_columns.values() for p in places})
            table.staged, lost = stage(table.source, table.binding, self.con, self.folder, self.found, positions)
            self.rows_in += table.staged.rows + lost
        self._settle_dates(tables)
        self._refuse_texts(tables)
        self._made.parent.mkdir()
        kind = tables[0].form.kind
        zone = self.zone or next((t.form.zone for t in tables if t.form.zone), None) or "UTC"
        if kind == "intervals":
            rows_out, folded = self._series(tables, zone)
        else:
            rows_out, folded = self._tickets(tables, zone)
        if not rows_out:
            reasons = "; ".join(f"{i['rows']:,} × {i['reason']} (first: {', '.join(i['examples'])})"
                                for i in self.found.of("dropped"))  # fmt: skip
            hints = "".join(f". {hint}" for hint in self._misread())
            raise InputError(f"no row can be used: {reasons or 'there are none'}{hints}", file=tables[0].source.path)
        dropped = self.found.total("dropped")
        if self.rows_in != rows_out + dropped + folded:
            raise StaffcastError(
                f"{tables[0].source.name}: {self.rows_in:,} rows in are not {rows_out:,} out + {dropped:,} dropped + "
                f"{folded:,} added to others; nothing was written. Please report this"
            )
        self._deliver()
        return self._report(tables, zone, rows_out, folded)

    def _misread(self) -> list[str]:
        """Hints where so many times are impossible that their reading must be wrong."""
        return [
            f"CHECK {reason.removesuffix(', taken as unknown')} in {count:,} of {self.rows_in:,} rows: are day and "
            "month swapped? Say the order with --dates dmy or --dates mdy, or export with the year first"
            for (_, reason), count in self.found.counts.items()
            if IMPOSSIBLE in reason and count > _MOST_IMPOSSIBLE * self.rows_in
        ]

    def _deliver(self) -> None:
        with atomic_path(self.output) as temporary:
            shutil.move(self._made, temporary)

    @property
    def _made(self) -> Path:
        """Where the result grows; a folder of its own, as it may be called like anything else here."""
        return self.folder / "made" / self.output.name

    def _settle_dates(self, tables: list[SourceTable]) -> None:
        """Decide for each time column how its dates are written: by its own dates, else by those beside it."""
        surveys = {
            (t.index, name): Survey.of([d for p in places for d in (t.staged.days.get(p, ()) if t.staged else ())])
            for t in tables for name, places in t.time_columns.items() if not t.form.fields[name].format
        }  # fmt: skip
        common = rule_of(Survey.union(list(surveys.values())))
        for table in tables:
            asked = self.dates or table.form.dates
            for name in table.time_columns:
                written = table.form.fields[name].format
                if written:
                    table.rules[name] = TimeRule(format=written)
                    continue
                survey = surveys[table.index, name]
                rule = shared_rule(rule_of(survey), common, asked)
                require_order(rule, survey, file=table.source.name, column=self._shown(table, name))
                table.rules[name] = rule
                theirs, read = self._shown(table, name), order_in_words(rule, survey, asked)
                doubt = doubted_order(rule, survey)
                told = [f"{theirs}: {read}"] if read else []
                told += [f"CHECK {theirs}: {doubt}"] if doubt else []
                self.notes += [note for note in told if note not in self.notes]
                if rule.swapped and rule.why:
                    note = f"{self._shown(table, name)}: {rule.why}; exchanged back"
                    self.notes += [note] if note not in self.notes else []

    def _refuse_texts(self, tables: list[SourceTable]) -> None:
        """Labels with too many different values are texts or names of people: not taken."""
        labels = [name for name in LABELS if any(name in t.binding.at for t in tables)]
        if not labels:
            return
        parts = []
        for t in tables:
            places = [t.binding.at.get(name, ()) for name in labels]
            cells = [f"coalesce({', '.join(f'c{p}' for p in at)})" if at else "NULL::VARCHAR" for at in places]
            shown = ", ".join(f"{cell} AS v{k}" for k, cell in enumerate(cells))
            parts.append(f"SELECT {shown} FROM {t.staged.relation}" if t.staged else "")  # our own relations
        asked = ", ".join(f"approx_count_distinct(v{k}), count(v{k})" for k in range(len(labels)))
        (told,) = self.con.execute(f"SELECT {asked} FROM ({' UNION ALL '.join(parts)})").fetchall()
        refused = set()
        for k, name in enumerate(labels):
            distinct, rows = told[2 * k : 2 * k + 2]
            most = _MOST_NAMES
            if name in ("topic", "bot_option"):
                most = max(_FEWEST_TOPICS, min(_MOST_TOPICS, rows // 20))
            if distinct > most:
                refused.add(name)
                theirs = next(self._shown(t, name) for t in tables if name in t.binding.at)
                self.notes.append(f"{theirs} has about {distinct:,} different values: not a {name}, so it is not kept")
        self.without = frozenset(refused)

    def _shown(self, table: SourceTable, ours: str) -> str:
        return masked(table.names[table.binding.at[ours][0]])

    def _frames(self, table: SourceTable) -> Iterator[pd.DataFrame]:
        """Normalised rows of one table."""
        assert table.staged is not None  # staged before
        reading = Reading(
            file=table.source.name, binding=table.binding, rules=table.rules, zone=self.zone or table.form.zone,
            people=self.people, keep_agents=self.keep_agents, now=self.now,
            names=tuple(masked(n) for n in table.names), without=self.without,
        )  # fmt: skip
        for raw, rows in chunks_of(table.staged, table.binding.positions, self.con):
            yield normalise(raw, rows, reading, self.found).assign(_file=table.index)
            self.done += len(rows)
            if self.progress is not None:
                self.progress("importing", self.done, self.rows_in)

    def _series(self, tables: list[SourceTable], zone: str) -> tuple[int, int]:
        frames = [frame for table in tables for frame in self._frames(table)]
        merged = pd.concat(frames, ignore_index=True)
        if merged.empty:
            return 0, 0
        before = self.found.total("dropped")
        series, notes = series_of(merged, tuple(t.source.name for t in tables), self.found)
        self.notes += notes
        columns = [c for c in SERIES.columns if c in series]
        series = series[columns].assign(ds=series["ds"].dt.tz_convert(zone))
        write_table(series, self._made)
        return len(series), len(merged) - (self.found.total("dropped") - before) - len(series)

    def _part(self, tables: list[SourceTable], kind: str, zone: str) -> Part | None:
        """Normalised rows of all tables of one kind, on disk."""
        mine = [t for t in tables if t.form.kind == kind]
        if not mine:
            return None
        columns = {n for t in mine for n in t.binding.at} - self.without
        order = [c for c in (*TICKETS.columns, *sorted(columns)) if c in columns]
        order = [*dict.fromkeys([*order, "_file", "_row"])]
        key = "ticket_id" if kind in ("tickets", "metrics") else None
        with Part(self.folder / f"{kind}.parquet", order, zone, key=key) as part:
            for table in mine:
                for frame in self._frames(table):
                    part.write(frame)
        return part

    def _tickets(self, tables: list[SourceTable], zone: str) -> tuple[int, int]:
        names, forms = [t.source.name for t in tables], [t.form for t in tables]
        if self.output.suffix.lower() not in (".parquet", ".pq"):
            raise InputError("tickets are written as Parquet: end the output in .parquet", file=self.output)
        folded = 0
        events = self._part(tables, "events", zone)
        if events is not None:
            before = self.found.total("dropped")
            query = ticket_events(self.con, events.path, events.columns, names, self.found)
            frames: Iterator[pd.DataFrame] = frames_of_query(self.con, query)
            columns: tuple[str, ...] = (*EVENT_COLUMNS, "_file", "_row")
            usable = events.rows - (self.found.total("dropped") - before)
            out = self._finish(frames, columns, zone, names, forms, derived=False)
            return out, usable - out
        part = self._part(tables, "tickets", zone)
        assert part is not None  # require_one_log saw to it
        path, columns = (
            self._single(part, zone, names, "the ticket stands again, changed later or further down"),
            part.columns,
        )
        for kind in ("metrics", "comments"):
            more = self._part(tables, kind, zone)
            if more is None:
                continue
            before = self.found.total("dropped")
            joined = self.folder / f"with-{kind}.parquet"
            if kind == "metrics":
                single = self._single(
                    more, zone, names, "metrics of the ticket stand again, changed later or further down"
                )
                columns = with_metrics(self.con, path, columns, single, more.columns, joined, names, self.found)
            elif "customer_id" not in columns:
                raise InputError(
                    "comments need the tickets' requester_id, to tell customers from agents", file=names[0]
                )
            else:
                columns = with_comments(self.con, path, columns, more.path, joined, names, self.found)
            folded += more.rows - (self.found.total("dropped") - before)
            path = joined
        derived = any(t.form.response_from_stated for t in tables) and "first_response_at" not in columns
        out = self._finish(frames_of(path), columns, zone, names, forms, derived=derived)
        return out, folded

    def _single(self, part: Part, zone: str, names: Sequence[str], reason: str) -> Path:
        """The part without rows whose ticket stands again; the part itself where none does."""
        twice = duplicates(part, "ticket_id")
        if not twice.any():
            return part.path
        path, at = part.path.with_name(f"single-{part.path.name}"), 0
        with Part(path, part.columns, zone) as single:
            for frame in frames_of(part.path):
                again = twice[at : at + len(frame)]
                at += len(frame)
                for k, name in enumerate(names):
                    self.found.add("dropped", reason, name, rows_of(frame.loc[again], k))
                single.write(frame[~again])
        return path

    def _finish(
        self,
        frames: Iterator[pd.DataFrame],
        columns: Sequence[str],
        zone: str,
        names: Sequence[str],
        forms: Sequence[Format],
        *,
        derived: bool,
    ) -> int:
        """Write the tickets, looking for what is odd; how many there are."""
        have = set(columns)
        if derived and "stated_frt_s" in have:
            have.add("first_response_at")
            self.notes.append("first_response_at is creation + the stated first response time")
        if "reopened_at" in have and "reopens" not in have:
            have.add("reopens")
            self.notes.append("reopens is 1 where a reopening is told of: the export does not count them")
        doubts = Doubts(self.found, derived=derived, zone=zone)
        opened = {state for form in forms for state in form.open_states}
        with Part(self._made, [c for c in TICKETS.columns if c in have], zone) as final:
            for frame in frames:
                whole = self._open_again(_derived(frame, derived), opened, names)
                for k, name in enumerate(names):
                    doubts.look(whole[whole["_file"] == k], name)
                final.write(whole)
        self.notes += doubts.notes()
        return final.rows

    def _open_again(self, frame: pd.DataFrame, opened: set[str], names: Sequence[str]) -> pd.DataFrame:
        """Tickets that were closed once and are open now are not closed."""
        if not {"status", "resolved_at"} <= set(frame.columns) or not opened:
            return frame
        again = frame["status"].astype(object).str.lower().isin(opened) & frame["resolved_at"].notna()
        for k, name in enumerate(names):
            self.found.add("mended", "closed once and open again: not closed", name, rows_of(frame[again], k))
        return frame.assign(resolved_at=frame["resolved_at"].mask(again))

    def _report(self, tables: list[SourceTable], zone: str, rows_out: int, folded: int) -> ImportReport:
        taken: dict[str, str] = {}
        unused: dict[str, None] = {}
        for table in tables:
            shown = [masked(n) for n in table.names]
            read = {p for n, places in table.binding.at.items() if n not in self.without for p in places}
            unused.update(dict.fromkeys(n for k, n in enumerate(shown) if k not in read))
            for ours, places in table.binding.at.items():
                if ours in self.without:
                    continue
                source, theirs = table.form.fields[ours], ", else ".join(shown[p] for p in places)
                if column_of(ours).unit == "s" or source.after:
                    theirs += f" [{source.unit}]" + (f" after {source.after}" if source.after else "")
                taken.setdefault(ours, theirs)
        people = sorted({"agent", "customer_id"} & set(taken))
        notes = [*self.notes, *self._misread()]
        if people:
            kept = " agents keep their names;" if self.keep_agents and "agent" in people else ""
            notes.insert(0, f"people are codes;{kept} the key that makes them is not in the output")
        return ImportReport(
            files=tuple(dict.fromkeys(t.source.name for t in tables)),
            format=" + ".join(dict.fromkeys(t.form.title for t in tables)),
            kind="series" if tables[0].form.kind == "intervals" else "tickets",
            columns={k: v for k, v in taken.items() if not k.startswith("_")}, unused=tuple(unused), zone=zone,
            clock=next((t.form.clock for t in tables if t.form.clock), ""), rows_in=self.rows_in, rows_out=rows_out,
            folded=folded, findings=self.found, notes=tuple(notes),
        )  # fmt: skip


def _derived(frame: pd.DataFrame, from_stated: bool) -> pd.DataFrame:
    """With what follows from other columns."""
    if from_stated and "stated_frt_s" in frame:
        seconds = frame["stated_frt_s"].where(frame["stated_frt_s"].between(0, 1e10))
        response = frame["created_at"] + pd.to_timedelta((seconds * 1e6).round(), unit="us")
        frame = frame.assign(first_response_at=response)
    if "reopened_at" in frame and "reopens" not in frame:
        frame = frame.assign(reopens=frame["reopened_at"].notna().astype(np.float64))
    return frame
