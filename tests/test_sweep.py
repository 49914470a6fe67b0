"""The sweep: every combination played, what nothing beats marked, and its picture."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from test_play_keys import plan_of
from test_staffing import demand, scenario

from staffcast.cli import main
from staffcast.contracts import InputError
from staffcast.contracts.files import write_table
from staffcast.report import write_frontier
from staffcast.report.frontier_plot import frontier_plot
from staffcast.staffing import staff
from staffcast.sweeping import read_vary, sweep_plan

RATES = {"a": [20.0] * 8, "b": [12.0] * 8}


@pytest.fixture(scope="module")
def swept():
    """A plan that stays, with other tickets, agents and shrinkage."""
    wanted = demand(RATES)
    vary = {"volume": ["+0%", "+30%"], "agents": ["-1", "0", "1", "2"], "shrinkage": ["20%", "40%"]}
    asked = scenario(replications=20, shrinkage="20%")
    return sweep_plan(wanted, asked, vary=vary, requirement=plan_of(wanted, {"a": 5, "b": 4}))


def test_every_combination_of_every_queue_is_there(swept):
    """Two queues, two volumes, four crews, two shrinkages: 32 rows, named as they were asked for."""
    assert len(swept) == 32
    assert not swept.duplicated(["unique_id", "volume", "agents", "shrinkage"]).any()
    assert swept["unique_id"].tolist() == ["a"] * 16 + ["b"] * 16


def test_more_tickets_wait_longer_and_more_agents_shorten_it(swept):
    """On the same random numbers volume lengthens the wait, an agent shortens it, shrinkage lengthens it."""
    table = swept.set_index(["unique_id", "volume", "agents", "shrinkage"])["frt_mean_s"]
    for queue in RATES:
        assert table[queue, "+30%", "0", "20%"] > table[queue, "+0%", "0", "20%"]
        assert table[queue, "+0%", "1", "20%"] < table[queue, "+0%", "0", "20%"]
        assert table[queue, "+0%", "0", "40%"] > table[queue, "+0%", "0", "20%"]


def test_a_plan_that_stays_pays_the_same_people(swept):
    """Shrinkage changes who answers and not who is paid: 5 ÷ 0.8 is 7 people for four hours."""
    rows = swept[(swept["unique_id"] == "a") & (swept["agents"] == "0") & (swept["volume"] == "+0%")]
    assert rows["paid_hours"].tolist() == [28.0, 28.0]
    hours = dict(zip(rows["shrinkage"], rows["agent_hours"], strict=True))
    assert hours == {"20%": 20.0, "40%": 15.0}


def test_what_nothing_beats_is_what_a_slow_loop_finds(swept):
    """Dominated is whatever a rival under the same circumstances beats in hours and waiting."""
    for row in swept.to_dict("records"):
        rivals = swept[(swept["unique_id"] == row["unique_id"]) & (swept["volume"] == row["volume"])]
        beaten = any(
            (r["paid_hours"] <= row["paid_hours"] and r["frt_mean_s"] < row["frt_mean_s"])
            or (r["paid_hours"] < row["paid_hours"] and r["frt_mean_s"] <= row["frt_mean_s"])
            for r in rivals.to_dict("records")
        )
        assert row["dominated"] == beaten


def test_without_a_plan_every_target_is_staffed_anew():
    """A stricter target costs the hours that `staff` asks for it."""
    wanted, asked = demand(RATES), scenario(replications=5, shrinkage="30%")
    table = sweep_plan(wanted, asked, vary={"frt": ["80% in 10m", "95% in 10s"]}).set_index(["unique_id", "frt"])
    for text in ("80% in 10m", "95% in 10s"):
        needed = staff(wanted, asked.with_options({"frt": text})).groupby("unique_id")
        for queue in RATES:
            assert table.loc[(queue, text), "agent_hours"] == needed["agents"].sum()[queue] / 2
            assert table.loc[(queue, text), "paid_hours"] == needed["rostered"].sum()[queue] / 2
    assert (table.xs("95% in 10s", level=1)["paid_hours"] > table.xs("80% in 10m", level=1)["paid_hours"]).all()


def test_deflection_and_handle_time_change_what_people_have_to_do():
    """A bot that closes half halves the tickets; half as much again of handle time is half as much again of load."""
    wanted = demand(RATES)
    plan = plan_of(wanted, {"a": 6, "b": 6})
    vary = {"deflection": ["0%", "50%"], "aht": ["+0%", "+50%"]}
    table = sweep_plan(wanted, scenario(replications=60), vary=vary, requirement=plan)
    table = table.set_index(["unique_id", "deflection", "aht"])
    offered, load = table["offered"], table["load"]
    assert offered["a", "50%", "+0%"] == pytest.approx(offered["a", "0%", "+0%"] / 2, rel=0.05)
    assert load["a", "0%", "+50%"] == pytest.approx(1.5 * load["a", "0%", "+0%"], rel=1e-9)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["tickets=+10%"], "`vary` must be NAME=VALUES with one of volume, aht"),
        (["volume"], "each name once, with one value or more"),
        (["agents=1", "agents=2"], "write all its values behind one --vary"),
        (["volume=1.2"], "`vary volume` must be a relative change"),
        (["volume=-100%"], "`vary volume` must be above"),
        (["agents=0.5"], "`vary agents` must be a whole number"),
        (["shrinkage=100%"], "`vary shrinkage` must be a share in [0, 1)"),
        (["frt=soon"], "80% in 60s"),
        (["agents=-1,-1"], "'-1' says what one before it says"),
        (["volume=+10%,+10.0%"], "'+10.0%' says what one before it says"),
        ([], "from 1 to 1000"),
    ],
)
def test_changes_that_cannot_be_read_are_named(texts, said):
    """A name or value that is not known is refused with what is legal."""
    with pytest.raises(InputError) as error:
        read_vary(texts)
    assert said in str(error.value)


@pytest.mark.parametrize("plan", [{"a": 5, "b": 4}, None])
def test_nobody_is_not_a_crew(plan):
    """Fewer people than there are is refused, before anything is played where the plan is given."""
    wanted, told = demand(RATES), []
    with pytest.raises(InputError, match="nobody would answer"):
        sweep_plan(
            wanted, scenario(replications=2), vary={"agents": ["0", "-10"]}, progress=lambda *each: told.append(each),
            requirement=None if plan is None else plan_of(wanted, plan),
        )  # fmt: skip
    assert len(told) == (plan is None)


def test_groups_without_a_share_have_no_known_cost():
    """Who stands in the plan beside the queues' agents is not in their hours: such groups are refused."""
    wanted = demand(RATES)
    asked = scenario(replications=2, groups={"g": {"queues": ["a", "b"], "column": "x"}})
    with pytest.raises(InputError, match=r"`groups\.g\.share` must be given where the plan is made"):
        sweep_plan(wanted, asked, vary={"agents": ["0"]}, requirement=plan_of(wanted, {"a": 5, "b": 4}))


