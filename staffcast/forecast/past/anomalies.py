"""Outages, spikes, strange days and false zeros in a history: found, shown, and kept out of what is learnt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from staffcast.contracts import InputError, bad_value
from staffcast.forecast.past.clock_changes import clock_faults
from staffcast.forecast.past.runs import Runs
from staffcast.forecast.past.usual import surprise, usual_counts

__all__ = ["Anomalies", "Anomaly", "find_anomalies"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Dates = npt.NDArray[np.datetime64]
Kind = Literal["outage", "rebound", "spike", "odd_day", "false_zero", "double_hour"]

_DAY_MINUTES = 24 * 60
_LEAST_DAYS, _LEAST_WEEKS = 21, 3
_ODD_LOW, _ODD_HIGH, _ODD_CHANCE = 0.6, 1.6, 1e-4
# A run over so much of a day's tickets makes the day odd.
_WHOLE_DAY = 0.8
_PARTS, _PARTS_DAYS = 3, 0.05

_REASON: dict[str, str] = {
    "outage": "taken as an outage",
    "rebound": "taken as the rebound after the outage",
    "spike": "taken as a spike",
    "odd_day": "a whole day far off",
    "false_zero": "the hour that the clock change skips, stored as 0",
    "double_hour": "the hour that the clock change repeats, both stored as one",
}
_FILLED_IN = "not whole numbers, so filled in and not counted"


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """Something in the past that is not to be learnt from.

    Attributes
    ----------
    kind : {"outage", "rebound", "spike", "odd_day", "false_zero", "double_hour"}
    start_day, start_slot, end_day, end_slot : int
        First and last interval of it, both included, as places in the matrix of days and slots.
    expected, found : float
        Tickets in these intervals: as usual, and as counted.
    reason : str
        Why it is not learnt from, for people.
    """

    kind: Kind
    start_day: int
    start_slot: int
    end_day: int
    end_slot: int
    expected: float
    found: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Anomalies:
    """What :func:`find_anomalies` found.

    Attributes
    ----------
    cleaned : ndarray, shape (days, slots)
        The counts, NaN in every interval of an event. For learning only: the record keeps its counts.
    events : tuple of Anomaly
        In order of time; they do not overlap.
    dates : ndarray of datetime64[D], shape (days,)
    """

    cleaned: Floats
    events: tuple[Anomaly, ...]
    dates: Dates

    def describe(self, minutes: int) -> list[str]:
        """Say each event in a sentence.

        Parameters
        ----------
        minutes : int
            Length of a slot.

        Raises
        ------
        InputError
            The slots of that length do not make a day.
        """
        slots = self.cleaned.shape[1]
        if minutes * slots != _DAY_MINUTES:
            raise bad_value("minutes", minutes, f"{_DAY_MINUTES / slots:g}: a day has {slots} slots")
        return [self._sentence(event, minutes) for event in self.events]

    def _sentence(self, event: Anomaly, minutes: int) -> str:
        first, last = self.dates[event.start_day], self.dates[event.end_day]
        start, end = _clock(event.start_slot * minutes), _clock((event.end_slot + 1) * minutes)
        if event.kind == "odd_day":
            when = str(first)
        elif first == last:
            when = f"{first} {start}–{end}"
        else:
            when = f"{first} {start} – {last} {end}"
        found, were = _tickets(event.found), "was" if _number(event.expected) == "1" else "were"
        return f"{when}: {found} where {_number(event.expected)} {were} expected; {event.reason}, not learnt from"


def find_anomalies(counts: Floats, *, dates: Dates, special: Flags, hours: Floats) -> Anomalies:
    """Find what in a queue's past should not be learnt from.

    Runs of intervals with far too few or too many tickets are looked for by a cumulated likelihood ratio (Page's
    CUSUM) against what ``usual`` lets expect, so their length is free. A run is an event if it has
    at most half or at least 1.75 times the tickets that the rest of its day lets expect, *and* chance alone would do
    that once in 100,000 hours: negative binomial, with the scatter of days and intervals measured on the series.
    Whole days are judged by their total: at most 0.6 or at least 1.6 times the usual one, by chance once in 10,000.

    What half of the ten days on either side share, or two of the same weekdays next to it, or what goes on for more
    than ten days, is a change and no anomaly: it is learnt from. At the end of the past a change therefore counts as
    an anomaly until it has lasted some six days.

    Parameters
    ----------
    counts : ndarray, shape (days, slots)
        Tickets per interval; NaN where not known. Slots are equal parts of the local day, at least 24.
    dates : ndarray of datetime64[D], shape (days,)
        Consecutive local days.
    special : ndarray of bool, shape (days,)
        Holidays and days given as events: not judged, not changed.
    hours : ndarray, shape (days, slots)
        How often the slot occurs on that local day: 1, and 0 or 2 where the clock changes; a count of a slot that
        occurs twice is looked at for holding both, and not judged otherwise. Where all are 1, the changes of North
        America, Europe, Australia and New Zealand are tried, as times may lack their zone.

    Returns
    -------
    Anomalies
        Under three weeks of days nothing is judged but the clock changes named in ``hours``.

    Raises
    ------
    InputError
        Shapes that differ, days that are not consecutive, counts below 0 or infinite, other values in ``hours``.

    References
    ----------
    E. S. Page, "Continuous inspection schemes", Biometrika 41(1/2), 1954, doi:10.1093/biomet/41.1-2.100.

    Examples
    --------
    >>> dates = np.arange("2025-03-31", "2025-06-23", dtype="datetime64[D]")
    >>> counts = np.random.default_rng(1).poisson(20.0, (len(dates), 24)).astype(float)
    >>> counts[44, 10:13] = [3, 0, 0]
    >>> found = find_anomalies(
    ...     counts, dates=dates, special=np.zeros(len(dates), dtype=bool), hours=np.ones(counts.shape)
    ... )
    >>> found.describe(60)
    ['2025-05-14 10:00–13:00: 3 tickets where 57 were expected; taken as an outage, not learnt from']
    >>> np.argwhere(np.isnan(found.cleaned)).tolist()
    [[44, 10], [44, 11], [44, 12]]
    """
    counts, hours = np.asarray(counts, dtype=float), np.asarray(hours, dtype=float)
    special, dates = np.asarray(special, dtype=np.bool_), np.asarray(dates, dtype="datetime64[D]")
    _check(counts, dates, special, hours)
    if not len(dates):
        return Anomalies(cleaned=counts.copy(), events=(), dates=dates)
    known = np.isfinite(counts) & (hours == 1)
    judged = known & ~special[:, None]
    filled = _filled_in(counts, judged)
    judged[filled] = False
    usual = usual_counts(counts, judged)
    # What no other week shows has no usual count.
    faults = clock_faults(counts, np.where(usual.weeks >= 1, usual.expected, 0.0), dates=dates, hours=hours)
    judged &= usual.weeks >= (_LEAST_WEEKS if len(dates) >= _LEAST_DAYS else np.inf)
    judged[faults.false_zero | faults.double_hour] = False
    runs = Runs(counts, usual.expected, usual.weeks, judged)
    free = judged.ravel()
    low, rebound, high = _runs(runs, free)
    odd = _odd_days(runs, low, rebound, high)
    if odd.any():
        # A run that ended beside a day now odd has to stand on its own.
        free = free & ~np.repeat(odd, counts.shape[1])
        low, rebound, high = _runs(runs, free)
    # While nothing was found, all intervals are free: the masks need not be made.
    usual_left = free & ~(low | rebound | high) if (low.any() or high.any()) else free
    level = np.where(odd, 1.0, runs.level(usual_left))
    expected = usual.expected * level[:, None]
    marks: dict[Kind, Flags] = {"outage": low, "rebound": rebound, "spike": high}
    marks |= {"false_zero": faults.false_zero.ravel(), "double_hour": faults.double_hour.ravel()}
    whole = np.repeat(odd | filled, counts.shape[1])
    events = [
        event
        for kind, mark in marks.items()
        if mark.any()
        for event in _stretches(kind, mark & ~whole, counts, expected)
    ]
    events += [_whole_day(day, counts, expected, _REASON["odd_day"]) for day in np.flatnonzero(odd).tolist()]
    events += [_whole_day(day, counts, expected, _FILLED_IN) for day in np.flatnonzero(filled).tolist()]
    cleaned = counts.copy()
    for event in events:
        start, stop = _ends(event, counts.shape[1])
        cleaned.ravel()[start:stop] = np.nan
    events.sort(key=lambda event: (event.start_day, event.start_slot))
    return Anomalies(cleaned=cleaned, events=tuple(events), dates=dates)


def _runs(runs: Runs, free: Flags) -> tuple[Flags, Flags, Flags]:
    """Flags of the intervals in outages, rebounds and spikes."""
    low = runs.search(free, upper=False)
    rebound = runs.rebounds(low, free)
    return low, rebound, runs.search(free & ~(low | rebound) if low.any() else free, upper=True)


def _odd_days(runs: Runs, low: Flags, rebound: Flags, high: Flags) -> Flags:
    """Days that are far off as a whole: runs fill them, or what runs leave of them is far off too."""
    start = np.arange(0, len(low), runs.slots)
    found, expected = runs.day_found, runs.day_expected
    rest_found, rest_expected = runs.day_sums(~(low | rebound | high))
    odd = np.zeros(len(start), dtype=np.bool_)
    phi = runs.phi_day + runs.doubt(expected)
    for upper, mark in ((False, low), (True, high)):
        if mark.any():
            in_runs = runs.per_day(runs.expected * mark)
            odd |= (in_runs >= _WHOLE_DAY * expected) & (in_runs > 0)
        off = rest_expected >= (1 - _WHOLE_DAY) * expected
        for k, m in ((found, expected), (rest_found, rest_expected)):
            off &= k >= _ODD_HIGH * m if upper else k <= _ODD_LOW * m
        off[off] = surprise(found[off], expected[off], phi[off], upper=upper) <= _ODD_CHANCE
        off[off] = ~runs.lasting(start[off], start[off] + runs.slots, upper=upper)
        odd |= off
    return odd


def _filled_in(counts: Floats, known: Flags) -> Flags:
    """Days with parts of tickets, where nearly all others have none."""
    parts = (known & (counts != np.floor(counts))).sum(axis=1) >= _PARTS
    return parts if parts.sum() <= _PARTS_DAYS * known.any(axis=1).sum() else np.zeros_like(parts)


def _stretches(kind: Kind, mark: Flags, counts: Floats, expected: Floats) -> Iterator[Anomaly]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mark, [False]]).astype(np.int8)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        yield _event(kind, int(start), int(stop), counts, expected, _REASON[kind])


def _whole_day(day: int, counts: Floats, expected: Floats, reason: str) -> Anomaly:
    slots = counts.shape[1]
    return _event("odd_day", day * slots, (day + 1) * slots, counts, expected, reason)


def _event(kind: Kind, start: int, stop: int, counts: Floats, expected: Floats, reason: str) -> Anomaly:
    first, last = divmod(start, counts.shape[1]), divmod(stop - 1, counts.shape[1])
    known = np.isfinite(counts.ravel()[start:stop])
    return Anomaly(
        kind=kind, start_day=first[0], start_slot=first[1], end_day=last[0], end_slot=last[1], reason=reason,
        expected=float(expected.ravel()[start:stop][known].sum()), found=float(np.nansum(counts.ravel()[start:stop])),
    )  # fmt: skip


def _ends(event: Anomaly, slots: int) -> tuple[int, int]:
    return event.start_day * slots + event.start_slot, event.end_day * slots + event.end_slot + 1


def _check(counts: Floats, dates: Dates, special: Flags, hours: Floats) -> None:
    if counts.ndim != 2 or not counts.shape[1] or counts.shape[1] % 24:
        raise bad_value(
            "counts", counts.shape, "a matrix of days × slots, 24 slots or a multiple", "give each local hour its own"
        )
    days = counts.shape[0]
    for name, value, shape in (
        ("dates", dates, (days,)), ("special", special, (days,)), ("hours", hours, counts.shape),
    ):  # fmt: skip
        if value.shape != shape:
            raise InputError(f"`{name}` must have the shape {shape}, got {value.shape}; `counts` has {counts.shape}")
    if days > 1 and (np.diff(dates).astype(np.int64) != 1).any():
        at = int(np.flatnonzero(np.diff(dates).astype(np.int64) != 1)[0])
        raise InputError(
            f"`dates` must be consecutive days, got {dates[at + 1]} after {dates[at]}; give a day without data a row "
            "of NaN"
        )
    wrong = (counts < 0) | np.isinf(counts)
    if wrong.any():
        day, slot = np.argwhere(wrong)[0]
        raise InputError(
            f"`counts` must be 0 or more, or NaN where not known; {dates[day]}, slot {slot}, has {counts[day, slot]:g}"
        )
    usual = (hours == 0) | (hours == 1) | (hours == 2)
    if not usual.all():
        raise bad_value("hours", float(hours[~usual][0]), "0, 1 or 2: how often the slot occurs")


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 9.5 else f"{value:.1f}".removesuffix(".0")


def _tickets(value: float) -> str:
    number = f"{value:.1f}".removesuffix(".0")
    return f"{number} ticket" + ("" if number == "1" else "s")
