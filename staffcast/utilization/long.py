"""Every KPI in long form: one row per KPI and group, with its interval, its number of tickets and how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, Target, bad_value
from staffcast.tickets import TicketLog
from staffcast.utilization import contacts
from staffcast.utilization.ages import backlog_ages
from staffcast.utilization.catalogue import MEASURES, STATISTICS, Facts, Measure, Sample
from staffcast.utilization.clocks import clock_rule
from staffcast.utilization.estimate import Estimate, mean, nps, quantile, share
from staffcast.utilization.kpi import TIME_CUTS, check_cuts, cut_labels, thresholds
from staffcast.utilization.online import ONLINE_CUTS, online_times
from staffcast.utilization.survival import kaplan_meier

__all__ = ["PERIODS", "KpiTable", "estimates", "kpi_long"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PERIODS = ("day", "week", "month")
SMALL = 30
_MOST_OPTIONS = 20
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
Key = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class KpiTable:
    """KPIs in long form.

    Attributes
    ----------
    frame : DataFrame
        The cuts, ``kpi, value, low, high`` (95 %), ``n`` (tickets behind it; days for hours of a roster), ``plain``
        (durations: of the ended alone, whatever still waits left out), ``unit``, ``interval`` (how it was made and
        its unit), ``note``.
    notes : tuple of str
        What of the KPIs could not be measured, and by which column it lacks; which definitions were taken.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = field(default=())


def kpi_long(
    log: TicketLog,
    calendars: Mapping[str, Calendar],
    *,
    by: Sequence[str] = (),
    period: str | None = None,
    target: Target | Mapping[str, Target] | None = None,
    clock: str = "business",
    roster: pd.DataFrame | None = None,
    repeat_days: float = 7.0,
) -> KpiTable:
    """Every KPI that the log's columns allow.

    Parameters
    ----------
    log : TicketLog
    calendars : mapping
        Calendar of each queue.
    by : sequence of str
        Cuts from ``CUTS``.
    period : {"day", "week", "month"}, optional
        A further cut, the first column.
    target : Target or mapping of queue to Target, optional
        Its seconds are the threshold of ``frt_human_within``; 60 s without one.
    clock : str
        A name of ``CLOCKS``.
    roster : DataFrame, optional
        From :func:`read_roster`: gives online time, utilization and occupancy.
    repeat_days : float
        Within how many days a customer who comes back is a repeat contact; above 0.

    Raises
    ------
    InputError
        An unknown cut, period or clock, or one whose columns the log lacks.
    """
    if period is not None and period not in PERIODS:
        raise bad_value("period", period, f"one of {', '.join(PERIODS)}")
    if not repeat_days > 0:
        raise bad_value("repeat_days", repeat_days, "above 0 days")
    cuts = check_cuts(log, [*([period] if period else []), *(c for c in by if c != period)])
    limits = thresholds(log.frame["queue"], target).to_numpy(dtype=float)
    facts = Facts(log=log, calendars=calendars, clock=clock, within_s=limits, repeat_days=repeat_days)
    rule = clock_rule(clock)
    counted = "closed hours left out" if rule.hours == "business" else "nights and weekends counted"
    notes = [f"clock {rule.name}: {rule.about}; art and closing run on the same hours, {counted}"]
    groups: dict[str, _Groups] = {}
    found: dict[str, list[tuple[Key, str, str, Estimate]]] = {}
    for measure in MEASURES.values():
        reason, sample = _sample(measure, facts)
        if sample is None:
            notes.append(f"{measure.name} left out: {reason}")
            continue
        if measure.time not in groups:
            groups[measure.time] = _Groups.of(log.frame, measure.time, cuts)
        found[measure.name] = list(_per_group(measure, sample, groups[measure.time]))
        if measure.name == "volume":
            found["volume_per_day"] = list(_per_day(log, groups[measure.time], cuts))
    more, why = _further(facts, cuts, groups)
    notes += [*why, *_definitions(log)]
    if roster is None:
        notes.append("utilization, occupancy and online time left out: there is no roster (--roster)")
    elif strange := [c for c in cuts if c not in ONLINE_CUTS]:
        notes.append(f"utilization, occupancy and online time left out: a roster cannot be cut by {', '.join(strange)}")
    else:
        more.append(online_times(roster, log, cuts))
    rows = [row for rows in (*found.values(), *more) for row in rows]
    return KpiTable(frame=_framed(rows, cuts), notes=tuple(notes))


