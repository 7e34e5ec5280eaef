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

_LONGEST_FRACTION_PART = 400
_WIDTH = 90
_JSON = "Write JSON instead."


def _text(value: Fraction) -> str:
    """The shortest of the exact texts: a decimal where one exists, else ``p/q``."""
    denominator, places = value.denominator, 0
    while denominator % 10 == 0:
        denominator, places = denominator // 10, places + 1
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator, places = denominator // prime, places + 1
    if denominator != 1 or places > _LONGEST_FRACTION_PART:
        return rational_text(value)
    if places == 0:
        return str(value.numerator)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _bound_text(bound: Bound, infinity: str) -> str:
    """The text of a bound, or the given word where there is none."""
    return infinity if bound is None else _text(bound)


def _check_writable(program: Program) -> None:
    """Check that no reader takes a bound for an infinity, or a name for further lines."""
    if "\n" in program.name or program.name != program.name.strip(BLANKS):
        what = f"The program's name {program.name[:40]!r} would be read as another one."
        raise InputError(what, hint=_JSON)
    for item in (*program.columns, *program.rows):
        for bound in (item.lower, item.upper):
            if bound is not None and abs(bound) >= INFINITE:
                what = f"The bound {_text(bound)[:40]} of {item.name} would be read as infinite."
                raise InputError(what, hint=_JSON)


def _is_fixed(names: Sequence[str]) -> bool:
    """Whether names with blanks need the fixed format of MPS."""
    fixed = any(char.isspace() for name in names for char in name)
    for name in names:
        short = len(name) <= 8 and name == name.strip() and name.isprintable()
        if not name or name[0] in "$*" or (fixed and not short):
            raise InputError(
                f"{name[:40]!r} cannot be written as a name in MPS.",
                hint="With blanks in names, all names have at most 8 characters; or write JSON.",
            )
    return fixed


def program_to_mps(program: Program) -> str:
    """The program as MPS text: free format, or fixed format where names contain blanks."""
    _check_writable(program)
    objective = program.objective_name
    if objective in {row.name for row in program.rows}:
        raise InputError(f"The objective and a row share the name {objective!r}.")
    fixed = _is_fixed([objective, *(item.name for item in (*program.rows, *program.columns))])

    def line(kind: str, *fields: str) -> str:
        """A data line: the type, up to two names, and a number."""
        if fixed and len(fields) > 2 and len(fields[2]) > 12:
            what = f"{fields[2][:40]} is too long for MPS with blanks in names."
            raise InputError(what, hint=_JSON)
        return f" {kind:<2} {'  '.join(f'{field:<8}' for field in fields)}".rstrip()

    lines = [f"NAME          {program.name}".rstrip()]
    if program.sense is Sense.MAXIMISE:
        lines += ["OBJSENSE", "    MAX"]
    lines += ["ROWS", line("N", objective)]
    lines += [line(_row_type(row), row.name) for row in program.rows]
    lines.append("COLUMNS")
    lines += [
        f"    {fields[0]:<8}  'MARKER'                 '{fields[1]}'"
        if len(fields) == 2
        else line("", *fields)
        for fields in _columns(program)
    ]
    lines.append("RHS")
    if program.constant:
        lines.append(line("", "RHS", objective, _text(-program.constant)))
    for row in program.rows:
        right = row.lower if row.upper is None else row.upper
        if right:
            lines.append(line("", "RHS", row.name, _text(right)))
    ranged = [row for row in program.rows if _row_type(row) == "L" and row.lower is not None]
    if ranged:
        lines.append("RANGES")
    lines += [line("", "RNG", row.name, _text(_width(row))) for row in ranged]
    lines.append("BOUNDS")
    for column in program.columns:
        bounds = _mps_bounds(column)
        lines += [line(kind, "BND", column.name, *value) for kind, *value in bounds]
    return "\n".join([*lines, "ENDATA", ""])


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


def _columns(program: Program) -> Iterator[Sequence[str]]:
    """A column, a row and a number; or the name and the word of a marker."""
    objective = program.objective_name
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
            yield f"M{markers}", "INTORG" if integral else "INTEND"
            markers += 1
        # a column without entries still has to be named
        for row, value in terms or [(objective, Fraction(0))]:
            yield column.name, row, _text(value)
    if integral:
        yield f"M{markers}", "INTEND"


