"""Overrides: read as planners write them, applied against a loop over minutes, judged against what came."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, frame, grid
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import DEMAND, InputError
from staffcast.contracts.files import read_table, write_table
from staffcast.forecast import Demand
from staffcast.forecast.hindsight.accuracy import judge
from staffcast.forecast.hindsight.ledger import Ledger, Override, apply_ledger, read_ledger

HEAD = "start,end,queue,factor,add,reason,author,entered\n"
TOML = "[[override]]\nstart=2025-06-02\nend=2025-06-02\nqueue='a'\nreason='a'\nauthor='a'\n"
LEVELS = {"q10": 0.10, "q50": 0.50, "q97.5": 0.975}


def at(text, zone=BERLIN):
    return pd.Timestamp(text, tz=zone)


def entry(start, end, *, queue="orders", **change):
    return Override(start=at(start), end=at(end), queue=queue, reason="campaign", author="Ana", **change)


def demand(means, *, days=2, start="2025-06-02", minutes=60, cv=0.2, opened=None):
    ds = grid(days, start=start, minutes=minutes)
    parts = []
    for queue, mean in means.items():
        part = frame(ds, 0.0, queue).drop(columns="y").assign(mean=mean, rate_cv=cv)
        part["open"] = True if opened is None else opened
        part["carried"] = np.where(part["open"], 0.25 * part["mean"], 0.0)
        parts.append(part.assign(q10=-1.0, q50=-1.0, **{"q97.5": -1.0}))
    return Demand.from_frame(pd.concat(parts, ignore_index=True))


def bumpy(days=2, minutes=60, seed=1):
    return np.random.default_rng(seed).uniform(0, 40, len(grid(days, minutes=minutes)))


def read(tmp_path, text, name="overrides.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_ledger(path, zone=BERLIN)


def test_csv_and_toml_say_the_same(tmp_path):
    """The same entries, as a spreadsheet's rows and as TOML tables, make equal ledgers in the same order."""
    csv = HEAD + (
        '2025-06-02,2025-06-03,orders,1.2,,"mail, second wave",Ana,2025-05-28\n'
        ",,,,,,,\n"
        "2025-06-05T09:00,2025-06-05T12:00,*,,-30,fair,Bo,2025-05-28T10:15:00+02:00\n"
    )
    toml = """
        [[override]]
        start = 2025-06-02
        end = 2025-06-03
        queue = "orders"
        factor = "+20%"
        reason = "mail, second wave"
        author = "Ana"
        entered = 2025-05-28
        [[override]]
        start = 2025-06-05T09:00:00
        end = "2025-06-05 12:00"
        queue = "*"
        add = -30
        reason = "fair"
        author = "Bo"
        entered = 2025-05-28T08:15:00Z
    """
    made = read(tmp_path, csv)
    assert made == read(tmp_path, toml, "overrides.toml")
    assert [one.queue for one in made.overrides] == ["orders", "*"]
    assert made.overrides[0].factor == 1.2
    assert (made.overrides[1].start, made.overrides[1].end) == (at("2025-06-05 09:00"), at("2025-06-05 12:00"))


def test_a_ledger_from_a_spreadsheet_with_semicolons_and_decimal_commas(tmp_path):
    """Excel's European CSV is read: 1,25 is a factor of one and a quarter."""
    text = "start;end;queue;factor;reason;author\n2025-06-02;2025-06-02;orders;1,25;fair;Ana\n"
    assert read(tmp_path, text).overrides[0].factor == 1.25


