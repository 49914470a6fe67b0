"""How many are needed: queueing models over numbers and arrays, and the staffing solver.

The door
    ``performance``   what tickets and agents meet with a given crew
    ``solve``         the smallest crew that meets a target and a band, and which of them set it
    ``reverse``       what a crew can carry, and which target it meets
    ``advise``        what would bring an interval into the band

Behind it
    ``formulas``      Erlang B and C, the wait in M/M/c
    ``system``        arguments checked, the model chosen, the queue with a given crew
    ``queues``        those who find no free slot: nobody gives up; ``patience``: Erlang A; ``finite``: M/M/c/K
    ``chat``          conversations side by side, spread evenly; ``leastloaded``: given to the least loaded
    ``redial``        Erlang X
    ``gamma``, ``measures``, ``mixture``  the same for a rate that is itself uncertain
    ``search``        the smallest whole and the exact real number
"""

from staffcast.contracts import Band, Target
from staffcast.erlang.advise import Advice, advise
from staffcast.erlang.formulas import erlang_b, erlang_c, mean_wait, wait_quantile, wait_tail
from staffcast.erlang.performance import Performance, performance
from staffcast.erlang.reverse import Reached, capacity_per_hour, reached_target
from staffcast.erlang.solve import Staffing, required_agents

__all__ = [
    "Advice",
    "Band",
    "Performance",
    "Reached",
    "Staffing",
    "Target",
    "advise",
    "capacity_per_hour",
    "erlang_b",
    "erlang_c",
    "mean_wait",
    "performance",
    "reached_target",
    "required_agents",
    "wait_quantile",
    "wait_tail",
]
