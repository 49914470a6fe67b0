"""Sample paths against the table that they are drawn from: means, variances, what goes together."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from staffcast.contracts import InputError
from staffcast.forecast.demand import Demand, count_quantiles
from staffcast.forecast.paths import poisson_counts

PATHS = 4000
LEVEL, DAY, CV = 0.3, 0.4, 0.2


def table(queue="a", *, mean=40.0, cv=CV, level=LEVEL, day=DAY, days=3, shut=8):
    """Three days of hours, closed before eight, busier in the afternoon."""
    ds = pd.date_range("2026-03-02", periods=24 * days, freq="h", tz="Europe/Berlin", name="ds")
    hour = np.asarray(ds.hour)
    return pd.DataFrame({
        "unique_id": queue, "ds": ds, "open": hour >= shut, "mean": np.where(hour >= shut, mean * (1 + hour / 24), 0.0),
        "rate_cv": cv, "share_level": level, "share_day": day,
    })  # fmt: skip


def demand(*rows, common=0.0, seed=1):
    return replace(Demand.from_frame(pd.concat(rows), seed=seed), common=common)


def correlation(left, right):
    """Mean correlation of the intervals of one with those of the other, beside the diagonal if they are the same."""
    found = np.corrcoef(left.T, right.T)[: left.shape[1], left.shape[1] :]
    if left is right:
        found = found[~np.eye(len(found), dtype=bool)]
    return float(np.mean(found))


@pytest.fixture(scope="module")
def rates():
    """Open hours of the first two days of two queues with half in common, shape (paths, queues, days, 16)."""
    both = demand(table("a"), table("b", mean=10.0), common=0.5)
    return both.sample(PATHS, of="rates").reshape(PATHS, 2, 3, 24)[:, :, :2, 8:]


def test_rates_have_the_mean_and_the_variance_of_the_table(rates):
    """Every open interval within 4.5 standard errors, 64 of them, and their averages within 0.5 and 2 %."""
    truth = np.array([40.0, 10.0])[:, None, None] * (1 + np.arange(8, 24) / 24)
    mean, sd = rates.mean(axis=0) / truth, rates.std(axis=0) / truth
    assert np.abs(mean - 1).max() < 4.5 * CV / np.sqrt(PATHS)
    # The kurtosis of a gamma variable is 3 + 6 cv².
    assert np.abs(sd / CV - 1).max() < 4.5 * np.sqrt((2 + 6 * CV**2) / PATHS) / 2
    assert (rates > 0).all()


def test_counts_are_poisson_around_the_rates():
    """Mean as the rate's, variance that and the mean more; whole numbers, of which 80 % lie in the table's 80 %."""
    plain = demand(table())
    counts = plain.sample(PATHS)[:, 0]
    assert (counts == np.floor(counts)).all()
    at = plain.frame["open"].to_numpy()
    mean = plain.frame["mean"].to_numpy()[at]
    variance = mean + (CV * mean) ** 2
    z = (counts[:, at].mean(axis=0) - mean) / np.sqrt(variance / PATHS)
    assert np.abs(z).max() < 4.5
    assert counts[:, at].var(axis=0) / variance == pytest.approx(1, abs=4.5 * np.sqrt(2.5 / PATHS))
    low, high = count_quantiles(mean, np.full(len(mean), CV), [0.1, 0.9]).T
    below, above = (counts[:, at] < low).mean(), (counts[:, at] > high).mean()
    assert below < 0.1 + 0.01
    assert above < 0.1 + 0.01
    assert 0.78 < 1 - below - above < 0.84


def test_hours_of_a_day_and_days_go_together_as_the_table_says(rates):
    """Within a day level + day, between days level, in both queues."""
    for queue in (0, 1):
        first, second = rates[:, queue, 0], rates[:, queue, 1]
        assert correlation(first, first) == pytest.approx(LEVEL + DAY, abs=0.03)
        assert correlation(second, second) == pytest.approx(LEVEL + DAY, abs=0.03)
        assert correlation(first, second) == pytest.approx(LEVEL, abs=4.5 / np.sqrt(PATHS))


def test_queues_go_together_as_far_as_they_have_in_common(rates):
    """Of what is common to day and horizon in each, ``common`` is common to both; of the interval's own nothing."""
    first, second = rates[:, :, 0], rates[:, :, 1]
    assert correlation(first[:, 0], first[:, 1]) == pytest.approx(0.5 * (LEVEL + DAY), abs=4.5 / np.sqrt(PATHS))
    assert correlation(first[:, 0], second[:, 1]) == pytest.approx(0.5 * LEVEL, abs=4.5 / np.sqrt(PATHS))


