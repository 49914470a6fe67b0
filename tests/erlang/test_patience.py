"""Erlang A's queue part against sums over states, the Baccelli–Hebuterne density, solved chains and a simulation."""

import heapq
import math

import mpmath
import numpy as np
import pytest
from erlang_by_hand import batch_mean, erlang_b, relative_error
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf
from scipy import linalg

from staffcast.erlang.models import formulas
from staffcast.erlang.models.patience import PatientQueue

SHARES = ("all_busy", "abandon", "missed", "virtual_tail", "answered_late", "gave_up_before")
TIMES = ("mean_wait", "asa", "mean_queue")


def queue(load, agents, patience, aht=1.0):
    """The queue of a phone queue, ψ from formulas.blocking."""
    load, agents, patience, aht = (
        np.array(each, float) for each in np.broadcast_arrays(*np.atleast_1d(load, agents, patience, aht))
    )
    lost = formulas.blocking(load, agents)
    with np.errstate(divide="ignore"):
        return PatientQueue(lost / (1 - lost), load / aht, agents / aht, 1 / patience)


def figures(found, t):
    """Every figure at ``t`` by name."""
    t = np.broadcast_to(np.asarray(t, float), found.all_busy.shape)
    return {
        "all_busy": found.all_busy, "abandon": found.abandon,
        "missed": found.missed(t), "virtual_tail": found.virtual_tail(t), "answered_late": found.answered_late(t),
        "gave_up_before": found.gave_up_before(t),
        "mean_wait": found.mean_wait(), "asa": found.asa(), "mean_queue": found.mean_queue(),
    }  # fmt: skip


def condition(gate, rate, drain, theta, t):
    """|d ln figure ÷ d ln rate| of every figure, at least 1, from a small step of the rate."""
    low, high = (
        figures(PatientQueue(*(np.array([each]) for each in (gate, rate * by, drain, theta))), t)
        for by in (1 - 1e-7, 1 + 1e-7)
    )
    with np.errstate(all="ignore"):
        slopes = {name: abs(math.log(high[name][0] / low[name][0])) / 2e-7 if low[name][0] else 0.0 for name in low}
    return {name: max(1.0, slope) for name, slope in slopes.items()}


def by_states(gate, rate, drain, theta, t):
    """Every figure at 40 digits, added up over the number an arrival finds waiting.

    With i waiting, those ahead leave one by one at drain + l·theta, l = i…0: the virtual wait is the (i + 1)-th
    smallest of the largest lifetimes of a pure death process, an incomplete beta function.
    """
    gate, rate, drain, theta, t = map(mpf, (gate, rate, drain, theta, t))
    a, stays = drain / theta, mpmath.exp(-theta * t)
    chance, total = gate, mpf(0)  # of state S + i, against all states with a free slot
    served, mean_served, tail, late, waiting = (mpf(0) for _ in range(5))
    inverse, i = mpf(0), 0
    while i == 0 or chance > mpf(10) ** -36 * late or i * theta < rate - drain:
        total += chance
        waiting += i * chance
        answered = a / (a + i + 1)  # the product of (drain + l·theta) ÷ (drain + (l + 1)·theta)
        inverse += 1 / (drain + (i + 1) * theta)
        served += chance * answered
        mean_served += chance * answered * inverse
        # P(V > t) and P(V > t, own patience > V) are tails of the same kind.
        tail += chance * mpmath.betainc(a, i + 1, 0, stays, regularized=True)
        late += chance * answered * mpmath.betainc(a + 1, i + 1, 0, stays, regularized=True)
        i += 1
        chance *= rate / (drain + i * theta)
    whole = 1 + total
    lost = (total - served) / whole
    return {
        "all_busy": total / whole, "abandon": lost, "missed": lost + late / whole,
        "virtual_tail": tail / whole, "answered_late": late / whole,
        "gave_up_before": lost - (stays * tail - late) / whole,
        "mean_wait": waiting / whole / rate, "asa": mean_served / (1 + served), "mean_queue": waiting / whole,
    }  # fmt: skip


