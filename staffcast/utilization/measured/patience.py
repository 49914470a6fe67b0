"""How long customers wait before they give up, from waits of which most end with an answer.

An answer ends the observation: such a customer would have waited at least so long (right censoring). The mean wait of
those who left is far below patience, as most would have been answered before they lost it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from staffcast.contracts import bad_value
from staffcast.utilization.estimate import Estimate, spread
from staffcast.utilization.survival import kaplan_meier

__all__ = ["HazardCheck", "Weibull", "exponential_patience", "hazard_check", "weibull_patience"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Phone systems write whole seconds; who leaves in the first has waited about half of it.
_SHORTEST_S = 0.5
_NORMAL = float(stats.norm.ppf(0.975))
_EXACT_BELOW = 50


@dataclass(frozen=True, kw_only=True)
class Weibull:
    """Weibull patience: P(longer than t) = exp(−(t ÷ scale)^shape).

    Attributes
    ----------
    shape : Estimate
        Below 1 those who have waited for long are the less likely to leave; 1 is the exponential.
    scale : Estimate
        [s]
    mean_s : float
        scale · Γ(1 + 1 ÷ shape). [s]
    p_exponential : float
        Probability of a likelihood so much better than the exponential's if patience were exponential.
    """

    shape: Estimate
    scale: Estimate
    mean_s: float
    p_exponential: float


@dataclass(frozen=True, kw_only=True, eq=False)
class HazardCheck:
    """The rate of giving up by time waited, beside one constant rate.

    Attributes
    ----------
    edges_s : ndarray, shape (b + 1,)
        Ends of the spans of waiting.
    hazard : ndarray, shape (b,)
        Who gave up in the span ÷ all waiting in it. [1/s]
    low, high : ndarray, shape (b,)
        Exact 95 % intervals.
    gone : ndarray, shape (b,)
        How many gave up.
    p_constant : float
        Probability of spans so different if the rate were one.
    farthest : float
        Largest distance, up to the last who gave up, between the share still waiting by Kaplan–Meier and the
        exponential's.
    """

    edges_s: Floats
    hazard: Floats
    low: Floats
    high: Floats
    gone: Floats
    p_constant: float
    farthest: float


def exponential_patience(waited_s: Floats, gone: Flags, units: Ints | None) -> Estimate:
    """Mean patience where the chance to leave is the same at every moment: all waiting ÷ those who gave up.

    Parameters
    ----------
    waited_s : ndarray, shape (n,)
        Until answered, gone, or no longer seen. [s]
    gone : ndarray of bool, shape (n,)
        Gave up.
    units : ndarray of int, shape (n,), or None
        Days.

    Returns
    -------
    Estimate
        ``n`` is how many gave up; NaN where nobody did. The interval is the exact one of a Poisson count below 50, else
        from the spread of days.

    References
    ----------
    .. [1] L. Brown et al., "Statistical analysis of a telephone call center: a queueing-science perspective",
       JASA 100(469), 2005, sec. 5. doi:10.1198/016214504000001808.
    .. [2] F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28 (1936) 437–442.
       doi:10.1093/biomet/28.3-4.437.

    Examples
    --------
    >>> exponential_patience(np.array([100.0, 200.0, 300.0]), np.array([True, False, False]), None).value
    600.0
    """
    _checked(waited_s)
    events, total = int(gone.sum()), float(waited_s.sum())
    if events == 0 or total == 0:
        return Estimate(value=np.nan, n=events)
    value = total / events
    if events < _EXACT_BELOW:
        low, high = _poisson(events)
        return Estimate(value=value, low=total / high, high=total / low, n=events, how="exact")
    rate = events / total
    found = spread((gone - rate * waited_s) / total, units)
    far = found.critical * found.se / rate
    return Estimate(value=value, low=value * math.exp(-far), high=value * math.exp(far), n=events, how=found.unit)


def weibull_patience(waited_s: Floats, gone: Flags) -> Weibull | None:
    """Weibull patience by censored maximum likelihood; None with fewer than two different times of giving up.

    Notes
    -----
    The scale that is likeliest for a shape k is (Σ tᵢᵏ ÷ d)^{1/k} over all waits, d of whom gave up; k is the root of
    1/k + mean(log t of the gone) − Σ tᵢᵏ log tᵢ ÷ Σ tᵢᵏ [1]_, which falls with k. Intervals are of the logarithms, from
    the observed information.

    References
    ----------
    .. [1] J. F. Lawless, "Statistical Models and Methods for Lifetime Data", 2nd ed. 2003, sec. 5.2.
       doi:10.1002/9781118033005.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> patience, answer = 300 * rng.weibull(2.0, 4000), rng.exponential(200, 4000)
    >>> found = weibull_patience(np.minimum(patience, answer), patience < answer)
    >>> found.shape.low < 2 < found.shape.high, found.scale.low < 300 < found.scale.high
    (True, True)
    """
    _checked(waited_s)
    events = int(gone.sum())
    waits = waited_s[(waited_s > 0) | gone]
    left = gone[(waited_s > 0) | gone]
    waits = np.where(waits == 0, min(_SHORTEST_S, float(waits[waits > 0].min(initial=_SHORTEST_S))), waits)
    if events < 2 or len(np.unique(waits[left])) < 2:
        return None
    unit = float(waits.sum() / events)  # in units of the exponential's mean powers stay small
    logs = np.log(waits / unit)
    ended = float(logs[left].mean())

    def slope(log_k: float) -> float:
        k = math.exp(log_k)
        weights = np.exp(k * logs - (k * logs).max())
        return 1 / k + ended - float(weights @ logs) / float(weights.sum())

    if slope(math.log(50.0)) > 0 or slope(math.log(0.02)) < 0:
        return None
    log_k = float(optimize.brentq(slope, math.log(0.02), math.log(50.0), xtol=1e-12))
    k = math.exp(log_k)
    log_scale = math.log(float(np.exp(k * logs).sum()) / events) / k
    # Second derivatives by log k and log scale of the log-likelihood Σ_gone(log k + k u − log t) − Σ e^{ku}, where
    # u = log(t ÷ scale).
    u = logs - log_scale
    power = np.exp(k * u)
    by_k = float((power * (k * u) ** 2).sum() + (power * k * u).sum() - k * u[left].sum())
    across = float(k * events - (k * power).sum() - (k**2 * power * u).sum())
    by_scale = float(k**2 * power.sum())
    covariance = np.linalg.inv(np.array([[by_k, across], [across, by_scale]]))
    scale = unit * math.exp(log_scale)
    likelihood = events * (log_k - log_scale) + (k - 1) * float(u[left].sum()) - events
    better = 2 * (likelihood - (-events))  # the exponential's, in units of its mean, is −d
    return Weibull(
        shape=_around(k, math.sqrt(covariance[0, 0]), events),
        scale=_around(scale, math.sqrt(covariance[1, 1]), events),
        mean_s=scale * float(special.gamma(1 + 1 / k)), p_exponential=float(stats.chi2.sf(max(better, 0.0), 1)),
    )  # fmt: skip


def hazard_check(waited_s: Floats, gone: Flags, *, spans: int = 5) -> HazardCheck | None:
    """Rate of giving up by time waited, in spans with about as many who gave up each.

    Returns
    -------
    HazardCheck or None
        None with fewer than ten per span, or where they all left at the same few times.

    Notes
    -----
    Ends ÷ exposure of each span, its count taken as Poisson given the exposure; ``p_constant`` is of the likelihood
    ratio against one rate for all spans, χ² with one degree of freedom less than spans.
    """
    _checked(waited_s)
    times = np.sort(waited_s[gone])
    if len(times) < 10 * spans:
        return None
    edges = np.unique(np.concatenate([[0.0], np.quantile(times, np.arange(1, spans) / spans), times[-1:]]))
    if len(edges) < 3:
        return None
    low, high = edges[:-1], edges[1:]
    exposure = np.clip(waited_s[:, None] - low, 0.0, high - low).sum(axis=0)
    counts = np.diff(np.searchsorted(times, edges, side="right")).astype(float)
    counts[0] += np.searchsorted(times, 0.0, side="right")
    bounds = np.array([_poisson(int(c)) for c in counts])
    rate = counts.sum() / exposure.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 2 * float(special.xlogy(counts, counts / (rate * exposure)).sum())
    curve = kaplan_meier(waited_s, gone)
    mean = float(waited_s.sum()) / len(times)
    before = np.concatenate([[1.0], curve.survival[:-1]])
    model = np.exp(-curve.times / mean)
    farthest = float(max(np.abs(curve.survival - model).max(), np.abs(before - model).max()))
    return HazardCheck(
        edges_s=edges, hazard=counts / exposure, low=bounds[:, 0] / exposure, high=bounds[:, 1] / exposure, gone=counts,
        p_constant=float(stats.chi2.sf(max(ratio, 0.0), len(counts) - 1)), farthest=farthest,
    )  # fmt: skip


def _poisson(count: int) -> tuple[float, float]:
    low = float(stats.chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return low, float(stats.chi2.ppf(0.975, 2 * count + 2)) / 2


def _around(value: float, error: float, n: int) -> Estimate:
    far = _NORMAL * error
    return Estimate(value=value, low=value * math.exp(-far), high=value * math.exp(far), n=n, how="information")


def _checked(waited_s: Floats) -> None:
    wrong = ~((waited_s >= 0) & np.isfinite(waited_s))
    if wrong.any():
        raise bad_value("waited_s", float(waited_s[wrong][0]), "0 or more everywhere", "leave out what is not known")
