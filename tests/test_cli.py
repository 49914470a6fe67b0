"""The command line: every command, the files between them, flags, streams and exit codes."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from test_plan import small_log

from staffcast import __version__
from staffcast.cli import main
from staffcast.report import SCHEMA_VERSION

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = """
zone = "Europe/Berlin"
interval = "60m"
horizon = "7d"
models = "mean_4"
replications = 10
until = 2024-03-31
frt = "80% in 2m"
shrinkage = "30%"
seed = 5
hours = { mon-fri = "08:00-18:00", sat = "10:00-14:00" }

[queues.tiny]
frt = "mean 5m"
"""
COMMANDS = (
    "import",
    "plan",
    "count",
    "forecast",
    "backtest",
    "staff",
    "simulate",
    "compare",
    "sweep",
    "kpi",
    "today",
    "accuracy",
    "ab",
    "now",
    "alarm",
    "measure",
    "completion",
)


def run(*args, code=0, **more):
    result = CliRunner().invoke(main, [str(a) for a in args], **more)
    assert code is None or result.exit_code == code, f"exit {result.exit_code}\n{result.stderr}\n{result.exception!r}"
    return result


def read(text):
    frame = pd.read_csv(io.StringIO(text) if isinstance(text, str) else text)
    return frame.assign(ds=pd.to_datetime(frame["ds"], utc=True)) if "ds" in frame else frame


def strict_json(text):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def no_report(monkeypatch):
    """Leave the report out where a test is about something else: it is most of a small plan's time."""
    monkeypatch.setattr("staffcast.report.write.render", lambda *_, **__: "<p>report</p>")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with a log, a scenario, and what each step writes from them."""
    folder = tmp_path_factory.mktemp("desk")
    small_log().to_csv(folder / "log.csv", index=False)
    (folder / "desk.toml").write_text(SCENARIO, encoding="utf-8")
    for kind in ("csv", "parquet"):
        steps(folder, kind)
    made = run(
        "plan",
        folder / "log.csv",
        "--scenario",
        folder / "desk.toml",
        "-o",
        folder / "plan",
        "--processes",
        1,
        "--json",
    )
    (folder / "plan.json").write_text(made.stdout, encoding="utf-8")
    return folder


def steps(folder, kind, log="log.csv"):
    rules = ("--scenario", folder / "desk.toml")
    files = {name: folder / f"{name}.{kind}" for name in ("series", "demand", "requirement", "outcome")}
    run("count", folder / log, *rules, "-o", files["series"])
    run("forecast", files["series"], *rules, "-o", files["demand"], "--processes", 1)
    run("staff", files["demand"], *rules, "-o", files["requirement"])
    run(
        "simulate", files["demand"], files["requirement"], *rules, "--log", folder / log, "-o", files["outcome"],
        "--processes", 1,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_step_by_step_gives_the_plan_of_one_go(desk, kind):
    """Counting, forecasting, staffing and simulating through files ends in the tables that `plan` writes."""
    load = read if kind == "csv" else pd.read_parquet
    for name in ("demand", "requirement", "outcome"):
        one, whole = load(desk / f"{name}.{kind}"), read(desk / "plan" / f"{name}.csv")
        one = one.assign(ds=one["ds"].dt.tz_convert("UTC"))
        if name == "requirement":
            assert one["agents"].to_list() == whole["agents"].to_list()
            assert one["agents"].sum() > 0
        # A CSV names the zone beside the offsets; Parquet keeps it with the instants.
        one, whole = (t.drop(columns="zone", errors="ignore") for t in (one, whole))
        pd.testing.assert_frame_equal(one, whole, check_dtype=False, check_column_type=False, rtol=1e-6)


def test_times_in_the_tables_are_local_with_their_offset(desk):
    """A planner reads local opening hours in a CSV, winter and summer offsets each where they hold."""
    text = (desk / "requirement.csv").read_text(encoding="utf-8")
    assert "2024-03-31T01:00:00+01:00" in text
    assert "2024-03-31T03:00:00+02:00" in text
    assert "2024-03-31T02:00" not in text


def test_an_edited_count_reaches_the_forecast(desk, tmp_path):
    """Doubled counts in the series file double the forecast, but where another interval then passes for a spike."""
    series = pd.read_csv(desk / "series.csv")
    series.assign(y=series["y"] * 2).to_csv(tmp_path / "series.csv", index=False)
    demand = read(run("forecast", tmp_path / "series.csv", "--scenario", desk / "desk.toml", "--processes", 1).stdout)
    np.testing.assert_allclose(demand["mean"], 2 * read(desk / "demand.csv")["mean"], rtol=0.1)


def test_an_edited_demand_reaches_the_staffing(desk, tmp_path):
    """A planner's tenfold Monday 10 o'clock needs more agents then, and the same as before at every other time."""
    demand = pd.read_csv(desk / "demand.csv")
    peak = (demand["unique_id"] == "chat") & (demand["ds"] == "2024-04-01T10:00:00+02:00")
    demand.loc[peak, "mean"] *= 10
    demand.to_csv(tmp_path / "demand.csv", index=False)
    found = read(run("staff", tmp_path / "demand.csv", "--scenario", desk / "desk.toml").stdout)
    before = read(desk / "requirement.csv")
    assert peak.sum() == 1
    assert (found["agents"] > before["agents"]).to_list() == peak.to_list()
    assert (found["agents"] >= before["agents"]).all()


def test_an_edited_plan_is_the_one_that_is_simulated(desk, tmp_path):
    """With a planner's own number of agents the simulation plays that number, and says that the target is missed."""
    plan = pd.read_csv(desk / "requirement.csv")
    plan["agents"] = np.where(plan["agents"] > 0, 1, 0)
    plan[["unique_id", "ds", "agents"]].to_csv(tmp_path / "mine.csv", index=False, sep=";")
    result = run("simulate", desk / "demand.csv", tmp_path / "mine.csv", "--scenario", desk / "desk.toml", "-q", code=3)
    assert read(result.stdout)["agents"].to_list() == plan["agents"].to_list()
    assert "missed" in result.stderr


