"""The backtest: its figures by slow loops, and that no forecast sees what comes after its origin."""

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, FAST, frame, grid, poisson, weekly_rate

from staffcast.contracts import Calendar
from staffcast.forecast import Model, backtest
from staffcast.forecast import models as lineup
from staffcast.forecast.judging.combine import weigh
from staffcast.forecast.judging.rolling import calendars_for, roll
from staffcast.forecast.past.days import Days, Grid
from staffcast.forecast.past.queues import cut

HOURS = Calendar.parse(BERLIN, {"mon-fri": "08:00-18:00", "sat": "10:00-14:00"})
OPEN = Calendar(zone=BERLIN)


def rolled(series, *, models=FAST, calendar=HOURS, horizon="7d", origins=3, step="7d"):
    return roll(
        cut(series), calendars_for(series, calendar), models=models, horizon=horizon, origins=origins, step=step
    )  # fmt: skip


def forecasts_that_see_the_future(run, series, alter=lambda y: 3 * y + 50):
    """Names of models whose forecast from an origin changes when only what came after that origin does."""
    before, seeing = run(series), set()
    for origin in {one.origin for one in before}:
        later = (series["ds"] >= origin).to_numpy()
        changed = run(series.assign(y=np.where(later, alter(series["y"]), series["y"])))
        for one, other in zip(before, changed, strict=True):
            assert (one.model, one.origin) == (other.model, other.origin)
            same = np.array_equal(one.mean, other.mean) and one.naive_scale == other.naive_scale
            if one.origin == origin and not same:
                seeing.add(one.model)
    return seeing


@pytest.mark.parametrize(
    "alter", [lambda y: 3 * y + 50, lambda y: 0 * y, lambda y: y * np.nan, lambda y: y[::-1] ** 2],
    ids=["more", "none", "unknown", "another course"],
)  # fmt: skip
def test_no_forecast_sees_the_future(alter):
    """Whatever comes after an origin changes no forecast from it, while closed tickets wait at every origin."""
    assert forecasts_that_see_the_future(rolled, poisson(70), alter) == set()


def test_no_forecast_sees_the_future_where_trend_year_and_holidays_are_learnt():
    """The same over a year and a half with holidays, gaps and half hours."""
    ds = grid(520, start="2024-01-01", minutes=30)
    rng = np.random.default_rng(4)
    y = rng.poisson(weekly_rate(ds, level=5)).astype(float)
    y[rng.random(len(y)) < 0.02] = np.nan
    days = [(ds[0] + pd.Timedelta(days=int(day))).date() for day in range(20, 520, 25)]
    holidays = Calendar(zone=BERLIN, week=HOURS.week, holidays=dict.fromkeys(days, "a holiday"))

    def run(series):
        return rolled(series, models=("median_8", "low_rank", "house"), calendar=holidays, horizon="28d", origins=2)

    assert forecasts_that_see_the_future(run, frame(ds, y)) == set()


@pytest.mark.parametrize("name", ["glm", "house"])
def test_where_a_queue_began_is_not_told_by_its_future(name):
    """Ten days without a ticket before a quiet queue's first: what comes later does not say whether it was there."""
    ds = grid(112)
    y = np.random.default_rng(1).poisson(0.02, len(ds)).astype(float)
    y[: 24 * 10] = 0

    def run(series):
        return rolled(series, calendar=OPEN, models=(name,))

    assert forecasts_that_see_the_future(run, frame(ds, y)) == set()


def test_a_past_that_is_cut_a_day_too_late_is_found(monkeypatch):
    """If ``roll`` handed on one day too many, the same check would name every model."""
    cut = Days.before
    monkeypatch.setattr(Days, "before", lambda self, day: cut(self, day + 1))
    assert forecasts_that_see_the_future(rolled, poisson(70)) == set(FAST)


def test_a_forecast_that_sees_the_future_is_found(monkeypatch):
    """A planted model that adds a thousandth of what really comes is caught by the same check, and only it."""

    class Peeking(Model):
        name = "peeking"

        def __init__(self, series):
            grid = Grid.of(pd.DatetimeIndex(series["ds"]), OPEN, 60)
            self.known, self.first = grid.table(series["y"].to_numpy()), grid.dates[0]

        def _learn(self, past):
            self.level = past.rates.mean()

        def _expect(self, dates):
            return self.level + self.known[(dates - self.first).astype(int)] / 1000

    def run(series):
        monkeypatch.setitem(lineup.MODELS, "peeking", lambda: Peeking(series))
        return rolled(series, models=("mean_4", "peeking", "glm"))

    assert forecasts_that_see_the_future(run, poisson(70)) == {"peeking"}


