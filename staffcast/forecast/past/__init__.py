"""A queue's past as models see it: local days × slots, what the calendar says, what is not to be learnt from.

``days``         the table of days, and where each interval lies in it; ``features`` kinds of days, months, years
``lessons``      events taken out, anomalies left out
``anomalies``    outages, spikes, strange days; ``usual`` what is usual, ``runs`` what is far off, ``clock_changes``
"""

from staffcast.forecast.past.days import Days, Grid
from staffcast.forecast.past.features import DayKinds, day_kinds
from staffcast.forecast.past.lessons import Lessons, draw_lessons, learn_events

__all__ = ["DayKinds", "Days", "Grid", "Lessons", "day_kinds", "draw_lessons", "learn_events"]
