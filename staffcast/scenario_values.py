"""How one value of a scenario is read and checked, whether from TOML or from a flag."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import pandas as pd

from staffcast.contracts import (
    INTERVAL_MINUTES,
    Calendar,
    Event,
    bad_value,
    parse_change,
    parse_duration_s,
    parse_share,
)

__all__ = [
    "NewQueue",
    "above_zero",
    "columns",
    "country",
    "dates",
    "events",
    "flag",
    "from_one",
    "horizon",
    "hours",
    "instant",
    "interval",
    "name",
    "names",
    "new_queues",
    "one_of",
    "path",
    "patience",
    "rising_times",
    "whole",
]


@dataclass(frozen=True, kw_only=True)
class NewQueue:
    """A channel or topic that opens and has no history, as the planner expects it.

    Attributes
    ----------
    like : str
        The queue whose course of the week it takes, and whose handle times and hours where it has none of its own.
    per_week : float
        Tickets in an average week that nobody had before, once it is known to all.
    moves : mapping of queue to float
        Shares of other queues' tickets that come here instead.
    begins : date or None
        First day; None: the plan's first.
    ramp_up_days : float
        Days from then in which it grows evenly to that size.
    cv : float
        How far the guess may be off: standard deviation ÷ mean.
    """

    like: str
    per_week: float = 0.0
    moves: Mapping[str, float] = field(default_factory=dict)
    begins: dt.date | None = None
    ramp_up_days: float = 0.0
    cv: float = 0.25


def above_zero(parameter: str, value: object) -> float:
    """Duration above 0, in seconds."""
    seconds = parse_duration_s(value, parameter=parameter)
    if not seconds > 0:
        raise bad_value(parameter, value, "a duration above 0 s")
    return seconds


def patience(value: object) -> float | None:
    """Mean patience in seconds; None: nobody gives up; NaN: as measured in the log."""
    return None if value == "none" else math.nan if value == "measured" else above_zero("patience", value)


def from_one(parameter: str, value: object) -> float:
    """Number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value < float("inf"):
        raise bad_value(parameter, value, "a number of at least 1")
    return float(value)


def rising_times(parameter: str, value: object) -> tuple[float, ...]:
    """Durations that do not fall, in seconds."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, (list, tuple)) or not value:
        raise bad_value(parameter, value, 'handle times with 1, 2, … conversations in hand: ["6m", "8m", "11m"]')
    times = tuple(above_zero(parameter, each) for each in value)
    if any(later < earlier for earlier, later in pairwise(times)):
        raise bad_value(
            parameter, list(value), "non-decreasing", "a conversation is not done sooner because there are more of them"
        )
    return times


def name(parameter: str, value: object, *, legal: str = "the name of a queue") -> str:
    """Name of a queue, or of what ``legal`` says."""
    if not isinstance(value, str) or not value:
        raise bad_value(parameter, value, legal)
    return value


def interval(value: object) -> int:
    """Length of an interval, in minutes."""
    minutes = parse_duration_s(value, parameter="interval") / 60
    if minutes not in INTERVAL_MINUTES:
        raise bad_value("interval", value, '"15m", "30m" or "60m"')
    return int(minutes)


def horizon(value: object) -> str:
    """How far to plan, as written."""
    days = parse_duration_s(value, parameter="horizon") / 86400
    if not 1 <= days <= 366:
        raise bad_value("horizon", value, "from 1 to 366 days")
    return str(value)


def hours(value: object) -> dict[str, str] | None:
    """Opening hours per day; None to learn them."""
    if value == "auto":
        return None
    if value == "always":
        return {"mon-sun": "00:00-24:00"}
    if not isinstance(value, dict):
        raise bad_value("hours", value, '"auto", "always" or a table like { mon-fri = "08:00-18:00" }')
    Calendar.parse("UTC", value)  # the zone is known later; what is wrong with the hours themselves is said now
    return {str(k): v for k, v in value.items()}


def country(value: object) -> str | None:
    """Country of the holidays, with its region if given."""
    if value == "none":
        return None
    if not isinstance(value, str) or not value:
        raise bad_value(
            "holidays", value, 'a country such as "DE", with its region "DE-BY", with more kinds of days "BR+optional"'
        )
    return value


def dates(parameter: str, value: object) -> tuple[dt.date, ...]:
    """Days."""
    legal = 'days: ["2026-12-24", "2026-12-31"]'
    if not isinstance(value, (list, tuple)):
        raise bad_value(parameter, value, legal)
    try:
        return tuple(v if type(v) is dt.date else dt.date.fromisoformat(str(v)) for v in value)
    except ValueError:
        raise bad_value(parameter, value, legal) from None


def events(value: object) -> tuple[tuple[Event, tuple[str, ...]], ...]:
    """The desk's own events, each with the queues that it concerns; none are all."""
    keys = ("name", "days", "change", "once", "queues")
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, dict) for v in value):
        raise bad_value("events", value, "tables", 'write [[events]] and below it name = "…" and days = ["2026-11-27"]')
    found = []
    for each in value:
        unknown = [key for key in each if key not in keys]
        if unknown:
            raise bad_value("events", f"a table with {unknown[0]!r}", f"tables of {', '.join(keys)}")
        change = each.get("change")
        once = flag("events.once", each.get("once", False))
        factor = None if change is None else parse_change(change, parameter="events.change")
        if factor is not None and not 0 < factor <= 100:
            raise bad_value("events.change", change, 'above "-100%" and at most "+9900%"')
        if once and change is not None:
            raise bad_value("events.change", change, "left out where `once` is true", "it will not come again")
        event = Event(
            name=name("events.name", each.get("name", ""), legal="a name for the event, in quotes"),
            days=frozenset(_days_and_spans(each.get("days", ()))), factor=factor, once=once,
        )  # fmt: skip
        found.append((event, names("events.queues", each.get("queues", ()))))
    twice = [e.name for e, _ in found if sum(e.name == other.name for other, _ in found) > 1]
    if twice:
        raise bad_value("events.name", twice[0], "different for each event", "give all its days in one table")
    return tuple(found)


