"""Elements that are put at computed indices are where onnxruntime puts them."""

import numpy as np
import pytest
from corpus import agree_with_onnxruntime, onnx_model
from onnx import TensorProto, helper

from tamecheck.errors import UnsupportedError
from tamecheck.loaders.onnx import load_onnx


def model(nodes, shape, stored):
    return onnx_model(nodes, shape, stored, opset=18).SerializeToString()


def agree(raw, shape, *, twice):
    """Values are those of onnxruntime; ``twice``: an index may come twice in a row."""
    points = []
    for seed in range(8):
        random = np.random.default_rng(seed)
        x = random.integers(-12, 12, shape) / 4
        if not twice:
            x = random.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1) - 1
        points.append({"x": x.astype(np.float32)})
    agree_with_onnxruntime(raw, points, rtol=1e-6)


INDICES = [
    helper.make_node("Floor", ["x"], ["f"]),
    helper.make_node("Clip", ["f", "low", "high"], ["c"]),
    helper.make_node("Cast", ["c"], ["i"], to=TensorProto.INT64),
]
ENDS = {"low": np.float32(-3), "high": np.float32(2)}


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("axis", [0, 1])
def test_along_an_axis(reduction, axis):
    shape = (3, 4) if axis else (4, 3)
    data = np.random.default_rng(1).integers(-8, 8, shape).astype(np.float32)
    scatter = helper.make_node(
        "ScatterElements", ["data", "i", "x"], ["y"], axis=axis, reduction=reduction
    )
    agree(model([*INDICES, scatter], shape, {**ENDS, "data": data}), shape, twice=True)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_at_tuples_of_indices(reduction):
    shape = (2, 2, 2)
    data = np.random.default_rng(1).integers(-8, 8, (3, 3, 2)).astype(np.float32)
    scatter = helper.make_node("ScatterND", ["data", "i", "x"], ["y"], reduction=reduction)
    agree(model([*INDICES, scatter], shape, {**ENDS, "data": data}), shape, twice=True)


def test_a_permutation_is_undone():
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["s", "i"], axis=-1),
        helper.make_node("Sub", ["x", "x"], ["z"]),
        helper.make_node("ScatterElements", ["z", "i", "s"], ["y"], axis=-1),
    ]
    raw = model(nodes, (2, 5), {"k": np.array([5])})
    agree(raw, (2, 5), twice=False)


def test_too_many_comparisons_are_refused():
    shape = (1, 2000)
    scatter = helper.make_node("ScatterElements", ["x", "i", "x"], ["y"], axis=1)
    with pytest.raises(UnsupportedError, match="computed indices"):
        load_onnx(model([*INDICES, scatter], shape, ENDS))
