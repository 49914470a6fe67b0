"""What would bring an interval into the band with its first response time (FRT) kept, and how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from staffcast.contracts import Band, Target, bad_value
from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero, patience, together, whole
from staffcast.erlang.reverse import capacity_per_hour
from staffcast.erlang.solve import Staffing, required_agents

__all__ = ["Advice", "advise"]

_TIE = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Advice:
    """Levers per interval; arrays of the broadcast shape. A lever that is not needed or does nothing has size 0.

    Attributes
    ----------
    staffing : Staffing
        What the interval needs as it is.
    in_reach : array of bool
        Whether the occupancy is within the band with the target met, or nobody is needed.
    deferrable_minutes_per_hour : array
        Minutes of work per hour that can be put aside at once when a ticket comes (email, follow-ups), for the whole
        crew, that bring its occupancy to the band's bottom while FRT stays as it is.
    deflection : array
        Smallest share of the tickets that a bot would have to close for one agent fewer to do.
    deflected_occupancy : array
        Occupancy after that.
    concurrency_agents : array of int64
        Agents needed with one more conversation per agent.
    concurrency_occupancy : array
        Occupancy of their slots then.
    pool_with : array of str
        The queue to share a crew with that saves the most agents; empty where none saves any.
    pool_saves : array of int64
        Agents that the two need fewer together than apart.
    pool_occupancy : array
        Occupancy of the common crew.
    """

    staffing: Staffing
    in_reach: npt.NDArray[np.bool_]
    deferrable_minutes_per_hour: FloatArray
    deflection: FloatArray
    deflected_occupancy: FloatArray
    concurrency_agents: npt.NDArray[np.int64]
    concurrency_occupancy: FloatArray
    pool_with: npt.NDArray[np.str_]
    pool_saves: npt.NDArray[np.int64]
    pool_occupancy: FloatArray

    def sentences(self) -> npt.NDArray[np.object_]:
        """The levers of each interval in words; empty where it is in reach."""
        out = np.full(self.in_reach.shape, "", dtype=object)
        for at in np.ndindex(*self.in_reach.shape):
            if self.in_reach[at]:
                continue
            agents = int(self.staffing.agents[at])
            parts = []
            if self.pool_saves[at] > 0:
                parts.append(
                    f"pool with {self.pool_with[at]} (saves {_people(self.pool_saves[at])}, "
                    f"occupancy {100 * self.pool_occupancy[at]:.0f} %)"
                )
            if self.concurrency_agents[at] < agents:
                parts.append(
                    f"one more conversation per agent ({_people(self.concurrency_agents[at])} instead of {agents})"
                )
            if self.deferrable_minutes_per_hour[at] > 0:
                parts.append(f"{self.deferrable_minutes_per_hour[at]:.0f} min of deferrable work per hour")
            if self.deflection[at] > 0:
                parts.append(f"a bot that closes {100 * self.deflection[at]:.0f} % (one agent fewer)")
            out[at] = "; ".join(parts)
        return out


def advise(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    target: Target,
    band: Band | None = None,
    patience_s: npt.ArrayLike | None = None,
    concurrency: int = 1,
    aht_by_concurrency_s: npt.ArrayLike | None = None,
    aht_one_more_s: npt.ArrayLike | None = None,
    first_reply_s: npt.ArrayLike = 0.0,
    minimum: npt.ArrayLike = 0,
    rate_cv: npt.ArrayLike = 0.0,
    others: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]] | None = None,
) -> Advice:
    """Levers for the intervals that cannot be in the band with the target met, with the size each would need.

    Parameters
    ----------
    arrivals_per_hour, aht_s, target, patience_s, concurrency, aht_by_concurrency_s, first_reply_s, minimum, rate_cv
        As in :func:`staffcast.erlang.required_agents`.
    band : Band, optional
        Occupancy aimed for; left out: 85–90 %.
    aht_one_more_s : float or array, optional
        Mean time that a conversation takes with one more in hand than ``concurrency``. Left out: as with
        ``concurrency`` of them, which makes ``concurrency_agents`` the fewest that it could bring. [s]
    others : mapping of queue to (arrivals per hour, AHT in seconds), optional
        Queues to share a crew with, held to the same target; busy independently of this one.

    Returns
    -------
    Advice
        Arrays of the broadcast shape.

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    Examples
    --------
    >>> found = advise(
    ...     arrivals_per_hour=[30, 600], aht_s=360, target=Target.parse("80% in 60s"), others={"billing": (30, 360)}
    ... )
    >>> found.in_reach, found.deferrable_minutes_per_hour.round()
    (array([False,  True]), array([75.,  0.]))
    >>> print(found.sentences()[0])  # doctest: +NORMALIZE_WHITESPACE
    pool with billing (saves 1 agent, occupancy 67 %); one more conversation per agent (3 agents instead of 5);
    75 min of deferrable work per hour; a bot that closes 22 % (one agent fewer)
    """
    band = Band() if band is None else Band.parse(band)
    target = Target.parse(target)
    partners = {name: _partner(name, each) for name, each in (others or {}).items()}
    every: dict[str, FloatArray] = {
        "arrivals_per_hour": at_least_zero("arrivals_per_hour", arrivals_per_hour, " per hour"),
        "aht_s": above_zero("aht_s", aht_s, " s"),
        "first_reply_s": at_least_zero("first_reply_s", first_reply_s, " s"),
        "rate_cv": at_least_zero("rate_cv", rate_cv),
        "minimum": whole("minimum", minimum),
        "patience_s": patience("patience_s", np.inf if patience_s is None else patience_s),
    }
    if aht_by_concurrency_s is not None:
        levels = np.atleast_1d(above_zero("aht_by_concurrency_s", aht_by_concurrency_s, " s"))
        every["aht_by_concurrency_s"] = np.asarray(levels[..., 0])
    if aht_one_more_s is not None:
        every["aht_one_more_s"] = above_zero("aht_one_more_s", aht_one_more_s, " s")
    for name, each in partners.items():
        every |= {f"others[{name!r}] arrivals per hour": each[0], f"others[{name!r}] AHT": each[1]}
    # All of one shape from here on, so that no lever is left without a place for its size.
    rate, aht, reply, cv = together(**every)[:4]
    common: dict[str, Any] = {"target": target, "first_reply_s": reply, "rate_cv": cv, "patience_s": patience_s}
    staffing = required_agents(
        arrivals_per_hour=rate, aht_s=aht, band=band, concurrency=concurrency,
        aht_by_concurrency_s=aht_by_concurrency_s, minimum=minimum, **common,
    )  # fmt: skip
    agents, occupancy = np.asarray(staffing.agents, dtype=np.float64), np.asarray(staffing.occupancy)
    in_reach = np.asarray((staffing.band_gap <= _TIE) | (rate <= 0) | (agents == 0))
    minutes = np.where(in_reach, 0.0, np.maximum(band.bottom - occupancy, 0.0) * agents * 60)

    deflection, after = np.zeros(rate.shape), np.zeros(rate.shape)
    out = ~in_reach & (agents > 1)
    if out.any():
        carried = capacity_per_hour(
            agents=np.maximum(agents - 1, 0), aht_s=aht, band=band, concurrency=concurrency,
            aht_by_concurrency_s=aht_by_concurrency_s, **common,
        )  # fmt: skip
        deflection = np.where(
            out & (carried < rate), 1 - np.divide(carried, rate, out=np.ones_like(rate), where=rate > 0), 0.0
        )
        saved = np.where(agents > 1, occupancy * agents * (1 - deflection) / np.maximum(agents - 1, 1), 0.0)
        after = np.where(deflection > 0, np.minimum(saved, 1.0), 0.0)

    more = required_agents(
        arrivals_per_hour=rate, aht_s=aht, band=band, concurrency=concurrency + 1,
        aht_by_concurrency_s=_one_more(aht, concurrency, aht_by_concurrency_s, aht_one_more_s), minimum=minimum,
        **common,
    )  # fmt: skip
    names, saves, together_busy = _pooled(rate, aht, staffing, partners, common, band)
    return Advice(
        staffing=staffing, in_reach=in_reach, deferrable_minutes_per_hour=minutes,
        deflection=deflection, deflected_occupancy=after,
        concurrency_agents=np.asarray(np.where(in_reach, staffing.agents, more.agents), dtype=np.int64),
        concurrency_occupancy=np.where(in_reach, occupancy, more.occupancy),
        pool_with=np.where(in_reach, "", names), pool_saves=np.where(in_reach, 0, saves),
        pool_occupancy=np.where(in_reach, 0.0, together_busy),
    )  # fmt: skip


def _partner(name: str, given: object) -> tuple[FloatArray, FloatArray]:
    """Rate and handle time of a queue to share a crew with."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise bad_value(f"others[{name!r}]", given, "arrivals per hour and AHT in seconds", "write (30, 360)")
    return (
        at_least_zero(f"others[{name!r}] arrivals per hour", given[0]),
        above_zero(f"others[{name!r}] AHT", given[1], " s"),
    )


