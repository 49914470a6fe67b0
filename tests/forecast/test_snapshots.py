"""Forecasts that were kept: whole or not at all, and compared with what came as a slow loop compares them."""

import datetime as dt
import hashlib
import json
import math
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, frame, grid, poisson, weekly_rate
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import Calendar, InputError, OutputError
from staffcast.forecast import Demand, forecast
from staffcast.forecast.hindsight import snapshots as module
from staffcast.forecast.hindsight.accuracy import accuracy
from staffcast.forecast.hindsight.actual import offered
from staffcast.forecast.hindsight.ledger import Ledger, Override, apply_ledger
from staffcast.forecast.hindsight.snapshots import Snapshot, list_snapshots, load_snapshot, save_snapshot

HOURS = Calendar.parse(BERLIN, {"mon-fri": "08:00-18:00", "sat": "10:00-14:00"})


def moment(text="2025-06-02T09:30"):
    return pd.Timestamp(text, tz=BERLIN)


def demand(means, *, days=7, start="2025-06-02", cv=0.1, quantiles=True, opened=True, zone=BERLIN, **more):
    ds = grid(days, start=start, zone=zone)
    parts = [frame(ds, 0.0, q).drop(columns="y").assign(mean=m, rate_cv=cv, open=opened) for q, m in means.items()]
    table = pd.concat(parts, ignore_index=True).assign(**({"q10": 0.0, "q90": 9.0} if quantiles else {}), **more)
    return Demand.from_frame(table, seed=7)


def kept(made, *, made_at=None, name="forecast-20250602T000000Z"):
    """A snapshot that was not written."""
    return Snapshot(path=module.Path(name + ".json"), made_at=made_at or made.ds[0].tz_convert("UTC"), demand=made)


def actual(ds, y, queue="orders"):
    return frame(ds, y, queue).rename(columns={"y": "offered"})


def ledger_of(made):
    return Ledger(overrides=(Override(start=made.ds[5], end=made.ds[20], queue="*", factor=1.3, reason="fair",
                                      author="Ana", entered=moment("2025-05-30")),))  # fmt: skip


def test_a_snapshot_comes_back(tmp_path):
    """Table, reasons, seed, overrides, date and inputs are as they were saved, under names in UTC."""
    log = tmp_path / "tickets.csv"
    log.write_bytes(b"abc")
    made = forecast(poisson(28), "7d", model=["seasonal_naive", "mean_4"], seed=5)
    ledger = ledger_of(made)
    made = apply_ledger(made, ledger)
    path = save_snapshot(tmp_path / "kept", made, made_at=moment(), inputs={"log": log}, ledger=ledger)
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "forecast-20250602T073000Z.csv.gz", "forecast-20250602T073000Z.json",
    ]  # fmt: skip
    for again in (load_snapshot(path), load_snapshot(path.with_name("forecast-20250602T073000Z.csv.gz"))):
        pd.testing.assert_frame_equal(again.demand.frame, made.frame, check_dtype=False, rtol=1e-9)
        assert str(again.demand.ds.tz) == BERLIN
        assert again.demand.why == json.loads(json.dumps(made.why))
        assert (again.demand.seed, again.made_at, again.ledger) == (5, moment(), ledger)
        assert again.demand.sample(2).tobytes() == Demand.from_frame(again.demand.frame, seed=5).sample(2).tobytes()
        assert again.name == "forecast-20250602T073000Z"
        # FIPS 180-2, appendix B.1
        digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert again.inputs == {"log": {"file": "tickets.csv", "sha256": digest}}


