"""The command that plays every combination of some changes, and draws what each paid hour buys."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from staffcast.cli_options import (
    LOG,
    NOT_WRITTEN,
    REREAD,
    SIMULATE,
    STAFF,
    common,
    facts_of,
    options,
    output_options,
    place,
    scenario_of,
    without_part,
)
from staffcast.cli_output import deliver, progress_bar

__all__ = ["sweep"]


def _picture(ctx: click.Context, param: click.Parameter, path: str | None) -> str | None:
    if path is None or ctx.resilient_parsing:
        return path
    if not path.lower().endswith((".svg", ".png")):
        raise click.BadParameter(f"cannot tell the format of {Path(path).name!r}; end it in .svg or .png")
    if Path(path).is_dir():
        click.echo(f"staffcast: {path}: is a directory; name a file", err=True)
        return ctx.exit(NOT_WRITTEN)
    place(ctx, param, str(Path(path).parent), folder=True)
    return path


@click.command()
@click.argument("demand", type=click.Path())
@click.argument("requirement", type=click.Path(), required=False)
@click.option("--vary", multiple=True, required=True, metavar="NAME=VALUES",
              help="volume=-10%,+0%,+20%; also aht, deflection, shrinkage, frt, agents. Several times: every "
              "combination.")  # fmt: skip
@click.option("--figure", type=click.Choice(["frt_mean_s", "frt_p95_s", "service_level"]), default="frt_mean_s",
              show_default=True, help="What plans are weighed by against their paid hours.")  # fmt: skip
@click.option("--plot", "picture", type=click.Path(), callback=_picture, metavar="FILE",
              help="Draw paid hours beside the figure: .svg or .png.")  # fmt: skip
@click.option("--log", type=click.Path(), help="Ticket log: gives spread of handle times, priorities, today's backlog.")
@options(LOG, STAFF, SIMULATE, REREAD)
@common
@output_options
@click.pass_context
def sweep(
    ctx: click.Context, demand: str, requirement: str | None, vary: tuple[str, ...], figure: str, picture: str | None,
    log: str | None, scenario_file: str | None, processes: int, quiet: bool, output: str | None, as_json: bool,
) -> None:  # fmt: skip
    """What if: play every combination of changes of DEMAND, with a plan (REQUIREMENT) that stays, or staffed anew."""
    from staffcast.contracts import REQUIREMENT
    from staffcast.contracts.files import read_table
    from staffcast.patience import with_measured_patience
    from staffcast.playing import require_same_models
    from staffcast.report import print_sweep, write_frontier
    from staffcast.settings import agents_on_grid
    from staffcast.staffing import read_demand, table_notes
    from staffcast.sweeping import read_vary, sweep_plan

    asked = read_vary(vary)
    scenario = scenario_of(ctx, scenario_file)
    wanted = read_demand(demand, scenario)
    scenario = with_measured_patience(scenario, wanted)
    notes, plan_table = table_notes(wanted, scenario), None
    if requirement is not None:
        plan_table = read_table(requirement, REQUIREMENT, zone=scenario.zone)
        agents_on_grid(plan_table, wanted, file=requirement)
        notes = [
            *without_part(ctx, but=["shrinkage"]),
            *notes,
            *require_same_models(plan_table, wanted, scenario, file=requirement),
        ]
    if not quiet:
        for note in notes:
            click.echo(f"note: {note}", err=True)
    facts = facts_of(log, scenario)
    with progress_bar(quiet) as progress:
        table = sweep_plan(
            wanted, scenario, vary=asked, requirement=plan_table, figure=figure, facts=facts, processes=processes,
            progress=lambda done, total: progress("sweeping", done, total),
        )  # fmt: skip
    # On a terminal the few columns below stand for the table.
    onto_screen = sys.stdout.isatty() and not (output or as_json)
    if not onto_screen:
        deliver(table, "sweep", output, as_json, title="")
    if picture is not None:
        days = len(wanted.ds) * wanted.minutes / 1440
        write_frontier(table, picture, figure=figure, days=days)
        click.echo(f"plot: written to {picture}", err=True)
    if not as_json:
        stream = sys.stdout if onto_screen else sys.stderr
        print_sweep(table, list(asked), figure, stream=stream, everything=onto_screen)
