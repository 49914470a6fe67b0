"""Several queues whose agents are shared: played at once, told apart queue by queue.

Each queue has its own demand, handle times, patience, priorities, hours, bot, target and seed, and so the very tickets
that it has when it is played alone. Its classes are classes of the whole floor; groups of agents serve queues.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from staffcast.contracts import InputError, bad_value
from staffcast.executor import map_chunks
from staffcast.simulation.collect import collect
from staffcast.simulation.engine import case_of
from staffcast.simulation.floor import ROUTINGS
from staffcast.simulation.groups import Group, require_groups, staff_of_all
from staffcast.simulation.inputs import Arrivals, Staffing
from staffcast.simulation.laws import Patience, Service
from staffcast.simulation.measure import Chunk, Sums, measure_chunk
from staffcast.simulation.outcome import Outcome
from staffcast.simulation.replication import Played, play_sample
from staffcast.simulation.sampling import Case, Sample, draw, groups_there, leaver_bits

__all__ = ["Line", "Shared", "Together", "simulate_together"]

_CHUNKS = 8
# The event loop has one rule for all of its tickets.
_COUNTS = ("waits", "waits_by_interval")
_ALIKE = ("redial", "reopening", "repeats", "ageing_s", "handover_s")


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """One of several queues.

    Attributes
    ----------
    arrivals : Arrivals
        With rates.
    service : Service or sequence of Service
    options : mapping
        Of :func:`staffcast.simulation.simulate`, what is about customers, hours, targets and the seed.
    """

    arrivals: Arrivals
    service: Service | Sequence[Service]
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Shared:
    """A group of agents, and the queues that it serves, the one that it prefers first.

    Attributes
    ----------
    group : Group
        Its ``serves`` is not looked at.
    queues : sequence of str
    """

    group: Group
    queues: Sequence[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Together:
    """What came out.

    Attributes
    ----------
    queues : mapping of name to Outcome
        As of :func:`simulate`, with these differences: ``agents`` are all who serve the queue; ``utilization`` is that
        of all of them in ``summary``, and NaN by interval, as are ``overtime_s`` and ``load``: the agents' time belongs
        to no single queue. ``by_group`` has the groups that serve the queue.
    by_group : DataFrame
        All groups, as :attr:`Outcome.by_group`.
    """

    queues: Mapping[str, Outcome]
    by_group: pd.DataFrame


def simulate_together(
    queues: Mapping[str, Line],
    groups: Sequence[Shared],
    *,
    routing: str = "longest_idle",
    replications: int = 100,
    seed: int = 0,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Together:
    """Play several queues with groups of agents who serve one of them or more.

    Parameters
    ----------
    queues : mapping of name to Line
    groups : sequence of Shared
        A group takes what waits in the first of its queues, by priority, before it looks at the second.
    routing : {"longest_idle", "priority"}
        As for :func:`simulate`.
    replications : int
    seed : int
        Of what belongs to the agents: who is absent, who leaves. Tickets follow their queues' seeds.
    processes, progress
        As for :func:`simulate`.

    Raises
    ------
    InputError
        A group that serves a queue that is not there, a queue that nobody serves, what :func:`simulate` refuses, or
        ``redial``, ``reopening``, ``repeats``, ``ageing_s`` and ``handover_s`` that differ from queue to queue.

    Examples
    --------
    >>> from staffcast.simulation import Group
    >>> edges = [0, 3600]
    >>> one = Line(arrivals=Arrivals.piecewise(edges, [30]), service=Service.exponential(300), options={"seed": 1})
    >>> two = Line(arrivals=Arrivals.piecewise(edges, [30]), service=Service.exponential(300), options={"seed": 2})
    >>> both = Group(name="both", staffing=Staffing.steps(edges, [6]))
    >>> found = simulate_together({"a": one, "b": two}, [Shared(group=both, queues=["a", "b"])], replications=20)
    >>> found.queues["a"].summary.frt_mean_s < found.queues["b"].summary.frt_mean_s
    True
    """
    if routing not in ROUTINGS:
        raise bad_value("routing", routing, f"one of {', '.join(ROUTINGS)}")
    if not queues or not groups:
        raise InputError("`queues` and `groups` must hold at least one each")
    nobody = Staffing.steps(groups[0].group.staffing.edges_s, np.zeros(len(groups[0].group.staffing.agents)))
    parts: dict[str, Case] = {}
    for name, line in queues.items():
        if line.arrivals.rates_per_hour is None:
            raise bad_value("arrivals", "a trace", f"rates, of queue {name!r}", "build them with Arrivals.piecewise")
        serving = [each for each in groups if name in each.queues]
        if not serving:
            raise InputError(f"no group serves queue {name!r}; add it to the queues of one, or leave it out")
        case = case_of(line.arrivals, nobody, line.service, **line.options)
        parts[name] = replace(
            case, staffing=staff_of_all([each.group for each in serving]),
            handover_s=float(line.options.get("handover_s", 0.0)),
        )  # fmt: skip
    _require_alike(parts)
    blocks, first = {}, 0
    for name, part in parts.items():
        blocks[name] = range(first, first + len(part.shares))
        first += len(part.shares)
    skilled = []
    for each in groups:
        unknown = [name for name in each.queues if name not in blocks]
        if unknown:
            raise bad_value("queues", unknown[0], f"of {', '.join(blocks)}", f"group {each.group.name!r} serves it")
        serves = tuple(line for name in each.queues for line in blocks[name])
        skilled.append(replace(each.group, serves=serves))
    whole = _whole(list(parts.values()), skilled, first, routing, seed)
    runs = range(replications)
    size = max(-(-replications // _CHUNKS), 1)
    ranges = [runs[at : at + size] for at in range(0, replications, size)]
    told = None if progress is None else partial(_told, progress, size, replications)
    chunks = map_chunks(
        partial(_measure, whole, tuple(parts.values())), ranges, processes=processes, progress=told
    )  # fmt: skip
    by_group = collect(whole, [chunk[0] for chunk in chunks]).by_group
    found = {}
    for place, (name, part) in enumerate(parts.items()):
        outcome = collect(part, [chunk[1 + place] for chunk in chunks])
        crews = [each.group.name for each in groups if name in each.queues]
        mine = by_group[by_group["group"].isin(crews)].reset_index(drop=True)
        replay = partial(_one_queue, whole, tuple(parts.values()), place)
        found[name] = replace(outcome, **_of_all(outcome, mine), replay=replay)
    return Together(queues=found, by_group=by_group)


def _told(progress: Callable[[int, int], None], size: int, total: int, done: int, _: int) -> None:
    progress(min(done * size, total), total)


def _of_all(outcome: Outcome, serving: pd.DataFrame) -> dict[str, Any]:
    """The figures about agents, who belong to no single queue."""
    staffed, useful = serving["staffed_s"].sum(), (serving["handled_s"] - serving["overtime_s"]).sum()
    summary = replace(
        outcome.summary, utilization=float(useful / staffed) if staffed > 0 else math.nan, utilization_se=math.nan,
        load=math.nan, staffed_s=float(staffed), overtime_s=math.nan,
    )  # fmt: skip
    shares = {"utilization": np.nan, "utilization_se": np.nan, "overtime_s": np.nan}
    runs = outcome.by_replication.assign(utilization=np.nan, overtime_s=np.nan, staffed_s=float(staffed))
    return {
        "by_group": serving,
        "summary": summary,
        "by_interval": outcome.by_interval.assign(**shares),
        "by_replication": runs,
    }


def _require_alike(parts: Mapping[str, Case]) -> None:
    names = list(parts)
    for name in names[1:]:
        for key in _ALIKE:
            if getattr(parts[name], key) != getattr(parts[names[0]], key):
                raise InputError(
                    f"queues {names[0]!r} and {name!r} share agents and must have the same `{key.removesuffix('_s')}`; "
                    "give both the same, or leave it out of both"
                )
        if parts[name].comes_back and _harder(parts[name]) != _harder(parts[names[0]]):
            raise InputError(
                f"queues {names[0]!r} and {name!r} share agents and have tickets that come back: the bots of both must "
                "leave tickets as much harder (bot.harder)"
            )


def _harder(case: Case) -> float:
    return 1.0 if case.bot is None else case.bot.harder


def _whole(parts: Sequence[Case], groups: Sequence[Group], classes: int, routing: str, seed: int) -> Case:
    """All queues as one case; its tickets are drawn queue by queue."""
    first = parts[0]
    arrivals = first.arrivals
    skilled = require_groups(
        groups, classes, arrivals, (), on_staff_drop=first.on_staff_drop, concurrency=1, aht_by_concurrency_s=None
    )
    never = Patience.empirical([math.inf])
    leaves = any(part.patiences for part in parts)
    patiences = [law for part in parts for law in part.patiences or (never,) * len(part.shares)]
    return replace(
        first, staffing=staff_of_all(skilled), groups=skilled, routing=routing, seed=seed, target=None,
        class_targets=(), first_reply_s=0.0, first_reply_share=0.0, window_s=math.inf,
        services=tuple(law for part in parts for law in part.services), patiences=tuple(patiences) if leaves else (),
        shares=tuple(share / len(parts) for part in parts for share in part.shares),
        backlog_s=np.concatenate([part.backlog_s for part in parts]),
        opened=np.concatenate([part.opened for part in parts]),
    )  # fmt: skip


def _measure(whole: Case, parts: Sequence[Case], replications: range) -> list[Chunk]:
    """The whole floor first, then queue by queue."""
    kept: list[list[Chunk]] = [[] for _ in range(1 + len(parts))]
    for replication in replications:
        once, samples = range(replication, replication + 1), [draw(part, replication) for part in parts]
        played = _play(whole, parts, samples, replication)
        for place, case in enumerate((whole, *parts)):
            own = played if place == 0 else _picked(played, parts, samples, place - 1)
            kept[place].append(measure_chunk(case, once, lambda *_, own=own: own))
        kept = [[_joined(chunks)] for chunks in kept]
    return [chunks[0] for chunks in kept]


def _one_queue(whole: Case, parts: Sequence[Case], place: int, replication: int) -> Played:
    samples = [draw(part, replication) for part in parts]
    return _picked(_play(whole, parts, samples, replication), parts, samples, place)


def _play(whole: Case, parts: Sequence[Case], samples: Sequence[Sample], replication: int) -> Played:
    there, leavers = groups_there(whole, replication), leaver_bits(whole, replication)
    return play_sample(whole, _merged(parts, samples), there, leavers)


def _first_classes(parts: Sequence[Case]) -> list[int]:
    return [sum(len(part.shares) for part in parts[:place]) for place in range(len(parts) + 1)]


def _merged(parts: Sequence[Case], samples: Sequence[Sample]) -> Sample:
    """Tickets of all queues: the backlog first, the oldest before the others; then in the order of arrival."""
    behind = np.concatenate([np.arange(len(each.kind)) >= each.backlog for each in samples])
    arrival = np.concatenate([each.arrival_s for each in samples])
    kind = np.concatenate([each.kind + first for each, first in zip(samples, _first_classes(parts), strict=False)])
    order = np.lexsort((kind, arrival, behind))
    leaves = any(each.leave_s is not None for each in samples)
    eager = any(each.bits is not None for each in samples)
    leave = [np.full(len(s.kind), np.inf) if s.leave_s is None else s.leave_s for s in samples]
    bits = [np.zeros(len(s.kind), np.uint64) if s.bits is None else s.bits for s in samples]
    return Sample(
        arrival_s=arrival[order], service_s=np.concatenate([each.service_s for each in samples])[order],
        leave_s=np.concatenate(leave)[order] if leaves else None, kind=kind[order],
        bits=np.concatenate(bits)[order] if eager else None, backlog=sum(each.backlog for each in samples),
        bot_closed=sum(each.bot_closed for each in samples),
    )  # fmt: skip


def _picked(played: Played, parts: Sequence[Case], samples: Sequence[Sample], place: int) -> Played:
    """The tickets of one queue; whose agents took them and what these did after their shift belongs to no queue."""
    first, behind = _first_classes(parts)[place : place + 2]
    mine = (played.kind >= first) & (played.kind < behind)
    none = np.zeros(0)
    return Played(
        arrival_s=played.arrival_s[mine], service_s=played.service_s[mine], kind=played.kind[mine] - first,
        origin=played.origin[mine], backlog=int(np.count_nonzero(mine[: played.backlog])),
        bot_closed=samples[place].bot_closed, agents=np.zeros_like(played.agents), begin_s=played.begin_s[mine],
        end_s=played.end_s[mine], leave_s=played.leave_s[mine], horizon_s=played.horizon_s, overtime_from_s=none,
        overtime_to_s=none, break_from_s=none, break_to_s=none,
    )  # fmt: skip


def _joined(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks of a few replications as one, so that each histogram is held once."""
    if len(chunks) == 1:
        return chunks[0]
    first = chunks[0].sums
    rows = {
        name: np.concatenate([getattr(c.sums, name) for c in chunks]) for name in ("by_interval", "by_class", "coarse")
    }
    counts = {name: sum(getattr(c.sums, name) for c in chunks[1:]) + getattr(first, name) for name in _COUNTS}
    names = [field.name for field in fields(Chunk) if field.name != "sums"]
    parts = {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names}
    return Chunk(sums=Sums(**rows, **counts), **parts)
