"""Operators without published cases, and older operator sets, against onnxruntime."""

import numpy as np
import onnx
import pytest
from corpus import agree_with_onnxruntime
from onnx import TensorProto, helper

from tamecheck.loaders.onnx import load_onnx

RANDOM = np.random.default_rng(5)


def weights(*shape):
    return RANDOM.integers(-8, 9, size=shape).astype(np.float32) / 8


def model_of(op, shape, *constants, opset=17, outputs=1, before=(), **attributes):
    """A model of one operator: its first input is ``x``, the others are constants."""
    names = ["x", *(f"c{i}" if c is not None else "" for i, c in enumerate(constants))]
    node = helper.make_node(
        op, [*before, *names], [f"y{i}" for i in range(outputs)], name="here", **attributes
    )
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_empty_tensor_value_info(f"y{i}") for i in range(outputs)],
        [
            onnx.numpy_helper.from_array(np.asarray(c), f"c{i}")
            for i, c in enumerate(constants)
            if c is not None
        ],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8 if opset < 21 else 10)


def i64(*values):
    return np.array(values, dtype=np.int64)


LSTM = (weights(1, 12, 4), weights(1, 12, 3), weights(1, 24))
GRU = (weights(1, 9, 4), weights(1, 9, 3), weights(1, 18))
CASES = {
    "resize nearest": model_of(
        "Resize", (1, 2, 3, 3), None, np.array([1, 1, 2, 2], np.float32), mode="nearest"
    ),
    "resize linear": model_of(
        "Resize", (1, 1, 3, 4), None, np.array([1, 1, 2, 1.5], np.float32), mode="linear"
    ),
    "resize half pixel": model_of(
        "Resize",
        (1, 1, 4, 4),
        None,
        None,
        i64(1, 1, 7, 3),
        mode="linear",
        coordinate_transformation_mode="align_corners",
    ),
    "depth to space": model_of("DepthToSpace", (1, 8, 2, 3), blocksize=2, mode="CRD"),
    "space to depth": model_of("SpaceToDepth", (1, 2, 4, 6), blocksize=2),
    "cumsum": model_of("CumSum", (2, 5), np.array(1, np.int64), exclusive=1, reverse=1),
    "tile": model_of("Tile", (2, 3), i64(2, 1)),
    "lrn": model_of("LRN", (1, 5, 2, 2), size=3, alpha=0.02, beta=0.75, bias=1.0),
    "instance norm": model_of("InstanceNormalization", (1, 2, 5), weights(2), weights(2)),
    "layer norm": model_of("LayerNormalization", (2, 6), weights(6), weights(6), axis=-1),
    "lp norm": model_of("LpNormalization", (2, 4), p=2, axis=1),
    "logsumexp": model_of("ReduceLogSumExp", (2, 4), axes=[1]),
    "sum of squares": model_of("ReduceSumSquare", (2, 4), axes=[0], keepdims=0),
    "product": model_of("ReduceProd", (2, 3), axes=[1]),
    "gather elements": model_of("GatherElements", (3, 3), i64(0, 2, 1).reshape(1, 3), axis=0),
    "lstm": model_of("LSTM", (3, 1, 4), *LSTM, hidden_size=3, outputs=3),
    "gru": model_of("GRU", (3, 1, 4), *GRU, hidden_size=3, outputs=2, linear_before_reset=1),
    "mish": model_of("Mish", (2, 3), opset=18),
    "hardmax": model_of("Hardmax", (2, 5), axis=1),
    "old softmax": model_of("Softmax", (2, 3, 4), opset=11, axis=1),
    "old clip": model_of("Clip", (2, 3), opset=7, min=-0.5, max=0.25),
    "old batch norm": model_of(
        *("BatchNormalization", (1, 3, 2, 2)),
        *(weights(3), weights(3), weights(3), np.abs(weights(3)) + 1),
        opset=9,
    ),
    "old slice": model_of("Slice", (4, 5), opset=9, starts=[1, -3], ends=[3, 9], axes=[0, 1]),
    "old pad": model_of("Pad", (2, 3), opset=9, pads=[1, 0, 0, 2], value=0.5),
    "strided conv": model_of(
        *("Conv", (1, 4, 7, 6), weights(6, 2, 3, 2), weights(6)),
        group=2,
        strides=[2, 1],
        pads=[1, 0, 2, 1],
        dilations=[1, 2],
    ),
    "transposed conv": model_of(
        *("ConvTranspose", (1, 4, 3, 3), weights(4, 2, 3, 3)),
        strides=[2, 2],
        output_padding=[1, 1],
        pads=[1, 1, 1, 1],
    ),
    "max pool": model_of(
        *("MaxPool", (1, 2, 7, 7)), kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1]
    ),
    "average pool": model_of(
        *("AveragePool", (1, 2, 6, 6)), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1
    ),
    "thresholded": model_of("ThresholdedRelu", (2, 4), alpha=0.25),
    "quantize": model_of("QuantizeLinear", (2, 4), np.float32(0.125), np.uint8(3)),
    "top k": model_of("TopK", (2, 6), i64(3), outputs=2, axis=1),
    "argmax": model_of("ArgMax", (3, 4), axis=1, keepdims=0, select_last_index=1),
    "einsum": model_of("Einsum", (2, 3), weights(3, 4), equation="ij,jk->ki"),
    "trilu": model_of("Trilu", (2, 3, 4), np.array(-1), upper=0),
    "scatter elements": model_of(
        "ScatterElements", (3, 3), i64(0, -1, 0, 1).reshape(2, 2), weights(2, 2)
    ),
    **{
        f"scatter elements {reduction}": model_of(
            *("ScatterElements", (3, 4), i64(1, 1, 3, 1, -1, 0).reshape(2, 3), weights(2, 3)),
            axis=1,
            reduction=reduction,
            opset=18,
        )
        for reduction in ("add", "mul", "max", "min")
    },
    **{
        f"scatter nd {reduction}": model_of(
            *("ScatterND", (3, 2, 2), i64(0, 1, -3, 1, 2, 0, 0, 1).reshape(4, 2), weights(4, 2)),
            reduction=reduction,
            opset=18,
        )
        for reduction in ("none", "add", "mul", "max", "min")
    },
    "old scatter": model_of("Scatter", (3, 3), i64(0, 2).reshape(1, 2), weights(1, 2), opset=9),
    "gather nd of a batch": model_of(
        "GatherND", (2, 3, 2), i64(1, -1).reshape(2, 1, 1), batch_dims=1
    ),
    "compress": model_of("Compress", (3, 4), np.array([True, False, True]), axis=1),
    "compress flat": model_of("Compress", (2, 2), np.array([False, True, True])),
    "reverse sequence": model_of("ReverseSequence", (4, 3, 2), i64(4, 1, 3)),
    "reverse batches": model_of("ReverseSequence", (3, 4), i64(2, 4, 3), batch_axis=0, time_axis=1),
    "lp pool": model_of("LpPool", (1, 2, 5, 5), kernel_shape=[2, 3], strides=[2, 1], p=2, opset=18),
    "lp pool of order 3": model_of(
        "LpPool", (1, 2, 6), kernel_shape=[2], pads=[1, 0], p=3, opset=18
    ),
    "global lp pool": model_of("GlobalLpPool", (1, 2, 3, 3), p=1),
    "mean variance": model_of("MeanVarianceNormalization", (2, 3, 2, 2)),
    "mean variance of axes": model_of("MeanVarianceNormalization", (2, 3, 4), axes=[1, 2]),
    "rms norm": model_of("RMSNormalization", (2, 3, 4), weights(3, 4), axis=1, opset=23),
    "group norm of channels": model_of(
        *("GroupNormalization", (2, 4, 3), weights(4), weights(4)), num_groups=2, opset=21
    ),
    "group norm of groups": model_of(
        *("GroupNormalization", (2, 4, 3), weights(2), weights(2)), num_groups=2, opset=18
    ),
    "col2im": model_of(
        *("Col2Im", (1, 12, 9), i64(4, 5), i64(2, 3)), strides=[1, 2], pads=[0, 1, 0, 1], opset=18
    ),
    "max unpool": model_of(
        "MaxUnpool",
        (1, 1, 2, 2),
        i64(0, 3, 12, 10).reshape(1, 1, 2, 2),
        kernel_shape=[2, 2],
        strides=[2, 2],
    ),
    "determinant": model_of("Det", (2, 3, 3)),
    "large determinant": model_of("Det", (5, 5)),
    "dft": model_of("DFT", (1, 6, 2), None, axis=1),
    "inverse dft of another length": model_of("DFT", (1, 6, 2), np.array(4), axis=1, inverse=1),
    "half a dft": model_of("DFT", (1, 5, 1), None, axis=1, onesided=1),
    "stft": model_of("STFT", (1, 9, 1), np.array(2), weights(4), np.array(4)),
    "grid sample": model_of("GridSample", (1, 2, 3, 4), weights(1, 3, 2, 2), opset=16),
    "grid sample bicubic": model_of(
        *("GridSample", (1, 2, 3, 4), weights(1, 3, 2, 2)),
        mode="bicubic",
        padding_mode="border",
        align_corners=1,
        opset=16,
    ),
    "grid sample reflected": model_of(
        *("GridSample", (1, 2, 3, 4), weights(1, 3, 2, 2) * 3),
        padding_mode="reflection",
        opset=16,
    ),
    "antialias": model_of(
        *("Resize", (1, 1, 5, 7), None, None, i64(1, 1, 3, 2)),
        mode="linear",
        antialias=1,
        exclude_outside=1,
        opset=18,
    ),
    "antialias cubic": model_of(
        *("Resize", (1, 1, 8, 7), None, None, i64(1, 1, 3, 2)),
        mode="cubic",
        antialias=1,
        exclude_outside=1,
        opset=18,
    ),
    "crop and resize": model_of(
        "Resize",
        (1, 1, 4, 4),
        np.array([0, 0, 0.4, 0.6, 1, 1, 0.6, 1.2], np.float32),
        None,
        i64(1, 1, 3, 3),
        mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=10.0,
    ),
    **{
        f"regions {mode} {ratio} {transform}": model_of(
            *("RoiAlign", (2, 2, 5, 6)),
            np.array([[0.5, 1, 4, 3.25], [-2, -3, 2, 9], [1, 1, 1.25, 1.5]], np.float32),
            i64(1, 0, 1),
            mode=mode,
            sampling_ratio=ratio,
            spatial_scale=0.75,
            opset=16,
            coordinate_transformation_mode=transform,
            output_height=2,
            output_width=3,
        )
        for mode in ("avg", "max")
        for ratio in (0, 2)
        for transform in ("half_pixel", "output_half_pixel")
    },
    "affine grid": model_of("AffineGrid", (1, 2, 3), i64(1, 1, 2, 3), opset=20),
    "affine grid of volumes": model_of(
        "AffineGrid", (2, 3, 4), i64(2, 1, 2, 3, 2), align_corners=1, opset=20
    ),
    "rotary embedding": model_of(
        *(
            "RotaryEmbedding",
            (1, 2, 3, 4),
            weights(3, 2),
            weights(3, 2),
            i64(0, 1, 2).reshape(1, 3),
        ),
        opset=23,
    ),
    "cross entropy": model_of(
        *("SoftmaxCrossEntropyLoss", (3, 4), i64(1, 0, 3)), reduction="mean", opset=13
    ),
    "negative log likelihood": model_of(
        *("NegativeLogLikelihoodLoss", (2, 4, 2), i64(1, 0, 3, 1).reshape(2, 2), weights(4)),
        reduction="sum",
    ),
    "attention": model_of(
        "Attention", (1, 2, 3, 4), weights(1, 2, 5, 4), weights(1, 2, 5, 4), is_causal=1, opset=23
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_onnxruntime(name):
    raw = CASES[name].SerializeToString()
    shape = load_onnx(raw).graph.inputs["x"]
    drawn = [np.random.default_rng(seed).integers(-16, 17, size=shape) / 8 for seed in range(3)]
    agree_with_onnxruntime(raw, [{"x": np.float32(x)} for x in drawn], rtol=1e-4, atol=1e-5)
