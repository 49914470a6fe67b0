import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse import linalg

import staffcast.erlang as er
from staffcast.erlang.models.chat import even_head
from staffcast.erlang.models.leastloaded import least_loaded_head


def one(rate, agents, ahts, **how):
    """Gate, mean chats, mean busy agents and whether exact, of one crew."""
    found = least_loaded_head(np.array([float(rate)]), np.array([float(agents)]), np.array(ahts, dtype=float), **how)
    return found.gate[0], found.mean_chats[0], found.mean_busy[0], bool(found.exact[0])


def even(rate, agents, ahts):
    """The same for the evenly spread crew."""
    found = even_head(np.array([float(rate)]), np.array([float(agents)]), np.array(ahts, dtype=float))
    return found.gate[0], found.mean_chats[0], found.mean_busy[0]


def solve(generator):
    """Stationary vector of a generator given by its off-diagonal rates."""
    generator = (generator - sparse.diags(np.asarray(generator.sum(axis=1)).ravel())).T.tolil()
    generator[-1, :] = 1
    right = np.zeros(generator.shape[0])
    right[-1] = 1
    return linalg.spsolve(generator.tocsc(), right)


def whole_chain(rate, agents, ahts, theta, places):
    """Head figures from the chain of named agents and a real queue: nothing lumped, the first of the least loaded."""
    most = len(ahts)
    crews = list(itertools.product(range(most + 1), repeat=agents))
    number = {crew: place for place, crew in enumerate(crews)}
    full = number[(most,) * agents]
    size = len(crews) + places  # full with 1, 2, … waiting come after the crews
    rows, columns, rates = [], [], []

    def go(start, end, speed):
        rows.append(start)
        columns.append(end)
        rates.append(speed)

    for crew, place in number.items():
        if min(crew) < most:
            first = crew.index(min(crew))
            go(place, number[(*crew[:first], crew[first] + 1, *crew[first + 1 :])], rate)
        elif places:
            go(place, len(crews), rate)
        for each, held in enumerate(crew):
            if held:
                go(place, number[(*crew[:each], held - 1, *crew[each + 1 :])], held / ahts[held - 1])
    for waiting in range(1, places + 1):
        leave = agents * most / ahts[-1] + waiting * theta
        go(len(crews) + waiting - 1, len(crews) + waiting - 2 if waiting > 1 else full, leave)
        if waiting < places:
            go(len(crews) + waiting - 1, len(crews) + waiting, rate)
    p = solve(sparse.coo_matrix((rates, (rows, columns)), shape=(size, size)).tocsr())
    chats = np.array([sum(crew) for crew in crews])
    busy = np.array([sum(held > 0 for held in crew) for crew in crews])
    below = chats < agents * most
    free = p[: len(crews)][below]
    return p[full] / free.sum(), free @ chats[below] / free.sum(), free @ busy[below] / free.sum()


@pytest.mark.parametrize(
    ("agents", "ahts", "share", "theta", "places"),
    [
        (2, (300.0, 420.0, 600.0), 0.8, 0.0, 120),
        (3, (240.0, 400.0), 0.9, 0.01, 60),
        (4, (240.0, 330.0, 500.0), 1.2, 0.02, 60),
        (5, (200.0, 300.0, 310.0), 0.7, 0.0, 0),
        (3, (100.0, 110.0, 200.0, 420.0), 0.9, 0.001, 80),
        (3, (100.0, 300.0, 310.0), 0.8, 0.003, 40),  # a second chat slows the agent down in all
    ],
)
def test_head_is_that_of_the_whole_chain(agents, ahts, share, theta, places):
    """Gate and moments are those of the chain of named agents with its queue: neither patience nor places matter."""
    rate = share * agents * len(ahts) / ahts[-1]
    gate, chats, busy, exact = one(rate, agents, ahts)
    assert exact
    assert (gate, chats, busy) == pytest.approx(whole_chain(rate, agents, ahts, theta, places), rel=1e-9)


@pytest.mark.parametrize(
    ("agents", "ahts"), [(30, (240.0, 400.0)), (12, (240.0, 300.0, 420.0)), (6, (240, 280, 340, 420))]
)
def test_bigger_crews_are_exact_too(agents, ahts):
    """Gate and moments are those of the chain of how many agents hold how many chats, solved as a sparse matrix."""
    most, rate = len(ahts), 0.85 * agents * len(ahts) / ahts[-1]
    crews = [each for each in itertools.product(range(agents + 1), repeat=most) if sum(each) <= agents]
    crews = [(agents - sum(each), *each) for each in crews]
    number = {crew: place for place, crew in enumerate(crews)}
    moves = sparse.lil_matrix((len(crews), len(crews)))
    for crew, place in number.items():
        lowest = next(held for held, count in enumerate(crew) if count)
        for start in range(most + 1):
            if crew[start]:
                if start == lowest < most:
                    end = list(crew)
                    end[start], end[start + 1] = end[start] - 1, end[start + 1] + 1
                    moves[place, number[tuple(end)]] += rate
                if start:
                    end = list(crew)
                    end[start], end[start - 1] = end[start] - 1, end[start - 1] + 1
                    moves[place, number[tuple(end)]] += crew[start] * start / ahts[start - 1]
    p = solve(moves.tocsr())
    chats = np.array([sum(held * count for held, count in enumerate(crew)) for crew in crews])
    free = p * (chats < agents * most)
    true = p[chats == agents * most].sum() / free.sum(), free @ chats / free.sum()
    busy = free @ np.array([agents - crew[0] for crew in crews]) / free.sum()
    assert one(rate, agents, ahts)[:3] == pytest.approx((*true, busy), rel=1e-10)


