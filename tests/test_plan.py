"""The main road end to end, from a frame of tickets to a plan that was played."""

import functools
import math

import numpy as np
import pandas as pd
import pytest

from staffcast import plan as main_road
from staffcast.contracts import BACKTEST, DEMAND, OUTCOME, REQUIREMENT, SERIES, InputError
from staffcast.erlang import performance
from staffcast.forecast import Demand
from staffcast.plan import make_plan
from staffcast.playing import play
from staffcast.scenario import Scenario
from staffcast.staffing import staff

ZONE = "Europe/Berlin"
# Twelve weeks, the last day a Saturday: the horizon begins on the Sunday of the change to summer time.
DAYS = pd.date_range("2024-01-08", "2024-03-30", freq="D")
TARGET_S, SHRINKAGE = 120.0, 0.30
OPTIONS = {
    "zone": ZONE,
    "interval": "60m",
    "horizon": "14d",
    "models": "mean_4",
    "replications": 10,
    "frt": "80% in 2m",
    "shrinkage": "30%",
    "until": "2024-03-31",
    "hours": {"mon-fri": "08:00-18:00", "sat": "10:00-14:00"},
}
# queue: tickets an hour, mean handle time in seconds
QUEUES = {"chat": (14.0, 900.0), "tiny": (1.5, 600.0)}


@functools.cache
def small_log() -> pd.DataFrame:
    """A help desk with one usual and one small queue, open on weekdays and Saturday mornings, closed on Sundays."""
    random = np.random.default_rng(7)
    parts = []
    for queue, (per_hour, handle_s) in QUEUES.items():
        for day in DAYS[DAYS.day_of_week < 6]:
            first, last = (8, 18) if day.day_of_week < 5 else (10, 14)
            number = random.poisson(per_hour * (last - first) * random.gamma(100, 1 / 100))
            early = random.poisson(0.2 * per_hour)
            second = np.concatenate(
                [random.uniform(first * 3600, last * 3600, number), random.uniform(5 * 3600, first * 3600, early)]
            )
            answered = np.maximum(second, first * 3600) + random.exponential(40, len(second))
            handled = np.round(random.lognormal(math.log(handle_s) - 0.18, 0.6, len(second)), 1)
            times = [day + pd.to_timedelta(np.round(s), unit="s") for s in (second, answered, answered + handled)]
            parts.append(
                pd.DataFrame(
                    {
                        "created_at": times[0],
                        "first_response_at": times[1],
                        "resolved_at": times[2],
                        "queue": queue,
                        "priority": random.choice(["high", "normal"], len(second), p=[0.2, 0.8]),
                        "agent": random.choice(["Ana", "Bo"], len(second)),
                        "handle_s": handled,
                    }
                )
            )
    frame = pd.concat(parts).sort_values("created_at", kind="stable").reset_index(drop=True)
    for column in ("created_at", "first_response_at", "resolved_at"):
        frame[column] = frame[column].dt.tz_localize(ZONE)
    frame.insert(0, "ticket_id", [f"T{i:05d}" for i in range(len(frame))])
    return frame


def scenario(**changes):
    return Scenario().with_options({**OPTIONS, **changes})


@functools.cache
def small_plan():
    return make_plan(small_log(), scenario())


@pytest.fixture(scope="module")
def made():
    return small_plan()


def horizon_by_hand(days=14):
    return pd.date_range(
        "2024-03-31", pd.Timestamp("2024-03-31") + pd.Timedelta(days=days), freq="60min", tz=ZONE, inclusive="left"
    )


def open_by_hand(ds):
    weekday = (ds.day_of_week < 5) & (ds.hour >= 8) & (ds.hour < 18)
    return np.asarray(weekday | ((ds.day_of_week == 5) & (ds.hour >= 10) & (ds.hour < 14)))


def test_every_table_of_a_plan_keeps_its_contract(made):
    """What a room hands on passes the check at the next room's door, and loses no row there."""
    for contract, frame in (
        (SERIES, made.intake.series),
        (DEMAND, made.demand.frame),
        (BACKTEST, made.demand.backtest),
        (REQUIREMENT, made.requirement),
        (OUTCOME, made.played.outcome),
    ):
        assert len(contract.check(frame)) == len(frame) > 0
    assert list(made.played.summary["unique_id"]) == sorted(QUEUES)


def test_the_series_counts_every_ticket_of_the_log(made):
    """No ticket is lost or counted twice on the way into the series."""
    counted = made.intake.series.groupby("unique_id")["y"].sum()
    assert counted.to_dict() == small_log()["queue"].value_counts().sort_index().to_dict()


