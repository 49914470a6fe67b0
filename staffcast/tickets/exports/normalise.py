"""A chunk of an export, all text, made into our columns; what cannot be read is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from staffcast.contracts import InputError
from staffcast.contracts.errors import shape_of
from staffcast.contracts.tables import Column
from staffcast.tickets.exports.clock import TimeRule, read_times
from staffcast.tickets.exports.formats import LABELS, PEOPLE, UNIT_S, Binding, Field, column_of
from staffcast.tickets.exports.privacy import Pseudonyms
from staffcast.tickets.exports.report import Findings

__all__ = ["IMPOSSIBLE", "Reading", "normalise"]

_HMS = r"^(-?)(?:(\d+)\s*(?:d|days?)[ ,]+)?(\d+):([0-5]?\d)(?::([0-5]?\d(?:\.\d+)?))?$"
_LONGEST_LABEL, _LONGEST_ID = 60, 100
IMPOSSIBLE = "lies before 1990 or in the future"
_EARLIEST = pd.Timestamp("1990-01-01", tz="UTC")
_STAMP: Literal["datetime64[us, UTC]"] = "datetime64[us, UTC]"
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What normalising needs to know beside the rows themselves.

    Attributes
    ----------
    file : str
        Name shown in errors and examples.
    binding : Binding
        Our columns → positions in the file.
    rules : mapping
        How each time column is written.
    zone : str or None
        Of times without an offset.
    people : Pseudonyms
    keep_agents : bool
        Show agents by name.
    now : Timestamp
        Times more than a day later are mistakes.
    names : tuple of str
        The file's own column names, for errors.
    without : frozenset of str
        Our columns that are not taken after all.
    """

    file: str
    binding: Binding
    rules: Mapping[str, TimeRule]
    zone: str | None
    people: Pseudonyms
    keep_agents: bool
    now: pd.Timestamp
    names: tuple[str, ...]
    without: frozenset[str] = frozenset()

    def theirs(self, ours: str) -> str:
        """Name of the file's column behind one of ours."""
        return self.names[self.binding.at[ours][0]]


def normalise(raw: pd.DataFrame, rows: npt.NDArray[np.int64], reading: Reading, found: Findings) -> pd.DataFrame:
    """Make a chunk of text cells into our columns.

    Parameters
    ----------
    raw : DataFrame
        Columns ``c0``, ``c1`` … by position; text or missing.
    rows : ndarray of int64, shape (n,)
        The rows' numbers in the file.
    reading : Reading
        How to read it.
    found : Findings
        Grows by what was dropped, mended or looks odd.

    Returns
    -------
    DataFrame
        Our columns, and ``_row`` (of intervals also ``_ds_later``); without the rows that were dropped.

    Raises
    ------
    InputError
        Times without an offset and no zone known.
    """
    chunk = _Chunk(raw.reset_index(drop=True), rows, reading, found)
    form = reading.binding.format
    wanted = {name: field for name, field in form.fields.items() if name in reading.binding.at}
    out: dict[str, pd.Series] = {}
    later = []
    for name, field in wanted.items():
        column = column_of(name)
        if name in reading.without:
            continue
        if field.after:
            later.append((name, field))
        elif column.kind == "time":
            out[name] = chunk.times(name, out.get("created_at"))
        elif column.unit == "s":
            out[name] = chunk.within(name, chunk.seconds(name, field), column)
        elif column.kind in ("number", "whole"):
            out[name] = chunk.within(name, chunk.numbers(name, field), column)
        else:
            out[name] = chunk.text(name, field)
    for name, field in later:
        start = out.get(field.after)
        if start is None:
            raise InputError(f"{name} is counted from {field.after}, which is not mapped", file=reading.file)
        passed = chunk.within(
            name, chunk.seconds(name, field), Column(kind="number", about="duration", low=0, unit="s")
        )
        out[name] = _plus(start, passed)
    frame = pd.DataFrame(out, index=chunk.raw.index).assign(_row=rows)
    if chunk.later is not None:
        frame = frame.assign(_ds_later=chunk.later)
    return chunk.kept(frame, form.needs)


def _plus(start: pd.Series, seconds: pd.Series) -> pd.Series:
    micro = (seconds.clip(upper=1e10) * 1e6).round()
    return pd.Series(start + pd.to_timedelta(micro, unit="us")).astype(_STAMP)


