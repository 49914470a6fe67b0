"""Plans compared ticket by ticket; figures with their luck taken out; sweeps and the frontier."""

import math

import numpy as np
import pandas as pd
import pytest
from simulation_exact import erlang_c

from staffcast.contracts import InputError
from staffcast.simulation import (
    Arrivals,
    Patience,
    Service,
    Staffing,
    compare,
    controlled,
    frontier,
    self_check,
    simulate,
    sweep,
)

EDGES = np.arange(0, 13) * 1800.0
RATES = np.array([20, 40, 60, 80, 90, 90, 80, 70, 60, 50, 30, 20.0])
PLAN = np.array([3, 5, 7, 9, 9, 9, 9, 8, 7, 6, 4, 3])


def more(at, by=1):
    plan = PLAN.copy()
    plan[at] += by
    return Staffing.steps(EDGES, plan)


def plans():
    return {"as it is": Staffing.steps(EDGES, PLAN), "one more at noon": more(slice(4, 10))}


def test_the_same_plan_twice_differs_by_nothing():
    """Two names for one plan: every difference and its interval are exactly 0."""
    twice = {"a": Staffing.steps(EDGES, PLAN), "b": Staffing.steps(EDGES, PLAN)}
    found = compare(
        Arrivals.piecewise(EDGES, RATES), twice, Service.exponential(300.0), replications=10, target="80% in 60s"
    )
    assert not found.differences[["difference", "low", "high"]].to_numpy().any()
    assert not found.differences["decided"].any()
    assert "no difference beyond chance, with as many agent hours" in found.verdict


def test_an_agent_for_three_hours_is_judged_with_a_fiftieth_of_the_replications():
    """The paired interval holds what 40 times as many unpaired runs find, and is as narrow as 50 times as many."""
    options = {"target": "80% in 60s", "patience": Patience.exponential(300.0)}
    arrivals, service = Arrivals.piecewise(EDGES, RATES), Service.lognormal(300.0, 1.2)
    found = compare(arrivals, plans(), service, replications=100, seed=3, **options)
    row = found.differences.set_index("measure").loc["service_level"]
    long = [
        simulate(arrivals, plan, service, replications=4000, seed=seed, **options).by_replication["service_level"]
        for seed, plan in zip((11, 12), plans().values(), strict=True)
    ]
    apart = long[1].mean() - long[0].mean()
    error = math.sqrt(long[1].var() / 4000 + long[0].var() / 4000)
    paired = (row["high"] - row["low"]) / (2 * 1.984)
    assert abs(row["difference"] - apart) < 4 * math.hypot(error, paired)
    assert row["decided"]
    assert row["fewer"] > 5
    table = found.plans.set_index("plan")
    assert table["agent_hours"].diff().iloc[1] == 3.0
    assert table.loc["as it is", "service_level_low"] < long[0].mean() < table.loc["as it is", "service_level_high"]


def test_intervals_of_a_difference_hold_it_as_often_as_they_say():
    """95 % intervals of paired differences, 200 experiments: 181 to 198 hold the difference of them all."""
    service, arrivals = Service.exponential(300.0), Arrivals.piecewise(EDGES, RATES)
    intervals = [
        compare(
            arrivals, plans(), service, measures=["service_level"], replications=40, seed=seed, target="80% in 60s"
        ).differences.iloc[0]
        for seed in range(200)
    ]
    table = pd.DataFrame(intervals)
    truth = table["difference"].mean()
    hits = int(((table["low"] <= truth) & (truth <= table["high"])).sum())
    assert 181 <= hits <= 198  # binomial: under 181 or over 198 once in 1,000 and 500


def test_measures_and_plans_that_are_not_there_are_refused():
    """One plan, an unknown measure, one replication: the message says what is missing."""
    arrivals, service = Arrivals.piecewise(EDGES, RATES), Service.exponential(300.0)
    with pytest.raises(InputError, match="two plans or more"):
        compare(arrivals, {"a": Staffing.steps(EDGES, PLAN)}, service)
    with pytest.raises(InputError, match="`measures` must be among offered"):
        compare(arrivals, plans(), service, measures=["joy"])
    with pytest.raises(InputError, match="at least 2"):
        compare(arrivals, plans(), service, replications=1)


