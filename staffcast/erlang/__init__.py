"""How many are needed: queueing models over numbers and arrays, and what staffs with them.

The door
    ``performance``   what tickets and agents meet with a given crew, in the steady state of any of seven models
    ``solve``         the smallest crew that meets a target and a band, and which of them set it
    ``reverse``       what a crew can carry, and which target it meets
    ``chance``        how likely a crew is to meet its target under an uncertain rate
    ``advise``        what would bring an interval into the band

Beyond the steady state
    ``transient``, ``overtime``  queues that carry over from interval to interval, followed exactly, and staffed
    ``offeredload``   SIPP, lagged SIPP, modified offered load, backlog carryover
    ``deferrable``    work to be done by a deadline of minutes to days

Several classes, queues, distributions
    ``priority``      the urgent first
    ``pooling``       queues with shared skills
    ``general``       handle times and arrivals that are not exponential

Behind the door
    ``formulas``, ``kernels``  Erlang B and C, the wait in M/M/c
    ``system``, ``choice``     arguments checked, the model chosen, the queue with a given crew
    ``queues``, ``patience``, ``finite``  who finds nobody free: waits, gives up (Erlang A), is turned away (M/M/c/K)
    ``chat``, ``leastloaded``, ``redial`` conversations side by side; Erlang X
    ``gamma``, ``measures``, ``mixture``  the same for a rate that is itself uncertain
    ``search``, ``start``      the smallest whole and the exact real number
"""

from staffcast.contracts import Band, Target
from staffcast.erlang.advise import Advice, advise
from staffcast.erlang.chance import Chance, chance_met
from staffcast.erlang.chat import aht_from_turns
from staffcast.erlang.deferrable import Deferrable, PlanStatus, spare_seconds, staff_deferrable
from staffcast.erlang.formulas import erlang_b, erlang_c, mean_wait, wait_quantile, wait_tail
from staffcast.erlang.general import GeneralWait, HandleVariation, cv2_of, general_wait, wait_factor
from staffcast.erlang.offeredload import load_over_time
from staffcast.erlang.overtime import OverTime, staff_over_time
from staffcast.erlang.performance import Performance, performance
from staffcast.erlang.pooling import (
    PoolStaffing,
    QueueLoad,
    SkillService,
    pool_over_intervals,
    pool_staffing,
    skill_performance,
)
from staffcast.erlang.priority import (
    PriorityMeans,
    PriorityStaffing,
    PriorityWaits,
    priority_means,
    priority_waits,
    required_agents_by_class,
)
from staffcast.erlang.reverse import Reached, capacity_per_hour, reached_target
from staffcast.erlang.solve import Staffing, required_agents
from staffcast.erlang.transient import TransientPerformance, transient_performance
from staffcast.erlang.transient_quantile import transient_quantiles

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
