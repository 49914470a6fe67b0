"""The house keeps its plan: which room imports which, how long a module is, who prints."""

import ast
import functools
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "staffcast"
MODULES = sorted(PACKAGE.rglob("*.py"))
# In the order in which the data walks; a room imports only what stands before it.
WAY = (
    "contracts", "executor", "tickets", "forecast", "erlang", "utilization", "simulation",
    "scenario_values", "play_values", "scenario", "patience", "new_queues", "channels", "calendars",
    "requirement", "staffing", "levers", "settings", "crews", "playing", "comparing", "sweeping", "plan",
    "counting", "reviewing", "toml_text", "measuring", "measured_scenario", "report",
    "cli_options", "cli_output", "cli_import", "cli_kpi", "cli_measure", "cli_sweep", "cli", "__main__",
)  # fmt: skip
# Rooms that are kept from more than the order keeps them from.
ONLY = {
    "contracts": set(),
    "executor": {"contracts"},
    "tickets": {"contracts"},
    "erlang": {"contracts"},
    "forecast": {"contracts", "executor"},
    "utilization": {"contracts", "tickets"},
    "simulation": {"contracts", "executor", "erlang"},
    "scenario_values": {"contracts"},
    "play_values": {"contracts", "scenario_values"},
    "scenario": {"contracts", "scenario_values", "play_values"},
}
LONGEST = 500
HEAVY = {
    "matplotlib",
    "statsmodels",
    "prophet",
    "pandas",
    "numpy",
    "scipy",
    "holidays",
    "rich",
    "jinja2",
    "duckdb",
    "pyarrow",
}


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def room(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0] if parts != ("__init__",) else "staffcast"


def name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path, *, everywhere=True):
    """Dotted names that a module imports; without ``everywhere`` only those read when it is loaded."""
    for node in ast.walk(tree(path)) if everywhere else at_loading(tree(path).body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_loading(body):
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            continue
        yield node
        for part in ("body", "orelse", "handlers", "finalbody"):
            yield from at_loading(getattr(node, part, []))


def modules_imported(path):
    known = {name(p) for p in MODULES}
    for target in imports(path, everywhere=False):
        inner = target if target in known else target.rpartition(".")[0]
        if inner in known and inner != name(path):
            yield inner


def test_every_room_has_its_place_on_the_way():
    """No module stands outside the plan of the house."""
    assert {room(p) for p in MODULES} == {*WAY, "staffcast"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_room_imports_only_what_stands_before_it(path):
    """Data walks in one direction: no module reaches for a room behind its own, and some rooms for fewer still."""
    here = room(path)
    if here == "staffcast":
        assert not [t for t in imports(path) if t.startswith("staffcast.")]
        return
    used = {t.split(".")[1] for t in imports(path) if t.startswith("staffcast.")} - {here, "__version__"}
    assert used <= set(WAY[: WAY.index(here)])
    assert used <= ONLY.get(here, used)


def test_no_module_imports_itself_round_a_corner():
    """The graph of imports at loading has no cycle, within rooms neither."""
    graph = {name(p): set(modules_imported(p)) for p in MODULES}
    assert sum(map(len, graph.values())) > 50
    # Importing a module loads its package first, whose table of contents imports the module: that is no cycle.
    graph = {module: {to for to in targets if not module.startswith(f"{to}.")} for module, targets in graph.items()}
    while leaves := [module for module, targets in graph.items() if not targets & set(graph)]:
        for module in leaves:
            del graph[module]
    assert graph == {}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_can_be_read_in_one_sitting(path):
    """No module has more than 500 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", [p for p in MODULES if not room(p).startswith(("cli", "report"))], ids=name)
def test_only_the_command_line_and_the_report_print(path):
    """Below them nothing writes to the terminal: neither print nor a console nor the standard streams."""
    for node in ast.walk(tree(path)):
        assert not (isinstance(node, ast.Name) and node.id == "print")
        assert not (isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr"))
    assert not {t.split(".")[0] for t in imports(path)} & {"rich", "click"}


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) != "report"], ids=name)
def test_only_the_report_draws(path):
    """Plots and pages are made in one room."""
    assert not {t.split(".")[0] for t in imports(path)} & {"matplotlib", "jinja2", "markupsafe"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_error_is_passed_over_in_silence(path):
    """No handler does nothing, and none catches everything without raising again."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            does = [n for n in node.body if not isinstance(n, ast.Pass) and not _is_text(n)]
            assert does, f"line {node.lineno} passes over an error"
            broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
            assert not broad or any(isinstance(n, ast.Raise) for n in ast.walk(node)), f"line {node.lineno}"


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_the_command_line_loads_nothing_heavy():
    """cli.py and what it imports at loading are light, so that help answers at once."""
    for path in (*PACKAGE.glob("cli*.py"), PACKAGE / "__init__.py", PACKAGE / "__main__.py"):
        loaded = {t.split(".")[0] for t in imports(path, everywhere=False)}
        assert not loaded & HEAVY
    inside = {t for t in imports(PACKAGE / "cli.py", everywhere=False) if t.startswith("staffcast")}
    assert {t for t in inside if not t.startswith("staffcast.cli_")} == {"staffcast.__version__"}


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py" and p.parent != PACKAGE], ids=name)
def test_a_rooms_table_of_contents_is_complete(path):
    """Each room's __init__ hands on exactly the names of its __all__."""
    names = [a.asname or a.name for n in tree(path).body if isinstance(n, ast.ImportFrom) for a in n.names]
    (listed,) = [ast.literal_eval(n.value) for n in tree(path).body if isinstance(n, ast.Assign)]
    assert sorted(names) == sorted(listed)
    assert len(set(names)) == len(names)
