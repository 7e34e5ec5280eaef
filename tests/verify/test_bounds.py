"""Bounds contain the exact values, on random networks and against the rounding of floats."""

import json
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.bounds.ascent import SignAscent, ascend, kinks, raise_rows
from tamecheck.bounds.builder import layers_of
from tamecheck.bounds.crown import bound
from tamecheck.bounds.layers import Dense, Pointwise
from tamecheck.bounds.opposites import join_opposites
from tamecheck.bounds.propagation import Functional, add_rows, back, least_on
from tamecheck.budget import Budget
from tamecheck.evaluate import exact_values
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.floats import FLOATS
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.kernel_pwl import check
from tamecheck.ops import BY_NAME
from tamecheck.verification.split_proofs import SplitProofs


def network(rng, kinds, sizes=(3, 5, 5, 4)):
    build = GraphBuilder()
    node = build.input("x", (1, sizes[0]))
    for kind, before, after in zip(kinds, sizes, sizes[1:], strict=False):
        weight = build.constant(rng.normal(size=(before, after)).astype(np.float32))
        node = build.apply(BY_NAME["matmul"], [node, weight])
        shift = build.constant(rng.normal(size=after).astype(np.float32))
        node = build.apply(BY_NAME["add"], [node, shift])
        params = {
            "leaky_relu": {"alpha": Fraction(1, 10)},
            "clip": {"lo": Fraction(-1, 2), "hi": Fraction(7, 10)},
            "sign": {"at_zero": Fraction(0)},
            "step": {"at_zero": Fraction(1)},
            "pow": {"exponent": Fraction(3)},
            "round": {"mode": ["half_even", "half_away", "toward_zero"][rng.integers(3)]},
            "reduce_max": {"axes": (1,), "keepdims": True},
        }.get(kind, {})
        if kind == "mul":
            node = build.apply(BY_NAME["mul"], [node, node])
        elif kind == "select":
            # also by numbers other than 0 and 1, of which 0 is one value
            ends = [node, build.constant([[Fraction(k - 1, 3) for k in range(after)]])]
            test = build.apply(BY_NAME["round"], [node], mode="half_even")
            node = build.apply(BY_NAME[kind], [test, *rng.permuted([*ends]).tolist()])
        elif kind in ("maximum", "minimum", "less", "less_equal", "equal"):
            node = build.apply(BY_NAME[kind], [node, build.apply(BY_NAME["neg"], [node])])
        elif kind == "reduce_max":
            top = build.apply(BY_NAME[kind], [node], **params)
            node = build.apply(BY_NAME["sub"], [node, top])
        else:
            node = build.apply(BY_NAME[kind], [node], **params)
    return build.build({"y": node})


KINDS = ["relu", "leaky_relu", "abs", "clip", "sign", "step", "mul", "pow", "maximum", "minimum"]
KINDS += [
    "less",
    "less_equal",
    "equal",
    "select",
    "reduce_max",
    "sigmoid",
    "tanh",
    "sin",
    "cos",
    "exp",
    "floor",
    "ceil",
    "round",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1e-6, 0.3, 2.0])
def test_bounds_and_functionals_contain_exact_values(kind, width):
    rng = np.random.default_rng(len(kind) + int(10 * width))
    graph = network(rng, [kind, "relu", kind if kind not in ("pow", "exp", "mul") else "relu"])
    layers = layers_of(graph)
    centre = rng.normal(size=(4, 3))
    lower, upper = centre - width, centre + width
    state = bound(layers, lower, upper)
    a = rng.normal(size=(1, 6, layers.sizes[-1]))
    least = least_on(state.bounds[0], back(state, layers.output, a))
    for box in range(4):
        for corner in (0.0, 1.0, rng.random(3), rng.integers(0, 2, 3)):
            x = np.clip(lower[box] + (upper[box] - lower[box]) * corner, lower[box], upper[box])
            exact = exact_values(graph, {"x": x[np.newaxis]})["y"].reshape(-1)
            values = [v if isinstance(v, Fraction) else Fraction(float(v.mid())) for v in exact]
            slack = 0 if all(isinstance(v, Fraction) for v in exact) else Fraction(1, 2**80)
            for value, low, high in zip(
                values, state.bounds[-1].lower[box], state.bounds[-1].upper[box], strict=True
            ):
                assert Fraction(low) - slack <= value <= Fraction(high) + slack
            for row in range(6):
                total = sum(Fraction(c) * v for c, v in zip(a[0, row], values, strict=True))
                assert Fraction(least[box, row]) <= total + slack


