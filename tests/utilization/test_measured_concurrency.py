"""Conversations in hand, and how long one lasts beside others, against slow loops and chats of known paces."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from staffcast.tickets import read_log
from staffcast.utilization.measured import concurrency_figures
from staffcast.utilization.measured.concurrency import Stretches, aht_by_level, in_hand, rising

AHTS = (400.0, 460.0, 600.0)


def chats(seed, *, agents, per_s, n, spread):
    """Chats as (agent, begin, end): work shared among those in hand, who has fewest (and longest) takes next."""
    rng = np.random.default_rng(seed)
    pace = [AHTS[0] / each for each in AHTS]
    held, since, waiting, begun, done = [{} for _ in range(agents)], [0.0] * agents, [], {}, []
    number, arrives = 0, rng.exponential(1 / per_s)

    def advance(agent, now):
        for chat in held[agent]:
            held[agent][chat] -= pace[len(held[agent]) - 1] * (now - since[agent])
        since[agent] = now

    while len(done) < n:
        ends = [(since[a] + min(h.values()) / pace[len(h) - 1], a, min(h, key=h.get)) for a, h in enumerate(held) if h]
        first = min(ends, default=(np.inf, -1, -1))
        if arrives < first[0]:
            now, number = arrives, number + 1
            waiting.append(number)
            arrives = now + rng.exponential(1 / per_s)
        else:
            now, agent, chat = first
            advance(agent, now)
            del held[agent][chat]
            done.append((agent, begun[chat], now))
        while waiting:
            agent = min(range(agents), key=lambda a: (len(held[a]), since[a]))
            if len(held[agent]) >= len(AHTS):
                break
            advance(agent, now)
            chat = waiting.pop(0)
            begun[chat] = now
            held[agent][chat] = AHTS[0] * (
                np.exp(spread * rng.standard_normal() - spread**2 / 2) if spread else rng.exponential()
            )
    return np.array(done)


def stretches(rows):
    return Stretches(
        agent=rows[:, 0].astype(np.int64), begin=rows[:, 1], end=rows[:, 2], ended=np.ones(len(rows), dtype=bool)
    )


def test_in_hand_is_what_a_loop_over_seconds_counts():
    """Seconds with 1, 2, 3 or more in hand, and the number at each beginning, agree with going through every second."""
    rng = np.random.default_rng(3)
    n = 60
    agent, begin = rng.integers(0, 3, n), np.round(rng.uniform(0, 400, n))
    end = begin + np.round(rng.exponential(40, n))  # whole seconds: ends and beginnings coincide, some last no time
    found = in_hand(Stretches(agent=agent, begin=begin, end=end, ended=np.ones(n, dtype=bool)), most=3)
    exposure, busy = np.zeros((n, 3)), np.zeros(3)
    for who in range(3):
        for second in range(int(end.max()) + 1):
            here = [i for i in range(n) if agent[i] == who and begin[i] <= second < end[i]]
            if here:
                busy[min(len(here), 3) - 1] += 1
                exposure[here, min(len(here), 3) - 1] += 1
    assert np.array_equal(found.exposure_s, exposure)
    assert np.array_equal(found.busy_s, busy)
    lasting = end > begin
    for i in np.flatnonzero(lasting):
        others = (agent == agent[i]) & (begin < begin[i]) & (end > begin[i])
        together = ((agent == agent[i]) & (begin == begin[i])).sum()
        assert min(others.sum() + 1, 3) <= found.at_begin[i] <= min(others.sum() + together, 3)
    assert found.mean == pytest.approx(busy @ [1, 2, 3] / busy.sum())


@pytest.mark.parametrize("spread", [0.0, 0.77], ids=["exponential", "lognormal"])
def test_times_beside_others_are_found_again(spread):
    """Chats played with 400, 460 and 600 s with 1, 2, 3 in hand give these back, whatever the spread of their work."""
    found, inside = [], []
    for seed in range(24):
        rows = chats(seed, agents=6, per_s=0.8 * 6 * 3 / 600, n=1200, spread=spread)
        held = in_hand(stretches(rows), most=3)
        estimates = aht_by_level(held.exposure_s, held.at_begin, np.ones(len(rows), dtype=bool), None)
        found.append([np.log(e.value) for e in estimates])
        inside.append([e.low <= true <= e.high for e, true in zip(estimates, AHTS, strict=True)])
    found = np.array(found)
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    # The mean of 24 logarithms, with what their curvature brings (half their variance).
    assert (np.abs(found.mean(axis=0) - np.log(AHTS)) < 4 * error + found.var(axis=0)).all()
    # Of 72 intervals of 95 %, fewer than 61 are right once in ten thousand times.
    assert np.sum(inside) >= 61


def test_who_takes_longer_beside_others_is_not_taken_for_alone():
    """The plain mean length of a conversation is none of the times: it mixes numbers in hand."""
    rows = chats(1, agents=6, per_s=0.02, n=4000, spread=0.0)
    held = in_hand(stretches(rows), most=3)
    alone = aht_by_level(held.exposure_s, held.at_begin, np.ones(len(rows), dtype=bool), None)[0]
    assert (rows[:, 2] - rows[:, 1]).mean() > alone.high


def test_levels_that_never_began_are_not_invented():
    """Without a conversation that began with two in hand the times are not known."""
    found = aht_by_level(np.array([[100.0, 20.0], [90.0, 0.0]]), np.array([1, 1]), np.array([True, True]), None)
    assert [np.isnan(e.value) for e in found] == [True, True]
    assert [e.n for e in found] == [2, 0]


def test_pooling_is_isotonic_regression():
    """Times made not to fall are the least-squares ones, as scipy has them."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        values, weights = rng.normal(size=6).cumsum(), rng.uniform(0.1, 3, 6)
        assert rising(values, weights) == pytest.approx(optimize.isotonic_regression(values, weights=weights).x)


