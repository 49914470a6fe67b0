"""How days turn out one by one: the same queue of work, sampled many times."""

from __future__ import annotations

import numpy as np

from staffcast.erlang._checks import FloatArray
from staffcast.erlang.deferrable.margin import Lattice

__all__ = ["day_shares"]

_SEED = 20_190_603  # one fixed stream: the same task gives the same figures


def day_shares(lattice: Lattice, agents: FloatArray, *, paths: int = 1000) -> FloatArray:
    """Share of each day's tickets that is in time, day by day as it happens.

    Tickets of a slot come together in its middle and are taken to stand behind one another; everything else is as in
    :meth:`staffcast.erlang.deferrable.margin.Lattice.run`. All plans meet the same random numbers.

    Parameters
    ----------
    lattice : Lattice
    agents : array (n,)
    paths : int
        Number of times.

    Returns
    -------
    array (paths, days)
        1 for a day without tickets that are due within the horizon.
    """
    task, m = lattice.task, lattice.slots
    rng = np.random.default_rng(_SEED)
    room = lattice.room(agents, lattice.at_s, lattice.due_s)
    half = np.outer(lattice.capacity(agents), lattice.parts / 2).ravel()
    judged = np.isfinite(lattice.due_s)
    tickets = float(task.waiting.sum())
    work = _handling(rng, np.full(paths, tickets), task.aht_s, task.handle_scv)
    come, hit = np.zeros((paths, lattice.days)), np.zeros((paths, lattice.days))
    factor, own = np.ones(paths), np.ones(paths)
    for s in range(task.n * m):
        j, k = divmod(s, m)
        day = task.day[j]
        if task.rate_cv > 0 and k == 0 and (j == 0 or task.day[j - 1] != day):
            factor = rng.gamma(task.rate_cv**-2, task.rate_cv**2, paths)
        if task.own_cv > 0 and k == 0:
            own = rng.gamma(task.own_cv**-2, task.own_cv**2, paths)
        work = np.maximum(work - half[s], 0.0)
        if lattice.rate[s] > 0:
            count = rng.poisson(factor * own * lattice.rate[s]).astype(np.float64)
            more = _handling(rng, count, task.aht_s, task.handle_scv)
            if judged[s]:
                # The last of them waits for the others too, but not for itself.
                before = more * np.maximum(count - 1, 0.0) / np.maximum(count, 1.0)
                fits = room[s] - work
                part = np.where(before > 0, np.clip(fits / np.maximum(before, 1e-9), 0.0, 1.0), fits > 0)
                hit[:, day] += count * part * (room[s] > 0)
                come[:, day] += count
            work += more
        work = np.maximum(work - half[s], 0.0)
    shares = np.ones_like(come)
    np.divide(hit, come, out=shares, where=come > 0)
    return shares


def _handling(rng: np.random.Generator, tickets: FloatArray, aht_s: float, scv: float) -> FloatArray:
    """Seconds that so many tickets take together: gamma of the right mean and variance."""
    if scv <= 0:
        return tickets * aht_s
    return np.asarray(rng.standard_gamma(tickets / scv) * aht_s * scv)
