"""Snapshots: each forecast is kept as it was made, with its date and inputs, so that it can be judged later."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from staffcast import __version__
from staffcast.contracts import DEMAND, InputError, OutputError, bad_value
from staffcast.contracts.files import atomic_folder, read_table, write_table
from staffcast.forecast.demand import Demand
from staffcast.forecast.hindsight.ledger import Ledger

__all__ = ["Snapshot", "list_snapshots", "load_snapshot", "save_snapshot"]

_SCHEMA = 1
_HEAD, _TABLE = ".json", ".csv.gz"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A forecast as it was made.

    Attributes
    ----------
    path : Path
        Its JSON file; the table stands beside it.
    made_at : Timestamp
        When it was made, in UTC.
    demand : Demand
        With its ``why`` and seed; its backtest is not kept.
    inputs : mapping of str to mapping
        What it was made from: name of the file and its SHA-256, by what it was (``log``, ``scenario`` …).
    ledger : Ledger or None
        The overrides in it.
    version : str
        staffcast that made it.
    """

    path: Path
    made_at: pd.Timestamp
    demand: Demand
    inputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ledger: Ledger | None = None
    version: str = ""

    @property
    def name(self) -> str:
        """Name of the files without ending: ``forecast-20260301T093000Z``."""
        return self.path.name.removesuffix(_HEAD)


def save_snapshot(
    folder: str | Path,
    demand: Demand,
    *,
    made_at: dt.datetime,
    inputs: Mapping[str, str | Path],
    ledger: Ledger | None = None,
) -> Path:
    """Keep a forecast: a table (gzipped CSV) and beside it a JSON on how it was made.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    demand : Demand
        What is to be judged later: with the overrides, where there are some.
    made_at : datetime
        When it was made; aware, to the second.
    inputs : mapping of str to path
        Files it was made from, by what they are: ``{"log": "tickets.csv"}``. Their names (without folder) and their
        SHA-256 are kept, not the files.
    ledger : Ledger, optional
        The overrides that :func:`staffcast.forecast.hindsight.ledger.apply_ledger` put in.

    Returns
    -------
    Path
        The JSON, ``forecast-20260301T093000Z.json``: the time in UTC.

    Raises
    ------
    InputError
        There is a snapshot of that second already, ``made_at`` has no zone, an input cannot be read.
    OutputError
        The folder cannot be written; nothing half-written is left.

    Examples
    --------
    >>> import tempfile
    >>> ds = pd.date_range("2026-03-02", periods=3, freq="h", tz="Europe/Berlin")
    >>> demand = Demand.from_frame(pd.DataFrame({"unique_id": "a", "ds": ds, "mean": [1.0, 2.0, 3.0]}))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_snapshot(folder, demand, made_at=pd.Timestamp("2026-03-01T09:30Z"), inputs={})
    ...     path.name, load_snapshot(path).demand.frame["mean"].tolist()
    ('forecast-20260301T093000Z.json', [1.0, 2.0, 3.0])
    """
    folder, made = Path(folder), _made_at(made_at)
    name = f"forecast-{made:%Y%m%dT%H%M%SZ}"
    head = {
        "schema_version": _SCHEMA,
        "staffcast": __version__,
        "made_at": made.isoformat(),
        "first": demand.ds[0].isoformat(),
        "end": (demand.ds[-1] + pd.Timedelta(minutes=demand.minutes)).isoformat(),
        "interval_minutes": demand.minutes,
        "queues": demand.queues,
        "seed": demand.seed,
        "inputs": {what: {"file": Path(file).name, "sha256": _sha256(Path(file))} for what, file in inputs.items()},
        "overrides": None if ledger is None else ledger.records(),
        "why": _plain(demand.why),
    }
    with _claimed(folder, name, made), atomic_folder(folder) as temporary:
        table = write_table(demand.frame, temporary / f"{name}{_TABLE}")
        head["table"] = {"file": table.name, "sha256": _sha256(table)}
        text = json.dumps(head, indent=2, ensure_ascii=False, allow_nan=False)
        (temporary / f"{name}{_HEAD}").write_text(text + "\n", encoding="utf-8")
    return folder / f"{name}{_HEAD}"


