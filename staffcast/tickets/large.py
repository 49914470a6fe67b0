"""Ticket logs larger than memory: DuckDB opens and checks them by the rules of :mod:`staffcast.tickets.read`."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import TICKETS, InputError, OutputError, bad_value
from staffcast.tickets.exports.stage import connect
from staffcast.tickets.large_file import LARGE_ROWS, TableFile, quoted, text_sql, typed_file
from staffcast.tickets.read import KNOWN_WHEN, NEVER_SOUGHT_AN_AGENT, aware

if TYPE_CHECKING:
    import duckdb

__all__ = ["LargeLog", "open_large"]

Progress = Callable[[str, int, int], None]

_MEMORY = "1500MB"
_US = 1_000_000
_DAY = 86_400 * _US
_SLOT_S = 900
_LONGEST_GAP_DAYS = 14
_LARGEST = 1.7e308
_WEEKS = 8
_EARLIEST = pd.Timestamp("1990-01-01", tz="UTC")
_INSTANTS = {"created_at": "created", "offered_at": "offered", "first_response_at": "answered",
             "resolved_at": "resolved"}  # fmt: skip
_NUMBERS = ("handle_s", "wait_s", "reopens", "csat")


@dataclass(frozen=True, kw_only=True)
class LargeLog:
    """A ticket log that stays in its file.

    Attributes
    ----------
    con : DuckDBPyConnection
        Has the view ``log``: ``queue`` and its number ``q`` in ``queues``; ``created``, ``offered``, ``answered``,
        ``resolved`` in microseconds since 1970, UTC; the further columns of the file under their own names.
    columns : frozenset of str
        Canonical columns that the file has.
    zone : str
        Zone in which days are counted.
    queues : list of str
        Sorted.
    start, end : Timestamp
        First creation; the instant up to which the log saw arrivals.
    last : Timestamp
        Latest instant of any kind.
    answers : mapping of queue to int
        How many first responses are known.
    mean_handle_s : float or None
        Of all tickets that were handled.
    rows : int
    notes : tuple of str
    """

    con: duckdb.DuckDBPyConnection
    columns: frozenset[str]
    zone: str
    queues: list[str]
    start: pd.Timestamp
    end: pd.Timestamp
    last: pd.Timestamp
    answers: Mapping[str, int]
    mean_handle_s: float | None
    rows: int
    progress: Progress | None = None
    notes: tuple[str, ...] = field(default=())

    def frame(self, query: str, what: str) -> pd.DataFrame:
        """Result of a query, while ``progress`` is told how far it is."""
        return run(self.con, query, what, self.progress)

    def activity(self, enough: int) -> dict[str, tuple[pd.DatetimeIndex, npt.NDArray[np.float64]]]:
        """When people answered, of queues of which at least ``enough`` first responses are known; else when it came.

        One instant stands for each quarter of an hour, with how many there were. The quarters are divided where
        :func:`staffcast.tickets.learn_calendar` divides the past into weeks, so that it learns from them what it would
        from single tickets.
        """
        week = 7 * _DAY
        at = {q: "answered" if self.answers[name] >= enough else "offered" for q, name in enumerate(self.queues)}
        moment = " ".join(f"WHEN {q} THEN {column}" for q, column in at.items())
        found = self.frame(
            f"WITH t AS (SELECT q, CASE q {moment} END AS moment FROM log), "
            "latest AS (SELECT q, max(moment) AS latest FROM t GROUP BY q), "
            "s AS (SELECT q, moment, latest - moment AS ago FROM t JOIN latest USING (q) WHERE moment IS NOT NULL) "
            "SELECT q, CASE WHEN min(ago) = 0 THEN max(moment) ELSE min(moment) END AS moment, count(*)::DOUBLE AS n "
            "FROM s "
            f"GROUP BY q, moment // {_SLOT_S * _US}, ago // {week}, ago >= {_WEEKS * week} ORDER BY q, 2",
            "looking for opening hours",
        )
        out = {}
        for q, name in enumerate(self.queues):
            own = found[found["q"] == q]
            times = pd.DatetimeIndex(own["moment"].to_numpy(dtype="datetime64[us]"), tz="UTC").as_unit("ns")
            out[name] = times.tz_convert(self.zone), own["n"].to_numpy(dtype=float)
        return out


def run(con: duckdb.DuckDBPyConnection, query: str, what: str, progress: Progress | None) -> pd.DataFrame:
    """Result of a query as a frame, while ``progress`` is told ``(what, percent, 100)``."""
    if progress is None:
        return con.execute(query).df()
    done = threading.Event()

    def watch() -> None:
        most = 0
        while not done.wait(0.25):
            most = max(most, min(int(con.query_progress()), 99))
            progress(what, most, 100)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        found = con.execute(query).df()
    finally:
        done.set()
        watcher.join()
    progress(what, 100, 100)
    return found


@contextmanager
def open_large(
    file: TableFile,
    *,
    beside: Path | None = None,
    zone: str | None = None,
    columns: Mapping[str, str] | None = None,
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
    bad_rows: Literal["error", "drop"] = "error",
    allow_gaps: bool = False,
    progress: Progress | None = None,
) -> Iterator[LargeLog]:
    """Open a ticket log without reading it into memory.

    Parameters
    ----------
    file : TableFile
        From :func:`staffcast.tickets.large_file.find_large`.
    beside : path, optional
        File beside which DuckDB may spill; the folder goes when the log is closed. Default: the system's temporary
        folder.
    zone, columns, since, until, bad_rows, allow_gaps
        As :func:`staffcast.tickets.read_log` has them.
    progress : callable, optional
        Told ``(what, percent, 100)``.

    Raises
    ------
    InputError
        As ``read_log``; names column and ticket rather than the row.
    OutputError
        There is no place to spill.
    """
    if bad_rows not in ("error", "drop"):
        raise bad_value("bad_rows", bad_rows, '"error" or "drop"')
    try:
        if beside is not None:
            beside.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(
            dir=beside.parent if beside is not None else None, prefix=".counting-", ignore_cleanup_errors=True
        )
    except OSError as error:
        raise OutputError(f"{beside}: cannot be written ({error.strerror or error})") from error
    with folder as name:
        con = connect(Path(name), memory=_MEMORY)
        try:
            con.execute("SET enable_progress_bar=true; SET enable_progress_bar_print=false")
            con.execute("SET preserve_insertion_order=false")
            relation, zone, notes = typed_file(file, con, Path(name), zone, columns or {}, progress)
            yield _checked(con, file, relation, zone, notes, since, until, bad_rows, allow_gaps, progress)
        finally:
            con.close()


def _checked(
    con: duckdb.DuckDBPyConnection, file: TableFile, relation: str, zone: str, notes: list[str],
    since: pd.Timestamp | None, until: pd.Timestamp | None, bad_rows: str, allow_gaps: bool,
    progress: Progress | None,
) -> LargeLog:  # fmt: skip
    have = [row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
    times = [c for c, column in TICKETS.columns.items() if c in have and column.kind == "time"]
    con.execute(f"CREATE TEMP VIEW raw AS SELECT * FROM {relation}")
    before = "resolved_at < created_at" if "resolved_at" in have else "false"
    early = {c: f"{c} < created_at" for c in ("first_response_at", "offered_at") if c in have}
    never = ", ".join(text_sql(outcome) for outcome in NEVER_SOUGHT_AN_AGENT)
    never = f"outcome IN ({never})" if "outcome" in have else "false"
    tests = [
        before,
        *early.values(),
        f"{never} AND {'offered_at' if 'offered_at' in have else 'created_at'} IS NOT NULL",
    ]
    rows, number, handling = _require_sound(con, file, have, times, tests, progress)
    if number[0] and bad_rows == "error":
        raise InputError(
            f"{number[0]} tickets resolved before they were created: {_example(con, 'resolved_at', before)}; correct "
            "them, or leave them out with --bad-rows drop",
            file=file.shown, column="resolved_at",
        )  # fmt: skip
    source, doubled = _single(con, file, bad_rows, progress)
    said = {"first_response_at": "first responses lie before their ticket's creation; taken as unknown",
            "offered_at": "tickets sought an agent before their creation; taken as at creation"}  # fmt: skip
    if doubled:
        notes.append(f"{doubled} tickets with an id that stands twice were left out")
    if number[0]:
        notes.append(f"{number[0]} tickets resolved before they were created were left out")
    notes += [f"{n} {said[c]}" for c, n in zip(early, number[1:-1], strict=True) if n]
    # What no ticket needs is left out of the view: it would be worked out for all of them, again and again.
    mend = {c for c, n in zip(early, number[1:-1], strict=True) if n}
    keep = [f"NOT coalesce({before}, false)"] if number[0] else []
    keep += [f"created_at >= {_stamp(aware(since, zone))}"] if since is not None else []
    keep += [f"created_at < {_stamp(aware(until, zone))}"] if until is not None else []
    limit = aware(until, zone) if until is not None else None
    con.execute(
        f"CREATE TEMP VIEW plain AS {_view(source, have, times, limit, mend, never if number[-1] else '')} "
        f"WHERE {' AND '.join(keep or ['true'])}"
    )
    seen = run(
        con,
        "SELECT queue, count(*) AS n, count(offered) AS offers, count(answered) AS answers, min(created) AS low, "
        "max(created) AS high, max(offered) AS offered, max(greatest(created, offered, answered, resolved)) AS last "
        f"FROM plain GROUP BY queue, created // {_DAY}",
        "looking it over", progress,
    )  # fmt: skip
    if seen.empty:
        low, high = con.execute("SELECT min(epoch_us(created_at)), max(epoch_us(created_at)) FROM raw").fetchall()[0]
        raise InputError(
            f"nothing lies between --since {since} and --until {until}; the log has {_instant(low, zone)} to "
            f"{_instant(high, zone)}",
            file=file.shown,
        )  # fmt: skip
    if not seen["offers"].sum():
        raise InputError("no ticket ever reached a queue for people: offered_at is empty throughout", file=file.shown)
    if not allow_gaps:
        _refuse_gap(seen, zone, file)
    queues = sorted(map(str, seen["queue"].unique()))
    codes = " ".join(f"WHEN {text_sql(queue)} THEN {k}" for k, queue in enumerate(queues))
    con.execute(f"CREATE TEMP VIEW log AS SELECT *, CASE queue {codes} END::BIGINT AS q FROM plain")
    end = limit if limit is not None else _instant(int(seen[["high", "offered"]].max().max()), zone)
    notes.append(f"{rows:,} tickets, counted in their file: from {LARGE_ROWS:,} on a log is not read into memory")
    return LargeLog(
        con=con, columns=frozenset(have), zone=zone, queues=queues, start=_instant(int(seen["low"].min()), zone),
        end=end, last=max(_instant(int(seen["last"].max()), zone), end), rows=int(seen["n"].sum()), progress=progress,
        mean_handle_s=handling,
        answers={str(k): int(v) for k, v in seen.groupby("queue")["answers"].sum().items()}, notes=tuple(notes),
    )  # fmt: skip


def _stamp(instant: pd.Timestamp) -> str:
    return f"TIMESTAMPTZ '{instant.tz_convert('UTC').as_unit('us').isoformat(sep=' ')}'"


def _instant(us: int, zone: str) -> pd.Timestamp:
    return pd.Timestamp(us, unit="us", tz="UTC").as_unit("ns").tz_convert(zone)


def _example(con: duckdb.DuckDBPyConnection, column: str, test: str) -> str:
    query = f"SELECT ticket_id, {quoted(column)}::VARCHAR FROM raw WHERE {test} LIMIT 3"
    return ", ".join(f"ticket {ticket}: {value}" for ticket, value in con.execute(query).fetchall())


def _require_sound(
    con: duckdb.DuckDBPyConnection, file: TableFile, have: list[str], times: list[str], more: list[str],
    progress: Progress | None,
) -> tuple[int, list[int], float | None]:  # fmt: skip
    """Rows of the file, those for which ``more`` is true, and the mean handle time; after the contract's checks.

    One pass over the file; what is wrong is counted only where a smallest or largest value says that something is.
    """
    latest = pd.Timestamp.now(tz="UTC") + pd.Timedelta(days=1)
    numbers = [c for c in _NUMBERS if c in have]
    asked = {"n": "count(*)", "work": "avg(handle_s) FILTER (handle_s > 0)" if "handle_s" in have else "NULL::DOUBLE"}
    asked |= {f"more{k}": f"count(*) FILTER ({test})" for k, test in enumerate(more)}
    asked |= {f"{c}_there": f"count({c})" for c in ("ticket_id", "created_at", "queue") if c in have}
    asked |= {f"{c}_blank": f"count(*) FILTER ({c} = '')" for c in ("ticket_id", "queue") if c in have}
    asked |= {f"{c}_{end}": f"epoch_us({end}({c}))" for c in times for end in ("min", "max")}
    asked |= {f"{c}_{end}": f"{end}({c})" for c in numbers for end in ("min", "max")}
    wholes = [c for c in numbers if TICKETS.columns[c].kind == "whole"]
    asked |= {f"{c}_part": f"count(*) FILTER ({c} <> floor({c}))" for c in wholes}
    query = f"SELECT {', '.join(f'{value} AS {name}' for name, value in asked.items())} FROM raw"
    told = run(con, query, "checking", progress).iloc[0].to_dict()
    found = {name: np.nan if value is None else value for name, value in told.items()}  # an empty column has no least
    rows = int(found["n"])
    if not rows:
        raise InputError(f"the tickets table has no rows. {TICKETS.made_by}", file=file.shown)

    def refuse(column: str, test: str, what: str) -> None:
        n = con.execute(f"SELECT count(*) FROM raw WHERE {test}").fetchall()[0][0]
        raise InputError(f"{what}: {_example(con, column, test)} ({n} such rows)", file=file.shown, column=column)

    for c in [c for c in have if c in ("ticket_id", "created_at", "queue")]:
        if found[f"{c}_there"] < rows or found.get(f"{c}_blank", 0):
            blank = f"{c} IS NULL" + (f" OR {c} = ''" if c != "created_at" else "")
            refuse(c, blank, f"is empty; give a value ({TICKETS.columns[c].about})")
    for c in times:
        if found[f"{c}_min"] < _EARLIEST.timestamp() * _US:
            refuse(c, f"{c} < {_stamp(_EARLIEST)}", "times lie before 1990; check the year and the clock")
        if found[f"{c}_max"] > latest.timestamp() * _US:
            refuse(c, f"{c} > {_stamp(latest)}", "times lie in the future; check the year and the clock")
    for c in numbers:
        column = TICKETS.columns[c]
        if (
            found[f"{c}_min"] < column.low
            or found[f"{c}_max"] > min(column.high, _LARGEST)
            or found.get(f"{c}_part", 0)
        ):
            legal = f"[{column.low:g}, {column.high:g}{']' if np.isfinite(column.high) else ')'}"
            test = f"NOT ({c} BETWEEN {column.low} AND {min(column.high, _LARGEST)})"
            test += f" OR {c} <> floor({c})" if c in wholes else ""
            refuse(c, test, f"outside {legal}{', or not whole' if c in wholes else ''}; {column.about}")
    work = found["work"]
    return rows, [int(found[f"more{k}"]) for k in range(len(more))], None if pd.isna(work) else float(work)


def _single(
    con: duckdb.DuckDBPyConnection, file: TableFile, bad_rows: str, progress: Progress | None
) -> tuple[str, int]:
    """The rows without those whose id stood before, and how many such there are.

    Hashes of 64 bits say which may be; their real ids decide. They are all that is kept per ticket: 8 bytes.
    """
    hashes = np.asarray(con.execute("SELECT hash(ticket_id) AS h FROM raw").fetchnumpy()["h"], dtype=np.uint64)
    hashes.sort()
    again = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if progress is not None:
        progress("looking for tickets that stand twice", 100, 100)
    if not len(again):
        return "raw", 0
    con.register("again", pd.DataFrame({"h": again}))
    con.execute("CREATE TEMP TABLE maybe AS SELECT h FROM again")
    twice = con.execute(
        "SELECT ticket_id, count(*) FROM raw WHERE hash(ticket_id) IN (SELECT h FROM maybe) "
        "GROUP BY ticket_id HAVING count(*) > 1 ORDER BY 1"
    ).fetchall()
    if not twice:
        return "raw", 0
    further = sum(n for _, n in twice) - len(twice)
    if bad_rows == "error":
        raise InputError(
            f"ticket_id={twice[0][0]} stands twice ({further} such rows); keep one row for each ticket_id",
            file=file.shown,
        )  # fmt: skip
    con.execute("SET preserve_insertion_order=true")
    con.execute("CREATE TEMP VIEW numbered AS SELECT *, row_number() OVER () AS place_ FROM raw")
    con.execute(
        "CREATE TEMP TABLE later AS SELECT place_ FROM (SELECT place_, row_number() OVER "
        "(PARTITION BY ticket_id ORDER BY place_) AS k FROM numbered WHERE hash(ticket_id) IN (SELECT h FROM maybe)) "
        "WHERE k > 1"
    )
    return "(SELECT * FROM numbered WHERE place_ NOT IN (SELECT place_ FROM later))", further


def _view(
    source: str, have: list[str], times: list[str], until: pd.Timestamp | None, mend: set[str], never: str
) -> str:
    """Columns of the view ``log``: consistent, and as they stood at ``until``."""
    value = {c: quoted(c) for c in have if c in TICKETS.columns}
    value.setdefault("offered_at", "created_at")
    if "offered_at" in mend:
        value["offered_at"] = "CASE WHEN offered_at < created_at THEN created_at ELSE offered_at END"
    if never:
        value["offered_at"] = f"CASE WHEN {never} THEN NULL ELSE {value['offered_at']} END"
    if "first_response_at" in mend:
        value["first_response_at"] = "CASE WHEN first_response_at >= created_at THEN first_response_at END"
    value.setdefault("queue", "'all'")
    if until is not None:
        waits = ""
        if "wait_s" in have:
            waits = f"{value['offered_at']} + to_microseconds(round(wait_s * {_US})::BIGINT) >= {_stamp(until)}"
        now = dict(value)
        for c in [c for c in times if c != "created_at"]:
            now[c] = f"CASE WHEN {value[c]} < {_stamp(until)} THEN {value[c]} END"
        for c, others in KNOWN_WHEN.items():
            for told in (t for t in others if c in have and t in have):
                now[told] = f"CASE WHEN NOT coalesce({value[c]} >= {_stamp(until)}, false) THEN {now[told]} END"
        for c in (c for c in ("wait_s", "outcome") if waits and c in have):
            now[c] = f"CASE WHEN NOT coalesce({waits}, false) THEN {now[c]} END"
        value = now
    parts = [f"{value[c]} AS {quoted(c)}" for c in value if c not in times and c != "offered_at"]
    parts += [
        f"epoch_us({value[c]}) AS {name}" if c in value else f"NULL::BIGINT AS {name}" for c, name in _INSTANTS.items()
    ]
    return f"SELECT {', '.join(parts)} FROM {source}"


def _refuse_gap(seen: pd.DataFrame, zone: str, file: TableFile) -> None:
    days = seen.assign(day=seen["low"] // _DAY).groupby("day").agg(low=("low", "min"), high=("high", "max"))
    gaps = days["low"] - days["high"].shift()
    if len(days) > 1 and gaps.max() >= _LONGEST_GAP_DAYS * _DAY:
        k = int(gaps.argmax())
        before, after = _instant(int(days["high"].iloc[k - 1]), zone), _instant(int(days["low"].iloc[k]), zone)
        raise InputError(
            f"no ticket at all between {before:%Y-%m-%d %H:%M} and {after:%Y-%m-%d %H:%M} ({(after - before).days} "
            f"days): is part of the export missing? Add it, or start after the gap with --since {after:%Y-%m-%d}, or "
            "accept the gap with --allow-gaps",
            file=file.shown, column="created_at",
        )  # fmt: skip
