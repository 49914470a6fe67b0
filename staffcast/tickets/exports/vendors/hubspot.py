"""HubSpot tickets: durations in milliseconds, ``closed_date`` (not ``closedate``)."""

from __future__ import annotations

from staffcast.tickets.exports.formats import Field, Format

__all__ = ["HUBSPOT"]

HUBSPOT = Format(
    name="hubspot",
    title="HubSpot",
    kind="tickets",
    clock="created → first agent reply, in milliseconds; operating hours apart",
    response_from_stated=True,
    marks=(
        "createdate", "closed_date", "first_agent_reply_date", "last_reply_date", "time_to_close",
        "time_to_first_agent_reply", "hs_object_id", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority",
        "hubspot_owner_id", "hubspot_team_id", "hs_time_to_first_rep_assignment", "hs_ticket_reopened_at",
        "hs_ticket_category", "hs_time_to_first_response_in_operating_hours",
    ),
    least=3,
    fields={
        "ticket_id": Field(names=("hs_object_id", "ticket_id", "id")),
        "created_at": Field(names=("createdate", "create_date")),
        "first_response_at": Field(names=("first_agent_reply_date", "first_agent_email_response_date")),
        "assigned_at": Field(names=("hs_time_to_first_rep_assignment",), after="created_at", unit="ms"),
        "resolved_at": Field(names=("closed_date", "close_date")),
        "last_reply_at": Field(names=("last_reply_date",)),
        "reopened_at": Field(names=("hs_ticket_reopened_at",)),
        "stated_frt_s": Field(names=("time_to_first_agent_reply",), unit="ms"),
        "stated_frt_business_s": Field(names=("hs_time_to_first_response_in_operating_hours",), unit="ms"),
        "stated_resolution_s": Field(names=("time_to_close",), unit="ms"),
        "queue": Field(names=("hubspot_team_id", "hs_pipeline", "pipeline")),
        "channel": Field(names=("source_type", "source")),
        "priority": Field(names=("hs_ticket_priority", "priority")),
        "topic": Field(names=("hs_ticket_category", "category")),
        "status": Field(names=("hs_pipeline_stage", "ticket_status")),
        "agent": Field(names=("hubspot_owner_id", "ticket_owner")),
        "customer_id": Field(names=("hs_primary_contact_id", "contact_id", "associated_contact_ids",
        "associated_contact")),
        "csat": Field(names=("hs_last_csat_rating",)),
        "nps": Field(names=("hs_feedback_last_nps_rating_number",)),
        "_updated": Field(names=("hs_lastmodifieddate", "lastmodifieddate")),
    },
)  # fmt: skip
