"""A program while its file is being read: numbers as the formats write them, and open bounds."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.loaders.files import MAX_TEXT, decode, read_bytes
from tamecheck.loaders.programs.logic import Indicator, OrderedSet, as_linear

INFINITE = 10**20
"""Bounds of at least this size are infinite, as in all solvers that read these formats."""

_INFINITY = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_KINDS = {
    (False, False): Kind.CONTINUOUS,
    (True, False): Kind.INTEGER,
    (False, True): Kind.SEMICONTINUOUS,
    (True, True): Kind.SEMI_INTEGER,
}


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


@dataclass(slots=True)
class DraftRow:
    """A row whose terms and bounds may still change."""

    name: str
    lower: Bound = None
    upper: Bound = None
    terms: dict[int, Fraction] = field(default_factory=dict[int, Fraction])
    indicator: Indicator | None = None
    pool: str = ""
    """``lazy`` of a lazy constraint, ``cuts`` of a user cut."""


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
    sets: list[OrderedSet] = field(default_factory=list[OrderedSet])
    notes: list[str] = field(default_factory=list[str])

    def add_column(self, name: str) -> int:
        """The position of a new column."""
        self.column_index[name] = len(self.columns)
        self.columns.append(DraftColumn(name))
        return len(self.columns) - 1

    def add_row(self, row: DraftRow) -> None:
        """Add a new row."""
        self.row_index[row.name] = len(self.rows)
        self.rows.append(row)

    def add_set(self, chosen: OrderedSet) -> None:
        """Add a special ordered set.

        Raises
        ------
        InputError
            If a column occurs twice, or the weights of a set of kind 2 give no order.
        """
        columns = [j for j, _ in chosen.members]
        weights = {weight for _, weight in chosen.members}
        if len(set(columns)) < len(columns):
            raise InputError(f"The set {chosen.name!r} has a column twice.", where=str(chosen.line))
        if chosen.kind == 2 and len(weights) < len(columns):
            raise InputError(
                f"Two columns of the set {chosen.name!r} have the same weight, so that they are in"
                " no order.",
                where=str(chosen.line),
            )
        self.sets.append(chosen)

    def file(self, form: str, where: str) -> ProgramFile:
        """The program as it is now, without zero coefficients, and the notes."""
        lazy = sum(row.pool == "lazy" for row in self.rows)
        kept = [row for row in self.rows if row.pool != "cuts"]
        if lazy:
            self.notes.append(f"Lazy constraints are read as rows ({lazy}).")
        if len(kept) < len(self.rows):
            cuts = len(self.rows) - len(kept)
            self.notes.append(f"User cuts are left out, as they exclude no solution ({cuts}).")
        semi_integer = [c.name for c in self.columns if c.integral and c.semi]
        if semi_integer:
            self.notes.append(
                f"Integer and semi-continuous columns are semi-integer: {', '.join(semi_integer)}."
            )
        columns = [
            Column(c.name, c.lower, c.upper, _KINDS[c.integral, c.semi], c.cost)
            for c in self.columns
        ]
        rows = [
            Row(r.name, tuple((j, a) for j, a in sorted(r.terms.items()) if a), r.lower, r.upper)
            for r in kept
        ]
        conditions = {i: row.indicator for i, row in enumerate(kept) if row.indicator is not None}
        if conditions or self.sets:
            columns, rows = as_linear(columns, rows, conditions, self.sets, self.notes)
        program = Program(
            columns=tuple(columns),
            rows=tuple(rows),
            sense=self.sense,
            constant=self.constant,
            name=self.name,
            objective_name=self.objective_name,
        )
        return ProgramFile(program, form, where, tuple(self.notes))


def read_program_text(path: str | os.PathLike[str]) -> tuple[str, list[str]]:
    """The text of a program's file, and notes: what is not UTF-8 is read as Latin-1."""
    data = read_bytes(path, limit=MAX_TEXT)
    try:
        return decode(data, str(path)), []
    except InputError:
        return data.decode("latin-1"), ["The file is not UTF-8: it is read as Latin-1."]


@contextmanager
def locate(where: str, line: Callable[[], int]) -> Generator[None]:
    """Name the file in an error, and the line: its own, or the one that has been reached."""
    try:
        yield
    except (InputError, UnsupportedError) as error:
        place = f"{where}:{error.where or line()}"
        raise type(error)(error.what, where=place, hint=error.hint) from None


def number(text: str) -> Fraction:
    """The number that a decimal or ``p/q`` literal denotes; ``1.0D3`` is Fortran's ``1.0e3``."""
    if text.lower().lstrip("+-").startswith(("nan", "inf")):
        raise InputError(f"{text!r} is not a real number.", hint="Coefficients must be finite.")
    return parse_rational(re.sub("[dD]", "e", text, count=1))


def lower_of(text: str) -> Bound:
    """A lower bound: None if the literal is minus infinity."""
    return _bound(text, -1, "a lower bound")


def upper_of(text: str) -> Bound:
    """An upper bound: None if the literal is plus infinity."""
    return _bound(text, 1, "an upper bound")


def _bound(text: str, side: int, what: str) -> Bound:
    value = None if _INFINITY.fullmatch(text) else number(text)
    if value is not None and abs(value) < INFINITE:
        return value
    sign = (-1 if text.startswith("-") else 1) if value is None else value
    if sign * side < 0:
        raise InputError(f"{text!r} cannot be {what}.")
    return None
