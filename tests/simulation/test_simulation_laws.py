"""The random numbers: their hash in whole numbers of Python, their laws, and to whom they belong."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from simulation_dumb import MASK, mixed, unit

from staffcast.simulation import Arrivals, Patience, Redial, Reopening, Repeats, Service, Staffing, chance, simulate
from staffcast.simulation.sampling import Purpose, agents_there, draw, stream, stream_bits

SAMPLE = np.array([5.0, 10.0, 10.0, 40.0])


@settings(deadline=None)
@given(st.integers(0, MASK), st.integers(0, 40_000))
def test_the_hash_is_that_of_splitmix(key, purpose):
    """``child`` and ``uniform`` are the finalizer of SplitMix64, computed here modulo 2^64 in whole numbers."""
    with np.errstate(over="ignore"):
        assert int(chance.child(np.uint64(key), purpose)) == mixed(key, purpose)
        assert chance.uniform(np.uint64(key), purpose) == unit(key, purpose)


def test_the_numbers_of_splitmix_as_published():
    """The first numbers of SplitMix64 from 1234567 are those that its users print."""
    assert mixed(1234567, 0) == 6457827717110365317
    assert [mixed(1234567, k) for k in range(1, 5)] == [
        3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
    ]  # fmt: skip


def before(hashed):
    """The key from which ``child(key, 0)`` is this: the finalizer backwards."""
    x = hashed
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
        whole = x
        for _ in range(3):
            whole = x ^ (whole >> shift)
        x = (whole * pow(factor, -1, 2**64)) & MASK
    return (x - 0x9E3779B97F4A7C15) & MASK


@pytest.mark.parametrize(("hashed", "least", "most"), [(MASK, 1 - 2.0**-50, 1.0), (0, 0.0, 2.0**-50)])
def test_a_uniform_is_never_0_or_1(hashed, least, most):
    """From the largest and the least 64 bits too it lies within (0, 1): a logarithm and a place in a sample exist."""
    key = before(hashed)
    assert mixed(key, 0) == hashed
    with np.errstate(over="ignore"):
        u = chance.uniform(np.uint64(key), 0)
        assert least < u < most
        assert chance.draw(chance.EMPIRICAL, 0.0, 0.0, SAMPLE, 0, 4, np.uint64(key), 0) in SAMPLE
        assert 0 < chance.draw(chance.EXPONENTIAL, 1.0, 0.0, SAMPLE, 0, 4, np.uint64(key), 0) < 40


def lognormal(mean, cv):
    variance = math.log1p(cv**2)
    return stats.lognorm(math.sqrt(variance), scale=mean * math.exp(-variance / 2))


@pytest.mark.parametrize(
    ("kind", "mean", "shape", "law"),
    [
        (chance.EXPONENTIAL, 120.0, 0.0, stats.expon(scale=120.0)),
        (chance.WEIBULL, 120.0, 0.6, stats.weibull_min(0.6, scale=120.0)),
        (chance.WEIBULL, 120.0, 3.0, stats.weibull_min(3.0, scale=120.0)),
        (chance.LOGNORMAL, 120.0, 0.4, lognormal(120.0, 0.4)),
        (chance.LOGNORMAL, 120.0, 2.0, lognormal(120.0, 2.0)),
        (chance.GAMMA, 120.0, 0.3, stats.gamma(0.3**-2, scale=120.0 * 0.3**2)),
        (chance.GAMMA, 120.0, 1.0, stats.expon(scale=120.0)),
        (chance.GAMMA, 120.0, 2.5, stats.gamma(2.5**-2, scale=120.0 * 2.5**2)),
    ],
)
@pytest.mark.parametrize("purpose", [0, 21_000])
def test_what_a_ticket_draws_follows_its_law(kind, mean, shape, law, purpose):
    """Kolmogorov and Smirnov find no difference from scipy's law in 20,000 draws, each from its own key."""
    keys = stream_keys(20_000)
    with np.errstate(over="ignore"):
        values = [chance.draw(kind, mean, shape, SAMPLE, 0, 4, key, purpose) for key in keys]
    assert stats.kstest(values, law.cdf).pvalue > 1e-3


def stream_keys(count):
    return np.random.Generator(np.random.Philox(99)).bit_generator.random_raw(count).astype(np.uint64)


