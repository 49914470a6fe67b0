"""Run staffcast on real logs and print every figure that docs/real-data.md states.

``python benchmarks/real_data.py`` runs all sections, ``python benchmarks/real_data.py bank iowa`` only these:
``bank``, ``servicenow``, ``chats``, ``iowa``. The data is not part of the repository: the environment variable
STAFFCAST_SHARED_DATA names its folder, else it is looked for in ``../shared/data``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from staffcast.erlang import performance
from staffcast.forecast import backtest, forecast
from staffcast.forecast.demand import count_cdf
from staffcast.forecast.models.lineup import MODELS
from staffcast.plan import Intake, take_in
from staffcast.playing import play
from staffcast.scenario import Scenario
from staffcast.simulation import Arrivals, Patience, Service, Staffing, simulate
from staffcast.staffing import pooling_gain, staff, with_handle_times
from staffcast.tickets import TicketLog, count
from staffcast.utilization import kpis, response_times

Floats = npt.NDArray[np.float64]

BANK_ZONE = "Asia/Jerusalem"
BANK_HOURS = {"sun-thu": "07:00-24:00", "fri": "07:00-14:00", "sat": "19:00-24:00"}
BANK_FROM, BANK_TO = pd.Timestamp("1999-02-15", tz=BANK_ZONE), pd.Timestamp("1999-03-01", tz=BANK_ZONE)
HALF_HOUR = 1800.0
ANSWER_S = 20.0
# An agent who leaves a customer waiting this long is not there for calls; a longer gap is a break in any case.
NOT_THERE_S, BREAK_S = 60.0, 1800.0
GRID_S = 60.0
SERVICENOW_FROM, SERVICENOW_TO = "2016-05-04", "2016-06-01"
# Good Friday, Tiradentes, Corpus Christi and the day after.
SERVICENOW_CLOSED = ["2016-03-25", "2016-04-21", "2016-05-26", "2016-05-27"]


def data_folder() -> Path:
    """Folder of the data sets: STAFFCAST_SHARED_DATA, else ``../shared/data`` beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("STAFFCAST_SHARED_DATA", beside))


def show(title: str, table: pd.DataFrame | pd.Series, digits: int = 3) -> None:
    """Print a table with its title."""
    print(f"\n{title}\n{table.round(digits).to_string()}")


def forecast_scores(demand: pd.DataFrame, actual: Floats) -> dict[str, float]:
    """Errors of a demand table against what came, over open intervals.

    Coverage counts the part of a count's probability that lies in the band, as ``staffcast.forecast.backtest`` does.
    """
    opened = demand["open"].to_numpy() & ~np.isnan(actual)
    y, f, rate_cv = actual[opened], *(demand[name].to_numpy()[opened] for name in ("mean", "rate_cv"))
    total = y.sum()
    by_day = pd.DataFrame({"y": y, "f": f}).groupby(demand["ds"].dt.date.to_numpy()[opened]).sum()
    scores = {
        "wape": np.abs(y - f).sum() / total,
        # What chance alone would leave if the forecast were the true rate: Crow 1958, doi:10.1093/biomet/45.3-4.556.
        "floor": (2 * f * stats.poisson.pmf(np.floor(f), f)).sum() / total,
        "wape_day": np.abs(by_day["y"] - by_day["f"]).sum() / total,
        "bias": (f - y).sum() / total,
    }
    below, upto = count_cdf(y - 1, f, rate_cv), count_cdf(y, f, rate_cv)
    for name, low, high in (("cover_80", 0.10, 0.90), ("cover_90", 0.05, 0.95)):
        part = np.clip(np.minimum(upto, high) - np.maximum(below, low), 0, None)
        scores[name] = float((part / np.maximum(upto - below, 1e-300)).mean())
    return scores