class _Chunk:
    """The rows being read; each method gives one of our columns."""

    def __init__(self, raw: pd.DataFrame, rows: npt.NDArray[np.int64], reading: Reading, found: Findings) -> None:
        self.raw, self.rows, self.reading, self.found = raw, rows, reading, found
        self.later: pd.Series | None = None

    def note(self, kind: Literal["dropped", "mended", "suspicious"], reason: str, mask: Mask | pd.Series) -> None:
        where = np.asarray(mask, dtype=bool)
        if where.any():
            self.found.add(kind, reason, self.reading.file, self.rows[where])

    def cells(self, name: str, field: Field) -> pd.Series:
        """Text of the first filled of the columns behind ``name``, words translated, empty as NA."""
        merged: pd.Series | None = None
        for position in self.reading.binding.at[name]:
            one = self.raw[f"c{position}"]
            merged = one if merged is None else merged.where(merged.notna(), one)
        assert merged is not None  # a binding has at least one position for each name
        if field.values:
            known = {k.casefold(): v for k, v in field.values.items()}
            meant = merged.str.casefold().map(known)
            merged = merged.where(meant.isna(), meant)
            merged = merged.mask(merged == "")
        return merged

    def times(self, name: str, created: pd.Series | None) -> pd.Series:
        reading = self.reading
        field = reading.binding.format.fields[name]
        text = self.cells(name, field)
        if "_time_of_day" in reading.binding.at and name == "ds":
            text = _joined(text, self.cells("_time_of_day", Field(names=())))
        zone = reading.zone or reading.binding.format.zone
        read = read_times(text, reading.rules.get(name, TimeRule(format=field.format)), zone)
        if zone is None and read.naive.any():
            first = int(np.flatnonzero(read.naive)[0])
            raise InputError(
                f"times are wall clock without an offset ({shape_of(text.iloc[first])}): name their zone, "
                "e.g. --zone Europe/Berlin",
                file=reading.file, row=int(self.rows[first]), column=reading.theirs(name),
            )  # fmt: skip
        times = read.times
        if name == "ds":
            self.later = read.second
        theirs = reading.theirs(name)
        self.note("mended", f"{theirs}: day and month exchanged back", read.swapped)
        self.note("mended", f"{theirs}: in the hour that spring skips, moved to its end", read.skipped)
        if read.repeated.any():
            use_later = np.zeros(len(times), dtype=bool)
            if created is not None:
                follows = (times < created) & (read.second >= created)
                use_later = read.repeated & follows.to_numpy(dtype=bool)
                times = times.mask(use_later, read.second)
            self.note(
                "mended", f"{theirs}: in the hour that autumn repeats, taken as the first", read.repeated & ~use_later
            )
            second = f"{theirs}: in the hour that autumn repeats, taken as the second, as it follows creation"
            self.note("mended", second, use_later)
        if not column_of(name).nullable:
            return times
        odd = self._beyond(times)
        self.note("mended", f"{theirs} cannot be read as a time, taken as unknown", read.unreadable)
        self.note("mended", f"{theirs} {IMPOSSIBLE}, taken as unknown", odd)
        return times.mask(odd)

    def numbers(self, name: str, field: Field) -> pd.Series:
        text = self.cells(name, field)
        numbers = _number(text)
        bad = (text.notna() & numbers.isna()).to_numpy()
        self.note("mended", f"{self.reading.theirs(name)} cannot be read as a number, taken as unknown", bad)
        return numbers

    def seconds(self, name: str, field: Field) -> pd.Series:
        text = self.cells(name, field)
        numbers = _number(text) * UNIT_S[field.unit]
        worded = (text.notna() & numbers.isna()).to_numpy()
        if worded.any():
            numbers = numbers.mask(worded, _hms(text[worded]).reindex(text.index))
        bad = (text.notna() & numbers.isna()).to_numpy()
        self.note("mended", f"{self.reading.theirs(name)} cannot be read as a duration, taken as unknown", bad)
        return numbers

    def within(self, name: str, numbers: pd.Series, column: Column) -> pd.Series:
        outside = (numbers < column.low) | (numbers > column.high)
        if column.kind == "whole":
            outside |= numbers.notna() & (numbers != np.floor(numbers))
        legal = f"{column.low:g} … {column.high:g}" if np.isfinite(column.high) else f"at least {column.low:g}"
        self.note("mended", f"{self.reading.theirs(name)} is not in {legal}, taken as unknown", outside)
        return numbers.mask(outside)

    def text(self, name: str, field: Field) -> pd.Series:
        text, reading, theirs = self.cells(name, field), self.reading, self.reading.theirs(name)
        if name in PEOPLE or field.private:
            if name == "agent" and reading.keep_agents:
                return text
            role = "agent" if name == "agent" else "customer" if name in PEOPLE else "private"
            return reading.people.column(text, role=role)
        longest = _LONGEST_LABEL if name in LABELS else _LONGEST_ID
        long = (text.str.len() > longest).to_numpy(dtype=bool)
        if name in LABELS:
            self.note("mended", f"{theirs} is longer than a name is, taken as unknown: texts are not kept", long)
            text = text.mask(long)
        elif long.any():
            text = text.mask(long)
        scrubbed, hit = reading.people.scrub(text, ids=name == "ticket_id")
        self.note("mended", f"{theirs} holds a phone number or address, replaced by a code", hit)
        return scrubbed

    def kept(self, frame: pd.DataFrame, needs: tuple[str, ...]) -> pd.DataFrame:
        """Without the rows that lack what every row needs, each counted once, under its first reason."""
        reading = self.reading
        left = np.ones(len(frame), dtype=bool)
        for name in needs:
            lacks = frame[name].isna().to_numpy() & left
            if lacks.any():
                self._lacking(name, lacks)
            left &= ~lacks
            if column_of(name).kind == "time":
                odd = left & self._beyond(frame[name])
                self.note("dropped", f"{reading.theirs(name)} {IMPOSSIBLE}", odd)
                left &= ~odd
        return frame[left]

    def _beyond(self, times: pd.Series) -> Mask:
        return np.asarray((times < _EARLIEST) | (times > self.reading.now + pd.Timedelta(days=1)), dtype=bool)

    def _lacking(self, name: str, lacks: Mask) -> None:
        reading = self.reading
        filled = self.cells(name, reading.binding.format.fields[name]).notna().to_numpy()
        self.note("dropped", f"{reading.theirs(name)} is empty", lacks & ~filled)
        self.note("dropped", f"{reading.theirs(name)} cannot be read", lacks & filled)