def test_the_json_says_what_people_ask(tmp_path):
    """Span, queues, version and the table's digest stand in the JSON; what JSON does not know becomes plain."""
    made = demand({"orders": 3.0, "returns": 1.0})
    why = {"orders": {"wape": np.float64(0.2), "nan": np.nan, "when": made.ds[0], "day": dt.date(2025, 6, 2),
                      "n": np.int64(3), "parts": (np.array([1, 2]), {"a"}), "table": pd.DataFrame({"a": [1]}),
                      "kind": Calendar, "flag": np.True_, "none": pd.NaT}}  # fmt: skip
    path = save_snapshot(tmp_path, Demand(frame=made.frame, why=why), made_at=moment(), inputs={})
    head = json.loads(path.read_text(encoding="utf-8"))
    assert (head["first"], head["end"]) == ("2025-06-02T00:00:00+02:00", "2025-06-09T00:00:00+02:00")
    assert (head["queues"], head["interval_minutes"], head["overrides"]) == (["orders", "returns"], 60, None)
    table = path.with_name(head["table"]["file"])
    assert head["table"]["sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    plain = head["why"]["orders"]
    assert plain.pop("kind") == str(Calendar)
    assert plain == {
        "wape": 0.2, "nan": None, "when": "2025-06-02T00:00:00+02:00", "day": "2025-06-02", "n": 3,
        "parts": [[1, 2], ["a"]], "table": [{"a": 1}], "flag": True, "none": None,
    }  # fmt: skip


def test_no_snapshot_is_overwritten(tmp_path):
    """A second forecast of the same second is refused, also by half a snapshot; the first stays to the byte."""
    path = save_snapshot(tmp_path, demand({"orders": 3.0}), made_at=moment(), inputs={})
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    for _ in range(2):
        with pytest.raises(InputError, match="2025-06-02 07:30:00 UTC already"):
            save_snapshot(tmp_path, demand({"orders": 9.0}), made_at=moment(), inputs={})
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
        path.unlink(missing_ok=True)
        before.pop(path.name, None)
    save_snapshot(tmp_path, demand({"orders": 9.0}), made_at=moment("2025-06-02T09:30:01"), inputs={})


def test_of_two_in_the_same_second_one_is_kept(tmp_path, monkeypatch):
    """A second process that saves while the first still writes is refused, and the first is whole in the end."""
    write, refused = module.write_table, []

    def slow(frame, path):
        if not refused:
            with pytest.raises(InputError, match="07:30:00 UTC already") as error:
                save_snapshot(tmp_path, demand({"orders": 9.0}), made_at=moment(), inputs={})
            refused.append(error)
        return write(frame, path)

    monkeypatch.setattr(module, "write_table", slow)
    path = save_snapshot(tmp_path, demand({"orders": 3.0}), made_at=moment(), inputs={})
    assert refused
    assert (load_snapshot(path).demand.frame["mean"] == 3.0).all()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    """Whatever breaks while writing, the folder has no new file, and no temporary one."""

    def fail(frame, path):
        path.write_text("half")
        raise OutputError("disk full")

    save_snapshot(tmp_path / "kept", demand({"orders": 3.0}), made_at=moment("2025-06-01"), inputs={})
    monkeypatch.setattr(module, "write_table", fail)
    with pytest.raises(OutputError, match="disk full"):
        save_snapshot(tmp_path / "kept", demand({"orders": 3.0}), made_at=moment(), inputs={})
    assert len(list(tmp_path.rglob("*"))) == 3


def test_what_cannot_be_saved(tmp_path):
    """A time without zone, an input that is not there, a folder that is a file: errors, and nothing written."""
    made = demand({"orders": 3.0})
    with pytest.raises(InputError, match="`made_at` must be a time with its zone"):
        save_snapshot(tmp_path / "kept", made, made_at=pd.Timestamp("2025-06-02"), inputs={})
    with pytest.raises(InputError, match=r"log.csv: there is no such file"):
        save_snapshot(tmp_path / "kept", made, made_at=moment(), inputs={"log": str(tmp_path / "log.csv")})
    with pytest.raises(InputError, match="cannot be read"):
        save_snapshot(tmp_path / "kept", made, made_at=moment(), inputs={"log": tmp_path})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        save_snapshot(tmp_path / "file", made, made_at=moment(), inputs={})


def test_snapshots_are_listed_by_date(tmp_path):
    """The oldest first, whatever the order of saving; other files are passed over."""
    (tmp_path / "notes.json").write_text("{}")
    for day in ("2025-06-10", "2024-12-31", "2025-06-02"):
        save_snapshot(tmp_path, demand({"orders": 3.0}, days=1), made_at=pd.Timestamp(day, tz="UTC"), inputs={})
    assert [p.name[9:17] for p in list_snapshots(tmp_path)] == ["20241231", "20250602", "20250610"]
    (tmp_path / "empty").mkdir()
    assert list_snapshots(tmp_path / "empty") == []
    for place, says in ((tmp_path / "none", "no such folder"), (tmp_path / "notes.json", "is a file")):
        with pytest.raises(InputError, match=says):
            list_snapshots(place)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_json_that_was_cut_off(tmp_path, part):
    """A damaged JSON is an error that names the file and the way out, wherever it was cut, also for accuracy."""
    path = save_snapshot(tmp_path, demand({"orders": 3.0}), made_at=moment(), inputs={})
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: int(part * (len(text) - 3))], encoding="utf-8")
    for read in (lambda: load_snapshot(path), lambda: accuracy(tmp_path, actual(grid(2), 1.0))):
        with pytest.raises(InputError, match=r"forecast-20250602T073000Z.json: is damaged.*backup"):
            read()


