"""Imports go one way, and nothing heavy is imported at start-up."""

import ast
import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"flint", "mip", "numpy", "onnx", "rich", "scipy", "sklearn", "sympy", "torch", "z3"}
IMPORT_TAMECHECK = "import tamecheck"
SHOW_HELP = """
from tamecheck.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
"""

RECHECK = """
from tamecheck.cli import main
assert main(["recheck", "-q", "LICENSE"]) == 5
"""


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_import_contracts_hold():
    done = run("-c", "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "program", [IMPORT_TAMECHECK, SHOW_HELP, RECHECK], ids=["import", "help", "recheck"]
)
def test_start_up_imports_nothing_heavy(program):
    report = f"{program}\nimport sys\nprint(*sorted(m.split('.')[0] for m in sys.modules))"
    done = run("-c", report)
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())


def modules():
    """The modules of the package by name."""
    files = (ROOT / "tamecheck").rglob("*.py")
    parts = {file: file.relative_to(ROOT).with_suffix("").parts for file in files}
    return {".".join(p[:-1] if p[-1] == "__init__" else p): file for file, p in parts.items()}


def word_of(node):
    """The name of a name or of an attribute."""
    return getattr(node, "id", getattr(node, "attr", ""))


def imports_of(name, known):
    """The modules that a module imports anywhere but for types, and its imports by string."""
    tree = ast.parse(known[name].read_text(encoding="utf-8"))
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in map(word_of, ast.walk(node.test))
        for inner in ast.walk(node)
    }
    wanted, strings = set(), []
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            wanted |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and word_of(node.func) == "import_module":
            strings += [s for s in map(ast.unparse, node.args) if "tamecheck" in s]
    found = set()
    for module in wanted:
        home = module
        while home and home not in known:
            home = home.rpartition(".")[0]
        found.add(home)
    # the package itself is the lazy door, which the page on architecture describes
    return found - {name, "", "tamecheck"}, strings


def test_no_circle_of_imports_lazy_ones_and_strings_counted():
    known = modules()
    graph, strings = {}, {}
    for name in known:
        graph[name], strings[name] = imports_of(name, known)
    by_string = {name: found for name, found in strings.items() if found and name != "tamecheck"}
    assert by_string == {}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
