"""Queues that open and have no history: what the planner expects of them becomes demand like any other's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, InputError, bad_value, fold_closed, parse_duration_s
from staffcast.forecast import Demand, Spread, count_quantiles
from staffcast.forecast.horizon import waiting_since_close
from staffcast.scenario import Scenario
from staffcast.scenario_values import NewQueue

__all__ = ["open_new_queues", "planned_queues", "require_new_queues", "require_open_in_time"]

Floats = npt.NDArray[np.float64]

_WEEKS, _WEEK_DAYS, _HIGHEST_CV = 8, 7, 1.5
_DAY = pd.Timedelta(days=1)
_QUANTILE = re.compile(r"q(\d\d)")


def planned_queues(queues: Iterable[str], scenario: Scenario) -> list[str]:
    """The log's queues and the new ones that are planned."""
    return sorted({*queues, *(name for name in scenario.new_queues if scenario.plans(name))})


def require_new_queues(scenario: Scenario, known: Iterable[str], planned: Iterable[str]) -> None:
    """Check that new queues are new, and that those they lean on are planned.

    Parameters
    ----------
    scenario : Scenario
    known, planned : iterable of str
        Queues of the log; those of them that are planned.

    Raises
    ------
    InputError
        A new queue has a history, or is like a queue that is not planned.
    """
    history, forecast = set(known), sorted(planned)
    for name, new in scenario.new_queues.items():
        if name in history:
            raise bad_value(
                "new_queues", name, f"a queue that the log does not have: {', '.join(sorted(history))}",
                f"it has a history: leave the table out, and change its forecast with [what_if.queues.{name}]",
            )  # fmt: skip
        for key, other in (("like", new.like), *(("moves", source) for source in new.moves)):
            if other not in forecast:
                raise bad_value(
                    f"new_queues.{name}.{key}", other, f"a queue of the log that is planned: {', '.join(forecast)}"
                )


def require_open_in_time(scenario: Scenario, last_known: pd.Timestamp) -> None:
    """Check that new queues open before the plan ends.

    Raises
    ------
    InputError
        One opens later.
    """
    # Days by the wall clock, as the horizon has them; the last known interval has just ended when it begins.
    end = last_known.tz_localize(None) + pd.Timedelta(seconds=parse_duration_s(scenario.horizon, parameter="horizon"))
    for name, new in scenario.new_queues.items():
        if new.begins is not None and new.begins > end.date():
            raise bad_value(
                f"new_queues.{name}.from", new.begins.isoformat(), f"up to the plan's end, {end:%Y-%m-%d}",
                "take a longer horizon, or leave the queue out",
            )  # fmt: skip


