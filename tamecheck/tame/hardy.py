"""Germs along a curve as t grows: elements of a Hardy field, and waves over it.

A form stands for a function that is analytic for large t.  Its symbols are t, log t, log log t, and
so on, and functions with a finite limit; all of them lie in every maximal Hardy field.  There terms
are compared by their growth, and sums are decided by their fastest terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from flint import arb, fmpq

from tamecheck.exact.reals import UndecidedError
from tamecheck.tame import forms

_RANKS = 5
MARGIN = 2.0**-30
_I: forms.Complex = (fmpq(0), fmpq(1))
_ITERATED = tuple(forms.Symbol("log" if rank else "t", rank=rank) for rank in range(_RANKS))
_WAVE = arb(0, 1)


def on_curve(element: Mapping[int, Fraction]) -> forms.Form:
    """A Laurent polynomial in t as a form."""
    total = forms.ZERO
    for power, c in element.items():
        total += forms.number(c) * forms.symbol(_ITERATED[0], power)
    return total


# growth and limits


@dataclass(frozen=True, slots=True)
class Growth:
    """``exp(q) t^a (log t)^b ...``: powers by rank, and a real form ``q``."""

    powers: tuple[Fraction, ...]
    exponent: forms.Form

    def form(self) -> forms.Form:
        """The growth as a form of one term."""
        total = self.exponent.exponential()
        for one, power in zip(_ITERATED, self.powers, strict=True):
            total = total * forms.symbol(one, power)
        return total

    def logarithm(self) -> forms.Form:
        """The logarithm of the growth."""
        total = self.exponent
        for rank, power in enumerate(self.powers):
            if power:
                total += forms.number(power) * forms.symbol(_next(rank))
        return total


def _next(rank: int) -> forms.Symbol:
    if rank + 1 >= _RANKS:
        raise UndecidedError
    return _ITERATED[rank + 1]


def _growth(term: forms.Term) -> Growth:
    powers = {one.rank: power for one, power in term.powers if one.rank is not None}
    exponent = forms.ZERO if term.exponent is None else term.exponent.real()
    return Growth(tuple(powers.get(rank, Fraction(0)) for rank in range(_RANKS)), exponent)


def _compare(one: Growth, other: Growth) -> tuple[int, arb]:
    """Which of two grows faster, as a sign; where neither does, the limit of their ratio."""
    powers = tuple(a - b for a, b in zip(one.powers, other.powers, strict=True))
    ratio = Growth(powers, one.exponent - other.exponent)
    side, limit = Germ(ratio.exponent).limit()
    if side == 0:
        first = next((power for power in powers if power), Fraction(0))
        return (first > 0) - (first < 0), limit.exp()
    side, limit = Germ(ratio.logarithm()).limit()
    if side == 0:
        raise UndecidedError
    return side, limit


def _phase(term: forms.Term) -> forms.Form:
    return forms.ZERO if term.exponent is None else term.exponent.imaginary()


def _factor(term: forms.Term, c: forms.Complex, *, steady: bool) -> arb:
    """The limit of the real part of a term over its growth; its range, for a wave."""
    side, limit = Germ(_phase(term)).limit()
    if side and steady:
        raise UndecidedError
    cosine, sine = (_WAVE, _WAVE) if side else (limit.cos(), limit.sin())
    total = arb(c[0]) * cosine - arb(c[1]) * sine
    for one, power in term.powers:
        if one.rank is None:
            total *= one.limit ** int(power)
    return total


def _leading(form: forms.Form, *, steady: bool = True) -> tuple[Growth, arb]:
    """The growth of the fastest terms, and a ball for the limit of their sum over it."""
    best, total = Growth((Fraction(0),) * _RANKS, forms.ZERO), arb(0)
    for index, (term, c) in enumerate(form.terms.items()):
        here, factor = _growth(term), _factor(term, c, steady=steady)
        side, ratio = _compare(here, best) if index else (1, arb(1))
        if side > 0:
            best, total = here, factor
        elif side == 0:
            total += factor * ratio
    if len(form.terms) > 1 and total.contains(0):
        nearer = _expanded(form)
        if nearer != form:
            return _leading(nearer, steady=steady)
    return best, total


def _expanded(form: forms.Form) -> forms.Form:
    """The form with the beginning of the series of ``exp(z)`` for each ``z`` that tends to 0."""
    total = forms.ZERO
    for term, c in form.terms.items():
        z = term.exponent or forms.ZERO
        x, y = z.real(), z.imaginary()
        found = forms.Form({forms.Term(term.powers): c})
        if _vanishes(x):
            found = found * (forms.ONE + x + x * x * forms.function("exp, 2", x, arb(1) / 2))
        else:
            found = found * x.exponential()
        if _vanishes(y):
            cosine = forms.ONE - y * y * forms.function("cos, 2", y, arb(1) / 2)
            sine = y - y * y * y * forms.function("sin, 3", y, arb(1) / 6)
            found = found * (cosine + sine.scaled(_I))
        else:
            found = found * y.exponential(_I)
        total += found
    return total


def _vanishes(form: forms.Form) -> bool:
    """Whether the form is not 0, and known to tend to 0."""
    if not form.terms:
        return False
    side, limit = Germ(form).limit()
    return not side and limit.is_zero()


def with_slope(name: str, argument: forms.Form, slope: arb) -> forms.Form:
    """A function that vanishes with its argument, as the argument times a slope."""
    return (
        argument * forms.function(f"{name}, 1", argument, slope) if argument.terms else forms.ZERO
    )


def _sign(ball: arb) -> int:
    """The sign of a ball that is well away from 0, so that other enclosures are too."""
    wide = arb(ball.mid(), (ball.rad() + abs(ball.mid()) * MARGIN) * (1 + MARGIN))
    if not ball.is_finite() or wide.contains(0):
        raise UndecidedError
    return 1 if wide > 0 else -1


def _is_not_zero(form: forms.Form) -> bool:
    """Whether the fastest terms of a form show that it is not the zero function."""
    for part in (form.real(), form.imaginary()):
        try:
            if part.terms:
                _sign(_leading(part)[1])
                return True
        except UndecidedError:
            continue
    return False


# quotients of forms


@dataclass(frozen=True, slots=True)
class Germ:
    """The quotient of two forms, at every point where it is defined; a wild one has neither.

    A wild germ is analytic, and lies in no Hardy field.
    """

    numerator: forms.Form
    denominator: forms.Form = forms.ONE

    @property
    def is_wild(self) -> bool:
        """Whether the germ is only known to be in no Hardy field."""
        return not self.denominator.terms

    def value(self) -> Fraction | None:
        """The rational that the germ is, or None."""
        return self.numerator.value() if self.denominator == forms.ONE else None

    def __add__(self, other: Germ) -> Germ:
        if self.is_wild or other.is_wild:
            return self._beside(other)
        (a, b), (c, d) = (self.numerator, self.denominator), (other.numerator, other.denominator)
        return Germ(a + c, b) if b == d else Germ(a * d + c * b, b * d)

    def __sub__(self, other: Germ) -> Germ:
        return self + other.scaled(Fraction(-1))

    def __mul__(self, other: Germ) -> Germ:
        if self.is_wild or other.is_wild:
            return self._beside(other, factor=True)
        return Germ(self.numerator * other.numerator, self.denominator * other.denominator)

    def __truediv__(self, other: Germ) -> Germ:
        if self.is_wild or other.is_wild:
            return self._beside(other, factor=True)
        parts = _by_wave(other.numerator, [forms.ZERO]).values()
        if not any(map(not_zero, parts)):
            raise UndecidedError
        return self * quotient(other.denominator, other.numerator)

    def scaled(self, factor: Fraction) -> Germ:
        """The germ times a rational."""
        return self if self.is_wild and factor else self * Germ(forms.number(factor))

    def _beside(self, other: Germ, *, factor: bool = False) -> Germ:
        """The sum or product of a wild germ and one that is not."""
        if self.is_wild and other.is_wild:
            raise UndecidedError
        steady = (other if self.is_wild else self).single()
        if factor and not not_zero(steady):
            raise UndecidedError
        return WILD

    def sign(self) -> int:
        """The sign for all large t."""
        if not self.numerator.terms and not self.is_wild:
            return 0
        tops = [_leading(p, steady=False)[1] for p in (self.numerator, self.denominator)]
        return _sign(tops[0]) * _sign(tops[1])

    def limit(self) -> tuple[int, arb]:
        """1 or -1 where the limit is infinite; else 0, and a ball for it."""
        if self.is_wild:
            raise UndecidedError
        if not self.numerator.terms:
            return 0, arb(0)
        (top, x), (bottom, y) = _leading(self.numerator), _leading(self.denominator)
        _sign(y)
        side, ratio = _compare(top, bottom)
        if side > 0:
            return _sign(x) * _sign(y), x
        return 0, arb(0) if side else x / y * ratio

    def single(self) -> forms.Form:
        """The germ as one form, if it is not a wave."""
        growth, limit = _leading(self.denominator)
        for term, c in self.numerator.terms.items():
            _factor(term, c, steady=True)
        unit = growth.form().inverse()
        rest = self.denominator * unit
        _sign(limit)
        factor = forms.ONE if rest == forms.ONE else forms.function("inverse", rest, 1 / limit)
        return self.numerator * unit * factor

    def power(self, exponent: int) -> Germ:
        """An integer power."""
        if self.is_wild:
            raise UndecidedError
        size = abs(exponent)
        above, below = self.numerator.power(size), self.denominator.power(size)
        return Germ(above, below) if exponent >= 0 else Germ(forms.ONE) / Germ(above, below)

    def logarithm(self) -> forms.Form:
        """The logarithm of a positive germ: that of its growth, and that of what is left."""
        if self.is_wild or self.sign() <= 0:
            raise UndecidedError
        total = forms.ZERO
        for form, sign in ((self.numerator, 1), (self.denominator, -1)):
            growth, limit = _leading(form)
            rest = form * growth.form().inverse() * forms.number(_sign(limit))
            found = growth.logarithm()
            if abs(limit) == 1:
                found += with_slope("log", rest - forms.ONE, arb(1))
            elif rest != forms.ONE:
                found += forms.function("log", rest, abs(limit).log())
            total += forms.number(sign) * found
        return total

    def floor(self) -> Germ:
        """The floor of a germ with a finite limit."""
        side, limit = self.limit()
        if side or not limit.is_finite() or abs(limit) > 2**30:
            raise UndecidedError
        whole = (limit + arb(0, MARGIN)).floor().unique_fmpz()
        if whole is None:  # at an integer, it comes from one side
            nearest = (limit + 0.5).floor().unique_fmpz()
            if nearest is None or not limit == int(nearest):
                raise UndecidedError
            below = (self - Germ(forms.number(int(nearest)))).sign() < 0
            return Germ(forms.number(int(nearest) - below))
        return Germ(forms.number(int(whole)))


WILD = Germ(forms.ZERO, forms.ZERO)


def quotient(above: forms.Form, below: forms.Form) -> Germ:
    """``above / below``; a divisor of one term is carried out."""
    return Germ(above * below.inverse()) if len(below.terms) == 1 else Germ(above, below)


def exponential(z: forms.Form) -> Germ:
    """The exponential of a form without waves, where ``exp(c log t)`` is a power of t."""
    above, below, rest = forms.ONE, forms.ONE, forms.ZERO
    for term, (c, d) in z.terms.items():
        powers = list(term.powers)
        plain = len(powers) == 1 and powers[0][1] == 1 and term.exponent is None and not d
        one = powers[0][0] if plain else None
        exponent = Fraction(int(c.p), int(c.q))
        if one is not None and one.rank:
            above = above * forms.symbol(_ITERATED[one.rank - 1], exponent)
        elif one is not None and one.name == "log" and one.of and c.q == 1:
            factor = one.of[0].power(abs(int(c.p)))
            above, below = (above * factor, below) if c > 0 else (above, below * factor)
        else:
            rest += forms.Form({term: (c, d)})
    return quotient(above * rest.exponential(), below)


# waves


def _by_wave(form: forms.Form, waves: list[forms.Form]) -> dict[int, forms.Form]:
    """The coefficient of each wave ``exp(ip)``; the list of the ``p`` grows."""
    found: dict[int, forms.Form] = {}
    for term, c in form.terms.items():
        phase = _phase(term)
        index = next((i for i, p in enumerate(waves) if not Germ(phase - p).limit()[0]), len(waves))
        if index == len(waves):
            waves.append(phase)
        moved = forms.Form({term: c}) * waves[index].exponential((fmpq(0), fmpq(-1)))
        found[index] = found.get(index, forms.ZERO) + moved
    return found


def waves_out_of_proportion(germ: Germ) -> forms.Form | None:
    """The angle of a wave that shows a germ to be in no Hardy field, or None."""
    waves = [forms.ZERO]
    above, below = _by_wave(germ.numerator, waves), _by_wave(germ.denominator, waves)
    for i, j in combinations(range(len(waves)), 2):
        a, b = above.get(i, forms.ZERO), above.get(j, forms.ZERO)
        c, d = below.get(i, forms.ZERO), below.get(j, forms.ZERO)
        if not_zero(a * d - b * c):
            return waves[j]
    return None


def not_zero(form: forms.Form) -> bool:
    """Whether a form without waves is shown not to be the zero function."""
    if all(_in_t(term) for term in form.terms):
        return bool(form.terms)
    return _is_not_zero(form) or _is_independent(form)


def _in_t(term: forms.Term, depth: int = 1) -> bool:
    inner = () if term.exponent is None else term.exponent.terms
    deep = depth > 0 or not inner
    return deep and all(one.rank == 0 for one, _ in term.powers) and all(_in_t(t, 0) for t in inner)


def _is_independent(form: forms.Form) -> bool:
    """Whether a coefficient of some ``t^k exp(z)`` is not 0, in a form of t and constants."""
    groups: dict[tuple[forms.Term, forms.Form], forms.Form] = {}
    for term, c in form.terms.items():
        terms = {} if term.exponent is None else term.exponent.terms
        if not all(map(_is_polynomial, (forms.Term(term.powers), *terms))):
            return False
        moving = forms.Form(
            (t, d) for t, d in terms.items() if not forms.is_constant(forms.Form({t: d}))
        )
        power = forms.Term(frozenset(pair for pair in term.powers if pair[0].rank == 0))
        still = forms.Form({term: c}) * forms.Form({power: (fmpq(1), fmpq(0))}).inverse()
        key = power, moving
        groups[key] = groups.get(key, forms.ZERO) + still * moving.exponential((fmpq(-1), fmpq(0)))
    return any(
        _is_not_zero(coefficient) and all(w == z or _apart(z, w) for _, w in groups)
        for (_, z), coefficient in groups.items()
    )


def _is_polynomial(term: forms.Term) -> bool:
    plain = all(one.rank == 0 or one.is_constant for one, _ in term.powers)
    return plain and (term.exponent is None or forms.is_constant(term.exponent))


def _apart(left: forms.Form, right: forms.Form) -> bool:
    return Germ((left - right).real()).limit()[0] != 0
