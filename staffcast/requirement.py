"""The rows of the requirement table of one queue: what the queueing engine found, with the reason in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.channels import QueueModel, chat_times
from staffcast.contracts import Target, format_duration, format_share
from staffcast.erlang import (
    Deferrable,
    OverTime,
    Staffing,
    chance_met,
    required_agents,
    staff_deferrable,
    staff_over_time,
)
from staffcast.scenario import QueueRules

__all__ = ["aht_variance", "deferrable_rows", "live_rows", "occupancy_over"]

FloatArray = npt.NDArray[np.float64]
_PERCENTILES = {"frt_p50_s": 0.50, "frt_p90_s": 0.90, "frt_p95_s": 0.95, "frt_p99_s": 0.99}


def live_rows(
    rows: pd.DataFrame, worked: FloatArray, rules: QueueRules, model: QueueModel, *, minutes: int, uncertain: bool
) -> pd.DataFrame:
    """Rows of a queue whose customers wait for an answer: phone, live chat.

    Parameters
    ----------
    rows : DataFrame
        The queue's part of the demand table.
    worked : array, shape (n,)
        Tickets to be worked on per interval.
    rules : QueueRules
    model : QueueModel
    minutes : int
        Length of an interval.
    uncertain : bool
        Whether the uncertainty of rate and handle time is staffed for.
    """
    opened = rows["open"].to_numpy()
    rate, aht = worked / (minutes / 60), rows["aht_s"].to_numpy()
    cv = _load_cv(rows, rules) if uncertain else np.zeros(len(rows))
    minimum = np.where(opened, rules.minimum, 0)
    asked: dict[str, Any] = {"target": rules.frt, "band": rules.band, "first_reply_s": rules.first_reply_s}
    crowd: dict[str, Any] = {"patience_s": _patience_s(rows, rules)}
    times = None
    if model.name == "chat":
        times = chat_times(rules, float(np.average(aht, weights=worked) if worked.sum() > 0 else aht.mean()))
        crowd |= {"concurrency": 1 if times is None else len(times), "aht_by_concurrency_s": times}
    if model.name == "erlang_x":
        crowd |= {"redial": rules.redial}
    day = pd.factorize(rows["ds"].dt.date)[0]
    if model.over_time:
        columns = _over_time(rate, aht, cv, day, opened, minimum, asked, rules, minutes)
    else:
        found = required_agents(arrivals_per_hour=rate, aht_s=aht, minimum=minimum, rate_cv=cv, **crowd, **asked)
        columns = _steady(found, rules) if times is None else _chats(found, rules, times)
    chance = chance_met(
        arrivals_per_hour=rate, aht_s=aht, agents=columns["agents"], target=rules.frt, rate_cv=cv, day=day,
        first_reply_s=rules.first_reply_s, **{k: v for k, v in crowd.items() if k != "redial"},
    )  # fmt: skip
    columns["p_met"], columns["p_met_day"] = chance.interval, chance.day[day]
    columns["erlang_c_agents"] = (
        required_agents(arrivals_per_hour=rate, aht_s=aht, minimum=minimum, **asked).agents.astype(float)
        if not model.erlang_c
        else np.full(len(rows), np.nan)
    )
    return _table(rows, worked, columns, rules, model)


def deferrable_rows(
    rows: pd.DataFrame,
    rules: QueueRules,
    model: QueueModel,
    *,
    minutes: int,
    uncertain: bool,
    backlog: npt.ArrayLike = (),
    spare_s: FloatArray | float = 0.0,
) -> pd.DataFrame:
    """Rows of a queue whose tickets have until a deadline: email, forms, conversations that may rest.

    Parameters
    ----------
    rows, rules, model, minutes, uncertain
        As in :func:`live_rows`.
    backlog : array, shape (tickets,)
        Ages of what is open at the start. [s]
    spare_s : array, shape (n,)
        Idle agent-seconds per interval of the live queue in whose gaps this work is done.
    """
    ages = np.asarray(backlog, dtype=float)
    weight = rows["mean"].to_numpy()
    aht = float(np.average(rows["aht_s"], weights=weight)) if weight.sum() > 0 else float(rows["aht_s"].mean())
    cv = float(np.average(_load_cv(rows, rules), weights=weight)) if uncertain and weight.sum() > 0 else 0.0
    together = rows["share_level"] + rows["share_day"]
    common = float(np.average(together, weights=weight)) if weight.sum() > 0 else 1.0
    # What comes last is due after the end, and would not be staffed for: the span goes on as it was a week before.
    n = len(rows)
    ahead = int(-(-rules.frt.seconds // 86_400) + 1) * 1440 // minutes
    week = 7 * 1440 // minutes
    more = n - min(n, week) + np.arange(ahead) % min(n, week)
    longer = np.concatenate([np.arange(n), more])
    days = pd.factorize(rows["ds"].dt.date)[0]
    found = staff_deferrable(
        arrivals=weight[longer], aht_s=aht, interval_s=60.0 * minutes, target=rules.frt,
        opened=rows["open"].to_numpy()[longer], backlog=[(1.0, age) for age in ages.tolist()],
        spare_s=np.broadcast_to(spare_s, (n,))[longer], band=rules.band, first_reply_s=rules.first_reply_s,
        minimum=np.where(rows["open"], rules.minimum, 0)[longer], rate_cv=cv, rate_common=min(common, 1.0),
        there=rows["carried"].to_numpy()[longer], band_over="day",
        day=np.concatenate([days, days[-1] + 1 + np.arange(ahead) * minutes // 1440]), clock="calendar",
    )  # fmt: skip
    columns = {name: values[:n] for name, values in _by_deadline(found, aht, minutes, rules).items()}
    return _table(rows, found.answered[:n], columns, rules, model)


def _patience_s(rows: pd.DataFrame, rules: QueueRules) -> FloatArray | float | None:
    """Patience by interval where it was measured, the queue's mean where the table has a hole."""
    if not rules.patience_by_interval or rules.patience_s is None or "patience_s" not in rows:
        return rules.patience_s
    return np.asarray(rows["patience_s"].fillna(rules.patience_s).to_numpy(dtype=float))