@pytest.mark.parametrize(("common", "together"), [(0.0, 0.0), (1.0, 1.0)])
def test_nothing_and_everything_in_common(common, together):
    """Days that are all their own are uncorrelated or, all in common, the same surprise in both."""
    both = demand(table("a", level=0.0, day=1.0), table("b", level=0.0, day=1.0, mean=9.0), common=common)
    rates = both.sample(2000, of="rates")
    found = np.corrcoef(rates[:, 0, 12], rates[:, 1, 12])[0, 1]
    assert found == pytest.approx(together, abs=1e-9 if common else 4.5 / np.sqrt(2000))


@pytest.mark.parametrize("of", ["counts", "rates"])
@pytest.mark.parametrize("common", [0.0, 0.6])
def test_a_path_does_not_depend_on_how_many_are_drawn(of, common):
    """The first paths of 1, 124, 125, 126 and 200 are those of 300, also over the edges of blocks."""
    both = demand(table("a"), table("b"), common=common)
    many = both.sample(300, of=of)
    for n in (1, 124, 125, 126, 200):
        few = both.sample(n, of=of)
        assert few.shape == (n, 2, 72)
        np.testing.assert_array_equal(few, many[:n])
    assert len(np.unique(many[:, 0, 12])) > (30 if of == "counts" else 290)


@pytest.mark.parametrize("common", [0.0, 0.6])
def test_a_queue_has_the_same_futures_alone_and_among_others(common):
    """Whatever stands beside it and in whatever order; with something in common too, as that is drawn apart."""
    among = demand(table("z"), table("a"), table("b", mean=5.0), common=common)
    for queue in ("z", "a", "b"):
        alone = replace(among, frame=among.of(queue))
        np.testing.assert_array_equal(alone.sample(70)[:, 0], among.sample(70)[:, among.queues.index(queue)])


@pytest.mark.parametrize("rate", [0.02, 0.7, 2.0, 3.9, 4.1, 6.0, 9.0, 17.0, 60.0, 400.0, 9000.0])
def test_counts_around_one_rate_are_poisson(rate):
    """Pearson's chi-square of 300,000 counts, and of those in the tails of a ten-thousandth."""
    counts = poisson_counts(np.full((300, 1000), rate, dtype=np.float32), np.random.default_rng(11)).ravel()
    k = np.arange(counts.max() + 2)
    expected = stats.poisson.pmf(k, rate) * counts.size
    found = np.bincount(counts.astype(int), minlength=len(k)).astype(float)
    low, high = np.searchsorted(np.cumsum(expected), [8, counts.size - 8])
    cells = [slice(0, low + 1), *(slice(i, i + 1) for i in range(low + 1, high)), slice(high, None)]
    e, o = (np.array([each[cell].sum() for cell in cells]) for each in (expected, found))
    e[-1] += counts.size - expected.sum()
    e, o = e[e > 0], o[e > 0]
    assert stats.chi2.sf(((o - e) ** 2 / e).sum(), max(len(e) - 1, 1)) > 1e-4
    for beyond, number in (
        (stats.poisson.isf(1e-4, rate), lambda at: (counts > at).sum()),
        (stats.poisson.ppf(1e-4, rate) - 1, lambda at: (counts <= at).sum()),
    ):
        chance = stats.poisson.sf(beyond, rate) if beyond > rate else stats.poisson.cdf(beyond, rate)
        assert abs(number(beyond) - chance * counts.size) <= 5 * np.sqrt(max(chance * counts.size, 1))


def test_rates_far_beyond_a_float_of_32_bits():
    """A million an hour, not known for sure, keeps its mean and spread, and counts are whole."""
    busy = demand(table(mean=1e6, cv=0.01, level=0.0, day=0.0, shut=0, days=20))
    counts = busy.sample(200)[:, 0] / busy.frame["mean"].to_numpy()
    assert counts.mean() == pytest.approx(1, abs=5 * 0.01 / np.sqrt(counts.size))
    assert counts.std() == pytest.approx(np.sqrt(0.01**2 + 1e-6), rel=5 / np.sqrt(2 * counts.size))
    whole = busy.sample(2)
    assert (whole == np.floor(whole)).all()


