"""Counts per interval: Genesys Cloud, Amazon Connect, Calabrio (Teleopti)."""

from __future__ import annotations

from staffcast.tickets.exports.formats import Field, Format

__all__ = ["CALABRIO", "CONNECT", "GENESYS"]

GENESYS = Format(
    name="genesys",
    title="Genesys Cloud history",
    kind="intervals",
    zone="UTC",  # the column's own name says it
    marks=("interval_start_utc_date", "interactions_handled", "total_handle_time_seconds", "skill_set", "media_type"),
    fields={
        "ds": Field(names=("interval_start_utc_date", "interval_start_utc_date_iso_8601", "interval_start_utc")),
        "unique_id": Field(names=("queue",)),
        "_channel": Field(names=("media_type",)),
        "y": Field(names=("offered",)),
        "_handled": Field(names=("interactions_handled",)),
        "_handle_total_s": Field(names=("total_handle_time_seconds",), unit="s"),
    },
)

CONNECT = Format(
    name="connect",
    title="Amazon Connect",
    kind="intervals",
    marks=("queue_name", "queue_id", "channel_type", "time_stamp"),
    least=3,
    fields={
        "ds": Field(names=("time_stamp", "timestamp", "start_interval")),
        "unique_id": Field(names=("queue_name", "queue", "queue_id")),
        "_channel": Field(names=("channel_type", "channel")),
        "y": Field(
            names=("incoming_volume", "incoming_contact_volume", "contact_volume", "contacts_queued", "volume",
                "offered")
        ),
        "aht_s": Field(names=("average_handle_time", "average_handle_time_seconds", "avg_handle_time"), unit="s"),
        "abandoned": Field(names=("contacts_abandoned", "abandoned")),
    },
)  # fmt: skip

_CALABRIO_COLUMNS = (
    "interval", "date_from", "time", "queue", "queue_name", "offd_direct_call_cnt", "overflow_in_call_cnt",
    "aband_call_cnt", "overflow_out_call_cnt", "answ_call_cnt", "queued_and_answ_call_dur", "queued_and_aband_call_dur",
    "talking_call_dur", "wrap_up_dur", "queued_answ_longest_que_dur", "queued_aband_longest_que_dur",
    "avg_avail_member_cnt", "ans_servicelevel_cnt", "wait_dur", "aband_short_call_cnt", "aband_within_sl_cnt",
)  # fmt: skip

CALABRIO = Format(
    name="calabrio",
    title="Calabrio (Teleopti) queue statistics",
    kind="intervals",
    header=_CALABRIO_COLUMNS,
    marks=_CALABRIO_COLUMNS,
    least=8,
    fields={
        "ds": Field(names=("date_from",)),
        "_time_of_day": Field(names=("time",)),
        "unique_id": Field(names=("queue_name", "queue")),
        "y": Field(names=("offd_direct_call_cnt",)),
        "_handled": Field(names=("answ_call_cnt",)),
        "_handle_total_s": Field(names=("talking_call_dur",), unit="s"),
        "_wrap_total_s": Field(names=("wrap_up_dur",), unit="s"),
        "abandoned": Field(names=("aband_call_cnt",)),
        "waited_s": Field(names=("queued_and_answ_call_dur",), unit="s"),
        "_waited_lost_s": Field(names=("queued_and_aband_call_dur",), unit="s"),
    },
)
