"""What every number handed to a simulation must be."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value

__all__ = ["FloatArray", "IntArray", "edges", "frozen", "means", "numbers", "paths"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def frozen(values: FloatArray) -> FloatArray:
    """The array, not to be written to."""
    values.setflags(write=False)
    return values


def numbers(
    parameter: str, values: npt.ArrayLike, *, low: float = -math.inf, legal: str = "finite numbers"
) -> FloatArray:
    """Finite numbers of at least ``low``, as an array not to be written to."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise bad_value(parameter, values, legal) from None
    wrong = ~np.isfinite(array) | (array < low)
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), array.shape)
        where = f"at {', '.join(str(int(i)) for i in place)}" if array.ndim else "in its place"
        raise bad_value(parameter, float(array[place]), legal, f"mend the value {where}, {int(wrong.sum())} in all")
    return frozen(array)


def edges(edges_s: npt.ArrayLike) -> FloatArray:
    """Interval edges, increasing."""
    found = numbers("edges_s", edges_s)
    if found.ndim != 1 or len(found) < 2:
        raise bad_value("edges_s", f"shape {found.shape}", "at least two edges, shape (n + 1,)")
    steps = np.diff(found)
    if (steps <= 0).any():
        i = int(np.argmax(steps <= 0))
        raise bad_value("edges_s", (float(found[i]), float(found[i + 1])), "increasing", "sort them and drop doubles")
    return found


def paths(parameter: str, values: npt.ArrayLike, n: int) -> FloatArray:
    """One row per path, one number ≥ 0 per interval."""
    array = numbers(parameter, values, low=0.0, legal="numbers ≥ 0")
    shaped = array.reshape(1, -1) if array.ndim == 1 else array
    if shaped.ndim != 2 or shaped.shape[1] != n or len(shaped) == 0:
        raise bad_value(
            parameter, f"shape {array.shape}", f"of shape ({n},) or (paths, {n})", "give one number per interval"
        )
    return shaped


def means(mean_s: npt.ArrayLike, parameter: str = "mean_s", *, scalar: bool = False) -> FloatArray:
    """Mean durations > 0, one or one per interval."""
    legal = "a number of seconds > 0" if scalar else "a number of seconds > 0, or one per interval"
    mean = numbers(parameter, mean_s, low=math.ulp(0.0), legal=legal)
    if mean.ndim > (0 if scalar else 1):
        raise bad_value(parameter, f"shape {mean.shape}", legal)
    return mean
