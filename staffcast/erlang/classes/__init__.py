"""Several classes or queues with one crew: ``priority`` the urgent first, ``pooling`` queues with shared skills."""

from staffcast.erlang.classes.pooling import (
    PoolStaffing,
    QueueLoad,
    SkillService,
    pool_over_intervals,
    pool_staffing,
    skill_performance,
)
from staffcast.erlang.classes.priority import (
    PriorityMeans,
    PriorityStaffing,
    PriorityWaits,
    priority_means,
    priority_waits,
    required_agents_by_class,
)

__all__ = [
    "PoolStaffing",
    "PriorityMeans",
    "PriorityStaffing",
    "PriorityWaits",
    "QueueLoad",
    "SkillService",
    "pool_over_intervals",
    "pool_staffing",
    "priority_means",
    "priority_waits",
    "required_agents_by_class",
    "skill_performance",
]
