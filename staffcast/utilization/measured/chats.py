"""Concurrency of a log: which conversations agents had in hand at once, queue by queue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.tickets import TicketLog
from staffcast.utilization.measured.concurrency import InHand, Stretches, aht_by_level, in_hand
from staffcast.utilization.measured.figures import ENOUGH, Figure, day_codes, of_estimate, of_ratio

__all__ = ["concurrency_figures"]

Floats = npt.NDArray[np.float64]

_MOST = 12
_LONGEST_S = 12 * 3600.0
_BACKLOG_S = 2 * 3600.0
# Of the time of agents: levels that hardly occur tell nothing; work that hardly overlaps is done one after the other.
_LEAST_TIME, _HARDLY = 0.05, 0.10
_TOLD = 0.9
_MANY = 0.1
_NEEDED = ("agent", "first_response_at", "resolved_at")


def concurrency_figures(log: TicketLog, queues: list[str], *, since: pd.Timestamp) -> dict[str, list[Figure]]:
    """Conversations in hand at once and the mean time of one with 1, 2, … in hand.

    Parameters
    ----------
    log : TicketLog
    queues : list of str
        An agent's conversations of all queues are in hand together, planned or not.
    since : Timestamp
        Conversations that sought a person from then on.

    Returns
    -------
    dict of queue to list of Figure
        ``concurrency`` (the largest number in hand that is at least 5 % of agents' time and began 50 conversations, or
        1 where the work of conversations lies one after the other), ``in_hand_mean``, ``in_hand_share`` (of agents'
        time with any, ``at`` = ``"2"``) and ``aht_in_hand`` (``at`` = ``"2"``; the last counts more in hand too). A
        conversation lasts from ``assigned_at``, or lacking that ``first_response_at``, to ``resolved_at``. Left out
        are reopened tickets and what was open for more than twelve hours.
    """
    lacks = [name for name in _NEEDED if name not in log.frame]
    if lacks:
        note = f"needs {', '.join(lacks)}"
        return {queue: [Figure(measure="concurrency", queue=queue, unit="tickets", note=note)] for queue in queues}
    sought = log.frame[log.frame["offered_at"] >= since]
    every = _conversations(sought, log.end)
    lasts = (every["stop"] - every["begin"]).dt.total_seconds()
    lengths = {str(queue): np.asarray(own, dtype=np.float64) for queue, own in lasts.groupby(every["queue"])}
    rows = every[lasts <= _LONGEST_S].reset_index(drop=True)
    if rows.empty:
        note = "no conversation of the span has agent, first_response_at and resolved_at"
        return {queue: [Figure(measure="concurrency", queue=queue, unit="tickets", note=note)] for queue in queues}
    found = in_hand(_stretches(rows), most=_MOST)
    overlap = _work_overlap(rows)
    return {queue: _of_queue(rows, found, overlap, queue, lengths.get(queue, np.zeros(0))) for queue in queues}


def _of_queue(rows: pd.DataFrame, found: InHand, overlap: Floats, queue: str, lasts_s: Floats) -> list[Figure]:
    own = (rows["queue"] == queue).to_numpy(dtype=bool)
    plain = Figure(measure="concurrency", queue=queue, unit="tickets", n=int(own.sum()))
    if len(lasts_s) and (np.median(lasts_s) > _BACKLOG_S or (lasts_s > _LONGEST_S).mean() > _MANY):
        long = f"{np.median(lasts_s) / 3600:.1f} h at the median, {100 * (lasts_s > _LONGEST_S).mean():.0f} % over 12 h"
        note = f"tickets stay open for long ({long}): they are a backlog, not in hand"
        return [replace(plain, n=0, note=note)]
    if not own.any() or not found.exposure_s[own].sum() > 0:
        return [replace(plain, n=0, note="no conversation with agent, first_response_at and resolved_at")]
    here = rows[own]
    exposure, days = found.exposure_s[own], day_codes(here["begin"])
    levels = np.arange(1, _MOST + 1)
    people = exposure / levels  # a second with j in hand is a j-th of an agent's second for each of them
    shares = people.sum(axis=0) / people.sum()
    figures = [of_estimate(
        "in_hand_mean", of_ratio(exposure.sum(axis=1), people.sum(axis=1), days), "tickets", queue=queue
    )]  # fmt: skip
    for j in levels[: int(np.flatnonzero(shares > 0)[-1]) + 1]:
        one = of_ratio(people[:, j - 1], people.sum(axis=1), days)
        figures.append(of_estimate("in_hand_share", one, "share", queue=queue, at=str(j)))
    k, note = _level(found.at_begin[own], shares), ""
    double = _overlap_share(overlap[own])
    if double < _HARDLY:
        note = (
            f"handle times lie one after the other ({100 * double:.0f} % of the working time over each other): "
            "an agent works on one at a time, the others wait for their customers"
        )
    elif k > 1:
        note = "the most that agents often have; they may be allowed more"
    one_by_one = double < _HARDLY
    figures.insert(0, replace(plain, value=1.0 if one_by_one else float(k), note=note))
    if not one_by_one:
        times = np.column_stack([exposure[:, : k - 1], exposure[:, k - 1 :].sum(axis=1)])
        ended = here["ended"].to_numpy(dtype=bool)
        estimates = aht_by_level(times, np.minimum(found.at_begin[own], k), ended, days)
        for j, each in enumerate(estimates, start=1):
            more = f"{j} or more" if 1 < j == k else ""
            figures.append(of_estimate("aht_in_hand", each, "s", queue=queue, at=str(j), note=more))
    return figures


def _level(at_begin: npt.NDArray[np.int64], shares: Floats) -> int:
    """The largest number in hand that occurs often enough to be told from the ones below."""
    often = [j for j in range(1, _MOST + 1) if shares[j - 1 :].sum() >= _LEAST_TIME and (at_begin >= j).sum() >= ENOUGH]
    return max(often, default=1)


def _work_overlap(rows: pd.DataFrame) -> Floats:
    """Seconds of each conversation's handle time alone and over another's; NaN where handle times are not known."""
    told = rows["handle_s"] > 0
    if told.mean() < _TOLD:
        return np.full((len(rows), 2), np.nan)
    out = np.zeros((len(rows), 2))
    work = _stretches(rows[told], work=True)
    out[told.to_numpy(dtype=bool)] = in_hand(work, most=2).exposure_s
    return out


def _overlap_share(overlap: Floats) -> float:
    """Share of agents' working time in which stretches of work lie over each other; 1 where it is not known."""
    if np.isnan(overlap).any() or not overlap.sum() > 0:
        return 1.0
    alone, double = overlap.sum(axis=0) / (1, 2)
    return float(double / (alone + double))


