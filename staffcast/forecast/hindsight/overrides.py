"""One override: what a planner knows and the past does not say, and how it is read from a file."""

from __future__ import annotations

import contextlib
import datetime as dt
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from staffcast.contracts import InputError, bad_value, parse_change

__all__ = ["EVERY_QUEUE", "KEYS", "NEEDED", "Override", "is_empty", "read_override", "require_known"]

EVERY_QUEUE = "*"
KEYS = ("start", "end", "queue", "factor", "add", "reason", "author", "entered")
NEEDED = ("start", "end", "queue", "reason", "author")
_MOST, _MOST_TICKETS = 100.0, 1e9
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*([Zz]|[+-]\d\d:?\d\d)?)?")


@dataclass(frozen=True, kw_only=True)
class Override:
    """One entry of the ledger.

    Attributes
    ----------
    start, end : Timestamp
        The span, aware, ``end`` not in it.
    queue : str
        Name of a queue, or ``*`` for all.
    reason, author : str
        Not empty: without them nobody can learn from it.
    factor : float or None
        What the forecast is multiplied by, in [0, 100].
    add : float or None
        Tickets put on top, in all over the span (with ``*`` over all queues together); below 0 takes off.
        Exactly one of ``factor`` and ``add`` is given.
    entered : Timestamp or None
        When it was written down.

    Raises
    ------
    InputError
        A value outside its range.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    queue: str
    reason: str
    author: str
    factor: float | None = None
    add: float | None = None
    entered: pd.Timestamp | None = None

    def __post_init__(self) -> None:
        for name in ("start", "end") if self.entered is None else ("start", "end", "entered"):
            moment = getattr(self, name)
            if not isinstance(moment, pd.Timestamp) or moment.tzinfo is None:
                raise bad_value(name, moment, "an instant with its zone", 'write pd.Timestamp("2026-03-01", tz="UTC")')
        for name in ("queue", "reason", "author"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise bad_value(name, getattr(self, name), "a text that is not empty", _WHY_TEXT[name])
        if self.end <= self.start:
            raise bad_value(
                "end", self.end.isoformat(), f"after `start` ({self.start.isoformat()})",
                "a bare day as end means the end of that day; a clock time that a change to summer time skips "
                "stands for the end of the gap",
            )  # fmt: skip
        if (self.factor is None) == (self.add is None):
            found = "neither" if self.factor is None else "both"
            raise InputError(f"exactly one of `factor` and `add` must be filled, got {found}; make two entries of both")
        if self.factor is not None and not (_is_number(self.factor) and 0 <= self.factor <= _MOST):
            fix = "+20 % is 1.2 or written +20%, -10 % is 0.9"
            raise bad_value("factor", self.factor, f"in [0, {_MOST:g}]", fix)
        if self.add is not None and not (_is_number(self.add) and abs(self.add) <= _MOST_TICKETS):
            raise bad_value("add", self.add, f"a number of tickets in all over the span, up to {_MOST_TICKETS:g}")

    def describe(self) -> str:
        """One line for people."""
        change = f"× {self.factor:g}" if self.factor is not None else f"{self.add:+g} tickets"
        return f"{change} from {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} ({self.reason}, {self.author})"

    def record(self) -> dict[str, Any]:
        """Plain values under the keys of the file, as JSON can hold them."""
        values = {key: getattr(self, key) for key in KEYS}
        return {key: v.isoformat() if isinstance(v, pd.Timestamp) else v for key, v in values.items()}


_WHY_TEXT = {
    "queue": "name one queue, or write * for all",
    "reason": "say what is known: campaign, release, outage …",
    "author": "say who knows it",
}


def read_override(record: Mapping[str, Any], *, zone: str) -> Override:
    """Override from the values of a row or a TOML table: text as people write it, or TOML's own kinds.

    Raises
    ------
    InputError
        An unknown key, a missing or unreadable value, one outside its range.

    Examples
    --------
    >>> one = {"start": "2026-03-29", "end": "2026-03-29", "queue": "a", "add": "-5", "reason": "fair", "author": "Ana"}
    >>> made = read_override(one, zone="Europe/Berlin")
    >>> made.describe(), str(made.end - made.start)
    ('-5 tickets from 2026-03-29 00:00 to 2026-03-30 00:00 (fair, Ana)', '0 days 23:00:00')
    """
    require_known(list(record), list(KEYS), "key")
    given = {k: v.strip() if isinstance(v, str) else v for k, v in record.items() if not is_empty(v)}
    for key in NEEDED:
        if key not in given:
            raise InputError(f"`{key}` is empty; {_WHY_TEXT.get(key, 'write a day or a time, like 2026-03-01T09:30')}")
    return Override(
        start=_moment("start", given["start"], zone),
        end=_moment("end", given["end"], zone, through=True),
        entered=_moment("entered", given["entered"], zone) if "entered" in given else None,
        factor=_number("factor", given["factor"]) if "factor" in given else None,
        add=_number("add", given["add"]) if "add" in given else None,
        **{key: given[key] for key in ("queue", "reason", "author")},
    )


def require_known(names: Sequence[str], known: Sequence[str], what: str) -> None:
    """Refuse a column or key that nobody would read.

    Raises
    ------
    InputError
        With the name that was probably meant.
    """
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"a ledger has {', '.join(known)}"
            raise InputError(f"unknown {what} `{name}`; {hint}")


def _moment(parameter: str, given: object, zone: str, *, through: bool = False) -> pd.Timestamp:
    legal = "a day like 2026-03-01, or a time like 2026-03-01T09:30 (wall clock) or 2026-03-01T09:30+01:00"
    moment = None
    # ISO only: 1.4.2026 would be read as 4 January by some and 1 April by others.
    if isinstance(given, dt.date) or (isinstance(given, str) and _MOMENT.fullmatch(given)):
        with contextlib.suppress(ValueError, OverflowError):  # 2026-02-30
            moment = pd.Timestamp(given)
    # Beyond these years the arithmetic of nanoseconds ends.
    if not isinstance(moment, pd.Timestamp) or not 1970 <= moment.year <= 2200:
        raise bad_value(parameter, given, legal)
    bare = len(given) == 10 if isinstance(given, str) else not isinstance(given, dt.datetime)
    if bare and through:
        moment += pd.Timedelta(days=1)
    if moment.tzinfo is None:
        moment = moment.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    return moment.tz_convert(zone)


def _number(parameter: str, given: object) -> float:
    if isinstance(given, str):
        if parameter == "factor" and given.endswith("%"):
            return parse_change(given, parameter=parameter)
        # A decimal comma is one; before three digits it might also part thousands.
        text = given.replace(",", ".") if re.fullmatch(r"[+-]?\d+,(\d{1,2}|\d{4,})", given) else given
        try:
            return float(text)
        except ValueError:
            raise bad_value(parameter, given, "a number", "write 1.2 or 1200, without thousands separators") from None
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not abs(given) <= _MOST_TICKETS:
        raise bad_value(parameter, given, "a number")
    return float(given)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_empty(value: object) -> bool:
    """Whether a cell has nothing in it; read from CSV that is NaN."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))
