"""The known traps of python-mip, pySMT and sympy, each with a test that we do not step in."""

import ast
import gzip
import json
import re
import subprocess
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from tamecheck.errors import InputError
from tamecheck.ir.answer import Optimal, Unbounded
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.loaders.programs.json_program import program_from_json
from tamecheck.programs import read, solve, write
from tamecheck.solvers import worker
from tamecheck.solvers.claims import claims

F = Fraction
TRAPS = re.compile(r"\b(mip|ortools|pysmt|sympy)\b")
NAN, INF = float("nan"), float("inf")
SOURCES = sorted((Path(__file__).parents[2] / "tamecheck").rglob("*.py"))
LP = "max\n obj: 2 x + y\nst\n c: 3 x + 2 y <= 7\nend\n"
MPS = "NAME t\nROWS\n N obj\n L c\nCOLUMNS\n x obj 1 c 1\nRHS\n RHS c 4\nENDATA\n"


@cache
def trees():
    """Every source that names a library with traps as a tree, with the modules that it imports."""
    texts = [(path, path.read_text(encoding="utf-8")) for path in SOURCES]
    read = [(path, ast.parse(text)) for path, text in texts if TRAPS.search(text)]
    assert read
    return [(path, tree, frozenset(_imported(tree))) for path, tree in read]


