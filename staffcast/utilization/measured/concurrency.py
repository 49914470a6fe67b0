"""Conversations that agents really hold at once, and how long one lasts with 1, 2, … in hand.

A conversation goes on at a pace that depends on how many its agent holds: with j in hand it needs aht_j seconds from
start to end, aht_1 ÷ aht_j of the pace that it has alone. So with E_ij the seconds that conversation i spent while
its agent held j, Σ_j E_ij ÷ aht_j is 1 on average, however the work on conversations is spread, and whatever was in
hand when it began has no part in how much work it is. From these moments, one for each number in hand at the
beginning, follow aht_1 … aht_k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from staffcast.utilization.estimate import Estimate, spread

__all__ = ["InHand", "Stretches", "aht_by_level", "in_hand", "rising"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_WORST_CONDITION = 1e8


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretches:
    """Conversations of agents, as stretches of time.

    Attributes
    ----------
    agent : ndarray of int, shape (n,)
    begin, end : ndarray, shape (n,)
        Seconds on any common clock; ``end`` ≥ ``begin``.
    ended : ndarray of bool, shape (n,)
        False: still in hand at ``end``.
    """

    agent: Ints
    begin: Floats
    end: Floats
    ended: Flags


@dataclass(frozen=True, kw_only=True, eq=False)
class InHand:
    """How many conversations agents had in hand.

    Attributes
    ----------
    exposure_s : ndarray, shape (n, most)
        Seconds that each conversation spent while its agent held 1, 2, … of them.
    at_begin : ndarray of int, shape (n,)
        In hand just after it began, itself counted.
    busy_s : ndarray, shape (most,)
        Seconds of agents with 1, 2, … in hand.
    """

    exposure_s: Floats
    at_begin: Ints
    busy_s: Floats

    @property
    def shares(self) -> Floats:
        """Shares of the time with 1, 2, … in hand, in the time with any."""
        return np.asarray(self.busy_s / self.busy_s.sum())

    @property
    def mean(self) -> float:
        """Mean number in hand while there is any."""
        return float(self.shares @ np.arange(1, len(self.busy_s) + 1))


def in_hand(stretches: Stretches, *, most: int) -> InHand:
    """Follow each agent's conversations.

    Parameters
    ----------
    stretches : Stretches
    most : int
        Largest number told apart; more count as so many.
    """
    n = len(stretches.begin)
    who = np.concatenate([stretches.agent, stretches.agent])
    when = np.concatenate([stretches.begin, stretches.end])
    begins = np.concatenate([np.ones(n, dtype=bool), np.zeros(n, dtype=bool)])
    # One that lasts no time begins before it ends; else who ends at an instant makes room for who begins then.
    none = np.concatenate([stretches.end == stretches.begin] * 2)
    turn = np.where(none, np.where(begins, 1, 2), np.where(begins, 3, 0))
    order = np.lexsort((turn, when, who))
    who, when = who[order], when[order]
    level = np.cumsum(np.where(begins[order], 1, -1))  # back at 0 after each agent's last
    gap = np.zeros(2 * n)
    gap[:-1] = np.where(who[1:] == who[:-1], np.diff(when), 0.0)
    place = np.empty(2 * n, dtype=np.int64)
    place[order] = np.arange(2 * n)
    capped = np.minimum(level, most)
    exposure, busy = np.zeros((n, most)), np.zeros(most)
    for j in range(1, most + 1):
        held = np.where(capped == j, gap, 0.0)
        before = np.concatenate([[0.0], np.cumsum(held)])
        exposure[:, j - 1] = before[place[n:]] - before[place[:n]]
        busy[j - 1] = before[-1]
    return InHand(exposure_s=exposure, at_begin=capped[place[:n]].astype(np.int64), busy_s=busy)


def aht_by_level(exposure_s: Floats, at_begin: Ints, ended: Flags, units: Ints | None) -> list[Estimate]:
    """Mean time of a conversation with 1 … k in hand.

    Parameters
    ----------
    exposure_s : ndarray, shape (n, k)
        As in :class:`InHand`.
    at_begin : ndarray of int, shape (n,)
        In 1 … k.
    ended : ndarray of bool, shape (n,)
        Conversations still in hand count with the time so far: that is exact for exponential work, and hardly matters
        for others.
    units : ndarray of int, shape (n,), or None
        Which conversations go together.

    Returns
    -------
    list of k Estimate
        ``n`` counts the conversations that began with so many in hand. All NaN where the moments do not tell the
        levels apart.

    Notes
    -----
    With z_i the indicator of ``at_begin``, Σ_i z_i (Σ_j E_ij r_j − ended_i) = 0 is solved for r_j = 1 ÷ aht_j; the
    covariance is the sandwich J⁻¹ S J⁻ᵀ, J = Σ z_i E_iᵀ [1]_. Ends ÷ exposure at each level, the maximum-likelihood
    estimate for exponential work, is more exact for such work and biased for other: a conversation that is nearly done
    ends soon, whatever else is in hand.

    References
    ----------
    .. [1] L. P. Hansen, "Large sample properties of generalized method of moments estimators", Econometrica 50 (1982)
       1029–1054. doi:10.2307/1912775.
    """
    k = exposure_s.shape[1]
    starts = np.bincount(at_begin - 1, minlength=k)
    matrix = np.array([exposure_s[at_begin == j].sum(axis=0) for j in range(1, k + 1)])
    if (starts == 0).any() or np.linalg.cond(matrix) > _WORST_CONDITION:
        return [Estimate(value=np.nan, n=int(count)) for count in starts]
    done = np.bincount(at_begin[ended] - 1, minlength=k).astype(float)
    inverse = np.linalg.inv(matrix)
    rate = inverse @ done
    residual = exposure_s @ rate - ended
    found = []
    for j in range(k):
        if rate[j] <= 0:
            found.append(Estimate(value=np.nan, n=int(starts[j])))
            continue
        error = spread(inverse[j, at_begin - 1] * residual, units)
        far = error.critical * error.se / rate[j]
        value = float(1 / rate[j])
        with np.errstate(over="ignore"):
            found.append(Estimate(
                value=value, low=value * float(np.exp(-far)), high=value * float(np.exp(far)), n=int(starts[j]),
                how=f"by {error.unit}",
            ))  # fmt: skip
    return found


def rising(values: Floats, weights: Floats) -> Floats:
    """Nearest values that do not fall, by pooling neighbours that do.

    References
    ----------
    .. [1] R. E. Barlow, D. J. Bartholomew, J. M. Bremner, H. D. Brunk, "Statistical inference under order
       restrictions", 1972 (pool adjacent violators).

    Examples
    --------
    >>> rising(np.array([600.0, 500.0, 900.0]), np.array([1.0, 1.0, 1.0])).tolist()
    [550.0, 550.0, 900.0]
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        block = (float(value), float(weight), 1)
        while blocks and blocks[-1][0] > block[0]:
            v, w, count = blocks.pop()
            block = ((v * w + block[0] * block[1]) / (w + block[1]), w + block[1], count + block[2])
        blocks.append(block)
    return np.concatenate([np.full(count, v) for v, _, count in blocks])
