"""Planning inputs measured from a log: spread of handle times, mix of priorities, tickets waiting now."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from staffcast.contracts import Calendar
from staffcast.tickets import IntervalLog, TicketLog, waiting_at_end

__all__ = ["QueueFacts", "measure", "priority_order"]

_WORDS = ("urgent", "critical", "highest", "high", "normal", "medium", "moderate", "low", "lowest")
_RECENT = pd.Timedelta(weeks=8)
_FEW = 50
_RUNS = re.compile(r"\d+|\D+")


@dataclass(frozen=True, kw_only=True)
class QueueFacts:
    """What a simulation needs to know about a queue besides its demand.

    Attributes
    ----------
    handle_cv : float
        Standard deviation ÷ mean of the handle times of the last eight weeks; 1 (exponential) where unknown.
    priorities : tuple of str
        Classes, the most urgent first; empty: all alike.
    priority_shares : tuple of float
        Their shares, summing to 1.
    backlog_age_s : tuple of float
        Ages of the tickets that wait at the log's end, without those that came after closing.
    """

    handle_cv: float = 1.0
    priorities: tuple[str, ...] = ()
    priority_shares: tuple[float, ...] = ()
    backlog_age_s: tuple[float, ...] = ()


def priority_order(names: list[str]) -> list[str]:
    """Sort priority classes, the most urgent first: by usual words, else by number, else by name.

    Examples
    --------
    >>> priority_order(["low", "urgent", "high"]), priority_order(["10", "2", "1"])
    (['urgent', 'high', 'low'], ['1', '2', '10'])
    """
    if all(n.lower() in _WORDS for n in names):
        return sorted(names, key=lambda n: _WORDS.index(n.lower()))
    if all(n.replace(".", "", 1).isdigit() for n in names):
        return sorted(names, key=float)
    # P2 before P10: runs of digits compare as numbers.
    return sorted(
        names, key=lambda n: [(part.isdigit(), int(part) if part.isdigit() else part) for part in _RUNS.findall(n)]
    )


def measure(
    log: TicketLog | IntervalLog,
    calendars: Mapping[str, Calendar],
    end: pd.Timestamp,
    *,
    order: Sequence[str] = (),
) -> dict[str, QueueFacts]:
    """Facts per queue.

    Parameters
    ----------
    log : TicketLog or IntervalLog
        An interval file has none of them: the defaults then.
    calendars : mapping
        Calendar of each queue.
    end : Timestamp
        Up to where tickets are counted.
    order : sequence of str, optional
        Priority classes, the most urgent first; those not named follow as :func:`priority_order` has them.
    """
    if isinstance(log, IntervalLog):
        return {queue: QueueFacts() for queue in calendars}
    waiting = waiting_at_end(log, calendars, end)
    facts = {}
    for queue in calendars:
        rows = log.frame[(log.frame["queue"] == queue) & log.frame["offered_at"].notna()]
        recent = rows[rows["offered_at"] >= end - _RECENT]
        names, shares = _priorities(recent, order)
        ages = waiting.loc[(waiting["unique_id"] == queue) & ~waiting["since_close"], "age_s"]
        facts[queue] = QueueFacts(
            handle_cv=_handle_cv(recent), priorities=names, priority_shares=shares,
            backlog_age_s=tuple(float(a) for a in sorted(ages, reverse=True)),
        )  # fmt: skip
    return facts


def _handle_cv(rows: pd.DataFrame) -> float:
    handle = rows["handle_s"].dropna().to_numpy(dtype=float) if "handle_s" in rows else np.zeros(0)
    handle = handle[handle > 0]
    return float(handle.std() / handle.mean()) if len(handle) >= _FEW else 1.0


def _priorities(rows: pd.DataFrame, order: Sequence[str]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    known = rows["priority"].dropna() if "priority" in rows else pd.Series(dtype=str)
    if len(known) < _FEW or known.nunique() < 2:
        return (), ()
    shares = known.value_counts(normalize=True)
    found = [str(n) for n in shares.index]
    named = [n for n in order if n in found]
    names = named + priority_order([n for n in found if n not in named])
    return tuple(names), tuple(float(shares[n]) for n in names)
