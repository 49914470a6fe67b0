"""The built wheel: what is in it, and that it plans in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from test_plan import small_log

ROOT = Path(__file__).resolve().parents[1]
WAIT_S = 180


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of what git would hand out, so that nothing is left in the tree."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; pip install 'staffcast[test]'")
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, tree / name)
    for name in ("staffcast", "tests", "data", "docs"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=tree, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    """Every module, the type marker and the page's template are in it; tests and data are not."""
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if not n.endswith("/")}
    package = {n for n in names if not n.split("/")[0].endswith(".dist-info")}
    sources = {
        p.relative_to(ROOT).as_posix()
        for p in (ROOT / "staffcast").rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    assert package == sources
    assert {"staffcast/py.typed", "staffcast/report/page.html.j2", "staffcast/cli.py"} <= package


def test_the_wheels_metadata_are_those_of_the_project(wheel):
    """Version, Python, licence, dependencies and the command stand in the wheel as in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    with zipfile.ZipFile(wheel) as archive:
        read = {n.rpartition("/")[2]: archive.read(n).decode() for n in archive.namelist() if ".dist-info/" in n}
    head = read["METADATA"].partition("\n\n")[0].splitlines()
    assert f"Version: {project['version']}" in head
    assert "License-Expression: MIT" in head
    needed = {line.removeprefix("Requires-Dist: ") for line in head if line.startswith("Requires-Dist:")}
    names = {n.split(";")[0].split(">")[0].split("<")[0].strip() for n in needed if "extra ==" not in n}
    assert names == {d.split(">")[0].split("<")[0].strip() for d in project["dependencies"]}
    assert "staffcast = staffcast.cli:main" in read["entry_points.txt"]
    assert "MIT License" in read["LICENSE"]


@pytest.fixture(scope="module")
def clean(wheel, tmp_path_factory):
    """A fresh environment with the wheel and its dependencies, and a folder elsewhere to work in."""
    folder = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True, timeout=WAIT_S)
    scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    pinned = ["-c", str(ROOT / "constraints.txt")] if (ROOT / "constraints.txt").exists() else []
    install = [
        str(scripts / "python"),
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        *pinned,
        str(wheel),
    ]
    try:
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False, timeout=WAIT_S)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the dependencies could not be fetched within {WAIT_S} s; try again on a faster line")
    if done.returncode and any(
        sign in done.stderr for sign in ("No matching distribution", "Could not find", "ConnectionError", "Max retries")
    ):
        pytest.skip(f"the dependencies cannot be fetched here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return folder, scripts


def run(clean, *args):
    folder, scripts = clean
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [scripts / args[0], *args[1:]], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_installed_command_plans_in_a_clean_environment(clean):
    """With nothing but the wheel and its dependencies, `staffcast` says its version and makes a plan with report."""
    folder, _ = clean
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert run(clean, "staffcast", "--version").stdout == f"staffcast, version {version}\n"
    where = run(clean, "python", "-c", "import staffcast; print(staffcast.__file__)").stdout
    assert Path(where.strip()).is_relative_to(folder / "env")
    small_log().to_csv(folder / "log.csv", index=False)
    done = run(
        clean, "staffcast", "plan", "log.csv", "--zone", "Europe/Berlin", "--interval", "60m", "--horizon", "7d",
        "--models", "mean_4", "--replications", "3", "--frt", "80% in 2m", "--json", "-o", "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema_version"] >= 1
    assert (folder / "out" / "report.html").stat().st_size > 100_000
    assert run(clean, "python", "-m", "pip", "check").stdout.strip() == "No broken requirements found."
