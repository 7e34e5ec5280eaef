"""A piecewise linear graph as steps on affine forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from flint import arb, fmpq

from tamecheck import ops
from tamecheck.cells import steps as kinds
from tamecheck.cells.forms import Known
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate import exact_values
from tamecheck.evaluate.selection import compared_groups, gather_index, route_index
from tamecheck.evaluate.walk import Site
from tamecheck.ir.formula import Add, Call, Const, Floor, Mul, Piece, Pow, Term, Var, subterms
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Op, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Shape, positions, size_of
from tamecheck.ops.facets import comparisons, extremum, rounds
from tamecheck.ops.shapes import axes_of, axis_of

_NONLINEAR = "is not piecewise linear"


def steps_of(graph: Graph) -> dict[int, kinds.Step]:
    """The steps of all nodes that an output needs, in topological order.

    An `UnsupportedError` lists every node that is not piecewise linear.
    """
    needed = list(graph.ancestors(graph.output_nodes))
    known = _constants(graph, needed)
    places = graph.split(np.arange(sum(map(size_of, graph.inputs.values()))))
    steps: dict[int, kinds.Step] = {}
    bad: list[tuple[str, str]] = []
    for index in needed:
        node, found = graph.nodes[index], known.get(index)
        if isinstance(found, Known):
            steps[index] = kinds.Fixed((kinds.INPUTS,), found)
        elif isinstance(found, str):
            bad.append((graph.name_of(index), found))
        elif isinstance(node, Input):
            steps[index] = kinds.Move((kinds.INPUTS,), places[node.name])
        elif isinstance(node, Apply):
            step = _step(graph, node, known)
            if isinstance(step, str):
                bad.append((graph.name_of(index), f"{node.op.name} {step}"))
            else:
                steps[index] = step
    if bad:
        raise UnsupportedError(
            "Cells are computed for piecewise linear models only.",
            nodes=bad,
            hint="The derivative at a point is there for smooth ops too: tamecheck diff.",
        )
    return steps


def _constants(graph: Graph, needed: Sequence[int]) -> dict[int, Known | str]:
    found: dict[int, Known | str] = {}
    folded: list[int] = []
    for index in needed:
        node = graph.nodes[index]
        if isinstance(node, Constant):
            found[index] = Known(node.tensor.array)
        elif graph.input_free[index]:
            folded.append(index)
    if folded:
        part = Graph(graph.nodes, tuple((str(index), index) for index in folded))
        point = {name: np.zeros(shape) for name, shape in graph.inputs.items()}
        for name, array in exact_values(part, point).items():
            irrational = any(isinstance(v, arb) for v in array.reshape(-1).tolist())
            found[int(name)] = "the constant is irrational" if irrational else Known(array)
    return found


def _step(graph: Graph, node: Apply, known: Mapping[int, Known | str]) -> kinds.Step | str:
    shapes = [graph.nodes[arg].shape for arg in node.args]
    match node.op.meaning:
        case Pointwise() as meaning:
            return _pointwise(node, meaning.pieces(node.params))
        case Routing():
            value = node.params.get("value")
            filler = value if isinstance(value, Fraction) else Fraction(0)
            return kinds.Move(node.args, route_index(node, shapes), filler)
        case Contraction():
            left, right = node.args
            for arg, other, on_left in ((left, right, False), (right, left, True)):
                tensor = known.get(other)
                if isinstance(tensor, Known):
                    return kinds.Product((arg,), tensor, on_left)
            return "multiplies two matrices that depend on the inputs"
        case Fold(folded):
            return _fold(node, shapes[0], folded)
        case Selection(largest):
            return _selection(node, shapes, known, largest)
        case _:
            return _NONLINEAR


def _pointwise(node: Apply, pieces: tuple[Piece, ...]) -> kinds.Step | str:
    terms = [term for piece in pieces for term in subterms(piece.term)]
    terms += [term for piece in pieces for term in subterms(piece.condition)]
    powers = [term.exponent for term in terms if isinstance(term, Pow)]
    linear = all(isinstance(power, Const) and power.value in (0, 1) for power in powers)
    if not linear or any(isinstance(term, Call) for term in terms) or not node.args:
        return _NONLINEAR
    if rounds(node.op, node.params):
        return _rounding(node, pieces) or _NONLINEAR
    return kinds.Pieces(
        node.args,
        pieces,
        kinds.compared_terms(pieces),
        node.shape,
        not node.op.regularity.continuous,
    )


def _rounding(node: Apply, pieces: tuple[Piece, ...]) -> kinds.Step | None:
    """An op with integer values that jumps at integers, or at the points halfway between them."""
    compared = comparisons(node.op, node.params)
    if len(node.args) != 1 or not all(_is_integral(piece.term) for piece in pieces):
        return None
    if not all(_slope_of_fraction(term) is not None for term in compared):
        return None
    found = kinds.Round(node.args, node.op.name, pieces, Fraction(0))
    before, after = fmpq(1, 4), fmpq(3, 4)
    if found.integer_at(before) == found.integer_at(after):
        return found
    # it jumps halfway, and so at no integer
    if any(found.integer_at(k - before) != found.integer_at(k + before) for k in range(-2, 3)):
        return None
    return replace(found, offset=Fraction(1, 2))


def _is_integral(term: Term) -> bool:
    """Whether a term is a combination of integers and of the floors of x and -x."""
    match term:
        case Const(value):
            return value.denominator == 1
        case Floor(Var()):
            return True
        case Floor(Mul(Const(factor), Var())):
            return factor == -1
        case Add(left, right) | Mul(left, right):
            return _is_integral(left) and _is_integral(right)
        case _:
            return False


def _slope_of_fraction(term: Term) -> int | None:
    """The slope -1, 0 or 1 of a term in x that has its roots at half integers; None if unknown."""
    match term:
        case Var():
            return 1
        case Const(value):
            return 0 if value.denominator <= 2 else None
        case Floor(argument):
            return None if _slope_of_fraction(argument) is None else 0
        case Mul(Const(factor), inner) if factor.denominator <= 2:
            slope = _slope_of_fraction(inner)
            return None if slope is None or (slope and abs(factor) != 1) else int(factor) * slope
        case Add(left, right):
            first, second = _slope_of_fraction(left), _slope_of_fraction(right)
            return None if first is None or second is None or first * second else first + second
        case _:
            return None


def _fold(node: Apply, shape: Shape, op: Op) -> kinds.Step | str:
    axes = axes_of(shape, node.params)
    if op is ops.ADD:
        return kinds.Total(node.args, axes, bool(node.params["keepdims"]))
    if op is ops.MUL:
        single = size_of(tuple(shape[axis] for axis in axes)) == 1
        return kinds.Move(node.args, positions(node.shape)) if single else _NONLINEAR
    rows = compared_groups(node, shape)
    return kinds.Extreme(
        node.args, rows, node.shape, extremum(node.op) > 0, last=False, index=False
    )


def _selection(
    node: Apply,
    shapes: Sequence[Shape],
    known: Mapping[int, Known | str],
    largest: bool | None,  # noqa: FBT001 (as the meaning has it)
) -> kinds.Step:
    if len(node.args) == 2:
        site = Site(node.op, node.params, node.shape, node.label or node.op.name)
        tensor = known.get(node.args[1])
        if isinstance(tensor, Known):
            return kinds.Move(node.args[:1], gather_index(site, shapes[0], tensor.value))
        return kinds.Pick(node.args, site, shapes[0])
    rows = compared_groups(node, shapes[0])
    if largest is None:
        count = rows.shape[1]
        pairs = tuple((i, j) for i in range(count) for j in range(i + 1, count))
        axis = axis_of(shapes[0], node.params)
        rest = tuple(n for i, n in enumerate(shapes[0]) if i != axis)
        back = np.moveaxis(np.arange(rows.size).reshape((*rest, count)), -1, axis)
        return kinds.Order(node.args, rows, pairs, bool(node.params["descending"]), back)
    last = bool(node.params["last"])
    return kinds.Extreme(node.args, rows, node.shape, largest, last, index=True)