def aht_variance(rows: pd.DataFrame) -> FloatArray:
    """Relative variance of the mean handle time in each interval; 0 where the table does not tell."""
    if "aht_cv" not in rows:
        return np.zeros(len(rows))
    return np.asarray(np.nan_to_num(rows["aht_cv"].to_numpy(dtype=float)) ** 2)


def _load_cv(rows: pd.DataFrame, rules: QueueRules) -> FloatArray:
    """Relative standard deviation of the load, tickets × handle time: crews follow the load, whatever moves it.

    The two are taken as independent. Conversations side by side whose times the planner states have no doubt in them.
    """
    rate = rows["rate_cv"].to_numpy(dtype=float)
    if rules.aht_by_concurrency_s is not None:
        return rate
    return np.asarray(np.sqrt(rate**2 + aht_variance(rows)))


def _steady(found: Staffing, rules: QueueRules) -> dict[str, Any]:
    """Each interval as a queue in balance."""
    columns: dict[str, Any] = {
        name: getattr(found, name)
        for name in (
            "agents", "binding", "load_erl", "occupancy", "band_gap", "service_level", "frt_mean_s", *_PERCENTILES,
            "frt_agents", "occupancy_agents", "one_fewer",
        )
    }  # fmt: skip
    columns["reason"] = [_reason(found, rules, i) for i in range(len(found.agents))]
    return columns


def _chats(found: Staffing, rules: QueueRules, times: Sequence[float]) -> dict[str, Any]:
    """Each interval as a queue in balance whose agents hold several conversations; occupancy is the agents'."""
    met, most = found.performance, len(times)
    rate_s = met.arrivals_per_hour / 3600
    answered = rate_s * (1 - met.abandon_prob)
    held = met.occupancy * most * found.agents
    # Little's law: what is in hand = what comes × how long it takes.
    lasts = np.divide(held, answered, out=np.full(held.shape, times[0]), where=answered > 0)
    columns = _steady(found, rules)
    columns |= {
        "aht_s": np.clip(lasts, times[0], times[-1]), "load_erl": rate_s * times[-1] / most,
        "occupancy": met.agent_busy, "slots_busy": met.occupancy,
        "band_gap": _gap_below(met.agent_busy, found.agents, rules),
    }  # fmt: skip
    reasons = [_reason(found, rules, i, slots=most) for i in range(len(found.agents))]
    busy = [_chat_band(share, gap, rules) for share, gap in zip(met.agent_busy, columns["band_gap"], strict=True)]
    columns["reason"] = [r + b if n > 0 else r for r, b, n in zip(reasons, busy, found.agents, strict=True)]
    return columns


