"""What comes back: tickets reopened, customers who write again, and who tries again after giving up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.tickets import TicketLog
from staffcast.utilization.contacts import repeated
from staffcast.utilization.estimate import quantile, share
from staffcast.utilization.measured.figures import Figure, day_codes, of_estimate, of_ratio

__all__ = ["redial_figures", "reopen_figures", "repeat_figures"]

Floats = npt.NDArray[np.float64]

_REDIAL = pd.Timedelta(hours=1)
_QUANTILES = (0.25, 0.5, 0.75, 0.9)


def reopen_figures(rows: pd.DataFrame, queue: str, *, settled: pd.Timestamp) -> list[Figure]:
    """Share of the resolved tickets that were reopened, the delay, and how much more handling they took.

    Parameters
    ----------
    rows : DataFrame
        One queue's tickets that sought a person.
    queue : str
    settled : Timestamp
        Tickets resolved later have not had the time to be reopened.
    """
    if "reopens" not in rows or not rows["reopens"].notna().any():
        return [Figure(measure="reopened", queue=queue, unit="share", note="needs reopens (times reopened)")]
    use = rows["reopens"].notna() & (rows["offered_at"] < settled)
    if "resolved_at" in rows:
        use &= rows["resolved_at"].notna()
    if "outcome" in rows:
        use &= ~rows["outcome"].eq("abandoned").fillna(value=False)
    rows = rows[use]
    again = (rows["reopens"] > 0).to_numpy(dtype=bool).astype(np.float64)
    figures = [of_estimate("reopened", share(again, day_codes(rows["offered_at"])), "share", queue=queue)]
    if "handle_s" in rows and again.any():
        figures.append(_more_work(rows["handle_s"].to_numpy(dtype=float), again > 0, queue))
    if "reopened_at" in rows:
        begin = rows["offered_at"]
        if "first_response_at" in rows:
            begin = rows["first_response_at"].fillna(begin)
        before = (rows["reopened_at"] - begin)[again > 0]
        figures += _delays("reopened_after", before, queue, "from the first reply to the last reopening")
    elif again.any():
        figures.append(Figure(measure="reopened_after", queue=queue, unit="s", note="needs reopened_at"))
    return figures


def _more_work(seconds: Floats, again: npt.NDArray[np.bool_], queue: str) -> Figure:
    """Handling of reopened tickets beyond that of others, relative to it; by the ratio of two means."""
    known = seconds > 0
    back, others = seconds[known & again], seconds[known & ~again]
    if len(back) < 2 or len(others) < 2:
        return Figure(measure="reopened_work", queue=queue, unit="ratio", n=len(back), note="too few handle times")
    one, other = of_ratio(back, np.ones(len(back)), None), of_ratio(others, np.ones(len(others)), None)
    value = one.value / other.value
    far = np.hypot(np.log(one.high / one.value), np.log(other.high / other.value))
    return Figure(
        measure="reopened_work", queue=queue, value=value - 1, low=value * np.exp(-far) - 1,
        high=value * np.exp(far) - 1, unit="ratio", n=len(back),
        note="handle time beyond that of the others; also because longer matters come back",
    )  # fmt: skip


def repeat_figures(log: TicketLog, queue: str, *, days: float, since: pd.Timestamp) -> list[Figure]:
    """Share of conversations whose customer was back within so many days, and after how long.

    Parameters
    ----------
    log : TicketLog
    queue : str
        Whose conversations; coming back to any queue counts.
    days : float
        From one conversation's beginning to the next's, as the KPI has it.
    since : Timestamp
        Conversations from then on.
    """
    frame = log.frame
    if "customer_id" not in frame or not frame["customer_id"].notna().any():
        return [Figure(measure="repeated", queue=queue, unit="share", note="needs customer_id")]
    # Of the last days those who came back are known and those who will are not: they would make it look too many.
    asked = (frame["created_at"] >= since) & (frame["created_at"] + pd.Timedelta(days=days) <= log.end)
    flags = np.where((asked & (frame["queue"] == queue)).to_numpy(dtype=bool), repeated(log, days=days), np.nan)
    known = ~np.isnan(flags)
    # The same few customers come again and again: they are the sample, not their tickets.
    customers = pd.factorize(frame.loc[known, "customer_id"])[0].astype(np.int64)
    figure = of_estimate("repeated", share(flags[known], customers if known.any() else None), "share", queue=queue)
    if figure.n == 0:
        return [replace(figure, note=f"needs more than {days:g} days with customer_id")]
    back = flags == 1
    gap = _next_gap(frame)[back]
    return [replace(figure, note=f"within {days:g} days"), *_delays("repeated_after", gap, queue, "begin to begin")]


def redial_figures(log: TicketLog, queue: str, *, since: pd.Timestamp) -> list[Figure]:
    """Share of those who gave up that try again within an hour, and after how long.

    Parameters
    ----------
    log : TicketLog
    queue : str
        In which they gave up; any queue counts for the next try.
    since : Timestamp
    """
    frame = log.frame
    lacks = [name for name in ("customer_id", "outcome") if name not in frame]
    if lacks:
        return [Figure(measure="redial", queue=queue, unit="share", note=f"needs {' and '.join(lacks)}")]
    gone = (frame["queue"] == queue) & frame["outcome"].eq("abandoned").fillna(value=False)
    gone &= (frame["created_at"] >= since) & (frame["created_at"] + _REDIAL <= log.end) & frame["customer_id"].notna()
    if not gone.any():
        return [Figure(measure="redial", queue=queue, unit="share", note="nobody gave up whose customer_id is known")]
    gap = _next_gap(frame)[gone]
    flags = (gap <= _REDIAL).to_numpy(dtype=bool).astype(np.float64)
    customers = pd.factorize(frame.loc[gone, "customer_id"])[0].astype(np.int64)
    figure = of_estimate("redial", share(flags, customers), "share", queue=queue, note="again within an hour")
    return [figure, *_delays("redial_after", gap[gap <= _REDIAL], queue, "of those within an hour, begin to begin")]


def _next_gap(frame: pd.DataFrame) -> pd.Series:
    """Time to the same customer's next conversation; empty where there is none."""
    rows = frame.loc[frame["customer_id"].notna(), ["customer_id", "created_at"]]
    rows = rows.sort_values(["customer_id", "created_at"], kind="stable")
    same = (rows["customer_id"] == rows["customer_id"].shift(-1)).fillna(value=False)
    return (rows["created_at"].shift(-1) - rows["created_at"]).where(same).reindex(frame.index)


def _delays(measure: str, gaps: pd.Series, queue: str, note: str) -> list[Figure]:
    """Mean and quantiles of delays."""
    seconds = np.sort(gaps.dropna().dt.total_seconds().to_numpy(dtype=float))
    if not len(seconds):
        return []
    figures = [of_estimate(measure, of_ratio(seconds, np.ones(len(seconds)), None), "s", queue=queue, note=note)]
    return [
        *figures,
        *(of_estimate(measure, quantile(seconds, q), "s", queue=queue, at=f"p{100 * q:.0f}") for q in _QUANTILES),
    ]