def test_shares_of_each_interval():
    """Where they differ from hour to hour, as in sums of queues, hours go together as their own shares say."""
    mixed = table(days=2, shut=0)
    mixed["share_level"], mixed["share_day"] = np.where(np.arange(48) % 2, 0.5, 0.0), 0.0
    rates = demand(mixed).sample(PATHS, of="rates")[:, 0]
    found = np.corrcoef(rates.T)
    assert found[1, 25] == pytest.approx(0.5, abs=4.5 * 0.75 / np.sqrt(PATHS))
    assert abs(found[0, 2]) < 4.5 / np.sqrt(PATHS)
    assert abs(found[0, 25]) < 4.5 / np.sqrt(PATHS)


def test_queues_whose_rows_do_not_follow_each_other():
    """Rows of two queues in turn: each has its own."""
    apart = demand(table("a"), table("b", mean=5.0))
    mixed = replace(apart, frame=apart.frame.sort_values("ds", kind="stable").reset_index(drop=True))
    assert mixed.queues == ["a", "b"]
    for queue in mixed.queues:
        pd.testing.assert_frame_equal(mixed.of(queue), apart.of(queue))
    np.testing.assert_array_equal(mixed.sample(5), apart.sample(5))
    assert mixed.of("c").empty


def test_queues_alike_have_different_futures():
    """Two queues with equal rows are not the same queue."""
    counts = demand(table("a"), table("b")).sample(200)
    assert np.corrcoef(counts[:, 0, 12], counts[:, 1, 12])[0, 1] < 0.3


def test_seeds_tell_futures_apart():
    """The same seed gives the same paths, another others."""
    one, same, other = (demand(table(), seed=s).sample(20) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_nothing_comes_while_closed():
    """Closed intervals are 0 in every path, also those of a queue that never opens."""
    both = demand(table("a"), table("b", shut=24), common=0.5)
    for of in ("counts", "rates"):
        paths = both.sample(50, of=of).reshape(50, 2, 3, 24)
        assert (paths[:, 0, :, :8] == 0).all()
        assert (paths[:, 1] == 0).all()
        assert (paths[:, 0, :, 8:].sum(axis=(1, 2)) > 0).all()


def test_a_sure_rate_is_itself_in_every_path():
    """Without uncertainty rates are the means exactly, and counts Poisson."""
    sure = demand(table(cv=0.0))
    rates = sure.sample(30, of="rates")[:, 0]
    np.testing.assert_array_equal(rates, np.broadcast_to(sure.frame["mean"].to_numpy(), rates.shape))
    counts = sure.sample(PATHS)[:, 0, 12]
    assert counts.var() / counts.mean() == pytest.approx(1, abs=4.5 * np.sqrt(2 / PATHS))


@pytest.mark.parametrize("cv", [0.5, 0.9])
def test_wide_rates_keep_mean_and_spread(cv):
    """Where rates are very unsure mean and standard deviation still are those of the table."""
    wide = demand(table(cv=cv, level=0.0, day=0.0, days=20)).sample(640, of="rates").reshape(-1, 20, 24)[:, :, 8:]
    relative = wide / (40 * (1 + np.arange(8, 24) / 24))
    assert relative.mean() == pytest.approx(1, abs=5 * cv / np.sqrt(relative.size))
    assert relative.std() == pytest.approx(cv, rel=0.02)


def test_days_are_local_days():
    """At midnight in Berlin, which is 23:00 elsewhere, one day's surprise ends and the next begins."""
    late = demand(table(level=0.0, day=1.0, shut=0)).sample(2000, of="rates")[:, 0]
    found = np.corrcoef(late[:, 22:26].T)
    assert found[0, 1] == pytest.approx(1)
    assert found[2, 3] == pytest.approx(1)
    assert abs(found[1, 2]) < 4.5 / np.sqrt(2000)


@pytest.mark.parametrize(("n", "of", "says"), [(0, "counts", "`n` must be at least 1"), (5, "rate", "`of` must be")])
def test_wrong_arguments(n, of, says):
    """No path, or of nothing known."""
    with pytest.raises(InputError, match=says):
        demand(table()).sample(n, of=of)
