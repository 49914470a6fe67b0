"""From demand to the agents needed: the queueing engine and the rules, interval by interval, with the reason."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.channels import model_of, require_models
from staffcast.contracts import DEMAND, Calendar, InputError, bad_value
from staffcast.contracts.files import read_table
from staffcast.erlang import spare_seconds
from staffcast.executor import map_chunks
from staffcast.forecast import Demand
from staffcast.patience import with_measured_patience
from staffcast.requirement import aht_variance, deferrable_rows, live_rows, occupancy_over
from staffcast.scenario import QueueRules, Scenario, WhatIf

__all__ = [
    "apply_what_if",
    "pooling_gain",
    "read_demand",
    "require_handle_times",
    "spread_carried",
    "staff",
    "table_notes",
    "usual_handle_time",
    "with_handle_times",
    "worked_tickets",
]


def apply_what_if(demand: Demand, scenario: Scenario) -> Demand:
    """Change the demand as the scenario's ``[what_if]`` says.

    Volume and deflection scale tickets and their quantiles; the relative uncertainty stays. A handle time that the
    scenario itself gives is changed by ``aht`` too.
    """
    unknown = [queue for queue in scenario.what_if.queues if queue not in demand.queues]
    if unknown:
        raise bad_value("what_if.queues", unknown[0], f"a queue of the plan: {', '.join(demand.queues)}")
    if scenario.what_if == WhatIf():
        return demand
    frame = demand.frame.copy()
    counts = [c for c in frame.columns if c in ("mean", "carried") or (c.startswith("q") and c[1:2].isdigit())]
    frame = frame.astype(dict.fromkeys([*counts, "aht_s"], float))  # a CSV may have whole numbers
    years = ((frame["ds"] - frame["ds"].min()) / pd.Timedelta(days=365.25)).to_numpy(dtype=float)
    for queue in demand.queues:
        change, rows = scenario.what_if.of(queue), (frame["unique_id"] == queue).to_numpy()
        factor = change.volume * (1 - change.deflection) * change.growth ** years[rows]
        frame.loc[rows, counts] = frame.loc[rows, counts].mul(factor, axis=0)
        frame.loc[rows, "aht_s"] *= change.aht
        if "bot_share" in frame:
            frame.loc[rows, "bot_share"] = 1 - (1 - frame.loc[rows, "bot_share"]) * (1 - change.deflection)
    return replace(demand, frame=frame)


def read_demand(path: str | Path, scenario: Scenario) -> Demand:
    """Read a demand table that ``staffcast forecast`` wrote or a planner edited, ready to be staffed.

    What the table says stands: the scenario's handle time only fills rows that have none, and its what-if changes are
    in the table already. Queues that the scenario does not plan are left out.

    Raises
    ------
    InputError
        The table breaks its contract, a queue has no handle time, or the scenario names a queue to be planned that the
        table does not have.
    """
    frame = read_table(path, DEMAND, zone=scenario.zone)
    try:
        demand = Demand.from_frame(frame, seed=scenario.seed)
    except InputError as error:
        raise error if error.file is not None else InputError(str(error), file=path) from None
    demand = _planned(demand, scenario, path)
    filled = demand.frame.copy()
    for queue in demand.queues:
        empty = (filled["unique_id"] == queue) & filled["aht_s"].isna()
        filled.loc[empty, "aht_s"] = scenario.for_queue(queue).aht_s
    require_handle_times(filled, scenario)
    return replace(demand, frame=filled)


def _planned(demand: Demand, scenario: Scenario, path: str | Path) -> Demand:
    """The queues that the scenario plans; one that it names and the table does not have is a slip."""
    found = ", ".join(demand.queues)
    wanted = (("queues", [q for q in scenario.queues if scenario.plans(q)]), ("queues_only", scenario.only))
    for key, names in wanted:
        missing = next((name for name in names if name not in demand.queues), None)
        if missing is not None:
            close = difflib.get_close_matches(missing.lower(), [q.lower() for q in demand.queues], n=1)
            near = next((q for q in demand.queues if [q.lower()] == close), None)
            fix = f"did you mean {near!r}? Else" if near is not None else "if it was left out on purpose"
            raise InputError(
                f"the scenario names queue {missing!r} ({f'[queues.{missing}]' if key == 'queues' else key}), which is "
                f"not in the table: {found}; {fix} say skip_queues = [{missing!r}] too",
                file=path, column="unique_id",
            )  # fmt: skip
    keep = [queue for queue in demand.queues if scenario.plans(queue)]
    if not keep:
        raise InputError(f"no queue is left to plan; the table has {found}", file=path, column="unique_id")
    if len(keep) == len(demand.queues):
        return demand
    return replace(demand, frame=demand.frame[demand.frame["unique_id"].isin(keep)].reset_index(drop=True))


def table_notes(demand: Demand, scenario: Scenario) -> list[str]:
    """Where a demand table and what the scenario says of it differ; the table stands.

    Returns
    -------
    list of str
        A sentence per queue whose opening hours or closed arrivals are not the scenario's, and per queue to be left
        out that the table does not have though one is named much like it.
    """
    notes = []
    for queue in demand.queues:
        rules, rows = scenario.for_queue(queue), demand.of(queue)
        if rules.hours is not None:
            opened = rows["open"].to_numpy()
            ds = pd.DatetimeIndex(rows["ds"])
            asked = Calendar.parse(str(ds.tz), rules.hours).is_open(ds)
            # Days that are closed throughout may be holidays, and are not meant by the hours.
            day = pd.factorize(ds.tz_localize(None).normalize())[0]
            works = np.bincount(day, opened)[day] > 0
            if (opened & ~asked).any() or (works & asked & ~opened).any():
                notes.append(
                    f"{queue} is open at other times in the table than the scenario's hours say; the table stands: "
                    "hours are set by count, forecast and plan"
                )
        if rules.closed_arrivals == "lost" and (rows["carried"] > 0).any():
            notes.append(
                f'{queue} has tickets in the table that wait for its opening, though closed_arrivals is "lost"; the '
                "table stands: say it to forecast or plan"
            )
    for name in scenario.skip:
        close = difflib.get_close_matches(name.lower(), [q.lower() for q in demand.queues], n=1)
        if name not in demand.queues and close:
            notes.append(
                f"skip_queues names {name!r}, which the table does not have: is {close[0]!r} meant? It is planned"
            )
    return notes


def require_handle_times(frame: pd.DataFrame, scenario: Scenario) -> None:
    """Check that every queue has a handle time, measured (``aht_s``) or from the scenario.

    Raises
    ------
    InputError
        A queue has neither.
    """
    for queue, rows in frame.groupby("unique_id", sort=False):
        measured = "aht_s" in rows and rows["aht_s"].notna().any()
        if not measured and scenario.for_queue(str(queue)).aht_s is None:
            raise InputError(
                f"queue {str(queue)!r} has no handle time: nothing in handle_s or aht_s; say it with --aht 6m, or in "
                f'the scenario as aht = "6m" or under [queues.{queue}]'
            )


def with_handle_times(demand: Demand, scenario: Scenario) -> Demand:
    """Put the scenario's handle times in place of the measured ones; the planner is taken to be sure of them."""
    frame = demand.frame.copy()
    for queue in demand.queues:
        seconds = scenario.for_queue(queue).aht_s
        if seconds is not None:
            own = frame["unique_id"] == queue
            frame.loc[own, "aht_s"] = seconds
            if "aht_cv" in frame:
                frame.loc[own, "aht_cv"] = 0.0
    return replace(demand, frame=frame)


