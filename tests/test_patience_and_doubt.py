"""What the plan makes of forecast ratios: patience as measured, doubt about handle times, reopening, the bot."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from staffcast.cli import main
from staffcast.contracts import InputError
from staffcast.contracts.files import write_table
from staffcast.erlang import performance, required_agents
from staffcast.forecast import Demand, sum_queues
from staffcast.patience import with_measured_patience
from staffcast.playing import play
from staffcast.scenario import Scenario
from staffcast.staffing import apply_what_if, pooled_demand, pooling_gain, staff, with_handle_times

START = pd.Timestamp("2026-03-02T08:00", tz="Europe/Berlin")


def demand(means, *, queue="a", aht=300.0, **more):
    mean = np.asarray(means, dtype=float)
    ds = pd.date_range(START, periods=len(mean), freq="30min")
    return pd.DataFrame({"unique_id": queue, "ds": ds, "mean": mean, "open": True, "aht_s": aht, **more})


def of(*parts):
    return Demand.from_frame(pd.concat(parts, ignore_index=True))


def scenario(**options):
    return Scenario().with_options({"band": "none", **options})


def test_doubt_about_handle_times_is_staffed_for():
    """Handle times that may be 20 % off cost as many people as a rate that may be; both cost more; sure ones none."""
    none, rate, aht, both = (
        staff(of(demand([300, 300], rate_cv=r, aht_cv=a)), scenario())["agents"][0]
        for r, a in ((0.0, 0.0), (0.2, 0.0), (0.0, 0.2), (0.2, 0.2))
    )
    assert none < rate == aht < both
    doubtful = of(demand([300, 300], aht_cv=0.2))
    assert staff(doubtful, scenario(uncertain_rate=False))["agents"][0] == none
    assert staff(with_handle_times(doubtful, scenario(aht="5m")), scenario())["agents"][0] == none
    assert staff(of(demand([300, 300], aht_cv=[np.nan, 0.2])), scenario())["agents"].tolist() == [none, aht]


def test_one_factor_of_the_load_stands_for_both_doubts():
    """Crews for a doubtful rate and handle time keep 80 % in 60 s on average over both, drawn apart (± 1 point)."""
    n, (rate_cv, aht_cv) = 20_000, (0.15, 0.1)
    rng = np.random.default_rng(3)
    rate = 600 * rng.gamma(1 / rate_cv**2, rate_cv**2, n)
    aht = 300 * rng.gamma(1 / aht_cv**2, aht_cv**2, n)
    crew = int(staff(of(demand([300, 300], rate_cv=rate_cv, aht_cv=aht_cv)), scenario())["agents"][0])
    share = {}
    for agents in (crew - 1, crew):
        served = performance(arrivals_per_hour=rate, aht_s=aht, agents=agents, target_s=60).service_level
        share[agents] = float((served * rate).sum() / rate.sum())
    assert share[crew] > 0.79
    assert share[crew - 1] < 0.81


def test_times_side_by_side_that_the_planner_states_are_sure():
    """With aht_by_concurrency the measured handle time, and its doubt, have no part."""
    chats = scenario(aht_by_concurrency=["5m", "7m"])
    sure, unsure = (staff(of(demand([60, 60], aht_cv=cv)), chats) for cv in (0.0, 0.4))
    pd.testing.assert_frame_equal(sure, unsure)


def test_a_deadline_plan_has_the_doubt_too():
    """Work by a deadline with doubtful handle times needs no fewer hours, and with much doubt more."""
    by_day = scenario(frt="95% in 4h")
    hours = [staff(of(demand([40] * 20, aht_cv=cv, share_level=1.0)), by_day)["agents"].sum() for cv in (0.0, 0.3)]
    assert hours[1] > hours[0]


def test_doubt_in_sums_and_pools():
    """Of two like queues each 20 % unsure their sum is 20 % ÷ √2; one queue's sum keeps its own."""
    both = of(demand([30, 0], aht_cv=0.2), demand([30, 0], queue="b", aht_cv=0.2))
    assert pooled_demand(both).frame["aht_cv"].tolist() == pytest.approx([0.2 / np.sqrt(2), 0])
    assert sum_queues(both).frame["aht_cv"].tolist() == pytest.approx([0.2 / np.sqrt(2), 0])
    assert sum_queues(of(demand([30, 20], aht_cv=0.2))).frame["aht_cv"].tolist() == pytest.approx([0.2, 0.2])
    assert "aht_cv" not in sum_queues(of(demand([30, 20]))).frame


def test_measured_patience_is_each_intervals_own():
    """Intervals are staffed as Erlang A has them with their patience: the more patient hour needs more people."""
    table = of(demand([300, 300], patience_s=[30.0, 600.0], rate_cv=0.0))
    made = staff(table, scenario(patience="measured"))
    alone = [
        int(required_agents(arrivals_per_hour=600, aht_s=300, target="80% in 60s", patience_s=p).agents)
        for p in (30.0, 600.0)
    ]
    assert made["agents"].tolist() == alone
    assert alone[0] < alone[1]
    assert set(made["model"]) == {"erlang_a"}
    stated = staff(table, scenario(patience="600s"))
    assert stated["agents"].tolist() == [alone[1]] * 2


