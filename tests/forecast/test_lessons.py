"""A desk's own events: taken out of what is learnt, put back into what is expected; outages left out."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from forecast_series import BERLIN, expect, frame, grid, poisson, weekly_rate
from hypothesis import given, settings
from hypothesis import strategies as st

from staffcast.contracts import Calendar, Event
from staffcast.forecast.past.days import Days, Grid
from staffcast.forecast.past.lessons import Lessons, draw_lessons, learn_events

START = dt.date(2025, 6, 2)


def day(number):
    return START + dt.timedelta(days=number)


def event(name, *numbers, **more):
    return Event(name=name, days=frozenset(day(n) for n in numbers), **more)


def laid_out(daily, *events, holidays=None, hours=None):
    """A past of whole days, each with its tickets spread evenly over 24 hours unless given by the hour."""
    table = np.repeat(np.asarray(daily, dtype=float)[:, None] / 24, 24, axis=1) if hours is None else hours
    ds = grid(len(table), zone="UTC")
    calendar = Calendar(events=events, holidays=holidays or {})
    return Days.of(Grid.of(ds, calendar, 60), table.ravel())


def dates(*numbers):
    return np.array([day(n) for n in numbers], dtype="datetime64[D]")


def test_without_events_the_past_comes_back_as_it_is():
    """Nothing to take out: the same object, no factors, nothing said."""
    past = laid_out(np.full(40, 240.0))
    lessons = learn_events(past)
    assert lessons.past is past
    assert (lessons.factors, lessons.learnt, lessons.describe()) == ({}, {}, [])
    assert lessons.uplift(past.dates).tolist() == [1.0] * 40


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.1, 20), min_size=1, max_size=3), st.integers(0, 5))
def test_a_stated_factor_is_divided_out_and_put_back(factors, seed):
    """Past ÷ factor on the event's days, × factor on all its days again: nothing is lost, no other day is touched."""
    events = [event(f"e{k}", 3 * k + 5, 3 * k + 6, 60 + k, factor=f) for k, f in enumerate(factors)]
    counts = np.random.default_rng(seed).poisson(9.0, (40, 24)).astype(float)
    past = laid_out(None, *events, hours=counts)
    lessons = learn_events(past)
    np.testing.assert_allclose(lessons.past.rates * lessons.uplift(past.dates)[:, None], counts)
    for k, factor in enumerate(factors):
        np.testing.assert_allclose(lessons.past.rates[3 * k + 5], counts[3 * k + 5] / factor)
        assert lessons.uplift(dates(60 + k)) == pytest.approx(factor)
    untouched = np.setdiff1d(np.arange(40), [3 * k + j for k in range(len(factors)) for j in (5, 6)])
    assert (lessons.past.rates[untouched] == counts[untouched]).all()
    assert past.rates is not lessons.past.rates
    np.testing.assert_array_equal(past.rates, counts)


@pytest.mark.parametrize("name", ["seasonal_naive", "mean_4", "house"])
def test_a_model_learns_as_if_the_event_had_not_been(name):
    """An exactly doubled day with its factor stated gives the forecast without it, and doubles the next."""
    ds = grid(70)
    plain = weekly_rate(ds)
    local = Calendar(zone=BERLIN).day(ds)
    doubled = np.where(np.isin(local, dates(66)), 2 * plain, plain)
    without, ahead = expect(name, frame(ds, plain), Calendar(zone=BERLIN))
    campaign = event("campaign", 66, 73, factor=2.0)
    found, _ = expect(name, frame(ds, doubled), Calendar(zone=BERLIN, events=(campaign,)))
    on = np.isin(Calendar(zone=BERLIN).day(ahead), dates(73))
    np.testing.assert_allclose(found, np.where(on, 2 * without, without), rtol=1e-9)


def test_a_learnt_factor_is_near_the_truth():
    """Six past days of a campaign of +60 %: on average over 60 histories what theory says, which is near 1.6."""
    rng = np.random.default_rng(5)
    truth, on = 1.6, [10, 18, 26, 34, 42, 50]
    mean = np.full((70, 24), 20.0)
    mean[on] *= truth
    found = []
    for _ in range(60):
        lessons = learn_events(laid_out(None, event("campaign", *on), hours=rng.poisson(mean).astype(float)))
        found.append(lessons.factors["campaign"])
        assert lessons.learnt == {"campaign": 6}
    off, error = np.mean(found) - truth, np.std(found) / np.sqrt(len(found))
    # 30 tickets more on both sides take (truth − 1) · 30 ÷ (6 · 480 + 30) away; medians of Poisson counts lie a third
    # of a ticket lower than their means, of 480.
    assert abs(off + 0.6 * 30 / (6 * 480 + 30)) < 4 * error + 0.6 / 480
    assert np.std(found) < 2 * truth * np.sqrt(1 / (6 * 480 * truth) + 1.6 / (9 * 480))


