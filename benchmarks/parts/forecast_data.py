"""The hourly series that forecasts are judged on: real ones where they are at hand, made ones whose rate is known."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import holidays
import numpy as np
import numpy.typing as npt
import pandas as pd
from real_data import data_folder

from staffcast.contracts import Calendar, Event
from staffcast.forecast.past.days import Days, Grid

__all__ = ["HORIZONS", "LAST", "Series", "hourly_shape", "made_series", "made_sets", "real_sets", "small_queues"]

Floats = npt.NDArray[np.float64]

HORIZONS = (1, 7, 28)
LAST = HORIZONS[-1]
ORIGINS = 10
GROWTH, PEAK = 1.2, 1.3
_HOUR = pd.Timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Series:
    """Queues counted by the hour, round the clock, and the days from which they are forecast.

    Attributes
    ----------
    name : str
    kind : {"contacts", "arrivals", "made"}
    frame : DataFrame
        ``unique_id, ds, y`` in whole local days, all queues over the same ones; of made series also ``rate``, what
        is expected in the hour, and ``drawn``, the rate with the busyness of its day and hour that ``y`` came from.
    calendar : Calendar
        Zone and holidays, always open.
    step : int
        Days between origins.
    """

    name: str
    kind: Literal["contacts", "arrivals", "made"]
    frame: pd.DataFrame
    calendar: Calendar
    step: int

    @cached_property
    def queues(self) -> list[str]:
        """Names of the queues."""
        return list(dict.fromkeys(self.frame["unique_id"]))

    @cached_property
    def grid(self) -> Grid:
        """Where the hours lie, for every queue."""
        rows = self.frame[self.frame["unique_id"] == self.queues[0]]
        return Grid.of(pd.DatetimeIndex(rows["ds"]), self.calendar, 60)

    def values(self, queue: str, column: str = "y") -> Floats:
        """One queue's column, shape (hours,)."""
        return self.frame.loc[self.frame["unique_id"] == queue, column].to_numpy(dtype=float)

    @cached_property
    def days(self) -> dict[str, Days]:
        """Each queue's counts as days × hours, beside those of the other queues."""
        all_y = {queue: self.values(queue) for queue in self.queues}
        alone = len(all_y) == 1
        return {
            queue: Days.of(self.grid, y, None if alone else sum(all_y.values()) - y) for queue, y in all_y.items()
        }  # fmt: skip

    def origins(self, most: int = ORIGINS) -> list[int]:
        """Days before which forecasts are made, the last one 28 days before the end."""
        last = len(self.grid.dates) - LAST
        return [last - k * self.step for k in reversed(range(most))]

    def before(self, day: int) -> pd.DataFrame:
        """What was known before a day."""
        start = self.grid.ds[self.grid.between(day, day + 1)[0]]
        return self.frame.loc[self.frame["ds"] < start, ["unique_id", "ds", "y"]]

    def holiday(self, dates: npt.NDArray[np.datetime64]) -> npt.NDArray[np.bool_]:
        """Which days are holidays."""
        return np.isin(dates, np.array(sorted(self.calendar.holidays), dtype="datetime64[D]"))


def _calendar(zone: str, country: str, years: Sequence[int], categories: tuple[str, ...] = ("public",)) -> Calendar:
    found = holidays.country_holidays(country, years=years, categories=categories)
    return Calendar(zone=zone, holidays=dict(found))


# --- Real ones ------------------------------------------------------------------------------------------------------


def bank(folder: Path) -> Series:
    """Calls of a bank, 1999; not known: the day that its publishers filled in (half calls), autumn's second hour."""
    rows = pd.read_csv(folder / "anonymous_bank_1999" / "halfhour_1999.csv.gz")
    ds = pd.to_datetime(rows["timestamp"], utc=True).dt.floor("h").dt.tz_convert("Asia/Jerusalem").rename("ds")
    half = rows["count"] % 1 != 0
    y = rows["count"].where(~ds.dt.date.isin(set(ds[half].dt.date)))
    frame = y.groupby(ds).sum(min_count=1).asfreq("h").rename("y").reset_index().assign(unique_id="bank")
    return Series(
        name="bank", kind="contacts", frame=frame, calendar=_calendar("Asia/Jerusalem", "IL", [1998, 1999, 2000]),
        step=25,
    )  # fmt: skip


