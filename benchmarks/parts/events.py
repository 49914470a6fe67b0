"""Queues event by event, many days side by side: the truth of the parts on an uncertain rate and on chats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["chat_waits", "days_in_time"]

Floats = npt.NDArray[np.float64]


def days_in_time(
    rng: np.random.Generator,
    rates: Floats,
    crews: Sequence[int],
    *,
    step: float,
    aht: float,
    within: float,
    skip: float = 0.0,
) -> tuple[Floats, Floats]:
    """(offered, answered in time), days × intervals, of M/M/s(t) queues that start empty; ``rates`` is one per day.

    The next event of every day is drawn, again at each change of the crew, as exponential times have no memory. First
    come first served: the k-th ticket is answered once the finished and the agents together are k. The last crew
    stays till all that came are answered. Tickets that come before ``skip`` are not counted.
    """  # fmt: skip
    days, end = len(rates), step * len(crews)
    now, waiting, interval = np.zeros(days), np.zeros(days, dtype=np.int64), np.zeros(days, dtype=np.int64)
    crew, stops = np.array([*crews, crews[-1]]), np.append(np.arange(1, len(crews) + 1) * step, np.inf)
    times, kinds = [], []
    done = np.zeros(days, dtype=bool)
    while not done.all():
        s = crew[interval]
        come = np.where(interval < len(crews), rates, 0.0)
        finish = np.minimum(waiting, s) / aht
        total = come + finish
        with np.errstate(divide="ignore"):
            at = now + rng.exponential(size=days) / total
        over = at >= stops[interval]
        arrives = rng.random(days) * total < come
        kind = np.where(done | over, 0, np.where(arrives, 1, -1))
        now = np.where(over, stops[interval], at)
        interval = np.minimum(interval + over, len(crews))
        waiting += kind
        times.append(now)
        kinds.append(kind.astype(np.int8))
        done |= (interval == len(crews)) & (waiting <= 0)
        now = np.where(done, end, now)
    when, what = np.array(times), np.array(kinds)
    offered, hit = np.zeros((days, len(crews))), np.zeros((days, len(crews)))
    for day in range(days):
        came, gone = when[what[:, day] == 1, day], when[what[:, day] == -1, day]
        order, answered = np.arange(1, len(came) + 1), np.full(len(came), np.inf)
        for j, s in enumerate(crew):  # the first moment of each stretch at which enough are finished
            enough = np.concatenate([np.zeros(s), gone])[order - 1]
            first = np.maximum(np.maximum(enough, j * step), came)
            answered = np.where(first < stops[j], np.minimum(answered, first), answered)
        counted = came >= skip
        which = np.minimum(came // step, len(crews) - 1).astype(np.int64)[counted]
        offered[day] = np.bincount(which, minlength=len(crews))
        hit[day] = np.bincount(which, weights=(answered - came <= within)[counted], minlength=len(crews))
    return offered, hit


def chat_waits(
    rng: np.random.Generator, rate: float, agents: int, ahts: Sequence[float], *, runs: int, chats: int, skip: int
) -> Floats:
    """Waits (runs × chats) of customers who go to the agent with the fewest chats and stay there, or queue.

    An agent with j chats finishes them at the total rate j ÷ aht_j. The first ``skip`` chats of each run, which starts
    empty, are left out.
    """
    slots = len(ahts)
    finish = np.arange(1, slots + 1) / np.array(ahts)
    having = np.zeros((runs, slots + 1), dtype=np.int64)  # agents with 0, 1, …, all chats
    having[:, 0] = agents
    queue, each = np.zeros(runs, dtype=np.int64), np.arange(runs)
    now, number, ended = np.zeros(runs), np.zeros(runs, dtype=np.int64), np.zeros(runs, dtype=np.int64)
    all_of = skip + chats
    came, gone = np.full((runs, all_of + 1), np.inf), np.full((runs, 2 * all_of), np.inf)
    while number.min() < all_of or (ended < all_of - agents * slots).any():
        paces = np.cumsum(np.column_stack([np.full(runs, rate), having[:, 1:] * finish]), axis=1)
        now += rng.exponential(size=runs) / paces[:, -1]
        what = (paces <= (rng.random(runs) * paces[:, -1])[:, None]).sum(axis=1)  # 0: comes; j: one of j chats ends
        comes = what == 0
        a, b = each[comes], each[~comes]
        came[a, np.minimum(number[a], all_of)] = now[a]
        number[a] += 1
        level = (having[a] > 0).argmax(axis=1)  # of the agents with the fewest
        full = level == slots
        queue[a[full]] += 1
        having[a[~full], level[~full]] -= 1
        having[a[~full], level[~full] + 1] += 1
        gone[b, np.minimum(ended[b], 2 * all_of - 1)] = now[b]
        ended[b] += 1
        next_one = queue[b] > 0  # then all are full, and the slot is taken again at once
        queue[b[next_one]] -= 1
        b = b[~next_one]
        having[b, what[b]] -= 1
        having[b, what[b] - 1] += 1
    ended_before = np.concatenate([np.zeros((runs, agents * slots)), gone], axis=1)[:, :all_of]
    return np.asarray(np.maximum(ended_before - came[:, :all_of], 0.0)[:, skip:])
