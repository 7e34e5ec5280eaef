"""Jacobian sets by hand, and against gradients at many nearby points."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from corpus import dense_network

from tamecheck.cli.entry import main
from tamecheck.derivative import Combination, Separator, gradient, jacobian
from tamecheck.errors import DomainError, InputError, UnsupportedError
from tamecheck.evaluate import exact_values
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.ops import BY_NAME


def of(text, at, kind="clarke"):
    return jacobian(parse_expression(text).graph, at, kind)


def rows(found):
    """The vertices of a scalar function's set."""
    return {tuple(map(str, vertex[0])) for vertex in found.vertices}


@pytest.mark.parametrize(
    ("text", "at", "clarke", "conservative"),
    [
        ("max(x,0) - max(-x,0)", [0], {("1",)}, {("0",), ("2",)}),
        (
            "max(min(x,-y), y-x)",
            [0, 0],
            {("1", "0"), ("0", "-1"), ("-1", "1")},
            {("1", "0"), ("0", "-1"), ("-1", "1")},
        ),
        ("abs(x)", [0], {("1",), ("-1",)}, {("1",), ("-1",)}),
        ("abs(x) - abs(x)", [0], {("0",)}, None),
        ("max(x, x/10)", [0], {("1",), ("1/10",)}, {("1",), ("1/10",)}),
        ("clip(x, 0, 1)", [0], {("1",), ("0",)}, {("1",), ("0",)}),
        ("clip(x, 0, 1) + clip(y, 0, 1)", [1, 0], {(a, b) for a in "01" for b in "01"}, None),
        ("max(x,y,z)", [1, 1, 0], {("1", "0", "0"), ("0", "1", "0")}, None),
        (
            "max(max(x,y), max(z,w))",
            [0, 0, 0, 0],
            {
                ("1", "0", "0", "0"),
                ("0", "1", "0", "0"),
                ("0", "0", "1", "0"),
                ("0", "0", "0", "1"),
            },
            None,
        ),
        ("max(x^2 - y, 0)", [1, 1], {("2", "-1"), ("0", "0")}, None),
        ("softplus(x)", [0], {("1/2",)}, {("1/2",)}),
        ("x*y", ["1/3", 2], {("2", "1/3")}, {("2", "1/3")}),
        ("sqrt(x)", [4], {("1/4",)}, {("1/4",)}),
        ("sign(x)*x", [0], {("1",), ("-1",)}, None),
        ("sign(x)*0", [0], {("0",)}, None),
        ("max(x, 0)", [3], {("1",)}, {("1",)}),
    ],
)
def test_sets_by_hand(text, at, clarke, conservative):
    assert rows(of(text, at)) == clarke
    if conservative is not None:
        assert rows(of(text, at, "conservative")) == conservative


def test_autodiff_may_leave_the_clarke_set():
    # PyTorch takes 0 for both kinks of x = relu(x) - relu(-x)
    builder = GraphBuilder()
    x = builder.input("x", ())
    left = builder.apply(BY_NAME["relu"], [x])
    right = builder.apply(BY_NAME["relu"], [builder.apply(BY_NAME["neg"], [x])])
    graph = builder.build({"y": builder.apply(BY_NAME["sub"], [left, right])})
    clarke = jacobian(graph, {"x": 0})
    field = jacobian(graph, {"x": 0}, "conservative")
    assert clarke.vertices == (((Fraction(1),),),)
    assert clarke.autodiff == ((Fraction(0),),)
    assert clarke.autodiff_in_set is False
    assert field.autodiff_in_set is True


@pytest.mark.parametrize(
    ("text", "at", "limits"),
    [
        ("sign(x)", [0], {"-1", "0", "1"}),
        ("floor(x)", [1], {"0", "1"}),
        ("sign(x) + max(y,0)", [0, 2], {"1", "2", "3"}),
        ("round(x)", ["1/2"], {"0", "1"}),
    ],
)
def test_a_jump_has_no_clarke_jacobian(text, at, limits):
    found = of(text, at)
    assert not found.defined
    assert "jumps" in found.why
    assert {str(value[0]) for value in found.limits} == limits


