"""The smallest whole number, or the exact real one, at which a falling figure meets its limit; arrays at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from staffcast.erlang._checks import FloatArray

__all__ = ["crossing", "smallest"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Gap = Callable[[FloatArray, IntArray], FloatArray]
"""``gap(numbers, at)`` for the elements ``at``: at most 0 where the rule is met, falling in the number."""

_FLOOR = 1e-9  # a slope is never taken flatter than this


def smallest(gap: Gap, wanted: BoolArray, too_few: IntArray, start: IntArray, slope: FloatArray) -> IntArray:
    """Smallest whole number per element at which ``gap`` is at most 0; 0 where not ``wanted``.

    It ends only with a number that meets and its predecessor that does not. Between, it follows the secant of the two
    ends, and where that is slow it halves.

    Parameters
    ----------
    gap : callable
        The figure against its limit; in logarithms it is nearly a straight line.
    wanted : array of bool, shape (n,)
        Where to search.
    too_few : array of int, shape (n,)
        Numbers known not to meet.
    start : array of int, shape (n,)
        Where to begin.
    slope : array, shape (n,)
        How much ``gap`` falls per unit, roughly; only for the first steps.
    """
    below, above = too_few.copy(), np.full_like(too_few, -1)
    low_gap, high_gap = np.full(len(below), np.inf), np.full(len(below), -np.inf)
    guess = np.maximum(start, too_few + 1)
    fall = np.maximum(slope, _FLOOR)

    def learn(which: IntArray, number: IntArray, found: FloatArray) -> None:
        enough = found <= 0
        up, down = which[~enough], which[enough]
        above[down], high_gap[down] = number[enough], found[enough]
        below[up], low_gap[up] = number[~enough], found[~enough]

    at = np.flatnonzero(wanted).astype(np.int64)
    # The first guess is mostly right: ask for it and for one fewer in one call, which also tells the slope.
    pair = at[guess[at] - 1 > below[at]]
    found = gap(np.concatenate([guess[at], guess[pair] - 1]).astype(np.float64), np.concatenate([at, pair]))
    learn(pair, guess[pair] - 1, found[at.size :])
    first = above[at] < 0
    learn(at[first], guess[at[first]], found[: at.size][first])
    turn = 1
    while True:
        at = at[above[at] - below[at] != 1]
        if not at.size:
            return np.where(wanted, above, 0)
        low, high, worse, better = below[at], above[at], low_gap[at], high_gap[at]
        open_above = high < 0
        between = ~open_above & np.isfinite(worse) & np.isfinite(better)
        # Not yet between two numbers: a step by the slope, with a margin that grows so that it gets there.
        step = np.where(open_above, worse, -better) / fall[at]
        step = np.where(np.isfinite(step), step, 0.0) * 1.1
        reach = np.ceil(np.clip(step, 1.0, 1e9)).astype(np.int64) if turn < 3 else np.int64(2) ** min(turn, 40)
        walk = np.where(open_above, low + reach, np.maximum(high - reach, low + 1))
        share = np.divide(worse, worse - better, out=np.full(len(at), 0.5), where=between)
        if turn % 3 == 0:
            share = np.full(len(at), 0.5)
        secant = low + np.ceil(share * (high - low)).astype(np.int64)
        guess[at] = np.where(
            between, np.clip(secant, low + 1, high - 1), np.where(open_above, walk, np.clip(walk, low + 1, high - 1))
        )
        learn(at, guess[at], gap(guess[at].astype(np.float64), at))
        turn += 1


def crossing(gap: Gap, low: FloatArray, high: FloatArray, *, rising: bool = False) -> FloatArray:
    """Real number in [low, high] per element at which ``gap`` reaches 0, to about 1e-13 relative.

    ``gap`` falls (or, ``rising``, rises) and changes its sign between the ends; where it does not, the end at which it
    is met comes back, the lower one if it is met at both. The result is on the side that meets.
    """
    bad, good = (high.copy(), low.copy()) if rising else (low.copy(), high.copy())
    at = np.arange(len(low), dtype=np.int64)
    met = gap(bad, at) <= 0
    good[met] = bad[met]
    bad_gap = np.where(met, 1.0, gap(bad, at))
    good_gap = np.minimum(gap(good, at), 0.0)
    for turn in range(100):
        at = np.flatnonzero(np.abs(good - bad) > 1e-13 * np.maximum(np.abs(good), np.abs(bad))).astype(np.int64)
        if not at.size:
            break
        a, b, fa, fb = bad[at], good[at], bad_gap[at], good_gap[at]
        usable = np.isfinite(fa) & np.isfinite(fb) & (fa > fb)
        share = np.divide(fa, fa - fb, out=np.full(len(at), 0.5), where=usable)
        if turn % 3 == 2:
            share = np.full(len(at), 0.5)
        # A hair inside the interval, so that both ends move.
        trial = a + np.clip(share, 1e-3 if turn % 3 == 0 else 1e-6, 1 - 1e-6) * (b - a)
        found = gap(trial, at)
        meets = found <= 0
        good[at[meets]], good_gap[at[meets]] = trial[meets], found[meets]
        bad[at[~meets]], bad_gap[at[~meets]] = trial[~meets], found[~meets]
    return good
