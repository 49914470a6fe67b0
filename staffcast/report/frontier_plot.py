"""What plans cost beside what they bring: a sweep with its intervals, what is worth its money marked."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
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
# Names fit beside points that are at least this share of the panel apart.
_ROOM = 0.15
_MARKERS = "osD^vPX<>*hd"
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
    """A panel per queue: paid hours across, the figure up; grey where another plan costs no more and does better.

    Colours are circumstances. Choices are named beside their points where there is room, else told by the marker.
    """
    queues = list(dict.fromkeys(table["unique_id"]))
    columns = min(len(queues), 2)
    lines = math.ceil(len(queues) / columns)
    drawn = Figure(figsize=(10.5 if columns > 1 else 7.5, 0.9 + 3.9 * lines), layout="constrained")
    panels = drawn.subplots(lines, columns, squeeze=False)
    known = table[table[figure].notna()]
    look = _Look.of(known)
    for axes, queue in zip(panels.ravel(), queues, strict=False):
        _panel(axes, known[known["unique_id"] == queue], figure, look, days)
        axes.set_title(queue, loc="left", fontsize=10, fontweight="bold")
    for axes in panels.ravel()[len(queues) :]:
        axes.set_axis_off()
    entries = look.entries(bool(known["dominated"].any()))
    wide = max(len(str(each.get_label())) for each in entries)
    drawn.legend(
        handles=entries, loc="outside upper left", ncols=max(1, min(len(entries), 12 * columns // (2 + wide // 6))),
        fontsize=7.5, columnspacing=1.2, handletextpad=0.4,
    )  # fmt: skip
    return drawn


@dataclass(frozen=True, kw_only=True)
class _Look:
    """Colour and marker of every combination, the same in all panels.

    Attributes
    ----------
    around, choices : tuple of str
        Names of circumstances and choices in the table.
    colours, markers : mapping of values to colour or marker
        ``markers`` is empty where the choices are named beside the points, or are too many.
    beside : bool
        Whether there is room for names beside the points.
    """

    around: tuple[str, ...]
    choices: tuple[str, ...]
    colours: dict[tuple[str, ...], str]
    markers: dict[tuple[str, ...], str]
    beside: bool

    @classmethod
    def of(cls, rows: pd.DataFrame) -> _Look:
        around = tuple(name for name in CIRCUMSTANCES if name in rows)
        choices = tuple(name for name in VARIED if name in rows and name not in around)
        found = list(dict.fromkeys(_values(rows, around)))
        colours = {each: _COLOURS[k % len(_COLOURS)] for k, each in enumerate(found)}
        options = list(dict.fromkeys(_values(rows, choices)))
        beside = len(colours) == 1 and len(options) > 1 and all(_apart(r) for _, r in rows.groupby("unique_id"))
        few = 1 < len(options) <= len(_MARKERS) and not beside
        markers = dict(zip(options, _MARKERS, strict=False)) if few else {}
        return cls(around=around, choices=choices, colours=colours, markers=markers, beside=beside)

    def entries(self, beaten: bool) -> list[Line2D]:
        """What the legend explains."""
        named = [
            (", ".join(map("{} {}".format, self.around, values)) or "worth its hours", "o", colour)
            for values, colour in self.colours.items()
        ]
        named += [("beaten by another", "o", _GREY)] if beaten else []
        named += [(self.words(values), marker, _INK) for values, marker in self.markers.items()]
        return [Line2D([], [], linestyle="", marker=m, color=c, markersize=5, label=text) for text, m, c in named]

    def words(self, values: Sequence[str]) -> str:
        """A choice as people read it."""
        return ", ".join(map(_words, self.choices, values))


def _values(rows: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(*(rows[name] for name in names), strict=True)) if names else [()] * len(rows)


def _apart(rows: pd.DataFrame) -> bool:
    """Whether points are so far apart that a name fits beside each."""
    hours = np.sort(rows["paid_hours"].to_numpy(dtype=float))
    return len(hours) <= _MOST_NAMED and bool((np.diff(hours) > _ROOM * (hours[-1] - hours[0])).all())


def _panel(axes: Axes, rows: pd.DataFrame, figure: str, look: _Look, days: float) -> None:
    rows = rows.assign(at=_side_by_side(rows["paid_hours"].to_numpy(dtype=float)))
    around, choices = _values(rows, look.around), _values(rows, look.choices)
    for place, (row, circumstance, choice) in enumerate(zip(rows.to_dict("records"), around, choices, strict=True)):
        worse = bool(row["dominated"])
        colour = _GREY if worse else look.colours[circumstance]
        bar = colour if len(look.colours) == 1 else look.colours[circumstance]
        bars = [abs(row[f"{figure}_{end}"] - row[figure]) for end in ("low", "high")]
        axes.errorbar(
            row["at"], row[figure], yerr=np.nan_to_num(np.array(bars)[:, None]), fmt=look.markers.get(choice, "o"),
            color=colour, ecolor=bar, markersize=4.5 if worse else 5.5, capsize=2.5,
            elinewidth=0.8 if worse else 1.0, alpha=0.75 if worse else 1.0, zorder=1 if worse else 3 + place / 1000,
        )  # fmt: skip
        if look.beside:
            axes.annotate(
                look.words(choice), (row["at"], row[figure]), textcoords="offset points", xytext=(6, 6), fontsize=7.5,
                color=_INK,
            )  # fmt: skip
    for circumstance, colour in look.colours.items():
        own = np.array([each == circumstance for each in around], dtype=bool) & ~rows["dominated"].to_numpy(dtype=bool)
        best = rows[own].sort_values("paid_hours")
        axes.plot(best["at"], best[figure], "-", color=colour, linewidth=0.8, alpha=0.6, zorder=2)
    span = f"{24 * days:.4g} hours" if days < 1 else f"{days:.4g} day{'s' if days != 1 else ''}"
    beside = "\n(points of equal hours stand side by side)" if rows["paid_hours"].duplicated().any() else ""
    axes.set_xlabel(f"paid hours over the plan's {span}{beside}")
    axes.margins(x=0.2 if look.beside else 0.1, y=0.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    scale = _scale(axes, rows, figure)
    axes.set_ylabel(f"{_LABELS[figure]}\n(bars: 95 % interval{scale})")


def _side_by_side(hours: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Where points are drawn: those that cost the same a little apart, around their hours."""
    out = hours.copy()
    known, counts = np.unique(hours, return_counts=True)
    if not len(known):
        return out
    nearest = float(np.diff(known).min()) if len(known) > 1 else max(0.1 * known[0], 1.0)
    step = min(0.6 * nearest / counts.max(), 0.02 * max(float(np.ptp(known)), nearest))
    for value in known[counts > 1]:
        places = np.flatnonzero(hours == value)
        out[places] += step * (np.arange(len(places)) - (len(places) - 1) / 2)
    return out


def _words(name: str, value: str) -> str:
    if name == "agents":
        more = int(value)
        return f"{more:+d} agent{'s' if abs(more) != 1 else ''}".replace("-", "−") if more else "as planned"
    return value if name == "frt" else f"{name} {value}"


def _scale(axes: Axes, rows: pd.DataFrame, figure: str) -> str:
    """Set the scale of the figure; what is to be said of it."""
    if figure == "service_level":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_share(value)))
        return ""
    values = rows[figure].to_numpy(dtype=float)
    low, high = (rows[f"{figure}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
    top, bottom = np.nanmax(np.append(values, high)), np.nanmin(np.append(values, low))
    logarithmic = bool(len(values) and bottom > 0 and top > _WIDE * bottom)
    if logarithmic:
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
    return "; logarithmic scale" if logarithmic else ""
