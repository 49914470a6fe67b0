"""The commands that look back, as they are typed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from staffcast.cli import main
from staffcast.tickets.exports.privacy import Pseudonyms
from staffcast.utilization import parse_targets

DATA = Path(__file__).parents[1] / "data"
RULES = ("--zone", "Europe/Berlin", "--hours", "always")


def run(*args, code=0):
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code, f"exit {result.exit_code}\n{result.stderr}\n{result.exception!r}"
    return result


def read(text):
    return pd.read_csv(io.StringIO(text))


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Four weeks of chats from a Monday on: replies in about a minute, a script by ticket, surveys, two agents."""
    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("kpi")
    n = 1200
    created = pd.Timestamp("2025-03-03 08:00", tz="Europe/Berlin") + pd.to_timedelta(
        np.sort(rng.integers(0, 28, n) * 86_400 + rng.integers(0, 36_000, n)), unit="s"
    )
    reply = created + pd.to_timedelta(rng.exponential(40, n), unit="s")
    frame = pd.DataFrame(
        {
            "ticket_id": range(n), "created_at": created, "first_response_at": reply,
            "resolved_at": reply + pd.Timedelta(minutes=5), "channel": "chat", "agent": rng.choice(["x", "y"], n),
            "handle_s": 300, "csat": rng.integers(3, 6, n), "bot_script": rng.choice(["old", "new"], n),
            "customer_id": rng.integers(0, 900, n), "stated_frt_s": np.round((reply - created).total_seconds()),
        }
    )  # fmt: skip
    frame.loc[n - 3 :, ["first_response_at", "resolved_at", "handle_s", "csat"]] = None
    frame.to_csv(folder / "log.csv", index=False)
    return folder


def test_every_kpi_by_hour_agent_and_week(desk):
    """The issue's own command prints the long table; its volumes sum to the log's, and notes say what is lacking."""
    done = run("kpi", desk / "log.csv", "--by", "hour,agent", "--period", "week", *RULES)
    table = read(done.stdout)
    assert list(table.columns[:5]) == ["week", "hour", "agent", "kpi", "value"]
    assert table.loc[table["kpi"] == "volume", "value"].sum() == 1200
    assert table["week"].unique().tolist() == ["2025-03-03", "2025-03-10", "2025-03-17", "2025-03-24"]
    assert "nps left out: the log lacks nps" in done.stderr
    assert "clock business" in done.stderr
    body = json.loads(run("kpi", desk / "log.csv", "--all", "--json", *RULES).stdout)
    assert body["kind"] == "kpis"
    assert {"kpi", "value", "low", "high", "n", "plain", "unit", "interval", "note"} == set(body["rows"][0])


def test_a_missed_target_has_an_exit_code(desk, tmp_path):
    """A target that is met or undecided ends with 0, a missed one with 3, and stderr says which it is."""
    goals = tmp_path / "goals.toml"
    goals.write_text('[[target]]\nkpi = "frt_human_mean_s"\nat_most = "10m"\nwhere = { channel = "chat" }\n')
    done = run("kpi", desk / "log.csv", "--targets", goals, "--period", "week", "--check", *RULES)
    assert read(done.stdout)["verdict"].tolist() == ["met"] * 4
    goals.write_text('[[target]]\nkpi = "frt_human_mean_s"\nat_most = "10s"\n')
    done = run("kpi", desk / "log.csv", "--targets", goals, "--check", *RULES, code=3)
    assert "missed: frt_human_mean_s: " in done.stderr
    run("kpi", desk / "log.csv", "--targets", goals, *RULES)
    goals.write_text('[[target]]\nkpi = "frt_human_mean_s"\nat_most = "10m"\nwhere = { channel = "email" }\n')
    assert "no ticket has channel = email" in run("kpi", desk / "log.csv", "--targets", goals, *RULES, code=2).stderr
    assert "does not tell: frt_bot_mean_s" in run("kpi", desk / "log.csv", "--targets", "default", *RULES).stderr


