"""Whether some strict inequalities hold together somewhere in a box: a point, a proof, or open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
from flint import arb, fmpq

from tamecheck.budget import Budget
from tamecheck.cells.formulas.expressions import Expression, float_values, value_at
from tamecheck.exact.feasibility import (
    Inequality,
    Vector,
    box_inequalities,
    opposite,
    solve_inequalities,
)
from tamecheck.exact.reals import ZERO, Number, UndecidedError, as_number, working_precision
from tamecheck.ir.tensor import Array

Decision = tuple[Expression, int]
"""An expression, and its sign: 1 or -1."""

_SIGN_BITS = 512

Point: TypeAlias = tuple[fmpq, ...]
Bounds: TypeAlias = tuple[tuple[fmpq, fmpq], ...]
Answer: TypeAlias = Point | Literal["empty", "open"]

_POINTS = 4096
_TRIES = 3
_BOXES = 600
_BITS = 64


def _sign(value: Number) -> int | None:
    if isinstance(value, fmpq):
        return (value > 0) - (value < 0)
    return 1 if value > 0 else -1 if value < 0 else None


def sign_at(expression: Expression, point: Sequence[fmpq]) -> int | None:
    """The sign at a rational point, by balls of 512 bits; None if those do not tell."""
    with working_precision(_SIGN_BITS):
        try:
            return _sign(value_at(expression, point, {}))
        except UndecidedError:
            return None


def sign_on(expression: Expression, box: Sequence[Number], known: dict[int, Number]) -> int | None:
    """The sign that the expression has on a whole box of balls; None if that is not proved."""
    try:
        return _sign(value_at(expression, box, known)) or None
    except UndecidedError:
        return None


def ball_box(bounds: Bounds) -> tuple[Number, ...]:
    """A box as balls, one a side."""
    return tuple(arb(low).union(arb(high)) for low, high in bounds)


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """A box with sides of positive width, and points at which inequalities are tried first.

    The points are ``exact``, and the same in floats; ``known`` has the float values of atoms there.
    """

    bounds: Bounds
    budget: Budget
    exact: tuple[Point, ...]
    points: Array
    known: dict[int, Array] = field(default_factory=dict[int, Array])

    @staticmethod
    def of(bounds: Sequence[tuple[Fraction, Fraction]], *, seed: int, budget: Budget) -> Domain:
        """The domain, with points drawn at random."""
        draw = np.random.default_rng(seed)
        steps = draw.integers(1, 2**20, size=(_POINTS, len(bounds))).tolist()
        sides = tuple((as_number(low), as_number(high)) for low, high in bounds)
        exact = tuple(
            tuple(a + (b - a) * fmpq(step, 2**20) for step, (a, b) in zip(row, sides, strict=True))
            for row in steps
        )
        floats = [[int(x.p) / int(x.q) for x in point] for point in exact]
        points = np.array(floats, dtype=np.float64).reshape((_POINTS, len(bounds)))
        return Domain(sides, budget, exact, points)

    def margins(self, decision: Decision) -> Array:
        """By how much an inequality holds at the points; negative where it does not."""
        expression, sign = decision
        found = sign * float_values(expression, self.points, self.known)
        return np.where(np.isfinite(found), found, -np.inf)

    def decide(self, decisions: Sequence[Decision], margin: Array) -> Answer:
        """A point where all the inequalities hold, or whether there is none.

        ``margin`` is the smallest margin of them at each of the points.
        """
        order: list[int] = np.argsort(-margin, kind="stable")[:_TRIES].tolist()
        for number in order:
            if margin[number] > 0 and self.holds(decisions, self.exact[number]):
                return self.exact[number]
        affine = [(_row(d), True) for d in decisions if d[0].affine]
        found = solve_inequalities([*self.sides, *affine], len(self.bounds))
        given, rows = self.lift(decisions)
        if found is None or solve_inequalities([*given, *rows], len(given[0][0]) - 1) is None:
            return "empty"
        if self.holds(decisions, found):
            return found
        return self._search(decisions)

    def holds(self, decisions: Sequence[Decision], point: Point) -> bool:
        """Whether all the inequalities are proved to hold at a point."""
        return all(sign_at(expression, point) == sign for expression, sign in decisions)

    def lift(self, decisions: Sequence[Decision]) -> tuple[list[Inequality], list[Inequality]]:
        """What is known and the decisions, as inequalities with a coordinate for each atom.

        Known are the sides of the box, and the ranges of the atoms.
        """
        atoms = {atom.number: atom for expression, _ in decisions for atom, _ in expression.terms}
        places = {number: k for k, number in enumerate(sorted(atoms), start=len(self.bounds))}
        none = [ZERO] * len(places)

        def pad(row: Vector, factors: Mapping[int, fmpq]) -> Vector:
            wide = [*row[:-1], *none, row[-1]]
            for number, factor in factors.items():
                wide[places[number]] = factor
            return tuple(wide)

        given = [(pad(row, {}), strict) for row, strict in self.sides]
        rows = [
            (pad(_row((e, sign)), {atom.number: a * sign for atom, a in e.terms}), True)
            for e, sign in decisions
        ]
        flat = (ZERO,) * len(self.bounds)
        for number in places:
            for sign, end in zip((1, -1), atoms[number].range, strict=True):
                if end is not None:
                    row = pad((*flat, fmpq(-sign * end)), {number: fmpq(sign)})
                    given.append((row, False))
        return given, rows

    @property
    def sides(self) -> list[Inequality]:
        """The inequalities that hold inside the box."""
        return box_inequalities(self.bounds, strict=True)

    def _search(self, decisions: Sequence[Decision]) -> Answer:
        """Halve the box, leaving out the halves where an inequality certainly fails."""
        boxes = [self.bounds]
        for _ in range(_BOXES):
            if not boxes:
                return "empty"
            if self.budget.is_spent:
                return "open"
            box = boxes.pop()
            with working_precision(_BITS):
                balls, known = ball_box(box), dict[int, Number]()
                if any(sign_on(e, balls, known) == -sign for e, sign in decisions):
                    continue
            middle = tuple((low + high) / 2 for low, high in box)
            if self.holds(decisions, middle):
                return middle
            boxes += _halves(box, self.bounds)
        return "open" if boxes else "empty"


def _row(decision: Decision) -> tuple[fmpq, ...]:
    expression, sign = decision
    return tuple(a * sign for a in expression.row)


def _halves(box: Bounds, whole: Bounds) -> list[Bounds]:
    """The halves of a box across the side that is longest, compared with the whole's."""
    shares = [(b - a) / (d - c) for (a, b), (c, d) in zip(box, whole, strict=True)]
    axis = shares.index(max(shares))
    low, high = box[axis]
    middle = (low + high) / 2
    return [(*box[:axis], side, *box[axis + 1 :]) for side in ((low, middle), (middle, high))]


def essential(decisions: Sequence[Decision], domain: Domain) -> list[Decision]:
    """Inequalities without those that follow from the others in the box by linear algebra."""
    given, rows = domain.lift(decisions)
    kept = list(range(len(decisions)))
    for number, (row, _) in enumerate(rows):
        others = [rows[k] for k in kept if k != number]
        # its negation, -e > 0, leaves out the boundary, on which a strict other may fail
        against = (opposite(row), True)
        if solve_inequalities([*given, *others, against], len(row) - 1) is None:
            kept.remove(number)
    return [decisions[k] for k in kept]
