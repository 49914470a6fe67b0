"""Runs in the peers' environment: the benchmark week in SimPy or Ciw, told as JSON on standard input.

The answer has ``cpu_s``, ``version``, and what is to be compared: mean wait, share that waited, share that gave up.
"""

from __future__ import annotations

import json
import random
import sys
import time
from importlib.metadata import version
from typing import Any


def simpy_week(week: dict[str, Any]) -> tuple[float, float, float]:
    """Customers as processes; people who are not there are held by requests of the highest priority."""
    import simpy

    arrivals, services, patience, kinds = (week[name] for name in ("arrival", "service", "patience", "kind"))
    edges, agents = week["edges"], week["agents"]
    most = max(agents)
    env = simpy.Environment()
    desk = simpy.PriorityResource(env, capacity=most)
    waits, waited, gone = [], 0, 0

    def customer(i: int) -> Any:
        nonlocal waited, gone
        with desk.request(priority=1 + kinds[i]) as turn:
            found = yield turn | env.timeout(patience[i])
            wait = env.now - arrivals[i]
            waits.append(wait)
            waited += wait > 0
            if turn not in found:
                gone += 1
                return
            yield env.timeout(services[i])

    def absent(begin: float, until: float) -> Any:
        yield env.timeout(begin)
        with desk.request(priority=0) as turn:
            found = yield turn | env.timeout(max(until - env.now, 0))
            if turn in found and until > env.now:
                yield env.timeout(until - env.now)

    def source() -> Any:
        for i, at in enumerate(arrivals):
            yield env.timeout(at - env.now)
            env.process(customer(i))

    for step, staff in enumerate(agents):
        for _ in range(most - staff):
            env.process(absent(edges[step], edges[step + 1]))
    env.process(source())
    env.run(until=edges[-1])
    return sum(waits) / len(waits), waited / len(waits), gone / len(waits)


def ciw_week(week: dict[str, Any]) -> tuple[float, float, float]:
    """Two customer classes with priorities and reneging, servers by schedule."""
    import ciw

    rate, share = week["rate"], week["shares"]
    names = ["urgent", "usual"]
    network = ciw.create_network(
        arrival_distributions={n: [ciw.dists.Exponential(rate * p)] for n, p in zip(names, share, strict=True)},
        service_distributions={n: [ciw.dists.Exponential(1 / week["aht_s"])] for n in names},
        reneging_time_distributions={n: [ciw.dists.Exponential(1 / week["patience_s"])] for n in names},
        priority_classes={n: k for k, n in enumerate(names)},
        number_of_servers=[ciw.Schedule(numbers_of_servers=week["agents"], shift_end_dates=week["edges"][1:])],
    )
    ciw.seed(week["seed"])
    play = ciw.Simulation(network)
    play.simulate_until_max_time(week["edges"][-1])
    records = play.get_all_records()
    waits = [r.waiting_time for r in records]
    return (
        sum(waits) / len(waits), sum(w > 0 for w in waits) / len(waits),
        sum(r.record_type == "renege" for r in records) / len(records),
    )  # fmt: skip


def main() -> None:
    """One request, one answer."""
    week = json.loads(sys.stdin.readline())
    random.seed(week["seed"])
    run = {"simpy": simpy_week, "ciw": ciw_week}[week["peer"]]
    begin = time.process_time()
    mean, waited, gone = run(week)
    print(json.dumps({
        "cpu_s": time.process_time() - begin, "version": version(week["peer"]), "mean_wait_s": mean, "p_wait": waited,
        "p_abandon": gone,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
