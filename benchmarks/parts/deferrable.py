"""Work that may wait: the plan found beside the best of all whole plans, judged by simulation."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parts.common import Options, cpu_s, prose, table
from staffcast.erlang import Target, staff_deferrable

TITLE = "Work that may wait"

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
HOUR, MOST = 3600.0, 5
COMES, DONE, DUE, CHANGE, NOTHING = range(5)


@dataclass(frozen=True)
class Desk:
    """A day by the hour; nobody works in the hours ``closed``, ``backlog`` tickets are there at the start."""

    name: str
    arrivals: tuple[float, ...]
    aht_s: float
    within_s: float
    level: float
    closed: tuple[int, ...] = ()
    backlog: int = 0
    rate_cv: float = 0.0

    def found(self) -> Ints:
        """The plan of the package."""
        plan = staff_deferrable(
            arrivals=self.arrivals, aht_s=self.aht_s, interval_s=HOUR, maximum=MOST, rate_cv=self.rate_cv,
            target=Target.share(self.level, within_s=self.within_s),
            opened=[j not in self.closed for j in range(len(self.arrivals))],
            backlog=[(self.backlog, 0.0)] if self.backlog else (),
        )  # fmt: skip
        return plan.agents.astype(np.int64)

    def plans(self, total: int) -> Ints:
        """All whole plans of so many agent-hours."""
        ranges = [range(1 if j in self.closed else MOST + 1) for j in range(len(self.arrivals))]
        plans = [plan for plan in itertools.product(*ranges) if sum(plan) == total]
        return np.array(plans, dtype=np.int64).reshape(-1, len(ranges))

    def days(self, rng: np.random.Generator, count: int) -> list[tuple[Floats, Ints, Ints]]:
        """Per day the moments, kinds and marks of its events, whatever the plan.

        ``COMES``; ``DUE`` of the ticket of that number, counted from 1; ``CHANGE`` to the crew of that hour; and
        ``DONE``, when the agent of that number is done with a ticket, if there is such an agent with one.
        """
        end, days = len(self.arrivals) * HOUR, []
        for _ in range(count):
            factor = rng.gamma(self.rate_cv**-2, self.rate_cv**2) if self.rate_cv else 1.0
            numbers = rng.poisson(np.array(self.arrivals) * factor)
            came = np.sort((np.repeat(np.arange(len(numbers)), numbers) + rng.random(numbers.sum())) * HOUR)
            ends = rng.random(rng.poisson(MOST * end / self.aht_s)) * end
            due = np.concatenate([np.zeros(self.backlog), came]) + self.within_s
            ticket = np.flatnonzero(due <= end)
            changes = np.arange(len(numbers))
            times = np.concatenate([changes * HOUR, came, ends, due[ticket]])
            kinds = np.repeat([CHANGE, COMES, DONE, DUE], [len(changes), len(came), len(ends), len(ticket)])
            marks = np.concatenate(
                [changes, np.zeros(len(came), dtype=int), rng.integers(1, MOST + 1, len(ends)), ticket + 1]
            )
            order = np.argsort(times, kind="stable")
            days.append((times[order], kinds[order], marks[order]))
        return days

    def shares(self, plans: Ints, rng: np.random.Generator, days: int) -> tuple[Floats, Floats, Floats]:
        """Share in time of what arrives, its standard error, and the share of the backlog (1 without), per plan.

        First come first served, exponential handle times; an agent going home leaves the ticket to the next. Tickets
        due after the last hour are not judged. All plans meet the same days.
        """
        drawn = self.days(rng, days)
        size = (max(len(kinds) for _, kinds, _ in drawn), days)
        kind, mark = np.full(size, NOTHING), np.zeros(size, dtype=np.int64)
        for day, (_, kinds, marks) in enumerate(drawn):
            kind[: len(kinds), day], mark[: len(marks), day] = kinds, marks
        shape = (len(plans), days)
        crews = plans.T.astype(np.int16)
        came, done = np.full(days, self.backlog, dtype=np.int16), np.zeros(shape, dtype=np.int16)
        opened, crew = np.zeros(shape, dtype=np.int16), np.zeros(shape, dtype=np.int16)
        hits, early = np.zeros(shape, dtype=np.int16), np.zeros(shape, dtype=np.int16)
        for kinds, marks in zip(kind, mark, strict=True):
            came += kinds == COMES
            if (change := np.flatnonzero(kinds == CHANGE)).size:
                crew[:, change] = crews[marks[change]].T
            agent = np.where(kinds == DONE, marks, 10_000).astype(np.int16)
            done += agent <= np.minimum(came - done, crew)
            # Opened are all that came, or the finished and one for each agent; who was opened once stays so.
            np.maximum(opened, np.minimum(came, done + crew), out=opened)
            ticket = np.where(kinds == DUE, marks, 0)
            hits += (opened >= ticket) & (ticket > self.backlog)
            early += (opened >= ticket) & (ticket > 0) & (ticket <= self.backlog)
        judged = ((kind == DUE) & (mark > self.backlog)).sum(axis=0)
        share = hits.mean(axis=1) / judged.mean()
        error = np.std(hits - share[:, None] * judged, axis=1) / judged.mean() / np.sqrt(days)
        return share, error, early.mean(axis=1) / self.backlog if self.backlog else np.ones(len(plans))

    def best(self, total: int, rng: np.random.Generator, days: int) -> float:
        """The highest share, by simulation, of all plans of a total (of those that meet the level for the backlog)."""
        plans = self.plans(total)
        if not len(plans):
            return 0.0
        share, error, backlog = self.shares(plans, rng, 150)
        share = np.where(backlog >= self.level - 0.06, share, 0.0)
        likely = plans[np.argsort(-share)[:40]][: max(1, int((share > share.max() - 3 * error.max()).sum()))]
        share, error, backlog = self.shares(likely, rng, days // 8)
        likely = likely[np.argsort(-np.where(backlog >= self.level - 0.02, share, 0.0))[:4]]
        share, error, backlog = self.shares(likely, rng, days)
        return float(np.where(backlog >= self.level - 0.003, share, 0.0).max())


DESKS = [
    Desk("even", (15, 15, 15, 15, 0, 0), 600.0, 7200.0, 0.8),
    Desk("busy morning", (22, 16, 10, 6, 0, 0), 600.0, 7200.0, 0.9),
    Desk("mail of the night, closed for two hours", (16, 14, 14, 0, 0, 0), 600.0, 10_800.0, 0.85, closed=(0, 1)),
    Desk("12 tickets left over", (12, 14, 12, 0, 0), 600.0, 7200.0, 0.8, backlog=12),
    Desk("long tickets", (4, 5, 5, 4, 0, 0), 2700.0, 7200.0, 0.8),
    Desk("days that differ by 20 %", (18, 18, 14, 0, 0), 600.0, 7200.0, 0.8, rate_cv=0.2),
]


def measure(options: Options) -> str:
    """The table of desks."""
    rng, days = np.random.default_rng(31), 4000 if options.quick else 12_000
    rows, ours, theirs = [], 0, 0
    for desk in DESKS[:: 3 if options.quick else 1]:
        found: list[Ints] = []
        took = cpu_s(lambda desk=desk, found=found: found.append(desk.found()))  # type: ignore[misc]
        total = int(found[0].sum())
        share, error, backlog = desk.shares(found[0][None], rng, days)
        shares = {total - 1: desk.best(total - 1, rng, days)}
        smallest = total
        while shares[smallest - 1] >= desk.level:
            smallest -= 1
            shares[smallest - 1] = desk.best(smallest - 1, rng, days)
        if smallest == total and (share[0] < desk.level or backlog[0] < desk.level - 0.003):
            # Not good enough itself: is another of the same total, or does it take more?
            while desk.best(smallest, rng, days) < desk.level:
                smallest += 1
        ours, theirs = ours + total, theirs + smallest
        rows.append((
            desk.name, f"{100 * desk.level:g} % in {desk.within_s / 3600:g} h", str(found[0].tolist()), total, smallest,
            f"{100 * share[0]:.2f} ± {100 * error[0]:.2f} %", f"{100 * shares[smallest - 1]:.2f} %", f"{took:.2f}",
        ))  # fmt: skip
    text = prose(
        f"""Days of 5 or 6 hours, at most {MOST} agents, tickets of 10 minutes (long ones 45). *Best*: the smallest
        total of all whole plans that meets the target in a simulation of {days:,} days, event by event, the same days
        for every plan; those of a total are compared on fewer days first. *One fewer*: what the best plan of one
        agent-hour less gives. ± is the standard error from days as the unit. The goal is a total within 1 % of the
        best. Tickets that are late at the end of the day need not be worked off there, neither by the plan nor by the
        best."""
    )
    head = ["desk", "target", "plan", "agent-hours", "best", "in time, simulated", "one fewer", "CPU s"]
    return f"{text}\n\n{table(head, rows)}\n\n{prose(f'Together {ours} agent-hours, the best {theirs}.')}"
