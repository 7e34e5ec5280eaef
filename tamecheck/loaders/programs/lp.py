"""CPLEX LP files, read exactly."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.program import Sense
from tamecheck.loaders.programs import draft
from tamecheck.loaders.programs.tokens import LOWER_END, Token, title_of, tokens, unread

_FLIPPED = {"<": ">", ">": "<", "=": "="}
_ONE = Fraction(1)


def read_lp(path: str | os.PathLike[str]) -> draft.ProgramFile:
    """The program in a ``.lp`` file, gzipped or not."""
    text, notes = draft.read_program_text(path)
    return program_from_lp(text, where=str(path), notes=notes)


def program_from_lp(text: str, *, where: str = "", notes: Sequence[str] = ()) -> draft.ProgramFile:
    """The program that an LP text denotes."""
    parser = _Parser(tokens(text))
    parser.draft.notes += notes
    parser.draft.name = title_of(text)
    with draft.locate(where, lambda: parser.line):
        parser.run()
        return parser.draft.file("lp", where)


@dataclass(slots=True)
class _Side:
    """One side of a relation: a linear form, and a constant that may be infinite."""

    terms: dict[int, Fraction] = field(default_factory=dict[int, Fraction])
    constant: Fraction = Fraction(0)
    infinite: str = ""


class _Parser:
    """One pass over the sections; lines are read late, so that the first mistake is reported."""

    def __init__(self, source: Iterator[list[Token]]) -> None:
        self.draft = draft.Draft()
        self.line = 1
        self._source = source
        self._ahead: list[Token] = []
        self._at = 0
        self._binary: list[draft.DraftColumn] = []
        self._bracket = False
        self._pool = ""

    def run(self) -> None:
        """Read the whole file."""
        first = self._take()
        if first.kind != "section" or first.text not in {"minimise", "maximise"}:
            raise InputError(
                f"{first.text[:40]!r} does not begin an LP file.",
                hint="It begins with 'Minimize' or 'Maximize'.",
            )
        self.draft.sense = Sense(first.text)
        self._objective()
        section = self._take()
        if section.text != "rows" or section.kind != "section":
            raise InputError(f"'Subject to' was expected, not {section.text[:40]!r}.")
        while section.text != "end":
            self._section(section.text)
            section = self._take()
            if section.kind == "end":
                raise InputError("The file ends without 'End'.", hint="Is it complete?")
            if section.kind != "section" or section.text in {"minimise", "maximise"}:
                raise InputError(f"What is {section.text[:40]!r}?")
        if not self._next_is("end"):
            raise InputError(f"What is {self._take().text[:40]!r} after 'End'?")
        self._check_binary()

    def _peek(self, distance: int = 0) -> Token:
        """The token at this distance; the end token beyond it."""
        while self._at + distance >= len(self._ahead):
            further = next(self._source, None)
            if further is None:
                return self._ahead[-1]
            if further:
                self._ahead = [*self._ahead[self._at :], *further]
                self._at = 0
        return self._ahead[self._at + distance]

    def _take(self) -> Token:
        """The next token, consumed; the end token stays."""
        token = self._peek()
        if token.kind != "end":
            self._at += 1
        self.line = token.line
        if token.kind == "quadratic" and not self._bracket:
            if token.text == "/":
                raise InputError("What is '/'?")
            raise unread("a quadratic term", token.line)
        return token

    def _next_is(self, *kinds: str) -> bool:
        return self._peek().kind in kinds

    def _section(self, section: str) -> None:
        read = {"bounds": self._bound, "sos": self._set}.get(section)
        if section in {"rows", "lazy", "cuts"}:
            read = self._row
        if read is not None:
            self._pool = "" if section == "rows" else section
            while not self._next_is("section", "end"):
                read()
            return
        while self._next_is("name"):
            column = self._column(self._take())
            if section == "semi":
                column.semi = True
                continue
            column.integral = True
            if section == "binary":
                # bounds given before stay; where they are wider, readers differ
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

    def _column(self, token: Token) -> draft.DraftColumn:
        known = self.draft.column_index.get(token.text)
        if known is None:
            self.draft.notes.append(f"Column {token.text} occurs in no row and no objective.")
            known = self.draft.add_column(token.text)
        return self.draft.columns[known]

    def _label(self) -> str:
        """A name before a colon, or nothing."""
        if not (self._next_is("name") and self._peek(1).kind == "colon"):
            return ""
        name = self._take().text
        self._take()
        return name

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
        side = _Side()
        if not (empty or self._next_is("number", "name", "infinity", "sign", "quadratic")):
            raise InputError(f"A sum was expected, not {self._take().text[:40]!r}.")
        self._plain_terms(side.terms)
        if not side.terms and self._next_is("number", "name", "infinity", "quadratic"):
            self._add(side)
        while self._next_is("sign"):
            self._add(side)
        return side

    def _plain_terms(self, terms: dict[int, Fraction]) -> None:
        """Take the terms of this line from here on that are at most a sign, a number and a name.

        It does nothing that `_add` would not; most of a file is such terms.
        """
        ahead, index = self._ahead, self.draft.column_index
        at, last = self._at, len(ahead) - 3
        while at < last:
            kind, text, _ = ahead[at]
            negative = text == "-" and kind == "sign"
            if kind == "sign":
                at += 1
                kind, text, _ = ahead[at]
            elif terms:
                break
            size = _ONE
            if kind == "number":
                size = draft.number(text)
                at += 1
                kind, text, _ = ahead[at]
            if kind != "name" or ahead[at + 1].kind == "colon":
                break
            j = index.get(text)
            if j is None:
                j = self.draft.add_column(text)
            before, size = terms.get(j), -size if negative else size
            terms[j] = size if before is None else before + size
            at += 1
            self._at = at
            self.line = ahead[at - 1].line

    def _add(self, side: _Side) -> None:
        sign, token = self._signs(), self._peek()
        if token.kind == "infinity":
            side.infinite = f"{'-' if sign < 0 else ''}{self._take().text}"
            return
        if token.text == "[":
            self._quadratic()
            return
        coefficient = _ONE if sign > 0 else -_ONE
        if token.kind == "number":
            size = draft.number(self._take().text)
            coefficient = size if sign > 0 else -size
            if not self._next_is("name") or self._peek(1).kind == "colon":
                side.constant += coefficient
                return
        elif token.kind != "name":
            self._take()
            raise InputError(f"A number or a name was expected, not {token.text[:40]!r}.")
        j = self._named()
        before = side.terms.get(j)
        side.terms[j] = coefficient if before is None else before + coefficient

    def _named(self) -> int:
        """The column of the name that is next."""
        token = self._take()
        if token.kind != "name":
            raise InputError(f"A column was expected, not {token.text[:40]!r}.")
        j = self.draft.column_index.get(token.text)
        return self.draft.add_column(token.text) if j is None else j

    def _quadratic(self) -> None:
        """Quadratic terms in brackets, which must cancel, and a division by 2 after them."""
        self._bracket = True
        line = self._take().line
        forms: dict[tuple[int, ...], Fraction] = {}
        while not self._next_is("section", "end") and self._peek().text != "]":
            coefficient = Fraction(self._signs())
            if self._next_is("number"):
                coefficient *= draft.number(self._take().text)
            factor = self._named()
            mark, other = self._take().text, factor
            if mark == "*":
                other = self._named()
            elif mark != "^" or self._take().text != "2":
                raise InputError("Terms in brackets are such as '3 x ^ 2' or '3 x * y'.")
            pair = tuple(sorted((factor, other)))
            forms[pair] = forms.get(pair, Fraction(0)) + coefficient
        if self._take().text != "]":
            raise InputError("A bracket is not closed.")
        if self._peek().text == "/":
            self._take()
            if self._take().text != "2":
                raise InputError("A bracket may be divided by 2 only.")
        if any(forms.values()):
            raise unread("a quadratic term", line)
        self._bracket = False
        self.draft.notes.append(f"The quadratic terms in line {line} are zero.")

    def _signs(self) -> int:
        sign = 1
        while self._next_is("sign"):
            sign *= -1 if self._take().text == "-" else 1
        return sign

    def _relation(self) -> str:
        token = self._take()
        if token.kind != "relation":
            raise InputError(f"A relation such as <= was expected, not {token.text[:40]!r}.")
        return token.text.replace("=<", "<=").replace("=>", ">=")[0]

    def _right(self) -> _Side:
        """The side after a relation: one signed number, or a sum with names.

        After a number the sum goes on in the same line only: in the next one a row begins.
        """
        distance = 0
        while self._peek(distance).kind == "sign":
            distance += 1
        first, after = self._peek(distance), self._peek(distance + 1)
        lone = after.kind not in {"name", "sign"} or after.line > first.line
        labels = after.kind == "name" and self._peek(distance + 2).kind == "colon"
        if first.kind not in {"number", "infinity"} or not (lone or labels):
            return self._side()
        sign, token = self._signs(), self._take()
        if token.kind == "infinity":
            return _Side(infinite=f"{'-' if sign < 0 else ''}{token.text}")
        return _Side(constant=sign * draft.number(token.text))

    def _row(self) -> None:
        name, start = self._label(), self._peek()
        row = self._limited(name)
        if self._next_is("arrow"):
            self._take()
            indicator = self._indicator(row)
            row = self._limited(name)
            row.indicator = indicator
        row.pool = self._pool
        self._add_row(row, start.line)

    def _indicator(self, row: draft.DraftRow) -> draft.Indicator:
        """The condition that was read as a row: a column is 0, or it is 1."""
        terms = list(row.terms.items())
        if row.lower != row.upper or row.lower not in {0, 1} or len(terms) != 1 or terms[0][1] != 1:
            raise InputError(
                "What stands before '->' is no condition.", hint="Write 'b = 1 ->' or 'b = 0 ->'."
            )
        return draft.Indicator(terms[0][0], row.lower == 1, self.line)

    def _limited(self, name: str) -> draft.DraftRow:
        """A linear form with one bound or two."""
        start = self._peek()
        # after a label, a row may have no terms at all: ``c: <= 3``
        left = self._side(empty=bool(name))
        relation = self._relation()
        row, moved = draft.DraftRow(name, terms=dict(left.terms)), left.constant
        if name and start.kind == "relation":
            _limit(row, relation, self._constant())
        elif not left.terms and not self._is_term_free():
            middle = self._side()
            row.terms, moved = middle.terms, middle.constant
            _limit(row, _FLIPPED[relation], left, moved)
            if self._next_is("relation"):
                outer = self._relation()
                if "=" in {relation, outer}:
                    raise InputError("An equation cannot have two bounds.")
                _limit(row, outer, self._constant(), moved)
        else:
            right = self._right()
            if left.infinite or (right.terms and right.infinite):
                raise InputError("A sum with a variable has an infinite constant.")
            for j, coefficient in right.terms.items():
                row.terms[j] = row.terms.get(j, Fraction(0)) - coefficient
            _limit(row, relation, right, moved)
        if moved:
            self.draft.notes.append(
                f"Line {start.line}: the constant {moved} beside the variables is moved to the"
                " other side; some readers drop it."
            )
        return row

    def _is_term_free(self) -> bool:
        """Whether what follows a constant and a relation is a lone number: ``0 <= 5``.

        What goes on in the next line belongs to the number, or begins another row.
        """
        distance = 0
        while self._peek(distance).kind == "sign":
            distance += 1
        first, after = self._peek(distance), self._peek(distance + 1)
        number_first = first.kind in {"number", "infinity"}
        labels = after.kind == "name" and self._peek(distance + 2).kind == "colon"
        goes_on = after.kind in {"name", "sign"} and not labels
        if number_first and goes_on and after.line > first.line:
            raise InputError(
                f"Is {first.text[:40]} a coefficient, or is the row over? Readers differ.",
                where=str(first.line),
                hint="Do not break the line between a coefficient and its name.",
            )
        return number_first and not goes_on

    def _constant(self) -> _Side:
        side = self._right()
        if side.terms:
            raise InputError("The bounds of a row are numbers.")
        return side

    def _add_row(self, row: draft.DraftRow, line: int) -> None:
        before = self.draft.rows[-1] if self.draft.rows else row
        if row.name == f"{before.name}{LOWER_END}" and _is_lower_end(row, before):
            before.lower = row.lower
            return
        count = len(self.draft.rows) + 1
        while not row.name:
            row.name = f"R{count}" if f"R{count}" not in self.draft.row_index else ""
            count += 1
        if row.name in self.draft.row_index:
            raise InputError(f"The row {row.name!r} occurs twice.", where=str(line))
        self.draft.add_row(row)

    def _set(self) -> None:
        """A special ordered set: ``name: S1:: x:1 y:2``."""
        name, line = "", self._peek().line
        if self._peek(2).kind != "colon":
            name = self._label()
        kind = self._take().text.upper()
        if kind not in {"S1", "S2"} or [self._take().kind, self._take().kind] != ["colon"] * 2:
            raise InputError(
                f"{kind[:40]!r} begins no special ordered set.", hint="Write 's: S1:: x:1 y:2'."
            )
        members: list[tuple[int, Fraction]] = []
        while self._next_is("name") and self._peek(1).kind == "colon":
            if self._peek(2).kind not in {"number", "sign"}:
                break
            j = self._column(self._take())
            self._take()
            members.append((self.draft.column_index[j.name], self._constant().constant))
        self.draft.add_set(draft.OrderedSet(name, int(kind[1]), members, line))

    def _bound(self) -> None:
        left = None if self._next_is("name") else self._constant()
        relation = "" if left is None else self._relation()
        token = self._take()
        if token.kind != "name":
            raise InputError(f"A column was expected, not {token.text[:40]!r}.")
        column = self._column(token)
        if left is not None:
            _limit(column, _FLIPPED[relation], left)
        elif self._next_is("name"):
            word = self._take().text
            if word.lower() != "free":
                raise InputError(f"'free' or a relation was expected, not {word[:40]!r}.")
            column.lower = column.upper = None
            return
        if left is None or self._next_is("relation"):
            _limit(column, self._relation(), self._constant())


def _is_lower_end(row: draft.DraftRow, before: draft.DraftRow) -> bool:
    """Whether a row bounds the same form below that the row before bounds above."""
    one_sided = row.upper is None and before.lower is None and before.upper is not None
    plain = row.indicator is before.indicator is None and row.pool == before.pool
    return one_sided and plain and row.terms == before.terms


def _limit(
    target: draft.DraftRow | draft.DraftColumn,
    relation: str,
    side: _Side,
    moved: Fraction = Fraction(0),
) -> None:
    """Bound a row's linear form plus ``moved``, or a column, by the constant of a side."""
    text, value = side.infinite, side.constant - moved if moved else side.constant
    if relation == "=":
        target.lower = target.upper = draft.number(text) if text else value
    elif relation == "<":
        target.upper = draft.upper_of(text) if text else draft.bound_of(value, 1)
    else:
        target.lower = draft.lower_of(text) if text else draft.bound_of(value, -1)
