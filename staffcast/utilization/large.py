"""KPIs of a log larger than memory: the rules of :func:`staffcast.utilization.kpis`, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, InputError, Target, bad_value, interval_grid
from staffcast.tickets.large import LargeLog
from staffcast.utilization.kpi import CUTS, TIME_CUTS, cut_labels

__all__ = ["kpis_large"]

_SLOT_S = 900
_SLOT_US = _SLOT_S * 1_000_000
_DEFAULT_TARGET_S = 60.0
_QUANTILES = (0.5, 0.9, 0.95, 0.99)


def kpis_large(
    log: LargeLog,
    calendars: Mapping[str, Calendar],
    *,
    by: Sequence[str] = (),
    target: Target | Mapping[str, Target] | None = None,
    clock: str = "business",
) -> pd.DataFrame:
    """KPIs per group of tickets: the table of :func:`staffcast.utilization.kpis`.

    Parameters
    ----------
    log : LargeLog
    calendars : mapping
        Calendar of each queue; tickets of other queues are left out.
    by, target : as in ``kpis``
    clock : {"business", "calendar"}
        A vendor's rule is not for large logs.

    Returns
    -------
    DataFrame
        The columns and rows of ``kpis``. Quantiles are exact: of all values, linear between two of them.

    Raises
    ------
    InputError
        An unknown cut or clock, or a cut whose column the log lacks.

    Notes
    -----
    The opening seconds between two instants are those open before the later less those before the earlier. Opening
    hours change on a grid of 15 minutes, so a table of the seconds open before each quarter, joined by the quarter's
    number, tells them. Labels of time cuts come from the same quarters: zones change their offset on them too.
    """
    if clock not in ("business", "calendar"):
        raise bad_value(
            "clock", clock, '"business" or "calendar" for a log that is counted in its file',
            "a vendor's rule needs the log in memory: give a part of it with --since and --until",
        )  # fmt: skip
    _check_cuts(log, by)
    quarters = _quarters(log)
    first = _epoch_us(quarters[:1])[0] // _SLOT_US
    names = ", ".join(map(str, _codes(log, calendars)))
    keep = f"q IN ({names})"
    business = clock == "business" and not all(calendar.always_open for calendar in calendars.values())
    if business:
        log.con.register("hours", _hours(log, calendars, quarters))
    times = [cut for cut in by if cut in TIME_CUTS]
    if times:
        log.con.register("labels", _labels(quarters, times))
    volumes = log.frame(
        _grouped(
            log, by, "created", first,
            "count(*) AS volume, count(*) FILTER (offered IS NULL) AS bots", f"SELECT * FROM log WHERE {keep}",
        ),
        "counting conversations",
    )  # fmt: skip
    offered = _timed(log, calendars, first, len(quarters), target, business=business)
    measures = log.frame(
        _grouped(log, by, "offered", first, _MEASURES.format(
            top=_top(log, keep), reopens=_number(log, "reopens"), csat=_number(log, "csat"),
            handle=_number(log, "handle_s"),
        ), f"{offered} WHERE {keep} AND offered IS NOT NULL"),
        "measuring",
    )  # fmt: skip
    return _table(volumes, measures, by)


_MEASURES = (
    "count(*) AS offered, count(*) FILTER (answered_) AS answered, count(*) FILTER (gone) AS abandoned, "
    "count(*) FILTER (NOT answered_ AND NOT gone) AS unanswered, avg(frt) AS frt_mean_s, "
    "quantile_cont(frt, [0.5, 0.9, 0.95, 0.99]) AS frt_q, "
    "count(*) FILTER (frt <= goal) AS within, "
    "count(*) FILTER ((NOT answered_ AND NOT gone AND waited <= goal) OR (answered_ AND frt IS NULL)) AS undecided, "
    "avg(resolution) AS art_mean_s, quantile_cont(resolution, [0.5, 0.95]) AS art_q, avg({handle}) AS aht_s, "
    "avg((coalesce({reopens}, 0) > 0)::DOUBLE) AS reopened_share, "
    "avg(({csat} >= {top})::DOUBLE) AS csat, count({csat}) AS csat_answers"
)


def _check_cuts(log: LargeLog, by: Sequence[str]) -> None:
    for cut in by:
        if cut not in CUTS:
            raise bad_value("by", cut, f"one of {', '.join(CUTS)}")
        if cut not in (*TIME_CUTS, "queue") and cut not in log.columns:
            shown = ", ".join(sorted(log.columns))
            raise bad_value("by", cut, "a column that the log has", f"its columns are {shown}")


def _number(log: LargeLog, column: str) -> str:
    return column if column in log.columns else "NULL::DOUBLE"


def _codes(log: LargeLog, calendars: Mapping[str, Calendar]) -> list[int]:
    for queue in calendars:
        if queue not in log.queues:
            raise InputError(f"the log has no queue {queue!r}; it has {', '.join(log.queues)}")
    return [log.queues.index(queue) for queue in calendars]


def _top(log: LargeLog, keep: str) -> float:
    if "csat" not in log.columns:
        return 4.0
    (found,) = log.con.execute(f"SELECT max(csat) FROM log WHERE {keep}").fetchall()
    return 7.0 if (found[0] or 0) > 5 else 4.0


def _quarters(log: LargeLog) -> pd.DatetimeIndex:
    """Every quarter of an hour from the day of the log's first instant to that of its last."""
    return interval_grid(log.start, log.last + pd.Timedelta(minutes=1), _SLOT_S // 60, log.zone)


def _epoch_us(times: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    return np.asarray(times.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64))


def _hours(log: LargeLog, calendars: Mapping[str, Calendar], quarters: pd.DatetimeIndex) -> Any:
    """Of each queue and quarter: ``w``, milliseconds open before it less those of the clock, and whether it is open.

    While open, the seconds open before an instant are then its own milliseconds plus ``w``; while closed, those
    before the quarter, which ``w`` is alone.
    """
    import pyarrow as pa

    n, tables = len(quarters), []
    starts = _epoch_us(quarters) // 1000
    for queue, calendar in calendars.items():
        opened = calendar.is_open(quarters)
        before = np.concatenate([[0], np.cumsum(opened * _SLOT_S * 1000)])[:-1]
        k = log.queues.index(queue) * n + np.arange(n, dtype=np.int64)
        tables.append(pa.table({"k": k, "opened": opened.astype(np.int64), "w": before - opened * starts}))
    return pa.concat_tables(tables).combine_chunks()


def _labels(quarters: pd.DatetimeIndex, times: Sequence[str]) -> Any:
    import pyarrow as pa

    made = cut_labels(pd.DataFrame({"at": quarters}), "at", times)
    number = _epoch_us(quarters) // _SLOT_US
    return pa.table({"n": number - number[0], **{cut: pa.Array.from_pandas(made[cut]) for cut in times}})


def _grouped(log: LargeLog, by: Sequence[str], at: str, first: int, what: str, source: str) -> str:
    """Group a relation by the cuts, those of time by the local clock of ``at``."""
    times = [cut for cut in by if cut in TIME_CUTS]
    join = f"JOIN labels ON labels.n = s.{at} // {_SLOT_US} - {first}" if times else ""
    keys = [f"labels.{cut} AS key_{cut}" if cut in times else f"coalesce(s.{cut}, '–') AS key_{cut}" for cut in by]
    return f"SELECT {', '.join([*keys, what])} FROM ({source}) s {join} " + ("GROUP BY ALL" if by else "")


def _timed(
    log: LargeLog, calendars: Mapping[str, Calendar], first: int, n: int,
    target: Target | Mapping[str, Target] | None, *, business: bool,
) -> str:  # fmt: skip
    """Query for the tickets with ``frt``, ``waited``, ``resolution`` in seconds, their goal and fate."""
    end = _epoch_us(pd.DatetimeIndex([log.end]))[0]
    instants = {"c": "created", "o": "offered", "a": "answered", "r": "resolved"}
    until = f"coalesce(answered, resolved, {end})"
    goal = _goal(log, calendars, target)
    said = {f: f"coalesce(outcome = '{f}', false)" if "outcome" in log.columns else "false"
            for f in ("answered", "abandoned")}  # fmt: skip
    ended = "resolved IS NOT NULL"
    answered = f"(answered IS NOT NULL OR {said['answered']})"
    if "first_response_at" not in log.columns:
        answered = f"({answered} OR ({ended} AND NOT {said['abandoned']}))"
    fate = f"{answered} AS answered_, NOT {answered} AND ({ended} OR {said['abandoned']}) AS gone, {goal} AS goal"
    frt, waited, resolution = "answered - offered", f"{until} - offered", "resolved - created"
    if not business:
        return (
            f"SELECT *, {fate}, {_not_below_0(f'({frt}) / 1e6')} AS frt, "
            f"{_not_below_0(f'({waited}) / 1e6')} AS waited, "
            f"({resolution}) / 1e6 AS resolution FROM log"
        )
    joins = " ".join(
        f"LEFT JOIN hours h{k} ON h{k}.k = q * {n} + {at} // {_SLOT_US} - {first}" for k, at in instants.items()
    )
    # Milliseconds are what the clock of opening hours counts in.
    opened = {k: f"(h{k}.w + h{k}.opened * ({at} // 1000))" for k, at in instants.items()}
    stop = f"CASE q {_at_end(log, first, n, int(end))} END"
    ends = f"WHEN answered IS NOT NULL THEN {opened['a']} WHEN resolved IS NOT NULL THEN {opened['r']}"
    left = f"CASE {ends} ELSE {stop} END"
    timed = {frt: f"{opened['a']} - {opened['o']}", waited: f"{left} - {opened['o']}",
             resolution: f"{opened['r']} - {opened['c']}"}  # fmt: skip
    always = [log.queues.index(queue) for queue, calendar in calendars.items() if calendar.always_open]
    which = f"q IN ({', '.join(map(str, always))})" if always else "false"
    seconds = {plain: f"CASE WHEN {which} THEN ({plain}) / 1e6 ELSE ({own}) / 1e3 END" for plain, own in timed.items()}
    return (
        f"SELECT log.*, {fate}, {_not_below_0(seconds[frt])} AS frt, {_not_below_0(seconds[waited])} AS waited, "
        f"{seconds[resolution]} AS resolution FROM log {joins}"
    )


def _not_below_0(seconds: str) -> str:
    # greatest() passes an empty one over; what has no end has no duration.
    return f"CASE WHEN {seconds} IS NOT NULL THEN greatest({seconds}, 0) END"


def _at_end(log: LargeLog, first: int, n: int, end: int) -> str:
    """Milliseconds open before the log's end, as branches of a CASE over queues."""
    found = log.con.execute(
        f"SELECT k // {n}, w + opened * ({end} // 1000) FROM hours WHERE k % {n} = {end} // {_SLOT_US} - {first}"
    ).fetchall()
    return " ".join(f"WHEN {q} THEN {ms}" for q, ms in found)


def _goal(log: LargeLog, calendars: Mapping[str, Calendar], target: Target | Mapping[str, Target] | None) -> str:
    if not isinstance(target, Mapping):
        return str(target.seconds if target is not None else _DEFAULT_TARGET_S)
    own = [f"WHEN {log.queues.index(name)} THEN {goal.seconds}" for name, goal in target.items() if name in calendars]
    return f"CASE q {' '.join(own)} ELSE {_DEFAULT_TARGET_S} END" if own else str(_DEFAULT_TARGET_S)


def _table(volumes: pd.DataFrame, measures: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    keys = [f"key_{cut}" for cut in by]
    seen = {tuple(row[k] for k in keys): row for row in volumes.to_dict("records")}
    found = {tuple(row[k] for k in keys): row for row in measures.to_dict("records")}
    rows = []
    for key in sorted(seen.keys() | found.keys()):
        volume, row = seen.get(key, {"volume": 0, "bots": 0}), found.get(key, {})
        offered = int(row.get("offered", 0))
        decided = offered - int(row.get("undecided", 0))
        frt, art = _values(row.get("frt_q"), 4), _values(row.get("art_q"), 2)
        rows.append(dict(zip(by, key, strict=True)) | {
            "volume": int(volume["volume"]),
            "offered": offered,
            "bot_share": volume["bots"] / volume["volume"] if volume["volume"] else np.nan,
            **{name: int(row.get(name, 0)) for name in ("answered", "abandoned", "unanswered")},
            "frt_mean_s": row.get("frt_mean_s", np.nan),
            **{f"frt_p{100 * q:.0f}_s": value for q, value in zip(_QUANTILES, frt, strict=True)},
            "frt_within": int(row.get("within", 0)) / decided if decided else np.nan,
            "art_mean_s": row.get("art_mean_s", np.nan),
            "art_p50_s": art[0],
            "art_p95_s": art[1],
            "aht_s": row.get("aht_s", np.nan),
            "reopened_share": row.get("reopened_share", np.nan),
            "csat": row.get("csat", np.nan),
            "csat_answers": int(row.get("csat_answers", 0)),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _values(quantiles: object, n: int) -> list[float]:
    if isinstance(quantiles, (list, tuple, np.ndarray)) and len(quantiles) == n:
        return [float(value) for value in quantiles]
    return [float("nan")] * n