def staff(
    demand: Demand, scenario: Scenario, *, backlog: Mapping[str, Sequence[float]] | None = None, processes: int = 1
) -> pd.DataFrame:
    """Fewest agents per queue and interval that meet the FRT target and the band.

    Parameters
    ----------
    demand : Demand
        With handle times (:func:`with_handle_times`).
    scenario : Scenario
        Target, band, shrinkage, channel and minimum of each queue.
    backlog : mapping of queue to ages, optional
        Seconds that tickets open at the start have waited; only deferrable queues are staffed for them.
    processes : int
        Worker processes, a queue each; the result does not depend on it.

    Returns
    -------
    DataFrame
        The requirement table: ``unique_id, ds, open, mean, worked`` (see :func:`spread_carried`), ``aht_s, load_erl,
        agents, in_gaps`` (how many agents' worth of the queue's work is done in the gaps of another, for work by a
        deadline), ``rostered, model`` (which queueing model), ``erlang_c_agents`` (what plain Erlang C would say;
        empty where it does not apply), ``binding, occupancy`` (with chats the share of time in which an agent has a
        conversation at all), ``slots_busy`` (with chats the share of the conversations that could be held),
        ``band_gap`` (how far below the band's bottom, as a share),
        ``service_level`` (share within the target's seconds), ``p_met, p_met_day`` (probability that the interval's
        and the day's rate is one with which the target is met), ``frt_mean_s, frt_p50_s, frt_p90_s, frt_p95_s,
        frt_p99_s, frt_agents, occupancy_agents, one_fewer, reason``. Closed intervals need nobody; ``occupancy`` is
        empty where nobody works.
    """
    scenario = with_measured_patience(scenario, demand)
    require_models(scenario, demand.queues, minutes=demand.minutes)
    parts: dict[str, pd.DataFrame] = {}
    # Live queues first: deferrable work may be done in their gaps.
    for in_gaps in (False, True):
        queues = [q for q in demand.queues if (scenario.for_queue(q).in_gaps_of is not None) == in_gaps]
        tasks = [
            _Task(
                rows=demand.of(queue), rules=scenario.for_queue(queue), minutes=demand.minutes,
                uncertain=scenario.uncertain_rate, backlog=tuple((backlog or {}).get(queue, ())),
                spare_s=_gaps(parts, scenario, queue, demand.minutes),
            )
            for queue in queues
        ]  # fmt: skip
        parts |= dict(zip(queues, map_chunks(_rows, tasks, processes=processes), strict=True))
    return pd.concat([parts[queue] for queue in demand.queues], ignore_index=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """One queue to be staffed."""

    rows: pd.DataFrame
    rules: QueueRules
    minutes: int
    uncertain: bool
    backlog: tuple[float, ...]
    spare_s: npt.NDArray[np.float64] | float


def _rows(task: _Task) -> pd.DataFrame:
    try:
        return _requirement(task)
    except InputError as error:
        raise InputError(f"queue {str(task.rows['unique_id'].iloc[0])!r}: {error}") from None


def _requirement(task: _Task) -> pd.DataFrame:
    rows, rules, minutes = task.rows, task.rules, task.minutes
    model = model_of(rules, minutes=minutes, aht_s=usual_handle_time(rows))
    if model.name == "deferrable":
        spare = np.where(rows["open"], task.spare_s, 0.0)
        return deferrable_rows(
            rows, rules, model, minutes=minutes, uncertain=task.uncertain, backlog=task.backlog, spare_s=spare
        )
    worked = worked_tickets(rows, rules, minutes)
    return live_rows(rows, worked, rules, model, minutes=minutes, uncertain=task.uncertain)


def _gaps(
    parts: Mapping[str, pd.DataFrame], scenario: Scenario, queue: str, minutes: int
) -> npt.NDArray[np.float64] | float:
    """Idle agent-seconds per interval of the live queue in whose gaps this one is worked."""
    name = scenario.for_queue(queue).in_gaps_of
    if name is None:
        return 0.0
    host = parts[name]
    return spare_seconds(
        agents=host["agents"].to_numpy(), load_erl=host["load_erl"].to_numpy(), interval_s=60.0 * minutes,
        band=scenario.for_queue(name).band,
    )  # fmt: skip


def worked_tickets(rows: pd.DataFrame, rules: QueueRules, minutes: int) -> npt.NDArray[np.float64]:
    """Tickets to be worked on per interval: with what waited at opening spread over the queue's ``clear_within``."""
    return spread_carried(
        rows["mean"].to_numpy(),
        rows["carried"].to_numpy(),
        rows["open"].to_numpy(),
        max(round(rules.clear_within_s / 60 / minutes), 1),
    )


def usual_handle_time(rows: pd.DataFrame) -> float:
    """Mean handle time of a queue's tickets, each interval counted by its tickets, in seconds."""
    weight = rows["mean"].to_numpy()
    return float(np.average(rows["aht_s"], weights=weight) if weight.sum() > 0 else rows["aht_s"].mean())


def spread_carried(
    mean: npt.NDArray[np.float64], carried: npt.NDArray[np.float64], opened: npt.NDArray[np.bool_], intervals: int
) -> npt.NDArray[np.float64]:
    """Tickets to be worked on per interval when those that waited for opening are taken up bit by bit.

    Staffing the first interval so that all of a weekend's tickets are answered at once would call in a crowd for half
    an hour; a planner lets a normal crew work them off.

    Parameters
    ----------
    mean, carried, opened : ndarray, shape (n,)
        As in the demand table.
    intervals : int
        Open intervals from opening over which ``carried`` is spread evenly; fewer where the queue closes sooner.

    Returns
    -------
    ndarray, shape (n,)
        With the same sum as ``mean``.

    Examples
    --------
    >>> spread_carried(np.array([0.0, 10, 4, 4]), np.array([0.0, 6, 0, 0]), np.array([False, True, True, True]), 2)
    array([0., 7., 7., 4.])
    """
    worked = mean - carried
    for start in np.flatnonzero(carried > 0).tolist():
        closing = np.flatnonzero(~opened[start : start + intervals])
        stop = start + (int(closing[0]) if len(closing) else min(intervals, len(mean) - start))
        worked[start:stop] += carried[start] / (stop - start)
    return np.asarray(worked, dtype=float)


def pooled_demand(demand: Demand) -> Demand:
    """The same tickets as one queue that everybody answers, open whenever any of them is."""
    blocks = [demand.of(queue) for queue in demand.queues]
    mean = np.sum([b["mean"].to_numpy() for b in blocks], axis=0)
    carried = np.sum([b["carried"].to_numpy() for b in blocks], axis=0)
    work = np.sum([(b["mean"] * b["aht_s"]).to_numpy() for b in blocks], axis=0)
    spread = np.sqrt(np.sum([(b["mean"] * b["rate_cv"]).to_numpy() ** 2 for b in blocks], axis=0))
    longer = np.sqrt(np.sum([(b["mean"] * b["aht_s"]).to_numpy() ** 2 * aht_variance(b) for b in blocks], axis=0))
    usual = float(np.mean([b["aht_s"].mean() for b in blocks]))
    frame = pd.DataFrame(
        {
            "unique_id": "pooled",
            "ds": blocks[0]["ds"],
            "open": np.logical_or.reduce([b["open"].to_numpy() for b in blocks]),
            "mean": mean,
            "carried": carried,
            "aht_s": np.divide(work, mean, out=np.full(len(mean), usual), where=mean > 0),
            "rate_cv": np.divide(spread, mean, out=np.zeros(len(mean)), where=mean > 0),
            "aht_cv": np.divide(longer, work, out=np.zeros(len(mean)), where=work > 0),
        }
    )
    return Demand.from_frame(frame, seed=demand.seed)


def pooling_gain(demand: Demand, requirement: pd.DataFrame, scenario: Scenario) -> dict[str, float] | None:
    """What one pooled crew would need, held to the strictest of the queues' targets.

    Returns
    -------
    dict or None
        ``agent_hours`` and ``occupancy`` with separate crews, ``pooled_agent_hours`` and ``pooled_occupancy`` with
        one; None for a single queue, and where a queue is not a live one. Queues are taken to be busy independently of
        each other, and everybody to be as quick at every queue's tickets. Both are counted interval by interval in
        balance, where a queue is followed over time too: the comparison is the same and takes no time.
    """
    models = [str(m) for m in requirement["model"].unique()]
    if len(demand.queues) < 2 or any(not m.startswith("erlang_") for m in models):
        return None
    hours = demand.minutes / 60
    own = {queue: {**scenario.queues.get(queue, {}), "method": "steady"} for queue in demand.queues}
    steady = replace(scenario, rules=replace(scenario.rules, method="steady"), queues=own)
    apart = staff(demand, steady) if any("over time" in m for m in models) else requirement
    strictest = min((scenario.for_queue(q).frt for q in demand.queues), key=lambda t: (t.seconds, -t.level))
    together = replace(steady, rules=replace(steady.rules, frt=strictest), queues={})
    if scenario.rules.patience_s is not None and math.isnan(scenario.rules.patience_s):
        each = [seconds for q in demand.queues if (seconds := scenario.for_queue(q).patience_s) is not None]
        usual = len(each) / sum(1 / seconds for seconds in each) if each else None
        together = replace(together, rules=replace(together.rules, patience_s=usual))
    figures = {}
    for name, table in (("", apart), ("pooled_", staff(pooled_demand(demand), together))):
        figures[f"{name}agent_hours"] = float(table["agents"].sum()) * hours
        figures[f"{name}occupancy"] = occupancy_over(table) if table["agents"].any() else 0.0
    return figures
