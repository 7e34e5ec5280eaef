"""Questions in real arithmetic for z3: bounds of semialgebraic terms, zeros of polynomials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.ir.answer import Feasible, Infeasible, Unknown
from tamecheck.ir.arithmetic import Arithmetic, MissingError
from tamecheck.ir.box import Box
from tamecheck.ir.formula import Compare, Condition, Div, Pow, Relation, Term, joined, subterms
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing
from tamecheck.ir.tensor import Array, size_of
from tamecheck.solvers.libraries import z3_answer, z3_context
from tamecheck.solvers.processes import ask

_MAX_ELEMENTS = 64
_MAX_NODES = 400


def _z3() -> Any:
    """The solver, loaded on first use; it has no type stubs."""
    return import_module("z3")


class _Scope:
    """Where the terms of one question live, and what is required of its variables."""

    def __init__(self) -> None:
        self.context = z3_context()
        self.constraints: list[Any] = []

    def number(self, value: Fraction) -> Any:
        """A rational constant."""
        return _z3().Q(value.numerator, value.denominator, self.context)

    def fresh(self, name: str) -> Any:
        """A variable that occurs nowhere else."""
        return _z3().FreshReal(name, self.context)


class _OutsideError(Exception):
    """The term has no translation to real arithmetic."""


def solver_name() -> str:
    """The solver and its version, as certificates name it."""
    z3 = _z3()
    return f"z3 {z3.get_version_string()}"


def try_bound(
    graph: Graph, box: Box, node: int, bounds: Sequence[Fraction], *, timeout: float
) -> Fraction | Unknown[Any, Any]:
    """The first of some bounds for which z3 says ``|node| <= bound`` on the box.

    All elements of the node are bounded; it must be defined on the box.  The bounds share the time
    evenly.  What is returned is the solver's word, not a proof: callers mark it as trusted.
    """
    z3 = _z3()
    scope = _Scope()
    try:
        values = _translate(graph, box, node, scope)
    except _OutsideError as error:
        return Unknown(str(error))
    for bound in bounds:
        if _has_ite(values):
            solver = z3.Solver(ctx=scope.context)
        else:
            solver = z3.Tactic("qfnra-nlsat", ctx=scope.context).solver()
        solver.set("timeout", max(1, int(1000 * timeout / len(bounds))))
        limit = scope.number(bound)
        escapes = [z3.Or(v > limit, v < -limit) for v in values]
        solver.add(*scope.constraints, z3.Or(escapes, scope.context))
        if z3_answer(solver, scope.context) == z3.unsat:
            return bound
    return Unknown(f"z3 found no bound up to {bounds[-1]}")


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


def _translate(graph: Graph, box: Box, root: int, scope: _Scope) -> list[Any]:
    """The elements of a node as z3 terms."""
    z3 = _z3()
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
                flat = [z3.Real(f"{name}[{i}]", scope.context) for i in range(values.size)]
                for x, (low, high) in zip(flat, box.side(name).elements(values.size), strict=True):
                    scope.constraints += [] if low is None else [x >= scope.number(low)]
                    scope.constraints += [] if high is None else [x <= scope.number(high)]
                values.reshape(-1)[:] = flat
            case Constant(tensor=tensor):
                values.reshape(-1)[:] = [scope.number(value) for value in tensor.fractions()]
            case Apply():
                values = _apply(node, [arrays[arg] for arg in node.args], scope)
        arrays[index] = values
    return list(arrays[root].reshape(-1))


def _apply(node: Apply, args: Sequence[Array], scope: _Scope) -> Array:
    match node.op.meaning:
        case Pointwise(pieces=pieces):
            graph = pieces(node.params)
            rows = [np.broadcast_to(arg, node.shape).reshape(-1).tolist() for arg in args]
            values = np.empty(size_of(node.shape), dtype=object)
            for i, xs in enumerate(zip(*rows, strict=True)):
                values[i] = _pieces(graph, xs, scope)
            return values.reshape(node.shape)
        case Routing(route=route):
            return route(args, node.params)
        case Contraction():
            return np.asarray(np.matmul(args[0], args[1]), dtype=object).reshape(node.shape)
        case Fold(ops.ADD):
            axes = node.params["axes"]
            total = np.sum(args[0], axis=axes if isinstance(axes, tuple) else None)
            return np.asarray(total, dtype=object).reshape(node.shape)
        case _:
            raise _OutsideError(f"{node.op.name} has no translation to real arithmetic")


def _pieces(graph: Sequence[Any], xs: Sequence[Any], scope: _Scope) -> Any:
    z3 = _z3()
    if len(graph) > 1 and any(
        isinstance(term, Div | Pow) for piece in graph for term in subterms(piece.term)
    ):
        # the constraints that define a quotient would also bind where its piece is not taken
        raise _OutsideError("a quotient or a power in one piece of several")
    value = _term(graph[-1].term, xs, scope)
    for piece in reversed(graph[:-1]):
        condition = _condition(piece.condition, xs, scope)
        value = z3.If(condition, _term(piece.term, xs, scope), value)
    return value


def _condition(condition: Condition, xs: Sequence[Any], scope: _Scope) -> Any:
    z3 = _z3()

    def compared(comparison: Compare) -> Any:
        value = _term(comparison.term, xs, scope)
        table: Mapping[Relation, Any] = {
            Relation.LT: value < 0,
            Relation.LE: value <= 0,
            Relation.EQ: value == 0,
            Relation.NE: value != 0,
            Relation.GE: value >= 0,
            Relation.GT: value > 0,
        }
        return table[comparison.relation]

    return joined(
        condition,
        compared,
        lambda parts: z3.And(parts, scope.context),
        lambda parts: z3.Or(parts, scope.context),
    )


def _term(term: Term, xs: Sequence[Any], scope: _Scope) -> Any:
    def divide(numerator: Any, divisor: Any) -> Any:
        # z3's division by zero is an arbitrary function: a fresh quotient says what is meant
        value = scope.fresh("q")
        scope.constraints += [value * divisor == numerator, divisor != 0]
        return value

    algebra: Arithmetic[Any] = Arithmetic(
        scope.number, divide=divide, power=lambda base, exponent: _power(base, exponent, scope)
    )
    try:
        return algebra.value(term, xs)
    except MissingError:
        raise _OutsideError("a term outside real arithmetic") from None


def _power(base: Any, exponent: Any, scope: _Scope) -> Any:
    if not isinstance(exponent, Fraction):
        raise MissingError
    numerator, denominator = abs(exponent.numerator), exponent.denominator
    if max(numerator, denominator) > 16:
        raise _OutsideError("a power too high for real arithmetic")
    value = base
    if denominator > 1:
        value = scope.fresh("r")
        scope.constraints.extend([value >= 0, _product(value, denominator, scope) == base])
    value = _product(value, numerator, scope)
    if exponent < 0:
        inverse = scope.fresh("i")
        scope.constraints.append(inverse * value == 1)
        value = inverse
    return value


def _product(base: Any, count: int, scope: _Scope) -> Any:
    value = scope.number(Fraction(1))
    for _ in range(count):
        value = value * base
    return value


def zero_on_simplex(
    terms: Mapping[tuple[int, ...], Fraction], *, seconds: float
) -> Feasible[Fraction | None, None] | Infeasible[None] | Unknown[Fraction | None, None]:
    """What z3 says in a child process about ``p(w) = 0, w >= 0, Σ w = 1``.

    ``terms`` are the coefficients by the exponents of their monomials; a coordinate of a zero that
    is not rational is None.
    """
    question = {
        "solver": "z3",
        "count": len(next(iter(terms))),
        "terms": [[list(exponents), str(c)] for exponents, c in terms.items()],
    }
    match ask(question, seconds=seconds):
        case {"status": "feasible", "solver": str(solver), "point": texts}:
            values = (None if v is None else Fraction(v) for v in texts)
            return Feasible(tuple(values), None, solver=solver)
        case {"status": "infeasible", "solver": str(solver)}:
            return Infeasible(None, solver)
        case answer:
            return Unknown(f"z3: {answer.get('why', 'no answer')}")
