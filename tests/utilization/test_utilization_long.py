"""Every KPI in long form against loops over the tickets, and what must hold of any log."""

import math
import os
import time

import numpy as np
import pandas as pd
import pytest
from test_utilization_kpis import CALENDARS, known
from utilization_logs import BERLIN, at, log_of, random_rows

from staffcast.contracts import Calendar, InputError, Target
from staffcast.tickets import TicketLog, read_log
from staffcast.utilization import (
    MEASURES,
    backlog,
    backlog_ages,
    find_kpi,
    kpi_long,
    kpi_names,
    kpis,
    read_roster,
    unavailable,
    utilization,
)

ALWAYS = {"all": Calendar(zone=BERLIN)}


def rich_rows(seed, n=400):
    """Random tickets with every column that a KPI asks for."""
    rng = np.random.default_rng(seed)
    rows = random_rows(seed, n)
    for row in rows:
        row["customer_id"] = f"C{rng.integers(0, n // 3)}"
        row["bot_first_response_at"] = row["created_at"] + pd.Timedelta(seconds=int(rng.integers(2, 15)))
        row["nps"], row["ces"] = float(rng.integers(0, 11)), float(rng.integers(1, 11))
        row["bot_option"] = rng.choice(["bill", "order"])
        row["assignees"] = int(rng.integers(1, 3))
        row["outcome"] = None if known(row.get("offered_at")) else "bot_closed"
        if known(row.get("first_response_at")):
            row["replies"], row["mean_reply_s"] = int(rng.integers(1, 5)), float(rng.integers(20, 300))
            row["assigned_at"] = row["offered_at"]
            row["last_customer_at"] = row["first_response_at"] + pd.Timedelta(hours=int(rng.integers(-1, 30)))
            row["last_reply_at"] = row["last_customer_at"] + pd.Timedelta(hours=int(rng.integers(-20, 40)))
            if rng.random() < 0.3:
                row["handed_back_at"] = row["first_response_at"] + pd.Timedelta(seconds=int(rng.integers(10, 900)))
    return rows


def value(table, kpi, column="value"):
    return table.frame.set_index("kpi").loc[kpi, column]


def test_every_kpi_is_there_and_none_is_made_up():
    """A log with all columns gives every KPI; one with two columns says which column each of the others lacks."""
    full = kpi_long(log_of(rich_rows(1)), CALENDARS)
    assert set(kpi_names()) <= set(full.frame["kpi"])
    bare = kpi_long(log_of([{"created_at": at("2025-03-10 09:00")}, {"created_at": at("2025-03-10 10:00")}]), ALWAYS)
    there = set(bare.frame["kpi"])
    assert {"volume", "offered", "backlog_open", "volume_per_day"} <= there
    for name, measure in MEASURES.items():
        if not there & set(measure.names()):
            assert any(note.startswith(f"{name} left out: ") for note in bare.notes), name
    assert any("nps left out: the log lacks nps" in note for note in bare.notes)
    assert any("no roster" in note for note in bare.notes)


@pytest.mark.parametrize("seed", range(3))
def test_kpis_are_what_a_loop_over_the_tickets_counts(seed):
    """Shares, means and scores of a random log are those of a slow loop."""
    rows = rich_rows(seed)
    log = log_of(rows)
    table = kpi_long(log, CALENDARS, clock="calendar", repeat_days=3)
    people = [r for r in rows if known(r.get("offered_at"))]
    closed = [r for r in people if known(r.get("first_response_at")) and known(r.get("resolved_at"))]
    came = sorted(rows, key=lambda r: r["created_at"])
    back, told = 0, 0
    for k, r in enumerate(came):
        later = [s["created_at"] - r["created_at"] for s in came[k + 1 :] if s["customer_id"] == r["customer_id"]]
        again = any(gap <= pd.Timedelta(days=3) for gap in later)
        over = r["created_at"] + pd.Timedelta(days=3) <= log.end
        back += again and over
        told += over
    replies = [(r["mean_reply_s"], r["replies"]) for r in people if known(r.get("replies"))]
    expected = {
        "volume": len(rows), "offered": len(people),
        "fcr_one_reply": np.mean([r["replies"] == 1 and r["reopens"] == 0 for r in closed]),
        "fcr_closed_once": np.mean([r["assignees"] == 1 and r["reopens"] == 0 for r in closed]),
        "nps": 100 * np.mean([(r["nps"] >= 9) - (r["nps"] <= 6) for r in rows]),
        "ces": np.mean([r["ces"] for r in rows]),
        "deflection": np.mean([not known(r.get("offered_at")) for r in rows]),
        "repeat_share": back / told,
        "reply_mean_s": sum(x * n for x, n in replies) / sum(n for _, n in replies),
        "handed_back_share": np.mean([known(r.get("handed_back_at")) for r in people]),
        "bot_option_share: bill": np.mean([r["bot_option"] == "bill" for r in rows]),
        "csat": np.mean([r["csat"] >= 4 for r in people if known(r["csat"])]),
        "frt_bot_mean_s": np.mean([(r["bot_first_response_at"] - r["created_at"]).total_seconds() for r in rows]),
    }  # fmt: skip
    for name, number in expected.items():
        assert value(table, name) == pytest.approx(number), name


