"""Every source file is of readable size, finished, and free of what the project does not do."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tamecheck.ops import BY_NAME

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


def text_of(path):
    return path.read_text(encoding="utf-8")


def found_in(paths, pattern):
    """Where a pattern is found, by file."""
    found = {name_of(path): pattern.search(text_of(path)) for path in paths}
    return {name: match[0] for name, match in found.items() if match}


def test_files_are_read_in_one_sitting():
    lines = {path: len(text_of(path).splitlines()) for path in SOURCES + TESTS}
    sources = set(SOURCES)
    assert [name_of(p) for p, n in lines.items() if n > (450 if p in sources else 500)] == []


def test_words_are_the_fields_own():
    assert found_in(SOURCES, INVENTED) == {}


def test_sources_are_finished():
    assert found_in(SOURCES, UNFINISHED) == {}


def test_sources_never_run_what_they_read():
    assert found_in(SOURCES, UNTRUSTED) == dict.fromkeys(PIPES, "pickle.load")


def test_the_precision_of_flint_is_set_in_one_place():
    # it is global: `working_precision` makes other threads wait
    context = re.compile(r"flint[^\n]*\bctx\b|\bworkprec\b")
    found = [name_of(p) for p in SOURCES if context.search(p.read_text(encoding="utf-8"))]
    assert found == ["tamecheck/exact/reals.py"]


def test_modules_are_named_after_what_they_hold():
    names = {name for path in SOURCES for name in (path.stem, path.parent.name)}
    assert names & FORBIDDEN_NAMES == set()


def names_of(path):
    """What a module defines by name."""
    for node in ast.parse(text_of(path)).body:
        for target in (
            node.targets if isinstance(node, ast.Assign) else [node, getattr(node, "target", node)]
        ):
            name = getattr(target, "id", getattr(target, "name", "__"))
            if not name.startswith("__"):
                yield name


def test_every_name_of_a_module_is_read():
    """A private one by its module, another one by some file of the repository."""
    words = {path: Counter(re.findall(r"\w+", text_of(path))) for path in SOURCES + TESTS}
    every = Counter()
    for found in words.values():
        every.update(found)
    unread = [
        f"{name_of(path)}: {name}"
        for path in SOURCES
        for name in names_of(path)
        if (words[path] if name.startswith("_") else every)[name] < 2
    ]
    assert unread == []


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
            # slow tests end at a time that CI sets
            text = path.read_text(encoding="utf-8").replace(OUT_OF_TIME, "", 1)
            found = skips.search(text)
            assert found is None, f"{name_of(path)}: {found}"


OUT_OF_TIME = """\
    if time.time() > UNTIL and _is_slow(item):
        pytest.skip("""


OTHER_WORDS = {
    *("abs", "acos", "acosh", "add", "argmax", "argmin", "asin", "asinh", "atan", "atanh", "cos"),
    *("cosh", "div", "equal", "erf", "exp", "floor", "log", "maximum", "minimum", "pad", "power"),
    *("relu", "round", "sigmoid", "sign", "sin", "sinh", "slice", "sqrt", "step", "sum", "tan"),
    "tanh",
}
"""Names of ops that are also words of rules, styles, messages or symbols."""
WRITTEN = {"tamecheck/certificates.py", "tamecheck/verification/split_pieces.py"}
"""What reads or writes the words of a kernel, which knows ops by their names."""


def names_of_ops(path):
    """The strings in a file that name ops: words of no other kind, or what an op is compared with.

    ``leaky_relu`` is a facet of its pieces everywhere but in its record, so that a new op need not
    be entered in any list.
    """
    tree = ast.parse(text_of(path))
    asked = re.compile(r"\bop(\.name)?$|\bop_name$")
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others):
                strings = (
                    [*ast.walk(node)]
                    if any(map(asked.search, map(ast.unparse, [left, *others])))
                    else []
                )
            case ast.Match(subject=subject) if asked.search(ast.unparse(subject)):
                strings = [part for case in node.cases for part in ast.walk(case.pattern)]
            case ast.Subscript(value=ast.Name("BY_NAME") | ast.Attribute(attr="BY_NAME")):
                strings = [node.slice]
            case ast.Constant(value=str(word)) if word not in OTHER_WORDS:
                strings = [node]
            case _:
                strings = []
        for found in strings:
            if isinstance(found, ast.Constant) and found.value in BY_NAME:
                yield f"line {found.lineno}: {found.value}"


def test_ops_are_named_in_their_records_the_kernels_and_the_loaders_only():
    rooms = ("ops", "kernel", "kernel_mip", "kernel_bnn", "kernel_pwl", "loaders")
    elsewhere = [p for p in SOURCES if p.relative_to(ROOT / "tamecheck").parts[0] not in rooms]
    found = {name_of(path): [*names_of_ops(path)] for path in elsewhere}
    assert {name: lines for name, lines in found.items() if lines and name not in WRITTEN} == {}
    assert [*names_of_ops(ROOT / "tamecheck" / "ops" / "piecewise.py")]
