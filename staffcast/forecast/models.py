"""The line-up of models by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staffcast.contracts import bad_value
from staffcast.forecast.base import Model
from staffcast.forecast.baselines import SeasonalMean
from staffcast.forecast.glm import DailyGLM
from staffcast.forecast.prophet_model import ProphetModel

__all__ = ["DEFAULT", "MODELS", "make", "resolve"]

# From simple to rich: where two are equally good, the simpler one is taken.
MODELS: dict[str, Callable[[], Model]] = {
    "seasonal_naive": lambda: SeasonalMean(1, "seasonal_naive"),
    "mean_4": lambda: SeasonalMean(4, "mean_4"),
    "mean_8": lambda: SeasonalMean(8, "mean_8"),
    "glm": DailyGLM,
    "prophet": ProphetModel,
}
# prophet takes seconds where the others take milliseconds, so it runs only when it is asked for.
DEFAULT = ("seasonal_naive", "mean_4", "mean_8", "glm")


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
