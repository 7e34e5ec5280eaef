"""The BOUNDS section of MPS: what each type of bound does to a column."""

from __future__ import annotations

from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.loaders.programs.draft import DraftColumn, lower_of, number, upper_of

__all__ = ["apply_bound", "takes_value"]

_VALUED = {"LO", "UP", "FX", "LI", "UI", "SC", "SI"}
_BARE = {"FR", "MI", "PL", "BV"}
_LOWER = {"LO", "LI", "MI"}
_UPPER = {"UP", "UI", "SC", "SI", "PL"}


def takes_value(kind: str) -> bool:
    """Whether a bound of this type needs a number."""
    if kind not in _VALUED | _BARE:
        types = ", ".join(sorted(_VALUED | _BARE))
        raise InputError(f"{kind[:40]!r} is no type of bound.", hint=f"Types are {types}.")
    return kind in _VALUED


def apply_bound(column: DraftColumn, kind: str, text: str | None) -> str:
    """Change the column as a bound of this type says, and return a note for the user, or ``""``."""
    lower, upper = column.lower, column.upper
    note = _applied(column, kind, text)
    for which, before, now, given, gives in (
        ("lower", lower, column.lower, column.lower_given, kind not in _UPPER),
        ("upper", upper, column.upper, column.upper_given, kind not in _LOWER),
    ):
        if given and gives and before != now:
            raise InputError(
                f"A second {which} bound of column {column.name[:40]!r}: readers differ in which "
                "they take.",
                hint="Remove one of the lines.",
            )
    column.lower_given |= kind not in _UPPER
    column.upper_given |= kind not in _LOWER
    return note


def _applied(column: DraftColumn, kind: str, text: str | None) -> str:
    if text is None and kind not in {*_BARE, "SC", "SI"}:
        raise InputError(f"A bound of type {kind} needs a number.")
    value = text or "inf"
    match kind:
        case "LO" | "LI":
            column.lower = lower_of(value)
        case "UP" | "UI":
            return _apply_upper(column, value, integral=kind == "UI")
        case "FX":
            column.lower = column.upper = number(value)
        case "SC" | "SI":
            column.upper = upper_of(value)
            column.semi = True
        case "FR":
            column.lower = column.upper = None
        case "MI":
            column.lower = None
        case "PL":
            column.upper = None
        case _:
            column.lower, column.upper = Fraction(0), Fraction(1)
    column.integral |= kind in {"LI", "UI", "BV", "SI"}
    return ""


def _apply_upper(column: DraftColumn, text: str, *, integral: bool) -> str:
    column.upper = upper_of(text)
    column.integral |= integral
    if column.upper is not None and column.upper < 0 and not column.lower_given:
        # the convention of CPLEX and of most readers
        column.lower = None
        return f"Column {column.name} has a negative upper bound: its lower bound is taken as -inf."
    return ""
