"""Conversations of several turns: when each reply of the agent comes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from staffcast.contracts import bad_value
from staffcast.simulation.outcome import Outcome

__all__ = ["replies"]


def replies(outcome: Outcome, replication: int, *, turns: int) -> pd.DataFrame:
    """Every reply of one replication, where a handling has so many turns.

    The first comes as ``first_reply_s`` and ``first_reply_share`` say, the last with the end of the handling, the
    others evenly in between: what customers wait between two replies is then (end − first reply) ÷ (turns − 1).

    Parameters
    ----------
    outcome : Outcome
        Of :func:`staffcast.simulation.simulate`.
    replication : int
        0 … replications − 1.
    turns : int
        Replies of the agent, ≥ 2.

    Returns
    -------
    DataFrame
        One row per reply: ``ticket`` (its place in :meth:`Outcome.tickets`), ``turn`` from 1, ``at_s``, ``gap_s``
        (since the reply before; of the first the first response time). Tickets without an end have none.

    Raises
    ------
    InputError
        No such replication, no whole number of turns.

    Examples
    --------
    >>> from staffcast.simulation import Arrivals, Staffing, simulate
    >>> outcome = simulate(Arrivals.trace([10], [100]), Staffing.steps([0, 3600], [1]), None, first_reply_share=0.4,
    ...                    replications=1)
    >>> replies(outcome, 0, turns=3)["at_s"].tolist()
    [50.0, 80.0, 110.0]
    """
    if isinstance(turns, bool) or not isinstance(turns, (int, np.integer)) or turns < 2:
        raise bad_value("turns", turns, "a whole number ≥ 2", "of one turn the first reply is all: see Outcome.tickets")
    played = outcome.tickets(replication)
    whole = played[(played["outcome"] == "answered") & played["end_s"].notna()]
    first = (whole["arrival_s"] + whole["frt_s"]).to_numpy()
    # A time to the first reply may be longer than a short handling: nothing comes before it.
    last = np.maximum(whole["end_s"].to_numpy(), first)
    at = first[:, None] + (last - first)[:, None] * np.arange(turns) / (turns - 1)
    gap = np.column_stack((whole["frt_s"].to_numpy(), np.diff(at, axis=1)))
    return pd.DataFrame(
        {
            "ticket": np.repeat(whole.index.to_numpy(), turns), "turn": np.tile(np.arange(1, turns + 1), len(whole)),
            "at_s": at.ravel(), "gap_s": gap.ravel(),
        }
    )  # fmt: skip
