"""Attributes, shapes and indices that do not fit an operator are one line that says so."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.onnx import load_onnx


def load(op, shape, *constants, opset=19, **attributes):
    names = [f"c{i}" if c is not None else "" for i, c in enumerate(constants)]
    tensors = [
        numpy_helper.from_array(np.asarray(c), n)
        for n, c in zip(names, constants, strict=True)
        if c is not None
    ]
    graph = helper.make_graph(
        [helper.make_node(op, ["x", *names], ["y"], name="here", **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return load_onnx(made.SerializeToString())


def ints(*numbers):
    return np.array(numbers, dtype=np.int64)


def floats(*shape):
    return np.zeros(shape, np.float32)


CASES = [
    (("Trilu", (3,)), {}, "takes matrices"),
    (("Trilu", (3, 3), ints(1, 2)), {}, "."),
    (("ScatterElements", (3,), ints(3), floats(1)), {}, "outside an axis of extent 3"),
    (("ScatterElements", (3, 2), ints(0), floats(1)), {}, "do not fit shape"),
    (("ScatterElements", (3,), ints(0), floats(2)), {}, "do not fit shape"),
    (("ScatterElements", (3,), ints(0), floats(1)), {"reduction": "mean"}, "cannot be 'mean'"),
    (("ScatterND", (3,), ints(0, 0).reshape(1, 2), floats(1)), {}, "do not fit shape"),
    (("ScatterND", (3,), ints(-4).reshape(1, 1), floats(1)), {}, "outside an axis"),
    (("GatherND", (2, 3), ints(0).reshape(1, 1)), {"batch_dims": 1}, "do not fit shape"),
    (("Compress", (2, 3), np.ones(4, bool)), {"axis": 1}, "does not fit"),
    (("Compress", (2, 3), np.ones((1, 2), bool)), {}, "does not fit"),
    (("NonZero", (2, 3)), {}, "depends on the input 'x'"),
    (("Unique", (2, 3)), {}, "depends on the input 'x'"),
    (("ReverseSequence", (4, 3), ints(1, 2)), {}, "do not fit shape"),
    (("ReverseSequence", (4, 3), ints(1, 2, 9)), {}, "outside an axis"),
    (("ReverseSequence", (4, 3), ints(9, 2, 1)), {}, "outside an axis"),
    (("ReverseSequence", (4, 3), ints(1, 2, 3)), {"batch_axis": 0}, "do not fit shape"),
    (("LpPool", (1, 1, 4)), {"kernel_shape": [2], "p": 0}, "order 0"),
    (("LpPool", (1, 1, 4)), {"kernel_shape": [5]}, "does not fit an axis of 4"),
    (("GlobalLpPool", (1, 1, 4)), {"p": -1}, "order -1"),
    (("GroupNormalization", (1, 3, 4), floats(2), floats(2)), {"num_groups": 2}, "2 groups"),
    (("GroupNormalization", (1, 4, 4), floats(4), floats(4)), {"num_groups": 2}, "2 groups"),
    (("MeanVarianceNormalization", (1, 4)), {}, "no axis 2"),
    (("Col2Im", (1, 5, 4), ints(3, 3), ints(2, 2)), {}, "Blocks of shape"),
    (("Col2Im", (1, 4, 5), ints(3, 3), ints(2, 2)), {}, "4 blocks, but 5 columns"),
    (("MaxUnpool", (1, 1, 2), ints(0, 4).reshape(1, 1, 2)), {"kernel_shape": [2]}, "outside"),
    (("MaxUnpool", (1, 1, 2), ints(0, 1).reshape(1, 2)), {"kernel_shape": [2]}, "does not fit"),
    (("Det", (2, 3)), {}, "no determinant"),
    (("Det", (9, 9)), {}, "9 rows is not read"),
    (("DFT", (1, 4, 3)), {}, "no transform"),
    (("DFT", (1, 4, 2)), {"onesided": 1}, "only for a real signal"),
    (("STFT", (1, 4, 1), np.array(2), None, np.array(8)), {}, "do not fit a signal"),
    (("STFT", (1, 8, 1), np.array(2), floats(3), np.array(4)), {}, "A window of shape"),
    (("GridSample", (1, 1, 3, 3), floats(1, 2, 2, 3)), {}, "does not fit"),
    (("GridSample", (1, 1, 3, 3), floats(1, 2, 2, 2)), {"mode": "best"}, "none of those"),
    (("GridSample", (1, 1, 3, 3), floats(2, 2, 2, 2)), {}, "does not fit"),
    (("AffineGrid", (1, 2, 3), ints(1, 1, 2)), {"opset": 20}, "do not fit an image"),
    (("AffineGrid", (1, 2, 3), ints(1, 1, 1, 4)), {"opset": 20, "align_corners": 1}, "not read"),
    (
        ("DeformConv", (1, 1, 3, 3), floats(1, 1, 2, 2), floats(1, 8, 3, 3)),
        {"opset": 19},
        "not fit",
    ),
    (("CumProd", (3,), np.array(1)), {"opset": 26}, "no axis 1"),
    (("BitShift", (3,), ints(1)), {"direction": "UP"}, "have no bits"),
    (("BitwiseNot", (3,)), {}, "have no bits"),
    (("TensorScatter", (2, 3, 4), floats(2, 1, 4), ints(0, 3)), {"opset": 24}, "outside an axis"),
    (("Dropout", (3,), np.float32(0.5), np.array([True])), {}, "random"),
    (("MelWeightMatrix", ()), {}, "."),
]


@pytest.mark.parametrize(("given", "options", "message"), CASES, ids=lambda c: str(c)[:40])
def test_what_does_not_fit_is_refused_in_one_line(given, options, message):
    with pytest.raises((InputError, UnsupportedError), match=message) as caught:
        load(*given, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert "here" in text
    assert "malformed" not in text or message == "."
