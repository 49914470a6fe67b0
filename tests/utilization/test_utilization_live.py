"""The desk now, on logs that can be counted by eye."""

import pandas as pd
import pytest
from utilization_logs import BERLIN, at, log_of

from staffcast.contracts import Calendar, InputError
from staffcast.utilization import kpi_long, live, read_roster

NOW = at("2025-03-10 12:00")
ALWAYS = Calendar.parse(BERLIN, {"mon-sun": "00:00-24:00"})


def ticket(minutes, agent=None, queue="a", **more):
    return {"created_at": NOW - pd.Timedelta(minutes=minutes), "agent": agent, "queue": queue, **more}


def desk():
    """Agent x holds nine tickets, six of them waiting; y and z replied today and hold one; w only works queue b."""
    rows = [ticket(10 + k, "x") for k in range(6)]
    rows += [ticket(50 + k, "x", first_response_at=NOW - pd.Timedelta(minutes=5)) for k in range(3)]
    for agent, queue in (("y", "a"), ("z", "a"), ("w", "b")):
        rows.append(ticket(90, agent, queue, first_response_at=NOW - pd.Timedelta(minutes=80)))
        reply, closed = NOW - pd.Timedelta(minutes=80), NOW - pd.Timedelta(minutes=70)
        rows.append(ticket(99, agent, queue, first_response_at=reply, resolved_at=closed))
    rows.append(ticket(0, None))
    return log_of(rows)


def test_who_waits_and_how_long():
    """The waiting stand in order of their wait; a customer who wrote again waits since then."""
    again = ticket(
        200, "x", first_response_at=NOW - pd.Timedelta(minutes=190), last_reply_at=NOW - pd.Timedelta(minutes=150),
        last_customer_at=NOW - pd.Timedelta(minutes=100),
    )  # fmt: skip
    answered = again | {"last_reply_at": NOW - pd.Timedelta(minutes=99)}
    closed = ticket(300, "x", resolved_at=NOW - pd.Timedelta(minutes=10))
    seen = live(log_of([again, answered, closed, ticket(30), ticket(0)]))
    assert (seen.waiting["waited_s"] / 60).tolist() == [100, 30, 0]
    assert seen.waiting["window_left_s"].iloc[0] == (24 * 60 - 100) * 60
    assert seen.unassigned == 2


def test_who_has_too_much_and_who_takes_it():
    """Agent x has nine open where the others have one: y and z take what waits longest, w of queue b nothing."""
    seen = live(desk())
    load = seen.load.set_index("agent")
    assert load["open"].to_dict() == {"x": 9, "y": 1, "z": 1, "w": 1}
    assert load.loc["x", "state"] == "overloaded"
    assert load["waiting"].to_dict() == {"x": 6, "y": 0, "z": 0, "w": 0}
    assert load.loc[["y", "z"], "state"].tolist() == ["room", "room"]
    assert set(seen.moves["from_agent"]) == {"x"}
    assert seen.moves["to_agent"].tolist()[:4] == ["y", "z", "y", "z"]
    assert seen.moves["waited_s"].is_monotonic_decreasing
    after = load["open"].add(seen.moves["to_agent"].value_counts(), fill_value=0)
    assert (after[["y", "z", "w"]] <= load.loc[["y", "z", "w"], "allowed"]).all()
    assert 9 - len(seen.moves) >= after[["y", "z"]].max()


def test_the_planner_may_say_how_much_is_too_much():
    """With at most two each, x has seven too many, and y and z take one each."""
    seen = live(desk(), most=2)
    assert seen.moves["to_agent"].tolist() == ["y", "z"]
    assert live(desk(), most=9).moves.empty
    with pytest.raises(InputError, match="`most` must be"):
        live(desk(), most=0)


def test_a_roster_says_who_is_here():
    """Who is on a break takes nothing; without a roster, who replied within a day is here."""
    roster = read_roster(
        pd.DataFrame(
            [[agent, "2025-03-10 09:00", "2025-03-10 17:00", state]
             for agent, state in (("x", "available"), ("y", "break"), ("z", "available"))],
            columns=["agent", "start", "end", "state"],
        ),
        zone=BERLIN,
    )  # fmt: skip
    seen = live(desk(), roster=roster)
    assert set(seen.moves["to_agent"]) == {"z"}
    assert seen.load.set_index("agent")["state"].to_dict() == {"x": "overloaded", "y": "away", "z": "room", "w": "away"}


def test_an_even_desk_moves_nothing():
    """Where all have about as much, nobody is overloaded, however much it is."""
    rows = [ticket(10 + k, agent) for agent in "xyz" for k in range(20)]
    seen = live(log_of([*rows, ticket(0)]))
    assert "overloaded" not in set(seen.load["state"])
    assert seen.moves.empty


def test_a_log_without_agents_still_shows_who_waits():
    """Without the column agent there is no load and nothing to move."""
    seen = live(log_of([{"created_at": NOW - pd.Timedelta(minutes=3)}, {"created_at": NOW}]))
    assert (len(seen.waiting), len(seen.load), seen.unassigned) == (2, 0, 2)


def solved_after_the_last_arrival():
    """Three tickets, the last at noon; all are answered and closed, one of them two days later."""
    spans = ((120, 30), (60, 90), (0, 2880))
    return [
        ticket(m, "x", first_response_at=NOW + pd.Timedelta(minutes=1), resolved_at=NOW + pd.Timedelta(minutes=k))
        for m, k in spans
    ]


def test_what_was_solved_after_the_last_arrival_is_not_open():
    """A log of solved tickets has no backlog and nobody who waits; arrivals still end with the last that came."""
    log = log_of(solved_after_the_last_arrival())
    assert (log.end, log.seen) == (NOW, NOW + pd.Timedelta(days=2))
    seen = live(log)
    assert (len(seen.waiting), int(seen.load["open"].sum())) == (0, 0)
    kpis = kpi_long(log, {"a": ALWAYS}).frame.set_index("kpi")["value"]
    assert kpis["backlog_open"] == 0
    assert kpis["volume_per_day"] == 3  # one day of arrivals, however long they took


def test_as_of_until_it_is_open():
    """With --until the log stands as it stood then: what was closed later is open."""
    then = NOW + pd.Timedelta(hours=1)
    log = log_of(solved_after_the_last_arrival(), until=then)
    assert log.end == log.seen == then
    assert int(live(log).load["open"].sum()) == 2
