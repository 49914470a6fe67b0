"""Make the demonstration data: a synthetic WhatsApp help desk of three queues over sixty weeks.

Run ``python data/generate.py`` to write the files next to this one, ``--out DIR`` to write elsewhere, ``--check`` to
compare what stands here with what the generator makes now. The traits are described in ``data/README.md``.

Instants are whole seconds since 1970 in UTC; "local" seconds are the wall clock of Berlin counted the same way.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import heapq
import itertools
import math
import sys
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SEED = 20250101
DAY = 86_400
BIN = 300  # s; the rates are constant within five minutes
FIRST_DAY, LAST_DAY, TRUTH_DAY = dt.date(2024, 8, 19), dt.date(2025, 10, 13), dt.date(2025, 11, 10)  # ends excluded


def _epoch(day: dt.date, minute: int = 0) -> int:
    return (day - dt.date(1970, 1, 1)).days * DAY + minute * 60


# The changes of the clock are written out, so that no version of a zone database can change the data.
_CHANGES = (dt.date(2024, 10, 27), dt.date(2025, 3, 30), dt.date(2025, 10, 26))
CHANGES_UTC = np.array([_epoch(day, 60) for day in _CHANGES])
CHANGES_LOCAL = np.array([_epoch(day, minute) for day, minute in zip(_CHANGES, (180, 120, 180), strict=True)])
OFFSETS = np.array([7200, 3600, 7200, 3600])


def to_local(utc: npt.ArrayLike) -> Ints:
    """Wall clock in Berlin, in seconds."""
    utc = np.asarray(utc, dtype=np.int64)
    return utc + OFFSETS[np.searchsorted(CHANGES_UTC, utc, side="right")]


def to_utc(local: npt.ArrayLike) -> Ints:
    """Instant of a wall clock time in Berlin; not for the doubled hour in autumn."""
    local = np.asarray(local, dtype=np.int64)
    return local - OFFSETS[np.searchsorted(CHANGES_LOCAL, local, side="right")]


START, END, TRUTH_END = (int(to_utc(_epoch(day))) for day in (FIRST_DAY, LAST_DAY, TRUTH_DAY))
OUTAGE_DAY = dt.date(2025, 5, 14)
OUTAGE = (int(to_utc(_epoch(OUTAGE_DAY, 10 * 60 + 10))), int(to_utc(_epoch(OUTAGE_DAY, 13 * 60 + 25))))
CATCH_UP_S, CATCH_UP_SHARE = 2 * 3600, 1 / 3

HOLIDAYS = frozenset(
    dt.date.fromisoformat(day)
    for day in (
        "2024-10-03", "2024-12-25", "2024-12-26", "2025-01-01", "2025-04-18",
        "2025-04-21", "2025-05-01", "2025-05-29", "2025-06-09", "2025-10-03",
    )
)  # fmt: skip
HOLIDAY_FACTOR = 0.3
GROWTH_PER_YEAR = 1.2

DAY_CV, DAY_RHO, DAY_COMMON = 0.12, 0.4, 0.5  # DAY_COMMON: part of the log variance that all queues share
HOUR_CV, HOUR_RHO = 0.10, 0.5

HANDLE_CV = 0.9
EVENING_FROM_H, EVENING_FACTOR = 17, 1.12
AGENT_SPEED_SD = 0.08
PATIENCE_MEDIAN_S, PATIENCE_SIGMA = 4 * 3600, 1.1
PRIORITY_SHARES = (0.06, 0.18, 0.56, 0.20)
CUSTOMERS, CUSTOMER_TAIL = 45_000, 1.7
MAX_REPLY_S = 40


@dataclass(frozen=True, kw_only=True)
class Queue:
    """One queue: its hours, demand, work and team."""

    name: str
    code: str
    weekdays: tuple[int, int]  # opening and closing, minutes after local midnight, Monday to Friday
    saturday: tuple[int, int] | None
    per_week: float  # tickets offered to people in an ordinary first week
    week: tuple[float, ...]  # relative volume, Monday first
    humps: tuple[tuple[float, float, float], ...]  # (centre in h, width in h, height)
    night: float  # floor of the profile, same unit as the heights
    handle_s: float  # mean active handling of a conversation that begins before the evening
    topics: tuple[tuple[str, float, float], ...]  # (bot option, share of all conversations, share the bot closes)
    team: tuple[tuple[int, int, int], ...]  # (first week, shifts a week, hours a shift), one for each agent
    temporary: tuple[tuple[int, int, int], ...] = ()  # as team; they stay for seven weeks

    @property
    def bot_share(self) -> float:
        """Share of the conversations that the bot closes."""
        return sum(share * closed for _, share, closed in self.topics)

    def window(self, day: dt.date) -> tuple[int, int] | None:
        """Opening and closing in minutes after local midnight; None when closed all day."""
        if day in HOLIDAYS or day.weekday() == 6:
            return None
        return self.saturday if day.weekday() == 5 else self.weekdays


QUEUES = (
    Queue(
        name="orders", code="O", weekdays=(480, 1200), saturday=(540, 960), per_week=1170,
        week=(1.20, 1.06, 1.00, 0.98, 0.95, 0.55, 0.14),
        humps=((10.7, 1.8, 1.0), (16.0, 2.1, 0.85)), night=0.020, handle_s=14 * 60,
        topics=(("order_status", 0.42, 0.48), ("delivery", 0.22, 0.25), ("return", 0.20, 0.25),
                ("change_order", 0.10, 0.15), ("other", 0.06, 0.10)),
        team=((0, 5, 8),) * 6 + ((0, 4, 6),) * 8
        + tuple((week, 3, 6) for week in (3, 9, 14, 21, 27, 33, 39, 45, 51)),
        temporary=((13, 5, 6),) * 3,
    ),
    Queue(
        name="technical", code="T", weekdays=(480, 1080), saturday=(600, 840), per_week=285,
        week=(1.22, 1.08, 1.00, 0.97, 0.92, 0.36, 0.09),
        humps=((10.5, 1.6, 1.0), (14.8, 1.6, 0.80)), night=0.018, handle_s=25 * 60,
        topics=(("setup", 0.38, 0.32), ("fault", 0.40, 0.22), ("app", 0.16, 0.40), ("other", 0.06, 0.10)),
        team=((0, 5, 8),) * 3 + ((0, 4, 6),) * 3 + tuple((week, 3, 6) for week in (6, 20, 34, 48)),
        temporary=((13, 5, 6),),
    ),
    Queue(
        name="billing", code="B", weekdays=(540, 1020), saturday=None, per_week=300,
        week=(1.22, 1.08, 1.00, 0.98, 0.90, 0.10, 0.04),
        humps=((11.0, 1.4, 1.0), (14.3, 1.3, 0.80)), night=0.012, handle_s=18 * 60,
        topics=(("invoice", 0.46, 0.40), ("payment", 0.34, 0.28), ("refund", 0.14, 0.12), ("other", 0.06, 0.10)),
        team=((0, 5, 8),) * 2 + ((0, 4, 6),) * 3 + ((17, 3, 6), (41, 3, 6)),
        temporary=((13, 5, 6),),
    ),
)  # fmt: skip


class Streams:
    """Random streams, one for each purpose: a change to one leaves the others as they were."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, *purpose: str) -> np.random.Generator:
        """Stream of a purpose, from its beginning."""
        words = [zlib.crc32(part.encode()) for part in purpose]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self._seed, spawn_key=words)))