def test_wide_networks_are_bounded_forward_and_soundly():
    rng = np.random.default_rng(5)
    graph = network(rng, ["relu", "relu", "leaky_relu"], (2, 130, 130, 3))
    layers = layers_of(graph)
    lower = rng.normal(size=(3, 2))
    state = bound(layers, lower, lower + 0.25)
    for box in range(3):
        for corner in (0.0, 0.5, 1.0):
            x = lower[box] + 0.25 * corner
            exact = exact_values(graph, {"x": x[np.newaxis]})["y"].reshape(-1)
            for value, low, high in zip(
                exact, state.bounds[-1].lower[box], state.bounds[-1].upper[box], strict=True
            ):
                assert Fraction(low) <= value <= Fraction(high)


def test_a_point_box_gives_bounds_that_are_not_narrower_than_the_truth():
    # thousands of terms of wildly different size, so that float sums lose digits
    rng = np.random.default_rng(1)
    build = GraphBuilder()
    x = build.input("x", (1, 2000))
    weight = (rng.normal(size=(2000, 1)) * 10.0 ** rng.integers(-8, 9, (2000, 1))).astype("f4")
    graph = build.build({"y": build.apply(BY_NAME["matmul"], [x, build.constant(weight)])})
    layers = layers_of(graph)
    for _ in range(20):
        point = rng.normal(size=(1, 2000))
        state = bound(layers, point, point)
        value = exact_values(graph, {"x": point})["y"].reshape(-1)[0]
        least = least_on(state.bounds[0], back(state, layers.output, np.ones((1, 1, 1))))
        assert (
            Fraction(state.bounds[-1].lower[0, 0])
            <= value
            <= Fraction(state.bounds[-1].upper[0, 0])
        )
        assert Fraction(least[0, 0]) <= value


def test_every_node_without_linear_bounds_is_listed():
    graph = tc.expression("atan(x) + erf(y)").graph
    with pytest.raises(tc.UnsupportedError) as error:
        layers_of(graph)
    assert len(error.value.nodes) == 2


def test_values_agree_with_evaluation():
    rng = np.random.default_rng(3)
    graph = network(rng, ["relu", "reduce_max", "maximum"])
    layers = layers_of(graph)
    x = rng.normal(size=(7, 3))
    found = layers.values(x)[-1]
    for number in range(7):
        exact = exact_values(graph, {"x": x[number : number + 1]})["y"].reshape(-1)
        assert np.allclose(found[number], [float(v) for v in exact], atol=1e-12)


