"""Rounding to integers: floor, ceil, and round with its tie-breaking rule."""

from __future__ import annotations

from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.formula import And, Piece, Term, Var, everywhere, floor, when
from tamecheck.ir.op import Op, Param, Params, Pointwise, Regularity
from tamecheck.ops.shapes import same

X = Var(0)
HALF = Fraction(1, 2)
LOW, HIGH = floor(X), -floor(-X)
JUMPS = Regularity(continuous=False, lipschitz=False)


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
