"""What planners stumbled over: figures that could not be followed, settings without effect, plans that hid a part."""

import io
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from test_staffing import demand, scenario

from staffcast.channels import chat_times, model_of
from staffcast.cli import main
from staffcast.contracts import REQUIREMENT, InputError, Target
from staffcast.erlang import aht_from_turns, performance, required_agents
from staffcast.levers import queue_levers
from staffcast.plan import Intake, Plan
from staffcast.playing import not_played, play, require_same_models
from staffcast.report import figure, levers, model_notes, print_frame, print_plan, print_played, summarise
from staffcast.requirement import occupancy_over
from staffcast.staffing import read_demand, staff, table_notes

ROOT = Path(__file__).resolve().parents[1]
CHATS = {"aht_by_concurrency": ["6m", "8m", "11m"]}
TIMES = [360.0, 480.0, 660.0]


def planned(tickets, rules, kpi=None):
    """A plan of these tickets without a log behind it."""
    requirement = staff(tickets, rules)
    return Plan(
        scenario=rules, demand=tickets, requirement=requirement, played=play(tickets, requirement, rules), kpi=kpi,
        utilization=None, levers=queue_levers(tickets, rules),
        intake=Intake(log=None, calendars={}, series=tickets.frame, facts={}, notes=()),
    )  # fmt: skip


def written(tickets, folder):
    """The demand as the table that a planner hands in."""
    path = folder / "demand.csv"
    tickets.frame.assign(ds=lambda f: f["ds"].map(pd.Timestamp.isoformat)).to_csv(path, index=False)
    return path


