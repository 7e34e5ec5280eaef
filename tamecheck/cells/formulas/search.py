"""The search for cells: at a point all kinks are decided, and each decision is reversed in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, fmpq

from tamecheck.budget import Budget
from tamecheck.cells.formulas import emptiness
from tamecheck.cells.formulas.expressions import Expression, Key, Space, value_at
from tamecheck.cells.formulas.result import FormulaCell, FormulaCells, SignCondition
from tamecheck.cells.slices import Slice, slice_of_box
from tamecheck.encode.unrolling import Algebra, unroll
from tamecheck.errors import InputError
from tamecheck.exact.reals import Number, UndecidedError, as_fraction, working_precision
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array

FORMULA_LIMIT = 2_000
"""Cells after which the search stops, unless another limit is given."""

_MOST_COORDINATES = 8
_MOVES = 24
_BITS = 512


def formula_cells(  # noqa: PLR0913 (what `cells` takes, and a seed)
    graph: Graph,
    box: Box | None,
    *,
    slice_: Slice | None = None,
    limit: int = FORMULA_LIMIT,
    timeout: float | None = None,
    seed: int = 0,
) -> FormulaCells:
    """The cells on which a function has one formula without kinks and jumps.

    At a rational point the signs on which the function's branches depend are decided in order, by
    rationals or by balls of 512 bits.  Each prefix of them with the last one reversed is a set of
    conditions that no cell so far satisfies: it is proved to be empty by an exact linear program
    (affine conditions) or by halving the box (enclosures in balls), or a point in it is proved,
    or it is left as undecided.

    Raises `UnsupportedError`, listing the nodes that have no formula; `InputError` if there is no
    bounded box, or more than eight coordinates vary.

    Parameters
    ----------
    box
        Bounds for all inputs; those it fixes are constants.
    slice_
        Coordinates in place of a box.
    limit
        Stop after so many cells.
    timeout
        Seconds.
    seed
        Of the points that are tried first.

    Notes
    -----
    Takes time in the number of cells times the number of decisions on the way to each.
    """
    if slice_ is None:
        if box is None:
            raise InputError("Cells need a box.", hint="Give --box -1:1, say.")
        slice_ = slice_of_box(graph.inputs, box)
    if len(slice_.names) > _MOST_COORDINATES:
        raise InputError(
            f"Cells with formulas have at most {_MOST_COORDINATES} coordinates, "
            f"not {len(slice_.names)}.",
            hint="Fix the other inputs: give a slice, or a box with sides such as x[3]=1/2.",
        )
    budget = Budget.of(timeout)
    if any(low == high for low, high in slice_.bounds):
        raise InputError("A coordinate of the slice has an interval of width 0.")
    search = _Search(graph, slice_, emptiness.Domain.of(slice_.bounds, seed=seed, budget=budget))
    cells: list[FormulaCell] = []
    finished = True
    for cell in search.run():
        if len(cells) == limit or budget.is_spent:
            finished = False
            break
        if cell is not None:
            cells.append(cell)
    undecided = tuple(search.conditions(decisions) for decisions in search.undecided)
    outputs = {name: graph.nodes[node].shape for name, node in graph.outputs}
    return FormulaCells(tuple(cells), outputs, slice_, undecided, finished)


@dataclass(frozen=True, slots=True, eq=False)
class _Prefix:
    """Decisions, and by how much all of them hold at the domain's points."""

    decisions: tuple[emptiness.Decision, ...]
    margin: Array


class _OnBoundaryError(Exception):
    """The point is on a boundary, or too near to one to be told from it."""


class _OutsideDomainError(Exception):
    """The function has no value at the point."""


class _Guide:
    """The language of formulas near a point: what has one sign on the whole box is no decision.

    The decisions that are given hold at the point; they are the first ones of the trail.  The signs
    on the box that are known so far are ``fixed``; it grows.
    """

    def __init__(
        self,
        space: Space,
        point: Sequence[fmpq],
        box: Sequence[Number],
        decided: Sequence[emptiness.Decision],
        fixed: dict[Key, int | None],
    ) -> None:
        self._space = space
        self._point = point
        self._box = box
        self._fixed = fixed
        self._signs: dict[Key, int] = {}
        self.trail: list[emptiness.Decision] = []
        for expression, sign in decided:
            self._decide(expression, sign)

    @property
    def algebra(self) -> Algebra:
        """The language."""
        space = self._space
        return Algebra(
            number=space.constant,
            add=space.total,
            multiply=space.product,
            divide=space.quotient,
            power=space.power,
            floor=self._floor,
            call=space.call,
            compare=lambda value, relation: self._sign(value) in relation.signs,
            both=all,
            either=any,
            choose=lambda condition, value, other: value if condition else other,
            require=self._require,
        )

    def _floor(self, value: Expression) -> Expression:
        """The integer at the point; that the value is between it and the next is decided."""
        with working_precision(_BITS):
            try:
                here = value_at(value, self._point, {})
            except UndecidedError:
                raise _OnBoundaryError from None
        low = int(arb(here).lower().floor().fmpz())
        if self._sign(value.shift(fmpq(-low))) < 0 or self._sign(value.shift(fmpq(-low - 1))) > 0:
            raise _OnBoundaryError
        return self._space.constant(Fraction(low))

    def _require(self, condition: bool) -> None:  # noqa: FBT001 (as the language has it)
        if not condition:
            raise _OutsideDomainError

    def _sign(self, value: Expression) -> int:
        """The sign at the point; a new one is a decision, unless it is that on the whole box."""
        if not value.moving:
            found = emptiness.sign_at(value, self._point)
            if found is None:
                raise _OnBoundaryError
            return found
        key = value.key
        if key not in self._fixed:
            self._fixed[key] = emptiness.sign_on(value, self._box, {})
        found = self._fixed[key] or self._signs.get(key)
        if found is None:
            found = emptiness.sign_at(value, self._point)
            if not found:
                raise _OnBoundaryError
            self._decide(value, found)
        return found

    def _decide(self, value: Expression, sign: int) -> None:
        self._signs[value.key], self._signs[value.times(fmpq(-1)).key] = sign, -sign
        self.trail.append((value, sign))


