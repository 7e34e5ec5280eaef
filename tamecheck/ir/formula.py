"""The closed language of terms and conditions in which an op's graph is written.

A scalar op is a finite list of pieces, ``Piece(condition, term)``: where the condition holds, the
value is the term.  Pieces may overlap, and then agree.  Every reading of an op (exact value,
enclosure, structure, SMT, sympy) is a walk over these trees.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any, Generic, TypeAlias, TypeVar, assert_never

K = TypeVar("K")
V = TypeVar("V")

_MOST_REMEMBERED = 4096


class Elementary(Enum):
    """The transcendental functions of the language, each on its natural domain."""

    EXP = "exp"
    LOG = "log"
    SIN = "sin"
    COS = "cos"
    TAN = "tan"
    ASIN = "asin"
    ACOS = "acos"
    ATAN = "atan"
    SINH = "sinh"
    COSH = "cosh"
    TANH = "tanh"
    ASINH = "asinh"
    ACOSH = "acosh"
    ATANH = "atanh"
    ERF = "erf"


class Relation(Enum):
    """A comparison of a term with zero."""

    LT = "<"
    LE = "<="
    EQ = "=="
    NE = "!="
    GE = ">="
    GT = ">"

    @property
    def signs(self) -> frozenset[int]:
        """The signs of the term for which the comparison holds: of -1, 0 and 1."""
        return _SIGNS[self]

    @property
    def mirror(self) -> Relation:
        """The same comparison with its sides exchanged."""
        signs = frozenset(-sign for sign in self.signs)
        return next(relation for relation in Relation if relation.signs == signs)


_SIGNS = {
    Relation.LT: frozenset({-1}),
    Relation.LE: frozenset({-1, 0}),
    Relation.EQ: frozenset({0}),
    Relation.NE: frozenset({-1, 1}),
    Relation.GE: frozenset({0, 1}),
    Relation.GT: frozenset({1}),
}


class _Operators:
    """Arithmetic and comparison notation, so that a graph reads as in a textbook.

    ``==`` stays structural equality: equations are written ``x.equals(y)``.
    """

    __slots__ = ()

    def __add__(self, other: TermLike) -> Term:
        return Add(_term(self), _term(other))

    def __radd__(self, other: TermLike) -> Term:
        return Add(_term(other), _term(self))

    def __sub__(self, other: TermLike) -> Term:
        return Add(_term(self), -_term(other))

    def __rsub__(self, other: TermLike) -> Term:
        return Add(_term(other), -_term(self))

    def __mul__(self, other: TermLike) -> Term:
        return Mul(_term(self), _term(other))

    def __rmul__(self, other: TermLike) -> Term:
        return Mul(_term(other), _term(self))

    def __truediv__(self, other: TermLike) -> Term:
        return Div(_term(self), _term(other))

    def __rtruediv__(self, other: TermLike) -> Term:
        return Div(_term(other), _term(self))

    def __neg__(self) -> Term:
        return Mul(Const(Fraction(-1)), _term(self))

    def __lt__(self, other: TermLike) -> Condition:
        return _compare(self, Relation.LT, other)

    def __le__(self, other: TermLike) -> Condition:
        return _compare(self, Relation.LE, other)

    def __gt__(self, other: TermLike) -> Condition:
        return _compare(self, Relation.GT, other)

    def __ge__(self, other: TermLike) -> Condition:
        return _compare(self, Relation.GE, other)

    def equals(self, other: TermLike) -> Condition:
        """The equation between two terms."""
        return _compare(self, Relation.EQ, other)

    def differs(self, other: TermLike) -> Condition:
        """The negated equation between two terms."""
        return _compare(self, Relation.NE, other)


@dataclass(frozen=True, slots=True)
class Var(_Operators):
    """The op's argument number ``index``."""

    index: int


@dataclass(frozen=True, slots=True)
class Const(_Operators):
    """A rational number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Add(_Operators):
    """``left + right``."""

    left: Term
    right: Term


@dataclass(frozen=True, slots=True)
class Mul(_Operators):
    """``left * right``."""

    left: Term
    right: Term


@dataclass(frozen=True, slots=True)
class Div(_Operators):
    """``numerator / denominator``; undefined where the denominator is 0."""

    numerator: Term
    denominator: Term


@dataclass(frozen=True, slots=True)
class Pow(_Operators):
    """``base ** exponent``.

    An integer exponent is repeated multiplication (undefined at base 0 when negative); any other
    is ``exp(exponent * log(base))`` for a positive base and 0 at base 0 for a positive exponent.
    """

    base: Term
    exponent: Term


@dataclass(frozen=True, slots=True)
class Floor(_Operators):
    """The largest integer that is at most the argument."""

    argument: Term


@dataclass(frozen=True, slots=True)
class Call(_Operators):
    """A transcendental function of a term."""

    function: Elementary
    argument: Term


Term: TypeAlias = Var | Const | Add | Mul | Div | Pow | Floor | Call
TermLike: TypeAlias = "Term | _Operators | Fraction | int"


@dataclass(frozen=True, slots=True)
class Compare:
    """``term relation 0``."""

    term: Term
    relation: Relation


@dataclass(frozen=True, slots=True)
class And:
    """All of the conditions; the empty conjunction is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of the conditions at least; the empty disjunction is false."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Compare | And | Or

TRUE = And(())


@dataclass(frozen=True, slots=True)
class Piece:
    """Where ``condition`` holds, the value is ``term``."""

    condition: Condition
    term: Term


