"""Handle times, shrinkage, what comes back and the bot's share: counted by hand, and intervals that keep their word."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from measured_logs import at, log_of
from scipy import stats
from statsmodels.stats.oneway import anova_oneway
from statsmodels.stats.proportion import proportion_confint

from staffcast.utilization.measured import (
    as_table,
    deflection_figures,
    first_reply_figures,
    handle_figures,
    redial_figures,
    reopen_figures,
    repeat_figures,
    shrinkage_figures,
)
from staffcast.utilization.measured.figures import of_ratio, spread_squared
from staffcast.utilization.measured.handling import alike


def named(figures):
    return {(figure.measure, figure.at): figure for figure in figures}


def handled(seconds, hours):
    offered = pd.Series([at("2026-03-02") + pd.Timedelta(hours=int(h), days=i % 7) for i, h in enumerate(hours)])
    return pd.DataFrame({"offered_at": offered, "handle_s": seconds})


def test_handle_times_and_their_spread_by_hour():
    """Means and CV² are those of each hour's tickets; handle times of zero and empty ones are not counted."""
    rows = handled([60.0, 120, 0, np.nan, 600, 600], [9, 9, 9, 9, 14, 14])
    found = named(handle_figures(rows, "q"))
    assert found["aht", ""].value == pytest.approx(1380 / 4)
    assert (found["aht", "09"].value, found["aht", "09"].n) == (90, 2)
    assert found["handle_cv2", "09"].value == pytest.approx(np.var([60, 120]) / 90**2)
    assert found["handle_cv2", "14"].value == 0
    assert found["aht", ""].few
    (nothing,) = handle_figures(handled([np.nan], [9]), "q")
    assert (nothing.n, "handle_s" in nothing.note) == (0, True)


def test_intervals_of_handle_times_hold_the_truth_as_often_as_they_say():
    """95 % of the intervals of mean and CV² hold the truth, though tickets of a day are alike, give or take chance."""
    hits, alone = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        day = np.repeat(np.arange(30), 30)
        seconds = 600 * rng.gamma(20, 1 / 20, 30)[day] * rng.gamma(2.0, 1 / 2.0, len(day))
        mean, plain = (of_ratio(seconds, np.ones(len(day)), units) for units in (day, None))
        cv2 = spread_squared(rng.gamma(2.0, 1.0, 900), None)
        hits.append([mean.low < 600 < mean.high, cv2.low < 0.5 < cv2.high])
        alone.append(plain.low < 600 < plain.high)
    assert (np.sum(hits, axis=0) >= 271).all()  # 271 of 300 at 95 %: fewer once in a thousand times
    assert np.sum(alone) < 271  # taking tickets of a day for independent promises too much


def test_hours_are_compared_by_welchs_test():
    """Whether hours differ is what statsmodels' Welch ANOVA says."""
    rng = np.random.default_rng(2)
    for shift in (0.0, 30.0, 60.0, 120.0):
        hour = np.repeat([9, 12, 15], 150)
        seconds = rng.gamma(2.0, 200.0, 450) + shift * (hour == 15)
        p = anova_oneway(seconds, groups=hour, use_var="unequal", welch_correction=True).pvalue
        assert (alike(seconds, hour) == "hours differ") == (p < 0.01)


def test_first_reply_needs_the_assignment():
    """Time from assignment to first reply, with its median; without assigned_at the column is named."""
    rows = pd.DataFrame({
        "offered_at": [at("2026-03-02 09:00")] * 3,
        "assigned_at": [at("2026-03-02 09:05")] * 3,
        "first_response_at": [at("2026-03-02 09:05:10"), at("2026-03-02 09:05:20"), at("2026-03-02 09:06:00")],
    })  # fmt: skip
    found = named(first_reply_figures(rows, "q"))
    assert (found["first_reply", ""].value, found["first_reply", "median"].value) == (30, 20)
    (lacking,) = first_reply_figures(rows.drop(columns="assigned_at"), "q")
    assert "assigned_at" in lacking.note


