"""The scenario notebook runs from top to bottom."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "notebooks/scenarios.ipynb"


@pytest.mark.slow
def test_the_notebook_runs_and_its_claims_hold() -> None:
    """Every cell of the notebook runs, the assertions in it included."""
    nbformat = pytest.importorskip("nbformat", reason="the notebook needs: pip install 'staffcast[notebook]'")
    nbclient = pytest.importorskip("nbclient", reason="the notebook needs: pip install 'staffcast[notebook]'")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # The kernel must be this interpreter, whatever kernels the machine has by the name python3.
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    manager = AsyncKernelManager()
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="test",
        language="python",
    )
    client = nbclient.NotebookClient(
        notebook, km=manager, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
