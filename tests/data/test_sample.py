"""The demonstration data is what its README says, and what its generator makes."""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.util
import sys
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from staffcast.contracts import ROSTER, TICKETS

DATA = Path(__file__).resolve().parents[2] / "data"
NAMES = ("tickets.csv", "roster.csv", "truth.csv")
ZONE = "Europe/Berlin"
START, END = pd.Timestamp("2024-08-19", tz=ZONE), pd.Timestamp("2025-10-13", tz=ZONE)


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("sample_generator", DATA / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def made(generator: ModuleType) -> dict[str, bytes]:
    return generator.make()


@pytest.fixture(scope="module")
def tickets() -> pd.DataFrame:
    frame = TICKETS.check(pd.read_csv(DATA / "tickets.csv.gz"), file="tickets.csv.gz")
    times = ["created_at", "offered_at", "first_response_at", "resolved_at"]
    return frame.assign(**{name: frame[name].dt.tz_convert(ZONE) for name in times})


@pytest.fixture(scope="module")
def roster() -> pd.DataFrame:
    frame = ROSTER.check(pd.read_csv(DATA / "roster.csv.gz"), file="roster.csv.gz")
    frame = frame.assign(**{name: frame[name].dt.tz_convert(ZONE) for name in ("start", "end")})
    return frame.assign(seconds=(frame["end"] - frame["start"]).dt.total_seconds())


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    frame = pd.read_csv(DATA / "truth.csv.gz")
    return frame.assign(ds=pd.to_datetime(frame["ds"], utc=True).dt.tz_convert(ZONE))


@pytest.fixture(scope="module")
def hourly(tickets: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Per queue and hour of the log, the outage day left out: what came (n) and what was expected (m)."""
    human = tickets[tickets["offered_at"].notna()]
    came = human.groupby(["queue", human["created_at"].dt.tz_convert("UTC").dt.floor("h")]).size()
    inside = truth[truth["ds"] < END]
    keys = pd.MultiIndex.from_arrays([inside["unique_id"], inside["ds"].dt.tz_convert("UTC")])
    frame = inside.assign(n=came.reindex(keys, fill_value=0).to_numpy(), m=inside["rate_per_hour"])
    frame = frame.assign(date=frame["ds"].dt.date, hour=frame["ds"].dt.hour)
    return frame[frame["date"] != dt.date(2025, 5, 14)]


def between(frame: pd.DataFrame, first: str, last: str) -> pd.DataFrame:
    return frame[(frame["ds"] >= pd.Timestamp(first, tz=ZONE)) & (frame["ds"] < pd.Timestamp(last, tz=ZONE))]


@pytest.mark.parametrize("name", NAMES)
def test_regenerated_text_is_the_text_that_stands_here(generator, made, name):
    """Running the generator gives every byte of the data again."""
    assert generator.unpack((DATA / f"{name}.gz").read_bytes()) == made[name]


@pytest.mark.skipif("ng" in zlib.ZLIB_RUNTIME_VERSION, reason="zlib-ng packs the same text into other bytes")
@pytest.mark.parametrize("name", NAMES)
def test_regenerated_file_is_the_file_that_stands_here(generator, made, name):
    """With zlib the packed files come out byte for byte too."""
    assert generator.pack(made[name]) == (DATA / f"{name}.gz").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_packed_files_hold_no_time_and_no_name(name):
    """The gzip header has no flag set and its time is zero."""
    assert (DATA / f"{name}.gz").read_bytes()[:8] == b"\x1f\x8b\x08" + bytes(5)


def test_checksums_are_those_of_the_files():
    """SHA256SUMS names each data file with its checksum."""
    lines = [f"{hashlib.sha256((DATA / f'{name}.gz').read_bytes()).hexdigest()}  {name}.gz" for name in NAMES]
    assert (DATA / "SHA256SUMS").read_text(encoding="ascii").splitlines() == lines


def test_check_names_the_file_that_differs(generator, made, monkeypatch, tmp_path, capsys):
    """``--check`` passes on the generator's own files, and exits with 1 naming the one that was changed."""
    monkeypatch.setattr(generator, "make", lambda: made)
    assert generator.main(["--out", str(tmp_path)]) == 0
    assert generator.main(["--out", str(tmp_path), "--check"]) == 0
    (tmp_path / "roster.csv.gz").write_bytes(generator.pack(made["roster.csv"].replace(b"break", b"pause", 1)))
    capsys.readouterr()
    assert generator.main(["--out", str(tmp_path), "--check"]) == 1
    said = capsys.readouterr().out
    assert "roster.csv.gz" in said
    assert "tickets" not in said


def test_another_seed_makes_another_log(generator):
    """The seed decides the draws: two seeds give two Poisson processes."""
    rate = generator.true_rate(generator.QUEUES[2])
    one, same, other = (generator.arrivals(rate, generator.Streams(seed)("arrivals")) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one[:100], other[:100])


def test_data_is_small():
    """All files of the folder together take at most 6 MB, the ticket log at most 4.5 MB."""
    assert sum(path.stat().st_size for path in DATA.iterdir() if path.is_file()) <= 6_000_000
    assert (DATA / "tickets.csv.gz").stat().st_size <= 4_500_000


def test_log_spans_sixty_weeks(tickets):
    """Tickets are created from the first to the last day of the sixty weeks, in the order of their ids."""
    assert tickets["created_at"].is_monotonic_increasing
    assert tickets["ticket_id"].is_monotonic_increasing
    assert START <= tickets["created_at"].min() < START + pd.Timedelta(days=1)
    assert END - pd.Timedelta(days=1) < tickets["created_at"].max() < END


def test_nothing_happens_after_the_end(tickets, roster):
    """No instant of the log or the roster is later than the end of the log."""
    for name in ("created_at", "offered_at", "first_response_at", "resolved_at"):
        assert tickets[name].max() < END
    assert roster["end"].max() <= END


def test_tickets_are_left_unanswered_at_the_end(tickets):
    """The last day leaves tickets that wait for a first response; they are open and know no end."""
    waiting = tickets[
        tickets["offered_at"].notna() & tickets["first_response_at"].isna() & (tickets["outcome"] == "open")
    ]
    assert len(waiting) >= 20
    assert waiting["resolved_at"].isna().all()
    assert waiting["agent"].isna().all()
    assert (waiting["created_at"] > END - pd.Timedelta(days=3)).all()
    assert (waiting["created_at"] > END - pd.Timedelta(days=1)).any()


def test_open_means_without_an_end(tickets):
    """Exactly the tickets of outcome open have no end; a few of them were answered and reopened."""
    answered = (tickets["outcome"] == "open") & tickets["first_response_at"].notna()
    assert answered.any()
    assert (tickets.loc[answered, "reopens"] > 0).any()
    assert ((tickets["outcome"] == "open") == tickets["resolved_at"].isna()).all()


def test_steps_come_in_order(tickets):
    """Created ≤ offered ≤ first response ≤ resolved wherever both are known."""
    steps = ["created_at", "offered_at", "first_response_at", "resolved_at"]
    for i, earlier in enumerate(steps):
        for later in steps[i + 1 :]:
            assert not (tickets[later] < tickets[earlier]).any(), (earlier, later)


def test_outcomes_agree_with_their_columns(tickets):
    """The bot's and the abandoned tickets have no agent, the answered have agent, response and handle time."""
    answered = tickets[tickets["outcome"] == "answered"]
    assert answered[["agent", "offered_at", "first_response_at", "handle_s"]].notna().all().all()
    others = tickets[tickets["outcome"].isin(["bot_closed", "abandoned"])]
    assert others[["agent", "first_response_at", "handle_s", "csat"]].isna().all().all()
    assert tickets.loc[tickets["outcome"] == "bot_closed", "offered_at"].isna().all()
    assert 0.30 <= (tickets["outcome"] == "bot_closed").mean() <= 0.35
    assert 0.01 <= (tickets["outcome"] == "abandoned").mean() <= 0.06


def test_resolution_holds_the_handling(tickets):
    """No ticket is resolved before its handling could have been done."""
    done = tickets[tickets["outcome"] == "answered"]
    spent = (done["resolved_at"] - done["first_response_at"]).dt.total_seconds()
    assert (spent >= done["handle_s"] - 40).all()  # the first reply itself, at most 40 s, is part of the handling


def test_roster_stretches_do_not_overlap(roster):
    """Each stretch of an agent is longer than nothing and begins no earlier than the one before ends."""
    assert (roster["seconds"] > 0).all()
    inside = roster.sort_values(["agent", "start"])
    before = inside.groupby("agent")["end"].shift()
    assert not (inside["start"] < before).any()
    assert set(roster["state"]) == {"available", "break", "training", "meeting", "absent"}


def test_agents_answer_only_while_available(tickets, roster):
    """Each first response lies in a stretch in which its agent is available, in the agent's own queue."""
    answers = tickets[tickets["first_response_at"].notna()].sort_values("first_response_at")
    stretches = roster.sort_values("start").rename(columns={"queue": "home"})
    joined = pd.merge_asof(answers, stretches, left_on="first_response_at", right_on="start", by="agent")
    assert (joined["state"] == "available").all()
    assert (joined["first_response_at"] < joined["end"]).all()
    assert (joined["home"] == joined["queue"]).all()


def test_agents_handle_one_ticket_at_a_time(tickets, roster):
    """Within each available stretch the handling of the tickets answered in it fits into the stretch."""
    answers = tickets[tickets["first_response_at"].notna()].sort_values("first_response_at")
    stretches = roster.sort_values("start").drop(columns="queue")
    joined = pd.merge_asof(answers, stretches, left_on="first_response_at", right_on="start", by="agent")
    work = joined.groupby(["agent", "start"]).agg(handle=("handle_s", "sum"), seconds=("seconds", "first"))
    assert (work["handle"] <= work["seconds"]).all()


def test_public_holidays_are_closed(generator, tickets, roster):
    """On a public holiday nobody is rostered and nobody answers, but customers write."""
    days = set(generator.HOLIDAYS)
    assert not roster["start"].dt.date.isin(days).any()
    assert not tickets["first_response_at"].dt.date.isin(days).any()
    assert tickets["created_at"].dt.date.isin(days).any()


def test_team_grows_from_25_to_40(roster):
    """25 agents are on the roster in the first week, 40 in the last, and more around Christmas than before."""
    week = (roster["start"].dt.tz_localize(None) - START.tz_localize(None)).dt.days // 7
    heads = roster.groupby(week)["agent"].nunique()
    assert heads.iloc[0] == 25
    assert heads.iloc[-1] == 40
    assert heads.loc[15] >= heads.loc[12] + 4


def test_occupancy_and_shrinkage_are_those_of_a_help_desk(tickets, roster):
    """Handling fills 75–88 % of the available time, and 26–32 % of the paid time is not available."""
    hours = roster.groupby("state")["seconds"].sum()
    assert 0.75 <= tickets["handle_s"].sum() / hours["available"] <= 0.88
    assert 0.26 <= 1 - hours["available"] / hours.sum() <= 0.32


def test_truth_is_hourly_to_four_weeks_after_the_log(truth):
    """Each queue has every hour once, from the start of the log to 2025-11-10."""
    hours = pd.date_range(START, pd.Timestamp("2025-11-10", tz=ZONE), freq="h", inclusive="left")
    for _, rows in truth.groupby("unique_id"):
        assert pd.DatetimeIndex(rows["ds"]).equals(hours.rename("ds"))
        assert (rows["rate_per_hour"] > 0).all()


def test_truth_grows_by_a_fifth_a_year(truth):
    """An hour 52 weeks later has 1.2^(364/365.25) times the rate, holidays apart."""
    wide = truth.pivot_table(index="ds", columns="unique_id", values="rate_per_hour").tz_localize(None)
    busy = wide.loc["2024-09-02":"2024-09-29"]
    later = wide.loc["2025-09-01":"2025-09-28"]
    ratio = (later.to_numpy() / busy.to_numpy())[busy.to_numpy() > 5]
    assert np.allclose(ratio, 1.2 ** (364 / 365.25), rtol=0.001)


def test_volume_grows_by_a_fifth_a_year(hourly):
    """What came in the last eight weeks is about 1.2 times what came 52 weeks before."""
    now, then = between(hourly, "2025-08-18", "2025-10-13"), between(hourly, "2024-08-19", "2024-10-14")
    # The busyness of 48 days, correlated from day to day, leaves each sum a relative sd of about 2.5 %.
    assert now["n"].sum() / then["n"].sum() == pytest.approx(1.2, abs=0.11)


def test_season_peaks_before_christmas(hourly):
    """Rates of 9–20 December are 1.30 times those of four weeks before, growth apart, and the log follows."""
    now, then = between(hourly, "2024-12-09", "2024-12-21"), between(hourly, "2024-11-11", "2024-11-23")
    growth = 1.2 ** (28 / 365.25)
    assert now["m"].sum() / then["m"].sum() == pytest.approx(1.30 * growth, rel=0.005)
    assert now["n"].sum() / then["n"].sum() == pytest.approx(1.30 * growth, abs=0.2)


def test_outage_silences_the_channel_and_is_made_up_in_part(generator, tickets, truth):
    """Nobody writes or is answered while the channel is down, and the two hours after bring more than the rate says."""
    down, up = (pd.Timestamp(f"2025-05-14 {clock}", tz=ZONE) for clock in ("10:10", "13:25"))
    for name in ("created_at", "first_response_at"):
        assert not ((tickets[name] >= down) & (tickets[name] < up)).any()
    human = tickets.loc[tickets["offered_at"].notna(), "created_at"]
    n = ((human >= up) & (human < up + pd.Timedelta(hours=2))).sum()
    bins = (generator.GRID - int(up.timestamp())) // generator.BIN
    after = (bins >= 0) & (bins < 2 * 12)
    missed = (bins < 0) & (bins >= -(3 * 12 + 3))
    rates = [generator.true_rate(queue) / 12 for queue in generator.QUEUES]
    usual = sum(rate[after].sum() for rate in rates)
    surge = sum(rate[missed].sum() for rate in rates) / 3
    assert n == pytest.approx(usual + surge, abs=4 * np.sqrt(usual + surge + (0.14 * usual) ** 2))
    assert n > usual + 0.3 * surge


def test_clock_changes_are_in_the_data(tickets, truth):
    """The spring day has 23 hours and none at two o'clock, the autumn day has 25 with two at two o'clock."""
    one = truth[truth["unique_id"] == "orders"]
    hours = one.groupby(one["ds"].dt.date)["ds"].count()
    assert hours[dt.date(2025, 3, 30)] == 23
    assert hours[dt.date(2024, 10, 27)] == hours[dt.date(2025, 10, 26)] == 25
    assert set(hours.drop([dt.date(2025, 3, 30), dt.date(2024, 10, 27), dt.date(2025, 10, 26)])) == {24}
    raw = pd.read_csv(DATA / "tickets.csv.gz", usecols=["created_at"])["created_at"]
    assert set(raw[raw.str.startswith("2025-03-29")].str[-6:]) == {"+01:00"}
    assert set(raw[raw.between("2025-03-30T03", "2025-03-31")].str[-6:]) == {"+02:00"}
    assert not raw.str.startswith("2025-03-30T02").any()
    assert set(raw[raw.str.startswith("2024-10-26")].str[-6:]) == {"+02:00"}
    assert set(raw[raw.between("2024-10-27T03", "2024-10-28")].str[-6:]) == {"+01:00"}


@pytest.mark.parametrize("name", NAMES)
def test_written_offsets_are_those_of_the_zone(made, name):
    """Every seventh time, as written, equals the same instant written by the zone database."""
    texts = pd.Series([row.split(",")[1] for row in made[name].decode().splitlines()[1::7]])
    local = pd.to_datetime(texts, utc=True).dt.tz_convert(ZONE)
    assert (local.map(lambda t: t.isoformat()) == texts).all()


def test_days_vary_more_than_poisson(generator, hourly):
    """The day counts' variance above Poisson is that of the stated day and hour factors."""
    day = hourly.groupby(["unique_id", "date"])[["n", "m"]].sum()
    day = day[day["m"] > 25]
    found = ((day["n"] - day["m"]) ** 2 - day["m"]).sum() / (day["m"] ** 2).sum()
    # The hour factors of a day do not average out entirely: sum over the pairs of hours, by their weights.
    profile = hourly[hourly["unique_id"] == "orders"].groupby("hour")["m"].mean().to_numpy()
    weight = profile / profile.sum()
    apart = np.abs(np.subtract.outer(np.arange(24), np.arange(24)))
    hours = generator.HOUR_CV**2 * float(weight @ generator.HOUR_RHO**apart @ weight)
    assert np.sqrt(found) == pytest.approx(np.sqrt(generator.DAY_CV**2 + hours), rel=0.15)
    assert found > 0.5 * generator.DAY_CV**2


def test_hours_of_a_day_move_together(generator, hourly):
    """Neighbouring hours share the day's factor and part of the hour's; hours far apart share the day's only."""
    busy = hourly[hourly["m"] > 4]
    residual = busy.assign(z=(busy["n"] - busy["m"]) / busy["m"])
    wide = residual.pivot_table(index=["unique_id", "date"], columns="hour", values="z")

    def covariance(lags: range) -> float:
        pairs = pd.concat([wide[h] * wide[h + lag] for lag in lags for h in wide.columns if h + lag in wide.columns])
        return float(pairs.mean())

    near, far = covariance(range(1, 2)), covariance(range(5, 9))
    assert far == pytest.approx(generator.DAY_CV**2, rel=0.35)
    assert near - far == pytest.approx(generator.HOUR_RHO * generator.HOUR_CV**2, rel=0.7)


def test_days_follow_each_other_and_queues_move_together(generator, hourly):
    """Busy days come in runs, and part of the busyness is common to all queues."""
    day = hourly.groupby(["unique_id", "date"])[["n", "m"]].sum()
    day = day[day["m"] > 25]
    z = ((day["n"] - day["m"]) / day["m"]).unstack("unique_id").dropna()
    z.index = pd.DatetimeIndex(z.index)
    next_day = z["orders"].reindex(z.index + pd.Timedelta(days=1)).to_numpy()
    assert np.nanmean(z["orders"] * next_day) == pytest.approx(generator.DAY_RHO * generator.DAY_CV**2, rel=0.6)
    together = z.cov().to_numpy()[np.triu_indices(3, 1)].mean()
    assert together == pytest.approx(generator.DAY_COMMON * generator.DAY_CV**2, rel=0.5)


def test_a_tenth_to_a_seventh_comes_while_closed(generator, tickets):
    """About 12 % of the conversations begin outside the opening hours of their queue."""
    local = tickets["created_at"].dt.tz_localize(None)
    minute = (local.dt.hour * 60 + local.dt.minute).to_numpy()
    dates = local.dt.date
    opened = np.zeros(len(tickets), dtype=bool)
    for queue in generator.QUEUES:
        windows = {day: queue.window(day) or (0, 0) for day in set(dates)}
        first, last = (dates.map(lambda day, k=k, w=windows: w[day][k]).to_numpy() for k in (0, 1))
        opened |= (tickets["queue"] == queue.name).to_numpy() & (minute >= first) & (minute < last)
    assert 0.10 <= 1 - opened.mean() <= 0.15


def test_urgent_tickets_wait_less(tickets):
    """In the middle of working days each of the four priorities waits clearly longer than the one before."""
    offered = tickets["offered_at"]
    answered = tickets["first_response_at"].dt.date == offered.dt.date
    day = tickets[answered & offered.dt.hour.between(10, 15) & (offered.dt.day_of_week < 5)]
    wait = (day["first_response_at"] - day["offered_at"]).dt.total_seconds()
    mean = wait.groupby(day["priority"].astype(int)).mean()
    assert list(mean.index) == [1, 2, 3, 4]
    # First come first served would leave a few per cent between them, by chance.
    assert (mean.to_numpy()[1:] > 1.15 * mean.to_numpy()[:-1]).all()


def test_handling_has_the_stated_mean_and_spread(generator, tickets):
    """Handle times have about the stated mean of their queue and a coefficient of variation near 0.9."""
    for queue in generator.QUEUES:
        handle = tickets.loc[tickets["queue"] == queue.name, "handle_s"].dropna()
        assert handle.mean() == pytest.approx(queue.handle_s, rel=0.06)
        assert handle.std() / handle.mean() == pytest.approx(0.9, abs=0.08)


def test_ratings_fall_with_the_wait(tickets):
    """A quarter of the answered customers rate, and those who waited over half an hour rate lower."""
    answered = tickets[tickets["outcome"] == "answered"]
    assert answered["csat"].notna().mean() == pytest.approx(0.25, abs=0.01)
    wait = (answered["first_response_at"] - answered["offered_at"]).dt.total_seconds()
    assert answered.loc[wait > 1800, "csat"].mean() < answered.loc[wait < 60, "csat"].mean() - 0.4


def test_some_customers_write_often(tickets):
    """The busiest hundredth of the customers write at least a twentieth of the tickets, most write a few."""
    count = tickets["customer_id"].value_counts()
    assert count.iloc[: len(count) // 100].sum() >= 0.05 * len(tickets)
    assert count.median() <= 5


def test_six_in_a_hundred_are_reopened(tickets):
    """About 6 % of the answered tickets are reopened once or twice, and they stay open far longer."""
    answered = tickets[tickets["outcome"] == "answered"]
    again = answered["reopens"] > 0
    assert again.mean() == pytest.approx(0.06, abs=0.006)
    assert set(answered["reopens"]) == {0, 1, 2}
    lasted = (answered["resolved_at"] - answered["first_response_at"]).dt.total_seconds()
    assert lasted[again].median() > 5 * lasted[~again].median()
