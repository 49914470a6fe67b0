"""Whatever the vendor writes, the same help desk comes out."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest
from export_files import (
    KEY,
    NOW,
    as_csv,
    chatwoot_csv,
    chatwoot_events,
    desk,
    freshdesk_csv,
    generic_csv,
    hubspot_csv,
    intercom_json,
    stamp,
    zendesk_csv,
    zendesk_json,
)  # fmt: skip

from staffcast.contracts import InputError
from staffcast.tickets import IntervalLog, TicketLog, count, read_log
from staffcast.tickets.exports import import_log, load_mapping, suggest_mapping

TIMES = ["created_at", "first_response_at", "resolved_at"]


def imported(tmp_path, files, **more):
    paths = []
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        paths.append(tmp_path / name)
    out = tmp_path / "out" / "tickets.parquet"
    report = import_log(paths, out, key=KEY, now=NOW, **more)
    return pd.read_parquet(out), report


def same_desk(frame, truth, columns=("queue", "channel", "priority", "reopens")):
    got = frame.set_index("ticket_id").loc[list(truth["ticket_id"])].reset_index()
    assert len(frame) == len(truth)
    for column in TIMES:
        want = truth[column].astype("datetime64[us, UTC]")
        pd.testing.assert_series_equal(
            got[column].dt.tz_convert("UTC").astype("datetime64[us, UTC]"), want, check_names=False, check_freq=False
        )
    for column in columns:
        assert list(got[column]) == list(truth[column]), column
    for column in {"agent", "customer_id"} & set(got):
        pairs = pd.DataFrame({"code": got[column], "who": truth[column]}).dropna().drop_duplicates()
        assert pairs["code"].is_unique
        assert pairs["who"].is_unique
    assert not {"subject", "text", "description"} & set(frame)


VENDORS = {
    "Zendesk": lambda d: {"z.csv": zendesk_csv(d)},
    "Zendesk's API": lambda d: {"z.json": zendesk_json(d)},
    "Freshdesk or Freshservice": lambda d: {"f.csv": freshdesk_csv(d)},
    "Intercom": lambda d: {"i.json": intercom_json(d)},
    "Intercom, one a line": lambda d: {"i.jsonl": intercom_json(d, lines=True)},
    "HubSpot": lambda d: {"h.csv": hubspot_csv(d)},
    "Chatwoot reporting events": lambda d: {"c.csv": chatwoot_csv(d)},
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendors_export_is_the_same_desk(tmp_path, vendor):
    """Each export is recognised by its header; tickets, instants, queues and reopenings are those of the desk."""
    truth = desk()
    frame, report = imported(tmp_path, VENDORS[vendor](truth), zone="Europe/Berlin")
    assert report.format.startswith(vendor.split(",")[0].split("'")[0])
    own = ("queue", "reopens") if "Chatwoot" in vendor else ("queue", "channel", "priority", "reopens")
    own = own[:-1] if vendor in ("Freshdesk or Freshservice", "HubSpot") else own
    same_desk(frame, truth, own)
    assert report.rows_in == report.rows_out + report.findings.total("dropped") + report.folded
    log = read_log(tmp_path / "out" / "tickets.parquet")
    assert isinstance(log, TicketLog)
    assert log.zone == "Europe/Berlin"


@pytest.mark.parametrize("vendor", ["Zendesk", "Zendesk's API", "HubSpot", "Chatwoot reporting events"])
def test_stated_first_responses_agree_with_the_instants(tmp_path, vendor):
    """Minutes, milliseconds and seconds all become the seconds from creation to reply."""
    truth = desk()
    frame, _ = imported(tmp_path, VENDORS[vendor](truth))
    got = frame.set_index("ticket_id")["stated_frt_s"].loc[list(truth["ticket_id"])].to_numpy()
    want = (truth["first_response_at"] - truth["created_at"]).dt.total_seconds().to_numpy()
    assert got == pytest.approx(want, abs=1e-6, nan_ok=True)


def test_stated_and_measured_are_set_beside_each_other(tmp_path):
    """The report counts how many of the vendor's own first response times the instants bear out."""
    truth = desk()
    late = truth.assign(first_response_at=truth["first_response_at"] + pd.Timedelta(minutes=5))
    data = hubspot_csv(truth).decode().splitlines()
    other = hubspot_csv(late).decode().splitlines()
    mixed = "\n".join(
        [*data[:31], *other[31:]]
    )  # the last ten rows state five minutes less … of their own later instants
    replaced = "\n".join(
        ",".join([*a.split(",")[:6], b.split(",")[6], *a.split(",")[7:]]) if k > 30 else a
        for k, (a, b) in enumerate(zip(mixed.splitlines(), data, strict=True))
    )
    _, report = imported(tmp_path, {"h.csv": replaced.encode()})
    assert "30 of 38 agree with the instants within a minute, 0 are longer, 8 shorter" in " ".join(report.notes)


