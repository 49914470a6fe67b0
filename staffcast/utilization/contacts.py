"""What became of contacts beyond their first reply: solved at once, back again, closed by the bot, window expired."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.tickets import TicketLog

__all__ = [
    "NEVER_REAL",
    "csat_top",
    "deflected",
    "fcr_closed_once",
    "fcr_one_reply",
    "hand_back_s",
    "repeated",
    "window_expired",
]

Floats = npt.NDArray[np.float64]

WINDOW = pd.Timedelta(hours=24)
NEVER_REAL = ("phantom", "spam")
_WHATSAPP = "whatsapp"


def _flag(series: pd.Series) -> npt.NDArray[np.bool_]:
    return np.asarray(series.fillna(value=False).to_numpy(dtype=bool), dtype=np.bool_)


def _real(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    if "outcome" not in frame:
        return np.ones(len(frame), dtype=np.bool_)
    return ~_flag(frame["outcome"].isin(NEVER_REAL))


def deflected(frame: pd.DataFrame) -> Floats:
    """1 where the bot closed the conversation, 0 where it sought a person, NaN where neither.

    Closed by the bot: ``outcome`` says so, or, in a log without outcomes, resolved without ever seeking a person.
    """
    never = frame["offered_at"].isna()
    if "outcome" in frame:
        closed = _flag(never & frame["outcome"].eq("bot_closed"))
    elif "resolved_at" in frame:
        closed = _flag(never & frame["resolved_at"].notna())
    else:
        closed = np.zeros(len(frame), dtype=np.bool_)
    return np.where(closed, 1.0, np.where(never, np.nan, 0.0))


def _settled(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Handled by a person and closed."""
    settled = frame["offered_at"].notna() & frame["resolved_at"].notna()
    if "outcome" in frame:
        settled &= ~frame["outcome"].eq("abandoned").fillna(value=False)
    if "first_response_at" in frame:
        settled &= frame["first_response_at"].notna()
    return _flag(settled)


def fcr_one_reply(frame: pd.DataFrame) -> Floats:
    """First-contact resolution as Zendesk counts it: closed with exactly one reply by a person and never reopened.

    Returns
    -------
    ndarray, shape (n,)
        1 or 0; NaN for tickets that no person closed, and where replies or reopenings are not known.
    """
    replies, again = frame["replies"].to_numpy(dtype=float), frame["reopens"].to_numpy(dtype=float)
    known = _settled(frame) & ~np.isnan(replies) & ~np.isnan(again)
    return np.where(known, ((replies == 1) & (again == 0)).astype(float), np.nan)


def fcr_closed_once(frame: pd.DataFrame) -> Floats:
    """First-contact resolution as Intercom counts it: closed once, with one teammate.

    Returns
    -------
    ndarray, shape (n,)
        1 or 0; NaN for tickets that no person closed and where reopenings are not known. Without ``assignees`` every
        ticket is taken to have been with one teammate.
    """
    again = frame["reopens"].to_numpy(dtype=float)
    one = frame["assignees"].to_numpy(dtype=float) <= 1 if "assignees" in frame else np.ones(len(frame), dtype=bool)
    if "assignees" in frame:
        one |= np.isnan(frame["assignees"].to_numpy(dtype=float))
    known = _settled(frame) & ~np.isnan(again)
    return np.where(known, ((again == 0) & one).astype(float), np.nan)


def repeated(log: TicketLog, *, days: float = 7.0) -> Floats:
    """1 where the same customer came back within so many days, 0 where not.

    Parameters
    ----------
    log : TicketLog
        With ``customer_id``.
    days : float
        From one conversation's begin to the next's.

    Returns
    -------
    ndarray, shape (n,)
        NaN where the customer is not known, for spam, and for all of the log's last days: counted there would be who
        is back already, and left out who may come yet.
    """
    frame = log.frame
    span = pd.Timedelta(days=days)
    known = frame["customer_id"].notna() & _real(frame)
    out = np.full(len(frame), np.nan)
    rows = frame.loc[known, ["customer_id", "created_at"]].sort_values(["customer_id", "created_at"], kind="stable")
    same = (rows["customer_id"] == rows["customer_id"].shift(-1)).fillna(value=False)
    gap = (rows["created_at"].shift(-1) - rows["created_at"]).where(same)
    back = (gap <= span).to_numpy()
    decided = (rows["created_at"] + span <= log.end).to_numpy()
    out[rows.index.to_numpy()] = np.where(decided, back.astype(float), np.nan)
    return out


def window_expired(log: TicketLog) -> Floats:
    """1 where WhatsApp's window of 24 hours after a customer's message closed without an answer by a person.

    Returns
    -------
    ndarray, shape (n,)
        For conversations that sought a person (only ``whatsapp`` where the channel is known); NaN for the others and
        where it cannot be told yet. Looked at are the first message with its first reply and, where the log has
        ``last_customer_at``, the last message with what followed. A conversation that was closed in time is answered.
    """
    frame = log.frame
    nothing = pd.Series(pd.NaT, index=frame.index, dtype=frame["created_at"].dtype)
    first, closed = frame.get("first_response_at", nothing), frame.get("resolved_at", nothing)
    last_word, last_reply = frame.get("last_customer_at", nothing), frame.get("last_reply_at", nothing)
    # A later message before the reply opened the window anew.
    begin = frame["created_at"].where(~((last_word > frame["created_at"]) & (last_word <= first)), last_word)
    late, open_first = _late(begin, first, closed, log.seen)
    follow = last_word.where(last_word > first)
    again, open_last = _late(follow, last_reply.where(last_reply >= follow), closed, log.seen)
    out = np.where(late | again, 1.0, np.where(open_first | open_last, np.nan, 0.0))
    counts = frame["offered_at"].notna()
    if "channel" in frame and _flag(frame["channel"].str.lower().eq(_WHATSAPP)).any():
        counts &= frame["channel"].str.lower().eq(_WHATSAPP)
    return np.where(_flag(counts), out, np.nan)


def _late(
    message: pd.Series, reply: pd.Series, closed: pd.Series, end: pd.Timestamp
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether the window closed unanswered, and whether that is not known yet."""
    until = reply.fillna(closed)
    late = (until - message > WINDOW) | (until.isna() & (message + WINDOW <= end))
    return _flag(late & message.notna()), _flag(until.isna() & (message + WINDOW > end) & message.notna())


def hand_back_s(frame: pd.DataFrame) -> Floats:
    """Seconds from seeking a person until the person handed the conversation back to the bot; NaN where never."""
    seconds = (frame["handed_back_at"] - frame["offered_at"]).dt.total_seconds().to_numpy(dtype=float)
    return np.where(seconds >= 0, seconds, np.nan)


def csat_top(frame: pd.DataFrame) -> tuple[float, str]:
    """Lowest rating that counts as satisfied, and the scale: the top two fifths of 1–5, or of 1–10 if any is above 5.

    Examples
    --------
    >>> csat_top(pd.DataFrame({"csat": [1.0, 5.0]})), csat_top(pd.DataFrame({"csat": [9.0]}))
    ((4.0, '1–5'), (7.0, '1–10'))
    """
    ratings = frame["csat"].dropna() if "csat" in frame else pd.Series(dtype=float)
    return (7.0, "1–10") if len(ratings) and ratings.max() > 5 else (4.0, "1–5")
