"""The worst relative error of each model against many more digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mpmath
import numpy as np
import numpy.typing as npt

from parts.common import Options, table
from parts.exact import Figures, attempts, chain, erlang_bc
from staffcast.erlang import erlang_b, erlang_c, performance

TITLE = "Accuracy"

Floats = npt.NDArray[np.float64]
SMALLEST = mpmath.mpf(10) ** -300


@dataclass
class Worst:
    """The worst of a model so far."""

    model: str
    points: int = 0
    scaled: float = 0.0
    plain: float = 0.0
    where: str = ""
    impossible: int = 0
    least: float = 1.0

    def see(self, found: float, true: mpmath.mpf, condition: float, where: str) -> None:
        """Take in one point; ``condition`` is |d ln f ÷ d ln load| there."""
        self.points += 1
        if not 0 <= found <= max(1, 2 * true) or (true < SMALLEST and found > 1e-290):
            self.impossible += 1
        if true < SMALLEST:
            return
        self.least = min(self.least, float(true))
        with mpmath.workdps(40):
            error = float(abs(mpmath.mpf(found) / true - 1))
        self.plain = max(self.plain, error)
        if error / max(1.0, condition) > self.scaled:
            self.scaled, self.where = error / max(1.0, condition), where


def loads_and_agents(options: Options) -> tuple[Floats, Floats]:
    """Three random clouds (anywhere, within seven standard deviations of balance, usual sizes) and the edges."""
    rng = np.random.default_rng(5)
    each = 700 if options.quick else 5000
    wide = np.exp(rng.uniform(np.log(1e-3), np.log(1e6), each))
    near = np.exp(rng.uniform(np.log(1e-2), np.log(1e6), each))
    usual = np.floor(np.exp(rng.uniform(0, np.log(400), each)))
    edges = np.array(
        [1e-3, 0.1, 0.5, 0.99, 1, 2, 2.999, 3, 10, 11.999, 12, 16, 17, 32, 64, 170, 171, 999.5, 1e4, 1e5, 1e6]
    )
    ratio = np.array(
        [1e-3, 0.1, 0.5, 0.9, 1 - 1e-6, 1 - 1e-12, 1, 1 + 1e-9, 1.05, 1.2, 1.5999, 1.6, 1.6001, 3, 100, 1e3]
    )
    load = [
        wide * np.exp(rng.uniform(np.log(1e-3), np.log(1e3), each)),
        np.abs(near + rng.uniform(-7, 7, each) * np.sqrt(near)),
        usual * np.exp(rng.uniform(-1.5, 0.8, each)), np.outer(edges, ratio).ravel(), edges + 1,
    ]  # fmt: skip
    return np.concatenate(load), np.concatenate([wide, near, usual, np.repeat(edges, len(ratio)), edges])


def erlang_b_and_c(options: Options) -> Iterator[Worst]:
    """Erlang B and C, real agents."""
    load, agents = loads_and_agents(options)
    b, c = Worst("Erlang B"), Worst("Erlang C, load below agents")
    found = zip(load.tolist(), agents.tolist(), erlang_b(load, agents), erlang_c(load, agents), strict=True)
    for a, n, of_b, of_c in found:
        true = erlang_bc(a, n)
        where = f"{a:.6g} erlang, {n:.6g} agents"
        b.see(of_b, true.b, true.condition_b, where)
        if a < n:
            c.see(of_c, true.c, true.condition_c, where)
    yield from (b, c)


@dataclass(frozen=True)
class Case:
    """One queue with patience, places, redials or conversations; times in seconds."""

    hourly: float
    agents: int
    ahts: tuple[float, ...]
    within: float
    patience: float | None = None
    places: int | None = None
    redial: float = 0.0

    def found(self) -> dict[str, float]:
        """The figures of ``performance``."""
        chats = len(self.ahts) > 1
        result = performance(
            arrivals_per_hour=self.hourly, aht_s=self.ahts[0], agents=self.agents, target_s=self.within,
            patience_s=self.patience, capacity=self.places, redial=self.redial, concurrency=len(self.ahts),
            aht_by_concurrency_s=self.ahts if chats else None, model="chat" if chats else None,
        )  # fmt: skip
        return {name: float(getattr(result, name)) for name in Figures._fields}

    def true(self, more: mpmath.mpf) -> Figures:
        """The figures at ``1 + more`` times the rate."""
        rate = mpmath.mpf(self.hourly) / 3600 * (1 + more)
        theta = mpmath.mpf(0) if self.patience is None else 1 / mpmath.mpf(self.patience)

        def at(each: mpmath.mpf) -> Figures:
            return chain(each, self.agents, self.ahts, theta, self.places, self.within)

        if self.redial:
            rate = attempts(rate, self.redial, lambda each: at(each).abandon_prob)
        return at(rate)

    def __str__(self) -> str:
        load = self.hourly / 3600 * self.ahts[0]
        return f"{load:.4g} erlang, {self.agents} agents" + (f" × {len(self.ahts)}" if len(self.ahts) > 1 else "")


def seen(model: str, cases: list[Case]) -> Worst:
    """The worst over all figures of the cases."""
    worst, step = Worst(model), mpmath.mpf(10) ** -20
    for case in cases:
        found = case.found()
        with mpmath.workdps(50):
            true, moved = case.true(mpmath.mpf(0)), case.true(step)
            for name in Figures._fields:
                value = getattr(true, name)
                condition = float(abs(getattr(moved, name) / value - 1) / step) if value else 0.0
                worst.see(found[name], value, condition, f"`{name}`, {case}")
    return worst


def cloud(rng: np.random.Generator, most: int, count: int) -> Iterator[tuple[float, int, float, float, float]]:
    """(tickets an hour, agents, AHT, patience, time waited): from half empty to a fifth too much, usual times."""
    for _ in range(count):
        agents, aht = int(np.exp(rng.uniform(0, np.log(most)))), float(np.exp(rng.uniform(3, 8)))
        load = agents * float(rng.choice([rng.uniform(0.3, 1.2), 1 + rng.normal() / np.sqrt(agents)]))
        patience, within = (float(aht * np.exp(rng.uniform(*ends))) for ends in ((-4, 2), (-5, 1.5)))
        yield max(load, 0.02) * 3600 / aht, agents, aht, patience, within


def with_patience(options: Options) -> Iterator[Worst]:
    """Erlang A and Erlang X."""
    rng, many = np.random.default_rng(6), not options.quick
    cases = [Case(r, n, (aht,), w, p) for r, n, aht, p, w in cloud(rng, 2000, 160 if many else 30)]
    large = [(9.99e4, 10**5), (1.004e5, 10**5), (9.7e4, 10**5)][: 3 if many else 1]
    yield seen("Erlang A", cases + [Case(load * 12, n, (300.0,), 20.0, 240.0) for load, n in large])
    yield seen("Erlang X", [
        Case(r, n, (aht,), w, p, redial=float(rng.uniform(0.05, 0.9)))
        for r, n, aht, p, w in cloud(rng, 120, 40 if many else 8)
    ])  # fmt: skip


def with_places(options: Options) -> Iterator[Worst]:
    """M/M/c/K, with and without patience."""
    rng, many = np.random.default_rng(7), 160 if not options.quick else 30
    for patient, name in ((False, "M/M/c/K"), (True, "M/M/c/K with patience")):
        yield seen(name, [
            Case(r, n, (aht,), w, p if patient else None, places=n + int(np.exp(rng.uniform(0, 5.5))))
            for r, n, aht, p, w in cloud(rng, 2000, many)
        ])  # fmt: skip


def with_chats(options: Options) -> Iterator[Worst]:
    """Conversations spread evenly, with and without patience, and one very large crew."""
    rng, many = np.random.default_rng(8), not options.quick
    cases = []
    for rate, agents, aht, patience, within in cloud(rng, 120, 80 if many else 16):
        slots = int(rng.integers(2, 6))
        ahts = aht * (1 + float(rng.uniform(0, 0.8)) * np.arange(slots))
        hourly = rate * slots * ahts[0] / ahts[-1] * 0.95
        patient = patience if hourly / 3600 >= agents * slots / ahts[-1] or rng.random() < 0.5 else None
        cases.append(Case(hourly, agents, tuple(ahts.tolist()), within, patient))
    large = [Case(71_000.0, 2000, (300.0, 330.0, 380.0, 430.0, 500.0), 30.0, 600.0)]
    yield seen("chat", cases + large)


# A further model is one more function here that yields its worst.
MODELS: list[Callable[[Options], Iterator[Worst]]] = [erlang_b_and_c, with_patience, with_places, with_chats]


def measure(options: Options) -> str:
    """The table of the worst errors."""
    rows = [
        (w.model, w.points, f"{w.scaled:.1e}", w.where, f"{w.plain:.1e}", f"{w.least:.0e}", w.impossible)
        for model in MODELS
        for w in model(options)
    ]
    return (
        "Erlang B and C against sums at 60 digits; 0.001 to 1,000 erlang per agent, 0.001 to 1,000,000 agents, whole\n"
        "or not. The others through `performance` against the balance of their chain, state by state at 50 digits:\n"
        f"{', '.join(f'`{name}`' for name in Figures._fields)}; 1 to 2,000\n"
        "agents (Erlang A also 100,000, chat also 2,000 × 5 slots, Erlang X to 120), 0.3 to 1.2 erlang per agent,\n"
        "patience from 0.02 to 7 handle times.\n\n"
        "*Scaled* is the relative error divided by the larger of 1 and |d ln f ÷ d ln load|, so 1e-15 is what an\n"
        "error of 1e-15 in the load alone would do; the goal is 1e-12. *Plain* is the relative error itself, down to\n"
        "tails of 1e-300. *Impossible*: NaN, outside its range, or not gone where the truth is below 1e-300.\n\n"
        + table(["model", "points", "worst, scaled", "where", "worst, plain", "least figure", "impossible"], rows)
    )