def test_origins_lie_as_asked():
    """The last origin lies a horizon before the end, the others a step apart, all at local midnight over a DST day."""
    ds = grid(84, start="2025-01-27")
    table = backtest(frame(ds, weekly_rate(ds)), horizon="14d", origins=3, step="7d", models="mean_4", calendar=OPEN)
    end = pd.Timestamp("2025-04-21", tz=BERLIN)
    days = [pd.Timestamp(end.date() - pd.Timedelta(days=d)).tz_localize(BERLIN) for d in (28, 21, 14)]
    assert table["origin"].tolist() == days
    assert (table["horizon"] == "14d").all()


def test_short_histories_are_tested_on_shorter_horizons():
    """Five weeks cannot be tested 28 days ahead: the table says over how many days they were."""
    table = backtest(poisson(35), models="mean_4")
    assert set(table["horizon"]) == {"3d"} or set(table["horizon"]) == {"7d"}
    assert (table["origin"] > grid(1)[0] + pd.Timedelta(days=13)).all()


def test_figures_by_slow_loops():
    """WAPE, daily WAPE, bias, MASE and pinball of the planner's mean are what loops over the raw counts give."""
    series = poisson(63, level=6)
    series["y"] = series["y"].mask(np.random.default_rng(3).random(len(series)) < 0.05)
    series["y"] = series["y"].mask(series["ds"] > series["ds"].iloc[-1] - pd.Timedelta(hours=30))
    row = backtest(series, horizon="7d", origins=1, models="mean_4", calendar=OPEN).iloc[0]
    past = {t: n for t, n in zip(series["ds"], series["y"], strict=True) if t < row["origin"]}
    coming = [(t, n) for t, n in zip(series["ds"], series["y"], strict=True) if t >= row["origin"] and n == n]
    f, y = [], []
    for t, n in coming:
        same = [past[t - pd.Timedelta(weeks=w)] for w in range(1, 9) if t - pd.Timedelta(weeks=w) in past]
        f.append(np.mean([v for v in same if v == v][:4]))
        y.append(n)
    error = [abs(a - b) for a, b in zip(f, y, strict=True)]
    assert row["wape"] == pytest.approx(sum(error) / sum(y))
    assert row["bias"] == pytest.approx((sum(f) - sum(y)) / sum(y))
    days = {}
    for (t, n), g in zip(coming, f, strict=True):
        days[t.date()] = days.get(t.date(), 0.0) + n - g
    assert row["wape_day"] == pytest.approx(sum(abs(d) for d in days.values()) / sum(y))
    naive = [abs(n - past[t - pd.Timedelta(weeks=1)]) for t, n in past.items() if t - pd.Timedelta(weeks=1) in past]
    assert row["mase"] == pytest.approx(np.mean(error) / np.mean([e for e in naive if e == e]))


def test_the_floor_is_what_chance_leaves():
    """``wape_floor`` is the mean absolute deviation of simulated Poisson counts from their own rate."""
    ds = grid(70)
    rate = weekly_rate(ds, level=3)
    row = backtest(frame(ds, rate), horizon="7d", origins=1, models="mean_4", calendar=OPEN).iloc[0]
    f = rate[:168]
    draws = np.random.default_rng(2).poisson(f, (4000, 168))
    assert row["wape"] < 1e-9
    assert row["wape_floor"] == pytest.approx(np.abs(draws - f).mean() / f.mean(), rel=0.01)


def test_pinball_and_coverage_of_a_known_rate():
    """Where only chance is left, 80 % and 95 % bands cover so many counts, and pinball is that of exact quantiles."""
    ds = grid(420, start="2024-06-03", zone="UTC")
    y = np.random.default_rng(5).poisson(25.0, len(ds))
    table = backtest(frame(ds, y), horizon="28d", origins=8, step="28d", models="glm", calendar=Calendar(zone="UTC"))
    assert table["coverage_80"].mean() == pytest.approx(0.80, abs=0.02)
    assert table["coverage_95"].mean() == pytest.approx(0.95, abs=0.012)
    draws = np.random.default_rng(6).poisson(25.0, 200_000).astype(float)
    loss = []
    for q in (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95):
        at = np.sort(draws)[int(np.ceil(q * len(draws))) - 1]
        loss.append(np.where(draws >= at, q * (draws - at), (1 - q) * (at - draws)).mean())
    assert table["pinball"].mean() == pytest.approx(np.mean(loss), rel=0.03)
    assert abs(table["bias"].mean()) < 0.01


