"""Steps on affine forms: what each op of a piecewise linear graph does, and what it decides.

A step that decides divides the inputs by the signs, the order or the integer parts of some forms;
on a part where its decisions are the same it is affine like the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from tamecheck.cells.forms import Forms, Known, NonlinearError
from tamecheck.evaluate.exact_terms import rational_pieces
from tamecheck.evaluate.float_terms import where
from tamecheck.evaluate.selection import gather_index
from tamecheck.evaluate.walk import Site
from tamecheck.exact.reals import as_fraction
from tamecheck.ir import formula
from tamecheck.ir.arithmetic import Arithmetic, MissingError
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.facets import compared

INPUTS = -1
"""The number that stands for the forms of all inputs, in one row."""

NONE = np.zeros((1, 0), dtype=np.int8)
"""The decisions of a step that decides nothing."""


@dataclass(frozen=True, slots=True)
class Step(ABC):
    """An op on forms; ``args`` are the nodes that it reads."""

    args: tuple[int, ...]

    @abstractmethod
    def value(self, args: Sequence[Forms], decided: Array) -> Forms:
        """The value on cells.

        There is a row of decisions for each cell; the arguments have one entry a cell, or one for
        all.
        """


@dataclass(frozen=True, slots=True)
class Fixed(Step):
    """A tensor that does not depend on the inputs."""

    known: Known

    def value(self, args: Sequence[Forms], decided: Array) -> Forms:
        """See `Step`."""
        del decided
        return args[0].known(self.known)


@dataclass(frozen=True, slots=True)
class Move(Step):
    """Elements at flat positions of all arguments in one row; the last position is ``filler``."""

    index: Array
    filler: Fraction = Fraction(0)

    def value(self, args: Sequence[Forms], decided: Array) -> Forms:
        """See `Step`."""
        del decided
        last = int(self.index.max(initial=-1))
        if len(args) == 1 and last < size_of(args[0].shape):
            return args[0].take(self.index)
        return args[0].join([*args[1:], args[0].constant(self.filler)]).take(self.index)


@dataclass(frozen=True, slots=True)
class Product(Step):
    """A matrix product with a constant."""

    known: Known
    left: bool

    def value(self, args: Sequence[Forms], decided: Array) -> Forms:
        """See `Step`."""
        del decided
        return args[0].matmul(self.known, left=self.left)


@dataclass(frozen=True, slots=True)
class Total(Step):
    """A sum over axes."""

    axes: tuple[int, ...]
    keepdims: bool

    def value(self, args: Sequence[Forms], decided: Array) -> Forms:
        """See `Step`."""
        del decided
        return args[0].total(self.axes, keepdims=self.keepdims)


@dataclass(frozen=True, slots=True)
class Pieces(Step):
    """A pointwise op: the signs of the compared terms choose the piece."""

    pieces: tuple[formula.Piece, ...]
    terms: tuple[formula.Term, ...]
    shape: Shape
    jump: bool

    def questions(self, args: Sequence[Forms]) -> Forms:
        """The forms, in one row, on whose values the step decides."""
        wide = [arg.padded(len(self.shape)) for arg in args]
        rows = [_affine(term, wide).flat(self.shape) for term in self.terms]
        return rows[0].join(rows[1:])

    def value(self, args: Sequence[Forms], decided: Array) -> Forms:
        """See `Step`."""
        cells, shape = len(decided), self.shape
        wide = [arg.padded(len(shape)) for arg in args]
        stacked = decided.reshape((cells, len(self.terms), *shape))
        signs = [stacked[:, number] for number in range(len(self.terms))]
        parts = [_affine(piece.term, wide) for piece in self.pieces]
        if len(parts) == 1 and not signs and parts[0].shape == shape:
            return parts[0]
        tail = (cells, *shape)
        held = [_holds(piece.condition, self.terms, signs) for piece in self.pieces]
        return parts[0].choose([np.broadcast_to(mask, tail) for mask in held], parts, shape)

    def zero_joins(self, number: int) -> int | None:
        """The sign, 1 or -1, that counts like 0 in decision ``number``, if one does."""
        term = self.terms[number // size_of(self.shape)]
        return next((s for s in (1, -1) if _same_as_zero(self.pieces, term, s)), None)


@dataclass(frozen=True, slots=True)
class Comparing(Step):
    """What compares the elements of each row of flat positions."""

    groups: Array

    def questions(self, args: Sequence[Forms]) -> Forms:
        """The forms, in one row, on whose values the step decides."""
        return args[0].take(self.groups.reshape(-1))


@dataclass(frozen=True, slots=True)
class Extreme(Comparing):
    """The largest or smallest of each row, or the number of it in its row."""

    shape: Shape
    largest: bool
    last: bool
    index: bool

    def value(self, args: Sequence[Forms], decided: Array) -> Forms:
        """See `Step`."""
        if self.index:
            return args[0].integers(decided.reshape((len(decided), *self.shape)))
        return args[0].pick(self.groups[np.arange(len(self.groups)), decided], self.shape)


@dataclass(frozen=True, slots=True)
class Round(Step):
    """Rounding to integers; ``offset`` is that of the jumps, 0 or 1/2."""

    name: str
    pieces: tuple[formula.Piece, ...]
    offset: Fraction

    def questions(self, args: Sequence[Forms]) -> Forms:
        """The forms, in one row, on whose values the step decides."""
        return args[0].flat(args[0].shape)

    def value(self, args: Sequence[Forms], decided: Array) -> Forms:
        """See `Step`."""
        return args[0].integers(decided.reshape((len(decided), *args[0].shape)))

    def integer_at(self, value: object) -> int:
        """The integer to which a rational is rounded."""
        array: Array = np.empty(1, dtype=object)
        array[0] = value
        return int(as_fraction(rational_pieces(self.pieces, [array])[0]))


@dataclass(frozen=True, slots=True)
class Order(Comparing):
    """The indices that sort each row; the result is moved by ``back``."""

    pairs: tuple[tuple[int, int], ...]
    descending: bool
    back: Array

    def value(self, args: Sequence[Forms], decided: Array) -> Forms:
        """The stable permutation from the signs of all differences ``x_i - x_j``, i < j."""
        signs = decided.reshape((len(decided), len(self.groups), len(self.pairs)))
        before = np.zeros((*signs.shape[:2], self.groups.shape[1]), dtype=np.int64)
        for number, (i, j) in enumerate(self.pairs):
            later = signs[:, :, number] < 0 if self.descending else signs[:, :, number] > 0
            before[:, :, i] += later
            before[:, :, j] += ~later
        ranks = np.argsort(before, axis=2, kind="stable")
        return args[0].integers(ranks.reshape(len(decided), -1)[:, self.back])


@dataclass(frozen=True, slots=True)
class Pick(Step):
    """Indexing by indices that are constant on every cell: the first argument by the second."""

    site: Site
    data_shape: Shape

    def questions(self, args: Sequence[Forms]) -> Forms:
        """The forms, in one row, on whose values the step decides."""
        return args[1].flat(args[1].shape)

    def value(self, args: Sequence[Forms], decided: Array) -> Forms:
        """See `Step`."""
        indices = decided.reshape((len(decided), *args[1].shape))
        rows = [gather_index(self.site, self.data_shape, one).reshape(-1) for one in indices]
        return args[0].pick(np.array(rows, dtype=np.int64), self.site.shape)


Deciding: TypeAlias = Pieces | Extreme | Round | Order | Pick


def deciding(step: Step) -> Deciding | None:
    """The step, if it divides cells."""
    if isinstance(step, Pieces):
        return step if step.terms else None
    return step if isinstance(step, Extreme | Round | Order | Pick) else None


def _affine(term: formula.Term, args: Sequence[Forms]) -> Forms:
    """The form of a term of forms; `NonlinearError` unless it is affine in what varies."""
    arithmetic: Arithmetic[Forms] = Arithmetic(
        constant=args[0].constant,
        add=lambda left, right: left.plus(right),
        multiply=lambda left, right: left.times(right),
        divide=lambda left, right: left.over(right),
        scale=lambda form, factor: form.scale(factor),
    )
    try:
        return arithmetic.value(term, args)
    except MissingError:
        raise NonlinearError from None


def _opposite(term: formula.Term) -> formula.Term | None:
    match term:
        case formula.Mul(formula.Const(factor), rest) if factor == -1:
            return rest
        case formula.Add(left, formula.Mul(formula.Const(factor), right)) if (
            factor == -1 and isinstance(left, formula.Var | formula.Const)
        ):
            return formula.Add(right, formula.Mul(formula.Const(Fraction(-1)), left))
        case _:
            return None


def compared_terms(pieces: Sequence[formula.Piece]) -> tuple[formula.Term, ...]:
    """The terms that the pieces' conditions compare with zero, each once up to its sign."""
    found: list[formula.Term] = []
    for piece in pieces:
        for term in compared(piece.condition):
            if term not in found and _opposite(term) not in found:
                found.append(term)
    return tuple(found)


def _same_as_zero(pieces: Sequence[formula.Piece], term: formula.Term, sign: int) -> bool:
    """Whether no comparison of a term tells a sign of it from 0."""
    return all(
        (0 in relation.signs) == (turn * sign in relation.signs)
        for piece in pieces
        for other, relation in (
            (c.term, c.relation) for c in formula.comparisons_in(piece.condition)
        )
        if (turn := 1 if other == term else -1 if _opposite(other) == term else 0)
    )


def _holds(
    condition: formula.Condition, terms: Sequence[formula.Term], signs: Sequence[Array]
) -> Array:
    """Where a condition holds, given the signs of the compared terms."""

    def held(comparison: formula.Compare) -> Array:
        term, relation = comparison.term, comparison.relation
        known = term if term in terms else _opposite(term)
        if known is None:
            raise NonlinearError
        turn = 1 if term in terms else -1
        # the entry -1 of a table is its last one
        table = np.array([turn * sign in relation.signs for sign in (0, 1, -1)])
        return table[signs[terms.index(known)]]

    found = where(condition, held)
    return np.broadcast_to(found, signs[0].shape) if signs else found
