"""Figures show what is there: counts by hand, names as they are, equal bytes."""

import json
import sys
from fractions import Fraction
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.figure
import matplotlib.image
import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cells import cells, slice_of_points
from tamecheck.cli import main
from tamecheck.derivative import jacobian
from tamecheck.errors import InputError
from tamecheck.plots import draw_derivation, draw_jacobian, draw_value, plane_of
from tamecheck.plots.canvas import FILLS, label_of
from tamecheck.plots.jacobian import projected
from tamecheck.plots.mosaic import polylines
from tamecheck.plots.paint import graph_colouring
from tamecheck.plots.results import draw_model
from tamecheck.plots.sample import gradients, sample, stepwise
from tamecheck.plots.scene import raster_of


def figure(text, kind, box="-1:1", **options):
    model = tc.expression(text)
    return draw_model(model.graph, model.box(box), kind, **options)


def answer(capsys, *arguments):
    code = main(["plot", *map(str, arguments), "--json", "-q"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("text", "cells_", "kinks", "jumps", "maps"),
    [
        ("abs(x)+abs(y)", 4, 4, 0, 4),
        ("max(min(x,-y), y-x)", 4, 3, 0, 3),  # two cells have the same map
        ("sign(x)+abs(y)", 4, 2, 2, 4),
        ("sign(x)*x+0*y", 2, 1, 0, 2),  # the sign jumps, the product does not
        ("(1-abs(sign(x)))+y", 2, 0, 1, 2),  # only the points on the line differ
        ("relu(x)-relu(-x)+y", 2, 0, 0, 1),
        ("floor(2*x)+floor(3*y)", 24, 0, 38, 24),
        ("x+y", 1, 0, 0, 1),
    ],
)
def test_cells_kinks_and_jumps_are_those_found_by_hand(text, cells_, kinks, jumps, maps):
    counts = figure(text, "cells").counts
    assert (counts["cells"], counts["kinks"], counts["jumps"], counts["maps"]) == (
        cells_,
        kinks,
        jumps,
        maps,
    )


def test_a_field_has_an_arrow_for_each_moving_point_and_a_dot_for_each_flat_one():
    counts = figure("max(x,0)+0*y", "field").counts
    assert (counts["arrows"], counts["zeros"]) == (8 * 16, 8 * 16)


def arrows(axes):
    """Tails and tips of the arrows, and the segments of all drawn lines, with the axes 1 wide."""
    (quiver,) = [c for c in axes.collections if type(c).__name__ == "Quiver"]
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    scale = np.array([x1 - x0, (y1 - y0) / axes.get_box_aspect()])
    tails = np.array(quiver.get_offsets())
    tips = tails + np.stack([quiver.U, quiver.V], axis=1)
    return tails / scale, tips / scale


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(
    ("text", "box", "walls"),
    [
        # the functions that are 0 on the boundary, and where the domain is
        ("abs(x)+max(y-x/3,2*y)", "-1:1", ["x", "y+x/3"]),
        ("sign(x-y/3-1/7)+x*y", "x=-1:1,y=-3:1", ["x-y/3-1/7"]),
        ("1/(x+y/2)+log(y+1/3)", "-1:1", ["x+y/2", "y+1/3"]),
        ("sqrt(1-x^2-y^2)+abs(x-y)", "x=-1:1,y=-1:2", ["1-x^2-y^2", "x-y"]),
    ],
)
def test_no_arrow_is_on_a_boundary_or_outside(text, box, walls):
    picture = figure(text, "field", box)
    tails, tips = arrows(picture.axes)
    assert len(tails) == picture.counts["arrows"] > 40
    (x0, x1), (y0, y1) = picture.axes.get_xlim(), picture.axes.get_ylim()
    scale = np.array([x1 - x0, (y1 - y0) / picture.axes.get_box_aspect()])
    along = (tails + np.linspace(0, 1, 21)[:, None, None] * (tips - tails)) * scale
    model = tc.expression(text)
    points = along.reshape((-1, 2))
    for wall in walls:
        level = sample(tc.expression(f"0*x+0*y+{wall}").graph, points).values.reshape((21, -1))
        assert ((level > 0).all(axis=0) | (level < 0).all(axis=0)).all()
    assert np.isfinite(sample(plane_of(model.graph, model.box(box)).graph, points).values).all()
    # the longest has 70 % of the spacing
    assert np.hypot(*(tips - tails).T).max() <= 0.7 / 16 + 1e-9


def test_the_scale_of_arrows_is_told():
    axes = figure("3*x+4*y", "field").axes
    (key,) = [part for part in axes.get_children() if type(part).__name__ == "QuiverKey"]
    assert key.label == "|∇| = 5"
    assert pytest.approx(0.7 / 16 * 2) == key.U
    axes = figure("1/x+0*y", "field").axes
    (key,) = [part for part in axes.get_children() if type(part).__name__ == "QuiverKey"]
    assert "e" not in key.label


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(
    ("text", "box", "poles"),
    [
        *((text, "-1:1", 1) for text in ("1/x+y", "1/(x-y/3)^2", "1/(x^2+y^2)")),
        *(("log(x)+y", "x=0:1,y=0:1", 1), ("tan(4*x)*y", "-1:1", 2)),
        *((text, "-1:1", 0) for text in ("sqrt(x)+sqrt(y)", "1/(x^2+y^2+1/100)", "exp(9*x)+y")),
    ],
)
def test_poles_are_drawn_and_leave_colours_for_the_rest(text, box, poles):
    picture = figure(text, "field", box)
    assert picture.counts["poles"] == poles
    legend = picture.axes.get_legend()
    assert ("pole" in [text.get_text() for text in legend.get_texts()]) == bool(poles)
    low, high = picture.axes.images[0].get_clim()
    assert high - low < 20_000
    if poles and "log" not in text:
        assert any("percentile" in note for note in picture.notes)


def test_poles_of_curves():
    for text, box, poles in (("1/x", "-1:1", 1), ("1/(3*x-1)^2", "-1:1", 1), ("log(x)", "0:1", 1),
                             ("tan(5*x)+abs(x)", "-1:1", 4), ("sqrt(x)", "-1:1", 0)):  # fmt: skip
        picture = figure(text, "field", f"x={box}")
        assert picture.counts["poles"] == poles, text
        low, high = picture.axes.get_ylim()
        assert high - low < 10_000
    assert figure("1/x^2+abs(x-1/2)", "field", "x=-1:1").counts["kinks"] == 1


def test_arrows_point_up_the_slope_in_coordinates_of_the_axes():
    model = tc.expression("x + 3*y")
    axes = model.plot("x=-1:1,y=-1:1")
    (quiver,) = [c for c in axes.collections if type(c).__name__ == "Quiver"]
    assert np.allclose(quiver.V / quiver.U, 3)
    stretched = model.plot("x=-1:1,y=-10:10")
    (quiver,) = [c for c in stretched.collections if type(c).__name__ == "Quiver"]
    # across a box of height 0.9: the slope 30 per height, over 0.9, back in data units of y
    assert np.allclose(quiver.V / quiver.U, (3 * 10 / 0.9) * 10 / 0.9)


def test_clarke_sets_are_drawn_as_fans_or_marked_as_missing():
    counts = figure("max(min(x,-y), y-x)", "field", at=[[0, 0]]).counts
    assert (counts["fans"], counts["clarke_vertices"]) == (1, 3)
    counts = figure("sign(x)+y", "field", at=[[0, 0]]).counts
    assert (counts["fans"], counts["clarke_vertices"]) == (1, 0)


def test_one_input_gives_a_curve_with_its_derivative():
    picture = figure("abs(x)+sign(x-1/2)", "field", at=[[0]])
    assert picture.counts == {
        "cells": 3, "kinks": 1, "jumps": 1, "poles": 0, "arrows": 0, "clarke_vertices": 2,
    }  # fmt: skip
    assert len(picture.axes.figure.axes) == 2


def test_the_same_kinks_and_jumps_of_a_curve_are_found_by_bisection():
    smooth = figure("abs(x-1/3)+floor(2*x)/9+exp(x)/1000", "field").counts
    exact = figure("abs(x-1/3)+floor(2*x)/9", "field").counts
    assert (smooth["kinks"], smooth["jumps"]) == (exact["kinks"], exact["jumps"]) == (1, 3)


def test_decision_regions_are_exact():
    picture = figure("x+y", "decision")
    assert picture.exact
    assert picture.facts["class_names"] == ["class 0", "class 1"]
    assert picture.counts["boundaries"] == 1


def test_a_smooth_model_is_sampled_and_says_so():
    picture = figure("tanh(3*x)+abs(y)*exp(x)", "cells")
    assert not picture.exact
    assert picture.facts["count"] == "lower bound"
    assert (picture.counts["cells"], picture.counts["kinks"]) == (2, 1)
    assert any("not piecewise linear" in note for note in picture.notes)


@pytest.mark.slow
def test_more_cells_than_the_limit_are_found_on_a_grid():
    picture = figure("floor(100*x)+floor(100*y)", "cells")
    assert not picture.exact
    assert "more than" in picture.notes[0]


def test_a_grid_finds_the_pieces_that_are_enumerated():
    text = "max(x,0)+max(y-x/2,1/7)+sign(x+y/3-1/5)"
    model = tc.expression(text)
    plane = plane_of(model.graph, model.box("-1:1"))
    raster = raster_of(plane, most=80)
    assert raster.count == cells(plane.graph, plane.box).count
    ends = np.array(raster.segments["jump"]).reshape(-1, 2)
    assert np.abs(ends[:, 0] + ends[:, 1] / 3 - 1 / 5).max() < 0.06
    assert np.median(np.abs(ends[:, 0] + ends[:, 1] / 3 - 1 / 5)) < 1e-4


def test_a_slice_is_drawn_in_its_coordinates():
    model = tc.expression("max(x,0)+y+z")
    chart = slice_of_points(
        model.inputs, {"origin": [0, 0, 0], "directions": [[1, 0, 0], [0, 1, 1]]}
    )
    plane = plane_of(model.graph, chart, names=("a", "b"), units=("m", ""))
    assert plane.labels == ("a [m]", "b")
    assert np.allclose(
        gradients(plane.graph, np.array([[0.5, 0.0], [-0.5, 0.0]])), [[1, 2], [0, 2]]
    )


def test_surface_adjacency_and_jacobian_count_what_they_show(capsys, tmp_path):
    assert figure("sign(x)+abs(y)", "surface").counts["walls"] == 2
    out = tmp_path / "a.svg"
    code, document = answer(
        capsys, "adjacency", "--expr", "abs(x)+abs(y)", "--box", "-1:1", "-o", out
    )
    assert (code, document["cells"], document["edges"]) == (0, 4, 4)
    code, document = answer(
        capsys, "jacobian", "--expr", "abs(x)+abs(y)", "--at", "x=0,y=0", "-o", out
    )
    assert (code, document["vertices"], document["autodiff_in_set"]) == (0, 4, True)


@pytest.mark.parametrize(
    ("text", "verdict", "obstacles"),
    [("abs(x)+exp(y)", "tame", 0), ("sin(x)", "not-tame", 1)],
)
def test_a_derivation_shows_its_verdict_and_obstacles(capsys, tmp_path, text, verdict, obstacles):
    code, document = answer(capsys, "certificate", "--expr", text, "-o", tmp_path / "c.pdf")
    assert (code, document["verdict"], document["obstacles"]) == (0, verdict, obstacles)
    assert document["steps"] > 1


def texts(axes):
    return [text.get_text() for text in axes.texts]


def derivation(text, box=None):
    return draw_derivation(tc.expression(text).check(box))


def test_a_derivation_names_inputs_and_structures_and_shows_each_node_once():
    picture = derivation("abs(x)+sin(y)+exp(x)*sin(y)", "-1:1")
    assert picture.axes.get_title() == "definable in ℝ_an"
    words = texts(picture.axes)
    assert {"input x", "input y", "sin: ℝ_an", "exp: ℝ_an or ℝ_exp"} <= set(words)
    assert [sum(word.startswith(op) for word in words) for op in ("sin", "input")] == [1, 2]
    # sin(y) and x have two users each, the two sums and the product two arguments each
    assert picture.counts == {"steps": 8, "links": 9, "repeats": 0, "obstacles": 0}
    skip = derivation("max(x-1,0)+x")
    assert skip.counts["links"] == 4
    assert derivation("sin(x)*y").axes.get_title().startswith("not tame")


def test_a_jacobian_is_drawn_in_the_entries_that_tell_vertices_apart():
    found = jacobian(tc.expression("0*u + max(x,2*y,z) + abs(w) + 5*v").graph, [0] * 6)
    picture = draw_jacobian(found)
    assert picture.facts["entry_names"] == ["∂f/∂y", "∂f/∂w"]
    assert "∂f/∂y and ∂f/∂w of 6 entries; ∂f/∂x, ∂f/∂z vary too" in picture.notes
    found = jacobian(tc.expression("0*u + v + abs(w)").graph, [0, 0, 0])
    assert "no other entry varies" in draw_jacobian(found).notes[0]


def test_sets_of_one_point_and_segments_are_seen():
    (ring,) = [m for m in draw_jacobian(jacobian(tc.expression("x+3*y").graph, [0, 0])).axes.lines
               if m.get_markersize() > 12 and m.get_marker() == "o"]  # fmt: skip
    assert list(ring.get_xydata()[0]) == [1, 3]
    for text, point in (("abs(x)", [0]), ("abs(x-y)", [1, 1])):
        lines = draw_jacobian(jacobian(tc.expression(text).graph, point)).axes.lines
        assert [len(m.get_xdata()) for m in lines if m.get_linewidth() >= 4] == [2]
    far = draw_jacobian(jacobian(tc.expression("1e9*x+2e9*y").graph, [0, 0])).axes
    low, high = far.get_xlim()
    assert high - low > 1e8


def test_a_surface_has_no_margins(tmp_path):
    figure("max(min(x,-y), y-x)", "surface").save(tmp_path / "a.png")
    pixels = matplotlib.image.imread(tmp_path / "a.png")[:, :, :3].min(axis=2)
    rows, columns = (np.flatnonzero((pixels < 0.9).any(axis=axis)) for axis in (1, 0))
    height, width = pixels.shape
    assert rows[0] < 0.05 * height
    assert rows[-1] > 0.95 * height
    assert columns[0] < 0.07 * width
    assert columns[-1] > 0.95 * width


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_equal_figures_are_equal_files(capsys, tmp_path, suffix):
    for name in "ab":
        arguments = ("field", "--expr", "abs(x)+sign(y)", "--box", "-1:1", "--at", "x=0,y=1/2")
        assert answer(capsys, *arguments, "-o", tmp_path / f"{name}.{suffix}")[0] == 0
    first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in "ab")
    assert first == second
    assert len(first) > 1000


