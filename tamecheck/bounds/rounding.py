"""By how much the layers of a network may be off when floats of some format compute them.

The mathematics is in docs/verification-float32.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tamecheck.bounds.layers import Combine, Layers, Linear, Nonlinear, Pointwise, Product, Route
from tamecheck.bounds.propagation import State, magnitude
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.enclosure import float_up
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.floats import FloatFormat
from tamecheck.ir.tensor import Array

_ROOM = 2
"""Bits by which all magnitudes have to be below the largest float."""


def with_rounding(layers: Layers, arithmetic: FloatFormat) -> Layers:
    """The layers with the noise of any execution: every order of sums, fused or not.

    An `UnsupportedError` says that sums are too long for the format.
    """
    roundings, noise = [0], list[tuple[float, float]]()
    for layer in layers.computed:
        # a sum may be joined with the one that reads it, as a product is with its bias
        before = max((roundings[arg] for arg in layer.args), default=0)
        own = _roundings(layer)
        roundings.append(before + own if isinstance(layer, Linear) else 0)
        count = roundings[-1] if isinstance(layer, Linear) else own
        relative = arithmetic.relative(count)
        if relative is None:
            what = f"Sums are too long for error terms of {arithmetic.name}."
            raise UnsupportedError(what, nodes=[("a sum", f"{count} roundings")])
        lost = (float_up(relative), float_up(arithmetic.absolute(count))) if own else (0.0, 0.0)
        noise.append(lost)
    return replace(layers, noise=tuple(noise), whole=frozenset())


def rounding_in(arithmetic: FloatFormat | None) -> Callable[[Layers], Layers]:
    """What an arithmetic changes in layers; nothing, for real numbers."""
    return lambda layers: layers if arithmetic is None else with_rounding(layers, arithmetic)


def _roundings(layer: Linear | Nonlinear) -> int:
    """How many roundings an element passes on its way through a layer, at most; 0 if it is exact.

    A routing, a negation, a maximum, a rectifier and a jump are exact.  A factor or a divisor
    takes two.
    """
    match layer:
        case Route():
            return 0
        case Combine(offset=None, factors=(factor,)):
            return 0 if isinstance(factor, float) and abs(factor) == 1 else 2
        case Linear():
            return layer.terms + 2
        case Pointwise(scalar=scalar):
            return 0 if scalar.kinked or scalar.jumps or scalar.integral else 4
        case Product():
            return 2
        case _:
            return 0


def is_finite(layers: Layers, lower: Array, upper: Array, arithmetic: FloatFormat) -> bool:
    """Whether no float of an execution overflows on a box."""
    state = State(layers, [Interval(lower[np.newaxis], upper[np.newaxis])])
    with np.errstate(all="ignore"):
        for _ in layers.computed:
            state.extend()
    sizes = [magnitude(x) for x in state.bounds] + list(state.sizes.values())
    return all(bool((size < 2.0 ** (arithmetic.most - _ROOM)).all()) for size in sizes)
