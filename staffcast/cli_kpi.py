"""The commands that look back: kpi, ab, now, alarm. They parse, call and print, as all others do."""

from __future__ import annotations

from typing import Any, Literal

import click

from staffcast.cli_options import CLOCKS, LOG, MISSED, STAFF, options, output_options, scenario_of
from staffcast.cli_output import deliver, progress_bar

__all__ = ["ab", "alarm", "kpi", "now"]

_CLOCK = click.option(
    "--clock", type=click.Choice(CLOCKS), default="business", show_default=True, metavar="NAME",
    help="Whether closed hours count in response times (business, calendar), or a vendor's rule: zendesk, intercom, "
    "callbell, trengo, wati, chatwoot, freshdesk, respondio.",
)  # fmt: skip
_QUIET = click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")


def _say(notes: tuple[str, ...], quiet: bool, what: str = "note") -> None:
    if not quiet:
        for note in notes:
            click.echo(f"{what}: {note}", err=True)


def _cuts(by: str) -> list[str]:
    return [part.strip() for part in by.split(",") if part.strip()]


@click.command()
@click.argument("log", type=click.Path(), required=False)
@click.option(
    "--by",
    default=None,
    show_default="queue",
    help="Cuts: queue, agent, team, priority, channel, topic, bot_option, hour, weekday, day, week, month.",
)
@click.option("--period", type=click.Choice(["day", "week", "month"]), help="Every KPI for each day, week or month.")
@click.option("--all", "everything", is_flag=True, help="Every KPI that the log tells of, in long form.")
@_CLOCK
@click.option("--roster", type=click.Path(), help="Who was on duty when; alone it prints utilization per agent.")
@click.option("--repeat-days", type=float, default=7.0, show_default=True,
              help="Within how many days a customer who comes back is a repeat contact.")  # fmt: skip
