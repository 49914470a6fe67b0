import heapq
import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import staffcast.erlang as er
from staffcast.contracts import InputError
from staffcast.erlang.models.chat import aht_from_turns, even_gate, even_head

SLOWER = (240.0, 260.0, 330.0)


def head(rate, agents, ahts):
    """The head of one crew."""
    return even_head(np.array([float(rate)]), np.array([float(agents)]), np.array(ahts, dtype=float))


def figures(found):
    """Gate, mean chats and mean busy agents of the first element."""
    return found.gate[0], found.mean_chats[0], found.mean_busy[0]


def head_by_hand(rate, agents, ahts):
    """The same figures at 50 digits, agent by agent: m chats are dealt out like cards."""
    with mp.workdps(50):
        weight, total, chats, busy = mp.mpf(1), mp.mpf(0), mp.mpf(0), mp.mpf(0)
        finish = [mp.mpf(0)] + [mp.mpf(j + 1) / mp.mpf(float(aht)) for j, aht in enumerate(ahts)]
        for m in range(agents * len(ahts)):
            total, chats, busy = total + weight, chats + m * weight, busy + min(m, agents) * weight
            rounds, left = divmod(m + 1, agents)
            drained = (agents - left) * finish[rounds] + (left * finish[rounds + 1] if left else 0)
            weight *= mp.mpf(float(rate)) / drained
        return weight / total, chats / total, busy / total


def stationary(rates):
    """Stationary vector of a chain given by its off-diagonal rates."""
    generator = rates - np.diag(rates.sum(axis=1))
    system = np.vstack([generator.T, np.ones(len(rates))])
    return np.linalg.lstsq(system, np.append(np.zeros(len(rates)), 1.0), rcond=None)[0]


def worst(found, true):
    """Largest relative error over figures that doubles can hold."""
    return max(float(abs(mp.mpf(float(a)) / b - 1)) for a, b in zip(found, true, strict=True) if b > mp.mpf("1e-300"))


@pytest.mark.parametrize("growth", [0.0, 0.02, 0.3, 1.0, 2.5])
def test_gate_and_moments_are_exact_to_fifty_digits(growth):
    """Every figure agrees with the balance equations at 50 digits to 1e-14 times its sensitivity to the rate."""
    rng = np.random.default_rng(int(10 * growth))
    for _ in range(40):
        agents, slots = int(np.exp(rng.uniform(0, 5))), int(rng.integers(1, 6))
        ahts = 240 * np.cumprod(np.append(1, 1 + rng.uniform(0, growth, slots - 1)))
        rate = agents * slots / ahts[-1] * np.exp(rng.choice([rng.uniform(-1, 0.3), rng.uniform(-12, 5)]))
        true = head_by_hand(rate, agents, ahts)
        sensitive = max(1.0, agents * slots - float(true[1]))
        assert worst(figures(head(rate, agents, ahts)), true) < 1e-14 * sensitive


def test_two_thousand_agents_of_five_slots_are_exact():
    """At 10,000 slots, below, next to and above overload, the figures agree with 50 digits as well."""
    ahts = np.array([240.0, 250, 275, 320, 400])
    for share in (0.95, 0.999, 1.1):
        rate = share * 2000 * 5 / 400
        true = head_by_hand(rate, 2000, ahts)
        assert worst(figures(head(rate, 2000, ahts)), true) < 1e-14 * (10_000 - float(true[1]))


