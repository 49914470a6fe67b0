"""What would bring a queue into the band with its first response time kept, in hours a week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from staffcast.channels import model_of
from staffcast.contracts import Band
from staffcast.erlang import Advice, advise
from staffcast.forecast import Demand
from staffcast.scenario import Scenario
from staffcast.staffing import usual_handle_time, worked_tickets

__all__ = ["QueueLevers", "queue_levers"]


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
        Most agent hours a week that one more conversation per agent can save: if handle times stay.
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
    """Levers of every live or chat queue that cannot be in its band, taken at the rates forecast, without their doubt.

    Each lever is taken alone: two together bring less than their sum.
    """
    hours, minutes = demand.minutes / 60, demand.minutes
    weeks = len(demand.ds) * hours / (7 * 24)
    rows = {queue: demand.of(queue) for queue in demand.queues}
    worked = {queue: worked_tickets(rows[queue], scenario.for_queue(queue), minutes) for queue in demand.queues}
    models = {
        queue: model_of(scenario.for_queue(queue), minutes=minutes, aht_s=usual_handle_time(rows[queue]))
        for queue in demand.queues
    }
    found = []
    for queue in demand.queues:
        rules, model = scenario.for_queue(queue), models[queue]
        if model.name == "deferrable" or rules.band is None:
            continue
        others = [q for q in demand.queues if q != queue and models[q].name != "deferrable"]
        advice: dict[str | None, Advice] = {
            other: advise(
                arrivals_per_hour=worked[queue] / hours, aht_s=rows[queue]["aht_s"].to_numpy(), target=rules.frt,
                band=rules.band or Band(), patience_s=rules.patience_s, concurrency=rules.concurrency,
                aht_by_concurrency_s=rules.aht_by_concurrency_s, first_reply_s=rules.first_reply_s,
                minimum=np.where(rows[queue]["open"], rules.minimum, 0),
                others={} if other is None else {other: (worked[other] / hours, rows[other]["aht_s"].to_numpy())},
            )
            for other in (*others, None)[: max(len(others), 1)]
        }  # fmt: skip
        saved = {other: float(each.pool_saves.sum()) * hours / weeks for other, each in advice.items()}
        best = max(saved, key=lambda other: saved[other])
        one = advice[best]
        below = ~one.in_reach
        if not below.any():
            continue
        deflection = one.deflection[below & (one.deflection > 0)]
        found.append(
            QueueLevers(
                queue=queue,
                deferrable_hours=float(one.deferrable_minutes_per_hour.sum()) / 60 * hours / weeks,
                pool_with=str(best) if saved[best] > 0 else "",
                pool_hours=saved[best],
                concurrency_hours=float((one.staffing.agents - one.concurrency_agents)[below].clip(0).sum())
                * hours
                / weeks,
                deflection=float(np.median(deflection)) if len(deflection) else 0.0,
            )
        )
    return found
