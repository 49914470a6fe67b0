"""Patience of a log's queues."""

from __future__ import annotations

import numpy as np
import pandas as pd

from staffcast.contracts import Calendar, format_duration, interval_grid
from staffcast.tickets import TicketLog, open_waits
from staffcast.utilization.measured.figures import ENOUGH, Figure, day_codes, of_estimate
from staffcast.utilization.measured.patience import exponential_patience, hazard_check, weibull_patience

__all__ = ["patience_figures"]

_MINUTES = 15


def patience_figures(log: TicketLog, queue: str, calendar: Calendar, *, since: pd.Timestamp) -> list[Figure]:
    """Patience of one queue: exponential, Weibull, and whether the rate of giving up is constant.

    Parameters
    ----------
    log : TicketLog
    queue : str
    calendar : Calendar
        Waits count while it is open, up to closing; who comes while it is closed has no part.
    since : Timestamp
        Tickets that sought a person from then on.

    Returns
    -------
    list of Figure
        ``patience`` [s] (``n`` = who gave up), ``patience_shape`` and ``patience_scale`` of the Weibull,
        its mean ``patience_weibull``, and ``gives_up_per_hour`` of waiting by time waited (``at``: ``"0 s to 12 s"``).
    """
    frame = log.frame
    rows = frame[(frame["queue"] == queue) & (frame["offered_at"] >= since) & (frame["offered_at"] < log.end)]
    plain = Figure(measure="patience", queue=queue, unit="s")
    if "outcome" not in frame or not {"wait_s", "resolved_at"} & set(frame):
        lacks = [] if "outcome" in frame else ["outcome (abandoned)"]
        lacks += [] if {"wait_s", "resolved_at"} & set(frame) else ["wait_s or resolved_at"]
        return [Figure(measure="patience", queue=queue, unit="s", note=f"needs {' and '.join(lacks)}")]
    if rows.empty:
        return [plain]
    grid = interval_grid(rows["offered_at"].min(), log.end + pd.Timedelta(minutes=1), _MINUTES, calendar.zone)
    seconds, gone = open_waits(rows, grid, calendar.is_open(grid), _MINUTES, end=log.end)
    known = ~np.isnan(seconds)
    waited, gone, days = seconds[known], gone[known], day_codes(rows["offered_at"])[known]
    if not gone.any():
        note = "nobody gave up at a known time: needs the outcome abandoned with resolved_at or wait_s"
        return [Figure(measure="patience", queue=queue, unit="s", note=note)]
    left = float(np.mean(waited[gone]))
    note = f"those who left had waited {format_duration(left)} on average; {len(waited):,} waits in all"
    figures = [of_estimate("patience", exponential_patience(waited, gone, days), "s", queue=queue, note=note)]
    weibull = weibull_patience(waited, gone)
    if weibull is not None and gone.sum() >= ENOUGH:
        told = "differs from 1" if weibull.p_exponential < 0.01 else "1 (exponential) fits as well"
        figures += [
            of_estimate("patience_shape", weibull.shape, "ratio", queue=queue, note=told),
            of_estimate("patience_scale", weibull.scale, "s", queue=queue),
            Figure(
                measure="patience_weibull", queue=queue, unit="s", value=weibull.mean_s, n=int(gone.sum()),
                note="mean of the Weibull; where few wait as long, it is a guess",
            ),
        ]  # fmt: skip
    check = hazard_check(waited, gone)
    if check is not None:
        flat = "differs with the time waited" if check.p_constant < 0.01 else "constant, as far as can be told"
        flat += f"; Kaplan–Meier and exponential differ by up to {100 * check.farthest:.1f} points"
        spans = zip(check.edges_s[:-1], check.edges_s[1:], strict=True)
        figures += [
            Figure(
                measure="gives_up_per_hour", queue=queue, at=f"{format_duration(low)} to {format_duration(high)}",
                unit="ratio", value=3600 * check.hazard[k], low=3600 * check.low[k], high=3600 * check.high[k],
                n=int(check.gone[k]), note=flat if k == 0 else "", least=10,
            )
            for k, (low, high) in enumerate(spans)
        ]  # fmt: skip
    return figures
