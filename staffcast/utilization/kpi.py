"""KPIs of a ticket log: volume, first response, resolution and handle time, cut by whatever the planner asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, Target, bad_value
from staffcast.tickets import TicketLog
from staffcast.utilization.clock import open_seconds
from staffcast.utilization.clocks import clock_rule, first_responses
from staffcast.utilization.contacts import csat_top

__all__ = ["CUTS", "TIME_CUTS", "check_cuts", "cut_labels", "kpis", "response_times", "thresholds"]

CUTS = (
    "queue", "agent", "team", "priority", "channel", "topic", "bot_option", "hour", "weekday", "day", "week", "month",
)  # fmt: skip
TIME_CUTS = ("hour", "weekday", "day", "week", "month")
_WEEKDAY_NAMES = ("1 Mon", "2 Tue", "3 Wed", "4 Thu", "5 Fri", "6 Sat", "7 Sun")
_DEFAULT_TARGET_S = 60.0

Flags = npt.NDArray[np.bool_]


def response_times(log: TicketLog, calendars: Mapping[str, Calendar], *, clock: str = "business") -> pd.DataFrame:
    """First response, resolution and waiting time of every ticket that sought an agent.

    Parameters
    ----------
    log : TicketLog
        The log.
    calendars : mapping
        Calendar of each queue.
    clock : str
        A name of ``CLOCKS``. Of ``business`` and ``calendar`` first response time (FRT) is the human one: it starts
        when the ticket seeks an agent (``offered_at``, after the bot) and ends with the first reply by a person; the
        name says whether closed hours pass. A vendor's name stands for the vendor's rule.

    Returns
    -------
    DataFrame
        The log's offered tickets with ``frt_s`` (empty: not answered, or not counted by the clock), ``resolution_s``
        and ``waited_s`` (until answered, gone, or the log's end).
    """
    hours = clock_rule(clock).hours
    if clock not in ("business", "calendar"):
        return _by_vendor(log, calendars, clock)
    frame = log.frame[log.frame["offered_at"].notna()].reset_index(drop=True)
    nothing = pd.Series(pd.NaT, index=frame.index, dtype=frame["offered_at"].dtype)
    answered = frame.get("first_response_at", nothing)
    resolved = frame.get("resolved_at", nothing)
    left = answered.fillna(resolved).fillna(pd.Timestamp(log.seen))
    columns = {name: np.full(len(frame), np.nan) for name in ("frt_s", "resolution_s", "waited_s")}
    for queue, rows in frame.groupby("queue", sort=False).indices.items():
        calendar = calendars[str(queue)] if hours == "business" else Calendar(zone=log.zone)
        offered = frame["offered_at"].iloc[rows]
        # Two clocks can put a reply a second before the hand-over: that is no time, not less.
        columns["frt_s"][rows] = np.maximum(open_seconds(offered, answered.iloc[rows], calendar), 0.0)
        columns["waited_s"][rows] = np.maximum(open_seconds(offered, left.iloc[rows], calendar), 0.0)
        columns["resolution_s"][rows] = open_seconds(frame["created_at"].iloc[rows], resolved.iloc[rows], calendar)
    return frame.assign(**columns)


def _by_vendor(log: TicketLog, calendars: Mapping[str, Calendar], clock: str) -> pd.DataFrame:
    found = first_responses(log, calendars, clock=clock)
    counted = found.start.notna().to_numpy()
    plain = response_times(log, calendars, clock=clock_rule(clock).hours)
    resolution = plain.set_index("ticket_id")["resolution_s"]
    frame = log.frame.assign(
        frt_s=np.where(found.answered, found.seconds, np.nan),
        resolution_s=log.frame["ticket_id"].map(resolution).astype(float),
        waited_s=np.nan_to_num(found.seconds),
    )
    return frame[counted].reset_index(drop=True)


def kpis(
    log: TicketLog,
    calendars: Mapping[str, Calendar],
    *,
    by: Sequence[str] = (),
    target: Target | Mapping[str, Target] | None = None,
    clock: str = "business",
) -> pd.DataFrame:
    """KPIs per group of tickets.

    Parameters
    ----------
    log : TicketLog
        The log.
    calendars : mapping
        Calendar of each queue.
    by : sequence of str
        Cuts from ``CUTS``; several give every combination; none gives one row.
    target : Target or mapping of queue to Target, optional
        Its seconds are the threshold of ``frt_within``; without one, or for a queue without one, 60 s.
    clock : str
        As in :func:`response_times`.

    Returns
    -------
    DataFrame
        The cuts' columns, then ``volume`` (conversations), ``offered`` (sought an agent), ``bot_share`` (share of
        those who did not), ``answered`` (by its time or, lacking that, its outcome), ``abandoned``, ``unanswered``
        (still waiting at the log's end), ``frt_mean_s``, ``frt_p50_s``, ``frt_p90_s``, ``frt_p95_s``, ``frt_p99_s``
        (of those answered at a known time), ``frt_within`` (share of the offered answered within the threshold; who
        left or still waits longer than it is a miss; who waits shorter, or was answered at an unknown time, is
        undecided and left out), ``art_mean_s``, ``art_p50_s``, ``art_p95_s`` (created → resolved), ``aht_s``,
        ``reopened_share``, ``csat`` (share of the top two fifths of the scale) and ``csat_answers``.

    Raises
    ------
    InputError
        Unknown cut or clock, or a cut whose column the log lacks.
    """
    cuts = check_cuts(log, by)
    timed = response_times(log, calendars, clock=clock)
    timed = timed.assign(limit_s=thresholds(timed["queue"], target))
    top, _ = csat_top(log.frame)
    everything = cut_labels(log.frame, "created_at", cuts)
    offered = cut_labels(timed, "offered_at", cuts)
    if not cuts:
        return pd.DataFrame([_summary(everything, offered, top)])
    volumes = dict(iter(everything.groupby(cuts, dropna=False, sort=True)))
    groups = dict(iter(offered.groupby(cuts, dropna=False, sort=True)))
    rows = []
    for key in sorted(volumes.keys() | groups.keys()):
        row = _summary(volumes.get(key, everything.iloc[:0]), groups.get(key, offered.iloc[:0]), top)
        rows.append(dict(zip(cuts, key, strict=True)) | row)
    return pd.DataFrame(rows)


def check_cuts(log: TicketLog, by: Sequence[str]) -> list[str]:
    """Return the cuts, each of which the log can be cut by.

    Raises
    ------
    InputError
        Unknown cut, or a cut whose column the log lacks.
    """
    for cut in by:
        if cut not in CUTS:
            raise bad_value("by", cut, f"one of {', '.join(CUTS)}")
        if cut not in TIME_CUTS and cut not in log.frame:
            raise bad_value("by", cut, "a column that the log has", f"its columns are {', '.join(log.frame.columns)}")
    return list(by)


def thresholds(queue: pd.Series, target: Target | Mapping[str, Target] | None) -> pd.Series:
    """Threshold of each ticket, in seconds."""
    if isinstance(target, Mapping):
        return queue.map({name: own.seconds for name, own in target.items()}).fillna(_DEFAULT_TARGET_S).astype(float)
    return pd.Series(target.seconds if target is not None else _DEFAULT_TARGET_S, index=queue.index)


def cut_labels(frame: pd.DataFrame, time: str, cuts: Sequence[str]) -> pd.DataFrame:
    """Return the frame with a column of labels per cut, those of time by the local clock of column ``time``."""
    local = frame[time].dt.tz_localize(None)
    made = {}
    for cut in cuts:
        if cut == "hour":
            made[cut] = local.dt.hour
        elif cut == "weekday":
            made[cut] = local.dt.day_of_week.map(dict(enumerate(_WEEKDAY_NAMES)))
        elif cut == "day":
            made[cut] = local.dt.strftime("%Y-%m-%d")
        elif cut == "week":
            made[cut] = (local.dt.normalize() - pd.to_timedelta(local.dt.day_of_week, unit="D")).dt.strftime("%Y-%m-%d")
        elif cut == "month":
            made[cut] = local.dt.strftime("%Y-%m")
        else:
            made[cut] = frame[cut].astype(object).where(frame[cut].notna(), "–")
    return frame.assign(**made)


def _summary(everything: pd.DataFrame, offered: pd.DataFrame, top: float) -> dict[str, float]:
    frt = offered["frt_s"].to_numpy()
    timed, answered, gone = _fates(offered)
    limit = offered["limit_s"].to_numpy()
    within = int((frt[timed] <= limit[timed]).sum())
    early = ~answered & ~gone & (offered["waited_s"].to_numpy() <= limit)
    decided = len(offered) - int((early | (answered & ~timed)).sum())
    quantiles = np.quantile(frt[timed], (0.5, 0.9, 0.95, 0.99)) if timed.any() else np.full(4, np.nan)
    resolution = offered["resolution_s"].dropna().to_numpy()
    handle = offered["handle_s"].dropna() if "handle_s" in offered else pd.Series(dtype=float)
    ratings = offered["csat"].dropna() if "csat" in offered else pd.Series(dtype=float)
    reopens = offered["reopens"].fillna(0) if "reopens" in offered else pd.Series(dtype=float)
    return {
        "volume": len(everything),
        "offered": len(offered),
        "bot_share": float(everything["offered_at"].isna().mean()) if len(everything) else np.nan,
        "answered": int(answered.sum()),
        "abandoned": int(gone.sum()),
        "unanswered": int((~answered & ~gone).sum()),
        "frt_mean_s": float(frt[timed].mean()) if timed.any() else np.nan,
        "frt_p50_s": float(quantiles[0]),
        "frt_p90_s": float(quantiles[1]),
        "frt_p95_s": float(quantiles[2]),
        "frt_p99_s": float(quantiles[3]),
        "frt_within": within / decided if decided else np.nan,
        "art_mean_s": float(resolution.mean()) if len(resolution) else np.nan,
        "art_p50_s": float(np.quantile(resolution, 0.5)) if len(resolution) else np.nan,
        "art_p95_s": float(np.quantile(resolution, 0.95)) if len(resolution) else np.nan,
        "aht_s": float(handle.mean()) if len(handle) else np.nan,
        "reopened_share": float((reopens > 0).mean()) if len(reopens) else np.nan,
        "csat": float((ratings >= top).mean()) if len(ratings) else np.nan,
        "csat_answers": len(ratings),
    }


def _fates(offered: pd.DataFrame) -> tuple[Flags, Flags, Flags]:
    """Answered at a known time, answered, and gone without an answer."""
    timed = ~np.isnan(offered["frt_s"].to_numpy())
    nobody = np.zeros(len(offered), dtype=np.bool_)
    ended = offered["resolved_at"].notna().to_numpy() if "resolved_at" in offered else nobody
    said = {
        fate: (offered["outcome"] == fate).fillna(False).to_numpy(dtype=np.bool_) if "outcome" in offered else nobody
        for fate in ("answered", "abandoned")
    }
    answered = timed | said["answered"]
    if "first_response_at" not in offered:
        # The help desk keeps no such time, so its absence says nothing: what was resolved was answered.
        answered = answered | (ended & ~said["abandoned"])
    return timed, answered, ~answered & (ended | said["abandoned"])
