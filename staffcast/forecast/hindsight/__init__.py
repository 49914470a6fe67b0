"""What became of forecasts: the planner's changes to them, forecasts kept, and both against what came.

``ledger``, ``overrides``  changes with reason and author; ``snapshots`` forecasts kept with date and inputs
``accuracy``, ``actual``   how good they were
"""

from staffcast.forecast.hindsight.accuracy import accuracy, judge
from staffcast.forecast.hindsight.actual import offered
from staffcast.forecast.hindsight.ledger import Ledger, apply_ledger, read_ledger
from staffcast.forecast.hindsight.overrides import Override
from staffcast.forecast.hindsight.snapshots import Snapshot, list_snapshots, load_snapshot, save_snapshot

__all__ = [
    "Ledger",
    "Override",
    "Snapshot",
    "accuracy",
    "apply_ledger",
    "judge",
    "list_snapshots",
    "load_snapshot",
    "offered",
    "read_ledger",
    "save_snapshot",
]
