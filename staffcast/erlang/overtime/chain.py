"""The forward equations of M(t)/M/s(t)+M over one stretch of constant rates: from one distribution to the next.

The number of tickets in the system is a birth–death chain: up at the arrival rate, down at min(n, slots) ÷ aht plus
theta for every ticket that waits. Its matrix exponential is applied by one rational function of the generator, six
tridiagonal systems whatever the length of the stretch: the best approximation of exp on the negative half line [1]_ is
within 2e-12 of it everywhere. A step that moves the distribution by many of its own standard deviations strains this
approximation; that shows as negative probabilities, and such a step is halved until they are gone.

The states kept are those with mass, and they move along: what lies outside is below 1e-10.

References
----------
.. [1] L. N. Trefethen, J. A. C. Weideman, T. Schmelzer, "Talbot quadratures and rational approximations", BIT Numerical
   Mathematics 46(3), 2006, pp. 653–670, doi:10.1007/s10543-006-0077-9, section 4: best approximations of exp, their
   poles and residues from the Carathéodory–Fejér method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy
from scipy import special

from staffcast.erlang._checks import FloatArray

IntArray = npt.NDArray[np.int64]

__all__ = ["FINE", "QUICK", "Flow", "Grade", "Path", "State", "advance", "at_rest", "gamma_nodes", "mixed"]


@dataclass(frozen=True, eq=False)
class Grade:
    """How exact a step is: poles and residues in the upper half plane (their mirror images belong to them), and limits.

    ``trim``: mass that may be cut off at either end of the states when a stretch begins. ``edge``: probability of the
    outermost state above which the states kept were too few. ``negative``: sum of negative probabilities above which a
    step was too long.
    """

    poles: npt.NDArray[np.complex128]
    residues: npt.NDArray[np.complex128]
    trim: float
    edge: float
    negative: float


FINE = Grade(
    np.array([
        4.827494174587326 + 1.1939879377093998j, 4.206124927739715 + 3.5909205906680715j,
        2.9178692532263377 + 6.017345628905333j, 0.8517077579997216 + 8.503832410627936j,
        -2.2359676498900862 + 11.109295737044016j, -6.998687356007474 + 13.995916098133264j,
    ]),
    2 * np.array([
        -11.799390212514416 - 46.41166620881232j, 18.785993226846184 + 20.23729607433579j,
        -8.238262251384088 - 2.796190995627905j, 1.319412325013634 - 0.1835242067642269j,
        -0.06857151701065167 + 0.03841913873453919j, 0.0008184336485763066 - 0.0005813543348350044j,
    ]),
    trim=1e-11, edge=2e-11, negative=2e-10,
)  # fmt: skip
"""Order 12, within 2e-12 of exp: for figures."""
QUICK = Grade(
    np.array([
        3.2209452450543408 + 1.1936196054193322j, 2.2922491478210563 + 3.6007714960771353j,
        0.2694909873674965 + 6.082032592700096j, -3.4085395014618016 + 8.773034564408094j,
    ]),
    2 * np.array([
        -1.831771710632898 - 9.525608129943738j, 2.4362407329248668 + 3.7167556408605282j,
        -0.6325880537326865 - 0.4439231027001533j, 0.028129757161819525 + 0.01157738456887414j,
    ]),
    trim=1e-7, edge=2e-7, negative=1e-6,
)  # fmt: skip
"""Order 8, within 2e-8 of exp: for searches."""
_LIGHT = 1e-7  # nodes of the gamma factor with less weight are left out
_AT_ONCE = 60_000  # rows of one tridiagonal system: beyond the cache it gets slower per row


class State(NamedTuple):
    """Distribution of the number in system: ``mass[node, j]`` is the probability of ``low[node] + j`` tickets."""

    low: IntArray
    mass: FloatArray

    def summed(self, weight: FloatArray) -> tuple[int, FloatArray]:
        """The nodes added up with these weights: lowest state, and one value per state from there."""
        first = int(self.low.min())
        if len(self.mass) == 1:
            return first, weight[0] * self.mass[0]
        where = (self.low - first)[:, None] + np.arange(self.mass.shape[1])
        return first, np.asarray(np.bincount(where.ravel(), (weight[:, None] * self.mass).ravel()), dtype=np.float64)


class Flow(NamedTuple):
    """Constant rates of one stretch, per second; one arrival rate per node.

    A node that counts little need not be followed as closely: it is its mass times ``weight`` that must be kept.
    """

    arrivals: FloatArray
    slots: int
    finish: float
    theta: float
    weight: FloatArray
    grade: Grade


class Path(NamedTuple):
    """Where a stretch led: the distributions at the times asked for, and ∫ distribution dt over all of it, in parts."""

    at: list[State]
    spent: list[State]


def at_rest(load: float, nodes: int) -> State:
    """Poisson distribution with mean ``load``: nobody in the system where that is 0."""
    top = int(load + 8 * math.sqrt(load)) + 12 if load > 0 else 0
    mass = special.pdtr(np.arange(top + 1), load) if load > 0 else np.ones(1)
    mass = np.diff(mass, prepend=0.0)
    return State(np.zeros(nodes, dtype=np.int64), np.tile(mass / mass.sum(), (nodes, 1)))


def mixed(state: State, weight: FloatArray) -> State:
    """The average of the nodes, given to each of them: the factor of the new day knows nothing of the old one."""
    low, mass = state.summed(weight)
    return State(np.full(len(weight), low), np.tile(mass, (len(weight), 1)))


def gamma_nodes(cv: float, count: int) -> tuple[FloatArray, FloatArray]:
    """Gauss quadrature for a gamma variable with mean 1 and relative standard deviation ``cv``: nodes and weights.

    Generalised Laguerre nodes from the eigenvalues of the Jacobi matrix, which stays accurate for any small ``cv``.
    """
    if cv == 0:
        return np.ones(1), np.ones(1)
    order, shape = np.arange(count), cv**-2
    off = np.sqrt(order[1:] * (order[1:] + shape - 1)) / shape
    nodes, vectors = np.linalg.eigh(np.diag((2 * order + shape) / shape) + np.diag(off, 1) + np.diag(off, -1))
    weight = vectors[0] ** 2
    kept = weight > _LIGHT
    nodes, weight = np.maximum(nodes[kept], 0.0), weight[kept] / weight[kept].sum()
    return nodes / (weight @ nodes), weight


def advance(state: State, flow: Flow, times: Sequence[float]) -> Path:
    """Follow the distribution through a stretch.

    Parameters
    ----------
    state : State
        Where it begins.
    flow : Flow
        The rates.
    times : sequence of float
        Seconds after the beginning, increasing, > 0; the last is the end of the stretch.
    """
    state = _trimmed(state, flow)
    reached = _leap(state, flow, np.asarray(times, dtype=np.float64))
    if reached is not None:
        return reached
    half = times[-1] / 2
    before = [each for each in times if each < half]
    first = advance(state, flow, [*before, half])
    second = advance(first.at[-1], flow, [each - half for each in times[len(before) :] if each > half])
    again = [first.at[-1]] if half in times else []
    return Path(first.at[:-1] + again + second.at, first.spent + second.spent)


def _leap(state: State, flow: Flow, times: FloatArray) -> Path | None:
    """The stretch in one step; nothing if that strains the approximation."""
    width = state.mass.shape[1]
    comes = bool(flow.arrivals.any())
    empty = width == 1 and not state.low.any()
    if not comes and (empty or (flow.slots == 0 and flow.theta == 0)):  # nobody comes, and nobody is there or leaves
        return Path([state] * len(times), [State(state.low, state.mass * times[-1])])
    mean = state.low + state.mass @ np.arange(width)
    moved = np.ceil(_fluid(mean, flow, float(times[-1])) - mean).astype(np.int64)
    up = np.maximum(moved, 0) + 4 if comes else np.zeros_like(moved)
    down = np.maximum(-moved, 0) + 4
    while True:
        low = np.maximum(state.low - down, 0)
        room = int((state.low - low + up).max())
        at, spent = _solve(_placed(state.mass, state.low - low, width + room), low, flow, times)
        if -float((np.minimum(at, 0.0).sum(axis=2) @ flow.weight).min()) > flow.grade.negative:
            return None
        short_up = (at[..., -1] * flow.weight).max(axis=0) > flow.grade.edge
        short_down = ((at[..., 0] * flow.weight).max(axis=0) > flow.grade.edge) & (low > 0)
        if not ((comes and short_up.any()) or short_down.any()):
            break
        up, down = np.where(short_up & comes, 2 * up + 8, up), np.where(short_down, 2 * down + 8, down)
    np.maximum(at, 0.0, out=at)
    at /= at.sum(axis=2, keepdims=True)
    return Path([State(low, each) for each in at], [State(low, np.maximum(spent, 0.0))])


def _placed(mass: FloatArray, at: IntArray, width: int) -> FloatArray:
    """The rows of ``mass`` in wider ones, each beginning where ``at`` says."""
    many = np.zeros((len(mass), width))
    if len(mass) == 1:
        many[0, at[0] : at[0] + mass.shape[1]] = mass[0]
    else:
        np.put_along_axis(many, at[:, None] + np.arange(mass.shape[1]), mass, axis=1)
    return many


def _solve(mass: FloatArray, low: IntArray, flow: Flow, times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The distributions at the times, unchecked, and the integral up to the last of them."""
    nodes, width = mass.shape
    per_time = nodes * len(flow.grade.poles) * width
    if len(times) > 1 and per_time * len(times) > _AT_ONCE:
        parts = [_solve(mass, low, flow, times[k : k + 1]) for k in range(len(times))]
        return np.concatenate([each for each, _ in parts]), parts[-1][1]
    states = low[:, None] + np.arange(width, dtype=np.float64)
    waiting = np.maximum(states - flow.slots, 0.0)
    down = (states - waiting) * flow.finish + waiting * flow.theta
    down[:, 0] = 0.0  # the chain kept is closed at both ends
    up = np.repeat(flow.arrivals[:, None], width, axis=1)
    up[:, -1] = 0.0
    shape = (len(times), nodes, len(flow.grade.poles), width)
    span = times[:, None, None, None]
    diagonal = np.empty(shape, dtype=np.complex128)
    np.subtract(-flow.grade.poles[None, None, :, None], span * (up + down)[None, :, None, :], out=diagonal)
    upper, lower = np.zeros(shape, dtype=np.complex128), np.empty(shape, dtype=np.complex128)
    upper[..., :-1] = span * down[None, :, None, 1:]
    lower[...] = span * up[None, :, None, :]
    right = np.empty(shape, dtype=np.complex128)
    right[...] = mass[None, :, None, :]
    _, _, _, solved, _ = scipy.linalg.lapack.zgtsv(
        lower.ravel()[:-1], diagonal.ravel(), upper.ravel()[:-1], right.reshape(-1, 1), 1, 1, 1, 1
    )
    solved = solved.reshape(shape)
    at = np.einsum("p,tnps->tns", flow.grade.residues, solved).real
    # (exp(x) − 1) ÷ x has the same poles.
    return at, np.einsum("p,nps->ns", flow.grade.residues / flow.grade.poles, solved[-1]).real * times[-1]


