"""How busy, how well: KPIs from a log, backlog over time, utilization and shrinkage from a roster."""

from staffcast.utilization.backlog import backlog
from staffcast.utilization.clock import open_seconds
from staffcast.utilization.kpi import CUTS, kpis, response_times
from staffcast.utilization.measure import QueueFacts, measure, priority_order
from staffcast.utilization.roster import read_roster, utilization

__all__ = [
    "CUTS",
    "QueueFacts",
    "backlog",
    "kpis",
    "measure",
    "open_seconds",
    "priority_order",
    "read_roster",
    "response_times",
    "utilization",
]
