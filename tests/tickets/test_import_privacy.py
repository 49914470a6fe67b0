"""Nothing personal leaves an import: not in the table, not in what is printed, not in a mapping, not in an error."""

from __future__ import annotations

import os
import re
import stat

import pandas as pd
import pytest
from click.testing import CliRunner
from export_files import (
    KEY,
    NAMES,
    NOW,
    PHONES,
    TEXTS,
    as_csv,
    chatwoot_csv,
    desk,
    freshdesk_csv,
    hubspot_csv,
    intercom_json,
    stamp,
    zendesk_csv,
    zendesk_json,
)  # fmt: skip

from staffcast.cli import main
from staffcast.contracts import InputError
from staffcast.tickets.exports import default_key_path, import_log, load_key
from staffcast.tickets.exports.privacy import Pseudonyms

MAKERS = {
    "zendesk.csv": zendesk_csv, "zendesk.json": zendesk_json, "freshdesk.csv": freshdesk_csv,
    "intercom.json": intercom_json,
    "hubspot.csv": hubspot_csv, "chatwoot.csv": chatwoot_csv,
}  # fmt: skip
# What was planted, and parts of it that would give it away.
SECRETS = (*PHONES, *NAMES, *TEXTS, "5550123", "5559876", "5511987650000", "Wilhelmine", "Okonkwo", "parcel", "call me")


def leaks(text, allowed=()):
    plain = re.sub(r"[\s().-]", "", text)
    return [s for s in SECRETS if s not in allowed and (s in text or re.sub(r"[\s().-]", "", s) in plain)]


def everything(folder):
    """All bytes under a folder as text, tables also as their cells."""
    out = []
    for path in folder.rglob("*"):
        if path.is_file():
            out.append(path.read_bytes().decode("latin-1"))
            if path.suffix == ".parquet":
                out.append(pd.read_parquet(path).to_csv())
    return "\n".join(out)


def run(tmp_path, *args):
    return CliRunner().invoke(main, ["import", *map(str, args), "--key", str(tmp_path / "secret" / "k.key")])


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("json", [False, True])
def test_no_output_holds_what_was_planted(tmp_path, name, json):
    """Phone numbers, names and texts of every vendor's export are in none of the outputs and in nothing printed."""
    (tmp_path / name).write_bytes(MAKERS[name](desk()))
    out = tmp_path / "out" / "t.parquet"
    made = run(tmp_path, tmp_path / name, "-o", out, "--zone", "UTC", *(["--json"] if json else []))
    assert made.exit_code == 0, made.stderr
    mapped = run(tmp_path, tmp_path / name, "--write-mapping", tmp_path / "out" / "m.toml")
    assert mapped.exit_code == 0, mapped.stderr
    assert leaks(made.stdout + made.stderr + mapped.stdout + mapped.stderr) == []
    assert leaks(everything(tmp_path / "out")) == []
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["m.toml", "t.parquet"]
    again = import_log([tmp_path / name], out, key=KEY, now=NOW, zone="UTC", keep_agents=True)
    kept = everything(tmp_path / "out")
    assert leaks(kept, allowed=(*NAMES, "Wilhelmine", "Okonkwo")) == []
    assert NAMES[0] in kept
    assert any("agents keep their names" in note for note in again.notes)


def broken(d):
    """Files whose cells slipped: texts and numbers stand where times, ids and headers should be."""
    text, phone = TEXTS[1], PHONES[0]
    good = zendesk_csv(d).decode().splitlines()
    slipped = [",".join([row.split(",")[0], text, *row.split(",")[2:]]) for row in good[1:]]
    return {
        "a text for a time": "\n".join([good[0], *slipped]),
        "no header": "\n".join(f"{phone},{text},{r.ticket_id}" for r in d.itertuples()),
        "numbers for a header": f"ticket,{phone},{text},created\n1,2,3,4\n",
        "a quote in a text": "\n".join([good[0], *(f'{row[:8]},"{text}' for row in good[1:])]),
        "a text for a header": good[0].replace("created_at", f'"{text}"') + "\n" + "\n".join(good[1:]),
        "broken json": '{"tickets": [{"id": 1, "subject": "' + text + '"',
        "text for a number": "\n".join(
            [good[0], *(",".join([*row.split(",")[:-1], text]) for row in good[1:])]
        ),
    }  # fmt: skip


