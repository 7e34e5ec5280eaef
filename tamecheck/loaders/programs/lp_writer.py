"""Programs as CPLEX LP, such that reading the text gives the identical program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.loaders.programs.lp_tokens import is_keyword, is_name
from tamecheck.loaders.programs.read import bound_text, check_writable, number_text

__all__ = ["program_to_lp"]

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
    lines += [f" {line}" for column in program.columns if (line := _bounds(column))]
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


def _bounds(column: Column) -> str:
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
