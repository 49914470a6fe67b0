"""How many will come: models behind one interface, a backtest that picks, honest uncertainty."""

from staffcast.forecast import models
from staffcast.forecast.base import Model
from staffcast.forecast.demand import QUANTILES, Demand, count_quantiles
from staffcast.forecast.main import forecast
from staffcast.forecast.rolling import backtest
from staffcast.forecast.uncertainty import Spread, learn_spread

__all__ = [
    "QUANTILES",
    "Demand",
    "Model",
    "Spread",
    "backtest",
    "count_quantiles",
    "forecast",
    "learn_spread",
    "models",
]