def test_names_are_text_and_not_mathematics(capsys, tmp_path):
    out = tmp_path / "a.svg"
    arguments = ("cells", "--expr", "abs(x)+y", "--box", "-1:1", "--names", "$x^2$,_b")
    assert answer(capsys, *arguments, "--units", "m,s", "-o", out)[0] == 0
    text = out.read_text(encoding="utf-8")
    assert "$x^2$ [m]" in text
    assert "_b [s]" in text
    assert "<dc:date>" not in text


def test_labels_hide_control_characters():
    assert label_of("a\x1b[0m") == "a\\x1b[0m"


def test_the_users_settings_and_figures_stay(tmp_path):
    before = dict(mpl.rcParams)
    picture = figure("abs(x)+y", "field")
    picture.save(tmp_path / "a.png")
    assert dict(mpl.rcParams) == before


def test_results_draw_themselves_on_given_axes():
    axes = mpl.figure.Figure().add_subplot()
    model = tc.expression("abs(x)+abs(y)")
    assert model.cells("-1:1").plot(axes) is axes
    assert len(axes.collections) >= 2
    other = mpl.figure.Figure().add_subplot()
    assert jacobian(model.graph, [0, 0]).plot(other) is other
    with pytest.raises(InputError, match="2 coordinates"):
        tc.expression("abs(x)").cells("-1:1").plot()


