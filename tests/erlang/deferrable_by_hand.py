"""Work that may wait by slow independent routes: matrix exponentials over every plan, event by event, curves."""

import heapq
import itertools

import numpy as np
from scipy import linalg, stats


def shares_in_time(plans, arrivals, aht, step, due, waiting=0, states=90, points=6, factor=1.0):
    """Exact mean number in time, per plan and interval, for exponential handle times (plans × intervals).

    The number of tickets not done is a birth–death chain. With m in front, a ticket is opened once m less the
    tickets done since then is below the crew: a Poisson count while all are busy. ``due(t)`` is the deadline.
    """
    plans = np.asarray(plans)
    n, tau = len(arrivals), step / points
    crews = range(int(plans.max()) + 1)
    number = np.arange(states)
    p = np.zeros((len(plans), states))
    p[:, waiting] = 1.0
    hit = np.zeros((len(plans), n))
    for i, rate in enumerate(np.asarray(arrivals) * factor / step):
        moves = {}
        for c in crews:
            generator = np.diag(np.full(states - 1, rate), 1) + np.diag(np.minimum(number[1:], c) / aht, -1)
            generator -= np.diag(generator.sum(axis=1))
            moves[c] = linalg.expm(generator * tau / 2)
        for k in range(points):
            p = _stepped(p, plans[:, i], moves)
            at = i * step + (k + 0.5) * tau
            hit[:, i] += arrivals[i] * factor / points * _opened(p, plans, at, due(at), aht, step)
            p = _stepped(p, plans[:, i], moves)
    return hit


def _opened(p, plans, at, due, aht, step):
    """P(opened by ``due``) of a ticket that comes at ``at`` and finds ``p``."""
    if due > plans.shape[1] * step + 1e-9:
        return np.zeros(len(plans))
    number, states = np.arange(p.shape[1]), p.shape[1]
    front = p
    j, now = int(at // step), at
    while now < due - 1e-9:
        until = min((j + 1) * step, due)
        front = np.where(number[None, :] < plans[:, j, None], 0.0, front)
        moves = {}
        for c in range(int(plans.max()) + 1):
            done = stats.poisson.pmf(np.arange(states), c * (until - now) / aht)
            move = linalg.toeplitz(done, np.zeros(states))  # from m to m − k
            move[:, : max(c, 0)] = 0.0
            moves[c] = np.tril(move)
        front = _stepped(front, plans[:, j], moves)
        j, now = j + 1, until
    return 1.0 - front.sum(axis=1)


def _stepped(p, crew, moves):
    out = np.empty_like(p)
    for c, move in moves.items():
        out[crew == c] = p[crew == c] @ move
    return out


def every_plan(n, most, total=None, closed=()):
    """All whole plans of ``n`` intervals with up to ``most`` agents each (plans × n), of one total if given."""
    ranges = [range(1 if j in closed else most + 1) for j in range(n)]
    plans = [plan for plan in itertools.product(*ranges) if total is None or sum(plan) == total]
    return np.array(plans, dtype=int).reshape(-1, n)


def simulated_waits(plan, arrivals, aht, step, rng, scv=1.0, waiting=0, factor=1.0):
    """One day, event by event: (interval, wait until opened or inf) per ticket; gamma handle times.

    First come first served; who goes home in the middle of a ticket leaves it to the next, who finishes it first.
    """
    events = [((j + 1) * step, 1, j + 1) for j in range(len(plan))]
    come = []
    for i, mean in enumerate(arrivals):
        come += sorted(rng.uniform(i * step, (i + 1) * step, rng.poisson(mean * factor)))
    events += [(t, 0, k) for k, t in enumerate(come)]
    heapq.heapify(events)
    opened = np.full(len(come) + waiting, np.inf)
    born = np.array([0.0] * waiting + come)
    left = rng.gamma(1 / scv, aht * scv, len(born))
    queue, hand = list(range(waiting)), []
    now, crew = 0.0, plan[0]
    while events or hand:
        busy = hand[:crew]
        ends = min((left[k] for k in busy), default=np.inf)
        at, what, which = events[0] if events else (np.inf, 2, 0)
        if busy and now + ends <= at:
            at = now + ends
            left[busy] -= ends
            hand = [k for k in hand if left[k] > 1e-9]
        elif what == 2:
            break
        else:
            heapq.heappop(events)
            left[busy] -= at - now
            if what == 0:
                queue.append(which + waiting)
            else:
                crew = plan[which] if which < len(plan) else 0
        now = at
        while len(hand) < crew and queue:
            k = queue.pop(0)
            opened[k] = now
            hand.append(k)
    interval = np.minimum(born // step, len(plan) - 1).astype(int)
    interval[:waiting] = -1
    return interval, opened - born
