"""What the targets of single classes are judged by; and when within its handling a ticket has its first reply."""

from __future__ import annotations

import numpy as np

from staffcast.simulation.checks import FloatArray
from staffcast.simulation.replication import Played
from staffcast.simulation.sampling import Case

__all__ = ["GOAL_STATS", "goal_sums", "reply_s"]

GOAL_STATS = ("reached", "judged")
_WHOLE = ("finish", "finish_count")


def reply_s(case: Case, played: Played) -> FloatArray:
    """From being taken to the first reply, by ticket, in seconds; of those never taken the part that all have.

    A share of the handling as long as it lasts among the agent's other conversations; where a rule interrupts tickets,
    of the handling itself, without the breaks.
    """
    if not case.first_reply_share:
        return np.full(len(played.arrival_s), case.first_reply_s)
    rules = {each.on_staff_drop for each in case.groups}
    stretched = bool(rules) and rules <= set(_WHOLE)
    handled = played.end_s - played.begin_s if stretched else played.service_s
    return case.first_reply_s + np.where(played.answered, case.first_reply_share * handled, 0.0)


def goal_sums(case: Case, played: Played) -> FloatArray:
    """What the classes' targets are judged by, (goal stats, classes); NaN where a class has none.

    Of a share the tickets in time and those decided; of a percentile the tickets with a first response within its
    time and all with one (or still waiting for it); of a mean the seconds of these and their number.
    """
    out = np.full((len(GOAL_STATS), len(case.shares)), np.nan)
    wait, reply = played.left_queue_s - played.arrival_s, reply_s(case, played)
    for line, target in enumerate(case.class_targets):
        if target is None:
            continue
        own = played.kind == line
        frt, taken, lost = (wait + reply)[own], played.answered[own], played.abandoned[own]
        if target.kind == "share":
            reached, judged = taken & (frt <= target.seconds), taken | lost | (frt > target.seconds)
            out[:, line] = np.count_nonzero(reached), np.count_nonzero(judged)
        elif target.kind == "percentile":
            out[:, line] = np.count_nonzero(frt[~lost] <= target.seconds), np.count_nonzero(~lost)
        else:
            out[:, line] = frt[~lost].sum(), np.count_nonzero(~lost)
    return out