def _fluid(mean: FloatArray, flow: Flow, span: float) -> FloatArray:
    """Roughly where the mean goes."""
    speed = flow.finish if flow.slots else flow.theta
    for _ in range(3):
        waiting = np.maximum(mean - flow.slots, 0.0)
        mean = mean + (flow.arrivals - (mean - waiting) * flow.finish - waiting * flow.theta) * (
            span / 3 if speed * span < 1 else -math.expm1(-speed * span / 3) / speed
        )
    return np.maximum(mean, 0.0)


def _trimmed(state: State, flow: Flow) -> State:
    """Without the states at either end that hold next to nothing, node by node."""
    width = state.mass.shape[1]
    if len(state.mass) == 1:
        bottom, top = int(np.searchsorted(np.cumsum(state.mass[0]), flow.grade.trim)), width
        top -= int(np.searchsorted(np.cumsum(state.mass[0, ::-1]), flow.grade.trim))
        mass = state.mass[:, bottom:top]
        return state if top - bottom == width else State(state.low + bottom, mass / mass.sum())
    counts = flow.weight[:, None] * state.mass
    # Of a node that itself weighs next to nothing, most is kept all the same.
    little = np.minimum(flow.grade.trim, flow.weight / 100)[:, None]
    first = (np.cumsum(counts, axis=1) < little).sum(axis=1)
    last = width - (np.cumsum(counts[:, ::-1], axis=1) < little).sum(axis=1)
    kept = int((last - first).max())
    if kept == width:
        return state
    where = np.minimum(first[:, None] + np.arange(kept), width - 1)
    mass = np.where(first[:, None] + np.arange(kept) < last[:, None], np.take_along_axis(state.mass, where, 1), 0.0)
    return State(state.low + first, mass / mass.sum(axis=1, keepdims=True))
