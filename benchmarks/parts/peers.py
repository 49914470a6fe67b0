"""One week of staffing beside other packages: how long each takes, and how many of its answers are right."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from parts.common import Options, cpu_s, table, time_in_turn
from parts.smallest import TIE, by_trying
from staffcast.erlang import Target, required_agents

TITLE = "Speed and answers beside other packages"

INTERVALS, AHT_S, SHARE, WITHIN_S, PATIENCE_S = 672, 300.0, 0.80, 20.0, 300.0
LOAD = np.random.default_rng(20).permutation(np.linspace(1, 300, INTERVALS))
TARGET = Target.share(SHARE, within_s=WITHIN_S)

# In the order of the table, and who searches where the package only has the formula.
PEERS = {
    "pyworkforce": "", "call-center-tools": "divides by zero at whole loads", "callcenterdim": "",
    "wfmplan": "", "pyqueueing": "", "line-solver": "",
    "most_queue": "its formula, our search", "erlanglib": "its formula, our search",
}  # fmt: skip
PEERS_A = {
    "pyworkforce": "",
    "pyqueueing": "approximate by its own word",
    "line-solver": "its service level, our bisection",
}


class Worker:
    """The process in the peers' environment."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("peer_worker.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to one request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def staff(self, peer: str, load: Sequence[float], patience_s: float | None) -> dict[str, Any]:
        """Agents for each load."""
        return self.ask(task="staff", peer=peer, load=list(load), aht_s=AHT_S, share=SHARE, within_s=WITHIN_S,
                        patience_s=patience_s)  # fmt: skip

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def answered_in_time(load: float, agents: int, aht: float, patience: float, within: float) -> float:
    """Share of the offered that Erlang A answers in time: Palm's density of the offered wait, by quadrature."""
    inverse = 1.0
    for n in range(1, agents + 1):
        inverse = 1 + inverse * n / load
    term, waiting, n = 1.0, 0.0, 0
    while term > 1e-18 * (inverse + waiting):
        n += 1
        term *= load / (agents + n * aht / patience)
        waiting += term
    at, weight = np.polynomial.legendre.leggauss(24)
    edges = np.linspace(0, within, 1 + max(4, math.ceil(within * agents / aht)))
    half = np.diff(edges)[:, None] / 2
    t = edges[:-1, None] + half * (1 + at)
    offered = load * patience / aht * -np.expm1(-t / patience)
    late = np.sum(half * weight * np.exp(offered - (agents / aht + 1 / patience) * t)) * agents / aht
    return float((inverse - 1 + late) / (inverse + waiting))


def smallest_a(load: float, aht: float, share: float, within: float, patience: float) -> int:
    """The smallest number of agents that meets the target under Erlang A, by halving."""
    too_few, enough = 0, math.ceil(load + 5 * math.sqrt(load) + 5)
    while enough - too_few > 1:
        agents = (too_few + enough) // 2
        met = 1 - answered_in_time(load, agents, aht, patience, within) <= (1 - share) * (1 + TIE)
        too_few, enough = (too_few, agents) if met else (agents, enough)
    return enough


def ours(**more: Any) -> Callable[[], float]:
    """Our week, timed over as many as take a fifth of a second: one alone is over before the caches are warm."""
    hourly = LOAD * 3600 / AHT_S

    def weeks(count: int) -> float:
        return cpu_s(
            lambda: [
                required_agents(arrivals_per_hour=hourly, aht_s=AHT_S, target=TARGET, **more) for _ in range(count)
            ]
        )

    weeks(1)
    count = max(1, math.ceil(0.2 / max(weeks(1), 1e-4)))
    return lambda: weeks(count) / count


def compare(worker: Worker | None, names: dict[str, str], patience_s: float | None, truth: Callable[[float], int],
            options: Options) -> str:  # fmt: skip
    """One table: time per interval, ratio and answers of staffcast and the peers."""
    more = {} if patience_s is None else {"patience_s": patience_s}
    found = required_agents(arrivals_per_hour=LOAD * 3600 / AHT_S, aht_s=AHT_S, target=TARGET, **more).agents
    answers: dict[str, list[int | None]] = {"staffcast": found.tolist()}
    asked: dict[str, list[float]] = {"staffcast": LOAD.tolist()}
    versions, candidates, slow, silent = {}, {"staffcast": ours(**more)}, {}, []
    for name in names if worker is not None else ():
        probe = worker.staff(name, LOAD[::84].tolist(), patience_s)
        if "error" in probe:
            silent.append(f"{name}: {probe['error']}")
            continue
        versions[name] = probe["version"]
        if probe["cpu_s"] > 1.5:  # slow enough to be measured at once
            answers[name], asked[name], slow[name] = probe["answers"], LOAD[::84].tolist(), probe["cpu_s"]
            continue
        # As many intervals as go into about two seconds, all of them if possible.
        every = math.ceil(probe["cpu_s"] * 84 / (0.3 if options.quick else 2.0))
        load = LOAD[:: max(1, min(every, 84))].tolist()

        def run(name: str = name, load: list[float] = load) -> float:
            assert worker is not None
            answer = worker.staff(name, load, patience_s)
            answers[name] = answer["answers"]
            return float(answer["cpu_s"])

        asked[name], candidates[name] = load, run
    took = time_in_turn(candidates, 3 if options.quick else 9) | slow
    rows, true = [], {load: truth(load) for load in {each for loads in asked.values() for each in loads}}
    unit = {name: took[name] / len(asked[name]) for name in asked}
    for name in asked:
        pairs = [(got, true[load]) for got, load in zip(answers[name], asked[name], strict=True)]
        given = [(got, right) for got, right in pairs if got is not None]
        wrong = sum(got != right for got, right in given)
        surplus = sum(got - right for got, right in given) / sum(right for _, right in given)
        rows.append((
            f"{name} {versions.get(name, '')}".strip(), f"{1e6 * unit[name]:,.2f}",
            "1" if name == "staffcast" else f"{unit[name] / unit['staffcast']:,.0f}", len(pairs), wrong,
            len(pairs) - len(given), f"{100 * surplus:+.2f} %", names.get(name, ""),
        ))  # fmt: skip
    head = ["package", "µs an interval", "times ours", "intervals", "wrong", "no answer", "agent-intervals", ""]
    return table(head, rows) + "".join(f"\n\nNot measured: {each}." for each in silent)


