"""Exponential forms: sums of terms ``c m exp(z)``, where sines are exponentials too.

``c`` is a complex rational, ``m`` a product of rational powers of symbols, and ``z`` a form.  Terms
are multiplied by adding their ``z``: ``sin(x)² + cos(x)²`` is 1, and so is ``exp(x) exp(-x)``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from flint import arb, fmpq

from tamecheck.exact.reals import UndecidedError, as_fraction, as_number

Complex = tuple[fmpq, fmpq]
"""The real and the imaginary part."""

_MAX_TERMS = 1 << 8
_MAX_BITS = 1 << 12
_MAX_POWER = 64


@dataclass(frozen=True, slots=True)
class Symbol:
    """A real variable, or a function of forms.

    On a curve ``rank`` is 0 for t, 1 for log t, 2 for log log t, and so on.  A function of a form
    has none, and a finite limit in the ball; it is constant if the form is.
    """

    name: str
    of: tuple[Form, ...] = ()
    rank: int | None = None
    params: tuple[tuple[str, Hashable], ...] = ()
    limit: arb = field(default=arb(0), compare=False)
    is_constant: bool = field(default=False, compare=False)

    def text(self) -> str:
        """The symbol for people."""
        if self.of:
            return f"{self.name}({', '.join(form.text() for form in self.of)})"
        return self.name if not self.rank else "log " * self.rank + "t"


@dataclass(frozen=True, slots=True)
class Term:
    """``m exp(z)``: the symbols with their powers, and the form ``z``, None for 0."""

    powers: frozenset[tuple[Symbol, Fraction]] = frozenset()
    exponent: Form | None = None

    def __mul__(self, other: Term) -> Term:
        powers = dict(self.powers)
        for one, power in other.powers:
            powers[one] = powers.get(one, Fraction(0)) + power
        kept = frozenset((one, power) for one, power in powers.items() if power)
        if self.exponent is None or other.exponent is None:
            return Term(kept, self.exponent or other.exponent)
        total = self.exponent + other.exponent
        return Term(kept, total if total.terms else None)

    def inverse(self) -> Term:
        """The term whose product with this one is 1."""
        exponent = None if self.exponent is None else self.exponent.scaled((fmpq(-1), fmpq(0)))
        return Term(frozenset((one, -power) for one, power in self.powers), exponent)

    def text(self) -> str:
        """The term for people, the same for equal terms."""
        factors = sorted(
            one.text() if power == 1 else f"{one.text()}^{power}" for one, power in self.powers
        )
        if self.exponent is not None:
            factors.append(f"exp({self.exponent.text()})")
        return " ".join(factors)

    def conjugate(self) -> Term:
        """The complex conjugate: symbols are real."""
        return Term(self.powers, None if self.exponent is None else self.exponent.conjugate())


class Form:
    """A sum of terms, each with its coefficient, which is not 0."""

    def __init__(self, terms: Mapping[Term, Complex] | Iterable[tuple[Term, Complex]]) -> None:
        self.terms: dict[Term, Complex] = {t: c for t, c in dict(terms).items() if c[0] or c[1]}
        if len(self.terms) > _MAX_TERMS:
            raise UndecidedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Form) and self.terms == other.terms

    @cached_property
    def _hash(self) -> int:
        return hash(frozenset((t, str(c)) for t, c in self.terms.items()))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def depth(self) -> int:
        """How deep functions are nested in the form."""
        inside = [f for t in self.terms for one, _ in t.powers for f in one.of]
        inside += [t.exponent for t in self.terms if t.exponent is not None]
        return max((form.depth + 1 for form in inside), default=0)

    def __add__(self, other: Form) -> Form:
        total = dict(self.terms)
        for term, (a, b) in other.terms.items():
            c, d = total.get(term, _NOTHING)
            total[term] = a + c, b + d
        return Form(total)

    def __sub__(self, other: Form) -> Form:
        return self + other.scaled((fmpq(-1), fmpq(0)))

    def __mul__(self, other: Form) -> Form:
        if len(self.terms) * len(other.terms) > _MAX_TERMS:
            raise UndecidedError
        total: dict[Term, Complex] = {}
        for one, c in self.terms.items():
            for two, d in other.terms.items():
                term, (e, f) = one * two, _times(c, d)
                a, b = total.get(term, _NOTHING)
                total[term] = a + e, b + f
        if any(max(a.height_bits(), b.height_bits()) > _MAX_BITS for a, b in total.values()):
            raise UndecidedError
        return Form(total)

    def scaled(self, factor: Complex) -> Form:
        """The form times a number."""
        return Form((term, _times(c, factor)) for term, c in self.terms.items())

    def power(self, exponent: int) -> Form:
        """A natural power."""
        if exponent > _MAX_POWER:
            raise UndecidedError
        total = ONE
        for _ in range(exponent):
            total = total * self
        return total

    def inverse(self) -> Form:
        """The inverse of a form of one term."""
        ((term, (a, b)),) = self.terms.items()
        size = a * a + b * b
        return Form({term.inverse(): (a / size, -b / size)})

    def conjugate(self) -> Form:
        """The complex conjugate."""
        return Form((term.conjugate(), (a, -b)) for term, (a, b) in self.terms.items())

    def real(self) -> Form:
        """The real part."""
        return (self + self.conjugate()).scaled((fmpq(1, 2), fmpq(0)))

    def imaginary(self) -> Form:
        """The imaginary part."""
        return (self - self.conjugate()).scaled((fmpq(0), fmpq(-1, 2)))

    def exponential(self, factor: Complex | None = None) -> Form:
        """``exp(factor * form)`` as one term; the factor is 1 if none is given."""
        exponent = self if factor is None else self.scaled(factor)
        return Form({Term(exponent=exponent if exponent.terms else None): _UNIT})

    def value(self) -> Fraction | None:
        """The rational that the form is, or None."""
        if not self.terms:
            return Fraction(0)
        real, imaginary = self.terms.get(Term(), _NOTHING)
        return as_fraction(real) if len(self.terms) == 1 and real and not imaginary else None

    def text(self) -> str:
        """The form for people, the same for equal forms."""
        parts = sorted(_product_text(c, term.text()) for term, c in self.terms.items())
        return " + ".join(parts).replace("+ -", "- ")


def _product_text(factor: Complex, text: str) -> str:
    real, imaginary = factor
    size = str(real) if not imaginary else f"({real} + {imaginary} i)"
    return text if size == "1" and text else f"{size} {text}".strip()


_NOTHING, _UNIT = (fmpq(0), fmpq(0)), (fmpq(1), fmpq(0))
ZERO, ONE = Form({}), Form({Term(): _UNIT})


def _times(left: Complex, right: Complex) -> Complex:
    (a, b), (c, d) = left, right
    return a * c - b * d, a * d + b * c


def number(value: Fraction | int) -> Form:
    """A rational as a form."""
    return Form({Term(): (as_number(value), fmpq(0))})


def symbol(one: Symbol, power: Fraction | int = 1) -> Form:
    """A power of a symbol, as a form."""
    return Form({Term(frozenset({(one, Fraction(power))} if power else ())): _UNIT})


def function(name: str, of: Form, limit: arb) -> Form:
    """The symbol of a function of a form with a finite limit."""
    return symbol(Symbol(name, (of,), limit=limit, is_constant=is_constant(of)))


def is_constant(form: Form) -> bool:
    """Whether the form is made of constants."""
    return all(
        all(one.is_constant for one, _ in term.powers)
        and (term.exponent is None or is_constant(term.exponent))
        for term in form.terms
    )
