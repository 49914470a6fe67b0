"""Groups of agents with skills, and how many conversations each agent holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from staffcast.contracts import InputError, bad_value
from staffcast.simulation.checks import FloatArray
from staffcast.simulation.inputs import Arrivals, Staffing, require_same_grid
from staffcast.simulation.kernel import DROP_RULES
from staffcast.simulation.laws import Service

__all__ = ["Group", "handle_times", "paces", "require_groups", "staff_of_all"]

_BY_COUNT = (
    "by counting alone nobody knows which agent with a free place is to take no more; take 'finish', or concurrency=1"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Agents of one skill set.

    Attributes
    ----------
    name : str
        For the tables; not empty.
    staffing : Staffing
        How many are there.
    serves : tuple of int, optional
        Classes that they serve, the one they prefer first; None: all, the most urgent first. A class goes first to the
        groups that prefer it most.
    concurrency : int, optional
        Conversations at once, ≥ 1; None: as ``simulate`` says.
    aht_by_concurrency_s : tuple of float, optional
        aht_1, …, aht_k: how long a conversation lasts while its agent holds 1, …, k, > 0 and not falling. Only
        aht_j ÷ aht_1 counts: how long one lasts alone is drawn from the class's ``Service``. None: as ``simulate``
        says.
    on_staff_drop : str, optional
        What happens when staff of the group leave with tickets in hand; None: as ``simulate`` says.

    Examples
    --------
    One agent who holds two conversations of ten minutes, each a quarter hour long beside the other:

    >>> from staffcast.simulation import Arrivals, simulate
    >>> chat = Group(name="chat", staffing=Staffing.steps([0, 3600], [1]), concurrency=2,
    ...              aht_by_concurrency_s=(600, 900))
    >>> outcome = simulate(Arrivals.trace([0, 200], [600, 600]), [chat], None, replications=1)
    >>> outcome.tickets(0)["end_s"].tolist()
    [800.0, 1000.0]
    >>> outcome.by_group[["group", "staffed_s", "handled_s", "in_hand_mean"]]
      group  staffed_s  handled_s  in_hand_mean
    0  chat     3600.0     1000.0      0.444444
    """

    name: str
    staffing: Staffing
    serves: Sequence[int] | None = None
    concurrency: int | None = None
    aht_by_concurrency_s: Sequence[float] | None = None
    on_staff_drop: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise bad_value("name", self.name, "a text that is not empty")
        if not isinstance(self.staffing, Staffing):
            raise bad_value("staffing", self.staffing, "a Staffing", "build it with Staffing.steps(edges_s, agents)")
        if self.serves is not None:
            object.__setattr__(self, "serves", _classes(self.serves))
        if self.concurrency is not None or self.aht_by_concurrency_s is not None:
            most = 1 if self.concurrency is None else self.concurrency
            ahts = handle_times(most, self.aht_by_concurrency_s)
            object.__setattr__(self, "concurrency", len(ahts))
            object.__setattr__(self, "aht_by_concurrency_s", ahts)
        if self.on_staff_drop is not None and self.on_staff_drop not in DROP_RULES:
            raise bad_value("on_staff_drop", self.on_staff_drop, f"one of {', '.join(DROP_RULES)}")

    @property
    def slow(self) -> tuple[float, ...]:
        """aht_j ÷ aht_1 for j = 1 … k."""
        ahts = self.aht_by_concurrency_s or (1.0,)
        return tuple(each / ahts[0] for each in ahts)

    @property
    def pace(self) -> float:
        """Seconds of handling, as it would last alone, that one does in a second with all places taken."""
        return len(self.slow) / self.slow[-1]


def _classes(serves: Sequence[int]) -> tuple[int, ...]:
    legal = "different numbers of classes from 0, at least one"
    try:
        found = tuple(serves)
    except TypeError:
        raise bad_value("serves", serves, legal) from None
    whole = all(isinstance(each, (int, np.integer)) and not isinstance(each, bool) and each >= 0 for each in found)
    if not found or not whole or len(set(found)) < len(found):
        raise bad_value("serves", serves, legal, "0 is the most urgent class")
    return tuple(int(each) for each in found)