def hold_out(past: Intake, full: Intake, horizon: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Forecast what follows ``past`` with ``auto`` and every model, score it against ``full``; and how auto weighs."""
    rows, auto = [], forecast(past.series, horizon, calendar=past.calendars, model="all", seed=1)
    came = count(full.log, past.calendars, minutes=int(auto.minutes)).set_index(["unique_id", "ds"])["y"]
    demands = {"auto": auto} | {
        name: forecast(past.series, horizon, calendar=past.calendars, model=name, seed=1)
        for name in MODELS if name != "siblings" or len(auto.queues) > 1
    }  # fmt: skip
    for queue in auto.queues:
        for name, demand in demands.items():
            table = demand.of(queue)
            y = came.loc[queue].reindex(pd.DatetimeIndex(table["ds"])).to_numpy(dtype=float)
            offered, _ = past.calendars[queue].fold(y, pd.DatetimeIndex(table["ds"]))
            rows.append({"queue": queue, "model": name, **forecast_scores(table, offered)})
            rows[-1]["tickets"] = float(np.nansum(offered))
    return pd.DataFrame(rows).set_index(["queue", "model"]), dict(auto.why)


# --- The bank -------------------------------------------------------------------------------------------------------


def bank_scenario(**options: Any) -> Scenario:
    """How the bank's phone line is planned: given hours, calls outside them are gone."""
    settings = {"zone": BANK_ZONE, "hours": BANK_HOURS, "closed_arrivals": "lost", "frt": "80% in 20s", "seed": 1}
    return Scenario().with_options({**settings, **options})


def bank_calls(folder: Path) -> pd.DataFrame:
    """Calls that sought an agent, with instants in seconds after 1999-01-01 00:00 local."""
    calls = pd.read_csv(folder / "anonymous_bank_1999" / "calls_1999-01_1999-02.csv.gz")
    calls = calls[calls["outcome"].isin(("answered", "abandoned"))].reset_index(drop=True)
    for name, column in (("t", "offered_at"), ("begin", "first_response_at"), ("end", "resolved_at")):
        calls[name] = bank_seconds(pd.to_datetime(calls[column], utc=True))
    calls["answered"] = calls["outcome"] == "answered"
    return calls


def bank_seconds(instants: pd.Series) -> pd.Series:
    """Seconds after 1999-01-01 00:00 in the bank's zone; there is no clock change in January and February."""
    return (instants - pd.Timestamp("1999-01-01", tz=BANK_ZONE)).dt.total_seconds()


def bank_half_hours(folder: Path, calls: pd.DataFrame) -> pd.DataFrame:
    """Half hours of both months over all queues: calls, mean handle time, what happened, agents seen."""
    file = pd.read_csv(folder / "anonymous_bank_1999" / "intervals30_1999-01_1999-02.csv.gz")
    file["ds"] = pd.to_datetime(file["timestamp"], utc=True).dt.tz_convert(BANK_ZONE)
    table = file.groupby("ds").agg(
        offered=("count", "sum"), answered=("answered", "sum"), abandoned=("abandoned", "sum"),
        in_20=("answered_within_20s", "sum"), seen=("agents_seen", "max"),
    )  # fmt: skip
    slot = (calls["t"] // HALF_HOUR).astype(int)
    got = calls[calls["answered"]]
    table["wait_s"] = got.groupby(slot)["wait_s"].sum().reindex(range(len(table)), fill_value=0.0).to_numpy()
    mean = got.groupby(slot)["handle_s"].mean().reindex(range(len(table))).to_numpy()
    table["aht_s"] = np.where(np.isnan(mean), got["handle_s"].mean(), mean)
    table["aht_s"] = table["aht_s"].clip(lower=1.0)
    calendar = take_in(folder / "anonymous_bank_1999" / "calls_1999-01_1999-02.csv.gz", bank_scenario()).calendars
    table["open"] = next(iter(calendar.values())).is_open(pd.DatetimeIndex(table.index))
    return table


def what_happened(calls: pd.DataFrame) -> dict[str, float]:
    """Abandoned share, mean wait of the answered and their share within 20 s; patience by censored exponential."""
    got = calls[calls["answered"]]
    return {
        "offered": len(calls),
        "abandoned": float((~calls["answered"]).mean()),
        "asa_s": float(got["wait_s"].mean()),
        "answered_in_20": float((got["wait_s"] <= ANSWER_S).mean()),
        "aht_s": float(got["handle_s"].mean()),
        # Maximum likelihood of an exponential whose observation stops when an agent answers: total wait ÷ abandoned.
        "patience_s": float(calls["wait_s"].sum() / (~calls["answered"]).sum()),
    }


def level(begin: npt.ArrayLike, end: npt.ArrayLike, seconds: int) -> npt.NDArray[np.int64]:
    """How many of the spans [begin, end) run in each second."""
    change = np.zeros(seconds + 1, dtype=np.int64)
    for instants, sign in ((begin, 1), (end, -1)):
        at = np.clip(np.asarray(instants, dtype=float), 0, seconds).astype(np.int64)
        np.add.at(change, at, sign)
    return np.cumsum(change)[:-1]


def agents_at_work(calls: pd.DataFrame, seconds: int) -> dict[str, Any]:
    """What the calls tell of agents between two calls, second by second.

    ``busy``: on a call. ``present``: on a call, or between two calls less than half an hour apart. ``available``:
    the same without the gaps in which somebody waited for more than a minute in all: an agent who could have
    answered and did not was not there for calls. ``gap_s``: mean gap of available agents while somebody waited all
    through it, the time that every call costs beyond its handle time.
    """
    waiting = level(calls["t"], calls["t"] + calls["wait_s"], seconds) > 0
    waited = np.concatenate([[0], np.cumsum(waiting)])
    served = calls[calls["answered"] & calls["begin"].notna()].sort_values(["agent", "begin"], kind="stable")
    named = served[served["agent"].notna()]
    following = named.groupby("agent")["begin"].shift(-1)
    gap = (following - named["end"]).to_numpy()
    short = (gap > 0) & (gap <= BREAK_S)
    end, after = named["end"].to_numpy()[short], following.to_numpy()[short]
    lost = waited[after.astype(int)] - waited[end.astype(int)]
    there = lost <= NOT_THERE_S
    throughout = there & (lost >= (after - end) - 0.5)
    busy = level(served["begin"], served["end"], seconds)
    return {
        "waiting": waiting,
        "busy": busy,
        "present": busy + level(end, after, seconds),
        "available": busy + level(end[there], after[there], seconds),
        "gap_s": float((after - end)[throughout].mean()),
        "gap_median_s": float(np.median((after - end)[throughout])),
    }


def erlang_against_fact(table: pd.DataFrame, agents: Floats) -> dict[str, float]:
    """Erlang C for the actual volumes and handle times of open half hours with these agents, beside what happened.

    Where it has a steady state the figures are averages over calls; an overloaded half hour has none.
    """
    use = (table["offered"] > 0).to_numpy() & (agents > 0)
    rows, people = table[use], agents[use]
    found = performance(arrivals_per_hour=2 * rows["offered"], aht_s=rows["aht_s"], agents=people, target_s=ANSWER_S)
    calls = rows["offered"].to_numpy(dtype=float)
    stable, calm = found.load_erl < people, found.load_erl < 0.9 * people

    def mean(values: Floats, where: npt.NDArray[np.bool_]) -> float:
        return float(np.average(values[where], weights=calls[where]))

    kept, quiet = rows[stable], rows[calm]
    return {
        "load_to_agents": float(found.load_erl.sum() / people.sum()),
        "overloaded": float((~stable).mean()),
        "calls_in_it": mean((~stable).astype(float), calls > 0),
        "in_20": mean(found.service_level, calls > 0),
        "stable_in_20": mean(found.service_level, stable),
        "fact_in_20": float(kept["in_20"].sum() / kept["answered"].sum()),
        "stable_asa_s": mean(found.asa_s, stable),
        "fact_asa_s": float(kept["wait_s"].sum() / kept["answered"].sum()),
        "asa_s_below_90": mean(found.asa_s, calm),
        "fact_below_90": float(quiet["wait_s"].sum() / quiet["answered"].sum()),
        "fact_abandoned": float(kept["abandoned"].sum() / kept["offered"].sum()),
    }


def by_occupancy(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Erlang C and fact side by side where the agents in ``column`` would be 0–40 %, … occupied."""
    rows = table[(table["offered"] > 0) & (table[column] > 0)]
    found = performance(
        arrivals_per_hour=2 * rows["offered"], aht_s=rows["aht_s"], agents=rows[column], target_s=ANSWER_S
    )
    bands = pd.cut(found.load_erl / rows[column], [0, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, np.inf], right=False)
    out = {}
    for band, part in rows.assign(hits=found.service_level * rows["offered"]).groupby(bands, observed=True):
        out[f"{band.left:.0%} to {band.right:.0%}"] = {
            "half_hours": len(part), "calls": part["offered"].sum(),
            "erlang_in_20": part["hits"].sum() / part["offered"].sum(),
            "fact_in_20": part["in_20"].sum() / part["answered"].sum(),
            "fact_asa_s": part["wait_s"].sum() / part["answered"].sum(),
            "fact_abandoned": part["abandoned"].sum() / part["offered"].sum(),
        }  # fmt: skip
    return pd.DataFrame(out).T


def played(arrivals: Arrivals, staffing: Staffing, service: Service | None, **more: Any) -> dict[str, float]:
    """Simulate and report what the bank counts: shares of the answered, not of the offered."""
    summary = simulate(arrivals, staffing, service, target="80% in 20s", seed=1, **more).summary
    return {
        "occupancy": summary.utilization,
        "abandoned": summary.p_abandon,
        "asa_s": summary.frt_mean_s,
        "answered_in_20": summary.service_level * summary.offered / summary.answered,
    }


def handle_trace(calls: pd.DataFrame, extra_s: float = 0.0) -> Floats:
    """Handle time of every call; an abandoned one gets that of some answered call of its queue."""
    random = np.random.default_rng(1999)
    seconds = calls["handle_s"].to_numpy(dtype=float).copy()
    for rows in calls.groupby("queue").indices.values():
        known = rows[~np.isnan(seconds[rows])]
        missing = rows[np.isnan(seconds[rows])]
        seconds[missing] = random.choice(seconds[known], size=len(missing))
    return seconds + extra_s


def each_minute(people: npt.NDArray[np.int64]) -> Staffing:
    """Staff by the minute from a count by the second: whole people, so the count half a minute in, not a mean."""
    return Staffing.steps(np.arange(0.0, len(people) + 1, GRID_S), people[int(GRID_S / 2) :: int(GRID_S)])


def ladder(table: pd.DataFrame, calls: pd.DataFrame, work: Mapping[str, Any], patience_s: float) -> pd.DataFrame:
    """The simulation with ever more of what is known about the two months, one thing at a time."""
    edges = np.arange(len(table) + 1) * HALF_HOUR
    opened, seen = table["open"].to_numpy(), table["seen"].to_numpy()
    rate = np.where(opened, table["offered"] * 2.0, 0.0)
    poisson = Arrivals.piecewise(edges, rate)
    patience = Patience.exponential(patience_s)
    kept = calls[opened[(calls["t"] // HALF_HOUR).astype(int)]]
    cv = float(calls["handle_s"].std() / calls["handle_s"].mean())

    def run(arrivals: Arrivals, staffing: Staffing, service: Service | None = None) -> dict[str, float]:
        return played(arrivals, staffing, service, patience=patience, replications=20)

    aht = table["aht_s"].to_numpy()
    exponential, lognormal = Service.exponential(aht), Service.lognormal(aht, cv)
    trace = Arrivals.trace(kept["t"], handle_trace(kept))
    longer = Arrivals.trace(kept["t"], handle_trace(kept, work["gap_s"]))

    all_seen, fewer = Staffing.steps(edges, seen), lambda k: Staffing.steps(edges, np.maximum(seen - k, 0))
    by_minute = {name: each_minute(work[name]) for name in ("present", "available")}
    return pd.DataFrame({
        "a  Poisson, exponential handling, agents seen, nobody leaves":
            played(poisson, all_seen, exponential, replications=20),
        "b  as a, customers leave": run(poisson, all_seen, exponential),
        "c  as b, lognormal handling": run(poisson, all_seen, lognormal),
        "d  actual calls and handle times": run(trace, all_seen),
        "e  as d, gap between calls added": run(longer, all_seen),
        "f  as e, agents seen + 1": run(longer, fewer(-1)),
        "g  as e, agents seen − 1": run(longer, fewer(1)),
        "h  as e, agents seen − 2": run(longer, fewer(2)),
        "i  as e, agents present by minute": run(longer, by_minute["present"]),
        "j  as e, agents available by minute": run(longer, by_minute["available"]),
        "k  as j, nobody leaves": played(longer, by_minute["available"], None, replications=1),
    }).T  # fmt: skip


def bank_forecasts(folder: Path) -> tuple[Intake, Intake]:
    """Print the hold-out errors per queue and pooled; return the pooled past and the pooled whole."""
    source = folder / "anonymous_bank_1999" / "calls_1999-01_1999-02.csv.gz"
    pooled = {"columns": {"queue": "channel"}}
    for title, options in (("per queue", {}), ("all queues as one", pooled)):
        scenario = bank_scenario(**options)
        full = take_in(source, scenario)
        past = take_in(source, bank_scenario(**options, until="1999-02-15"))
        scores, why = hold_out(past, full, "14d")
        show(f"Forecast of 1999-02-15 … 02-28, {title}", scores)
        for queue, reason in why.items():
            errors = ", ".join(f"{name} {error:.1%}" for name, error in reason["candidates"].items())
            weights = " + ".join(f"{weight:.0%} {name}" for name, weight in reason["weights"].items())
            print(f"{queue}: {weights}; {reason['origins']} backtests of {reason['horizon']}; rate_cv "
                  f"{reason['rate_cv']:.3f}, bursts {reason['bursts']:.2f}, day {reason['share_day']:.2f}, level "
                  f"{reason['share_level']:.2f}; {errors}")  # fmt: skip
        demand = forecast(past.series, "14d", calendar=past.calendars, model="all", seed=1)
        print("separate crews against one:", pooling_gain(demand, staff(demand, scenario), scenario))
    year = take_in(
        folder / "anonymous_bank_1999" / "halfhour_1999.csv.gz", bank_scenario(holidays="IL", frt="80% in 20s")
    )
    rolled = backtest(year.series, models="all", calendar=year.calendars)
    columns = ["wape", "wape_day", "wape_floor", "bias", "coverage_80", "coverage_95", "cpu_s"]
    show("The whole year 1999, all calls, six forecasts of 28 days, means", rolled.groupby("model")[columns].mean())
    return past, full


def bank_staffing(past: Intake, calls: pd.DataFrame, table: pd.DataFrame, work: Mapping[str, Any]) -> None:
    """Staff the forecast, compare with the agents seen, and play the plan on the calls that came."""
    demand = forecast(past.series, "14d", calendar=past.calendars, model="all", seed=1)
    table = table[(table.index >= BANK_FROM) & (table.index < BANK_TO)]
    start = float((BANK_FROM - pd.Timestamp("1999-01-01", tz=BANK_ZONE)).total_seconds())
    kept = calls[calls["t"] >= start]
    kept = kept[table["open"].to_numpy()[((kept["t"] - start) // HALF_HOUR).astype(int)]]
    patience = Patience.exponential(what_happened(kept)["patience_s"])
    edges = start + np.arange(len(table) + 1) * HALF_HOUR
    fact = {**what_happened(kept), "agent_hours_a_week": table["seen"].sum() / 4}
    seconds = slice(int(start), int(edges[-1]))
    for name in ("present", "available", "busy"):
        fact[f"{name}_hours_a_week"] = work[name][seconds].sum() / 7200
    show("1999-02-15 … 02-28, what happened", pd.Series(fact))
    opened = table["open"].to_numpy()
    rows = {}
    for frt in ("60% in 20s", "80% in 20s"):
        for band, uncertain in (("none", True), ("none", False), ("85%-90%", True)):
            scenario = bank_scenario(columns={"queue": "channel"}, frt=frt, band=band, uncertain_rate=uncertain)
            plan = staff(demand, scenario)
            agents = plan["agents"].to_numpy()
            simulated = play(demand, plan, replace(scenario, rules=replace(scenario.rules, patience_s=patience.mean_s)))
            difference = agents[opened] - table["seen"].to_numpy()[opened]
            met = {"h_a_week": agents.sum() / 4, "occupancy": plan["load_erl"].sum() / agents.sum(),
                   "minus_seen": difference.mean(), "within_1": (np.abs(difference) <= 1).mean(),
                   "simulated": simulated.summary["service_level"].iloc[0]}  # fmt: skip
            for label, extra in (("ideal", 0.0), ("gaps", work["gap_s"])):
                trace = Arrivals.trace(kept["t"], handle_trace(kept, extra))
                out = played(trace, Staffing.steps(edges, agents), None, patience=patience, replications=10)
                met |= {f"{label}_in_20": out["answered_in_20"], f"{label}_asa_s": out["asa_s"],
                        f"{label}_abandoned": out["abandoned"]}  # fmt: skip
            rows[f"{frt}, band {band}, {'un' if uncertain else ''}certain rate"] = met
    show("Plans from the forecast, pooled; then played on the calls that came", pd.DataFrame(rows).T)


def bank(folder: Path) -> None:
    """The bank's call centre: forecast, staff, and put the formulas beside what happened."""
    calls = bank_calls(folder)
    table = bank_half_hours(folder, calls)
    seconds = int(len(table) * HALF_HOUR)
    work = agents_at_work(calls, seconds)
    opened = table["open"].to_numpy()
    inside = calls[opened[(calls["t"] // HALF_HOUR).astype(int)]]
    show("All calls of both months, and those inside opening hours",
         pd.DataFrame({"all": what_happened(calls), "open": what_happened(inside)}))  # fmt: skip
    show("By queue, inside opening hours",
         pd.DataFrame({q: what_happened(rows) for q, rows in inside.groupby("queue")}).T)  # fmt: skip
    past, _ = bank_forecasts(folder)

    of_half_hour = {name: work[name].reshape(len(table), -1).mean(axis=1) for name in ("busy", "present", "available")}
    table = table.assign(**of_half_hour)
    waiting = work["waiting"] & np.repeat(opened & (table["seen"].to_numpy() > 0), int(HALF_HOUR))
    seen = np.repeat(table["seen"].to_numpy(), int(HALF_HOUR))
    show("Agents, mean over open half hours, and while somebody waits", pd.DataFrame({
        "open": {"seen": table["seen"][opened].mean(), **{n: v[opened].mean() for n, v in of_half_hour.items()}},
        "somebody waits": {"seen": seen[waiting].mean(), **{n: work[n][waiting].mean() for n in of_half_hour}},
    }))  # fmt: skip
    print(f"somebody waits {waiting.sum() / (opened.sum() * HALF_HOUR):.1%} of the open time; all agents seen are on a "
          f"call in {(work['busy'] >= seen)[waiting].mean():.1%} of it")  # fmt: skip
    hung_up = (calls["handle_s"] < 10).sum() / calls["answered"].sum()
    print(f"gap between calls while somebody waits: mean {work['gap_s']:.1f} s, median {work['gap_median_s']:.1f} s; "
          f"{hung_up:.1%} of the calls handled in under 10 s, the others in "
          f"{calls.loc[calls['handle_s'] >= 10, 'handle_s'].mean():.1f} s")  # fmt: skip

    now = table[opened]
    print("\nBelow, 'stable' and 'fact' are of the half hours that are not overloaded")
    show("Erlang C on actual volumes and handle times, open half hours", pd.DataFrame({
        **{f"agents seen {k:+d}": erlang_against_fact(now, np.maximum(now["seen"] + k, 0).to_numpy(dtype=float))
           for k in (1, 0, -1, -2, -3)},
        "present": erlang_against_fact(now, now["present"].to_numpy()),
        "available": erlang_against_fact(now, now["available"].to_numpy()),
        "available, gap in AHT": erlang_against_fact(now.assign(aht_s=now["aht_s"] + work["gap_s"]),
                                                     now["available"].to_numpy()),
    }).T)  # fmt: skip
    show("By occupancy of the agents seen", by_occupancy(now, "seen"))
    show("By occupancy of the agents available", by_occupancy(now, "available"))
    patience_s = what_happened(inside)["patience_s"]
    show(f"Simulation of both months, patience {patience_s:.0f} s", ladder(table, calls, work, patience_s))
    bank_staffing(past, calls, table, work)


# --- The IT service desk --------------------------------------------------------------------------------------------


def servicenow_scenario(**options: Any) -> Scenario:
    """The ticket log, by the hour; its zone is unknown, so its wall clock is taken as it stands."""
    return Scenario().with_options({"zone": "UTC", "interval": "60m", "hours": "always", "seed": 1, **options})


def servicenow(folder: Path) -> None:
    """Tickets whose first response takes minutes to days: KPIs, forecast, and a plan with an assumed handle time."""
    source = folder / "servicenow_incidents_2016" / "tickets.csv.gz"
    whole = take_in(source, servicenow_scenario())
    for line in whole.notes:
        print("note:", line)
    assert isinstance(whole.log, TicketLog)
    timed = response_times(whole.log, whole.calendars, clock="calendar")
    frt, art = timed["frt_s"].dropna(), timed["resolution_s"].dropna()
    show("KPIs, the clock never stops", pd.Series({
        "tickets": len(timed), "frt_p50_min": frt.median() / 60, "frt_p90_h": frt.quantile(0.9) / 3600,
        "in_30_min": (frt <= 1800).mean(), "in_60_min": (frt <= 3600).mean(), "art_p50_h": art.median() / 3600,
        "reopened": int((timed["reopens"].astype(float) > 0).sum()),
    }))  # fmt: skip
    by_day = take_in(source, servicenow_scenario(hours={"mon-fri": "07:00-19:00"}, until=SERVICENOW_TO))
    business = kpis(by_day.log, by_day.calendars, by=["queue"]).iloc[0]
    print(f"counted Mon–Fri 07–19 only, tickets to 31 May: FRT median {business['frt_p50_s'] / 60:.0f} min, "
          f"p90 {business['frt_p90_s'] / 3600:.1f} h")  # fmt: skip

    for title, end in (("the whole log", None), ("what was known on 4 May", SERVICENOW_FROM)):
        print(f"learnt from {title}: {take_in(source, servicenow_scenario(hours='auto', until=end)).notes[1]}")
    until = take_in(source, servicenow_scenario(until=SERVICENOW_FROM))
    full = take_in(source, servicenow_scenario(until=SERVICENOW_TO))
    named: dict[str, dict[str, Any]] = {
        "": {},
        ", Brazil's holidays named": {"holidays": "BR"},
        ", closed days named": {"closed_days": SERVICENOW_CLOSED},
    }
    for title, options in named.items():
        told = take_in(source, servicenow_scenario(until=SERVICENOW_FROM, **options))
        scores, why = hold_out(told, full, "28d")
        show(f"Forecast of 2016-05-04 … 05-31{title}", scores)
        print(told.notes[1:], {k: v for k, v in why["all"].items() if k != "notes"})
    weekday = full.series.assign(day=full.series["ds"].dt.date).groupby("day")["y"].sum()
    last = weekday[weekday.index >= pd.Timestamp(SERVICENOW_FROM).date()]
    print("tickets per day:", " ".join(f"{day:%a %d}: {n:.0f}" for day, n in last.items()))

    without = last[[pd.Timestamp(day).day not in (26, 27) for day in last.index]]
    print(f"{last.sum() - without.sum():.0f} tickets on 26 and 27 May together; a usual Thursday and Friday have "
          f"{without[[pd.Timestamp(d).day_of_week in (3, 4) for d in without.index]].mean() * 2:.0f}")  # fmt: skip
    ages = np.array(until.facts["all"].backlog_age_s)
    print(f"waiting for a first response on 4 May: {len(ages)}, for a median of {np.median(ages) / 86400:.1f} days")

    base = forecast(until.series, "28d", calendar=until.calendars, model="all", seed=1)
    rows = {}
    cases = [(aht, frt, sure) for aht in ("20m", "10m") for sure in (False, True)
             for frt in ("80% in 30m", "p90 60m", "p90 8h")]  # fmt: skip
    for aht, frt, sure in cases:
        scenario = servicenow_scenario(aht=aht, frt=frt, uncertain_rate=not sure, replications=50)
        demand = with_handle_times(base, scenario)
        plan = staff(demand, scenario)
        fresh = play(demand, plan, scenario).summary.iloc[0]
        behind = play(demand, plan, scenario, facts=until.facts).summary.iloc[0]
        staffed = plan[plan["agents"] > 0]
        rows[f"{aht}, {frt}, {'certain' if sure else 'uncertain'} rate"] = {
            "h_a_week": plan["agents"].sum() / 4, "peak": plan["agents"].max(),
            "occupancy": plan["load_erl"].sum() / plan["agents"].sum(),
            "by_occupancy": (staffed["binding"] == "occupancy").mean(),
            "formula": (plan["service_level"] * plan["mean"]).sum() / plan["mean"].sum(),
            "simulated": fresh["service_level"], "p90_min": fresh["frt_p90_s"] / 60,
            "with_backlog": behind["service_level"], "backlog_p90_min": behind["frt_p90_s"] / 60,
        }  # fmt: skip
    show("Plans with an assumed AHT; simulated from an empty desk and with the backlog of 4 May", pd.DataFrame(rows).T)

    # What deferrable work allows: one crew size all through the working day, another at night and on weekends.
    scenario = servicenow_scenario(aht="20m", frt="p90 8h", replications=50)
    demand = with_handle_times(base, scenario)
    local = demand.ds.tz_localize(None)
    day_shift = (local.day_of_week < 5) & (local.hour >= 8) & (local.hour < 18)
    for day, night in ((14, 3), (13, 3), (12, 3), (12, 2), (11, 3)):
        plan = pd.DataFrame({"unique_id": "all", "ds": demand.ds, "agents": np.where(day_shift, day, night)})
        out = play(demand, plan, scenario).summary.iloc[0]
        print(f"{day} agents Mon–Fri 08–18, {night} else: {plan['agents'].sum() / 4:.0f} h a week, occupancy "
              f"{out['utilization']:.1%}, in 8 h {out['service_level']:.1%}, "
              f"p90 {out['frt_p90_s'] / 60:.0f} min")  # fmt: skip


# --- The chat desk --------------------------------------------------------------------------------------------------


def chats(folder: Path) -> None:
    """Chats with a bot in front: KPIs only, four weeks say nothing about seasons."""
    source = folder / "chat_support_2021-02" / "chats.csv.gz"
    scenario = Scenario().with_options({"zone": "Asia/Kolkata", "hours": "always"})
    # For people a chat begins when it is handed to them.
    handed = take_in(source, replace(scenario, columns={"offered_at": "agent_assigned_at"}))
    table = kpis(handed.log, handed.calendars, by=["queue"], target=scenario.rules.frt).iloc[0]
    show("KPIs from the hand-over to an agent", table.drop("queue").astype(float))
    raw = take_in(source, scenario)
    plain = kpis(raw.log, raw.calendars, by=["queue"], target=scenario.rules.frt).iloc[0]
    show("The same without naming the hand-over: every chat counts as offered", plain.drop("queue").astype(float))
    frame = handed.log.frame
    people = frame[frame["offered_at"].notna()]
    wait = (people["offered_at"] - people["created_at"]).dt.total_seconds()
    print(f"median wait for an agent {wait.median():.0f} s, p90 {wait.quantile(0.9):.0f} s, mean {wait.mean():.0f} s")
    csat = frame["csat"].astype(float)
    reached = frame["offered_at"].notna()
    print(f"rated: {csat[reached].notna().mean():.1%} of the agents' chats, {csat[~reached].notna().mean():.1%} of the "
          f"bot's; share of 4 and 5: {(csat[reached].dropna() >= 4).mean():.1%} and "
          f"{(csat[~reached].dropna() >= 4).mean():.1%}")  # fmt: skip
    hours = pd.DataFrame({"chats": frame["created_at"].dt.hour.value_counts().sort_index(),
                          "to_agents": people["created_at"].dt.hour.value_counts().sort_index()}).fillna(0)  # fmt: skip
    show("By hour of creation", hours.assign(share=hours["to_agents"] / hours["chats"]).T, 2)
    days = frame["created_at"].dt.day_of_week.value_counts().sort_index()
    show("By weekday, Monday first", days)


# --- The emergency department ---------------------------------------------------------------------------------------


def iowa(folder: Path) -> None:
    """Hourly arrivals round the clock: four weeks ahead, all models, against chance."""
    source = folder / "iowa_ed_hourly" / "hourly.csv.gz"
    scenario = Scenario().with_options({"zone": "America/Chicago", "interval": "60m", "holidays": "US"})
    intake = take_in(source, scenario)
    for line in (*intake.log.notes, *intake.notes):
        print("note:", line)
    print(f"{intake.series['y'].sum():.0f} arrivals, as in the file: {pd.read_csv(source)['count'].sum()}")
    lengths = intake.series.groupby(intake.series["ds"].dt.date).size().value_counts()
    print("days by number of hours:", lengths.to_dict())
    columns = ["wape", "wape_floor", "wape_day", "mase", "bias", "coverage_80", "coverage_95", "cpu_s"]
    for title, origins, step in (("Six origins a fortnight apart", 6, "14d"), ("Twelve, four weeks apart", 12, "28d")):
        rolled = backtest(intake.series, origins=origins, step=step, models="all", calendar=intake.calendars)
        show(f"{title}: 28 days ahead, means", rolled.groupby("model")[columns].mean())
        glm = rolled[rolled["model"] == "glm"]
        show("glm by origin", glm.set_index(glm["origin"].dt.date)[["wape", "wape_floor", "bias", "coverage_80"]])


SECTIONS: dict[str, Callable[[Path], None]] = {"bank": bank, "servicenow": servicenow, "chats": chats, "iowa": iowa}


def main(names: list[str]) -> None:
    """Run the sections named, or all."""
    unknown = sorted(set(names) - set(SECTIONS))
    if unknown:
        sys.exit(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    folder = data_folder()
    if not folder.is_dir():
        sys.exit(f"no data in {folder}; set STAFFCAST_SHARED_DATA to the folder of the data sets")
    for name in names or SECTIONS:
        wall, cpu = time.perf_counter(), time.process_time()
        print(f"\n===== {name} =====")
        SECTIONS[name](folder)
        print(f"\n{name}: {time.perf_counter() - wall:.1f} s wall, {time.process_time() - cpu:.1f} s CPU, one process")


if __name__ == "__main__":
    main(sys.argv[1:])