ROSTER = pd.DataFrame(
    [
        ("a", "2026-03-02 09:00", "2026-03-02 16:00", "available"),
        ("a", "2026-03-02 16:00", "2026-03-02 17:00", "break"),
        ("a", "2026-03-03 09:00", "2026-03-03 17:00", "absent"),
        ("b", "2026-03-02 22:00", "2026-03-03 02:00", "available"),  # over midnight: two hours on each day
        ("b", "2026-03-03 02:00", "2026-03-03 04:00", "Training"),
    ],
    columns=["agent", "start", "end", "state"],
).assign(start=lambda f: pd.to_datetime(f["start"], utc=True), end=lambda f: pd.to_datetime(f["end"], utc=True))


def test_shrinkage_by_cause_and_weekday_is_counted_in_hours():
    """Of 22 paid hours 11 were away: 1 on break, 8 absent, 2 in training; Monday 1 of 10, Tuesday 10 of 12."""
    found = named(shrinkage_figures(ROSTER, zone="UTC"))
    assert found["shrinkage", ""].value == pytest.approx(11 / 22)
    assert found["shrinkage_cause", "absent"].value == pytest.approx(8 / 22)
    assert found["shrinkage_cause", "training"].value == pytest.approx(2 / 22)
    assert found["absence", ""].value == pytest.approx(8 / 22)
    assert found["shrinkage", "mon"].value == pytest.approx(1 / 10)
    assert found["shrinkage", "tue"].value == pytest.approx(10 / 12)
    assert found["shrinkage_cause", "break mon"].value == pytest.approx(1 / 10)
    assert found["shrinkage", ""].few  # two agents


def test_intervals_of_shrinkage_take_the_agent_as_the_unit():
    """Where agents differ in how much they are away, 95 % of the intervals hold the truth, give or take chance."""
    hits = []
    start = pd.date_range("2026-01-05 08:00", periods=40, freq="D", tz="UTC")
    for seed in range(150):
        rng = np.random.default_rng(seed)
        parts = []
        for agent, own in enumerate(rng.beta(6, 14, 25)):  # 30 % on average
            away = rng.random(40) < own
            parts.append(pd.DataFrame({
                "agent": str(agent), "start": start, "end": start + pd.Timedelta(hours=8),
                "state": np.where(away, "sick", "available"),
            }))  # fmt: skip
        figure = shrinkage_figures(pd.concat(parts, ignore_index=True), zone="UTC")[0]
        hits.append(figure.low < 0.3 < figure.high)
    assert np.sum(hits) >= stats.binom.ppf(0.001, 150, 0.95)


def test_reopened_tickets_their_work_and_delay():
    """Of ten resolved tickets two were reopened, with half a handling more; not counting the last days and who left."""
    start, n = at("2026-03-02 09:00"), 14
    offered = start + pd.to_timedelta(np.arange(n), unit="D")
    rows = pd.DataFrame({
        "offered_at": offered, "first_response_at": offered + pd.Timedelta("10min"),
        "resolved_at": offered + pd.Timedelta("1h"), "reopens": [1, 2] + [0] * 12,
        "handle_s": [300.0, 300.0] + [200.0] * 12, "outcome": ["answered"] * 9 + ["abandoned"] + ["answered"] * 4,
        "reopened_at": [offered[0] + pd.Timedelta("25h10min"), offered[1] + pd.Timedelta("49h10min")] + [pd.NaT] * 12,
    })  # fmt: skip
    found = named(reopen_figures(rows, "q", settled=start + pd.Timedelta(days=11)))
    assert (found["reopened", ""].value, found["reopened", ""].n) == (0.2, 10)
    assert (found["reopened", ""].low, found["reopened", ""].high) == pytest.approx(
        proportion_confint(2, 10, method="wilson"), abs=0.08
    )
    assert found["reopened_work", ""].value == pytest.approx(0.5)
    assert found["reopened_after", ""].value == pytest.approx(37 * 3600)
    bare = named(reopen_figures(rows.drop(columns="reopened_at"), "q", settled=start + pd.Timedelta(days=11)))
    assert (bare["reopened_after", ""].n, bare["reopened_after", ""].note) == (0, "needs reopened_at")


