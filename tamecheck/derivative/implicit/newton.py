"""Equations and their solutions: found by Newton's method in floats, proved by Krawczyk's operator.

``K(X) = m - Y F(m) + (I - Y J(X)) (X - m)`` for a box X about m, Y any matrix near the inverse of
the Jacobian and J(X) an enclosure of the Clarke Jacobians on X.  If K(X) lies in the interior of X
then X has exactly one solution, every matrix in J(X) is invertible, and the solution is in K(X)
(Krawczyk 1969).  With a box of parameters in place of one parameter, the same holds for every
parameter of the box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
from flint import arb, arb_mat, fmpq

from tamecheck.derivative.chainrule import (
    NotLipschitzAt,
    chain_rule,
    enclose_jacobian,
)
from tamecheck.derivative.gradient import gradient
from tamecheck.derivative.implicit.conditions import identity, rational
from tamecheck.derivative.implicit.invertible import matrix_of
from tamecheck.derivative.implicit.singular import floats
from tamecheck.derivative.kinks import Affinity
from tamecheck.derivative.lowering import lowered
from tamecheck.derivative.reverse import output_matrix
from tamecheck.errors import InputError, TamecheckError
from tamecheck.evaluate import exact_values, float_values
from tamecheck.exact import reals
from tamecheck.exact.arrays import objects
from tamecheck.exact.hull import Matrix
from tamecheck.ir.arguments import instance
from tamecheck.ir.exact import shown
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, element_names, size_of
from tamecheck.loaders.text.expression import parse_expression

_STEPS = 60
_NARROWINGS = 100
_ROUNDING = 1e-6
_RADII = tuple(Fraction(1, 2**k) for k in (3, 6, 10, 16, 24, 32, 40))
_DENOMINATORS = (1, 10**3, 10**6, 10**9)


class HasGraph(Protocol):
    """A model."""

    @property
    def graph(self) -> Graph:
        """Its graph."""
        ...


Given: TypeAlias = str | Sequence[str] | Graph | HasGraph


@dataclass(frozen=True, slots=True)
class Equations:
    """``F(x, p) = 0``: as many equations as elements of x.

    ``graph`` is F, and ``columns`` the names of all input elements in the order of its Jacobian's
    columns; ``unknowns`` and ``parameters`` are those of x and of p.
    """

    graph: Graph
    columns: tuple[str, ...]
    unknowns: tuple[int, ...]
    parameters: tuple[int, ...]

    def flat(self, point: Mapping[str, Array]) -> list[Any]:
        """The elements of a point in the order of the columns."""
        return [v for name in self.graph.inputs for v in point[name].reshape(-1).tolist()]

    def shaped(self, values: Sequence[Any]) -> dict[str, Array]:
        """A point from its elements in the order of the columns."""
        return self.graph.split(list(values))

    def replaced(self, values: Sequence[Any], unknowns: Sequence[Any]) -> list[Any]:
        """The elements of a point with other unknowns."""
        changed = list(values)
        for column, value in zip(self.unknowns, unknowns, strict=True):
            changed[column] = value
        return changed

    def by_unknowns(self, matrix: Matrix) -> Matrix:
        """The columns of a Jacobian that belong to x."""
        return tuple(tuple(row[k] for k in self.unknowns) for row in matrix)

    def by_parameters(self, matrix: Matrix) -> Matrix:
        """The columns of a Jacobian that belong to p."""
        return tuple(tuple(row[k] for k in self.parameters) for row in matrix)

    def text(self, unknowns: Sequence[float]) -> str:
        """The unknowns by name."""
        names = (self.columns[k] for k in self.unknowns)
        return ", ".join(f"{n} = {v:.6g}" for n, v in zip(names, unknowns, strict=True))


def equations_of(given: Given, unknowns: Sequence[str]) -> Equations:
    """The equations with their unknowns.

    Raises `InputError` if an unknown is no input, or there are more or fewer equations than
    unknowns.
    """
    graph = _graph(given)
    columns = element_names(graph.inputs, single=False)
    chosen = _chosen(graph, unknowns, columns)
    others = tuple(k for k in range(len(columns)) if k not in set(chosen))
    return Equations(graph, columns, chosen, others)


def _graph(given: Given) -> Graph:
    if isinstance(given, Graph):
        return given
    if isinstance(given, str):
        return parse_expression(given).graph
    if isinstance(given, Sequence):
        texts = [instance(one, str, what="equation") for one in given]
        return parse_expression("; ".join(texts)).graph
    graph = getattr(given, "graph", None)
    if not isinstance(graph, Graph):
        raise InputError(f"The equations are {shown(given)}, which is no model or expression.")
    return graph


def _chosen(graph: Graph, unknowns: Sequence[str], columns: Sequence[str]) -> tuple[int, ...]:
    hint = f"Inputs: {', '.join(graph.inputs) or 'none'}."
    given = [unknowns] if isinstance(unknowns, str) else unknowns
    listed = cast("Sequence[Any]", instance(given, Sequence, what="list of unknowns"))
    wanted = [instance(one, str, what="name of an unknown", hint=hint) for one in listed]
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
    return tuple(chosen)


def residual_at(equations: Equations, values: Sequence[Fraction]) -> list[Fraction | arb]:
    """F at a rational point."""
    found = exact_values(equations.graph, equations.shaped(values))
    return [v for array in found.values() for v in np.asarray(array).reshape(-1).tolist()]


def newton_limit(equations: Equations, values: Sequence[Fraction]) -> list[float] | None:
    """Where Newton's method in floats ends, from these values with the parameters fixed.

    At kinks one element of the conservative Jacobian is taken; None if it does not converge.
    """
    unknowns = list(equations.unknowns)
    point = np.array([float(v) for v in values])
    best, found = np.inf, None
    for _ in range(_STEPS):
        try:
            shaped = {n: np.asarray(a, float) for n, a in equations.shaped(point.tolist()).items()}
            out = float_values(equations.graph, shaped)
            matrix = gradient(equations.graph, point[None])
        except TamecheckError:
            break
        residual = np.concatenate([np.asarray(v, float).reshape(-1) for v in out.values()])
        size = float(np.abs(residual).max())
        if not np.isfinite(size):
            break
        if size < best:
            best, found = size, point[unknowns].tolist()
        square = matrix.reshape((len(unknowns), len(point)))[:, unknowns]
        step = np.linalg.lstsq(square, residual, rcond=None)[0]
        if size == 0 or float(np.abs(step).max()) <= 1e-16 * float(np.abs(point).max(initial=1)):
            break
        point[unknowns] -= step
    scale = 1 + max((abs(float(v)) for v in values), default=0.0)
    return found if best <= 1e-6 * scale else None


def exact_root(
    equations: Equations, values: Sequence[Fraction], near: Sequence[float]
) -> tuple[Fraction, ...] | None:
    """A rational solution near floats: simple fractions, or an exact step if F is affine there."""

    def solves(unknowns: Sequence[Fraction]) -> bool:
        pairs = zip(unknowns, near, strict=True)
        if any(abs(float(u) - v) > _ROUNDING * (1 + abs(v)) for u, v in pairs):
            # another solution, not the one that the floats are near
            return False
        try:
            residual = residual_at(equations, equations.replaced(values, unknowns))
        except TamecheckError:
            return False
        return all(isinstance(v, Fraction) and v == 0 for v in residual)

    simple = [tuple(Fraction(v).limit_denominator(bound) for v in near) for bound in _DENOMINATORS]
    found = next((candidate for candidate in simple if solves(candidate)), None)
    if found is None:
        candidate = _affine_root(equations, values, [Fraction(v) for v in near])
        found = candidate if candidate is not None and solves(candidate) else None
    return found


def _affine_root(
    equations: Equations, values: Sequence[Fraction], start: Sequence[Fraction]
) -> tuple[Fraction, ...] | None:
    """Where one exact step of Newton's method leads, if F is piecewise affine."""
    graph = lowered(equations.graph)
    if not all(Affinity.of(graph).affine[node] for _, node in graph.outputs):
        return None
    try:
        point = equations.shaped([reals.as_number(v) for v in equations.replaced(values, start)])
        rule = chain_rule(graph, point)
    except (reals.UndecidedError, NotLipschitzAt, TamecheckError):
        return None
    jacobian = output_matrix(graph, rule.conventional())
    outputs = (objects(rule.values[node]) for node in graph.output_nodes)
    residual = [v for array in outputs for v in array.reshape(-1).tolist()]
    square = matrix_of(equations.by_unknowns(jacobian))
    right = matrix_of(tuple((v,) for v in residual))
    if isinstance(square, arb_mat) or isinstance(right, arb_mat):
        return None
    try:
        step = square.solve(right)
    except ZeroDivisionError:
        return None
    return tuple(v - reals.as_fraction(step[k, 0]) for k, v in enumerate(start))


