"""What came out of a simulation, with its uncertainty: the replication is the unit, never the ticket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import InputError, bad_value
from staffcast.simulation.checks import FloatArray
from staffcast.simulation.goals import reply_s
from staffcast.simulation.intervals import gain_frame
from staffcast.simulation.openings import opening_frame, peak_frame
from staffcast.simulation.overdays import day_frame, over_days_frame
from staffcast.simulation.replication import Played, play_replication
from staffcast.simulation.sampling import Case, strata_of
from staffcast.simulation.summary import Summary

__all__ = ["BROUGHT", "Outcome", "Summary"]

BROUGHT = ("redialled", "reopened", "repeated")


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What came out. A column that ends in ``_se`` is the standard error over replications of the one before it.

    Attributes
    ----------
    by_interval : DataFrame
        One row per interval: ``start_s``; ``agents``; ``arrivals`` (tickets arriving, mean); of these tickets
        ``mean_wait_s``, ``p_wait``, ``p_abandon``, ``service_level``, ``frt_mean_s``, ``frt_p50_s``, ``frt_p90_s``,
        ``frt_p95_s`` (to 2 % of the wait), ``unanswered`` (mean number); of the interval's time ``queue_mean`` (time
        average waiting), ``queue_end`` (waiting just before its end) with quantiles over replications
        ``queue_end_p05``, ``queue_end_p50``, ``queue_end_p95``, ``busy_mean`` (tickets in hand, leavers included),
        ``utilization`` (NaN with 0 agents), ``overtime_s``, ``oldest_s`` (mean age of the oldest who waits just before
        the end), ``over_1h``, ``over_4h``, ``over_24h`` (how many then wait for longer); ``expired`` (of the tickets
        arriving, those whose window ended first). ``_se`` follows each mean and share. NaN where no ticket
        came in any replication. The opening backlog is in the interval's time, not among its tickets.
    by_class : DataFrame
        One row per class, 0 the most urgent, the backlog included: ``class``, ``offered``, ``answered``,
        ``abandoned``, ``unanswered``, ``mean_wait_s``, ``p_wait``, ``p_abandon``, ``service_level``, ``frt_mean_s``,
        the last five with ``_se``. Where classes have targets of their own also ``target``, ``target_value`` (a share;
        of a percentile the share with a first response within its time; of a mean seconds) with its 95 % interval
        ``target_value_low``, ``target_value_high``, and ``verdict``: met, missed or undecided.
    by_group : DataFrame
        One row per group of agents, one in all where none was named: ``group``, ``staffed_s``; agent seconds with a
        conversation in hand or more ``handled_s``, of these after the end of a shift ``overtime_s``; ``utilization``;
        ``in_hand_mean`` (conversations in hand, time average), ``taken`` (tickets, each as often as somebody took it).
        ``_se`` follows ``utilization`` and ``in_hand_mean``.
    summary : Summary
        All in one record.
    by_replication : DataFrame
        One row per replication, for intervals and comparisons: ``offered``, ``answered``, ``abandoned``,
        ``unanswered``, ``expired``, ``mean_wait_s``, ``frt_mean_s``, ``frt_p90_s``, ``frt_p95_s`` (to 2 % of the wait),
        ``p_wait``, ``p_abandon``, ``service_level``, ``utilization``, ``overtime_s``, ``queue_mean``, ``backlog_end``,
        ``staffed_s``; and what was luck: ``came_extra`` (tickets from outside beyond those expected on its path),
        ``busier`` (tickets expected on its path beyond the mean path), ``work_extra_s`` (handle time beyond what its
        tickets are expected to bring; 0 where that is not known).
    queue_end : array (replications, n)
        Who waits just before the end of each interval.
    sums : array (replications, ticket stats + time stats, n)
        What the frames are made of, in the order of :data:`staffcast.simulation.tally.TICKET_STATS` and
        ``TIME_STATS``.
    case : Case
        What was played.
    replay : callable, optional
        How a replication is played again, where ``case`` alone does not say.
    taken_over : int
        Replications that were not played, but lay in the folder ``resume``.
    """

    by_interval: pd.DataFrame
    by_class: pd.DataFrame
    by_group: pd.DataFrame
    summary: Summary
    by_replication: pd.DataFrame
    queue_end: FloatArray
    sums: FloatArray
    case: Case
    replay: Callable[[int], Played] | None = None
    taken_over: int = 0

    def openings(self, *, above: float | None = None, to: float = 0) -> pd.DataFrame:
        """What waits when the queue opens: P(Monday opens above N), and the time until it is worked off.

        Parameters
        ----------
        above : float, optional
            N, ≥ 0; None: as many as there are people at that opening.
        to : float
            Cleared is what has no more than so many waiting, ≥ 0.

        Returns
        -------
        DataFrame
            One row per opening (:mod:`staffcast.simulation.openings`): ``start_s``, ``agents``; over replications
            ``waiting_mean`` with ``_se``, ``waiting_p50``, ``waiting_p90``, ``waiting_p95``; ``above`` and ``p_above``,
            how likely more than that wait, with ``p_above_low`` and ``p_above_high``, its exact 95 % interval;
            ``clear_mean_s`` with ``_se`` (who never cleared counts until the play's end), ``clear_p50_s``,
            ``clear_p90_s``, ``clear_p95_s`` (NaN where so many never cleared), ``p_never``: the share of the
            replications that never cleared.

        Raises
        ------
        InputError
            A negative or missing number.

        Examples
        --------
        Nine tickets wait at eight o'clock, and three people do one in ten minutes each.

        >>> from staffcast.simulation import Arrivals, Service, Staffing, simulate
        >>> plan = Staffing.steps([0, 28800, 30600, 32400], [0, 3, 3])
        >>> found = simulate(Arrivals.trace([3600.0] * 9), plan, Service.deterministic(600), replications=1).openings()
        >>> found[["start_s", "waiting_p50", "above", "p_above", "clear_p50_s"]].values.tolist()
        [[28800.0, 9.0, 3.0, 1.0, 1800.0]]
        """
        return opening_frame(self.case, self.queue_end, above, to)

    def clearing(self, *, to: float = 0) -> pd.DataFrame:
        """How long the longest queue of each day takes to be worked off.

        Parameters
        ----------
        to : float
            Cleared is what has no more than so many waiting, ≥ 0.

        Returns
        -------
        DataFrame
            One row per day: ``start_s``; over replications ``peak_mean`` with ``_se``, ``peak_p50``, ``peak_p90``,
            ``peak_p95``: the longest queue at the end of an interval of that day; from then on ``clear_mean_s`` …
            ``p_never`` as :meth:`openings` has them, into the next days if it takes so long.

        Raises
        ------
        InputError
            A negative or missing number.
        """
        return peak_frame(self.case, self.queue_end, to)

    def by_day(self, *, days: npt.ArrayLike | None = None, quantiles: bool = False) -> pd.DataFrame:
        """Figures of each day of each replication; the opening backlog belongs to no day.

        Parameters
        ----------
        days : array_like (n,), optional
            Day or week to which each interval belongs; None: as ``Staffing.shift`` has them.
        quantiles : bool
            Whether to find each day's own percentiles, which takes playing everything again.

        Returns
        -------
        DataFrame
            ``replication``, ``day`` (from 0), ``start_s``, ``offered``; of the tickets that arrive on it
            ``mean_wait_s``, ``frt_mean_s``, ``service_level``, ``p_wait``, ``p_abandon``, and where asked for
            ``frt_p50_s``, ``frt_p90_s``, ``frt_p95_s``; ``queue_end``: who waits as it ends.

        Raises
        ------
        InputError
            Not one label per interval, or labels that fall.
        """
        return day_frame(self.case, self.sums, days, quantiles)

    def over_days(
        self, *, days: npt.ArrayLike | None = None, cycle: int = 1, quantiles: bool = True
    ) -> pd.DataFrame:  # fmt: skip
        """Figures over tickets and over days, kept apart, with intervals whose unit is the day.

        For few replications of many days, as of a log replayed; how is said in
        :mod:`staffcast.simulation.overdays`.

        Parameters
        ----------
        days : array_like (n,), optional
            Day or week to which each interval belongs; None: as ``Staffing.shift`` has them.
        cycle : int
            Of one course of days: compare each with those so many days apart, 7 for its own weekday.
        quantiles : bool
            Whether to find percentiles too, which takes playing everything again.

        Returns
        -------
        DataFrame
            One row per ``measure`` (those of :meth:`by_day`): ``pooled``, over all tickets, with its 95 % interval
            ``pooled_low``, ``pooled_high``; of the days' own figures the mean ``days_mean``, ``days_mean_low``,
            ``days_mean_high``, and the quantiles over days ``days_p05``, ``days_p10``, ``days_p50``, ``days_p90``,
            ``days_p95``; ``days``: how many there were; ``correlation``: of a day with the next, as allowed for.

        Raises
        ------
        InputError
            Not one label per interval, labels that fall, or a cycle below 1.

        Examples
        --------
        On the first of two days one of four tickets waits a minute, on the second all three do: of all tickets the
        median is a minute, of the days' medians the smaller is 0.

        >>> from staffcast.simulation import Arrivals, Service, Staffing, simulate
        >>> came = [0, 100, 200, 260, 1000, 1120, 1240]
        >>> plan = Staffing.steps([0, 500, 1060, 1120, 1180, 1240, 1300, 2000], [1, 0, 1, 0, 1, 0, 1],
        ...                       shift=[0, 1, 1, 1, 1, 1, 1])
        >>> outcome = simulate(Arrivals.trace(came, [60, 60, 120, 60, 60, 60, 60]), plan, None, replications=1)
        >>> outcome.over_days().set_index("measure").loc["frt_p50_s", ["pooled", "days_p05", "days_p95"]].tolist()
        [60.0, 0.0, 60.0]
        """
        return over_days_frame(self.case, self.sums, days, cycle, quantiles)

    def stratification(self) -> pd.DataFrame:
        """What spreading the replications over how many tickets come has gained.

        Returns
        -------
        DataFrame
            One row per column of ``by_replication`` that varies: ``measure``, ``mean``, ``se``, ``plain_se`` (of as
            many independent replications), ``factor`` (how many times more of these the same error would take).

        Raises
        ------
        InputError
            The simulation was not played with ``stratified=True``.
        """
        strata = strata_of(self.case, self.summary.replications)
        if strata is None:
            raise InputError("there are no strata: play it with simulate(..., stratified=True)")
        return gain_frame(self.by_replication, strata)

    def tickets(self, replication: int) -> pd.DataFrame:
        """Every ticket of one replication, by playing it again.

        Parameters
        ----------
        replication : int
            0 … replications − 1.

        Returns
        -------
        DataFrame
            The backlog first, then in the order of arrival, last what these brought about: ``arrival_s`` (before the
            first edge for the backlog),
            ``class``, ``wait_s`` (until taken, given up, or the end), ``start_s`` (NaN unless answered),
            ``frt_s`` (first response time, so far for the unanswered; NaN for the abandoned),
            ``service_s`` (what its handling takes or would have taken), ``end_s`` (handled or given up; NaN while
            unanswered; may lie after the last edge), ``outcome`` (answered, abandoned, unanswered), ``origin`` (first,
            redialled, reopened, repeated).

        Raises
        ------
        InputError
            No such replication.
        """
        last = self.summary.replications - 1
        if (
            isinstance(replication, bool)
            or not isinstance(replication, (int, np.integer))
            or not 0 <= replication <= last
        ):
            raise bad_value("replication", replication, f"a whole number from 0 to {last}")
        played = (self.replay or partial(play_replication, self.case))(int(replication))
        end = np.where(played.answered & np.isfinite(played.end_s), played.end_s, np.nan)
        end = np.where(played.abandoned, played.left_queue_s, end)
        outcome = np.where(played.answered, "answered", np.where(played.abandoned, "abandoned", "unanswered"))
        return pd.DataFrame(
            {
                "arrival_s": played.arrival_s,
                "class": played.kind,
                "wait_s": played.left_queue_s - played.arrival_s,
                "start_s": played.begin_s,
                "frt_s": np.where(
                    played.abandoned, np.nan, played.left_queue_s - played.arrival_s + reply_s(self.case, played)
                ),
                "service_s": played.service_s,
                "end_s": end,
                "outcome": pd.Categorical(outcome, categories=["answered", "abandoned", "unanswered"]),
                "origin": pd.Categorical(np.array(("first", *BROUGHT))[played.origin], categories=["first", *BROUGHT]),
            }
        )