_NEW_QUEUE = ("per_week", "per_day", "moves", "like", "from", "ramp_up", "cv")


def new_queues(value: object) -> dict[str, NewQueue]:
    """Queues that open, by name."""
    if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
        fix = 'write [new_queues.whatsapp] and below it per_week = 200 and like = "chat"'
        raise bad_value("new_queues", value, "tables, one per queue", fix)
    found = {str(queue): _new_queue(f"new_queues.{queue}", each) for queue, each in value.items()}
    for source in {source for each in found.values() for source in each.moves}:
        taken = sum(each.moves.get(source, 0.0) for each in found.values())
        if taken > 1 + 1e-9:
            raise bad_value("new_queues.*.moves", f"{taken:.0%} of {source!r} in all", "at most 100 % of a queue")
    return found


def _new_queue(where: str, values: Mapping[str, object]) -> NewQueue:
    for key in values:
        if key not in _NEW_QUEUE:
            close = difflib.get_close_matches(key, _NEW_QUEUE, n=1)
            fix = f"did you mean `{close[0]}`?" if close else ""
            raise bad_value(where, f"a table with {key!r}", f"a table of {', '.join(_NEW_QUEUE)}", fix)
    moves = values.get("moves", {})
    if not isinstance(moves, dict):
        raise bad_value(f"{where}.moves", moves, "shares of queues", 'write moves = { orders = "30%" }')
    shares = {str(source): parse_share(share, parameter=f"{where}.moves.{source}") for source, share in moves.items()}
    if "per_week" in values and "per_day" in values:
        raise bad_value(f"{where}.per_day", values["per_day"], "left out where `per_week` is given")
    weekly = _above_zero_number(f"{where}.per_week", values["per_week"]) if "per_week" in values else 0.0
    if "per_day" in values:
        weekly = 7 * _above_zero_number(f"{where}.per_day", values["per_day"])
    if not weekly and not any(shares.values()):
        raise bad_value(where, "no tickets", "per_week, per_day or moves", "say how many tickets it will have")
    like = values.get("like", next(iter(shares), None))
    if like is None:
        raise bad_value(f"{where}.like", "nothing", "the name of a queue", "say whose course of the week it will take")
    ramp = parse_duration_s(values.get("ramp_up", "0d"), parameter=f"{where}.ramp_up") / 86400
    if not 0 <= ramp <= 366:
        raise bad_value(f"{where}.ramp_up", values["ramp_up"], "from 0 to 366 days")
    begins = dates(f"{where}.from", [values["from"]]) if "from" in values else (None,)
    return NewQueue(
        like=name(f"{where}.like", like), per_week=weekly, moves=shares, begins=begins[0], ramp_up_days=ramp,
        cv=parse_share(values.get("cv", NewQueue.cv), parameter=f"{where}.cv"),
    )  # fmt: skip


def _above_zero_number(parameter: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise bad_value(parameter, value, "a number of tickets above 0")
    return float(value)


def _days_and_spans(value: object) -> list[dt.date]:
    legal = 'days and spans of days: ["2026-11-27", "2026-12-01..2026-12-20"]'
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)):
        raise bad_value("events.days", value, legal)
    days = []
    for each in value:
        first, span, last = str(each).partition("..")
        if span and not last.strip():
            raise bad_value("events.days", each, legal, "say the last day too")
        try:
            start, end = dt.date.fromisoformat(first.strip()), dt.date.fromisoformat((last or first).strip())
        except ValueError:
            raise bad_value("events.days", each, legal) from None
        if not start <= end <= start + dt.timedelta(days=366):
            raise bad_value("events.days", each, legal, "the first day first, and at most a year")
        days += [start + dt.timedelta(days=k) for k in range((end - start).days + 1)]
    return days


def names(parameter: str, value: object) -> tuple[str, ...]:
    """Several names."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise bad_value(parameter, value, 'names: "a, b" or ["a", "b"]')


def columns(value: object) -> dict[str, str]:
    """Canonical name to the log's."""
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise bad_value("columns", value, 'a table like { created_at = "Created time" }')
    return dict(value)


def flag(parameter: str, value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise bad_value(parameter, value, "true or false")
    return value


def path(parameter: str, value: object) -> str | None:
    """Name of a file."""
    if value == "none":
        return None
    if not isinstance(value, str) or not value:
        raise bad_value(parameter, value, "the name of a file")
    return value


def whole(parameter: str, value: object, low: int, high: int) -> int:
    """Whole number in a range."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise bad_value(parameter, value, f"a whole number from {low} to {high}")
    return value


def one_of(parameter: str, value: object, legal: tuple[str, ...]) -> str:
    """One of several words."""
    if value not in legal:
        raise bad_value(parameter, value, " or ".join(f'"{v}"' for v in legal))
    return str(value)


def instant(parameter: str, given: object) -> pd.Timestamp:
    """Date or time."""
    value = given
    # ISO only: 1.4.2025 would be read as 4 January by some and 1 April by others.
    if isinstance(value, str) and not re.match(r"\s*\d{4}-\d\d-\d\d", value):
        value = None
    try:
        instant = pd.Timestamp(value) if isinstance(value, (str, dt.date)) else pd.NaT
    except (ValueError, TypeError):
        instant = pd.NaT
    if not isinstance(instant, pd.Timestamp):
        raise bad_value(parameter, given, "a date or time like 2026-03-01 or 2026-03-01T09:00")
    return instant
