"""Mutated exports: each imports, its rows adding up, or is refused by the project's own error.

As many as wanted:

python tests/tickets/import_fuzz.py 100000
python tests/tickets/import_fuzz.py 50000 2     # with another seed
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import warnings
from pathlib import Path

import pandas as pd
from export_files import (
    KEY,
    NOW,
    chatwoot_csv,
    desk,
    freshdesk_csv,
    generic_csv,
    hubspot_csv,
    intercom_json,
    zendesk_csv,
    zendesk_json,
)  # fmt: skip

from staffcast.contracts import InputError
from staffcast.tickets.exports import import_log, load, load_mapping, stage

_JUNK = (
    b'"', b"'", b",", b";", b"\n", b"\r\n", b"\r", b"\t", b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3",
    b"\xed\xa0\x80",
    b"{", b"}", b"[", b"]", b":", b"\\", b"\\ud800", b"null", b"NaN", b"-1", b"1e999", b"9" * 40, b"99999-99-99",
    b"0000-00-00",
    b"2026-02-30T25:61:61Z", b"13/13/2026", b"\xe2\x80\x8b", b"\xc2\xa0", b"sep=;\n", b"=cmd()", b"%s%n", b"../..",
    b"-", b"",
    b"2026-03-02T08:00:00+99:99", b"100000000000000", b"inf", b"00:99:00", b"\xf0\x9f\x98\x80", b"\x1a", b"/*", b"''",
    b'""',
)  # fmt: skip


def seeds(n=6):
    """Sound files: name, bytes, options of the import."""
    d = desk(n)
    data, mapping = generic_csv(d)
    return [
        ("z.csv", zendesk_csv(d), {}), ("z.json", zendesk_json(d), {}), ("f.csv", freshdesk_csv(d),
        {"zone": "Europe/Berlin"}),
        ("i.json", intercom_json(d), {}), ("i.jsonl", intercom_json(d, lines=True), {}), ("h.csv", hubspot_csv(d), {}),
        ("c.csv", chatwoot_csv(d), {}), ("g.csv", data, {"mapping": mapping}),
        ("q.csv", b"".join(b"30;20260302;%02d:00;7;S;4;0;1;0;3;30;60;900;100;9;9;3;5;12;0;0\n" % h for h in range(n)),
         {"zone": "America/Sao_Paulo"}),
    ]  # fmt: skip


def mutated(content: bytes, rng: random.Random) -> bytes:
    """One to six changes: bytes flipped, cut, doubled, moved, junk put in or written over."""
    out = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(out) + 1)
        to = min(len(out), at + rng.choice((1, 1, 2, 8, 40, 400)))
        kind = rng.randrange(7)
        if kind == 0 and at < len(out):
            out[at] = rng.randrange(256)
        elif kind == 1:
            del out[at:to]
        elif kind == 2:
            out[at:at] = out[at:to]
        elif kind == 3:
            out[at:at] = rng.choice(_JUNK)
        elif kind == 4:
            out[at:to] = rng.choice(_JUNK)
        elif kind == 5:
            del out[at:]
        else:
            lines = bytes(out).split(b"\n")
            a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[a], lines[b] = lines[b], lines[a]
            out = bytearray(b"\n".join(lines))
    return bytes(out)


def check(name: str, content: bytes, more: dict, folder: Path) -> str:
    """Import one file; ``imported`` or ``refused``. Anything else raises."""
    path, out = folder / name, folder / "out" / "t.parquet"
    path.write_bytes(content)
    out.unlink(missing_ok=True)
    options = dict(more)
    if "mapping" in options:
        (folder / "m.toml").write_text(options["mapping"])
        options["mapping"] = load_mapping(folder / "m.toml")
    began = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            report = import_log([path], out, key=KEY, now=NOW, **options)
    except InputError as error:
        said = str(error)
        assert name in said, f"does not name the file: {said}"
        assert not out.exists(), "refused, yet written"
        result = "refused"
    else:
        assert report.rows_in == report.rows_out + report.findings.total("dropped") + report.folded
        frame = pd.read_parquet(out)
        assert len(frame) == report.rows_out > 0
        if report.kind == "tickets":
            assert frame["ticket_id"].notna().all()
            assert frame["ticket_id"].is_unique
            assert frame["created_at"].notna().all()
        result = "imported"
    assert time.monotonic() - began < 60, "hangs"
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(".importing")) == []
    return result


def share_database(folder: Path) -> None:
    """Let all imports of this process use one DuckDB: to open one takes longer than to read a small file."""
    con = stage.connect(folder)
    load.connect = lambda _: con.cursor()


def main(total: int, seed: int) -> None:
    """Run ``total`` mutations and count what became of them."""
    counts = {"imported": 0, "refused": 0}
    files = seeds()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as spill:
        share_database(Path(spill))
        for k in range(total):
            rng = random.Random(seed * 1_000_003 + k)
            file, content, more = rng.choice(files)
            bad = mutated(content, rng)
            try:
                counts[check(file, bad, more, Path(name))] += 1
            except Exception:
                sys.stdout.write(f"mutation {k} of seed {seed}: {file}\n{bad!r}\n")
                raise
            if (k + 1) % 1000 == 0:
                sys.stdout.write(f"{k + 1:,}: {counts}, {time.monotonic() - began:.0f} s\n")
                sys.stdout.flush()
    sys.stdout.write(f"{total:,} mutations: {counts}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
