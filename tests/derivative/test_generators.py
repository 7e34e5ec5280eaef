"""Conservative sets by generators: against all choices, with certificates, on the command line."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from tamecheck.cli.entry import main
from tamecheck.derivative import Separator, Shares, gradient, jacobian
from tamecheck.derivative.minkowski import minkowski_sum
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.exact.hull import extreme
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.ops import BY_NAME
from tamecheck.plots import draw_jacobian

MATRIX = st.lists(st.lists(st.integers(-2, 2), min_size=2, max_size=2), min_size=2, max_size=2)
GROUPS = st.lists(st.lists(MATRIX, min_size=1, max_size=2), max_size=4)
FOURTEEN = " + ".join(f"relu({k}*y + x{k})" for k in range(14))


def exact(rows):
    return tuple(tuple(fmpq(a) for a in row) for row in rows)


def total(*matrices):
    return tuple(
        tuple(sum(entries, fmpq(0)) for entries in zip(*rows, strict=True))
        for rows in zip(*matrices, strict=True)
    )


ZERO = exact([[0, 0], [0, 0]])


def all_choices(base, groups):
    """Every sum of the base and one generator or none of each group, each once."""
    return list(dict.fromkeys(total(base, *p) for p in product(*([*g, ZERO] for g in groups))))


@given(base=MATRIX, groups=GROUPS)
@settings(max_examples=14, deadline=None)
def test_vertices_are_the_extreme_points_of_all_choices(base, groups):
    base, groups = exact(base), [[exact(m) for m in group] for group in groups]
    points = all_choices(base, groups)
    found = minkowski_sum(base, groups)
    vertices = list(found.vertices())
    assert len(set(vertices)) == len(vertices) <= found.most_vertices
    assert set(vertices) == {points[k] for k in extreme(points)}


@given(base=MATRIX, groups=GROUPS, point=MATRIX, functional=MATRIX)
@settings(max_examples=14, deadline=None)
def test_membership_and_support_come_with_proofs(base, groups, point, functional):
    base, groups = exact(base), [[exact(m) for m in group] for group in groups]
    points = all_choices(base, groups)
    found = minkowski_sum(base, groups)

    def value(weights, matrix):
        pairs = zip(weights, matrix, strict=True)
        return sum(
            Fraction(str(a)) * Fraction(str(b)) for r, s in pairs for a, b in zip(r, s, strict=True)
        )

    largest = max(value(functional, p) for p in points)
    assert Fraction(str(found.support(exact(functional)))) == largest
    proof = found.membership(exact(point))
    if isinstance(proof, Separator):
        assert all(value(proof.functional, p) <= proof.level for p in points)
        assert value(proof.functional, point) > proof.level
    else:
        terms = [found.base]
        for shares, group in zip(proof.values, found.groups, strict=True):
            assert min(shares) >= 0
            assert sum(shares) <= 1
            for share, generator in zip(shares, group, strict=True):
                weight = fmpq(share.numerator, share.denominator)
                terms.append(tuple(tuple(weight * a for a in row) for row in generator))
        assert total(*terms) == exact(point)


def test_parallel_segments_are_merged():
    # segments from 0 to 1, to 2 and to -1 add up to the one from -1 to 3
    found = minkowski_sum(exact([[0]]), [[exact([[a]])] for a in (1, 2, -1)])
    assert found.base == exact([[-1]])
    assert found.groups == ((exact([[4]]),),)


def test_fourteen_kinks_are_generated():
    names = parse_expression(FOURTEEN).graph.inputs
    found = jacobian(parse_expression(FOURTEEN).graph, dict.fromkeys(names, 0), "conservative")
    assert found.defined
    assert not found.listed
    assert not found.singleton
    assert found.exact
    assert len(found.generators) == 14
    assert found.base == ((0,) * 15,)
    assert found.support([[-1] + [0] * 14]) == 0
    assert found.support([[1] + [0] * 14]) == sum(range(14))
    assert isinstance(found.contains([[91] + [1] * 14]), Shares)
    assert isinstance(found.contains([[90] + [1] * 14]), Separator)
    assert found.autodiff_in_set is True
    with pytest.raises(UnsupportedError, match="not listed"):
        _ = found.vertices
    with pytest.raises(InputError, match="1 rows of 15"):
        found.contains([[0]])


def test_vertices_are_listed_where_they_are_few():
    # 14 lines through 0 in the plane, so a zonotope of 28 vertices
    text = " + ".join(f"relu(x + {k}*y)" for k in range(14))
    found = jacobian(parse_expression(text).graph, {"x": 0, "y": 0}, "conservative")
    assert found.listed
    assert found.generators == ()
    assert len(found.vertices) == 28
    assert found.support([[1, 0]]) == 14


@pytest.mark.parametrize(
    "text",
    [
        "max(relu(x), y) + relu(x-y)",
        "relu(x+y) - relu(-x-y) + max(max(x, y), x-y)",
        "relu(abs(x)-y) * 2 + clip(x, 0, 1) - clip(y, -1, 0)",
    ],
)
def test_kinks_that_feed_each_other_stay_together(text):
    graph = parse_expression(text).graph
    listed = jacobian(graph, {"x": 0, "y": 0}, "conservative")
    few = jacobian(graph, {"x": 0, "y": 0}, "conservative", limit=4)
    rng = np.random.default_rng(0)
    for weights in rng.integers(-9, 10, (20, 1, 2)).tolist():
        assert few.support(weights) == listed.support(weights)
    assert all(few.contains(vertex) for vertex in listed.vertices)


def test_many_kinks_that_feed_each_other_are_refused():
    builder = GraphBuilder()
    value = builder.input("x", (13,))
    for _ in range(2):
        value = builder.apply(BY_NAME["relu"], [value])
    with pytest.raises(UnsupportedError, match="combine"):
        jacobian(builder.build({"y": value}), [0] * 13, "conservative")


def test_generators_on_the_command_line(capsys, tmp_path):
    arguments = ["--expr", FOURTEEN, "--at", "0"]
    assert main(["diff", *arguments, "--kind", "conservative", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["listed"] is False
    assert answer["vertices"] == []
    assert answer["base"] == [["0"] * 15]
    assert len(answer["generators"]) == 14
    assert main(["diff", *arguments, "--kind", "conservative"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == (
        "conservative Jacobian: a base and 14 generators; the vertices are not listed"
    )
    assert shown[2] == "  + a share in [0, 1] of [0 1 0 0 0 0 0 0 0 0 0 0 0 0 0]"
    figure = str(tmp_path / "a.svg")
    arguments += ["--set", "conservative", "--entries", "0,2", "-o", figure, "--json"]
    assert main(["plot", "jacobian", *arguments]) == 0
    drawn = json.loads(capsys.readouterr().out)
    # x1 moves by the first generator alone, y by all
    assert (drawn["vertices"], drawn["generators"], drawn["hull"]) == (0, 14, 4)
    assert any("generators" in note for note in drawn["notes"])


def test_a_projection_is_the_same_by_generators_and_by_vertices():
    graph = parse_expression("relu(x+y) + abs(x-y) + max(x, 2*y, z)").graph
    listed = draw_jacobian(jacobian(graph, [0, 0, 0], "conservative"))
    generated = draw_jacobian(jacobian(graph, [0, 0, 0], "conservative", limit=8))
    assert generated.counts["generators"] == 4
    assert generated.facts["entries"] == listed.facts["entries"]
    assert generated.counts["hull"] == listed.counts["hull"]


def test_a_figure_without_its_surroundings_says_so(capsys, tmp_path):
    # kinks of two layers: few cones of directions in one dimension, very many choices
    inner = " + ".join(f"relu({k}*x)" for k in range(1, 8))
    text = " + ".join(f"relu({inner} + {k}*x)" for k in range(7))
    arguments = ["--expr", text, "--at", "x=0", "-o", str(tmp_path / "a.svg")]
    assert main(["plot", "jacobian", *arguments]) == 0
    assert "conservative set is not drawn" in capsys.readouterr().err


def layer(seed):
    """Kinks of one layer whose forms are independent: 4 neurons of 5 inputs, 2 outputs."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder()
    x = builder.input("x", (1, 5))
    sums = builder.apply(BY_NAME["matmul"], [x, builder.constant(rng.integers(-5, 6, (5, 4)))])
    kinked = builder.apply(BY_NAME[rng.choice(["relu", "abs"])], [sums])
    readout = builder.constant(rng.integers(-5, 6, (4, 2)))
    return builder.build({"y": builder.apply(BY_NAME["matmul"], [kinked, readout])})


