"""The numerical kernels under Erlang B and C: the odds of a free agent, and the Poisson probability.

Everything here takes checked float arrays of one shape with at least one axis, loads above 0.

With the Poisson probability p and distribution function P at n agents, Erlang B is B = p ÷ P, and the odds of finding
somebody free are (1 − B) ÷ B = Γ(n, load)·n·e^load ÷ load^n =: o. Both formulas follow from o without cancellation:
B = 1 ÷ (1 + o) and C = n ÷ (n + (n − load)·o).

Relative error of B and C against 60 digits, as a multiple of the larger of 1 and |d ln f ÷ d ln load| (what one
relative error in the load would do): below 1.6e-15 for 0.001 to 1,000,000 agents and 0.001 to 1,000 erlang per agent
(7e-16 for C).

References
----------
.. [1] N. M. Temme, "The asymptotic expansion of the incomplete gamma functions", SIAM Journal on Mathematical Analysis
   10(4), 1979, pp. 757–766, doi:10.1137/0510071.
.. [2] NIST Digital Library of Mathematical Functions, section 8.12, https://dlmf.nist.gov/8.12, and equation 8.9.2.
.. [3] C. Loader, "Fast and accurate computation of binomial probabilities", 2000.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from staffcast.erlang._checks import FloatArray

__all__ = ["free_odds", "log_poisson"]

# From this many agents on the asymptotic expansion is exact to double precision, up to this load per agent.
_MANY, _FAR = 12.0, 1.6
# Below this many the odds follow from Γ(agents + 1, load), at one agent's load more.
_SINGLE = 3.0
# Powers of 1/agents and of η in it, and the least η whose correction still counts: below it exp(−agents·η²/2) is tiny.
_ORDERS, _DEGREE, _LEAST_ETA = 12, 20, -2.2
# Long arrays go in pieces that stay in the cache, small enough for one thread of the matrix product.
_PIECE = 1024


def free_odds(load: FloatArray, agents: FloatArray) -> FloatArray:
    """(1 − B) ÷ B with Erlang B of ``load`` > 0 at ``agents`` ≥ 0, real; inf where B is below 1e-308, 0 without agents.

    To the precision of 1 + odds, which is what B and C need: below 3 agents small odds lose digits of their own.

    Examples
    --------
    >>> free_odds(np.array([2.0, 20.0]), np.array([3.0, 25.0])).round(6)
    array([ 3.75    , 18.911681])
    """
    if load.ndim != 1:
        return free_odds(load.ravel(), agents.ravel()).reshape(load.shape)
    few = agents < _MANY
    far = np.where(few, load - (agents < _SINGLE), load / _FAR) >= agents
    with np.errstate(over="ignore", divide="ignore"):  # beyond 1e308 inf is right
        if not (few | far).any():
            return _odds_many(load, agents)
        odds = np.empty_like(load)
        for these, way in ((few & ~far, _odds_few), (~(few | far), _odds_many), (far, _odds_far)):
            if these.any():
                odds[these] = way(load[these], agents[these])
    return odds


def _odds_few(load: FloatArray, agents: FloatArray) -> FloatArray:
    """As defined, by scipy's incomplete gamma function, which has full precision for loads below its shape."""
    weight = _factorial(agents) * np.exp(load) / load**agents
    one_up = agents < _SINGLE
    result: FloatArray = special.gammaincc(np.where(one_up, agents + 1, agents), load) * weight
    result[one_up] = np.maximum(result[one_up] - 1, 0.0)
    result[agents == 0] = 0.0
    return result


def _factorial(agents: FloatArray) -> FloatArray:
    """Γ(agents + 1) without rounding agents + 1."""
    some = np.maximum(agents, 1e-300)
    result: FloatArray = special.gamma(some) * some
    return result


def _odds_many(load: FloatArray, agents: FloatArray) -> FloatArray:
    """Temme's uniform expansion [1]_, whose η²/2 = load/agents − 1 − ln(load/agents) has the sign of load − agents.

    o = Γ*(n)·(√(π·n/2)·erfcx(η·√(n/2)) + Σ_k C_k(η)·n^(−k)), with Γ*(n) what Stirling's formula leaves of Γ(n).
    """
    if len(load) > _PIECE:
        cuts = range(0, len(load), _PIECE)
        return np.concatenate([_odds_many(load[cut : cut + _PIECE], agents[cut : cut + _PIECE]) for cut in cuts])
    spare = agents - load
    ratio = spare / load
    # Its error of one rounding of spare is what the same rounding of the load would do to the result.
    deviance = np.maximum(agents * np.log1p(ratio) - spare, 0.0)
    inverse = 1 / agents
    eta = np.maximum(np.copysign(np.sqrt(2 * deviance * inverse), -spare), _LEAST_ETA)
    bell = special.erfcx(np.sqrt(deviance))
    high = np.exp(deviance)
    low_load = ratio > 1
    if low_load.any():  # here the deviance is large and the power itself loses less than its exponent
        people = agents[low_load]
        high[low_load] = (np.exp(load[low_load] / people - 1) * people / load[low_load]) ** people
    bell = np.where(spare > 0, 2 * high - bell, bell)
    terms = _COEFFICIENTS @ _powers(inverse, _ORDERS)
    correction = np.einsum("ij,ij->j", terms[1:], _powers(eta, _DEGREE + 1))
    result: FloatArray = terms[0] * (np.sqrt(np.pi / 2 * agents) * bell + correction)
    return result