def test_the_picture_names_its_axes_and_is_the_same_each_time(swept, tmp_path):
    """SVG with text for both axes, the unit, the queues and the circumstances; PNG too; the same bytes twice."""
    for name in ("one.svg", "two.svg", "three.png"):
        write_frontier(swept, tmp_path / name, figure="frt_mean_s", days=1)
    text = (tmp_path / "one.svg").read_text(encoding="utf-8")
    for each in (
        "paid hours over the plan's 1 day",
        "95 % interval",
        ">a<",
        ">b<",
        "volume +30%",
        "beaten",
        "shrinkage 40%, +1 agent",
    ):
        assert each in text
    assert text == (tmp_path / "two.svg").read_text(encoding="utf-8")
    assert (tmp_path / "three.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(("names", "beside"), [(["agents"], True), (["agents", "shrinkage"], False)])
def test_every_combination_can_be_told_in_the_picture(swept, names, beside):
    """One choice is named beside its points; of two, each pair has a shape of its own, in the legend."""
    rows = swept[(swept["volume"] == "+0%") & (swept["shrinkage"].isin(["20%", "40%"] if len(names) > 1 else ["20%"]))]
    drawn = frontier_plot(rows.drop(columns={"volume", "shrinkage"} - set(names)), figure="frt_mean_s", days=1)
    axes = drawn.axes[0]
    assert bool(axes.texts) == beside
    shapes = {bars[0].get_marker() for bars in axes.containers}
    assert len(axes.containers) == 4 * len(names)
    assert len(shapes) == (1 if beside else 8)
    places = [bars[0].get_xdata()[0] for bars in axes.containers]
    assert len(set(places)) == len(places)
    assert ("logarithmic" in axes.get_ylabel()) == (axes.get_yscale() == "log")


def test_the_command_writes_table_and_picture(tmp_path):
    """From files to a frame and a picture; a format that is not known is refused before the work."""
    wanted = demand(RATES)
    write_table(wanted.frame, tmp_path / "demand.csv")
    write_table(plan_of(wanted, {"a": 5, "b": 4}), tmp_path / "plan.csv")
    files = [str(tmp_path / "demand.csv"), str(tmp_path / "plan.csv")]
    changes = ["--vary", "agents=0,1", "--vary", "volume=+0%,+10%"]
    common = ["sweep", *files, "--replications", "5", "--processes", "1", *changes]
    done = CliRunner().invoke(main, [*common, "-o", str(tmp_path / "sweep.csv"), "--plot", str(tmp_path / "front.svg")])
    assert done.exit_code == 0, done.stderr
    table = pd.read_csv(tmp_path / "sweep.csv", dtype={"agents": str})
    assert len(table) == 8
    assert np.isfinite(table["frt_mean_s_low"]).all()
    assert (tmp_path / "front.svg").stat().st_size > 5000
    assert "worth their hours: each that costs less does worse" in done.stderr
    wrong = CliRunner().invoke(main, [*common, "--plot", str(tmp_path / "front.pdf")])
    assert wrong.exit_code == 2
    assert "end it in .svg or .png" in wrong.stderr
