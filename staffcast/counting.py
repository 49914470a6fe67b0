"""Counts and KPIs of a log by the road that its size asks for: in memory, or in its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from staffcast.calendars import calendars_for_log
from staffcast.contracts import Calendar
from staffcast.new_queues import require_new_queues
from staffcast.plan import Progress, frt_targets, handling_doubts, kpi_table, require_enough, take_in
from staffcast.scenario import Scenario
from staffcast.tickets.large import LargeLog, open_large
from staffcast.tickets.large_count import count_large
from staffcast.tickets.large_file import LARGE_ROWS, TableFile, find_large
from staffcast.utilization.large import kpis_large

__all__ = ["count_log", "measure_log"]

Source = str | Path | pd.DataFrame


def count_log(
    source: Source,
    scenario: Scenario,
    *,
    beside: str | Path | None = None,
    progress: Progress | None = None,
    large_from: int = LARGE_ROWS,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The series table of a log, and the notes of its reading.

    Parameters
    ----------
    source : path or DataFrame
        A log; a pattern such as ``logs/*.parquet`` stands for all its files.
    scenario : Scenario
    beside : path, optional
        Where the result will be written: what does not fit into memory waits on disk beside it.
    progress : callable, optional
        Told (what, percent, 100) of a large log.
    large_from : int
        Rows from which on a log is counted in its file.

    Raises
    ------
    InputError
        As :func:`staffcast.plan.take_in`.
    """
    file = find_large(source, scenario.columns, rows=large_from)
    if file is None:
        intake = take_in(source, scenario, forecasts=False)
        return intake.series, intake.notes
    with _opened(file, scenario, beside, progress) as (log, calendars, notes):
        series = count_large(log, calendars, minutes=scenario.interval_minutes)
        require_enough(series, file.shown)
        return series, notes


def measure_log(
    source: Source,
    scenario: Scenario,
    *,
    by: Sequence[str],
    clock: str = "business",
    roster: Source | None = None,
    beside: str | Path | None = None,
    progress: Progress | None = None,
    large_from: int = LARGE_ROWS,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """KPIs of a log as :func:`staffcast.plan.kpi_table` has them, and the notes of its reading.

    Parameters
    ----------
    source, scenario, beside, progress, large_from
        As :func:`count_log` has them.
    by, clock, roster
        As ``kpi_table`` has them. With a roster the log is read into memory, however large.

    Raises
    ------
    InputError
        As ``kpi_table``; a vendor's clock for a large log.
    """
    file = None if roster is not None else find_large(source, scenario.columns, rows=large_from)
    if file is None:
        return kpi_table(source, scenario, by=by, clock=clock, roster=roster)
    with _opened(file, scenario, beside, progress) as (log, calendars, notes):
        table = kpis_large(log, calendars, by=by, target=frt_targets(scenario, calendars), clock=clock)
        return table, notes


@contextmanager
def _opened(
    file: TableFile, scenario: Scenario, beside: str | Path | None, progress: Progress | None
) -> Iterator[tuple[LargeLog, dict[str, Calendar], tuple[str, ...]]]:
    with open_large(
        file, beside=None if beside is None else Path(beside), zone=scenario.zone, columns=scenario.columns,
        since=scenario.since, until=scenario.until, bad_rows=scenario.bad_rows, allow_gaps=scenario.allow_gaps,
        progress=progress,
    ) as log:  # fmt: skip
        calendars, how = calendars_for_log(log, scenario)
        require_new_queues(scenario, log.queues, calendars)
        notes = (
            *log.notes, *handling_doubts(log.mean_handle_s),
            *(f"{queue}: {note}" for queue in calendars for note in how[queue]),
        )  # fmt: skip
        yield log, calendars, notes
