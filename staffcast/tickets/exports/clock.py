"""How a file writes its times: order of day and month, Excel's swaps, offsets, Unix seconds, the two hours of DST."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import InputError, bad_value

__all__ = [
    "ORDERS",
    "ReadTimes",
    "Survey",
    "TimeRule",
    "doubted_order",
    "order_in_words",
    "read_times",
    "require_order",
    "rule_of",
    "shared_rule",
    "survey_sql",
]

ORDERS = ("dmy", "mdy")
_DAY = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})")
_SPLIT = r"^(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?:[T ,]+(.*))?$"
_CLOCK = r"^(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s*([ap]\.?m\.?)?\s*(z|[+-]\d{2}(?::?\d{2})?)?$"
_ISO = r"\d{4}-\d\d-\d\d(?:[T ]|$)"
_FEW, _MOST, _SWAPPED, _AS_IT_STANDS = 20, 0.95, 0.95, 0.5
_MANY_MONTHS = 3
_STAMP = "datetime64[us, UTC]"
_FORMS = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "%Y-%m-%d %H:%M:%S"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"), "%Y-%m-%dT%H:%M:%S"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "%Y-%m-%dT%H:%M:%SZ"),
)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a column's dates look like over a whole file.

    Attributes
    ----------
    year_first : mapping (year, second, third) → rows
    year_last : mapping (first, second, year) → rows
    dotted : bool
        Whether those with the year last are all parted by dots.
    """

    year_first: Mapping[tuple[int, int, int], int]
    year_last: Mapping[tuple[int, int, int], int]
    dotted: bool

    @classmethod
    def of(cls, days: Sequence[tuple[str, int]]) -> Survey:
        """From the dates' texts and how many rows have each."""
        first: dict[tuple[int, int, int], int] = {}
        last: dict[tuple[int, int, int], int] = {}
        dotted = True
        for text, rows in days:
            match = _DAY.fullmatch(text.strip())
            if match is None:
                continue
            a, b, c = (int(part) for part in match.groups())
            into = first if len(match[1]) == 4 else last
            dotted = dotted and (into is first or "." in text)
            into[a, b, c] = into.get((a, b, c), 0) + rows
        return cls(year_first=first, year_last=last, dotted=dotted)

    @classmethod
    def union(cls, surveys: Sequence[Survey]) -> Survey:
        """Over several columns or files."""
        first: dict[tuple[int, int, int], int] = {}
        last: dict[tuple[int, int, int], int] = {}
        for survey in surveys:
            for into, source in ((first, survey.year_first), (last, survey.year_last)):
                for key, rows in source.items():
                    into[key] = into.get(key, 0) + rows
        return cls(year_first=first, year_last=last, dotted=all(s.dotted for s in surveys))


@dataclass(frozen=True, kw_only=True)
class TimeRule:
    """How to read one column: ``order`` of dates with the year last, whether year-first dates are ``swapped``."""

    order: str = ""
    swapped: bool | None = None
    format: str = ""
    why: str = ""


def survey_sql(relation: str, columns: Sequence[str]) -> str:
    """Query for the distinct dates of some columns: ``k, day, rows``; the rows of each ``k`` add up to the file's."""
    marks = ", ".join(str(k) for k in range(len(columns)))
    values = ", ".join(columns)
    day = r"regexp_extract(trim(v), '^(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})([T ,]|$)', 1)"
    return (
        f"SELECT k, {day} AS day, count(*) AS n FROM "  # names and paths are quoted by the caller
        f"(SELECT unnest([{marks}]) AS k, unnest([{values}]) AS v FROM {relation}) GROUP BY ALL"
    )