@contextlib.contextmanager
def _claimed(folder: Path, name: str, made: pd.Timestamp) -> Iterator[None]:
    """Hold the name while its files are made: of two processes in the same second one is refused."""
    taken = InputError(
        f"there is a snapshot made at {made:%Y-%m-%d %H:%M:%S} UTC already, and none is overwritten; save under "
        "another time, or into another folder",
        file=folder / f"{name}{_HEAD}",
    )
    table = folder / f"{name}{_TABLE}"
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder for the snapshots")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        table.open("x").close()  # the file system lets only one do that; the JSON, which readers look for, comes last
    except FileExistsError:
        raise taken from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        if (folder / f"{name}{_HEAD}").exists():
            raise taken
        yield
    except BaseException:
        table.unlink(missing_ok=True)
        raise


def list_snapshots(folder: str | Path) -> list[Path]:
    """The JSON files of the snapshots in a folder, the oldest first.

    Raises
    ------
    InputError
        No such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "there is no such folder"
        raise InputError(f"{what}; name the folder that snapshots are saved in", file=folder)
    return sorted(folder.glob(f"forecast-*Z{_HEAD}"))


def load_snapshot(path: str | Path) -> Snapshot:
    """Read a snapshot again.

    Parameters
    ----------
    path : path
        Its JSON, or its table.

    Raises
    ------
    InputError
        One of the two files is missing, damaged or not what was saved, or a newer staffcast wrote it.
    """
    path = Path(path)
    if path.name.endswith(_TABLE):
        path = path.with_name(path.name.removesuffix(_TABLE) + _HEAD)
    head = _head(path)
    try:
        stated = head["table"]
        table = path.with_name(Path(str(stated["file"])).name)
        made, seed, sha256 = _made_at(pd.Timestamp(head["made_at"])), int(head["seed"]), str(stated["sha256"])
        why, inputs, version = dict(head["why"]), dict(head["inputs"]), str(head["staffcast"])
        records = head["overrides"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is not a snapshot's JSON, or a damaged one ({error!r}); {_MEND}", file=path) from error
    if _sha256(table) != sha256:
        raise InputError(f"is not the table that was saved: its SHA-256 differs; {_MEND}", file=table)
    demand = replace(Demand.from_frame(read_table(table, DEMAND), seed=seed), why=why)
    zone = getattr(demand.ds.tz, "key", None) or str(demand.ds.tz)
    try:
        ledger = None if records is None else Ledger.from_records(records, zone=zone)
    except (InputError, TypeError, AttributeError) as error:
        raise InputError(f"its overrides cannot be read ({error}); {_MEND}", file=path) from error
    return Snapshot(path=path, made_at=made, demand=demand, inputs=inputs, ledger=ledger, version=version)


_MEND = "take both of its files from a backup, or delete both"


def _head(path: Path) -> dict[str, Any]:
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("there is no such snapshot", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", file=path) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is damaged or cut off ({error}); {_MEND}", file=path) from error
    if not isinstance(head, dict) or "schema_version" not in head:
        raise InputError(f"is not a snapshot's JSON; {_MEND}", file=path)
    if head["schema_version"] != _SCHEMA:
        raise InputError(
            f"has schema_version {head['schema_version']!r}, staffcast {__version__} reads {_SCHEMA}; update staffcast",
            file=path,
        )
    return head


def _made_at(given: dt.datetime) -> pd.Timestamp:
    if not isinstance(given, dt.datetime) or given.tzinfo is None:
        raise bad_value("made_at", given, "a time with its zone", 'write pd.Timestamp("2026-03-01T09:30+01:00")')
    return pd.Timestamp(given).tz_convert("UTC")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError("there is no such file", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", file=path) from error


def _plain(value: Any) -> Any:
    """The value as JSON holds it: what is not finite is null, what JSON does not know is text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, pd.DataFrame):
        return [_plain(row) for row in value.to_dict("records")]
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray, pd.Index, pd.Series)):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if isinstance(value, dt.date) else str(value)
