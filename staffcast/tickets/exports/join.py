"""Several rows to a ticket made one: metrics, comments and events, grouped by DuckDB on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.tickets.exports.report import Findings
from staffcast.tickets.exports.stage import batches_of

if TYPE_CHECKING:
    import duckdb

__all__ = ["EVENT_COLUMNS", "frames_of_query", "rows_of", "ticket_events", "with_comments", "with_metrics"]

EVENT_COLUMNS = (
    "ticket_id", "created_at", "queue", "offered_at", "first_response_at", "resolved_at", "reopened_at",
    "last_reply_at",
    "mean_reply_s", "stated_frt_s", "stated_frt_business_s", "stated_resolution_s", "stated_resolution_business_s",
    "reopens",
    "replies", "agent", "outcome",
)  # fmt: skip
_TAKEN = ("first_response_at", "last_reply_at", "last_customer_at", "replies", "customer_messages")


def _table(path: Path) -> str:
    return "read_parquet(['" + str(path).replace("'", "''") + "'])"


def frames_of_query(con: duckdb.DuckDBPyConnection, query: str) -> Iterator[pd.DataFrame]:
    """Rows of a query, a batch at a time."""
    for batch in batches_of(con, query):
        yield batch.to_pandas()


def rows_of(frame: pd.DataFrame, file: int) -> npt.NDArray[np.int64]:
    """Row numbers of one file's rows in a frame with ``_file`` and ``_row``."""
    return frame.loc[frame["_file"] == file, "_row"].to_numpy(dtype=np.int64)


def _without_ticket(
    con: duckdb.DuckDBPyConnection, tickets: Path, part: Path, what: str, files: Sequence[str], found: Findings
) -> None:
    """Name the rows of a part whose ticket is in no file."""
    query = f"SELECT _file, _row FROM {_table(part)} WHERE ticket_id NOT IN (SELECT ticket_id FROM {_table(tickets)})"
    for frame in frames_of_query(con, query + " ORDER BY _file, _row"):
        for k, file in enumerate(files):
            found.add("dropped", f"{what} of a ticket that is in none of the files", file, rows_of(frame, k))


def with_metrics(
    con: duckdb.DuckDBPyConnection, tickets: Path, columns: Sequence[str], metrics: Path, has: Sequence[str], out: Path,
    files: Sequence[str], found: Findings,
) -> tuple[str, ...]:  # fmt: skip
    """Write the tickets with what their metrics say where they themselves say nothing; return the columns."""
    _without_ticket(con, tickets, metrics, "metrics", files, found)
    more = [c for c in has if c not in ("ticket_id", "_updated", "_row", "_file")]
    both = [f"coalesce(t.{c}, m.{c}) AS {c}" for c in more if c in columns] + [
        f"m.{c}" for c in more if c not in columns
    ]
    own = [f"t.{c}" for c in columns if c not in more]
    con.execute(
        f"COPY (SELECT {', '.join([*own, *both])} FROM {_table(tickets)} t "
        f"LEFT JOIN {_table(metrics)} m USING (ticket_id)) "
        f"TO '{str(out).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)"
    )
    return (*(c for c in columns if c not in more), *(c for c in more if c in columns),
            *(c for c in more if c not in columns))  # fmt: skip


def with_comments(
    con: duckdb.DuckDBPyConnection, tickets: Path, columns: Sequence[str], comments: Path, out: Path,
    files: Sequence[str], found: Findings,
) -> tuple[str, ...]:  # fmt: skip
    """Write the tickets with what their public comments say; return the columns.

    The first public comment after creation by somebody else than the customer is the first response: Zendesk's rule.
    """
    _without_ticket(con, tickets, comments, "comments", files, found)
    reply = "c.public AND c._author IS DISTINCT FROM t.customer_id AND c._end > t.created_at"
    asked = "c.public AND c._author = t.customer_id"
    said = (
        "SELECT t.ticket_id, "
        f"min(c._end) FILTER ({reply}) AS first_response_at, max(c._end) FILTER ({reply}) AS last_reply_at, "
        f"max(c._end) FILTER ({asked}) AS last_customer_at, CAST(count(*) FILTER ({reply}) AS DOUBLE) AS replies, "
        f"CAST(count(*) FILTER ({asked}) AS DOUBLE) AS customer_messages "
        f"FROM {_table(tickets)} t JOIN "
        f"(SELECT *, lower(_public) IN ('true', '1', 't', 'yes') AS public FROM {_table(comments)}) c "
        "USING (ticket_id) GROUP BY ALL"
    )
    both = [f"coalesce(t.{c}, s.{c}) AS {c}" if c in columns else f"s.{c}" for c in _TAKEN]
    own = [f"t.{c}" for c in columns if c not in _TAKEN]
    con.execute(
        f"COPY (SELECT {', '.join([*own, *both])} FROM {_table(tickets)} t LEFT JOIN ({said}) s USING (ticket_id)) "
        f"TO '{str(out).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)"
    )
    return (*(c for c in columns if c not in _TAKEN), *_TAKEN)


