"""What is played: arrivals, staff, handle times, patience. A wrong one cannot be constructed.

Times are seconds on one clock whose zero the caller chooses; the play begins at the first edge and ends at the last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from staffcast.contracts import InputError, bad_value

__all__ = ["Arrivals", "FloatArray", "IntArray", "Patience", "Service", "Staffing"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrivals:
    """Tickets that come in. Build it with :meth:`piecewise` or :meth:`trace`.

    Attributes
    ----------
    edges_s : array (n + 1,), optional
        Interval edges in seconds; None for a trace.
    rates_per_hour : array (paths, n), optional
        Expected tickets per hour; replication r plays path r modulo ``paths``.
    lumps : array (paths, n), optional
        Expected tickets that are released at the start of an interval.
    times_s : array (tickets,), optional
        A trace's arrival times in seconds, sorted.
    service_s : array (tickets,), optional
        A trace's handle times in seconds.
    """

    edges_s: FloatArray | None = None
    rates_per_hour: FloatArray | None = None
    lumps: FloatArray | None = None
    times_s: FloatArray | None = None
    service_s: FloatArray | None = None

    @classmethod
    def piecewise(
        cls, edges_s: npt.ArrayLike, rates_per_hour: npt.ArrayLike, *, lumps: npt.ArrayLike | None = None
    ) -> Arrivals:
        """Poisson arrivals with a rate that is constant within each interval.

        Parameters
        ----------
        edges_s : array_like (n + 1,)
            Increasing, in seconds.
        rates_per_hour : array_like (n,) or (paths, n)
            Tickets per hour, ≥ 0. Several paths are samples of an uncertain rate: replication r plays path
            r modulo ``paths``; give at least as many paths as replications, or the paths' spread is underestimated.
        lumps : array_like (n,) or (paths, n), optional
            Expected number of tickets released at the very start of an interval, in addition to the rate: what came
            while the queue was closed and is handed over at opening. The number is Poisson; their waiting time
            counts from the release.

        Raises
        ------
        InputError
            Edges that do not increase, a wrong shape, a negative or missing rate.

        Examples
        --------
        >>> Arrivals.piecewise([0, 900, 1800], [40, 60]).rates_per_hour.shape
        (1, 2)
        """
        edges = _edges(edges_s)
        n = len(edges) - 1
        rates = _paths("rates_per_hour", rates_per_hour, n)
        released = None if lumps is None else _paths("lumps", lumps, n)
        if released is not None and len(released) != len(rates) and 1 not in (len(released), len(rates)):
            raise bad_value("lumps", f"{len(released)} paths", f"one path or {len(rates)}, as many as of the rates")
        return cls(edges_s=edges, rates_per_hour=rates, lumps=released)

    @classmethod
    def trace(cls, times_s: npt.ArrayLike, service_s: npt.ArrayLike | None = None) -> Arrivals:
        """A recorded log replayed as it was: the same times in every replication.

        Parameters
        ----------
        times_s : array_like (tickets,)
            When tickets came, in seconds; any order.
        service_s : array_like (tickets,), optional
            Their handle times in seconds, ≥ 0; without it they are drawn from the ``Service``.

        Raises
        ------
        InputError
            A missing value, a negative handle time, lengths that differ.

        Examples
        --------
        >>> Arrivals.trace([30, 10], [60, 90]).service_s
        array([90., 60.])
        """
        times = _numbers("times_s", times_s)
        if times.ndim != 1:
            raise bad_value("times_s", f"shape {times.shape}", "one time per ticket, shape (tickets,)")
        order = np.argsort(times, kind="stable")
        service = None
        if service_s is not None:
            service = _numbers("service_s", service_s, low=0.0, legal="numbers of seconds ≥ 0")
            if service.shape != times.shape:
                raise bad_value(
                    "service_s", f"shape {service.shape}", f"of shape {times.shape}, one handle time per ticket"
                )
            service = _frozen(service[order])
        return cls(times_s=_frozen(times[order]), service_s=service)


@dataclass(frozen=True, kw_only=True, eq=False)
class Staffing:
    """People answering, by interval. Build it with :meth:`steps`.

    Attributes
    ----------
    edges_s : array (n + 1,)
        Interval edges in seconds.
    agents : array (n,)
        People answering, whole, ≥ 0.
    """

    edges_s: FloatArray
    agents: IntArray

    @classmethod
    def steps(cls, edges_s: npt.ArrayLike, agents: npt.ArrayLike) -> Staffing:
        """Whole numbers of agents, constant within each interval; 0 is a closed queue.

        Parameters
        ----------
        edges_s : array_like (n + 1,)
            Increasing, in seconds.
        agents : array_like (n,)
            Whole, ≥ 0.

        Raises
        ------
        InputError
            Fractional, negative or missing agents, or not one number per interval.

        Examples
        --------
        >>> Staffing.steps([0, 900, 1800], [0, 3]).agents
        array([0, 3])
        """
        edges = _edges(edges_s)
        count = _numbers("agents", agents, low=0.0, legal="whole numbers ≥ 0")
        if count.shape != (len(edges) - 1,):
            raise bad_value("agents", f"shape {count.shape}", f"one number per interval, shape ({len(edges) - 1},)")
        fractional = np.flatnonzero(count != np.floor(count))
        if len(fractional):
            i = int(fractional[0])
            raise bad_value(
                "agents", float(count[i]), "whole numbers ≥ 0", f"interval {i}: round up, or split the interval"
            )
        whole = count.astype(np.int64)
        whole.setflags(write=False)
        return cls(edges_s=edges, agents=whole)


@dataclass(frozen=True, kw_only=True, eq=False)
class Service:
    """Handle time of a ticket. Build it with one of the four constructors.

    Attributes
    ----------
    kind : {"exponential", "lognormal", "empirical", "deterministic"}
        Shape of the distribution.
    mean_s : array () or (n,)
        Mean in seconds, one for all or one per interval in which a ticket arrives (the first for the backlog).
    cv : float
        Coefficient of variation, standard deviation ÷ mean.
    sample_s : array (k,), optional
        Handle times that "empirical" draws from, each as likely.
    """

    kind: Literal["exponential", "lognormal", "empirical", "deterministic"]
    mean_s: FloatArray
    cv: float
    sample_s: FloatArray | None = None

    @classmethod
    def exponential(cls, mean_s: npt.ArrayLike) -> Service:
        """Exponential with this mean in seconds, scalar or (n,) by interval of arrival."""
        return cls(kind="exponential", mean_s=_means(mean_s), cv=1.0)

    @classmethod
    def lognormal(cls, mean_s: npt.ArrayLike, cv: float) -> Service:
        """Lognormal with this mean in seconds, scalar or (n,) by interval of arrival, and sd ÷ mean ``cv`` ≥ 0."""
        if isinstance(cv, bool) or not (isinstance(cv, (int, float)) and math.isfinite(cv) and cv >= 0):
            raise bad_value("cv", cv, "a number ≥ 0", "it is standard deviation ÷ mean of the handle time")
        return cls(kind="lognormal", mean_s=_means(mean_s), cv=float(cv))

    @classmethod
    def deterministic(cls, mean_s: npt.ArrayLike) -> Service:
        """Always this long in seconds, scalar or (n,) by interval of arrival."""
        return cls(kind="deterministic", mean_s=_means(mean_s), cv=0.0)

    @classmethod
    def empirical(cls, sample_s: npt.ArrayLike) -> Service:
        """Drawn with replacement from measured handle times in seconds.

        Examples
        --------
        >>> float(Service.empirical([60, 120, 300]).mean_s)
        160.0
        """
        sample = _numbers("sample_s", sample_s, low=0.0, legal="numbers of seconds ≥ 0")
        if sample.ndim != 1 or len(sample) == 0 or not sample.any():
            raise bad_value("sample_s", f"shape {sample.shape}", "at least one measured handle time above 0 s")
        mean = np.asarray(sample.mean())
        return cls(kind="empirical", mean_s=mean, cv=float(sample.std() / sample.mean()), sample_s=sample)

    def draw(self, random: np.random.Generator, interval: IntArray) -> FloatArray:
        """Handle times in seconds of tickets that arrive in these intervals.

        A standard draw is scaled by the mean, so the same stream gives the same quantiles whatever the mean.
        """
        count = len(interval)
        if self.sample_s is not None:
            return self.sample_s[random.integers(len(self.sample_s), size=count)]
        mean = self.mean_s if self.mean_s.ndim == 0 else self.mean_s[interval]
        if self.kind == "exponential":
            return random.standard_exponential(count) * mean
        if self.kind == "lognormal":
            variance = math.log1p(self.cv**2)
            return np.exp(math.sqrt(variance) * random.standard_normal(count) - variance / 2) * mean
        return np.ones(count) * mean


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a customer waits before giving up. Build it with :meth:`exponential`.

    Attributes
    ----------
    mean_s : float
        Mean in seconds, > 0.
    """

    mean_s: float

    @classmethod
    def exponential(cls, mean_s: float) -> Patience:
        """Exponential with this mean in seconds.

        It has no memory: a ticket of the opening backlog, however old, has the same patience left.
        """
        return cls(mean_s=float(_means(mean_s, "patience mean_s", scalar=True)))

    def draw(self, random: np.random.Generator, count: int) -> FloatArray:
        """Patience in seconds of ``count`` customers."""
        return random.standard_exponential(count) * self.mean_s


