"""Online time from a roster by hour, day or agent: logged in, free, unavailable; utilization and occupancy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.tickets import TicketLog
from staffcast.utilization.estimate import Estimate, mean
from staffcast.utilization.kpi import cut_labels
from staffcast.utilization.roster import AVAILABLE, OFF, within

__all__ = ["ONLINE_CUTS", "online_times", "unavailable"]

Floats = npt.NDArray[np.float64]

ONLINE_CUTS = ("agent", "team", "hour", "weekday", "day", "week", "month")
_HOUR_NS = 3_600_000_000_000


def unavailable(roster: pd.DataFrame) -> pd.DataFrame:
    """Stretches in which an agent was logged in but not available, and why.

    Returns
    -------
    DataFrame
        ``agent, start, end, state, minutes``; stretches that touch and have one state are one.
    """
    state = roster["state"].str.lower()
    rows = roster[~state.isin((AVAILABLE, *OFF))].assign(state=state).sort_values(["agent", "start"], kind="stable")
    alike = rows[["agent", "state"]].eq(rows[["agent", "state"]].shift()).all(axis=1)
    same = alike & (rows["start"] == rows["end"].shift())
    run = np.cumsum(~same.to_numpy(dtype=bool))
    out = rows.groupby(run, sort=True).agg({"agent": "first", "start": "min", "end": "max", "state": "first"})
    out["minutes"] = (out["end"] - out["start"]).dt.total_seconds() / 60
    return out.reset_index(drop=True)


def online_times(
    roster: pd.DataFrame, log: TicketLog, cuts: Sequence[str]
) -> list[tuple[tuple[object, ...], str, str, Estimate]]:
    """Hours and shares per group: group, KPI, unit, estimate.

    Parameters
    ----------
    roster : DataFrame
        From :func:`read_roster`; cut to the log's span.
    log : TicketLog
        Its ``handle_s`` runs from ``first_response_at`` on, in one piece: the help desk does not tell more.
    cuts : sequence of str
        Of ``ONLINE_CUTS``. The team of an agent is that of most of his tickets.

    Returns
    -------
    list
        ``paid_h, logged_in_h, available_h, unavailable_h, shrinkage`` and, where handle times are known, ``idle_h``
        (available and not handling), ``utilization`` (handling ÷ logged-in) and ``occupancy`` (handling ÷ available).
        Shares have an interval with the day as unit.
    """
    roster = within(roster, log.frame["created_at"].min(), log.end)
    state = roster["state"].str.lower()
    parts = [
        _pieces(roster["agent"], roster["start"], roster["end"]).assign(
            paid=1.0, logged=0.0, available=0.0, handling=0.0
        )
    ]  # fmt: skip
    source = parts[0].pop("row").to_numpy()
    parts[0]["logged"] = (~state.isin(OFF)).to_numpy(dtype=float)[source]
    parts[0]["available"] = (state == AVAILABLE).to_numpy(dtype=float)[source]
    known = {"agent", "handle_s", "first_response_at"} <= set(log.frame)
    if known:
        inside = log.frame["first_response_at"].between(roster["start"].min(), roster["end"].max())
        rows = log.frame[inside & log.frame["agent"].isin(roster["agent"]) & (log.frame["handle_s"] > 0)]
        begin = rows["first_response_at"]
        end = begin + pd.to_timedelta(rows["handle_s"].astype(float), unit="s")
        work = _pieces(rows["agent"], begin, end).drop(columns="row")
        parts.append(work.assign(paid=0.0, logged=0.0, available=0.0, handling=1.0))
    table = pd.concat(parts, ignore_index=True)
    for name in ("paid", "logged", "available", "handling"):
        table[name] *= table["hours"]
    if "team" in cuts:
        table["team"] = table["agent"].map(_teams(log.frame))
    table["start"] = table["start"].dt.tz_convert(log.zone)
    table = cut_labels(table, "start", list(cuts))
    table["date"] = table["start"].dt.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
    out: list[tuple[tuple[object, ...], str, str, Estimate]] = []
    groups = table.groupby(list(cuts), dropna=False, sort=True) if cuts else [((), table)]
    for key, rows in groups:
        for name, unit, estimate in _of(rows, known):
            out.append((key, name, unit, estimate))
    return out


def _of(rows: pd.DataFrame, known: bool) -> list[tuple[str, str, Estimate]]:
    days = rows.groupby("date")[["paid", "logged", "available", "handling"]].sum()
    paid, logged, available, handling = (days[c].to_numpy() for c in days)
    n = len(days)
    out = [
        ("paid_h", "h", Estimate(value=float(paid.sum()), n=n)),
        ("logged_in_h", "h", Estimate(value=float(logged.sum()), n=n)),
        ("available_h", "h", Estimate(value=float(available.sum()), n=n)),
        ("unavailable_h", "h", Estimate(value=float((logged - available).sum()), n=n)),
        ("shrinkage", "share", _ratio(paid - available, paid)),
    ]
    if known:
        out += [
            ("idle_h", "h", Estimate(value=float((available - handling).sum()), n=n)),
            ("utilization", "share", _ratio(handling, logged)),
            ("occupancy", "share", _ratio(handling, available)),
        ]
    return out


def _ratio(above: Floats, below: Floats) -> Estimate:
    """Ratio of sums over days: the mean of the days' ratios with their denominators as weights."""
    use = below > 0
    if not use.any():
        return Estimate(value=np.nan)
    found = mean(above[use] / below[use], None, below[use])
    how = found.how.replace("ticket", "day")
    return Estimate(value=found.value, low=max(found.low, 0.0), high=found.high, n=found.n, how=how)


def _pieces(agent: pd.Series, start: pd.Series, end: pd.Series) -> pd.DataFrame:
    """Split stretches at quarters of hours: ``row, agent, start, hours``."""
    begin = start.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[ns]").astype(np.int64)
    finish = end.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[ns]").astype(np.int64)
    # Some zones lie 15 or 30 minutes off the full hour: quarters fit them all.
    step = _HOUR_NS // 4
    first, last = begin // step, np.maximum(finish - 1, begin) // step
    number = (last - first + 1).astype(np.int64)
    row = np.repeat(np.arange(len(begin)), number)
    slot = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    left = np.maximum(begin[row], slot * step)
    right = np.minimum(finish[row], (slot + 1) * step)
    return pd.DataFrame(
        {
            "row": row,
            "agent": agent.to_numpy()[row],
            "start": pd.to_datetime(left, unit="ns", utc=True),
            "hours": (right - left) / _HOUR_NS,
        }
    )


def _teams(frame: pd.DataFrame) -> dict[str, str]:
    known = frame[frame["agent"].notna() & frame["team"].notna()]
    counts = known.groupby(["agent", "team"]).size().reset_index(name="tickets")
    counts = counts.sort_values(["agent", "tickets", "team"], ascending=[True, False, True], kind="stable")
    first = counts.drop_duplicates("agent")
    return dict(zip(first["agent"].astype(str), first["team"].astype(str), strict=True))
