"""Figures of value functions: pieces, jumps and dual functions beside them."""

import json
from fractions import Fraction as Q

import pytest
from corpus import script

from tamecheck.cli.entry import main
from tamecheck.duality import dual
from tamecheck.duality.value.dual import value_along
from tamecheck.plots import bound_of
from tamecheck.programs import read_file

KINKED = script("docs/make_pictures.py").PLAN
# two units cost 3, three units 5, and at most three items: nothing above 9
JUMPING = """\
Minimize
 o: 3 x + 5 y
Subject To
 r: 2 x + 3 y >= 2
 s: x + y <= 3
General
 x y
End
"""


@pytest.fixture
def drawn(tmp_path, capsys):
    def draw(text, *arguments):
        source, figure = tmp_path / "p.lp", tmp_path / "f.svg"
        source.write_text(text)
        code = main(["plot", "value", str(source), *arguments, "-o", str(figure), "--json"])
        captured = capsys.readouterr()
        answer = json.loads(captured.out) if code in {0, 3} else captured.err
        return code, answer, figure

    return draw


def test_kinks_and_a_tree_dual_below(drawn):
    code, answer, figure = drawn(KINKED, "--box", "r=-2:4", "--method", "tree")
    assert code == 0
    assert (answer["pieces"], answer["kinks"], answer["jumps"], answer["gaps"]) == (11, 10, 0, 0)
    assert "<svg" in figure.read_text()
    assert answer["dual"]["strong"] is True
    points = {Q(t): Q(value) for t, value in answer["dual"]["points"]}
    assert points[Q(3, 2)] == Q(3, 2)
    value = value_along(read_file(str(figure.with_name("p.lp"))).program, "r", Q(-2), Q(4))
    assert len(points) >= 241
    assert all(bound <= value(t) for t, bound in points.items())


def test_jumps_and_what_is_infeasible(drawn):
    code, answer, _ = drawn(JUMPING, "--box", "r=0:12")
    assert code == 0
    # z jumps after 0, 2, 3, ..., 8, and there is no point above 9
    assert (answer["jumps"], answer["gaps"]) == (8, 1)


@pytest.mark.slow
def test_other_right_hand_sides_move(drawn):
    code, answer, _ = drawn(JUMPING, "--box", "r=0:12", "--at", "s=4", "--method", "chvatal")
    assert code == 0
    assert (answer["jumps"], answer["gaps"]) == (11, 0)


@pytest.mark.slow
def test_all_dual_functions_beside_the_value_function(tmp_path):
    source = tmp_path / "q.lp"
    source.write_text(KINKED)
    figure = tmp_path / "g.svg"
    assert main(["plot", "duals", str(source), "--box", "r=-2:4", "-o", str(figure)]) == 0
    text = figure.read_text()
    for words in (
        "tree dual, strong",
        "gomory dual, strong",
        "chvatal dual, strong",
        "program's own",
    ):
        assert words in text
    value = value_along(read_file(str(source)).program, "r", Q(-2), Q(4))
    for method in ("tree", "chvatal", "gomory", "generator"):
        bound = bound_of(dual(read_file(str(source)).program, method), value)
        assert bound.own == Q(3, 2)
        points = dict(bound.points)
        assert all(height <= value(t) for t, height in points.items())
        assert points[Q(3, 2)] == value(Q(3, 2)) or not bound.strong


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "needs a row and an interval"),
        (("--box", "r=1"), "no row with an interval"),
        (("--box", "q=0:1"), "no right-hand side 'q'"),
        (("--box", "r=1:1"), "no interior"),
        (("--box", "r=20:30"), "no optimum"),
        (("--box", "r=0:1", "--at", "q=3"), "no right-hand side 'q'"),
        (("--slice", "f.json"), "no such domain"),
    ],
)
def test_bad_input_is_one_line(drawn, arguments, words):
    code, error, _ = drawn(JUMPING, *arguments)
    assert code == 2
    assert words in error
    assert error.count("\n") == 1


def test_a_complex_draws_itself(tmp_path):
    source = tmp_path / "p.lp"
    source.write_text(JUMPING)
    program = read_file(str(source)).program
    pieces = value_along(program, "r", Q(0), Q(12))
    axes = pieces.plot(bound=dual(program, "tree"))
    assert axes.get_xlabel() == "r"
    assert "dual function: tree" in [text.get_text() for text in axes.get_legend().get_texts()]
