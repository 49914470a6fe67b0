"""Logs counted and measured in their files say what the road in memory says, and refuse what it refuses."""

import datetime as dt
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from staffcast.calendars import calendars_for_log
from staffcast.cli import main
from staffcast.contracts import Calendar, InputError, Target
from staffcast.counting import count_log, measure_log
from staffcast.plan import kpi_table, take_in
from staffcast.scenario import Scenario
from staffcast.tickets import count, read_log
from staffcast.tickets.large import open_large
from staffcast.tickets.large_count import count_large
from staffcast.tickets.large_file import find_large
from staffcast.utilization import kpis
from staffcast.utilization.large import kpis_large

ZONE = "Europe/Berlin"
SAMPLE = Path(__file__).resolve().parents[2] / "data" / "tickets.csv.gz"
HOURS = {"mon-fri": "08:00-12:00, 13:00-18:00", "sat": "22:00-02:00"}


def desk(rows: int, seed: int) -> pd.DataFrame:
    """Tickets over the hour that autumn repeats, with everything that can be unknown unknown now and then."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2025-10-13", tz="UTC")
    created = (start + pd.to_timedelta(rng.random(rows) * 20 * 86_400 * 1e6 // 1, unit="us")).as_unit("us")
    offered = created + pd.to_timedelta(rng.integers(-5, 300, rows), unit="s")
    response = offered + pd.to_timedelta((rng.exponential(4000, rows) * 1e6).round() / 1e6 - 3, unit="s").round("us")
    resolved = response + pd.to_timedelta(rng.exponential(9000, rows).round(3), unit="s")
    fate = rng.choice(["answered", "abandoned", "bot_closed", "open", "phantom"], rows, p=[0.6, 0.1, 0.15, 0.1, 0.05])

    def some(values, share):
        return pd.Series(values).mask(rng.random(rows) < share)

    frame = pd.DataFrame({
        "ticket_id": [f"T{k}" for k in rng.permutation(rows)],
        "created_at": created,
        "offered_at": some(offered, 0.1),
        "first_response_at": some(response, 0.2),
        "resolved_at": some(np.maximum(resolved, created), 0.1),
        "queue": rng.choice(["it's", "b", "c"], rows),
        "agent": some(rng.choice(["x", "y"], rows), 0.3),
        "handle_s": some(rng.gamma(2, 100, rows).round(2), 0.3),
        "wait_s": some(rng.exponential(100, rows).round(1), 0.8),
        "reopens": some(rng.integers(0, 3, rows).astype(float), 0.2),
        "csat": some(rng.integers(1, 6, rows).astype(float), 0.6),
        "outcome": some(fate, 0.1),
    })  # fmt: skip
    for column in ("created_at", "offered_at", "first_response_at", "resolved_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True).dt.tz_convert(ZONE).dt.as_unit("us")
    return frame


def both(path, frame_or_path=None, **more):
    """The log in memory, and the same in its file."""
    file = find_large(path, rows=1)
    assert file is not None
    return read_log(frame_or_path if frame_or_path is not None else path, **more), open_large(file, **more)


def same(large, plain):
    """The same counts; other numbers up to rounding, which of seconds since 1970 is a tenth of a microsecond."""
    whole = [c for c in plain if c in ("y", "volume", "offered", "answered", "abandoned", "unanswered", "csat_answers")]
    pd.testing.assert_frame_equal(large[whole], plain[whole])
    pd.testing.assert_frame_equal(large, plain, rtol=1e-9, atol=1e-6)


def calendars(queues):
    """Hours, a closed day, and one queue that never closes."""
    own = Calendar.parse(ZONE, HOURS).closed([dt.date(2025, 10, 21)])
    return {queue: Calendar(zone=ZONE) if k == 0 else own for k, queue in enumerate(queues)}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_random_logs_come_out_as_in_memory(tmp_path, seed, ending):
    """Counts are equal and KPIs too, by every cut and both clocks, also up to an instant in the middle."""
    frame, path = desk(3000, seed), tmp_path / f"log.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    else:
        text = frame.copy()
        for column in ("created_at", "offered_at", "first_response_at", "resolved_at"):
            text[column] = [None if pd.isna(t) else t.isoformat() for t in text[column]]
        text.to_csv(path, index=False)
    for more in ({}, {"until": pd.Timestamp("2025-10-28 11:11"), "since": pd.Timestamp("2025-10-15")}):
        plain, opened = both(path, zone=ZONE, **more)
        own = calendars(plain.queues)
        target = {plain.queues[1]: Target.share(0.8, within_s=600)}
        with opened as large:
            assert (large.queues, large.end) == (plain.queues, plain.end)
            for minutes in (15, 60):
                same(count_large(large, own, minutes=minutes), count(plain, own, minutes=minutes))
            for by in ((), ("queue",), ("agent", "hour"), ("weekday",), ("day",), ("week", "queue"), ("month",)):
                for clock in ("business", "calendar"):
                    same(
                        kpis_large(large, own, by=by, clock=clock, target=target),
                        kpis(plain, own, by=by, clock=clock, target=target),
                    )


def test_the_sample_comes_out_as_in_memory():
    """data/tickets.csv.gz: hours learnt, counts and KPIs are those of the road in memory."""
    scenario = Scenario(zone=ZONE, holidays="DE-BE")
    intake = take_in(SAMPLE, scenario)
    series, notes = count_log(SAMPLE, scenario, large_from=1)
    same(series, intake.series)
    assert set(intake.notes) <= set(notes)
    assert any("counted in their file" in note for note in notes)
    table, _ = measure_log(SAMPLE, scenario, by=["queue", "hour"], large_from=1)
    same(table, kpi_table(SAMPLE, scenario, by=["queue", "hour"])[0])


def test_a_log_in_parts_is_one_log(tmp_path):
    """A pattern over files in any order gives what the whole gives; nothing stays beside the output."""
    frame = desk(2000, 5)
    for k in range(4):
        frame.iloc[k::4].to_parquet(tmp_path / f"part-{k}.parquet")
    frame.to_parquet(tmp_path / "whole.parquet")
    scenario = Scenario(zone=ZONE)
    out = tmp_path / "out"
    parts, _ = count_log(str(tmp_path / "part-*.parquet"), scenario, beside=out / "series.csv")
    same(parts, take_in(tmp_path / "whole.parquet", scenario).series)
    assert list(out.iterdir()) == []


def test_small_logs_stay_in_memory(tmp_path):
    """Below the threshold no log is large, nor is an interval file or a frame."""
    desk(100, 1).to_parquet(tmp_path / "log.parquet")
    assert find_large(tmp_path / "log.parquet") is None
    assert find_large(desk(100, 1), rows=1) is None
    pd.DataFrame({"timestamp": ["2026-03-02T08:00Z"] * 9, "count": 1}).to_csv(tmp_path / "counts.csv", index=False)
    assert find_large(tmp_path / "counts.csv", rows=1) is None
    assert find_large(tmp_path / "nothing.csv") is None


SPOILT = {
    "no id": (lambda f: f.assign(ticket_id=f["ticket_id"].where(f.index != 3)), "ticket_id: is empty"),
    "twice": (lambda f: f.assign(ticket_id=f["ticket_id"].where(f.index != 3, "T7")), "ticket_id=T7 stands twice"),
    "early": (
        lambda f: f.assign(resolved_at=f["resolved_at"].mask(f.index == 3, f["created_at"] - pd.Timedelta(days=1))),
        "1 tickets resolved before they were created",
    ),
    "future": (
        lambda f: f.assign(resolved_at=f["resolved_at"].mask(f.index == 3, pd.Timestamp("2199-01-01", tz="UTC"))),
        "resolved_at: times lie in the future",
    ),
    "old": (lambda f: f.assign(created_at=f["created_at"] - pd.Timedelta(days=365 * 40)), "lie before 1990"),
    "negative": (lambda f: f.assign(handle_s=f["handle_s"].mask(f.index == 3, -1.0)), "handle_s: outside [0, inf)"),
    "endless": (lambda f: f.assign(handle_s=f["handle_s"].mask(f.index == 3, np.inf)), "handle_s: outside"),
    "rating": (lambda f: f.assign(csat=11.0), "csat: outside [1, 10]"),
    "halves": (lambda f: f.assign(reopens=0.5), "not whole"),
    "gap": (lambda f: f[(f["created_at"].dt.day < 14) | (f["created_at"].dt.day > 28)], "no ticket at all between"),
    "no offer": (lambda f: f.assign(offered_at=f["created_at"].where(f["csat"] > 99)), "no ticket ever reached"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_memory_refuses_is_refused_in_the_file(tmp_path, name):
    """Both roads raise the project's error; that of the file names file and column."""
    spoil, said = SPOILT[name]
    frame = spoil(desk(400, 3)).reset_index(drop=True)
    frame.to_parquet(tmp_path / "log.parquet")
    with pytest.raises(InputError):
        read_log(frame, zone=ZONE)
    with (
        pytest.raises(InputError, match=re.escape(said)) as caught,
        open_large(find_large(tmp_path / "log.parquet", rows=1), zone=ZONE),
    ):
        pass
    assert "log.parquet" in str(caught.value)


