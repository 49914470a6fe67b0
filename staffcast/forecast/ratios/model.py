"""Handle time, patience, shares closed by the bot or reopened: ratios of sums by the hour, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value
from staffcast.forecast.models.base import Floats
from staffcast.forecast.ratios.cells import Found, learn

__all__ = ["Kind", "RatioModel", "mean_patience"]

Kind = Literal["positive", "share", "patience"]
Ints = npt.NDArray[np.int64]

_FEW_TICKETS = 30
_LEAST = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class RatioModel:
    """A ratio of sums (seconds per ticket, bot-closed per conversation) by weekday and slot of the day.

    The ratio is a level × (1 + a shape of the day + the weekday's deviation from it). Both shapes are Gaussian
    processes over the slots, so that a slot with few tickets leans on its neighbours. Their size is not chosen but
    averaged over, each size weighted by how well it explains the history: where there is nothing to find, the day
    stays flat. The level follows the last weeks. How far such a level missed the four weeks after it, and what days
    and intervals have of their own, is part of the uncertainty.

    Attributes
    ----------
    kind : str
        ``positive`` (seconds), ``share`` (in [0, 1]) or ``patience`` (seconds).
    level, level_sd : float
        The ratio over all intervals as of now and its standard deviation. [unit of the ratio]
    table, table_sd : ndarray, shape (7, slots)
        Mean and standard deviation of the ratio's true value, Monday first. [unit of the ratio]
    single_sd : float
        Standard deviation of one ticket. [unit of the ratio]
    p_shape, p_weekday : float
        Probability that the day has a shape, and that weekdays differ.
    profile : ndarray, shape (slots,)
        Shape of the day: deviation from the level, relative to it (for a share, to √(p(1 − p)); of patience, the
        hazard's).
    tickets : float
        How many it was learnt from.
    note : str
        What was found, for people to read.

    References
    ----------
    .. [1] B. Efron, C. Morris, "Data analysis using Stein's estimator and its generalizations", JASA 70(350), 1975,
       doi:10.1080/01621459.1975.10479864 (shrinkage by as much as the data ask for).
    .. [2] J. A. Hoeting, D. Madigan, A. E. Raftery, C. T. Volinsky, "Bayesian model averaging: a tutorial",
       Statistical Science 14(4), 1999, doi:10.1214/ss/1009212519.
    .. [3] L. Brown et al., "Statistical analysis of a telephone call center: a queueing-science perspective",
       JASA 100(469), 2005, doi:10.1198/016214504000001808 (service times and patience over the day).

    Examples
    --------
    >>> rng, days = np.random.default_rng(1), np.arange(56)
    >>> tickets = rng.poisson(20.0, (56, 24))
    >>> seconds = np.where(np.arange(24) >= 17, 672.0, 600.0)
    >>> handling = rng.gamma(np.maximum(tickets, 1e-9)) * seconds
    >>> model = RatioModel.fit(handling, tickets, weekday=days % 7, age_days=56.0 - days)
    >>> mean, cv = model.expect([0, 0], [10, 20])
    >>> mean.round(-1).tolist(), bool((cv < 0.1).all())
    ([600.0, 660.0], True)
    >>> model.note.split(",")[0]
    'the day has a shape'
    """

    kind: Kind
    level: float
    level_sd: float
    table: Floats
    table_sd: Floats
    single_sd: float
    p_shape: float
    p_weekday: float
    profile: Floats
    tickets: float
    note: str

    @classmethod
    def fit(
        cls,
        total: npt.ArrayLike,
        weight: npt.ArrayLike,
        *,
        weekday: npt.ArrayLike,
        age_days: npt.ArrayLike,
        kind: Kind = "positive",
        half_life_days: float = 56.0,
        siblings: Sequence[RatioModel] = (),
    ) -> Self:
        """Learn from past days.

        Parameters
        ----------
        total : array_like, shape (days, slots)
            ``positive``: seconds of handling; ``share``: how many were closed by the bot (reopened, …);
            ``patience``: seconds waited by all, answered or not. NaN = not known.
        weight : array_like, shape (days, slots)
            ``positive`` and ``share``: tickets; ``patience``: abandoned. NaN = not known.
        weekday : array_like of int, shape (days,)
            Monday = 0.
        age_days : array_like, shape (days,)
            How long before the forecast each day lies, ≥ 0; in any order.
        kind : str
            ``positive``, ``share`` or ``patience``.
        half_life_days : float
            A day of this age counts half in the level; in the shapes a day of half a year does.
        siblings : sequence of RatioModel, optional
            Models of like queues, of the same kind and slots. Their common shape of the day is one more that this
            queue may have: with few tickets of its own it leans on them, with many it need not.

        Raises
        ------
        InputError
            Shapes that do not fit, a value below 0, a total without tickets or (share) above them, nothing known.
        """
        y, w, day, age = _checked(total, weight, weekday, age_days, kind)
        if not half_life_days > 0:
            raise bad_value("half_life_days", half_life_days, "above 0")
        tickets = float(w.sum())
        if kind == "patience":
            # What is estimated is the hazard (abandoned per second of waiting): intervals in which people waited and
            # nobody gave up count too.
            y, w = w, y
        if tickets < _FEW_TICKETS:
            return cls._flat(float(y.sum()), float(w.sum()), kind=kind, tickets=tickets, slots=y.shape[1])
        level = float(y.sum() / w.sum())
        if level <= 0 and kind != "share":
            raise bad_value("total", 0, f"above 0 somewhere, there being {tickets:g} tickets")
        unit = level
        if kind == "share":
            # Half a ticket more on either side: none closed by the bot so far does not mean never.
            share = (float(y.sum()) + 0.5) / (tickets + 1)
            unit = math.sqrt(share * (1 - share))
        elif kind == "patience":
            w, unit = w * level, 1.0
        excess = (y - w) if kind == "patience" else (y - level * w) / unit

        def spread_of(shape: Floats) -> Floats:
            """Variance of one ticket where the ratio is off the level by ``shape``, relative to that at the level."""
            if kind == "share":
                off = np.clip(level + unit * shape, 0.01, 0.99)
                return off * (1 - off) / (share * (1 - share))
            return np.maximum(1 + shape, _LEAST) ** (2 if kind == "positive" else 1)

        found = learn(
            excess, w, day=day, age=age, half_life=half_life_days, ticket=None if kind == "positive" else 1.0,
            product=kind != "share", spread_of=spread_of, siblings=_pooled(siblings, kind, slots=y.shape[1]),
        )  # fmt: skip
        return cls._of(found, level, unit, kind=kind, tickets=tickets)

    @classmethod
    def _of(cls, found: Found, level: float, unit: float, *, kind: Kind, tickets: float) -> Self:
        """Turn deviations from the level back into the unit of the ratio."""
        mean, sd, one, one_sd = found.mean, np.sqrt(found.variance), found.shift, math.sqrt(found.shift_variance)
        single = math.sqrt(found.noise.ticket)
        values = {"level": level + unit * one, "level_sd": unit * one_sd, "single_sd": unit * single}
        table, table_sd = level + unit * mean, unit * sd
        if kind == "share":
            table = np.clip(table, 0.0, 1.0)
            values["level"] = min(max(values["level"], 0.0), 1.0)
        elif kind == "positive":
            table = np.maximum(table, _LEAST * level)
        else:
            hazard, now = np.maximum(1 + mean, _LEAST), max(1 + one, _LEAST)
            table, table_sd = 1 / (level * hazard), sd / (level * hazard**2)
            values = {"level": 1 / (level * now), "level_sd": one_sd / (level * now**2), "single_sd": 1 / (level * now)}
        return cls(
            kind=kind, **values, table=table, table_sd=table_sd, p_shape=found.p_shape, p_weekday=found.p_weekday,
            profile=found.profile, tickets=tickets, note=_note(found, table, kind),
        )  # fmt: skip

    @classmethod
    def _flat(cls, y: float, w: float, *, kind: Kind, tickets: float, slots: int) -> Self:
        """One value for all intervals, from few tickets."""
        if kind == "share":
            # The posterior of a share under Jeffreys' prior; likewise that of the hazard below.
            level = (y + 0.5) / (w + 1)
            single = math.sqrt(level * (1 - level))
            sd = single / math.sqrt(w + 2)
        elif kind == "patience":
            level = w / (y + 0.5)
            single, sd = level, level / math.sqrt(y + 0.5)
        else:
            level = y / w
            single, sd = level, level / math.sqrt(w)
        few = "1 ticket is" if tickets == 1 else f"{tickets:g} tickets are"
        return cls(
            kind=kind, level=level, level_sd=sd, table=np.full((7, slots), level), table_sd=np.full((7, slots), sd),
            single_sd=single, p_shape=0.0, p_weekday=0.0, profile=np.zeros(slots), tickets=tickets,
            note=f"flat: {few} too few to look for a shape of the day (it takes {_FEW_TICKETS})",
        )  # fmt: skip

    def expect(self, weekday: npt.ArrayLike, slot: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Mean and uncertainty of the ratio in intervals to come.

        Parameters
        ----------
        weekday : array_like of int, shape (n,)
            Monday = 0.
        slot : array_like of int, shape (n,)
            Place in the day, counted from 0 as in the fit.

        Returns
        -------
        mean : ndarray, shape (n,)
            [unit of the ratio]
        cv : ndarray, shape (n,)
            Standard deviation of the true mean in that interval (not of one ticket): relative to ``mean`` for
            ``positive`` and ``patience``, as it is for ``share``.

        Raises
        ------
        InputError
            A weekday not in 0 … 6 or a slot that the fit did not have.
        """
        day = _whole("weekday", weekday, 7)
        place = _whole("slot", slot, self.table.shape[1])
        mean, sd = self.table[day, place], self.table_sd[day, place]
        return mean, sd if self.kind == "share" else sd / mean


def _pooled(siblings: Sequence[RatioModel], kind: Kind, *, slots: int) -> Floats | None:
    """Shape of the day of like queues, each counted by its tickets; None where none of them has one."""
    for model in siblings:
        if model.kind != kind or len(model.profile) != slots:
            raise bad_value("siblings", (model.kind, len(model.profile)), f"models of {kind!r} with {slots} slots")
    if not any(model.profile.any() for model in siblings):
        return None
    tickets = np.array([model.tickets for model in siblings])
    return np.asarray(tickets @ np.array([model.profile for model in siblings]) / tickets.sum(), dtype=float)


def _note(found: Found, table: Floats, kind: Kind) -> str:
    """One sentence on what was found."""
    weekdays = "weekdays differ" if found.p_weekday > 0.5 else "weekdays are alike"
    if found.p_shape <= 0.5:
        return f"the day is flat (a shape has a probability of {found.p_shape:.0%}); {weekdays}"
    whole = found.tickets.sum(axis=0)
    at = whole > 0
    shape = (found.tickets * table).sum(axis=0)[at] / whole[at]
    low, high, mean = shape.min(), shape.max(), float((found.tickets * table).sum() / whole.sum())
    if kind == "share":
        return f"the day has a shape, from {100 * low:.1f} % to {100 * high:.1f} %; {weekdays}"
    low, high = 100 * (low / mean - 1), 100 * (high / mean - 1)
    return f"the day has a shape, from {low:+.0f} % to {high:+.0f} % of its mean; {weekdays}".replace("-", "−")


def _checked(
    total: npt.ArrayLike, weight: npt.ArrayLike, weekday: npt.ArrayLike, age_days: npt.ArrayLike, kind: str
) -> tuple[Floats, Floats, Ints, Floats]:
    if kind not in get_args(Kind):
        raise bad_value("kind", kind, "one of " + ", ".join(get_args(Kind)))
    y, w = np.array(total, dtype=float), np.array(weight, dtype=float)
    if y.ndim != 2 or y.size == 0 or y.shape != w.shape:
        raise bad_value("total", y.shape, f"a matrix (days, slots) of the shape of `weight`, {w.shape}")
    day, age = _whole("weekday", weekday, 7), np.asarray(age_days, dtype=float)
    if day.shape != (len(y),) or age.shape != (len(y),):
        raise bad_value("weekday", (day.shape, age.shape), f"one per day, as `age_days`: ({len(y)},)")
    if not ((age >= 0) & np.isfinite(age)).all():
        raise bad_value("age_days", float(age[~((age >= 0) & np.isfinite(age))][0]), "0 or more days")
    unknown = np.isnan(y) | np.isnan(w)
    y[unknown] = w[unknown] = 0.0
    for name, values in (("total", y), ("weight", w)):
        wrong = ~((values >= 0) & np.isfinite(values))
        if wrong.any():
            where = tuple(int(k) for k in np.argwhere(wrong)[0])
            raise bad_value(f"{name}[{where[0]}, {where[1]}]", float(values[where]), "0 or more", "NaN is not known")
    over = y > w * (1 + 1e-9) if kind == "share" else (y > 0) & (w == 0) & (kind == "positive")
    if over.any():
        i, j = (int(k) for k in np.argwhere(over)[0])
        legal = f"at most the tickets ({w[i, j]:g})" if kind == "share" else "0 where there is no ticket"
        fix = None if kind == "share" else 'use kind="patience" for waiting with or without somebody giving up'
        raise bad_value(f"total[{i}, {j}]", float(y[i, j]), legal, fix)
    if not (y if kind == "patience" else w).any():
        raise bad_value("total" if kind == "patience" else "weight", "nothing but 0 and NaN", "known somewhere")
    return y, w, day, age


def _whole(name: str, values: npt.ArrayLike, below: int) -> Ints:
    numbers: npt.NDArray[Any] = np.asarray(values)
    whole = numbers.astype(np.int64) if numbers.dtype.kind in "iuf" and not np.isnan(numbers).any() else None
    if whole is None or (whole != numbers).any() or ((whole < 0) | (whole >= below)).any():
        raise bad_value(name, numbers.tolist()[:3], f"whole numbers from 0 to {below - 1}")
    return whole


def mean_patience(waited_s: npt.ArrayLike, abandoned: npt.ArrayLike) -> tuple[float, float]:
    """Mean patience when those answered are seen only up to their answer: all waiting ÷ abandoned.

    The maximum-likelihood estimate for exponential patience under censoring; see [3] of :class:`RatioModel`.

    Parameters
    ----------
    waited_s : array_like
        Waiting, answered or not; any shape, summed. [s]
    abandoned : array_like
        How many gave up; any shape, summed.

    Returns
    -------
    mean : float
        [s]; infinite when nobody gave up.
    cv : float
        Its relative standard error, 1 ÷ √abandoned; infinite when nobody gave up.

    Examples
    --------
    >>> mean_patience([3000.0, 6000.0], [4, 5])
    (1000.0, 0.3333333333333333)
    """
    waited, gone = np.asarray(waited_s, dtype=float), np.asarray(abandoned, dtype=float)
    for name, values in (("waited_s", waited), ("abandoned", gone)):
        if not (values >= 0).all():
            raise bad_value(
                name, float(values[~(values >= 0)][0]), "0 or more everywhere", "leave out what is not known"
            )
    seconds, number = float(waited.sum()), float(gone.sum())
    if number == 0:
        return math.inf, math.inf
    return seconds / number, 1 / math.sqrt(number)