def test_the_requirement_covers_every_interval_of_the_horizon(made):
    """Each queue has one row per hour of the 14 days, 335 as the clock springs forward on the first of them."""
    expected = horizon_by_hand()
    assert len(expected) == 14 * 24 - 1
    for queue in QUEUES:
        rows = made.requirement[made.requirement["unique_id"] == queue]
        assert pd.DatetimeIndex(rows["ds"]).equals(expected.rename("ds"))
        assert pd.DatetimeIndex(made.played.outcome.query("unique_id == @queue")["ds"]).equals(expected.rename("ds"))


def test_closed_intervals_need_nobody(made):
    """Outside opening hours there is no demand and nobody, inside there is somebody wherever tickets come."""
    for queue in QUEUES:
        rows = made.requirement[made.requirement["unique_id"] == queue]
        opened = open_by_hand(pd.DatetimeIndex(rows["ds"]))
        assert (rows["open"].to_numpy() == opened).all()
        assert (rows.loc[~opened, ["agents", "rostered", "mean", "worked"]] == 0).all(axis=None)
        assert (rows.loc[opened & (rows["worked"] > 0).to_numpy(), "agents"] > 0).all()


@pytest.mark.parametrize("clear_within", ["1h", "2h", "24h"])
def test_no_ticket_is_lost_between_forecast_and_staffing(made, clear_within):
    """Spreading what waited overnight, until closing at the latest, moves tickets; it makes and loses none."""
    table = staff(made.demand, scenario(clear_within=clear_within))
    for _, rows in table.groupby("unique_id"):
        assert rows["worked"].sum() == pytest.approx(rows["mean"].sum(), rel=1e-12)
        assert (rows.loc[~rows["open"], "worked"] == 0).all()


def test_agents_are_the_fewest_that_meet_target_and_band(made):
    """Recomputed from the queueing formulas: the number meets both rules, one fewer breaks the binding one."""
    cv = np.hypot(made.demand.frame["rate_cv"], made.demand.frame["aht_cv"]).to_numpy()
    table = made.requirement
    staffed = (table["agents"] > 0).to_numpy()
    rows = table[staffed]
    asked = {
        "arrivals_per_hour": rows["worked"].to_numpy(),
        "aht_s": rows["aht_s"].to_numpy(),
        "target_s": TARGET_S,
        "rate_cv": cv[staffed],
    }
    found = performance(agents=rows["agents"].to_numpy(), **asked)
    fewer = performance(agents=rows["agents"].to_numpy() - 1, **asked)
    assert (found.service_level >= 0.80 - 1e-9).all()
    assert (found.occupancy <= 0.90 + 1e-9).all()
    by_frt = (rows["binding"] == "frt").to_numpy()
    by_occupancy = (rows["binding"] == "occupancy").to_numpy()
    assert (by_frt | by_occupancy).all()
    assert by_frt.any()
    assert (fewer.service_level[by_frt] < 0.80).all()
    assert (fewer.occupancy[by_occupancy] > 0.90).all()
    np.testing.assert_allclose(rows["service_level"], found.service_level, rtol=1e-9)
    np.testing.assert_allclose(rows["occupancy"], found.occupancy, rtol=1e-9)


def test_rostered_is_the_fewest_people_that_leave_enough_after_shrinkage(made):
    """Rostered people less 30 % cover the agents, one person fewer does not."""
    agents, rostered = made.requirement["agents"], made.requirement["rostered"]
    assert (rostered * (1 - SHRINKAGE) >= agents - 1e-9).all()
    assert ((rostered - 1) * (1 - SHRINKAGE) < agents - 1e-9)[agents > 0].all()


def test_the_simulation_keeps_account_of_every_ticket(made):
    """Offered = answered + abandoned + unanswered, and offered = arrivals of all intervals + opening backlog."""
    outcome, summary = made.played.outcome, made.played.summary
    np.testing.assert_allclose(
        summary["offered"], summary[["answered", "abandoned", "unanswered"]].sum(axis=1), rtol=1e-12
    )
    arrivals = outcome.groupby("unique_id")["arrivals"].sum()
    np.testing.assert_allclose(summary["offered"], arrivals.to_numpy() + summary["backlog_start"], rtol=1e-12)


