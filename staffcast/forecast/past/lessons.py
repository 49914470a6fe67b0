"""What of the past is learnt from: a desk's own events taken out, what will not come again left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Event
from staffcast.forecast.past.anomalies import find_anomalies
from staffcast.forecast.past.days import Dates, Days, Floats, Ints, weekday
from staffcast.forecast.past.features import day_kinds

__all__ = ["Lessons", "draw_lessons", "learn_events"]

_NEAR_DAYS = 35
_SHOWN = 5
# An event's own days count against so many tickets at no change.
_DOUBT_TICKETS = 30.0
_FURTHEST = np.log(10.0)


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """A past as models shall see it, and what they cannot know.

    Attributes
    ----------
    past : Days
        Without the effect of events; NaN where nothing shall be learnt.
    factors : mapping of event name to float
        What each event multiplies arrivals by.
    learnt : mapping of event name to int
        On how many past days a factor that was not stated rests; 0: it never was, and is taken as 1.
    anomalies : tuple of str
        Outages, spikes and strange days that were left out, for people.
    """

    past: Days
    factors: Mapping[str, float]
    learnt: Mapping[str, int]
    anomalies: tuple[str, ...] = ()

    def uplift(self, dates: Dates) -> Floats:
        """What events multiply the arrivals of these days by, shape (days,)."""
        result = np.ones(len(dates))
        for event in self.past.calendar.events:
            if not event.once:
                result[_on(event, dates)] *= self.factors[event.name]
        return result

    def describe(self) -> list[str]:
        """For people: each event's factor and where it is from, and what was left out."""
        lines = _latest(self.anomalies)
        for event in self.past.calendar.events:
            factor = self.factors.get(event.name, 1.0)
            if event.once:
                lines.append(f"{event.name}: not learnt from, and not expected again")
            elif event.factor is not None:
                lines.append(f"{event.name}: × {factor:.2f}, as stated")
            elif self.learnt[event.name]:
                days = self.learnt[event.name]
                lines.append(f"{event.name}: × {factor:.2f}, learnt from {days} day{'s' if days > 1 else ''}")
            else:
                lines.append(f"{event.name}: no past day to learn from, taken as no change; state a factor")
        return lines


def draw_lessons(past: Days, hours: Floats) -> Lessons:
    """Take out events, and leave out what was found to be an outage, a spike or a strange day.

    Parameters
    ----------
    past : Days
    hours : ndarray, shape (days, slots)
        How often each slot comes on each day: 0 and 2 where the clock changes.
    """
    lessons = learn_events(past)
    own = [_on(event, past.dates) for event in past.calendar.events]
    special = np.logical_or.reduce([~day_kinds(past.dates, past.calendar).usual, *own])
    found = find_anomalies(lessons.past.rates, dates=past.dates, special=special, hours=hours)
    known = replace(lessons.past, rates=found.cleaned)
    return replace(lessons, past=known, anomalies=tuple(found.describe(past.minutes)))


def _latest(anomalies: tuple[str, ...]) -> list[str]:
    """The last few, so that a long history does not bury what matters."""
    more = len(anomalies) - _SHOWN
    return [*anomalies[-_SHOWN:], *([f"and {more} earlier ones"] if more > 0 else [])]


def learn_events(past: Days) -> Lessons:
    """Take the calendar's events out of a past.

    Parameters
    ----------
    past : Days
        With ``past.calendar.events``; without any it comes back as it is.

    Returns
    -------
    Lessons

    Notes
    -----
    A factor that is not stated is Σ tickets on its past days ÷ Σ of what the same weekdays within five weeks had
    (their median, events and holidays passed over), both with 30 tickets more, so that a small queue stays near 1;
    at most tenfold either way.
    """
    events = past.calendar.events
    if not events:
        return Lessons(past=past, factors={}, learnt={})
    special = np.isin(
        past.dates, np.array([*past.calendar.holidays, *past.calendar.closed_on], dtype="datetime64[D]")
    ) | np.logical_or.reduce([_on(event, past.dates) for event in events])
    rates, others, factors, learnt = past.rates.copy(), past.others, dict[str, float](), dict[str, int]()
    if others is not None:  # whose event it is for them is not known here
        others = np.where(np.logical_or.reduce([_on(event, past.dates) for event in events])[:, None], np.nan, others)
    # What is stated first: what is learnt is what that does not explain.
    for event in sorted(events, key=lambda each: each.factor is None):
        on = np.flatnonzero(_on(event, past.dates))
        if event.once:
            rates[on] = np.nan
            continue
        if event.factor is None:
            total = rates.sum(axis=1)  # NaN for a day with a gap
            usual = np.where(special, np.nan, total)
            factors[event.name], learnt[event.name] = _learn_factor(on, total, usual, weekday(past.dates))
        else:
            factors[event.name] = event.factor
        rates[on] /= factors[event.name]
    return Lessons(past=replace(past, rates=rates, others=others), factors=factors, learnt=learnt)


def _learn_factor(on: npt.NDArray[np.intp], total: Floats, usual: Floats, of_week: Ints) -> tuple[float, int]:
    came = expected = 0.0
    days = 0
    for day in on:
        near = np.arange(max(day - _NEAR_DAYS, 0), min(day + _NEAR_DAYS + 1, len(total)))
        alike = usual[near[of_week[near] == of_week[day]]]
        alike = alike[~np.isnan(alike)]
        if len(alike) and not np.isnan(total[day]):
            came, expected, days = came + total[day], expected + float(np.median(alike)), days + 1
    ratio = (came + _DOUBT_TICKETS) / (expected + _DOUBT_TICKETS)
    return float(np.exp(np.clip(np.log(ratio), -_FURTHEST, _FURTHEST))), days


def _on(event: Event, dates: Dates) -> npt.NDArray[np.bool_]:
    return np.isin(dates, np.array(sorted(event.days), dtype="datetime64[D]"))
