"""What two values of a function refute, for graphs too large to be expanded on germs of rays.

A continuous image of a box is connected; so a function with two values is not both continuous and
piecewise constant, which has a countable image.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq

from tamecheck.errors import TamecheckError
from tamecheck.evaluate import exact_values
from tamecheck.exact.reals import working_precision
from tamecheck.ir.box import Bound, Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, size_of
from tamecheck.tame.verdict import Properties

__all__ = ["random_number", "refuted_by_values"]

_POINTS = 3


def refuted_by_values(
    graph: Graph, box: Box, known: Properties, source: random.Random
) -> Properties:
    """What follows if some output differs between random points: false, or None.

    Parameters
    ----------
    graph, box
        The function, defined on the whole box.
    known
        Only a property that is refuted by another one that is known to hold can be refuted here.
    source
        Of the points.
    """
    jumps = known.piecewise_constant and known.continuous is None
    moves = known.continuous and known.piecewise_constant is None
    if not (jumps or moves):
        return Properties()
    first: Mapping[str, Array] | None = None
    for scale in range(1, _POINTS + 1):
        try:
            values = exact_values(graph, _point(graph, box, source, scale))
        except TamecheckError:
            return Properties()
        if first is not None and any(_differ(first[name], values[name]) for name in values):
            if moves:
                return Properties(piecewise_constant=False)
            return Properties(continuous=False, locally_lipschitz=False, path_differentiable=False)
        first = values
    return Properties()


def random_number(pair: tuple[Bound, Bound], source: random.Random, scale: int) -> Fraction:
    """A number inside an interval; about as large as ``scale`` where it is unbounded."""
    low, high = pair
    step = Fraction(source.randint(1, 63), 64)
    if low is not None and high is not None:
        return low + (high - low) * step
    if low is not None:
        return low + 4 * scale * step
    return high - 4 * scale * step if high is not None else scale * (6 * step - 3)


def _point(graph: Graph, box: Box, source: random.Random, scale: int) -> dict[str, Array]:
    point: dict[str, Array] = {}
    for name, shape in graph.inputs.items():
        pairs = box.side(name).elements(size_of(shape))
        values = [_as_float(random_number(pair, source, scale), pair) for pair in pairs]
        point[name] = np.array(values).reshape(shape)
    return point


def _as_float(value: Fraction, pair: tuple[Bound, Bound]) -> float | Fraction:
    """The nearest float where it is inside the interval, since floats are evaluated faster."""
    near = float(value)
    low, high = pair
    inside = (low is None or low <= near) and (high is None or near <= high)
    return near if inside else value


@working_precision(64)
def _differ(left: Array, right: Array) -> bool:
    pairs = zip(left.reshape(-1).tolist(), right.reshape(-1).tolist(), strict=True)
    return any(not arb(_number(a)).overlaps(arb(_number(b))) for a, b in pairs)


def _number(value: Any) -> Any:
    return fmpq(*value.as_integer_ratio()) if isinstance(value, Fraction) else value