@dataclass(frozen=True, slots=True)
class Isolated:
    """The only solution in the box of half width ``radius`` about the unknowns of ``values``.

    ``balls`` are the solution to about 128 bits.
    """

    equations: Equations
    values: tuple[Fraction, ...]
    radius: Fraction
    balls: tuple[arb, ...] = field(repr=False)

    def at(self, bits: int) -> dict[str, Array]:
        """The point as exact numbers, the unknowns as balls of about so many good bits.

        At a kink each step gains only a bit or so; the balls are then as small as the steps make.
        """
        balls = _narrow(self.equations, self.values, self.balls, bits)
        values = [reals.as_number(v) for v in self.values]
        return self.equations.shaped(
            self.equations.replaced(values, list(map(reals.settle, balls)))
        )


def isolate(
    equations: Equations, values: Sequence[Fraction], near: Sequence[float]
) -> Isolated | None:
    """The solution near floats with a box that has no other one, or None where none is proved."""
    centre = [Fraction(v) for v in near]
    middle = [reals.as_number(c) for c in centre]
    at_centre = tuple(equations.replaced(values, centre))
    scale = 1 + max((abs(v) for v in centre), default=Fraction(0))
    with reals.working_precision(reals.BITS):
        for radius in _RADII:
            balls = [arb(c, float(radius * scale)) for c in middle]
            if contract(equations, at_centre, middle, balls, inside=True) is not None:
                tight = _narrow(equations, at_centre, balls, reals.BITS)
                width = max(reals.as_fraction(ball.rad().upper().fmpq()) for ball in balls)
                return Isolated(equations, at_centre, width, tuple(tight))
    return None


