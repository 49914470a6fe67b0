"""Which clock a duration runs on: the calendar's, or the opening hours'."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, interval_grid

__all__ = ["open_seconds"]

_GRID_MINUTES = 15


def open_seconds(start: pd.Series, end: pd.Series, calendar: Calendar) -> npt.NDArray[np.float64]:
    """Opening time between two instants, in seconds.

    Parameters
    ----------
    start, end : Series of aware instants, shape (n,)
        Empty ones give NaN.
    calendar : Calendar
        Opening hours on a grid of 15 minutes.

    Returns
    -------
    ndarray, shape (n,)
        What "first response time in business hours" counts: nights and closed days pass without time.

    Examples
    --------
    >>> hours = Calendar.parse("UTC", {"mon-fri": "09:00-17:00"})
    >>> friday = pd.Series(pd.to_datetime(["2026-03-06T16:30Z"]))
    >>> monday = pd.Series(pd.to_datetime(["2026-03-09T09:10Z"]))
    >>> open_seconds(friday, monday, hours).tolist()
    [2400.0]
    """
    known = (start.notna() & end.notna()).to_numpy()
    out = np.full(len(start), np.nan)
    if not known.any():
        return out
    if calendar.always_open:
        out[known] = (end - start).dt.total_seconds().to_numpy()[known]
        return out
    first, last = start[known].min(), end[known].max()
    # A little later than the last, for the grid between a midnight and itself has no interval.
    latest = max(first, last) + pd.Timedelta(minutes=1)
    grid = interval_grid(min(first, last), latest, _GRID_MINUTES, calendar.zone)
    edges = grid.append(pd.DatetimeIndex([grid[-1] + pd.Timedelta(minutes=_GRID_MINUTES)]))
    elapsed = np.concatenate([[0.0], np.cumsum(calendar.is_open(grid) * _GRID_MINUTES * 60.0)])
    at = _epoch_s(pd.DatetimeIndex(edges))
    begin, finish = _epoch_s(pd.DatetimeIndex(start[known])), _epoch_s(pd.DatetimeIndex(end[known]))
    out[known] = np.interp(finish, at, elapsed) - np.interp(begin, at, elapsed)
    return out


def _epoch_s(instants: pd.DatetimeIndex) -> npt.NDArray[np.float64]:
    return np.asarray(
        instants.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ms]").astype(float) / 1e3
    )
