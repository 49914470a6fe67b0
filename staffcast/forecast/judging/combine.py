"""Which models forecast a queue, with what weights: those that were good in the backtest, shrunk to long-run ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from staffcast.forecast.judging.rolling import Rolled
from staffcast.forecast.past.days import Floats

__all__ = ["COMBINED", "combined", "comparable", "deviance", "in_the_race", "weigh", "weigh_fairly"]

COMBINED = "auto"

_LEAST_MEAN = 0.02
# A model may be worse than the best by this much, relative, and still take part; one trusted from many logs by more.
_RACE, _TRUSTED_RACE = 0.05, 0.20
# So much more error, relative, a set of weights must save to move from the long-run ones by as much as they are.
_SHRINK = 0.1
# What models are worth beside each other before a queue has said anything: six backtests of one queue cannot overrule
# what all logs say together.
_TRUST = {"house": 1.0, "low_rank": 1.0, "siblings": 1.0, "glm": 0.2, "prophet": 0.2}
_LITTLE_TRUST = 0.1
_SMALL_WEIGHT = 0.05
_HARD = 1e4


def deviance(y: Floats, mean: Floats) -> float:
    """Poisson deviance of counts around a forecast; a forecast of nothing counts as a little, not as impossible."""
    known = ~np.isnan(y)
    y, f = y[known], np.maximum(mean[known], _LEAST_MEAN)
    return float(2 * (special.xlogy(y, y / f) - y + f).sum())


def comparable(rolled: Sequence[Rolled]) -> list[Rolled]:
    """The forecasts of origins that every model tried and after which something is known.

    Early origins are too early for some models: only where all were tried are their errors alike.
    """
    tried: dict[str, set[object]] = {}
    for one in rolled:
        tried.setdefault(one.model, set()).add(one.origin)
    common = set.intersection(*tried.values()) if tried else set()
    return [one for one in rolled if one.origin in common and np.nansum(one.y) > 0]


def in_the_race(rolled: Sequence[Rolled]) -> dict[str, float]:
    """Poisson deviance of the models that are no more than 5 % (trusted ones 20 %) worse than the best, the best first.

    Least absolute error would favour a forecast that is too low wherever counts are small, as a Poisson count's median
    lies below its mean; deviance is least at the mean (Gneiting, "Making and evaluating point forecasts", JASA 106,
    2011, doi:10.1198/jasa.2011.r10138), and staffing needs the mean.
    """
    total: dict[str, float] = {}
    for one in rolled:
        total[one.model] = total.get(one.model, 0.0) + deviance(one.y, one.mean)
    best = min(total.values())
    return {name: d for name, d in sorted(total.items(), key=lambda item: item[1]) if d <= best * (1 + _margin(name))}


def _margin(name: str) -> float:
    return _TRUSTED_RACE if _TRUST.get(name, _LITTLE_TRUST) >= 1 else _RACE


def weigh(rolled: Sequence[Rolled]) -> dict[str, float]:
    """Weights of the models that take part, from forecasts of the same origins.

    Parameters
    ----------
    rolled : sequence of Rolled
        Of one queue; each model with the same origins.

    Returns
    -------
    dict of model to weight
        Above 0, summing to 1, the heaviest first.

    Notes
    -----
    Of the models in the race, long-run weights w̄ (the house model and its low-rank form 1 : 1, regressions 0.2, means
    0.1), moved by least squares of the Pearson errors as far as these save more than the penalty, Σ(w − w̄)² ÷ w̄;
    weights below 5 % are dropped. Fixed weights are hard to beat (J. M. Bates, C. W. J. Granger, "The
    combination of forecasts", OR 20(4), 1969, pp. 451–468, doi:10.1057/jors.1969.103; J. Smith, K. F. Wallis, "A simple
    explanation of the forecast combination puzzle", Oxford Bulletin of Economics and Statistics 71(3), 2009, pp.
    331–355, doi:10.1111/j.1468-0084.2008.00541.x).
    """
    names = list(in_the_race(rolled))
    while len(names) > 1:
        found = _least_squares(rolled, names)
        kept = [name for name in names if found[name] >= _SMALL_WEIGHT]
        if len(kept) == len(names):
            return dict(sorted(found.items(), key=lambda item: -item[1]))
        names = kept
    return {names[0]: 1.0}


def _least_squares(rolled: Sequence[Rolled], names: Sequence[str]) -> dict[str, float]:
    rolled = sorted(rolled, key=lambda r: r.origin)
    by_model = {name: np.concatenate([r.mean for r in rolled if r.model == name]) for name in names}
    y = np.concatenate([r.y for r in rolled if r.model == names[0]])
    known = ~np.isnan(y)
    forecasts = np.column_stack([by_model[name][known] for name in names])
    scale = 1 / np.sqrt(np.maximum(forecasts.mean(axis=1), _LEAST_MEAN))
    errors = (forecasts - y[known, None]) * scale[:, None]
    # Of weights that sum to 1 the error is w'Gw; G's root makes it least squares, with two rows for what is wished.
    gram = errors.T @ errors / len(errors)
    unit = float(np.trace(gram)) / len(names)
    values, vectors = np.linalg.eigh(gram / unit if unit > 0 else gram)
    root = vectors.T * np.sqrt(np.maximum(values, 0.0))[:, None]
    count = len(names)
    trust = np.array([_TRUST.get(name, _LITTLE_TRUST) for name in names])
    usual = trust / trust.sum()
    firm = np.sqrt(_SHRINK / (usual * count))
    wish = np.vstack([root, np.diag(firm), _HARD * np.ones((1, count))])
    right = np.concatenate([np.zeros(count), firm * usual, [_HARD]])
    # Not at the top: it takes longer to load than most commands take.
    from scipy import optimize

    weights, _ = optimize.nnls(wish, right)
    weights = weights / weights.sum()
    return dict(zip(names, map(float, weights), strict=True))


def combined(rolled: Sequence[Rolled], weights: Mapping[str, float]) -> list[Rolled]:
    """The weighted mean of the models' forecasts, origin by origin, as if it were a model."""
    by_origin: dict[object, dict[str, Rolled]] = {}
    for one in rolled:
        by_origin.setdefault(one.origin, {})[one.model] = one
    result = []
    for there in by_origin.values():
        used = {name: w for name, w in weights.items() if name in there}
        if not used:
            continue
        mean = sum(w * there[name].mean for name, w in used.items()) / sum(used.values())
        first = next(iter(there.values()))
        cpu_s = sum(one.cpu_s for one in there.values())
        result.append(replace(first, model=COMBINED, mean=np.asarray(mean), cpu_s=cpu_s))
    return result


def weigh_fairly(rolled: Sequence[Rolled]) -> list[Rolled]:
    """The combination as it would have been judged: each origin with weights from the others."""
    origins = list(dict.fromkeys(r.origin for r in rolled))
    alike = comparable(rolled)
    result: list[Rolled] = []
    for origin in origins:
        there = [r for r in rolled if r.origin == origin]
        others = [r for r in alike if r.origin != origin]
        # Nothing to learn weights from: equal ones.
        weights = weigh(others) if others else {r.model: 1 / len(there) for r in there}
        if not any(r.model in weights for r in there):
            weights = {r.model: 1 / len(there) for r in there}
        result += combined(there, weights)
    return result