def _frozen(values: FloatArray) -> FloatArray:
    values.setflags(write=False)
    return values


def _numbers(
    parameter: str, values: npt.ArrayLike, *, low: float = -math.inf, legal: str = "finite numbers"
) -> FloatArray:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise bad_value(parameter, values, legal) from None
    wrong = ~np.isfinite(array) | (array < low)
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), array.shape)
        where = f"at {', '.join(str(int(i)) for i in place)}" if array.ndim else "in its place"
        raise bad_value(parameter, float(array[place]), legal, f"mend the value {where}, {int(wrong.sum())} in all")
    return _frozen(array)


def _edges(edges_s: npt.ArrayLike) -> FloatArray:
    edges = _numbers("edges_s", edges_s)
    if edges.ndim != 1 or len(edges) < 2:
        raise bad_value("edges_s", f"shape {edges.shape}", "at least two edges, shape (n + 1,)")
    steps = np.diff(edges)
    if (steps <= 0).any():
        i = int(np.argmax(steps <= 0))
        raise bad_value("edges_s", (float(edges[i]), float(edges[i + 1])), "increasing", "sort them and drop doubles")
    return edges


def _paths(parameter: str, values: npt.ArrayLike, n: int) -> FloatArray:
    array = _numbers(parameter, values, low=0.0, legal="numbers ≥ 0")
    shaped = array.reshape(1, -1) if array.ndim == 1 else array
    if shaped.ndim != 2 or shaped.shape[1] != n or len(shaped) == 0:
        raise bad_value(
            parameter, f"shape {array.shape}", f"of shape ({n},) or (paths, {n})", "give one number per interval"
        )
    return shaped