def _number(text: pd.Series) -> pd.Series:
    try:
        plain = pa.array(text, type=pa.string()).cast(pa.float64()).to_numpy(zero_copy_only=False)
        return pd.Series(plain, index=text.index).mask(np.isinf(plain))
    except pa.ArrowInvalid:  # something that is no plain number: slower, value by value
        numbers = pd.to_numeric(text.astype(object), errors="coerce").astype(float)
    commas = (numbers.isna() & text.notna()).to_numpy()
    if commas.any():
        again = text[commas].astype(object).str.replace(r"^(-?\d+),(\d+)$", r"\1.\2", regex=True)
        numbers = numbers.mask(commas, pd.to_numeric(again, errors="coerce").astype(float).reindex(text.index))
    return numbers.mask(np.isinf(numbers.to_numpy()))


def _hms(text: pd.Series) -> pd.Series:
    """Seconds of HH:MM:SS (hours may pass 24, days may stand before), of HH:MM, NaN of anything else."""
    parts = text.astype(object).str.extract(_HMS)
    days, hours, minutes, seconds = (pd.to_numeric(parts[k], errors="coerce") for k in range(1, 5))
    total = 86400 * days.fillna(0) + 3600 * hours + 60 * minutes + seconds.fillna(0)
    return total.where(parts[0] != "-", -total).astype(float)


def _joined(day: pd.Series, clock: pd.Series) -> pd.Series:
    """A date and a time of day that stand in two columns; 20260301 and 0930 too."""
    days = day.astype(object).str.replace(r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3", regex=True)
    hours = clock.astype(object).str.replace(r"^(\d\d)(\d\d)$", r"\1:\2", regex=True)
    return (days + " " + hours).where(day.notna() & clock.notna())