def _one_more(
    aht: FloatArray, concurrency: int, levels: npt.ArrayLike | None, one_more: npt.ArrayLike | None
) -> FloatArray:
    """Handle times by conversations in hand, with one more of them."""
    if levels is None:
        known = np.repeat(aht[..., None], concurrency, axis=-1)
    else:
        given = np.asarray(levels, dtype=np.float64)
        known = np.broadcast_to(given, (*aht.shape, given.shape[-1]))
    last = (
        known[..., -1] if one_more is None else np.broadcast_to(above_zero("aht_one_more_s", one_more, " s"), aht.shape)
    )
    return np.concatenate([known, last[..., None]], axis=-1)


def _pooled(
    rate: FloatArray,
    aht: FloatArray,
    staffing: Staffing,
    others: Mapping[str, tuple[FloatArray, FloatArray]],
    common: Mapping[str, Any],
    band: Band,
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64], FloatArray]:
    """The best partner, the agents saved, and the occupancy of the common crew."""
    width = max((len(name) for name in others), default=1)
    names = np.full(rate.shape, "", dtype=f"<U{width}")
    saves, busy = np.zeros(rate.shape, dtype=np.int64), np.zeros(rate.shape)
    for name, pair in others.items():
        extra, handle = (np.broadcast_to(each, rate.shape) for each in pair)
        both = np.asarray(rate + extra)
        mean = np.divide(rate * aht + extra * handle, both, out=aht.copy(), where=both > 0)
        # Independent queues: variances of the rates add.
        cv = np.asarray(common["rate_cv"], dtype=np.float64)
        spread = np.divide(cv * np.hypot(rate, extra), both, out=np.zeros_like(both), where=both > 0)
        crew = {**common, "rate_cv": spread}
        apart = required_agents(arrivals_per_hour=extra, aht_s=handle, band=band, **common)
        joint = required_agents(arrivals_per_hour=both, aht_s=mean, band=band, **crew)
        saved = np.asarray(staffing.agents + apart.agents - joint.agents, dtype=np.int64)
        better = np.asarray(saved > saves)
        names[better], saves[better], busy[better] = name, saved[better], np.asarray(joint.occupancy)[better]
    return names, saves, busy


def _people(count: Any) -> str:
    return f"{count} agent" if count == 1 else f"{count} agents"
