"""What queues with shared agents meet, and the agents they need: the network behind ``pooling``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import scipy

from staffcast.contracts import Target, bad_value
from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero
from staffcast.erlang.performance import performance
from staffcast.erlang.solve import required_agents

__all__ = ["Part", "QueueLoad", "SkillService", "crew_for", "parts_of"]

IntArray = npt.NDArray[np.int64]
_Figures = tuple[float, float, float, float]  # service level, mean FRT, their standard errors

_TIE = 1e-12  # a target met exactly is met, as in required_agents
_RUNS = 128  # independent runs side by side: their spread is the standard error


@dataclass(frozen=True, kw_only=True)
class QueueLoad:
    """What one queue brings and must reach.

    Attributes
    ----------
    arrivals_per_hour : float
        Mean tickets offered per hour, ≥ 0.
    aht_s : float
        Mean handle time, > 0. [s]
    target : Target
        What first response time must reach.
    first_reply_s : float
        What the agent needs for the first reply once the ticket is opened, below the target's seconds. [s]

    Examples
    --------
    >>> QueueLoad(arrivals_per_hour=100, aht_s=360, target="80% in 60s").load_erl
    10.0
    """

    arrivals_per_hour: float
    aht_s: float
    target: Target
    first_reply_s: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", Target.parse(self.target))
        for name, check in (
            ("arrivals_per_hour", at_least_zero), ("aht_s", above_zero), ("first_reply_s", at_least_zero),
        ):  # fmt: skip
            number = check(name, getattr(self, name))
            if number.ndim:
                raise bad_value(name, f"an array of shape {number.shape}", "one number", "one QueueLoad per queue")
            object.__setattr__(self, name, float(number))
        if self.first_reply_s >= self.target.seconds:
            raise bad_value("first_reply_s", self.first_reply_s, f"below the target's {self.target.seconds:g} s")

    @property
    def load_erl(self) -> float:
        """Offered load in erlang."""
        return self.arrivals_per_hour * self.aht_s / 3600


@dataclass(frozen=True, kw_only=True)
class SkillService:
    """What :func:`skill_performance` found for one queue.

    Attributes
    ----------
    service_level : float
        Share of the queue's tickets whose first response time is within its target's seconds.
    frt_mean_s : float
        Mean first response time; inf in overload. [s]
    service_level_error, frt_mean_error_s : float
        Standard errors; 0 where the figures are exact.
    met : bool
        Whether the queue's target is met by these figures.
    """

    service_level: float
    frt_mean_s: float
    service_level_error: float
    frt_mean_error_s: float
    met: bool


def crew_for(loads: Sequence[QueueLoad]) -> int:
    """Agents of one crew for the loads together, with which each one's target is met."""
    rate = sum(load.arrivals_per_hour for load in loads)
    if rate == 0:
        return 0
    aht = sum(load.load_erl for load in loads) * 3600 / rate
    needs = [
        int(required_agents(
            arrivals_per_hour=rate, aht_s=aht, target=load.target, first_reply_s=load.first_reply_s
        ).agents)
        for load in loads
        if load.load_erl > 0
    ]  # fmt: skip
    return max(needs)


def parts_of(queues: Mapping[str, QueueLoad], groups: Mapping[str, Sequence[str]]) -> list[Part]:
    """The queues and groups that have to do with each other, part by part."""
    left, parts = dict(queues), []
    while left:
        names = {next(iter(left))}
        while True:
            near = {g: skills for g, skills in groups.items() if names & set(skills)}
            more = names.union(*near.values())
            if more == names:
                break
            names = more
        parts.append(Part({name: queues[name] for name in queues if name in names}, near))
        left = {name: load for name, load in left.items() if name not in names}
    return parts


