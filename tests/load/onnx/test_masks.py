"""Masks of minus infinity: what an op makes of them is a real number again, as onnxruntime says."""

from functools import partial

import numpy as np
import pytest
from corpus import agree_with_onnxruntime
from onnx import TensorProto, helper, numpy_helper

from tamecheck.errors import DomainError, UnsupportedError
from tamecheck.evaluate import float_values
from tamecheck.ir.graph import Apply
from tamecheck.loaders.onnx import load_onnx

NEVER = np.float32(-np.inf)
CAUSAL = np.triu(np.full((4, 4), NEVER), 1)


def node(op, inputs, outputs=("y",), **attributes):
    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def model(nodes, stored=(), *, shape=(2, 4, 4), more=()):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    inputs += [helper.make_tensor_value_info(n, TensorProto.BOOL, shape) for n in more]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in stored]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return made.SerializeToString()


agree = partial(agree_with_onnxruntime, rtol=1e-4, atol=1e-6)


def points(shape=(2, 4, 4), count=2):
    random = np.random.default_rng(3)
    arrays = [random.integers(-16, 17, size=shape) / 4 for _ in range(count)]
    return [{"x": array.astype(np.float32)} for array in arrays]


UPPER = np.triu(np.ones((4, 4), bool), 1)
ROWS = {
    "added": ([node("Add", ["x", "m"], ["s"])], [("m", CAUSAL)]),
    "chosen": ([node("Where", ["b", "m", "x"], ["s"])], [("b", UPPER), ("m", NEVER)]),
    "built": (
        [
            node("ConstantOfShape", ["n"], ["f"], value=numpy_helper.from_array(np.array([NEVER]))),
            node("Trilu", ["f", "k"], ["m"], upper=1),
            node("Add", ["m", "x"], ["s"]),
        ],
        [("n", np.array([4, 4])), ("k", np.array(1))],
    ),
    "the same for all rows": ([node("Add", ["x", "m"], ["s"])], [("m", CAUSAL[1])]),
    "scaled and turned": (
        [
            node("Add", ["x", "m"], ["a"]),
            node("Div", ["a", "two"], ["d"]),
            node("Transpose", ["d"], ["t"], perm=[1, 2, 0]),
            node("Transpose", ["t"], ["s"], perm=[2, 0, 1]),
        ],
        [("m", CAUSAL), ("two", np.float32(2))],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_softmax_gives_no_weight_to_what_is_masked(name):
    nodes, stored = ROWS[name]
    graph = agree(model([*nodes, node("Softmax", ["s"], axis=2)], stored), points())
    # rows with the same mask stay together, so that nothing is divided
    assert {n.op.name for n in graph.nodes if isinstance(n, Apply)}.isdisjoint({"exp", "select"})


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_masked_elements_along_an_axis_that_are_dropped_again(op, axis):
    rest = {"Softmax": [node("Identity", ["p"])], "LogSoftmax": [node("Exp", ["p"])]}[op]
    mask = [("m", CAUSAL)]
    nodes = [node("Add", ["x", "m"], ["s"]), node(op, ["s"], ["p"], axis=axis), *rest]
    agree(model(nodes, mask), points())


WHOLE = {
    "Exp": [node("Exp", ["s"])],
    "Sigmoid": [node("Sigmoid", ["s"])],
    "Relu": [node("Relu", ["s"])],
    "Tanh": [node("Tanh", ["s"])],
    "Clip": [node("Clip", ["s", "low", ""])],
    "Max": [node("Max", ["s", "x"])],
    "compared": [node("Less", ["s", "low"], ["c"]), node("Where", ["c", "low", "x"])],
    "found": [node("IsInf", ["s"], ["c"]), node("Where", ["c", "low", "s"])],
    "largest": [node("ReduceMax", ["s", "last"])],
    "by hand": [
        node("ReduceMax", ["s", "last"], ["top"]),
        node("Sub", ["s", "top"], ["d"]),
        node("Exp", ["d"], ["e"]),
        node("ReduceSum", ["e", "last"], ["t"]),
        node("Div", ["e", "t"]),
    ],
}


@pytest.mark.parametrize("name", WHOLE)
def test_limits_maxima_and_comparisons(name):
    nodes = [node("Add", ["x", "m"], ["s"]), *WHOLE[name]]
    stored = [("m", CAUSAL), ("low", np.float32(-1.5)), ("last", np.array([2]))]
    agree(model(nodes, stored), points())


def test_a_mask_that_is_an_input_hides_what_it_hides():
    nodes = [node("Where", ["keep", "x", "m"], ["s"]), node("Softmax", ["s"], axis=2)]
    random = np.random.default_rng(4)
    feeds = [{**point, "keep": random.random((2, 4, 4)) < 0.6} for point in points()]
    for feed in feeds:
        feed["keep"][..., 0] = True
    raw = model(nodes, [("m", NEVER)], more=["keep"])
    graph = agree(raw, feeds)
    feeds[0]["keep"][0, 1] = False
    with pytest.raises(DomainError, match="div"):
        float_values(graph, {name: array.astype(float) for name, array in feeds[0].items()})


def test_nan_where_everything_is_masked_can_be_replaced():
    nodes = [
        node("Where", ["keep", "x", "m"], ["s"]),
        node("Softmax", ["s"], ["p"], axis=2),
        node("IsNaN", ["p"], ["n"]),
        node("Where", ["n", "zero", "p"]),
    ]
    keep = np.ones((2, 4, 4), bool)
    keep[0, 1], keep[1, 2, :2] = False, False
    stored = [("m", NEVER), ("zero", np.float32(0))]
    agree(model(nodes, stored, more=["keep"]), [{**point, "keep": keep} for point in points()])
    known = [("keep", keep)]
    agree(model(nodes, [*stored, *known]), points())


def test_a_padding_of_minus_infinity_is_no_maximum():
    nodes = [
        node("Pad", ["x", "p", "m"], ["s"]),
        node("MaxPool", ["s"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    stored = [("p", np.array([0, 0, 1, 1, 0, 0, 1, 1])), ("m", NEVER)]
    agree(model(nodes, stored, shape=(1, 2, 4, 4)), points((1, 2, 4, 4)))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Add", ["x", "m"])], "y: an element of the output is -inf"),
        ([node("Add", ["x", "m"], ["s"]), node("Sin", ["s"])], "sin of -inf"),
        ([node("Add", ["x", "m"], ["s"]), node("Mul", ["s", "x"])], "not known to be positive"),
        (
            [node("Add", ["x", "m"], ["s"]), node("Sub", ["x", "s"])],
            "difference would be infinity",
        ),
        ([node("Add", ["x", "m"], ["s"]), node("MatMul", ["s", "x"])], "matmul of -inf"),
    ],
)
def test_what_stays_infinite_is_refused(nodes, message):
    with pytest.raises(UnsupportedError, match=message):
        load_onnx(model(nodes, [("m", CAUSAL)]))
