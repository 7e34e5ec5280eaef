"""All ways in which the comparisons of a graph may come out near a point, and limits of Jacobians.

The graph is read once more, on germs instead of numbers: where a compared term vanishes at the
point, its sign nearby is open, and both signs are followed.  A combination of signs is left out
only with a proof that it does not occur near the point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations
from math import comb
from typing import Any, TypeAlias

import numpy as np
from flint import fmpq

from tamecheck.derivative.check import terms
from tamecheck.derivative.check.germs import Germ, Space
from tamecheck.derivative.check.proofs import (
    Claim,
    Curve,
    approaches,
    curve_on,
    excludes,
    leading_sign,
    used_by,
)
from tamecheck.evaluate.walk import element_rows, lanes_of, site_of
from tamecheck.exact.arrays import from_list, from_values, objects
from tamecheck.exact.reals import Number, UndecidedError
from tamecheck.ir.formula import And, Compare, Condition, Or, Piece, Term
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Pointwise, Selection
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops import SQRT
from tamecheck.ops.facets import extremum, is_analytic

_MOST_TERMS = 130
_USUAL, _HIGHEST = 4, 6
"""Orders that are tried, the second where the first leaves something open."""

_MOST_WORK = 1_000_000
_SECONDS = 10.0
_TRIES = 40

Finder: TypeAlias = Callable[[Sequence[Germ]], Claim | None]
"""Looks for a proof about functions that are to be positive; what it finds is checked."""


class _TooManyError(Exception):
    """There are more patterns than the limit, or no time is left."""


class _OpenError(Exception):
    """A pattern is open, where this was not to be followed."""


@dataclass(frozen=True, slots=True)
class _Needed(Exception):  # noqa: N818 (a question, not a failure)
    term: Term


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Signs of comparisons, what proves that they occur near the point, and the outputs there."""

    positive: tuple[Germ, ...] = ()
    """The compared terms, each with the sign that makes it positive."""
    signs: tuple[tuple[Any, int], ...] = ()
    """For each, what is equal for its multiples, and the sign of the one with this key."""
    names: tuple[str, ...] = ()
    """The nodes that compare them."""
    curve: Curve | None = None
    """A curve on which all are positive; None where it is open whether there are such points."""
    outputs: tuple[Germ, ...] = ()
    jumped: frozenset[int] = frozenset()
    """The nodes where a function that jumps was decided."""
    known: Mapping[Any, int] = field(default_factory=dict[Any, int], repr=False)
    """The sign for each key."""

    @property
    def matrix(self) -> tuple[tuple[Number, ...], ...]:
        """The limit of the Jacobian at the point."""
        return tuple(germ.gradient for germ in self.outputs)


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """The patterns of signs near a point that are not proved to be absent.

    ``whole`` says whether these are all; otherwise there was no time to go through more.
    """

    patterns: tuple[Pattern, ...]
    whole: bool = True

    @property
    def shown(self) -> tuple[Pattern, ...]:
        """Those that occur: each has a curve."""
        return tuple(pattern for pattern in self.patterns if pattern.curve is not None)

    @property
    def open(self) -> tuple[Pattern, ...]:
        """Those of which it is not known."""
        return tuple(pattern for pattern in self.patterns if pattern.curve is None)

    def jump(self) -> Curve | None:
        """A curve of points at which the function jumps, if one is found.

        Two patterns differ in one sign; on the curve that function is 0, its gradient is not, and
        all others are positive: so both patterns occur arbitrarily near each point of the curve.
        The outputs of the two have different limits there.
        """
        rng = np.random.default_rng(0)
        for first, second in combinations(self.patterns, 2):
            walls = [
                k for k, (key, sign) in enumerate(first.signs) if second.known.get(key) == -sign
            ]
            if first.known.keys() != second.known.keys() or len(walls) != 1:
                continue
            wall = first.positive[walls[0]]
            others = [germ for k, germ in enumerate(first.positive) if k != walls[0]]
            gaps = [a - b for a, b in zip(first.outputs, second.outputs, strict=True)]
            for _ in range(_TRIES):
                curve = curve_on(wall, rng)
                if curve is None:
                    break
                apart = any(leading_sign(curve, gap) != 0 for gap in gaps)
                if apart and approaches(curve, others):
                    return curve
        return None


