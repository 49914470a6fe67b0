"""What waits when a queue opens, and how long it takes until that is worked off.

An *opening* is an interval in which tickets of some class are taken by somebody, after one in which none were. A queue
that never closes has none; the first interval of each day then stands for it, days as ``Staffing.shift`` has them.

- *Waiting at the opening* are all tickets that then wait, of every class: those left from before, those that came while
  nobody answered, the opening backlog, and those released at that very instant (``Arrivals.lumps``).
- *Time to clear* is counted from the opening, by the calendar, to the end of the first interval at which no more than
  so many wait; so it is up to one interval too long. It is 0 where no more are left when everybody who comes has taken
  one at the opening itself (known of a single pool of people who serve everything).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betaincinv

from staffcast.contracts import bad_value
from staffcast.simulation.checks import FloatArray, IntArray, numbers
from staffcast.simulation.intervals import mean_error
from staffcast.simulation.sampling import Case, draw, released, strata_of

__all__ = ["clear_times", "days_of", "opening_frame", "opening_places", "opening_summary", "peak_frame", "share_bounds"]

_QUANTILES = np.array([0.5, 0.9, 0.95])
_MISSED = 1e-9


def days_of(case: Case) -> IntArray:
    """Day of each interval, numbered from 0 in the order in which days begin; (n,)."""
    labels, first, place = np.unique(case.staffing.shift, return_index=True, return_inverse=True)
    rank = np.empty(len(labels), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(labels))
    return rank[place]


def opening_places(case: Case) -> IntArray:
    """Intervals at whose start the queue opens; see the module's text."""
    served = (case.staffing.agents > 0) & case.opened.any(axis=0)
    if served.all():
        return np.unique(days_of(case), return_index=True)[1].astype(np.int64)
    return np.flatnonzero(served & ~np.concatenate(([False], served[:-1])))


def waiting_at(case: Case, queue_end: FloatArray, places: IntArray) -> FloatArray:
    """Who waits at the start of some intervals; (replications, places)."""
    before = np.concatenate((np.full((len(queue_end), 1), float(len(case.backlog_s))), queue_end), axis=1)[:, places]
    if case.arrivals.lumps is None or not case.arrivals.lumps[:, places].any():
        return before
    starts = case.staffing.edges_s[places]
    for replication, row in enumerate(before):
        if case.bot is None:
            found = released(case, replication)
            row += 0 if found is None else found[places]
        else:
            # Which of those released the bot keeps is known of each one only.
            came = draw(case, replication).arrival_s
            row += np.searchsorted(came, starts, side="right") - np.searchsorted(came, starts, side="left")
    return before


def clear_times(case: Case, queue_end: FloatArray, waiting: FloatArray, places: IntArray, to: float) -> FloatArray:
    """Seconds from the start of some intervals until at most ``to`` wait; infinity if never; (replications, places)."""
    edges = case.staffing.edges_s
    out = np.full(waiting.shape, np.inf)
    for column, place in enumerate(places):
        few = queue_end[:, place:] <= to
        first = few.argmax(axis=1)
        there = few[np.arange(len(few)), first] if few.shape[1] else np.zeros(len(few), dtype=bool)
        out[there, column] = edges[place + 1 + first[there]] - edges[place]
    return np.where(waiting - _taken_at_once(case, places) <= to, 0.0, out)


def _taken_at_once(case: Case, places: IntArray) -> IntArray:
    """How many tickets are taken at the very start of some intervals, by people who come when nobody was there."""
    agents = case.staffing.agents
    # By counting heads alone, who still works overtime keeps one of them from starting.
    if case.groups or case.staffing.absent or case.on_staff_drop == "finish_count":
        return np.zeros(len(places), dtype=np.int64)
    fresh = (np.concatenate(([0], agents[:-1])) == 0) & case.opened.all(axis=0)
    return np.where(fresh[places], agents[places], 0)


def opening_frame(case: Case, queue_end: FloatArray, above: float | None, to: float) -> pd.DataFrame:
    """One row per opening; columns as :meth:`staffcast.simulation.Outcome.openings` has them."""
    places = opening_places(case)
    waiting = waiting_at(case, queue_end, places)
    strata = strata_of(case, len(queue_end))
    there = case.staffing.agents[places].astype(np.float64)
    limit = there if above is None else np.full(len(places), _few("above", above))
    frame = pd.DataFrame({"start_s": case.staffing.edges_s[places], "agents": case.staffing.agents[places]})
    frame["waiting_mean"], frame["waiting_mean_se"] = mean_error(waiting, strata)
    for name, values in zip(("waiting_p50", "waiting_p90", "waiting_p95"), _over(waiting, _QUANTILES), strict=True):
        frame[name] = values
    more = (waiting > limit).sum(axis=0)
    frame["above"], frame["p_above"] = limit, more / len(waiting)
    frame["p_above_low"], frame["p_above_high"] = share_bounds(more, len(waiting))
    edges = case.staffing.edges_s
    times = clear_times(case, queue_end, waiting, places, _few("to", to))
    return frame.assign(**_times(times, np.broadcast_to(edges[-1] - edges[places], times.shape), strata))


