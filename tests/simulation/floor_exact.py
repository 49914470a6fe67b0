"""Agents followed one by one as Markov chains: every state written out, solved as matrices; exponential work."""

import itertools
import math

import numpy as np
from scipy.integrate import solve_ivp
from scipy.sparse import csr_matrix, vstack
from scipy.sparse.linalg import spsolve


def chain(start, moves):
    """States reached from some, and the generator of the chain; ``moves(state)`` gives pairs of state and rate."""
    place = {state: k for k, state in enumerate(start)}
    states, entries = list(start), []
    for here in states:
        for to, rate in moves(here):
            if rate <= 0 or to == here:
                continue
            if to not in place:
                place[to] = len(states)
                states.append(to)
            entries += [(place[here], place[to], rate), (place[here], place[here], -rate)]
    row, column, rates = zip(*entries, strict=True)
    return states, csr_matrix((rates, (row, column)), shape=(len(states),) * 2)


def time_in_states(generator, span):
    """Expected time in each state over a span much longer than the chain remembers, begun in the first state.

    span·π, and the deviation x of a start in the first state, which solves x·Q = π − p₀ with Σx = 0.
    """
    size = generator.shape[0]
    ones = csr_matrix(np.ones((1, size)))
    system = vstack([generator.T.tocsr()[:-1], ones]).tocsc()
    unit = np.zeros(size)
    unit[-1] = 1.0
    steady = spsolve(system, unit)
    start = np.zeros(size)
    start[0] = 1.0
    wrong = steady - start
    wrong[-1] = 0.0
    return span * steady + spsolve(system, wrong)


def skills(rates, crew, serves, done, give_up, by_priority, room=14):
    """Groups with skills, one conversation each: (idle groups, the longest idle first; tickets waiting by class).

    Returns states, generator; who is idle stands in the first part of a state, who waits in the second.
    """
    groups, classes = range(len(crew)), range(len(rates))
    order = {
        kind: sorted((g for g in groups if kind in serves[g]), key=lambda g: (serves[g].index(kind), g))
        for kind in classes
    }

    def moves(state):
        idle, waiting = state
        for kind in classes:
            able = [g for g in idle if g in order[kind]]
            if able:
                chosen = next(g for g in order[kind] if g in able) if by_priority else able[0]
                at = idle.index(chosen)
                yield (idle[:at] + idle[at + 1 :], waiting), rates[kind]
            elif waiting[kind] < room:
                yield (idle, changed(waiting, kind, 1)), rates[kind]
            if waiting[kind]:
                yield (idle, changed(waiting, kind, -1)), waiting[kind] * give_up
        for g in groups:
            busy = crew[g] - idle.count(g)
            taken = next((kind for kind in serves[g] if waiting[kind]), None)
            if taken is None:
                yield ((*idle, g), waiting), busy * done
            else:
                yield (idle, changed(waiting, taken, -1)), busy * done

    start = tuple(itertools.chain.from_iterable([g] * crew[g] for g in groups))
    return chain([(start, (0,) * len(rates))], moves)


def changed(row, place, by):
    """A tuple with one number changed."""
    return (*row[:place], row[place] + by, *row[place + 1 :])


def chat_moves(rate, slow, done, give_up=0.0, room=40):
    """Agents by number in hand: (staying with 0 … k, leaving with 0 … k, waiting)."""
    k = len(slow)

    def moves(state):
        stay, go, waiting = state
        free = next((j for j in range(k) if stay[j]), None)
        if free is not None:
            yield (moved(stay, free, free + 1), go, waiting), rate
        elif waiting < room:
            yield (stay, go, waiting + 1), rate
        if waiting:
            yield (stay, go, waiting - 1), waiting * give_up
        for j in range(1, k + 1):
            speed = j / slow[j - 1] * done
            if stay[j]:
                yield (stay, go, waiting - 1) if waiting else (moved(stay, j, j - 1), go, 0), stay[j] * speed
            if go[j]:
                less = moved(go, j, j - 1)
                yield (stay, (0, *less[1:]), waiting), go[j] * speed

    return moves


def moved(counts, one, other):
    """An agent more at one level, less at another."""
    return changed(changed(counts, one, -1), other, 1)


def draws(counts, some):
    """Ways to draw so many of agents by level, with their probabilities."""
    total = math.comb(sum(counts), some)
    for drawn in itertools.product(*(range(min(each, some) + 1) for each in counts)):
        if sum(drawn) == some:
            yield drawn, math.prod(math.comb(n, d) for n, d in zip(counts, drawn, strict=True)) / total


def restaffed(state, before, staff, rule):
    """What a state becomes when the staff changes, with probabilities."""
    stay, go, waiting = state
    k = len(stay) - 1
    if staff < before:
        idle = min(stay[0], before - staff)
        for drawn, chance in draws((0, *stay[1:]), before - staff - idle):
            left = tuple(n - d for n, d in zip(changed(stay, 0, -idle), drawn, strict=True))
            if rule == "finish":
                yield (left, tuple(a + b for a, b in zip(go, drawn, strict=True)), waiting), chance
            else:
                yield filled((left, go, waiting + sum(j * drawn[j] for j in range(k + 1)))), chance
        return
    asked = min(sum(go), staff - before)
    for drawn, chance in draws(go, asked):
        more = tuple(a + b for a, b in zip(stay, drawn, strict=True))
        gone = tuple(a - b for a, b in zip(go, drawn, strict=True))
        yield filled((changed(more, 0, staff - before - asked), gone, waiting)), chance


def filled(state):
    """Who has a place takes what waits, those with the fewest in hand first."""
    stay, go, waiting = state
    while waiting:
        free = next((j for j in range(len(stay) - 1) if stay[j]), None)
        if free is None:
            break
        stay, waiting = moved(stay, free, free + 1), waiting - 1
    return stay, go, waiting


def chat_steps(edges, rates, agents, slow, done, give_up, rule):
    """A chat crew whose staff changes, by its forward equations: by interval the means of four numbers.

    Returns waiting, conversations in hand, agents with any, leavers with any; each (intervals,).
    """
    k = len(slow)
    none = (0,) * (k + 1)
    now, before, out = {(none, none, 0): 1.0}, 0, []
    for i, staff in enumerate(agents):
        after = {}
        for state, chance in now.items():
            for to, share in restaffed(state, before, staff, rule) if staff != before else [(state, 1.0)]:
                after[to] = after.get(to, 0.0) + chance * share
        before = staff
        states, generator = chain(list(after), chat_moves(rates[i], slow, done, give_up))
        levels = np.arange(k + 1)
        counts = np.array(
            [
                (
                    waiting, levels @ np.add(stay, go), sum(stay[1:]) + sum(go[1:]), sum(go[1:]),
                )
                for stay, go, waiting in states
            ],
            dtype=float,
        ).T  # fmt: skip
        flow = generator.T.tocsr()

        def slope(_, y, flow=flow, counts=counts):
            return np.concatenate((flow @ y[:-4], counts @ y[:-4]))

        width = edges[i + 1] - edges[i]
        p = np.zeros(len(states) + 4)
        p[: len(after)] = list(after.values())
        y = solve_ivp(slope, (0, width), p, rtol=1e-7, atol=1e-10).y[:, -1]
        out.append(y[-4:] / width)
        now = {state: chance for state, chance in zip(states, y[:-4], strict=True) if chance > 1e-12}
    return np.array(out).T
