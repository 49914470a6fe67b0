"""A whole simulation in one record."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Summary"]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A whole simulation in one record. Numbers of tickets and seconds are means per replication.

    Attributes
    ----------
    replications : int
        Replications played.
    offered, answered, abandoned, unanswered : float
        Tickets, the opening backlog included; ``offered = answered + abandoned + unanswered``.
    mean_wait_s, mean_wait_s_se, mean_wait_s_low, mean_wait_s_high : float
        Mean time in the queue of every ticket offered, however it ended; its error and 95 % interval, whose unit is
        the replication.
    p_wait, p_abandon : float
        Shares of the tickets offered that waited at all, and that gave up.
    frt_mean_s, frt_mean_s_se, frt_mean_s_low, frt_mean_s_high : float
        Mean first response time, likewise; the unanswered count with their time so far, the abandoned not.
    frt_p50_s, frt_p90_s, frt_p95_s, frt_p99_s : float
        Quantiles of first response time pooled over all tickets, to 0.1 % of the wait; the same tickets as the mean.
    frt_p95_s_low, frt_p95_s_high : float
        95 % interval of the pooled 95th percentile; its unit is the replication.
    service_level, service_level_low, service_level_high : float
        Share of the decided tickets answered within the target's time, with its 95 % interval, whose unit is the
        replication. NaN without a target, the interval NaN with one replication.
    utilization, utilization_se : float
        Handling within staffed time ÷ staffed time; of agents with several conversations the time with any in hand.
    load : float
        Handle time that all offered tickets bring ÷ what the staff can handle with hands full; above 1 the plan cannot
        keep up.
    staffed_s, handled_s, overtime_s : float
        Agent seconds staffed; spent on tickets within the play, overtime included; spent by leavers after their shift.
    queue_mean : float
        Time average of tickets waiting.
    backlog_start : int
        Tickets of the opening backlog.
    backlog_end, backlog_end_p05, backlog_end_p95 : float
        Tickets waiting at the end, mean and quantiles over replications.
    opening_mean, opening_p95 : float
        Tickets waiting when the queue opens, over all openings and replications together (of each opening:
        ``Outcome.openings``); NaN without an opening.
    opening_above : float
        Share of the openings at which more wait than people are there.
    clear_mean_s : float
        Mean time from an opening until nobody waits, by the grid; who never clears counts until the play's end.
    met_share : float
        Share of the replications in which the target was met over all tickets; NaN without a target.
    expired : float
        Tickets whose wait outlasted the window; 0 without one.
    bot_closed : float
        Conversations closed by the bot, not among the tickets offered.
    redialled, reopened, repeated : float
        Tickets offered that others brought about.
    """

    replications: int
    offered: float
    answered: float
    abandoned: float
    unanswered: float
    mean_wait_s: float
    mean_wait_s_se: float
    mean_wait_s_low: float
    mean_wait_s_high: float
    p_wait: float
    p_abandon: float
    frt_mean_s: float
    frt_mean_s_se: float
    frt_mean_s_low: float
    frt_mean_s_high: float
    frt_p50_s: float
    frt_p90_s: float
    frt_p95_s: float
    frt_p95_s_low: float
    frt_p95_s_high: float
    frt_p99_s: float
    service_level: float
    service_level_low: float
    service_level_high: float
    utilization: float
    utilization_se: float
    load: float
    staffed_s: float
    handled_s: float
    overtime_s: float
    queue_mean: float
    backlog_start: int
    backlog_end: float
    backlog_end_p05: float
    backlog_end_p95: float
    opening_mean: float
    opening_p95: float
    opening_above: float
    clear_mean_s: float
    met_share: float
    expired: float
    bot_closed: float
    redialled: float
    reopened: float
    repeated: float
