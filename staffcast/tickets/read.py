"""Read a ticket log or a file of counts per interval, and say what was understood."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from staffcast.contracts import SERIES, TICKETS, InputError, bad_value, check_zone
from staffcast.contracts.files import read_frame, stated_zone
from staffcast.tickets.exports.recognise import resembles
from staffcast.tickets.times import describe_rows, parse_times

__all__ = [
    "FATES",
    "KNOWN_WHEN",
    "NEVER_SOUGHT_AN_AGENT",
    "IntervalLog",
    "TicketLog",
    "aware",
    "read_log",
    "ticket_columns",
]

ALL_QUEUES = "all"
# created_at first: where the file names no zone, its offset gives that of the others.
_TIMES = tuple(name for name, column in TICKETS.columns.items() if column.kind == "time")
# What a log as of an earlier instant cannot know yet, by the instant that makes it known.
KNOWN_WHEN = {
    "resolved_at": ("outcome", "handle_s", "csat", "nps", "ces", "reopens", "stated_resolution_s",
                    "stated_resolution_business_s", "status"),
    "first_response_at": ("stated_frt_s", "stated_frt_business_s"),
    "reopened_at": ("reopens",),
    "last_reply_at": ("replies", "mean_reply_s"),
    "last_customer_at": ("customer_messages",),
}  # fmt: skip
NEVER_SOUGHT_AN_AGENT = ("bot_closed", "ivr_hangup", "phantom", "spam")
_TICKET_ALIASES = {"id": "ticket_id", "opened_at": "created_at", "reopened": "reopens"}
_INTERVAL_ALIASES = {
    "timestamp": "ds",
    "interval": "ds",
    "queue": "unique_id",
    "count": "y",
    "offered": "y",
    "volume": "y",
}
# Columns of the series table that add up over intervals, besides ``y``.
FATES = ("abandoned", "waited_s", "bot_closed", "reopened")
_LONGEST_GAP = pd.Timedelta(days=14)

Source = str | Path | pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class TicketLog:
    """A log with one row per ticket.

    Attributes
    ----------
    frame : DataFrame
        Keeps the tickets contract, sorted by ``created_at``; instants in ``zone``. ``offered_at`` is always there:
        when the ticket joined a queue for people, empty if it never did.
    zone : str
        Zone in which days are counted.
    notes : tuple of str
        What was decided or left out while reading, for people.
    until : Timestamp or None
        End of the span that was asked for; the log then stands as it stood at that instant.
    last : Timestamp or None
        What ``seen`` is for a part of a longer log; None: found from the rows.
    """

    frame: pd.DataFrame
    zone: str
    notes: tuple[str, ...] = ()
    until: pd.Timestamp | None = None
    last: pd.Timestamp | None = None

    @property
    def queues(self) -> list[str]:
        """Names of the queues, sorted."""
        return sorted(self.frame["queue"].unique())

    @property
    def end(self) -> pd.Timestamp:
        """The instant up to which the log saw arrivals."""
        return self.until if self.until is not None else self.frame[["created_at", "offered_at"]].max().max()

    @property
    def seen(self) -> pd.Timestamp:
        """The latest instant that the log tells of, never before ``end``: replies and closings outlast arrivals.

        What is open or waits is so as of this instant; how many come is known up to ``end`` alone.
        """
        if self.last is not None:
            return self.last
        if self.until is not None:
            return self.until
        known = [self.frame[c].max() for c in _TIMES if c in self.frame and self.frame[c].notna().any()]
        end = self.end
        return pd.Timestamp(max(end, *known)).as_unit(end.unit)  # a finer unit could not fill the columns


@dataclass(frozen=True, kw_only=True)
class IntervalLog:
    """A log with one row per queue and interval; ``frame`` keeps the series contract."""

    frame: pd.DataFrame
    zone: str
    minutes: int
    notes: tuple[str, ...] = ()

    @property
    def queues(self) -> list[str]:
        """Names of the queues, sorted."""
        return sorted(self.frame["unique_id"].unique())


def read_log(
    source: Source,
    *,
    zone: str | None = None,
    columns: Mapping[str, str] | None = None,
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
    bad_rows: Literal["error", "drop"] = "error",
    allow_gaps: bool = False,
) -> TicketLog | IntervalLog:
    """Read a ticket log or an interval count file; its columns tell which.

    Parameters
    ----------
    source : path or DataFrame
        CSV, CSV.gz, Parquet or a frame. Tickets: at least ``ticket_id`` and ``created_at``. Intervals: at least
        ``timestamp`` and ``count``; ``queue`` and ``aht_s`` as well if known.
    zone : str, optional
        IANA zone of the help desk. Needed where times have no offset, or several.
    columns : mapping, optional
        Canonical name to the file's: ``{"created_at": "Created time"}``.
    since, until : Timestamp, optional
        Keep what was created in [since, until), as it stood at ``until``: what happened later is not known yet.
        Naive ones are taken in the zone.
    bad_rows : {"error", "drop"}
        What to do with tickets that contradict themselves (resolved before created, an id that stands twice).
        ``drop`` leaves them out and says so in ``notes``.
    allow_gaps : bool
        Accept two weeks or more without any ticket.

    Raises
    ------
    InputError
        Names file, row, column, value and the fix.
    """
    file = None if isinstance(source, pd.DataFrame) else Path(source)
    frame = source.reset_index(drop=True) if isinstance(source, pd.DataFrame) else read_frame(source)
    if zone is not None:
        check_zone(zone)
    elif "ds" in frame:  # a series that an earlier step counted
        zone = stated_zone(frame, file=file)
    if bad_rows not in ("error", "drop"):
        raise bad_value("bad_rows", bad_rows, '"error" or "drop"')
    frame = _renamed(frame, columns or {}, file)
    if "ticket_id" in frame or "created_at" in frame or not {"ds", "y"} <= set(frame.rename(columns=_INTERVAL_ALIASES)):
        return _tickets(frame, zone, since, until, bad_rows, allow_gaps, file)
    return _intervals(frame, zone, since, until, file)


def _renamed(frame: pd.DataFrame, columns: Mapping[str, str], file: Path | None) -> pd.DataFrame:
    known = [*TICKETS.columns, *SERIES.columns, *_TICKET_ALIASES, *_INTERVAL_ALIASES]
    for name in columns:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else 'write it as created_at="Created time"'
            raise bad_value("columns", name, f"a column that staffcast knows ({', '.join(TICKETS.columns)})", hint)
    absent = [f"{canonical} = {name!r}" for canonical, name in columns.items() if name not in frame.columns]
    if absent:
        found = ", ".join(map(str, frame.columns))
        raise InputError(f"has no such column: {', '.join(absent)}; it has: {found}", file=file)
    sources = set(columns.values())
    taken = frame.drop(columns=[c for c in columns if c in frame.columns and c not in sources])
    return taken.rename(columns={name: canonical for canonical, name in columns.items()})


def ticket_columns(names: Sequence[str], columns: Mapping[str, str], file: Path | None) -> dict[str, str]:
    """Canonical name to the file's, of the columns that the tickets table has.

    Raises
    ------
    InputError
        ``columns`` names one that is not known, or that the file lacks.
    """
    # A row that holds the file's own names goes through the same renaming as a log does.
    row = _renamed(pd.DataFrame([list(names)], columns=list(names)), columns, file)
    row = row.rename(columns=_aliases(row, _TICKET_ALIASES))
    return {str(ours): str(theirs) for ours, theirs in row.iloc[0].items() if ours in TICKETS.columns}


def _aliases(frame: pd.DataFrame, known: Mapping[str, str]) -> dict[str, str]:
    """Which columns to rename; where two could serve (``count`` and ``offered``), the first in ``known``."""
    free: dict[str, str] = {}
    for name, to in known.items():
        if name in frame.columns and to not in frame.columns and to not in free.values():
            free[name] = to
    return free


def _tickets(
    frame: pd.DataFrame,
    zone: str | None,
    since: pd.Timestamp | None,
    until: pd.Timestamp | None,
    bad_rows: str,
    allow_gaps: bool,
    file: Path | None,
) -> TicketLog:
    vendor = resembles([str(name) for name in frame.columns])
    hint = (
        f"this looks like an export of {vendor}: run `staffcast import` first and read what it writes" if vendor else ""
    )
    frame = frame.rename(columns=_aliases(frame, _TICKET_ALIASES))
    try:
        TICKETS.require_columns(frame, file=file)
    except InputError as error:
        if file is not None and ".json" in file.name.lower():
            hint = "JSON is read by `staffcast import`: run it first and read what it writes"
        raise InputError(f"{error}. {hint[0].upper()}{hint[1:]}" if hint else str(error)) from None
    notes: list[str] = (
        [f"{hint}: it brings response times, units and closings that are not read here"] if vendor else []
    )
    for column in (c for c in _TIMES if c in frame):
        parsed = parse_times(frame[column], zone=zone, column=column, file=file)
        # One resolution for all, or an empty column could not be filled from another.
        frame = frame.assign(**{column: parsed.times.dt.as_unit("ns")})
        zone, notes = zone or parsed.zone, notes + list(parsed.notes)
    # Rows are left out after the check, so that its errors name the rows of the file.
    frame = (TICKETS if bad_rows == "error" else replace(TICKETS, key=())).check(frame, file=file)
    zone = zone or "UTC"
    twice = frame.duplicated("ticket_id")
    frame, notes = frame[~twice].reset_index(drop=True), _dropped(twice, "with an id that stands twice", notes)
    frame, notes = _consistent(frame, bad_rows, notes, file)
    frame = _with_queue_and_offer(frame, file)
    frame = _between(frame, "created_at", zone, since, until, file)
    if until is not None:
        until = aware(until, zone)
        frame = _as_of(frame, until)
    frame = frame.sort_values(["created_at", "ticket_id"], kind="stable").reset_index(drop=True)
    if not allow_gaps:
        _refuse_gap(frame["created_at"], file)
    return TicketLog(frame=frame, zone=zone, notes=tuple(notes), until=until)


def _as_of(frame: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    later = {c: frame[c] >= until for c in _TIMES[1:] if c in frame}
    out = frame.assign(**{c: frame[c].mask(hidden) for c, hidden in later.items()})
    for instant, told in KNOWN_WHEN.items():
        if instant in later:
            out = out.assign(**{c: out[c].mask(later[instant]) for c in told if c in out})
    if "wait_s" in out:
        waits = frame["offered_at"] + pd.to_timedelta(frame["wait_s"], unit="s") >= until
        for column in ("wait_s", "outcome"):
            if column in out:
                out[column] = out[column].mask(waits)
    return out


def _dropped(rows: pd.Series, what: str, notes: list[str]) -> list[str]:
    return [*notes, f"{int(rows.sum())} tickets {what} were left out"] if rows.any() else notes


def _consistent(
    frame: pd.DataFrame, bad_rows: str, notes: list[str], file: Path | None
) -> tuple[pd.DataFrame, list[str]]:
    if "resolved_at" in frame:
        bad = frame["resolved_at"] < frame["created_at"]
        if bad.any() and bad_rows == "error":
            rows = frame.loc[bad, "resolved_at"].astype(str) + " before " + frame.loc[bad, "created_at"].astype(str)
            raise InputError(
                f"tickets resolved before they were created: {describe_rows(rows)}; correct them, "
                "or leave them out with --bad-rows drop",
                file=file, column="resolved_at",
            )  # fmt: skip
        frame, notes = frame[~bad].reset_index(drop=True), _dropped(bad, "resolved before they were created", notes)
    if "first_response_at" in frame:
        early = frame["first_response_at"] < frame["created_at"]
        if early.any():
            notes = [*notes, f"{int(early.sum())} first responses lie before their ticket's creation; taken as unknown"]
            frame = frame.assign(first_response_at=frame["first_response_at"].mask(early))
    if "offered_at" in frame:
        early = frame["offered_at"] < frame["created_at"]
        if early.any():
            notes = [*notes, f"{int(early.sum())} tickets sought an agent before their creation; taken as at creation"]
            frame = frame.assign(offered_at=frame["offered_at"].mask(early, frame["created_at"]))
    return frame, notes


def _with_queue_and_offer(frame: pd.DataFrame, file: Path | None) -> pd.DataFrame:
    if "queue" not in frame:
        frame = frame.assign(queue=pd.Series(ALL_QUEUES, index=frame.index, dtype="string"))
    if "offered_at" not in frame:
        frame = frame.assign(offered_at=frame["created_at"])
    if "outcome" in frame:
        never = frame["outcome"].isin(NEVER_SOUGHT_AN_AGENT)
        frame = frame.assign(offered_at=frame["offered_at"].mask(never))
    if frame["offered_at"].isna().all():
        raise InputError("no ticket ever reached a queue for people: offered_at is empty throughout", file=file)
    return frame


def _between(
    frame: pd.DataFrame,
    column: str,
    zone: str,
    since: pd.Timestamp | None,
    until: pd.Timestamp | None,
    file: Path | None,
) -> pd.DataFrame:
    keep = np.ones(len(frame), dtype=bool)
    if since is not None:
        keep &= (frame[column] >= aware(since, zone)).to_numpy()
    if until is not None:
        keep &= (frame[column] < aware(until, zone)).to_numpy()
    if not keep.any():
        span = f"{frame[column].min()} to {frame[column].max()}"
        raise InputError(f"nothing lies between --since {since} and --until {until}; the log has {span}", file=file)
    return frame[keep].reset_index(drop=True)


def aware(instant: pd.Timestamp, zone: str) -> pd.Timestamp:
    """The instant; a naive one is taken in the zone."""
    return instant if instant.tzinfo is not None else instant.tz_localize(zone)


def _refuse_gap(times: pd.Series, file: Path | None) -> None:
    gaps = times.diff()
    if len(times) > 1 and gaps.max() >= _LONGEST_GAP:
        i = int(gaps.argmax())
        raise InputError(
            f"no ticket at all between {times.iloc[i - 1]:%Y-%m-%d %H:%M} and {times.iloc[i]:%Y-%m-%d %H:%M} "
            f"({gaps.max().days} days): is part of the export missing? Add it, or start after the gap with "
            f"--since {times.iloc[i]:%Y-%m-%d}, or accept the gap with --allow-gaps",
            file=file, column=str(times.name),
        )  # fmt: skip


def _intervals(
    frame: pd.DataFrame,
    zone: str | None,
    since: pd.Timestamp | None,
    until: pd.Timestamp | None,
    file: Path | None,
) -> IntervalLog:
    frame = frame.rename(columns=_aliases(frame, _INTERVAL_ALIASES))
    if "unique_id" not in frame:
        frame = frame.assign(unique_id=ALL_QUEUES)
    frame, notes, zone = _interval_times(frame, zone, file)
    frame = SERIES.check(frame, file=file)
    frame = _between(frame, "ds", zone, since, until, file)
    frame = frame.sort_values(["unique_id", "ds"], kind="stable").reset_index(drop=True)
    steps = frame.groupby("unique_id")["ds"].diff().dropna().dt.total_seconds() / 60
    minutes = int(steps.min()) if len(steps) else 0
    if minutes not in (15, 30, 60):
        raise InputError(
            f"the intervals are {minutes} minutes apart; counts must be per 15, 30 or 60 minutes",
            file=file,
            column="ds",
        )
    off_grid = frame["ds"].dt.minute % minutes != 0
    if off_grid.any():
        raise InputError(
            f"not on the grid of {minutes}-minute intervals: {describe_rows(frame.loc[off_grid, 'ds'])}",
            file=file, column="ds",
        )  # fmt: skip
    return IntervalLog(frame=frame, zone=zone, minutes=minutes, notes=tuple(notes))


def _interval_times(frame: pd.DataFrame, zone: str | None, file: Path | None) -> tuple[pd.DataFrame, list[str], str]:
    parsed = parse_times(frame["ds"], zone=zone, column="ds", file=file)
    # Before rows move, so that errors name the rows of the file.
    replace(SERIES, key=()).check(frame.assign(ds=parsed.times), file=file)
    if not parsed.notes:
        return frame.assign(ds=parsed.times), [], parsed.zone
    return _unfold_dst(frame, parsed.zone)


def _unfold_dst(frame: pd.DataFrame, zone: str) -> tuple[pd.DataFrame, list[str], str]:
    """Wall-clock interval files: the skipped spring hour is no interval, the repeated autumn hour is two."""
    naive = pd.to_datetime(frame["ds"], format="ISO8601")
    exists = naive.dt.tz_localize(zone, ambiguous=True, nonexistent="NaT").notna()
    count = pd.to_numeric(frame["y"], errors="coerce").fillna(0)
    notes = []
    if not exists.all():
        lost = float(count[~exists].sum())
        notes.append(
            f"{int((~exists).sum())} intervals lie in the hour that spring skips; left out ({lost:g} tickets in them)"
        )
    frame, naive = frame[exists], naive[exists]
    first = naive.dt.tz_localize(zone, ambiguous=True)
    second = naive.dt.tz_localize(zone, ambiguous=False)
    ambiguous = first != second
    repeat = frame.assign(ds=naive).duplicated(["unique_id", "ds"])
    lone = ambiguous & ~frame.assign(ds=naive).duplicated(["unique_id", "ds"], keep=False)
    out = frame.assign(ds=first.where(~(ambiguous & repeat), second))
    if lone.any():
        sums = [c for c in ("y", *FATES) if c in out]
        halves = out[lone].assign(**{c: pd.to_numeric(out.loc[lone, c]) / 2 for c in sums})
        out = pd.concat([out[~lone], halves, halves.assign(ds=second[lone])])
        notes.append(f"{int(lone.sum())} intervals hold both hours of the autumn change; split evenly between the two")
    return out.reset_index(drop=True), notes, zone
