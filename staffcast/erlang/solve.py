"""How many agents an interval needs: the smallest number that meets every rule, and which rule set it."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Band, InputError, Target, bad_value
from staffcast.erlang._checks import FloatArray, whole
from staffcast.erlang.models.choice import Model
from staffcast.erlang.models.queues import Queue
from staffcast.erlang.models.system import System
from staffcast.erlang.performance import Performance, performance_of
from staffcast.erlang.search import Gap, IntArray, crossing, smallest
from staffcast.erlang.start import likely_agents

__all__ = ["Staffing", "check_reply", "occupancy_gap", "required_agents", "target_gap"]

# Ties count as met: 9 erlang at 90 % is 10 agents, and 0.1 * 3 erlang is no more than 0.3.
_TIE = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Staffing:
    """What :func:`required_agents` found; every figure is an array of the broadcast shape of its arguments.

    Attributes
    ----------
    agents : array of int64
        The smallest number that meets every rule; with ``fractional``, float64 and the smallest real number.
    binding : array of str
        The rule that set it: ``frt``, ``occupancy``, ``minimum``, or ``none`` where nothing comes and nobody is
        needed. When several ask for the same number it is the first of them.
    frt_agents, occupancy_agents : array
        What the target alone and the band's top alone would ask for (0 without demand or without a band).
    load_erl : array
        Mean offered load. [erlang]
    """

    agents: npt.NDArray[np.int64] | FloatArray
    binding: npt.NDArray[np.str_]
    frt_agents: npt.NDArray[np.int64] | FloatArray
    occupancy_agents: npt.NDArray[np.int64] | FloatArray
    load_erl: FloatArray
    asked: InitVar[tuple[System, Target, Band | None]]

    def __post_init__(self, asked: tuple[System, Target, Band | None]) -> None:
        # Not figures, so not fields: what the figures need that are found when they are asked for.
        object.__setattr__(self, "_asked", asked)

    def _of(self) -> tuple[System, Target, Band | None]:
        return cast(tuple[System, Target, Band | None], vars(self)["_asked"])

    @property
    def model(self) -> Model:
        """The model used."""
        return self._of()[0].model

    @cached_property
    def performance(self) -> Performance:
        """What tickets and agents meet with ``agents``.

        Where only whole agents have a meaning, a broken number is rounded up for it.
        """
        system, target, _ = self._of()
        agents = np.asarray(self.agents, dtype=np.float64).ravel()
        if system.whole_agents:
            agents = np.ceil(agents)
        return performance_of(system, agents, np.full(agents.shape, target.seconds))

    @property
    def service_level(self) -> FloatArray:
        """Share of the offered tickets whose first response time (FRT) is within the target's seconds."""
        return self.performance.service_level

    @property
    def occupancy(self) -> FloatArray:
        """Handling ÷ (handling + idle)."""
        return self.performance.occupancy

    @property
    def frt_mean_s(self) -> FloatArray:
        """Mean first response time of the answered, in seconds."""
        return self.performance.frt_mean_s

    @cached_property
    def frt_p50_s(self) -> FloatArray:
        """Median first response time of the answered, in seconds."""
        return self.performance.frt_quantile_s(0.50)

    @cached_property
    def frt_p90_s(self) -> FloatArray:
        """90th percentile of the first response time of the answered, in seconds."""
        return self.performance.frt_quantile_s(0.90)

    @cached_property
    def frt_p95_s(self) -> FloatArray:
        """95th percentile of the first response time of the answered, in seconds."""
        return self.performance.frt_quantile_s(0.95)

    @cached_property
    def frt_p99_s(self) -> FloatArray:
        """99th percentile of the first response time of the answered, in seconds."""
        return self.performance.frt_quantile_s(0.99)

    @cached_property
    def band_gap(self) -> FloatArray:
        """How far the occupancy lies below the band's bottom, as a share; 0 inside, without band or agents."""
        gap = np.zeros(self.load_erl.shape)
        band = self._of()[2]
        if band is not None:
            gap = np.asarray(np.maximum(band.bottom - self.occupancy, 0.0))
        gap[(gap < _TIE) | (self.agents == 0)] = 0.0
        return gap

    @cached_property
    def one_fewer(self) -> FloatArray:
        """The figure that decided, with one agent fewer.

        Bound by ``frt``: the service level (share target), the mean FRT in seconds (mean target) or that percentile of
        FRT in seconds (percentile target). Bound by ``occupancy``: the occupancy. NaN for ``minimum`` and ``none``.
        """
        result = np.full(self.load_erl.size, np.nan)
        fewer = np.maximum(np.ceil(np.asarray(self.agents, dtype=np.float64).ravel()) - 1, 0.0)
        every, target, _ = self._of()
        binding = self.binding.ravel()
        for rule in ("frt", "occupancy"):
            at = np.flatnonzero(binding == rule)
            if not at.size:
                continue
            system = every.take(at)
            station = system.station(fewer[at])
            if rule == "occupancy":
                result[at] = station.occupancy
            elif target.kind == "share":
                result[at] = 1 - station.queue.missed(target.seconds - system.reply)
            elif target.kind == "mean":
                result[at] = station.queue.asa() + system.reply
            else:
                result[at] = station.queue.wait_quantile(np.full(at.size, target.level)) + system.reply
        return result.reshape(self.load_erl.shape)


