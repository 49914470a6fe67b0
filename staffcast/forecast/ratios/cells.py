"""Level, shape of the day and noise of a ratio of sums: algebra on a day × slot matrix, in units of the level."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from staffcast.forecast.models.base import Floats

__all__ = ["Found", "Noise", "learn"]

Ints = npt.NDArray[np.int64]

_SHAPE_HALF_LIFE_DAYS = 182.0
# What a shape may be before anything is known: standard deviations (relative to the level; for a share, to the
# standard deviation of one ticket) and over about how many slots neighbours resemble each other. Most ratios have a
# flat day and equal weekdays, and a shape that is not there costs more than a weak one overlooked: hence the odds.
_DAY_SD, _DAY_REACH, _P_FLAT = (0.02, 0.06, 0.15, 0.4), (2.0, 8.0), 0.9
_WEEKDAY_SD, _P_SAME_LEVEL = (0.03, 0.1), 0.95
_CELL_SD, _CELL_REACH, _P_SAME_SHAPE = (0.05, 0.15), 3.0, 0.97
# With a shape of the siblings at hand: as flat as ever, just that shape, or that with something of one's own.
_P_ALIKE, _ALIKE_SD = 0.5, (0.0, 0.03)
# What an interval, a day and four weeks usually have of their own.
_USUAL_VARIANCE = 0.025**2
_VAGUE_SD = 1.0
_UNSEEN_VARIANCE = 1e6
_NEGLIGIBLE = 1e-4
_FAR_SD, _FEWEST_DAYS = 10.0, 3
_LEADS = 4
_LEAST = 0.05
_EXACT = 1e-9


class Noise(NamedTuple):
    """Variances in units of the level: one ticket's, and what intervals and days have of their own."""

    ticket: float
    interval: float
    day: float


class Found(NamedTuple):
    """Deviations from the level: of each cell (7, slots), of the level as of now, and what else was learnt."""

    mean: Floats
    variance: Floats
    shift: float
    shift_variance: float
    noise: Noise
    tickets: Floats
    profile: Floats
    p_shape: float
    p_weekday: float


def learn(
    excess: Floats,
    w: Floats,
    *,
    day: Ints,
    age: Floats,
    half_life: float,
    ticket: float | None,
    product: bool,
    spread_of: Callable[[Floats], Floats],
    siblings: Floats | None = None,
) -> Found:
    """Learn what ``excess ÷ w`` is like.

    Parameters
    ----------
    excess, w : ndarray, shape (days, slots)
        Total less level × tickets, in units of the level; tickets.
    day, age : ndarray, shape (days,)
        Weekday and age in days.
    half_life : float
        Of the level. [days]
    ticket : float or None
        Variance of one ticket, where it is known.
    product : bool
        Level × (1 + shape) rather than level + shape.
    spread_of : callable
        Variance of one ticket where the shape has a given value, relative to where it is 0.
    siblings : ndarray, shape (slots,), optional
        Shape of the day of like queues.
    """
    week = np.floor(age / 7).astype(np.int64)
    week -= week.min()
    shape, single = np.zeros((7, w.shape[1])), np.ones((7, w.shape[1]))
    noise = _noise(excess, w, single[day], week, ticket)
    weight = 0.5 ** (age / _SHAPE_HALF_LIFE_DAYS)
    # Before a shape is known, far off is what is far from most days of that slot: where equal tickets take exactly
    # equal times, everything is far from the level.
    expected = w * _slot_medians(excess, w)
    for _ in range(2):
        # One ticket left open over the week-end must not bend the day: intervals far off count as just far off.
        reach = _FAR_SD * np.sqrt(noise.ticket * single[day] * w + (noise.interval + noise.day) * w**2)
        excess = expected + np.clip(excess - expected, -reach, reach)
        shape, shape_variance, p_shape, p_weekday = _shapes(*_cells(excess, w, single, day, noise, weight), siblings)
        single = spread_of(shape)
        expected = w * shape[day]
        noise = _noise(excess - expected, w, single[day], week, ticket)
    around, exposure = excess - expected, w * (1 + shape[day]) if product else w
    shift, shift_variance = _discounted(around, exposure, noise, 0.5 ** (age / half_life))
    shift_variance += _drift(around, exposure, week, noise, 0.5 ** (7 / half_life))
    grown = 1 + shift if product else 1.0
    tickets = _by(day, w, 7)
    whole = tickets.sum(axis=0)
    profile = np.where(whole > 0, (tickets * shape).sum(axis=0) / np.where(whole > 0, whole, 1), shape.mean(axis=0))
    return Found(
        mean=shift + grown * shape,
        variance=shift_variance + noise.day + noise.interval + grown**2 * shape_variance,
        shift=shift, shift_variance=shift_variance, noise=noise, tickets=tickets, profile=profile,
        p_shape=p_shape, p_weekday=p_weekday,
    )  # fmt: skip