def peak_frame(case: Case, queue_end: FloatArray, to: float) -> pd.DataFrame:
    """One row per day; columns as :meth:`staffcast.simulation.Outcome.clearing` has them."""
    edges, day = case.staffing.edges_s, days_of(case)
    limit = _few("to", to)
    starts, peaks, times, left = [], [], [], []
    for each in range(int(day.max()) + 1):
        own = np.flatnonzero(day == each)
        place = own[queue_end[:, own].argmax(axis=1)]
        runs = np.arange(len(place))
        after = np.where(np.arange(queue_end.shape[1]) >= place[:, None], queue_end, np.inf) <= limit
        first = after.argmax(axis=1)
        starts.append(edges[own[0]])
        peaks.append(queue_end[runs, place])
        times.append(np.where(after[runs, first], edges[first + 1] - edges[place + 1], np.inf))
        left.append(edges[-1] - edges[place + 1])
    peak, strata = np.stack(peaks, axis=1), strata_of(case, len(queue_end))
    frame = pd.DataFrame({"start_s": starts})
    frame["peak_mean"], frame["peak_mean_se"] = mean_error(peak, strata)
    for name, values in zip(("peak_p50", "peak_p90", "peak_p95"), _over(peak, _QUANTILES), strict=True):
        frame[name] = values
    return frame.assign(**_times(np.stack(times, axis=1), np.stack(left, axis=1), strata))


def opening_summary(case: Case, queue_end: FloatArray) -> dict[str, float]:
    """Over all openings and replications together; NaN without an opening."""
    places = opening_places(case)
    if not len(places):
        return dict.fromkeys(("opening_mean", "opening_p95", "opening_above", "clear_mean_s"), math.nan)
    waiting = waiting_at(case, queue_end, places)
    edges = case.staffing.edges_s
    times = np.minimum(clear_times(case, queue_end, waiting, places, 0.0), edges[-1] - edges[places])
    return {
        "opening_mean": float(waiting.mean()),
        "opening_p95": float(np.quantile(waiting, 0.95, method="inverted_cdf")),
        "opening_above": float((waiting > case.staffing.agents[places]).mean()),
        "clear_mean_s": float(times.mean()),
    }


def share_bounds(hits: npt.ArrayLike, count: int, confidence: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Exact interval of a share of independent replications.

    Parameters
    ----------
    hits : array_like of int
        In how many it happened.
    count : int
        Replications, ≥ 1.
    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : array
        In [0, 1].

    References
    ----------
    .. [1] C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
       binomial", Biometrika 26(4), 1934, pp. 404–413, doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> [round(float(end), 4) for end in share_bounds(0, 100)]
    [0.0, 0.0362]
    """
    k, tail = np.asarray(hits, dtype=np.float64), (1 - confidence) / 2
    low = np.where(k > 0, betaincinv(np.maximum(k, 1), count - k + 1, tail), 0.0)
    high = np.where(k < count, betaincinv(k + 1, np.maximum(count - k, 1), 1 - tail), 1.0)
    return low, high


def _times(times: FloatArray, left: FloatArray, strata: IntArray | None) -> dict[str, FloatArray]:
    """Mean, quantiles and share of times that may be infinite; in the mean these count until the play's end."""
    mean, error = mean_error(np.minimum(times, left), strata)
    quantiles = _over(times, _QUANTILES)
    known = np.where(np.isfinite(quantiles), quantiles, np.nan)
    return {
        "clear_mean_s": mean, "clear_mean_s_se": error,
        **{f"clear_p{q}_s": row for q, row in zip((50, 90, 95), known, strict=True)},
        "p_never": np.isinf(times).mean(axis=0),
    }  # fmt: skip


def _over(values: FloatArray, quantiles: FloatArray) -> FloatArray:
    """Quantiles over replications, each a value that occurred; (quantiles, columns)."""
    place = np.maximum(np.ceil(quantiles * len(values) - _MISSED).astype(np.int64) - 1, 0)
    return np.asarray(np.sort(values, axis=0)[place])


def _few(parameter: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise bad_value(parameter, value, "a number of tickets ≥ 0")
    return float(numbers(parameter, value, low=0.0, legal="a number of tickets ≥ 0"))
