"""Time per element for short, long and large arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parts.common import Options, cpu_s, figure, table, time_in_turn
from staffcast.erlang import Target, erlang_b, erlang_c, performance, required_agents

TITLE = "Scale"


def timed(calls: int, run: Callable[..., object], *arguments: object, **named: object) -> Callable[[], float]:
    """Calls ``run`` so many times and returns the CPU time of one."""
    return lambda: cpu_s(lambda: [run(*arguments, **named) for _ in range(calls)]) / calls


def measure(options: Options) -> str:
    """The table of times."""
    rng = np.random.default_rng(20)
    target = Target.share(0.8, within_s=20)
    candidates: dict[str, Callable[[], float]] = {}
    elements: dict[str, int] = {}
    for size in (1, 672, 100_000 if options.quick else 1_000_000):
        load = rng.permutation(np.linspace(1, 300, size)) if size > 1 else np.array([120.0])
        agents = np.ceil(load + np.sqrt(load))
        calls = max(1, min(300, 20_000 // size))
        several = f"{size:,} element{'s' * (size > 1)}"
        candidates |= {
            f"`erlang_c`, {several}": timed(calls, erlang_c, load, agents),
            f"`erlang_b`, {several}": timed(calls, erlang_b, load, agents),
            f"`required_agents`, {several}": timed(
                calls, required_agents, arrivals_per_hour=load * 12, aht_s=300.0, target=target
            ),
        }
        elements |= dict.fromkeys(candidates.keys() - elements.keys(), size)
    million = np.full(672, 1e6)
    candidates["`erlang_c`, 672 elements of a million agents"] = timed(30, erlang_c, million - 1000, million)
    elements["`erlang_c`, 672 elements of a million agents"] = 672
    one = {"agents": 100_000, "aht_s": 300.0, "arrivals_per_hour": 1_198_800.0, "target_s": 20.0, "patience_s": 240.0}
    candidates["`performance`, Erlang A, 100,000 agents"] = timed(20, performance, **one)
    goal = {name: one[name] for name in ("aht_s", "arrivals_per_hour", "patience_s")} | {"target": target}
    candidates["`required_agents`, Erlang A, about 100,000 agents"] = timed(5, required_agents, **goal)
    ahts = {"concurrency": 5, "aht_s": 300.0, "aht_by_concurrency_s": (300.0, 330.0, 380.0, 430.0, 500.0)}
    for chat, name in (("chat", "even"), ("chat_lls", "least loaded")):
        chats = {"arrivals_per_hour": 71_000.0, "model": chat, **ahts}
        candidates[f"`performance`, chat ({name}), 2,000 agents × 5"] = timed(1, performance, agents=2000, **chats)
        candidates[f"`required_agents`, chat ({name}), about 2,000 agents × 5"] = timed(
            1, required_agents, target=target, **chats
        )
    elements |= dict.fromkeys(candidates.keys() - elements.keys(), 1)
    took = time_in_turn(candidates, 3 if options.quick else 9)
    rows = [(name, f"{1e6 * took[name]:,.1f}", figure(1e6 * took[name] / elements[name])) for name in candidates]
    note = (
        "Elements are intervals of a vectorised call. A single one costs a fixed tenth of a millisecond to a few;\n"
        "from some hundred on it is the time per element that counts. Very large crews of the other models are one\n"
        "element each.\n\n"
    )
    return note + table(["what", "µs a call", "µs an element"], rows)