@pytest.mark.parametrize(("text", "at"), [("sign(x)*y", [0, 0]), ("sqrt(x)", [0])])
def test_a_function_that_is_not_lipschitz_has_none_either(text, at):
    found = of(text, at)
    assert not found.defined
    assert "Lipschitz" in found.why or "jumps" in found.why


def test_a_constant_has_one_jacobian_without_columns():
    graph = parse_expression("1+1").graph
    for kind in ("clarke", "bouligand", "conservative"):
        assert jacobian(graph, {}, kind).vertices == (((),),)
    assert gradient(graph, [[]]).shape == (1, 0)


def test_balls_where_no_rational_exists():
    found = of("exp(x) * max(y, 0)", [1, 0])
    assert not found.exact
    assert len(found.vertices) == 2
    assert found.autodiff_in_set is None
    assert abs(float(found.vertices[0][0][1]) - np.e) < 1e-12


@pytest.mark.parametrize(
    ("text", "at", "clarke"),
    [
        # between the parabola and the line, the one is active and the other is not
        ("max(y-x^2,0)-max(y,0)", {"x": 0, "y": 0}, {((0, 0),), ((-1, 0),)}),
        (
            "max(x^2+y^2-1,0); max(y-1,0)",
            {"x": 0, "y": 1},
            {((0, 0), (0, 0)), ((0, 2), (0, 0)), ((0, 2), (0, 1))},
        ),
        ("max(min(y^2 + x, y^2 - x), 0)", {"x": 0, "y": 0}, {((0, -1),), ((0, 1),)}),
        # the cubic is on either side
        ("y+abs(y-x^3)-abs(y)", {"x": 0, "y": 0}, {((-1, 0),), ((3, 0),)}),
        # two orders of what is one function but for its sign
        ("max(sin(x)-y,0)-max(y-sin(x),0)", {"x": 0, "y": 0}, {((1, -1),)}),
        ("max(x*y,0)-max(x,0)*max(y,0)", {"x": 0, "y": 0}, {((0, 0),)}),
    ],
)
def test_sets_where_curved_kinks_touch(text, at, clarke):
    found = of(text, at)
    assert set(found.vertices) == clarke
    assert found.exact
    assert found.rests_on == "recomputation"


@pytest.mark.parametrize("outputs", [[0, 1], [1, 0]])
def test_the_order_of_outputs_is_no_matter(outputs):
    parts = ["max(tanh(x)-y,0)", "max(x-y,0)"]
    found = of("; ".join(parts[k] for k in outputs), {"x": 0, "y": 0})
    assert len(found.vertices) == 4


@pytest.mark.parametrize("text", ["step(y-x^2)-step(y)", "x^2*step(y)", "x^2*sign(y)"])
def test_a_function_that_jumps_nearby_has_no_clarke_jacobian(text):
    found = of(text, [0, 0])
    assert not found.defined
    assert not found.at_least
    assert "jumps" in found.why


