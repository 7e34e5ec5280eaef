"""Branches that need no value where they are not taken: ``where(x > 0, sqrt(x), 0)``."""

from __future__ import annotations

from fractions import Fraction

from tamecheck import ops
from tamecheck.evaluate.exact_terms import holds, value_at
from tamecheck.exact.reals import as_number
from tamecheck.ir.formula import TRUE, everywhere
from tamecheck.ir.graph import Apply, Constant, GraphBuilder
from tamecheck.ir.op import Op, Params, Pointwise
from tamecheck.ops.facets import compared, variables

_SAFE = (Fraction(1), Fraction(1, 2), Fraction(2))
"""One of these is inside every op's domain."""


def guarded(builder: GraphBuilder, node: int, condition: int, *, taken: bool) -> int:
    """A scalar node that has a value everywhere, and its own where a condition is as it is taken.

    An op whose domain is not everything gets a number inside of it elsewhere.
    """
    below = builder.below(node)
    partial = {index: place for index in below if (place := _place(builder, index)) is not None}
    if not partial:
        return node
    new: dict[int, int] = {}
    for index in below:
        found = builder.node(index)
        if not isinstance(found, Apply):
            continue
        args = [new.get(arg, arg) for arg in found.args]
        if index in partial:
            place = partial[index]
            safe = builder.constant(_safe(found.op, found.params, place))
            sides = [args[place], safe] if taken else [safe, args[place]]
            args[place] = builder.apply(ops.SELECT, [condition, *sides])
        if args != list(found.args):
            new[index] = builder.apply(found.op, args, found.label, found.function, **found.params)
    return new.get(node, node)


def _place(builder: GraphBuilder, index: int) -> int | None:
    """The argument of which it depends whether an op has a value; None for one that always has."""
    node = builder.node(index)
    if not isinstance(node, Apply) or not isinstance(node.op.meaning, Pointwise):
        return None
    domain = node.op.meaning.domain(node.params)
    if domain == TRUE:
        return None
    place = min(variables(compared(domain)))
    return None if isinstance(builder.node(node.args[place]), Constant) else place


def _safe(op: Op, params: Params, place: int) -> Fraction:
    """A number with which an op has values all around."""
    meaning = op.meaning
    assert isinstance(meaning, Pointwise)  # noqa: S101 (what has a domain)
    domain = meaning.domain(params)
    for value in _SAFE:
        point = [as_number(value) if k == place else as_number(Fraction(1)) for k in range(2)]
        terms = compared(domain)
        if holds(domain, point) and all(
            value_at(everywhere(t), point, continuous=False) != 0 for t in terms
        ):
            return value
    return _SAFE[0]
