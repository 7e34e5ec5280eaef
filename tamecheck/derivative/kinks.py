"""What an op does near a point: one derivative, or alternatives that a direction decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product

from flint import arb, fmpq

from tamecheck.derivative.terms import derivative
from tamecheck.evaluate.exact_terms import holds, value_at
from tamecheck.exact.reals import Number, UndecidedError, as_fraction
from tamecheck.ir.formula import (
    TRUE,
    And,
    Compare,
    Condition,
    Const,
    Or,
    Piece,
    Term,
    Var,
    everywhere,
    subterms,
)
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing, Selection
from tamecheck.ops import POW

__all__ = [
    "Affinity",
    "Alternative",
    "NotLipschitzError",
    "Site",
    "at_edge",
    "bounded",
    "compared_terms",
    "partials_of",
    "partials_over",
    "pointwise_alternatives",
    "sign_of",
]

ROUNDING = frozenset({"floor", "ceil", "round"})


class NotLipschitzError(Exception):
    """The op has no bounded derivative near the point, as the square root at 0."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A value and partial derivatives, in the directions where functionals have given signs.

    Parameters
    ----------
    signs
        For each of the element's tests, its sign.
    value
        The value, as the limit from there.
    partials
        The derivative by each argument.
    """

    signs: tuple[int, ...]
    value: Number
    partials: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """The alternatives of one element; ``tests`` are the gradients of what decides.

    ``jump`` says that their values differ.
    """

    tests: tuple[tuple[Number, ...], ...]
    alternatives: tuple[Alternative, ...]
    jump: bool


def sign_of(value: Number) -> int:
    """The sign of a number.

    Raises
    ------
    UndecidedError
        If it is a ball about 0.
    """
    if isinstance(value, fmpq):
        return (value > 0) - (value < 0)
    if value > 0:
        return 1
    if value < 0:
        return -1
    raise UndecidedError


@lru_cache(maxsize=4096)
def _derivatives(term: Term, arity: int) -> tuple[Term, ...]:
    return tuple(derivative(term, variable) for variable in range(arity))


def _gradient(term: Term, point: Sequence[Number], moving: Sequence[bool]) -> tuple[Number, ...]:
    zero = fmpq(0)
    return tuple(
        value_at(everywhere(part), point, continuous=True) if moves else zero
        for part, moves in zip(_derivatives(term, len(point)), moving, strict=True)
    )


def partials_of(
    pieces: Sequence[Piece], point: Sequence[Number], moving: Sequence[bool]
) -> tuple[Number, ...]:
    """The partial derivatives of the first piece that holds at a point."""
    for piece in pieces:
        held = holds(piece.condition, point)
        if held is None:
            raise UndecidedError
        if held:
            return _gradient(piece.term, point, moving)
    raise UndecidedError


def partials_over(
    node: Apply, meaning: Pointwise, point: Sequence[Number], moving: Sequence[bool]
) -> tuple[Number, ...]:
    """Balls about the partial derivatives of all pieces that may hold on a box of balls.

    Raises
    ------
    NotLipschitzError
        If the op is not Lipschitz somewhere in the box.
    UndecidedError
        If that is open, or the op may jump.
    """
    if not node.op.regularity.continuous:
        raise UndecidedError
    _check_lipschitz(node, point, moving)
    pieces = meaning.pieces(node.params)
    return tuple(
        value_at(
            [Piece(p.condition, _derivatives(p.term, len(point))[k]) for p in pieces],
            point,
            continuous=True,
        )
        if moves
        else fmpq(0)
        for k, moves in enumerate(moving)
    )


def pointwise_alternatives(
    node: Apply, meaning: Pointwise, point: Sequence[Number], moving: Sequence[bool]
) -> Site | tuple[Number, ...]:
    """The partial derivatives of one element, or its alternatives at a kink or jump.

    Arguments that do not move are constant near the point.

    Raises
    ------
    NotLipschitzError
        At a point where the op is not Lipschitz.
    UndecidedError
        If balls do not tell which piece holds.
    """
    pieces = meaning.pieces(node.params)
    _check_lipschitz(node, point, moving)
    if node.op.name in ROUNDING and not any(moving):
        return (fmpq(0),)
    if node.op.name in ROUNDING:
        return _rounding(pieces, point[0], half="half" in str(node.params.get("mode", "")))
    if meaning.whole is not None:
        # its two forms, of which either is sharp on one side, also in balls
        chosen = pieces[0] if _positive_side(point[0]) else pieces[1]
        return _gradient(chosen.term, point, moving)
    active = [
        term
        for term in compared_terms(pieces)
        if any(moving[index] for index in _variables(term))
        and sign_of(value_at(everywhere(term), point, continuous=True)) == 0
    ]
    if not active:
        return partials_of(pieces, point, moving)
    jump = not node.op.regularity.continuous
    found: list[Alternative] = []
    for signs in product((1, 0, -1), repeat=len(active)):
        piece = _piece(pieces, point, dict(zip(active, signs, strict=True)))
        if piece is not None:
            value = value_at(everywhere(piece.term), point, continuous=True)
            found.append(Alternative(signs, value, _gradient(piece.term, point, moving)))
    tests = tuple(_gradient(term, point, moving) for term in active)
    return Site(tests, tuple(found), jump)


def _positive_side(value: Number) -> bool:
    return not (isinstance(value, arb) and not value >= 0) and value >= 0


def at_edge(node: Apply, point: Sequence[Number], moving: Sequence[bool]) -> bool:
    """Whether arguments nearby may be outside the op's domain."""
    meaning = node.op.meaning
    domain = meaning.domain(node.params) if isinstance(meaning, Pointwise) else TRUE
    for term in compared_terms([Piece(domain, Const(Fraction(0)))]):
        if any(moving[index] for index in _variables(term)):
            try:
                if sign_of(value_at(everywhere(term), point, continuous=True)) == 0:
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
    inside, params = node.op.regularity.lipschitz_inside, node.params
    if inside is None or not any(moving):
        return
    if node.op.name == "power" and not moving[1]:
        # with a fixed exponent: also at bases that are not positive
        exponent = point[1]
        if isinstance(exponent, fmpq):
            inside, params = POW.regularity.lipschitz_inside, {"exponent": as_fraction(exponent)}
    held = None if inside is None else holds(inside(params), point)
    if held is None:
        raise UndecidedError
    if not held:
        raise NotLipschitzError