def _over_time(
    rate: FloatArray, aht: FloatArray, cv: FloatArray, day: npt.NDArray[np.int64], opened: npt.NDArray[np.bool_],
    minimum: npt.NDArray[np.int64], asked: Mapping[str, Any], rules: QueueRules, minutes: int,
) -> dict[str, Any]:  # fmt: skip
    """The queue followed from interval to interval; one uncertainty of the rate for all days."""
    spread = float(np.average(cv, weights=rate)) if rate.sum() > 0 else 0.0
    course: dict[str, Any] = {
        "arrivals_per_hour": rate, "aht_s": aht, "interval_s": 60.0 * minutes, "patience_s": rules.patience_s,
        "rate_cv": spread, "day": day,
    }  # fmt: skip
    found = staff_over_time(**course, **asked, minimum=minimum, opened=opened)
    quantiles = found.wait_quantiles_s(list(_PERCENTILES.values()))
    columns: dict[str, Any] = {
        "agents": found.agents, "binding": found.binding, "load_erl": rate * aht / 3600, "occupancy": found.occupancy,
        "band_gap": _gap_below(found.occupancy, found.agents, rules),
        "service_level": found.service_level, "frt_mean_s": found.frt_mean_s,
        **{name: q + rules.first_reply_s for name, q in zip(_PERCENTILES, quantiles, strict=True)},
        "frt_agents": found.frt_agents, "occupancy_agents": found.occupancy_agents,
        "one_fewer": np.full(len(rate), np.nan),
    }  # fmt: skip
    columns["reason"] = [_reason_over_time(found, columns, rules, i, bool(opened[i])) for i in range(len(rate))]
    return columns


def _by_deadline(found: Deferrable, aht: float, minutes: int, rules: QueueRules) -> dict[str, Any]:
    agents = found.agents
    load = found.answered * aht / (60 * minutes)
    own = np.maximum(found.answered * aht - found.used_spare_s, 0.0)
    busy = np.divide(own, agents * 60.0 * minutes, out=np.zeros(len(load)), where=agents > 0)
    nothing = np.full(len(load), np.nan)
    columns: dict[str, Any] = {
        "agents": agents, "binding": found.binding, "load_erl": load, "occupancy": np.minimum(busy, 1.0),
        "band_gap": _gap_below(busy, agents, rules), "in_gaps": found.used_spare_s / (60.0 * minutes),
        "service_level": found.frt_share, "frt_mean_s": found.frt_mean_s,
        **dict.fromkeys(_PERCENTILES, nothing), "frt_agents": np.where(found.binding == "frt", agents, 0),
        "occupancy_agents": np.zeros(len(load), dtype=np.int64), "one_fewer": nothing, "p_met": nothing,
        "p_met_day": nothing, "erlang_c_agents": nothing,
    }  # fmt: skip
    columns["reason"] = [_reason_by_deadline(found, rules, minutes, i) for i in range(len(load))]
    return columns


def _table(
    rows: pd.DataFrame, worked: FloatArray, columns: Mapping[str, Any], rules: QueueRules, model: QueueModel
) -> pd.DataFrame:
    agents = columns["agents"]
    times = ("frt_mean_s", *_PERCENTILES)
    nothing = np.full(len(rows), np.nan)
    return pd.DataFrame(
        {
            "unique_id": rows["unique_id"],
            "ds": rows["ds"],
            "open": rows["open"],
            "mean": rows["mean"],
            "worked": worked,
            "aht_s": columns.get("aht_s", rows["aht_s"]),
            "load_erl": columns["load_erl"],
            "agents": agents,
            "in_gaps": columns.get("in_gaps", nothing),
            "rostered": [rules.shrinkage.rostered(int(n)) for n in agents],
            "model": model.label,
            "erlang_c_agents": columns["erlang_c_agents"],
            "binding": columns["binding"],
            "occupancy": np.where(agents > 0, columns["occupancy"], np.nan),
            "slots_busy": np.where(agents > 0, columns.get("slots_busy", nothing), np.nan),
            "band_gap": columns["band_gap"],
            "service_level": columns["service_level"],
            "p_met": columns["p_met"],
            "p_met_day": columns["p_met_day"],
            # Where a rate overloads the crew the wait has no bound; an empty cell says so better than "inf".
            **{name: np.where(np.isfinite(columns[name]), columns[name], np.nan) for name in times},
            "frt_agents": columns["frt_agents"],
            "occupancy_agents": columns["occupancy_agents"],
            "one_fewer": columns["one_fewer"],
            "reason": [
                text if opened or n > 0 else "closed"
                for text, opened, n in zip(columns["reason"], rows["open"], agents, strict=True)
            ],
        }
    )


def occupancy_over(table: pd.DataFrame) -> float:
    """Occupancy over many intervals: the share of the agents' time, each row as in the table; NaN without agents."""
    staffed = table[table["agents"] > 0]
    return float(np.average(staffed["occupancy"], weights=staffed["agents"])) if len(staffed) else math.nan


