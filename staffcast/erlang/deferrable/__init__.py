"""Work to be done by a deadline of minutes to days: the fewest agent-intervals that keep it.

``staff``    the plan of a horizon, live queues' gaps included
``lp``       the fluid's linear programme; ``margin``, ``paths`` what chance adds to it
``search``, ``polish``  from its fractions to whole people; ``work``, ``worth`` what a plan does, what an agent brings
"""

from staffcast.erlang.deferrable.staff import Deferrable, PlanStatus, spare_seconds, staff_deferrable

__all__ = [
    "Deferrable",
    "PlanStatus",
    "spare_seconds",
    "staff_deferrable",
]
