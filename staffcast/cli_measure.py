"""The command that measures planning inputs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from staffcast.cli_options import LOG, options, options_of, place, scenario_of
from staffcast.cli_output import deliver

__all__ = ["measure"]


@click.command()
@click.argument("log", type=click.Path())
@click.option("-o", "--output", type=click.Path(), callback=partial(place, ends=(".toml",)),
              help="Write a scenario with the measured inputs here: .toml.")  # fmt: skip
@click.option("--roster", type=click.Path(), help="Who was on duty when: agent, start, end, state; gives shrinkage.")
@click.option("--table", type=click.Path(), callback=place, help="Write all figures here: .csv, .csv.gz or .parquet.")
@click.option("--with-aht", is_flag=True, help="State handle times in the scenario too, for plans without this log.")
@click.option("--repeat-days", type=float, default=7.0, show_default=True,
              help="Within how many days a customer who comes back is a repeat contact.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON with a schema_version.")
@options(LOG)
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
@click.pass_context
def measure(
    ctx: click.Context, log: str, output: str | None, roster: str | None, table: str | None, with_aht: bool,
    repeat_days: float, as_json: bool, scenario_file: str | None, quiet: bool,
) -> None:  # fmt: skip
    """Measure a plan's inputs in a ticket LOG: handle time, concurrency, patience, shrinkage, what comes back, the bot.

    With -o they become a scenario that plan reads, each key with its interval, number of observations and span.
    """
    from staffcast.measured_scenario import measured_scenario, write_measured
    from staffcast.measuring import measure_inputs

    scenario = scenario_of(ctx, scenario_file)
    found = measure_inputs(log, scenario, roster=roster, repeat_days=repeat_days)
    if not quiet:
        for note in (*found.notes, *found.missing):
            click.echo(f"note: {note}", err=True)
    if output:
        written = options_of(ctx, scenario_file, beside=Path(output).parent)
        text = measured_scenario(found, scenario, written, log=Path(log).name, with_aht=with_aht)
        write_measured(text, output)
        click.echo(f"scenario: the measured inputs were written to {output}", err=True)
    if table or as_json or not output:
        deliver(found.table, "measured", table, as_json, title="Planning inputs")
