"""Discontinuous functions with finitely many pieces: sign, step, comparisons, selection."""

from __future__ import annotations

from fractions import Fraction

from tamecheck.ir.formula import Var, when
from tamecheck.ir.op import Op, Param, Pointwise, Regularity
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
        lambda p: (
            when(X < 0, -1),
            when(X.equals(0), fraction(p, "at_zero")),
            when(X > 0, 1),
        )
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
        lambda p: (
            when(X < 0, 0),
            when(X.equals(0), fraction(p, "at_zero")),
            when(X > 0, 1),
        )
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
