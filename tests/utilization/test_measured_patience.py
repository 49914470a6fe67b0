"""Patience under censoring against scipy, statsmodels, slow loops and customers of known patience."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from measured_logs import at, log_of
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from staffcast.contracts import Calendar, InputError, interval_grid
from staffcast.tickets import open_waits
from staffcast.utilization.measured import patience_figures
from staffcast.utilization.measured.patience import exponential_patience, hazard_check, weibull_patience


def customers(seed, n, *, shape=1.0, scale=300.0, answer=150.0):
    rng = np.random.default_rng(seed)
    patience, answered = scale * rng.weibull(shape, n), rng.exponential(answer, n)
    return np.minimum(patience, answered), patience < answered


@pytest.mark.parametrize("shape", [0.6, 1.0, 1.8])
def test_weibull_patience_is_scipys(shape):
    """Shape and scale are those that scipy finds by maximising the censored likelihood itself."""
    waited, gone = customers(4, 3000, shape=shape)
    found = weibull_patience(waited, gone)
    theirs = stats.weibull_min.fit(stats.CensoredData.right_censored(waited, ~gone), floc=0)
    assert (found.shape.value, found.scale.value) == pytest.approx((theirs[0], theirs[2]), rel=1e-3)
    likelihood = [
        (dist.logpdf(waited[gone]).sum() + dist.logsf(waited[~gone]).sum())
        for dist in (stats.weibull_min(found.shape.value, scale=found.scale.value),
                     stats.expon(scale=waited.sum() / gone.sum()))
    ]  # fmt: skip
    assert found.p_exponential == pytest.approx(stats.chi2.sf(2 * (likelihood[0] - likelihood[1]), 1), abs=1e-9)


def test_intervals_of_patience_hold_the_truth_as_often_as_they_say():
    """Of 200 logs of known patience, 95 % of the intervals hold shape, scale and mean, give or take chance."""
    hits = []
    for seed in range(200):
        found = weibull_patience(*customers(seed, 500, shape=0.7))
        mean = exponential_patience(*customers(1000 + seed, 500), None)
        small = exponential_patience(*customers(2000 + seed, 60), None)
        hits.append([
            found.shape.low < 0.7 < found.shape.high, found.scale.low < 300 < found.scale.high,
            mean.low < 300 < mean.high, small.low < 300 < small.high,
        ])  # fmt: skip
    # 179 of 200 at 95 % is exceeded downwards once in a thousand times.
    assert (np.sum(hits, axis=0) >= 179).all()


def test_a_constant_rate_of_giving_up_is_seldom_called_another():
    """With exponential patience both tests err in a twentieth of the cases; a shape of 0.7 they seldom fail to see."""
    wrong, seen = np.zeros(2), np.zeros(2)
    for seed in range(200):
        for shape, counter in ((1.0, wrong), (0.7, seen)):
            waited, gone = customers(seed, 800, shape=shape)
            counter += [
                weibull_patience(waited, gone).p_exponential < 0.05,
                hazard_check(waited, gone).p_constant < 0.05,
            ]
    assert (wrong <= 21).all()
    assert (seen >= 180).all()


def test_hazards_are_ends_over_exposure():
    """Rates of giving up are what a loop over customers counts, and Kaplan–Meier is that of statsmodels."""
    waited, gone = customers(9, 400)
    found = hazard_check(waited, gone, spans=4)
    for k, (low, high) in enumerate(zip(found.edges_s[:-1], found.edges_s[1:], strict=True)):
        exposure = sum(max(min(w, high) - low, 0) for w in waited)
        ends = sum(1 for w, g in zip(waited, gone, strict=True) if g and low < w <= high)
        assert (found.gone[k], found.hazard[k]) == (ends, pytest.approx(ends / exposure))
    curve = SurvfuncRight(waited, gone.astype(int))
    model = np.exp(-curve.surv_times / (waited.sum() / gone.sum()))
    before = np.concatenate([[1.0], curve.surv_prob[:-1]])
    assert found.farthest == pytest.approx(max(np.abs(curve.surv_prob - model).max(), np.abs(before - model).max()))


def test_few_who_gave_up_have_exact_bounds():
    """With three who gave up in 3,000 s the bounds are those of a Poisson count of 3."""
    found = exponential_patience(np.array([500.0, 500, 500, 1500]), np.array([True, True, True, False]), None)
    assert found.value == 1000
    assert stats.poisson.sf(2, 3000 / found.high) == pytest.approx(0.025)
    assert stats.poisson.cdf(3, 3000 / found.low) == pytest.approx(0.025)


def test_nobody_who_gave_up_is_no_patience():
    """Without anybody who left there is no figure; with one time only there is no Weibull."""
    assert np.isnan(exponential_patience(np.array([10.0]), np.array([False]), None).value)
    assert weibull_patience(np.array([10.0, 10.0, 30.0]), np.array([True, True, False])) is None
    with pytest.raises(InputError, match="waited_s"):
        exponential_patience(np.array([-1.0]), np.array([True]), None)


def test_waits_end_with_answer_leaving_closing_or_the_log():
    """Each ticket waits to whatever comes first, and only who left while it was open gave up."""
    rows = [
        {"offered": "09:00", "first_response_at": at("2026-03-02 09:10")},
        {"offered": "09:00", "resolved_at": at("2026-03-02 09:20"), "outcome": "abandoned"},
        {"offered": "16:50", "resolved_at": at("2026-03-02 17:30"), "outcome": "abandoned"},  # after closing at 17:00
        {"offered": "18:00", "resolved_at": at("2026-03-02 18:05"), "outcome": "abandoned"},  # came while closed
        {"offered": "15:00"},  # still waits when the log ends at 15:30
        {"offered": "15:30", "first_response_at": at("2026-03-02 15:30")},
    ]
    frame = log_of(rows).frame.sort_values("ticket_id")
    calendar = Calendar.parse("UTC", {"mon-fri": "09:00-17:00"})
    grid = interval_grid(at("2026-03-02 00:00"), at("2026-03-03 00:00"), 15, "UTC")
    seconds, gone = open_waits(frame, grid, calendar.is_open(grid), 15, end=at("2026-03-02 15:30"))
    assert seconds.tolist() == pytest.approx([600, 1200, 600, np.nan, 1800, 0], nan_ok=True)
    assert gone.tolist() == [False, True, False, False, False, False]
    without, _ = open_waits(frame, grid, calendar.is_open(grid), 15)
    assert np.isnan(without[4])


def test_patience_of_a_log_is_that_of_its_customers():
    """A log of customers with Weibull patience gives shape and scale back, and says that the rate is not constant."""
    waited, gone = customers(11, 4000, shape=0.7, scale=600, answer=200)
    offered = at("2026-03-02 00:00") + pd.to_timedelta(np.linspace(0, 40 * 86400, len(waited)), unit="s").floor("s")
    ends = offered + pd.to_timedelta(waited, unit="s")
    frame = pd.DataFrame({
        "ticket_id": np.arange(len(waited)).astype(str), "created_at": offered, "queue": "q",
        "first_response_at": ends.where(~gone), "resolved_at": ends, "outcome": np.where(gone, "abandoned", "answered"),
    })  # fmt: skip
    log = log_of(frame)
    calendar = Calendar(zone="UTC")
    found = {f.measure: f for f in reversed(patience_figures(log, "q", calendar, since=offered[0]))}
    assert found["patience"].n == gone[:-1].sum()
    assert found["patience"].value == pytest.approx(waited[:-1].sum() / gone[:-1].sum(), rel=1e-6)
    assert found["patience_shape"].low < 0.7 < found["patience_shape"].high
    assert found["patience_scale"].low < 600 < found["patience_scale"].high
    assert "differs" in found["gives_up_per_hour"].note
    (lacking,) = patience_figures(log_of(frame.drop(columns="outcome")), "q", calendar, since=offered[0])
    assert (lacking.n, lacking.note) == (0, "needs outcome (abandoned)")
