"""What an import did: what was understood, dropped and why, mended, and what looks odd."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Findings", "ImportReport", "masked"]

Kind = Literal["dropped", "mended", "suspicious"]
_KINDS: tuple[Kind, ...] = ("dropped", "mended", "suspicious")
_SHOWN = 3
# Seven digits or more, with what people write between them; or an address. Dates of eight digits look alike: so be it.
_MOST_WORDS = 8  # a column's name is shorter than a sentence
_CONTACT = re.compile(r"[\w.+-]+@[\w-]+|(?:\+|00)?\d(?:[\s().-]{0,2}\d){6,}")


def masked(text: str, *, longest: int = 60) -> str:
    """A column's name or a label fit to be shown: phone numbers and addresses out, never longer than a name is.

    Examples
    --------
    >>> masked("Group"), masked("+49 170 1234567"), masked("x" * 80)[-3:]
    ('Group', '…', 'xx…')
    """
    plain = " ".join(_CONTACT.sub("…", text).split())
    if len(plain.split()) > _MOST_WORDS:
        return "…"
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


@dataclass
class Findings:
    """Counts of what happened to rows, each with its first examples as file and row."""

    counts: dict[tuple[Kind, str], int] = field(default_factory=dict)
    examples: dict[tuple[Kind, str], list[tuple[str, int]]] = field(default_factory=dict)

    def add(self, kind: Kind, reason: str, file: str, rows: Iterable[int] | npt.NDArray[np.int64]) -> None:
        """Note rows of a file; nothing for none."""
        listed = np.asarray(list(rows) if not isinstance(rows, np.ndarray) else rows, dtype=np.int64)
        if not len(listed):
            return
        key = (kind, reason)
        self.counts[key] = self.counts.get(key, 0) + len(listed)
        shown = self.examples.setdefault(key, [])
        shown.extend((file, int(row)) for row in listed[: _SHOWN - len(shown)])

    def total(self, kind: Kind) -> int:
        """Rows of all reasons of one kind."""
        return sum(count for (k, _), count in self.counts.items() if k == kind)

    def of(self, kind: Kind) -> list[dict[str, Any]]:
        """The findings of one kind, most rows first."""
        mine = [(reason, count) for (k, reason), count in self.counts.items() if k == kind]
        return [
            {"reason": reason, "rows": count, "examples": [f"{f}:{r}" for f, r in self.examples[(kind, reason)]]}
            for reason, count in sorted(mine, key=lambda pair: (-pair[1], pair[0]))
        ]


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What an import understood and did.

    Attributes
    ----------
    files : tuple of str
        Names of the files read.
    format : str
        Vendor's title.
    kind : str
        ``tickets`` or ``series``: what was written.
    columns : mapping
        Our column → the file's, with its unit.
    unused : tuple of str
        Columns of the files that were not taken, texts among them.
    zone : str
        Zone of the instants written.
    clock : str
        What the vendor's own first response time counts.
    rows_in, rows_out, folded : int
        Rows read, rows written, and rows that added to another row (events, comments, metrics of a ticket).
    findings : Findings
        Rows dropped, mended, suspicious.
    notes : tuple of str
        Whatever else was decided.
    """

    files: tuple[str, ...]
    format: str
    kind: str
    columns: Mapping[str, str]
    unused: tuple[str, ...]
    zone: str
    clock: str
    rows_in: int
    rows_out: int
    folded: int
    findings: Findings
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The report for people, one line each."""
        out = [f"read: {', '.join(self.files)} as {self.format}; times in {self.zone}"]
        out += [f"  {ours} ← {theirs}" for ours, theirs in self.columns.items()]
        if self.unused:
            out.append(f"not taken: {', '.join(self.unused)}")
        if self.clock:
            out.append(f"first response as stated there: {self.clock}")
        out += [f"note: {note}" for note in self.notes]
        for kind in _KINDS:
            for item in self.findings.of(kind):
                out.append(f"{kind}: {item['rows']:,} × {item['reason']} (first: {', '.join(item['examples'])})")
        folded = f", {self.folded:,} added to another row" if self.folded else ""
        dropped = self.findings.total("dropped")
        out.append(f"rows: {self.rows_in:,} in = {self.rows_out:,} out + {dropped:,} dropped{folded}")
        return out

    def as_dict(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "files": list(self.files), "format": self.format, "table": self.kind, "columns": dict(self.columns),
            "unused": list(self.unused), "zone": self.zone, "clock": self.clock, "rows_in": self.rows_in,
            "rows_out": self.rows_out, "folded": self.folded, "notes": list(self.notes),
            **{kind: self.findings.of(kind) for kind in _KINDS},
        }  # fmt: skip
