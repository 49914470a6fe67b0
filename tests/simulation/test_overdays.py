"""Days as the unit: their figures against slow loops, quantiles kept apart, intervals that hold what they say."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from staffcast.contracts import InputError
from staffcast.simulation import Arrivals, Service, Staffing, simulate
from staffcast.simulation.overdays import batch_interval

DAYS, EXPERIMENTS = 28, 300


def some_days(days, replications, *, seed=3, rate=40.0, weekly=False):
    """Days of six quarters of an hour with five agents, then an hour closed."""
    edges = np.concatenate(([0.0], np.cumsum(np.tile([900.0] * 6 + [3600.0], days))))
    day = np.repeat(np.arange(days), 7)
    rates = np.tile([rate] * 6 + [2.0], days) * (np.where(day % 7 < 5, 1.15, 0.7) if weekly else 1.0)
    return simulate(
        Arrivals.piecewise(edges, rates), Staffing.steps(edges, np.tile([5] * 6 + [0], days), shift=day),
        Service.exponential(300.0), replications=replications, target="80% in 1m", seed=seed,
    )  # fmt: skip


@pytest.fixture(scope="module")
def experiments():
    """So many courses of 28 days: over and under by course and day of two figures."""
    table = some_days(DAYS, EXPERIMENTS).by_day()
    day = {name: table[name].to_numpy().reshape(EXPERIMENTS, DAYS) for name in ("offered", "mean_wait_s", "p_wait")}
    return {name: (day[name] * day["offered"], day["offered"]) for name in ("mean_wait_s", "p_wait")}


@pytest.mark.parametrize("name", ["mean_wait_s", "p_wait"])
def test_one_course_of_days_knows_how_sure_it_is(experiments, name):
    """About 95 % of the intervals of single courses hold the truth; of intervals whose unit is the ticket far fewer."""
    over, under = experiments[name]
    truth = over.sum() / under.sum()
    found = [batch_interval(over[[run]], under[[run]]) for run in range(EXPERIMENTS)]
    held = sum(each.low < truth < each.high for each in found)
    # A mean wait is skewed and days hang together: a little under 95 % with 28 days (docs/semantics.md, S59).
    assert stats.binomtest(held, EXPERIMENTS, 0.92, alternative="less").pvalue > 1e-3
    assert stats.binomtest(held, EXPERIMENTS, 0.97, alternative="greater").pvalue > 1e-3
    if name == "p_wait":
        share = over.sum(axis=1) / under.sum(axis=1)
        naive = 1.96 * np.sqrt(share * (1 - share) / under.sum(axis=1))
        assert np.mean(np.abs(share - truth) < naive) < 0.85


def test_days_that_hang_together_get_wider_intervals():
    """Of an autoregressive course about 95 % of the intervals hold the mean; taken as independent days, far fewer."""
    random, days, runs, close = np.random.Generator(np.random.Philox(8)), 60, 500, 0.5
    values = np.empty((runs, days))
    values[:, 0] = random.standard_normal(runs)
    for day in range(1, days):
        values[:, day] = close * values[:, day - 1] + np.sqrt(1 - close**2) * random.standard_normal(runs)
    found = [batch_interval(row[None] + 10, np.ones((1, days))) for row in values]
    held = np.mean([each.low < 10 < each.high for each in found])
    assert 0.92 < held < 0.98
    assert np.mean([each.correlation for each in found]) == pytest.approx(close, abs=0.05)
    plain = [stats.ttest_1samp(row, 0).confidence_interval() for row in values]
    assert np.mean([each.low < 0 < each.high for each in plain]) < 0.85


def test_independent_days_give_the_t_interval_of_their_means():
    """Where neighbours are no alike and nothing is skewed, the interval is Student's over days."""
    row = np.array([1.0, 5.0, 2.0, 4.0, 3.0, 3.0, 1.0, 5.0])
    found = batch_interval(row[None], np.ones((1, 8)))
    assert found.correlation == 0
    expected = stats.ttest_1samp(row, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-3)


def test_what_is_so_every_week_is_no_doubt():
    """Weekdays that differ in the same way each week widen a single course, not one by weekday, nor replications."""
    pattern, random = np.tile([9.0, 9, 9, 9, 9, 1, 1], 8), np.random.Generator(np.random.Philox(4))
    rows = pattern + 0.1 * random.standard_normal((4, 56))
    ones = np.ones((1, 56))
    plain, weekly = (batch_interval(rows[:1], ones, cycle=cycle).se for cycle in (1, 7))
    several = batch_interval(rows, np.ones((4, 56))).se
    assert plain > 20 * weekly
    assert (weekly, several) == (pytest.approx(0.1 / np.sqrt(56), rel=0.5), pytest.approx(0.05 / np.sqrt(56), rel=0.5))
    # A trace played four times has the same days four times, not four times as many.
    assert batch_interval(np.tile(rows[:1], (4, 1)), np.ones((4, 56)), same=True).se == pytest.approx(plain)