def change_head(path, **change):
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda p: p.unlink(), "there is no such snapshot"),
        (lambda p: p.with_suffix(".csv.gz").unlink(), r"csv.gz: there is no such file"),
        (lambda p: p.with_suffix(".csv.gz").write_bytes(b"x"), "SHA-256 differs"),
        (lambda p: p.write_text("[]"), "not a snapshot's JSON"),
        (lambda p: change_head(p, schema_version=2), "schema_version 2.*update staffcast"),
        (lambda p: change_head(p, table=None), "not a snapshot's JSON, or a damaged one"),
        (lambda p: change_head(p, made_at="soon"), "not a snapshot's JSON, or a damaged one"),
        (lambda p: change_head(p, made_at="2025-06-02"), "not a snapshot's JSON, or a damaged one"),
        (lambda p: change_head(p, overrides=[{"start": "2025-06-02"}]), "its overrides cannot be read"),
        (lambda p: change_head(p, overrides=[3]), "its overrides cannot be read"),
    ],
)
def test_a_damaged_snapshot_is_refused(tmp_path, harm, says):
    """Missing, changed or foreign files are told apart."""
    path = save_snapshot(tmp_path, demand({"orders": 3.0}), made_at=moment(), inputs={})
    harm(path)
    with pytest.raises(InputError, match=says):
        load_snapshot(path)


def horizon_of(day):
    return next(name for last, name in ((1, "day 1"), (7, "days 2–7"), (14, "days 8–14"), (28, "days 15–28"),
                                        (999, "later")) if day <= last)  # fmt: skip


def below(count, mean, cv):
    """P(N ≤ count) of a Poisson number with a gamma rate, its terms added up."""
    shape, total = 1 / cv**2, 0.0
    for k in range(int(count) + 1 if mean > 0 else 0):
        log = math.lgamma(k + shape) - math.lgamma(shape) - math.lgamma(k + 1)
        total += math.exp(log + shape * math.log(shape / (shape + mean)) + k * math.log(mean / (shape + mean)))
    return total if mean > 0 else float(count >= 0)


def slowly(snapshots, known):
    """What each interval brings into the sums, interval by interval in plain Python."""
    came = {(r["unique_id"], r["ds"]): r["offered"] for r in known.to_dict("records")}
    span = [ds for (_, ds), y in came.items() if not math.isnan(y)]
    first_known, last_known = min(span), max(span)
    for one in snapshots:
        first = one.demand.ds[0]
        until = min(first, one.made_at)
        for row in one.demand.frame.to_dict("records"):
            ds, queue, f = row["ds"], row["unique_id"], row["mean"]
            y = came.get((queue, ds), math.nan)
            if not first_known <= ds <= last_known or not (row["open"] or y > 0):
                continue
            lead = (ds.tz_localize(None) - first.tz_localize(None)).days + 1
            cut = {"horizon": horizon_of(lead), "hour": ds.hour, "weekday": ds.day_name()[:3], "queue": queue,
                   "snapshot": one.name}  # fmt: skip
            if math.isnan(y):
                yield cut, {"missing": 1}
                continue
            back = [b for k in range(1, 11) if (b := ds - pd.Timedelta(days=7 * k)) + pd.Timedelta(hours=1) <= until]
            naive = [b for day in back[:4] if not math.isnan(b := came.get((queue, day), math.nan))]
            low, high = below(y - 1, f, row["rate_cv"]), below(y, f, row["rate_cv"])
            parts = [max(min(high, 1 - t) - max(low, t), 0) / (high - low) if high > low else 0 for t in (0.1, 0.025)]
            sums = {"intervals": 1, "tickets": y, "error": abs(y - f), "over": f - y,
                    "model": abs(y - row.get("model_mean", f)), "in_80": parts[0], "in_95": parts[1]}  # fmt: skip
            if naive:
                sums |= {"tickets_b": y, "error_f": abs(y - f), "error_b": abs(y - naive[0])}
            yield cut, sums