def test_simulated_arrivals_follow_the_forecast():
    """Over 200 replications the tickets played agree with the forecast's sum within four standard errors."""
    replications = 200
    rules = scenario(replications=replications)
    demand = small_plan().demand
    played = play(demand, small_plan().requirement, rules)
    rates = demand.sample(replications, of="rates").sum(axis=2)
    for k, queue in enumerate(demand.queues):
        mean = demand.of(queue)["mean"].sum()
        # The rate's own spread, seen in the sampled paths, plus Poisson noise.
        error = math.sqrt((rates[:, k].var(ddof=1) + mean) / replications)
        offered = played.summary.set_index("unique_id")["offered"][queue]
        assert abs(offered - mean) < 4 * error


def test_utilization_is_load_over_staffed_time(made):
    """Simulated handling time is tickets × AHT within 15 %, and utilization is handling within the staffed time."""
    for row in made.played.summary.to_dict("records"):
        aht = made.demand.of(row["unique_id"])["aht_s"].iloc[0]
        assert row["handled_s"] == pytest.approx(row["offered"] * aht, rel=0.15)
        agents = made.requirement.query("unique_id == @row['unique_id']")["agents"].sum()
        assert row["staffed_s"] == agents * 3600
        assert row["utilization"] == pytest.approx((row["handled_s"] - row["overtime_s"]) / row["staffed_s"], rel=1e-6)


def test_tickets_waiting_at_the_logs_end_enter_the_simulation():
    """Five unanswered from before closing are its backlog; three that came after closing wait in Monday's forecast."""
    at = [f"2024-03-30T13:{m}:00" for m in (10, 20, 30, 40, 50)] + [f"2024-03-30T1{h}:00:00" for h in (5, 6, 7)]
    waiting = pd.DataFrame(
        {
            "ticket_id": [f"W{i}" for i in range(8)],
            "created_at": pd.to_datetime(at).tz_localize(ZONE),
            "queue": "chat",
            "priority": "normal",
        }
    )
    rules = scenario()
    plain, late = (make_plan(log, rules) for log in (small_log(), pd.concat([small_log(), waiting], ignore_index=True)))
    assert late.intake.facts["chat"].backlog_age_s == (39000.0, 38400.0, 37800.0, 37200.0, 36600.0)
    start = late.played.summary.set_index("unique_id")["backlog_start"]
    assert (start["chat"], start["tiny"]) == (5, 0)
    first = [d.of("chat").query("open").iloc[0]["carried"] for d in (plain.demand, late.demand)]
    # The nine hours of that Saturday afternoon carry 3 tickets more; the 4-week means move by next to nothing.
    assert first[1] - first[0] == pytest.approx(3, abs=1.0)
    more = late.played.summary["offered"] - plain.played.summary["offered"]
    assert more[0] > 5
    assert more[1] == 0


def test_a_roster_gives_utilization_by_hand():
    """Utilization is handling ÷ logged-in time and shrinkage what was paid but not available, summed by hand."""
    day = "2024-03-28"
    roster = pd.DataFrame(
        [
            ("Ana", f"{day}T08:00:00+01:00", f"{day}T12:00:00+01:00", "available"),
            ("Ana", f"{day}T12:00:00+01:00", f"{day}T13:00:00+01:00", "break"),
            ("Bo", f"{day}T08:00:00+01:00", f"{day}T13:00:00+01:00", "absent"),
        ],
        columns=["agent", "start", "end", "state"],
    )
    used = make_plan(small_log(), scenario(), roster=roster).utilization.set_index("agent")
    log = small_log()
    begin, end = (pd.Timestamp(f"{day}T{hour}:00", tz=ZONE) for hour in ("08:00", "13:00"))
    mine = log[(log["agent"] == "Ana") & log["first_response_at"].between(begin, end)]
    assert len(mine) > 10
    assert used.loc["Ana", "utilization"] == pytest.approx(mine["handle_s"].sum() / 3600 / 5)
    assert used.loc["Ana", "occupancy"] == pytest.approx(mine["handle_s"].sum() / 3600 / 4)
    assert used.loc["Ana", "shrinkage"] == pytest.approx(1 / 5)
    assert used.loc["all", "shrinkage"] == pytest.approx(1 - 4 / 10)


def test_a_bad_roster_is_refused_before_the_work_begins(monkeypatch):
    """A roster that cannot be used stops the plan at once, not after forecast and simulation."""

    def too_late(*_, **__):
        raise AssertionError("the forecast ran first")

    monkeypatch.setattr(main_road, "predict", too_late)
    roster = pd.DataFrame({"agent": ["Ana"], "start": ["2024-03-28T08:00:00+01:00"]})
    with pytest.raises(InputError, match="roster table lacks end, state"):
        make_plan(small_log(), scenario(), roster=roster)


