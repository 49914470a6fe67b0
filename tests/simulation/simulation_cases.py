"""Cases with an exact answer: a constant queue in the long run, and closed forms. A case gives its scores."""

import math
from functools import cache

import numpy as np
import pytest
from scipy import stats
from simulation_chains import impatient_queue
from simulation_exact import MEAN_S, Scores, erlang_c, steady

from staffcast.contracts import Target
from staffcast.simulation import Arrivals, Patience, Reopening, Service, Staffing, simulate

DONE = 1 / MEAN_S
CASES = {}


def case(*given):
    """Register a case, once for each set of arguments."""

    def register(function):
        for each in given or ((),):
            name = " ".join([function.__name__, *map(str, each)])
            CASES[name] = cache(lambda each=each: function(*each))
        return function

    return register


def scored(frame, **exact):
    """Scores of columns of a frame that have an error."""
    scores = Scores()
    for name, values in exact.items():
        scores.add(name, np.atleast_1d(frame[name]), np.atleast_1d(frame[f"{name}_se"]), np.atleast_1d(values))
    return scores


def of_chain(outcome, exact, *names):
    """Scores of ``by_interval`` against a chain that watches columns of the same names; queue_end at the ends."""
    return scored(
        outcome.by_interval, **{name: exact["queue_mean_end" if name == "queue_end" else name] for name in names}
    )


def by_class_in_the_middle(outcome, runs, classes):
    """Mean wait of each class among the tickets of the middle interval, with its error."""
    first, last = outcome.by_interval["start_s"].to_numpy()[1:3]
    means = np.empty((runs, classes))
    for run in range(runs):
        tickets = outcome.tickets(run)
        inside = tickets["arrival_s"].between(first, last)
        means[run] = tickets[inside].groupby("class")["wait_s"].mean()
    return means.mean(axis=0), means.std(axis=0, ddof=1) / math.sqrt(runs)


@case((0.5,), (2.0,))
def gamma_handle_times(cv):
    """M/G/1 by Pollaczek and Khinchine."""
    row = steady(0.7, 1, Service.gamma(MEAN_S, cv), relax=300).by_interval.iloc[1]
    return scored(row, mean_wait_s=0.7 / 0.3 * MEAN_S * (1 + cv**2) / 2, p_wait=0.7)


@case()
def priorities_with_gamma_handle_times():
    """M/G/1 with classes by Cobham: what is in hand at arrival ÷ what the more urgent leave."""
    outcome = steady(0.8, 1, Service.gamma(MEAN_S, 1.5), relax=400, runs=20, priorities=[0.4, 0.6])
    sigma = np.array([0.0, 0.32, 0.8])
    left = 0.8 * MEAN_S * (1 + 1.5**2) / 2
    scores = Scores()
    scores.add("wait", *by_class_in_the_middle(outcome, 20, 2), left / ((1 - sigma[:-1]) * (1 - sigma[1:])))
    return scores


@case()
def classes_of_unequal_length_first_come_first_served():
    """With ageing faster than anybody waits, M/G/1 with a handle time that is a mixture."""
    outcome = steady(
        0.7, 1, [Service.exponential(600.0), Service.deterministic(100.0)], relax=300, priorities=[0.4, 0.6],
        ageing_s=1e-6,
    )  # fmt: skip
    second = 0.4 * 2 * 600**2 + 0.6 * 100**2
    rate = 0.7 / MEAN_S
    scores = scored(outcome.by_interval.iloc[1], mean_wait_s=rate * second / 2 / (1 - 0.7), p_wait=0.7)
    scores.add("wait", *by_class_in_the_middle(outcome, 30, 2), [rate * second / 2 / 0.3] * 2)
    return scores


@case()
def ageing_moves_waits_between_classes_only():
    """Whatever the order, M/M/c has the mean wait of Erlang over all tickets."""
    outcome = steady(
        2.7, 3, Service.exponential(MEAN_S), relax=300, priorities=[0.2, 0.3, 0.5], ageing_s=900.0, runs=60
    )
    return scored(outcome.by_interval.iloc[1], mean_wait_s=erlang_c(2.7, 3) * MEAN_S / 0.3, p_wait=erlang_c(2.7, 3))


@case()
def waits_of_fixed_handle_times():
    """M/D/1: the share that waits no longer than 1.5 handle times, by Erlang's alternating sum."""
    rho, t = 0.7, 1.5
    share = (1 - rho) * sum(
        (-rho * (t - k)) ** k / math.factorial(k) * math.exp(rho * (t - k)) for k in range(math.floor(t) + 1)
    )
    target = Target.share(0.8, within_s=t * MEAN_S)
    row = steady(rho, 1, Service.deterministic(MEAN_S), relax=300, target=target).by_interval.iloc[1]
    return scored(row, service_level=share)


