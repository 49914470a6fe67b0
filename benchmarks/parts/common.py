"""What the parts share: the options, CPU time of several candidates in turn, tables."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Options", "cpu_s", "figure", "prose", "table", "time_in_turn"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to measure.

    Attributes
    ----------
    quick : bool
        Fewer points and repeats, a look instead of a measurement.
    peers : str or None
        Python of an environment with the peer packages.
    """

    quick: bool
    peers: str | None


def cpu_s(run: Callable[[], object]) -> float:
    """CPU time of one call, all threads of this process, in seconds."""
    start = time.process_time()
    run()
    return time.process_time() - start


def time_in_turn(
    candidates: Mapping[str, Callable[[], float]], repeats: int, patience_s: float = 1.5
) -> dict[str, float]:
    """Median seconds per candidate, each of which runs itself and returns its own CPU time.

    They take turns, so that a busy machine slows all of them alike. One warm-up goes first; a candidate that has used
    up ``patience_s`` seconds of wall-clock time takes part no longer.
    """
    took: dict[str, list[float]] = {name: [] for name in candidates}
    used = dict.fromkeys(candidates, 0.0)
    for turn in range(repeats + 1):
        for name, run in candidates.items():
            if turn > 1 and used[name] > patience_s:
                continue
            start = time.perf_counter()
            took[name].append(run())
            used[name] += time.perf_counter() - start
    return {name: median(each[1:]) for name, each in took.items()}


def prose(*paragraphs: str) -> str:
    """Paragraphs of at most 116 characters a line."""
    return "\n\n".join(textwrap.fill(" ".join(each.split()), 116, break_on_hyphens=False) for each in paragraphs)


def figure(value: float) -> str:
    """A number with three digits that count, without an exponent where that is readable."""
    if value == 0 or 1e-3 <= abs(value) < 1e3:
        return f"{value:.3g}"
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.1e}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; numbers to the right."""
    numbers = [
        all(isinstance(row[i], (int, float)) or str(row[i]).lstrip("+-")[:1].isdigit() for row in rows)
        for i in range(len(head))
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join("---:" if n else "---" for n in numbers) + "|"]
    for row in rows:
        cells = [
            figure(cell) if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)
            for cell in row
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