def test_bad_rows_can_be_left_out_of_both(tmp_path):
    """``bad_rows="drop"`` keeps the first of an id and leaves contradictions out, as in memory, and says how many."""
    frame = desk(600, 4)
    frame.loc[5, "resolved_at"] = frame.loc[5, "created_at"] - pd.Timedelta(hours=1)
    frame = pd.concat([frame, frame.iloc[:7].assign(queue="c")], ignore_index=True)
    frame.to_parquet(tmp_path / "log.parquet")
    plain, opened = both(tmp_path / "log.parquet", zone=ZONE, bad_rows="drop")
    own = calendars(plain.queues)
    with opened as large:
        same(count_large(large, own, minutes=60), count(plain, own, minutes=60))
        assert "7 tickets with an id that stands twice were left out" in large.notes
        assert any("resolved before they were created" in note for note in large.notes)


def test_wall_clock_and_odd_cells_go_the_careful_way(tmp_path):
    """A CSV without offsets, with decimal commas and semicolons is read as in memory; errors name the file's row."""
    frame = desk(500, 6)
    text = frame.drop(columns=["first_response_at", "resolved_at", "offered_at"]).assign(
        created_at=frame["created_at"].dt.tz_localize(None).dt.strftime("%Y-%m-%d %H:%M:%S"),
        handle_s=[None if pd.isna(v) else f"{v:.2f}".replace(".", ",") for v in frame["handle_s"]],
        wait_s=[None if pd.isna(v) else f"{v:.1f}".replace(".", ",") for v in frame["wait_s"]],
    )
    path = tmp_path / "log.csv"
    text.to_csv(path, index=False, sep=";")
    plain, opened = both(path, zone=ZONE)
    own = calendars(plain.queues)
    with opened as large:
        same(count_large(large, own, minutes=30), count(plain, own, minutes=30))
        same(kpis_large(large, own, by=["queue"]), kpis(plain, own, by=["queue"]))
    text.loc[250, "created_at"] = "My name is Ada"
    text.to_csv(path, index=False, sep=";")
    with pytest.raises(InputError, match="row 252: 'xx xxxx xx xxx'"), open_large(find_large(path, rows=1), zone=ZONE):
        pass


