"""Programs in the form on which duality is stated: non-negative columns, one bound a row.

    z(d) = min c·x + e·y  subject to  Ax + Gy (=, >=, <=) d,  x >= 0 integer, y >= 0

A column with a finite lower bound is shifted, one with an upper bound only is reflected, a free
one is split; an upper bound of a shifted column becomes a row; of a maximised objective the
negative is minimised.  Right-hand sides of the program's own rows and of rows that stand for
bounds are told apart, and each is its user's number minus a constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from tamecheck.errors import DomainError, InputError, UnsupportedError
from tamecheck.ir.arguments import mapping, rationals
from tamecheck.ir.box import is_crossed
from tamecheck.ir.exact import rational
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.programs.scaled import domain

Vector: TypeAlias = tuple[Fraction, ...]
RightHandSide: TypeAlias = (
    "Mapping[str, Fraction | int | float | str] | Sequence[Fraction | int | float | str]"
)


class InfeasibleProgramError(DomainError):
    """The program has no feasible point, so that no dual function attains its value."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Constraint:
    """A row ``a·x (sense) d``; ``row`` is the program's row, None if it stands for a bound.

    ``sense`` is ``=``, ``>=`` or ``<=``.
    """

    name: str
    sense: str
    row: int | None = None

    @property
    def sign(self) -> int:
        """By what the row is multiplied so that it is ``>=``, or stays an equation."""
        return -1 if self.sense == "<=" else 1

    def row_of(self, name: str, terms: Iterable[tuple[int, Fraction]], side: Fraction) -> Row:
        """The constraint as a row of a program."""
        low, high = (None if self.sense == way else side for way in ("<=", ">="))
        return Row(name, tuple(terms), low, high)

    def holds(self, value: Fraction, side: Fraction) -> bool:
        """Whether the linear form may have this value."""
        return self.row_of("", (), side).admits(value)

    def admits(self, multiplier: Fraction) -> bool:
        """Whether a multiplier has the sign that the sense asks for."""
        if self.sense == "=":
            return True
        return multiplier >= 0 if self.sense == ">=" else multiplier <= 0


@dataclass(frozen=True, slots=True)
class FormColumn:
    """A non-negative variable: its cost and its entries ``(row, coefficient)``, none of them 0."""

    name: str
    integral: bool
    cost: Fraction
    entries: tuple[tuple[int, Fraction], ...]

    def product(self, multipliers: Sequence[Fraction]) -> Fraction:
        """The sum of multiplier times coefficient."""
        return sum((multipliers[i] * a for i, a in self.entries), Fraction(0))