class Part:
    """Queues that share agents, directly or over others."""

    def __init__(self, queues: Mapping[str, QueueLoad], groups: Mapping[str, Sequence[str]]) -> None:
        self.queues, self.groups = queues, groups
        self.loads = list(queues.values())
        self.can = np.array([[name in skills for name in queues] for skills in groups.values()]).reshape(
            len(groups), len(queues)
        )
        busy = [i for i, load in enumerate(self.loads) if load.load_erl > 0]
        one_aht = len({self.loads[i].aht_s for i in busy}) <= 1
        # All who answer a queue with tickets answer all of them: one crew, first come first served.
        useful = self.can[:, busy].any(axis=1)
        self.one_crew = (len(busy) <= 1 or one_aht) and bool(self.can[useful][:, busy].all())
        self.useful, self.busy = useful, busy
        self._firm = np.zeros((0, len(groups))), np.zeros(0)
        self._known: dict[tuple[int, ...], dict[str, SkillService]] = {}

    def evaluate(self, agents: IntArray, tickets: int, seed: int) -> dict[str, SkillService]:
        """What the queues meet with this many agents per group."""
        key = (*agents.tolist(), tickets, seed)
        if key not in self._known:
            figures = self._figures(agents, tickets, seed)
            self._known[key] = {
                name: SkillService(
                    service_level=level, frt_mean_s=mean, service_level_error=error, frt_mean_error_s=mean_error,
                    met=_shortfall(load, level, mean) <= 0,
                )
                for (name, load), (level, mean, error, mean_error) in zip(self.queues.items(), figures, strict=True)
            }  # fmt: skip
        return self._known[key]

    def staff(self, price: list[float], tickets: int, seed: int) -> IntArray:
        """Agents per group with which every queue meets its target."""
        skills = self.can.sum(axis=1)
        weight = np.array(price) * (1 + 1e-4 * skills)  # of equal costs the fewer skills
        if self.one_crew:
            agents = np.zeros(len(weight), dtype=np.int64)
            if self.useful.any():
                agents[np.argmin(np.where(self.useful, weight, np.inf))] = crew_for(self.loads)
            return agents
        agents = self._add(self._start(weight), weight, tickets, seed)
        agents = self._exchange(agents, weight, tickets, seed)
        return self._add(agents, weight, 4 * tickets, seed)

    def _start(self, weight: FloatArray) -> IntArray:
        """The cheapest agents with which every set of queues has enough of them for its joint load."""
        sets = np.array([
            np.isin(np.arange(len(self.loads)), chosen)
            for size in range(1, len(self.busy) + 1)
            for chosen in combinations(self.busy, size)
        ])  # fmt: skip
        rates = np.array([load.arrivals_per_hour for load in self.loads])
        rate, work = sets @ rates, sets @ np.array([load.load_erl for load in self.loads])
        least = np.full(len(sets), np.inf)
        for i in self.busy:
            load, of = self.loads[i], sets[:, i]
            alone = required_agents(
                arrivals_per_hour=rate[of], aht_s=work[of] * 3600 / rate[of], target=load.target,
                first_reply_s=load.first_reply_s,
            )  # fmt: skip
            least[of] = np.minimum(least[of], alone.agents)
        helps = (sets.astype(int) @ self.can.T.astype(int) > 0).astype(np.float64)
        # Of queues alike no skills can do better than one crew: the trials' noise must not say otherwise.
        like = [(load.aht_s, load.first_reply_s, load.target) for load in self.loads]
        firm = np.array([len({like[i] for i in np.flatnonzero(chosen)}) == 1 for chosen in sets])
        self._firm = helps[firm], least[firm]
        # One more variable, the largest group: of equal costs and skills the agents spread evenly.
        size = len(weight)
        even = np.hstack([np.eye(size), -np.ones((size, 1))])
        found = scipy.optimize.milp(
            np.append(weight, 1e-5 * weight.min()),
            integrality=np.ones(size + 1),
            constraints=[
                scipy.optimize.LinearConstraint(np.hstack([helps, np.zeros((len(sets), 1))]), lb=least),
                scipy.optimize.LinearConstraint(even, ub=0.0),
            ],
        )
        start: IntArray = np.rint(found.x[:size]).astype(np.int64)
        return start

    def _short(self, agents: IntArray, tickets: int, seed: int) -> FloatArray:
        """How far each queue is from its target, 0 where it is met."""
        found = self.evaluate(agents, tickets, seed).values()
        return np.array([
            max(_shortfall(load, each.service_level, each.frt_mean_s), 0.0)
            for load, each in zip(self.loads, found, strict=True)
        ])  # fmt: skip

    def _add(self, agents: IntArray, weight: FloatArray, tickets: int, seed: int) -> IntArray:
        """Add one agent after the other, each where it helps most for its cost, until every target is met."""
        each = np.eye(len(agents), dtype=np.int64)
        while (short := self._short(agents, tickets, seed)).any():
            near = np.flatnonzero(self.can[:, short > 0].any(axis=1))
            left = np.array([self._short(agents + each[g], tickets, seed).sum() for g in near])
            agents = agents + each[near[np.argmax((short.sum() - left) / weight[near])]]
        return agents

    def _exchange(self, agents: IntArray, weight: FloatArray, tickets: int, seed: int) -> IntArray:
        """Take away what is not needed and put cheaper agents for dearer ones, until nothing of the kind is left."""
        each = np.eye(len(agents), dtype=np.int64)
        dear = np.argsort(-weight, kind="stable")
        steps = [-each[g] for g in dear]
        steps += [each[h] - each[g] for g in dear for h in dear[::-1] if weight[h] < weight[g]]
        again = True
        while again:
            again = False
            for step in steps:
                while (
                    (agents + step >= 0).all()
                    and (self._firm[0] @ (agents + step) >= self._firm[1]).all()
                    and not self._short(agents + step, tickets, seed).any()
                ):
                    agents, again = agents + step, True
        return agents

    def _figures(self, agents: IntArray, tickets: int, seed: int) -> list[_Figures]:
        if self.one_crew:
            return self._exact(int(agents[self.useful].sum()))
        drowned = self._drowned(agents)
        if not drowned:
            return self._simulated(agents, tickets, seed)
        # The oldest ticket goes first, so a queue that grows for ever takes every agent who answers it.
        names = list(self.queues)
        rest = {name: load for i, (name, load) in enumerate(self.queues.items()) if i not in drowned}
        free = {g: s for g, s in self.groups.items() if not {names[i] for i in drowned} & set(s)}
        number = dict(zip(self.groups, agents.tolist(), strict=True))
        others: dict[str, SkillService] = {}
        for part in parts_of(rest, free):
            others |= part.evaluate(np.array([number[g] for g in part.groups], dtype=np.int64), tickets, seed)
        return [
            (0.0, np.inf, 0.0, 0.0)
            if (other := others.get(name)) is None
            else (other.service_level, other.frt_mean_s, other.service_level_error, other.frt_mean_error_s)
            for name in names
        ]

    def _drowned(self, agents: IntArray) -> set[int]:
        """Queues in a smallest set whose load reaches the agents who answer any of it."""
        drowned: set[int] = set()
        small: list[set[int]] = []
        for size in range(1, len(self.busy) + 1):
            for chosen in combinations(self.busy, size):
                load = sum(self.loads[i].load_erl for i in chosen)
                if load >= agents[self.can[:, chosen].any(axis=1)].sum() and not any(s <= set(chosen) for s in small):
                    small.append(set(chosen))
                    drowned |= set(chosen)
        return drowned

    def _exact(self, crew: int) -> list[_Figures]:
        rate = sum(load.arrivals_per_hour for load in self.loads)
        aht = self.loads[self.busy[0]].aht_s if self.busy else 1.0
        found = performance(
            arrivals_per_hour=[rate if load.load_erl > 0 else 0.0 for load in self.loads], aht_s=aht, agents=crew,
            target_s=[load.target.seconds for load in self.loads],
            first_reply_s=[load.first_reply_s for load in self.loads],
        )  # fmt: skip
        return [(float(a), float(b), 0.0, 0.0) for a, b in zip(found.service_level, found.frt_mean_s, strict=True)]

    def _simulated(self, agents: IntArray, tickets: int, seed: int) -> list[_Figures]:
        """Runs side by side, ticket by ticket in the order of arrival.

        As waiting tickets are taken by age, nobody's start depends on who comes later: a ticket gets the agent, of
        those who may answer it, who is free first after all earlier tickets have got theirs.
        """
        rates = np.array([load.arrivals_per_hour for load in self.loads]) / 3600
        ahts = np.array([load.aht_s for load in self.loads])
        steps = -(-tickets // _RUNS)
        warm_up = steps // 4
        # The draws do not depend on the agents: every trial meets the same tickets.
        rng = np.random.default_rng(seed)
        kind = rng.choice(len(rates), (steps + warm_up, _RUNS), p=rates / rates.sum())
        gap = rng.exponential(1 / rates.sum(), kind.shape)
        takes = rng.exponential(1.0, kind.shape) * ahts[kind]
        order = np.argsort(self.can.sum(axis=1), kind="stable")  # of several free agents the first: fewest skills
        member = np.repeat(order, agents[order])
        barred = np.where(self.can[member], 0.0, np.inf)
        # It begins with as many at work as on average, for as long as exponential handle times have left.
        at_work = rng.random((len(member), _RUNS)) < min(float(rates @ ahts) / len(member), 1.0)
        free = np.where(at_work, rng.exponential(float(rates @ ahts / rates.sum()), at_work.shape), 0.0)
        wait, now, run = np.empty(kind.shape), np.zeros(_RUNS), np.arange(_RUNS)
        for i in range(len(kind)):
            now += gap[i]
            start = np.maximum(free, now)
            start += barred[:, kind[i]]
            who = start.argmin(axis=0)
            begin = start[who, run]
            wait[i] = begin - now
            free[who, run] = begin + takes[i]
        kind, wait, takes, gap = kind[warm_up:], wait[warm_up:], takes[warm_up:], gap[warm_up:]
        # How far the tickets of a run are from what they are on average explains much of how far its waits are.
        pace = gap.mean(axis=0) * rates.sum() - 1
        work = takes.mean(axis=0) * rates.sum() / (rates @ ahts) - 1
        figures = []
        for q, load in enumerate(self.loads):
            if load.load_erl == 0:
                figures.append((1.0, load.first_reply_s, 0.0, 0.0))
                continue
            own, part = kind == q, rates[q] / rates.sum()
            known = [
                pace,
                work,
                own.mean(axis=0) / part - 1,
                np.where(own, takes, 0).mean(axis=0) / (part * ahts[q]) - 1,
            ]
            late = own & (wait > load.target.seconds - load.first_reply_s)
            missed, error = _adjusted(late.mean(axis=0) / part, known)
            mean, mean_error = _adjusted(np.where(own, wait, 0.0).mean(axis=0) / part, known)
            figures.append((1 - min(max(missed, 0.0), 1.0), max(mean, 0.0) + load.first_reply_s, error, mean_error))
        return figures


def _adjusted(values: FloatArray, known: list[FloatArray]) -> tuple[float, float]:
    """Mean of independent ``values``, less what ``known`` variables of mean 0 explain of it, and its standard error."""
    design = np.column_stack([np.ones_like(values), *known])
    within = np.linalg.pinv(design.T @ design)
    fitted = within @ (design.T @ values)
    left = values - design @ fitted
    variance = float(left @ left) / (len(values) - design.shape[1])
    return float(fitted[0]), float(np.sqrt(variance * within[0, 0]))


def _shortfall(load: QueueLoad, level: float, mean: float) -> float:
    """How far a queue is from its target, as a share; at most 0 where it is met."""
    if load.load_erl == 0:
        return 0.0
    if load.target.kind == "mean":
        return min(mean / load.target.seconds * (1 - _TIE) - 1, 1e3)
    return (1 - level) - (1 - load.target.level) * (1 + _TIE)