def servicenow(folder: Path) -> Series:
    """Tickets of an IT service desk, 13 weeks of 2016; its zone is unknown and its holidays are Brazil's."""
    rows = pd.read_csv(folder / "servicenow_incidents_2016" / "arrivals_hourly.csv.gz")
    ds = pd.to_datetime(rows["timestamp"]).dt.tz_localize("America/Sao_Paulo")
    frame = pd.DataFrame({"unique_id": "servicenow", "ds": ds, "y": rows["count"].astype(float)})
    calendar = _calendar("America/Sao_Paulo", "BR", [2016], ("public", "optional"))
    return Series(name="service desk", kind="contacts", frame=frame, calendar=calendar, step=3)


def iowa(folder: Path) -> Series:
    """Arrivals at an emergency department, 2013–2018.

    Each day has 24 rows there: the one that spring skips is left out (it is a false 0), the one that autumn has twice
    is shared between the two.
    """
    rows = pd.read_csv(folder / "iowa_ed_hourly" / "hourly.csv.gz")
    local, y, zone = pd.to_datetime(rows["timestamp"]), rows["count"].to_numpy(dtype=float), "America/Chicago"
    first = local.dt.tz_localize(zone, ambiguous=np.ones(len(rows), dtype=bool), nonexistent="NaT")
    second = local.dt.tz_localize(zone, ambiguous=np.zeros(len(rows), dtype=bool), nonexistent="NaT")
    twice = (first != second).to_numpy() & first.notna().to_numpy()
    both = pd.concat([
        pd.DataFrame({"ds": first, "y": np.where(twice, np.ceil(y / 2), y)}),
        pd.DataFrame({"ds": second, "y": np.floor(y / 2)})[twice],
    ])  # fmt: skip
    frame = both.dropna(subset="ds").sort_values("ds", ignore_index=True).assign(unique_id="iowa")
    return Series(
        name="emergency", kind="arrivals", frame=frame, calendar=_calendar(zone, "US", range(2013, 2019)), step=34
    )


REAL: dict[str, Callable[[Path], Series]] = {
    "anonymous_bank_1999": bank, "servicenow_incidents_2016": servicenow, "iowa_ed_hourly": iowa,
}  # fmt: skip


def real_sets() -> tuple[list[Series], list[str]]:
    """The real series that are at hand, and what is to be said of the others."""
    folder = data_folder()
    there = {name: load for name, load in REAL.items() if (folder / name).is_dir()}
    missing = [name for name in REAL if name not in there]
    said = [
        f"Not measured, as the data is not at hand: {', '.join(missing)}; STAFFCAST_SHARED_DATA names its folder."
    ] if missing else []  # fmt: skip
    return [load(folder) for load in there.values()], said


# --- Made ones ------------------------------------------------------------------------------------------------------


def sample() -> Series:
    """The repository's own synthetic log: tickets for people by the hour of their first message, three queues."""
    folder, zone = Path(__file__).resolve().parents[2] / "data", "Europe/Berlin"
    log = pd.read_csv(folder / "tickets.csv.gz", usecols=["created_at", "offered_at", "queue"])
    log = log[log["offered_at"].notna()]
    hour = pd.to_datetime(log["created_at"], utc=True).dt.floor("h").dt.tz_convert(zone)
    counts = log.groupby([log["queue"].rename("unique_id"), hour.rename("ds")]).size().rename("y")
    truth = pd.read_csv(folder / "truth.csv.gz").rename(columns={"rate_per_hour": "rate"})
    truth["ds"] = pd.to_datetime(truth["ds"], utc=True).dt.tz_convert(zone)
    truth["drawn"] = np.concatenate([*_drawn_in_sample(folder / "generate.py", list(truth["unique_id"].unique()))])
    truth = truth[truth["ds"] < hour.max().normalize() + pd.Timedelta(days=1)]
    frame = truth.merge(counts.reset_index(), how="left", on=["unique_id", "ds"])
    return Series(
        name="sample", kind="made", frame=frame.assign(y=frame["y"].fillna(0.0)),
        calendar=_calendar(zone, "DE", [2024, 2025]), step=28,
    )  # fmt: skip