@pytest.mark.parametrize(
    ("command", "columns"),
    [
        ("count", ["unique_id", "ds", "y", "aht_s"]),
        ("forecast", ["unique_id", "ds", "open", "mean", "carried", "aht_s"]),
        ("backtest", ["unique_id", "model", "origin", "horizon", "wape"]),
        ("kpi", ["queue", "volume", "offered"]),
    ],
)
def test_stdout_carries_the_table_and_nothing_else(desk, command, columns):
    """Into a pipe goes one CSV table; what was understood of the log stands on stderr."""
    result = run(command, desk / "log.csv", "--scenario", desk / "desk.toml")
    frame = pd.read_csv(io.StringIO(result.stdout))
    assert list(frame.columns[: len(columns)]) == columns
    assert len(frame) > 1
    assert not frame.isna().all(axis=1).any()
    assert "note: chat: hours given: Mon–Fri 08:00–18:00" in result.stderr


def test_quiet_leaves_stderr_empty(desk):
    """With -q a command that succeeds says nothing beside its table."""
    for command in ("count", "forecast", "kpi"):
        assert run(command, desk / "log.csv", "--scenario", desk / "desk.toml", "-q").stderr == ""


@pytest.mark.parametrize(
    ("args", "kind", "rows"),
    [
        (("count", "log.csv"), "series", "rows"),
        (("forecast", "log.csv"), "demand", "rows"),
        (("backtest", "log.csv"), "backtest", "rows"),
        (("staff", "demand.csv"), "requirement", "rows"),
        (("simulate", "demand.csv", "requirement.csv"), "outcome", "rows"),
        (("kpi", "log.csv", "--by", "queue,weekday"), "kpi", "rows"),
        (("kpi", "log.csv", "--by", ""), "kpi", "rows"),
    ],
)
def test_json_parses_and_names_its_schema(desk, args, kind, rows):
    """--json is strict JSON with schema_version, kind and the rows of the CSV, empty and infinite cells being null."""
    files = [desk / a if a.endswith(".csv") else a for a in args]
    body = strict_json(run(*files, "--scenario", desk / "desk.toml", "--json").stdout)
    assert (body["schema_version"], body["kind"]) == (SCHEMA_VERSION, kind)
    table = pd.read_csv(io.StringIO(run(*files, "--scenario", desk / "desk.toml").stdout))
    assert len(body[rows]) == len(table)
    table = table.drop(columns="zone", errors="ignore")
    assert list(body[rows][0]) == list(table.columns)
    for row, line in zip(body[rows], table.to_dict("records"), strict=True):
        for name, value in line.items():
            if name == "cpu_s":
                continue
            assert (row[name] is None) == (pd.isna(value) or value == np.inf), (name, row[name], value)
            assert not isinstance(value, float) or row[name] is None or row[name] == pytest.approx(value, rel=1e-9)


