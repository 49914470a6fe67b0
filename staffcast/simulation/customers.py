"""What customers do besides waiting: call again, come back, ask where the answer is, talk to a bot first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from staffcast.contracts import bad_value

__all__ = ["Bot", "Redial", "Reopening", "Repeats"]


@dataclass(frozen=True, kw_only=True)
class Redial:
    """Of those who give up, a share calls again, with the same matter and new patience; and again if need be.

    Attributes
    ----------
    share : float
        In [0, 1).
    delay_s : float
        Mean of the exponential time until then, > 0. [s]
    """

    share: float
    delay_s: float

    def __post_init__(self) -> None:
        _share("redial share", self.share)
        _seconds("redial delay_s", self.delay_s)


@dataclass(frozen=True, kw_only=True)
class Reopening:
    """Of tickets handled, a share comes back as a new ticket of the same class; and may again.

    Attributes
    ----------
    share : float
        In [0, 1).
    delay_s : float
        Mean of the exponential time from the end of the handling until then, > 0. [s]
    work : float
        Handle time of such a ticket ÷ that of a first one, > 0.
    """

    share: float
    delay_s: float
    work: float = 1.0

    def __post_init__(self) -> None:
        _share("reopening share", self.share)
        _seconds("reopening delay_s", self.delay_s)
        _seconds("reopening work", self.work, "a factor > 0")


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """Of customers who still wait after some time, a share sends another message: work that a slow reply makes.

    Attributes
    ----------
    share : float
        In [0, 1).
    after_s : float
        How long they wait before, > 0. [s]
    work : float
        Handle time of such a message ÷ that of a first ticket, > 0.
    """

    share: float
    after_s: float
    work: float = 1.0

    def __post_init__(self) -> None:
        _share("repeats share", self.share)
        _seconds("repeats after_s", self.after_s)
        _seconds("repeats work", self.work, "a factor > 0")


@dataclass(frozen=True, kw_only=True)
class Bot:
    """A bot in front: it closes a share of the conversations and hands the others over.

    The arrivals are then conversations with the bot.

    Attributes
    ----------
    share : float or sequence of float
        Closed by the bot, in [0, 1]; one number, or one per class (topic).
    handover_s : float
        From the first message until the ticket seeks a person, ≥ 0; waiting counts from then. [s]
    harder : float
        Handle time of what is left ÷ usual, > 0: a bot closes the easy ones.
    """

    share: float | Sequence[float]
    handover_s: float = 0.0
    harder: float = 1.0

    def __post_init__(self) -> None:
        several = isinstance(self.share, Sequence) and not isinstance(self.share, str)
        for share in self.share if several else [self.share]:  # type: ignore[union-attr]
            if isinstance(share, bool) or not (isinstance(share, (int, float)) and 0 <= share <= 1):
                raise bad_value("bot share", share, "a share in [0, 1]", "write 30 % as 0.3")
        if self.handover_s != 0:
            _seconds("bot handover_s", self.handover_s, "a number of seconds ≥ 0")
        _seconds("bot harder", self.harder, "a factor > 0")

    def shares(self, classes: int) -> list[float]:
        """One share per class."""
        if isinstance(self.share, (int, float)):
            return [float(self.share)] * classes
        if len(self.share) != classes:
            raise bad_value("bot share", f"{len(self.share)} shares", f"one, or {classes}, one per class")
        return [float(share) for share in self.share]


def _share(parameter: str, value: float) -> None:
    if isinstance(value, bool) or not (isinstance(value, (int, float)) and 0 <= value < 1):
        raise bad_value(parameter, value, "a share in [0, 1)", "write 30 % as 0.3; at 1 it would never end")


def _seconds(parameter: str, value: float, legal: str = "a number of seconds > 0") -> None:
    if isinstance(value, bool) or not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
        raise bad_value(parameter, value, legal)
