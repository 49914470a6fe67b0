"""The simulator against closed forms and chains; every tolerance is four of its own standard errors."""

import math

import numpy as np
import pytest
from simulation_exact import MEAN_S, Scores, birth_death, erlang_c, forward_equations, steady

from staffcast.contracts import Target
from staffcast.simulation import Arrivals, Patience, Service, Staffing, simulate


@pytest.mark.parametrize(("load", "agents", "relax"), [(0.5, 1, 60), (4.5, 5, 900), (17.0, 20, 120)])
def test_mmc_waits_as_erlang_says(load, agents, relax):
    """M/M/c: share that waits, mean wait, share within the exact p95, queue and occupancy are Erlang's."""
    c = erlang_c(load, agents)
    spare = (agents - load) / MEAN_S
    p95 = math.log(c / 0.05) / spare
    target = Target.share(0.8, within_s=p95)
    row = steady(load, agents, Service.exponential(MEAN_S), relax=relax, target=target).by_interval.iloc[1]
    exact = {
        "p_wait": c, "mean_wait_s": c / spare, "service_level": 0.95,
        "queue_mean": load / MEAN_S * c / spare, "busy_mean": load, "utilization": load / agents,
        "frt_mean_s": c / spare,
    }  # fmt: skip
    scores = Scores()
    for name, value in exact.items():
        scores.add(name, row[name], row[f"{name}_se"], value)
    scores.check()


@pytest.mark.parametrize(
    ("service", "cv2"),
    [
        (Service.deterministic(MEAN_S), 0.0),
        (Service.lognormal(MEAN_S, 1.5), 2.25),
        (Service.empirical([100.0, 100.0, 700.0]), 80_000 / 90_000),
    ],
)
def test_mg1_waits_as_pollaczek_khinchine_says(service, cv2):
    """M/G/1: the mean wait depends on the handle time through its mean and variance only."""
    row = steady(0.7, 1, service, relax=300).by_interval.iloc[1]
    scores = Scores()
    scores.add("mean_wait_s", row["mean_wait_s"], row["mean_wait_s_se"], 0.7 / 0.3 * MEAN_S * (1 + cv2) / 2)
    scores.add("p_wait", row["p_wait"], row["p_wait_se"], 0.7)
    scores.check()


@pytest.mark.parametrize(("load", "agents", "shares"), [(0.8, 1, [0.3, 0.7]), (4.2, 5, [0.2, 0.3, 0.5])])
def test_urgent_tickets_wait_as_cobham_says(load, agents, shares):
    """M/M/c with non-preemptive classes: the mean wait of each class is Cobham's."""
    runs = 12
    outcome = steady(load, agents, Service.exponential(MEAN_S), relax=300, runs=runs, priorities=shares)
    first, last = outcome.by_interval["start_s"].to_numpy()[1:]
    means = np.empty((runs, len(shares)))
    for run in range(runs):
        tickets = outcome.tickets(run)
        inside = tickets[(tickets["arrival_s"] >= first) & (tickets["arrival_s"] < last)]
        means[run] = inside.groupby("class")["wait_s"].mean()
    sigma = np.concatenate(([0.0], np.cumsum(shares) * load / agents))
    exact = erlang_c(load, agents) * MEAN_S / agents / ((1 - sigma[:-1]) * (1 - sigma[1:]))
    scores = Scores()
    scores.add("wait by class", means.mean(axis=0), means.std(axis=0, ddof=1) / math.sqrt(runs), exact)
    scores.check()


@pytest.mark.parametrize(("load", "agents", "patience"), [(9.0, 8, 600.0), (4.0, 5, 120.0)])
def test_impatient_customers_leave_as_the_chain_says(load, agents, patience):
    """M/M/c+M: shares that wait and that give up and the mean queue are those of its chain, overloaded or not."""
    row = steady(
        load, agents, Service.exponential(MEAN_S), relax=60, patience=Patience.exponential(patience)
    ).by_interval.iloc[1]
    rate = load / MEAN_S
    p = birth_death(rate, agents, 1 / MEAN_S, 1 / patience)
    n = np.arange(len(p))
    queue = float(p @ np.maximum(n - agents, 0))
    exact = {
        "p_wait": float(p[agents:].sum()), "queue_mean": queue, "p_abandon": queue / patience / rate,
        "mean_wait_s": queue / rate, "busy_mean": float(p @ np.minimum(n, agents)),
    }  # fmt: skip
    scores = Scores()
    for name, value in exact.items():
        scores.add(name, row[name], row[f"{name}_se"], value)
    scores.check()