def test_plan_json_has_the_headline_and_the_queues(desk):
    """The plan's JSON sums its queues in the headline and says where the report lies."""
    body = strict_json((desk / "plan.json").read_text(encoding="utf-8"))
    assert (body["schema_version"], body["kind"]) == (SCHEMA_VERSION, "plan")
    assert body["fte"] == pytest.approx(sum(q["fte"] for q in body["queues"]))
    assert [q["unique_id"] for q in body["queues"]] == ["chat", "tiny"]
    assert (body["start"], body["end"]) == ("2024-03-31T00:00:00+01:00", "2024-04-07T00:00:00+02:00")
    requirement = read(desk / "plan" / "requirement.csv")
    # Seven local days, one of 23 hours.
    assert body["agent_hours_per_week"] == pytest.approx(requirement["agents"].sum())
    assert Path(body["report"]) == desk / "plan" / "report.html"


def test_the_same_seed_gives_the_same_bytes_whatever_the_processes(desk, tmp_path):
    """Tables and report of a seed are equal byte for byte, with one process and with two."""
    run("plan", desk / "log.csv", "--scenario", desk / "desk.toml", "-o", tmp_path, "--processes", 2, "-q")
    files = sorted(p.name for p in (desk / "plan").iterdir())
    assert {"series.csv", "demand.csv", "requirement.csv", "outcome.csv", "backtest.csv", "report.html"} <= set(files)
    assert files == sorted(p.name for p in tmp_path.iterdir())
    assert [f for f in files if (desk / "plan" / f).read_bytes() != (tmp_path / f).read_bytes()] == []


def test_another_seed_gives_another_outcome_of_the_same_plan(desk):
    """The seed moves the simulated tickets, and by nothing the agents."""
    rules = ("--scenario", desk / "desk.toml", "--seed", 6)
    demand = desk / "demand.csv"
    assert run("staff", demand, *rules).stdout == (desk / "requirement.csv").read_text(encoding="utf-8")
    other = run("simulate", demand, desk / "requirement.csv", *rules, "--log", desk / "log.csv").stdout
    assert other != (desk / "outcome.csv").read_text(encoding="utf-8")


def test_what_waits_at_an_opening_is_told(desk):
    """A row per opening in openings.csv and --json; N is the number of people, or what --above says."""
    made = read(desk / "plan" / "openings.csv")
    assert (made["above"] == made["agents"]).all()
    rules = ("--scenario", desk / "desk.toml", "--log", desk / "log.csv", "--json", "-q")
    given = (desk / "demand.csv", desk / "requirement.csv")
    found = {n: json.loads(run("simulate", *given, *rules, "--above", n).stdout)["openings"] for n in (0, 1000)}
    plan = read(desk / "requirement.csv").set_index(["unique_id", "ds"])
    opens = pd.DataFrame(found[0])
    assert len(opens) == len(made)
    for queue, ds in zip(opens["unique_id"], pd.to_datetime(opens["ds"], utc=True), strict=True):
        own = plan.loc[queue]["agents"]
        place = list(pd.to_datetime(own.index, utc=True)).index(ds)
        assert own.iloc[place] > 0
        assert place == 0 or own.iloc[place - 1] == 0
    assert all(row["p_above"] == 0 for row in found[1000])
    assert any(row["p_above"] > 0 for row in found[0])
    assert "`above` must be a number of tickets ≥ 0" in run("simulate", *given, "--above", "-1", code=2).stderr


def test_the_plan_is_printed_for_people(desk, tmp_path, no_report):
    """Without --json the plan's tables stand on stdout, each queue with its agents by hour, and no escape codes."""
    result = run("plan", desk / "log.csv", "--scenario", desk / "desk.toml", "-o", tmp_path, "--processes", 1)
    assert "\x1b" not in result.stdout + result.stderr
    assert "Plan for Sun 31 Mar 2024 – Sat 06 Apr 2024" in result.stdout
    for queue in ("chat", "tiny"):
        assert f"{queue}: agents needed in the first week" in result.stdout
    cells = [line.split() for line in result.stdout.splitlines() if line.strip()[:2].isdigit()]
    lines = {first: others for first, *others in cells}
    plan = read(desk / "requirement.csv").set_index(["unique_id", "ds"])["agents"]
    # The days run from Sunday to Saturday, and the last week printed is that of queue tiny.
    assert lines["10:00"][1] == str(plan["tiny", pd.Timestamp("2024-04-01T10:00", tz="Europe/Berlin")])
    assert str(tmp_path / "report.html") in result.stdout


def test_a_queue_named_like_markup_is_printed_as_it_is(desk, tmp_path, no_report):
    """Names with brackets are no markup: they neither vanish from the printed plan nor break it."""
    log = small_log().replace({"queue": {"chat": "chat [b]vip[/b]", "tiny": "[/red] tiny"}})
    log.to_csv(tmp_path / "log.csv", index=False)
    rules = tmp_path / "desk.toml"
    rules.write_text(SCENARIO.replace("[queues.tiny]", '[queues."[/red] tiny"]'), encoding="utf-8")
    result = run("plan", tmp_path / "log.csv", "--scenario", rules, "-o", tmp_path / "out", "--processes", 1)
    for queue in ("chat [b]vip[/b]", "[/red] tiny"):
        assert f"{queue}: agents needed in the first week" in result.stdout


