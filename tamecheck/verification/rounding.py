"""Properties of the floats that a network computes, in any order of its sums.

What is known to hold of real numbers is shown once more by linear bounds, in which every sum and
product may be off by what rounding can do to it: see docs/verification-float32.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.bounds.crown import bound
from tamecheck.bounds.layers import Layers
from tamecheck.bounds.rounding import is_finite, rounding_in
from tamecheck.budget import Budget
from tamecheck.errors import UnsupportedError
from tamecheck.ir import op as meanings
from tamecheck.ir.box import Bound
from tamecheck.ir.floats import FLOATS, FloatFormat
from tamecheck.ir.formula import Add, Const, Div, Floor, Mul, Term, Var, subterms
from tamecheck.ir.graph import Apply, Constant, Graph, Node
from tamecheck.ir.spec import Case, Inequality, Specification
from tamecheck.ir.tensor import Tensor
from tamecheck.ops import MUL
from tamecheck.ops.facets import rounds
from tamecheck.verification.answer import REAL, ROUNDING, Arithmetics, Holds
from tamecheck.verification.boxes import split_inputs, still_open
from tamecheck.verification.branch import Remainder
from tamecheck.verification.neurons import split_neurons
from tamecheck.verification.problem import (
    Problem,
    Region,
    halves_inputs,
    problem_of,
    separate_layers,
)
from tamecheck.verification.witness import Search

_POINTS, _FEW = 64, 16
"""Inputs at which one may see that rounding decides, of each of so many regions."""
_LEAST, _PATIENCE = 2.0, 2
"""The seconds that the second proof may take at least, and how many times those of the first."""


def declared(spec: Specification) -> str:
    """The type of the tensors that a property declares; several have a comma between them."""
    tensors = (t for n in spec.networks for t in (*n.inputs, *n.hidden, *n.outputs))
    types = {tensor.element_type.lower() for tensor in tensors} or {REAL}
    return ", ".join(sorted(types))


@dataclass(frozen=True, slots=True, eq=False)
class Execution:
    """A property of what floats compute, and its problem, whose layers may be off by rounding."""

    spec: Specification
    problem: Problem


def in_floats(found: Holds, graph: Graph, spec: Specification, name: str, budget: Budget) -> Holds:
    """The answer, and whether it covers every execution in the arithmetic of that name."""
    if name == REAL:
        return replace(found, arithmetic=Arithmetics(REAL, REAL))
    part = budget.part(min(budget.seconds, max(_LEAST, _PATIENCE * found.seconds)))
    started = time.monotonic()
    try:
        execution = execution_of(graph, spec, name)
        why = "" if execution is None else _bound(execution.problem, part)
        shown = Arithmetics(name, name, "", ROUNDING)
        arithmetic = Arithmetics(name, REAL, why, near=True) if why else shown
    except UnsupportedError as error:
        arithmetic = Arithmetics(name, REAL, str(error))
    spent = found.seconds + time.monotonic() - started
    return replace(found, arithmetic=arithmetic, seconds=spent)


def execution_of(graph: Graph, spec: Specification, name: str) -> Execution | None:
    """The property of executions in some arithmetic; None if its region is empty.

    An `UnsupportedError` says why there are no error terms.
    """
    arithmetic = FLOATS.get(name)
    if arithmetic is None:
        raise UnsupportedError(f"There are no error terms for {name}.")
    _check(graph, arithmetic)
    rounded = rounded_spec(spec, arithmetic)
    if not rounded.cases:
        return None
    problem = problem_of(graph, rounded)
    if problem.scores is not graph:
        raise UnsupportedError("The last op is of a function that a library computes.")
    if problem.layers is None:
        raise UnsupportedError(f"No linear bounds are known for {problem.open_nodes}.")
    if not all(region.finite for region in problem.regions):
        raise UnsupportedError("The region is unbounded.")
    layers = separate_layers(problem, rounding_in(arithmetic))
    lower = np.min([region.lower for region in problem.regions], axis=0)
    upper = np.max([region.upper for region in problem.regions], axis=0)
    if not is_finite(layers, lower, upper, arithmetic):
        raise UnsupportedError(f"Sums may be beyond the largest number of {name}.")
    return Execution(rounded, replace(problem, layers=layers))


def _bound(problem: Problem, budget: Budget) -> str:
    """Why bounds do not show the property; nothing if they do."""
    layers = problem.layers
    if layers is None:
        return "No linear bounds are known."
    search = Search(problem, layers, np.random.default_rng(0), None, budget)
    regions, witness = still_open(search, problem.regions)
    if witness is not None:
        return "The property does not hold with its constants rounded."
    if not regions:
        return ""
    if _is_near(problem, layers, regions, search.rng):
        return "At some inputs rounding may decide."
    if halves_inputs(layers):
        left = [split_inputs(search, regions, limit=budget.seconds)]
    else:
        left = list[Remainder]()
        for number, region in enumerate(regions):
            share = budget.seconds / (len(regions) - number)
            left.append(split_neurons(search, region, limit=share))
    if any(one.open or one.witness is not None for one in left):
        late = " in time." if budget.is_spent else "; rounding may decide."
        return f"Bounds with error terms did not show it{late}"
    return ""


def _is_near(
    problem: Problem, layers: Layers, regions: Sequence[Region], rng: np.random.Generator
) -> bool:
    """Whether there is an input at which error terms allow what is unsafe: no box around it helps.

    Looked for among corners, centres and random points.
    """
    lower, upper = (
        np.stack([getattr(one, side) for one in regions[:_FEW]]) for side in ("lower", "upper")
    )
    mix = rng.random((_POINTS, 1, layers.inputs))
    mix[: _POINTS // 2] = np.round(mix[: _POINTS // 2])
    mix[0] = 0.5
    points = lower + (upper - lower) * mix
    cases = np.stack([one.cases for one in regions[:_FEW]])
    cases = np.broadcast_to(cases, (len(mix), *cases.shape)).reshape(-1, cases.shape[-1])
    points = points.reshape(-1, layers.inputs)
    values = layers.values(points)[-1]
    depth = np.where(cases, problem.depth(values), np.inf).min(-1)
    nearest = np.argsort(depth)[:_POINTS]
    state = bound(layers, points[nearest], points[nearest], most=0)
    return bool((cases[nearest] & ~problem.closed(state.bounds[-1].lower)).any())


# --- what is executed -----------------------------------------------------------------------------


def _check(graph: Graph, arithmetic: FloatFormat) -> None:
    """Refuse a graph whose ops are not known to be sums, products and exact functions of floats."""
    for index in graph.ancestors([node for _, node in graph.outputs]):
        why = _why_not(graph, index, graph.nodes[index], arithmetic)
        if why:
            raise UnsupportedError(f"{why[0].upper()}{why[1:]} at {graph.name_of(index)}.")


def _why_not(graph: Graph, index: int, node: Node, arithmetic: FloatFormat) -> str:
    if isinstance(node, Constant):
        return "" if _has(node.tensor, arithmetic) else f"a constant is no {arithmetic.name}"
    if not isinstance(node, Apply):
        return ""
    numbers = (value for value in node.params.values() if isinstance(value, Fraction))
    if not all(map(arithmetic.has, numbers)):
        return f"a parameter is no {arithmetic.name}"
    match node.op.meaning:
        case meanings.Routing():
            return ""
        case meanings.Selection() if len(node.args) == 2 and graph.input_free[node.args[1]]:
            return ""
        case _ if graph.input_free[index]:
            return "constants are computed"
        case meanings.Contraction():
            return ""
        case meanings.Fold(op) if op is not MUL:
            return ""
        case meanings.Pointwise() as meaning:
            pieces = meaning.pieces(node.params)
            terms = [term for piece in pieces for term in subterms(piece.term)]
            free = [graph.input_free[arg] for arg in node.args]
            basic = all(_is_basic(term, free) for term in terms)
            # of several pieces none is a sum, unless of whole numbers: bounds know its value alone
            sums = len(pieces) > 1 and any(isinstance(term, Add) for term in terms)
            known = basic and (not sums or rounds(node.op, node.params))
            return "" if known else f"{node.op.name} is rounded as a library does"
        case _:
            return f"{node.op.name} is rounded as a library does"


def _is_basic(term: Term, free: list[bool]) -> bool:
    """Whether a term is a sum, a product, a quotient by a constant, or a whole number."""
    match term:
        case Div(_, divisor):
            return isinstance(divisor, Const) or (isinstance(divisor, Var) and free[divisor.index])
        case Var() | Const() | Add() | Mul() | Floor():
            return True
        case _:
            return False


def _has(tensor: Tensor, arithmetic: FloatFormat) -> bool:
    array = tensor.array
    if array.dtype.kind == "f" and array.dtype.itemsize * 8 <= _bits_of(arithmetic):
        return True
    values: list[float | Fraction] = array.reshape(-1).tolist()
    return all(arithmetic.has(Fraction(value)) for value in set(values))


def _bits_of(arithmetic: FloatFormat) -> int:
    """The width of NumPy's type whose numbers all are those of the format; 0 if there is none."""
    return {"float32": 32, "float64": 64}.get(arithmetic.name, 0)


