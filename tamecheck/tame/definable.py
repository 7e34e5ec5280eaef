"""In which structures one op is definable, read off the pieces that define it.

A term's structures depend on three things besides the term: which arguments are fixed parameters
(input-free), whether the arguments are bounded on the domain, and whether they stay strictly
inside the function's natural domain.  Restricted to a compact set on which it is analytic, a
function is definable in ℝ_an (van den Dries 1986); rounding a bounded number takes finitely many
values.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tamecheck.ir.formula import (
    TRUE,
    Add,
    And,
    Call,
    Compare,
    Condition,
    Const,
    Div,
    Elementary,
    Floor,
    Mul,
    Or,
    Piece,
    Pow,
    Relation,
    Term,
    Var,
    subterms,
)
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Contraction, Expansion, Fold, Op, Params, Pointwise, Routing, Selection
from tamecheck.ir.structure import Antichain, Structure, join, join_all, minimal
from tamecheck.ops.facets import kept

_LINEAR = (Structure.RATIONAL_SEMILINEAR,)
_ALGEBRAIC = (Structure.SEMIALGEBRAIC,)
_NONE: Antichain = ()

_UNBOUNDED: dict[Elementary, Antichain] = {
    Elementary.SIN: _NONE,
    Elementary.COS: _NONE,
    Elementary.TAN: _NONE,
    Elementary.ASIN: (Structure.AN,),
    Elementary.ACOS: (Structure.AN,),
    Elementary.ATAN: (Structure.AN,),
    Elementary.ERF: (Structure.PFAFFIAN,),
}
"""Where a function on its whole natural domain lives; the rest are ℝ_exp."""

_INSIDE = frozenset({Elementary.LOG, Elementary.ATANH})
"""Functions without bounds near a finite end of their domain, where they are not in ℝ_an."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known about an op's arguments on the domain."""

    fixed: tuple[bool, ...]
    """For each argument, whether it is input-free, hence a real parameter."""
    bounded: bool = False
    """Whether every argument is bounded."""
    inside: bool = False
    """Whether every argument has an enclosure strictly inside the op's natural domain."""


def structures_of(op: Op, params: Params, situation: Situation) -> Antichain:
    """The minimal structures that define the op itself, in this situation."""
    match op.meaning:
        case Pointwise(pieces=pieces):
            graph = pieces(params)
            if _has_open_power(op, params):
                return _power(situation)
            return join_all(_piece(piece, situation) for piece in graph)
        case Routing() | Selection():
            return _LINEAR
        case Contraction():
            return _LINEAR if any(situation.fixed) else _ALGEBRAIC
        case Fold(folded):
            return structures_of(folded, {}, Situation((False, False)))
        case Expansion():
            return minimal((Structure.EXP, Structure.AN)) if situation.bounded else (Structure.EXP,)


@kept
def _has_open_power(op: Op, params: Params) -> bool:
    """Whether an argument of the op is an exponent."""
    return isinstance(op.meaning, Pointwise) and any(
        isinstance(term, Pow) and not isinstance(term.exponent, Const)
        for piece in op.meaning.pieces(params)
        for term in subterms(piece.term)
    )


def needs_bounded(op: Op, params: Params) -> bool:
    """Whether boundedness of the arguments changes the op's structures."""
    match op.meaning:
        case Expansion():
            return True
        case Pointwise(pieces=pieces):
            return _has_open_power(op, params) or any(
                isinstance(term, Floor | Call) for piece in pieces(params) for term in _terms(piece)
            )
        case _:
            return False


def tame_if_bounded(op: Op, params: Params) -> bool:
    """Whether the op is in no o-minimal structure on all of ℝ, and in one on every bounded set."""
    if not needs_bounded(op, params):
        return False
    anywhere, bounded = (
        structures_of(op, params, Situation((False,) * (op.arity or 1), bounded=known))
        for known in (False, True)
    )
    return not any(s.o_minimal for s in anywhere) and any(s.o_minimal for s in bounded)


def needs_inside(op: Op, params: Params) -> bool:
    """Whether being strictly inside the domain changes the op's structures."""
    match op.meaning:
        case Pointwise(pieces=pieces):
            return _has_open_power(op, params) or any(
                isinstance(term, Call)
                and term.function in _INSIDE
                and not positive(term.argument, inside=False)
                for piece in pieces(params)
                for term in _terms(piece)
            )
        case _:
            return False


