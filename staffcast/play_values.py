"""How the scenario's keys about what is played are read and checked: bot, what comes back, groups of agents."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staffcast.contracts import InputError, Target, bad_value, parse_change, parse_duration_s, parse_share
from staffcast.scenario_values import above_zero, name, names, one_of

__all__ = [
    "DROP_RULES",
    "ROUTINGS",
    "BotRules",
    "ComesBack",
    "GroupRules",
    "bot",
    "comes_back",
    "drop_rule",
    "duration_or_none",
    "groups",
    "priority_targets",
]

DROP_RULES = ("finish", "finish_count", "preempt", "handover")
ROUTINGS = ("longest_idle", "priority")


@dataclass(frozen=True, kw_only=True)
class BotRules:
    """A bot in front of a queue.

    Attributes
    ----------
    closes : float or mapping of priority class to float
        Share of the tickets that it closes.
    handover_s : float
        From the first message until the ticket seeks a person. [s]
    harder : float
        Handle time of what is left ÷ usual.
    """

    closes: float | Mapping[str, float]
    handover_s: float = 0.0
    harder: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ComesBack:
    """Tickets that others bring about.

    Attributes
    ----------
    share : float
        Of those who bring another about.
    after_s : float
        For reopening the mean time from the end of the handling until then; for repeats how long the customer waits
        before. [s]
    work : float
        Handle time of such a ticket ÷ that of a first one.
    """

    share: float
    after_s: float
    work: float = 1.0


@dataclass(frozen=True, kw_only=True)
class GroupRules:
    """Agents who serve several queues.

    Attributes
    ----------
    queues : tuple of str
        What they serve, the one that they prefer first.
    share : float or None
        Of the agents that the plan has for each of these queues.
    column : str or None
        Column of the plan with the group's agents, summed over the rows of its queues. Without either they stand in
        rows of their own, whose ``unique_id`` is the group's name.
    on_staff_drop : str or None
        None: as for its queues.
    absent : float or None
        None: as for its queues.
    """

    queues: tuple[str, ...]
    share: float | None = None
    column: str | None = None
    on_staff_drop: str | None = None
    absent: float | None = None


def drop_rule(parameter: str, value: object) -> str:
    """What happens when staff leave with tickets in hand."""
    return one_of(parameter, value, DROP_RULES)


def duration_or_none(parameter: str, value: object) -> float | None:
    """Duration above 0, in seconds; None for ``"none"``."""
    return None if value == "none" else above_zero(parameter, value)


def bot(value: object) -> BotRules | None:
    """A bot in front: the share that it closes, of all or by class, the time it takes, and what it leaves."""
    if value == "none":
        return None
    fix = 'write bot = { closes = "30%", handover = "20s", harder = "+10%" }'
    table = _table("bot", value, ("closes", "handover", "harder"), fix)
    if "closes" not in table:
        raise bad_value("bot.closes", "nothing", "a share in [0, 1], or shares by priority class", fix)
    closes = table["closes"]
    shares: float | dict[str, float]
    if isinstance(closes, dict):
        if not closes:
            raise bad_value("bot.closes", closes, "shares by priority class", 'write closes = { low = "40%" }')
        shares = {str(c): parse_share(each, parameter=f"bot.closes.{c}") for c, each in closes.items()}
    else:
        shares = parse_share(closes, parameter="bot.closes")
    harder = parse_change(table.get("harder", "+0%"), parameter="bot.harder")
    if not harder > 0:
        raise bad_value("bot.harder", table["harder"], 'above "-100%"', "what it leaves takes some time")
    return BotRules(
        closes=shares, handover_s=parse_duration_s(table.get("handover", "0s"), parameter="bot.handover"), harder=harder
    )


def comes_back(parameter: str, value: object) -> ComesBack | None:
    """Share, delay and work of tickets that others bring about."""
    if value == "none":
        return None
    fix = f'write {parameter} = {{ share = "10%", after = "1h", work = "50%" }}'
    table = _table(parameter, value, ("share", "after", "work"), fix)
    for key in ("share", "after"):
        if key not in table:
            raise bad_value(f"{parameter}.{key}", "nothing", "given", fix)
    return ComesBack(
        share=parse_share(table["share"], parameter=f"{parameter}.share", below_one=True),
        after_s=above_zero(f"{parameter}.after", table["after"]),
        work=_part(f"{parameter}.work", table.get("work", "100%")),
    )


def priority_targets(value: object) -> dict[str, Target]:
    """Targets by priority class."""
    if not isinstance(value, dict):
        fix = 'write priority_targets = { urgent = "90% in 2m" }'
        raise bad_value("priority_targets", value, "a table of targets by priority class", fix)
    found = {}
    for each, target in value.items():
        try:
            found[str(each)] = Target.parse(target)
        except InputError as error:
            raise InputError(f"`priority_targets.{each}`: {error}") from None
    return found


def groups(value: object) -> dict[str, GroupRules]:
    """Groups of agents by name."""
    fix = 'write [groups.seniors] and below it queues = ["billing", "orders"] and share = "50%"'
    if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
        raise bad_value("groups", value, "tables, one per group", fix)
    return {str(group): _group(f"groups.{group}", each, fix) for group, each in value.items()}


def _group(where: str, value: object, fix: str) -> GroupRules:
    table = _table(where, value, ("queues", "share", "column", "on_staff_drop", "absent"), fix)
    served = names(f"{where}.queues", table.get("queues", ()))
    if not served or len(set(served)) < len(served):
        raise bad_value(f"{where}.queues", list(served), "different queues, at least one, the preferred first", fix)
    if "share" in table and "column" in table:
        raise bad_value(f"{where}.column", table["column"], "left out where `share` is given")
    share = parse_share(table["share"], parameter=f"{where}.share") if "share" in table else None
    if share == 0:
        raise bad_value(f"{where}.share", table["share"], "a share above 0", "or leave the group out")
    column = name(f"{where}.column", table["column"], legal="a column of the plan") if "column" in table else None
    rule = drop_rule(f"{where}.on_staff_drop", table["on_staff_drop"]) if "on_staff_drop" in table else None
    absent = parse_share(table["absent"], parameter=f"{where}.absent", below_one=True) if "absent" in table else None
    return GroupRules(queues=served, share=share, column=column, on_staff_drop=rule, absent=absent)


def _table(where: str, value: object, keys: Sequence[str], fix: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise bad_value(where, value, f"a table of {', '.join(keys)}", fix)
    for key in value:
        if key not in keys:
            close = difflib.get_close_matches(key, keys, n=1)
            hint = f"did you mean `{close[0]}`?" if close else fix
            raise bad_value(where, f"a table with {key!r}", f"a table of {', '.join(keys)}", hint)
    return value


def _part(parameter: str, value: object) -> float:
    """How much work something is beside something else: ``"50%"``, ``0.5``, ``"150%"``."""
    try:
        if isinstance(value, str) and value.strip().endswith("%"):
            found = float(value.strip()[:-1]) / 100
        elif isinstance(value, (int, float, str)) and not isinstance(value, bool):
            found = float(value)
        else:
            found = 0.0
    except ValueError:
        found = 0.0
    if not 0 < found <= 10:
        raise bad_value(parameter, value, 'above 0 and at most 10 times the usual handle time: "50%" or 0.5')
    return found
