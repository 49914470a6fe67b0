import heapq
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.linalg import spsolve

from staffcast.contracts import InputError, Target
from staffcast.erlang.classes.pooling import QueueLoad, pool_over_intervals, pool_staffing, skill_performance
from staffcast.erlang.performance import performance
from staffcast.erlang.solve import required_agents

TEN = QueueLoad(arrivals_per_hour=100, aht_s=360, target="80% in 60s")
LONG = QueueLoad(arrivals_per_hour=60, aht_s=600, target="90% in 2m")


def simulate(queues, groups, agents, tickets, seed):
    """Waits per queue, event by event: a freed agent looks through the queues for his oldest ticket."""
    rng = np.random.default_rng(seed)
    names = list(queues)
    rates = np.array([queues[name].arrivals_per_hour / 3600 for name in names])
    came = np.cumsum(rng.exponential(1 / rates.sum(), tickets)).tolist()
    kinds = rng.choice(len(names), tickets, p=rates / rates.sum()).tolist()
    takes = (rng.exponential(1.0, tickets) * np.array([queues[name].aht_s for name in names])[kinds]).tolist()
    ranks = sorted(groups, key=lambda g: len(groups[g]))
    answers = {g: [names.index(skill) for skill in groups[g]] for g in ranks}
    able = {k: [g for g in ranks if k in answers[g]] for k in range(len(names))}
    idle, line, ends = dict(agents), [[] for _ in names], []
    at = [0] * len(names)
    waits = np.zeros(tickets)

    def free_one():
        now, group = heapq.heappop(ends)
        heads = [(line[k][at[k]], k) for k in answers[group] if at[k] < len(line[k])]
        if not heads:
            idle[group] += 1
            return
        ticket, k = min(heads)
        at[k] += 1
        waits[ticket] = now - came[ticket]
        heapq.heappush(ends, (now + takes[ticket], group))

    for ticket, (now, k) in enumerate(zip(came, kinds, strict=True)):
        while ends and ends[0][0] <= now:
            free_one()
        group = next((g for g in able[k] if idle.get(g, 0)), None)
        if group is None:
            line[k].append(ticket)
        else:
            idle[group] -= 1
            heapq.heappush(ends, (now + takes[ticket], group))
    while ends:
        free_one()
    skip = tickets // 10
    kinds = np.array(kinds[skip:])
    return {name: waits[skip:][kinds == k] for k, name in enumerate(names)}


