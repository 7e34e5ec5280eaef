"""Rigorous enclosures of ops over the ranges of their arguments, and of the nodes of a graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import DomainError
from tamecheck.evaluate.conditions import Floors, refine, term_interval, truth
from tamecheck.evaluate.enclosure import (
    Enclosure,
    coarsen,
    core,
    float_down,
    float_up,
    matmul_enclosure,
    of_tensor,
    product_over_first,
    sum_over_first,
    within,
)
from tamecheck.evaluate.intervals import Interval, add, elementary, point, subtract
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import Site, evaluate_expansion, folded_first, site_of
from tamecheck.ir import formula
from tamecheck.ir import op as kinds
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Op, Params, Value
from tamecheck.ir.tensor import Array, Shape, Tensor, size_of
from tamecheck.ops.facets import chooses_indices
from tamecheck.ops.shapes import axes_of, axis_of

_ELEMENTWISE = 1 << 16
"""Scalar operations beyond which a node is bounded from hulls, as a certificate kernel does."""


@dataclass(frozen=True, slots=True)
class Operand:
    """An argument's bounds, and whether it is known to be integers, or a constant tensor."""

    bounds: Enclosure
    integral: bool = False
    constant: bool = False


# floats beyond the largest are infinite, which is what a bound is to be there
@np.errstate(all="ignore")
def op_enclosure(
    site: Site, operands: Sequence[Operand], *, hull_above: int = _ELEMENTWISE
) -> Enclosure | None:
    """The range of one op over its arguments' ranges; None when it may leave its domain."""
    args = [operand.bounds for operand in operands]
    if _work(site, operands) > max(hull_above, _ELEMENTWISE):
        args = [within(*arg.hull(), arg.shape) for arg in args]
    match site.op.meaning:
        case kinds.Pointwise() as meaning:
            return pointwise_enclosure(meaning, args, site.params, site.shape)
        case kinds.Routing(route):
            return _routed(route, args, site.params, site.shape)
        case kinds.Contraction():
            return matmul_enclosure(args[0], args[1], site.shape)
        case kinds.Fold(folded):
            return _folded(folded, args[0], site.params, site.shape)
        case kinds.Selection():
            return _selected(site, args, operands)
        case kinds.Expansion() as meaning:
            if all(map(math.isfinite, meaning.values)):
                return within(*meaning.values, site.shape)
            return _expanded(site, meaning.expand, args[0])


def _work(site: Site, operands: Sequence[Operand]) -> int:
    """The number of scalar operations, or of elements read."""
    sizes = [size_of(operand.bounds.shape) for operand in operands]
    if isinstance(site.op.meaning, kinds.Contraction):
        if any(operand.constant for operand in operands):
            return 0
        return max(*sizes, size_of(site.shape) * operands[0].bounds.shape[-1])
    return max(*sizes, size_of(site.shape))


def _routed(
    route: Callable[[Sequence[Array], Params], Array],
    args: Sequence[Enclosure],
    params: Params,
    shape: Shape,
) -> Enclosure:
    def rounded(direction: Callable[[Fraction], float]) -> dict[str, Value]:
        return {
            key: Fraction(direction(value)) if isinstance(value, Fraction) else value
            for key, value in params.items()
        }

    plain = not any(isinstance(value, Fraction) for value in params.values())
    if plain and len(args) == 1 and args[0].uniform and args[0].lower.size:
        return within(*args[0].hull(), shape)
    lower = route([arg.lower for arg in args], rounded(float_down))
    if all(arg.lower is arg.upper for arg in args) and plain:
        return Enclosure(lower, lower)
    return Enclosure(lower, route([arg.upper for arg in args], rounded(float_up)))


def _folded(op: Op, arg: Enclosure, params: Params, shape: Shape) -> Enclosure:
    low, high = folded_first(arg.lower, params), folded_first(arg.upper, params)
    if low.shape[0] == 0:
        neutral = 0.0 if op is ops.ADD else 1.0
        return within(neutral, neutral, shape)
    match op:
        case ops.ADD:
            lower, upper = sum_over_first(Interval(low, high))
        case ops.MUL:
            lower, upper = product_over_first(Interval(low, high))
        case ops.MAXIMUM:
            lower, upper = np.maximum.reduce(low, axis=0), np.maximum.reduce(high, axis=0)
        case ops.MINIMUM:
            lower, upper = np.minimum.reduce(low, axis=0), np.minimum.reduce(high, axis=0)
        case _:
            raise ValueError(f"no fold of {op.name}")
    return within(lower.reshape(shape), upper.reshape(shape), shape)


def _selected(
    site: Site, args: Sequence[Enclosure], operands: Sequence[Operand]
) -> Enclosure | None:
    extent = args[0].shape[axis_of(args[0].shape, site.params)]
    if chooses_indices(site.op):
        return within(0.0, float(max(extent - 1, 0)), site.shape)
    low, high = args[1].hull()
    if not operands[1].integral or low < -extent or high >= extent:
        return None
    if operands[1].constant and bool((core(args[1].lower) == core(args[1].upper)).all()):
        indices = args[1].lower.astype(np.int64)
        lower = pick(site, args[0].lower, indices)
        return Enclosure(lower, pick(site, args[0].upper, indices))
    return within(*args[0].hull(), site.shape)


