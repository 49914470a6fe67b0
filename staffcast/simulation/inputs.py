"""What is played: arrivals and staff. A wrong one cannot be constructed.

Times are seconds on one clock whose zero the caller chooses; the play begins at the first edge and ends at the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from staffcast.contracts import InputError, bad_value
from staffcast.simulation import checks
from staffcast.simulation.checks import FloatArray, IntArray
from staffcast.simulation.laws import Service

__all__ = ["Arrivals", "Staffing", "require_same_grid"]

_DAY_S = 86_400.0


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
    expected : float, optional
        Tickets expected in all over every path there might be.
    times_s : array (tickets,), optional
        A trace's arrival times in seconds, sorted.
    service_s : array (tickets,), optional
        A trace's handle times in seconds.
    """

    edges_s: FloatArray | None = None
    rates_per_hour: FloatArray | None = None
    lumps: FloatArray | None = None
    expected: float | None = None
    times_s: FloatArray | None = None
    service_s: FloatArray | None = None

    @classmethod
    def piecewise(
        cls,
        edges_s: npt.ArrayLike,
        rates_per_hour: npt.ArrayLike,
        *,
        lumps: npt.ArrayLike | None = None,
        expected: float | None = None,
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

        expected : float, optional
            Tickets expected in all, averaged over every path there might be and not only these: known, it takes the
            luck of the paths out of the result (:func:`staffcast.simulation.controlled`).

        Raises
        ------
        InputError
            Edges that do not increase, a wrong shape, a negative or missing rate.

        Examples
        --------
        >>> Arrivals.piecewise([0, 900, 1800], [40, 60]).rates_per_hour.shape
        (1, 2)
        """
        edges = checks.edges(edges_s)
        n = len(edges) - 1
        rates = checks.paths("rates_per_hour", rates_per_hour, n)
        released = None if lumps is None else checks.paths("lumps", lumps, n)
        if released is not None and len(released) != len(rates) and 1 not in (len(released), len(rates)):
            raise bad_value("lumps", f"{len(released)} paths", f"one path or {len(rates)}, as many as of the rates")
        if expected is not None:
            expected = float(checks.numbers("expected", expected, low=0.0, legal="a number of tickets ≥ 0"))
        return cls(edges_s=edges, rates_per_hour=rates, lumps=released, expected=expected)

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
        times = checks.numbers("times_s", times_s)
        if times.ndim != 1:
            raise bad_value("times_s", f"shape {times.shape}", "one time per ticket, shape (tickets,)")
        order = np.argsort(times, kind="stable")
        service = None
        if service_s is not None:
            service = checks.numbers("service_s", service_s, low=0.0, legal="numbers of seconds ≥ 0")
            if service.shape != times.shape:
                raise bad_value(
                    "service_s", f"shape {service.shape}", f"of shape {times.shape}, one handle time per ticket"
                )
            service = checks.frozen(service[order])
        return cls(times_s=checks.frozen(times[order]), service_s=service)


@dataclass(frozen=True, kw_only=True, eq=False)
class Staffing:
    """People answering, by interval. Build it with :meth:`steps`.

    Attributes
    ----------
    edges_s : array (n + 1,)
        Interval edges in seconds.
    agents : array (n,)
        People answering, whole, ≥ 0.
    absent : float
        Probability that one of them does not come.
    shift : array (n,)
        Which shift or day an interval belongs to: who is absent is absent for all of it.
    """

    edges_s: FloatArray
    agents: IntArray
    absent: float
    shift: IntArray

    @classmethod
    def steps(
        cls, edges_s: npt.ArrayLike, agents: npt.ArrayLike, *, absent: float = 0.0, shift: npt.ArrayLike | None = None
    ) -> Staffing:
        """Whole numbers of agents, constant within each interval; 0 is a closed queue.

        Parameters
        ----------
        edges_s : array_like (n + 1,)
            Increasing, in seconds.
        agents : array_like (n,)
            Whole, ≥ 0.
        absent : float
            Probability that a person of the plan does not come, in [0, 1): drawn for each head and shift, so that the
            doubt about who is there is played and not only its mean.
        shift : array_like (n,) of int, optional
            Which shift or day an interval belongs to, for ``absent``; without it every 24 hours from the first edge.

        Raises
        ------
        InputError
            Fractional, negative or missing agents, or not one number per interval.

        Examples
        --------
        >>> Staffing.steps([0, 900, 1800], [0, 3]).agents
        array([0, 3])
        """
        edges = checks.edges(edges_s)
        count = checks.numbers("agents", agents, low=0.0, legal="whole numbers ≥ 0")
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
        if isinstance(absent, bool) or not (isinstance(absent, (int, float)) and 0 <= absent < 1):
            raise bad_value("absent", absent, "a share in [0, 1)", "write 5 % as 0.05")
        label = np.floor((edges[:-1] - edges[0]) / _DAY_S) if shift is None else checks.numbers("shift", shift)
        if label.shape != whole.shape:
            raise bad_value("shift", f"shape {label.shape}", f"one label per interval, shape {whole.shape}")
        broken = np.flatnonzero(label != np.floor(label))
        if len(broken):
            raise bad_value("shift", float(label[broken[0]]), "whole numbers", "number the shifts or days: 0, 1, 2 …")
        return cls(edges_s=edges, agents=whole, absent=float(absent), shift=label.astype(np.int64))


def require_same_grid(staffing: Staffing, arrivals: Arrivals, services: Sequence[Service]) -> None:
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
    for service in services:
        if service.mean_s.ndim == 1 and len(service.mean_s) != len(plan) - 1:
            raise bad_value(
                "service mean_s", f"{len(service.mean_s)} means", f"one number or {len(plan) - 1}, one per interval"
            )


def _describe(edges: FloatArray) -> str:
    return f"{len(edges) - 1} intervals from {edges[0]:g} s to {edges[-1]:g} s (the first of {edges[1] - edges[0]:g} s)"
