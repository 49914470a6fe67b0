"""What became of the tickets of each interval besides being answered: given up, closed by the bot, reopened."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.tickets.read import FATES, IntervalLog, TicketLog

__all__ = ["known_fates", "of_intervals", "of_tickets", "open_waits"]

Floats = npt.NDArray[np.float64]


def known_fates(log: TicketLog | IntervalLog) -> tuple[str, ...]:
    """Which of :data:`staffcast.tickets.read.FATES` a log tells of.

    An interval file those whose column it has. A ticket log what happened at least once: who gave up (``outcome``) and
    how long they had waited (``wait_s`` or ``resolved_at``); conversations that never sought a person; reopenings.
    """
    frame = log.frame
    if isinstance(log, IntervalLog):
        return tuple(name for name in FATES if name in frame)
    known: tuple[str, ...] = ()
    if (_abandoned(frame) & ~np.isnan(_waited(frame))).any():
        known += ("abandoned", "waited_s")
    if _bot_closed(frame).any():
        known += ("bot_closed",)
    if "reopens" in frame and (frame.loc[frame["offered_at"].notna(), "reopens"] > 0).any():
        known += ("reopened",)
    return known


def of_tickets(
    frame: pd.DataFrame, known: tuple[str, ...], grid: pd.DatetimeIndex, opened: npt.NDArray[np.bool_], minutes: int
) -> dict[str, Floats]:
    """Count one queue's tickets by what became of them.

    Parameters
    ----------
    frame : DataFrame
        Rows of one queue of a ticket log, in any order.
    known : tuple of str
        From :func:`known_fates`.
    grid : DatetimeIndex, shape (n,)
        Starts of the intervals; what lies after them is not counted.
    opened : ndarray of bool, shape (n,)
        Whether the queue is open.
    minutes : int
        Length of an interval.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        ``abandoned`` and ``waited_s``: who sought an agent in the interval and gave up while the queue was open, and
        the seconds that all of them waited while it was, answered or not: a wait that lasts beyond closing counts up to
        there and as not given up. Who came while it was closed, and those whose wait is not known, are in neither.
        ``bot_closed``: conversations that began in the interval and never sought a person. ``reopened``: tickets that
        sought an agent in the interval and were reopened; those of which it is not known are taken to be like the
        others, and an interval with none but such is empty.
    """
    end = grid[-1] + pd.Timedelta(minutes=minutes)
    out: dict[str, Floats] = {}
    offered = frame[frame["offered_at"] < end]
    at = grid.searchsorted(offered["offered_at"], side="right") - 1
    n = len(grid)
    if "waited_s" in known:
        waited, gone = open_waits(offered, grid, opened, minutes)
        here = ~np.isnan(waited)
        out["abandoned"] = np.bincount(at[gone], minlength=n).astype(float)
        out["waited_s"] = np.bincount(at[here], weights=waited[here], minlength=n).astype(float)
    if "bot_closed" in known:
        by_bot = frame.loc[_bot_closed(frame) & (frame["created_at"] < end).to_numpy(), "created_at"]
        out["bot_closed"] = np.bincount(grid.searchsorted(by_bot, side="right") - 1, minlength=n).astype(float)
    if "reopened" in known:
        again = offered["reopens"].to_numpy(dtype=float)
        told = ~np.isnan(again)
        number, those = np.bincount(at, minlength=n), np.bincount(at[told], minlength=n).astype(float)
        more = np.bincount(at[again > 0], minlength=n).astype(float)
        share = np.divide(more, those, out=np.full(n, np.nan), where=those > 0)
        out["reopened"] = np.where(number > 0, share * number, 0.0)
    return out


def open_waits(
    offered: pd.DataFrame,
    grid: pd.DatetimeIndex,
    opened: npt.NDArray[np.bool_],
    minutes: int,
    *,
    end: pd.Timestamp | None = None,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """How long each ticket waited while its queue was open, and whether that ended because the customer gave up.

    Parameters
    ----------
    offered : DataFrame
        Rows of one queue that sought an agent within the grid.
    grid, opened, minutes
        As in :func:`of_tickets`.
    end : Timestamp, optional
        With it, who neither was answered nor gave up waits up to here; without, they are not known.

    Returns
    -------
    seconds : ndarray, shape (n,)
        To the first reply, to giving up, or to the end of the open stretch in which the ticket came, whatever is first;
        NaN for who came while it was closed and where it is not known.
    gone : ndarray of bool, shape (n,)
        Gave up while it was open.
    """
    at = grid.searchsorted(offered["offered_at"], side="right") - 1
    waited = _waited(offered)
    if end is not None:
        so_far = (end - offered["offered_at"]).dt.total_seconds().to_numpy(dtype=float)
        waited = np.where(np.isnan(waited) & _still_waiting(offered) & (so_far >= 0), so_far, waited)
    left = _closes_in(offered["offered_at"], at, grid, opened, minutes)
    here = opened[at] & ~np.isnan(waited)
    gone = here & _abandoned(offered) & (waited <= left)
    return np.where(here, np.minimum(waited, left), np.nan), gone


def of_intervals(rows: pd.DataFrame, known: tuple[str, ...], at: npt.NDArray[np.int64], n: int) -> dict[str, Floats]:
    """Sums of an interval file's columns over the intervals ``at`` of ``n``; empty where a part is not known."""
    out: dict[str, Floats] = {}
    for name in known:
        values = rows[name].to_numpy(dtype=float)
        total = np.bincount(at, weights=np.nan_to_num(values), minlength=n)
        told, rows_there = np.bincount(at, weights=~np.isnan(values), minlength=n), np.bincount(at, minlength=n)
        out[name] = np.where((rows_there > 0) & (told == rows_there), total, np.nan)
    return out