def test_freshdesk_traps(tmp_path):
    """HH:MM:SS is read, an empty duration stays unknown, wall clock needs a zone, words of the survey are stars."""
    truth = desk()
    with pytest.raises(InputError, match=r"f\.csv, row 2, column Created time: times are wall clock .*--zone"):
        imported(tmp_path, {"f.csv": freshdesk_csv(truth)})
    frame, _ = imported(tmp_path, {"f.csv": freshdesk_csv(truth)}, zone="Europe/Berlin")
    want = (truth["first_response_at"] - truth["created_at"]).dt.total_seconds()
    assert list(frame["stated_frt_business_s"].dropna()) == list(want.dropna())
    assert frame["stated_resolution_business_s"].isna().all()
    assert set(frame["csat"]) == {5.0}
    assert set(frame["handle_s"]) == {630.0}


def test_header_variants_are_the_same_columns(tmp_path):
    """Upper case, spaces and doubled columns with a suffix change nothing."""
    truth = desk()
    head, _, body = freshdesk_csv(truth).decode().partition("\n")
    loud = (head.upper().replace("TICKET ID", "Ticket Id") + "\n" + body).encode()
    frame, _ = imported(tmp_path, {"f.csv": loud}, zone="Europe/Berlin")
    same_desk(frame, truth, ("queue", "channel", "priority"))


def test_zendesk_comments_give_the_first_reply(tmp_path):
    """The first public comment of somebody else than the customer answers; notes and the customer's own do not."""
    truth = desk(3)
    comments = "ticket_id,created_at,public,author_id,body\n"
    for r in truth.itertuples():
        at = [f"{r.created_at + pd.Timedelta(minutes=m):%Y-%m-%dT%H:%M:%SZ}" for m in range(5)]
        comments += f"{r.ticket_id},{at[0]},true,{r.customer_id},hello\n{r.ticket_id},{at[1]},false,a1,secret\n"
        comments += f"{r.ticket_id},{at[2]},true,{r.customer_id},hello?\n{r.ticket_id},{at[3]},true,a1,hi\n"
        comments += f"{r.ticket_id},{at[4]},true,a1,done\n"
    plain = as_csv({
        "id": truth.ticket_id, "created_at": stamp(truth.created_at), "requester_id": truth.customer_id,
        "status": ["x"] * 3,
        "brand_id": [1] * 3, "ticket_form_id": [1] * 3,
    })  # fmt: skip
    frame, report = imported(
        tmp_path, {"t.csv": plain, "c.csv": (comments + "404,2026-03-03T00:00:00Z,true,1,x\n").encode()}
    )
    waited = (frame["first_response_at"] - frame["created_at"]).dt.total_seconds()
    assert list(waited) == [180.0] * 3
    assert list(frame["replies"]) == [2.0] * 3
    assert list(frame["customer_messages"]) == [2.0] * 3
    assert (frame["last_customer_at"] - frame["created_at"]).eq(pd.Timedelta(minutes=2)).all()
    assert report.folded == 15
    assert report.findings.of("dropped") == [
        {"reason": "comments of a ticket that is in none of the files", "rows": 1, "examples": ["c.csv:17"]}
    ]