@dataclass(frozen=True, slots=True)
class Part:
    """How a column of the program is made: ``offset + sum of sign * column``."""

    offset: Fraction
    terms: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Form:
    """A program in normal form, and the way back."""

    program: Program = field(repr=False)
    """The program that was given."""
    constraints: tuple[Constraint, ...]
    """Its rows, then the rows that stand for upper bounds."""
    columns: tuple[FormColumn, ...] = field(repr=False)
    """The non-negative variables."""
    right: Vector
    """The right-hand sides of this form."""
    shift: Vector
    """The program's right-hand side is that of the form plus ``shift``."""
    constant: Fraction
    """The program's objective is ``sign * (value of the form + constant)``."""
    parts: tuple[Part, ...] = field(repr=False)
    """The program's columns in terms of those of the form."""

    @property
    def size(self) -> int:
        """The number of right-hand sides."""
        return len(self.constraints)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the right-hand sides."""
        return tuple(constraint.name for constraint in self.constraints)

    @cached_property
    def users(self) -> tuple[int, ...]:
        """The positions of the right-hand sides that belong to rows of the program."""
        return tuple(i for i, c in enumerate(self.constraints) if c.row is not None)

    @property
    def sign(self) -> int:
        """1 for a minimised objective, -1 for a maximised one."""
        return self.program.sense.sign

    def vector(self, j: int) -> Vector:
        """The column ``j`` as a dense vector."""
        entries = dict(self.columns[j].entries)
        return tuple(entries.get(i, Fraction(0)) for i in range(self.size))

    def outward(self, value: Fraction) -> Fraction:
        """The program's objective at a value of the form."""
        return self.sign * (value + self.constant)

    def inward(self, objective: Fraction) -> Fraction:
        """The form's value at an objective of the program."""
        return self.sign * objective - self.constant

    def at(self, b: RightHandSide | None = None) -> Vector:
        """The form's right-hand side for one of the program.

        Parameters
        ----------
        b
            By name, where unnamed ones stay as the program says; or one number for each row of
            the program (or for each constraint of the form, bounds included).

        Raises
        ------
        InputError
            If a name or the number of numbers is wrong.
        """
        if b is None:
            return self.right
        moved = list(self.right)
        for i, value in self._numbers(b):
            moved[i] = value - self.shift[i]
        return tuple(moved)

    def _numbers(self, b: RightHandSide) -> Iterable[tuple[int, Fraction]]:
        if isinstance(b, Mapping):
            named = mapping(b, what="right-hand side")
            return [(self._position(name), rational(value)) for name, value in named.items()]
        values = rationals(b, what="right-hand side").reshape(-1).tolist()
        positions = self.users if len(values) == len(self.users) else range(self.size)
        if len(values) != len(positions):
            raise InputError(
                f"A right-hand side of {len(self.users)} numbers was expected, not {len(values)}.",
                hint=f"The rows are {_list([self.names[i] for i in self.users])}.",
            )
        return zip(positions, values, strict=True)

    def _position(self, name: str) -> int:
        if name in self.names:
            return self.names.index(name)
        near = [other for other in self.names if other.startswith(f"{name}.")]
        raise InputError(
            f"There is no right-hand side {name!r}.",
            hint=f"Did you mean {' or '.join(near)}?"
            if near
            else f"There are {_list(self.names)}.",
        )

    def columns_at(self, point: Sequence[Fraction]) -> Vector:
        """The form's variables at a point of the program: of a free one only one part is not 0."""
        found = [Fraction(0)] * len(self.columns)
        for part, x in zip(self.parts, point, strict=True):
            for j, sign in part.terms:
                found[j] = max(sign * (x - part.offset), Fraction(0))
        return tuple(found)

    def point(self, x: Sequence[Fraction]) -> Vector:
        """The program's point for one of the form."""
        return tuple(
            sum((sign * x[j] for j, sign in part.terms), part.offset) for part in self.parts
        )


def program_of(
    columns: Sequence[FormColumn], constraints: Sequence[Constraint], right: Sequence[Fraction]
) -> Program:
    """Non-negative columns and constraints with a right-hand side as a program, all numbered."""
    terms: list[list[tuple[int, Fraction]]] = [[] for _ in constraints]
    for j, column in enumerate(columns):
        for i, a in column.entries:
            terms[i].append((j, a))
    kinds = {True: Kind.INTEGER, False: Kind.CONTINUOUS}
    return Program(
        tuple(Column(str(j), kind=kinds[c.integral], cost=c.cost) for j, c in enumerate(columns)),
        tuple(
            c.row_of(str(i), terms[i], d)
            for i, (c, d) in enumerate(zip(constraints, right, strict=True))
        ),
    )


def opposites(columns: Sequence[FormColumn]) -> Mapping[int, int]:
    """Pairs of integer columns that are the parts of one free variable: their sum costs nothing.

    Branching on such parts need not end, as both may grow along their difference.
    """
    waiting: dict[object, int] = {}
    pairs: dict[int, int] = {}
    for j, column in enumerate(columns):
        if column.integral:
            negative = tuple((i, -a) for i, a in column.entries)
            mate = waiting.pop((-column.cost, negative), None)
            if mate is None:
                waiting[column.cost, column.entries] = j
            else:
                pairs[mate] = j
    return pairs


def join_opposites(program: Program, pairs: Mapping[int, int]) -> Program:
    """The program in which the first column of each pair is free and the second is 0."""
    made = list(program.columns)
    for one, two in pairs.items():
        made[one], made[two] = replace(made[one], lower=None), replace(made[two], upper=Fraction(0))
    return replace(program, columns=tuple(made))


def open_parts(form: Form) -> tuple[list[Column], list[list[tuple[int, Fraction]]]]:
    """The form's columns for a larger program, numbered, and the terms of its constraints.

    Of the two parts of a free variable one is free and the other is 0.
    """
    whole = program_of(form.columns, form.constraints, form.right)
    columns = join_opposites(whole, opposites(form.columns)).columns
    return list(columns), [list(row.terms) for row in whole.rows]


