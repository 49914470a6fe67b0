"""The simulation: nanoseconds per ticket beside other packages, cores, memory, intervals, comparisons, the start."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from parts import simulation_cover
from parts.common import Options, cpu_s, figure, prose, table, time_in_turn
from staffcast.simulation import (
    Arrivals,
    Bot,
    Outcome,
    Patience,
    Redial,
    Reopening,
    Repeats,
    Service,
    Staffing,
    compare,
    controlled,
    self_check,
    simulate,
)

TITLE = "Simulation"

TICKETS, STEPS, STEP_S, AHT_S, PATIENCE_S, SHARES = 100_000, 672, 900.0, 300.0, 600.0, (0.2, 0.8)
EDGES = np.arange(STEPS + 1) * STEP_S
RATE = TICKETS / (STEPS * STEP_S)
AGENTS = np.full(STEPS, 52)
AGENTS[::7] -= 4
AGENTS[3::5] += 3
WEEK: dict[str, Any] = {"patience": Patience.exponential(PATIENCE_S), "priorities": SHARES, "target": "80% in 60s"}
ALL: dict[str, Any] = WEEK | {
    "redial": Redial(share=0.4, delay_s=300), "reopening": Reopening(share=0.05, delay_s=3600, work=0.5),
    "repeats": Repeats(share=0.3, after_s=120, work=0.2), "bot": Bot(share=0.1, handover_s=20, harder=1.05),
    "ageing_s": 300.0, "on_staff_drop": "handover", "handover_s": 30.0, "window_s": 86_400.0, "backlog": 50,
}  # fmt: skip


def week(replications: int, *, processes: int = 1, seed: int = 1, everything: bool = False) -> Outcome:
    """The benchmark week."""
    rate = RATE * (0.95 if everything else 1.0)
    staff = Staffing.steps(EDGES, AGENTS, absent=0.01) if everything else Staffing.steps(EDGES, AGENTS)
    return simulate(
        Arrivals.piecewise(EDGES, np.full(STEPS, rate * 3600)), staff,
        Service.lognormal(AHT_S, 1.2) if everything else Service.exponential(AHT_S),
        replications=replications, processes=processes, seed=seed, **(ALL if everything else WEEK),
    )  # fmt: skip


def measure(options: Options) -> str:
    """The page's sections."""
    week(1), week(1, everything=True)  # compiled before anything is timed
    intervals = f"### Intervals\n\n{simulation_cover.measure(options)}"
    parts = [_speed(options), _cores(options), _memory(options), intervals, _compared(options), _start(options)]
    return "\n\n".join(parts)


def _speed(options: Options) -> str:
    runs = 4 if options.quick else 100

    def per_ticket(everything: bool) -> Callable[[], float]:
        def run() -> float:
            start = time.process_time()
            outcome = week(runs, everything=everything)
            return (time.process_time() - start) / (runs * outcome.summary.offered)

        return run

    took = time_in_turn({"week": per_ticket(False), "all": per_ticket(True)}, 3 if options.quick else 7, 60.0)
    rows = [
        ["the week", figure(1e9 * took["week"]), "150", ""],
        ["the week with every feature on", figure(1e9 * took["all"]), "250", ""],
        ["the week, not compiled", figure(1e9 * _uncompiled(options)), "1,000", ""],
    ]
    met = week(runs).summary
    figures = {"staffcast": (met.mean_wait_s, met.p_wait, met.p_abandon)}
    for peer in ("simpy", "ciw") if options.peers else ():
        found = _peer(peer, options)
        rows.append([f"{peer} {found['version']}", figure(1e9 * found["per_ticket"]), "",
                     f"{found['per_ticket'] / took['week']:.0f} ×"])  # fmt: skip
        if peer == "simpy":
            figures["staffcast, the tickets that SimPy plays"] = found["ours"]
        figures[peer] = found["mean_wait_s"], found["p_wait"], found["p_abandon"]
    hundred = cpu_s(lambda: week(5 if options.quick else 100)) * (20 if options.quick else 1)
    told = [
        [name, figure(wait), f"{100 * waited:.1f} %", f"{100 * gone:.2f} %"]
        for name, (wait, waited, gone) in figures.items()
    ]
    return "\n\n".join([
        "### Speed",
        prose(
            f"""A week of {TICKETS:,} tickets on {STEPS} quarter hours, about {AGENTS.mean():.0f} agents whose number
            changes, two priorities, customers who give up after {PATIENCE_S:g} s on average: drawing, playing and
            adding up, CPU time of one core per ticket. *Every feature*: lognormal handling, redials, reopening,
            repeats,
            a bot
            in front, ageing, handing over, absence, a window, an opening backlog. The peers play the same week (SimPy
            the very same tickets; Ciw draws its own, for a third of the time), events only, without adding up by
            interval. 100 such weeks with all figures by interval take {hundred:.2f} s (goal: 2 s)."""
        ),
        table(["what", "ns per ticket", "goal", "beside the week"], rows),
        prose(
            """What they say of it. Ciw replaces the whole crew whenever the schedule has a boundary, so its customers
            hardly wait; that is how its schedules are meant, not a fault of the model written here."""
        ),
        table(["package", "mean wait, s", "waited", "gave up"], told),
    ])  # fmt: skip


