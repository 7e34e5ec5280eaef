"""MPS files, read exactly: free and fixed format, every kind of bound, ranges, both senses."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.program import Sense
from tamecheck.loaders.files import BLANKS
from tamecheck.loaders.programs import draft, tokens

_UNSUPPORTED = {
    "CSECTION": "a cone",
    **dict.fromkeys(("SOS1", "SOS2", "SETS"), "special ordered sets outside of a section SOS"),
    "GENCONS": "general constraints",
    "PWLOBJ": "a piecewise linear objective",
}
_QUADRATIC = {
    "QUADOBJ": "a quadratic objective",
    "QMATRIX": "a quadratic objective",
    "QSECTION": "a quadratic objective or row",
    "QCMATRIX": "a quadratic row",
}
_POOLS = {"LAZYCONS": "lazy", "USERCUTS": "cuts"}
_SENSES = {
    **dict.fromkeys(("MAX", "MAXIMIZE", "MAXIMISE", "MAXIMUM"), Sense.MAXIMISE),
    **dict.fromkeys(("MIN", "MINIMIZE", "MINIMISE", "MINIMUM"), Sense.MINIMISE),
}
_VALUED = {"LO", "UP", "FX", "LI", "UI", "SC", "SI"}
_BARE = {"FR", "MI", "PL", "BV"}
_LOWER = {"LO", "LI", "MI"}
_UPPER = {"UP", "UI", "SC", "SI", "PL"}


def read_mps(path: str | os.PathLike[str]) -> draft.ProgramFile:
    """The program in an ``.mps`` file, gzipped or not."""
    text, notes = draft.read_program_text(path)
    return program_from_mps(text, where=str(path), notes=notes)


def program_from_mps(text: str, *, where: str = "", notes: Sequence[str] = ()) -> draft.ProgramFile:
    """The program that an MPS text denotes: in free format, or else in fixed format."""
    try:
        return _read(text, where, tokens.free_splitter(text), notes)
    except InputError as error:
        try:
            # only names with blanks need the fixed columns
            return _read(text, where, tokens.fixed_fields, notes)
        except InputError:
            raise error from None


def _read(text: str, where: str, split: tokens.Splitter, notes: Sequence[str]) -> draft.ProgramFile:
    reader = _Reader(fixed=split is tokens.fixed_fields)
    reader.draft.notes += notes
    with draft.locate(where, lambda: reader.line):
        for reader.line, header, fields in tokens.split_lines(text, split):
            if header == "ENDATA":
                reader.finish()
                return reader.draft.file("mps", where)
            reader.take(header, fields)
        raise InputError("The file ends without ENDATA.", hint="Is it complete?")


class _Reader:
    """The state between two lines: the section, the draft, and which sets are being read."""

    def __init__(self, *, fixed: bool) -> None:
        self.draft = draft.Draft()
        self.line = 0
        self._fixed = fixed
        self._section = ""
        self._seen: set[str] = set()
        self._objective: str | None = None
        self._wanted_objective: str | None = None
        self._types: dict[str, str] = {}
        self._integer = False
        self._sets: dict[str, str] = {}
        self._costed = False
        self._right: dict[str, str] = {}
        self._ranges: dict[str, Fraction] = {}
        self._bounded: set[int] = set()
        self._opened = 0
        self._set: draft.OrderedSet | None = None
        self._weighted: set[bool] = set()
        self._handlers: dict[str, Callable[[Sequence[str]], None]] = {
            "OBJSENSE": self._take_sense,
            "OBJNAME": self._take_objective,
            "ROWS": self._take_row,
            "COLUMNS": self._take_column,
            "RHS": self._take_right,
            "RANGES": self._take_range,
            "BOUNDS": self._take_bound,
            "SOS": self._take_set,
            "INDICATORS": self._take_indicator,
            **dict.fromkeys(_POOLS, self._take_row),
            **dict.fromkeys(_QUADRATIC, self._take_quadratic),
        }

    def take(self, header: str, fields: Sequence[str]) -> None:
        """Take one line."""
        if self._section == "OBJSENSE" and header in _SENSES:
            # the sense need not be indented
            self._take_sense([header])
        elif header:
            self._open(header, fields)
        else:
            if self._section not in self._handlers:
                raise InputError("A data line stands outside of every section.")
            # in fixed format the first field is the type, which these sections do not use
            unused = self._fixed and self._section in {"COLUMNS", "RHS", "RANGES"}
            self._handlers[self._section](fields[1:] if unused else fields)

    def _open(self, header: str, fields: Sequence[str]) -> None:
        if header in _UNSUPPORTED:
            what = f"The file has {_UNSUPPORTED[header]} ({header}), which is not read."
            raise UnsupportedError(what)
        if header != "NAME" and header not in self._handlers:
            raise InputError(
                f"{header[:40]!r} is no section of an MPS file.",
                hint="Sections are NAME, ROWS, COLUMNS, RHS, RANGES, BOUNDS, ENDATA.",
            )
        if header in self._seen and header not in _QUADRATIC:
            raise InputError(f"The section {header} occurs twice.")
        self._close_set()
        self._seen.add(header)
        self._section, self._opened = header, self.line
        if header == "NAME":
            self.draft.name = "".join(fields).strip(BLANKS)
        elif header in {"OBJSENSE", "OBJNAME"}:
            if fields:
                self._handlers[header](fields)
        elif header not in _QUADRATIC and tokens.drop_comment(fields, 0):
            raise InputError(
                f"What is {fields[0][:40]!r} behind {header}?",
                hint="Data lines begin with a blank.",
            )

    def finish(self) -> None:
        """Give rows and columns their bounds, when all lines are read."""
        if "ROWS" not in self._seen or "COLUMNS" not in self._seen:
            raise InputError("The file lacks a ROWS or a COLUMNS section.")
        self._close_set()
        if self._objective is None:
            self.draft.notes.append("The file has no objective row: every point has the value 0.")
        self.draft.objective_name = self._objective or ""
        for row in self.draft.rows:
            self._finish_row(row)
        for j, column in enumerate(self.draft.columns):
            # an integer variable that BOUNDS does not mention is binary, as CPLEX defined it
            if column.integral and j not in self._bounded:
                column.upper = Fraction(1)

    def _finish_row(self, row: draft.DraftRow) -> None:
        kind, text = self._types[row.name], self._right.get(row.name, "0")
        match kind:
            case "N":
                return
            case "L":
                row.upper = draft.upper_of(text)
            case "G":
                row.lower = draft.lower_of(text)
            case _:
                row.lower = row.upper = draft.number(text)
        width = self._ranges.get(row.name)
        if width is None:
            return
        if row.upper is not None and (kind == "L" or (kind == "E" and width < 0)):
            row.lower = row.upper - abs(width)
        elif row.lower is not None:
            row.upper = row.lower + abs(width)

    def _take_sense(self, fields: Sequence[str]) -> None:
        word = "".join(fields).strip().upper()
        if word not in _SENSES:
            raise InputError(f"{word[:40]!r} is no sense.", hint="Write MAX or MIN.")
        self.draft.sense = _SENSES[word]

    def _take_objective(self, fields: Sequence[str]) -> None:
        self._wanted_objective = " ".join(field for field in fields if field)

    def _take_row(self, fields: Sequence[str]) -> None:
        fields = tokens.drop_comment(fields, 2)
        if len(fields) != 2 or not all(fields):
            raise InputError("A row is a type and a name.", hint="Write ' L  name'.")
        kind, name = fields[0].upper(), fields[1]
        if kind not in {"N", "L", "G", "E"} or (kind == "N" and self._section in _POOLS):
            raise InputError(f"{fields[0]!r} is no type of row.", hint="Types are N, L, G, E.")
        if name in self._types:
            raise InputError(f"The row {name!r} occurs twice.")
        self._types[name] = kind
        if kind == "N" and self._objective is None and self._wanted_objective in {None, name}:
            self._objective = name
        else:
            self.draft.add_row(draft.DraftRow(name, pool=_POOLS.get(self._section, "")))

    def _take_column(self, fields: Sequence[str]) -> None:
        types, rows, index = self._types, self.draft.rows, self.draft.row_index
        count = len(fields)
        if not ((count == 3 or (count == 5 and fields[3] in types)) and fields[1] in types):
            # all but plain entries
            if "MARKER" in (field.strip("'") for field in fields[1:3]):
                self._take_marker([field for field in fields if field])
                return
            fields = tokens.drop_comment(fields, 1, types)
        if len(fields) not in {3, 5} or not fields[0]:
            raise InputError("A column is its name and one or two pairs of a row and a number.")
        name = fields[0]
        j = self.draft.column_index.get(name)
        if j is None:
            j = self.draft.add_column(name)
            self.draft.columns[j].integral = self._integer
            if self._set is not None:
                self._set.members.append((j, Fraction(j)))
            self._costed = False
        elif j != len(self.draft.columns) - 1:
            raise InputError(f"The column {name!r} is continued after another one.")
        for row, text in zip(fields[1::2], fields[2::2], strict=True):
            i = index.get(row)
            if i is not None and j not in rows[i].terms:
                rows[i].terms[j] = draft.number(text)
            elif row == self._objective and not self._costed:
                self.draft.columns[j].cost, self._costed = draft.number(text), True
            else:
                self._type_of(row)
                raise InputError(f"Column {name!r} has two entries in row {row!r}.")

    def _take_marker(self, fields: Sequence[str]) -> None:
        """Integers, or the members of a special ordered set, begin or end."""
        place = 1 if fields[1].strip("'") == "MARKER" else 2
        words = [field.strip("'") for field in fields[place + 1 :]]
        match words[0] if words else "":
            case "INTORG" | "INTEND" as word if place == 1:
                self._integer = word == "INTORG"
            case "SOSORG" if len(words) == 1 and self._set is None and not self._fixed:
                kind = fields[0].upper() if place > 1 else "S1"
                self._open_set(kind, fields[place - 1])
            case "SOSEND" if self._set is not None:
                self._close_set()
            case word:
                raise InputError(
                    f"{word!r} is no marker here.",
                    hint="Markers are INTORG and INTEND; SOSORG and SOSEND in free format.",
                )

    def _open_set(self, kind: str, name: str) -> None:
        if kind not in {"S1", "S2"}:
            raise InputError(f"{kind[:40]!r} is no type of set.", hint="Types are S1 and S2.")
        self._set = draft.OrderedSet(name, int(kind[1]), [], self.line)

    def _close_set(self) -> None:
        if self._set is not None:
            self.draft.add_set(self._set)
        self._set = None
        self._weighted.clear()

    def _take_set(self, fields: Sequence[str]) -> None:
        """The type and the name of a set, or a column of it with its weight."""
        own = fields if self._fixed and fields[0] else [field for field in fields if field]
        index = self.draft.column_index
        if own[0].upper() in {"S1", "S2"} and (self._fixed or own[0] not in index):
            if len(own) > 2:
                raise InputError("A set is its type and its name.", hint="Write ' S1 name'.")
            self._close_set()
            self._open_set(own[0].upper(), own[1] if len(own) == 2 else "")
            return
        if self._set is None or len(own) > 2 or own[0] not in index:
            raise InputError(
                "A column and its weight were expected.", hint="Sets begin with ' S1 name'."
            )
        members = self._set.members
        self._weighted.add(len(own) == 2)
        if len(self._weighted) > 1:
            raise InputError("Either all columns of a set have a weight, or none.")
        weight = draft.number(own[1]) if len(own) == 2 else Fraction(len(members))
        members.append((index[own[0]], weight))

    def _take_indicator(self, fields: Sequence[str]) -> None:
        """``IF``, a row, and the value of a column at which it has to hold."""
        if len(fields) != 4 or fields[0].upper() != "IF" or fields[3] not in {"0", "1"}:
            raise InputError(
                "An indicator is IF, a row, a column and 0 or 1.", hint="Write ' IF row column 1'."
            )
        _, row, column, value = fields
        if self._type_of(row) == "N":
            raise InputError(f"Row {row!r} is free: it cannot have a condition.")
        if column not in self.draft.column_index:
            raise InputError(f"There is no column {column[:40]!r}.")
        chosen = self.draft.rows[self.draft.row_index[row]]
        if chosen.indicator is not None:
            raise InputError(f"Row {row!r} has two conditions.")
        j = self.draft.column_index[column]
        chosen.indicator = draft.Indicator(j, value == "1", self.line)

    def _take_quadratic(self, fields: Sequence[str]) -> None:
        """An entry of a matrix of quadratic terms, which must be 0."""
        own = [field for field in fields if field]
        if len(own) != 3:
            raise InputError("A quadratic term is two columns and a number.")
        if draft.number(own[2]):
            what = f"The file has {_QUADRATIC[self._section]} ({self._section}), which is not read."
            raise UnsupportedError(what, where=str(self._opened))
        note = f"The quadratic terms of the section {self._section} are zero."
        if note not in self.draft.notes:
            self.draft.notes.append(note)

    def _take_right(self, fields: Sequence[str]) -> None:
        for row, text in self._of_set(fields):
            if row in self._right:
                raise InputError(f"Row {row!r} has two right-hand sides.")
            self._right[row] = text
            if row == self._objective:
                # the objective's right-hand side is subtracted from it
                self.draft.constant = -draft.number(text)
            elif self._type_of(row) == "N":
                self.draft.notes.append(
                    f"Row {row} is free: its right-hand side is left out; HiGHS takes it for the"
                    " objective's constant."
                )
            else:
                {"E": draft.number, "L": draft.upper_of}.get(self._type_of(row), draft.lower_of)(
                    text
                )

    def _take_range(self, fields: Sequence[str]) -> None:
        for row, text in self._of_set(fields):
            if row in self._ranges:
                raise InputError(f"Row {row!r} has two ranges.")
            self._ranges[row] = draft.number(text)
            if self._type_of(row) == "N":
                self.draft.notes.append(f"Row {row} is free: its range is left out.")

    def _of_set(self, fields: Sequence[str]) -> list[tuple[str, str]]:
        """The pairs of row and number of a line, which belongs to the one set of the section."""
        fields = tokens.drop_comment(fields, 1, self._types)
        named = self._fixed or len(fields) % 2 == 1
        name, pairs = (fields[0], fields[1:]) if named else ("", fields)
        if len(pairs) not in {2, 4}:
            raise InputError("One or two pairs of a row and a number were expected.")
        chosen = list(zip(pairs[::2], pairs[1::2], strict=True))
        for row, _ in chosen:
            self._type_of(row)
        self._take_set_name(name)
        return chosen

    def _take_set_name(self, name: str) -> None:
        """Refuse a second set of a section.

        HiGHS adds its lines about other rows to those of the first, CBC leaves it out, and both
        read all sets of bounds.
        """
        if self._sets.setdefault(self._section, name) != name:
            raise InputError(
                f"A second set in {self._section}: readers differ in what they read of it.",
                hint="Remove it, or give all lines of the section the same name.",
            )

    def _type_of(self, row: str) -> str:
        if row not in self._types:
            raise InputError(f"There is no row {row[:40]!r}.")
        return self._types[row]

    def _take_bound(self, fields: Sequence[str]) -> None:
        kind, index = fields[0].upper(), self.draft.column_index
        rest = list(tokens.drop_comment(fields[1:], 0, index))
        if kind not in _VALUED | _BARE:
            types = ", ".join(sorted(_VALUED | _BARE))
            raise InputError(f"{kind[:40]!r} is no type of bound.", hint=f"Types are {types}.")
        most = 2 if kind in _VALUED or (len(rest) == 2 and rest[1] not in index) else 1
        if not self._fixed and len(rest) <= most and rest and rest[0] in index:
            rest.insert(0, "")
        if len(rest) not in {2, 3}:
            raise InputError("A bound is a type, a set, a column and a number.")
        name, column, *value = rest
        if column not in index:
            raise InputError(f"There is no column {column[:40]!r}.")
        self._take_set_name(name)
        self._bounded.add(index[column])
        chosen = self.draft.columns[index[column]]
        self.draft.notes += _apply_bound(chosen, kind, value[0] if value else None)


def _apply_bound(column: draft.DraftColumn, kind: str, text: str | None) -> list[str]:
    """Change the column as a bound of this type says, and return notes for the user.

    A line that gives an end again and changes anything is refused: HiGHS leaves the whole line out,
    and other readers differ.
    """
    before = replace(column)
    notes = _set_bound(column, kind, text)
    for which, given, gives in (
        ("lower", column.lower_given, kind not in _UPPER),
        ("upper", column.upper_given, kind not in _LOWER),
    ):
        if given and gives and column != before:
            raise InputError(
                f"A second {which} bound of column {column.name[:40]!r}: readers differ in which "
                "they take.",
                hint="Remove one of the lines.",
            )
    column.lower_given |= kind not in _UPPER
    column.upper_given |= kind not in _LOWER
    return notes


def _set_bound(column: draft.DraftColumn, kind: str, text: str | None) -> list[str]:
    if text is None and kind not in {*_BARE, "SC", "SI"}:
        raise InputError(f"A bound of type {kind} needs a number.")
    value = text or "inf"
    match kind:
        case "LO" | "LI":
            column.lower = draft.lower_of(value)
        case "UP" | "UI" | "SC" | "SI":
            column.upper = draft.upper_of(value)
        case "FX":
            column.lower = column.upper = draft.number(value)
        case "FR":
            column.lower = column.upper = None
        case "MI":
            column.lower = None
        case "PL":
            column.upper = None
        case _:
            column.lower, column.upper = Fraction(0), Fraction(1)
    column.semi |= kind in {"SC", "SI"}
    column.integral |= kind in {"LI", "UI", "BV", "SI"}
    negative = column.upper is not None and column.upper < 0 and not column.lower_given
    if kind != "UP" or not negative:
        return []
    # the convention of CPLEX and of most readers, which leave the lower bound beside UI
    column.lower = None
    return [f"Column {column.name} has a negative upper bound: its lower bound is taken as -inf."]
