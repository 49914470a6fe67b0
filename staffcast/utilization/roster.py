"""Logged-in time, utilization, occupancy and shrinkage from a roster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from staffcast.contracts import ROSTER, InputError
from staffcast.contracts.files import read_frame
from staffcast.tickets import TicketLog, parse_times

__all__ = ["AVAILABLE", "OFF", "read_roster", "utilization", "within"]

AVAILABLE = "available"
# Paid but not logged in; every other state that is not "available" is logged in and unavailable.
OFF = ("absent", "sick", "leave", "offline")


def read_roster(source: str | Path | pd.DataFrame, *, zone: str | None = None) -> pd.DataFrame:
    """Read who was on duty when.

    Parameters
    ----------
    source : path or DataFrame
        The roster table: ``agent, start, end, state``; stretches of one agent do not overlap.
    zone : str, optional
        Zone of wall-clock times.

    Raises
    ------
    InputError
        A stretch that ends before it starts, or two of one agent that overlap.
    """
    file = None if isinstance(source, pd.DataFrame) else Path(source)
    frame = source.reset_index(drop=True) if isinstance(source, pd.DataFrame) else read_frame(source)
    for column in ("start", "end"):
        if column in frame:
            frame = frame.assign(**{column: parse_times(frame[column], zone=zone, column=column, file=file).times})
    frame = ROSTER.check(frame, file=file)
    backwards = frame["end"] <= frame["start"]
    if backwards.any():
        row = int(np.flatnonzero(backwards)[0])
        raise InputError(f"ends at {frame['end'][row]}, not after its start", file=file, row=row + 2, column="end")
    ordered = frame.sort_values(["agent", "start"], kind="stable")
    overlap = (ordered["start"] < ordered["end"].shift()) & (ordered["agent"] == ordered["agent"].shift())
    if overlap.any():
        row = int(overlap.index[int(overlap.argmax())])
        raise InputError(
            f"agent {frame['agent'][row]} has two stretches that overlap from {frame['start'][row]}",
            file=file, row=row + 2, column="start",
        )  # fmt: skip
    return ordered.reset_index(drop=True)


def utilization(roster: pd.DataFrame, log: TicketLog | None = None) -> pd.DataFrame:
    """Hours, shrinkage, utilization and occupancy per agent, with the whole team in the last row.

    Parameters
    ----------
    roster : DataFrame
        From :func:`read_roster`.
    log : TicketLog, optional
        Gives the handling. The two are compared where both are: the roster is cut to the log's span (first ticket to
        end), and only tickets first answered within the roster's span count.

    Returns
    -------
    DataFrame
        ``agent, paid_h, logged_in_h, available_h, shrinkage`` (1 − available ÷ paid) and, with a log, ``handling_h,
        tickets, utilization`` (handling ÷ logged-in) and ``occupancy`` (handling ÷ available).
    """
    if log is not None:
        roster = within(roster, log.frame["created_at"].min(), log.end)
    hours = (roster["end"] - roster["start"]).dt.total_seconds() / 3600
    state = roster["state"].str.lower()
    table = pd.DataFrame(
        {
            "agent": roster["agent"],
            "paid_h": hours,
            "logged_in_h": hours.where(~state.isin(OFF), 0.0),
            "available_h": hours.where(state == AVAILABLE, 0.0),
        }
    )
    table = table.groupby("agent", as_index=False).sum()
    if log is not None and {"agent", "handle_s", "first_response_at"} <= set(log.frame):
        inside = log.frame["first_response_at"].between(roster["start"].min(), roster["end"].max())
        handled = log.frame[inside & log.frame["agent"].isin(table["agent"])].groupby("agent")["handle_s"]
        table["handling_h"] = table["agent"].map(handled.sum() / 3600).fillna(0.0).astype(float)
        table["tickets"] = table["agent"].map(handled.size()).fillna(0).astype(int)
    total = table.drop(columns="agent").sum().to_frame().T.assign(agent="all")
    table = pd.concat([table, total], ignore_index=True)[list(table.columns)]
    table["shrinkage"] = 1 - table["available_h"] / table["paid_h"]
    if "handling_h" in table:
        table["tickets"] = table["tickets"].astype(int)
        table["utilization"] = table["handling_h"] / table["logged_in_h"].where(table["logged_in_h"] > 0)
        table["occupancy"] = table["handling_h"] / table["available_h"].where(table["available_h"] > 0)
    return table


def within(roster: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Cut stretches to a span; what lies outside is dropped."""
    start, end = roster["start"], roster["end"]
    cut = roster.assign(start=start.where(start > first, first), end=end.where(end < last, last))
    cut = cut[cut["end"] > cut["start"]].reset_index(drop=True)
    if cut.empty:
        raise InputError(
            f"the roster ({start.min()} to {end.max()}) and the log ({first} to {last}) have no time in common; "
            "give the roster of the log's span"
        )
    return cut