def _peer(name: str, options: Options) -> dict[str, Any]:
    part = 0.05 if options.quick else 0.34
    steps = int(STEPS * part)
    outcome = simulate(
        Arrivals.piecewise(EDGES[: steps + 1], np.full(steps, RATE * 3600)),
        Staffing.steps(EDGES[: steps + 1], AGENTS[:steps]),
        Service.exponential(AHT_S), replications=1, **WEEK,
    )  # fmt: skip
    tickets = outcome.tickets(0)
    request = {
        "peer": name, "arrival": tickets["arrival_s"].tolist(), "service": tickets["service_s"].tolist(),
        "patience": np.random.default_rng(1).exponential(PATIENCE_S, len(tickets)).tolist(),
        "kind": tickets["class"].tolist(), "edges": EDGES[: steps + 1].tolist(), "agents": AGENTS[:steps].tolist(),
        "rate": RATE, "shares": list(SHARES), "aht_s": AHT_S, "patience_s": PATIENCE_S, "seed": 1,
    }  # fmt: skip
    found = []
    for _ in range(1 if options.quick else 3):
        done = subprocess.run(
            [str(options.peers), str(Path(__file__).with_name("sim_worker.py"))], input=json.dumps(request) + "\n",
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.append(json.loads(done.stdout))
    best: dict[str, Any] = found[0]
    ours = outcome.summary
    best["ours"] = ours.mean_wait_s, ours.p_wait, ours.p_abandon
    return best | {"per_ticket": median(each["cpu_s"] for each in found) / len(tickets)}


def _child(code: str, **environment: str) -> dict[str, Any]:
    """Run a piece of Python in a process of its own that prints JSON."""
    here = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r})\n{code}"], capture_output=True, text=True,
        check=True, env=os.environ | environment,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _uncompiled(options: Options) -> float:
    runs = 1 if options.quick else 3
    found = _child(
        "import json, time\nfrom parts.simulating import week\n"
        f"start = time.process_time(); o = week({runs})\n"
        f"print(json.dumps({{'s': (time.process_time() - start) / ({runs} * o.summary.offered)}}))",
        STAFFCAST_COMPILE="0",
    )
    return float(found["s"])


def _cores(options: Options) -> str:
    runs, ratios = 16 if options.quick else 400, []
    for _ in range(1 if options.quick else 3):
        took = []
        for processes in (1, 2):
            start = time.perf_counter()
            week(runs, processes=processes)
            took.append(time.perf_counter() - start)
        ratios.append(took[0] / took[1])
    return "\n\n".join([
        "### Two cores",
        prose(f"""{runs} weeks in two processes take the time of one process ÷ {median(ratios):.2f} by the wall
        clock (goal:
        1.8; {os.cpu_count()} cores, shared with other work), the start of the processes included."""),
    ])  # fmt: skip


def _memory(options: Options) -> str:
    runs = 100 if options.quick else 1000
    # Not ru_maxrss: that of a new process begins with what its parent had.
    found = _child(
        "import json, re\nfrom pathlib import Path\nfrom parts.simulating import week\n"
        f"week({runs})\nmost = re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())\n"
        "print(json.dumps({'mb': int(most[1]) / 1024}))"
    )
    most = f"{found['mb']:.0f} MB at most, interpreter included (goal: 500)"
    return f"### Memory\n\n{runs:,} replications of the week: {most}."