@pytest.mark.parametrize(
    ("agents", "ahts", "rate"), [(4, SLOWER, 0.03), (3, (100.0, 300.0, 301.0), 0.02), (7, (60.0, 500.0), 0.05)]
)
def test_head_is_the_solved_generator(agents, ahts, rate):
    """Gate and moments are those of the generator's stationary vector, with a queue of two places on top."""
    slots = agents * len(ahts)
    generator = np.zeros((slots + 3, slots + 3))
    crew = [0] * agents
    for m in range(1, slots + 3):
        if m <= slots:
            crew[crew.index(min(crew))] += 1
        generator[m, m - 1] = sum(held / ahts[held - 1] for held in crew if held)
        generator[m - 1, m] = rate
    p = stationary(generator)
    below, state = p[:slots] / p[:slots].sum(), np.arange(slots)
    gate, chats, busy = figures(head(rate, agents, ahts))
    assert gate == pytest.approx(p[slots] / p[:slots].sum(), rel=1e-9)
    assert chats == pytest.approx(below @ state, rel=1e-9)
    assert busy == pytest.approx(below @ np.minimum(state, agents), rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 300), st.integers(1, 200))
def test_one_slot_per_agent_is_erlang_b(load, agents):
    """With one chat at a time the gate is B ÷ (1 − B), and as many agents are busy as there are chats."""
    lost = er.erlang_b(load, agents)
    gate, chats, busy = figures(head(load / 300, agents, [300.0]))
    if 1e-290 < lost < 0.99:
        assert gate == pytest.approx(lost / (1 - lost), rel=1e-11)
    assert busy == chats


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 200), st.integers(1, 40), st.integers(1, 5))
def test_chats_that_do_not_slow_each_other_are_slots_of_a_phone(load, agents, slots):
    """With the same handle time at every level the gate is that of Erlang B over agents × slots."""
    lost = er.erlang_b(load, agents * slots)
    if 1e-290 < lost < 0.99:
        assert head(load / 300, agents, [300.0] * slots).gate[0] == pytest.approx(lost / (1 - lost), rel=1e-11)


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-4, 2), st.integers(1, 60), st.lists(st.floats(0, 2), min_size=1, max_size=4), st.floats(1, 1.5))
def test_more_arrivals_raise_every_figure(rate, agents, growth, more):
    """Gate, chats and busy agents do not fall with the rate, whatever the handle times."""
    ahts = 200 * np.cumprod(1 + np.array(growth))
    low, high = figures(head(rate, agents, ahts)), figures(head(rate * more, agents, ahts))
    assert all(b >= a * (1 - 1e-11) for a, b in zip(low, high, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-4, 2), st.integers(0, 60), st.lists(st.floats(0, 0.5), min_size=1, max_size=4))
def test_more_agents_never_hurt(rate, agents, growth):
    """One more agent does not raise the gate, as long as each further chat lets an agent finish more in all."""
    ahts = 200 * np.arange(1, len(growth) + 1) / np.cumsum(1 / (1 + np.cumsum(growth)))
    assert head(rate, agents + 1, ahts).gate[0] <= head(rate, agents, ahts).gate[0] * (1 + 1e-11)


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-4, 2), st.integers(1, 60), st.sampled_from([1 / 60, 1 / 3600, 1000.0]))
def test_units_do_not_matter(rate, agents, unit):
    """Seconds or minutes: gate and moments stay, the drain scales."""
    seconds, other = head(rate, agents, SLOWER), head(rate / unit, agents, np.array(SLOWER) * unit)
    assert figures(other) == pytest.approx(figures(seconds), rel=1e-11)
    assert other.drain[0] * unit == pytest.approx(seconds.drain[0], rel=1e-12)


def test_arrays_are_loops():
    """Crews of all sizes at once, with shared or own handle times, give what each gives alone; so does even_gate."""
    rng = np.random.default_rng(4)
    agents = np.append(rng.integers(0, 120, 700), [0, 1, 900]).astype(float)
    rate = np.where(rng.random(703) < 0.05, 0.0, agents * 3 / 330 * rng.uniform(0.2, 1.4, 703))
    shared, own = np.array(SLOWER), np.array(SLOWER) * rng.uniform(0.5, 2, (703, 1))
    own[7] = (100, 400, 900)
    for ahts in (shared, own):
        found = even_head(rate, agents, ahts)
        assert even_gate(rate, agents, ahts) == pytest.approx(found.gate, rel=1e-13)
        for place in (*range(0, 700, 41), 7, 700, 701, 702):
            alone = head(rate[place], agents[place], ahts if ahts.ndim == 1 else ahts[place])
            assert figures(alone) == pytest.approx(
                (found.gate[place], found.mean_chats[place], found.mean_busy[place]), rel=1e-12
            )
            assert alone.drain[0] == pytest.approx(found.drain[place])


