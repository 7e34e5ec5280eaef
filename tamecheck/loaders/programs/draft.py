"""A program while its file is being read: numbers as the formats write them, and open bounds.

Special ordered sets and indicator rows become linear rows with binary columns, exactly.  A column
of a set needs finite bounds, and so does the linear form of an indicator row: those that are not
written are proved, by an exact linear program over the rows that hold in every case.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from tamecheck.budget import Budget
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.answer import Infeasible, Optimal
from tamecheck.ir.box import Bound, is_crossed
from tamecheck.ir.exact import ONE, ZERO, parse_rational
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.loaders.files import MAX_TEXT, decode, read_bytes

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Indicator:
    """The condition of a row that need hold only if a binary column has this value."""

    column: int
    value: bool
    line: int


@dataclass(frozen=True, slots=True)
class OrderedSet:
    """Columns with weights of which one may be nonzero (kind 1), or two that are neighbours (2)."""

    name: str
    kind: int
    members: list[tuple[int, Fraction]]
    line: int


def as_linear(
    columns: Sequence[Column],
    rows: Sequence[Row],
    conditions: Mapping[int, Indicator],
    sets: Sequence[OrderedSet],
    notes: list[str],
) -> tuple[list[Column], list[Row]]:
    """Columns and rows of the same points, together with values of the binary columns added.

    Parameters
    ----------
    columns, rows
        Of the program; names are distinct.
    conditions
        For rows by their position: when they have to hold.
    sets
        The special ordered sets.
    notes
        What is added to the program is said here.

    Raises
    ------
    UnsupportedError
        If a bound that is needed does not exist, or the column of a condition is not binary.
    """
    own = _Rewriting(columns, rows, conditions)
    for i, condition in conditions.items():
        own.condition(rows[i], condition)
    for number, chosen in enumerate(sets, start=1):
        own.ordered(chosen, chosen.name or f"set{number}")
    added = len(own.columns) - len(columns)
    if conditions:
        notes.append(f"Indicator rows are read as rows with proved bounds ({len(conditions)}).")
    if sets:
        notes.append(
            f"Special ordered sets ({len(sets)}) are read as rows with {added} more binary columns."
        )
    return own.columns, own.rows


class _Rewriting:
    def __init__(
        self, columns: Sequence[Column], rows: Sequence[Row], conditions: Mapping[int, Indicator]
    ) -> None:
        self.columns = list(columns)
        self.rows = [row for i, row in enumerate(rows) if i not in conditions]
        self._always = Program(tuple(columns), tuple(self.rows))
        self._names = {row.name for row in rows}
        self._column_names = {column.name for column in columns}
        self._budget = Budget.of(_SECONDS)

    def condition(self, row: Row, condition: Indicator) -> None:
        """Add a row that holds where the condition does."""
        switch = self.columns[condition.column]
        line = str(condition.line)
        if not switch.kind.integral or switch.kind.semi or not _within_unit(switch):
            what = f"The column {switch.name[:40]!r} of a condition is not binary."
            raise UnsupportedError(what, where=line)
        sides = [(1, row.upper), (-1, row.lower)]
        given = [(sign, sign * end) for sign, end in sides if end is not None]
        for sign, end in given:
            form = {j: sign * a for j, a in row.terms}
            most = self._most(form)
            if most is None:
                raise UnsupportedError(
                    f"The indicator row {row.name[:40]!r} has no finite bound where it need not"
                    " hold, so that no linear row says the same.",
                    where=line,
                    hint="Give its columns finite bounds.",
                )
            # form + slack * (condition holds) <= end + slack
            slack = max(most - end, ZERO)
            weight = slack if condition.value else -slack
            form[condition.column] = form.get(condition.column, ZERO) + weight
            limit = end + slack if condition.value else end
            name = row.name if len(given) == 1 else f"{row.name}@{'upper' if sign > 0 else 'lower'}"
            if sign > 0:
                self._add(name, form, upper=limit, own=len(given) == 1)
            else:
                self._add(name, {j: -a for j, a in form.items()}, lower=-limit, own=len(given) == 1)

    def ordered(self, chosen: OrderedSet, name: str) -> None:
        """Add the switches and rows of a special ordered set."""
        members = [j for j, _ in sorted(chosen.members, key=lambda member: member[1])]
        if len(members) <= chosen.kind:
            return
        ends = [self._ends(j, name, chosen.line) for j in members]
        if chosen.kind == 1:
            places = [[self._switch(j, name, *end)] for j, end in zip(members, ends, strict=True)]
        else:
            # a switch for each pair of neighbours, of which one is on
            pairs = [self._binary(f"{self.columns[j].name}@{name}") for j in members[:-1]]
            places = [pairs[max(k - 1, 0) : k + 1] for k in range(len(members))]
        switches = sorted({k for own in places for k in own})
        self._add(name, dict.fromkeys(switches, ONE), upper=ONE)
        for j, own, (low, high) in zip(members, places, ends, strict=True):
            if own == [j]:
                continue
            label = f"{self.columns[j].name}@{name}"
            self._add(f"{label}_upper", {j: ONE} | dict.fromkeys(own, -high), upper=ZERO)
            self._add(f"{label}_lower", {j: ONE} | dict.fromkeys(own, -low), lower=ZERO)

    def _switch(self, j: int, name: str, low: Fraction, high: Fraction) -> int:
        """A binary column that is 1 where a column is not 0; a binary column is its own."""
        column = self.columns[j]
        if column.kind.integral and low == 0 and high == 1:
            return j
        return self._binary(f"{column.name}@{name}")

    def _binary(self, name: str) -> int:
        while name in self._column_names:
            name += "'"
        self._column_names.add(name)
        self.columns.append(Column(name, upper=ONE, kind=Kind.INTEGER))
        return len(self.columns) - 1

    def _add(
        self,
        name: str,
        form: Mapping[int, Fraction],
        *,
        lower: Bound = None,
        upper: Bound = None,
        own: bool = False,
    ) -> None:
        while name in self._names and not own:
            name += "'"
        self._names.add(name)
        terms = tuple((j, a) for j, a in sorted(form.items()) if a)
        self.rows.append(Row(name, terms, lower, upper))

    def _ends(self, j: int, name: str, line: int) -> tuple[Fraction, Fraction]:
        """Bounds of a column of a set, with 0 in between."""
        low, high = _hull(self.columns[j])
        least = self._most({j: Fraction(-1)}) if low is None else -low
        most = self._most({j: ONE}) if high is None else high
        if least is None or most is None:
            raise UnsupportedError(
                f"The column {self.columns[j].name[:40]!r} of the set {name[:40]!r} has no finite"
                f" {'lower' if least is None else 'upper'} bound, and the rows imply none.",
                where=str(line),
                hint="Give it one: special ordered sets are read as rows with binary columns.",
            )
        return min(-least, ZERO), max(most, ZERO)

    def _most(self, form: Mapping[int, Fraction]) -> Bound:
        """A proved upper bound of a linear form over the rows without condition."""
        total = ZERO
        for j, a in form.items():
            low, high = _hull(self.columns[j])
            end = high if a > 0 else low
            if end is None:
                return self._most_over_rows(form)
            total += a * end
        return total

    def _most_over_rows(self, form: Mapping[int, Fraction]) -> Bound:
        from tamecheck.exact.linear import Box, minimum, simple

        program = self._always
        box = [_hull(column) for column in program.columns]
        if any(is_crossed(*ends) for ends in (*box, *((r.lower, r.upper) for r in program.rows))):
            return ZERO
        costs = [-form.get(j, ZERO) for j in range(len(program.columns))]
        ends = Box([simple(low) for low, _ in box], [simple(high) for _, high in box])
        match minimum(program, costs, ends, budget=self._budget):
            case Optimal(objective=least):
                return -least
            case Infeasible():
                # there is no point, with whatever rows
                return ZERO
            case _:
                return None


def _hull(column: Column) -> tuple[Bound, Bound]:
    low, high = column.lower, column.upper
    if column.kind.semi:
        low = None if low is None else min(low, ZERO)
        high = None if high is None else max(high, ZERO)
    return low, high


def _within_unit(column: Column) -> bool:
    low, high = column.lower, column.upper
    return low is not None and low >= 0 and high is not None and high <= 1


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
        self.notes += [
            f"Column {c.name} has a negative upper bound and the lower bound 0."
            for c in self.columns
            if c.upper is not None and c.lower == 0 and c.upper < 0
        ]
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


@lru_cache(maxsize=1 << 14)
def number(text: str) -> Fraction:
    """The number that a decimal or ``p/q`` literal denotes; ``1.0D3`` is Fortran's ``1.0e3``."""
    if text.lower().lstrip("+-").startswith(("nan", "inf")):
        raise InputError(f"{text!r} is not a real number.", hint="Coefficients must be finite.")
    return parse_rational(re.sub("[dD]", "e", text, count=1))


def lower_of(text: str) -> Bound:
    """A lower bound: None if the literal is minus infinity."""
    return _bound(text, -1)


def upper_of(text: str) -> Bound:
    """An upper bound: None if the literal is plus infinity."""
    return _bound(text, 1)


def _bound(text: str, side: int) -> Bound:
    if _INFINITY.fullmatch(text):
        return bound_of(Fraction(-INFINITE if text.startswith("-") else INFINITE), side, text)
    return bound_of(number(text), side, text)


def bound_of(value: Fraction, side: int, text: str = "") -> Bound:
    """The bound above (``side`` 1) or below (-1), None if infinite; ``text`` is how it reads."""
    if -INFINITE < value < INFINITE:
        return value
    if value * side < 0:
        what = "an upper bound" if side > 0 else "a lower bound"
        raise InputError(f"{text or str(value)!r} cannot be {what}.")
    return None
