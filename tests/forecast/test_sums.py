"""Several queues added up: exact means, the variance of sampled sums, and how far surprises go together."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from staffcast.contracts import InputError
from staffcast.forecast import sum_queues
from staffcast.forecast.demand import Demand, count_quantiles
from staffcast.forecast.judging.rolling import Rolled
from staffcast.forecast.sums import common_share

PATHS = 4000


def table(queue, *, mean=40.0, cv=0.2, level=0.3, day=0.4, days=2, shut=8, **more):
    ds = pd.date_range("2026-03-02", periods=24 * days, freq="h", tz="Europe/Berlin", name="ds")
    hour = np.asarray(ds.hour)
    return pd.DataFrame({
        "unique_id": queue, "ds": ds, "open": hour >= shut, "mean": np.where(hour >= shut, mean * (1 + hour / 24), 0.0),
        "rate_cv": cv, "share_level": level, "share_day": day, **more,
    })  # fmt: skip


def demand(*rows, common=0.0):
    return replace(Demand.from_frame(pd.concat(rows)), common=common)


THREE = (table("a"), table("b", mean=12.0, cv=0.4, level=0.1, day=0.6, shut=10), table("c", mean=90.0, cv=0.1, day=0.2))


def variance(rows, common):
    """Of the sum's rate, pair by pair and part by part."""
    total = np.zeros(len(rows[0]))
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            sd, sd2 = one["mean"] * one["rate_cv"], other["mean"] * other["rate_cv"]
            shared = sum(np.sqrt(one[s] * other[s]) for s in ("share_level", "share_day"))
            total += (sd**2 if i == j else common * shared * sd * sd2).to_numpy()
    return total


@pytest.mark.parametrize("common", [0.0, 0.35, 1.0])
def test_means_are_sums_and_the_variance_follows_pair_by_pair(common):
    """Means to the last ticket; Σᵢⱼ of the covariances by a slow double loop."""
    both = demand(*THREE, common=common)
    total = sum_queues(both)
    assert total.queues == ["total"]
    assert total.frame["mean"].tolist() == sum(r["mean"].to_numpy() for r in THREE).tolist()
    found = (total.frame["mean"] * total.frame["rate_cv"]) ** 2
    np.testing.assert_allclose(found, variance(THREE, common), atol=1e-9)
    np.testing.assert_array_equal(total.frame["open"], total.frame["mean"] > 0)
    assert (total.frame.loc[total.frame["mean"] == 0, "rate_cv"] == 0).all()


@pytest.mark.parametrize("common", [0.0, 0.5, 1.0])
def test_the_variance_is_that_of_sampled_sums(common):
    """4,000 paths of the parts, added up: variances of hours and days, within four and a half standard errors."""
    both = demand(*THREE, common=common)
    paths = both.sample(PATHS, of="rates").sum(axis=1)
    total = sum_queues(both).frame
    at = total["open"].to_numpy()
    sd = (total["mean"] * total["rate_cv"]).to_numpy()
    off = paths - paths.mean(axis=0)
    error = np.sqrt(((off[:, at] ** 2).var(axis=0)) / PATHS)
    # Surprises that go together do so as normal variables; made gamma ones they lose up to a hundredth.
    assert (np.abs((off[:, at] ** 2).mean(axis=0) - sd[at] ** 2) < 4.5 * error + 0.01 * sd[at] ** 2).all()
    # Of a day: hours have level and day in common.
    share = (total["share_level"] + total["share_day"]).to_numpy()
    common_sd = sd * np.sqrt(share)
    day = slice(0, 24)
    truth = (sd[day] ** 2 * (1 - share[day])).sum() + common_sd[day].sum() ** 2
    whole = off[:, day].sum(axis=1)
    error = (whole**2).std() / np.sqrt(PATHS)
    assert abs((whole**2).mean() - truth) < 4.5 * error + 0.02 * truth


