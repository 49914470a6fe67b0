"""One replication: its tickets drawn, handed to the event loop, and what became of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from staffcast.simulation.checks import FloatArray, IntArray
from staffcast.simulation.compiled import COMPILED
from staffcast.simulation.floor import play as play_floor
from staffcast.simulation.floorplay import crew_room, floor_tables, group_sums, rules_of, spells_at_most
from staffcast.simulation.kernel import DROP_RULES, play
from staffcast.simulation.lines import ALL, PREEMPT, SPELLS
from staffcast.simulation.sampling import Case, Sample, agents_there, draw, groups_there, leaver_bits

__all__ = ["Played", "play_replication", "play_sample"]

_NOBODY_LEAVES = -1
_MORE = 0.5  # room for tickets that others bring about, at first; doubled until it is enough


@dataclass(frozen=True, kw_only=True, eq=False)
class Played:
    """Tickets of one replication with what became of them; arrays (tickets,) in seconds.

    The backlog first, then what came from outside in the order of arrival, then what these brought about, in the order
    in which it came.
    """

    arrival_s: FloatArray
    service_s: FloatArray
    kind: IntArray
    origin: IntArray
    backlog: int
    bot_closed: int
    agents: IntArray
    begin_s: FloatArray  # NaN: never taken
    end_s: FloatArray  # handled; infinity if it was interrupted and not taken up again; who may call again: given up
    leave_s: FloatArray  # of those never taken: when they give up; minus infinity if that stands in end_s
    horizon_s: float
    overtime_from_s: FloatArray
    overtime_to_s: FloatArray
    break_from_s: FloatArray
    break_to_s: FloatArray
    by_group: FloatArray | None = None  # (group stats, groups, n), where agents were followed one by one

    @cached_property
    def answered(self) -> npt.NDArray[np.bool_]:
        """Whether a ticket was taken."""
        return ~np.isnan(self.begin_s)

    @cached_property
    def abandoned(self) -> npt.NDArray[np.bool_]:
        """Whether its customer gave up."""
        return ~self.answered & (self.leave_s < self.horizon_s)

    @cached_property
    def left_queue_s(self) -> FloatArray:
        """When it was taken, given up, or the play ended."""
        left = np.where(self.answered, self.begin_s, self.horizon_s)
        if not self.abandoned.any():
            return left
        return np.where(self.abandoned, np.where(self.leave_s == -math.inf, self.end_s, self.leave_s), left)


def play_replication(case: Case, replication: int) -> Played:
    """Draw the tickets of one replication and play them."""
    agents = groups_there(case, replication) if case.groups else agents_there(case, replication)
    return play_sample(case, draw(case, replication), agents, leaver_bits(case, replication))


def play_sample(case: Case, sample: Sample, agents: IntArray, drops: np.uint64) -> Played:
    """Play given tickets.

    Parameters
    ----------
    case : Case
        Its rules; arrivals, staffing and seed are not looked at but for the edges.
    sample : Sample
    agents : array (n,), with groups (groups, n)
        Who is there.
    drops : uint64
        Random bits that decide who leaves when staff drops.
    """
    # Copies, to be written to as far as types say: an array that may not be is another type, to be compiled anew.
    edges, agents = case.staffing.edges_s.copy(), agents.copy()
    known, classes = len(sample.arrival_s), len(case.shares)
    followed = bool(case.groups)
    fewer = spells_at_most(case, agents) if followed else int(np.maximum(agents[:-1] - agents[1:], 0).sum()) + 1
    by_group = None
    room = known + (64 + int(known * _MORE) if case.comes_back else 0)
    while True:
        arrival, service = _longer(sample.arrival_s, room, 0.0), _longer(sample.service_s, room, 0.0)
        leave = np.full(room, np.inf) if sample.leave_s is None else _longer(sample.leave_s, room, np.inf)
        kind = _longer(sample.kind, room, 0)
        bits = np.zeros(1, np.uint64) if sample.bits is None else _longer(sample.bits, room, np.uint64(0))
        rule = rules_of(case) if followed else DROP_RULES.index(case.on_staff_drop)
        rest = service.copy() if np.max(rule) >= PREEMPT else service
        begin, end = np.full(room, np.nan), np.full(room, np.nan)
        origin = np.zeros(room, np.int64)
        spells, marks = np.full((4, fewer), np.nan), np.zeros(8, np.int64)
        given: list[Any] = [
            arrival, service, rest, leave, kind, bits, edges.copy(), agents.flatten(), case.opened.copy(), rule,
            case.handover_s, case.ageing_s, drops, _returns(case), _service_law(case), _patience_law(case),
            _samples(case)[0],
        ]  # fmt: skip
        filled_in: list[Any] = [
            begin, end, origin, np.empty(room, np.int64), np.full(classes, -1), np.full(classes, -1), spells, marks
        ]  # fmt: skip
        if followed:
            first_of, spaces, found = crew_room(case, agents)
            given += [*floor_tables(case), first_of, *filled_in, *spaces, found]
            enough = play_floor(known, *given) if COMPILED else _as_lists(play_floor, known, given)
            by_group = group_sums(agents, edges, found)
        else:
            given += filled_in
            enough = play(known, *given) if COMPILED else _as_lists(play, known, given)
        if enough:
            break
        room *= 2
    count, filled = int(marks[ALL]), marks[SPELLS:]
    return Played(
        arrival_s=arrival[:count], service_s=service[:count], kind=kind[:count], origin=origin[:count],
        backlog=sample.backlog, bot_closed=sample.bot_closed,
        agents=agents.sum(axis=0) if followed else agents, begin_s=begin[:count], end_s=end[:count],
        leave_s=leave[:count], horizon_s=float(edges[-1]), overtime_from_s=spells[0, : filled[0]],
        overtime_to_s=spells[1, : filled[1]], break_from_s=spells[2, : filled[2]], break_to_s=spells[3, : filled[3]],
        by_group=by_group,
    )  # fmt: skip


def _longer(values: npt.NDArray[Any], room: int, fill: Any) -> npt.NDArray[Any]:
    if len(values) == room and not values.flags.writeable:
        return values.copy()
    if len(values) == room:
        return values
    out = np.full(room, fill, dtype=values.dtype)
    out[: len(values)] = values
    return out


def _as_lists(play_it: Callable[..., bool], known: int, given: list[Any]) -> bool:
    """Play on lists, and put what was filled in back into the arrays."""
    plain = [_plain(each) for each in given]
    if given[1] is given[2]:
        plain[2] = plain[1]  # what is left of the handling is the handling
    with np.errstate(over="ignore"):  # the hash counts modulo 2⁶⁴
        enough = play_it(known, *plain)
    for array, values in zip(given, plain, strict=True):
        if isinstance(array, np.ndarray) and array.flags.writeable:
            array[...] = values
    return enough


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(each) for each in value)
    if isinstance(value, np.ndarray):
        return list(value) if value.dtype == np.uint64 else value.tolist()
    return value


def _returns(case: Case) -> FloatArray:
    out = np.zeros(8)
    harder = 1.0 if case.bot is None else case.bot.harder
    if case.redial is not None:
        out[:2] = case.redial.share, case.redial.delay_s
    if case.reopening is not None:
        out[2:5] = case.reopening.share, case.reopening.delay_s, case.reopening.work * harder
    if case.repeats is not None:
        out[5:] = case.repeats.share, case.repeats.after_s, case.repeats.work * harder
    return out


def _samples(case: Case) -> tuple[FloatArray, list[int], list[int]]:
    """What empirical laws draw from, one after the other; where each begins, services first; and how many they are."""
    samples = [law.sample_s for law in case.services] + [law.sample_s for law in case.patiences]
    there = [np.zeros(0) if each is None else each for each in samples]
    counts = [len(each) for each in there]
    return np.concatenate((*there, np.zeros(1))), [int(sum(counts[:i])) for i in range(len(counts))], counts


Law = tuple[IntArray, FloatArray, FloatArray, IntArray, IntArray]


def _service_law(case: Case) -> Law:
    _, firsts, counts = _samples(case)
    classes = len(case.shares)
    if not case.services:
        return (*_no_law(classes),)
    width = max(each.mean_s.size for each in case.services)
    means = np.stack([np.broadcast_to(each.mean_s, (width,)) for each in case.services])
    return (
        np.array([each.law for each in case.services]), np.ascontiguousarray(means),
        np.array([each.cv for each in case.services]), np.array(firsts[:classes]), np.array(counts[:classes]),
    )  # fmt: skip


def _patience_law(case: Case) -> Law:
    _, firsts, counts = _samples(case)
    classes, behind = len(case.shares), len(case.services)
    if not case.patiences:
        return (*_no_law(classes),)
    return (
        np.array([each.law for each in case.patiences]),
        np.array([[each.scale_s] for each in case.patiences]),
        np.array([each.shape for each in case.patiences]), np.array(firsts[behind:]), np.array(counts[behind:]),
    )  # fmt: skip


def _no_law(classes: int) -> Law:
    none = np.zeros(classes, np.int64)
    return none + _NOBODY_LEAVES, np.ones((classes, 1)), np.ones(classes), none, none