def run(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture(scope="module")
def chat_plan():
    """A chat queue beside a live one whose people do a third one's work in their gaps."""
    rules = scenario(
        frt="80% in 60s", replications=5, method="steady", first_reply="10s",
        queues={
            "chat": {**CHATS, "patience": "10m", "redial": 0.3},
            "mail": {"frt": "90% in 4h", "in_gaps_of": "live"},
        },
    )  # fmt: skip
    return planned(demand({"chat": [45] * 24, "live": [20] * 24, "mail": [14] * 24}, aht=420.0), rules)


def test_nobody_is_shown_busier_than_all_the_time(chat_plan):
    """Chats, and work done in another queue's gaps, have occupancies of at most 1, the same in rows and summary."""
    table, summary = chat_plan.requirement, summarise(chat_plan).set_index("unique_id")
    REQUIREMENT.check(table)
    for queue, rows in table.groupby("unique_id"):
        staffed = rows[rows["agents"] > 0]
        assert ((staffed["occupancy"] > 0) & (staffed["occupancy"] <= 1)).all()
        by_hand = (staffed["occupancy"] * staffed["agents"]).sum() / staffed["agents"].sum()
        assert summary.loc[queue, "occupancy"] == pytest.approx(by_hand)
    assert math.isnan(occupancy_over(table[table["agents"] < 0]))


def test_a_chats_rows_are_about_its_conversations(chat_plan):
    """Handle time, load, occupancy and slots of a chat are those of the chain of chats, not the log's."""
    rows = chat_plan.requirement.query("unique_id == 'chat'")
    agents = rows["agents"].to_numpy()
    cap = {"aht_by_concurrency_s": TIMES, "concurrency": 3, "patience_s": 600}
    found = performance(arrivals_per_hour=90, aht_s=420, agents=agents, target_s=50, **cap)
    assert rows["occupancy"].to_numpy() == pytest.approx(found.agent_busy)
    assert rows["slots_busy"].to_numpy() == pytest.approx(found.occupancy)
    assert rows["load_erl"].to_numpy() == pytest.approx(90 / 3600 * 660 / 3)
    assert (rows["load_erl"] < rows["agents"]).all()
    in_hand = rows["aht_s"] * 90 / 3600 * (1 - found.abandon_prob)
    assert in_hand.to_numpy() == pytest.approx(found.occupancy * 3 * agents)
    assert rows["aht_s"].between(360, 660).all()
    assert summarise(chat_plan).set_index("unique_id").loc["chat", "aht_s"] == pytest.approx(rows["aht_s"].mean())


def test_a_chat_above_the_band_says_so(chat_plan):
    """Agents with a conversation in hand above the band's top: in each reason and in the plan, and not "below" it."""
    rows = chat_plan.requirement.query("unique_id == 'chat'")
    assert (rows["occupancy"] > 0.9).all()
    assert (rows["band_gap"] == 0).all()
    assert rows["reason"].str.contains(r"a conversation in hand 9\d\.\d % of the time, above the band").all()
    told = [text for text in levers(chat_plan, summarise(chat_plan)) if text.startswith("chat: ")]
    assert any("in 100 % of the staffed intervals" in text and "the customers' pauses" in text for text in told)
    assert not any("below the band" in text or "conversation per agent" in text for text in told)


def test_a_quiet_chat_is_below_the_band_by_its_agents():
    """Below the band's bottom the gap is that of the agents, not of the conversations they could hold."""
    rows = staff(demand({"chat": [6, 6]}), scenario(**CHATS))
    assert (rows["occupancy"] < 0.85).all()
    assert (rows["band_gap"] == 0.85 - rows["occupancy"]).all()
    assert rows["reason"].str.contains("points below the band").all()


def test_a_chat_bound_by_the_band_names_the_conversations():
    """Where the band's top sets the number, the reason speaks of conversations held, which is what it is asked of."""
    rows = staff(demand({"chat": [200, 200]}), scenario(**CHATS, frt="10% in 10m", band="40%-50%"))
    assert set(rows["binding"]) == {"occupancy"}
    assert (rows["slots_busy"] <= 0.5).all()
    assert rows["reason"].str.contains("of the conversations they can, above 50 %").all()


def test_work_in_gaps_is_counted_beside_the_own_hours(chat_plan):
    """Own agents' time and the time in the gaps together are the work; the plan and its tables show both."""
    rows = chat_plan.requirement.query("unique_id == 'mail'")
    done = rows["in_gaps"] + rows["agents"] * rows["occupancy"].fillna(0)
    assert rows["in_gaps"].sum() > 1
    assert done.to_numpy() == pytest.approx(rows["load_erl"].to_numpy(), abs=1e-9)
    summary = summarise(chat_plan).set_index("unique_id")
    assert summary.loc["mail", "gap_hours_per_week"] == pytest.approx(rows["in_gaps"].sum() / 2 * 14)
    assert (summary.loc[["chat", "live"], "gap_hours_per_week"] == 0).all()
    stream = io.StringIO()
    print_plan(chat_plan, stream=stream)
    assert "in gaps" in stream.getvalue()
    live = chat_plan.requirement.query("unique_id == 'live'")
    busy = ((live["occupancy"] * live["agents"]).sum() + rows["in_gaps"].sum()) / live["agents"].sum()
    assert summary.loc["live", "occupancy"] < busy <= 0.9 + 1e-9
    said = re.search(r"mail: of its work [\d,]+ h .* in the gaps of live, .* busy (\d+) % of", stream.getvalue())
    assert said is not None
    assert int(said[1]) == round(100 * busy)
    (lever,) = [each for each in chat_plan.levers if each.queue == "live"]
    left = lever.deferrable_hours - summary.loc["mail", "gap_hours_per_week"]
    assert (f"{left:,.0f} h a week more of work" in stream.getvalue()) == (left >= 0.5)


def test_a_chat_plan_is_played_with_its_agents():
    """Agents who hold several conversations are played as such: as many, as busy and as quick as they were staffed."""
    tickets, rules = demand({"chat": [80] * 24}), scenario(**CHATS, method="steady", replications=60)
    rows = staff(tickets, rules)
    played = play(tickets, rows, rules)
    assert played.outcome["agents"].tolist() == rows["agents"].tolist()
    inside = slice(6, None)  # the first hours begin with empty hands
    means, promised = played.outcome[inside].mean(numeric_only=True), rows[inside].mean(numeric_only=True)
    # The demand's paths spread, and chats stay where they began, though the model of the staffing spreads them evenly.
    assert means["utilization"] == pytest.approx(promised["occupancy"], abs=0.02)
    assert means["busy_mean"] / (3 * promised["agents"]) == pytest.approx(promised["slots_busy"], abs=0.03)
    assert means["service_level"] == pytest.approx(promised["service_level"], abs=0.03)
    # Little's law: how long a conversation takes.
    assert means["busy_mean"] * 1800 / means["arrivals"] == pytest.approx(promised["aht_s"], rel=0.03)


def test_the_plan_says_what_was_not_played(chat_plan):
    """Pieces of gaps stand beside the verdicts; a plain queue has nothing."""
    told = not_played(chat_plan.demand, chat_plan.scenario)
    assert [text.partition(":")[0] for text in told] == ["mail"]
    for word in ("whole agents",):
        assert sum(word in text for text in told) == 1
    plan, held = io.StringIO(), io.StringIO()
    print_plan(chat_plan, stream=plan)
    print_played(chat_plan.played, chat_plan.demand, chat_plan.scenario, stream=held)
    for text in told:
        assert text in plan.getvalue()
        assert text in held.getvalue()
    assert not_played(demand({"a": [9, 9]}), scenario(patience="5m")) == []


def test_a_mean_target_is_shown_as_a_time():
    """The simulated figure beside a verdict is the one that the target is about, in the log so far too."""
    kpi = pd.DataFrame(
        {"queue": ["a", "b", "c"], "answered": 9, "frt_within": 0.4, "frt_mean_s": 7200.0, "frt_p95_s": 10_800.0}
    )
    rules = scenario(replications=5, first_reply="10s", queues={"b": {"frt": "mean 2m"}, "c": {"frt": "p95 5m"}})
    made = planned(demand({"a": [20] * 4, "b": [20] * 4, "c": [20] * 4}), rules, kpi)
    summary = summarise(made).set_index("unique_id")
    assert summary["target_value"].to_list() == [
        summary.loc["a", "service_level"], summary.loc["b", "frt_mean_s"], summary.loc["c", "frt_p95_s"]
    ]  # fmt: skip
    assert summary["so_far_value"].to_list() == [0.4, 7200, 10_800]
    stream, short = io.StringIO(), io.StringIO()
    print_plan(made, stream=stream)
    print_played(made.played, made.demand, rules, stream=short)
    lines = {line.split()[0]: line for line in stream.getvalue().split("How it would hold")[1].splitlines()[3:6]}
    assert "40.0 %" in lines["a"]
    assert " 2 h " in lines["b"]
    assert " 3 h " in lines["c"]
    for queue in ("b", "c"):
        shown = figure(rules.for_queue(queue).frt, summary.loc[queue, "target_value"])
        assert "%" not in shown
        assert f" {shown} " in lines[queue]
        assert shown in short.getvalue()


def test_a_figure_has_the_unit_of_its_target():
    """Shares are percentages, means and percentiles times, what is not known a dash."""
    assert figure(Target.parse("80% in 60s"), 0.8125) == "81.2 %"
    assert figure(Target.parse("mean 60s"), 72) == "72 s"
    assert figure(Target.parse("p95 9m"), math.nan) == "–"


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"concurrency": 3}, r"queue 'a'.*`concurrency`.*active time.*aht_by_concurrency = .*turns = 6"),
        ({"concurrency": 3, "turns": 6}, r"queue 'a'.*`turn_gap`.*given with turns"),
        ({"concurrency": 3, "turn_gap": "90s"}, r"queue 'a'.*`turns`.*given with turn_gap"),
        ({"turns": 6, "turn_gap": "90s"}, r"queue 'a'.*`turns`.*concurrency = 3"),
        ({**CHATS, "turns": 6, "turn_gap": "90s"}, r"queue 'a'.*`turns`.*leave one of the two out"),
        ({"channel": "deferrable"}, r"queue 'a'.*`frt`.*30 min.*80 % in 60 s.*live"),
        ({"frt": "mean 20s", "first_reply": "25s"}, r"queue 'a'.*`first_reply`.*frt = \"mean ≤ 20 s\""),
        ({"frt": "90% in 4h", "in_gaps_of": "c"}, r"queue 'a'.*`in_gaps_of`.*one ticket at a time"),
        ({"in_gaps_of": "b"}, r"queue 'a'.*`in_gaps_of`.*frt = \"80 % in 60 s\".*deferrable"),
    ],
)
def test_a_refusal_names_queue_and_key(rules, says):
    """The words of the scenario, not of the engine; before any number is made."""
    with pytest.raises(InputError, match=f"(?s){says}"):
        staff(demand({"a": [30, 40], "b": [30, 40], "c": [30, 40]}), scenario(queues={"a": rules, "c": CHATS}))


