"""Differences between variants: by hand, by an older package, and how often the intervals hold."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep
from utilization_logs import BERLIN, at, log_of

from staffcast.contracts import Calendar, InputError
from staffcast.tickets import TicketLog
from staffcast.utilization import compare_variants

ALWAYS = {"all": Calendar(zone=BERLIN)}
START = at("2025-03-10 09:00")


def ab_log(seed, n=200, *, shift=0.0, by="ticket", days=20, spread=0.0, answered=1.0, per_customer=1):
    """Waits of 100 s on average, 100 + shift with script b; days or customers may differ, some stay unanswered."""
    rng = np.random.default_rng(seed)
    day = rng.integers(0, days, n)
    customer = rng.integers(0, max(n // per_customer, 1), n)
    unit = {"ticket": np.arange(n), "day": day, "customer": customer}[by]
    script = rng.permutation(np.arange(unit.max() + 1))[unit] % 2 if by != "ticket" else rng.integers(0, 2, n)
    level = rng.lognormal(-(spread**2) / 2, spread, unit.max() + 1)[unit] if spread else np.ones(n)
    wait = rng.exponential((100 + shift * script) * level)
    here = rng.random(n) < answered
    created = START + pd.to_timedelta(day * 86_400 + rng.integers(0, 20_000, n), unit="s")
    replied = pd.Series(created + pd.to_timedelta(wait, unit="s")).where(pd.Series(here))
    who = customer if per_customer > 1 else np.arange(n)
    frame = pd.DataFrame(
        {
            "ticket_id": [f"T{k:05d}" for k in range(n)], "created_at": created, "offered_at": created, "queue": "all",
            "first_response_at": replied, "bot_script": np.array(["a", "b"])[script],
            "customer_id": [f"C{k}" for k in who], "csat": rng.integers(1, 6, n).astype(float),
            "nps": rng.integers(0, 11, n).astype(float),
        }
    )  # fmt: skip
    frame = frame.sort_values("created_at", ignore_index=True)
    return TicketLog(frame=frame, zone=BERLIN)


def compare(log, kpi, **options):
    return compare_variants(log, ALWAYS, column="bot_script", kpi=kpi, **options).iloc[0]


def test_means_are_welchs():
    """Where tickets are the unit, the difference of means has the interval of Welch's t test."""
    log = ab_log(1, shift=40)
    row = compare(log, "frt_mean")
    frt = (log.frame["first_response_at"] - log.frame["created_at"]).dt.total_seconds()
    a, b = (frt[log.frame["bot_script"] == name] for name in "ab")
    low, high = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    assert row["difference"] == pytest.approx(b.mean() - a.mean())
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    assert (row["unit"], row["method"]) == ("ticket", "Welch")


def test_shares_are_newcombes():
    """Where tickets are the unit, the difference of shares has Newcombe's interval, as in statsmodels."""
    log = ab_log(2)
    row = compare(log, "csat")
    good = [(log.frame.loc[log.frame["bot_script"] == name, "csat"] >= 4) for name in "ab"]
    low, high = confint_proportions_2indep(
        good[1].sum(), len(good[1]), good[0].sum(), len(good[0]), method="newcomb", compare="diff"
    )
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-9)
    assert row["method"] == "Newcombe"


@pytest.mark.parametrize(("by", "per_customer"), [("day", 1), ("customer", 4)])
def test_what_goes_together_is_the_unit(by, per_customer):
    """Scripts that alternate by day are compared by day; customers who come back are compared by customer."""
    row = compare(ab_log(3, by=by, per_customer=per_customer), "csat")
    assert row["unit"] == by


@pytest.mark.parametrize(("by", "spread", "per_customer"), [("ticket", 0.0, 1), ("day", 0.4, 1), ("customer", 0.6, 5)])
def test_intervals_hold_when_nothing_differs(by, spread, per_customer):
    """Of 150 comparisons of equal scripts about one in twenty is called a difference, whatever the unit."""
    wrong = dict.fromkeys(("frt_mean", "frt_within"), 0)
    for seed in range(150):
        log = ab_log(seed, by=by, spread=spread, per_customer=per_customer)
        for kpi in wrong:
            wrong[kpi] += compare(log, kpi)["verdict"] != "undecided"
    assert max(wrong.values()) / 150 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 150)


def test_tickets_would_be_too_sure_where_days_differ():
    """Taking tickets for the unit where scripts alternate by day calls a difference far too often."""
    wrong = sum(
        compare(ab_log(seed, by="day", spread=0.4, days=12), "frt_mean", unit="ticket")["verdict"] != "undecided"
        for seed in range(60)
    )
    assert wrong / 60 > 0.15


def test_quantiles_hold_and_see_a_difference():
    """The bootstrap interval of two medians holds 0 where they are equal, and not where b takes thrice as long."""
    calm = sum(compare(ab_log(seed, 120), "frt_p50")["verdict"] != "undecided" for seed in range(25))
    assert calm <= 5
    row = compare(ab_log(9, 300, shift=200, answered=0.8), "frt_p50")
    assert row["verdict"] == "higher"
    assert row["method"] == "bootstrap"


def test_the_sample_that_a_difference_takes():
    """With as many tickets as are said to be needed, the difference is found about as often as the power says."""
    row = compare(ab_log(11, 4000), "frt_mean", difference=30.0, power=0.8)
    # Textbook: 2 · 100² · (1.96 + 0.84)² ÷ 30² a variant.
    assert row["needed"] == pytest.approx(2 * 100**2 * 7.849 / 30**2, rel=0.1)
    n = int(2 * row["needed"])
    found = np.mean([compare(ab_log(s, n, shift=30), "frt_mean")["verdict"] == "higher" for s in range(60)])
    # Waits with script b have a larger variance, so a little under the power; 4 standard errors are 0.2.
    assert 0.55 < found < 0.95
    assert row["detectable"] == pytest.approx(30 * np.sqrt(row["needed"] / 2000), rel=0.05)


def test_unanswered_tickets_are_in_the_comparison():
    """Where script b leaves half unanswered, its mean is the longer one although its answers are as quick."""
    log = ab_log(12, 400)
    drop = (log.frame["bot_script"] == "b") & (np.arange(400) % 2 == 0)
    frame = log.frame.assign(first_response_at=log.frame["first_response_at"].mask(drop))
    row = compare(type(log)(frame=frame, zone=log.zone), "frt_mean")
    assert row["verdict"] == "higher"


def test_bad_comparisons_are_refused():
    """A count, an unknown column, one variant, too few tickets, too few days: each with its reason."""
    log = ab_log(1, 60)
    for options, says in (
        ({"kpi": "volume"}, "a mean, share or quantile"),
        ({"kpi": "csat", "column": "form"}, "`column` must be a column that the log has"),
        ({"kpi": "ces"}, "it lacks ces"),
        ({"kpi": "csat", "unit": "week"}, "`unit` must be"),
        ({"kpi": "csat", "power": 0.3}, "`power` must be"),
        ({"kpi": "csat", "difference": 0.0}, "`difference` must be"),
    ):
        with pytest.raises(InputError, match=says):
            compare_variants(log, ALWAYS, **({"column": "bot_script"} | options))
    with pytest.raises(InputError, match="has 1 variants"):
        compare_variants(log_of([{"created_at": START, "csat": 5.0, "form": "x"}]), ALWAYS, column="form", kpi="csat")
    with pytest.raises(InputError, match="at least 10 are needed"):
        compare(ab_log(1, 14), "csat")
    with pytest.raises(InputError, match="at least 5 are needed"):
        compare(ab_log(1, 80, by="day", days=6), "csat")
