"""Text files byte by byte: packing, encodings, lines; what DuckDB is not asked to guess."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from staffcast.contracts import InputError

__all__ = ["TextFacts", "lines_of", "open_bytes", "scan"]

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_BLOCK = 1 << 20
_BAD_PACKING = (OSError, EOFError, lzma.LZMAError, zlib.error)


@dataclass(frozen=True, kw_only=True)
class TextFacts:
    """What one pass over the bytes says.

    Attributes
    ----------
    encoding : str
        ``utf-8``, ``utf-16-le``, ``utf-16-be``, or ``mixed``: some lines are UTF-8 and some Windows-1252.
    lines : int
        Lines, the last one with or without its end.
    plain : bool
        UTF-8, no byte-order mark, no empty line, no lone carriage return, no quote: nothing that two readers could
        take differently.
    head : bytes
        The beginning.
    """

    encoding: str
    lines: int
    plain: bool
    quotes: bool
    head: bytes


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacking .gz, .bz2 and .xz.

    Raises
    ------
    InputError
        It cannot be read, or its packing is broken.
    """
    try:
        with _OPENERS.get(path.suffix.lower(), open)(path, "rb") as stream:
            yield stream
    except FileNotFoundError:
        raise InputError("there is no such file", file=path) from None
    except _BAD_PACKING as error:
        reason = getattr(error, "strerror", None) or "its packing is broken"
        raise InputError(f"cannot be read ({reason}); export or copy it again", file=path) from error


def scan(path: Path) -> TextFacts:
    """Read the bytes once: encoding, number of lines, whether anything in them needs care.

    Raises
    ------
    InputError
        Empty, unreadable, or not text.
    """
    lines, head, last, strange, quotes = 0, b"", b"\n", False, False
    decoder, utf8 = codecs.getincrementaldecoder("utf-8")(), True
    encoding = ""
    with open_bytes(path) as stream:
        while block := stream.read(_BLOCK):
            if not head:
                head = block
                encoding = _marked(block)
                if encoding.startswith("utf-16"):
                    return TextFacts(encoding=encoding, lines=0, plain=False, quotes=True, head=head)
            nul = block.find(b"\0")
            if nul >= 0:
                row = lines + block[:nul].count(b"\n") + 1
                raise InputError("is not text: it has a NUL byte; export it again as CSV UTF-8", file=path, row=row)
            if utf8:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    utf8 = False
            lines += block.count(b"\n")
            quotes = quotes or b'"' in block
            joined = last + block
            strange = strange or b"\n\n" in joined or b"\n\r\n" in joined or _lone_return(joined)
            last = block[-2:]
    if not head.strip():
        raise InputError("the file is empty; export it again", file=path)
    if utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            utf8 = False
    lines += not last.endswith(b"\n")
    plain = utf8 and not strange and not last.endswith(b"\r") and not encoding
    return TextFacts(encoding="utf-8" if utf8 else "mixed", lines=lines, plain=plain, quotes=quotes, head=head)


def _marked(head: bytes) -> str:
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    if len(head) >= 4 and head[0] and not head[1] and head[2] and not head[3]:
        return "utf-16-le"  # without a mark: Latin letters, every second byte zero
    return "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else ""


def _lone_return(block: bytes) -> bool:
    return block.count(b"\r", 0, len(block) - 1) != block.count(b"\r\n")


def lines_of(path: Path, facts: TextFacts) -> Iterator[str]:
    """Lines as text, without their ends; each in its own encoding where a file mixes two.

    Raises
    ------
    InputError
        Not text in UTF-8, UTF-16 or Windows-1252.
    """
    with open_bytes(path) as stream:
        if facts.encoding.startswith("utf-16"):
            decoder = codecs.getincrementaldecoder(facts.encoding)(errors="strict")
            yield from _split(_decoded(stream, decoder, path))
            return
        first = True
        for raw in _raw_lines(stream):
            if first:
                raw, first = raw.removeprefix(codecs.BOM_UTF8), False
            try:
                yield raw.decode("utf-8")
            except UnicodeDecodeError:
                # cp1252 leaves five bytes open; as Latin-1 they are control characters, and nothing is lost.
                yield raw.decode("cp1252", errors="replace")


def _decoded(stream: IO[bytes], decoder: codecs.IncrementalDecoder, path: Path) -> Iterator[str]:
    row = 1
    try:
        first = True
        while block := stream.read(_BLOCK):
            text = decoder.decode(block)
            if first:
                text, first = text.removeprefix("\ufeff"), False
            row += text.count("\n")
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise InputError("is broken UTF-16; save it as CSV UTF-8", file=path, row=row) from error


def _raw_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines ended by LF, CRLF or a lone CR."""
    rest = b""
    while block := stream.read(_BLOCK):
        text = rest + block
        # A return at the very end may have its line feed in the next block.
        cut = max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
        rest = text[cut:]
        yield from text[:cut].splitlines()
    yield from rest.splitlines()


def _split(parts: Iterator[str]) -> Iterator[str]:
    rest = ""
    for part in parts:
        text = (rest + part).replace("\0", "")
        held = text[-1:] == "\r"
        text, tail = (text[:-1], "\r") if held else (text, "")
        *whole, last = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        yield from whole
        rest = last + tail
    if rest:
        yield rest.rstrip("\r")
