"""The course of a day per weekday, each leaning on the weekdays that look like it as far as its tickets are few."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from staffcast.forecast.past.days import Floats, Ints

__all__ = ["by_weekday", "day_shares", "weekday_profile"]

# Tickets that likeness is worth: with so many of its own, a weekday's profile is half its own.
_WORTH = 2000.0
# The same for the queues beside it.
_WORTH_OF_OTHERS = 600.0
# Squared Hellinger distance, beyond chance, at which the weight of another weekday has fallen by e.
_WIDTH = 0.01
_LEAST = 1e-12
_REPEATS = 3
_WEEK = np.arange(7)[:, None]

Flags = npt.NDArray[np.bool_]


def weekday_profile(rates: Floats, weekday: Ints, weight: Floats, others: Floats | None = None) -> Floats:
    """Expected tickets per weekday and slot, up to the level, from discounted days.

    Parameters
    ----------
    rates : ndarray, shape (days, slots)
        Tickets per interval; NaN where not known.
    weekday : ndarray of int, shape (days,)
    weight : ndarray, shape (days,)
        0 for a day that says nothing of usual days.
    others : ndarray, shape (days, slots), optional
        The same for the queues beside it: a small queue borrows from them as far as it looks like them.

    Returns
    -------
    ndarray, shape (7, slots)
        Share of the day's tickets in each slot; rows sum to 1.

    Notes
    -----
    The distance between two weekdays is Hellinger's, less what counting noise of their sizes makes of equal shapes; a
    shape is mixed with the mean of the like ones in proportion to the tickets behind each, as the posterior mean of a
    Dirichlet prior is. The noise is measured: a series that repeats itself exactly keeps its weekdays as they are.
    """
    own, size = _shapes(rates, weekday, weight)
    mixed, size = _leaning(own, size, own, size, _WORTH)
    if others is not None:
        mixed, _ = _leaning(mixed, size, *_shapes(others, weekday, weight), _WORTH_OF_OTHERS)
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))


def _leaning(own: Floats, size: Floats, shapes: Floats, sizes: Floats, worth: float) -> tuple[Floats, Floats]:
    """Shapes mixed with others as far as these are like them, and the tickets behind the mixture."""
    away = 1 - np.sqrt(own) @ np.sqrt(shapes).T
    chance = (own.shape[1] - 1) / 8 * (1 / np.maximum(size, 1) + 1 / np.maximum(sizes.T, 1))
    like = np.exp(-np.maximum(away - chance, 0.0) / _WIDTH) * sizes.T
    if shapes is own:
        np.fill_diagonal(like, 0.0)
    behind = like.sum(axis=1, keepdims=True)
    pool = np.divide(like @ shapes, behind, out=own.copy(), where=behind > 0)
    lean = np.minimum(behind, worth)
    mixed = np.divide(size * own + lean * pool, size + lean, out=own.copy(), where=size + lean > 0)
    return mixed, size + lean


def _shapes(rates: Floats, weekday: Ints, weight: Floats) -> tuple[Floats, Floats]:
    """Shape of each weekday, shape (7, slots), and the tickets behind it as of a Poisson count, shape (7, 1)."""
    slots = rates.shape[1]
    known = ~np.isnan(rates)
    whole = bool(known.all())
    filled = np.ascontiguousarray(rates) if whole else np.where(known, rates, 0.0)
    on = weekday == _WEEK
    belongs = on * weight
    days = belongs.sum(axis=1, keepdims=True)
    if whole and (days > 0).all():
        mean = belongs @ filled / days
        around = mean.sum(axis=0) / 7
    else:
        mean, around = _means(belongs, filled, known)
    total = mean.sum(axis=1, keepdims=True)
    flat = np.full(slots, 1 / slots)
    all_of_it = around.sum()
    own = np.where(total > 0, mean / np.maximum(total, _LEAST), around / all_of_it if all_of_it > 0 else flat)
    noise = max(_noise(filled, None if whole else known, mean, on, weekday, weight), _LEAST)
    return own, np.asarray(days * total / noise)


def _means(belongs: Floats, filled: Floats, known: Flags) -> tuple[Floats, Floats]:
    """Tickets per weekday and slot, shape (7, slots), and per slot on all of them, where not every day is known."""
    seen = belongs @ known.astype(float)
    mean = np.divide(belongs @ filled, seen, out=np.full(seen.shape, np.nan), where=seen > 0)
    # A slot never seen on a weekday takes its mean at the weekday's level, a weekday never seen that of all.
    around = np.nan_to_num(_mean_of_known(mean))
    there = seen > 0
    usual = (there * around).sum(axis=1, keepdims=True)
    level = np.divide(
        np.where(there, mean, 0.0).sum(axis=1, keepdims=True), usual, out=np.ones((7, 1)), where=usual > 0
    )
    return np.where(there, mean, around * level), around


def day_shares(rates: Floats, profile: Floats, weekday: Ints) -> tuple[Floats, Floats]:
    """Tickets of each whole day, and which share of it was seen; both shape (days,).

    A day seen in part is scaled up by what its weekday usually has in that part; 0 where nothing was seen.
    """
    total = np.asarray(rates.sum(axis=1))
    if not np.isnan(total).any():
        return total, np.ones(len(total))
    known = ~np.isnan(rates)
    total = np.where(known, rates, 0.0).sum(axis=1)
    share = np.where(known, profile[weekday], 0.0).sum(axis=1)
    return np.divide(total, share, out=np.zeros(len(total)), where=share > 0), share


def by_weekday(values: Floats, weight: Floats, of_week: Ints) -> Floats:
    """Weighted mean per weekday; a weekday never seen takes that of all, and where nothing was seen it is 1."""
    seen = np.bincount(of_week, weight, 7)
    total = np.bincount(of_week, weight * values, 7)
    mean = float(total.sum() / seen.sum()) if seen.any() else 1.0
    return np.asarray(np.divide(total, seen, out=np.full(7, mean), where=seen > 0))


def _mean_of_known(table: Floats) -> Floats:
    known = ~np.isnan(table)
    return np.asarray(np.where(known, table, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _noise(filled: Floats, known: Flags | None, mean: Floats, on: Flags, weekday: Ints, weight: Floats) -> float:
    """Variance of a count around its weekday's profile at its own day's level, ÷ its mean: 1 for Poisson counts.

    ``known`` is None where all is known; ``on``, shape (7, days), says which days are of which weekday. With f the
    counts of a day, F their sum, m its weekday's means over what is known and L = F ÷ Σm its level,
    Σ(f − L·m)² ÷ (L·m) = Σ(f² ÷ m) ÷ L − F: squares are summed by weekday first.
    """
    total = filled @ np.ones(filled.shape[1])
    there = mean > 0
    if known is None:
        usual, used = mean.sum(axis=1)[weekday], there.sum(axis=1)[weekday]
    else:
        day = np.arange(len(filled))
        usual, used = ((known @ each.T.astype(float))[day, weekday] for each in (mean, there))
    some = (total > 0) & (usual > _LEAST)
    by_level = np.divide(weight * usual, total, out=np.zeros(len(total)), where=some)
    squares = (on * by_level) @ (filled * filled)
    squares = np.divide(squares, mean, out=np.zeros_like(mean), where=there)
    spread = float(squares.sum() - weight @ (total * some))
    # Each weekday's means and each day's level are fitted too.
    days = np.bincount(weekday, weight > 0, 7).astype(float)
    slots = filled.shape[1] if known is None else known.sum() / max(len(weight), 1)
    left = np.maximum(1 - 1 / np.maximum(days, 1) - 1 / max(slots, 2.0), 0.05)[weekday]
    noise = max(spread, 0.0) / max(float((weight * left * some) @ used), _LEAST)
    # Where hardly a weekday was seen twice, nothing can be said of noise: counts have at least Poisson's.
    return max(noise, 1.0) if np.maximum(days - 1, 0).sum() < _REPEATS else noise
