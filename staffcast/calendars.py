"""The calendar of each queue: hours as the scenario says or the log shows, holidays of the country."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from staffcast.contracts import Calendar, InputError, bad_value
from staffcast.scenario import Scenario
from staffcast.tickets import IntervalLog, TicketLog, learn_calendar, learn_holiday_closures
from staffcast.tickets.large import LargeLog

__all__ = ["CHECK", "calendars_for_log", "country_holidays"]

# A note that begins so stands at the top of the plan: the planner should look before believing the numbers.
CHECK = "please check:"

_ENOUGH_RESPONSES = 200
_OPEN_WEIGHT = 100.0


def country_holidays(code: str, years: range) -> dict[dt.date, str]:
    """Public holidays of a country or region (``"DE-BY"``), with other kinds of days if wanted (``"BR+optional"``).

    Raises
    ------
    InputError
        Unknown country, region or kind.
    """
    import holidays

    place, *kinds = (part.strip() for part in code.split("+"))
    country, _, region = place.partition("-")
    try:
        known = holidays.country_holidays(country.upper(), subdiv=region.upper() or None)
    except NotImplementedError:  # what the library raises for a country it does not have
        raise bad_value("holidays", code, 'a country such as "DE" or "BR", or with its region "DE-BY"') from None
    strange = [kind for kind in kinds if kind.lower() not in known.supported_categories]
    if strange:
        raise bad_value("holidays", code, f"{place} with + and any of {', '.join(known.supported_categories)}")
    found = holidays.country_holidays(
        country.upper(), subdiv=region.upper() or None, years=years,
        categories=tuple(dict.fromkeys(("public", *(kind.lower() for kind in kinds)))),
    )  # fmt: skip
    return {day: str(name) for day, name in found.items()}


def calendars_for_log(
    log: TicketLog | IntervalLog | LargeLog, scenario: Scenario
) -> tuple[dict[str, Calendar], dict[str, tuple[str, ...]]]:
    """Calendar of each queue that is planned, and how it came about.

    Returns
    -------
    calendars : dict of queue to Calendar
    notes : dict of queue to tuple of str
        For people: whether the hours were given or learnt.

    Raises
    ------
    InputError
        The scenario names a queue that the log does not have, or an unknown country.
    """
    _known_queues(log, scenario)
    planned = [queue for queue in log.queues if scenario.plans(queue)]
    if isinstance(log, LargeLog):
        found = log.activity(_ENOUGH_RESPONSES) if planned else {}
        activity = {queue: found[queue] for queue in planned}
    else:
        activity = {queue: _activity(log, queue) for queue in planned}
    if not activity:
        raise InputError(f"no queue is left to plan; the log has {', '.join(log.queues)}")
    pooled: Calendar | None = None
    days: Mapping[dt.date, str] = {}
    if scenario.holidays is not None:
        spans = [t for t, _ in activity.values() if len(t)]
        years = range(min(t.min() for t in spans).year, max(t.max() for t in spans).year + 3)
        days = country_holidays(scenario.holidays, years)
    calendars, notes = {}, {}
    for queue, (times, weights) in activity.items():
        rules = scenario.for_queue(queue)
        sure = _tells_hours(log, queue)
        minutes = scenario.interval_minutes
        if rules.hours is not None:
            calendar, how = Calendar.parse(log.zone, rules.hours), "given"
        else:
            own = learn_calendar(times, weights, zone=log.zone, minutes=minutes)
            how = "learnt from the last eight weeks" if sure else "guessed from when tickets arrive"
            if own is None:
                if pooled is None:
                    pooled = _pooled(activity, log.zone, minutes)
                own = pooled
                how = f"{how} in all queues together" if len(activity) > 1 else "not to be learnt from so few tickets"
            calendar = own
        calendar = replace(calendar, closed_arrivals=rules.closed_arrivals, holidays=dict(days))
        # Of an interval file the intervals are counted; each instant of a large log stands for several tickets.
        number = weights if isinstance(log, LargeLog) else np.ones(len(times))
        calendar, more = _with_holidays(calendar, times, number, days, scenario.closed_on_holidays)
        events = tuple(event for event, queues in scenario.events if not queues or queue in queues)
        calendars[queue] = replace(calendar.closed(scenario.closed_days), events=events)
        notes[queue] = (f"hours {how}: {calendar.describe()}", *more)
        if not sure and rules.hours is None and not calendar.always_open:
            notes[queue] += (
                f"{CHECK} the opening hours are a guess, as nothing tells when people answered: give them with --hours",
            )
    return calendars, notes


def _known_queues(log: TicketLog | IntervalLog | LargeLog, scenario: Scenario) -> None:
    for parameter, names, more in (
        ("queues", scenario.queues, scenario.new_queues),
        ("queues_only (--queues)", scenario.only, scenario.new_queues),
        ("skip_queues (--skip-queues)", scenario.skip, scenario.new_queues),
        ("events.queues", {name for _, queues in scenario.events for name in queues}, ()),
    ):
        for name in names:
            if name not in log.queues and name not in more:
                raise bad_value(parameter, name, f"a queue of the log: {', '.join(log.queues)}")


def _tells_hours(log: TicketLog | IntervalLog | LargeLog, queue: str) -> bool:
    """Whether the log shows when people worked, not only when customers wrote."""
    if isinstance(log, LargeLog):
        return log.answers[queue] >= _ENOUGH_RESPONSES
    if isinstance(log, IntervalLog):
        return "open" in log.frame
    rows = log.frame[log.frame["queue"] == queue]
    return "first_response_at" in rows and rows["first_response_at"].notna().sum() >= _ENOUGH_RESPONSES


def _activity(log: TicketLog | IntervalLog, queue: str) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """When people answered; where the log does not tell, when tickets came."""
    if isinstance(log, IntervalLog):
        rows = log.frame[log.frame["unique_id"] == queue]
        if "open" in rows:  # counted by an earlier step, which knew the hours: every open interval weighs alike
            return pd.DatetimeIndex(rows.loc[rows["open"], "ds"]), np.full(int(rows["open"].sum()), _OPEN_WEIGHT)
        rows = rows[rows["y"] > 0]
        return pd.DatetimeIndex(rows["ds"]), rows["y"].to_numpy(dtype=float)
    rows = log.frame[log.frame["queue"] == queue]
    times = rows["offered_at"].dropna()
    if _tells_hours(log, queue):
        times = rows["first_response_at"].dropna()
    return pd.DatetimeIndex(times), np.ones(len(times))


def _pooled(activity: Mapping[str, tuple[pd.DatetimeIndex, np.ndarray]], zone: str, minutes: int) -> Calendar:
    times = pd.DatetimeIndex(np.concatenate([t.tz_convert("UTC").to_numpy() for t, _ in activity.values()]), tz="UTC")
    weights = np.concatenate([w for _, w in activity.values()])
    learnt = learn_calendar(times.tz_convert(zone), weights, zone=zone, minutes=minutes)
    return learnt if learnt is not None else Calendar(zone=zone)


def _with_holidays(
    calendar: Calendar, times: pd.DatetimeIndex, number: np.ndarray, days: Mapping[dt.date, str], rule: bool | None
) -> tuple[Calendar, list[str]]:
    if not days:
        return calendar, []
    if rule is False:
        return calendar, ["open on public holidays: given"]
    past, usual = learn_holiday_closures(times, calendar, days, number)
    if rule is True:
        return calendar.closed(days), ["closed on public holidays: given"]
    if usual:
        last = times.max().date()
        return calendar.closed({*past, *(d for d in days if d > last)}), [
            f"taken as closed on public holidays, because {len(past)} past ones were"
        ]
    return calendar.closed(past), ["taken as open on public holidays, as most past ones were"]
