"""The queue part of Erlang A: everybody may wait, and those who wait give up after an exponential patience.

With a = drain ÷ θ and x = rate ÷ θ the number waiting has p_{S+i} ÷ p_S = x^i ÷ ((a + 1)…(a + i)) [1]_. Everything
below comes from the share of the all-busy time in which nobody waits,

    E(a, x) = 1 ÷ Σ_{i ≥ 0} x^i ÷ ((a + 1)…(a + i)) = Poisson probability of a at mean x ÷ P(a, x),

P the regularised lower incomplete gamma function. Of those who find all slots busy

    A(a, x) = (a·E − a + x) ÷ x = 1/(a + 1 − x + 2x/(a + 2 − x + 3x/(…)))

give up, and a virtual wait exceeds t with probability P(a, y) ÷ P(a, x), y = x·e^(−θt) [2]_, [3]_. A wait of t is in
every respect the queue of a rate that has shrunk to y: who is still there gives up with probability A(a, y). This
turns every figure but the mean wait of the answered into a sum of positive terms in closed form.

References
----------
.. [1] C. Palm, "Research on telephone traffic carried by full availability groups", Tele 1, 1957.
.. [2] F. Baccelli, G. Hebuterne, "On queues with impatient customers", Performance '81, North-Holland, 1981,
   pp. 159–179.
.. [3] A. Mandelbaum, S. Zeltyn, "Service engineering in action: the Palm/Erlang-A queue, with applications to call
   centers", Advances in Services Innovations, Springer, 2007, pp. 17–45, doi:10.1007/978-3-540-29860-1_2.
.. [4] NIST Digital Library of Mathematical Functions, chapter 8, https://dlmf.nist.gov/8.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from staffcast.erlang._checks import FloatArray
from staffcast.erlang.models import formulas

__all__ = ["PatientQueue"]

# Patience of so many times between events is for ever; further out a − x drowns in the rounding of a.
_LONGEST = 1e28
# Rates this small against θ: nobody is ever seen waiting.
_NOTHING = 1e-17
# Below this (a − x)/√x the fraction of A takes too many steps, and its closed form cancels little.
_CLOSE = 4.0
# Exponents within this of the peak of an integrand count (e^−40 = 4e-18).
_DEPTH = 40.0

_NODES, _WEIGHTS = (np.asarray(each) / 2 for each in np.polynomial.legendre.leggauss(48))
_NODES = _NODES + 0.5  # on [0, 1]
_FEW_NODES, _FEW_WEIGHTS = (np.asarray(each) / 2 for each in np.polynomial.legendre.leggauss(20))
_FEW_NODES = _FEW_NODES + 0.5


class _Busy(NamedTuple):
    """The time when all slots are busy, seen on its own; flat arrays of one length."""

    drain: FloatArray
    rate: FloatArray
    theta: FloatArray
    a: FloatArray
    x: FloatArray
    spare: FloatArray
    """a − x, exact also where both are huge."""
    empty: FloatArray
    """E(a, x)."""
    gives_up: FloatArray
    """A(a, x)."""
    below: FloatArray
    """P(a, x) where ``over``, else 1."""
    over: npt.NDArray[np.bool_]
    """x > a: more come than are answered."""

    def at(self, where: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> _Busy:
        """Those elements, repeated where an index is."""
        return _Busy._make(each[where] for each in self)


class PatientQueue:
    """Queues side by side in which everybody may wait and everybody who waits may give up (M/M/n+M, Erlang A).

    One of the ``queues.Queue`` family: all figures are shares of the offered or seconds, arrays
    of the length of the arguments, which are checked already. Time is in seconds.

    Parameters
    ----------
    gate : array, shape (n,)
        ψ = P(all slots busy, nobody waits) ÷ P(a slot is free), in [0, inf]; with Erlang B of the head B ÷ (1 − B).
    rate : array, shape (n,)
        Arrivals, ≥ 0. [1/s]
    drain : array, shape (n,)
        Completions while all slots are busy, ≥ 0; 0 without slots: nobody is ever answered. [1/s]
    theta : array, shape (n,)
        1 ÷ mean patience, > 0. [1/s] Inf: who is not answered at once leaves at once, Erlang B.

    Notes
    -----
    Relative error below 1e-13·max(1, cond), :meth:`asa` 3e-13·max(1, cond), where cond = |∂ ln figure ÷ ∂ ln rate| is
    what the rounding of the rate alone does: measured on 110 random queues against quadrature at 32 digits, 1 to
    100,000 agents, load ÷ agents 0.3 to 3, patience 0.001 to 1e6 and t 0 to 20 handle times, shares down to 1e-210.

    Examples
    --------
    50 agents, 48 arrivals a minute of one minute each, patience of two minutes:

    >>> lost = formulas.blocking(np.array([48.0]), np.array([50.0]))
    >>> queue = PatientQueue(lost / (1 - lost), np.array([48 / 60]), np.array([50 / 60]), np.array([1 / 120]))
    >>> queue.abandon.round(3), queue.mean_wait().round(1), queue.missed(np.array([20.0])).round(4)
    (array([0.031]), array([3.7]), array([0.057]))
    """

    def __init__(self, gate: FloatArray, rate: FloatArray, drain: FloatArray, theta: FloatArray) -> None:
        self._none, self._closed = rate <= 0, (rate > 0) & (drain <= 0)
        self._hasty = np.isinf(theta)
        # Without arrivals or slots any chain does: those elements are overwritten.
        arrivals, served = np.where(self._none, 1.0, rate), np.where(drain > 0, drain, np.where(self._none, 1.0, rate))
        leaves = np.maximum(theta, np.maximum(np.maximum(arrivals, served) / _LONGEST, 1e-290))
        self._rate, self._theta = rate, leaves
        self._busy = _busy(arrivals, served, leaves)
        self._idle_odds = np.full_like(gate, np.inf)
        with np.errstate(over="ignore"):  # a gate next to 0 is never all busy
            np.divide(self._busy.empty, gate, out=self._idle_odds, where=(gate > 0) & ~self._none)
        self._idle_odds[self._closed] = 0.0

    @cached_property
    def all_busy(self) -> FloatArray:
        """Share of the offered that find every slot busy."""
        return np.asarray(1 / (1 + self._idle_odds))

    @property
    def wait_prob(self) -> FloatArray:
        """Share of the offered that have to wait, however shortly."""
        return self.all_busy

    @cached_property
    def block(self) -> FloatArray:
        """Share turned away: nobody."""
        return np.zeros_like(self._rate)

    @cached_property
    def abandon(self) -> FloatArray:
        """Share of the offered that give up."""
        return self.all_busy * np.where(self._closed, 1.0, self._busy.gives_up)

    @cached_property
    def _waits_for_answer(self) -> FloatArray:
        """Share of the offered that wait and are answered."""
        return self._of_busy(np.zeros_like(self._rate), served=1)

    @cached_property
    def _answered(self) -> FloatArray:
        """Share of the offered that are answered; not 1 − abandon, which cancels in overload."""
        with np.errstate(divide="ignore", over="ignore"):
            at_once = 1 / (1 + 1 / self._idle_odds)
        return np.where(self._none, 0.0, np.minimum(at_once + self._waits_for_answer, 1.0))

    def missed(self, t: FloatArray) -> FloatArray:
        """Share of the offered that give up at any time or are answered after ``t`` seconds; all where ``t`` < 0."""
        found = np.minimum(self.abandon + self._of_busy(t, served=1), 1.0)
        return np.where((t < 0) & ~self._none, 1.0, found)

    def virtual_tail(self, t: FloatArray) -> FloatArray:
        """Share of the offered that would still wait after ``t`` seconds if nobody gave up; all where ``t`` < 0."""
        found = np.where(self._closed, 1.0, self._of_busy(t, served=0))
        return np.where((t < 0) & ~self._none, 1.0, found)

    def answered_late(self, t: FloatArray) -> FloatArray:
        """Share of the offered that are answered after ``t`` seconds; all answered where ``t`` < 0."""
        found = self._of_busy(t, served=1)
        return np.where(t < 0, self._answered, found) if (t < 0).any() else found

    def gave_up_before(self, t: FloatArray) -> FloatArray:
        """Share of the offered that give up within ``t`` seconds of waiting."""
        busy, lost = self._busy, self.abandon
        soon = _per_patience(t, busy.theta)
        y, spare = _shrunk(busy, soon)
        later = np.exp(-soon) * self._of_busy(t, served=0) * _empty(busy.a, spare, y)[1]
        found = np.maximum(lost - later, 0.0)
        # Where most give up later the difference cancels; patience runs out at θ·e^(−θu) while V > u.
        short = np.flatnonzero((later > 0.5 * lost) & (soon > 0) & ~self._closed & ~self._hasty)
        if short.size:
            grid = np.repeat(short, len(_FEW_NODES)), np.tile(_FEW_NODES, short.size)
            ends = soon[grid[0]] * grid[1]
            still = np.exp(-ends) * _left(busy.at(grid[0]), t[grid[0]] * grid[1], 0)
            found[short] = self.all_busy[short] * soon[short] * (still.reshape(short.size, -1) @ _FEW_WEIGHTS)
        found = np.where(self._hasty, lost, np.where(self._closed, -np.expm1(-soon), found))
        return np.where((t < 0) | self._none, 0.0, np.minimum(found, lost))

    def mean_wait(self) -> FloatArray:
        """Mean wait in seconds of all offered, those who need not wait and those who give up included."""
        # Each of the L waiting leaves at θ: rate·abandon = θ·L, and by Little's law L = rate·(mean wait).
        return np.asarray(self.abandon / self._theta)

    def mean_queue(self) -> FloatArray:
        """Mean number waiting."""
        return np.asarray(self._rate * self.mean_wait())

    def asa(self) -> FloatArray:
        """Mean wait in seconds of the answered, those who need not wait included; inf without slots."""
        wait = np.where(self._closed, np.inf, 0.0)
        some = np.flatnonzero(self._waits_for_answer > 0)
        mean = _mean_of_served(self._busy.at(some)) / self._theta[some]
        wait[some] = self._waits_for_answer[some] / self._answered[some] * mean
        return wait

    def wait_quantile(self, q: FloatArray) -> FloatArray:
        """Shortest time in seconds within which a share ``q`` of the answered has been answered; inf without slots."""
        time = np.where(self._closed, np.inf, 0.0)
        late = (1 - q) * self._answered
        todo = np.flatnonzero((self._waits_for_answer > late) & ~self._closed)
        if todo.size:
            log_share = np.log(late[todo] / self._waits_for_answer[todo])
            time[todo] = _time_until(self._busy.at(todo), log_share)
        return time

    def _of_busy(self, t: FloatArray, served: int) -> FloatArray:
        found: FloatArray = self.all_busy * _left(self._busy, np.clip(t, 0.0, 1e200), served)
        if self._closed.any():
            found[self._closed] = 0.0
        return found


def _busy(rate: FloatArray, drain: FloatArray, theta: FloatArray) -> _Busy:
    # What is smaller than doubles hold to full precision SciPy takes for 0.
    a, x = np.maximum(drain / theta, 1e-300), rate / theta
    spare = (drain - rate) / theta
    empty, gives_up = _empty(a, spare, x)
    over = (x > a) & (x > _NOTHING)
    below = np.ones_like(a)
    below[over] = special.gammainc(a[over], x[over])
    return _Busy(drain, rate, theta, a, x, spare, empty, gives_up, below, over)


def _per_patience(t: FloatArray, theta: FloatArray) -> FloatArray:
    """θ·t for t ≥ 0; nothing has passed at t = 0, even where nobody has any patience."""
    with np.errstate(over="ignore"):  # longer than doubles reach is for ever
        return np.multiply(theta, t, out=np.zeros_like(t), where=t > 0)


def _shrunk(busy: _Busy, soon: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rate over θ after a wait of ``soon`` patiences, and what the drain has over it."""
    y = busy.x * np.exp(-soon)
    return y, np.where(soon < 0.7, busy.spare - busy.x * np.expm1(-soon), busy.a - y)


