"""The intervals that a forecast covers, and what already waits for the first of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, bad_value, parse_duration_s

__all__ = ["horizon_grid", "parse_days", "waiting_since_close"]


def parse_days(text: str, *, parameter: str) -> float:
    """Days in a duration such as ``"28d"`` or ``"12h"``.

    Raises
    ------
    InputError
        Not above 0, or more than a year.
    """
    days = parse_duration_s(text, parameter=parameter) / 86400
    if not 0 < days <= 366:
        raise bad_value(parameter, text, "above 0 and at most 366 days")
    return days


def horizon_grid(start: pd.Timestamp, days: float, minutes: int, calendar: Calendar) -> pd.DatetimeIndex:
    """Intervals of ``days`` local days from ``start``: four weeks over a DST change stay four weeks of days."""
    local = start.tz_convert(calendar.zone).tz_localize(None) + pd.Timedelta(days=days)
    stop = local.tz_localize(calendar.zone, ambiguous=True, nonexistent="shift_forward")
    stop = stop.tz_convert(start.tzinfo)
    return pd.date_range(start, stop, freq=f"{minutes}min", inclusive="left", name="ds")


def since_close(y: npt.NDArray[np.float64], opened: npt.NDArray[np.bool_], calendar: Calendar) -> float:
    """Arrivals since the queue last closed, which wait for the first opening to come."""
    if calendar.closed_arrivals == "lost":
        return 0.0
    at = np.flatnonzero(opened)
    return float(np.nansum(y[at[-1] + 1 :])) if len(at) else 0.0


def waiting_since_close(past: pd.DataFrame, calendar: Calendar) -> float:
    """As :func:`since_close`, for a queue's ``ds`` and ``y``."""
    return since_close(past["y"].to_numpy(dtype=float), calendar.is_open(pd.DatetimeIndex(past["ds"])), calendar)
