"""Programs in the form on which duality is stated: non-negative columns, one bound a row.

    z(d) = min c·x + e·y  subject to  Ax + Gy (=, >=, <=) d,  x >= 0 integer, y >= 0

A column with a finite lower bound is shifted, one with an upper bound only is reflected, a free
one is split; an upper bound of a shifted column becomes a row; of a maximised objective the
negative is minimised.  Right-hand sides of the program's own rows and of rows that stand for
bounds are told apart, and each is its user's number minus a constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from tamecheck.errors import DomainError, InputError, UnsupportedError
from tamecheck.ir.arguments import mapping, rationals
from tamecheck.ir.exact import parse_rational, rational, rational_text
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.programs.scaled import domain

__all__ = [
    "Constraint",
    "Form",
    "FormColumn",
    "InfeasibleProgramError",
    "Part",
    "RightHandSide",
    "Vector",
    "normalise",
    "side_text",
]

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
    row: int | None

    def holds(self, value: Fraction, side: Fraction) -> bool:
        """Whether the linear form may have this value."""
        match self.sense:
            case "=":
                return value == side
            case ">=":
                return value >= side
            case _:
                return value <= side

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
    """A program in normal form, and the way back.

    Parameters
    ----------
    program
        The program that was given.
    constraints
        Its rows, then the rows that stand for upper bounds.
    columns
        The non-negative variables.
    right
        The right-hand sides of this form.
    shift
        The program's right-hand side is that of the form plus ``shift``.
    constant
        The program's objective is ``sign * (value of the form + constant)``.
    parts
        The program's columns in terms of those of the form.
    """

    program: Program = field(repr=False)
    constraints: tuple[Constraint, ...]
    columns: tuple[FormColumn, ...] = field(repr=False)
    right: Vector
    shift: Vector
    constant: Fraction
    parts: tuple[Part, ...] = field(repr=False)

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

    @property
    def pure(self) -> bool:
        """Whether all variables are integer."""
        return all(column.integral for column in self.columns)

    def vector(self, j: int) -> Vector:
        """The column ``j`` as a dense vector."""
        dense = [Fraction(0)] * self.size
        for i, a in self.columns[j].entries:
            dense[i] = a
        return tuple(dense)

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
        if isinstance(b, Mapping):
            return self._named(b)
        values = rationals(b, what="right-hand side").reshape(-1).tolist()
        positions = self.users if len(values) == len(self.users) else range(self.size)
        if len(values) != len(positions):
            raise InputError(
                f"A right-hand side of {len(self.users)} numbers was expected, not {len(values)}.",
                hint=f"The rows are {_listed([self.names[i] for i in self.users])}.",
            )
        moved = list(self.right)
        for i, value in zip(positions, values, strict=True):
            moved[i] = value - self.shift[i]
        return tuple(moved)

    def _named(self, b: Mapping[str, Fraction | int | float | str]) -> Vector:
        moved = list(self.right)
        position = {name: i for i, name in enumerate(self.names)}
        for name, value in mapping(b, what="right-hand side").items():
            if name not in position:
                near = [other for other in self.names if other.startswith(f"{name}.")]
                raise InputError(
                    f"There is no right-hand side {name!r}.",
                    hint=f"Did you mean {' or '.join(near)}?"
                    if near
                    else f"There are {_listed(self.names)}.",
                )
            i = position[name]
            moved[i] = _number(value) - self.shift[i]
        return tuple(moved)

    def program_at(self, d: Sequence[Fraction]) -> Program:
        """The normal form as a program with the right-hand side ``d``."""
        terms: list[list[tuple[int, Fraction]]] = [[] for _ in self.constraints]
        for j, column in enumerate(self.columns):
            for i, a in column.entries:
                terms[i].append((j, a))
        rows = tuple(
            Row(
                constraint.name,
                tuple(own),
                None if constraint.sense == "<=" else side,
                None if constraint.sense == ">=" else side,
            )
            for constraint, own, side in zip(self.constraints, terms, d, strict=True)
        )
        columns = tuple(
            Column(
                column.name,
                kind=Kind.INTEGER if column.integral else Kind.CONTINUOUS,
                cost=column.cost,
            )
            for column in self.columns
        )
        return Program(columns, rows)

    def point(self, x: Sequence[Fraction]) -> Vector:
        """The program's point for one of the form."""
        return tuple(
            sum((sign * x[j] for j, sign in part.terms), part.offset) for part in self.parts
        )


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
    draft = _Draft(program)
    for column in program.columns:
        draft.add(column)
    return draft.form()


