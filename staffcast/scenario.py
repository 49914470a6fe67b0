"""What the planner decides: targets, band, shrinkage, hours; read from TOML with explicit units, changed by flags."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from staffcast.contracts import (
    Band,
    Event,
    InputError,
    Shrinkage,
    Target,
    bad_value,
    check_zone,
    parse_change,
    parse_duration_s,
    parse_share,
)
from staffcast.play_values import (
    ROUTINGS,
    BotRules,
    ComesBack,
    GroupRules,
    bot,
    comes_back,
    drop_rule,
    duration_or_none,
    groups,
    priority_targets,
)
from staffcast.scenario_values import (
    NewQueue,
    above_zero,
    columns,
    country,
    dates,
    events,
    flag,
    from_one,
    horizon,
    hours,
    instant,
    interval,
    name,
    names,
    new_queues,
    one_of,
    path,
    patience,
    rising_times,
    whole,
)

__all__ = ["QueueRules", "Scenario", "WhatIf", "load_scenario", "rule_keys"]


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """Changes to the demand before it is staffed.

    Attributes
    ----------
    volume : float
        Factor on the tickets: 1.2 is +20 %.
    aht : float
        Factor on the handle time.
    deflection : float
        Share of what would reach people that the bot closes instead.
    growth : float
        Factor on the tickets of a day a year after the log's end, reached bit by bit: 1.2 is +20 % a year.
    queues : mapping of queue to WhatIf
        The same for one queue, on top.
    """

    volume: float = 1.0
    aht: float = 1.0
    deflection: float = 0.0
    growth: float = 1.0
    queues: Mapping[str, WhatIf] = field(default_factory=dict)

    def of(self, queue: str) -> WhatIf:
        """What changes for one queue, its own changes multiplied in."""
        own = self.queues.get(queue, WhatIf())
        return WhatIf(
            volume=self.volume * own.volume,
            aht=self.aht * own.aht,
            deflection=1 - (1 - self.deflection) * (1 - own.deflection),
            growth=self.growth * own.growth,
        )


@dataclass(frozen=True, kw_only=True)
class QueueRules:
    """How one queue is planned; ``None`` takes the scenario's value.

    Attributes
    ----------
    frt : Target
        What first response time must reach.
    band : Band or None
        Occupancy aimed for; None: no limit.
    shrinkage : Shrinkage
        From agents answering to people rostered.
    aht_s : float or None
        Mean handle time in seconds; None: as measured in the log.
    first_reply_s : float
        From opening a ticket to the first reply.
    patience_s : float or None
        Mean time after which a customer gives up; None: nobody does; NaN: as measured, not filled in yet.
    patience_by_interval : bool
        Whether ``patience_s`` is only the mean of what the demand table has by interval.
    redial : float
        Share of those who give up that try again.
    redial_after_s : float
        Mean time until then; the formulas have it at once.
    channel : {"auto", "live", "chat", "deferrable"}
        How its tickets are worked: one at a time while the customer waits, several at once, or by a deadline.
        ``auto`` follows from concurrency and target.
    concurrency : int
        Conversations that an agent holds at once.
    aht_by_concurrency_s : tuple of float or None
        Mean time of a conversation with 1, 2, … in hand; None: from ``turns`` and ``turn_gap_s``.
    turns : float or None
        Replies of the agent that a conversation takes, among which its handle time is shared out.
    turn_gap_s : float or None
        Mean time from the agent's reply to the customer's next message.
    method : {"auto", "steady", "over_time"}
        Whether each interval is staffed as a queue in balance, or the queue is followed through the day.
    in_gaps_of : str or None
        For deferrable work: the live queue whose people do it while no ticket waits for them.
    minimum : int
        Fewest agents while open.
    clear_within_s : float
        Time from opening in which what waited overnight is to be worked off.
    hours : mapping or None
        Opening hours per day; None: learnt from the log.
    closed_arrivals : {"wait", "lost"}
        What becomes of what arrives while closed.
    on_staff_drop : {"finish", "finish_count", "preempt", "handover"}
        Played: what happens when people leave with tickets in hand.
    handover_s : float
        Played, with ``handover``: time to read a ticket that somebody else began.
    absent : float
        Played: share of the agents of the plan who do not come, drawn per head and day.
    bot : BotRules or None
        Played: a bot in front of the tickets of the demand.
    reopening, repeats : ComesBack or None
        Played: tickets that come back; customers who ask again while they wait.
    ageing_s : float or None
        Played: a waiting ticket counts one class more urgent for every so long.
    window_s : float or None
        Played: a ticket that waits longer has expired.
    first_reply_share : float
        Played: share of its handling after which a ticket has its first reply, on top of ``first_reply_s``.
    priority_targets : mapping of priority class to Target
        What classes must reach besides what the queue must.
    """

    frt: Target = field(default_factory=lambda: Target.share(0.80, within_s=60))
    band: Band | None = field(default_factory=Band)
    shrinkage: Shrinkage = field(default_factory=Shrinkage)
    aht_s: float | None = None
    first_reply_s: float = 0.0
    patience_s: float | None = None
    patience_by_interval: bool = False
    redial: float = 0.0
    redial_after_s: float = 60.0
    channel: Literal["auto", "live", "chat", "deferrable"] = "auto"
    concurrency: int = 1
    aht_by_concurrency_s: tuple[float, ...] | None = None
    turns: float | None = None
    turn_gap_s: float | None = None
    method: Literal["auto", "steady", "over_time"] = "auto"
    in_gaps_of: str | None = None
    minimum: int = 0
    clear_within_s: float = 7200.0
    hours: Mapping[str, str] | None = None
    closed_arrivals: Literal["wait", "lost"] = "wait"
    on_staff_drop: Literal["finish", "finish_count", "preempt", "handover"] = "finish"
    handover_s: float = 0.0
    absent: float = 0.0
    bot: BotRules | None = None
    reopening: ComesBack | None = None
    repeats: ComesBack | None = None
    ageing_s: float | None = None
    window_s: float | None = None
    first_reply_share: float = 0.0
    priority_targets: Mapping[str, Target] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that a plan depends on besides the log.

    Attributes
    ----------
    zone : str or None
        IANA zone of the help desk.
    interval_minutes : {15, 30, 60}
        Length of an interval.
    horizon : str
        How far to plan: ``"28d"``.
    rules : QueueRules
        For every queue.
    queues : mapping of queue to mapping
        What differs per queue.
    only : tuple of str
        Queues to plan; empty: all.
    skip : tuple of str
        Queues to leave out.
    holidays : str or None
        Country, with region or further kinds of days if wanted: ``"DE"``, ``"DE-BY"``, ``"BR+optional"``.
    closed_on_holidays : bool or None
        None: as the log shows.
    closed_days : tuple of date
        Further days on which every queue is closed.
    events : tuple of (Event, tuple of str)
        The desk's own events, each with its queues; none are all.
    new_queues : mapping of queue to NewQueue
        Queues that open and have no history.
    groups : mapping of name to GroupRules
        Played: agents who serve several queues.
    routing : {"longest_idle", "priority"}
        Which of several free agents of these gets a ticket.
    overrides : str or None
        File of the planner's changes to the forecast.
    priority_order : tuple of str
        Priority classes, the most urgent first, where their names do not tell.
    models : str
        ``"auto"``, ``"all"``, or names separated by commas.
    uncertain_rate : bool
        Whether staffing allows for the forecast's uncertainty, so that the target is kept on average over it.
    what_if : WhatIf
        Changes to the demand.
    replications, seed
        Of the simulation.
    measured_patience_s : mapping of queue to float
        What ``patience = "measured"`` has turned out to be; empty until there is a forecast.
    since, until, columns, bad_rows, allow_gaps
        How to read the log: see :func:`staffcast.tickets.read_log`.
    """

    zone: str | None = None
    interval_minutes: int = 30
    horizon: str = "28d"
    rules: QueueRules = field(default_factory=QueueRules)
    queues: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    holidays: str | None = None
    closed_on_holidays: bool | None = None
    closed_days: tuple[dt.date, ...] = ()
    events: tuple[tuple[Event, tuple[str, ...]], ...] = ()
    new_queues: Mapping[str, NewQueue] = field(default_factory=dict)
    groups: Mapping[str, GroupRules] = field(default_factory=dict)
    routing: Literal["longest_idle", "priority"] = "longest_idle"
    overrides: str | None = None
    priority_order: tuple[str, ...] = ()
    models: str = "auto"
    uncertain_rate: bool = True
    what_if: WhatIf = field(default_factory=WhatIf)
    replications: int = 100
    seed: int = 1
    measured_patience_s: Mapping[str, float] = field(default_factory=dict)
    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    bad_rows: Literal["error", "drop"] = "error"
    allow_gaps: bool = False

    def for_queue(self, queue: str) -> QueueRules:
        """Rules of one queue: the scenario's, with the queue's own on top.

        The times of conversations side by side follow the what-if change of the handle time, as they stand in its
        place; all other handle times are changed in the demand.
        """
        rules = replace(self.rules, **self.queues.get(queue, {}))
        if rules.patience_s is not None and math.isnan(rules.patience_s) and queue in self.measured_patience_s:
            rules = replace(rules, patience_s=self.measured_patience_s[queue], patience_by_interval=True)
        times, factor = rules.aht_by_concurrency_s, self.what_if.of(queue).aht
        if times is None or factor == 1:
            return rules
        return replace(rules, aht_by_concurrency_s=tuple(factor * each for each in times))

    def with_options(self, options: Mapping[str, Any]) -> Scenario:
        """Return the scenario with the given keys, written as in TOML, in place of its own.

        Raises
        ------
        InputError
            Unknown key, value out of range.
        """
        return _apply(self, {k: v for k, v in options.items() if v is not None}, origin=None)

    def plans(self, queue: str) -> bool:
        """Whether this queue is to be planned."""
        return queue not in self.skip and (not self.only or queue in self.only)


