"""Every source file is of readable size, finished, and free of what the project does not do."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "tamecheck").rglob("*.py"))
TESTS = sorted(
    path for folder in ("tests", "examples", "docs") for path in (ROOT / folder).rglob("*.py")
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError|placeholder|stub)\b")
UNTRUSTED = re.compile(r"(?<![\w.])(eval|exec)\(|pickle\.load|parse_expr\(|torch\.load\(")
PIPES = {"tamecheck/solvers/executors.py"}
"""What reads only what a process that it started itself writes to a pipe."""
INVENTED = re.compile(r"\b\w*(?:[Ll]edger|[Ss]hadow|[Ss]urd|[Jj]ets?\b|[Nn]o_?[Pp]oint\b)\w*")
"""Names of our own for what docs/architecture.md has another word for."""
FORBIDDEN_NAMES = {"base", "common", "core", "helpers", "manager", "misc", "utils"}


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=name_of)
def test_files_are_read_in_one_sitting(path):
    most = 450 if path in SOURCES else 500
    assert len(path.read_text(encoding="utf-8").splitlines()) <= most


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_words_are_the_fields_own(path):
    found = INVENTED.search(path.read_text(encoding="utf-8"))
    assert found is None, found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_sources_are_finished(path):
    found = UNFINISHED.search(path.read_text(encoding="utf-8"))
    assert found is None, found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_sources_never_run_what_they_read(path):
    found = UNTRUSTED.search(path.read_text(encoding="utf-8"))
    if name_of(path) in PIPES:
        assert found[0] == "pickle.load"
        return
    assert found is None, found


def test_the_precision_of_flint_is_set_in_one_place():
    # it is global: `working_precision` makes other threads wait
    context = re.compile(r"flint[^\n]*\bctx\b|\bworkprec\b")
    found = [name_of(p) for p in SOURCES if context.search(p.read_text(encoding="utf-8"))]
    assert found == ["tamecheck/exact/reals.py"]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_are_named_after_what_they_hold(path):
    assert path.stem not in FORBIDDEN_NAMES
    assert path.parent.name not in FORBIDDEN_NAMES


@pytest.mark.parametrize(
    "path",
    [p for p in SOURCES if p.name == "__init__.py" and p.parent.name != "tamecheck"],
    ids=name_of,
)
def test_package_files_only_re_export(path):
    """At once, or a name when it is asked for: then types and `__getattr__` name them too."""
    allowed = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        lazy = (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING") or (
            isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
        )
        assert lazy or isinstance(node, allowed), f"line {node.lineno}"


def test_only_what_no_extra_installs_is_optional_in_tests():
    text = "".join(path.read_text(encoding="utf-8") for path in TESTS)
    assert set(re.findall(r"importorskip\(\s*\"(\w+)", text)) <= {"qonnx"}


def test_no_test_is_skipped_silently():
    skips = re.compile(r"pytest\.(mark\.)?(skip|xfail)\b|@unittest\.skip")
    for path in TESTS:
        if path != Path(__file__):
            found = skips.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{name_of(path)}: {found}"