def test_too_few_days_say_nothing():
    """Three days or no ticket give a figure without an interval."""
    assert np.isnan(batch_interval(np.array([[1.0, 2.0, 3.0]]), np.ones((1, 3))).low)
    assert np.isnan(batch_interval(np.zeros((1, 9)), np.zeros((1, 9))).value)


def test_figures_of_a_day_are_those_of_its_tickets():
    """Every row of by_day, and every quantile, pooled and over days, as found in the tickets one by one."""
    outcome = some_days(3, 4)
    edges, day = outcome.case.staffing.edges_s, outcome.case.staffing.shift
    parts = [outcome.tickets(run).assign(replication=run) for run in range(4)]
    tickets = pd.concat(parts, ignore_index=True)
    tickets["day"] = day[np.searchsorted(edges, tickets["arrival_s"], side="right") - 1]
    table = outcome.by_day(quantiles=True)
    groups = tickets.groupby(["replication", "day"])["wait_s"]
    # Who waits still, and not for so long yet, is not decided.
    decided = tickets[(tickets["outcome"] != "unanswered") | (tickets["wait_s"] > 60)]
    in_time = (decided["outcome"] == "answered") & (decided["wait_s"] <= 60)
    smallest = lambda q: lambda wait: np.quantile(wait, q, method="inverted_cdf")  # noqa: E731 - one line
    for name, expected in {
        "offered": groups.size(), "mean_wait_s": groups.mean(), "p_wait": groups.agg(lambda w: (w > 0).mean()),
        "service_level": in_time.groupby([decided["replication"], decided["day"]]).mean(),
        "frt_p50_s": groups.agg(smallest(0.5)),
        "frt_p95_s": groups.agg(smallest(0.95)),
    }.items():  # fmt: skip
        assert table[name].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-6), name
    assert table["queue_end"].to_numpy() == pytest.approx(outcome.queue_end[:, 6::7].ravel())
    over = outcome.over_days().set_index("measure")
    assert over.loc["frt_p95_s", "pooled"] == pytest.approx(smallest(0.95)(tickets["wait_s"]))
    assert over.loc["frt_p95_s", "days_p90"] == pytest.approx(smallest(0.9)(table["frt_p95_s"]))
    assert over.loc["service_level", "days_p10"] == pytest.approx(smallest(0.1)(table["service_level"]))
    assert over.loc["mean_wait_s", "days_mean"] == pytest.approx(table["mean_wait_s"].mean())
    inside = over.loc[["frt_p90_s", "mean_wait_s", "service_level"]]
    assert inside["pooled"].between(inside["pooled_low"], inside["pooled_high"]).all()
    assert outcome.summary.mean_wait_s == pytest.approx(over.loc["mean_wait_s", "pooled"])


def test_weeks_may_be_the_unit_and_days_without_tickets_have_no_figure():
    """Labels of the caller's own make other units; a day on which nothing came counts in no quantile."""
    edges = np.arange(29) * 86_400.0
    outcome = simulate(
        Arrivals.trace([5.0, 10.0, 8 * 86_400.0], [100.0, 9.0, 1.0]), Staffing.steps(edges, [1] * 28), None,
        replications=1,
    )  # fmt: skip
    assert outcome.by_day()["offered"].tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 1] + [0] * 19
    weeks = outcome.by_day(days=np.arange(28) // 7)
    assert weeks["offered"].tolist() == [2, 1, 0, 0]
    assert weeks["mean_wait_s"].tolist()[:2] == [47.5, 0.0]
    row = outcome.over_days(days=np.arange(28) // 7).set_index("measure").loc["mean_wait_s"]
    assert (row["days"], row["days_p95"], row["days_mean"]) == (4, 47.5, 23.75)


@pytest.mark.parametrize("bad", [{"days": [0, 1]}, {"days": [1.0] * 20 + [0.0]}, {"cycle": 0}, {"cycle": 1.5}])
def test_days_that_are_none_are_refused(bad):
    """The error names the parameter."""
    with pytest.raises(InputError, match=next(iter(bad))):
        some_days(3, 1).over_days(**bad)
