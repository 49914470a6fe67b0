"""The formulas by slow independent routes: 50 digits, plain recursion, event by event."""

import heapq

import mpmath
import numpy as np


def erlang_b(load, agents):
    """Erlang B from the upper incomplete gamma function at 50 digits."""
    with mpmath.workdps(50):
        a, n = mpmath.mpf(load), mpmath.mpf(agents)
        return mpmath.exp(n * mpmath.log(a) - a) / mpmath.gammainc(n + 1, a)


def erlang_b_sum(load, agents):
    """Erlang B of a whole number of agents, by its defining sum at 50 digits."""
    with mpmath.workdps(50):
        a, term, total = mpmath.mpf(load), mpmath.mpf(1), mpmath.mpf(1)
        for n in range(1, agents + 1):
            term *= a / n
            total += term
        return term / total


def erlang_c(load, agents):
    """Erlang C for load < agents at 50 digits."""
    with mpmath.workdps(50):
        a, n, b = mpmath.mpf(load), mpmath.mpf(agents), erlang_b(load, agents)
        return b / (1 - a / n * (1 - b))


def erlang_c_slow(load, agents):
    """Erlang C in floats by the recursion over agents."""
    if load >= agents:
        return 1.0 if load > 0 else 0.0
    inverse = 1.0
    for n in range(1, agents + 1):
        inverse = 1 + inverse * n / load if load > 0 else np.inf
    b = 1 / inverse
    return b / (1 - load / agents * (1 - b))


def relative_error(found, true):
    """|found ÷ true − 1| at 50 digits."""
    with mpmath.workdps(50):
        return float(abs(mpmath.mpf(float(found)) / true - 1))


def simulate_waits(load, agents, tickets, seed):
    """Waits of M/M/c in units of the mean handle time, ticket by ticket, after a warm-up."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / load, tickets))
    handles = rng.exponential(1.0, tickets)
    free = [0.0] * agents
    waits = np.empty(tickets)
    for i, (came, handle) in enumerate(zip(arrivals.tolist(), handles.tolist(), strict=True)):
        start = max(came, free[0])
        waits[i] = start - came
        heapq.heapreplace(free, start + handle)
    return waits[tickets // 20 :]


def batch_mean(values, batches=40):
    """Mean and its standard error from batch means, as waits in a row depend on each other."""
    means = values[: len(values) // batches * batches].reshape(batches, -1).mean(axis=1)
    return means.mean(), means.std(ddof=1) / np.sqrt(batches)
