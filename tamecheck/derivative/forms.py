"""Polynomials in inputs and in values of other functions, to show that two terms agree on a wall.

A form is a polynomial with rational coefficients in atoms: coordinates, and functions of forms.
On a wall ``g = 0`` a form vanishes if what is left of it is 0 once the equation is solved for a
coordinate, or if g divides it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq

from tamecheck.derivative.check.germs import Space
from tamecheck.derivative.check.terms import NotAnalyticError, term_germ
from tamecheck.evaluate.exact_terms import value_at
from tamecheck.exact.polynomial import Monomial, monomial_product
from tamecheck.exact.reals import ONE, ZERO, Number, as_number
from tamecheck.ir.arithmetic import Arithmetic
from tamecheck.ir.formula import (
    Add,
    Call,
    Const,
    Div,
    Elementary,
    Floor,
    Mul,
    Pow,
    Term,
    Var,
    call,
    everywhere,
    power,
)

_MOST_TERMS = 400
_MOST_POWER = 12

_SIGNED = frozenset(
    {
        *(Elementary.SIN, Elementary.TAN, Elementary.ASIN, Elementary.ATAN, Elementary.SINH),
        *(Elementary.TANH, Elementary.ASINH, Elementary.ATANH, Elementary.ERF),
    }
)
"""Functions that have the sign of their argument near 0."""


class UnreadFormError(Exception):
    """What is asked for has no form, or too large a one."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A coordinate, by its number, or a function of one form."""

    function: Term | int
    argument: Form | None


@dataclass(frozen=True, slots=True)
class Form:
    """``Σ coefficient monomial``, and the value at the point."""

    terms: Mapping[Monomial, fmpq]
    value: Number

    @property
    def key(self) -> tuple[tuple[Monomial, fmpq], ...]:
        """Equal for equal forms."""
        return tuple(sorted(self.terms.items()))

    @property
    def constant(self) -> bool:
        """Whether no atom occurs."""
        return all(not monomial for monomial in self.terms)


