"""Agents followed one by one against chains solved as matrices; every tolerance is four of its own standard errors."""

import numpy as np
import pytest
from floor_exact import chain, chat_moves, chat_steps, skills, time_in_states
from simulation_exact import Scores

from staffcast.erlang.models.leastloaded import least_loaded_head
from staffcast.simulation import Arrivals, Group, Patience, Service, Staffing, simulate

MEAN_S, PATIENCE_S = 300.0, 400.0

N_DESIGN = {"crew": (2, 2), "serves": ((0,), (0, 1)), "load": (2.4, 1.4)}
N_HELPS = {"crew": (2, 2), "serves": ((0,), (1, 0)), "load": (2.4, 1.0)}
W_DESIGN = {"crew": (2, 1), "serves": ((0, 1), (2, 1)), "load": (1.2, 0.9, 0.7)}
X_DESIGN = {"crew": (2, 2), "serves": ((0, 1), (1, 0)), "load": (1.5, 1.7)}


@pytest.mark.parametrize("routing", ["longest_idle", "priority"])
@pytest.mark.parametrize("design", [N_DESIGN, N_HELPS, W_DESIGN, X_DESIGN], ids=["N", "N helps", "W", "X"])
def test_skills_as_the_chain_says(design, routing):
    """Two groups with skills: waits and givers-up of each class and the utilization of each group are the chain's."""
    span, runs = 300_000.0, 60
    load = np.array(design["load"])
    states, generator = skills(
        load / MEAN_S, design["crew"], design["serves"], 1 / MEAN_S, 1 / PATIENCE_S, routing == "priority"
    )
    spent = time_in_states(generator, span)
    waiting = np.array([state[1] for state in states]).T
    assert spent[(waiting == waiting.max()).any(axis=0)].sum() < 1e-3 * span / 100, "enlarge room"
    edges = [0.0, span]
    groups = [
        Group(name=f"g{g}", staffing=Staffing.steps(edges, [crew]), serves=serves)
        for g, (crew, serves) in enumerate(zip(design["crew"], design["serves"], strict=True))
    ]
    outcome = simulate(
        Arrivals.piecewise(edges, [load.sum() / MEAN_S * 3600]), groups, Service.exponential(MEAN_S),
        patience=Patience.exponential(PATIENCE_S), priorities=list(load / load.sum()), routing=routing,
        replications=runs, seed=len(load) + round(10 * load[-1]) + 100 * (routing == "priority"),
    )  # fmt: skip
    scores = Scores()
    for kind, row in outcome.by_class.iterrows():
        offered = load[kind] / MEAN_S * span
        queue = float(spent @ waiting[kind])
        able = [g for g, serves in enumerate(design["serves"]) if kind in serves]
        full = float(spent @ [not any(g in state[0] for g in able) for state in states])
        scores.add(f"wait {kind}", row["mean_wait_s"], row["mean_wait_s_se"], queue / offered)
        scores.add(f"abandon {kind}", row["p_abandon"], row["p_abandon_se"], queue / PATIENCE_S / offered)
        scores.add(f"p_wait {kind}", row["p_wait"], row["p_wait_se"], full / span)
    for g, row in outcome.by_group.iterrows():
        idle = float(spent @ [state[0].count(g) for state in states]) / span
        crew = design["crew"][g]
        scores.add(f"utilization {g}", row["utilization"], row["utilization_se"], 1 - idle / crew)
        scores.add(f"in hand {g}", row["in_hand_mean"], row["in_hand_mean_se"], crew - idle)
    scores.check()


def test_the_two_routings_differ_where_a_class_has_two_groups():
    """By priority the first group is busier and the second is spared, as the chain says beyond all doubt."""
    idle = {}
    for by_priority in (False, True):
        states, generator = skills((2.4 / 300, 1.4 / 300), (2, 2), ((0,), (0, 1)), 1 / 300, 1 / 400, by_priority)
        idle[by_priority] = time_in_states(generator, 1e6) @ [state[0].count(0) for state in states] / 2e6
    assert idle[True] < idle[False] - 0.03


@pytest.mark.parametrize(
    ("agents", "slow", "load"),
    [(4, (1.0, 1.25, 1.7), 5.5), (6, (1.0, 1.5), 6.2), (3, (1.0, 1.0), 4.2), (2, (1.0, 1.2, 1.6, 2.2), 2.4)],
)
def test_chats_as_the_least_loaded_crew(agents, slow, load):
    """Chats that go to whoever has fewest and stay there: waits, occupancy and chats in hand are the chain's.

    And the chain's head is that of the package's own solution.
    """
    rate, k = load / MEAN_S, len(slow)
    none = (0,) * (k + 1)
    states, generator = chain([((agents, *none[1:]), none, 0)], chat_moves(rate, slow, 1 / MEAN_S, room=200))
    steady = time_in_states(generator, 1e12) / 1e12
    held = np.array([np.arange(k + 1) @ state[0] + state[2] for state in states])
    full = held >= agents * k
    head = least_loaded_head(np.array([rate]), np.array([float(agents)]), MEAN_S * np.array(slow))
    drain = float(head.drain[0])
    assert steady[held == agents * k].sum() / steady[~full].sum() == pytest.approx(float(head.gate[0]), rel=1e-6)
    assert steady[~full] @ held[~full] / steady[~full].sum() == pytest.approx(float(head.mean_chats[0]), rel=1e-6)
    held_any = np.array([agents - state[0][0] for state in states])
    assert steady[~full] @ held_any[~full] / steady[~full].sum() == pytest.approx(float(head.mean_busy[0]), rel=1e-6)
    p_wait = float(steady[full].sum())
    busy = float(steady @ held_any)
    chats = float(steady @ np.minimum(held, agents * k))
    edges = np.cumsum([0.0, 30_000.0, 400_000.0, 30_000.0])
    outcome = simulate(
        Arrivals.piecewise(edges, [rate * 3600] * 3), Staffing.steps(edges, [agents] * 3), Service.exponential(MEAN_S),
        concurrency=k, aht_by_concurrency_s=MEAN_S * np.array(slow), replications=60, seed=32,
    )  # fmt: skip
    row, scores = outcome.by_interval.iloc[1], Scores()
    exact = {
        "p_wait": p_wait, "mean_wait_s": p_wait / (drain - rate), "busy_mean": chats, "utilization": busy / agents,
        "queue_mean": rate * p_wait / (drain - rate),
    }  # fmt: skip
    for name, value in exact.items():
        scores.add(name, row[name], row[f"{name}_se"], value)
    scores.check()
    assert outcome.summary.load == pytest.approx(rate / drain, rel=0.02)


