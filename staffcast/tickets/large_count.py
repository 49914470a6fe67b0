"""Count a log larger than memory by the rules of :mod:`staffcast.tickets.count`; only sums come into memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, bad_value
from staffcast.tickets.count import interval_frame, seen_grid
from staffcast.tickets.large import LargeLog

__all__ = ["count_large"]

_US = 1_000_000


def count_large(log: LargeLog, calendars: Mapping[str, Calendar], *, minutes: int) -> pd.DataFrame:
    """Tickets that sought an agent, per queue and interval: as :func:`staffcast.tickets.count`, from a large log.

    Parameters
    ----------
    log : LargeLog
    calendars : mapping
        Calendar of each queue that is to be counted.
    minutes : {15, 30, 60}
        Length of an interval.

    Returns
    -------
    DataFrame
        The same table.

    Raises
    ------
    InputError
        As ``count``.
    """
    for queue, calendar in calendars.items():
        if queue not in log.queues:
            raise bad_value("calendars", queue, f"a queue of the log: {', '.join(log.queues)}")
        calendar.require_grid(minutes)
    grid = seen_grid(log.start, log.end, log.zone, calendars, minutes)
    known, n = _fates(log), len(grid)
    first, step = _us(grid[:1])[0], minutes * 60 * _US
    log.con.register("slots", _slots(grid, log, calendars))
    waited, gone = _waited(log), _gone(log)
    have = {c: c if c in log.columns else "NULL::DOUBLE" for c in ("handle_s", "reopens")}
    # One whole number is the key: DuckDB then joins without hashing.
    offered = log.frame(
        f"WITH t AS (SELECT q * {n} + (offered - {first}) // {step} AS k, offered, {have['handle_s']} AS handle, "
        f"{have['reopens']} AS again, {waited} AS waited, {gone} AS gone FROM log WHERE offered < {first + n * step}), "
        "s AS (SELECT t.*, opened AND waited >= 0 AS here, (closes - offered) / 1e6 AS due "
        "FROM t JOIN slots USING (k)) "
        f"SELECT k // {n} AS q, k % {n} AS i, count(*) AS y, sum(handle) AS work, count(handle) AS handled, "
        "count(*) FILTER (here AND gone AND waited <= due) AS abandoned, "
        "sum(least(waited, due)) FILTER (here) AS waited_s, "
        "count(*) FILTER (again > 0) AS more, count(again) AS told FROM s GROUP BY k",
        "counting",
    )
    closed = log.frame(
        f"SELECT q, (created - {first}) // {step} AS i, count(*) AS n FROM log "
        f"WHERE created < {first + n * step} AND {_by_bot(log)} GROUP BY ALL",
        "counting what the bot closed",
    ) if "bot_closed" in known else pd.DataFrame({"q": [], "i": [], "n": []})  # fmt: skip
    parts = []
    for queue, calendar in calendars.items():
        own = offered[offered["q"] == log.queues.index(queue)]
        at = own["i"].to_numpy(dtype=np.int64)

        def spread(name: str, own: pd.DataFrame = own, at: npt.NDArray[np.int64] = at) -> npt.NDArray[np.float64]:
            out = np.zeros(n)
            out[at] = own[name].fillna(0).to_numpy(dtype=float)
            return out

        table = interval_frame(queue, grid, spread("y"), spread("work"), spread("handled"))
        table = table.assign(open=calendar.is_open(grid))
        if "waited_s" in known:
            table = table.assign(abandoned=spread("abandoned"), waited_s=spread("waited_s"))
        if "bot_closed" in known:
            bots, number = closed[closed["q"] == log.queues.index(queue)], np.zeros(n)
            number[bots["i"].to_numpy(dtype=np.int64)] = bots["n"].to_numpy(dtype=float)
            table = table.assign(bot_closed=number)
        if "reopened" in known:
            those, number = spread("told"), spread("y")
            share = np.divide(spread("more"), those, out=np.full(n, np.nan), where=those > 0)
            table = table.assign(reopened=np.where(number > 0, share * number, 0.0))
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _waited(log: LargeLog) -> str:
    """Seconds from seeking an agent to the first reply, or for who gave up to then; below 0 or NULL: not known."""
    said = "wait_s" if "wait_s" in log.columns else "NULL"
    return f"coalesce({said}, (coalesce(answered, CASE WHEN {_gone(log)} THEN resolved END) - offered) / 1e6)"


def _gone(log: LargeLog) -> str:
    return "coalesce(outcome = 'abandoned', false)" if "outcome" in log.columns else "false"


def _by_bot(log: LargeLog) -> str:
    if "outcome" in log.columns:
        return "offered IS NULL AND coalesce(outcome = 'bot_closed', false)"
    return "offered IS NULL AND resolved IS NOT NULL"


def _fates(log: LargeLog) -> tuple[str, ...]:
    """As :func:`staffcast.tickets.fates.known_fates`, from SQL."""
    again = "offered IS NOT NULL AND reopens > 0" if "reopens" in log.columns else "false"
    (found,) = log.con.execute(
        f"SELECT count(*) FILTER ({_gone(log)} AND {_waited(log)} >= 0), "
        f"count(*) FILTER ({_by_bot(log)}), count(*) FILTER ({again}) FROM log"
    ).fetchall()
    names = (("abandoned", "waited_s"), ("bot_closed",), ("reopened",))
    return tuple(name for group, n in zip(names, found, strict=True) if n for name in group)


def _us(times: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    return np.asarray(times.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64))


def _slots(grid: pd.DatetimeIndex, log: LargeLog, calendars: Mapping[str, Calendar]) -> Any:
    """Of each queue and interval: whether it is open, and when the open stretch ends (never: infinite)."""
    import pyarrow as pa

    n, tables = len(grid), []
    starts = _us(grid).astype(float)
    for queue, calendar in calendars.items():
        opened = calendar.is_open(grid)
        shut = np.append(np.flatnonzero(~opened), n)
        closes = np.append(starts, np.inf)[shut[np.searchsorted(shut, np.arange(n))]]
        k = log.queues.index(queue) * n + np.arange(n, dtype=np.int64)
        tables.append(pa.table({"k": k, "opened": opened, "closes": closes}))
    return pa.concat_tables(tables).combine_chunks()
