"""The docs say what the code does: every command, option, scenario key and column has its place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from staffcast.cli import main
from staffcast.contracts import BACKTEST, DEMAND, REQUIREMENT, ROSTER, SERIES, TICKETS
from staffcast.scenario import _RULES, _SETTINGS, _WHAT_IF, load_scenario

ROOT = Path(__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md")])


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_option_has_its_place(name: str) -> None:
    """Each command has a section in docs/commands.md, and each of its options is named there."""
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert f"\n## {name}\n" in text
    flags = [flag for option in main.commands[name].params for flag in option.opts if flag.startswith("--")]
    assert [flag for flag in flags if not re.search(rf"{flag}\b", text)] == []


def test_every_scenario_key_is_explained() -> None:
    """Each key that a scenario file may have stands in docs/scenario.md."""
    text = (ROOT / "docs/scenario.md").read_text(encoding="utf-8")
    assert [key for key in (*_RULES, *_SETTINGS, *_WHAT_IF) if f"`{key}`" not in text] == []


def test_the_scenario_example_is_one(tmp_path: Path) -> None:
    """The TOML example in docs/scenario.md is a scenario that loads."""
    text = (ROOT / "docs/scenario.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.S)
    assert example is not None
    (tmp_path / "scenario.toml").write_text(example[1], encoding="utf-8")
    scenario = load_scenario(tmp_path / "scenario.toml")
    assert scenario.for_queue("billing").minimum == 1
    assert tomllib.loads(example[1])["what_if"]["volume"] == "+20%"


@pytest.mark.parametrize("table", [TICKETS, SERIES, DEMAND, REQUIREMENT, ROSTER, BACKTEST], ids=lambda t: t.name)
def test_every_column_is_explained(table) -> None:
    """Each column of a table contract stands in docs/tables.md."""
    text = (ROOT / "docs/tables.md").read_text(encoding="utf-8")
    assert [name for name in table.columns if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("page", DOCS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link and picture in the docs is a file of the project."""
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
    local = [t for t in targets if not t.startswith(("http://", "https://"))]
    assert [t for t in local if not (page.parent / t).exists()] == []


def test_semantics_are_numbered_in_order() -> None:
    """The semantics are numbered upwards, each number once, so that references to them hold."""
    numbers = re.findall(r"^- \*\*S(\d+)", (ROOT / "docs/semantics.md").read_text(encoding="utf-8"), re.M)
    assert [int(n) for n in numbers] == sorted({int(n) for n in numbers})