def _odds_far(load: FloatArray, agents: FloatArray) -> FloatArray:
    """Legendre's continued fraction of Γ(agents + 1, load) [2]_ from its far end, for overload.

    B·load = load − agents + t with t = 1·agents/(load − agents + 2 + 2·(agents − 1)/(load − agents + 4 + …)).
    """
    spare = load - agents
    rest = np.zeros_like(load)
    # Enough for the smallest load here; few are enough where it is large, as then it is 1.6 times the agents or more.
    for k in range(20 + int(80 / load.min()), 0, -1):
        rest += spare
        rest += 2 * k
        np.divide(agents - (k - 1), rest, out=rest)
        rest *= k
    return (agents - rest) / (spare + rest)


def _powers(x: FloatArray, count: int) -> FloatArray:
    """Rows 1, x, x², … of which there are ``count``, made by doubling."""
    rows = np.empty((count, len(x)))
    rows[0], rows[1] = 1.0, x
    have = 2
    while have < count:
        more = min(have - 1, count - have)
        np.multiply(rows[1 : 1 + more], rows[have - 1], out=rows[have : have + more])
        have += more
    return rows


def _coefficients() -> FloatArray:
    """Row 0: Γ*(n) in powers of 1/n; row 1 + j: the coefficients of η^j in C_0, C_1, … [2]_, equations 8.12.9–8.12.11.

    The recursions cancel, so they are run in whole numbers of 256 binary digits after the point.
    """
    bits = 256
    one = 1 << bits
    size = _DEGREE + 2 * _ORDERS + 2
    # load/agents − 1 = Σ α_i η^i, from η·(1 + μ) = μ·dμ/dη.
    alpha = [0, one, one // 3]
    for m in range(4, size + 2):
        cross = sum(alpha[i] * alpha[m - i] for i in range(2, m - 1)) >> bits
        alpha.append((2 * alpha[m - 2] // m - cross) // 2)
    stirling, odd = [one], 1
    for k in range(1, _ORDERS):
        odd *= 2 * k + 1
        stirling.append(alpha[2 * k + 1] * odd)
    first = [(j + 2) * alpha[j + 2] for j in range(size - 2)]
    first[0] -= one
    rows = [first]
    for k in range(1, _ORDERS):
        sign = -1 if k % 2 else 1
        last = rows[-1]
        rows.append([(sign * stirling[k] * first[j] >> bits) + (j + 2) * last[j + 2] for j in range(len(last) - 2)])
    return np.array([[x / one for x in stirling], *([row[j] / one for row in rows] for j in range(_DEGREE + 1))])


_COEFFICIENTS = _coefficients()


def log_poisson(load: FloatArray, agents: FloatArray) -> FloatArray:
    """Logarithm of load^agents · e^(−load) ÷ Γ(agents + 1), without the cancellation of its three large terms."""
    few = agents < 16
    many = np.where(few, 16.0, agents)
    inverse = 1 / many
    inverse2 = inverse * inverse
    # Stirling's series for ln Γ, what is left after √(2π n)·n^n·e^(−n); below 1e-16 from 16 on.
    stirling = (
        1 / 12 - inverse2 * (1 / 360 - inverse2 * (1 / 1260 - inverse2 * (1 / 1680 - inverse2 * (1 / 1188))))
    ) * inverse
    at_peak = stirling + 0.5 * (np.log(2 * np.pi) + np.log(many))
    if few.any():
        people = agents[few]
        at_peak[few] = np.log(_factorial(people) * np.exp(people) / people**people)
    result: FloatArray = -(at_peak + _deviance(load, agents))
    return result


def _deviance(load: FloatArray, agents: FloatArray) -> FloatArray:
    """agents·ln(agents ÷ load) + load − agents to full relative precision, Loader's saddle-point deviance [3]_."""
    v = (agents - load) / (agents + load)
    v2 = v * v
    series = np.full_like(v, 1 / 29)
    for odd in range(27, 1, -2):  # v2 ≤ 1/16: fourteen terms reach 1e-17
        series *= v2
        series += 1 / odd
    near: FloatArray = (agents - load) * v + 2 * agents * v * v2 * series
    far = np.abs(v) > 0.25
    if far.any():
        people, offered = agents[far], load[far]
        # Held off 0: below that the probability is 0 anyway.
        ratio = np.maximum(people / np.maximum(offered, 1e-290), 1e-290)
        near[far] = people * np.log(ratio) + offered - people
    return near
