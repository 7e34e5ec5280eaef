"""Tools disagree: witnesses are judged exactly, the truth is verified, and tables are read."""

import json
import re
from fractions import Fraction

import pytest

import tamecheck as tc
from tamecheck.cli import main
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.show.answers import referee_lines
from tamecheck.verification.referee import Said, answers_in, check_witness, markdown, referee

HEAD = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)"
BOX = "".join(f"(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in (0, 1))
MODEL = "relu(x) + relu(y)"


def spec_of(condition):
    return parse_vnnlib(f"{HEAD}{BOX}(assert {condition})")


def said(answer, *witness, name="tool"):
    return Said(name, answer, tuple(map(Fraction, witness)) or None)


@pytest.mark.parametrize(
    ("condition", "truth"), [("(>= Y_0 2.5)", "holds"), ("(>= Y_0 1.5)", "violated")]
)
def test_without_witnesses_the_property_is_verified(condition, truth):
    model = tc.expression(MODEL)
    found = referee(model, spec_of(condition), [said("sat"), said("unsat"), said("timeout")])
    assert found.truth == truth
    assert [one.right for one in found.tools] == [truth == "violated", truth == "holds", None]
    assert found.rests_on is not None


def test_an_exact_witness_settles_it():
    model = tc.expression(MODEL)
    found = referee(
        model, spec_of("(>= Y_0 1.5)"), [said("unsat"), said("sat", 1, "1/2", name="b")]
    )
    assert found.truth == "violated"
    assert found.answer is None
    assert found.rests_on == "replay"
    assert "b" in found.reason
    assert [one.right for one in found.tools] == [False, True]


@pytest.mark.parametrize(
    ("point", "exact", "misses"),
    [
        ((1, "1/2"), True, 0.0),
        ((1, "3/8"), False, 0.125),  # the output is too small
        (("5/4", 1), False, 0.25),  # outside of the box
        (("-9/8", 1), False, 0.5),  # outside by 1/8, and the output is too small by 1/2
        ((1,), False, None),  # of another size
    ],
)
def test_a_witness_misses_by_what_has_to_be_relaxed(point, exact, misses):
    graph = tc.expression(MODEL).graph
    found = check_witness(graph, spec_of("(>= Y_0 1.5)"), [Fraction(v) for v in point], None)
    assert found.exact is exact
    assert found.misses_by == misses


def test_an_integer_is_missed_by_the_distance_to_one():
    graph = tc.expression("relu(x)").graph
    spec = parse_vnnlib(
        "(vnnlib-version <2.0>)(declare-network f (declare-input X int8 [1])"
        "(declare-output Y Real [1]))(assert (>= Y[0] 1.5))"
    )
    found = [check_witness(graph, spec, [Fraction(v)], None) for v in (2, "7/4", 200)]
    assert [(one.exact, one.misses_by) for one in found] == [(True, 0), (False, 0.25), (False, 73)]


def test_of_several_cases_the_nearest_counts():
    graph = tc.expression(MODEL).graph
    spec = spec_of("(or (>= Y_0 1.5) (<= Y_0 -1))")
    assert check_witness(graph, spec, [Fraction(1), Fraction(1, 4)], None).misses_by == 0.25
    assert check_witness(graph, spec, [Fraction(-1), Fraction(-1)], None).misses_by == 1


def test_a_strict_inequality_is_missed_by_nothing():
    graph = tc.expression(MODEL).graph
    found = check_witness(graph, spec_of("(> Y_0 2)"), [Fraction(1)] * 2, None)
    assert found.exact is False
    assert found.misses_by == 0


def test_outputs_that_are_no_rationals_are_enclosed():
    graph = tc.expression("exp(x) + y").graph
    near, far = ([Fraction(1), Fraction(v)] for v in (1, 0))
    assert check_witness(graph, spec_of("(>= Y_0 3.7)"), near, None).exact is True
    found = check_witness(graph, spec_of("(>= Y_0 3.7)"), far, None)
    assert found.exact is False
    assert found.misses_by == pytest.approx(3.7 - 2.718281828459045)


def test_a_witness_that_no_tool_found_is_ours():
    found = referee(tc.expression(MODEL), spec_of("(>= Y_0 1.5)"), [said("sat", 1, 0)])
    assert found.truth == "violated"
    assert "No tool's witness" in found.reason
    assert found.tools[0].right is True
    assert found.tools[0].witness.exact is False


CSV = """acasxu,./onnx/net.onnx.gz,./vnnlib/p.vnnlib,1.2,sat,3.4
acasxu,./onnx/net.onnx,./vnnlib/q.vnnlib,1.2,unsat,3.4
acasxu,./onnx/other.onnx,./vnnlib/p.vnnlib,1.2,timeout,3.4
"""


def test_a_table_of_results_gives_the_rows_of_the_instance(tmp_path):
    folder = tmp_path / "marabou"
    folder.mkdir()
    path = folder / "results.csv"
    path.write_text(CSV)
    found = list(answers_in(path, model="a/net.onnx", spec="b/p.vnnlib.gz", size=2))
    assert found == [Said("marabou", "sat")]
    found = list(answers_in(path, model="net.onnx", spec="q.vnnlib", size=2, name="M"))
    assert found == [Said("M", "unsat")]
    with pytest.raises(tc.InputError, match="says nothing"):
        list(answers_in(path, model="net.onnx", spec="r.vnnlib", size=2))


def test_rows_of_another_benchmark_are_of_another_instance(tmp_path):
    path = tmp_path / "results.csv"
    ours, other = (f"{name},onnx/m.onnx,vnnlib/p.vnnlib,1," for name in ("ours", "other"))
    path.write_text(f"{ours}run_instance_timeout,9\r\n{other}sat,1\r\n{ours}error_exit_1,2\r\n")

    def words(model):
        return [one.answer for one in answers_in(path, model=model, spec="p.vnnlib", size=1)]

    assert words("data/ours/onnx/m.onnx") == ["timeout", "error"]
    assert words("other/m.onnx") == ["sat"]
    assert words("m.onnx") == ["timeout", "sat", "error"]


def test_an_assignment_of_a_query_is_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(
        "sat\r\nX_0 real [1,1]\r\n0.5\r\nB int8 []\r\n-1\r\nY real [1]\r\n[2 +/- 1]\r\n"
    )
    (found,) = answers_in(path, model="m", spec="s", size=2)
    assert found.witness == (Fraction(1, 2), -1)


def test_what_misses_by_more_than_a_float_is_finite():
    found = check_witness(
        tc.expression(MODEL).graph, spec_of("(>= Y_0 1)"), [Fraction(10) ** 400, Fraction(0)], None
    )
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["misses_by"] > 1e308


@pytest.mark.parametrize("head", ["sat\n", "", "violated\n"])
def test_a_counterexample_is_read_exactly(tmp_path, head):
    path = tmp_path / "tool.counterexample"
    path.write_text(f"{head}((X_0 0.1)\n(X_1 -2.5e-1)\n(Y_0 7))\n")
    (found,) = answers_in(path, model="m", spec="s", size=2)
    assert found == Said("tool.counterexample", "sat", (Fraction(1, 10), Fraction(-1, 4)))


def test_our_own_answer_is_read(tmp_path):
    answer = tc.verify(tc.expression(MODEL), spec_of("(>= Y_0 1.5)"))
    path = tmp_path / "ours.json"
    path.write_text(json.dumps(answer.to_json()))
    (found,) = answers_in(path, model="m", spec="s", size=2)
    assert found.answer == "sat"
    assert found.witness == answer.witness.inputs


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sat\n((X_0 1)(X_2 1))", "2 of 2"),
        ("sat\n((X_0 1))", "1 of 2"),
        ("sat\n((X_0 nan)(X_1 0))", "'nan' for X_0, which is no number"),
        ("sat\n((X_0 [1])(X_1 0))", r"'\[1\]' for X_0"),
        ("sat\n((X_0 )(X_1 0))", "'' for X_0"),
        ("sat\n((X_0 1)(X_0 2)(X_1 0))", "two values of X_0"),
        ("sat\nX real [1]\n0.5\nY real [2]\n0.5\n1\n", "3 of 2"),
        ("sat\nX real [2]\n0.5\ninf\n", "'inf' for X"),
        ('{"verdict": "violated", "witness": {"input": ["1/0"]}}', "'1/0' has denominator 0"),
        ('{"verdict": "violated", "witness": {"input": [NaN, 1]}}', "nan"),
        ('{"verdict": "violated", "witness": {"input": [1]}}', "1 of 2"),
    ],
)
def test_a_witness_that_is_no_input_is_listed_with_the_reason(tmp_path, text, words):
    path = tmp_path / "answer.txt"
    path.write_text(text)
    said = list(answers_in(path, model="m", spec="s", size=2))
    assert [one.answer for one in said] == ["sat"]
    found = referee(tc.expression(MODEL), spec_of("(>= Y_0 1.5)"), said)
    (judged,) = found.tools
    assert found.truth == "violated"
    assert judged.witness.exact is False
    assert re.search(words, judged.to_json()["witness"]["reason"])
    assert re.search(words, markdown(found, "title"))
    assert re.search(words, "\n".join(referee_lines(found)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"verdict": "maybe"}', "no answer of verify"),
        ('{"verdict": "violated", "witness": {"input": 1}}', "no answer of verify"),
        ("", "says nothing"),
        ("maybe\n", "says nothing"),
    ],
)
def test_damaged_answers_are_refused(tmp_path, text, words):
    path = tmp_path / "answer.txt"
    path.write_text(text)
    with pytest.raises(tc.InputError, match=words):
        list(answers_in(path, model="m", spec="s", size=2))


def test_the_command_line_prints_and_writes_one_table(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "p.vnnlib"
    spec.write_text(f"{HEAD}{BOX}(assert (>= Y_0 1.5))")
    (tmp_path / "a.txt").write_text("sat\n((X_0 1)(X_1 0.499))\n")
    (tmp_path / "b.txt").write_text("unsat\n")
    arguments = ["referee", "--expr", MODEL, "p.vnnlib", "--answers", "A=a.txt", "b.txt"]
    assert main([*arguments, "--json", "-o", "table.md"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["truth"] == "violated"
    first, second = answer["tools"]
    assert first == {
        "name": "A",
        "answer": "sat",
        "right": True,
        "witness": {"exact": False, "float32": None, "misses_by": 0.001, "reason": None},
    }
    assert (second["name"], second["right"], second["witness"]) == ("b.txt", False, None)
    table = (tmp_path / "table.md").read_text()
    assert "| A | sat | yes | no | - | 0.001 |" in table
    assert main([*arguments, "-o", "table.md"]) == 0
    printed = capsys.readouterr().out
    assert "A: sat, right; its witness is not one in exact arithmetic" in printed
    assert "b.txt: unsat, WRONG" in printed