def _by(group: Ints, values: Floats, groups: int) -> Floats:
    """Sums of the rows of ``values`` over groups of days."""
    return np.asarray((np.arange(groups)[:, None] == group) @ values, dtype=float)


def _slot_medians(excess: Floats, w: Floats) -> Floats:
    """Median of ``excess ÷ w`` in each slot, its days counted by their tickets; 0 with fewer than three of them."""
    r = np.divide(excess, w, out=np.zeros(w.shape), where=w > 0)
    order = np.argsort(r, axis=0)
    tickets = np.cumsum(np.take_along_axis(w, order, axis=0), axis=0)
    half = (tickets >= tickets[-1] / 2).argmax(axis=0)
    median = np.take_along_axis(r, np.take_along_axis(order, half[None], axis=0), axis=0)[0]
    return np.where((w > 0).sum(axis=0) >= _FEWEST_DAYS, median, 0.0)


def _noise(excess: Floats, w: Floats, single: Floats, week: Ints, ticket: float | None) -> Noise:
    """Split the spread of ``excess`` (shape taken off) by the method of moments.

    E[eᵢ²] = ticket·singleᵢ·wᵢ + (interval + day + week)·wᵢ², E[eᵢeⱼ] = (day + week)·wᵢwⱼ within a day and week·wᵢwⱼ
    within a week. The first is read from the scatter around each slot's own mean, where the shape of the day has no
    part.
    """
    sums, squares = w.sum(axis=0), (w**2).sum(axis=0)
    safe = np.where(sums > 0, sums, 1.0)
    scatter = excess - w * excess.sum(axis=0) / safe
    free = single * w * (1 - w / safe)
    at = free > 1e-9 * w
    x = (w**2 * (1 - 2 * w / safe + squares / safe**2))[at] / free[at]
    z = scatter[at] ** 2 / free[at]
    if not at.any():  # a single day: nothing to compare
        return Noise(ticket or 1.0, _USUAL_VARIANCE, _USUAL_VARIANCE)
    known, ticket = ticket, ticket or max(float(z.mean()), _EXACT)
    total, likely, error = 0.0, 0.0, math.inf
    for _ in range(3):
        g = (1 + likely / ticket * x) ** -2.0
        lever = g * x if known else g * (x - (g * x).sum() / g.sum())
        power = float((lever * x).sum())
        if power <= _EXACT * float((g * x**2).sum()):
            break
        total = float((lever * (z - (known or 0.0))).sum()) / power
        rest = z - total * x
        error = math.sqrt(float((lever**2 * (rest - (known or (g * rest).sum() / g.sum())) ** 2).sum())) / power
        # With intervals of nearly the same size the line has no slope to speak of; all is then the tickets' noise.
        likely = _shrunk(total, error)
        ticket = known or max(float((g * (z - likely * x)).sum() / g.sum()), _LEAST * float(z.mean()), _EXACT)
    days, own, own_w = w.sum(axis=1), float((excess**2).sum()), float((w**2).sum())
    by_day, by_day_w = float((excess.sum(axis=1) ** 2).sum()), float((days**2).sum())
    weeks = int(week.max()) + 1
    by_week, by_week_w = (float((_by(week, one, weeks) ** 2).sum()) for one in (excess.sum(axis=1), days))
    within_day = _over(by_day - own, by_day_w - own_w)
    within_week = _over(by_week - by_day, by_week_w - by_day_w)
    day_error = ticket * math.sqrt(2 * by_day_w) / (by_day_w - own_w) if by_day_w > own_w * (1 + 1e-9) else math.inf
    interval = _shrunk(total - max(within_day, 0.0), error)
    return Noise(ticket, interval, _shrunk(within_day - max(within_week, 0.0), day_error))


def _over(above: float, below: float) -> float:
    return above / below if below > 0 else 0.0