def test_gradients_agree_with_differences():
    rng = np.random.default_rng(4)
    graph = network(rng, ["tanh", "mul", "relu"])
    layers = layers_of(graph)
    x = rng.normal(size=(1, 3))
    weights = rng.normal(size=(1, layers.sizes[-1]))
    slope = layers.gradient(layers.values(x), weights)[0]
    for axis in range(3):
        step = np.zeros((1, 3))
        step[0, axis] = 1e-6
        ends = [float((layers.values(x + s)[-1] * weights).sum()) for s in (step, -step)]
        assert np.isclose(slope[axis], (ends[0] - ends[1]) / 2e-6, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_opposite_rectifiers_are_joined_and_bounded_soundly(seed):
    rng = np.random.default_rng(seed)
    build = GraphBuilder()
    node = build.input("x", (1, 3))
    for before, pairs, alone, after in ((3, 4, 2, 4), (4, 3, 1, 2)):
        own = rng.integers(-3, 4, (before, pairs)) / 2
        shift = rng.integers(-2, 3, pairs) / 2
        single = rng.normal(size=(before, alone))
        order = rng.permutation(2 * pairs + alone)
        weight = np.concatenate([own, -own, single], axis=1)[:, order].astype(np.float32)
        offset = np.concatenate([shift, -shift, rng.normal(size=alone)])[order].astype(np.float32)
        top = rng.integers(-2, 3, (pairs, after)) / 2
        # passed on, folded, both, or with coefficients that have nothing in common
        turn = rng.choice([-1, 1, 2, 0], (pairs, 1))
        out = np.concatenate([top, top * turn, rng.normal(size=(alone, after))])[order]
        node = build.apply(BY_NAME["matmul"], [node, build.constant(weight)])
        node = build.apply(BY_NAME["add"], [node, build.constant(offset)])
        node = build.apply(BY_NAME["relu"], [node])
        node = build.apply(BY_NAME["matmul"], [node, build.constant(out.astype(np.float32))])
    graph = build.build({"y": node})
    layers = layers_of(graph)
    joined = join_opposites(layers)
    assert layers.sharp
    assert any(isinstance(one, Pointwise) and not one.scalar.kinked for one in joined.computed)
    points = rng.normal(size=(50, 3))
    assert np.allclose(layers.values(points)[-1], joined.values(points)[-1], atol=1e-12)
    lower = points[:4]
    for most in (0, 2, np.inf):
        state = bound(joined, lower, lower + 0.5, most=most)
        least = least_on(state.bounds[0], back(state, joined.output, np.eye(2)[np.newaxis]))
        for box in range(4):
            for corner in (0.0, 0.5, *rng.random((3, 3))):
                x = lower[box] + 0.5 * corner
                exact = exact_values(graph, {"x": x[np.newaxis]})["y"].reshape(-1).tolist()
                for j, value in enumerate(exact):
                    assert Fraction(state.bounds[-1].lower[box, j]) <= value
                    assert value <= Fraction(state.bounds[-1].upper[box, j])
                    assert Fraction(least[box, j]) <= value


def test_rectifiers_with_rounded_constants_stay_apart():
    third = Fraction(1, 3)
    build = GraphBuilder()
    x = build.input("x", (1, 1))
    weight = np.array([[third, -third]], dtype=object)
    node = build.apply(BY_NAME["matmul"], [x, build.constant(weight)])
    node = build.apply(BY_NAME["relu"], [node])
    out = build.constant(np.array([[1.0], [-1.0]], dtype=np.float32))
    layers = layers_of(build.build({"y": build.apply(BY_NAME["matmul"], [node, out])}))
    assert join_opposites(layers) is layers


def test_sums_of_rows_are_bounded_from_below():
    """Against exact arithmetic; and the sum is at least as good as the best row."""
    rng = np.random.default_rng(3)
    for _ in range(40):
        boxes, rows, size = (int(v) for v in rng.integers(1, 6, 3))
        lower = rng.normal(0, 10.0 ** rng.integers(-8, 9), (boxes, size))
        box = Interval(lower, lower + rng.exponential(1, lower.shape))
        a, at = rng.normal(0, 1, (boxes, rows, size)), rng.normal(0, 3, (boxes, rows))
        found = Functional(a, at, np.zeros(at.shape))
        members = rng.random((boxes, rows)) < 0.8
        weights, total = add_rows(box, found, members)
        assert (weights >= 0).all()
        assert (weights[~members] == 0).all()
        least = least_on(box, total)[:, 0]
        single = np.where(members, least_on(box, found), -np.inf).max(-1)
        for k in range(boxes):
            ends = [[Fraction(v) for v in side[k].tolist()] for side in (box.lower, box.upper)]
            exact = sum(Fraction(w) * Fraction(v) for w, v in zip(weights[k], at[k], strict=True))
            for j in range(size):
                c = sum(Fraction(weights[k, r]) * Fraction(a[k, r, j]) for r in range(rows))
                exact += min(c * ends[0][j], c * ends[1][j])
            assert Fraction(least[k]) <= exact
            assert not members[k].any() or least[k] >= single[k] - 1e-6 * (1 + abs(single[k]))


def test_sparse_matrices_give_the_same_products():
    """Columns and rows may be empty, or have different numbers of entries."""
    rng = np.random.default_rng(5)
    for case in range(12):
        rows, columns = (80, 60) if case % 2 else (64, 200)
        weight = np.zeros((rows, columns))
        if case % 3 == 0:
            weight[rng.integers(rows, size=columns), np.arange(columns)] = rng.normal(size=columns)
        elif case > 1:
            at = rng.integers(rows, size=150), rng.integers(columns, size=150)
            weight[at] = rng.normal(size=150)
        layer = Dense.of(0, weight, (1, rows), (1, columns), left=False)
        assert layer.sparse is not None
        x, a = rng.normal(size=(3, 2, rows)), rng.normal(size=(2, columns))
        assert np.allclose(layer.apply([x]), x @ weight, atol=1e-12)
        assert np.allclose(layer.absolute([x]), x @ np.abs(weight), atol=1e-12)
        assert np.allclose(layer.adjoint(a)[0], a @ weight.T, atol=1e-12)
        assert layer.terms == np.count_nonzero(weight, axis=0).max()
    assert Dense.of(0, np.ones((80, 60)), (1, 80), (1, 60), left=False).sparse is None


@pytest.mark.parametrize("seed", range(4))
def test_raised_rows_stay_below_the_function_on_each_box(seed):
    """Weighted rows with other lines below rectifiers: no worse than at first, and true."""
    rng = np.random.default_rng(seed)
    layers = layers_of(network(rng, ["relu", "relu", "neg"]))
    lower = rng.uniform(-1, 0.5, (6, layers.inputs))
    upper = lower + rng.uniform(0, 0.5, lower.shape)
    state = bound(layers, lower, upper).pick(np.array([5, 0, 2]))
    rows = layers.sizes[-1]
    weights = rng.dirichlet(np.ones(rows), 3)
    members = np.ones((3, rows), dtype=bool)
    first, last = (raise_rows(state, weights, members, steps) for steps in (1, 12))
    assert (last.bound >= first.bound).all()
    low, high = state.bounds[0].lower, state.bounds[0].upper
    for point in low + rng.uniform(size=(200, *low.shape)) * (high - low):
        total = (last.choice["rows", 0] * layers.values(point)[-1]).sum(-1)
        assert (total >= last.bound - 1e-9).all()


def padded(rng, width):
    """Sums of three neighbours, with a constant beside the first, a rectifier, and again."""
    build = GraphBuilder()
    node = build.input("x", (1, width))
    for before, after in ((width, 4), (4, 3)):
        node = build.apply(
            BY_NAME["pad"], [node], before=(0, 1), after=(0, 0), value=Fraction(1, 3)
        )
        weight = build.constant(rng.normal(size=(before + 1, after)).astype(np.float32))
        node = build.apply(BY_NAME["matmul"], [node, weight])
        shift = build.constant(rng.normal(size=after).astype(np.float32))
        node = build.apply(BY_NAME["relu"], [build.apply(BY_NAME["add"], [node, shift])])
    weight = build.constant(rng.normal(size=(3, 2)).astype(np.float32))
    return build.build({"y": build.apply(BY_NAME["matmul"], [node, weight])})


def test_planes_above_rectifiers_are_sound_and_better_than_lines():
    rng, gains = np.random.default_rng(3), 0
    for _ in range(4):
        graph = padded(rng, 8)
        layers = layers_of(graph)
        lower = rng.normal(size=(1, 8))
        upper = lower + rng.random((1, 8)) * 2
        state = bound(layers, lower, upper)
        tree = SignAscent(state)
        choice = {("rows", 0): rng.normal(size=(1, 2)), **tree.first}
        for index, arg in kinks(layers):
            ends = state.bounds[arg]
            choice["slope", index] = (ends.upper > -ends.lower).astype(float)
        members = np.array([[True, False]])
        lines, planes = (
            ascend(state, choice, {}, steps=12, members=members, windows=windows)
            for windows in ({}, tree.windows)
        )
        gains += planes.bound[0] > lines.bound[0] + 1e-3
        corners = (lower + (upper - lower) * rng.integers(0, 2, 8) for _ in range(8))
        for x in (planes.points, lines.points, *corners):
            exact = exact_values(graph, {"x": x})["y"].reshape(-1)
            total = sum(Fraction(c) * v for c, v in zip(choice["rows", 0][0], exact, strict=True))
            assert Fraction(planes.bound[0]) <= total
    assert gains


def beside(count):
    """The difference x_0 - max(x_0 + x_1, 0), of so many inputs."""
    build = GraphBuilder()
    x = build.input("x", (1, count))
    weights = np.eye(count, 2, dtype=int)
    total = build.apply(BY_NAME["matmul"], [x, build.constant(weights.sum(1, keepdims=True))])
    first = build.apply(BY_NAME["matmul"], [x, build.constant(weights[:, :1])])
    bent = build.apply(BY_NAME["relu"], [total])
    return build.build({"y": build.apply(BY_NAME["sub"], [first, bent])})


def test_the_plane_above_a_sum_is_a_facet():
    # it is at least -1 on [-1, 1]^2; the line above shows -2
    layers = layers_of(beside(2))
    state = bound(layers, np.full((1, 2), -1.0), np.ones((1, 2)))
    tree = SignAscent(state)
    ((index, _),) = kinks(layers)
    choice = {("rows", 0): np.ones((1, 1)), ("slope", index): np.ones((1, 1)), **tree.first}
    found = tree.ascend(state, choice, {}, np.ones((1, 1), dtype=bool), -1.01)
    assert -1.01 < found.bound[0] <= -1


@pytest.mark.parametrize("arithmetic", [None, FLOATS["float32"]])
def test_planes_stand_in_certificates(arithmetic):
    names = (TensorName("X", (1, 48)),), (TensorName("Y", (1, 1)),)
    row = Inequality((), ((0, Fraction(1)),), Fraction(-11, 10), strict=False)
    unsafe = Case((Fraction(-1),) * 48, (Fraction(1),) * 48, (), (row,))
    proofs = SplitProofs.of(beside(48), Specification(*names, (unsafe,)), arithmetic)
    assert proofs.find(Budget.of(10))
    document = proofs.certificate()
    ((_, _, step),) = document["proofs"]
    assert len(step[4][0]) == 2 + 2 + 48
    assert check(json.dumps(document)).verdict == "valid"


def test_no_bounds_are_tightened_when_time_is_over():
    layers = layers_of(padded(np.random.default_rng(1), 20))
    box = np.zeros((1, 20)), np.ones((1, 20))
    late, plain, full = (
        bound(layers, *box, **options)
        for options in ({"budget": Budget.of(0)}, {"most": 0}, {"budget": Budget.of(60)})
    )
    assert all((a.lower == b.lower).all() for a, b in zip(late.bounds, plain.bounds, strict=True))
    assert any((a.lower < b.lower).any() for a, b in zip(late.bounds, full.bounds, strict=True))
