"""KPIs against slow loops over small logs."""

import math

import numpy as np
import pandas as pd
import pytest
from utilization_logs import BERLIN, at, log_of, random_rows

from staffcast.contracts import Calendar, InputError, Target
from staffcast.utilization import CUTS, kpis, response_times

HOURS = Calendar.parse(BERLIN, {"mon-fri": "08:00-18:00"})
CALENDARS = {"a": HOURS, "b": Calendar(zone=BERLIN)}


def known(value):
    return value is not None and value is not pd.NaT and value == value


def percentile(values, q):
    """Linear between the order statistics, as spreadsheets do it."""
    values = sorted(values)
    place = q * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


def by_hand(rows, end, threshold=60.0):
    """The KPIs on the calendar's clock, ticket by ticket."""
    offered = [r for r in rows if known(r.get("offered_at"))]
    frt, resolution, handle, within, decided = [], [], [], 0, 0
    fates = {"answered": 0, "abandoned": 0, "unanswered": 0}
    for r in offered:
        reply, closed = r.get("first_response_at"), r.get("resolved_at")
        if known(reply):
            fates["answered"] += 1
            frt.append((reply - r["offered_at"]).total_seconds())
            within += frt[-1] <= threshold
            decided += 1
        elif known(closed):
            fates["abandoned"] += 1
            decided += 1
        else:
            fates["unanswered"] += 1
            decided += (end - r["offered_at"]).total_seconds() > threshold
        if known(closed):
            resolution.append((closed - r["created_at"]).total_seconds())
        if known(r.get("handle_s")):
            handle.append(r["handle_s"])
    rated = [r["csat"] for r in offered if known(r.get("csat"))]
    return {
        "volume": len(rows), "offered": len(offered), "bot_share": (len(rows) - len(offered)) / len(rows), **fates,
        "frt_mean_s": sum(frt) / len(frt), "frt_p50_s": percentile(frt, 0.5), "frt_p90_s": percentile(frt, 0.9),
        "frt_p95_s": percentile(frt, 0.95), "frt_p99_s": percentile(frt, 0.99), "frt_within": within / decided,
        "art_mean_s": sum(resolution) / len(resolution), "art_p95_s": percentile(resolution, 0.95),
        "aht_s": sum(handle) / len(handle), "reopened_share": sum(r["reopens"] > 0 for r in offered) / len(offered),
        "csat": sum(x >= 4 for x in rated) / len(rated), "csat_answers": len(rated),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threshold", [20.0, 600.0])
def test_kpis_are_what_a_loop_over_the_tickets_counts(seed, threshold):
    """Volume, fates, response, resolution and handle times of a random log are those of a slow loop."""
    rows = random_rows(seed)
    log = log_of(rows)
    table = kpis(log, CALENDARS, clock="calendar", target=Target.share(0.8, within_s=threshold))
    assert len(table) == 1
    for name, value in by_hand(rows, log.end, threshold).items():
        assert table[name].iloc[0] == pytest.approx(value), name


def test_a_log_by_hand():
    """Six tickets counted on paper: one for the bot, two answered, one gone, one late, one undecided."""
    rows = [
        {"created_at": at("2025-03-10 09:00"), "offered_at": pd.NaT, "resolved_at": at("2025-03-10 09:01")},
        {"created_at": at("2025-03-10 09:00"), "offered_at": at("2025-03-10 09:01"),
         "first_response_at": at("2025-03-10 09:01:30"), "resolved_at": at("2025-03-10 09:11"), "handle_s": 300.0},
        {"created_at": at("2025-03-10 10:00"), "offered_at": at("2025-03-10 10:00"),
         "first_response_at": at("2025-03-10 10:03"), "resolved_at": pd.NaT, "handle_s": 500.0},
        {"created_at": at("2025-03-10 10:30"), "offered_at": at("2025-03-10 10:30"),
         "resolved_at": at("2025-03-10 10:30:20")},
        {"created_at": at("2025-03-10 11:00"), "offered_at": at("2025-03-10 11:00")},
        {"created_at": at("2025-03-10 12:00"), "offered_at": at("2025-03-10 12:00")},
    ]  # fmt: skip
    row = kpis(log_of(rows), {"all": Calendar(zone=BERLIN)}).iloc[0]
    assert (row["volume"], row["offered"], row["answered"], row["abandoned"], row["unanswered"]) == (6, 5, 2, 1, 2)
    assert row["bot_share"] == pytest.approx(1 / 6)
    assert (row["frt_mean_s"], row["frt_p50_s"], row["aht_s"]) == (105.0, 105.0, 400.0)
    # Answered within 60 s: one of four; who came as the log ended is undecided.
    assert row["frt_within"] == pytest.approx(1 / 4)
    assert row["art_mean_s"] == pytest.approx((660 + 20) / 2)


def test_business_clock_passes_over_the_night():
    """From Friday 17:50 to Monday 08:05, open 08–18 on workdays, a customer waited 15 minutes, or 62 hours and 15."""
    rows = [
        {"created_at": at("2025-03-28 17:50"), "queue": "a", "first_response_at": at("2025-03-31 08:05"),
         "resolved_at": at("2025-03-31 08:30")},
    ]  # fmt: skip
    log = log_of(rows)
    business, calendar = (kpis(log, CALENDARS, clock=clock).iloc[0] for clock in ("business", "calendar"))
    assert (business["frt_mean_s"], business["art_mean_s"]) == (15 * 60, 40 * 60)
    # The night of 30 March is an hour short.
    assert (calendar["frt_mean_s"], calendar["art_mean_s"]) == (61.25 * 3600, 61 * 3600 + 40 * 60)


@pytest.mark.parametrize("by", [[c] for c in CUTS] + [["queue", "hour"], ["weekday", "priority", "channel"]])
def test_cuts_add_up_to_the_whole(by):
    """Over every cut the volumes, offers and fates sum to those of the whole log, and means to the whole mean."""
    log = log_of(random_rows(7))
    whole, parts = kpis(log, CALENDARS).iloc[0], kpis(log, CALENDARS, by=by)
    assert not parts[by].duplicated().any()
    for name in ("volume", "offered", "answered", "abandoned", "unanswered", "csat_answers"):
        assert parts[name].sum() == whole[name]
    answered = parts["answered"] > 0
    total = (parts["frt_mean_s"] * parts["answered"])[answered].sum()
    assert total / whole["answered"] == pytest.approx(whole["frt_mean_s"])


@pytest.mark.parametrize(
    ("cut", "label"),
    [
        ("hour", lambda t: t.hour),
        ("weekday", lambda t: f"{t.isoweekday()} {t:%a}"),
        ("day", lambda t: t.date().isoformat()),
        ("week", lambda t: (t.date() - pd.Timedelta(days=t.isoweekday() - 1)).isoformat()),
        ("month", lambda t: f"{t.year}-{t.month:02d}"),
    ],
)
def test_cuts_by_time_are_of_the_local_clock(cut, label):
    """Tickets are counted under the local hour, weekday, day, Monday of the week or month, also over the DST change."""
    rows = random_rows(8)
    table = kpis(log_of(rows), CALENDARS, by=[cut]).set_index(cut)
    volume, offered = {}, {}
    for r in rows:
        volume[label(r["created_at"])] = volume.get(label(r["created_at"]), 0) + 1
        if known(r.get("offered_at")):
            offered[label(r["offered_at"])] = offered.get(label(r["offered_at"]), 0) + 1
    assert {k: v for k, v in table["volume"].items() if v} == volume
    assert {k: v for k, v in table["offered"].items() if v} == offered


def test_the_cut_by_agent():
    """Each agent's row is that of a log with his tickets only; who never had an agent stands under a dash."""
    rows = random_rows(9)
    log = log_of(rows)
    table = kpis(log, CALENDARS, by=["agent"], clock="calendar").set_index("agent")
    assert set(table.index) == {"x", "y", "z", "–"}
    for agent in ("x", "y", "z"):
        mine = by_hand([r for r in rows if r["agent"] == agent], log.end)
        for name in ("volume", "frt_mean_s", "frt_p90_s", "art_mean_s", "aht_s", "reopened_share"):
            assert table.loc[agent, name] == pytest.approx(mine[name])


def test_the_bots_share_is_a_share_in_every_hour():
    """A conversation of 09:59 that seeks an agent at 10:00 makes the bot's share of no hour negative."""
    rows = [
        {"created_at": at("2025-03-10 09:59:30"), "offered_at": at("2025-03-10 10:00:30")},
        {"created_at": at("2025-03-10 10:01"), "offered_at": at("2025-03-10 10:02")},
        {"created_at": at("2025-03-10 10:05"), "offered_at": pd.NaT},
    ]
    table = kpis(log_of(rows), {"all": Calendar(zone=BERLIN)}, by=["hour"]).set_index("hour")
    assert table["bot_share"].to_dict() == {9: 0.0, 10: 0.5}


def test_an_answer_without_its_time_is_an_answer():
    """Who the log calls answered is not abandoned for lack of a time, nor waiting, nor late."""
    rows = [
        {"created_at": at("2025-03-10 09:00"), "first_response_at": at("2025-03-10 09:00:30"), "outcome": "answered"},
        {"created_at": at("2025-03-10 09:10"), "resolved_at": at("2025-03-10 09:20"), "outcome": "answered"},
        {"created_at": at("2025-03-10 09:20"), "outcome": "answered"},
        {"created_at": at("2025-03-10 09:30"), "outcome": "abandoned"},
        {"created_at": at("2025-03-10 10:30"), "outcome": "open"},
    ]
    row = kpis(log_of(rows), {"all": Calendar(zone=BERLIN)}).iloc[0]
    assert (row["answered"], row["abandoned"], row["unanswered"]) == (3, 1, 1)
    assert row["frt_mean_s"] == 30
    assert row["frt_within"] == pytest.approx(1 / 2)


def test_a_log_without_first_responses_abandons_nobody():
    """Where the help desk keeps no time of the first response, a resolved ticket was answered, only not known when."""
    rows = [
        {"created_at": at("2025-03-10 09:00"), "resolved_at": at("2025-03-10 09:20")},
        {"created_at": at("2025-03-10 09:05"), "resolved_at": pd.NaT},
    ]
    row = kpis(log_of(rows), {"all": Calendar(zone=BERLIN)}).iloc[0]
    assert (row["answered"], row["abandoned"], row["unanswered"]) == (1, 0, 1)
    assert pd.isna(row["frt_mean_s"])
    assert row["art_mean_s"] == 1200


def test_an_answer_before_the_hand_over_took_no_time():
    """A reply that two clocks put before the hand-over is a first response in 0 s, not in less."""
    rows = [
        {"created_at": at("2025-03-10 09:00"), "queue": queue, "offered_at": at("2025-03-10 09:00:10"),
         "first_response_at": at("2025-03-10 09:00:08")} for queue in "ab"
    ]  # fmt: skip
    for clock in ("business", "calendar"):
        timed = response_times(log_of(rows), CALENDARS, clock=clock)
        assert timed["frt_s"].tolist() == [0.0, 0.0]
        assert timed["waited_s"].tolist() == [0.0, 0.0]


def test_waiting_runs_to_the_end_of_the_log():
    """Who is not answered has waited until the latest instant of the log, who gave up until then."""
    rows = [
        {"created_at": at("2025-03-10 09:00"), "resolved_at": at("2025-03-10 09:07")},
        {"created_at": at("2025-03-10 09:30")},
        {"created_at": at("2025-03-10 10:00"), "first_response_at": at("2025-03-10 10:00:40")},
    ]
    timed = response_times(log_of(rows), {"all": Calendar(zone=BERLIN)})
    assert timed["waited_s"].tolist() == [420.0, 1840.0, 40.0]
    assert np.isnan(timed["frt_s"].iloc[:2]).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": ["desk"]}, "`by` must be one of queue, agent.*got 'desk'"),
        ({"by": ["channel"]}, "`by` must be a column that the log has, got 'channel'"),
        ({"clock": "wall"}, '`clock` must be "business" or "calendar"'),
    ],
)
def test_bad_arguments_of_kpis_are_named(options, says):
    """An unknown cut, one whose column is missing, or an unknown clock is refused by name."""
    with pytest.raises(InputError, match=says):
        kpis(log_of([{"created_at": at("2025-03-10 09:00")}]), {"all": HOURS}, **options)


def test_each_queue_is_held_to_its_own_target():
    """With a target per queue a reply after 100 s is in time where 5 minutes are allowed, and late where 60 s are."""
    rows = [
        {"queue": queue, "created_at": at("2025-03-10 09:00"), "first_response_at": at("2025-03-10 09:01:40")}
        for queue in ("quick", "slow", "other")
    ]
    targets = {"quick": Target.parse("80% in 60s"), "slow": Target.parse("80% in 5m")}
    log = log_of(rows)
    calendars = {queue: Calendar(zone=BERLIN) for queue in log.queues}
    table = kpis(log, calendars, by=["queue"], target=targets).set_index("queue")
    assert table["frt_within"].to_dict() == {"quick": 0.0, "slow": 1.0, "other": 0.0}
    assert kpis(log, calendars, target=targets)["frt_within"].iloc[0] == pytest.approx(1 / 3)
