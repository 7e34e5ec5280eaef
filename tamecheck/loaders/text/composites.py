"""Functions of formulas that are made of several ops, and branches that need no value elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial, reduce

from tamecheck import ops
from tamecheck.evaluate.exact_terms import holds, value_at
from tamecheck.exact.reals import as_number
from tamecheck.ir.formula import TRUE, everywhere
from tamecheck.ir.graph import Apply, Constant, GraphBuilder
from tamecheck.ir.op import Op, Params, Pointwise, Value
from tamecheck.loaders.text.terms import Operand, Span, Terms
from tamecheck.ops.facets import compared, variables

_ONE, _HALF = Fraction(1), Fraction(1, 2)


def clip(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """``min(max(x, low), high)``."""
    low, high = (_number(terms, bound, "A bound of clip") for bound in args[1:])
    if low > high:
        raise terms.error(at, f"clip: the bounds {low} > {high}.")
    return _clipped(terms, args[0], low, high, at)


def _clipped(terms: Terms, argument: Operand, low: Fraction, high: Fraction, at: Span) -> Operand:
    if argument.constant is not None:
        return terms.constant(min(max(argument.constant, low), high), at)
    return terms.apply(ops.CLIP, [argument], at, "clamp", lo=low, hi=high)


def where(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """One value where a condition holds, and another one elsewhere."""
    condition, value, other = args
    terms.check_condition(condition, "where")
    if condition.constant is not None:
        chosen = value if condition.constant else other
        return replace(chosen, start=at.start, end=at.end)
    return _chosen(terms, args, at)


def _chosen(terms: Terms, args: Sequence[Operand], at: Span) -> Operand:
    """A choice between two values, of which the one that is not taken need not be defined."""
    condition, *values = (terms.node_of(arg) for arg in args)
    kept = [
        guarded(terms.builder, value, condition, taken=taken)
        for value, taken in zip(values, (True, False), strict=True)
    ]
    node = terms.builder.apply(ops.SELECT, [condition, *kept], terms.label(at))
    return Operand(at.start, at.end, node=node)


def threshold(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """The argument where it exceeds a bound, and a value elsewhere."""
    argument, bound, value = args
    return where(terms, [terms.comparison(">", argument, bound, at), argument, value], at)


def xlogy(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """``x log y``, and 0 where x is 0."""
    x, y = args
    zero = terms.constant(0, at)
    product = terms.binary("*", x, terms.call("log", [y], at))
    # only where the logarithm has no value: elsewhere frameworks differentiate the product
    rest = where(terms, [terms.comparison("<=", y, zero, at), zero, product], at)
    return where(terms, [terms.comparison("==", x, zero, at), rest, product], at)


def trunc(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """The integer part, towards 0."""
    size = terms.call("floor", [terms.call("abs", args, at)], at)
    return terms.binary("*", terms.call("sign", args, at), size)


def frac(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """What the integer part leaves."""
    return terms.binary("-", args[0], trunc(terms, args, at))


def huber(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """``x²/2``, and beyond delta the tangents: ``c (x - c/2)`` for c the clipped argument."""
    argument, *rest = args
    delta = _number(terms, rest[0], "delta") if rest else _ONE
    if delta <= 0:
        raise terms.error(rest[0], "delta must be positive.")
    clipped = _clipped(terms, argument, -delta, delta, at)
    half = terms.binary("*", terms.constant(_HALF, at), clipped)
    return terms.binary("*", clipped, terms.binary("-", argument, half))


def smooth_l1(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """The Huber loss divided by its delta, which is called beta."""
    beta = args[1] if len(args) > 1 else terms.constant(1, at)
    if beta.constant == 0:
        return terms.call("abs", args[:1], at)
    return terms.binary("/", huber(terms, [args[0], beta], at), beta)


def _root(terms: Terms, args: list[Operand], at: Span, *, function: str) -> Operand:
    """The Euclidean norm."""
    squares = [terms.power(arg, terms.constant(2, at), at) for arg in args]
    total = reduce(lambda a, b: terms.binary("+", a, b), squares)
    return terms.apply(ops.SQRT, [total], at, function)


def _along(terms: Terms, args: list[Operand], at: Span, *, op: Op, **params: Value) -> Operand:
    """What one op finds of all arguments together."""
    node = terms.builder.apply(op, [_stack(terms, args)], terms.label(at), **params)
    return Operand(at.start, at.end, node=node)


def median(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """The middle one of an odd number of values."""
    if len(args) % 2 == 0:
        what = f"There are two middle ones of {len(args)} values."
        raise terms.error(at, what, "Take one of sort(…)[k], or their mean.")
    return _sorted(terms, args, at, "median", descending=False)[len(args) // 2]


def sort(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """The values, ascending."""
    return _values(_sorted(terms, args, at, "sort", descending=False), at)


def topk(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """The k largest, descending."""
    count, *values = args
    k = _number(terms, count, "The number of topk")
    if k.denominator != 1 or not 1 <= k <= len(values):
        raise terms.error(count, f"topk takes 1 to {len(values)} of {len(values)} values.")
    return _values(_sorted(terms, values, at, "topk", descending=True)[: int(k)], at)


def _cumulated(terms: Terms, args: list[Operand], at: Span, *, name: str) -> Operand:
    """The largest, or smallest, so far."""
    return _values(_scanned(terms, name, args, at), at)


def _scanned(terms: Terms, name: str, args: list[Operand], at: Span) -> list[Operand]:
    """All folds of first arguments: those of pairs, and one more for those of odd number.

    Frameworks with parallel scans fold in this order, which shares derivatives at ties.
    """
    if len(args) == 1:
        return args

    def fold(a: Operand, b: Operand) -> Operand:
        return terms.fold(name, [a, b], at, f"cum{name}")

    pairs = [fold(a, b) for a, b in zip(args[::2], args[1::2], strict=False)]
    found = [args[0]]
    for k, whole in enumerate(_scanned(terms, name, pairs, at)):
        found.append(whole)
        if 2 * k + 2 < len(args):
            found.append(fold(whole, args[2 * k + 2]))
    return found


def choose(terms: Terms, args: list[Operand], at: Span) -> Operand:
    """The value with an index, from 0."""
    index, *values = args
    if index.constant is not None:
        k = index.constant
        if k.denominator != 1 or not 0 <= k < len(values):
            raise terms.error(index, f"There is no value {k} among {len(values)}.")
        return replace(values[int(k)], start=at.start, end=at.end)
    nodes = [_stack(terms, values), terms.node_of(index)]
    return Operand(
        at.start, at.end, node=terms.builder.apply(ops.GATHER, nodes, terms.label(at), axis=0)
    )


def _values(values: Sequence[Operand], at: Span) -> Operand:
    return Operand(at.start, at.end, several=tuple(values))


def _sorted(
    terms: Terms, args: Sequence[Operand], at: Span, function: str, *, descending: bool
) -> list[Operand]:
    stack, label, apply = _stack(terms, args), terms.label(at), terms.builder.apply
    order = apply(ops.ARGSORT, [stack], label, axis=0, descending=descending)
    values = apply(ops.GATHER_ELEMENTS, [stack, order], label, function, axis=0)
    return [_element(terms, values, k, at) for k in range(len(args))]


def _stack(terms: Terms, args: Sequence[Operand]) -> int:
    rows = [terms.builder.apply(ops.RESHAPE, [terms.node_of(arg)], shape=(1,)) for arg in args]
    return terms.builder.apply(ops.CONCAT, rows, axis=0)


def _element(terms: Terms, node: int, place: int, at: Span) -> Operand:
    part = terms.builder.apply(ops.SLICE, [node], starts=(place,), steps=(1,), sizes=(1,))
    scalar = terms.builder.apply(ops.RESHAPE, [part], terms.label(at), shape=())
    return Operand(at.start, at.end, node=scalar)


def _number(terms: Terms, operand: Operand, what: str) -> Fraction:
    if operand.constant is None:
        hint = "Write min(max(x, low), high) instead." if "clip" in what else ""
        raise terms.error(operand, f"{what} must be a number.", hint)
    return operand.constant


COMPOSITES: Mapping[str, Callable[[Terms, list[Operand], Span], Operand]] = {
    "clip": clip,
    "where": where,
    "threshold": threshold,
    "xlogy": xlogy,
    "trunc": trunc,
    "frac": frac,
    "huber": huber,
    "smooth_l1": smooth_l1,
    **{name: partial(_root, function=name) for name in ("norm", "hypot")},
    **dict.fromkeys(
        ("logsumexp", "logaddexp"), partial(_along, op=ops.LOGSUMEXP, axes=(0,), keepdims=False)
    ),
    "median": median,
    "sort": sort,
    "topk": topk,
    "cummax": partial(_cumulated, name="max"),
    "cummin": partial(_cumulated, name="min"),
    "argmax": partial(_along, op=ops.ARGMAX, axis=0, keepdims=False, last=False),
    "argmin": partial(_along, op=ops.ARGMIN, axis=0, keepdims=False, last=False),
    "choose": choose,
}


_SAFE = (Fraction(1), Fraction(1, 2), Fraction(2))
"""One of these is inside every op's domain."""


def guarded(builder: GraphBuilder, node: int, condition: int, *, taken: bool) -> int:
    """A scalar node that has a value everywhere, and its own where a condition is as it is taken.

    An op whose domain is not everything gets a number inside of it elsewhere.
    """
    below = builder.below(node)
    partial = {index: place for index in below if (place := _decisive(builder, index)) is not None}
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


def _decisive(builder: GraphBuilder, index: int) -> int | None:
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
