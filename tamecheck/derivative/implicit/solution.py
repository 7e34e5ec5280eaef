"""Is the point a solution?  Exactly, or near one that is proved to exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq

from tamecheck.derivative.implicit import newton
from tamecheck.derivative.implicit.result import Hypothesis, Status
from tamecheck.errors import InputError, TamecheckError
from tamecheck.evaluate import enclose
from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.exact.reals import BITS, UndecidedError, as_fraction, as_number
from tamecheck.ir.arguments import mapping, rationals
from tamecheck.ir.box import Box, Side
from tamecheck.ir.exact import rational_text
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, size_of

_NAME = "solution"
_STARTS = 40
_SAME = 1e-6
_LARGEST = Fraction(10) ** 300


@dataclass(frozen=True, slots=True)
class Solution:
    """The point at which the theorem is asked for, and whether it is a solution.

    The rational ``values`` are near ``ball`` if that is given: the solution, where it is not known
    as a rational.
    """

    hypothesis: Hypothesis
    equations: newton.Equations
    values: tuple[Fraction, ...]
    ball: newton.Isolated | None = field(default=None, repr=False)

    def at(self, bits: int) -> Mapping[str, Array]:
        """The point as ``fmpq`` and ``arb``."""
        if self.ball is not None:
            return self.ball.at(bits)
        return self.equations.shaped([as_number(v) for v in self.values])

    @property
    def rough(self) -> Mapping[str, Array]:
        """A rational point, equal to the solution or near it."""
        return self.equations.shaped(self.values)

    @property
    def unknowns(self) -> tuple[Fraction | arb, ...]:
        """The unknowns: fractions, or balls."""
        flat = self.equations.flat(self.at(BITS))
        found = [flat[k] for k in self.equations.unknowns]
        return tuple(as_fraction(v) if isinstance(v, fmpq) else v for v in found)

    @property
    def isolated(self) -> Fraction | None:
        """The half width of the box in which the ball's solution is the only one."""
        return None if self.ball is None else self.ball.radius


def solution_near(
    equations: newton.Equations, point: Mapping[str, Array], within: float
) -> Solution:
    """The solution at a rational point, or the one within reach of it.

    Raises `DomainError` if F has no value at the point.
    """
    values = tuple(Fraction(v) for v in equations.flat(point))
    residual = newton.residual_at(equations, values)
    if all(isinstance(v, Fraction) and v == 0 for v in residual):
        exact = Hypothesis(_NAME, Status.PROVED, "F is exactly 0 at this point")
        return Solution(exact, equations, values)
    wrong = _not_zero(residual)
    near = newton.newton_limit(equations, values)
    if near is None:
        why = f"{wrong}, and Newton's method finds no solution from here"
        return Solution(_refused(wrong, no_solution(equations, values) or why), equations, values)
    given = [float(values[k]) for k in equations.unknowns]
    pairs = zip(near, given, strict=True)
    if not all(abs(v - at) <= within * (1 + abs(at)) for v, at in pairs):
        found = equations.text(near)
        why = f"{wrong}; the solution to which Newton's method leads is at {found[:200]}"
        return Solution(_refused(wrong, why), equations, values)
    root = newton.exact_root(equations, values, near)
    if root is not None:
        why = "the given unknowns were refined to a rational point where F is exactly 0"
        moved = tuple(equations.replaced(values, root))
        return Solution(Hypothesis(_NAME, Status.PROVED, why), equations, moved)
    ball = newton.isolate(equations, values, near)
    if ball is None:
        why = (
            f"{wrong}; near the given unknowns no solution is proved, as where the Jacobian is "
            f"singular or a kink lies within rounding"
        )
        return Solution(_refused(wrong, why), equations, values)
    why = (
        f"there is exactly one solution in the box of half width {float(ball.radius):.3g} about "
        f"the refined unknowns, by Krawczyk's operator"
    )
    return Solution(Hypothesis(_NAME, Status.PROVED, why), equations, ball.values, ball)


def _not_zero(residual: Sequence[Fraction | arb]) -> str:
    """Which equation is not 0 at the point; empty if balls leave it open."""
    for number, value in enumerate(residual):
        if isinstance(value, arb):
            if value.contains(0):
                continue
            text = value.str(10)
        elif value != 0:
            text = rational_text(value)
            text = text if len(text) < 24 else f"about {nearest_float(value):.6g}"
        else:
            continue
        return f"equation {number + 1} is {text}, not 0, at this point"
    return ""


def _refused(wrong: str, why: str) -> Hypothesis:
    if wrong:
        return Hypothesis(_NAME, Status.REFUTED, why)
    return Hypothesis(_NAME, Status.UNKNOWN, f"F encloses 0, which does not prove it is 0{why}")


