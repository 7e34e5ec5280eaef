"""The interpreter of terms: their values in any arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, Generic, TypeVar, assert_never

from tamecheck.ir.formula import Add, Call, Const, Div, Elementary, Floor, Mul, Pow, Term, Var

V = TypeVar("V")


class MissingError(Exception):
    """The values have no such operation."""


def _add(left: Any, right: Any) -> Any:
    return left + right


def _multiply(left: Any, right: Any) -> Any:
    return left * right


def _divide(left: Any, right: Any) -> Any:
    return left / right


def _missing(*_: object) -> Any:
    raise MissingError


_MAX_POWER = 16


@dataclass(frozen=True, slots=True)
class Arithmetic(Generic[V]):
    """The operations of terms on values of one kind: numbers, forms, series, formulas.

    Examples
    --------
    >>> Arithmetic(int).value(Var(0) * 3 + 1, [2])
    7
    """

    constant: Callable[[Fraction], V]
    floor: Callable[[V], V] = _missing
    call: Callable[[Elementary, V], V] = _missing
    add: Callable[[V, V], V] = _add
    multiply: Callable[[V, V], V] = _multiply
    divide: Callable[[V, V], V] = _divide
    power: Callable[[V, Fraction | V], V] | None = None
    """Of a base and an exponent, a rational where the term has a constant for it.

    Without it, powers up to the 16th are products.
    """
    scale: Callable[[V, Fraction], V] | None = None
    """The product with a constant on the left, where it is simpler than that of any two values."""

    def value(self, term: Term, args: Sequence[V]) -> V:
        """The value of a term where its variables have these values.

        Raises `MissingError` for an operation that the values do not have.
        """
        match term:
            case Var(index):
                return args[index]
            case Const(value):
                return self.constant(value)
            case Add(left, right):
                return self.add(self.value(left, args), self.value(right, args))
            case Mul(Const(factor), right) if self.scale is not None:
                return self.scale(self.value(right, args), factor)
            case Mul(left, right):
                return self.multiply(self.value(left, args), self.value(right, args))
            case Div(numerator, denominator):
                return self.divide(self.value(numerator, args), self.value(denominator, args))
            case Pow(base, exponent):
                constant = isinstance(exponent, Const)
                by = exponent.value if constant else self.value(exponent, args)
                return (self.power or self._product)(self.value(base, args), by)
            case Floor(argument):
                return self.floor(self.value(argument, args))
            case Call(function, argument):
                return self.call(function, self.value(argument, args))
            case _:
                assert_never(term)

    def _product(self, base: V, exponent: Fraction | V) -> V:
        if not isinstance(exponent, Fraction) or exponent not in range(_MAX_POWER + 1):
            raise MissingError
        return reduce(self.multiply, [base] * int(exponent), self.constant(Fraction(1)))