def _left(busy: _Busy, t: FloatArray, served: int) -> FloatArray:
    """P(V > t | all busy); with ``served`` 1 the part of it that is answered, who do not give up before V."""
    soon = _per_patience(t, busy.theta)
    y, spare = _shrunk(busy, soon)
    a, spare = busy.a + served, spare + served
    result = np.empty_like(y)
    # Still in overload after t: P(a + served, y) is of the order of 1.
    high = busy.over & (y > 1) & (spare < _CLOSE * np.sqrt(y))
    if high.any():
        tails = special.gammainc(a[high], y[high]) / busy.below[high]
        result[high] = tails * (busy.drain[high] / busy.rate[high]) if served else tails
    rest = np.flatnonzero(~high)
    if not rest.size:
        return result
    if rest.size < high.size:
        busy, t, soon, y, a, spare = busy.at(rest), t[rest], soon[rest], y[rest], a[rest], spare[rest]
    # e^(−served·θt)·φ(t)·E(a, x)·a ÷ (E(a + served, y)·(a + served)), φ(t) = e^(x(1 − e^(−θt)) − a·θt).
    faded = busy.empty * np.exp(np.minimum(_exponent(busy, t, soon), 0.0))
    crowded = np.flatnonzero(busy.over)
    if crowded.size:  # φ and E alone over- and underflow
        over = busy.at(crowded)
        faded[crowded] = np.exp(_log_poisson_from(over, y[crowded], soon[crowded])) / over.below
    faded /= _empty(a, spare, y)[0]
    result[rest] = faded * np.exp(-soon) * (busy.a / a) if served else faded
    return np.minimum(result, 1.0)


