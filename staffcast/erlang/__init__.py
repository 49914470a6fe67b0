"""How many are needed: queueing formulas over numbers and arrays, and the staffing solver.

``formulas``     Erlang B and C, the wait in M/M/c
``measures``     the same for a rate that is itself uncertain
``performance``  what tickets and agents meet with a given number of agents
``solve``        the smallest number of agents that meets a target and a band, and which of them set it
"""

from staffcast.contracts import Band, Target
from staffcast.erlang.formulas import erlang_b, erlang_c, mean_wait, wait_quantile, wait_tail
from staffcast.erlang.performance import Performance, performance
from staffcast.erlang.solve import Staffing, required_agents

__all__ = [
    "Band",
    "Performance",
    "Staffing",
    "Target",
    "erlang_b",
    "erlang_c",
    "mean_wait",
    "performance",
    "required_agents",
    "wait_quantile",
    "wait_tail",
]
