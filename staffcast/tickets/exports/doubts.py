"""What looks odd in imported tickets: contradictions, outages, stated times not borne out. Nothing is removed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.tickets.exports.report import Findings

__all__ = ["Doubts"]

_LONG = pd.Timedelta(days=730)
_EXPECTED = 20.0  # tickets missed before a silence is called one: e^-20 by chance
_MANY_UNASSIGNED = 0.2
_AGREE_S = 60.0  # vendors round to minutes


class Doubts:
    """Looks at the tickets as they are written, chunk by chunk, and says at the end what it saw."""

    def __init__(self, found: Findings, *, derived: bool, zone: str) -> None:
        self._found, self._derived, self._zone = found, derived, zone
        self._hours: dict[int, int] = {}
        self._both = self._agree = self._longer = 0
        self._rows = self._unassigned = 0

    def look(self, frame: pd.DataFrame, file: str) -> None:
        """Look at rows of one file; ``_row`` has their numbers."""
        if frame.empty:
            return
        created = frame["created_at"]
        if "assigned_at" in frame and "offered_at" not in frame:
            self._rows += len(frame)
            self._unassigned += int(frame["assigned_at"].isna().sum())
        rows = frame["_row"].to_numpy(dtype=np.int64)

        def odd(reason: str, mask: pd.Series) -> None:
            self._found.add("suspicious", reason, file, rows[mask.to_numpy(dtype=bool)])

        for name in ("first_response_at", "resolved_at", "assigned_at"):
            if name in frame:
                odd(f"{name} before created_at", frame[name] < created)
        if "resolved_at" in frame:
            odd("resolved more than two years after creation", frame["resolved_at"] - created > _LONG)
        for name in frame.columns[frame.columns.str.startswith("stated_")]:
            odd(f"{name} is negative", frame[name] < 0)
        if not self._derived and {"stated_frt_s", "first_response_at"} <= set(frame.columns):
            gap = frame["stated_frt_s"] - (frame["first_response_at"] - created).dt.total_seconds()
            self._both += int(gap.notna().sum())
            self._agree += int((gap.abs() <= _AGREE_S).sum())
            self._longer += int((gap > _AGREE_S).sum())
        hour = created.astype("datetime64[us, UTC]").astype("int64") // 3_600_000_000
        for at, n in zip(*np.unique(hour.to_numpy(), return_counts=True), strict=True):
            self._hours[int(at)] = self._hours.get(int(at), 0) + int(n)

    def notes(self) -> list[str]:
        """What the whole says: outages, and how far the vendor's own first response times agree."""
        out = [
            f"suspicious: no ticket from {a:%Y-%m-%d %H:%M} to {b:%Y-%m-%d %H:%M}, where about {n:.0f} would be usual: "
            "an outage, or a part of the export that is missing; kept as it is"
            for a, b, n in self._silences()
        ]
        if self._unassigned > _MANY_UNASSIGNED * self._rows:
            out.append(
                f"CHECK assigned_at is empty in {self._unassigned:,} of {self._rows:,} rows, without any offered_at: "
                "does a bot close them? They count as abandoned; map the hand-over to people to offered_at"
            )
        if self._both:
            less = self._both - self._agree - self._longer
            out.append(
                f"stated first response times: {self._agree:,} of {self._both:,} agree with the instants "
                f"within a minute, {self._longer:,} are longer, {less:,} shorter"
            )
        return out

    def _silences(self) -> list[tuple[pd.Timestamp, pd.Timestamp, float]]:
        if len(self._hours) < 2:
            return []
        first, last = min(self._hours), max(self._hours)
        counts = np.zeros(last - first + 1)
        for at, n in self._hours.items():
            counts[at - first] = n
        starts = pd.to_datetime(np.arange(first, last + 1) * 3600, unit="s", utc=True).tz_convert(self._zone)
        slot = starts.day_of_week.to_numpy() * 24 + starts.hour.to_numpy()
        usual = _usual(counts, slot)
        quiet = np.concatenate([[False], counts == 0, [False]]).astype(np.int8)
        begins, ends = np.flatnonzero(np.diff(quiet) == 1), np.flatnonzero(np.diff(quiet) == -1)
        missed = np.concatenate([[0.0], np.cumsum(usual)])
        out = [
            (starts[a], starts[a] + pd.Timedelta(hours=b - a), float(missed[b] - missed[a]))
            for a, b in zip(begins.tolist(), ends.tolist(), strict=True)
        ]
        return [each for each in out if each[2] >= _EXPECTED][:20]


def _usual(counts: npt.NDArray[np.float64], slot: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """What each hour of the week usually brings: the median of its weeks, so that an outage does not lower it."""
    by_slot = pd.Series(counts).groupby(slot).median()
    return np.asarray(by_slot.reindex(range(168)).fillna(0.0).to_numpy(), dtype=np.float64)[slot]