def figures(s):
    return {
        "intervals": s["intervals"], "missing": s["missing"], "tickets": s["tickets"],
        "wape": s["error"] / s["tickets"], "bias": s["over"] / s["tickets"],
        "wape_model": s["model"] / s["tickets"], "coverage_80": s["in_80"] / s["intervals"],
        "coverage_95": s["in_95"] / s["intervals"], "wape_baseline": s["error_b"] / s["tickets_b"],
        "value_added": 1 - s["error_f"] / s["error_b"],
    }  # fmt: skip


def two_snapshots():
    """Two snapshots of two queues in UTC, one with overrides; known values with gaps, and one queue's first weeks."""
    rng = np.random.default_rng(8)
    ds = grid(75, start="2025-05-05", zone="UTC")
    known = pd.concat([actual(ds, rng.poisson(weekly_rate(ds, level=4 + 3 * k)), q) for k, q in enumerate("ab")])
    known["offered"] = known["offered"].mask(rng.random(len(known)) < 0.05)
    known = known[(known["unique_id"] == "a") | (known["ds"] >= pd.Timestamp("2025-05-20", tz="UTC"))]
    out = []
    for start, hours in (("2025-06-02", 0), ("2025-06-16", 30)):
        day = grid(35, start=start, zone="UTC")
        opened = (day.hour >= 5) & (day.hour < 22)
        means = {q: np.where(opened, weekly_rate(day, level=4 + 3 * k) * rng.uniform(0.8, 1.3, len(day)), 0.0)
                 for k, q in enumerate("ab")}  # fmt: skip
        cv = rng.uniform(0.05, 0.5, len(day))
        made = demand(means, days=35, start=start, zone="UTC", opened=opened, cv=cv)
        made_at = made.ds[0] - pd.Timedelta(hours=hours)
        out.append(kept(made, made_at=made_at, name=f"forecast-{made_at:%Y%m%dT%H%M%SZ}"))
    other = apply_ledger(out[1].demand, ledger_of(out[1].demand))
    return [out[0], Snapshot(path=out[1].path, made_at=out[1].made_at, demand=other)], known.reset_index(drop=True)


def test_accuracy_is_that_of_a_slow_loop():
    """Every cut and every figure, the naive baseline among them, as one interval after the other has it."""
    snapshots, known = two_snapshots()
    one_by_one = list(slowly(snapshots, known))
    for by in (("horizon",), ("weekday", "queue"), ("hour",), ("snapshot",), ()):
        expected = defaultdict(lambda: defaultdict(float))
        for cut, sums in one_by_one:
            for name, value in sums.items():
                expected[tuple(cut[c] for c in by)][name] += value
        table = accuracy(snapshots, known, by=by)
        assert len(table) == len(expected) > len(by)
        for row in table.to_dict("records"):
            for name, value in figures(expected[tuple(row[c] for c in by)]).items():
                assert row[name] == pytest.approx(value, abs=1e-9), (by, name)


def test_cuts_stand_in_their_order():
    """Horizons, weekdays and snapshots stand in time's order, not the alphabet's."""
    snapshots, known = two_snapshots()
    assert accuracy(snapshots, known, by="horizon")["horizon"].tolist() == [
        "day 1", "days 2–7", "days 8–14", "days 15–28", "later",
    ]  # fmt: skip
    weekdays = accuracy(snapshots, known, by="weekday")["weekday"].tolist()
    assert weekdays == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert accuracy(snapshots, known, by=("snapshot", "queue"))["queue"].tolist() == ["a", "b", "a", "b"]


def test_accuracy_of_a_folder(tmp_path):
    """A folder, its files and loaded snapshots give the same table."""
    made = demand({"orders": weekly_rate(grid(7))})
    for k in range(2):
        save_snapshot(tmp_path, made, made_at=moment("2025-06-02") - pd.Timedelta(days=k), inputs={})
    known = actual(grid(28, start="2025-05-12"), poisson(28, start="2025-05-12")["y"])
    table = accuracy(tmp_path, known)
    pd.testing.assert_frame_equal(table, accuracy(list_snapshots(tmp_path), known))
    pd.testing.assert_frame_equal(table, accuracy([load_snapshot(p) for p in list_snapshots(tmp_path)], known))
    assert accuracy(list_snapshots(tmp_path)[0], known)["intervals"].sum() * 2 == table["intervals"].sum() == 2 * 168


