"""Targets: read from a file, judged by intervals, compared with the periods before."""

import math

import numpy as np
import pandas as pd
import pytest

from staffcast.contracts import InputError
from staffcast.utilization import DEFAULT_TARGETS, KpiTarget, judge, parse_targets, read_targets


def row(kpi, value, low=math.nan, high=math.nan, **cuts):
    return cuts | {"kpi": kpi, "value": value, "low": low, "high": high, "n": 100}


def one(text):
    (target,) = parse_targets(f"[[target]]\n{text}")
    return target


def test_the_benchmarks_can_be_read():
    """The file that is handed out to be edited is one that can be read, and has the figures of the field."""
    targets = {target.kpi: target for target in parse_targets(DEFAULT_TARGETS)}
    assert targets["frt_human_mean_s"].at_most == 60
    assert "whatsapp" in targets["frt_human_mean_s"].where["channel"]
    assert targets["frt_human_p95_s"].at_most == 9 * 60
    assert targets["art_mean_s"].at_most == 8.5 * 60
    assert targets["closing_mean_s"].at_most == 3600
    assert targets["csat"].at_least == 0.7
    assert (targets["utilization"].at_least, targets["utilization"].at_most) == (0.85, 0.9)
    assert targets["nps"].better == "up"


@pytest.mark.parametrize(
    ("text", "figures", "verdict"),
    [
        ('kpi = "csat"\nat_least = "70%"', (0.8, 0.75, 0.85), "met"),
        ('kpi = "csat"\nat_least = 0.7', (0.75, 0.66, 0.82), "undecided"),
        ('kpi = "csat"\nat_least = 0.7', (0.6, 0.55, 0.65), "missed"),
        ('kpi = "frt_human_p95_s"\nat_most = "9m"', (math.inf, 700.0, math.inf), "missed"),
        ('kpi = "frt_human_p95_s"\nat_most = "9m"', (300.0, 200.0, math.inf), "undecided"),
        ('kpi = "utilization"\nat_least = "85%"\nat_most = "90%"', (0.93, 0.91, 0.95), "missed"),
        ('kpi = "utilization"\nat_least = "85%"\nat_most = "90%"', (0.87, 0.86, 0.88), "met"),
        ('kpi = "backlog_open"\nat_most = 50', (51.0, math.nan, math.nan), "missed"),
        ('kpi = "nps"\ntrend = "up"', (10.0, 5.0, 15.0), "–"),
    ],
)
def test_a_verdict_is_sure_or_says_that_it_is_not(text, figures, verdict):
    """Met and missed need the whole interval on one side; a figure without an interval stands for itself."""
    assert one(text).verdict(*figures) == verdict


def test_judged_groups_and_trends():
    """Each group has its verdict; a change is against the mean of the periods before, with all their errors."""
    values = [0.60, 0.62, 0.61, 0.63, 0.80]
    table = pd.DataFrame(
        [row("csat", v, v - 0.05, v + 0.05, week=f"2025-0{k + 1}-01", queue="a") for k, v in enumerate(values)]
        + [row("csat", 0.9, 0.85, 0.95, week="2025-01-01", queue="b")]
    )[["week", "queue", "kpi", "value", "low", "high", "n"]]
    found = judge(table, [one('kpi = "csat"\nat_least = "70%"')], period="week").set_index(["queue", "week"])
    assert found.loc["a", "verdict"].tolist() == ["missed", "missed", "missed", "missed", "met"]
    last = found.loc[("a", "2025-05-01")]
    assert last["change"] == pytest.approx(0.80 - np.mean(values[:4]))
    assert last["change_high"] - last["change"] == pytest.approx(0.05 * math.sqrt(1 + 1 / 4))
    assert last["trend"] == "better"
    assert found.loc[("a", "2025-02-01"), "trend"] == "unclear"
    assert found.loc[("b", "2025-01-01"), "trend"] == "–"
    worse = judge(table, [one('kpi = "csat"\nat_most = "70%"')], period="week").set_index(["queue", "week"])
    assert worse.loc[("a", "2025-05-01"), "trend"] == "worse"


def test_chance_alone_rarely_is_a_trend():
    """Of weeks that differ by chance only about one in twenty is called better or worse."""
    rng = np.random.default_rng(1)
    called = 0
    for _ in range(200):
        values = rng.normal(100, 5, 5)
        table = pd.DataFrame([row("ces", v, v - 9.8, v + 9.8, week=str(k)) for k, v in enumerate(values)])
        called += judge(table, [one('kpi = "ces"\ntrend = "down"')], period="week")["trend"].iloc[-1] != "unclear"
    assert called / 200 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[target]]\nkpi = 'fun'\nat_most = 1", r"target 1: `kpi` must be a name of docs/kpis.md"),
        ("[[target]]\nkpi = 'csat'", "with at_least or at_most, or else with trend"),
        ("[[target]]\nkpi = 'csat'\nat_least = 70", "`at_least` must be a share"),
        ("[[target]]\nkpi = 'art_mean_s'\nat_most = 60", "a duration with its unit"),
        ("[[target]]\nkpi = 'ces'\nat_most = '3'", "`at_most` must be a number"),
        ("[[target]]\nkpi = 'ces'\nat_most = 3\nat_least = 4", "not above at_most"),
        ("[[target]]\nkpi = 'ces'\ntrend = 'sideways'", '"up" or "down"'),
        ("[[target]]\nkpi = 'ces'\nbelow = 3", "`key` must be one of kpi, at_most"),
        ("[[target]]\nkpi = 'ces'\nat_most = 3\nwhere = {hour = '3'}", "`where` must be one of queue"),
        ("[[target]]\nkpi = 'ces'\nat_most = 3\nwhere = {queue = 3}", "written as"),
        ("[targets]\ncsat = 3", r"must have \[\[target\]\] tables"),
        ("kpi = ", "is not TOML"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path, text, says):
    """The message names the file, which target, and what is legal."""
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"(?s)t.toml: .*{says}"):
        read_targets(tmp_path / "t.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_targets(tmp_path / "none.toml")


def test_a_target_in_words():
    """Durations, shares and plain figures are written as planners do."""
    assert KpiTarget(kpi="art_mean_s", at_most=510.0).wanted() == "≤ 8.5 min"
    assert KpiTarget(kpi="utilization", at_least=0.85, at_most=0.9).wanted() == "≥ 85 %, ≤ 90 %"
    assert KpiTarget(kpi="ces", at_most=3.0).wanted() == "≤ 3"
