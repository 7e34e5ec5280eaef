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

from tamecheck.ir import formula
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Contraction, Expansion, Fold, Op, Params, Pointwise, Routing, Selection
from tamecheck.ir.structure import Antichain, Structure, join, join_all, minimal
from tamecheck.ops.facets import kept

_LINEAR = (Structure.RATIONAL_SEMILINEAR,)
_ALGEBRAIC = (Structure.SEMIALGEBRAIC,)
_NONE: Antichain = ()

_UNBOUNDED: dict[formula.Elementary, Antichain] = {
    formula.Elementary.SIN: _NONE,
    formula.Elementary.COS: _NONE,
    formula.Elementary.TAN: _NONE,
    formula.Elementary.ASIN: (Structure.AN,),
    formula.Elementary.ACOS: (Structure.AN,),
    formula.Elementary.ATAN: (Structure.AN,),
    formula.Elementary.ERF: (Structure.PFAFFIAN,),
}
"""Where a function on its whole natural domain lives; the rest are ℝ_exp."""

_INSIDE = frozenset({formula.Elementary.LOG, formula.Elementary.ATANH})
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
        isinstance(term, formula.Pow) and not isinstance(term.exponent, formula.Const)
        for piece in op.meaning.pieces(params)
        for term in formula.subterms(piece.term)
    )


def needs_bounded(op: Op, params: Params) -> bool:
    """Whether boundedness of the arguments changes the op's structures."""
    match op.meaning:
        case Expansion():
            return True
        case Pointwise(pieces=pieces):
            return _has_open_power(op, params) or any(
                isinstance(term, formula.Floor | formula.Call)
                for piece in pieces(params)
                for term in _terms(piece)
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
                isinstance(term, formula.Call)
                and term.function in _INSIDE
                and not positive(term.argument, inside=False)
                for piece in pieces(params)
                for term in _terms(piece)
            )
        case _:
            return False


def domain_of(op: Op, params: Params) -> formula.Condition:
    """A condition under which the op has a value; the empty conjunction when always."""
    match op.meaning:
        case Pointwise(domain=domain) if _has_open_power(op, params):
            # the kernel knows these two cases: a positive base, and a natural exponent
            return formula.Or(_alternatives(domain(params))[:2])
        case Pointwise(domain=domain):
            return domain(params)
        case _:
            return formula.And(())


def domain_at(graph: Graph, index: int) -> formula.Condition:
    """The condition on its arguments under which a node of a graph has a value.

    A power whose exponent depends on the inputs is defined for positive bases only: where negative
    bases with natural exponents counted, its domain were in no o-minimal structure.
    """
    node = graph.nodes[index]
    if not isinstance(node, Apply):
        return formula.TRUE
    if _has_open_power(node.op, node.params) and not graph.input_free[node.args[1]]:
        return formula.Var(0) > 0
    return domain_of(node.op, node.params)


def _alternatives(condition: formula.Condition) -> tuple[formula.Condition, ...]:
    return condition.parts if isinstance(condition, formula.Or) else (condition,)


def _terms(piece: formula.Piece) -> list[formula.Term]:
    return [*formula.subterms(piece.condition), *formula.subterms(piece.term)]


def _power(situation: Situation) -> Antichain:
    # x ** y = exp(y log x); with both bounded and x away from 0 it is restricted analytic
    if situation.bounded and situation.inside:
        return (Structure.AN, Structure.EXP)
    return (Structure.EXP,)


def _piece(piece: formula.Piece, situation: Situation) -> Antichain:
    return join(_condition(piece.condition, situation), _term(piece.term, situation))


def _condition(condition: formula.Condition, situation: Situation) -> Antichain:
    match condition:
        case formula.Compare(term, _):
            return _term(term, situation)
        case formula.And(parts) | formula.Or(parts):
            return join_all(_condition(part, situation) for part in parts)


def _constant(term: formula.Term, situation: Situation) -> bool:
    return all(
        situation.fixed[t.index] for t in formula.subterms(term) if isinstance(t, formula.Var)
    )


def _term(term: formula.Term, situation: Situation) -> Antichain:
    match term:
        case formula.Var() | formula.Const():
            return _LINEAR
        case formula.Add(left, right):
            return join(_term(left, situation), _term(right, situation))
        case formula.Mul(left, right):
            linear = _constant(left, situation) or _constant(right, situation)
            own = _LINEAR if linear else _ALGEBRAIC
            return join_all((own, _term(left, situation), _term(right, situation)))
        case formula.Div(numerator, denominator):
            own = _LINEAR if _constant(denominator, situation) else _ALGEBRAIC
            return join_all((own, _term(numerator, situation), _term(denominator, situation)))
        case formula.Pow(base, formula.Const(exponent)):
            own = _LINEAR if exponent in (Fraction(0), Fraction(1)) else _ALGEBRAIC
            return join(own, _term(base, situation))
        case formula.Pow(base, exponent):
            return join_all(((Structure.EXP,), _term(base, situation), _term(exponent, situation)))
        case formula.Floor(argument):
            own = _LINEAR if situation.bounded else (Structure.LOCAL,)
            return join(own, _term(argument, situation))
        case formula.Call(function, argument):
            return join(_call(function, argument, situation), _term(argument, situation))


def _call(function: formula.Elementary, argument: formula.Term, situation: Situation) -> Antichain:
    general = _UNBOUNDED.get(function, (Structure.EXP,))
    analytic = function not in _INSIDE or positive(argument, inside=situation.inside)
    if situation.bounded and analytic:
        return minimal((*general, Structure.AN))
    return general


def positive(term: formula.Term, *, inside: bool) -> bool:
    """Whether the term is positive wherever its variables are (``inside``) or always."""
    match term:
        case formula.Var():
            return inside
        case formula.Const(value):
            return value > 0
        case formula.Add(left, right) | formula.Mul(left, right) | formula.Div(left, right):
            return positive(left, inside=inside) and positive(right, inside=inside)
        case formula.Call(formula.Elementary.EXP, _):
            return True
        case _:
            return False


def strictly_inside(op: Op, params: Params) -> formula.Condition:
    """The domain condition with its inequalities made strict."""
    return _strict(domain_of(op, params))


def _strict(condition: formula.Condition) -> formula.Condition:
    match condition:
        case formula.Compare(term, formula.Relation.GE):
            return formula.Compare(term, formula.Relation.GT)
        case formula.Compare(term, formula.Relation.LE):
            return formula.Compare(term, formula.Relation.LT)
        case formula.Compare():
            return condition
        case formula.And(parts):
            return formula.And(tuple(_strict(part) for part in parts))
        case formula.Or(parts):
            # only `power` has alternatives; its analytic case is the first, a positive base
            return _strict(parts[0])