_RULES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "frt": ("frt", Target.parse),
    "band": ("band", lambda v: None if v in ("none", "off") else Band.parse(v)),
    "shrinkage": ("shrinkage", Shrinkage.parse),
    "aht": ("aht_s", lambda v: above_zero("aht", v)),
    "first_reply": ("first_reply_s", lambda v: parse_duration_s(v, parameter="first_reply")),
    "patience": ("patience_s", lambda v: patience(v)),
    "redial": ("redial", lambda v: parse_share(v, parameter="redial")),
    "channel": ("channel", lambda v: one_of("channel", v, ("auto", "live", "chat", "deferrable"))),
    "concurrency": ("concurrency", lambda v: whole("concurrency", v, 1, 100)),
    "aht_by_concurrency": ("aht_by_concurrency_s", lambda v: rising_times("aht_by_concurrency", v)),
    "turns": ("turns", lambda v: from_one("turns", v)),
    "turn_gap": ("turn_gap_s", lambda v: parse_duration_s(v, parameter="turn_gap")),
    "method": ("method", lambda v: one_of("method", v, ("auto", "steady", "over_time"))),
    "in_gaps_of": ("in_gaps_of", lambda v: name("in_gaps_of", v)),
    "clear_within": ("clear_within_s", lambda v: above_zero("clear_within", v)),
    "minimum": ("minimum", lambda v: whole("minimum", v, 0, 100_000)),
    "hours": ("hours", lambda v: hours(v)),
    "closed_arrivals": ("closed_arrivals", lambda v: one_of("closed_arrivals", v, ("wait", "lost"))),
    "redial_after": ("redial_after_s", lambda v: above_zero("redial_after", v)),
    "on_staff_drop": ("on_staff_drop", lambda v: drop_rule("on_staff_drop", v)),
    "handover": ("handover_s", lambda v: parse_duration_s(v, parameter="handover")),
    "absent": ("absent", lambda v: parse_share(v, parameter="absent", below_one=True)),
    "bot": ("bot", lambda v: bot(v)),
    "reopening": ("reopening", lambda v: comes_back("reopening", v)),
    "repeats": ("repeats", lambda v: comes_back("repeats", v)),
    "ageing": ("ageing_s", lambda v: duration_or_none("ageing", v)),
    "window": ("window_s", lambda v: duration_or_none("window", v)),
    "first_reply_share": ("first_reply_share", lambda v: parse_share(v, parameter="first_reply_share")),
    "priority_targets": ("priority_targets", lambda v: priority_targets(v)),
}
_SETTINGS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "zone": ("zone", check_zone),
    "interval": ("interval_minutes", lambda v: interval(v)),
    "horizon": ("horizon", lambda v: horizon(v)),
    "queues_only": ("only", lambda v: names("queues_only", v)),
    "skip_queues": ("skip", lambda v: names("skip_queues", v)),
    "holidays": ("holidays", lambda v: country(v)),
    "closed_on_holidays": ("closed_on_holidays", lambda v: flag("closed_on_holidays", v)),
    "closed_days": ("closed_days", lambda v: dates("closed_days", v)),
    "events": ("events", lambda v: events(v)),
    "new_queues": ("new_queues", lambda v: new_queues(v)),
    "groups": ("groups", lambda v: groups(v)),
    "routing": ("routing", lambda v: one_of("routing", v, ROUTINGS)),
    "overrides": ("overrides", lambda v: path("overrides", v)),
    "priority_order": ("priority_order", lambda v: names("priority_order", v)),
    "models": ("models", lambda v: ",".join(names("models", v))),
    "uncertain_rate": ("uncertain_rate", lambda v: flag("uncertain_rate", v)),
    "replications": ("replications", lambda v: whole("replications", v, 1, 100_000)),
    "seed": ("seed", lambda v: whole("seed", v, 0, 2**63 - 1)),
    "since": ("since", lambda v: instant("since", v)),
    "until": ("until", lambda v: instant("until", v)),
    "columns": ("columns", lambda v: columns(v)),
    "bad_rows": ("bad_rows", lambda v: one_of("bad_rows", v, ("error", "drop"))),
    "allow_gaps": ("allow_gaps", lambda v: flag("allow_gaps", v)),
}
_WHAT_IF: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "volume": ("volume", lambda v: parse_change(v, parameter="what_if.volume")),
    "aht": ("aht", lambda v: parse_change(v, parameter="what_if.aht")),
    "deflection": ("deflection", lambda v: parse_share(v, parameter="what_if.deflection")),
    "growth": ("growth", lambda v: parse_change(v, parameter="what_if.growth")),
}


