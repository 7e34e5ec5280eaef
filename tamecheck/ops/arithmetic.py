"""Sums, differences, products, quotients, powers and roots."""

from __future__ import annotations

from fractions import Fraction

from tamecheck.ir.formula import TRUE, And, Condition, Or, Var, everywhere, floor, power
from tamecheck.ir.op import Op, Param, Params, Pointwise, Regularity
from tamecheck.ops.piecewise import fraction
from tamecheck.ops.shapes import broadcast, same

X, Y = Var(0), Var(1)

ADD = Op(
    name="add",
    summary="x + y",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: everywhere(X + Y)),
)

SUB = Op(
    name="sub",
    summary="x - y",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: everywhere(X - Y)),
)

MUL = Op(
    name="mul",
    summary="x y",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: everywhere(X * Y)),
)

DIV = Op(
    name="div",
    summary="x / y, for y ≠ 0",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(lambda _: everywhere(X / Y), domain=lambda _: Y.differs(0)),
)

NEG = Op(name="neg", summary="-x", shape=same, meaning=Pointwise(lambda _: everywhere(-X)))


def _pow_domain(params: Params) -> Condition:
    exponent = fraction(params, "exponent")
    if exponent.denominator == 1:
        return TRUE if exponent >= 0 else X.differs(0)
    return X >= 0 if exponent > 0 else X > 0


def _pow_lipschitz(params: Params) -> Condition:
    exponent = fraction(params, "exponent")
    return X > 0 if exponent.denominator != 1 and exponent < 1 else _pow_domain(params)


POW = Op(
    name="pow",
    summary="x ** exponent for a fixed rational exponent",
    params=(Param("exponent", Fraction),),
    shape=same,
    meaning=Pointwise(lambda p: everywhere(power(X, fraction(p, "exponent"))), domain=_pow_domain),
    regularity=Regularity(lipschitz=False, lipschitz_inside=_pow_lipschitz),
)

POWER = Op(
    name="power",
    summary="x ** y: exp(y log x) for x > 0, and repeated multiplication for an integer y",
    arity=2,
    shape=broadcast,
    meaning=Pointwise(
        lambda _: everywhere(power(X, Y)),
        domain=lambda _: Or(
            (
                X > 0,
                And((floor(Y).equals(Y), Y >= 0)),
                And((floor(Y).equals(Y), X.differs(0))),
                And((X.equals(0), Y > 0)),
            )
        ),
    ),
    regularity=Regularity(
        continuous=False,
        lipschitz=False,
        lipschitz_inside=lambda _: X > 0,
        # a fixed exponent, also at bases that are not positive
        lipschitz_given={
            1: Or(
                (
                    X > 0,
                    And((floor(Y).equals(Y), Y >= 0)),
                    And((floor(Y).equals(Y), X.differs(0))),
                    And((X >= 0, Y >= 1)),
                )
            )
        },
    ),
)

SQRT = Op(
    name="sqrt",
    summary="the square root of x, for x ≥ 0",
    shape=same,
    meaning=Pointwise(lambda _: everywhere(power(X, Fraction(1, 2))), domain=lambda _: X >= 0),
    regularity=Regularity(lipschitz=False, lipschitz_inside=lambda _: X > 0),
)
