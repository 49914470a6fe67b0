"""Quantities as planners write them: ``"6m"``, ``"1h30m"``, ``"30%"``; inside, seconds and shares."""

from __future__ import annotations

import math
import re

from staffcast.contracts.errors import bad_value

__all__ = ["format_duration", "format_share", "parse_change", "parse_duration_s", "parse_share"]

_UNIT_S = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
    "w": 604800.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)


def parse_duration_s(text: object, *, parameter: str) -> float:
    """Seconds in a duration written with its unit.

    Parameters
    ----------
    text : str
        One or more numbers with units ``s``, ``m``/``min``, ``h``, ``d``, ``w``: ``"90s"``, ``"1h30m"``.
    parameter : str
        Name used in the error.

    Returns
    -------
    float
        Seconds, ≥ 0.

    Raises
    ------
    InputError
        No unit, an unknown unit, or not a duration at all.

    Examples
    --------
    >>> parse_duration_s("6m", parameter="aht"), parse_duration_s("1h30m", parameter="aht")
    (360.0, 5400.0)
    """
    legal = 'a duration with its unit, like "90s", "6m" or "1h30m"'
    if not isinstance(text, str):
        raise bad_value(parameter, text, legal, f'say which unit is meant, e.g. "{text}s" or "{text}m"')
    total, position = 0.0, 0
    for part in _PART.finditer(text):
        if part.start() != position or part[2].lower() not in _UNIT_S:
            break
        total += float(part[1]) * _UNIT_S[part[2].lower()]
        position = part.end()
    if position != len(text) or position == 0:
        plain = re.fullmatch(r"\s*\d+(\.\d+)?\s*", text)
        fix = f'say which unit is meant, e.g. "{text.strip()}s" or "{text.strip()}m"' if plain else None
        raise bad_value(parameter, text, legal, fix)
    return total


def parse_share(value: object, *, parameter: str, below_one: bool = False) -> float:
    """Share in [0, 1] from ``"30%"``, ``0.30`` or ``"0.30"``.

    Examples
    --------
    >>> parse_share("30%", parameter="shrinkage"), parse_share(0.3, parameter="shrinkage")
    (0.3, 0.3)
    """
    legal = "a share in [0, 1)" if below_one else "a share in [0, 1]"
    share = math.nan
    try:
        if isinstance(value, str) and value.strip().endswith("%"):
            share = float(value.strip()[:-1]) / 100
        elif isinstance(value, (int, float, str)) and not isinstance(value, bool):
            share = float(value)
    except ValueError:
        raise bad_value(parameter, value, legal, 'write it as "30%" or 0.30') from None
    if not 0 <= share <= 1 or (below_one and share == 1):
        bare = 1 < share < 100 and not str(value).strip().endswith("%")
        if bare:
            fix = f'write {share:g} % as "{share:g}%" or {share / 100:g}'
        elif share >= 1:
            most = "it must stay below 100 %" if below_one else "100 % is all there is"
            fix = f'{most}: write for example "30%" or 0.30'
        elif share < 0:
            fix = 'none is "0%": write for example "30%" or 0.30'
        else:
            fix = 'write it as "30%" or 0.30'
        raise bad_value(parameter, value, legal, fix)
    return share


def parse_change(value: object, *, parameter: str) -> float:
    """Factor from a relative change: ``"+20%"`` is 1.2, ``"-10%"`` is 0.9.

    Examples
    --------
    >>> parse_change("+20%", parameter="volume"), parse_change("-10%", parameter="aht")
    (1.2, 0.9)
    """
    legal = 'a relative change like "+20%" or "-10%"'
    match = re.fullmatch(r"\s*([+-]\s*\d+(?:\.\d+)?)\s*%\s*", value) if isinstance(value, str) else None
    if match is None:
        bare = re.fullmatch(r"\s*[+-]?\s*(\d+(?:\.\d+)?)\s*%?\s*", str(value))
        fix = f'write "+{bare[1]}%" for so much more' if bare else None
        fix = f'{fix}, "-{bare[1]}%" for less' if bare and float(bare[1]) <= 100 else fix
        raise bad_value(parameter, value, legal, fix)
    factor = round(1 + float(match[1].replace(" ", "")) / 100, 12)
    if factor < 0:
        raise bad_value(parameter, value, f"{legal}, not below -100%", "less than nothing cannot be left")
    return factor


def format_duration(seconds: float) -> str:
    """Short text for a duration, for people to read.

    Examples
    --------
    >>> [format_duration(s) for s in (0.4, 42, 360, 5400, 90000)]
    ['0.4 s', '42 s', '6 min', '1 h 30 min', '25 h']
    """
    if math.isnan(seconds):
        return "–"
    if math.isinf(seconds):
        return "never"
    if seconds < 9.95:
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + " s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        short = f"{seconds / 60:.1f}".removesuffix(".0")
        return f"{short} min" if minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes and hours < 24 else f"{hours} h"


def format_share(share: float, digits: int = 0) -> str:
    """Percentage for people to read.

    Examples
    --------
    >>> format_share(0.853), format_share(0.853, 1)
    ('85 %', '85.3 %')
    """
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f} %"
