"""A series cut into its queues, against pandas' own grouping; grids that queues share."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from staffcast.contracts import Calendar
from staffcast.forecast import forecast
from staffcast.forecast.judging.rolling import as_series
from staffcast.forecast.past.days import Days, Grid
from staffcast.forecast.past.queues import cut


def series(*sizes, seed=3):
    """Queues of so many hours with the same end, one count in ten unknown; sorting their names changes their order."""
    rng = np.random.default_rng(seed)
    parts = []
    for place, size in enumerate(sizes):
        ds = pd.date_range(end="2026-03-30", periods=size, freq="h", tz="Europe/Berlin")
        y = np.where(rng.random(size) < 0.1, np.nan, rng.poisson(5.0, size))
        parts.append(pd.DataFrame({"unique_id": f"q{9 - place} é", "ds": ds, "y": y}))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("sizes", [(50, 50, 50), (60, 50, 71), (40,)])
def test_queues_are_those_of_a_grouping(sizes):
    """Names, rows and the sum of the others, whether or not all are known equally long, and shuffled."""
    frame = series(*sizes)
    checked = as_series(frame.sample(frac=1, random_state=1))
    found = cut(checked)
    assert [one.name for one in found] == sorted(frame["unique_id"].unique())
    by_instant = frame.pivot(index="ds", columns="unique_id", values="y")
    for one in found:
        own = frame[frame["unique_id"] == one.name]
        np.testing.assert_array_equal(one.y, own["y"])
        assert (one.ds == pd.DatetimeIndex(own["ds"])).all()
        np.testing.assert_array_equal(one.rows["y"], one.y)
        if len(sizes) == 1:
            assert one.others is None
            continue
        others = by_instant.drop(columns=one.name).sum(axis=1)
        others[by_instant.isna().all(axis=1)] = np.nan
        np.testing.assert_allclose(one.others, others.reindex(own["ds"]))


def test_a_sorted_and_a_shuffled_series_are_the_same():
    """The short way for tables in order leads to the same table."""
    frame = series(60, 50).sort_values(["unique_id", "ds"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(as_series(frame), as_series(frame.sample(frac=1, random_state=2)))


def test_calendars_do_not_take_each_others_grid():
    """Equal hours share where intervals lie and keep their own calendar; other hours have their own grid."""
    ds = pd.date_range("2026-03-01", periods=72, freq="h", tz="Europe/Berlin")
    hours = Calendar.parse("Europe/Berlin", {"mon-fri": "08:00-18:00"})
    named = replace(hours, holidays={ds[0].date(): "First"})
    one, same, zone, shut = (
        Grid.of(ds, each, 60) for each in (hours, named, replace(hours, zone="UTC"), hours.closed([ds[30].date()]))
    )
    assert one.day is same.day
    assert (one.calendar, same.calendar) == (hours, named)
    for grid in (one, zone, shut):
        np.testing.assert_array_equal(grid.opened, grid.calendar.is_open(ds))
        np.testing.assert_array_equal(grid.dates[grid.day], grid.calendar.day(ds))
    assert Days.of(same, np.ones(72)).calendar is named
    assert len(Grid.of(ds[:48], hours, 60).ds) == 48


def test_many_queues_are_forecast_as_in_any_order():
    """A forecast does not depend on the order of the table's rows."""
    frame = series(24 * 70, 24 * 70, 24 * 40)
    one, other = (forecast(each, "7d", model="house") for each in (frame, frame.sample(frac=1, random_state=3)))
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert one.common == other.common
