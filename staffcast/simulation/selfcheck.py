"""The simulation checked against itself: the plan's Markov twin played, beside the exact answer of its equations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import ndtri

from staffcast.contracts import InputError
from staffcast.executor import map_chunks
from staffcast.simulation.measure import measure_chunk
from staffcast.simulation.outcome import Outcome
from staffcast.simulation.tally import TICKET_STATS, TIME_STATS
from staffcast.simulation.twin import markov_twin

__all__ = ["SelfCheck", "self_check"]

_FALSE_ALARM = 0.001
_SEEN = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class SelfCheck:
    """How far the simulator is from the truth where the truth is known.

    Attributes
    ----------
    frame : DataFrame
        One row per shift or day (``Staffing.shift``): ``start_s``, ``agent_hours``, ``arrivals``, and of the twin
        ``queue_h`` (hours waited) and ``busy_h`` (hours handled) as simulated with ``_se``, as exact (``_exact``),
        and ``queue_z``, ``busy_z``: the difference ÷ its error.
    worst : float
        Largest z, either way.
    limit : float
        What the largest of so many z would exceed once in a thousand right simulations.
    twin, exact : float
        Share of the twin's tickets answered within the target's time, as simulated and exact; NaN without a target.
    simulated : float
        The same of the plan itself, with its handle times, patience, classes and uncertain demand.
    """

    frame: pd.DataFrame
    worst: float
    limit: float
    twin: float
    exact: float
    simulated: float

    @property
    def good(self) -> bool:
        """Whether the two agree within their intervals."""
        return self.worst <= self.limit

    def describe(self) -> str:
        """One sentence, for people."""
        span = f"over {len(self.frame)} days the largest difference is {self.worst:.1f} standard errors"
        if not self.good:
            return (
                f"WARNING: the simulation of this plan's Markov twin is not where its equations are: {span}, above "
                f"{self.limit:.1f}. Do not trust these figures; please report the plan."
            )
        share = "" if math.isnan(self.exact) else (
            f"; in time: {100 * self.exact:.1f} % exact, {100 * self.twin:.1f} % simulated, and "
            f"{100 * self.simulated:.1f} % as this queue really is"
        )  # fmt: skip
        return (
            f"checked against the exact equations of its Markov twin: {span} (up to {self.limit:.1f} is chance){share}"
        )


def self_check(outcome: Outcome, *, replications: int = 200, processes: int = 1) -> SelfCheck:
    """Play the Markov twin of what was simulated, and solve it exactly.

    The twin has the same staff and the mean arrival rates, and otherwise what the equations know: Poisson arrivals, one
    class, exponential handle times and patience with the plan's means (patience only where staff never drops), and
    staff that hands its tickets back when it leaves (``preempt``). What is released at an opening, an opening backlog,
    bots and tickets that come back are left out on both sides. The first fourteen days are checked.

    Parameters
    ----------
    outcome : Outcome
        Of :func:`simulate`.
    replications : int
        How often the twin is played.
    processes : int
        At most this many processes at work.

    Returns
    -------
    SelfCheck

    Raises
    ------
    InputError
        Intervals of unequal length, a trace (it has no rates), or several groups or conversations at once: the
        equations know one group of agents with one ticket each, and others are not checked.

    Notes
    -----
    The exact side is :func:`staffcast.erlang.transient_performance`: the Kolmogorov forward equations.
    """
    case = outcome.case
    if len(case.groups) > 1 or any(len(each.slow) > 1 for each in case.groups):
        raise InputError(
            "not checked: the exact equations know one group of agents with one ticket each; check each queue alone"
        )
    found = markov_twin(case)
    twin, exact, rates = found.case, found.exact, found.rates_per_hour
    agents, edges = twin.staffing.agents, twin.staffing.edges_s
    n, width = len(agents), np.diff(edges)
    size = max(-(-replications // 16), 1)
    ranges = [range(first, min(first + size, replications)) for first in range(0, replications, size)]
    chunks = map_chunks(partial(measure_chunk, twin), ranges, processes=processes)
    day = np.unique(case.staffing.shift[:n], return_inverse=True)[1]
    sums = np.concatenate([chunk.sums.by_interval for chunk in chunks])
    truth = {"queue": exact.mean_queue * width[:n], "busy": (exact.in_system - exact.mean_queue) * width[:n]}
    frame = pd.DataFrame({"start_s": [float(edges[:n][day == d][0]) for d in range(day.max() + 1)]})
    frame["agent_hours"] = np.bincount(day, agents * width[:n]) / 3600
    frame["arrivals"] = np.bincount(day, rates * width[:n]) / 3600
    for name, value in truth.items():
        place = len(TICKET_STATS) + TIME_STATS.index(f"{name}_s")
        by_day = np.stack([np.bincount(day, row) for row in sums[:, place]]) / 3600
        frame[f"{name}_h"], frame[f"{name}_h_exact"] = by_day.mean(axis=0), np.bincount(day, value) / 3600
        frame[f"{name}_h_se"] = by_day.std(axis=0, ddof=1) / math.sqrt(replications)
        # Of a queue that forms once in so many plays the sample's own error is none.
        seen = (by_day > 0).sum(axis=0) >= _SEEN
        difference = frame[f"{name}_h"] - frame[f"{name}_h_exact"]
        frame[f"{name}_z"] = np.where(seen, difference / frame[f"{name}_h_se"].where(seen, 1.0), 0.0)
    z = np.abs(frame[[f"{name}_z" for name in truth]].to_numpy())
    offered, known = exact.offered.sum(), case.target is not None
    hits, decided = (sums[:, TICKET_STATS.index(each)].sum() for each in ("hits", "decided"))
    return SelfCheck(
        frame=frame,
        worst=float(z.max()),
        limit=float(-ndtri(_FALSE_ALARM / (2 * z.size))),
        twin=float(hits / decided) if known and decided else math.nan,
        exact=float((exact.service_level * exact.offered).sum() / offered) if known and offered > 0 else math.nan,
        simulated=outcome.summary.service_level,
    )
