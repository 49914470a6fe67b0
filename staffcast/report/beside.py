"""Plans beside each other in as few columns as a terminal holds; files and JSON have all figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import pandas as pd

from staffcast.contracts import format_duration, format_share
from staffcast.report.terminal import print_frame

__all__ = ["comparison_columns", "print_comparison", "print_sweep", "sweep_columns"]

_FIGURES = {"frt_mean_s": "FRT mean (95 %)", "frt_p95_s": "FRT p95 (95 %)", "service_level": "service level (95 %)"}


def comparison_columns(plans: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    """What decides between plans: hours, service level and mean first response time, and what changes, as text.

    Parameters
    ----------
    plans, differences : DataFrame
        Of :class:`staffcast.comparing.Compared`.

    Returns
    -------
    DataFrame
        One row per queue and plan, columns as headings with their units. The verdict is about the service level.
    """
    changes = {(r["unique_id"], r["plan"], r["measure"]): r for r in differences.to_dict("records")}
    base: dict[str, float] = {}
    rows = []
    for row in plans.to_dict("records"):
        queue, plan, hours = str(row["unique_id"]), row["plan"], float(row["agent_hours"])
        first = queue not in base
        base.setdefault(queue, hours)
        level = None if first else changes[queue, plan, "service_level"]
        reply = None if first else changes[queue, plan, "frt_mean_s"]
        rows.append(
            {
                "queue": queue,
                "plan": str(plan),
                "agent\nhours": f"{hours:,.1f}",
                "change,\nhours": "" if first else _signed(f"{hours - base[queue]:+,.1f}"),
                "service\nlevel": format_share(row["service_level"], 1),
                "change,\npoints": "" if level is None else _points(level),
                "FRT\nmean": _time(row["frt_mean_s"]),
                "change": "" if reply is None else _times(reply),
                "service level is": "" if level is None else _word(level),
            }
        )
    return pd.DataFrame(rows)


def print_comparison(plans: pd.DataFrame, differences: pd.DataFrame, *, stream: TextIO) -> None:
    """Print plans beside each other, changes with half the width of their 95 % intervals."""
    shown = comparison_columns(plans, differences)
    print_frame(
        shown, title="Plans, and what they change against the first (± : 95 % interval)", stream=stream,
        right=list(shown.columns[2:-1]),
    )  # fmt: skip


def sweep_columns(table: pd.DataFrame, varied: Sequence[str], figure: str) -> pd.DataFrame:
    """What combinations cost and bring, as text.

    Parameters
    ----------
    table : DataFrame
        Of :func:`staffcast.sweeping.sweep_plan`.
    varied : sequence of str
        The names that were varied.
    figure : str
        What plans were weighed by.

    Returns
    -------
    DataFrame
        One row per row of ``table``, columns as headings with their units; ``worth it`` says whether nothing beats it.
    """
    columns: dict[str, Any] = {"queue": table["unique_id"].astype(str)}
    columns |= {name: table[name].astype(str) for name in varied}
    columns["paid\nhours"] = [f"{hours:,.1f}" for hours in table["paid_hours"]]
    if figure != "service_level":
        columns["service\nlevel"] = [format_share(share, 1) for share in table["service_level"]]
    else:
        columns["FRT\nmean"] = [_time(value) for value in table["frt_mean_s"]]
    show = _time if figure != "service_level" else _share
    columns[_FIGURES[figure]] = [
        f"{show(value)} ({show(low)} to {show(high)})"
        for value, low, high in zip(*(table[f"{figure}{end}"] for end in ("", "_low", "_high")), strict=True)
    ]
    columns["target"] = table["verdict"]
    columns["worth it"] = ["no" if beaten else "yes" for beaten in table["dominated"]]
    return pd.DataFrame(columns)


def print_sweep(
    table: pd.DataFrame, varied: Sequence[str], figure: str, *, stream: TextIO, everything: bool = False
) -> None:
    """Print all combinations, or those that nothing beats."""
    shown = sweep_columns(table, varied, figure)
    right = list(shown.columns[1 + len(varied) : -2])
    beaten = table["dominated"].to_numpy(dtype=bool)
    if everything:
        print_frame(shown, title="Every combination", stream=stream, right=right)
    if not beaten.any():
        if not everything:
            print_frame(shown.drop(columns="worth it"), title="Every combination", stream=stream, right=right)
        stream.write("All are worth their hours: each that costs less does worse.\n")
        return
    print_frame(
        shown[~beaten].drop(columns="worth it"), title="Worth their hours: nothing that costs as little does better",
        stream=stream, right=right,
    )  # fmt: skip


def _points(row: Mapping[Any, Any]) -> str:
    return _signed(f"{100 * row['difference']:+.1f} ± {50 * (row['high'] - row['low']):.1f}")


def _times(row: Mapping[Any, Any]) -> str:
    difference = float(row["difference"])
    if math.isnan(difference):
        return "–"
    sign = "−" if difference < 0 else "+"
    half = (float(row["high"]) - float(row["low"])) / 2
    return f"{sign}{format_duration(abs(difference))} ± {_time(half)}"


def _word(row: Mapping[Any, Any]) -> str:
    if not bool(row["decided"]):
        return "undecided"
    return "better" if row["difference"] > 0 else "worse"


def _time(value: float) -> str:
    return "–" if math.isnan(value) else format_duration(max(float(value), 0.0))


def _share(value: float) -> str:
    return format_share(float(value), 1)


def _signed(text: str) -> str:
    return text.replace("-", "−").replace("nan", "–")