def claimed(spec: Specification, claim: Mapping[str, Any]) -> Specification:
    """The property that a certificate is about: that of executions, if the claim is about them."""
    name = claim.get("arithmetic")
    return spec if name is None else rounded_spec(spec, FLOATS[name])


# --- what is asked of floats ----------------------------------------------------------------------


def rounded_spec(spec: Specification, arithmetic: FloatFormat) -> Specification:
    """A property that is violated wherever the given one is, its constants exact or rounded.

    A constant is read both as the number that is written and as the float next to it.
    """
    known: dict[int, tuple[Bound, ...]] = {}

    def side(ends: tuple[Bound, ...], *, up: bool) -> tuple[Bound, ...]:
        if id(ends) not in known:
            known[id(ends)] = tuple(_outward(end, arithmetic, up=up) for end in ends)
        return known[id(ends)]

    def row(one: Inequality) -> Inequality:
        bound = _outward(one.bound, arithmetic, up=True)
        return one if bound is None else replace(one, bound=bound)

    def case(one: Case) -> Case:
        return Case(
            side(one.lower, up=False),
            side(one.upper, up=True),
            tuple(map(row, one.region)),
            tuple(map(row, one.outputs)),
        )

    found = [case(one) for one in spec.cases]
    return replace(spec, cases=tuple(one for one in found if not _is_empty(one)))


def _outward(end: Bound, arithmetic: FloatFormat, *, up: bool) -> Bound:
    """An end of an interval, or the float next to it, whichever makes the interval longer."""
    near = None if end is None else arithmetic.nearest(end)
    if end is None or near is None:
        return None
    return max(end, near) if up else min(end, near)


def _is_empty(case: Case) -> bool:
    ends = zip(case.lower, case.upper, strict=True)
    return any(a is not None and b is not None and a > b for a, b in ends)
