"""What tickets and agents meet with a given number of agents: first response time, wait, loss, occupancy."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, fields
from typing import cast

import numpy as np
import numpy.typing as npt

from staffcast.erlang._checks import FloatArray, at_least_zero, share, together
from staffcast.erlang.models.choice import Model
from staffcast.erlang.models.queues import Queue
from staffcast.erlang.models.system import Station, System

__all__ = ["Performance", "performance", "performance_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Performance:
    """What :func:`performance` found; every figure is a float array of the broadcast shape of its arguments.

    Offered are all tickets that arrive, with redials every attempt. FRT is the first response time: wait +
    ``first_reply_s``. T is ``target_s``.

    Attributes
    ----------
    arrivals_per_hour, aht_s, agents, target_s, first_reply_s, rate_cv : array
        The arguments.
    load_erl : array
        Arrivals times ``aht_s``, redials not included. [erlang]
    p_wait : array
        Share of the offered that are let in and wait at all.
    p_all_busy : array
        Share of the offered that find every slot busy.
    p_block : array
        Share of the offered that are turned away, as the queue is full.
    service_level : array
        Share of the offered with an FRT of at most T; who gives up or is turned away is a miss.
    miss_prob : array
        1 − service_level, to full relative precision.
    service_level_answered : array
        Share of the answered with an FRT of at most T.
    service_level_virtual : array
        Share of the offered that are let in and would have an FRT of at most T if they never gave up.
    service_level_excl_short_ab : array
        Share with an FRT of at most T of all that are offered except those who gave up before T.
    asa_s : array
        Average speed of answer: mean wait of the answered, those who need not wait included. [s]
    mean_wait_s : array
        Mean time spent waiting by those let in, those who give up included. [s]
    frt_mean_s : array
        Mean first response time of the answered. [s]
    abandon_prob : array
        Share of those let in that give up; with redials, of the attempts.
    lost_prob : array
        Share of the tickets never answered: turned away or given up; with redials, of the customers, for good.
    occupancy : array
        Handling ÷ (handling + idle) of agents; with chats, busy slots ÷ slots.
    agent_busy : array
        Share of the agents with at least one ticket in hand.
    mean_queue : array
        Mean number of tickets waiting for an agent.
    effective_arrivals_per_hour : array
        Attempts per hour: ``arrivals_per_hour`` and the redials.
    """

    arrivals_per_hour: FloatArray
    aht_s: FloatArray
    agents: FloatArray
    target_s: FloatArray
    first_reply_s: FloatArray
    rate_cv: FloatArray
    load_erl: FloatArray
    p_wait: FloatArray
    p_all_busy: FloatArray
    p_block: FloatArray
    service_level: FloatArray
    miss_prob: FloatArray
    service_level_answered: FloatArray
    service_level_virtual: FloatArray
    service_level_excl_short_ab: FloatArray
    asa_s: FloatArray
    mean_wait_s: FloatArray
    frt_mean_s: FloatArray
    abandon_prob: FloatArray
    lost_prob: FloatArray
    occupancy: FloatArray
    agent_busy: FloatArray
    mean_queue: FloatArray
    effective_arrivals_per_hour: FloatArray
    system: InitVar[System]

    def __post_init__(self, system: System) -> None:
        # Not a figure, so not a field: what the quantiles need, which are found when they are asked for.
        object.__setattr__(self, "_system", system)

    @property
    def model(self) -> Model:
        """The model used."""
        return self._of().model

    def __repr__(self) -> str:
        figures = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self))
        return f"Performance(model={self.model!r}, {figures})"

    def _of(self) -> System:
        return cast(System, vars(self)["_system"])

    def wait_quantile_s(self, q: npt.ArrayLike) -> FloatArray:
        """Shortest time within which a share ``q`` of the answered tickets has got its agent.

        Parameters
        ----------
        q : float or array that broadcasts with the fields
            Share in [0, 1), 0.95 for p95.

        Returns
        -------
        array
            Seconds; inf where that share is never reached.

        Raises
        ------
        InputError
            ``q`` outside [0, 1).

        Examples
        --------
        >>> performance(arrivals_per_hour=720, aht_s=240, agents=55).wait_quantile_s([0.5, 0.95]).round(1)
        array([ 0. , 53.6])
        """
        position = np.arange(self.agents.size, dtype=np.float64).reshape(self.agents.shape)
        level, where = together(q=share("q", q), agents=position)
        at = where.ravel().astype(np.intp)
        queue = self._of().take(at).station(self.agents.ravel()[at]).queue
        return queue.wait_quantile(level.ravel()).reshape(level.shape)

    def frt_quantile_s(self, q: npt.ArrayLike) -> FloatArray:
        """Shortest first response time that a share ``q`` of the answered tickets does not exceed.

        Parameters, returns and errors as for :meth:`wait_quantile_s`.
        """
        return np.asarray(self.wait_quantile_s(q) + self.first_reply_s)


def performance(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    agents: npt.ArrayLike,
    target_s: npt.ArrayLike = 60.0,
    patience_s: npt.ArrayLike | None = None,
    redial: npt.ArrayLike = 0.0,
    concurrency: int = 1,
    aht_by_concurrency_s: npt.ArrayLike | None = None,
    capacity: npt.ArrayLike | None = None,
    model: str | None = None,
    first_reply_s: npt.ArrayLike = 0.0,
    rate_cv: npt.ArrayLike = 0.0,
) -> Performance:
    """What tickets and agents meet in the steady state of a queue, with a known or an uncertain rate.

    Arrivals are random (Poisson), handle times and patience exponential, service is in the order of arrival.

    Parameters
    ----------
    arrivals_per_hour : float or array
        Mean tickets offered per hour, ≥ 0; redials come on top.
    aht_s : float or array
        Mean handle time, > 0. [s]
    agents : float or array
        Agents answering, shrinkage already taken off, ≥ 0; real numbers allowed unless there is a capacity or chat.
    target_s : float or array
        First response time T that the service levels count against, ≥ 0. [s]
    patience_s : float or array, optional
        Mean time that a customer waits before giving up, ≥ 0; 0: gives up unless answered at once; inf or left out:
        nobody gives up. [s]
    redial : float or array
        Share in [0, 1] of those who give up that try again, soon and as new arrivals.
    concurrency : int
        Conversations that an agent holds at once, ≥ 1.
    aht_by_concurrency_s : sequence, shape (..., concurrency), optional
        Mean time that a conversation takes with 1, 2, … of them in hand, non-decreasing; it stands in place of
        ``aht_s``. Left out: ``aht_s`` however many there are. [s]
    capacity : int or array, optional
        Most tickets in the system, in hand and waiting; who comes then is turned away. Left out: no limit.
    model : str, optional
        ``erlang_b`` (who finds everybody busy is lost), ``erlang_c`` (everybody waits), ``erlang_a`` (patience),
        ``mmck`` (capacity), ``erlang_x`` (patience and redials), ``chat`` (conversations spread evenly over the
        agents) or ``chat_lls`` (a new one goes to the agent with the fewest and stays there). Left out, it follows from
        what is given: redials, else concurrency, else capacity, else patience, else ``erlang_c``.
    first_reply_s : float or array
        What the agent needs for the first reply once the ticket is opened, ≥ 0; part of the FRT, not of the wait. [s]
    rate_cv : float or array
        Relative standard deviation of the rate itself, ≥ 0. Above 0 the rate is gamma distributed with mean
        ``arrivals_per_hour`` and all figures are averages over it, shares and waits over tickets (a busy hour has
        more of them), occupancy and queue over time. Shares are then within 1e-4 of brute force. Where a rate can
        overload a queue that nobody leaves, means of wait, FRT and queue leave out the 0.1 % of the tickets with the
        highest rates, and are inf where a rate below that overloads it: over *all* rates they would be infinite
        whatever the agents.

    Returns
    -------
    Performance
        Arrays of the broadcast shape; shape () for numbers.

    Raises
    ------
    InputError
        An argument outside its range, shapes that do not fit, or a model that does not know an argument.

    Notes
    -----
    Overload (load ≥ agents) where nobody gives up or is turned away: ``p_wait`` 1, service levels 0, waits inf,
    ``occupancy`` 1. No demand: ``p_wait`` 0, service levels 1, waits 0, ``occupancy`` 0, with agents or without.
    A ``first_reply_s`` above ``target_s`` misses always. Nobody answered at all: ``asa_s`` inf.

    References
    ----------
    .. [1] D. Gross, J. F. Shortle, J. M. Thompson, C. M. Harris, "Fundamentals of Queueing Theory", 4th ed., 2008,
       sections 2.3–2.5, doi:10.1002/9781118625651; Erlang C, M/M/c/K, Erlang B.
    .. [2] A. Mandelbaum, S. Zeltyn, "Service engineering in action: the Palm/Erlang-A queue, with applications to call
       centers", in "Advances in Services Innovations", 2007, pp. 17–45, doi:10.1007/978-3-540-29860-1_2.
    .. [3] J. D. C. Little, "A proof for the queuing formula L = λW", Operations Research 9(3), 1961, pp. 383–387,
       doi:10.1287/opre.9.3.383; ties ``mean_queue`` to the mean wait.
    .. [4] G. Jongbloed, G. Koole, "Managing uncertainty in call centres using Poisson mixtures", Applied Stochastic
       Models in Business and Industry 17(4), 2001, pp. 307–318, doi:10.1002/asmb.444; the gamma rate.
    .. [5] G. Koole, "Call Center Optimization", 2013; redials (Erlang X) and the definitions of service level.

    Examples
    --------
    >>> found = performance(arrivals_per_hour=720, aht_s=240, agents=[50, 55], target_s=15)
    >>> found.service_level.round(3), found.occupancy.round(3)
    (array([0.387, 0.846]), array([0.96 , 0.873]))
    >>> found = performance(arrivals_per_hour=720, aht_s=240, agents=45, target_s=15, patience_s=180)
    >>> found.model, round(float(found.service_level), 3), round(float(found.abandon_prob), 3)
    ('erlang_a', 0.531, 0.098)
    """
    system, (people, target) = System.of(
        arrivals_per_hour=arrivals_per_hour, aht_s=aht_s, patience_s=patience_s, redial=redial,
        concurrency=concurrency, aht_by_concurrency_s=aht_by_concurrency_s, capacity=capacity, model=model,
        first_reply_s=first_reply_s, rate_cv=rate_cv,
        agents=agents,
        target_s=at_least_zero("target_s", target_s, " s"),
    )  # fmt: skip
    return performance_of(system, people, target)


def performance_of(system: System, agents: FloatArray, target_s: FloatArray) -> Performance:
    """As :func:`performance`, for a checked system and flat arrays."""
    station = system.station(agents)
    figures = {name: array.reshape(system.shape) for name, array in _figures(system, station, target_s).items()}
    return Performance(
        arrivals_per_hour=(system.rate * 3600).reshape(system.shape),
        aht_s=system.aht.reshape(system.shape),
        agents=agents.reshape(system.shape),
        target_s=target_s.reshape(system.shape),
        first_reply_s=system.reply.reshape(system.shape),
        rate_cv=system.cv.reshape(system.shape),
        load_erl=system.load.reshape(system.shape),
        **figures,
        system=system,
    )


def _figures(system: System, station: Station, target_s: FloatArray) -> dict[str, FloatArray]:
    queue: Queue = station.queue
    within = target_s - system.reply
    missed, block = queue.missed(within), queue.block
    in_time = 1 - missed
    let_in = 1 - block
    late, gave_up = queue.answered_late(within), queue.gave_up_before(within)
    asa = queue.asa()
    return {
        "p_wait": queue.wait_prob,
        "p_all_busy": queue.all_busy,
        "p_block": block,
        "service_level": in_time,
        "miss_prob": missed,
        # In time against in time + late: both are sums of positive terms, and no more than 1 whatever the rounding.
        "service_level_answered": _part(in_time, late),
        "service_level_virtual": np.clip(let_in - queue.virtual_tail(within), 0.0, 1.0),
        "service_level_excl_short_ab": _part(in_time, np.maximum(missed - gave_up, 0.0)),
        "asa_s": asa,
        "mean_wait_s": queue.mean_wait(),
        "frt_mean_s": asa + system.reply,
        "abandon_prob": np.clip(np.divide(queue.abandon, let_in, out=np.zeros_like(block), where=let_in > 0), 0.0, 1.0),
        "lost_prob": station.lost,
        "occupancy": station.occupancy,
        "agent_busy": station.agent_busy,
        "mean_queue": queue.mean_queue(),
        "effective_arrivals_per_hour": station.attempts * 3600,
    }


def _part(some: FloatArray, others: FloatArray) -> FloatArray:
    """Share of ``some`` in both together; 0 where there is neither but rounding."""
    both = some + others
    return np.divide(some, both, out=np.zeros_like(both), where=both > 1e-14)
