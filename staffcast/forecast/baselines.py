"""What every forecast must beat: last week again, and the planner's mean of the same weekday-hours."""

from __future__ import annotations

import numpy as np
import pandas as pd

from staffcast.forecast.base import Floats, Model, slot_table

__all__ = ["SeasonalMean"]


class SeasonalMean(Model):
    """Mean of the last ``weeks`` values at the same weekday and time of day; one week is the seasonal naive.

    Days on which the queue was shut, and public holidays, are passed over: they say nothing about a usual week.
    """

    def __init__(self, weeks: int, name: str) -> None:
        self.name = name
        self.weeks = weeks
        self.about = "last week again" if weeks == 1 else f"mean of the last {weeks} same weekdays and times"
        self._profile: Floats = np.zeros(0)

    def _learn(self, ds: pd.DatetimeIndex, y: Floats) -> None:
        number = 7 * 24 * 60 // self._minutes
        slots = self._calendar.slot(ds) // self._minutes
        special = {*self._calendar.closed_on, *self._calendar.holidays}
        usual = ~np.isin(self._calendar.day(ds), np.array(sorted(special), dtype="datetime64[D]"))
        table = slot_table(slots, np.where(usual, y, np.nan), number)[: self.weeks]
        seen = ~np.isnan(table)
        total = np.where(seen, table, 0.0).sum(axis=0)
        # A slot never seen (two holidays in two weeks of history) takes the mean of its time of day.
        profile = np.divide(total, seen.sum(axis=0), out=np.full(number, np.nan), where=seen.any(axis=0))
        by_day = profile.reshape(7, -1)
        count = np.maximum((~np.isnan(by_day)).sum(axis=0), 1)
        filler = np.tile(np.nansum(by_day, axis=0) / count, 7)
        self._profile = np.where(np.isnan(profile), filler, profile)

    def _expect(self, ds: pd.DatetimeIndex) -> Floats:
        return self._profile[self._calendar.slot(ds) // self._minutes]