def test_a_mistyped_where_does_not_pass_the_check(desk, tmp_path):
    """A target about nobody ends with 2 and says what was meant; one of several values is told in a note."""
    goals = tmp_path / "goals.toml"
    met = '[[target]]\nkpi = "frt_human_mean_s"\nat_most = "10m"\n'
    goals.write_text(f'{met}{met}where = {{ agent = "xx" }}\n')
    done = run("kpi", desk / "log.csv", "--targets", goals, "--check", *RULES, code=2)
    assert "no ticket has agent = xx; did you mean x? The log has x, y" in done.stderr
    goals.write_text(f'{met}where = {{ channel = ["chat", "mail"] }}\n')
    run("kpi", desk / "log.csv", "--targets", goals, "--check", *RULES)
    goals.write_text(f'{met}where = {{ agent = ["x", "yy"] }}\n')
    assert "agent = yy; did you mean y?" in run("kpi", desk / "log.csv", "--targets", goals, *RULES).stderr


def test_benchmarks_are_written_once(tmp_path):
    """--write-targets writes a file that can be read, alone or with a log, and never over one that is there."""
    run("kpi", "--write-targets", tmp_path / "t.toml")
    assert len(parse_targets((tmp_path / "t.toml").read_text(encoding="utf-8"))) > 10
    assert "not written over" in run("kpi", "--write-targets", tmp_path / "t.toml", code=2).stderr
    assert "Missing argument" in run("kpi", code=2).stderr


def test_the_short_table_says_what_it_is(desk):
    """Plain figures and the hours that art runs on are said where they are printed."""
    said = run("kpi", desk / "log.csv", *RULES).stderr
    assert "plain, of the answered" in said
    assert "art runs on the same hours, closed hours left out" in said
    assert "nights and weekends counted" in run("kpi", desk / "log.csv", "--clock", "calendar", *RULES).stderr
    assert "art and closing run on the same hours" in run("kpi", desk / "log.csv", "--all", *RULES).stderr


def test_a_mistyped_kpi_is_answered_by_what_was_meant(desk, tmp_path):
    """Both ab and targets name what comes nearest; the short name of a first response time serves in both."""
    ab = ("ab", desk / "log.csv", "--column", "bot_script", *RULES, "--kpi")
    said = run(*ab, "frt_maen", code=2).stderr
    assert "did you mean frt_human_mean_s" in said
    assert len(said) < 200
    assert " s (" in run(*ab, "frt_mean").stderr
    goals = tmp_path / "goals.toml"
    goals.write_text('[[target]]\nkpi = "frt_mean"\nat_most = "10m"\n')
    assert read(run("kpi", desk / "log.csv", "--targets", goals, *RULES).stdout)["verdict"].tolist() == ["met"]
    goals.write_text('[[target]]\nkpi = "csatt"\nat_least = "70%"\n')
    assert "did you mean csat" in run("kpi", desk / "log.csv", "--targets", goals, *RULES, code=2).stderr


def test_clocks_and_the_stated_figure(desk):
    """A vendor's clock is taken by name; --reconcile finds the one that the stated figures follow."""
    wide = read(run("kpi", desk / "log.csv", "--by", "", "--clock", "zendesk", *RULES).stdout)
    assert wide["frt_mean_s"].iloc[0] == pytest.approx(40, rel=0.2)
    done = run("kpi", desk / "log.csv", "--reconcile", *RULES)
    assert read(done.stdout)["equal"].max() == 1
    assert "100 % of 1197 tickets within a minute" in done.stderr
    assert set(read(run("kpi", desk / "log.csv", "--reconcile", "--clock", "callbell", *RULES).stdout)["clock"]) == {
        "callbell"
    }
    assert "starts at assigned_at" in run("kpi", desk / "log.csv", "--clock", "wati", *RULES, code=2).stderr


def test_two_scripts(desk):
    """Variants by a column, any KPI, with the sample that it takes; other columns may still be renamed."""
    done = run("ab", desk / "log.csv", "--column", "bot_script", "--kpi", "frt_mean", "--difference", "5", *RULES)
    row = read(done.stdout).iloc[0]
    assert (row["a"], row["b"]) == ("new", "old")
    # Exponential waits of 40 s: 2 · 40² · 7.849 ÷ 5² a variant.
    assert row["needed"] == pytest.approx(1005, rel=0.25)
    assert "old is " in done.stderr
    own = pd.read_csv(desk / "log.csv").query("bot_script == 'old'")
    waits = (pd.to_datetime(own["first_response_at"], utc=True) - pd.to_datetime(own["created_at"], utc=True)).dropna()
    assert row["plain_b"] == pytest.approx(waits.dt.total_seconds().mean(), rel=1e-6)
    assert row["value_b"] >= row["plain_b"]
    assert "plain_a and plain_b are of the ended alone" in done.stderr
    again = run(
        "ab", desk / "log.csv", "--column", "bot_script", "--column", "topic=agent", "--kpi", "csat", "-q", *RULES
    )
    assert read(again.stdout)["method"].iloc[0] == "Newcombe"
    assert "name the column of the variants once" in run("ab", desk / "log.csv", "--kpi", "csat", *RULES, code=2).stderr


