"""Time per interval of the staffing solver over one week, beside pyworkforce when that is installed.

Run it with ``python benchmarks/erlang_speed.py``. CPU time, one thread, best of several runs, both in one process.
The week: 672 intervals of 15 minutes, loads spread evenly over 1 to 300 erlang, 5 minutes of handle time, 80 % in 20 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from staffcast.erlang import Target, required_agents

INTERVALS = 672
AHT_S = 300.0
SHARE, WITHIN_S = 0.80, 20.0


def best_cpu_s(run: Callable[[], object], repeats: int) -> float:
    """Least CPU time of one call over ``repeats`` calls, after one to warm up, in seconds."""
    run()
    took = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        took.append(time.process_time() - start)
    return min(took)


def peer_week(load: np.ndarray) -> Callable[[], object] | None:
    """The same week solved interval by interval with pyworkforce; None when it is not installed."""
    try:
        from pyworkforce.queuing import ErlangC
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.split(".")[0] != "pyworkforce":
            raise
        return None

    def solve() -> list[dict[str, float]]:
        return [
            # Its times are in minutes, its `asa` is the time within which the share is to be answered.
            ErlangC(
                transactions=erlang * 900 / AHT_S, aht=AHT_S / 60, interval=15, asa=WITHIN_S / 60, shrinkage=0.0
            ).required_positions(service_level=SHARE, max_occupancy=1.0)
            for erlang in load
        ]

    return solve


def main() -> None:
    """Print microseconds per interval, for a known and an uncertain rate, and the ratio to the peer."""
    load = np.random.default_rng(20).permutation(np.linspace(1, 300, INTERVALS))
    target = Target.share(SHARE, within_s=WITHIN_S)

    def ours(rate_cv: float = 0.0) -> Callable[[], object]:
        hourly = load * 3600 / AHT_S
        return lambda: required_agents(arrivals_per_hour=hourly, aht_s=AHT_S, target=target, rate_cv=rate_cv)

    known = best_cpu_s(ours(), 50) / INTERVALS * 1e6
    uncertain = best_cpu_s(ours(0.1), 5) / INTERVALS * 1e6
    print(f"staffcast, known rate:         {known:8.2f} µs per interval, {known * INTERVALS / 1e3:.1f} ms a week")
    print(
        f"staffcast, rate with 10 % sd:  {uncertain:8.2f} µs per interval, {uncertain * INTERVALS / 1e3:.1f} ms a week"
    )
    peer = peer_week(load)
    if peer is None:
        print("pyworkforce is not installed here (pip install pyworkforce): no ratio")
        return
    theirs = best_cpu_s(peer, 2) / INTERVALS * 1e6
    print(f"pyworkforce, known rate:       {theirs:8.2f} µs per interval, {theirs / known:.0f} times as much")


if __name__ == "__main__":
    main()
