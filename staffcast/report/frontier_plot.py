"""What plans cost beside what they bring: a sweep with its intervals, what is worth its money marked."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from staffcast.contracts import format_duration, format_share
from staffcast.contracts.files import atomic_path
from staffcast.report.plots import STYLE
from staffcast.sweeping import CIRCUMSTANCES, VARIED

__all__ = ["frontier_plot", "write_frontier"]

_INK, _GREY = "#1f2937", "#9ca3af"
_COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2")
_LABELS = {
    "frt_mean_s": "mean first response time", "frt_p95_s": "95 % have a first response within",
    "service_level": "share answered within the target's time",
}  # fmt: skip
_STEPS = (
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    180,
    300,
    600,
    1200,
    1800,
    3600,
    7200,
    14400,
    28800,
    43200,
    86400,
    172800,
    604800,
)
# Times that span more than this factor are drawn on a logarithmic scale.
_WIDE = 12.0
_MOST_NAMED = 8
_MOST_TICKS = 7


def write_frontier(table: pd.DataFrame, path: str | Path, *, figure: str, days: float) -> None:
    """Draw a sweep into an SVG or PNG file, whole or not at all.

    Parameters
    ----------
    table : DataFrame
        Of :func:`staffcast.sweeping.sweep_plan`.
    path : path
        Ends in ``.svg`` or ``.png``.
    figure : str
        What plans were weighed by.
    days : float
        Length of the plan.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        drawn = frontier_plot(table, figure=figure, days=days)
        more = {"metadata": {"Date": None, "Creator": None}} if kind == "svg" else {"dpi": 150}
        drawn.savefig(buffer, format=kind, **more)
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(buffer.getvalue())


def frontier_plot(table: pd.DataFrame, *, figure: str, days: float) -> Figure:
    """A panel per queue: paid hours across, the figure up; grey where another plan costs no more and does better."""
    queues = list(dict.fromkeys(table["unique_id"]))
    columns = min(len(queues), 2)
    lines = math.ceil(len(queues) / columns)
    drawn = Figure(figsize=(10.5 if columns > 1 else 7.5, 0.5 + 3.9 * lines), layout="constrained")
    panels = drawn.subplots(lines, columns, squeeze=False)
    for axes, queue in zip(panels.ravel(), queues, strict=False):
        _panel(axes, table[table["unique_id"] == queue], figure, days)
        axes.set_title(queue, loc="left", fontsize=10, fontweight="bold")
    for axes in panels.ravel()[len(queues) :]:
        axes.set_axis_off()
    return drawn


def _panel(axes: Axes, rows: pd.DataFrame, figure: str, days: float) -> None:
    known = rows[rows[figure].notna()]
    around = [name for name in CIRCUMSTANCES if name in rows]
    choices = [name for name in VARIED if name in rows and name not in around]
    worse = known[known["dominated"]]
    if len(worse):
        _bars(axes, worse, figure, _GREY, "beaten by another")
    groups = (
        list(known[~known["dominated"]].groupby(around, sort=False)) if around else [((), known[~known["dominated"]])]
    )
    for place, (named, best) in enumerate(groups):
        best = best.sort_values("paid_hours")
        told = [name for name in choices if best[name].nunique() > 1]
        shared = [_words(name, best[name].iloc[0]) for name in choices if name not in told]
        label = ", ".join([f"{name} {value}" for name, value in zip(around, named, strict=True)] or ["worth its hours"])
        label += f" ({', '.join(shared)})" if shared and len(best) else ""
        colour = _COLOURS[place % len(_COLOURS)]
        axes.plot(best["paid_hours"], best[figure], "-", color=colour, linewidth=0.8, alpha=0.6, zorder=2)
        _bars(axes, best, figure, colour, label, above=True)
        if told and len(groups) == 1 and len(best) <= _MOST_NAMED:
            _name(axes, best, figure, told)
    axes.set_xlabel(f"paid hours over the plan's {days:.4g} day{'s' if days != 1 else ''}")
    axes.set_ylabel(f"{_LABELS[figure]} (bars: 95 % interval)")
    axes.margins(x=0.2, y=0.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _scale(axes, known, figure)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.06),
        ncols=3,
        borderaxespad=0.0,
        fontsize=7.5,
        columnspacing=1.2,
        handletextpad=0.4,
    )


def _bars(axes: Axes, rows: pd.DataFrame, figure: str, colour: str, label: str, *, above: bool = False) -> None:
    value = rows[figure].to_numpy(dtype=float)
    wide = [np.abs(rows[f"{figure}_{end}"].to_numpy(dtype=float) - value) for end in ("low", "high")]
    axes.errorbar(
        rows["paid_hours"], value, yerr=np.nan_to_num(np.stack(wide)), fmt="o", color=colour,
        markersize=5 if above else 4, capsize=2.5, elinewidth=1.0, alpha=1.0 if above else 0.7, label=label,
        zorder=3 if above else 1,
    )  # fmt: skip


def _name(axes: Axes, rows: pd.DataFrame, figure: str, choices: Sequence[str]) -> None:
    for row in rows.to_dict("records"):
        text = "\n".join(_words(name, row[name]) for name in choices)
        axes.annotate(
            text, (row["paid_hours"], row[figure]), textcoords="offset points", xytext=(6, 6), fontsize=7.5, color=_INK
        )


def _words(name: str, value: str) -> str:
    if name == "agents":
        more = int(value)
        return f"{more:+d} agent{'s' if abs(more) != 1 else ''}".replace("-", "−") if more else "as planned"
    return value if name == "frt" else f"{name} {value}"


def _scale(axes: Axes, rows: pd.DataFrame, figure: str) -> None:
    if figure == "service_level":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_share(value)))
        return
    values = rows[figure].to_numpy(dtype=float)
    low, high = (rows[f"{figure}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
    top, bottom = np.nanmax(np.append(values, high)), np.nanmin(np.append(values, low))
    if len(values) and bottom > 0 and top > _WIDE * bottom:
        axes.set_yscale("log")
        axes.set_ylim(bottom / 1.3, top * 1.5)
        axes.set_yticks([step for step in _STEPS if bottom / 1.3 <= step <= top * 1.5])
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        step = next((each for each in _STEPS if top / each <= _MOST_TICKS), _STEPS[-1])
        axes.set_yticks(np.arange(0, top * 1.1 + step, step))
        axes.set_ylim(0, top * 1.1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value == 0 else format_duration(value)))
