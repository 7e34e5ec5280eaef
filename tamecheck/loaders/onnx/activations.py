"""Activation functions that are more than one primitive op."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.kinds import BOOL
from tamecheck.loaders.onnx.values import Value

__all__ = ["ACTIVATIONS", "elu", "hard_sigmoid", "softsign", "thresholded"]

ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)


def elu(ctx: Context, value: Value, alpha: Fraction, beta: Fraction = ONE) -> Value:
    """``x`` for ``x >= 0``, else ``alpha (exp(x / beta) - 1)``."""
    return ctx.apply(ops.ELU, value, alpha=alpha, beta=beta)


def hard_sigmoid(ctx: Context, value: Value, alpha: Fraction, beta: Fraction) -> Value:
    """``clip(alpha x + beta, 0, 1)``."""
    line = ctx.apply(ops.ADD, ctx.scaled(value, alpha), beta)
    return ctx.apply(ops.CLIP, line, function="hardtanh", lo=ZERO, hi=ONE)


def softsign(ctx: Context, value: Value) -> Value:
    """``x / (1 + |x|)``."""
    return ctx.apply(ops.DIV, value, ctx.apply(ops.ADD, 1, ctx.apply(ops.ABS, value)))


def thresholded(ctx: Context, value: Value, alpha: Fraction) -> Value:
    """``x`` where ``x > alpha``, else 0."""
    above = ctx.apply(ops.LESS, alpha, value, kind=BOOL)
    return ctx.apply(ops.SELECT, above, value, 0, kind=value.kind)


def _elu(ctx: Context) -> Outputs:
    return (elu(ctx, ctx.input(0), ctx.attributes.real("alpha", 1.0)),)


def _celu(ctx: Context) -> Outputs:
    alpha = ctx.attributes.real("alpha", 1.0)
    if alpha == 0:
        raise InputError("Celu divides by alpha, which is 0.")
    return (elu(ctx, ctx.input(0), alpha, alpha),)


def _selu(ctx: Context) -> Outputs:
    alpha = ctx.attributes.real("alpha", 1.67326319217681884765625)
    gamma = ctx.attributes.real("gamma", 1.05070102214813232421875)
    return (ctx.scaled(elu(ctx, ctx.input(0), alpha), gamma),)


def _leaky_relu(ctx: Context) -> Outputs:
    alpha = ctx.attributes.real("alpha", 0.01)
    return (ctx.apply(ops.LEAKY_RELU, ctx.input(0), alpha=alpha),)


def _prelu(ctx: Context) -> Outputs:
    value, slope = ctx.input(0), ctx.input(1)
    result = ctx.apply(ops.PRELU, value, slope)
    if result.shape != value.shape:
        raise InputError(f"A slope of shape {slope.shape} does not fit {value.shape}.")
    return (result,)


def _thresholded_relu(ctx: Context) -> Outputs:
    return (thresholded(ctx, ctx.input(0), ctx.attributes.real("alpha", 1.0)),)


def _hard_sigmoid(ctx: Context) -> Outputs:
    alpha, beta = ctx.attributes.real("alpha", 0.2), ctx.attributes.real("beta", 0.5)
    return (hard_sigmoid(ctx, ctx.input(0), alpha, beta),)


def _hard_swish(ctx: Context) -> Outputs:
    value = ctx.input(0)
    return (ctx.apply(ops.MUL, value, hard_sigmoid(ctx, value, Fraction(1, 6), HALF)),)


def _softsign(ctx: Context) -> Outputs:
    return (softsign(ctx, ctx.input(0)),)


def _mish(ctx: Context) -> Outputs:
    value = ctx.input(0)
    gate = ctx.apply(ops.TANH, ctx.apply(ops.SOFTPLUS, value))
    return (ctx.apply(ops.MUL, value, gate),)


def _swish(ctx: Context) -> Outputs:
    value = ctx.input(0)
    gate = ctx.apply(ops.SIGMOID, ctx.scaled(value, ctx.attributes.real("alpha", 1.0)))
    return (ctx.apply(ops.MUL, value, gate),)


def _gelu(ctx: Context) -> Outputs:
    value = ctx.input(0)
    match ctx.attributes.text("approximate", "none"):
        case "none":
            root = ctx.apply(ops.SQRT, 2)
            gate = ctx.apply(ops.ERF, ctx.apply(ops.DIV, value, root))
        case "tanh":
            # 2 / π = 1 / (2 atan 1), an irrational constant that stays a node
            angle = ctx.scaled(ctx.apply(ops.ATAN, 1), Fraction(2))
            factor = ctx.apply(ops.SQRT, ctx.apply(ops.DIV, 1, angle))
            cube = ctx.apply(ops.POW, value, exponent=Fraction(3))
            inner = ctx.apply(ops.ADD, value, ctx.scaled(cube, Fraction("0.044715")))
            gate = ctx.apply(ops.TANH, ctx.apply(ops.MUL, factor, inner))
        case other:
            raise InputError(f"approximate cannot be {other!r}.")
    half = ctx.scaled(value, HALF)
    return (ctx.apply(ops.MUL, half, ctx.apply(ops.ADD, 1, gate)),)


def _shrink(ctx: Context) -> Outputs:
    value = ctx.input(0)
    bias, limit = ctx.attributes.real("bias", 0.0), ctx.attributes.real("lambd", 0.5)
    low = ctx.apply(ops.LESS, value, -limit, kind=BOOL)
    high = ctx.apply(ops.LESS, limit, value, kind=BOOL)
    upper = ctx.apply(ops.SELECT, high, ctx.apply(ops.SUB, value, bias), 0, kind=value.kind)
    lower = ctx.apply(ops.ADD, value, bias)
    return (ctx.apply(ops.SELECT, low, lower, upper, kind=value.kind),)


ACTIVATIONS: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {
        "Celu": _celu,
        "Elu": _elu,
        "Gelu": _gelu,
        "HardSigmoid": _hard_sigmoid,
        "HardSwish": _hard_swish,
        "LeakyRelu": _leaky_relu,
        "Mish": _mish,
        "PRelu": _prelu,
        "Selu": _selu,
        "Shrink": _shrink,
        "Softsign": _softsign,
        "Swish": _swish,
        "ThresholdedRelu": _thresholded_relu,
    }
)
"""The operators of this file."""
