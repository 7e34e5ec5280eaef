"""A program without what cannot matter: columns that are fixed, and rows that bounds imply."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tamecheck.exact.linear import Box, Number
from tamecheck.ir.program import Program, Row
from tamecheck.programs.certificate import Bounded, Branched, Crossed, CrossedRow, Node, renumber
from tamecheck.programs.scaled import hull_box, minimised_costs

_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Condensed:
    """A program without fixed columns and rows that bounds imply, and the way back.

    ``rows`` and ``columns`` are the numbers in the whole program of those that are left, ``point``
    has the values of the others, and 0; ``shift`` is what these add to the minimised objective.
    """

    program: Program
    rows: Mapping[int, int]
    columns: Mapping[int, int]
    point: tuple[Fraction, ...]
    shift: Fraction

    def outward(self, node: Node) -> Node:
        """A node as one of the whole program."""
        found = _on_columns(renumber(node, self.rows), self.columns)
        if isinstance(found, Bounded):
            return replace(found, bound=found.bound + self.shift)
        return found

    def inward(self, nodes: Sequence[Node | None]) -> list[Node | None]:
        """Nodes of the whole program, which branch on no column that is fixed.

        Of leaves about what was left out nothing is known.
        """
        rows = {i: k for k, i in self.rows.items()}
        columns = {j: k for k, j in self.columns.items()}

        def known(node: Node | None) -> Node | None:
            match node:
                case None:
                    return None
                case Crossed(j) if j not in columns:
                    return None
                case CrossedRow(i) if i not in rows:
                    return None
                case _:
                    return _on_columns(renumber(node, rows), columns)

        return list(map(known, nodes))

    def outward_point(self, point: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """A point as one of the whole program."""
        found = list(self.point)
        for k, value in enumerate(point):
            found[self.columns[k]] = value
        return tuple(found)

    def outward_ray(self, ray: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """A direction as one of the whole program, in which fixed columns do not change."""
        found = [_ZERO] * len(self.point)
        for k, value in enumerate(ray):
            found[self.columns[k]] = value
        return tuple(found)


def condense(program: Program, kept: Collection[int] = ()) -> Condensed:
    """The program without fixed columns, but for those that are ``kept``, and needless rows."""
    box = hull_box(program)
    fixed: dict[int, Fraction] = {}
    for j, (low, high, column) in enumerate(
        zip(box.lower, box.upper, program.columns, strict=True)
    ):
        if low is not None and low == high and not column.kind.semi and j not in kept:
            fixed[j] = Fraction(low)
    if len(fixed) == len(program.columns):
        fixed.pop(0, None)
    columns = [j for j in range(len(program.columns)) if j not in fixed]
    places = {j: k for k, j in enumerate(columns)}
    rows: dict[int, int] = {}
    left: list[Row] = []
    inner = Box([box.lower[j] for j in columns], [box.upper[j] for j in columns])
    for i, row in enumerate(program.rows):
        own = _without(row, fixed, places)
        if not _is_implied(own, inner):
            rows[len(left)] = i
            left.append(own)
    costs = minimised_costs(program)
    shift = sum((costs[j] * value for j, value in fixed.items()), _ZERO)
    own = replace(program, columns=tuple(program.columns[j] for j in columns), rows=tuple(left))
    point = tuple(fixed.get(j, _ZERO) for j in range(len(program.columns)))
    return Condensed(own, rows, dict(enumerate(columns)), point, shift)


def _without(row: Row, fixed: Mapping[int, Fraction], places: Mapping[int, int]) -> Row:
    """The row of the columns that are left."""
    known = sum((a * fixed[j] for j, a in row.terms if fixed.get(j)), _ZERO)
    terms = tuple((places[j], a) for j, a in row.terms if j in places)
    ends = (None if end is None else end - known for end in (row.lower, row.upper))
    return Row(row.name, terms, *ends)


def _is_implied(row: Row, box: Box) -> bool:
    """Whether a row holds everywhere within bounds."""
    return _reaches(row, box.lower, box.upper, row.lower, 1) and _reaches(
        row, box.upper, box.lower, row.upper, -1
    )


def _reaches(
    row: Row,
    lower: Sequence[Number | None],
    upper: Sequence[Number | None],
    end: Fraction | None,
    sign: int,
) -> bool:
    """Whether the least value of a row times a sign, by the ends of columns, is at its end."""
    if end is None:
        return True
    total: Number = 0
    for j, a in row.terms:
        number = a.numerator if a.denominator == 1 else a
        at = lower[j] if number > 0 else upper[j]
        if at is None:
            return False
        if at:
            total += number * at
    return sign * (total - end) >= 0


def _on_columns(node: Node, columns: Mapping[int, int]) -> Node:
    """A node about columns with other numbers."""
    match node:
        case Branched(by):
            return replace(node, by=replace(by, column=columns[by.column]))
        case Crossed(column):
            return Crossed(columns[column])
        case _:
            return node
