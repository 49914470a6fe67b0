"""What tickets meet where demand or staff changes within the handle time: M(t)/M/s(t)+M, interval by interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value
from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero, number, patience, whole
from staffcast.erlang.overtime.chain import FINE, at_rest, gamma_nodes
from staffcast.erlang.overtime.checks import per_interval, rates_per_second
from staffcast.erlang.overtime.score import Course, Setting, figures, follow

__all__ = ["TransientPerformance", "setting_of", "transient_performance"]

_PER_SQUARE, _MOST_NODES = 40.0, 64
_FOREVER_S = 1e15  # who waits thirty million years does not give up, to the last digit


@dataclass(frozen=True, kw_only=True, eq=False)
class TransientPerformance:
    """What :func:`transient_performance` found; every field is a float array with one value per interval.

    Attributes
    ----------
    offered : array
        Expected tickets that arrive in the interval.
    service_level : array
        Share of the tickets *arriving in the interval* whose first response time (FRT = wait + first_reply_s) is at
        most ``target_s``; who gives up has missed it. 1 where nothing comes.
    p_wait : array
        Share of them that wait at all.
    abandoned : array
        Share of them that is never answered: gives up, or without patience waits beyond a plan that ends closed.
    asa_s : array
        Mean wait of those who are answered. [s]
    wait_s : array
        Mean wait of all who arrive, to the answer or until they give up. [s]
    frt_mean_s : array
        Mean first response time of those who are answered. [s]
    all_busy : array
        Share of the time in which nobody is free.
    occupancy : array
        Handling ÷ (handling + idle); 0 without agents.
    mean_queue, in_system : array
        Mean number waiting, and waiting or in service, over the time.
    """

    offered: FloatArray
    service_level: FloatArray
    p_wait: FloatArray
    abandoned: FloatArray
    asa_s: FloatArray
    wait_s: FloatArray
    frt_mean_s: FloatArray
    all_busy: FloatArray
    occupancy: FloatArray
    mean_queue: FloatArray
    in_system: FloatArray


def transient_performance(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    agents: npt.ArrayLike,
    interval_s: float,
    target_s: float = 60.0,
    patience_s: float | None = None,
    first_reply_s: float = 0.0,
    rate_cv: float = 0.0,
    day: npt.ArrayLike | None = None,
    start: float = 0.0,
) -> TransientPerformance:
    """What tickets meet while the queue carries over from interval to interval.

    Parameters
    ----------
    arrivals_per_hour : array of shape (intervals,) or (intervals, pieces)
        Tickets offered per hour, ≥ 0, constant over an interval or over each of its equal pieces.
    aht_s : float or array of shape (intervals,)
        Mean handle time, > 0, exponential; those of an interval finish at its pace. [s]
    agents : int or array of shape (intervals,)
        Whole number of agents answering, ≥ 0; 0 where the desk is closed.
    interval_s : float
        Length of an interval, > 0. [s]
    target_s : float
        First response time that ``service_level`` counts against, ≥ 0. [s]
    patience_s : float, optional
        Mean patience, > 0, exponential; without it, or inf, nobody gives up. [s]
    first_reply_s : float
        What the agent needs for the first reply once the ticket is opened, ≥ 0; part of the FRT. [s]
    rate_cv : float
        Relative standard deviation of a gamma factor with mean 1 by which all rates of a day are multiplied, ≥ 0.
        Shares and waits are then over tickets, of which a busy day has more.
    day : array of int of shape (intervals,), optional
        Which day an interval belongs to: the factor is drawn anew where it changes. By default one day.
    start : float
        Offered load before the first interval, ≥ 0: as many are then being served, Poisson distributed. [erlang]

    Returns
    -------
    TransientPerformance
        Arrays of shape (intervals,).

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    Notes
    -----
    Agents who leave give their tickets back to the head of the queue; an agent who comes takes one at once. A queue
    that is left when the desk closes is carried to the next opening, or gives up in the meantime if there is patience.
    After the last interval its staff stays.

    The distribution of the number in system follows the Kolmogorov forward equations, to 1e-9. Shares of tickets are
    within 1e-6 and mean waits within 0.05 % of what three times as many moments of arrival give, also where the staff
    jumps (measured at 5 to 900 erlang). A tagged ticket's wait is followed into the next intervals with
    their staff. The gamma factor is represented by 8 to 64 Gauss–Laguerre nodes,
    the more the larger the load: shares are within 1e-5 of ever more nodes for ``rate_cv`` 0.1 and 100 erlang, and
    within 1e-2 up to 0.5.

    References
    ----------
    .. [1] L. V. Green, P. J. Kolesar, W. Whitt, "Coping with time-varying demand when setting staffing requirements for
       a service system", Production and Operations Management 16(1), 2007, pp. 13–39,
       doi:10.1111/j.1937-5956.2007.tb00164.x.

    Examples
    --------
    >>> found = transient_performance(
    ...     arrivals_per_hour=[20, 60, 20], aht_s=2700, agents=[18, 40, 25], interval_s=3600, target_s=600, start=15
    ... )
    >>> found.service_level.round(2), found.mean_queue.round(1)
    (array([0.92, 0.97, 0.45]), array([0.8, 0.4, 7.5]))
    """
    setting = setting_of(
        arrivals_per_hour=arrivals_per_hour, aht_s=aht_s, interval_s=interval_s, target_s=target_s,
        patience_s=patience_s, first_reply_s=first_reply_s, rate_cv=rate_cv, day=day,
    )  # fmt: skip
    people = per_interval("agents", whole("agents", agents), len(setting.rates))
    load = number("start", at_least_zero("start", start, " erlang"))
    course = Course(setting, FINE, whole=True)
    staff = people.astype(np.int64).tolist()
    found = figures(course, staff, follow(course, staff, at_rest(load, len(setting.weight))))
    return TransientPerformance(
        offered=setting.rates.mean(axis=1) * setting.interval_s, frt_mean_s=found["asa_s"] + first_reply_s, **found
    )


def setting_of(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    interval_s: float,
    target_s: float,
    patience_s: float | None,
    first_reply_s: float,
    rate_cv: float,
    day: npt.ArrayLike | None,
) -> Setting:
    """The checked arguments of :func:`transient_performance` as the equations want them."""
    rates = rates_per_second(arrivals_per_hour)
    count = len(rates)
    aht = per_interval("aht_s", above_zero("aht_s", aht_s, " s"), count)
    length = number("interval_s", above_zero("interval_s", interval_s, " s"))
    limit = number("target_s", at_least_zero("target_s", target_s, " s"))
    reply = number("first_reply_s", at_least_zero("first_reply_s", first_reply_s, " s"))
    theta = 0.0 if patience_s is None else _gives_up(number("patience_s", patience("patience_s", patience_s)))
    cv = number("rate_cv", at_least_zero("rate_cv", rate_cv))
    days = np.zeros(count) if day is None else per_interval("day", at_least_zero("day", day), count)
    factors, weight = gamma_nodes(cv if cv > 1e-6 else 0.0, _nodes(cv, float((rates.max(axis=1) * aht).max())))
    return Setting(
        rates=rates, finish=1 / aht, interval_s=length, theta=theta, within=limit - reply, factors=factors,
        weight=weight, new_day=[False, *(np.diff(days) != 0).tolist()],
    )  # fmt: skip


def _gives_up(patience_s: float) -> float:
    """Rate at which a waiting customer gives up, per second."""
    if patience_s == 0:
        raise bad_value("patience_s", patience_s, "above 0 s where the queue is followed over time", "say 1 s")
    return 0.0 if patience_s > _FOREVER_S else 1 / patience_s


def _nodes(cv: float, load: float) -> int:
    # The larger the load, the more sudden the change from idle to overloaded, and the closer the nodes must lie.
    return int(np.clip(max(8 + 80 * (cv - 0.1), _PER_SQUARE * cv * cv * load), 8, _MOST_NODES))