def dot(left: Iterable[Fraction], right: Iterable[Fraction]) -> Fraction:
    """The sum of the products."""
    return sum((a * b for a, b in zip(left, right, strict=True) if a and b), Fraction(0))


def normalise(program: Program) -> Form:
    """The normal form of a program.

    Raises
    ------
    UnsupportedError
        If it has semicontinuous or semi-integer variables.
    InfeasibleProgramError
        If the bounds of a column or of a row are crossed.
    """
    semi = [(c.name, c.kind.value) for c in program.columns if c.kind.semi]
    if semi:
        raise UnsupportedError(
            "The right-hand side of a semicontinuous variable is no single number.",
            nodes=semi,
            hint="Model it with a binary variable.",
        )
    taken = {column.name for column in program.columns}
    made: list[tuple[str, bool, Fraction]] = []

    def variable(name: str, column: Column, sign: int) -> tuple[int, int]:
        """A new variable, and the sign with which it is a part of the column."""
        own = name if name == column.name else _fresh(name, taken)
        made.append((own, column.kind.integral, program.sense.sign * sign * column.cost))
        return len(made) - 1, sign

    parts: list[Part] = []
    caps: list[tuple[str, int, Fraction, Fraction]] = []
    for column in program.columns:
        name, (low, high) = column.name, domain(column)
        if is_crossed(low, high):
            raise InfeasibleProgramError(
                f"The program is infeasible: the bounds of column {name!r} leave no value."
            )
        if low is not None:
            parts.append(Part(low, (variable(name, column, 1),)))
            if high is not None:
                caps.append((f"{name}.upper", len(made) - 1, high - low, low))
        elif high is not None:
            parts.append(Part(high, (variable(f"{name}.below", column, -1),)))
        else:
            both = variable(f"{name}.plus", column, 1), variable(f"{name}.minus", column, -1)
            parts.append(Part(Fraction(0), both))
    return _assemble(program, made, parts, caps)


def _assemble(
    program: Program,
    made: Sequence[tuple[str, bool, Fraction]],
    parts: Sequence[Part],
    caps: Sequence[tuple[str, int, Fraction, Fraction]],
) -> Form:
    """The form with these columns, the program's rows, and a row for each cap of a column."""
    offsets = [part.offset for part in parts]
    constraints: list[Constraint] = []
    right: list[Fraction] = []
    shift: list[Fraction] = []
    entries: list[list[tuple[int, Fraction]]] = [[] for _ in made]
    taken = {row.name for row in program.rows}
    for i, row in enumerate(program.rows):
        first, moved = len(constraints), row.value(offsets)
        for name, sense, side in _sides(row, taken):
            constraints.append(Constraint(name, sense, i))
            right.append(side - moved)
            shift.append(moved)
        for source, a in row.terms:
            for j, sign in parts[source].terms:
                entries[j].extend((k, sign * a) for k in range(first, len(constraints)))
    for name, j, side, offset in caps:
        entries[j].append((len(constraints), Fraction(1)))
        constraints.append(Constraint(_fresh(name, taken), "<="))
        right.append(side)
        shift.append(offset)
    return Form(
        program=program,
        constraints=tuple(constraints),
        columns=tuple(
            FormColumn(*own, tuple(column)) for own, column in zip(made, entries, strict=True)
        ),
        right=tuple(right),
        shift=tuple(shift),
        constant=program.sense.sign * program.objective(offsets),
        parts=tuple(parts),
    )


def _sides(row: Row, taken: set[str]) -> list[tuple[str, str, Fraction]]:
    """The one-sided constraints that a row is: name, sense, right-hand side."""
    low, high = row.lower, row.upper
    if low is None or high is None:
        sides = ((row.name, ">=", low), (row.name, "<=", high))
        return [(name, sense, side) for name, sense, side in sides if side is not None]
    if low > high:
        raise InfeasibleProgramError(
            f"The bounds of row {row.name!r} are crossed, so the program is infeasible."
        )
    if low == high:
        return [(row.name, "=", low)]
    return [
        (_fresh(f"{row.name}.lower", taken), ">=", low),
        (_fresh(f"{row.name}.upper", taken), "<=", high),
    ]


def _fresh(name: str, taken: set[str]) -> str:
    """The name, primed until it is not taken, and taken from then on."""
    while name in taken:
        name += "'"
    taken.add(name)
    return name


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "none"
