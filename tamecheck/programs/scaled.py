"""A program with its numbers brought to one denominator, and the bounds that multipliers prove.

For rational multipliers ``y`` of the rows and the reduced costs ``d = c - yA``, every point
within the bounds satisfies

    c·x = y·(Ax) + d·x >= sum of y_i times the row bound of its sign
                        + sum of d_j times the column bound of its sign,

whatever ``y`` is: multipliers may be rounded freely, and what is lost is exactly accounted for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.exact.linear import Box, Number, simple
from tamecheck.ir.box import Bound
from tamecheck.ir.program import Column, Program, Sense


@dataclass(frozen=True, slots=True)
class Multipliers:
    """Row multipliers ``numerator / denominator``, for the rows where they are not zero."""

    numerators: Mapping[int, int]
    denominator: int

    @classmethod
    def of(cls, values: Mapping[int, Fraction]) -> Multipliers:
        """The multipliers with these values."""
        known = {i: value.as_integer_ratio() for i, value in values.items() if value}
        q = 1
        for low in {low for _, low in known.values()}:
            # of long numbers the test is much sooner done
            if q % low:
                q = math.lcm(q, low)
        return cls({i: top * (q // low) for i, (top, low) in known.items()}, q)

    def renumbered(self, rows: Mapping[int, int]) -> Multipliers:
        """The same of rows with other numbers; those of rows that have none are left out."""
        kept = {rows[i]: n for i, n in self.numerators.items() if i in rows}
        return Multipliers(kept, self.denominator)


def hull(column: Column) -> tuple[Bound, Bound]:
    """The smallest interval with integer or rational ends that holds every admitted value."""
    low, high = domain(column)
    if column.kind.semi:
        low = None if low is None else min(low, Fraction(0))
        high = None if high is None else max(high, Fraction(0))
    return low, high


def hull_box(program: Program) -> Box:
    """The hulls of all columns."""
    ends = [hull(column) for column in program.columns]
    return Box([simple(low) for low, _ in ends], [simple(high) for _, high in ends])


def domain(column: Column) -> tuple[Bound, Bound]:
    """The bounds, rounded inward for an integer variable; of a semi variable those without 0."""
    low, high = column.lower, column.upper
    if column.kind.integral:
        low = None if low is None else Fraction(math.ceil(low))
        high = None if high is None else Fraction(math.floor(high))
    return low, high


def minimised_costs(program: Program) -> list[Fraction]:
    """The costs, of a maximised objective their negatives."""
    if program.sense is Sense.MINIMISE:
        return [column.cost for column in program.columns]
    return [-column.cost for column in program.columns]


def minimised(program: Program, point: Sequence[Fraction]) -> Fraction:
    """The minimised objective of a point, without the constant."""
    return program.sense.sign * (program.objective(point) - program.constant)


class Scaled:
    """The program, to be minimised, as ``costs / scale`` and ``rows / scale`` with integers.

    Of a maximised objective the negative is taken, without the constant.
    """

    def __init__(self, program: Program) -> None:
        costs = minimised_costs(program)
        numbers = [*costs, *(a for row in program.rows for _, a in row.terms)]
        scale = self.scale = math.lcm(*(number.denominator for number in numbers))
        self.costs = [(cost * scale).numerator for cost in costs]
        self.rows = [[(j, (a * scale).numerator) for j, a in row.terms] for row in program.rows]
        self.row_lower = [simple(row.lower) for row in program.rows]
        self.row_upper = [simple(row.upper) for row in program.rows]
        self._align_sides()

    def _align_sides(self) -> None:
        """Bring the sides of rows to one denominator."""
        given = [e for e in (*self.row_lower, *self.row_upper) if e is not None]
        over = self._over = math.lcm(*{e.denominator for e in given})
        self._sides = [
            [None if e is None else e.numerator * (over // e.denominator) for e in own]
            for own in (self.row_upper, self.row_lower)
        ]

    def extend(self, rows: Sequence[tuple[Sequence[tuple[int, int]], Fraction]]) -> None:
        """Add rows: terms in integers, and what they add up to at least."""
        self.rows += [[(j, a * self.scale) for j, a in terms] for terms, _ in rows]
        self.row_lower += [simple(least) for _, least in rows]
        self.row_upper += [None] * len(rows)
        self._align_sides()

    def side(self, i: int, sign: int) -> Number | None:
        """The bound of a row that supports a multiplier of this sign."""
        return self.row_lower[i] if sign > 0 else self.row_upper[i]

    def bound(self, multipliers: Multipliers, box: Box, *, costs: bool = True) -> Fraction | None:
        """The lower bound on the objective that the multipliers prove, None if it is infinite.

        Without the costs the objective is 0: a positive bound then proves that there is no point.
        """
        q = multipliers.denominator
        reduced = [cost * q for cost in self.costs] if costs else [0] * len(self.costs)
        total = self.least(reduced, multipliers.numerators, box)
        return None if total is None else Fraction(total) / (self.scale * q)

    def least(self, costs: list[int], numerators: Mapping[int, int], box: Box) -> Number | None:
        """The lower bound of ``costs x`` that multipliers of rows prove; the costs are used up."""
        sides = 0
        for i, n in numerators.items():
            side = self._sides[n > 0][i]
            if side is None:
                return None
            sides += n * side
            for j, a in self.rows[i]:
                costs[j] -= n * a
        ends, parts = 0, {self._over: sides * self.scale}
        for j, d in enumerate(costs):
            if d:
                end = box.lower[j] if d > 0 else box.upper[j]
                if end is None:
                    return None
                if type(end) is int:
                    ends += d * end
                else:
                    # sums of one denominator first: there are few
                    low = end.denominator
                    parts[low] = parts.get(low, 0) + d * end.numerator
        total = sum((Fraction(top, low) for low, top in parts.items()), Fraction(ends))
        return total.numerator if total.denominator == 1 else total

    def integer_range(
        self, multipliers: Multipliers, box: Box, program: Program
    ) -> tuple[Fraction, Fraction] | None:
        """Between which numbers the integral part of combined rows lies, None if it is unbounded.

        These are the terms of integer columns with integer coefficients, which add up to an
        integer: if none is in between, there is no point.
        """
        unit = multipliers.denominator * self.scale
        form = defaultdict[int, int](int)
        least: Number = 0
        most: Number = 0
        for i, n in multipliers.numerators.items():
            low, high = self.row_lower[i], self.row_upper[i]
            if low is None or high is None:
                return None
            sides = sorted((n * self.scale * low, n * self.scale * high))
            least, most = least + sides[0], most + sides[1]
            for j, a in self.rows[i]:
                form[j] += n * a
        for j, a in form.items():
            if not a or (a % unit == 0 and program.columns[j].kind.integral):
                continue
            low, high = box.lower[j], box.upper[j]
            if low is None or high is None:
                return None
            sides = sorted((-a * low, -a * high))
            least, most = least + sides[0], most + sides[1]
        return Fraction(least) / unit, Fraction(most) / unit

    def skips(self, multipliers: Multipliers, box: Box, program: Program) -> bool:
        """Whether the multipliers combine rows to one that no integers satisfy: see `gap`."""
        found = self.integer_range(multipliers, box, program)
        return found is not None and math.ceil(found[0]) > found[1]

    def round(self, values: Sequence[float], denominator: int) -> Multipliers:
        """The multipliers rounded to a denominator, without those that no row bound supports."""
        pairs = ((i, round(value * denominator)) for i, value in enumerate(values) if value)
        return self.support(dict(pairs), denominator)

    def support(self, numerators: Mapping[int, int], denominator: int) -> Multipliers:
        """The multipliers without those that no row bound supports."""
        kept = {i: n for i, n in numerators.items() if n and self.side(i, n) is not None}
        return Multipliers(kept, denominator)