def domain_of(op: Op, params: Params) -> Condition:
    """A condition under which the op has a value; the empty conjunction when always."""
    match op.meaning:
        case Pointwise(domain=domain) if _has_open_power(op, params):
            # the kernel knows these two cases: a positive base, and a natural exponent
            return Or(_alternatives(domain(params))[:2])
        case Pointwise(domain=domain):
            return domain(params)
        case _:
            return And(())


def domain_at(graph: Graph, index: int) -> Condition:
    """The condition on its arguments under which a node of a graph has a value.

    A power whose exponent depends on the inputs is defined for positive bases only: where negative
    bases with natural exponents counted, its domain were in no o-minimal structure.
    """
    node = graph.nodes[index]
    if not isinstance(node, Apply):
        return TRUE
    if _has_open_power(node.op, node.params) and not graph.input_free[node.args[1]]:
        return Var(0) > 0
    return domain_of(node.op, node.params)


def _alternatives(condition: Condition) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, Or) else (condition,)


def _terms(piece: Piece) -> list[Term]:
    return [*subterms(piece.condition), *subterms(piece.term)]


def _power(situation: Situation) -> Antichain:
    # x ** y = exp(y log x); with both bounded and x away from 0 it is restricted analytic
    if situation.bounded and situation.inside:
        return (Structure.AN, Structure.EXP)
    return (Structure.EXP,)


def _piece(piece: Piece, situation: Situation) -> Antichain:
    return join(_condition(piece.condition, situation), _term(piece.term, situation))


def _condition(condition: Condition, situation: Situation) -> Antichain:
    match condition:
        case Compare(term, _):
            return _term(term, situation)
        case And(parts) | Or(parts):
            return join_all(_condition(part, situation) for part in parts)


def _constant(term: Term, situation: Situation) -> bool:
    return all(situation.fixed[t.index] for t in subterms(term) if isinstance(t, Var))


def _term(term: Term, situation: Situation) -> Antichain:
    match term:
        case Var() | Const():
            return _LINEAR
        case Add(left, right):
            return join(_term(left, situation), _term(right, situation))
        case Mul(left, right):
            linear = _constant(left, situation) or _constant(right, situation)
            own = _LINEAR if linear else _ALGEBRAIC
            return join_all((own, _term(left, situation), _term(right, situation)))
        case Div(numerator, denominator):
            own = _LINEAR if _constant(denominator, situation) else _ALGEBRAIC
            return join_all((own, _term(numerator, situation), _term(denominator, situation)))
        case Pow(base, Const(exponent)):
            own = _LINEAR if exponent in (Fraction(0), Fraction(1)) else _ALGEBRAIC
            return join(own, _term(base, situation))
        case Pow(base, exponent):
            return join_all(((Structure.EXP,), _term(base, situation), _term(exponent, situation)))
        case Floor(argument):
            own = _LINEAR if situation.bounded else (Structure.LOCAL,)
            return join(own, _term(argument, situation))
        case Call(function, argument):
            return join(_call(function, argument, situation), _term(argument, situation))


def _call(function: Elementary, argument: Term, situation: Situation) -> Antichain:
    general = _UNBOUNDED.get(function, (Structure.EXP,))
    analytic = function not in _INSIDE or positive(argument, inside=situation.inside)
    if situation.bounded and analytic:
        return minimal((*general, Structure.AN))
    return general


def positive(term: Term, *, inside: bool) -> bool:
    """Whether the term is positive wherever its variables are (``inside``) or always."""
    match term:
        case Var():
            return inside
        case Const(value):
            return value > 0
        case Add(left, right) | Mul(left, right) | Div(left, right):
            return positive(left, inside=inside) and positive(right, inside=inside)
        case Call(Elementary.EXP, _):
            return True
        case _:
            return False


def strictly_inside(op: Op, params: Params) -> Condition:
    """The domain condition with its inequalities made strict."""
    return _strict(domain_of(op, params))


def _strict(condition: Condition) -> Condition:
    match condition:
        case Compare(term, Relation.GE):
            return Compare(term, Relation.GT)
        case Compare(term, Relation.LE):
            return Compare(term, Relation.LT)
        case Compare():
            return condition
        case And(parts):
            return And(tuple(_strict(part) for part in parts))
        case Or(parts):
            # only `power` has alternatives; its analytic case is the first, a positive base
            return _strict(parts[0])
