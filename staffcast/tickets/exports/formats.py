"""What an export format is: which column of the file is which of ours, in what unit, by whose clock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from staffcast.contracts import SERIES, TICKETS, bad_value
from staffcast.contracts.tables import Column

__all__ = ["INNER", "LABELS", "PEOPLE", "UNIT_S", "Binding", "Field", "Format", "bind", "column_of", "normal_name"]

Kind = Literal["tickets", "metrics", "comments", "events", "intervals"]

# Seconds in a unit. ``hms`` is HH:MM:SS, which is understood in every unit.
UNIT_S = {"s": 1.0, "ms": 0.001, "min": 60.0, "h": 3600.0, "hms": 1.0}
PEOPLE = ("agent", "customer_id", "_author")
LABELS = ("queue", "channel", "priority", "direction", "topic", "bot_option", "team", "status", "outcome")
# Columns that steps of the import need and the ticket table does not keep.
INNER: Mapping[str, Column] = {
    "_updated": Column(kind="time", about="last changed", required=False, nullable=True),
    "_event": Column(kind="text", about="kind of event"),
    "_start": Column(kind="time", about="event's start", required=False, nullable=True),
    "_end": Column(kind="time", about="event's end"),
    "_value_s": Column(kind="number", about="event's value", required=False, nullable=True, unit="s"),
    "_value_business_s": Column(kind="number", about="in business hours", required=False, nullable=True, unit="s"),
    "_author": Column(kind="text", about="who wrote", required=False, nullable=True),
    "_public": Column(kind="text", about="whether the customer saw it", required=False, nullable=True),
    "_time_of_day": Column(kind="text", about="clock time where the date stands apart"),
    "_handled": Column(kind="number", about="tickets handled", required=False, nullable=True, low=0),
    "_handle_total_s": Column(kind="number", about="their handle time", required=False, nullable=True, low=0, unit="s"),
    "_wrap_total_s": Column(kind="number", about="their wrap-up", required=False, nullable=True, low=0, unit="s"),
    "_channel": Column(kind="text", about="voice, chat …", required=False, nullable=True),
    "_waited_lost_s": Column(
        kind="number", about="waits of who gave up", required=False, nullable=True, low=0, unit="s"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Field:
    """Where one of our columns comes from.

    Attributes
    ----------
    names : tuple of str
        Columns of the export, as :func:`normal_name` has them, the best first; an empty cell is filled from the next.
    unit : str
        Of a duration: a key of :data:`UNIT_S`.
    after : str
        The column is a duration after this instant of ours.
    values : mapping
        Words of the export and what they mean here; an empty meaning is "unknown".
    format : str
        How a time is written, as ``strptime`` has it; empty: found out.
    private : bool
        Replace the value by a pseudonym.
    """

    names: tuple[str, ...]
    unit: str = "s"
    after: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    format: str = ""
    private: bool = False

    def __post_init__(self) -> None:
        if self.unit not in UNIT_S:
            raise bad_value("unit", self.unit, f"one of {', '.join(UNIT_S)}")


@dataclass(frozen=True, kw_only=True)
class Format:
    """One vendor's export.

    Attributes
    ----------
    name, title : str
        As ``--format`` and as people call it.
    kind : str
        ``tickets`` rows are tickets; ``metrics`` rows add to tickets of another file; ``comments`` and ``events`` are
        many to a ticket; ``intervals`` are counts.
    fields : mapping
        Our column → where it comes from.
    marks : tuple of str
        Columns by which the format is known.
    least : int
        How many of ``marks`` must be there.
    clock : str
        What the vendor's own first response time counts.
    zone : str or None
        Zone of times without an offset, where the format fixes it.
    header : tuple of str
        The columns, where files have no header line.
    open_states : tuple of str
        Words of ``status`` for a ticket that is not closed, whatever it was before.
    dates : str
        Order of day and month, where a mapping says it.
    response_from_stated : bool
        Without its instant, the first response is creation + the stated time.
    """

    name: str
    title: str
    kind: Kind
    fields: Mapping[str, Field]
    marks: tuple[str, ...] = ()
    least: int = 2
    clock: str = ""
    zone: str | None = None
    header: tuple[str, ...] = ()
    response_from_stated: bool = False
    open_states: tuple[str, ...] = ()
    dates: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """Our columns without which a file of this format says nothing."""
        return {
            "tickets": ("ticket_id", "created_at"),
            "metrics": ("ticket_id",),
            "comments": ("ticket_id", "_end"),
            "events": ("ticket_id", "_event", "_end"),
            "intervals": ("ds", "y"),
        }[self.kind]


@dataclass(frozen=True, kw_only=True)
class Binding:
    """A format laid onto the columns of one file: our column → positions in the file, and how to read them."""

    format: Format
    at: Mapping[str, tuple[int, ...]]

    @property
    def positions(self) -> tuple[int, ...]:
        """Every position that is read, each once."""
        return tuple(sorted({p for places in self.at.values() for p in places}))


def normal_name(name: str) -> str:
    """Name of a column as formats have it: lower case, words joined by ``_``, vendors' prefixes taken off.

    Examples
    --------
    >>> normal_name("First response time (in hrs)"), normal_name("ChatStartTime"), normal_name("property_createdate")
    ('first_response_time_in_hrs', 'chat_start_time', 'createdate')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip().lstrip("\ufeff"))
    plain = re.sub(r"[^\w]+", "_", spaced.lower()).strip("_")
    plain = re.sub(r"_+", "_", plain)
    return re.sub(r"^(properties|property|standard|timestamp)_(?=.)", "", plain)


def column_of(name: str) -> Column:
    """The contract of one of our columns."""
    for columns in (TICKETS.columns, INNER, SERIES.columns):
        if name in columns:
            return columns[name]
    raise bad_value("columns", name, f"a column that staffcast knows ({', '.join(TICKETS.columns)})")


def bind(form: Format, columns: Sequence[str]) -> Binding:
    """Lay a format onto a file's columns.

    A header that stands twice may carry a suffix, ``_1``; the one without comes first.
    """
    places: dict[str, list[int]] = {}
    for position, name in enumerate(columns):
        places.setdefault(normal_name(name), []).append(position)
    for name in list(places):
        base = re.sub(r"_\d$", "", name)
        if base != name and base in places:
            places[base] = places[base] + places[name]
    at = {}
    for ours, source in form.fields.items():
        found = tuple(dict.fromkeys(p for name in source.names for p in places.get(name, ())))
        if found:
            at[ours] = found
    return Binding(format=form, at=at)
