"""Handle time, patience, shares by time of day: ``model`` and its ``cells``; ``columns`` for the demand."""

from staffcast.forecast.ratios.columns import QueueRatios, learn_ratios
from staffcast.forecast.ratios.model import RatioModel, mean_patience

__all__ = ["QueueRatios", "RatioModel", "learn_ratios", "mean_patience"]