def _imported(tree):
    """The modules that a source imports, at the top or where they are used, also by name."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if "import" in ast.unparse(
                node.func
            ):
                yield name


@pytest.mark.parametrize("bad", ["nan", "NaN", "-nan"])
@pytest.mark.parametrize(("number", "line"), [("2 x", 2), ("3 x", 4), ("7", 4), ("9", 6)])
def test_no_reader_of_lp_takes_nan(tmp_path, number, line, bad):
    text = LP.replace("end", "bounds\n x <= 9\nend")
    path = tmp_path / "p.lp"
    path.write_text(text.replace(f" {number}", f" {bad}{number[1:]}"))
    with pytest.raises(InputError, match=rf"p\.lp:{line}: .*no number"):
        read(path)


def test_a_row_may_be_called_nan(tmp_path):
    row = Row("nan", ((0, F(2)),), F(1))
    write(Program((Column("x"),), (row,)), tmp_path / "p.lp")
    assert read(tmp_path / "p.lp").rows == (row,)


@pytest.mark.parametrize("old", ["obj 1", "c 1\n", "c 4"])
@pytest.mark.parametrize("bad", ["nan", "NaN", "-nan"])
def test_no_reader_of_mps_takes_nan(tmp_path, old, bad):
    assert old in MPS
    path = tmp_path / "p.mps"
    path.write_text(MPS.replace(old, re.sub(r"\d", bad, old)))
    with pytest.raises(InputError, match=r"p\.mps"):
        read(path)


@pytest.mark.parametrize("bad", [NAN, INF, "nan", "inf"])
def test_no_reader_of_json_takes_nan(bad):
    document = Program((Column("x"),), ()).document()
    document["columns"][0]["cost"] = bad
    with pytest.raises(InputError, match=r"f\.json"):
        program_from_json(json.dumps(document), where="f.json")


@pytest.mark.parametrize("bad", [NAN, INF, 0.5])
@pytest.mark.parametrize("place", ["cost", "lower", "upper", "term", "row", "constant"])
def test_a_program_takes_no_float(bad, place):
    def number(name):
        return bad if name == place else F(1)

    column = Column("x", number("lower"), number("upper"), cost=number("cost"))
    row = Row("r", ((0, number("term")),), None, number("row"))
    with pytest.raises(InputError, match="rational"):
        Program((column,), (row,), constant=number("constant"))


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("p.lp", LP.replace("<=", "<= <="), 4),
        ("p.lp", LP.replace("st\n", "st\n d: x + + + <= 1\n"), 4),
        ("p.mps", MPS.replace("x obj", "x nowhere"), 6),
        ("p.mps", MPS.replace("ENDATA\n", "BOUNDS\n UP B z 1\nENDATA\n"), 10),
        ("p.mps", MPS.replace(" L c", " Q c"), 4),
    ],
)
def test_malformed_files_are_refused_with_their_line(tmp_path, name, text, line):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rf"{re.escape(name)}:{line}\b"):
        read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".lp", ".mps", ".json"])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_written_files_keep_every_digit_the_sense_and_their_name(tmp_path, suffix, packed):
    digits = F("1.234567890123456789")
    columns = (Column("x", F(0), F(10**17 + 1), cost=digits), Column("y", cost=F(1, 3)))
    program = Program(columns, (Row("r", ((0, 1 / digits),), None, digits),), Sense.MAXIMISE)
    path = tmp_path / f"q{suffix}{packed}"
    write(program, path)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert read(path) == program
    assert read(path).sense is Sense.MAXIMISE
    if packed:
        assert gzip.decompress(path.read_bytes())


@pytest.mark.parametrize("objective", [1.1e19, -3e20])
def test_an_objective_beyond_all_sense_is_a_claim_of_unboundedness(objective):
    assert worker._answer("optimal", [1.0], objective, "")["status"] == "unbounded"
    assert worker._answer("optimal", [1.0], NAN, "")["status"] == "unknown"
    assert worker._answer("optimal", [1.0], 9e18, "")["status"] == "optimal"


def test_an_unbounded_maximum_is_found_in_the_file_too(tmp_path):
    (tmp_path / "p.lp").write_text("max\n x\nst\n c: x >= 1\nend\n")
    assert isinstance(solve(read(tmp_path / "p.lp")).answer, Unbounded)


@pytest.mark.slow
def test_no_multipliers_are_asked_of_python_mip():
    # they are None after a MIP: every multiplier of a proof is computed by our own simplex
    for path, tree, imported in trees():
        if "mip" in imported:
            asked = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            assert not asked & {"pi", "rc", "slack"}, path


def test_a_mixed_program_is_proved_without_the_solvers():
    columns = tuple(Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(-j - 3)) for j in range(6))
    row = Row("r", tuple((j, F(2 * j + 5)) for j in range(6)), None, F(21))
    answer = solve(Program(columns, (row,)), certify=True, solvers=()).answer
    assert isinstance(answer, Optimal)
    assert answer.certificate is not None


def test_a_child_that_logs_answers_with_json_only():
    # an LP: CBC logs these to descriptor 1 whatever its verbosity
    program = Program((Column("x", F(0), F(3), cost=F(-1)),), (Row("r", ((0, F(2)),), None, F(1)),))
    question = {
        "seconds": 30, "seed": 0, "memory": 2**34, "solver": "cbc",
        "columns": [{"lower": 0.0, "upper": 3.0, "cost": -1.0, "integral": False}],
        "rows": [{"lower": None, "upper": 1.0, "terms": [[0, 2.0]]}],
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tamecheck.solvers.worker"],
        input=json.dumps(question).encode(),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["point"] == [0.5]
    assert all(isinstance(claim, Optimal) for claim in claims(program, seconds=30))


def test_solving_loads_neither_mip_nor_ortools_into_our_process():
    program = """
import sys
from fractions import Fraction as F
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.solvers.claims import claims
p = Program((Column("x", F(0), F(3), Kind.INTEGER, F(-1)),), ())
print([type(c).__name__ for c in claims(p, seconds=30)], {"mip", "ortools"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"['Optimal', 'Optimal'] set()\n"


@pytest.mark.slow
def test_no_module_imports_ortools():
    for path, _, imported in trees():
        assert not [name for name in imported if name.split(".")[0] == "ortools"], path


@pytest.mark.slow
def test_every_question_to_pysmt_names_its_logic():
    asking = {"Solver", "UnsatCoreSolver", "get_model", "is_sat", "is_unsat", "is_valid", "qelim"}
    for path, tree, imported in trees():
        if not any(name.split(".")[0] == "pysmt" for name in imported):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                named = {keyword.arg for keyword in node.keywords}
                assert name not in asking or "logic" in named, f"{path}:{node.lineno}"


@pytest.mark.slow
def test_sympy_is_never_given_text_to_evaluate():
    evaluating = {"parse_expr", "sympify", "S"}
    for path, tree, imported in trees():
        if not any(name.split(".")[0] == "sympy" for name in imported):
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
                    assert name not in evaluating, f"{path}:{node.lineno}"
