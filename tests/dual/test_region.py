"""Value functions on boxes of two and three right-hand sides: cells, jumps, gradients."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from fractions import Fraction as Q
from itertools import product

import pytest

from tamecheck.budget import Budget
from tamecheck.cli.entry import main
from tamecheck.duality import normalise
from tamecheck.duality.proof import value_at
from tamecheck.duality.value.dual import value_dual
from tamecheck.duality.value.region import AffineFunction, Polytope, join_all
from tamecheck.errors import DomainError, InputError, SolverError, UnsupportedError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense

KINDS = {"i": Kind.INTEGER, "c": Kind.CONTINUOUS}


def program(costs, matrix, senses, kinds, upper=None):
    """A minimum with the right-hand sides 1."""
    columns = tuple(
        Column(f"x{j}", Q(0), upper, KINDS[kind], Q(c))
        for j, (c, kind) in enumerate(zip(costs, kinds, strict=True))
    )
    rows = tuple(
        Row(
            f"r{i}",
            tuple((j, Q(a)) for j, a in enumerate(line) if a),
            None if way == "<=" else Q(1),
            None if way == ">=" else Q(1),
        )
        for i, (line, way) in enumerate(zip(matrix, senses, strict=True))
    )
    return Program(columns, rows)


# min t >= 0, t + x >= u, t - x >= v with an integer x of any sign
DISTANCE = program([1, 0, 0], [[1, 1, -1], [1, -1, 1]], [">=", ">="], "cii")


def solved(form, names, place, budget=20):
    value = value_at(form, form.at(dict(zip(names, place, strict=True))), Budget.of(budget))
    return None if value == math.inf else form.outward(value)


@pytest.mark.slow
def test_distance_to_the_integers_by_hand():
    """The larger of 0 and (u + v)/2 plus the distance of (u - v)/2 to the integers."""
    function = value_dual(DISTANCE, box=[("r0", Q(-2), Q(2)), ("r1", Q(-2), Q(2))])
    region = function.complex
    for u, v in product([Q(k, 3) for k in range(-6, 7)], repeat=2):
        half = (u - v) / 2
        distance = min(half - math.floor(half), math.ceil(half) - half)
        assert region((u, v)) == max(0, (u + v) / 2 + distance)
    assert region.slopes == ((0, 0), (0, 1), (1, 0))
    assert all(cell.dimension == 2 for cell in region.cells)
    assert not region.empty
    assert function.gradient({"r0": 1, "r1": 0}).vertices in {((0, 1), (1, 0)), ((1, 0), (0, 1))}
    assert function.gradient({"r0": Q(1, 2), "r1": 0}).singleton
    symbols = {str(s): s for s in function.to_sympy().free_symbols}
    assert function.to_sympy().subs({symbols["r0"]: 1, symbols["r1"]: 0}) == 1


def test_sums_of_integers_are_points():
    # 2 x + y = r0, y = r1: values at points only, infinite around them
    points = program([1, 1], [[2, 1], [0, 1]], ["=", "="], "ii")
    region = value_dual(points, box=[("r0", Q(0), Q(3)), ("r1", Q(0), Q(2))]).complex
    assert {cell.vertices[0] for cell in region.cells} == {(0, 0), (2, 0), (1, 1), (3, 1), (2, 2)}
    assert all(cell.dimension == 0 for cell in region.cells)
    assert region((2, 2)) == 2
    assert region((2, 1)) is None
    with pytest.raises(DomainError, match="beside it the program is infeasible"):
        region.gradient((1, 1))


def test_jumps_of_inequalities_are_refused_and_flat_places_are_not():
    function = value_dual(program([2, 3], [[1, 0], [1, 1]], [">=", ">="], "ii"))
    assert function.gradient({"r0": Q(1, 2), "r1": Q(3, 2)}).vertices == ((0, 0),)
    with pytest.raises(DomainError, match="jumps"):
        function.gradient({"r0": 1, "r1": Q(1, 2)})
    least = program([2, 3], [[1, 0], [1, 1]], ["<=", "<="], "ii")
    maximum = replace(least, sense=Sense.MAXIMISE)
    region = value_dual(maximum, box=[("r0", Q(0), Q(2)), ("r1", Q(0), Q(2))]).complex
    assert region((1, 2)) == 6
    assert region((Q(1, 2), Q(3, 2))) == 3


def test_three_right_hand_sides_by_hand():
    """Triangle packing: the least of the half sum rounded down and the sums of two."""
    packing = program([1, 1, 1], [[1, 1, 0], [0, 1, 1], [1, 0, 1]], ["<="] * 3, "iii")
    packing = replace(packing, sense=Sense.MAXIMISE)
    region = value_dual(packing, box=[(f"r{i}", Q(0), Q(1)) for i in range(3)]).complex
    for b in product((Q(0), Q(1, 2), Q(1)), repeat=3):
        low = [math.floor(x) for x in b]
        best = min(sum(low) // 2, *(low[i] + low[j] for i, j in ((0, 1), (1, 2), (0, 2))))
        assert region(b) == best


def random_two_rows(seed):
    rng = random.Random(seed)
    size = rng.randint(2, 4)
    kinds = "".join(rng.choice("iic") for _ in range(size))
    senses = [rng.choice(["=", ">=", "<="]) for _ in range(2)]
    matrix = [[rng.randint(-3, 5) for _ in range(size)] for _ in range(2)]
    y = [{"=": 1, ">=": 1, "<=": -1}[way] * rng.randint(0, 3) for way in senses]
    costs = [y[0] * a + y[1] * b + rng.randint(1, 4) for a, b in zip(*matrix, strict=True)]
    if seed % 2:
        for i, sign in product(range(2), (1, -1)):
            kinds += "c"
            costs.append(sign * y[i] + rng.randint(1, 3))
            for k in range(2):
                matrix[k].append(sign * (k == i))
    return program(costs, matrix, senses, kinds, upper=Q(3))


@pytest.mark.parametrize("seed", range(4))
def test_cells_agree_with_solving_again(seed):
    own = random_two_rows(seed)
    form, names = normalise(own), ("r0", "r1")
    region = value_dual(own, box=[(name, Q(-1), Q(2)) for name in names]).complex
    for place in product((Q(-1), Q(-1, 2), Q(0), Q(1, 3), Q(1), Q(2)), repeat=2):
        assert region(place) == solved(form, names, place)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 7))
def test_cells_agree_with_solving_again_on_a_fine_grid(seed):
    own = random_two_rows(seed)
    form, names = normalise(own), ("r0", "r1")
    region = value_dual(own, box=[(name, Q(-2), Q(3)) for name in names]).complex
    for place in product([Q(-2) + Q(5 * k, 19) for k in range(0, 20, 2)], repeat=2):
        assert region(place) == solved(form, names, place)


def test_gradients_of_many_rows_where_the_function_is_smooth():
    size = 5
    unit = [[int(i == j) for j in range(size)] for i in range(size)]
    many = program([1, 2, 3, 4, 5], unit, [">="] * size, "ccccc")
    assert value_dual(many).gradient().vertices == ((1, 2, 3, 4, 5),)
    with pytest.raises(UnsupportedError, match="at most 3 rows"):
        value_dual(many).gradient([0, 1, 1, 1, 1])


def test_boxes_that_are_none_and_time_that_is_over():
    function = value_dual(DISTANCE)
    with pytest.raises(InputError, match="no interior"):
        function.on_box([("r0", 1, 1)])
    with pytest.raises(InputError, match="no right-hand side 'q'"):
        function.on_box([("q", 0, 1)])
    with pytest.raises(InputError, match="one to three"):
        function.on_box([("r0", 0, 1), ("r0", 0, 1)])
    region = function.on_box([("r0", 0, 1), ("r1", 0, 1)])
    with pytest.raises(InputError, match="not between"):
        region((2, 0))
    with pytest.raises(DomainError, match="boundary"):
        region.gradient((0, Q(1, 2)))
    short = value_dual(DISTANCE)
    short._seconds = 0.0
    with pytest.raises(SolverError, match="time"):
        short.on_box([("r0", 0, 1), ("r1", 0, 1)])


def test_polytopes_are_divided_and_joined():
    square = Polytope.box((Q(0), Q(0)), (Q(1), Q(1)))
    assert len(square.faces()) == 9
    diagonal = AffineFunction((Q(1), Q(-1)), Q(0))
    below, on, above = square.split(diagonal)
    assert [p.dimension for p in (below, on, above)] == [2, 1, 2]
    assert square.split(AffineFunction((Q(1), Q(0)), Q(0))) == (None, None, square)
    (whole,) = join_all([below, above])
    assert set(whole.vertices) == set(square.vertices)
    parts = [p for p in above.split(AffineFunction((Q(0), Q(1)), Q(-1, 2))) if p]
    # an L is not convex
    assert len(join_all([below, parts[0]])) == 2


def test_command_line(tmp_path, capsys):
    path = tmp_path / "p.lp"
    path.write_text(
        "Minimize\n o: t\nSubject To\n r: t + x >= 1\n s: t - x >= 0\nGeneral\n x\nEnd\n"
    )
    box = ["--method", "value", "--box", "r=-1:1,s=0:1"]
    assert main(["dual", str(path), *box, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["complex"]
    assert found["rows"] == ["r", "s"]
    assert {cell["dimension"] for cell in found["cells"]} == {2}
    assert main(["dual", str(path), *box]) == 0
    assert "corners" in capsys.readouterr().out
