"""Generated ticket logs of any length, in chunks, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

__all__ = ["CHUNK", "write_log"]

CHUNK = 500_000
ZONE = "Europe/Berlin"
_QUEUES = ("billing", "orders", "refunds", "returns", "sales", "technical")
_CHANNELS = ("whatsapp", "chat", "email")
_DAYS = 728
_START = np.datetime64("2024-01-01T00:00:00", "us")
# Tickets by hour of the day and by day of the week, up to a factor; hours are of UTC, which changes nothing here.
_HOURS = np.array([1, 1, 1, 1, 2, 4, 10, 22, 34, 40, 42, 38, 34, 36, 38, 36, 32, 26, 18, 12, 8, 5, 3, 2], dtype=float)
_WEEK = np.array([1.3, 1.15, 1.1, 1.05, 1.0, 0.45, 0.3])
_US = 1_000_000


def _opening(us: np.ndarray) -> np.ndarray:
    """First instant at or after each at which people answer: 7 to 17 UTC, Monday to Friday."""
    day, clock = np.divmod(us, 86_400 * _US)
    late = clock >= 17 * 3600 * _US
    clock = np.where(late, 0, clock)
    day = day + late
    weekday = (day + 3) % 7
    weekend = weekday >= 5
    day = np.where(weekend, day + (7 - weekday), day)
    clock = np.where(weekend, 0, clock)
    return np.asarray(day * 86_400 * _US + np.maximum(clock, 7 * 3600 * _US))


def _chunk(number: int, first: int, rows: int, total: int, seed: int) -> pa.Table:
    rng = np.random.default_rng([seed, number])
    # Chunks follow each other in time, so that the log is sorted as exports are.
    weights = np.tile(_WEEK, _DAYS // 7)
    share = np.cumsum(weights) / weights.sum()
    at = np.sort((first + rng.random(rows) * rows) / total)
    day = np.searchsorted(share, at, side="right").clip(0, _DAYS - 1)
    hour = rng.choice(24, rows, p=_HOURS / _HOURS.sum())
    created = _START.astype(np.int64) + np.sort((day * 86_400 + hour * 3600 + rng.integers(0, 3600, rows)) * _US)
    bot = rng.random(rows) < 0.18
    offered = created + rng.integers(5, 120, rows) * _US
    start = _opening(offered)
    wait = np.where(rng.random(rows) < 0.7, rng.exponential(40, rows), rng.exponential(900, rows)).astype(np.int64)
    responded = start + wait * _US
    handle = rng.gamma(1.6, 190, rows).round()
    resolved = responded + (handle + rng.exponential(3600, rows)).astype(np.int64) * _US
    fate = rng.random(rows)
    gone, still = ~bot & (fate < 0.05), ~bot & (fate > 0.998)
    answered = ~bot & ~gone & ~still
    gave_up = offered + (10 + rng.exponential(400, rows)).astype(np.int64) * _US
    closed = np.where(bot, offered, np.where(gone, gave_up, resolved))
    stamp = pa.timestamp("us", tz=ZONE)

    def instants(us: np.ndarray, there: np.ndarray) -> pa.Array:
        return pa.array(us, mask=~there).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC")).cast(stamp)

    def words(codes: np.ndarray, names: tuple[str, ...], there: np.ndarray | None = None) -> pa.Array:
        return pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int8), mask=None if there is None else ~there), pa.array(names)
        ).cast(pa.string())

    queue = rng.choice(len(_QUEUES), rows, p=(0.22, 0.28, 0.08, 0.12, 0.1, 0.2))
    agents = tuple(f"a{k:03d}" for k in range(120))
    everyone = np.ones(rows, dtype=bool)
    outcome = np.where(bot, 0, np.where(gone, 1, np.where(still, 2, 3)))
    return pa.table({
        "ticket_id": pa.array(np.char.add("T", np.arange(first, first + rows).astype(str))),
        "created_at": instants(created, everyone),
        "offered_at": instants(offered, ~bot),
        "first_response_at": instants(responded, answered),
        "resolved_at": instants(closed, ~still),
        "queue": words(queue, _QUEUES),
        "channel": words(rng.choice(3, rows, p=(0.6, 0.3, 0.1)), _CHANNELS),
        "priority": words(rng.choice(3, rows, p=(0.1, 0.7, 0.2)), ("1", "2", "3")),
        "agent": words((queue * 20 + rng.integers(0, 20, rows)).astype(np.int8), agents, answered),
        "handle_s": pa.array(handle, mask=~answered),
        "reopens": pa.array((rng.random(rows) < 0.06).astype(float)),
        "csat": pa.array(rng.choice([1.0, 2, 3, 4, 5], rows, p=(0.06, 0.05, 0.12, 0.32, 0.45)),
                         mask=~(answered & (rng.random(rows) < 0.3))),
        "outcome": words(outcome, ("bot_closed", "abandoned", "open", "answered")),
    })  # fmt: skip


def _iso(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_timestamp(column.type):
        return column
    text = pc.strftime(column.cast(pa.timestamp("s", tz=ZONE)), format="%Y-%m-%dT%H:%M:%S%z")
    return pc.replace_substring_regex(text, r"(\d\d)$", r":\1")


def write_log(path: Path, rows: int, *, seed: int = 1) -> None:
    """Write a log of so many tickets as Parquet or CSV, never more than a chunk of it in memory."""
    writer: pq.ParquetWriter | pacsv.CSVWriter | None = None
    for number, first in enumerate(range(0, rows, CHUNK)):
        chunk = _chunk(number, first, min(CHUNK, rows - first), rows, seed)
        parquet = path.suffix == ".parquet"
        if not parquet:
            chunk = pa.table({name: _iso(chunk[name]) for name in chunk.column_names})
        if writer is None:
            writer = pq.ParquetWriter(path, chunk.schema) if parquet else pacsv.CSVWriter(path, chunk.schema)
        writer.write_table(chunk)
    if writer is not None:
        writer.close()