def rule_keys() -> tuple[str, ...]:
    """Keys of a queue's rules, as a scenario file may have them at its top and under ``[queues.NAME]``."""
    return tuple(_RULES)


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file.

    Parameters
    ----------
    path : path
        TOML; the keys are described in docs/scenario.md.

    Raises
    ------
    InputError
        No such file, not TOML, unknown key, a value out of range or without its unit.
    """
    path = Path(path)
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Notepad puts a mark in front
    except FileNotFoundError:
        raise InputError("there is no such scenario file", file=path) from None
    except IsADirectoryError:
        raise InputError("is a directory; name the scenario file in it", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not valid TOML: {error}; {_toml_fix(str(error))}", file=path) from error
    return _apply(Scenario(), options, origin=path)


def _toml_fix(error: str) -> str:
    """What to do about what the TOML reader says."""
    if error.startswith("Cannot declare"):
        return "a table like [queues.billing] stands once in the file: put all its keys below the first"
    if error.startswith(("Cannot overwrite", "Cannot mutate")):
        return "a key stands once in its table: delete one of the two"
    return "text stands in quotes"


def _apply(scenario: Scenario, options: Mapping[str, Any], *, origin: Path | None) -> Scenario:
    settings: dict[str, Any] = {}
    rules: dict[str, Any] = {}
    try:
        for key, value in options.items():
            if key in _RULES:
                name, read = _RULES[key]
                rules[name] = read(value)
            elif key in _SETTINGS:
                name, read = _SETTINGS[key]
                settings[name] = read(value)
                if key == "overrides" and origin is not None and settings[name]:
                    settings[name] = str(origin.parent / settings[name])  # stands beside the scenario
            elif key == "what_if":
                settings["what_if"] = _what_if(value, scenario.what_if)
            elif key == "queues":
                if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
                    raise bad_value(
                        "queues", value, "tables, one per queue", 'write [queues.billing] and below it frt = "…"'
                    )
                settings["queues"] = {q: _table(f"queues.{q}", v, _RULES) for q, v in value.items()}
            else:
                raise _unknown(key, [*_RULES, *_SETTINGS, "what_if", "queues"])
    except InputError as error:
        raise InputError(str(error), file=origin) if origin is not None else error from None
    if rules:
        settings["rules"] = replace(scenario.rules, **rules)
        if origin is None:
            # A flag means every queue, so it goes above what the file says per queue.
            queues = settings.get("queues", scenario.queues)
            settings["queues"] = {q: {k: v for k, v in own.items() if k not in rules} for q, own in queues.items()}
    return replace(scenario, **settings)


def _what_if(values: Any, before: WhatIf) -> WhatIf:
    if not isinstance(values, dict):
        raise bad_value("what_if", values, f"a table with {', '.join([*_WHAT_IF, 'queues'])}")
    own = values.get("queues", {})
    if not isinstance(own, dict) or not all(isinstance(v, dict) for v in own.values()):
        raise bad_value(
            "what_if.queues", own, "tables, one per queue", 'write [what_if.queues.billing] and below it aht = "+10%"'
        )
    changes = _table("what_if", {k: v for k, v in values.items() if k != "queues"}, _WHAT_IF)
    if own:
        changes["queues"] = {q: WhatIf(**_table(f"what_if.queues.{q}", v, _WHAT_IF)) for q, v in own.items()}
    return replace(before, **changes)


def _table(where: str, values: Any, keys: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise bad_value(where, values, f"a table with {', '.join(keys)}")
    out = {}
    for key, value in values.items():
        if key not in keys:
            raise _unknown(f"{where}.{key}", [f"{where}.{k}" for k in keys])
        name, read = keys[key]
        try:
            out[name] = read(value)
        except InputError as error:
            raise InputError(f"in [{where}]: {error}") from None
    return out


def _unknown(key: str, known: list[str]) -> InputError:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"the keys are {', '.join(known)}"
    return InputError(f"unknown key `{key}`; {hint}")
