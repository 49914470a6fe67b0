"""What waits at an opening and how long it takes to clear, against laws known in closed form and slow loops."""

import numpy as np
import pytest
from scipy import stats

from staffcast.contracts import InputError
from staffcast.simulation import Arrivals, Bot, Service, Staffing, simulate
from staffcast.simulation.openings import share_bounds

HOUR = 3600.0


def within(found, error, exact, limit=4.0):
    assert abs(found - exact) < limit * error, (found, exact, error)


def test_a_night_s_tickets_wait_at_the_opening_as_poisson_says():
    """Nobody answers for ten hours: who waits at the opening is Poisson, and so is the share of openings above N."""
    edges = np.arange(13) * HOUR
    plan = Staffing.steps(edges, [0] * 10 + [9, 9])
    runs = 2000
    outcome = simulate(Arrivals.piecewise(edges, [1.2] * 12), plan, Service.exponential(300.0), replications=runs)
    law = stats.poisson(12)
    for above in (8, 12, 20):
        row = outcome.openings(above=above).iloc[0]
        exact = law.sf(above)
        within(row["p_above"], np.sqrt(exact * (1 - exact) / runs), exact)
        assert row["p_above_low"] < exact < row["p_above_high"] or above == 20
    row = outcome.openings().iloc[0]
    assert (row["start_s"], row["above"]) == (10 * HOUR, 9)
    within(row["waiting_mean"], np.sqrt(12 / runs), 12)
    found = row[["waiting_p50", "waiting_p90", "waiting_p95"]].tolist()
    assert found == pytest.approx(law.ppf([0.5, 0.9, 0.95]), abs=1)
    assert outcome.summary.opening_mean == pytest.approx(row["waiting_mean"])
    assert outcome.summary.opening_above == pytest.approx(row["p_above"])


def test_a_backlog_clears_as_a_pure_death_process():
    """While any wait, s agents finish a Poisson number: when at most c wait is known without simulating."""
    backlog, agents, mean, to, runs = 40, 5, 600.0, 3, 3000
    edges = np.arange(41) * 300.0
    outcome = simulate(
        Arrivals.piecewise(edges, np.zeros(40)), Staffing.steps(edges, [agents] * 40), Service.exponential(mean),
        backlog=backlog, replications=runs,
    )  # fmt: skip
    row = outcome.openings(to=to).iloc[0]
    assert (row["start_s"], row["waiting_mean"]) == (0.0, backlog)
    done = stats.poisson(agents / mean * edges[1:]).sf(backlog - agents - to - 1)
    law = np.diff(np.concatenate(([0.0], done)))
    mean_s = float(law @ edges[1:]) + (1 - done[-1]) * edges[-1]
    within(row["clear_mean_s"], row["clear_mean_s_se"], mean_s)
    for level, name in ((0.5, "clear_p50_s"), (0.9, "clear_p90_s")):
        assert row[name] == edges[1:][np.argmax(done >= level)]
    assert row["p_never"] == pytest.approx(1 - done[-1], abs=4 * np.sqrt(1 / runs) * 0.1)


def test_what_is_released_at_the_opening_waits_there():
    """Lumps stand at the opening as they are drawn, with and without a bot: as many as arrive at that very instant."""
    edges = np.arange(7) * HOUR
    arrivals = Arrivals.piecewise(edges, [0, 0, 6, 0, 6, 6], lumps=[0, 0, 9, 0, 5, 0])
    plan = Staffing.steps(edges, [0, 0, 1, 0, 1, 1])
    for bot in (None, Bot(share=0.4)):
        outcome = simulate(arrivals, plan, Service.exponential(900.0), replications=40, bot=bot, backlog=2)
        frame = outcome.openings()
        assert frame["start_s"].tolist() == [2 * HOUR, 4 * HOUR]
        waiting = np.array(
            [
                [((t["arrival_s"] <= at) & (t["arrival_s"] + t["wait_s"] >= at)).sum() for at in frame["start_s"]]
                for t in (outcome.tickets(r) for r in range(40))
            ]
        )
        assert frame["waiting_mean"].to_numpy() == pytest.approx(waiting.mean(axis=0))


