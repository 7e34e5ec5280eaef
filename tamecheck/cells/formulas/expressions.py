"""Formulas of a few coordinates: an affine form and multiples of *atoms* such as ``tanh(2*x + 1)``.

Equal formulas are found to be equal as far as that needs linear algebra only: ``tanh(x) - tanh(x)``
is 0.  Numbers are rational.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from flint import fmpq

from tamecheck.exact.reals import Number, add, as_fraction, as_number, call, divide, multiply
from tamecheck.exact.reals import power as raised
from tamecheck.ir.formula import Elementary
from tamecheck.ir.tensor import Array

__all__ = ["Atom", "Expression", "Key", "Space", "float_values", "sympy_of", "value_at"]

_ZERO, _ONE = fmpq(0), fmpq(1)

Key: TypeAlias = tuple[tuple[fmpq, ...], tuple[tuple[int, fmpq], ...]]
"""The coefficients of an expression; equal keys are equal formulas."""


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """A function, product, quotient or power of expressions.

    Parameters
    ----------
    number
        Its place in the order in which atoms were made; arguments have atoms of smaller numbers.
    kind
        An elementary function, ``"product"``, ``"quotient"``, or the exponent of a power.
    args
        The arguments.
    moving
        Whether it depends on the coordinates.
    """

    number: int
    kind: Elementary | Fraction | str
    args: tuple[Expression, ...]
    moving: bool

    @property
    def range(self) -> tuple[int | None, int | None]:
        """Bounds of all values; None where there is none that is a simple number."""
        match self.kind:
            case Elementary.SIN | Elementary.COS | Elementary.TANH | Elementary.ERF:
                return -1, 1
            case Elementary.ATAN:
                return -2, 2
            case Elementary.EXP | Elementary.ACOSH | Elementary.ACOS:
                return 0, None
            case Elementary.COSH:
                return 1, None
            case Fraction() as exponent if exponent.denominator > 1 or exponent % 2 == 0:
                return 0, None
            case _:
                return None, None


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """``row · (x, 1) + Σ coefficient * atom``.

    Parameters
    ----------
    row
        The coefficients of the coordinates, then the constant.
    terms
        The coefficients of atoms, none of them 0, by the atoms' numbers.
    """

    row: tuple[fmpq, ...]
    terms: tuple[tuple[Atom, fmpq], ...] = ()

    @property
    def affine(self) -> bool:
        """Whether there is no atom."""
        return not self.terms

    @property
    def moving(self) -> bool:
        """Whether the expression depends on the coordinates."""
        return any(a != 0 for a in self.row[:-1]) or any(atom.moving for atom, _ in self.terms)

    @property
    def rational(self) -> fmpq | None:
        """The value of a rational constant."""
        return self.row[-1] if self.affine and not self.moving else None

    @property
    def key(self) -> Key:
        """What tells it from other expressions."""
        return self.row, tuple((atom.number, coefficient) for atom, coefficient in self.terms)

    def times(self, factor: fmpq) -> Expression:
        """A rational multiple."""
        if factor == 0:
            return Expression(tuple(_ZERO for _ in self.row))
        return Expression(
            tuple(a * factor for a in self.row), tuple((a, c * factor) for a, c in self.terms)
        )

    def shifted(self, value: fmpq) -> Expression:
        """The sum with a rational number."""
        return Expression((*self.row[:-1], self.row[-1] + value), self.terms)


class Space:
    """Makes expressions of some coordinates, the same atom only once.

    Parameters
    ----------
    size
        The number of coordinates.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._atoms: dict[Any, Atom] = {}

    def coordinate(self, matrix_row: Sequence[Fraction], last: Fraction) -> Expression:
        """An affine form of the coordinates."""
        return Expression(tuple(as_number(a) for a in (*matrix_row, last)))

    def constant(self, value: Fraction) -> Expression:
        """A rational number."""
        return Expression((*(_ZERO for _ in range(self.size)), as_number(value)))

    def total(self, parts: Sequence[Expression]) -> Expression:
        """The sum."""
        row = [_ZERO] * (self.size + 1)
        terms: dict[Atom, fmpq] = {}
        for part in parts:
            row = [a + b for a, b in zip(row, part.row, strict=True)]
            for atom, coefficient in part.terms:
                terms[atom] = terms.get(atom, _ZERO) + coefficient
        kept = sorted(((a, c) for a, c in terms.items() if c != 0), key=lambda pair: pair[0].number)
        return Expression(tuple(row), tuple(kept))

    def product(self, left: Expression, right: Expression) -> Expression:
        """The product."""
        if left.rational is not None:
            return right.times(left.rational)
        if right.rational is not None:
            return left.times(right.rational)
        if left.key == right.key:
            return self.power(left, Fraction(2))
        first, second = sorted((left, right), key=lambda e: repr(e.key))
        return self._atom("product", (first, second))

    def quotient(self, left: Expression, right: Expression) -> Expression:
        """The quotient; the divisor is not 0 where it matters."""
        if right.rational is not None and right.rational != 0:
            return left.times(1 / right.rational)
        return self._atom("quotient", (left, right))

    def power(self, base: Expression, exponent: Fraction) -> Expression:
        """A rational power, as in `tamecheck.ir.formula.Pow`."""
        return base if exponent == 1 else self._atom(exponent, (base,))

    def call(self, function: Elementary, argument: Expression) -> Expression:
        """A transcendental function."""
        return self._atom(function, (argument,))

    def _atom(self, kind: Elementary | Fraction | str, args: tuple[Expression, ...]) -> Expression:
        key = (kind, tuple(arg.key for arg in args))
        atom = self._atoms.get(key)
        if atom is None:
            atom = Atom(len(self._atoms), kind, args, any(arg.moving for arg in args))
            self._atoms[key] = atom
        return Expression(tuple(_ZERO for _ in range(self.size + 1)), ((atom, _ONE),))


