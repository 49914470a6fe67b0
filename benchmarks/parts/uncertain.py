"""A rate that is itself uncertain: agents with and without knowing it, and what they deliver in simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from parts.common import Options, prose, table
from parts.events import days_in_time
from staffcast.erlang import Target, performance, required_agents, staff_over_time, transient_performance

TITLE = "Uncertain rate"

Floats = npt.NDArray[np.float64]
HOURLY, AHT_S, WITHIN_S, CV = 1200.0, 300.0, 20.0, 0.1
TARGET = Target.share(0.8, within_s=WITHIN_S)
DAY_H = 10


def rates_of_tickets(rng: np.random.Generator, strata: int) -> Floats:
    """Rates per second, two in each of so many equally likely strata, as tickets see them.

    A day counts as often as it has tickets: gamma with shape 1/cv² is then gamma with shape 1/cv² + 1 of the same
    scale, and the mean of the days' shares is the share over tickets.
    """
    shape = 1 / CV**2
    u = (np.repeat(np.arange(strata), 2) + rng.random(2 * strata)) / strata
    return np.asarray(special.gammaincinv(shape + 1, u) / shape * HOURLY / 3600)


def mean_and_error(shares: Floats) -> tuple[float, float]:
    """Mean, and its standard error from the two days of each stratum."""
    pairs = shares.reshape(-1, 2)
    return float(shares.mean()), float(np.sqrt(((pairs[:, 0] - pairs[:, 1]) ** 2 / 4).sum()) / len(pairs))


def in_balance(rng: np.random.Generator, agents: int, strata: int, hours: int) -> tuple[float, float]:
    """Share in time over long spells; those above capacity are missed altogether."""
    rates = rates_of_tickets(rng, strata)
    stable = rates * AHT_S < agents
    shares, skip = np.zeros(len(rates)), 3600.0 * hours / 5
    offered, hit = days_in_time(
        rng, rates[stable], [agents], step=3600.0 * hours, aht=AHT_S, within=WITHIN_S, skip=skip
    )
    shares[stable] = hit[:, 0] / offered[:, 0]
    return mean_and_error(shares)


def over_days(rng: np.random.Generator, crews: list[int], strata: int) -> tuple[tuple[float, float], Floats]:
    """Share in time over days that start empty, with its error, and the share by hour of the day."""
    offered, hit = days_in_time(
        rng, rates_of_tickets(rng, strata), crews, step=3600.0 * DAY_H / len(crews), aht=AHT_S, within=WITHIN_S
    )
    by_hour = (hit / np.maximum(offered, 1)).mean(axis=0)
    return mean_and_error(hit.sum(axis=1) / offered.sum(axis=1)), by_hour


def measure(options: Options) -> str:
    """Both tables."""
    rng = np.random.default_rng(23)
    strata, hours = (20, 10) if options.quick else (75, 25)
    asked: dict[str, Any] = {"arrivals_per_hour": HOURLY, "aht_s": AHT_S}
    known = int(required_agents(**asked, target=TARGET).agents)
    wary = int(required_agents(**asked, target=TARGET, rate_cv=CV).agents)
    rows = []
    for name, agents in (
        ("known rate (Erlang C)", known),
        ("`rate_cv=0.1`", wary),
        ("`rate_cv=0.1`, one fewer", wary - 1),
    ):
        told = float(performance(**asked, agents=agents, target_s=WITHIN_S, rate_cv=CV).service_level)
        mean, error = in_balance(rng, agents, strata, hours)
        rows.append((name, agents, f"{100 * told:.2f} %", f"{100 * mean:.2f} ± {100 * error:.2f} %"))
    spells = prose(
        f"""100 erlang (1,200 tickets an hour of 300 s) with a rate of 10 % standard deviation, 80 % in {WITHIN_S:g} s.
        Shares are over tickets, of which busy spells and days have more.""",
        f"""*In balance*: {2 * strata} spells of {hours} h (about {hours * 1200:,} tickets, the first fifth not
        counted), each with its own rate from the gamma; spells above capacity are missed altogether, as in the theory.
        ± is the standard error from spells as the unit, two per stratum of the rate. Spells just below capacity are
        too short to come into balance and make the simulation a little better than the theory.""",
    )
    in_spells = table(["staffed for", "agents", "in time, by the formula", "in time, simulated"], rows)
    day: dict[str, Any] = {
        "arrivals_per_hour": np.full(DAY_H, HOURLY),
        "aht_s": AHT_S,
        "interval_s": 3600.0,
        "rate_cv": CV,
    }
    plan = staff_over_time(**day, target=TARGET).agents.tolist()
    of_days: list[tuple[object, ...]] = []
    plans = (
        ("known rate (Erlang C)", [known] * DAY_H), ("`rate_cv=0.1`, in balance", [wary] * DAY_H),
        ("`staff_over_time`, `rate_cv=0.1`", plan),
    )  # fmt: skip
    for name, crews in plans:
        levels = transient_performance(**day, agents=crews, target_s=WITHIN_S).service_level
        (mean, error), by_hour = over_days(rng, crews, strata)
        of_days.append((
            name, "–".join(str(each) for each in sorted({min(crews), max(crews)})), sum(crews),
            f"{100 * mean:.2f} ± {100 * error:.2f} %", f"{100 * levels.mean():.2f} %",
            f"{100 * by_hour.min():.1f} %", f"{100 * levels.min():.1f} %",
        ))  # fmt: skip
    days = prose(
        f"""*Days*: the rate is drawn once for a day of {DAY_H} h that starts empty, {2 * strata} days; an overloaded
        day then stays finite, and the crew needed is smaller than in balance. The package's figures are those of
        `transient_performance` for the same plan."""
    )
    head = ["staffed for", "agents", "agent-hours", "in time, simulated", "by the package", "worst hour, simulated",
            "by the package"]  # fmt: skip
    return "\n\n".join([spells, in_spells, days, table(head, of_days)])
