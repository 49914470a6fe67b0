"""What came in: read a log, check it, find its opening hours, count it per interval."""

from staffcast.tickets.count import count, waiting_at_end
from staffcast.tickets.fates import open_waits
from staffcast.tickets.hours import learn_calendar, learn_holiday_closures
from staffcast.tickets.read import IntervalLog, TicketLog, read_log
from staffcast.tickets.times import parse_times

__all__ = [
    "IntervalLog",
    "TicketLog",
    "count",
    "learn_calendar",
    "learn_holiday_closures",
    "open_waits",
    "parse_times",
    "read_log",
    "waiting_at_end",
]