def test_edges():
    """No agents: always full. Nobody comes: never full. Far beyond overload or far below it nothing turns into NaN."""
    assert figures(head(0.1, 0, SLOWER)) == (math.inf, 0, 0)
    assert figures(head(0, 5, SLOWER)) == (0, 0, 0)
    for rate in (1e-300, 1e-30, 1e30, 1e300):
        for ahts in (SLOWER, (1e-3, 1e5), (100.0, 400.0), (5.0,)):
            gate, chats, busy = figures(head(rate, 40, ahts))
            assert gate < 1e-20 if rate < 1 else gate > 1e20
            assert 0 <= busy <= chats + 1e-12
            assert busy <= 40
            assert chats == pytest.approx(0 if rate < 1 else 40 * len(ahts) - 1, abs=1e-12)


def crew_for(need, most=60):
    """Fewest agents for which ``need(agents)`` holds."""
    return next(agents for agents in range(1, most) if need(agents))


def test_erlang_c_divided_by_the_concurrency_is_wrong_both_ways():
    """200 chats an hour, up to three at once, 80 % within a minute: 10 agents; Erlang C ÷ 3 says 7 (unstable) or 11."""
    ahts, rate, t = np.array([300.0, 380.0, 480.0]), 200 / 3600, 60.0

    def by_chain(agents):
        """Service level of the whole chain with 3,000 places to wait, at 30 digits by plain sums."""
        drain, slots = agents * 3 / ahts[-1], agents * 3
        if drain <= rate:
            return False
        with mp.workdps(30):
            gate = head_by_hand(rate, agents, ahts)[0]
            ahead = [gate * mp.mpf(rate / drain) ** i for i in range(3000)]
            late = mp.mpf(0)
            poisson, term = mp.mpf(0), mp.exp(-drain * t)
            for i, p in enumerate(ahead):  # late: no more than those i ahead are taken within t
                poisson += term
                term *= mp.mpf(drain * t) / (i + 1)
                late += p * poisson
            return late / (1 + sum(ahead)) <= 0.2 and slots > 0

    def by_gate(agents):
        drain = agents * 3 / ahts[-1]
        if drain <= rate:
            return False
        full = head(rate, agents, ahts).gate[0] / (1 - rate / drain)
        return full / (1 + full) * math.exp(-(drain - rate) * t) <= 0.2

    def by_phone(aht):
        return math.ceil(crew_for(lambda agents: er.wait_tail(rate * aht, agents, aht, t) <= 0.2) / 3)

    assert crew_for(by_gate) == crew_for(by_chain) == 10
    assert (by_phone(ahts[0]), by_phone(ahts[-1])) == (7, 11)
    assert 7 * 3 / ahts[-1] < rate  # seven agents, all slots taken, finish fewer than come


def turns_by_chain(turns, active, gap, held):
    """Handle time from the chain of the number of turns at the agent, ``held`` conversations going round."""
    generator = np.zeros((held + 1, held + 1))
    for waiting in range(held + 1):
        if waiting:
            generator[waiting, waiting - 1] = (1 - 1 / turns) / active  # after a last turn a new conversation is there
        if waiting < held:
            generator[waiting, waiting + 1] = (held - waiting) / gap
    p = stationary(generator)
    ended = (1 - p[0]) / active / turns
    return held / ended