def _narrow(
    equations: Equations, values: Sequence[Fraction], balls: Sequence[arb], bits: int
) -> Sequence[arb]:
    """The balls after as many steps of Krawczyk's operator as they need for so many bits."""
    with reals.working_precision(bits + 32):
        goal = arb(2) ** -bits
        for _ in range(_NARROWINGS):
            if not any(bool(ball.rad() > goal * (1 + abs(ball.mid()))) for ball in balls):
                break
            image = contract(equations, values, [ball.mid().fmpq() for ball in balls], balls)
            if image is None:
                break
            narrowed = [a.intersection(b) for a, b in zip(image, balls, strict=True)]
            pairs = zip(narrowed, balls, strict=True)
            if all(bool(new.rad() > old.rad() * 0.9) for new, old in pairs):
                break
            balls = narrowed
    return balls


def contract(
    equations: Equations,
    values: Sequence[Fraction | arb],
    middle: Sequence[fmpq],
    balls: Sequence[arb],
    *,
    inside: bool = False,
) -> list[arb] | None:
    """``K(X)``, or None where F is not shown to be Lipschitz on the box.

    The elements of the point may be balls where they belong to parameters; ``middle`` and ``balls``
    are the centre and the box of unknowns.  ``inside`` asks that K(X) be in the interior of X.
    """
    given: list[reals.Number] = [
        reals.as_number(v) if isinstance(v, Fraction) else v for v in values
    ]
    graph = lowered(equations.graph)
    first, second = (
        enclose_jacobian(graph, equations.shaped(equations.replaced(given, at)))
        for at in (middle, balls)
    )
    if first is None or second is None:
        return None
    size = len(middle)
    square = arb_mat([[arb(a) for a in row] for row in equations.by_unknowns(second[1])])
    try:
        inverse = np.linalg.inv(floats(square))
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(inverse).all():
        return None
    factor = arb_mat(rational(inverse))
    offsets = arb_mat([[ball - centre] for ball, centre in zip(balls, middle, strict=True)])
    value = arb_mat([[arb(v)] for v in first[0]])
    image = (arb_mat(identity(size)) - factor * square) * offsets - factor * value
    found = [image[k, 0] + middle[k] for k in range(size)]
    pairs = zip(balls, found, strict=True)
    if inside and not all(ball.contains_interior(part) for ball, part in pairs):
        return None
    return found
