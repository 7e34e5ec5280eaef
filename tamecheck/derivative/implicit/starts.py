"""Solutions for given parameters where no unknowns are given: Newton's method from many starts."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.derivative.implicit.equations import Equations, exact_arrays
from tamecheck.derivative.implicit.newton import newton_limit
from tamecheck.derivative.implicit.solution import no_solution
from tamecheck.errors import InputError
from tamecheck.ir.arguments import mapping, rationals
from tamecheck.ir.tensor import Array, size_of

__all__ = ["completed"]

_STARTS = 40
_SAME = 1e-6
_LARGEST = Fraction(10) ** 300


def completed(equations: Equations, at: Mapping[str, Any], seed: int) -> dict[str, Array]:
    """The point, with unknowns that are left out found by Newton's method.

    Raises
    ------
    InputError
        If parameters are missing, if the equations are shown to have no solution, if none or more
        than one is found.
    """
    graph = equations.graph
    for name, value in mapping(at, what="point", hint="Give a number for each input.").items():
        numbers = rationals(value, what=f"value of {name!r}").reshape(-1).tolist()
        if any(abs(number) > _LARGEST for number in numbers):
            raise InputError(f"The value of {name!r} lies beyond float64.", hint="Rescale it.")
    missing = [name for name in graph.inputs if name not in at]
    unknown = {equations.columns[k].split("[")[0] for k in equations.unknowns}
    if not missing or not set(missing) <= unknown:
        return exact_arrays(graph, at)
    zeros = {name: [0] * size_of(graph.inputs[name]) for name in missing}
    values = [Fraction(v) for v in equations.flat(exact_arrays(graph, {**at, **zeros}))]
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
        listed = "; ".join(_text(equations, root) for root in found[:4])
        raise InputError(
            f"There are several solutions: {listed}.",
            hint=f"Give {names} near the one that you mean.",
        )
    for column, value in zip(equations.unknowns, found[0], strict=True):
        values[column] = Fraction(value)
    return equations.shaped(values)


def _roots(equations: Equations, values: list[Fraction], seed: int) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    size = len(equations.unknowns)
    found: list[list[float]] = []
    for number in range(_STARTS):
        start = list(values)
        reach = (0.0, 1.0, 3.0, 10.0)[number % 4] if number else 0.0
        for column, value in zip(equations.unknowns, rng.standard_normal(size), strict=True):
            start[column] = Fraction(float(value) * reach)
        root = newton_limit(equations, start)
        if root is not None and not any(_same(root, other) for other in found):
            found.append(root)
    return sorted(found)


def _same(left: list[float], right: list[float]) -> bool:
    return all(
        abs(a - b) <= _SAME * (1 + abs(a) + abs(b)) for a, b in zip(left, right, strict=True)
    )


def _text(equations: Equations, root: list[float]) -> str:
    return ", ".join(
        f"{equations.columns[k]} = {v:.6g}" for k, v in zip(equations.unknowns, root, strict=True)
    )