def test_a_new_plan_leaves_no_table_of_the_old_one(desk, tmp_path, no_report):
    """A plan without a roster in the folder of one with: no utilization of the other log stays beside it."""
    roster = tmp_path / "roster.csv"
    roster.write_text(
        "agent,start,end,state\nAna,2024-03-28T08:00:00+01:00,2024-03-28T12:00:00+01:00,available\n", encoding="utf-8"
    )
    out = tmp_path / "out"
    rules = (desk / "log.csv", "--scenario", desk / "desk.toml", "-o", out, "--processes", 1, "-q")
    run("plan", *rules, "--roster", roster)
    assert pd.read_csv(out / "utilization.csv")["agent"].to_list() == ["Ana", "all"]
    (out / "my notes.csv").write_text("mine", encoding="utf-8")
    run("plan", *rules)
    assert not (out / "utilization.csv").exists()
    assert (out / "my notes.csv").read_text(encoding="utf-8") == "mine"


def test_flags_go_above_the_scenario(desk):
    """Zone, seed and target of a flag hold, for a queue with rules of its own too; what no flag names stays."""
    table = read(run("staff", desk / "demand.csv", "--scenario", desk / "desk.toml", "--frt", "90% in 1m").stdout)
    before = read(desk / "requirement.csv")
    for queue in ("chat", "tiny"):
        rows = table[(table["unique_id"] == queue) & (table["agents"] > 0)]
        assert (rows["service_level"] >= 0.9 - 1e-9).all()
    assert table["agents"].sum() > before["agents"].sum()
    staffed = table["agents"] > 0
    assert (table["rostered"] == np.ceil(table["agents"] / 0.7 - 1e-9))[staffed].all()


def test_the_minimum_and_the_band_can_be_set_by_flags(desk):
    """A minimum of 7 holds in every open hour and in no closed one; without a band a day's may pass 90 %."""
    rules = ("staff", desk / "demand.csv", "--scenario", desk / "desk.toml")
    table = read(run(*rules, "--minimum", 7).stdout)
    assert (table.loc[table["open"], "agents"] >= 7).all()
    assert (table.loc[~table["open"], "agents"] == 0).all()
    banded, free = (read(run(*rules, "--band", band, "--frt", "50% in 8h").stdout) for band in ("10%-50%", "none"))
    staffed = banded[banded["agents"] > 0]
    day = [staffed["unique_id"], staffed["ds"].dt.tz_convert("Europe/Berlin").dt.date]
    busy = (staffed["occupancy"] * staffed["agents"]).groupby(day).sum()
    assert (busy / staffed["agents"].groupby(day).sum()).max() <= 0.5 + 1e-6
    assert "occupancy" in set(banded["binding"])
    assert "occupancy" not in set(free["binding"])
    assert free["agents"].sum() < banded["agents"].sum()


@pytest.mark.parametrize(
    ("flags", "column", "factor"),
    [
        (("--volume", "+20%"), "mean", 1.2),
        (("--volume", "-100%"), "mean", 0.0),
        (("--deflection", "30%"), "mean", 0.7),
        (("--volume", "+20%", "--deflection", "50%"), "carried", 0.6),
        (("--aht-change", "-10%"), "aht_s", 0.9),
    ],
)
def test_what_if_flags_change_the_demand_as_stated(desk, flags, column, factor):
    """+20 % volume is 1.2 times the mean; the other figures of the demand follow their own factor or stay."""
    rules = (desk / "series.csv", "--scenario", desk / "desk.toml", "--processes", 1, "-q")
    changed, plain = read(run("forecast", *rules, *flags).stdout), read(desk / "demand.csv")
    np.testing.assert_allclose(changed[column], factor * plain[column], rtol=1e-9)
    other = "mean" if column == "aht_s" else "aht_s"
    np.testing.assert_allclose(changed[other], plain[other], rtol=1e-9)


def test_a_handle_time_by_flag_replaces_the_measured_one(desk):
    """--aht 10m is the handle time of every queue's demand, and --aht-change changes it too."""
    rules = ("forecast", desk / "series.csv", "--scenario", desk / "desk.toml", "--processes", 1, "--aht", "10m")
    assert set(read(run(*rules).stdout)["aht_s"]) == {600.0}
    assert set(read(run(*rules, "--aht-change", "+50%").stdout)["aht_s"]) == {900.0}