def simulate(rate, agents, ahts, theta, events, seed):
    """Per batch of 40: time with all slots taken and nobody waiting, time with a free slot, chats × that time."""
    rng = np.random.default_rng(seed)
    draws, picks = rng.exponential(size=events).tolist(), rng.random(events).tolist()
    finish = [0.0, *(held / aht for held, aht in enumerate(ahts, start=1))]
    most, held, waiting, chats, total = len(ahts), [0] * agents, 0, 0, 0.0
    times = np.zeros((40, 3))
    for event in range(-events // 40, events):  # the first part of the draws twice: once to warm up
        speed = rate + total + theta * waiting
        step = draws[event] / speed
        if event >= 0 and not waiting:
            batch = times[event * 40 // events]
            if chats == agents * most:
                batch[0] += step
            else:
                batch[1:] += step, step * chats
        pick = picks[event] * speed - rate
        if pick < 0 and chats < agents * most:
            who, change = held.index(min(held)), 1
        elif pick < 0:
            waiting += 1
            continue
        elif pick < theta * waiting:
            waiting -= 1
            continue
        else:
            pick -= theta * waiting
            who = -1
            while pick >= 0 and who < agents - 1:
                who += 1
                pick -= finish[held[who]]
            if waiting:
                waiting -= 1  # the place is taken at once
                continue
            change = -1
        total += finish[held[who] + change] - finish[held[who]]
        held[who] += change
        chats += change
    return times


def test_head_is_that_of_a_simulated_crew():
    """Gate and mean chats lie within four standard errors of a simulated crew, the evenly spread gate does not."""
    ahts, agents = (240.0, 300.0, 480.0), 8
    rate = 0.85 * agents * 3 / 480
    times = simulate(rate, agents, ahts, 1 / 600, 1_000_000, seed=5)
    gate, chats, *_ = one(rate, agents, ahts)
    free = times[:, 1].mean()
    for found, ratio, batches in ((gate, times[:, 0], times[:, 1]), (chats, times[:, 2], times[:, 1])):
        mean = ratio.sum() / batches.sum()
        error = np.std(ratio - mean * batches, ddof=1) / free / math.sqrt(40)
        assert abs(found - mean) < 4 * error
        assert error < 0.03 * mean
        if found == gate:
            assert abs(even(rate, agents, ahts)[0] - mean) > 4 * error


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 3), st.lists(st.floats(0, 2), min_size=1, max_size=5))
def test_one_agent_has_nobody_to_share_with(load, growth):
    """With one agent the least loaded is the only one: all is as when chats are spread evenly."""
    ahts = 200 * np.cumprod(1 + np.array(growth))
    assert one(load / 200, 1, ahts)[:3] == pytest.approx(even(load / 200, 1, ahts), rel=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 200), st.integers(1, 200))
def test_one_slot_per_agent_is_erlang_b(load, agents):
    """With one chat at a time the gate is B ÷ (1 − B), exactly at any size."""
    lost = er.erlang_b(load, agents)
    gate, chats, busy, exact = one(load / 300, agents, [300.0], exact_states=0)
    assert exact
    assert busy == pytest.approx(chats)
    if 1e-290 < lost < 0.99:
        assert gate == pytest.approx(lost / (1 - lost), rel=1e-10)


def test_chats_that_do_not_slow_each_other_need_no_spreading():
    """With the same handle time at every level who holds the chats changes neither gate nor chats, at any size."""
    for agents, slots in ((6, 3), (15, 4), (400, 3)):
        rate = 0.9 * agents * slots / 300
        gate, chats, busy, exact = one(rate, agents, [300.0] * slots)
        assert exact
        assert (gate, chats) == pytest.approx(even(rate, agents, [300.0] * slots)[:2], rel=1e-10)
        assert busy <= even(rate, agents, [300.0] * slots)[2] * (1 + 1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.lists(st.floats(0, 1), min_size=2, max_size=3), st.floats(0.2, 1.3), st.floats(1, 1.5))