def _means(mean_s: npt.ArrayLike, parameter: str = "mean_s", *, scalar: bool = False) -> FloatArray:
    legal = "a number of seconds > 0" if scalar else "a number of seconds > 0, or one per interval"
    mean = _numbers(parameter, mean_s, low=math.ulp(0.0), legal=legal)
    if mean.ndim > (0 if scalar else 1):
        raise bad_value(parameter, f"shape {mean.shape}", legal)
    return mean


def require_same_grid(staffing: Staffing, arrivals: Arrivals, service: Service | None) -> None:
    """Check that the plan covers the demand and that both lie on one grid.

    Raises
    ------
    InputError
        The plan begins later or ends earlier than the demand, or the grids differ.
    """
    plan = staffing.edges_s
    if arrivals.times_s is not None and len(arrivals.times_s):
        first, last = float(arrivals.times_s[0]), float(arrivals.times_s[-1])
        if first < plan[0] or last >= plan[-1]:
            raise InputError(
                f"the plan covers {plan[0]:g} s to {plan[-1]:g} s, but the trace has tickets from {first:g} s to "
                f"{last:g} s; extend `staffing` or cut the trace"
            )
    if arrivals.edges_s is not None and not np.array_equal(plan, arrivals.edges_s):
        demand = arrivals.edges_s
        ours, theirs = _describe(plan), _describe(demand)
        if plan[0] > demand[0] or plan[-1] < demand[-1]:
            raise InputError(
                f"the plan does not cover the demand: `staffing` has {ours}, `arrivals` has {theirs}; "
                "extend the plan (0 agents where it is closed) or cut the demand"
            )
        raise InputError(
            f"`staffing` and `arrivals` must have the same grid: `staffing` has {ours}, `arrivals` has {theirs}; "
            "repeat or sum the coarser one on the finer one's edges"
        )
    if service is not None and service.mean_s.ndim == 1 and len(service.mean_s) != len(plan) - 1:
        raise bad_value(
            "service mean_s", f"{len(service.mean_s)} means", f"one number or {len(plan) - 1}, one per interval"
        )


def _describe(edges: FloatArray) -> str:
    return f"{len(edges) - 1} intervals from {edges[0]:g} s to {edges[-1]:g} s (the first of {edges[1] - edges[0]:g} s)"
