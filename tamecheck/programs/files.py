"""Programs from files, by their suffix, and from a user's python-mip model."""

from __future__ import annotations

import json
import math
import os
from fractions import Fraction
from typing import Any

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.box import Bound
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.loaders.files import suffix_of
from tamecheck.loaders.outputs import write_text
from tamecheck.loaders.programs.draft import ProgramFile
from tamecheck.loaders.programs.json_program import read_program_json
from tamecheck.loaders.programs.lp import read_lp
from tamecheck.loaders.programs.mps import read_mps
from tamecheck.loaders.programs.writers import program_to_lp, program_to_mps

_HINT = "Programs are .mps, .lp or .json files, also with .gz."


def read_file(path: str | os.PathLike[str]) -> ProgramFile:
    """The program in an ``.mps``, ``.lp`` or ``.json`` file, gzipped or not, with notes about it.

    Raises
    ------
    InputError
        Naming the file and the first line that is wrong.
    UnsupportedError
        If the file says something for which a linear program has no place.
    """
    match suffix_of(path):
        case ".mps":
            return read_mps(path)
        case ".lp":
            return read_lp(path)
        case ".json":
            return ProgramFile(read_program_json(path), "json", str(path))
        case suffix:
            raise InputError(
                f"A file with suffix {suffix!r} is no program.", where=str(path), hint=_HINT
            )


def read(path: str | os.PathLike[str]) -> Program:
    """The program in a file, as `read_file`, without the notes."""
    return read_file(path).program


def write(program: Program, path: str | os.PathLike[str]) -> None:
    """Write a program such that reading the file gives the identical program.

    Raises
    ------
    InputError
        If the format of this suffix cannot say all of it, or the file cannot be written.
    """
    match suffix_of(path):
        case ".mps":
            text = program_to_mps(program)
        case ".lp":
            text = program_to_lp(program)
        case ".json":
            text = json.dumps(program.document()) + "\n"
        case suffix:
            raise InputError(
                f"A file with suffix {suffix!r} is no program.", where=str(path), hint=_HINT
            )
    write_text(path, text)


_INFINITE = 1e30
"""CBC writes an infinite bound as the largest float."""


def program_of_mip(model: Any) -> Program:
    """The program that a `mip.Model` states, with its names and its sense.

    The model is only read, and need not be solved.  Special ordered sets are not shown by
    python-mip, so a model with some is read without them.
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
