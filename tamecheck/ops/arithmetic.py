"""Sums, differences, products, quotients."""

from __future__ import annotations

from tamecheck.ir.formula import Var, everywhere
from tamecheck.ir.op import Op, Pointwise
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

NEG = Op(
    name="neg",
    summary="-x",
    shape=same,
    meaning=Pointwise(lambda _: everywhere(-X)),
)
