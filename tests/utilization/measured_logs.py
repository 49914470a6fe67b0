"""Small logs for the tests of measured inputs."""

from __future__ import annotations

import pandas as pd

from staffcast.tickets import read_log


def at(text):
    return pd.Timestamp(text, tz="UTC")


def log_of(rows):
    """A log in UTC from a frame, or from dicts whose ``offered`` is a time of 2 March 2026."""
    if isinstance(rows, pd.DataFrame):
        return read_log(rows, zone="UTC")
    frame = pd.DataFrame([{"ticket_id": f"T{i:03d}", **row} for i, row in enumerate(rows)])
    if "offered" in frame:
        frame["created_at"] = pd.to_datetime("2026-03-02 " + frame.pop("offered"), utc=True)
    for name in ("first_response_at", "resolved_at"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name], utc=True)
    return read_log(frame, zone="UTC")
