"""Intercom conversations: API JSON or CSV with ``statistics``; instants often as Unix seconds, durations in seconds."""

from __future__ import annotations

from staffcast.tickets.exports.formats import Field, Format

__all__ = ["INTERCOM"]

_STATISTICS = (
    "time_to_assignment", "time_to_admin_reply", "time_to_first_close", "time_to_last_close", "median_time_to_reply",
    "first_contact_reply_at", "first_assignment_at", "first_admin_reply_at", "first_close_at", "last_close_at",
    "last_contact_reply_at", "last_admin_reply_at", "count_reopens", "count_assignments", "count_conversation_parts",
)  # fmt: skip


def _either(*names: str) -> tuple[str, ...]:
    """The same column nested in ``statistics`` and on its own."""
    return tuple(form for name in names for form in (f"statistics_{name}", name))


INTERCOM = Format(
    name="intercom",
    title="Intercom",
    kind="tickets",
    open_states=("open", "snoozed"),
    clock="customer's first message → first reply by a person, in seconds, out-of-office time taken off",
    marks=(
        *_either(*_STATISTICS), "first_contact_reply_created_at", "waiting_since", "source_delivered_as",
        "snoozed_until",
        "conversation_rating_value", "conversation_rating_rating", "admin_assignee_id", "team_assignee_id",
        "conversation_started_at", "conversation_id", "first_contact_reply_type", "sla_applied_sla_name",
    ),
    least=3,
    fields={
        "ticket_id": Field(names=("conversation_id", "id")),
        # An agent's message opens the conversation too: the customer's first is the start, where there is one.
        "created_at": Field(
            names=(*_either("first_contact_reply_at"), "first_contact_reply_created_at", "conversation_started_at",
                   "created_at"),
        ),
        "first_response_at": Field(names=_either("first_admin_reply_at")),
        "assigned_at": Field(names=_either("first_assignment_at")),
        "resolved_at": Field(names=_either("last_close_at", "first_close_at")),
        "last_customer_at": Field(names=_either("last_contact_reply_at")),
        "last_reply_at": Field(names=_either("last_admin_reply_at")),
        "stated_frt_business_s": Field(names=_either("time_to_admin_reply"), unit="s"),
        "stated_resolution_business_s": Field(names=_either("time_to_last_close", "time_to_first_close"), unit="s"),
        "handle_s": Field(names=_either("handling_time"), unit="s"),
        "reopens": Field(names=_either("count_reopens")),
        "queue": Field(names=("team_assignee_id", "team_assignee_name", "team", "team_id")),
        "channel": Field(names=("source_type", "channel")),
        "direction": Field(
            names=("source_delivered_as",),
            values={"customer_initiated": "inbound", "admin_initiated": "outbound", "automated": "outbound",
                    "campaigns_initiated": "outbound", "operator_initiated": "outbound"},
        ),
        "priority": Field(names=("priority",)),
        "status": Field(names=("state",)),
        "agent": Field(names=("admin_assignee_id", "admin_assignee_name", "assignee_id", "assignee")),
        "customer_id": Field(names=("source_author_id", "contact_id", "contacts_id", "user_id")),
        "csat": Field(names=("conversation_rating_rating", "conversation_rating_value", "conversation_rating")),
        "_updated": Field(names=("updated_at",)),
    },
)  # fmt: skip
