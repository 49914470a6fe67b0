"""What tests of several folders share."""

from __future__ import annotations

import os
from pathlib import Path

# Matrices are small here: threads of the linear algebra would only wait for each other. Before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets; they are not part of the repository."""
    beside = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("STAFFCAST_SHARED_DATA", beside)).resolve()
    if not folder.is_dir():
        pytest.skip(f"real data set not present: {folder}; set STAFFCAST_SHARED_DATA to its folder")
    return folder
