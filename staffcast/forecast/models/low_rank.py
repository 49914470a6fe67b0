"""The house model with the course of its days smoothed: only what many days have in common is kept."""

from __future__ import annotations

import numpy as np

from staffcast.forecast.models.house import House
from staffcast.forecast.past.days import Dates, Days, Floats
from staffcast.forecast.past.features import day_kinds

__all__ = ["LowRank"]

_ANSCOMBE = 0.375
_HALF_LIFE_DAYS = 100.0
_LEAST, _MOST = 2, 7


class LowRank(House):
    """The house model's days, on the √ scale, projected on the leading singular vectors of the past ones.

    A vector is kept while its singular value stands out of what noise alone would give a table of that size. [1]_ [2]_

    References
    ----------
    .. [1] H. Shen, J. Z. Huang, "Interday forecasting and intraday updating of call center arrivals", MSOM 10(3),
       2008, pp. 391–410, doi:10.1287/msom.1070.0179.
    .. [2] V. A. Marčenko, L. A. Pastur, "Distribution of eigenvalues for some sets of random matrices", Mathematics of
       the USSR-Sbornik 1(4), 1967, pp. 457–483, doi:10.1070/SM1967v001n04ABEH001994; the edge of the noise.
    """

    name = "low_rank"
    about = "the house model, its days smoothed by the leading courses of the day (SVD)"
    min_days = 21

    def _learn(self, past: Days) -> None:
        super()._learn(past)
        known = ~np.isnan(past.rates)
        usual = ~day_kinds(past.dates, past.calendar).holiday
        fresh = 0.5 ** (np.arange(past.span - 1, -1, -1) / _HALF_LIFE_DAYS) * known.mean(axis=1) * usual * self.trust
        fitted = np.sqrt(np.maximum(super()._expect(past.dates), 0.0) + _ANSCOMBE)
        root = np.where(known, np.sqrt(np.where(known, past.rates, 0.0) + _ANSCOMBE), fitted)  # unknown is as usual
        noise = float(np.average(((root - fitted) ** 2).mean(axis=1), weights=fresh)) if fresh.any() else 0.0
        # The right singular vectors are the eigenvectors of the Gram matrix, which is small.
        values, vectors = np.linalg.eigh((root.T * fresh) @ root)
        edge = noise * (np.sqrt(fresh.sum()) + np.sqrt(past.slots)) ** 2
        kept = int(np.clip(np.count_nonzero(values > edge), _LEAST, _MOST))
        self._vectors = vectors[:, -kept:].T

    def _expect(self, dates: Dates) -> Floats:
        plain = super()._expect(dates)
        root = np.sqrt(np.maximum(plain, 0.0) + _ANSCOMBE)
        smooth = np.maximum((root @ self._vectors.T @ self._vectors) ** 2 - _ANSCOMBE, 0.0)
        total, same = smooth.sum(axis=1, keepdims=True), plain.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(smooth * same, total, out=plain, where=total > 0))
