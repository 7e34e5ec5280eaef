"""Windows with a wanted output shape, and inputs without elements."""

import numpy as np
import onnxruntime as ort
import pytest
from corpus import onnx_model
from onnx import helper

from tamecheck.errors import UnsupportedError
from tamecheck.evaluate import float_values
from tamecheck.loaders.onnx import load_onnx


def model_of(node, shape, **constants):
    return onnx_model([node], shape, constants).SerializeToString()


@pytest.mark.parametrize("auto_pad", [None, "SAME_UPPER", "SAME_LOWER"])
def test_odd_padding_of_a_wanted_output_shape(auto_pad):
    random = np.random.default_rng(3)
    kernel = random.integers(-8, 9, size=(2, 1, 3, 3)).astype(np.float32)
    modes = {} if auto_pad is None else {"auto_pad": auto_pad}
    node = helper.make_node(
        "ConvTranspose", ["x", "w"], ["y"], output_shape=[8, 7], strides=[3, 2], **modes
    )
    data = model_of(node, [1, 2, 3, 3], w=kernel)
    x = random.integers(-4, 5, size=(1, 2, 3, 3)).astype(np.float32)
    expected = ort.InferenceSession(data).run(None, {"x": x})[0]
    assert np.array_equal(float_values(load_onnx(data).graph, {"x": x})["y"], expected)


def test_an_input_without_elements_is_refused():
    data = model_of(helper.make_node("Relu", ["x"], ["y"]), [0, 3])
    with pytest.raises(UnsupportedError, match="no elements"):
        load_onnx(data)