def read_limits(  # noqa: PLR0913, PLR0917 (a graph, a point, and how far to go)
    graph: Graph,
    point: Mapping[str, Array],
    find: Finder,
    limit: int,
    enough: Callable[[Limits], bool],
    roots: int = 0,
) -> Limits | None:
    """At most ``limit`` patterns of a graph without expansions; None if it is not read.

    ``enough`` says whether derivatives of higher order are not needed.  So many ``roots`` of sums
    of squares that vanish are variables of their own.
    """
    size = roots + sum(size_of(shape) for shape in graph.inputs.values())
    if _work(graph) * (size + 1) > _MOST_WORK:
        return None
    deadline = time.process_time() + _SECONDS
    highest = max(
        (k for k in range(1, _HIGHEST + 1) if comb(size + k, k) <= _MOST_TERMS), default=1
    )
    found: Limits | None = None
    if roots and highest < 2:
        return None
    orders = (2, min(3, highest), highest) if roots else (1, min(_USUAL, highest), highest)
    for order in dict.fromkeys(orders):
        strict = order == 1 < highest
        reading = _Reading(graph, point, order, find, limit, deadline, roots, strict=strict)
        seen: list[Pattern] = []
        try:
            seen.extend(reading.patterns())
        except _OpenError:
            continue
        except _TooManyError:
            return found or Limits(tuple(seen), whole=False)
        except (terms.UnreadError, UndecidedError):
            return found
        found = Limits(tuple(seen))
        if enough(found):
            break
    return found