@pytest.mark.parametrize(("common", "cv"), [(0.0, 0.2 / np.sqrt(4)), (1.0, 0.2)])
def test_equal_queues_in_closed_form(common, cv):
    """Four equal queues whose days are all there is: cv ÷ √4 apart, cv together."""
    rows = [table(q, level=0.0, day=1.0) for q in "abcd"]
    total = sum_queues(demand(*rows, common=common)).frame
    at = total["open"]
    assert total.loc[at, "rate_cv"].to_numpy() == pytest.approx(cv)
    assert total.loc[at, "share_day"].to_numpy() == pytest.approx(1)
    assert (total["share_level"] == 0).all()


def test_the_quantiles_are_those_of_the_sum():
    """Columns as before, at the sum's mean and spread; they hold what sampled sums of whole tickets do."""
    both = demand(*(r.assign(q05=0.0, **{"q97.5": 0.0}) for r in THREE), common=0.5)
    total = sum_queues(both).frame
    columns = [c for c in total.columns if c.startswith("q")]
    assert columns == ["q05", "q97.5"]
    expected = count_quantiles(total["mean"], total["rate_cv"], [0.05, 0.975])
    np.testing.assert_array_equal(total[columns].to_numpy(), expected)
    counts = both.sample(PATHS).sum(axis=1)[:, total["open"]]
    low, high = total.loc[total["open"], columns].to_numpy().T
    assert (counts < low).mean() == pytest.approx(0.05, abs=0.01)
    assert (counts > high).mean() == pytest.approx(0.025, abs=0.01)


def test_one_queue_is_its_own_sum():
    """A group of one has its queue's numbers, whatever is in common."""
    both = demand(*THREE, common=0.7)
    alone = sum_queues(both, {"just b": ["b"]}).frame
    rows = both.of("b")
    at = rows["open"]
    for column in ("mean", "rate_cv", "share_level", "share_day", "carried"):
        np.testing.assert_allclose(alone.loc[at, column], rows.loc[at, column], err_msg=column)
    assert (alone["unique_id"] == "just b").all()


def test_groups_are_added_up_one_by_one():
    """Several groups, overlapping too, in their order; sums of sums agree."""
    both = demand(*THREE)
    found = sum_queues(both, {"team": ["b", "a"], "all": ["a", "b", "c"], "c only": ["c"]})
    assert found.queues == ["team", "all", "c only"]
    parts = found.of("team")["mean"] + found.of("c only")["mean"]
    np.testing.assert_allclose(parts, found.of("all")["mean"])
    pd.testing.assert_series_equal(found.of("all")["mean"], sum_queues(both).frame["mean"])


def test_handle_times_are_averages_over_tickets():
    """By hand: 30 tickets of 300 s and 10 of 700 s are 400 s; a queue without handle times does not count."""
    rows = [table("a", mean=30.0, aht_s=300.0), table("b", mean=10.0, aht_s=700.0), table("c", mean=99.0, aht_s=np.nan)]
    total = sum_queues(demand(*rows)).frame
    assert total.loc[total["open"], "aht_s"].to_numpy() == pytest.approx(400)
    assert total.loc[~total["open"], "aht_s"].isna().all()
    assert sum_queues(demand(rows[2])).frame["aht_s"].isna().all()


def test_what_waits_at_opening_is_added_up():
    """The carried parts sum, and the sum is open when one of its queues is."""
    rows = [table("a", shut=8), table("b", shut=10)]
    for each in rows:
        each["carried"] = np.where(each["mean"] > 0, each["mean"] / 4, 0.0)
    total = sum_queues(demand(*rows)).frame
    np.testing.assert_allclose(total["carried"], total["mean"] / 4)
    assert total["open"].to_numpy().reshape(2, 24).sum(axis=1).tolist() == [16, 16]


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ({"x": ["a", "nope"]}, "`groups` must be queues of the demand: a, b, c, got 'nope'"),
        ({"x": []}, "`groups` must be a group with at least one queue, got 'x'"),
    ],
)
def test_wrong_groups(groups, says):
    """An unknown queue is named beside those there are; an empty group by its name."""
    with pytest.raises(InputError) as caught:
        sum_queues(demand(*THREE), groups)
    assert str(caught.value) == says


