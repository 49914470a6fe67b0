"""Now: who waits for a reply and how long, how much each agent has open, who has too much and who could take some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from staffcast.contracts import bad_value
from staffcast.tickets import TicketLog
from staffcast.utilization.ages import open_and_waiting
from staffcast.utilization.roster import AVAILABLE

__all__ = ["Live", "live"]

_WINDOW = pd.Timedelta(hours=24)
_RECENT = pd.Timedelta(days=14)
_SEEN = pd.Timedelta(hours=24)
_UNLIKELY = 0.01


@dataclass(frozen=True, kw_only=True)
class Live:
    """The desk at an instant.

    Attributes
    ----------
    at : Timestamp
    waiting : DataFrame
        ``ticket_id, queue, priority, agent, since, waited_s, window_left_s`` of open tickets whose customer waits for a
        reply, the first or a further one, the longest first. ``window_left_s``: until WhatsApp's 24 hours end
        (negative: they did). Columns that the log lacks are left out.
    load : DataFrame
        ``agent, open, waiting, oldest_s, allowed, here, state`` per agent, the fullest first; ``state`` is
        ``overloaded``, ``room``, ``full``, or ``away`` (not here, and no more open than others).
    moves : DataFrame
        ``ticket_id, queue, from_agent, to_agent, waited_s``: what to hand over, in this order.
    unassigned : int
        Waiting tickets that nobody has.
    """

    at: pd.Timestamp
    waiting: pd.DataFrame
    load: pd.DataFrame
    moves: pd.DataFrame
    unassigned: int


def live(
    log: TicketLog, *, now: pd.Timestamp | None = None, roster: pd.DataFrame | None = None, most: int | None = None
) -> Live:
    """Look at the open tickets.

    Parameters
    ----------
    log : TicketLog
    now : Timestamp, optional
        The latest instant that the log tells of without one.
    roster : DataFrame, optional
        From :func:`read_roster`: who is available now. Without it: who replied to or closed something in the last day.
    most : int, optional
        Open tickets from which on an agent has too much is one more than this. Without it: more than chance brings
        (1 %) if the open tickets fell evenly on those who are here, and at least two above that mean.

    Raises
    ------
    InputError
        ``most`` below 1.
    """
    if most is not None and most < 1:
        raise bad_value("most", most, "a whole number from 1 on")
    at = pd.Timestamp(log.seen) if now is None else now
    frame = log.frame
    here, unanswered = open_and_waiting(log, at)
    nothing = pd.Series(pd.NaT, index=frame.index, dtype=frame["offered_at"].dtype)
    word, reply = frame.get("last_customer_at", nothing), frame.get("last_reply_at", nothing)
    word = word.where(word <= at)
    again = here & ~unanswered & (word > reply.where(reply <= at)).to_numpy()
    rows = frame[unanswered | again]
    since = frame["offered_at"].where(unanswered, word)[unanswered | again]
    last = word.fillna(frame["created_at"])[unanswered | again]
    table = rows[[c for c in ("ticket_id", "queue", "priority", "agent") if c in rows]].assign(
        since=since,
        waited_s=(at - since).dt.total_seconds(),
        window_left_s=(last + _WINDOW - at).dt.total_seconds(),
    )
    table = table.sort_values(["waited_s", "ticket_id"], ascending=[False, True], kind="stable", ignore_index=True)
    if "agent" not in frame:
        return Live(at=at, waiting=table, load=_no_load(), moves=_no_moves(), unassigned=len(table))
    load = _loads(frame[here], table, at, _here(frame, at, roster), most)
    moves = _moves(frame, table, load, at)
    return Live(at=at, waiting=table, load=load, moves=moves, unassigned=int(table["agent"].isna().sum()))


def _no_load() -> pd.DataFrame:
    return pd.DataFrame(columns=["agent", "open", "waiting", "oldest_s", "allowed", "here", "state"])


def _no_moves() -> pd.DataFrame:
    return pd.DataFrame(columns=["ticket_id", "queue", "from_agent", "to_agent", "waited_s"])


def _here(frame: pd.DataFrame, at: pd.Timestamp, roster: pd.DataFrame | None) -> set[str]:
    if roster is not None:
        now = (roster["start"] <= at) & (at < roster["end"]) & (roster["state"].str.lower() == AVAILABLE)
        return set(roster.loc[now, "agent"].astype(str))
    seen = np.zeros(len(frame), dtype=bool)
    for column in ("first_response_at", "last_reply_at", "resolved_at"):
        if column in frame:
            seen |= ((frame[column] <= at) & (frame[column] > at - _SEEN)).to_numpy(dtype=bool)
    return set(frame.loc[seen & frame["agent"].notna().to_numpy(), "agent"].astype(str))


def _loads(
    opened: pd.DataFrame, waiting: pd.DataFrame, at: pd.Timestamp, here: set[str], most: int | None
) -> pd.DataFrame:
    agents = sorted(here | set(opened["agent"].dropna().astype(str)))
    if not agents:
        return _no_load()
    table = pd.DataFrame({"agent": agents})
    table["open"] = table["agent"].map(opened["agent"].value_counts()).fillna(0).astype(int)
    table["waiting"] = table["agent"].map(waiting["agent"].value_counts()).fillna(0).astype(int)
    table["oldest_s"] = table["agent"].map(waiting.groupby("agent")["waited_s"].max()).astype(float)
    table["here"] = table["agent"].isin(here)
    if most is not None:
        table["allowed"] = most
    else:
        # The mean of the others: one who has everything must not raise the measure that he is held to.
        among = table["here"] | (table["open"] > 0)
        others = max(int(among.sum()) - 1, 1)
        mean = (table.loc[among, "open"].sum() - table["open"]) / others
        table["allowed"] = np.maximum(stats.poisson.ppf(1 - _UNLIKELY, mean), np.floor(mean) + 2).astype(int)
    over = table["open"] > table["allowed"]
    room = ~over & table["here"] & (table["open"] < table["allowed"])
    table["state"] = np.select([over, room, ~table["here"]], ["overloaded", "room", "away"], "full")
    return table.sort_values(["open", "waiting", "agent"], ascending=[False, False, True], ignore_index=True)[
        ["agent", "open", "waiting", "oldest_s", "allowed", "here", "state"]
    ]


def _moves(frame: pd.DataFrame, waiting: pd.DataFrame, load: pd.DataFrame, at: pd.Timestamp) -> pd.DataFrame:
    """From the fullest to the least loaded who works the queue, what waits longest first; never to and fro."""
    opened = dict(zip(load["agent"], load["open"], strict=True))
    allowed = dict(zip(load["agent"], load["allowed"], strict=True))
    takers = list(load.loc[load["here"] & (load["state"] == "room"), "agent"])
    recent = frame[(frame["offered_at"] > at - _RECENT) & frame["agent"].notna()]
    works = {(str(a), str(q)) for a, q in recent[["agent", "queue"]].drop_duplicates().itertuples(index=False)}
    rows = []
    for giver in load.loc[load["state"] == "overloaded", "agent"]:
        for row in waiting[waiting["agent"] == giver].to_dict("records"):
            if opened[giver] <= allowed[giver]:
                break
            able = [a for a in takers if (a, str(row["queue"])) in works and opened[a] < allowed[a]]
            able = [a for a in able if opened[a] + 1 < opened[giver]]
            if not able:
                continue
            taker = min(able, key=lambda a: (opened[a], a))
            opened[giver] -= 1
            opened[taker] += 1
            rows.append((row["ticket_id"], row["queue"], giver, taker, row["waited_s"]))
    return pd.DataFrame(rows, columns=["ticket_id", "queue", "from_agent", "to_agent", "waited_s"])
