"""The cells of a function that need not be piecewise linear, each with its formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from importlib import import_module
from typing import Any

from tamecheck.cells.complex import CellList
from tamecheck.cells.formulas.emptiness import sign_at
from tamecheck.cells.formulas.expressions import Expression, sympy_of
from tamecheck.exact.reals import as_number
from tamecheck.ir.tensor import element_names


@dataclass(frozen=True, slots=True)
class SignCondition:
    """An expression is positive, or negative."""

    expression: Expression
    """A formula of the coordinates."""
    sign: int
    """1 or -1."""
    names: tuple[str, ...]
    """The coordinates' names."""

    @property
    def affine(self) -> bool:
        """Whether the condition is a half-space."""
        return self.expression.affine

    @property
    def left(self) -> Any:
        """The left side of ``left > 0`` or ``left < 0``, as a sympy expression."""
        return sympy_of(self.expression, _symbols(self.names), {})

    @property
    def relation(self) -> str:
        """``>`` or ``<``."""
        return ">" if self.sign > 0 else "<"

    def holds(self, point: Sequence[Fraction]) -> bool | None:
        """Whether the condition holds at a rational point; None if 512 bits do not tell."""
        found = sign_at(self.expression, [as_number(x) for x in point])
        return None if found is None else found == self.sign

    def __str__(self) -> str:
        return f"{self.left} {self.relation} 0"


@dataclass(frozen=True, eq=False)
class FormulaCell:
    """An open set on which no kink or jump of the function is met."""

    conditions: tuple[SignCondition, ...]
    """What holds there, besides the box."""
    interior_point: tuple[Fraction, ...]
    """A rational point at which all conditions are proved to hold."""
    expressions: tuple[Expression, ...] = field(repr=False)
    """The outputs' formulas, elements in C order, one output after the other."""
    names: tuple[str, ...]
    """The coordinates' names."""

    @property
    def polyhedral(self) -> bool:
        """Whether all conditions are half-spaces."""
        return all(condition.affine for condition in self.conditions)

    @cached_property
    def sympy(self) -> tuple[Any, ...]:
        """The formulas as sympy expressions."""
        symbols, known = _symbols(self.names), dict[int, Any]()
        return tuple(sympy_of(e, symbols, known) for e in self.expressions)

    @property
    def formulas(self) -> tuple[str, ...]:
        """The formulas as text."""
        return tuple(str(e) for e in self.sympy)

    def latex(self) -> tuple[str, ...]:
        """The formulas as LaTeX."""
        sympy = import_module("sympy")
        return tuple(str(sympy.latex(e)) for e in self.sympy)


@dataclass(frozen=True, eq=False, repr=False)
class FormulaCells(CellList[FormulaCell]):
    """The cells of a function that are proved not to be empty.

    They are open and disjoint.  What they do not cover are boundaries between them, points
    outside of the function's domain, and what is `undecided`.
    """

    undecided: tuple[tuple[SignCondition, ...], ...]
    """Sets of conditions of which it is not known whether they hold together anywhere."""
    finished: bool
    """Whether the search came to its end; False when the limit or the timeout was reached."""

    @property
    def complete(self) -> bool:
        """Whether these are all cells."""
        return self.finished and not self.undecided

    @property
    def elements(self) -> dict[str, tuple[str, ...]]:
        """Names of the elements of each output, in the order of the cells' formulas."""
        return {name: element_names({name: shape}) for name, shape in self.outputs.items()}

    def to_json(self) -> dict[str, Any]:
        """The JSON form, with the keys of a complex, None where they have no meaning."""
        return {
            "count": self.count,
            "lower_dimensional": None,
            "dimension": self.dimension,
            "volume": None,
            "complete": self.complete,
            "coordinates": list(self.names),
            "cells": [self._cell(cell) for cell in self],
            "undecided": [[str(c) for c in conditions] for conditions in self.undecided],
            "listed": self.count,
        }

    def _cell(self, cell: FormulaCell) -> dict[str, Any]:
        formulas, latex = iter(cell.formulas), iter(cell.latex())
        sizes = {name: len(elements) for name, elements in self.elements.items()}
        return {
            "conditions": [str(condition) for condition in cell.conditions],
            "polyhedral": cell.polyhedral,
            "formulas": {name: [next(formulas) for _ in range(n)] for name, n in sizes.items()},
            "latex": {name: [next(latex) for _ in range(n)] for name, n in sizes.items()},
            "halfspaces": None,
            "A": None,
            "b": None,
            "interior_point": [str(x) for x in cell.interior_point],
        }

    def __str__(self) -> str:
        partial = "" if self.complete else " (there may be more)"
        return f"{self.count} cells with formulas in dimension {self.dimension}{partial}"


def _symbols(names: tuple[str, ...]) -> tuple[Any, ...]:
    sympy = import_module("sympy")
    return tuple(sympy.Symbol(name, real=True) for name in names)