def test_only_open_hours_are_judged():
    """Errors while closed do not count by themselves: they come with the tickets of the next opening."""
    series = poisson(70)
    last = series["ds"] >= series["ds"].iloc[-1] - pd.Timedelta(days=6)
    night = last & (series["ds"].dt.hour == 3)
    phone = Calendar(zone=BERLIN, week=HOURS.week, closed_arrivals="lost")
    noisy = series.assign(y=series["y"] + 100 * night)
    quiet, loud = (
        [backtest(s, horizon="7d", origins=1, models="mean_4", calendar=c).iloc[0]["wape"] for s in (series, noisy)]
        for c in (phone, HOURS)
    )
    assert quiet[0] == quiet[1]
    assert loud[1] > 2 * loud[0]


def test_progress_counts_every_queue():
    """Progress runs to the number of queues, one by one."""
    seen = []
    series = pd.concat([poisson(60, queue=name) for name in "abc"])
    backtest(series, origins=2, horizon="7d", models=["mean_4", "glm"], progress=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_several_models_are_judged_together_too():
    """With several models there is a row ``auto`` per origin, whose error is that of weights from the other origins."""
    series = poisson(112, level=3)
    names = ["mean_4", "mean_8", "glm"]
    table = backtest(series, horizon="14d", origins=4, models=names, calendar=OPEN)
    assert table.groupby("model").size().to_dict() == dict.fromkeys([*names, "auto"], 4)
    runs = rolled(series, models=names, calendar=OPEN, horizon="14d", origins=4, step="14d")
    for row in table[table["model"] == "auto"].itertuples():
        weights = weigh([one for one in runs if one.origin != row.origin])
        there = [one for one in runs if one.origin == row.origin]
        mean = sum(weights.get(one.model, 0.0) * one.mean for one in there)
        assert row.wape == pytest.approx(np.abs(there[0].y - mean).sum() / there[0].y.sum())


@pytest.mark.parametrize("gone", [(56, 70), (70, 84)])
def test_weeks_of_which_nothing_is_known_are_no_test_and_no_fault(gone):
    """Of two tests of two weeks the counts of one are all unknown: the other has its errors, for all together too."""
    series = poisson(84)
    day = (series["ds"] - series["ds"].iloc[0]).dt.days
    series["y"] = series["y"].mask((day >= gone[0]) & (day < gone[1]))
    table = backtest(series, horizon="14d", origins=2, models=["mean_4", "glm"], calendar=OPEN)
    known = table[table["wape"].notna()]
    assert known.groupby("model").size().to_dict() == {"auto": 1, "glm": 1, "mean_4": 1}


def test_one_model_alone_has_no_row_for_all_together():
    """With a single model there is nothing to weigh."""
    assert set(backtest(poisson(60), horizon="7d", origins=2, models="mean_4")["model"]) == {"mean_4"}


@pytest.mark.parametrize("days", [24, 30, 34])
def test_a_model_that_misses_early_origins_is_not_preferred_for_it(days):
    """A model too young for some origins leaves ``auto`` with a row for each origin, as every old enough model has."""
    sizes = backtest(poisson(days), calendar=OPEN).groupby("model").size()
    assert sizes["low_rank"] < sizes["glm"]
    assert sizes["auto"] == sizes["glm"]


def test_a_short_history_still_gives_several_tests():
    """Seven weeks are tested more than twice, over a shorter horizon and at closer origins."""
    errors = backtest(poisson(49), models="mean_4", calendar=Calendar(zone=BERLIN))
    assert len(errors) >= 3
    assert set(errors["horizon"]) <= {"7d", "14d"}


def test_coverage_is_right_for_small_counts():
    """Bands of a steady rate cover as often as they say, also where most counts are 0."""
    ds = grid(7 * 30)
    y = np.random.default_rng(8).poisson(0.4, len(ds))
    errors = backtest(frame(ds, y), models="mean_8", calendar=Calendar(zone=BERLIN), origins=4)
    assert errors["coverage_80"].mean() == pytest.approx(0.80, abs=0.03)
    assert errors["coverage_95"].mean() == pytest.approx(0.95, abs=0.03)
