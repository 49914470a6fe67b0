"""Queues that open: what is stated comes, what moves over is taken from where it was, and they are planned as any."""

import functools

import numpy as np
import pandas as pd
import pytest
from test_plan import ZONE, scenario, small_log

from staffcast.contracts import Calendar, InputError
from staffcast.forecast import count_quantiles, forecast
from staffcast.new_queues import open_new_queues, require_new_queues, require_open_in_time
from staffcast.plan import make_plan, predict, take_in
from staffcast.report import write_plan
from staffcast.scenario import Scenario, load_scenario

ORDERS = Calendar.parse(ZONE, {"mon-fri": "08:00-18:00", "sat": "10:00-14:00"})


@functools.cache
def past(days=70, start="2025-06-02"):
    """Two queues round the clock: 40 an hour by day and 5 by night, and a third of that."""
    ds = pd.date_range(start, periods=24 * days, freq="h", tz=ZONE, name="ds")
    rate = np.where((ds.hour >= 6) & (ds.hour < 20), 40.0, 5.0)
    parts = [
        pd.DataFrame({"unique_id": q, "ds": ds, "y": np.random.default_rng(k).poisson(rate * size).astype(float),
                      "aht_s": 300.0 * (k + 1)})
        for k, (q, size) in enumerate({"orders": 1.0, "other": 1 / 3}.items())
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


ALWAYS = Calendar(zone=ZONE)
LINE = Calendar(zone=ZONE, week=ORDERS.week, closed_arrivals="lost")
DESKS = {"always": ALWAYS, "orders": ORDERS, "line": LINE}


@functools.cache
def plain(desk="always", horizon="14d"):
    return forecast(past(), horizon, calendar=DESKS[desk], model="mean_4")


def opened(new, *, queues=None, desk="always", horizon="14d", **more):
    """The demand with one new queue ``app``."""
    rules = Scenario().with_options({"new_queues": {"app": new}, **more})
    rules = rules if queues is None else rules.with_options({"queues": {"app": queues}})
    calendars = dict.fromkeys(("orders", "other"), DESKS[desk])
    return open_new_queues(plain(desk, horizon), rules, calendars, past())


@pytest.mark.parametrize(("size", "weekly"), [({"per_week": 350}, 350), ({"per_day": 20}, 140)])
def test_stated_tickets_come_with_the_course_of_the_other_queue(size, weekly):
    """Two weeks bring twice the stated number, each interval its share of the queue that it is like, which stays."""
    found = opened({**size, "like": "orders"})
    app, orders = found.of("app"), plain().of("orders")
    np.testing.assert_allclose(app["mean"], 2 * weekly * orders["mean"] / orders["mean"].sum())
    np.testing.assert_allclose(app["aht_s"], orders["aht_s"])
    pd.testing.assert_frame_equal(found.of("orders"), orders)
    assert found.queues == ["app", "orders", "other"]
    assert list(found.frame.columns) == list(plain().frame.columns)


def test_a_short_horizon_takes_the_week_from_the_past():
    """Over two days the stated week is that of the last eight weeks: two days of like queues have 2/7 of it here."""
    found = opened({"per_week": 700, "like": "orders"}, horizon="2d")
    assert found.of("app")["mean"].sum() == pytest.approx(200, rel=0.03)


def test_what_moves_over_is_missing_where_it_was():
    """30 % of orders and 10 % of other: each interval has as many tickets as before, with their handle times."""
    found = opened({"moves": {"orders": "30%", "other": 0.1}})
    app, orders, other = (found.of(q) for q in ("app", "orders", "other"))
    before = {q: plain().of(q) for q in ("orders", "other")}
    np.testing.assert_allclose(orders["mean"], 0.7 * before["orders"]["mean"])
    np.testing.assert_allclose(other["mean"], 0.9 * before["other"]["mean"])
    both = 0.3 * before["orders"]["mean"] + 0.1 * before["other"]["mean"]
    np.testing.assert_allclose(app["mean"], both)
    work = 0.3 * before["orders"]["mean"] * 300 + 0.1 * before["other"]["mean"] * 600
    np.testing.assert_allclose(app["aht_s"], work / both, rtol=0.02)
    assert found.why["orders"]["notes"][-1] == "30 % of its tickets move to app"


def test_it_opens_on_its_day_and_grows_evenly():
    """Nothing before the day; then 1/8, 3/8, 5/8, 7/8 of the full size over four days, and all of it from the fifth."""
    first = plain().ds[0] + pd.Timedelta(days=3)
    found = opened({"moves": {"orders": "100%"}, "from": first.date(), "ramp_up": "4d"}).of("app")
    day = np.asarray((found["ds"] - first) // pd.Timedelta(days=1))
    share = found["mean"].to_numpy() / plain().of("orders")["mean"].to_numpy()
    expected = [0 if d < 0 else min((2 * d + 1) / 8, 1) for d in day]
    np.testing.assert_allclose(share, expected, atol=1e-12)
    assert (found["open"] == (day >= 0)).all()


def test_tickets_that_came_while_closed_come_to_a_new_queue_that_is_open():
    """An app round the clock that takes all of a desk's tickets has them at the hours at which they came in the log."""
    found = opened({"moves": {"orders": "100%"}}, queues={"hours": "always"}, desk="orders")
    app, orders = found.of("app"), found.of("orders")
    assert (app["carried"] == 0).all()
    before = plain("orders").of("orders")
    since = past().query("unique_id == 'orders'").set_index("ds")["y"]
    # What waited when the plan began (closed since Saturday 14:00) came before the app, and stays with the desk.
    waited = since[since.index >= since.index[-1].normalize() - pd.Timedelta(hours=10)].sum()
    assert orders["mean"].sum() == pytest.approx(waited)
    upto = np.flatnonzero(before["open"])[-1] + 1
    assert app["mean"][:upto].sum() + orders["mean"].sum() == pytest.approx(before["mean"].sum())
    hours = pd.DatetimeIndex(app["ds"]).hour
    night = app["mean"][(hours >= 20) | (hours < 6)].sum() / app["mean"].sum()
    seen = since[(since.index.hour >= 20) | (since.index.hour < 6)].sum() / since.sum()
    assert night == pytest.approx(seen, rel=0.1)


def test_a_phone_line_that_loses_callers_loses_none_to_the_app():
    """What came while closed was lost; the app gets the usual callers of those hours, the line keeps 0 then."""
    found = opened({"moves": {"orders": "50%"}}, queues={"hours": "always"}, desk="line")
    app, orders, before = found.of("app"), found.of("orders"), plain("line").of("orders")
    np.testing.assert_allclose(orders["mean"], 0.5 * before["mean"])
    night = np.asarray(pd.DatetimeIndex(app["ds"]).hour < 6)
    assert app["mean"][night].mean() == pytest.approx(2.5, rel=0.1)


def test_the_guess_is_doubted_as_stated():
    """The paths' totals scatter by the stated 40 % around the stated mean, and quantiles fit the columns."""
    found = opened({"per_week": 4000, "like": "orders", "cv": "40%"})
    app = found.of("app")
    totals = found.sample(2000, of="rates")[:, found.queues.index("app")].sum(axis=1)
    assert totals.mean() == pytest.approx(8000, rel=5 * 0.4 / np.sqrt(2000))
    assert totals.std() / totals.mean() == pytest.approx(0.4, rel=0.12)
    table = count_quantiles(app["mean"], app["rate_cv"], [0.05, 0.95])
    np.testing.assert_array_equal(app[["q05", "q95"]], table)
    assert (app["rate_cv"] >= 0.4).all()
    assert ((app["share_level"] + app["share_day"]).between(0, 1 + 1e-9)).all()


def test_who_loses_tickets_gets_the_doubt_about_how_many():
    """Half of the tickets moving, give or take 20 % of them, leaves the other half doubted by 20 % on top."""
    before, after = plain().of("orders"), opened({"moves": {"orders": "50%"}, "cv": "20%"}).of("orders")
    np.testing.assert_allclose(after["rate_cv"] ** 2, before["rate_cv"] ** 2 + 0.2**2)
    sure = opened({"moves": {"orders": "50%"}, "cv": "0%"}).of("orders")
    np.testing.assert_allclose(sure["rate_cv"], before["rate_cv"])


def test_a_queue_that_is_not_planned_still_takes_its_tickets():
    """With --skip-queues app the orders that move are gone, and app is not in the plan."""
    found = opened({"moves": {"orders": "30%"}}, skip_queues="app")
    assert found.queues == ["orders", "other"]
    np.testing.assert_allclose(found.of("orders")["mean"], 0.7 * plain().of("orders")["mean"])


def test_a_plan_with_a_new_queue(tmp_path):
    """The app is forecast, staffed to its own target, simulated and reported; with a handle time of its own."""
    (tmp_path / "s.toml").write_text(
        '[new_queues.app]\nper_week = 300\nlike = "chat"\nfrom = 2024-04-03\n'
        '[queues.app]\nfrt = "80% in 5m"\naht = "4m"\n[what_if.queues.app]\nvolume = "+50%"\n',
        encoding="utf-8",
    )
    given = load_scenario(tmp_path / "s.toml")
    rules = scenario(replications=3)
    rules = Scenario(**{**vars(rules), "new_queues": given.new_queues, "queues": given.queues,
                        "what_if": given.what_if})  # fmt: skip
    made = make_plan(small_log(), rules)
    app = made.demand.of("app")
    assert set(app.loc[app["mean"] > 0, "aht_s"]) == {240.0}
    summary = made.played.summary.set_index("unique_id")
    assert summary["target"]["app"] == "80 % in 5 min"
    # 11 of the 14 days, Wednesday to Saturday of the week after: 8 and 2 half days' worth of a desk closed on Sundays.
    assert 300 * 1.5 < app["mean"].sum() < 300 * 1.5 * 2
    assert summary["offered"]["app"] == pytest.approx(app["mean"].sum(), rel=0.3)
    needed = made.requirement.query("unique_id == 'app'")
    assert (needed.loc[needed["ds"] < pd.Timestamp("2024-04-03", tz=ZONE), "agents"] == 0).all()
    assert (needed["agents"] > 0).any()
    assert made.intake.facts["app"].handle_cv == made.intake.facts["chat"].handle_cv
    page = write_plan(made, tmp_path / "plan", source="log").read_text(encoding="utf-8")
    assert "a new queue without history: 300 tickets a week that nobody had before from 2024-04-03" in page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("new_queues = 3", "`new_queues` must be tables, one per queue"),
        ("[new_queues.app]\nlike = 'chat'", "`new_queues.app` must be per_week, per_day or moves, got 'no tickets'"),
        ("[new_queues.app]\nper_week = 10", "`new_queues.app.like` must be the name of a queue"),
        ("[new_queues.app]\nper_week = 0\nlike = 'chat'", "`new_queues.app.per_week` must be a number of tickets"),
        ("[new_queues.app]\nper_week = 'many'\nlike = 'chat'", "`new_queues.app.per_week`"),
        ("[new_queues.app]\nper_week = 5\nper_day = 1\nlike = 'chat'", "`new_queues.app.per_day` must be left out"),
        ("[new_queues.app]\nmoves = '30%'", "`new_queues.app.moves` must be shares of queues"),
        ("[new_queues.app]\nmoves = { chat = 30 }", "`new_queues.app.moves.chat` must be a share in [0, 1]"),
        ("[new_queues.app]\nmoves = { chat = 1 }\n[new_queues.bot]\nmoves = { chat = 0.2 }", "at most 100 %"),
        ("[new_queues.app]\nmoves = { chat = 0.1 }\nfrom = '1.4.2026'", "`new_queues.app.from` must be days"),
        ("[new_queues.app]\nmoves = { chat = 0.1 }\nramp_up = 4", "`new_queues.app.ramp_up`"),
        ("[new_queues.app]\nmoves = { chat = 0.1 }\ncv = 2", "`new_queues.app.cv` must be a share in [0, 1]"),
        ("[new_queues.app]\nmoves = { chat = 0.1 }\nrampup = '4w'", "did you mean `ramp_up`?"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(tmp_path, text, said):
    """Each mistake is named with its key, its value and the legal range."""
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_scenario(tmp_path / "s.toml")
    assert said in str(caught.value)


def test_what_does_not_fit_the_log_is_said():
    """A queue with a history, one like nobody, one that opens after the plan, one that never opens: each is refused."""

    def of(name="app", **new):
        return scenario(new_queues={name: {"moves": {"chat": "10%"}, **new}})

    with pytest.raises(InputError, match=r"a queue that the log does not have.*\[what_if.queues.tiny\]"):
        take_in(small_log(), of("tiny"))
    with pytest.raises(
        InputError, match=r"`new_queues.app.like` must be a queue of the log that is planned: chat, tiny"
    ):
        take_in(small_log(), of(like="chats"))
    with pytest.raises(InputError, match=r"`new_queues.app.moves` must be .* planned: tiny"):
        require_new_queues(of(like="tiny"), ["chat", "tiny"], ["tiny"])
    late = of(**{"from": "2024-04-15"})
    require_open_in_time(of(**{"from": "2024-04-13"}), pd.Timestamp("2024-03-30 23:00", tz=ZONE))
    with pytest.raises(InputError, match=r"`new_queues.app.from` must be up to the plan's end, 2024-04-13"):
        predict(take_in(small_log(), late), late)
    with pytest.raises(InputError, match=r"`new_queues.app` is not open in any interval"):
        opened({"moves": {"orders": "10%"}}, queues={"hours": {"mon": "closed"}})
