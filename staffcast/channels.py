"""Which queueing model staffs a queue, and why: live, chat, or work to be done by a deadline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from staffcast.contracts import InputError, bad_value, format_duration
from staffcast.scenario import QueueRules, Scenario

__all__ = ["QueueModel", "chats_at_once", "model_of", "require_models"]

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
    waits_long = rules.frt.seconds >= 60 * minutes
    chats = rules.concurrency > 1 or rules.aht_by_concurrency_s is not None
    channel = rules.channel
    if channel == "auto":
        channel = "chat" if chats else "deferrable" if waits_long else "live"
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
            why=f"agents hold up to {chats_at_once(rules)} conversations at once" + _patience(rules),
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


def chats_at_once(rules: QueueRules) -> int:
    """Conversations that an agent holds at once."""
    return rules.concurrency if rules.aht_by_concurrency_s is None else len(rules.aht_by_concurrency_s)


def require_models(scenario: Scenario, queues: Mapping[str, Any] | list[str] | tuple[str, ...]) -> None:
    """Check that what the scenario says of each queue goes together.

    Raises
    ------
    InputError
        With the queue and what to change.
    """
    for queue in queues:
        rules = scenario.for_queue(queue)
        try:
            _require(rules, queue, tuple(queues), scenario)
        except InputError as error:
            raise InputError(f"queue {queue!r}: {error}") from None


def _require(rules: QueueRules, queue: str, queues: tuple[str, ...], scenario: Scenario) -> None:
    chats = rules.concurrency > 1 or rules.aht_by_concurrency_s is not None
    levels = rules.aht_by_concurrency_s
    if levels is not None and rules.concurrency not in (1, len(levels)):
        raise bad_value(
            "aht_by_concurrency", f"{len(levels)} times", f"one for each of the {rules.concurrency} conversations",
            "leave out concurrency, or give as many times",
        )  # fmt: skip
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


def _patience(rules: QueueRules) -> str:
    if rules.patience_s is None:
        return ""
    text = f", customers give up after {format_duration(rules.patience_s)} on average"
    return text + (f" and {100 * rules.redial:g} % of them try again" if rules.redial > 0 else "")