def _term(value: TermLike) -> Term:
    match value:
        case Var() | Const() | Add() | Mul() | Div() | Pow() | Floor() | Call():
            return value
        case int() | Fraction():
            return Const(Fraction(value))
        case _:
            raise TypeError(f"not a term: {value!r}")


def _compare(left: TermLike, relation: Relation, right: TermLike) -> Condition:
    rhs = _term(right)
    if isinstance(rhs, Const) and rhs.value == 0:
        return Compare(_term(left), relation)
    return Compare(Add(_term(left), -rhs), relation)


def floor(argument: TermLike) -> Term:
    """The largest integer that is at most ``argument``."""
    return Floor(_term(argument))


def call(function: Elementary, argument: TermLike) -> Term:
    """``function(argument)``."""
    return Call(function, _term(argument))


def power(base: TermLike, exponent: TermLike) -> Term:
    """``base ** exponent``; see `Pow`."""
    return Pow(_term(base), _term(exponent))


def when(condition: Condition, value: TermLike) -> Piece:
    """The piece ``value`` where ``condition`` holds."""
    return Piece(condition, _term(value))


def everywhere(value: TermLike) -> tuple[Piece, ...]:
    """The graph of a single term."""
    return (Piece(TRUE, _term(value)),)


def subterms(root: Term | Condition) -> Iterator[Term]:
    """Every term inside ``root``, outer ones first."""
    match root:
        case Compare(term, _):
            yield from subterms(term)
            return
        case And(parts) | Or(parts):
            for part in parts:
                yield from subterms(part)
            return
        case Var() | Const():
            children: tuple[Term, ...] = ()
        case Add(left, right) | Mul(left, right) | Div(left, right) | Pow(left, right):
            children = (left, right)
        case Floor(argument) | Call(_, argument):
            children = (argument,)
    yield root
    for child in children:
        yield from subterms(child)


def kleene(truths: Iterable[bool | None], *, decisive: bool) -> bool | None:
    """Whether one of some truths is decisive, as true is in a disjunction; None where it is open.

    No truth is asked for after one that is.
    """
    found: bool | None = not decisive
    for held in truths:
        if held is decisive:
            return decisive
        found = None if held is None else found
    return found


def truth(condition: Condition, decide: Callable[[Compare], bool | None]) -> bool | None:
    """Whether a condition holds by its comparisons, None where those that are open matter."""
    match condition:
        case Compare():
            return decide(condition)
        case And(parts) | Or(parts):
            truths = (truth(part, decide) for part in parts)
            return kleene(truths, decisive=isinstance(condition, Or))
        case _:
            assert_never(condition)


def joined(
    condition: Condition,
    decide: Callable[[Compare], V],
    every: Callable[[list[V]], V],
    some: Callable[[list[V]], V],
) -> V:
    """What is found of a condition: of its comparisons, joined as it joins them."""
    match condition:
        case Compare():
            return decide(condition)
        case And(parts) | Or(parts):
            join = every if isinstance(condition, And) else some
            return join([joined(part, decide, every, some) for part in parts])
        case _:
            assert_never(condition)


def comparisons_in(condition: Condition) -> Iterator[Compare]:
    """The comparisons that a condition is made of, in order."""
    if isinstance(condition, Compare):
        yield condition
    else:
        for part in condition.parts:
            yield from comparisons_in(part)


_ZERO = Const(Fraction(0))


def constant(term: Term) -> Fraction | None:
    """The value of a term without variables that is made of constants, sums and products."""
    match term:
        case Const(value):
            return value
        case Add(left, right) | Mul(left, right):
            a = constant(left)
            b = None if a is None else constant(right)
            if a is None or b is None:
                return None
            return a + b if isinstance(term, Add) else a * b
        case _:
            return None


def subtracted(term: Term) -> Term | None:
    """The term ``b`` when ``term`` is written ``-b``, else None."""
    match term:
        case Mul(Const(value), right) if value == -1:
            return right
        case _:
            return None


def sides(condition: Compare) -> tuple[Term, Relation, Term]:
    """The comparison as ``left relation right``: a difference with zero is taken apart."""
    match condition.term:
        case Add(left, right) if (other := subtracted(right)) is not None:
            value = constant(other)
            return left, condition.relation, other if value is None else Const(value)
        case term:
            return term, condition.relation, _ZERO


@dataclass(frozen=True, slots=True)
class remembered(Generic[K, V]):  # noqa: N801 (used as a decorator)
    """A function that keeps what it makes of its arguments, which are told apart by their keys.

    What is the same object is found without its key, which goes through all of a term.
    """

    make: Callable[[K], V]
    key: Callable[[K], Hashable] = field(default=lambda argument: argument, compare=False)
    known: dict[int, tuple[K, V]] = field(
        default_factory=dict[int, tuple[K, V]], compare=False, repr=False
    )
    made: dict[Hashable, V] = field(default_factory=dict[Hashable, V], compare=False, repr=False)

    def __call__(self, argument: K) -> V:
        """The value, made or found."""
        entry = self.known.get(id(argument))
        if entry is not None and entry[0] is argument:
            return entry[1]
        if len(self.known) >= _MOST_REMEMBERED:
            self.known.clear()
            self.made.clear()
        key = self.key(argument)
        value = self.made.get(key)
        if value is None:
            value = self.made[key] = self.make(argument)
        # the object is kept, so that no other gets its number
        self.known[id(argument)] = argument, value
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return remembered, (self.make, self.key)
