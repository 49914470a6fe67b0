"""A series table cut into its queues."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.forecast.past.days import Floats

__all__ = ["Queue", "cut"]


class Queue(NamedTuple):
    """One queue of a series.

    Attributes
    ----------
    name : str
    rows : DataFrame
        Its part of the table.
    ds : DatetimeIndex, shape (n,)
    y : ndarray, shape (n,)
        Arrivals; NaN where not known.
    others : ndarray, shape (n,), or None
        Arrivals of all other queues at these instants, NaN where none is known; None without others.
    """

    name: str
    rows: pd.DataFrame
    ds: pd.DatetimeIndex
    y: Floats
    others: Floats | None


def cut(series: pd.DataFrame) -> list[Queue]:
    """Cut a checked series, sorted by queue and instant, into its queues.

    Examples
    --------
    >>> ds = pd.date_range("2026-03-02", periods=2, freq="h", tz="UTC")
    >>> series = pd.DataFrame({"unique_id": ["a", "a", "b", "b"], "ds": [*ds, *ds], "y": [1.0, 2, 3, float("nan")]})
    >>> [(queue.name, queue.y.tolist(), queue.others.tolist()) for queue in cut(series)]
    [('a', [1.0, 2.0], [3.0, 0.0]), ('b', [3.0, nan], [1.0, 2.0])]
    """
    # Sorted names need not be looked at one by one, which would take longer than a fit.
    names, edges = series["unique_id"].array, [0]
    while edges[-1] < len(names):
        edges.append(bisect_right(names, names[edges[-1]], lo=edges[-1]))
    parts = [slice(*edge) for edge in pairwise(edges)]
    ds, y = pd.DatetimeIndex(series["ds"]), series["y"].to_numpy(dtype=float)
    together = _together(ds.asi8, y, parts) if len(parts) > 1 else None
    return [
        Queue(
            name=str(names[part.start]), rows=series.iloc[part], ds=ds[part], y=y[part],
            others=None if together is None else together[part] - np.nan_to_num(y[part]),
        )
        for part in parts
    ]  # fmt: skip


def _together(instants: npt.NDArray[np.int64], y: Floats, parts: list[slice]) -> Floats:
    """Arrivals of all queues at the instant of each row; NaN where none is known."""
    first = instants[parts[0]]
    if all(np.array_equal(instants[part], first) for part in parts[1:]):
        table = y.reshape(len(parts), -1)
        unknown = np.isnan(table)
        total = np.where(unknown, 0.0, table).sum(axis=0)
        total[unknown.all(axis=0)] = np.nan
        return np.tile(total, len(parts))
    _, at = np.unique(instants, return_inverse=True)
    known = ~np.isnan(y)
    total = np.bincount(at[known], y[known], minlength=at.max() + 1)
    total[np.bincount(at[known], minlength=at.max() + 1) == 0] = np.nan
    return np.asarray(total[at])
