"""The hour that a clock change skips or repeats, in counts stored with 24 hours on every day."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ClockFaults", "clock_faults"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Dates = npt.NDArray[np.datetime64]
Cells = tuple[Ints, ...]


class _Moment(NamedTuple):
    """An hour of the ``number``-th Sunday of a month; −1 is the last."""

    month: int
    number: int
    hour: int


# Spring and autumn moments of the zones by their rules of today; the hours are those skipped and repeated.
_RULES = (
    (_Moment(3, 1, 2), _Moment(11, 0, 1)),  # North America
    (_Moment(3, -1, 2), _Moment(10, -1, 2)),  # Central Europe
    (_Moment(3, -1, 1), _Moment(10, -1, 1)),  # Western Europe
    (_Moment(3, -1, 3), _Moment(10, -1, 3)),  # Eastern Europe
    (_Moment(10, 0, 2), _Moment(4, 0, 2)),  # Australia
    (_Moment(9, -1, 2), _Moment(4, 0, 2)),  # New Zealand
    (_Moment(4, 0, 2), _Moment(10, -1, 1)),  # Mexico until 2022
)
_CHANCE = 0.01
_RATE_CV2 = 0.05
# Odds to one, before the hour may be called doubled: alone, tried among all rules, and with the skipped hour proven.
_ODDS_DECLARED, _ODDS_TRIED, _ODDS_PROVEN = math.log(20), math.log(200), 0.0


class ClockFaults(NamedTuple):
    """Intervals spoilt by clock changes, both of shape (days, slots)."""

    false_zero: Flags
    double_hour: Flags


def clock_faults(counts: Floats, expected: Floats, *, dates: Dates, hours: Floats) -> ClockFaults:
    """Find skipped hours stored as 0 and repeated hours stored as one.

    Where ``hours`` knows the clock changes, a 0 in an hour that did not take place is false. Where it knows none, the
    skipped hour of each rule is tried: a false 0 is there if *all* its springs hold exactly 0 and that has a
    chance of at most 1 % (shared by the rules). A repeated hour counts as stored once if all autumns together are
    far likelier under twice the usual count.

    Parameters
    ----------
    counts, expected : ndarray, shape (days, slots)
        Tickets per interval, NaN where not known, and the usual ones; slots are a multiple of 24.
    dates : ndarray of datetime64[D], shape (days,)
    hours : ndarray, shape (days, slots)
        How often the slot occurs on that day.

    Examples
    --------
    >>> dates = np.arange("2025-03-01", "2025-05-01", dtype="datetime64[D]")
    >>> counts = np.full((61, 24), 9.0)
    >>> counts[29, 2] = 0
    >>> faults = clock_faults(counts, np.full((61, 24), 9.0), dates=dates, hours=np.ones((61, 24)))
    >>> np.argwhere(faults.false_zero).tolist(), str(dates[29])
    ([[29, 2]], '2025-03-30')
    """
    false_zero, double_hour = np.zeros(counts.shape, dtype=np.bool_), np.zeros(counts.shape, dtype=np.bool_)
    if not (hours == 1).all():
        false_zero |= (hours == 0) & (counts == 0)
        twice = np.nonzero((hours == 2) & np.isfinite(counts))
        if _odds_of_two(counts, expected, twice) > (_ODDS_PROVEN if false_zero.any() else _ODDS_DECLARED):
            double_hour[twice] = True
        return ClockFaults(false_zero, double_hour)
    month, number, place = _sundays(dates)
    for spring, autumn in _RULES:
        skipped = _cells(spring, month, number, place, counts)
        if counts[skipped].any():
            continue  # tickets came in the hour that would not have been
        proven = len(skipped[0]) > 0 and _log_chance_of_none(expected, skipped) <= math.log(_CHANCE / len(_RULES))
        if proven:
            false_zero[skipped] = True
        repeated = _cells(autumn, month, number, place, counts)
        if _odds_of_two(counts, expected, repeated) > (_ODDS_PROVEN if proven else _ODDS_TRIED):
            double_hour[repeated] = True
    return ClockFaults(false_zero, double_hour)


def _sundays(dates: Dates) -> tuple[Ints, Ints, Ints]:
    """Month of each Sunday, its number in the month (less 8 for the last, so negative), and its place in ``dates``."""
    # 1970-01-01 was a Thursday.
    place = np.flatnonzero((dates.astype(np.int64) + 4) % 7 == 0)
    day = dates[place]
    month = day.astype("datetime64[M]")
    number = (day - month.astype("datetime64[D]")).astype(np.int64) // 7
    last = (day + 7).astype("datetime64[M]") != month
    return month.astype(np.int64) % 12 + 1, np.where(last, number - 8, number), place


def _cells(moment: _Moment, month: Ints, number: Ints, place: Ints, counts: Floats) -> Cells:
    """Days and slots of the known intervals of the moment's hour, in every year."""
    nth = number < 0 if moment.number < 0 else number % 8 == moment.number
    days = place[(month == moment.month) & nth]
    per_hour = counts.shape[1] // 24
    day = np.repeat(days, per_hour)
    slot = np.tile(np.arange(moment.hour * per_hour, (moment.hour + 1) * per_hour), len(days))
    known = np.isfinite(counts[day, slot])
    return day[known], slot[known]


def _hourly(table: Floats, cells: Cells) -> Floats:
    """Sum of the cells of each hour: quarters of an hour do not vary on their own."""
    day, slot = cells
    hour = day * 24 + slot * 24 // table.shape[1]
    first = np.flatnonzero(np.concatenate([[True], hour[1:] != hour[:-1]]))
    return np.asarray(np.add.reduceat(table[cells], first))


def _log_chance_of_none(expected: Floats, cells: Cells) -> float:
    """Log of the chance of no ticket at all, negative binomial."""
    return -float(np.log1p(_RATE_CV2 * _hourly(expected, cells)).sum()) / _RATE_CV2


def _odds_of_two(counts: Floats, expected: Floats, cells: Cells) -> float:
    """Log of the odds of twice the usual count against the usual one, negative binomial; −∞ if no more came."""
    if not expected[cells].any() or counts[cells].sum() <= expected[cells].sum():
        return -math.inf
    found, usual = _hourly(counts, cells), _hourly(expected, cells)
    once, twice = 1 + _RATE_CV2 * usual, 1 + 2 * _RATE_CV2 * usual
    return float((found * np.log(2 * once / twice) - np.log(twice / once) / _RATE_CV2).sum())
