"""The line-up of models by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staffcast.contracts import bad_value
from staffcast.forecast.models.base import Model
from staffcast.forecast.models.baselines import SeasonalMean
from staffcast.forecast.models.glm import DailyGLM
from staffcast.forecast.models.house import House
from staffcast.forecast.models.low_rank import LowRank
from staffcast.forecast.models.prophet_model import ProphetModel
from staffcast.forecast.models.siblings import Siblings

__all__ = ["DEFAULT", "MODELS", "SLOW", "YOUNG_DAYS", "for_history", "make", "resolve"]

# From simple to rich: where two are equally good, the simpler one is taken.
MODELS: dict[str, Callable[[], Model]] = {
    "seasonal_naive": lambda: SeasonalMean(1, "seasonal_naive"),
    "mean_4": lambda: SeasonalMean(4, "mean_4"),
    "mean_8": lambda: SeasonalMean(8, "mean_8"),
    "median_4": lambda: SeasonalMean(4, "median_4", median=True),
    "median_8": lambda: SeasonalMean(8, "median_8", median=True),
    "glm": DailyGLM,
    "siblings": Siblings,
    "low_rank": LowRank,
    "house": House,
    "prophet": ProphetModel,
}
# Those that take seconds where the others take milliseconds run only when they are asked for.
# A queue younger than that is compared with its siblings.
YOUNG_DAYS = 56
SLOW = frozenset({"prophet"})
DEFAULT = ("seasonal_naive", "mean_4", "mean_8", "glm", "low_rank", "house")


def for_history(names: Sequence[str], days: int, *, beside: bool) -> tuple[str, ...]:
    """Add what a short history needs: with other queues beside it, its share of them."""
    if beside and days < YOUNG_DAYS and "siblings" not in names and "house" in names:
        return (*names, "siblings")
    return tuple(n for n in names if n != "siblings" or beside)


def make(name: str) -> Model:
    """Make an unfitted model.

    Raises
    ------
    InputError
        Unknown name.

    Examples
    --------
    >>> make("mean_4").about
    'mean of the last 4 same weekdays and times'
    """
    if name not in MODELS:
        raise bad_value("model", name, f"one of {', '.join(MODELS)}")
    return MODELS[name]()


def resolve(model: str | Sequence[str]) -> tuple[str, ...]:
    """Names behind ``"auto"``, ``"all"``, one name, several separated by commas, or a sequence of names."""
    names = [n.strip() for n in model.split(",")] if isinstance(model, str) else list(model)
    if names == ["auto"]:
        return DEFAULT
    if names == ["all"]:
        return tuple(MODELS)
    if not names:
        raise bad_value("model", model, f"at least one of {', '.join(MODELS)}")
    for name in names:
        make(name)
    return tuple(dict.fromkeys(names))
