"""With this morning's arrivals the rest of the day is revised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value
from staffcast.forecast.models.base import Floats

__all__ = ["Intraday", "Revision", "learn_intraday"]

_LEAST_DAYS = 14
_FOLDS = 4
# What is left of a passing surprise after an hour: the rates tried.
_KEPT_PER_HOUR = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 0.95)
_FAR_DAY, _FAR_INTERVAL = 3.0, 4.0
# Mornings to learn from: after so much of the day's expected arrivals, up to so much.
_FROM, _TO = 0.15, 0.85
_LEAST_FACTOR = 0.05
_UNKNOWN_VAR = 0.25**2


@dataclass(frozen=True, kw_only=True)
class Revision:
    """The rest of a day as it looks now.

    Attributes
    ----------
    mean : ndarray, shape (slots,)
        Expected arrivals: before ``now_slot`` as they had been forecast, from it on revised.
    factor, factor_sd : float
        What the arrivals of the rest of the day are multiplied by in all, and its standard deviation.
    cv : ndarray, shape (slots,)
        Relative standard deviation of the rate around ``mean`` from ``now_slot`` on (Poisson noise comes on top);
        before it, of the rate as forecast.
    why : str
        One sentence for people to read.
    """

    mean: Floats
    factor: float
    factor_sd: float
    cv: Floats
    why: str


class _Model(NamedTuple):
    """Variances of the day's, the passing and the interval's factor; what is left of the passing one a slot later."""

    day: float
    passing: float
    interval: float
    kept: float


class _State(NamedTuple):
    """What is believed of D and of B in the next slot: means, variances, covariance. Floats, or arrays over days."""

    d: Any
    b: Any
    dd: Any
    db: Any
    bb: Any


@dataclass(frozen=True, kw_only=True)
class Intraday:
    """How a morning's surprise carries on through the day, learnt from past days.

    An interval's rate is its forecast × (1 + D + Bᵢ + Iᵢ): D holds for the whole day, B passes (``kept_per_hour`` of it
    is left an hour later), I is the interval's own; arrivals are Poisson around it. Given what came so far, D and B
    follow in closed form (a Kalman filter: linear Bayes). With D alone this is the gamma–Poisson conjugate: a day
    factor of variance v has the mean (1/v + Σy) ÷ (1/v + Σf) after y came where f were expected. What this says about
    the afternoon is multiplied by ``slope``: how far past afternoons bore it out, in days that the rest was not learnt
    from; shrunk towards 0, never below.

    Attributes
    ----------
    day_var, passing_var, interval_var : float
        Variances of D, B and I.
    kept_per_hour : float
        Autocorrelation of B from hour to hour.
    slope : float
        In [0, 1]; 0 = mornings say nothing, the forecast stands.
    slope_se : float
        Standard error of the slope before shrinking.
    days : int
        Days it was learnt from.
    note : str
        What was found, for people to read.

    References
    ----------
    .. [1] J. Weinberg, L. Brown, J. Stroud, "Bayesian forecasting of an inhomogeneous Poisson process with applications
       to call center data", JASA 102(480), 2007, doi:10.1198/016214506000001455.
    .. [2] H. Shen, J. Huang, "Interday forecasting and intraday updating of call center arrivals", MSOM 10(3), 2008,
       doi:10.1287/msom.1070.0179.
    .. [3] R. Ibrahim, P. L'Ecuyer, "Forecasting call center arrivals: fixed-effects, mixed-effects, and bivariate
       models", MSOM 15(1), 2013, doi:10.1287/msom.1120.0405.
    .. [4] B. Oreshkin, N. Régnard, P. L'Ecuyer, "Rate-based daily arrival process models with application to call
       centers", Operations Research 64(2), 2016 (busyness factors of the day and of its periods).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> expected = np.full((100, 24), 25.0)
    >>> actual = rng.poisson(expected * rng.gamma(50, 1 / 50, (100, 1)))
    >>> intraday = learn_intraday(actual, expected, open=np.ones((100, 24), dtype=bool))
    >>> today = np.where(np.arange(24) < 12, 28.0, np.nan)
    >>> revision = intraday.revise(np.full(24, 25.0), today, now_slot=12)
    >>> revision.why
    'by 12:00 336 came where 300 were expected (+12 %): the rest of the day is taken 10 % higher'
    """

    day_var: float
    passing_var: float
    interval_var: float
    kept_per_hour: float
    slope: float
    slope_se: float
    days: int
    note: str

    def revise(self, expected: npt.ArrayLike, actual_so_far: npt.ArrayLike, *, now_slot: int) -> Revision:
        """Forecast of the rest of the day, given what came.

        Parameters
        ----------
        expected : array_like, shape (slots,)
            Arrivals as forecast before the day began, ≥ 0.
        actual_so_far : array_like, shape (slots,)
            What came; NaN where not known (yet). Closed intervals, in which ``expected`` is 0, say nothing.
        now_slot : int
            First interval that is not over: 12 at 12:00 with hours. From 0 to ``slots``.

        Raises
        ------
        InputError
            Shapes that do not fit, values below 0, arrivals known from ``now_slot`` on, slots that do not divide a day.
        """
        f, y = np.asarray(expected, dtype=float), np.asarray(actual_so_far, dtype=float)
        _check("expected", f, "actual_so_far", y, axes=1)
        slots = len(f)
        minutes = _minutes(slots)
        if not 0 <= now_slot <= slots or int(now_slot) != now_slot:
            raise bad_value("now_slot", now_slot, f"a whole number from 0 to {slots}")
        now_slot = int(now_slot)
        for i in (np.flatnonzero(~np.isnan(y[now_slot:])) + now_slot)[:1]:
            legal = f"NaN from now_slot={now_slot} on"
            raise bad_value(f"actual_so_far[{i}]", float(y[i]), legal, "set it to NaN, or take a later now_slot")
        model = self._model(minutes)
        known = ~np.isnan(y) & (f > 0)
        state = _start(model)
        for expected_i, y_i, known_i in zip(f[:now_slot].tolist(), y.tolist(), known.tolist(), strict=False):
            state = _next(state, y_i / expected_i - 1 if known_i else 0.0, expected_i if known_i else 0.0, model)
        rest = f[now_slot:]
        left = model.kept ** np.arange(len(rest))
        factor = np.maximum(1 + self.slope * (state.d + left * state.b), _LEAST_FACTOR)
        cv = np.full(slots, math.sqrt(model.day + model.passing + model.interval))
        cv[now_slot:] = np.sqrt(self._left_open(state, left, model.passing, model) + model.interval) / factor
        mean = f.copy()
        mean[now_slot:] *= factor
        total = float(rest.sum())
        overall, sd = 1.0, 0.0
        if total > 0:
            share = rest / total
            overall = 1 + float(share @ (factor - 1))
            # Passing factors of different slots are alike by kept^|i−j|: the variance of their mean is this.
            gap = np.abs(np.subtract.outer(np.arange(len(rest)), np.arange(len(rest))))
            alike = model.passing * float(share @ model.kept**gap @ share)
            whole = self._left_open(state, share @ left, alike, model)
            sd = math.sqrt(max(float(whole + model.interval * (share @ share)), 0.0))
        clock = "{:02.0f}:{:02.0f}".format(*divmod(now_slot * minutes, 60))
        why = _why(clock, float(y[known].sum()), float(f[known].sum()), total, overall, self.slope)
        return Revision(mean=mean, factor=overall, factor_sd=sd, cv=cv, why=why)

    def _left_open(self, state: _State, left: Any, passing: Any, model: _Model) -> Any:
        """Variance of D + B that remains, B of prior variance ``passing`` and ``left`` of today's still in it.

        Taking only ``slope`` of what was learnt leaves (1 − slope)² of what that explains unexplained.
        """
        post = state.dd + 2 * left * state.db + left**2 * (state.bb - model.passing) + passing
        return post + (1 - self.slope) ** 2 * (model.day + passing - post)

    def _model(self, minutes: float) -> _Model:
        return _Model(self.day_var, self.passing_var, self.interval_var, self.kept_per_hour ** (minutes / 60))


def learn_intraday(
    actual: npt.ArrayLike,
    expected: npt.ArrayLike,
    *,
    open: npt.ArrayLike,  # noqa: A002 - the word of the demand table and the calendar
) -> Intraday:
    """Learn from past days how a surprise carries on.

    With eᵢ = yᵢ − fᵢ, E[eᵢeⱼ] = (day + passing·kept^|i−j|) fᵢfⱼ for i ≠ j and E[eᵢ²] = fᵢ + (day + passing +
    interval) fᵢ²: sums over all days give the variances by the method of moments (non-negative least squares).

    Parameters
    ----------
    actual : array_like, shape (days, slots)
        What came. NaN = not known.
    expected : array_like, shape (days, slots)
        What had been forecast before each day began, with what was known then. Forecasts fitted to these same days
        have too small surprises and teach too little.
    open : array_like of bool, shape (days, slots)
        Intervals to learn from; False for closed ones, and for days out of the ordinary.

    Returns
    -------
    Intraday
        With fewer than 14 usable days slope 0 (the forecast stands) and a rate taken as uncertain by 25 %.

    Raises
    ------
    InputError
        Shapes that do not fit, values below 0, slots that do not divide a day.
    """
    y, f, opened = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float), np.asarray(open, dtype=bool)
    _check("expected", f, "actual", y, axes=2)
    if opened.shape != f.shape:
        raise bad_value("open", opened.shape, f"of the shape of `expected`, {f.shape}")
    minutes = _minutes(f.shape[1])
    use = opened & ~np.isnan(y) & (f > 0)
    some = use.any(axis=1)
    f, e = np.where(use, f, 0.0)[some], np.where(use, y - f, 0.0)[some]
    days = len(f)
    if days < _LEAST_DAYS:
        return Intraday(
            day_var=_UNKNOWN_VAR / 2, passing_var=0.0, interval_var=_UNKNOWN_VAR / 2, kept_per_hour=0.5, slope=0.0,
            slope_se=math.inf, days=days,
            note=f"{days} days are too few to learn from (it takes {_LEAST_DAYS}): forecasts stand through the day",
        )  # fmt: skip
    model = _moments(e, f, minutes)
    slope, error = _slope(e, f, minutes)
    kept = model.kept ** (60 / minutes)
    note = (
        f"{days} days: days differ by {math.sqrt(model.day):.1%}, hours by another {math.sqrt(model.passing):.1%} of "
        f"which {kept:.0%} is left an hour later; of what mornings say {slope:.0%} is taken"
    ) if slope > 0 else f"{days} days: their mornings said nothing about their afternoons; forecasts stand"  # fmt: skip
    return Intraday(
        day_var=model.day, passing_var=model.passing, interval_var=model.interval, kept_per_hour=kept, slope=slope,
        slope_se=error, days=days, note=note,
    )  # fmt: skip


def _moments(e: Floats, f: Floats, minutes: float) -> _Model:
    off = np.abs(e.sum(axis=1) / f.sum(axis=1))
    # Holidays and outages are few, but squared they would speak for all days.
    usual = max(1.4826 * float(np.median(off)), float(np.sqrt(np.median(1 / f.sum(axis=1)))))
    weight = np.minimum(1.0, (_FAR_DAY * usual / np.maximum(off, 1e-12)) ** 2)[:, None]
    slots = f.shape[1]
    lag = np.abs(np.subtract.outer(np.arange(slots), np.arange(slots))).ravel()
    above = np.bincount(lag, weights=((weight * e).T @ e).ravel(), minlength=slots)
    below = np.bincount(lag, weights=((weight * f).T @ f).ravel(), minlength=slots)
    above[0] -= float((weight * f).sum())
    seen = below > 0
    c, size, lags = above[seen] / below[seen], below[seen], np.flatnonzero(seen)
    best, least = _Model(0.0, 0.0, max(float(c[0]), 0.0), 0.5), math.inf
    for per_hour in _KEPT_PER_HOUR:
        kept = per_hour ** (minutes / 60)
        x = np.column_stack([np.ones(len(lags) - 1), kept ** lags[1:]])
        root = np.sqrt(size[1:])
        # Not at the top: it takes longer to load than most commands take.
        from scipy.optimize import nnls

        (day, passing), miss = nnls(x * root[:, None], c[1:] * root) if len(lags) > 1 else ((0.0, 0.0), 0.0)
        if miss < least:
            best = _Model(float(day), float(passing), max(float(c[0] - day - passing), 0.0), kept)
            least = float(miss)
    return best


def _slope(e: Floats, f: Floats, minutes: float) -> tuple[float, float]:
    """Regress what afternoons were off on what mornings said of it, each fold by the parameters of the others."""
    days, slots = f.shape
    fold = np.arange(days) * _FOLDS // days
    seen = np.cumsum(f, axis=1) - f
    part = seen / f.sum(axis=1, keepdims=True)
    after = np.cumsum(f[:, ::-1], axis=1)[:, ::-1]
    off = np.cumsum(e[:, ::-1], axis=1)[:, ::-1]
    lag = np.abs(np.subtract.outer(np.arange(slots), np.arange(slots)))
    said, spread = np.zeros((days, slots)), np.ones((days, slots))
    for k in range(_FOLDS):
        model, at = _moments(e[fold != k], f[fold != k], minutes), fold == k
        state = _start(model)
        relative = np.divide(e[at], f[at], out=np.zeros_like(f[at]), where=f[at] > 0)
        passing = f[at] @ np.tril(model.kept**lag)
        for i in range(slots):  # a filter needs the slots in turn; the days are done at once
            said[at, i] = state.d * after[at, i] + state.b * passing[:, i]
            state = _next(state, relative[:, i], f[at, i], model)
        spread[at] = after[at] + (model.day + model.passing) * after[at] ** 2
    weight = np.where((part >= _FROM) & (part <= _TO) & (f > 0), 1 / np.maximum(spread, 1e-12), 0.0)
    power = float((weight * said**2).sum())
    if power <= 0:
        return 0.0, math.inf
    slope = float((weight * said * off).sum()) / power
    error = math.sqrt(float(((weight * said * (off - slope * said)).sum(axis=1) ** 2).sum())) / power
    # Positive-part James–Stein: within one standard error of 0 it is 0.
    return (min(slope * max(1 - (error / slope) ** 2, 0.0), 1.0) if slope > 0 else 0.0), error


def _start(model: _Model) -> _State:
    return _State(0.0, 0.0, model.day, 0.0, model.passing)


def _next(state: _State, relative: Any, expected: Any, model: _Model) -> _State:
    """Learn from one slot and step on to the next; ``expected`` 0 stands for a slot that says nothing.

    A surprise of more than four standard deviations counts as four: one mailing must not lift the whole afternoon.
    """
    worth = expected / (1 + model.interval * expected)
    with_d, with_b = state.dd + state.db, state.db + state.bb
    scale = worth / (1 + (with_d + with_b) * worth)
    surprise = relative - state.d - state.b
    surprise = surprise * _FAR_INTERVAL / np.sqrt(np.maximum(_FAR_INTERVAL**2, surprise**2 * scale))
    kept = model.kept
    return _State(
        state.d + with_d * scale * surprise,
        kept * (state.b + with_b * scale * surprise),
        state.dd - with_d**2 * scale,
        kept * (state.db - with_d * with_b * scale),
        kept**2 * (state.bb - with_b**2 * scale) + (1 - kept**2) * model.passing,
    )


def _why(clock: str, came: float, expected: float, rest: float, factor: float, slope: float) -> str:
    if expected <= 0:
        return f"by {clock} nothing of the day is known: the forecast stands"
    start = f"by {clock} {came:,.0f} came where {expected:,.0f} were expected ({came / expected - 1:+.0%}): "
    start = start.replace("%", " %").replace("-", "−")
    if rest <= 0:
        return start + "no more are expected today"
    if slope == 0:
        return start + "past mornings said nothing about the rest of their day, the forecast stands"
    percent = round(100 * (factor - 1))
    if percent == 0:
        return start + "the forecast of the rest of the day stands"
    return start + f"the rest of the day is taken {abs(percent)} % {'higher' if percent > 0 else 'lower'}"


def _minutes(slots: int) -> float:
    if slots < 1 or 1440 % slots:
        raise bad_value("expected", f"{slots} slots", "slots that divide a day: 24, 48 or 96")
    return 1440 / slots


def _check(name: str, f: Floats, other: str, y: Floats, *, axes: int) -> None:
    if f.ndim != axes:
        raise bad_value(name, f.shape, "of shape (days, slots)" if axes == 2 else "of shape (slots,)")
    if f.shape != y.shape:
        raise bad_value(other, y.shape, f"of the shape of `{name}`, {f.shape}")
    for called, values, wrong in ((name, f, ~(np.isfinite(f) & (f >= 0))), (other, y, (y < 0) | np.isinf(y))):
        if wrong.any():
            at = np.argwhere(wrong)[0].tolist()
            raise bad_value(f"{called}{at}", float(values[tuple(at)]), "0 or more", "NaN is for arrivals not known")
