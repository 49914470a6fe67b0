"""Markov chains of any state, solved as forward equations or as a linear system: no simulation in them."""

import math
from collections.abc import Callable

import numpy as np
from scipy import integrate, sparse
from scipy.sparse.linalg import spsolve


def forward(
    edges: list,
    states: list[tuple],
    start: tuple | dict,
    moves: Callable,
    watch: dict[str, Callable],
    at_edge: Callable | None = None,
    lost: float = 1e-5,
) -> dict[str, np.ndarray]:
    """Time averages by interval of functions of the state, and ``NAME_end`` at the end of each.

    ``moves(i, state)`` gives pairs of a next state and its rate in interval i; a state that is not in ``states`` ends
    the chain there, which may happen with a probability of ``lost`` only. ``at_edge(i, state)`` is the state with which
    interval i begins.
    """
    place = {state: k for k, state in enumerate(states)}
    p = np.zeros(len(states))
    for state, chance in start.items() if isinstance(start, dict) else [(start, 1.0)]:
        p[place[state]] += chance
    out = {name: [] for name in [*watch, *(f"{name}_end" for name in watch)]}
    for i in range(len(edges) - 1):
        if at_edge is not None:
            moved = np.zeros_like(p)
            for k in np.flatnonzero(p):
                moved[place[at_edge(i, states[k])]] += p[k]
            p = moved
        flow = flow_of(states, place, lambda state, i=i: moves(i, state)).T.tocsr()
        values = np.array([[of(i, state) for state in states] for of in watch.values()], dtype=float)

        def slope(_, y, flow=flow, values=values):
            return np.concatenate((flow @ y[: len(states)], values @ y[: len(states)]))

        width = edges[i + 1] - edges[i]
        y = integrate.solve_ivp(
            slope, (0, width), np.append(p, np.zeros(len(watch))), rtol=1e-7, atol=1e-10
        ).y[:, -1]  # fmt: skip
        p = np.maximum(y[: len(states)], 0)
        assert p.sum() > 1 - lost, f"more states are needed: {1 - p.sum()}"
        for name, total, end in zip(watch, y[len(states) :] / width, values @ p, strict=True):
            out[name].append(total)
            out[f"{name}_end"].append(end)
    return {name: np.array(values) for name, values in out.items()}


def stationary(states: list[tuple], moves: Callable) -> np.ndarray:
    """Probabilities of the states in the long run; moves out of ``states`` are forbidden."""
    place = {state: k for k, state in enumerate(states)}
    flow = flow_of(states, place, lambda state: [each for each in moves(state) if each[0] in place]).T.tolil()
    flow[0, :] = 1.0
    right = np.zeros(len(states))
    right[0] = 1.0
    return spsolve(flow.tocsc(), right)


def flow_of(states, place, moves):
    """Rates from state (row) to state."""
    rows, columns, rates = [], [], []
    for k, state in enumerate(states):
        for to, rate in moves(state):
            if rate == 0:
                continue
            rows.append(k)
            columns.append(k)
            rates.append(-rate)
            if to in place:
                rows.append(k)
                columns.append(place[to])
                rates.append(rate)
    return sparse.csr_matrix((rates, (rows, columns)), shape=(len(states), len(states)))


def impatient_queue(load, agents, done, survives, *, upto):
    """M/M/n+G in the long run: chance to wait, share that gives up, mean wait of all, by integrals.

    S. Zeltyn, A. Mandelbaum, "Call centers with impatient customers: many-server asymptotics of the M/M/n+G queue",
    Queueing Systems 51, 2005, section 3; first F. Baccelli, G. Hebuterne, 1981. ``load`` per second, ``done`` per
    second and agent, ``survives`` the share whose patience is longer than a time.
    """
    x = np.linspace(0.0, upto, 200_001)
    left = integrate.cumulative_trapezoid(survives(x), x, initial=0.0)
    weight = np.exp(load * left - agents * done * x)
    j, j_h = integrate.trapezoid(weight, x), integrate.trapezoid(left * weight, x)
    ratio = load / done
    epsilon = sum(
        math.exp((k - agents + 1) * math.log(ratio) + math.lgamma(agents) - math.lgamma(k + 1)) for k in range(agents)
    )
    below = epsilon + load * j
    return load * j / below, (1 + (load - agents * done) * j) / below, load * j_h / below
