"""What would bring a queue into the band with its first response time kept, in hours a week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from staffcast.channels import model_of
from staffcast.erlang import advise, required_agents
from staffcast.forecast import Demand
from staffcast.scenario import QueueRules, Scenario
from staffcast.staffing import usual_handle_time, worked_tickets

__all__ = ["QueueLevers", "queue_levers"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class QueueLevers:
    """Levers of one queue over the whole span; 0 or empty where a lever brings nothing.

    Attributes
    ----------
    queue : str
    deferrable_hours : float
        Hours a week of work that can be put aside at once, which lift the occupancy of the intervals below the band
        to its bottom.
    pool_with : str
        The queue that saves most agent hours when both have one crew.
    pool_hours : float
        Agent hours a week saved by it.
    concurrency_hours : float
        Most agent hours a week that a second conversation per agent can save: if handle times include the customers'
        pauses and do not grow. Of active time nothing is saved.
    deflection : float
        Share that a bot would have to close in the median interval below the band, for one agent fewer there.
    """

    queue: str
    deferrable_hours: float
    pool_with: str
    pool_hours: float
    concurrency_hours: float
    deflection: float


def queue_levers(demand: Demand, scenario: Scenario) -> list[QueueLevers]:
    """Levers of every live queue that cannot be in its band, over the first seven days of the plan.

    Taken at the rates forecast, without their doubt, and each lever alone: two together bring less than their sum.
    Agents with several conversations have used the lever of concurrency and are mostly above the band, not below; the
    figures here are those of one ticket at a time, so chats have no part in them.
    """
    hours, minutes = demand.minutes / 60, demand.minutes
    n = min(len(demand.ds), 7 * 24 * 60 // minutes)
    weeks = n * hours / (7 * 24)
    crews = {}
    for queue in demand.queues:
        rows, rules = demand.of(queue), scenario.for_queue(queue)
        if model_of(rules, minutes=minutes, aht_s=usual_handle_time(rows)).name.startswith("erlang_"):
            worked = worked_tickets(rows, rules, minutes)[:n]
            crews[queue] = _Crew(worked / hours, rows["aht_s"].to_numpy()[:n], rows["open"].to_numpy()[:n], rules)
    found = []
    for queue, crew in crews.items():
        rules = crew.rules
        if rules.band is None:
            continue
        one = advise(
            arrivals_per_hour=crew.rate, aht_s=crew.aht, target=rules.frt, band=rules.band,
            patience_s=rules.patience_s, first_reply_s=rules.first_reply_s,
            minimum=np.where(crew.opened, rules.minimum, 0),
        )  # fmt: skip
        below = ~one.in_reach
        if not below.any():
            continue
        saved = {other: _pooled(crew, crews[other]) * hours / weeks for other in crews if other != queue}
        best = max(saved, key=lambda other: saved[other], default="")
        deflection = one.deflection[below & (one.deflection > 0)]
        fewer = (one.staffing.agents - one.concurrency_agents)[below].clip(0).sum()
        found.append(
            QueueLevers(
                queue=queue,
                deferrable_hours=float(one.deferrable_minutes_per_hour.sum()) / 60 * hours / weeks,
                pool_with=best if saved.get(best, 0.0) > 0 else "",
                pool_hours=max(saved.get(best, 0.0), 0.0),
                concurrency_hours=float(fewer) * hours / weeks,
                deflection=float(np.median(deflection)) if len(deflection) else 0.0,
            )
        )
    return found


class _Crew(NamedTuple):
    """One queue's week."""

    rate: FloatArray
    aht: FloatArray
    opened: npt.NDArray[np.bool_]
    rules: QueueRules


def _pooled(one: _Crew, other: _Crew) -> float:
    """Agent-intervals that two queues need fewer with one crew, held to the first one's target."""
    both = one.rate + other.rate
    mean = np.divide(one.rate * one.aht + other.rate * other.aht, both, out=one.aht.copy(), where=both > 0)
    asked: dict[str, Any] = {"target": one.rules.frt, "band": one.rules.band, "first_reply_s": one.rules.first_reply_s}
    apart, beside, joint = (
        required_agents(arrivals_per_hour=rate, aht_s=aht, patience_s=one.rules.patience_s, **asked).agents.sum()
        for rate, aht in ((one.rate, one.aht), (other.rate, other.aht), (both, mean))
    )
    return float(apart + beside - joint)
