"""What an op does near a point: one derivative, or alternatives that a direction decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import prod
from typing import assert_never

from flint import arb, fmpq

from tamecheck.evaluate.exact_terms import holds, value_at
from tamecheck.exact.reals import ZERO, Number, UndecidedError
from tamecheck.ir import formula
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Pointwise
from tamecheck.ops.facets import compared, comparisons, degree, rounds, term_degree, variables

Partials = tuple[Number, ...]
"""The derivative of an element by each argument."""


class NotLipschitzError(Exception):
    """The op has no bounded derivative near the point, as the square root at 0."""


@dataclass(frozen=True, slots=True)
class Affinity:
    """For each node: whether it is piecewise affine, and whether piecewise constant.

    First derivatives describe piecewise affine functions exactly near a point.
    """

    graph: Graph
    affine: tuple[bool, ...]
    flat: tuple[bool, ...]

    @staticmethod
    def of(graph: Graph) -> Affinity:
        """The facts about a graph, from the degrees of the ops' pieces."""
        degrees: list[int] = []
        flat: list[bool] = []
        for index, node in enumerate(graph.nodes):
            if not isinstance(node, Apply) or graph.input_free[index]:
                degrees.append(int(not graph.input_free[index]))
                flat.append(graph.input_free[index])
                continue
            given = [degrees[arg] for arg in node.args]
            # pieces are polyhedral where what is compared is affine
            walls = comparisons(node.op, node.params)
            found = [degree(node.op, node.params, given, rounding=True), *given]
            found += [term_degree(wall, given, rounding=True) for wall in walls]
            curved = any(value is None or value > 1 for value in found)
            # any function of constants is constant
            degrees.append(0 if not any(given) else 2 if curved else found[0] or 0)
            # constant on each piece, whatever bounds the pieces
            level = degree(node.op, node.params, [1] * len(given), rounding=True) == 0
            flat.append(level or all(flat[arg] for arg in node.args))
        return Affinity(graph, tuple(d < 2 for d in degrees), tuple(flat))

    def affine_args(self, index: int) -> bool:
        """Whether all arguments of a node are piecewise affine."""
        node = self.graph.nodes[index]
        return isinstance(node, Apply) and all(self.affine[arg] for arg in node.args)


@dataclass(frozen=True, slots=True)
class Alternative:
    """A value and its partial derivatives, where functionals have these signs."""

    signs: tuple[int, ...]
    value: Number
    partials: Partials


@dataclass(frozen=True, slots=True)
class Site:
    """The alternatives of one element; ``tests`` are the gradients of what decides.

    ``jump`` says that their values differ.
    """

    tests: tuple[Partials, ...]
    alternatives: tuple[Alternative, ...]
    jump: bool


def sign_of(value: Number) -> int:
    """The sign of a number.

    Raises `UndecidedError` if it is a ball about 0.
    """
    if isinstance(value, arb) and not (value > 0 or value < 0):
        raise UndecidedError
    return int(value > 0) - int(value < 0)


@lru_cache(maxsize=4096)
def _derivatives(term: formula.Term, arity: int) -> tuple[formula.Term, ...]:
    return tuple(derivative(term, variable) for variable in range(arity))


def term_value(term: formula.Term, point: Sequence[Number]) -> Number:
    """The value of a term that is continuous at a point."""
    return value_at(formula.everywhere(term), point, continuous=True)


def gradient_at(term: formula.Term, point: Sequence[Number], moving: Sequence[bool]) -> Partials:
    """The derivatives of a term by its variables, zero by those that do not move."""
    parts = _derivatives(term, len(point))
    return tuple(
        term_value(part, point) if moves else ZERO
        for part, moves in zip(parts, moving, strict=True)
    )


def partials_over(node: Apply, point: Sequence[Number], moving: Sequence[bool]) -> Partials:
    """Balls about the partial derivatives of all pieces that may hold on a box of balls.

    Raises `NotLipschitzError` if the op is not Lipschitz somewhere in the box. Raises
    `UndecidedError` if that is open, or the op may jump.
    """
    if not node.op.regularity.continuous:
        raise UndecidedError
    _check_lipschitz(node, point, moving)
    pieces = pieces_of(node)
    return tuple(
        value_at(
            [formula.Piece(p.condition, _derivatives(p.term, len(point))[k]) for p in pieces],
            point,
            continuous=True,
        )
        if moves
        else ZERO
        for k, moves in enumerate(moving)
    )


def pieces_of(node: Apply) -> tuple[formula.Piece, ...]:
    """The pieces of a pointwise node."""
    meaning = node.op.meaning
    return meaning.pieces(node.params) if isinstance(meaning, Pointwise) else ()