@pytest.mark.parametrize(("turns", "active", "gap"), [(6, 40, 90), (2.5, 120, 15), (30, 20, 600)])
def test_turns_give_the_handle_times_of_the_solved_chain(turns, active, gap):
    """Each level's handle time is that of the finite-source chain solved as a matrix."""
    found = aht_from_turns(turns=turns, active_s=active, gap_s=gap, concurrency=6)
    assert found == pytest.approx([turns_by_chain(turns, active, gap, held) for held in range(1, 7)], rel=1e-10)
    assert found[0] == pytest.approx(turns * active + (turns - 1) * gap)


def simulate_turns(turns, active, gap, held, conversations, seed):
    """Handle times of ``conversations`` with exactly ``turns`` turns and constant gaps, one agent, event by event."""
    rng = np.random.default_rng(seed)
    work = iter(rng.exponential(active, conversations * turns + 10 * held * turns))
    asks = [
        (0.0, each, 0.0, turns) for each in range(held)
    ]  # when the turn is asked, tie, its conversation's start, left
    heapq.heapify(asks)
    now, tie, times = 0.0, held, []
    while len(times) < conversations:
        asked, _, begun, left = heapq.heappop(asks)
        now = max(now, asked) + next(work)
        tie += 1
        if left > 1:
            heapq.heappush(asks, (now + gap, tie, begun, left - 1))
        else:
            times.append(now - begun)
            heapq.heappush(asks, (now, tie, now, turns))
    return np.array(times[200:])


def test_turns_give_the_handle_times_of_a_simulation():
    """With a fixed number of turns and fixed gaps the mean handle time lies within four standard errors of it."""
    found = aht_from_turns(turns=5, active_s=30, gap_s=60, concurrency=4)
    for held in (2, 4):
        times = simulate_turns(5, 30.0, 60.0, held, 20_000, seed=held)
        means = times[: times.size // 40 * 40].reshape(40, -1).mean(axis=1)
        error = means.std(ddof=1) / math.sqrt(40)
        assert abs(means.mean() - found[held - 1]) < 4 * error
        assert error < 0.005 * found[held - 1]


@settings(max_examples=100, deadline=None)
@given(st.floats(1, 200), st.floats(0.1, 1000), st.floats(0, 1e5), st.integers(1, 12))
def test_turns_slow_each_other_but_never_waste_the_agent(turns, active, gap, concurrency):
    """Handle times do not fall with the chats held, nor does the agent's output, which stays within what one can."""
    ahts = np.array(aht_from_turns(turns=turns, active_s=active, gap_s=gap, concurrency=concurrency))
    output = np.arange(1, concurrency + 1) / ahts
    assert (np.diff(ahts) >= 0).all()
    assert (np.diff(output) >= -1e-12 * output[-1]).all()
    assert output[-1] <= (1 + 1e-12) / (turns * active)


def test_turns_without_gaps_share_one_agent():
    """Without silences, or with a single turn each, j conversations last j times as long."""
    assert aht_from_turns(turns=4, active_s=30, gap_s=0, concurrency=3) == pytest.approx((120, 240, 360))
    assert aht_from_turns(turns=1, active_s=30, gap_s=99, concurrency=3) == pytest.approx((30, 60, 90))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"turns": 0.5}, "`turns` must be at least 1, got 0.5"),
        ({"turns": math.nan}, "`turns` .* got nan"),
        ({"turns": [3, 4]}, "`turns` must be one number"),
        ({"active_s": 0}, "`active_s` must be finite and above 0 s, got 0.0"),
        ({"gap_s": -1}, "`gap_s` must be finite and at least 0 s, got -1.0"),
        ({"concurrency": 0}, "`concurrency` must be at least 1, got 0.0"),
        ({"concurrency": 2.5}, "`concurrency` must be a whole number"),
    ],
)
def test_bad_turns_are_named(change, says):
    """The error names the parameter, the value and the range."""
    with pytest.raises(InputError, match=says):
        aht_from_turns(**({"turns": 6, "active_s": 40, "gap_s": 90, "concurrency": 3} | change))
