"""Values written as TOML, on one line each."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import Any

from staffcast.contracts import bad_value

__all__ = ["duration_text", "key_text", "share_text", "value_text"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def key_text(key: str) -> str:
    """A key, in quotes where it needs them.

    Examples
    --------
    >>> key_text("billing"), key_text("Kundendienst Süd")
    ('billing', '"Kundendienst Süd"')
    """
    return key if _BARE.fullmatch(key) else _quoted(key)


def value_text(value: Any) -> str:
    """A value; tables and lists inline.

    Raises
    ------
    InputError
        A kind of value that TOML does not have.

    Examples
    --------
    >>> value_text({"mon-fri": "08:00-18:00"}), value_text([1, True, "x"])
    ('{ mon-fri = "08:00-18:00" }', '[1, true, "x"]')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key_text(str(k))} = {value_text(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(value_text, value))}]"
    raise bad_value("value", value, "text, a number, true or false, a date, a list or a table")


def duration_text(seconds: float) -> str:
    """A duration as scenarios have it, to the second (below 10 s to a tenth).

    Examples
    --------
    >>> duration_text(843.2), duration_text(7.04), duration_text(7200), duration_text(90061)
    ('14m3s', '7s', '2h', '25h1m1s')
    """
    if seconds < 9.95:
        return f"{round(seconds, 1):g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def share_text(share: float) -> str:
    """A share as scenarios have it, to a tenth of a per cent.

    Examples
    --------
    >>> share_text(0.2814)
    '28.1%'
    """
    return f"{100 * share:.1f}%"


def _quoted(text: str) -> str:
    # JSON's text is TOML's, but for the one control character that JSON lets stand.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
