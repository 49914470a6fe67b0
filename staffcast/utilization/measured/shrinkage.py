"""Paid time away from the desk, by cause and weekday, from a roster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.utilization.estimate import Estimate, spread, wilson
from staffcast.utilization.measured.figures import Figure, of_estimate
from staffcast.utilization.roster import AVAILABLE, OFF

__all__ = ["FEWEST_AGENTS", "shrinkage_figures"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST_AGENTS = 5
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def shrinkage_figures(roster: pd.DataFrame, *, zone: str, queue: str = "") -> list[Figure]:
    """Share of paid time that is not available: in all, by cause, and by weekday.

    Parameters
    ----------
    roster : DataFrame
        From :func:`staffcast.utilization.read_roster`.
    zone : str
        In which days are counted; a stretch over midnight counts on both days.
    queue : str
        Named in the figures.

    Returns
    -------
    list of Figure
        ``shrinkage`` (``at``: empty, or ``"tue"``), ``shrinkage_cause`` (``at``: ``"break"``, or ``"break tue"``) and
        ``absence`` (paid, not logged in). ``n`` counts agents: the interval is the wider of those with agents and with
        weeks as the sample, as leave comes by the week and illness by the person.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-03-02 08:00", "2026-03-02 15:00", "2026-03-02 16:00"]).tz_localize("UTC")
    >>> states = pd.DataFrame({"agent": "a", "start": times[:2], "end": times[1:], "state": ["available", "break"]})
    >>> [f.value for f in shrinkage_figures(states, zone="UTC") if f.at == "break"]
    [0.125]
    """
    rows = _by_day(roster, zone)
    paid, state = rows["seconds"].to_numpy(dtype=float), rows["state"].to_numpy(dtype=object)
    agent, week = pd.factorize(rows["agent"])[0].astype(np.int64), rows["week"].to_numpy(dtype=np.int64)
    weekday = rows["weekday"].to_numpy(dtype=np.int64)

    def away(these: npt.NDArray[np.bool_], here: npt.NDArray[np.bool_] | None, measure: str, at: str) -> Figure:
        part = np.ones(len(paid), dtype=bool) if here is None else here
        found = _time_share(np.where(these, paid, 0.0)[part], paid[part], agent[part], week[part])
        return replace(of_estimate(measure, found, "share", queue=queue, at=at), least=FEWEST_AGENTS)

    causes = sorted(set(state) - {AVAILABLE})
    present = sorted(set(weekday.tolist()))
    out = [away(state != AVAILABLE, None, "shrinkage", "")]
    out += [away(state == cause, None, "shrinkage_cause", cause) for cause in causes]
    out.append(away(np.isin(state, OFF), None, "absence", ""))
    out += [away(state != AVAILABLE, weekday == day, "shrinkage", _WEEKDAYS[day]) for day in present]
    for cause in causes:
        out += [away(state == cause, weekday == d, "shrinkage_cause", f"{cause} {_WEEKDAYS[d]}") for d in present]
    return out


def _by_day(roster: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Stretches cut at local midnights, with weekday and week."""
    start = roster["start"].dt.tz_convert(zone)
    end = roster["end"].dt.tz_convert(zone)
    parts, left = [], pd.DataFrame({"agent": roster["agent"], "state": roster["state"].str.lower()})
    left = left.assign(start=start, end=end)
    while len(left):
        naive = left["start"].dt.tz_localize(None).dt.floor("D")
        midnight = (naive + pd.Timedelta(days=1)).dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
        stop = left["end"].where(left["end"] < midnight, midnight)
        parts.append(left.assign(
            seconds=(stop - left["start"]).dt.total_seconds(), weekday=naive.dt.day_of_week,
            week=(naive - pd.Timestamp("1970-01-05")).dt.days // 7,
        ))  # fmt: skip
        left = left.assign(start=stop)[left["end"] > stop]
    return pd.concat(parts, ignore_index=True)


def _time_share(away: Floats, paid: Floats, agent: Ints, week: Ints) -> Estimate:
    whole = float(paid.sum())
    people = len(np.unique(agent))
    if whole <= 0:
        return Estimate(value=np.nan, n=people)
    value = float(away.sum()) / whole
    influence = (away - value * paid) / whole
    wide, critical = 0.0, 0.0
    for codes in (agent, week):
        _, unit = np.unique(codes, return_inverse=True)
        summed = np.asarray(np.bincount(unit, weights=influence), dtype=np.float64)
        if len(summed) < 2:
            continue
        found = spread(summed, None)
        if found.critical * found.se > critical * wide:
            wide, critical = found.se, found.critical
    if not 0 < value < 1 or wide == 0:
        return Estimate(value=value, n=people, how="one agent or week: no interval")
    # As many independent hours as would have this standard error, so that the interval stays within 0 and 1.
    size = value * (1 - value) / wide**2
    low, high = wilson(value * size, size, critical)
    return Estimate(value=value, low=low, high=high, n=people, how="by agent or week")