def test_controls_take_the_luck_out_and_leave_the_mean():
    """On uncertain demand the controlled mean is the long run's within its own smaller error."""
    rng = np.random.default_rng(5)
    service, plan = Service.exponential(300.0), Staffing.steps(EDGES, PLAN)

    def played(runs, seed):
        paths = RATES * rng.gamma(25, 1 / 25, (runs, 1))
        arrivals = Arrivals.piecewise(EDGES, paths, expected=float(RATES.sum() / 2))
        return simulate(
            arrivals,
            plan,
            service,
            patience=Patience.exponential(300.0),
            target="80% in 60s",
            replications=runs,
            seed=seed,
        )

    truth = played(8_000, 1).by_replication["service_level"]
    z, factors = [], []
    for seed in range(2, 42):
        found = controlled(played(100, seed))
        z.append((found["mean"] - truth.mean()) / math.hypot(found["se"], truth.std() / math.sqrt(8_000)))
        factors.append(found["factor"])
    assert max(np.abs(z)) < 4.5
    assert np.mean(np.square(z)) < 2.0
    assert np.median(factors) > 2.0
    with pytest.raises(InputError, match="at least 20"):
        controlled(played(5, 1))


def test_a_right_simulator_passes_its_own_check_and_a_wrong_one_does_not():
    """The Markov twin agrees with its equations; with handle times 10 % off the same test says so."""
    arrivals, plan = Arrivals.piecewise(EDGES, RATES), Staffing.steps(EDGES, PLAN)
    outcome = simulate(arrivals, plan, Service.lognormal(300.0, 1.0), target="80% in 60s", replications=50)
    check = self_check(outcome, replications=400)
    assert check.good
    assert check.twin == pytest.approx(check.exact, abs=0.02)
    assert "exact" in check.describe()
    wrong = check.frame["busy_h"] * 1.1
    z = (wrong - check.frame["busy_h_exact"]) / check.frame["busy_h_se"]
    assert z.abs().max() > check.limit
    with pytest.raises(InputError, match="a trace has no rates"):
        self_check(
            simulate(Arrivals.trace([10.0]), Staffing.steps([0, 60], [1]), Service.exponential(5.0), replications=2)
        )


def test_a_sweep_over_agents_is_erlang_c_in_the_long_run():
    """Mean waits of a long steady queue with 5, 6 and 7 agents are Erlang's within 5 %."""
    load, mean = 4.5, 300.0
    edges = [0.0, 4e6]
    table = sweep(
        Arrivals.piecewise(edges, [load / mean * 3600]), Staffing.steps(edges, [6]), Service.exponential(mean),
        vary={"agents": [0, 1, 2]}, replications=10,
    )  # fmt: skip
    exact = [erlang_c(load, c) * mean / (c - load) for c in (6, 7, 8)]
    np.testing.assert_allclose(table["frt_mean_s"], exact, rtol=0.05)
    assert table["agent_hours"].tolist() == pytest.approx([6 * 4e6 / 3600, 7 * 4e6 / 3600, 8 * 4e6 / 3600])


def test_a_sweep_changes_what_it_names():
    """More volume, longer handling, absence, deflection and staff move load and hours as they must."""
    arrivals, plan = Arrivals.piecewise(EDGES, RATES), Staffing.steps(EDGES, PLAN)
    base = {"replications": 40, "target": "80% in 60s", "patience": Patience.exponential(300.0)}

    def one(**vary):
        return sweep(arrivals, plan, Service.exponential(300.0), vary={k: [v] for k, v in vary.items()}, **base).iloc[0]

    same = one(volume=1.0)
    assert one(volume=1.2)["offered"] == pytest.approx(1.2 * same["offered"], rel=0.05)
    assert one(aht=1.2)["load"] == pytest.approx(1.2 * same["load"], rel=0.02)
    assert one(deflection=0.3)["offered"] == pytest.approx(0.7 * same["offered"], rel=0.05)
    assert one(absent=0.1)["load"] == pytest.approx(same["load"] / 0.9, rel=0.03)
    assert one(staff=1.5)["agent_hours"] == float(np.ceil(PLAN * 1.5).sum() / 2)
    assert one(patience=0.2)["abandoned"] > same["abandoned"]
    assert one(target="80% in 10s")["service_level"] < same["service_level"]
    with pytest.raises(InputError, match="`vary` must be of volume"):
        one(joy=1)
    with pytest.raises(InputError, match="a factor > 0"):
        one(volume=0)


