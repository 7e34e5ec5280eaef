"""Nodes of operator sets before 7, read as newer ones: broadcasting was said by attributes."""

from __future__ import annotations

from dataclasses import replace

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.onnx.context import Context
from tamecheck.loaders.values import Value

NUMPY_BROADCASTING = 7
"""The operator set that broadcasts as NumPy does."""

_PAIRS = frozenset(
    ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less")
)
_MODES = frozenset(("BatchNormalization", "Dropout"))


def renew(ctx: Context) -> Context:
    """The node as operator set 7 would have it."""
    ctx.attributes.ignore("consumed_inputs")
    if ctx.op in _MODES and not ctx.attributes.flag("is_test"):
        raise UnsupportedError("training mode, which is the default of this operator set.")
    if ctx.op == "Gemm":
        ctx.attributes.ignore("broadcast")
    if ctx.op == "PRelu":
        value, slope = ctx.input(0), ctx.input(1)
        if slope.rank == 1 and slope.shape != (1,) and value.rank > 1:
            return _second(ctx, slope.reshape((*slope.shape, *(1,) * (value.rank - 2))))
    if ctx.op not in _PAIRS:
        return ctx
    left, right = ctx.input(0), ctx.input(1)
    if not ctx.attributes.flag("broadcast"):
        if left.shape != right.shape:
            raise InputError(f"Shapes {left.shape} and {right.shape} differ.")
        return ctx
    after = 0
    if ctx.attributes.has("axis"):
        after = left.rank - ctx.axis(None, left.rank) - right.rank
    if after < 0 or right.rank > left.rank:
        raise InputError(f"Shape {right.shape} does not fit {left.shape}.")
    return _second(ctx, right.reshape((*right.shape, *(1,) * after)))


def _second(ctx: Context, value: Value) -> Context:
    return replace(ctx, inputs=(ctx.inputs[0], value, *ctx.inputs[2:]))
