"""M(t)/M/s(t)+M by the Kolmogorov equations of its truncated chain: the truth of the part on demand that changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import integrate, linalg, stats

__all__ = ["in_time_by_hour"]

Floats = npt.NDArray[np.float64]
PER_HOUR = 180  # moments at which a ticket's fate is worked out, 20 s apart: the midpoint rule
STATES = 260


def in_time_by_hour(
    rate: Callable[[float], float],
    staff: Sequence[int],
    *,
    aht_h: float,
    patience_h: float,
    within_h: float,
    start: float,
) -> tuple[Floats, float]:
    """Share of the tickets offered in each hour that is answered in time, and the mass ever seen in the last state.

    Times in hours, ``rate(h)`` per hour, ``start`` the mean of the Poisson number in service at first. With N in the
    system and s agents N falls at the rate min(N, s) ÷ AHT + (N − s)⁺ ÷ patience; who is in service when agents leave
    goes back to the head of the queue. After the last hour its staff stays.
    """  # fmt: skip
    number = np.arange(STATES)
    p = stats.poisson.pmf(number, start)
    p /= p.sum()
    step, crew = 1 / PER_HOUR, [*staff, staff[-1]]
    moments = (np.arange(PER_HOUR) + 0.5) * step
    steps = round(within_h / step)
    served = {s: _tagged(s, aht_h, patience_h, step / 2) for s in set(staff)}
    shares, edge = np.zeros(len(staff)), 0.0
    for hour, s in enumerate(staff):
        down = np.minimum(number, s) / aht_h + np.maximum(number - s, 0) / patience_h

        def flow(h: float, p: Floats, down: Floats = down) -> Floats:
            up, fall = rate(h) * p, down * p
            up[-1] = 0.0
            change = -up - fall
            change[1:] += up[:-1]
            change[:-1] += fall[1:]
            return change

        at = np.concatenate([hour + moments, [hour + 1]])
        path = integrate.solve_ivp(flow, (hour, hour + 1), p, method="DOP853", t_eval=at, rtol=1e-9, atol=1e-12).y.T
        edge, weights = max(edge, float(path[:, -1].max())), np.array([rate(h) for h in hour + moments])
        # In how many half steps the staff changes, seen from each moment; the deadline lies 2 × steps of them ahead.
        early = path[:-1] @ _in_time(served, s, crew[hour + 1], 2 * steps, 2 * steps)
        found = early.copy()
        for k in range(max(PER_HOUR - steps, 0), PER_HOUR):
            left = 2 * (PER_HOUR - k) - 1
            found[k] = path[k] @ _in_time(served, s, crew[hour + 1], left, 2 * steps)
        shares[hour] = weights @ found / weights.sum()
        p = path[-1]
    return shares, edge


@lru_cache(maxsize=100)
def _tagged(s: int, aht_h: float, patience_h: float, step: float) -> Floats:
    """Moves over ``step`` of a ticket by the number M in the system ahead of it; the last state is answered.

    While M ≥ s it waits, M falls, and it may give up itself (it is then nowhere); at M = s − 1 it is answered.
    """
    q = np.zeros((STATES + 1, STATES + 1))
    for ahead in range(s, STATES):
        down = s / aht_h + (ahead - s) / patience_h
        q[ahead, ahead - 1 if ahead > s else STATES] = down
        q[ahead, ahead] = -down - 1 / patience_h
    return np.asarray(linalg.expm(q * step))


def _in_time(served: dict[int, Floats], now: int, then: int, left: int, total: int) -> Floats:
    """P(answered within ``total`` half steps) by the number ahead, the crew changing after ``left`` of them."""
    answered = np.zeros(STATES + 1)
    answered[-1] = 1.0
    for _ in range(total - left):
        answered[:then] = 1.0
        answered = served[then] @ answered
    if total > left:
        answered[:then] = 1.0
    for _ in range(min(left, total)):
        answered = served[now] @ answered
    answered[:now] = 1.0  # somebody is free at once
    return answered[:-1]
