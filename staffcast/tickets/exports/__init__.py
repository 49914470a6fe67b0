"""Any help desk's export in: recognised, cleaned in the open, nothing personal kept."""

from staffcast.tickets.exports.load import import_log, suggest_mapping
from staffcast.tickets.exports.mapping import load_mapping, write_mapping
from staffcast.tickets.exports.privacy import default_key_path, load_key
from staffcast.tickets.exports.recognise import VENDOR_NAMES, resembles
from staffcast.tickets.exports.report import Findings, ImportReport

__all__ = [
    "VENDOR_NAMES",
    "Findings",
    "ImportReport",
    "default_key_path",
    "import_log",
    "load_key",
    "load_mapping",
    "resembles",
    "suggest_mapping",
    "write_mapping",
]
