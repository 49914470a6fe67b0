"""The smallest crew with patience, places, redials or chats, by trying every number on the Markov chain itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from staffcast.erlang import Band, Target, required_agents

__all__ = ["KINDS", "Need", "a_need"]

Floats = npt.NDArray[np.float64]
KINDS = ("Erlang A", "Erlang X", "M/M/c/K", "M/M/c/K with patience", "chat")


@dataclass(frozen=True)
class Need:
    """What a crew is sought for; times in seconds, ``theta`` the rate of giving up per second."""

    hourly: float
    ahts: tuple[float, ...]
    target: Target
    top: float | None
    patience: float | None
    places: int | None
    redial: float

    def found(self) -> int:
        """The answer of the package."""
        chats = len(self.ahts) > 1
        return int(
            required_agents(
                arrivals_per_hour=self.hourly, aht_s=self.ahts[0], target=self.target, patience_s=self.patience,
                band=None if self.top is None else Band(bottom=0.0, top=self.top), redial=self.redial,
                capacity=self.places, concurrency=len(self.ahts), aht_by_concurrency_s=self.ahts if chats else None,
                model="chat" if chats else None,
            ).agents
        )  # fmt: skip

    def smallest(self) -> int:
        """The first number from one on that meets target and band."""
        agents = 1
        while not self.met(agents):
            agents += 1
        return agents

    def met(self, agents: int) -> bool:
        """Whether the chain of so many agents meets them."""
        rate, theta = self.hourly / 3600, 0.0 if self.patience is None else 1 / self.patience
        if theta == 0 and self.places is None and rate >= agents * len(self.ahts) / self.ahts[-1]:
            return False

        def surplus(each: float) -> float:
            return each - rate - self.redial * each * self.figures(each, agents, theta)["abandon"]

        if self.redial:
            rate = optimize.brentq(
                surplus, rate * (1 - 1e-12), rate / (1 - self.redial) + 1e-12, xtol=1e-15, rtol=1e-14
            )
        now = self.figures(rate, agents, theta)
        if self.top is not None and now["occupancy"] > self.top:
            return False
        if self.target.kind == "mean":
            return now["asa"] <= self.target.seconds
        if self.target.kind == "percentile":
            return now["late"] <= (1 - self.target.level) * now["answered"]
        return now["answered"] - now["late"] >= self.target.level

    def figures(self, rate: float, agents: int, theta: float) -> dict[str, float]:
        """Shares of the offered, mean wait of the answered, occupancy, from the weights of all states."""
        slots, within = agents * len(self.ahts), self.target.seconds
        m = np.arange(1, slots + 1)
        full, more = np.divmod(m, agents)
        finish = np.concatenate([[0.0], np.arange(1, len(self.ahts) + 1) / np.array(self.ahts), [0.0]])
        pace = more * finish[full + 1] + (agents - more) * finish[full]
        drain = float(pace[-1])
        room = self._room(rate, drain, theta) if self.places is None else self.places - slots
        i = np.arange(room)
        log_weight = np.concatenate([[0.0], np.cumsum(np.log(rate / np.concatenate([pace, drain + (i + 1) * theta])))])
        p = np.exp(log_weight - log_weight.max())
        p /= p.sum()
        head, queue = p[:slots].sum(), p[slots : slots + room]
        if theta > 0:
            c, z = drain / theta, np.exp(-theta * within)
            ever = c / (c + i + 1)
            late = ever * special.betainc(c + 1, i + 1, z)
            wait = ever * np.cumsum(1 / (c + 1 + i)) / theta
        else:
            ever, wait = np.ones(room), (i + 1) / drain
            late = special.gammaincc(i + 1, drain * within)
        answered = float(head + queue @ ever)
        inside = float(p.sum() - (p[-1] if self.places is not None else 0.0))
        return {
            "late": float(queue @ late), "answered": answered, "asa": float(queue @ wait) / answered,
            "abandon": (inside - answered) / inside,
            "occupancy": float(np.minimum(np.arange(len(p)), slots) @ p) / slots,
        }  # fmt: skip

    @staticmethod
    def _room(rate: float, drain: float, theta: float) -> int:
        """Waiting places beyond which nobody comes: weights there are below e^−45 of the heaviest."""
        if theta == 0:
            return int(45 / max(np.log(drain / rate), 1e-9)) + 10
        peak = max(rate - drain, 0.0) / theta
        return int(peak + 45 + 15 * np.sqrt(rate / theta + peak)) + 10


def a_need(rng: np.random.Generator, kind: str) -> Need:
    """One at random: 0.05 to 40 erlang (Erlang X to 15), with and without a band."""
    aht = float(np.exp(rng.uniform(np.log(20), np.log(3600))))
    load = float(np.exp(rng.uniform(np.log(0.05), np.log(15 if kind == "Erlang X" else 40))))
    seconds, level = float(aht * np.exp(rng.uniform(-4, 0.7))), float(rng.uniform(0.3, 0.99))
    target = (Target.share(level, within_s=seconds), Target.mean(seconds), Target.percentile(level, seconds))[
        int(rng.integers(3))
    ]
    ahts = (aht,)
    if kind == "chat":
        slots = int(rng.integers(2, 5))
        ahts = tuple((aht * (1 + float(rng.uniform(0, 0.7)) * np.arange(slots))).tolist())
    patient = kind.endswith("patience") or kind in ("Erlang A", "Erlang X") or (kind == "chat" and rng.random() < 0.5)
    return Need(
        load * 3600 / aht, ahts, target, float(rng.uniform(0.5, 0.98)) if rng.random() < 0.4 else None,
        float(aht * np.exp(rng.uniform(-3, 2))) if patient else None,
        # Enough places that agents alone can meet the target.
        int(2 * load + 6 * np.sqrt(load) + 12 + rng.integers(60)) if kind.startswith("M/M/c/K") else None,
        float(rng.uniform(0.05, 0.9)) if kind == "Erlang X" else 0.0,
    )  # fmt: skip
