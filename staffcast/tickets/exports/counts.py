"""Interval files: the rows of one queue and interval brought together, means made from totals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from staffcast.tickets.exports.join import rows_of
from staffcast.tickets.exports.report import Findings

__all__ = ["series_of"]


def series_of(frame: pd.DataFrame, files: tuple[str, ...], found: Findings) -> tuple[pd.DataFrame, list[str]]:
    """Make normalised interval rows a series table.

    Parameters
    ----------
    frame : DataFrame
        ``ds, y``; perhaps ``unique_id, _channel, aht_s, _handled, _handle_total_s, _wrap_total_s, abandoned, waited_s,
        _waited_lost_s``; ``_ds_later`` is the second instant of a clock time that autumn repeats; ``_file, _row``.

    Returns
    -------
    DataFrame, list of str
        ``unique_id, ds, y`` and what else is known, one row per queue and interval; and notes.

    Notes
    -----
    Rows of one interval that differ only in what the series does not tell apart (skill, language) add up. A row that
    stands word for word in a second file is dropped. A clock time that autumn repeats is the first hour the first
    time and the second the second time.
    """
    notes = []
    frame = frame.reset_index(drop=True)
    if "unique_id" not in frame:
        frame = frame.assign(unique_id="all")
    frame = frame.assign(unique_id=frame["unique_id"].astype(object).where(frame["unique_id"].notna(), "all"))
    if "_channel" in frame:
        several = frame.groupby("unique_id")["_channel"].nunique()
        split = frame["unique_id"].isin(several.index[several > 1]) & frame["_channel"].notna()
        if split.any():
            joined = frame["unique_id"].astype(str) + " (" + frame["_channel"].astype(str).str.lower() + ")"
            frame = frame.assign(unique_id=frame["unique_id"].where(~split, joined))
            notes.append("queues that serve several channels are one series per channel")
    content = [c for c in frame.columns if c not in ("_row", "_file", "_ds_later")]
    copies = frame.groupby([*content, "_file"], dropna=False).cumcount()
    twice = frame.assign(_copy=copies).duplicated([*content, "_copy"])
    for k, file in enumerate(files):
        found.add("dropped", "the same row stands in another file", file, rows_of(frame[twice], k))
    frame = frame[~twice]
    again = frame.duplicated(["unique_id", "ds"]) & (frame["_ds_later"] != frame["ds"])
    frame = frame.assign(ds=frame["ds"].where(~again, frame["_ds_later"]))
    if again.any():
        notes.append(f"{int(again.sum())} rows are the second pass of the hour that autumn repeats")
    return _summed(frame), notes


def _summed(frame: pd.DataFrame) -> pd.DataFrame:
    work = frame.assign(_work=np.nan, _weight=np.nan)
    if "aht_s" in frame:
        weight = frame["y"].where(frame["aht_s"].notna())
        work = work.assign(_work=frame["aht_s"] * weight, _weight=weight)
    elif {"_handled", "_handle_total_s"} <= set(frame.columns):
        wrap = frame["_wrap_total_s"].fillna(0) if "_wrap_total_s" in frame else 0.0
        work = work.assign(_work=frame["_handle_total_s"] + wrap, _weight=frame["_handled"])
    if "_waited_lost_s" in frame and "waited_s" in frame:
        work = work.assign(waited_s=frame["waited_s"] + frame["_waited_lost_s"])
    sums = ["y", *(c for c in ("abandoned", "waited_s") if c in work), "_work", "_weight"]
    grouped = work.groupby(["unique_id", "ds"], sort=True)[sums].sum(min_count=1).reset_index()
    aht = grouped["_work"] / grouped["_weight"].where(grouped["_weight"] > 0)
    out = grouped.drop(columns=["_work", "_weight"])
    return out.assign(aht_s=aht) if aht.notna().any() else out
