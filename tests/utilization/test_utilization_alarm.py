"""The alarm on desks that are played agent by agent: before the break, and not without one."""

import numpy as np
import pandas as pd
import pytest
from alarm_desk import as_of, desk_log

from staffcast.contracts import Calendar, InputError, Target
from staffcast.utilization import backlog_alarm, response_times

HOURS = Calendar.parse("UTC", {"mon-sun": "09:00-17:00"})
TARGET = Target.parse("90% in 4h")
START = pd.Timestamp("2025-03-03", tz="UTC")


def day(k):
    return START + pd.Timedelta(days=k)


def breaks_on(log):
    """First day on which more than a tenth of the tickets waited longer than four open hours."""
    timed = response_times(log, {"desk": HOURS})
    of = (timed["created_at"] - START).dt.days
    late = (timed["frt_s"] > 4 * 3600).groupby(of).mean()
    return int(late[late > 0.1].index.min())


def looked(log, k, **options):
    return backlog_alarm(as_of(log, day(k)), HOURS, "desk", TARGET, paths=200, **options)


def test_the_alarm_comes_before_the_break():
    """As demand outgrows the crew by 1 % a day, nine of ten desks are warned by the morning of the day that breaks."""
    warned, lead = 0, []
    for seed in range(10):
        log = desk_log(seed, growth=0.01, days=84)
        broke = breaks_on(log)
        first = next((k for k in range(broke - 8, broke + 1) if looked(log, k).state != "calm"), None)
        warned += first is not None
        lead += [] if first is None else [broke - first]
    assert warned >= 9
    assert np.mean(lead) >= 1


def test_a_calm_desk_is_left_in_peace():
    """Of 40 mornings of desks at 83 % of their capacity at most two raise an alarm."""
    logs = [desk_log(100 + seed, per_day=100, days=63) for seed in range(8)]
    false = sum(looked(log, k).state != "calm" for log in logs for k in (30, 38, 46, 54, 62))
    assert false <= 2


def test_what_it_says_of_a_desk():
    """Arrivals, capacity and backlog are those that the desk was made with; one far behind is broken."""
    log = desk_log(3, per_day=105, days=56)
    found = looked(log, 50)
    assert found.arrivals_per_day == pytest.approx(105, rel=0.1)
    assert found.capacity_per_day == pytest.approx(120, rel=0.1)
    assert found.growth_low < 0 < found.growth_high
    assert found.waiting == (as_of(log, day(50)).frame["first_response_at"].isna()).sum()
    assert len(found.days) == 7
    assert found.days["date"].iloc[0] == "2025-04-22"
    behind = looked(desk_log(4, per_day=150, days=50), 45)
    assert behind.state == "broken"
    assert behind.growth_low > 0
    # 30 more come each day than can be answered: after 45 days some 1,350 wait, for eleven days of eight hours.
    assert behind.wait_now_s == pytest.approx(behind.waiting / 120 * 8 * 3600, rel=0.15)
    assert "is broken now" in behind.sentence(TARGET)
    assert "calm" in found.sentence(TARGET)


def test_short_targets_are_judged_by_overload():
    """A target of a minute is broken by what a day leaves over, in open hours, and never by a night."""
    minute = Target.parse("80% in 60s")
    for hour in (0, 12, 22):
        log = as_of(desk_log(101, days=63), day(50) + pd.Timedelta(hours=hour))
        for clock in ("business", "calendar"):
            calm = backlog_alarm(log, HOURS, "desk", minute, clock=clock, paths=100)
            assert (calm.state, calm.overload_only) == ("calm", True)
    nights = backlog_alarm(log, HOURS, "desk", TARGET, clock="calendar", paths=100)
    assert (nights.state, nights.overload_only) == ("calm", True)
    growing = desk_log(0, growth=0.01, days=84)
    warned = backlog_alarm(as_of(growing, day(56)), HOURS, "desk", minute, paths=200)
    assert warned.state == "alarm"
    assert 9 <= warned.when.hour < 17
    assert "overload will break" in warned.sentence(minute)
    behind = backlog_alarm(as_of(growing, day(60)), HOURS, "desk", minute, paths=100)
    assert (behind.state, behind.when) == ("broken", day(60))


def test_it_does_not_depend_on_anything_but_the_log_and_the_seed():
    """The same log gives the same alarm; a shorter target breaks no later than a longer one."""
    log = desk_log(5, growth=0.02, days=60)
    assert looked(log, 45).probability == looked(log, 45).probability
    short, long = (
        backlog_alarm(as_of(log, day(45)), HOURS, "desk", Target.parse(t), paths=200).probability
        for t in ("90% in 2h", "90% in 6h")
    )
    assert short >= long


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"horizon_days": 0}, "`horizon_days` must be"),
        ({"certainty": 1.0}, "`certainty` must be in"),
        ({"weeks": 99}, "`weeks` must be"),
    ],
)
def test_bad_arguments_are_named(options, says):
    """Each argument outside its range is refused by name."""
    with pytest.raises(InputError, match=says):
        backlog_alarm(desk_log(1, days=10), HOURS, "desk", TARGET, **options)


def test_too_little_to_judge_by():
    """Less than a week of a queue, or one that nobody ever answered, gives no alarm but a reason."""
    with pytest.raises(InputError, match="less than a week"):
        backlog_alarm(desk_log(1, days=5), HOURS, "desk", TARGET)
    log = desk_log(1, days=10)
    never = log.frame["created_at"].mask(log.frame["created_at"].notna())
    silent = log.frame.assign(first_response_at=never, resolved_at=never)
    with pytest.raises(InputError, match="nobody was ever answered"):
        backlog_alarm(type(log)(frame=silent, zone="UTC"), HOURS, "desk", TARGET)
