"""Weights of models: an independent optimiser, clear and equal cases, and that no origin weighs itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from staffcast.forecast.judging.combine import combined, deviance, in_the_race, weigh, weigh_fairly
from staffcast.forecast.judging.rolling import Rolled

START = pd.Timestamp("2025-06-02", tz="UTC")


def run(name, y, mean, *, origin=0):
    y, mean = np.broadcast_arrays(np.asarray(y, dtype=float), np.asarray(mean, dtype=float))
    return Rolled(
        unique_id="q", model=name, origin=START + pd.Timedelta(days=origin), days=7.0, y=y.copy(), mean=mean.copy(),
        day=np.arange(len(y)) // 24, special=np.zeros(len(y), dtype=bool), naive_scale=1.0, cpu_s=0.25,
    )  # fmt: skip


def noisy_runs(rng, names, *, n=400, level=30.0, noise=0.3, origins=3, shared=0.0):
    """Unbiased forecasts whose errors are independent but for a ``shared`` part."""
    runs = []
    for origin in range(origins):
        rate = level * rng.uniform(0.5, 1.5, n)
        y = rng.poisson(rate).astype(float)
        common = rng.standard_normal(n)
        for k, name in enumerate(names):
            size = noise[k] if np.ndim(noise) else noise
            off = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal(n)
            runs.append(run(name, y, rate * np.exp(size * off - size**2 / 2), origin=origin * 14))
    return runs


def test_deviance_is_that_of_the_likelihood():
    """Twice the log likelihood ratio of Poisson counts, by scipy's probabilities."""
    y, f = np.array([0.0, 1, 7, 40]), np.array([0.4, 1.5, 5, 44.0])
    ratio = stats.poisson.logpmf(y, np.maximum(y, 1e-300)) - stats.poisson.logpmf(y, f)
    assert deviance(y, f) == pytest.approx(2 * ratio.sum())
    assert deviance(np.append(y, np.nan), np.append(f, 9.0)) == deviance(y, f)


def test_a_forecast_of_nothing_is_bad_but_not_impossible():
    """Where a ticket came that was not expected, deviance is large and finite."""
    assert 5 < deviance(np.ones(1), np.zeros(1)) < 100
    assert deviance(np.zeros(1), np.zeros(1)) < 0.1


@pytest.mark.parametrize(("name", "most"), [("a", 0.05), ("glm", 0.05), ("house", 0.2), ("low_rank", 0.2)])
@pytest.mark.parametrize("miss", [10.1, 10.22, 10.3, 10.9, 11.05, 12.0])
def test_five_percent_of_deviance_decide_who_takes_part(name, most, miss):
    """Beside a model that is off by 10 of 100, one of 5 % more deviance takes part; a trusted one of 20 % more."""
    runs = [run(name, np.full(50, 100.0), 100.0 + miss), run("b", np.full(50, 100.0), 110.0)]
    excess = deviance(runs[0].y, runs[0].mean) / deviance(runs[1].y, runs[1].mean) - 1
    assert abs(excess - most) > 0.001
    assert list(in_the_race(runs)) == (["b", name] if excess < most else ["b"])


def test_equal_forecasts_share_as_models_are_trusted():
    """Where the backtest says nothing, the house model and its low-rank form have five times a regression's weight."""
    runs = [run(name, np.full(40, 9.0), 10.0) for name in ("glm", "house", "low_rank", "mean_4")]
    whole = 1 + 1 + 0.2  # the mean's 0.1 would be under 5 % and is left out
    expected = {"house": 1 / whole, "low_rank": 1 / whole, "glm": 0.2 / whole}
    assert weigh(runs) == pytest.approx(expected, abs=1e-6)


def test_the_clearly_best_model_gets_all():
    """A model at the true rate beside two that are off by 30 % and 50 % gets weight 1."""
    runs = noisy_runs(np.random.default_rng(1), ["bad", "good", "worse"], noise=(0.3, 0.0, 0.5))
    assert weigh(runs) == {"good": 1.0}


def test_two_equally_good_independent_forecasts_get_half_each():
    """Half each to 0.1, and together they err less than either alone."""
    for seed in range(5):
        runs = noisy_runs(np.random.default_rng(seed), ["a", "b"], noise=0.25, n=1500)
        weights = weigh(runs)
        if len(in_the_race(runs)) == 2:
            assert weights["a"] == pytest.approx(0.5, abs=0.1)
            assert weights["b"] == pytest.approx(1 - weights["a"])
            alone = min(in_the_race(runs).values())
            assert sum(deviance(one.y, one.mean) for one in combined(runs, weights)) < alone


