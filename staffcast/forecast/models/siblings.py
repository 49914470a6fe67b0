"""A young queue: what the queues beside it will bring, times its share of them so far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from staffcast.contracts import InputError
from staffcast.forecast.models.base import Model
from staffcast.forecast.models.house import House
from staffcast.forecast.models.profile import weekday_profile
from staffcast.forecast.past.days import Dates, Days, Floats, weekday
from staffcast.forecast.past.features import day_kinds

__all__ = ["Siblings"]

_HALF_LIFE_DAYS = 28.0


class Siblings(Model):
    """Share of the other queues' tickets × their forecast by the house model, with a course of the day of its own.

    For a queue of days, not weeks: its weekdays, holidays and growth are taken to be those of its siblings, and its
    course of the day too, as far as its own tickets do not tell another one.
    """

    name = "siblings"
    about = "its share of the other queues' tickets × their forecast"
    min_days = 1
    alone = False

    def _learn(self, past: Days) -> None:
        if past.others is None:
            raise InputError("model siblings needs other queues in the series; with one queue take another model")
        self._profile: Floats = np.zeros((7, past.slots))
        own = past.last(past.span - past.began)
        theirs = replace(past, rates=past.others, others=None)
        if theirs.span < House.min_days:
            raise InputError(f"model siblings needs {House.min_days} days of the other queues, they have {theirs.span}")
        self._house = House().learn(theirs)
        assert own.others is not None
        both = ~np.isnan(own.rates) & ~np.isnan(own.others)
        fresh = 0.5 ** (np.arange(own.span - 1, -1, -1) / _HALF_LIFE_DAYS)[:, None] * both
        mine = float((fresh * np.where(both, own.rates, 0.0)).sum())
        all_theirs = float((fresh * np.where(both, own.others, 0.0)).sum())
        self._share = mine / all_theirs if all_theirs > 0 else 0.0
        usual = fresh.max(axis=1) * ~day_kinds(own.dates, own.calendar).holiday
        self._profile = weekday_profile(
            own.rates, weekday(own.dates), usual if usual.any() else fresh.max(axis=1), own.others
        )

    def _expect(self, dates: Dates) -> Floats:
        total = self._house.expect_days(dates).sum(axis=1)
        return np.asarray(self._share * total[:, None] * self._profile[weekday(dates)])
