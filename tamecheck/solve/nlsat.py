"""Bounds on semialgebraic terms over the reals, by z3's nonlinear solver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np

from tamecheck.ir.box import Box
from tamecheck.ir.formula import (
    Add,
    And,
    Call,
    Compare,
    Condition,
    Const,
    Div,
    Floor,
    Mul,
    Or,
    Pow,
    Relation,
    Term,
    Var,
    subterms,
)
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing
from tamecheck.ir.tensor import Array, size_of

__all__ = ["BoundAnswer", "Bounded", "NoAnswer", "solver_name", "try_bound"]

_MAX_ELEMENTS = 64
_MAX_NODES = 400


@dataclass(frozen=True, slots=True)
class Bounded:
    """The solver found no point of the box where the absolute value exceeds ``bound``."""

    bound: Fraction


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The solver did not decide, or the term is outside its language: the reason."""

    why: str


BoundAnswer = Bounded | NoAnswer


def _z3() -> Any:
    """The solver, loaded on first use; it has no type stubs."""
    return import_module("z3")


class _OutsideError(Exception):
    """The term has no translation to real arithmetic."""


def solver_name() -> str:
    """The solver and its version, as certificates name it."""
    z3 = _z3()
    return f"z3 {z3.get_version_string()}"


def try_bound(
    graph: Graph, box: Box, node: int, bounds: Sequence[Fraction], *, timeout: float
) -> BoundAnswer:
    """Try to show ``|node| <= bound`` on the box for one of the bounds.

    Parameters
    ----------
    graph, box, node
        The node, all of whose elements are to be bounded; it must be defined on the box.
    bounds
        Candidates, tried in order.
    timeout
        Seconds, shared evenly by the candidates.

    Returns
    -------
    BoundAnswer
        `Bounded` is the solver's word, not a proof: callers mark it as trusted.
    """
    z3 = _z3()
    try:
        values, constraints = _translate(graph, box, node)
    except _OutsideError as error:
        return NoAnswer(str(error))
    for bound in bounds:
        solver = z3.Tactic("qfnra-nlsat").solver() if not _has_ite(values) else z3.Solver()
        solver.set("timeout", max(1, int(1000 * timeout / len(bounds))))
        limit = _number(bound)
        escapes = [z3.Or(v > limit, v < -limit) for v in values]
        solver.add(*constraints, z3.Or(*escapes))
        if solver.check() == z3.unsat:
            return Bounded(bound)
    return NoAnswer(f"z3 found no bound up to {bounds[-1]}")


def _number(value: Fraction) -> Any:
    z3 = _z3()
    return z3.Q(value.numerator, value.denominator)


def _has_ite(values: Sequence[Any]) -> bool:
    z3 = _z3()
    stack, seen = list(values), set[int]()
    while stack:
        term = stack.pop()
        if term.get_id() in seen:
            continue
        seen.add(term.get_id())
        if z3.is_app_of(term, z3.Z3_OP_ITE):
            return True
        stack.extend(term.children())
    return False


def _translate(graph: Graph, box: Box, root: int) -> tuple[list[Any], list[Any]]:
    """The elements of a node as z3 terms, and the constraints that define their variables."""
    z3 = _z3()
    constraints: list[Any] = []
    arrays: dict[int, Array] = {}
    needed = list(graph.ancestors([root]))
    if len(needed) > _MAX_NODES:
        raise _OutsideError("the term is too large for real arithmetic")
    for index in needed:
        node = graph.nodes[index]
        if size_of(node.shape) > _MAX_ELEMENTS:
            raise _OutsideError(f"{graph.name_of(index)} has too many elements")
        values = np.empty(node.shape, dtype=object)
        match node:
            case Input(name=name):
                flat = [z3.Real(f"{name}[{i}]") for i in range(values.size)]
                for x, (low, high) in zip(flat, box.side(name).elements(values.size), strict=True):
                    constraints += [] if low is None else [x >= _number(low)]
                    constraints += [] if high is None else [x <= _number(high)]
                values.reshape(-1)[:] = flat
            case Constant(tensor=tensor):
                values.reshape(-1)[:] = [_number(value) for value in tensor.fractions()]
            case Apply():
                values = _apply(node, [arrays[arg] for arg in node.args], constraints)
        arrays[index] = values
    return list(arrays[root].reshape(-1)), constraints


