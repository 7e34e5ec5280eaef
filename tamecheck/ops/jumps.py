"""Discontinuous functions: sign, step, comparisons, selection; rounding with its ties."""

from __future__ import annotations

from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.formula import And, Piece, Term, Var, everywhere, floor, when
from tamecheck.ir.op import Op, Param, Params, Pointwise, Regularity
from tamecheck.ops.rectifiers import fraction
from tamecheck.ops.shapes import broadcast, same

X, Y, Z = Var(0), Var(1), Var(2)
JUMPS = Regularity(continuous=False, lipschitz=False)

SIGN = Op(
    name="sign",
    summary="-1 for x < 0, at_zero for x = 0, 1 for x > 0",
    params=(Param("at_zero", Fraction),),
    shape=same,
    meaning=Pointwise(
        lambda p: (when(X < 0, -1), when(X.equals(0), fraction(p, "at_zero")), when(X > 0, 1))
    ),
    regularity=JUMPS,
    source="at_zero is 0 in ONNX and PyTorch, 1 in Larq and FINN",
)

STEP = Op(
    name="step",
    summary="0 for x < 0, at_zero for x = 0, 1 for x > 0",
    params=(Param("at_zero", Fraction),),
    shape=same,
    meaning=Pointwise(
        lambda p: (when(X < 0, 0), when(X.equals(0), fraction(p, "at_zero")), when(X > 0, 1))
    ),
    regularity=JUMPS,
)

EQUAL = Op(
    name="equal",
    summary="1 where x = y, else 0",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(X.equals(Y), 1), when(X.differs(Y), 0))),
    regularity=JUMPS,
)

LESS = Op(
    name="less",
    summary="1 where x < y, else 0",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(X < Y, 1), when(X >= Y, 0))),
    regularity=JUMPS,
)

LESS_EQUAL = Op(
    name="less_equal",
    summary="1 where x ≤ y, else 0",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(X <= Y, 1), when(X > Y, 0))),
    regularity=JUMPS,
)

SELECT = Op(
    name="select",
    summary="y where x ≠ 0, else z",
    arity=3,
    shape=broadcast,
    meaning=Pointwise(lambda _: (when(X.differs(0), Y), when(X.equals(0), Z))),
    regularity=JUMPS,
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


FLOOR = Op(
    name="floor",
    summary="the largest integer ≤ x",
    shape=same,
    meaning=Pointwise(lambda _: everywhere(LOW)),
    regularity=JUMPS,
)

CEIL = Op(
    name="ceil",
    summary="the smallest integer ≥ x",
    shape=same,
    meaning=Pointwise(lambda _: everywhere(HIGH)),
    regularity=JUMPS,
)

ROUND = Op(
    name="round",
    summary="an integer next to x, by the rounding mode",
    params=(Param("mode", str),),
    shape=same,
    meaning=Pointwise(_round),
    regularity=JUMPS,
    source="ONNX Round is half_even",
)