def test_the_wide_and_the_long_table_agree():
    """What both tables have is the same figure: counts, means of the answered, shares."""
    log = log_of(rich_rows(5))
    wide = kpis(log, CALENDARS, target=Target.parse("80% in 300s")).iloc[0]
    table = kpi_long(log, CALENDARS, target=Target.parse("80% in 300s"))
    for ours, theirs in (
        ("volume", "volume"), ("offered", "offered"), ("answered", "answered"), ("abandoned", "abandoned"),
        ("unanswered", "unanswered"), ("frt_human_within", "frt_within"), ("handling_mean_s", "aht_s"),
        ("csat", "csat"), ("art_mean_s", "art_mean_s"), ("reopened_share", "reopened_share"),
    ):  # fmt: skip
        assert value(table, ours) == pytest.approx(wide[theirs]), ours
    for statistic in ("mean", "p50", "p90", "p95", "p99"):
        assert value(table, f"frt_human_{statistic}_s", "plain") == pytest.approx(wide[f"frt_{statistic}_s"])
        assert value(table, f"frt_human_{statistic}_s") >= wide[f"frt_{statistic}_s"] * 0.95


@pytest.mark.parametrize("by", [["team"], ["queue", "weekday"], ["hour"], ["channel", "topic"]])
def test_parts_make_the_whole(by):
    """Counts sum, shares and means weighted by their tickets average, to those of the whole log."""
    log = log_of(rich_rows(6))
    whole, parts = kpi_long(log, CALENDARS).frame.set_index("kpi"), kpi_long(log, CALENDARS, by=by).frame
    for name in ("volume", "offered", "answered", "abandoned", "unanswered", "closed"):
        assert parts.loc[parts["kpi"] == name, "value"].sum() == whole.loc[name, "value"]
    for name in ("csat", "ces", "fcr_one_reply", "repeat_share", "handling_mean_s", "nps", "art_mean_s"):
        own = parts[parts["kpi"] == name]
        assert own["n"].sum() == whole.loc[name, "n"]
        assert (own["value"] * own["n"]).sum() / own["n"].sum() == pytest.approx(whole.loc[name, "value"])


def test_periods_are_the_log_of_each_period():
    """The row of a week is that of a log with that week's tickets only, and its backlog that of its last midnight."""
    rows = rich_rows(7)
    table = kpi_long(log_of(rows), CALENDARS, period="week").frame
    monday = at("2025-03-17")
    own = [r for r in rows if monday <= r["created_at"] < monday + pd.Timedelta(days=7)]
    week = table[table["week"] == "2025-03-17"].set_index("kpi")
    assert week.loc["volume", "value"] == len(own)
    assert week.loc["volume_per_day", "value"] == pytest.approx(len(own) / 7)
    assert week.loc["nps", "value"] == pytest.approx(100 * np.mean([(r["nps"] >= 9) - (r["nps"] <= 6) for r in own]))
    past = backlog(log_of(rows), pd.DatetimeIndex([monday + pd.Timedelta(days=7)]))
    assert week.loc["backlog_open", "value"] == past["open"].sum()
    assert week.loc["backlog_waiting", "value"] == past["waiting"].sum()
    bands = [name for name in week.index if name.startswith("backlog_") and name.split("_")[1][0].isdigit()]
    assert week.loc[[*bands, "backlog_under_1h", "backlog_over_7d"], "value"].sum() == past["open"].sum()