def _closes_in(
    offered: pd.Series, at: npt.NDArray[np.int64], grid: pd.DatetimeIndex, opened: npt.NDArray[np.bool_], minutes: int
) -> Floats:
    """Seconds from each ticket to the end of the open stretch it came in; infinite where that is the grid's end."""
    shut = np.append(np.flatnonzero(~opened), len(grid))
    closing = shut[np.searchsorted(shut, at)]
    never = closing == len(grid)
    seconds = (grid[np.minimum(closing, len(grid) - 1)] - pd.DatetimeIndex(offered)) / pd.Timedelta(seconds=1)
    return np.where(never, np.inf, np.asarray(seconds, dtype=float))


def _abandoned(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    if "outcome" not in frame:
        return np.zeros(len(frame), dtype=bool)
    return frame["outcome"].eq("abandoned").fillna(value=False).to_numpy(dtype=bool)


def _still_waiting(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Neither answered nor resolved nor gone, as far as the log knows."""
    waiting = pd.Series(data=True, index=frame.index)
    for name in ("first_response_at", "resolved_at"):
        if name in frame:
            waiting &= frame[name].isna()
    if "outcome" in frame:
        waiting &= frame["outcome"].isna() | frame["outcome"].eq("open").fillna(value=False)
    return waiting.to_numpy(dtype=bool)


def _bot_closed(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Never sought a person, as far as is known because the bot was enough."""
    never = frame["offered_at"].isna()
    if "outcome" in frame:
        never &= frame["outcome"].eq("bot_closed").fillna(value=False)
    elif "resolved_at" in frame:
        never &= frame["resolved_at"].notna()
    return never.to_numpy(dtype=bool)


def _waited(frame: pd.DataFrame) -> Floats:
    """Seconds from seeking an agent to the first reply, or for who gave up to then; NaN where not known."""
    seconds = np.full(len(frame), np.nan)
    for name in ("resolved_at", "first_response_at"):
        if name in frame:
            until = (frame[name] - frame["offered_at"]).dt.total_seconds().to_numpy(dtype=float)
            use = ~np.isnan(until) & (_abandoned(frame) | (name == "first_response_at"))
            seconds = np.where(use, until, seconds)
    if "wait_s" in frame:
        told = frame["wait_s"].to_numpy(dtype=float)
        seconds = np.where(np.isnan(told), seconds, told)
    seconds[seconds < 0] = np.nan
    return seconds
