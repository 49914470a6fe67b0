"""Distributions of an amount of work on a lattice (bins of equal size from 0 on), and values over it.

``p`` is a distribution per value of the day's common factor (factors × bins); ``u`` a value per day, factor and bin.
"""

from __future__ import annotations

import numpy as np
import scipy
from scipy import special

from staffcast.erlang._checks import FloatArray

__all__ = [
    "TRIM", "below_weights", "day_factors", "expected", "fft_size", "gamma_work", "less", "mass_below", "poisson_work",
    "value_before", "widened",
]  # fmt: skip

TRIM = 1e-13  # probability per bin that may fall off the upper end


def day_factors(rate_cv: float, count: int) -> tuple[FloatArray, FloatArray]:
    """Values and weights of the day's common factor: gamma with mean 1, by Gauss–Hermite over a normal deviate."""
    if rate_cv <= 0:
        return np.ones(1), np.ones(1)
    z, weights = special.roots_hermitenorm(count)
    weights = weights / weights.sum()
    shape = rate_cv**-2
    values = special.gammaincinv(shape, special.ndtr(z)) / shape
    return values / (weights @ values), weights


def poisson_work(tickets: float, aht: float, scv: float) -> FloatArray:
    """Compound Poisson amount of work, in bins."""
    if aht < 2.5:  # many tickets to the bin: a gamma of the same mean and variance
        return gamma_work(tickets * aht, (1 + scv) / tickets)
    one = gamma_work(aht, scv)
    reach = tickets * aht + 8 * np.sqrt(tickets * (1 + scv)) * aht + 2 * len(one)
    size = fft_size(int(reach))
    out = scipy.fft.irfft(np.exp(tickets * (scipy.fft.rfft(one, size) - 1)), size)
    return _trimmed(np.maximum(out, 0.0))


def gamma_work(mean: float, scv: float) -> FloatArray:
    """Gamma amount of this mean and squared coefficient of variation on the lattice; the mean stays exact."""
    # Spreading an amount over its two neighbours adds up to 1/4 of a squared bin; take the average 1/6 off before.
    variance = mean * mean * scv
    scv = max(variance - 1 / 6, 0.0) / (mean * mean) if variance > 0.5 else scv
    if scv < 1e-9:
        low = int(mean)
        return np.append(np.zeros(low), [low + 1 - mean, mean - low])
    reach = int(mean + 9 * mean * np.sqrt(scv) + 20 * mean * scv) + 3
    k = np.arange(-1, reach + 1).clip(0)
    shape, scale = 1 / scv, mean * scv
    over = mean * special.gammaincc(shape + 1, k / scale) - k * special.gammaincc(shape, k / scale)
    over[0] += 1.0  # the mean excess over −1
    return _trimmed(np.maximum(over[:-2] - 2 * over[1:-1] + over[2:], 0.0))


def _trimmed(p: FloatArray) -> FloatArray:
    high = len(p) - int(np.argmax(p[::-1] > TRIM))
    return np.asarray(p[:high] / p[:high].sum())


def less(p: FloatArray, by: float) -> FloatArray:
    """Distribution after ``by`` bins of capacity: what would fall below nothing is nothing."""
    if by == 0:
        return p
    k = int(np.floor(by))
    r = by - k
    if by < 0:  # capacity given back: all of it is more work
        out = np.zeros((len(p), p.shape[1] - k))
        out[:, -k:] = (1 - r) * p
        out[:, -k - 1 : -1] += r * p
        return out
    size = p.shape[1]
    if k >= size - 1:
        if k >= size or r == 0 or size == 1:
            return np.ones((len(p), 1))
        out = np.zeros((len(p), 1))
        out[:, 0] = 1.0
        return out
    out = p[:, k:].copy()
    out[:, 0] += p[:, :k].sum(axis=1)
    if r > 0:
        moved = r * out[:, 1:]
        out[:, 1:] -= moved
        out[:, :-1] += moved
    return out


def value_before(u: FloatArray, size: int, by: float) -> FloatArray:
    """Value before ``by`` bins of capacity of the values ``u`` after it; negative: capacity given back."""
    if by == 0:
        return np.asarray(widened(u, size)[..., :size])
    k = int(np.floor(by))
    r = by - k
    # Padded so that entry v + 1 + front is the value at v: below nothing is nothing.
    front = max(k + 1, 0)
    start = front - k  # where v = 0 reads
    need = start + size - front
    body = widened(u, need)[..., :need] if need > 0 else u[..., :0]
    padded = np.concatenate([np.repeat(u[..., :1], front, axis=-1), body], axis=-1)
    if r == 0:
        return np.asarray(padded[..., start : start + size])
    return np.asarray((1 - r) * padded[..., start : start + size] + r * padded[..., start - 1 : start - 1 + size])


def widened(u: FloatArray, size: int) -> FloatArray:
    """At least ``size`` bins of the values, the last one going on."""
    short = size - u.shape[-1]
    if short <= 0:
        return u
    return np.concatenate([u, np.repeat(u[..., -1:], short, axis=-1)], axis=-1)


def expected(u: FloatArray, mass: FloatArray) -> FloatArray:
    """Mean of the values ``u`` (days × factors × bins) under ``mass`` (factors × bins)."""
    width = mass.shape[1]
    return np.asarray(widened(u, width)[..., :width].reshape(len(u), -1) @ mass.ravel())


def mass_below(p: FloatArray, room: float) -> float:
    """Mass below ``room``: nothing in front is enough room only if there is any at all."""
    if room <= 0:
        return 0.0
    k = int(room + 0.5)
    if k == 0:
        return float(p[0])
    return float(p[:k].sum() + ((room + 0.5 - k) * p[k] if k < len(p) else 0.0))


def below_weights(room: float, size: int) -> FloatArray:
    """The weights of :func:`mass_below`."""
    weights: FloatArray = np.clip(room + 0.5 - np.arange(size, dtype=np.float64), 0.0, 1.0)
    weights[0] = 1.0 if room > 0 else 0.0
    return weights


def fft_size(least: int) -> int:
    """A length for the transform from a short list, so that spectra can be kept."""
    size = 32
    while size < least:
        size = size * 3 // 2 if size & (size - 1) == 0 else size // 3 * 4
    return size
