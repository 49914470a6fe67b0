"""Replications played chunk by chunk: in processes, until they are precise enough, and on from where they stopped."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from staffcast.contracts import InputError
from staffcast.contracts.files import atomic_path
from staffcast.executor import map_chunks
from staffcast.simulation.collect import collect
from staffcast.simulation.measure import Chunk, Sums, Whole, measure_chunk
from staffcast.simulation.outcome import Outcome
from staffcast.simulation.sampling import Case
from staffcast.simulation.stratified import STRATA

__all__ = ["margin", "play_all"]

# Enough for a smooth progress bar and for processes of unequal speed; each chunk holds its own histograms.
_CHUNKS = 16
_RESERVE, _MOST_GROWTH = 1.1, 4.0
# So many tickets are played while further processes start.
_WORTH_A_PROCESS = 1_000_000
_VERSION = b"1"

Progress = Callable[[int, int], None]


def play_all(
    case: Case,
    replications: int,
    *,
    half_width: float | None = None,
    most: int = 10_000,
    resume: str | Path | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> Outcome:
    """Play so many replications, and more until the figure of the target is known well enough.

    Parameters
    ----------
    case : Case
    replications : int
        At least so many.
    half_width : float, optional
        Of the 95 % interval of what the target is about: a share, or seconds. More replications are played until it is
        reached, at most ``most`` in all. How many depends on the case and the seed alone.
    most : int
    resume : path, optional
        Folder in which every chunk that is done is kept; those that are there are not played again.
    processes, progress
        As for :func:`staffcast.simulation.simulate`.
    """
    play = partial(measure_chunk, case) if resume is None else _Kept(case, Path(resume))
    whole = Whole()
    taken_over = 0
    done, wanted = 0, replications
    if isinstance(processes, int) and processes > 1 and _expected(case) * replications < _WORTH_A_PROCESS:
        processes = 1
    while True:
        size = -(-(wanted - done) // _CHUNKS)
        ranges = [range(first, min(first + size, wanted)) for first in range(done, wanted, size)]
        taken_over += sum(len(each) for each in ranges if isinstance(play, _Kept) and play.has(each))
        map_chunks(
            play, ranges, processes=processes, progress=_told(progress, done, size, wanted),
            take=partial(whole.put, wanted),
        )  # fmt: skip
        done = wanted
        outcome = replace(collect(case, [whole.chunk]), taken_over=taken_over)
        if half_width is None or done >= most:
            return outcome
        reached = margin(outcome)
        if not reached > half_width:
            return outcome
        needed = done * (reached / half_width) ** 2 * _RESERVE
        wanted = int(min(max(needed, done + 1), done * _MOST_GROWTH, most))
        if case.stratified:
            wanted += -wanted % STRATA


def _expected(case: Case) -> float:
    """Tickets of a replication, about."""
    arrivals = case.arrivals
    if arrivals.rates_per_hour is None:
        return 0.0 if arrivals.times_s is None else float(len(arrivals.times_s))
    return float((arrivals.rates_per_hour.mean(axis=0) * np.diff(case.staffing.edges_s)).sum()) / 3600


def margin(outcome: Outcome) -> float:
    """Half the width of the 95 % interval of what the target is about; infinity where it is not known."""
    summary, target = outcome.summary, outcome.case.target
    if target is None or target.kind == "share":
        wide = (summary.service_level_high - summary.service_level_low) / 2
    elif target.kind == "mean":
        wide = (summary.frt_mean_s_high - summary.frt_mean_s_low) / 2
    else:
        wide = (summary.frt_p95_s_high - summary.frt_p95_s_low) / 2
    return math.inf if math.isnan(wide) else wide


def _told(progress: Progress | None, before: int, size: int, wanted: int) -> Progress | None:
    if progress is None:
        return None
    tell = progress
    return lambda done, total: tell(min(before + done * size, wanted) if done < total else wanted, wanted)


class _Kept:
    """Plays a chunk unless it lies in a folder, and puts it there; a function that other processes can be given."""

    def __init__(self, case: Case, folder: Path) -> None:
        self._case, self._folder = case, folder
        self._name = _fingerprint(case)

    def has(self, replications: range) -> bool:
        """Whether a chunk is there."""
        return self._path(replications).exists()

    def _path(self, replications: range) -> Path:
        return self._folder / f"{self._name}-{replications.start}-{replications.stop}.npz"

    def __call__(self, replications: range) -> Chunk:
        path = self._path(replications)
        if path.exists():
            try:
                return _read(path)
            except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
                raise InputError(
                    f"is not a chunk of this simulation ({error}); delete it to play it again", file=path
                ) from error
        chunk = measure_chunk(self._case, replications)
        _write(chunk, path)
        return chunk


def _write(chunk: Chunk, path: Path) -> None:
    parts = {name: getattr(chunk, name) for name in _PARTS} | {name: getattr(chunk.sums, name) for name in _SUMS}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **parts)


def _read(path: Path) -> Chunk:
    with np.load(path, allow_pickle=False) as found:
        return Chunk(sums=Sums(**{name: found[name] for name in _SUMS}), **{name: found[name] for name in _PARTS})


_SUMS = tuple(field.name for field in fields(Sums))
_PARTS = tuple(field.name for field in fields(Chunk) if field.name != "sums")


def _fingerprint(case: Case) -> str:
    """The same for equal cases, in every process; different for different ones."""
    digest = hashlib.sha256(_VERSION)
    _feed(digest.update, case)
    return digest.hexdigest()[:20]


def _feed(update: Callable[[bytes], None], value: Any) -> None:
    if is_dataclass(value):
        update(type(value).__name__.encode())
        for field in fields(value):
            update(field.name.encode())
            _feed(update, getattr(value, field.name))
    elif isinstance(value, np.ndarray):
        update(f"{value.dtype}{value.shape}".encode())
        update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        update(f"[{len(value)}".encode())
        for each in value:
            _feed(update, each)
    else:
        update(repr(value).encode() + b";")