def test_nothing_on_the_frontier_is_beaten():
    """Every row left out costs at least as much as one kept that does at least as well."""
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"agent_hours": rng.integers(5, 20, 60), "service_level": rng.random(60).round(2)})
    kept = frontier(table)
    assert kept["agent_hours"].is_monotonic_increasing
    assert kept["service_level"].is_monotonic_increasing
    for row in table.itertuples():
        assert ((kept["agent_hours"] <= row.agent_hours) & (kept["service_level"] >= row.service_level)).any()
    waits = frontier(table.rename(columns={"service_level": "frt_mean_s"}), figure="frt_mean_s")
    assert waits["frt_mean_s"].is_monotonic_decreasing
    with pytest.raises(InputError, match="no column 'joy'"):
        frontier(table, figure="joy")


def test_a_simulation_plays_on_until_it_is_precise_enough():
    """A wanted half-width is reached with more replications than asked, or all that are allowed are used."""
    arrivals, plan = Arrivals.piecewise(EDGES, RATES), Staffing.steps(EDGES, PLAN)
    options = {"target": "80% in 60s", "replications": 20, "seed": 4}
    wide = simulate(arrivals, plan, Service.exponential(300.0), **options).summary
    fine = simulate(arrivals, plan, Service.exponential(300.0), half_width=0.005, **options).summary
    assert (wide.service_level_high - wide.service_level_low) / 2 > 0.01
    assert (fine.service_level_high - fine.service_level_low) / 2 <= 0.005
    assert fine.replications > 20
    cut = simulate(arrivals, plan, Service.exponential(300.0), half_width=1e-6, most=60, **options).summary
    assert cut.replications == 60


def test_an_interrupted_simulation_goes_on_where_it_was(tmp_path, monkeypatch):
    """After Ctrl-C half way, only the missing chunks are played, and the bytes are those of one go."""
    from staffcast.simulation import runs

    arrivals, plan = Arrivals.piecewise(EDGES, RATES), Staffing.steps(EDGES, PLAN)
    options = {"target": "80% in 60s", "replications": 32, "seed": 4}
    whole = simulate(arrivals, plan, Service.exponential(300.0), **options)
    real, calls = runs.measure_chunk, []

    def stops(case, replications):
        calls.append(replications)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(case, replications)

    monkeypatch.setattr(runs, "measure_chunk", stops)
    with pytest.raises(KeyboardInterrupt):
        simulate(arrivals, plan, Service.exponential(300.0), resume=tmp_path / "kept", **options)
    assert len(list((tmp_path / "kept").iterdir())) == 5
    calls.clear()
    calls.extend([None] * 10)
    again = simulate(arrivals, plan, Service.exponential(300.0), resume=tmp_path / "kept", **options)
    assert len(calls) == 10 + 11
    assert (again.taken_over, whole.taken_over) == (10, 0)
    pd.testing.assert_frame_equal(again.by_interval, whole.by_interval, check_exact=True)
    assert again.summary == whole.summary
    # Another case does not take them for its own.
    other = simulate(arrivals, plan, Service.exponential(301.0), resume=tmp_path / "kept", **options)
    assert other.summary != whole.summary
    broken = next((tmp_path / "kept").iterdir())
    broken.write_bytes(b"no")

    def both():
        for service in (300.0, 301.0):
            simulate(arrivals, plan, Service.exponential(service), resume=tmp_path / "kept", **options)

    with pytest.raises(InputError, match="is not a chunk of this simulation"):
        both()
