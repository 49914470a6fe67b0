"""Many random numbers of one key at once, the i-th of them always the same, however many are asked for.

The numbers of :mod:`staffcast.simulation.chance`, so a ticket's number is a hash of a key and its place. Nothing here
but sums, products, shifts and a division, and no branch: so the machine works on eight tickets at a time, and on whole
arrays, where nothing is compiled, every operation rounds as it does one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staffcast.simulation.chance import child
from staffcast.simulation.compiled import COMPILED, inlined, kept

__all__ = ["exponentials", "kinds", "log", "times_within"]

from staffcast.simulation.checks import FloatArray, IntArray

_S12, _S52 = np.uint64(12), np.int64(52)
_UNIT = 2.0**-52
_INSIDE = 1 - 1e-9  # an instant must not be rounded up to the next edge, where another rate holds
# The bits of √½, and of where the exponent stands.
_SPLIT, _EXPONENT = np.int64(0x3FE6A09E667F3BCD), np.int64(-1 << 52)
_LN2_HIGH = 0.6931471803691238  # 32 bits of it: times a whole number it is exact
_LN2_LOW = 1.9082149292705877e-10


@inlined
def log(number: Any) -> Any:
    """Natural logarithm of a number > 0, or of each in an array, to 2 units in the last place.

    The number is m · 2ᵏ with m from √½ to √2, and log m = 2 artanh s, s = (m − 1) / (m + 1): a series in s² ≤ 0.0295.
    """
    bits = np.float64(number).view(np.int64)
    above = bits - _SPLIT
    k = above >> _S52
    m = np.int64(bits - (above & _EXPONENT)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    rest = 1 / 23 * z + 1 / 21
    rest = rest * z + 1 / 19
    rest = rest * z + 1 / 17
    rest = rest * z + 1 / 15
    rest = rest * z + 1 / 13
    rest = rest * z + 1 / 11
    rest = rest * z + 1 / 9
    rest = rest * z + 1 / 7
    rest = rest * z + 1 / 5
    rest = rest * z + 1 / 3
    high = k * _LN2_HIGH
    return high + (2.0 * s + (2.0 * s * z * rest + k * _LN2_LOW))


@inlined
def _uniform(key: Any, places: Any) -> Any:
    """Uniform in (0, 1)."""
    return ((child(key, places) >> _S12) + 0.5) * _UNIT


@kept
def _fill_exponentials(key: Any, mean: float, out: Any) -> None:
    for i in range(len(out)):
        out[i] = -mean * log(_uniform(key, i))


@kept
def _fill_times(key: Any, counts: Any, edges: Any, out: Any) -> None:
    i = 0
    for k in range(len(counts)):
        low, width = edges[k], (edges[k + 1] - edges[k]) * _INSIDE
        for _ in range(counts[k]):
            out[i] = low + width * _uniform(key, i)
            i += 1


@kept
def _fill_kinds(key: Any, borders: Any, out: Any) -> None:
    for i in range(len(out)):
        number, reached = _uniform(key, i), 0
        for border in borders:
            reached += number >= border
        out[i] = reached


def exponentials(random: np.random.Generator, mean: float, count: int) -> FloatArray:
    """So many numbers, exponential with this mean."""
    key, out = _key(random), np.empty(count)
    if COMPILED:
        _fill_exponentials(key, float(mean), out)
        return out
    with np.errstate(over="ignore"):  # the hash counts modulo 2⁶⁴
        return np.asarray(-float(mean) * log(_uniform(key, np.arange(count))))


def times_within(random: np.random.Generator, counts: IntArray, edges: FloatArray) -> FloatArray:
    """So many instants in each interval, uniform in it, and in no order there."""
    key, edges = _key(random), edges.copy()
    if COMPILED:
        out = np.empty(int(counts.sum()))
        _fill_times(key, counts, edges, out)
        return out
    with np.errstate(over="ignore"):
        number = _uniform(key, np.arange(int(counts.sum())))
    return np.asarray(np.repeat(edges[:-1], counts) + np.repeat(np.diff(edges) * _INSIDE, counts) * number)


def kinds(random: np.random.Generator, borders: FloatArray, count: int) -> IntArray:
    """Classes 0, 1 …: how many of the borders, which ascend in [0, 1], a uniform number reaches."""
    key, out = _key(random), np.zeros(count, np.int64)
    if COMPILED:
        _fill_kinds(key, borders, out)
        return out
    with np.errstate(over="ignore"):
        number = _uniform(key, np.arange(count))
    for border in borders:
        out += number >= border
    return out


def _key(random: np.random.Generator) -> np.uint64:
    return np.uint64(random.bit_generator.random_raw())
