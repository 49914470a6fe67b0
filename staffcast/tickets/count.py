"""Count what arrived per queue and interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import INTERVAL_MINUTES, Calendar, InputError, bad_value, interval_grid
from staffcast.tickets.fates import known_fates, of_intervals, of_tickets
from staffcast.tickets.read import IntervalLog, TicketLog

__all__ = ["count", "interval_frame", "seen_grid", "waiting_at_end"]


def count(log: TicketLog | IntervalLog, calendars: Mapping[str, Calendar], *, minutes: int) -> pd.DataFrame:
    """Tickets that sought an agent, per queue and interval.

    Parameters
    ----------
    log : TicketLog or IntervalLog
        What came in.
    calendars : mapping
        Calendar of each queue that is to be counted.
    minutes : {15, 30, 60}
        Length of an interval.

    Returns
    -------
    DataFrame
        The series table: ``unique_id, ds, y, aht_s, open``, every interval of the log's span for every queue. A ticket
        counts where it arrived, also while closed (:meth:`Calendar.fold` then moves it to the next opening).
        ``y`` is empty where an interval file has no row for an open interval: missing is not zero. ``aht_s`` is
        the mean handle time of the interval's tickets, empty where none was handled. ``open`` is the calendar's word.
        Where the log tells, also ``abandoned, waited_s, bot_closed, reopened``: what became of the interval's tickets.

    Raises
    ------
    InputError
        The interval is not 15, 30 or 60 minutes, or finer than the file's.
    """
    if minutes not in INTERVAL_MINUTES:
        raise bad_value("interval", f"{minutes} min", "15, 30 or 60 minutes")
    parts, fates = [], known_fates(log)
    grid = None
    if isinstance(log, TicketLog):
        grid = seen_grid(log.frame["created_at"].min(), log.end, log.zone, calendars, minutes)
    for queue, calendar in calendars.items():
        if queue not in log.queues:
            raise bad_value("calendars", queue, f"a queue of the log: {', '.join(log.queues)}")
        calendar.require_grid(minutes)
        if isinstance(log, TicketLog) and grid is not None:
            parts.append(_of_tickets(log, grid, queue, calendar, minutes, fates))
        elif isinstance(log, IntervalLog):
            parts.append(_of_intervals(log, queue, calendar, minutes, fates))
    return pd.concat(parts, ignore_index=True)


def _of_tickets(
    log: TicketLog, grid: pd.DatetimeIndex, queue: str, calendar: Calendar, minutes: int, fates: tuple[str, ...]
) -> pd.DataFrame:
    own = log.frame[log.frame["queue"] == queue]
    tickets = own[own["offered_at"] < grid[-1] + pd.Timedelta(minutes=minutes)]
    at = grid.searchsorted(tickets["offered_at"], side="right") - 1
    y = np.bincount(at, minlength=len(grid)).astype(float)
    seconds = tickets["handle_s"].to_numpy(dtype=float) if "handle_s" in tickets else np.full(len(tickets), np.nan)
    opened = calendar.is_open(grid)
    counted = _frame(queue, grid, y, at, seconds, np.ones(len(tickets))).assign(open=opened)
    return counted.assign(**of_tickets(own, fates, grid, opened, minutes))


def _frame(
    queue: str,
    grid: pd.DatetimeIndex,
    y: npt.NDArray[np.float64],
    at: npt.NDArray[np.int64],
    seconds: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
) -> pd.DataFrame:
    known = ~np.isnan(seconds) & (weight > 0)
    work = np.bincount(at[known], weights=(seconds * weight)[known], minlength=len(grid))
    number = np.bincount(at[known], weights=weight[known], minlength=len(grid))
    return interval_frame(queue, grid, y, work, number)


def interval_frame(
    queue: str,
    grid: pd.DatetimeIndex,
    y: npt.NDArray[np.float64],
    work: npt.NDArray[Any],
    number: npt.NDArray[Any],
) -> pd.DataFrame:
    """One queue's rows of the series table, from the tickets, handling in seconds and tickets handled per interval."""
    aht = np.divide(work, number, out=np.full(len(grid), np.nan), where=number > 0)
    return pd.DataFrame({"unique_id": queue, "ds": grid, "y": y, "aht_s": aht})