def test_gaps_for_every_queue_are_refused_with_the_cause():
    """Above the queues `in_gaps_of` would send the live queue's people into their own gaps: the error says where to."""
    with pytest.raises(InputError, match=r"(?s)in_gaps_of.*under \[queues.NAME\].*above the queues"):
        staff(demand({"a": [30, 40], "b": [30, 40]}), scenario(in_gaps_of="b", queues={"a": {"frt": "90% in 4h"}}))


def test_an_error_of_the_engine_names_the_queue():
    """What only the engine can tell, it tells with the queue."""
    with pytest.raises(InputError, match=r"queue 'a': .*aht_s"):
        staff(demand({"a": [30, 40]}, aht=math.nan), scenario())


@pytest.mark.parametrize("concurrency", [1, 2, 4])
def test_turns_never_work_faster_than_the_handle_time(concurrency):
    """However many at once, an agent's pace is at most one ticket per handle time; alone it is turns and silences."""
    rules = scenario(concurrency=concurrency, turns=6, turn_gap="90s").rules
    times = chat_times(rules, 420.0)
    assert times == aht_from_turns(turns=6, active_s=70, gap_s=90, concurrency=concurrency)
    assert times[0] == pytest.approx(420 + 5 * 90)
    assert all(each >= 420 * held - 1e-9 for held, each in enumerate(times, 1))