def _mps_bounds(column: Column) -> Iterator[Sequence[str]]:
    low, high = column.lower, column.upper
    if column.kind.semi:
        yield ("MI",) if low is None else ("LO", _text(low))
        kind = "SC" if column.kind is Kind.SEMICONTINUOUS else "SI"
        yield (kind, *([] if high is None else [_text(high)]))
    elif low is not None and low == high:
        yield "FX", _text(low)
    elif low is None and high is None:
        yield ("FR",)
    else:
        # a lower bound is always said: a negative upper one alone would remove it
        if low is None:
            yield ("MI",)
        elif low != 0 or (high is not None and high < 0):
            yield "LO", _text(low)
        if high is not None:
            yield "UP", _text(high)
        elif column.kind.integral:
            yield ("PL",)


def program_to_lp(program: Program) -> str:
    """The program as LP text."""
    _check_writable(program)
    names = [column.name for column in program.columns]
    for name in (program.objective_name, *(row.name for row in program.rows), *names):
        if not is_name(name) or (name in names and is_keyword(name)):
            what = f"{name[:40]!r} cannot be written as a name in LP."
            raise InputError(what, hint="Write MPS or JSON.")
    lines = [f"\\Problem name: {program.name}"] if program.name else []
    lines.append("Maximize" if program.sense is Sense.MAXIMISE else "Minimize")
    # every column is named here, so that their order is kept
    objective = [(j, column.cost) for j, column in enumerate(program.columns)]
    sign = "-" if program.constant < 0 else "+"
    constant = [f"{sign} {_text(abs(program.constant))}"] if program.constant else []
    lines += _wrap(f" {program.objective_name}:", [*_terms(objective, names), *constant])
    lines.append("Subject To")
    for row in program.rows:
        lines += _row(row, names)
    lines.append("Bounds")
    lines += [f" {line}" for column in program.columns if (line := _lp_bounds(column))]
    for section, kinds in (
        ("Generals", {Kind.INTEGER, Kind.SEMI_INTEGER}),
        ("Semi-Continuous", {Kind.SEMICONTINUOUS, Kind.SEMI_INTEGER}),
    ):
        chosen = [column.name for column in program.columns if column.kind in kinds]
        lines += [section, *_wrap("", chosen)] if chosen else []
    return "\n".join([*lines, "End", ""])


def _terms(terms: Iterable[tuple[int, Fraction]], names: Sequence[str]) -> Iterator[str]:
    """The terms with signs: ``+ 3 x``."""
    for j, coefficient in terms:
        sign = "-" if coefficient < 0 else "+"
        factor = "" if abs(coefficient) == 1 else f"{_text(abs(coefficient))} "
        yield f"{sign} {factor}{names[j]}"


def _row(row: Row, names: Sequence[str]) -> list[str]:
    # a row without terms is written with a zero one
    terms = list(_terms(row.terms or ((0, Fraction(0)),), names))
    low, high, head = row.lower, row.upper, f" {row.name}:"
    if low is not None and high is not None and low != high:
        head, relation = f"{head} {_text(low)} <=", f"<= {_text(high)}"
    elif low is not None and high is not None:
        relation = f"= {_text(high)}"
    elif high is None:
        relation = f">= {_bound_text(low, '-inf')}"
    else:
        relation = f"<= {_text(high)}"
    return _wrap(head, [*terms, relation])


def _lp_bounds(column: Column) -> str:
    low, high = column.lower, column.upper
    if low is None and high is None:
        return f"{column.name} free"
    if low is not None and low == high:
        return f"{column.name} = {_text(low)}"
    if low == 0 and high is None:
        return ""
    return f"{_bound_text(low, '-inf')} <= {column.name} <= {_bound_text(high, 'inf')}"


def _wrap(head: str, parts: Iterable[str]) -> list[str]:
    lines = [head]
    for part in parts:
        if len(lines[-1]) + len(part) >= _WIDTH:
            lines.append(" ")
        lines[-1] += f" {part}"
    return [line for line in lines if line.strip()]
