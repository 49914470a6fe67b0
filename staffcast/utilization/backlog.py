"""Open tickets over time, from the log."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.tickets import TicketLog

__all__ = ["backlog"]


def backlog(log: TicketLog, at: pd.DatetimeIndex) -> pd.DataFrame:
    """Tickets waiting for a first response and tickets not yet resolved, at given instants.

    Parameters
    ----------
    log : TicketLog
        The log. Tickets without ``first_response_at`` or ``resolved_at`` count as open to its end.
    at : DatetimeIndex, shape (n,)
        Aware instants, ascending.

    Returns
    -------
    DataFrame
        ``unique_id, ds, waiting, open, oldest_s`` per queue and instant; ``oldest_s`` is the age of the oldest
        waiting ticket, NaN when none waits.
    """
    frame = log.frame[log.frame["offered_at"].notna()]
    nothing = pd.Series(pd.NaT, index=frame.index, dtype=frame["offered_at"].dtype)
    resolved = frame.get("resolved_at", nothing)
    answered = frame.get("first_response_at", nothing)
    answered = answered.fillna(resolved)  # who left without an answer waits no more
    if "outcome" in frame:
        # Some systems keep no time for those who hung up; they cannot be told to wait for ever.
        lost = frame["outcome"].isin(("abandoned", "answered")) & answered.isna()
        answered, resolved = answered.mask(lost, frame["offered_at"]), resolved.mask(lost, frame["offered_at"])
    parts = []
    for queue, rows in frame.groupby("queue"):
        offered, first, closed = (_seconds(c.loc[rows.index]) for c in (frame["offered_at"], answered, resolved))
        first, closed = np.maximum(first, offered), np.maximum(closed, offered)  # nobody leaves before he comes
        instants = _seconds(pd.Series(at))
        came = np.searchsorted(np.sort(offered), instants, side="right")
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": str(queue),
                    "ds": at,
                    "waiting": came - np.searchsorted(np.sort(first), instants, side="right"),
                    "open": came - np.searchsorted(np.sort(closed), instants, side="right"),
                    "oldest_s": _oldest(offered, first, instants),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _oldest(
    offered: npt.NDArray[np.float64], first: npt.NDArray[np.float64], instants: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    order = np.argsort(offered, kind="stable")
    offered, first = offered[order], first[order]
    out = np.full(len(instants), np.nan)
    begin = 0
    for i, now in enumerate(instants):
        # Instants ascend, so whoever was answered by now is out of the way for all later ones too.
        while begin < len(offered) and offered[begin] <= now and first[begin] <= now:
            begin += 1
        if begin < len(offered) and offered[begin] <= now:
            out[i] = now - offered[begin]
    return out


def _seconds(times: pd.Series) -> npt.NDArray[np.float64]:
    """Seconds since 1970; what never happened lies at infinity."""
    naive = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[ms]")
    return np.where(np.isnat(naive), np.inf, naive.astype(np.int64) / 1e3)
