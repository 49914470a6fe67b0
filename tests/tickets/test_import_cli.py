"""The command: what it prints, where it writes, what it refuses; and the way from a raw export to a plan."""

from __future__ import annotations

import json
import tomllib

import pandas as pd
import pytest
from click.testing import CliRunner
from export_files import as_csv, desk, freshdesk_csv, generic_csv, stamp, zendesk_csv

from staffcast.cli import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    return tmp_path


def run(*args, code=0):
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
    return result


def test_it_says_what_it_understood_and_did(here):
    """Files, vendor, columns with units, what was not taken, what was dropped with its rows, and the sum of rows."""
    truth = desk()
    (here / "z.csv").write_bytes(zendesk_csv(truth) + zendesk_csv(truth).splitlines(keepends=True)[3])
    said = run("import", "z.csv", "-o", "out/t.parquet").stdout
    for part in (
        "read: z.csv as Zendesk; times in UTC", "stated_frt_s ← first_reply_time_in_minutes [min]",
        "not taken: subject, current_tags", "people are codes",
        "dropped: 1 × the ticket stands again, changed later or further down (first: z.csv:4)",
        "rows: 41 in = 40 out + 1 dropped", "tickets: 40 rows written to out/t.parquet",
    ):  # fmt: skip
        assert part in said
    assert (here / "config" / "staffcast" / "pseudonym.key").exists()
    told = json.loads(run("import", "z.csv", "-o", "out/t.parquet", "--json").stdout)
    assert told["kind"] == "import"
    assert (told["table"], told["rows_out"]) == ("tickets", 40)
    assert told["dropped"][0]["examples"] == ["z.csv:4"]
    assert run("import", "z.csv", "-o", "out/t.parquet", "-q").stdout == ""


def test_zendesks_channel_is_taken(here):
    """The column that says how a ticket came is called Channel, Via or via_channel."""
    for name in (b"Channel", b"Via", b"via_channel"):
        (here / "z.csv").write_bytes(zendesk_csv(desk()).replace(b"via", name, 1))
        told = json.loads(run("import", "z.csv", "-o", "out/t.parquet", "--json").stdout)
        assert told["columns"]["channel"] == name.decode()
    assert pd.read_parquet(here / "out/t.parquet")["channel"].notna().any()


def swapped_log(folder, *, swap, late=0):
    """A log in Windows-1252 with semicolons and dd.mm.yyyy; days up to the 12th may have day and month swapped."""
    days = pd.date_range("2025-03-03", periods=60, freq="D")
    shown = [d.strftime("%m.%d.%Y" if swap and d.day <= 12 else "%d.%m.%Y") for d in days]
    shown = [day.replace("2025", "2199") if k < late else day for k, day in enumerate(shown)]
    rows = "".join(f"{k};{day} 09:{k % 60:02d};Störung\n" for k, day in enumerate(shown))
    (folder / "s.csv").write_bytes(f"Ticket ID;Created at;Queue\n{rows}".encode("cp1252"))
    (folder / "m.toml").write_text('[columns]\nticket_id = "Ticket ID"\ncreated_at = "Created at"\nqueue = "Queue"\n')
    return run("import", "s.csv", "--mapping", "m.toml", "--zone", "UTC", "-o", "out/t.parquet").stdout


def test_improbable_dates_are_doubted_aloud(here):
    """Which part is the day is always said and why; dates that cannot be meant so are marked, good ones are not."""
    good = swapped_log(here, swap=False)
    assert "Created at: read with the day first, as numbers above 12 stand first" in good
    assert "CHECK" not in good
    assert "CHECK Created at: days 1–12 are spread over months" in swapped_log(here, swap=True)
    assert "in the future in 4 of 60 rows: are day and month swapped?" in swapped_log(here, swap=False, late=4)
    assert "CHECK" not in swapped_log(here, swap=False, late=3)
    early = [(day, month) for month in range(1, 7) for day in range(1, 13)]
    rows = "".join(f"{k};{day:02d}.{month:02d}.2025 09:00;q\n" for k, (day, month) in enumerate(early))
    (here / "e.csv").write_text(f"Ticket ID;Created at;Queue\n{rows}")
    said = run("import", "e.csv", "--mapping", "m.toml", "--zone", "UTC", "-o", "out/t.parquet").stdout
    assert "day first, as dates with dots mostly are; no date decides it" in said
    assert "CHECK Created at: no date of 6 months lies after the 12th: try --dates mdy" in said


@pytest.mark.parametrize(
    "header",
    ["Case No,Opened,First Answer,Done,Desk,Worked By,Client,Effort mins",
     "Nummer,Erstellt,Erste Antwort,Gelöst,Warteschlange,Bearbeiter,Kunde,Bearbeitungszeit",
     "Protocolo,Criado em,Primeira resposta,Resolvido em,Fila,Atendente,Cliente,Tempo de atendimento",
     "Número,Creado,Primera respuesta,Cerrado,Cola,Agente,Cliente,Tiempo de atención"],
)  # fmt: skip
def test_a_mapping_is_guessed_in_several_languages(here, header):
    """Each of the usual columns is found; the error for an unknown file names no column of the inner works."""
    (here / "g.csv").write_text(f"{header}\n1,2025-03-03 09:00,,,a,b,c,3\n", encoding="utf-8")
    run("import", "g.csv", "--write-mapping", "m.toml")
    found = tomllib.loads((here / "m.toml").read_text(encoding="utf-8"))["columns"]
    names = ("ticket_id", "created_at", "first_response_at", "resolved_at", "queue", "agent", "customer_id", "handle_s")
    assert [found[name]["column"] for name in names] == header.split(",")
    assert found["handle_s"]["unit"] == ("min" if "mins" in header else "s")
    (here / "c.csv").write_text("ticket_id,public,body\n1,x,y\n")
    for file in ("g.csv", "c.csv"):
        assert "_end" not in run("import", file, code=2).stderr


