"""How many are needed: queueing models over numbers and arrays, and what staffs with them.

The door: one queue in balance
    ``performance``   what tickets and agents meet with a given crew, in the steady state of any of seven models
    ``solve``         the smallest crew that meets a target and a band, and which of them set it
    ``reverse``       what a crew can carry, and which target it meets
    ``chance``        how likely a crew is to meet its target under an uncertain rate
    ``advise``        what would bring an interval into the band
    ``search``, ``start``  the smallest whole and the exact real number

Its rooms
    ``models/``       Erlang B, C, A, X, M/M/c/K, chat; uncertain rates; handle times that are not exponential
    ``overtime/``     queues that carry over from interval to interval, followed exactly, and staffed
    ``deferrable/``   work to be done by a deadline of minutes to days
    ``classes/``      the urgent first; queues with shared skills
"""

from staffcast.contracts import Band, Target
from staffcast.erlang.advise import Advice, advise
from staffcast.erlang.chance import Chance, chance_met
from staffcast.erlang.classes import (
    PoolStaffing,
    PriorityMeans,
    PriorityStaffing,
    PriorityWaits,
    QueueLoad,
    SkillService,
    pool_over_intervals,
    pool_staffing,
    priority_means,
    priority_waits,
    required_agents_by_class,
    skill_performance,
)
from staffcast.erlang.deferrable import Deferrable, PlanStatus, spare_seconds, staff_deferrable
from staffcast.erlang.models import (
    GeneralWait,
    HandleVariation,
    aht_from_turns,
    cv2_of,
    erlang_b,
    erlang_c,
    general_wait,
    mean_wait,
    wait_factor,
    wait_quantile,
    wait_tail,
)
from staffcast.erlang.overtime import (
    OverTime,
    TransientPerformance,
    load_over_time,
    staff_over_time,
    transient_performance,
    transient_quantiles,
)
from staffcast.erlang.performance import Performance, performance
from staffcast.erlang.reverse import Reached, capacity_per_hour, reached_target
from staffcast.erlang.solve import Staffing, required_agents

__all__ = [
    "Advice",
    "Band",
    "Chance",
    "Deferrable",
    "GeneralWait",
    "HandleVariation",
    "OverTime",
    "Performance",
    "PlanStatus",
    "PoolStaffing",
    "PriorityMeans",
    "PriorityStaffing",
    "PriorityWaits",
    "QueueLoad",
    "Reached",
    "SkillService",
    "Staffing",
    "Target",
    "TransientPerformance",
    "advise",
    "aht_from_turns",
    "capacity_per_hour",
    "chance_met",
    "cv2_of",
    "erlang_b",
    "erlang_c",
    "general_wait",
    "load_over_time",
    "mean_wait",
    "performance",
    "pool_over_intervals",
    "pool_staffing",
    "priority_means",
    "priority_waits",
    "reached_target",
    "required_agents",
    "required_agents_by_class",
    "skill_performance",
    "spare_seconds",
    "staff_deferrable",
    "staff_over_time",
    "transient_performance",
    "transient_quantiles",
    "wait_factor",
    "wait_quantile",
    "wait_tail",
]
