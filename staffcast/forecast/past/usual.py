"""What is usual in a history of counts: robust expected counts, and how far counts scatter around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Usual", "overdispersion", "surprise", "usual_counts"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# A weekday's shape of the day is that of 13 weeks around it, looked up anew every fourth week.
_WEEKS = 13
_STRIDE_WEEKS = 4
# Half of 21 days must agree before a level counts as one: what lasts more than ten days is no anomaly.
_LEVEL_DAYS = 21
_LEVEL_PRIOR_TICKETS = 4.0
# A slot that never saw a ticket is no proof that none can come.
_PRIOR_TICKETS = 0.25
_ALIVE = 0.1
_CLIP = 3.0
_CLIP_CV2 = 0.05
# Mean of min(z², 9) of a standard normal variable.
_CLIPPED_VARIANCE = 0.98777
_CACHED = 30_000


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What each interval would hold on a day like others.

    Attributes
    ----------
    expected : ndarray, shape (days, slots)
        Tickets; 0 where too few weeks are known to say.
    weeks : ndarray, shape (days, slots)
        Number of known same weekdays and slots that it rests on.
    """

    expected: Floats
    weeks: Floats


def usual_counts(counts: Floats, known: Flags) -> Usual:
    """Robust expected count of each interval: the shape of its weekday in nearby weeks times the level of its days.

    The shape is a clipped mean of 13 weeks around (Huber's estimator in one step from the median: a median alone is 0
    where few tickets come). The level is the weighted median over 21 days of each day's total ÷ its shape's total; it
    follows a step that stays without a delay, and ignores one that is gone after ten days.

    Parameters
    ----------
    counts : ndarray, shape (days, slots)
        Tickets per interval of consecutive days.
    known : ndarray of bool, shape (days, slots)
        Which of them count.

    Returns
    -------
    Usual

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35(1), 1964,
    doi:10.1214/aoms/1177703732. L. Yin et al., "Weighted median filters: a tutorial", IEEE Transactions on Circuits
    and Systems II 43(3), 1996, doi:10.1109/82.486465.

    Examples
    --------
    >>> counts = np.full((56, 24), 6.0)
    >>> counts[20, 9:15] = 0
    >>> usual_counts(counts, np.ones((56, 24), dtype=bool)).expected[20, [0, 9]].round(1).tolist()
    [6.0, 6.0]
    """
    days, slots = counts.shape
    weeks = -(-days // 7)
    tickets = np.where(known, counts, 0.0)
    y, seen = _by_week(tickets, weeks), _by_week(known.astype(float), weeks)
    weekly, window = _windows(weeks)
    number = _window_sums(seen, window)
    mean = _window_sums(y, window) / np.maximum(number, 1.0)
    level = _level(tickets.sum(axis=1), (_by_day(mean[weekly], days, slots) * known).sum(axis=1))
    alive = level >= _ALIVE
    if not alive.all():
        # Weeks in which the queue was not there say nothing of its shape.
        y, seen = (_by_week(np.where(alive[:, None], table, 0.0), weeks) for table in (tickets, known))
        number = _window_sums(seen, window)
    scale = np.repeat(_by_week(level[:, None], weeks), slots, axis=1)
    weight = scale * seen
    total = np.maximum(_window_sums(weight, window), 1e-9)
    near = _clipped(y, scale, _start(y, scale, seen, window, number, total)[weekly])
    near *= seen
    # What an interval held must not excuse it: its own count is taken out of the mean that it is judged by.
    number = number[weekly]
    near_sum, total = _window_sums(near, window)[weekly], total[weekly]
    if (alone := number <= 1).any():
        near[alone], weight[alone] = 0.0, 0.0
    near_sum -= near
    near_sum += _PRIOR_TICKETS
    near_sum *= scale
    total -= weight
    expected = np.divide(near_sum, np.maximum(total, 1e-9, out=total), out=near_sum)
    return Usual(expected=_by_day(expected, days, slots), weeks=_by_day(number, days, slots))


def _start(
    y: Floats, scale: Floats, seen: Floats, window: npt.NDArray[np.int64], number: Floats, total: Floats
) -> Floats:
    """Median of tickets ÷ level in each window, or near it the mean where few tickets come; (windows, 7 · slots)."""
    ratio = np.full(y.T.shape, np.inf)
    np.divide(y.T, scale.T, out=ratio, where=seen.T > 0)
    n = number.T.astype(np.int64)
    low, high = np.maximum(n - 1, 0) // 2, np.minimum(n // 2, window.shape[1] - 1)
    middle = np.empty(n.shape)
    # A part of the slots at a time stays in the processor's cache.
    step = max(_CACHED // window.size, 1)
    for i in range(0, len(ratio), step):
        part = slice(i, i + step)
        ordered = ratio[part][:, window]
        ordered.sort(axis=-1)
        pair = [np.take_along_axis(ordered, at[part][..., None], axis=-1)[..., 0] for at in (low, high)]
        middle[part] = np.where(n[part] > 0, pair[0] + pair[1], 0.0) / 2
    mean = _window_sums(y, window) / total
    return np.where(middle.T >= 3, middle.T, np.minimum(mean, middle.T + 1.5))


def _clipped(y: Floats, scale: Floats, start: Floats) -> Floats:
    """Tickets, those far from ``start`` times their level brought nearer."""
    usual = start * scale
    # In place: fresh arrays would take most of the time. reach = clip · √(usual + cv² · usual²) + 1
    reach = usual * (_CLIP**2 * _CLIP_CV2)
    reach += _CLIP**2
    reach *= usual
    np.sqrt(reach, out=reach)
    reach += 1
    near = usual - reach
    np.maximum(near, y, out=near)
    usual += reach
    return np.minimum(near, usual, out=near)


def _window_sums(table: Floats, window: npt.NDArray[np.int64]) -> Floats:
    total = np.zeros((len(table) + 1, table.shape[1]))
    np.cumsum(table, axis=0, out=total[1:])
    return np.asarray(total[window[:, -1] + 1] - total[window[:, 0]])


def _level(total: Floats, expected: Floats) -> Floats:
    """Running weighted median over the days of total ÷ expected, drawn to 1 where few tickets say so."""
    half = _LEVEL_DAYS // 2
    sure = expected > 0
    ratio = np.divide(total, expected, out=np.ones_like(total), where=sure)
    # The inverse variance of the ratio, with a day's own scatter of some 15 %.
    weight = np.where(sure, expected / (1 + 0.02 * expected), 0.0)
    view = np.lib.stride_tricks.sliding_window_view
    padded = np.zeros((4, len(total) + 2 * half))
    padded[:, half : half + len(total)] = ratio, weight, expected, sure
    ratios, weights, near, seen = view(padded, _LEVEL_DAYS, axis=1)
    row = np.arange(len(total))[:, None]
    order = np.argsort(ratios, axis=1)
    mass = np.cumsum(weights[row, order], axis=1)
    middle = (mass < mass[:, -1:] / 2).sum(axis=1)
    median = ratios[row[:, 0], order[row[:, 0], middle]]
    daily = near.sum(axis=1) / np.maximum(seen.sum(axis=1), 1.0)
    trust = daily / (daily + _LEVEL_PRIOR_TICKETS)
    return np.asarray(np.maximum(1 + (median - 1) * trust, 0.02))


def overdispersion(found: Floats, expected: Floats) -> float:
    """Relative variance of the rate behind counts, robust against a few counts far off.

    Counts of mean m and rate of relative variance φ have variance m + φ·m²; on the square-root scale that is near
    1 + φ·m whatever m (Anscombe 1948, doi:10.1093/biomet/35.3-4.246). φ solves the weighted moment equation with
    squares clipped at three standard deviations.

    Parameters
    ----------
    found, expected : ndarray, shape (n,)
        Counts and their means; means below 2 are left out.

    Returns
    -------
    float
        In [0.002, 1]; 0.02 where fewer than 14 counts can tell.
    """
    large = expected >= 2
    if large.sum() < 14:
        return 0.02
    k, m = found[large], expected[large]
    z2 = 4 * (np.sqrt(k + 0.375) - np.sqrt(m + 0.375)) ** 2
    phi = 0.02
    for _ in range(4):
        variance = 1 + phi * m
        weight = m / variance**2
        excess = np.minimum(z2, 9 * variance) / _CLIPPED_VARIANCE - 1
        phi = min(max(float((weight * excess).sum() / (weight * m).sum()), 0.002), 1.0)
    return phi


def surprise(found: Floats, expected: Floats, phi: Floats, *, upper: bool) -> Floats:
    """Probability of at most (``upper``: at least) so many tickets; negative binomial with variance m + φ·m².

    Parameters
    ----------
    found, expected, phi : ndarray, shape (n,)
    upper : bool

    Examples
    --------
    >>> one = np.array([1.0])
    >>> surprise(0 * one, 3 * one, 0.5 * one, upper=False).round(4).tolist()
    [0.16]
    """
    from scipy.special import betainc

    size = 1 / phi
    if upper:
        tail = betainc(np.maximum(found, 1e-12), size, expected / (size + expected))
        return np.asarray(np.where(found > 0, tail, 1.0))
    return np.asarray(betainc(size, found + 1, size / (size + expected)))


def _windows(weeks: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which window each week looks at, shape (weeks,), and the weeks in each window, shape (windows, weeks in it)."""
    width = min(_WEEKS, weeks)
    centre = np.rint(np.arange(weeks) / _STRIDE_WEEKS).astype(np.int64) * _STRIDE_WEEKS
    start, of_week = np.unique(np.clip(centre - width // 2, 0, weeks - width), return_inverse=True)
    return of_week, start[:, None] + np.arange(width)


def _by_week(table: Floats, weeks: int) -> Floats:
    days, slots = table.shape
    out = np.zeros((weeks * 7, slots))
    out[:days] = table
    return out.reshape(weeks, 7 * slots)


def _by_day(table: Floats, days: int, slots: int) -> Floats:
    return table.reshape(-1, slots)[:days]
