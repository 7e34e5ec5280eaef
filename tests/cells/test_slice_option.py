"""``--slice`` on the command line, and polygons against the search in any dimension."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

import tamecheck as tc
from tamecheck.cells import cells
from tamecheck.cli.entry import main
from tamecheck.cli.source import point_of, slice_of
from tamecheck.errors import InputError
from tamecheck.loaders.text.expression import parse_expression

THREE = "max(x, 0) - abs(y)*2 + min(z, x)"


def test_free_inputs_by_name_and_the_others_at_the_middle():
    model = tc.expression(THREE)
    found = slice_of("x, z", model, model.box("x=-1:1,y=0:1,z=-2:2"))
    assert found.names == ("x", "z")
    assert found.bounds == ((-1, 1), (-2, 2))
    assert found.origin == (0, Fraction(1, 2), 0)
    assert found.point([Fraction(3), Fraction(4)]) == (3, Fraction(1, 2), 4)


def test_a_point_fixes_the_others():
    model = tc.expression(THREE)
    found = slice_of("x", model, model.box("x=-1:1"), point_of("y=2,z=1/3", model.inputs))
    assert found.origin == (0, 2, Fraction(1, 3))


@pytest.mark.parametrize(
    ("at", "match"),
    [
        ("x=5,y=0,z=0", "x=5 is outside of the box, where this free input is in -1:1"),
        ("x=-3/2", "x=-3/2 is outside"),
        ("y=a", "--at, 'y=a'"),
    ],
)
def test_a_slice_does_not_go_through_points_outside_of_the_box(capsys, at, match):
    arguments = ["cells", "--expr", THREE, "--slice", "x", "--box=-1:1"]
    assert main([*arguments, "--at", at]) == 2
    assert match in capsys.readouterr().err
    assert main([*arguments, "--at", "x=1,y=0,z=0", "-q"]) == 0


def test_a_slice_in_a_file_takes_no_point(capsys, tmp_path):
    file = tmp_path / "slice.json"
    file.write_text(
        '{"origin": [0, 0, 0], "directions": [[1, 0, 0]], "bounds": [[-1, 1]]}', encoding="utf-8"
    )
    arguments = ["cells", "--expr", THREE, "--slice", str(file)]
    assert main([*arguments, "-q"]) == 0
    assert main([*arguments, "--at", "y=1"]) == 2
    assert "origin of its own" in capsys.readouterr().err


def test_a_partial_answer_says_so(capsys):
    assert main(["cells", "--expr", "floor(99*x)", "--box", "0:1", "--limit", "5", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["count"], found["complete"], found["listed"]) == (5, False, 5)
    assert len(found["cells"]) == 5


def test_time_for_the_list_of_cells_is_limited_too(capsys):
    hard = "floor(10000*x)*floor(10000*y)"
    assert main(["cells", "--expr", hard, "--box", "0:1", "--timeout", "0.3", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert not found["complete"]
    assert len(found["cells"]) <= found["count"]
    assert found["listed"] == len(found["cells"]) + len(found["lower_dimensional_cells"])


@pytest.mark.parametrize(
    ("text", "box", "match"),
    [
        ("q", "-1:1", "no input element"),
        ("x,x", "-1:1", "twice"),
        ("x", "y=0,z=0", "unbounded"),
        ("x", "x=-1:1,y=0", "has no value"),
    ],
)
def test_bad_slices(text, box, match):
    model = tc.expression(THREE)
    with pytest.raises(InputError, match=match):
        slice_of(text, model, model.box(box))


def test_the_verb_takes_a_slice(capsys):
    code = main(["cells", "--expr", THREE, "--slice", "x,z", "--box", "-1:1", "--json"])
    assert code == 0
    document = json.loads(capsys.readouterr().out)
    # the kinks are x = 0 and z = x
    assert document["count"] == 4
    assert document["volume"] == "4"
    assert document["coordinates"] == ["x", "z"]


def test_kinks_through_vertices_of_the_polygon():
    # all lines meet at the origin or at corners, so every sign there is exactly zero
    graph = parse_expression("abs(x) + abs(y) + abs(x - y) + abs(x + y) + abs(x)").graph
    found = cells(graph, tc.expression("x+y").box("-1:1"))
    assert found.count == 8
    assert found.volume == 4
    assert {cell.volume for cell in found.cells} == {Fraction(1, 2)}


def test_a_thin_side_does_not_change_the_plane():
    # the search in three dimensions and the one for polygons share no code for cuts
    flat = parse_expression("max(x + 2*y, 0) - max(3*x - y + 1/7, x) + abs(max(x, y) - 1/3)").graph
    deep = parse_expression(
        "max(x + 2*y, 0) - max(3*x - y + 1/7, x) + abs(max(x, y) - 1/3) + 0*z + z"
    )
    box = tc.expression("x+y+z").box("-1:1")
    plane = cells(flat, tc.expression("x+y").box("-1:1"))
    solid = cells(deep.graph, box)
    assert plane.count == solid.count
    assert sorted(2 * c.volume for c in plane.cells) == sorted(c.volume for c in solid.cells)
