"""JSON as help desks' APIs give it: a list, one object a line, or pages with a list inside; read piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from staffcast.contracts import InputError
from staffcast.tickets.exports.text import TextFacts, lines_of

__all__ = ["flat", "json_records"]

_LONGEST = 1 << 24
_DEEPEST = 3
# Under these keys a page of an API holds its records; other lists of objects belong to a record.
_PAGES = frozenset((
    "tickets", "ticket_metrics", "ticket_metric_events", "comments", "conversations", "results", "data", "payload",
    "events",
    "reporting_events", "items", "records", "objects", "rows",
))  # fmt: skip
_IDS = frozenset(("id", "ticket_id", "conversation_id"))
_DECODER = json.JSONDecoder()


class _Buffer:
    """Text that is read as it is needed and forgotten behind."""

    def __init__(self, lines: Iterator[str], file: Path) -> None:
        self.lines, self.file = lines, file
        self.text, self.at, self.row, self.done = "", 0, 1, False

    def more(self) -> bool:
        """Read on; whether there was anything."""
        if self.done:
            return False
        self.row += self.text.count("\n", 0, self.at)
        self.text, self.at = self.text[self.at :], 0
        want, parts = max(1 << 16, len(self.text)), [self.text]
        while want > 0:
            line = next(self.lines, None)
            if line is None:
                self.done = True
                break
            parts.append(line + "\n")
            want -= len(line) + 1
        self.text = "".join(parts)
        if len(self.text) > _LONGEST:
            raise self.error("holds an object of more than 16 MB; export one object a line")
        return True

    def error(self, message: str) -> InputError:
        """The error at the place reached."""
        return InputError(message, file=self.file, row=self.row + self.text.count("\n", 0, self.at))

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in " \t\n\r":
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def value(self) -> Any:
        """The next whole JSON value."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except RecursionError:
                raise self.error("is nested too deeply; export it again") from None
            except json.JSONDecodeError:
                if self.more():
                    continue
                raise self.error("is not JSON from here on; export it again") from None
            # A number may go on in what was not read yet.
            if end == len(self.text) and self.more():
                continue
            self.at = end
            return value


def json_records(path: Path, facts: TextFacts) -> Iterator[tuple[str, int, dict[str, Any] | None]]:
    """Objects of a file with the key of the list they stand in (empty for a bare list) and their row.

    Understood: ``[{…}, …]``, ``{"tickets": [{…}, …], "next_page": …}``, and one object a line, each either a record
    or such a page. What is no object comes as None.

    Raises
    ------
    InputError
        Broken JSON, named with its row.
    """
    buffer = _Buffer(lines_of(path, facts), path)
    while (mark := buffer.peek()) != "":
        if mark == "[":
            yield from _listed(buffer, "")
        elif mark == "{":
            yield from _paged(buffer)
        else:
            raise buffer.error("is not a JSON list or object; export it again")
        if buffer.peek() == ",":  # some tools join pages by commas
            buffer.at += 1


def _listed(buffer: _Buffer, key: str) -> Iterator[tuple[str, int, dict[str, Any] | None]]:
    buffer.at += 1
    while (mark := buffer.peek()) != "]":
        if mark == "":
            raise buffer.error("ends inside a list: part of the export is missing")
        if mark == ",":
            buffer.at += 1
            continue
        row = buffer.row + buffer.text.count("\n", 0, buffer.at)
        value = buffer.value()
        yield key, row, value if isinstance(value, dict) else None
    buffer.at += 1


def _paged(buffer: _Buffer) -> Iterator[tuple[str, int, dict[str, Any] | None]]:
    """An object: a page of records, or a record."""
    row = buffer.row + buffer.text.count("\n", 0, buffer.at)
    buffer.at += 1
    own: dict[str, Any] = {}
    listed = False
    while (mark := buffer.peek()) != "}":
        if mark == "":
            raise buffer.error("ends inside an object: part of the export is missing")
        if mark == ",":
            buffer.at += 1
            continue
        key = buffer.value()
        if not isinstance(key, str) or buffer.peek() != ":":
            raise buffer.error("is not JSON from here on; export it again")
        buffer.at += 1
        if key in _PAGES and not own.keys() & _IDS and buffer.peek() == "[":
            listed = True
            yield from _listed(buffer, key)
        else:
            own[key] = buffer.value()
    buffer.at += 1
    if own and not listed:
        yield "", row, own


def flat(record: dict[str, Any], *, prefix: str = "", depth: int = 0) -> dict[str, str]:
    """Nested keys joined by ``_``; single values only, lists are left out (they hold messages and tags)."""
    out: dict[str, str] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            if depth < _DEEPEST:
                out.update(flat(value, prefix=f"{name}_", depth=depth + 1))
        elif isinstance(value, bool):
            out[name] = "true" if value else "false"
        elif value is not None and not isinstance(value, list):
            out[name] = str(value)
    return out