def test_the_same_forecast_thrice_gets_a_third_each():
    """Forecasts that are all the same share equally."""
    runs = [run(name, np.full(40, 9.0), 10.0) for name in "abc"]
    assert weigh(runs) == pytest.approx(dict.fromkeys("abc", 1 / 3), abs=1e-6)


def test_one_model_alone_gets_all():
    """There is nothing to weigh."""
    assert weigh([run("a", np.full(4, 9.0), 10.0)]) == {"a": 1.0}


@pytest.mark.parametrize("mean", [0.0, 5.0])
def test_forecasts_without_error_share_equally(mean):
    """Nothing came and nothing was expected, or exactly what was: equal weights, no division by 0."""
    runs = [run(name, np.full(40, mean), mean) for name in "ab"]
    assert weigh(runs) == pytest.approx({"a": 0.5, "b": 0.5}, abs=1e-6)


def by_slsqp(runs, names):
    """Minimise the mean squared Pearson error of the weighted forecast and the pull to trusted weights, on the simplex.

    The error is taken from the weighted forecast itself, in units of the models' mean squared error; the penalty is
    10 % of that times Σ(w − t)² ÷ (k·t), t the trusted weights of the k models; weights below 5 % are left out and the
    rest sought anew.
    """
    trust = np.array([{"house": 1.0, "glm": 0.2}.get(name, 0.1) for name in names])
    trust = trust / trust.sum()
    y = np.concatenate([one.y for one in runs if one.model == names[0]])
    table = np.column_stack([np.concatenate([one.mean for one in runs if one.model == name]) for name in names])
    known = ~np.isnan(y)
    y, table = y[known], table[known]
    size = np.sqrt(np.maximum(table.mean(axis=1), 0.02))

    def pearson(forecast):
        return float(np.mean(((forecast - y) / size) ** 2))

    unit = np.mean([pearson(column) for column in table.T])
    found = optimize.minimize(
        lambda w: pearson(table @ w) / unit + 0.1 * ((w - trust) ** 2 / trust).sum() / len(names),
        np.full(len(names), 1 / len(names)), bounds=[(0, 1)] * len(names), method="SLSQP",
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    assert found.success
    weights = dict(zip(names, found.x, strict=True))
    kept = [name for name in names if weights[name] >= 0.05]
    return weights if len(kept) == len(names) else by_slsqp(runs, kept)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("level", [0.3, 30.0])
def test_weights_are_those_of_another_optimiser(seed, level):
    """SLSQP of scipy on the plain objective, errors correlated, some counts unknown, finds the same weights."""
    rng = np.random.default_rng(seed)
    names = ["house", "glm", "m2", "m3", "m4"][(seed // 4) : 2 + seed % 4 + seed // 8]
    noise = 0.06 + 0.03 * rng.random(len(names)) if level > 1 else 0.2 + 0.1 * rng.random(len(names))
    runs = noisy_runs(rng, names, noise=noise, shared=0.5 * rng.random(), level=level)
    lost = rng.random(400) < 0.1
    runs = [replace(one, y=np.where(lost, np.nan, one.y)) for one in runs]
    weights, expected = weigh(runs), by_slsqp(runs, list(in_the_race(runs)))
    assert weights.keys() == expected.keys()
    assert weights == pytest.approx(expected, abs=1e-4)


@settings(max_examples=50, deadline=None)
@given(
    count=st.integers(1, 6), level=st.floats(0, 200), origins=st.integers(1, 4), n=st.integers(1, 60),
    noise=st.floats(0, 1), lost=st.floats(0, 0.9), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_weights_are_shares(count, level, origins, n, noise, lost, seed):
    """Any forecasts give weights of known models, each ≥ 5 %, summing to 1, the heaviest first."""
    rng = np.random.default_rng(seed)
    names = [f"m{k}" for k in range(count)]
    runs = noisy_runs(rng, names, noise=noise, level=level, origins=origins, n=n)
    gone = rng.random(n) < lost
    gone[0] = False
    weights = weigh([replace(one, y=np.where(gone, np.nan, one.y)) for one in runs])
    assert set(weights) <= set(names)
    assert sum(weights.values()) == pytest.approx(1)
    assert min(weights.values()) >= 0.05
    assert list(weights.values()) == sorted(weights.values(), reverse=True)


@pytest.mark.parametrize("place", [(3, 4, 5, 8, 7, 6, 2, 0, 1), (0, 3, 6, 7, 4, 1, 2, 5, 8)])
def test_the_order_of_forecasts_does_not_matter(place):
    """Shuffled forecasts, the origins of each model in one order or not, get the same weights."""
    runs = noisy_runs(np.random.default_rng(3), ["a", "b", "c"], noise=0.08)
    assert weigh([runs[k] for k in place]) == pytest.approx(weigh(runs), abs=1e-9)


def test_combined_is_the_weighted_mean():
    """Origin by origin Σ weight × forecast, the counts as they were; who is missing leaves its weight to the others."""
    runs = [
        run("a", np.full(3, 9.0), 10.0), run("b", np.full(3, 9.0), 20.0), run("c", np.full(3, 9.0), 500.0),
        run("a", np.full(3, 7.0), 30.0, origin=7),
    ]  # fmt: skip
    first, second = combined(runs, {"a": 0.75, "b": 0.25})
    assert first.mean.tolist() == [12.5] * 3
    assert second.mean.tolist() == [30.0] * 3
    assert (first.y.tolist(), second.y.tolist()) == ([9.0] * 3, [7.0] * 3)
    assert first.model == second.model == "auto"
    assert first.origin < second.origin
    assert combined(runs, {"d": 1.0}) == []


def swap_winners(runs, origin):
    """The same forecasts, the counts at one origin such that another model would be the best there."""
    worst = {one.origin: one.mean for one in runs if one.model == "b"}
    return [replace(one, y=np.round(worst[one.origin])) if one.origin == origin else one for one in runs]


def means_that_change(fairly, runs):
    """Origins whose combined forecast changes when only the counts there do."""
    changed = []
    for origin in dict.fromkeys(one.origin for one in runs):
        before, after = (
            [one.mean for one in fairly(case) if one.origin == origin] for case in (runs, swap_winners(runs, origin))
        )
        if not np.array_equal(before, after):
            changed.append(origin)
    return changed


def test_no_origin_weighs_itself():
    """What came at an origin changes nothing in the combined forecast from there."""
    runs = noisy_runs(np.random.default_rng(4), ["a", "b", "c"], noise=0.1, origins=4)
    assert means_that_change(weigh_fairly, runs) == []


def test_an_origin_that_weighs_itself_is_found():
    """Weights from all origins, as planted here, are caught by the same check at each of them."""
    runs = noisy_runs(np.random.default_rng(4), ["a", "b", "c"], noise=0.1, origins=4)
    assert len(means_that_change(lambda case: combined(case, weigh(case)), runs)) == 4


def test_fair_weights_are_those_of_the_other_origins():
    """Each origin's forecast is the mean with weights from the other three."""
    runs = noisy_runs(np.random.default_rng(6), ["a", "b", "c"], noise=0.1, origins=4)
    for one in weigh_fairly(runs):
        weights = weigh([r for r in runs if r.origin != one.origin])
        there = {r.model: r.mean for r in runs if r.origin == one.origin}
        np.testing.assert_allclose(one.mean, sum(w * there[name] for name, w in weights.items()))


def test_an_origin_of_which_nothing_is_known_breaks_nothing():
    """Where the counts of one of two origins are all unknown, both still have a finite combined forecast."""
    runs = noisy_runs(np.random.default_rng(4), ["a", "b"], noise=0.1, origins=2)
    lost = [replace(one, y=one.y * np.nan) if one.origin == runs[0].origin else one for one in runs]
    fair = weigh_fairly(lost)
    assert len(fair) == 2
    assert all(np.isfinite(one.mean).all() for one in fair)


def test_a_model_that_missed_a_hard_origin_is_not_fairly_the_best():
    """A model without forecasts from the first, hard origin does not win by its smaller sum of errors.

    Every origin keeps its combined forecast, and where both were tried the better one has the most weight.
    """
    rng = np.random.default_rng(9)
    runs = noisy_runs(rng, ["old", "young"], noise=(0.10, 0.15), origins=3)
    first = runs[0].origin
    runs = [one for one in runs if not (one.model == "young" and one.origin == first)]
    fair = weigh_fairly(runs)
    assert [one.origin for one in fair] == list(dict.fromkeys(one.origin for one in runs))
    last = runs[-1].origin
    old = next(one.mean for one in runs if one.origin == last and one.model == "old")
    np.testing.assert_allclose(next(one.mean for one in fair if one.origin == last), old)


def test_models_with_forecasts_of_unlike_origins_are_weighed_all_the_same():
    """Two models that are good alike, one of them without the quiet first origin, do not break the weighing."""
    rng = np.random.default_rng(10)
    quiet = [run("old", np.zeros(50), 0.02)]
    busy = noisy_runs(rng, ["old", "young"], noise=0.02, origins=2)
    fair = weigh_fairly([*quiet, *[replace(one, origin=one.origin + pd.Timedelta(days=50)) for one in busy]])
    assert len(fair) == 3
