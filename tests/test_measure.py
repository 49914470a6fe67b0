"""`staffcast measure`: from a log and a roster to a scenario that plan reads."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from test_real_data import present

from staffcast import measured_scenario as writing
from staffcast.channels import require_models
from staffcast.cli import main
from staffcast.contracts import InputError
from staffcast.measured_scenario import measured_scenario
from staffcast.measuring import measure_inputs
from staffcast.plan import make_plan
from staffcast.scenario import Scenario, load_scenario, rule_keys
from staffcast.toml_text import duration_text, value_text

DATA = Path(__file__).parents[1] / "data"
START = pd.Timestamp("2026-01-05", tz="UTC")


def chat_desk(seed=1, *, weeks=3):
    """A desk of chats: five agents with up to two in hand, who take 6 min alone and 8 min beside another."""
    rng = np.random.default_rng(seed)
    rows, n = [], 0
    for day in range(7 * weeks):
        free = [[0.0, 0.0] for _ in range(5)]  # when each agent's two places are free again
        for second in np.sort(rng.uniform(9 * 3600, 17 * 3600, rng.poisson(560))):
            agent = min(range(5), key=lambda a: (sum(f > second for f in free[a]), min(free[a])))
            place = int(np.argmin(free[agent]))
            begin = max(second, free[agent][place])
            gone = second + rng.exponential(900)
            stamp = START + pd.Timedelta(days=day)
            n += 1
            row = {"ticket_id": str(n), "queue": "help, chat", "customer_id": str(rng.integers(0, 900)),
                   "created_at": stamp + pd.Timedelta(seconds=round(second))}  # fmt: skip
            if gone < begin:
                rows.append(row | {"outcome": "abandoned", "resolved_at": stamp + pd.Timedelta(seconds=round(gone))})
                continue
            busy = free[agent][1 - place] > begin
            ends = begin + rng.exponential(480 if busy else 360)
            free[agent][place] = ends
            rows.append(row | {
                "outcome": "answered", "agent": f"A{agent}", "assigned_at": stamp + pd.Timedelta(seconds=round(begin)),
                "first_response_at": stamp + pd.Timedelta(seconds=round(begin + rng.exponential(9))),
                "resolved_at": stamp + pd.Timedelta(seconds=round(ends) + 1),
            })  # fmt: skip
    return pd.DataFrame(rows)


def roster_of(weeks=3):
    rows = []
    for day in range(7 * weeks):
        for agent in range(6):
            start = START + pd.Timedelta(days=day, hours=9)
            away = (day + agent) % 10 == 0
            rows.append((f"A{agent}", start, start + pd.Timedelta(hours=7), "sick" if away else "available"))
            rows.append(
                (f"A{agent}", start + pd.Timedelta(hours=7), start + pd.Timedelta(hours=8), "sick" if away else "break")
            )
    return pd.DataFrame(rows, columns=["agent", "start", "end", "state"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    chat_desk().to_csv(folder / "log.csv", index=False)
    roster_of().to_csv(folder / "roster.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def written(files):
    out = files / "scenario.toml"
    args = ["measure", str(files / "log.csv"), "--zone", "UTC", "--roster", str(files / "roster.csv"), "-o", str(out)]
    result = CliRunner().invoke(main, [*args, "--table", str(files / "figures.csv")])
    assert result.exit_code == 0, result.output
    return out


def test_the_scenario_has_what_was_measured(written):
    """Shrinkage, patience, first reply and concurrency stand as keys, as the desk was made."""
    keys = tomllib.loads(written.read_text(encoding="utf-8"))
    own = keys["queues"]["help, chat"]
    hours = roster_of().assign(hours=lambda f: (f["end"] - f["start"]).dt.total_seconds() / 3600)
    away = hours.loc[hours["state"] != "available", "hours"].sum() / hours["hours"].sum()
    assert keys["zone"] == "UTC"
    assert float(keys["shrinkage"].removesuffix("%")) == pytest.approx(
        100 * away, abs=0.5
    )  # the log ends before a shift
    assert own["concurrency"] == 2
    rules = load_scenario(written).for_queue("help, chat")
    assert 700 < rules.patience_s < 1150
    assert rules.first_reply_s == pytest.approx(9, abs=2)
    # The pace of this desk is set when a conversation begins, so that its times lie around 6 and 8 min, not on them.
    assert 240 < rules.aht_by_concurrency_s[0] <= rules.aht_by_concurrency_s[1] < 600


def test_every_key_says_how_it_was_measured(written):
    """Above each measured key stand its figure, its interval, its number of observations and its span."""
    text = written.read_text(encoding="utf-8")
    for key in ("shrinkage", "patience", "first_reply"):
        comment = re.search(rf"\n# {key}: ([^\n]*\n(?:#  [^\n]*\n)*){key} = ", text)
        assert comment is not None, key
        assert re.search(r"\[\S+, \S+\].*\d+.*\d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d", comment[1].replace("\n#  ", "")), key
    assert "# concurrency: 2, n = " in text
    assert "with 1: " in text


def test_a_plan_runs_on_the_scenario(files, written):
    """What was written is a scenario with which a chat plan is made and played."""
    scenario = load_scenario(written).with_options(
        {"models": "mean_4", "horizon": "7d", "replications": 2, "interval": "60m", "what_if": {"volume": "-50%"}}
    )
    plan = make_plan(files / "log.csv", scenario)
    assert set(plan.requirement["model"]) - {""}
    assert (plan.requirement.loc[plan.requirement["open"], "agents"] > 0).any()


def test_the_table_has_every_figure(files, written):
    """The table has each figure with its interval, and what is missing says what it needs."""
    table = pd.read_csv(files / "figures.csv")
    row = table[table["measure"] == "patience"].iloc[0]
    assert row["low"] < row["value"] < row["high"]
    missing = table[(table["n"] == 0) & (table["measure"] == "aht")]
    assert "handle_s" in missing["note"].iloc[0]


@pytest.mark.parametrize(
    ("column", "measure", "needs"),
    [
        ("outcome", "patience", "outcome"),
        ("agent", "concurrency", "agent"),
        ("assigned_at", "first_reply", "assigned_at"),
        ("customer_id", "repeated", "customer_id"),
    ],
)
def test_a_missing_column_is_named_and_nothing_invented(column, measure, needs):
    """Without its column a figure is empty, a note names the column, and no key is written."""
    found = measure_inputs(chat_desk().drop(columns=column), Scenario().with_options({"zone": "UTC"}))
    figure = found.of(measure, "help, chat")
    assert np.isnan(figure.value)
    assert any(f"{measure} is not measured" in note and needs in note for note in found.missing)
    text = measured_scenario(found, Scenario(), {}, log="log.csv")
    own = tomllib.loads(text)["queues"]["help, chat"]
    assert {"patience": "patience", "concurrency": "concurrency", "first_reply": "first_reply"}.get(measure) not in own
    assert "Not measured" in text


def test_small_samples_are_marked_and_left_to_the_default():
    """With a few who gave up, patience is a comment marked few, and the scenario keeps the default."""
    log = chat_desk()
    gone = log.index[log["outcome"] == "abandoned"]
    found = measure_inputs(log.drop(index=gone[12:]), Scenario().with_options({"zone": "UTC"}))
    text = measured_scenario(found, Scenario(), {"patience": "5m"}, log="log.csv")
    assert re.search(r"\n# few \(n = 12, 50 are needed\)[^\n]*\n# patience = ", text)
    keys = tomllib.loads(text)
    assert keys["patience"] == "5m"
    assert "patience" not in keys["queues"]["help, chat"]


def test_what_the_planner_said_is_kept_but_for_what_was_measured(files, written, tmp_path):
    """Targets, hours and other queues' keys come through; a measured key replaces the planner's and says so."""
    base = tmp_path / "mine.toml"
    base.write_text(
        'zone = "UTC"\nshrinkage = "10%"\nclosed_days = [2026-12-24]\nfrt = "80% in 5s"\n'
        '[hours]\nmon-sun = "09:00-17:00"\n[queues."help, chat"]\nminimum = 2\n[what_if]\nvolume = "+5%"\n',
        encoding="utf-8",
    )
    out = tmp_path / "new.toml"
    args = [
        "measure",
        str(files / "log.csv"),
        "--scenario",
        str(base),
        "--roster",
        str(files / "roster.csv"),
        "-o",
        str(out),
    ]
    result = CliRunner().invoke(main, [*args, "--interval", "60m", "-q"])
    assert result.exit_code == 0, result.output
    before, after = load_scenario(base), load_scenario(out)
    assert (after.closed_days, after.what_if, after.rules.frt) == (before.closed_days, before.what_if, before.rules.frt)
    assert (after.interval_minutes, after.for_queue("help, chat").minimum) == (60, 2)
    assert after.rules.hours == before.rules.hours
    text = out.read_text(encoding="utf-8")
    assert 'was "10%"' in text
    # A first reply of 9 s leaves nothing of a target of 5 s to staff for: it is not written.
    assert after.for_queue("help, chat").first_reply_s == 0
    assert "more than half of frt" in text
    require_models(after, ["help, chat"], minutes=60)


def test_keys_for_tickets_that_the_log_has_already_stay_comments(monkeypatch):
    """Redials, reopening and the bot are in the log's volume: comments, and only of keys that the scenario knows."""
    log = chat_desk()
    again = np.arange(len(log)) % 9 == 0
    log = log.assign(reopens=again.astype(int), reopened_at=log["resolved_at"].where(again) + pd.Timedelta("1D"))
    log.loc[np.arange(len(log)) % 4 == 1, ["outcome", "first_response_at", "assigned_at", "agent"]] = [
        "bot_closed",
        pd.NaT,
        pd.NaT,
        None,
    ]
    found = measure_inputs(log, Scenario().with_options({"zone": "UTC"}), roster=roster_of())
    for known in (rule_keys(), (*rule_keys(), "absent", "bot", "reopening", "redial_after")):
        monkeypatch.setattr(writing, "rule_keys", lambda known=known: known)
        text = measured_scenario(found, Scenario(), {}, log="log.csv")
        own = tomllib.loads(text)["queues"]["help, chat"]
        assert not {"absent", "bot", "reopening", "redial", "redial_after"} & set(own)
        for key in ("bot", "reopening", "redial"):
            line = re.search(rf"\n# ({key} = .*)", text)
            assert (line is not None) == (key in known), key
            if line is not None:
                tomllib.loads(line[1])


