"""What goes wrong, said so that a planner can mend it: where, what was found, what is allowed, what to do."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["InputError", "OutputError", "StaffcastError", "bad_value", "fit_to_show", "shape_of"]

# A date with or without a clock, or a number: nothing that could be somebody's words, or how to reach them.
_PLAIN = re.compile(
    r"\s*(?:\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?:[T ,]\s*[\d:.]{0,15}\s*(?:[AaPp][Mm])?\s*(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|[+-]?\d{1,6}(?:[.,]\d{0,9})?)\s*"
)


class StaffcastError(Exception):
    """Base of every error that staffcast raises on purpose."""


class InputError(StaffcastError, ValueError):
    """An input (a file, a column, an option, an argument) cannot be used as it is.

    Parameters
    ----------
    message : str
        What was found, what is allowed and how to mend it.
    file : path, optional
        The file it was found in; put in front of the message.
    row : int, optional
        Line of the file, the header being line 1.
    column : str, optional
        Column of the table.

    Examples
    --------
    >>> str(InputError("got 'soon'; write 2026-03-01T09:30:00+01:00", file="log.csv", row=7, column="created_at"))
    "log.csv, row 7, column created_at: got 'soon'; write 2026-03-01T09:30:00+01:00"
    """

    def __init__(
        self, message: str, *, file: str | Path | None = None, row: int | None = None, column: str | None = None
    ) -> None:
        self.message, self.file, self.row, self.column = message, file, row, column
        where = [str(file)] if file is not None else []
        where += [f"row {row}"] if row is not None else []
        where += [f"column {column}"] if column is not None else []
        super().__init__(f"{', '.join(where)}: {message}" if where else message)

    def below(self, rows: int) -> InputError:
        """The same error so many rows further down: of a part that was checked by itself."""
        row = None if self.row is None else self.row + rows
        return InputError(self.message, file=self.file, row=row, column=self.column)


class OutputError(StaffcastError, OSError):
    """A result could not be written; nothing half-written was left behind."""


def shape_of(value: object) -> str:
    """What a value looks like, without what it says: digits are 9, letters x. A cell may hold somebody's words.

    Examples
    --------
    >>> shape_of("26-02-2021 9h"), shape_of("call me on 0170")
    ('99-99-9999 9x', 'xxxx xx xx 9999')
    """
    text = re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "9", str(value)))
    return text if len(text) <= 24 else text[:23] + "…"


def fit_to_show(value: object) -> str:
    """A value that looks like a date or a number; of all others only the shape.

    Examples
    --------
    >>> fit_to_show("26-02-2021 9:30"), fit_to_show("My number is 0170 1234567")
    ('26-02-2021 9:30', 'xx xxxxxx xx 9999 99999…')
    """
    return str(value) if _PLAIN.fullmatch(str(value)) else shape_of(value)


def bad_value(parameter: str, value: object, legal: str, fix: str | None = None) -> InputError:
    """Make the error for an argument outside its range.

    Examples
    --------
    >>> str(bad_value("shrinkage", 30, "a share in [0, 1)", "write 30 % as 0.30"))
    '`shrinkage` must be a share in [0, 1), got 30; write 30 % as 0.30'
    """
    tail = f"; {fix}" if fix else ""
    return InputError(f"`{parameter}` must be {legal}, got {value!r}{tail}")
