"""Cells and decision regions: what is counted and named, one coordinate, data that are wrong."""

import json

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cli import main
from tamecheck.plots import Points, draw_decision, plane_of
from tamecheck.plots.paint import REPEAT
from tamecheck.plots.plane import scores
from tamecheck.plots.results import draw_model


def figure(text, kind, box="-1:1", **options):
    model = tc.expression(text)
    return draw_model(model.graph, model.box(box), kind, **options)


def legend(picture):
    return [text.get_text() for text in picture.axes.get_legend().get_texts()]


@pytest.mark.slow
def test_cells_tell_how_many_there_are_and_that_colours_repeat():
    few = figure("max(min(x,-y), y-x)", "cells")
    assert legend(few) == ["4 cells, 3 maps", "same map (1)", "3 kinks"]
    assert REPEAT not in few.notes
    many = figure("floor(2*x)+floor(3*y)", "cells")
    assert "24 cells, 24 maps" in legend(many)
    assert REPEAT in many.notes
    assert "at least 2 cells" in legend(figure("exp(x)+abs(y)", "cells"))


@pytest.mark.parametrize(
    ("text", "cells", "maps"),
    [("abs(x)+floor(3*x)", 6, 6), ("relu(x)-relu(-x)", 2, 1), ("3", 1, 1), ("1/x+abs(x-.5)", 3, 3)],
)  # fmt: skip
def test_cells_of_one_input(text, cells, maps):
    counts = figure(f"{text}+0*x", "cells", "x=-1:1").counts
    assert (counts["cells"], counts["maps"]) == (cells, maps)


def test_decisions_of_one_input():
    picture = figure("abs(x)-1/2", "decision", "x=-1:1")
    assert (picture.counts["classes"], picture.counts["boundaries"]) == (2, 2)
    walls = [m.get_xdata()[0] for m in picture.axes.lines if m.get_linewidth() > 1]
    assert walls == [-0.5, 0.5]


def test_the_boundary_is_in_the_legend_and_exact():
    picture = figure("max(x-y, y/2)-1/3", "decision")
    assert "decision boundary" in legend(picture)
    (lines,) = [c for c in picture.axes.collections if type(c).__name__ == "LineCollection"]
    points = np.concatenate(lines.get_segments())
    assert np.abs(np.maximum(points[:, 0] - points[:, 1], points[:, 1] / 2) - 1 / 3).max() < 1e-12


def decide(tmp_path, capsys, table, *arguments):
    path = tmp_path / "data.csv"
    path.write_text(table, encoding="utf-8")
    given = ("decision", *arguments, "--data", str(path), "-o", str(tmp_path / "a.svg"))
    code = main(["plot", *given, "--json", "-q"])
    return code, json.loads(capsys.readouterr().out), (tmp_path / "a.svg").read_text()


ROWS = "0.5,0.5,good <b>1</b>\n-0.5,0.1,bad one\n0.7,-0.9,bad one\n-0.9,0.3,good <b>1</b>\n"


@pytest.mark.slow
def test_classes_have_the_tables_names_and_wrong_rows_are_marked(tmp_path, capsys):
    given = ("--expr", "x+y", "--box", "-1:1")
    code, document, svg = decide(tmp_path, capsys, ROWS, *given)
    assert code == 0
    assert document["class_names"] == ["bad one", "good <b>1</b>"]
    assert (document["points"], document["misclassified"]) == (4, 1)
    assert "misclassified (1 of 4)" in svg
    assert "<b>" not in svg
    # names on the command line go before; then labels that are no such names are not judged
    _, document, _ = decide(tmp_path, capsys, ROWS, *given, "--classes", "good <b>1</b>,bad one")
    assert document["misclassified"] == 3
    # a header in another order puts columns in their place
    _, document, svg = decide(tmp_path, capsys, f"y,x,kind\n{ROWS}", *given)
    assert document["misclassified"] == 1
    # a header of another width is none
    _, document, _ = decide(tmp_path, capsys, "a,b,c,x,y\n0.5,0.5,1\n", *given)
    assert (document["points"], document["misclassified"]) == (1, 0)
    # numbers are the classes themselves
    _, document, _ = decide(tmp_path, capsys, "0.5,0.5,1\n0.6,0.5,1\n0.2,0,0\n", *given)
    assert (document["class_names"], document["misclassified"]) == (["class 0", "class 1"], 1)


def test_names_of_columns_are_those_of_axes(tmp_path, capsys):
    rows = ROWS.replace(",good", ",0,good").replace(",bad", ",9,bad")
    given = ("--expr", "x1-x2+x3", "--box", "x1=-1:1,x2=0,x3=-1:1")
    table = f"width,my height,depth,kind\n{rows}"
    _, document, svg = decide(tmp_path, capsys, table, *given)
    assert all(name in svg for name in ("width", "depth"))
    # rows off the plane are judged where they are
    assert (document["points"], document["misclassified"]) == (4, 4)


def test_rows_off_the_plane_need_the_whole_model():
    model = tc.expression("x+y+10*z")
    plane = plane_of(model.graph, model.box("x=-1:1,y=-1:1,z=0"))
    rows = np.array([[0.5, 0.5, -1.0]])
    data = Points(rows[:, :2], ("1",), rows)
    assert draw_decision(plane, data=data).counts["misclassified"] == 0
    assert draw_decision(plane, data=data, whole=model.graph).counts["misclassified"] == 1


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("kind", ["field", "cells", "decision", "surface", "descent"])
def test_a_function_without_any_value_is_left_blank(kind):
    picture = figure("log(x-5)+0*y", kind)
    assert picture.counts["cells"] == 0 or kind == "surface"
    assert any("no value" in note for note in picture.notes) or kind == "surface"


@pytest.mark.parametrize("text", ["sigmoid(x);tanh(y)", "sigmoid(x);y", "atan(x);atan(y)", "x;y"])
def test_scores_are_compared_as_the_model_does(text):
    model = tc.expression(text)
    rows = np.array([[0.1, 0.3], [0.5, 0.2], [0.1, 0.7], [-0.9, 0.2]])
    said = [str(np.argmax(np.ravel(model.evaluate(*row)))) for row in rows]
    plane = plane_of(model.graph, model.box("-1:1"))
    assert draw_decision(plane, data=Points(rows, tuple(said))).counts["misclassified"] == 0


@pytest.mark.parametrize(
    ("text", "dropped", "alike"),
    [
        *(("atan(x-1)", ("atan",), True), ("exp(x)", (), True), ("x", (), True)),
        ("sigmoid(tanh(x))", ("sigmoid", "tanh"), True),
        ("tanh(sigmoid(x))", ("tanh", "sigmoid"), False),  # which is positive
    ],
)
def test_last_functions_that_keep_signs_are_left_out(text, dropped, alike):
    found = scores(tc.expression(text).graph)
    assert (found.dropped, found.alike) == (dropped, alike)