def _conversations(frame: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    begin = frame["first_response_at"]
    if "assigned_at" in frame:
        begin = frame["assigned_at"].fillna(begin)
    use = frame["agent"].notna() & frame["first_response_at"].notna()
    if "reopens" in frame:
        use &= ~(frame["reopens"] > 0).fillna(value=False)
    stop = frame["resolved_at"].fillna(end)
    use &= (stop >= begin).fillna(value=False)
    rows = pd.DataFrame({
        "queue": frame["queue"], "agent": frame["agent"], "begin": begin, "stop": stop,
        "ended": frame["resolved_at"].notna(), "handle_s": frame.get("handle_s", np.nan),
    })  # fmt: skip
    return rows[use].reset_index(drop=True)


def _stretches(rows: pd.DataFrame, *, work: bool = False) -> Stretches:
    """Conversations on a common clock; with ``work`` only their handle time, from their beginning on."""
    origin = rows["begin"].min()
    begin = (rows["begin"] - origin).dt.total_seconds().to_numpy(dtype=float)
    stop = (rows["stop"] - origin).dt.total_seconds().to_numpy(dtype=float)
    if work:
        stop = begin + rows["handle_s"].to_numpy(dtype=float)
    return Stretches(
        agent=pd.factorize(rows["agent"])[0].astype(np.int64), begin=begin, end=stop,
        ended=rows["ended"].to_numpy(dtype=bool),
    )  # fmt: skip
