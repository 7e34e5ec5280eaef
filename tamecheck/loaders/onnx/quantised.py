"""Operators on quantised tensors, of ONNX and of onnxruntime.

Integers ``q`` with a scale ``s`` and a zero point ``z`` stand for the numbers ``s (q - z)``.  An
operator on quantised tensors is that on these numbers, and its result is rounded to integers again,
ties to even, and saturates at the range of its type.  Sums of products are taken over the integers,
so that they are exact before the scales come in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op
from tamecheck.ir.tensor import Array
from tamecheck.loaders.kinds import BOOL, FLOAT, Kind, kind_of
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.onnx.contraction import SELECTION
from tamecheck.loaders.onnx.pointwise import POINTWISE
from tamecheck.loaders.onnx.quantisation import QUANTISATION, is_zero, quantise
from tamecheck.loaders.onnx.recurrent import long_short_term_memory
from tamecheck.loaders.onnx.windows import WINDOWS
from tamecheck.loaders.values import Value, axis_in, concat

_INT32, _UINT8 = kind_of(6), kind_of(2)
_STEPS = 255


@dataclass(frozen=True, slots=True)
class _Quantised:
    """Integers with their scale, and their zero point, if it is not 0."""

    integers: Value
    scale: Value
    zero: Value | None

    @staticmethod
    def at(ctx: Context, index: int) -> _Quantised:
        """Three inputs in a row: integers, scale, and a zero point that may be left out."""
        return _Quantised(ctx.input(index), ctx.input(index + 1), ctx.optional(index + 2))

    def centred(self, shape: Sequence[int] | None = None) -> Value:
        """The integers less the zero point, which is reshaped first."""
        return _less(self.integers, self.zero, shape)

    def numbers(self) -> Value:
        """What the integers stand for, where one scale is for all."""
        scale = _one(self.scale, "The scale")
        zero = None if self.zero is None else _one(self.zero, "The zero point")
        return _less(self.integers, zero).apply(ops.MUL, scale, kind=FLOAT)


def _less(integers: Value, zero: Value | None, shape: Sequence[int] | None = None) -> Value:
    if zero is None or is_zero(zero):
        return replace(integers, kind=_INT32)
    wide = zero if shape is None or zero.shape in ((), (1,)) else zero.reshape(shape)
    wide = wide.reshape(()) if wide.shape == (1,) else wide
    difference = integers.apply(ops.SUB, wide, kind=_INT32)
    if difference.shape != integers.shape:
        raise InputError(f"A zero point of shape {zero.shape} does not fit {integers.shape}.")
    return difference


def _one(parameter: Value, what: str) -> Value:
    if parameter.shape not in ((), (1,)):
        raise InputError(f"{what} must be one number, not of shape {parameter.shape}.")
    return parameter.reshape(())


def _result(
    ctx: Context, numbers: Value, index: int, like: Kind, *, shifted: bool = False
) -> Value:
    """The numbers quantised with the scale and zero point that are two inputs in a row."""
    scale, zero = _one(ctx.input(index), "The scale"), ctx.optional(index + 1)
    return _saturate(numbers / scale, zero, like, shifted=shifted)


def _saturate(
    units: Value, zero: Value | None, like: Kind | None = None, *, shifted: bool = False
) -> Value:
    """Numbers in units of the result's scale as integers of its type.

    ``shifted``: onnxruntime adds the zero point before it rounds, so that ties go elsewhere.
    """
    zero = None if zero is None else _one(zero, "The zero point")
    kind = (zero.kind if zero is not None else like) or _UINT8
    if not shifted or zero is None or is_zero(zero):
        return quantise(units, zero, kind)
    return quantise(units + zero, None, kind)


def _within(
    ctx: Context, op: str, inputs: Sequence[Value | None], table: Mapping[str, Lowering]
) -> Value:
    """The first output of another operator with the attributes of this node."""
    found = table[op](replace(ctx, op=op, inputs=tuple(inputs)))
    first = found[0] if isinstance(found, tuple) else found
    if not isinstance(first, Value):
        raise InputError(f"{op} gives no tensor.")
    return first


def _factor(parameter: Value | None, *, left: bool) -> Value | None:
    """A parameter of a matrix: one number, one a row of a left or a column of a right factor."""
    if parameter is None or parameter.shape in ((), (1,)):
        return None if parameter is None else parameter.reshape(())
    # that of rows is broadcast over the columns
    rows = left and parameter.rank == 1
    return parameter.reshape((*parameter.shape, 1)) if rows else parameter


def _matrix_product(left: _Quantised, right: _Quantised) -> Value:
    """The product of the integers less their zero points."""
    one = _less(left.integers, _factor(left.zero, left=left.integers.rank > 1))
    two = _less(right.integers, _factor(right.zero, left=False))
    return one @ two


def _matrix_scale(left: Value, right: Value, *, row: bool) -> Value:
    scales = _factor(left, left=row), _factor(right, left=False)
    return reduce(Value.__mul__, [scale for scale in scales if scale is not None])


def _matmul(ctx: Context) -> Outputs:
    left, right = _Quantised.at(ctx, 0), _Quantised.at(ctx, 3)
    scale = _matrix_scale(left.scale, right.scale, row=left.integers.rank > 1)
    product = _matrix_product(left, right)
    units = product.apply(ops.MUL, scale / _one(ctx.input(6), "The scale"), kind=FLOAT)
    if units.shape != product.shape:
        raise InputError(f"Scales of shape {scale.shape} do not fit {product.shape}.")
    return _saturate(units, ctx.optional(7), left.integers.kind)


def _matmul_integer(ctx: Context) -> Outputs:
    one = ctx.constant(np.int64(1))
    left = _Quantised(ctx.input(0), one, ctx.optional(2))
    return _matrix_product(left, _Quantised(ctx.input(1), one, ctx.optional(3)))


def _matmul_to_float(ctx: Context) -> Outputs:
    """Inputs are two matrices, their scales, their zero points and a bias."""
    left = _Quantised(ctx.input(0), ctx.input(2), ctx.optional(4))
    right = _Quantised(ctx.input(1), ctx.input(3), ctx.optional(5))
    return _scaled(left, right, ctx.optional(6))


def _scaled(left: _Quantised, right: _Quantised, bias: Value | None) -> Value:
    scale = _matrix_scale(left.scale, right.scale, row=left.integers.rank > 1)
    product = _matrix_product(left, right).apply(ops.MUL, scale, kind=FLOAT)
    return product if bias is None else product + bias


def _dynamic_matmul(ctx: Context) -> Outputs:
    """Inputs are a matrix of floats, one of integers, its scale and zero point, and a bias."""
    left = _dynamic(ctx.input(0))
    right = _Quantised(ctx.input(1), ctx.input(2), ctx.optional(3))
    return _scaled(left, right, ctx.optional(4))


def _gemm(ctx: Context) -> Outputs:
    left, right, bias = _Quantised.at(ctx, 0), _Quantised.at(ctx, 3), ctx.optional(6)
    one, two = left.integers, right.integers
    if one.rank != 2 or two.rank != 2:
        raise InputError(f"QGemm takes matrices, not shapes {one.shape} and {two.shape}.")
    if ctx.attributes.flag("transA"):
        left = replace(left, integers=one.transpose((1, 0)))
    if ctx.attributes.flag("transB"):
        right = replace(right, integers=two.transpose((1, 0)))
    product = _matrix_product(left, right)
    total = product if bias is None else product + bias
    if total.shape != product.shape:
        raise InputError(f"A bias of shape {total.shape} does not fit {product.shape}.")
    alpha = ctx.attributes.real("alpha", 1.0)
    scale = _matrix_scale(_one(left.scale, "The scale"), right.scale, row=True).scale(alpha)
    if ctx.optional(7) is None:
        return total.apply(ops.MUL, scale, kind=FLOAT)
    units = total.apply(ops.MUL, scale / _one(ctx.input(7), "The scale"), kind=FLOAT)
    return _saturate(units, ctx.optional(8), one.kind)


def _channels_first(ctx: Context) -> None:
    if ctx.attributes.flag("channels_last"):
        raise UnsupportedError("channels in the last axis are not read.")


def _conv_of(ctx: Context, value: Value, weights: _Quantised, bias: Value | None) -> Value:
    """The convolution of the integers less their zero points; each filter may have its own."""
    shape = [n if i == 0 else 1 for i, n in enumerate(weights.integers.shape)]
    return _within(ctx, "Conv", (value, weights.centred(shape), bias), WINDOWS)


def _conv_integer(ctx: Context) -> Outputs:
    weights = _Quantised(ctx.input(1), ctx.constant(np.int64(1)), ctx.optional(3))
    return _conv_of(ctx, _less(ctx.input(0), ctx.optional(2)), weights, None)


def _conv(ctx: Context) -> Outputs:
    _channels_first(ctx)
    value, weights = _Quantised.at(ctx, 0), _Quantised.at(ctx, 3)
    sums = _conv_of(ctx, value.centred(), weights, ctx.optional(8))
    scale = weights.scale
    if scale.shape not in ((), (1,)):
        if scale.shape != sums.shape[1:2]:
            raise InputError(
                f"A scale of shape {scale.shape} does not fit {sums.shape[1]} filters."
            )
        scale = scale.reshape((*scale.shape, *(1,) * (sums.rank - 2)))
    else:
        scale = scale.reshape(())
    factor = _one(value.scale, "The scale") * scale / _one(ctx.input(6), "The scale")
    units = sums.apply(ops.MUL, factor, kind=FLOAT)
    return _saturate(units, ctx.optional(7), value.integers.kind)


def _dynamic(value: Value) -> _Quantised:
    """A tensor in 256 steps from its least to its largest element, 0 among them."""
    axes = tuple(range(value.rank))
    if 0 in value.shape:
        raise InputError("A tensor without elements has no range.")

    def end(op: Op, bound: Op) -> Value:
        return value.apply(op, function="", axes=axes, keepdims=False).apply(bound, 0)

    low, high = end(ops.REDUCE_MIN, ops.MINIMUM), end(ops.REDUCE_MAX, ops.MAXIMUM)
    width = high - low
    # onnxruntime: where all elements are 0, the scale is 1
    scale = width.apply(ops.EQUAL, 0, kind=BOOL).select(1, width / _STEPS, FLOAT)
    # both quotients are in these ranges already; saying so makes the roundings finite
    zero = (0 - low / scale).clip(Fraction(0), Fraction(_STEPS), kind=_UINT8)
    zero = zero.apply(ops.ROUND, mode="half_even")
    units = (value / scale).clip(Fraction(-_STEPS), Fraction(_STEPS))
    whole = units.apply(ops.ROUND, mode="half_even") + zero
    integers = whole.clip(Fraction(0), Fraction(_STEPS), kind=_UINT8)
    return _Quantised(integers, scale, zero)


def _dynamic_quantize(ctx: Context) -> Outputs:
    found = _dynamic(ctx.input(0))
    return found.integers, found.scale, found.zero or ctx.constant(np.int64(0), _UINT8)


def _lstm(ctx: Context) -> Outputs:
    """An LSTM whose sequence, and hidden state at each step, are quantised on the way."""
    sequence = ctx.input(0)
    if sequence.rank != 3 or sequence.shape[1] != 1:
        raise UnsupportedError("a batch of several sequences is quantised as threads have it.")

    def weights(index: int, first: int) -> Value:
        integers, scale, zero = ctx.input(index), ctx.input(first), ctx.optional(first + 1)

        def wide(parameter: Value) -> Value:
            rest = parameter.shape[1:] or (1,)
            return parameter.reshape((parameter.shape[0] if parameter.rank else 1, 1, *rest))

        centred = _less(integers, None if zero is None else wide(zero))
        return centred.apply(ops.MUL, wide(scale), kind=FLOAT).transpose((0, 2, 1))

    def on_way(value: Value) -> Value:
        return _dynamic(value).numbers()

    inputs = on_way(sequence), weights(1, 8), weights(2, 10), *ctx.inputs[3:8]
    return long_short_term_memory(replace(ctx, inputs=inputs), on_way)


def _by_numbers(act: Callable[[Context, Value], Value], *, shifted: bool = False) -> Lowering:
    """The operator of one quantised tensor that is a function of the numbers."""

    def lower(ctx: Context) -> Outputs:
        given = _Quantised.at(ctx, 0)
        return _result(ctx, act(ctx, given.numbers()), 3, given.integers.kind, shifted=shifted)

    return lower


def _two_numbers(act: Callable[[Value, Value], Value]) -> Lowering:
    """The operator of two quantised tensors that is a function of the numbers."""

    def lower(ctx: Context) -> Outputs:
        one, two = _Quantised.at(ctx, 0), _Quantised.at(ctx, 3)
        found = act(one.numbers(), two.numbers())
        return _result(ctx, found, 6, one.integers.kind, shifted=True)

    return lower


def _pool(op: str) -> Callable[[Context, Value], Value]:
    def act(ctx: Context, numbers: Value) -> Value:
        _channels_first(ctx)
        return _within(ctx, op, (numbers,), WINDOWS)

    return act


def _softmax(ctx: Context) -> Outputs:
    opset, given = ctx.attributes.integer("opset"), _Quantised.at(ctx, 0)
    standard = replace(ctx, opset=opset)
    softmax = _within(standard, "Softmax", (given.numbers(),), SELECTION)
    return _result(ctx, softmax, 3, given.integers.kind)


def _concat(ctx: Context) -> Outputs:
    if len(ctx.inputs) < 5 or len(ctx.inputs) % 3 != 2:
        raise InputError(f"{len(ctx.inputs)} inputs are no scale, zero point and triples.")
    parts = [_Quantised.at(ctx, index).numbers() for index in range(2, len(ctx.inputs), 3)]
    axis = axis_in(ctx.attributes.integer("axis"), parts[0].rank)
    return _result(ctx, concat(parts, axis), 0, ctx.input(2).kind)


def _where(ctx: Context) -> Outputs:
    one, two = _Quantised.at(ctx, 1), _Quantised.at(ctx, 4)
    chosen = ctx.input(0).select(one.numbers(), two.numbers(), FLOAT)
    return _result(ctx, chosen, 7, one.integers.kind)


def _packed_matmul(ctx: Context) -> Outputs:
    """The product with weights of few bits, in blocks of rows that have a scale each."""
    integer = ctx.attributes.integer
    depth, width, bits = integer("K"), integer("N"), integer("bits", 4)
    block = integer("block_size")
    ctx.attributes.ignore("accuracy_level", "weights_prepacked")
    if bits not in (2, 4, 8) or block < 16 or block & (block - 1) or min(depth, width) < 1:
        raise InputError(f"Weights of {bits} bits in blocks of {block} are not possible.")
    if ctx.optional(4) is not None:
        raise UnsupportedError("an order of the groups (g_idx) is not read.")
    count = -(-depth // block)
    levels = _unpack(ctx.input(1).known("the weights"), bits, (width, count * block))
    scales, zero = ctx.input(2).reshape((width, count)), ctx.optional(3)
    zeros = np.full((width, count), 2 ** (bits - 1))
    if zero is not None and not zero.kind.integral:
        zeros = zero.known("the zero points").reshape(width, count)
    elif zero is not None:
        per_row = -(-count * bits // 8) * 8 // bits
        zeros = _unpack(zero.known("the zero points"), bits, (width, per_row))[:, :count]
    spread = np.repeat(zeros, block, axis=1)[:, :depth]
    centred = ctx.constant((levels[:, :depth] - spread).T.copy())
    scale = scales.take([i // block for i in range(depth)], 1).transpose((1, 0))
    product = ctx.input(0) @ centred.apply(ops.MUL, scale, kind=FLOAT)
    bias = ctx.optional(5)
    return product if bias is None else product + bias


def _unpack(stored: Array, bits: int, shape: tuple[int, int]) -> Array:
    """Numbers of few bits, the first of each byte in its lowest bits."""
    octets = stored.astype(np.uint8).reshape(-1)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    levels = (octets[:, None] >> shifts[None, :]) & (2**bits - 1)
    if levels.size != shape[0] * shape[1]:
        raise InputError(f"{stored.size} bytes are not {shape[0] * shape[1]} times {bits} bits.")
    return levels.astype(np.int64).reshape(shape)


QUANTISED: Mapping[str, Lowering] = {
    "ConvInteger": _conv_integer,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "MatMulInteger": _matmul_integer,
    "QLinearConv": _conv,
    "QLinearMatMul": _matmul,
}

MICROSOFT: Mapping[str, Lowering] = {
    **QUANTISATION,
    "DynamicQuantizeLSTM": _lstm,
    "DynamicQuantizeMatMul": _dynamic_matmul,
    "MatMulIntegerToFloat": _matmul_to_float,
    "MatMulNBits": _packed_matmul,
    "QGemm": _gemm,
    "QLinearAdd": _two_numbers(Value.__add__),
    "QLinearAveragePool": _by_numbers(_pool("AveragePool"), shifted=True),
    "QLinearConcat": _concat,
    "QLinearConv": _conv,
    "QLinearGlobalAveragePool": _by_numbers(_pool("GlobalAveragePool")),
    "QLinearLeakyRelu": _by_numbers(
        lambda ctx, numbers: _within(ctx, "LeakyRelu", (numbers,), POINTWISE)
    ),
    "QLinearMul": _two_numbers(Value.__mul__),
    "QLinearSigmoid": _by_numbers(lambda _, numbers: numbers.apply(ops.SIGMOID)),
    "QLinearSoftmax": _softmax,
    "QLinearWhere": _where,
}
"""The operators of the domain ``com.microsoft`` that its quantiser writes."""