def test_staffing_keeps_the_tables_handle_times_and_fills_only_gaps(desk, tmp_path):
    """`staff --aht` gives a handle time to the queue that has none and leaves the other one's alone."""
    demand = pd.read_csv(desk / "demand.csv")
    demand.loc[demand["unique_id"] == "tiny", "aht_s"] = np.nan
    demand.to_csv(tmp_path / "demand.csv", index=False)
    table = read(run("staff", tmp_path / "demand.csv", "--scenario", desk / "desk.toml", "--aht", "10m").stdout)
    assert set(table.loc[table["unique_id"] == "tiny", "aht_s"]) == {600.0}
    chat = [each.loc[each["unique_id"] == "chat", "aht_s"].to_numpy() for each in (table, demand)]
    np.testing.assert_allclose(chat[0], chat[1], rtol=1e-6)


def test_columns_of_other_names_are_found_by_flag(desk, tmp_path):
    """A log with a vendor's column names counts like the original when --column says which is which."""
    theirs = {"created_at": "Created time", "ticket_id": "Number", "queue": "Assigned = group"}
    small_log().rename(columns=theirs).to_csv(tmp_path / "vendor.csv", index=False)
    flags = [f"--column={name}={their}" for name, their in theirs.items()]
    result = run("count", tmp_path / "vendor.csv", "--scenario", desk / "desk.toml", *flags)
    assert result.stdout == (desk / "series.csv").read_text(encoding="utf-8")


def test_since_and_until_bound_what_is_counted(desk):
    """Only tickets created in [since, until) in the desk's zone are counted."""
    table = read(
        run(
            "count",
            desk / "log.csv",
            "--scenario",
            desk / "desk.toml",
            "--since",
            "2024-02-05",
            "--until",
            "2024-02-19",
        ).stdout
    )
    created = small_log()["created_at"]
    inside = (created >= pd.Timestamp("2024-02-05", tz="Europe/Berlin")) & (
        created < pd.Timestamp("2024-02-19", tz="Europe/Berlin")
    )
    assert table["y"].sum() == inside.sum()
    assert table["ds"].min() == pd.Timestamp("2024-02-05", tz="Europe/Berlin")
    assert table["ds"].max() == pd.Timestamp("2024-02-18T23:00", tz="Europe/Berlin")


def test_hours_by_flag_replace_those_of_the_scenario(desk):
    """Written hours, always and auto each give the demand's open intervals."""
    rules = ("forecast", desk / "log.csv", "--scenario", desk / "desk.toml", "--processes", 1, "-q")
    given = read(run(*rules, "--hours", "mon-fri 09:00-12:00, 13:00-17:00; sun 10:00-11:00").stdout)
    local = given["ds"].dt.tz_convert("Europe/Berlin")
    weekday = (local.dt.day_of_week < 5) & local.dt.hour.isin([9, 10, 11, 13, 14, 15, 16])
    assert (given["open"] == (weekday | ((local.dt.day_of_week == 6) & (local.dt.hour == 10)))).all()
    assert read(run(*rules, "--hours", "always").stdout)["open"].all()
    learnt = read(run(*rules, "--hours", "auto").stdout)
    assert learnt["open"].to_list() == read(desk / "demand.csv")["open"].to_list()


def test_closed_arrivals_can_be_lost(desk):
    """On a phone line what comes at night is gone: nothing is carried to the opening."""
    rules = ("forecast", desk / "log.csv", "--scenario", desk / "desk.toml", "--processes", 1, "-q")
    lost = read(run(*rules, "--closed-arrivals", "lost").stdout)
    assert (lost["carried"] == 0).all()
    assert read(desk / "demand.csv")["carried"].max() > 0


@pytest.mark.parametrize("flags", [("--queues", "chat"), ("--skip-queues", "tiny")])
def test_queues_are_chosen_by_flag(desk, flags):
    """Only the chosen queue is counted; the rules of a queue that is left out do no harm."""
    result = run("count", desk / "log.csv", "--scenario", desk / "desk.toml", *flags)
    assert set(read(result.stdout)["unique_id"]) == {"chat"}


def test_models_and_interval_by_flag(desk):
    """Half hours make twice the rows, and the backtest shows the models that were named and both together."""
    table = read(run("count", desk / "log.csv", "--scenario", desk / "desk.toml", "--interval", "30m").stdout)
    assert len(table) == 2 * len(read(desk / "series.csv"))
    tried = read(
        run(
            "backtest",
            desk / "series.csv",
            "--scenario",
            desk / "desk.toml",
            "--models",
            "seasonal_naive,mean_8",
            "--origins",
            2,
            "--step",
            "7d",
        ).stdout
    )
    assert tried.groupby(["unique_id", "model"]).size().to_dict() == {
        (queue, model): 2 for queue in ("chat", "tiny") for model in ("seasonal_naive", "mean_8", "auto")
    }