def test_ages_of_the_backlog_by_hand():
    """Three open tickets of 30 minutes, 5 hours and 8 days stand in their bands; the solved one in none."""
    now = at("2025-03-20 12:00")
    solved = now - pd.Timedelta("1h")
    rows = [
        {"created_at": now - pd.Timedelta(age), "priority": p, "resolved_at": r}
        for age, p, r in (("30min", "1", pd.NaT), ("5h", "2", pd.NaT), ("8D", "2", pd.NaT), ("2h", "1", solved))
    ]
    table = backlog_ages(log_of(rows), now, ["priority"]).set_index("priority")
    assert table["backlog_open"].to_dict() == {"1": 1, "2": 2}
    assert table["backlog_under_1h"].to_dict() == {"1": 1, "2": 0}
    assert table.loc["2", ["backlog_4h_to_24h", "backlog_over_7d", "backlog_oldest_s"]].tolist() == [1, 1, 8 * 86400]


def test_windows_that_expired():
    """A first reply after 25 h, and a second message unanswered for a day, are expired; one closed in time is not."""
    day = pd.Timedelta(hours=24)
    t = at("2025-03-10 09:00")
    rows = [
        {"created_at": t, "first_response_at": t + day * 1.05, "channel": "whatsapp"},
        {"created_at": t, "first_response_at": t + day / 2, "channel": "whatsapp"},
        {"created_at": t, "first_response_at": t + day / 9, "last_customer_at": t + day / 8, "channel": "whatsapp"},
        {"created_at": t, "first_response_at": t + day / 9, "last_customer_at": t + day / 8,
         "last_reply_at": t + day / 7, "channel": "whatsapp"},
        {"created_at": t, "resolved_at": t + day / 2, "channel": "whatsapp"},
        {"created_at": t + 3 * day, "channel": "whatsapp"},
        {"created_at": t, "channel": "phone"},
    ]  # fmt: skip
    table = kpi_long(log_of(rows), ALWAYS)
    assert (value(table, "window_expired_share"), value(table, "window_expired_share", "n")) == (2 / 5, 5)


def test_ratings_up_to_ten_count_from_seven():
    """On a scale of 1–10 the top two fifths are 7 to 10; on 1–5 they are 4 and 5."""
    rows = [{"created_at": at("2025-03-10 09:00"), "csat": float(c)} for c in (3, 6, 7, 10)]
    assert value(kpi_long(log_of(rows), ALWAYS), "csat") == 0.5
    assert kpis(log_of(rows), ALWAYS)["csat"].iloc[0] == 0.5
    assert any("1–10" in note for note in kpi_long(log_of(rows), ALWAYS).notes)


def test_unanswered_tickets_push_the_percentiles_up():
    """With a third unanswered the median by Kaplan–Meier is later than that of the answered alone; both are shown."""
    rows = [
        {"created_at": at("2025-03-10 09:00") + pd.Timedelta(minutes=k),
         "first_response_at": at("2025-03-10 09:00") + pd.Timedelta(minutes=k + k % 9) if k % 3 else pd.NaT}
        for k in range(90)
    ]  # fmt: skip
    table = kpi_long(log_of(rows), ALWAYS)
    assert value(table, "frt_human_p50_s") > value(table, "frt_human_p50_s", "plain")
    assert value(table, "frt_human_p95_s") == math.inf
    assert "Kaplan–Meier" in value(table, "frt_human_p50_s", "interval")


def test_small_groups_are_marked():
    """A rate of four answers carries their number; counts do not."""
    rows = [{"created_at": at("2025-03-10 09:00"), "csat": 5.0} for _ in range(4)]
    table = kpi_long(log_of(rows), ALWAYS)
    assert value(table, "csat", "note") == "few: 4"
    assert value(table, "volume", "note") == ""


def test_row_order_and_the_machines_zone_change_nothing(monkeypatch):
    """The same tickets in another order, on a machine in another zone, give the same table to the last bit."""
    rows = rich_rows(8)
    first = kpi_long(log_of(rows), CALENDARS, by=["weekday"], period="month").frame
    shuffled = log_of(rows).frame.sample(frac=1, random_state=1)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        again = kpi_long(read_log(shuffled, zone=BERLIN), CALENDARS, by=["weekday"], period="month").frame
    finally:
        os.environ.pop("TZ")
        time.tzset()
    pd.testing.assert_frame_equal(first, again)