@pytest.mark.parametrize(
    ("rule", "patience"), [("finish", None), ("finish_count", None), ("finish", 400.0), ("finish_count", 400.0)]
)
def test_steps_follow_the_forward_equations(rule, patience):
    """M(t)/M/s(t)+M with staff that rises, drops, closes and flutters follows its Kolmogorov equations."""
    edges = np.arange(9) * 900.0
    agents = np.array([4, 8, 3, 0, 6, 5, 6, 2])
    rates = np.array([40, 100, 70, 20, 50, 60, 60, 20]) / 3600
    outcome = simulate(
        Arrivals.piecewise(edges, rates * 3600), Staffing.steps(edges, agents), Service.exponential(MEAN_S),
        patience=patience and Patience.exponential(patience), on_staff_drop=rule, replications=3000, seed=5,
    )  # fmt: skip
    exact = forward_equations(edges, rates, agents, 1 / MEAN_S, 1 / patience if patience else 0.0, rule)
    frame, scores = outcome.by_interval, Scores()
    for name in ("queue_mean", "queue_end", "busy_mean", "p_wait"):
        scores.add(name, frame[name], frame[f"{name}_se"], exact[name])
    used = agents > 0
    useful = ((exact["busy_mean"] - exact["late_mean"])[used]) / agents[used]
    scores.add("utilization", frame["utilization"][used], frame["utilization_se"][used], useful)
    if patience:
        summary = outcome.summary
        gone = exact["queue_mean"].sum() * 900 / patience
        level = summary.abandoned, math.sqrt(summary.abandoned / 3000) * 2  # se of a count of at most this spread
        scores.add("abandoned", *level, gone)
    scores.check()
    assert np.mean(np.square(list(scores.z.values()))) < 2


def test_the_two_rules_differ_where_staff_drop_with_a_queue():
    """After a drop under load, finish_count has the longer queue and the less overtime, as the equations say."""
    edges, agents, rates = [0.0, 1800.0, 3600.0], [8, 3], np.array([100, 30]) / 3600
    exact = {
        rule: forward_equations(edges, rates, agents, 1 / MEAN_S, rule=rule) for rule in ("finish", "finish_count")
    }
    assert exact["finish_count"]["queue_mean"][1] > 1.1 * exact["finish"]["queue_mean"][1]
    assert exact["finish_count"]["late_mean"][1] < 0.8 * exact["finish"]["late_mean"][1]
    for rule, truth in exact.items():
        outcome = simulate(
            Arrivals.piecewise(edges, rates * 3600), Staffing.steps(edges, agents), Service.exponential(MEAN_S),
            on_staff_drop=rule, replications=1000, seed=2,
        )  # fmt: skip
        last = outcome.by_interval.iloc[1]
        scores = Scores()
        scores.add("queue_mean", last["queue_mean"], last["queue_mean_se"], truth["queue_mean"][1])
        scores.check()
        assert outcome.summary.overtime_s == pytest.approx(1800 * truth["late_mean"][1], rel=0.1)


def test_steps_that_do_not_change_are_no_steps():
    """M/M/5 at 90 % written as constant 15-minute steps waits as M/M/5, ticket by ticket."""
    steps = 4 * 24 * 20
    fine, coarse = np.arange(steps + 1) * 900.0, np.array([0.0, steps * 900.0])
    times = simulate(
        Arrivals.piecewise(coarse, [54.0]), Staffing.steps(coarse, [5]), Service.exponential(MEAN_S), replications=1
    ).tickets(0)
    log = Arrivals.trace(times["arrival_s"], times["service_s"])
    waits = [
        simulate(log, Staffing.steps(edges, [5] * (len(edges) - 1)), None, replications=1).tickets(0)["wait_s"]
        for edges in (coarse, fine)
    ]
    assert (waits[0] == waits[1]).all()
    played = simulate(
        Arrivals.piecewise(fine, np.full(steps, 54.0)), Staffing.steps(fine, [5] * steps), Service.exponential(MEAN_S),
        replications=40, seed=3,
    )  # fmt: skip
    # The first day is left out: the queue starts empty and takes some hours to forget it.
    waited = [
        t.loc[t["arrival_s"].between(86_400, 19 * 86_400), "wait_s"].mean() for t in map(played.tickets, range(40))
    ]
    scores = Scores()
    truth = erlang_c(4.5, 5) * MEAN_S / 0.5
    scores.add("mean wait", np.mean(waited), np.std(waited, ddof=1) / math.sqrt(40), truth)
    scores.check()
    assert erlang_c(4.5, 5) == pytest.approx(0.7625, abs=5e-5)


def test_overload_grows_the_queue_by_what_is_left_over():
    """While everybody is busy, the queue grows by arrivals less completions, exactly."""
    edges = [0.0, 3600.0]
    outcome = simulate(
        Arrivals.piecewise(edges, [240.0]), Staffing.steps(edges, [10]), Service.exponential(MEAN_S), backlog=60,
        replications=1000, seed=4,
    )  # fmt: skip
    row, scores = outcome.by_interval.iloc[0], Scores()
    scores.add("queue_end", row["queue_end"], row["queue_end_se"], 60 - 10 + 240 - 120)
    scores.add("queue_mean", row["queue_mean"], row["queue_mean_se"], 50 + 60)
    scores.check()
    assert outcome.summary.load == pytest.approx((240 + 60) * MEAN_S / 36_000, rel=0.02)
    assert row["utilization"] == pytest.approx(1.0)