def test_the_last_days_do_not_make_repeats_look_more():
    """Where customers come back at random, the share within 3 days is 1 − exp(−3·rate), though the log ends."""
    rng = np.random.default_rng(8)
    begin = rng.uniform(0, 30 * 86400, 6000)
    frame = pd.DataFrame({
        "ticket_id": np.arange(6000).astype(str), "queue": "q", "customer_id": rng.integers(0, 1200, 6000).astype(str),
        "created_at": at("2026-03-02") + pd.to_timedelta(np.sort(begin).round(), unit="s"),
    })  # fmt: skip
    log = log_of(frame)
    found = named(repeat_figures(log, "q", days=3, since=at("2026-03-02")))
    true = 1 - np.exp(-3 * 6000 / 1200 / 30)
    assert found["repeated", ""].low < true < found["repeated", ""].high
    rows = frame[frame["created_at"] <= log.end - pd.Timedelta(days=3)]
    later = frame.groupby("customer_id")["created_at"].shift(-1)
    assert found["repeated", ""].value == pytest.approx(
        (later[rows.index] - rows["created_at"] <= pd.Timedelta(days=3)).mean()
    )
    (lacking,) = repeat_figures(log_of(frame.drop(columns="customer_id")), "q", days=3, since=at("2026-03-02"))
    assert lacking.note == "needs customer_id"


def test_who_tries_again_after_giving_up():
    """Of three who gave up one came back within the hour, after 20 minutes; the one of the last hour is not judged."""
    rows = [
        {"offered": "09:00", "customer_id": "a", "outcome": "abandoned"},
        {"offered": "09:20", "customer_id": "a", "outcome": "answered"},
        {"offered": "10:00", "customer_id": "b", "outcome": "abandoned"},
        {"offered": "12:00", "customer_id": "b", "outcome": "abandoned"},
        {"offered": "15:00", "customer_id": "c", "outcome": "abandoned"},
        {"offered": "15:30", "customer_id": "d", "outcome": "answered"},
    ]
    found = named(redial_figures(log_of(rows), "all", since=at("2026-03-02")))
    assert (found["redial", ""].value, found["redial", ""].n) == (pytest.approx(1 / 3), 3)
    assert found["redial_after", ""].value == 1200


def test_what_the_bot_takes_and_leaves():
    """Closed shares by class, the hand-over, and handle times of those who met the bot beside those who did not."""
    created = at("2026-03-02 09:00") + pd.to_timedelta(np.arange(8), unit="h")
    rows = pd.DataFrame({
        "created_at": created, "topic": ["refund"] * 4 + ["size"] * 4,
        "outcome": ["bot_closed"] * 3 + ["answered", "bot_closed"] + ["answered"] * 3,
        "bot_option": ["1"] * 6 + [None, None], "handle_s": [np.nan] * 3 + [300.0, np.nan, 500.0, 200.0, 300.0],
    })  # fmt: skip
    rows["offered_at"] = (created + pd.to_timedelta([0, 0, 0, 60, 0, 20, 10, 10], unit="s")).where(
        rows["outcome"] == "answered"
    )
    found = named(deflection_figures(rows, "q"))
    assert found["bot_closes", ""].value == 0.5
    assert found["bot_closes", "topic refund"].value == 0.75
    assert found["bot_closes", "topic size"].value == 0.25
    assert found["bot_handover", ""].value == 25
    assert found["bot_harder", ""].value == pytest.approx(400 / 250)
    everywhere = named(deflection_figures(rows.assign(bot_option="1"), "q"))
    assert np.isnan(everywhere["bot_harder", ""].value)
    assert "did not" in everywhere["bot_harder", ""].note
    (none,) = deflection_figures(rows[rows["outcome"] == "answered"], "q")
    assert (none.n, "bot_closed" in none.note) == (0, True)


def test_the_table_marks_small_samples():
    """Figures from fewer than fifty observations stand in the table as few."""
    table = as_table(handle_figures(handled(np.full(60, 60.0), [9] * 55 + [10] * 5), "q"))
    few = table.set_index(["measure", "at"])["few"]
    assert (few["aht", ""], few["aht", "09"], few["aht", "10"]) == (False, False, True)