def by_density(gate, rate, drain, theta, t):
    """Every figure at 30 digits by quadrature of the density of the virtual wait, ψ·drain·e^(…) against a free slot."""
    gate, rate, drain, theta, t = map(mpf, (gate, rate, drain, theta, t))
    x, a = rate / theta, drain / theta
    mode = mpmath.log(x / a) if x > a else mpf(0)
    top = x * (1 - mpmath.exp(-mode)) - a * mode

    def area(start, weight):
        """∫ weight·density from start patiences on; pieces that grow away from where it is largest."""
        middle = max(mode, start)
        thin = x * mpmath.exp(-middle)
        pieces = [middle]
        step = 2 / (a - thin + mpmath.sqrt(thin) + 1e-3)
        for sign, stop in ((1, mpmath.inf), (-1, start)):
            edge, width = middle, step
            while edge != stop and x * (1 - mpmath.exp(-edge)) - a * edge > top - 80 - abs(mpmath.log(shrunk(start))):
                edge = max(edge - width, stop) if sign < 0 else edge + width
                pieces.append(edge)
                width *= mpf(1.5)
        return mpmath.quad(lambda s: weight(s) * shrunk(s), sorted(pieces))

    def shrunk(s):
        return mpmath.exp(x * (1 - mpmath.exp(-s)) - a * s - top)

    soon = theta * t
    scale = gate * a * mpmath.exp(top)
    busy, tail = (scale * area(start, lambda s: mpf(1)) for start in (mpf(0), soon))
    served, late = (scale * area(start, lambda s: mpmath.exp(-s)) for start in (mpf(0), soon))
    lost = scale * area(mpf(0), lambda s: -mpmath.expm1(-s))
    later = scale * area(soon, lambda s: mpmath.exp(-soon) - mpmath.exp(-s))
    mean_served = scale * area(mpf(0), lambda s: s * mpmath.exp(-s)) / theta
    whole = 1 + busy
    return {
        "all_busy": busy / whole, "abandon": lost / whole, "missed": (lost + late) / whole,
        "virtual_tail": tail / whole, "answered_late": late / whole, "gave_up_before": (lost - later) / whole,
        "mean_wait": lost / whole / theta, "asa": mean_served / (1 + served), "mean_queue": rate * lost / whole / theta,
    }  # fmt: skip


def worst_error(true, gate, rate, drain, theta, t):
    """Largest relative error against ``true``, in units of 1e-12·max(1, cond), and the figure it is of."""
    found = figures(PatientQueue(*(np.array([each]) for each in (gate, rate, drain, theta))), t)
    allowed = condition(gate, rate, drain, theta, t)
    errors = {
        name: relative_error(found[name][0], value) / (1e-12 * allowed[name])
        for name, value in true.items()
        if value > 1e-290
    }
    return max((error, name) for name, error in errors.items())


def gate_of(load, agents):
    lost = float(formulas.blocking(np.array([float(load)]), np.array([float(agents)]))[0])
    return lost / (1 - lost)


@pytest.mark.parametrize(
    ("load", "agents", "patience", "t"),
    [
        (0.3, 1, 0.001, 0.01), (0.9, 1, 2.0, 0.7), (3.0, 1, 5.0, 20.0), (3.0, 1, 0.05, 0.2), (4.0, 5, 30.0, 1.0),
        (25.0, 30, 0.5, 0.25), (30.0, 30, 8.0, 0.5), (30.2, 30, 0.3, 0.0), (45.0, 30, 3.0, 1.0), (45.0, 30, 3.0, 3.0),
        (90.0, 30, 2.0, 2.5), (9.0, 30, 1.0, 0.01), (190.0, 200, 1.0, 0.02), (205.0, 200, 2.0, 1e-4),
        (205.0, 200, 0.01, 0.1), (40.0, 50, 10.0, 1.5),
    ],
)  # fmt: skip
def test_figures_are_the_sums_over_states(load, agents, patience, t):
    """Every figure agrees to 1e-12 (times its condition) with its sum over the states, added up at 40 digits."""
    with mpmath.workdps(40):
        case = (gate_of(load, agents), load, agents, 1 / patience, t)
        assert worst_error(by_states(*case), *case)[0] < 1


