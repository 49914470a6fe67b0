"""What was to be reached, and whether it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parts.common import figure, table

__all__ = ["Goal", "goals_table"]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure that all values shall keep to: at least ``low``, at most ``high``."""

    what: str
    values: Sequence[float]
    low: float | None = None
    high: float | None = None

    @property
    def wanted(self) -> str:
        """The goal in words."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} – {self.high:g}"
        return f"≥ {self.low:g}" if self.high is None else f"≤ {self.high:g}"

    @property
    def found(self) -> str:
        """What was measured, from the least to the greatest."""
        ends = (min(self.values), max(self.values))
        told = [f"{value:.3f}" if abs(value) < 10 else figure(value) for value in ends]
        return " – ".join(dict.fromkeys(told))

    @property
    def met(self) -> bool:
        """Whether all values keep to it."""
        return all(
            (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
            for value in self.values
        )


def goals_table(goals: Sequence[Goal]) -> str:
    """One line a goal; those without any value are left out."""
    rows = [(goal.what, goal.wanted, goal.found, "yes" if goal.met else "**no**") for goal in goals if goal.values]
    return table(["figure", "goal", "measured", "met"], rows)