def _shrunk(variance: float, error: float) -> float:
    """A variance v between its estimate and what is usual, by t = estimate ÷ standard error.

    With s = 1 ÷ (1 + t⁻⁴): s·estimate + (1 − s)·usual·error ÷ (error + usual). A history that speaks plainly is
    believed, be it of much or of nothing; one that cannot tell leaves what is usual.
    """
    if not math.isfinite(error):
        return _USUAL_VARIANCE
    plain = 1 / (1 + (error / variance) ** 4) if variance > 0 else 0.0
    return plain * variance + (1 - plain) * _USUAL_VARIANCE * error / (error + _USUAL_VARIANCE)


def _discounted(excess: Floats, w: Floats, noise: Noise, weight: Floats) -> tuple[float, float]:
    """Weighted mean of ``excess ÷ w`` and its sampling variance."""
    days = w.sum(axis=1)
    whole = float(weight @ days)
    spread = weight**2 @ (noise.ticket * days + noise.interval * (w**2).sum(axis=1) + noise.day * days**2)
    return float(weight @ excess.sum(axis=1)) / whole, float(spread) / whole**2


def _drift(excess: Floats, w: Floats, week: Ints, noise: Noise, keep: float) -> float:
    """How much more a discounted level missed the next four weeks than noise explains, as a variance."""
    days = w.sum(axis=1)
    spread = noise.ticket * days + noise.interval * (w**2).sum(axis=1) + noise.day * days**2
    weeks = int(week.max()) + 1
    sums = [_by(week, values, weeks) for values in (excess.sum(axis=1), days, spread)]
    gap = np.arange(weeks)[None, :] - np.arange(weeks)[:, None]
    leads = np.arange(1, _LEADS + 1)[:, None, None]
    past = np.where(gap >= leads, keep ** np.maximum(gap - leads, 0), 0.0)
    known = past @ sums[1]
    usable = (known > 0) & (sums[1] > 0)
    if not usable[0].any():
        return _USUAL_VARIANCE
    known, seen = np.where(usable, known, 1.0), np.where(usable, sums[1], 1.0)
    miss = sums[0] / seen - (past @ sums[0]) / known
    chance = sums[2] / seen**2 + (past**2 @ sums[2]) / known**2
    variance = 0.0
    for _ in range(3):
        g = np.where(usable, 1 / (chance + max(variance, 0.0)) ** 2, 0.0)
        variance = float((g * (miss**2 - chance)).sum() / g.sum())
    total = float((g * (chance + max(variance, 0.0))).sum() / g.sum())
    return _shrunk(variance, total * math.sqrt(2 / int(usable[0].sum())))


