"""The Markov twin as a control variate: what chance did to it is known exactly, and did much the same to the plan.

The twin of a plan is what the Kolmogorov forward equations can solve: the same staff, Poisson arrivals at the mean
rates, one class, exponential handle times and patience with the plan's means, and staff that hands its tickets back as
it leaves. Beside each replication its twin is played with that replication's own luck: the same tickets, each with the
exponential handle time and patience of the same rank as its own. Where a replication's rates lie above the mean, each
ticket is kept with probability mean ÷ rate; where below, tickets are added: the twin's arrivals are Poisson at the mean
rate whatever the path. How far the twin came off its exact mean is luck, and what a figure owes to it is found by least
squares and taken out [1]_.

References
----------
.. [1] S. S. Lavenberg, P. D. Welch, "A perspective on the use of control variables to increase the efficiency of
   Monte Carlo simulations", Management Science 27(3), 1981, pp. 322–335, doi:10.1287/mnsc.27.3.322.
.. [2] M. R. Taaffe, S. A. Horn, "External control variance reduction for nonstationary simulation", Proceedings of the
   1983 Winter Simulation Conference, pp. 337–343; a Markov queue's forward equations as the control.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import gammaincc, log_ndtr, stdtrit

from staffcast.contracts import InputError, bad_value
from staffcast.erlang import TransientPerformance, transient_performance
from staffcast.executor import map_chunks
from staffcast.simulation.checks import FloatArray, IntArray
from staffcast.simulation.compare import luck_of
from staffcast.simulation.inputs import Arrivals
from staffcast.simulation.intervals import regressed
from staffcast.simulation.laws import Patience, Service
from staffcast.simulation.outcome import Outcome
from staffcast.simulation.replication import play_sample
from staffcast.simulation.sampling import Case, Purpose, Sample, draw, leaver_bits, strata_of, stream

__all__ = ["Twin", "markov_twin", "twin_controlled", "twin_luck"]

_LONGEST_S = 14 * 86_400.0  # each interval is one system of equations
_FEWEST = 50
_TINY = 1e-300
_FIGURES = (
    "service_level", "frt_mean_s", "frt_p95_s", "mean_wait_s", "p_wait", "p_abandon", "utilization", "backlog_end"
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Twin:
    """What the equations know of a plan.

    Attributes
    ----------
    case : Case
        The twin, to be played.
    rates_per_hour : array (n,)
    aht_s : float
    patience_s : float or None
    within_s : float
        Longest wait that is in time.
    exact : TransientPerformance
        Its figures interval by interval.
    """

    case: Case
    rates_per_hour: FloatArray
    aht_s: float
    patience_s: float | None
    within_s: float
    exact: TransientPerformance


def markov_twin(case: Case) -> Twin:
    """The twin of a case, over up to fourteen days from its beginning, with its exact figures.

    Raises
    ------
    InputError
        Intervals of unequal length, or a trace: it has no rates.
    """
    edges = case.staffing.edges_s
    width = np.diff(edges)
    if case.arrivals.rates_per_hour is None:
        raise InputError("a trace has no rates to solve equations for; simulate Arrivals.piecewise to check a plan")
    if not np.allclose(width, width[0], rtol=1e-9):
        raise InputError("the equations need intervals of one length; give the plan on an even grid")
    n = min(len(width), max(int(_LONGEST_S / width[0]), 1))
    rates = case.arrivals.rates_per_hour.mean(axis=0)[:n]
    aht = float(np.average(_means(case, n), weights=rates if rates.any() else np.ones(n)))
    agents = case.staffing.agents[:n]
    # Who was interrupted has had a reply and stays; in the equations all who wait give up alike.
    patience = None if (np.diff(agents) < 0).any() else _patience(case)
    within = 0.0 if case.target is None else max(case.target.seconds - case.first_reply_s, 0.0)
    twin = replace(
        case,
        arrivals=Arrivals.piecewise(edges[: n + 1], rates),
        staffing=type(case.staffing).steps(edges[: n + 1], agents),
        services=(Service.exponential(aht),),
        patiences=() if patience is None else (Patience.exponential(patience),),
        shares=(1.0,), backlog_s=np.empty(0), on_staff_drop="preempt", opened=np.ones((1, n), dtype=np.bool_),
        redial=None, reopening=None, repeats=None, bot=None, handover_s=0.0, ageing_s=math.inf, groups=(),
        class_targets=(), first_reply_share=0.0,
        stratified=False,
    )  # fmt: skip
    exact = transient_performance(
        arrivals_per_hour=rates, aht_s=aht, agents=agents, interval_s=float(width[0]), target_s=within,
        patience_s=patience,
    )  # fmt: skip
    return Twin(case=twin, rates_per_hour=rates, aht_s=aht, patience_s=patience, within_s=within, exact=exact)


def twin_controlled(outcome: Outcome, measures: Sequence[str] | None = None, *, processes: int = 1) -> pd.DataFrame:
    """Figures with the luck of the draw taken out, as far as the plan's Markov twin shows it.

    It plays each replication's twin, which takes about as long as the simulation did. What
    :func:`staffcast.simulation.controlled` takes out is taken out too.

    Parameters
    ----------
    outcome : Outcome
        Of at least 50 replications, of live queues: of agents with several conversations or several groups the twin
        is one pool and knows less.
    measures : sequence of str, optional
        Columns of ``outcome.by_replication``; None: those a planner asks for.
    processes : int
        At most this many processes at work.

    Returns
    -------
    DataFrame
        One row per measure: ``measure``; ``mean``, ``se``, ``low``, ``high`` (95 % interval) with the luck out;
        ``plain_mean``, ``plain_se`` without; ``factor``: how many times more replications the plain mean needs for the
        same error, and ``twin_factor``, what of that the twin alone adds to the known luck.

    Raises
    ------
    InputError
        A trace, intervals of unequal length, a bot, too few replications, a measure that is not there.

    Examples
    --------
    >>> from staffcast.simulation import Arrivals, Service, Staffing, simulate
    >>> edges = [900 * k for k in range(9)]
    >>> outcome = simulate(Arrivals.piecewise(edges, [50] * 8), Staffing.steps(edges, [5] * 8),
    ...                    Service.lognormal(300, 0.8), target="80% in 60s")
    >>> row = twin_controlled(outcome, ["service_level"]).iloc[0]
    >>> bool(row["factor"] > 3), bool(row["low"] < row["mean"] < row["high"])
    (True, True)
    """
    table = outcome.by_replication
    if measures is None:
        measures = [name for name in _FIGURES if table[name].notna().all()]
    for measure in measures:
        if measure not in table:
            raise bad_value("measures", measure, f"among {', '.join(table.columns)}")
    if len(table) < _FEWEST:
        raise bad_value("replications", len(table), f"at least {_FEWEST}", "several slopes are estimated")
    if outcome.case.bot is not None:
        raise InputError("behind a bot nobody knows which tickets the twin would get; play what is left of them")
    twin = markov_twin(outcome.case)
    luck = twin_luck(outcome.case, twin, len(table), processes=processes)
    known = luck_of(outcome)
    rows = []
    strata = strata_of(outcome.case, len(table))
    for measure in measures:
        values = table[measure].to_numpy(dtype=np.float64)
        there = ~np.isnan(values)
        if there.sum() < _FEWEST:
            raise bad_value("replications", int(there.sum()), f"at least {_FEWEST} with a {measure}")
        own = strata if there.all() else None
        both = regressed(values[there], np.column_stack((known, luck))[there], own)
        alone = regressed(values[there], known[there], own)
        reach = float(stdtrit(both.freedom, 0.975)) * both.se
        rows.append(
            {
                "measure": measure, "mean": both.mean, "se": both.se, "low": both.mean - reach,
                "high": both.mean + reach, "plain_mean": both.plain_mean, "plain_se": both.plain_se,
                "factor": both.factor, "twin_factor": (alone.se / both.se) ** 2 if both.se > 0 else math.inf,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def twin_luck(case: Case, twin: Twin, replications: int, *, processes: int = 1) -> FloatArray:
    """How far the twin of each replication came off its exact mean.

    Returns
    -------
    array (replications, controls)
        Seconds waited and handled, tickets that waited, tickets in time (0 without a target).
    """
    size = max(-(-replications // 16), 1)
    ranges = [range(first, min(first + size, replications)) for first in range(0, replications, size)]
    played = np.concatenate(map_chunks(partial(_play_chunk, case, twin), ranges, processes=processes))
    exact, width = twin.exact, float(twin.case.staffing.edges_s[1] - twin.case.staffing.edges_s[0])
    means = np.array(
        [
            exact.mean_queue.sum() * width,
            (exact.in_system - exact.mean_queue).sum() * width,
            float(exact.offered @ exact.p_wait),
            float(exact.offered @ exact.service_level) if case.target is not None else 0.0,
        ]
    )
    return np.asarray(played - means)


def _play_chunk(case: Case, twin: Twin, replications: range) -> FloatArray:
    return np.stack([_play(case, twin, replication) for replication in replications])


def _play(case: Case, twin: Twin, replication: int) -> FloatArray:
    """The figures of one replication's twin."""
    own, edges = twin.case, twin.case.staffing.edges_s
    finish, agents = float(edges[-1]), own.staffing.agents
    # Played on with the last staff until everybody's wait is known to be in time or not, as the equations have it.
    edges, agents = np.append(edges, finish + max(twin.within_s, 1.0) * 1.001), np.append(agents, agents[-1])
    longer = replace(
        own, staffing=type(own.staffing).steps(edges, agents), opened=np.ones((1, len(agents)), dtype=np.bool_)
    )
    sample = _twin_sample(case, twin, replication)
    played = play_sample(longer, sample, longer.staffing.agents, leaver_bits(case, replication))
    left = np.minimum(played.left_queue_s, finish)
    queue = float((left - played.arrival_s).sum() + _until(played.break_from_s, finish))
    queue -= _until(played.break_to_s, finish)
    system = _until(played.arrival_s, finish) - _until(played.end_s[played.answered], finish)
    if played.abandoned.any():
        system -= _until(played.left_queue_s[played.abandoned], finish)
    wait = played.left_queue_s - played.arrival_s
    in_time = np.count_nonzero(played.answered & (wait <= twin.within_s)) if case.target is not None else 0
    return np.array([queue, system - queue, float(np.count_nonzero(wait > 0)), float(in_time)])