def test_with_aht_states_handle_times():
    """Handle times are left to the plan unless they are asked for."""
    log = chat_desk().assign(handle_s=200.0)
    found = measure_inputs(log, Scenario().with_options({"zone": "UTC"}))
    for asked in (False, True):
        own = tomllib.loads(measured_scenario(found, Scenario(), {}, log="l", with_aht=asked))["queues"]["help, chat"]
        assert own.get("aht") == ("3m20s" if asked else None)


def test_names_of_queues_cannot_break_the_file():
    """A queue whose name has quotes, brackets and a line break is one key of the file, and comments stay comments."""
    name = 'say "hi"]\nzone = 5 # Süd'
    found = measure_inputs(chat_desk().assign(queue=name), Scenario().with_options({"zone": "UTC"}))
    keys = tomllib.loads(measured_scenario(found, Scenario(), {}, log="a\nb.csv"))
    assert list(keys["queues"]) == [name]
    assert keys["zone"] == "UTC"


def test_input_that_cannot_be_measured_is_refused(files, tmp_path):
    """Interval files, a roster of another year, and an output that is no TOML are refused with what to do."""
    counts = pd.DataFrame({"timestamp": pd.date_range(START, periods=200, freq="30min"), "count": 3})
    with pytest.raises(InputError, match="needs a ticket log"):
        measure_inputs(counts, Scenario().with_options({"zone": "UTC"}))
    old = roster_of().assign(
        start=lambda f: f["start"] - pd.Timedelta("900D"), end=lambda f: f["end"] - pd.Timedelta("900D")
    )
    with pytest.raises(InputError, match="no time in common"):
        measure_inputs(chat_desk(), Scenario().with_options({"zone": "UTC"}), roster=old)
    with pytest.raises(InputError, match="repeat_days"):
        measure_inputs(chat_desk(), Scenario().with_options({"zone": "UTC"}), repeat_days=0)
    result = CliRunner().invoke(
        main, ["measure", str(files / "log.csv"), "--zone", "UTC", "-o", str(tmp_path / "x.csv")]
    )
    assert result.exit_code == 2
    assert ".toml" in result.output


