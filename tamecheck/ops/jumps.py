"""Discontinuous functions: sign, step, comparisons, selection; rounding with its ties."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from tamecheck.errors import InputError
from tamecheck.ir.formula import And, Piece, Term, Var, everywhere, floor, when
from tamecheck.ir.op import Op, Param, Params, Pointwise, Regularity
from tamecheck.ops.rectifiers import fraction
from tamecheck.ops.shapes import broadcast, same

X, Y, Z = Var(0), Var(1), Var(2)
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
