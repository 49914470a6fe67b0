"""The random numbers: one stream per replication and purpose, so that a changed plan changes nobody else's draws.

Arrival times, handle times, classes and patience belong to the ticket, not to the agent who takes it. Two plans played
with one seed therefore meet the very same tickets (common random numbers), and a replication is the same whichever
process plays it, after whichever other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from staffcast.contracts import Target
from staffcast.simulation.inputs import Arrivals, FloatArray, IntArray, Patience, Service, Staffing

__all__ = ["Case", "Purpose", "Sample", "draw", "stream"]


class Purpose(IntEnum):
    """What a stream is for. Numbers are part of the promise "same seed, same result": never renumber them."""

    ARRIVAL = 0
    SERVICE = 1
    PRIORITY = 2
    PATIENCE = 3
    LUMP = 4
    LEAVERS = 5
    # The backlog has its own, so that another opening backlog leaves the tickets to come as they were.
    BACKLOG_SERVICE = 6
    BACKLOG_PRIORITY = 7
    BACKLOG_PATIENCE = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """All that fixes a simulation: checked inputs and the seed.

    Attributes
    ----------
    shares : tuple of float
        Share of each class; ``(1.0,)`` without priorities.
    backlog_s : array (tickets,)
        Ages at the start in seconds, oldest first.
    """

    arrivals: Arrivals
    staffing: Staffing
    service: Service | None
    patience: Patience | None
    shares: tuple[float, ...]
    backlog_s: FloatArray
    on_staff_drop: str
    first_reply_s: float
    seed: int
    target: Target | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """The tickets of one replication, the backlog first, then in the order of arrival.

    Attributes
    ----------
    arrival_s, service_s : array (tickets,)
        Seconds; the backlog arrived before the first edge.
    leave_s : array (tickets,) or None
        When a ticket still waiting gives up; None where nobody leaves.
    priority : array (tickets,)
        Class, 0 the most urgent.
    backlog : int
        How many of the tickets are the opening backlog.
    """

    arrival_s: FloatArray
    service_s: FloatArray
    leave_s: FloatArray | None
    priority: IntArray
    backlog: int


def stream(case: Case, replication: int, purpose: Purpose) -> np.random.Generator:
    """Generator of one replication and purpose."""
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(case.seed, spawn_key=(replication, int(purpose))))
    )


def draw(case: Case, replication: int) -> Sample:
    """Draw the tickets of one replication; it does not depend on the agents."""
    edges = case.staffing.edges_s
    times = _arrival_times(case, replication)
    interval = np.searchsorted(edges, times, side="right") - 1
    service = case.arrivals.service_s
    if service is None and case.service is not None:
        service = case.service.draw(stream(case, replication, Purpose.SERVICE), interval)
    priority = _classes(case.shares, stream(case, replication, Purpose.PRIORITY), len(times))
    backlog = len(case.backlog_s)
    if backlog and case.service is not None:
        first = np.zeros(backlog, dtype=np.int64)
        old = case.service.draw(stream(case, replication, Purpose.BACKLOG_SERVICE), first)
        service = np.concatenate((old, service if service is not None else np.empty(0)))
        urgent = _classes(case.shares, stream(case, replication, Purpose.BACKLOG_PRIORITY), backlog)
        priority = np.concatenate((urgent, priority))
    leave = None
    if case.patience is not None:
        leave = times + case.patience.draw(stream(case, replication, Purpose.PATIENCE), len(times))
        if backlog:
            left = case.patience.draw(stream(case, replication, Purpose.BACKLOG_PATIENCE), backlog)
            leave = np.concatenate((edges[0] + left, leave))
    times = np.concatenate((edges[0] - case.backlog_s, times)) if backlog else times
    assert service is not None  # the door has checked that one is given where one is drawn
    if len(case.shares) > 1 and (np.diff(times[backlog:]) == 0).any():
        # Of tickets that come at one instant, the urgent one is first: only then may the kernel start each at once.
        order = np.lexsort((priority[backlog:], times[backlog:])) + backlog
        order = np.concatenate((np.arange(backlog), order))
        times, service, priority = times[order], service[order], priority[order]
        leave = None if leave is None else leave[order]
    return Sample(arrival_s=times, service_s=service, leave_s=leave, priority=priority, backlog=backlog)


def _arrival_times(case: Case, replication: int) -> FloatArray:
    arrivals, edges = case.arrivals, case.staffing.edges_s
    if arrivals.times_s is not None:
        return arrivals.times_s
    assert arrivals.rates_per_hour is not None  # arrivals are a trace or have rates
    rates = arrivals.rates_per_hour[replication % len(arrivals.rates_per_hour)]
    width = np.diff(edges)
    random = stream(case, replication, Purpose.ARRIVAL)
    count = random.poisson(rates * width / 3600.0)
    times = np.repeat(edges[:-1], count) + random.random(int(count.sum())) * np.repeat(width, count)
    # start + u × width may round up to the next edge, where another rate and another staff hold.
    times = np.minimum(times, np.repeat(np.nextafter(edges[1:], -np.inf), count))
    if arrivals.lumps is not None:
        expected = arrivals.lumps[replication % len(arrivals.lumps)]
        released = stream(case, replication, Purpose.LUMP).poisson(expected)
        times = np.concatenate((np.repeat(edges[:-1], released), times))
    times.sort(kind="stable")
    return times


def _classes(shares: tuple[float, ...], random: np.random.Generator, count: int) -> IntArray:
    if len(shares) == 1:
        return np.zeros(count, dtype=np.int64)
    borders = np.cumsum(shares)[:-1]
    return np.searchsorted(borders, random.random(count), side="right")