def estimates(measure: Measure, sample: Sample, days: Ints | None, rows: Ints | slice) -> list[Estimate]:
    """Estimate a measure from some rows; for durations one for each of ``STATISTICS``.

    Parameters
    ----------
    measure : Measure
    sample : Sample
        Values that count: none of the rows is NaN.
    days : ndarray of int or None
        Unit of each row, in the order of the rows taken.
    rows : index
        Which rows.
    """
    values = sample.values[rows]
    if measure.kind == "count":
        return [Estimate(value=float(values.sum()), n=int(values.sum()), how="count")]
    if measure.kind == "share":
        return [share(values, days)]
    if measure.kind == "nps":
        return [nps(values, days)]
    if measure.kind == "mean":
        return [mean(values, days, None if sample.weights is None else sample.weights[rows])]
    ended = sample.ended[rows] if sample.ended is not None else np.ones(len(values), dtype=bool)
    if not ended.any():
        return [Estimate(value=np.nan, n=len(values), note="none has ended yet") for _ in STATISTICS]
    shown = values[ended]
    plain = [float(shown.mean()), *(float(x) for x in np.quantile(shown, list(_QUANTILES.values())))]
    if ended.all():
        order = np.argsort(values, kind="stable")
        ordered, own = values[order], None if days is None else days[order]
        made = [mean(values, days), *(quantile(ordered, q, own) for q in _QUANTILES.values())]
        made[0] = replace(made[0], low=max(made[0].low, 0.0))
    else:
        curve = kaplan_meier(values, ended)
        made = [curve.mean_estimate(days), *(curve.quantile_estimate(q, days) for q in _QUANTILES.values())]
    return [replace(e, plain=p) for e, p in zip(made, plain, strict=True)]


@dataclass(frozen=True, kw_only=True)
class _Groups:
    """Number of the group of each row (−1: none) by one instant's clock, and the groups' labels."""

    codes: Ints
    labels: list[Key]
    days: Ints

    @classmethod
    def of(cls, frame: pd.DataFrame, time: str, cuts: Sequence[str]) -> _Groups:
        there = frame[time].notna().to_numpy()
        local = frame[time].dt.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
        if not cuts:
            return cls(codes=np.where(there, 0, -1), labels=[()], days=local)
        labelled = cut_labels(frame[there], time, list(cuts))
        codes = np.full(len(frame), -1, dtype=np.int64)
        grouped = labelled.groupby(list(cuts), sort=True, dropna=False)
        codes[there] = grouped.ngroup().to_numpy()
        labels = list(grouped.indices)
        keys = [key if isinstance(key, tuple) else (key,) for key in labels]
        return cls(codes=codes, labels=sorted(keys), days=local)


def _sample(measure: Measure, facts: Facts) -> tuple[str, Sample | None]:
    missing = [c for c in measure.needs if c not in facts.frame or facts.frame[c].isna().all()]
    if missing:
        return f"the log lacks {', '.join(missing)}", None
    sample = measure.make(facts)
    if np.isnan(sample.values).all():
        return "no ticket has it", None
    if measure.name == "deflection" and not np.nansum(sample.values):
        return "no conversation ended without seeking a person (empty offered_at, or outcome bot_closed)", None
    return "", sample


