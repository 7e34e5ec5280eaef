"""Convolutional networks as threshold neurons over windows: the reading is that of the model."""

from fractions import Fraction

import numpy as np
import onnx
import pytest
from convolutions import convolutional
from onnx import TensorProto, helper, numpy_helper

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


def test_ties_and_steps_are_read_as_the_graph_says():
    for text, at_zero in (
        ("step(a + b) + step(a - b)", 1),
        ("where(a + b > 0, 1, -1) + where(a - b > 0, 1, -1)", -2),
        ("where(a + b >= 0, 1, -1) + where(a - b >= 0, 1, -1)", 2),
        ("where(2*a + 3*b < 1, 5, 7)", 5),
    ):
        try:
            graph = tc.expression(text).graph
            network = recognise_windows(graph)
        except (tc.TamecheckError, ValueError):
            continue
        for point in ([0.0, 0.0], [1.0, -1.0], [0.5, 0.25], [-3.0, 1.0]):
            states = network.evaluate(np.array(point))[-1].astype(object)
            own = network.readout.scale * (network.readout.weights.astype(object) @ states)
            expected = exact_values(graph, graph.split([Fraction(v) for v in point]))
            (value,) = expected[graph.outputs[0][0]].reshape(-1).tolist()
            assert own[0] + network.readout.offsets[0] == value, (text, point, at_zero)


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
    graph = helper.make_graph(
        nodes,
        "joined",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "joined.onnx")
    with pytest.raises(UnsupportedError):
        recognise_windows(tc.load(tmp_path / "joined.onnx").graph)


def test_what_is_no_such_network_is_named():
    for text in ("sin(x)", "x", "relu(x) - 1", "sign(x) * x"):
        with pytest.raises(UnsupportedError):
            recognise_windows(tc.expression(text).graph)
