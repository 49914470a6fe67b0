"""What tests of several folders share."""

from __future__ import annotations

import os
from pathlib import Path

# Matrices are small here: threads of the linear algebra would only wait for each other. Before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

# Machine code that numba keeps is known by the file of the function itself: it would outlive a change of another file
# that it calls into.
_SIMULATION = Path(__file__).resolve().parents[1] / "staffcast" / "simulation"
_NEWEST = max((each.stat().st_mtime for each in _SIMULATION.glob("*.py")), default=0.0)
for _index in (_SIMULATION / "__pycache__").glob("*.nbi"):
    if _index.stat().st_mtime < _NEWEST:
        _index.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets; they are not part of the repository."""
    beside = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("STAFFCAST_SHARED_DATA", beside)).resolve()
    if not folder.is_dir():
        pytest.skip(f"real data set not present: {folder}; set STAFFCAST_SHARED_DATA to its folder")
    return folder
