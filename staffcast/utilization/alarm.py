"""Say that first responses will break before they do: from what comes, what gets done, and what waits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from staffcast.contracts import Calendar, InputError, Target, bad_value, format_duration, interval_grid
from staffcast.tickets import TicketLog

__all__ = ["BacklogAlarm", "backlog_alarm"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_HOUR_S = 3600.0
_AT_ONCE_S = 1.0
_FEWEST_DAYS = 7
# A slope of more than 2 % a day that lasts is rare: the prior keeps a few odd days from being taken for one.
_SLOPE_SD = 0.02
# Hours of the pooled rate that an hour of the day's own rate is mixed with.
_POOLED_H = 2.0
_POOLED_DAYS = 2.0
# Hours of work left at closing that are overload: after holidays, desks with enough people end a day with one.
_MUCH_H = 2.0
# Fewer tickets than these are no overload, however slow the desk.
_FEWEST_LEFT = 2.0


@dataclass(frozen=True, kw_only=True)
class BacklogAlarm:
    """What is expected of one queue's first responses.

    Attributes
    ----------
    queue : str
    at : Timestamp
        What came before was known.
    state : {"calm", "alarm", "broken"}
        ``broken``: who comes now waits longer than the target's time already; with ``overload_only`` more than two
        hours' work was left at the last closing (now, on a desk that never closes) and still waits.
    waiting : int
        Tickets without a first reply now.
    wait_now_s : float
        How long who comes now will wait, by the clock's hours, if nothing changes.
    arrivals_per_day, capacity_per_day : float
        Expected of the horizon.
    growth, growth_low, growth_high : float
        Tickets a day by which the backlog grew in the last two weeks, with a 95 % interval.
    when : Timestamp or None
        Open hour in which it breaks; of the paths that break, the median. ``at`` if it is broken.
    probability : float
        That a day of the horizon misses the target.
    overload_only : bool
        The target is shorter than what is seen hour by hour (below an hour, or on the calendar's clock below the
        longest time closed): a day breaks it when its opening ends with more than two hours' work left.
    days : DataFrame
        ``date, probability, waiting`` (mean at the day's end) for each day to come.
    """

    queue: str
    at: pd.Timestamp
    state: Literal["calm", "alarm", "broken"]
    waiting: int
    wait_now_s: float
    arrivals_per_day: float
    capacity_per_day: float
    growth: float
    growth_low: float
    growth_high: float
    when: pd.Timestamp | None
    probability: float
    days: pd.DataFrame
    overload_only: bool = False

    def sentence(self, target: Target) -> str:
        """Say it in one line."""
        facts = (
            f"{self.waiting} wait; {self.arrivals_per_day:.0f} a day come and {self.capacity_per_day:.0f} can be "
            f"answered; the backlog changes by {self.growth:+.1f} a day "
            f"({self.growth_low:+.1f} to {self.growth_high:+.1f})"
        )
        if self.state == "broken":
            wait = format_duration(self.wait_now_s)
            return f"{self.queue}: {target} is broken now, a new ticket waits {wait}; {facts}"
        if self.state == "alarm" and self.when is not None:
            chance = f"{100 * self.probability:.0f} % within the horizon"
            how = "overload will break " if self.overload_only else ""
            verb = "" if self.overload_only else " will break"
            return f"{self.queue}: {how}{target}{verb} about {self.when:%a %Y-%m-%d %H:%M} ({chance}); {facts}"
        what = f"overload breaks {target}" if self.overload_only else f"{target} breaks"
        return f"{self.queue}: calm, {100 * self.probability:.0f} % that {what} within the horizon; {facts}"


def backlog_alarm(
    log: TicketLog,
    calendar: Calendar,
    queue: str,
    target: Target,
    *,
    clock: Literal["business", "calendar"] = "business",
    weeks: int = 4,
    horizon_days: int = 7,
    certainty: float = 0.5,
    paths: int = 500,
    seed: int = 1,
) -> BacklogAlarm:
    """Play the coming days forward from today's backlog.

    Parameters
    ----------
    log : TicketLog
        Of the past; its end is now.
    calendar : Calendar
        Of the queue.
    queue : str
    target : Target
        A day breaks it when more of its tickets than allowed (or for a mean, all together) wait too long; one
        shorter than the model sees, when the day's opening ends with more than two hours' work left.
    clock : {"business", "calendar"}
        Whether closed hours count as waiting.
    weeks : int
        How much of the past to learn from.
    horizon_days : int
        How far to look.
    certainty : float
        Probability of a break from which it is an alarm, in (0, 1).
    paths, seed : int
        How many futures are played.

    Raises
    ------
    InputError
        Less than a week of the queue, or nobody was ever answered.

    Notes
    -----
    Arrivals: a log-linear trend with weekdays, quasi-Poisson, fitted to the days' totals; its uncertainty and the days'
    own noise are drawn. Capacity: departures from the queue ÷ open time in which somebody waited, by hour of the day,
    with the spread of days drawn. The queue is followed hour by hour as a fluid (G. F. Newell, "Applications of
    Queueing Theory", 2nd ed. 1982, ch. 2): it sees overload and its growth, not the play of chance within an hour.
    """
    for name, value, top in (("weeks", weeks, 52), ("horizon_days", horizon_days, 60), ("paths", paths, 100_000)):
        if not 1 <= value <= top:
            raise bad_value(name, value, f"a whole number from 1 to {top}")
    if not 0 < certainty < 1:
        raise bad_value("certainty", certainty, "in (0, 1)")
    past = _past(log, calendar, queue, weeks)
    future = _hours(past.now, past.now + pd.Timedelta(days=horizon_days), calendar)
    draw = np.random.default_rng(seed)
    rate = _arrivals(past, future, draw, paths)
    capacity = _capacity(past, future, draw, paths)
    wait, waiting, arrivals = _play(past, future, rate, capacity, clock, draw)
    short = _too_short(target, future, clock)
    mean_capacity = capacity.mean(axis=0)
    much = max(_MUCH_H * float(mean_capacity.sum()) / max(float(future.opened.sum()), 1e-9), _FEWEST_LEFT)
    broken, first = _left_over(waiting, future, much) if short else _breaks(wait, arrivals, future, target)
    days, day_of = np.unique(future.date, return_inverse=True)
    per_day = pd.DataFrame(
        {
            "date": pd.to_datetime(days.astype("datetime64[D]")).strftime("%Y-%m-%d"),
            "probability": broken.mean(axis=0),
            "waiting": [float(waiting[:, np.flatnonzero(day_of == k)[-1]].mean()) for k in range(len(days))],
        }
    )
    probability = float(broken.any(axis=1).mean())
    hits = first[first >= 0]
    wait_now = float(_waits(np.array([[float(past.waiting)]]), mean_capacity[None, :], future, clock)[0, 0])
    state: Literal["calm", "alarm", "broken"] = "alarm" if probability >= certainty else "calm"
    late = min(past.waiting, _at_last_closing(past)) > much if short else past.waiting > 1
    if wait_now > target.seconds and late:
        state = "broken"
    when = None
    if state == "broken":
        when = past.now
    elif state == "alarm":
        when = pd.Timestamp(future.start[_open_from(future, int(np.median(hits)))])
    growth = _growth(past)
    return BacklogAlarm(
        queue=queue, at=past.now, state=state, waiting=past.waiting, wait_now_s=wait_now,
        arrivals_per_day=float(rate.mean(axis=0).sum() / horizon_days),
        capacity_per_day=float(capacity.mean(axis=0).sum() / horizon_days),
        growth=growth[0], growth_low=growth[1], growth_high=growth[2],
        when=when, probability=probability, days=per_day, overload_only=short,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Hours:
    """Hours of a span: their starts, local date, weekday and hour, and the part of each that is open."""

    start: pd.DatetimeIndex
    date: Ints
    weekday: Ints
    hour: Ints
    opened: Floats

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True, kw_only=True)
class _Past:
    """What a queue saw: arrivals and departures of those who waited per hour, and open hours in which somebody did."""

    now: pd.Timestamp
    hours: _Hours
    arrived: Floats
    left: Floats
    busy_h: Floats
    waiting: int
    level: Floats


def _hours(begin: pd.Timestamp, end: pd.Timestamp, calendar: Calendar) -> _Hours:
    grid = interval_grid(begin, end, 60, calendar.zone)
    grid = grid[(grid + pd.Timedelta(hours=1) > begin) & (grid < end)]
    quarters = [calendar.is_open(grid + pd.Timedelta(minutes=m)) for m in (0, 15, 30, 45)]
    opened = np.mean(quarters, axis=0)
    edges = np.clip(np.append(_epoch(grid), _epoch(grid[-1:])[0] + _HOUR_S), *_span(begin, end))
    local = calendar.local(grid)
    return _Hours(
        start=grid, date=local.to_numpy().astype("datetime64[D]").astype(np.int64),
        weekday=np.asarray(local.day_of_week, dtype=np.int64), hour=np.asarray(local.hour, dtype=np.int64),
        opened=np.asarray(opened * np.diff(edges) / _HOUR_S, dtype=np.float64),
    )  # fmt: skip


def _past(log: TicketLog, calendar: Calendar, queue: str, weeks: int) -> _Past:
    now = pd.Timestamp(log.end)
    rows = log.frame[(log.frame["queue"] == queue) & (log.frame["offered_at"] <= now)]
    nothing = pd.Series(pd.NaT, index=rows.index, dtype=log.frame["offered_at"].dtype)
    left = rows.get("first_response_at", nothing).fillna(rows.get("resolved_at", nothing))
    if "outcome" in rows:  # ended at an instant nobody noted
        lost = left.isna() & rows["outcome"].isin(("abandoned", "answered")).fillna(value=False)
        rows, left = rows[~lost], left[~lost]
    left = left.where(~(left > now))
    if left.notna().sum() == 0:
        raise InputError(f"queue {queue!r}: nobody was ever answered, so nothing tells how fast it can go")
    start = max(now - pd.Timedelta(weeks=weeks), rows["offered_at"].min())
    if now - start < pd.Timedelta(days=_FEWEST_DAYS):
        raise InputError(f"queue {queue!r}: the log has less than a week of it; an alarm needs at least seven days")
    hours = _hours(start, now, calendar)
    edges = _epoch(hours.start)
    came = np.sort(_epoch(pd.DatetimeIndex(rows["offered_at"])))
    began = _epoch(pd.DatetimeIndex(rows.loc[left.notna(), "offered_at"]))
    ended = np.maximum(_epoch(pd.DatetimeIndex(left.dropna())), began)
    gone = np.sort(ended)
    # Who found somebody free says nothing of how fast the crew is with all hands full.
    served = np.sort(ended[ended - began > _AT_ONCE_S])
    places = np.append(edges, _epoch(pd.DatetimeIndex([now]))[0])
    arrived = np.diff(np.searchsorted(came, places, side="left")).astype(float)
    departed = np.diff(np.searchsorted(served, places, side="left")).astype(float)
    busy = _busy_hours(came, gone, hours, calendar, now)
    ends = np.searchsorted(came, places[1:], side="right") - np.searchsorted(gone, places[1:], side="right")
    return _Past(
        now=now, hours=hours, arrived=arrived, left=np.where(hours.opened > 0, departed, 0.0), busy_h=busy,
        waiting=int(len(came) - len(gone)), level=ends.astype(float),
    )  # fmt: skip


def _busy_hours(came: Floats, gone: Floats, hours: _Hours, calendar: Calendar, now: pd.Timestamp) -> Floats:
    """Open time of each hour in which somebody waited, in hours."""
    times = np.concatenate([came, gone])
    order = np.argsort(times, kind="stable")
    level = np.cumsum(np.concatenate([np.ones(len(came)), -np.ones(len(gone))])[order])
    times = times[order]
    occupied = np.concatenate([[0.0], np.cumsum(np.diff(times) * (level[:-1] > 0))])
    edges = np.append(_epoch(hours.start), _epoch(pd.DatetimeIndex([now]))[0])
    # Waiting on after the last event of all counts too.
    tail = np.maximum(edges - times[-1], 0.0) * (level[-1] > 0)
    busy = np.diff(np.interp(edges, times, occupied) + tail) / _HOUR_S
    return np.asarray(np.minimum(busy, hours.opened), dtype=np.float64)


def _arrivals(past: _Past, future: _Hours, draw: np.random.Generator, paths: int) -> Floats:
    """Expected arrivals of each hour to come, one row per drawn path."""
    hours = past.hours
    days, day_of = np.unique(hours.date, return_inverse=True)
    totals = np.bincount(day_of, weights=past.arrived)
    length = np.bincount(day_of)
    whole = length >= 23  # the first and last day were seen in part
    weekday = hours.weekday[np.searchsorted(day_of, np.arange(len(days)))]
    alive = np.array([totals[whole & (weekday == d)].sum() > 0 for d in range(7)])
    seen = whole & alive[weekday]
    design = np.zeros((int(seen.sum()), 8))
    design[np.arange(len(design)), weekday[seen]] = 1.0
    middle = float(days[seen].mean())
    design[:, 7] = days[seen] - middle
    used = [d for d in range(7) if design[:, d].any()] + [7]
    centre, covariance, dispersion = _poisson_trend(design[:, used], totals[seen])
    coefficients = draw.multivariate_normal(centre, covariance, size=paths, method="cholesky")
    shape = np.zeros((7, 24))
    pooled = np.bincount(hours.hour, weights=past.arrived, minlength=24)
    pooled = (pooled + 1e-9) / (pooled.sum() + 24e-9)
    mean_total = totals[seen].mean()
    for d in range(7):
        own = np.bincount(hours.hour, weights=past.arrived * (hours.weekday == d), minlength=24)
        shape[d] = (own + _POOLED_DAYS * mean_total * pooled) / (own.sum() + _POOLED_DAYS * mean_total)
    level = np.zeros((paths, 7))
    level[:, used[:-1]] = coefficients[:, :-1]
    unknown = [d for d in range(7) if d not in used and alive[d]]
    level[:, unknown] = coefficients[:, :-1].mean(axis=1, keepdims=True)
    trend = coefficients[:, [-1]] * (future.date - middle)[None, :]
    expected = np.exp(np.minimum(level[:, future.weekday] + trend, 50.0)) * (alive[future.weekday])[None, :]
    _, ahead = np.unique(future.date, return_inverse=True)
    spread = max(dispersion - 1, 0.0) / max(mean_total, 1.0)
    noise = draw.gamma(1 / spread, spread, size=(paths, int(ahead.max()) + 1)) if spread > 1e-6 else None
    if noise is not None:
        expected = expected * noise[:, ahead]
    return np.asarray(expected * shape[future.weekday, future.hour][None, :], dtype=np.float64)


def _poisson_trend(design: Floats, totals: Floats) -> tuple[Floats, Floats, float]:
    """Log-linear fit with a prior on the slope (last column): coefficients, covariance, dispersion."""
    columns = design.shape[1]
    coefficients = np.zeros(columns)
    coefficients[:-1] = math.log(max(float(totals.mean()), 0.5))
    prior = np.zeros(columns)
    prior[-1] = 1 / _SLOPE_SD**2
    prior[:-1] = 1e-6
    dispersion = 1.0
    for _ in range(50):
        mean = np.exp(design @ coefficients)
        information = (design.T * mean) @ design / dispersion + np.diag(prior)
        gradient = design.T @ (totals - mean) / dispersion - prior * np.append(np.zeros(columns - 1), coefficients[-1])
        step = np.linalg.solve(information, gradient)
        coefficients = coefficients + np.clip(step, -1.0, 1.0)
        freedom = max(len(totals) - columns, 1)
        mean = np.exp(design @ coefficients)
        dispersion = max(float(np.sum((totals - mean) ** 2 / mean)) / freedom, 1.0)
        if np.abs(step).max() < 1e-8:
            break
    mean = np.exp(design @ coefficients)
    information = (design.T * mean) @ design / dispersion + np.diag(prior)
    return coefficients, np.asarray(np.linalg.inv(information), dtype=np.float64), dispersion


def _capacity(past: _Past, future: _Hours, draw: np.random.Generator, paths: int) -> Floats:
    """Tickets that can be answered in each hour to come, one row per drawn path."""
    hours = past.hours
    total = float(past.busy_h.sum())
    # Where nobody ever waited nothing tells the capacity but that it was enough: twice what came.
    rate = float(past.left.sum()) / total if past.left.sum() else 2 * float(past.arrived.sum()) / hours.opened.sum()
    weekend = hours.weekday >= 5
    by_hour = np.zeros((2, 24))
    for kind in (0, 1):
        own = weekend == bool(kind)
        left = np.bincount(hours.hour, weights=past.left * own, minlength=24)
        busy = np.bincount(hours.hour, weights=past.busy_h * own, minlength=24)
        by_hour[kind] = (left + _POOLED_H * rate) / (busy + _POOLED_H)
    expected = by_hour[weekend.astype(int), hours.hour] * past.busy_h
    _, day_of = np.unique(hours.date, return_inverse=True)
    done, could = np.bincount(day_of, weights=past.left), np.bincount(day_of, weights=expected)
    use = could >= 1
    n = int(use.sum())
    ratio = done[use].sum() / could[use].sum() if n else 1.0
    excess = (done[use] - ratio * could[use]) ** 2 - could[use]
    surplus = float(np.sum(excess)) / max(float(np.sum(could[use] ** 2)), 1.0)
    spread = min(max(surplus, 1e-4), 1.0)
    error = math.sqrt((spread + 1 / max(float(could[use].mean()) if n else 1.0, 1.0)) / max(n, 1))
    level = np.maximum(1 + error * draw.standard_normal(paths), 0.1)
    _, ahead = np.unique(future.date, return_inverse=True)
    daily = draw.gamma(1 / spread, spread, size=(paths, int(ahead.max()) + 1))
    base = by_hour[(future.weekday >= 5).astype(int), future.hour] * future.opened
    return np.asarray(level[:, None] * daily[:, ahead] * base[None, :], dtype=np.float64)


def _play(
    past: _Past, future: _Hours, rate: Floats, capacity: Floats, clock: str, draw: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Wait of who comes in each hour, tickets waiting at its end, arrivals in it."""
    arrivals = draw.poisson(np.minimum(rate, 1e9)).astype(float)
    waiting = np.zeros_like(arrivals)
    ahead = np.zeros_like(arrivals)
    level = np.full(len(arrivals), float(past.waiting))
    for h in range(arrivals.shape[1]):
        before = level
        level = np.maximum(level + arrivals[:, h] - capacity[:, h], 0.0)
        ahead[:, h] = (before + level) / 2
        waiting[:, h] = level
    return _waits(ahead, capacity, future, clock), waiting, arrivals


def _waits(ahead: Floats, capacity: Floats, future: _Hours, clock: str) -> Floats:
    """Seconds until as many as wait ahead are answered, from each hour on."""
    n = capacity.shape[1]
    passed = future.opened * _HOUR_S if clock == "business" else np.full(n, _HOUR_S)
    time = np.concatenate([[0.0], np.cumsum(passed)])
    out = np.empty_like(ahead)
    for k in range(len(ahead)):
        done = np.concatenate([[0.0], np.cumsum(capacity[k])])
        begin = done[: ahead.shape[1]]
        until = begin + ahead[k]
        found = np.interp(until, done, time)
        # Beyond the horizon it goes on at the horizon's mean pace.
        pace = time[-1] / max(done[-1], 1e-9)
        found = np.where(until > done[-1], time[-1] + (until - done[-1]) * pace, found)
        out[k] = np.where(ahead[k] > 0, found - np.interp(begin, done, time), 0.0)
    return np.maximum(out, 0.0)


def _breaks(wait: Floats, arrivals: Floats, future: _Hours, target: Target) -> tuple[npt.NDArray[np.bool_], Ints]:
    """Which days of which paths miss the target, and in which hour a path first does (−1: never)."""
    days, day_of = np.unique(future.date, return_inverse=True)
    late = wait > target.seconds
    badness = wait if target.kind == "mean" else late.astype(float)
    allowed = target.seconds if target.kind == "mean" else 1 - target.level
    broken = np.zeros((len(wait), len(days)), dtype=np.bool_)
    first = np.full(len(wait), -1, dtype=np.int64)
    for k in range(len(days)):
        own = day_of == k
        number = arrivals[:, own].sum(axis=1)
        share = (badness[:, own] * arrivals[:, own]).sum(axis=1) / np.maximum(number, 1)
        broken[:, k] = (number > 0) & (share > allowed)
        new = broken[:, k] & (first < 0)
        hour = np.flatnonzero(own)
        first[new] = hour[np.argmax(late[new][:, own], axis=1)]
    return broken, first


def _too_short(target: Target, future: _Hours, clock: str) -> bool:
    """Whether a target is below what a fluid followed by the hour can judge, or closed hours alone decide it."""
    if target.seconds < _HOUR_S:
        return True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], future.opened == 0, [False]]).astype(np.int8)))
    longest = int(np.max(edges[1::2] - edges[::2], initial=0))
    return clock == "calendar" and target.seconds < longest * _HOUR_S