@pytest.mark.parametrize(
    ("load", "agents", "patience", "t"),
    [
        (0.999, 1, 1e6, 20.0), (3.0, 1, 1e6, 1e6), (1e5, 100_000, 1e6, 0.01), (99_000.0, 100_000, 1e6, 1e-3),
        (1.2e5, 100_000, 1e4, 1e3), (3e5, 100_000, 1.0, 1.0), (9_900.0, 10_000, 1e-3, 1e-3),
        (1_010.0, 1_000, 50.0, 0.2), (1_010.0, 1_000, 50.0, 2.0), (300.0, 1_000, 0.3, 1e-3),
    ],
)  # fmt: skip
def test_figures_are_integrals_of_the_density(load, agents, patience, t):
    """Up to 100,000 agents and patience of 1e6 handle times all figures are integrals of the virtual wait's density."""
    with mpmath.workdps(30):
        case = (gate_of(load, agents), load, agents, 1 / patience, t)
        assert worst_error(by_density(*case), *case)[0] < 1


def test_a_tail_of_nothing_is_exact():
    """A share missed of 1e-40 and less keeps twelve digits, waiting or not."""
    with mpmath.workdps(40):
        for case in ((gate_of(20.0, 90), 20.0, 90.0, 0.5, 0.3), (gate_of(5.0, 60), 5.0, 60.0, 1e-9, 2.0)):
            true = by_states(*case)
            assert 1e-150 < true["missed"] < 1e-19
            assert worst_error(true, *case)[0] < 1


@pytest.mark.parametrize(
    ("load", "agents", "patience", "t"), [(2.0, 3, 0.8, 0.4), (6.0, 4, 2.0, 1.1), (1.0, 2, 9.0, 3.0)]
)
def test_figures_are_those_of_the_solved_chain(load, agents, patience, t):
    """The generator matrix solved, and one customer followed through it by matrix exponential, give every figure."""
    most = 120
    theta = 1 / patience
    states = np.arange(agents + most + 1)
    up = np.full(most + agents, load)
    down = np.minimum(states, agents) + theta * np.maximum(states - agents, 0)
    generator = np.diag(up, 1) + np.diag(down[1:], -1)
    generator -= np.diag(generator.sum(axis=1))
    chance = np.linalg.lstsq(
        np.vstack([generator.T, np.ones(len(states))]), np.r_[np.zeros(len(states)), 1], rcond=None
    )[0]
    finds = chance[agents:]  # 0, 1, … waiting
    many = np.arange(most + 1)
    waiting = float(many @ finds)

    def follow(patient):
        """P(answered), P(gave up) within t; states: i ahead, then answered, then gave up."""
        moves = np.zeros((most + 3, most + 3))
        moves[many, np.where(many > 0, many - 1, most + 1)] = agents + theta * many
        if patient:
            moves[many, most + 2] = theta
        moves -= np.diag(moves.sum(axis=1))
        return finds @ linalg.expm(moves * t)[: most + 1, most + 1 :]

    (answered, quits), (_, lost) = follow(True), (0.0, theta * waiting / load)
    reached = follow(False)[0]
    found = {name: values[0] for name, values in figures(queue(load, agents, patience), t).items()}
    expected = {
        "all_busy": finds.sum(), "abandon": lost, "gave_up_before": quits, "virtual_tail": finds.sum() - reached,
        "answered_late": finds.sum() - answered - lost, "missed": finds.sum() - answered,
        "mean_queue": waiting, "mean_wait": waiting / load,
    }  # fmt: skip
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name


