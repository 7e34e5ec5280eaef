"""CPLEX LP files, read exactly."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.program import Sense
from tamecheck.loaders.files import BLANKS, lines_of, read_text
from tamecheck.loaders.programs.draft import (
    Draft,
    DraftColumn,
    DraftRow,
    ProgramFile,
    locate,
    lower_of,
    number,
    upper_of,
)

_SECTIONS = {
    "minimize": "minimise",
    "minimise": "minimise",
    "minimum": "minimise",
    "min": "minimise",
    "maximize": "maximise",
    "maximise": "maximise",
    "maximum": "maximise",
    "max": "maximise",
    "subject to": "rows",
    "such that": "rows",
    "st": "rows",
    "s.t.": "rows",
    "st.": "rows",
    "bounds": "bounds",
    "bound": "bounds",
    "generals": "integer",
    "general": "integer",
    "gen": "integer",
    "integers": "integer",
    "integer": "integer",
    "int": "int",
    "binaries": "binary",
    "binary": "binary",
    "bin": "binary",
    "semi-continuous": "semi",
    "semis": "semi",
    "semi": "semi",
    "end": "end",
    "sos": "sos",
    "sos1": "sos",
    "sos2": "sos",
    "lazy constraints": "lazy constraints",
    "user cuts": "user cuts",
    "general constraints": "general constraints",
    "pwlobj": "pwlobj",
}
_UNSUPPORTED = {
    "int": "a section 'int', which some readers take for a name",
    "sos": "special ordered sets",
    "lazy constraints": "lazy constraints",
    "user cuts": "user cuts",
    "general constraints": "general constraints",
    "pwlobj": "a piecewise linear objective",
}
_KEYWORD = re.compile(
    rf"[{BLANKS}]*("
    + "|".join(
        re.escape(word).replace(r"\ ", rf"[{BLANKS}]+")
        for word in sorted(_SECTIONS, key=len, reverse=True)
    )
    + rf")(?![^{BLANKS}:+\-<>=])[{BLANKS}]*(.*)",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\\\s*Problem name\s*:\s*(.*)", re.IGNORECASE)
_PART = r"[^\s:+\-*^<>=\[\]\\]"
_NAME = rf"(?:[^\W\d]|[!\"#$%&(),;?@_'`{{}}~|]){_PART}*(?:\[{_PART}+\]{_PART}*)*"
_TOKEN = re.compile(
    r"(?P<number>\d+/\d+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<relation><=|=<|>=|=>|<|>|=)|(?P<sign>[+-])|(?P<colon>:)"
    rf"|(?P<name>{_NAME})|(?P<quadratic>[\[\]*^])"
)
_FLIPPED = {"<": ">", ">": "<", "=": "="}


def read_lp(path: str | os.PathLike[str]) -> ProgramFile:
    """The program in a ``.lp`` file, gzipped or not."""
    return program_from_lp(read_text(path), where=str(path))


def program_from_lp(text: str, *, where: str = "") -> ProgramFile:
    """The program that an LP text denotes."""
    parser = _Parser(_tokens(text))
    parser.draft.name = _title(text)
    with locate(where, lambda: parser.line):
        parser.run()
        return parser.draft.file("lp", where)


def is_name(text: str) -> bool:
    """Whether a text followed by a colon is read as one name."""
    # after a number, other readers would take such a name for an exponent
    return bool(re.fullmatch(_NAME, text)) and not re.fullmatch(r"[eE]\d.*", text)


def is_keyword(text: str) -> bool:
    """Whether a text may be read as more than a name where no colon follows."""
    return text.lower() in {"free", "inf", "infinity", "nan", *_SECTIONS}


def _title(text: str) -> str:
    """The problem's name, which a comment may give."""
    found = (_TITLE.match(line.strip(BLANKS)) for line in lines_of(text))
    return next((title[1].strip(BLANKS) for title in found if title), "")


@dataclass(frozen=True, slots=True)
class _Token:
    """A section keyword, number, infinity, name, sign, relation or colon, or the end; its line."""

    kind: str
    text: str
    line: int


def _tokens(text: str) -> Iterator[_Token]:
    """The tokens of an LP text, with section keywords told apart from names."""
    line = 0
    for line, raw in enumerate(lines_of(text), start=1):
        content = raw.split("\\", 1)[0]
        found = _KEYWORD.fullmatch(content)
        if found and not found[2].startswith((":", "+", "-", "<", ">", "=")):
            section = _SECTIONS[" ".join(found[1].lower().split())]
            if section in _UNSUPPORTED:
                raise _unread(_UNSUPPORTED[section], line)
            yield _Token("section", section, line)
            content = found[2]
        yield from _plain(content, line)
    yield _Token("end", "", line)


def _plain(content: str, line: int) -> Iterator[_Token]:
    position = 0
    while position < len(content):
        if content[position] in BLANKS:
            position += 1
            continue
        if content.startswith("->", position):
            raise _unread("an indicator constraint", line)
        found = _TOKEN.match(content, position)
        if found is None:
            raise InputError(f"What is {content[position]!r}?", where=str(line))
        kind, word, position = str(found.lastgroup), found[0].lower(), found.end()
        if kind == "quadratic":
            raise _unread("a quadratic term", line)
        labels = content[position:].lstrip(BLANKS).startswith(":")
        if kind == "name" and word == "nan" and not labels:
            raise InputError(f"{found[0]!r} is no number.", where=str(line))
        infinite = kind == "name" and word in {"inf", "infinity"}
        yield _Token("infinity" if infinite else kind, found[0], line)


