"""CPLEX LP files, read exactly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.box import Bound
from tamecheck.ir.program import Sense
from tamecheck.loaders.files import read_text
from tamecheck.loaders.programs.draft import (
    Draft,
    DraftColumn,
    DraftRow,
    ProgramFile,
    lower_of,
    number,
    upper_of,
)
from tamecheck.loaders.programs.lp_tokens import Kind, Token, title, tokens

__all__ = ["program_from_lp", "read_lp"]


def read_lp(path: str | os.PathLike[str]) -> ProgramFile:
    """The program in a ``.lp`` file, gzipped or not."""
    return program_from_lp(read_text(path), where=str(path))


def program_from_lp(text: str, *, where: str = "") -> ProgramFile:
    """The program that an LP text denotes."""
    parser = _Parser(_Stream(tokens(text)))
    parser.draft.name = title(text)
    try:
        parser.run()
        program = parser.draft.finished()
    except UnsupportedError as error:
        raise UnsupportedError(error.what, where=f"{where}:{error.where}") from None
    except InputError as error:
        at = error.where or str(parser.line)
        raise InputError(error.what, where=f"{where}:{at}", hint=error.hint) from None
    return ProgramFile(program, "lp", where, tuple(parser.draft.notes))


class _Stream:
    """The tokens, read as late as possible so that the first mistake is the one reported."""

    def __init__(self, source: Iterator[Token]) -> None:
        self._source = source
        self._ahead: list[Token] = []

    def peek(self, distance: int = 0) -> Token:
        """The token at this distance; the end token beyond it."""
        while len(self._ahead) <= distance:
            token = next(self._source, None)
            if token is None:
                return self._ahead[-1]
            self._ahead.append(token)
        return self._ahead[distance]

    def next(self) -> Token:
        """The next token, consumed; the end token stays."""
        token = self.peek()
        if token.kind is not Kind.END:
            self._ahead.pop(0)
        return token


@dataclass(slots=True)
class _Side:
    """One side of a relation: a linear form, and a constant that may be infinite."""

    terms: dict[int, Fraction] = field(default_factory=dict[int, Fraction])
    constant: Fraction = Fraction(0)
    infinite: str = ""

    @property
    def plain(self) -> bool:
        """Whether there is no variable."""
        return not self.terms

    def text(self) -> str:
        """The constant as a literal."""
        return self.infinite or str(self.constant)


class _Parser:
    """One pass over the sections."""

    def __init__(self, stream: _Stream) -> None:
        self.draft = Draft()
        self.line = 1
        self._stream = stream
        self._binary: list[DraftColumn] = []

    def run(self) -> None:
        """Read the whole file."""
        first = self._take()
        if first.kind is not Kind.SECTION or first.text not in {"minimise", "maximise"}:
            raise InputError(
                f"{first.text[:40]!r} does not begin an LP file.",
                hint="It begins with 'Minimize' or 'Maximize'.",
            )
        self.draft.sense = Sense(first.text)
        self._objective()
        section = self._take()
        if section.text != "rows" or section.kind is not Kind.SECTION:
            raise InputError(f"'Subject to' was expected, not {section.text[:40]!r}.")
        while section.text != "end":
            self._section(section.text)
            section = self._take()
            if section.kind is Kind.END:
                raise InputError("The file ends without 'End'.", hint="Is it complete?")
            if section.kind is not Kind.SECTION or section.text in {"minimise", "maximise"}:
                raise InputError(f"What is {section.text[:40]!r}?")
        if self._stream.peek().kind is not Kind.END:
            raise InputError(f"What is {self._take().text[:40]!r} after 'End'?")
        self._check_binary()
        for column in self.draft.columns:
            if column.upper is not None and column.upper < 0 and column.lower == 0:
                self.draft.notes.append(
                    f"Column {column.name} has a negative upper bound and the lower bound 0."
                )

    def _take(self) -> Token:
        token = self._stream.next()
        self.line = token.line
        return token

    def _next_is(self, *kinds: Kind) -> bool:
        return self._stream.peek().kind in kinds

    def _section(self, section: str) -> None:
        match section:
            case "rows":
                while not self._next_is(Kind.SECTION, Kind.END):
                    self._row()
            case "bounds":
                while not self._next_is(Kind.SECTION, Kind.END):
                    self._bound()
            case _:
                while self._next_is(Kind.NAME):
                    self._restrict(self._named(self._take()), section)

    def _restrict(self, column: DraftColumn, section: str) -> None:
        if section == "semi":
            column.semi = True
            return
        column.integral = True
        if section == "binary":
            # bounds given before stay; readers differ where they are wider: see `_check_binary`
            column.upper = Fraction(1) if column.upper is None else column.upper
            self._binary.append(column)

    def _check_binary(self) -> None:
        for column in self._binary:
            low, high = column.lower, column.upper
            if low is None or low < 0 or high is None or high > 1:
                raise InputError(
                    f"Column {column.name[:40]!r} is binary and has bounds beyond 0 and 1, which"
                    " readers take in different ways.",
                    hint="List it under 'Generals', or remove its bounds.",
                )

    def _named(self, token: Token) -> DraftColumn:
        known = self.draft.column_index.get(token.text)
        if known is None:
            self.draft.notes.append(f"Column {token.text} occurs in no row and no objective.")
            known = self.draft.add_column(token.text)
        return self.draft.columns[known]

    def _label(self) -> str:
        """A name before a colon, or nothing."""
        if self._next_is(Kind.NAME) and self._stream.peek(1).kind is Kind.COLON:
            name = self._take().text
            self._take()
            return name
        return ""

    def _objective(self) -> None:
        self.draft.objective_name = self._label() or "obj"
        side = self._side(empty=True)
        if side.infinite:
            raise InputError("The objective has an infinite constant.")
        self.draft.constant = side.constant
        for j, cost in side.terms.items():
            self.draft.columns[j].cost = cost

    def _side(self, *, empty: bool = False) -> _Side:
        """A sum of signed numbers and terms; it ends before what cannot continue a sum."""
        side, first = _Side(), True
        if not (empty or self._next_is(Kind.NUMBER, Kind.NAME, Kind.INFINITY, Kind.SIGN)):
            raise InputError(f"A sum was expected, not {self._take().text[:40]!r}.")
        while (first and self._next_is(Kind.NUMBER, Kind.NAME, Kind.INFINITY)) or self._next_is(
            Kind.SIGN
        ):
            self._add(side)
            first = False
        return side

    def _add(self, side: _Side) -> None:
        coefficient = Fraction(self._signs())
        token = self._stream.peek()
        if token.kind is Kind.INFINITY:
            side.infinite = f"{'-' if coefficient < 0 else ''}{self._take().text}"
            return
        if token.kind is Kind.NUMBER:
            coefficient *= number(self._take().text)
            if not self._next_is(Kind.NAME) or self._starts_label():
                side.constant += coefficient
                return
        elif token.kind is not Kind.NAME:
            self._take()
            raise InputError(f"A number or a name was expected, not {token.text[:40]!r}.")
        name = self._take().text
        j = self.draft.column_index.get(name)
        if j is None:
            j = self.draft.add_column(name)
        side.terms[j] = side.terms.get(j, Fraction(0)) + coefficient

    def _signs(self) -> int:
        sign = 1
        while self._next_is(Kind.SIGN):
            sign *= -1 if self._take().text == "-" else 1
        return sign

    def _starts_label(self) -> bool:
        return self._stream.peek(1).kind is Kind.COLON

    def _relation(self) -> str:
        token = self._take()
        if token.kind is not Kind.RELATION:
            raise InputError(f"A relation such as <= was expected, not {token.text[:40]!r}.")
        return token.text.replace("=<", "<=").replace("=>", ">=")[0]

    def _right(self) -> _Side:
        """The side after a relation: one signed number, or a sum that begins with a name."""
        distance = 0
        while self._stream.peek(distance).kind is Kind.SIGN:
            distance += 1
        if self._stream.peek(distance).kind not in {Kind.NUMBER, Kind.INFINITY}:
            return self._side()
        sign, token = self._signs(), self._take()
        if token.kind is Kind.INFINITY:
            return _Side(infinite=f"{'-' if sign < 0 else ''}{token.text}")
        return _Side(constant=sign * number(token.text))

    def _row(self) -> None:
        name = self._label()
        start = self._stream.peek()
        # after a label, a row may have no terms at all: ``c: <= 3``
        left = self._side(empty=bool(name))
        if name and start.kind is Kind.RELATION:
            row = DraftRow(name)
            _limit(row, self._relation(), self._constant())
            self._add_row(row, start.line)
            return
        relation = self._relation()
        if left.plain and not self._is_term_free():
            middle = self._side()
            row, moved = DraftRow(name, terms=middle.terms), middle.constant
            _limit(row, _FLIPPED[relation], left, moved)
            if self._next_is(Kind.RELATION):
                outer = self._relation()
                if "=" in {relation, outer}:
                    raise InputError("An equation cannot have two bounds.")
                _limit(row, outer, self._constant(), moved)
        else:
            right = self._right()
            if left.infinite:
                raise InputError("A sum with a variable has an infinite constant.")
            row, moved = DraftRow(name, terms=dict(left.terms)), left.constant
            for j, coefficient in right.terms.items():
                row.terms[j] = row.terms.get(j, Fraction(0)) - coefficient
            _limit(row, relation, _Side({}, right.constant, right.infinite), moved)
        self._add_row(row, start.line)
        if moved:
            self.draft.notes.append(
                f"Row {row.name}: the constant {moved} beside the variables is moved to the right;"
                " some readers drop it."
            )

    def _is_term_free(self) -> bool:
        """Whether what follows a constant and a relation is a lone number: ``0 <= 5``."""
        distance = 0
        while self._stream.peek(distance).kind is Kind.SIGN:
            distance += 1
        first, after = self._stream.peek(distance), self._stream.peek(distance + 1)
        number_first = first.kind in {Kind.NUMBER, Kind.INFINITY}
        if number_first and after.kind is Kind.NAME and after.line > first.line:
            raise InputError(
                f"Is {first.text[:40]} a coefficient, or is the row over? Readers differ.",
                where=str(first.line),
                hint="Do not break the line between a coefficient and its name.",
            )
        return number_first and after.kind not in {Kind.NAME, Kind.SIGN}

    def _constant(self) -> _Side:
        side = self._right()
        if not side.plain:
            raise InputError("The bounds of a row are numbers.")
        return side

    def _add_row(self, row: DraftRow, line: int) -> None:
        if not row.name:
            count = len(self.draft.rows) + 1
            while f"R{count}" in self.draft.row_index:
                count += 1
            row.name = f"R{count}"
        if row.name in self.draft.row_index:
            raise InputError(f"The row {row.name!r} occurs twice.", where=str(line))
        self.draft.add_row(row)

    def _bound(self) -> None:
        if self._next_is(Kind.NAME):
            column = self._named(self._take())
            if self._next_is(Kind.NAME):
                word = self._take().text
                if word.lower() != "free":
                    raise InputError(f"'free' or a relation was expected, not {word[:40]!r}.")
                column.lower = column.upper = None
                return
            relation = self._relation()
            _bound_column(column, relation, self._constant())
            return
        left = self._constant()
        relation = self._relation()
        token = self._take()
        if token.kind is not Kind.NAME:
            raise InputError(f"A column was expected, not {token.text[:40]!r}.")
        column = self._named(token)
        _bound_column(column, _FLIPPED[relation], left)
        if self._next_is(Kind.RELATION):
            _bound_column(column, self._relation(), self._constant())


_FLIPPED = {"<": ">", ">": "<", "=": "="}


def _limit(row: DraftRow, relation: str, side: _Side, moved: Fraction = Fraction(0)) -> None:
    """Bound the row's linear form plus ``moved`` by the constant of a side."""
    text = side.infinite or str(side.constant - moved)
    low, high = _ends(relation, text)
    row.lower = low if relation != "<" else row.lower
    row.upper = high if relation != ">" else row.upper


def _bound_column(column: DraftColumn, relation: str, side: _Side) -> None:
    low, high = _ends(relation, side.text())
    column.lower = low if relation != "<" else column.lower
    column.upper = high if relation != ">" else column.upper


def _ends(relation: str, text: str) -> tuple[Bound, Bound]:
    """The interval that a relation to a constant describes."""
    if relation == "=":
        value = number(text)
        return value, value
    return (None, upper_of(text)) if relation == "<" else (lower_of(text), None)
