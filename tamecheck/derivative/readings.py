"""Forms of the nodes of a graph, for each way to take pieces that meet at a point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import numpy as np
from flint import fmpq

from tamecheck.derivative.forms import Atoms, Form, UnreadFormError
from tamecheck.evaluate.exact import op_exact
from tamecheck.evaluate.exact_terms import holds
from tamecheck.evaluate.walk import Elements, Site
from tamecheck.exact.arrays import from_list, from_values, objects
from tamecheck.exact.reals import Number, UndecidedError, as_number
from tamecheck.ir import formula
from tamecheck.ir.graph import Apply, Constant, GraphBuilder, Input
from tamecheck.ir.op import Op, Pointwise
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops import ADD
from tamecheck.ops.facets import larger

_MOST_RUNS = 128


@dataclass(frozen=True, slots=True)
class Built:
    """The nodes of a graph that is built, at a point.

    ``point`` has the values of the inputs' elements.
    """

    builder: GraphBuilder
    point: Mapping[str, Array]
    _values: dict[int, Array] = field(default_factory=dict[int, Array])

    def value(self, root: int) -> Array:
        """The exact value of a node at the point."""
        for index in self.builder.below(root):
            if index in self._values:
                continue
            match self.builder.node(index):
                case Input(name):
                    found = self.point[name]
                case Constant(tensor):
                    found = from_values(tensor.array)
                case Apply(op, args, params, shape, label):
                    site = Site(op, params, shape, label)
                    found = op_exact(site, [self._values[arg] for arg in args])
            self._values[index] = objects(found)
        return self._values[root]


@dataclass(slots=True)
class Reading:
    """The forms of nodes for one way to take the pieces of continuous ops that meet at the point.

    ``decisions`` says which piece is taken, one after the other; the first where none is said.
    """

    built: Built
    decisions: list[int]
    options: list[int] = field(default_factory=list[int])
    signed: list[Form] = field(default_factory=list[Form])
    """Forms that are not negative where these pieces hold."""
    atoms: Atoms = field(default_factory=Atoms)
    _known: dict[int, Array] = field(default_factory=dict[int, Array])

    def _decide(self, count: int) -> int:
        number = len(self.options)
        self.options.append(count)
        return self.decisions[number] if number < len(self.decisions) else 0

    def gap(self, high: Array, low: Array) -> Array:
        """Differences of forms."""
        pairs = zip(high.reshape(-1).tolist(), low.reshape(-1).tolist(), strict=True)
        return from_list(high.shape, [self.atoms.add(a, b, fmpq(-1)) for a, b in pairs])

    def sided(self, form: Form, sign: int) -> list[Form]:
        """What is not negative where a form has a sign."""
        below = self.atoms.add(self.atoms.number(fmpq(0)), form, fmpq(-1))
        return [*([form] if sign >= 0 else []), *([below] if sign <= 0 else [])]

    def node(self, root: int) -> Array:
        """The forms of a node's elements.

        Raises `UnreadFormError` if a node is not continuous or not read.
        """
        for index in self.built.builder.below(root):
            if index not in self._known:
                self._known[index] = self._node(index)
        return self._known[root]

    def _node(self, index: int) -> Array:
        builder = self.built.builder
        node = builder.node(index)
        if isinstance(node, Input):
            flat = objects(self.built.point[node.name]).reshape(-1).tolist()
            start = sum(
                size_of(n.shape) for k in range(index) if isinstance(n := builder.node(k), Input)
            )
            forms = [self.atoms.coordinate(start + k, v) for k, v in enumerate(flat)]
            return from_list(node.shape, forms)
        if isinstance(node, Constant):
            flat = objects(from_values(node.tensor.array)).reshape(-1).tolist()
            return from_list(node.shape, [self.atoms.number(v) for v in flat])
        elements = Elements(
            constant=lambda value: self.atoms.number(as_number(value)),
            pointwise=lambda meaning, site: partial(self._pointwise, meaning, site),
            product=self.atoms.multiply,
            fold=self._fold,
        )
        args = [self._known[arg] for arg in node.args]
        found = elements.value(Site(node.op, node.params, node.shape), args)
        if found is None:
            raise UnreadFormError
        return found

    def _fold(self, op: Op, forms: Sequence[Form]) -> Form:
        if op is ADD:
            return reduce(self.atoms.add, forms, self.atoms.number(fmpq(0)))
        sign = larger(op)
        if not sign:
            raise UnreadFormError
        tied = extremes([form.value for form in forms], sign)
        won = tied[self._decide(len(tied))] if len(tied) > 1 else tied[0]
        for k in tied:
            if k != won:
                low, high = (forms[k], forms[won]) if sign > 0 else (forms[won], forms[k])
                self.signed.append(self.atoms.add(high, low, fmpq(-1)))
        return forms[won]

    def _pointwise(self, meaning: Pointwise, site: Site, row: Sequence[Form]) -> Form:
        values = [form.value for form in row]
        domain = meaning.domain(site.params)
        if domain != formula.TRUE and not _defined_at(domain, values):
            raise UnreadFormError
        if meaning.whole is not None:
            return self.atoms.apply(meaning.whole, row[0])
        possible: list[tuple[formula.Piece, list[Form]]] = []
        for piece in meaning.pieces(site.params):
            signed = self._held(piece.condition, row)
            if signed is not None:
                possible.append((piece, signed))
        if not possible:
            raise UnreadFormError
        if not site.op.regularity.continuous and (len(possible) > 1 or possible[0][1]):
            raise UnreadFormError
        piece, signed = possible[self._decide(len(possible))] if len(possible) > 1 else possible[0]
        self.signed += signed
        return self.atoms.term(piece.term, row)

    def _held(self, condition: formula.Condition, row: Sequence[Form]) -> list[Form] | None:
        """Forms that are not negative where a closed condition holds; None if that is not near."""
        match condition:
            case formula.Compare(term, relation):
                form = self.atoms.term(term, row)
                if not form.terms:
                    return [] if 0 in relation.signs else None
                if form.value != 0:
                    if not (form.value > 0 or form.value < 0):
                        raise UndecidedError
                    return [] if (1 if form.value > 0 else -1) in relation.signs else None
                sides = relation.signs - {0}
                if not sides:
                    return None
                if len(sides) == 2:
                    return [self.atoms.number(fmpq(0))]
                return self.sided(form, 1 if 1 in sides else -1)
            case formula.And(parts):
                found: list[Form] = []
                for part in parts:
                    signed = self._held(part, row)
                    if signed is None:
                        return None
                    found += signed
                return found
            case _:
                raise UnreadFormError


def _defined_at(domain: formula.Condition, values: Sequence[Number]) -> bool:
    held = holds(domain, values)
    if held is None:
        raise UndecidedError
    return held


def readings(built: Built) -> Iterator[Reading]:
    """Readings with all ways to take pieces, as far as those are asked for while they are read.

    Raises `UnreadFormError` if there are too many.
    """
    decisions: list[int] = []
    for _ in range(_MOST_RUNS):
        reading = Reading(built, decisions)
        yield reading
        made = [*decisions, *([0] * len(reading.options))][: len(reading.options)]
        while made and made[-1] + 1 >= reading.options[len(made) - 1]:
            made.pop()
        if not made:
            return
        decisions = [*made[:-1], made[-1] + 1]
    raise UnreadFormError


def by(key: Callable[[int], Number]) -> Callable[[int], Any]:
    """A key to compare exact numbers by."""

    class Key:
        def __init__(self, k: int) -> None:
            self.value = key(k)

        def __lt__(self, other: Key) -> bool:
            gap = self.value - other.value
            if gap == 0:
                return False
            if not (gap > 0 or gap < 0):
                raise UndecidedError
            return bool(gap < 0)

    return Key


def extremes(values: Sequence[Number], sign: int) -> list[int]:
    """The places of the largest values, or of the smallest for a negative sign."""
    top = max(range(len(values)), key=by(lambda k: sign * values[k]))
    return [k for k, value in enumerate(values) if same(value, values[top])]


def same(left: Number, right: Number) -> bool:
    """Whether two numbers are equal; raises `UndecidedError` if that is open."""
    gap = left - right
    if not (gap == 0 or gap > 0 or gap < 0):
        raise UndecidedError
    return bool(gap == 0)


def spread(array: Array, shape: Sequence[int]) -> Array:
    """An array as it is broadcast to a shape."""
    return np.broadcast_to(array, tuple(shape))