class Atoms:
    """The table of atoms of forms that are compared, and what forms of them are."""

    def __init__(self) -> None:
        self._atoms: list[Atom] = []
        self._numbers: dict[tuple[Term | int, tuple[tuple[Monomial, fmpq], ...]], int] = {}
        self._values: list[Number] = []
        self._arithmetic: Arithmetic[Form] = Arithmetic(
            constant=lambda value: self.number(as_number(value)),
            power=self._power,
            floor=self._floor,
            call=lambda function, argument: self.apply(call(function, Var(0)), argument),
            add=self.add,
            multiply=self.multiply,
            divide=self._divide,
        )

    def number(self, value: Number) -> Form:
        """A rational number, or one that is only known by a ball: an atom of its own."""
        if not isinstance(value, fmpq):
            raise UnreadFormError
        return Form({(): value} if value != 0 else {}, value)

    def coordinate(self, number: int, value: Number) -> Form:
        """An input element."""
        return self._atom(number, None, value)

    def _atom(self, function: Term | int, argument: Form | None, value: Number) -> Form:
        key = (function, () if argument is None else argument.key)
        if key not in self._numbers:
            self._numbers[key] = len(self._atoms)
            self._atoms.append(Atom(function, argument))
            self._values.append(value)
        return Form({((self._numbers[key], 1),): ONE}, value)

    def add(self, left: Form, right: Form, factor: fmpq = ONE) -> Form:
        """``left + factor right``."""
        total = dict(left.terms)
        for monomial, a in right.terms.items():
            found = total.get(monomial, ZERO) + factor * a
            if found == 0:
                del total[monomial]
            else:
                total[monomial] = found
        return Form(total, left.value + factor * right.value)

    def multiply(self, left: Form, right: Form) -> Form:
        """The product."""
        if len(left.terms) * len(right.terms) > _MOST_TERMS**2:
            raise UnreadFormError
        total: dict[Monomial, fmpq] = {}
        for first, a in left.terms.items():
            for second, b in right.terms.items():
                monomial = monomial_product(first, second)
                found = total.get(monomial, ZERO) + a * b
                if found == 0:
                    del total[monomial]
                else:
                    total[monomial] = found
        if len(total) > _MOST_TERMS:
            raise UnreadFormError
        return Form(total, left.value * right.value)

    def apply(self, function: Term, argument: Form) -> Form:
        """A function, given as a term in its one variable, of a form."""
        value = _value(function, argument.value)
        if argument.constant and isinstance(value, fmpq):
            return self.number(value)
        return self._atom(function, argument, value)

    def term(self, term: Term, args: Sequence[Form]) -> Form:
        """A term of forms."""
        return self._arithmetic.value(term, args)

    def _divide(self, top: Form, low: Form) -> Form:
        if low.constant and low.terms:
            return self.multiply(top, self.number(1 / low.terms[()]))
        return self.multiply(top, self.apply(1 / Var(0), low))

    def _power(self, base: Form, exponent: Fraction | Form) -> Form:
        if isinstance(exponent, Form):
            raise UnreadFormError
        if exponent.denominator != 1 or not 0 <= exponent <= _MOST_POWER:
            return self.apply(power(Var(0), exponent), base)
        found = self.number(ONE)
        for _ in range(int(exponent)):
            found = self.multiply(found, base)
        return found

    def _floor(self, argument: Form) -> Form:
        value = argument.value
        if not isinstance(value, fmpq) or value.q == 1:
            raise UnreadFormError
        return self.number(fmpq(value.floor()))

    def vanishes(self, form: Form, wall: Form, signed: Sequence[Form] = ()) -> bool:
        """Whether a form is 0 wherever the wall is, and the signed forms are not negative."""
        wall = self.simplest(wall)
        rest = self._reduced(form, wall)
        if not rest.terms:
            return True
        # what is at least 0 and at most 0
        left = [self._reduced(r, wall) for r in signed]
        for k, low in enumerate(left):
            if _factor(rest, low) is None:
                continue
            if any((f := _factor(high, low)) is not None and f < 0 for high in left[k + 1 :]):
                return True
        return False

    def _reduced(self, form: Form, wall: Form) -> Form:
        """A form that agrees with another one on a wall, and is 0 if the wall is a factor."""
        solved = self._solved(wall)
        if solved is not None:
            return self.substitute(form, *solved)
        total = self.number(ZERO)
        for monomial, a in form.terms.items():
            part = self.number(a)
            for k, exponent in monomial:
                function, argument = self._atoms[k].function, self._atoms[k].argument
                factor = Form({((k, 1),): ONE}, self._values[k])
                if argument is not None and not isinstance(function, int):
                    factor = self.apply(function, self._remainder(argument, wall))
                for _ in range(exponent):
                    part = self.multiply(part, factor)
            total = self.add(total, part)
        return self._remainder(total, wall)

    def simplest(self, wall: Form) -> Form:
        """A form with the same zeros near the point as one that is 0 there."""
        while True:
            wall = self._without_units(wall)
            atom = self._single(wall)
            if atom is None or atom.argument is None:
                return wall
            match atom.function:
                case Call(function, Var(0)) if function in _SIGNED and atom.argument.value == 0:
                    wall = atom.argument
                case Call(Elementary.LOG, Var(0)):
                    wall = self.add(atom.argument, self.number(ONE), fmpq(-1))
                case Call(Elementary.EXP, Var(0)):
                    wall = atom.argument
                case Pow(Var(0), Const(exponent)) if exponent > 0:
                    wall = atom.argument
                case _:
                    return wall

    def _single(self, wall: Form) -> Atom | None:
        """The function that is 0 on a wall ``a φ(u) = 0``, or 1 on one ``a (exp u - 1) = 0``."""
        rest = {monomial: a for monomial, a in wall.terms.items() if monomial}
        if len(rest) != 1:
            return None
        ((monomial, a),) = rest.items()
        if len(monomial) != 1 or monomial[0][1] != 1:
            return None
        atom = self._atoms[monomial[0][0]]
        level = -wall.terms.get((), ZERO) / a
        exponential = atom.function == call(Elementary.EXP, Var(0))
        return atom if level == (1 if exponential else 0) else None

    def _without_units(self, wall: Form) -> Form:
        """A wall without factors that are not 0 at the point."""
        if not wall.terms:
            return wall
        shared = dict(min(wall.terms, key=len))
        for monomial in wall.terms:
            powers = dict(monomial)
            shared = {k: min(e, powers.get(k, 0)) for k, e in shared.items()}
        units = {k: e for k, e in shared.items() if e and _certain(self._values[k])}
        if not units:
            return wall
        terms = {
            tuple((k, e - units.get(k, 0)) for k, e in m if e > units.get(k, 0)): a
            for m, a in wall.terms.items()
        }
        return Form(terms, wall.value)

    def _solved(self, wall: Form) -> tuple[int, Form] | None:
        """An atom and what it is on the wall, if the wall is linear in it and in nothing of it."""
        for monomial, a in sorted(wall.terms.items(), key=lambda item: len(item[0])):
            if len(monomial) != 1 or monomial[0][1] != 1:
                continue
            number = monomial[0][0]
            rest = {m: -b / a for m, b in wall.terms.items() if m != monomial}
            if self._atoms[number].argument is None and not any(
                self._depends(k, number) for m in rest for k, _ in m
            ):
                return number, Form(rest, self._values[number])
        return None

    def _depends(self, atom: int, number: int) -> bool:
        if atom == number:
            return True
        argument = self._atoms[atom].argument
        return argument is not None and any(
            self._depends(k, number) for m in argument.terms for k, _ in m
        )

    def substitute(self, form: Form, number: int, value: Form) -> Form:
        """The form with another form for an atom, also inside of functions."""
        total = self.number(ZERO)
        for monomial, a in form.terms.items():
            part = self.number(a)
            for k, exponent in monomial:
                factor = self._substituted(k, number, value)
                for _ in range(exponent):
                    part = self.multiply(part, factor)
            total = self.add(total, part)
        return total

    def _substituted(self, atom: int, number: int, value: Form) -> Form:
        if atom == number:
            return value
        function, argument = self._atoms[atom].function, self._atoms[atom].argument
        if argument is None or isinstance(function, int):
            return Form({((atom, 1),): ONE}, self._values[atom])
        return self.apply(function, self.substitute(argument, number, value))

    def _remainder(self, form: Form, wall: Form) -> Form:
        """What long division by the wall leaves."""
        if not wall.terms:
            return form
        lead = max(wall.terms, key=_order)
        rest, left = Form(dict(form.terms), form.value), self.number(ZERO)
        for _ in range(_MOST_TERMS):
            if not rest.terms:
                return Form(left.terms, form.value)
            top = max(rest.terms, key=_order)
            quotient = _quotient(top, lead)
            if quotient is None:
                term = Form({top: rest.terms[top]}, ZERO)
                left, rest = self.add(left, term), self.add(rest, term, fmpq(-1))
            else:
                step = Form({quotient: rest.terms[top] / wall.terms[lead]}, ZERO)
                rest = self.add(rest, self.multiply(step, wall), fmpq(-1))
        raise UnreadFormError

    def one_variable(self, form: Form, inner: Form) -> Term | None:
        """The form as a term in another form, if it is made of that alone."""
        if inner.key == form.key:
            return Var(0)
        total: Term = Const(Fraction(0))
        for monomial, a in form.terms.items():
            part: Term = Const(Fraction(int(a.p), int(a.q)))
            for k, exponent in monomial:
                atom = self._atoms[k]
                if inner.key == ((((k, 1),), ONE),):
                    factor: Term | None = Var(0)
                elif atom.argument is None or isinstance(atom.function, int):
                    return None
                else:
                    argument = self.one_variable(atom.argument, inner)
                    factor = None if argument is None else _TERMS.value(atom.function, [argument])
                if factor is None:
                    return None
                for _ in range(exponent):
                    part = part * factor
            total = total + part
        return total


