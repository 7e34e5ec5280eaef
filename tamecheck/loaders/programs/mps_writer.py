"""Programs as MPS, such that reading the text gives the identical program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.loaders.programs.read import check_writable, number_text

__all__ = ["program_to_mps"]

_SEMI = {Kind.SEMICONTINUOUS: "SC", Kind.SEMI_INTEGER: "SI"}


def program_to_mps(program: Program) -> str:
    """The program as MPS text: free format, or fixed format where names contain blanks."""
    check_writable(program)
    objective = _objective_name(program)
    names = [objective, *(item.name for item in (*program.rows, *program.columns))]
    fixed = any(any(char.isspace() for char in name) for name in names)
    layout = _Layout(fixed=fixed)
    for name in names:
        layout.check(name)
    lines = [f"NAME          {program.name}".rstrip()]
    if program.sense is Sense.MAXIMISE:
        lines += ["OBJSENSE", "    MAX"]
    lines += ["ROWS", layout.line("N", objective)]
    lines += [layout.line(_row_type(row), row.name) for row in program.rows]
    lines.append("COLUMNS")
    lines += _columns(program, objective, layout)
    lines.append("RHS")
    if program.constant:
        lines.append(layout.line("", "RHS", objective, number_text(-program.constant)))
    for row in program.rows:
        right = row.lower if row.upper is None else row.upper
        if right:
            lines.append(layout.line("", "RHS", row.name, number_text(right)))
    ranged = [row for row in program.rows if _row_type(row) == "L" and row.lower is not None]
    if ranged:
        lines.append("RANGES")
    lines += [layout.line("", "RNG", row.name, number_text(_width(row))) for row in ranged]
    lines.append("BOUNDS")
    for column in program.columns:
        lines += [layout.line(kind, "BND", column.name, *value) for kind, *value in _bounds(column)]
    return "\n".join([*lines, "ENDATA", ""])


class _Layout:
    """Where the fields of a data line stand."""

    def __init__(self, *, fixed: bool) -> None:
        self._fixed = fixed

    def check(self, name: str) -> None:
        """Refuse a name that would not be read as it is."""
        short = len(name) <= 8 and name == name.strip() and name.isprintable()
        if not name or name[0] in "$*" or (self._fixed and not short):
            raise InputError(
                f"{name[:40]!r} cannot be written as a name in MPS.",
                hint="With blanks in names, all names have at most 8 characters; or write JSON.",
            )

    def line(self, kind: str, *fields: str) -> str:
        """A data line: the type, up to two names, and a number."""
        if self._fixed and len(fields) > 2 and len(fields[2]) > 12:
            raise InputError(
                f"{fields[2][:40]} is too long for MPS with blanks in names.",
                hint="Write JSON instead.",
            )
        wide = [f"{kind:<2}", *(f"{field:<8}" for field in fields)]
        return f" {wide[0]} {'  '.join(wide[1:])}".rstrip()


def _objective_name(program: Program) -> str:
    """The objective's name, or one that no row has."""
    taken = {row.name for row in program.rows}
    if program.objective_name in taken:
        raise InputError(f"The objective and a row share the name {program.objective_name!r}.")
    return program.objective_name


def _row_type(row: Row) -> str:
    if row.free:
        return "N"
    if row.lower is None or row.upper is None:
        return "L" if row.lower is None else "G"
    return "E" if row.lower == row.upper else "L"


def _width(row: Row) -> Fraction:
    if row.lower is None or row.upper is None or row.lower > row.upper:
        raise InputError(f"The bounds of row {row.name!r} are crossed: MPS cannot say so.")
    return row.upper - row.lower


def _columns(program: Program, objective: str, layout: _Layout) -> Iterator[str]:
    entries: list[list[tuple[str, Fraction]]] = [
        [(objective, column.cost)] if column.cost else [] for column in program.columns
    ]
    for row in program.rows:
        for j, coefficient in row.terms:
            entries[j].append((row.name, coefficient))
    integral, markers = False, 0
    for column, terms in zip(program.columns, entries, strict=True):
        if column.kind.integral != integral:
            integral = not integral
            yield _marker(markers, "INTORG" if integral else "INTEND")
            markers += 1
        # a column without entries still has to be named
        for row, value in terms or [(objective, Fraction(0))]:
            yield layout.line("", column.name, row, number_text(value))
    if integral:
        yield _marker(markers, "INTEND")


def _marker(count: int, word: str) -> str:
    return f"    {f'M{count}':<8}  'MARKER'                 '{word}'"


def _bounds(column: Column) -> Iterator[Sequence[str]]:
    low, high = column.lower, column.upper
    if column.kind.semi:
        yield from [("MI",)] if low is None else [("LO", number_text(low))]
        yield (_SEMI[column.kind], *([] if high is None else [number_text(high)]))
    elif low is not None and low == high:
        yield "FX", number_text(low)
    elif low is None and high is None:
        yield ("FR",)
    else:
        # a lower bound is always said: a negative upper one alone would remove it
        if low is None:
            yield ("MI",)
        elif low != 0 or (high is not None and high < 0):
            yield "LO", number_text(low)
        if high is not None:
            yield "UP", number_text(high)
        elif column.kind.integral:
            yield ("PL",)