def test_a_perfect_forecast():
    """What was forecast exactly has no error, no bias, and takes off all of the naive error."""
    known = actual(grid(21), poisson(21)["y"])
    row = accuracy([kept(demand({"orders": known["offered"].to_numpy()[-168:]}, start="2025-06-16"))], known, by=())
    assert row[["wape", "bias", "value_added"]].to_numpy().tolist() == [[0, 0, 1]]


def test_the_naive_forecast_adds_nothing():
    """A snapshot that repeats last week is its own baseline: value added 0, equal errors."""
    known = actual(grid(21), poisson(21)["y"])
    week = known["offered"].to_numpy()[168:336]
    (row,) = accuracy([kept(demand({"orders": week}, start="2025-06-16"))], known, by=()).to_dict("records")
    assert row["value_added"] == 0
    assert row["wape"] == row["wape_baseline"] > 0


@pytest.mark.parametrize("hours_before", [0, 1, 100, 168, 500])
def test_the_baseline_knows_only_what_was_known(hours_before):
    """With week w at the level w, the naive error of week j tells which week was taken: the last one known then."""
    ds = grid(84, zone="UTC")
    week = np.arange(len(ds)) // 168
    known = actual(ds, week + 1.0)
    made = demand({"orders": 1.0}, days=42, start=str(ds[6 * 168].date()), zone="UTC")
    snapshot = kept(made, made_at=made.ds[0] - pd.Timedelta(hours=hours_before))
    errors = accuracy([snapshot], known, by=("horizon",)).set_index("horizon")
    last = 6 * 168 - hours_before  # first interval not known
    source = np.array([max(i - 168 * k for k in range(20) if i - 168 * k < last) for i in range(6 * 168, len(ds))])
    gap = (np.arange(6 * 168, len(ds)) - source) / 168
    for name, part in (("day 1", slice(0, 24)), ("days 8–14", slice(168, 336)), ("later", slice(28 * 24, None))):
        expected = gap[part].sum() / known["offered"].to_numpy()[6 * 168 :][part].sum()
        assert errors.loc[name, "wape_baseline"] == pytest.approx(expected)


def test_a_late_date_does_not_widen_what_was_known():
    """A forecast dated a week after its first interval was still made without that week: the baseline too."""
    known = actual(grid(42), poisson(42)["y"])
    made = demand({"orders": 20.0}, days=14, start="2025-06-23")
    late = kept(made, made_at=made.ds[0] + pd.Timedelta(days=7))
    pd.testing.assert_frame_equal(accuracy([late], known), accuracy([kept(made)], known))


@pytest.mark.parametrize(("weeks", "gap"), [(1, 2), (3, 4), (4, np.nan)])
def test_the_baseline_passes_over_closed_days(weeks, gap):
    """After weeks in which the queue was shut, the naive forecast repeats the week before them, up to four back."""
    ds = grid(63)
    known = actual(ds, np.arange(len(ds)) // 168 + 10.0).assign(open=True)
    first = 7 * 168
    known.loc[first - weeks * 168 : first - 1, ["offered", "open"]] = [0.0, False]
    made = demand({"orders": 1.0}, days=14, start=str(ds[first].date()))
    rows = accuracy([kept(made)], known, by=("horizon",)).set_index("horizon")["wape_baseline"]
    assert rows.tolist() == pytest.approx([gap / 17, gap / 17, (gap + 1) / 18], nan_ok=True)


def test_the_skipped_hour_does_not_let_the_future_in():
    """Where a week back is the hour that spring skips, the hour after it stands in only if it was known then."""
    ds = grid(42, start="2025-03-01")
    made_at = moment("2025-03-30T03:00")
    known = actual(ds, np.where(ds == made_at, 1000.0, 1.0))
    made = demand({"orders": 1.0}, start="2025-03-31")
    assert (accuracy([kept(made, made_at=made_at)], known)["wape_baseline"] == 0).all()
    assert accuracy([kept(made)], known, by=()).loc[0, "wape_baseline"] == pytest.approx(2 * 999 / 168)


def test_a_baseline_in_the_snapshot_is_taken():
    """Where the forecast kept its own baseline, that one is compared, only where it has a value."""
    made = demand({"orders": 8.0}, baseline=np.where(np.arange(168) < 24, np.nan, 15.0))
    row = accuracy([kept(made)], actual(grid(7), 10.0)).set_index("horizon")
    assert row.loc["days 2–7", ["wape", "bias", "wape_baseline"]].tolist() == pytest.approx([0.2, -0.2, 0.5])
    assert row.loc["days 2–7", "value_added"] == pytest.approx(1 - 2 / 5)
    assert row.loc["day 1", ["wape_baseline", "value_added"]].isna().all()


@settings(max_examples=8, deadline=None)
@given(mean=st.floats(0.3, 60), cv=st.sampled_from([0.0, 0.1, 0.4]), seed=st.integers(0, 2**31))
def test_right_distributions_cover_as_stated(mean, cv, seed):
    """Counts drawn from the stated distribution lie in the bands as often as stated, to five standard errors."""
    ds = grid(100)
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1 / cv**2, mean * cv**2, len(ds)) if cv else np.full(len(ds), mean)
    made = demand({"orders": mean}, days=100, cv=cv)
    row = accuracy([kept(made)], actual(ds, rng.poisson(rate)), by=()).iloc[0]
    for level in (0.80, 0.95):
        error = np.sqrt(level * (1 - level) / len(ds))
        assert abs(row[f"coverage_{round(100 * level)}"] - level) < 5 * error


