"""How long things last when some of them still last: Kaplan–Meier, with quantiles, mean and their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from staffcast.utilization.estimate import Estimate, spread

__all__ = ["KaplanMeier", "kaplan_meier"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class KaplanMeier:
    """The product-limit estimate of how many still wait after t seconds.

    Attributes
    ----------
    durations : ndarray, shape (n,)
        In the order given.
    ended : ndarray of bool, shape (n,)
        False: censored.
    times : ndarray, shape (m,)
        Distinct times at which something ended, ascending.
    at_risk, ends : ndarrays, shape (m,)
    survival : ndarray, shape (m,)
        Just after each time.
    log_variance : ndarray, shape (m,)
        Greenwood's sum: the variance of log survival.

    References
    ----------
    .. [1] E. L. Kaplan, P. Meier, "Nonparametric estimation from incomplete observations", J. Amer. Statist. Assoc. 53
       (1958) 457–481. doi:10.1080/01621459.1958.10501452.
    .. [2] M. Greenwood, "The natural duration of cancer", Reports on Public Health and Medical Subjects 33 (1926).
    """

    durations: Floats
    ended: Flags
    times: Floats
    at_risk: Floats
    ends: Floats
    survival: Floats
    log_variance: Floats

    def at(self, seconds: float) -> float:
        """Share that lasts longer than ``seconds``; NaN beyond the longest where the longest still lasts."""
        k = int(np.searchsorted(self.times, seconds, side="right")) - 1
        if seconds > self.durations.max() and (not len(self.times) or self.survival[-1] > _TINY):
            return np.nan
        return float(self.survival[k]) if k >= 0 else 1.0

    def quantile(self, q: float) -> float:
        """Time by which a share ``q`` has ended; infinite where so many never did while the log lasted."""
        reached = np.flatnonzero(self.survival <= 1 - q + _TINY)
        return float(self.times[reached[0]]) if len(reached) else np.inf

    def quantile_estimate(self, q: float, days: Ints | None = None) -> Estimate:
        """Quantile with its interval.

        Parameters
        ----------
        q : float
            In (0, 1).
        days : ndarray of int, shape (n,), optional
            Of each ticket.

        References
        ----------
        .. [1] R. Brookmeyer, J. Crowley, "A confidence interval for the median survival time", Biometrics 38 (1982)
           29–41. doi:10.2307/2530286. On the log(−log) scale; Greenwood's variance times the design effect of the days.
        """
        value = self.quantile(q)
        if not len(self.times):
            return Estimate(value=value, low=0.0, high=np.inf, n=len(self.durations), note="none has ended yet")
        k = int(np.searchsorted(self.times, value)) if np.isfinite(value) else len(self.times) - 1
        found = spread(self._log_influence(k), days)
        inside = (self.survival > _TINY) & (self.survival < 1 - _TINY)
        with np.errstate(divide="ignore", invalid="ignore"):
            place = np.log(-np.log(self.survival))
            error = np.sqrt(self.log_variance * found.effect) / np.abs(np.log(self.survival))
            far = (place - np.log(-np.log(1 - q))) / error
        near = inside & (np.abs(far) <= (found.critical if np.isfinite(found.critical) else np.inf))
        # Until the first time that is not clearly too early, and from the first that is clearly too late.
        early = np.flatnonzero(near | (self.survival <= 1 - q + _TINY))
        late = np.flatnonzero((inside & (far > found.critical)) | (self.survival <= _TINY))
        return Estimate(
            value=value,
            low=float(self.times[early[0]]) if len(early) else float(self.times[-1]),
            high=float(self.times[late[0]]) if len(late) else np.inf,
            n=len(self.durations),
            how=f"Kaplan–Meier, log(−log), by {found.unit}",
        )

    def mean_estimate(self, days: Ints | None = None) -> Estimate:
        """Mean up to the longest time seen, with its interval; what lasts beyond that is not in it.

        References
        ----------
        .. [1] J. O. Irwin, "The standard error of an estimate of expectation of life", J. Hygiene 47 (1949) 188–189.
           doi:10.1017/S0022172400014443.
        """
        value = float(self._areas().sum())
        found = spread(self.mean_influence(), days)
        half = found.critical * found.se
        beyond = self.at(float(self.durations.max())) > _TINY
        return Estimate(
            value=value, low=max(float(value - half), 0.0), high=float(value + half), n=len(self.durations),
            how=f"Kaplan–Meier, Student's t, by {found.unit}",
            note="counts no waiting beyond the longest seen" if beyond else "",
        )  # fmt: skip

    def mean_influence(self) -> Floats:
        """What each ticket moves the mean by, shape (n,)."""
        areas = self._areas()
        ahead = areas.sum() - np.cumsum(areas)[:-1]  # area after each time
        left = self.at_risk - self.ends
        return self._influence(np.divide(ahead, left, out=np.zeros(len(left)), where=left > 0))

    def _areas(self) -> Floats:
        """Area under the curve before the first time, between each two, and after the last."""
        edges = np.concatenate([[0.0], self.times, [float(self.durations.max())]])
        return np.asarray(np.concatenate([[1.0], self.survival]) * np.diff(edges), dtype=np.float64)

    def _log_influence(self, k: int) -> Floats:
        left = (self.at_risk - self.ends)[: k + 1]
        weight = np.zeros(len(self.times))
        weight[: k + 1] = np.divide(1.0, left, out=np.zeros(k + 1), where=left > 0)
        return self._influence(weight)

    def _influence(self, weight: Floats) -> Floats:
        """Each ticket's martingale with a weight per time; the sum of squares is Greenwood's."""
        if not len(self.times):
            return np.zeros(len(self.durations))
        passed = np.concatenate([[0.0], np.cumsum(weight * self.ends / self.at_risk)])
        seen = np.searchsorted(self.times, self.durations, side="right")
        own = np.where(self.ended, weight[np.maximum(seen - 1, 0)], 0.0)
        return np.asarray(passed[seen] - own, dtype=np.float64)


def kaplan_meier(durations: Floats, ended: Flags) -> KaplanMeier:
    """Estimate how many still last after each time.

    Parameters
    ----------
    durations : ndarray, shape (n,), n ≥ 1
        Seconds until the end, or lasted so far.
    ended : ndarray of bool, shape (n,)
        False: still lasts, or was lost sight of (gave up), at that time.

    Examples
    --------
    >>> curve = kaplan_meier(np.array([10.0, 20, 30, 40]), np.array([True, False, True, True]))
    >>> curve.survival.tolist(), curve.quantile(0.5)
    ([0.75, 0.375, 0.0], 30.0)
    """
    durations = np.asarray(durations, dtype=np.float64)
    ended = np.asarray(ended, dtype=np.bool_)
    times, ends = np.unique(durations[ended], return_counts=True)
    at_risk = len(durations) - np.searchsorted(np.sort(durations), times, side="left")
    left = (at_risk - ends).astype(float)
    with np.errstate(divide="ignore"):
        log_variance = np.cumsum(np.where(left > 0, ends / (at_risk * np.where(left > 0, left, 1.0)), np.inf))
    return KaplanMeier(
        durations=durations, ended=ended, times=times.astype(float), at_risk=at_risk.astype(float),
        ends=ends.astype(float), survival=np.cumprod(left / at_risk).astype(np.float64), log_variance=log_variance,
    )  # fmt: skip