def handle_times(concurrency: int, aht_by_concurrency_s: Sequence[float] | None) -> tuple[float, ...]:
    """aht_1, …, aht_k, checked; without any a conversation is as long as alone.

    Raises
    ------
    InputError
        No whole number ≥ 1, not as many times, one that is not above 0 or that falls.
    """
    if isinstance(concurrency, bool) or not isinstance(concurrency, (int, np.integer)) or concurrency < 1:
        raise bad_value("concurrency", concurrency, "a whole number ≥ 1", "1 is one conversation at a time")
    if aht_by_concurrency_s is None:
        return (1.0,) * int(concurrency)
    legal = "aht_1, …, aht_k in seconds > 0, not falling"
    try:
        found = tuple(float(each) for each in aht_by_concurrency_s)
    except (TypeError, ValueError):
        raise bad_value("aht_by_concurrency_s", aht_by_concurrency_s, legal) from None
    if len(found) != concurrency:
        raise bad_value(
            "aht_by_concurrency_s", f"{len(found)} times", f"one for each of 1 … {concurrency} conversations",
            f"or set concurrency={len(found)}",
        )  # fmt: skip
    rising = all(one <= other for one, other in pairwise(found))
    if not all(math.isfinite(each) and each > 0 for each in found) or not rising:
        raise bad_value("aht_by_concurrency_s", found, legal, "a conversation is no shorter beside others than alone")
    return found


def require_groups(
    groups: Sequence[Group],
    classes: int,
    arrivals: Arrivals,
    services: Sequence[Service],
    *,
    on_staff_drop: str,
    concurrency: int,
    aht_by_concurrency_s: Sequence[float] | None,
) -> tuple[Group, ...]:
    """The groups, with what they leave to the whole floor filled in.

    Raises
    ------
    InputError
        No group, one name twice, a class that does not exist or that nobody serves, another grid, ``finish_count`` with
        several conversations at once.
    """
    legal = "a Staffing, or Groups, at least one, with different names"
    if not groups or not all(isinstance(each, Group) for each in groups):
        raise bad_value("staffing", groups, legal, "build a plan with Staffing.steps(edges_s, agents)")
    names = [each.name for each in groups]
    if len(set(names)) < len(names):
        raise bad_value("staffing", f"groups named {', '.join(names)}", legal)
    ahts = handle_times(concurrency, aht_by_concurrency_s)
    out = []
    for each in groups:
        unknown = [kind for kind in each.serves or () if kind >= classes]
        if unknown:
            raise bad_value(
                "serves", unknown[0], f"a class from 0 to {classes - 1}",
                f"group {each.name!r}: `priorities` has {classes} of them",
            )  # fmt: skip
        require_same_grid(each.staffing, arrivals, services)
        if not np.array_equal(each.staffing.edges_s, groups[0].staffing.edges_s):
            raise InputError(
                f"group {each.name!r} has another grid than group {names[0]!r}; write all on the same edges, with 0 "
                "agents where a group is not there"
            )
        whole = Group(
            name=each.name, staffing=each.staffing, serves=each.serves or tuple(range(classes)),
            concurrency=each.concurrency or len(ahts), aht_by_concurrency_s=each.aht_by_concurrency_s or ahts,
            on_staff_drop=each.on_staff_drop or on_staff_drop,
        )  # fmt: skip
        if whole.on_staff_drop == "finish_count" and whole.concurrency != 1:
            raise bad_value("on_staff_drop", "finish_count", "another rule with several conversations", _BY_COUNT)
        out.append(whole)
    served = {kind for each in out for kind in each.serves or ()}
    missing = sorted(set(range(classes)) - served)
    if missing:
        raise InputError(f"no group serves class {missing[0]}; add it to the `serves` of one, or leave the class out")
    return tuple(out)


def staff_of_all(groups: Sequence[Group]) -> Staffing:
    """All groups together, as planned."""
    first = groups[0].staffing
    agents = np.stack([each.staffing.agents for each in groups]).sum(axis=0)
    return Staffing(edges_s=first.edges_s, agents=agents, absent=0.0, shift=first.shift)


def paces(groups: Sequence[Group]) -> FloatArray:
    """``Group.pace`` of each."""
    return np.array([each.pace for each in groups])