def claims(worker: Worker) -> str:
    """Where pyworkforce's answers are furthest off."""
    case = {"load": 204.0, "agents": 200, "aht_s": AHT_S, "patience_s": 1200.0, "within_s": 1200.0}
    crowd = {"aht_s": AHT_S, "share": SHARE, "within_s": 60.0, "patience_s": 60.0}
    loads = np.linspace(1, 60, 24).tolist()
    level = worker.ask(task="service_level_a", **case)
    shrunk = worker.ask(task="shrinkage", agents=21, shrinkage=0.3)
    staffed = worker.ask(task="staff", peer="pyworkforce", load=loads, **crowd)
    for answer in (level, shrunk, staffed):
        if "error" in answer:
            return f"pyworkforce's single figures could not be asked for: {answer['error']}"
    needed = [smallest_a(load, AHT_S, SHARE, 60.0, 60.0) for load in loads]
    lowest = min(got - math.ceil(load) for got, load in zip(staffed["answers"], loads, strict=True))
    rows = [
        ("share of 204 erlang that 200 agents answer in 20 min, AHT 5 min, mean patience 20 min",
         f"{level['answers'][0]:.3f}", f"{answered_in_time(204.0, 200, AHT_S, 1200.0, 1200.0):.3f}"),
        ("agents together for 24 loads from 1 to 60 erlang, 80 % in 60 s, mean patience 60 s",
         f"{sum(staffed['answers'])} ({100 * (sum(staffed['answers']) / sum(needed) - 1):+.1f} %)", f"{sum(needed)}"),
        ("in the same: fewest agents above the load rounded up", f"{lowest}",
         f"{min(n - math.ceil(load) for n, load in zip(needed, loads, strict=True))}"),
        ("21 agents at 30 % shrinkage", f"{shrunk['answers'][0]}", f"{math.ceil(21 / (1 - 0.3) - 1e-9)}"),
    ]  # fmt: skip
    return table([f"pyworkforce {level['version']}", "its answer", "right"], rows)


def measure(options: Options) -> str:
    """The tables."""
    worker = None if options.peers is None else Worker(options.peers)
    own = {
        "known rate": ours(), "known rate, band 85–90 %": ours(band="85%-90%"),
        "patience 5 min (Erlang A)": ours(patience_s=PATIENCE_S),
        "rate with 10 % standard deviation": ours(rate_cv=0.1),
    }  # fmt: skip
    took = time_in_turn(own, 5 if options.quick else 25)
    rows = [(name, f"{1e6 * took[name] / INTERVALS:.2f}", f"{1e3 * took[name]:.1f}") for name in own]
    parts = [
        "One week of 672 quarter hours, loads spread evenly over 1 to 300 erlang, 5 minutes of handle time,\n"
        "80 % in 20 s; no band but where it is named.",
        table(["staffcast", "µs an interval", "ms a week"], rows),
        "### Erlang C\n\n"
        "Each package by its own staffing call, or by its formula and our search. *Wrong* are answers that are not\n"
        "the smallest number that meets the target; *agent-intervals*: how many more than needed all answers are\n"
        "together. The slow ones were given fewer intervals, spread evenly over the same week."
        + ("" if worker is None else f" They ran on Python {worker.ask(task='python')['version']}."),
        compare(worker, PEERS, None, lambda load: by_trying(load, AHT_S, TARGET, None, 0), options),
        f"### Erlang A, mean patience {PATIENCE_S / 60:g} minutes\n\n"
        "Those who give up are missed. The others have no Erlang A, most_queue has one without a service level.",
        compare(
            worker, PEERS_A, PATIENCE_S, lambda load: smallest_a(load, AHT_S, SHARE, WITHIN_S, PATIENCE_S), options
        ),
    ]
    if worker is None:
        parts.append(
            "The other packages were not measured: make an environment for them with\n"
            "`python -m venv .venv-peers && .venv-peers/bin/pip install -r benchmarks/requirements-peers.txt`\n"
            "and run again with `--peers .venv-peers/bin/python`."
        )
    else:
        parts.append(claims(worker))
        worker.close()
    return "\n\n".join(parts)
