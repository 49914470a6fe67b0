"""The random numbers: one counter-based stream per replication and purpose, so that a plan changes nobody's draws.

Arrival times, handle times, classes and patience belong to the ticket, not to the agent who takes it. Two plans played
with one seed therefore meet the very same tickets (common random numbers), and a replication is the same whichever
process plays it, after whichever other.

References
----------
.. [1] J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11, 2011,
   doi:10.1145/2063384.2063405; Philox.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Target
from staffcast.simulation.checks import FloatArray, IntArray
from staffcast.simulation.customers import Bot, Redial, Reopening, Repeats
from staffcast.simulation.groups import Group
from staffcast.simulation.inputs import Arrivals, Staffing
from staffcast.simulation.laws import Patience, Service
from staffcast.simulation.stratified import STRATA, spread_counts, stratum_of
from staffcast.simulation.streams import kinds, times_within

__all__ = [
    "Case", "Purpose", "Sample", "agents_there", "draw", "groups_there", "leaver_bits", "released", "strata_of",
    "stream", "stream_bits",
]  # fmt: skip


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
    BOT = 9
    BITS = 10
    BACKLOG_BITS = 11
    ABSENCE = 12
    STRATA = 13
    TWIN = 14


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """All that fixes a simulation: checked inputs and the seed.

    Attributes
    ----------
    services : tuple of Service
        One per class; empty where a trace has its own.
    patiences : tuple of Patience
        One per class; empty where nobody leaves.
    shares : tuple of float
        Share of each class; ``(1.0,)`` without priorities.
    backlog_s : array (tickets,)
        Ages at the start in seconds, oldest first.
    opened : array (classes, n) of bool
        Whether a class is taken in an interval.
    ageing_s, window_s : float
        Infinity for none.
    groups : tuple of Group
        Agents to be followed one by one, by the rule ``routing``; ``staffing`` is then all of them together. Empty:
        one pool of agents with one ticket each.
    stratified : bool
        Whether replications are spread over how many tickets come (:mod:`staffcast.simulation.stratified`).
    first_reply_share : float
        Of a ticket's handling, after which it has its first reply; on top of ``first_reply_s``.
    class_targets : tuple of Target or None
        One per class; empty where no class is judged apart.
    """

    arrivals: Arrivals
    staffing: Staffing
    services: tuple[Service, ...]
    patiences: tuple[Patience, ...]
    shares: tuple[float, ...]
    backlog_s: FloatArray
    on_staff_drop: str
    first_reply_s: float
    seed: int
    target: Target | None
    opened: npt.NDArray[np.bool_]
    redial: Redial | None = None
    reopening: Reopening | None = None
    repeats: Repeats | None = None
    bot: Bot | None = None
    handover_s: float = 0.0
    ageing_s: float = math.inf
    window_s: float = math.inf
    groups: tuple[Group, ...] = ()
    routing: str = "longest_idle"
    stratified: bool = False
    first_reply_share: float = 0.0
    class_targets: tuple[Target | None, ...] = ()

    @property
    def comes_back(self) -> bool:
        """Whether tickets bring about others."""
        return any(each is not None and each.share > 0 for each in (self.redial, self.reopening, self.repeats))


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """The tickets of one replication, the backlog first, then in the order of arrival.

    Attributes
    ----------
    arrival_s, service_s : array (tickets,)
        Seconds; the backlog arrived before the first edge.
    leave_s : array (tickets,) or None
        When a ticket still waiting gives up; None where nobody leaves.
    kind : array (tickets,)
        Class, 0 the most urgent.
    bits : array (tickets,) of uint64, or None
        Random bits of each ticket; None where no ticket brings about another.
    backlog : int
        How many of the tickets are the opening backlog.
    bot_closed : int
        Conversations that the bot closed; they are no tickets.
    """

    arrival_s: FloatArray
    service_s: FloatArray
    leave_s: FloatArray | None
    kind: IntArray
    bits: npt.NDArray[np.uint64] | None
    backlog: int
    bot_closed: int


@lru_cache(maxsize=64)
def _key(seed: int) -> npt.NDArray[np.uint64]:
    return np.asarray(np.random.SeedSequence(seed).generate_state(2, np.uint64), dtype=np.uint64)


def stream(case: Case, replication: int, purpose: Purpose, part: int = 0) -> np.random.Generator:
    """Generator of one replication and purpose: the seed is the key, the rest the high words of the counter."""
    return np.random.Generator(np.random.Philox(key=_key(case.seed), counter=[0, part, int(purpose), replication]))


def leaver_bits(case: Case, replication: int) -> np.uint64:
    """Random bits that decide who leaves when staff drops."""
    return np.uint64(stream(case, replication, Purpose.LEAVERS).bit_generator.random_raw())


def agents_there(case: Case, replication: int) -> IntArray:
    """Agents in each interval, after who is absent unplanned: heads drawn shift by shift."""
    return _there(case, case.staffing, replication, 0)


def groups_there(case: Case, replication: int) -> IntArray:
    """The same by group, (groups, n)."""
    return np.stack([_there(case, each.staffing, replication, g) for g, each in enumerate(case.groups)])


def _there(case: Case, staffing: Staffing, replication: int, part: int) -> IntArray:
    if not staffing.absent:
        return staffing.agents
    first, shift = np.unique(staffing.shift, return_inverse=True)
    most = int(staffing.agents.max(initial=0))
    there = stream(case, replication, Purpose.ABSENCE, part).random((len(first), most)) >= staffing.absent
    heads = np.concatenate((np.zeros((len(first), 1), np.int64), there.cumsum(axis=1)), axis=1)
    return np.asarray(heads[shift, staffing.agents], dtype=np.int64)


def draw(case: Case, replication: int) -> Sample:
    """Draw the tickets of one replication; it does not depend on the agents."""
    edges = case.staffing.edges_s
    times = _arrival_times(case, replication)
    interval = np.searchsorted(edges, times, side="right") - 1 if _varies(case) else np.zeros(len(times), np.int64)
    kind = _classes(case.shares, stream(case, replication, Purpose.PRIORITY), len(times))
    service = case.arrivals.service_s
    if service is None:
        service = _by_class(case, replication, Purpose.SERVICE, kind, interval)
    leave = None
    if case.patiences:
        leave = _patience(case, replication, Purpose.PATIENCE, kind)
        leave += times
    sample = Sample(
        arrival_s=times, service_s=service, leave_s=leave, kind=kind,
        bits=_bits(case, replication, Purpose.BITS, len(times)), backlog=0, bot_closed=0,
    )  # fmt: skip
    if case.bot is not None:
        sample = _handed_over(case, replication, case.bot, sample)
    if len(case.shares) > 1 and (sample.arrival_s[1:] == sample.arrival_s[:-1]).any():
        # Of tickets that come at one instant, the urgent one is first: only then may the kernel start each at once.
        sample = _picked(sample, np.lexsort((sample.kind, sample.arrival_s)))
    return _after_backlog(case, replication, sample) if len(case.backlog_s) else sample


def _picked(sample: Sample, which: npt.NDArray[Any]) -> Sample:
    leave, bits = sample.leave_s, sample.bits
    return replace(
        sample, arrival_s=sample.arrival_s[which], service_s=sample.service_s[which], kind=sample.kind[which],
        leave_s=None if leave is None else leave[which], bits=None if bits is None else bits[which],
    )  # fmt: skip


def _handed_over(case: Case, replication: int, bot: Bot, sample: Sample) -> Sample:
    """What is left of the conversations after the bot, up to the last edge.

    Those released at the start of an interval came before: the bot has had its time with them, and they are handed over
    at once.
    """
    shares, edges = np.array(bot.shares(len(case.shares))), case.staffing.edges_s
    left = stream(case, replication, Purpose.BOT).random(len(sample.kind)) >= shares[sample.kind]
    delay = np.full(len(left), bot.handover_s)
    if case.arrivals.lumps is not None:
        delay[np.isin(sample.arrival_s, edges[:-1])] = 0.0
    people = np.flatnonzero(left & (sample.arrival_s + delay < edges[-1]))
    rest, delay = _picked(sample, people), delay[people]
    rest = replace(
        rest, arrival_s=rest.arrival_s + delay, service_s=rest.service_s * bot.harder,
        leave_s=None if rest.leave_s is None else rest.leave_s + delay,
        bot_closed=int(np.count_nonzero(~left)),
    )  # fmt: skip
    # Who is released at once overtakes those that the bot still has.
    return rest if case.arrivals.lumps is None else _picked(rest, np.argsort(rest.arrival_s, kind="stable"))


def _after_backlog(case: Case, replication: int, sample: Sample) -> Sample:
    backlog, start = len(case.backlog_s), case.staffing.edges_s[0]
    kind = _classes(case.shares, stream(case, replication, Purpose.BACKLOG_PRIORITY), backlog)
    service = _by_class(case, replication, Purpose.BACKLOG_SERVICE, kind, np.zeros(backlog, dtype=np.int64))
    leave, bits = sample.leave_s, sample.bits
    if leave is not None:
        leave = np.concatenate((start + _patience(case, replication, Purpose.BACKLOG_PATIENCE, kind), leave))
    if bits is not None:
        bits = np.concatenate((stream_bits(case, replication, Purpose.BACKLOG_BITS, backlog), bits))
    return replace(
        sample, arrival_s=np.concatenate((start - case.backlog_s, sample.arrival_s)),
        service_s=np.concatenate((service, sample.service_s)), kind=np.concatenate((kind, sample.kind)), leave_s=leave,
        bits=bits, backlog=backlog,
    )  # fmt: skip


def _varies(case: Case) -> bool:
    return any(service.mean_s.ndim for service in case.services)


def _arrival_times(case: Case, replication: int) -> FloatArray:
    arrivals, edges = case.arrivals, case.staffing.edges_s
    if arrivals.times_s is not None:
        return arrivals.times_s
    assert arrivals.rates_per_hour is not None  # arrivals are a trace or have rates
    width = np.diff(edges)
    random = stream(case, replication, Purpose.ARRIVAL)
    if case.stratified:
        count, at_once = _spread(case, replication, random)
    else:
        rates = arrivals.rates_per_hour[replication % len(arrivals.rates_per_hour)]
        count, at_once = random.poisson(rates * width / 3600.0), released(case, replication)
    times = times_within(random, count, edges)
    if at_once is not None:
        times = np.concatenate((np.repeat(edges[:-1], at_once), times))
    times.sort()
    return times


def released(case: Case, replication: int) -> IntArray | None:
    """Tickets released at the very start of each interval, before a bot takes its share; (n,), or None."""
    lumps = case.arrivals.lumps
    if lumps is None:
        return None
    if case.stratified:
        return _spread(case, replication, stream(case, replication, Purpose.ARRIVAL))[1]
    expected = lumps[replication % len(lumps)]
    return np.asarray(stream(case, replication, Purpose.LUMP).poisson(expected), dtype=np.int64)


def strata_of(case: Case, replications: int) -> IntArray | None:
    """Stratum of each of the first replications; None where there are none."""
    if not case.stratified:
        return None
    return np.array([_stratum(case, replication) for replication in range(replications)], dtype=np.int64)


def _stratum(case: Case, replication: int) -> int:
    return stratum_of(stream(case, replication // STRATA, Purpose.STRATA), replication)


def _spread(case: Case, replication: int, random: np.random.Generator) -> tuple[IntArray, IntArray | None]:
    """Tickets that come in each interval, and that are released at its start, their sum out of one stratum."""
    arrivals = case.arrivals
    assert arrivals.rates_per_hour is not None  # the door has refused a trace
    rates = arrivals.rates_per_hour[replication % len(arrivals.rates_per_hour)]
    expected = rates * np.diff(case.staffing.edges_s) / 3600.0
    if arrivals.lumps is not None:
        expected = np.concatenate((expected, arrivals.lumps[replication % len(arrivals.lumps)]))
    count = spread_counts(random, expected, _stratum(case, replication))
    n = len(rates)
    return count[:n], None if arrivals.lumps is None else count[n:]


def _classes(shares: tuple[float, ...], random: np.random.Generator, count: int) -> IntArray:
    if len(shares) == 1:
        return np.zeros(count, dtype=np.int64)
    return kinds(random, np.cumsum(shares)[:-1], count)


def _by_class(case: Case, replication: int, purpose: Purpose, kind: IntArray, interval: IntArray) -> FloatArray:
    """Handle times; each law draws from the same stream, so that classes may change laws without others noticing."""
    distinct = list({id(each): each for each in case.services}.values())
    drawn = [each.draw(stream(case, replication, purpose), interval) for each in distinct]
    return _chosen(drawn, [next(i for i, d in enumerate(distinct) if d is each) for each in case.services], kind)


def _patience(case: Case, replication: int, purpose: Purpose, kind: IntArray) -> FloatArray:
    distinct = list({id(each): each for each in case.patiences}.values())
    age = case.backlog_s if purpose is Purpose.BACKLOG_PATIENCE else 0.0
    drawn = [each.draw(stream(case, replication, purpose), len(kind), age) for each in distinct]
    return _chosen(drawn, [next(i for i, d in enumerate(distinct) if d is each) for each in case.patiences], kind)


def _chosen(drawn: list[FloatArray], which: list[int], kind: IntArray) -> FloatArray:
    return drawn[0] if len(drawn) == 1 else np.choose(np.array(which)[kind], drawn)


def stream_bits(case: Case, replication: int, purpose: Purpose, count: int) -> npt.NDArray[np.uint64]:
    """64 random bits for each of so many tickets."""
    return np.asarray(stream(case, replication, purpose).bit_generator.random_raw(count), dtype=np.uint64)


def _bits(case: Case, replication: int, purpose: Purpose, count: int) -> npt.NDArray[np.uint64] | None:
    return stream_bits(case, replication, purpose, count) if case.comes_back else None