def test_one_patience_for_a_queue_is_the_mean_readiness_to_leave():
    """Half of the tickets at 100 s, half at 300 s: 1 ÷ mean(1 ÷ patience) = 150 s; queues of their own keep theirs."""
    table = of(demand([10, 10], patience_s=[100.0, 300.0]), demand([10, 10], queue="b", patience_s=80.0))
    asked = scenario(patience="measured").with_options({"queues": {"b": {"patience": "none"}}})
    found = with_measured_patience(asked, table)
    assert found.for_queue("a").patience_s == pytest.approx(150)
    assert found.for_queue("b").patience_s is None
    assert with_measured_patience(found, table) is found
    plain = scenario(patience="2m")
    assert with_measured_patience(plain, table) is plain


@pytest.mark.parametrize("patience", [{}, {"patience_s": np.nan}])
def test_patience_that_nobody_measured_is_refused(patience):
    """The error names the queue and says what the log lacks."""
    with pytest.raises(InputError, match=r"'a': `patience` is \"measured\", but .*abandoned.*wait_s.*\"3m\""):
        staff(of(demand([30, 30], **patience)), scenario(patience="measured"))


def test_a_hole_in_the_table_gets_the_queues_mean():
    """An interval without patience is staffed with that of the others."""
    with_hole = staff(of(demand([300, 300], patience_s=[60.0, np.nan])), scenario(patience="measured"))
    assert with_hole["agents"][0] == with_hole["agents"][1]


def test_measured_patience_in_chats_pools_and_play():
    """Chats, the pooled crew and the simulation know it too; those who give up are seen when it is played."""
    table = of(demand([60, 60], patience_s=120.0), demand([60, 60], queue="b", patience_s=120.0))
    measured, stated = (scenario(patience=p, replications=20) for p in ("measured", "120s"))
    chats, side = ({"aht_by_concurrency": ["5m", "7m"]} for _ in range(2))
    pd.testing.assert_series_equal(
        staff(table, measured.with_options(chats))["agents"], staff(table, stated.with_options(side))["agents"]
    )
    plan = staff(table, stated)
    assert pooling_gain(table, plan, with_measured_patience(measured, table)) == pooling_gain(table, plan, stated)
    summaries = [play(table, plan, each).summary for each in (measured, stated)]
    pd.testing.assert_frame_equal(*summaries)
    assert (summaries[0]["p_abandon"] > 0).all()


def test_followed_over_time_it_is_the_queues_mean():
    """Where the queue is followed from interval to interval, one patience stands for all."""
    table = of(demand([20, 30, 20], aht=900.0, patience_s=[200.0, 600.0, 200.0]))
    usual = with_measured_patience(scenario(patience="measured"), table).for_queue("a").patience_s
    made, same = (staff(table, scenario(patience=p, method="over_time")) for p in ("measured", f"{usual}s"))
    assert made["agents"].tolist() == same["agents"].tolist()


def test_reopening_and_the_bot_change_nothing():
    """Shares of reopened and bot-closed tickets are told, not staffed for: their work is in y and aht_s or nobody's."""
    plain = staff(of(demand([60, 60])), scenario())
    told = staff(
        of(demand([60, 60], reopen_share=0.3, reopen_share_sd=0.1, bot_share=0.5, bot_share_sd=0.1)), scenario()
    )
    pd.testing.assert_frame_equal(plain, told)


def test_deflection_raises_the_bots_share():
    """A bot that closes 40 % and takes 30 % of the rest then closes 58 %."""
    changed = apply_what_if(of(demand([60, 60], bot_share=0.4)), scenario(what_if={"deflection": "30%"}))
    assert changed.frame["bot_share"].tolist() == pytest.approx([0.58, 0.58])


def test_on_the_command_line(tmp_path):
    """``staff --patience measured`` reads it from the demand table, and says so; without the column it says why not."""
    table = of(demand([60, 60], patience_s=120.0)).frame
    for name, frame in (("with.csv", table), ("without.csv", table.drop(columns="patience_s"))):
        write_table(frame, tmp_path / name)
    runner = CliRunner()
    good = runner.invoke(main, ["staff", str(tmp_path / "with.csv"), "--patience", "measured", "--band", "none"])
    assert good.exit_code == 0, good.output
    assert "customers give up after 2 min on average, as the log shows" in " ".join(good.output.split())
    bad = runner.invoke(main, ["staff", str(tmp_path / "without.csv"), "--patience", "measured"])
    assert bad.exit_code != 0
    assert "nothing is known of who gave up" in " ".join(bad.output.split())
