"""A piecewise linear graph as steps on affine forms: linear ones, and ones that decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias, TypeVar, assert_never

import numpy as np
from flint import arb

from tamecheck.cells.affine import affine, compared_terms
from tamecheck.cells.forms import Forms, Known
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate import exact_values
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import Site, axis_last, folded_first
from tamecheck.ir.formula import Piece, Term
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.shapes import axes_of, axis_of

__all__ = [
    "Entry",
    "Extreme",
    "Fixed",
    "Linear",
    "Move",
    "Order",
    "Pick",
    "Pieces",
    "Product",
    "Round",
    "Step",
    "Total",
    "args_of",
    "flat",
    "linear",
    "questions",
    "steps_of",
]

F = TypeVar("F", bound=Forms)

_NONLINEAR = "is not piecewise linear"


@dataclass(frozen=True, slots=True)
class Entry:
    """The elements of an input, from ``start`` on in the flat row of all inputs."""

    start: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class Fixed:
    """A tensor that does not depend on the inputs."""

    known: Known


@dataclass(frozen=True, slots=True)
class Move:
    """Elements at flat positions of all arguments in one row; the last position is ``filler``."""

    args: tuple[int, ...]
    index: Array
    filler: Fraction


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product with a constant."""

    arg: int
    known: Known
    left: bool


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over axes."""

    arg: int
    axes: tuple[int, ...]
    keepdims: bool


@dataclass(frozen=True, slots=True)
class Pieces:
    """A pointwise op: the signs of the compared terms choose the piece."""

    args: tuple[int, ...]
    pieces: tuple[Piece, ...]
    terms: tuple[Term, ...]
    shape: Shape
    jump: bool


@dataclass(frozen=True, slots=True)
class Extreme:
    """The largest or smallest of each row of flat positions, or the number of it in its row."""

    arg: int
    groups: Array
    shape: Shape
    largest: bool
    last: bool
    index: bool


@dataclass(frozen=True, slots=True)
class Round:
    """Rounding to integers; ``offset`` is that of the jumps, 0 or 1/2."""

    arg: int
    name: str
    pieces: tuple[Piece, ...]
    offset: Fraction


@dataclass(frozen=True, slots=True)
class Order:
    """The indices that sort each row of flat positions; the result is moved by ``back``."""

    arg: int
    groups: Array
    pairs: tuple[tuple[int, int], ...]
    descending: bool
    back: Array


@dataclass(frozen=True, slots=True)
class Pick:
    """Indexing by indices that are constant on every cell."""

    data: int
    indices: int
    site: Site
    data_shape: Shape


Linear: TypeAlias = Entry | Fixed | Move | Product | Total
Step: TypeAlias = Linear | Pieces | Extreme | Round | Order | Pick


def steps_of(graph: Graph) -> dict[int, Step]:
    """The steps of all nodes that an output needs, in topological order.

    Raises
    ------
    UnsupportedError
        Listing every node that is not piecewise linear.
    """
    needed = list(graph.ancestors([node for _, node in graph.outputs]))
    known = _constants(graph, needed)
    steps: dict[int, Step] = {}
    bad: list[tuple[str, str]] = []
    starts: dict[str, int] = {}
    for name, shape in graph.inputs.items():
        starts[name] = sum(size_of(graph.inputs[other]) for other in starts)
        del shape
    for index in needed:
        node = graph.nodes[index]
        if index in known:
            tensor = known[index]
            if isinstance(tensor, str):
                bad.append((graph.name_of(index), tensor))
            else:
                steps[index] = Fixed(tensor)
        elif isinstance(node, Input):
            steps[index] = Entry(starts[node.name], node.shape)
        elif isinstance(node, Apply):
            found = _step(graph, node, known)
            if isinstance(found, str):
                bad.append((graph.name_of(index), f"{node.op.name} {found}"))
            else:
                steps[index] = found
    if bad:
        raise UnsupportedError(
            "Cells are computed for piecewise linear models only.",
            nodes=bad,
            hint="The derivative at a point is there for smooth ops too: tamecheck diff.",
        )
    return steps


def _constants(graph: Graph, needed: Sequence[int]) -> dict[int, Known | str]:
    free = [index for index in needed if graph.input_free[index]]
    found: dict[int, Known | str] = {}
    folded: list[int] = []
    for index in free:
        node = graph.nodes[index]
        if isinstance(node, Constant):
            found[index] = Known(node.tensor.array)
        else:
            folded.append(index)
    if folded:
        part = Graph(graph.nodes, tuple((str(index), index) for index in folded))
        point = {name: np.zeros(shape) for name, shape in graph.inputs.items()}
        for name, array in exact_values(part, point).items():
            irrational = any(isinstance(v, arb) for v in array.reshape(-1).tolist())
            found[int(name)] = "the constant is irrational" if irrational else Known(array)
    return found


def _step(graph: Graph, node: Apply, known: dict[int, Known | str]) -> Step | str:
    shapes = [graph.nodes[arg].shape for arg in node.args]
    match node.op.meaning:
        case Pointwise() as meaning:
            return _pointwise(node, meaning)
        case Routing(route):
            return _move(node, shapes, route)
        case Contraction():
            return _product(node, known)
        case Fold(name):
            return _fold(node, shapes[0], name)
        case Selection():
            return _selection(node, shapes, known)
        case _:
            return _NONLINEAR


def _pointwise(node: Apply, meaning: Pointwise) -> Step | str:
    pieces = meaning.pieces(node.params)
    if node.op.name in ("floor", "ceil", "round"):
        half = node.op.name == "round" and str(node.params["mode"]).startswith("half")
        offset = Fraction(1, 2) if half else Fraction(0)
        return Round(node.args[0], node.op.name, pieces, offset)
    if node.op.name in ("power", "sqrt", "elu") or not _affine_op(node, pieces):
        return _NONLINEAR
    terms = compared_terms(pieces)
    return Pieces(node.args, pieces, terms, node.shape, not node.op.regularity.continuous)


def _affine_op(node: Apply, pieces: Sequence[Piece]) -> bool:
    from tamecheck.ir.formula import Call, Const, Pow, subterms

    for piece in pieces:
        for term in (*subterms(piece.term), *subterms(piece.condition)):
            if isinstance(term, Call):
                return False
            if isinstance(term, Pow) and not (
                isinstance(term.exponent, Const) and term.exponent.value in (0, 1)
            ):
                return False
    return bool(node.args)


def _move(node: Apply, shapes: Sequence[Shape], route: Any) -> Step:
    index, start = list[Array](), 0
    for shape in shapes:
        index.append(np.arange(start, start + size_of(shape)).reshape(shape))
        start += size_of(shape)
    value = node.params.get("value")
    params = dict(node.params)
    if isinstance(value, Fraction):
        params["value"] = Fraction(start)
    moved = np.asarray(route(index, params)).astype(np.int64)
    return Move(node.args, moved, value if isinstance(value, Fraction) else Fraction(0))


def _product(node: Apply, known: dict[int, Known | str]) -> Step | str:
    left, right = node.args
    for arg, other, on_left in ((left, right, False), (right, left, True)):
        tensor = known.get(other)
        if isinstance(tensor, Known):
            return Product(arg, tensor, on_left)
    return "multiplies two matrices that depend on the inputs"


def _fold(node: Apply, shape: Shape, name: str) -> Step | str:
    axes = axes_of(shape, node.params)
    arg = node.args[0]
    if name == "add":
        return Total(arg, axes, bool(node.params["keepdims"]))
    count = size_of(tuple(shape[axis] for axis in axes))
    if name == "mul":
        if count != 1:
            return _NONLINEAR
        return Move(node.args, np.arange(size_of(shape)).reshape(node.shape), Fraction(0))
    groups = folded_first(np.arange(size_of(shape)).reshape(shape), node.params)
    rows = groups.reshape(count, -1).T
    return Extreme(arg, rows, node.shape, name == "maximum", last=False, index=False)


def _selection(node: Apply, shapes: Sequence[Shape], known: dict[int, Known | str]) -> Step | str:
    name = node.op.name
    numbers = np.arange(size_of(shapes[0])).reshape(shapes[0])
    site = Site(node.op, node.params, node.shape, node.label or name)
    if name in ("gather", "gather_elements"):
        tensor = known.get(node.args[1])
        if isinstance(tensor, Known):
            picked = pick(site, numbers, tensor.value.astype(np.int64))
            return Move(node.args[:1], np.asarray(picked), Fraction(0))
        data, indices = node.args
        return Pick(data, indices, site, shapes[0])
    rows = axis_last(numbers, node.params)
    if name == "argsort":
        count = rows.shape[1]
        pairs = tuple((i, j) for i in range(count) for j in range(i + 1, count))
        axis = axis_of(shapes[0], node.params)
        rest = tuple(n for i, n in enumerate(shapes[0]) if i != axis)
        back = np.arange(rows.size).reshape((*rest, count))
        return Order(
            node.args[0], rows, pairs, bool(node.params["descending"]), np.moveaxis(back, -1, axis)
        )
    last, largest = bool(node.params["last"]), name == "argmax"
    return Extreme(node.args[0], rows, node.shape, largest, last, index=True)


def flat(forms: F, shape: Shape) -> F:
    """The forms broadcast to a shape, in one row."""
    source = np.arange(size_of(forms.shape)).reshape(forms.shape)
    return forms.take(np.broadcast_to(source, shape).reshape(-1))


def linear(step: Linear, args: Sequence[F], entries: F) -> F:
    """The value of a step that decides nothing.

    Parameters
    ----------
    entries
        The forms of all inputs in one row.
    """
    match step:
        case Entry(start, shape):
            return entries.take(np.arange(start, start + size_of(shape)).reshape(shape))
        case Fixed(known):
            return entries.known(known)
        case Move(_, index, filler):
            if len(args) == 1 and (not index.size or int(index.max()) < size_of(args[0].shape)):
                return args[0].take(index)
            extra = [*args[1:], args[0].constant(filler)]
            return args[0].joined(extra).take(index)
        case Product(_, known, left):
            return args[0].matmul(known, left=left)
        case Total(_, axes, keepdims):
            return args[0].total(axes, keepdims=keepdims)
        case _:
            assert_never(step)


def questions(step: Pieces | Extreme | Round | Order | Pick, args: Sequence[F]) -> F:
    """The forms, in one row, on whose values a step decides."""
    match step:
        case Pieces(_, _, terms, shape, _):
            padded = [arg.padded(len(shape)) for arg in args]
            rows = [flat(affine(term, padded), shape) for term in terms]
            return rows[0].joined(rows[1:])
        case Extreme(_, groups, _, _, _, _):
            return args[0].take(groups.reshape(-1))
        case Round():
            return args[0].take(np.arange(size_of(args[0].shape)))
        case Order(_, groups, _, _, _):
            return args[0].take(groups.reshape(-1))
        case Pick():
            return args[1].take(np.arange(size_of(args[1].shape)))
        case _:
            assert_never(step)


def args_of(step: Step) -> tuple[int, ...]:
    """The nodes that a step reads."""
    match step:
        case Entry() | Fixed():
            return ()
        case Move(args, _, _) | Pieces(args, _, _, _, _):
            return args
        case Pick(data, indices, _, _):
            return (data, indices)
        case _:
            return (step.arg,)
