"""Facts for the simulation: spread of handle times, priorities, who waits."""

import numpy as np
import pandas as pd
import pytest
from utilization_logs import BERLIN, at, log_of

from staffcast.contracts import Calendar
from staffcast.tickets import read_log
from staffcast.utilization import QueueFacts, measure, priority_order

END = at("2025-06-02")
OPEN = {"all": Calendar(zone=BERLIN)}


def tickets(handle, *, weeks_ago=1.0, **columns):
    first = END - pd.Timedelta(weeks=weeks_ago)
    return [
        {"created_at": first + pd.Timedelta(minutes=i), "first_response_at": first + pd.Timedelta(minutes=i + 1),
         "handle_s": h, **{k: v[i] for k, v in columns.items()}}
        for i, h in enumerate(handle)
    ]  # fmt: skip


def test_the_spread_of_handle_times():
    """Hundred handlings, half of 100 s and half of 300 s, have a mean of 200 and a standard deviation of 100."""
    assert measure(log_of(tickets([100.0, 300.0] * 50)), OPEN, END)["all"].handle_cv == pytest.approx(0.5)


def test_the_spread_is_that_of_the_last_eight_weeks():
    """Handle times of nine weeks ago, and empty or zero ones, do not count."""
    rows = tickets([100.0, 300.0] * 50) + tickets([5000.0, 1.0] * 50, weeks_ago=9.5) + tickets([0.0, np.nan] * 10)
    assert measure(log_of(rows, allow_gaps=True), OPEN, END)["all"].handle_cv == pytest.approx(0.5)


def test_little_known_is_exponential_and_all_alike():
    """Under 50 handlings the spread is 1, that of the exponential, and there are no classes."""
    rows = tickets([100.0, 300.0] * 10, priority=["low", "high"] * 10)
    assert measure(log_of(rows), OPEN, END)["all"] == QueueFacts(handle_cv=1.0, priorities=(), priority_shares=())


def test_priorities_and_their_shares():
    """Classes come with the most urgent first and the shares that the tickets have."""
    classes = ["low"] * 60 + ["urgent"] * 10 + ["normal"] * 30
    facts = measure(log_of(tickets([60.0] * 100, priority=classes)), OPEN, END)["all"]
    assert facts.priorities == ("urgent", "normal", "low")
    assert facts.priority_shares == pytest.approx((0.1, 0.3, 0.6))


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["low", "Urgent", "normal", "high"], ["Urgent", "high", "normal", "low"]),
        (["10", "9", "1"], ["1", "9", "10"]),
        (["3 - Moderate", "1 - Critical", "2 - High"], ["1 - Critical", "2 - High", "3 - Moderate"]),
        (["P3", "P10", "P2"], ["P2", "P3", "P10"]),
        (["b", "2 high", "a"], ["a", "b", "2 high"]),
    ],
)
def test_the_order_of_priorities(names, order):
    """By usual words whatever their case, by number and not by digit, else by name."""
    assert priority_order(names) == order


def test_ages_of_those_who_wait():
    """The oldest first; who was answered, gave up, or came after closing on Friday does not wait at the end."""
    hours = {"all": Calendar.parse(BERLIN, {"mon-fri": "08:00-18:00"})}
    rows = [
        {"created_at": at("2025-05-30 17:00"), "outcome": "open"},
        {"created_at": at("2025-05-29 17:00"), "outcome": "open"},
        {"created_at": at("2025-05-30 09:00"), "first_response_at": at("2025-05-30 09:01"), "outcome": "open"},
        {"created_at": at("2025-05-30 10:00"), "resolved_at": at("2025-05-30 11:00"), "outcome": "abandoned"},
        {"created_at": at("2025-05-30 11:00"), "first_response_at": pd.NaT, "outcome": "abandoned"},
        {"created_at": at("2025-05-31 10:00"), "outcome": "open"},
    ]
    ages = measure(log_of(rows), hours, END)["all"].backlog_age_s
    assert ages == (3 * 86400 + 7 * 3600, 2 * 86400 + 7 * 3600)


def test_an_interval_file_tells_nothing():
    """Counts per interval know neither handle times nor classes: the defaults stand."""
    ds = pd.date_range("2025-05-01", periods=48, freq="h", tz=BERLIN)
    log = read_log(pd.DataFrame({"timestamp": ds, "count": 3}), zone=BERLIN)
    assert measure(log, OPEN, END) == {"all": QueueFacts()}


def test_a_given_order_of_priorities_goes_first():
    """Classes that the planner orders come in that order; the others follow."""
    log = log_of(tickets([60.0] * 100, priority=["0"] * 60 + ["2"] * 30 + ["1"] * 10))
    facts = measure(log, OPEN, END, order=["2", "9"])["all"]
    assert facts.priorities == ("2", "0", "1")
    assert facts.priority_shares == pytest.approx((0.3, 0.6, 0.1))
