"""First response time is not one number: the rule of each vendor, and how it compares with what the vendor states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, InputError, bad_value
from staffcast.tickets import TicketLog
from staffcast.utilization.clock import open_seconds

__all__ = ["CLOCKS", "ClockRule", "FirstResponses", "clock_rule", "first_responses", "reconcile"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_DAY_S = 86_400.0
_SAME_S = 60.0
_WORST = 5
_STATED = {"stated_frt_s": "calendar", "stated_frt_business_s": "business"}


@dataclass(frozen=True, kw_only=True)
class ClockRule:
    """Where a first response time starts and stops, which hours pass, and which tickets count.

    Attributes
    ----------
    name : str
    start : {"offered_at", "created_at", "assigned_at", "last_hand_over"}
        ``last_hand_over``: the latest of hand-over by the bot and reopening before the reply.
    hours : {"business", "calendar"}
        Whether closed hours pass without time.
    leaves_out : tuple of str
        ``outcome`` or ``status`` of tickets that do not count.
    outbound : bool
        Whether conversations that an agent began count (``direction`` is ``outbound``).
    expires_s : float
        Seconds after the customer's last message from which the ticket is lost: a later reply is none.
    about : str
        The rule in words.
    """

    name: str
    start: Literal["offered_at", "created_at", "assigned_at", "last_hand_over"]
    hours: Literal["business", "calendar"]
    about: str
    leaves_out: tuple[str, ...] = ()
    outbound: bool = True
    expires_s: float = np.inf


_UNREAL = ("spam", "merged", "deleted", "phantom")

CLOCKS: Mapping[str, ClockRule] = {
    rule.name: rule
    for rule in (
        ClockRule(
            name="business", start="offered_at", hours="business",
            about="seeks a person → first reply by a person; closed hours pass without time",
        ),
        ClockRule(
            name="calendar", start="offered_at", hours="calendar",
            about="seeks a person → first reply by a person; nights and weekends count",
        ),
        ClockRule(
            name="zendesk", start="created_at", hours="calendar", outbound=False,
            about="created → first public agent comment, calendar hours; tickets made by agents left out",
        ),
        ClockRule(
            name="intercom", start="created_at", hours="business",
            about="the contact's first message → first reply by a person, less the hours out of office",
        ),
        ClockRule(
            name="callbell", start="offered_at", hours="calendar",
            about="end of the bot's flow → first reply by a person; nights and weekends count",
        ),
        ClockRule(
            name="trengo", start="offered_at", hours="business",
            about="first customer message → first reply by an agent, less closed hours and the bot's time",
        ),
        ClockRule(
            name="wati", start="assigned_at", hours="calendar", expires_s=_DAY_S,
            about="assignment → first reply; unanswered 24 h after the customer's last message it is missed",
        ),
        ClockRule(
            name="chatwoot", start="last_hand_over", hours="calendar",
            about="latest hand-over by the bot or reopening, else creation → first message by a person",
        ),
        ClockRule(
            name="freshdesk", start="created_at", hours="business", leaves_out=_UNREAL,
            about="created → first reply by an agent, business hours; spam and merged tickets left out",
        ),
        ClockRule(
            name="respondio", start="created_at", hours="calendar",
            about="opened → first reply by a user; workflows and bots left out",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FirstResponses:
    """First response times of all rows of a log under one rule.

    Attributes
    ----------
    seconds : ndarray, shape (n,)
        Time to the first reply, or waited so far (until gone, expired, or the log's end); NaN where the rule does not
        count the ticket or no time is known.
    answered : ndarray of bool, shape (n,)
        Whether ``seconds`` ended with a reply; the others are censored.
    start : Series of instants, shape (n,)
        Empty where the rule does not count the ticket.
    """

    seconds: Floats
    answered: Flags
    start: pd.Series


def clock_rule(name: str) -> ClockRule:
    """Rule of a name.

    Raises
    ------
    InputError
        Unknown name.
    """
    if name not in CLOCKS:
        vendors = ", ".join(n for n in CLOCKS if n not in ("business", "calendar"))
        raise bad_value("clock", name, f'"business" or "calendar", or the clock of a vendor: {vendors}')
    return CLOCKS[name]


def first_responses(
    log: TicketLog,
    calendars: Mapping[str, Calendar],
    *,
    clock: str = "business",
    hours: Literal["business", "calendar"] | None = None,
) -> FirstResponses:
    """Time to the first reply by a person under a rule, the unanswered as waited so far.

    Parameters
    ----------
    log : TicketLog
    calendars : mapping
        Calendar of each queue.
    clock : str
        A name of ``CLOCKS``.
    hours : {"business", "calendar"}, optional
        Other hours than the rule's own.

    Returns
    -------
    FirstResponses
        In the order of ``log.frame``. Conversations that never sought a person count under no rule.

    Raises
    ------
    InputError
        Unknown clock, or one whose columns the log lacks.
    """
    rule = clock_rule(clock)
    frame = log.frame
    start = _start(frame, rule).where(_counts(frame, rule))
    nothing = pd.Series(pd.NaT, index=frame.index, dtype=frame["created_at"].dtype)
    reply = frame.get("first_response_at", nothing)
    gave_up = _gave_up(frame)
    left = frame.get("resolved_at", nothing).fillna(gave_up).fillna(pd.Timestamp(log.seen))
    unknown = _lost_without_time(frame) & reply.isna().to_numpy() & gave_up.isna().to_numpy()
    if np.isfinite(rule.expires_s):
        since = frame.get("last_customer_at", nothing)
        # The customer's last message may be later than the reply; the window that matters began before it.
        since = since.where(~(since > reply)).fillna(frame["created_at"])
        lost_at = since + pd.Timedelta(seconds=rule.expires_s)
        reply = reply.mask(reply > lost_at)
        left = left.mask(left > lost_at, lost_at)
    until = reply.fillna(left)
    seconds = np.full(len(frame), np.nan)
    for queue, rows in frame.groupby("queue", sort=False).indices.items():
        calendar = calendars[str(queue)] if (hours or rule.hours) == "business" else Calendar(zone=log.zone)
        seconds[rows] = open_seconds(start.iloc[rows], until.iloc[rows], calendar)
    # Two clocks can put a reply a second before the start: that is no time, not less.
    seconds = np.where(unknown, np.nan, np.maximum(seconds, 0.0))
    answered = reply.notna().to_numpy() & ~np.isnan(seconds)
    return FirstResponses(seconds=seconds, answered=answered, start=start)


def _start(frame: pd.DataFrame, rule: ClockRule) -> pd.Series:
    if rule.start == "assigned_at":
        if "assigned_at" not in frame:
            raise bad_value(
                "clock", rule.name, "a clock whose columns the log has",
                "it starts at assigned_at; add that column, or take callbell, which starts when the bot hands over",
            )  # fmt: skip
        return frame["assigned_at"]
    if rule.start == "last_hand_over":
        start = frame["offered_at"]
        if "reopened_at" in frame:
            again = frame["reopened_at"]
            if "first_response_at" in frame:
                again = again.where(~(again > frame["first_response_at"]))
            start = start.where(~(again > start), again)
        return start
    return frame[rule.start]


def _counts(frame: pd.DataFrame, rule: ClockRule) -> Flags:
    counts = frame["offered_at"].notna().to_numpy()
    for column in ("outcome", "status"):
        if rule.leaves_out and column in frame:
            said = frame[column].astype("string").str.lower().isin(rule.leaves_out)
            counts = counts & ~said.fillna(value=False).to_numpy(dtype=bool)
    if not rule.outbound and "direction" in frame:
        out = frame["direction"].astype("string").str.lower().eq("outbound")
        counts = counts & ~out.fillna(value=False).to_numpy(dtype=bool)
    return np.asarray(counts, dtype=np.bool_)


def _gave_up(frame: pd.DataFrame) -> pd.Series:
    """When who abandoned did so, as a phone system tells it: by the length of the wait alone."""
    if not {"wait_s", "outcome"} <= set(frame):
        return pd.Series(pd.NaT, index=frame.index, dtype=frame["offered_at"].dtype)
    wait = pd.to_timedelta(frame["wait_s"].astype(float).round(3), unit="s").dt.as_unit("ns")
    ended = frame["offered_at"] + wait
    return ended.where(frame["outcome"].eq("abandoned").fillna(value=False))


def _lost_without_time(frame: pd.DataFrame) -> Flags:
    """Ended or answered at an instant that nobody noted: they cannot be told to wait to the log's end."""
    if "outcome" not in frame:
        said = np.zeros(len(frame), dtype=bool)
    else:
        said = frame["outcome"].isin(("abandoned", "answered")).fillna(value=False).to_numpy(dtype=bool)
    ended = frame["resolved_at"].notna().to_numpy() if "resolved_at" in frame else np.zeros(len(frame), dtype=bool)
    if "first_response_at" not in frame:
        return np.asarray(said | ended, dtype=np.bool_)
    gone = frame["outcome"].eq("abandoned").fillna(value=False).to_numpy(dtype=bool) if "outcome" in frame else said
    return np.asarray((said & ~ended) | (said & ended & ~gone), dtype=np.bool_)


def reconcile(
    log: TicketLog, calendars: Mapping[str, Calendar], *, clocks: Sequence[str] | None = None
) -> pd.DataFrame:
    """Set first response times worked out from the instants beside those that the help desk states.

    Parameters
    ----------
    log : TicketLog
        With ``stated_frt_s`` or ``stated_frt_business_s``.
    calendars : mapping
        Calendar of each queue.
    clocks : sequence of str, optional
        Names of ``CLOCKS``; all whose columns the log has if left out.

    Returns
    -------
    DataFrame
        One row per clock and stated column, the best explanation first: ``clock, stated, hours, n, equal`` (share
        within a minute), ``mean_difference_s`` and ``median_difference_s`` (ours − theirs), ``stated_only`` (they
        have one where we have none), ``ours_only``, ``worst`` (ids of the tickets farthest off, with both figures).

    Raises
    ------
    InputError
        Neither column is there, or an unknown clock.
    """
    columns = [c for c in _STATED if c in log.frame and log.frame[c].notna().any()]
    if not columns:
        raise InputError(
            "the log states no first response time of its own: it has neither stated_frt_s nor stated_frt_business_s"
        )
    names = list(CLOCKS) if clocks is None else list(clocks)
    if clocks is None and "assigned_at" not in log.frame:
        names = [n for n in names if CLOCKS[n].start != "assigned_at"]
    rows = []
    for name in names:
        for column in columns:
            hours: Literal["business", "calendar"] = "business" if _STATED[column] == "business" else "calendar"
            if name in ("business", "calendar") and name != hours:
                continue
            found = first_responses(log, calendars, clock=name, hours=hours)
            rows.append({"clock": name, "stated": column, "hours": hours} | _compared(log.frame, found, column))
    if not rows:
        raise bad_value("clocks", names, "a clock in the hours that are stated", f"the log states {', '.join(columns)}")
    return pd.DataFrame(rows).sort_values(
        ["equal", "n"], ascending=False, kind="stable", na_position="last", ignore_index=True
    )


def _compared(frame: pd.DataFrame, found: FirstResponses, column: str) -> dict[str, object]:
    stated = frame[column].to_numpy(dtype=float)
    ours = np.where(found.answered, found.seconds, np.nan)
    both = ~np.isnan(stated) & ~np.isnan(ours)
    off = (ours - stated)[both]
    ids = frame["ticket_id"].to_numpy()[both]
    worst = [k for k in np.argsort(-np.abs(off), kind="stable")[:_WORST] if abs(off[k]) > _SAME_S]
    return {
        "n": int(both.sum()),
        "equal": float((np.abs(off) <= _SAME_S).mean()) if both.any() else np.nan,
        "mean_difference_s": float(off.mean()) if both.any() else np.nan,
        "median_difference_s": float(np.median(off)) if both.any() else np.nan,
        "stated_only": int((~np.isnan(stated) & np.isnan(ours)).sum()),
        "ours_only": int((np.isnan(stated) & ~np.isnan(ours)).sum()),
        "worst": "; ".join(
            f"{ids[k]}: {ours[both][k]:.0f} s, stated {stated[both][k]:.0f} s" for k in worst
        ),
    }  # fmt: skip
