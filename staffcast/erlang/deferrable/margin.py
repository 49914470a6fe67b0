"""Work that may wait when arrivals and handle times vary: the distribution of the unfinished work through time.

The work waiting (seconds of handling) lives on a lattice. Per slot a compound Poisson amount comes, capacity takes
some off, and it does not fall below nothing: Lindley's recursion over whole distributions, without sampling. A ticket
is opened in time if the work in front of it fits into the capacity up to its deadline.

References
----------
.. [1] D. V. Lindley, "The theory of queues with a single server", Mathematical Proceedings of the Cambridge
   Philosophical Society 48(2), 1952, pp. 277–289, doi:10.1017/S0305004100027638.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy
from scipy import special

from staffcast.erlang._checks import FloatArray
from staffcast.erlang.deferrable.lp import Task
from staffcast.erlang.deferrable.work import TRIM, day_factors, fft_size, gamma_work, less, mass_below, poisson_work

__all__ = ["Course", "Lattice", "Slot"]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Slot:
    """One slot on the way: what the way back needs.

    ``came`` bins before its tickets, ``went`` after them, the distribution ``after`` both and ``end`` once the
    interval's capacity is through (last slot of an interval only); ``wait_s`` per bin (mean target only).
    """

    came: int
    went: int
    wait_s: FloatArray | None
    after: FloatArray | None
    end: FloatArray | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """How a plan goes: what :meth:`Lattice.run` found.

    Attributes
    ----------
    agents : array (n,)
        The plan.
    score : array (days + 1,) or (2·days + 1,)
        Per day, and then for the start: tickets in time (share), or minus the seconds waited (mean). With the band's
        top over the day there follows, per day, the agent-time that is free up to it. [s]
    in_time : array (n,)
        Share of each interval's tickets due within the horizon that are opened by their deadline.
    wait_s : array (n,)
        Mean time on the clock until opened.
    work_s, waiting, age_s, spare_s : array (n,)
        Mean work unfinished, mean number of tickets unopened and mean age of the oldest ticket unfinished at each
        interval's end; mean spare time used. The last three only with ``details``.
    counted, room : array (slots,)
        Tickets that the target counts, and bins that may be in front of them.
    trail : list of Slot
        Empty unless asked for.
    """

    agents: FloatArray
    score: FloatArray
    in_time: FloatArray
    wait_s: FloatArray
    work_s: FloatArray
    waiting: FloatArray
    age_s: FloatArray
    spare_s: FloatArray
    counted: FloatArray
    room: FloatArray
    nearby: FloatArray
    trail: list[Slot]


class Lattice:
    """Distribution of the unfinished work of one task, for any plan.

    Parameters
    ----------
    task : Task
    agents : array (n,)
        A plan near those to come; it only sets how fine the lattice is.
    bins, factors : int
        Points that the deepest backlog is spread over, at least, and values of the day's common factor.
    """

    def __init__(self, task: Task, agents: FloatArray, *, bins: int = 1500, factors: int = 7) -> None:
        self.task = task
        # Those who are there when an interval begins come in a slot of their own, of no length.
        first = [0.0] if task.there.any() else []
        parts = np.array([*first, *[1 / task.slots] * task.slots])
        self.slots = len(parts)
        self.before = (parts + np.append(0.0, parts[:-1])) / 2
        self.after = float(parts[-1] / 2)
        self.parts = parts
        even = np.repeat((task.arrivals - task.there)[:, None] / task.slots, task.slots, axis=1)
        self.rate = np.hstack([task.there[:, None], even] if first else [even]).ravel()
        deepest, level = 0.0, task.aht_s * task.waiting.sum()
        for work, done in zip(task.aht_s * task.arrivals, self.capacity(agents), strict=True):
            level += work
            deepest = max(deepest, level)
            level = max(level - done, 0.0)
        self.bin_s = max(task.aht_s / 6, deepest / bins)
        self.factors, self.weights = day_factors(task.rate_cv, factors)
        of_all = np.repeat(task.arrivals * (task.own_cv > 0), self.slots).tolist()
        pairs = list(zip(self.rate.tolist(), of_all, strict=True))
        made = {pair: self._kernel(*pair) for pair in set(pairs)}
        self.kernels = [made[pair] for pair in pairs]
        self._spectra: dict[tuple[int, int], FloatArray] = {}
        mids = np.cumsum(parts) - parts / 2
        self.at_s = (task.edges_s[:-1, None] + task.step_s * mids).ravel()
        self.due_s = task.due(self.at_s)
        self.first = self._start()
        self.days = int(task.day[-1]) + 1
        self._sparse_rows = int(np.ceil(np.log2(max(task.n, 2)))) + 1

    def capacity(self, agents: FloatArray) -> FloatArray:
        """Seconds of handling per interval."""
        return agents * self.task.per_agent_s + self.task.spare_s

    # --- what fits in before the deadline

    def room(self, agents: FloatArray, at_s: FloatArray, due_s: FloatArray) -> FloatArray:
        """Work that may stand in front of tickets coming at ``at_s`` so that they are opened by ``due_s``.

        It is the capacity up to then, and what the others have in hand then: c agents open a ticket when c − 1 are
        still unfinished, each by (1 + scv)/2 of a handle time on average (the mean residual life).
        """
        task, done = self.task, _summed(self.capacity(agents))
        hand = self._in_hand(agents)
        n, step = task.n, task.step_s
        begin = np.clip((at_s / step).astype(np.int64), 0, n - 1)
        until = np.minimum(due_s, task.end_s)
        last = np.clip(np.ceil(until / step - 1e-9).astype(np.int64) - 1, begin, n - 1)
        best = np.interp(until, task.edges_s, done) + hand[last]
        # In between, the end of an interval may be the better moment: its crew may be larger than at the deadline.
        table = [done[1:] + hand]
        for k in range(self._sparse_rows):
            table.append(np.maximum(table[-1], np.append(table[-1][2**k :], np.full(min(2**k, n), -np.inf))[:n]))
        stretch = last - begin
        some = stretch > 0
        power = np.zeros_like(stretch)
        power[some] = np.floor(np.log2(stretch[some])).astype(np.int64)
        grid = np.array(table)
        inside = np.maximum(grid[power, begin], grid[power, np.maximum(last - 2**power, 0)])
        best[some] = np.maximum(best, inside)[some]
        room = best - np.interp(at_s, task.edges_s, done)
        return np.where(np.isfinite(due_s) & (room > 1e-9 * step), room, 0.0)

    def _in_hand(self, agents: FloatArray) -> FloatArray:
        people = agents + self.task.spare_s / self.task.step_s
        return self.task.aht_s * (1 + self.task.handle_scv) / 2 * np.maximum(people - 1, 0.0)

    def opening(self, agents: FloatArray) -> Callable[[FloatArray, float], FloatArray]:
        """Clock at which tickets are opened, from what is to be done from the start on until they are all that is left.

        The second argument is what could be done by the time they come. Past the horizon work goes on at the pace at
        which it came.
        """
        task, done, hand = self.task, _summed(self.capacity(agents)), np.append(self._in_hand(agents), 0.0)
        clock = task.clock_s
        # Where nobody works the curve is flat: work that stands there is reached when the next one begins.
        first = np.flatnonzero(np.append(True, np.diff(done) > 0))
        last = np.append(first[1:] - 1, len(done) - 1)
        place = done[first]
        x = np.column_stack([place - 1e-9 * task.aht_s, place]).ravel()
        y = np.column_stack([clock[first], clock[last]]).ravel()
        beyond = 1e3 * (task.aht_s * task.arrived[-1] + done[-1] + 1.0)
        pace = task.aht_s * task.arrivals.sum() / max(clock[-1], 1e-9)
        x, y = np.append(x, done[-1] + beyond), np.append(y, clock[-1] + beyond / max(pace, 1e-9))

        def at(work: FloatArray, floor: float) -> FloatArray:
            crew = np.searchsorted(done, work, side="right") - 1
            # The others of the crew then there still have theirs in hand.
            return np.asarray(np.interp(np.maximum(work - hand[np.minimum(crew, task.n)], floor), x, y))

        return at

    # --- forward

    def run(self, agents: FloatArray, *, step: FloatArray | None = None, details: bool = False) -> Course:
        """Carry the distribution through the horizon.

        Parameters
        ----------
        agents : array (n,)
        step : array (n,), optional
            Change of the crew that the way back will ask about; without it the course keeps no trail.
        details : bool
            Also waits, ages and spare time used.
        """
        task, m, n, bin_s = self.task, self.slots, self.task.n, self.bin_s
        share, measured = task.kind == "share", details or task.day_top is not None
        capacity = self.capacity(agents) / bin_s
        room = self.room(agents, self.at_s, self.due_s) / bin_s
        rate = self.rate
        judged = np.isfinite(self.due_s)
        counted = rate * judged if share else rate
        opened = self.opening(agents) if details or not share else None
        clock_at = task.on_clock(self.at_s)
        done_at = np.interp(self.at_s, task.edges_s, _summed(self.capacity(agents)))
        mass = (self.weights * self.factors)[:, None]  # busy days have more tickets
        moves = None if step is None or not share else step * task.per_agent_s / bin_s
        hit, waited, nearby = np.zeros(n * m), np.zeros(n * m), np.zeros((2, n * m))
        work, age, spare, waiting = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
        hand = task.aht_s * (1 + task.handle_scv) / 2 * (agents + task.spare_s / task.step_s)
        trail: list[Slot] = []
        p = np.repeat(self.first[None, :], len(self.factors), axis=0)
        for s in range(n * m):
            j, k = divmod(s, m)
            if k == 0 and j and task.day[j] != task.day[j - 1] and len(p) > 1:
                p = np.repeat(self.weights[None, :] @ p, len(p), axis=0)  # the new day's factor is a new one
            # A slot's tickets come in its middle: half of its capacity before, half after them.
            if measured:
                spare[j] += self._spare(p, j, self.before[k])
            p = less(p, self.before[k] * capacity[j])
            came, p, before = p.shape[1], self._more(p, s), p
            wait = None
            if rate[s] > 0:
                # Half of them find the others of the slot in front.
                found = (mass * p).sum(axis=0) / 2
                found[:came] += (mass * before).sum(axis=0) / 2
                hit[s] = mass_below(found, room[s]) if judged[s] else 0.0
                if opened is not None:
                    place = done_at[s] + bin_s * np.arange(len(found))
                    wait = np.maximum(opened(place, done_at[s]) - clock_at[s], 0.0)
                    waited[s] = found @ wait
                if moves is not None and judged[s]:
                    nearby[0, s] = mass_below(found, room[s] + moves[j]) - hit[s]
                    nearby[1, s] = hit[s] - mass_below(found, room[s] - moves[j])
            after, end = None, None
            if k == m - 1:
                if measured:
                    spare[j] += self._spare(p, j, self.after)
                after, p = p, less(p, self.after * capacity[j])
                end = p
                mean = self.weights @ p
                level = bin_s * np.arange(len(mean))
                work[j] = mean @ level
                if details:
                    waiting[j] = mean @ np.maximum(level - hand[j], 0.0) / task.aht_s
                    age[j] = self._age(mean, j)
            if step is not None:
                width = p.shape[1] if after is None else after.shape[1]
                trail.append(Slot(came=came, went=width, wait_s=wait, after=after, end=end))
        score = np.zeros(self.days + 1)
        score[:-1] = np.bincount(np.repeat(task.day, m), counted * (hit if share else -waited), self.days)
        score[-1] = self.start_in_time(agents)
        if task.day_top is not None:
            done = task.aht_s * task.arrivals - np.diff(work, prepend=task.aht_s * task.waiting.sum())
            idle = task.day_top * task.per_agent_s * agents - np.maximum(done - spare, 0.0)
            score = np.append(score, np.bincount(task.day, idle, self.days))
        due = (rate * judged).reshape(n, m).sum(axis=1)
        in_time = np.ones(n)
        np.divide((hit * rate * judged).reshape(n, m).sum(axis=1), due, out=in_time, where=due > 0)
        return Course(
            agents=agents, score=score, in_time=np.minimum(in_time, 1.0),
            wait_s=_ratio((waited * rate).reshape(n, m).sum(axis=1), rate.reshape(n, m).sum(axis=1)),
            work_s=work, waiting=waiting, age_s=age, spare_s=spare, counted=counted, room=room,
            nearby=nearby * counted, trail=trail,
        )  # fmt: skip

    # --- pieces

    def _kernel(self, rate: float, of_all: float) -> FloatArray:
        """Work that comes in one slot, per factor of the day (factors × bins); ``of_all`` come in its interval."""
        if rate <= 0:
            return np.ones((len(self.factors), 1))
        task = self.task
        # An interval's own factor adds the variance (own_cv·tickets)²: as if handle times varied by so much more.
        rows = [
            poisson_work(rate * f, task.aht_s / self.bin_s, task.handle_scv + task.own_cv**2 * of_all * f)
            for f in self.factors
        ]
        width = max(map(len, rows))
        return np.array([np.pad(row, (0, width - len(row))) for row in rows])

    def spectrum(self, s: int, size: int) -> FloatArray:
        """Transform of the work that comes in slot ``s`` (factors × frequencies)."""
        key = (id(self.kernels[s]), size)
        if key not in self._spectra:
            self._spectra[key] = scipy.fft.rfft(self.kernels[s], size)
        return self._spectra[key]

    def _more(self, p: FloatArray, s: int) -> FloatArray:
        width = self.kernels[s].shape[1]
        if width == 1:
            return p
        if len(p) == 1 and min(width, p.shape[1]) < 24:
            out = np.convolve(p[0], self.kernels[s][0])[None, :]
        else:
            long = p.shape[1] + width - 1
            size = fft_size(long)
            out = scipy.fft.irfft(scipy.fft.rfft(p, size) * self.spectrum(s, size), size)[:, :long]
            np.maximum(out, 0.0, out=out)
        top = out.max(axis=0)
        high = max(len(top) - int(np.argmax(top[::-1] > TRIM)), p.shape[1])
        out = out[:, :high]
        return np.asarray(out / out.sum(axis=1, keepdims=True))

    def _start(self) -> FloatArray:
        tickets = float(self.task.waiting.sum())
        if tickets <= 0:
            return np.ones(1)
        return gamma_work(tickets * self.task.aht_s / self.bin_s, self.task.handle_scv / tickets)

    def start_in_time(self, agents: FloatArray) -> float:
        """Mean number of tickets of the start that are opened by their deadlines."""
        task = self.task
        good = (task.waiting_due_s >= 0) & np.isfinite(task.waiting_due_s)
        if task.kind == "mean" or not good.any():
            return 0.0
        front = _summed(task.waiting)[:-1][good]
        due = task.waiting_due_s[good]
        room = self.room(agents, np.zeros(len(due)), due)
        part = (np.arange(16) + 0.5) / 16
        place = front[:, None] + task.waiting[good][:, None] * part
        spread = np.sqrt(np.maximum(place * task.handle_scv, 1e-12))
        hit = special.ndtr((room[:, None] / task.aht_s - place) / spread) * (room[:, None] > 0)
        return float(task.waiting[good] @ hit.mean(axis=1))

    def _spare(self, p: FloatArray, j: int, part: float) -> float:
        """Mean work that spare time takes off in this part of an interval; agents called are on top."""
        spare = part * self.task.spare_s[j]
        if spare <= 0:
            return 0.0
        level = self.bin_s * np.arange(p.shape[1])
        return float((self.weights @ p) @ np.minimum(level, spare))

    def _age(self, p: FloatArray, j: int) -> float:
        """Mean age of the oldest ticket not done at the end of interval j."""
        task = self.task
        come = _summed(task.waiting)  # the start comes in steps, the rest evenly
        x = np.concatenate([np.column_stack([come[:-1], come[1:]]).ravel(), task.arrived[: j + 2]])
        y = np.concatenate([np.repeat(-task.ages_s, 2), task.edges_s[: j + 2]])
        tickets = self.bin_s / task.aht_s * np.arange(1, len(p))
        born = np.interp(task.arrived[j + 1] - tickets, x, y)
        return float(p[1:] @ (task.edges_s[j + 1] - born))


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _summed(values: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(values)])