def test_chatwoot_bot(tmp_path):
    """A hand-over is the offer to people; what the bot closed never sought one; what was reopened last is open."""
    truth = desk(4).assign(reopens=0)
    rows = chatwoot_events(truth)[:6]
    ids = list(truth["ticket_id"])

    def event(ticket, name, minute, value=60):
        start = truth["created_at"][ids.index(ticket)]
        end = start + pd.Timedelta(minutes=minute)
        return {**rows[0], "conversation_id": ticket, "name": name, "value": value,
            "event_start_time": start.isoformat(),
                "event_end_time": end.isoformat()}  # fmt: skip

    events = [
        event(ids[0], "conversation_bot_handoff", 2), event(ids[0], "first_response", 5),
        event(ids[1], "conversation_bot_resolved", 3),
        event(ids[2], "first_response", 4), event(ids[2], "reply_time", 6, 30), event(ids[2], "conversation_resolved",
            9),
        event(ids[2], "conversation_opened", 12, 180), event(ids[2], "conversation_opened", 12, 180),
    ]  # fmt: skip
    data = as_csv({name: [e[name] for e in events] for name in events[0]})
    frame, report = imported(tmp_path, {"c.csv": data})
    frame = frame.set_index("ticket_id")
    assert frame.loc[ids[0], "offered_at"] - frame.loc[ids[0], "created_at"] == pd.Timedelta(minutes=2)
    assert frame.loc[ids[1], "outcome"] == "bot_closed"
    assert pd.isna(frame.loc[ids[1], "offered_at"])
    assert pd.isna(frame.loc[ids[2], "resolved_at"])
    assert frame.loc[ids[2], "reopens"] == 1
    assert frame.loc[ids[2], "mean_reply_s"] == 45
    assert report.findings.of("dropped")[0] == {
        "reason": "the same event stands twice",
        "rows": 1,
        "examples": ["c.csv:9"],
    }
    assert (report.rows_in, report.rows_out, report.folded) == (8, 3, 4)


def test_any_other_export_with_a_mapping(tmp_path):
    """A mapping names columns, units, zone, what a duration follows; half-day clocks and day-first dates are read."""
    truth = desk()
    data, mapping = generic_csv(truth)
    (tmp_path / "map.toml").write_text(mapping)
    frame, report = imported(tmp_path, {"g.csv": data}, mapping=load_mapping(tmp_path / "map.toml"))
    same_desk(frame, truth)
    assert report.zone == "America/Sao_Paulo"
    assert "Text" in report.unused


def test_unknown_exports_are_refused_with_help(tmp_path):
    """The error names the columns found, what comes nearest, and how to write a mapping."""
    data, _ = generic_csv(desk())
    with pytest.raises(InputError) as error:
        imported(tmp_path, {"g.csv": data})
    said = str(error.value)
    for part in (
        "cannot tell whose export",
        "like no vendor's",
        "Conversation, Opened, FRT",
        "--format",
        "--write-mapping",
    ):
        assert part in said
    with pytest.raises(InputError, match=r"nearest is Freshdesk or Freshservice \(it lacks ticket_id from ticket_id"):
        imported(tmp_path, {"f.csv": freshdesk_csv(desk()).replace(b"Ticket ID", b"Nummer")}, zone="UTC")
    with pytest.raises(InputError, match=r"`format` must be one of .*got 'zendsk'; did you mean zendesk"):
        imported(tmp_path, {"g.csv": data}, form="zendsk")
    with pytest.raises(InputError, match="choose another --format"):
        imported(tmp_path, {"g.csv": data}, form="hubspot")


def test_a_header_of_two_vendors_is_not_guessed(tmp_path):
    """As many marks of one vendor as of another: the error names both, and --format decides."""
    head = "Ticket ID,Created time,Resolved time,Closed time,createdate,closed_date,hs_pipeline"
    row = "1,2026-03-02T08:00:00Z,,,2026-03-03T08:00:00Z,,x"
    content = f"{head}\n{row}\n".encode()
    with pytest.raises(InputError, match=r"may be of .*(Freshdesk.*HubSpot|HubSpot.*Freshdesk).*--format"):
        imported(tmp_path, {"x.csv": content})
    frame, _ = imported(tmp_path, {"x.csv": content}, form="hubspot")
    assert list(frame["created_at"].dt.day) == [3]


