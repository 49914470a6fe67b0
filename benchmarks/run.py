"""Measure staffcast: accuracy, smallest numbers, scale, and speed beside other packages.

``python benchmarks/run.py`` runs all parts, ``python benchmarks/run.py accuracy scale`` only these. ``--quick`` is a
look of half a minute instead of a measurement, ``--write docs/benchmarks.md`` writes the page. For the comparison give
the Python of an environment that has the other packages::

    python -m venv .venv-peers && .venv-peers/bin/pip install -r benchmarks/requirements-peers.txt
    python benchmarks/run.py --peers .venv-peers/bin/python

The parts ``forecasting``, ``simulation`` and ``logs`` have pages of their own and run only when they are named; the
peers of the first are the package's own dependencies:
``python benchmarks/run.py forecasting --write docs/forecast-accuracy.md``,
``python benchmarks/run.py simulation --peers PYTHON --write docs/simulation.md``,
``python benchmarks/run.py logs --write docs/large-logs.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from parts import (
    accuracy,
    chats,
    deferrable,
    forecasting,
    logs,
    overtime,
    peers,
    scale,
    simulating,
    smallest,
    uncertain,
)
from parts.common import Options, prose

# A further part is one more module with TITLE and measure(options), and one more entry here.
PARTS = {
    "accuracy": accuracy, "smallest": smallest, "scale": scale, "overtime": overtime, "uncertain": uncertain,
    "deferrable": deferrable, "chats": chats, "peers": peers, "forecasting": forecasting, "simulation": simulating,
    "logs": logs,
}  # fmt: skip
# Parts with a page of their own: its title, how it is made, and the packages whose versions matter there.
OWN_PAGE = {
    "forecasting": (
        "Forecast accuracy",
        "python benchmarks/run.py forecasting --write docs/forecast-accuracy.md   # this page\n"
        "python benchmarks/run.py forecasting --quick                             # a look\n",
        ("numpy", "scipy", "pandas", "statsmodels", "prophet", "holidays"),
    ),
    "simulation": (
        "Simulation: speed and intervals",
        "python -m venv .venv-peers && .venv-peers/bin/pip install -r benchmarks/requirements-peers.txt\n"
        "python benchmarks/run.py simulation --peers .venv-peers/bin/python --write docs/simulation.md   # this page\n"
        "python benchmarks/run.py simulation --quick                                                     # a look\n",
        ("numpy", "numba", "scipy", "pandas"),
    ),
    "logs": (
        "Logs larger than memory",
        "python benchmarks/run.py logs --write docs/large-logs.md   # this page\n"
        "python benchmarks/run.py logs --quick                      # a look\n",
        ("numpy", "pandas", "pyarrow", "duckdb"),
    ),
}
BENCHMARKS = (
    "Benchmarks",
    "python -m venv .venv-peers && .venv-peers/bin/pip install -r benchmarks/requirements-peers.txt\n"
    "python benchmarks/run.py --peers .venv-peers/bin/python --write docs/benchmarks.md   # this page\n"
    "python benchmarks/run.py --quick                                                     # a look\n",
    ("numpy", "scipy", "mpmath"),
)


def heading(parts: Sequence[str]) -> str:
    """When, where and with what."""
    title, commands, used = OWN_PAGE.get(parts[0], BENCHMARKS) if len(parts) == 1 else BENCHMARKS
    packages = ", ".join(f"{package} {version(package)}" for package in used)
    how = """Times are CPU times of one thread, medians of runs in which all candidates take turns; the ratios say more
        than the times themselves."""
    if parts == ["logs"]:
        how = "The short logs are medians of three runs one after the other, the long ones one run each."
    when = prose(
        f"""Measured on {datetime.now(tz=UTC):%Y-%m-%d} with staffcast {version("staffcast")}, Python
        {platform.python_version()}, {packages}, on {os.cpu_count()} cores that other work shares. {how}"""
    )
    return f"# {title}\n\n{when}\n\n```sh\n{commands}```\n"


def main() -> None:
    """Run the parts named, print them, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer points and repeats")
    parser.add_argument("--peers", metavar="PYTHON", help="Python of an environment with the other packages")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the page")
    given = parser.parse_args()
    if unknown := sorted(set(given.parts) - set(PARTS)):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    options = Options(quick=given.quick, peers=given.peers)
    names = given.parts or [name for name in PARTS if name not in OWN_PAGE]
    page = [heading(names)]
    print(page[0])
    for name in names:
        start = time.process_time()
        text = f"## {PARTS[name].TITLE}\n\n{PARTS[name].measure(options).rstrip()}\n"
        print(f"{text}\n({name}: {time.process_time() - start:.0f} s)\n", flush=True)
        page.append(text)
    if given.write:
        given.write.write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
