"""What holidays and the days around them do to a desk: expected like a day of rest, until its own say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from staffcast.contracts import Calendar
from staffcast.forecast.past.days import Dates, Floats, weekday
from staffcast.forecast.past.features import DayKinds, day_kinds, holidays_among

__all__ = ["KINDS", "Specials", "learn_specials"]

KINDS = ("holiday", "before", "after", "bridge")
# How far each goes from its weekday to the quietest one, before anything is known.
_TOWARDS_REST = {"holiday": 1.0, "before": 0.15, "after": 0.0, "bridge": 0.7}
# What was expected counts like so many days; a holiday's own name against all holidays too.
_DOUBT, _DOUBT_NAME = 3.0, 2.0
_HALF_LIFE_DAYS = 730.0
_MOST = 3.0
_LEAST = 1e-9


@dataclass(frozen=True, kw_only=True)
class Specials:
    """Factors on the usual root of a day.

    Attributes
    ----------
    calendar : Calendar
    weekdays : ndarray, shape (7,)
        Usual root of each weekday.
    learnt : mapping of kind to (float, float)
        Share of belief in what the past days of that kind were like, and that: their mean factor.
    by_name : mapping of name to (float, float)
        The same for holidays of one name.
    rest : float
        How much of a day of rest holidays are thought to be, in [0, 1]: as far as they turned out not to be, days
        beside them are not expected to be quiet either.
    """

    calendar: Calendar
    weekdays: Floats
    learnt: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    by_name: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rest: float = 1.0

    def kinds(self, dates: Dates) -> DayKinds:
        """Kinds of these days, rest days as the weekdays tell."""
        return day_kinds(dates, self.calendar, level=self.weekdays)

    def factor(self, dates: Dates) -> Floats:
        """What the day's kind multiplies its usual root by, shape (days,)."""
        kinds = self.kinds(dates)
        result = _expected(kinds, dates, self.weekdays, self.rest)
        for kind in KINDS:
            belief, seen = self.learnt.get(kind, (0.0, 1.0))
            result = np.where(getattr(kinds, kind), result + belief * (seen - result), result)
        if self.by_name:
            beliefs, means = _named(dates, self.calendar, self.by_name)
            result = result + beliefs * kinds.holiday * (means - result)
        return np.clip(result, 0.0, _MOST)


def learn_specials(root: Floats, usual: Floats, dates: Dates, weight: Floats, specials: Specials) -> Specials:
    """Learn from the special days of a past.

    Parameters
    ----------
    root, usual : ndarray, shape (days,)
        Square root of each day's tickets, and what its weekday usually has at that time.
    dates : ndarray of datetime64[D], shape (days,)
    weight : ndarray, shape (days,)
        Share of the day that is known.
    specials : Specials
        What is expected.

    Returns
    -------
    Specials
        Days of one kind together, then each holiday by its name, shrunk to what was expected as if that had been seen
        on three days (two for a name); a day two years ago counts half.
    """
    kinds = specials.kinds(dates)
    there = (weight > 0) & (usual > _LEAST) & ~kinds.usual
    if not there.any():
        return specials
    age = (dates[-1] - dates).astype(float)
    fresh = np.where(there, weight * 0.5 ** (age / _HALF_LIFE_DAYS), 0.0)
    ratio = np.clip(np.divide(root, usual, out=np.ones_like(root), where=usual > _LEAST), 0.0, _MOST)
    learnt = {kind: _belief(fresh * getattr(kinds, kind), ratio, _DOUBT) for kind in KINDS}
    on = np.flatnonzero(fresh * kinds.holiday > 0)
    names = [specials.calendar.holidays.get(dates[day].item()) for day in on]
    by_name = {
        name: _belief(fresh[same], ratio[same], _DOUBT_NAME)
        for name in {each for each in names if each is not None}
        for same in [on[[each == name for each in names]]]
    }
    rest = _rest(1 - _quiet(dates, specials.weekdays), fresh * kinds.holiday, *learnt["holiday"])
    return Specials(
        calendar=specials.calendar, weekdays=specials.weekdays, learnt=learnt, by_name=by_name, rest=rest
    )  # fmt: skip


def _belief(weight: Floats, ratio: Floats, doubt: float) -> tuple[float, float]:
    """How far the mean of these ratios is believed, and it."""
    total = float(weight.sum())
    return (total / (total + doubt), float((weight * ratio).sum()) / total) if total > 0 else (0.0, 1.0)


def _rest(gap: Floats, weight: Floats, belief: float, seen: float) -> float:
    """Part of the way to the quietest weekday that holidays went, as far as they are believed; 1 without any."""
    whole = float((weight * gap).sum())
    if whole <= _LEAST * weight.sum():
        return 1.0
    went = (1 - seen) * float(weight.sum()) / whole
    return 1 - belief * (1 - float(np.clip(went, 0.0, 1.0)))


def _quiet(dates: Dates, weekdays: Floats) -> Floats:
    """Root of the quietest weekday ÷ that of each day, shape (days,)."""
    return np.minimum(float(weekdays.min()) / np.maximum(weekdays[weekday(dates)], _LEAST), 1.0)


def _expected(kinds: DayKinds, dates: Dates, weekdays: Floats, rest: float) -> Floats:
    quiet = _quiet(dates, weekdays)
    result = np.ones(len(dates))
    for kind, part in _TOWARDS_REST.items():
        far = part if kind == "holiday" else part * rest
        result -= np.where(getattr(kinds, kind), far * (1 - quiet), 0.0)
    return result


def _named(dates: Dates, calendar: Calendar, by_name: Mapping[str, tuple[float, float]]) -> tuple[Floats, Floats]:
    belief, seen = np.zeros(len(dates)), np.ones(len(dates))
    for place, name in holidays_among(dates, calendar):
        if name in by_name:
            belief[place], seen[place] = by_name[name]
    return belief, seen