def test_the_desk_now(desk):
    """Three tickets wait, each shown with its wait; --show load and moves print the other tables."""
    done = run("now", desk / "log.csv", *RULES)
    assert len(read(done.stdout)) == 3
    assert "3 wait" in done.stderr
    assert set(read(run("now", desk / "log.csv", "--show", "load", *RULES).stdout)["agent"]) == {"x", "y"}
    assert read(run("now", desk / "log.csv", "--show", "moves", "--most", "9", *RULES).stdout).empty
    assert json.loads(run("now", desk / "log.csv", "--json", *RULES).stdout)["unassigned"] == 0


def test_now_says_who_is_here_and_who_the_codes_are(desk, tmp_path):
    """Without a roster the rule for who is here is said; agents that are codes are met with --keep-agents."""
    said = run("now", desk / "log.csv", *RULES).stderr
    assert "no roster: who replied or closed something in the last 24 hours counts as here" in said
    assert "--keep-agents" not in said
    key = Pseudonyms(b"k" * 32)
    frame = pd.read_csv(desk / "log.csv")
    frame.assign(agent=frame["agent"].map(lambda name: key.code(name, role="agent"))).to_csv(tmp_path / "c.csv")
    assert "import --keep-agents" in run("now", tmp_path / "c.csv", *RULES).stderr


def test_the_alarm_is_quiet_here(desk):
    """A desk that answers in a minute is calm, exit code 0, also with a target too short to judge by the hour."""
    done = run("alarm", desk / "log.csv", "--frt", "80% in 1h", "--check", *RULES)
    assert read(done.stdout)["state"].tolist() == ["calm"]
    assert "calm" in done.stderr
    short = run("alarm", desk / "log.csv", "--frt", "99% in 1s", "--check", *RULES)
    assert "judged is overload" in short.stderr


@pytest.mark.parametrize("until", ["2025-10-08T12:00", "2025-10-05T22:00", "2025-10-06T08:20"])
def test_the_shipped_desk_is_calm(until):
    """The demonstration desk with its targets of minutes is calm at noon, on a Sunday and on a Monday morning."""
    log, scenario = DATA / "tickets.csv.gz", DATA / "scenario.toml"
    done = run("alarm", log, "--scenario", scenario, "--until", until, "--check")
    assert read(done.stdout)["state"].tolist() == ["calm"] * 3


def test_unavailable_stretches(desk, tmp_path):
    """--unavailable lists when who was on a break; it needs a roster."""
    roster = tmp_path / "roster.csv"
    times = ("x,2025-03-03 08:00,2025-03-03 12:00,available", "x,2025-03-03 12:00,2025-03-03 12:30,break")
    roster.write_text("\n".join(("agent,start,end,state", *times)))
    table = read(run("kpi", desk / "log.csv", "--roster", roster, "--unavailable", *RULES).stdout)
    assert table[["agent", "state", "minutes"]].to_numpy().tolist() == [["x", "break", 30]]
    assert "needs --roster" in run("kpi", desk / "log.csv", "--unavailable", *RULES, code=2).stderr
    found = read(run("kpi", desk / "log.csv", "--all", "--roster", roster, *RULES).stdout)
    assert {"utilization", "occupancy", "idle_h"} <= set(found["kpi"])


def test_looking_back_takes_any_number_of_tickets(desk, tmp_path):
    """Three tickets are enough to be measured, counted and seen waiting; they are too few to forecast."""
    pd.read_csv(desk / "log.csv").iloc[[0, 1, 1199]].to_csv(tmp_path / "small.csv", index=False)
    small = tmp_path / "small.csv"
    gap = ("--allow-gaps", *RULES)
    assert read(run("kpi", small, *gap).stdout)["volume"].tolist() == [3]
    assert "backlog_open" in set(read(run("kpi", small, "--all", *gap).stdout)["kpi"])
    assert len(read(run("now", small, *gap).stdout)) == 1
    assert read(run("count", small, *gap).stdout)["y"].sum() == 2  # the last half hour is not over
    assert "too few to forecast" in run("forecast", small, *gap, code=2).stderr