def test_a_percentile_that_the_simulation_cannot_judge_is_refused_before_the_work_begins(monkeypatch):
    """p97 is no figure that the simulation reports: the plan stops at once and names those that are."""

    def too_late(*_, **__):
        raise AssertionError("the forecast ran first")

    monkeypatch.setattr(main_road, "predict", too_late)
    with pytest.raises(InputError, match="p50, p90, p95 and p99, not p97"):
        make_plan(small_log(), scenario(frt="p97 5m"))


@pytest.mark.parametrize("changes", [{"skip_queues": "tiny"}, {"queues_only": "chat"}])
def test_a_queue_that_is_left_out_is_nowhere(changes):
    """A skipped queue has no row in any table; the other, which no longer leans on it, is staffed within an agent."""
    made = make_plan(small_log(), scenario(**changes))
    tables = (made.intake.series, made.demand.frame, made.demand.backtest, made.requirement, made.played.summary)
    assert all(set(t["unique_id"]) == {"chat"} for t in (*tables, made.played.outcome))
    assert set(made.kpi["queue"]) == {"chat"}
    before = small_plan().requirement.query("unique_id == 'chat'")["agents"]
    now = made.requirement["agents"].to_numpy()
    assert np.abs(now - before.to_numpy()).max() <= 1
    assert now.sum() == pytest.approx(before.sum(), rel=0.02)


def test_past_figures_are_those_of_the_log(made):
    """Volume and mean handle time per queue are the log's own, and no FRT runs before opening or after closing."""
    log = small_log()
    for row in made.kpi.to_dict("records"):
        mine = log[log["queue"] == row["queue"]]
        assert row["volume"] == row["offered"] == row["answered"] == len(mine)
        assert row["aht_s"] == pytest.approx(mine["handle_s"].mean())
        opening = mine["created_at"].dt.normalize() + pd.to_timedelta(
            np.where(mine["created_at"].dt.day_of_week < 5, 8, 10), unit="h"
        )
        closing = opening + pd.to_timedelta(np.where(mine["created_at"].dt.day_of_week < 5, 10, 4), unit="h")
        wait = mine["first_response_at"].clip(upper=closing) - mine["created_at"].clip(lower=opening)
        assert row["frt_mean_s"] == pytest.approx(wait.dt.total_seconds().mean())


def test_counts_per_interval_make_a_plan_too():
    """From counts alone, with a handle time said, come the agents of the ticket log; only its KPIs are missing."""
    series = small_plan().intake.series.assign(aht_s=900.0)[["unique_id", "ds", "y", "aht_s"]]
    made = make_plan(series, scenario(aht="15m"))
    same = make_plan(small_log(), scenario(aht="15m"))
    assert made.kpi is None
    pd.testing.assert_frame_equal(made.requirement, same.requirement, check_dtype=False)


def test_a_desk_that_stays_closed_over_the_horizon_needs_nobody():
    """A plan of one closed Sunday has no demand and no agents, and no target can be missed in it."""
    made = make_plan(small_log(), scenario(horizon="1d"))
    assert len(made.requirement) == 2 * 23
    assert (made.requirement["agents"] == 0).all()
    assert made.played.met


def test_a_plan_without_people_misses_its_target(made):
    """With every agent sent home the simulation says so: missed, nobody answered, all tickets in the backlog."""
    empty = made.requirement.assign(agents=0)
    played = play(made.demand, empty, made.scenario)
    assert not played.met
    assert set(played.summary["verdict"]) == {"missed"}
    assert (played.summary["answered"] == 0).all()
    assert (played.summary["backlog_end"] == played.summary["offered"]).all()


@pytest.mark.parametrize("frt", ["80% in 2m", "mean 2m", "p95 10m"])
def test_the_verdict_is_about_the_figure_that_the_target_names(made, frt):
    """The target's value is the simulated share, mean or percentile; with a crowd on duty every kind is met."""
    rules = scenario(frt=frt)
    crowd = made.requirement.assign(agents=made.requirement["agents"] * 5)
    played = play(made.demand, crowd, rules)
    figure = {"8": "service_level", "m": "frt_mean_s", "p": "frt_p95_s"}[frt[0]]
    assert played.summary["target_value"].equals(played.summary[figure].rename("target_value"))
    assert set(played.summary["verdict"]) == {"met"}


