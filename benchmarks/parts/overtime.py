"""A day whose demand changes within the handle time: what each method staffs and what that gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from parts.common import Options, cpu_s, prose, table
from parts.forward import in_time_by_hour
from staffcast.erlang import Target, staff_over_time

TITLE = "Demand that changes within the handle time"

AHT_H, PATIENCE_H, WITHIN_H = 0.75, 2.0, 1 / 6
# What the methods of the literature are said to need and to reach on this day.
CLAIMED = {"sipp": "360 and 16 %", "mol": "361 and 76 %", "mol_max": "399 and 87 %"}
METHODS: dict[Any, str] = {
    "sipp": "each hour on its own (SIPP)", "lagged": "lagged by the AHT", "mol": "modified offered load, mean",
    "mol_max": "modified offered load, maximum", "carryover": "backlog carryover", "transient": "exact, searched",
}  # fmt: skip


def rate(h: float) -> float:
    """Tickets per hour at ``h`` o'clock."""
    return 5 + 55 * math.exp(-(((h - 13) / 3) ** 2))


def day(options: Options) -> str:
    """Agent-hours and worst hour by method."""
    pieces = 60
    rates = [[rate(hour + (k + 0.5) / pieces) for k in range(pieces)] for hour in range(24)]
    asked: dict[str, Any] = {
        "arrivals_per_hour": rates, "aht_s": AHT_H * 3600, "interval_s": 3600, "patience_s": PATIENCE_H * 3600,
        "target": Target.share(0.8, within_s=600), "start": rate(0) * AHT_H,
    }  # fmt: skip
    rows, apart, edge = [], 0.0, 0.0
    for method, name in METHODS.items():
        found = staff_over_time(**asked, method=method)
        true, last = in_time_by_hour(
            rate, found.agents.tolist(), aht_h=AHT_H, patience_h=PATIENCE_H, within_h=WITHIN_H, start=rate(0) * AHT_H
        )
        worst, edge = int(true.argmin()), max(edge, last)
        apart = max(apart, float(np.abs(true - found.service_level).max()))
        rows.append((
            f"`{method}`: {name}", f"{found.agent_hours:.0f}", f"{100 * true.min():.2f} %", f"{worst}–{worst + 1} h",
            int((true < 0.8 - 1e-6).sum()), CLAIMED.get(method, "–"),
        ))  # fmt: skip
    text = prose(
        """λ(h) = 5 + 55·exp(−((h − 13)/3)²) tickets an hour, AHT 45 min, mean patience 2 h, one crew an hour, 80 % of
        the offered in 10 min. The worst hour is not the package's own figure: the Kolmogorov equations of the chain are
        integrated here (relative tolerance 1e-9) with every ticket's wait through the changes of staff. The goal is
        80 % in every hour with at most 380 agent-hours. *As claimed*: agent-hours and worst hour that this day is said
        to have with the methods of the literature."""
    )
    after = prose(
        f"""The package's own service levels of all these hours are within {apart:.0e} of the integrated ones (at most
        {edge:.0e} of the mass in the last state of the truncated chain)."""
    )
    head = ["method", "agent-hours", "worst hour", "which", "hours below 80 %", "as claimed"]
    return f"{text}\n\n{table(head, rows)}\n\n{after}"


def week(loads: np.ndarray[Any, np.dtype[np.float64]], **asked: Any) -> tuple[float, float]:
    """CPU seconds and worst service level of a staffing over time."""
    found: list[Any] = []
    took = cpu_s(lambda: found.append(staff_over_time(arrivals_per_hour=loads * 3600 / asked["aht_s"], **asked)))
    busy = loads > 0
    return took, float(found[0].service_level[busy].min())


def times(options: Options) -> str:
    """CPU time of long stretches."""
    rows = []
    waves = 150.5 + 149.5 * np.sin(np.arange(672) * 2 * np.pi / 96 - 2)
    shuffled = np.random.default_rng(21).permutation(np.linspace(1, 300, 96))
    quarter: dict[str, Any] = {"aht_s": 300.0, "interval_s": 900.0, "target": Target.share(0.8, within_s=20)}
    cases = {"a week of 672 quarter hours, 1 to 300 erlang in daily waves, AHT 5 min, 80 % in 20 s": (waves, quarter)}
    if not options.quick:
        cases["a day of 96 quarter hours, 1 to 300 erlang in random order, otherwise the same"] = (shuffled, quarter)
        cases["the week with a mean patience of 5 min"] = (waves, quarter | {"patience_s": 300.0})
    days = np.repeat(np.arange(28), 48)
    inside = np.arange(28 * 48) % 48 >= 1  # closed for half an hour a night
    desk = np.where(inside, 5.5 + 4.5 * np.sin(np.arange(28 * 48) * 2 * np.pi / 48 - 1.6), 0.0)
    help_desk: dict[str, Any] = {
        "aht_s": 900.0, "interval_s": 1800.0, "target": Target.share(0.8, within_s=300), "rate_cv": 0.15, "day": days,
        "opened": inside,
    }  # fmt: skip
    weeks = 1 if options.quick else 4
    much = "1 week" if weeks == 1 else f"{weeks} weeks"
    upto = weeks * 7 * 48
    short = {**help_desk, "day": days[:upto], "opened": inside[:upto]}
    count = int(inside[:upto].sum())
    name = f"help desk, {count:,} open half hours in {much}, 1 to 10 erlang, AHT 15 min, 80 % in 5 min, `rate_cv` 0.15"
    cases[name] = (desk[:upto], short)
    for name, (loads, asked) in cases.items():
        took, worst = week(loads, **asked)
        rows.append((name, f"{took:.1f}", f"{1e3 * took / int((loads > 0).sum()):.1f}", f"{100 * worst:.2f} %"))
    return "CPU time of one `staff_over_time`, method `transient`, once each:\n\n" + table(
        ["stretch", "s", "ms an interval", "worst interval, by its own figures"], rows
    )


def measure(options: Options) -> str:
    """Both tables."""
    return f"{day(options)}\n\n{times(options)}"