def value_at(expression: Expression, point: Sequence[Number], known: dict[int, Number]) -> Number:
    """The value at a point of rationals, or a ball of all values on a box of balls.

    Parameters
    ----------
    known
        The values of atoms there so far; it grows.

    Raises
    ------
    UndecidedError
        If the balls are too wide for some function's domain.
    """
    total: Number = expression.row[-1]
    for coefficient, x in zip(expression.row, point, strict=False):
        if coefficient != 0:
            total = add(total, multiply(coefficient, x))
    for atom, coefficient in expression.terms:
        if atom.number not in known:
            args = [value_at(arg, point, known) for arg in atom.args]
            known[atom.number] = _applied(atom.kind, args)
        total = add(total, multiply(coefficient, known[atom.number]))
    return total


def _applied(kind: Elementary | Fraction | str, args: Sequence[Number]) -> Number:
    if isinstance(kind, Elementary):
        return call(kind, args[0])
    if isinstance(kind, Fraction):
        return raised(args[0], as_number(kind))
    return multiply(*args) if kind == "product" else divide(*args)


def float_values(expression: Expression, points: Array, known: dict[int, Array]) -> Array:
    """The float values at points, one a row; NaN where there is none.

    Parameters
    ----------
    known
        The values of atoms there so far; it grows.
    """
    row = np.array([int(a.p) / int(a.q) for a in expression.row])
    total = points @ row[:-1] + row[-1]
    for atom, coefficient in expression.terms:
        if atom.number not in known:
            args = [float_values(arg, points, known) for arg in atom.args]
            known[atom.number] = _floats(atom.kind, args)
        total = total + int(coefficient.p) / int(coefficient.q) * known[atom.number]
    return total


_FLOATS: Mapping[Elementary, str] = {
    Elementary.ASIN: "arcsin",
    Elementary.ACOS: "arccos",
    Elementary.ATAN: "arctan",
    Elementary.ASINH: "arcsinh",
    Elementary.ACOSH: "arccosh",
    Elementary.ATANH: "arctanh",
}


def _floats(kind: Elementary | Fraction | str, args: Sequence[Array]) -> Array:
    with np.errstate(all="ignore"):
        if kind is Elementary.ERF:
            return np.asarray(import_module("scipy.special").erf(args[0]))
        if isinstance(kind, Elementary):
            return np.asarray(getattr(np, _FLOATS.get(kind, kind.value))(args[0]))
        if isinstance(kind, Fraction):
            return np.asarray(args[0] ** float(kind))
        return args[0] * args[1] if kind == "product" else args[0] / args[1]


def sympy_of(expression: Expression, variables: Sequence[Any], known: dict[int, Any]) -> Any:
    """The sympy expression.

    Parameters
    ----------
    variables
        A symbol for each coordinate.
    known
        The expressions of atoms so far; it grows.
    """
    sympy = import_module("sympy")

    def rational(value: fmpq) -> Any:
        exact = as_fraction(value)
        return sympy.Rational(exact.numerator, exact.denominator)

    parts = [rational(a) * v for a, v in zip(expression.row, variables, strict=False) if a != 0]
    for atom, coefficient in expression.terms:
        if atom.number not in known:
            args = [sympy_of(arg, variables, known) for arg in atom.args]
            known[atom.number] = _sympy(sympy, atom.kind, args)
        parts.append(rational(coefficient) * known[atom.number])
    return sympy.Add(*parts, rational(expression.row[-1]))


def _sympy(sympy: Any, kind: Elementary | Fraction | str, args: Sequence[Any]) -> Any:
    if isinstance(kind, Elementary):
        return getattr(sympy, kind.value)(args[0])
    if isinstance(kind, Fraction):
        return sympy.Pow(args[0], sympy.Rational(kind.numerator, kind.denominator))
    return sympy.Mul(*args) if kind == "product" else args[0] / args[1]
