"""One small module per vendor: which columns its exports have, in what units, by what clock."""

from staffcast.tickets.exports.vendors.chatwoot import CHATWOOT
from staffcast.tickets.exports.vendors.freshdesk import FRESHDESK
from staffcast.tickets.exports.vendors.hubspot import HUBSPOT
from staffcast.tickets.exports.vendors.intercom import INTERCOM
from staffcast.tickets.exports.vendors.intervals import CALABRIO, CONNECT, GENESYS
from staffcast.tickets.exports.vendors.zendesk import ZENDESK, ZENDESK_COMMENTS, ZENDESK_METRICS

__all__ = [
    "CALABRIO",
    "CHATWOOT",
    "CONNECT",
    "FRESHDESK",
    "GENESYS",
    "HUBSPOT",
    "INTERCOM",
    "ZENDESK",
    "ZENDESK_COMMENTS",
    "ZENDESK_METRICS",
]
