"""Freshdesk and Freshservice: one CSV, durations as HH:MM:SS, "(in hrs)" meaning business hours and often empty."""

from __future__ import annotations

from staffcast.tickets.exports.formats import Field, Format

__all__ = ["FRESHDESK"]

_STARS = {
    "extremely happy": "5", "very happy": "5", "happy": "4", "neutral": "3", "unhappy": "2", "very unhappy": "1",
    "extremely unhappy": "1", "no rating": "", "not taken": "",
}  # fmt: skip

FRESHDESK = Format(
    name="freshdesk",
    title="Freshdesk or Freshservice",
    kind="tickets",
    open_states=("open", "pending"),
    clock="created → first agent reply, in business hours; spam and merged tickets do not count",
    marks=(
        "created_time", "resolved_time", "closed_time", "last_update_time", "last_updated_time",
        "initial_response_time",
        "due_by_time", "first_response_time_in_hrs", "resolution_time_in_hrs", "agent_interactions",
        "customer_interactions",
        "resolution_status", "first_response_status", "time_tracked", "survey_results",
    ),
    least=3,
    fields={
        "ticket_id": Field(names=("ticket_id", "display_id")),
        "created_at": Field(names=("created_time",)),
        "first_response_at": Field(names=("initial_response_time", "first_responded_time")),
        "resolved_at": Field(names=("resolved_time", "closed_time")),
        "stated_frt_business_s": Field(names=("first_response_time_in_hrs",), unit="h"),
        "stated_resolution_business_s": Field(names=("resolution_time_in_hrs",), unit="h"),
        "handle_s": Field(names=("time_tracked", "time_tracked_in_hrs"), unit="h"),
        "replies": Field(names=("agent_interactions",)),
        "customer_messages": Field(names=("customer_interactions",)),
        "queue": Field(names=("group", "group_name", "assigned_group")),
        "channel": Field(names=("source",)),
        "priority": Field(names=("priority",)),
        "topic": Field(names=("type", "category")),
        "status": Field(names=("status",)),
        "agent": Field(names=("agent", "assigned_agent")),
        "customer_id": Field(
            names=("contact_id", "requester_id", "email", "requester_email", "full_name", "requester_name", "requester")
        ),
        "csat": Field(names=("survey_results", "survey_result"), values=_STARS),
        "_updated": Field(names=("last_update_time", "last_updated_time")),
    },
)  # fmt: skip
