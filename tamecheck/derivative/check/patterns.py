"""All ways in which the comparisons of a graph may come out near a point.

The graph is read once more, on germs instead of numbers: where a compared term vanishes at the
point, its sign nearby is open, and both signs are followed.  A combination of signs is left out
only with a proof that it does not occur near the point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from flint import fmpq

from tamecheck.derivative.check.germs import Germ, Space
from tamecheck.derivative.check.proofs import (
    Claim,
    Curve,
    approaches,
    excludes,
    leading_sign,
    used_by,
)
from tamecheck.derivative.check.terms import (
    FloorAt,
    NotAnalyticError,
    UnreadError,
    germ_array,
    plain_value,
    term_germ,
)
from tamecheck.evaluate.walk import axis_last, folded_first, site_of
from tamecheck.exact.arrays import from_values, objects
from tamecheck.exact.reals import Number
from tamecheck.ir.formula import And, Compare, Condition, Or, Piece, Term
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Fold, Pointwise, Selection
from tamecheck.ir.tensor import Array, size_of

__all__ = ["Finder", "OpenError", "Pattern", "Reading", "TooManyError", "UnreadError"]

Finder: TypeAlias = Callable[[Sequence[Germ]], Claim | None]
"""Looks for a proof about functions that are to be positive; what it finds is checked."""


class TooManyError(Exception):
    """There are more patterns than the limit, or no time is left."""


class OpenError(Exception):
    """A pattern is open, where this was not to be followed."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Signs of comparisons, what proves that they occur near the point, and the outputs there.

    Parameters
    ----------
    positive
        The compared terms, each with the sign that makes it positive.
    signs
        For each, what is equal for its multiples, and the sign of the one with this key.
    names
        The nodes that compare them.
    curve
        A curve on which all are positive; None where it is open whether there are such points.
    outputs
        All output elements.
    jumped
        The nodes where a function that jumps was decided.
    known
        The sign for each key.
    """

    positive: tuple[Germ, ...] = ()
    signs: tuple[tuple[Any, int], ...] = ()
    names: tuple[str, ...] = ()
    curve: Curve | None = None
    outputs: tuple[Germ, ...] = ()
    jumped: frozenset[int] = frozenset()
    known: Mapping[Any, int] = field(default_factory=dict[Any, int], repr=False)

    @property
    def matrix(self) -> tuple[tuple[Number, ...], ...]:
        """The limit of the Jacobian at the point."""
        return tuple(germ.gradient for germ in self.outputs)


@dataclass(frozen=True, slots=True)
class _Needed(Exception):  # noqa: N818 (a question, not a failure)
    term: Term


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A graph without expansions at a point, read on germs.

    Parameters
    ----------
    graph, point
        The function, and the values of all inputs.
    order
        The order up to which germs are known.
    find
        Looks for proofs.
    limit
        The largest number of patterns.
    deadline
        The time at which it gives up.
    strict
        Whether to stop where it is open if a pattern occurs.
    absent
        Combinations of signs that are proved to be absent; more are found.
    """

    graph: Graph
    point: Mapping[str, Array]
    order: int
    find: Finder
    limit: int
    deadline: float
    strict: bool = False
    absent: list[frozenset[tuple[Any, int]]] = field(default_factory=list[frozenset[Any]])

    def patterns(self) -> Iterator[Pattern]:
        """All patterns that are not proved to be absent near the point.

        Raises
        ------
        TooManyError
            If there are more than the limit.
        OpenError
            If it is open whether a pattern occurs, and that is not to be followed.
        UnreadError
            If an op has no Taylor series at the point.
        UndecidedError
            If balls do not tell a sign.
        """
        space = Space(sum(size_of(shape) for shape in self.graph.inputs.values()), self.order)
        values: dict[int, Array] = {}
        start = 0
        for index, node in enumerate(self.graph.nodes):
            if isinstance(node, Input):
                flat = objects(self.point[node.name]).reshape(-1).tolist()
                germs = [space.variable(start + k, value) for k, value in enumerate(flat)]
                values[index] = germ_array(germs, node.shape)
                start += len(flat)
            elif isinstance(node, Constant):
                flat = objects(from_values(node.tensor.array)).reshape(-1).tolist()
                values[index] = germ_array([space.constant(v) for v in flat], node.shape)
        roots = [node for _, node in self.graph.outputs]
        order = [i for i in self.graph.ancestors(roots) if isinstance(self.graph.nodes[i], Apply)]
        # a direction without small integer relations, with which the first splits are settled
        generic = Curve((tuple(fmpq(97 + 31 * k * k, 61 + 17 * k) for k in range(space.size)),))
        for number, pattern in enumerate(self._from(order, values, Pattern(curve=generic))):
            if number == self.limit:
                raise TooManyError
            yield pattern

    def _from(
        self, order: Sequence[int], values: Mapping[int, Array], pattern: Pattern
    ) -> Iterator[Pattern]:
        known = dict(values)
        for position, index in enumerate(order):
            if time.process_time() > self.deadline:
                raise TooManyError
            ways = self._node(index, known, pattern)
            first, second = next(ways, None), next(ways, None)
            if first is None:
                return
            if second is not None:
                for value, after in chain((first, second), ways):
                    yield from self._from(order[position + 1 :], {**known, index: value}, after)
                return
            known[index], pattern = first
        flat = [germ for _, node in self.graph.outputs for germ in known[node].reshape(-1).tolist()]
        if any(germ.lost for germ in flat):
            raise UnreadError
        yield replace(pattern, outputs=tuple(flat))

    def _node(
        self, index: int, known: Mapping[int, Array], pattern: Pattern
    ) -> Iterator[tuple[Array, Pattern]]:
        node = self.graph.nodes[index]
        if not isinstance(node, Apply):
            raise UnreadError
        args = [known[arg] for arg in node.args]
        match node.op.meaning:
            case Pointwise() as meaning:
                whole = None if meaning.whole is None else (Piece(And(()), meaning.whole),)
                pieces = whole or meaning.pieces(node.params)
                rows = list(
                    zip(
                        *(np.broadcast_to(arg, node.shape).reshape(-1).tolist() for arg in args),
                        strict=True,
                    )
                )
                for germs, after in self._elements(index, pieces, rows, pattern):
                    yield germ_array(germs, node.shape), after
            case Fold(name) if name in ("maximum", "minimum"):
                groups = folded_first(args[0], node.params)
                lanes = groups.reshape(len(groups), -1).T.tolist()
                for picked, after in self._winners(index, node, lanes, pattern):
                    germs = [lane[k] for lane, k in zip(lanes, picked, strict=True)]
                    yield germ_array(germs, node.shape), after
            case Selection() if node.op.name in ("argmax", "argmin"):
                lanes = axis_last(args[0], node.params).tolist()
                for picked, after in self._winners(index, node, lanes, pattern):
                    space = lanes[0][0].space
                    yield germ_array([space.constant(fmpq(k)) for k in picked], node.shape), after
            case _:
                yield plain_value(site_of(self.graph, index, node), args), pattern

    def _elements(
        self, index: int, pieces: Sequence[Piece], rows: Sequence[tuple[Germ, ...]], start: Pattern
    ) -> Iterator[tuple[list[Germ], Pattern]]:
        """The values of all elements, for each way in which their comparisons come out."""

        def after(number: int, done: list[Germ], pattern: Pattern) -> Any:
            values = list(done)
            for position in range(number, len(rows)):
                ways = list(self._element(index, pieces, rows[position], pattern, {}))
                if len(ways) != 1:
                    for value, following in ways:
                        yield from after(position + 1, [*values, value], following)
                    return
                value, pattern = ways[0]
                values.append(value)
            yield values, pattern

        yield from after(0, [], start)

    def _element(
        self,
        index: int,
        pieces: Sequence[Piece],
        args: tuple[Germ, ...],
        pattern: Pattern,
        signs: Mapping[Term, int],
    ) -> Iterator[tuple[Germ, Pattern]]:
        asked: Term
        try:
            value = term_germ(_first(pieces, signs).term, args, signs)
        except NotAnalyticError:
            # without influence where another branch is selected
            yield Germ(args[0].space, {}, lost=True), pattern
            return
        except FloorAt as open_:
            asked, germ = open_.term, open_.germ
        except _Needed as open_:
            asked = open_.term
            try:
                germ = term_germ(asked, args, signs)
            except NotAnalyticError:
                raise UnreadError from None
            except FloorAt as inner:
                asked, germ = inner.term, inner.germ
        else:
            yield value, pattern
            return
        for sign, after in self._signs(index, germ, pattern):
            yield from self._element(index, pieces, args, after, {**signs, asked: sign})

    def _winners(
        self, index: int, node: Apply, lanes: Sequence[Sequence[Germ]], start: Pattern
    ) -> Iterator[tuple[list[int], Pattern]]:
        """The places of the best elements, the first or last of those that are equal nearby."""
        sign = 1 if node.op.name in ("reduce_max", "argmax") else -1
        last = bool(node.params.get("last", False))

        def best(lane: Sequence[Germ], k: int, won: int, pattern: Pattern) -> Any:
            if k == len(lane):
                yield won, pattern
                return
            for ahead, after in self._signs(index, lane[k] - lane[won], pattern):
                wins = sign * ahead > 0 or (last and ahead == 0)
                yield from best(lane, k + 1, k if wins else won, after)

        def after(number: int, done: list[int], pattern: Pattern) -> Any:
            if number == len(lanes):
                yield done, pattern
                return
            for won, following in best(lanes[number], 1, 0, pattern):
                yield from after(number + 1, [*done, won], following)

        yield from after(0, [], start)

    def _signs(self, index: int, germ: Germ, pattern: Pattern) -> Iterator[tuple[int, Pattern]]:
        """The signs that a germ may have near the point, given those that others have."""
        germ = germ.decisive
        sign = germ.sign
        if sign or germ.zero:
            yield sign, pattern
            return
        key, scale = _line(germ)
        if key in pattern.known:
            yield scale * pattern.known[key], pattern
            return
        node = self.graph.nodes[index]
        if isinstance(node, Apply) and not node.op.regularity.continuous:
            pattern = replace(pattern, jumped=pattern.jumped | {index})
        curve = pattern.curve
        along = 0 if curve is None else leading_sign(curve, germ)
        name = self.graph.name_of(index)
        # a germ that may vanish everywhere nearby has a third sign
        for chosen in (1, -1) if germ.terms else (1, -1, 0):
            # nothing follows from a sign 0 here, neither a curve nor a contradiction
            signed = Germ(germ.space, {}, lost=True) if chosen == 0 else germ.scaled(fmpq(chosen))
            positive = (*pattern.positive, signed)
            signs = [*pattern.signs, (key, scale * chosen)]
            if along != chosen and any(core <= set(signs) for core in self.absent):
                continue
            claim: Claim | None = curve if along == chosen else self.find(positive)
            if claim is not None and not isinstance(claim, Curve) and excludes(claim, positive):
                self.absent.append(frozenset(signs[k] for k in used_by(claim)))
                continue
            shown = isinstance(claim, Curve) and approaches(claim, positive)
            if self.strict and not shown:
                raise OpenError
            yield (
                chosen,
                replace(
                    pattern,
                    positive=positive,
                    signs=tuple(signs),
                    names=(*pattern.names, name),
                    curve=claim if shown and isinstance(claim, Curve) else None,
                    known=dict(signs),
                ),
            )


def _line(germ: Germ) -> tuple[Any, int]:
    """A key that is equal for multiples of a germ, and the sign of the factor."""
    if germ.rest or not germ.rational:
        return germ.key, 1
    lead = germ.terms[min(germ.terms)] if germ.terms else next(iter(germ.tails.values()))
    return germ.scaled(1 / lead).key, 1 if lead > 0 else -1


def _first(pieces: Sequence[Piece], signs: Mapping[Term, int]) -> Piece:
    """The first piece that holds.

    Raises
    ------
    _Needed
        If that depends on the sign of another term.
    """

    def held(condition: Condition) -> bool:
        match condition:
            case Compare(term, relation):
                if term not in signs:
                    raise _Needed(term)
                return signs[term] in relation.signs
            case And(parts):
                return all(held(part) for part in parts)
            case Or(parts):
                return any(held(part) for part in parts)

    for piece in pieces:
        if held(piece.condition):
            return piece
    raise UnreadError
