"""The verb ``dual``: keys of the JSON answer, exit codes, errors on one line."""

import json
import math
from fractions import Fraction

import pytest
from corpus import script, written

from tamecheck.cli.entry import main

PROGRAM = script("docs/make_pictures.py").PLAN
KEYS = {
    *("optimum", "dual_value", "strong", "checks", "formula", "at", "slope", "definability"),
}


@pytest.fixture
def program(tmp_path):
    return written(tmp_path / "p.lp", PROGRAM)


def answer(capsys, *arguments):
    code = main(["dual", *arguments, "--json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out)


@pytest.mark.parametrize("method", ["tree", "value"])
def test_keys_of_the_answer(program, capsys, method):
    code, found = answer(capsys, program, "--method", method, "--at", "r=-1/4")
    assert code == 0
    assert found.keys() >= KEYS
    assert {"columns", "at_zero", "subadditive", "at_b"} <= found["checks"].keys()
    assert (found["optimum"], found["dual_value"], found["strong"]) == ("3/2", "3/2", True)
    assert found["rests_on"] == "recomputation"
    assert found["definability"]["box"]["verdict"] == "tame"
    if method == "value":
        assert found["at"] == "1/4"
        assert found["slope"]["vertices"] == [["-1"]]


def test_pieces_on_a_box(program, capsys):
    code, found = answer(capsys, program, "--method", "value", "--box", "r=-3/2:7/2")
    assert code == 0
    places = ["-1", "0", "1/2", "1", "3/2", "2", "5/2", "3"]
    assert found["complex"]["breakpoints"] == places


def test_jump_is_named_where_there_is_no_slope(tmp_path, capsys):
    path = tmp_path / "jump.lp"
    path.write_text("Minimize\n o: 3 x\nSubject To\n r: 2 x >= 2\nGeneral\n x\nEnd\n")
    code, found = answer(capsys, str(path), "--method", "value")
    assert code == 0
    assert found["slope"] is None
    assert "jumps at r = 2" in found["slope_why"]


def test_text_and_quiet(program, capsys):
    assert main(["dual", program]) == 0
    text = capsys.readouterr().out
    assert "STRONG" in text
    assert "max(" in text
    assert main(["dual", program, "-q"]) == 0
    assert capsys.readouterr().out == "3/2 strong\n"


def test_infeasible_program_has_exit_code_1(tmp_path, capsys):
    path = tmp_path / "none.lp"
    path.write_text("Minimize\n o: x\nSubject To\n r: 2 x = 1\nBounds\n x <= 4\nGeneral\n x\nEnd\n")
    code, found = answer(capsys, str(path))
    assert code == 1
    assert "infeasible" in found["error"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--at", "q=1"], "no right-hand side 'q'"),
        (["--at", "r"], "no right-hand side"),
        (["--at", "r=1,r=2"], "two right-hand sides"),
        (["--at", "r=one"], "--at, 'r=one': 'one' is not a number"),
        (["--method", "value", "--box", "r=1"], "no row with an interval"),
        (["--box", "r=0:1"], "belongs to the method"),
    ],
)
def test_bad_input_is_one_line(program, capsys, arguments, words):
    assert main(["dual", program, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert words in captured.err


def test_answer_is_written_to_a_file(program, tmp_path, capsys):
    target = tmp_path / "answer.json"
    assert main(["dual", program, "-q", "-o", str(target)]) == 0
    capsys.readouterr()
    assert json.loads(target.read_text())["strong"] is True


@pytest.mark.parametrize("method", ["tree", "chvatal"])
def test_a_formula_gives_the_value_in_the_programs_own_objective(tmp_path, capsys, method):
    # a maximum with columns that begin elsewhere, so that the normal form has a constant
    path = tmp_path / "maximum.lp"
    path.write_text(
        "Maximize\n o: 3 x + 2 y\nSubject To\n r: 2 x + 3 y <= 7.5\n s: x - y >= -2\n"
        "Bounds\n 1 <= x <= 4\n -1 <= y\nGeneral\n x\n y\nEnd\n"
    )
    _, found = answer(capsys, str(path), "--method", method)
    scale = {key: Fraction(value) for key, value in found["formula_scale"].items()}
    text = found["formula"].replace("x.upper", "4").replace("ceil", "math.ceil")
    sides = {"r": Fraction(15, 2), "s": Fraction(-2), "max": max, "min": min, "math": math}
    value = eval(text, {"__builtins__": {}}, sides)
    assert scale == {"factor": -1, "constant": 1}
    # the floats of 1/2 are exact
    assert scale["factor"] * Fraction(value).limit_denominator(1000) + scale[
        "constant"
    ] == Fraction(found["dual_value"])
    assert main(["dual", str(path), "--method", method]) == 0
    assert "F = -f + 1, f = " in capsys.readouterr().out