def _compared(options: Options) -> str:
    runs = 20 if options.quick else 100
    more = AGENTS.copy()
    more[48:60] += 1
    found = compare(
        Arrivals.piecewise(EDGES, np.full(STEPS, RATE * 3600)),
        {"as planned": Staffing.steps(EDGES, AGENTS), "one more for three hours": Staffing.steps(EDGES, more)},
        Service.exponential(AHT_S), replications=runs, seed=3, **WEEK,
    )  # fmt: skip
    rows = [
        [
            row["measure"], f"{row['difference']:+.5f}", f"{row['low']:+.5f} to {row['high']:+.5f}",
            f"{row['fewer']:,.0f} ×",
        ]
        for row in found.differences.to_dict("records")
        if row["measure"] in ("service_level", "frt_mean_s", "p_abandon")
    ]  # fmt: skip
    rng = np.random.default_rng(1)
    count = 40 if options.quick else 200
    hours = np.maximum(np.sin((np.arange(STEPS) % 96 - 32) / 40 * np.pi), 0.0) * (
        (np.arange(STEPS) % 96 >= 32) & (np.arange(STEPS) % 96 < 72)
    )
    rates = 60.0 * (hours > 0) + 40.0 * hours
    load = rates * AHT_S / 3600
    plan = Staffing.steps(EDGES, np.where(rates > 0, np.ceil(load + 1.2 * np.sqrt(load)), 0))
    paths = rates * rng.gamma(100, 1 / 100, (count, 1))
    outcome = simulate(
        Arrivals.piecewise(EDGES, paths, expected=float(rates.sum() / 4)), plan, Service.lognormal(AHT_S, 1.2),
        replications=count, seed=3, **WEEK,
    )  # fmt: skip
    gain = {m: controlled(outcome, m)["factor"] for m in ("service_level", "frt_mean_s")}
    check = self_check(outcome)
    return "\n\n".join([
        "### Comparing, and less chance",
        prose(f"""The week with one agent more for three hours, {runs} replications of either plan on the same
        tickets. *Fewer*:
        how many times more replications unpaired runs need for an interval as narrow (goal: 50)."""),
        table(["figure", "difference", "95 % interval", "fewer"], rows),
        prose(f"""A desk open by day whose weeks are busier or quieter by 10 %: with the known luck of each week
        taken out
        (`controlled`) the share in time needs {gain["service_level"]:.1f} times fewer replications, the mean first
        response
        time {gain["frt_mean_s"]:.1f} times. The check of that plan says: {check.describe()}."""),
    ])  # fmt: skip


def _start(options: Options) -> str:
    with tempfile.TemporaryDirectory() as folder:
        ds = pd.date_range("2026-03-02", periods=48, freq="30min", tz="Europe/Berlin")
        opened = (ds.hour >= 8) & (ds.hour < 18)
        demand = pd.DataFrame({
            "unique_id": "chat", "ds": ds, "mean": np.where(opened, 30.0, 0.0), "open": opened, "aht_s": 300.0,
            "rate_cv": 0.1, "share_day": 0.5,
        })  # fmt: skip
        demand.to_csv(Path(folder) / "demand.csv", index=False)
        demand.assign(agents=np.where(opened, 8, 0))[["unique_id", "ds", "agents"]].to_csv(
            Path(folder) / "plan.csv", index=False
        )
        asked = [sys.executable, "-m", "staffcast", "simulate", "demand.csv", "plan.csv", "--zone", "Europe/Berlin",
                 "--replications", "100", "-o", "out.csv", "-q"]  # fmt: skip
        took = []
        for _ in range(3 if options.quick else 7):
            start = time.perf_counter()
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(asked, cwd=folder, check=False, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took.append(
                (time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            )
    wall, cpu = (median(values) for values in zip(*took, strict=True))
    all_in = f"{wall:.2f} s by the clock, {cpu:.2f} s of CPU time, all in (goal: 1.5 s)"
    return f"### Start\n\n`staffcast simulate` of a day with 100 replications: {all_in}."
