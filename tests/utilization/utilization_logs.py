"""Small logs whose KPIs can be counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from staffcast.tickets import read_log

BERLIN = "Europe/Berlin"


def at(text, zone=BERLIN):
    return pd.Timestamp(text, tz=zone) if text else pd.NaT


def log_of(rows, **options):
    """A log from dicts; missing keys are empty."""
    frame = pd.DataFrame([{"ticket_id": f"T{i:05d}", **row} for i, row in enumerate(rows)])
    for name in (c for c in frame if c.endswith("_at")):
        frame[name] = pd.to_datetime(frame[name], utc=True).dt.tz_convert(BERLIN)
    return read_log(frame, zone=BERLIN, **options)


def random_rows(seed, n=300, *, days=40, start="2025-03-10"):
    """Tickets of every fate: closed by the bot, answered and resolved or not, abandoned, still waiting."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        created = at(start) + pd.Timedelta(seconds=int(rng.integers(0, days * 86400)))
        row = {
            "created_at": created, "queue": rng.choice(["a", "b"]), "priority": str(rng.integers(1, 4)),
            "channel": rng.choice(["chat", "phone"]), "agent": None, "reopens": int(rng.random() < 0.2),
            "csat": float(rng.integers(1, 6)) if rng.random() < 0.3 else np.nan,
            "team": rng.choice(["north", "south"]), "topic": rng.choice(["bill", "fault"]), "bot_option": None,
        }  # fmt: skip
        fate = rng.choice(["bot", "answered", "open", "abandoned", "waiting"], p=[0.2, 0.45, 0.1, 0.1, 0.15])
        if fate != "bot":
            offered = created + pd.Timedelta(seconds=int(rng.integers(0, 90)))
            row["offered_at"] = offered
            reply = offered + pd.Timedelta(seconds=int(rng.exponential(90 if rng.random() < 0.7 else 40_000)))
            if fate in ("answered", "open"):
                row |= {"first_response_at": reply, "agent": rng.choice(["x", "y", "z"])}
                row["handle_s"] = float(rng.integers(60, 900))
            if fate in ("answered", "abandoned"):
                row["resolved_at"] = reply + pd.Timedelta(seconds=int(rng.integers(0, 4000)))
        rows.append(row)
    return rows