def pointwise_alternatives(
    node: Apply, point: Sequence[Number], moving: Sequence[bool]
) -> Site | Partials:
    """The partial derivatives of one element, or its alternatives at a kink or jump.

    Arguments that do not move are constant near the point.  Raises `NotLipschitzError` at a point
    where the op is not Lipschitz. Raises `UndecidedError` if balls do not tell which piece holds.
    """
    pieces = pieces_of(node)
    _check_lipschitz(node, point, moving)
    if rounds(node.op, node.params) and degree(node.op, node.params, [1], rounding=True) == 0:
        return _rounding(pieces, point[0]) if any(moving) else (ZERO,)
    if isinstance(node.op.meaning, Pointwise) and node.op.meaning.whole is not None:
        # its two forms, of which either is sharp on one side, also in balls
        return gradient_at(pieces[0 if point[0] >= 0 else 1].term, point, moving)
    active = [
        term
        for term in comparisons(node.op, node.params)
        if _moves(term, moving) and sign_of(term_value(term, point)) == 0
    ]
    if not active:
        term = _first_term(pieces, point, {})
        if term is None:
            raise UndecidedError
        return gradient_at(term, point, moving)
    found: list[Alternative] = []
    for signs in product((1, 0, -1), repeat=len(active)):
        term = _first_term(pieces, point, dict(zip(active, signs, strict=True)))
        if term is not None:
            found.append(
                Alternative(signs, term_value(term, point), gradient_at(term, point, moving))
            )
    tests = tuple(gradient_at(term, point, moving) for term in active)
    return Site(tests, tuple(found), jump=not node.op.regularity.continuous)


def at_edge(node: Apply, point: Sequence[Number], moving: Sequence[bool]) -> bool:
    """Whether arguments nearby may be outside the op's domain."""
    meaning = node.op.meaning
    if not isinstance(meaning, Pointwise):
        return False
    for term in compared(meaning.domain(node.params)):
        if _moves(term, moving):
            try:
                if sign_of(term_value(term, point)) == 0:
                    return True
            except UndecidedError:
                return True
    return False


def bounded(node: Apply, point: Sequence[Number], moving: Sequence[bool]) -> bool:
    """Whether an op is known to have a bounded derivative near the arguments of an element."""
    try:
        _check_lipschitz(node, point, moving)
    except (NotLipschitzError, UndecidedError):
        return False
    return True


def _check_lipschitz(node: Apply, point: Sequence[Number], moving: Sequence[bool]) -> None:
    regularity = node.op.regularity
    if regularity.lipschitz_inside is None or not any(moving):
        return
    given = (inside for k, inside in regularity.lipschitz_given.items() if not moving[k])
    held = holds(next(given, None) or regularity.lipschitz_inside(node.params), point)
    if held is None:
        raise UndecidedError
    if not held:
        raise NotLipschitzError


def _moves(term: formula.Term, moving: Sequence[bool]) -> bool:
    """Whether a term has a variable that moves."""
    return any(moving[index] for index in variables([term]))


def _first_term(
    pieces: Sequence[formula.Piece], point: Sequence[Number], signs: dict[formula.Term, int]
) -> formula.Term | None:
    """The term of the first piece whose condition holds when some terms have given signs."""

    def decide(condition: formula.Compare) -> bool | None:
        if condition.term in signs:
            return signs[condition.term] in condition.relation.signs
        return holds(condition, point)

    for piece in pieces:
        found = formula.truth(piece.condition, decide)
        if found is None:
            raise UndecidedError
        if found:
            return piece.term
    return None


def _rounding(pieces: Sequence[formula.Piece], value: Number) -> Site | Partials:
    """A function of one argument that is constant between the jumps of floors of affine terms."""
    if not isinstance(value, fmpq):
        # raises if the ball meets a jump
        value_at(pieces, (value,), continuous=False)
        return (ZERO,)
    # jumps are rationals whose denominators divide the product of all numbers in the terms
    roots = [root for piece in pieces for root in (piece.condition, piece.term)]
    numbers = [
        t.value
        for root in roots
        for t in formula.subterms(root)
        if isinstance(t, formula.Const) and t.value
    ]
    apart = fmpq(1, 2 * int(value.q) * prod(abs(n.numerator) * n.denominator for n in set(numbers)))
    values = [
        value_at(pieces, (v,), continuous=False) for v in (value + apart, value, value - apart)
    ]
    if values[0] == values[1] == values[2]:
        return (ZERO,)
    sides = zip((1, 0, -1), values, strict=True)
    alternatives = tuple(Alternative((sign,), v, (ZERO,)) for sign, v in sides)
    return Site(((fmpq(1),),), alternatives, jump=True)


