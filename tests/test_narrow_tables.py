"""Tables of `compare` and `sweep` on a terminal: few columns, and the figures of the full tables."""

import io

import pytest
from test_play_keys import plan_of
from test_staffing import demand, scenario

from staffcast.comparing import compare_plans
from staffcast.report import print_comparison, print_sweep
from staffcast.sweeping import sweep_plan

RATES = {"billing": [20.0] * 8, "technical": [12.0] * 8}


def wide_as(text):
    return max(len(line) for line in text.splitlines())


def test_plans_beside_each_other_fit_a_terminal():
    """Hours, service level and first response with their changes: at most 9 columns on 100 characters."""
    wanted = demand(RATES)
    plans = {"requirement": plan_of(wanted, {"billing": 5, "technical": 4})}
    plans["more"] = plan_of(wanted, {"billing": 6, "technical": 4})
    found = compare_plans(wanted, plans, scenario(replications=20))
    stream = io.StringIO()
    print_comparison(found.plans, found.differences, stream=stream)
    text = stream.getvalue()
    assert wide_as(text) <= 100
    row = found.differences.set_index(["unique_id", "plan", "measure"]).loc[("billing", "more", "service_level")]
    half = 100 * (row["high"] - row["difference"])
    line = next(each for each in text.splitlines() if each.startswith("billing    more"))
    assert f"+{100 * row['difference']:.1f} ± {half:.1f}" in line
    assert "+4.0" in line
    assert line.rstrip().endswith("better")
    same = next(each for each in text.splitlines() if each.startswith("technical  more"))
    assert same.rstrip().endswith("undecided")


@pytest.mark.parametrize("beaten", [True, False])
def test_a_sweep_lists_only_what_nothing_beats(beaten):
    """What is dominated is not worth its hours; where nothing is, that is said."""
    wanted = demand(RATES)
    vary = {"agents": ["0", "1"], "shrinkage": ["0%", "30%"] if beaten else ["0%"]}
    plan = plan_of(wanted, {"billing": 5, "technical": 4})
    table = sweep_plan(wanted, scenario(replications=10), vary=vary, requirement=plan)
    assert table["dominated"].any() == beaten
    stream = io.StringIO()
    print_sweep(table, list(vary), "frt_mean_s", stream=stream)
    text = stream.getvalue()
    assert wide_as(text) <= 100
    rows = [each for each in text.splitlines() if each.startswith(tuple(RATES))]
    assert len(rows) == (~table["dominated"]).sum()
    assert ("All are worth their hours" in text) != beaten
    assert not beaten or all("30%" not in each for each in rows)