@pytest.mark.parametrize("case", broken(desk(3)))
def test_no_error_repeats_a_cell(tmp_path, case):
    """Errors and reports name file, row and column; of a cell they say the shape at most."""
    content = broken(desk(6))[case]
    name = "x.json" if content.startswith("{") else "x.csv"
    (tmp_path / name).write_text(content)
    for more in ([], ["--format", "zendesk"], ["--write-mapping", tmp_path / "m.toml"]):
        said = run(tmp_path, tmp_path / name, "-o", tmp_path / "o" / "t.parquet", *more)
        assert said.exit_code in (0, 2), said.exception
        written = (tmp_path / "m.toml").read_text() if (tmp_path / "m.toml").exists() else ""
        assert leaks(said.stdout + said.stderr + written) == [], said.stdout + said.stderr


def test_labels_and_ids_that_are_people_become_codes(tmp_path):
    """A phone number as queue or conversation id is replaced; a text as topic is refused; a long label is dropped."""
    n = 60
    created = stamp(pd.Series(pd.date_range("2026-03-02T08:00Z", periods=n, freq="h")))
    log = as_csv({
        "ticket_id": [f"+4917055{k:05d}" for k in range(n)], "created_at": created,
        "queue": [PHONES[k % 2] if k % 3 else "Billing" for k in range(n)],
        "topic": [f"{TEXTS[0]} {k}" for k in range(n)], "status": [TEXTS[1] * 3] * n,
        "team": ["wa 5511987650000@c.us"] * n,
    })  # fmt: skip
    (tmp_path / "l.csv").write_bytes(log)
    report = import_log([tmp_path / "l.csv"], tmp_path / "o" / "t.parquet", key=KEY, now=NOW)
    frame = pd.read_parquet(tmp_path / "o" / "t.parquet")
    assert leaks(everything(tmp_path / "o") + "\n".join(report.lines())) == []
    assert "+4917055" not in everything(tmp_path / "o")
    assert frame["ticket_id"].is_unique
    assert frame["queue"].nunique() == 3
    assert "topic" not in frame
    assert frame["status"].isna().all()


def test_the_same_person_is_the_same_code(tmp_path):
    """Codes depend on key and person alone: spaces, +49 or 0049, capitals, the next import change nothing."""
    people = Pseudonyms(KEY)
    code = people.code("+49 170 5550123", role="customer")
    assert re.fullmatch(r"c-[0-9a-f]{16}", code)
    for same in ("0049170 5550123", "491705550123", "+49 (170) 555-0123"):
        assert people.code(same, role="customer") == code
    assert people.code("Ann@Example.org", role="customer") == people.code(" ann@example.org", role="customer")
    assert people.code("+49 170 5550123", role="agent")[2:] != code[2:]
    assert Pseudonyms(KEY[::-1]).code("+49 170 5550123", role="customer") != code
    truth = desk()
    (tmp_path / "a.csv").write_bytes(zendesk_csv(truth))
    (tmp_path / "b.csv").write_bytes(hubspot_csv(truth))
    codes = []
    for name in ("a.csv", "b.csv"):
        import_log([tmp_path / name], tmp_path / "o" / "t.parquet", key=KEY, now=NOW)
        codes.append(pd.read_parquet(tmp_path / "o" / "t.parquet").set_index("ticket_id")["customer_id"].sort_index())
    pd.testing.assert_series_equal(*codes)


def test_codes_are_hmac_sha256():
    """The code is the RFC 2104 construction done by hand."""
    import hashlib

    block = KEY.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + b"customer\0ann").digest()
    want = hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).hexdigest()[:16]
    assert Pseudonyms(KEY).code("Ann", role="customer") == f"c-{want}"


def test_the_key_is_made_once_and_kept_to_its_owner(tmp_path, monkeypatch):
    """Mode 600 in the user's settings, read again; not beside the output, not readable by others, no garbage."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    path = default_key_path()
    assert path.is_relative_to(tmp_path / "config")
    key = load_key(path, output=tmp_path / "t.parquet")
    assert len(key) == 32
    assert load_key(path) == key
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        with pytest.raises(InputError, match="others may read the key; run: chmod 600"):
            load_key(path)
        path.chmod(0o600)
    with pytest.raises(InputError, match="must not stand beside what it protects"):
        load_key(tmp_path / "k.key", output=tmp_path / "t.parquet")
    path.write_text("not a key")
    with pytest.raises(InputError, match="is no key of staffcast"):
        load_key(path)