def _until(times: FloatArray, finish: float) -> float:
    """Seconds from these instants to the finish, 0 of those behind it."""
    return float(np.maximum(finish - times, 0.0).sum())


def _twin_sample(case: Case, twin: Twin, replication: int) -> Sample:
    """The tickets of a replication as its twin has them."""
    edges, n = twin.case.staffing.edges_s, len(twin.rates_per_hour)
    random = stream(case, replication, Purpose.TWIN)
    sample = draw(case, replication)
    came = sample.arrival_s
    # What is released at an opening stands exactly on an edge; the equations do not have it, nor a backlog.
    there = (np.arange(len(came)) >= sample.backlog) & (came < edges[-1]) & ~np.isin(came, edges)
    times, kind = came[there], sample.kind[there]
    interval = np.searchsorted(edges, times, side="right") - 1
    service = _ranked_service(case, sample.service_s[there], kind, interval, random)
    leave = None
    if twin.patience_s is not None and sample.leave_s is not None:
        leave = _ranked_patience(case, sample.leave_s[there] - times, kind, random)
    assert case.arrivals.rates_per_hour is not None  # the twin has been made from them
    paths = case.arrivals.rates_per_hour
    if len(paths) > 1:
        path, wanted = paths[replication % len(paths)][:n], twin.rates_per_hour
        kept = np.divide(wanted, path, out=np.ones(n), where=path > wanted)
        stay = random.random(len(times)) < kept[interval]
        more = random.poisson(np.maximum(wanted - path, 0.0) * np.diff(edges) / 3600.0)
        count = int(more.sum())
        added = np.repeat(edges[:-1], more) + random.random(count) * np.repeat(np.diff(edges), more) * (1 - 1e-9)
        times = np.concatenate((times[stay], added))
        service = np.concatenate((service[stay], random.standard_exponential(count)))
        if leave is not None:
            leave = np.concatenate((leave[stay], random.standard_exponential(count)))
    order = np.argsort(times, kind="stable")
    times = times[order]
    patience = twin.patience_s
    return Sample(
        arrival_s=times, service_s=service[order] * twin.aht_s,
        leave_s=None if leave is None or patience is None else times + leave[order] * patience,
        kind=np.zeros(len(times), dtype=np.int64), bits=None, backlog=0, bot_closed=0,
    )  # fmt: skip


