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
from tamecheck.ir import op as kinds
from tamecheck.ir.formula import Condition, Elementary, Piece, Term
from tamecheck.ir.op import Op, Params, Value

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
        case kinds.Pointwise(pieces=pieces):
            found = [term_degree(p.term, degrees, rounding=rounding) for p in pieces(params)]
            known = [value for value in found if value is not None]
            return max(known) if len(known) == len(found) else None
        case kinds.Routing():
            return max(degrees)
        case kinds.Contraction():
            return sum(degrees)
        case kinds.Fold(folded):
            return degrees[0] if degree(folded, {}, (1, 1)) == 1 else None
        case kinds.Selection():
            if chooses_indices(op):
                return 0
            return degrees[0] if degrees[1] == 0 else None
        case kinds.Expansion():
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
    return isinstance(op.meaning, kinds.Selection) and op.arity == 1


def extremum(op: Op) -> int:
    """1 for an op that takes the largest of what it compares, -1 for the smallest, 0 for others."""
    match op.meaning:
        case kinds.Selection(largest=bool(largest)):
            return 1 if largest else -1
        case kinds.Fold(folded):
            return larger(folded)
        case _:
            return 0


def larger(op: Op) -> int:
    """1 for an op whose value is the larger of its two arguments, -1 for the smaller, else 0."""
    match terms_by_sign(op, {}) if op.arity == 2 else None:
        case (formula.Var(1), _, formula.Var(0)):
            return 1
        case (formula.Var(0), _, formula.Var(1)):
            return -1
        case _:
            return 0


@kept
def rounds(op: Op, params: Params) -> bool:
    """Whether the op jumps at infinitely many arguments: a floor is in its pieces."""
    return isinstance(op.meaning, kinds.Pointwise) and any(
        isinstance(term, formula.Floor)
        for piece in op.meaning.pieces(params)
        for root in (piece.condition, piece.term)
        for term in formula.subterms(root)
    )


@kept
def keeps_rationals(op: Op, params: Params) -> bool:
    """Whether a pointwise op is made of sums, products, quotients and integer powers only."""
    return _is_made_of(op, params, lambda exponent: exponent.denominator == 1)


@kept
def is_algebraic(op: Op, params: Params) -> bool:
    """Whether a pointwise op is made of the same, and of roots."""
    return _is_made_of(op, params, lambda _: True)


def _is_made_of(op: Op, params: Params, power: Callable[[Fraction], bool]) -> bool:
    def fits(term: Term) -> bool:
        match term:
            case formula.Pow(_, exponent):
                return isinstance(exponent, formula.Const) and power(exponent.value)
            case formula.Floor() | formula.Call():
                return False
            case _:
                return True

    return isinstance(op.meaning, kinds.Pointwise) and all(
        fits(term) for piece in op.meaning.pieces(params) for term in formula.subterms(piece.term)
    )


@kept
def factors(op: Op, params: Params) -> tuple[int, ...]:
    """The arguments at whose fixed values an op of several is piecewise affine, but not without."""
    ones = [1] * (op.arity or 1)
    whole = degree(op, params, ones)
    if isinstance(op.meaning, kinds.Selection) or (whole is not None and whole <= 1):
        return ()
    fixed = [degree(op, params, [*ones[:i], 0, *ones[i + 1 :]]) for i in range(len(ones))]
    return tuple(i for i, found in enumerate(fixed) if found is not None and found <= 1)


@kept
def choices(op: Op, params: Params) -> tuple[tuple[int, Condition], ...]:
    """The arguments that a pointwise op takes as they are, each with the condition for it."""
    pieces = op.meaning.pieces(params) if isinstance(op.meaning, kinds.Pointwise) else ()
    return tuple((p.term.index, p.condition) for p in pieces if isinstance(p.term, formula.Var))


@kept
def steps(op: Op, params: Params) -> bool:
    """Whether the op jumps and is constant in between, so that its values are discrete."""
    arity = op.arity or 1
    return not op.regularity.continuous and degree(op, params, [1] * arity, rounding=True) == 0


@kept
def term_of(op: Op, params: Params) -> Term | None:
    """The one term that defines a pointwise op everywhere, or None if it has several pieces."""
    match op.meaning:
        case kinds.Pointwise(pieces=pieces, whole=whole):
            given = pieces(params)
            return (
                given[0].term if len(given) == 1 and given[0].condition == formula.TRUE else whole
            )
        case _:
            return None


