"""Any of the stationary models as the Markov chain it is: balance by recursion, waits by a matrix exponential."""

import numpy as np
from scipy import linalg, special


def carried(below, above, leave, values, times):
    """exp(generator · time) @ values for each of the times, by uniformisation: one row per time.

    The chain goes from n to n − 1 at rate ``below[n]``, to n + 1 at ``above[n]``, and is out of n at ``leave[n]``.
    ``values`` over the states are the same for all times, or one row per time. It runs at the pace of its fastest
    state, so the number of jumps is Poisson. Vectors only: the threads of BLAS take longer to meet than to multiply.
    """
    values, times = np.array(values, dtype=float, ndmin=2), np.atleast_1d(times)
    pace = max(leave.max(), 1e-300)
    most = pace * times.max()
    jumps = np.arange(int(most + 8 * np.sqrt(most)) + 25)[:, None]
    stay, down, up = 1 - leave / pace, below[1:] / pace, above[:-1] / pace
    found = np.zeros((len(times), values.shape[1]))
    for weight in np.exp(special.xlogy(jumps, pace * times) - pace * times - special.gammaln(jumps + 1)):
        found += weight[:, None] * values
        moved = values * stay
        moved[:, 1:] += values[:, :-1] * down
        moved[:, :-1] += values[:, 1:] * up
        values = moved
    return found


def chain(*, rate, finishing, theta=0.0, slots, limit):
    """Figures of a queue from its birth–death chain, state by state.

    ``finishing(m)`` is the total finishing rate with ``m`` ≤ slots tickets in hand; ``limit`` the most in the system
    (large for no limit). Returns a dict of functions and figures in the units of ``rate``.
    """
    up = np.full(limit, rate)
    down = np.array([finishing(min(m, slots)) + max(m - slots, 0) * theta for m in range(1, limit + 1)])
    log_p = np.concatenate([[0.0], np.cumsum(np.log(up) - np.log(down))])
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    admitted = p[:limit]
    waiting = np.arange(limit + 1) - slots
    drain = finishing(slots)

    def served_after(t, patient=False):
        """P(admitted, and answered after more than t), customer by customer; ``patient``: one who never gives up."""
        own = 0.0 if patient else theta
        most = limit - slots
        if most <= 0:
            return 0.0
        # States: 0 … most−1 others ahead in the queue; then served, gone.
        q = np.zeros((most + 2, most + 2))
        for ahead in range(most):
            leave = drain + ahead * theta
            q[ahead, ahead - 1 if ahead else most] += leave
            q[ahead, most + 1] += own
            q[ahead, ahead] -= leave + own
        e = linalg.expm(q * t)
        late = 0.0
        for ahead in range(most):
            ever = 1.0
            if own:
                ever = np.prod([(drain + k * theta) / (drain + k * theta + own) for k in range(ahead + 1)])
            late += admitted[slots + ahead] * (ever - e[ahead, most])
        return late

    def answered_wait():
        """Sum over customers of wait × P(answered), step by step down the queue."""
        total, served, time = 0.0, 1.0, 0.0
        for ahead in range(limit - slots):
            forward, leave = drain + ahead * theta, drain + (ahead + 1) * theta
            served *= forward / leave
            time = served / leave + forward / leave * time
            total += admitted[slots + ahead] * time
        return total

    abandon = float(np.sum(np.maximum(waiting, 0) * p) * theta / rate)
    return {
        "p": p,
        "all_busy": float(p[slots:].sum()),
        "block": float(p[limit]),
        "abandon": abandon,
        "mean_queue": float(np.sum(np.maximum(waiting, 0) * p)),
        "served_after": served_after,
        "answered_wait": answered_wait(),
        "mean_in_hand": float(np.sum(np.minimum(np.arange(limit + 1), slots) * p)),
    }