def _unread(what: str, line: int) -> UnsupportedError:
    return UnsupportedError(f"The file has {what}, which is not read.", where=str(line))


@dataclass(slots=True)
class _Side:
    """One side of a relation: a linear form, and a constant that may be infinite."""

    terms: dict[int, Fraction] = field(default_factory=dict[int, Fraction])
    constant: Fraction = Fraction(0)
    infinite: str = ""


class _Parser:
    """One pass over the sections; tokens are read late, so that the first mistake is reported."""

    def __init__(self, source: Iterator[_Token]) -> None:
        self.draft = Draft()
        self.line = 1
        self._source = source
        self._ahead: list[_Token] = []
        self._binary: list[DraftColumn] = []

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
        for column in self.draft.columns:
            if column.upper is not None and column.upper < 0 and column.lower == 0:
                self.draft.notes.append(
                    f"Column {column.name} has a negative upper bound and the lower bound 0."
                )

    def _peek(self, distance: int = 0) -> _Token:
        """The token at this distance; the end token beyond it."""
        while len(self._ahead) <= distance:
            token = next(self._source, None)
            if token is None:
                return self._ahead[-1]
            self._ahead.append(token)
        return self._ahead[distance]

    def _take(self) -> _Token:
        """The next token, consumed; the end token stays."""
        token = self._peek()
        if token.kind != "end":
            self._ahead.pop(0)
        self.line = token.line
        return token

    def _next_is(self, *kinds: str) -> bool:
        return self._peek().kind in kinds

    def _section(self, section: str) -> None:
        if section in {"rows", "bounds"}:
            while not self._next_is("section", "end"):
                self._row() if section == "rows" else self._bound()
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

    def _column(self, token: _Token) -> DraftColumn:
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
        if not (empty or self._next_is("number", "name", "infinity", "sign")):
            raise InputError(f"A sum was expected, not {self._take().text[:40]!r}.")
        if self._next_is("number", "name", "infinity"):
            self._add(side)
        while self._next_is("sign"):
            self._add(side)
        return side

    def _add(self, side: _Side) -> None:
        coefficient = Fraction(self._signs())
        token = self._peek()
        if token.kind == "infinity":
            side.infinite = f"{'-' if coefficient < 0 else ''}{self._take().text}"
            return
        if token.kind == "number":
            coefficient *= number(self._take().text)
            if not self._next_is("name") or self._peek(1).kind == "colon":
                side.constant += coefficient
                return
        elif token.kind != "name":
            self._take()
            raise InputError(f"A number or a name was expected, not {token.text[:40]!r}.")
        name = self._take().text
        j = self.draft.column_index.get(name)
        if j is None:
            j = self.draft.add_column(name)
        side.terms[j] = side.terms.get(j, Fraction(0)) + coefficient

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
        """The side after a relation: one signed number, or a sum that begins with a name."""
        distance = 0
        while self._peek(distance).kind == "sign":
            distance += 1
        if self._peek(distance).kind not in {"number", "infinity"}:
            return self._side()
        sign, token = self._signs(), self._take()
        if token.kind == "infinity":
            return _Side(infinite=f"{'-' if sign < 0 else ''}{token.text}")
        return _Side(constant=sign * number(token.text))

    def _row(self) -> None:
        name = self._label()
        start = self._peek()
        # after a label, a row may have no terms at all: ``c: <= 3``
        left = self._side(empty=bool(name))
        relation = self._relation()
        row, moved = DraftRow(name, terms=dict(left.terms)), left.constant
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
            if left.infinite:
                raise InputError("A sum with a variable has an infinite constant.")
            for j, coefficient in right.terms.items():
                row.terms[j] = row.terms.get(j, Fraction(0)) - coefficient
            _limit(row, relation, right, moved)
        self._add_row(row, start.line)
        if moved:
            self.draft.notes.append(
                f"Row {row.name}: the constant {moved} beside the variables is moved to the right;"
                " some readers drop it."
            )

    def _is_term_free(self) -> bool:
        """Whether what follows a constant and a relation is a lone number: ``0 <= 5``.

        A name on the next line makes the number its coefficient, or begins another row.
        """
        distance = 0
        while self._peek(distance).kind == "sign":
            distance += 1
        first, after = self._peek(distance), self._peek(distance + 1)
        number_first = first.kind in {"number", "infinity"}
        if number_first and after.kind == "name" and after.line > first.line:
            raise InputError(
                f"Is {first.text[:40]} a coefficient, or is the row over? Readers differ.",
                where=str(first.line),
                hint="Do not break the line between a coefficient and its name.",
            )
        return number_first and after.kind not in {"name", "sign"}

    def _constant(self) -> _Side:
        side = self._right()
        if side.terms:
            raise InputError("The bounds of a row are numbers.")
        return side

    def _add_row(self, row: DraftRow, line: int) -> None:
        count = len(self.draft.rows) + 1
        while not row.name:
            row.name = f"R{count}" if f"R{count}" not in self.draft.row_index else ""
            count += 1
        if row.name in self.draft.row_index:
            raise InputError(f"The row {row.name!r} occurs twice.", where=str(line))
        self.draft.add_row(row)

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


def _limit(
    target: DraftRow | DraftColumn, relation: str, side: _Side, moved: Fraction = Fraction(0)
) -> None:
    """Bound a row's linear form plus ``moved``, or a column, by the constant of a side."""
    text = side.infinite or str(side.constant - moved)
    if relation == "=":
        target.lower = target.upper = number(text)
    elif relation == "<":
        target.upper = upper_of(text)
    else:
        target.lower = lower_of(text)
