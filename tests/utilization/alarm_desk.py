"""A desk played agent by agent: arrivals that may grow, a crew of fixed pace, first come first served."""

import heapq

import numpy as np
import pandas as pd

from staffcast.tickets import TicketLog

OPEN, CLOSE = 9 * 3600, 17 * 3600
DAY = 86_400


def desk_log(seed, *, days=56, per_day=100.0, growth=0.0, grows_from=35, agents=3, reply_s=720.0, start="2025-03-03"):
    """Log of one queue, open every day 9–17 UTC; arrivals come while it is open, replies wait for the morning."""
    rng = np.random.default_rng(seed)
    came = []
    for day in range(days):
        mean = per_day * (1 + growth) ** max(day - grows_from, 0)
        came += list(day * DAY + np.sort(rng.uniform(OPEN, CLOSE, rng.poisson(mean))))
    free = [0.0] * agents
    reply = []
    for t in came:
        begin = max(heapq.heappop(free), t)
        if begin % DAY >= CLOSE:
            begin = (begin // DAY + 1) * DAY + OPEN
        reply.append(begin)
        heapq.heappush(free, begin + rng.exponential(reply_s))
    origin = pd.Timestamp(start, tz="UTC")
    frame = pd.DataFrame({"ticket_id": [f"T{i:06d}" for i in range(len(came))]}).astype("string")
    frame["created_at"] = origin + pd.to_timedelta(came, unit="s")
    frame["offered_at"] = frame["created_at"]
    frame["first_response_at"] = origin + pd.to_timedelta(reply, unit="s")
    frame["resolved_at"] = frame["first_response_at"]
    frame["queue"] = pd.Series("desk", index=frame.index, dtype="string")
    return TicketLog(frame=frame, zone="UTC")


def as_of(log, now):
    """The log as it stood at an instant."""
    frame = log.frame[log.frame["created_at"] < now].reset_index(drop=True)
    later = {c: frame[c].mask(frame[c] >= now) for c in ("first_response_at", "resolved_at")}
    return TicketLog(frame=frame.assign(**later), zone=log.zone, until=now)