def _ranked_service(
    case: Case, service_s: FloatArray, kind: IntArray, interval: IntArray, random: np.random.Generator
) -> FloatArray:
    """Standard exponentials of the same rank as handle times have in their laws."""
    fresh = random.standard_exponential(len(service_s))
    spread = random.random(len(service_s))
    out = fresh.copy()
    for number, law in enumerate(case.services):
        own = kind == number
        mean = law.mean_s if law.mean_s.ndim == 0 else law.mean_s[interval[own]]
        size = service_s[own] / mean
        if law.sample_s is not None:
            out[own] = _of_sample(law.sample_s, service_s[own], spread[own])
        elif law.kind == "exponential":
            out[own] = size
        elif law.kind == "lognormal" and law.cv > 0:
            variance = math.log1p(law.cv**2)
            out[own] = -log_ndtr(-(np.log(np.maximum(size, _TINY)) + variance / 2) / math.sqrt(variance))
        elif law.kind == "gamma":
            out[own] = -np.log(np.maximum(gammaincc(law.cv**-2, size * law.cv**-2), _TINY))
    return out


def _ranked_patience(case: Case, patience_s: FloatArray, kind: IntArray, random: np.random.Generator) -> FloatArray:
    """The same of patience."""
    spread, out = random.random(len(patience_s)), np.empty(len(patience_s))
    for number, law in enumerate(case.patiences):
        own = kind == number
        if law.sample_s is not None:
            out[own] = _of_sample(law.sample_s, patience_s[own], spread[own])
        else:
            out[own] = (patience_s[own] / law.scale_s) ** law.shape
    return out


def _of_sample(sample: FloatArray, values: FloatArray, spread: FloatArray) -> FloatArray:
    """Values drawn from a sample: their rank, spread evenly over equal ones, as a standard exponential."""
    ascending = np.sort(sample)
    # To rounding: patience is a difference of two times.
    low = np.searchsorted(ascending, values * (1 - 1e-9) - 1e-6, side="left")
    high = np.searchsorted(ascending, values * (1 + 1e-9) + 1e-6, side="right")
    return np.asarray(-np.log1p(-(low + spread * (high - low)) / len(ascending)))


def _means(case: Case, n: int) -> FloatArray:
    if not case.services:
        assert case.arrivals.service_s is not None  # the door has checked that somebody has handle times
        return np.full(n, case.arrivals.service_s.mean())
    means = [np.broadcast_to(each.mean_s, (len(case.staffing.agents),)) for each in case.services]
    return np.asarray(np.average(means, axis=0, weights=case.shares))[:n]


def _patience(case: Case) -> float | None:
    if not case.patiences:
        return None
    mean = float(np.average([each.mean_s for each in case.patiences], weights=case.shares))
    return mean if math.isfinite(mean) else None
