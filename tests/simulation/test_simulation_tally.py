"""Sums by one pass and by whole arrays, compiled or not, in one process or two: the same play, the same numbers."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import Target
from staffcast.simulation import Arrivals, Bot, Patience, Redial, Reopening, Repeats, Service, Staffing, simulate
from staffcast.simulation.compiled import COMPILED
from staffcast.simulation.kernel import play
from staffcast.simulation.measure import Sums, sum_by_arrays, sum_in_one_pass
from staffcast.simulation.replication import play_replication
from staffcast.simulation.tally import TICKET_STATS, TIME_STATS, place_of, tally

# Uneven on purpose.
EDGES = [100.0, 400.0, 1300.0, 1310.0, 2700.0, 3600.0]
EVERYTHING = {
    "patience": [Patience.weibull(300.0, 0.8), Patience.empirical([0.0, 60.0, 500.0, float("inf")])],
    "priorities": [0.4, 0.6], "backlog": [0.0] * 6 + [1200.0, 80.0], "ageing_s": 500.0,
    "opened": [[True] * 5, [True, True, False, True, True]], "redial": Redial(share=0.5, delay_s=200.0),
    "reopening": Reopening(share=0.3, delay_s=300.0, work=0.8), "repeats": Repeats(share=0.6, after_s=90.0, work=0.1),
    "bot": Bot(share=[0.3, 0.1], handover_s=20.0, harder=1.1), "first_reply_s": 15.0, "window_s": 400.0,
    "target": "80% in 2m",
}  # fmt: skip


def of_everything(rule="handover", **options):
    """A play with every feature on."""
    options = {"replications": 4, "seed": 21, "on_staff_drop": rule, "handover_s": 25.0} | EVERYTHING | options
    return simulate(
        Arrivals.piecewise(EDGES, [[60, 90, 900, 30, 60], [90, 60, 0, 60, 30]], lumps=[0, 3, 0, 9, 0]),
        Staffing.steps(EDGES, [5, 9, 3, 6, 4], absent=0.1, shift=[0, 0, 1, 1, 1]),
        [Service.gamma([240, 240, 100, 240, 300], 1.3), Service.empirical([30.0, 200.0, 200.0, 600.0])], **options,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 8), min_size=5, max_size=5),
    st.sampled_from(["finish", "finish_count", "preempt", "handover"]),
    st.integers(0, 10**6),
    st.sampled_from([None, "80% in 2m", "p90 5m"]),
    st.booleans(),
)
def test_one_pass_adds_up_what_whole_arrays_do(agents, rule, seed, target, much):
    """With breaks, overtime, backlog and unanswered, every sum and every bin of both is the same to rounding."""
    outcome = simulate(
        Arrivals.piecewise(EDGES, [60.0 + 300 * much, 90.0, 200.0, 30.0, 60.0]), Staffing.steps(EDGES, agents),
        Service.lognormal(240.0, 1.0), on_staff_drop=rule, seed=seed, replications=1,
        **(EVERYTHING | {"target": target}),
    )  # fmt: skip
    case = outcome.case
    played = play_replication(case, 0)
    one, other = Sums.empty(1, 5, 2), Sums.empty(1, 5, 2)
    sum_in_one_pass(case, played, one, 0)
    sum_by_arrays(case, played, other, 0)
    np.testing.assert_allclose(one.by_interval, other.by_interval, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(one.by_class, other.by_class, rtol=1e-9, atol=1e-9)
    for name in ("waits", "waits_by_interval", "coarse"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.floats(-10, 1600), st.integers(-5, 40))
def test_an_instant_lies_in_its_interval(widths, time, near):
    """Wherever the search begins, the interval found is the one that numpy finds."""
    edges = np.cumsum([0.0, *widths])
    expected = np.searchsorted(edges, time, side="right") - 1
    assert place_of(time, edges, near) == expected
    assert place_of(float(edges[-1]), edges, near) == len(widths)


def test_sums_of_a_play_by_hand():
    """Six tickets, each in a different way: every ticket sum as counted on fingers."""
    # One agent until 100 s, none until 200 s, one until 300 s. In hand 0–50, 50–120 (the leaver stays until 120), then
    # at 200 s who has waited since 60 s; 30 s in hand; then who came at 210 s; at 250 s one comes and stays unanswered.
    outcome = simulate(
        Arrivals.trace([0.0, 10.0, 60.0, 210.0, 250.0], [50.0, 70.0, 30.0, 100.0, 9.0]),
        Staffing.steps([0.0, 100.0, 200.0, 300.0], [1, 0, 1]), None, replications=1, window_s=100.0,
        target=Target.share(0.5, within_s=45.0),
    )  # fmt: skip
    case = outcome.case
    sums = Sums.empty(1, 3, 1)
    sum_in_one_pass(case, play_replication(case, 0), sums, 0)
    rows = dict(zip((*TICKET_STATS, *TIME_STATS), sums.by_interval[0], strict=True))
    assert {name: row.tolist() for name, row in rows.items()} == {
        "offered": [3, 0, 2], "wait_s": [180, 0, 70], "waited": [2, 0, 2], "answered": [3, 0, 1],
        "abandoned": [0, 0, 0], "unanswered": [0, 0, 1], "hits": [2, 0, 1], "decided": [3, 0, 2],
        "frt_s": [180, 0, 70], "expired": [1, 0, 0], "queue_s": [80, 100, 70], "queue_end": [1, 1, 1],
        "busy_s": [100, 20, 100], "overtime_s": [0, 20, 0], "agents_busy_s": [100, 20, 100],
        "oldest_s": [40, 140, 50], "over_1h": [0, 0, 0], "over_4h": [0, 0, 0], "over_24h": [0, 0, 0],
    }  # fmt: skip


PROGRAM = """
import pickle, sys
sys.path.insert(0, {folder!r})
import test_simulation_tally as t
from staffcast.simulation.compiled import COMPILED
assert not COMPILED
with open({out!r}, "wb") as file:
    pickle.dump([t.results(t.of_everything(rule)) for rule in {rules!r}], file)
