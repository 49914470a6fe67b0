"""Roster: hours, shrinkage, utilization and occupancy by hand; overlaps and backward stretches refused."""

import pandas as pd
import pytest
from utilization_logs import BERLIN, at, log_of

from staffcast.contracts import InputError
from staffcast.utilization import read_roster, utilization

DAY = [
    ("x", "08:00", "12:00", "available"),
    ("x", "12:00", "12:30", "break"),
    ("x", "12:30", "16:00", "Available"),
    ("y", "08:00", "09:00", "training"),
    ("y", "09:00", "11:00", "available"),
    ("z", "08:00", "16:00", "absent"),
]


def roster_of(rows, day="2025-03-10"):
    return pd.DataFrame(
        [{"agent": a, "start": f"{day} {s}", "end": f"{day} {e}", "state": state} for a, s, e, state in rows]
    )


def test_hours_by_hand():
    """Paid, logged-in and available hours, and shrinkage, of three agents and the team."""
    table = utilization(read_roster(roster_of(DAY), zone=BERLIN)).set_index("agent")
    assert table["paid_h"].to_dict() == {"x": 8.0, "y": 3.0, "z": 8.0, "all": 19.0}
    assert table["logged_in_h"].to_dict() == {"x": 8.0, "y": 3.0, "z": 0.0, "all": 11.0}
    assert table["available_h"].to_dict() == {"x": 7.5, "y": 2.0, "z": 0.0, "all": 9.5}
    assert table["shrinkage"].to_dict() == pytest.approx({"x": 0.5 / 8, "y": 1 / 3, "z": 1.0, "all": 0.5})


def test_utilization_and_occupancy_by_hand():
    """Handling of the roster's agents in its span ÷ logged-in and ÷ available; others and other days do not count."""

    def reply(when, agent, handle):
        return {"created_at": at(when), "first_response_at": at(when), "agent": agent, "handle_s": handle}

    rows = [
        reply("2025-03-10 09:00", "x", 3600.0), reply("2025-03-10 10:00", "x", 1800.0),
        reply("2025-03-10 10:00", "y", 5400.0), reply("2025-03-09 10:00", "y", 9000.0),
        reply("2025-03-10 10:00", "stranger", 7200.0), {"created_at": at("2025-03-10 23:30")},
    ]  # fmt: skip
    table = utilization(read_roster(roster_of(DAY), zone=BERLIN), log_of(rows)).set_index("agent")
    assert table["handling_h"].to_dict() == {"x": 1.5, "y": 1.5, "z": 0.0, "all": 3.0}
    assert table["tickets"].to_dict() == {"x": 2, "y": 1, "z": 0, "all": 3}
    assert table["utilization"].drop("z").to_dict() == pytest.approx({"x": 1.5 / 8, "y": 0.5, "all": 3 / 11})
    assert table["occupancy"].drop("z").to_dict() == pytest.approx({"x": 0.2, "y": 0.75, "all": 3 / 9.5})
    assert table.loc["z", ["utilization", "occupancy"]].isna().all()


def test_hours_over_the_spring_change():
    """A night shift from 22:00 to 06:00 has seven hours when the clock skips one."""
    night = pd.DataFrame(
        {"agent": ["x"], "start": ["2025-03-29 22:00"], "end": ["2025-03-30 06:00"], "state": ["available"]}
    )
    assert utilization(read_roster(night, zone=BERLIN))["paid_h"].tolist() == [7.0, 7.0]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([*DAY, ("y", "11:00", "10:30", "break")], "row 8, column end: ends at .*10:30.*not after its start"),
        ([("x", "08:00", "08:00", "break")], "row 2, column end"),
        ([*DAY, ("y", "10:59", "12:00", "break")], "row 8, column start: agent y has two stretches that overlap"),
        ([("x", "10:00", "12:00", "break"), *DAY], "agent x has two stretches that overlap"),
        ([*DAY, DAY[0]], "stands twice"),
    ],
)
def test_impossible_rosters_are_refused(rows, says):
    """A stretch that ends before it starts, or two of one agent that overlap, are named with their row."""
    with pytest.raises(InputError, match=says):
        read_roster(roster_of(rows), zone=BERLIN)


def test_stretches_may_touch_and_agents_may_overlap():
    """What ends as the next begins is no overlap, in whatever order the rows stand, nor are two agents at once."""
    ordered = read_roster(roster_of(DAY), zone=BERLIN)
    mixed = read_roster(roster_of(DAY[::-1]), zone=BERLIN)
    pd.testing.assert_frame_equal(ordered, mixed)


def test_roster_and_log_are_compared_where_both_are():
    """Of a roster that is longer than the log only the log's span counts: half a shift in it is half the hours."""
    roster = pd.DataFrame(
        {"agent": "x", "start": [at("2025-03-03 08:00"), at("2025-03-10 08:00")],
         "end": [at("2025-03-03 16:00"), at("2025-03-10 16:00")], "state": "available"}
    )  # fmt: skip
    rows = [
        {"created_at": at("2025-03-10 07:00")},
        {
            "created_at": at("2025-03-10 09:00"),
            "first_response_at": at("2025-03-10 09:00"),
            "agent": "x",
            "handle_s": 7200.0,
        },
        {"created_at": at("2025-03-10 12:00")},
    ]
    team = utilization(read_roster(roster, zone=BERLIN), log_of(rows)).iloc[-1]
    assert (team["available_h"], team["occupancy"]) == (4.0, 0.5)
    with pytest.raises(InputError, match="no time in common"):
        utilization(read_roster(roster.iloc[:1], zone=BERLIN), log_of(rows))
