"""The door of the room: check the arguments, play the replications, collect what came out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from staffcast.contracts import InputError, Target, bad_value
from staffcast.executor import map_chunks
from staffcast.simulation.inputs import Arrivals, FloatArray, Patience, Service, Staffing, require_same_grid
from staffcast.simulation.kernel import DROP_RULES
from staffcast.simulation.measure import measure_chunk
from staffcast.simulation.outcome import Outcome, collect
from staffcast.simulation.sampling import Case

__all__ = ["simulate"]

# Enough for a smooth progress bar and for processes of unequal speed; each chunk holds its own histograms.
_CHUNKS = 16


def simulate(
    arrivals: Arrivals,
    staffing: Staffing,
    service: Service | None,
    *,
    patience: Patience | None = None,
    priorities: Sequence[float] | None = None,
    backlog: int | npt.ArrayLike | None = None,
    on_staff_drop: Literal["finish", "finish_count"] = "finish",
    first_reply_s: float = 0.0,
    replications: int = 100,
    seed: int = 0,
    target: Target | str | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Play a staffing plan against demand, ticket by ticket; semantics in :mod:`staffcast.simulation.kernel`.

    Parameters
    ----------
    arrivals : Arrivals
        Demand: rates, sample paths of rates, or a recorded log.
    staffing : Staffing
        The plan, on the grid of the demand.
    service : Service or None
        Handle times. None only where a trace has its own and there is no backlog.
    patience : Patience, optional
        When customers who wait give up; None: never.
    priorities : sequence of float, optional
        Share of the tickets in each class, the most urgent first; they sum to 1. None: one class, first come first
        served.
    backlog : int or array_like (tickets,), optional
        Tickets that wait at the start: how many, or their ages in seconds, ≥ 0. A ticket of age a came at −a before
        the first edge and its wait counts from then; of age 0 where only the number is given. The class is drawn;
        within it the oldest goes first.
    on_staff_drop : {"finish", "finish_count"}
        What happens when staff leave with tickets in hand.
    first_reply_s : float
        From taking a ticket to the first reply, in seconds ≥ 0: FRT = wait + first_reply_s.
    replications : int
        How often the span is played, ≥ 1.
    seed : int
        ≥ 0. The same seed gives the same bytes, whatever ``processes``; and a plan changed gets the same tickets.
    target : Target or str, optional
        Sets the time of the service level, and what ``met_share`` judges.
    processes : int
        At most this many processes at work.
    progress : callable, optional
        Called as ``progress(done, total)`` with numbers of replications.

    Returns
    -------
    Outcome
        An unstable plan is played as any other: ``summary.load`` is then above 1 and ``queue_end`` grows.

    Raises
    ------
    InputError
        A plan that does not cover the demand or has another grid, shares that do not sum to 1, negative ages, no
        replications, an unknown rule.

    Examples
    --------
    Four tickets of 15 minutes come in a closed hour; then two agents answer, and one stays for the last hour.

    >>> edges = [0, 3600, 7200, 10800]
    >>> outcome = simulate(Arrivals.trace([600, 1800, 2400, 3000]), Staffing.steps(edges, [0, 2, 1]),
    ...                    Service.deterministic(900), replications=1, target="80% in 15m")
    >>> outcome.by_interval[["start_s", "agents", "arrivals", "queue_mean", "queue_end", "busy_mean"]]
       start_s  agents  arrivals  queue_mean  queue_end  busy_mean
    0      0.0       0       4.0    1.833333        4.0        0.0
    1   3600.0       2       0.0    0.500000        0.0        1.0
    2   7200.0       1       0.0    0.000000        0.0        0.0
    >>> outcome.tickets(0)["wait_s"].tolist(), outcome.summary.service_level
    ([3000.0, 1800.0, 2100.0, 1500.0], 0.0)
    """
    if not isinstance(arrivals, Arrivals):
        raise bad_value("arrivals", arrivals, "Arrivals", "build them with Arrivals.piecewise or Arrivals.trace")
    if not isinstance(staffing, Staffing):
        raise bad_value("staffing", staffing, "a Staffing", "build it with Staffing.steps(edges_s, agents)")
    if not (service is None or isinstance(service, Service)):
        raise bad_value("service", service, "a Service", "build it with Service.exponential(mean_s), for example")
    if not (patience is None or isinstance(patience, Patience)):
        raise bad_value("patience", patience, "a Patience or None", "build it with Patience.exponential(mean_s)")
    require_same_grid(staffing, arrivals, service)
    ages = _ages(backlog)
    if service is None and (arrivals.service_s is None or len(ages)):
        raise InputError("`service` is needed: only a trace with service_s and without a backlog has its own")
    if on_staff_drop not in DROP_RULES:
        raise bad_value("on_staff_drop", on_staff_drop, f"one of {', '.join(DROP_RULES)}")
    if isinstance(first_reply_s, bool) or not (
        isinstance(first_reply_s, (int, float)) and math.isfinite(first_reply_s) and first_reply_s >= 0
    ):
        raise bad_value("first_reply_s", first_reply_s, "a number of seconds ≥ 0")
    runs = _whole("replications", replications, 1, "100 gives bands, 1 a single course of events")
    case = Case(
        arrivals=arrivals,
        staffing=staffing,
        service=service,
        patience=patience,
        shares=_shares(priorities),
        backlog_s=ages,
        on_staff_drop=on_staff_drop,
        first_reply_s=float(first_reply_s),
        seed=_whole("seed", seed, 0),
        target=None if target is None else Target.parse(target),
    )
    size = -(-runs // _CHUNKS)
    ranges = [range(first, min(first + size, runs)) for first in range(0, runs, size)]
    report = None
    if progress is not None:
        tell = progress

        def report(done: int, total: int) -> None:
            tell(min(done * size, runs) if done < total else runs, runs)

    return collect(case, map_chunks(partial(measure_chunk, case), ranges, processes=processes, progress=report))


def _whole(parameter: str, value: object, low: int, fix: str | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
        raise bad_value(parameter, value, f"a whole number ≥ {low}", fix)
    return int(value)


def _shares(priorities: Sequence[float] | None) -> tuple[float, ...]:
    if priorities is None:
        return (1.0,)
    legal = "shares by class, each in [0, 1], that sum to 1"
    try:
        shares = tuple(float(share) for share in priorities)
    except (TypeError, ValueError):
        raise bad_value("priorities", priorities, legal) from None
    total = sum(shares)
    if not shares or not all(0 <= share <= 1 for share in shares) or abs(total - 1) > 1e-9:
        fix = f"they sum to {total:g}; divide each by it" if total > 0 and min(shares) >= 0 else None
        raise bad_value("priorities", priorities, legal, fix)
    return shares


def _ages(backlog: int | npt.ArrayLike | None) -> FloatArray:
    legal = "a whole number of tickets ≥ 0, or their ages in seconds ≥ 0"
    if backlog is None:
        return np.empty(0)
    if isinstance(backlog, (bool, str)):
        raise bad_value("backlog", backlog, legal)
    try:
        ages = np.array(backlog, dtype=np.float64)
    except (TypeError, ValueError):
        raise bad_value("backlog", backlog, legal) from None
    if ages.ndim == 0:
        count = float(ages)
        if not (math.isfinite(count) and count >= 0 and count == math.floor(count)):
            raise bad_value("backlog", backlog, legal)
        return np.zeros(int(count))
    if ages.ndim != 1:
        raise bad_value("backlog", f"shape {ages.shape}", legal)
    wrong = ~(np.isfinite(ages) & (ages >= 0))
    if wrong.any():
        worst = float(ages[int(np.argmax(wrong))])
        raise bad_value("backlog", worst, legal, "an age is how long a ticket has waited at the start")
    return np.sort(ages)[::-1]
