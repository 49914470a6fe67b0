"""Large logs: counts and KPIs of 20 million tickets, memory and time beside plain pandas, and the import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from parts.common import Options, figure, prose, table
from parts.logs_data import write_log

TITLE = "Large logs"

_ROADS = {
    "plain": "plain pandas, calendar clock",
    "calendar": "staffcast, calendar clock",
    "business": "staffcast, business hours",
}


def _road(road: str, path: Path) -> dict[str, Any]:
    """One road in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("logs_worker.py")), road, str(path)], capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _middling(road: str, path: Path, runs: int) -> dict[str, Any]:
    found = [_road(road, path) for _ in range(runs)]
    return found[0] | {name: median(each[name] for each in found) for name in ("wall_s", "cpu_s", "gb")}


def _row(name: str, rows: int, found: dict[str, Any], plain: dict[str, Any] | None) -> list[str]:
    ratio = ""
    if plain is not None:
        ratio = " / ".join(f"{plain[k] / found[k]:.1f} ×" for k in ("cpu_s", "wall_s"))
    cells = [figure(found[k]) for k in ("cpu_s", "wall_s", "gb")]
    return [name, f"{rows:,}", *cells, figure(1e6 * found["cpu_s"] / rows), ratio]


def measure(options: Options) -> str:
    """The page's tables."""
    many, few = (400_000, 200_000) if options.quick else (20_000_000, 2_000_000)
    runs = 1 if options.quick else 3
    rows: list[list[str]] = []
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for ending in ("parquet", "csv"):
            path = folder / f"few.{ending}"
            write_log(path, few)
            found = {road: _middling(road, path, runs) for road in _ROADS}
            for road, title in _ROADS.items():
                plain = None if road == "plain" else found["plain"]
                rows.append(_row(f"{ending}: {title}", few, found[road], plain))
            ratios += [found["plain"][k] / found["calendar"][k] for k in ("cpu_s", "wall_s")]
            # Both by the calendar, so their quantiles are the same numbers.
            assert abs(found["plain"]["sums"][1] / found["calendar"]["sums"][1] - 1) < 1e-9
        imported = _road("import", folder / "few.csv")
        (folder / "few.csv").unlink()
        path = folder / "many.parquet"
        write_log(path, many)
        size = path.stat().st_size
        large = {road: _road(road, path) for road in ("calendar", "business")}
        most, best = max(found["gb"] for found in large.values()), max(ratios)
        rows += [_row(f"parquet: {_ROADS[road]}", many, took, None) for road, took in large.items()]
    head = [
        "what",
        "tickets",
        "CPU, s",
        "wall, s",
        "memory, GB",
        "CPU, µs a ticket",
        "beside plain pandas (CPU / wall)",
    ]
    return "\n\n".join([
        prose(
            f"""Hourly counts per queue and the KPIs by queue and hour of a generated log of two years and six queues,
            the file read once for both ({many:,} tickets are {size / 1e6:,.0f} MB of Parquet). Memory is the most that
            the process ever had, interpreter included (goal: 3 GB). CPU time is of all threads, loading of packages not
            included; the wall clock ran on {os.cpu_count()} cores that other work shares.""",
            """*Plain pandas* is what an analyst would write: read the file, group by, quantiles; it checks nothing (no
            ids that stand twice, no times out of order, no gaps), knows no business clock, and needs the whole log in
            memory, about half a kilobyte a ticket. staffcast checks all that, and its times include it.""",
        ),
        table(head, rows),
        prose(
            f"""The goal of 3 GB is {"met" if most < 3 else "missed"}. That of five times faster than plain pandas is
            {"met" if best >= 5 else "missed"}: the best of the last column is {best:.1f} ×. Importing {few:,}
            rows of the CSV (recognised, cleaned, people made codes, written as Parquet) takes
            {imported["cpu_s"]:,.0f} s of CPU, {1e6 * imported["cpu_s"] / few:.0f} µs a row, and
            {imported["gb"]:.2f} GB;
            it reads in chunks; 20 million rows were not imported here."""
        ),
    ])  # fmt: skip