def required_agents(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    target: Target,
    band: Band | None = None,
    patience_s: npt.ArrayLike | None = None,
    redial: npt.ArrayLike = 0.0,
    concurrency: int = 1,
    aht_by_concurrency_s: npt.ArrayLike | None = None,
    capacity: npt.ArrayLike | None = None,
    model: str | None = None,
    first_reply_s: npt.ArrayLike = 0.0,
    minimum: npt.ArrayLike = 0,
    rate_cv: npt.ArrayLike = 0.0,
    fractional: bool = False,
) -> Staffing:
    """Smallest number of agents that meets the FRT target, the band's top and the minimum.

    Parameters
    ----------
    arrivals_per_hour, aht_s, patience_s, redial, concurrency, aht_by_concurrency_s, capacity, model, first_reply_s
        As in :func:`staffcast.erlang.performance`.
    target : Target
        What first response time must reach. A share is over all offered tickets, so who gives up or is turned away is
        a miss; a mean and a percentile are over the answered, as only they have a first response.
    band : Band, optional
        Occupancy may not exceed its top. Its bottom asks for nobody: it only gives ``band_gap``.
    minimum : int or array
        Fewest agents, ≥ 0, also where nothing comes; give 0 where the queue is closed.
    rate_cv : float or array
        Relative standard deviation of the rate itself, ≥ 0, as in :func:`staffcast.erlang.performance`. Where nobody
        gives up, a mean target is met over the 99.9 % of the tickets with the lower rates, so it asks for stability at
        all of those and for many more agents than a share or a percentile.
    fractional : bool
        Give the smallest real number of agents, so that sums over queues and intervals do not stack up the parts by
        which whole people exceed it. With a capacity or chats, where only whole agents have a meaning, it lies between
        two of them as the logarithm of the figure does.

    Returns
    -------
    Staffing
        Arrays of the broadcast shape; shape () for numbers. The agents are not yet grossed up for shrinkage.

    Raises
    ------
    InputError
        An argument outside its range, shapes that do not fit, a ``first_reply_s`` that leaves no time to wait, or a
        capacity with which no number of agents meets the target.

    Notes
    -----
    A rule that is met exactly is met, to a relative tolerance of 1e-12. Without demand the target and the band ask
    for nobody.

    Examples
    --------
    >>> found = required_agents(
    ...     arrivals_per_hour=[0, 30, 90, 900], aht_s=360, target=Target.parse("80% in 60s"), band=Band.parse("85%-90%")
    ... )
    >>> found.agents, found.binding
    (array([  0,   5,  12, 100]), array(['none', 'frt', 'frt', 'occupancy'], dtype='<U9'))
    >>> found.one_fewer.round(2), found.band_gap.round(2)
    (array([ nan, 0.57, 0.69, 0.91]), array([0.  , 0.25, 0.1 , 0.  ]))
    """
    target = Target.parse(target)
    band = None if band is None else Band.parse(band)
    system, (least,) = System.of(
        arrivals_per_hour=arrivals_per_hour, aht_s=aht_s, patience_s=patience_s, redial=redial,
        concurrency=concurrency, aht_by_concurrency_s=aht_by_concurrency_s, capacity=capacity, model=model,
        first_reply_s=first_reply_s, rate_cv=rate_cv, minimum=whole("minimum", minimum),
    )  # fmt: skip
    check_reply(system, target)
    shape, some = system.shape, system.rate > 0
    _check_reachable(system, target)
    start = likely_agents(system, target)
    # Where nobody leaves it takes more than the load; an uncertain rate is mostly below its mean: it may take less.
    waits = (system.theta == 0) & (system.cv == 0) & (system.places is None) & (system.model != "erlang_b")
    too_few = np.where(waits, np.floor(system.rate / system.most_per_agent), 0.0).astype(np.int64)
    seconds = np.maximum(target.seconds - system.reply, 0.0)
    slope = np.clip(seconds * system.most_per_agent, 0, 5) + 1 / np.sqrt(system.load + 1)
    by_frt = _target_rule(system, target)
    frt = smallest(by_frt, some, too_few, start, slope)
    occupancy = np.zeros_like(frt)
    exact_occupancy = occupancy.astype(np.float64)
    if band is not None:
        top = band.top

        def by_occupancy(agents: FloatArray, at: IntArray) -> FloatArray:
            return occupancy_gap(system.take(at).station(agents).occupancy, top)

        ratio = system.rate / system.most_per_agent / band.top
        known = np.ceil(ratio * (1 - _TIE)).astype(np.int64)
        simple = (system.model == "erlang_c") & (system.cv == 0)
        search = some & ~simple
        occupancy = np.where(some, known, 0)
        if search.any():
            found = smallest(by_occupancy, search, np.zeros_like(known), known, 1 / np.maximum(ratio, 1.0))
            occupancy = np.where(simple, occupancy, found)
        exact_occupancy = _real(system, by_occupancy, occupancy) if fractional else occupancy.astype(np.float64)
    exact_frt = _real(system, by_frt, frt) if fractional else frt.astype(np.float64)
    agents = np.maximum(np.maximum(exact_frt, exact_occupancy), least)
    binding = np.select(
        [agents == 0, (agents == exact_frt) & some, (agents == exact_occupancy) & some],
        ["none", "frt", "occupancy"], "minimum",
    )  # fmt: skip

    def shaped(number: FloatArray) -> npt.NDArray[np.int64] | FloatArray:
        whole_or_not = number if fractional else number.astype(np.int64)
        return whole_or_not.reshape(shape)

    return Staffing(
        agents=shaped(agents),
        binding=binding.reshape(shape),
        frt_agents=shaped(exact_frt),
        occupancy_agents=shaped(exact_occupancy),
        load_erl=system.load.reshape(shape),
        asked=(system, target, band),
    )  # fmt: skip


