"""Bad input, each kind through the command line: what was found, where, and how to mend it; and nothing written."""

import functools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from test_plan import small_log

from staffcast.cli import main

RULES = ("--zone", "Europe/Berlin", "--interval", "60m", "--models", "mean_4", "--horizon", "7d", "--replications", "3")
SCENARIO = 'zone = "Europe/Berlin"\nmodels = "mean_4"\ninterval = "60m"\nreplications = 3\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, so that whatever is written by mistake is seen."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refuse(*args, code=2, **more):
    """Run a command that must be refused; return what it says and check that it did nothing else."""
    before = listing()
    result = CliRunner().invoke(main, [str(a) for a in args], **more)
    assert result.exit_code == code, f"exit {result.exit_code}\n{result.stderr}\n{result.exception!r}"
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert listing() == before
    return result.stderr


def listing():
    return sorted(str(p) for p in Path().rglob("*"))


@functools.cache
def recent(days=21):
    log = small_log()
    return log[log["created_at"] >= log["created_at"].max() - pd.Timedelta(days=days)].reset_index(drop=True)


def text_times(frame):
    times = [c for c in ("created_at", "first_response_at", "resolved_at") if c in frame]
    return frame.assign(**{c: frame[c].map(lambda t: t.isoformat(), na_action="ignore") for c in times})


def written(frame, name="log.csv"):
    frame.to_csv(name, index=False)
    return name


def at(frame, row, column, value):
    """The frame with another value in one line of its file; the header is line 1."""
    out = text_times(frame).astype({column: object})
    out.loc[row - 2, column] = value
    return out


