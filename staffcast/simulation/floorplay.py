"""A case with groups, put into the flat arrays that the second event loop reads, and what it found."""

from __future__ import annotations

from typing import Any

import numpy as np

from staffcast.simulation.checks import FloatArray, IntArray
from staffcast.simulation.floor import ROUTINGS
from staffcast.simulation.hands import AREAS, FIELDS, GROUP
from staffcast.simulation.kernel import DROP_RULES
from staffcast.simulation.sampling import Case
from staffcast.simulation.tournament import room

__all__ = ["GROUP_STATS", "crew_room", "floor_tables", "group_sums", "rules_of", "spells_at_most"]

GROUP_STATS = ("staffed_s", "handled_s", "in_hand_s", "overtime_s", "taken")


def floor_tables(case: Case) -> list[Any]:
    """``by_priority``, ``serves``, ``askable``, ``places`` and ``slow`` of :func:`staffcast.simulation.floor.play`."""
    groups, classes = case.groups, len(case.shares)
    width = max(len(each.slow) for each in groups)
    serves, askable = np.full((len(groups), classes), -1), np.full((classes, len(groups)), -1)
    slow = np.ones((len(groups), width))
    for g, each in enumerate(groups):
        kinds = each.serves or ()
        serves[g, : len(kinds)] = kinds
        slow[g, : len(each.slow)] = each.slow
    for kind in range(classes):
        ranks = [(list(row).index(kind), g) for g, row in enumerate(serves) if kind in row]
        askable[kind, : len(ranks)] = [g for _, g in sorted(ranks)]
    places = np.array([len(each.slow) for each in groups])
    return [case.routing == ROUTINGS[1], serves.ravel(), askable.ravel(), places, slow.ravel()]


def rules_of(case: Case) -> IntArray:
    """The rule of each group as a number."""
    return np.array([DROP_RULES.index(each.on_staff_drop or case.on_staff_drop) for each in case.groups])


def spells_at_most(case: Case, agents: IntArray) -> int:
    """How often, at most, somebody leaves with something in hand, or something is interrupted."""
    fewer = np.maximum(agents[:, :-1] - agents[:, 1:], 0).sum(axis=1)
    return int((fewer * [len(each.slow) for each in case.groups]).sum()) + 1


def crew_room(case: Case, agents: IntArray) -> tuple[IntArray, list[Any], FloatArray]:
    """``first_of``; ``who`` … ``in_vain``; and ``found``, in which the groups' sums will be.

    Parameters
    ----------
    case : Case
    agents : array (groups, n)
        Who is there.
    """
    groups, n = agents.shape
    width = max(len(each.slow) for each in case.groups)
    # Leavers still at work count: they are asked back before others come, so no more are ever there at once.
    most = agents.max(axis=1, initial=0)
    first_of = np.concatenate(([0], np.cumsum(most)))
    crew = int(first_of[-1])
    who = np.zeros((max(crew, 1), FIELDS + width), np.int64)
    who[:crew, GROUP] = np.repeat(np.arange(groups), most)
    found = np.zeros(AREAS * groups * n)
    spaces: list[Any] = [
        who.ravel(), np.zeros(max(crew, 1) * (1 + width)), np.full(2 * groups * width, -1),
        np.full(room(max(crew, 1)), np.inf), np.zeros(AREAS * groups), np.zeros(groups, np.bool_),
    ]  # fmt: skip
    return first_of, spaces, found


def group_sums(agents: IntArray, edges: FloatArray, found: FloatArray) -> FloatArray:
    """Array (group stats, groups, n)."""
    staffed = agents * np.diff(edges)
    return np.concatenate((staffed[None], found.reshape(AREAS, *agents.shape)))
