"""Planning inputs measured from a log and a roster, each with its interval and number of observations."""

from staffcast.utilization.measured.chats import concurrency_figures
from staffcast.utilization.measured.deflection import deflection_figures
from staffcast.utilization.measured.figures import ENOUGH, Figure, as_table
from staffcast.utilization.measured.handling import first_reply_figures, handle_figures
from staffcast.utilization.measured.returns import redial_figures, reopen_figures, repeat_figures
from staffcast.utilization.measured.shrinkage import shrinkage_figures
from staffcast.utilization.measured.waits import patience_figures

__all__ = [
    "ENOUGH",
    "Figure",
    "as_table",
    "concurrency_figures",
    "deflection_figures",
    "first_reply_figures",
    "handle_figures",
    "patience_figures",
    "redial_figures",
    "reopen_figures",
    "repeat_figures",
    "shrinkage_figures",
]
