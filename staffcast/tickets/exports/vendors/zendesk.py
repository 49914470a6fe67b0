"""Zendesk: the CSV export, and the API's ``tickets``, ``ticket_metrics`` and ``comments``. Durations in minutes."""

from __future__ import annotations

from staffcast.tickets.exports.formats import Field, Format

__all__ = ["ZENDESK", "ZENDESK_COMMENTS", "ZENDESK_METRICS"]

_CLOCK = (
    "created → first public comment by an agent, in minutes, calendar and business hours apart; bots do not count, "
    "and where an agent opened the ticket it is the next comment"
)
# Minutes as the export has them, and as the API nests them.
_DURATIONS = {
    "stated_frt_s": Field(
        names=("first_reply_time_in_minutes", "reply_time_in_minutes_calendar",
               "metric_set_reply_time_in_minutes_calendar"), unit="min",
    ),
    "stated_frt_business_s": Field(
        names=("first_reply_time_in_minutes_within_business_hours", "reply_time_in_minutes_business",
               "metric_set_reply_time_in_minutes_business"), unit="min",
    ),
    "stated_resolution_s": Field(
        names=("full_resolution_time_in_minutes", "full_resolution_time_in_minutes_calendar",
               "metric_set_full_resolution_time_in_minutes_calendar"), unit="min",
    ),
    "stated_resolution_business_s": Field(
        names=("full_resolution_time_in_minutes_within_business_hours", "full_resolution_time_in_minutes_business",
               "metric_set_full_resolution_time_in_minutes_business"), unit="min",
    ),
}  # fmt: skip
_COUNTS = {
    "reopens": Field(names=("reopens", "metric_set_reopens")),
    "replies": Field(names=("replies", "metric_set_replies")),
    "assigned_at": Field(
        names=("initially_assigned_at", "metric_set_initially_assigned_at", "assigned_at", "metric_set_assigned_at")
    ),
    "resolved_at": Field(names=("solved_at", "metric_set_solved_at")),
}

ZENDESK = Format(
    name="zendesk",
    title="Zendesk",
    kind="tickets",
    open_states=("new", "open", "pending", "hold", "on-hold"),
    clock=_CLOCK,
    response_from_stated=True,
    marks=(
        "first_reply_time_in_minutes", "full_resolution_time_in_minutes", "requester_wait_time_in_minutes",
        "agent_wait_time_in_minutes", "first_resolution_time_in_minutes", "assignee_stations", "group_stations",
        "initially_assigned_at", "current_tags", "assignee_name", "group_name", "solved_at", "ticket_type",
        "via_channel",
        "requester_id", "submitter_id", "assignee_id", "brand_id", "ticket_form_id", "organization_id", "has_incidents",
        "allow_channelback", "metric_set_reply_time_in_minutes_calendar", "on_hold_time_in_minutes",
    ),
    fields={
        "ticket_id": Field(names=("id", "ticket_id")),
        "created_at": Field(names=("created_at",)),
        **_DURATIONS,
        **_COUNTS,
        "queue": Field(names=("group_name", "group", "group_id")),
        "channel": Field(names=("via_channel", "channel", "via")),
        "priority": Field(names=("priority",)),
        "topic": Field(names=("ticket_type", "type")),
        "status": Field(names=("status",)),
        "agent": Field(names=("assignee_name", "assignee", "assignee_id")),
        "customer_id": Field(names=("requester_id", "requester", "requester_name")),
        "csat": Field(
            names=("satisfaction_score", "satisfaction_rating_score"),
            values={"good": "5", "good with comment": "5", "bad": "1", "bad with comment": "1", "offered": "",
                    "unoffered": "", "not offered": ""},
        ),
        "_updated": Field(names=("updated_at",)),
    },
)  # fmt: skip

ZENDESK_METRICS = Format(
    name="zendesk_metrics",
    title="Zendesk ticket_metrics",
    kind="metrics",
    clock=_CLOCK,
    marks=(
        "reply_time_in_minutes_calendar", "full_resolution_time_in_minutes_calendar", "latest_comment_added_at",
        "requester_wait_time_in_minutes_calendar", "assignee_stations", "group_stations", "initially_assigned_at",
        "assignee_updated_at", "on_hold_time_in_minutes_calendar",
    ),
    least=3,
    fields={
        "ticket_id": Field(names=("ticket_id",)),
        **_DURATIONS,
        **_COUNTS,
        "_updated": Field(names=("updated_at",)),
    },
)  # fmt: skip

ZENDESK_COMMENTS = Format(
    name="zendesk_comments",
    title="Zendesk comments",
    kind="comments",
    marks=("public", "body", "author_id", "user_id", "ticket_id", "audit_id", "html_body", "plain_body"),
    least=4,
    fields={
        "ticket_id": Field(names=("ticket_id",)),
        "_end": Field(names=("created_at", "created")),
        "_public": Field(names=("public",)),
        "_author": Field(names=("author_id", "user_id")),
    },
)