def _left_over(waiting: Floats, future: _Hours, much: float) -> tuple[npt.NDArray[np.bool_], Ints]:
    """Which days of which paths end their opening with more than ``much`` waiting, and the first's last open hour."""
    days, day_of = np.unique(future.date, return_inverse=True)
    closes = bool((future.opened == 0).any())
    broken = np.zeros((len(waiting), len(days)), dtype=np.bool_)
    first = np.full(len(waiting), -1, dtype=np.int64)
    for k in range(len(days)):
        opened = np.flatnonzero((day_of == k) & (future.opened > 0))
        # A day that the horizon cuts before its closing is not over.
        if len(opened) and not (closes and opened[-1] == len(future) - 1):
            broken[:, k] = waiting[:, opened[-1]] > much
            first[broken[:, k] & (first < 0)] = opened[-1]
    return broken, first


def _at_last_closing(past: _Past) -> float:
    """Tickets that waited when the queue last closed; now, if it never did."""
    opened = past.hours.opened > 0
    closings = np.flatnonzero(opened[:-1] & ~opened[1:])
    return float(past.level[closings[-1]]) if len(closings) else float(past.waiting)


def _open_from(future: _Hours, hour: int) -> int:
    """The first open hour from one on: what came at night is late when the day begins."""
    opened = np.flatnonzero(future.opened[hour:] > 0)
    return hour + int(opened[0]) if len(opened) else hour


def _growth(past: _Past) -> tuple[float, float, float]:
    """Tickets a day by which the backlog grew over the last two weeks, with a 95 % interval."""
    last = np.append(np.flatnonzero(np.diff(past.hours.date)), len(past.hours) - 1)[-15:]
    steps = np.diff(past.level[last])
    if len(steps) < 2:
        return math.nan, math.nan, math.nan
    half = float(stats.t.ppf(0.975, len(steps) - 1) * steps.std(ddof=1) / math.sqrt(len(steps)))
    return float(steps.mean()), float(steps.mean()) - half, float(steps.mean()) + half


def _span(begin: pd.Timestamp, end: pd.Timestamp) -> tuple[float, float]:
    first, last = _epoch(pd.DatetimeIndex([begin, end]))
    return float(first), float(last)


def _epoch(instants: pd.DatetimeIndex) -> Floats:
    naive = instants.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ms]")
    return np.asarray(naive.astype(np.int64) / 1e3, dtype=np.float64)