def test_an_empirical_draw_is_one_of_the_sample():
    """Each value of its part of the sample is as likely."""
    values = [chance.draw(chance.EMPIRICAL, 0.0, 0.0, SAMPLE, 1, 3, key, 7) for key in stream_keys(9000)]
    found, count = np.unique(values, return_counts=True)
    assert found.tolist() == [10.0, 40.0]
    assert stats.binomtest(int(count[0]), 9000, 2 / 3).pvalue > 1e-3


def test_what_is_drawn_for_one_purpose_tells_nothing_of_another():
    """Numbers of one ticket for different purposes, and of its children, are not correlated."""
    keys = stream_keys(20_000)
    with np.errstate(over="ignore"):
        rows = [[chance.uniform(key, purpose) for key in keys] for purpose in (0, 1, 10_000, 23_000)]
        rows += [
            [chance.uniform(np.uint64(chance.child(key, purpose)), 0) for key in keys] for purpose in (13_000, 23_000)
        ]
    others = np.corrcoef(rows)[np.triu_indices(6, 1)]
    assert np.abs(others).max() < 4 / math.sqrt(20_000)


@pytest.mark.parametrize(
    ("law", "cdf"),
    [
        (Service.gamma(300.0, 0.7), stats.gamma(0.7**-2, scale=300.0 * 0.7**2).cdf),
        (Service.lognormal(300.0, 1.5), lognormal(300.0, 1.5).cdf),
        (Patience.weibull(300.0, 0.7), stats.weibull_min(0.7, scale=300 / math.gamma(1 + 1 / 0.7)).cdf),
        (Patience.weibull(300.0, 2.0), stats.weibull_min(2.0, scale=300 / math.gamma(1.5)).cdf),
    ],
)
def test_first_tickets_follow_the_same_laws(law, cdf):
    """What the whole arrays are drawn from is the law too, and its mean is the one named."""
    random = np.random.Generator(np.random.Philox(5))
    given = np.zeros(20_000, dtype=np.int64)
    values = law.draw(random, given) if isinstance(law, Service) else law.draw(random, len(given))
    assert stats.kstest(values, cdf).pvalue > 1e-3
    assert abs(values.mean() - 300.0) < 4 * values.std() / math.sqrt(20_000)


@pytest.mark.parametrize(("shape", "age"), [(0.7, 500.0), (2.0, 100.0), (2.0, 800.0)])
def test_patience_left_is_conditional_on_the_age(shape, age):
    """Of a Weibull: S(age + t) ÷ S(age)."""
    law = Patience.weibull(300.0, shape)
    whole = stats.weibull_min(shape, scale=300 / math.gamma(1 + 1 / shape))
    left = law.draw(np.random.Generator(np.random.Philox(6)), 20_000, age)
    assert stats.kstest(left, lambda t: 1 - whole.sf(age + t) / whole.sf(age)).pvalue > 1e-3


def test_patience_left_of_a_sample():
    """Of a sample: those of it that are at least the age, less the age; who outlasted all of them stays."""
    law = Patience.empirical([0.0, 60.0, 60.0, 300.0, math.inf])
    random = np.random.Generator(np.random.Philox(7))
    new, count = np.unique(law.draw(random, 10_000), return_counts=True)
    assert new.tolist() == [0.0, 60.0, 300.0, math.inf]
    assert (np.abs(count - [2000, 4000, 2000, 2000]) < 4 * 50).all()
    assert np.unique(law.draw(random, 1000, 60.0)).tolist() == [0.0, 240.0, math.inf]
    assert np.unique(law.draw(random, 1000, 61.0)).tolist() == [239.0, math.inf]
    assert np.unique(Patience.empirical([5.0, 9.0]).draw(random, 100, 9.5)).tolist() == [math.inf]


EDGES = np.arange(5) * 900.0
RETURNS = {
    "redial": Redial(share=0.6, delay_s=300.0), "reopening": Reopening(share=0.4, delay_s=600.0, work=0.7),
    "repeats": Repeats(share=0.5, after_s=200.0, work=0.2),
}  # fmt: skip


def play(agents, **options):
    options = {"replications": 5, "seed": 3, "patience": Patience.weibull(400.0, 0.8)} | RETURNS | options
    return simulate(
        Arrivals.piecewise(EDGES, [60.0, 90.0, 30.0, 60.0]), Staffing.steps(EDGES, agents),
        [Service.gamma(240.0, 1.2), Service.lognormal(400.0, 0.5)], priorities=[0.4, 0.6], backlog=[10.0, 400.0],
        **options,
    )  # fmt: skip