def test_uneven_crews_are_slower_and_more_arrivals_fill_them(agents, growth, share, more):
    """Where each further chat adds less, the gate is not below the even one's; it rises with the rate."""
    output = np.cumsum(1 / np.cumsum([1.0, *growth]))  # j ÷ aht_j, with ever smaller steps
    ahts = 200 * np.arange(1, output.size + 1) / output
    rate = share * agents * output[-1] / 200
    gate, chats, busy, _ = one(rate, agents, ahts)
    assert gate >= even(rate, agents, ahts)[0] * (1 - 1e-10)
    assert busy <= min(chats, agents) * (1 + 1e-12)
    later = one(rate * more, agents, ahts)
    assert later[0] >= gate * (1 - 1e-10)
    assert later[1] >= chats * (1 - 1e-10)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.2, 1.3), st.sampled_from([1 / 60, 1000.0]), st.sampled_from([5, 5000]))
def test_units_do_not_matter(share, unit, states):
    """Seconds or minutes: gate and moments stay, solved or approximated."""
    ahts = np.array([240.0, 260, 400])
    rate = share * 40 * 3 / 400 if states == 5 else share * 8 * 3 / 400
    agents = 40 if states == 5 else 8
    seconds = one(rate, agents, ahts, exact_states=states)
    assert one(rate / unit, agents, ahts * unit, exact_states=states) == pytest.approx(seconds, rel=1e-9)


def test_approximation_holds_what_it_says():
    """Without exact states gate and moments are within 4 % and 1.1 % of the exact ones, far nearer than even ones."""
    wrong, even_wrong = [], []
    for agents, steep in itertools.product((12, 25), (1.2, 1.6, 2.5)):
        ahts = 240 * np.linspace(1, steep, 3)
        for share in (0.5, 0.8, 0.9, 1.0):
            rate = share * agents * 3 / ahts[-1]
            true, near = one(rate, agents, ahts), one(rate, agents, ahts, exact_states=0)
            assert true[3]
            assert not near[3]
            assert near[1:3] == pytest.approx(true[1:3], rel=0.011)
            wrong.append(abs(near[0] / true[0] - 1))
            even_wrong.append(abs(even(rate, agents, ahts)[0] / true[0] - 1))
    assert max(wrong) < 0.04
    assert np.median(wrong) < 0.15 * np.median(even_wrong)


def test_approximation_gets_better_with_the_crew():
    """From 15 agents to 30, 60 and 98 of two slots, at the same load per slot, the gate's error falls each time."""
    ahts = (240.0, 400.0)
    errors = []
    for agents in (15, 30, 60, 98):
        rate = 0.9 * agents * 2 / 400
        errors.append(abs(one(rate, agents, ahts, exact_states=0)[0] / one(rate, agents, ahts)[0] - 1))
    assert all(later < earlier for earlier, later in itertools.pairwise(errors))


@pytest.mark.parametrize(
    ("agents", "ahts"), [(2000, (240.0, 260, 300, 360, 440)), (400, (240.0, 300, 420)), (1000, (240, 400))]
)
def test_large_crews_come_near_even_ones(agents, ahts):
    """With many agents few chats are out of place: the gate is above the even crew's, by some per cent at most."""
    rate = agents * len(ahts) / ahts[-1] * (1 - 0.6 / agents**0.5)
    gate, chats, busy, exact = one(rate, agents, ahts)
    best = even(rate, agents, ahts)
    assert not exact
    assert best[0] < gate < 1.1 * best[0]
    assert (chats, busy) == pytest.approx(best[1:], rel=0.01)


def test_arrays_are_loops_and_edges_hold():
    """Crews at once give what each gives alone; no agents are always full, and no arrivals leave everybody idle."""
    agents = np.array([0.0, 4, 4, 7, 60, 60, 5, 0])
    rate = np.array([0.1, 0, 0.02, 0.02, 0.3, 0.3, 1e9, 0])
    ahts = np.array([240.0, 260, 400]) * np.array([1, 1, 1, 2, 1, 1, 1, 1])[:, None]
    found = least_loaded_head(rate, agents, ahts)
    alone = [one(*each) for each in zip(rate, agents, ahts, strict=True)]
    assert found.gate == pytest.approx([each[0] for each in alone])
    assert found.mean_chats == pytest.approx([each[1] for each in alone])
    assert found.mean_busy == pytest.approx([each[2] for each in alone])
    assert found.exact.tolist() == [True, True, True, True, False, False, True, True]
    assert found.gate[[0, 1, 7]].tolist() == [math.inf, 0, math.inf]
    assert found.mean_chats[[0, 1, 6]] == pytest.approx([0, 0, 14])
    assert found.drain == pytest.approx(agents * 3 / ahts[:, -1])
    for extreme in (1e-300, 1e-30, 1e30, 1e300):
        for states in (0, 5000):
            gate, chats, busy, _ = one(extreme, 6, (240.0, 300, 500), exact_states=states)
            assert gate < 1e-20 if extreme < 1 else gate > 1e20
            assert 0 <= busy <= chats + 1e-12
            assert chats <= 17
