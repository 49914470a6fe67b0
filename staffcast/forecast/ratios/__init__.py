"""Handle time, patience, shares by time of day: ``model`` and its ``cells``; ``handling`` for the demand."""

from staffcast.forecast.ratios.handling import HandleTimes, learn_handle_times
from staffcast.forecast.ratios.model import RatioModel, mean_patience

__all__ = ["HandleTimes", "RatioModel", "learn_handle_times", "mean_patience"]
