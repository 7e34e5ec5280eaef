"""What follows from the pieces that define an op: degrees, comparisons, one-variable graphs.

Analyses ask here instead of naming ops, so that a new op is known to them by its definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import wraps
from itertools import pairwise
from typing import NamedTuple, TypeVar

from tamecheck.ir import formula
from tamecheck.ir.formula import TRUE, Condition, Elementary, Piece, Term
from tamecheck.ir.op import (
    Contraction,
    Expansion,
    Fold,
    Op,
    Params,
    Pointwise,
    Routing,
    Selection,
    Value,
)

T = TypeVar("T")
_KEPT = 1024


def kept(facet: Callable[[Op, Params], T]) -> Callable[[Op, Params], T]:
    """A facet that is worked out once for an op and its parameters: graphs ask node by node."""
    known: dict[tuple[int, tuple[tuple[str, Value], ...]], tuple[Op, T]] = {}

    @wraps(facet)
    def ask(op: Op, params: Params) -> T:
        key = id(op), tuple(params.items())
        found = known.get(key)
        if found is None or found[0] is not op:
            if len(known) >= _KEPT:
                known.clear()
            found = known[key] = (op, facet(op, params))
        return found[1]

    return ask


def degree(op: Op, params: Params, degrees: Sequence[int], *, rounding: bool = False) -> int | None:
    """The largest degree of the polynomials that the op is made of, piece by piece, or None.

    Parameters
    ----------
    op, params
        The op.
    degrees
        A bound on the degree of each argument, on each piece of it.
    rounding
        Whether functions that are constant between infinitely many jumps count as polynomials.
    """
    match op.meaning:
        case Pointwise(pieces=pieces):
            found = [term_degree(p.term, degrees, rounding=rounding) for p in pieces(params)]
            known = [value for value in found if value is not None]
            return max(known) if len(known) == len(found) else None
        case Routing():
            return max(degrees)
        case Contraction():
            return sum(degrees)
        case Fold(name):
            return degrees[0] if name != "mul" else None
        case Selection():
            if chooses_indices(op):
                return 0
            return degrees[0] if degrees[1] == 0 else None
        case Expansion():
            return None


def term_degree(term: Term, degrees: Sequence[int], *, rounding: bool = False) -> int | None:
    """The degree of a term in variables of these degrees; None where it is no polynomial."""
    match term:
        case formula.Var(index):
            return degrees[index]
        case formula.Const():
            return 0
        case formula.Floor():
            return 0 if rounding else None
        case formula.Add(left, right) | formula.Mul(left, right) | formula.Div(left, right):
            first = term_degree(left, degrees, rounding=rounding)
            second = term_degree(right, degrees, rounding=rounding)
            if first is None or second is None or (isinstance(term, formula.Div) and second > 0):
                return None
            return max(first, second) if isinstance(term, formula.Add) else first + second
        case formula.Pow(base, formula.Const(exponent)) if (
            exponent.denominator == 1 and exponent >= 0
        ):
            inner = term_degree(base, degrees, rounding=rounding)
            return None if inner is None else inner * int(exponent)
        case _:
            return None


def chooses_indices(op: Op) -> bool:
    """Whether the op's values are positions of elements, as those of argmax are."""
    return isinstance(op.meaning, Selection) and op.arity == 1


def extremum(op: Op) -> int:
    """1 for an op that takes the largest of what it compares, -1 for the smallest, 0 for others."""
    match op.meaning:
        case Fold("maximum") | Selection(largest=True):
            return 1
        case Fold("minimum") | Selection(largest=False):
            return -1
        case _:
            return 0


@kept
def rounds(op: Op, params: Params) -> bool:
    """Whether the op jumps at infinitely many arguments: a floor is in its pieces."""
    return isinstance(op.meaning, Pointwise) and any(
        isinstance(term, formula.Floor)
        for piece in op.meaning.pieces(params)
        for root in (piece.condition, piece.term)
        for term in formula.subterms(root)
    )


def steps(op: Op, params: Params) -> bool:
    """Whether the op jumps and is constant in between, so that its values are discrete."""
    arity = op.arity or 1
    return not op.regularity.continuous and degree(op, params, [1] * arity, rounding=True) == 0


def elementary_of(op: Op, params: Params) -> Elementary | None:
    """The transcendental function that the op is on all of its domain, or None."""
    if not isinstance(op.meaning, Pointwise):
        return None
    match op.meaning.pieces(params):
        case (Piece(formula.And(()), formula.Call(function, formula.Var(0))),):
            return function
        case _:
            return None


def is_analytic(op: Op, params: Params) -> bool:
    """Whether the op is analytic wherever it is defined, and its domain is open.

    Examples
    --------
    >>> from tamecheck.ops import BY_NAME
    >>> [name for name in ("tanh", "log", "relu", "sqrt") if is_analytic(BY_NAME[name], {})]
    ['tanh', 'log']
    """
    match op.meaning:
        case Pointwise(pieces=pieces, whole=whole):
            given = pieces(params)
            if whole is None and (len(given) != 1 or given[0].condition != TRUE):
                return False
            return all(
                map(_is_analytic, formula.subterms(given[0].term if whole is None else whole))
            )
        case Routing() | Contraction():
            return True
        case Fold(name):
            return name in ("add", "mul")
        case Selection() | Expansion():
            return False


def _is_analytic(term: Term) -> bool:
    match term:
        case formula.Floor():
            return False
        case formula.Pow(_, formula.Const(exponent)):
            return exponent.denominator == 1
        case formula.Pow():
            return False
        case formula.Call(function):
            return function not in (Elementary.ASIN, Elementary.ACOS, Elementary.ACOSH)
        case _:
            return True


