"""How often the simulation's 95 % intervals hold the truth, on an hour whose waits are skewed."""

from __future__ import annotations

import numpy as np

from parts.common import Options, prose, table
from staffcast.simulation import Arrivals, Service, Staffing, simulate
from staffcast.simulation.collect import collect
from staffcast.simulation.measure import measure_chunk
from staffcast.simulation.summary import Summary

NAMES = {"mean_wait_s": "mean wait", "service_level": "share in time", "frt_p95_s": "95th percentile"}


def summaries(agents: int, runs: int, experiments: int) -> tuple[list[Summary], Summary]:
    """Of each experiment, and of all of them together."""
    edges = np.arange(5) * 900.0
    case = simulate(
        Arrivals.piecewise(edges, [40, 60, 60, 30]), Staffing.steps(edges, [agents] * 4), Service.exponential(300.0),
        target="80% in 1m", replications=1, seed=1,
    ).case  # fmt: skip
    chunks = [measure_chunk(case, range(runs * k, runs * (k + 1))) for k in range(experiments)]
    return [collect(case, [chunk]).summary for chunk in chunks], collect(case, chunks).summary


def measure(options: Options) -> str:
    """Coverage by figure, crew and replications."""
    experiments = 100 if options.quick else 1000
    rows = []
    for agents, runs in ((5, 40), (6, 40), (5, 100), (6, 100)):
        each, whole = summaries(agents, runs, experiments)
        held = []
        for name in NAMES:
            truth = getattr(whole, name)
            low, high = (np.array([getattr(one, f"{name}_{side}") for one in each]) for side in ("low", "high"))
            held.append(f"{100 * np.mean((low <= truth) & (truth <= high)):.1f} %")
        rows.append((agents, runs, *held))
    text = prose(
        f"""One hour of M(t)/M/c that starts empty: 40, 60, 60 and 30 tickets an hour by quarter, 5 minutes each; 5 or 6
        agents. {experiments:,} experiments of so many replications each; the truth is that of all of them together. By
        chance a figure is off by {100 * np.sqrt(0.95 * 0.05 / experiments):.1f} points (one standard error)."""
    )
    return f"{text}\n\n{table(('agents', 'replications', *NAMES.values()), rows)}"
