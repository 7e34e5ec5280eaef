"""A graph written out as scalar expressions of any language that has arithmetic and choice.

The walk knows the ops; the language (SMT-LIB terms, sympy expressions) arrives as an `Algebra`.
Constants are folded in rationals on the way, so languages see no ``0 * x`` and no ``1 * x``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import Elements, Site, evaluate_expansion, lanes_of, run, site_of
from tamecheck.exact.arrays import from_list
from tamecheck.ir import formula
from tamecheck.ir.arithmetic import Arithmetic
from tamecheck.ir.formula import TRUE, Condition, Elementary, Piece, Relation, Term
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Expansion, Op, Pointwise, Selection
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops import ADD


class BeyondError(Exception):
    """A language has no word for a term: the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Algebra:
    """What a language must offer; expressions and conditions are its own objects.

    ``divide`` is of use only where the divisor is not 0; ``power`` is `tamecheck.ir.formula.Pow`;
    ``compare`` makes the condition ``value relation 0``; ``choose`` takes the first expression
    where the condition holds, else the second; ``require`` says that there is a value only there.
    """

    number: Callable[[Fraction], Any]
    add: Callable[[Sequence[Any]], Any]
    multiply: Callable[[Any, Any], Any]
    divide: Callable[[Any, Any], Any]
    power: Callable[[Any, Fraction], Any]
    floor: Callable[[Any], Any]
    call: Callable[[Elementary, Any], Any]
    compare: Callable[[Any, Relation], Any]
    both: Callable[[Sequence[Any]], Any]
    either: Callable[[Sequence[Any]], Any]
    choose: Callable[[Any, Any, Any], Any]
    require: Callable[[Any], Any]


def unroll(
    graph: Graph,
    algebra: Algebra,
    inputs: Mapping[str, Array],
    *,
    note: Callable[[int, Array], None] | None = None,
) -> dict[str, Array]:
    """Expressions for all output elements, as object arrays.

    Each input is an object array of expressions, of the input's shape.  ``note`` is called with
    each op node and its values, rationals or expressions, before they are used.  Time and size are
    linear in the number of scalar operations; shared parts are shared objects.  What the language
    has no words for is an `UnsupportedError` that lists every such node.
    """
    bad: list[tuple[str, str]] = []
    scalars = _Scalars(algebra)

    def leaf(index: int, node: Input | Constant) -> Array:
        del index
        if isinstance(node, Input):
            return inputs[node.name]
        return from_list(node.shape, list(node.tensor.fractions()))

    def apply(index: int, node: Apply, args: list[Array]) -> Array:
        try:
            found = scalars.apply_op(site_of(graph, index, node), args)
        except BeyondError as error:
            bad.append((graph.name_of(index), f"{node.op.name}: {error}"))
            # go on with any values of that shape, so that all such nodes are found
            return from_list(node.shape, [Fraction(1)] * size_of(node.shape))
        if note is not None:
            note(index, found)
        return found

    values = run(graph, graph.output_nodes, leaf, apply)
    if bad:
        raise UnsupportedError("The model cannot be written in this language.", nodes=bad)
    whole = np.frompyfunc(lambda v: algebra.number(v) if isinstance(v, Fraction) else v, 1, 1)
    return {
        name: np.asarray(whole(values[node]), dtype=object).reshape(graph.nodes[node].shape)
        for name, node in graph.outputs
    }


def labels(name: str, count: int, pattern: str = "{}_{}") -> list[str]:
    """Names of the elements of a tensor; the only one has that of the tensor."""
    return [name] if count == 1 else [pattern.format(name, index) for index in range(count)]


