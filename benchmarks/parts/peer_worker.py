"""Runs in the peers' environment: a task per line of JSON on standard input, its answer per line on standard output.

A request names ``peer``, ``task`` and the task's numbers; the answer has ``cpu_s``, ``answers`` (null where the package
failed) and ``version``, or ``error``. Times are in seconds, loads in erlang.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

QUARTER_S = 900.0

One = Callable[[float], int]


def step_up(load: float, enough: Callable[[int], bool]) -> int:
    """The first stable number that is enough, for packages that have a formula and no search."""
    agents = math.floor(load) + 1
    while not enough(agents):
        agents += 1
    return agents


def pyworkforce(aht: float, share: float, within: float, patience: float | None) -> One:
    """Both models, with a search."""
    from pyworkforce import queuing

    if patience is None:
        return lambda load: queuing.ErlangC(
            transactions=load * QUARTER_S / aht, aht=aht / 60, interval=15, asa=within / 60
        ).required_positions(service_level=share, max_occupancy=1.0)["raw_positions"]
    return lambda load: queuing.ErlangA(
        transactions=load * QUARTER_S / aht, aht=aht / 60, interval=15, asa=within / 60, patience=patience / 60
    ).required_positions(service_level=share)["raw_positions"]


def call_center_tools(aht: float, share: float, within: float, patience: float | None) -> One:
    """Erlang C, with a search."""
    from call_center_tools import calc_staffing

    return lambda load: (
        calc_staffing(
            load * 3600 / aht, aht, max_occupancy=1.0, target_answer_time=within, target_service_level=share
        ).agents
    )


def callcenterdim(aht: float, share: float, within: float, patience: float | None) -> One:
    """Erlang C, with a search."""
    from callcenterdim.Dimensionamento import AgentsReq

    return lambda load: AgentsReq(load * QUARTER_S / aht, QUARTER_S / 60, aht, share, within)


def erlanglib(aht: float, share: float, within: float, patience: float | None) -> One:
    """Erlang C in a thousand decimal digits, without a search."""
    from erlanglib import core

    return lambda load: step_up(
        load, lambda n: core.service_level(n, load, core.erlang_c(n, load), within, aht) >= share
    )


def wfmplan(aht: float, share: float, within: float, patience: float | None) -> One:
    """Erlang C, with a search."""
    from wfmplan import Optimizer

    return lambda load: Optimizer(
        exp_vol=load * QUARTER_S / aht, aht=aht, interval=int(QUARTER_S), sla=share, st=within, method="sla"
    ).predict()["agent_req"]


def pyqueueing(aht: float, share: float, within: float, patience: float | None) -> One:
    """Both models, with a search; the service level of Erlang A is an approximation."""
    from pyqueueing.models.erlang_c import ErlangC
    from pyqueueing.planner import CallCenterPlanner

    if patience is None:
        return lambda load: ErlangC(load / aht, 1 / aht).required_servers(target_service_level=(within, share))
    return lambda load: CallCenterPlanner(load / aht, 1 / aht, 1 / patience).required_agents(
        target_service_level=(within, share)
    )["erlang_a"]


def most_queue(aht: float, share: float, within: float, patience: float | None) -> One:
    """Erlang C, without a search; of Erlang A no service level."""
    from most_queue.theory.fifo.erlang import erlang_c_formula

    return lambda load: step_up(
        load, lambda n: 1 - erlang_c_formula(load, n) * math.exp(-(n - load) * within / aht) >= share
    )


def line_solver(aht: float, share: float, within: float, patience: float | None) -> One:
    """Erlang C with a search, Erlang A without."""
    from line_solver.api.qsys import qsys_erlanga, qsys_mmk_qed_staffing

    if patience is None:
        target = {"deadline": within, "level": share}
        return lambda load: qsys_mmk_qed_staffing(load / aht, 1 / aht, target, "servicelevel", exact=True)["numServers"]

    def smallest(load: float) -> int:
        too_few, enough = 0, math.ceil(load + 5 * math.sqrt(load) + 5)
        while enough - too_few > 1:
            agents = (too_few + enough) // 2
            found = qsys_erlanga(load / aht, 1 / aht, 1 / patience, agents, wPoints=[within])
            answered = float(found["cdfWaitServed"][0]) * found["probServed"]
            too_few, enough = (too_few, agents) if answered >= share else (agents, enough)
        return enough

    return smallest


# name: (package, its staffing call, whether it also has Erlang A's service level)
PEERS: dict[str, tuple[str, Callable[..., One], bool]] = {
    "pyworkforce": ("pyworkforce", pyworkforce, True),
    "call-center-tools": ("call-center-tools", call_center_tools, False),
    "callcenterdim": ("CallCenterDim", callcenterdim, False),
    "erlanglib": ("erlanglib", erlanglib, False),
    "wfmplan": ("wfmplan", wfmplan, False),
    "pyqueueing": ("pyqueueing", pyqueueing, True),
    "most_queue": ("most-queue", most_queue, False),
    "line-solver": ("line-solver", line_solver, True),
}


def staff(request: dict[str, Any]) -> dict[str, Any]:
    """Agents per load, and the CPU time."""
    package, build, has_patience = PEERS[request["peer"]]
    patience = request.get("patience_s")
    if patience is not None and not has_patience:
        return {"error": "no Erlang A with a service level"}
    one = build(request["aht_s"], request["share"], request["within_s"], patience)
    answers: list[int | None] = []
    start = time.process_time()
    for load in request["load"]:
        try:
            answers.append(int(one(load)))
        except (ArithmeticError, KeyError, RuntimeError, ValueError):
            answers.append(None)
    return {"cpu_s": time.process_time() - start, "answers": answers, "version": version(package)}


def with_shrinkage(request: dict[str, Any]) -> dict[str, Any]:
    """Positions with shrinkage where pyworkforce needs ``agents`` without."""
    from pyworkforce.queuing import ErlangC

    for tenths in range(10, 10 * request["agents"]):
        found = ErlangC(transactions=tenths * 0.3, aht=5, interval=15, asa=1 / 3, shrinkage=request["shrinkage"])
        answer = found.required_positions(service_level=0.8)
        if answer["raw_positions"] == request["agents"]:
            return {"answers": [answer["positions"]], "version": version("pyworkforce")}
    return {"error": "no such load"}


def service_level_a(request: dict[str, Any]) -> dict[str, Any]:
    """Service level of Erlang A by pyworkforce."""
    from pyworkforce.queuing import ErlangA

    queue = ErlangA(transactions=request["load"] * QUARTER_S / request["aht_s"], aht=request["aht_s"] / 60, interval=15,
                    asa=request["within_s"] / 60, patience=request["patience_s"] / 60)  # fmt: skip
    return {"answers": [queue.service_level(request["agents"])], "version": version("pyworkforce")}


def python(request: dict[str, Any]) -> dict[str, Any]:
    """The Python that runs here."""
    return {"version": platform.python_version()}


TASKS = {"python": python, "staff": staff, "shrinkage": with_shrinkage, "service_level_a": service_level_a}


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                answer = TASKS[request["task"]](request)
        except (ImportError, AttributeError, TypeError) as problem:
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