def batches(values):
    means = np.asarray(values[: len(values) // 40 * 40], float).reshape(40, -1).mean(axis=1)
    return means.mean(), means.std(ddof=1) / math.sqrt(40)


DESIGNS = {
    "N": ({"a": TEN, "b": TEN}, {"a only": ["a"], "both": ["a", "b"]}, {"a only": 10, "both": 15}),
    "M": ({"a": TEN, "b": LONG, "c": TEN}, {"ab": ["a", "b"], "bc": ["b", "c"]}, {"ab": 18, "bc": 17}),
    "W": ({"a": TEN, "b": LONG}, {"a": ["a"], "b": ["b"], "both": ["a", "b"]}, {"a": 9, "b": 11, "both": 5}),
}


@pytest.mark.parametrize("design", DESIGNS)
def test_service_is_that_of_an_event_simulation(design):
    """Service level and mean of each queue agree with an event-by-event simulation within their joint errors."""
    queues, groups, agents = DESIGNS[design]
    found = skill_performance(queues=queues, groups=groups, agents=agents, tickets=300_000)
    waits = simulate(queues, groups, agents, 120_000, seed=4)
    for name, load in queues.items():
        level, error = batches(waits[name] <= load.target.seconds)
        assert abs(found[name].service_level - level) < 4 * math.hypot(error, found[name].service_level_error)
        mean, error = batches(waits[name])
        assert abs(found[name].frt_mean_s - mean) < 4 * math.hypot(error, found[name].frt_mean_error_s)
        assert found[name].service_level_error < 0.006


def test_a_small_n_design_is_the_solved_chain():
    """One specialist and one generalist: waits by a generator that keeps the order of arrival in the line."""
    # Arrivals 0.4 (a) and 0.3 (b) per handle time. State: specialist busy, generalist busy, line as a string.
    lam, cut = {"a": 0.4, "b": 0.3}, 11
    states, todo = {(0, 0, ""): 0}, [(0, 0, "")]
    moves = []

    def goals(state):
        s, g, line = state
        for kind, rate in lam.items():
            if kind == "a" and not s:
                yield rate, (1, g, line)
            elif not g:
                yield rate, (s, 1, line)
            elif len(line) < cut:
                yield rate, (s, g, line + kind)
        if s:
            first = line.find("a")
            yield 1.0, (0, g, line) if first < 0 else (1, g, line[:first] + line[first + 1 :])
        if g:
            yield 1.0, (s, 1, line[1:]) if line else (s, 0, "")

    while todo:
        state = todo.pop()
        for rate, goal in goals(state):
            if goal not in states:
                states[goal] = len(states)
                todo.append(goal)
            moves.append((states[state], states[goal], rate))
    source, goal, rate = (np.array(column) for column in zip(*moves, strict=True))
    size = len(states)
    balance = sparse.csr_matrix((rate, (goal, source)), shape=(size, size))
    balance = balance - sparse.diags(np.bincount(source, rate, size))
    # πQ = 0 with one state's share set to 1 and its own equation left out.
    rest = spsolve(balance[1:, 1:].tocsc(), -balance[1:, 0].toarray().ravel())
    shares = np.append(1.0, rest) / (1 + rest.sum())
    count = {k: sum(shares[i] * line.count(k) for (_, _, line), i in states.items()) for k in lam}
    queues = {k: QueueLoad(arrivals_per_hour=lam[k] * 60, aht_s=60, target="mean 60s") for k in lam}
    found = skill_performance(
        queues=queues, groups={"a": ["a"], "both": ["a", "b"]}, agents={"a": 1, "both": 1}, tickets=400_000
    )
    for k in lam:
        true = count[k] / lam[k] * 60  # by Little's law; the cut-off line costs less than a tenth of a per cent
        assert abs(found[k].frt_mean_s - true) < 4 * found[k].frt_mean_error_s + 2e-3 * true


def test_one_group_with_all_skills_is_one_erlang_crew():
    """A group that answers everything is staffed as one queue with the loads added, and its figures are exact."""
    queues = {"a": TEN, "b": QueueLoad(arrivals_per_hour=40, aht_s=360, target="90% in 30s")}
    found = pool_staffing(queues=queues, groups={"all": ["a", "b"]})
    needs = [required_agents(arrivals_per_hour=140, aht_s=360, target=each.target).agents for each in queues.values()]
    assert found.total == found.pooled_total == max(needs)
    truth = performance(arrivals_per_hour=140, aht_s=360, agents=found.total, target_s=[60, 30])
    assert [each.service_level for each in found.queues.values()] == pytest.approx(truth.service_level.tolist())
    assert all(each.service_level_error == 0 and each.met for each in found.queues.values())


def test_a_group_per_queue_is_each_queue_alone():
    """Without shared skills each queue gets what the plain solver gives it, and nothing is gained."""
    queues = {"a": TEN, "b": LONG, "c": QueueLoad(arrivals_per_hour=0, aht_s=60, target="80% in 60s")}
    found = pool_staffing(queues=queues, groups={"1": ["a"], "2": ["b"], "3": ["c"]})
    alone = [
        int(required_agents(arrivals_per_hour=q.arrivals_per_hour, aht_s=q.aht_s, target=q.target).agents)
        for q in queues.values()
    ]
    assert list(found.agents.values()) == list(found.separate_agents.values()) == alone
    assert found.gain == 0


def test_a_flexible_agent_is_counted_once():
    """Two queues of 10 erlang cannot be served by 13 flexible agents, though 13 suffice for each alone."""
    groups = {"both": ["a", "b"]}
    assert required_agents(arrivals_per_hour=100, aht_s=360, target=TEN.target).agents == 13
    found = skill_performance(queues={"a": TEN, "b": TEN}, groups=groups, agents={"both": 13})
    assert [each.service_level for each in found.values()] == [0, 0]
    assert pool_staffing(queues={"a": TEN, "b": TEN}, groups=groups).total > 20
    # Also half of each: 7 specialists per queue and 6 generalists are 20 agents for 20 erlang.
    groups = {"a": ["a"], "b": ["b"], "both": ["a", "b"]}
    found = skill_performance(queues={"a": TEN, "b": TEN}, groups=groups, agents={"a": 7, "b": 7, "both": 6})
    assert [each.frt_mean_s for each in found.values()] == [math.inf, math.inf]


@pytest.mark.parametrize("design", ["N", "M", "W", "chain"])
def test_shared_skills_lie_between_separate_and_pooled(design):
    """The total is at least that of one crew for all and at most that of separate crews; no target is missed."""
    queues, groups, _ = DESIGNS.get(design) or (
        {"a": TEN, "b": TEN, "c": TEN}, {"ab": ["a", "b"], "bc": ["b", "c"], "ca": ["c", "a"]}, None
    )  # fmt: skip
    found = pool_staffing(queues=queues, groups=groups, tickets=100_000)
    assert found.pooled_total <= found.total <= found.separate_total
    assert found.total == sum(found.agents.values())
    assert found.gain == found.separate_total - found.total
    assert all(each.met for each in found.queues.values())


def test_the_promise_holds_in_an_event_simulation():
    """In an independent simulation of the staffing found, no queue misses its target by more than the error."""
    queues, groups, _ = DESIGNS["M"]
    found = pool_staffing(queues=queues, groups=groups, tickets=100_000)
    waits = simulate(queues, groups, found.agents, 120_000, seed=21)
    for name, load in queues.items():
        level, error = batches(waits[name] <= load.target.seconds)
        assert level > load.target.level - 4 * math.hypot(error, found.queues[name].service_level_error)


def test_one_agent_fewer_misses_a_target():
    """From the staffing found no agent can go: with one fewer of any group some queue is clearly not better off."""
    queues, groups, _ = DESIGNS["N"]
    found = pool_staffing(queues=queues, groups=groups, tickets=100_000)
    for group, number in found.agents.items():
        fewer = skill_performance(queues=queues, groups=groups, agents=found.agents | {group: number - 1})
        assert any(
            each.service_level < load.target.level + 3 * each.service_level_error
            for each, load in zip(fewer.values(), queues.values(), strict=True)
        )


def test_more_agents_and_less_work_never_hurt():
    """With more of any group, or with fewer tickets, no queue is served worse by more than the noise."""
    queues, groups, agents = DESIGNS["W"]
    base = skill_performance(queues=queues, groups=groups, agents=agents, tickets=100_000)
    less = {"a": QueueLoad(arrivals_per_hour=90, aht_s=360, target="80% in 60s"), "b": LONG}
    better = [skill_performance(queues=less, groups=groups, agents=agents, tickets=100_000)]
    for group in groups:
        more = agents | {group: agents[group] + 2}
        better.append(skill_performance(queues=queues, groups=groups, agents=more, tickets=100_000))
    for found in better:
        for name in queues:
            noise = 3 * math.hypot(found[name].service_level_error, base[name].service_level_error)
            assert found[name].service_level > base[name].service_level - noise


@settings(max_examples=15, deadline=None)
@given(st.floats(1, 300), st.floats(1, 300), st.floats(30, 900))
def test_pooling_never_costs_agents(one, two, aht):
    """With equal handle times and targets one crew needs no more agents than two, and no fewer than the larger."""
    queues = {
        "a": QueueLoad(arrivals_per_hour=one, aht_s=aht, target="80% in 60s"),
        "b": QueueLoad(arrivals_per_hour=two, aht_s=aht, target="80% in 60s"),
    }
    found = pool_staffing(queues=queues, groups={"both": ["a", "b"]})
    assert max(found.separate_agents.values()) <= found.total <= found.separate_total


def test_costs_decide_who_is_hired():
    """A generalist at the price of three specialists is not hired; one at half the price replaces them all."""
    queues = {"a": TEN, "b": TEN}
    groups = {"a": ["a"], "b": ["b"], "both": ["a", "b"]}
    dear = pool_staffing(queues=queues, groups=groups, costs={"both": 3.0}, tickets=50_000)
    assert dear.agents == {"a": 13, "b": 13, "both": 0}
    assert dear.cost == 26
    cheap = pool_staffing(queues=queues, groups=groups, costs={"both": 0.5}, tickets=50_000)
    assert cheap.agents == {"a": 0, "b": 0, "both": cheap.pooled_total}


def test_a_drowned_queue_takes_the_shared_agents_with_it():
    """A queue beyond all who answer it gets nothing done in time, and the other is left with its specialists."""
    flood = QueueLoad(arrivals_per_hour=400, aht_s=360, target="80% in 60s")
    groups = {"a": ["a"], "both": ["a", "b"]}
    found = skill_performance(queues={"a": TEN, "b": flood}, groups=groups, agents={"a": 12, "both": 20})
    assert (found["b"].service_level, found["b"].frt_mean_s, found["b"].met) == (0, math.inf, False)
    alone = performance(arrivals_per_hour=100, aht_s=360, agents=12, target_s=60)
    assert found["a"].service_level == pytest.approx(float(alone.service_level))


def test_mean_and_percentile_targets_are_met():
    """Mean and percentile targets with a first reply are met by their own figure."""
    queues = {
        "a": QueueLoad(arrivals_per_hour=80, aht_s=300, target=Target.mean(60), first_reply_s=20),
        "b": QueueLoad(arrivals_per_hour=50, aht_s=400, target=Target.percentile(0.9, 120), first_reply_s=20),
    }
    found = pool_staffing(queues=queues, groups={"a": ["a"], "both": ["a", "b"]}, tickets=50_000)
    assert found.queues["a"].frt_mean_s <= 60
    assert found.queues["b"].service_level >= 0.9


def test_intervals_are_each_on_their_own():
    """A day gives what each interval gives alone, equal ones the same object; empty ones need nobody."""
    empty = {"a": QueueLoad(arrivals_per_hour=0, aht_s=360, target="80% in 60s")}
    day = pool_over_intervals(queues=[{"a": TEN}, empty, {"a": TEN}], groups={"a": ["a"]})
    assert [each.total for each in day] == [13, 0, 13]
    assert day[0] is day[2]


def test_the_same_seed_gives_the_same_staffing():
    """Twice the same call gives the same figures; another seed gives others, within the errors."""
    queues, groups, agents = DESIGNS["N"]
    runs = [
        skill_performance(queues=queues, groups=groups, agents=agents, tickets=50_000, seed=seed) for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]
    for one, other in pairwise(runs):
        for name in queues:
            noise = math.hypot(one[name].service_level_error, other[name].service_level_error)
            assert abs(one[name].service_level - other[name].service_level) < 4 * noise


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: QueueLoad(arrivals_per_hour=-1, aht_s=60, target="80% in 60s"), "`arrivals_per_hour` .* got -1.0"),
        (lambda: QueueLoad(arrivals_per_hour=[1], aht_s=60, target="80% in 60s"), "`arrivals_per_hour` .* one number"),
        (lambda: QueueLoad(arrivals_per_hour=1, aht_s=60, target="80% in 60s", first_reply_s=60), "`first_reply_s`"),
        (lambda: pool_staffing(queues={}, groups={}), "`queues` must be 1 to 10 queues"),
        (lambda: pool_staffing(queues={"a": TEN}, groups={}), "such that one answers 'a'"),
        (lambda: pool_staffing(queues={"a": TEN}, groups={"x": "a"}), "a list of queue names"),
        (lambda: pool_staffing(queues={"a": TEN}, groups={"x": ["a", "b"]}), r"`groups\[x\]` .* got 'b'"),
        (lambda: pool_staffing(queues={"a": TEN}, groups={"x": ["a"]}, costs={"x": 0}), r"`costs\[x\]` .* got 0.0"),
        (
            lambda: pool_staffing(queues={"a": TEN}, groups={"x": ["a"]}, costs={"y": 1}),
            "`costs` must be of the groups",
        ),
        (lambda: pool_staffing(queues={"a": TEN}, groups={"x": ["a"]}, tickets=10), "`tickets` must be at least 10000"),
        (
            lambda: skill_performance(queues={"a": TEN}, groups={"x": ["a"]}, agents={"x": 1.5}),
            r"`agents\[x\]` must be a whole number",
        ),
        (
            lambda: skill_performance(queues={"a": TEN}, groups={"x": ["a"]}, agents={"y": 1}),
            "`agents` must be of the groups x, got 'y'",
        ),
    ],
)
def test_bad_input_is_named(call, says):
    """The error names the parameter, the value and the range."""
    with pytest.raises(InputError, match=says):
        call()