def check_reply(system: System, target: Target) -> None:
    """Check that the reply itself leaves time to wait.

    Raises
    ------
    InputError
        It does not.
    """
    if np.any(system.reply >= target.seconds):
        raise bad_value(
            "first_reply_s", float(system.reply[system.reply >= target.seconds][0]),
            f"below the target's {target.seconds:g} s",
            f"the reply alone uses that up and nobody may wait: allow more time than in {str(target)!r}",
        )  # fmt: skip


def _target_rule(system: System, target: Target) -> Gap:
    """The logarithm of the target's figure ÷ its limit, as a function of agents and elements."""

    def gap(agents: FloatArray, at: IntArray) -> FloatArray:
        part = system.take(at)
        return target_gap(part, part.station(agents).queue, target)

    return gap


def target_gap(system: System, queue: Queue, target: Target) -> FloatArray:
    """Logarithm of what the target limits ÷ the limit; at most 0 where the target is met, ties included."""
    within = target.seconds - system.reply
    if target.kind == "share":
        return _log_ratio(queue.missed(within), 1 - target.level)
    if target.kind == "mean":
        return _log_ratio(queue.asa() + system.reply, target.seconds)
    late = queue.answered_late(within)
    # The quantile is at most T when at least that share of the answered is within T.
    return _log_ratio(late, (1 - target.level) * (late + (1 - queue.missed(within))))


def _log_ratio(figure: FloatArray, limit: FloatArray | float) -> FloatArray:
    limit = np.asarray(limit) * (1 + _TIE)
    with np.errstate(divide="ignore"):
        gap = np.log(figure) - np.log(limit)
    # Nothing answered at all: whatever the limit, it is not met.
    gap = np.where((limit <= 0) | np.isnan(gap), np.inf, gap)
    return np.asarray(np.where(figure <= limit, np.minimum(gap, 0.0), np.maximum(gap, 1e-300)))


def occupancy_gap(occupancy: FloatArray, top: float) -> FloatArray:
    """Logarithm of the occupancy ÷ the band's top; at most 0 where it is kept, ties included."""
    return _log_ratio(occupancy, top)


def _real(system: System, gap: Gap, found: IntArray) -> FloatArray:
    """The real number up to ``found`` at which the rule is just met."""
    result = found.astype(np.float64)
    at = np.flatnonzero(found > 0).astype(np.int64)
    if not at.size:
        return result
    high = result[at]
    if system.whole_agents:
        worse, better = gap(high - 1, at), gap(high, at)
        usable = np.isfinite(worse) & np.isfinite(better) & (worse > better)
        result[at] = high - np.divide(-better, worse - better, out=np.zeros_like(high), where=usable)
        return result
    result[at] = crossing(lambda agents, sub: gap(agents, at[sub]), high - 1, high)
    return result


def _check_reachable(system: System, target: Target) -> None:
    """Say so where even an agent for every place turns too many away."""
    if system.places is None or target.kind != "share" or system.levels is not None:
        return
    some = np.flatnonzero(system.rate > 0).astype(np.int64)
    part = system.take(some)
    if part.places is None or not some.size:
        return
    missed = part.station(part.places).queue.missed(target.seconds - part.reply)
    never = missed > (1 - target.level) * (1 + _TIE)
    if never.any():
        places, turned = float(part.places[never][0]), float(missed[never][0])
        raise InputError(
            f"`capacity` of {places:g} turns away {100 * turned:.1f} % however many agents there are, so "
            f"{str(target)!r} cannot be met; raise it, or ask for a smaller share"
        )