class _Draft:
    """Columns of the form so far, and what their shifts do to rows and objective."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.columns: list[tuple[str, bool, Fraction, int, int]] = []
        self.parts: list[Part] = []
        self.bounds: list[tuple[str, int, Fraction, Fraction]] = []
        self.taken: set[str] = {column.name for column in program.columns}

    def add(self, column: Column) -> None:
        """Shift, reflect or split a column, and note a row for its remaining bound."""
        source = len(self.parts)
        low, high = domain(column)
        if low is not None and high is not None and low > high:
            raise InfeasibleProgramError(
                f"The program is infeasible: the bounds of column {column.name!r} leave no value."
            )
        if low is not None:
            part = Part(low, ((self._new(column.name, column, source, 1), 1),))
            if high is not None:
                self.bounds.append((f"{column.name}.upper", part.terms[0][0], high - low, low))
        elif high is not None:
            part = Part(high, ((self._new(f"{column.name}.below", column, source, -1), -1),))
        else:
            plus = self._new(f"{column.name}.plus", column, source, 1)
            minus = self._new(f"{column.name}.minus", column, source, -1)
            part = Part(Fraction(0), ((plus, 1), (minus, -1)))
        self.parts.append(part)

    def _new(self, name: str, column: Column, source: int, sign: int) -> int:
        while name != column.name and name in self.taken:
            name += "'"
        self.taken.add(name)
        cost = self.program.sense.sign * sign * column.cost
        self.columns.append((name, column.kind.integral, cost, source, sign))
        return len(self.columns) - 1

    def form(self) -> Form:
        """The finished form."""
        program = self.program
        offsets = [part.offset for part in self.parts]
        constraints: list[Constraint] = []
        right: list[Fraction] = []
        shift: list[Fraction] = []
        of_row: list[list[int]] = []
        taken = {row.name for row in program.rows}
        for i, row in enumerate(program.rows):
            of_row.append([])
            moved = row.value(offsets)
            for name, sense, side in _sides(row, taken):
                of_row[i].append(len(constraints))
                constraints.append(Constraint(name, sense, i))
                right.append(side - moved)
                shift.append(moved)
        entries: list[list[tuple[int, Fraction]]] = [[] for _ in self.columns]
        for i, row in enumerate(program.rows):
            for source, a in row.terms:
                for j, sign in self.parts[source].terms:
                    entries[j].extend((k, sign * a) for k in of_row[i])
        for name, j, side, offset in self.bounds:
            entries[j].append((len(constraints), Fraction(1)))
            constraints.append(Constraint(_fresh(name, taken), "<=", None))
            right.append(side)
            shift.append(offset)
        sign = program.sense.sign
        return Form(
            program=program,
            constraints=tuple(constraints),
            columns=tuple(
                FormColumn(name, integral, cost, tuple(own))
                for (name, integral, cost, _, _), own in zip(self.columns, entries, strict=True)
            ),
            right=tuple(right),
            shift=tuple(shift),
            constant=sign * program.objective(offsets),
            parts=tuple(self.parts),
        )


def _sides(row: Row, taken: set[str]) -> list[tuple[str, str, Fraction]]:
    """The one-sided constraints that a row is: name, sense, right-hand side."""
    low, high = row.lower, row.upper
    if low is not None and high is not None:
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
    if low is not None:
        return [(row.name, ">=", low)]
    return [] if high is None else [(row.name, "<=", high)]


def _fresh(name: str, taken: set[str]) -> str:
    """The name, primed until no other right-hand side has it."""
    while name in taken:
        name += "'"
    taken.add(name)
    return name


def _number(value: Fraction | float | str) -> Fraction:
    return parse_rational(value) if isinstance(value, str) else rational(value)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "none"


def side_text(names: Sequence[str], d: Sequence[Fraction]) -> str:
    """A right-hand side as ``r1=3,r2=1/2``."""
    pairs = zip(names, d, strict=True)
    return ",".join(f"{name}={rational_text(value)}" for name, value in pairs)
