"""The small frozen inputs: a wrong one cannot be constructed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from staffcast.contracts.errors import bad_value
from staffcast.contracts.units import format_duration, parse_duration_s, parse_share

__all__ = ["Band", "Shrinkage", "Target"]

_NOT_ALL = 'some tickets always wait longer: write for example "99% in 60s" or "p99 9m"'


@dataclass(frozen=True, kw_only=True)
class Target:
    """What first response time (FRT) must reach.

    Build it with :meth:`share`, :meth:`mean`, :meth:`percentile` or :meth:`parse`.

    Attributes
    ----------
    kind : {"share", "mean", "percentile"}
        ``share``: at least ``level`` of the offered tickets answered within ``seconds``.
        ``mean``: mean FRT at most ``seconds``. ``percentile``: the ``level`` quantile of FRT at most ``seconds``.
    level : float
        Share or quantile in (0, 1); NaN for a mean.
    seconds : float
        Threshold, > 0.

    Examples
    --------
    >>> Target.parse("80% in 60s") == Target.share(0.80, within_s=60)
    True
    >>> str(Target.parse("p95 9m")), str(Target.parse("mean 60s"))
    ('p95 ≤ 9 min', 'mean ≤ 60 s')
    """

    kind: Literal["share", "mean", "percentile"]
    level: float
    seconds: float

    def __post_init__(self) -> None:
        if self.kind not in ("share", "mean", "percentile"):
            raise bad_value("target kind", self.kind, "one of share, mean, percentile")
        for name, value in (("target time", self.seconds), ("target share", self.level)):
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise bad_value(name, value, "a number", 'read text with Target.parse("80% in 60s")')
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise bad_value(
                "target time", self.seconds, "a time above 0 s",
                'nobody answers in no time: write for example "80% in 60s"',
            )  # fmt: skip
        if self.kind != "mean" and not 0 < self.level < 1:
            fix = f"write {self.level:g} % as {self.level / 100:g}" if 1 < self.level < 100 else _NOT_ALL
            raise bad_value("target share", self.level, "in (0, 1)", fix)

    @classmethod
    def share(cls, share: float, *, within_s: float) -> Target:
        """At least ``share`` of the offered tickets get their first response within ``within_s`` seconds."""
        return cls(kind="share", level=_number("share", share), seconds=_number("within_s", within_s))

    @classmethod
    def mean(cls, seconds: float) -> Target:
        """Mean first response time of at most ``seconds``."""
        return cls(kind="mean", level=math.nan, seconds=_number("seconds", seconds))

    @classmethod
    def percentile(cls, quantile: float, seconds: float) -> Target:
        """The ``quantile`` (0.95 for p95) of first response time is at most ``seconds``."""
        return cls(kind="percentile", level=_number("quantile", quantile), seconds=_number("seconds", seconds))

    @classmethod
    def parse(cls, text: object) -> Target:
        """Read ``"80% in 60s"``, ``"mean 60s"`` or ``"p95 9m"``.

        Raises
        ------
        InputError
            Anything else.
        """
        if isinstance(text, Target):
            return text
        legal = 'like "80% in 60s", "mean 60s" or "p95 9m"'
        if not isinstance(text, str):
            raise bad_value("frt", text, legal)
        if match := re.fullmatch(r"\s*([\d.]+\s*%?)\s+(?:in|within)\s+(.+)", text):
            percent = match[1].rstrip().endswith("%") and match[1].count(".") < 2
            level = float(match[1].replace("%", "")) / 100 if percent else parse_share(match[1], parameter="frt")
            return cls.share(_part("frt", text, level), within_s=_time("frt", text, match[2]))
        if match := re.fullmatch(r"\s*mean\s*(?:<=|≤|in\s|within\s)?\s*(.+)", text):
            return cls.mean(_time("frt", text, match[1]))
        if match := re.fullmatch(r"\s*p(\d+(?:\.\d+)?)(?:\s*(?:<=|≤)\s*|\s+(?:in\s+|within\s+)?)(.+)", text):
            return cls.percentile(_part("frt", text, float(match[1]) / 100), _time("frt", text, match[2]))
        raise bad_value("frt", text, legal)

    def __str__(self) -> str:
        limit = format_duration(self.seconds)
        if self.kind == "share":
            return f"{100 * self.level:g} % in {limit}"
        return f"mean ≤ {limit}" if self.kind == "mean" else f"p{100 * self.level:g} ≤ {limit}"


def _number(parameter: str, value: object) -> float:
    if isinstance(value, str):
        raise bad_value(parameter, value, "a number", 'read text with Target.parse("mean 60s")')
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise bad_value(parameter, value, "a number") from None


def _part(parameter: str, text: str, level: float) -> float:
    """A share of the tickets that a target can ask for: some of them, and not all."""
    if not 0 < level < 1:
        raise bad_value(parameter, text, "a share of the tickets in (0, 1), neither none nor all", _NOT_ALL)
    return level


def _time(parameter: str, text: str, time: str) -> float:
    seconds = parse_duration_s(time, parameter=parameter)
    if seconds == 0:
        raise bad_value(
            parameter, text, "a time above 0 s", 'nobody answers in no time: write for example "80% in 60s"'
        )
    return seconds


@dataclass(frozen=True, kw_only=True)
class Band:
    """The occupancy that staffing aims for.

    Attributes
    ----------
    bottom, top : float
        Shares, 0 ≤ bottom < top ≤ 1. Above ``top`` people burn out; below ``bottom`` they are over-staffed.

    Examples
    --------
    >>> Band.parse("85%-90%")
    Band(bottom=0.85, top=0.9)
    """

    bottom: float = 0.85
    top: float = 0.90

    def __post_init__(self) -> None:
        if not (0 <= self.bottom <= 1 and 0 < self.top <= 1):
            raise bad_value("band", (self.bottom, self.top), "two shares in [0, 1]", 'write "85%-90%"')
        if self.bottom >= self.top:
            raise bad_value(
                "band", str(self), "bottom below top", f'write "{100 * self.top:g}%-{100 * self.bottom:g}%"'
            )

    @classmethod
    def parse(cls, text: object) -> Band:
        """Read ``"85%-90%"``."""
        if isinstance(text, Band):
            return text
        match = (
            re.fullmatch(r"\s*([\d.]+\s*%?)\s*(?:-|–|to)\s*([\d.]+\s*%?)\s*", text) if isinstance(text, str) else None
        )
        if match is None:
            none = isinstance(text, str) and text.strip().lower() in ("none", "no", "off", "")
            fix = "leave it out (None) where there is none" if none else None
            raise bad_value("band", text, 'two shares like "85%-90%"', fix)
        return cls(bottom=parse_share(match[1], parameter="band"), top=parse_share(match[2], parameter="band"))

    def __str__(self) -> str:
        return f"{100 * self.bottom:g}–{100 * self.top:g} %"


@dataclass(frozen=True, kw_only=True)
class Shrinkage:
    """Share of paid time in which an agent is not available: breaks, training, meetings, sickness, leave.

    Attributes
    ----------
    share : float
        In [0, 1).

    Examples
    --------
    >>> Shrinkage.parse("30%").rostered(21)
    30
    """

    share: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.share, (int, float)):
            raise bad_value("shrinkage", self.share, "a share in [0, 1)", 'read text with Shrinkage.parse("30%")')
        parse_share(self.share, parameter="shrinkage", below_one=True)

    @classmethod
    def parse(cls, text: object) -> Shrinkage:
        """Read ``"30%"`` or ``0.30``."""
        return (
            text if isinstance(text, Shrinkage) else cls(share=parse_share(text, parameter="shrinkage", below_one=True))
        )

    def rostered(self, agents: int) -> int:
        """People to roster so that ``agents`` are available on average."""
        # 21 / (1 - 0.3) is 30.000000000000004; a bare ceil would hire a 31st person.
        return math.ceil(agents / (1 - self.share) - 1e-9)
