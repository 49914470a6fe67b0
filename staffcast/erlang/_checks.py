"""Arguments at the door: arrays of finite numbers in their range, or an error that says which value was not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value

__all__ = [
    "FloatArray",
    "above_zero",
    "at_least_zero",
    "flags",
    "number",
    "patience",
    "share",
    "share_of_all",
    "together",
    "whole",
]

FloatArray = npt.NDArray[np.float64]


def at_least_zero(parameter: str, values: npt.ArrayLike, unit: str = "", fix: str | None = None) -> FloatArray:
    """Float array of ``values``, all finite and ≥ 0.

    Raises
    ------
    InputError
        Not numbers, or one of them negative, NaN or infinite; the first such is named.
    """
    legal = f"finite and at least 0{unit}"
    numbers = _numbers(parameter, values, legal)
    _refuse(parameter, numbers, ~((numbers >= 0) & (numbers < np.inf)), legal, fix)
    return numbers


def above_zero(parameter: str, values: npt.ArrayLike, unit: str = "") -> FloatArray:
    """Float array of ``values``, all finite and > 0.

    Raises
    ------
    InputError
        Not numbers, or one of them ≤ 0, NaN or infinite; the first such is named.
    """
    legal = f"finite and above 0{unit}"
    numbers = _numbers(parameter, values, legal)
    _refuse(parameter, numbers, ~((numbers > 0) & (numbers < np.inf)), legal, "fill it in, also where nothing comes")
    return numbers


def share(parameter: str, values: npt.ArrayLike) -> FloatArray:
    """Float array of ``values``, all in [0, 1).

    Raises
    ------
    InputError
        Not numbers, or one of them outside; 80 is answered with 0.8.
    """
    legal = "a share in [0, 1)"
    numbers = _numbers(parameter, values, legal)
    wrong = ~((numbers >= 0) & (numbers < 1))
    if wrong.any():
        first = float(numbers[wrong][0])
        fix = f"write {first:g} % as {first / 100:g}" if 1 < first < 100 else "write 80 % as 0.8"
        raise bad_value(parameter, first, legal, fix)
    return numbers


def share_of_all(parameter: str, values: npt.ArrayLike) -> FloatArray:
    """Float array of ``values``, all in [0, 1].

    Raises
    ------
    InputError
        Not numbers, or one of them outside.
    """
    legal = "a share in [0, 1]"
    numbers = _numbers(parameter, values, legal)
    wrong = ~((numbers >= 0) & (numbers <= 1))
    first = float(numbers[wrong][0]) if wrong.any() else 0.0
    _refuse(parameter, numbers, wrong, legal, f"write {first:g} % as {first / 100:g}" if 1 < first <= 100 else None)
    return numbers


def patience(parameter: str, values: npt.ArrayLike) -> FloatArray:
    """Float array of ``values``, all ≥ 0; infinite where nobody gives up.

    Raises
    ------
    InputError
        Not numbers, or one of them negative or NaN.
    """
    legal = "at least 0 s, or inf where nobody gives up"
    numbers = _numbers(parameter, values, legal)
    _refuse(parameter, numbers, ~(numbers >= 0), legal, "0 is: gives up unless answered at once")
    return numbers


def whole(parameter: str, values: npt.ArrayLike) -> FloatArray:
    """Float array of ``values``, all whole numbers ≥ 0.

    Raises
    ------
    InputError
        Not numbers, or one of them negative, broken, NaN or infinite.
    """
    legal = "a whole number of at least 0"
    numbers = _numbers(parameter, values, legal)
    good = (numbers >= 0) & (numbers < np.inf)
    _refuse(parameter, numbers, ~good | (np.floor(numbers) != numbers), legal, "people come one by one: round it up")
    return numbers


def flags(parameter: str, values: npt.ArrayLike, count: int) -> npt.NDArray[np.bool_]:
    """One yes or no per interval, from one for all or one for each; 0 and 1 will do.

    Raises
    ------
    InputError
        Anything else, or neither one value nor one per interval.
    """
    given = np.asarray(values)
    legal = f"one value or one for each of the {count} intervals"
    if given.size != 1 and given.shape != (count,):
        raise bad_value(parameter, f"shape {given.shape}", legal)
    if given.dtype != np.bool_:
        numbers = _numbers(parameter, values, "true or false, or 1 or 0")
        wrong = (numbers != 0) & (numbers != 1)
        _refuse(parameter, numbers, wrong, "true or false, or 1 or 0", "open is 1, closed is 0")
    return np.array(np.broadcast_to(given.astype(np.bool_).ravel(), (count,)))


def number(parameter: str, value: FloatArray) -> float:
    """One number; an array of one counts as that.

    Raises
    ------
    InputError
        Several numbers.
    """
    if value.size != 1:
        raise bad_value(parameter, f"shape {value.shape}", "one number", "it holds for all intervals")
    return float(value.ravel()[0])


def together(**arrays: FloatArray) -> list[FloatArray]:
    """The arrays broadcast to one shape, in their order.

    Raises
    ------
    InputError
        Their shapes do not fit each other.
    """
    try:
        return list(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        shapes = ", ".join(f"`{name}` {array.shape}" for name, array in arrays.items() if array.ndim)
        raise bad_value(
            next(iter(arrays)), shapes, "of a shape that fits the others", "give one value or one per interval"
        ) from None


def _numbers(parameter: str, values: npt.ArrayLike, legal: str) -> FloatArray:
    try:
        given = np.asarray(values)
        text = given.dtype.kind in "US" or (given.dtype.kind == "O" and any(isinstance(v, str) for v in given.flat))
        numbers = None if text else np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise bad_value(parameter, values, legal) from None
    if numbers is None:  # numpy would read "90" as 90, and "6m" not
        raise bad_value(parameter, values, legal, "give a number instead of text")
    return numbers


def _refuse(parameter: str, numbers: FloatArray, wrong: npt.NDArray[np.bool_], legal: str, fix: str | None) -> None:
    if wrong.any():
        raise bad_value(parameter, float(numbers[wrong][0]), legal, fix)