@pytest.mark.slow
def test_pyplot_is_not_imported_for_a_file(tmp_path):
    import subprocess

    file = str(tmp_path / "a.svg")
    code = (
        "import sys, tamecheck as tc; from tamecheck.cli import main;"
        f"main(['plot','cells','--expr','abs(x)+y','--box','-1:1','-o',{file!r}]);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def piece(low, high, slope, constant, *, right=True):
    return SimpleNamespace(
        lower=Fraction(low), upper=Fraction(high), slope=Fraction(slope),
        intercept=Fraction(constant), lower_closed=True, upper_closed=right,
    )  # fmt: skip


def test_a_value_function_has_kinks_jumps_and_gaps():
    pieces = [
        piece(0, 1, 1, 0, right=False), piece(1, 2, 0, 2), piece(2, 3, 1, 0), piece(4, 5, 0, 1),
    ]  # fmt: skip
    counts = draw_value(pieces).counts
    assert counts == {"pieces": 4, "kinks": 1, "jumps": 1, "gaps": 1}
    with pytest.raises(InputError, match="no optimum"):
        draw_value([])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("field", "--expr", "x+y", "--box", "0:0"), "0 sides"),
        (("cells", "--expr", "x+y+z", "--box", "0:1"), "3 sides"),
        (("field", "--expr", "x+y"), "unbounded"),
        (("field", "--expr", "x+y", "--box", "0:1", "--at", "x=2,y=0"), "outside"),
        (("field", "--expr", "x+y", "--box", "0:1", "--at", "x=nan,y=0"), "--at, 'x=nan'"),
        (("field", "--expr", "x+y", "--box", "0:1", "--at", "x=0"), "each coordinate"),
        (("field", "--expr", "x+y", "--box", "0:1", "--output", "3"), "no output element 3"),
        (("field", "--expr", "x+y", "--box", "0:1", "--names", "a"), "1 names"),
        (("cells", "--expr", "x+y", "--box", "0:1", "--limit", "0"), "--limit"),
        (("jacobian", "--expr", "sign(x)", "--at", "x=0"), "jumps"),
        (("jacobian", "--expr", "x"), "one point"),
        (("value", "--expr", "x"), "program"),
        (("picture", "--expr", "x"), "choose from"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, tmp_path, arguments, words):
    code = main(["plot", *arguments, "-o", str(tmp_path / "a.svg")])
    error = capsys.readouterr().err
    assert code == 2
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("name", "words"), [("a.jpg", ".svg"), ("no/a.svg", "folder")])
def test_unwritable_files_are_refused(capsys, tmp_path, name, words):
    code = main(["plot", "field", "--expr", "x+y", "--box", "0:1", "-o", str(tmp_path / name)])
    assert code == 2
    assert words in capsys.readouterr().err


