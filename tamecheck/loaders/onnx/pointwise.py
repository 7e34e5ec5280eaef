"""Operators that act elementwise: arithmetic, comparison, logic, rounding, activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.graph import Apply, Constant
from tamecheck.ir.op import Op
from tamecheck.ir.tensor import Shape
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.onnx.kinds import BOOL, Family, Kind, Value, kind_of
from tamecheck.loaders.onnx.quantisation import rounded_to

__all__ = ["ACTIVATIONS", "POINTWISE", "elu", "hard_sigmoid", "softsign", "thresholded", "uniform"]


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


def unary(op: Op) -> Lowering:
    """The operator that is one primitive op of its first input."""
    return lambda ctx: (ctx.apply(op, ctx.input(0)),)


def binary(op: Op) -> Lowering:
    """The operator that is one primitive op of its two inputs."""
    return lambda ctx: (ctx.apply(op, ctx.input(0), ctx.input(1)),)


def comparison(op: Op, *, swapped: bool = False) -> Lowering:
    """The operator that compares its two inputs."""

    def lower(ctx: Context) -> Outputs:
        left, right = ctx.input(0), ctx.input(1)
        pair = (right, left) if swapped else (left, right)
        return (ctx.apply(op, *pair, kind=BOOL),)

    return lower


def _multiply(ctx: Context) -> Outputs:
    left, right = ctx.input(0), ctx.input(1)
    # a square has a sign, which a product of two unrelated factors has not
    same = left.array is None and left.node == right.node
    return (ctx.square(left) if same else ctx.apply(ops.MUL, left, right),)


def _divide(ctx: Context) -> Outputs:
    left, right = ctx.input(0), ctx.input(1)
    quotient = ctx.apply(ops.DIV, left, right)
    return (ctx.truncated(quotient, left.kind) if left.kind.integral else quotient,)


def _modulo(ctx: Context) -> Outputs:
    left, right = ctx.input(0), ctx.input(1)
    like_dividend = ctx.attributes.flag("fmod")
    quotient = ctx.apply(ops.DIV, left, right)
    if like_dividend:
        whole = ctx.apply(ops.ROUND, quotient, mode="toward_zero")
    else:
        whole = ctx.apply(ops.FLOOR, quotient)
    return (ctx.apply(ops.SUB, left, ctx.apply(ops.MUL, right, whole)),)


def _extreme(op: Op) -> Lowering:
    """The largest or smallest of any number of inputs; constants become bounds of a clip."""

    def lower(ctx: Context) -> Outputs:
        def join(left: Value, right: Value) -> Value:
            for value, other in ((left, right), (right, left)):
                bound = uniform(other)
                shape = np.broadcast_shapes(left.shape, right.shape)
                if bound is None or value.array is not None or shape != value.shape:
                    continue
                if op is ops.MAXIMUM:
                    return clipped(ctx, value, bound, None)
                return clipped(ctx, value, None, bound)
            return ctx.apply(op, left, right)

        return (reduce(join, ctx.all_inputs()),)

    return lower


def uniform(value: Value) -> float | Fraction | int | None:
    """The number that all elements of a constant are, if they are equal."""
    if value.array is None or value.array.size == 0:
        return None
    first = value.array.reshape(-1)[0]
    if value.array.size > 1 and not bool(np.asarray(value.array == first).all()):
        return None
    return first if isinstance(first, (int, Fraction)) else first.item()


def clipped(
    ctx: Context, value: Value, low: float | Fraction | None, high: float | Fraction | None
) -> Value:
    """``min(max(value, low), high)``; joined with a one-sided clip below where that is exact."""
    lo = None if low is None or low == -np.inf else _finite(low)
    hi = None if high is None or high == np.inf else _finite(high)
    if lo is not None and hi is not None and lo > hi:
        # ONNX: then every element is the upper bound
        lo = hi
    if lo is None and hi is None:
        return value
    below = None if value.array is not None else ctx.emitter.builder.node(value.node)
    if isinstance(below, Apply) and below.op is ops.CLIP:
        source = Value(value.kind, value.shape, node=below.args[0])
        match (below.params["lo"], below.params["hi"], lo, hi):
            case (None, Fraction() as outer, Fraction(), None) if lo <= outer:
                return ctx.apply(ops.CLIP, source, lo=lo, hi=outer)
            case (Fraction() as inner, None, None, Fraction()) if inner <= hi:
                return ctx.apply(ops.CLIP, source, lo=inner, hi=hi)
            case _:
                pass
    return ctx.apply(ops.CLIP, value, lo=lo, hi=hi)


def _finite(bound: float | Fraction) -> Fraction:
    if bound != bound or bound in (np.inf, -np.inf):  # noqa: PLR0124 - NaN differs from itself
        raise InputError(f"The bound {bound} leaves no real number.")
    return Fraction(bound)


def _clip(ctx: Context) -> Outputs:
    value = ctx.input(0)
    if ctx.opset < 11:
        attributes = ctx.attributes
        low = attributes.real("min") if attributes.has("min") else None
        high = attributes.real("max") if attributes.has("max") else None
        return (clipped(ctx, value, low, high),)
    low, high = ctx.optional(1), ctx.optional(2)
    bounds = [None if side is None else uniform(side) for side in (low, high)]
    if all(
        side is None or bound is not None for side, bound in zip((low, high), bounds, strict=True)
    ):
        return (clipped(ctx, value, *bounds),)
    if low is not None:
        value = ctx.apply(ops.MAXIMUM, value, low)
    if high is not None:
        value = ctx.apply(ops.MINIMUM, value, high)
    return (value,)


def _sum(ctx: Context) -> Outputs:
    return (reduce(lambda a, b: ctx.apply(ops.ADD, a, b), ctx.all_inputs()),)


def _mean(ctx: Context) -> Outputs:
    (total,) = _sum(ctx)
    count = len(ctx.inputs)
    return (total if count == 1 else ctx.apply(ops.DIV, total, count),)


def _where(ctx: Context) -> Outputs:
    condition, left, right = ctx.input(0), ctx.input(1), ctx.input(2)
    signed = _sign_in_disguise(ctx, condition, left, right)
    if signed is not None:
        return (signed,)
    return (ctx.apply(ops.SELECT, condition, left, right, kind=left.kind),)


def _sign_in_disguise(ctx: Context, condition: Value, left: Value, right: Value) -> Value | None:
    """``where(x >= 0, 1, -1)`` and ``where(x > 0, 1, -1)`` as signs: None if it is neither.

    ONNX's own sign is 0 at 0, so networks whose sign is ±1 are exported like this.
    """
    if condition.array is not None or not (_is_scalar(left, 1) and _is_scalar(right, -1)):
        return None
    builder = ctx.emitter.builder
    test = builder.node(condition.node)
    if not isinstance(test, Apply) or test.op not in (ops.LESS_EQUAL, ops.LESS):
        return None
    zero, x = (builder.node(arg) for arg in test.args)
    if not isinstance(zero, Constant) or zero.shape or zero.tensor.fractions() != [0]:
        return None
    argument = Value(left.kind, x.shape, node=test.args[1])
    at_zero = Fraction(1 if test.op is ops.LESS_EQUAL else -1)
    return ctx.apply(ops.SIGN, argument, kind=left.kind, at_zero=at_zero)


def _is_scalar(value: Value, number: int) -> bool:
    return value.array is not None and value.shape == () and bool(value.array == number)


def _exclusive_or(ctx: Context) -> Outputs:
    difference = ctx.apply(ops.SUB, ctx.input(0), ctx.input(1))
    return (ctx.apply(ops.ABS, difference, kind=BOOL),)


def _negation(ctx: Context) -> Outputs:
    return (ctx.apply(ops.SUB, 1, ctx.input(0), kind=BOOL),)


def _power(ctx: Context) -> Outputs:
    base, exponent = ctx.input(0), ctx.input(1)
    shape: Shape = tuple(int(n) for n in np.broadcast_shapes(base.shape, exponent.shape))
    if exponent.array is None:
        power = ctx.apply(ops.POWER, base, exponent)
    else:
        power = _fixed_power(ctx, ctx.broadcast(base, shape), exponent, shape)
    if base.kind.integral and not exponent.kind.integral:
        power = ctx.truncated(power, base.kind)
    return (power,)


MAX_EXPONENTS = 64
MAX_EXPONENT = 100_000


def _fixed_power(ctx: Context, base: Value, exponent: Value, shape: Shape) -> Value:
    """Elements with the same exponent are raised together, each on its own domain."""
    spread = np.broadcast_to(exponent.array if exponent.array is not None else 0, shape)
    flat = spread.reshape(-1)
    exponents = sorted(set(flat.tolist()))
    if any(abs(e) > MAX_EXPONENT for e in exponents) or len(exponents) > MAX_EXPONENTS:
        return ctx.apply(ops.POWER, base, exponent)
    if len(exponents) == 1:
        return _raised(ctx, base, Fraction(exponents[0]))
    line = ctx.reshape(base, (flat.size,))
    places = [np.flatnonzero(flat == e) for e in exponents]
    parts = [
        _raised(ctx, ctx.take(line, place, 0), Fraction(e))
        for e, place in zip(exponents, places, strict=True)
    ]
    joined = ctx.apply(ops.CONCAT, *parts, axis=0)
    back = np.argsort(np.concatenate(places), kind="stable")
    return ctx.reshape(ctx.take(joined, back, 0), shape)


def _raised(ctx: Context, base: Value, exponent: Fraction) -> Value:
    if exponent == Fraction(1, 2):
        return ctx.apply(ops.SQRT, base)
    return base if exponent == 1 else ctx.apply(ops.POW, base, exponent=exponent)


def _cast_to(ctx: Context, value: Value, kind: Kind) -> Value:
    source = value.kind
    if kind.family is Family.BOOLEAN:
        if source.family is Family.BOOLEAN:
            return value
        return ctx.apply(ops.SUB, 1, ctx.apply(ops.EQUAL, value, 0), kind=BOOL)
    if kind.family is Family.INTEGER and not source.integral:
        return ctx.truncated(value, kind)
    if kind.family is Family.INTEGER and not kind.low <= source.low <= source.high <= kind.high:
        ctx.note(f"Casting {source.name} to {kind.name} is read without wrapping around.")
    if kind.family is Family.COARSE and source != kind:
        return rounded_to(ctx, value, kind, saturate=ctx.attributes.flag("saturate", default=True))
    if kind.family is Family.REAL and source.family is Family.REAL and source != kind:
        ctx.note(f"Casting {source.name} to {kind.name} is read as the identity on the reals.")
    return Value(kind, value.shape, value.name, value.array, value.node)


def _cast(ctx: Context) -> Outputs:
    ctx.attributes.ignore("saturate", "round_mode")
    return (_cast_to(ctx, ctx.input(0), kind_of(ctx.attributes.integer("to"))),)


def _cast_like(ctx: Context) -> Outputs:
    ctx.attributes.ignore("saturate", "round_mode")
    return (_cast_to(ctx, ctx.input(0), ctx.input(1).kind),)


def _identity(ctx: Context) -> Outputs:
    return (ctx.input(0),)


_ONE_OP: Mapping[str, Op] = MappingProxyType(
    {
        "Abs": ops.ABS,
        "Acos": ops.ACOS,
        "Acosh": ops.ACOSH,
        "Asin": ops.ASIN,
        "Asinh": ops.ASINH,
        "Atan": ops.ATAN,
        "Atanh": ops.ATANH,
        "Ceil": ops.CEIL,
        "Cos": ops.COS,
        "Cosh": ops.COSH,
        "Erf": ops.ERF,
        "Exp": ops.EXP,
        "Floor": ops.FLOOR,
        "Log": ops.LOG,
        "Neg": ops.NEG,
        "Relu": ops.RELU,
        "Sigmoid": ops.SIGMOID,
        "Sin": ops.SIN,
        "Sinh": ops.SINH,
        "Softplus": ops.SOFTPLUS,
        "Sqrt": ops.SQRT,
        "Tan": ops.TAN,
        "Tanh": ops.TANH,
    }
)

POINTWISE: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {
        **{name: unary(op) for name, op in _ONE_OP.items()},
        "Add": binary(ops.ADD),
        "And": binary(ops.MINIMUM),
        "Cast": _cast,
        "CastLike": _cast_like,
        "Clip": _clip,
        "Div": _divide,
        "Equal": comparison(ops.EQUAL),
        "Greater": comparison(ops.LESS, swapped=True),
        "GreaterOrEqual": comparison(ops.LESS_EQUAL, swapped=True),
        "Identity": _identity,
        "Less": comparison(ops.LESS),
        "LessOrEqual": comparison(ops.LESS_EQUAL),
        "Max": _extreme(ops.MAXIMUM),
        "Mean": _mean,
        "Min": _extreme(ops.MINIMUM),
        "Mod": _modulo,
        "Mul": _multiply,
        "Not": _negation,
        "Or": binary(ops.MAXIMUM),
        "Pow": _power,
        "Reciprocal": lambda ctx: (ctx.apply(ops.DIV, 1, ctx.input(0)),),
        "Round": lambda ctx: (ctx.apply(ops.ROUND, ctx.input(0), mode="half_even"),),
        "Sign": lambda ctx: (ctx.apply(ops.SIGN, ctx.input(0), at_zero=Fraction(0)),),
        "Sub": binary(ops.SUB),
        "Sum": _sum,
        "Where": _where,
        "Xor": _exclusive_or,
    }
)
"""The operators of this file."""
