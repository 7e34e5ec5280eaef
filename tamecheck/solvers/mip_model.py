"""A user's python-mip model as a program: every number as the float that the model holds."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.box import Bound
from tamecheck.ir.program import Column, Kind, Program, Row, Sense

__all__ = ["program_of_mip"]

_INFINITE = 1e30
"""CBC writes an infinite bound as the largest float."""


def program_of_mip(model: Any) -> Program:
    """The program that a `mip.Model` states, with its names and its sense.

    Special ordered sets are not shown by python-mip, so a model with some is read without them.

    Parameters
    ----------
    model
        A `mip.Model`; it is only read, and need not be solved.

    Raises
    ------
    InputError
        If it is no such model, or has numbers that are not finite.
    UnsupportedError
        If it has a generator of lazy constraints, whose rows are not there.
    """
    if type(model).__module__ != "mip.model" or not hasattr(model, "constrs"):
        raise InputError(f"A mip.Model is needed, not {type(model).__name__}.")
    if model.lazy_constrs_generator is not None:
        raise UnsupportedError("The model has a generator of lazy constraints, unknown rows.")
    costs, constant = _form(model.objective, "The objective")
    columns = tuple(
        Column(
            variable.name,
            _end(variable.lb, f"The lower bound of {variable.name}"),
            _end(variable.ub, f"The upper bound of {variable.name}"),
            Kind.CONTINUOUS if variable.var_type == "C" else Kind.INTEGER,
            costs.get(variable.idx, Fraction(0)),
        )
        for variable in model.vars
    )
    sense = Sense.MAXIMISE if model.sense == "MAX" else Sense.MINIMISE
    rows = tuple(_row(constraint) for constraint in model.constrs)
    return Program(columns, rows, sense, constant, str(model.name))


def _row(constraint: Any) -> Row:
    form = constraint.expr
    terms, constant = _form(form, f"Constraint {constraint.name}")
    side = -constant
    lower = None if form.sense == "<" else side
    upper = None if form.sense == ">" else side
    return Row(constraint.name, tuple(sorted(terms.items())), lower, upper)


def _form(form: Any, where: str) -> tuple[dict[int, Fraction], Fraction]:
    """The coefficients that are not 0, by the variables' positions, and the constant."""
    terms = {
        variable.idx: _number(coefficient, where) for variable, coefficient in form.expr.items()
    }
    return {j: a for j, a in terms.items() if a}, _number(form.const, where)


def _number(value: float, where: str) -> Fraction:
    if not math.isfinite(value) or abs(value) >= _INFINITE:
        raise InputError(f"{where} has the number {value}.")
    return Fraction(value)


def _end(value: float, where: str) -> Bound:
    if abs(value) >= _INFINITE:
        return None
    return _number(value, where)
