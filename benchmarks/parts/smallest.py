"""Whether the solver's number is the smallest that meets the rules, by trying every number from one on."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from parts.by_chain import KINDS, a_need
from parts.common import Options, table
from staffcast.erlang import Band, Target, required_agents

TITLE = "Smallest number of agents"

# A rule that is met exactly is met: the same tolerance as the solver's.
TIE = 1e-12


def crews(load: float) -> Iterator[tuple[int, float]]:
    """(agents, Erlang C) for the stable numbers of agents, upwards, by the recursion over agents."""
    inverse, agents = 1.0, 0
    while True:
        agents += 1
        inverse = 1 + inverse * agents / load
        if agents > load:
            b = 1 / inverse
            yield agents, agents * b / (agents - load * (1 - b))


def misses(load: float, agents: int, c: float, aht: float, target: Target) -> float:
    """How far the figure is from its limit, as a factor: met at 1 and below."""
    if target.kind == "mean":
        return c * aht / (agents - load) / target.seconds
    return c * math.exp(-(agents - load) * target.seconds / aht) / (1 - target.level)


def by_trying(load: float, aht: float, target: Target, top: float | None, minimum: int) -> int:
    """The smallest number by plain search."""
    for agents, c in crews(load):
        if (
            agents >= minimum
            and misses(load, agents, c, aht, target) <= 1 + TIE
            and (top is None or load <= top * agents * (1 + TIE))
        ):
            return agents
    raise AssertionError


def a_case(rng: np.random.Generator, kind: str) -> tuple[float, float, Target, Band | None, int]:
    """(arrivals per hour, AHT, target, band, minimum) at random; of kind ``tie`` one that is met exactly."""
    aht = float(np.exp(rng.uniform(np.log(20), np.log(3600))))
    load = float(np.exp(rng.uniform(np.log(0.01), np.log(600))))
    seconds = float(np.exp(rng.uniform(np.log(1), np.log(2400))))
    level = float(rng.uniform(0.3, 0.995))
    minimum = int(rng.integers(0, 8)) if rng.random() < 0.3 else 0
    band = Band(bottom=0.0, top=float(rng.uniform(0.5, 1))) if rng.random() < 0.5 else None
    target = {"share": Target.share(level, within_s=seconds), "mean": Target.mean(seconds),
              "percentile": Target.percentile(level, seconds)}.get(kind)  # fmt: skip
    rate = load * 3600 / aht
    if target is None:  # a tie: the target, or the band, is exactly what some number of agents gives
        load = rate * aht / 3600
        agents, c = next(crew for crew in crews(load) if crew[0] > load + rng.uniform(0, 3) * math.sqrt(load))
        way = int(rng.integers(3))
        if way == 0 and 0.02 < (share := 1 - c * math.exp(-(agents - load) * seconds / aht)) < 0.9999:
            return rate, aht, Target.share(share, within_s=seconds), None, 0
        if way == 1 and (wait := c * aht / (agents - load)) > 1e-6:
            return rate, aht, Target.mean(wait), None, 0
        return rate, aht, Target.share(0.5, within_s=1e5), Band(bottom=0.0, top=load / agents), 0
    return rate, aht, target, band, minimum


def measure(options: Options) -> str:
    """The table of cases and wrong answers."""
    rng = np.random.default_rng(17)
    rows = []
    for kind in ("share", "mean", "percentile", "tie"):
        count, wrong, first = 400 if options.quick else 3000, 0, ""
        for _ in range(count):
            rate, aht, target, band, minimum = a_case(rng, kind)
            true = by_trying(rate * aht / 3600, aht, target, None if band is None else band.top, minimum)
            found = required_agents(arrivals_per_hour=rate, aht_s=aht, target=target, band=band, minimum=minimum).agents
            if int(found) != true:
                wrong += 1
                first = first or f"{rate:.6g} an hour of {aht:.6g} s, {target}, {band}: {int(found)}, not {true}"
        rows.append((kind, count, wrong, first or "–"))
    others = []
    for kind in KINDS:
        count, wrong, first = 20 if options.quick else 400, 0, ""
        for _ in range(count):
            need = a_need(rng, kind)
            answer, smallest = need.found(), need.smallest()
            if answer != smallest:
                wrong += 1
                first = first or f"{need}: {answer}, not {smallest}"
        others.append((kind, count, wrong, first or "–"))
    return (
        "Erlang C, 0.01 to 600 erlang, 20 s to an hour of handle time, 1 s to 40 minutes of wait, with and without a\n"
        "band and a minimum, each against a plain search from one agent on by the recursion. *Tie*: the target or the\n"
        "band is exactly what some number of agents gives; that number is then enough.\n\n"
        + table(["target", "cases", "wrong", "the first"], rows)
        + "\n\nThe other models, 0.05 to 40 erlang (Erlang X to 15), all kinds of target, with and without a band,\n"
        "against a plain search from one agent on over the weights of all states of the chain in double precision.\n\n"
        + table(["model", "cases", "wrong", "the first"], others)
    )
