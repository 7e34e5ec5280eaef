"""Operators on quantised tensors have the integers of onnxruntime and QONNX, ties and ends too.

Scales are powers of two, so that float32 rounds nothing and a tie is a tie in both.
"""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from tamecheck.evaluate import exact_values, float_values
from tamecheck.loaders.onnx import load_onnx

RANDOM = np.random.default_rng(7)
F32, U8, I8 = np.float32, np.uint8, np.int8
QONNX = "qonnx.custom_op.general"
TYPES = {
    np.dtype(F32): TensorProto.FLOAT,
    np.dtype(U8): TensorProto.UINT8,
    np.dtype(I8): TensorProto.INT8,
    np.dtype(np.int16): TensorProto.INT16,
    np.dtype(np.uint16): TensorProto.UINT16,
    np.dtype(np.int32): TensorProto.INT32,
}


def integers(kind, *shape):
    """Random integers of a type; those of ``int8`` have 7 bits.

    Of more, onnxruntime adds up products with ``uint8`` in pairs that overflow 16 bits, and cuts
    them there, on processors without VNNI (its page on quantization, section on U8S8).
    """
    info = np.iinfo(kind)
    low, high = (-64, 64) if kind == np.int8 else (max(info.min, -300), min(info.max, 300))
    return RANDOM.integers(low, high, shape, endpoint=True).astype(kind)


def model(op, inputs, *, domain="", version=1, outputs=1, **attributes):
    """A model of one node; an input is a constant, a type with a shape, or left out (None).

    A quantised model's input is its integers, as it is after the first QuantizeLinear.
    """
    names, given, stored = [], [], []
    for index, value in enumerate(inputs):
        names.append("" if value is None else f"i{index}")
        if isinstance(value, tuple):
            kind, shape = value
            code = TYPES[np.dtype(kind)]
            given.append(helper.make_tensor_value_info(names[-1], code, shape))
        elif isinstance(value, onnx.TensorProto):
            value.name = names[-1]
            stored.append(value)
        elif value is not None:
            stored.append(numpy_helper.from_array(np.asarray(value), names[-1]))
    node = helper.make_node(
        op, names, [f"y{i}" for i in range(outputs)], domain=domain, **attributes
    )
    made = [helper.make_empty_tensor_value_info(f"y{i}") for i in range(outputs)]
    graph = helper.make_graph([node], "one", given, made, stored)
    opsets = [helper.make_opsetid("", 21)]
    if domain:
        opsets.append(helper.make_opsetid(domain, version))
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def microsoft(op, inputs, **options):
    return model(op, inputs, domain="com.microsoft", **options)


def point_of(raw, seed):
    """Random integers over the range of a type; floats at eighths, so that there are ties."""
    random = np.random.default_rng(seed)
    point = {}
    for info in raw.graph.input:
        shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
        kind = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        if kind.kind == "f":
            spread = (4, 64, 4096)[seed % 3]
            point[info.name] = random.integers(-spread, spread + 1, shape).astype(kind) / 8
        else:
            # integers that float32 holds
            low, high = max(np.iinfo(kind).min, -(2**22)), min(np.iinfo(kind).max, 2**22)
            point[info.name] = random.integers(low, high, shape, endpoint=True).astype(kind)
    return point


def numbers(array):
    return np.vectorize(float, otypes=[float])(array)


def agree(raw, run, *, atol=0.0):
    """Floats and exact values are those of another implementation."""
    graph = load_onnx(raw.SerializeToString()).graph
    for seed in range(6):
        point = point_of(raw, seed)
        wanted = run(point)
        floats = float_values(graph, point).values()
        exact = exact_values(graph, point).values()
        for want, found, sharp in zip(wanted, floats, exact, strict=True):
            np.testing.assert_allclose(found, want.astype(float), rtol=0, atol=atol)
            np.testing.assert_allclose(numbers(sharp), want.astype(float), rtol=0, atol=atol)
    return graph


def runtime(raw):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(raw.SerializeToString(), options, ["CPUExecutionProvider"])
    return lambda point: session.run(None, point)


SCALE = (F32(0.5), F32(0.25), F32(2.0))
ZEROS = {U8: (U8(128), U8(3)), I8: (I8(0), I8(-5))}


def unary(kind, shape):
    """The inputs of an operator of one quantised tensor."""
    return [(kind, shape), SCALE[0], ZEROS[kind][0], SCALE[1], ZEROS[kind][1]]