def test_the_zone_of_a_step_can_be_said_by_flag(desk):
    """Every step that reads a table knows --zone, so a plan made without a scenario file is in local time too."""
    table = run("staff", desk / "demand.csv", "--zone", "America/Sao_Paulo").stdout
    assert "2024-04-01T09:00:00-03:00" in table
    assert "+00:00" not in table


def test_kpis_with_a_roster_are_utilization(desk, tmp_path):
    """With --roster the table has one row per agent and the team's in the end."""
    roster = tmp_path / "roster.csv"
    roster.write_text("agent;start;end;state\nAna;2024-03-28 08:00;2024-03-28 12:00;available\n", encoding="utf-8")
    table = read(run("kpi", desk / "log.csv", "--scenario", desk / "desk.toml", "--roster", roster).stdout)
    assert table["agent"].to_list() == ["Ana", "all"]
    assert table["utilization"].between(0.01, 10).all()


def test_exit_code_3_says_that_the_plan_misses_its_target(desk, tmp_path, no_report):
    """A morning's tickets that wait for an opening at one are answered too late; the plan is written all the same."""
    result = run(
        "plan", desk / "log.csv", "--scenario", desk / "desk.toml", "--hours", "mon-sat 13:00-18:00",
        "-o", tmp_path / "out", "--processes", 1, "--json", code=3,
    )  # fmt: skip
    assert strict_json(result.stdout)["missed"]
    assert (tmp_path / "out" / "report.html").is_file()


