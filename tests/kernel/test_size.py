"""The kernel stays small, stands on the standard library alone, and never computes in floats."""

import ast
import sys
from pathlib import Path

import pytest

import tamecheck.kernel

FILES = sorted(Path(tamecheck.kernel.__file__).parent.rglob("*.py"))
ALL = sorted(Path(tamecheck.kernel.__file__).parents[1].glob("kernel*/*.py"))


def test_the_kernels_are_small():
    counts = {str(p): len(p.read_text(encoding="utf-8").splitlines()) for p in ALL}
    assert sum(counts.values()) <= 6800, counts
    assert max(counts.values()) <= 350, counts


@pytest.mark.parametrize("path", ALL, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_only_the_standard_library_no_assert_no_float(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module]
        for module in modules:
            top = module.split(".")[0]
            assert top in sys.stdlib_module_names or module.startswith("tamecheck.kernel"), module
            assert top not in {"importlib", "pickle", "marshal", "ctypes", "decimal", "numbers"}
        assert not isinstance(node, ast.Assert)
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float | complex))
        assert not (
            isinstance(node, ast.Name) and node.id in {"float", "eval", "exec", "__import__"}
        )
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 4:
            assert node.value not in {"<f", "<d", "f", "d"}


def test_one_place_says_valid():
    said = [
        (path.name, node.lineno)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and any(isinstance(a, ast.Constant) and a.value == "valid" for a in node.args)
    ]
    assert len(said) == 1, said