def test_a_written_mapping_reads_the_file_it_was_written_for(tmp_path):
    """What --write-mapping writes is a mapping that imports the same tickets, for known and for unknown exports."""
    truth = desk()
    data, _ = generic_csv(truth)
    (tmp_path / "g.csv").write_bytes(data.replace(b"Conversation", b"Conversation ID").replace(b"Opened", b"Created"))
    (tmp_path / "f.csv").write_bytes(freshdesk_csv(truth))
    for name, zone in (("g.csv", "America/Sao_Paulo"), ("f.csv", "Europe/Berlin")):
        (tmp_path / "m.toml").write_text(suggest_mapping(tmp_path / name, zone=zone))
        report = import_log(
            [tmp_path / name], tmp_path / "m.parquet", key=KEY, now=NOW, mapping=load_mapping(tmp_path / "m.toml")
        )
        frame = pd.read_parquet(tmp_path / "m.parquet")
        assert report.rows_out == len(truth)
        assert list(frame["created_at"].dt.tz_convert("UTC")) == list(truth["created_at"])
    assert list(frame["first_response_at"].dropna()) == list(truth["first_response_at"].dropna())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "`key` must be one of name, kind, zone, dates, columns, got 'x'"),
        ("[columns]\nticket_id = 'a'", "complete: created_at must be there"),
        ("[columns]\nticket = 'a'\ncreated_at = 'b'", "`columns` must be one of ticket_id, created_at"),
        ("zone = 'Mars/Base'\n[columns]\nticket_id = 'a'\ncreated_at = 'b'", "`zone` must be an IANA zone"),
        ("[columns]\nticket_id = 'a'\ncreated_at = {column = 'b', unit = 'weeks'}", "columns.created_at.unit"),
        ("[columns]\nticket_id = 'a'\ncreated_at = {col = 'b'}", "a column's name, or a table like"),
        ("dates = 'ymd'\n[columns]\nticket_id = 'a'\ncreated_at = 'b'", "`dates` must be"),
        ("[columns\n", "is not TOML"),
        ("[columns]\nticket_id='a'\ncreated_at='b'\nresolved_at={column='c',after='queue'}", "one of the mapped times"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(tmp_path, text, said):
    """Unknown keys, columns, units and zones are named with the file."""
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(InputError) as error:
        load_mapping(tmp_path / "m.toml")
    assert said in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "m.toml"))


def test_genesys_intervals(tmp_path):
    """Rows of one interval that differ in skill and language add up; the handle time is total over handled."""
    head = "Interval Start UTC Date,Queue,Media Type,Skill Set,Language,Offered,Interactions Handled,"
    head += "Total Handle Time (Seconds)"
    rows = [
        f"2026-03-02T{h:02d}:{m:02d}:00Z,Billing,voice,{skill},de,{3 + h},{2 + h},{(2 + h) * aht}"
        for h in range(8, 12) for m in (0, 15, 30, 45) for skill, aht in (("a|||b", 100), ("c", 200))
    ]  # fmt: skip
    frame, report = imported(tmp_path, {"g.csv": "\n".join([head, *rows]).encode()})
    assert report.kind == "series"
    assert len(frame) == 16
    assert frame["y"].sum() == 2 * 4 * sum(3 + h for h in range(8, 12))
    assert frame["aht_s"].to_numpy() == pytest.approx(150)
    assert (report.rows_in, report.folded) == (32, 16)
    log = read_log(tmp_path / "out" / "tickets.parquet")
    assert isinstance(log, IntervalLog)
    assert log.minutes == 15


def test_connect_channels_stay_apart(tmp_path):
    """A queue that serves chat and voice is two series; instants carry their offset."""
    rows = [
        f"Main,q1,{kind},2026-03-02T{h:02d}:00:00-03:00,{n},{aht}"
        for h in range(8, 12) for kind, n, aht in (("CHAT", 10, 600), ("VOICE", 5, 200))
    ]  # fmt: skip
    head = "QueueName,QueueId,ChannelType,TimeStamp,IncomingVolume,AverageHandleTime"
    frame, _ = imported(tmp_path, {"c.csv": "\n".join([head, *rows]).encode()}, zone="America/Sao_Paulo")
    assert frame.groupby("unique_id")["y"].sum().to_dict() == {"Main (chat)": 40, "Main (voice)": 20}
    assert frame["ds"].iloc[0] == pd.Timestamp("2026-03-02T08:00:00-03:00")
    assert set(frame.loc[frame["unique_id"] == "Main (chat)", "aht_s"]) == {600.0}