def test_text_of_values_is_read_back_as_it_was():
    """Every kind of value that a scenario may have is the same after writing and reading."""
    values = tomllib.loads(
        'a = "q\\" \\n é \\u007f"\nb = [1, 2.5, true]\nc = 2026-12-24\nd = { "x y" = "1", z = [] }\n'
        "e = 2026-03-01T09:00:00+01:00\nf = {}"
    )
    for value in values.values():
        assert tomllib.loads(f"v = {value_text(value)}")["v"] == value
    assert [duration_text(s) for s in (0.04, 59.6, 3600, 86399.9)] == ["0s", "1m", "1h", "24h"]


def test_the_demonstration_desk_is_measured_as_it_was_made():
    """Of the demonstration data: CV² 0.9², 6 % reopened with half a handling more, shrinkage as in its roster."""
    found = measure_inputs(
        DATA / "tickets.csv.gz", load_scenario(DATA / "scenario.toml"), roster=DATA / "roster.csv.gz"
    )
    reopened = [found.of("reopened", queue) for queue in found.queues]
    assert sum(f.value * f.n for f in reopened) / sum(f.n for f in reopened) == pytest.approx(0.06, abs=0.005)
    for queue in found.queues:
        assert found.of("handle_cv2", queue).low < 0.9**2 < found.of("handle_cv2", queue).high * 1.05
        assert found.of("reopened_work", queue).low < 0.55
        assert found.of("concurrency", queue).value == 1  # the agent's time is taken in one piece
    rows = pd.read_csv(DATA / "roster.csv.gz", parse_dates=["start", "end"])
    hours = (pd.to_datetime(rows["end"], utc=True) - pd.to_datetime(rows["start"], utc=True)).dt.total_seconds()
    away = hours[rows["state"] != "available"].sum() / hours.sum()
    assert found.of("shrinkage").value == pytest.approx(away, abs=0.01)  # the last 52 weeks of 60