class _Search:
    """The decisions still to be looked into, and those that stayed open."""

    def __init__(self, graph: Graph, slice_: Slice, domain: emptiness.Domain) -> None:
        self._graph = graph
        self._names = slice_.names
        self._domain = domain
        self._space = Space(len(slice_.names))
        self._inputs = self._coordinates(slice_)
        self._box = emptiness.ball_box(domain.bounds)
        self._fixed: dict[Key, int | None] = {}
        self.undecided: list[tuple[emptiness.Decision, ...]] = []

    def run(self) -> Iterator[FormulaCell | None]:
        """Cell after cell; None after a step that found none."""
        stack = [_Prefix((), np.full(len(self._domain.points), np.inf))]
        while stack:
            prefix = stack.pop()
            found = self._domain.decide(prefix.decisions, prefix.margin)
            if found == "empty":
                yield None
                continue
            traced = None if found == "open" else self._trace(prefix, found)
            if traced is None:
                self.undecided.append(prefix.decisions)
                yield None
                continue
            point, trail, values = traced
            stack += reversed(self._reverse(prefix, trail))
            yield None if values is None else self._cell(point, trail, values)

    def _coordinates(self, slice_: Slice) -> dict[str, Array]:
        rows = zip(slice_.matrix, slice_.origin, strict=True)
        elements = [self._space.coordinate(r, last) if any(r) else last for r, last in rows]
        return self._graph.split(elements)

    def _trace(
        self, prefix: _Prefix, start: emptiness.Point
    ) -> tuple[emptiness.Point, list[emptiness.Decision], list[Expression] | None] | None:
        """A point, all decisions and the outputs there; None if it stays on a boundary."""
        for point in self._near(prefix, start):
            guide = _Guide(self._space, point, self._box, prefix.decisions, self._fixed)
            try:
                outputs = unroll(self._graph, guide.algebra, self._inputs)
            except _OnBoundaryError:
                continue
            except _OutsideDomainError:
                return point, guide.trail, None
            values = [value for array in outputs.values() for value in array.reshape(-1).tolist()]
            return point, guide.trail, values
        return None

    def _near(self, prefix: _Prefix, start: emptiness.Point) -> Iterator[emptiness.Point]:
        """The point itself, and others beside it at which the decisions hold."""
        yield start
        for move, other in enumerate(self._domain.exact[:_MOVES]):
            share = fmpq(1, 2 ** (2 + move))
            point = tuple(a + share * (b - a) for a, b in zip(start, other, strict=True))
            if self._domain.holds(prefix.decisions, point):
                yield point

    def _reverse(self, prefix: _Prefix, trail: Sequence[emptiness.Decision]) -> list[_Prefix]:
        """The trail up to each of its new decisions, with that one reversed."""
        found: list[_Prefix] = []
        margin = prefix.margin
        for number in range(len(prefix.decisions), len(trail)):
            expression, sign = trail[number]
            own = self._domain.margins((expression, sign))
            opposite = (expression, -sign)
            against = np.minimum(margin, self._domain.margins(opposite))
            found.append(_Prefix((*trail[:number], opposite), against))
            margin = np.minimum(margin, own)
        return found

    def _cell(
        self,
        point: emptiness.Point,
        trail: Sequence[emptiness.Decision],
        values: Sequence[Expression],
    ) -> FormulaCell:
        conditions = self.conditions(emptiness.essential(trail, self._domain))
        exact = tuple(as_fraction(x) for x in point)
        return FormulaCell(conditions, exact, tuple(values), self._names)

    def conditions(self, decisions: Sequence[emptiness.Decision]) -> tuple[SignCondition, ...]:
        """Decisions in the words of the result."""
        return tuple(SignCondition(e, sign, self._names) for e, sign in decisions)