@case()
def arrivals_on_the_minute():
    """D/M/1: who comes meets a busy agent with probability s, where s = exp(−(1 − s) ÷ load)."""
    load = 0.8
    gap = MEAN_S / load
    edges = np.array([0, 300, 20_300, 20_600]) * gap
    outcome = simulate(
        Arrivals.trace(np.arange(20_600) * gap), Staffing.steps(edges, [1] * 3), Service.exponential(MEAN_S),
        replications=20, seed=3,
    )  # fmt: skip
    s = 0.5
    for _ in range(500):
        s = math.exp(-(1 - s) / load)
    return scored(outcome.by_interval.iloc[1], p_wait=s, mean_wait_s=s / (1 - s) * MEAN_S)


SURVIVES = {
    "weibull 0.6": (Patience.weibull(600.0, 0.6), stats.weibull_min(0.6, scale=600 / math.gamma(1 + 1 / 0.6)).sf),
    "weibull 3": (Patience.weibull(400.0, 3.0), stats.weibull_min(3.0, scale=400 / math.gamma(1 + 1 / 3)).sf),
    "empirical": (
        Patience.empirical([60.0, 300.0, 300.0, math.inf]),
        lambda x: 0.25 * (x < 60) + 0.5 * (x < 300) + 0.25,
    ),
}


@case(*((name, load, agents) for name, (load, agents) in zip(SURVIVES, ((9.0, 8), (4.5, 5), (6.5, 6)), strict=True)))
def patience_of_any_law(name, load, agents):
    """M/M/n+G by the integrals of Baccelli and Hebuterne."""
    patience, survives = SURVIVES[name]
    row = steady(load, agents, Service.exponential(MEAN_S), relax=60, patience=patience).by_interval.iloc[1]
    waits, lost, mean = impatient_queue(load / MEAN_S, agents, DONE, survives, upto=20_000.0)
    return scored(row, p_wait=waits, p_abandon=lost, mean_wait_s=mean)


@case(("weibull 0.6",), ("weibull 3",), ("empirical",))
def patience_of_an_old_backlog(name):
    """Nobody answers: of tickets of an age those stay whose patience lasts, given that it lasted until now."""
    patience, survives = SURVIVES[name]
    ages = np.repeat([0.0, 100.0, 290.0, 700.0], 100)
    edges = np.array([0.0, 50.0, 250.0, 600.0])
    outcome = simulate(
        Arrivals.piecewise(edges, [0.0] * 3), Staffing.steps(edges, [0] * 3), Service.exponential(60.0),
        patience=patience, backlog=ages, replications=100,
    )  # fmt: skip
    stay = np.array([np.mean(survives(ages + t) / survives(ages)) for t in edges[1:]])
    return scored(outcome.by_interval, queue_end=400 * stay)


@case((0.3, 2, 1.2), (0.5, 5, 2.2))
def reopened_tickets(share, agents, load):
    """An open Jackson network: who comes sees M/M/c at the rate first tickets and reopened ones have together."""
    outcome = steady(
        load, agents, Service.exponential(MEAN_S), relax=300, reopening=Reopening(share=share, delay_s=2000.0)
    )
    c, all_of = erlang_c(load / (1 - share), agents), load / (1 - share)
    row = outcome.by_interval.iloc[1]
    width = np.diff(outcome.by_interval["start_s"])[1]
    return scored(
        row, p_wait=c, mean_wait_s=c * MEAN_S / (agents - all_of), busy_mean=all_of,
        arrivals=all_of / MEAN_S * width,
    )  # fmt: skip


@case()
def a_window_that_closes():
    """M/M/c: the share that waits longer than the window falls off exponentially."""
    runs, window = 40, 900.0
    outcome = steady(4.0, 5, Service.exponential(MEAN_S), relax=300, runs=runs, window_s=window)
    first, last = outcome.by_interval["start_s"].to_numpy()[1:3]
    tickets = [outcome.tickets(run) for run in range(runs)]
    assert outcome.summary.expired == pytest.approx(np.mean([(each["wait_s"] > window).sum() for each in tickets]))
    shares = [(each.loc[each["arrival_s"].between(first, last), "wait_s"] > window).mean() for each in tickets]
    scores = Scores()
    exact = erlang_c(4.0, 5) * math.exp(-(5 - 4) * DONE * window)
    scores.add("expired", np.mean(shares), np.std(shares, ddof=1) / math.sqrt(runs), exact)
    return scores
