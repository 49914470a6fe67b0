"""Models judged by the past: ``rolling`` forecasts of it, their ``scores``, and how to ``combine`` them."""

from staffcast.forecast.judging.combine import combined, comparable, weigh
from staffcast.forecast.judging.rolling import Rolled, roll
from staffcast.forecast.judging.scores import backtest, pit, score, spread_of

__all__ = ["Rolled", "backtest", "combined", "comparable", "pit", "roll", "score", "spread_of", "weigh"]