def test_without_quantiles_no_coverage():
    """A snapshot without quantile columns says nothing about coverage; beside one with them, only that one counts."""
    known = actual(grid(14), 20.0)
    without, beside = demand({"orders": 20.0}, quantiles=False), demand({"orders": 20.0}, start="2025-06-09")
    assert accuracy([kept(without)], known, by=())[["coverage_80", "coverage_95"]].isna().all(axis=None)
    columns = ["coverage_80", "coverage_95"]
    both = accuracy([kept(without), kept(beside, name="b")], known, by=())[columns]
    pd.testing.assert_frame_equal(both, accuracy([kept(beside, name="b")], known, by=())[columns])


def test_overrides_and_models_apart():
    """The wape is with the overrides; wape_model is what the models alone would have had."""
    span = {"start": moment("2025-06-02"), "end": moment("2025-06-09")}
    one = Override(**span, queue="*", factor=2.0, reason="fair", author="Ana")
    made = apply_ledger(demand({"orders": 10.0}), Ledger(overrides=(one,)))
    row = accuracy([kept(made)], actual(grid(7), 16.0), by=()).iloc[0]
    assert row[["wape", "wape_model"]].tolist() == pytest.approx([4 / 16, 6 / 16])


def test_missing_is_counted_and_the_future_is_not():
    """Unknown intervals and lacking rows are missing; what lies after the last known one is not due yet."""
    y = np.full(72, 5.0)
    y[[3, 4, 70, 71]] = np.nan
    known = actual(grid(3), y).drop(index=[10, 11, 12])
    row = accuracy([kept(demand({"orders": 5.0, "returns": 5.0}))], known, by=("queue",)).set_index("queue")
    assert row["intervals"].to_dict() == {"orders": 65, "returns": 0}
    assert row["missing"].to_dict() == {"orders": 5, "returns": 70}
    assert row.loc["returns", ["wape", "bias", "coverage_80", "value_added"]].isna().all()


def test_tickets_where_the_forecast_thought_it_closed_count():
    """Closed intervals do not count, unless tickets were offered in them: those the forecast has missed."""
    hour = np.arange(168) % 24
    made = demand({"orders": np.where(hour < 12, 4.0, 0.0)}, opened=hour < 12)
    y = np.where(hour < 12, 4.0, 0.0)
    assert accuracy([kept(made)], actual(grid(7), y), by=()).loc[0, ["intervals", "wape"]].tolist() == [84, 0]
    y[15] = 6.0
    row = accuracy([kept(made)], actual(grid(7), y), by=()).iloc[0]
    assert row[["intervals", "tickets", "wape", "bias"]].tolist() == pytest.approx([85, 342, 6 / 342, -6 / 342])


