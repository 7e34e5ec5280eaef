"""Functions of pieces: rectifiers, clipping, maximum; sign, comparisons, selection, rounding.

Derivatives at kinks are those of PyTorch 2.13 (``torch.relu``, ``abs``, ``clamp``, ``maximum``,
``nn.functional.leaky_relu``, ``prelu``, ``elu``) and of JAX 0.10 (``jax.nn.relu``, ``leaky_relu``,
``elu`` in ``jax/_src/nn/functions.py``; the rules of ``abs_p``, ``max_p`` and ``min_p`` in
``jax/_src/lax/lax.py``; ``jax.numpy.clip``, a minimum of a maximum; ``flax.linen.PReLU``), each
observed by running it.  ``torch.nn.ReLU6``, ``Hardtanh``, ``Hardsigmoid`` and ``Hardswish`` clip by
``hardtanh``, which takes 0 at the bounds; so does ``jax.nn.relu6``, and ``jax.nn.hard_tanh`` takes
1.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from tamecheck.errors import InputError
from tamecheck.ir.formula import And, Elementary, Piece, Term, Var, call, everywhere, floor, when
from tamecheck.ir.op import Kinks, Op, Param, Params, Pointwise, Regularity
from tamecheck.ops.shapes import broadcast, same

X, Y, Z = Var(0), Var(1), Var(2)


def fraction(params: Params, name: str) -> Fraction:
    """A rational parameter."""
    value = params[name]
    if not isinstance(value, Fraction):
        raise InputError(f"parameter {name!r} must be a rational, not {value!r}.")
    return value


def _elu(params: Params) -> tuple[Piece, ...]:
    alpha, beta = fraction(params, "alpha"), fraction(params, "beta")
    if beta == 0:
        raise InputError("elu: parameter 'beta' must not be 0.")
    tail = alpha * (call(Elementary.EXP, X * (1 / beta)) - 1)
    return when(X >= 0, X), when(X <= 0, tail)


def _elu_below(params: Params) -> tuple[Fraction]:
    return (fraction(params, "alpha") / fraction(params, "beta"),)


def _clip(params: Params) -> tuple[Piece, ...]:
    low, high = params["lo"], params["hi"]
    if isinstance(low, Fraction) and isinstance(high, Fraction):
        if low > high:
            raise InputError(f"clip: the lower bound {low} exceeds the upper bound {high}.")
        return when(low >= X, low), when(high <= X, high), when(And((low <= X, high >= X)), X)
    if isinstance(low, Fraction):
        return when(low >= X, low), when(low <= X, X)
    if isinstance(high, Fraction):
        return when(high <= X, high), when(high >= X, X)
    return everywhere(X)


_EVEN = (Fraction(1, 2), Fraction(1, 2))


def _halved(params: Params) -> tuple[Fraction]:
    """Half at a bound, and half of that where both bounds are one."""
    return (Fraction(1, 4 if params["lo"] == params["hi"] else 2),)


RELU = Op(
    name="relu",
    summary="max(x, 0)",
    shape=same,
    meaning=Pointwise(lambda _: (when(X <= 0, 0), when(X >= 0, X))),
    kinks=Kinks(pytorch={"relu": lambda _: (0,)}, jax=lambda _: (0,)),
)

LEAKY_RELU = Op(
    name="leaky_relu",
    summary="x for x ≥ 0, alpha x for x ≤ 0",
    params=(Param("alpha", Fraction),),
    shape=same,
    meaning=Pointwise(lambda p: (when(X >= 0, X), when(X <= 0, fraction(p, "alpha") * X))),
    kinks=Kinks(pytorch={"leaky_relu": lambda p: (fraction(p, "alpha"),)}, jax=lambda _: (1,)),
)

PRELU = Op(
    name="prelu",
    summary="x for x ≥ 0, y x for x ≤ 0",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(X >= 0, X), when(X <= 0, X * Y))),
    kinks=Kinks(pytorch={"prelu": lambda _: (Y, 0)}, jax=lambda _: (1, 0)),
)

ELU = Op(
    name="elu",
    summary="x for x ≥ 0, alpha (exp(x / beta) - 1) for x ≤ 0",
    params=(Param("alpha", Fraction), Param("beta", Fraction)),
    shape=same,
    meaning=Pointwise(_elu),
    kinks=Kinks(pytorch={"elu": _elu_below}, jax=_elu_below),
)

ABS = Op(
    name="abs",
    summary="|x|",
    shape=same,
    meaning=Pointwise(lambda _: (when(X >= 0, X), when(X <= 0, -X))),
    kinks=Kinks(pytorch={"abs": lambda _: (0,)}, jax=lambda _: (1,)),
)

CLIP = Op(
    name="clip",
    summary="min(max(x, lo), hi); a missing bound does not bind",
    params=(Param("lo", Fraction, optional=True), Param("hi", Fraction, optional=True)),
    shape=same,
    meaning=Pointwise(_clip),
    kinks=Kinks(pytorch={"clamp": lambda _: (1,), "hardtanh": lambda _: (0,)}, jax=_halved),
)

MAXIMUM = Op(
    name="maximum",
    summary="max(x, y)",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(X >= Y, X), when(X <= Y, Y))),
    kinks=Kinks(
        pytorch={"maximum": lambda _: _EVEN},
        jax=lambda _: _EVEN,
        named={"cummax": lambda _: (0, 1)},
    ),
)

MINIMUM = Op(
    name="minimum",
    summary="min(x, y)",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(X <= Y, X), when(X >= Y, Y))),
    kinks=Kinks(
        pytorch={"minimum": lambda _: _EVEN},
        jax=lambda _: _EVEN,
        named={"cummin": lambda _: (0, 1)},
    ),
)


JUMPS = Regularity(continuous=False, lipschitz=False)


def _jump(
    name: str,
    summary: str,
    pieces: Callable[[Params], tuple[Piece, ...]],
    arity: int = 1,
    **more: Any,
) -> Op:
    """The op of pieces that need not meet."""
    shape, meaning = same if arity == 1 else broadcast, Pointwise(pieces)
    about: Any = {"shape": shape, "meaning": meaning, "regularity": JUMPS, **more}
    return Op(name=name, summary=summary, arity=arity, **about)


def _by_sign_of_x(low: int) -> Callable[[Params], tuple[Piece, ...]]:
    return lambda p: (when(X < 0, low), when(X.equals(0), fraction(p, "at_zero")), when(X > 0, 1))


SIGN = _jump(
    "sign",
    "-1 for x < 0, at_zero for x = 0, 1 for x > 0",
    _by_sign_of_x(-1),
    params=(Param("at_zero", Fraction),),
    source="at_zero is 0 in ONNX and PyTorch, 1 in Larq and FINN",
)
STEP = _jump(
    "step",
    "0 for x < 0, at_zero for x = 0, 1 for x > 0",
    _by_sign_of_x(0),
    params=(Param("at_zero", Fraction),),
)
EQUAL = _jump(
    "equal", "1 where x = y, else 0", lambda _: (when(X.equals(Y), 1), when(X.differs(Y), 0)), 2
)
LESS = _jump("less", "1 where x < y, else 0", lambda _: (when(X < Y, 1), when(X >= Y, 0)), 2)
LESS_EQUAL = _jump(
    "less_equal", "1 where x ≤ y, else 0", lambda _: (when(X <= Y, 1), when(X > Y, 0)), 2
)
SELECT = _jump(
    "select", "y where x ≠ 0, else z", lambda _: (when(X.differs(0), Y), when(X.equals(0), Z)), 3
)


HALF = Fraction(1, 2)
LOW, HIGH = floor(X), -floor(-X)


def _nearest(tie: tuple[Piece, ...]) -> tuple[Piece, ...]:
    return (when(X - LOW < HALF, LOW), when(X - LOW > HALF, LOW + 1), *tie)


def _tie(value: Term) -> tuple[Piece, ...]:
    return (when((X - LOW).equals(HALF), value),)


def _by_sign(positive: Term, negative: Term) -> tuple[Piece, ...]:
    at_half = (X - LOW).equals(HALF)
    return when(And((at_half, X > 0)), positive), when(And((at_half, X < 0)), negative)


def _even() -> tuple[Piece, ...]:
    at_half = (X - LOW).equals(HALF)
    odd_part = LOW - 2 * floor(HALF * LOW)
    return (
        when(And((at_half, odd_part.equals(0))), LOW),
        when(And((at_half, odd_part.equals(1))), LOW + 1),
    )


ROUND_MODES: dict[str, tuple[Piece, ...]] = {
    "half_even": _nearest(_even()),
    "half_up": _nearest(_tie(LOW + 1)),
    "half_down": _nearest(_tie(LOW)),
    "half_away": _nearest(_by_sign(LOW + 1, LOW)),
    "half_toward_zero": _nearest(_by_sign(LOW, LOW + 1)),
    "toward_zero": (when(X >= 0, LOW), when(X <= 0, HIGH)),
    "away_from_zero": (when(X >= 0, HIGH), when(X <= 0, LOW)),
}
"""The graph of each rounding mode; ``half_*`` rounds to nearest and says where a tie goes."""


def _round(params: Params) -> tuple[Piece, ...]:
    mode = params["mode"]
    if not isinstance(mode, str) or mode not in ROUND_MODES:
        raise InputError(f"round: unknown mode {mode!r}.", hint=f"Use {', '.join(ROUND_MODES)}.")
    return ROUND_MODES[mode]


FLOOR = _jump("floor", "the largest integer ≤ x", lambda _: everywhere(LOW))
CEIL = _jump("ceil", "the smallest integer ≥ x", lambda _: everywhere(HIGH))
ROUND = _jump(
    "round",
    "an integer next to x, by the rounding mode",
    _round,
    params=(Param("mode", str),),
    source="ONNX Round is half_even",
)
