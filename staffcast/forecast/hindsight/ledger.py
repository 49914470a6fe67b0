"""Overrides as a ledger: what a planner knows and the past does not say, who said so, and what it changed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import InputError, bad_value, check_zone
from staffcast.contracts.files import read_frame
from staffcast.forecast.demand import Demand, Floats, count_quantiles
from staffcast.forecast.hindsight.overrides import (
    EVERY_QUEUE,
    KEYS,
    NEEDED,
    Override,
    is_empty,
    read_override,
    require_known,
)

__all__ = ["Ledger", "Override", "Step", "apply_ledger", "instants_s", "read_ledger", "replay"]

_QUANTILE = re.compile(r"q(\d\d(?:\.\d+)?)")


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Overrides in the order in which they are applied.

    Attributes
    ----------
    overrides : tuple of Override

    Raises
    ------
    InputError
        The same entry stands twice.
    """

    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        seen: dict[Override, int] = {}
        for number, one in enumerate(self.overrides, 1):
            first = seen.setdefault(one, number)
            if first < number:
                raise InputError(
                    f"entries {first} and {number} are the same: {one.describe()}; both would be applied, so keep one, "
                    "or give the second its own reason"
                )

    def records(self) -> list[dict[str, Any]]:
        """Entries as plain values; :meth:`from_records` reads them again."""
        return [one.record() for one in self.overrides]

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, Any]], *, zone: str) -> Ledger:
        """Ledger from mappings with the keys of the file.

        Raises
        ------
        InputError
            Naming the entry.
        """
        made = []
        for number, record in enumerate(records, 1):
            try:
                made.append(read_override(record, zone=zone))
            except InputError as error:
                raise InputError(f"override {number}: {error}") from None
        return cls(overrides=tuple(made))


def read_ledger(path: str | Path, *, zone: str) -> Ledger:
    r"""Read and check a ledger of overrides.

    Parameters
    ----------
    path : path
        TOML with ``[[override]]`` tables, or CSV with a row per override. Keys or columns: ``start, end, queue,
        factor, add, reason, author, entered``; one of ``factor`` and ``add`` is filled, ``entered`` may be empty.
        ``queue`` may be ``*``. ``factor`` is a number or a change like ``+20%``; ``add`` is in tickets over the whole
        span. Times are wall clock in ``zone``, or ISO 8601 with offset; ``end`` is not part of the span. A bare day
        is the whole local day: as ``end`` it means the end of that day. A clock time that comes twice in autumn is the
        first of the two; one that spring skips is the end of the gap.
    zone : str
        IANA zone of the queues.

    Returns
    -------
    Ledger
        In the order of the file.

    Raises
    ------
    InputError
        No such file, an unknown column or key, a missing or unreadable value, one outside its range, the same entry
        twice; with file and row.

    Examples
    --------
    >>> import tempfile
    >>> text = "start,end,queue,factor,add,reason,author\n2026-11-27,2026-11-27,*,+40%,,Black Friday,Ana\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "overrides.csv").write_text(text)
    ...     ledger = read_ledger(Path(folder) / "overrides.csv", zone="Europe/Berlin")
    >>> ledger.overrides[0].describe()
    '× 1.4 from 2026-11-27 00:00 to 2026-11-28 00:00 (Black Friday, Ana)'
    """
    path = Path(path)
    check_zone(zone)
    try:
        if path.suffix.lower() == ".toml":
            return Ledger.from_records(_toml_records(path), zone=zone)
        return Ledger(overrides=tuple(_csv_overrides(path, zone)))
    except InputError as error:
        raise error if error.file is not None else InputError(str(error), file=path) from None


