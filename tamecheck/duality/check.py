"""The a-posteriori check of a dual function: every condition, exactly, at the program's data.

Only values of the function are used, or points of the program that defines it, not how it was
found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.duality.form import Form, Vector
from tamecheck.errors import SolverError

Value = Fraction | float
"""A rational, or the float infinity where a program has no point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckItem:
    """A condition: true, false, or None where nothing was proved; and why."""

    status: bool | None
    why: str


def in_time(check: Callable[[], CheckItem]) -> CheckItem:
    """The condition, or that values of the function were not proved in time."""
    try:
        return check()
    except SolverError as error:
        return CheckItem(status=None, why=str(error))


def reduced_costs(form: Form, at_column: Callable[[int], Value]) -> tuple[Value, ...]:
    """``c_j - F(a_j)`` for each integer column, ``d_j - F̄(g_j)`` for each continuous one.

    A variable whose reduced cost exceeds a gap is 0 in every better point.
    """
    return tuple(column.cost - at_column(j) for j, column in enumerate(form.columns))


def check_columns(form: Form, at_column: Callable[[int], Value]) -> CheckItem:
    """Whether ``F(a_j) <= c_j`` for integer and ``F̄(g_j) <= d_j`` for continuous columns."""
    if not form.columns:
        return CheckItem(status=True, why="there is no column")
    reduced = reduced_costs(form, at_column)
    bad = [(form.columns[j], r) for j, r in enumerate(reduced) if r < 0]
    if bad:
        column, excess = bad[0]
        form_text = "F(a)" if column.integral else "F̄(g)"
        return CheckItem(
            status=False,
            why=f"{len(bad)} of {len(reduced)} columns fail: {form_text} exceeds the cost of"
            f" {column.name} by {-excess}",
        )
    integral = sum(column.integral for column in form.columns)
    return CheckItem(
        status=True,
        why=f"F(a) <= c at {integral} integer columns, F̄(g) <= d at {len(reduced) - integral}"
        " continuous ones",
    )


def check_zero(form: Form, value: Callable[[Vector], Value]) -> CheckItem:
    """Whether ``F(0) = 0``."""
    at = value((Fraction(0),) * form.size)
    return CheckItem(status=at == 0, why=f"F(0) = {at}")


def check_at(dual: Value, optimum: Value | None) -> CheckItem:
    """Whether ``F(b) = z(b)``, where the optimum is proved; None if it is not known."""
    if optimum is None:
        return CheckItem(status=None, why=f"F(b) = {dual}; the optimum was not proved")
    if dual == optimum:
        return CheckItem(status=True, why=f"F(b) = z(b) = {dual}")
    return CheckItem(status=False, why=f"F(b) = {dual}, z(b) = {optimum}")