def _gap_below(occupancy: FloatArray, agents: npt.NDArray[Any], rules: QueueRules) -> FloatArray:
    """How far an occupancy lies below the band's bottom; 0 without a band or agents."""
    gap = np.zeros(len(occupancy))
    if rules.band is not None:
        gap = np.where(agents > 0, np.maximum(rules.band.bottom - occupancy, 0.0), 0.0)
        gap[gap < 1e-12] = 0.0
    return gap


def _chat_band(busy: float, gap: float, rules: QueueRules) -> str:
    """How busy agents with conversations are, against the band."""
    text = f"; a conversation in hand {format_share(busy, 1)} of the time"
    if rules.band is not None and busy > rules.band.top:
        return f"{text}, above the band {rules.band}"
    return text + _below(gap, rules)


def _reason(found: Staffing, rules: QueueRules, i: int, *, slots: int = 1) -> str:
    """Why this number, in a sentence a planner can check; with several conversations the band on them is apart."""
    agents, binding = int(found.agents[i]), str(found.binding[i])
    if binding == "none":
        return "no demand"
    if binding == "minimum":
        return f"minimum of {agents}; demand alone asks for {max(found.frt_agents[i], found.occupancy_agents[i])}"
    if binding == "occupancy":
        top = rules.band.top if rules.band is not None else 1.0
        share = format_share(found.one_fewer[i], 1)
        full = f"be {share} occupied" if slots == 1 else f"hold {share} of the conversations they can"
        return f"{agents - 1} would {full}, above {format_share(top)}; FRT alone asks for {found.frt_agents[i]}"
    now, fewer = _figure(rules.frt, found, i), _fewer(rules.frt, found.one_fewer[i])
    text = f"{rules.frt}: {now} with {agents}, {fewer} with {agents - 1}"
    return text + _below(found.band_gap[i], rules) if slots == 1 else text


def _reason_over_time(found: OverTime, columns: Mapping[str, Any], rules: QueueRules, i: int, opened: bool) -> str:
    agents, binding = int(found.agents[i]), str(found.binding[i])
    if binding == "none":
        return "no demand" if opened else "closed"
    if binding == "minimum":
        return f"minimum of {agents}; demand alone asks for {max(found.frt_agents[i], found.occupancy_agents[i])}"
    if binding == "occupancy":
        top = rules.band.top if rules.band is not None else 1.0
        return f"{agents - 1} would be occupied above {format_share(top)}; FRT alone asks for {found.frt_agents[i]}"
    if rules.frt.kind == "mean":
        now = format_duration(float(found.frt_mean_s[i]))
    else:
        now = format_share(float(found.service_level[i]), 1)
    text = f"{rules.frt}: {now} with {agents} for those who come in this interval, too little with {agents - 1}"
    return text + _below(float(columns["band_gap"][i]), rules)


def _reason_by_deadline(found: Deferrable, rules: QueueRules, minutes: int, i: int) -> str:
    agents, binding = int(found.agents[i]), str(found.binding[i])
    waiting = f"{found.waiting[i]:.0f} left waiting at its end"
    gaps = found.used_spare_s[i] / (60 * minutes)
    helped = f"; {gaps:.1f} agents' worth in the gaps of {rules.in_gaps_of}" if gaps > 0.05 else ""
    if binding == "none" or agents == 0:
        return "no demand" if found.waiting[i] < 0.5 and not helped else f"nothing falls due yet, {waiting}{helped}"
    if binding == "minimum":
        return f"minimum of {agents}; {waiting}{helped}"
    return f"{agents} answer {found.answered[i]:.1f}, so that {rules.frt} is kept; {waiting}{helped}"


def _below(gap: float, rules: QueueRules) -> str:
    if gap > 0 and rules.band is not None:
        return f"; {100 * gap:.1f} points below the band {rules.band}"
    return ""


def _figure(target: Target, found: Staffing, i: int) -> str:
    if target.kind == "share":
        return format_share(found.service_level[i], 1)
    if target.kind == "mean":
        return format_duration(float(found.frt_mean_s[i]))
    # The percentile asked for is in the table only if it is one of the usual ones.
    name = next((name for name, level in _PERCENTILES.items() if level == target.level), None)
    return format_duration(float(getattr(found, name)[i])) if name is not None else "met"


def _fewer(target: Target, figure: float) -> str:
    return format_share(figure, 1) if target.kind == "share" else format_duration(float(figure))