def roster_of(rows):
    return read_roster(pd.DataFrame(rows, columns=["agent", "start", "end", "state"]), zone=BERLIN)


def test_online_time_by_hour_and_agent():
    """Two agents' hours, counted on paper: logged in, unavailable, busy; the whole is that of `utilization`."""
    log = log_of([
        {"created_at": at("2025-03-10 08:00"), "first_response_at": at("2025-03-10 09:10"), "handle_s": 1200.0,
         "agent": "x", "team": "n"},
        {"created_at": at("2025-03-10 08:00"), "first_response_at": at("2025-03-10 09:50"), "handle_s": 1200.0,
         "agent": "y", "team": "s"},
        {"created_at": at("2025-03-10 12:00"), "agent": "x", "team": "n"},
    ])  # fmt: skip
    roster = roster_of([
        ["x", "2025-03-10 09:00", "2025-03-10 10:00", "available"],
        ["x", "2025-03-10 10:00", "2025-03-10 10:15", "break"],
        ["x", "2025-03-10 10:15", "2025-03-10 10:30", "break"],
        ["x", "2025-03-10 10:30", "2025-03-10 11:00", "available"],
        ["y", "2025-03-10 09:00", "2025-03-10 11:00", "available"],
        ["y", "2025-03-10 11:00", "2025-03-10 12:00", "sick"],
    ])  # fmt: skip
    table = kpi_long(log, ALWAYS, by=["hour"], roster=roster).frame.set_index(["hour", "kpi"])["value"]
    assert table[9, "logged_in_h"] == 2
    assert table[9, "utilization"] == pytest.approx(0.25)
    assert (table[10, "available_h"], table[10, "unavailable_h"]) == (1.5, 0.5)
    assert table[10, "occupancy"] == pytest.approx((10 / 60) / 1.5)
    assert table[11, "shrinkage"] == 1
    whole = kpi_long(log, ALWAYS, roster=roster).frame.set_index("kpi")["value"]
    team = utilization(roster, log).set_index("agent").loc["all"]
    for name in ("paid_h", "logged_in_h", "available_h", "shrinkage", "utilization", "occupancy"):
        assert whole[name] == pytest.approx(team[name]), name
    teams = kpi_long(log, ALWAYS, by=["team"], roster=roster).frame.set_index(["team", "kpi"])["value"]
    assert teams["n", "idle_h"] == pytest.approx(1.5 - 1 / 3)
    away = unavailable(roster)
    assert away[["agent", "state", "minutes"]].to_numpy().tolist() == [["x", "break", 30.0]]


def test_names_of_kpis():
    """Every name leads to its measure, short names of first responses too; an unknown one is refused."""
    for name in kpi_names():
        assert name in find_kpi(name)[0].names()
    assert find_kpi("frt_mean") == find_kpi("frt_human_mean_s")
    assert find_kpi("frt_within") == find_kpi("frt_human_within")
    with pytest.raises(InputError, match=r"`kpi` must be a name of docs/kpis\.md, got 'happiness'"):
        find_kpi("happiness")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"period": "year"}, "`period` must be one of day, week, month"),
        ({"repeat_days": 0}, "`repeat_days` must be above 0"),
        ({"by": ["topic"]}, "`by` must be a column that the log has"),
    ],
)
def test_bad_arguments_are_named(options, says):
    """An unknown period, a span of no days, a cut that the log lacks."""
    with pytest.raises(InputError, match=says):
        kpi_long(log_of([{"created_at": at("2025-03-10 09:00")}]), ALWAYS, **options)


def test_a_log_as_of_an_instant_does_not_know_what_came_later():
    """With until, what a later reply, closing or survey told is unknown."""
    rows = [{
        "created_at": at("2025-03-10 09:00"), "assigned_at": at("2025-03-10 12:00"),
        "resolved_at": at("2025-03-11 09:00"), "first_response_at": at("2025-03-10 09:05"),
        "nps": 9.0, "stated_frt_s": 300.0, "replies": 3.0, "last_reply_at": at("2025-03-11 08:00"),
    }]  # fmt: skip
    frame = log_of(rows, until=at("2025-03-10 10:00")).frame
    assert frame["stated_frt_s"].tolist() == [300.0]
    assert frame[["assigned_at", "nps", "replies", "last_reply_at"]].isna().all(axis=None)
    assert isinstance(log_of(rows), TicketLog)
