"""The command line: parse, call, print. Knows every room, decides nothing.

Everything heavy is imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

# Work is shared out over processes; a linear algebra library that starts threads in each only gets in their way.
# Must stand before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from staffcast import __version__
from staffcast.cli_import import import_command
from staffcast.cli_kpi import ab, alarm, kpi, now
from staffcast.cli_measure import measure
from staffcast.cli_options import (
    BAD_INPUT,
    FORECAST,
    INTERRUPTED,
    KEEP,
    LOG,
    MISSED,
    NOT_WRITTEN,
    REREAD,
    SIMULATE,
    STAFF,
    common,
    facts_of,
    options,
    output_options,
    place,
    plan_names,
    scenario_of,
    without_part,
)
from staffcast.cli_output import deliver, print_notes, progress_bar
from staffcast.cli_sweep import sweep

if TYPE_CHECKING:
    from staffcast.forecast import Demand
    from staffcast.plan import Intake
    from staffcast.scenario import Scenario

__all__ = ["main"]


class Desk(click.Group):
    """A group that turns the errors that staffcast raises on purpose into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("staffcast: interrupted; nothing was written", err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise  # click's own; the import below would make every --help wait for pandas
        except Exception as error:
            from staffcast.contracts import OutputError, StaffcastError

            if not isinstance(error, StaffcastError):
                raise
            click.echo(f"staffcast: {error}", err=True)
            ctx.exit(NOT_WRITTEN if isinstance(error, OutputError) else BAD_INPUT)


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="staffcast")
def main() -> None:
    """From a ticket log to the agents needed in every interval of the coming weeks.

    \b
    staffcast plan tickets.csv --zone Europe/Berlin --frt "80% in 60s" --shrinkage 30%

    Every step stands alone too and reads what the step before wrote. Exit codes: 0 done; 2 input or option that
    cannot be used; 3 plan made, but it misses its target; 4 result cannot be written; 130 interrupted.
    """  # noqa: D301  # click reads the \b itself: what follows is not to be wrapped


main.add_command(import_command)


@main.command()
@click.argument("log", type=click.Path())
@click.option(
    "-o", "--output", default="staffcast-plan", show_default=True, type=click.Path(),
    callback=partial(place, folder=True), help="Folder for the plan.",
)  # fmt: skip
@click.option("--roster", type=click.Path(), help="Who was on duty when: agent, start, end, state.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with a schema_version.")
@KEEP
@options(LOG, FORECAST, STAFF, SIMULATE)
@common
@click.pass_context
def plan(
    ctx: click.Context, log: str, output: str, roster: str | None, as_json: bool, snapshots: str | None,
    scenario_file: str | None, processes: int, quiet: bool,
) -> None:  # fmt: skip
    """Go the whole way: count, forecast, staff, simulate, and write tables and a report."""
    from staffcast.plan import make_plan
    from staffcast.report import as_json as json_text
    from staffcast.report import plan_body, print_plan, write_plan

    scenario = scenario_of(ctx, scenario_file)
    with progress_bar(quiet) as progress:
        made = make_plan(log, scenario, roster=roster, processes=processes, progress=progress)
    print_notes(made.intake, quiet)
    _keep(snapshots, made.demand, made.intake, scenario, log=log, scenario_file=scenario_file)
    report = write_plan(made, output, source=Path(log).name)
    if as_json:
        click.echo(json_text("plan", plan_body(made, report)))
    else:
        print_plan(made, stream=sys.stdout)
        click.echo(f"Tables and report: {report.parent}\nOpen in a browser: {report}")
    if not made.played.met:
        ctx.exit(MISSED)


@main.command()
@click.argument("log", type=click.Path())
@options(LOG)
@output_options
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
@click.pass_context
def count(
    ctx: click.Context, log: str, scenario_file: str | None, output: str | None, as_json: bool, quiet: bool
) -> None:
    """Count a ticket LOG per queue and interval."""
    from staffcast.counting import count_log

    with progress_bar(quiet) as progress:
        series, notes = count_log(log, scenario_of(ctx, scenario_file), beside=output, progress=progress)
    if not quiet:
        for note in notes:
            click.echo(f"note: {note}", err=True)
    deliver(series, "series", output, as_json, title="Tickets per interval")


