"""How busy, how well: KPIs from a log with targets and alarms, backlog over time, utilization from a roster."""

from staffcast.utilization.ab import compare_variants
from staffcast.utilization.ages import AGE_BANDS, backlog_ages
from staffcast.utilization.alarm import BacklogAlarm, backlog_alarm
from staffcast.utilization.backlog import backlog
from staffcast.utilization.catalogue import MEASURES, find_kpi, kpi_names
from staffcast.utilization.clock import open_seconds
from staffcast.utilization.clocks import CLOCKS, ClockRule, clock_rule, first_responses, reconcile
from staffcast.utilization.kpi import CUTS, kpis, response_times
from staffcast.utilization.live import Live, live
from staffcast.utilization.long import PERIODS, KpiTable, kpi_long
from staffcast.utilization.measure import QueueFacts, measure, priority_order
from staffcast.utilization.online import online_times, unavailable
from staffcast.utilization.roster import read_roster, utilization
from staffcast.utilization.survival import KaplanMeier, kaplan_meier
from staffcast.utilization.targets import DEFAULT_TARGETS, KpiTarget, judge, parse_targets, read_targets

__all__ = [
    "AGE_BANDS",
    "CLOCKS",
    "CUTS",
    "DEFAULT_TARGETS",
    "MEASURES",
    "PERIODS",
    "BacklogAlarm",
    "ClockRule",
    "KaplanMeier",
    "KpiTable",
    "KpiTarget",
    "Live",
    "QueueFacts",
    "backlog",
    "backlog_ages",
    "backlog_alarm",
    "clock_rule",
    "compare_variants",
    "find_kpi",
    "first_responses",
    "judge",
    "kaplan_meier",
    "kpi_long",
    "kpi_names",
    "kpis",
    "live",
    "measure",
    "online_times",
    "open_seconds",
    "parse_targets",
    "priority_order",
    "read_roster",
    "read_targets",
    "reconcile",
    "response_times",
    "unavailable",
    "utilization",
]
