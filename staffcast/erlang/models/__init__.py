"""One queue in balance with a given crew: every model is a birth–death chain cut in head and queue.

``system``, ``choice``     arguments checked, the model chosen, the queue with a given crew
``formulas``, ``kernels``  Erlang B and C, the wait in M/M/c
``queues``, ``patience``, ``finite``  who finds nobody free: waits, gives up (Erlang A), is turned away (M/M/c/K)
``chat``, ``leastloaded``  conversations side by side; ``redial`` who comes back (Erlang X)
``general``                handle times and arrivals that are not exponential
``gamma``, ``measures``, ``mixture``  the same for a rate that is itself uncertain
"""

from staffcast.erlang.models.chat import aht_from_turns
from staffcast.erlang.models.formulas import erlang_b, erlang_c, mean_wait, wait_quantile, wait_tail
from staffcast.erlang.models.general import GeneralWait, HandleVariation, cv2_of, general_wait, wait_factor

__all__ = [
    "GeneralWait",
    "HandleVariation",
    "aht_from_turns",
    "cv2_of",
    "erlang_b",
    "erlang_c",
    "general_wait",
    "mean_wait",
    "wait_factor",
    "wait_quantile",
    "wait_tail",
]
