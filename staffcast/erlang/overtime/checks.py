"""Arguments over intervals at the door: rates, one value per interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value
from staffcast.erlang._checks import FloatArray, at_least_zero

__all__ = ["per_interval", "rates_per_second"]


def rates_per_second(arrivals_per_hour: npt.ArrayLike) -> FloatArray:
    """Rates over (intervals, pieces of an interval).

    Raises
    ------
    InputError
        A rate below 0, NaN or infinite, or an array that is neither over intervals nor over intervals and pieces.
    """
    rates = at_least_zero("arrivals_per_hour", arrivals_per_hour, " per hour", "give 0 where nothing comes")
    if rates.ndim not in (1, 2) or rates.size == 0:
        raise bad_value(
            "arrivals_per_hour", f"shape {rates.shape}", "of shape (intervals,) or (intervals, pieces)",
            "give one rate per interval",
        )  # fmt: skip
    return rates.reshape(len(rates), -1) / 3600


def per_interval(parameter: str, values: FloatArray, count: int) -> FloatArray:
    """One value per interval, from one for all or one for each.

    Raises
    ------
    InputError
        Neither one value nor one per interval.
    """
    if values.ndim > 1 or values.size not in (1, count):
        raise bad_value(parameter, f"shape {values.shape}", f"one value or one per interval ({count})")
    return np.array(np.broadcast_to(values.ravel(), (count,)))
