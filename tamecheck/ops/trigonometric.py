"""Trigonometric functions and their inverses."""

from __future__ import annotations

from tamecheck.ir.formula import And, Elementary, Var, call
from tamecheck.ops.exponential import elementary

X = Var(0)
_CLOSED = And((X >= -1, X <= 1))
_OPEN = And((X > -1, X < 1))

SIN = elementary(Elementary.SIN, "the sine of x")
COS = elementary(Elementary.COS, "the cosine of x")
TAN = elementary(
    Elementary.TAN, "the tangent of x, where cos x ≠ 0", call(Elementary.COS, X).differs(0)
)
ASIN = elementary(Elementary.ASIN, "the inverse sine of x, for |x| ≤ 1", _CLOSED, inside=_OPEN)
ACOS = elementary(Elementary.ACOS, "the inverse cosine of x, for |x| ≤ 1", _CLOSED, inside=_OPEN)
ATAN = elementary(Elementary.ATAN, "the inverse tangent of x")