def variables(terms: Iterable[Term]) -> frozenset[int]:
    """The arguments that occur in some of the terms."""
    return frozenset(
        t.index for term in terms for t in formula.subterms(term) if isinstance(t, formula.Var)
    )


@kept
def comparisons(op: Op, params: Params) -> tuple[Term, ...]:
    """The terms whose signs decide which piece of a pointwise op holds, each once."""
    if not isinstance(op.meaning, Pointwise):
        return ()
    found = (term for piece in op.meaning.pieces(params) for term in compared(piece.condition))
    return tuple(dict.fromkeys(found))


def compared(condition: Condition) -> Iterator[Term]:
    """The terms that a condition compares with 0."""
    match condition:
        case formula.Compare(term, _):
            yield term
        case formula.And(parts) | formula.Or(parts):
            for part in parts:
                yield from compared(part)


@kept
def sign_values(op: Op, params: Params) -> tuple[Fraction, Fraction, Fraction] | None:
    """The values where the one compared term is negative, 0 and positive, if that decides all."""
    if not isinstance(op.meaning, Pointwise) or len(comparisons(op, params)) != 1:
        return None
    values: list[Fraction] = []
    for sign in (-1, 0, 1):
        held = (
            piece.term
            for piece in op.meaning.pieces(params)
            if _holds(piece.condition, lambda _, sign=sign: sign)
        )
        term = next(held, None)
        if not isinstance(term, formula.Const):
            return None
        values.append(term.value)
    return values[0], values[1], values[2]


class Affine(NamedTuple):
    """``slope x + intercept``."""

    slope: Fraction
    intercept: Fraction

    def __call__(self, x: Fraction) -> Fraction:
        """The value at a point."""
        return self.slope * x + self.intercept


@dataclass(frozen=True, slots=True)
class Line:
    """A piecewise affine function of one variable.

    Examples
    --------
    >>> from tamecheck.ops import BY_NAME
    >>> line_of(BY_NAME["relu"], {}).slopes
    (Fraction(0, 1), Fraction(1, 1))
    """

    breaks: tuple[Fraction, ...]
    """Where pieces meet, ascending."""
    pieces: tuple[Affine, ...]
    """The function on the open intervals between the breaks: one more than there are breaks."""
    at: tuple[Fraction, ...]
    """The values at the breaks."""

    @property
    def slopes(self) -> tuple[Fraction, ...]:
        """The derivatives between the breaks."""
        return tuple(piece.slope for piece in self.pieces)

    @property
    def is_continuous(self) -> bool:
        """Whether neighbouring pieces and the values between them agree."""
        return all(
            left(x) == value == right(x)
            for x, value, (left, right) in zip(
                self.breaks, self.at, pairwise(self.pieces), strict=True
            )
        )

    def __call__(self, x: Fraction) -> Fraction:
        """The value at a point."""
        if x in self.breaks:
            return self.at[self.breaks.index(x)]
        return self.pieces[sum(end < x for end in self.breaks)](x)


def line_of(op: Op, params: Params) -> Line | None:
    """The graph of a one-variable op of finitely many affine pieces; None for any other op."""
    if not isinstance(op.meaning, Pointwise) or op.arity != 1:
        return None
    pieces = op.meaning.pieces(params)
    lines = {term: _affine(term) for term in comparisons(op, params)}
    values = [_affine(piece.term) for piece in pieces]
    if None in values or None in lines.values():
        return None
    forms = {term: form for term, form in lines.items() if form is not None}
    ends = {-form.intercept / form.slope for form in forms.values() if form.slope}
    breaks = tuple(sorted(ends))

    def form_at(x: Fraction) -> Affine | None:
        def sign(term: Term) -> int:
            value = forms[term](x)
            return (value > 0) - (value < 0)

        held = (f for p, f in zip(pieces, values, strict=True) if _holds(p.condition, sign))
        return next(held, None)

    inner = [(a + b) / 2 for a, b in pairwise(breaks)]
    probes = [breaks[0] - 1, *inner, breaks[-1] + 1] if breaks else [Fraction(0)]
    between = [form for form in map(form_at, probes) if form is not None]
    at = [form(x) for x in breaks if (form := form_at(x)) is not None]
    if len(between) != len(probes) or len(at) != len(breaks):
        return None
    return Line(breaks, tuple(between), tuple(at))


def _holds(condition: Condition, sign: Callable[[Term], int]) -> bool:
    match condition:
        case formula.Compare(term, relation):
            return sign(term) in relation.signs
        case formula.And(parts):
            return all(_holds(part, sign) for part in parts)
        case formula.Or(parts):
            return any(_holds(part, sign) for part in parts)


def _affine(term: Term) -> Affine | None:
    """A term in the first variable as an affine form, None where it is none."""
    match term:
        case formula.Var():
            return Affine(Fraction(1), Fraction(0))
        case formula.Const(value):
            return Affine(Fraction(0), value)
        case formula.Pow(base, formula.Const(exponent)) if exponent in (0, 1):
            return _affine(base) if exponent else Affine(Fraction(0), Fraction(1))
        case formula.Add(first, second) | formula.Mul(first, second) | formula.Div(first, second):
            left, right = _affine(first), _affine(second)
            return None if left is None or right is None else _combination(term, left, right)
        case _:
            return None


def _combination(
    term: formula.Add | formula.Mul | formula.Div, left: Affine, right: Affine
) -> Affine | None:
    if isinstance(term, formula.Add):
        return Affine(left.slope + right.slope, left.intercept + right.intercept)
    if isinstance(term, formula.Div):
        if right.slope or not right.intercept:
            return None
        right = Affine(Fraction(0), 1 / right.intercept)
    if left.slope and right.slope:
        return None
    slope = left.slope * right.intercept + right.slope * left.intercept
    return Affine(slope, left.intercept * right.intercept)