def open_new_queues(
    demand: Demand, scenario: Scenario, calendars: Mapping[str, Calendar], series: pd.DataFrame
) -> Demand:
    """Add the scenario's new queues to the demand, and take from others what moves over to them.

    A new queue has its tickets where those of the queue that it is like arrive, and where those arrive that move;
    while it is closed they wait for its own opening. What is not known of it is as for that queue, with the doubt
    about the guess (``cv``) on top, which all its intervals share: as variances of independent factors,
    (1 + own²)(1 + cv²) − 1. The queue that tickets move from keeps its own doubt and gets that about how many move.

    Parameters
    ----------
    demand : Demand
        As forecast, with handle times.
    scenario : Scenario
    calendars : mapping of queue to Calendar
        Of the queues in the demand.
    series : DataFrame
        The series table that was forecast; tells when tickets arrive while closed.

    Returns
    -------
    Demand
        On the same intervals; ``why`` says of each queue concerned what was stated.

    Raises
    ------
    InputError
        A new queue is never open.
    """
    if not scenario.new_queues:
        return demand
    needed = {each for new in scenario.new_queues.values() for each in (new.like, *new.moves)}
    sources = {
        queue: _Source.of(demand, queue, calendars[queue], series[series["unique_id"] == queue])
        for queue in demand.queues if queue in needed
    }  # fmt: skip
    parts = {queue: demand.of(queue) for queue in demand.queues}
    why = {queue: dict(reasons) for queue, reasons in demand.why.items()}
    lost = {queue: np.zeros((3, len(demand.ds))) for queue in sources}
    for name, new in scenario.new_queues.items():
        ramp = _ramp(demand.ds, new)
        moved = {queue: sources[queue].arrivals * share * ramp for queue, share in new.moves.items()}
        for queue, tickets in moved.items():
            gone, waited = sources[queue].fold(tickets)
            lost[queue] += [gone, waited, (gone * new.cv) ** 2]
            why[queue] = _noted(why[queue], f"{100 * new.moves[queue]:g} % of its tickets move to {name}{_since(new)}")
        if scenario.plans(name):
            parts[name] = _rows(name, new, scenario, demand, sources, moved, calendars[new.like], ramp)
            why[name] = _reasons(name, new, scenario, why[new.like])
    for queue, (gone, waited, variance) in lost.items():
        if gone.any():
            parts[queue] = _less(parts[queue], gone, waited, variance)
    frame = pd.concat([parts[queue] for queue in sorted(parts)], ignore_index=True)
    return replace(demand, frame=_with_quantiles(frame, demand.frame), why=why)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Source:
    """A queue that new ones lean on: its tickets where they arrive, shape (n,), and how people meet them."""

    arrivals: Floats
    weekly: float
    opened: npt.NDArray[np.bool_]
    lost: bool
    aht_s: Floats
    spread: Spread

    @classmethod
    def of(cls, demand: Demand, queue: str, calendar: Calendar, past: pd.DataFrame) -> _Source:
        rows, ds = demand.of(queue), demand.ds
        mean, carried = rows["mean"].to_numpy(dtype=float), rows["carried"].to_numpy(dtype=float)
        opened, lost = rows["open"].to_numpy(dtype=bool), calendar.closed_arrivals == "lost"
        usual = _usual(past, calendar)[calendar.slot(ds)]
        waiting = 0.0 if lost else waiting_since_close(past, calendar)
        arrivals = _where_they_arrive(mean, carried, opened, usual, waiting=waiting, lost=lost)
        days = (ds[-1] + pd.Timedelta(minutes=demand.minutes) - ds[0]) / _DAY
        whole = ds < ds[0] + _WEEK_DAYS * int(max(days + 1e-9, _WEEK_DAYS) // _WEEK_DAYS) * _DAY
        # A horizon under a week says little about one: then it is the past weeks'.
        weekly = arrivals[whole].sum() / (whole.sum() * demand.minutes / 60 / 24 / _WEEK_DAYS)
        if days < _WEEK_DAYS:
            weekly = float(_usual(past, calendar).sum())
        told = demand.why.get(queue, {})
        spread = Spread(**{key: float(told.get(key, 0.0)) for key in ("rate_cv", "share_level", "share_day", "bursts")})
        return cls(
            arrivals=arrivals, weekly=float(weekly), opened=opened, lost=lost,
            aht_s=rows["aht_s"].to_numpy(dtype=float), spread=spread,
        )  # fmt: skip

    def fold(self, tickets: Floats) -> tuple[Floats, Floats]:
        """Arrivals as this queue's people would have met them, and the part that would have waited."""
        return fold_closed(tickets, self.opened, lost=self.lost)


def _usual(past: pd.DataFrame, calendar: Calendar) -> Floats:
    """Mean arrivals per minute of the local week at which an interval begins, over the last eight weeks known."""
    ds = pd.DatetimeIndex(past["ds"])
    late = np.asarray(ds >= ds[-1] - _WEEKS * _WEEK_DAYS * _DAY)
    y, slot = past["y"].to_numpy(dtype=float)[late], calendar.slot(ds[late])
    known = ~np.isnan(y)
    size = _WEEK_DAYS * 24 * 60
    seen = np.bincount(slot[known], minlength=size)
    return np.divide(np.bincount(slot[known], y[known], size), seen, out=np.zeros(size), where=seen > 0)


def _where_they_arrive(
    mean: Floats, carried: Floats, opened: npt.NDArray[np.bool_], usual: Floats, *, waiting: float, lost: bool
) -> Floats:
    """Take what waited at openings back to the closed intervals before, as tickets usually arrive in them.

    What waited at the horizon's start came before it. After the last opening, and for a queue that loses what comes
    while closed, the usual arrivals count, in proportion to those that the open intervals have.
    """
    n = len(mean)
    arrivals = np.where(opened, mean - carried, 0.0)
    following = np.minimum.accumulate(np.where(opened, np.arange(n), n)[::-1])[::-1]
    if opened.any() and usual[opened].sum() > 0:
        level = arrivals[opened].sum() / usual[opened].sum()
        unknown = ~opened & (lost | (following == n))
        arrivals[unknown] = level * usual[unknown]
    if lost:
        return np.asarray(arrivals)
    waited = np.append(carried, 0.0)
    if following[0] < n:
        waited[following[0]] = max(waited[following[0]] - waiting, 0.0)
    before = np.flatnonzero(~opened & (following < n))
    weight = usual[before] + 1e-9  # evenly where none ever came
    whole = np.bincount(following[before], weight, minlength=n + 1)
    arrivals[before] = waited[following[before]] * weight / whole[following[before]]
    return np.asarray(arrivals)


def _ramp(ds: pd.DatetimeIndex, new: NewQueue) -> Floats:
    """Share of its full size that the queue has on each interval's day."""
    day = ds.tz_localize(None).to_numpy().astype("datetime64[D]")
    age = (day - (day[0] if new.begins is None else np.datetime64(new.begins))).astype(float)
    grown = (age + 0.5) / new.ramp_up_days if new.ramp_up_days > 0 else np.ones(len(age))
    return np.asarray(np.where(age >= 0, np.minimum(grown, 1.0), 0.0))


def _rows(
    name: str, new: NewQueue, scenario: Scenario, demand: Demand, sources: Mapping[str, _Source],
    moved: Mapping[str, Floats], calendar: Calendar, ramp: Floats,
) -> pd.DataFrame:  # fmt: skip
    like, rules = sources[new.like], scenario.for_queue(name)
    extra = np.zeros(len(ramp))
    if new.per_week:
        if not like.weekly > 0:
            raise InputError(f"`new_queues.{name}.like`: no tickets are expected of {new.like!r}; choose another queue")
        extra = new.per_week * like.arrivals / like.weekly * ramp
    tickets = extra + sum(moved.values(), np.zeros(len(ramp)))
    work = extra * like.aht_s + sum((t * sources[q].aht_s for q, t in moved.items()), np.zeros(len(ramp)))
    if rules.hours is not None:
        calendar = replace(calendar, week=Calendar.parse(calendar.zone, rules.hours).week)
    calendar.require_grid(demand.minutes)
    opened = calendar.is_open(demand.ds) & (ramp > 0)
    if not opened.any():
        raise InputError(f"`new_queues.{name}` is not open in any interval of the plan; look at its hours and `from`")
    mean, carried = fold_closed(tickets, opened, lost=rules.closed_arrivals == "lost")
    own = like.spread.cv_at(mean) ** 2
    variance = (1 + own) * (1 + new.cv**2) - 1
    part = np.divide(own, variance, out=np.zeros_like(own), where=variance > 0)
    level = np.divide(own * like.spread.share_level + new.cv**2, variance, out=np.zeros_like(own), where=variance > 0)
    return pd.DataFrame({
        "unique_id": name, "ds": demand.ds, "open": opened, "mean": mean, "carried": carried,
        "aht_s": np.divide(work, tickets, out=like.aht_s.copy(), where=tickets > 0),
        "rate_cv": np.minimum(np.sqrt(variance), _HIGHEST_CV), "share_level": level,
        "share_day": part * like.spread.share_day,
    })  # fmt: skip


def _less(rows: pd.DataFrame, gone: Floats, waited: Floats, variance: Floats) -> pd.DataFrame:
    """A queue's rows without what moved away, and with the doubt about how many that are."""
    mean = np.maximum(rows["mean"].to_numpy(dtype=float) - gone, 0.0)
    carried = np.clip(rows["carried"].to_numpy(dtype=float) - waited, 0.0, mean)
    before = rows["rate_cv"].to_numpy(dtype=float) ** 2
    doubt = np.divide(variance, mean**2, out=np.zeros(len(mean)), where=mean > 0)
    doubt = np.minimum(doubt, np.maximum(_HIGHEST_CV**2 - before, 0.0))
    part = np.divide(before, before + doubt, out=np.ones(len(mean)), where=before + doubt > 0)
    return rows.assign(
        mean=mean, carried=carried, rate_cv=np.sqrt(before + doubt),
        share_level=rows["share_level"] * part + (1 - part), share_day=rows["share_day"] * part,
    )  # fmt: skip


def _with_quantiles(frame: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """The frame with the quantiles of its means, in the columns of the one before."""
    columns = [str(c) for c in before.columns if _QUANTILE.fullmatch(str(c))]
    table = count_quantiles(frame["mean"], frame["rate_cv"], [int(c[1:]) / 100 for c in columns])
    return frame.assign(**{c: table[:, i] for i, c in enumerate(columns)})[list(before.columns)]


def _reasons(name: str, new: NewQueue, scenario: Scenario, like: Mapping[str, object]) -> dict[str, object]:
    parts = [f"{new.per_week:g} tickets a week that nobody had before"] if new.per_week else []
    parts += [f"{100 * share:g} % of the tickets of {queue}" for queue, share in new.moves.items() if share]
    grows = f", growing to that over {new.ramp_up_days:g} days" if new.ramp_up_days else ""
    rules = scenario.for_queue(name)
    borrowed = ["course of the week"]
    borrowed += [what for what, own in (("hours", rules.hours), ("handle times", rules.aht_s)) if own is None]
    return {
        "model": "stated", "weights": {}, "wape": None, "candidates": {}, "origins": 0, "horizon": None,
        **{key: like.get(key) for key in ("rate_cv", "share_level", "share_day", "bursts")},
        "notes": [
            f"a new queue without history: {' and '.join(parts)}{_since(new)}{grows}; the guess may be off by "
            f"{100 * new.cv:g} %",
            f"{', '.join(borrowed)}: those of {new.like}",
        ],
    }  # fmt: skip


def _noted(reasons: Mapping[str, object], note: str) -> dict[str, object]:
    notes = reasons.get("notes", ())
    return {**reasons, "notes": [*(notes if isinstance(notes, (list, tuple)) else ()), note]}


def _since(new: NewQueue) -> str:
    return "" if new.begins is None else f" from {new.begins.isoformat()}"
