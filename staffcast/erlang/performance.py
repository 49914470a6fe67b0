"""What tickets and agents meet with a given number of agents: first response time, wait, occupancy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero, share, together
from staffcast.erlang.measures import Queue, occupied

__all__ = ["Performance", "performance"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Performance:
    """What :func:`performance` found; every field is a float array of the broadcast shape of its arguments.

    Attributes
    ----------
    arrivals_per_hour, aht_s, agents, target_s, first_reply_s, rate_cv : array
        The arguments.
    load_erl : array
        Mean offered load. [erlang]
    p_wait : array
        Share of the tickets that wait at all.
    service_level : array
        Share of the offered tickets whose first response time (FRT = wait + first_reply_s) is at most ``target_s``.
    miss_prob : array
        1 − service_level, to full relative precision.
    asa_s : array
        Average speed of answer: mean wait over all tickets, those who need not wait included. [s]
    frt_mean_s : array
        Mean first response time. [s]
    occupancy : array
        Handling ÷ (handling + idle).
    mean_queue : array
        Mean number of tickets waiting for an agent.
    """

    arrivals_per_hour: FloatArray
    aht_s: FloatArray
    agents: FloatArray
    target_s: FloatArray
    first_reply_s: FloatArray
    rate_cv: FloatArray
    load_erl: FloatArray
    p_wait: FloatArray
    service_level: FloatArray
    miss_prob: FloatArray
    asa_s: FloatArray
    frt_mean_s: FloatArray
    occupancy: FloatArray
    mean_queue: FloatArray

    def wait_quantile_s(self, q: npt.ArrayLike) -> FloatArray:
        """Shortest time within which a share ``q`` of the tickets gets an agent.

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
        level, load, agents, aht, cv = together(
            q=share("q", q), load_erl=self.load_erl, agents=self.agents, aht_s=self.aht_s, rate_cv=self.rate_cv
        )
        queue = Queue(*(each.ravel() for each in (load, agents, aht, cv)))
        return queue.wait_quantile(level.ravel()).reshape(level.shape)

    def frt_quantile_s(self, q: npt.ArrayLike) -> FloatArray:
        """Shortest first response time that a share ``q`` of the tickets does not exceed.

        Parameters, returns and errors as for :meth:`wait_quantile_s`.
        """
        return np.asarray(self.wait_quantile_s(q) + self.first_reply_s)


def performance(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    agents: npt.ArrayLike,
    target_s: npt.ArrayLike = 60.0,
    first_reply_s: npt.ArrayLike = 0.0,
    rate_cv: npt.ArrayLike = 0.0,
) -> Performance:
    """What tickets and agents meet in M/M/c, with a known or an uncertain rate.

    Parameters
    ----------
    arrivals_per_hour : float or array
        Mean tickets offered per hour, ≥ 0.
    aht_s : float or array
        Mean handle time, > 0. [s]
    agents : float or array
        Agents answering, shrinkage already taken off, ≥ 0; real numbers allowed.
    target_s : float or array
        First response time that ``service_level`` counts against, ≥ 0. [s]
    first_reply_s : float or array
        What the agent needs for the first reply once the ticket is opened, ≥ 0; part of the FRT, not of the wait. [s]
    rate_cv : float or array
        Relative standard deviation of the rate itself, ≥ 0. Above 0 the rate is gamma distributed with mean
        ``arrivals_per_hour`` and all figures are averages over it, shares and waits over tickets (a busy hour has
        more of them), occupancy and queue over time. Shares are then within 1e-4 of brute force. Means of wait, FRT
        and queue leave out the 0.1 % of the tickets with the highest rates, and are inf where a rate below that
        overloads the queue: over *all* rates they would be infinite whatever the agents.

    Returns
    -------
    Performance
        Arrays of the broadcast shape; shape () for numbers.

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    Notes
    -----
    Overload (load ≥ agents): ``p_wait`` 1, ``service_level`` 0, waits inf, ``occupancy`` 1; nobody gives up.
    No demand: ``p_wait`` 0, ``service_level`` 1, waits 0, ``occupancy`` 0, with agents or without.
    A ``first_reply_s`` above ``target_s`` misses always.

    References
    ----------
    .. [1] D. Gross, J. F. Shortle, J. M. Thompson, C. M. Harris, "Fundamentals of Queueing Theory", 4th ed., 2008,
       section 2.3, doi:10.1002/9781118625651.
    .. [2] J. D. C. Little, "A proof for the queuing formula L = λW", Operations Research 9(3), 1961, pp. 383–387,
       doi:10.1287/opre.9.3.383; gives ``mean_queue``.
    .. [3] G. Jongbloed, G. Koole, "Managing uncertainty in call centres using Poisson mixtures", Applied Stochastic
       Models in Business and Industry 17(4), 2001, pp. 307–318, doi:10.1002/asmb.444; the gamma rate.

    Examples
    --------
    >>> found = performance(arrivals_per_hour=720, aht_s=240, agents=[50, 55], target_s=15)
    >>> found.service_level.round(3), found.occupancy.round(3)
    (array([0.387, 0.846]), array([0.96 , 0.873]))
    """
    rate, aht, people, target, reply, cv = together(
        arrivals_per_hour=at_least_zero(
            "arrivals_per_hour", arrivals_per_hour, " per hour", "give 0 where nothing comes"
        ),
        aht_s=above_zero("aht_s", aht_s, " s"),
        agents=at_least_zero("agents", agents),
        target_s=at_least_zero("target_s", target_s, " s"),
        first_reply_s=at_least_zero("first_reply_s", first_reply_s, " s"),
        rate_cv=at_least_zero("rate_cv", rate_cv),
    )
    shape = rate.shape
    load, flat_aht, flat_people, flat_cv = (each.ravel() for each in (rate * aht / 3600, aht, people, cv))
    queue = Queue(load, flat_people, flat_aht, flat_cv)
    miss = queue.miss_probability((target - reply).ravel())
    asa = queue.average_wait().reshape(shape)
    return Performance(
        arrivals_per_hour=rate, aht_s=aht, agents=people, target_s=target, first_reply_s=reply, rate_cv=cv,
        load_erl=load.reshape(shape),
        p_wait=queue.wait_probability().reshape(shape),
        service_level=(1 - miss).reshape(shape),
        miss_prob=miss.reshape(shape),
        asa_s=asa,
        frt_mean_s=np.asarray(asa + reply),
        occupancy=occupied(load, flat_people, flat_cv).reshape(shape),
        mean_queue=np.asarray(rate * asa / 3600),
    )  # fmt: skip
