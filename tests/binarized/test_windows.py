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
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate import exact_values

FORMS = [{}, {"pooled": True}, {"normalised": True}, {"pooled": True, "normalised": True}]


def scores(graph, point):
    found = exact_values(graph, graph.split([Fraction(v) for v in point.tolist()]))
    return [int(v) for v in found[graph.outputs[0][0]].reshape(-1).tolist()]


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
