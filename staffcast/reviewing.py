"""From a log to what the desk reached: every KPI, targets, alarms, variants, and the view of now."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from staffcast.contracts import Calendar, InputError, bad_value
from staffcast.contracts.files import atomic_path
from staffcast.plan import planned, take_in
from staffcast.scenario import Scenario
from staffcast.tickets import TicketLog
from staffcast.utilization import (
    DEFAULT_TARGETS,
    PERIODS,
    BacklogAlarm,
    KpiTarget,
    Live,
    backlog_alarm,
    clock_rule,
    compare_variants,
    judge,
    kpi_long,
    live,
    parse_targets,
    read_roster,
    read_targets,
    reconcile,
    unavailable,
)
from staffcast.utilization.catalogue import find_kpi

__all__ = [
    "Review",
    "alarms",
    "compare_scripts",
    "desk_now",
    "reconciled",
    "review",
    "unavailable_stretches",
    "write_targets",
]

_MOST_VALUES = 20
_CODE = r"a-[0-9a-f]{16}"  # as an import makes them of agents

Source = str | Path | pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class Review:
    """KPIs of a log and what they are beside their targets.

    Attributes
    ----------
    table : DataFrame
        From :func:`kpi_long`.
    judged : DataFrame or None
        From :func:`judge`; None without targets.
    missed : tuple of str
        What misses its target, in the last whole period or, without periods, at all; for people.
    notes : tuple of str
    """

    table: pd.DataFrame
    judged: pd.DataFrame | None
    missed: tuple[str, ...]
    notes: tuple[str, ...]


def review(
    source: Source,
    scenario: Scenario,
    *,
    by: Sequence[str] = (),
    period: str | None = None,
    clock: str = "business",
    roster: Source | None = None,
    targets: str | Path | Literal["default"] | None = None,
    repeat_days: float = 7.0,
) -> Review:
    """Measure every KPI, and set those with a target beside it.

    Parameters
    ----------
    source : path or DataFrame
        A ticket log.
    scenario : Scenario
        Zone, hours and the first response time that ``frt_human_within`` is about.
    by, period, clock, repeat_days
        As :func:`staffcast.utilization.kpi_long` has them.
    roster : path or DataFrame, optional
        Who was on duty when.
    targets : path or "default", optional
        TOML file with targets, or the benchmarks.

    Raises
    ------
    InputError
        An interval file, a cut that the log does not have, a target that cannot be read or whose ``where`` has
        no value that the log has (the benchmarks of "default" are then left out, with a note).
    """
    goals = _targets(targets)
    log, calendars, notes = _log(source, scenario, "KPIs need")
    on_duty = None if roster is None else read_roster(roster, zone=scenario.zone or log.zone)
    frt = {queue: scenario.for_queue(queue).frt for queue in calendars}

    def measured(part: TicketLog) -> tuple[pd.DataFrame, tuple[str, ...]]:
        found = kpi_long(
            part, calendars, by=by, period=period, target=frt, clock=clock, roster=on_duty, repeat_days=repeat_days
        )
        return found.frame, found.notes

    table, more = measured(log)
    if goals is None:
        return Review(table=table, judged=None, missed=(), notes=(*notes, *more))
    parts, said = [], list(more)
    for where in dict.fromkeys(tuple(goal.where.items()) for goal in goals):
        own = [goal for goal in goals if tuple(goal.where.items()) == where]
        names = ", ".join(goal.kpi for goal in own)
        if targets != "default":
            said += _mistyped(log, dict(where), names, targets)
        part, note = _part(log, dict(where))
        if note:
            said.append(f"targets of {names}: {note}")
        if part is None:
            continue
        rows = table if part is log else measured(part)[0]
        missing = [goal.kpi for goal in own if goal.kpi not in set(rows["kpi"])]
        if missing:
            said.append(f"not judged, as the log does not tell: {', '.join(missing)}")
        parts.append(judge(rows, own, period=period))
    if not parts:
        raise InputError("no target is about tickets of this log; change its `where`")
    judged = pd.concat(parts, ignore_index=True)
    last, note = _last_whole(log, judged, period)
    if note:
        said.append(note)
    looked = judged if last is None else judged[judged[str(period)] == last]
    missed = tuple(_in_words(row, by) for _, row in looked[looked["verdict"] == "missed"].iterrows())
    return Review(table=table, judged=judged, missed=missed, notes=(*notes, *said))


def _targets(targets: str | Path | None) -> list[KpiTarget] | None:
    if targets is None:
        return None
    return parse_targets(DEFAULT_TARGETS) if targets == "default" else read_targets(targets)


def _mistyped(log: TicketLog, where: Mapping[str, tuple[str, ...]], names: str, file: str | Path | None) -> list[str]:
    """Refuse a ``where`` none of whose values the log has: a check that judges nothing must not pass; note the rest."""
    notes = []
    for column, values in where.items():
        if column not in log.frame or log.frame[column].isna().all():
            continue
        known = sorted(str(value) for value in log.frame[column].dropna().unique())
        absent = [value for value in values if value not in known]
        near = {value: close[0] for value in absent if (close := difflib.get_close_matches(value, known, n=1))}
        if len(absent) == len(values):
            hint = f"did you mean {', '.join(dict.fromkeys(near.values()))}? " if near else ""
            more = f" … ({len(known)} in all)" if len(known) > _MOST_VALUES else ""
            raise InputError(
                f"target of {names}: no ticket has {column} = {', '.join(values)}; "
                f"{hint}The log has {', '.join(known[:_MOST_VALUES])}{more}",
                file=file,
            )  # fmt: skip
        notes += [
            f"targets of {names}: no ticket has {column} = {value}; did you mean {found}?"
            for value, found in near.items() if found not in values
        ]  # fmt: skip
    return notes


def _part(log: TicketLog, where: Mapping[str, tuple[str, ...]]) -> tuple[TicketLog | None, str]:
    keep = pd.Series(data=True, index=log.frame.index)
    notes = []
    for column, values in where.items():
        if column not in log.frame or log.frame[column].isna().all():
            notes.append(f"the log has no {column}; every ticket is taken to be of {', '.join(values)}")
            continue
        keep &= log.frame[column].isin(values).fillna(value=False)
    if not keep.any():
        wanted = "; ".join(f"{column} = {', '.join(values)}" for column, values in where.items())
        return None, f"no ticket has {wanted}"
    if keep.all():
        return log, "; ".join(notes)
    frame = log.frame[keep].reset_index(drop=True)
    # The same end for all: a ticket's silence counts to the end of the whole log.
    end = pd.Timestamp(log.end)
    return TicketLog(frame=frame, zone=log.zone, notes=log.notes, until=end, last=log.seen), "; ".join(notes)


def _last_whole(log: TicketLog, judged: pd.DataFrame, period: str | None) -> tuple[object, str]:
    """Label of the last period that the log saw to its end."""
    if period is None:
        return None, ""
    labels = sorted(judged[period].unique())
    local = pd.Timestamp(log.end).tz_localize(None)
    step = {"day": pd.DateOffset(days=1), "week": pd.DateOffset(days=7), "month": pd.DateOffset(months=1)}[period]
    ends = pd.Timestamp(str(labels[-1])) + step
    # The last ticket of a day comes before its midnight: an evening without tickets is no missing one.
    if ends.normalize() - local <= pd.Timedelta(hours=12) or len(labels) < 2:
        return labels[-1], f"judged: the {period} {labels[-1]}"
    return labels[-2], f"judged: the {period} {labels[-2]}; that of {labels[-1]} is not over"


def _in_words(row: pd.Series, by: Sequence[str]) -> str:
    place = ", ".join(f"{cut} {row[cut]}" for cut in by if cut not in PERIODS)
    return f"{row['kpi']}{f' ({place})' if place else ''}: {row['value']:.4g}, wanted {row['target']}"


def write_targets(path: str | Path) -> Path:
    """Write the benchmarks as a file to edit.

    Raises
    ------
    InputError
        The file is there already: a planner's own figures are not written over.
    OutputError
        The place cannot be written.
    """
    place = Path(path)
    if place.exists():
        raise bad_value("write_targets", str(path), "a file that is not there yet", "targets are not written over")
    with atomic_path(place) as temporary:
        temporary.write_text(DEFAULT_TARGETS, encoding="utf-8")
    return place


def reconciled(source: Source, scenario: Scenario, *, clock: str | None = None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """First response times under every clock (or one) beside those that the help desk states; and the notes.

    Raises
    ------
    InputError
        The log states none.
    """
    log, calendars, notes = _log(source, scenario, "first response times need")
    table = reconcile(log, calendars, clocks=None if clock is None else [clock])
    best = table.iloc[0]
    share = f"{100 * float(best['equal']):.0f} %"
    return table, (
        *notes, f"{best['clock']} explains {best['stated']} best: {share} of {best['n']} tickets within a minute",
    )  # fmt: skip


def compare_scripts(
    source: Source,
    scenario: Scenario,
    *,
    column: str,
    kpi: str,
    unit: Literal["auto", "ticket", "customer", "day"] = "auto",
    clock: str = "business",
    difference: float | None = None,
    power: float = 0.8,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Compare the variants that a column names by one KPI; and the notes.

    Raises
    ------
    InputError
        As :func:`staffcast.utilization.compare_variants`.
    """
    log, calendars, notes = _log(source, scenario, "a comparison needs")
    frt = {queue: scenario.for_queue(queue).frt for queue in calendars}
    table = compare_variants(
        log, calendars, column=column, kpi=kpi, unit=unit, clock=clock, target=frt, difference=difference, power=power
    )
    said = []
    unit_of = f" {measured}" if (measured := find_kpi(kpi)[0].unit) != "share" else " (as a share)"
    if table["plain_a"].notna().any():
        said.append(
            f"{kpi} counts who still waits (Kaplan–Meier); plain_a and plain_b are of the ended alone, as in `kpi --by`"
        )
    for row in table.to_dict("records"):
        word = {"higher": "higher than", "lower": "lower than", "undecided": "not shown to differ from"}[row["verdict"]]
        said.append(
            f"{kpi}: {row['b']} is {word} {row['a']}: {row['difference']:+.4g}{unit_of} "
            f"({row['low']:+.4g} to {row['high']:+.4g}), unit {row['unit']}; "
            f"so many tickets show a difference of {row['detectable']:.4g}{unit_of}"
        )
    return table, (*notes, *said)


