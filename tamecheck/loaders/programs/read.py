"""Numbers of a program as MPS and LP files write them, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Program
from tamecheck.loaders.files import BLANKS
from tamecheck.loaders.programs.draft import INFINITE

__all__ = ["bound_text", "check_writable", "number_text"]

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
    for name, bound in _bounds(program):
        if bound is not None and abs(bound) >= INFINITE:
            raise InputError(
                f"The bound {number_text(bound)[:40]} of {name} would be read as infinite.",
                hint="Write JSON instead.",
            )


def _bounds(program: Program) -> Iterator[tuple[str, Bound]]:
    for item in (*program.columns, *program.rows):
        yield item.name, item.lower
        yield item.name, item.upper