def no_solution(equations: newton.Equations, values: Sequence[Fraction]) -> str:
    """Which equation has no zero for these parameters and any unknowns, by enclosure."""
    graph = equations.graph
    shaped = equations.shaped(equations.replaced(values, [None] * len(equations.unknowns)))
    ends = {name: tuple(array.reshape(-1).tolist()) for name, array in shaped.items()}
    roots = graph.output_nodes
    try:
        bounds = enclose(graph, Box({n: Side(v, v) for n, v in ends.items()}), nodes=roots)
    except (TamecheckError, UndecidedError):
        return ""
    number = 0
    for node in roots:
        if node not in bounds:
            return ""
        low, high = (
            np.broadcast_to(end, graph.nodes[node].shape).reshape(-1).tolist()
            for end in (bounds[node].lower, bounds[node].upper)
        )
        for a, b in zip(low, high, strict=True):
            number += 1
            if a > 0 or b < 0:
                end = f"at least {a:.6g}" if a > 0 else f"at most {b:.6g}"
                return f"no solution exists for these parameters: equation {number} is {end}"
    return ""


def complete(equations: newton.Equations, at: Mapping[str, Any], seed: int) -> dict[str, Array]:
    """The point as fractions, with unknowns that are left out found by Newton's method.

    Raises `InputError` if parameters are missing, if the equations are shown to have no solution,
    if none or more than one is found.
    """
    graph = equations.graph
    given: dict[str, Array] = {}
    for name, value in mapping(at, what="point", hint="Give a number for each input.").items():
        given[name] = rationals(value, what=f"value of {name!r}").reshape(-1)
        if any(abs(number) > _LARGEST for number in given[name].tolist()):
            raise InputError(f"The value of {name!r} lies beyond float64.", hint="Rescale it.")
    missing = [name for name in graph.inputs if name not in at]
    unknown = {equations.columns[k].split("[")[0] for k in equations.unknowns}
    if not missing or not set(missing) <= unknown:
        return _fitted(graph, given)
    zeros = {name: np.zeros(size_of(graph.inputs[name]), int) for name in missing}
    values = [Fraction(v) for v in equations.flat(_fitted(graph, {**given, **zeros}))]
    none = no_solution(equations, values)
    if none:
        raise InputError(f"{none[0].upper()}{none[1:]}.")
    found = _roots(equations, values, seed)
    names = ", ".join(missing)
    if not found:
        raise InputError(
            f"No solution was found from {_STARTS} starts.", hint=f"Give values for {names}."
        )
    if len(found) > 1:
        listed = "; ".join(map(equations.text, found[:4]))
        raise InputError(
            f"There are several solutions: {listed}.",
            hint=f"Give {names} near the one that you mean.",
        )
    return equations.shaped(equations.replaced(values, [Fraction(v) for v in found[0]]))


def _fitted(graph: Graph, given: Mapping[str, Array]) -> dict[str, Array]:
    """The point, once each input has as many numbers as elements."""
    missing = [name for name in graph.inputs if name not in given]
    if missing:
        raise InputError(f"Input {missing[0]!r} has no value.", hint=f"Add {missing[0]}=0.")
    unknown = [name for name in given if name not in graph.inputs]
    if unknown:
        raise InputError(f"{unknown[0]!r} is no input.", hint=f"Inputs: {', '.join(graph.inputs)}.")
    for name, shape in graph.inputs.items():
        if given[name].size != size_of(shape):
            raise InputError(f"Input {name!r} has shape {shape}, but {given[name].size} numbers.")
    return {name: given[name].reshape(shape) for name, shape in graph.inputs.items()}


def _roots(equations: newton.Equations, values: Sequence[Fraction], seed: int) -> list[list[float]]:
    """Where Newton's method leads from many starts, each once."""
    rng = np.random.default_rng(seed)
    found: list[list[float]] = []
    for number in range(_STARTS):
        reach = (0.0, 1.0, 3.0, 10.0)[number % 4]
        normal = rng.standard_normal(len(equations.unknowns)).tolist()
        start = equations.replaced(values, [Fraction(v * reach) for v in normal])
        root = newton.newton_limit(equations, start)
        if root is not None and not any(_same(root, other) for other in found):
            found.append(root)
    return sorted(found)


def _same(left: Sequence[float], right: Sequence[float]) -> bool:
    pairs = zip(left, right, strict=True)
    return all(abs(a - b) <= _SAME * (1 + abs(a) + abs(b)) for a, b in pairs)
