"""What the bot takes: the share it closes by class and topic, how long it holds the rest, and what that takes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from staffcast.utilization.contacts import deflected
from staffcast.utilization.estimate import quantile, share
from staffcast.utilization.measured.figures import Figure, day_codes, of_estimate, of_ratio

__all__ = ["CLASSES", "deflection_figures"]

CLASSES = ("priority", "topic", "bot_option", "channel")
_MOST_CLASSES = 30


def deflection_figures(rows: pd.DataFrame, queue: str) -> list[Figure]:
    """Share of conversations that the bot closes, hand-over time, and the handle time of what it leaves.

    Parameters
    ----------
    rows : DataFrame
        One queue's conversations, whether they sought a person or not.
    queue : str

    Returns
    -------
    list of Figure
        ``bot_closes`` (with ``at`` = ``"priority 2"``, ``"topic refund"`` …), ``bot_handover`` [s] and ``bot_harder``:
        mean handle time of tickets that met the bot ÷ that of tickets that did not.
    """
    flags = deflected(rows)
    known = ~np.isnan(flags)
    if not (flags == 1).any():
        return [Figure(
            measure="bot_closes", queue=queue, unit="share",
            note="no conversation closed by the bot: needs outcome bot_closed, or an empty offered_at with resolved_at",
        )]  # fmt: skip
    days = day_codes(rows["created_at"])
    figures = [of_estimate("bot_closes", share(flags[known], days[known]), "share", queue=queue)]
    for column in (name for name in CLASSES if name in rows):
        classes = rows[column].where(known).dropna()
        if not 2 <= classes.nunique() <= _MOST_CLASSES:
            continue
        for each in sorted(classes.unique()):
            here = known & rows[column].eq(each).fillna(value=False).to_numpy(dtype=bool)
            found = share(flags[here], days[here])
            figures.append(of_estimate("bot_closes", found, "share", queue=queue, at=f"{column} {each}"))
    return [*figures, *_handover(rows, queue), _harder(rows, queue)]


def _handover(rows: pd.DataFrame, queue: str) -> list[Figure]:
    seconds = (rows["offered_at"] - rows["created_at"]).dt.total_seconds()
    use = seconds >= 0
    if not (seconds[use] > 0).any():
        note = "needs offered_at (the bot's hand-over) apart from created_at"
        return [Figure(measure="bot_handover", queue=queue, unit="s", note=note)]
    values, days = np.asarray(seconds[use], dtype=np.float64), day_codes(rows.loc[use, "created_at"])
    order = np.argsort(values, kind="stable")
    return [
        of_estimate("bot_handover", of_ratio(values, np.ones(len(values)), days), "s", queue=queue),
        of_estimate("bot_handover", quantile(values[order], 0.5, days[order]), "s", queue=queue, at="median"),
    ]


def _harder(rows: pd.DataFrame, queue: str) -> Figure:
    """Handle time of tickets that met the bot against those that did not, in the same queue."""
    met = pd.Series(data=False, index=rows.index)
    for name in ("bot_first_response_at", "bot_option"):
        if name in rows:
            met |= rows[name].notna()
    if "handle_s" not in rows:
        return Figure(measure="bot_harder", queue=queue, unit="ratio", note="needs handle_s")
    handled = rows["offered_at"].notna() & (rows["handle_s"] > 0)
    seconds = rows["handle_s"].to_numpy(dtype=float)
    ours, others = seconds[handled & met], seconds[handled & ~met]
    if len(ours) < 2 or len(others) < 2:
        note = "needs tickets that met the bot (bot_first_response_at or bot_option) and some that did not"
        return Figure(measure="bot_harder", queue=queue, unit="ratio", n=min(len(ours), len(others)), note=note)
    one, other = of_ratio(ours, np.ones(len(ours)), None), of_ratio(others, np.ones(len(others)), None)
    far = np.hypot(np.log(one.high / one.value), np.log(other.high / other.value))
    value = one.value / other.value
    return Figure(
        measure="bot_harder", queue=queue, unit="ratio",
        value=value, low=value * np.exp(-far), high=value * np.exp(far), n=min(len(ours), len(others)),
        note="with the bot ÷ without; the two may have differed anyway",
    )  # fmt: skip