class _Scalars:
    """Scalar operations with rational constants folded; values are rationals or expressions."""

    def __init__(self, algebra: Algebra) -> None:
        self._algebra = algebra
        self._arithmetic: Arithmetic[Any] = Arithmetic(
            constant=lambda value: value,
            floor=self._floor,
            call=lambda function, value: algebra.call(function, self._lift(value)),
            add=lambda left, right: self.sum([left, right]),
            multiply=self.times,
            divide=self._divide,
            power=self._power,
        )

    def apply_op(self, site: Site, args: Sequence[Array]) -> Array:
        """The value of an op."""
        params = site.params
        elements = Elements(lambda value: value, self.pointwise, self.times, self.fold)
        found = elements.value(site, args)
        if found is not None:
            return found
        match site.op.meaning:
            case Selection() if len(args) == 2:
                picked = args[1].reshape(-1).tolist()
                if not all(isinstance(v, Fraction) for v in picked):
                    raise BeyondError("indices that depend on the inputs")
                where = np.array([int(v) for v in picked], dtype=np.int64)
                return pick(site, args[0], where.reshape(args[1].shape))
            case Selection(None):
                raise BeyondError("a sorting permutation")
            case Selection(largest):
                rows, last = lanes_of(site.op, args[0], params).tolist(), bool(params["last"])
                won = [self.winner(row, largest=bool(largest), last=last) for row in rows]
                return from_list(site.shape, won)
            case Expansion(expand):
                return evaluate_expansion(expand, site, args[0], self.apply_op)
            case _:
                raise BeyondError("no expression")

    def _lift(self, value: Any) -> Any:
        return self._algebra.number(value) if isinstance(value, Fraction) else value

    def sum(self, parts: Sequence[Any]) -> Any:
        """A sum, its constants gathered."""
        constant = sum((p for p in parts if isinstance(p, Fraction)), Fraction(0))
        rest = [p for p in parts if not isinstance(p, Fraction)]
        if not rest:
            return constant
        if constant:
            rest.append(self._algebra.number(constant))
        return rest[0] if len(rest) == 1 else self._algebra.add(rest)

    def times(self, left: Any, right: Any) -> Any:
        """A product."""
        if isinstance(right, Fraction):
            left, right = right, left
        if isinstance(left, Fraction):
            if isinstance(right, Fraction):
                return left * right
            if left == 0:
                return Fraction(0)
            if left == 1:
                return right
        return self._algebra.multiply(self._lift(left), right)

    def fold(self, op: Op, row: Sequence[Any]) -> Any:
        """What a scalar op makes of a row."""
        if op is ADD:
            return self.sum(row)
        meaning = op.meaning
        if not isinstance(meaning, Pointwise):
            raise BeyondError(f"a fold of {op.name}")
        pieces = meaning.pieces({})
        return reduce(lambda x, y: self.pieces(pieces, [x, y]), row) if row else Fraction(1)

    def winner(self, row: Sequence[Any], *, largest: bool, last: bool) -> Any:
        """The number of the first (or last) largest (or smallest) element."""
        best, number = row[0], Fraction(0)
        sign = Fraction(1 if largest else -1)
        for index, value in enumerate(row[1:], start=1):
            ahead = self.times(sign, self.sum([value, self.times(Fraction(-1), best)]))
            won = self.compare(ahead, Relation.GE if last else Relation.GT)
            best = self.choose(won, value, best)
            number = self.choose(won, Fraction(index), number)
        return number

    def pointwise(self, meaning: Pointwise, site: Site) -> Callable[[Sequence[Any]], Any]:
        """A scalar op as a function of its arguments."""
        pieces, domain = meaning.pieces(site.params), meaning.domain(site.params)
        whole = meaning.whole

        def value(point: Sequence[Any]) -> Any:
            inside = True if domain == TRUE else self.condition(domain, point)
            if inside is not True:
                self._algebra.require(self._truth(inside))
            return self.pieces(pieces, point) if whole is None else self.term(whole, point)

        return value

    def pieces(self, pieces: Sequence[Piece], point: Sequence[Any]) -> Any:
        """The value of the first piece whose condition holds; the last one needs none."""
        live: list[tuple[Any, Any]] = []
        for number, piece in enumerate(pieces):
            held = True if number == len(pieces) - 1 else self.condition(piece.condition, point)
            if held is False:
                continue
            live.append((held, self.term(piece.term, point)))
            if held is True:
                break
        value = live[-1][1]
        for held, other in reversed(live[:-1]):
            value = self.choose(held, other, value)
        return value

    def term(self, term: Term, point: Sequence[Any]) -> Any:
        """A term at a point."""
        return self._arithmetic.value(term, point)

    def _divide(self, top: Any, low: Any) -> Any:
        if isinstance(low, Fraction) and low:
            return self.times(1 / low, top)
        return self._algebra.divide(self._lift(top), self._lift(low))

    def _floor(self, value: Any) -> Any:
        whole = isinstance(value, Fraction)
        return Fraction(value.__floor__()) if whole else self._algebra.floor(value)

    def _power(self, base: Any, exponent: Any) -> Any:
        if not isinstance(exponent, Fraction):
            raise BeyondError("an exponent that depends on the inputs")
        if exponent.denominator == 1 and isinstance(base, Fraction) and (base or exponent >= 0):
            return Fraction(base ** int(exponent))
        if exponent == 1:
            return base
        return self._algebra.power(self._lift(base), exponent)

    def condition(self, condition: Condition, point: Sequence[Any]) -> Any:
        """A condition at a point: True, False, or one of the language."""
        return formula.joined(
            condition,
            lambda compare: self.compare(self.term(compare.term, point), compare.relation),
            lambda held: self._join(held, every=True),
            lambda held: self._join(held, every=False),
        )

    def _join(self, held: Sequence[Any], *, every: bool) -> Any:
        if any(h is (not every) for h in held):
            return not every
        rest = [h for h in held if not isinstance(h, bool)]
        join = self._algebra.both if every else self._algebra.either
        return join(rest) if rest else every

    def compare(self, value: Any, relation: Relation) -> Any:
        """A comparison with zero; a constant settles it."""
        if not isinstance(value, Fraction):
            return self._algebra.compare(value, relation)
        return (value > 0) - (value < 0) in relation.signs

    def choose(self, condition: Any, value: Any, other: Any) -> Any:
        """A choice; a known condition settles it."""
        if isinstance(condition, bool):
            return value if condition else other
        if value is other:
            return value
        return self._algebra.choose(condition, self._lift(value), self._lift(other))

    def _truth(self, condition: Any) -> Any:
        if condition is False:
            return self._algebra.compare(self._algebra.number(Fraction(1)), Relation.EQ)
        return condition
