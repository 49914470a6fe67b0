"""Real exports come in as their description says."""

from __future__ import annotations

import csv
import gzip

import pandas as pd
import pytest
from export_files import KEY

from staffcast.contracts import Calendar
from staffcast.tickets import TicketLog, count, read_log
from staffcast.tickets.exports import import_log, load_mapping

CHATS = """
zone = "Asia/Kolkata"
[columns]
ticket_id = "RoomCode"
created_at = "ChatStartTime"
offered_at = "AgentAssignmentTimestamp"
assigned_at = "AgentAssignmentTimestamp"
first_response_at = {column = "AgentFirstResponseTime", unit = "hms", after = "assigned_at"}
bot_first_response_at = {column = "BotFirstResponseTime", unit = "hms", after = "created_at"}
resolved_at = "ChatEndTime"
agent = {column = "ClosedBy", values = {System = ""}}
customer_id = "UserId"
csat = {column = "CsatScore", values = {0 = ""}}
"""


@pytest.fixture(scope="module")
def chats(shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chats")
    (folder / "m.toml").write_text(CHATS)
    source = shared_data / "chat_support_2021-02" / "chats_as_exported.csv.gz"
    report = import_log([source], folder / "t.parquet", key=KEY, mapping=load_mapping(folder / "m.toml"))
    with gzip.open(shared_data / "chat_support_2021-02" / "chats.csv.gz", "rt", encoding="utf-8") as stream:
        clean = {row["ticket_id"]: row for row in csv.DictReader(stream)}
    return folder / "t.parquet", report, clean


def test_all_chats_are_recovered(chats):
    """Of 10,000 chats whose days and months a spreadsheet swapped, every instant is that of the clean set."""
    path, report, clean = chats
    frame = pd.read_parquet(path)
    assert (report.rows_in, report.rows_out, report.findings.total("dropped")) == (10_000, 10_000, 0)
    assert len(clean) == 10_000
    for ours, theirs in (
        ("created_at", "created_at"), ("resolved_at", "resolved_at"), ("assigned_at", "agent_assigned_at"),
        ("first_response_at", "first_response_at"),
    ):  # fmt: skip
        want = [clean[i][theirs] for i in frame["ticket_id"]]
        got = [t.strftime("%Y-%m-%dT%H:%M:%S") if pd.notna(t) else "" for t in frame[ours]]
        assert got == want
    assert frame["csat"].notna().sum() == sum(r["csat"] != "" for r in clean.values())
    assert any("a spreadsheet swapped day and month" in note for note in report.notes)


def test_chats_hand_on_to_counting(chats):
    """3,722 chats reached an agent, 67 s after they began (median), and he answered 7 s later."""
    path, _, clean = chats
    log = read_log(path)
    assert isinstance(log, TicketLog)
    assert log.zone == "Asia/Kolkata"
    assert log.frame["offered_at"].notna().sum() == 3_722
    waited = (log.frame["offered_at"] - log.frame["created_at"]).dt.total_seconds()
    answered = (log.frame["first_response_at"] - log.frame["offered_at"]).dt.total_seconds()
    assert waited.median() == pytest.approx(67, abs=1)
    assert answered.median() == 7
    series = count(log, {"all": Calendar(zone=log.zone)}, minutes=60)
    assert 3_700 <= series["y"].sum() <= 3_722
    assert not set(log.frame["customer_id"]) & {r["customer_id"] for r in clean.values()}


def samples(shared_data, *names):
    return [shared_data / "helpdesk_export_samples" / name for name in names]


def test_hubspots_first_responses(shared_data, tmp_path):
    """The four tickets of HubSpot's sample rows that were answered waited as long as their two instants lie apart."""
    (source,) = samples(shared_data, "hubspot/ticket_data.csv")
    report = import_log([source], tmp_path / "t.parquet", key=KEY, zone="UTC")
    frame = pd.read_parquet(tmp_path / "t.parquet").set_index("ticket_id")
    with source.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["property_first_agent_reply_date"]]
    assert len(rows) == 4
    for row in rows:
        stated = pd.Timestamp(row["property_first_agent_reply_date"]) - pd.Timestamp(row["property_createdate"])
        got = frame.loc[row["id"], "first_response_at"] - frame.loc[row["id"], "created_at"]
        assert got == stated
    assert report.format == "HubSpot"
    odd = {item["reason"]: item["rows"] for item in report.findings.of("suspicious")}
    assert odd == {"resolved_at before created_at": 1, "resolved more than two years after creation": 1}
    assert len(frame) == 25


def test_intercoms_versions_fold_to_the_last(shared_data, tmp_path):
    """Nine versions of two conversations: each as it was changed last, both closed."""
    report = import_log(
        samples(shared_data, "intercom/conversation_history_data.csv"), tmp_path / "t.parquet", key=KEY, zone="UTC"
    )
    frame = pd.read_parquet(tmp_path / "t.parquet")
    assert list(frame["status"]) == ["closed", "closed"]
    assert (report.rows_in, report.rows_out, report.findings.total("dropped")) == (9, 2, 7)


def test_zendesks_tables(shared_data, tmp_path):
    """Ten tickets; the twenty sample comments belong to none of them, and that is said, not passed over."""
    report = import_log(
        samples(shared_data, "zendesk/ticket_data.csv", "zendesk/ticket_comment_data.csv"), tmp_path / "t.parquet",
            key=KEY,
        zone="UTC",
    )  # fmt: skip
    assert (report.rows_in, report.rows_out) == (30, 10)
    (dropped,) = report.findings.of("dropped")
    assert (dropped["rows"], dropped["reason"]) == (20, "comments of a ticket that is in none of the files")
    text = pd.read_parquet(tmp_path / "t.parquet").to_csv() + "\n".join(report.lines())
    for personal in ("396331237134", "418284131934", "description1", "email@email.com"):
        assert personal not in text
