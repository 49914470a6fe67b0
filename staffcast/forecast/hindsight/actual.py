"""What came, stated as forecasts state it: tickets offered to people, per queue and interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import Calendar, InputError, Table
from staffcast.contracts.tables import Column
from staffcast.forecast.demand import Floats
from staffcast.forecast.hindsight.ledger import instants_s
from staffcast.forecast.judging.rolling import Calendars, as_series, calendars_for

__all__ = ["ACTUAL", "Actual", "offered"]

ACTUAL = Table(
    name="actual",
    made_by="`staffcast.forecast.offered(series, calendars)` makes it from counts.",
    key=("unique_id", "ds"),
    columns={
        "unique_id": Column(kind="text", about="name of the queue"),
        "ds": Column(kind="time", about="start of the interval, with its offset"),
        "offered": Column(kind="number", about="tickets offered to people; empty = not known", nullable=True, low=0),
        "open": Column(kind="flag", about="whether the queue was open", required=False),
    },
)


def offered(series: pd.DataFrame, calendar: Calendars = None) -> pd.DataFrame:
    """What was offered to people, as forecasts state it: what came while closed counts at the next opening.

    Parameters
    ----------
    series : DataFrame
        The series table: ``unique_id, ds, y``.
    calendar : Calendar, mapping of queue to Calendar, or None
        Opening hours; None: always open.

    Returns
    -------
    DataFrame
        ``unique_id, ds, offered, open``. Not known (NaN) where ``y`` is not, and at the first opening of a series that
        begins while closed, as what came before it is not in it.

    Raises
    ------
    InputError
        The series breaks its contract.

    Examples
    --------
    >>> ds = pd.date_range("2026-03-02T06:00", periods=5, freq="h", tz="UTC")
    >>> series = pd.DataFrame({"unique_id": "a", "ds": ds, "y": [1.0, 2, 3, 4, 5]})
    >>> offered(series, Calendar.parse("UTC", {"mon": "06:00-07:00, 09:00-24:00"}))["offered"].tolist()
    [1.0, 0.0, 0.0, 9.0, 5.0]
    """
    frame = as_series(series)
    calendars = calendars_for(frame, calendar)
    parts = [_folded(rows, calendars[str(queue)]) for queue, rows in frame.groupby("unique_id", sort=False)]
    return pd.concat(parts, ignore_index=True)


def _folded(rows: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    ds = pd.DatetimeIndex(rows["ds"])
    opened = calendar.is_open(ds)
    came, _ = calendar.fold(rows["y"].to_numpy(dtype=float), ds)
    if not opened[0] and opened.any() and calendar.closed_arrivals == "wait":
        came[np.argmax(opened)] = np.nan
    return pd.DataFrame({"unique_id": rows["unique_id"].to_numpy(), "ds": ds, "offered": came, "open": opened})


class Actual:
    """What came, laid out to be looked up.

    Attributes
    ----------
    table : DataFrame
        The table, checked.

    Raises
    ------
    InputError
        The table breaks its contract.
    """

    def __init__(self, actual: pd.DataFrame) -> None:
        self.table = ACTUAL.check(actual)
        self._codes, queues = pd.factorize(self.table["unique_id"])
        self._queues = pd.Index(queues)
        keys = self._key(self._codes, instants_s(self.table["ds"]))
        order = np.argsort(keys)
        self._keys = keys[order]
        self._offered = self.table["offered"].to_numpy(dtype=float)[order]
        opened = self.table["open"].to_numpy(dtype=bool)[order] if "open" in self.table else True
        self._while_open = np.where(opened, self._offered, np.nan)

    @staticmethod
    def _key(codes: npt.NDArray[np.intp], seconds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return codes.astype(np.int64) * 2**36 + seconds

    def at(self, queue: pd.Series, ds: pd.Series | pd.DatetimeIndex, *, while_open: bool = False) -> Floats:
        """What was offered to the given queues at the given instants; NaN where that is not known."""
        codes = self._queues.get_indexer(pd.Index(queue))
        wanted = self._key(codes, instants_s(ds))
        place = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        values = self._while_open if while_open else self._offered
        return np.where((codes >= 0) & (self._keys[place] == wanted), values[place], np.nan)

    def require_length(self, lengths: set[int]) -> None:
        """Check that it was counted in intervals of these lengths, in minutes.

        Raises
        ------
        InputError
            It was not, or the lengths differ.
        """
        gaps = np.diff(self._keys)[np.diff(np.sort(self._codes)) == 0]
        for minutes in lengths:
            if len(gaps) and gaps.min() != 60 * minutes:
                raise InputError(
                    f"what came is counted per {gaps.min() / 60:g} min, a forecast per {minutes} min; count the log "
                    f"with --interval {minutes}m, and judge forecasts of different intervals apart"
                )