@kept
def elementary_of(op: Op, params: Params) -> Elementary | None:
    """The transcendental function that the op is on all of its domain, or None."""
    if not isinstance(op.meaning, kinds.Pointwise):
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
        case kinds.Pointwise(pieces=pieces, whole=whole):
            given = pieces(params)
            if whole is None and (len(given) != 1 or given[0].condition != formula.TRUE):
                return False
            return all(
                map(_is_analytic, formula.subterms(given[0].term if whole is None else whole))
            )
        case kinds.Routing() | kinds.Contraction():
            return True
        case kinds.Fold(folded):
            return is_analytic(folded, {})
        case kinds.Selection() | kinds.Expansion():
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
    if not isinstance(op.meaning, kinds.Pointwise):
        return ()
    found = (term for piece in op.meaning.pieces(params) for term in compared(piece.condition))
    return tuple(dict.fromkeys(found))


def compared(condition: Condition) -> Iterator[Term]:
    """The terms that a condition compares with 0."""
    return (comparison.term for comparison in formula.comparisons_in(condition))


@kept
def terms_by_sign(op: Op, params: Params) -> tuple[Term, Term, Term] | None:
    """The terms where the one compared term is negative, 0 and positive, if that decides all."""
    if not isinstance(op.meaning, kinds.Pointwise) or len(comparisons(op, params)) != 1:
        return None
    pieces = op.meaning.pieces(params)
    found = [_term_where(pieces, lambda _, sign=sign: sign) for sign in (-1, 0, 1)]
    below, at, above = found
    return None if below is None or at is None or above is None else (below, at, above)


def sign_values(op: Op, params: Params) -> tuple[Fraction, Fraction, Fraction] | None:
    """The values where the one compared term is negative, 0 and positive, if that decides all."""
    match terms_by_sign(op, params):
        case (formula.Const(below), formula.Const(at), formula.Const(above)):
            return below, at, above
        case _:
            return None


def jump_at_zero(op: Op, params: Params) -> tuple[Fraction, Fraction, Fraction] | None:
    """The values below, at and above 0 of an op that reads nothing but the sign of its argument."""
    own = op.arity == 1 and comparisons(op, params) == (formula.Var(0),)
    return sign_values(op, params) if own else None


def _term_where(pieces: Sequence[Piece], sign: Callable[[Term], int]) -> Term | None:
    """The term of the first piece that holds where the compared terms have these signs."""

    def decide(compare: formula.Compare) -> bool:
        return sign(compare.term) in compare.relation.signs

    return next((piece.term for piece in pieces if formula.truth(piece.condition, decide)), None)


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


_ZERO, _ONE = Fraction(0), Fraction(1)
RECTIFIER = Line((_ZERO,), (Affine(_ZERO, _ZERO), Affine(_ONE, _ZERO)), (_ZERO,))
"""The larger of the argument and 0."""
MAGNITUDE = Line((_ZERO,), (Affine(-_ONE, _ZERO), Affine(_ONE, _ZERO)), (_ZERO,))
"""The absolute value."""


class Branches(NamedTuple):
    """The terms of an op of one variable, by where its argument is."""

    breaks: tuple[Fraction, ...]
    """Where pieces meet, ascending."""
    between: tuple[Term, ...]
    """On the open intervals between the breaks: one more than there are breaks."""
    at: tuple[Term, ...]
    """At the breaks."""


@kept
def branches_of(op: Op, params: Params) -> Branches | None:
    """The terms of a one-variable op whose conditions are affine; None for any other op."""
    if not isinstance(op.meaning, kinds.Pointwise) or op.arity != 1:
        return None
    pieces = op.meaning.pieces(params)
    lines = {term: _affine(term) for term in comparisons(op, params)}
    forms = {term: form for term, form in lines.items() if form is not None}
    if len(forms) < len(lines):
        return None
    breaks = tuple(sorted({-form.intercept / form.slope for form in forms.values() if form.slope}))

    def term_at(x: Fraction) -> Term | None:
        values = {term: form(x) for term, form in forms.items()}
        return _term_where(pieces, lambda term: (values[term] > 0) - (values[term] < 0))

    inner = [(a + b) / 2 for a, b in pairwise(breaks)]
    probes = [breaks[0] - 1, *inner, breaks[-1] + 1] if breaks else [Fraction(0)]
    between = [term for term in map(term_at, probes) if term is not None]
    at = [term for term in map(term_at, breaks) if term is not None]
    if len(between) != len(probes) or len(at) != len(breaks):
        return None
    return Branches(breaks, tuple(between), tuple(at))


def line_of(op: Op, params: Params) -> Line | None:
    """The graph of a one-variable op of finitely many affine pieces; None for any other op."""
    branches = branches_of(op, params)
    if branches is None:
        return None
    between = [form for form in map(_affine, branches.between) if form is not None]
    at = [form for form in map(_affine, branches.at) if form is not None]
    if len(between) != len(branches.between) or len(at) != len(branches.at):
        return None
    values = tuple(form(x) for form, x in zip(at, branches.breaks, strict=True))
    return Line(branches.breaks, tuple(between), values)


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