def ticket_events(
    con: duckdb.DuckDBPyConnection, events: Path, has: Sequence[str], files: Sequence[str], found: Findings
) -> str:
    """Query that makes Chatwoot's events tickets; events that stand twice are named and count once.

    A conversation begins where the first event of it starts; it is offered to people at the bot's first hand-over, at
    once where no bot is told of, never where the bot closed it and nobody replied. It is open again if it was
    reopened after its last close.
    """
    have = {name: name if name in has else f"CAST(NULL AS {kind}) AS {name}" for name, kind in (
        ("_start", "TIMESTAMPTZ"), ("_value_s", "DOUBLE"), ("_value_business_s", "DOUBLE"), ("queue", "VARCHAR"),
        ("agent", "VARCHAR"),
    )}  # fmt: skip
    numbered = (
        f"SELECT ticket_id, lower(_event) AS event, _end, {', '.join(have.values())}, _file, _row, "
        "row_number() OVER (PARTITION BY ticket_id, lower(_event), _end ORDER BY _file, _row) AS k "
        f"FROM {_table(events)}"
    )
    for frame in frames_of_query(con, f"SELECT _file, _row FROM ({numbered}) WHERE k > 1 ORDER BY _file, _row"):
        for k, file in enumerate(files):
            found.add("dropped", "the same event stands twice", file, rows_of(frame, k))
    begins = "coalesce(_start, _end)"
    opened = "event = 'conversation_opened'"
    again = f"{opened} AND _value_s > 0"
    human = "event IN ('first_response', 'reply_time')"
    resolved = "event = 'conversation_resolved'"
    grouped = (
        f"SELECT ticket_id, min(CASE WHEN {opened} THEN coalesce(_start, _end) ELSE {begins} END) AS created_at, "
        "arg_min(queue, _end) AS queue, min(_end) FILTER (event = 'conversation_bot_handoff') AS handed_at, "
        "count(*) FILTER (event = 'conversation_bot_resolved') AS by_bot, "
        "min(_end) FILTER (event = 'first_response') AS first_response_at, "
        f"max(_end) FILTER (event IN ('conversation_resolved', 'conversation_bot_resolved')) AS resolved_at, "
        f"max(_end) FILTER ({again}) AS reopened_at, max(_end) FILTER ({human}) AS last_reply_at, "
        f"avg(_value_s) FILTER ({human}) AS mean_reply_s, "
        "arg_min(_value_s, _end) FILTER (event = 'first_response') AS stated_frt_s, "
        "arg_min(_value_business_s, _end) FILTER (event = 'first_response') AS stated_frt_business_s, "
        f"arg_max(_value_s, _end) FILTER ({resolved}) AS stated_resolution_s, "
        f"arg_max(_value_business_s, _end) FILTER ({resolved}) AS stated_resolution_business_s, "
        f"CAST(count(*) FILTER ({again}) AS DOUBLE) AS reopens, CAST(count(*) FILTER ({human}) AS DOUBLE) AS replies, "
        f"arg_min(agent, _end) FILTER ({human}) AS agent, min(_row) AS _row, min(_file) AS _file "
        f"FROM ({numbered}) WHERE k = 1 GROUP BY ticket_id"
    )
    return (
        "SELECT * REPLACE (CASE WHEN reopened_at > resolved_at THEN NULL ELSE resolved_at END AS resolved_at), "
        "CASE WHEN by_bot > 0 AND first_response_at IS NULL AND handed_at IS NULL THEN NULL "
        "ELSE coalesce(handed_at, created_at) END AS offered_at, "
        "CASE WHEN by_bot > 0 AND first_response_at IS NULL AND handed_at IS NULL THEN 'bot_closed' "
        "WHEN first_response_at IS NOT NULL THEN 'answered' ELSE 'open' END AS outcome "
        f"FROM ({grouped}) ORDER BY created_at, ticket_id"
    )
