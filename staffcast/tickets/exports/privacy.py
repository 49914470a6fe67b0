"""Keyed pseudonyms: the same person is the same code in the next import, and nobody without the key can tell who."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from staffcast.contracts import InputError, OutputError

__all__ = ["CONTACT", "Pseudonyms", "default_key_path", "load_key"]

_KEY_BYTES = 32
_REMEMBERED = 500_000  # codes kept at hand
_CODE_BYTES = 8  # 64 bits: among 20 million people two share a code with probability 1e-5
# What makes a label one of a person: an address, or a number written as one dials it. Plain digits are ids of vendors.
CONTACT = re.compile(r"[\w.+-]+@[\w-]+|(?:\+|\b00)\d(?:[\s().-]{0,2}\d){6,}|\(?\b0\d{1,4}\)?[\s/.-]\d(?:[\s.-]?\d){4,}")
_PHONE = re.compile(r"\+?[\d\s().-]{7,}")


def default_key_path() -> Path:
    """Where the key is kept unless told otherwise: the user's folder for settings."""
    if os.name == "nt":
        base = Path(os.environ.get("APPDATA") or Path.home())
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "staffcast" / "pseudonym.key"


def load_key(path: str | Path, *, output: str | Path | None = None) -> bytes:
    """Read the key, or make one (mode 600) where there is none.

    Raises
    ------
    InputError
        It stands beside the output, others may read it, or it is no key.
    OutputError
        It cannot be made.
    """
    path = Path(path)
    if output is not None and path.absolute().parent == Path(output).absolute().parent:
        raise InputError("the key must not stand beside what it protects; name a file elsewhere with --key", file=path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _existing(path)
    except OSError as error:
        raise OutputError(f"{path}: the key cannot be written ({error.strerror or error}); see --key") from error
    key = secrets.token_bytes(_KEY_BYTES)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(key.hex() + "\n")
    return key


def _existing(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the key cannot be read; name another with --key", file=path) from error
    if os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(f"others may read the key; run: chmod 600 {path}", file=path)
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise InputError("is no key of staffcast (64 hexadecimal digits); name another file with --key", file=path)
    return key


class Pseudonyms:
    """Codes for people: HMAC-SHA256 of who they are under the key, as 16 hexadecimal digits.

    References
    ----------
    H. Krawczyk, M. Bellare, R. Canetti, "HMAC: Keyed-Hashing for Message Authentication", RFC 2104, 1997.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[str, dict[str, str]] = {}

    def code(self, value: str, *, role: str) -> str:
        """Code of one person; ``role`` (``customer``, ``agent`` …) keeps codes of different roles apart."""
        who = value.casefold()
        if not who.isalnum():
            who = " ".join(who.split())
            # The same number with and without spaces, +49 and 0049.
            who = re.sub(r"\D", "", who) if _PHONE.fullmatch(who) else who
        if who.isdigit():
            who = who.removeprefix("00")
        digest = hmac.digest(self._key, f"{role}\0{who}".encode("utf-8", "surrogatepass"), "sha256")
        return f"{role[0]}-{digest[:_CODE_BYTES].hex()}"

    def column(self, values: pd.Series, *, role: str) -> pd.Series:
        """Codes of a column of people; empty stays empty."""
        known = self._known.setdefault(role, {})
        if len(known) > _REMEMBERED:
            known.clear()

        def code(text: str) -> str:
            made = known.get(text)
            if made is None:
                made = known[text] = self.code(text, role=role)
            return made

        return _by_unique(values, code)

    def scrub(self, values: pd.Series, *, ids: bool = False) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
        """Labels (queue, topic …) or ids with a phone number or address in them replaced by codes; which they were."""
        if ids:
            text = values.str
            odd = text.contains("@", regex=False, na=False) | text.startswith("+", na=False)
            which = odd.to_numpy(dtype=bool)
        else:
            codes, unique = pd.factorize(values)
            hit = [CONTACT.search(str(u)) is not None for u in unique]
            which = np.array([*hit, False], dtype=bool)[codes]  # an empty value has the code −1: the last
        if not which.any():
            return values, which
        coded = _by_unique(values[which], lambda text: self.code(text, role="private"))
        return values.mask(which, coded.reindex(values.index)), which


def _by_unique(values: pd.Series, make: Callable[[str], str]) -> pd.Series:
    codes, unique = pd.factorize(values)
    made = np.array([*(make(str(u)) for u in unique), None], dtype=object)
    return pd.Series(made[codes], index=values.index, dtype=object)