# ---------------------------------------------------------------------------------------------------------- demand


def days_between(first: dt.date, last: dt.date) -> list[dt.date]:
    """The days from ``first`` to the one before ``last``."""
    return [first + dt.timedelta(days=i) for i in range((last - first).days)]


DAYS = days_between(FIRST_DAY, TRUTH_DAY)
GRID = np.arange(START, TRUTH_END, BIN, dtype=np.int64)
GRID_DAY = (to_local(GRID) - _epoch(FIRST_DAY)) // DAY
GRID_MINUTE = (to_local(GRID) % DAY) // 60


def peak(day: dt.date) -> float:
    """Factor of the season: +30 % before Christmas, a lower peak for the sales after New Year."""
    if dt.date(2024, 11, 25) <= day <= dt.date(2024, 12, 20):
        return 1 + 0.30 * min(1.0, 0.5 + (day - dt.date(2024, 11, 25)).days / 14)
    if dt.date(2024, 12, 21) <= day <= dt.date(2024, 12, 23):
        return 1.15
    if dt.date(2025, 1, 2) <= day <= dt.date(2025, 1, 18):
        return 1 + 0.12 * min(1.0, (dt.date(2025, 1, 19) - day).days / 9)
    return 1.0


def true_rate(queue: Queue) -> Floats:
    """Tickets offered to people per hour in each bin of the grid, without the random factors and the outage."""
    hours = (np.arange(DAY // BIN) + 0.5) * BIN / 3600
    profile = np.full(len(hours), queue.night)
    for centre, width, height in queue.humps:
        profile += height * np.exp(-0.5 * ((hours - centre) / width) ** 2)
    profile /= profile.sum() * BIN / 3600
    week = np.array(queue.week) / sum(queue.week)
    level = [
        queue.per_week
        * week[day.weekday()]
        * GROWTH_PER_YEAR ** (i / 365.25)
        * (HOLIDAY_FACTOR if day in HOLIDAYS else peak(day))
        for i, day in enumerate(DAYS)
    ]
    # Rounded before anything is drawn: the last bit of exp differs between platforms.
    return np.round(np.array(level)[GRID_DAY] * profile[GRID_MINUTE * 60 // BIN], 9)


def _ar1(noise: Floats, rho: float) -> Floats:
    out = noise.copy()
    for i in range(1, out.shape[-1]):
        out[..., i] = rho * out[..., i - 1] + math.sqrt(1 - rho * rho) * noise[..., i]
    return out


def busyness(streams: Streams) -> dict[str, Floats]:
    """Random factor of mean 1 on the rate, per queue and bin: one per day, times one per hour."""
    day_sigma, hour_sigma = math.sqrt(math.log1p(DAY_CV**2)), math.sqrt(math.log1p(HOUR_CV**2))
    common = _ar1(streams("day", "common").standard_normal(len(DAYS)), DAY_RHO)
    factors = {}
    for queue in QUEUES:
        own = _ar1(streams("day", queue.name).standard_normal(len(DAYS)), DAY_RHO)
        day = math.sqrt(DAY_COMMON) * common + math.sqrt(1 - DAY_COMMON) * own
        hour = _ar1(streams("hour", queue.name).standard_normal((len(DAYS), 24)), HOUR_RHO)
        logs = day_sigma * day[GRID_DAY] - day_sigma**2 / 2
        logs += hour_sigma * hour[GRID_DAY, GRID_MINUTE // 60] - hour_sigma**2 / 2
        factors[queue.name] = np.round(np.exp(logs), 9)
    return factors


def _bins(start: int, end: int) -> slice:
    return slice((start - START) // BIN, (end - START) // BIN)


def with_outage(rate: Floats) -> Floats:
    """Nothing arrives while the channel is down; a third of what was missed comes in the two hours after."""
    down, after = _bins(*OUTAGE), _bins(OUTAGE[1], OUTAGE[1] + CATCH_UP_S)
    out = rate.copy()
    out[after] += CATCH_UP_SHARE * rate[down].sum() / (after.stop - after.start)
    out[down] = 0.0
    return np.round(out, 9)


def arrivals(rate: Floats, rng: np.random.Generator) -> Ints:
    """Instants of a Poisson process with ``rate`` per hour in each bin, up to the end of the log.

    A unit-rate process is stretched by the cumulated rate: exact, and it needs uniform numbers only.
    """
    inside = GRID < END
    cumulated = np.concatenate([[0.0], np.cumsum(rate[inside]) * BIN / 3600])
    count = int(cumulated[-1] + 10 * math.sqrt(cumulated[-1]) + 100)
    unit = np.cumsum(-np.log1p(-rng.random(count)))
    edges = np.concatenate([GRID[inside], [END]])
    return np.interp(unit[unit < cumulated[-1]], cumulated, edges).astype(np.int64)


def _pick(shares: Sequence[float], u: Floats) -> Ints:
    edges = np.round(np.cumsum(shares), 12)[:-1]
    return np.searchsorted(edges, u, side="right").astype(np.int64)


def _lognormal(rng: np.random.Generator, size: int, median: float, sigma: float) -> Floats:
    return median * np.exp(sigma * rng.standard_normal(size))


def _opening_clock(queue: Queue) -> tuple[Ints, Ints]:
    """Instants of all openings, and the seconds of opening hours before each."""
    windows = [(day, window) for day in DAYS if (window := queue.window(day))]
    opens = to_utc([_epoch(day, window[0]) for day, window in windows])
    lengths = np.array([(window[1] - window[0]) * 60 for _, window in windows])
    return opens, np.concatenate([[0], np.cumsum(lengths)])


def leave_at(queue: Queue, offered: Ints, patience: Ints) -> Ints:
    """Instant at which a customer gives up: patience runs down in opening hours only."""
    opens, before = _opening_clock(queue)
    k = np.maximum(np.searchsorted(opens, offered, side="right") - 1, 0)
    gone = before[k] + np.clip(offered - opens[k], 0, before[k + 1] - before[k]) + patience
    k = np.minimum(np.searchsorted(before, gone, side="right") - 1, len(opens) - 1)
    return opens[k] + gone - before[k]


def conversations(queue: Queue, rate: Floats, streams: Streams) -> pd.DataFrame:
    """All conversations of a queue as the customers make them; nobody has answered yet."""
    created = arrivals(with_outage(rate) / (1 - queue.bot_share), streams("arrivals", queue.name))
    n = len(created)
    topic = _pick([share for _, share, _ in queue.topics], streams("topic", queue.name).random(n))
    closed = np.array([closed for _, _, closed in queue.topics])[topic]
    by_bot = streams("bot", queue.name).random(n) < closed
    bot_response = 4 + np.floor(12 * streams("bot_response", queue.name).random(n) ** 2).astype(np.int64)
    dialogue = np.where(by_bot, 80, 45) * np.exp(0.5 * streams("bot_dialogue", queue.name).standard_normal(n))
    bot_until = created + bot_response + np.rint(dialogue).astype(np.int64)
    sigma = math.sqrt(math.log1p(HANDLE_CV**2))
    evening = np.where(to_local(created) % DAY >= EVENING_FROM_H * 3600, EVENING_FACTOR, 1.0)
    handle = evening * _lognormal(streams("handle", queue.name), n, queue.handle_s * math.exp(-(sigma**2) / 2), sigma)
    reopens = _pick((0.94, 0.052, 0.008), streams("reopens", queue.name).random(n))
    # The team's mean stays the one stated: a first go is a little shorter where a second one follows.
    handle *= (1 + 0.5 * reopens) / (1 + 0.5 * 0.068)
    gap = handle * _lognormal(streams("gap", queue.name), n, 0.8, 0.7)
    gap += reopens * _lognormal(streams("reopen_gap", queue.name), n, 16 * 3600, 1.3)
    patience = _lognormal(streams("patience", queue.name), n, PATIENCE_MEDIAN_S, PATIENCE_SIGMA)
    return pd.DataFrame(
        {
            "created": created,
            "bot_until": bot_until,
            "by_bot": by_bot,
            "topic": np.array([name for name, _, _ in queue.topics])[topic],
            "bot_response": bot_response,
            "priority": 1 + _pick(PRIORITY_SHARES, streams("priority", queue.name).random(n)),
            "customer": np.floor(CUSTOMERS * streams("customer", queue.name).random(n) ** CUSTOMER_TAIL).astype(
                np.int64
            ),
            "handle": handle,
            "reply": 15 + np.floor((MAX_REPLY_S - 14) * streams("reply", queue.name).random(n)).astype(np.int64),
            "reopens": reopens,
            "gap": np.rint(gap).astype(np.int64),
            "leave": leave_at(queue, bot_until, np.rint(patience).astype(np.int64)),
            "asked": streams("csat", "asked", queue.name).random(n) < 0.25,
            "mood": np.round(streams("csat", "mood", queue.name).standard_normal(n), 9),
            "queue": queue.name,
        }
    )


# ---------------------------------------------------------------------------------------------------------- roster


@dataclass
class Agent:
    """One agent: contract, planned stretches, and the stretches as they were worked."""

    name: str
    queue: Queue
    weeks: range
    shifts_per_week: int
    shift_h: int
    plan: list[tuple[int, int, str, int]] = field(default_factory=list)  # start, end, state, number of the shift
    worked: list[tuple[int, int, str]] = field(default_factory=list)
    speed: float = 1.0


def hire(queue: Queue, streams: Streams) -> list[Agent]:
    """The queue's team over all weeks, temporary agents last."""
    weeks = (LAST_DAY - FIRST_DAY).days // 7
    contracts = [(range(first, weeks), shifts, hours) for first, shifts, hours in queue.team]
    contracts += [(range(first, first + 7), shifts, hours) for first, shifts, hours in queue.temporary]
    speeds = np.round(np.exp(AGENT_SPEED_SD * streams("speed", queue.name).standard_normal(len(contracts))), 6)
    return [
        Agent(f"{queue.code}{i + 1:02d}", queue, stay, shifts, hours, speed=float(speed))
        for i, ((stay, shifts, hours), speed) in enumerate(zip(contracts, speeds, strict=True))
    ]


def leave_chance(monday: dt.date) -> float:
    """Chance that an agent takes the week off."""
    if dt.date(2024, 11, 25) <= monday <= dt.date(2024, 12, 16):
        return 0.02
    if monday in (dt.date(2024, 12, 23), dt.date(2024, 12, 30)):
        return 0.25
    return 0.16 if monday.month in (7, 8) else 0.11


RESERVE = 0.7
PLANNED_LOAD, PLAN_SD = 0.635, 0.04  # expected work ÷ paid hours of those not on leave, and how far a week is off
SLOT = 30  # min; the planner thinks in half hours
SICK_START, SICK_STAY = 0.018, 0.66  # chance per shift to fall ill, and to be still ill the next shift


def expected_work(queue: Queue, rate: Floats, day: dt.date) -> Floats:
    """Agents busy on average in each half hour of a day, as the planner expects it; 0 while closed."""
    work = np.zeros(DAY // 60 // SLOT)
    window = queue.window(day)
    if window is None:
        return work
    # The planner looks at what the same weekday was like four weeks before, and knows of the season.
    i = max((day - FIRST_DAY).days - 28, (day - FIRST_DAY).days % 7)
    then = rate[np.flatnonzero(GRID_DAY - i == 0)][: DAY // BIN]
    known = then if len(then) == DAY // BIN else np.resize(then, DAY // BIN)
    level = peak(day) / (HOLIDAY_FACTOR if DAYS[i] in HOLIDAYS else peak(DAYS[i]))
    work += known.reshape(-1, SLOT * 60 // BIN).mean(axis=1) * level * queue.handle_s / 3600
    work[EVENING_FROM_H * 60 // SLOT :] *= EVENING_FACTOR
    first, last = window[0] // SLOT, window[1] // SLOT
    night = work[:first].sum() + 0.4 * work[last:].sum()
    work[:first] = work[last:] = 0
    # What comes in one half hour is in part served in the next two.
    lagged = np.convolve(work, (0.5, 0.3, 0.2))[: len(work)]
    lagged[first] += 0.4 * work[first]
    lagged[:first] = lagged[last:] = 0
    lagged[first : first + 4] += night / 4 * (1.6 if day.weekday() == 0 else 1.0)
    return lagged


def plan_week(team: Sequence[Agent], monday: dt.date, week: int, rate: Floats, rng: np.random.Generator) -> None:
    """Give each agent the shifts of a week: the next shift goes where cover is furthest below the expected work."""
    queue = team[0].queue
    days = [monday + dt.timedelta(days=i) for i in range(6)]
    need = np.array([expected_work(queue, rate, day) for day in days])
    present = [agent for agent in team if week in agent.weeks]
    away = rng.random(len(present)) < leave_chance(monday)
    away &= [len(agent.weeks) > 10 for agent in present]  # temporary agents take no leave
    away &= np.cumsum(away) <= max(1, len(present) // 5)  # at most a fifth of the team at a time
    open_days = [i for i, day in enumerate(days) if queue.window(day)]
    full_week = 6 if queue.saturday else 5
    count = [round(agent.shifts_per_week * len(open_days) / full_week) for agent in present]
    wanted = need.sum() * SLOT / 60 / PLANNED_LOAD * math.exp(PLAN_SD * rng.standard_normal())
    hours = sum(n * agent.shift_h for n, agent, off in zip(count, present, away, strict=True) if not off)
    order = np.argsort(rng.random(len(present)), kind="stable").tolist()
    for k in order:
        # Part-timers work a shift more or fewer, as the week needs.
        agent, gap = present[k], wanted - hours
        if agent.shift_h < 8 and not away[k] and abs(gap) > agent.shift_h / 2:
            changed = min(max(count[k] + (1 if gap > 0 else -1), 1), len(open_days))
            hours += (changed - count[k]) * agent.shift_h
            count[k] = changed
    # A rule of thumb: people are where the work is, with a reserve that grows as its root, never fewer than two,
    # and the guess of each day is off a little.
    guess = (need + RESERVE * np.sqrt(need)) * np.exp(0.06 * rng.standard_normal((6, 1)))
    target = guess * hours * 60 / SLOT / max(guess.sum(), 1e-9)
    target = np.round(np.where(need > 0, np.maximum(target, 2.0), 0.0), 6)
    cover = np.zeros_like(need)
    for k in order:
        agent, free = present[k], list(open_days)
        for _ in range(count[k]):
            best = (-math.inf, 0, 0, 0)
            for i in free:
                opening, closing = queue.window(days[i]) or (0, 0)
                length = min(agent.shift_h * 60, closing - opening)
                for start in range(opening, closing - length + 1, SLOT):
                    a, b = start // SLOT, (start + length) // SLOT
                    gap = target[i, a:b] - cover[i, a:b]
                    # The square of what is missing, relative to what is wanted, fills the deepest hole first.
                    gain = round(float((gap * np.abs(gap) / target[i, a:b]).sum()) * SLOT / length, 6)
                    best = max(best, (gain, -i, -start, length))
            _, i, start, length = best[0], -best[1], -best[2], best[3]
            free.remove(i)
            if not away[k]:
                cover[i, start // SLOT : (start + length) // SLOT] += 1
            _add_shift(agent, days[i], start, length, bool(away[k]), rng)


def _add_shift(agent: Agent, day: dt.date, start: int, length: int, away: bool, rng: np.random.Generator) -> None:
    """Append the stretches of one shift: available, with a break and sometimes a meeting or training between."""
    u = np.round(rng.random(4), 9)
    shift = _epoch(day) // DAY
    inside: list[tuple[int, int, str]] = []
    if length >= 300:
        pause = (30, 45, 60)[int(3 * u[0])] if length >= 420 else 30
        at = start + length // 2 + 15 * int(9 * u[1]) - 75
        inside.append((at, at + pause, "break"))
    state, stay = ("meeting", 30) if u[2] < 0.48 else ("training", 60)
    if u[2] < 0.96 and length >= 300:
        # Not at the start, when the night's tickets wait, and not in the break.
        before, after = inside[0][0] - stay - 15, inside[0][1] + 15
        choices = [t for t in range(start + 75, start + length - stay - 15, 15) if t <= before or t >= after]
        # Midday is where early and late shifts overlap, so that is when people meet.
        choices = [t for t in choices if 12 * 60 <= t <= 15 * 60] or choices
        if choices:
            at = choices[int(len(choices) * u[3])]
            inside.append((at, at + stay, state))
    edges = [(start, start, ""), *sorted(inside), (start + length, start + length, "")]
    stretches = [(start, start + length, "absent")] if away else []
    if not away:
        for (_, last, _), (first, end, state) in itertools.pairwise(edges):
            stretches.append((last, first, "available"))
            if state:
                stretches.append((first, end, state))
    agent.plan += [(int(to_utc(_epoch(day, a))), int(to_utc(_epoch(day, b))), name, shift) for a, b, name in stretches]


def fall_ill(agent: Agent, rng: np.random.Generator) -> None:
    """Turn whole shifts into absence: illness that nobody planned for, often several shifts in a row."""
    ill, plan = False, []
    shifts: dict[int, list[tuple[int, int, str, int]]] = {}
    for stretch in agent.plan:
        shifts.setdefault(stretch[3], []).append(stretch)
    for number in sorted(shifts):
        stretches = shifts[number]
        ill = bool(rng.random() < (SICK_STAY if ill else SICK_START))
        plan += [(stretches[0][0], stretches[-1][1], "absent", number)] if ill else stretches
    agent.plan = plan


def roster(queue: Queue, rate: Floats, streams: Streams) -> list[Agent]:
    """The queue's agents with their planned stretches."""
    team = hire(queue, streams)
    rng = streams("roster", queue.name)
    for week, monday in enumerate(DAYS[: (LAST_DAY - FIRST_DAY).days : 7]):
        plan_week(team, monday, week, rate, rng)
    for agent in team:
        agent.plan.sort()
        fall_ill(agent, streams("ill", agent.name))
    return team


# --------------------------------------------------------------------------------------------------------- serving


class Desk:
    """Serves one queue: the most urgent first, first come first served among equals, nobody is interrupted.

    An agent finishes the ticket in hand, then goes on break or home; a break keeps its length, a meeting its end.
    """

    def __init__(self, team: Sequence[Agent], tickets: pd.DataFrame) -> None:
        self.team = team
        self.offered, self.leave = tickets["bot_until"].tolist(), tickets["leave"].tolist()
        self.handle, self.reply = tickets["handle"].tolist(), tickets["reply"].tolist()
        self.priority = tickets["priority"].tolist()
        self.agent: list[str] = [""] * len(tickets)
        self.start: list[int] = [-1] * len(tickets)
        self.handle_s: list[int] = [-1] * len(tickets)
        self.waiting: list[tuple[int, int, int]] = []
        self.idle: deque[int] = deque()
        self.stretch = [0] * len(team)
        self.since = [0] * len(team)
        self.events: list[tuple[int, int, str, int]] = []
        self._number = 0

    def run(self) -> None:
        """Serve until the last planned shift is over."""
        for a, agent in enumerate(self.team):
            if agent.plan:
                self._push(agent.plan[0][0], "enter", a)
        for t in OUTAGE:
            self._push(t, "outage", 0)
        arrivals = sorted(range(len(self.offered)), key=lambda i: (self.offered[i], i))
        arrivals.reverse()
        while self.events:
            if arrivals and self.offered[arrivals[-1]] <= self.events[0][0]:
                i = arrivals.pop()
                heapq.heappush(self.waiting, (self.priority[i], self.offered[i], i))
                self._dispatch(self.offered[i])
            else:
                t, _, kind, a = heapq.heappop(self.events)
                self._happen(t, kind, a)

    def _push(self, t: int, kind: str, a: int) -> None:
        self._number += 1
        heapq.heappush(self.events, (t, self._number, kind, a))

    def _happen(self, t: int, kind: str, a: int) -> None:
        if kind == "enter":
            self._enter(a, t)
        elif kind == "free":
            if t >= self.team[a].plan[self.stretch[a]][1]:
                self._leave_stretch(a, t)
            else:
                self.idle.append(a)
        elif kind == "end" and a in self.idle and t >= self.team[a].plan[self.stretch[a]][1]:
            self.idle.remove(a)
            self._leave_stretch(a, t)
        self._dispatch(t)

    def _enter(self, a: int, t: int) -> None:
        agent = self.team[a]
        while self.stretch[a] < len(agent.plan):
            start, end, state, shift = agent.plan[self.stretch[a]]
            if start > t and (not agent.worked or shift != agent.plan[self.stretch[a] - 1][3]):
                self._push(start, "enter", a)
                return
            end = t + end - start if state == "break" else end
            if end > t and state == "available":
                self.since[a] = t
                self._push(end, "end", a)
                self.idle.append(a)
                return
            self.stretch[a] += 1
            if end > t:
                agent.worked.append((t, end, state))
                self._push(end, "enter", a)
                return

    def _leave_stretch(self, a: int, t: int) -> None:
        self.team[a].worked.append((self.since[a], t, "available"))
        self.stretch[a] += 1
        self._enter(a, t)

    def _dispatch(self, t: int) -> None:
        if OUTAGE[0] - MAX_REPLY_S <= t < OUTAGE[1]:
            return  # no reply could reach the customer
        while self.idle and self.waiting:
            _, _, i = heapq.heappop(self.waiting)
            if self.leave[i] <= t:
                continue
            a = self.idle.popleft()
            work = max(round(self.handle[i] * self.team[a].speed), self.reply[i] + 20)
            self.agent[i], self.start[i], self.handle_s[i] = self.team[a].name, t, work
            self._push(t + work, "free", a)


def serve(team: Sequence[Agent], tickets: pd.DataFrame) -> pd.DataFrame:
    """Add what the people did: agent, first response, end, rating and outcome; -1 where it is not known."""
    human = tickets[~tickets["by_bot"]]
    desk = Desk(team, human)
    desk.run()
    n = len(tickets)
    start, handle_s = np.full((2, n), -1, dtype=np.int64)
    agent = np.full(n, "", dtype="U3")
    where = np.flatnonzero(~tickets["by_bot"].to_numpy())
    start[where], handle_s[where], agent[where] = desk.start, desk.handle_s, desk.agent
    column = {name: tickets[name].to_numpy() for name in tickets.columns}
    answered = start >= 0
    first = np.where(answered, start + column["reply"], -1)
    done = np.where(answered, start + handle_s + column["gap"], np.where(column["by_bot"], column["bot_until"], -1))
    left = ~answered & ~column["by_bot"] & (column["leave"] < END)
    done = np.where(left, column["leave"], done)
    outcome = np.select([column["by_bot"], left], ["bot_closed", "abandoned"], "answered")
    # The log ends here: what had not happened yet is unknown.
    done = np.where(done >= END, -1, done)
    outcome = np.where(done < 0, "open", outcome)
    offered = np.where(column["by_bot"] | (column["bot_until"] >= END), -1, column["bot_until"])
    wait_min = np.maximum(first - column["bot_until"], 1) / 60
    feeling = 4.75 - 0.75 * np.log10(1 + wait_min) - 0.8 * column["reopens"] + 0.8 * column["mood"]
    rated = column["asked"] & (outcome == "answered")
    csat = np.where(rated, np.clip(np.rint(np.round(feeling, 6)), 1, 5), -1).astype(np.int64)
    return tickets.assign(
        agent=agent, first=first, done=done, outcome=outcome, offered=offered, handle_s=handle_s, csat=csat
    )


# ---------------------------------------------------------------------------------------------------------- files


def iso(utc: npt.ArrayLike) -> list[str]:
    """ISO 8601 local times with their offset; empty where the instant is negative."""
    utc = np.asarray(utc, dtype=np.int64)
    local = to_local(utc)
    text = np.datetime_as_string(local.astype("datetime64[s]")).tolist()
    winter = (local - utc == 3600).tolist()
    return [
        "" if u < 0 else t + ("+01:00" if w else "+02:00") for u, t, w in zip(utc.tolist(), text, winter, strict=True)
    ]


def _whole(values: Iterable[int]) -> list[str]:
    return ["" if value < 0 else str(value) for value in values]


def _csv(columns: dict[str, Sequence[str]]) -> bytes:
    rows = [",".join(row) for row in zip(*columns.values(), strict=True)]
    return ("\n".join([",".join(columns), *rows]) + "\n").encode("ascii")


def tickets_csv(tickets: pd.DataFrame) -> bytes:
    """The ticket log in order of creation."""
    n = len(tickets)
    # Numbers are handed out in an order that says nothing about how often a customer writes.
    customer = (tickets["customer"] * 7919) % CUSTOMERS
    return _csv(
        {
            "ticket_id": [f"W{i:06d}" for i in range(1, n + 1)],
            "created_at": iso(tickets["created"]),
            "offered_at": iso(tickets["offered"]),
            "first_response_at": iso(tickets["first"]),
            "resolved_at": iso(tickets["done"]),
            "queue": tickets["queue"].tolist(),
            "channel": ["whatsapp"] * n,
            "priority": _whole(tickets["priority"]),
            "bot_option": tickets["topic"].tolist(),
            "bot_response_s": _whole(tickets["bot_response"]),
            "agent": tickets["agent"].tolist(),
            "customer_id": [f"C{i:05d}" for i in customer],
            "handle_s": _whole(tickets["handle_s"]),
            "reopens": _whole(tickets["reopens"]),
            "csat": _whole(tickets["csat"]),
            "outcome": tickets["outcome"].tolist(),
        }
    )


def roster_csv(team: Sequence[Agent]) -> bytes:
    """The stretches as they were worked, agent by agent."""
    rows = [(agent.name, *stretch, agent.queue.name) for agent in team for stretch in agent.worked]
    names, starts, ends, states, queues = zip(*rows, strict=True)
    return _csv({"agent": names, "start": iso(starts), "end": iso(ends), "state": states, "queue": queues})


def truth_csv(rates: dict[str, Floats]) -> bytes:
    """The true rate per queue and hour, to four weeks after the log."""
    hours = GRID[:: 3600 // BIN]
    ids: list[str] = []
    ds: list[str] = []
    values: list[str] = []
    for name, rate in rates.items():
        milli = np.rint(rate.reshape(-1, 3600 // BIN).mean(axis=1) * 1000).astype(np.int64)
        ids += [name] * len(hours)
        ds += iso(hours)
        values += [f"{m // 1000}.{m % 1000:03d}" for m in milli]
    return _csv({"unique_id": ids, "ds": ds, "rate_per_hour": values})


def make(seed: int = SEED) -> dict[str, bytes]:
    """Make the files.

    Returns
    -------
    dict of str to bytes
        Name without ``.gz`` to the text inside.
    """
    streams = Streams(seed)
    rates = {queue.name: true_rate(queue) for queue in QUEUES}
    busy = busyness(streams)
    agents: list[Agent] = []
    parts = []
    for queue in QUEUES:
        team = roster(queue, rates[queue.name], streams)
        asked = conversations(queue, rates[queue.name] * busy[queue.name], streams)
        parts.append(serve(team, asked))
        agents += team
    tickets = pd.concat(parts, ignore_index=True).sort_values("created", kind="stable", ignore_index=True)
    return {"tickets.csv": tickets_csv(tickets), "roster.csv": roster_csv(agents), "truth.csv": truth_csv(rates)}


def pack(text: bytes) -> bytes:
    """Gzip without name and time; the header is written here because Python's differs between versions."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    body = deflate.compress(text) + deflate.flush()
    tail = zlib.crc32(text).to_bytes(4, "little") + (len(text) % 2**32).to_bytes(4, "little")
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + body + tail


def unpack(packed: bytes) -> bytes:
    """Text inside a gzip file."""
    return zlib.decompress(packed, wbits=16 + zlib.MAX_WBITS)


def differing(files: dict[str, bytes], folder: Path) -> Iterator[str]:
    """Names of the files in ``folder`` whose text is not the one made; the compressor may be another one."""
    for name, text in files.items():
        path = folder / f"{name}.gz"
        if not path.exists() or unpack(path.read_bytes()) != text:
            yield path.name


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or check those that are there."""
    parser = argparse.ArgumentParser(description="Make the demonstration data.")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write to")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file differs")
    options = parser.parse_args(arguments)
    files = make()
    if options.check:
        names = list(differing(files, options.out))
        for name in names:
            print(f"{options.out / name} differs from what the generator makes; run `python data/generate.py`")
        return 1 if names else 0
    options.out.mkdir(parents=True, exist_ok=True)
    sums = []
    for name, text in files.items():
        packed = pack(text)
        (options.out / f"{name}.gz").write_bytes(packed)
        sums.append(f"{hashlib.sha256(packed).hexdigest()}  {name}.gz\n")
        rows = text.count(b"\n") - 1
        print(f"{name}.gz: {rows:,} rows, {len(packed):,} bytes")
    (options.out / "SHA256SUMS").write_bytes("".join(sums).encode("ascii"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
