"""The elements of a graph on a ray, as polynomials in the ray's parameter and in symbols.

What a symbol stands for is up to the caller: a periodic function, or a rounding.  This is the
search's copy of the algebra that the kernel does when it replays a witness, so that what is found
here is accepted there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np
from flint import fmpq

from tamecheck import ops
from tamecheck.errors import DomainError
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import Site, folded_first
from tamecheck.exact.arrays import from_list
from tamecheck.exact.reals import UndecidedError, as_number
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import chooses_indices
from tamecheck.tame.refute_rays import Ray
from tamecheck.tame.series import Series, pieces_at

__all__ = [
    "PARAMETER",
    "Form",
    "Symbols",
    "WorkError",
    "affine_in_parameter",
    "forms_on",
    "value_of",
]

PARAMETER = 0
"""The symbol of the ray's parameter t."""

Form = Mapping[tuple[int, ...], fmpq]
"""``{(i, i, j): c}`` is ``c s_i² s_j``; the empty key is the constant term."""

Symbols = Callable[[Apply, Sequence[Form]], Form | None]
"""Names an op's value on given arguments by a symbol, if it may."""

_MAX_TERMS = 1 << 10
_MAX_DEGREE = 16
_MAX_NODE = 1 << 16
_MAX_BITS = 1 << 13
_ZERO, _ONE = fmpq(0), fmpq(1)


class WorkError(Exception):
    """The budget is used up."""


def value_of(form: Form) -> fmpq | None:
    """The rational that a form is, or None."""
    if not form:
        return _ZERO
    return form[()] if len(form) == 1 and () in form else None


def affine_in_parameter(form: Form) -> bool:
    """Whether the form is ``a t + b`` with ``a`` not 0."""
    return (PARAMETER,) in form and set(form) <= {(), (PARAMETER,)}


def _sum(left: Form, right: Form, factor: fmpq = _ONE) -> Form:
    found = dict(left)
    for key, c in right.items():
        total = found.get(key, _ZERO) + factor * c
        if total == 0:
            found.pop(key, None)
        else:
            found[key] = total
    return found


def _product(left: Form, right: Form) -> Form | None:
    if len(left) * len(right) > _MAX_TERMS:
        return None
    found: dict[tuple[int, ...], fmpq] = {}
    for a, c in left.items():
        for b, d in right.items():
            key = tuple(sorted(a + b))
            if len(key) > _MAX_DEGREE:
                return None
            found[key] = found.get(key, _ZERO) + c * d
    if any(c.height_bits() > _MAX_BITS for c in found.values()):
        return None
    return {key: c for key, c in found.items() if c != 0}


class _Walk:
    """One evaluation of a graph on a ray, within a budget of scalar operations."""

    def __init__(self, symbols: Symbols, budget: int) -> None:
        self._symbols = symbols
        self.left = budget

    def node(self, node: Apply, args: Sequence[Array]) -> Array:
        work = size_of(node.shape)
        if node.op is ops.MATMUL:
            work *= args[0].shape[-1]
        elif args:
            work = max(work, args[0].size)
        self.left -= work
        if self.left < 0 or work > _MAX_NODE:
            raise WorkError
        moved = _moved(node, args)
        if moved is not None:
            return moved
        match node.op.meaning:
            case Pointwise():
                return self._pointwise(node, args)
            case Contraction():
                return _matmul(args[0], args[1], node.shape)
            case Fold(op=name):
                return self._fold(node, args[0], name)
            case _:
                return np.full(node.shape, None, dtype=object)

    def _pointwise(self, node: Apply, args: Sequence[Array]) -> Array:
        flat = [np.broadcast_to(arg, node.shape).reshape(-1).tolist() for arg in args]
        return from_list(
            node.shape, [self._scalar(node, forms) for forms in zip(*flat, strict=True)]
        )

    def _scalar(self, node: Apply, args: Sequence[Form | None]) -> Form | None:
        given = [form for form in args if form is not None]
        if len(given) != len(args):
            return None
        known, form = _ring(node, given)
        return form if known else self._symbols(node, given)

    def _fold(self, node: Apply, data: Array, name: str) -> Array:
        lanes = folded_first(data, node.params)
        step = Apply(ops.BY_NAME[name], (), {}, ())
        results: list[Form | None] = []
        for lane in lanes.reshape((len(lanes), -1)).T.tolist():
            total: Form | None = lane[0] if lane else None
            for form in lane[1:]:
                total = self._scalar(step, (total, form))
            results.append(total)
        return from_list(node.shape, results)


def _moved(node: Apply, args: Sequence[Array]) -> Array | None:
    """The elements of an op that only moves them, else None."""
    if isinstance(node.op.meaning, Routing):
        return _forms(node.op.meaning.route(args, node.params))
    if not isinstance(node.op.meaning, Selection) or chooses_indices(node.op):
        return None
    indices = _indices(args[1])
    try:
        site = Site(node.op, node.params, node.shape)
        return None if indices is None else pick(site, args[0], indices)
    except DomainError:
        return None


