"""What the commands put out: progress, tables, notes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

    from staffcast.plan import Intake

__all__ = ["deliver", "print_notes", "progress_bar"]


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr for what takes longer than a second; plain lines where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True,
    )  # fmt: skip
    begin = time.monotonic()
    tasks: dict[str, Any] = {}

    def report(what: str, done: int, total: int) -> None:
        if quiet:
            return
        if not console.is_terminal:
            if done == total and time.monotonic() - begin > 1:
                console.print(f"{what}: {total} of {total}", highlight=False)
            return
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=total)
        bar.update(tasks[what], completed=done, total=total)
        if not bar.live.is_started and time.monotonic() - begin > 1:
            bar.start()

    try:
        yield report
    finally:
        if bar.live.is_started:
            bar.stop()


def deliver(frame: pd.DataFrame, kind: str, output: str | None, as_json: bool, *, title: str) -> None:
    """Write a table where it was asked for; else a table on a terminal and CSV into a pipe."""
    from staffcast.contracts.files import csv_text, write_table
    from staffcast.report import as_json as json_text
    from staffcast.report import print_frame

    if output:
        write_table(frame, output)
        click.echo(f"{kind}: {len(frame):,} rows written to {output}", err=True)
    if as_json:
        click.echo(json_text(kind, {"rows": frame}))
    elif not output:
        if sys.stdout.isatty():
            print_frame(frame, title=title, stream=sys.stdout, kind=kind)
        else:
            click.echo(csv_text(frame), nl=False)


def print_notes(intake: Intake, quiet: bool) -> None:
    """Print what was understood of a log."""
    if not quiet:
        for note in intake.notes:
            click.echo(f"note: {note}", err=True)
