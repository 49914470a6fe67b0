"""Open and waiting tickets against a loop over all tickets at each instant."""

import numpy as np
import pandas as pd
import pytest
from utilization_logs import BERLIN, at, log_of, random_rows

from staffcast.utilization import backlog


def alive(value, now):
    return value is None or value is pd.NaT or value > now


@pytest.mark.parametrize("seed", range(4))
def test_backlog_is_what_a_loop_counts(seed):
    """Waiting, open and the age of the oldest waiting ticket, per queue and hour, over a DST change."""
    rows = random_rows(seed, n=150, days=30)
    instants = pd.date_range("2025-03-09 12:00", "2025-04-12", freq="7h", tz=BERLIN)
    table = backlog(log_of(rows), instants).set_index(["unique_id", "ds"])
    assert len(table) == 2 * len(instants)
    for queue in ("a", "b"):
        for now in instants:
            here = [r for r in rows if r["queue"] == queue and r.get("offered_at") is not None]
            here = [r for r in here if r["offered_at"] <= now]
            waiting = [
                r for r in here if alive(r.get("first_response_at"), now) and alive(r.get("resolved_at"), now)
            ]  # fmt: skip
            row = table.loc[(queue, now)]
            assert row["waiting"] == len(waiting)
            assert row["open"] == sum(alive(r.get("resolved_at"), now) for r in here)
            ages = [(now - r["offered_at"]).total_seconds() for r in waiting]
            assert row["oldest_s"] == max(ages) if ages else np.isnan(row["oldest_s"])


def test_backlog_by_hand():
    """Two come, the younger is answered first; one hung up at an unknown time and never waits."""
    rows = [
        {"created_at": at("2025-03-10 09:00"), "first_response_at": at("2025-03-10 10:00"), "outcome": "open"},
        {"created_at": at("2025-03-10 09:20"), "first_response_at": at("2025-03-10 09:30"),
         "resolved_at": at("2025-03-10 09:50"), "outcome": "answered"},
        {"created_at": at("2025-03-10 09:10"), "outcome": "abandoned"},
    ]  # fmt: skip
    instants = pd.DatetimeIndex([at(f"2025-03-10 {t}") for t in ("08:59", "09:25", "09:40", "10:00")])
    table = backlog(log_of(rows), instants)
    assert table["waiting"].tolist() == [0, 2, 1, 0]
    assert table["open"].tolist() == [0, 2, 2, 1]
    np.testing.assert_array_equal(table["oldest_s"], [np.nan, 1500, 2400, np.nan])


def test_nobody_waits_less_than_not_at_all():
    """A reply or an end before the hand-over leaves the number waiting and open at 0, not below it."""
    rows = [
        {"created_at": at("2025-03-10 09:00"), "offered_at": at("2025-03-10 09:30"),
         "first_response_at": at("2025-03-10 09:10"), "resolved_at": at("2025-03-10 09:20")},
    ]  # fmt: skip
    table = backlog(log_of(rows), pd.date_range("2025-03-10 09:00", "2025-03-10 10:00", freq="5min", tz=BERLIN))
    assert (table[["waiting", "open"]] == 0).all(axis=None)