@pytest.mark.parametrize("seed", range(4))
def test_a_clarke_set_by_generators_is_the_one_of_the_search(seed):
    graph = layer(seed)
    listed = jacobian(graph, [0] * 5)
    generated = jacobian(graph, [0] * 5, limit=15)
    assert len(listed.vertices) == 16
    assert not generated.listed
    assert all(generated.contains(vertex) for vertex in listed.vertices)
    for weights in np.random.default_rng(seed).integers(-9, 10, (10, 2, 5)).tolist():
        assert generated.support(weights) == listed.support(weights)
    assert generated.autodiff_in_set == listed.autodiff_in_set
    with pytest.raises(InputError, match="directional"):
        generated.directional([1, 0, 0, 0, 0])


@pytest.mark.parametrize("kind", ["clarke", "bouligand"])
def test_joined_kinks_are_listed_with_proofs(kind):
    # six kinks on three planes
    text = "relu(x) - 2*relu(-x) + relu(y-x) + abs(x-y) + abs(z) - relu(-z)"
    graph = parse_expression(text).graph
    searched = jacobian(graph, [0, 0, 0], kind)
    joined = jacobian(graph, [0, 0, 0], kind, limit=8)
    assert set(joined.vertices) == set(searched.vertices)
    assert len(joined.vertices) == 8
    for proof, vertex in zip(joined.proofs, joined.vertices, strict=True):
        at = gradient(graph, [[float(v) for v in proof.direction]])[0]
        assert at.tolist() == [float(a) for a in vertex[0]]
    for direction in ([1, 2, 3], [-1, 0, 0], [0, -2, 1]):
        assert joined.directional(direction) == searched.directional(direction)


def test_kinks_that_cancel_leave_the_derivative():
    text = " + ".join(f"relu(x{k}) - relu(-x{k})" for k in range(14))
    found = jacobian(parse_expression(text).graph, [0] * 14)
    assert found.vertices == (((1,) * 14,),)
    assert found.autodiff_in_set is False
    assert found.directional([1] * 14) == (14,)


def test_dependent_forms_are_searched():
    # three lines through 0 in the plane make six cones, not eight
    graph = parse_expression("abs(x) + abs(y) + abs(x+y)").graph
    assert len(jacobian(graph, [0, 0], limit=7).vertices) == 6
    with pytest.raises(UnsupportedError, match="cones"):
        jacobian(graph, [0, 0], limit=5)


def test_curved_kinks_with_independent_gradients():
    # at 0 the gradients of what decides are those of x and y; the quadratic terms are no part
    text = "abs(x + y^2) + 3*abs(y - x^2)"
    graph = parse_expression(text).graph
    generated = jacobian(graph, [0, 0], limit=3)
    assert not generated.listed
    for weights in ([[1, 0]], [[0, 1]], [[-2, 5]]):
        assert generated.support(weights) == jacobian(graph, [0, 0]).support(weights)
