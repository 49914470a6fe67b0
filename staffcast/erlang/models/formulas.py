"""The Erlang formulas and the wait in M/M/c, over numbers and arrays, for real-valued agents.

M/M/c: tickets arrive at random (Poisson), handle times are exponential, ``agents`` people answer one at a time,
first come first served, and nobody gives up waiting.

References
----------
.. [1] A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
   exchanges", Elektroteknikeren 13, 1917.
.. [2] D. L. Jagerman, "Some properties of the Erlang loss function", Bell System Technical Journal 53(3), 1974,
   pp. 525–551, doi:10.1002/j.1538-7305.1974.tb02756.x.
.. [3] D. Gross, J. F. Shortle, J. M. Thompson, C. M. Harris, "Fundamentals of Queueing Theory", 4th ed., 2008,
   section 2.3, doi:10.1002/9781118625651.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import overload

import numpy as np
import numpy.typing as npt

from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero, share, together
from staffcast.erlang.models.kernels import free_odds, log_poisson

__all__ = ["erlang_b", "erlang_c", "mean_wait", "wait_quantile", "wait_tail"]

_log_poisson = log_poisson

# Numbers in give a float, anything else an array of the broadcast shape.


@overload
def erlang_b(load_erl: float, agents: float) -> float: ...
@overload
def erlang_b(load_erl: npt.ArrayLike, agents: npt.ArrayLike) -> FloatArray: ...
def erlang_b(load_erl: npt.ArrayLike, agents: npt.ArrayLike) -> float | FloatArray:
    """Probability that an arrival finds everybody busy and is lost (M/M/c/c).

    Parameters
    ----------
    load_erl : float or array
        Arrivals per second times mean handle time in seconds, ≥ 0. [erlang]
    agents : float or array
        Agents answering, ≥ 0; between whole numbers Jagerman's continuation.

    Returns
    -------
    float or array of the broadcast shape
        In [0, 1]. 0 without load, 1 with load and no agents; underflows to 0 only below 1e-308.

    Raises
    ------
    InputError
        A negative, NaN or infinite argument.

    Notes
    -----
    1/B = ∫₀^∞ load·e^(−load·t)·(1+t)^agents dt = e^load · load^(−agents) · Γ(agents + 1, load), [2]_ equation (4) and
    following. Relative error, measured against 60 digits from 0.001 to 1,000,000 agents: below 1.6e-15 times the larger
    of 1 and |d ln B ÷ d ln load|, which is what a relative error of that size in the load would do.

    Examples
    --------
    >>> round(erlang_b(25.0, 30), 4)
    0.0526
    >>> erlang_b([1.0, 2.0], 1).round(4)
    array([0.5   , 0.6667])
    """
    load, people = together(
        load_erl=at_least_zero("load_erl", load_erl, " erlang"), agents=at_least_zero("agents", agents)
    )
    return _shaped(blocking, [load, people], load_erl, agents)


@overload
def erlang_c(load_erl: float, agents: float) -> float: ...
@overload
def erlang_c(load_erl: npt.ArrayLike, agents: npt.ArrayLike) -> FloatArray: ...
def erlang_c(load_erl: npt.ArrayLike, agents: npt.ArrayLike) -> float | FloatArray:
    """Probability that an arrival waits in an M/M/c queue.

    Parameters
    ----------
    load_erl : float or array
        Arrivals per second times mean handle time in seconds, ≥ 0. [erlang]
    agents : float or array
        Agents answering, shrinkage already taken off, ≥ 0; real numbers allowed.

    Returns
    -------
    float or array of the broadcast shape
        In [0, 1]. Exactly 1.0 when ``load_erl >= agents``, as there is no steady state, but 0 without load.

    Raises
    ------
    InputError
        A negative, NaN or infinite argument.

    Notes
    -----
    C = agents·B ÷ (agents − load·(1 − B)), from [3]_ section 2.3; relative error as that of B.

    Examples
    --------
    >>> round(erlang_c(2.0, 3), 4), erlang_c(3.0, 3)
    (0.4444, 1.0)
    """
    load, people = together(
        load_erl=at_least_zero("load_erl", load_erl, " erlang"), agents=at_least_zero("agents", agents)
    )
    return _shaped(waiting, [load, people], load_erl, agents)


@overload
def wait_tail(load_erl: float, agents: float, aht_s: float, after_s: float) -> float: ...
@overload
def wait_tail(
    load_erl: npt.ArrayLike, agents: npt.ArrayLike, aht_s: npt.ArrayLike, after_s: npt.ArrayLike
) -> FloatArray: ...
def wait_tail(
    load_erl: npt.ArrayLike, agents: npt.ArrayLike, aht_s: npt.ArrayLike, after_s: npt.ArrayLike
) -> float | FloatArray:
    """Probability that the wait in M/M/c exceeds ``after_s``: C·exp(−(agents − load)·after_s ÷ aht_s).

    Parameters
    ----------
    load_erl, agents : float or array
        As in :func:`erlang_c`.
    aht_s : float or array
        Mean handle time, > 0. [s]
    after_s : float or array
        Time waited, ≥ 0. [s]

    Returns
    -------
    float or array of the broadcast shape
        In [0, 1], to full relative precision; 1 in overload, 0 without load.

    Raises
    ------
    InputError
        An argument outside its range.

    References
    ----------
    [3]_ section 2.3, distribution of the waiting time.

    Examples
    --------
    >>> round(wait_tail(48.0, 55, 240.0, 15.0), 3)
    0.154
    """
    load, people, aht, after = together(
        load_erl=at_least_zero("load_erl", load_erl, " erlang"), agents=at_least_zero("agents", agents),
        aht_s=above_zero("aht_s", aht_s, " s"), after_s=at_least_zero("after_s", after_s, " s"),
    )  # fmt: skip
    return _shaped(tail, [load, people, aht, after], load_erl, agents, aht_s, after_s)


@overload
def mean_wait(load_erl: float, agents: float, aht_s: float) -> float: ...
@overload
def mean_wait(load_erl: npt.ArrayLike, agents: npt.ArrayLike, aht_s: npt.ArrayLike) -> FloatArray: ...
def mean_wait(load_erl: npt.ArrayLike, agents: npt.ArrayLike, aht_s: npt.ArrayLike) -> float | FloatArray:
    """Mean wait in M/M/c over all arrivals, those who need not wait included: C·aht_s ÷ (agents − load).

    Parameters
    ----------
    load_erl, agents : float or array
        As in :func:`erlang_c`.
    aht_s : float or array
        Mean handle time, > 0. [s]

    Returns
    -------
    float or array of the broadcast shape
        Seconds; inf in overload, 0 without load.

    Raises
    ------
    InputError
        An argument outside its range.

    References
    ----------
    [3]_ section 2.3, mean wait in queue.

    Examples
    --------
    >>> round(mean_wait(48.0, 55, 240.0), 1), mean_wait(3.0, 3, 240.0)
    (8.2, inf)
    """
    load, people, aht = together(
        load_erl=at_least_zero("load_erl", load_erl, " erlang"), agents=at_least_zero("agents", agents),
        aht_s=above_zero("aht_s", aht_s, " s"),
    )  # fmt: skip
    return _shaped(mean, [load, people, aht], load_erl, agents, aht_s)


@overload
def wait_quantile(q: float, load_erl: float, agents: float, aht_s: float) -> float: ...
@overload
def wait_quantile(
    q: npt.ArrayLike, load_erl: npt.ArrayLike, agents: npt.ArrayLike, aht_s: npt.ArrayLike
) -> FloatArray: ...
def wait_quantile(
    q: npt.ArrayLike, load_erl: npt.ArrayLike, agents: npt.ArrayLike, aht_s: npt.ArrayLike
) -> float | FloatArray:
    """Shortest time within which a share ``q`` of the arrivals is answered in M/M/c.

    Parameters
    ----------
    q : float or array
        Share in [0, 1), 0.95 for p95.
    load_erl, agents : float or array
        As in :func:`erlang_c`.
    aht_s : float or array
        Mean handle time, > 0. [s]

    Returns
    -------
    float or array of the broadcast shape
        Seconds: 0 when at least ``q`` of the arrivals need not wait or there is no load, inf in overload.

    Raises
    ------
    InputError
        An argument outside its range.

    References
    ----------
    The inverse of :func:`wait_tail`.

    Examples
    --------
    >>> round(wait_quantile(0.95, 48.0, 55, 240.0), 1), wait_quantile(0.5, 48.0, 55, 240.0)
    (53.6, 0.0)
    """
    level, load, people, aht = together(
        q=share("q", q), load_erl=at_least_zero("load_erl", load_erl, " erlang"),
        agents=at_least_zero("agents", agents), aht_s=above_zero("aht_s", aht_s, " s"),
    )  # fmt: skip
    return _shaped(quantile, [level, load, people, aht], q, load_erl, agents, aht_s)


# From here on checked arrays of one shape with at least one axis: the formulas assign to parts of them.


def blocking(load: FloatArray, agents: FloatArray) -> FloatArray:
    """Erlang B over checked arrays of one shape."""
    if not (load > 0).all():
        result, some = np.zeros_like(load), load > 0
        result[some] = blocking(load[some], agents[some])
        return result
    found: FloatArray = 1 / (1 + free_odds(load, agents))
    return found


def waiting(load: FloatArray, agents: FloatArray) -> FloatArray:
    """Erlang C over checked arrays of one shape."""
    stable = (load > 0) & (load < agents)
    if not stable.all():
        result = np.where(load > 0, 1.0, 0.0)
        if stable.any():
            result[stable] = waiting(load[stable], agents[stable])
        return result
    with np.errstate(over="ignore"):  # C below 1e-308 is 0
        found: FloatArray = 1 / (1 + (agents - load) / agents * free_odds(load, agents))
    return found


def tail(load: FloatArray, agents: FloatArray, aht_s: FloatArray, after_s: FloatArray) -> FloatArray:
    """P(wait > after_s) over checked arrays of one shape."""
    return waiting(load, agents) * np.exp(-(np.maximum(agents - load, 0.0) * after_s) / aht_s)


def mean(load: FloatArray, agents: FloatArray, aht_s: FloatArray) -> FloatArray:
    """Mean wait in seconds over checked arrays of one shape."""
    return mean_from(waiting(load, agents), load, agents, aht_s)


def mean_from(p_wait: FloatArray, load: FloatArray, agents: FloatArray, aht_s: FloatArray) -> FloatArray:
    """Mean wait in seconds where the probability of waiting is already known."""
    return _per_spare(p_wait * aht_s, load, agents)


def quantile(q: FloatArray, load: FloatArray, agents: FloatArray, aht_s: FloatArray) -> FloatArray:
    """Quantile of the wait in seconds over checked arrays of one shape."""
    return quantile_from(q, waiting(load, agents), load, agents, aht_s)


def quantile_from(
    q: FloatArray, p_wait: FloatArray, load: FloatArray, agents: FloatArray, aht_s: FloatArray
) -> FloatArray:
    """Quantile of the wait in seconds where the probability of waiting is already known."""
    return _per_spare(np.log(np.maximum(p_wait / (1 - q), 1.0)) * aht_s, load, agents)


def _per_spare(seconds: FloatArray, load: FloatArray, agents: FloatArray) -> FloatArray:
    """Seconds ÷ (agents − load); inf in overload, 0 without load."""
    spare = agents - load
    result = np.where(load > 0, np.inf, 0.0)
    with np.errstate(over="ignore"):  # a queue a hair from overload waits for longer than doubles reach: inf is right
        np.divide(seconds, spare, out=result, where=(spare > 0) & (load > 0))
    return result


def _shaped(figure: Callable[..., FloatArray], arrays: list[FloatArray], *given: npt.ArrayLike) -> float | FloatArray:
    """The figure in the arrays' shape, or as a float when every argument was a single number."""
    values = figure(*(each.ravel() for each in arrays))
    numbers = all(isinstance(each, (int, float, np.number)) for each in given)
    return float(values[0]) if numbers else values.reshape(arrays[0].shape)
