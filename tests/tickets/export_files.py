"""Exports of one made-up help desk as each vendor would write them, after the vendors' documents."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd

KEY = bytes(range(32))
NOW = pd.Timestamp("2026-06-01T00:00:00Z")
PHONES = ("+49 170 5550123", "0171-5559876", "whatsapp:+5511987650000")
NAMES = ("Wilhelmine Planted", "Okonkwo Hidden")
TEXTS = ("my parcel never came", "call me back on +49 170 5550123 please")


def desk(n=40, seed=1):
    """The truth: tickets with their instants in UTC, the last two unanswered."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2026-03-02T08:00:00Z")
    created = start + pd.to_timedelta(np.sort(rng.integers(0, 20 * 86400, n)), unit="s")
    frame = pd.DataFrame({"ticket_id": [str(70_000 + k) for k in range(n)], "created_at": created})
    frame["first_response_at"] = created + pd.to_timedelta(60 * rng.integers(1, 400, n), unit="s")
    frame["resolved_at"] = frame["first_response_at"] + pd.to_timedelta(60 * rng.integers(1, 4000, n), unit="s")
    for column in ("first_response_at", "resolved_at"):
        frame.loc[frame.index[-2:], column] = pd.NaT
    frame["queue"] = rng.choice(["Billing", "Rückfragen"], n)
    frame["channel"] = rng.choice(["chat", "email"], n)
    frame["priority"] = rng.choice(["low", "high"], n)
    frame["agent"] = rng.choice(NAMES, n)
    frame["customer_id"] = rng.choice(PHONES, n)
    frame["reopens"] = rng.integers(0, 3, n) * frame["resolved_at"].notna()
    frame["text"] = rng.choice(TEXTS, n)
    return frame


def stamp(times, form="%Y-%m-%dT%H:%M:%SZ", zone="UTC"):
    return [t.tz_convert(zone).strftime(form) if pd.notna(t) else "" for t in times]


def gap(a, b, unit=1.0):
    """Time from ``a`` to ``b`` in a unit of seconds, as text."""
    return [f"{s / unit:g}" if pd.notna(s) else "" for s in (b - a).dt.total_seconds()]


def hms(a, b):
    seconds = (b - a).dt.total_seconds()
    return [f"{int(s // 3600):02d}:{int(s % 3600 // 60):02d}:{int(s % 60):02d}" if pd.notna(s) else "" for s in seconds]


def as_csv(columns, sep=",", encoding="utf-8", header=True):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=sep, lineterminator="\r\n" if sep == ";" else "\n")
    if header:
        writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode(encoding)


def zendesk_csv(d, **more):
    return as_csv({
        "id": d.ticket_id, "created_at": stamp(d.created_at), "updated_at": stamp(d.created_at),
        "solved_at": stamp(d.resolved_at), "status": ["solved" if pd.notna(t) else "open" for t in d.resolved_at],
        "priority": d.priority, "via": d.channel, "group_name": d.queue, "assignee_name": d.agent,
        "requester_id": d.customer_id, "subject": d.text, "current_tags": d.text,
        "satisfaction_score": ["good" if k % 3 else "offered" for k in range(len(d))], "reopens": d.reopens,
        "first_reply_time_in_minutes": gap(d.created_at, d.first_response_at, 60),
        "first_reply_time_in_minutes_within_business_hours": gap(d.created_at, d.first_response_at, 120),
        "full_resolution_time_in_minutes": gap(d.created_at, d.resolved_at, 60),
        "requester_wait_time_in_minutes": ["3"] * len(d),
    }, **more)  # fmt: skip


def zendesk_json(d, order=slice(None)):
    tickets = [
        {"id": int(r.ticket_id), "created_at": c, "updated_at": c, "status": "closed", "priority": r.priority,
         "via": {"channel": r.channel, "source": {"from": {"name": r.agent}}}, "group_id": r.queue,
         "assignee_id": r.agent,
         "requester_id": r.customer_id, "subject": r.text, "description": r.text, "tags": [r.text], "brand_id": 1,
         "satisfaction_rating": {"score": "bad", "comment": r.text}}
        for r, c in zip(d.itertuples(), stamp(d.created_at), strict=True)
    ]  # fmt: skip
    minutes = (d.first_response_at - d.created_at).dt.total_seconds() / 60
    metrics = [
        {"id": 9, "ticket_id": int(r.ticket_id), "reopens": int(r.reopens), "replies": 2, "group_stations": 1,
         "assignee_stations": 1, "solved_at": s or None, "initially_assigned_at": None, "latest_comment_added_at": None,
         "reply_time_in_minutes": {"calendar": None if pd.isna(m) else m, "business": None if pd.isna(m) else m / 2}}
        for r, s, m in zip(d.itertuples(), stamp(d.resolved_at), minutes, strict=True)
    ]  # fmt: skip
    users = [{"id": 1, "name": NAMES[0], "phone": PHONES[0]}]
    return json.dumps(
        {"tickets": tickets, "users": users, "ticket_metrics": metrics[order], "next_page": None}
    ).encode()


