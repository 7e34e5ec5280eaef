"""Networks as the quantiser of onnxruntime writes them: its values, and semilinear everywhere."""

import numpy as np
import onnx
import pytest
from corpus import onnx_model
from onnx import helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from tamecheck.evaluate import float_values
from tamecheck.ir.box import Box
from tamecheck.ir.structure import Structure
from tamecheck.ir.verdict import Verdict
from tamecheck.loaders.onnx import load_onnx
from tamecheck.tame import check
from tests.load.onnx.test_quantised import F32, runtime


class Calibration(CalibrationDataReader):
    def __init__(self, shape):
        self.points = iter(normal(seed, shape) for seed in range(4))

    def get_next(self):
        return next(self.points, None)


def normal(seed, shape):
    return {"x": np.random.default_rng(seed).normal(size=shape).astype(F32)}


def network():
    """A convolution, a residual sum, poolings, a concatenation and two matrix products."""

    def node(op, inputs, output, **attributes):
        return helper.make_node(op, inputs.split(), [output], output, **attributes)

    random = np.random.default_rng(3)
    stored = {
        "w": random.normal(size=(3, 1, 3, 3)),
        "b": random.normal(size=3),
        "v": random.normal(size=(3, 3, 3, 3)),
        "m": random.normal(size=(6, 5)),
        "n": random.normal(size=(5, 4)),
    }
    nodes = [
        node("Conv", "x w b", "a", pads=[1, 1, 1, 1]),
        node("Relu", "a", "c"),
        node("MaxPool", "c", "d", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "d v", "e", pads=[1, 1, 1, 1]),
        node("LeakyRelu", "e", "f", alpha=0.125),
        node("Add", "d f", "g"),
        node("AveragePool", "g", "h", kernel_shape=[2, 2], strides=[2, 2]),
        node("Concat", "h h", "i", axis=1),
        node("GlobalAveragePool", "i", "j"),
        node("Flatten", "j", "k"),
        node("MatMul", "k m", "l"),
        node("Relu", "l", "o"),
        node("MatMul", "o n", "y"),
    ]
    arrays = {name: array.astype(F32) for name, array in stored.items()}
    return onnx_model(nodes, (1, 1, 8, 8), arrays, {"y": (1, 4)}, opset=21, ir_version=10)


KINDS = [
    *((QuantFormat.QOperator, QuantType.QUInt8, QuantType.QInt8),),
    *((QuantFormat.QOperator, QuantType.QInt8, QuantType.QInt8),),
    *((QuantFormat.QDQ, QuantType.QUInt8, QuantType.QUInt8),),
    *((QuantFormat.QDQ, QuantType.QUInt16, QuantType.QInt8),),
    *((QuantFormat.QDQ, QuantType.QInt8, QuantType.QInt4),),
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(str(part) for part in kind))
@pytest.mark.parametrize("by_channel", [False, True])
def test_networks_of_the_quantiser_of_onnxruntime(kind, by_channel, tmp_path):
    form, activations, weights = kind
    onnx.save(network(), tmp_path / "float.onnx")
    quantize_static(
        *(tmp_path / "float.onnx", tmp_path / "q.onnx", Calibration((1, 1, 8, 8))),
        quant_format=form,
        activation_type=activations,
        weight_type=weights,
        per_channel=by_channel,
        reduce_range=True,
    )
    graph = load_onnx(tmp_path / "q.onnx").graph
    run = runtime(onnx.load(tmp_path / "q.onnx"))
    apart = []
    for seed in range(20):
        point = normal(seed, (1, 1, 8, 8))
        (want,) = run(point)
        apart.append(
            np.abs(float_values(graph, point)["y"] - want).max() / (1 + np.abs(want).max())
        )
    # a mean of integers may be a tie, which float32 takes to its other side: few steps of many
    assert max(apart) < 0.1
    assert np.median(apart) < 1e-6
    answer = check(graph, Box.everything())
    assert answer.structure == Structure.RATIONAL_SEMILINEAR


def recurrent():
    """Two directions of an LSTM, and a matrix product of its last state."""
    random = np.random.default_rng(4)
    stored = {
        "w": random.normal(size=(2, 12, 4)),
        "r": random.normal(size=(2, 12, 3)),
        "b": random.normal(size=(2, 24)),
        "m": random.normal(size=(6, 2)),
    }
    nodes = [
        helper.make_node(
            "LSTM", ["x", "w", "r", "b"], ["", "h"], hidden_size=3, direction="bidirectional"
        ),
        helper.make_node("Reshape", ["h", "shape"], ["k"]),
        helper.make_node("MatMul", ["k", "m"], ["y"]),
    ]
    arrays = {name: array.astype(F32) for name, array in stored.items()}
    arrays["shape"] = np.array([1, 6])
    return onnx_model(nodes, (3, 1, 4), arrays, {"y": (1, 2)}, opset=17)


@pytest.mark.slow
@pytest.mark.parametrize("weights", [QuantType.QUInt8, QuantType.QInt8])
@pytest.mark.parametrize("by_channel", [False, True])
@pytest.mark.parametrize(("make", "shape"), [(network, (1, 1, 8, 8)), (recurrent, (3, 1, 4))])
def test_networks_that_are_quantised_on_the_way(make, shape, weights, by_channel, tmp_path):
    onnx.save(make(), tmp_path / "float.onnx")
    quantize_dynamic(
        *(tmp_path / "float.onnx", tmp_path / "q.onnx"),
        weight_type=weights,
        per_channel=by_channel,
        reduce_range=True,
    )
    graph = load_onnx(tmp_path / "q.onnx").graph
    run = runtime(onnx.load(tmp_path / "q.onnx"))
    apart = []
    for seed in range(20):
        point = normal(seed, shape)
        (want,) = run(point)
        found = float_values(graph, point)["y"]
        apart.append(np.abs(found - want).max() / (1 + np.abs(want).max()))
    # the scale is rounded to float32, which may move a number to the next integer
    assert max(apart) < 0.1
    assert np.median(apart) < 1e-6
    assert check(graph, Box.everything()).verdict == Verdict.TAME
