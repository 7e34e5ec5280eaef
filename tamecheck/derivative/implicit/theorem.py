"""The nonsmooth implicit function theorem at a point (Bolte, Le, Pauwels, Silveti-Falls 2021)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from flint import arb

from tamecheck.derivative.hull import Matrix
from tamecheck.derivative.implicit.invertible import decide_invertible
from tamecheck.derivative.implicit.result import Hypothesis, Implicit, Status
from tamecheck.derivative.jacobian import jacobian
from tamecheck.derivative.result import JacobianSet
from tamecheck.errors import DomainError, InputError, TamecheckError, UnsupportedError
from tamecheck.evaluate import exact_values
from tamecheck.ir.box import Box, Side
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import size_of
from tamecheck.load.expression import parse_expression
from tamecheck.tame import check
from tamecheck.tame.verdict import Check, Verdict

__all__ = ["implicit"]

_RADII = (Fraction(1), Fraction(1, 16), Fraction(1, 1024))
"""Half widths of the boxes on which regularity is tried; the theorem is local, so one suffices."""

_SECONDS = 60.0


class HasGraph(Protocol):
    """A model."""

    @property
    def graph(self) -> Graph:
        """Its graph."""
        ...


def implicit(
    F: str | Sequence[str] | Graph | HasGraph,  # noqa: N803 (the theorem's name for it)
    *,
    unknowns: Sequence[str],
    at: Mapping[str, Any],
    timeout: float | None = None,
    seed: int = 0,
) -> Implicit:
    """The derivative of the solution ``x(p)`` of ``F(x, p) = 0``, with the theorem's verdict.

    The theorem: F is locally Lipschitz and definable near the point, F is zero there, and every
    element U of the convex hull of the Jacobians of F with respect to x is invertible.  The
    Clarke Jacobian is used, which is contained in every convex-valued conservative Jacobian; if
    it has a singular element then no other one satisfies the hypothesis.

    Parameters
    ----------
    F
        A model, a graph, an expression with equations separated by ``;``, or a list of these.
    unknowns
        The inputs that are x; as many elements as F has.
    at
        The point: a value for each input of F.
    timeout
        Seconds; what is not decided by then is unknown.
    seed
        Seed of the searches.

    Raises
    ------
    InputError
        If the point or the unknowns do not fit F, or there are more or fewer equations.
    DomainError
        If F has no value at the point.

    Examples
    --------
    >>> found = implicit("2*x + abs(x) - p", unknowns=["x"], at={"x": 0, "p": 0})
    >>> found.verdict.value, [str(v[0][0]) for v in found.vertices]
    ('proved', ['1/3', '1'])
    >>> implicit("x^3 - p", unknowns=["x"], at={"x": 0, "p": 0}).verdict.value
    'refuted'
    """
    deadline = time.monotonic() + (_SECONDS if timeout is None else timeout)
    graph = _graph(F)
    columns = _columns(graph)
    chosen = _chosen(graph, unknowns, columns)
    others = [k for k in range(len(columns)) if k not in set(chosen)]
    point = _point(graph, at)
    hypotheses = [_solution(graph, point)]
    hypotheses += _regularity(graph, point, deadline, seed)
    pairs, kind, singular = (), "clarke", None
    found = _jacobian(graph, point)
    if isinstance(found, str):
        hypotheses.append(Hypothesis("convex conservative Jacobian", Status.UNKNOWN, found))
    elif not found.raw:
        hypotheses.append(Hypothesis("convex conservative Jacobian", Status.REFUTED, found.why))
    else:
        kind = found.kind
        noun = "vertex" if len(found.raw) == 1 else "vertices"
        why = f"the {_title(kind)}, computed exactly: {len(found.raw)} {noun}"
        hypotheses.append(Hypothesis("convex conservative Jacobian", Status.PROVED, why))
        pairs = tuple((_part(m, chosen), _part(m, others)) for m in found.raw)
        invertible = decide_invertible(
            _once([u for u, _ in pairs]), timeout=max(deadline - time.monotonic(), 0.1), seed=seed
        )
        status = {True: Status.PROVED, False: Status.REFUTED, None: Status.UNKNOWN}
        decided, reason = status[invertible.holds], invertible.why
        if decided is Status.REFUTED and kind != "clarke":
            decided = Status.UNKNOWN
            reason += "; but the chain rule's set may be larger than the Clarke Jacobian"
        hypotheses.append(Hypothesis("every element invertible", decided, reason))
        singular = invertible.singular
    return Implicit(
        tuple(hypotheses),
        tuple(columns[k] for k in chosen),
        tuple(columns[k] for k in others),
        kind,
        pairs,
        singular,
    )


def _title(kind: str) -> str:
    return "Clarke Jacobian" if kind == "clarke" else "convex hull of the chain rule's Jacobians"


def _graph(equations: str | Sequence[str] | Graph | HasGraph) -> Graph:
    if isinstance(equations, Graph):
        return equations
    if isinstance(equations, str):
        return parse_expression(equations).graph
    if isinstance(equations, Sequence):
        return parse_expression("; ".join(equations)).graph
    return equations.graph


def _columns(graph: Graph) -> tuple[str, ...]:
    names: list[str] = []
    for name, shape in graph.inputs.items():
        size = size_of(shape)
        names += [name] if shape == () else [f"{name}[{k}]" for k in range(size)]
    return tuple(names)


def _chosen(graph: Graph, unknowns: Sequence[str], columns: Sequence[str]) -> list[int]:
    wanted = [unknowns] if isinstance(unknowns, str) else list(unknowns)
    hint = f"Inputs: {', '.join(graph.inputs) or 'none'}."
    for name in wanted:
        if name not in graph.inputs and name not in columns:
            raise InputError(f"The unknown {name!r} is no input.", hint=hint)
    if not wanted:
        raise InputError("No unknowns are given.", hint=hint)
    chosen: list[int] = []
    for name in wanted:
        found = [k for k, c in enumerate(columns) if c == name or c.startswith(f"{name}[")]
        if set(found) & set(chosen):
            raise InputError(f"The unknown {name!r} is given twice.")
        chosen += found
    equations = sum(size_of(graph.nodes[node].shape) for _, node in graph.outputs)
    if equations != len(chosen):
        raise InputError(
            f"There are {equations} equations for {len(chosen)} unknowns.",
            hint="Give as many equations as unknowns.",
        )
    return chosen


def _point(graph: Graph, at: Mapping[str, Any]) -> dict[str, Any]:
    missing = [name for name in graph.inputs if name not in at]
    if missing:
        raise InputError(f"Input {missing[0]!r} has no value.", hint=f"Add {missing[0]}=0.")
    unknown = [name for name in at if name not in graph.inputs]
    if unknown:
        raise InputError(f"{unknown[0]!r} is no input.", hint=f"Inputs: {', '.join(graph.inputs)}.")
    point: dict[str, Any] = {}
    for name, shape in graph.inputs.items():
        flat = np.asarray(at[name], dtype=object).reshape(-1).tolist()
        if len(flat) != size_of(shape):
            raise InputError(f"Input {name!r} has shape {shape}, but {len(flat)} numbers.")
        try:
            values = [parse_rational(v) if isinstance(v, str) else Fraction(v) for v in flat]
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"Input {name!r} is given something that is no number.") from None
        array = np.empty(len(values), dtype=object)
        array[:] = values
        point[name] = array.reshape(shape)
    return point


def _solution(graph: Graph, point: Mapping[str, Any]) -> Hypothesis:
    name = "solution"
    found = exact_values(graph, point)
    values = [v for array in found.values() for v in np.asarray(array).reshape(-1).tolist()]
    balls = [v for v in values if isinstance(v, arb)]
    for number, value in enumerate(values):
        if (isinstance(value, arb) and not value.contains(0)) or (
            isinstance(value, Fraction) and value != 0
        ):
            text = str(value) if isinstance(value, Fraction) else value.str(10)
            why = f"equation {number + 1} is {text}, not 0, at this point"
            return Hypothesis(name, Status.REFUTED, why)
    if balls:
        radius = float(max(ball.rad() for ball in balls))
        why = f"F encloses 0 to {radius:.1e}, which does not prove that it is 0"
        return Hypothesis(name, Status.UNKNOWN, why)
    return Hypothesis(name, Status.PROVED, "F is exactly 0 at this point")


def _regularity(
    graph: Graph, point: Mapping[str, Any], deadline: float, seed: int
) -> list[Hypothesis]:
    lipschitz = definable = None
    last: Check | None = None
    place = ""
    for radius in _RADII:
        last = check(graph, _around(graph, point, radius), timeout=_left(deadline) / 3, seed=seed)
        place = f"on the box of half width {radius} around the point"
        if definable is None and last.verdict in (Verdict.TAME, Verdict.LOCALLY_TAME):
            structure = last.structures[0].value
            why = f"definable in {structure} {place}"
            definable = Hypothesis("definable", Status.PROVED, why)
        if lipschitz is None and last.properties.locally_lipschitz:
            lipschitz = Hypothesis("locally Lipschitz", Status.PROVED, f"derived {place}")
        if lipschitz and definable:
            return [lipschitz, definable]
    assert last is not None  # noqa: S101 (there are radii)
    if lipschitz is None:
        status, why = Status.UNKNOWN, "not derived on any box around the point"
        if last.properties.continuous is False or last.properties.locally_lipschitz is False:
            why = f"refuted {place}, the smallest one tried, though not at the point itself"
        lipschitz = Hypothesis("locally Lipschitz", status, why)
    if definable is None:
        reasons = "; ".join(f"{o.node}: {o.why}" for o in last.open)
        if last.verdict is Verdict.NOT_TAME and last.witness is not None:
            reasons = last.witness.summary
        definable = Hypothesis(
            "definable", Status.UNKNOWN, f"no o-minimal structure was found {place} ({reasons})"
        )
    return [lipschitz, definable]


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.1)


def _around(graph: Graph, point: Mapping[str, Any], radius: Fraction) -> Box:
    sides: dict[str, Side] = {}
    for name in graph.inputs:
        values = [Fraction(v) for v in np.asarray(point[name]).reshape(-1).tolist()]
        sides[name] = Side(tuple(v - radius for v in values), tuple(v + radius for v in values))
    return Box(sides)


def _jacobian(graph: Graph, point: Mapping[str, Any]) -> JacobianSet | str:
    try:
        return jacobian(graph, point)
    except UnsupportedError as too_many:
        reason = str(too_many)
    except DomainError:
        raise
    except TamecheckError as undecided:
        return str(undecided)
    try:
        found = jacobian(graph, point, "conservative")
    except TamecheckError:
        return reason
    return found if found.raw else reason


def _part(matrix: Matrix, columns: Sequence[int]) -> Matrix:
    return tuple(tuple(row[k] for k in columns) for row in matrix)


def _once(matrices: Sequence[Matrix]) -> list[Matrix]:
    found: list[Matrix] = []
    for matrix in matrices:
        if matrix not in found:
            found.append(matrix)
    return found
