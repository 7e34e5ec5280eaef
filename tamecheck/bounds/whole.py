"""Which layers have integers only, whose bounds are integers too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tamecheck.bounds.layers import Combine, Dense, Largest, Linear, Nonlinear, Pointwise, Route
from tamecheck.ir.tensor import Array


def integers(layers: Sequence[Linear | Nonlinear]) -> frozenset[int]:
    """The layers of which all elements are integers, if constants are what they are in floats."""
    found: set[int] = set()
    for number, layer in enumerate(layers, 1):
        whole, constants = found.issuperset(layer.args), list[float | Array]()
        match layer:
            case Pointwise(scalar=scalar) if scalar.integral:
                whole = True
            case Pointwise(scalar=scalar) if scalar.jumps and scalar.breaks is not None:
                # of piecewise constant functions what they are at breaks and beside them
                places = [-np.inf, *scalar.breaks.tolist(), np.inf]
                values = scalar.value(np.array([*places, *map(np.mean, pairwise(places[1:-1]))]))
                whole = bool((np.abs(values) < 2.0**52).all())
                constants.append(values)
            case Pointwise(scalar=scalar):
                whole &= scalar.kinked
            case Dense(weight=weight):
                constants.append(weight)
            case Combine(factors=factors):
                constants += factors
            case _:
                whole &= isinstance(layer, Route | Largest)
        constants += (
            [layer.offset] if isinstance(layer, Linear) and layer.offset is not None else []
        )
        if whole and not any(np.any(np.asarray(one) % 1) for one in constants):
            found.add(number)
    return frozenset(found)