def _work(graph: Graph) -> int:
    """The number of products that one reading takes, about."""
    total = 0
    for index in graph.ancestors(graph.output_nodes):
        node, inner = graph.nodes[index], 1
        if isinstance(node, Apply) and isinstance(node.op.meaning, Contraction):
            inner = graph.nodes[node.args[0]].shape[-1]
        total += size_of(node.shape) * inner
    return total


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """A graph without expansions at a point, read on germs up to an order."""

    graph: Graph
    point: Mapping[str, Array]
    order: int
    find: Finder
    limit: int
    deadline: float
    roots: int = 0
    strict: bool = False
    """Whether to stop where it is open if a pattern occurs."""
    absent: list[frozenset[tuple[Any, int]]] = field(default_factory=list[frozenset[Any]])
    """Combinations of signs that are proved to be absent; more are found."""

    def patterns(self) -> Iterator[Pattern]:
        """All patterns that are not proved to be absent near the point."""
        size = sum(size_of(shape) for shape in self.graph.inputs.values())
        space = Space(size + self.roots, self.order, size if self.roots else -1)
        values: dict[int, Array] = {}
        start = 0
        for index, node in enumerate(self.graph.nodes):
            if isinstance(node, Input):
                flat = objects(self.point[node.name]).reshape(-1).tolist()
                germs = [space.variable(start + k, value) for k, value in enumerate(flat)]
                values[index] = from_list(node.shape, germs)
                start += len(flat)
            elif isinstance(node, Constant):
                flat = objects(from_values(node.tensor.array)).reshape(-1).tolist()
                values[index] = from_list(node.shape, [space.constant(v) for v in flat])
        order = self._order()
        # a direction without small integer relations, with which the first splits are settled
        generic = Curve((tuple(fmpq(97 + 31 * k * k, 61 + 17 * k) for k in range(space.size)),))
        for number, pattern in enumerate(self._from(order, values, Pattern(curve=generic))):
            if number == self.limit:
                raise _TooManyError
            yield pattern

    def _order(self) -> list[int]:
        """The nodes in order, first those that no comparison decides, which are read once."""
        nodes = self.graph.nodes
        smooth = [not isinstance(node, Apply) for node in nodes]
        for index, node in enumerate(nodes):
            if isinstance(node, Apply) and all(smooth[arg] for arg in node.args):
                smooth[index] = is_analytic(node.op, node.params) or node.op is SQRT
        return sorted((i for i, _ in self.graph.applied()), key=lambda index: not smooth[index])

    def _from(
        self, order: Sequence[int], values: Mapping[int, Array], pattern: Pattern
    ) -> Iterator[Pattern]:
        known = dict(values)
        for position, index in enumerate(order):
            if time.process_time() > self.deadline:
                raise _TooManyError
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
            raise terms.UnreadError
        yield replace(pattern, outputs=tuple(flat))

    def _node(
        self, index: int, known: Mapping[int, Array], pattern: Pattern
    ) -> Iterator[tuple[Array, Pattern]]:
        node = self.graph.nodes[index]
        if not isinstance(node, Apply):
            raise terms.UnreadError
        args = [known[arg] for arg in node.args]
        match node.op.meaning:
            case Pointwise() as meaning:
                whole = None if meaning.whole is None else (Piece(And(()), meaning.whole),)
                pieces = whole or meaning.pieces(node.params)
                rows = list(element_rows(args, node.shape))
                for germs, after in self._elements(index, pieces, rows, pattern):
                    yield from_list(node.shape, germs), after
            case _ if extremum(node.op):
                places = isinstance(node.op.meaning, Selection)
                lanes = lanes_of(node.op, args[0], node.params).tolist()
                for won, after in self._winners(index, node, lanes, pattern):
                    germs = [
                        lane[0].space.constant(fmpq(k)) if places else lane[k]
                        for lane, k in zip(lanes, won, strict=True)
                    ]
                    yield from_list(node.shape, germs), after
            case _:
                yield terms.plain_value(site_of(self.graph, index, node), args), pattern

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
            value = terms.term_germ(_first(pieces, signs).term, args, signs)
        except terms.NotAnalyticError:
            # without influence where another branch is selected
            yield Germ(args[0].space, {}, lost=True), pattern
            return
        except terms.FloorAt as open_:
            asked, germ = open_.term, open_.germ
        except _Needed as open_:
            asked = open_.term
            try:
                germ = terms.term_germ(asked, args, signs)
            except terms.NotAnalyticError:
                raise terms.UnreadError from None
            except terms.FloorAt as inner:
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
        sign, last = extremum(node.op), bool(node.params.get("last", False))

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
        # a germ that may vanish everywhere nearby has a third sign
        for chosen in (1, -1) if germ.terms else (1, -1, 0):
            # nothing follows from a sign 0 here, neither a curve nor a contradiction
            signed = Germ(germ.space, {}, lost=True) if chosen == 0 else germ.scaled(fmpq(chosen))
            positive = (*pattern.positive, signed)
            signs = (*pattern.signs, (key, scale * chosen))
            if along != chosen and any(core <= set(signs) for core in self.absent):
                continue
            claim: Claim | None = curve if along == chosen else self.find(positive)
            if claim is not None and not isinstance(claim, Curve) and excludes(claim, positive):
                self.absent.append(frozenset(signs[k] for k in used_by(claim)))
                continue
            shown = claim if isinstance(claim, Curve) and approaches(claim, positive) else None
            if self.strict and shown is None:
                raise _OpenError
            names = (*pattern.names, self.graph.name_of(index))
            yield (
                chosen,
                Pattern(positive, signs, names, shown, (), pattern.jumped, known=dict(signs)),
            )


def _line(germ: Germ) -> tuple[Any, int]:
    """A key that is equal for multiples of a germ, and the sign of the factor."""
    if germ.rest or not germ.rational:
        return germ.key, 1
    first = germ.terms[min(germ.terms)] if germ.terms else next(iter(germ.tails.values()))
    return germ.scaled(1 / first).key, 1 if first > 0 else -1


def _first(pieces: Sequence[Piece], signs: Mapping[Term, int]) -> Piece:
    """The first piece that holds.

    Raises `_Needed` if that depends on the sign of another term.
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
    raise terms.UnreadError