@main.command()
@click.argument("log", type=click.Path())
@KEEP
@options(LOG, FORECAST)
@common
@output_options
@click.pass_context
def forecast(
    ctx: click.Context, log: str, snapshots: str | None, scenario_file: str | None, processes: int, quiet: bool,
    output: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Forecast the demand from a ticket LOG, or from counts per interval."""
    from staffcast.plan import predict, take_in

    scenario = scenario_of(ctx, scenario_file)
    intake = take_in(log, scenario)
    print_notes(intake, quiet)
    with progress_bar(quiet) as progress:
        demand = predict(intake, scenario, processes=processes, progress=progress)
    if not quiet:
        for queue, why in demand.why.items():
            click.echo(f"note: {queue}: {describe_choice(why)}", err=True)
    _keep(snapshots, demand, intake, scenario, log=log, scenario_file=scenario_file)
    deliver(demand.frame, "demand", output, as_json, title="Demand")


def _keep(
    folder: str | None, demand: Demand, intake: Intake, scenario: Scenario, *, log: str, scenario_file: str | None
) -> None:
    """Keep the forecast with its date and inputs, to be compared with what comes."""
    if folder is None:
        return
    import pandas as pd

    from staffcast.forecast import save_snapshot
    from staffcast.plan import overrides_of

    files = {"log": log, "scenario": scenario_file, "overrides": scenario.overrides}
    save_snapshot(
        folder, demand, made_at=pd.Timestamp.now("UTC"), inputs={k: v for k, v in files.items() if v},
        ledger=overrides_of(intake, scenario),
    )  # fmt: skip


def describe_choice(why: Any) -> str:
    """One line on which model was taken and why."""
    errors = ", ".join(f"{name} {100 * error:.1f} %" for name, error in why["candidates"].items())
    weights = why.get("weights", {})
    text = (
        f"model {why['model']}"
        if len(weights) < 2
        else "models " + " + ".join(f"{100 * weight:.0f} % {name}" for name, weight in weights.items())
    )
    if errors:
        text += f"; error over {why['origins']} backtests of {why['horizon']}: {errors}"
    changed = [
        f"override {'+' if o['effect'] >= 0 else '−'}{abs(o['effect']):.0f} tickets ({o['reason']}, {o['author']})"
        for o in why.get("overrides", ())
    ]
    return "; ".join([text, *why["notes"], *changed])


@main.command()
@click.argument("log", type=click.Path())
@options(LOG)
@output_options
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
@click.pass_context
def today(
    ctx: click.Context, log: str, scenario_file: str | None, output: str | None, as_json: bool, quiet: bool
) -> None:
    """Revise the rest of the day on which a LOG ends by what its morning brought."""
    from staffcast.forecast import revise_today
    from staffcast.plan import take_in

    intake = take_in(log, scenario_of(ctx, scenario_file))
    print_notes(intake, quiet)
    table, why = revise_today(intake.series, calendar=intake.calendars)
    if not quiet:
        for queue, sentence in why.items():
            click.echo(f"note: {queue}: {sentence}", err=True)
    deliver(table, "today", output, as_json, title="Today, revised")


@main.command()
@click.argument("snapshots", type=click.Path())
@click.argument("log", type=click.Path())
@click.option("--by", default="horizon", show_default=True,
              help="Cuts: horizon, hour, weekday, queue, snapshot; several separated by commas.")  # fmt: skip
@click.option("--overrides-only", "verdicts", is_flag=True, help="Judge each override instead: did it add value?")
@options(LOG)
@output_options
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
@click.pass_context
def accuracy(
    ctx: click.Context, snapshots: str, log: str, by: str, verdicts: bool, scenario_file: str | None,
    output: str | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Compare the forecasts kept in a folder of SNAPSHOTS with what came, as a later LOG has it."""
    from staffcast.plan import forecast_accuracy, override_verdicts, take_in

    intake = take_in(log, scenario_of(ctx, scenario_file), forecasts=False)
    print_notes(intake, quiet)
    if verdicts:
        deliver(override_verdicts(snapshots, intake), "overrides", output, as_json, title="What overrides were worth")
        return
    cuts = [part.strip() for part in by.split(",") if part.strip()]
    deliver(forecast_accuracy(snapshots, intake, by=cuts), "accuracy", output, as_json, title="Forecasts against fact")


@main.command()
@click.argument("log", type=click.Path())
@options(LOG, FORECAST)
@click.option("--origins", type=click.IntRange(1), default=6, show_default=True, help="Backtests per queue and model.")
@click.option("--step", default="14d", show_default=True, help="Time between their starts.")
@common
@output_options
@click.pass_context
def backtest(
    ctx: click.Context, log: str, scenario_file: str | None, origins: int, step: str, processes: int, quiet: bool,
    output: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Let every model forecast the recent past of a LOG from what was known before it."""
    from staffcast.forecast import backtest as run
    from staffcast.plan import take_in

    scenario = scenario_of(ctx, scenario_file)
    intake = take_in(log, scenario)
    print_notes(intake, quiet)
    with progress_bar(quiet) as progress:
        table = run(
            intake.series, horizon=scenario.horizon, origins=origins, step=step, models=scenario.models,
            calendar=intake.calendars, processes=processes,
            progress=lambda done, total: progress("backtesting", done, total),
        )  # fmt: skip
    deliver(table, "backtest", output, as_json, title="Backtest: errors of past forecasts")


@main.command()
@click.argument("demand", type=click.Path())
@options(STAFF, REREAD)
@common
@output_options
@click.pass_context
def staff(
    ctx: click.Context, demand: str, scenario_file: str | None, processes: int, quiet: bool, output: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Turn a DEMAND table into the agents needed in every interval, with the reason for each number."""
    from staffcast.patience import with_measured_patience
    from staffcast.report import model_notes
    from staffcast.staffing import read_demand, table_notes
    from staffcast.staffing import staff as run

    scenario = scenario_of(ctx, scenario_file)
    read = read_demand(demand, scenario)
    scenario = with_measured_patience(scenario, read)
    if not quiet:
        for note in table_notes(read, scenario):
            click.echo(f"note: {note}", err=True)
    table = run(read, scenario, processes=processes)
    deliver(table, "requirement", output, as_json, title="Agents needed")
    if not (as_json or quiet):
        for note in model_notes(read, table, scenario):
            click.echo(f"• {note}", err=True)


@main.command()
@click.argument("demand", type=click.Path())
@click.argument("requirement", type=click.Path())
@click.option("--log", type=click.Path(), help="Ticket log: gives spread of handle times, priorities, today's backlog.")
@click.option("--check", is_flag=True, help="Set the simulator beside exact equations, queue by queue.")
@click.option(
    "--above", type=float, metavar="N", help="How likely do more than N tickets wait at an opening?  [default: people]"
)
@click.option(
    "--resume", type=click.Path(), metavar="FOLDER", help="Keep what is done there; go on from what is there."
)
@options(LOG, STAFF, SIMULATE, REREAD)
@common
@output_options
@click.pass_context
def simulate(
    ctx: click.Context, demand: str, requirement: str, log: str | None, check: bool, above: float | None,
    resume: str | None, scenario_file: str | None, processes: int, quiet: bool, output: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Play a plan (the REQUIREMENT table, edited or not) against sampled DEMAND."""
    from staffcast.contracts import REQUIREMENT
    from staffcast.contracts.files import read_table
    from staffcast.patience import with_measured_patience
    from staffcast.playing import not_played, not_staffed, play, require_judgeable, require_same_models
    from staffcast.report import as_json as json_text
    from staffcast.report import print_played
    from staffcast.settings import agents_on_grid
    from staffcast.staffing import read_demand, table_notes

    scenario = scenario_of(ctx, scenario_file)
    wanted = read_demand(demand, scenario)
    scenario = with_measured_patience(scenario, wanted)
    require_judgeable(scenario, wanted.queues)
    plan_table = read_table(requirement, REQUIREMENT, zone=scenario.zone)
    agents_on_grid(plan_table, wanted, file=requirement)
    differences = require_same_models(plan_table, wanted, scenario, file=requirement)
    if not quiet:
        for note in (*without_part(ctx), *table_notes(wanted, scenario), *differences):
            click.echo(f"note: {note}", err=True)
    facts = facts_of(log, scenario)
    try:
        with progress_bar(quiet) as progress:
            played = play(
                wanted, plan_table, scenario, facts=facts, processes=processes,
                progress=lambda done, total: progress("simulating", done, total), check=check, above=above,
                resume=resume,
            )  # fmt: skip
    except KeyboardInterrupt:
        if resume is None or not any(Path(resume).glob("simulation/*.npz")):
            raise
        click.echo(f"staffcast: interrupted; what is done is kept in {resume}: the same command goes on", err=True)
        ctx.exit(INTERRUPTED)
    if any(played.taken_over.values()) and not quiet:
        for queue, there in played.taken_over.items():
            click.echo(f"note: {queue}: {there} of {scenario.replications} replications taken over", err=True)
    for sentence in played.checks:
        click.echo(f"check: {sentence}", err=True)
    if as_json:
        body = {
            "summary": played.summary, "by_priority": played.by_priority, "by_group": played.by_group,
            "not_played": not_played(wanted, scenario), "not_staffed": not_staffed(wanted, scenario, plan_table),
            "openings": played.openings, "rows": played.outcome,
        }  # fmt: skip
        click.echo(json_text("outcome", body))
        if output:
            deliver(played.outcome, "outcome", output, False, title="")
    else:
        deliver(played.outcome, "outcome", output, False, title="Outcome by interval")
        print_played(played, wanted, scenario, stream=sys.stderr, requirement=plan_table)
    if not played.met:
        ctx.exit(MISSED)


@main.command()
@click.argument("demand", type=click.Path())
@click.argument("plans", type=click.Path(), nargs=-1, required=True)
@click.option("--log", type=click.Path(), help="Ticket log: gives spread of handle times, priorities, today's backlog.")
@options(LOG, STAFF, SIMULATE, REREAD)
@common
@output_options
@click.pass_context
def compare(
    ctx: click.Context, demand: str, plans: tuple[str, ...], log: str | None, scenario_file: str | None,
    processes: int, quiet: bool, output: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Play several PLANS (requirement tables) against the same sampled DEMAND, and say whether a difference is luck."""
    from staffcast.comparing import compare_plans
    from staffcast.contracts import REQUIREMENT
    from staffcast.contracts.files import read_table
    from staffcast.report import as_json as json_text
    from staffcast.report import print_comparison
    from staffcast.settings import agents_on_grid
    from staffcast.staffing import read_demand, table_notes

    scenario = scenario_of(ctx, scenario_file)
    wanted = read_demand(demand, scenario)
    tables = {}
    for path, name in zip(plans, plan_names(plans), strict=True):
        tables[name] = read_table(path, REQUIREMENT, zone=scenario.zone)
        agents_on_grid(tables[name], wanted, file=path)
    if not quiet:
        for note in (*without_part(ctx), *table_notes(wanted, scenario)):
            click.echo(f"note: {note}", err=True)
    facts = facts_of(log, scenario)
    with progress_bar(quiet) as progress:
        found = compare_plans(
            wanted, tables, scenario, facts=facts, processes=processes,
            progress=lambda done, total: progress("comparing", done, total),
        )  # fmt: skip
    if as_json:
        body = {"plans": found.plans, "differences": found.differences, "verdicts": list(found.verdicts)}
        click.echo(json_text("comparison", body))
    # On a terminal the few columns below stand for the table.
    onto_screen = sys.stdout.isatty() and not output
    if output or not (as_json or onto_screen):
        deliver(found.differences, "comparison", output, False, title="")
    if not as_json:
        print_comparison(found.plans, found.differences, stream=sys.stdout if onto_screen else sys.stderr)
        for sentence in found.verdicts:
            click.echo(sentence, err=True)


for _command in (sweep, kpi, measure, ab, now, alarm):
    main.add_command(_command)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes staffcast's commands: eval "$(staffcast completion bash)"."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(main, {}, "staffcast", "_STAFFCAST_COMPLETE").source())
