"""Each vendor's first response time on tickets worked out on paper, and the help desk's own figure beside it."""

import numpy as np
import pandas as pd
import pytest
from utilization_logs import BERLIN, at, log_of, random_rows

from staffcast.cli_options import CLOCKS as NAMES
from staffcast.contracts import Calendar, InputError
from staffcast.utilization import CLOCKS, first_responses, kpis, reconcile, response_times

HOURS = {"all": Calendar.parse(BERLIN, {"mon-fri": "09:00-17:00"})}
# Friday 16:00 written, bot until 16:10, assigned 16:30, reopened 16:40, answered Monday 09:20.
ROW = {
    "created_at": at("2025-03-07 16:00"), "offered_at": at("2025-03-07 16:10"), "assigned_at": at("2025-03-07 16:30"),
    "reopened_at": at("2025-03-07 16:40"), "first_response_at": at("2025-03-10 09:20"),
    "resolved_at": at("2025-03-10 10:00"), "last_customer_at": at("2025-03-10 09:30"),
}  # fmt: skip
WEEKEND = 64 * 3600  # Friday 17:00 to Monday 09:00


@pytest.mark.parametrize(
    ("clock", "minutes"),
    [
        ("business", 70), ("calendar", 70 + WEEKEND / 60), ("zendesk", 80 + WEEKEND / 60), ("intercom", 80),
        ("callbell", 70 + WEEKEND / 60), ("trengo", 70), ("chatwoot", 40 + WEEKEND / 60), ("freshdesk", 80),
        ("respondio", 80 + WEEKEND / 60),
    ],
)  # fmt: skip
def test_each_clock_on_one_ticket(clock, minutes):
    """Start, stop and hours of each vendor's rule, over a weekend."""
    log = log_of([ROW])
    found = first_responses(log, HOURS, clock=clock)
    assert found.answered.tolist() == [True]
    assert found.seconds[0] / 60 == pytest.approx(minutes)
    assert response_times(log, HOURS, clock=clock)["frt_s"].iloc[0] == found.seconds[0]
    assert kpis(log, HOURS, clock=clock)["frt_mean_s"].iloc[0] == found.seconds[0]


def test_wati_misses_what_it_answers_after_a_day():
    """WATI's clock starts at the assignment; a reply 24 h after the customer's last message is none: it is missed."""
    late = ROW | {"last_customer_at": at("2025-03-07 16:05"), "outcome": "answered"}
    soon = ROW | {"first_response_at": at("2025-03-07 16:50")}
    unassigned = ROW | {"assigned_at": pd.NaT}
    found = first_responses(log_of([late, soon, unassigned]), HOURS, clock="wati")
    by_id = dict(zip(log_of([late, soon, unassigned]).frame["ticket_id"], range(3), strict=True))
    assert not found.answered[by_id["T00000"]]
    assert found.seconds[by_id["T00000"]] == pytest.approx(23 * 3600 + 35 * 60)  # assigned until the window ended
    assert found.answered[by_id["T00001"]]
    assert found.seconds[by_id["T00001"]] == 20 * 60
    assert np.isnan(found.seconds[by_id["T00002"]])


def test_which_tickets_count():
    """Freshdesk leaves out spam and merged tickets, Zendesk those that agents made; others count all."""
    rows = [
        ROW, ROW | {"status": "Merged"}, ROW | {"status": "Spam"}, ROW | {"direction": "outbound"},
        ROW | {"offered_at": pd.NaT, "first_response_at": pd.NaT},
    ]  # fmt: skip
    log = log_of(rows)
    counted = {name: int((~np.isnan(first_responses(log, HOURS, clock=name).seconds)).sum()) for name in CLOCKS}
    assert counted == dict.fromkeys(CLOCKS, 4) | {"freshdesk": 2, "zendesk": 3}