def test_turns_need_the_agents_that_their_work_needs():
    """Staffed from turns, no crew is smaller than its active work; from the times by hand, it is the same crew."""
    tickets = demand({"a": [60, 200]}, aht=420.0)
    plan = staff(tickets, scenario(concurrency=3, turns=6, turn_gap="90s"))
    assert (plan["agents"] >= np.array([120, 400]) * 420 / 3600).all()
    times = aht_from_turns(turns=6, active_s=70, gap_s=90, concurrency=3)
    asked = scenario().rules
    found = required_agents(
        arrivals_per_hour=[120, 400], aht_s=420, target=asked.frt, band=asked.band, aht_by_concurrency_s=times,
        concurrency=3,
    )  # fmt: skip
    assert plan["agents"].to_list() == found.agents.tolist()
    note = model_notes(tickets, plan, scenario(concurrency=3, turns=6, turn_gap="90s"))[0]
    assert "from 6 turns of each" in note
    assert "pauses" not in note


def test_an_impossible_pace_is_told():
    """Conversations that end sooner than the log's active time allows are staffed as said, with a word on it."""
    fast, slow = ({"aht_by_concurrency": times} for times in (["10m", "13m", "17m"], ["20m", "30m", "45m"]))
    tickets = demand({"a": [60, 60]}, aht=840.0)
    notes = [model_notes(tickets, staff(tickets, scenario(**way)), scenario(**way))[0] for way in (fast, slow)]
    assert "one ends every 5.7 min" in notes[0]
    assert "handle times average 14 min" in notes[0]
    assert "handle times average" not in notes[1]


