"""Normalised rows on disk between reading and writing, and the rows that stand twice among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from staffcast.tickets.exports.formats import column_of

__all__ = ["Part", "duplicates", "frames_of", "schema_of"]

_BATCH = 122_880


def schema_of(columns: Sequence[str], zone: str) -> pa.Schema:
    """Kinds in which our columns are stored; instants in ``zone``."""
    fields = []
    for name in columns:
        if name in ("_row", "_file"):
            fields.append((name, pa.int64()))
            continue
        kind = column_of(name).kind
        if kind == "time":
            fields.append((name, pa.timestamp("us", tz=zone)))
        else:
            fields.append((name, pa.float64() if kind in ("number", "whole") else pa.string()))
    return pa.schema(fields)


class Part:
    """A Parquet file that grows by frames; remembers a hash of each row's key and when it was last changed."""

    def __init__(self, path: Path, columns: Sequence[str], zone: str, *, key: str | None = None) -> None:
        self.path, self.columns = path, tuple(columns)
        self.schema = schema_of(columns, zone)
        self.rows = 0
        self._key = key
        self._hashes: list[npt.NDArray[np.uint64]] = []
        self._updated: list[npt.NDArray[np.int64]] = []
        self._writer = pq.ParquetWriter(path, self.schema, compression="zstd", use_dictionary=True)

    def __enter__(self) -> Part:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def write(self, frame: pd.DataFrame) -> None:
        """Add rows; columns that a frame lacks are empty, further ones are left out."""
        if frame.empty:
            return
        arrays = []
        for stored in self.schema:
            if stored.name not in frame:
                arrays.append(pa.nulls(len(frame), stored.type))
                continue
            array = pa.Array.from_pandas(frame[stored.name])
            array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
            arrays.append(array.cast(stored.type))
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
        self.rows += len(frame)
        if self._key is not None:
            self._hashes.append(_hashed(frame[self._key]))
            self._updated.append(_stamp(frame["_updated"]) if "_updated" in frame else _never(len(frame)))

    @property
    def keys(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Hash of each row's key, and microseconds of its last change."""
        if not self._hashes:
            return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
        self._hashes, self._updated = [np.concatenate(self._hashes)], [np.concatenate(self._updated)]
        return self._hashes[0], self._updated[0]


def _hashed(values: pd.Series) -> npt.NDArray[np.uint64]:
    return np.asarray(pd.util.hash_array(values.astype(object).to_numpy(), categorize=False), dtype=np.uint64)


def _stamp(times: pd.Series) -> npt.NDArray[np.int64]:
    return np.asarray(times.astype("datetime64[us, UTC]").astype("int64"), dtype=np.int64)


def _never(n: int) -> npt.NDArray[np.int64]:
    return np.full(n, np.iinfo(np.int64).min, dtype=np.int64)


def frames_of(path: Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """Rows of a part in order, a batch at a time."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=list(columns) if columns else None):
            yield batch.to_pandas()


def duplicates(part: Part, key: str) -> npt.NDArray[np.bool_]:
    """Rows whose key stands again in a row changed later, or as late and further down.

    Parameters
    ----------
    part : Part
        Written with ``key``.
    key : str
        Its column.

    Returns
    -------
    ndarray of bool, shape (rows,)

    Notes
    -----
    Hashes of 64 bits say which rows may be twice; their real keys decide.
    """
    hashes, updated = part.keys
    out = np.zeros(len(hashes), dtype=bool)
    order = np.argsort(hashes, kind="stable")
    same = hashes[order[1:]] == hashes[order[:-1]]
    if not same.any():
        return out
    maybe = np.zeros(len(hashes), dtype=bool)
    maybe[order[1:][same]] = maybe[order[:-1][same]] = True
    keys, at = [], 0
    for frame in frames_of(part.path, [key]):
        keys.append(frame.loc[maybe[at : at + len(frame)], key])
        at += len(frame)
    where = np.flatnonzero(maybe)
    table = pd.DataFrame({"key": pd.concat(keys).to_numpy(), "updated": updated[where], "at": where})
    table = table.sort_values(["key", "updated", "at"], kind="stable")
    out[table.loc[table.duplicated("key", keep="last"), "at"].to_numpy()] = True
    return out
