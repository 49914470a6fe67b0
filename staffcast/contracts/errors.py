"""What goes wrong, said so that a planner can mend it: where, what was found, what is allowed, what to do."""

from __future__ import annotations

from pathlib import Path

__all__ = ["InputError", "OutputError", "StaffcastError", "bad_value"]


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


def bad_value(parameter: str, value: object, legal: str, fix: str | None = None) -> InputError:
    """Make the error for an argument outside its range.

    Examples
    --------
    >>> str(bad_value("shrinkage", 30, "a share in [0, 1)", "write 30 % as 0.30"))
    '`shrinkage` must be a share in [0, 1), got 30; write 30 % as 0.30'
    """
    tail = f"; {fix}" if fix else ""
    return InputError(f"`{parameter}` must be {legal}, got {value!r}{tail}")
