"""A queue of days beside grown ones: its share of what they will bring."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, frame, grid, weekly_rate

from staffcast.contracts import Calendar, Event, InputError
from staffcast.forecast import forecast
from staffcast.forecast.models.lineup import for_history, make
from staffcast.forecast.past.days import Days, Grid

DAYS, YOUNG = 120, 5
LOCAL = Calendar(zone=BERLIN)


def beside(seed=1, *, young=YOUNG, share=0.25, factor=None, calendar=LOCAL):
    """Two grown queues and one of a few days, Poisson around one course of the week; and a rate of the young one."""
    rng = np.random.default_rng(seed)
    ds = grid(DAYS)
    rate = weekly_rate(ds, level=20)
    if factor is not None:
        rate = rate * factor(calendar.day(ds))
    began = ds >= (ds[-1].normalize() - pd.Timedelta(days=young - 1))
    return pd.concat([
        frame(ds, rng.poisson(0.7 * rate), "big"), frame(ds, rng.poisson(0.3 * rate), "mid"),
        frame(ds, np.where(began, rng.poisson(share * rate), 0), "young"),
    ])  # fmt: skip


def truth_of(rows, share=0.25):
    return share * weekly_rate(pd.DatetimeIndex(rows["ds"]), level=20)


def laid_out(series, queue):
    mine = series[series["unique_id"] == queue]
    ds = pd.DatetimeIndex(mine["ds"])
    others = series[series["unique_id"] != queue].groupby("ds")["y"].sum().to_numpy()
    return Days.of(Grid.of(ds, LOCAL, 60), mine["y"].to_numpy(), others).once_begun()


def test_a_queue_of_five_days_is_forecast_within_its_noise():
    """Fortnights of 8 histories each, and all together, within 4 standard errors of their truth; days within 15 %."""
    off, tickets = [], []
    for seed in range(8):
        series = beside(seed)
        past = laid_out(series, "young")
        assert DAYS - past.began == YOUNG
        dates = past.dates[-1] + np.arange(1, 15)
        found = make("siblings").learn(past).expect_days(dates)
        ds = grid(14, start=str(dates[0]))
        truth = 0.25 * weekly_rate(ds, level=20).reshape(14, 24)
        off.append(found.sum() / truth.sum() - 1)
        tickets.append(np.nansum(past.rates))
        assert np.abs(found.sum(axis=1) / truth.sum(axis=1) - 1).max() < 0.15
    assert np.abs(np.array(off) * np.sqrt(tickets)).max() < 4
    assert abs(np.mean(off)) < 4 / np.sqrt(np.sum(tickets)) + 0.01


def errors_of(names, *, young, by_day=False, histories=4):
    """Mean absolute error ÷ truth over two weeks by the hour or by the day, per model; ``flat`` is the mean so far."""
    total = dict.fromkeys((*names, "flat"), 0.0)
    for seed in range(histories):
        past = laid_out(beside(seed, young=young), "young")
        dates = past.dates[-1] + np.arange(1, 15)
        truth = 0.25 * weekly_rate(grid(14, start=str(dates[0])), level=20).reshape(14, 24)
        for name in total:
            found = np.full((14, 24), np.nanmean(past.rates))
            if name != "flat":
                found = make(name).learn(past).expect_days(dates)
            off = (found - truth).sum(axis=1) if by_day else found - truth
            total[name] += float(np.abs(off).sum() / truth.sum() / histories)
    return total


def test_it_is_far_better_than_what_few_days_alone_can_say():
    """Days to come after five, hours after ten: under a third of a flat rate's error, half of its own days' mean's."""
    for found in (errors_of(["siblings", "mean_4"], young=5, by_day=True), errors_of(["siblings", "mean_4"], young=10)):
        assert found["siblings"] < found["flat"] / 3
        assert found["siblings"] < found["mean_4"] / 2
        assert found["siblings"] < 0.12


def test_a_queue_of_five_days_takes_the_course_of_the_day_from_its_siblings():
    """Its hours are forecast nearly as well as its days, and no hour of the others' course is forecast as empty."""
    assert errors_of(["siblings"], young=5)["siblings"] < 0.2


def test_forecast_takes_it_for_a_young_queue_and_says_so():
    """Beside others the model is siblings with its reason; the grown ones are forecast as ever."""
    series = beside()
    demand = forecast(series, "14d", calendar=LOCAL)
    why = demand.why["young"]
    assert why["weights"] == {"siblings": 1.0}
    assert "history too short to compare models; siblings taken" in why["notes"]
    assert any("too short for a backtest" in note for note in why["notes"])
    rows = demand.of("young")
    assert rows["mean"].sum() == pytest.approx(truth_of(rows).sum(), rel=4 / np.sqrt(series["y"][-120:].sum()))
    assert (rows["rate_cv"] > 0).all()
    for grown in ("big", "mid"):
        assert "siblings" not in demand.why[grown]["weights"]
        assert demand.why[grown]["origins"] == 6