def test_days_and_hours_are_local():
    """The 25-hour day has 25 intervals in day 1 and its hour 2 twice; the naive over a DST change is by the clock."""
    ds = grid(15, start="2025-10-19")
    known = actual(ds, ds.hour + 1.0)
    snapshot = kept(demand({"orders": ds[ds >= moment("2025-10-26")].hour + 1.0}, days=8, start="2025-10-26"))
    by_horizon = accuracy([snapshot], known).set_index("horizon")
    assert by_horizon["intervals"].to_dict() == {"day 1": 25, "days 2–7": 144, "days 8–14": 24}
    assert (by_horizon["wape_baseline"] == 0).all()
    assert accuracy([snapshot], known, by="hour")["intervals"].tolist() == [8, 8, 9, *[8] * 21]
    assert (accuracy([snapshot], known)["wape"] == 0).all()


def test_a_forecast_of_this_package_beats_the_naive_on_its_own_terms(tmp_path):
    """The whole way: forecast, keep, wait, fold what came, compare; the mean of weeks beats last week's noise."""
    series = poisson(70, level=30)
    past = series[series["ds"] < series["ds"].iloc[0] + pd.Timedelta(days=56)]
    made = forecast(past, "14d", calendar=HOURS, model="mean_8")
    save_snapshot(tmp_path, made, made_at=made.ds[0], inputs={})
    came = offered(series, HOURS)
    table = accuracy(tmp_path, came, by=())
    assert table.loc[0, "intervals"] == made.frame["open"].sum()
    assert table.loc[0, "missing"] == 0
    assert 0.1 < table.loc[0, "value_added"] < 0.5
    assert abs(table.loc[0, "bias"]) < 0.05
    assert table.loc[0, "tickets"] == pytest.approx(came["offered"][came["ds"] >= made.ds[0]].sum())


def test_offered_is_what_forecasts_state():
    """Closed arrivals count at the next opening; the first opening after an unseen night is not known; lost ones go."""
    series = frame(grid(7), 1.0)
    came = offered(series, HOURS)
    by_day = came.groupby(came["ds"].dt.day_name().str[:3], sort=False)["offered"].agg(["sum", "max"])
    assert came["offered"].isna().sum() == 1
    assert np.isnan(came["offered"][8])
    assert by_day["sum"].to_dict() == {"Mon": 9, "Tue": 24, "Wed": 24, "Thu": 24, "Fri": 24, "Sat": 20, "Sun": 0}
    assert by_day.loc["Sat", "max"] == 17
    assert not offered(series)["offered"].isna().any()
    lost = Calendar(zone=BERLIN, week=HOURS.week, closed_arrivals="lost")
    assert offered(series, lost)["offered"].sum() == 54


@pytest.mark.parametrize(
    ("known", "by", "says"),
    [
        (actual(grid(2), 1.0), ("day",), r"`by` must be different ones of horizon, hour"),
        (actual(grid(2), 1.0), ("hour", "hour"), "`by` must be different"),
        (actual(grid(2, start="2025-01-01"), 1.0), (), "no interval of the snapshots.*goes on after the forecasts"),
        (actual(grid(2), 1.0, "returns"), (), r"no interval.*queues returns"),
        (actual(grid(2), np.nan), (), "no interval of the snapshots"),
        (actual(grid(2, minutes=30), 1.0), (), "per 30 min, a forecast per 60 min"),
        (frame(grid(2), 1.0), (), "lacks offered.*`staffcast.forecast.offered"),
        (actual(grid(2), -1.0), (), "outside"),
        (actual(grid(2), 1.0).iloc[:0], (), "no rows"),
        (pd.concat([actual(grid(2), 1.0)] * 2), (), "stands twice"),
    ],
)
def test_what_cannot_be_compared(known, by, says):
    """Cuts, spans, queues, intervals and tables that do not fit are named."""
    with pytest.raises(InputError, match=says):
        accuracy([kept(demand({"orders": 3.0}))], known, by=by)


def test_nothing_to_compare(tmp_path):
    """An empty folder, an empty list, and one snapshot named twice are errors."""
    known = actual(grid(2), 1.0)
    with pytest.raises(InputError, match="has no snapshots"):
        accuracy(tmp_path, known)
    with pytest.raises(InputError, match="at least one snapshot"):
        accuracy([], known)
    one = kept(demand({"orders": 3.0}))
    with pytest.raises(InputError, match="stands twice among the snapshots"):
        accuracy([one, one], known)