def _expanded(site: Site, expand: Callable[..., int], argument: Enclosure) -> Enclosure | None:
    """The exponential family by its bounds over a hull; any other by its expression."""
    low, high = argument.hull()
    hull = Interval(np.asarray(low), np.asarray(high))
    match site.op:
        case ops.LOG_SOFTMAX:
            count = argument.shape[axis_of(argument.shape, site.params)]
            found = subtract(hull, _shifted(hull, count))
            return within(found.lower, np.minimum(found.upper, 0.0), site.shape)
        case ops.LOGSUMEXP:
            axes = axes_of(argument.shape, site.params)
            count = size_of(tuple(argument.shape[axis] for axis in axes))
            return within(*_shifted(hull, count), site.shape)
        case _:
            return _by_expression(site, expand, argument)


def _shifted(hull: Interval, count: int) -> Interval:
    """``x + log(count)``, between which a log-sum-exp of ``count`` numbers lies."""
    return add(hull, elementary(formula.Elementary.LOG, point(float(max(count, 1)))))


def _by_expression(site: Site, expand: Callable[..., int], argument: Enclosure) -> Enclosure | None:
    def apply(inner: Site, args: Sequence[Enclosure]) -> Enclosure:
        found = op_enclosure(inner, [Operand(value) for value in args])
        if found is None:
            raise DomainError(f"{site.op.name} is not shown to be defined.", where=site.where)
        return found

    try:
        return evaluate_expansion(expand, site, argument, apply)
    except DomainError:
        return None


_FLOOR = formula.Floor(formula.Var(0))


def pointwise_enclosure(
    meaning: kinds.Pointwise, args: Sequence[Enclosure], params: Params, shape: Shape
) -> Enclosure | None:
    """The range of a pointwise op, or None when its domain condition is not shown to hold."""
    ranges = [Interval(core(arg.lower), core(arg.upper)) for arg in args]
    domain = meaning.domain(params)
    if domain != formula.TRUE and not bool(np.all(truth(domain, ranges, {})[0])):
        return None
    pieces = meaning.pieces(params)
    if len(pieces) == 1 and pieces[0].condition == formula.TRUE:
        return within(*term_interval(pieces[0].term, ranges, {}), shape)
    if len(args) == 1 and _has_floor(pieces):
        found = _by_unit_cells(pieces, ranges[0])
    else:
        found = _hull(pieces, ranges, {})
    # a graph is total on its domain; bounds that no piece gave would be those of an empty set
    gap = found.lower > found.upper
    return within(np.where(gap, -np.inf, found.lower), np.where(gap, np.inf, found.upper), shape)


@formula.remembered
def _has_floor(pieces: tuple[formula.Piece, ...]) -> bool:
    roots: list[formula.Term | formula.Condition] = [piece.term for piece in pieces]
    roots += [piece.condition for piece in pieces]
    return any(_FLOOR in formula.subterms(root) for root in roots)


def _hull(pieces: Sequence[formula.Piece], args: Sequence[Interval], floors: Floors) -> Interval:
    """The hull over the pieces; ``(inf, -inf)`` where none may hold."""
    low: Array = np.asarray(np.inf)
    high: Array = np.asarray(-np.inf)
    for piece in pieces:
        possible = ~truth(piece.condition, args, floors)[1]
        cut = refine(piece.condition, args, floors)
        for part in cut:
            possible = possible & (part.lower <= part.upper)
        if not np.any(possible):
            continue
        # where the piece is not possible the argument is not cut, since it may be empty
        inside = [
            Interval(np.where(possible, c.lower, a.lower), np.where(possible, c.upper, a.upper))
            for c, a in zip(cut, args, strict=True)
        ]
        value = term_interval(piece.term, inside, floors)
        unknown_low = np.where(np.isnan(value.lower), -np.inf, value.lower)
        unknown_high = np.where(np.isnan(value.upper), np.inf, value.upper)
        low = np.minimum(low, np.where(possible, unknown_low, np.inf))
        high = np.maximum(high, np.where(possible, unknown_high, -np.inf))
    return Interval(low, high)


def _by_unit_cells(pieces: Sequence[formula.Piece], x: Interval) -> Interval:
    """The hull over the first, the last and all the middle unit cells of an argument.

    Within one cell the floor is known, so a rounding is as tight as its two ends.
    """
    first, last = np.floor(x.lower), np.floor(x.upper)
    parts = (
        (
            Interval(x.lower, np.minimum(x.upper, first + 1)),
            Interval(first, first),
            np.isfinite(first),
        ),
        (
            Interval(np.maximum(x.lower, last), x.upper),
            Interval(last, last),
            np.isfinite(last) & (first < last),
        ),
        (Interval(first + 1, last), Interval(first + 1, last - 1), first + 1 < last),
    )
    low: Array = np.asarray(np.inf)
    high: Array = np.asarray(-np.inf)
    for cell, known, there in parts:
        # a cell that is not there is replaced by the whole argument, since it may be empty
        whole = Interval(np.where(there, cell.lower, x.lower), np.where(there, cell.upper, x.upper))
        floors: dict[formula.Term, Interval] = {
            _FLOOR: Interval(
                np.where(there, known.lower, -np.inf), np.where(there, known.upper, np.inf)
            )
        }
        value = _hull(pieces, [whole], floors)
        low = np.minimum(low, np.where(there, value.lower, np.inf))
        high = np.maximum(high, np.where(there, value.upper, -np.inf))
    return Interval(low, high)


