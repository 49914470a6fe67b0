"""Chatwoot's stream of reporting events: several rows a conversation, values in seconds."""

from __future__ import annotations

from staffcast.tickets.exports.formats import Field, Format

__all__ = ["CHATWOOT"]

CHATWOOT = Format(
    name="chatwoot",
    title="Chatwoot reporting events",
    kind="events",
    clock="last bot hand-over or reopening, else creation → first message by a person, in seconds",
    marks=(
        "event_start_time",
        "event_end_time",
        "value_in_business_hours",
        "inbox_id",
        "conversation_id",
        "account_id",
        "name",
        "value",
    ),
    least=4,
    fields={
        "ticket_id": Field(names=("conversation_id",)),
        "_event": Field(names=("name",)),
        "_value_s": Field(names=("value",), unit="s"),
        "_value_business_s": Field(names=("value_in_business_hours",), unit="s"),
        "_start": Field(names=("event_start_time",)),
        "_end": Field(names=("event_end_time", "created_at")),
        "queue": Field(names=("inbox_name", "inbox_id")),
        "agent": Field(names=("user_name", "user_id")),
    },
)