def desk_now(
    source: Source, scenario: Scenario, *, roster: Source | None = None, most: int | None = None
) -> tuple[Live, tuple[str, ...]]:
    """Who waits, who has how much, what to hand over; and the notes.

    Raises
    ------
    InputError
        As :func:`staffcast.utilization.live`.
    """
    log, _, notes = _log(source, scenario, "the view of now needs")
    on_duty = None if roster is None else read_roster(roster, zone=scenario.zone or log.zone)
    seen = live(log, roster=on_duty, most=most)
    said = []
    if len(seen.load) and on_duty is None:
        said.append(
            "no roster: who replied or closed something in the last 24 hours counts as here (--roster says who is)"
        )
    if len(seen.load) and seen.load["agent"].str.fullmatch(_CODE).all():
        said.append("agents are codes: `staffcast import --keep-agents` leaves them their names")
    return seen, (*notes, *said)


def alarms(
    source: Source,
    scenario: Scenario,
    *,
    clock: str = "business",
    weeks: int = 4,
    days: int = 7,
    certainty: float = 0.5,
) -> tuple[list[BacklogAlarm], tuple[str, ...]]:
    """Say for every queue whether first responses will break; and the notes, with a sentence per queue.

    Raises
    ------
    InputError
        As :func:`staffcast.utilization.backlog_alarm`.
    """
    log, calendars, notes = _log(source, scenario, "an alarm needs")
    hours = clock_rule(clock).hours
    found, said = [], []
    for queue, calendar in calendars.items():
        target = scenario.for_queue(queue).frt
        one = backlog_alarm(
            log, calendar, queue, target, clock=hours, weeks=weeks, horizon_days=days, certainty=certainty,
            seed=scenario.seed,
        )  # fmt: skip
        found.append(one)
        said.append(one.sentence(target))
    if short := [one.queue for one in found if one.overload_only]:
        said.append(
            f"{', '.join(short)}: the target is too short for an alarm that looks hour by hour; judged is overload, "
            "more than two hours' work left at closing; what happens within the hour `staffcast simulate` judges"
        )
    return found, (*notes, *said)


def unavailable_stretches(roster: Source, scenario: Scenario) -> pd.DataFrame:
    """Stretches of a roster in which agents were logged in but not available."""
    return unavailable(read_roster(roster, zone=scenario.zone))


def _log(source: Source, scenario: Scenario, what: str) -> tuple[TicketLog, dict[str, Calendar], tuple[str, ...]]:
    intake = take_in(source, scenario, forecasts=False)
    if not isinstance(intake.log, TicketLog):
        path = None if isinstance(source, pd.DataFrame) else source
        raise InputError(f"has counts per interval, no tickets: {what} a ticket log", file=path)
    return planned(intake.log, intake.calendars), dict(intake.calendars), tuple(intake.notes)