def test_chats_without_a_hand_over_are_hinted_at(here):
    """Where more than a fifth have no assignment and offered_at is not mapped, the report says what to map."""
    for empty, hinted in ((3, True), (2, False)):
        rows = "".join(f"{k},2025-03-03 09:0{k},{'' if k < empty else f'2025-03-03 09:1{k}'}\n" for k in range(10))
        (here / "b.csv").write_text(f"Chat,Begin,AgentAssignment\n{rows}")
        columns = '[columns]\nticket_id = "Chat"\ncreated_at = "Begin"\nassigned_at = "AgentAssignment"\n'
        (here / "m.toml").write_text(columns)
        to = ("--mapping", "m.toml", "--zone", "UTC", "-o", "out/t.parquet")
        assert ("map the hand-over to people to offered_at" in run("import", "b.csv", *to).stdout) == hinted
        (here / "m.toml").write_text(f'{columns}offered_at = "AgentAssignment"\n')
        assert "map the hand-over" not in run("import", "b.csv", *to).stdout


def test_unmapped_columns_are_described_by_shape(here):
    """Beside columns that are not mapped stands what their cells look like, and never what they say."""
    rows = "".join(f"{k},2025-03-03 09:00,0{k}.03.2025,{k * 60},secret{k % 3},01701234567\n" for k in range(9))
    (here / "g.csv").write_text(f"Case No,Opened,Seen,Weight,Word,Line\n{rows}")
    run("import", "g.csv", "--write-mapping", "m.toml")
    text = (here / "m.toml").read_text(encoding="utf-8")
    for part in ("Seen: looks like times", "Weight: numbers 0–480", "Word: 3 different values", "Line: 1 different"):
        assert part in text
    assert "secret" not in text
    assert "170123" not in text


def test_errors_are_one_line_and_write_nothing(here):
    """No traceback, exit code 2 for input and 4 for output."""
    (here / "f.csv").write_bytes(freshdesk_csv(desk()))
    said = run("import", "f.csv", "-o", "out/t.parquet", code=2).stderr
    assert said.startswith("staffcast: f.csv, row 2, column Created time: times are wall clock")
    assert not (here / "out" / "t.parquet").exists()
    (here / "file").write_text("")
    assert run("import", "f.csv", "-o", "file/t.parquet", "--zone", "UTC", code=4).stderr.startswith("staffcast: ")
    assert "must not stand beside" in run("import", "f.csv", "-o", "t.parquet", "--key", "k.key", code=2).stderr
    assert "did you mean zendesk?" in run("import", "f.csv", "--format", "zendeks", code=2).stderr


def test_a_mapping_is_written_edited_and_read(here):
    """--write-mapping imports nothing; the file it writes is read by --mapping."""
    data, mapping = generic_csv(desk())
    (here / "g.csv").write_bytes(data)
    run("import", "g.csv", "--write-mapping", "m.toml", "--zone", "America/Sao_Paulo")
    assert 'resolved_at = {column = "Closed"}' in (here / "m.toml").read_text()
    assert not (here / "tickets.parquet").exists()
    (here / "m.toml").write_text(mapping)
    assert "40 rows written to tickets.parquet" in run("import", "g.csv", "--mapping", "m.toml").stdout


def test_from_a_raw_export_to_counts_kpis_and_the_hint(here):
    """Count and kpi read what import writes, in its zone; a raw export is sent to import first."""
    created = pd.Series(pd.date_range("2026-01-05T08:00Z", "2026-03-01T18:00Z", freq="37min"))
    truth = desk(len(created)).assign(created_at=created)
    truth["first_response_at"] = created + pd.Timedelta(minutes=3)
    truth["resolved_at"] = created + pd.Timedelta(minutes=30)
    (here / "f.csv").write_bytes(freshdesk_csv(truth))
    raw = run("count", "f.csv", "--zone", "Europe/Berlin", code=2).stderr
    assert "This looks like an export of Freshdesk or Freshservice: run `staffcast import` first" in raw
    (here / "z.csv").write_bytes(zendesk_csv(truth))
    assert (
        "note: this looks like an export of Zendesk: run `staffcast import` first"
        in run("count", "z.csv", "-o", "s.csv").stderr
    )
    run("import", "f.csv", "--zone", "Europe/Berlin")
    run("count", "tickets.parquet", "-o", "series.csv")
    series = pd.read_csv(here / "series.csv")
    assert set(series["zone"]) == {"Europe/Berlin"}
    assert len(truth) - 2 <= series["y"].sum() <= len(truth)
    kpis = json.loads(run("kpi", "tickets.parquet", "--clock", "calendar", "--json").stdout)
    assert all(row["frt_p50_s"] == 180 for row in kpis["rows"])


def test_the_ticket_id_alone_does_not_look_like_a_vendor(here):
    """Staffcast's own logs get no hint."""
    created = stamp(pd.Series(pd.date_range("2026-03-02T08:00Z", periods=60, freq="7h")))
    (here / "own.csv").write_bytes(as_csv({"ticket_id": range(60), "created_at": created, "status": ["x"] * 60,
                                           "priority": ["1"] * 60, "reopens": [0] * 60,
                                           "replies": [1] * 60}))  # fmt: skip
    assert "looks like" not in run("count", "own.csv", "-o", "s.csv").stderr