def _value(function: Term, at: Number) -> Number:
    """The value of a function of one variable, or its limit where it is a quotient of zeros."""
    if isinstance(function, Div):
        low = value_at(everywhere(function.denominator), (at,), continuous=True)
        if low == 0:
            try:
                return term_germ(function, [Space(1, 1).variable(0, at)], {}).value
            except NotAnalyticError:
                raise UnreadFormError from None
    return value_at(everywhere(function), (at,), continuous=True)


_TERMS: Arithmetic[Term] = Arithmetic(
    Const, power=power, floor=Floor, call=call, add=Add, multiply=Mul, divide=Div
)
"""Terms in place of the variables of a term."""


def _certain(value: Number) -> bool:
    return bool(value > 0 or value < 0)


def _quotient(top: Monomial, low: Monomial) -> Monomial | None:
    powers = dict(top)
    for k, exponent in low:
        powers[k] = powers.get(k, 0) - exponent
        if powers[k] < 0:
            return None
    return tuple(sorted((k, e) for k, e in powers.items() if e))


def _order(monomial: Monomial) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Graded lexicographic order, lower numbers of atoms first."""
    return sum(e for _, e in monomial), tuple((-k, e) for k, e in monomial)


def _factor(form: Form, other: Form) -> fmpq | None:
    """C with ``form = c other``; None if there is none, or the other is 0."""
    if not other.terms or form.terms.keys() != other.terms.keys():
        return None
    ratios = {form.terms[m] / a for m, a in other.terms.items()}
    return ratios.pop() if len(ratios) == 1 else None
