"""Sets of optimal solutions and of optimal multipliers: polyhedra, described exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from flint import fmpq_mat

from tamecheck.errors import SolverError, UnsupportedError
from tamecheck.exact.hull import Halfspace, Point, kernel, vertices
from tamecheck.exact.linear import LinearProgram, LinearProof, linear_box
from tamecheck.exact.reals import as_number
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.box import Bound, is_crossed
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.solvers.relaxation import Relaxation, nearest

_LONG_POINT = 12
_LONG_NUMBER = 15

Range = tuple[Bound, Bound]


Vertex: TypeAlias = Optimal[Fraction, LinearProof]
"""A basic optimal point, its value without a constant, and multipliers that prove it optimal."""

Outcome: TypeAlias = Vertex | Infeasible[LinearProof] | Unbounded[Fraction, LinearProof]


class Linear:
    """The polyhedron of a program's rows and bounds, over which forms are minimised exactly.

    Kinds, costs and sense do not count.  HiGHS proposes a basis, which is solved and checked in
    rationals.  Where that is not exactly optimal, as at ties below its tolerances, exact pivots go
    on from it.
    """

    def __init__(self, program: Program) -> None:
        plain = (replace(c, kind=Kind.CONTINUOUS, cost=Fraction(0)) for c in program.columns)
        self._program = Program(tuple(plain), program.rows)
        self._relaxation = Relaxation(self._program)
        self._exact = LinearProgram.of(self._program)

    def minimum(self, costs: Sequence[Fraction]) -> Outcome:
        """The minimum of ``Σ costs x``, with its proof.

        Raises
        ------
        SolverError
            If the basis that HiGHS finds is not optimal, and the program too large for pivots.
        """
        self._relaxation.set_costs([nearest(cost) for cost in costs])
        self._relaxation.solve()
        basis = self._relaxation.basis()
        limited = (*self._program.columns, *self._program.rows)
        if any(is_crossed(item.lower, item.upper) for item in limited):
            return Infeasible(LinearProof(()))
        start = basis if len(basis.columns) == len(costs) else None
        found = self._exact.minimum(costs, linear_box(self._program), start)
        if isinstance(found, Optimal | Infeasible | Unbounded):
            return found
        raise SolverError(
            f"A linear program of {len(self._program.rows)} rows and {len(costs)} columns is too "
            "large to be solved in rationals."
        )

    def optimum(self, costs: Sequence[Fraction]) -> Vertex | None:
        """The minimum if there is one."""
        found = self.minimum(costs)
        return found if isinstance(found, Optimal) else None


@dataclass(frozen=True)
class OptimalSet:
    """The polyhedron of all optimal solutions, or of all optimal multipliers, of a linear program.

    Parameters
    ----------
    program
        Its inequalities: one column a component, costs 0.
    point
        An element, a vertex if there is one.
    """

    program: Program = field(repr=False)
    point: Point

    @cached_property
    def ranges(self) -> tuple[Range, ...]:
        """The least and the largest value of each component, None where there is none.

        Two exact linear programs a component that is not seen to be fixed.
        """
        return tuple((low, high) for (low, _), (high, _) in self._extremes)

    @property
    def unique(self) -> bool:
        """Whether there is only one element."""
        return all(low is not None and low == high for low, high in self.ranges)

    @property
    def bounded(self) -> bool:
        """Whether the set is the hull of its vertices."""
        return all(low is not None and high is not None for low, high in self.ranges)

    @property
    def varying(self) -> tuple[str, ...]:
        """The names of the components that are not the same everywhere."""
        return self._names(lambda low, high: low is None or low != high)

    @property
    def endless(self) -> tuple[str, ...]:
        """The names of the components that are unbounded."""
        return self._names(lambda low, high: low is None or high is None)

    def _names(self, test: Callable[[Bound, Bound], bool]) -> tuple[str, ...]:
        pairs = zip(self.program.columns, self.ranges, strict=True)
        return tuple(column.name for column, ends in pairs if test(*ends))

    @property
    def two_elements(self) -> tuple[Point, Point] | None:
        """Two different elements, each a vertex if the set is bounded; None if there is one only.

        They are where the first component that varies is least and where it is largest, or a step
        of 1 away from `point` where it has no end.
        """
        for j, ((low, first), (high, second)) in enumerate(self._extremes):
            if low is not None and low == high:
                continue
            if first is not None and second is not None:
                return first, second
            step = self.point[j] + (1 if high is None else -1)
            return self.point, self._where(j, step)
        return None

    def _where(self, j: int, value: Fraction) -> Point:
        columns = list(self.program.columns)
        columns[j] = replace(columns[j], lower=value, upper=value)
        found = Linear(replace(self.program, columns=tuple(columns)))
        return _require(found.minimum([Fraction(0)] * len(columns))).point

    @cached_property
    def vertices(self) -> tuple[Point, ...] | None:
        """All vertices; None if there are too many to list.

        Of a set that contains lines they are those of its part orthogonal to the lines, through
        `point`: the set is the hull of these plus rays and lines.
        """
        if self.unique:
            return (self.point,)
        free, sides, cuts = self._pointed_part
        corners = vertices(len(free), [*sides, *cuts])
        if corners is None:
            return None
        return tuple(_embed(self.point, free, corner) for corner in corners)

    @cached_property
    def rays(self) -> tuple[Point, ...] | None:
        """The extreme rays, and each line in both directions; None if there are too many to list.

        In a cone without lines the sum of the inequalities is negative on every ray; it is
        normalised to -1, so that rays become vertices.
        """
        if self.bounded:
            return ()
        free, sides, cuts = self._pointed_part
        cone = [Halfspace(side.normal, Fraction(0), side.tight) for side in (*sides, *cuts)]
        loose = [side.normal for side in sides if not side.tight]
        total = tuple(-sum(column, Fraction(0)) for column in zip(*loose, strict=True))
        cone.append(Halfspace(total, Fraction(1), tight=True))
        corners = vertices(len(free), cone) if loose else ()
        if corners is None:
            return None
        lines = [side.normal for side in cuts]
        found = [*corners, *lines, *(tuple(-a for a in line) for line in lines)]
        zero = (Fraction(0),) * len(self.point)
        return tuple(_embed(zero, free, direction) for direction in found)

    @cached_property
    def _pointed_part(self) -> tuple[list[int], list[Halfspace], list[Halfspace]]:
        """The components that vary, half-spaces in these, and equations orthogonal to lines."""
        free = [j for j, (low, high) in enumerate(self.ranges) if low is None or low != high]
        sides = list(self._sides(free))
        cuts = [
            Halfspace(line, _product(line, [self.point[j] for j in free]), tight=True)
            for line in kernel(len(free), [side.normal for side in sides])
        ]
        return free, sides, cuts

    @property
    def listed_vertices(self) -> tuple[Point, ...]:
        """All vertices.

        Raises
        ------
        UnsupportedError
            If there are too many to list.
        """
        if self.vertices is None:
            raise UnsupportedError(
                f"The set has too many vertices to list: {len(self.varying)} components vary.",
                hint="Its `ranges`, `contains` and `program` describe it.",
            )
        return self.vertices

    def contains(self, point: Sequence[Fraction | int]) -> bool:
        """Whether a point is in the set, exactly."""
        return not self.program.violations([Fraction(value) for value in point])

    def within(self, other: OptimalSet) -> bool:
        """Whether every element is in another set, exactly: a linear program an inequality."""
        columns, rows = other.program.columns, other.program.rows
        forms = [(self._unit(j, 1), column.lower, column.upper) for j, column in enumerate(columns)]
        forms += [(self._dense(row), row.lower, row.upper) for row in rows]
        return all(
            (lower is None or _at_least(self._extreme(form, 1)[0], lower))
            and (upper is None or _at_least(self._extreme([-a for a in form], 1)[0], -upper))
            for form, lower, upper in forms
        )

    def __str__(self) -> str:
        if self.unique:
            return f"only {point_text(self.point)}"
        if self.bounded and self.vertices is not None:
            return f"the hull of {', '.join(point_text(p) for p in self.vertices)}"
        parts = [
            f"{column.name} in {_range_text(ends)}"
            for column, ends in zip(self.program.columns, self.ranges, strict=True)
            if column.name in self.varying
        ]
        return f"a polyhedron where {', '.join(parts)}, and the other components are fixed"

    @cached_property
    def _linear(self) -> Linear:
        return Linear(self.program)

    @cached_property
    def _extremes(self) -> tuple[tuple[tuple[Bound, Point | None], ...], ...]:
        """For each component its least and its largest value, and where they are."""
        if _is_point(self.program):
            return tuple(((x, self.point), (x, self.point)) for x in self.point)
        return tuple(
            tuple(self._extreme(self._unit(j, sign), sign) for sign in (1, -1))
            if column.lower is None or column.lower != column.upper
            else ((column.lower, self.point),) * 2
            for j, column in enumerate(self.program.columns)
        )

    def _unit(self, j: int, sign: int) -> list[Fraction]:
        return [Fraction(sign * (k == j)) for k in range(len(self.program.columns))]

    def _dense(self, row: Row) -> list[Fraction]:
        terms = dict(row.terms)
        return [terms.get(j, Fraction(0)) for j in range(len(self.program.columns))]

    def _extreme(self, costs: Sequence[Fraction], sign: int) -> tuple[Bound, Point | None]:
        found = self._linear.minimum(costs)
        if isinstance(found, Unbounded):
            return None, None
        best = _require(found)
        return sign * best.objective, best.point

    def _sides(self, free: Sequence[int]) -> Iterator[Halfspace]:
        """The half-spaces in the free components that touch the set."""
        for j in free:
            column = self.program.columns[j]
            unit = tuple(Fraction(i == j) for i in free)
            yield from _supports(unit, (column.lower, column.upper), self.ranges[j], Fraction(0))
        for row in self.program.rows:
            form = self._dense(row)
            normal = tuple(form[j] for j in free)
            if not any(j in free for j, _ in row.terms):
                continue
            low, _ = self._extreme(form, 1)
            high, _ = self._extreme([-a for a in form], -1)
            fixed = sum((a * self.point[j] for j, a in row.terms if j not in free), Fraction(0))
            yield from _supports(normal, (row.lower, row.upper), (low, high), fixed)


def _require(found: Outcome) -> Vertex:
    """The optimum of a form over a set that is not empty, where it has one."""
    if not isinstance(found, Optimal):
        raise SolverError("A linear program over a set with an element has no optimum.")
    return found


def _embed(base: Point, places: Sequence[int], values: Point) -> Point:
    whole = list(base)
    for j, value in zip(places, values, strict=True):
        whole[j] = value
    return tuple(whole)


def _product(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True) if a), Fraction(0))


def _at_least(low: Bound, bound: Fraction) -> bool:
    return low is not None and low >= bound


def _supports(normal: Point, bounds: Range, reached: Range, shift: Fraction) -> Iterator[Halfspace]:
    """The bounds of a linear form that its range reaches."""
    (lower, upper), (low, high) = bounds, reached
    if low is not None and low == high:
        yield Halfspace(normal, low - shift, tight=True)
        return
    if upper is not None and upper == high:
        yield Halfspace(normal, upper - shift)
    if lower is not None and lower == low:
        yield Halfspace(tuple(-a for a in normal), shift - lower)


def _is_point(program: Program) -> bool:
    """Whether the equations alone leave one point."""
    free = [
        j
        for j, column in enumerate(program.columns)
        if column.lower is None or column.lower != column.upper
    ]
    place = {j: k for k, j in enumerate(free)}
    tight = [row for row in program.rows if row.lower is not None and row.lower == row.upper]
    if len(tight) < len(free):
        return False
    matrix = fmpq_mat(len(tight), len(free))
    for i, row in enumerate(tight):
        for j, a in row.terms:
            if j in place:
                matrix[i, place[j]] = as_number(a)
    return not free or bool(matrix.rank() == len(free))


def solution_set(program: Program, best: Vertex) -> OptimalSet:
    """All optimal points: those where the bounds that carry a multiplier hold with equality."""
    reduced = [program.sense.sign * column.cost for column in program.columns]
    for row, y in zip(program.rows, best.certificate.multipliers, strict=True):
        for j, a in row.terms:
            reduced[j] -= y * a
    columns = tuple(
        replace(
            column,
            cost=Fraction(0),
            lower=column.upper if d < 0 else column.lower,
            upper=column.lower if d > 0 else column.upper,
        )
        for column, d in zip(program.columns, reduced, strict=True)
    )
    rows = tuple(
        replace(
            row, lower=row.upper if y < 0 else row.lower, upper=row.lower if y > 0 else row.upper
        )
        for row, y in zip(program.rows, best.certificate.multipliers, strict=True)
    )
    return OptimalSet(Program(columns, rows), best.point)


def multiplier_set(program: Program, best: Vertex) -> OptimalSet:
    """All optimal row multipliers: ``d value / d right-hand side``, in the program's own sense.

    They are zero on slack rows, of the sign of the bound that a tight row stands at, and leave
    reduced costs of the right sign.
    """
    sign = program.sense.sign
    columns = tuple(
        Column(row.name, *_scale(sign, *_signs(row.value(best.point), row.lower, row.upper)))
        for row in program.rows
    )
    entries: list[list[tuple[int, Fraction]]] = [[] for _ in program.columns]
    for i, row in enumerate(program.rows):
        for j, a in row.terms:
            entries[j].append((i, a))
    rows: list[Row] = []
    for column, x, terms in zip(program.columns, best.point, entries, strict=True):
        low, high = _signs(x, column.lower, column.upper)
        # the reduced cost c - Aᵀy is within (low, high)
        cost = sign * column.cost
        limits = (None if high is None else cost - high, None if low is None else cost - low)
        if terms and limits != (None, None):
            rows.append(Row(column.name, tuple(terms), *_scale(sign, *limits)))
    point = tuple(sign * y for y in best.certificate.multipliers)
    return OptimalSet(Program(columns, tuple(rows)), point)


def _signs(value: Fraction, lower: Bound, upper: Bound) -> Range:
    """The multipliers that a value between its bounds may have."""
    return None if value == upper else Fraction(0), None if value == lower else Fraction(0)


def _scale(sign: int, low: Bound, high: Bound) -> Range:
    if sign > 0:
        return low, high
    return None if high is None else -high, None if low is None else -low


def point_text(point: Sequence[Fraction]) -> str:
    """A point as ``(1, 1/2)``; a long one by its entries that are not 0.

    Numbers with many digits are rounded and marked ``≈``.
    """
    if len(point) > _LONG_POINT:
        parts = [f"[{j}]={_number_text(v)}" for j, v in enumerate(point) if v]
        return f"({', '.join([*parts, 'else 0'])})"
    return "(" + ", ".join(_number_text(v) for v in point) + ")"


def _number_text(value: Fraction) -> str:
    text = rational_text(value)
    return text if len(text) <= _LONG_NUMBER else f"≈{float(value):.6g}"


def _range_text(ends: Range) -> str:
    low, high = ends
    left = "(-∞" if low is None else f"[{_number_text(low)}"
    right = "∞)" if high is None else f"{_number_text(high)}]"
    return f"{left}, {right}"
