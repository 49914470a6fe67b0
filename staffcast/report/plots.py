"""The plots of a plan, as SVG text."""

from __future__ import annotations

import html
import io
import re
from typing import Any

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from staffcast.contracts import Band, Target, format_duration
from staffcast.forecast import Demand

__all__ = [
    "agents_plot",
    "backlog_plot",
    "demand_plot",
    "frt_plot",
    "heat_map",
    "interval_plot",
    "occupancy_plot",
    "pit_plot",
]

_INK, _GREY, _BLUE, _AMBER, _GREEN, _RED = "#1f2937", "#9ca3af", "#2563eb", "#d97706", "#059669", "#dc2626"
_BINDING = {"frt": (_BLUE, "FRT"), "occupancy": (_AMBER, "occupancy"), "minimum": (_GREY, "minimum")}
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.edgecolor": _GREY, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
    "text.color": _INK, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": "#e5e7eb", "grid.linewidth": 0.6, "axes.axisbelow": True, "legend.frameon": False,
    # Text stays text (small, searchable); ids depend on the content alone, so the same plan gives the same bytes.
    "svg.fonttype": "none", "svg.hashsalt": "staffcast",
}  # fmt: skip
_WIDTH = 10.5


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _svg(figure: Figure, label: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # The page sets the width; the view box keeps the proportions.
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(label)}"', 1)


def _local(ds: pd.Series | pd.DatetimeIndex) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(ds).tz_localize(None)


def _days_axis(axes: Axes, *, weekly: bool, span: pd.DatetimeIndex | None = None) -> None:
    if span is not None:  # the same days on every plot, also where it has nothing to show
        axes.set_xlim(mdates.date2num(span[0]), mdates.date2num(span[-1]))
    if weekly:
        axes.xaxis.set_major_locator(mdates.WeekdayLocator(byweekday=mdates.MO))
        axes.xaxis.set_major_formatter(mdates.DateFormatter("%a %d %b"))
        axes.xaxis.set_minor_locator(mdates.DayLocator())
    else:
        axes.xaxis.set_major_locator(mdates.DayLocator())
        axes.xaxis.set_major_formatter(mdates.DateFormatter("%a %d %b"))
        axes.xaxis.set_minor_locator(mdates.HourLocator(byhour=(6, 12, 18)))
    axes.margins(x=0.005)


def _legend(axes: Axes, columns: int, **more: Any) -> None:
    axes.legend(ncols=columns, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.1, **more)


