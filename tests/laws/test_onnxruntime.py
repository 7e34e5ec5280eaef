"""Float values against onnxruntime, an implementation that shares no code with ours."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
import pytest

from tamecheck.evaluate import float_values
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ops import BY_NAME

CASES = [
    ("relu", "Relu", {}, {}),
    ("leaky_relu", "LeakyRelu", {"alpha": Fraction(1, 8)}, {"alpha": 0.125}),
    ("elu", "Elu", {"alpha": Fraction(2), "beta": Fraction(1)}, {"alpha": 2.0}),
    ("sigmoid", "Sigmoid", {}, {}),
    ("tanh", "Tanh", {}, {}),
    ("softplus", "Softplus", {}, {}),
    ("erf", "Erf", {}, {}),
    ("sign", "Sign", {"at_zero": Fraction(0)}, {}),
    ("floor", "Floor", {}, {}),
    ("ceil", "Ceil", {}, {}),
    ("round", "Round", {"mode": "half_even"}, {}),
    ("sin", "Sin", {}, {}),
    ("atan", "Atan", {}, {}),
    ("asinh", "Asinh", {}, {}),
    ("cosh", "Cosh", {}, {}),
    ("softmax", "Softmax", {"axis": 1}, {"axis": 1}),
    ("log_softmax", "LogSoftmax", {"axis": 0}, {"axis": 0}),
    ("argmax", "ArgMax", {"axis": 1, "keepdims": True, "last": False}, {"axis": 1}),
    (
        "argmin",
        "ArgMin",
        {"axis": 1, "keepdims": False, "last": True},
        {"axis": 1, "keepdims": 0, "select_last_index": 1},
    ),
]


@pytest.mark.parametrize(("name", "foreign", "params", "attributes"), CASES, ids=str)
def test_float_value_is_that_of_onnxruntime(name, foreign, params, attributes):
    rng = np.random.default_rng(7)
    points = np.concatenate([np.arange(-5, 5.5, 0.5), rng.standard_normal(11) * 3])
    x = rng.permutation(points).astype(np.float32).reshape(4, 8)
    helper, kinds = onnx.helper, onnx.TensorProto
    result = kinds.INT64 if name.startswith("arg") else kinds.FLOAT
    graph = helper.make_graph(
        [helper.make_node(foreign, ["x"], ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", kinds.FLOAT, [4, 8])],
        [helper.make_tensor_value_info("y", result, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, {"x": x})[0]
    builder = GraphBuilder()
    ours = builder.build(
        {"y": builder.apply(BY_NAME[name], [builder.input("x", x.shape)], **params)}
    )
    found = float_values(ours, {"x": x})["y"]
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=3e-6, atol=3e-7)