def simulate(load, agents, patience, customers, seed):
    """(wait, answered) of every customer, one by one; times in handle times."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / load, customers)).tolist()
    handles, patiences = rng.exponential(1.0, customers).tolist(), rng.exponential(patience, customers).tolist()
    free = [0.0] * agents
    waits, answered = np.empty(customers), np.ones(customers, bool)
    for i, came in enumerate(arrivals):
        wait = max(free[0] - came, 0.0)
        if patiences[i] < wait:
            waits[i], answered[i] = patiences[i], False
        else:
            waits[i] = wait
            heapq.heapreplace(free, came + wait + handles[i])
    return waits[customers // 20 :], answered[customers // 20 :]


@pytest.mark.parametrize(("load", "agents", "patience", "t"), [(11.0, 10, 0.7, 0.15), (4.5, 5, 3.0, 0.5)])
def test_waits_are_those_of_a_simulated_queue(load, agents, patience, t):
    """Shares, mean waits and p90 lie within four standard errors of a queue simulated customer by customer."""
    waits, answered = simulate(load, agents, patience, 250_000, seed=5)
    found = queue(load, agents, patience)
    at = np.array([t])
    p90 = found.wait_quantile(np.array([0.9]))[0]
    share = 1 - found.abandon[0]
    for truth, sample in (
        (found.abandon, ~answered),
        (found.missed(at), ~answered | (waits > t)),
        (found.answered_late(at), answered & (waits > t)),
        (found.gave_up_before(at), ~answered & (waits <= t)),
        (found.mean_wait(), waits),
        (found.asa() * share, waits * answered),
        (0.1 * share, answered & (waits > p90)),
    ):
        mean, error = batch_mean(np.asarray(sample, float))
        assert abs(mean - np.squeeze(truth)) < 4 * error
        assert error < 0.08 * np.squeeze(truth)


def test_published_example_of_fifty_agents():
    """50 agents, 48 calls a minute of 1 min, patience 2 min: 3.1 % leave, wait 3.7 s, p90 12.5 s, 3 queue, 93 % busy.

    O. Garnett, A. Mandelbaum, M. Reiman, "Designing a call center with impatient customers", Manufacturing & Service
    Operations Management 4(3), 2002, pp. 208–227, doi:10.1287/msom.4.3.208.7753, section 1; the waits there are of all
    customers, those who leave included.
    """
    found = queue(48.0, 50, 120.0, 60.0)
    at = np.array([12.5])
    assert found.abandon[0] == pytest.approx(0.031, abs=0.0005)
    assert found.mean_wait()[0] == pytest.approx(3.7, abs=0.05)
    assert found.mean_queue()[0] == pytest.approx(3, abs=0.5)
    assert 48 / 50 * (1 - found.abandon[0]) == pytest.approx(0.93, abs=0.005)
    waits_longer = found.answered_late(at) + found.abandon - found.gave_up_before(at)
    assert waits_longer[0] == pytest.approx(0.1, abs=0.0015)


def test_endless_patience_is_erlang_c():
    """With patience of 1e9 handle times a stable queue is M/M/c to 1e-7, and to 1e-13 with 1e15."""
    load, agents = np.array([0.5, 4.0, 25.0, 270.0, 9_000.0]), np.array([1.0, 5.0, 30.0, 300.0, 10_000.0])
    ones, t = np.ones(5), np.array([3.0, 0.5, 0.2, 0.05, 1e-3])
    for patience, close in ((1e9, 1e-7), (1e15, 1e-13)):
        found = queue(load, agents, patience)
        assert found.all_busy == pytest.approx(formulas.waiting(load, agents), rel=close)
        for tail in (found.missed(t), found.virtual_tail(t), found.answered_late(t)):
            assert tail == pytest.approx(formulas.tail(load, agents, ones, t), rel=close)
        mean = formulas.mean(load, agents, ones)
        assert found.asa() == pytest.approx(mean, rel=max(close, 1e-12))
        assert found.mean_wait() == pytest.approx(mean, rel=close)
        q = ones * 0.99
        assert found.wait_quantile(q) == pytest.approx(formulas.quantile(q, load, agents, ones), rel=max(close, 1e-11))
        assert np.all(found.abandon < 1000 / patience)


@pytest.mark.parametrize("patience", [0.0, 1e-30])
def test_no_patience_is_erlang_b(patience):
    """Without any patience the lost are those of Erlang B at 50 digits, at every target, and nobody waits."""
    for load, agents in ((0.4, 1), (3.0, 1), (20.0, 25), (400.0, 300)):
        found = queue(load, agents, patience)
        t = np.array([0.2])
        for lost in (found.all_busy, found.abandon, found.missed(t), found.missed(0 * t), found.gave_up_before(t)):
            assert relative_error(lost[0], erlang_b(load, agents)) < 2e-14
        for nothing in (found.answered_late(t), found.mean_wait(), found.asa(), found.mean_queue()):
            assert nothing[0] < 1e-27
        assert found.wait_quantile(np.array([0.999999]))[0] < 1e-27
        busy_for = float(erlang_b(load, agents)) * math.exp(-agents * 0.2)  # until the first of all agents is free
        assert found.virtual_tail(t)[0] == pytest.approx(busy_for, rel=1e-13)


def test_a_queue_that_never_finds_a_free_slot():
    """With an endless gate and drain θ state S + i has weight x^i ÷ (i + 1)!: 1/(1 − e^(−x)) − 1/x of all give up."""
    x = np.array([0.1, 1.0, 7.0])
    found = PatientQueue(np.full(3, np.inf), x * 0.3, np.full(3, 0.3), np.full(3, 0.3))
    assert found.all_busy.tolist() == [1, 1, 1]
    assert found.abandon == pytest.approx(1 / -np.expm1(-x) - 1 / x, rel=1e-12)


def test_nobody_arriving_and_nobody_working():
    """Without arrivals every figure is 0; without slots nobody is answered and all leave when their patience ends."""
    gate, rate, drain, theta = (np.array(each) for each in ([0.0, 0.0, np.inf, np.inf], [0.0, 0.0, 2.0, 2.0],
                                                            [3.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, np.inf]))  # fmt: skip
    found = PatientQueue(gate, rate, drain, theta)
    for t in (-1.0, 0.0, 1.5):
        all_of = figures(found, t)
        assert all(np.all(values[:2] == 0) for values in all_of.values())
        assert all_of["missed"][2:].tolist() == [1, 1]
        assert all_of["virtual_tail"][2:].tolist() == [1, 1]
        assert all_of["answered_late"][2:].tolist() == [0, 0]
        if t >= 0:
            assert all_of["gave_up_before"][2:] == pytest.approx([1 - math.exp(-0.5 * t), 1])
    assert found.abandon[2:].tolist() == found.all_busy[2:].tolist() == [1, 1]
    assert found.mean_wait().tolist() == [0, 0, 2, 0]
    assert found.mean_queue().tolist() == [0, 0, 4, 0]
    assert found.asa().tolist() == [0, 0, np.inf, np.inf]
    assert found.wait_quantile(np.array([0.5, 0.0, 0.0, 0.9])).tolist() == [0, 0, np.inf, np.inf]


def test_a_target_before_the_first_reply_misses_everybody():
    """At t < 0 all offered are missed, all answered are late, everybody would still wait and nobody has left yet."""
    found = figures(queue([2.0, 50.0], [3, 40], [1.0, 4.0]), -0.1)
    assert found["missed"].tolist() == found["virtual_tail"].tolist() == [1, 1]
    assert found["answered_late"] == pytest.approx(1 - found["abandon"], rel=1e-13)
    assert found["gave_up_before"].tolist() == [0, 0]


LOADS, AGENTS = st.floats(0.05, 400), st.integers(1, 300)
PATIENCES, AFTER = st.floats(1e-3, 1e4), st.floats(0, 20)


@settings(max_examples=150, deadline=None)
@given(LOADS, AGENTS, PATIENCES, AFTER)
def test_everybody_ends_somewhere(load, agents, patience, t):
    """Answered and given up add up to 1, the served wait too, θ·L = λ·abandon, and all shares are in order."""
    found = queue(load, agents, patience)
    now = {name: values[0] for name, values in figures(found, t).items()}
    answered = found.answered_late(np.array([-1.0]))[0]
    assert answered + now["abandon"] == pytest.approx(1, rel=1e-12)
    assert answered * load <= agents * (1 + 1e-12)
    assert now["mean_queue"] / patience == pytest.approx(load * now["abandon"], rel=1e-12)
    assert now["missed"] == pytest.approx(now["abandon"] + now["answered_late"], rel=1e-12)
    # Whoever waits longer than t is answered late or leaves late; V > t and not yet gone are the same people.
    gone_later = now["abandon"] - now["gave_up_before"]
    still_there = math.exp(-t / patience) * now["virtual_tail"]
    assert now["answered_late"] + gone_later == pytest.approx(still_there, rel=1e-10, abs=1e-13)
    assert all(0 <= now[name] <= 1 for name in SHARES)
    assert now["gave_up_before"] <= now["abandon"] <= now["all_busy"]


def test_leaving_early_is_the_area_under_those_still_waiting():
    """P(gave up within t) is θ times the area under P(still waiting), tiny t included."""
    for load, agents, patience in ((30.0, 25, 2.0), (30.0, 40, 20.0), (500.0, 300, 5.0)):
        found = queue(load, agents, patience)
        for t in (1e-7, 1e-3, 0.3, 5.0):
            nodes, weights = np.polynomial.legendre.leggauss(60)
            at = np.linspace(0, t, 41)[:-1, None] + t / 80 * (nodes + 1)
            many = queue(np.full(at.size, load), agents, patience)
            still = np.exp(-at / patience).ravel() * many.virtual_tail(at.ravel())
            area = t / 80 * still.reshape(at.shape) @ weights / patience
            assert found.gave_up_before(np.array([t]))[0] == pytest.approx(area.sum(), rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(LOADS, AGENTS, PATIENCES, st.floats(0, 0.999))
def test_quantile_inverts_the_tail_of_the_answered(load, agents, patience, q):
    """At the q quantile a share 1 − q of the answered is still waiting, or that many need not wait at all."""
    found = queue(load, agents, patience)
    at = found.wait_quantile(np.array([q]))
    answered = found.answered_late(np.array([-1.0]))[0]
    left = found.answered_late(at)[0]
    if at[0] == 0:
        assert left <= (1 - q) * answered * (1 + 1e-12)
    else:
        assert left == pytest.approx((1 - q) * answered, rel=1e-9)


@settings(max_examples=150, deadline=None)
@given(LOADS, AGENTS, PATIENCES, AFTER, st.floats(1.001, 2.0))
def test_more_of_anything_moves_the_shares_one_way(load, agents, patience, t, more):
    """More arrivals miss more, faster agents less; with less patience more leave and fewer find a queue."""
    gate, room = gate_of(load, agents), 1 + 1e-11

    def of(rate=load, drain=agents, theta=1 / patience):
        chain = PatientQueue(*(np.array([float(each)]) for each in (gate, rate, drain, theta)))
        return {name: values[0] for name, values in figures(chain, t).items()}

    base, busier, faster, hasty = of(), of(rate=load * more), of(drain=agents * more), of(theta=more / patience)
    for name in ("all_busy", "abandon", "missed", "virtual_tail", "mean_wait", "mean_queue"):
        assert busier[name] * room >= base[name]
    # A faster drain at a given gate: fewer wait long, and of those who wait fewer leave.
    for name in ("all_busy", "abandon", "missed", "mean_wait", "mean_queue"):
        assert faster[name] <= base[name] * room
    assert hasty["abandon"] * room >= base["abandon"]
    for name in ("all_busy", "virtual_tail", "answered_late", "mean_queue"):
        assert hasty[name] <= base[name] * room


@settings(max_examples=100, deadline=None)
@given(LOADS, AGENTS, PATIENCES, AFTER, st.sampled_from([1 / 3600, 60.0, 7.3e4]))
def test_the_unit_of_time_does_not_matter(load, agents, patience, t, unit):
    """Shares stay when all times are told in another unit, and mean waits are told in that unit."""
    q = np.array([0.9])
    here, there = queue(load, agents, patience), queue(load, agents, patience * unit, unit)
    one, other = figures(here, t), figures(there, t * unit)
    near = {"rel": 1e-12 * max(1.0, load * (1 + min(t, patience))), "abs": 1e-300}
    for name in SHARES:
        assert other[name] == pytest.approx(one[name], **near)
    for name in ("mean_wait", "asa"):
        assert other[name] == pytest.approx(one[name] * unit, **near)
    assert other["mean_queue"] == pytest.approx(one["mean_queue"], **near)
    assert there.wait_quantile(q) == pytest.approx(here.wait_quantile(q) * unit, rel=1e-8, abs=1e-10 * unit)


def test_an_array_is_its_elements_one_by_one():
    """Mixed queues of every kind in one array give what each gives on its own."""
    rng = np.random.default_rng(3)
    agents = np.round(np.exp(rng.uniform(0, 8, 300)))
    load = agents * np.exp(rng.normal(0, 0.3, 300))
    patience = np.exp(rng.uniform(-6, 12, 300))
    load[:5], patience[5:10], agents[10:15] = 0, 0, 0
    t = np.where(rng.random(300) < 0.1, 0, np.exp(rng.uniform(-7, 3, 300)))
    found = queue(load, agents, patience)
    together = {**figures(found, t), "quantile": found.wait_quantile(np.full(300, 0.8))}
    for i in range(300):
        alone = queue(load[i], agents[i], patience[i])
        for name, values in {**figures(alone, t[i]), "quantile": alone.wait_quantile(np.array([0.8]))}.items():
            assert together[name][i] == pytest.approx(values[0], rel=1e-11, abs=0.0), name


def test_extremes_raise_no_warning_and_stay_shares():
    """Rates from 1e-300 to 1e6 and patience from nothing to 1e300 s: no warning, no NaN, shares in [0, 1]."""
    rng = np.random.default_rng(11)
    size = 4000

    def drawn(odd):
        plain = 10 ** rng.uniform(-6, 6, size)
        return np.where(rng.random(size) < 0.3, rng.choice(odd, size), plain)

    gate, rate = drawn([0, np.inf, 1e-300, 1e300]), drawn([0, 1e-300, 1e-20, 1.0])
    drain, theta = drawn([0, 1e-300, 1e-20, 1.0]), drawn([np.inf, 1e-300, 1e-20, 1e300])
    drain = np.where(rng.random(size) < 0.3, rate * (1 + rng.normal(0, 1e-6, size)), drain)
    gate = np.where(drain == 0, np.inf, gate)
    with np.errstate(all="raise", under="ignore"):
        found = PatientQueue(gate, rate, drain, theta)
        for t in (-1.0, 0.0, 1e-300, 1.0, 1e9, np.inf):
            now = figures(found, t)
            assert all(np.all((now[name] >= 0) & (now[name] <= 1)) for name in SHARES)
        assert all(np.all(now[name] >= 0) for name in TIMES)
        assert np.all(found.wait_quantile(np.full(size, 0.9)) >= 0)