def rule_of(survey: Survey) -> TimeRule:
    """What a column's own dates decide; what they leave open stays empty.

    Notes
    -----
    Excel reads 04-02-2021 as the second of April where its owner writes months first, and leaves 26-02-2021 as text.
    Saved again, days 1–12 stand as year, *day*, month, and days 13–31 as they were: two forms in one column, none of
    whose days is in the other. Where a program wrote all of them year first, the swapped ones are spread over months
    that the rest never names.
    """
    order, why = "", ""
    days = survey.year_last
    if days:
        first, second = max(a for a, _, _ in days), max(b for _, b, _ in days)
        if first > 12 and second > 12:
            order = "mixed"
        elif first > 12:
            order = "dmy"
        elif second > 12:
            order = "mdy"
        elif survey.dotted:
            order = "dmy"
    swapped: bool | None = None
    known = survey.year_first
    if known:
        highest = max(c for _, _, c in known)
        if days and order in ORDERS and highest <= 12:
            late = min(a if order == "dmy" else b for a, b, _ in days) > 12
            swapped = late
            why = "days 13–31 stand as text and days 1–12 with the year first: a spreadsheet swapped day and month"
        elif highest > 12:
            swapped = _spread(known)
            why = "days 1–12 are spread over months that no other date names: day and month were swapped"
    return TimeRule(order=order, swapped=swapped, why=why if swapped else "")


def _spread(days: Mapping[tuple[int, int, int], int]) -> bool:
    """Whether dates with days 1–12 only make sense the other way round."""
    months = {(y, m) for y, m, d in days if d > 12}
    open_days = {(y, m, d): n for (y, m, d), n in days.items() if d <= 12 and m <= 12 and d != m}
    total = sum(open_days.values())
    if total < _FEW:
        return False
    stand = sum(n for (y, m, _), n in open_days.items() if (y, m) in months)
    other = sum(n for (y, _, d), n in open_days.items() if (y, d) in months)
    return stand / total < _AS_IT_STANDS and other / total >= _SWAPPED


def order_in_words(rule: TimeRule, survey: Survey, asked: str) -> str:
    """Which order dates with the year last are read in, and why; empty where there are none."""
    if not survey.year_last or rule.order not in ORDERS:
        return ""
    first, second = (max(day[k] for day in survey.year_last) for k in (0, 1))
    if max(first, second) > 12:
        why = f"as numbers above 12 stand {'first' if first > 12 else 'second'}"
    elif rule_of(survey).order:
        why = "as dates with dots mostly are; no date decides it"
    else:
        why = "as --dates or the mapping says" if asked else "as the dates beside it"
    return f"read with the {'day' if rule.order == 'dmy' else 'month'} first, {why}"


def doubted_order(rule: TimeRule, survey: Survey) -> str:
    """Why dates with the year last, read in an order, look improbable; empty where they do not."""
    if rule.order not in ORDERS:
        return ""
    read: dict[tuple[int, int, int], int] = {}
    for (a, b, year), rows in survey.year_last.items():
        month, day = (b, a) if rule.order == "dmy" else (a, b)
        read[year, month, day] = read.get((year, month, day), 0) + rows
    other = "mdy" if rule.order == "dmy" else "dmy"
    if sum(read.values()) < _FEW:
        return ""
    if all(day <= 12 for _, _, day in read):
        months = {(year, month) for year, month, _ in read}
        if len(months) >= _MANY_MONTHS:
            return f"no date of {len(months)} months lies after the 12th: try --dates {other}"
    elif _spread(read):
        return (
            "days 1–12 are spread over months that no other date names: some cells have day and month swapped. Export "
            f"again with dates as text, year first; --dates {other} helps only where all are the other way round"
        )
    return ""


def shared_rule(own: TimeRule, common: TimeRule, asked: str) -> TimeRule:
    """Fill what a column leaves open: first what was asked for, then what the other columns and files decide."""
    if asked and asked not in ORDERS:
        raise bad_value("dates", asked, '"dmy" (day first) or "mdy" (month first)')
    order = own.order or asked or (common.order if common.order != "mixed" else "")
    swapped = own.swapped if own.swapped is not None else common.swapped
    return replace(own, order=asked if own.order == "mixed" and asked else order, swapped=bool(swapped),
                   why=own.why or (common.why if swapped else ""))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ReadTimes:
    """Instants, and masks of what had to be decided."""

    times: pd.Series
    unreadable: npt.NDArray[np.bool_]
    swapped: npt.NDArray[np.bool_]
    naive: npt.NDArray[np.bool_]
    repeated: npt.NDArray[np.bool_]
    skipped: npt.NDArray[np.bool_]
    second: pd.Series


