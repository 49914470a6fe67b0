"""The states of an M/M/c/K queue one by one, with patience or without: what ``finite`` adds up.

With i waiting the next to leave does so at rate D + iθ, so P(N = S + i) is P(N = S) times the product of
λ/(D + lθ) over l = 1..i [1]_. A customer who finds i ahead of it and stays is answered after a sum of independent
exponential times with the rates D + lθ, l = 0..i. Its tail is a sum of positive terms,

    P(V > t | i ahead) = Σ_{l=0..i} u_l(t),   u_l = e^(−Dt) · Π_{m=1..l} (D + (m − 1)θ)·τ/m,   τ = (1 − e^(−θt))/θ,

Poisson probabilities for θ = 0 (then τ = t) and negative binomial ones above (order statistics [2]_; the sum is the
regularised incomplete beta function I(D/θ, i + 1) at e^(−θt), by the recurrences of [3]_), without a step between the
two. The customer's own patience multiplies the density at t by e^(−θt), which is the same with D + θ for D, and turns
P(N = S + i) into P(N = S + i + 1)·(D/λ). So the figures here are sums of positive terms, without a subtraction between
large numbers at any load, λ = D included.

Both products rise to one peak and then fall. They are multiplied outwards from there, from 1 and from Loader's
saddle-point value [4]_, so that nothing overflows however long the queue.

References
----------
.. [1] D. Gross, J. F. Shortle, J. M. Thompson, C. M. Harris, "Fundamentals of Queueing Theory", 4th ed., 2008, ch. 2,
   doi:10.1002/9781118625651.
.. [2] H. A. David, H. N. Nagaraja, "Order Statistics", 3rd ed., 2003, doi:10.1002/0471722162.
.. [3] NIST Digital Library of Mathematical Functions, section 8.17(iv), https://dlmf.nist.gov/8.17.iv.
.. [4] C. Loader, "Fast and accurate computation of binomial probabilities", 2000.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from staffcast.erlang._checks import FloatArray

__all__ = ["Rows", "Sums", "time_until"]

IntArray = npt.NDArray[np.intp]
_MANY = 512


class Sums(NamedTuple):
    """Sums over the states, one per element."""

    free: FloatArray  # P(N < S)
    busy: FloatArray  # P(N ≥ S)
    some_waiting: FloatArray  # P(N > S)
    waits: FloatArray  # P(S ≤ N < K)
    full: FloatArray  # P(N = K)
    queue: FloatArray  # mean number waiting


class Rows:
    """Some of the elements, with the probability of every number waiting along axis 1."""

    def __init__(self, given: list[FloatArray], prob: FloatArray, free: FloatArray) -> None:
        self._given, self.prob, self.free = given, prob, free
        self.rate, self.drain, self.theta, self.last = given

    @classmethod
    def of(cls, gate: FloatArray, rate: FloatArray, drain: FloatArray, theta: FloatArray, last: FloatArray) -> Rows:
        """Solve the balance equations."""
        waiting = np.arange(1, int(last.max()) + 1, dtype=np.float64)
        with np.errstate(divide="ignore", over="ignore"):  # next to nobody is answered or gives up: always full
            ratio = rate[:, None] / (drain[:, None] + waiting * theta[:, None])
        shape, _ = _outwards(ratio, last)
        head = np.full_like(gate, np.inf)
        with np.errstate(over="ignore"):  # a gate of next to nothing: nobody ever waits
            np.divide(shape[:, 0], gate, out=head, where=gate > 0)
        total = head + shape.sum(axis=1)
        return cls(
            [rate, drain, theta, last],
            shape / total[:, None],
            np.divide(head, total, out=np.ones_like(head), where=head < np.inf),
        )

    @cached_property
    def _let_in(self) -> FloatArray:
        """P(N = S + i), 0 where an arrival finds no place; i < K − S along axis 1."""
        inside = self.prob[:, :-1].copy()
        short = np.flatnonzero(self.last < inside.shape[1])
        inside[short, self.last[short].astype(np.intp)] = 0.0
        return inside

    @cached_property
    def _quits(self) -> FloatArray:
        """P(finds i ahead and gives up) along axis 1: that is the next of the i + 1 to happen with (i + 1)θ : D."""
        waiting = np.arange(1, self.prob.shape[1], dtype=np.float64)
        with np.errstate(divide="ignore", over="ignore"):
            stays = self.drain[:, None] / (waiting * np.maximum(self.theta, 1e-300)[:, None])
        return np.where(self.theta[:, None] > 0, self._let_in / (1 + stays), 0.0)

    @cached_property
    def _above(self) -> FloatArray:
        """P(N > S + i), along axis 1."""
        return _sum_from(self.prob[:, 1:])

    def sums(self) -> Sums:
        """Sums over the states."""
        waits = self._let_in.sum(axis=1)
        full = self.prob[np.arange(len(self.last)), self.last.astype(np.intp)]
        queue = self.prob @ np.arange(self.prob.shape[1], dtype=np.float64)
        return Sums(self.free, waits + full, self.prob[:, 1:].sum(axis=1), waits, full, queue)

    def answered_wait(self) -> FloatArray:
        """E[W; answered]·λ/D: who finds j − 1 ahead and stays waits Σ 1/(D + lθ) over l = 1..j on average."""
        waiting = np.arange(1, self.prob.shape[1], dtype=np.float64)
        return _dot(self._above, 1 / np.maximum(self.drain[:, None] + waiting * self.theta[:, None], 1e-300))

    def late(self, t: FloatArray) -> FloatArray:
        """P(answered after t)·λ/D."""
        return _dot(_passed(t, self.drain + self.theta, self.theta, self.last - 1), self._above)

    def late_and_fall(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """P(answered after t)·λ/D, and how fast it falls with t."""
        passed = _passed(t, self.drain + self.theta, self.theta, self.last - 1)
        return _dot(passed, self._above), self.rate * _dot(passed, self._let_in)

    def virtually_late(self, t: FloatArray) -> FloatArray:
        """P(let in and V > t)."""
        return _dot(_passed(t, self.drain, self.theta, self.last - 1), _sum_from(self._let_in))

    def gave_up(self, t: FloatArray) -> FloatArray:
        """P(gives up within t): those with V > t and those with V ≤ t, each a sum of positive terms.

        Who finds i ahead gives up before V ≤ t with probability (i + 1)θ/(D + (i + 1)θ) times the sum of u from
        i + 2 on: e^(−θV) has a Beta(D/θ, i + 1) density, and 1 − e^(−θV) makes that one of Beta(D/θ, i + 2).
        """
        short = -np.expm1(-self.theta * t)
        passed = _passed(t, self.drain, self.theta, self.last)
        waits_on = _dot(passed[:, :-1], _sum_from(self._let_in))
        within = _dot(passed[:, 2:], np.cumsum(self._quits, axis=1)[:, :-1])
        past = self._past_the_end(t, short, passed.sum(axis=1))
        return np.asarray(short * waits_on + within + self._quits.sum(axis=1) * past)

    def _past_the_end(self, t: FloatArray, short: FloatArray, to_the_end: FloatArray) -> FloatArray:
        """Sum of u past the last place: 1 − the others, or where that is small the incomplete function itself."""
        result = np.maximum(1 - to_the_end, 0.0)
        small = np.flatnonzero((result < 0.1) & (self.drain > 0) & (self.theta > 0))
        if small.size:
            many, drain, theta = self.last[small] + 1, self.drain[small], self.theta[small]
            # With patience beyond all bounds the two are the same, and only the gamma function has digits left.
            endless = theta < 1e-14 * drain
            shape = drain / np.where(endless, drain, theta)
            result[small] = np.where(
                endless, special.gammainc(many, drain * t[small]), special.betainc(many, shape, short[small])
            )
        result[self.drain == 0] = 0.0
        return result

    def take(self, some: IntArray) -> Rows:
        """Only those rows."""
        width = int(self.last[some].max()) + 1
        return Rows([each[some] for each in self._given], self.prob[some, :width], self.free[some])


def time_until(rows: Rows, limit: FloatArray) -> FloatArray:
    """Solve P(answered after t)·λ/D = limit for t ≥ 0."""
    time = np.zeros(len(limit))
    todo = np.flatnonzero(rows.prob[:, 1:].sum(axis=1) > limit)
    if not todo.size:
        return time
    left, goal = rows.take(todo), limit[todo]
    now = left.answered_wait() / left.prob[:, 1:].sum(axis=1)
    low, high = np.zeros(len(todo)), np.full(len(todo), np.inf)
    # Newton on the logarithm, which is nearly straight or bends down; kept between what is known to be on either side.
    for _ in range(200):
        late, falls = left.late_and_fall(now)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            over = np.log(late / goal)
            step = over * late / falls
        low, high = np.where(over > 0, now, low), np.where(over > 0, high, now)
        there = now + step
        inside = (there > low) & (there < high) & (there < 3 * now)
        there = np.where(inside, there, np.where(high < np.inf, (low + high) / 2, 2 * now))
        met = (np.abs(over) <= 4e-15) | (np.abs(step) <= 1e-15 * now) | (high - low <= 1e-15 * now)
        time[todo] = np.where(met, now, there)
        if met.all():
            break
        keep = np.flatnonzero(~met)
        if keep.size < todo.size:
            left, goal, todo = left.take(keep), goal[keep], todo[keep]
        now, low, high = there[keep], low[keep], high[keep]
    return time


def _dot(one: FloatArray, other: FloatArray) -> FloatArray:
    """Sum of the products along axis 1; by pairs where the roundings of many alike would add up."""
    result: FloatArray = np.einsum("ij,ij->i", one, other) if one.shape[1] <= _MANY else np.sum(one * other, axis=1)
    return result


def _sum_from(terms: FloatArray) -> FloatArray:
    """Sums of each term and all after it, along axis 1; many of them in stretches, as in :func:`_dot`."""
    rows, width = terms.shape
    if width <= _MANY:
        return np.cumsum(terms[:, ::-1], axis=1)[:, ::-1]
    stretch = math.isqrt(width)
    sums = np.zeros((rows, -(-width // stretch), stretch))
    flat = sums.reshape(rows, -1)
    flat[:, :width] = terms[:, ::-1]
    np.cumsum(sums, axis=2, out=sums)
    sums[:, 1:] += np.cumsum(sums[:, :-1, -1], axis=1)[:, :, None]
    return flat[:, :width][:, ::-1]


def _outwards(ratio: FloatArray, last: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Terms 0..last of a series that rises to a peak of 1 and falls after it, and the index of the peak.

    From the ``ratio`` of each to the one before, which may be overwritten; past ``last`` the terms are 0.
    """
    rows, width = ratio.shape
    terms = np.ones((rows, width + 1))
    if width == 0:
        return terms, np.zeros(rows)
    shortest = max(int(last.min()), 0)
    if shortest < width:
        ratio[:, shortest:][np.arange(shortest + 1, width + 1) > last[:, None]] = 0.0
    peak = np.count_nonzero(ratio >= 1, axis=1)
    if peak.min() < width:
        _multiplied(np.minimum(ratio, 1.0), terms[:, 1:])
    highest = int(peak.max())
    if highest:
        back = np.empty((rows, highest))
        _multiplied(1 / np.maximum(ratio[:, :highest], 1.0)[:, ::-1], back)
        terms[:, :highest] *= back[:, ::-1]
    return terms, peak.astype(np.float64)


