"""What rooms hand to each other: inputs that cannot be wrong, tables that were checked, errors that help."""

from staffcast.contracts.calendar import (
    INTERVAL_MINUTES,
    WEEKDAYS,
    Calendar,
    Event,
    check_zone,
    fold_closed,
    interval_grid,
)
from staffcast.contracts.errors import InputError, OutputError, StaffcastError, bad_value
from staffcast.contracts.inputs import Band, Shrinkage, Target
from staffcast.contracts.tables import (
    BACKTEST,
    DEMAND,
    OUTCOME,
    REQUIREMENT,
    ROSTER,
    SERIES,
    TICKETS,
    Table,
    quantile_column,
)
from staffcast.contracts.units import format_duration, format_share, parse_change, parse_duration_s, parse_share

__all__ = [
    "BACKTEST",
    "DEMAND",
    "INTERVAL_MINUTES",
    "OUTCOME",
    "REQUIREMENT",
    "ROSTER",
    "SERIES",
    "TICKETS",
    "WEEKDAYS",
    "Band",
    "Calendar",
    "Event",
    "InputError",
    "OutputError",
    "Shrinkage",
    "StaffcastError",
    "Table",
    "Target",
    "bad_value",
    "check_zone",
    "fold_closed",
    "format_duration",
    "format_share",
    "interval_grid",
    "parse_change",
    "parse_duration_s",
    "parse_share",
    "quantile_column",
]