def read_times(text: pd.Series, rule: TimeRule, zone: str | None) -> ReadTimes:
    """Read one column of times.

    Parameters
    ----------
    text : Series of str
        Empty ones are NA.
    rule : TimeRule
        How the file writes them.
    zone : str or None
        Of times without an offset; those stay unread (``naive``) where it is None.

    Returns
    -------
    ReadTimes
        ``times`` in UTC; ``second`` is the later of the two instants that a clock time in autumn's repeated hour may
        be.
    """
    n = len(text)
    none = np.zeros(n, dtype=bool)
    present = text.notna().to_numpy()
    out = pd.Series(pd.NaT, index=text.index, dtype=_STAMP)
    if not present.any():
        return ReadTimes(times=out, unreadable=none, swapped=none, naive=none, repeated=none, skipped=none, second=out)
    values = text[present]
    parsed, has_offset, was_swapped = _alike(values, rule) or _one_by_one(values, rule)
    instants = parsed.dt.tz_localize("UTC").astype(_STAMP)
    good = instants.notna().to_numpy()
    repeated, skipped = np.zeros(len(values), dtype=bool), np.zeros(len(values), dtype=bool)
    second = instants.copy()
    wall = good & ~has_offset
    if wall.any() and zone is not None:
        naive_times = instants[wall].dt.tz_localize(None)
        first = naive_times.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
        later = naive_times.dt.tz_localize(zone, ambiguous=False, nonexistent="shift_forward")
        skipped[wall] = (first.dt.tz_localize(None) != naive_times).to_numpy()
        repeated[wall] = (first != later).to_numpy()
        instants = instants.mask(wall, first.dt.tz_convert("UTC").astype(_STAMP).reindex(instants.index))
        second = second.mask(wall, later.dt.tz_convert("UTC").astype(_STAMP).reindex(instants.index))
    out = instants.reindex(text.index)

    def wide(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        full = none.copy()
        full[present] = mask
        return full

    return ReadTimes(
        times=out, unreadable=wide(~good), swapped=wide(was_swapped & good), naive=wide(wall),
        repeated=wide(repeated), skipped=wide(skipped), second=second.reindex(text.index),
    )  # fmt: skip


def _alike(values: pd.Series, rule: TimeRule) -> tuple[pd.Series, npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None:
    """Fast for a column written in one of the usual ISO forms throughout; None where it is not."""
    if rule.format or rule.swapped:
        return None
    first = str(values.iloc[0])
    for pattern, form in _FORMS:
        if pattern.fullmatch(first):
            try:
                parsed = pd.to_datetime(values, format=form)
            except (ValueError, TypeError, OverflowError):
                return None
            none = np.zeros(len(values), dtype=bool)
            return parsed.astype("datetime64[us]"), none | form.endswith("Z"), none
    return None


def _one_by_one(values: pd.Series, rule: TimeRule) -> tuple[pd.Series, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    codes, unique = pd.factorize(values)
    parsed, offset, exchanged = _unique_times(pd.Series(np.asarray(unique, dtype=object), dtype=object), rule)
    times = pd.Series(pd.DatetimeIndex(parsed.to_numpy()[codes]), index=values.index)
    return times, offset[codes], exchanged[codes]


def _unique_times(unique: pd.Series, rule: TimeRule) -> tuple[pd.Series, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Naive instants (UTC where an offset stands); where one stood; where day and month were exchanged."""
    text = unique.str.strip()
    n = len(text)
    swapped = np.zeros(n, dtype=bool)
    if rule.format:
        parsed = _utc(text, format=rule.format)
        return parsed, np.full(n, "%z" in rule.format), swapped
    text = text.str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True)
    iso = text.str.match(_ISO).to_numpy()
    if not (iso.all() and not rule.swapped):
        text, swapped = _as_iso(text, rule)
    offset = text.str.contains(r"(?:[Zz]|:\d\d(?:\.\d+)?\s?[+-]\d\d(?::?\d\d)?)$", regex=True).to_numpy(dtype=bool)
    parsed = _utc(text, format="ISO8601")
    stamps = unique.str.strip().str.fullmatch(r"\d{9,10}(?:\.\d+)?|\d{12,13}(?:\.\d+)?").to_numpy(dtype=bool)
    if stamps.any():
        numbers = pd.to_numeric(unique[stamps])
        numbers = numbers.where(numbers < 1e11, numbers / 1000)
        exact = pd.to_datetime((numbers * 1e6).round().astype("int64"), unit="us", errors="coerce")
        parsed = parsed.mask(stamps, exact.astype(parsed.dtype).reindex(parsed.index))
        offset = offset | stamps
    return parsed, offset, swapped


def _utc(text: pd.Series, *, format: str) -> pd.Series:  # noqa: A002  # pandas' own name
    try:
        parsed = pd.to_datetime(text, format=format, utc=True, errors="coerce")
    except (ValueError, TypeError, OverflowError):
        # One value that pandas cannot even refuse: take them one by one.
        parsed = pd.Series([_one(value, format) for value in text], index=text.index, dtype="datetime64[ns, UTC]")
    return parsed.dt.tz_localize(None).astype("datetime64[us]")


def _one(value: str, format: str) -> Any:  # noqa: A002
    try:
        return pd.to_datetime(value, format=format, utc=True, errors="coerce")
    except (ValueError, TypeError, OverflowError):
        return pd.NaT


def _as_iso(text: pd.Series, rule: TimeRule) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """Any order of year, month and day, and a clock with am and pm, written as ISO 8601; what is neither stays."""
    parts = text.str.extract(_SPLIT)
    fits = parts[0].notna().to_numpy()
    a, b, c = (pd.to_numeric(parts[k], errors="coerce").fillna(0).astype(int).to_numpy() for k in range(3))
    digits, last = (pd.to_numeric(parts[k].str.len(), errors="coerce").fillna(0).to_numpy() for k in (0, 2))
    ahead = digits == 4
    swapped = ahead & fits & bool(rule.swapped) & (b <= 12) & (c <= 12)
    year, month, day = np.where(ahead, a, c), b.copy(), np.where(ahead, c, a)
    if rule.order == "mdy":
        month, day = np.where(ahead, month, a), np.where(ahead, day, b)
    month, day = np.where(swapped, day, month), np.where(swapped, month, day)
    year = np.where(year < 100, year + 2000, year)
    usable = fits & ((digits == 4) | ((digits <= 2) & np.isin(last, (2, 4))))
    if rule.order == "mixed":
        usable &= ahead
    clock = _clock(parts[3])
    dates = [f"{y:04d}-{m:02d}-{d:02d}" for y, m, d in zip(year, month, day, strict=True)]
    written = pd.Series(dates, index=text.index, dtype=object) + clock
    return text.where(~usable, written), swapped & (month != day)


def _clock(text: pd.Series) -> pd.Series:
    parts = text.fillna("00:00").str.lower().str.strip().str.extract(_CLOCK)
    hours = pd.to_numeric(parts[0], errors="coerce").fillna(99).astype(int)
    noon = parts[3].fillna("").str[:1]
    hours = hours.where(~((noon == "p") & (hours < 12)), hours + 12).where(~((noon == "a") & (hours == 12)), 0)
    clock = "T" + hours.astype(str).str.zfill(2) + ":" + parts[1].fillna("xx") + ":" + parts[2].fillna("00")
    return clock + parts[4].fillna("").str.upper()


def require_order(rule: TimeRule, survey: Survey, *, file: str, column: str) -> None:
    """Refuse dates that may be read either way.

    Raises
    ------
    InputError
        Names the file and the column, and how to say it.
    """
    if survey.year_last and rule.order not in ORDERS:
        what = "has days first and months first" if rule.order == "mixed" else "does not tell days from months"
        raise InputError(
            f"{what} (no date decides it); say it with --dates dmy or --dates mdy", file=file, column=column
        )