# How far surprises go together


def rolled(rng, *, common, days=28, origins=6, levels=(300.0, 80.0), cv=0.15, hours=16):
    """Forecasts of queues whose days have factors with a correlation, and what came."""
    runs = {f"q{k}": [] for k in range(len(levels))}
    for origin in range(origins):
        shared = rng.standard_normal((days, 1))
        start = pd.Timestamp("2026-01-05", tz="UTC") + pd.Timedelta(days=14 * origin)
        for k, level in enumerate(levels):
            z = np.sqrt(common) * shared + np.sqrt(1 - common) * rng.standard_normal((days, 1))
            mean = np.full((days, hours), level / hours)
            y = rng.poisson(mean * np.maximum(1 + cv * z, 0)).astype(float)
            runs[f"q{k}"].append(
                Rolled(
                    unique_id=f"q{k}", model="m", origin=start,
                    days=days, y=y.ravel(), mean=mean.ravel(), day=np.repeat(np.arange(days) + 14 * origin, hours),
                    special=np.zeros(days * hours, dtype=bool), naive_scale=1.0, cpu_s=0.0,
                )
            )  # fmt: skip
    return runs


@pytest.mark.parametrize("common", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("levels", [(300.0, 80.0), (400.0, 40.0, 150.0)])
def test_a_planted_correlation_is_recovered(common, levels):
    """On average over 30 backtests within four standard errors, in small queues too: Poisson noise is taken out."""
    rng = np.random.default_rng(11)
    found = np.array([common_share(rolled(rng, common=common, levels=levels)) for _ in range(30)])
    assert abs(found.mean() - common) < 4 * found.std() / np.sqrt(30) + 0.01
    assert found.std() < 0.2


def test_unrelated_queues_have_nothing_in_common():
    """Chance alone leaves a few hundredths, never less than none; opposite surprises are none."""
    rng = np.random.default_rng(12)
    found = np.array([common_share(rolled(rng, common=0.0)) for _ in range(30)])
    assert found.mean() < 2 / np.sqrt(6 * 28)
    assert (found >= 0).all()
    assert (found == 0).any()


def test_the_same_queue_twice_has_everything_in_common():
    """Two queues that are one, big enough for Poisson noise not to matter: 1, and no more."""
    runs = rolled(np.random.default_rng(13), common=1.0, levels=(3e5, 3e5))
    assert common_share(runs) == pytest.approx(1, abs=0.01)
    assert common_share({"a": runs["q0"], "b": runs["q0"]}) == 1.0


def test_too_little_to_tell_is_nothing_in_common():
    """One queue, none, queues without runs, or under 28 days together."""
    runs = rolled(np.random.default_rng(14), common=0.9)
    assert common_share({}) == common_share({"a": runs["q0"]}) == common_share({"a": runs["q0"], "b": []}) == 0.0
    few = rolled(np.random.default_rng(14), common=1.0, days=27, origins=1)
    assert common_share(few) == 0.0
    assert common_share(rolled(np.random.default_rng(14), common=1.0, days=28, origins=1)) > 0.5
    exact = {q: [replace(one, y=one.mean) for one in each] for q, each in runs.items()}
    assert common_share(exact) == 0.0


def test_what_is_not_known_does_not_count():
    """Hours of one queue that are not known are left out of both its sums; whole days so are left out of the pair's."""
    runs = rolled(np.random.default_rng(15), common=0.8)
    holes = [replace(one, y=np.where(one.day % 7 == 3, np.nan, one.y)) for one in runs["q0"]]
    without = {
        q: [replace(o, y=o.y[o.day % 7 != 3], mean=o.mean[o.day % 7 != 3], day=o.day[o.day % 7 != 3]) for o in each]
        for q, each in runs.items()
    }
    assert common_share({"a": holes, "b": runs["q1"]}) == pytest.approx(common_share(without))