def _exponent(busy: _Busy, t: FloatArray, soon: FloatArray) -> FloatArray:
    """Exponent of φ(t): x(1 − e^(−θt)) − a·θt, without the cancellation when the patience is long."""
    early = (busy.rate - busy.drain) * t - busy.x * _bend(np.minimum(soon, 1.0))
    return np.where(soon < 1, early, -busy.drain * t - busy.x * np.expm1(-soon))


def _log_poisson_from(busy: _Busy, y: FloatArray, soon: FloatArray) -> FloatArray:
    """Logarithm of the Poisson probability of a at mean y = x·e^(−soon), also where y underflows."""
    result = formulas._log_poisson(np.maximum(y, 1e-270), busy.a)
    gone = y < 1e-260
    if gone.any():
        a = busy.a[gone]
        result[gone] = a * (np.log(busy.x[gone]) - soon[gone]) - special.gammaln(a + 1)
    return result


def _bend(s: FloatArray) -> FloatArray:
    """Precise s − 1 + e^(−s): its first terms where they cancel."""
    result: FloatArray = s + np.expm1(-s)
    near = np.abs(s) < 0.1
    if near.any():
        small = s[near]
        series = np.ones_like(small)
        for k in range(11, 2, -1):
            series = 1 - series * small / k
        result[near] = small * small / 2 * series
    return result


