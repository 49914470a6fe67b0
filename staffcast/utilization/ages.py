"""The backlog by age: open tickets at an instant, by how long they have been open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.tickets import TicketLog
from staffcast.utilization.kpi import cut_labels

__all__ = ["AGE_BANDS", "backlog_ages", "open_and_waiting"]

Flags = npt.NDArray[np.bool_]

# Name of the band and its lower edge in hours; each ends where the next begins.
AGE_BANDS = (
    ("under_1h", 0.0), ("1h_to_4h", 1.0), ("4h_to_24h", 4.0),
    ("1d_to_3d", 24.0), ("3d_to_7d", 72.0), ("over_7d", 168.0),
)  # fmt: skip


def open_and_waiting(log: TicketLog, now: pd.Timestamp) -> tuple[Flags, Flags]:
    """Which rows of a log are open at an instant, and which of them have no first reply yet.

    Tickets that never sought a person are neither; nor are those that ended at an instant nobody noted.
    """
    frame = log.frame
    nothing = pd.Series(pd.NaT, index=frame.index, dtype=frame["offered_at"].dtype)
    closed, reply = frame.get("resolved_at", nothing), frame.get("first_response_at", nothing)
    here = (frame["offered_at"] <= now) & ~(closed <= now)
    if "outcome" in frame:
        # Only what is still open at the log's end may lack its end.
        here &= ~(closed.isna() & frame["outcome"].isin(("abandoned", "answered")).fillna(value=False))
    waiting = here & ~(reply <= now)
    return here.to_numpy(dtype=bool), waiting.to_numpy(dtype=bool)


def backlog_ages(log: TicketLog, at: pd.Timestamp, cuts: Sequence[str] = ()) -> pd.DataFrame:
    """Open tickets by age band at an instant.

    Parameters
    ----------
    log : TicketLog
    at : Timestamp
    cuts : sequence of str
        Columns to cut by, such as ``priority`` or ``team``.

    Returns
    -------
    DataFrame
        The cuts, ``backlog_open``, ``backlog_waiting`` (without a first reply), the number open per band of
        ``AGE_BANDS`` as ``backlog_under_1h`` …, and ``backlog_oldest_s``. Ages run from ``offered_at`` by the calendar.
    """
    here, waiting = open_and_waiting(log, at)
    rows = log.frame[here]
    age = (at - rows["offered_at"]).dt.total_seconds().to_numpy()
    band = np.searchsorted([3600 * hours for _, hours in AGE_BANDS], age, side="right") - 1
    table = cut_labels(rows, "offered_at", list(cuts))[list(cuts)].assign(
        backlog_open=1, backlog_waiting=waiting[here].astype(int),
        **{f"backlog_{name}": (band == k).astype(int) for k, (name, _) in enumerate(AGE_BANDS)},
        backlog_oldest_s=age,
    )  # fmt: skip
    how = {name: "max" if name == "backlog_oldest_s" else "sum" for name in table.columns if name not in cuts}
    if not cuts:
        return table.agg(how).to_frame().T if len(table) else table.reindex([0]).fillna(0)
    return table.groupby(list(cuts), sort=True).agg(how).reset_index()