def _apply(node: Apply, args: Sequence[Array], constraints: list[Any]) -> Array:
    match node.op.meaning:
        case Pointwise(pieces=pieces):
            graph = pieces(node.params)
            rows = [np.broadcast_to(arg, node.shape).reshape(-1).tolist() for arg in args]
            values = np.empty(size_of(node.shape), dtype=object)
            for i, xs in enumerate(zip(*rows, strict=True)):
                values[i] = _pieces(graph, xs, constraints)
            return values.reshape(node.shape)
        case Routing(route=route):
            return route(args, node.params)
        case Contraction():
            return np.asarray(np.matmul(args[0], args[1]), dtype=object).reshape(node.shape)
        case Fold(op="add"):
            axes = node.params["axes"]
            total = np.sum(args[0], axis=axes if isinstance(axes, tuple) else None)
            return np.asarray(total, dtype=object).reshape(node.shape)
        case _:
            raise _OutsideError(f"{node.op.name} has no translation to real arithmetic")


def _pieces(graph: Sequence[Any], xs: Sequence[Any], constraints: list[Any]) -> Any:
    z3 = _z3()
    if len(graph) > 1 and any(
        isinstance(term, Div | Pow) for piece in graph for term in subterms(piece.term)
    ):
        # the constraints that define a quotient would also bind where its piece is not taken
        raise _OutsideError("a quotient or a power in one piece of several")
    value = _term(graph[-1].term, xs, constraints)
    for piece in reversed(graph[:-1]):
        condition = _condition(piece.condition, xs, constraints)
        value = z3.If(condition, _term(piece.term, xs, constraints), value)
    return value


def _condition(condition: Condition, xs: Sequence[Any], constraints: list[Any]) -> Any:
    z3 = _z3()
    match condition:
        case And(parts):
            return z3.And(*(_condition(part, xs, constraints) for part in parts))
        case Or(parts):
            return z3.Or(*(_condition(part, xs, constraints) for part in parts))
        case Compare(term, relation):
            value = _term(term, xs, constraints)
            table: Mapping[Relation, Any] = {
                Relation.LT: value < 0,
                Relation.LE: value <= 0,
                Relation.EQ: value == 0,
                Relation.NE: value != 0,
                Relation.GE: value >= 0,
                Relation.GT: value > 0,
            }
            return table[relation]


def _term(term: Term, xs: Sequence[Any], constraints: list[Any]) -> Any:
    match term:
        case Var(index):
            return xs[index]
        case Const(value):
            return _number(value)
        case Add(left, right):
            return _term(left, xs, constraints) + _term(right, xs, constraints)
        case Mul(left, right):
            return _term(left, xs, constraints) * _term(right, xs, constraints)
        case Div(numerator, denominator):
            # z3's division by zero is an arbitrary function: a fresh quotient says what is meant
            value = _z3().FreshReal("q")
            divisor = _term(denominator, xs, constraints)
            constraints += [value * divisor == _term(numerator, xs, constraints), divisor != 0]
            return value
        case Pow(base, Const(exponent)):
            return _power(_term(base, xs, constraints), exponent, constraints)
        case Pow() | Floor() | Call():
            raise _OutsideError("a term outside real arithmetic")


def _power(base: Any, exponent: Fraction, constraints: list[Any]) -> Any:
    z3 = _z3()
    numerator, denominator = abs(exponent.numerator), exponent.denominator
    if max(numerator, denominator) > 16:
        raise _OutsideError("a power too high for real arithmetic")
    value = base
    if denominator > 1:
        value = z3.FreshReal("r")
        constraints.extend([value >= 0, _product(value, denominator) == base])
    value = _product(value, numerator)
    if exponent < 0:
        inverse = z3.FreshReal("i")
        constraints.append(inverse * value == 1)
        value = inverse
    return value


def _product(base: Any, count: int) -> Any:
    value = _number(Fraction(1))
    for _ in range(count):
        value = value * base
    return value
