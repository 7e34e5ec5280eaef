"""The search for rays on which an output has a periodic part that is not constant.

On a ray an output is ``p(t) + t^k u(t) + O(t^(k-1))`` with ``u`` periodic, so ``(f - p) / t^k`` has
no limit if ``u`` is not constant.  By the monotonicity theorem (van den Dries 1998, ch. 3, Theorem
1.2) definable functions of one variable have limits.  Whole tensors are followed, by enclosures of
their coefficients at two phases and of their ranges, so wide networks take few evaluations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import DomainError
from tamecheck.evaluate.enclose import Operand, op_enclosure, tensor_is_integral
from tamecheck.evaluate.enclosure import Enclosure, of_tensor
from tamecheck.evaluate.walk import Site
from tamecheck.exact.reals import UndecidedError
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Op, Params, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.facets import Line, chooses_indices, elementary_of, line_of, rounds, term_degree
from tamecheck.tame.curves import WAVES, may_oscillate
from tamecheck.tame.refute_rays import Ray, rays
from tamecheck.tame.verdict import Witness

_BUDGET = 4_000_000
"""Scalar operations that a search may take."""

_PHASES = ((0, 1), (0, Fraction(1, 2)), (Fraction(2, 7), 3))
_POWERS = 4
_BLUR = 2.0**-40
_GAP = 2.0**-20
_MODES = ("half_even", "half_up", "half_down")


@dataclass(frozen=True, slots=True)
class _Row:
    """The coefficient of a power of t: at both phases, its range, and whether it is a rational."""

    parts: tuple[Enclosure, Enclosure, Enclosure]
    exact: bool

    def mapped(self, function: Callable[[Enclosure], Enclosure], *, exact: bool) -> _Row:
        first, second, ever = self.parts
        return _Row((function(first), function(second), function(ever)), exact)


_Value = list[_Row]


def find_periodic(
    graph: Graph, box: Box, output_nodes: Sequence[int], *, seed: int = 0, budget: int = _BUDGET
) -> Witness | None:
    """A ray on which an output oscillates for ever, or None if the search finds none.

    The parameters are those of `tamecheck.tame.refute.find_staircase`.
    """
    cost = sum(max(1, size_of(node.shape)) for node in graph.nodes)
    roots = [
        root for root in output_nodes if may_oscillate(graph, root, rounding=True, waves=WAVES)
    ]
    for root, ray, phases in _attempts(graph, box, roots, seed):
        budget -= cost
        if budget < 0:
            return None
        try:
            value = _Walk(graph, ray, phases).run(root)
        except (UndecidedError, DomainError):
            continue
        witness = _witness(value, ray, phases, root)
        if witness is not None:
            return witness
    return None


def _attempts(
    graph: Graph, box: Box, roots: Sequence[int], seed: int
) -> Iterator[tuple[int, Ray, tuple[Fraction, Fraction]]]:
    for root in roots:
        for ray in rays(graph.inputs, box, seed):
            for first, second in _PHASES:
                yield root, ray, (Fraction(first), Fraction(second))


def _witness(
    value: _Value, ray: Ray, phases: tuple[Fraction, Fraction], root: int
) -> Witness | None:
    power, row = next(
        ((d, row) for d, row in reversed(list(enumerate(value))) if not row.exact), (0, None)
    )
    if row is None:
        return None
    pairs = [(part.lower.reshape(-1), part.upper.reshape(-1)) for part in row.parts[:2]]
    (low, high), (other_low, other_high) = pairs
    scale = _GAP * np.maximum(np.abs(low), np.abs(other_low))
    scale += 4 * (high - low + other_high - other_low)
    apart = np.flatnonzero((low - other_high > scale) | (other_low - high > scale))
    if not len(apart):
        return None
    element = int(apart[0])
    document = {
        "rule": "periodic",
        **ray.document(),
        "output": [root, element],
        "t": [str(phase) for phase in phases],
    }
    near = [_about(float(a[element]), float(b[element])) for a, b in pairs]
    values = " and ".join(f"{v} at t = {t}" for v, t in zip(near, phases, strict=True))
    plain = power == 0 and len(value) == 1
    part = {0: "u(t)", 1: "t u(t) plus lower terms"}.get(power, f"t^{power} u(t) plus lower terms")
    claim = (
        f"the output is periodic and not constant: it is {values}"
        if plain
        else f"the output is a polynomial plus {part}, where u is periodic and not constant: "
        f"u is {values}"
    )
    return Witness("o-minimal", f"along {ray.text()}, {claim}", document)


def _about(low: float, high: float) -> str:
    """A value in few digits; 0 where the enclosure has it."""
    return "0" if low <= 0 <= high else f"about {(low + high) / 2:.4g}"


class _Walk:
    """The nodes of a graph along one ray."""

    def __init__(self, graph: Graph, ray: Ray, phases: tuple[Fraction, Fraction]) -> None:
        self._graph = graph
        self._ray = ray
        self._phases = [float(phase) for phase in phases]
        self._periods = set[bool]()
        self._values: dict[int, _Value] = {}

    def run(self, root: int) -> _Value:
        for index in self._graph.ancestors([root]):
            node = self._graph.nodes[index]
            match node:
                case Input(name=name, shape=shape):
                    both = self._ray.base[name], self._ray.direction[name]
                    self._values[index] = [_fixed(_numbers(row, shape)) for row in both]
                case Constant(tensor=tensor):
                    self._values[index] = [_fixed(of_tensor(tensor))]
                case Apply():
                    self._values[index] = _trimmed(self._apply(node))
        return self._values[root]

    def _coefficient(self, index: int, power: int) -> _Row:
        value = self._values[index]
        if power < len(value):
            return value[power]
        zeros = np.zeros(self._graph.nodes[index].shape)
        return _fixed(Enclosure(zeros, zeros))

    def _apply(self, node: Apply) -> _Value:
        """The rows of a node from those of its arguments."""
        op, params, args = node.op, node.params, node.args
        length = max(len(self._values[arg]) for arg in args)
        if length == 1:
            return [self._row(node, [self._values[arg][0] for arg in args])]
        if elementary_of(op, params) in WAVES or rounds(op, params):
            return self._turning(node)
        line = line_of(op, params)
        if line is not None and _bends_at_zero(line) and op is not ops.CLIP:
            # the kernel follows no clip along a ray
            return self._bent(node, float(line.slopes[0]))
        if _is_linear(node):
            moved = args[:1] if isinstance(op.meaning, Selection) else args
            index_rows = [self._coefficient(arg, 0) for arg in args[len(moved) :]]
            return [
                self._row(node, [*(self._coefficient(arg, d) for arg in moved), *index_rows])
                for d in range(length)
            ]
        return self._multiplied(node, length)

    def _multiplied(self, node: Apply, length: int) -> _Value:
        """The rows of a product, a quotient or a power."""
        op, params, args = node.op, node.params, node.args
        if op is ops.DIV and len(self._values[args[1]]) == 1:
            return [self._row(node, [r, self._values[args[1]][0]]) for r in self._values[args[0]]]
        if op in (ops.MUL, ops.MATMUL):
            return self._product(node, self._values[args[0]], self._values[args[1]])
        exponent = params.get("exponent")
        if op is ops.POW and isinstance(exponent, Fraction) and exponent.denominator == 1:
            if not 0 <= exponent * (length - 1) <= _POWERS:
                raise UndecidedError
            if exponent == 0:
                return [_fixed(Enclosure(np.ones(node.shape), np.ones(node.shape)))]
            found, base = self._values[args[0]], self._values[args[0]]
            product = Apply(ops.MUL, (args[0], args[0]), {}, node.shape)
            for _ in range(int(exponent) - 1):
                found = self._product(product, found, base)
            return found
        raise UndecidedError

    def _row(self, node: Apply, rows: Sequence[_Row]) -> _Row:
        exact = all(row.exact for row in rows) and _keeps_rationals(node.op, node.params)
        args = [self._graph.nodes[arg] for arg in node.args]
        found: list[Enclosure] = []
        for i in (2,) if exact else (2, 0, 1):
            operands = [
                Operand(
                    row.parts[i],
                    integral=isinstance(arg, Constant) and tensor_is_integral(arg.tensor),
                    constant=isinstance(arg, Constant),
                )
                for row, arg in zip(rows, args, strict=True)
            ]
            bounds = op_enclosure(Site(node.op, node.params, node.shape), operands)
            if bounds is None:
                raise UndecidedError
            found.append(bounds)
        if node.op is ops.POWER and not (rows[0].parts[2].lower > 0).all():
            raise UndecidedError
        return _fixed(found[0]) if exact else _Row((found[1], found[2], found[0]), exact=False)

    def _product(self, node: Apply, left: _Value, right: _Value) -> _Value:
        if len(left) + len(right) - 2 > _POWERS:
            raise UndecidedError
        found: dict[int, _Row] = {}
        total = Apply(ops.ADD, node.args, {}, node.shape)
        for i, x in enumerate(left):
            for j, y in enumerate(right):
                term = self._row(node, [x, y])
                found[i + j] = self._row(total, [found[i + j], term]) if i + j in found else term
        return [found[d] for d in sorted(found)]

    def _turning(self, node: Apply) -> _Value:
        """A sine, a cosine or a rounding of ``a t + u(t)``, with rational a."""
        wave = not rounds(node.op, node.params)
        self._periods.add(wave)
        value = self._values[node.args[0]]
        if len(self._periods) > 1 or len(value) > 2 or not value[1].exact:
            raise UndecidedError
        rest, slope = value
        site = Site(node.op, node.params, node.shape)
        moved = [_moved(rest.parts[i], slope.parts[2], self._phases[i]) for i in (0, 1)]
        at = [op_enclosure(site, [Operand(x)]) for x in moved]
        if at[0] is None or at[1] is None:
            raise UndecidedError
        if wave:
            ones = np.ones(node.shape)
            return [_Row((at[0], at[1], Enclosure(-ones, ones)), exact=False)]
        if not rest.exact or node.params.get("mode", _MODES[0]) not in _MODES:
            raise UndecidedError
        near = [_moved(x, slope.parts[2], -t) for x, t in zip(at, self._phases, strict=True) if x]
        around = Enclosure(rest.parts[2].lower - 1, rest.parts[2].upper + 1)
        return [_Row((near[0], near[1], around), exact=False), slope]

    def _bent(self, node: Apply, below: float) -> _Value:
        """The identity for positive numbers, linear below, by the sign of what grows fastest."""
        rows = self._values[node.args[0]]
        factor = np.full(node.shape, np.nan)
        for row in reversed(rows[1:]):
            low, high = row.parts[2].lower, row.parts[2].upper
            moves = np.isnan(factor) & ~((low == 0) & (high == 0) & row.exact)
            if (moves & (low <= 0) & (high >= 0)).any():
                raise UndecidedError
            factor = np.where(moves, np.where(low > 0, 1.0, below), factor)
        still = np.isnan(factor)
        kept = np.where(still, 1.0, factor)
        bent = self._row(node, [rows[0]])

        def scaled(x: Enclosure) -> Enclosure:
            return _scaled(x, kept)

        first = [
            Enclosure(np.where(still, b.lower, x.lower), np.where(still, b.upper, x.upper))
            for b, x in zip(bent.parts, map(scaled, rows[0].parts), strict=True)
        ]
        lowest = _Row((first[0], first[1], first[2]), rows[0].exact)
        return [lowest, *(row.mapped(scaled, exact=row.exact) for row in rows[1:])]


def _trimmed(value: _Value) -> _Value:
    """The rows without those of the highest powers that are 0."""
    while len(value) > 1 and value[-1].exact and not value[-1].parts[2].upper.any():
        if value[-1].parts[2].lower.any():
            break
        value = value[:-1]
    return value


def _fixed(x: Enclosure) -> _Row:
    return _Row((x, x, x), exact=True)


def _numbers(values: Sequence[Fraction], shape: Shape) -> Enclosure:
    row = np.array([float(v) for v in values]).reshape(shape)
    rounded = np.array([Fraction(float(v)) != v for v in values]).reshape(shape)
    room = np.where(rounded, np.abs(row) * _BLUR, 0)
    return Enclosure(row - room, row + room)


def _moved(x: Enclosure, slope: Enclosure, t: float) -> Enclosure:
    """``x + slope t``, with room for rounding."""
    ends = (
        np.minimum(slope.lower * t, slope.upper * t),
        np.maximum(slope.lower * t, slope.upper * t),
    )
    room = _BLUR * (1 + np.abs(ends[0]) + np.abs(ends[1]) + np.abs(x.lower) + np.abs(x.upper))
    return Enclosure(x.lower + ends[0] - room, x.upper + ends[1] + room)


def _scaled(x: Enclosure, factor: Array) -> Enclosure:
    ends = x.lower * factor, x.upper * factor
    low, high = np.minimum(*ends), np.maximum(*ends)
    plain = (factor == 1) | (factor == 0) | (factor == -1)
    room = np.where(plain, 0, _BLUR * (np.abs(low) + np.abs(high)))
    return Enclosure(low - room, high + room)


def _bends_at_zero(line: Line) -> bool:
    """Whether a function is the identity above 0 and linear below."""
    return line.breaks == (0,) and line.at == (0,) and line.slopes[1] == 1 and line.is_continuous


def _is_linear(node: Apply) -> bool:
    """Whether the node is linear in its arguments, but for indices."""
    match node.op.meaning:
        case Routing():
            return node.params.get("value", Fraction(0)) == 0
        case Selection():
            return not chooses_indices(node.op)
        case Fold(folded):
            return folded is ops.ADD
        case _:
            return node.op in (ops.ADD, ops.SUB, ops.NEG)


def _keeps_rationals(op: Op, params: Params) -> bool:
    """Whether the op maps rationals to rationals by polynomials and their pieces."""
    match op.meaning:
        case Pointwise(pieces=pieces):
            ones = [1] * (op.arity or 1)
            known = line_of(op, params) is not None or op is ops.DIV
            return known or all(term_degree(p.term, ones) is not None for p in pieces(params))
        case Contraction() | Routing():
            return True
        case Fold(folded):
            return folded is ops.ADD
        case Selection():
            return not chooses_indices(op)
        case _:
            return False
