"""One road from a log to counts and KPIs, in a process of its own: ``logs_worker.py ROAD FILE``; prints JSON."""

from __future__ import annotations

import importlib
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

ZONE = "Europe/Berlin"
HOURS = {"mon-fri": "08:00-18:00"}
CUTS = ("queue", "hour")


def plain_read(path: Path) -> pd.DataFrame:
    """A log in memory as an analyst reads it."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    frame = pd.read_csv(path)
    for column in ("created_at", "offered_at", "first_response_at", "resolved_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601").dt.tz_convert(ZONE)
    return frame


def plain_count(frame: pd.DataFrame) -> pd.DataFrame:
    """Hourly counts and handle times per queue, every hour of the span."""
    seen = frame.dropna(subset=["offered_at"])
    hour = seen["offered_at"].dt.tz_convert("UTC").dt.floor("h").rename("ds")
    counted = seen.groupby(["queue", hour])["handle_s"].agg(y="size", aht_s="mean")
    span = pd.date_range(hour.min(), hour.max(), freq="h")
    return counted.reindex(pd.MultiIndex.from_product([sorted(seen["queue"].unique()), span])).fillna({"y": 0})


def plain_kpis(frame: pd.DataFrame, by: tuple[str, ...]) -> pd.DataFrame:
    """The plain KPIs by the calendar clock."""
    frame = frame.assign(hour=frame["created_at"].dt.hour)
    volume = frame.groupby(list(by)).agg(
        volume=("ticket_id", "size"), bot_share=("offered_at", lambda s: s.isna().mean())
    )
    seen = frame.dropna(subset=["offered_at"]).copy()
    seen["hour"] = seen["offered_at"].dt.hour
    seen["frt"] = (seen["first_response_at"] - seen["offered_at"]).dt.total_seconds()
    seen["art"] = (seen["resolved_at"] - seen["created_at"]).dt.total_seconds()
    until = seen["first_response_at"].fillna(seen["resolved_at"]).fillna(seen["created_at"].max())
    seen["waited"] = (until - seen["offered_at"]).dt.total_seconds()
    seen["answered"] = seen["frt"].notna()
    seen["abandoned"] = seen["outcome"] == "abandoned"
    seen["unanswered"] = ~seen["answered"] & ~seen["abandoned"]
    seen["within"] = seen["frt"] <= 60
    seen["decided"] = ~(seen["unanswered"] & (seen["waited"] <= 60))
    seen["again"] = seen["reopens"] > 0
    seen["satisfied"] = (seen["csat"] >= 4).where(seen["csat"].notna())
    groups = seen.groupby(list(by))
    table = groups.agg(
        offered=("ticket_id", "size"), answered=("answered", "sum"), abandoned=("abandoned", "sum"),
        unanswered=("unanswered", "sum"), frt_mean_s=("frt", "mean"), within=("within", "sum"),
        decided=("decided", "sum"), art_mean_s=("art", "mean"), aht_s=("handle_s", "mean"),
        reopened_share=("again", "mean"), csat=("satisfied", "mean"), csat_answers=("csat", "count"),
    )  # fmt: skip
    for name, column, quantiles in (("frt", "frt", (0.5, 0.9, 0.95, 0.99)), ("art", "art", (0.5, 0.95))):
        for q in quantiles:
            table[f"{name}_p{100 * q:.0f}_s"] = groups[column].quantile(q)
    table["frt_within"] = table["within"] / table["decided"]
    return volume.join(table)


def plain(path: Path) -> list[float]:
    """Plain pandas: read once, count, measure by nothing but the calendar."""
    frame = plain_read(path)
    return [float(plain_count(frame)["y"].sum()), float(plain_kpis(frame, CUTS)["frt_p90_s"].sum())]


def by_staffcast(path: Path, clock: str) -> list[float]:
    """Count and measure without reading it into memory: opened once for both."""
    from staffcast.contracts import Calendar
    from staffcast.tickets.large import open_large
    from staffcast.tickets.large_count import count_large
    from staffcast.tickets.large_file import find_large
    from staffcast.utilization.large import kpis_large

    file = find_large(path, rows=1)
    assert file is not None
    with open_large(file, beside=path, zone=ZONE) as log:
        calendars = {queue: Calendar.parse(ZONE, HOURS) for queue in log.queues}
        series = count_large(log, calendars, minutes=60)
        table = kpis_large(log, calendars, by=CUTS, clock=clock)
    return [float(series["y"].sum()), float(table["frt_p90_s"].sum())]


def by_import(path: Path) -> list[float]:
    """Import the log as an export of some help desk."""
    from staffcast.tickets.exports import import_log

    report = import_log([path], path.with_name("imported.parquet"), key=b"0" * 32, zone=ZONE)
    return [float(report.rows_out), 0.0]


ROADS: dict[str, Callable[[Path], list[float]]] = {
    "plain": plain,
    "calendar": lambda path: by_staffcast(path, "calendar"),
    "business": lambda path: by_staffcast(path, "business"),
    "import": by_import,
}


def main() -> None:
    """Run the road and say what it took."""
    # Loading packages is in no road's time.
    for module in ("duckdb", "pyarrow.parquet", "staffcast.utilization.large", "staffcast.tickets.exports"):
        importlib.import_module(module)
    road, path = sys.argv[1:]
    began, used = time.perf_counter(), time.process_time()
    sums = ROADS[road](Path(path))
    most = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    told: dict[str, Any] = {
        "wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - used, "sums": sums,
        "gb": int(most[1]) / 2**20 if most else 0.0,
    }  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    main()
