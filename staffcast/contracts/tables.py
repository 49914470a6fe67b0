"""The tables that pass between rooms: which columns, of what kind, in what range; checked once, at the door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from staffcast.contracts.calendar import OFFSET_PATTERN
from staffcast.contracts.errors import InputError, fit_to_show

__all__ = [
    "BACKTEST",
    "DEMAND",
    "OUTCOME",
    "REQUIREMENT",
    "ROSTER",
    "SERIES",
    "TICKETS",
    "Column",
    "Table",
    "quantile_column",
]

# A longer text in a column of times or numbers may be a customer's message that slipped there.
_LONGEST_SHOWN = 12

Kind = Literal["text", "time", "number", "whole", "flag"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its kind, whether it must be there, whether it may be empty, its legal range."""

    kind: Kind
    about: str
    required: bool = True
    nullable: bool = False
    low: float = -np.inf
    high: float = np.inf
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table contract. ``made_by`` says which command writes it, so that errors can say what to do."""

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    made_by: str
    about: str = field(default="")

    def check(self, frame: pd.DataFrame, *, file: str | Path | None = None) -> pd.DataFrame:
        """Return ``frame`` with its columns in their kinds.

        Parameters
        ----------
        frame : DataFrame
            Any frame with the contract's columns; further columns pass through.
        file : path, optional
            Named in errors.

        Returns
        -------
        DataFrame
            A new frame, in the order given, index 0 … n−1.

        Raises
        ------
        InputError
            A missing column, an empty or unreadable value, one outside its range, or a key that stands twice.
        """
        self.require_columns(frame, file=file)
        if frame.empty:
            raise InputError(f"the {self.name} table has no rows. {self.made_by}", file=file)
        out = frame.reset_index(drop=True)
        changed = {
            name: _in_kind(out[name], column, name, file)
            for name, column in self.columns.items()
            if name in out.columns
        }
        out = out.assign(**changed)
        twice = pd.Series(data=False, index=out.index) if _rising(out, self.key) else out.duplicated(list(self.key))
        if twice.any():
            row = int(np.flatnonzero(twice.to_numpy())[0])
            # As the file has it: an instant in another zone would not be found there.
            value = ", ".join(f"{k}={frame[k].iloc[row]!s}" for k in self.key)
            raise InputError(
                f"{value} stands twice ({int(twice.sum())} such rows); keep one row for each {' and '.join(self.key)}",
                file=file, row=row + 2,
            )  # fmt: skip
        return out

    def require_columns(self, frame: pd.DataFrame, *, file: str | Path | None = None) -> None:
        """Check that every column the contract asks for is there.

        Raises
        ------
        InputError
            Names what lacks and what was found.
        """
        missing = [name for name, column in self.columns.items() if column.required and name not in frame.columns]
        if missing:
            found = ", ".join(map(str, frame.columns)) or "none"
            raise InputError(
                f"the {self.name} table lacks {', '.join(missing)}; it has: {found}. {self.made_by}", file=file
            )


def _rising(frame: pd.DataFrame, key: tuple[str, ...]) -> bool:
    """Whether no row can stand twice: no key, or times that rise from row to row of each queue, as most tables have it.

    Far quicker than looking every row up.
    """
    if len(key) != 2 or not isinstance(frame[key[1]].dtype, pd.DatetimeTZDtype):
        return not key
    codes, names = pd.factorize(frame[key[0]])
    same = codes[1:] == codes[:-1]
    later = np.diff(pd.DatetimeIndex(frame[key[1]]).asi8) > 0
    return bool(later[same].all()) and int((~same).sum()) == len(names) - 1


def _in_kind(values: pd.Series, column: Column, name: str, file: str | Path | None) -> pd.Series:
    def fail(bad: pd.Series, message: str) -> None:
        if bad.any():
            rows = np.flatnonzero(bad.to_numpy())
            more = f" ({len(rows)} such rows)" if len(rows) > 1 else ""
            value = values.iloc[rows[0]]
            if isinstance(value, str) and len(value) > _LONGEST_SHOWN:
                value = fit_to_show(value)
            raise InputError(message.format(value=value) + more, file=file, row=int(rows[0]) + 2, column=name)

    empty = values.isna()
    if not column.nullable:
        fail(empty, f"is empty; give a value ({column.about})")
    if column.kind == "text":
        return values.astype("string")
    if column.kind == "time":
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            return values
        try:
            parsed = pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601")
        except (ValueError, TypeError):
            parsed = pd.Series(pd.NaT, index=values.index, dtype="datetime64[ns, UTC]")
        fail(parsed.isna() & ~empty, "cannot read {value!r} as a time; write 2026-03-01T09:30:00+01:00")
        naive = ~values.astype(str).str.strip().str.extract(OFFSET_PATTERN)[0].notna()
        fail(naive & ~empty, "is {value}, wall clock without an offset; write 2026-03-01T09:30:00+01:00")
        return parsed
    if column.kind == "flag":
        known = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
        flags = values.astype(str).str.lower().map(known)
        fail(flags.isna(), "cannot read {value!r} as true or false")
        return flags.astype(bool)
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    if (numbers.isna() & ~empty).any() and not values.astype(str).str.contains(".", regex=False).any():
        # A spreadsheet in a country with decimal commas; with points in the column too, nobody knows what is meant.
        numbers = pd.to_numeric(values.astype(str).str.replace(",", "."), errors="coerce").astype(float)
    unit = f" {column.unit}" if column.unit else ""
    fail(numbers.isna() & ~empty, "cannot read {value!r} as a number")
    legal = f"[{column.low:g}, {column.high:g}{']' if np.isfinite(column.high) else ')'}{unit}"
    outside = (numbers < column.low) | (numbers > column.high) | np.isinf(numbers)
    fail(outside, f"is {{value}}, outside {legal}; {column.about}")
    if column.kind == "whole":
        fail((numbers != np.floor(numbers)) & ~empty, "is {value}, not a whole number")
        return numbers if column.nullable else numbers.astype(np.int64)
    return numbers


def quantile_column(q: float) -> str:
    """Name of the column that holds a quantile: ``0.05`` is ``q05``.

    Examples
    --------
    >>> quantile_column(0.05), quantile_column(0.975)
    ('q05', 'q97.5')
    """
    return f"q{100 * q:04.1f}".removesuffix(".0") if (100 * q) % 1 else f"q{round(100 * q):02d}"


_QUEUE = Column(kind="text", about="name of the queue")
_DS = Column(kind="time", about="start of the interval, with its offset")

TICKETS = Table(
    name="tickets",
    made_by="A ticket log has one row per ticket; rename its columns with [columns] in the scenario or --column.",
    key=("ticket_id",),
    columns={
        "ticket_id": Column(kind="text", about="the help desk's id"),
        "created_at": Column(kind="time", about="the customer's first message"),
        "queue": Column(kind="text", about="queue, team or group", required=False),
        "offered_at": Column(
            kind="time", about="seeks an agent (bot hand-over); empty: never", required=False, nullable=True
        ),
        "first_response_at": Column(kind="time", about="first reply by a person", required=False, nullable=True),
        "resolved_at": Column(kind="time", about="closed", required=False, nullable=True),
        "assigned_at": Column(kind="time", about="first given to an agent", required=False, nullable=True),
        "bot_first_response_at": Column(kind="time", about="first automated reply", required=False, nullable=True),
        "last_customer_at": Column(kind="time", about="the customer's last message", required=False, nullable=True),
        "last_reply_at": Column(kind="time", about="the last reply by a person", required=False, nullable=True),
        "handed_back_at": Column(
            kind="time", about="a person handed it back to the bot", required=False, nullable=True
        ),
        "reopened_at": Column(kind="time", about="last reopened", required=False, nullable=True),
        "handle_s": Column(
            kind="number", about="active time of the agent", required=False, nullable=True, low=0, unit="s"
        ),
        "wait_s": Column(
            kind="number", about="wait until answered or given up", required=False, nullable=True, low=0, unit="s"
        ),
        "mean_reply_s": Column(
            kind="number", about="mean of every reply gap", required=False, nullable=True, low=0, unit="s"
        ),
        "stated_frt_s": Column(
            kind="number",
            about="first response time as the help desk states it, calendar clock",
            required=False,
            nullable=True,
            unit="s",
        ),
        "stated_frt_business_s": Column(
            kind="number", about="the same in its business hours", required=False, nullable=True, unit="s"
        ),
        "stated_resolution_s": Column(
            kind="number", about="resolution time as stated, calendar clock", required=False, nullable=True, unit="s"
        ),
        "stated_resolution_business_s": Column(
            kind="number", about="the same in its business hours", required=False, nullable=True, unit="s"
        ),
        "reopens": Column(kind="whole", about="times reopened", required=False, nullable=True, low=0),
        "replies": Column(kind="whole", about="replies by people", required=False, nullable=True, low=0),
        "assignees": Column(
            kind="whole", about="how many agents it was given to", required=False, nullable=True, low=0
        ),
        "customer_messages": Column(
            kind="whole", about="messages by the customer", required=False, nullable=True, low=0
        ),
        "csat": Column(kind="number", about="rating 1–5", required=False, nullable=True, low=1, high=10),
        "nps": Column(kind="number", about="would recommend, 0–10", required=False, nullable=True, low=0, high=10),
        "ces": Column(kind="number", about="effort score, 1–10", required=False, nullable=True, low=1, high=10),
        "priority": Column(kind="text", about="class; the smallest goes first", required=False, nullable=True),
        "channel": Column(kind="text", about="whatsapp, chat, phone …", required=False, nullable=True),
        "direction": Column(kind="text", about="inbound or outbound", required=False, nullable=True),
        "topic": Column(kind="text", about="what it is about", required=False, nullable=True),
        "bot_option": Column(kind="text", about="keyword or menu option", required=False, nullable=True),
        "team": Column(kind="text", about="the agent's team", required=False, nullable=True),
        "agent": Column(kind="text", about="who answered", required=False, nullable=True),
        "customer_id": Column(kind="text", about="who asked", required=False, nullable=True),
        "status": Column(kind="text", about="as the help desk has it", required=False, nullable=True),
        "outcome": Column(kind="text", about="answered, abandoned, bot_closed, open …", required=False, nullable=True),
    },
)

SERIES = Table(
    name="series",
    made_by="`staffcast count LOG` writes it; or give an interval file with timestamp, queue and count.",
    key=("unique_id", "ds"),
    columns={
        "unique_id": _QUEUE,
        "ds": _DS,
        "y": Column(
            kind="number", about="tickets that arrived in the interval; empty = not known", nullable=True, low=0
        ),
        "aht_s": Column(kind="number", about="mean handle time", required=False, nullable=True, low=0, unit="s"),
        "open": Column(kind="flag", about="whether the queue was open", required=False),
        "abandoned": Column(
            kind="number", about="of y, gave up while the queue was open", required=False, nullable=True, low=0
        ),
        "waited_s": Column(
            kind="number",
            about="all their waiting while it was open, answered or not",
            required=False,
            nullable=True,
            low=0,
            unit="s",
        ),
        "bot_closed": Column(
            kind="number", about="conversations, not in y, that the bot closed", required=False, nullable=True, low=0
        ),
        "reopened": Column(kind="number", about="of y, reopened later", required=False, nullable=True, low=0),
    },
)

DEMAND = Table(
    name="demand",
    made_by="`staffcast forecast LOG` writes it.",
    key=("unique_id", "ds"),
    columns={
        "unique_id": _QUEUE,
        "ds": _DS,
        "mean": Column(kind="number", about="expected tickets in the interval", low=0),
        "carried": Column(kind="number", about="of mean, those waiting at opening", required=False, low=0),
        "aht_s": Column(kind="number", about="mean handle time", required=False, nullable=True, low=1e-9, unit="s"),
        "open": Column(kind="flag", about="whether the queue is open", required=False),
        "rate_cv": Column(kind="number", about="relative sd of the rate itself", required=False, low=0, high=10),
        "share_level": Column(
            kind="number", about="part of its variance common to the horizon", required=False, low=0, high=1
        ),
        "share_day": Column(kind="number", about="part common to a day", required=False, low=0, high=1),
        "aht_cv": Column(
            kind="number", about="relative sd of the mean handle time", required=False, nullable=True, low=0, high=10
        ),
        "patience_s": Column(kind="number", about="mean patience", required=False, nullable=True, low=1e-9, unit="s"),
        "patience_cv": Column(kind="number", about="its relative sd", required=False, nullable=True, low=0),
        "bot_share": Column(
            kind="number", about="bot-closed of all conversations", required=False, nullable=True, low=0, high=1
        ),
        "bot_share_sd": Column(kind="number", about="its sd", required=False, nullable=True, low=0, high=1),
        "reopen_share": Column(
            kind="number", about="reopened of the tickets", required=False, nullable=True, low=0, high=1
        ),
        "reopen_share_sd": Column(kind="number", about="its sd", required=False, nullable=True, low=0, high=1),
    },
)

REQUIREMENT = Table(
    name="requirement",
    made_by="`staffcast staff DEMAND` writes it.",
    key=("unique_id", "ds"),
    columns={
        "unique_id": _QUEUE,
        "ds": _DS,
        "agents": Column(kind="whole", about="people answering in the interval", low=0, high=10_000_000),
        "rostered": Column(kind="whole", about="people paid in the interval", required=False, low=0),
        "load_erl": Column(kind="number", about="offered load", required=False, low=0, unit="erlang"),
        "occupancy": Column(
            kind="number", about="handling ÷ (handling + idle)", required=False, nullable=True, low=0, high=1
        ),
        "binding": Column(kind="text", about="which rule set the number", required=False),
        "in_gaps": Column(
            kind="number", about="agents' worth of work done by others", required=False, nullable=True, low=0
        ),
        "slots_busy": Column(
            kind="number", about="conversations held, of those possible", required=False, nullable=True, low=0, high=1
        ),
    },
)

BACKTEST = Table(
    name="backtest",
    made_by="`staffcast backtest LOG` writes it.",
    key=("unique_id", "model", "origin"),
    columns={
        "unique_id": _QUEUE,
        "model": Column(kind="text", about="name of the model"),
        "origin": Column(kind="time", about="what came before was known"),
        "wape": Column(kind="number", about="sum of absolute errors ÷ sum of tickets", nullable=True, low=0),
    },
)

OUTCOME = Table(
    name="outcome",
    made_by="`staffcast simulate DEMAND REQUIREMENT` writes it.",
    key=("unique_id", "ds"),
    columns={"unique_id": _QUEUE, "ds": _DS},
)

ROSTER = Table(
    name="roster",
    made_by="A roster has one row per agent and stretch of time: agent, start, end, state.",
    key=("agent", "start"),
    columns={
        "agent": Column(kind="text", about="who"),
        "start": Column(kind="time", about="from"),
        "end": Column(kind="time", about="to"),
        "state": Column(kind="text", about="available, or why not: break, training, meeting, absent …"),
    },
)