def test_what_is_not_decided_is_listed(capsys):
    # x^8 is of a higher order than is looked at
    text = "max(y-x^8,0)-max(y,0)"
    found = of(text, {"x": 0, "y": 0})
    assert found.at_least
    assert not found.exact
    assert not found.singleton
    assert found.vertices == (((0, 0),),)
    assert found.contains([[-1, 0]]) is None
    assert found.contains([[0, 0]])
    assert main(["diff", "--expr", text, "--at", "x=0,y=0", "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["at_least"] is True
    assert answer["exact"] is False
    assert [question.split(" is a limit")[0] for question in answer["open"]] == [
        "whether [1 0]",
        "whether [-1 0]",
    ]
    assert main(["diff", "--expr", text, "--at", "x=0,y=0"]) == 3
    assert "at least 1 vertex" in capsys.readouterr().out


def test_membership_is_proved():
    found = of("abs(x) + abs(y)", [0, 0])
    inside = found.contains([["1/2", "1/3"]])
    assert isinstance(inside, Combination)
    assert sum(inside.weights) == 1
    mean = [
        sum(w * v[0][k] for w, v in zip(inside.weights, found.vertices, strict=True))
        for k in range(2)
    ]
    assert mean == [Fraction(1, 2), Fraction(1, 3)]
    outside = found.contains([[2, 0]])
    assert isinstance(outside, Separator)
    level = [
        sum(a * b for a, b in zip(outside.functional[0], v[0], strict=True)) for v in found.vertices
    ]
    assert max(level) <= outside.level < 2 * outside.functional[0][0]


def test_directional_derivative():
    found = of("max(x, y) - abs(x)", [0, 0])
    assert found.directional([1, 2]) == (1,)
    assert found.directional([-1, -2]) == (-2,)


def network(sizes, seed, act="relu"):
    """A net with small integer weights and no biases: every unit has its kink at the origin."""
    rng = np.random.default_rng(seed)
    params = {"alpha": Fraction(1, 4)} if act == "leaky_relu" else {}
    act = pooled if act == "pool" else act
    return dense_network(sizes, lambda shape: rng.integers(-3, 4, size=shape), act=act, **params)


def pooled(builder, value):
    """The larger of each pair of neighbours."""
    pairs = builder.apply(BY_NAME["reshape"], [value], shape=(1, builder.shape(value)[1] // 2, 2))
    return builder.apply(BY_NAME["reduce_max"], [pairs], axes=(2,), keepdims=False)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("sizes", "act"),
    [([2, 4, 3, 1], "relu"), ([2, 3, 3, 2], "abs"), ([3, 4, 2, 1], "leaky_relu")],
)
def test_limits_are_those_of_ten_thousand_nearby_points(sizes, act, seed):
    graph = network(sizes, seed, act)
    found = jacobian(graph, [0] * sizes[0], "bouligand")
    # the function is positively homogeneous, so that nearby may be anywhere
    points = np.random.default_rng(seed).normal(size=(10_000, sizes[0]))
    near = gradient(graph, points).reshape(10_000, -1)
    seen = {tuple(row) for row in near.round(9).tolist()}
    ours = {tuple(float(a) for row in v for a in row) for v in found.vertices}
    assert seen <= {tuple(round(a, 9) for a in v) for v in ours}
    # in space some cones are too thin to be hit; their proofs are checked below
    assert len(seen) == len(ours) or sizes[0] > 2
    for proof, vertex in zip(found.proofs, found.vertices, strict=True):
        at = gradient(graph, [[float(v) for v in proof.direction]]).reshape(-1)
        assert at == pytest.approx([float(a) for row in vertex for a in row])


def test_max_pooling_ties():
    builder = GraphBuilder()
    x = builder.input("x", (1, 4))
    top = builder.apply(BY_NAME["reduce_max"], [x], "", "amax", axes=(1,), keepdims=False)
    graph = builder.build({"y": top})
    found = jacobian(graph, [1, 1, 0, 1])
    assert rows(found) == {("1", "0", "0", "0"), ("0", "1", "0", "0"), ("0", "0", "0", "1")}
    assert found.autodiff == ((Fraction(1, 3), Fraction(1, 3), 0, Fraction(1, 3)),)
    assert found.autodiff_in_set is True


def test_softmax_and_products_of_axes():
    builder = GraphBuilder()
    x = builder.input("x", (3,))
    graph = builder.build(
        {
            "s": builder.apply(BY_NAME["softmax"], [x], axis=0),
            "p": builder.apply(BY_NAME["prod"], [x], axes=(0,), keepdims=False),
        }
    )
    found = jacobian(graph, [0, 0, 0])
    assert found.vertices[0][0] == (Fraction(2, 9), Fraction(-1, 9), Fraction(-1, 9))
    assert jacobian(graph, [2, 3, 5]).vertices[0][3] == (15, 10, 6)
    slopes = gradient(graph, [[2.0, 3.0, 5.0]])[0]
    assert slopes[3].tolist() == [15, 10, 6]


@pytest.mark.parametrize(
    "text",
    [
        "x^3*y",
        "x/(1+y^2)",
        "sigmoid(x)*tanh(y)",
        "exp(x)*sin(y)",
        "log(2+x^2)",
        "erf(x)+cos(y)",
        "atan(x*y)",
        "sqrt(1+x^2)",
        "asin(x/4)+acos(y/9)",
        "sinh(x)+cosh(y)",
        "tan(x/3)",
        "asinh(x)+acosh(2+y^2)",
        "atanh(x/5)",
        "softplus(x)-max(x,y)",
        "abs(x-y)*clip(x,-9,9)",
    ],
)
def test_gradients_are_difference_quotients(text):
    graph = parse_expression(text).graph
    point = [Fraction(7, 10), Fraction(-13, 10)][: len(graph.inputs)]
    exact = jacobian(graph, point)
    batch = gradient(graph, [[float(v) for v in point]])[0]
    step = Fraction(1, 10**6)
    for axis in range(len(point)):
        ends = []
        for sign in (1, -1):
            moved = [v + sign * step * (k == axis) for k, v in enumerate(point)]
            given = {n: np.array(v, dtype=object) for n, v in zip(graph.inputs, moved, strict=True)}
            ends.append(float(next(iter(exact_values(graph, given).values())).item()))
        quotient = (ends[0] - ends[1]) / float(2 * step)
        assert float(exact.vertices[0][0][axis]) == pytest.approx(quotient, rel=1e-5, abs=1e-8)
        assert batch[axis] == pytest.approx(quotient, rel=1e-5, abs=1e-8)


def test_bad_points_are_refused():
    graph = parse_expression("max(x,0) + y").graph
    with pytest.raises(InputError):
        jacobian(graph, [1])
    with pytest.raises(InputError):
        jacobian(graph, {"z": 1, "x": 0, "y": 0})
    with pytest.raises(InputError):
        gradient(graph, [[float("nan"), 0.0]])
    with pytest.raises(InputError):
        gradient(graph, [[1.0]])
    with pytest.raises(DomainError):
        of("1/x", [0])
    with pytest.raises(UnsupportedError):
        jacobian(network([3, 12, 12, 1], 0), [0, 0, 0], limit=5)


@pytest.mark.parametrize(
    ("op", "params", "at", "pytorch", "jax"),
    [
        # observed with PyTorch 2.13 and JAX 0.10.2
        ("relu", {}, [0], [0], [0]),
        ("abs", {}, [0], [0], [1]),
        ("leaky_relu", {"alpha": Fraction(1, 4)}, [0], ["1/4"], [1]),
        ("prelu", {}, [0, "1/4"], ["1/4", 0], [1, 0]),
        ("elu", {"alpha": Fraction(1, 2), "beta": Fraction(1)}, [0], ["1/2"], ["1/2"]),
        ("clip", {"lo": Fraction(-1), "hi": Fraction(2)}, [-1], [1], ["1/2"]),
        ("clip", {"lo": Fraction(-1), "hi": Fraction(2)}, [2], [1], ["1/2"]),
        ("clip", {"lo": None, "hi": Fraction(2)}, [2], [1], ["1/2"]),
        ("clip", {"lo": Fraction(1), "hi": Fraction(1)}, [1], [1], ["1/4"]),
        ("maximum", {}, [3, 3], ["1/2", "1/2"], ["1/2", "1/2"]),
        ("minimum", {}, [3, 3], ["1/2", "1/2"], ["1/2", "1/2"]),
        ("sign", {"at_zero": Fraction(0)}, [0], [0], [0]),
        ("floor", {}, [2], [0], [0]),
        ("step", {"at_zero": Fraction(0)}, [0], [0], [0]),
        ("less", {}, [1, 1], [0, 0], [0, 0]),
        ("equal", {}, [1, 1], [0, 0], [0, 0]),
    ],
)
def test_conventions_of_frameworks(op, params, at, pytorch, jax):
    builder = GraphBuilder()
    inputs = [builder.input(f"x{k}", ()) for k in range(len(at))]
    function = "clamp" if op == "clip" else ""
    node = builder.apply(BY_NAME[op], inputs, "", function, **params)
    found = jacobian(builder.build({"y": node}), at)
    assert found.autodiff == (tuple(map(Fraction, pytorch)),)
    assert found.autodiff_jax == (tuple(map(Fraction, jax)),)
    assert found.autodiff_differs is (pytorch != jax)


def test_a_tie_is_split_evenly_by_both():
    builder = GraphBuilder()
    x = builder.input("x", (1, 4))
    top = builder.apply(BY_NAME["reduce_max"], [x], "", "amax", axes=(1,), keepdims=False)
    found = jacobian(builder.build({"y": top}), [1, 1, 0, 1])
    assert found.autodiff == found.autodiff_jax


def test_jax_is_told_where_it_differs(capsys):
    # by hand: the Clarke set is [-1, 0]; PyTorch has 0 - 1, JAX has 1 - 1/2
    arguments = ["diff", "--expr", "abs(x) - clip(x, 0, 1)", "--at", "x=0"]
    assert main([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["autodiff"], answer["autodiff_in_clarke"]) == ([["-1"]], True)
    assert (answer["autodiff_jax"], answer["autodiff_jax_in_clarke"]) == ([["1/2"]], False)
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "automatic differentiation by JAX: [1/2], NOT in the Clarke set"
    )
    assert main(["diff", "--expr", "relu(x)", "--at", "x=0", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["autodiff_jax"] is None
    assert answer["autodiff_jax_in_clarke"] is None


@pytest.mark.parametrize(
    ("text", "rows", "where", "number"),
    [
        ("log(x)", [[-1.0]], "log(x)", "Row 0"),
        ("log(x)+y", [[1.0, 0.0], [-1.0, 2.0]], "log(x)", "Row 1"),
        ("max(log(x),0)", [[2.0], [0.0]], "log(x)", "Row 1"),
        ("y/x", [[1.0, 1.0], [1.0, 0.0]], "y/x", "Row 1"),
        ("sqrt(x)+x^(1/2)", [[-4.0]], "sqrt(x)", "Row 0"),
        ("acosh(x)", [[0.5]], "acosh(x)", "Row 0"),
    ],
)
def test_rows_outside_the_domain_are_named(text, rows, where, number):
    graph = parse_expression(text).graph
    with pytest.raises(DomainError, match="has no value") as caught:
        gradient(graph, rows)
    assert caught.value.where == where
    assert caught.value.what.startswith(number)
    lost = int(number.split()[1])
    found = gradient(graph, rows, partial=True)
    assert np.isnan(found[lost]).all()
    assert np.isfinite(np.delete(found, lost, axis=0)).all()


@pytest.mark.parametrize(
    ("text", "row", "slopes"),
    [
        ("0*sqrt(abs(x))+x", [0.0], [1.0]),
        ("sqrt(max(x,0))", [-1.0], [0.0]),
        ("asin(clip(x,-1,1))", [5.0], [0.0]),
        ("max(x,0)*sqrt(max(x-5,0))+y", [0.0, 1.0], [0.0, 1.0]),
    ],
)
def test_infinities_of_dead_branches_cancel(text, row, slopes):
    assert gradient(parse_expression(text).graph, [row]).tolist() == [slopes]


def test_a_row_where_the_function_is_steep_has_no_gradient():
    with pytest.raises(DomainError, match=r"row 1 .*not Lipschitz"):
        gradient(parse_expression("sqrt(x)").graph, [[1.0], [0.0]])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["field", "cells", "surface"])
def test_a_figure_says_where_there_is_no_value(kind, capsys, tmp_path):
    arguments = ["plot", kind, "--expr", "max(log(x),0)+y", "--box", "-1:1"]
    assert main([*arguments, "-o", str(tmp_path / "a.png"), "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any("no value on 50% of the figure" in note for note in notes)
