"""Subgradient descent: its steps, where it ends, and critical points that are proved."""

import json
import random
from fractions import Fraction as Q

import numpy as np
import pytest
from scipy.optimize import linprog

import tamecheck as tc
from tamecheck.cli import main
from tamecheck.errors import InputError
from tamecheck.plots.results import draw_model

pytestmark = pytest.mark.usefixtures("coarse")


def descent(text, box="-1:1", **options):
    model = tc.expression(text)
    return draw_model(model.graph, model.box(box), "descent", **options)


def test_steps_are_those_of_the_gradient_and_paths_end_for_a_reason():
    picture = descent("x^2/2+y", starts=[[Q(1), Q(1, 2)]], rate=0.25, steps=3)
    (path,) = [m for m in picture.axes.lines if m.get_marker() == "o" and len(m.get_xdata()) > 1]
    assert np.allclose(path.get_xydata(), [[1, 0.5], [0.75, 0.25], [0.5625, 0], [0.421875, -0.25]])
    assert picture.facts["ends"][0]["why"] == "3 steps done"
    picture = descent("0*x+y", starts=[[Q(0), Q(0)]], rate=0.4)
    assert picture.facts["ends"] == [{"at": [0, -1], "why": "left the figure"}]
    picture = descent("max(x,0)+0*y", starts=[[Q(-1, 2), Q(0)]], rate=0.4)
    assert picture.facts["ends"][0]["why"] == "the gradient is 0"
    picture = descent("log(x)+0*y", starts=[[Q(1, 2), Q(0)], [Q(-1, 2), Q(0)]], rate=0.4)
    assert [end["why"] for end in picture.facts["ends"]] == ["no gradient", "no gradient"]
    one, two = (
        descent("x+0*y", starts=[[Q(1), Q(0)]], rate=0.1, steps=9, diminishing=d) for d in (0, 1)
    )
    assert one.facts["ends"][0]["at"][0] < two.facts["ends"][0]["at"][0]


@pytest.mark.parametrize(
    ("text", "points", "segments", "cells"),
    [
        ("max(abs(x), 2*abs(y)-x/2)", [["0", "0"]], 0, 0),
        ("abs(x)+0*y", [], 1, 0),
        ("max(abs(x)+abs(y)-1/2, 0)", [], 0, 4),
        ("abs(x)-abs(y)", [["0", "0"]], 0, 0),
        ("x+y", [], 0, 0),
        ("abs(x)+y", [], 0, 0),
        ("sign(x)+abs(y)", [], 2, 0),
        ("x*step(y)+abs(y)", [], 0, 0),
        ("abs(x-1/3)*exp(y)+y^2", [["1/3", "0"]], 0, 0),
    ],
)
def test_critical_points_by_hand(text, points, segments, cells):
    facts = descent(text, steps=1)
    assert facts.facts["critical"] == points
    assert (facts.counts["critical_segments"], facts.counts["critical_cells"]) == (segments, cells)


@pytest.mark.slow
def test_the_critical_points_of_a_maximum_of_affine_functions_are_its_least_points():
    generator = random.Random(5)
    for _ in range(6):
        rows = [[generator.randint(-4, 4) for _ in range(3)] for _ in range(4)]
        terms = ",".join(f"{a}*x+{b}*y+{c}/4" for a, b, c in rows)
        pieces = np.array(rows) / [1, 1, 4]
        least = linprog(
            [0, 0, 1], A_ub=np.column_stack([pieces[:, :2], -np.ones(4)]), b_ub=-pieces[:, 2],
            bounds=[(-1, 1), (-1, 1), (None, None)],
        )  # fmt: skip
        picture = descent(f"max({terms})", steps=1)
        ends = [point for pair in picture.facts["critical_on"] for point in pair]
        for point in [*picture.facts["critical"], *ends]:
            x, y = map(float, map(Q, point))
            assert max(pieces @ [x, y, 1]) == pytest.approx(least.fun)
        inner = least.status == 0 and np.abs(least.x[:2]).max() < 1 - 1e-6
        found = picture.counts
        marks = found["critical_points"] + found["critical_segments"] + found["critical_cells"]
        assert marks or not inner


@pytest.mark.slow
def test_the_command_takes_starts_and_a_rate(capsys, tmp_path):
    given = ["--expr", "abs(x)+y^2", "--box", "-1:1", "--at", "x=1/2,y=1/2", "--at", "x=-1,y=1"]
    out = str(tmp_path / "a.svg")
    assert (
        main(["plot", "descent", *given, "--rate", "0.1", "--steps", "5", "-o", out, "--json"]) == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["paths"], document["steps"]) == ("descent", 2, 10)
    assert document["critical"] == [["0", "0"]]
    assert main(["plot", "descent", *given, "--rate", "nan", "-o", out]) == 2
    assert main(["plot", "descent", *given, "--steps", "0", "-o", out]) == 2
    with pytest.raises(InputError, match="2 coordinates"):
        descent("abs(x)", "x=-1:1")
