"""A program while its file is being read: numbers as the formats write them, and open bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.program import Column, Kind, Program, Row, Sense

__all__ = [
    "INFINITE",
    "Draft",
    "DraftColumn",
    "DraftRow",
    "ProgramFile",
    "lower_of",
    "number",
    "upper_of",
]

INFINITE = 10**20
"""Bounds of at least this size are infinite, as in all solvers that read these formats."""

_INFINITY = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ProgramFile:
    """A program as read from a file: its format, the file, and notes about the reading."""

    program: Program
    format: str
    where: str
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class DraftColumn:
    """A column whose bounds and kind may still change; whether each bound was written."""

    name: str
    lower: Bound = Fraction(0)
    upper: Bound = None
    integral: bool = False
    semi: bool = False
    cost: Fraction = Fraction(0)
    lower_given: bool = False
    upper_given: bool = False

    def finished(self) -> Column:
        """The column as it is now."""
        kinds = {
            (False, False): Kind.CONTINUOUS,
            (True, False): Kind.INTEGER,
            (False, True): Kind.SEMICONTINUOUS,
            (True, True): Kind.SEMI_INTEGER,
        }
        kind = kinds[self.integral, self.semi]
        return Column(self.name, self.lower, self.upper, kind, self.cost)


@dataclass(slots=True)
class DraftRow:
    """A row whose terms and bounds may still change."""

    name: str
    lower: Bound = None
    upper: Bound = None
    terms: dict[int, Fraction] = field(default_factory=dict[int, Fraction])

    def finished(self) -> Row:
        """The row as it is now, without zero coefficients."""
        terms = tuple((j, a) for j, a in sorted(self.terms.items()) if a)
        return Row(self.name, terms, self.lower, self.upper)


@dataclass(slots=True)
class Draft:
    """Rows and columns in the order in which they were first named."""

    name: str = ""
    objective_name: str = ""
    sense: Sense = Sense.MINIMISE
    constant: Fraction = Fraction(0)
    columns: list[DraftColumn] = field(default_factory=list[DraftColumn])
    rows: list[DraftRow] = field(default_factory=list[DraftRow])
    column_index: dict[str, int] = field(default_factory=dict[str, int])
    row_index: dict[str, int] = field(default_factory=dict[str, int])
    notes: list[str] = field(default_factory=list[str])

    def add_column(self, name: str) -> int:
        """The position of a new column."""
        self.column_index[name] = len(self.columns)
        self.columns.append(DraftColumn(name))
        return len(self.columns) - 1

    def add_row(self, row: DraftRow) -> int:
        """The position of a new row."""
        self.row_index[row.name] = len(self.rows)
        self.rows.append(row)
        return len(self.rows) - 1

    def finished(self) -> Program:
        """The program."""
        return Program(
            columns=tuple(column.finished() for column in self.columns),
            rows=tuple(row.finished() for row in self.rows),
            sense=self.sense,
            constant=self.constant,
            name=self.name,
            objective_name=self.objective_name,
        )


def number(text: str) -> Fraction:
    """The number that a decimal or ``p/q`` literal denotes; ``1.0D3`` is Fortran's ``1.0e3``."""
    if text.lower().lstrip("+-").startswith(("nan", "inf")):
        raise InputError(f"{text!r} is not a real number.", hint="Coefficients must be finite.")
    return parse_rational(re.sub("[dD]", "e", text, count=1))


def lower_of(text: str) -> Bound:
    """A lower bound: None if the literal is minus infinity."""
    value = _extended(text)
    if isinstance(value, Fraction):
        return value
    if value > 0:
        raise InputError(f"{text!r} cannot be a lower bound.")
    return None


def upper_of(text: str) -> Bound:
    """An upper bound: None if the literal is plus infinity."""
    value = _extended(text)
    if isinstance(value, Fraction):
        return value
    if value < 0:
        raise InputError(f"{text!r} cannot be an upper bound.")
    return None


def _extended(text: str) -> Fraction | int:
    """The number, or 1 or -1 for an infinity."""
    if _INFINITY.fullmatch(text):
        return -1 if text.startswith("-") else 1
    value = number(text)
    if abs(value) >= INFINITE:
        return 1 if value > 0 else -1
    return value