def test_a_closed_night_is_carried_over_and_cleared():
    """What comes in a night without staff waits for the morning and is cleared as the forward equations say."""
    edges = np.arange(9) * 3600.0
    agents, rates = [0, 0, 0, 0, 6, 6, 6, 6], np.full(8, 12.0) / 3600
    outcome = simulate(
        Arrivals.piecewise(edges, rates * 3600), Staffing.steps(edges, agents), Service.exponential(MEAN_S),
        replications=1500, seed=6,
    )  # fmt: skip
    exact = forward_equations(edges, rates, agents, 1 / MEAN_S, spare=2)
    frame, scores = outcome.by_interval, Scores()
    assert exact["queue_end"][3] == pytest.approx(48, rel=1e-6)
    for name in ("queue_end", "queue_mean", "busy_mean"):
        scores.add(name, frame[name], frame[f"{name}_se"], exact[name])
    scores.check()
    assert (frame["p_wait"][:4] == 1).all()
    assert (frame["busy_mean"][:4] == 0).all()
    assert frame["utilization"][:4].isna().all()


def test_lumps_are_what_came_while_closed():
    """Tickets released at opening are as many as were expected, and wait as a batch that arrives at once."""
    edges = [0.0, 3600.0, 40 * 3600.0]
    outcome = simulate(
        Arrivals.piecewise(edges, [0.0, 0.0], lumps=[0.0, 30.0]), Staffing.steps(edges, [0, 3]),
        Service.exponential(MEAN_S), replications=3000, seed=7,
    )  # fmt: skip
    row, scores = outcome.by_interval.iloc[1], Scores()
    scores.add("arrivals", row["arrivals"], row["arrivals_se"], 30.0)
    # The k-th of a batch (from 0) is taken after k − 2 completions of 3 busy agents; the batch is Poisson.
    chance = np.exp(-30.0 + np.arange(200) * math.log(30.0) - np.array([math.lgamma(k + 1) for k in range(200)]))
    total = np.concatenate(([0.0], np.cumsum(np.maximum(np.arange(199) - 2, 0) * MEAN_S / 3)))
    scores.add("mean_wait_s", row["mean_wait_s"], row["mean_wait_s_se"], chance @ total / 30.0)
    scores.check()
    assert outcome.by_interval["queue_end"].tolist() == [0.0, 0.0]


def test_an_opening_backlog_of_fifty_is_worked_off_in_order():
    """The k-th of 50 waiting tickets is taken after k − c + 1 completions, on average and with fixed handle times."""
    edges, staffing = [0.0, 86_400.0], Staffing.steps([0.0, 86_400.0], [5])
    empty = Arrivals.piecewise(edges, [0.0])
    fixed = simulate(empty, staffing, Service.deterministic(MEAN_S), backlog=50, replications=1).tickets(0)
    assert fixed["start_s"].tolist() == [k // 5 * MEAN_S for k in range(50)]
    runs = 1000
    outcome = simulate(empty, staffing, Service.exponential(MEAN_S), backlog=50, replications=runs, seed=8)
    exact = np.maximum(np.arange(50) - 4, 0).mean() * MEAN_S / 5
    scores = Scores()
    scores.add("mean_wait_s", outcome.summary.mean_wait_s, outcome.summary.mean_wait_s_se, exact)
    scores.check()
    assert (outcome.summary.backlog_start, outcome.summary.offered, outcome.summary.answered) == (50, 50, 50)


def test_handle_times_follow_the_interval_of_arrival():
    """A mean by interval makes each interval's tickets as long as it says."""
    edges = [0.0, 36_000.0, 72_000.0]
    outcome = simulate(
        Arrivals.piecewise(edges, [60.0, 60.0]), Staffing.steps(edges, [40, 40]),
        Service.lognormal([200.0, 600.0], 0.8), replications=40, seed=9,
    )  # fmt: skip
    drawn = [outcome.tickets(r) for r in range(40)]
    scores = Scores()
    for first, mean in zip(edges, (200.0, 600.0), strict=False):
        times = np.concatenate(
            [t.loc[(t["arrival_s"] >= first) & (t["arrival_s"] < first + 36_000), "service_s"] for t in drawn]
        )
        error = times.std() / math.sqrt(len(times))
        scores.add("mean", times.mean(), error, mean)
        assert times.std() / mean == pytest.approx(0.8, rel=0.05)
    scores.check()


def test_sample_paths_are_played_in_turn():
    """Replication r plays path r modulo the number of paths, and the bands show the paths' spread."""
    edges = [0.0, 3600.0]
    outcome = simulate(
        Arrivals.piecewise(edges, [[0.0], [900.0]]),
        Staffing.steps(edges, [0]),
        Service.exponential(60.0),
        replications=8,
    )
    counts = [len(outcome.tickets(r)) for r in range(8)]
    assert counts[::2] == [0] * 4
    assert all(abs(count - 900) < 4 * 30 for count in counts[1::2])
    row = outcome.by_interval.iloc[0]
    assert row["queue_end_p05"] == 0
    assert row["queue_end_p95"] > 780
