"""Replications spread evenly over how busy a span may turn out to be, so that chance has less to decide.

How many tickets come in all is the largest piece of luck in most figures. Given the rates it is Poisson, and given the
number each ticket falls into an interval by itself, with the interval's share of the expected tickets. So each block of
20 replications takes one number out of each twentieth of the Poisson distribution, in an order drawn block by block:
every replication alone has the very law that it would have anyhow, and together they are balanced. Differences *within*
the strata are what is left of the luck [1]_.

Where rates themselves are uncertain, the path of a replication stays as it is: evened out is the luck beyond it.

References
----------
.. [1] W. G. Cochran, "Sampling Techniques", 3rd ed., 1977, sections 5.3 and 5A.12.
.. [2] P. Glasserman, "Monte Carlo Methods in Financial Engineering", 2004, section 4.3.1,
   doi:10.1007/978-0-387-21617-1.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import pdtr, pdtrik

from staffcast.simulation.checks import FloatArray, IntArray

__all__ = ["STRATA", "poisson_quantile", "spread_counts", "stratum_of"]

STRATA = 20


def stratum_of(order: np.random.Generator, replication: int) -> int:
    """The stratum of a replication: its place in the order that its block of replications has drawn."""
    return int(order.permutation(STRATA)[replication % STRATA])


def spread_counts(random: np.random.Generator, expected: FloatArray, stratum: int) -> IntArray:
    """Poisson numbers with these means, their sum out of one stratum of its distribution.

    Parameters
    ----------
    random : Generator
    expected : array (k,)
        Means, ≥ 0.
    stratum : int
        0 … ``STRATA`` − 1.

    Returns
    -------
    array (k,)
        Over all strata together independent Poisson numbers.
    """
    mean = float(expected.sum())
    if mean == 0:
        return np.zeros(len(expected), dtype=np.int64)
    total = poisson_quantile((stratum + random.random()) / STRATA, mean)
    return np.asarray(random.multinomial(total, expected / mean), dtype=np.int64)


def poisson_quantile(level: float, mean: float) -> int:
    """The smallest k that a Poisson number exceeds with at most 1 − level; level in [0, 1), mean > 0.

    Examples
    --------
    >>> [poisson_quantile(level, 2.0) for level in (0.0, 0.13, 0.14, 0.5, 0.999)]
    [0, 0, 1, 2, 8]
    """
    if level <= math.exp(-mean):
        return 0
    found = max(math.ceil(float(pdtrik(level, mean))), 0)
    # The inverse is rounded; it may be one off on either side.
    while found > 0 and float(pdtr(found - 1, mean)) >= level:
        found -= 1
    while float(pdtr(found, mean)) < level:
        found += 1
    return found
