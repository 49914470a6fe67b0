"""Handle times, patience, shares closed by the bot and reopened, for the intervals to come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from staffcast.contracts import InputError, format_duration, format_share
from staffcast.forecast.past.days import Floats, Grid, weekday
from staffcast.forecast.ratios.model import Kind, RatioModel

__all__ = ["QueueRatios", "learn_ratios"]

_RECENT_DAYS = 182
_HOURS = 24


class _Ratio(NamedTuple):
    """One ratio: what it is called, of which columns of the series it is learnt, and as what it is handed on.

    ``by_hour``: learnt per hour of the day, however short the intervals; it takes a fraction of the time.
    """

    about: str
    kind: Kind
    needs: tuple[str, ...]
    sums: Callable[[Mapping[str, Floats]], tuple[Floats, Floats]]
    mean: str
    spread: str
    by_hour: bool = True

    def merged(self, grid: Grid) -> int:
        """How many slots of the grid are one of the model's."""
        return grid.slots // _HOURS if self.by_hour else 1

    def level(self, model: RatioModel) -> str:
        """How much it is, where the demand's own tables do not show it."""
        if self.kind == "positive":
            return ""
        return f"{format_duration(model.level) if self.kind == 'patience' else format_share(model.level, 1)}, "


def _handling(c: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    known = (c["y"] > 0) & (c["aht_s"] > 0)
    weight = np.where(known, c["y"], np.where(np.isnan(c["y"]), np.nan, 0.0))
    return np.where(known, c["aht_s"] * c["y"], 0.0) * (weight * 0 + 1), weight


_RATIOS = (
    _Ratio("handle times", "positive", ("y", "aht_s"), _handling, "aht_s", "aht_cv", by_hour=False),
    _Ratio(
        "patience", "patience", ("waited_s", "abandoned"), lambda c: (c["waited_s"], c["abandoned"]), "patience_s",
        "patience_cv",
    ),
    _Ratio(
        "closed by the bot, not part of the tickets", "share", ("bot_closed", "y"),
        lambda c: (c["bot_closed"], c["bot_closed"] + c["y"]), "bot_share", "bot_share_sd",
    ),
    _Ratio(
        "reopened later", "share", ("reopened", "y"), lambda c: (c["reopened"], c["y"]),
        "reopen_share", "reopen_share_sd",
    ),
)  # fmt: skip


class QueueRatios(NamedTuple):
    """What one queue's log tells of its ratios, each by the name of its column in the demand table.

    Attributes
    ----------
    models : mapping of str to RatioModel
        Under ``aht_s, patience_s, bot_share, reopen_share`` as far as they are known.
    """

    models: Mapping[str, RatioModel]

    def at(self, grid: Grid) -> dict[str, Floats]:
        """Columns of the demand table for intervals to come, each of shape (n,).

        ``aht_s`` is there always, NaN where the log has none; the others only where they are known.
        """
        columns = {"aht_s": np.full(len(grid.ds), np.nan)}
        day = weekday(grid.dates)[grid.day]
        for ratio in self._known:
            slot = grid.slot // ratio.merged(grid)
            columns[ratio.mean], columns[ratio.spread] = self.models[ratio.mean].expect(day, slot)
        return columns

    @property
    def notes(self) -> list[str]:
        """What was found, a sentence each, for people."""
        return [f"{r.about}: {r.level(self.models[r.mean])}{self.models[r.mean].note}" for r in self._known]

    @property
    def _known(self) -> list[_Ratio]:
        return [ratio for ratio in _RATIOS if ratio.mean in self.models]


def learn_ratios(queues: Mapping[str, tuple[pd.DataFrame, Grid]]) -> dict[str, QueueRatios]:
    """Learn each queue's course of its ratios over the day from its last half year.

    Parameters
    ----------
    queues : mapping of queue to (rows, Grid)
        Rows of the series with ``y`` and, where known, ``aht_s, abandoned, waited_s, bot_closed, reopened``; and where
        they lie.

    Returns
    -------
    dict of queue to QueueRatios
        A queue with few tickets leans on the course of the others as far as it is like them: the level is its own.

    Raises
    ------
    InputError
        More tickets of an interval were reopened than came.
    """
    found: dict[str, dict[str, RatioModel]] = {queue: {} for queue in queues}
    for ratio in _RATIOS:
        alone = {queue: _fit(ratio, queue, rows, grid, ()) for queue, (rows, grid) in queues.items()}
        for queue, (rows, grid) in queues.items():
            model = alone[queue]
            if model is None:
                continue
            others = [m for other, m in alone.items() if other != queue and m is not None]
            lean = any(m.profile.any() for m in others)
            own = _fit(ratio, queue, rows, grid, others) if lean else model
            if own is not None:
                found[queue][ratio.mean] = own
    return {queue: QueueRatios(models) for queue, models in found.items()}


def _fit(
    ratio: _Ratio, queue: str, rows: pd.DataFrame, grid: Grid, siblings: Sequence[RatioModel]
) -> RatioModel | None:
    if any(name not in rows for name in ratio.needs):
        return None
    columns = {name: rows[name].to_numpy(dtype=float) for name in ratio.needs}
    total, weight = ratio.sums(columns)
    if ratio.kind == "share":
        _require_part(ratio.needs[0], total, weight, queue, grid)
    told = (total > 0) if ratio.kind == "patience" else (weight > 0)
    known = told & ~np.isnan(total + weight)
    if not known.any() or (ratio.kind == "patience" and not np.nansum(weight) > 0):
        return None
    recent = slice(max(len(grid.dates) - _RECENT_DAYS, 0), None)
    if not known[grid.day >= len(grid.dates) - _RECENT_DAYS].any():
        recent = slice(0, None)
    unknown = np.where(np.isnan(total + weight), np.nan, 0.0)
    k = ratio.merged(grid)
    total, weight = (_merged(grid.table(each + unknown)[recent], k) for each in (total, weight))
    return RatioModel.fit(
        total, weight, weekday=weekday(grid.dates)[recent],
        age_days=(grid.dates[-1] - grid.dates).astype(float)[recent], kind=ratio.kind, siblings=list(siblings),
    )  # fmt: skip


def _merged(table: Floats, k: int) -> Floats:
    """Sums of every ``k`` slots beside each other, those not known left out of them."""
    return table if k == 1 else np.asarray(np.nan_to_num(table).reshape(len(table), -1, k).sum(axis=2))


def _require_part(name: str, total: Floats, weight: Floats, queue: str, grid: Grid) -> None:
    over = np.flatnonzero(total > weight * (1 + 1e-9))
    if len(over):
        first = int(over[0])
        raise InputError(
            f"queue {queue!r}: `{name}` is {total[first]:g} at {grid.ds[first].isoformat()}, above the tickets of the "
            f"interval ({weight[first]:g}; {len(over)} such rows); count each ticket in the interval in which it came, "
            "or leave the column out"
        )
