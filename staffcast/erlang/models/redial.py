"""Erlang X: some of those who give up call again, so that more attempts arrive than there are customers.

References
----------
.. [1] G. Koole, "Call Center Optimization", 2013, on the Erlang X model.
.. [2] T. R. Chandrupatla, "A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function
   without using derivatives", Advances in Engineering Software 28(3), 1997, pp. 145–149,
   doi:10.1016/S0965-9978(96)00051-8.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value
from staffcast.erlang._checks import FloatArray, at_least_zero, share_of_all, together

__all__ = ["attempts"]

# In units of ln(attempts ÷ fresh): as close as doubles tell attempts apart, and 1e17 attempts for each customer, which
# is as many as the last double below certain failure asks for.
_CLOSE = 1.1e-16
_FARTHEST = 40.0


def attempts(
    fresh: npt.ArrayLike,
    redial: npt.ArrayLike,
    abandon_of: Callable[[FloatArray], FloatArray],
    drain: npt.ArrayLike = np.inf,
) -> FloatArray:
    """Rate of attempts L with L = fresh + redial·L·P(an attempt is given up when L arrive).

    Parameters
    ----------
    fresh : float or array
        First attempts, ≥ 0. [1/s]
    redial : float or array
        Share of those who give up that try again, in [0, 1], however often they have tried before.
    abandon_of : callable
        From rates of attempts [1/s], a flat array with one for each element of the broadcast shape (in C order), to the
        probabilities in [0, 1] that an attempt ends in giving up. The rate of those who do not give up, L·(1 − P), must
        not fall with L, as in every queue whose servers know no fatigue.
    drain : float or array
        The highest rate at which attempts can end otherwise than by giving up, ≥ 0, inf allowed: without limit, as
        where those who find no place are lost. Where ``redial`` is 1 it decides whether there is a solution. [1/s]

    Returns
    -------
    array of the broadcast shape
        Attempts per second, ≥ ``fresh``; inf where everybody tries for ever and ``fresh`` is at or above ``drain``.

    Raises
    ------
    InputError
        An argument outside its range, or ``abandon_of`` giving anything but probabilities.

    Notes
    -----
    L·(1 − redial·P(L)) = (1 − redial)·L + redial·L·(1 − P(L)) rises with L and there is one solution, between ``fresh``
    and ``fresh`` ÷ (1 − redial). It is found by Chandrupatla's method [2]_ in ln L, in ten to twenty calls of
    ``abandon_of``, to within the roundings of P: relative error below 1e-13 unless P is next to 1 and ``redial`` too.
    There an error of 1e-16 in P is one of 1e-16 ÷ (1 − P)² in L.

    References
    ----------
    [1]_, where the redials are taken to arrive as a Poisson process too.

    Examples
    --------
    Of M/M/1 with no patience at all, P = L ÷ (1 + L) gives up; with half of them trying again, 1 fresh makes √2.

    >>> attempts([0.0, 1.0, 1.0], [0.5, 0.0, 0.5], lambda rate: rate / (1 + rate), 1.0).round(6)
    array([0.      , 1.      , 1.414214])
    """
    limit = np.asarray(drain, dtype=np.float64)
    finite = at_least_zero("drain", np.where(limit == np.inf, 0.0, limit), " per s")
    rate, again, most, endless = together(
        fresh=at_least_zero("fresh", fresh, " per s"), redial=share_of_all("redial", redial), drain=finite,
        limit=np.where(limit == np.inf, 1.0, 0.0),
    )  # fmt: skip
    shape = rate.shape
    rate, again = rate.ravel(), again.ravel()
    bound = np.where(endless.ravel() > 0, np.inf, most.ravel())
    hopeless = (again >= 1) & (rate >= bound) & (rate > 0)
    todo = (rate > 0) & (again > 0) & ~hopeless

    def excess(growth: FloatArray) -> FloatArray:
        """Logarithm of L·(1 − redial·P(L)) ÷ fresh at L = fresh·e^growth: rises through 0 at the solution."""
        gives_up = np.asarray(abandon_of(np.where(todo, rate * np.exp(growth), rate)), dtype=np.float64)
        wrong = ~((gives_up >= 0) & (gives_up <= 1))
        if wrong.any():
            raise bad_value("abandon_of", float(gives_up[wrong][0]), "probabilities in [0, 1]")
        with np.errstate(divide="ignore"):  # all give up and all come back: not a customer leaves at any rate
            return np.where(todo, growth + np.log1p(-again * gives_up), 0.0)

    growth = np.zeros_like(rate)
    if todo.any():
        with np.errstate(divide="ignore"):
            farthest = np.minimum(-np.log1p(-again), _FARTHEST)
        growth = _root(excess, np.where(todo, farthest, 0.0))
        # Still too few attempts at the far end: but for a rounding there is no far end, and so no solution.
        hopeless |= todo & np.isinf(growth)
    return np.where(hopeless, np.inf, rate * np.exp(np.where(hopeless, 0.0, growth))).reshape(shape)


def _root(rising: Callable[[FloatArray], FloatArray], farthest: FloatArray) -> FloatArray:
    """Where each element of ``rising``, at most 0 at 0, crosses 0 on [0, farthest]; inf if it does not by far."""
    a = np.zeros_like(farthest)
    fa = rising(a)
    # The first step of the iteration growth ← −ln(1 − redial·P), which climbs to the root from below; twice that, and
    # on by doubling until past the root.
    b = np.minimum(np.maximum(-2 * fa, 4 * _CLOSE), farthest)
    fb = rising(b)
    while np.any(short := (fb < 0) & (b < farthest)):
        a, fa = np.where(short, b, a), np.where(short, fb, fa)
        b = np.where(short, np.minimum(2 * b, farthest), b)
        fb = np.where(short, rising(b), fb)
    never = fb < -1e-9
    done = (fa >= 0) | (fb <= 0)
    best = np.where(fa >= 0, a, b)
    # Between a and b lies the root, c is the point before; t says where between a and b to look next.
    c, fc = a, fa
    t = np.full_like(a, 0.5)
    for _ in range(100):
        if done.all():
            break
        x = np.where(done, best, a + t * (b - a))
        fx = rising(x)
        same = (fx > 0) == (fa > 0)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        closer = np.where(np.abs(fa) < np.abs(fb), a, b)
        best = np.where(done, best, closer)
        with np.errstate(divide="ignore", invalid="ignore"):
            least = (_CLOSE + 2e-16 * np.abs(best)) / np.abs(b - c)
            done = done | (least > 0.5) | (fa == 0) | (b == a)
            across, up = (a - b) / (c - b), (fa - fb) / (fc - fb)
            inverse = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
            smooth = (up * up < across) & ((1 - up) ** 2 < 1 - across)
        t = np.clip(np.where(smooth & ~done, inverse, 0.5), np.minimum(least, 0.5), 1 - np.minimum(least, 0.5))
        t = np.where(done, 0.5, t)
    return np.where(never, np.inf, best)
