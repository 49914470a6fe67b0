"""Handle times to come, by time of day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from staffcast.forecast.past.days import Floats, Grid, weekday
from staffcast.forecast.ratios.model import RatioModel

__all__ = ["HandleTimes", "learn_handle_times"]

_RECENT_DAYS = 182


class HandleTimes(NamedTuple):
    """Expected handle times of one queue, and how unsure they are."""

    model: RatioModel | None

    def at(self, grid: Grid) -> tuple[Floats, float]:
        """Mean handle time of each interval in seconds, and its relative standard deviation on average.

        NaN where the log has none.
        """
        if self.model is None:
            return np.full(len(grid.ds), np.nan), 0.0
        mean, cv = self.model.expect(weekday(grid.dates)[grid.day], grid.slot)
        return mean, float(np.mean(cv))

    @property
    def note(self) -> str:
        """What was found, for people; empty if nothing."""
        return "" if self.model is None else self.model.note


def learn_handle_times(queues: Mapping[str, tuple[pd.DataFrame, Grid]]) -> dict[str, HandleTimes]:
    """Learn each queue's course of handle times over the day from its last half year.

    Parameters
    ----------
    queues : mapping of queue to (rows, Grid)
        Rows of the series with ``y`` and, where known, ``aht_s``; and where they lie.

    Returns
    -------
    dict of queue to HandleTimes
        A queue with few tickets leans on the course of the others as far as it is like them: the length of a ticket
        is its own.
    """
    alone = {queue: _fit(rows, grid, ()) for queue, (rows, grid) in queues.items()}
    if len(queues) < 2:
        return {queue: HandleTimes(model) for queue, model in alone.items()}
    found = {}
    for queue, (rows, grid) in queues.items():
        others = [m for other, m in alone.items() if other != queue and m is not None]
        found[queue] = HandleTimes(_fit(rows, grid, others) if others else alone[queue])
    return found


def _fit(rows: pd.DataFrame, grid: Grid, siblings: list[RatioModel] | tuple[()]) -> RatioModel | None:
    if "aht_s" not in rows:
        return None
    aht, y = rows["aht_s"].to_numpy(dtype=float), rows["y"].to_numpy(dtype=float)
    known = (y > 0) & (aht > 0)
    if not known.any():
        return None
    weight = np.where(known, y, np.where(np.isnan(y), np.nan, 0.0))
    recent = slice(max(len(grid.dates) - _RECENT_DAYS, 0), None)
    if not known[grid.day >= len(grid.dates) - _RECENT_DAYS].any():
        recent = slice(0, None)
    return RatioModel.fit(
        grid.table(np.where(known, aht * y, 0.0) * (weight * 0 + 1))[recent], grid.table(weight)[recent],
        weekday=weekday(grid.dates)[recent], age_days=(grid.dates[-1] - grid.dates).astype(float)[recent],
        siblings=list(siblings),
    )  # fmt: skip
