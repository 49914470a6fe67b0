"""Times as exports write them: with an offset, or as wall clock in a named zone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from staffcast.contracts import InputError
from staffcast.contracts.calendar import OFFSET_PATTERN
from staffcast.contracts.errors import fit_to_show

__all__ = ["ParsedTimes", "describe_rows", "parse_times"]

_EARLIEST = pd.Timestamp("1990-01-01", tz="UTC")
_SHOWN = 5
# 03.04.2025 is the third of April wherever dates are written with dots; slashes mean either, so they are refused.
_DOTTED = r"\d{1,2}\.\d{1,2}\.\d{4}\s+\d{1,2}:\d\d(:\d\d)?$"


@dataclass(frozen=True, kw_only=True)
class ParsedTimes:
    """Aware instants, and what had to be decided on the way."""

    times: pd.Series
    zone: str
    notes: tuple[str, ...] = ()


def describe_rows(values: pd.Series, *, cells: bool = False) -> str:
    """Text for the first few bad rows: ``row 3: 'soon', row 9: ''``; the header is row 1.

    Of ``cells`` as the file has them only those are shown that look like a date or a number, of others the shape: it
    may be a raw export whose columns slipped, and a cell somebody's words.
    """
    fit = fit_to_show if cells else str
    shown = ", ".join(f"row {i + 2}: {fit(v)!r}" for i, v in zip(values.index[:_SHOWN], values, strict=False))
    return shown + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")


def parse_times(
    values: pd.Series, *, zone: str | None, column: str, file: str | Path | None = None, now: pd.Timestamp | None = None
) -> ParsedTimes:
    """Read one column of times.

    Parameters
    ----------
    values : Series
        Text in ISO 8601 (``T`` or a space between date and time) or as ``31.12.2025 09:30``, or datetimes. Index
        0 … n−1. Empty stays empty.
    zone : str or None
        Zone of wall-clock times, and of the result. None: the offset the file itself uses, if it uses just one.
    column, file
        Named in errors.
    now : Timestamp, optional
        Times more than a day later than this are refused. Default: the clock.

    Returns
    -------
    ParsedTimes

    Raises
    ------
    InputError
        Unreadable, wall clock without a zone, mixed with and without offset, before 1990, in the future.

    Notes
    -----
    A wall-clock time that stands twice in autumn is taken as the first of the two; one that does not exist in
    spring is moved to the next that does. Both are counted in ``notes``.
    """
    present = values.dropna()
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        times, used = values, zone or str(values.dt.tz)
    elif pd.api.types.is_datetime64_any_dtype(values):
        return _checked(_localized(values, zone, column, file), column, file, now)
    else:
        text = present.astype(str).str.strip()
        parsed = _dotted(text) if text.str.match(_DOTTED).all() else None
        if parsed is None:
            parsed = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
        if parsed.isna().any():
            raise InputError(
                f"cannot read {describe_rows(present[parsed.isna()], cells=True)} as a time; "
                "write ISO 8601 such as 2026-03-01T09:30:00+01:00 or 2026-03-01 09:30",
                file=file, column=column,
            )  # fmt: skip
        offsets = text.str.extract(OFFSET_PATTERN)[0]
        has_offset = offsets.notna()
        if has_offset.any() and not has_offset.all():
            raise InputError(
                f"some times have an offset and some have none: {describe_rows(present[~has_offset], cells=True)}; "
                "write all alike",
                file=file, column=column,
            )  # fmt: skip
        if not has_offset.any():
            naive = parsed.dt.tz_localize(None).reindex(values.index)
            return _checked(_localized(naive, zone, column, file), column, file, now)
        used = zone or _single_offset(offsets, column, file)
        times = parsed.reindex(values.index)
    return _checked(ParsedTimes(times=times.dt.tz_convert(used), zone=used), column, file, now)


def _dotted(text: pd.Series) -> pd.Series:
    seconds = text.str.count(":") == 2
    full = text.where(seconds, text + ":00")
    return pd.to_datetime(full, format="%d.%m.%Y %H:%M:%S", utc=True, errors="coerce")


def _single_offset(written: pd.Series, column: str, file: str | Path | None) -> str:
    plain = written.str.replace(":", "").str.upper().replace({"Z": "+0000", "-0000": "+0000", "-00": "+00"})
    offsets = sorted({offset.ljust(5, "0") for offset in plain.unique()})
    if len(offsets) > 1:
        raise InputError(
            f"times carry the offsets {', '.join(offsets)}: say in which zone the help desk's days run, "
            'e.g. --zone Europe/Berlin or zone = "Europe/Berlin" in the scenario',
            file=file, column=column,
        )  # fmt: skip
    offset = offsets[0]
    return "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:]}"


def _localized(naive: pd.Series, zone: str | None, column: str, file: str | Path | None) -> ParsedTimes:
    if zone is None:
        first = naive.dropna().iloc[:1]
        example = f" (row {int(first.index[0]) + 2}: {first.iloc[0]})" if len(first) else ""
        raise InputError(
            f"times are wall clock without an offset{example}: name their zone, "
            'e.g. --zone Europe/Berlin or zone = "Europe/Berlin" in the scenario',
            file=file, column=column,
        )  # fmt: skip
    times = naive.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    notes = []
    missing = int((times.dt.tz_localize(None) != naive)[naive.notna()].sum())
    second = naive.dt.tz_localize(zone, ambiguous=False, nonexistent="shift_forward")
    twice = int((second != times)[naive.notna()].sum())
    if missing:
        notes.append(f"{column}: {missing} times fall into the hour that spring skips; moved to the hour's end")
    if twice:
        notes.append(f"{column}: {twice} times fall into the hour that autumn repeats; taken as the first of the two")
    return ParsedTimes(times=times, zone=zone, notes=tuple(notes))


def _checked(parsed: ParsedTimes, column: str, file: str | Path | None, now: pd.Timestamp | None) -> ParsedTimes:
    times = parsed.times
    latest = (now if now is not None else pd.Timestamp.now(tz="UTC")) + pd.Timedelta(days=1)
    for bad, what in ((times < _EARLIEST, "lie before 1990"), (times > latest, "lie in the future")):
        if bad.any():
            raise InputError(
                f"times {what}: {describe_rows(times[bad])}; check the year, the order of day and month, and the clock",
                file=file, column=column,
            )  # fmt: skip
    return parsed