def _drawn_in_sample(program: Path, queues: Sequence[str]) -> Iterator[Floats]:
    """Rate per hour with the busyness that the log was drawn from: the file of the truth leaves that out."""
    spec = importlib.util.spec_from_file_location("sample_generator", program)
    assert spec is not None
    assert spec.loader is not None
    made: Any = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # its dataclasses look their module up there
    spec.loader.exec_module(made)
    busy = made.busyness(made.Streams(made.SEED))
    by_name = {queue.name: queue for queue in made.QUEUES}
    for name in queues:
        yield (made.true_rate(by_name[name]) * busy[name]).reshape(-1, 3600 // made.BIN).mean(axis=1)


def hourly_shape(night: float = 0.05) -> Floats:
    """Shape of a desk's week, (7, 24), of mean 1: two humps a day, Monday highest, a quiet weekend."""
    hours = np.arange(24) + 0.5
    day = night + np.exp(-(((hours - 10.5) / 2.2) ** 2)) + 0.8 * np.exp(-(((hours - 16) / 2.6) ** 2))
    week = np.outer([1.25, 1.1, 1.05, 1.0, 0.95, 0.45, 0.3], day)
    return np.asarray(week / week.mean())


def made_series(
    seeds: Iterable[int], first: str, end: str, *, hourly: float = 40.0, events: Sequence[Event] = ()
) -> tuple[pd.DataFrame, Calendar]:
    """Queues that grow by 20 % a year and have 30 % more on the public holidays of the USA and on days of events.

    The rate is known; days (cv 0.08, AR(1) with 0.4) and hours (cv 0.06) are busier or quieter by chance, counts are
    Poisson.
    """
    zone = "America/New_York"
    calendar = replace(_calendar(zone, "US", range(int(first[:4]) - 1, int(end[:4]) + 2)), events=tuple(events))
    ds = pd.date_range(first, end, freq=_HOUR, inclusive="left", tz=zone, name="ds")
    local = ds.tz_localize(None)
    date = local.to_numpy().astype("datetime64[D]")
    day = (date - date[0]).astype(int)
    rate = hourly * hourly_shape()[local.day_of_week, local.hour] * GROWTH ** (day / 365.25)
    for peak in (calendar.holidays, *(event.days for event in events)):
        rate = rate * np.where(np.isin(date, np.array(sorted(peak), dtype="datetime64[D]")), PEAK, 1.0)
    parts = []
    for seed in seeds:
        rng = np.random.default_rng([41, seed])
        noise = rng.standard_normal(day[-1] + 1)
        for at in range(1, len(noise)):
            noise[at] = 0.4 * noise[at - 1] + np.sqrt(1 - 0.4**2) * noise[at]
        logs = 0.08 * noise[day] + 0.06 * rng.standard_normal(len(ds)) - (0.08**2 + 0.06**2) / 2
        drawn = rate * np.exp(logs)
        y = rng.poisson(drawn).astype(float)
        parts.append(pd.DataFrame({"unique_id": f"made {seed}", "ds": ds, "y": y, "rate": rate, "drawn": drawn}))
    return pd.concat(parts, ignore_index=True), calendar


def made_sets() -> list[Series]:
    """The sample, and a growing queue over two and a half years."""
    frame, calendar = made_series([0], "2023-06-05", "2025-12-29")
    return [sample(), Series(name="growth", kind="made", frame=frame, calendar=calendar, step=28)]


def small_queues(number: int, days: int) -> pd.DataFrame:
    """Queues of 1 to 5 tickets an hour, each with a seed of its own; ``rate`` is what is expected."""
    ds = pd.date_range("2026-01-12", periods=24 * days, freq=_HOUR, tz="UTC", name="ds")
    parts = []
    for seed, mean in enumerate(np.linspace(1, 5, number)):
        rng = np.random.default_rng([42, seed])
        busy = np.exp(0.1 * rng.standard_normal(days) - 0.1**2 / 2).repeat(24)
        rate = mean * hourly_shape()[ds.day_of_week, ds.hour]
        parts.append(
            pd.DataFrame({"unique_id": f"small {seed}", "ds": ds, "y": 1.0 * rng.poisson(rate * busy), "rate": rate})
        )
    return pd.concat(parts, ignore_index=True)
