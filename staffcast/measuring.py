"""A log and a roster in, the planner's inputs out: every figure with its interval, and the scenario that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from staffcast.contracts import InputError, bad_value
from staffcast.plan import Intake, take_in
from staffcast.scenario import Scenario
from staffcast.tickets import TicketLog
from staffcast.utilization import read_roster
from staffcast.utilization.measured import (
    Figure,
    as_table,
    concurrency_figures,
    deflection_figures,
    first_reply_figures,
    handle_figures,
    patience_figures,
    redial_figures,
    reopen_figures,
    repeat_figures,
    shrinkage_figures,
)

__all__ = ["Measured", "measure_inputs"]

# What changes from month to month is measured on the last eight weeks, as plans do; what is rare on half a year; leave
# has its seasons.
_LATELY, _HALF_YEAR, _YEAR = pd.Timedelta(weeks=8), pd.Timedelta(weeks=26), pd.Timedelta(weeks=52)
_SETTLED = pd.Timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a log and a roster say of the planner's inputs.

    Attributes
    ----------
    figures : tuple of Figure
    zone : str
    queues : tuple of str
    since, until : Timestamp
        First ticket and end of the log.
    notes : tuple of str
        Of the reading.
    """

    figures: tuple[Figure, ...]
    zone: str
    queues: tuple[str, ...]
    since: pd.Timestamp
    until: pd.Timestamp
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """All figures, a row each."""
        return as_table(self.figures)

    @property
    def missing(self) -> list[str]:
        """What could not be measured, and the columns that it takes."""
        told: dict[str, list[str]] = {}
        for figure in self.figures:
            if figure.at == "" and figure.n == 0 and figure.note:
                told.setdefault(f"{figure.measure} is not measured: {figure.note}", []).append(figure.queue)
        return [
            text if set(queues) in ({""}, set(self.queues)) else f"{', '.join(queues)}: {text}"
            for text, queues in told.items()
        ]

    def of(self, measure: str, queue: str = "", at: str = "") -> Figure | None:
        """One figure, or None."""
        return next((f for f in self.figures if (f.measure, f.queue, f.at) == (measure, queue, at)), None)


def measure_inputs(
    source: str | Path | pd.DataFrame,
    scenario: Scenario | None = None,
    *,
    roster: str | Path | pd.DataFrame | None = None,
    repeat_days: float = 7.0,
) -> Measured:
    """Measure what a plan needs to be told besides the demand.

    Parameters
    ----------
    source : path or DataFrame
        A ticket log.
    scenario : Scenario, optional
        How to read it; opening hours.
    roster : path or DataFrame, optional
        Who was on duty when; without it shrinkage is not measured.
    repeat_days : float
        Within how many days a customer who comes back is a repeat contact.

    Raises
    ------
    InputError
        As :func:`staffcast.plan.take_in`; an interval file; a roster that does not overlap with the log.
    """
    if not 0 < repeat_days <= 365:
        raise bad_value("repeat_days", repeat_days, "above 0 and at most 365 days")
    scenario = scenario if scenario is not None else Scenario()
    on_duty = None if roster is None else read_roster(roster, zone=scenario.zone)
    intake = take_in(source, scenario, forecasts=False)
    log = intake.log
    if not isinstance(log, TicketLog):
        raise InputError(
            "has counts per interval, no tickets: measuring needs a ticket log",
            file=None if isinstance(source, pd.DataFrame) else source,
        )
    queues, first = tuple(sorted(intake.calendars)), log.frame["created_at"].min()
    figures = _of_roster(on_duty, log, queues)
    since = max(log.end - _LATELY, first)
    held = concurrency_figures(log, list(queues), since=since)
    for queue in queues:
        figures += _of_queue(intake, log, queue, first, repeat_days)
        figures += _spanned(held[queue], since, log.end)
    return Measured(
        figures=tuple(figures), zone=log.zone, queues=queues, since=first, until=log.end, notes=intake.notes
    )


def _of_queue(intake: Intake, log: TicketLog, queue: str, first: pd.Timestamp, repeat_days: float) -> list[Figure]:
    own = log.frame[log.frame["queue"] == queue]
    lately, half_year = max(log.end - _LATELY, first), max(log.end - _HALF_YEAR, first)
    sought = own[own["offered_at"] >= lately]
    if "handle_s" in sought:
        handling = handle_figures(sought, queue)
    else:
        handling = [Figure(measure="aht", queue=queue, unit="s", note="needs handle_s (the agent's active time)")]
    settled = log.end - _SETTLED
    reopened = reopen_figures(own[own["offered_at"] >= half_year], queue, settled=settled)
    return [
        *_spanned(handling, lately, log.end),
        *_spanned(first_reply_figures(sought, queue), lately, log.end),
        *_spanned(patience_figures(log, queue, intake.calendars[queue], since=half_year), half_year, log.end),
        *_spanned(reopened, half_year, settled),
        *_spanned(repeat_figures(log, queue, days=repeat_days, since=half_year), half_year, log.end),
        *_spanned(redial_figures(log, queue, since=half_year), half_year, log.end),
        *_spanned(deflection_figures(own[own["created_at"] >= lately], queue), lately, log.end),
    ]


def _of_roster(roster: pd.DataFrame | None, log: TicketLog, queues: Sequence[str]) -> list[Figure]:
    if roster is None:
        return [
            Figure(measure="shrinkage", unit="share", note="needs a roster: --roster with agent, start, end, state")
        ]
    since = max(log.end - _YEAR, log.frame["created_at"].min())
    start, end = roster["start"], roster["end"]
    cut = roster.assign(start=start.where(start > since, since), end=end.where(end < log.end, log.end))
    cut = cut[cut["end"] > cut["start"]].reset_index(drop=True)
    if cut.empty:
        raise InputError(
            f"the roster ({start.min()} to {end.max()}) and the log ({since} to {log.end}) have no time in common; "
            "give the roster of the log's span"
        )
    figures = shrinkage_figures(cut, zone=log.zone)
    if "queue" in cut:
        for queue in (q for q in queues if (cut["queue"] == q).any()):
            figures += shrinkage_figures(cut[cut["queue"] == queue], zone=log.zone, queue=queue)
    return _spanned(figures, cut["start"].min(), cut["end"].max())


def _spanned(figures: Sequence[Figure], since: pd.Timestamp, until: pd.Timestamp) -> list[Figure]:
    return [replace(figure, since=since, until=until) for figure in figures]
