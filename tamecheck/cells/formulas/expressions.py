"""Formulas of a few coordinates: an affine form and multiples of *atoms* such as ``tanh(2*x + 1)``.

Equal formulas are found to be equal as far as that needs linear algebra only: ``tanh(x) - tanh(x)``
is 0.  Numbers are rational.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import Any, TypeAlias, TypeVar

import numpy as np
from flint import fmpq

from tamecheck.evaluate.float_terms import term_floats
from tamecheck.exact.reals import ONE, ZERO, Number, add, as_number, call, divide, multiply
from tamecheck.exact.reals import power as raised
from tamecheck.ir.formula import Call, Elementary, Var
from tamecheck.ir.tensor import Array

T = TypeVar("T")


Key: TypeAlias = tuple[tuple[fmpq, ...], tuple[tuple[int, fmpq], ...]]
"""The coefficients of an expression; equal keys are equal formulas."""


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """A function, product, quotient or power of expressions; ``moving`` if it depends on inputs.

    Atoms are numbered as they are made; those of arguments have smaller numbers.  The ``kind`` is
    an elementary function, ``"product"``, ``"quotient"``, or the exponent of a power.
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
    """``row · (x, 1) + Σ coefficient * atom``, without zero coefficients, by the atoms' numbers."""

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
            return Expression(tuple(ZERO for _ in self.row))
        return Expression(
            tuple(a * factor for a in self.row), tuple((a, c * factor) for a, c in self.terms)
        )

    def shift(self, value: fmpq) -> Expression:
        """The sum with a rational number."""
        return Expression((*self.row[:-1], self.row[-1] + value), self.terms)


class Space:
    """Makes expressions of ``size`` coordinates, the same atom only once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._atoms: dict[Any, Atom] = {}

    def coordinate(self, matrix_row: Sequence[Fraction], last: Fraction) -> Expression:
        """An affine form of the coordinates."""
        return Expression(tuple(as_number(a) for a in (*matrix_row, last)))

    def constant(self, value: Fraction) -> Expression:
        """A rational number."""
        return Expression((*(ZERO for _ in range(self.size)), as_number(value)))

    def total(self, parts: Sequence[Expression]) -> Expression:
        """The sum."""
        row = [ZERO] * (self.size + 1)
        terms: dict[Atom, fmpq] = {}
        for part in parts:
            row = [a + b for a, b in zip(row, part.row, strict=True)]
            for atom, coefficient in part.terms:
                terms[atom] = terms.get(atom, ZERO) + coefficient
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
        return Expression(tuple(ZERO for _ in range(self.size + 1)), ((atom, ONE),))


def _total(
    expression: Expression,
    affine: Callable[[tuple[fmpq, ...]], T],
    add: Callable[[T, fmpq, T], T],
    apply: Callable[[Elementary | Fraction | str, Sequence[T]], T],
    known: dict[int, T],
) -> T:
    """The value in some arithmetic; ``known`` has those of atoms so far, and grows."""
    total = affine(expression.row)
    for atom, coefficient in expression.terms:
        if atom.number not in known:
            args = [_total(arg, affine, add, apply, known) for arg in atom.args]
            known[atom.number] = apply(atom.kind, args)
        total = add(total, coefficient, known[atom.number])
    return total


def value_at(expression: Expression, point: Sequence[Number], known: dict[int, Number]) -> Number:
    """The value at a point of rationals, or a ball of all values on a box of balls.

    Raises `UndecidedError` if the balls are too wide for some function's domain.
    """

    def plus(total: Number, coefficient: fmpq, value: Number) -> Number:
        return add(total, multiply(coefficient, value)) if coefficient != 0 else total

    def affine(row: tuple[fmpq, ...]) -> Number:
        total: Number = row[-1]
        for coefficient, x in zip(row[:-1], point, strict=True):
            total = plus(total, coefficient, x)
        return total

    return _total(expression, affine, plus, _apply, known)


def _apply(kind: Elementary | Fraction | str, args: Sequence[Number]) -> Number:
    if isinstance(kind, Elementary):
        return call(kind, args[0])
    if isinstance(kind, Fraction):
        return raised(args[0], as_number(kind))
    return multiply(*args) if kind == "product" else divide(*args)


def float_values(expression: Expression, points: Array, known: dict[int, Array]) -> Array:
    """The float values at points, one a row; NaN where there is none."""

    def affine(row: tuple[fmpq, ...]) -> Array:
        *linear, last = (_float(a) for a in row)
        return points @ np.array(linear) + last

    def plus(total: Array, coefficient: fmpq, value: Array) -> Array:
        return total + _float(coefficient) * value

    return _total(expression, affine, plus, _floats, known)


def _float(value: fmpq) -> float:
    return int(value.p) / int(value.q)


def _floats(kind: Elementary | Fraction | str, args: Sequence[Array]) -> Array:
    with np.errstate(all="ignore"):
        if isinstance(kind, Elementary):
            return term_floats(Call(kind, Var(0)), args)
        if isinstance(kind, Fraction):
            return np.asarray(args[0] ** float(kind))
        return args[0] * args[1] if kind == "product" else args[0] / args[1]


def sympy_of(expression: Expression, variables: Sequence[Any], known: dict[int, Any]) -> Any:
    """The sympy expression, with a symbol for each coordinate."""
    sympy = import_module("sympy")

    def rational(value: fmpq | Fraction) -> Any:
        return sympy.Rational(int(value.numerator), int(value.denominator))

    def affine(row: tuple[fmpq, ...]) -> Any:
        parts = [rational(a) * v for a, v in zip(row[:-1], variables, strict=True) if a != 0]
        return sympy.Add(*parts, rational(row[-1]))

    def apply(kind: Elementary | Fraction | str, args: Sequence[Any]) -> Any:
        if isinstance(kind, Elementary):
            return getattr(sympy, kind.value)(args[0])
        if isinstance(kind, Fraction):
            return sympy.Pow(args[0], rational(kind))
        return sympy.Mul(*args) if kind == "product" else args[0] / args[1]

    def plus(total: Any, coefficient: fmpq, value: Any) -> Any:
        return sympy.Add(total, rational(coefficient) * value)

    return _total(expression, affine, plus, apply, known)
