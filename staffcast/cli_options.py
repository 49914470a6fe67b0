"""The command line's options: names and help here, reading and checking in the scenario."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from staffcast.scenario import Scenario
    from staffcast.utilization import QueueFacts

__all__ = [
    "BAD_INPUT",
    "CLOCKS",
    "FORECAST",
    "INTERRUPTED",
    "KEEP",
    "LOG",
    "MISSED",
    "NOT_WRITTEN",
    "REREAD",
    "SIMULATE",
    "STAFF",
    "common",
    "facts_of",
    "options",
    "options_of",
    "output_options",
    "place",
    "plan_names",
    "scenario_of",
    "without_part",
]

BAD_INPUT, MISSED, NOT_WRITTEN, INTERRUPTED = 2, 3, 4, 130

# The names of staffcast.utilization.CLOCKS, which is too heavy to be loaded for a --help.
CLOCKS = (
    "business", "calendar", "zendesk", "intercom", "callbell", "trengo", "wati", "chatwoot", "freshdesk", "respondio",
)  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

# flag, key in the scenario, kind, help. The scenario reads and checks the values, here they only get their names.
LOG = (
    ("--zone", "zone", str, "IANA zone of the help desk, e.g. Europe/Berlin."),
    ("--interval", "interval", str, 'Length of an interval: 15m, 30m or 60m.  [default: 30m]'),
    ("--since", "since", str, "Use what was created from this day or time on."),
    ("--until", "until", str, "Use what was created before; the log as it stood then."),
    ("--queues", "queues_only", str, "Only these queues: a,b,c."),
    ("--skip-queues", "skip_queues", str, "All queues but these."),
    ("--hours", "hours", str, '"mon-fri 08:00-18:00; sat 10:00-14:00", always, or auto (learnt).  [default: auto]'),
    ("--closed-arrivals", "closed_arrivals", str, "What arrives while closed: wait, or lost.  [default: wait]"),
    ("--holidays", "holidays", str, "Country of the public holidays, e.g. DE or DE-BY."),
    ("--bad-rows", "bad_rows", str, "Tickets that contradict themselves: error, or drop.  [default: error]"),
    ("--allow-gaps", "allow_gaps", bool, "Accept two weeks or more without any ticket."),
)  # fmt: skip
FORECAST = (
    ("--horizon", "horizon", str, "How far to look.  [default: 28d]"),
    ("--models", "models", str, "auto, all (prophet too), or names to choose from: glm,mean_4.  [default: auto]"),
    ("--seed", "seed", int, "Start of the random numbers.  [default: 1]"),
    ("--aht", "aht", str, "Mean handle time, e.g. 6m.  [default: measured]"),
    ("--overrides", "overrides", str, "The planner's changes to the forecast, with reasons: see docs/tables.md."),
    ("--volume", "what_if.volume", str, "What if volume changes: +20%."),
    ("--aht-change", "what_if.aht", str, "What if handle time changes: -10%."),
    ("--deflection", "what_if.deflection", str, "What if the bot closes this share of what reaches people: 30%."),
)  # fmt: skip
STAFF = (
    ("--frt", "frt", str, 'First response time: "80% in 60s", "mean 60s" or "p95 9m".  [default: 80% in 60s]'),
    ("--band", "band", str, "Occupancy aimed for, or none.  [default: 85%-90%]"),
    ("--shrinkage", "shrinkage", str, "Paid time away from the desk.  [default: 0%]"),
    ("--first-reply", "first_reply", str, "From opening a ticket to the first reply.  [default: 0s]"),
    ("--minimum", "minimum", int, "Fewest agents while open.  [default: 0]"),
    ("--clear-within", "clear_within", str, "Time from opening to work off what waited.  [default: 2h]"),
    ("--patience", "patience", str, "Mean time after which customers give up, measured or none.  [default: none]"),
    ("--channel", "channel", str, "How tickets are worked: auto, live, chat or deferrable.  [default: auto]"),
    ("--redial", "redial", str, "Share of those who give up that try again, e.g. 40%.  [default: 0%]"),
    ("--concurrency", "concurrency", int, "Conversations that an agent holds at once.  [default: 1]"),
    ("--aht-by-concurrency", "aht_by_concurrency", str, "Time of one with 1, 2, 3 in hand: 10m,13m,17m."),
    ("--turns", "turns", float, "Replies of the agent in a conversation, if that time is to be worked out."),
    ("--turn-gap", "turn_gap", str, "Time from a reply to the customer's next message, for --turns: 90s."),
    ("--method", "method", str, "Each interval in balance (steady), or followed (over_time).  [default: auto]"),
)  # fmt: skip
SIMULATE = (
    ("--replications", "replications", int, "How often to play the plan.  [default: 100]"),
    ("--patience", "patience", str, "Mean time after which customers give up, measured or none.  [default: none]"),
)  # fmt: skip


# For steps that read a demand table: its handle times stand, these only fill gaps.
REREAD = (
    ("--zone", "zone", str, "IANA zone in which times are read and written, e.g. Europe/Berlin."),
    ("--aht", "aht", str, "Mean handle time where the table has none, e.g. 6m."),
    ("--seed", "seed", int, "Start of the random numbers.  [default: 1]"),
)


KEEP = click.option(
    "--snapshots", type=click.Path(), metavar="FOLDER", help="Keep the forecast there, to be compared with what comes."
)


def options(*groups: tuple[tuple[str, str, Any, str], ...]) -> Callable[[F], F]:
    """Add the scenario's options to a command; they arrive as one dict, ``options``."""

    def decorate(command: F) -> F:
        def collect(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
            if value is None or value == () or value is False:
                return value
            ctx.ensure_object(dict)
            ctx.obj[_KEYS[str(param.name)]] = value
            return value

        seen = {
            flag: (flag, key, kind, text) for group in reversed(groups) for flag, key, kind, text in reversed(group)
        }
        for flag, key, kind, text in seen.values():
            name = flag.removeprefix("--").replace("-", "_")
            _KEYS[name] = key
            if kind is bool:
                option = click.option(flag, name, is_flag=True, help=text, expose_value=False, callback=collect)
            else:
                option = click.option(flag, name, type=kind, help=text, expose_value=False, callback=collect)
            command = option(command)
        column = click.option(
            "--column", "column", multiple=True, metavar="NAME=THEIRS", expose_value=False, callback=collect,
            help='Name of a column in the log: --column created_at="Created time".',
        )  # fmt: skip
        scenario = click.option(
            "--scenario", "scenario_file", type=click.Path(), help="TOML file with these settings; flags go above it."
        )
        _KEYS["column"] = "columns"
        return scenario(column(command) if LOG in groups else command)

    return decorate


_KEYS: dict[str, str] = {}


def scenario_of(ctx: click.Context, scenario_file: str | None) -> Scenario:
    """Put the flags that were given above the scenario file, or above the defaults."""
    from staffcast.scenario import Scenario, load_scenario

    base = load_scenario(scenario_file) if scenario_file else Scenario()
    return base.with_options(_chosen(ctx, base.columns))


def options_of(ctx: click.Context, scenario_file: str | None, *, beside: Path) -> dict[str, Any]:
    """What :func:`scenario_of` reads, as it is written: the file's keys, with the flags that were given above them.

    Names of files are made to hold from the folder ``beside``.
    """
    import tomllib

    written: dict[str, Any] = {}
    if scenario_file:
        written = tomllib.loads(Path(scenario_file).read_text(encoding="utf-8-sig"))
        if written.get("overrides", "none") != "none":
            file = Path(scenario_file).parent / written["overrides"]
            written["overrides"] = Path(os.path.relpath(file, beside)).as_posix()
    given = _chosen(ctx, written.get("columns", {}))
    if "queues" in written:
        # As in the scenario: a flag means every queue, so it goes above what the file says per queue.
        own = {q: {k: v for k, v in keys.items() if k not in given} for q, keys in written["queues"].items()}
        written["queues"] = own
    return written | given


def _chosen(ctx: click.Context, columns: Mapping[str, str]) -> dict[str, Any]:
    """Flags that were given, as the scenario reads them."""
    from staffcast.contracts import bad_value

    chosen: dict[str, Any] = {}
    for key, value in (ctx.obj or {}).items():
        if key == "columns":
            pairs = [part.partition("=") for part in value]
            if any(not (name and eq and theirs) for name, eq, theirs in pairs):
                raise bad_value("column", list(value), 'written as created_at="Created time"')
            chosen["columns"] = {**columns, **{name: theirs for name, _, theirs in pairs}}
        elif key == "hours" and value not in ("auto", "always"):
            days = [part.strip().partition(" ") for part in value.split(";") if part.strip()]
            if not days:
                raise bad_value("hours", value, '"auto", "always" or written as "mon-fri 08:00-18:00; sat 10:00-14:00"')
            chosen["hours"] = {name: windows for name, _, windows in days}
        elif "." in key:
            table, name = key.split(".")
            chosen.setdefault(table, {})[name] = value
        else:
            chosen[key] = value
    return chosen


# Flags of staffing that a plan which is made already does not feel.
_STAFFED = ("interval", "band", "shrinkage", "minimum", "clear_within", "method")


def without_part(ctx: click.Context, *, but: Sequence[str] = ()) -> list[str]:
    """A note that names the flags which were given and change nothing of a plan that is played as it is.

    Parameters
    ----------
    ctx : Context
    but : sequence of str
        Keys that have their part in this command.
    """
    flags = [f"--{key.replace('_', '-')}" for key in _STAFFED if key in (ctx.obj or {}) and key not in but]
    if not flags:
        return []
    listed = " and ".join([", ".join(flags[:-1]), flags[-1]] if len(flags) > 1 else flags)
    have = "have" if len(flags) > 1 else "has"
    return [f"{listed} {have} no part here: the plan is played with the agents that it has; staff and plan know them"]


def facts_of(log: str | None, scenario: Scenario) -> Mapping[str, QueueFacts] | None:
    """What a log says of handle times, priorities and today's backlog."""
    if log is None:
        return None
    from staffcast.plan import take_in

    return take_in(log, scenario, forecasts=False).facts


TABLE_ENDS = (".csv", ".csv.gz", ".parquet", ".pq")


def place(
    ctx: click.Context, param: click.Parameter, output: str | None, *, folder: bool = False,
    ends: tuple[str, ...] = TABLE_ENDS,
) -> str | None:  # fmt: skip
    """Refuse a place that cannot be written before the work begins, not after it."""
    if output is None or ctx.resilient_parsing:
        return output
    path = Path(output)
    if not folder and not path.name.lower().endswith(ends):
        listed = ".csv, .csv.gz or .parquet" if ends == TABLE_ENDS else " or ".join(ends)
        raise click.BadParameter(f"cannot tell the format of {path.name!r}; end it in {listed}")
    try:
        found = next(p for p in (path, *path.absolute().parents) if p.exists())
    except OSError as error:
        wrong = f"cannot be written ({error.strerror})"
    else:
        if found.is_dir() == (folder or found != path):
            return output
        wrong = "is a file; name a folder for the plan" if folder else "is a directory; name a file"
        if found != path:
            wrong = f"cannot be written ({found} is a file, not a folder)"
    click.echo(f"staffcast: {path}: {wrong}", err=True)
    return ctx.exit(NOT_WRITTEN)


def common(command: F) -> F:
    """Add the options of every command that computes."""
    for option in (
        click.option("--processes", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="all cores",
                     help="Worker processes; the result does not depend on it."),
        click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on stderr; the result stays."),
    ):  # fmt: skip
        command = option(command)
    return command


def output_options(command: F) -> F:
    """Add the options of every command that hands out one table."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON with a schema_version."),
        click.option("-o", "--output", type=click.Path(), callback=place,
                     help="Write here: .csv, .csv.gz or .parquet."),
    ):  # fmt: skip
        command = option(command)
    return command


def plan_names(paths: Sequence[str]) -> list[str]:
    """What plans are called: their files' names, with the folders where those are alike, numbered where all is."""
    stems = [Path(path).name.partition(".")[0] for path in paths]
    names = stems if len(set(stems)) == len(stems) else [str(Path(path)) for path in paths]
    return [f"{name} ({names[: k + 1].count(name)})" if name in names[:k] else name for k, name in enumerate(names)]