def _empty(a: FloatArray, spare: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """E(a, x) and A(a, x) for spare = a − x."""
    empty, gives_up = np.ones_like(x), np.ones_like(x)  # right where both are next to nothing
    something = np.maximum(a, x) > _NOTHING
    # The fraction only adds for x ≤ a, where the closed form of A cancels; close to a it needs too many steps.
    calm = something & ((spare >= _CLOSE * np.sqrt(x)) | ((x <= 1) & (spare >= 0)))
    if calm.any():
        people, left, come = a[calm], spare[calm], x[calm]
        quits = 1 / (left + 1 + _fraction(left, come))
        empty[calm] = (left + come * quits) / people
        gives_up[calm] = quits
    crowded = something & ~calm
    if crowded.any():
        people, come = a[crowded], x[crowded]
        nobody = np.exp(formulas._log_poisson(come, people)) / special.gammainc(people, come)
        empty[crowded] = nobody
        gives_up[crowded] = (people * nobody - spare[crowded]) / come
    return np.clip(empty, 0.0, 1.0), np.clip(gives_up, 0.0, 1.0)


def _fraction(spare: FloatArray, x: FloatArray) -> FloatArray:
    """2x/(a + 2 − x + 3x/(a + 3 − x + …)), from the bottom up; the steps needed fall with (a − x)/√x."""
    calm = spare / np.sqrt(np.maximum(x, 1e-300))
    near = np.flatnonzero(calm < 2 * _CLOSE)
    if near.size == x.size:
        return _fraction_from(_steps(calm), spare, x)
    result = _fraction_from(_steps(np.maximum(calm, 2 * _CLOSE)), spare, x)
    if near.size:
        result[near] = _fraction_from(_steps(calm[near]), spare[near], x[near])
    return result


def _steps(calm: FloatArray) -> int:
    return int(4 + 100 / max(float(calm.min()), _CLOSE))


def _fraction_from(steps: int, spare: FloatArray, x: FloatArray) -> FloatArray:
    # The bottom as if all further steps were like it: r = k·x/(spare + k + r).
    bottom = spare + (steps + 1)
    rest: FloatArray = 2 * (steps + 1) * x / (bottom + np.sqrt(bottom * bottom + 4 * (steps + 1) * x))
    for k in range(steps, 1, -1):
        rest += spare
        rest += k
        np.divide(x, rest, out=rest)
        rest *= k
    return rest


def _mean_of_served(busy: _Busy) -> FloatArray:
    """Mean wait, in mean patiences, of those who wait and are answered.

    Their wait has a density in proportion to e^(x(1 − e^(−s)) − (a + 1)s), log-concave: Gauss–Legendre on either side
    of its mode, as far as it matters.
    """
    leave, come = busy.a + 1, busy.x
    mode = np.log(np.maximum(come / leave, 1.0))
    there = np.minimum(come, leave)  # the rate over θ, shrunk to the mode
    steep = np.maximum(busy.spare + 1, 0.0)  # of the decline from the mode; 0 if that is not at 0
    # From bend(s) ≥ s²/(2 + s) for s ≥ 0, and bend(−s) ≥ d for s = ln(1 + d + √(2d)).
    middle = 2 * steep - _DEPTH
    right = 4 * _DEPTH / (middle + np.sqrt(middle * middle + 8 * leave * _DEPTH))
    depth = _DEPTH / leave
    left = np.minimum(mode, np.log1p(depth + np.sqrt(2 * depth)))
    mass = moment = np.zeros_like(mode)
    for width in (right, -left):
        away = width * _NODES[:, None]
        density = np.exp(-steep * away - there * _bend(away)) * _WEIGHTS[:, None] * np.abs(width)
        mass = mass + density.sum(axis=0)
        moment = moment + (density * (mode + away)).sum(axis=0)
    return np.asarray(moment / mass)


def _time_until(busy: _Busy, log_share: FloatArray) -> FloatArray:
    """Solve _left(t, 1) = e^log_share·_left(0, 1), for log_share < 0."""
    start = np.log(_left(busy, np.zeros_like(busy.rate), 1))
    # The logarithm is concave and falls: from its mode on Newton is to the right of the root after one step, and
    # comes down to it. The hazard of being answered is θ·(a + 1)·E(a + 1, y).
    time = np.log(np.maximum(busy.x / (busy.a + 1), 1.0)) / busy.theta
    todo = np.arange(time.size)
    for step in range(100):
        part = busy.at(todo)
        now = time[todo]
        y, spare = _shrunk(part, _per_patience(now, part.theta))
        hazard = part.theta * (part.a + 1) * _empty(part.a + 1, spare + 1, y)[0]
        gap = np.log(_left(part, now, 1)) - start[todo] - log_share[todo]
        then = np.maximum(now + gap / hazard, 0.0)
        time[todo] = then
        todo = todo[(then < now * (1 - 1e-13)) | (step == 0)]
        if not todo.size:
            break
    return time
