"""``patience = "measured"``: how long customers wait before they give up, as the forecast has it from the log."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from staffcast.contracts import InputError
from staffcast.forecast import Demand
from staffcast.scenario import Scenario

__all__ = ["with_measured_patience"]


def with_measured_patience(scenario: Scenario, demand: Demand) -> Scenario:
    """Fill in the patience of queues whose scenario says ``"measured"``.

    Parameters
    ----------
    scenario : Scenario
    demand : Demand
        With ``patience_s`` for those queues.

    Returns
    -------
    Scenario
        Its rules name one number per queue, the mean over the forecast's tickets of how readily they give up (1 ÷
        patience); interval by interval the demand's own column stands. The same scenario where nothing is missing.

    Raises
    ------
    InputError
        The demand of such a queue has no patience.

    Examples
    --------
    >>> import pandas as pd
    >>> ds = pd.date_range("2026-03-02 09:00", periods=2, freq="h", tz="UTC")
    >>> rows = pd.DataFrame({"unique_id": "q", "ds": ds, "mean": [30.0, 10.0], "patience_s": [100.0, 300.0]})
    >>> scenario = Scenario().with_options({"patience": "measured"})
    >>> round(with_measured_patience(scenario, Demand.from_frame(rows)).for_queue("q").patience_s)
    120
    """
    found = dict(scenario.measured_patience_s)
    for queue in demand.queues:
        asked = scenario.for_queue(queue).patience_s
        if asked is None or not math.isnan(asked):
            continue
        rows = demand.of(queue)
        known = rows[rows["patience_s"].notna()] if "patience_s" in rows else rows[:0]
        if known.empty:
            raise InputError(
                f'queue {queue!r}: `patience` is "measured", but nothing is known of who gave up: the log needs the '
                'outcome "abandoned" with resolved_at or wait_s (an interval file: abandoned and waited_s), and the '
                'demand table its column patience_s; or say how long, as in patience = "3m"'
            )
        weight = known["mean"].to_numpy(dtype=float)
        hazard = 1 / known["patience_s"].to_numpy(dtype=float)
        found[queue] = 1 / float(np.average(hazard, weights=weight if weight.sum() > 0 else None))
    return scenario if found == scenario.measured_patience_s else replace(scenario, measured_patience_s=found)
