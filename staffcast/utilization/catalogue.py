"""The KPIs by name: which tickets count, when, with what value, and which columns a log must have."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, InputError, bad_value
from staffcast.tickets import TicketLog
from staffcast.utilization import contacts
from staffcast.utilization.clock import open_seconds
from staffcast.utilization.clocks import FirstResponses, clock_rule, first_responses

__all__ = ["MEASURES", "STATISTICS", "Facts", "Measure", "Sample", "find_kpi", "full_name", "kpi_names", "unknown_kpi"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Kind = Literal["duration", "share", "mean", "nps", "count"]

STATISTICS = ("mean", "p50", "p90", "p95", "p99")
DEFAULT_WITHIN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the KPIs of a log are worked out from.

    Attributes
    ----------
    log : TicketLog
    calendars : mapping
        Calendar of each queue.
    clock : str
        A name of ``CLOCKS``: the rule of the first response time; its hours are those of all durations.
    within_s : ndarray, shape (n,)
        Threshold of ``frt_human_within``, of each ticket.
    repeat_days : float
        Within how many days a customer who comes back is a repeat contact.
    """

    log: TicketLog
    calendars: Mapping[str, Calendar]
    clock: str = "business"
    within_s: Floats
    repeat_days: float = 7.0

    @property
    def frame(self) -> pd.DataFrame:
        """The log's rows."""
        return self.log.frame

    @cached_property
    def frt(self) -> FirstResponses:
        """First responses by people under the clock."""
        return first_responses(self.log, self.calendars, clock=self.clock)

    @cached_property
    def offered(self) -> Flags:
        """Which conversations sought a person."""
        return self.frame["offered_at"].notna().to_numpy()

    def flag(self, column: str, *values: str) -> Flags:
        """Where a text column has one of some values; nowhere without the column."""
        if column not in self.frame:
            return np.zeros(len(self.frame), dtype=np.bool_)
        return self.frame[column].isin(values).fillna(value=False).to_numpy(dtype=bool)

    def number(self, column: str) -> Floats:
        """Column as numbers."""
        return self.frame[column].to_numpy(dtype=float)

    def lasted(self, start: pd.Series, end: pd.Series) -> Floats:
        """Seconds between two instants, in the hours of the clock."""
        if clock_rule(self.clock).hours == "calendar":
            return np.asarray((end - start).dt.total_seconds(), dtype=np.float64)
        out = np.full(len(start), np.nan)
        for queue, rows in self.frame.groupby("queue", sort=False).indices.items():
            out[rows] = open_seconds(start.iloc[rows], end.iloc[rows], self.calendars[str(queue)])
        return np.asarray(out, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Values of a KPI, one per row of the log.

    Attributes
    ----------
    values : ndarray, shape (n,)
        NaN where the ticket does not count.
    ended : ndarray of bool, shape (n,), or None
        For durations: False where it still lasts.
    weights : ndarray, shape (n,), or None
    """

    values: Floats
    ended: Flags | None = None
    weights: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One KPI or, for durations, five: mean, median, p90, p95, p99.

    Attributes
    ----------
    name : str
        For durations without statistic and unit: ``frt_human`` gives ``frt_human_mean_s`` …
    kind : {"duration", "share", "mean", "nps", "count"}
    about : str
    time : str
        The instant by which a ticket belongs to an hour, a day, a week.
    needs : tuple of str
        Columns without which there is no such KPI.
    make : callable
        From facts to sample.
    unit : str
    """

    name: str
    kind: Kind
    about: str
    time: str
    make: Callable[[Facts], Sample]
    needs: tuple[str, ...] = ()
    unit: str = "share"

    def names(self) -> list[str]:
        """KPIs that it gives."""
        return [f"{self.name}_{s}_s" for s in STATISTICS] if self.kind == "duration" else [self.name]


def _where(rows: Flags, values: Floats | Flags) -> Sample:
    return Sample(values=np.where(rows, np.asarray(values, dtype=float), np.nan))


def _frt(facts: Facts) -> Sample:
    return Sample(values=facts.frt.seconds, ended=facts.frt.answered)


def _frt_within(facts: Facts) -> Sample:
    """Who left or waits longer than the threshold is a miss; who waits shorter is undecided."""
    frt, limit = facts.frt, facts.within_s
    gone = facts.flag("outcome", "abandoned")
    if "resolved_at" in facts.frame:
        gone = gone | (facts.frame["resolved_at"].notna().to_numpy() & ~frt.answered)
    # An answer at an unknown time is neither in time nor late.
    counts = frt.start.notna().to_numpy() & (~np.isnan(frt.seconds) | facts.flag("outcome", "abandoned"))
    with np.errstate(invalid="ignore"):
        decided = frt.answered | gone | (frt.seconds > limit)
        return _where(counts & decided, frt.answered & (frt.seconds <= limit))


def _frt_bot(facts: Facts) -> Sample:
    """Automated replies know no closing time."""
    seconds = (facts.frame["bot_first_response_at"] - facts.frame["created_at"]).dt.total_seconds().to_numpy(float)
    return Sample(values=np.maximum(seconds, 0.0), ended=~np.isnan(seconds))


def _reply(facts: Facts) -> Sample:
    weights = np.nan_to_num(facts.number("replies"), nan=1.0) if "replies" in facts.frame else None
    values = np.where(facts.offered, facts.number("mean_reply_s"), np.nan)
    if weights is not None:
        values = np.where(weights > 0, values, np.nan)
    return Sample(values=values, weights=weights)


def _art(facts: Facts) -> Sample:
    seconds = facts.lasted(facts.frame["created_at"], facts.frame["resolved_at"])
    seconds = np.where(facts.offered, seconds, np.nan)
    return Sample(values=seconds, ended=~np.isnan(seconds))


def _closing(facts: Facts) -> Sample:
    closed = facts.frame["resolved_at"]
    seconds = facts.lasted(facts.frame["created_at"], closed.fillna(pd.Timestamp(facts.log.seen)))
    unknown = closed.isna().to_numpy() & facts.flag("outcome", "abandoned", "answered")
    return Sample(values=np.where(facts.offered & ~unknown, seconds, np.nan), ended=closed.notna().to_numpy())


def _handling(facts: Facts) -> Sample:
    values = np.where(facts.offered, facts.number("handle_s"), np.nan)
    return Sample(values=values, ended=~np.isnan(values))


def _hand_back(facts: Facts) -> Sample:
    values = contacts.hand_back_s(facts.frame)
    return Sample(values=values, ended=~np.isnan(values))


def _csat(facts: Facts) -> Sample:
    ratings = facts.number("csat")
    return _where(~np.isnan(ratings), ratings >= contacts.csat_top(facts.frame)[0])


def _csat_rate(facts: Facts) -> Sample:
    return _where(facts.offered & facts.frame["resolved_at"].notna().to_numpy(), ~np.isnan(facts.number("csat")))


def _answered(facts: Facts) -> Flags:
    answered = facts.frt.answered | (facts.flag("outcome", "answered") & facts.offered)
    if "first_response_at" not in facts.frame and "resolved_at" in facts.frame:
        resolved = facts.frame["resolved_at"].notna().to_numpy() & facts.offered
        answered = answered | (resolved & ~facts.flag("outcome", "abandoned"))
    return np.asarray(answered, dtype=np.bool_)


def _abandoned(facts: Facts) -> Flags:
    gone = facts.flag("outcome", "abandoned")
    if "resolved_at" in facts.frame:
        gone = gone | facts.frame["resolved_at"].notna().to_numpy()
    return np.asarray(gone & facts.offered & ~_answered(facts), dtype=np.bool_)


def _unanswered(facts: Facts) -> Flags:
    return np.asarray(facts.offered & ~_answered(facts) & ~_abandoned(facts), dtype=np.bool_)


def _closed(facts: Facts) -> Sample:
    return Sample(values=(facts.offered & facts.frame["resolved_at"].notna().to_numpy()).astype(float))


MEASURES: Mapping[str, Measure] = {
    m.name: m
    for m in (
        Measure(name="volume", kind="count", unit="conversations", time="created_at",
                about="conversations that began", make=lambda f: Sample(values=np.ones(len(f.frame)))),
        Measure(name="offered", kind="count", unit="tickets", time="offered_at",
                about="of them, those that sought a person", make=lambda f: Sample(values=f.offered.astype(float))),
        Measure(name="answered", kind="count", unit="tickets", time="offered_at", about="got a reply by a person",
                make=lambda f: Sample(values=_answered(f).astype(float))),
        Measure(name="abandoned", kind="count", unit="tickets", time="offered_at", about="left without one",
                make=lambda f: Sample(values=_abandoned(f).astype(float))),
        Measure(name="unanswered", kind="count", unit="tickets", time="offered_at",
                about="still waiting at the log's end", make=lambda f: Sample(values=_unanswered(f).astype(float))),
        Measure(name="closed", kind="count", unit="tickets", time="resolved_at", needs=("resolved_at",),
                about="tickets for people that were closed in the period, whenever they came", make=_closed),
        Measure(name="abandoned_share", kind="share", time="offered_at", about="abandoned ÷ offered",
                make=lambda f: _where(f.offered, _abandoned(f))),
        Measure(name="frt_human", kind="duration", unit="s", time="offered_at", needs=("first_response_at",),
                about="first response time by people under the clock; who was not answered is censored", make=_frt),
        Measure(name="frt_human_within", kind="share", time="offered_at", needs=("first_response_at",),
                about="answered within the target's time ÷ offered; who left is a miss", make=_frt_within),
        Measure(name="frt_bot", kind="duration", unit="s", time="created_at", needs=("bot_first_response_at",),
                about="customer's first message → first automated reply", make=_frt_bot),
        Measure(name="reply_mean_s", kind="mean", unit="s", time="offered_at", needs=("mean_reply_s",),
                about="mean of every reply gap, each reply alike where their number is known", make=_reply),
        Measure(name="art", kind="duration", unit="s", time="resolved_at", needs=("resolved_at",),
                about="first contact → closed, of the tickets closed in the period", make=_art),
        Measure(name="closing", kind="duration", unit="s", time="offered_at", needs=("resolved_at",),
                about="first contact → closed, of the tickets that came in the period; the open are censored",
                make=_closing),
        Measure(name="handling", kind="duration", unit="s", time="offered_at", needs=("handle_s",),
                about="active time of the agent on a ticket", make=_handling),
        Measure(name="csat", kind="share", time="offered_at", needs=("csat",),
                about="share of the ratings in the top two fifths of the scale", make=_csat),
        Measure(name="csat_response_share", kind="share", time="offered_at", needs=("csat", "resolved_at"),
                about="closed tickets with a rating ÷ closed tickets", make=_csat_rate),
        Measure(name="nps", kind="nps", unit="points", time="created_at", needs=("nps",),
                about="% of 9–10 − % of 0–6", make=lambda f: Sample(values=f.number("nps"))),
        Measure(name="ces", kind="mean", unit="score", time="created_at", needs=("ces",),
                about="mean effort score, 1–10", make=lambda f: Sample(values=f.number("ces"))),
        Measure(name="fcr_one_reply", kind="share", time="offered_at", needs=("replies", "reopens", "resolved_at"),
                about="closed with exactly one reply and never reopened (Zendesk) ÷ closed by people",
                make=lambda f: Sample(values=contacts.fcr_one_reply(f.frame))),
        Measure(name="fcr_closed_once", kind="share", time="offered_at", needs=("reopens", "resolved_at"),
                about="closed once with one teammate (Intercom) ÷ closed by people",
                make=lambda f: Sample(values=contacts.fcr_closed_once(f.frame))),
        Measure(name="reopened_share", kind="share", time="offered_at", needs=("reopens",),
                about="reopened at least once ÷ tickets", make=lambda f: _where(
                    f.offered & ~np.isnan(f.number("reopens")), f.number("reopens") > 0)),
        Measure(name="deflection", kind="share", time="created_at", needs=("offered_at",),
                about="closed by the bot ÷ those and the tickets for people",
                make=lambda f: Sample(values=contacts.deflected(f.frame))),
        Measure(name="hand_back", kind="duration", unit="s", time="offered_at", needs=("handed_back_at",),
                about="from seeking a person until a person handed back to the bot", make=_hand_back),
        Measure(name="handed_back_share", kind="share", time="offered_at", needs=("handed_back_at",),
                about="handed back to the bot ÷ tickets for people",
                make=lambda f: _where(f.offered, f.frame["handed_back_at"].notna().to_numpy())),
        Measure(name="repeat_share", kind="share", time="created_at", needs=("customer_id",),
                about="the same customer came back within the days of --repeat-days",
                make=lambda f: Sample(values=contacts.repeated(f.log, days=f.repeat_days))),
        Measure(name="window_expired_share", kind="share", time="offered_at", needs=("first_response_at",),
                about="WhatsApp's 24 hours after a customer's message passed without an answer by a person",
                make=lambda f: Sample(values=contacts.window_expired(f.log))),
    )
}  # fmt: skip


def kpi_names() -> list[str]:
    """Names of all KPIs that are made of single tickets."""
    return [name for measure in MEASURES.values() for name in measure.names()]


def find_kpi(name: str) -> tuple[Measure, str]:
    """The measure behind a KPI's name, and which statistic of it.

    Parameters
    ----------
    name : str
        A name of :func:`kpi_names`; first response times also as ``frt_mean`` or ``frt_p95``, the human one is meant.

    Raises
    ------
    InputError
        Unknown name.

    Examples
    --------
    >>> find_kpi("frt_human_p95_s")[0].name, find_kpi("frt_human_p95_s")[1]
    ('frt_human', 'p95')
    """
    asked, name = name, full_name(name)
    for measure in MEASURES.values():
        for statistic, own in zip(STATISTICS, measure.names(), strict=False):
            if own == name:
                return measure, statistic if measure.kind == "duration" else measure.kind
    raise unknown_kpi(asked, kpi_names())


def full_name(name: str) -> str:
    """A KPI's name in the long table: ``frt_…`` is the human one, and the ending ``_s`` may be left out.

    Examples
    --------
    >>> full_name("frt_mean"), full_name("frt_within"), full_name("art_p95")
    ('frt_human_mean_s', 'frt_human_within', 'art_p95_s')
    """
    short = name.removesuffix("_s").removeprefix("frt_")
    if name.startswith("frt_") and short in (*STATISTICS, "within"):
        name = f"frt_human_{short}{'_s' if short in STATISTICS else ''}"
    return f"{name}_s" if f"{name}_s" in kpi_names() else name


def unknown_kpi(name: object, known: Sequence[str]) -> InputError:
    """The error for a name that is no KPI's, with what comes nearest."""
    pool = [*(f"frt_{s}" for s in (*STATISTICS, "within")), *known]
    close = list(dict.fromkeys(full_name(c) for c in difflib.get_close_matches(str(name), pool, n=3)))
    hint = f"did you mean {' or '.join(close)}?" if close else "`staffcast kpi LOG --all` prints those of a log"
    return bad_value("kpi", name, "a name of docs/kpis.md", hint)