def chat_log(rows, **columns):
    origin = pd.Timestamp("2026-03-02 00:00", tz="UTC")
    frame = pd.DataFrame({
        "ticket_id": np.arange(len(rows)).astype(str), "queue": "chat", "agent": rows[:, 0].astype(int).astype(str),
        "created_at": origin + pd.to_timedelta(rows[:, 1] - 5, unit="s"),
        "first_response_at": origin + pd.to_timedelta(rows[:, 1], unit="s"),
        "resolved_at": origin + pd.to_timedelta(rows[:, 2], unit="s"), **columns,
    })  # fmt: skip
    return read_log(frame, zone="UTC")


def figures_of(log):
    found = concurrency_figures(log, ["chat"], since=log.frame["created_at"].min())["chat"]
    return {(figure.measure, figure.at): figure for figure in found}


def test_a_log_of_chats_tells_its_concurrency():
    """Three in hand at most, each time that of the conversations themselves, and the shares of time sum to 1."""
    rows = chats(7, agents=6, per_s=0.8 * 6 * 3 / 600, n=3000, spread=0.77)
    found = figures_of(chat_log(rows))
    assert found["concurrency", ""].value == 3
    held = in_hand(stretches(rows), most=3)
    for j, direct in enumerate(aht_by_level(held.exposure_s, held.at_begin, np.ones(3000, dtype=bool), None), start=1):
        assert found["aht_in_hand", str(j)].value == pytest.approx(direct.value, rel=1e-6)
    assert sum(f.value for (name, _), f in found.items() if name == "in_hand_share") == pytest.approx(1)


def test_handle_times_one_after_the_other_are_one_at_a_time():
    """Conversations that overlap while their handle times do not are worked one by one: concurrency is 1."""
    begin = np.arange(0, 60_000, 200.0)
    rows = np.column_stack([np.zeros(len(begin)), begin, begin + 500])
    apart = figures_of(chat_log(rows, handle_s=150.0))
    assert apart["concurrency", ""].value == 1
    assert "one after the other" in apart["concurrency", ""].note
    assert ("aht_in_hand", "1") not in apart
    assert apart["in_hand_mean", ""].value == pytest.approx(2.5, abs=0.05)
    assert figures_of(chat_log(rows, handle_s=500.0))["concurrency", ""].value > 1


@pytest.mark.parametrize(("hours", "short"), [(8, 4), (30, 4), (30, 17)])
def test_tickets_of_days_are_no_conversations(hours, short):
    """Tickets open for hours or days are a backlog: no concurrency is made of them, nor of the short ones."""
    begin = np.arange(0, 500_000, 1000.0)
    lasts = np.where(np.arange(500) % 20 < short, 600.0, 3600.0 * hours)
    found = figures_of(chat_log(np.column_stack([np.zeros(len(begin)), begin, begin + lasts])))
    assert np.isnan(found["concurrency", ""].value)
    assert "backlog" in found["concurrency", ""].note
    assert ("aht_in_hand", "1") not in found


def test_a_log_without_agents_says_what_it_lacks():
    """Without the column agent nothing is made up, and the column is named."""
    log = chat_log(np.array([[0, 10.0, 20.0], [0, 40.0, 50.0]]))
    frame = log.frame.drop(columns="agent")
    bare = read_log(frame, zone="UTC")
    (figure,) = concurrency_figures(bare, ["chat"], since=frame["created_at"].min())["chat"]
    assert np.isnan(figure.value)
    assert figure.note == "needs agent"
