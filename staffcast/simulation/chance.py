"""Random numbers that belong to a ticket and a purpose, drawn when they are needed and in whatever order.

A number is a hash of the ticket's own 64 random bits and of what it is for [1]_. So a customer who calls again draws
the same whatever else happens in the plan, in whichever process.

References
----------
.. [1] G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, pp. 453–472,
   doi:10.1145/2660193.2660195; the finalizer of SplitMix64.
.. [2] G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates", Annals of Mathematical
   Statistics 29(2), 1958, pp. 610–611, doi:10.1214/aoms/1177706645.
.. [3] G. Marsaglia, W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26(3), 2000, pp. 363–372,
   doi:10.1145/358407.358414.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staffcast.simulation.compiled import compiled, inlined

__all__ = ["DETERMINISTIC", "EMPIRICAL", "EXPONENTIAL", "GAMMA", "LOGNORMAL", "WEIBULL", "child", "draw", "uniform"]

DETERMINISTIC, EXPONENTIAL, LOGNORMAL, GAMMA, EMPIRICAL, WEIBULL = range(6)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S12 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12)
_UNIT = 2.0**-52


@inlined
def child(key: Any, purpose: int) -> Any:
    """64 new bits from 64 and a purpose ≥ 0."""
    x = key + _GOLDEN * np.uint64(purpose + 1)
    x = (x ^ (x >> _S30)) * _FIRST
    x = (x ^ (x >> _S27)) * _SECOND
    return x ^ (x >> _S31)


@inlined
def uniform(key: Any, purpose: int) -> float:
    """Uniform in (0, 1)."""
    # 52 bits: with 53 the half would be rounded, and the largest would be 1.
    return (float(child(key, purpose) >> _S12) + 0.5) * _UNIT


@compiled
def _normal(key: Any, purpose: int) -> float:
    far = math.sqrt(-2.0 * math.log(uniform(key, purpose)))
    return far * math.cos(2.0 * math.pi * uniform(key, purpose + 1))


@compiled
def draw(kind: int, mean: float, shape: float, sample: Any, first: int, count: int, key: Any, purpose: int) -> float:
    """A duration in seconds.

    Parameters
    ----------
    kind : int
        One of the constants of this module.
    mean : float
        Its mean; of a Weibull its scale. [s]
    shape : float
        Lognormal and gamma: standard deviation ÷ mean; Weibull: the exponent.
    sample, first, count
        Empirical: ``sample[first : first + count]`` are as likely each.
    key, purpose
        Whose it is, and what for; up to 1,000 purposes from it on are used.
    """
    if kind == DETERMINISTIC:
        return mean
    if kind == EXPONENTIAL:
        return -mean * math.log(uniform(key, purpose))
    if kind == WEIBULL:
        return mean * (-math.log(uniform(key, purpose))) ** (1.0 / shape)  # type: ignore[no-any-return]
    if kind == EMPIRICAL:
        return float(sample[first + int(uniform(key, purpose) * count)])
    if kind == LOGNORMAL:
        variance = math.log1p(shape * shape)
        return mean * math.exp(math.sqrt(variance) * _normal(key, purpose) - variance / 2)
    # Gamma by rejection; below a shape of 1 as that of shape + 1 times a power of a uniform.
    size = 1.0 / (shape * shape)
    factor = 1.0
    if size < 1.0:
        factor = uniform(key, purpose + 999) ** (1.0 / size)
    d = (size + 1.0 if size < 1.0 else size) - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    value = d
    for trial in range(300):
        x = _normal(key, purpose + 3 * trial)
        v = 1.0 + c * x
        v *= v * v  # a power would be rounded in two ways, compiled or not
        if v > 0.0:
            u = uniform(key, purpose + 3 * trial + 2)
            if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
                value = d * v
                break
    return mean * factor * value * shape * shape
