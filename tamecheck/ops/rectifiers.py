"""Continuous piecewise functions: absolute value, rectifiers, clipping, maximum and minimum."""

from __future__ import annotations

from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.formula import And, Elementary, Piece, Var, call, everywhere, when
from tamecheck.ir.op import Op, Param, Params, Pointwise
from tamecheck.ops.shapes import broadcast, same

__all__ = ["ABS", "CLIP", "ELU", "LEAKY_RELU", "MAXIMUM", "MINIMUM", "PRELU", "RELU"]

X, Y = Var(0), Var(1)


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


RELU = Op(
    name="relu",
    summary="max(x, 0)",
    shape=same,
    meaning=Pointwise(lambda _: (when(X <= 0, 0), when(X >= 0, X))),
)

LEAKY_RELU = Op(
    name="leaky_relu",
    summary="x for x ≥ 0, alpha x for x ≤ 0",
    params=(Param("alpha", Fraction),),
    shape=same,
    meaning=Pointwise(lambda p: (when(X >= 0, X), when(X <= 0, fraction(p, "alpha") * X))),
)

PRELU = Op(
    name="prelu",
    summary="x for x ≥ 0, y x for x ≤ 0",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(X >= 0, X), when(X <= 0, X * Y))),
)

ELU = Op(
    name="elu",
    summary="x for x ≥ 0, alpha (exp(x / beta) - 1) for x ≤ 0",
    params=(Param("alpha", Fraction), Param("beta", Fraction)),
    shape=same,
    meaning=Pointwise(_elu),
)

ABS = Op(
    name="abs",
    summary="|x|",
    shape=same,
    meaning=Pointwise(lambda _: (when(X >= 0, X), when(X <= 0, -X))),
)

CLIP = Op(
    name="clip",
    summary="min(max(x, lo), hi); a missing bound does not bind",
    params=(Param("lo", Fraction, optional=True), Param("hi", Fraction, optional=True)),
    shape=same,
    meaning=Pointwise(_clip),
)

MAXIMUM = Op(
    name="maximum",
    summary="max(x, y)",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(X >= Y, X), when(X <= Y, Y))),
)

MINIMUM = Op(
    name="minimum",
    summary="min(x, y)",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(X <= Y, X), when(X >= Y, Y))),
)
