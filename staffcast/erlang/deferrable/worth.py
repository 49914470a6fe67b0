"""What one agent-interval more, or fewer, is worth to every day: from one pass back over a plan's course."""

from __future__ import annotations

import numpy as np
import scipy

from staffcast.erlang._checks import FloatArray
from staffcast.erlang.deferrable.margin import Course, Lattice
from staffcast.erlang.deferrable.work import below_weights, expected, fft_size, less, value_before, widened

__all__ = ["worth"]

_MEMORY = 3  # days over which an agent's worth is followed back; more only sharpens where the search looks


def worth(lattice: Lattice, course: Course, step: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Change of every day's score per agent-interval more (gain) and per one fewer (loss), from changes by ``step``.

    Those that came before an interval and are due after it have more capacity up to their deadline. Those that come
    later find less work in front of them: the score to come as a function of the work at hand, carried backward.
    Close enough to look where to go, not to judge a plan.

    Parameters
    ----------
    lattice : Lattice
    course : Course
        Run with the same ``step``.
    step : array (n,)
        Change of the crew, > 0.

    Returns
    -------
    gain, loss : array (days + 1, n)
    """
    gain, loss = _for_earlier(lattice, course, step)
    _for_later(lattice, course, step, gain, loss)
    return gain / step, loss / step


def _for_earlier(lattice: Lattice, course: Course, step: FloatArray) -> tuple[FloatArray, FloatArray]:
    task, m, n = lattice.task, lattice.slots, lattice.task.n
    gain, loss = np.zeros((lattice.days + 1, n)), np.zeros((lattice.days + 1, n))
    if task.kind == "mean":
        _sooner(lattice, course, step, gain, loss)
        return gain, loss
    for s in np.flatnonzero((course.counted > 0) & np.isfinite(lattice.due_s)):
        # The interval in which a ticket comes, and that in which it is due, count in part.
        begin, until = lattice.at_s[s] / task.step_s, min(lattice.due_s[s], task.end_s) / task.step_s
        first, last = int(begin), min(int(np.ceil(until - 1e-9)) - 1, n - 1)
        part = np.ones(last - first + 1)
        part[0] -= begin - first
        part[-1] -= last + 1 - until
        day = task.day[s // m]
        gain[day, first : last + 1] += course.nearby[0, s] * part
        loss[day, first : last + 1] += course.nearby[1, s] * part
    if task.day_weight[-1] > 0:
        for j in np.flatnonzero((task.edges_s[:-1] < task.waiting_due_s.max()) & (task.upper > 0)):
            for sign, out in ((1.0, gain), (-1.0, loss)):
                other = course.agents.copy()
                other[j] = max(other[j] + sign * step[j], 0.0)
                out[-1, j] = sign * (lattice.start_in_time(other) - course.score[lattice.days])
    return gain, loss


def _sooner(lattice: Lattice, course: Course, step: FloatArray, gain: FloatArray, loss: FloatArray) -> None:
    """Seconds that those waiting at the end of an interval wait less with more agents in it, counted to its day."""
    task, opened = lattice.task, lattice.opening(course.agents)
    done = np.cumsum(lattice.capacity(course.agents))
    for j in np.flatnonzero(task.upper > 0):
        end = course.trail[(j + 1) * lattice.slots - 1].end
        if end is None:
            continue
        tail = np.cumsum((lattice.weights @ end)[::-1])[::-1]
        place = done[j] + lattice.bin_s * np.arange(1, len(tail) + 1)
        at = opened(place, done[j])
        for sign, out in ((1.0, gain), (-1.0, loss)):
            moved = opened(place - sign * step[j] * task.per_agent_s, done[j])
            out[task.day[j], j] += sign * lattice.bin_s / task.aht_s * float(tail @ (at - moved))


def _for_later(lattice: Lattice, course: Course, step: FloatArray, gain: FloatArray, loss: FloatArray) -> None:
    task, m = lattice.task, lattice.slots
    capacity = lattice.capacity(course.agents) / lattice.bin_s
    moves = step * task.per_agent_s / lattice.bin_s
    weights, several = lattice.weights[:, None], len(lattice.factors) > 1
    unit = 1.0 if task.kind == "share" else task.within_s
    days: list[int] = []  # those whose score depends on the work at hand
    u = np.zeros((0, len(lattice.factors), 1))
    for s in range(task.n * m - 1, -1, -1):
        j, k = divmod(s, m)
        slot, day = course.trail[s], int(task.day[j])
        if k == m - 1:
            if j + 1 < task.n and task.day[j + 1] != day and several:
                u = np.repeat((weights * u).sum(axis=1, keepdims=True), len(lattice.factors), axis=1)
            if day not in days:
                days.append(day)
                u = np.concatenate([u, np.zeros((1, *u.shape[1:]))])
            if slot.after is not None and slot.end is not None:
                if task.upper[j] > 0:
                    now = expected(u, weights * slot.end)
                    for sign, out in ((1.0, gain), (-1.0, loss)):
                        other = less(slot.after, lattice.after * capacity[j] + sign * moves[j])
                        out[days, j] += sign * (expected(u, weights * other) - now)
                u = value_before(u, slot.went, lattice.after * capacity[j])
        u = widened(u, slot.went)
        if course.counted[s] > 0:
            if slot.wait_s is None:
                score = below_weights(course.room[s], slot.went)
            else:
                score = -widened(slot.wait_s, slot.went)
            credit = 0.5 * course.counted[s] * lattice.factors[:, None] * score
            u = u.copy()
            u[-1] += credit
            u = _back_more(lattice, u, s, slot.came)
            u[-1] += credit[:, : slot.came]
        else:
            u = _back_more(lattice, u, s, slot.came)
        earlier = course.trail[s - 1] if s else None
        if earlier is None:
            break
        width = earlier.went if earlier.end is None else earlier.end.shape[1]
        u = value_before(u, width, capacity[j] * lattice.before[k])
        if k == 0 and earlier.end is not None:
            # A day that no longer depends on the work at hand, where it is likely to be, is settled.
            likely = np.flatnonzero(earlier.end.max(axis=0) > 1e-5)
            near = u[..., likely[0] : likely[-1] + 1]
            spread = near.max(axis=(1, 2)) - near.min(axis=(1, 2))
            keep = (spread > 1e-4 * task.day_weight[days] * unit) & (np.array(days) <= day + _MEMORY)
            keep |= np.array(days) == day
            if not keep.all():
                days, u = [each for each, kept in zip(days, keep, strict=True) if kept], u[keep]


def _back_more(lattice: Lattice, u: FloatArray, s: int, came: int) -> FloatArray:
    """Values before the tickets of slot ``s`` come."""
    width = lattice.kernels[s].shape[1]
    if width == 1:
        return np.array(widened(u, came)[..., :came])
    u = widened(u, came + width - 1)
    size = fft_size(u.shape[-1])
    return np.asarray(scipy.fft.irfft(scipy.fft.rfft(u, size) * np.conj(lattice.spectrum(s, size)), size)[..., :came])