def calabrio(times):
    return "".join(f"30;{day};{clock};7;Support;{offered};0;1;0;{offered - 1};30;60;900;100;9;9;3;5;12;0;0\n"
                   for day, clock, offered in times)  # fmt: skip


def test_calabrio_has_no_header_and_two_hours_in_autumn(tmp_path):
    """21 cells that begin with minutes, date and time are Calabrio's; the hour that autumn repeats is two hours."""
    day = "20251026"
    clocks = [("01:30", 3), ("02:00", 4), ("02:30", 5), ("02:00", 6), ("02:30", 7), ("03:00", 8)]
    data = calabrio([(day, clock, n) for clock, n in clocks])
    frame, report = imported(tmp_path, {"q.csv": data.encode()}, zone="Europe/Berlin")
    assert list(frame["y"]) == [n for _, n in clocks]
    assert frame["ds"].diff().dropna().eq(pd.Timedelta(minutes=30)).all()
    assert frame["aht_s"].iloc[1] == pytest.approx(1000 / 3)
    assert frame["abandoned"].eq(1).all()
    assert frame["waited_s"].eq(90).all()
    assert any("second pass" in note for note in report.notes)
    with pytest.raises(InputError, match="name their zone"):
        imported(tmp_path, {"q.csv": data.encode()})


def test_packed_files_patterns_and_parquet(tmp_path):
    """Patterns take many files; .gz and Parquet are read like CSV; a row in two of them counts once."""
    truth = desk()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_bytes(zendesk_csv(truth[:25]))
    (tmp_path / "in/b.csv.gz").write_bytes(gzip.compress(zendesk_csv(truth[20:])))
    out = tmp_path / "t.parquet"
    report = import_log([str(tmp_path / "in" / "*")], out, key=KEY, now=NOW)
    same_desk(pd.read_parquet(out), truth)
    assert report.findings.total("dropped") == 5
    table = pd.read_csv(tmp_path / "in/a.csv", dtype=str).assign(created_at=lambda f: pd.to_datetime(f["created_at"]))
    table.to_parquet(tmp_path / "typed.parquet")
    import_log([tmp_path / "typed.parquet"], out, key=KEY, now=NOW)
    same_desk(pd.read_parquet(out), truth[:25])


def test_files_that_do_not_make_one_log_are_refused(tmp_path):
    """Metrics without tickets, intervals beside tickets, and an output that is an input."""
    truth = desk()
    both = {"z.csv": zendesk_csv(truth), "q.csv": calabrio([("20260302", "08:00", 4)]).encode()}
    with pytest.raises(InputError, match="do not make one log"):
        imported(tmp_path, both, zone="UTC")
    metrics = "ticket_id,group_stations,assignee_stations,latest_comment_added_at,initially_assigned_at\n1,1,1,,\n"
    with pytest.raises(
        InputError, match=r"m\.csv: holds Zendesk ticket_metrics only: give the file of the tickets too"
    ):
        imported(tmp_path, {"m.csv": metrics.encode()})
    with pytest.raises(InputError, match=r"end the output in \.parquet"):
        import_log([tmp_path / "z.csv"], tmp_path / "t.csv", key=KEY, now=NOW)
    assert not list(tmp_path.glob(".importing*"))


def test_counts_of_the_import_are_those_of_the_log(tmp_path):
    """Counting the imported tickets by hour gives what counting the truth by hand gives."""
    from staffcast.contracts import Calendar

    truth = desk(200)
    imported(tmp_path, {"z.csv": zendesk_csv(truth)})
    log = read_log(tmp_path / "out" / "tickets.parquet")
    series = count(log, dict.fromkeys(log.queues, Calendar(zone="UTC")), minutes=60)
    by_hand = truth.groupby([truth["queue"], truth["created_at"].dt.floor("h")]).size()
    got = series[series["y"] > 0].set_index(["unique_id", "ds"])["y"]
    assert got.to_dict() == {k: v for k, v in by_hand.items() if k[1] <= series["ds"].max()}
