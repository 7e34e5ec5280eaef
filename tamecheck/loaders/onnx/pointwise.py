"""Operators that act elementwise: arithmetic, comparison, logic, rounding, activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import reduce

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.graph import Apply, Constant
from tamecheck.ir.op import Op
from tamecheck.ir.op import Value as Param
from tamecheck.ir.tensor import Shape
from tamecheck.loaders.kinds import BOOL, Kind
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value

MAX_EXPONENTS = 64
MAX_EXPONENT = 100_000
ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)


def _op(
    op: Op, arity: int = 1, *, swapped: bool = False, kind: Kind | None = None, **params: Param
) -> Lowering:
    """The operator that is one primitive op of its first inputs."""

    def lower(ctx: Context) -> Value:
        values = [ctx.input(index) for index in range(arity)]
        first, *more = values[::-1] if swapped else values
        return first.apply(op, *more, kind=kind, function="", **params)

    return lower


def _multiply(ctx: Context) -> Outputs:
    left, right = ctx.input(0), ctx.input(1)
    # a square has a sign, which a product of two unrelated factors has not
    return left.square() if left.array is None and left.node == right.node else left * right


def _divide(ctx: Context) -> Outputs:
    left, right = ctx.input(0), ctx.input(1)
    quotient = left / right
    return quotient.truncate(left.kind) if left.kind.integral else quotient


def _modulo(ctx: Context) -> Outputs:
    left, right = ctx.input(0), ctx.input(1)
    like_dividend = ctx.attributes.flag("fmod")
    quotient = left / right
    whole = quotient.truncate(left.kind) if like_dividend else quotient.apply(ops.FLOOR)
    return left - right * whole


def _extreme(op: Op) -> Lowering:
    """The largest or smallest of any number of inputs; constants become bounds of a clip."""

    def join(left: Value, right: Value) -> Value:
        shape = np.broadcast_shapes(left.shape, right.shape)
        for value, other in ((left, right), (right, left)):
            bound = uniform(other)
            if bound is not None and value.array is None and shape == value.shape:
                low, high = (bound, None) if op is ops.MAXIMUM else (None, bound)
                return _clip_to(value, low, high)
        return left.apply(op, right)

    return lambda ctx: reduce(join, ctx.all_inputs())


def uniform(value: Value) -> float | Fraction | int | None:
    """The number that all elements of a constant are, if they are equal."""
    if value.array is None or value.array.size == 0:
        return None
    first = value.array.reshape(-1)[0]
    if value.array.size > 1 and not bool(np.asarray(value.array == first).all()):
        return None
    return first if isinstance(first, (int, Fraction)) else first.item()


def _clip_to(value: Value, low: float | Fraction | None, high: float | Fraction | None) -> Value:
    """``min(max(value, low), high)``; joined with a one-sided clip below where that is exact."""
    lo = None if low is None or low == -np.inf else _finite(low)
    hi = None if high is None or high == np.inf else _finite(high)
    if lo is not None and hi is not None and lo > hi:
        # ONNX: then every element is the upper bound
        lo = hi
    if lo is None and hi is None:
        return value
    below = None if value.array is not None else value.emitter.builder.node(value.node)
    if isinstance(below, Apply) and below.op is ops.CLIP:
        source = replace(value, name="", node=below.args[0])
        match (below.params["lo"], below.params["hi"], lo, hi):
            case (None, Fraction() as outer, Fraction(), None) if lo <= outer:
                return source.clip(lo, outer)
            case (Fraction() as inner, None, None, Fraction()) if inner <= hi:
                return source.clip(inner, hi)
            case _:
                pass
    return value.clip(lo, hi)


def _finite(bound: float | Fraction) -> Fraction:
    if bound != bound or bound in (np.inf, -np.inf):  # noqa: PLR0124 - NaN differs from itself
        raise InputError(f"The bound {bound} leaves no real number.")
    return Fraction(bound)


def _clip(ctx: Context) -> Outputs:
    value = ctx.input(0)
    if ctx.opset < 11:
        low, high = (
            ctx.attributes.real(name) if ctx.attributes.has(name) else None
            for name in ("min", "max")
        )
        return _clip_to(value, low, high)
    ends = ctx.optional(1), ctx.optional(2)
    bounds = [None if end is None else uniform(end) for end in ends]
    if all(end is None or bound is not None for end, bound in zip(ends, bounds, strict=True)):
        return _clip_to(value, *bounds)
    for op, end in zip((ops.MAXIMUM, ops.MINIMUM), ends, strict=True):
        value = value if end is None else value.apply(op, end)
    return value


def _sum(ctx: Context) -> Value:
    return reduce(Value.__add__, ctx.all_inputs())


def _mean(ctx: Context) -> Outputs:
    total, count = _sum(ctx), len(ctx.inputs)
    return total if count == 1 else total / count


def _where(ctx: Context) -> Outputs:
    condition, left, right = ctx.input(0), ctx.input(1), ctx.input(2)
    sign = _sign_in_disguise(condition, left, right)
    return condition.select(left, right, left.kind) if sign is None else sign


def _sign_in_disguise(condition: Value, left: Value, right: Value) -> Value | None:
    """``where(x >= 0, 1, -1)`` and ``where(x > 0, 1, -1)`` as signs: None if it is neither.

    ONNX's own sign is 0 at 0, so networks whose sign is ±1 are exported like this.
    """
    if condition.array is not None or not (_is_scalar(left, 1) and _is_scalar(right, -1)):
        return None
    builder = condition.emitter.builder
    test = builder.node(condition.node)
    if not isinstance(test, Apply) or test.op not in (ops.LESS_EQUAL, ops.LESS):
        return None
    zero, x = (builder.node(arg) for arg in test.args)
    if not isinstance(zero, Constant) or zero.shape or zero.tensor.fractions() != [0]:
        return None
    argument = Value(condition.emitter, left.kind, x.shape, node=test.args[1])
    return argument.apply(ops.SIGN, at_zero=Fraction(1 if test.op is ops.LESS_EQUAL else -1))


def _is_scalar(value: Value, number: int) -> bool:
    return value.array is not None and value.shape == () and bool(value.array == number)


def _power(ctx: Context) -> Outputs:
    base, exponent = ctx.input(0), ctx.input(1)
    shape: Shape = tuple(int(n) for n in np.broadcast_shapes(base.shape, exponent.shape))
    if exponent.array is None:
        power = base.apply(ops.POWER, exponent)
    else:
        power = _fixed_power(base.broadcast(shape), exponent, shape)
    integral = base.kind.integral and not exponent.kind.integral
    return power.truncate(base.kind) if integral else power


def _fixed_power(base: Value, exponent: Value, shape: Shape) -> Value:
    """Elements with the same exponent are raised together, each on its own domain."""
    spread = np.broadcast_to(exponent.array if exponent.array is not None else 0, shape)
    flat = spread.reshape(-1)
    exponents = sorted(set(flat.tolist()))
    if any(abs(e) > MAX_EXPONENT for e in exponents) or len(exponents) > MAX_EXPONENTS:
        return base.apply(ops.POWER, exponent)
    if len(exponents) == 1:
        return _raise_to(base, Fraction(exponents[0]))
    line = base.reshape((flat.size,))
    places = [np.flatnonzero(flat == e) for e in exponents]
    first, *others = (
        _raise_to(line.take(place, 0), Fraction(e))
        for e, place in zip(exponents, places, strict=True)
    )
    back = np.argsort(np.concatenate(places), kind="stable")
    return first.apply(ops.CONCAT, *others, axis=0).take(back, 0).reshape(shape)


def _raise_to(base: Value, exponent: Fraction) -> Value:
    if exponent == HALF:
        return base.apply(ops.SQRT)
    return base if exponent == 1 else base.apply(ops.POW, exponent=exponent)


def elu(value: Value, alpha: Fraction, beta: Fraction = ONE) -> Value:
    """``x`` for ``x >= 0``, else ``alpha (exp(x / beta) - 1)``."""
    return value.apply(ops.ELU, alpha=alpha, beta=beta)


def hard_sigmoid(value: Value, alpha: Fraction, beta: Fraction) -> Value:
    """``clip(alpha x + beta, 0, 1)``."""
    return (value.scale(alpha) + beta).clip(ZERO, ONE, function="hardtanh")


def softsign(value: Value) -> Value:
    """``x / (1 + |x|)``."""
    return value / (1 + value.apply(ops.ABS))


def threshold(value: Value, alpha: Fraction) -> Value:
    """``x`` where ``x > alpha``, else 0."""
    return value.emitter.apply(ops.LESS, alpha, value, kind=BOOL).select(value, 0, value.kind)


def _celu(ctx: Context) -> Outputs:
    alpha = ctx.attributes.real("alpha", 1.0)
    if alpha == 0:
        raise InputError("Celu divides by alpha, which is 0.")
    return elu(ctx.input(0), alpha, alpha)


def _selu(ctx: Context) -> Outputs:
    alpha = ctx.attributes.real("alpha", 1.67326319217681884765625)
    gamma = ctx.attributes.real("gamma", 1.05070102214813232421875)
    return elu(ctx.input(0), alpha).scale(gamma)


def _prelu(ctx: Context) -> Outputs:
    value, slope = ctx.input(0), ctx.input(1)
    result = value.apply(ops.PRELU, slope)
    if result.shape != value.shape:
        raise InputError(f"A slope of shape {slope.shape} does not fit {value.shape}.")
    return result


def _gelu(ctx: Context) -> Outputs:
    value, number = ctx.input(0), ctx.emitter.apply
    match ctx.attributes.text("approximate", "none"):
        case "none":
            gate = (value / number(ops.SQRT, 2)).apply(ops.ERF)
        case "tanh":
            # 2 / π = 1 / (2 atan 1), an irrational constant that stays a node
            factor = (1 / number(ops.ATAN, 1).scale(Fraction(2))).apply(ops.SQRT)
            cube = value.apply(ops.POW, exponent=Fraction(3))
            gate = (factor * (value + cube.scale(Fraction("0.044715")))).apply(ops.TANH)
        case other:
            raise InputError(f"approximate cannot be {other!r}.")
    return value.scale(HALF) * (1 + gate)


def _shrink(ctx: Context) -> Outputs:
    value = ctx.input(0)
    bias, limit = ctx.attributes.real("bias", 0.0), ctx.attributes.real("lambd", 0.5)
    low = value.apply(ops.LESS, -limit, kind=BOOL)
    high = ctx.emitter.apply(ops.LESS, limit, value, kind=BOOL)
    upper = high.select(value - bias, 0, value.kind)
    return low.select(value + bias, upper, value.kind)


def _not_real(ctx: Context) -> Outputs:
    """Where a constant is, or a mask makes it so: other elements are real numbers."""
    value = ctx.input(0)
    if value.array is not None and value.array.dtype.kind == "f":
        infinite = np.isinf(value.array)
        signs = ("detect_negative", np.less), ("detect_positive", np.greater)
        for name, side in signs if ctx.op == "IsInf" else ():
            if not ctx.attributes.flag(name, default=True):
                infinite &= ~side(value.array, 0)
        found = np.isnan(value.array) if ctx.op == "IsNaN" else infinite
        return ctx.constant(found.astype(np.int64), BOOL)
    negative = ctx.op == "IsInf" and ctx.attributes.flag("detect_negative", default=True)
    ctx.attributes.ignore("detect_positive")
    mask = value.undefined if ctx.op == "IsNaN" else value.infinite if negative else None
    return (ctx.constant(np.int64(0), BOOL) if mask is None else mask).broadcast(value.shape)


_ONE_OP = (
    *(ops.ABS, ops.ACOS, ops.ACOSH, ops.ASIN, ops.ASINH, ops.ATAN, ops.ATANH, ops.CEIL, ops.COS),
    *(ops.COSH, ops.ERF, ops.EXP, ops.FLOOR, ops.LOG, ops.NEG, ops.RELU, ops.SIGMOID, ops.SIN),
    *(ops.SINH, ops.SOFTPLUS, ops.SQRT, ops.TAN, ops.TANH),
)

POINTWISE: Mapping[str, Lowering] = {
    **{op.name.capitalize(): _op(op) for op in _ONE_OP},
    "Add": _op(ops.ADD, 2),
    "And": _op(ops.MINIMUM, 2),
    "Celu": _celu,
    "Clip": _clip,
    "Div": _divide,
    "Elu": lambda ctx: elu(ctx.input(0), ctx.attributes.real("alpha", 1.0)),
    "Equal": _op(ops.EQUAL, 2, kind=BOOL),
    "Gelu": _gelu,
    "Greater": _op(ops.LESS, 2, swapped=True, kind=BOOL),
    "GreaterOrEqual": _op(ops.LESS_EQUAL, 2, swapped=True, kind=BOOL),
    "HardSigmoid": lambda ctx: hard_sigmoid(
        ctx.input(0), ctx.attributes.real("alpha", 0.2), ctx.attributes.real("beta", 0.5)
    ),
    "HardSwish": lambda ctx: ctx.input(0) * hard_sigmoid(ctx.input(0), Fraction(1, 6), HALF),
    "Identity": lambda ctx: ctx.item(0),
    "IsInf": _not_real,
    "IsNaN": _not_real,
    "LeakyRelu": lambda ctx: ctx.input(0).apply(
        ops.LEAKY_RELU, alpha=ctx.attributes.real("alpha", 0.01)
    ),
    "Less": _op(ops.LESS, 2, kind=BOOL),
    "LessOrEqual": _op(ops.LESS_EQUAL, 2, kind=BOOL),
    "Max": _extreme(ops.MAXIMUM),
    "Mean": _mean,
    "Min": _extreme(ops.MINIMUM),
    "Mish": lambda ctx: ctx.input(0) * ctx.input(0).apply(ops.SOFTPLUS).apply(ops.TANH),
    "Mod": _modulo,
    "Mul": _multiply,
    "Not": lambda ctx: ctx.emitter.apply(ops.SUB, 1, ctx.input(0), kind=BOOL),
    "Or": _op(ops.MAXIMUM, 2),
    "PRelu": _prelu,
    "Pow": _power,
    "Reciprocal": lambda ctx: 1 / ctx.input(0),
    "Round": _op(ops.ROUND, mode="half_even"),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sign": _op(ops.SIGN, at_zero=ZERO),
    "Softsign": lambda ctx: softsign(ctx.input(0)),
    "Sub": _op(ops.SUB, 2),
    "Sum": _sum,
    "Swish": lambda ctx: (
        ctx.input(0) * ctx.input(0).scale(ctx.attributes.real("alpha", 1.0)).apply(ops.SIGMOID)
    ),
    "ThresholdedRelu": lambda ctx: threshold(ctx.input(0), ctx.attributes.real("alpha", 1.0)),
    "Where": _where,
    "Xor": lambda ctx: (ctx.input(0) - ctx.input(1)).apply(ops.ABS, kind=BOOL),
}