def binary(kind, shape, other):
    zero = ZEROS[kind]
    return [
        *((kind, shape), F32(0.5), zero[0], integers(kind, *other), F32(0.25), zero[1]),
        *(F32(2.0), zero[1]),
    ]


CASES = {
    "qlinearmatmul": model(
        "QLinearMatMul",
        [
            *((U8, (3, 4)), F32(0.5), U8(7), integers(I8, 4, 5), F32(0.25), I8(0)),
            *(F32(16), U8(100)),
        ],
    ),
    "qlinearmatmul by column": model(
        "QLinearMatMul",
        [
            *((U8, (3, 4)), F32(0.5), U8(7), integers(I8, 4, 2)),
            *(np.array([0.25, 2], F32), np.array([0, 0], I8), F32(16), U8(100)),
        ],
    ),
    "qlinearconv by filter": model(
        "QLinearConv",
        [
            *((U8, (1, 2, 5, 5)), F32(0.5), U8(128), integers(I8, 3, 2, 3, 3)),
            *(np.array([0.25, 0.5, 1], F32), np.array([0, 0, 0], I8), F32(32), U8(3)),
            integers(np.int32, 3),
        ],
        pads=[1, 1, 1, 1],
        strides=[2, 1],
    ),
    "qlinearconv signed": model(
        "QLinearConv",
        [
            *((I8, (1, 4, 4, 4)), F32(0.5), I8(9), integers(I8, 4, 2, 2, 2), F32(0.125), I8(0)),
            *(F32(16), I8(-7)),
        ],
        group=2,
    ),
    "matmulinteger": model("MatMulInteger", [(U8, (3, 4)), integers(I8, 4, 5), U8(9), I8(3)]),
    "matmulinteger batched": model(
        "MatMulInteger", [(U8, (2, 3, 4)), integers(U8, 4, 2), U8(9), np.array([1, 200], U8)]
    ),
    "matmulinteger plain": model("MatMulInteger", [(I8, (3, 4)), integers(I8, 4, 2)]),
    "convinteger": model(
        "ConvInteger",
        [(U8, (1, 2, 4, 4)), integers(U8, 3, 2, 2, 2), U8(5), U8(100)],
        pads=[1, 1, 0, 0],
    ),
    "qgemm": microsoft(
        "QGemm",
        [
            *((U8, (3, 4)), F32(0.5), U8(7), integers(I8, 5, 4), F32(0.25), I8(0)),
            *(integers(np.int32, 5), F32(16), U8(100)),
        ],
        transB=1,
    ),
    "qgemm to float": microsoft(
        "QGemm",
        [
            *((U8, (4, 3)), F32(0.5), U8(7), integers(I8, 4, 2)),
            *(np.array([0.25, 2], F32), np.array([0, 0], I8)),
        ],
        transA=1,
        alpha=0.5,
    ),
    "qlinearadd": microsoft("QLinearAdd", binary(U8, (2, 3), (3,))),
    "qlinearadd signed": microsoft("QLinearAdd", binary(I8, (2, 3), (2, 3))),
    "qlinearmul": microsoft("QLinearMul", binary(U8, (2, 3), (1, 3))),
    "qlinearmul signed": microsoft("QLinearMul", binary(I8, (2, 3), (2, 1))),
    "qlinearaveragepool": microsoft(
        "QLinearAveragePool", unary(U8, (1, 2, 4, 4)), kernel_shape=[2, 2], strides=[2, 2]
    ),
    "qlinearglobalaveragepool": microsoft(
        "QLinearGlobalAveragePool", unary(U8, (1, 2, 4, 2)), channels_last=0
    ),
    "qlinearleakyrelu": microsoft("QLinearLeakyRelu", unary(I8, (2, 3)), alpha=0.25),
    "qlinearsigmoid": microsoft(
        "QLinearSigmoid", [(U8, (2, 5)), F32(0.125), U8(120), F32(1 / 256), U8(0)]
    ),
    "qlinearconcat": microsoft(
        "QLinearConcat",
        [
            *(F32(0.5), U8(3), (U8, (2, 3)), F32(0.25), U8(9)),
            *(integers(U8, 2, 2), F32(1), U8(100)),
        ],
        axis=1,
    ),
    "qlinearwhere": microsoft(
        "QLinearWhere",
        [
            *(np.array([True, False, True]), (U8, (2, 3)), F32(0.25), U8(9)),
            *(integers(U8, 2, 3), F32(1), U8(100), F32(0.5), U8(3)),
        ],
    ),
    "qlinearsoftmax": microsoft(
        "QLinearSoftmax",
        [(U8, (2, 5)), F32(0.0625), U8(128), F32(1 / 256), U8(0)],
        axis=-1,
    ),
    "matmulintegertofloat": microsoft(
        "MatMulIntegerToFloat",
        [
            *((U8, (3, 4)), integers(I8, 4, 2), F32(0.5), np.array([0.25, 2], F32)),
            *(U8(7), np.array([1, 2], I8), np.array([0.5, -1], F32)),
        ],
    ),
    "quantize of microsoft": microsoft("QuantizeLinear", [(F32, (3, 4)), F32(0.25), np.uint16(9)]),
    "dequantize of microsoft": microsoft(
        "DequantizeLinear", [(np.int16, (3, 4)), F32(0.25), np.int16(9)]
    ),
    "quantize by axis": model(
        "QuantizeLinear",
        [(F32, (2, 3)), np.array([0.25, 1, 4], F32), np.array([1, 2, 3], I8)],
        axis=-1,
    ),
    "quantize to int16": model("QuantizeLinear", [(F32, (2, 3)), F32(0.25), np.int16(9)]),
    "quantize to uint16": model("QuantizeLinear", [(F32, (2, 3)), F32(0.25), np.uint16(9)]),
    "quantize in blocks": model(
        "QuantizeLinear",
        [(F32, (2, 4)), np.array([[0.25, 1], [4, 2]], F32), np.array([[1, 2], [3, 4]], U8)],
        axis=1,
        block_size=2,
    ),
    "quantize by output type": model(
        "QuantizeLinear", [(F32, (2, 4)), F32(0.25)], output_dtype=TensorProto.INT16
    ),
    "dequantize int32": model("DequantizeLinear", [(np.int32, (2, 4)), F32(0.25)]),
    "dequantize by axis": model(
        "DequantizeLinear",
        [(I8, (2, 3)), np.array([0.25, 4], F32), np.array([3, -3], I8)],
        axis=0,
    ),
    "dequantize in blocks": model(
        "DequantizeLinear",
        [(U8, (4, 2)), np.array([[0.25, 1], [4, 2]], F32), np.array([[1, 2], [3, 4]], U8)],
        axis=0,
        block_size=2,
    ),
}
CASES["qlinearsoftmax"].graph.node[0].attribute.append(helper.make_attribute("opset", 13))
ROUNDED = {"qlinearsigmoid", "qlinearsoftmax"}
"""onnxruntime computes these in float32, so that a number near a tie may be rounded up or down."""