@pytest.mark.parametrize(
    ("usual", "came", "on", "says"),
    [
        (2, 10, (20,), 40 / 32), (2, 0, (20,), 30 / 32), (100, 200, (20,), 230 / 130),
        (100, 200, (20, 27, 33), 630 / 330), (3000, 6000, (20,), 6030 / 3030),
    ],
)  # fmt: skip
def test_few_tickets_are_believed_little(usual, came, on, says):
    """By hand: Σ came and Σ usual, each with 30 tickets more."""
    daily = np.full(60, float(usual))
    daily[list(on)] = came
    lessons = learn_events(laid_out(daily, event("release", *on)))
    assert lessons.factors["release"] == pytest.approx(says)
    days = f"{len(on)} day{'s' if len(on) > 1 else ''}"
    assert lessons.describe() == [f"release: × {says:.2f}, learnt from {days}"]


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1000), st.floats(0, 1000), st.integers(1, 4))
def test_a_learnt_factor_lies_between_no_change_and_what_was_seen(usual, came, times):
    """Shrinking never overshoots: between 1 and came ÷ usual, and with more days no nearer to 1."""
    daily = np.full(60, usual)
    on = [9, 18, 27, 36][:times]
    daily[on] = came
    factor = learn_events(laid_out(daily, event("e", *on))).factors["e"]
    ratio = came / usual if usual > 0 else np.inf
    assert min(1, ratio) - 1e-9 <= factor <= max(1, ratio) + 1e-9
    if times > 1:
        fewer = learn_events(laid_out(daily, event("e", on[0]), event("others", *on[1:], factor=1.0))).factors["e"]
        assert abs(np.log(fewer)) <= abs(np.log(factor)) + 1e-9


@pytest.mark.parametrize(("came", "says"), [(1e6, 10.0), (0.0, 0.1)])
def test_no_event_changes_a_desk_more_than_tenfold(came, says):
    """A log error on the day of a release must not multiply the next one by a thousand."""
    daily = np.full(60, 5000.0)
    daily[20] = came
    assert learn_events(laid_out(daily, event("release", 20))).factors["release"] == pytest.approx(says)


def test_an_event_is_held_against_plain_days_of_its_weekday():
    """Tuesdays have 100, other days 500; other events, holidays and far-off weeks do not count as usual Tuesdays."""
    daily = np.where(np.arange(140) % 7 == 1, 100.0, 500.0)
    daily[[1, 8, 15, 22, 106, 113, 120, 127]] = 9999.0  # more than five weeks away from day 64
    daily[[57, 50]], daily[[71, 78]] = 7000.0, 0.0  # another event, holidays
    daily[64] = 200.0
    past = laid_out(
        daily, event("sale", 64), event("other", 50, 57, factor=3.0),
        holidays={day(71): "Ascension", day(78): "Corpus Christi"},
    )  # fmt: skip
    assert learn_events(past).factors["sale"] == pytest.approx((200 + 30) / (100 + 30))


def test_a_past_day_with_a_gap_teaches_nothing():
    """Half a day known is not half an event: the day is left out of learning the factor."""
    counts = np.full((60, 24), 10.0)
    counts[[20, 30]] *= 2
    counts[30, 5:] = np.nan
    lessons = learn_events(laid_out(None, event("sale", 20, 30), hours=counts))
    assert lessons.learnt == {"sale": 1}
    assert lessons.factors["sale"] == pytest.approx(510 / 270)


def test_what_happened_once_is_not_learnt():
    """A strike's days are not known to the models, change no coming day, and that is said."""
    counts = np.random.default_rng(2).poisson(10.0, (60, 24)).astype(float)
    counts[40:43] = 0
    strike = event("strike", 40, 41, 42, 70, once=True)
    lessons = learn_events(laid_out(None, strike, hours=counts))
    assert np.flatnonzero(np.isnan(lessons.past.rates).any(axis=1)).tolist() == [40, 41, 42]
    assert np.isnan(lessons.past.rates[40:43]).all()
    assert (lessons.uplift(dates(41, 70)) == 1).all()
    assert lessons.describe() == ["strike: not learnt from, and not expected again"]


def test_a_model_forecasts_past_a_strike_as_if_it_were_not_known():
    """Days marked as once and days without counts give the same forecast."""
    series = poisson(84)
    local = Calendar(zone=BERLIN).day(pd.DatetimeIndex(series["ds"]))
    on = np.isin(local, dates(79, 80))
    gone = series.assign(y=np.where(on, 0.0, series["y"]))
    empty = series.assign(y=np.where(on, np.nan, series["y"]))
    with_event = Calendar(zone=BERLIN, events=(event("strike", 79, 80, once=True),))
    np.testing.assert_allclose(
        expect("house", gone, with_event)[0], expect("house", empty, Calendar(zone=BERLIN))[0], rtol=1e-12
    )
    assert expect("house", gone, Calendar(zone=BERLIN))[0].sum() < expect("house", gone, with_event)[0].sum()