def test_one_more_agent_everywhere_never_hurts(made):
    """On the same sampled demand an agent more in each open hour does not lower any queue's service level."""
    more = made.requirement.assign(agents=made.requirement["agents"] + made.requirement["open"])
    played = play(made.demand, more, made.scenario, facts=made.intake.facts)
    assert (played.summary["service_level"] >= made.played.summary["service_level"] - 1e-12).all()
    assert (played.summary["mean_wait_s"] <= made.played.summary["mean_wait_s"] + 1e-9).all()


def test_impatient_customers_leave():
    """With patience some abandon where before none could, and still every ticket is accounted for."""
    made = make_plan(small_log(), scenario(patience="1m", queues_only="chat"))
    row = made.played.summary.iloc[0]
    assert row["abandoned"] > 0
    assert row["offered"] == pytest.approx(row["answered"] + row["abandoned"] + row["unanswered"])
    assert (small_plan().played.summary["abandoned"] == 0).all()


def test_priorities_of_the_log_are_played(made):
    """The urgent fifth of the tickets is in time more often than the rest, and both classes are all tickets."""
    classes = made.played.by_priority.query("unique_id == 'chat'").set_index("priority")
    assert list(classes.index) == ["high", "normal"]
    assert classes["service_level"]["high"] > classes["service_level"]["normal"]
    offered = made.played.summary.set_index("unique_id")["offered"]["chat"]
    assert classes["offered"].sum() == pytest.approx(offered)
    assert classes["offered"]["high"] / offered == pytest.approx(0.2, abs=0.03)


def test_what_if_changes_scale_the_demand_as_stated():
    """+20 % volume with a bot that closes 30 % is 0.84 of the tickets, −10 % handle time is 0.9 of the seconds."""
    plain = small_plan().demand.frame
    changed = make_plan(
        small_log(), scenario(what_if={"volume": "+20%", "aht": "-10%", "deflection": "30%"}, replications=1)
    ).demand.frame
    for column in ("mean", "carried", "q05", "q95"):
        np.testing.assert_allclose(changed[column], 0.84 * plain[column], rtol=1e-12)
    np.testing.assert_allclose(changed["aht_s"], 0.9 * plain["aht_s"], rtol=1e-12)
    assert changed["rate_cv"].equals(plain["rate_cv"])


def test_more_volume_never_needs_fewer_agents(made):
    """With a fifth more tickets no interval needs fewer agents, and some need more."""
    frame = made.demand.frame.copy()
    frame[["mean", "carried"]] *= 1.2
    more = staff(Demand.from_frame(frame), made.scenario)["agents"]
    assert (more >= made.requirement["agents"]).all()
    assert more.sum() > made.requirement["agents"].sum()


def test_one_replication_is_enough_for_a_verdict(made):
    """A single course of events has no standard error; the verdict then is about its own figure."""
    rules = scenario(replications=1)
    played = play(made.demand, made.requirement, rules)
    for row in played.summary.to_dict("records"):
        assert row["verdict"] == ("met" if row["service_level"] >= 0.80 else "missed")


def test_a_plan_on_a_finer_grid_than_the_demand_is_refused(made):
    """Half-hours against hourly demand: reading every second row would be a silent wrong answer."""
    half = made.requirement.assign(ds=made.requirement["ds"] + pd.Timedelta(minutes=30))
    finer = pd.concat([made.requirement, half], ignore_index=True)
    with pytest.raises(InputError, match=r"60-minute intervals: 335 rows .* first at 2024-03-31T00:30"):
        play(made.demand, finer, made.scenario)


def test_a_plan_on_a_coarser_grid_than_the_demand_is_refused(made):
    """Rows every two hours leave intervals of the demand uncovered: the error counts them and names the first."""
    coarser = made.requirement[made.requirement["ds"].dt.hour % 2 == 0]
    with pytest.raises(InputError, match=r"does not cover the demand: \d+ intervals are missing.*2024-03-31T01:00"):
        play(made.demand, coarser, made.scenario)


def test_rows_outside_the_demands_span_do_no_harm(made):
    """A plan for four weeks can be played against one of them: rows before and after are not needed."""
    week = made.demand.frame[made.demand.frame["ds"] < pd.Timestamp("2024-04-07", tz=ZONE)]
    played = play(Demand.from_frame(week, seed=1), made.requirement, made.scenario)
    assert len(played.outcome) == len(week)


def test_a_queue_that_the_plan_forgot_is_named(made):
    """A plan without one of the demand's queues is refused with the names of those it has."""
    with pytest.raises(InputError, match="no rows for queue 'tiny'; its queues are chat"):
        play(made.demand, made.requirement.query("unique_id == 'chat'"), made.scenario)