def test_data_points_are_read_and_checked(capsys, tmp_path):
    table = tmp_path / "data.csv"
    table.write_text("x,y,class\n0.5,0.2,a\n-0.5,0.1,b\n", encoding="utf-8")
    arguments = ("decision", "--expr", "x+y", "--box", "-1:1", "--data", table)
    assert answer(capsys, *arguments, "-o", tmp_path / "a.svg")[1]["points"] == 2
    table.write_text("0.5,nan\n", encoding="utf-8")
    assert main(["plot", *map(str, arguments), "-o", str(tmp_path / "a.svg")]) == 2


def test_joined_segments_keep_their_length():
    parts = [np.array([[i, 0.0], [i + 1, 0.0]]) for i in range(5)]
    (line,) = polylines([*parts])
    assert len(line) == 6
    square = [((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 1), (0, 1)), ((0, 1), (0, 0))]
    (loop,) = polylines([np.array(side, dtype=float) for side in square])
    assert (loop[0] == loop[-1]).all()


def test_neighbours_get_different_colours():
    pairs = [(i, j) for i in range(20) for j in range(i) if (i * j) % 3 == 1]
    chosen = graph_colouring(20, pairs, 20)
    assert all(chosen[a] != chosen[b] for a, b in pairs)
    assert len(set(FILLS)) == len(FILLS)


