"""What every forecast must beat: last week again, and the planner's mean or median of the same weekday-hours."""

from __future__ import annotations

import numpy as np

from staffcast.forecast.models.base import Model
from staffcast.forecast.past.days import Dates, Days, Floats, weekday

__all__ = ["SeasonalMean"]


class SeasonalMean(Model):
    """Mean or median of the last ``weeks`` values at the same weekday and time of day; one week is the seasonal naive.

    Days on which the queue was shut, and public holidays, are passed over: they say nothing about a usual week.
    """

    min_days = 1

    def __init__(self, weeks: int, name: str, *, median: bool = False) -> None:
        self.name = name
        self.weeks = weeks
        self._median = median
        middle = "median" if median else "mean"
        self.about = "last week again" if weeks == 1 else f"{middle} of the last {weeks} same weekdays and times"
        self._profile: Floats = np.zeros((7, 0))

    def _learn(self, past: Days) -> None:
        special = {*past.calendar.closed_on, *past.calendar.holidays}
        usual = ~np.isin(past.dates, np.array(sorted(special), dtype="datetime64[D]"))
        of_week = weekday(past.dates)
        profile = np.array([self._latest(past.rates[usual & (of_week == day)]) for day in range(7)])
        # A slot never seen (two holidays in two weeks of history) takes the mean of its time of day.
        seen = ~np.isnan(profile)
        filler = np.where(seen, profile, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        self._profile = np.where(seen, profile, filler)

    def _latest(self, rates: Floats) -> Floats:
        """Middle of the last known values of each slot; NaN without any."""
        known = ~np.isnan(rates)
        rank = np.cumsum(known[::-1], axis=0)[::-1]
        use = known & (rank <= self.weeks)
        seen = use.any(axis=0)
        result = np.full(rates.shape[1], np.nan)
        if self._median and seen.any():
            result[seen] = np.nanmedian(np.where(use, rates, np.nan)[:, seen], axis=0)
        elif seen.any():
            result[seen] = np.where(use, rates, 0.0).sum(axis=0)[seen] / use.sum(axis=0)[seen]
        return result

    def _expect(self, dates: Dates) -> Floats:
        return self._profile[weekday(dates)]