BAD_LOGS = {
    "missing column": (
        lambda: recent().drop(columns="created_at"),
        ["log.csv: the tickets table lacks created_at; it has: ticket_id, ", "[columns] in the scenario or --column"],
    ),
    "unparsable times, the first five shown": (
        lambda: text_times(recent()).assign(
            created_at=lambda f: f["created_at"].mask(f.index.isin(range(3, 10)), "soon")
        ),
        [
            "log.csv, column created_at: cannot read row 5: 'xxxx', row 6: 'xxxx', row 7: 'xxxx', row 8: 'xxxx', "
            "row 9: 'xxxx' and 2 more as a time",
            "write ISO 8601 such as 2026-03-01T09:30:00+01:00",
        ],
    ),
    "time before 1990": (
        lambda: at(recent(), 7, "created_at", "1970-01-01T00:00:00+01:00"),
        ["log.csv, column created_at: times lie before 1990: row 7: '1970-01-01 00:00:00+01:00'; check the year"],
    ),
    "time in the future": (
        lambda: at(recent(), 4, "resolved_at", "2199-01-01T00:00:00+01:00"),
        ["log.csv, column resolved_at: times lie in the future: row 4: '2199-01-01 00:00:00+01:00'; check the year"],
    ),
    "resolved before created": (
        lambda: at(recent(), 9, "resolved_at", "2024-01-01T00:00:00+01:00"),
        [
            "log.csv, column resolved_at: tickets resolved before they were created: row 9: '2024-01-01",
            "--bad-rows drop",
        ],
    ),
    "duplicate ids": (
        lambda: at(recent(), 8, "ticket_id", recent()["ticket_id"][1]),
        ["log.csv, row 8: ticket_id=T", "stands twice (1 such rows); keep one row for each ticket_id"],
    ),
    "negative handle time": (
        lambda: recent().assign(handle_s=lambda f: f["handle_s"].mask(f.index == 4, -5.0)),
        ["log.csv, row 6, column handle_s: is -5.0, outside [0, inf) s; active time of the agent"],
    ),
    "handle time that is no number": (
        lambda: at(recent(), 6, "handle_s", "5 min"),
        ["log.csv, row 6, column handle_s: cannot read '5 min' as a number"],
    ),
    "empty queue": (
        lambda: at(recent(), 6, "queue", np.nan),
        ["log.csv, row 6, column queue: is empty; give a value"],
    ),
    "one queue with three tickets": (
        lambda: recent().assign(queue=lambda f: f["queue"].mask(f.index.isin([5, 50, 500]), "rare")),
        ["log.csv, column queue: queue 'rare' has 3 tickets, too few to forecast (at least 20)", "--skip-queues rare"],
    ),
    "a gap of a month": (
        lambda: recent(60)[lambda f: (f["created_at"] < f["created_at"].min() + pd.Timedelta(days=10))
                           | (f["created_at"] > f["created_at"].min() + pd.Timedelta(days=41))],
        [
            "log.csv, column created_at: no ticket at all between 2024-02-09",
            " days)", "--since 2024-03-1", "--allow-gaps",
        ],
    ),
    "no ticket for people": (
        lambda: recent().assign(outcome="bot_closed"),
        ["log.csv: no ticket ever reached a queue for people"],
    ),
    "nothing but a header": (lambda: recent().iloc[:0], ["log.csv: the tickets table has no rows"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_LOGS)
def test_a_bad_log_is_refused_with_place_value_and_fix(here, name):
    """The error names the file, the row, the column, the value and what to do."""
    make, parts = BAD_LOGS[name]
    written(make())
    message = refuse("plan", "log.csv", *RULES)
    assert message.startswith("staffcast: log.csv")
    for part in parts:
        assert part in message


def test_the_row_named_is_the_line_of_the_file(here):
    """A planner who opens the log in an editor finds the bad value in the line that the error names."""
    written(at(recent(), 30, "created_at", "next week"))
    row = int(re.search(r"row (\d+)", refuse("count", "log.csv", *RULES[:4]))[1])
    assert "next week" in (here / "log.csv").read_text(encoding="utf-8").splitlines()[row - 1]


def test_wall_clock_times_need_a_zone(here):
    """Without an offset in the file and a zone said, days are unknown: the error shows a time and the flag."""
    log = recent()
    written(log.assign(**{c: log[c].dt.tz_localize(None) for c in ("created_at", "first_response_at", "resolved_at")}))
    message = refuse("plan", "log.csv")
    assert "log.csv, column created_at: times are wall clock without an offset (row 2: 2024-03-" in message
    assert "--zone Europe/Berlin" in message


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_is_refused(here, content):
    """A file without content is named as empty."""
    (here / "log.csv").write_bytes(content)
    assert refuse("plan", "log.csv") == "staffcast: log.csv: the file is empty; export it again\n"


@pytest.mark.parametrize("command", ["plan", "count", "forecast", "backtest", "kpi"])
def test_a_log_that_is_no_file_is_refused(here, command):
    """A directory and a name without a file are told apart."""
    (here / "exports").mkdir()
    assert refuse(command, "exports") == "staffcast: exports: is a directory; name one file in it\n"
    assert refuse(command, "nowhere.csv") == "staffcast: nowhere.csv: there is no such file\n"


@pytest.mark.parametrize("args", [("staff", "exports"), ("simulate", "exports", "exports")])
def test_a_table_that_is_no_file_is_refused(here, args):
    """The later steps say the same of a directory."""
    (here / "exports").mkdir()
    assert refuse(*args) == "staffcast: exports: is a directory; name one file in it\n"


BAD_OPTIONS = [
    (("--aht", "-5m"), ["`aht` must be a duration with its unit", "'-5m'"]),
    (("--aht", "0s"), ["`aht` must be a duration above 0 s, got '0s'"]),
    (("--aht", "6"), ["got '6'; say which unit is meant, e.g. \"6s\" or \"6m\""]),
    (("--frt", "80% in 0s"), ["`frt` must be a time above 0 s, got '80% in 0s'; nobody answers in no time"]),
    (("--frt", "fast"), ['`frt` must be like "80% in 60s", "mean 60s" or "p95 9m", got \'fast\'']),
    (("--frt", "120% in 60s"), ["`frt`", "120%"]),
    (("--band", "90%-85%"), ["`band` must be bottom below top", 'write "85%-90%"']),
    (("--band", "85-90"), ["`band`", "85"]),
    (("--shrinkage", "30"), ["`shrinkage` must be a share in [0, 1), got '30'; write 30 % as \"30%\" or 0.3"]),
    (("--shrinkage", "100%"), ["`shrinkage` must be a share in [0, 1), got '100%'"]),
    (("--models", "oracle"), ["'oracle'", "seasonal_naive, mean_4, mean_8", "glm", "prophet"]),
    (("--models", ""), ["model"]),
    (("--holidays", "ZZ"), ["`holidays` must be a country such as \"DE\" or \"BR\"", "'ZZ'"]),
    (("--holidays", "DE-QQ"), ["`holidays`", "'DE-QQ'"]),
    (("--interval", "7m"), ['`interval` must be "15m", "30m" or "60m", got \'7m\'']),
    (("--horizon", "0d"), ["`horizon` must be from 1 to 366 days, got '0d'"]),
    (("--horizon", "1826d"), ["`horizon` must be from 1 to 366 days, got '1826d'"]),
    (("--horizon", "5y"), ["`horizon` must be a duration with its unit", "'5y'"]),
    (("--zone", "Berlin"), ['`zone` must be an IANA zone such as "Europe/Berlin"', "'Berlin'"]),
    (("--queues", "sales"), ["queues_only", "'sales'", "chat, tiny"]),
    (("--skip-queues", "chat,tiny"), ["no queue is left to plan; the log has chat, tiny"]),
    (("--hours", "monday to friday"), ["`hours.monday` must be windows like", "'to friday'"]),
    (("--hours", ";"), ["`hours` must be", 'written as "mon-fri 08:00-18:00; sat 10:00-14:00"']),
    (("--hours", "mon-fri 8-18"), ["`hours.mon-fri` must be windows like \"08:00-18:00\"", "'8-18'"]),
    (("--hours", "mon-fri 08:10-18:00"), ["`hours.mon` has 08:10, which is not on the grid of 60-minute intervals"]),
    (("--since", "tomorrow week"), ["`since` must be a date or time like 2026-03-01", "'tomorrow week'"]),
    (("--since", "2030-01-01"), ["log.csv: nothing lies between --since 2030-01-01", "the log has 2024-"]),
    (("--column", "created_at"), ["`column`", 'written as created_at="Created time"']),
    (("--column", "queue=Team"), ["log.csv: has no such column: queue = 'Team'; it has: ticket_id, "]),
    (("--replications", "0"), ["`replications` must be a whole number from 1 to 100000, got 0"]),
    (("--seed", "-1"), ["`seed` must be a whole number from 0"]),
    (("--seed", "one"), ["'--seed': 'one' is not a valid integer"]),
    (("--minimum", "-2"), ["`minimum` must be a whole number from 0"]),
    (("--patience", "0s"), ["`patience` must be a duration above 0 s"]),
    (("--volume", "20%"), ["`what_if.volume` must be a relative change like \"+20%\"", "'20%'"]),
    (("--volume", "-120%"), ["`what_if.volume`", "not below -100%"]),
    (("--deflection", "130%"), ["`what_if.deflection` must be a share in [0, 1]", "'130%'"]),
    (("--closed-arrivals", "maybe"), ['`closed_arrivals` must be "wait" or "lost", got \'maybe\'']),
    (("--bad-rows", "ignore"), ['`bad_rows` must be "error" or "drop", got \'ignore\'']),
    (("--roster", "nowhere.csv"), ["nowhere.csv: there is no such file"]),
    (("--scenario", "nowhere.toml"), ["nowhere.toml: there is no such scenario file"]),
    (("--scenario", "."), [".: is a directory; name the scenario file in it"]),
    (("--processes", "0"), ["'--processes': 0 is not in the range x>=1"]),
    (("--horizont", "7d"), ["No such option"]),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "parts"), BAD_OPTIONS, ids=[" ".join(flags) for flags, _ in BAD_OPTIONS])
def test_a_bad_option_is_refused_with_what_is_legal(here, flags, parts, monkeypatch):
    """The error names the option, the value and the legal range or the fix, and comes before the backtest begins."""

    def too_late(*_, **__):
        raise AssertionError("the backtest ran first")

    monkeypatch.setattr("staffcast.forecast.main.roll", too_late)
    written(recent())
    message = refuse("plan", "log.csv", *RULES, *flags)
    for part in parts:
        assert part in message


BAD_SCENARIOS = [
    ("shrinkage = 30", ["`shrinkage` must be a share in [0, 1), got 30; write 30 % as \"30%\" or 0.3"]),
    ("shrinkage = true", ["`shrinkage`", "True"]),
    ("aht = 360", ["`aht` must be a duration with its unit", 'say which unit is meant, e.g. "360s" or "360m"']),
    ("shrinkege = 0.3", ["unknown key `shrinkege`; did you mean `shrinkage`?"]),
    ("volume = '+20%'", ["unknown key `volume`"]),
    ("[what_if]\nvolumes = '+20%'", ["unknown key `what_if.volumes`; did you mean `what_if.volume`?"]),
    ("[queues.chat]\nfrtt = 'mean 60s'", ["unknown key `queues.chat.frtt`; did you mean `queues.chat.frt`?"]),
    ("[queues.chat]\nband = '90%-85%'", ["[queues.chat]", "`band` must be bottom below top"]),
    ("[queues]\nchat = '80% in 60s'", ["`queues` must be tables, one per queue"]),
    ("zone Europe/Berlin", ["is not valid TOML"]),
    ("minimum = 1.5", ["`minimum` must be a whole number from 0"]),
    ("hours = '8-18'", ["`hours` must be"]),
    ("since = 20240101", ["`since` must be a date or time", "20240101"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts"), BAD_SCENARIOS, ids=[text for text, _ in BAD_SCENARIOS])
def test_a_bad_scenario_is_refused_and_its_file_is_named(here, text, parts):
    """What is wrong in the file is said with the file's name, the key and the fix."""
    written(recent())
    (here / "desk.toml").write_text(text, encoding="utf-8")
    message = refuse("plan", "log.csv", "--scenario", "desk.toml")
    assert message.startswith("staffcast: desk.toml: ")
    for part in parts:
        assert part in message


def test_an_unknown_queue_in_the_scenario_is_named(here):
    """Rules for a queue that the log does not have are a typing error, not to be passed over."""
    written(recent())
    (here / "desk.toml").write_text(SCENARIO + "[queues.chatt]\nfrt = 'mean 60s'\n", encoding="utf-8")
    message = refuse("plan", "log.csv", "--scenario", "desk.toml")
    assert "'chatt'" in message
    assert "chat, tiny" in message


def test_a_log_without_handle_times_is_refused_before_the_backtest(here, monkeypatch):
    """A missing handle time is said at once, with the flag and the key that give it; with the flag the plan runs."""

    def too_late(*_, **__):
        raise AssertionError("the backtest ran first")

    written(recent().drop(columns="handle_s"))
    with monkeypatch.context() as patch:
        patch.setattr("staffcast.forecast.main.roll", too_late)
        message = refuse("plan", "log.csv", *RULES)
    assert "queue 'chat' has no handle time" in message
    assert "--aht 6m" in message
    assert "[queues.chat]" in message
    monkeypatch.setattr("staffcast.report.write.render", lambda *_, **__: "")
    done = CliRunner().invoke(main, ["plan", "log.csv", *RULES, "--aht", "6m", "--processes", "1"])
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    "column", [pd.Series([np.nan] * 5), pd.Series([0.0] * 5)], ids=["an empty column", "nothing but zeros"]
)
def test_handle_times_that_say_nothing_are_refused_before_the_backtest(here, monkeypatch, column):
    """A column of handle times without one above 0 s is no handle time."""

    def too_late(*_, **__):
        raise AssertionError("the backtest ran first")

    monkeypatch.setattr("staffcast.forecast.main.roll", too_late)
    log = recent()
    written(log.assign(handle_s=column[0]))
    assert "has no handle time" in refuse("plan", "log.csv", *RULES)


def demand_table():
    ds = pd.date_range("2024-04-01T08:00", periods=6, freq="60min", tz="Europe/Berlin")
    return pd.DataFrame({"unique_id": "chat", "ds": ds.map(lambda t: t.isoformat()), "mean": 10.0, "aht_s": 300.0})


BAD_DEMANDS = {
    "no mean": (lambda f: f.drop(columns="mean"), ["demand.csv: the demand table lacks mean; it has:"]),
    "negative mean": (lambda f: at(f, 3, "mean", -1), ["demand.csv, row 3, column mean: is -1, outside [0, inf)"]),
    "text for a number": (lambda f: at(f, 3, "mean", "many"), ["demand.csv, row 3, column mean: cannot read 'many'"]),
    "no handle time": (lambda f: f.assign(aht_s=np.nan), ["queue 'chat' has no handle time", "--aht 6m"]),
    "handle time of 0 s": (lambda f: at(f, 3, "aht_s", 0), ["demand.csv, row 3, column aht_s: is 0, outside ["]),
    "a missing interval": (lambda f: f.drop(index=3), ["demand.csv: queue 'chat': intervals are missing or uneven"]),
    "a row twice": (
        lambda f: pd.concat([f, f.iloc[[2]]]),
        ["demand.csv, row 8: unique_id=chat", "ds=2024-04-01T10:00:00+02:00 stands twice"],
    ),
    "more carried than there is": (
        lambda f: f.assign(carried=11.0), ["demand.csv", "row 2, column carried: is 11, above mean (10)"],
    ),
    "wall clock": (
        lambda f: f.assign(ds=f["ds"].str[:19]), ["demand.csv, row 2, column ds: is 2024-04-01T08:00:00, wall clock"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_DEMANDS)
def test_an_edited_demand_that_went_wrong_is_refused(here, name):
    """`staff` names file, row, column and value of what an editor spoiled."""
    change, parts = BAD_DEMANDS[name]
    change(demand_table()).to_csv("demand.csv", index=False)
    message = refuse("staff", "demand.csv", "-o", "requirement.csv")
    for part in parts:
        assert part in message


def plan_table():
    return demand_table()[["unique_id", "ds"]].assign(agents=3)


def on_half_hours(frame):
    ds = pd.date_range("2024-04-01T08:00", periods=12, freq="30min", tz="Europe/Berlin")
    return pd.DataFrame({"unique_id": "chat", "ds": ds.map(lambda t: t.isoformat()), "agents": 3})


BAD_PLANS = {
    "fractional agents": (lambda f: at(f, 4, "agents", 2.5), ["mine.csv, row 4, column agents: is 2.5, not a whole"]),
    "negative agents": (lambda f: at(f, 4, "agents", -1), ["mine.csv, row 4, column agents: is -1, outside [0, "]),
    "empty agents": (lambda f: at(f, 4, "agents", np.nan), ["mine.csv, row 4, column agents: is empty"]),
    "no agents": (lambda f: f.drop(columns="agents"), ["mine.csv: the requirement table lacks agents"]),
    "fewer intervals": (
        lambda f: f.iloc[:-2],
        ["mine.csv: the plan for queue 'chat' does not cover the demand: 2 intervals are missing"],
    ),
    "another queue": (
        lambda f: f.assign(unique_id="caht"), ["mine.csv: the plan has no rows for queue 'chat'; its queues are caht"],
    ),
    "a finer grid": (on_half_hours, ["mine.csv: the plan for queue 'chat' is on another grid", "60-minute"]),
    "a coarser grid": (lambda f: f.iloc[::2], ["mine.csv: the plan for queue 'chat' does not cover the demand: 3 int"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_PLANS)
def test_an_edited_plan_that_went_wrong_is_refused(here, name):
    """`simulate` names the plan's file, and row, column and value of what an editor spoiled."""
    change, parts = BAD_PLANS[name]
    demand_table().to_csv("demand.csv", index=False)
    change(plan_table()).to_csv("mine.csv", index=False)
    message = refuse("simulate", "demand.csv", "mine.csv", "--zone", "Europe/Berlin", "--replications", 2)
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("args", "place"),
    [
        (("plan", "log.csv", *RULES, "-o", "file/plan"), "file/plan"),
        (("plan", "log.csv", *RULES, "-o", "file"), "file: is a file; name a folder for the plan"),
        (("forecast", "log.csv", *RULES[:6], "-o", "file/demand.csv"), "file/demand.csv"),
        (("count", "log.csv", *RULES[:4], "-o", "file/a/series.parquet"), "file/a/series.parquet"),
        (("count", "log.csv", *RULES[:4], "-o", "folder.csv"), "folder.csv: is a directory; name a file"),
        (("count", "log.csv", *RULES[:4], "-o", "x" * 300 + ".csv"), "xxx.csv: cannot be written ("),
        (("plan", "log.csv", *RULES, "-o", "x" * 300), "xxx: cannot be written ("),
    ],
)
def test_an_output_that_cannot_be_written_has_an_exit_code_of_its_own(here, args, place, monkeypatch):
    """A place below a regular file, or of the wrong kind, is refused with 4 and before the log is even read."""

    def too_late(*_, **__):
        raise AssertionError("the log was read first")

    monkeypatch.setattr("staffcast.plan.read_log", too_late)
    written(recent())
    (here / "file").write_text("mine", encoding="utf-8")
    (here / "folder.csv").mkdir()
    message = refuse(*args, code=4)
    assert message.startswith("staffcast: ")
    assert place in message
    assert (here / "file").read_text(encoding="utf-8") == "mine"


def test_a_disk_that_refuses_at_the_end_has_that_exit_code_too(here, monkeypatch):
    """When writing fails after the work, the error names the place, the code is 4 and the old file stays."""
    written(recent())
    (here / "series.csv").write_text("old", encoding="utf-8")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    message = refuse("count", "log.csv", *RULES[:4], "-q", "-o", "series.csv", code=4)
    assert message == "staffcast: series.csv: cannot be written (No space left on device)\n"
    assert (here / "series.csv").read_text(encoding="utf-8") == "old"


def test_an_output_of_an_unknown_kind_is_refused_before_the_work(here):
    """The ending says the format; one that is not known is refused at once with those that are."""
    message = refuse("count", "nowhere.csv", "-o", "series.xlsx")
    assert "'series.xlsx'; end it in .csv, .csv.gz or .parquet" in message


def test_kpis_of_counts_are_refused(here):
    """Counts per interval hold no tickets to measure."""
    ds = pd.date_range("2024-01-01", periods=24 * 30, freq="60min", tz="UTC")
    pd.DataFrame({"timestamp": ds.map(lambda t: t.isoformat()), "count": 5}).to_csv("counts.csv", index=False)
    assert "counts.csv: has counts per interval, no tickets" in refuse("kpi", "counts.csv", "--interval", "60m")


@pytest.mark.parametrize("by", ["colour", "channel"])
def test_a_cut_that_is_not_there_is_refused(here, by):
    """An unknown cut, or one whose column the log lacks, is named with what there is."""
    written(recent())
    message = refuse("kpi", "log.csv", "--by", by, *RULES[:4])
    assert f"`by` must be {'one of queue, agent' if by == 'colour' else 'a column that the log has'}" in message


def test_a_short_history_is_refused_by_the_backtest(here):
    """Five days are no history to test a forecast on: the error says how many are needed."""
    written(recent(5))
    assert "days of history" in refuse("backtest", "log.csv", *RULES[:8])


def test_bad_rows_can_be_dropped_with_a_note(here):
    """With --bad-rows drop the ticket that contradicts itself is left out, and a note counts it."""
    log = recent()
    written(at(log, 9, "resolved_at", "2024-01-01T00:00:00+01:00"))
    done = CliRunner().invoke(main, ["count", "log.csv", *RULES[:4], "--bad-rows", "drop", "--until", "2024-03-31"])
    assert done.exit_code == 0, done.stderr
    assert "note: 1 tickets resolved before they were created were left out" in done.stderr
    counts = [int(line.split(",")[2].partition(".")[0]) for line in done.stdout.splitlines()[1:]]
    assert sum(counts) == len(log) - 1


def test_a_misspelt_column_name_is_refused(here):
    """A name that staffcast does not know on the left of --column gets the nearest one that it does."""
    message = refuse("kpi", written(recent()), "--zone", "Europe/Berlin", "--column", "queu=queue")
    assert "got 'queu'; did you mean queue?" in message


def test_doubtful_inputs_stand_at_the_top_of_the_plan(here):
    """Handle times that look like minutes, and hours guessed from arrivals, are named in the printed plan."""
    log = recent(60).drop(columns=["first_response_at"]).assign(handle_s=lambda f: f["handle_s"] / 60)
    result = CliRunner().invoke(main, ["plan", written(log), *RULES, "-o", "out", "-q"])
    assert result.exit_code in (0, 3), result.stderr
    assert "please check: handle times average" in result.stdout
    assert "please check: the opening hours are a guess" in result.stdout
    assert "please check" in Path("out/report.html").read_text(encoding="utf-8")


def test_numbers_with_decimal_commas_are_read(here):
    """A spreadsheet with semicolons and decimal commas gives the same handle times."""
    log = recent()
    comma = log.assign(handle_s=log["handle_s"].round(1).astype(str).str.replace(".", ",").replace("nan", ""))
    comma.to_csv("comma.csv", sep=";", index=False)
    log.assign(handle_s=log["handle_s"].round(1)).to_csv("point.csv", index=False)
    rows = [
        CliRunner().invoke(main, ["kpi", name, "--zone", "Europe/Berlin", "-q"]).stdout
        for name in ("comma.csv", "point.csv")
    ]
    assert rows[0] == rows[1]
    assert "aht_s" in rows[0]


def test_the_zone_goes_from_step_to_step(here):
    """Without --zone the next step writes the local hours that the one before wrote, across a clock change too."""
    rules = [*RULES[:-2], "-q", "-o", "demand.csv"]
    assert CliRunner().invoke(main, ["forecast", written(recent(60)), *rules]).exit_code == 0
    assert CliRunner().invoke(main, ["staff", "demand.csv", "-o", "requirement.csv"]).exit_code == 0
    demand, requirement = (pd.read_csv(f"{name}.csv") for name in ("demand", "requirement"))
    assert demand["ds"].to_list() == requirement["ds"].to_list()
    assert set(requirement["zone"]) == {"Europe/Berlin"}
