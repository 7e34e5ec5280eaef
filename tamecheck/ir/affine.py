"""Affine forms with few terms, in rationals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.ir.exact import ZERO


@dataclass(frozen=True, slots=True)
class AffineForm:
    """``Σ c_v v + constant`` over numbered variables, the coefficients not 0."""

    terms: Mapping[int, Fraction]
    constant: Fraction = ZERO

    @staticmethod
    def variable(number: int) -> AffineForm:
        """A variable."""
        return AffineForm({number: Fraction(1)})

    @staticmethod
    def number(value: Fraction | int) -> AffineForm:
        """A constant."""
        return AffineForm({}, Fraction(value))

    @staticmethod
    def total(forms: Iterable[AffineForm]) -> AffineForm:
        """The sum of forms."""
        terms: dict[int, Fraction] = {}
        constant = ZERO
        for form in forms:
            constant += form.constant
            for variable, coefficient in form.terms.items():
                terms[variable] = terms.get(variable, ZERO) + coefficient
        return AffineForm({v: c for v, c in terms.items() if c}, constant)

    def __add__(self, other: AffineForm) -> AffineForm:
        return AffineForm.total((self, other))

    def __sub__(self, other: AffineForm) -> AffineForm:
        return self + -other

    def __neg__(self) -> AffineForm:
        return self * Fraction(-1)

    def __mul__(self, factor: Fraction) -> AffineForm:
        if not factor:
            return AffineForm({})
        return AffineForm({v: c * factor for v, c in self.terms.items()}, self.constant * factor)