def test_an_event_that_never_was_changes_nothing():
    """Without a past day its factor is 1, and the planner is told to state one."""
    past = laid_out(np.full(40, 100.0), event("launch", 50))
    lessons = learn_events(past)
    np.testing.assert_array_equal(lessons.past.rates, past.rates)
    assert (lessons.factors["launch"], lessons.learnt["launch"], lessons.uplift(dates(50)).tolist()) == (1.0, 0, [1.0])
    assert lessons.describe() == ["launch: no past day to learn from, taken as no change; state a factor"]


def test_the_next_event_is_forecast_with_what_the_past_ones_taught():
    """The house model expects on a coming campaign day what it expects of the day, times the learnt factor."""
    ds = grid(98)
    rng = np.random.default_rng(9)
    mean = weekly_rate(ds, level=60)
    past_days = (30, 51, 72, 90)
    on = np.isin(Calendar(zone=BERLIN).day(ds), dates(*past_days))
    series = frame(ds, rng.poisson(np.where(on, 1.5 * mean, mean)))
    coming, ahead = expect("house", series, Calendar(zone=BERLIN, events=(event("sale", *past_days, 102),)))
    without, _ = expect("house", series, Calendar(zone=BERLIN, events=(event("sale", *past_days),)))
    there = np.isin(Calendar(zone=BERLIN).day(ahead), dates(102))
    np.testing.assert_allclose(coming[~there], without[~there])
    ratio = coming[there] / without[there]
    assert np.ptp(ratio) < 1e-9
    assert ratio[0] == pytest.approx(1.5, abs=0.03)
    assert coming[there].sum() == pytest.approx(1.5 * weekly_rate(ahead, level=60)[there].sum(), rel=0.06)


def outage_counts(days=84, level=30.0):
    return np.random.default_rng(3).poisson(level, (days, 24)).astype(float)


def drawn(counts, *events):
    past = laid_out(None, *events, hours=counts)
    return draw_lessons(past, np.ones_like(counts))


def test_an_outage_is_left_out_and_said():
    """Four dead hours are not learnt from and named; every other count is kept as it is, also in the past itself."""
    counts = outage_counts()
    counts[60, 10:14] = 0
    past = laid_out(None, hours=counts)
    lessons = draw_lessons(past, np.ones_like(counts))
    gone = np.isnan(lessons.past.rates)
    assert gone[60, 10:14].all()
    assert gone.sum() - 4 <= 2  # what follows an outage may be its rebound
    np.testing.assert_array_equal(lessons.past.rates[~gone], counts[~gone])
    assert not np.isnan(past.rates).any()
    assert "2025-08-01 10:00–14:00: 0 tickets where " in lessons.describe()[0]
    assert "outage" in lessons.describe()[0]


def test_nothing_is_left_out_of_a_quiet_past():
    """Poisson counts alone: the past comes through whole."""
    counts = outage_counts()
    lessons = drawn(counts)
    np.testing.assert_array_equal(lessons.past.rates, counts)
    assert lessons.anomalies == ()


def test_a_known_event_is_no_strange_day():
    """A tripled day is left out as strange; with the event named, it is learnt from."""
    counts = outage_counts()
    counts[60] = np.random.default_rng(4).poisson(90.0, 24)
    assert np.isnan(drawn(counts).past.rates[60]).all()
    lessons = drawn(counts, event("sale", 60))
    assert not np.isnan(lessons.past.rates).any()
    assert lessons.anomalies == ()
    assert lessons.factors["sale"] == pytest.approx(3, abs=0.25)
    assert lessons.past.rates[60].mean() == pytest.approx(30, rel=0.1)


def test_only_the_last_five_anomalies_are_told():
    """A long history does not bury what matters; how many more there were is said."""
    past = laid_out(np.full(20, 100.0), event("sale", 30, factor=1.2))
    lessons = Lessons(past=past, factors={"sale": 1.2}, learnt={}, anomalies=tuple("abcdefgh"))
    assert lessons.describe() == ["d", "e", "f", "g", "h", "and 3 earlier ones", "sale: × 1.20, as stated"]


def test_two_events_on_one_day_share_what_came():
    """Stated × 2 and another on the same day, which had three times the usual: together they are three, not six."""
    daily = np.full(84, 24_000.0)
    daily[29] = 72_000.0
    lessons = learn_events(laid_out(daily, event("sale", 29, factor=2.0), event("release", 29)))
    assert lessons.uplift(dates(29)) == pytest.approx(3, rel=0.01)
    assert lessons.past.rates[29, 0] == pytest.approx(1000, rel=0.01)


def test_an_empty_night_hour_of_a_young_queue_is_no_clock_change():
    """A 0 at 02:00 on the last Sunday of September, in an event of a queue five days old, is a 0."""
    counts = np.full((5, 24), 5.0)
    counts[2, 2] = 0
    ds = grid(5, start="2025-09-26", zone="UTC")
    sale = Event(name="sale", days=frozenset({dt.date(2025, 9, 28)}), factor=1.0)
    past = Days.of(Grid.of(ds, Calendar(events=(sale,)), 60), counts.ravel())
    assert draw_lessons(past, np.ones_like(counts)).anomalies == ()