@pytest.mark.parametrize("name", CASES)
def test_integers_are_those_of_onnxruntime(name):
    raw = CASES[name]
    agree(raw, runtime(raw), atol=1.0 if name in ROUNDED else 0.0)


def dynamic_error(raw, run, *, seeds):
    """How many elements differ where onnxruntime divides by a scale that float32 has rounded."""
    graph = load_onnx(raw.SerializeToString()).graph
    (name,) = graph.inputs
    off = total = 0
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        shift, scale = (0, 2, -1, 0.05)[seed % 4], (1, 100, 0.01)[seed % 3]
        x = (scale * random.normal(size=graph.inputs[name]) + shift).astype(F32)
        wanted, found = run({name: x}), float_values(graph, {name: x})
        for want, mine in zip(wanted, found.values(), strict=True):
            off += int((np.abs(mine - want) > 1e-6 * np.abs(want)).sum())
            total += want.size
    return off, total


def test_dynamic_quantisation_is_that_of_onnxruntime():
    raw = model("DynamicQuantizeLinear", [(F32, (30, 40))], outputs=3)
    off, total = dynamic_error(raw, runtime(raw), seeds=24)
    assert off <= 2 < total
    graph = load_onnx(raw.SerializeToString()).graph
    zeros = {"i0": np.zeros((30, 40), F32)}
    # without a range the scale is 1
    for want, found in zip(runtime(raw)(zeros), exact_values(graph, zeros).values(), strict=True):
        assert (numbers(found) == want).all()


def test_a_product_with_a_tensor_quantised_on_the_way():
    raw = microsoft(
        "DynamicQuantizeMatMul", [(F32, (3, 40)), integers(I8, 40, 7), F32(0.25), I8(3)]
    )
    graph = load_onnx(raw.SerializeToString()).graph
    run = runtime(raw)
    for seed in range(8):
        x = np.random.default_rng(seed).normal(size=(3, 40)).astype(F32)
        (want,) = run({"i0": x})
        np.testing.assert_allclose(float_values(graph, {"i0": x})["y0"], want, rtol=1e-3, atol=1)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zero", [False, True])
