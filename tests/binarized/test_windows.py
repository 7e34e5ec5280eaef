"""Convolutional networks as threshold neurons over windows: the reading is that of the model."""

from fractions import Fraction

import numpy as np
import onnx
import pytest
from convolutions import convolutional
from corpus import onnx_model
from onnx import helper

import tamecheck as tc
from tamecheck.binarized import recognise_windows
from tamecheck.binarized.windows import WindowLayer
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate import exact_values

FORMS = [{}, {"pooled": True}, {"normalised": True}, {"pooled": True, "normalised": True}]


def scores(graph, point):
    found = exact_values(graph, graph.split([Fraction(v) for v in point.tolist()]))
    return [int(v) for v in found[graph.outputs[0][0]].reshape(-1).tolist()]


def exactly(layer, point):
    """Which neurons are 1, by rationals alone."""
    x = [Fraction(v) for v in point.tolist()]
    sums = [
        [
            sum((w * x[i] for i, w in zip(p, row, strict=True) if i >= 0), Fraction(0))
            for row in rows
        ]
        for p in layer.windows.tolist()
        for rows in [layer.weights.tolist()]
    ]
    return [
        any(sums[p][c] >= layer.upper[c] for p in group)
        for group in layer.groups.tolist()
        for c in range(layer.channels)
    ]


@pytest.mark.parametrize("kind", ["halves", "decimals", "single", "tiny"])
def test_neurons_are_exact_at_thresholds_that_floats_do_not_tell_from_sums(kind):
    """Thresholds are sums that occur, and numbers next to these, nearer than floats are."""
    near = [Fraction(0), Fraction(1, 1 << 90), -Fraction(1, 1 << 90), Fraction(1, 1 << 50)]
    missed = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        point = rng.integers(-40, 41, 9) / 2
        if kind != "halves":
            point /= 10
        if kind == "single":
            point = point.astype(np.float32).astype(np.float64)
        if kind == "tiny":
            point[::3] *= 1e-12
        windows, weights = rng.integers(-1, 9, (6, 5)), rng.choice([-2, -1, 1, 3], (4, 5))
        x = [Fraction(v) for v in point.tolist()]
        ends = tuple(
            sum((int(w) * x[i] for i, w in zip(windows[c], row, strict=True) if i >= 0), near[c])
            for c, row in enumerate(weights)
        )
        groups = np.arange(6).reshape(3, 2)
        layer = WindowLayer(windows, weights, groups, ends, ends)
        known = exactly(layer, point)
        assert layer.held(point).tolist() == known
        floats = (layer.sums(point) >= np.array(list(map(float, ends))))[groups].any(axis=1)
        missed += floats.reshape(-1).tolist() != known
    assert missed > 3  # where floats alone are wrong


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("dense", [0, 5])
def test_the_network_is_the_model(tmp_path, form, dense):
    for seed in range(3):
        path = convolutional(tmp_path / "net.onnx", seed, dense=dense, **form)
        graph = tc.load(path).graph
        network = recognise_windows(graph)
        rng = np.random.default_rng(seed)
        for _ in range(5):
            # halves, so that ties occur
            point = rng.integers(-4, 5, 25) / 2
            states = network.evaluate(point)[-1].astype(np.int64)
            own = network.readout.weights @ states
            assert own.tolist() == scores(graph, point)


@pytest.mark.parametrize("compare", ["Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
@pytest.mark.parametrize("ends", [(1, -1), (0, 1), (-3, 5)])
def test_ties_and_steps_are_read_as_the_graph_says(tmp_path, compare, ends):
    constants = {
        "w": [[1, 1, 2], [1, -1, 3]], "t": [0, 0.5, 0.25], "yes": ends[0], "no": ends[1],
        "v": [[1], [2], [4]], "u": [0.5],
    }  # fmt: skip
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node(compare, ["a", "t"], ["k"]),
        helper.make_node("Where", ["k", "yes", "no"], ["s"]),
        helper.make_node("MatMul", ["s", "v"], ["b"]),
        helper.make_node("Add", ["b", "u"], ["y"]),
    ]
    stored = {k: np.float32(v) for k, v in constants.items()}
    model = onnx_model(nodes, [1, 2], stored, {"y": [1, 1]}, opset=15)
    onnx.save(model, tmp_path / "steps.onnx")
    graph = tc.load(tmp_path / "steps.onnx").graph
    network = recognise_windows(graph)
    (layer,) = network.layers
    for point in ([0.0, 0.0], [0.25, -0.25], [0.5, 0.5], [1.0, 2.0], [-1.0, 0.125]):
        sums = layer.sums(np.array(point))[0].tolist()
        # what counts as below at a threshold is in the gap, where either may be
        held = [
            v >= upper if v >= upper or v < lower else False
            for v, lower, upper in zip(sums, layer.lower, layer.upper, strict=True)
        ]
        states = np.array([1 if one else -1 for one in held], dtype=object)
        own = network.readout.scale * (network.readout.weights[0].astype(object) @ states)
        expected = exact_values(graph, graph.split([Fraction(v) for v in point]))
        (value,) = expected[graph.outputs[0][0]].reshape(-1).tolist()
        ties = any(low <= v < up for v, low, up in zip(sums, layer.lower, layer.upper, strict=True))
        assert ties or own + network.readout.offsets[0] == value, point
        if ties:
            others = layer.upper != layer.lower
            assert others


def test_parts_that_are_joined_are_refused(tmp_path):
    """A sign beside a constant: nothing is dropped without a word."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Sign", ["a"], ["s"]),
        helper.make_node("Add", ["s", "tenth"], ["t"]),
        helper.make_node("Sign", ["t"], ["b"]),
        helper.make_node("Concat", ["b", "c"], ["j"], axis=1),
        helper.make_node("MatMul", ["j", "v"], ["y"]),
    ]
    constants = {
        "w": np.ones((3, 2)), "c": np.ones((1, 2)), "v": np.ones((4, 2)), "tenth": np.array(0.1),
    }  # fmt: skip
    stored = {k: np.float32(v) for k, v in constants.items()}
    model = onnx_model(nodes, [1, 3], stored, {"y": [1, 2]}, opset=15)
    onnx.save(model, tmp_path / "joined.onnx")
    with pytest.raises(UnsupportedError):
        recognise_windows(tc.load(tmp_path / "joined.onnx").graph)


def test_what_is_no_such_network_is_named():
    for text in ("sin(x)", "x", "relu(x) - 1", "sign(x) * x"):
        with pytest.raises(UnsupportedError):
            recognise_windows(tc.expression(text).graph)