def test_the_bank_is_measured_as_published(shared_data):
    """The bank's calls take 181 s, one at a time, and its customers give up after 355 s on average."""
    folder = present(shared_data, "anonymous_bank_1999")
    scenario = Scenario().with_options({
        "zone": "Asia/Jerusalem", "closed_arrivals": "lost", "columns": {"queue": "channel"},
        "hours": {"sun-thu": "07:00-24:00", "fri": "07:00-14:00", "sat": "19:00-24:00"},
    })  # fmt: skip
    found = measure_inputs(folder / "anonymous_bank_1999" / "calls_1999-01_1999-02.csv.gz", scenario)
    assert found.of("aht", "phone").value == pytest.approx(181, abs=1)
    assert found.of("patience", "phone").value == pytest.approx(355, abs=2)
    assert found.of("patience_shape", "phone").high < 1
    assert found.of("concurrency", "phone").value == 1


def test_the_chats_are_measured(shared_data):
    """Of the chats: first replies 7 s after assignment at the median, 15 min each, hardly two at once in the sample."""
    folder = present(shared_data, "chat_support_2021-02")
    options = {"zone": "Asia/Kolkata", "hours": "always", "columns": {"assigned_at": "agent_assigned_at"}}
    found = measure_inputs(folder / "chat_support_2021-02" / "chats.csv.gz", Scenario().with_options(options))
    assert found.of("first_reply", "all", "median").value == 7
    assert found.of("first_reply", "all").n == 3722
    assert found.of("in_hand_mean", "all").value == pytest.approx(1.02, abs=0.01)
    assert 'aht = "15m2s"' in measured_scenario(found, Scenario(), options, log="chats")