def test_patterns_change_exactly_with_decisions():
    graph = tc.expression("max(x,0)+floor(y)").graph
    found = sample(graph, np.array([[1.0, 0.5], [2.0, 0.2], [-1.0, 0.5], [1.0, 1.5]]))
    same = found.patterns == found.patterns[0]
    assert same.tolist() == [True, True, False, False]
    assert (found.jumps == found.jumps[0]).tolist() == [True, True, True, False]
    assert stepwise(tc.expression("sign(x)*3+floor(y)").graph)
    assert not stepwise(graph)


def test_a_set_that_is_no_polytope_is_drawn_by_its_support():
    def support(matrix):
        ((a, b, _),) = matrix
        return 2 * float(a) + float(a**2 + 4 * b**2) ** 0.5

    ellipse = SimpleNamespace(listed=False, base=None, shape=(1, 3), support=support)
    points = projected(ellipse, (0, 1))
    level = ((points[:, 0] - 2) ** 2 + points[:, 1] ** 2 / 4) ** 0.5
    # around the ellipse, and near to it
    assert ((level > 1 - 1e-9) & (level < 1.01)).all()
    assert np.allclose(projected(ellipse, (0,)), [[1, 0], [3, 0]])
    # a segment from (-1, 1) to (1, -1)
    segment = SimpleNamespace(
        listed=False, base=None, shape=(1, 2), support=lambda m: abs(m[0][0] - m[0][1])
    )
    ends = projected(segment, (0, 1))
    assert np.allclose(sorted(ends.tolist()), [[-1, 1], [1, -1]], atol=1e-4)