def _per_group(measure: Measure, sample: Sample, groups: _Groups) -> list[tuple[Key, str, str, Estimate]]:
    use = ~np.isnan(sample.values) & (groups.codes >= 0)
    order = np.flatnonzero(use)
    order = order[np.argsort(groups.codes[order], kind="stable")]
    edges = np.searchsorted(groups.codes[order], np.arange(len(groups.labels) + 1))
    out = []
    for k, key in enumerate(groups.labels):
        rows = order[edges[k] : edges[k + 1]]
        if len(rows):
            made = estimates(measure, sample, groups.days[rows], rows)
            out += [(key, name, measure.unit, e) for name, e in zip(measure.names(), made, strict=True)]
    return out


def _per_day(log: TicketLog, groups: _Groups, cuts: Sequence[str]) -> list[tuple[Key, str, str, Estimate]]:
    """Mean number per day of the calendar: days without any count too."""
    first, last = log.frame["created_at"].min(), log.end
    dates = pd.date_range(first.tz_localize(None).normalize(), last.tz_localize(None).normalize(), freq="D")
    time_cuts = [c for c in cuts if c in ("weekday", *PERIODS)]
    calendar = cut_labels(pd.DataFrame({"day_": dates.tz_localize("UTC")}), "day_", time_cuts)
    places = [cuts.index(c) for c in time_cuts]
    sizes: dict[Key, int] = {(): len(dates)}
    if time_cuts:
        sizes = {k if isinstance(k, tuple) else (k,): int(n) for k, n in calendar.groupby(time_cuts).size().items()}
    out = []
    order = np.flatnonzero(groups.codes >= 0)
    order = order[np.argsort(groups.codes[order], kind="stable")]
    edges = np.searchsorted(groups.codes[order], np.arange(len(groups.labels) + 1))
    for k, key in enumerate(groups.labels):
        days = groups.days[order[edges[k] : edges[k + 1]]]
        counts = np.bincount(days - days.min())
        number = int(sizes[tuple(key[p] for p in places)])
        daily = np.zeros(number)
        filled = counts[counts > 0]
        daily[: len(filled)] = filled
        found = mean(daily)
        how = found.how.replace("ticket", "day")
        out.append(
            (key, "volume_per_day", "conversations", Estimate(
                value=found.value, low=max(found.low, 0.0), high=found.high, n=int(filled.sum()), how=how,
                note="" if number > 1 else "one day: no interval",
            ))
        )  # fmt: skip
    return out


def _further(
    facts: Facts, cuts: Sequence[str], groups: dict[str, _Groups]
) -> tuple[list[list[tuple[Key, str, str, Estimate]]], list[str]]:
    """KPIs that are not of single tickets: per agent, per bot option, backlog."""
    notes: list[str] = []
    more = []
    frame = facts.frame
    if "agent" in frame and "resolved_at" in groups and "agent" not in cuts:
        more.append(_closed_per_agent(facts, groups["resolved_at"]))
    if "bot_option" not in frame or frame["bot_option"].isna().all():
        notes.append("bot_option_share left out: the log lacks bot_option")
    elif "bot_option" not in cuts:
        more.append(_options(frame, groups["created_at"]))
    periods = [c for c in cuts if c in PERIODS]
    if strange := [c for c in cuts if c in ("hour", "weekday")]:
        notes.append(f"backlog left out: a backlog at an instant cannot be cut by {', '.join(strange)}")
    elif len(periods) > 1:
        notes.append("backlog left out: take one of day, week, month")
    else:
        more.append(_backlogs(facts.log, cuts, periods))
    return more, notes


def _closed_per_agent(facts: Facts, groups: _Groups) -> list[tuple[Key, str, str, Estimate]]:
    agents, _ = pd.factorize(facts.frame["agent"])
    rows = (agents >= 0) & (groups.codes >= 0) & facts.offered
    table = pd.DataFrame({"group": groups.codes[rows], "agent": agents[rows]})
    out = []
    for k, own in table.groupby("group"):
        heads = own["agent"].nunique()
        estimate = Estimate(value=len(own) / heads, n=len(own), how="count", note=f"{heads} agents")
        out.append((groups.labels[int(str(k))], "closed_per_agent", "tickets", estimate))
    return out