def test_impatient_chats_as_their_chain():
    """Chats with customers who give up, begun empty: all that is told of them is what the chain of the crew says."""
    slow, agents, span = (1.0, 1.3, 1.9), 3, 300_000.0
    rate, none = 4.6 / MEAN_S, (0, 0, 0, 0)
    states, generator = chain(
        [((agents, 0, 0, 0), none, 0)], chat_moves(rate, slow, 1 / MEAN_S, 1 / PATIENCE_S, room=30)
    )
    spent = time_in_states(generator, span)
    queue = float(spent @ [state[2] for state in states])
    held = float(spent @ [np.arange(4) @ state[0] for state in states])
    edges = [0.0, span]
    outcome = simulate(
        Arrivals.piecewise(edges, [rate * 3600]), Staffing.steps(edges, [agents]), Service.exponential(MEAN_S),
        patience=Patience.exponential(PATIENCE_S), concurrency=3, aht_by_concurrency_s=slow, replications=60, seed=33,
    )  # fmt: skip
    summary, group, scores = outcome.summary, outcome.by_group.iloc[0], Scores()
    scores.add("wait", summary.mean_wait_s, summary.mean_wait_s_se, queue / (rate * span))
    idle = float(spent @ [state[0][0] for state in states]) / span
    scores.add("utilization", group["utilization"], group["utilization_se"], 1 - idle / agents)
    scores.add("in hand", group["in_hand_mean"], group["in_hand_mean_se"], held / span)
    row = outcome.by_class.iloc[0]
    scores.add("abandon", row["p_abandon"], row["p_abandon_se"], queue / PATIENCE_S / (rate * span))
    scores.check()


@pytest.mark.parametrize(
    "service", [Service.deterministic(MEAN_S), Service.lognormal(MEAN_S, 1.5), Service.gamma(MEAN_S, 0.5)]
)
def test_an_agent_who_shares_out_all_of_it_is_processor_sharing(service):
    """M/G/1-PS: with aht_j = j · aht_1 and room for all, time and number in hand depend on the mean work only."""
    load, span, places = 0.6, 600_000.0, 80
    edges = np.cumsum([0.0, 60_000.0, span, 60_000.0])
    outcome = simulate(
        Arrivals.piecewise(edges, [load / MEAN_S * 3600] * 3), Staffing.steps(edges, [1] * 3), service,
        concurrency=places, aht_by_concurrency_s=MEAN_S * np.arange(1, places + 1), replications=60, seed=35,
    )  # fmt: skip
    row, scores = outcome.by_interval.iloc[1], Scores()
    scores.add("utilization", row["utilization"], row["utilization_se"], load)
    scores.add("in hand", row["busy_mean"], row["busy_mean_se"], load / (1 - load))
    stays = np.empty(60)
    for run in range(60):
        tickets = outcome.tickets(run)
        inside = tickets[tickets["arrival_s"].between(edges[1], edges[2])]
        stays[run] = (inside["end_s"] - inside["arrival_s"]).mean()
    scores.add("stay", stays.mean(), stays.std(ddof=1) / np.sqrt(60), MEAN_S / (1 - load))
    scores.check()
    assert row["p_wait"] == 0


@pytest.mark.parametrize(("rule", "patience"), [("finish", 400.0), ("finish", None), ("preempt", None)])
def test_chat_steps_follow_the_forward_equations(rule, patience):
    """A chat crew that grows, shrinks, closes and flutters follows its Kolmogorov equations, leavers included."""
    edges = np.arange(8) * 900.0
    agents = [2, 4, 2, 0, 3, 2, 3]
    rates = np.array([30, 70, 50, 15, 40, 40, 40]) / 3600
    slow = (1.0, 1.4)
    outcome = simulate(
        Arrivals.piecewise(edges, rates * 3600), Staffing.steps(edges, agents), Service.exponential(MEAN_S),
        patience=patience and Patience.exponential(patience), concurrency=2, aht_by_concurrency_s=slow,
        on_staff_drop=rule, replications=3000, seed=34,
    )  # fmt: skip
    exact = chat_steps(edges, rates, agents, slow, 1 / MEAN_S, 1 / patience if patience else 0.0, rule)
    waiting, in_hand, busy, late = exact
    frame, scores = outcome.by_interval, Scores()
    staffed = np.array(agents) > 0
    scores.add("queue", frame["queue_mean"], frame["queue_mean_se"], waiting)
    scores.add("in hand", frame["busy_mean"], frame["busy_mean_se"], in_hand)
    useful = (busy - late)[staffed] / np.array(agents)[staffed]
    scores.add("utilization", frame["utilization"][staffed], frame["utilization_se"][staffed], useful)
    scores.check()
    assert np.mean(np.square(list(scores.z.values()))) < 2
    assert outcome.summary.overtime_s == pytest.approx(late.sum() * 900, rel=0.05, abs=1e-9)
