"""How many will come: models weighed by a backtest, honest uncertainty, what the planner knows better.

The door
    ``main``         forecast every queue; ``demand`` what that hands on, ``sums`` several queues together
    ``today``, ``intraday``  the rest of a day by its morning
    ``uncertainty``  how far a rate may be off; ``horizon`` the intervals ahead

Its rooms
    ``past/``        a queue's past as models see it: events, outages and strange days taken out
    ``models/``      the models
    ``judging/``     backtests, and weights from them
    ``ratios/``      handle times and shares by time of day
    ``hindsight/``   overrides, kept forecasts, and what became of them
"""

from staffcast.forecast import models
from staffcast.forecast.demand import QUANTILES, Demand, count_quantiles
from staffcast.forecast.hindsight import (
    Ledger,
    Override,
    Snapshot,
    accuracy,
    apply_ledger,
    judge,
    list_snapshots,
    load_snapshot,
    offered,
    read_ledger,
    save_snapshot,
)
from staffcast.forecast.intraday import Intraday, Revision, learn_intraday
from staffcast.forecast.judging import backtest, pit
from staffcast.forecast.main import forecast
from staffcast.forecast.models import Model
from staffcast.forecast.ratios import RatioModel, mean_patience
from staffcast.forecast.sums import sum_queues
from staffcast.forecast.today import revise_today
from staffcast.forecast.uncertainty import Spread, learn_spread

__all__ = [
    "QUANTILES",
    "Demand",
    "Intraday",
    "Ledger",
    "Model",
    "Override",
    "RatioModel",
    "Revision",
    "Snapshot",
    "Spread",
    "accuracy",
    "apply_ledger",
    "backtest",
    "count_quantiles",
    "forecast",
    "judge",
    "learn_intraday",
    "learn_spread",
    "list_snapshots",
    "load_snapshot",
    "mean_patience",
    "models",
    "offered",
    "pit",
    "read_ledger",
    "revise_today",
    "save_snapshot",
    "sum_queues",
]
