"""What became of forecasts: errors of kept forecasts, and whether models and overrides were worth their work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from staffcast.contracts import WEEKDAYS, InputError, bad_value
from staffcast.forecast.demand import Demand, Floats, count_cdf
from staffcast.forecast.hindsight.actual import Actual
from staffcast.forecast.hindsight.ledger import Ledger, replay
from staffcast.forecast.hindsight.snapshots import Snapshot, list_snapshots, load_snapshot

__all__ = ["CUTS", "accuracy", "judge"]

CUTS = ("horizon", "hour", "weekday", "queue", "snapshot")
_HORIZONS = pd.Index(["day 1", "days 2–7", "days 8–14", "days 15–28", "later"])
_HORIZON_ENDS = (1, 7, 14, 28)
_WEEKDAY_NAMES = pd.Index([day.title() for day in WEEKDAYS])
_WEEKS_BACK = 4
_WEEK = pd.Timedelta(days=7)
_EMPTY = 1e-12
_ENTRY = ("start", "end", "queue", "factor", "add", "reason", "author")


def accuracy(
    snapshots: str | Path | Sequence[str | Path | Snapshot], actual: pd.DataFrame, *, by: Sequence[str] = ("horizon",)
) -> pd.DataFrame:
    """Compare kept forecasts with what came.

    Every snapshot counts with every interval that it was open in (or in which tickets came after all) and that lies
    within the span of ``actual``; where snapshots overlap, an interval counts once for each.

    Parameters
    ----------
    snapshots : path, or sequence of paths and Snapshots
        Folder of :func:`staffcast.forecast.hindsight.snapshots.save_snapshot`, or the snapshots themselves.
    actual : DataFrame
        ``unique_id, ds, offered`` (``open`` if known), in intervals of the snapshots' length;
        :func:`staffcast.forecast.hindsight.actual.offered` makes it.
    by : sequence of {"horizon", "hour", "weekday", "queue", "snapshot"}
        What to cut by; empty: everything in one row. ``horizon`` is in local days from the snapshot's first interval;
        hour and weekday are local.

    Returns
    -------
    DataFrame
        A row per cut: ``intervals`` compared, ``missing`` (left out, as what came is not known), ``tickets`` Σy;
        ``wape`` = Σ|y−f| ÷ Σy; ``bias`` = Σ(f−y) ÷ Σy; ``coverage_80``, ``coverage_95``: share of counts within the
        central band that mean and ``rate_cv`` give, over snapshots with quantile columns; ``wape_model``: the same as
        ``wape`` without the overrides; ``wape_baseline``: of the snapshot's column ``baseline``, else of the seasonal
        naive: the latest of four weeks at the same weekday and local time that was known when the forecast was made
        (before both ``made_at`` and the first interval), while open; ``value_added`` = 1 − Σ|y−f| ÷ Σ|y−b|, both over
        the intervals with a baseline b: the share of the naive forecast's error that was taken off, below 0 if it was
        the better one (forecast value added [1]_). NaN where a sum to divide by is 0.

    Raises
    ------
    InputError
        No snapshot, a damaged one, the same one twice, intervals of another length, no interval in common with what
        came, an unknown cut.

    References
    ----------
    .. [1] M. Gilliland, "The Business Forecasting Deal", Wiley 2010, ISBN 978-0-470-57443-0.
    """
    cuts = _cuts(by)
    kept = _loaded(snapshots)
    known = Actual(actual)
    known.require_length({one.demand.minutes for one in kept})
    table = pd.concat([_compare(one, known) for one in kept], ignore_index=True)
    if not table["intervals"].any():
        first, last, there = known.table["ds"].min(), known.table["ds"].max(), known.table["unique_id"].unique()
        raise InputError(
            f"no interval of the snapshots ({_span(kept)}) has its actual ({first} to {last}; queues "
            f"{', '.join(there)}); count a log that goes on after the forecasts"
        )
    sums = [c for c in table.columns if c not in CUTS]
    added = table.groupby(cuts, observed=True)[sums].sum() if cuts else table[sums].sum().to_frame().T
    out = pd.DataFrame(
        {
            "intervals": added["intervals"].astype(np.int64),
            "missing": added["missing"].astype(np.int64),
            "tickets": added["y"],
            "wape": _ratio(added["error"], added["y"]),
            "bias": _ratio(added["over"], added["y"]),
            "coverage_80": _ratio(added["inside_80"], added["banded"]),
            "coverage_95": _ratio(added["inside_95"], added["banded"]),
            "wape_model": _ratio(added["error_model"], added["y"]),
            "wape_baseline": _ratio(added["error_baseline"], added["y_beside"]),
            "value_added": 1 - _ratio(added["error_beside"], added["error_baseline"]),
        }
    )
    out = out.reset_index(drop=not cuts)
    return out.astype({c: object for c in cuts if c != "hour"})


def _cuts(by: Sequence[str]) -> list[str]:
    cuts = [by] if isinstance(by, str) else list(by)
    for cut in cuts:
        if cut not in CUTS or cuts.count(cut) > 1:
            raise bad_value("by", cuts, f"different ones of {', '.join(CUTS)}")
    return cuts


def _ratio(above: pd.Series, below: pd.Series) -> pd.Series:
    return above / below.where(below > _EMPTY)


def _loaded(snapshots: str | Path | Sequence[str | Path | Snapshot]) -> list[Snapshot]:
    if isinstance(snapshots, (str, Path)):
        named: Sequence[str | Path | Snapshot] = [snapshots] if Path(snapshots).is_file() else list_snapshots(snapshots)
        if not named:
            raise InputError("has no snapshots; `staffcast forecast` with a snapshot folder saves them", file=snapshots)
    else:
        named = snapshots
    if not named:
        raise bad_value("snapshots", [], "at least one snapshot")
    kept = [one if isinstance(one, Snapshot) else load_snapshot(one) for one in named]
    paths = [one.path.absolute() for one in kept]
    for path in paths:
        if paths.count(path) > 1:
            raise InputError("stands twice among the snapshots; name it once", file=path)
    return kept


def _span(kept: Sequence[Snapshot]) -> str:
    queues = sorted({queue for one in kept for queue in one.demand.queues})
    first, last = min(one.demand.ds[0] for one in kept), max(one.demand.ds[-1] for one in kept)
    return f"{first} to {last}; queues {', '.join(queues)}"


def _compare(snapshot: Snapshot, known: Actual) -> pd.DataFrame:
    """One row per interval that is due: its cuts, and what is summed."""
    demand = snapshot.demand
    frame = demand.frame
    came = known.at(frame["unique_id"], frame["ds"])
    has = known.table["ds"][known.table["offered"].notna()]
    due = np.zeros(len(frame), dtype=np.bool_)
    if len(has):
        due = frame["ds"].between(has.min(), has.max()).to_numpy(dtype=bool)
    # A queue that was opened although the forecast thought it closed was forecast wrongly too.
    due = due & (frame["open"].to_numpy(dtype=bool) | (np.nan_to_num(came) > 0))
    baseline = frame["baseline"].to_numpy(dtype=float) if "baseline" in frame else _naive(snapshot, known)
    model = frame["model_mean" if "model_mean" in frame else "mean"].to_numpy(dtype=float)[due]
    rows, y, b = frame[due], came[due], baseline[due]
    f = rows["mean"].to_numpy(dtype=float)
    seen, beside = ~np.isnan(y), ~np.isnan(y) & ~np.isnan(b)
    banded = seen & any(str(c).startswith("q") and str(c)[1:2].isdigit() for c in frame.columns)
    inside = np.zeros((2, len(y)))
    inside[:, banded] = _inside(y[banded], f[banded], rows["rate_cv"].to_numpy(dtype=float)[banded])
    local = pd.DatetimeIndex(rows["ds"]).tz_localize(None)
    day = (local - demand.ds[0].tz_localize(None)) // pd.Timedelta(days=1) + 1
    return pd.DataFrame(
        {
            "horizon": pd.Categorical.from_codes(np.searchsorted(_HORIZON_ENDS, day), _HORIZONS, ordered=True),
            "hour": local.hour,
            "weekday": pd.Categorical.from_codes(local.day_of_week.to_numpy(), _WEEKDAY_NAMES, ordered=True),
            "queue": rows["unique_id"].to_numpy(dtype=object),
            "snapshot": snapshot.name,
            "intervals": seen,
            "missing": ~seen,
            "y": np.where(seen, y, 0.0),
            "error": np.where(seen, np.abs(y - f), 0.0),
            "over": np.where(seen, f - y, 0.0),
            "error_model": np.where(seen, np.abs(y - model), 0.0),
            "banded": banded,
            "inside_80": inside[0],
            "inside_95": inside[1],
            "y_beside": np.where(beside, y, 0.0),
            "error_beside": np.where(beside, np.abs(y - f), 0.0),
            "error_baseline": np.where(beside, np.abs(y - b), 0.0),
        }
    )


def _naive(snapshot: Snapshot, known: Actual) -> Floats:
    """Seasonal naive of each row, from what was known when the forecast was made; NaN where nothing was."""
    demand, queue = snapshot.demand, snapshot.demand.frame["unique_id"]
    ds = pd.DatetimeIndex(demand.frame["ds"])
    step = pd.Timedelta(minutes=demand.minutes)
    until = min(snapshot.made_at.tz_convert(ds.tz), ds[0])
    local = ds.tz_localize(None)
    nearest = np.maximum(np.ceil((local + step - until.tz_localize(None)) / _WEEK), 1)
    out = np.full(len(ds), np.nan)
    for weeks in range(_WEEKS_BACK):
        before = (local - pd.to_timedelta(7 * (nearest + weeks), unit="D")).tz_localize(
            ds.tz, ambiguous=np.ones(len(ds), dtype=np.bool_), nonexistent="shift_forward"
        )
        value = known.at(queue, before, while_open=True)
        # Across a DST change the local arithmetic is an hour off: what was not known then must not come in.
        out = np.where(np.isnan(out) & (before + step <= until), value, out)
    return out


def _inside(y: Floats, mean: Floats, rate_cv: Floats) -> Floats:
    """Part of each count that lies in the central 80 % and 95 % bands, shape (2, n).

    A count stands for the whole stretch of probability [P(N < y), P(N ≤ y)] (the randomized PIT of C. Czado,
    T. Gneiting, L. Held, "Predictive model assessment for count data", Biometrics 65, 2009,
    doi:10.1111/j.1541-0420.2009.01191.x); the part of it within the band counts.
    """
    below, upto = count_cdf(y - 1, mean, rate_cv), count_cdf(y, mean, rate_cv)
    return np.stack([
        np.clip(np.minimum(upto, high) - np.maximum(below, low), 0, None) / np.maximum(upto - below, 1e-300)
        for low, high in ((0.10, 0.90), (0.025, 0.975))
    ])  # fmt: skip


def judge(ledger: Ledger, demand_frame: pd.DataFrame, actual: pd.DataFrame) -> pd.DataFrame:
    """Whether the overrides helped.

    Each entry is judged on its own intervals against the forecast without it, but with the entries above it in the
    ledger; so the values that the entries added sum to that of all together.

    Parameters
    ----------
    ledger : Ledger
    demand_frame : DataFrame
        The demand table that :func:`staffcast.forecast.hindsight.ledger.apply_ledger` made with this ledger.
    actual : DataFrame
        ``unique_id, ds, offered``: :func:`staffcast.forecast.hindsight.actual.offered`.

    Returns
    -------
    DataFrame
        A row per entry, and one where ``entry`` is ``all``: ``entry, start, end, queue, factor, add, reason, author``;
        ``intervals`` judged and ``missing`` (what came is not known); ``model`` (tickets that the models forecast for
        these intervals), ``without`` and ``with_override``, ``actual``; ``error_without`` and ``error_with`` Σ|y−f|
        over the intervals; ``value_added`` = error_without − error_with, in tickets: below 0 the override did harm.
        NaN where nothing can be judged yet. One entry alone may be right or wrong by chance; what matters is whether
        many together add value (forecast value added [1]_; R. Fildes, P. Goodwin, M. Lawrence, K. Nikolopoulos [2]_
        found that small adjustments often did harm).

    Raises
    ------
    InputError
        The demand has no overrides, or not those of this ledger; intervals of another length.

    References
    ----------
    .. [1] M. Gilliland, "The Business Forecasting Deal", Wiley 2010, ISBN 978-0-470-57443-0.
    .. [2] "Effective forecasting and judgmental adjustments", International Journal of Forecasting 25, 2009,
       doi:10.1016/j.ijforecast.2008.11.010.
    """
    if "model_mean" not in demand_frame:
        raise InputError("the demand has no column model_mean: no overrides were applied to it, so there is no judging")
    if "open" not in demand_frame:
        demand_frame = demand_frame.assign(open=(demand_frame["mean"] > 0) | (demand_frame["model_mean"] > 0))
    demand = Demand.from_frame(demand_frame)
    known = Actual(actual)
    known.require_length({demand.minutes})
    y = known.at(demand.frame["unique_id"], demand.frame["ds"])
    model, final = (demand.frame[c].to_numpy(dtype=float) for c in ("model_mean", "mean"))
    rows, mean, touched = [], model.copy(), np.zeros(len(model), dtype=np.bool_)
    for step in replay(ledger, demand, model):
        mean[step.at], touched[step.at] = step.after, True
        figures = _verdict(y[step.at], model[step.at], step.before, step.after)
        rows.append({"entry": str(step.number), **{k: getattr(step.override, k) for k in _ENTRY}, **figures})
    if not np.allclose(mean, final, rtol=1e-6, atol=1e-6):  # tables on disk have ten digits
        row = int(np.argmax(np.abs(mean - final)))
        raise InputError(
            f"the demand was not made with this ledger: at {demand.frame['ds'][row]} it has {final[row]:g}, the ledger "
            f"makes {mean[row]:g}; judge with the ledger as it was then (a snapshot has it)"
        )
    total = {"entry": "all", **_verdict(y[touched], model[touched], model[touched], final[touched])}
    return pd.DataFrame([*rows, total], columns=["entry", *_ENTRY, *list(total)[1:]])


def _verdict(y: Floats, model: Floats, without: Floats, with_override: Floats) -> dict[str, float]:
    seen = ~np.isnan(y)
    if not seen.any():
        nothing = ("model", "without", "with_override", "actual", "error_without", "error_with", "value_added")
        return {"intervals": 0, "missing": len(y), **dict.fromkeys(nothing, np.nan)}
    errors = [float(np.abs(y - f)[seen].sum()) for f in (without, with_override)]
    return {
        "intervals": int(seen.sum()),
        "missing": int((~seen).sum()),
        "model": float(model[seen].sum()),
        "without": float(without[seen].sum()),
        "with_override": float(with_override[seen].sum()),
        "actual": float(y[seen].sum()),
        "error_without": errors[0],
        "error_with": errors[1],
        "value_added": errors[0] - errors[1],
    }