def freshdesk_csv(d, zone="Europe/Berlin", form="%Y-%m-%d %H:%M:%S", **more):
    return as_csv({
        "Ticket ID": d.ticket_id, "Subject": d.text, "Description": d.text, "Status": ["Closed"] * len(d),
        "Priority": d.priority, "Source": d.channel, "Type": ["Question"] * len(d), "Agent": d.agent, "Group": d.queue,
        "Created time": stamp(d.created_at, form, zone), "Due by Time": stamp(d.created_at, form, zone),
        "Resolved time": stamp(d.resolved_at, form, zone), "Last update time": stamp(d.created_at, form, zone),
        "Initial response time": stamp(d.first_response_at, form, zone), "Time tracked": ["00:10:30"] * len(d),
        "First response time (in hrs)": hms(d.created_at, d.first_response_at),
        "Resolution time (in hrs)": [""] * len(d),
        "Agent interactions": ["2"] * len(d), "Customer interactions": ["3"] * len(d), "Tags": d.text,
        "Survey results": ["Extremely Happy"] * len(d), "Full name": d.customer_id, "Agent_1": d.text,
    }, **more)  # fmt: skip


def unix(times):
    return [int(t.timestamp()) if pd.notna(t) else None for t in times]


def intercom_json(d, lines=False):
    wait = (d.first_response_at - d.created_at).dt.total_seconds()
    rows = [
        {"type": "conversation", "id": r.ticket_id, "created_at": c, "updated_at": c + 5, "waiting_since": None,
         "source": {"type": r.channel, "delivered_as": "customer_initiated", "body": r.text,
         "author": {"id": r.customer_id}},
         "admin_assignee_id": r.agent, "team_assignee_id": r.queue, "priority": r.priority, "state": "closed",
         "conversation_rating": {"rating": 4, "remark": r.text}, "tags": {"tags": [{"name": r.text}]},
         "statistics": {"first_contact_reply_at": c, "first_admin_reply_at": f, "last_close_at": z,
                        "time_to_admin_reply": None if pd.isna(w) else w, "count_reopens": int(r.reopens)}}
        for r, c, f, z, w in zip(d.itertuples(), unix(d.created_at), unix(d.first_response_at), unix(d.resolved_at),
            wait,
                                 strict=True)
    ]  # fmt: skip
    if lines:
        return "\n".join(json.dumps(r) for r in rows).encode()
    return json.dumps({"type": "conversation.list", "conversations": rows, "total_count": len(rows)}, indent=1).encode()


def hubspot_csv(d, **more):
    form = "%Y-%m-%d %H:%M"
    return as_csv({
        "hs_object_id": d.ticket_id, "createdate": stamp(d.created_at), "closed_date": stamp(d.resolved_at),
        "first_agent_reply_date": stamp(d.first_response_at), "subject": d.text, "content": d.text,
        "time_to_first_agent_reply": gap(d.created_at, d.first_response_at, 0.001),
        "time_to_close": gap(d.created_at, d.resolved_at, 0.001), "hs_pipeline_stage": ["4"] * len(d),
        "hs_ticket_priority": d.priority, "hubspot_owner_id": d.agent, "hubspot_team_id": d.queue,
        "source_type": d.channel,
        "hs_primary_contact_id": d.customer_id, "hs_last_csat_rating": ["5"] * len(d),
        "hs_feedback_last_nps_rating_number": ["0"] * len(d), "note_day": stamp(d.created_at, form),
    }, **more)  # fmt: skip


def chatwoot_events(d):
    """Reporting events: first response, resolutions, reopenings."""
    rows = []
    for r in d.itertuples():
        base = {"conversation_id": r.ticket_id, "inbox_id": r.queue, "user_id": r.agent, "account_id": 1}

        def add(name, start, end, value, base=base):
            rows.append({**base, "name": name, "value": value, "value_in_business_hours": value / 2,
                         "event_start_time": start.isoformat(), "event_end_time": end.isoformat()})  # fmt: skip

        add("conversation_opened", r.created_at, r.created_at, 0)
        if pd.notna(r.first_response_at):
            add(
                "first_response",
                r.created_at,
                r.first_response_at,
                (r.first_response_at - r.created_at).total_seconds(),
            )
            closing = r.resolved_at - pd.Timedelta(seconds=10 * r.reopens)
            add("conversation_resolved", r.created_at, closing, (closing - r.created_at).total_seconds())
            for k in range(r.reopens):
                again = closing + pd.Timedelta(seconds=10 * k + 5)
                add("conversation_opened", closing, again, 5)
                done = again + pd.Timedelta(seconds=5)
                add("conversation_resolved", r.created_at, done, (done - r.created_at).total_seconds())
    return rows


def chatwoot_csv(d):
    rows = chatwoot_events(d)
    return as_csv({name: [r[name] for r in rows] for name in rows[0]})


def generic_csv(d):
    """An export that no vendor writes, and the mapping that a planner would write for it."""
    data = as_csv({
        "Conversation": d.ticket_id, "Opened": stamp(d.created_at, "%d/%m/%Y %I:%M:%S %p", "America/Sao_Paulo"),
        "FRT": gap(d.created_at, d.first_response_at, 60), "Closed": stamp(d.resolved_at, "%d/%m/%Y %I:%M:%S %p",
                                                                           "America/Sao_Paulo"),
        "Inbox": d.queue, "Source": d.channel, "Prio": d.priority, "Who": d.agent, "Number": d.customer_id,
        "Again": d.reopens, "Text": d.text,
    })  # fmt: skip
    mapping = """
    name = "callbell"
    zone = "America/Sao_Paulo"
    [columns]
    ticket_id = "Conversation"
    created_at = "Opened"
    first_response_at = {column = "FRT", unit = "min", after = "created_at"}
    resolved_at = {column = "Closed"}
    queue = "Inbox"
    channel = "Source"
    priority = "Prio"
    agent = "Who"
    customer_id = "Number"
    reopens = "Again"
    """
    return data, mapping
