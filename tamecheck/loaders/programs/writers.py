"""Programs as MPS or CPLEX LP, such that reading the text gives the identical program.

Names that LP has no place for are the one exception: others stand for them, as comments say.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.loaders.files import BLANKS
from tamecheck.loaders.programs.draft import INFINITE
from tamecheck.loaders.programs.tokens import LONGEST_NAME, LOWER_END, is_keyword, is_portable

_LONGEST_FRACTION_PART = 400
_WIDTH = 90
_NUMBERED = 10
"""Characters of a name that are kept for what tells it from others."""
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
    names = [objective, *(item.name for item in (*program.rows, *program.columns))]
    # some readers take the name of a set for that of a row
    rhs, rng, bnd = (_apart(word, set(names)) for word in ("RHS", "RNG", "BND"))
    fixed = _is_fixed(names)

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
        lines.append(line("", rhs, objective, _text(-program.constant)))
    for row in program.rows:
        right = row.lower if row.upper is None else row.upper
        if right:
            lines.append(line("", rhs, row.name, _text(right)))
    ranged = [row for row in program.rows if _row_type(row) == "L" and row.lower is not None]
    if ranged:
        lines.append("RANGES")
    lines += [line("", rng, row.name, _text(_width(row))) for row in ranged]
    lines.append("BOUNDS")
    for column in program.columns:
        bounds = _mps_bounds(column)
        lines += [line(kind, bnd, column.name, *value) for kind, *value in bounds]
    return "\n".join([*lines, "ENDATA", ""])


def _apart(word: str, names: Container[str]) -> str:
    """The word, changed until it is none of the names."""
    while word in names:
        word += "_"
    return word


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
    taken = {column.name for column in program.columns}
    for column, terms in zip(program.columns, entries, strict=True):
        if column.kind.integral != integral:
            integral = not integral
            yield _apart(f"M{markers}", taken), "INTORG" if integral else "INTEND"
            markers += 1
        # a column without entries still has to be named
        for row, value in terms or [(objective, Fraction(0))]:
            yield column.name, row, _text(value)
    if integral:
        yield _apart(f"M{markers}", taken), "INTEND"


def _mps_bounds(column: Column) -> Iterator[Sequence[str]]:
    low, high = column.lower, column.upper
    if column.kind.semi:
        yield ("MI",) if low is None else ("LO", _text(low))
        kind = "SC" if column.kind is Kind.SEMICONTINUOUS else "SI"
        # HiGHS reads no such bound without a number
        yield kind, _bound_text(high, "1e30")
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
    """The program as LP text, with names that HiGHS and CBC read too."""
    _check_writable(program)
    columns = [column.name for column in program.columns]
    names = _lp_names(columns, set(filter(is_keyword, columns)))
    rows = [program.objective_name, *(row.name for row in program.rows)]
    # CBC forgets the names of all rows where one is a keyword, of which nan is none to it
    refused = {f"{row.name}{LOWER_END}" for row in program.rows}
    refused |= {name for name in rows if is_keyword(name) and name.lower() != "nan"}
    objective, *labels = _lp_names(rows, refused)
    lines = [f"\\Problem name: {program.name}"] if program.name else []
    given = [program.objective_name, *(item.name for item in (*program.rows, *program.columns))]
    renamed = zip(given, [objective, *labels, *names], strict=True)
    lines += [f"\\ {new} is {old!a}" for old, new in renamed if new != old]
    lines.append("Maximize" if program.sense is Sense.MAXIMISE else "Minimize")
    # every column is named here, so that their order is kept
    costs = [(j, column.cost) for j, column in enumerate(program.columns)]
    sign = "-" if program.constant < 0 else "+"
    constant = [f"{sign} {_text(abs(program.constant))}"] if program.constant else []
    lines += _wrap(f" {objective}:", [*_terms(costs, names), *constant])
    lines.append("Subject To")
    for row, label in zip(program.rows, labels, strict=True):
        lines += _row(row, label, names)
    lines.append("Bounds")
    for column, name in zip(program.columns, names, strict=True):
        line = _lp_bounds(column, name)
        lines += [f" {line}"] if line else []
    for section, kinds in (
        ("Generals", {Kind.INTEGER, Kind.SEMI_INTEGER}),
        ("Semi-Continuous", {Kind.SEMICONTINUOUS, Kind.SEMI_INTEGER}),
    ):
        pairs = zip(program.columns, names, strict=True)
        chosen = [name for column, name in pairs if column.kind in kinds]
        lines += [section, *_wrap("", chosen)] if chosen else []
    return "\n".join([*lines, "End", ""])


def _lp_names(names: Sequence[str], refused: Container[str]) -> list[str]:
    """The names, or where LP cannot say one, one like it that no other has."""
    taken, chosen = set(names), list[str]()
    for name in names:
        own = name
        if not is_portable(name) or name in refused:
            base = own = f"_{re.sub('[^A-Za-z0-9_.]', '_', name)[: LONGEST_NAME - _NUMBERED]}"
            count = 1
            while own in taken:
                count += 1
                own = f"{base}_{count}"
            taken.add(own)
        chosen.append(own)
    return chosen


def _terms(terms: Iterable[tuple[int, Fraction]], names: Sequence[str]) -> Iterator[str]:
    """The terms with signs: ``+ 3 x``."""
    for j, coefficient in terms:
        sign = "-" if coefficient < 0 else "+"
        factor = "" if abs(coefficient) == 1 else f"{_text(abs(coefficient))} "
        yield f"{sign} {factor}{names[j]}"


def _row(row: Row, label: str, names: Sequence[str]) -> Iterator[str]:
    """The lines of a row; those of one with two bounds state them apart: see `LOWER_END`."""
    # a row without terms is written with a zero one
    terms = list(_terms(row.terms or ((0, Fraction(0)),), names))
    low, high = row.lower, row.upper
    if high is None:
        # some readers take an infinity here for a name
        sides = [(label, f">= {_bound_text(low, '-1e30')}")]
    elif low == high:
        sides = [(label, f"= {_text(high)}")]
    else:
        sides = [(label, f"<= {_text(high)}")]
        sides += [] if low is None else [(f"{label}{LOWER_END}", f">= {_text(low)}")]
    for name, relation in sides:
        yield from _wrap(f" {name}:", [*terms, relation])


def _lp_bounds(column: Column, name: str) -> str:
    low, high = column.lower, column.upper
    if low is None and high is None:
        return f"{name} free"
    if low is not None and low == high:
        return f"{name} = {_text(low)}"
    if low == 0 and high is None:
        return ""
    return f"{_bound_text(low, '-inf')} <= {name} <= {_bound_text(high, 'inf')}"


def _wrap(head: str, parts: Iterable[str]) -> list[str]:
    lines = [head]
    for part in parts:
        if len(lines[-1]) + len(part) >= _WIDTH:
            lines.append(" ")
        lines[-1] += f" {part}"
    return [line for line in lines if line.strip()]