@lru_cache(maxsize=4096)
def _variables(term: Term) -> frozenset[int]:
    return frozenset(part.index for part in subterms(term) if isinstance(part, Var))


def compared_terms(pieces: Sequence[Piece]) -> list[Term]:
    """The terms whose signs decide which piece holds."""
    found: list[Term] = []

    def visit(condition: Condition) -> None:
        match condition:
            case Compare(term, _):
                if term not in found:
                    found.append(term)
            case And(parts) | Or(parts):
                for part in parts:
                    visit(part)

    for piece in pieces:
        visit(piece.condition)
    return found


def _piece(
    pieces: Sequence[Piece], point: Sequence[Number], signs: dict[Term, int]
) -> Piece | None:
    """The first piece whose condition holds when some terms have given signs."""

    def held(condition: Condition) -> bool:
        match condition:
            case Compare(term, relation):
                if term in signs:
                    return signs[term] in relation.signs
                return bool(holds(condition, point))
            case And(parts):
                return all(held(part) for part in parts)
            case Or(parts):
                return any(held(part) for part in parts)

    return next((piece for piece in pieces if held(piece.condition)), None)


def _rounding(pieces: Sequence[Piece], value: Number, *, half: bool) -> Site | tuple[Number, ...]:
    zero = fmpq(0)
    if not isinstance(value, fmpq):
        # raises if the ball meets a jump
        value_at(pieces, (value,), continuous=False)
        return (zero,)
    shift = fmpq(1, 2) if half else zero
    if (value - shift).q != 1:
        return (zero,)
    around = [value + fmpq(1, 2), value, value - fmpq(1, 2)]
    values = [value_at(pieces, (v,), continuous=False) for v in around]
    if values[0] == values[1] == values[2]:
        return (zero,)
    alternatives = tuple(
        Alternative((sign,), v, (zero,)) for sign, v in zip((1, 0, -1), values, strict=True)
    )
    return Site(((fmpq(1),),), alternatives, jump=True)


_FLAT = frozenset(
    {"sign", "step", "equal", "less", "less_equal", "floor", "ceil", "round", "argmax", "argmin"}
    | {"argsort"}
)
_LINEAR = frozenset(
    {"add", "sub", "neg", "abs", "relu", "leaky_relu", "maximum", "minimum", "clip", "select"}
)


@dataclass(frozen=True, slots=True)
class Affinity:
    """For each node: whether it is piecewise affine, and whether piecewise constant."""

    graph: Graph
    affine: tuple[bool, ...]
    flat: tuple[bool, ...]

    @staticmethod
    def of(graph: Graph) -> Affinity:
        """The facts about a graph."""
        affine: list[bool] = []
        flat: list[bool] = []
        for index, node in enumerate(graph.nodes):
            if not isinstance(node, Apply):
                affine.append(True)
                flat.append(graph.input_free[index])
                continue
            if graph.input_free[index]:
                affine.append(True)
                flat.append(True)
                continue
            straight = all(affine[arg] for arg in node.args)
            still = [flat[arg] for arg in node.args]
            level = straight and (node.op.name in _FLAT or all(still))
            flat.append(level)
            affine.append(level or (straight and _keeps_affine(node, still)))
        return Affinity(graph, tuple(affine), tuple(flat))

    def affine_args(self, index: int) -> bool:
        """Whether all arguments of a node are piecewise affine."""
        node = self.graph.nodes[index]
        return isinstance(node, Apply) and all(self.affine[arg] for arg in node.args)


def _keeps_affine(node: Apply, still: list[bool]) -> bool:
    """Whether the op of piecewise affine arguments is, given which are piecewise constant."""
    match node.op.meaning:
        case Routing():
            return True
        case Contraction():
            return any(still)
        case Fold(name):
            return name in ("add", "maximum", "minimum")
        case Selection():
            return node.op.name in ("gather", "gather_elements") and still[1]
        case Pointwise():
            name = node.op.name
            if name in ("mul", "prelu"):
                return any(still) if name == "mul" else still[1]
            if name == "div":
                return still[1]
            if name == "pow":
                return node.params["exponent"] in (Fraction(0), Fraction(1))
            return name in _LINEAR
        case _:
            return False
