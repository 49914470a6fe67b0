"""The load to staff an interval to when demand changes within the handle time: SIPP and what mends it.

Stationary formulas want one load per interval. The mean of the interval (SIPP) is right where handle times are short
against it; the load lags behind the arrivals by about a handle time and has a lower peak.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value
from staffcast.erlang._checks import FloatArray, above_zero, at_least_zero, number, whole
from staffcast.erlang.models.formulas import blocking
from staffcast.erlang.overtime.checks import per_interval, rates_per_second

__all__ = ["Carried", "backlog_carryover", "carry_over", "load_over_time"]

LoadMethod = Literal["sipp", "sipp_max", "lagged", "mol", "mol_max"]


class Carried(NamedTuple):
    """What :func:`backlog_carryover` found, over (intervals, periods of an interval)."""

    load_erl: FloatArray
    backlog: FloatArray


def load_over_time(
    *,
    arrivals_per_hour: npt.ArrayLike,
    aht_s: npt.ArrayLike,
    interval_s: float,
    method: LoadMethod = "mol",
    start: float | None = None,
) -> FloatArray:
    """Offered load per interval that a stationary formula is to be given.

    Parameters
    ----------
    arrivals_per_hour : array of shape (intervals,) or (intervals, pieces)
        Tickets offered per hour, ≥ 0, constant over an interval or over each of its equal pieces.
    aht_s : float or array of shape (intervals,)
        Mean handle time, > 0. [s]
    interval_s : float
        Length of an interval, > 0. [s]
    method : {"sipp", "sipp_max", "lagged", "mol", "mol_max"}
        ``sipp``: mean rate of the interval times AHT; ``sipp_max``: its highest rate. ``lagged``: mean rate one AHT
        earlier [1]_. ``mol``: mean over the interval of the modified offered load, the expected number in service if
        there were always somebody free [2]_; ``mol_max``: its maximum there.
    start : float, optional
        Modified offered load when the first interval begins, ≥ 0; by default that of a steady first rate. [erlang]

    Returns
    -------
    array of shape (intervals,)
        Erlang.

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    Notes
    -----
    With constant rates the modified offered load m obeys m′ = λ − m ÷ aht [2]_, which is solved exactly piece by piece.
    Before the first interval ``lagged`` takes the first rate.

    References
    ----------
    .. [1] L. V. Green, P. J. Kolesar, J. Soares, "Improving the SIPP approach for staffing service systems that have
       cyclic demands", Operations Research 49(4), 2001, pp. 549–564, doi:10.1287/opre.49.4.549.11228.
    .. [2] O. B. Jennings, A. Mandelbaum, W. A. Massey, W. Whitt, "Server staffing to meet time-varying demand",
       Management Science 42(10), 1996, pp. 1383–1394, doi:10.1287/mnsc.42.10.1383.

    Examples
    --------
    >>> load_over_time(arrivals_per_hour=[20, 60, 20], aht_s=2700, interval_s=3600, method="sipp").round(1)
    array([15., 45., 15.])
    >>> load_over_time(arrivals_per_hour=[20, 60, 20], aht_s=2700, interval_s=3600, method="mol").round(1)
    array([15. , 28.4, 27.2])
    """
    rates, aht, length = _checked(arrivals_per_hour, aht_s, interval_s)
    if method == "sipp":
        return np.asarray(rates.mean(axis=1) * aht)
    if method == "sipp_max":
        return np.asarray(rates.max(axis=1) * aht)
    if method == "lagged":
        return _lagged(rates, aht, length)
    if method not in ("mol", "mol_max"):
        raise bad_value("method", method, "one of sipp, sipp_max, lagged, mol, mol_max")
    piece = length / rates.shape[1]
    now = float(rates[0, 0] * aht[0]) if start is None else number("start", at_least_zero("start", start, " erlang"))
    means, highest = np.zeros(len(rates)), np.zeros(len(rates))
    for i, (row, handle) in enumerate(zip(rates.tolist(), aht.tolist(), strict=True)):
        fades = float(np.exp(-piece / handle))
        top, area = now, 0.0
        for rate in row:
            settles = rate * handle
            area += settles * piece + (now - settles) * handle * (1 - fades)
            now = settles + (now - settles) * fades
            top = max(top, now)  # between the ends of a piece it goes one way
        means[i], highest[i] = area / length, top
    return means if method == "mol" else highest


def backlog_carryover(
    *, arrivals_per_hour: npt.ArrayLike, aht_s: npt.ArrayLike, agents: npt.ArrayLike, interval_s: float
) -> Carried:
    """Load per period that the agents work off, with the blocked share of each period carried to the next.

    Parameters
    ----------
    arrivals_per_hour, aht_s, interval_s
        As in :func:`load_over_time`; the mean rate of the interval is what counts.
    agents : int or array of shape (intervals,)
        Whole number of agents answering, ≥ 0.

    Returns
    -------
    Carried
        ``load_erl`` to be given to a stationary formula with these agents, always below them, and ``backlog`` in
        tickets at the end of each period, over (intervals, periods): periods are as near to one AHT as fit.

    Raises
    ------
    InputError
        An argument outside its range, or shapes that do not fit.

    References
    ----------
    .. [1] R. Stolletz, "Approximation of the non-stationary M(t)/M(t)/c(t)-queue using stationary queueing models: the
       stationary backlog-carryover approach", European Journal of Operational Research 190(2), 2008, pp. 478–493,
       doi:10.1016/j.ejor.2007.06.036.

    Examples
    --------
    >>> found = backlog_carryover(arrivals_per_hour=[60, 20], aht_s=3600, agents=[40, 40], interval_s=3600)
    >>> found.load_erl.round(1).ravel(), found.backlog.round(1).ravel()
    (array([38.4, 35.9]), array([21.6,  5.7]))
    """
    rates, aht, length = _checked(arrivals_per_hour, aht_s, interval_s)
    people = per_interval("agents", whole("agents", agents), len(rates))
    periods = max(round(length / float(aht.mean())), 1)
    load, backlog = np.zeros((len(rates), periods)), np.zeros((len(rates), periods))
    left = 0.0
    for i, rate in enumerate(rates.mean(axis=1).tolist()):
        load[i], backlog[i] = carry_over(rate, float(aht[i]), float(people[i]), length, periods, left)
        left = float(backlog[i, -1])
    return Carried(load, backlog)


def carry_over(
    rate: float, aht_s: float, agents: float, length_s: float, periods: int, left: float
) -> tuple[FloatArray, FloatArray]:
    """One interval of :func:`backlog_carryover`, checked: load and backlog per period."""
    load, backlog = np.zeros(periods), np.zeros(periods)
    period = length_s / periods
    for k in range(periods):
        offered = rate + left / period
        lost = float(blocking(np.array([offered * aht_s]), np.array([agents]))[0])
        load[k], left = offered * (1 - lost) * aht_s, offered * lost * period
        backlog[k] = left
    return load, backlog


def _lagged(rates: FloatArray, aht: FloatArray, length: float) -> FloatArray:
    """Mean over each interval of the rate one AHT earlier, times AHT."""
    count, pieces = rates.shape
    edges = np.arange(count * pieces + 1) * (length / pieces)
    total = np.concatenate([[0.0], np.cumsum(rates.ravel() * (length / pieces))])

    def until(time: FloatArray) -> FloatArray:
        return np.asarray(np.where(time < 0, time * rates[0, 0], np.interp(np.maximum(time, 0.0), edges, total)))

    begin = np.arange(count) * length - aht
    return np.asarray((until(begin + length) - until(begin)) / length * aht)


def _checked(
    arrivals_per_hour: npt.ArrayLike, aht_s: npt.ArrayLike, interval_s: float
) -> tuple[FloatArray, FloatArray, float]:
    """Rates per second over (intervals, pieces), AHT per interval, length of an interval."""
    rates = rates_per_second(arrivals_per_hour)
    aht = per_interval("aht_s", above_zero("aht_s", aht_s, " s"), len(rates))
    return rates, aht, number("interval_s", above_zero("interval_s", interval_s, " s"))