def _options(frame: pd.DataFrame, groups: _Groups) -> list[tuple[Key, str, str, Estimate]]:
    known = frame["bot_option"].notna().to_numpy()
    top = frame["bot_option"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    out = []
    for option in top.index[:_MOST_OPTIONS]:
        flags = np.where(known, frame["bot_option"].eq(option).fillna(value=False).to_numpy(dtype=float), np.nan)
        name = f"bot_option_share: {option}"
        out += _per_group(replace(MEASURES["deflection"], name=name), Sample(values=flags), groups)
    return out


def _backlogs(log: TicketLog, cuts: Sequence[str], periods: list[str]) -> list[tuple[Key, str, str, Estimate]]:
    seen = log.seen
    instants: dict[object, pd.Timestamp] = {None: seen}
    if periods:
        first, end = log.frame["created_at"].min(), log.end
        days = pd.date_range(first.tz_localize(None).normalize(), end.tz_localize(None).normalize(), freq="D")
        labels = cut_labels(pd.DataFrame({"at": days.tz_localize("UTC")}), "at", periods)[periods[0]]
        following = days + pd.Timedelta(days=1)
        close = following.tz_localize(log.zone, ambiguous=True, nonexistent="shift_forward")
        last = pd.Series(close, index=labels.to_numpy()).groupby(level=0).max()
        instants = {label: min(instant, seen) for label, instant in last.items()}
    others = [c for c in cuts if c not in TIME_CUTS]
    out = []
    for label, instant in instants.items():
        table = backlog_ages(log, instant, others)
        for row in table.to_dict("records"):
            named = {**{str(k): v for k, v in row.items()}, **dict.fromkeys(periods, label)}
            key = tuple(named[c] for c in cuts)
            for name in (c for c in table.columns if c not in others):
                unit = "s" if name.endswith("_s") else "tickets"
                value = float(named[name])
                note = f"at {instant:%Y-%m-%d %H:%M}"
                estimate = Estimate(value=value, n=int(named["backlog_open"]), how="count", note=note)
                out.append((key, str(name), unit, estimate))
    return out


def _definitions(log: TicketLog) -> list[str]:
    notes = []
    if "csat" in log.frame and log.frame["csat"].notna().any():
        top, scale = contacts.csat_top(log.frame)
        notes.append(f"csat: ratings on {scale}; {top:g} and more are satisfied")
    if "reopens" in log.frame and "assignees" not in log.frame:
        notes.append("fcr_closed_once: the log lacks assignees; every ticket is taken to have been with one teammate")
    if "channel" in log.frame and log.frame["channel"].str.lower().eq("whatsapp").any():
        notes.append("window_expired_share: of the channel whatsapp alone")
    return notes


def _framed(rows: list[tuple[Key, str, str, Estimate]], cuts: Sequence[str]) -> pd.DataFrame:
    order = {name: k for k, name in enumerate(dict.fromkeys(name for _, name, _, _ in rows))}
    rows = sorted(rows, key=lambda row: (tuple(_sortable(part) for part in row[0]), order[row[1]]))
    records = []
    for key, name, unit, e in rows:
        few = e.how not in ("count", "") and e.n < SMALL
        note = "; ".join(part for part in (e.note, f"few: {e.n}" if few else "") if part)
        records.append(
            {**dict(zip(cuts, key, strict=True)), "kpi": name, "value": e.value, "low": e.low, "high": e.high, "n": e.n,
             "plain": e.plain, "unit": unit, "interval": "" if e.how == "count" else e.how, "note": note}
        )  # fmt: skip
    columns = [*cuts, "kpi", "value", "low", "high", "n", "plain", "unit", "interval", "note"]
    return pd.DataFrame.from_records(records, columns=columns)


def _sortable(part: object) -> tuple[int, float, str]:
    return (0, float(part), "") if isinstance(part, (int, float, np.integer)) else (1, 0.0, str(part))