@pytest.mark.parametrize(
    ("start", "end", "hours", "first"),
    [
        ("2025-06-02", "2025-06-02", 24, "2025-06-02T00:00+02:00"),
        ("2025-06-02", "2025-06-04", 72, "2025-06-02T00:00+02:00"),
        ("2025-03-30", "2025-03-30", 23, "2025-03-30T00:00+01:00"),
        ("2025-10-26", "2025-10-26", 25, "2025-10-26T00:00+02:00"),
        ("2025-06-02T22:00", "2025-06-03", 26, "2025-06-02T22:00+02:00"),
        ("2025-06-02", "2025-06-03T00:00", 24, "2025-06-02T00:00+02:00"),
        ("2025-06-02T09:00Z", "2025-06-02T13:00+02:00", 2, "2025-06-02T11:00+02:00"),
        ("2025-03-30T02:30", "2025-03-30T04:00", 1, "2025-03-30T03:00+02:00"),
        ("2025-10-26T02:00", "2025-10-26T03:00", 2, "2025-10-26T02:00+02:00"),
        ("2025-10-26T01:00", "2025-10-26T02:00", 1, "2025-10-26T01:00+02:00"),
    ],
)
def test_spans_are_local(tmp_path, start, end, hours, first):
    """Bare days are whole local days of 23 to 25 hours; skipped and double clock times are as the docs say."""
    (one,) = read(tmp_path, HEAD + f"{start},{end},orders,1.1,,fair,Ana,\n").overrides
    assert one.start == pd.Timestamp(first)
    assert one.end - one.start == pd.Timedelta(hours=hours)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("2025-06-02,2025-06-02,orders,,,fair,Ana,", r"row 2: exactly one of `factor` and `add`.*neither"),
        ("2025-06-02,2025-06-02,orders,1.1,5,fair,Ana,", r"row 2: exactly one.*both"),
        ("2025-06-02,2025-06-02,orders,-0.1,,fair,Ana,", r"`factor` must be in \[0, 100\], got -0.1"),
        ("2025-06-02,2025-06-02,orders,120,,fair,Ana,", r"`factor` must be in \[0, 100\], got 120"),
        ("2025-06-02,2025-06-02,orders,120%,,fair,Ana,", r'`factor` must be a relative change like "\+20%"'),
        ("2025-06-02,2025-06-02,orders,nan,,fair,Ana,", r"`factor` must be"),
        ("2025-06-02,2025-06-02,orders,,inf,fair,Ana,", r"`add` must be"),
        ("2025-06-02,2025-06-02,orders,,many,fair,Ana,", r"`add` must be a number, got 'many'"),
        ('2025-06-02,2025-06-02,orders,,"1,200",fair,Ana,', r"without thousands separators"),
        ("2025-06-02,2025-06-02,orders,1.1,,,Ana,", r"`reason` is empty"),
        ("2025-06-02,2025-06-02,orders,1.1,,fair,   ,", r"`author` is empty"),
        ("2025-06-02,2025-06-02,,1.1,,fair,Ana,", r"`queue` is empty; name one queue, or write \* for all"),
        (",2025-06-02,orders,1.1,,fair,Ana,", r"`start` is empty"),
        ("2.6.2025,2025-06-02,orders,1.1,,fair,Ana,", r"`start` must be a day like 2026-03-01.*'2.6.2025'"),
        ("2025-02-30,2025-06-02,orders,1.1,,fair,Ana,", r"`start` must be.*2025-02-30"),
        ("0001-01-01,2025-06-02,orders,1.1,,fair,Ana,", r"`start` must be"),
        ("2025-06-02,9999-12-31,orders,1.1,,fair,Ana,", r"`end` must be"),
        ("2025-06-03,2025-06-02,orders,1.1,,fair,Ana,", r"`end` must be after `start`"),
        ("2025-03-30T02:00,2025-03-30T03:00,orders,1.1,,fair,Ana,", r"summer time"),
        ("2025-06-02,2025-06-02,orders,1.1,,fair,Ana,yesterday", r"`entered` must be"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_place(tmp_path, line, says):
    """File, row, key, value and range of what is wrong are in the error."""
    with pytest.raises(InputError, match=says) as caught:
        read(tmp_path, HEAD + line + "\n")
    assert "overrides.csv, row 2" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("start,end,queue,faktor,reason,author\n", "a.csv", "unknown column `faktor`; did you mean `factor`"),
        ("start,end,queue,reason,author\na,b,c,d,e\n", "a.csv", "lacks factor or add"),
        ("start,end,factor\na,b,c\n", "a.csv", "lacks queue, reason, author"),
        ("", "a.csv", "empty"),
        ("[[overide]]\n", "a.toml", "unknown key `overide`; did you mean `override`"),
        ("override = 3\n", "a.toml", "one per override"),
        ("[[override]\n", "a.toml", "not valid TOML"),
        ("[[override]]\nstart = 2025-06-02\n", "a.toml", "override 1: `end` is empty"),
        (TOML.replace("start=2025-06-02", "start=12") + "add=1", "a.toml", "`start` must be a day"),
        (TOML.replace("queue='a'", "queue=7") + "add=1", "a.toml", "`queue` must be a text"),
        (TOML + "add=true", "a.toml", "`add` must be a number"),
        (TOML + "factor=[2]", "a.toml", "`factor` must be a number"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, name, says):
    """Unknown columns and keys, missing ones and broken files are named, with the file."""
    with pytest.raises(InputError, match=says) as caught:
        read(tmp_path, text, name)
    assert name in str(caught.value)


def test_files_that_are_not_there(tmp_path):
    """A missing ledger, CSV or TOML, is an input error; so is an unknown zone, or a Parquet file."""
    for name in ("no.csv", "no.toml"):
        with pytest.raises(InputError, match="no such file"):
            read_ledger(tmp_path / name, zone=BERLIN)
    with pytest.raises(InputError, match="zone"):
        read_ledger(tmp_path / "no.csv", zone="Mars")
    with pytest.raises(InputError, match="CSV or TOML"):
        read_ledger(tmp_path / "no.parquet", zone=BERLIN)


def test_the_same_entry_twice_is_a_mistake(tmp_path):
    """A row pasted twice would be applied twice: it is refused; with another reason it stands."""
    row = "2025-06-02,2025-06-02,orders,1.1,,fair,Ana,\n"
    with pytest.raises(InputError, match=r"overrides.csv: entries 1 and 2 are the same"):
        read(tmp_path, HEAD + row + row)
    assert len(read(tmp_path, HEAD + row + row.replace("fair", "second fair")).overrides) == 2


def test_an_empty_ledger_is_a_ledger(tmp_path):
    """Only a header, or TOML without tables: no overrides, and applied nothing changes but the new column."""
    made = demand({"orders": bumpy()})
    for ledger in (read(tmp_path, HEAD), read(tmp_path, "", "a.toml")):
        assert ledger == Ledger()
        out = apply_ledger(made, ledger)
        pd.testing.assert_frame_equal(out.frame.drop(columns="model_mean"), made.frame)
        assert out.frame["model_mean"].equals(made.frame["mean"].rename("model_mean"))
        assert out.why == {"orders": {"overrides": [], "notes": []}}


def test_records_come_back():
    """Plain records survive JSON and make an equal ledger again."""
    ledger = Ledger(overrides=(entry("2025-06-02", "2025-06-03", factor=0.5, entered=at("2025-05-01 10:00")),
                               entry("2025-06-02 08:15", "2025-06-02 09:00", queue="*", add=-3.25)))  # fmt: skip
    assert Ledger.from_records(json.loads(json.dumps(ledger.records())), zone=BERLIN) == ledger


def by_minutes(made, overrides):
    """Apply overrides minute by minute, in plain Python: a slow second route."""
    rows = made.frame.to_dict("records")
    mean = [row["mean"] for row in rows]
    length = made.minutes
    last = max(row["ds"] for row in rows) + pd.Timedelta(minutes=length)
    for one in overrides:
        share = []
        for row in rows:
            mine = row["open"] and one.queue in ("*", row["unique_id"])
            minutes = [row["ds"] + pd.Timedelta(minutes=m) for m in range(length)]
            share.append(sum(one.start <= m < one.end for m in minutes) / length if mine else 0)
        if one.factor is not None:
            mean = [m * (1 - s) + m * one.factor * s for m, s in zip(mean, share, strict=True)]
            continue
        span = (one.end - one.start).total_seconds()
        inside = (min(one.end, last) - max(one.start, rows[0]["ds"])).total_seconds() / span
        weight = [m * s for m, s in zip(mean, share, strict=True)]
        weight = weight if sum(weight) > 0 else share
        mean = [max(m + one.add * inside * w / sum(weight), 0) for m, w in zip(mean, weight, strict=True)]
    return mean


@pytest.mark.parametrize("minutes", [15, 60])
def test_applied_as_by_hand_minute_by_minute(minutes):
    """Overlapping factors and additions, cut intervals, closed hours, all queues: as a loop over minutes has it."""
    ds = grid(2, minutes=minutes)
    opened = np.asarray((ds.hour >= 7) & (ds.hour < 21))
    means = {q: np.where(opened, bumpy(minutes=minutes, seed=k), 0.0) for k, q in enumerate(("orders", "returns"))}
    made = demand(means, minutes=minutes, opened=opened)
    overrides = (
        entry("2025-06-02 09:10", "2025-06-02 15:05", factor=1.4),
        entry("2025-06-02 12:00", "2025-06-03 09:20", queue="*", add=55.0),
        entry("2025-06-01 00:00", "2025-06-03 00:00", queue="returns", add=-40.0),
        entry("2025-06-02 00:00", "2025-06-04 00:00", queue="*", factor=0.9),
        entry("2025-06-03 07:00", "2025-06-03 09:00", factor=0.0),
        entry("2025-06-03 07:00", "2025-06-03 08:20", add=12.0),
    )
    out = apply_ledger(made, Ledger(overrides=overrides))
    np.testing.assert_allclose(out.frame["mean"], by_minutes(made, overrides), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(out.frame["model_mean"], made.frame["mean"])
    assert (out.frame.loc[~out.frame["open"], "mean"] == 0).all()


@settings(max_examples=15, deadline=None)
@given(add=st.floats(0.01, 1e4), hour=st.integers(0, 40), minutes=st.integers(1, 480), everywhere=st.booleans())
def test_what_is_added_arrives(add, hour, minutes, everywhere):
    """Whatever the span inside the forecast, the tickets added are those asked for, in the forecast's proportions."""
    made = demand({"orders": bumpy() + 0.1, "returns": bumpy(seed=2) + 0.1})
    start = made.ds[0] + pd.Timedelta(hours=hour)
    queue = "*" if everywhere else "orders"
    one = entry("2025-06-02", "2025-06-03", queue=queue, add=add)
    one = Override(**{**vars(one), "start": start, "end": start + pd.Timedelta(minutes=minutes)})
    out = apply_ledger(made, Ledger(overrides=(one,)))
    extra = out.frame["mean"] - out.frame["model_mean"]
    assert extra.sum() == pytest.approx(add)
    assert sum(e["effect"] for why in out.why.values() for e in why["overrides"]) == pytest.approx(add)
    whole = (out.frame["ds"] >= one.start) & (out.frame["ds"] + pd.Timedelta(hours=1) <= one.end)
    ratio = (extra / out.frame["model_mean"])[whole & ((out.frame["unique_id"] == "orders") | everywhere)]
    assert ratio.empty or np.ptp(ratio) < 1e-9 * ratio.max()


@settings(max_examples=10, deadline=None)
@given(first=st.floats(0, 3), second=st.floats(0, 3))
def test_factors_multiply_in_any_order(first, second):
    """Two factors on one span are their product, whichever stands first; an addition before a factor is multiplied."""
    made = demand({"orders": bumpy()})
    one, two = (Override(**{**vars(entry("2025-06-02", "2025-06-03", factor=f)), "author": a})
                for f, a in ((first, "Ana"), (second, "Bo")))  # fmt: skip
    day = made.frame["ds"] < at("2025-06-03")
    results = [apply_ledger(made, Ledger(overrides=o)).frame["mean"][day] for o in ((one, two), (two, one))]
    np.testing.assert_allclose(results[0], made.frame["mean"][day] * first * second, atol=1e-9)
    np.testing.assert_allclose(results[0], results[1], atol=1e-9)
    more = entry("2025-06-02", "2025-06-03", add=100.0)
    total = made.frame["mean"][day].sum()
    for overrides, expected in (((more, one), (total + 100) * first), ((one, more), total * first + 100)):
        assert apply_ledger(made, Ledger(overrides=overrides)).frame["mean"][day].sum() == pytest.approx(expected)


def quantile_by_sum(mean, cv, level):
    """Least count whose cumulated negative binomial probability reaches the level, term by term."""
    shape = 1 / cv**2
    p = shape / (shape + mean)
    total, count = 0.0, -1
    while total < level:
        count += 1
        log = math.lgamma(count + shape) - math.lgamma(shape) - math.lgamma(count + 1)
        total += math.exp(log + shape * math.log(p) + count * math.log1p(-p))
    return count


def test_quantiles_follow_the_new_mean_where_it_changed():
    """Changed intervals have the quantiles of their new mean by summing probabilities, the others keep theirs."""
    made = demand({"orders": bumpy() + 1})
    out = apply_ledger(made, Ledger(overrides=(entry("2025-06-02 08:00", "2025-06-02 20:00", factor=1.5),))).frame
    changed = (out["ds"] >= at("2025-06-02 08:00")) & (out["ds"] < at("2025-06-02 20:00"))
    for column, level in LEVELS.items():
        expected = [quantile_by_sum(m, 0.2, level) for m in out["mean"][changed]]
        assert out[column][changed].tolist() == expected
        assert (out[column][~changed] == -1).all()


def test_what_waited_at_opening_changes_with_its_interval():
    """Carried tickets stay the same part of mean; the result is a demand again, whose sample paths have its mean."""
    made = demand({"orders": bumpy() + 1})
    ledger = Ledger(overrides=(entry("2025-06-02", "2025-06-03", factor=2.0),
                               entry("2025-06-03", "2025-06-04", factor=0.0)))  # fmt: skip
    out = apply_ledger(made, ledger)
    np.testing.assert_allclose(out.frame["carried"], 0.25 * out.frame["mean"])
    again = Demand.from_frame(out.frame)
    total = out.frame["mean"].sum()
    assert total == pytest.approx(2 * made.frame["mean"][:24].sum())
    paths = again.sample(200)[:, 0].sum(axis=1)
    assert abs(paths.mean() - total) < 4 * paths.std() / np.sqrt(200)


def test_an_override_of_an_unknown_queue_is_refused():
    """A misspelt queue is an error that lists the queues; nothing is applied."""
    ledger = Ledger(overrides=(entry("2025-06-02", "2025-06-03", queue="order", factor=2.0),))
    with pytest.raises(InputError, match=r"`queue` must be a queue of the forecast \(orders\) or \*, got 'order'"):
        apply_ledger(demand({"orders": bumpy()}), ledger)


def test_overrides_are_applied_once():
    """A demand that has overrides in it takes no second ledger."""
    ledger = Ledger(overrides=(entry("2025-06-02", "2025-06-03", factor=2.0),))
    with pytest.raises(InputError, match="overrides in it already"):
        apply_ledger(apply_ledger(demand({"orders": bumpy()}), ledger), ledger)


@pytest.mark.parametrize(
    ("one", "change", "says"),
    [
        (entry("2025-07-01", "2025-07-02", factor=2.0), 0.0, "lies outside the forecast"),
        (entry("2025-06-01", "2025-06-02", add=9.0), 0.0, "lies outside the forecast"),
        (entry("2025-06-02 00:00", "2025-06-02 05:00", add=9.0), 0.0, "no open interval"),
        (entry("2025-06-03 00:00", "2025-06-05 00:00", add=10.0), 5.0, "partly outside the forecast: +5.0"),
        (entry("2025-06-02 10:00", "2025-06-02 12:00", add=-50.0), -20.0, "takes off more than the forecast has: 20.0"),
        (entry("2025-06-02 19:00", "2025-06-02 20:00", factor=2.0), 0.0, "the forecast there is 0; use add"),
        (entry("2025-06-02 19:00", "2025-06-02 20:00", add=7.0), 7.0, None),
        (entry("2025-06-02 10:00", "2025-06-02 12:00", add=-5.0), -5.0, None),
    ],
)
def test_what_cannot_be_applied_wholly_is_noted(one, change, says):
    """Outside, closed, partly outside, more than there is: the change is what can be done, and a note says so."""
    hour = np.arange(48) % 24
    opened = (hour >= 8) & (hour < 20)
    made = demand({"orders": np.where(opened & (hour < 19), 10.0, 0.0)}, opened=opened)
    out = apply_ledger(made, Ledger(overrides=(one,)))
    assert (out.frame["mean"] - made.frame["mean"]).sum() == pytest.approx(change)
    notes = out.why["orders"]["notes"]
    assert (len(notes) == 1 and says in notes[0]) if says else notes == []
    assert sum(e["effect"] for e in out.why["orders"]["overrides"]) == pytest.approx(change)


def test_why_keeps_its_reasons_and_lists_the_entries():
    """Earlier reasons and notes stay; entries are plain values with the tickets before and after, per queue."""
    made = demand({"orders": np.full(48, 10.0), "returns": np.full(48, 30.0)})
    made = Demand(frame=made.frame, why={"orders": {"model": "glm", "notes": ["short"]}})
    ledger = Ledger(overrides=(entry("2025-06-02", "2025-06-03", factor=1.5),
                               entry("2025-06-02", "2025-06-03", queue="*", add=90.0)))  # fmt: skip
    why = apply_ledger(made, ledger).why
    assert (why["orders"]["model"], why["orders"]["notes"]) == ("glm", ["short"])
    assert [(e["entry"], e["tickets_before"], e["effect"]) for e in why["orders"]["overrides"]] == [
        (1, 240.0, 120.0), (2, 360.0, pytest.approx(30.0)),
    ]  # fmt: skip
    assert [(e["entry"], e["intervals"], e["effect"]) for e in why["returns"]["overrides"]] == [
        (2, 24, pytest.approx(60.0))
    ]
    assert json.loads(json.dumps(why))["returns"]["overrides"][0]["reason"] == "campaign"


def came(made, y):
    return made.frame[["unique_id", "ds"]].assign(offered=y)


def test_judged_by_hand():
    """Tickets and errors of a good and a bad override, worked out on paper; what came is unknown for one interval."""
    made = demand({"orders": np.full(48, 10.0)})
    ledger = Ledger(overrides=(entry("2025-06-02 08:00", "2025-06-02 12:00", factor=1.5),
                               entry("2025-06-03 08:00", "2025-06-03 10:00", add=-8.0),
                               entry("2025-07-03 08:00", "2025-07-03 10:00", add=-8.0)))  # fmt: skip
    y = np.full(48, 10.0)
    y[8:12] = [14, 16, 15, np.nan]
    out = judge(ledger, apply_ledger(made, ledger).frame, came(made, y)).set_index("entry")
    figures = ["intervals", "missing", "model", "with_override", "actual", "error_without", "error_with", "value_added"]
    assert out.loc["1", figures].tolist() == [3, 1, 30, 45, 45, 15, 2, 13]
    assert out.loc["2", figures].tolist() == [2, 0, 20, 12, 20, 0, 8, -8]
    assert out.loc["3", "intervals"] == 0
    assert np.isnan(out.loc["3", "value_added"])
    assert out.loc["all", figures].tolist() == [5, 1, 50, 57, 65, 15, 10, 5]
    assert out.loc["1", "reason"] == "campaign"


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(0, 6))
def test_what_each_entry_added_sums_to_all(seed, n):
    """However entries overlap, their values added sum to that of all together, after a trip through a file too."""
    rng = np.random.default_rng(seed)
    made = demand({"orders": bumpy(seed=seed), "returns": bumpy(seed=seed + 1)})
    overrides = []
    for k in range(n):
        start = made.ds[0] + pd.Timedelta(minutes=int(rng.integers(-300, 2500)))
        change = {"factor": rng.uniform(0, 3)} if rng.random() < 0.5 else {"add": rng.uniform(-200, 200)}
        overrides.append(
            Override(
                start=start, end=start + pd.Timedelta(minutes=int(rng.integers(1, 1500))), reason=f"r{k}", author="Ana",
                queue=str(rng.choice(["orders", "returns", "*"])), **change,
            )
        )  # fmt: skip
    ledger = Ledger(overrides=tuple(overrides))
    table = apply_ledger(made, ledger).frame
    y = rng.poisson(20, len(table)).astype(float)
    y[rng.random(len(y)) < 0.1] = np.nan
    out = judge(ledger, table, came(made, y))
    assert out["entry"].tolist() == [*map(str, range(1, n + 1)), "all"]
    assert out["value_added"].iloc[:-1].sum() == pytest.approx(np.nan_to_num(out["value_added"].iloc[-1]), abs=1e-9)


def test_judged_from_a_file(tmp_path):
    """A demand table that was written and read again is judged the same to its ten digits."""
    made = demand({"orders": bumpy(), "returns": bumpy(seed=3)})
    ledger = Ledger(overrides=(entry("2025-06-02 08:10", "2025-06-03", queue="*", factor=1.37),))
    table = apply_ledger(made, ledger).frame
    write_table(table, tmp_path / "demand.csv")
    actual = came(made, np.random.default_rng(4).poisson(table["mean"]))
    again = judge(ledger, read_table(tmp_path / "demand.csv", DEMAND), actual)
    pd.testing.assert_frame_equal(again, judge(ledger, table, actual), rtol=1e-8)


def test_only_its_own_demand_is_judged():
    """Without overrides, with another ledger's, or counted in other intervals there is no judging."""
    made = demand({"orders": bumpy()})
    ledger = Ledger(overrides=(entry("2025-06-02", "2025-06-03", factor=1.5),))
    out = apply_ledger(made, ledger).frame
    with pytest.raises(InputError, match="no column model_mean"):
        judge(ledger, made.frame, came(made, 1.0))
    with pytest.raises(InputError, match="not made with this ledger"):
        judge(Ledger(), out, came(made, 1.0))
    halves = demand({"orders": bumpy(minutes=30)}, minutes=30)
    with pytest.raises(InputError, match="per 30 min, a forecast per 60 min"):
        judge(ledger, out, came(halves, 1.0))
    with pytest.raises(InputError, match="lacks offered"):
        judge(ledger, out, came(made, 1.0).rename(columns={"offered": "y"}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"start": pd.Timestamp("2025-06-02")}, "`start` must be an instant with its zone"),
        ({"reason": " "}, "`reason` must be a text that is not empty"),
        ({"factor": None}, "neither"),
        ({"factor": "2"}, "`factor` must be"),
    ],
)
def test_a_wrong_override_cannot_be_made(change, says):
    """In code too, an entry that breaks its rules cannot be constructed."""
    with pytest.raises(InputError, match=says):
        Override(**{**vars(entry("2025-06-02", "2025-06-03", factor=2.0)), **change})
