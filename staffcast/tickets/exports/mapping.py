"""A mapping file: what the columns of an export that nobody knows mean, written down by a person."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from staffcast.contracts import SERIES, TICKETS, InputError, bad_value, check_zone
from staffcast.contracts.files import atomic_path
from staffcast.tickets.exports.clock import ORDERS
from staffcast.tickets.exports.formats import UNIT_S, Binding, Field, Format, normal_name
from staffcast.tickets.exports.report import masked

__all__ = ["column_shape", "load_mapping", "mapping_text", "write_mapping"]

_TIME = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
_MOSTLY, _LONG_NUMBER = 0.8, 1e6
_KEYS = ("name", "kind", "zone", "dates", "columns")
_ENTRY = ("column", "unit", "zone", "format", "after", "values", "private")


def load_mapping(path: str | Path) -> Format:
    """Read a mapping file.

    Parameters
    ----------
    path : path
        TOML: ``zone``, ``dates`` (``dmy`` or ``mdy``), ``kind`` (``tickets`` or ``intervals``) and a table
        ``[columns]`` of our column = theirs, or = ``{column, unit, format, after, values, private}``.

    Raises
    ------
    InputError
        Names the file and the entry.
    """
    path = Path(path)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", file=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not TOML: {str(error).splitlines()[0]}", file=path) from error
    try:
        return _format(told)
    except InputError as error:
        raise InputError(str(error), file=path) from None


def _format(told: Mapping[str, Any]) -> Format:
    for key in told:
        if key not in _KEYS:
            raise bad_value("key", key, f"one of {', '.join(_KEYS)}")
    kind = told.get("kind", "tickets")
    if kind not in ("tickets", "intervals"):
        raise bad_value("kind", kind, '"tickets" or "intervals"')
    known = TICKETS.columns if kind == "tickets" else SERIES.columns
    columns = told.get("columns")
    if not isinstance(columns, dict) or not columns:
        raise bad_value("columns", columns, "a table [columns] of our names = the file's")
    fields = {}
    zones = {told["zone"]} if "zone" in told else set()
    for name, entry in columns.items():
        if name not in known:
            raise bad_value("columns", name, f"one of {', '.join(known)}")
        if isinstance(entry, dict) and "zone" in entry:
            zones.add(entry["zone"])
        fields[name] = _field(name, entry)
    if len(zones) > 1:
        raise bad_value("zone", sorted(map(str, zones)), "one zone for all columns of a file")
    dates = told.get("dates", "")
    if dates and dates not in ORDERS:
        raise bad_value("dates", dates, '"dmy" (day first) or "mdy" (month first)')
    form = Format(
        name="mapping", title=str(told.get("name", "a mapping")), kind=kind, fields=fields, dates=dates,
        zone=check_zone(zones.pop()) if zones else None,
    )  # fmt: skip
    missing = [name for name in form.needs if name not in fields]
    if missing:
        raise bad_value("columns", sorted(fields), f"complete: {' and '.join(missing)} must be there")
    for name, field in fields.items():
        if field.after and (field.after not in fields or known[field.after].kind != "time"):
            raise bad_value(f"columns.{name}.after", field.after, "one of the mapped times")
    return form


def _field(name: str, entry: Any) -> Field:
    if isinstance(entry, (str, list)):
        entry = {"column": entry}
    if not isinstance(entry, dict) or "column" not in entry:
        raise bad_value(f"columns.{name}", entry, 'a column\'s name, or a table like {column = "FRT", unit = "min"}')
    for key in entry:
        if key not in _ENTRY:
            raise bad_value(f"columns.{name}", key, f"made of {', '.join(_ENTRY)}")
    names = [entry["column"]] if isinstance(entry["column"], str) else entry["column"]
    if not (isinstance(names, list) and names and all(isinstance(n, str) and normal_name(n) for n in names)):
        raise bad_value(f"columns.{name}.column", names, "a column's name, or a list of names")
    unit = entry.get("unit", "s")
    if unit not in UNIT_S:
        raise bad_value(f"columns.{name}.unit", unit, f"one of {', '.join(UNIT_S)}")
    values = entry.get("values", {})
    if not isinstance(values, dict):
        raise bad_value(f"columns.{name}.values", values, 'a table like {good = "5", bad = "1"}')
    return Field(
        names=tuple(normal_name(n) for n in names), unit=unit, after=str(entry.get("after", "")),
        values={str(k): str(v) for k, v in values.items()}, format=str(entry.get("format", "")),
        private=bool(entry.get("private", False)),
    )  # fmt: skip


def column_shape(values: pd.Series) -> str:
    """What a column's cells look like, never what they say: times, numbers with their range, or how many differ.

    Examples
    --------
    >>> column_shape(pd.Series(["3", "480"])), column_shape(pd.Series(["a", "b", "a"]))
    ('numbers 3–480', '2 different values')
    """
    known = values.dropna()
    if known.empty:
        return "empty"
    if known.str.contains(_TIME).mean() > _MOSTLY:
        return "looks like times"
    numbers = pd.to_numeric(known.str.replace(",", ".", regex=False), errors="coerce")
    # Long numbers may be somebody's: of a phone, of an account.
    if numbers.notna().all() and numbers.abs().max() < _LONG_NUMBER:
        return f"numbers {numbers.min():g}–{numbers.max():g}"
    return f"{known.nunique():,} different values"


def mapping_text(
    binding: Binding, columns: Sequence[str], *, zone: str | None, shapes: Mapping[int, str] | None = None
) -> str:
    """A mapping as TOML with the file's columns filled in, and what is left of both sides as comments.

    ``shapes`` says of positions what their cells look like.
    """
    form = binding.format
    known = SERIES.columns if form.kind == "intervals" else TICKETS.columns
    lines = [
        "# What the columns of this export mean. Edit, then: staffcast import FILE --mapping THIS -o tickets.parquet",
        "# Units: s, ms, min, h, hms (HH:MM:SS). A time is found out, or: format = \"%d/%m/%Y %H:%M\".",
        '# after = "created_at" makes an instant of a duration. values = {good = "5"}: what words mean; "" is unknown.',
        f"kind = {_quoted('intervals' if form.kind == 'intervals' else 'tickets')}",
        f"zone = {_quoted(zone)}" if zone else '# zone = "America/Sao_Paulo"   # needed where times have no offset',
        '# dates = "dmy"   # or "mdy": where no date tells days from months',
        "",
        "[columns]",
    ]  # fmt: skip
    used: set[int] = set()
    for ours in known:
        if ours not in binding.at:
            continue
        places, field = binding.at[ours], form.fields[ours]
        used.update(places)
        names = [masked(columns[p]) for p in places]
        parts = [f"column = {_quoted(names[0]) if len(names) == 1 else json.dumps(names, ensure_ascii=False)}"]
        if known[ours].unit == "s" or field.after:
            parts.append(f"unit = {_quoted(field.unit)}")
        if field.after:
            parts.append(f"after = {_quoted(field.after)}")
        if field.values:
            words = ", ".join(f"{_quoted(k)} = {_quoted(v)}" for k, v in field.values.items())
            parts.append(f"values = {{{words}}}")
        lines.append(f"{ours} = {{{', '.join(parts)}}}   # {known[ours].about}")
    lines += [f'# {ours} = {{column = ""}}   # {known[ours].about}' for ours in known if ours not in binding.at]
    shown = shapes or {}
    rest = [f"{masked(c)}{f': {shown[k]}' if k in shown else ''}" for k, c in enumerate(columns) if k not in used]
    lines += ["", "# Columns of the file that are not mapped:", *(f"#   {name}" for name in rest)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def write_mapping(path: str | Path, text: str) -> None:
    """Write a mapping, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