def seen_grid(
    start: pd.Timestamp, end: pd.Timestamp, zone: str, calendars: Mapping[str, Calendar], minutes: int
) -> pd.DatetimeIndex:
    """Intervals of which a log from ``start`` to ``end`` saw all: a half-seen interval is not a low one.

    The last day counts as seen to its end when the log runs past the middle of the last open interval that day, or to
    within an hour of midnight: it was then cut at the day's end, and its last quiet minutes are nothing but quiet.
    """
    end = end.tz_convert(zone)
    grid = interval_grid(start, end, minutes, zone)
    step = pd.Timedelta(minutes=minutes)
    unseen = grid[grid + step / 2 > end]
    closed = not any(calendar.is_open(unseen).any() for calendar in calendars.values())
    if closed or grid[-1] + step - end <= pd.Timedelta(hours=1):
        return grid
    seen = grid[grid + step <= end]
    if seen.empty:
        raise InputError(f"the log spans {end - grid[0]}, less than one interval of {minutes} min; give a longer one")
    return seen


def _of_intervals(
    log: IntervalLog, queue: str, calendar: Calendar, minutes: int, fates: tuple[str, ...]
) -> pd.DataFrame:
    if minutes % log.minutes:
        raise InputError(
            f"`interval` is {minutes} min but the file counts per {log.minutes} min; "
            f"plan in {log.minutes} min or a multiple"
        )
    rows = log.frame[log.frame["unique_id"] == queue]
    first, last = log.frame["ds"].min(), log.frame["ds"].max() + pd.Timedelta(minutes=log.minutes)
    grid = interval_grid(first, last, minutes, log.zone)
    grid = grid[(grid >= first) & (grid + pd.Timedelta(minutes=minutes) <= last)]
    if grid.empty:
        raise InputError(f"the file spans less than one interval of {minutes} min; give a longer one")
    at = grid.searchsorted(rows["ds"], side="right") - 1
    inside = (at >= 0) & (rows["ds"] < grid[-1] + pd.Timedelta(minutes=minutes)).to_numpy()
    y = rows["y"].to_numpy(dtype=float)
    seen = np.bincount(at[inside], weights=(~np.isnan(y[inside])).astype(float), minlength=len(grid))
    counts = np.bincount(at[inside], weights=np.nan_to_num(y[inside]), minlength=len(grid)).astype(float)
    # Only an open interval can be missing: a file that leaves its closed hours out says nothing arrived in them.
    opened = calendar.is_open(grid)
    counts[(seen < minutes / log.minutes) & opened] = np.nan
    seconds = rows["aht_s"].to_numpy(dtype=float) if "aht_s" in rows else np.full(len(rows), np.nan)
    counted = _frame(queue, grid, counts, at[inside], seconds[inside], np.nan_to_num(y[inside])).assign(open=opened)
    return counted.assign(**of_intervals(rows[inside], fates, at[inside], len(grid)))


def waiting_at_end(log: TicketLog | IntervalLog, calendars: Mapping[str, Calendar], end: pd.Timestamp) -> pd.DataFrame:
    """Tickets that wait for their first response when the log ends.

    Parameters
    ----------
    log : TicketLog or IntervalLog
        An interval file knows of none: the frame is then empty.
    calendars : mapping
        Calendar of each queue.
    end : Timestamp
        End of the counted span.

    Returns
    -------
    DataFrame
        ``unique_id, age_s, since_close``: one row per ticket. ``since_close`` marks those that came after their
        queue closed for the last time: the forecast has them in its first opening, so they are not backlog too.
    """
    empty = pd.DataFrame({"unique_id": [], "age_s": [], "since_close": []})
    empty = empty.astype({"unique_id": str, "age_s": float, "since_close": bool})
    if isinstance(log, IntervalLog) or "first_response_at" not in log.frame:
        return empty
    frame = log.frame[log.frame["offered_at"].notna() & log.frame["first_response_at"].isna()]
    if "resolved_at" in frame:
        frame = frame[frame["resolved_at"].isna()]
    if "outcome" in frame:
        frame = frame[~frame["outcome"].isin(("abandoned", "answered"))]
    parts = [empty]
    for queue, calendar in calendars.items():
        tickets = frame[frame["queue"] == queue]
        grid = interval_grid(end - pd.Timedelta(days=15), end, 15, log.zone)
        grid = grid[grid < end]
        open_at = np.flatnonzero(calendar.is_open(grid))
        closed_since = grid[open_at[-1]] + pd.Timedelta(minutes=15) if len(open_at) else grid[0]
        offered = tickets["offered_at"]
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": queue,
                    "age_s": (end - offered).dt.total_seconds().to_numpy(),
                    "since_close": (offered >= closed_since).to_numpy(),
                }
            )
        )
    waiting = pd.concat(parts[1:] or parts, ignore_index=True)
    return waiting[waiting["age_s"] >= 0].reset_index(drop=True)