def test_a_handle_time_change_reaches_conversations_side_by_side():
    """Handle time +50 % is half as long again for chats too, whose times stand in place of the table's."""
    rules = scenario(**CHATS, what_if={"aht": "+50%"})
    assert rules.for_queue("a").aht_by_concurrency_s == pytest.approx((540, 720, 990))
    assert scenario(**CHATS).for_queue("a").aht_by_concurrency_s == (360, 480, 660)


def test_one_conversation_is_one():
    """A chat of one at a time is said in the singular."""
    rules = scenario(channel="chat").rules
    assert "hold one conversation at a time" in model_of(rules, minutes=30, aht_s=300).why


def test_what_a_plan_by_deadline_leaves_out_is_told():
    """Patience, redials and method that have no part in a queue's model are named where it is explained."""
    tickets = demand({"a": [9] * 8, "b": [9] * 8})
    rules = scenario(patience="5m", redial=0.2, queues={"a": {"frt": "90% in 2h", "method": "steady"}, "b": {**CHATS}})
    notes = model_notes(tickets, staff(tickets, rules), rules)
    assert "Patience (5 min), redial (20 %) and method (steady) have no part" in notes[0]
    assert "as if nobody gave up" in notes[0]
    assert "Redials are not staffed for" in notes[1]
    assert "try again" not in notes[1]


@pytest.mark.parametrize(
    ("clear_within", "frt", "told"),
    [("2h", "80% in 60s", True), ("30m", "80% in 45m", False), ("2h", "90% in 1h", False)],
)
def test_waiting_at_opening_is_blamed_only_where_it_is_late(clear_within, frt, told):
    """Who is worked off within the target's time is not late, and a plan by deadline does not spread at all."""
    channel = "live" if frt != "90% in 1h" else "deferrable"
    rules = scenario(
        frt=frt, clear_within=clear_within, channel=channel, replications=5, method="steady", first_reply="10s"
    )
    made = planned(demand({"a": [40, 9, 9, 9, 9, 9]}, carried=[30, 0, 0, 0, 0, 0]), rules)
    summary = summarise(made).assign(verdict="missed")
    assert any("wait at opening" in text for text in levers(made, summary)) == told


@pytest.mark.parametrize("name", ["mial", "Live"])
def test_a_mistyped_queue_is_refused(tmp_path, name):
    """Rules for a queue that the table does not have would do nothing: the error names the one that is meant."""
    path = written(demand({"live": [9, 9], "mail": [9, 9]}), tmp_path)
    near = "live" if name == "Live" else "mail"
    with pytest.raises(InputError, match=rf"demand.csv.*\[queues\.{name}\].*did you mean '{near}'"):
        read_demand(path, scenario(queues={name: {"minimum": 1}}))
    with pytest.raises(InputError, match="queues_only"):
        read_demand(path, scenario(queues_only=[name]))
    assert read_demand(path, scenario(queues={name: {"minimum": 1}}, skip_queues=[name])).queues == ["live", "mail"]
    assert any("is 'mail' meant" in n for n in table_notes(demand({"mail": [9, 9]}), scenario(skip_queues=["mial"])))


def test_queues_left_out_are_left_out_of_a_table_too(tmp_path):
    """`skip_queues` and `queues_only` hold where a table is read, as they do where a log is."""
    path = written(demand({"live": [9, 9], "mail": [9, 9]}), tmp_path)
    assert read_demand(path, scenario(skip_queues=["mail"])).queues == ["live"]
    assert read_demand(path, scenario(queues_only=["mail"])).queues == ["mail"]
    with pytest.raises(InputError, match="no queue is left"):
        read_demand(path, scenario(skip_queues=["mail", "live"]))


