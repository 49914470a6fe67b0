"""The histogram of the probability integral transform: by simulation, by hand, and what a planner reads from it."""

import numpy as np
import pandas as pd
import pytest
from forecast_series import FAST, poisson
from scipy import stats

from staffcast.contracts import InputError
from staffcast.forecast import backtest, pit
from staffcast.forecast.demand import count_cdf
from staffcast.forecast.judging.scores import PIT_BINS, pit_shares
from staffcast.report.summary import pit_of, pit_words


def histogram(y, mean, cv=0.0):
    return pit_shares(count_cdf(y - 1, mean, cv), count_cdf(y, mean, cv))


@pytest.mark.parametrize("mean", [0.05, 0.7, 4.0, 60.0])
def test_it_is_the_mean_of_randomised_transforms(mean):
    """A count drawn evenly between P(N < y) and P(N ≤ y) falls in each tenth as often, within four standard errors."""
    rng = np.random.default_rng(3)
    y = rng.poisson(1.3 * mean, 2000).astype(float)
    below, upto = stats.poisson.cdf(y - 1, mean), stats.poisson.cdf(y, mean)
    drawn = below + rng.random((200, len(y))) * (upto - below)
    shares = np.histogram(drawn, bins=PIT_BINS, range=(0, 1))[0] / drawn.size
    error = np.sqrt(np.maximum(shares, 1e-5) / drawn.size)
    assert (np.abs(histogram(y, mean) - shares) < 4 * error + 1e-9).all()


@pytest.mark.parametrize("mean", [0.3, 5.0, 80.0])
@pytest.mark.parametrize("cv", [0.0, 0.3])
def test_the_right_distribution_is_flat(mean, cv):
    """Counts drawn from the distribution that they are held against: a tenth in each part, within four errors."""
    rng = np.random.default_rng(4)
    rate = mean * (rng.gamma(1 / cv**2, cv**2, 20000) if cv else 1.0)
    shares = histogram(rng.poisson(rate, 20000).astype(float), mean, cv)
    assert shares.sum() == pytest.approx(1)
    assert np.abs(shares - 0.1).max() < 4 * np.sqrt(0.09 / 20000)


@pytest.mark.parametrize(
    ("factor", "cv", "told"),
    [(1.0, 0.0, "narrower than they should be"), (1.0, 0.6, "wider than they need be"), (1.0, 0.3, "they are"),
     (1.25, 0.45, "more came above"), (0.75, 0.45, "more came below")],
)  # fmt: skip
def test_what_a_planner_reads(factor, cv, told):
    """Rates of a spread of 30 %: bands without it are narrow, with twice it wide, and a bias is named."""
    rng = np.random.default_rng(5)
    y = rng.poisson(50 * factor * rng.gamma(1 / 0.09, 0.09, 5000)).astype(float)
    assert told in pit_words(histogram(y, 50.0, cv))


def test_pit_of_a_backtest_is_the_mean_of_its_origins():
    """Ten rows per queue and model whose shares sum to 1 and are the means of the columns; the report takes auto."""
    scores = backtest(poisson(70, level=4), models=FAST, horizon="7d", origins=3, step="7d")
    table = pit(scores)
    models = list(scores["model"].unique())
    assert list(table["model"].unique()) == models
    assert len(table) == PIT_BINS * len(models)
    for name in models:
        mine, rows = table[table["model"] == name], scores[scores["model"] == name]
        assert mine["share"].sum() == pytest.approx(1)
        np.testing.assert_allclose(mine["share"], [rows[f"pit_{k}"].mean() for k in range(1, 11)])
        np.testing.assert_allclose(mine["high"] - mine["low"], 0.1)
    queue = scores["unique_id"].iloc[0]
    np.testing.assert_allclose(pit_of(scores, queue, "house"), table.loc[table["model"] == "auto", "share"])
    assert pit_of(None, queue, "house") is None
    assert pit_of(scores, "nobody", "house") is None


def test_pit_needs_a_backtest():
    """Another table is refused, and the missing column named."""
    with pytest.raises(InputError, match="pit_1"):
        pit(pd.DataFrame({"unique_id": ["a"], "model": ["m"]}))


def test_what_was_ruled_out_lies_at_the_end():
    """A ticket where none was possible, and a thousand where one was expected, count in the last tenth."""
    shares = histogram(np.array([1.0, 1000.0]), np.array([0.0, 1.0]))
    np.testing.assert_allclose(shares, [0] * 9 + [1], atol=1e-12)


def test_nothing_has_no_histogram():
    """No count, no shares."""
    assert np.isnan(pit_shares(np.zeros(0), np.zeros(0))).all()