def test_a_young_queue_can_have_holidays_that_it_never_saw():
    """What the others' past says of holidays holds for it too."""
    feasts = {dt.date(2025, 6, 4) + dt.timedelta(days=7 * k): "Feast" for k in range(20)}
    off = np.array(list(feasts), dtype="datetime64[D]")
    calendar = Calendar(zone=BERLIN, holidays=feasts)
    series = beside(factor=lambda day: np.where(np.isin(day, off), 0.5, 1.0), young=3, calendar=calendar)
    assert not np.isin(LOCAL.day(pd.DatetimeIndex(series["ds"]))[-72:], off).any()
    rows = forecast(series, "14d", calendar=calendar).of("young")
    local = LOCAL.day(pd.DatetimeIndex(rows["ds"]))
    on = np.isin(local, off)
    assert on.any()
    plain = truth_of(rows)
    assert rows["mean"][on].sum() / plain[on].sum() == pytest.approx(0.5, abs=0.1)
    assert rows["mean"][~on].sum() / plain[~on].sum() == pytest.approx(1, abs=0.15)


def test_alone_there_are_no_siblings():
    """With one queue, or fitted on one, the model is refused by name."""
    ds = grid(60)
    series = frame(ds, weekly_rate(ds))
    with pytest.raises(InputError, match="model siblings needs other queues in the series; with one queue take"):
        make("siblings").fit(series, LOCAL)
    assert "siblings" not in forecast(series, "7d", calendar=LOCAL).why["orders"]["candidates"]


@pytest.mark.parametrize(
    ("names", "days", "others", "has"),
    [
        (("mean_4", "house"), 5, True, True), (("mean_4", "house"), 55, True, True),
        (("mean_4", "house"), 56, True, False), (("mean_4", "house"), 5, False, False),
        (("mean_4",), 5, True, False), (("mean_4", "siblings"), 400, True, True),
        (("mean_4", "siblings"), 400, False, False),
    ],
)  # fmt: skip
def test_who_is_compared_with_siblings(names, days, others, has):
    """Queues of under eight weeks beside others, where models may be chosen, or who asks for it."""
    found = for_history(names, days, beside=others)
    assert ("siblings" in found) == has
    assert [n for n in found if n != "siblings"] == [n for n in names if n != "siblings"]
    assert len(set(found)) == len(found)


def test_the_share_follows_the_last_weeks():
    """A queue that doubled its share four months ago has the new one; the halved past counts little."""
    ds = grid(DAYS)
    rate = weekly_rate(ds, level=20)
    step = np.where(np.arange(len(ds)) < 30 * 24, 0.1, 0.2)
    series = pd.concat([frame(ds, rate, "big"), frame(ds, step * rate, "new")])
    past = laid_out(series, "new")
    dates = past.dates[-1] + np.arange(1, 8)
    found = make("siblings").learn(past).expect_days(dates).sum()
    truth = weekly_rate(grid(7, start=str(dates[0])), level=20).sum()
    assert 0.18 < found / truth < 0.2


def test_a_queue_without_tickets_has_no_share():
    """Nothing came: nothing is expected, no error and no NaN."""
    past = laid_out(beside(share=0.0), "young")
    assert (make("siblings").learn(past).expect_days(past.dates[-7:]) == 0).all()


def test_hours_that_are_not_known_are_left_out_of_both():
    """Half of its days' hours unknown: the share is that of the hours which are known."""
    series = beside(3)
    past = laid_out(series, "young")
    whole = make("siblings").learn(past).expect_days(past.dates[-1] + np.arange(1, 8)).sum()
    holes = past.rates.copy()
    holes[:, ::2] = np.nan
    partly = Days(dates=past.dates, rates=holes, calendar=LOCAL, minutes=60, others=past.others)
    found = make("siblings").learn(partly).expect_days(past.dates[-1] + np.arange(1, 8)).sum()
    assert found == pytest.approx(whole, rel=5 / np.sqrt(np.nansum(holes)))


@pytest.mark.parametrize("days", [5, 13])
def test_a_log_of_days_with_two_queues_is_forecast(days):
    """Where all queues are under two weeks old the planner's mean is taken, as with one queue."""
    ds = grid(days)
    rate = weekly_rate(ds)
    demand = forecast(pd.concat([frame(ds, rate, "a"), frame(ds, rate, "b")]), "7d", calendar=LOCAL)
    assert demand.why["a"]["model"] == "mean_4"


def test_a_campaign_of_all_queues_does_not_change_a_share():
    """Three of the five days were a tripled campaign for everybody: the share is what it is on plain days."""
    ends = grid(DAYS)[-1].date()
    days = frozenset(ends - dt.timedelta(days=k) for k in (1, 2, 3))
    calendar = Calendar(zone=BERLIN, events=(Event(name="sale", days=days, factor=3.0),))
    on = np.array(sorted(days), dtype="datetime64[D]")
    series = beside(factor=lambda day: np.where(np.isin(day, on), 3.0, 1.0))
    rows = forecast(series, "14d", calendar=calendar).of("young")
    assert rows["mean"].sum() == pytest.approx(truth_of(rows).sum(), rel=0.1)


def test_a_gap_in_the_whole_log_does_not_lower_a_young_queue():
    """Three and a half weeks that are not known in any queue are not weeks without tickets."""
    series = beside()
    local = LOCAL.day(pd.DatetimeIndex(series["ds"]))
    gap = (local >= np.datetime64("2025-08-21")) & (local < np.datetime64("2025-09-15"))
    rows = forecast(series.assign(y=np.where(gap, np.nan, series["y"])), "14d", calendar=LOCAL).of("young")
    assert rows["mean"].sum() == pytest.approx(truth_of(rows).sum(), rel=0.1)