def test_weights_of_few_bits_in_blocks(bits, zero):
    depth, width, block = 40, 3, 16
    count = -(-depth // block)
    packed = integers(U8, width, count, block * bits // 8)
    scales = (RANDOM.integers(1, 9, (width * count,)) / 8).astype(F32)
    zeros = integers(U8, width, -(-count * bits // 8)) if zero else None
    raw = microsoft(
        "MatMulNBits",
        [(F32, (2, depth)), packed, scales, zeros],
        K=depth,
        N=width,
        bits=bits,
        block_size=block,
        accuracy_level=1,
    )
    graph = load_onnx(raw.SerializeToString()).graph
    point = point_of(raw, 0)
    (want,) = runtime(raw)(point)
    np.testing.assert_allclose(exact_floats(graph, point), want, rtol=1e-5, atol=1e-3)


def exact_floats(graph, point):
    return numbers(exact_values(graph, point)["y0"])


def qonnx(op, inputs, *, version=1, **attributes):
    return model(op, inputs, domain=QONNX, version=version, **attributes)


BITS = F32(3)
QONNX_CASES = {
    "thresholds": lambda: qonnx(
        "MultiThreshold",
        [(F32, (2, 3, 2, 2)), np.sort(RANDOM.integers(-9, 9, (3, 7))).astype(F32) / 8],
        out_dtype="UINT3",
    ),
    "shifted thresholds": lambda: qonnx(
        "MultiThreshold",
        [(F32, (2, 5)), np.array([[-0.5, 0, 0.5]], F32)],
        out_dtype="INT2",
        out_scale=0.5,
        out_bias=-0.75,
    ),
    "one threshold": lambda: qonnx(
        "MultiThreshold",
        [(F32, (2, 5)), np.array([[0.25]] * 5, F32)],
        out_dtype="BIPOLAR",
        out_scale=2.0,
        out_bias=-1.0,
    ),
    "thresholds of the last axis": lambda: qonnx(
        "MultiThreshold",
        [(F32, (1, 2, 2, 3)), np.array([[0, 1], [-1, 0.5], [2, 3]], F32)],
        out_dtype="UINT2",
        data_layout="NHWC",
    ),
    **{
        f"quant {mode} signed {signed} narrow {narrow}": lambda mode=mode, s=signed, n=narrow: (
            qonnx(
                "Quant",
                [(F32, (3, 4)), F32(0.25), F32(0 if s else 2), BITS],
                signed=s,
                narrow=n,
                rounding_mode=mode,
            )
        )
        for mode in ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
        for signed, narrow in ((1, 0), (1, 1), (0, 0))
    },
    "bipolar": lambda: qonnx("BipolarQuant", [(F32, (3, 4)), F32(0.5)]),
    "trunc": lambda: qonnx(
        "Trunc", [(F32, (3, 4)), F32(0.25), F32(0), F32(8), F32(4)], rounding_mode="FLOOR"
    ),
    "second trunc": lambda: qonnx(
        "Trunc",
        [(F32, (3, 4)), F32(0.25), F32(4), F32(8), F32(2), F32(4)],
        version=2,
        rounding_mode="ROUND",
        signed=1,
        narrow=1,
    ),
    "float": lambda: qonnx(
        "FloatQuant",
        [(F32, (3, 4)), F32(0.5), F32(3), F32(2), F32(3), F32(20)],
        has_inf=0,
        has_nan=0,
        has_subnormal=1,
        saturation=1,
    ),
    "agreements": lambda: qonnx(
        "XnorPopcountMatMul", [(F32, (2, 5)), RANDOM.integers(0, 2, (5, 3)).astype(F32)]
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", QONNX_CASES)
def test_values_are_those_of_qonnx(name):
    pytest.importorskip("qonnx")
    from qonnx.custom_op.registry import getCustomOp

    raw = QONNX_CASES[name]()
    (node,) = raw.graph.node
    stored = {t.name: numpy_helper.to_array(t) for t in raw.graph.initializer}
    version = raw.opset_import[-1].version

    def run(point):
        context = {**stored, **point, "y0": None}
        getCustomOp(node, onnx_opset_version=version).execute_node(context, raw.graph)
        return [context["y0"]]

    agree(raw, run)