def test_a_bot_has_had_its_time_with_what_is_released_at_the_opening():
    """However long the bot holds a ticket, who came in the night waits at the opening, and later tickets come later."""
    edges = np.arange(5) * HOUR
    plan = Staffing.steps(edges, [0, 3, 3, 3])
    arrivals = Arrivals.piecewise(edges, [0, 30, 30, 0], lumps=[0, 15, 0, 0])
    frames, came = {}, {}
    for handover in (0.0, 600.0):
        outcome = simulate(
            arrivals, plan, Service.exponential(300.0), bot=Bot(share=0.2, handover_s=handover), replications=400
        )
        frames[handover], came[handover] = outcome.openings(above=9).iloc[0], outcome.tickets(0)["arrival_s"].to_numpy()
    within(frames[600.0]["waiting_mean"], np.sqrt(12 / 400), 12)
    exact = stats.poisson(12).sf(9)
    within(frames[600.0]["p_above"], np.sqrt(exact * (1 - exact) / 400), exact)
    assert frames[600.0]["waiting_mean"] == frames[0.0]["waiting_mean"]
    assert frames[600.0]["clear_mean_s"] > 0
    usual = came[0.0]
    expected = np.sort(np.where(usual == HOUR, usual, usual + 600))
    assert (usual == HOUR).any()
    assert came[600.0] == pytest.approx(expected)


def test_what_is_taken_at_the_opening_itself_is_cleared_at_once():
    """As many as there are people need no time; one more, or people who were there before, and the grid tells."""
    edges = np.arange(4) * HOUR
    for tickets, agents, seconds in ((3, [0, 3, 3], 0), (4, [0, 3, 3], HOUR), (3, [0, 2, 3], HOUR), (0, [0, 1, 1], 0)):
        plan = Staffing.steps(edges, agents)
        outcome = simulate(Arrivals.trace([60.0] * tickets), plan, Service.deterministic(600.0), replications=1)
        assert outcome.openings()["clear_p50_s"].tolist() == [seconds]
        assert outcome.openings(to=1)["clear_p50_s"].tolist() == [0]
        assert outcome.summary.clear_mean_s == seconds


def test_openings_are_where_somebody_begins_to_answer():
    """Closed by the plan or by business hours; a queue that never closes has one at the start of each day."""
    edges = np.arange(9) * 6 * HOUR
    rates, service = Arrivals.piecewise(edges, [1.0] * 8), Service.exponential(60.0)
    at = lambda agents, **more: (  # noqa: E731 - one line, used below
        simulate(rates, Staffing.steps(edges, agents), service, replications=1, **more).openings()["start_s"] / HOUR
    ).tolist()
    assert at([1] * 8) == [0, 24]
    assert at([1, 1, 1, 0, 0, 1, 0, 1]) == [0, 30, 42]
    assert at([1] * 8, opened=[False, True, True, True, False, True, True, True]) == [6, 30]
    assert at([0] * 8) == []
    assert np.isnan(simulate(rates, Staffing.steps(edges, [0] * 8), service, replications=2).summary.opening_mean)


def test_the_peak_of_a_day_clears_as_a_slow_loop_says():
    """Largest queue of each day and the time from there on, replication by replication."""
    edges = np.arange(49) * HOUR
    agents = ([0] * 8 + [2] * 10 + [0] * 6) * 2
    outcome = simulate(
        Arrivals.piecewise(edges, ([0.3] * 8 + [9.0] * 4 + [3.0] * 6 + [0.2] * 6) * 2), Staffing.steps(edges, agents),
        Service.exponential(900.0), replications=60,
    )  # fmt: skip
    frame = outcome.clearing(to=1)
    for day in range(2):
        peaks, times, never = [], [], 0
        for row in outcome.queue_end:
            place = max(range(24 * day, 24 * day + 24), key=lambda k: (row[k], -k))
            peaks.append(row[place])
            later = [k for k in range(place, 48) if row[k] <= 1]
            never += not later
            times.append(edges[later[0] + 1] - edges[place + 1] if later else edges[-1] - edges[place + 1])
        assert frame["peak_mean"][day] == pytest.approx(np.mean(peaks))
        assert frame["clear_mean_s"][day] == pytest.approx(np.mean(times))
        assert frame["p_never"][day] == pytest.approx(never / 60)


def test_an_exact_interval_of_a_share_is_that_of_the_binomial():
    """The ends are where the binomial's tails are 2.5 %; none and all have an end at 0 and at 1."""
    low, high = share_bounds([0, 7, 50], 50)
    assert (low[0], high[2]) == (0.0, 1.0)
    assert stats.binom(50, low[1]).sf(6) == pytest.approx(0.025)
    assert stats.binom(50, high[1]).cdf(7) == pytest.approx(0.025)


@pytest.mark.parametrize("bad", [{"above": -1}, {"above": "many"}, {"to": float("nan")}, {"above": True}])
def test_what_is_no_number_of_tickets_is_refused(bad):
    """The error names the parameter."""
    rates, plan = Arrivals.piecewise([0.0, HOUR], [1]), Staffing.steps([0.0, HOUR], [1])
    outcome = simulate(rates, plan, Service.exponential(9), replications=1)
    with pytest.raises(InputError, match=next(iter(bad))):
        outcome.openings(**bad)
