"""Queues that carry over from interval to interval, followed exactly, and staffed.

``staff``        the crew of every interval, by the method named; ``search`` finds it, ``rest`` what it starts from
``transient``    what happens with given crews; ``quantile`` by when a share of them is answered
``chain``        the forward equations of the Markov chain; ``wait`` a tagged ticket; ``score`` the figures from both
``offeredload``  SIPP, lagged SIPP, modified offered load, backlog carryover
"""

from staffcast.erlang.overtime.offeredload import load_over_time
from staffcast.erlang.overtime.quantile import transient_quantiles
from staffcast.erlang.overtime.staff import OverTime, staff_over_time
from staffcast.erlang.overtime.transient import TransientPerformance, transient_performance

__all__ = [
    "OverTime",
    "TransientPerformance",
    "load_over_time",
    "staff_over_time",
    "transient_performance",
    "transient_quantiles",
]
