"""The models, behind one interface.

``lineup``     all by name; ``base`` the interface
``house``      level of the day × course of the day; ``profile`` its course, ``drift`` its trend and year, ``specials``
               its holidays, ``shrink`` how much of them is believed
``low_rank``, ``siblings``  the same smoothed; a young queue's share of the others
``baselines``, ``glm``, ``prophet_model``  the planner's means, statsmodels, prophet
"""

from staffcast.forecast.models.base import Model
from staffcast.forecast.models.lineup import DEFAULT, MODELS, SLOW, YOUNG_DAYS, for_history, make, resolve

__all__ = ["DEFAULT", "MODELS", "SLOW", "YOUNG_DAYS", "Model", "for_history", "make", "resolve"]