def test_the_unanswered_have_waited_until_now():
    """Who is not answered is there with what he waited, marked as not ended; who left at an unknown time is not."""
    rows = [
        {"created_at": at("2025-03-10 09:00"), "first_response_at": at("2025-03-10 09:05"), "outcome": "answered"},
        {"created_at": at("2025-03-10 09:10"), "outcome": "open"},
        {"created_at": at("2025-03-10 09:20"), "resolved_at": at("2025-03-10 09:27"), "outcome": "abandoned"},
        {"created_at": at("2025-03-10 09:30"), "outcome": "abandoned"},
        {"created_at": at("2025-03-10 09:40"), "outcome": "abandoned", "wait_s": 33.0},
        {"created_at": at("2025-03-10 10:00"), "outcome": "open"},
    ]
    found = first_responses(log_of(rows), HOURS)
    assert found.answered.tolist() == [True, False, False, False, False, False]
    np.testing.assert_array_equal(found.seconds, [300, 3000, 420, np.nan, 33, 0])


@pytest.mark.parametrize("clock", ["business", "calendar"])
def test_the_plain_clocks_are_those_of_response_times(clock):
    """On a random log the answered have the times that response_times gives."""
    log = log_of(random_rows(4))
    calendars = {"a": HOURS["all"], "b": Calendar(zone=BERLIN)}
    found = first_responses(log, calendars, clock=clock)
    timed = response_times(log, calendars, clock=clock).set_index("ticket_id")["frt_s"]
    ours = pd.Series(np.where(found.answered, found.seconds, np.nan), index=log.frame["ticket_id"])
    pd.testing.assert_series_equal(ours.reindex(timed.index), timed, check_names=False, check_index_type=False)


@pytest.mark.parametrize("vendor", ["zendesk", "intercom", "callbell", "chatwoot"])
def test_a_vendors_stated_times_find_its_clock(vendor):
    """Stated times that follow a vendor's rule are explained by that rule, and not by one that differs."""
    rows = [
        ROW | {
            name: ROW[name] + pd.Timedelta(days=7 * (k // 4), minutes=7 * k * (j + 1))
            for j, name in enumerate(("created_at", "offered_at", "reopened_at", "first_response_at"))
        } | {"resolved_at": pd.NaT, "last_customer_at": pd.NaT}
        for k in range(12)
    ]  # fmt: skip
    log = log_of(rows)
    rule = CLOCKS[vendor]
    column = "stated_frt_s" if rule.hours == "calendar" else "stated_frt_business_s"
    stated = first_responses(log, HOURS, clock=vendor).seconds
    frame = log.frame.assign(**{column: np.round(stated / 60) * 60})
    frame.loc[3, column] += 7200
    table = reconcile(type(log)(frame=frame, zone=log.zone), HOURS)
    row = table[table["clock"] == vendor].iloc[0]
    assert row["n"] == 12
    assert row["equal"] == pytest.approx(11 / 12)
    assert row["mean_difference_s"] == pytest.approx(-600, abs=30)
    assert row["worst"].startswith(f"{frame['ticket_id'][3]}: ")
    assert table["equal"].iloc[0] == row["equal"]
    other = "respondio" if vendor in ("callbell", "chatwoot") else "trengo" if vendor == "intercom" else "callbell"
    assert table.set_index("clock").loc[other, "equal"] < 0.5


def test_bad_clocks_are_named():
    """An unknown clock, one whose start the log lacks, and a log that states nothing are refused."""
    log = log_of([{"created_at": at("2025-03-10 09:00"), "first_response_at": at("2025-03-10 09:01")}])
    with pytest.raises(InputError, match=r"`clock` must be .*a vendor: zendesk.*got 'zohodesk'"):
        first_responses(log, HOURS, clock="zohodesk")
    with pytest.raises(InputError, match="starts at assigned_at"):
        first_responses(log, HOURS, clock="wati")
    with pytest.raises(InputError, match="neither stated_frt_s nor"):
        reconcile(log, HOURS)


def test_the_command_line_knows_all_clocks():
    """The names that --clock takes are those of the rules."""
    assert tuple(CLOCKS) == NAMES
