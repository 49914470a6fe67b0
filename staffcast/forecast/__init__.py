"""How many will come: models behind one interface, a backtest that picks, honest uncertainty."""

from staffcast.forecast import models
from staffcast.forecast.accuracy import accuracy, judge
from staffcast.forecast.actual import offered
from staffcast.forecast.base import Model
from staffcast.forecast.demand import QUANTILES, Demand, count_quantiles
from staffcast.forecast.intraday import Intraday, Revision, learn_intraday
from staffcast.forecast.ledger import Ledger, apply_ledger, read_ledger
from staffcast.forecast.main import forecast
from staffcast.forecast.overrides import Override
from staffcast.forecast.ratios import RatioModel, mean_patience
from staffcast.forecast.scores import backtest
from staffcast.forecast.snapshots import Snapshot, list_snapshots, load_snapshot, save_snapshot
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
    "read_ledger",
    "revise_today",
    "save_snapshot",
    "sum_queues",
]