def _toml_records(path: Path) -> list[dict[str, Any]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Notepad puts a mark in front
    except FileNotFoundError:
        raise InputError("there is no such file", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", file=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not valid TOML: {error}; text stands in quotes", file=path) from error
    require_known(list(content), ["override"], "key")
    records = content.get("override", [])
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise bad_value("override", records, "tables, one per override", "put [[override]] above each")
    return records


def _csv_overrides(path: Path, zone: str) -> Iterator[Override]:
    if path.suffix.lower() in (".parquet", ".pq"):
        raise InputError("a ledger is CSV or TOML, so that people can write and read it; export it as CSV", file=path)
    frame = read_frame(path)
    require_known(list(frame.columns), list(KEYS), "column")
    missing = [c for c in NEEDED if c not in frame]
    missing += [] if {"factor", "add"} & set(frame) else ["factor or add"]
    if missing:
        found = ", ".join(frame.columns)
        raise InputError(f"lacks {', '.join(missing)}; it has: {found}. A ledger has {', '.join(KEYS)}", file=path)
    for row, record in enumerate(frame.to_dict("records"), 2):
        if all(map(is_empty, record.values())):
            continue  # spreadsheets write the empty rows below a table
        try:
            yield read_override({str(k): v for k, v in record.items()}, zone=zone)
        except InputError as error:
            raise InputError(str(error), file=path, row=row) from None


def instants_s(ds: pd.Series | pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    """Seconds since 1970 of aware instants, whatever their zone and resolution."""
    utc = pd.DatetimeIndex(ds).tz_convert("UTC").tz_localize(None)
    return utc.to_numpy().astype("datetime64[s]").astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one override does to a demand table.

    Attributes
    ----------
    number : int
        Place in the ledger, from 1.
    override : Override
    at : ndarray of int, shape (k,)
        Rows of the table that it touches: open intervals of its queue that its span meets.
    before, after : ndarray, shape (k,)
        Expected tickets of these rows without it (but with the entries above it), and with it.
    inside : float
        Share of the span, by time, that the table covers.
    """

    number: int
    override: Override
    at: npt.NDArray[np.int64]
    before: Floats
    after: Floats
    inside: float


def replay(ledger: Ledger, demand: Demand, mean: Floats) -> list[Step]:
    """Apply the entries one after the other, each to what those above it left.

    Parameters
    ----------
    ledger : Ledger
    demand : Demand
        Gives queues, instants and opening.
    mean : ndarray, shape (rows of ``demand.frame``,)
        Expected tickets to begin with.

    Returns
    -------
    list of Step
    """
    length = 60 * demand.minutes
    begin = instants_s(demand.frame["ds"])
    first, last = begin.min(), begin.max() + length
    queue = demand.frame["unique_id"].to_numpy(dtype=object)
    opened = demand.frame["open"].to_numpy(dtype=bool)
    mean, steps = mean.copy(), []
    for number, one in enumerate(ledger.overrides, 1):
        start, end = one.start.timestamp(), one.end.timestamp()
        share = np.clip(np.minimum(begin + length, end) - np.maximum(begin, start), 0, None) / length
        inside = max(min(last, end) - max(first, start), 0.0) / (end - start)
        mine = opened if one.queue == EVERY_QUEUE else opened & (queue == one.queue)
        at = np.flatnonzero(mine & (share > 0))
        before = mean[at]
        if one.add is None:
            after = before * (1 + ((one.factor or 0.0) - 1) * share[at])
        else:
            weight = before * share[at]
            weight = weight if weight.sum() > 0 else share[at]
            after = np.maximum(before + one.add * inside * weight / weight.sum(), 0.0) if len(at) else before
        mean[at] = after
        steps.append(Step(number=number, override=one, at=at, before=before, after=after, inside=inside))
    return steps


def apply_ledger(demand: Demand, ledger: Ledger) -> Demand:
    """Put the planner's overrides on top of what the models say.

    Entries of one queue that overlap are applied in the order of the file, each to the result of those above it: two
    factors multiply, and what is added before a factor is multiplied by it too. An override is about what is offered
    to people, so what waited at opening (``carried``) changes with its interval. ``factor`` works in each interval on
    the part of it that lies in the span. ``add`` is the number of tickets in all over the span (over all queues
    together with ``*``), spread over its open intervals in proportion to the forecast, evenly where that is 0; of a
    span that is partly outside the forecast it adds the part, by time, that is inside. Nothing falls below 0.

    Parameters
    ----------
    demand : Demand
        As forecast, without overrides.
    ledger : Ledger

    Returns
    -------
    Demand
        Column ``model_mean`` has what the models said, ``mean``, ``carried`` and the quantile columns have the
        overrides in them; ``rate_cv`` stays, as the planner's number is not taken to be surer than the models'.
        ``why[queue]["overrides"]`` lists the entries applied with their effect in tickets, ``why[queue]["notes"]``
        says which changed nothing.

    Raises
    ------
    InputError
        A queue that is not in the demand, or a demand that has overrides already.

    Examples
    --------
    >>> ds = pd.date_range("2026-03-02", periods=4, freq="h", tz="UTC")
    >>> demand = Demand.from_frame(pd.DataFrame({"unique_id": "a", "ds": ds, "mean": [10.0, 20, 30, 40]}))
    >>> one = Override(start=ds[1], end=ds[3], queue="a", add=10, reason="mailing", author="Ana")
    >>> apply_ledger(demand, Ledger(overrides=(one,))).frame["mean"].tolist()
    [10.0, 24.0, 36.0, 40.0]
    """
    frame = demand.frame
    if "model_mean" in frame:
        raise InputError(
            "the demand has overrides in it already (column model_mean); write all of them in one ledger and apply "
            "that to the forecast"
        )
    queues = demand.queues
    for number, one in enumerate(ledger.overrides, 1):
        if one.queue not in (*queues, EVERY_QUEUE):
            raise bad_value(
                "queue", one.queue, f"a queue of the forecast ({', '.join(queues)}) or {EVERY_QUEUE}",
                f"entry {number} of the ledger: {one.describe()}",
            )  # fmt: skip
    model = frame["mean"].to_numpy(dtype=float)
    steps = replay(ledger, demand, model)
    mean = model.copy()
    for step in steps:
        mean[step.at] = step.after
    ratio = np.divide(mean, model, out=np.ones(len(mean)), where=model > 0)
    changed = frame.assign(mean=mean, model_mean=model, carried=frame["carried"].to_numpy(dtype=float) * ratio)
    at = np.flatnonzero(mean != model)
    levels = {c: float(m[1]) / 100 for c in frame.columns if (m := _QUANTILE.fullmatch(str(c)))}
    if levels and len(at):
        table = count_quantiles(mean[at], frame["rate_cv"].to_numpy(dtype=float)[at], list(levels.values()))
        for k, column in enumerate(levels):
            values = frame[column].to_numpy(dtype=float).copy()
            values[at] = table[:, k]
            changed[column] = values
    return replace(demand, frame=changed, why={**demand.why, **_reasons(demand, steps)})


def _reasons(demand: Demand, steps: Sequence[Step]) -> dict[str, dict[str, Any]]:
    """The reasons per queue, with the overrides applied and the notes on those that were not, or not wholly."""
    place = {queue: k for k, queue in enumerate(demand.queues)}
    code = demand.frame["unique_id"].map(place).to_numpy(dtype=np.int64)
    why = {q: {**demand.why.get(q, {}), "overrides": [], "notes": [*demand.why.get(q, {}).get("notes", [])]}
           for q in place}  # fmt: skip
    for step in steps:
        own = code[step.at]
        number = np.bincount(own, minlength=len(place))
        before, after = (np.bincount(own, weights=v, minlength=len(place)) for v in (step.before, step.after))
        for queue, k in place.items():
            if number[k]:
                why[queue]["overrides"].append(
                    {
                        "entry": step.number, **step.override.record(), "intervals": int(number[k]),
                        "tickets_before": float(before[k]), "tickets_after": float(after[k]),
                        "effect": float(after[k] - before[k]),
                    }
                )  # fmt: skip
            if step.override.queue in (queue, EVERY_QUEUE):
                why[queue]["notes"] += _doubts(step, demand)
    return why


def _doubts(step: Step, demand: Demand) -> list[str]:
    one, what = step.override, f"override {step.number}, {step.override.describe()},"
    if step.inside == 0:
        end = demand.ds[-1] + pd.Timedelta(minutes=demand.minutes)
        span = f"{demand.ds[0]:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"
        return [f"{what} lies outside the forecast ({span}): it changes nothing"]
    if not len(step.at):
        return [f"{what} has no open interval: it changes nothing; give it the hours of the opening it is about"]
    if one.add is None:
        return [] if step.before.any() else [f"{what} changes nothing: the forecast there is 0; use add"]
    wanted = one.add * step.inside
    notes = []
    if step.inside < 1:
        notes.append(f"{what} is partly outside the forecast: {wanted:+.1f} tickets of it fall inside")
    if float((step.after - step.before).sum()) > wanted + 1e-6:
        notes.append(f"{what} takes off more than the forecast has: {step.before.sum() - step.after.sum():.1f} taken")
    return notes
