"""Scores that are masked with -inf have the softmax of onnxruntime, and are tame everywhere."""

import numpy as np
import onnxruntime as ort
import pytest
from corpus import onnx_model
from onnx import helper

from tamecheck.errors import UnsupportedError
from tamecheck.evaluate import exact_values, float_values
from tamecheck.ir.box import Box
from tamecheck.loaders.onnx import load_onnx
from tamecheck.tame import check

F32 = np.float32
CAUSAL = np.tril(np.ones((4, 4), bool))
BELOW = np.where(CAUSAL, 0, -np.inf).astype(F32)
STORED = {
    "causal": CAUSAL,
    "ones": CAUSAL.astype(F32),
    "below": BELOW,
    "inf": F32(-np.inf),
    "zero": F32(0),
    "half": F32(0.5),
    "minus": F32(-1),
    "axis": np.array([-1]),
    "nothing": np.full((4, 4), -np.inf, F32),
}


def model(lines, shape=(2, 4, 4)):
    """A model of lines ``output = Op(inputs) attributes``; its input is x, its output y."""
    nodes = []
    for line in lines:
        (output, _, op), *rest = (line[0].split(), *line[1:])
        name, _, inputs = op.partition("(")
        attributes = rest[0] if rest else {}
        nodes.append(
            helper.make_node(name, inputs.rstrip(")").split(","), [output], output, **attributes)
        )
    return onnx_model(nodes, shape, STORED, opset=17).SerializeToString()


SOFTMAX = ("y = Softmax(m)", {"axis": -1})
BY_HAND = (
    ("t = ReduceMax(m)", {"axes": [-1]}),
    ("d = Sub(m,t)",),
    ("e = Exp(d)",),
    ("s = ReduceSum(e,axis)",),
    ("y = Div(e,s)",),
)
CASES = {
    "where": [("m = Where(causal,x,inf)",), SOFTMAX],
    "where not": [("n = Not(causal)",), ("m = Where(n,inf,x)",), SOFTMAX],
    "buffer of ones": [("n = Equal(ones,zero)",), ("m = Where(n,inf,x)",), SOFTMAX],
    "sum": [("m = Add(x,below)",), SOFTMAX],
    "mask made on the way": [("b = Where(causal,zero,inf)",), ("m = Add(b,x)",), SOFTMAX],
    "scaled and turned": [
        ("a = Add(x,below)",),
        ("b = Mul(a,half)",),
        ("c = Transpose(b)", {"perm": [1, 2, 0]}),
        ("m = Reshape(c,shape)",),
        ("z = Softmax(m)", {"axis": 2}),
        ("y = Identity(z)",),
    ],
    "by hand": [("m = Add(x,below)",), *BY_HAND],
    "a computed mask": [("n = Less(x,minus)",), ("m = Where(n,inf,x)",), SOFTMAX],
    "a computed mask by hand": [("n = Less(x,minus)",), ("m = Where(n,inf,x)",), *BY_HAND],
    "two masks": [
        ("n = Less(x,minus)",),
        ("a = Where(n,inf,x)",),
        ("m = Add(a,below)",),
        SOFTMAX,
    ],
}
STORED["shape"] = np.array([1, 4, 4, 2])
TOTAL = ["where", "where not", "buffer of ones", "sum", "mask made on the way", "scaled and turned"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_onnxruntime(name):
    raw = model(CASES[name])
    graph = load_onnx(raw).graph
    session = ort.InferenceSession(raw, providers=["CPUExecutionProvider"])
    for seed in range(4):
        x = np.random.default_rng(seed).normal(size=(2, 4, 4)).astype(F32)
        x[:, :, 0] = np.abs(x[:, :, 0])
        (want,) = session.run(None, {"x": x})
        np.testing.assert_allclose(float_values(graph, {"x": x})["y"], want, atol=1e-6)
    exact = exact_values(graph, {"x": x})["y"]
    np.testing.assert_allclose(np.vectorize(float)(exact), want, atol=1e-6)


@pytest.mark.parametrize("name", TOTAL)
def test_constant_masks_are_tame_without_a_box(name):
    graph = load_onnx(model(CASES[name])).graph
    assert [s.value for s in check(graph, Box.everything()).structures] == ["exp"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([("m = Add(x,below)",), ("y = Sin(m)",)], "sin of -inf is not read"),
        ([("y = Add(x,below)",)], "an element of the output is -inf"),
        ([("y = Sub(x,below)",)], "a difference would be infinity"),
        ([("a = Add(x,below)",), ("y = Mul(a,minus)",)], "not known to be positive"),
        ([("m = Add(x,nothing)",), SOFTMAX], "nothing but -inf"),
        ([("m = Add(x,nothing)",), *BY_HAND], "a difference would be infinity"),
    ],
)
def test_what_makes_no_number_is_refused_by_name(lines, words):
    with pytest.raises(UnsupportedError, match=words):
        load_onnx(model(lines))