"""
RULES = ("finish", "finish_count", "preempt", "handover")


def results(outcome):
    """What is compared."""
    return outcome.by_interval, outcome.by_class, outcome.summary, [outcome.tickets(r) for r in range(4)]


@pytest.mark.skipif(not COMPILED, reason="numba is not there: there is one way only")
def test_compiled_and_not_play_the_same(tmp_path):
    """Without compiling, every ticket is the same to the last bit, and every frame to rounding."""
    out = tmp_path / "out"
    program = PROGRAM.format(folder=os.path.dirname(__file__), out=str(out), rules=RULES)  # noqa: PTH120
    subprocess.run([sys.executable, "-c", program], env=os.environ | {"STAFFCAST_COMPILE": "0"}, check=True)
    plain = pickle.loads(out.read_bytes())
    for rule, (by_interval, by_class, summary, tickets) in zip(RULES, plain, strict=True):
        ours = results(of_everything(rule))
        for one, other in zip(ours[3], tickets, strict=True):
            pd.testing.assert_frame_equal(one, other, check_exact=True)
        pd.testing.assert_frame_equal(ours[0], by_interval, rtol=1e-9, atol=1e-9)
        pd.testing.assert_frame_equal(ours[1], by_class, rtol=1e-9, atol=1e-9)
        assert vars(ours[2]) == pytest.approx(vars(summary), rel=1e-9, nan_ok=True)
        assert min(summary.redialled, summary.reopened, summary.repeated, summary.bot_closed, summary.expired) > 0


def test_everything_on_gives_the_same_bytes_for_one_process_and_two():
    """Frames and summary are equal to the last bit."""
    one, two = of_everything(replications=20), of_everything(replications=20, processes=2)
    pd.testing.assert_frame_equal(one.by_interval, two.by_interval, check_exact=True)
    pd.testing.assert_frame_equal(one.by_class, two.by_class, check_exact=True)
    assert one.summary == two.summary


@pytest.mark.skipif(not COMPILED, reason="numba is not there: nothing is compiled")
def test_the_loop_is_compiled_once_for_all_options():
    """Whatever is switched on, the types are the same: else a user waits half a minute for another machine code."""
    of_everything()
    simulate(Arrivals.trace([110.0], [5.0]), Staffing.steps(EDGES, [1] * 5), None, replications=1).tickets(0)
    simulate(
        Arrivals.piecewise(EDGES, [9.0] * 5), Staffing.steps(EDGES, [1] * 5), Service.exponential(60.0), replications=1,
        patience=Patience.exponential(60.0), backlog=3,
    )  # fmt: skip
    case = pickle.loads(pickle.dumps(of_everything(replications=1).case))
    sum_in_one_pass(case, play_replication(case, 0), Sums.empty(1, 5, 2), 0)
    assert (len(play.signatures), len(tally.signatures)) == (1, 1)
