"""Programs as MPS or CPLEX LP, such that reading the text gives the identical program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.loaders.files import BLANKS
from tamecheck.loaders.programs.draft import INFINITE
from tamecheck.loaders.programs.lp_tokens import is_keyword, is_name

__all__ = ["program_to_lp", "program_to_mps"]


_LONGEST_FRACTION_PART = 400


def number_text(value: Fraction) -> str:
    """The shortest of the exact texts: a decimal where one exists, else ``p/q``."""
    denominator, twos, fives = value.denominator, 0, 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    places = max(twos, fives)
    if denominator != 1 or places > _LONGEST_FRACTION_PART:
        return rational_text(value)
    if places == 0:
        return str(value.numerator)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def bound_text(bound: Bound, infinity: str) -> str:
    """The text of a bound, or the given word where there is none."""
    return infinity if bound is None else number_text(bound)


def check_writable(program: Program) -> None:
    """Check that no reader takes a bound for an infinity, or a name for further lines."""
    if "\n" in program.name or program.name != program.name.strip(BLANKS):
        raise InputError(
            f"The program's name {program.name[:40]!r} would be read as another one.",
            hint="Write JSON instead.",
        )
    for name, bound in _all_bounds(program):
        if bound is not None and abs(bound) >= INFINITE:
            raise InputError(
                f"The bound {number_text(bound)[:40]} of {name} would be read as infinite.",
                hint="Write JSON instead.",
            )


def _all_bounds(program: Program) -> Iterator[tuple[str, Bound]]:
    for item in (*program.columns, *program.rows):
        yield item.name, item.lower
        yield item.name, item.upper


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
        lines += [
            layout.line(kind, "BND", column.name, *value) for kind, *value in _mps_bounds(column)
        ]
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


def _mps_bounds(column: Column) -> Iterator[Sequence[str]]:
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


_WIDTH = 90


def program_to_lp(program: Program) -> str:
    """The program as LP text."""
    check_writable(program)
    names = [column.name for column in program.columns]
    for name in (program.objective_name, *(row.name for row in program.rows), *names):
        if not is_name(name) or (name in names and is_keyword(name)):
            raise InputError(
                f"{name[:40]!r} cannot be written as a name in LP.", hint="Write MPS or JSON."
            )
    lines = [f"\\Problem name: {program.name}"] if program.name else []
    lines.append("Maximize" if program.sense is Sense.MAXIMISE else "Minimize")
    # every column is named here, so that their order is kept
    objective = [(j, column.cost) for j, column in enumerate(program.columns)]
    sign = "-" if program.constant < 0 else "+"
    constant = [f"{sign} {number_text(abs(program.constant))}"] if program.constant else []
    lines += _wrapped(f" {program.objective_name}:", [*_terms(objective, names), *constant])
    lines.append("Subject To")
    for row in program.rows:
        lines += _row(row, names)
    lines.append("Bounds")
    lines += [f" {line}" for column in program.columns if (line := _lp_bounds(column))]
    for section, kinds in _SECTIONS.items():
        chosen = [column.name for column in program.columns if column.kind in kinds]
        lines += [section, *_wrapped("", chosen)] if chosen else []
    return "\n".join([*lines, "End", ""])


_SECTIONS = {
    "Generals": {Kind.INTEGER, Kind.SEMI_INTEGER},
    "Semi-Continuous": {Kind.SEMICONTINUOUS, Kind.SEMI_INTEGER},
}


def _terms(terms: Iterable[tuple[int, Fraction]], names: Sequence[str]) -> Iterator[str]:
    """The terms with signs: ``+ 3 x``."""
    for j, coefficient in terms:
        sign = "-" if coefficient < 0 else "+"
        factor = "" if abs(coefficient) == 1 else f"{number_text(abs(coefficient))} "
        yield f"{sign} {factor}{names[j]}"


def _row(row: Row, names: Sequence[str]) -> list[str]:
    # a row without terms is written with a zero one
    terms = list(_terms(row.terms or ((0, Fraction(0)),), names))
    low, high = row.lower, row.upper
    if low is not None and high is not None and low != high:
        head, relation = f" {row.name}: {number_text(low)} <=", f"<= {number_text(high)}"
    elif low is not None and high is not None:
        head, relation = f" {row.name}:", f"= {number_text(high)}"
    elif low is not None or high is None:
        head, relation = f" {row.name}:", f">= {bound_text(low, '-inf')}"
    else:
        head, relation = f" {row.name}:", f"<= {number_text(high)}"
    return _wrapped(head, [*terms, relation])


def _lp_bounds(column: Column) -> str:
    low, high = column.lower, column.upper
    if low is None and high is None:
        return f"{column.name} free"
    if low is not None and low == high:
        return f"{column.name} = {number_text(low)}"
    if low == 0 and high is None:
        return ""
    return f"{bound_text(low, '-inf')} <= {column.name} <= {bound_text(high, 'inf')}"


def _wrapped(head: str, parts: Iterable[str]) -> list[str]:
    lines = [head]
    for part in parts:
        if len(lines[-1]) + len(part) >= _WIDTH:
            lines.append(" ")
        lines[-1] += f" {part}"
    return [line for line in lines if line.strip()]