def test_an_interrupt_ends_with_130_and_leaves_the_old_plan(desk, tmp_path, monkeypatch):
    """Ctrl-C while the report is drawn: exit code 130, one line, the old files as they were, nothing beside them."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("staffcast.report.write.render", interrupt)
    out = tmp_path / "out"
    out.mkdir()
    (out / "demand.csv").write_text("old", encoding="utf-8")
    result = run(
        "plan", desk / "log.csv", "--scenario", desk / "desk.toml", "-o", out, "--processes", 1, "-q", code=130
    )
    assert result.stderr == "staffcast: interrupted; nothing was written\n"
    assert result.stdout == ""
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["out", "out/demand.csv"]
    assert (out / "demand.csv").read_text(encoding="utf-8") == "old"


def start(*args, **more):
    # Started in the background, the tests themselves may have SIGINT ignored, and their children would inherit that.
    return subprocess.Popen(
        [sys.executable, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **more,
    )  # fmt: skip


def test_a_real_interrupt_in_the_middle_of_writing(desk, tmp_path):
    """SIGINT from outside, when half of the tables are in the temporary folder, leaves neither them nor a traceback."""
    code = (
        "import sys, time\n"
        "import staffcast.report.write as write\n"
        "def slow(*_, **__):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "write.render = slow\n"
        "from staffcast.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("old", encoding="utf-8")
    process = start(
        "-c", code, "plan", desk / "log.csv", "--scenario", desk / "desk.toml", "-o", tmp_path / "out",
        "--processes", 1, "-q",
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n"
        assert [p.name for p in tmp_path.glob(".writing-*/demand.csv")]
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, stderr) == (130, "staffcast: interrupted; nothing was written\n")
    assert [p.name for p in sorted(tmp_path.rglob("*"))] == ["out", "report.html"]
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8") == "old"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to see the workers start")
def test_a_real_interrupt_while_workers_simulate(desk, tmp_path):
    """Ctrl-C reaches the workers too: the command ends soon, with 130, one line and no traceback of theirs."""
    process = start(
        "-m", "staffcast", "simulate", desk / "demand.csv", desk / "requirement.csv", "--scenario", desk / "desk.toml",
        "--replications", 1600, "--processes", 2, "-o", tmp_path / "outcome.csv", "-q",
    )  # fmt: skip
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        for _ in range(600):
            if len(children.read_text().split()) >= 2 or process.poll() is not None:
                break
            time.sleep(0.05)
        time.sleep(0.2)
        assert process.poll() is None, "the simulation was over before it could be interrupted"
        begin = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, stderr) == (130, "staffcast: interrupted; nothing was written\n")
    assert time.monotonic() - begin < 10
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_works_and_names_every_option(command):
    """Each command explains itself, and each of its options has a help text."""
    result = run(*([command] if command else []), "--help")
    assert result.stdout.startswith("Usage: main")
    assert "\x1b" not in result.stdout
    if command:
        options = [p for p in main.commands[command].params if isinstance(p, click.Option)]
        assert all(option.help for option in options)
        assert all(option.opts[0] in result.stdout for option in options)


def test_plans_are_compared_and_the_better_one_named(desk, tmp_path):
    """An agent more everywhere is better, with its hours named; the same plan twice is no difference."""
    rows = pd.read_csv(desk / "requirement.csv")
    rows["agents"] += (rows["agents"] > 0).astype(int)
    rows.to_csv(tmp_path / "more.csv", index=False)
    rules = ("--scenario", desk / "desk.toml", "--replications", "20")
    result = run(
        "compare", desk / "demand.csv", desk / "requirement.csv", tmp_path / "more.csv", *rules,
        "-o", tmp_path / "differences.csv",
    )  # fmt: skip
    table = pd.read_csv(tmp_path / "differences.csv").set_index(["unique_id", "measure"])
    assert (table["plan"] == "more").all()
    assert (table.xs("mean_wait_s", level="measure")["difference"] < 0).all()
    assert "more against requirement: service_level +" in result.stderr
    assert "agent hours more" in result.stderr
    same = run("compare", desk / "demand.csv", desk / "requirement.csv", desk / "requirement.csv", *rules, "--json")
    body = json.loads(same.stdout)
    assert body["kind"] == "comparison"
    assert {row["difference"] for row in body["differences"]} <= {0.0, None}
    alone = run("compare", desk / "demand.csv", desk / "requirement.csv", *rules, code=2)
    assert "two plans or more are compared" in alone.stderr


def test_a_simulation_checks_itself_and_goes_on_where_it_was(desk, tmp_path):
    """--check says how far the simulator is from exact equations; --resume gives the same table from what is kept."""
    asked = (
        "simulate", desk / "demand.csv", desk / "requirement.csv", "--scenario", desk / "desk.toml",
        "--replications", "16", "--resume", tmp_path / "kept",
    )  # fmt: skip
    first = run(*asked, "--check", "-o", tmp_path / "first.csv", code=None)
    assert "checked against the exact equations of its Markov twin" in first.stderr
    kept = sorted((tmp_path / "kept" / "simulation").iterdir())
    assert kept
    kept[0].unlink()
    again = run(*asked, "-o", tmp_path / "again.csv", code=None)
    found = [int(n) for n in re.findall(r"note: \w+: (\d+) of 16 replications taken over", again.stderr)]
    assert sum(found) == 16 * len(found) - 1
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_an_interrupted_simulation_says_that_it_can_go_on(desk, tmp_path, monkeypatch):
    """Ctrl-C with --resume: exit code 130, and the folder is named; before anything is done there is none to name."""
    from staffcast.simulation import runs

    real, calls = runs.measure_chunk, []

    def stops(case, replications):
        calls.append(replications)
        if len(calls) in (1, 4):
            raise KeyboardInterrupt
        return real(case, replications)

    monkeypatch.setattr(runs, "measure_chunk", stops)
    asked = (
        "simulate", desk / "demand.csv", desk / "requirement.csv", "--scenario", desk / "desk.toml",
        "--replications", "16", "--processes", "1", "-q", "--resume", tmp_path / "kept",
    )  # fmt: skip
    assert run(*asked, code=130).stderr == "staffcast: interrupted; nothing was written\n"
    told = run(*asked, code=130).stderr
    assert told == f"staffcast: interrupted; what is done is kept in {tmp_path / 'kept'}: the same command goes on\n"


def test_flags_that_a_made_plan_does_not_feel_are_named(desk, tmp_path):
    """`simulate --shrinkage` changes nothing, and says so; with -q it is as quiet as asked."""
    asked = (
        "simulate", desk / "demand.csv", desk / "requirement.csv", "--scenario", desk / "desk.toml",
        "--replications", "2", "-o", tmp_path / "outcome.csv",
    )  # fmt: skip
    plain = run(*asked, code=None)
    bytes_before = (tmp_path / "outcome.csv").read_bytes()
    flags = ("--shrinkage", "30%", "--minimum", "9", "--clear-within", "1h", "--interval", "30m")
    told = run(*asked, *flags, code=None)
    assert "note: --interval, --shrinkage, --minimum and --clear-within have no part here" in told.stderr
    assert (tmp_path / "outcome.csv").read_bytes() == bytes_before
    assert "no part here" not in plain.stderr
    quiet = run(*asked, *flags, "-q", code=None)
    assert "note:" not in quiet.stderr
    assert "How the plan holds" in quiet.stderr


def test_there_are_no_commands_but_those_tested():
    """A new command must come into these tests."""
    assert set(main.commands) == set(COMMANDS)


def test_help_loads_nothing_heavy():
    """Importing the command line and printing help loads neither pandas nor numpy nor matplotlib."""
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from staffcast.cli import main\n"
        "assert CliRunner().invoke(main, ['plan', '--help']).exit_code == 0\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))\n"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pandas", "numpy", "scipy", "matplotlib", "statsmodels", "prophet", "pyarrow"} & set(loaded)
    assert "click" in loaded


def test_it_runs_as_a_module():
    """`python -m staffcast --version` prints the installed version."""
    done = subprocess.run([sys.executable, "-m", "staffcast", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"staffcast, version {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell):
    """The script for each shell asks staffcast itself for the completions."""
    assert f"_STAFFCAST_COMPLETE={shell}_complete" in run("completion", shell).stdout


def test_completion_offers_the_commands():
    """What the shell asks for at `staffcast s` is answered with the commands that begin so."""
    done = subprocess.run(
        [sys.executable, "-c", "from staffcast.cli import main; main(prog_name='staffcast')"],
        env={**os.environ, "_STAFFCAST_COMPLETE": "bash_complete", "COMP_WORDS": "staffcast s", "COMP_CWORD": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["plain,simulate", "plain,staff", "plain,sweep"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("plain", [False, True])
def test_a_terminal_gets_a_table_and_no_color_is_honoured(desk, plain):
    """On a terminal the rows come as a table, in colour or bold only as long as NO_COLOR is not set."""
    import pty  # not there on Windows

    mine, theirs = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")} | {"TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-m", "staffcast", "kpi", desk / "log.csv", "--scenario", desk / "desk.toml", "-q"],
        stdout=theirs, stderr=subprocess.PIPE, env=env | ({"NO_COLOR": "1"} if plain else {}),
    )  # fmt: skip
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(mine, 65536)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        text += part
    os.close(mine)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (0, b"")
    assert "───" in text.decode()
    assert "frt p90" in text.decode()
    assert b"unique_id," not in text
    assert (b"\x1b[" in text) == (not plain)


def test_the_committed_sample_gives_a_plan(tmp_path, no_report):
    """The demonstration desk goes the whole way with the models tried on it, and keeps or misses its targets."""
    result = CliRunner().invoke(
        main,
        ["plan", str(ROOT / "data" / "tickets.csv.gz"), "--scenario", str(ROOT / "data" / "scenario.toml"),
         "--models", "auto", "--replications", "3", "--roster", str(ROOT / "data" / "roster.csv.gz"),
         "-o", str(tmp_path), "--json"],
    )  # fmt: skip
    assert result.exit_code in (0, 3), result.stderr
    body = strict_json(result.stdout)
    assert [q["unique_id"] for q in body["queues"]] == ["billing", "orders", "technical"]
    assert 10 < body["fte"] < 100
    assert all(0 < q["wape_day"] < 0.5 for q in body["queues"])
    assert (tmp_path / "utilization.csv").is_file()


def test_a_forecast_is_kept_changed_and_judged(desk, tmp_path):
    """With --snapshots and --overrides the forecast is kept; a later log says how good it and the change were."""
    ledger = tmp_path / "mine.csv"
    ledger.write_text(
        "start,end,queue,factor,add,reason,author\n2024-03-05,2024-03-08,chat,1.5,,newsletter,ana\n", encoding="utf-8"
    )
    rules = ("--scenario", desk / "desk.toml")
    more = ("--overrides", ledger, "--snapshots", tmp_path / "s")
    made = run("forecast", desk / "log.csv", *rules, "--until", "2024-03-04", *more)
    assert "newsletter, ana" in made.stderr
    table = read(made.stdout)
    tuesday = (table["unique_id"] == "chat") & table["ds"].between("2024-03-05 08:00+00:00", "2024-03-05 10:00+00:00")
    np.testing.assert_allclose(table.loc[tuesday, "mean"], 1.5 * table.loc[tuesday, "model_mean"], rtol=1e-6)
    judged = pd.read_csv(io.StringIO(run("accuracy", tmp_path / "s", desk / "log.csv", *rules, "--by", "queue").stdout))
    assert set(judged["queue"]) == {"chat", "tiny"}
    chat = judged.set_index("queue").loc["chat"]
    assert chat["wape"] > chat["wape_model"]
    verdict = run("accuracy", tmp_path / "s", desk / "log.csv", *rules, "--overrides-only").stdout
    worth = pd.read_csv(io.StringIO(verdict))
    assert worth.loc[0, "value_added"] < 0


def test_the_morning_revises_the_day(desk):
    """`today` shows what came until the log ends, and what is expected of the rest of that day."""
    result = run("today", desk / "log.csv", "--scenario", desk / "desk.toml", "--until", "2024-03-20T12:00")
    table = read(result.stdout)
    known = table["came"].notna()
    assert table["ds"][known].max() < table["ds"][~known].min()
    assert table["revised"][~known].notna().all()
    assert "chat: by 12:00" in result.stderr