def range_of(op: Op, params: Params) -> tuple[float, float]:
    """Bounds of the op's values at all arguments of its domain; infinite where there are none."""
    nothing = (-math.inf, math.inf)
    everything = Interval(np.asarray(-np.inf), np.asarray(np.inf))
    match op.meaning:
        case kinds.Pointwise(pieces=pieces, domain=domain):
            with np.errstate(all="ignore"):
                inside = refine(domain(params), [everything] * (op.arity or 1), {})
                args = [Enclosure(np.asarray(x.lower), np.asarray(x.upper)) for x in inside]
                found = pointwise_enclosure(kinds.Pointwise(pieces), args, params, ())
            return nothing if found is None else found.hull()
        case kinds.Expansion():
            return op.meaning.values
        case _:
            return nothing


def enclose(
    graph: Graph, box: Box, *, hull_above: int = 4096, nodes: Iterable[int] | None = None
) -> dict[int, Enclosure]:
    """An interval for every element of every node, over all points of the box.

    A node with more than ``hull_above`` elements gets one interval for all of them.  A node whose
    op is not shown to be defined on the whole box is missing, and so is all that depends on it.
    With ``nodes``, only these and what they depend on are looked at.

    The bounds are never tighter than those of one pass of interval arithmetic, op by op, so that an
    independent kernel can confirm each node from its arguments' bounds. Raises `InputError` if the
    box does not fit the graph's inputs.
    """
    box.checked(graph.inputs)
    found: dict[int, Operand] = {}
    roots = range(len(graph.nodes)) if nodes is None else sorted(nodes)
    with np.errstate(all="ignore"):
        for index in graph.ancestors(roots):
            operand = _node(graph, index, box, found, hull_above)
            if operand is not None:
                found[index] = operand
    return {index: operand.bounds for index, operand in found.items()}


def _node(
    graph: Graph, index: int, box: Box, found: dict[int, Operand], hull_above: int
) -> Operand | None:
    node = graph.nodes[index]
    match node:
        case Input():
            return Operand(coarsen(_of_side(box.side(node.name), node.shape), hull_above))
        case Constant(tensor=tensor):
            bounds = coarsen(of_tensor(tensor), hull_above)
            return Operand(bounds, integral=tensor_is_integral(tensor), constant=True)
        case Apply():
            args = [found[arg] for arg in node.args if arg in found]
            if len(args) < len(node.args):
                return None
            site = site_of(graph, index, node)
            bounds = op_enclosure(site, args, hull_above=hull_above)
            if bounds is None:
                return None
            integral = op_is_integral(node.op, node.params, [arg.integral for arg in args])
            return Operand(coarsen(bounds, hull_above), integral=integral)


def _of_side(side: Side, shape: Shape) -> Enclosure:
    lower = [-np.inf if end is None else float_down(end) for end in side.lower]
    upper = [np.inf if end is None else float_up(end) for end in side.upper]
    if len(lower) == 1:
        return within(lower[0], upper[0], shape)
    return Enclosure(np.array(lower).reshape(shape), np.array(upper).reshape(shape))


def tensor_is_integral(tensor: Tensor) -> bool:
    """Whether every element of a constant is an integer."""
    if tensor.array.dtype.kind == "i":
        return True
    if tensor.array.dtype.kind == "f":
        return bool((np.floor(tensor.array) == tensor.array).all())
    return all(value.denominator == 1 for value in tensor.fractions())


def op_is_integral(op: Op, params: Params, args: Sequence[bool]) -> bool:
    """Whether an op gives integers only, when the marked arguments are integers."""
    match op.meaning:
        case kinds.Pointwise(pieces=pieces):
            return all(_is_integral(piece.term, args) for piece in pieces(params))
        case kinds.Routing():
            inserted = [v for v in params.values() if isinstance(v, Fraction)]
            return all(args) and all(value.denominator == 1 for value in inserted)
        case kinds.Contraction() | kinds.Fold():
            return all(args)
        case kinds.Selection():
            return chooses_indices(op) or args[0]
        case _:
            return False


def _is_integral(term: formula.Term, args: Sequence[bool]) -> bool:
    match term:
        case formula.Var(index):
            return args[index]
        case formula.Const(value):
            return value.denominator == 1
        case formula.Floor():
            return True
        case formula.Add(left, right) | formula.Mul(left, right):
            return _is_integral(left, args) and _is_integral(right, args)
        case formula.Pow(base, formula.Const(exponent)):
            whole = exponent.denominator == 1 and exponent >= 0
            return whole and _is_integral(base, args)
        case _:
            return False
