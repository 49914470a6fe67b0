"""Which queueing model staffs a queue, and why: live, chat, or work to be done by a deadline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from staffcast.contracts import InputError, bad_value, format_duration
from staffcast.erlang import aht_from_turns
from staffcast.scenario import QueueRules, Scenario

__all__ = [
    "QueueModel",
    "chat_times",
    "chats_at_once",
    "impossible_pace",
    "model_of",
    "require_models",
    "without_part",
]

# A ticket that takes longer than this share of an interval carries work over into the next one.
_CARRIES_OVER = 0.25


@dataclass(frozen=True, kw_only=True)
class QueueModel:
    """How a queue is staffed.

    Attributes
    ----------
    name : {"erlang_c", "erlang_a", "erlang_x", "chat", "deferrable"}
        The model.
    over_time : bool
        Whether the queue is followed from interval to interval; else each interval is a queue in balance.
    why : str
        In words for a planner.
    erlang_c : str
        Why the plain Erlang C number does not apply; empty where it can be compared.
    """

    name: Literal["erlang_c", "erlang_a", "erlang_x", "chat", "deferrable"]
    over_time: bool
    why: str
    erlang_c: str

    @property
    def label(self) -> str:
        """Name of the model as tables have it."""
        return f"{self.name}, over time" if self.over_time else self.name


def model_of(rules: QueueRules, *, minutes: int, aht_s: float) -> QueueModel:
    """Choose the model of one queue.

    Parameters
    ----------
    rules : QueueRules
    minutes : int
        Length of an interval.
    aht_s : float
        The queue's usual handle time. [s]
    """
    channel = _channel(rules, minutes)
    if channel == "deferrable":
        return QueueModel(
            name="deferrable", over_time=True,
            why=f"a first response within {format_duration(rules.frt.seconds)} may wait for a quieter interval: work "
            "to be done by a deadline, oldest first",
            erlang_c="it would staff each interval as if nothing could wait for the next",
        )  # fmt: skip
    if channel == "chat":
        return QueueModel(
            name="chat", over_time=False,
            why=_side_by_side(rules, aht_s) + _patience(rules, redial=False),
            erlang_c="it knows one ticket per agent at a time",
        )  # fmt: skip
    name: Literal["erlang_c", "erlang_a", "erlang_x"] = "erlang_c"
    why = "everybody waits until answered"
    if rules.patience_s is not None:
        name = "erlang_x" if rules.redial > 0 else "erlang_a"
        why = _patience(rules).removeprefix(", ")
    over_time = rules.method == "over_time" or (
        rules.method == "auto" and name != "erlang_x" and aht_s > _CARRIES_OVER * 60 * minutes
    )
    if over_time:
        why += (
            f"; tickets take {format_duration(aht_s)} of an interval of {minutes} min, so the queue is followed from "
            "each interval into the next"
        )
    return QueueModel(name=name, over_time=over_time, why=why, erlang_c="")


def _channel(rules: QueueRules, minutes: int) -> str:
    if rules.channel != "auto":
        return rules.channel
    waits_long = rules.frt.seconds - rules.first_reply_s >= 60 * minutes
    return "chat" if _holds_several(rules) else "deferrable" if waits_long else "live"


def chats_at_once(rules: QueueRules) -> int:
    """Conversations that an agent holds at once."""
    return rules.concurrency if rules.aht_by_concurrency_s is None else len(rules.aht_by_concurrency_s)


def chat_times(rules: QueueRules, aht_s: float) -> tuple[float, ...] | None:
    """Mean time that a conversation takes with 1, 2, … of them in hand, in seconds; None with one at a time.

    Parameters
    ----------
    rules : QueueRules
        That :func:`require_models` has let pass.
    aht_s : float
        The queue's usual handle time: active time, shared out over the turns where these are given. [s]
    """
    if rules.aht_by_concurrency_s is not None or rules.turns is None or rules.turn_gap_s is None:
        return rules.aht_by_concurrency_s
    return aht_from_turns(
        turns=rules.turns, active_s=aht_s / rules.turns, gap_s=rules.turn_gap_s, concurrency=rules.concurrency
    )


def impossible_pace(rules: QueueRules, aht_s: float) -> str:
    """Where the scenario's conversations side by side end sooner than their active time allows, in words; else empty.

    Parameters
    ----------
    rules : QueueRules
    aht_s : float
        The queue's usual handle time: active time. [s]
    """
    times = rules.aht_by_concurrency_s
    if times is None or not times[-1] / len(times) < aht_s * (1 - 1e-9):
        return ""
    return (
        f"with {len(times)} in hand one ends every {format_duration(times[-1] / len(times))} of an agent's time, "
        f"though handle times average {format_duration(aht_s)}: right only if these include the customers' pauses"
    )


def without_part(rules: QueueRules, model: QueueModel) -> str:
    """What the scenario says of a queue and its model does not know, in words; empty where all has its part."""
    if model.name == "chat":
        return "redials are not staffed for" if rules.redial > 0 else ""
    if model.name != "deferrable":
        return ""
    parts = [f"patience ({_patience_in_words(rules)})"] if rules.patience_s is not None else []
    parts += [f"redial ({100 * rules.redial:g} %)"] if rules.redial > 0 else []
    parts += [f"method ({rules.method})"] if rules.method != "auto" else []
    if not parts:
        return ""
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    nobody = ": it is staffed as if nobody gave up" if rules.patience_s is not None else ""
    return f"{listed} {'have' if len(parts) > 1 else 'has'} no part in a plan by deadline{nobody}"


def require_models(
    scenario: Scenario, queues: Mapping[str, Any] | list[str] | tuple[str, ...], *, minutes: int | None = None
) -> None:
    """Check that what the scenario says of each queue goes together.

    Parameters
    ----------
    scenario : Scenario
    queues : names of the queues
    minutes : int, optional
        Length of an interval; given where the queues are to be staffed, for which more must hold.

    Raises
    ------
    InputError
        With the queue and what to change.
    """
    for queue in queues:
        rules = scenario.for_queue(queue)
        try:
            _require(rules, queue, tuple(queues), scenario)
            if minutes is not None:
                _require_staffable(rules, minutes)
        except InputError as error:
            raise InputError(f"queue {queue!r}: {error}") from None


def _require(rules: QueueRules, queue: str, queues: tuple[str, ...], scenario: Scenario) -> None:
    chats, levels = _holds_several(rules), rules.aht_by_concurrency_s
    if levels is not None and rules.concurrency not in (1, len(levels)):
        raise bad_value(
            "aht_by_concurrency", f"{len(levels)} times", f"one for each of the {rules.concurrency} conversations",
            "leave out concurrency, or give as many times",
        )  # fmt: skip
    _require_chat_times(rules)
    if chats and rules.channel in ("live", "deferrable"):
        raise bad_value(
            "channel", rules.channel, '"chat" or "auto" with several conversations per agent', "leave out concurrency"
        )
    if rules.redial > 0 and rules.patience_s is None:
        raise bad_value("redial", rules.redial, "0 without patience", 'say patience = "3m" or the like too')
    if rules.method == "over_time" and (chats or rules.redial > 0):
        raise bad_value(
            "method", "over_time", '"steady" or "auto" with chats or redials', "only live queues are followed over time"
        )
    if rules.in_gaps_of is not None:
        if "in_gaps_of" not in scenario.queues.get(queue, {}):
            raise bad_value(
                "in_gaps_of", rules.in_gaps_of, "given under [queues.NAME] of the queue that can wait",
                "above the queues it holds for every one of them, for the live queue too",
            )  # fmt: skip
        others = [q for q in queues if q != queue]
        twin = next((q for q in others if scenario.for_queue(q).in_gaps_of == rules.in_gaps_of), None)
        if twin is not None:
            raise bad_value(
                "in_gaps_of", rules.in_gaps_of, f"the gaps of a queue that {twin!r} does not use already",
                "take another queue, or plan the two as one",
            )  # fmt: skip
        if rules.in_gaps_of not in others:
            raise bad_value("in_gaps_of", rules.in_gaps_of, f"one of the other queues: {', '.join(others) or 'none'}")
        host = scenario.for_queue(rules.in_gaps_of)
        if host.in_gaps_of is not None or host.channel == "deferrable":
            raise bad_value("in_gaps_of", rules.in_gaps_of, "a live queue", "its people wait for tickets, not for work")
        if host.channel == "chat" or _holds_several(host):
            raise bad_value(
                "in_gaps_of", rules.in_gaps_of, "a live queue with one ticket at a time",
                "who holds several conversations fills the pauses of one with the others",
            )  # fmt: skip


def _require_chat_times(rules: QueueRules) -> None:
    """Check that several conversations at once come with the time they take side by side."""
    ways = 'say aht_by_concurrency = ["10m", "13m", "17m"] (with 1, 2, 3 in hand), or turns = 6 and turn_gap = "90s"'
    several = rules.concurrency > 1
    if (rules.turns is None) != (rules.turn_gap_s is None):
        lacks, given = ("turn_gap", "turns") if rules.turn_gap_s is None else ("turns", "turn_gap")
        raise bad_value(lacks, None, f"given with {given}", 'say both: turns = 6 and turn_gap = "90s"')
    if rules.turns is not None and (rules.aht_by_concurrency_s is not None or not several):
        fix = "leave one of the two out" if rules.aht_by_concurrency_s is not None else "say concurrency = 3 too"
        raise bad_value("turns", rules.turns, "a part of concurrency without aht_by_concurrency", fix)
    if several and rules.aht_by_concurrency_s is None and rules.turns is None:
        # The handle time is active time: taken for each of several conversations, it would be worked several times.
        raise bad_value(
            "concurrency", rules.concurrency, "1 unless the time of conversations side by side is known",
            f"handle times are active time, which nobody spends on several at once: {ways}",
        )  # fmt: skip


def _require_staffable(rules: QueueRules, minutes: int) -> None:
    """Check that target, first reply and channel leave something to staff for."""
    left = rules.frt.seconds - rules.first_reply_s
    if left <= 0:
        raise bad_value(
            "first_reply", format_duration(rules.first_reply_s), f"below the time of frt = \"{rules.frt}\"",
            "the reply alone uses that up and nobody may wait: allow more time in frt",
        )  # fmt: skip
    channel = _channel(rules, minutes)
    if channel == "deferrable" and left < 60 * minutes:
        raise bad_value(
            "frt", str(rules.frt),
            f"at least an interval ({minutes} min) longer than first_reply where channel is deferrable",
            'give it longer, or say channel = "live"',
        )  # fmt: skip
    if rules.in_gaps_of is not None and channel != "deferrable":
        raise bad_value(
            "in_gaps_of", rules.in_gaps_of, "left out of a queue that cannot wait",
            f'frt = "{rules.frt}" is staffed as {channel}; give it longer, or say channel = "deferrable"',
        )  # fmt: skip


def _holds_several(rules: QueueRules) -> bool:
    return rules.concurrency > 1 or rules.aht_by_concurrency_s is not None


def _side_by_side(rules: QueueRules, aht_s: float) -> str:
    times = chat_times(rules, aht_s)
    if times is None or len(times) == 1:
        return "agents hold one conversation at a time"
    listed = ", ".join(format_duration(each) for each in times)
    how = f", from {rules.turns:g} turns of each" if rules.turns is not None else ""
    return f"agents hold up to {len(times)} conversations at once, which then take {listed}{how}"


def _patience_in_words(rules: QueueRules) -> str:
    """The patience, which is not known yet before the forecast if it is to be measured."""
    seconds = rules.patience_s
    return "measured" if seconds is None or math.isnan(seconds) else format_duration(seconds)


def _patience(rules: QueueRules, *, redial: bool = True) -> str:
    if rules.patience_s is None:
        return ""
    measured = ", as the log shows" if rules.patience_by_interval else ""
    text = f", customers give up after {_patience_in_words(rules)} on average{measured}"
    return text + (f" and {100 * rules.redial:g} % of them try again" if rules.redial > 0 and redial else "")