def first_week(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first seven local days."""
    local = table["ds"].dt.tz_localize(None)
    return pd.DataFrame(table[local < local.iloc[0].normalize() + pd.Timedelta(days=7)])


def demand_plot(demand: Demand, paths: npt.NDArray[np.float64], history: pd.DataFrame, queue: str) -> str:
    """Tickets per day: the last eight weeks and the forecast with its 50 % and 90 % bands.

    Parameters
    ----------
    demand : Demand
    paths : ndarray, shape (n, intervals)
        Sample paths of the queue's counts; a day's band needs them, as hours of a day are not independent.
    history : DataFrame
        ``ds`` and ``y`` of the queue's past, as offered to people (:meth:`Calendar.fold`), like the forecast.
    queue : str
    """
    with mpl.rc_context(STYLE):
        figure, axes = _figure(2.8)
        past_days = history.groupby(_local(history["ds"]).normalize())["y"].sum(min_count=1).iloc[-56:]
        days = _local(demand.ds).normalize()
        unique, at = np.unique(days, return_inverse=True)
        totals = np.stack([np.bincount(at, weights=path) for path in paths])
        mean = np.bincount(at, weights=demand.of(queue)["mean"])
        middle = pd.DatetimeIndex(unique) + pd.Timedelta(hours=12)
        q05, q25, q75, q95 = np.quantile(totals, (0.05, 0.25, 0.75, 0.95), axis=0)
        busy = mean > 0  # a closed day is no forecast of nothing
        middle, mean = middle[busy], mean[busy]
        q05, q25, q75, q95 = q05[busy], q25[busy], q75[busy], q95[busy]
        axes.vlines(middle, q05, q95, color=_BLUE, alpha=0.25, linewidth=7, label="90 % of futures")
        axes.vlines(middle, q25, q75, color=_BLUE, alpha=0.45, linewidth=7, label="50 % of futures")
        axes.plot(middle, mean, "o", color=_BLUE, markersize=3.5, label="forecast")
        noon = pd.DatetimeIndex(past_days.index) + pd.Timedelta(hours=12)
        axes.plot(noon, past_days, "-", color=_GREY, linewidth=0.8)
        axes.plot(noon, past_days, "o", color=_INK, markersize=3, label="offered so far")
        axes.set_ylabel("tickets per day")
        axes.set_ylim(bottom=0)
        _days_axis(axes, weekly=True)
        _legend(axes, 4)
        return _svg(figure, f"{queue}: tickets per day, past and forecast")


def interval_plot(demand: Demand, queue: str) -> str:
    """Tickets per interval of the first week with the 90 % band."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure(2.3)
        rows = first_week(demand.of(queue))
        x = _local(rows["ds"])
        low, high = (rows.get(name) for name in ("q05", "q95"))
        if low is not None and high is not None:
            axes.fill_between(x, low, high, step="post", color=_BLUE, alpha=0.2, linewidth=0, label="90 % of futures")
        axes.step(x, rows["mean"], where="post", color=_BLUE, linewidth=1.2, label="forecast")
        if (rows["carried"] > 0).any():
            late = rows[rows["carried"] > 0]
            axes.plot(
                _local(late["ds"]), late["mean"], "v", color=_AMBER, markersize=5, label="with what waited overnight"
            )
        axes.set_ylabel(f"tickets per {demand.minutes} min")
        axes.set_ylim(bottom=0)
        _days_axis(axes, weekly=False, span=x)
        _legend(axes, 3)
        return _svg(figure, f"{queue}: tickets per interval, first week")


def agents_plot(requirement: pd.DataFrame, queue: str) -> str:
    """Agents needed in the first week, coloured by the rule that set the number."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure(2.3)
        rows = first_week(requirement[requirement["unique_id"] == queue])
        x = _local(rows["ds"])
        agents = rows["agents"].to_numpy()
        handles = []
        for name, (colour, text) in _BINDING.items():
            mine = (rows["binding"] == name).to_numpy() & (agents > 0)
            if mine.any():
                axes.fill_between(x, 0, np.where(mine, agents, 0), step="post", color=colour, alpha=0.75, linewidth=0)
                handles.append(Patch(color=colour, alpha=0.75, label=f"set by {text}"))
        (line,) = axes.step(x, rows["load_erl"], where="post", color=_INK, linewidth=0.9, label="offered load (erlang)")
        axes.set_ylabel("agents")
        axes.set_ylim(bottom=0)
        _days_axis(axes, weekly=False, span=x)
        _legend(axes, 4, handles=[*handles, line])
        return _svg(figure, f"{queue}: agents needed, first week")


def occupancy_plot(requirement: pd.DataFrame, outcome: pd.DataFrame, queue: str, band: Band | None) -> str:
    """Planned and simulated occupancy of the first week against the band."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure(2.1)
        rows = first_week(requirement[requirement["unique_id"] == queue])
        played = first_week(outcome[outcome["unique_id"] == queue])
        if band is not None:
            axes.axhspan(100 * band.bottom, 100 * band.top, color=_GREEN, alpha=0.25, linewidth=0, label=f"band {band}")
        x = _local(rows["ds"])
        axes.step(x, 100 * rows["occupancy"], where="post", color=_BLUE, linewidth=1.2, label="planned")
        # With chats the simulation plays lines, not people: beside it stands what is planned of the same.
        chats = (rows["model"] == "chat").any()
        if chats:
            axes.step(x, 100 * rows["slots_busy"], where="post", color=_GREY, linewidth=1.2,
                      label="planned, conversations held of those possible")  # fmt: skip
        axes.step(_local(played["ds"]), 100 * played["utilization"], where="post", color=_INK, linewidth=0.8,
                  linestyle=(0, (2, 1)),
                  label="the same, simulated" if chats else "simulated")  # fmt: skip
        axes.set_ylabel("occupancy (%)")
        axes.set_ylim(0, 102)
        _days_axis(axes, weekly=False, span=x)
        _legend(axes, 4)
        return _svg(figure, f"{queue}: occupancy against the band, first week")


def frt_plot(outcome: pd.DataFrame, queue: str, target: Target) -> str:
    """Simulated first response time of the first week: median and p90, logarithmic."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure(2.3)
        rows = first_week(outcome[outcome["unique_id"] == queue])
        x = _local(rows["ds"])
        floor = 5.0
        p50, p90 = (np.maximum(rows[c].to_numpy(), floor) for c in ("frt_p50_s", "frt_p90_s"))
        seen = ~np.isnan(rows["frt_p50_s"].to_numpy())
        axes.fill_between(
            x, p50, p90, step="post", where=list(seen), color=_BLUE, alpha=0.25, linewidth=0, label="median to p90"
        )
        axes.step(x, p50, where="post", color=_BLUE, linewidth=1.2, label="median")
        axes.axhline(target.seconds, color=_RED, linewidth=0.9, linestyle="--", label=f"target {target}")
        axes.set_yscale("log")
        top = max(float(np.nanmax(p90, initial=60.0)), target.seconds) * 1.5
        ticks = [t for t in (5, 15, 60, 300, 900, 3600, 4 * 3600, 86400) if t <= top]
        axes.set_yticks(ticks, [format_duration(t) for t in ticks])
        axes.minorticks_off()
        axes.set_ylim(floor, top)
        axes.set_ylabel("first response time")
        _days_axis(axes, weekly=False, span=x)
        _legend(axes, 3)
        return _svg(figure, f"{queue}: simulated first response time, first week")


def backlog_plot(outcome: pd.DataFrame, queue: str) -> str:
    """Simulated tickets waiting over the whole horizon, mean and 5–95 % of the replications."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure(2.0)
        rows = outcome[outcome["unique_id"] == queue]
        x = _local(rows["ds"])
        axes.fill_between(x, rows["queue_end_p05"], rows["queue_end_p95"], step="post", color=_AMBER, alpha=0.3,
                          linewidth=0, label="5–95 % of the replications")  # fmt: skip
        axes.step(x, rows["queue_end"], where="post", color=_AMBER, linewidth=1.0, label="mean")
        axes.set_ylabel("tickets waiting")
        axes.set_ylim(bottom=0)
        _days_axis(axes, weekly=True)
        _legend(axes, 2)
        return _svg(figure, f"{queue}: simulated backlog")


def pit_plot(shares: npt.NDArray[np.float64], queue: str) -> str:
    """Where past counts fell in their forecasts' distributions, against what bands as wide as promised would show.

    Parameters
    ----------
    shares : ndarray, shape (bins,)
        Share of the counts in each equal part of probability, summing to 1.
    queue : str
    """
    with mpl.rc_context(STYLE):
        figure, axes = _figure(1.9)
        number = len(shares)
        left = np.arange(number) * 100 / number
        axes.bar(left, 100 * shares, width=100 / number, align="edge", color=_BLUE, alpha=0.45, edgecolor="white",
                 label="what came, in the backtest")  # fmt: skip
        axes.axhline(100 / number, color=_INK, linewidth=0.9, linestyle="--", label="bands as wide as promised")
        axes.set_xlim(0, 100)
        axes.set_ylim(0, max(100 * float(shares.max()), 200 / number) * 1.05)
        axes.set_xticks(np.append(left, 100), [f"{100 * k / number:.0f} %" for k in range(number + 1)])
        axes.set_xlabel("place in the forecast's distribution (0 % far below the forecast, 100 % far above)")
        axes.set_ylabel("% of intervals")
        axes.grid(visible=False, axis="x")
        _legend(axes, 2)
        return _svg(figure, f"{queue}: where what came fell in the forecast's distribution")


def heat_map(requirement: pd.DataFrame, queue: str) -> str:
    """Agents per day of the horizon (down) and time of day (across), the peak within each hour."""
    rows = requirement[(requirement["unique_id"] == queue) & requirement["open"]]
    if rows.empty:
        with mpl.rc_context(STYLE):
            figure, axes = _figure(0.6)
            axes.text(0.5, 0.5, "closed throughout", ha="center", va="center")
            axes.set_axis_off()
            return _svg(figure, f"{queue}: closed throughout")
    local = _local(rows["ds"])
    table = rows.assign(day=local.normalize(), hour=local.hour).pivot_table(
        index="day", columns="hour", values="agents", aggfunc="max"
    )
    # A closed day inside the horizon is a row of its own: left out, Monday would follow Saturday unseen.
    table = table.reindex(pd.date_range(table.index.min(), table.index.max(), freq="D"))
    table = table.reindex(columns=range(int(table.columns.min()), int(table.columns.max()) + 1))
    with mpl.rc_context(STYLE):
        figure, axes = _figure(0.6 + 0.2 * len(table))
        cells = table.to_numpy(dtype=float)
        top = max(float(np.nanmax(cells)), 1.0)
        axes.imshow(cells, aspect="auto", cmap="Blues", vmin=0, vmax=top)
        for i, j in np.argwhere(~np.isnan(cells)):
            value = float(cells[i, j])
            colour = "white" if value > 0.55 * top else _INK
            axes.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7.5, color=colour)
        axes.set_yticks(range(len(table)), [f"{day:%a %d %b}" for day in pd.DatetimeIndex(table.index)])
        axes.set_xticks(range(len(table.columns)), [f"{h:02d}:00" for h in table.columns])
        axes.xaxis.tick_top()
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return _svg(figure, f"{queue}: agents by day and hour")