_NOUGHT, _ONE, _HALF = (
    formula.Const(Fraction(0)),
    formula.Const(Fraction(1)),
    formula.Const(Fraction(1, 2)),
)


def derivative(term: formula.Term, variable: int) -> formula.Term:  # noqa: C901 (a case for each constructor)
    """The partial derivative of a term with respect to a variable, away from jumps.

    Examples
    --------
    >>> from tamecheck.ir.formula import Var
    >>> derivative(Var(0) * 3, 0)
    Const(value=Fraction(3, 1))
    """
    match term:
        case formula.Var(index):
            return _ONE if index == variable else _NOUGHT
        case formula.Const():
            return _NOUGHT
        case formula.Add(left, right):
            return _plus(derivative(left, variable), derivative(right, variable))
        case formula.Mul(left, right):
            return _plus(
                _times(derivative(left, variable), right), _times(left, derivative(right, variable))
            )
        case formula.Div(top, low):
            rise = _times(derivative(top, variable), low)
            fall = _times(-top, derivative(low, variable))
            total = _plus(rise, fall)
            return _NOUGHT if total == _NOUGHT else formula.Div(total, formula.Mul(low, low))
        case formula.Pow(base, formula.Const(exponent)):
            if exponent in (0, 1):
                return _NOUGHT if exponent == 0 else derivative(base, variable)
            outer = formula.Mul(
                formula.Const(exponent), formula.Pow(base, formula.Const(exponent - 1))
            )
            return _times(outer, derivative(base, variable))
        case formula.Pow(base, exponent):
            through_base = formula.Mul(
                exponent, formula.Pow(base, formula.Add(exponent, formula.Const(Fraction(-1))))
            )
            through_exponent = formula.Mul(term, formula.Call(formula.Elementary.LOG, base))
            return _plus(
                _times(through_base, derivative(base, variable)),
                _times(through_exponent, derivative(exponent, variable)),
            )
        case formula.Floor():
            return _NOUGHT
        case formula.Call(function, argument):
            inner = derivative(argument, variable)
            return _NOUGHT if inner == _NOUGHT else _times(_SLOPES[function](argument), inner)
        case _:
            assert_never(term)


def _plus(left: formula.Term, right: formula.Term) -> formula.Term:
    if left == _NOUGHT:
        return right
    return left if right == _NOUGHT else formula.Add(left, right)


def _times(left: formula.Term, right: formula.Term) -> formula.Term:
    if _NOUGHT in (left, right):
        return _NOUGHT
    if left == _ONE:
        return right
    return left if right == _ONE else formula.Mul(left, right)


def _inverse_root(term: formula.Term) -> formula.Term:
    return 1 / formula.power(term, _HALF)


_SLOPES: Mapping[formula.Elementary, Callable[[formula.Term], formula.Term]] = {
    formula.Elementary.EXP: lambda u: formula.call(formula.Elementary.EXP, u),
    formula.Elementary.LOG: lambda u: 1 / u,
    formula.Elementary.SIN: lambda u: formula.call(formula.Elementary.COS, u),
    formula.Elementary.COS: lambda u: -formula.call(formula.Elementary.SIN, u),
    formula.Elementary.TAN: lambda u: (
        1 + formula.call(formula.Elementary.TAN, u) * formula.call(formula.Elementary.TAN, u)
    ),
    formula.Elementary.ASIN: lambda u: _inverse_root(1 - u * u),
    formula.Elementary.ACOS: lambda u: -_inverse_root(1 - u * u),
    formula.Elementary.ATAN: lambda u: 1 / (1 + u * u),
    formula.Elementary.SINH: lambda u: formula.call(formula.Elementary.COSH, u),
    formula.Elementary.COSH: lambda u: formula.call(formula.Elementary.SINH, u),
    formula.Elementary.TANH: lambda u: (
        1 - formula.call(formula.Elementary.TANH, u) * formula.call(formula.Elementary.TANH, u)
    ),
    formula.Elementary.ASINH: lambda u: _inverse_root(1 + u * u),
    formula.Elementary.ACOSH: lambda u: _inverse_root(u * u - 1),
    formula.Elementary.ATANH: lambda u: 1 / (1 - u * u),
    # 2 / √π, with π = 4 atan 1
    formula.Elementary.ERF: lambda u: (
        2
        / formula.power(4 * formula.call(formula.Elementary.ATAN, _ONE), _HALF)
        * formula.call(formula.Elementary.EXP, -(u * u))
    ),
}
"""The derivatives of the elementary functions."""