def test_what_comes_of_a_ticket_is_its_own():
    """Under any plan a child's handle time is one that its parent's bits fix: each in the tree of all that may come."""
    plans = [play([3, 5, 2, 4]), play([1, 0, 9, 3], on_staff_drop="preempt"), play([2, 2, 2, 2], ageing_s=300.0)]
    case = plans[0].case
    sample = draw(case, 2)
    tree = set()
    alive = list(zip(map(int, sample.bits), sample.service_s, sample.kind, strict=True))
    with np.errstate(over="ignore"):
        for _ in range(12):
            below = []
            for bits, service, kind in alive:
                law = case.services[kind]
                for cause, work in ((1, None), (2, 0.7), (3, 0.2)):
                    if work is not None:
                        service_of = work * chance.draw(
                            law.law, float(law.mean_s), law.cv, SAMPLE, 0, 1, np.uint64(bits), cause * 10_000 + 1000
                        )
                    else:
                        service_of = service
                    share = {1: 0.6, 2: 0.4, 3: 0.5}[cause]
                    if unit(bits, cause * 10_000) < share:
                        tree.add((cause, round(service_of, 6)))
                        below.append((mixed(bits, cause * 10_000 + 3000), service_of, kind))
            alive = below
    children = 0
    for outcome in plans:
        tickets = outcome.tickets(2)
        brought = tickets[tickets["origin"] != "first"]
        children += len(brought)
        causes = brought["origin"].cat.codes
        missing = [pair for pair in zip(causes, brought["service_s"].round(6), strict=True) if pair not in tree]
        assert not missing
        first = tickets[tickets["origin"] == "first"]
        np.testing.assert_array_equal(first["arrival_s"], sample.arrival_s)
        np.testing.assert_array_equal(first["service_s"], sample.service_s)
    assert children > 60


def test_a_plan_changes_no_ticket_that_comes_from_outside():
    """Bits, arrival, class, handle time and patience of first tickets are drawn without a look at the plan."""
    one, other = (draw(play(agents, **options).case, 1) for agents, options in (
        ([3, 5, 2, 4], {}), ([0, 9, 9, 0], {"on_staff_drop": "handover", "handover_s": 30.0, "ageing_s": 60.0}),
    ))  # fmt: skip
    for name in ("arrival_s", "service_s", "leave_s", "kind", "bits"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    case = play([1] * 4).case
    np.testing.assert_array_equal(one.bits[2:], stream_bits(case, 1, Purpose.BITS, len(one.bits) - 2))
    assert stream(case, 1, Purpose.BITS).random() != stream(case, 2, Purpose.BITS).random()


def test_absence_is_binomial_by_shift():
    """Heads of one shift come or do not; their number has the mean and variance of a binomial, shifts are apart."""
    plan = Staffing.steps(np.arange(5) * 900.0, [8, 10, 10, 3], absent=0.2, shift=[0, 0, 1, 1])
    outcome = simulate(Arrivals.trace([]), plan, Service.exponential(1.0), replications=1)
    there = np.array([agents_there(outcome.case, r) for r in range(4000)])
    assert (there[:, 0] <= there[:, 1]).all()
    assert (there[:, 1] - there[:, 0] <= 2).all()
    for column, heads in enumerate((8, 10, 10, 3)):
        expected = stats.binom(heads, 0.8).pmf(np.arange(heads + 1)) * 4000
        count = np.bincount(there[:, column], minlength=heads + 1)
        few = np.cumsum(expected) < 20
        pooled = [np.append(each[~few], each[few].sum()) for each in (count, expected)]
        keep = pooled[1] > 0
        assert stats.chisquare(pooled[0][keep], pooled[1][keep]).pvalue > 1e-3
    assert abs(np.corrcoef(there[:, 1], there[:, 2])[0, 1]) < 4 / math.sqrt(4000)
    full = simulate(
        Arrivals.trace([]), Staffing.steps(np.arange(5) * 900.0, [9, 10, 10, 3], absent=0.2, shift=[0, 0, 1, 1]),
        Service.exponential(1.0), replications=1,
    )  # fmt: skip
    more = np.array([agents_there(full.case, r) for r in range(100)])
    assert ((more - there[:100])[:, 1:] == 0).all()
    assert set((more - there[:100])[:, 0]) == {0, 1}