def _forms(array: Array) -> Array:
    """Padding is a rational in an array of forms: make it a form."""
    flat = [
        {(): as_number(v)}
        if isinstance(v, Fraction) and v
        else {}
        if isinstance(v, Fraction)
        else v
        for v in array.reshape(-1).tolist()
    ]
    return from_list(array.shape, flat)


def _indices(array: Array) -> Array | None:
    values = [None if form is None else value_of(form) for form in array.reshape(-1).tolist()]
    whole = [int(v.p) for v in values if v is not None and v.q == 1]
    if len(whole) != array.size:
        return None
    return np.array(whole, dtype=np.int64).reshape(array.shape)


def _matmul(left: Array, right: Array, shape: tuple[int, ...]) -> Array:
    a = left if left.ndim > 1 else left[np.newaxis, :]
    b = right if right.ndim > 1 else right[:, np.newaxis]
    batch = tuple(int(n) for n in np.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    wide_a = np.broadcast_to(a, (*batch, *a.shape[-2:])).reshape((-1, *a.shape[-2:]))
    wide_b = np.broadcast_to(b, (*batch, *b.shape[-2:])).reshape((-1, *b.shape[-2:]))
    results = [
        _dot(row, column)
        for p in range(wide_a.shape[0])
        for row in wide_a[p].tolist()
        for column in wide_b[p].T.tolist()
    ]
    return from_list(shape, results)


def _dot(row: Sequence[Form | None], column: Sequence[Form | None]) -> Form | None:
    total: Form | None = {}
    for a, b in zip(row, column, strict=True):
        if a is None or b is None or total is None:
            return None
        term = _product(a, b)
        total = None if term is None else _sum(total, term)
    return total


def _ring(node: Apply, args: Sequence[Form]) -> tuple[bool, Form | None]:
    """Whether the value follows by algebra alone, and the value."""
    match node.op.name:
        case "add":
            return True, _sum(args[0], args[1])
        case "sub":
            return True, _sum(args[0], args[1], -_ONE)
        case "neg":
            return True, _sum({}, args[0], -_ONE)
        case "mul":
            return True, _product(args[0], args[1])
        case "div" if (divisor := value_of(args[1])) is not None and divisor != 0:
            return True, _sum({}, args[0], 1 / divisor)
        case "pow" if (exponent := _natural(node)) is not None:
            power: Form | None = {(): _ONE}
            for _ in range(exponent):
                power = None if power is None else _product(power, args[0])
            return True, power
        case _:
            return _rational(node, args)


def _natural(node: Apply) -> int | None:
    exponent = node.params["exponent"]
    if not isinstance(exponent, Fraction) or exponent.denominator != 1:
        return None
    return int(exponent) if 0 <= exponent <= _MAX_DEGREE else None


def _rational(node: Apply, args: Sequence[Form]) -> tuple[bool, Form | None]:
    meaning = node.op.meaning
    values = [value_of(form) for form in args]
    known = [value for value in values if value is not None]
    if not isinstance(meaning, Pointwise) or len(known) != len(args):
        return False, None
    try:
        found = pieces_at(meaning.pieces(node.params), [Series.constant(v, 0) for v in known])[0]
    except UndecidedError:
        return False, None
    if not isinstance(found, fmpq):
        return False, None
    return True, {(): found} if found != 0 else {}


def forms_on(
    graph: Graph, root: int, ray: Ray, symbols: Symbols, budget: int
) -> tuple[list[Form | None], int]:
    """The elements of a node on a ray, None where it has no such form; and the budget left.

    Raises `WorkError` if the budget, counted in scalar operations, does not suffice.
    """
    walk = _Walk(symbols, budget)
    values: dict[int, Array] = {}
    for index in graph.ancestors([root]):
        node = graph.nodes[index]
        match node:
            case Input(name=name, shape=shape):
                pairs = zip(ray.base[name], ray.direction[name], strict=True)
                values[index] = from_list(shape, [_on_ray(b, d) for b, d in pairs])
            case Constant(tensor=tensor):
                walk.left -= tensor.array.size
                if walk.left < 0:
                    raise WorkError
                values[index] = from_list(
                    tensor.shape, [_on_ray(v, Fraction(0)) for v in tensor.fractions()]
                )
            case Apply(args=args):
                values[index] = walk.node(node, [values[arg] for arg in args])
    return values[root].reshape(-1).tolist(), walk.left


def _on_ray(base: Fraction, slope: Fraction) -> Form:
    form = {(): as_number(base), (PARAMETER,): as_number(slope)}
    return {key: c for key, c in form.items() if c != 0}