def _multiplied(ratio: FloatArray, into: FloatArray) -> None:
    """Products of each ratio and all before it, along axis 1; ``ratio`` is overwritten.

    In stretches, so as to end where nothing is left. What is below 1e-300 is dropped on the way: numbers next to the
    least that doubles can hold take a hundred times as long and would stay there for ever, rounded up each time.
    """
    width = ratio.shape[1]
    step = max(64, width // 256)
    for start in range(0, width, step):
        stretch, end = ratio[:, start : start + step], into[:, start : start + step]
        if start:
            stretch[:, 0] *= into[:, start - 1]
        np.cumprod(stretch, axis=1, out=end)
        left = end[:, -1]
        left[left < 1e-300] = 0.0
        if not left.any():
            into[:, start + step :] = 0.0
            return


def _passed(t: FloatArray, drain: FloatArray, theta: FloatArray, last: FloatArray) -> FloatArray:
    """The u_l(t) of the module's docstring for l = 0..last along axis 1, 0 past it."""
    before = np.arange(int(last.max()), dtype=np.float64)
    gone = theta * t
    short = -np.expm1(-gone)
    pace = np.where(gone > 1e-17, short / np.where(gone > 1e-17, theta, 1.0), t)
    ratio = (drain[:, None] + before * theta[:, None]) * pace[:, None]
    ratio /= before + 1
    terms, peak = _outwards(ratio, last)
    terms *= np.exp(_log_passed(peak, drain, theta, t, pace))[:, None]
    return terms[:, : int(last.max()) + 1]


def _log_passed(peak: FloatArray, drain: FloatArray, theta: FloatArray, t: FloatArray, pace: FloatArray) -> FloatArray:
    """Logarithm of u_peak(t) from the saddle point of a binomial probability.

    With a = D/θ, which may be infinite, u_l = a/(a + l) · P(a of a + l trials succeed), each with e^(−θt).
    """
    result = -drain * t
    some = np.flatnonzero(peak > 0)
    if not some.size:
        return result
    many, out, gone = peak[some], drain[some], theta[some] * t[some]
    h = theta[some] / out  # 1/a; at most 1 wherever there is a peak
    more = out * pace[some] - many * np.exp(-gone)  # failures expected of a + l trials less l, without the large a
    spread = np.log1p(many * h)
    successes = _deviance(h, more, out * t[some] - spread / np.where(h > 0, h, 1.0))
    failures = _deviance(1 / many, -more, many * np.log(many / (many + more)))
    stirling = _stirling(h / (1 + many * h)) - _stirling(h) - _stirling(1 / many)
    result[some] = stirling - 0.5 * (spread + np.log(2 * np.pi * many)) - successes - failures
    return result


def _deviance(inverse: FloatArray, gap: FloatArray, far: FloatArray) -> FloatArray:
    """n·ln(n ÷ (n − gap)) − gap at n = 1 ÷ ``inverse``, its first term given as ``far``; 0 at infinity."""
    double = gap / (2 - gap * inverse)  # n·v
    v = double * inverse
    v2 = np.minimum(v * v, 1 / 16)
    series = np.full_like(v, 1 / 29)
    for odd in range(27, 1, -2):  # v2 ≤ 1/16: fourteen terms reach 1e-17
        series = series * v2 + 1 / odd
    return np.where(np.abs(v) > 0.25, far - gap, gap * v + 2 * double * v2 * series)


def _stirling(inverse: FloatArray) -> FloatArray:
    """Logarithm of Γ(n + 1) less that of Stirling's √(2π n)·(n/e)^n at n = 1 ÷ ``inverse``; 0 at infinity."""
    i2 = inverse * inverse
    result = inverse * (1 / 12 - i2 * (1 / 360 - i2 * (1 / 1260 - i2 * (1 / 1680 - i2 * (1 / 1188)))))
    few = inverse > 1 / 16
    n = 1 / inverse[few]
    result[few] = special.gammaln(n + 1) - (n + 0.5) * np.log(n) + n - 0.5 * np.log(2 * np.pi)
    return result