@click.option("--targets", type=click.Path(), metavar="FILE", help="TOML file with targets, or: default.")
@click.option("--write-targets", type=click.Path(), metavar="FILE", help="Write the benchmarks there, to be edited.")
@click.option("--check", is_flag=True, help="Exit code 3 when a target is missed in the last whole period.")
@click.option("--reconcile", is_flag=True, help="Set first response times beside those that the help desk states.")
@click.option("--unavailable", is_flag=True, help="Print when agents of the roster were logged in, not available.")
@click.option("--backlog", "every", metavar="STEP", help="Print the backlog every 1h, 1d … instead.")
@options(LOG, STAFF)
@output_options
@_QUIET
@click.pass_context
def kpi(
    ctx: click.Context, log: str | None, by: str | None, period: str | None, everything: bool, clock: str,
    roster: str | None, repeat_days: float, targets: str | None, write_targets: str | None, check: bool,
    reconcile: bool, unavailable: bool, every: str | None, scenario_file: str | None, output: str | None,
    as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Measure a ticket LOG: every KPI with its interval, targets, the backlog; utilization."""
    from staffcast import reviewing
    from staffcast.counting import measure_log
    from staffcast.plan import backlog_table

    if write_targets is not None:
        click.echo(f"targets: written to {reviewing.write_targets(write_targets)}", err=True)
        if log is None:
            return
    if log is None:
        raise click.UsageError("Missing argument 'LOG'.")
    scenario = scenario_of(ctx, scenario_file)
    if unavailable:
        if roster is None:
            raise click.UsageError("--unavailable needs --roster")
        deliver(reviewing.unavailable_stretches(roster, scenario), "unavailable", output, as_json, title="Unavailable")
        return
    if reconcile:
        given = ctx.get_parameter_source("clock") is click.core.ParameterSource.COMMANDLINE
        table, notes = reviewing.reconciled(log, scenario, clock=clock if given else None)
        _say(notes, quiet)
        deliver(table, "reconcile", output, as_json, title="First response times beside those stated")
        return
    if everything or period or targets or check:
        cuts = _cuts(by) if by is not None else []
        found = reviewing.review(
            log, scenario, by=cuts, period=period, clock=clock, roster=roster,
            targets=targets or ("default" if check else None), repeat_days=repeat_days,
        )  # fmt: skip
        _say(found.notes, quiet)
        if found.judged is None:
            deliver(found.table, "kpis", output, as_json, title="KPIs")
        else:
            deliver(found.judged, "targets", output, as_json, title="KPIs beside their targets")
            _say(found.missed, quiet, "missed")
        if check and found.missed:
            ctx.exit(MISSED)
        return
    if every is not None:
        table, notes = backlog_table(log, scenario, every=every)
    else:
        with progress_bar(quiet) as progress:
            table, notes = measure_log(
                log, scenario, by=_cuts("queue" if by is None else by), clock=clock, roster=roster, beside=output,
                progress=progress,
            )  # fmt: skip
    _say(notes, quiet)
    deliver(table, "kpi", output, as_json, title="KPIs")


@click.command()
@click.argument("log", type=click.Path())
@click.option("--kpi", required=True, help="KPI to compare: frt_mean, csat, deflection … as in `kpi --all`.")
@click.option("--unit", type=click.Choice(["auto", "ticket", "customer", "day"]), default="auto", show_default=True,
              help="What is independent: auto looks at how the variants were given out.")  # fmt: skip
@click.option("--difference", type=float, help="Say how many tickets a variant needs to show this difference.")
@click.option("--power", type=float, default=0.8, show_default=True, help="Probability with which it should show.")
@_CLOCK
@options(LOG, STAFF)
@output_options
@_QUIET
@click.pass_context
def ab(
    ctx: click.Context, log: str, kpi: str, unit: Literal["auto", "ticket", "customer", "day"],
    difference: float | None, power: float, clock: str, scenario_file: str | None, output: str | None, as_json: bool,
    quiet: bool,
) -> None:  # fmt: skip
    """Compare two bot scripts or survey forms by any KPI of a ticket LOG: --column bot_script --kpi frt_mean.

    The --column without a = names the variants; the sample that a difference takes is worked out too.
    """
    from staffcast.reviewing import compare_scripts

    given = list((ctx.obj or {}).get("columns", ()))
    named = [name for name in given if "=" not in name]
    if len(named) != 1:
        raise click.UsageError("name the column of the variants once: --column bot_script")
    ctx.obj["columns"] = tuple(name for name in given if "=" in name)
    (variants,) = named
    table, notes = compare_scripts(
        log, scenario_of(ctx, scenario_file), column=variants, kpi=kpi, unit=unit, clock=clock, difference=difference,
        power=power,
    )  # fmt: skip
    _say(notes, quiet)
    deliver(table, "ab", output, as_json, title=f"{kpi} by {variants}")


@click.command()
@click.argument("log", type=click.Path())
@click.option("--roster", type=click.Path(), help="Who is available now; without it, who replied in the last day.")
@click.option("--most", type=int, help="Open tickets that an agent may have.  [default: what chance explains]")
@click.option("--show", type=click.Choice(["waiting", "load", "moves"]), default="waiting", show_default=True,
              help="Which table goes to stdout or into the file.")  # fmt: skip
@options(LOG)
@output_options
@_QUIET
@click.pass_context
def now(
    ctx: click.Context, log: str, roster: str | None, most: int | None, show: str, scenario_file: str | None,
    output: str | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Who waits for a reply as a LOG ends, who has how much open, who has too much and who could take some."""
    import sys

    from staffcast.report import as_json as json_text
    from staffcast.report import print_frame
    from staffcast.reviewing import desk_now

    seen, notes = desk_now(log, scenario_of(ctx, scenario_file), roster=roster, most=most)
    _say(notes, quiet)
    tables: dict[str, Any] = {"waiting": seen.waiting, "load": seen.load, "moves": seen.moves}
    if as_json:
        click.echo(json_text("now", {"at": seen.at, "unassigned": seen.unassigned, **tables}))
    if output or not as_json:
        deliver(tables[show], show, output, False, title=f"Now: {show}")
    if not (as_json or quiet):
        titles = {"waiting": "Waiting for a reply", "load": "Open per agent", "moves": "Hand over"}
        for name, table in tables.items():
            if name != show and len(table):
                print_frame(table, title=titles[name], stream=sys.stderr)
        click.echo(f"as of {seen.at}: {len(seen.waiting)} wait, {seen.unassigned} of them with nobody", err=True)


@click.command()
@click.argument("log", type=click.Path())
@click.option("--days", type=click.IntRange(1, 60), default=7, show_default=True, help="How far to look.")
@click.option("--weeks", type=click.IntRange(1, 52), default=4, show_default=True, help="Past to learn from.")
@click.option("--certainty", type=float, default=0.5, show_default=True,
              help="Probability of a break from which on it is an alarm.")  # fmt: skip
@click.option("--check", is_flag=True, help="Exit code 3 when a queue is in alarm or broken.")
@_CLOCK
@options(LOG, STAFF)
@output_options
@_QUIET
@click.pass_context
def alarm(
    ctx: click.Context, log: str, days: int, weeks: int, certainty: float, check: bool, clock: str,
    scenario_file: str | None, output: str | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Say when first responses will break, before they do: from a LOG's arrivals, answers and backlog."""
    import pandas as pd

    from staffcast.reviewing import alarms

    found, notes = alarms(
        log, scenario_of(ctx, scenario_file), clock=clock, weeks=weeks, days=days, certainty=certainty
    )  # fmt: skip
    _say(notes, quiet)
    names = (
        "queue", "at", "state", "when", "probability", "waiting", "wait_now_s", "arrivals_per_day", "capacity_per_day",
        "growth", "growth_low", "growth_high",
    )  # fmt: skip
    table = pd.DataFrame([{name: getattr(one, name) for name in names} for one in found])
    deliver(table, "alarm", output, as_json, title="First responses in the coming days")
    if check and any(one.state != "calm" for one in found):
        ctx.exit(MISSED)