def test_hours_that_are_not_the_tables_are_told(tmp_path):
    """The table's hours stand; a scenario with others is told so, one with the same is not, a closed day neither."""
    opened = np.tile(np.arange(48) < 16, 2)  # from 08:00 to 16:00 on a Monday, closed on the Tuesday
    opened[48:] = False
    tickets = demand({"a": np.where(opened, 9, 0)}, opened=opened)
    same = {"mon-fri": "08:00-16:00"}
    assert table_notes(tickets, scenario(hours=same)) == []
    for other in ({"mon-fri": "08:00-18:00"}, {"mon-fri": "09:00-16:00"}, {"tue-fri": "08:00-16:00"}):
        (note,) = table_notes(tickets, scenario(hours=other))
        assert note.startswith("a is open at other times")
    waiting = demand({"a": [9, 9]}, carried=[5, 0])
    assert "closed_arrivals" in table_notes(waiting, scenario(closed_arrivals="lost"))[0]
    assert table_notes(waiting, scenario()) == []
    (tmp_path / "s.toml").write_text('hours = { mon-fri = "09:00-16:00" }', encoding="utf-8")
    result = run("staff", written(tickets, tmp_path), "--scenario", tmp_path / "s.toml", "--zone", "Europe/Berlin")
    assert result.exit_code == 0
    assert "note: a is open at other times" in result.stderr


def test_a_plan_made_for_chats_is_not_played_without_them(tmp_path):
    """A table with model=chat and a scenario without chats is refused; with the times it is played."""
    tickets = demand({"a": [40] * 6})
    path, plan = written(tickets, tmp_path), tmp_path / "plan.csv"
    chats = ("--aht-by-concurrency", "6m,8m,11m")
    assert run("staff", path, *chats, "-o", plan, "-q").exit_code == 0
    bare = run("simulate", path, plan, "--replications", 3, "-q")
    assert bare.exit_code == 2
    assert re.search(r"plan\.csv, column model: queue 'a' was staffed for several conversations", bare.stderr)
    assert "--scenario" in bare.stderr
    played = run("simulate", path, plan, "--replications", 3, *chats)
    assert played.exit_code in (0, 3)
    assert "side by side" not in played.stderr
    table = pd.read_csv(plan).drop(columns="model")
    assert require_same_models(table, tickets, scenario()) == []
    (note,) = require_same_models(table.assign(model="deferrable, over time"), tickets, scenario())
    assert "was staffed as deferrable and is played as erlang_c" in note


def test_redials_can_be_given_by_a_flag(tmp_path):
    """--redial staffs for those who try again."""
    path = written(demand({"a": [200, 60]}), tmp_path)
    asked = ("--frt", "80% in 20s", "--band", "none", "--patience", "2m")
    without, with_them = (
        pd.read_csv(io.StringIO(run("staff", path, *asked, *more).stdout)) for more in ((), ("--redial", "60%"))
    )
    assert set(with_them["model"]) == {"erlang_x"}
    assert with_them["agents"].sum() > without["agents"].sum()


def test_tables_are_as_wide_as_what_they_hold(chat_plan):
    """Into a file no cell is broken over two lines, however many columns there are."""
    frame = pd.DataFrame({f"a column with a long name {i}": ["a long cell"] for i in range(12)})
    stream = io.StringIO()
    print_frame(frame, title="Wide", stream=stream)
    lines = stream.getvalue().splitlines()
    assert lines[1].count("a column with a long name") == 12
    assert lines[3].count("a long cell") == 12
    stream = io.StringIO()
    print_plan(chat_plan, stream=stream)
    assert any("80 % in 60 s" in line and "chat" in line for line in stream.getvalue().splitlines())


def test_the_example_from_python_says_what_it_prints():
    """The second half of the README's example runs and gives the figures beside it; the first half is the whole way."""
    example = re.search(
        r"## From Python\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S
    )
    assert example is not None
    head, tail = example[1].split("target, band =")
    imports = "\n".join(line for line in head.splitlines() if line.startswith("from "))
    told = [line.partition("# ")[2] for line in tail.splitlines() if "# " in line]
    printed = []
    exec(imports + "\ntarget, band =" + tail, {"print": lambda *given: printed.append(" ".join(map(str, given)))})
    assert len(told) == len(printed) == 2
    for shown, found in zip(told, printed, strict=True):
        assert found.startswith(shown.removesuffix("…"))