def _cells(
    excess: Floats, w: Floats, single: Floats, day: Ints, noise: Noise, weight: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Weighted tickets, means and their noise variance per cell (7, slots), and the noise a weekday shares (7,)."""
    tickets = _by(day, weight[:, None] * w, 7)
    seen = tickets > 0
    safe = np.where(seen, tickets, 1.0)
    mean = np.where(seen, _by(day, weight[:, None] * excess, 7) / safe, 0.0)
    own = _by(day, weight[:, None] ** 2 * (noise.ticket * single[day] * w + noise.interval * w**2), 7)
    variance = np.where(seen, own / safe**2, _UNSEEN_VARIANCE)
    whole = tickets.sum(axis=1)
    shared = noise.day * _by(day, weight**2 * w.sum(axis=1) ** 2, 7) / np.where(whole > 0, whole, 1.0) ** 2
    return tickets, mean, variance, shared


def _candidates(slots: int, siblings: Floats | None) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Priors of the day's shape (probability, mean, covariance) and of a weekday's own (probability, covariance)."""
    near = np.abs(np.subtract.outer(np.arange(slots), np.arange(slots)))
    one = np.ones((slots, slots))
    flat = _P_FLAT if siblings is None else _P_FLAT * (1 - _P_ALIKE)
    day_p, day_k, day_mean = [flat], [0 * one], [np.zeros(slots)]
    for sd in _DAY_SD:
        for far in _DAY_REACH:
            day_p.append((1 - _P_FLAT) / len(_DAY_SD) / len(_DAY_REACH))
            day_k.append(sd**2 * np.exp(-near / far))
            day_mean.append(np.zeros(slots))
    if siblings is not None:
        for sd in _ALIKE_SD:
            day_p.append(_P_FLAT * _P_ALIKE / len(_ALIKE_SD))
            day_k.append(sd**2 * np.exp(-near / _DAY_REACH[-1]))
            day_mean.append(siblings)
    level = [(_P_SAME_LEVEL, 0.0)] + [((1 - _P_SAME_LEVEL) / len(_WEEKDAY_SD), sd) for sd in _WEEKDAY_SD]
    cell = [(_P_SAME_SHAPE, 0.0)] + [((1 - _P_SAME_SHAPE) / len(_CELL_SD), sd) for sd in _CELL_SD]
    own_p = [p * q for p, _ in level for q, _ in cell]
    own_k = [sd**2 * one + u**2 * np.exp(-near / _CELL_REACH) for _, sd in level for _, u in cell]
    return (
        np.array(day_p), np.array(day_mean), _VAGUE_SD**2 * one + np.array(day_k), np.array(own_p), np.array(own_k)
    )  # fmt: skip


def _shapes(
    tickets: Floats, r: Floats, variance: Floats, shared: Floats, siblings: Floats | None
) -> tuple[Floats, Floats, float, float]:
    """Posterior of the cells' deviations from their ticket-weighted mean, averaged over the sizes they may have.

    With m = c + a + b_d (c vague, a ~ N(u, K_a) common, b_d ~ N(0, K_d) of weekday d) and cell means r = m + noise of
    covariance N_d, let V_d = K_d + N_d, Λ = Σ V_d⁻¹, h = Σ V_d⁻¹ (r_d − u). Then a has posterior covariance
    A = (K_a⁻¹ + Λ)⁻¹ and mean u + A h; given a, b_d has mean K_d V_d⁻¹ (r_d − a) and covariance K_d − K_d V_d⁻¹ K_d.

    Returns
    -------
    mean, variance : ndarray, shape (7, slots)
    p_shape, p_weekday : float
        Posterior probability that the day has a shape, and that the weekdays differ.
    """
    slots = r.shape[1]
    day_p, u, day_k, own_p, own_k = _candidates(slots, siblings)
    v = own_k[:, None] + shared[:, None, None] + variance[:, :, None] * np.eye(slots)
    inverse = np.linalg.inv(v)
    by_day = (inverse @ r[:, :, None])[..., 0]
    information, pull = inverse.sum(axis=1), by_day.sum(axis=1)
    told = u @ information
    h = (pull[:, None] - told).swapaxes(0, 1)[..., None]
    off = (r * by_day).sum(axis=(1, 2)) - 2 * u @ pull.T + (told * u).sum(axis=2).T
    m = np.eye(slots) + day_k[:, None] @ information
    # A h with A = (K⁻¹ + Λ)⁻¹ = (I + K Λ)⁻¹ K, which needs no inverse of K.
    update = np.linalg.solve(m, day_k[:, None] @ h)
    common = u[:, None] + update[..., 0]
    size = np.linalg.slogdet(v)[1].sum(axis=1) + np.linalg.slogdet(m)[1]
    score = np.log(day_p[:, None] * own_p) - 0.5 * (size + off - (h * update).sum(axis=(2, 3)))
    p = np.exp(score - score.max())
    p /= p.sum()

    share = tickets / tickets.sum()
    mean, square = np.zeros_like(r), np.zeros_like(r)
    kept = p > _NEGLIGIBLE
    for i, j in np.argwhere(kept):
        a_cov = np.linalg.solve(m[i, j], day_k[i])
        gain = own_k[j] @ inverse[j]
        rest = own_k[j] - gain @ own_k[j]
        left = np.eye(slots) - gain
        cell = common[i, j] + (gain @ (r - common[i, j])[:, :, None])[..., 0]
        average = np.einsum("dst,ds->t", left, share)
        with_average = left @ (a_cov @ average) + (rest @ share[:, :, None])[..., 0]
        spread = ((left @ a_cov) * left).sum(axis=2) + np.einsum("dss->ds", rest)
        contrast = cell - (share * cell).sum()
        mean += p[i, j] * contrast
        square += p[i, j] * (
            np.maximum(spread - 2 * with_average + (share * with_average).sum(), 0.0) + contrast**2
        )  # fmt: skip
    mean, square = mean / p[kept].sum(), square / p[kept].sum()
    return mean, np.maximum(square - mean**2, 0.0), float(1 - p[0].sum()), float(1 - p[:, 0].sum())