def test_hours_are_learnt_from_quarters_as_from_tickets(tmp_path):
    """Opening hours and closed holidays come out alike from a large log and from its tickets."""
    plain, opened = both(SAMPLE, zone=ZONE)
    scenario = Scenario(zone=ZONE, holidays="DE-BE")
    with opened as large:
        assert calendars_for_log(large, scenario) == calendars_for_log(plain, scenario)


def test_a_vendors_clock_and_unknown_cuts_are_refused(tmp_path):
    """What the road in the file cannot do it says, with what to do."""
    desk(300, 7).to_parquet(tmp_path / "log.parquet")
    with open_large(find_large(tmp_path / "log.parquet", rows=1), zone=ZONE) as large:
        own = calendars(large.queues)
        for options, said in (
            ({"clock": "zendesk"}, "--since"),
            ({"by": ["team"]}, "columns"),
            ({"by": ["x"]}, "`by`"),
        ):
            with pytest.raises(InputError, match=said):
                kpis_large(large, own, **options)


def test_the_commands_take_the_road_by_themselves(tmp_path, monkeypatch):
    """``count`` and ``kpi`` of a pattern print the same as of the whole, and note the road."""
    frame = desk(1500, 8)
    for k in range(2):
        frame.iloc[k::2].to_parquet(tmp_path / f"part-{k}.parquet")
    frame.to_parquet(tmp_path / "whole.parquet")
    for command in (["count"], ["kpi", "--by", "queue,month"]):
        asked = ["--zone", ZONE, "--hours", "mon-sun 00:00-24:00"]
        parts = CliRunner().invoke(main, [*command, str(tmp_path / "part-*.parquet"), *asked])
        whole = CliRunner().invoke(main, [*command, str(tmp_path / "whole.parquet"), *asked])
        assert (parts.exit_code, whole.exit_code) == (0, 0), parts.output + whole.output
        assert parts.stdout == whole.stdout
        assert "counted in their file" in parts.stderr
        assert "counted in their file" not in whole.stderr
