"""How long things last: handle times and patience."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from staffcast.contracts import bad_value
from staffcast.simulation import chance, checks, streams
from staffcast.simulation.checks import FloatArray, IntArray

__all__ = ["Patience", "Service"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Service:
    """Handle time of a ticket. Build it with one of the constructors.

    Attributes
    ----------
    kind : {"exponential", "lognormal", "gamma", "empirical", "deterministic"}
        Shape of the distribution.
    mean_s : array () or (n,)
        Mean in seconds, one for all or one per interval in which a ticket arrives (the first for the backlog).
    cv : float
        Coefficient of variation, standard deviation ÷ mean.
    sample_s : array (k,), optional
        Handle times that "empirical" draws from, each as likely.
    """

    kind: Literal["exponential", "lognormal", "gamma", "empirical", "deterministic"]
    mean_s: FloatArray
    cv: float
    sample_s: FloatArray | None = None

    @classmethod
    def exponential(cls, mean_s: npt.ArrayLike) -> Service:
        """Exponential with this mean in seconds, scalar or (n,) by interval of arrival."""
        return cls(kind="exponential", mean_s=checks.means(mean_s), cv=1.0)

    @classmethod
    def lognormal(cls, mean_s: npt.ArrayLike, cv: float) -> Service:
        """Lognormal with this mean in seconds, scalar or (n,) by interval of arrival, and sd ÷ mean ``cv`` ≥ 0."""
        return cls(kind="lognormal", mean_s=checks.means(mean_s), cv=_cv(cv, low=0.0))

    @classmethod
    def gamma(cls, mean_s: npt.ArrayLike, cv: float) -> Service:
        """Gamma with this mean in seconds, scalar or (n,) by interval of arrival; sd ÷ mean ``cv`` from 0.01 to 10."""
        return cls(kind="gamma", mean_s=checks.means(mean_s), cv=_cv(cv, low=0.01, high=10.0))

    @classmethod
    def deterministic(cls, mean_s: npt.ArrayLike) -> Service:
        """Always this long in seconds, scalar or (n,) by interval of arrival."""
        return cls(kind="deterministic", mean_s=checks.means(mean_s), cv=0.0)

    @classmethod
    def empirical(cls, sample_s: npt.ArrayLike) -> Service:
        """Drawn with replacement from measured handle times in seconds.

        Examples
        --------
        >>> float(Service.empirical([60, 120, 300]).mean_s)
        160.0
        """
        sample = _sample(sample_s, "handle time")
        return cls(
            kind="empirical", mean_s=np.asarray(sample.mean()), cv=float(sample.std() / sample.mean()), sample_s=sample
        )

    def draw(self, random: np.random.Generator, interval: IntArray) -> FloatArray:
        """Handle times in seconds of tickets that arrive in these intervals.

        A standard draw is scaled by the mean, so the same stream gives the same quantiles whatever the mean.
        """
        count = len(interval)
        if self.sample_s is not None:
            return self.sample_s[random.integers(len(self.sample_s), size=count)]
        mean = self.mean_s if self.mean_s.ndim == 0 else self.mean_s[interval]
        if self.kind == "exponential":
            if mean.ndim == 0:
                return streams.exponentials(random, float(mean), count)
            return streams.exponentials(random, 1.0, count) * mean
        if self.kind == "lognormal":
            variance = math.log1p(self.cv**2)
            return np.exp(math.sqrt(variance) * random.standard_normal(count) - variance / 2) * mean
        if self.kind == "gamma":
            return random.standard_gamma(self.cv**-2, count) * self.cv**2 * mean
        return np.ones(count) * mean

    @property
    def law(self) -> int:
        """Its number in :mod:`staffcast.simulation.chance`."""
        laws = {
            "exponential": chance.EXPONENTIAL, "lognormal": chance.LOGNORMAL, "gamma": chance.GAMMA,
            "empirical": chance.EMPIRICAL, "deterministic": chance.DETERMINISTIC,
        }  # fmt: skip
        return laws[self.kind]


@dataclass(frozen=True, kw_only=True, eq=False)
class Patience:
    """How long a customer waits before giving up. Build it with one of the constructors.

    Attributes
    ----------
    kind : {"exponential", "weibull", "empirical"}
        Shape of the distribution.
    mean_s : float
        Mean in seconds, > 0.
    shape : float
        Exponent of a Weibull: below 1 who has waited long waits longer, above 1 patience wears out; 1 is exponential.
    sample_s : array (k,), optional
        Patience that "empirical" draws from, ascending, each as likely; infinity for those who never leave.
    """

    kind: Literal["exponential", "weibull", "empirical"]
    mean_s: float
    shape: float = 1.0
    sample_s: FloatArray | None = None

    @classmethod
    def exponential(cls, mean_s: float) -> Patience:
        """Exponential with this mean in seconds.

        It has no memory: a ticket of the opening backlog, however old, has the same patience left.
        """
        return cls(kind="exponential", mean_s=float(checks.means(mean_s, "patience mean_s", scalar=True)))

    @classmethod
    def weibull(cls, mean_s: float, shape: float) -> Patience:
        """Weibull with this mean in seconds and exponent, in [0.1, 10].

        Examples
        --------
        >>> Patience.weibull(120, 0.7).kind
        'weibull'
        """
        if isinstance(shape, bool) or not (isinstance(shape, (int, float)) and 0.1 <= shape <= 10):
            raise bad_value("shape", shape, "a number from 0.1 to 10", "1 is exponential")
        return cls(
            kind="weibull", mean_s=float(checks.means(mean_s, "patience mean_s", scalar=True)), shape=float(shape)
        )

    @classmethod
    def empirical(cls, sample_s: npt.ArrayLike) -> Patience:
        """Drawn with replacement from measured patience in seconds; ``inf`` for customers who never leave."""
        try:
            values = np.array(sample_s, dtype=np.float64)
        except (TypeError, ValueError):
            raise bad_value("sample_s", sample_s, "numbers of seconds ≥ 0") from None
        never = values == math.inf
        sample = np.sort(np.where(never, math.inf, _sample(np.where(never, 1.0, values), "patience")))
        sample.setflags(write=False)
        return cls(kind="empirical", mean_s=float(sample.mean()), sample_s=sample)

    @property
    def scale_s(self) -> float:
        """Scale of the Weibull; the mean where it is exponential."""
        return self.mean_s / math.gamma(1 + 1 / self.shape)

    def draw(self, random: np.random.Generator, count: int, age_s: FloatArray | float = 0.0) -> FloatArray:
        """Patience left in seconds of ``count`` customers who have waited for so long already."""
        if self.sample_s is not None:
            below = np.searchsorted(self.sample_s, np.broadcast_to(age_s, count), side="left")
            place = below + (random.random(count) * (len(self.sample_s) - below)).astype(np.int64)
            # Who has outlasted everybody in the sample stays.
            return np.append(self.sample_s, math.inf)[place] - age_s
        if self.shape == 1.0:
            return streams.exponentials(random, self.mean_s, count)
        left = streams.exponentials(random, 1.0, count)
        age = np.asarray(age_s) / self.scale_s
        return np.asarray(self.scale_s * ((age**self.shape + left) ** (1 / self.shape) - age))

    @property
    def law(self) -> int:
        """Its number in :mod:`staffcast.simulation.chance`."""
        laws = {"exponential": chance.EXPONENTIAL, "weibull": chance.WEIBULL, "empirical": chance.EMPIRICAL}
        return laws[self.kind]


def _cv(cv: float, *, low: float, high: float = math.inf) -> float:
    legal = f"a number ≥ {low:g}" if high == math.inf else f"a number from {low:g} to {high:g}"
    if isinstance(cv, bool) or not (isinstance(cv, (int, float)) and math.isfinite(cv) and low <= cv <= high):
        raise bad_value("cv", cv, legal, "it is standard deviation ÷ mean of the handle time")
    return float(cv)


def _sample(sample_s: npt.ArrayLike, what: str) -> FloatArray:
    sample = checks.numbers("sample_s", sample_s, low=0.0, legal="numbers of seconds ≥ 0")
    if sample.ndim != 1 or len(sample) == 0 or not sample.any():
        raise bad_value("sample_s", f"shape {sample.shape}", f"at least one measured {what} above 0 s")
    return sample
