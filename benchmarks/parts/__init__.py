"""The parts of ``benchmarks/run.py``, one module each: ``TITLE`` and ``measure(options)``, which returns Markdown."""

import os

# One thread, also where the linear algebra could use more: this comes before NumPy is loaded.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
